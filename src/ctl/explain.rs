// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl policy explain`: which rule decides a call, by the function that the broker decides with.
#![forbid(unsafe_code)]

use std::ffi::CString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::unistd::{Group, User, geteuid, getgrouplist};

use super::files::{self, INSTALLED, Tree};
use super::install::written;
use super::read::open_named;
use super::{Failure, parameters, policy, print, warn};
use crate::caller::Caller;
use crate::policy::Decision;
use crate::policy::compiled::Compiled;
use crate::refusal::Exit;

/// The policy in force.
const IN_FORCE: &str = "/var/lib/netbroker/policy";
/// No account has this group, and no policy can name it.
const NO_GROUP: u32 = u32::MAX;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Who asks: `user:NAME` with the groups that NAME is in, or `uid:N` with none
    #[arg(long, value_name = "USER")]
    who: String,
    /// A group of the caller's besides: `group:NAME` or `gid:N`
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
    /// The call, like `Address.Add`
    #[arg(value_name = "CALL")]
    name: String,
    /// Its fields, as for `netbrokerctl call`
    #[arg(value_name = "FIELD=VALUE")]
    fields: Vec<String>,
    /// The directory with the policy's files
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let call = parameters::call(&arguments.name)?;
    let given = parameters::read(call, &arguments.fields, None)?;
    if given.netns_assumed {
        warn("netns is not given: using @host");
    }
    let caller = caller(&arguments.who, &arguments.group)?;
    let sources = match &arguments.directory {
        Some(directory) => files::given(std::slice::from_ref(directory))?,
        None => Tree::system().policy(Path::new(INSTALLED))?,
    };
    let policy = policy::compiled(&sources)?;
    let damaged = |damage: crate::policy::compiled::Damage| Failure::Policy(vec![damage.0.to_owned()]);
    let compiled = Compiled::open(written(&policy)?).map_err(damaged)?;
    compare(compiled.digest());
    let verdict = compiled.judge(&caller, given.request).map_err(damaged)?;
    print(policy.describe(verdict.decision(), verdict.request()))?;
    Ok(match verdict.decision() {
        Decision::Allowed { .. } => Exit::Done.into(),
        _ => Exit::Denied.into(),
    })
}

/// Says so when the broker decides by another policy than the one that is explained.
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

fn caller(who: &str, groups: &[String]) -> Result<Caller, Failure> {
    let mut caller = match who.split_once(':') {
        Some(("user", name)) => user(name)?,
        Some(("uid", number)) => Caller { uid: self::number(who, number)?, gid: NO_GROUP, groups: Vec::new() },
        _ => return Err(unknown(format!("`{}` is neither `user:NAME` nor `uid:N`", who.escape_debug()))),
    };
    for group in groups {
        let gid = match group.split_once(':') {
            Some(("group", name)) => match Group::from_name(name) {
                Ok(Some(group)) => group.gid.as_raw(),
                Ok(None) => return Err(unknown(format!("there is no group `{}`", name.escape_debug()))),
                Err(errno) => return Err(unknown(format!("groups cannot be looked up: {}", errno.desc()))),
            },
            Some(("gid", number)) => self::number(group, number)?,
            _ => return Err(unknown(format!("`{}` is neither `group:NAME` nor `gid:N`", group.escape_debug()))),
        };
        caller.groups.push(gid);
    }
    Ok(caller)
}

/// A user with the groups that a login would give.
fn user(name: &str) -> Result<Caller, Failure> {
    let failed = |errno: nix::errno::Errno| unknown(format!("users cannot be looked up: {}", errno.desc()));
    let user = User::from_name(name).map_err(failed)?;
    let user = user.ok_or_else(|| unknown(format!("there is no user `{}`", name.escape_debug())))?;
    let name = CString::new(name).map_err(|_| unknown("a name holds no NUL".to_owned()))?;
    let groups = getgrouplist(&name, user.gid).map_err(failed)?;
    let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
    Ok(Caller { uid, gid, groups: groups.into_iter().map(nix::unistd::Gid::as_raw).collect() })
}

fn number(whole: &str, raw: &str) -> Result<u32, Failure> {
    let plain = raw.bytes().all(|b| b.is_ascii_digit());
    let number = raw.parse().ok().filter(|_| plain);
    number.ok_or_else(|| unknown(format!("`{}` has no number", whole.escape_debug())))
}

fn unknown(why: String) -> Failure {
    Failure::Message(Exit::Request, why)
}
