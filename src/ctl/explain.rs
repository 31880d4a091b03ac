// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl policy explain`: shows which rule decides a call. It uses the same function as the broker.
#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::unistd::geteuid;

use super::accounts::{Accounts, NO_GROUP, unknown};

use super::files::{self, INSTALLED, Tree};
use super::in_force::InForce;
use super::put::written;
use super::read::open_named;
use super::{Failure, history, parameters, policy, print, require_root, warn};
use crate::caller::Caller;
use crate::policy::Decision;
use crate::policy::compile::{Account, Policy};
use crate::policy::compiled::{Compiled, Damage};
use crate::policy::entry_hint;
use crate::refusal::Exit;

/// The policy in force.
const IN_FORCE: &str = "/var/lib/netbroker/policy";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The caller: `user:NAME` with the groups of NAME, or `uid:N` without groups
    #[arg(long, value_name = "USER")]
    who: String,
    /// An additional group of the caller: `group:NAME` or `gid:N`
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
    /// The call, such as `Address.Add`
    #[arg(value_name = "CALL")]
    name: String,
    /// Its fields, as for `netbrokerctl call`
    #[arg(value_name = "FIELD=VALUE")]
    fields: Vec<String>,
    /// The directory of the policy files
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// A file whose `[accounts]` table replaces the users and groups of this machine
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// Use the policy in force instead of the files (root only)
    #[arg(long, conflicts_with_all = ["directory", "accounts"])]
    installed: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let call = parameters::call(&arguments.name)?;
    let asked = if arguments.installed { Asked::in_force()? } else { Asked::of_files(arguments)? };
    let caller = caller(&arguments.who, &arguments.group, &asked.accounts)?;
    let given = parameters::read(call, &arguments.fields, None, caller.uid)?;
    if given.netns_assumed {
        warn("netns is not given: using @host");
    }
    if !arguments.installed {
        compare(asked.compiled.digest());
    }
    let verdict = asked.compiled.judge(&caller, given.request).map_err(damaged)?;
    print(asked.policy.describe(verdict.decision(), verdict.request()))?;
    Ok(match verdict.decision() {
        Decision::Allowed { .. } => Exit::Done.into(),
        _ => Exit::Denied.into(),
    })
}

fn damaged(damage: Damage) -> Failure {
    Failure::Policy(vec![damage.0.to_owned()])
}

/// What is explained: the compiled policy, the places of its rules, and the accounts of its names.
struct Asked {
    compiled: Compiled<Vec<u8>>,
    policy: Policy,
    accounts: Vec<Accounts>,
}

impl Asked {
    fn of_files(arguments: &Arguments) -> Result<Self, Failure> {
        let accounts = Accounts::choose(arguments.accounts.as_deref())?;
        let sources = match &arguments.directory {
            Some(directory) => files::given(std::slice::from_ref(directory))?,
            None => Tree::system().policy(Path::new(INSTALLED))?,
        };
        let policy = policy::compiled(&sources, &accounts)?;
        let compiled = Compiled::open(written(&policy)?).map_err(damaged)?;
        Ok(Self { compiled, policy, accounts: vec![accounts] })
    }

    /// An account that was deleted keeps the number that it had.
    fn in_force() -> Result<Self, Failure> {
        require_root("read the policy in force")?;
        let tree = Tree::system();
        let in_force = InForce::read(&tree).map_err(|why| Failure::Message(Exit::Policy, why))?;
        let (policy, recorded) = match history::in_force(&tree, &in_force)? {
            Some(kept) => {
                let recorded = Accounts::Recorded(kept.accounts.clone());
                (policy::compiled(&kept.sources(), &recorded)?, Some(recorded))
            }
            None => {
                warn("the files of the policy in force are not kept: rules are named without their places");
                (policy::compiled(&[], &Accounts::Machine)?, None)
            }
        };
        let compiled = in_force.policy;
        Ok(Self { compiled, policy, accounts: [Accounts::Machine].into_iter().chain(recorded).collect() })
    }
}

