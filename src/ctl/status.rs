// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl policy status`: shows the policy in force, since when it is, and whether the current files and
//! accounts would compile to the same policy.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use super::accounts::Accounts;
use super::files::{INSTALLED, Tree};
use super::history;
use super::in_force::InForce;
use super::kept::{self, Kept};
use super::put::{UNPIN, written};
use super::state::{FILE, STATE};
use super::time::utc;
use super::{Failure, policy, print, require_root, tell, tell_line};
use crate::policy::compiled::Compiled;
use crate::policy::diagnostics::Source;
use crate::refusal::Exit;

pub(super) fn run() -> Result<ExitCode, Failure> {
    require_root("read the policy in force")?;
    let (told, agrees) = status(&Tree::system())?;
    print(told)?;
    Ok(if agrees { Exit::Done.into() } else { ExitCode::FAILURE })
}

/// The policy in force, and what the files make now.
#[derive(Debug)]
pub(super) struct Status {
    pub(super) in_force: InForce,
    /// The digest that is pinned.
    pub(super) pinned: Option<String>,
    pub(super) files: Files,
}

/// How the files and the accounts of this machine compare with the policy in force.
#[derive(Debug)]
pub(super) enum Files {
    /// They make the same policy: so many rules in so many files.
    Agree(String),
    /// They make another policy.
    Differ { digest: String, sources: Vec<Source> },
    /// They are not a valid policy.
    Invalid(Failure),
}

impl Status {
    /// Reads the policy in force as the broker does, and compares it with the files.
    pub(super) fn look(tree: &Tree) -> Result<Self, Failure> {
        let in_force = InForce::read(tree).map_err(wrong)?;
        let pinned = kept::pinned(tree).map_err(wrong)?;
        let now = tree
            .policy(Path::new(INSTALLED))
            .and_then(|sources| Ok((policy::compiled(&sources, &Accounts::Machine)?, sources)));
        let (now, sources) = match now {
            Ok(now) => now,
            Err(failure) => return Ok(Self { in_force, pinned, files: Files::Invalid(failure) }),
        };
        let bytes = written(&now)?;
        if bytes == in_force.bytes() {
            let files = Files::Agree(policy::counted(&now, &sources));
            return Ok(Self { in_force, pinned, files });
        }
        let digest = Compiled::open(bytes).map_err(|damage| wrong(damage.0.to_owned()))?.digest().to_owned();
        if digest == in_force.digest() {
            return Err(wrong(format!(
                "{STATE}/{FILE} is damaged: its content does not match its digest; to replace it, run {INSTALL}"
            )));
        }
        Ok(Self { in_force, pinned, files: Files::Differ { digest, sources } })
    }

    /// Whether the policy in force is pinned.
    pub(super) fn is_pinned(&self) -> bool {
        self.pinned.as_deref() == Some(self.in_force.digest())
    }
}

fn wrong(why: String) -> Failure {
    Failure::Message(Exit::Policy, why)
}

/// Prints the policy in force, and whether the files compile to the same policy.
fn status(tree: &Tree) -> Result<(String, bool), Failure> {
    let status = Status::look(tree)?;
    let pinned = match &status.pinned {
        Some(_) if status.is_pinned() => format!("\npinned until {UNPIN}"),
        Some(digest) => {
            format!("\nnot pinned: digest {digest} is pinned, which is not in force; to end the pin, run {UNPIN}")
        }
        None => String::new(),
    };
    for warning in tree.unread(Path::new(INSTALLED)).unwrap_or_default() {
        tell_line(warning); // if the directory cannot be read, the next line gives the reason
    }
    let is_pinned = status.is_pinned();
    let in_force = &status.in_force;
    let head = format!("in force: digest {}, since {}{pinned}", in_force.digest(), utc(in_force.since));
    let (digest, sources) = match status.files {
        Files::Agree(counted) => {
            return Ok((format!("{head}\nagrees: {counted} and the numbers of their accounts"), true));
        }
        Files::Invalid(failure) => {
            tell(&failure);
            let run = if is_pinned { INSTALL_UNPIN } else { INSTALL };
            let why = format!(
                "differs: the files in {INSTALLED} are not a valid policy; correct the errors above, then run {run}"
            );
            return Ok((format!("{head}\n{why}"), false));
        }
        Files::Differ { digest, sources } => (digest, sources),
    };
    let kept = history::in_force(tree, in_force).unwrap_or_else(|failure| {
        tell(&failure);
        None
    });
    let why = match kept {
        Some(kept) => differences(&kept, &sources).join("\n"),
        None => "the files of the policy in force are not kept, so the differences are not known".to_owned(),
    };
    let what_to_do = if is_pinned {
        format!("to end the pin and put the files in force, run {INSTALL_UNPIN}")
    } else {
        format!("to put it in force, run {INSTALL}")
    };
    Ok((format!("{head}\ndiffers: the files and accounts now make digest {digest}; {what_to_do}\n{why}"), false))
}

/// The command that puts the files in force.
const INSTALL: &str = "`netbrokerctl policy install`";
/// The command that does so while a policy is pinned, also where nobody is at a terminal.
const INSTALL_UNPIN: &str = "`netbrokerctl policy install --unpin`";

/// The changes since a policy was put in force, one per line.
fn differences(kept: &Kept, sources: &[Source]) -> Vec<String> {
    let before = kept.sources();
    let of = |sources: &[Source], name: &str| sources.iter().find(|source| source.name == name).map(|s| s.text.clone());
    let names: BTreeSet<&str> = before.iter().chain(sources).map(|source| source.name.as_str()).collect();
    let file = |name: &&str| match (of(&before, name), of(sources, name)) {
        (Some(then), Some(now)) => (then != now).then(|| format!("changed file: {name}")),
        (None, _) => Some(format!("new file: {name}")),
        (_, None) => Some(format!("removed file: {name}")),
    };
    let mut differences: Vec<String> = names.iter().filter_map(file).collect();
    let accounts = history::changed_accounts(&kept.accounts, &|account| Accounts::Machine.number(account));
    differences.extend(accounts.into_iter().map(|why| format!("changed account: {why}")));
    if differences.is_empty() {
        differences
            .push("the files and accounts are the same: another version of netbrokerctl installed them".to_owned());
    }
    differences
}