/// Warns if the broker uses another policy than the one that is explained.
fn compare(digest: &str) {
    let path = Path::new(IN_FORCE);
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return warn("no policy is in force"),
        Err(_) => return, // only root and the broker may look
        Ok(_) => {}
    }
    let file = match open_named(path) {
        Ok(file) => File::from(file),
        Err(_) if !geteuid().is_root() => return,
        Err(why) => return warn(format!("{why}; the broker refuses every call")),
    };
    match Compiled::open(file) {
        Ok(in_force) if in_force.digest() == digest => {}
        Ok(in_force) => warn(format!("this is not the policy in force, which has digest {}", in_force.digest())),
        Err(damage) => warn(format!("{IN_FORCE}: {}; the broker refuses every call", damage.0)),
    }
}

/// The caller, from the first of these account sources that knows the names.
fn caller(who: &str, groups: &[String], accounts: &[Accounts]) -> Result<Caller, Failure> {
    let mut caller = match who.split_once(':') {
        Some(("user", name)) => first(accounts, |of| of.user(name)).map_err(|failure| match failure {
            Failure::Message(exit, why) => {
                let is_number = !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
                let hint = if is_number { format!("; did you mean `uid:{name}`?") } else { String::new() };
                Failure::Message(exit, format!("`--who`: {why}{hint}"))
            }
            other => other,
        })?,
        Some(("uid", name))
            if self::number("--who", who, name).is_err() && first(accounts, |of| of.user(name)).is_ok() =>
        {
            let name = name.escape_debug();
            return Err(unknown(format!(
                "`--who`: `uid:{name}` must have a number after the colon; did you mean `user:{name}`?"
            )));
        }
        Some(("uid", number)) => Caller { uid: self::number("--who", who, number)?, gid: NO_GROUP, groups: Vec::new() },
        _ => {
            let shown = who.escape_debug();
            let hint = hint(who, accounts);
            return Err(unknown(format!("`--who`: `{shown}` must be `user:NAME` or `uid:N`{hint}")));
        }
    };
    for group in groups {
        let gid = match group.split_once(':') {
            Some(("group", name)) => first(accounts, |of| match of.number(Account::Group(name)) {
                Ok(Some(gid)) => Ok(gid),
                Ok(None) => Err(unknown(format!("`--group`: no group named `{}`", name.escape_debug()))),
                Err(why) => Err(unknown(format!("groups cannot be looked up: {why}"))),
            })?,
            Some(("gid", number)) => self::number("--group", group, number)?,
            _ => return Err(unknown(format!("`--group`: `{}` must be `group:NAME` or `gid:N`", group.escape_debug()))),
        };
        caller.groups.push(gid);
    }
    Ok(caller)
}

/// What `--who` should be, or which option names a group, as a further clause of an error.
fn hint(who: &str, accounts: &[Accounts]) -> String {
    let resolve = |account: Account<'_>| Ok(accounts.iter().find_map(|of| of.number(account).ok().flatten()));
    match who {
        "" => "; it is empty".to_owned(),
        "*" => "; `explain` is about one caller, not about everybody".to_owned(),
        _ if who.starts_with("group:") || who.starts_with("gid:") => {
            format!("; it names a group, which is given as `--group {}`", who.escape_debug())
        }
        _ => match entry_hint(who, &resolve) {
            hint if hint.contains("`group:") => {
                let group = who.trim_start_matches(['%', '@', '+']).rsplit(':').next().unwrap_or_default();
                format!("; it names a group, which is given as `--group group:{}`", group.escape_debug())
            }
            hint if hint.is_empty() && !who.contains(':') => format!("; did you mean `user:{}`?", who.escape_debug()),
            hint => hint,
        },
    }
}

/// What the first of these account sources returns, or else the error of the last one.
fn first<T>(accounts: &[Accounts], find: impl Fn(&Accounts) -> Result<T, Failure>) -> Result<T, Failure> {
    let none = Err(unknown("no account is known".to_owned()));
    accounts.iter().fold(none, |found, of| found.or_else(|_| find(of)))
}

fn number(option: &str, whole: &str, raw: &str) -> Result<u32, Failure> {
    let plain = raw.bytes().all(|b| b.is_ascii_digit());
    let number = raw.parse().ok().filter(|_| plain);
    number.ok_or_else(|| unknown(format!("`{option}`: `{}` must have a number after the colon", whole.escape_debug())))
}
