// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl policy check`, and what the commands about policies share.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::unistd::{Group, User};

use super::files::{self, INSTALLED, Tree};
use super::{Failure, print};
use crate::policy::compile::{Account, Policy, compile};
use crate::policy::diagnostics::Source;
use crate::refusal::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Files, or directories that stand for their *.toml; what is installed if absent
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub(super) fn check(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let sources = if arguments.paths.is_empty() {
        Tree::system().policy(Path::new(INSTALLED))?
    } else {
        files::given(&arguments.paths)?
    };
    let policy = compiled(&sources)?;
    print(format!("ok: {}", counted(&policy, &sources)))?;
    Ok(Exit::Done.into())
}

/// `2 rules in 1 file`, and what it means where there are none.
pub(super) fn counted(policy: &Policy, sources: &[Source]) -> String {
    let count = |count: usize, of: &str| format!("{count} {of}{}", if count == 1 { "" } else { "s" });
    let rules = policy.origins().len();
    let none = if rules == 0 { " (every call is refused)" } else { "" };
    format!("{} in {}{none}", count(rules, "rule"), count(sources.len(), "file"))
}

/// Compiles with the accounts of this machine.
pub(super) fn compiled(sources: &[Source]) -> Result<Policy, Failure> {
    compile(sources, &account).map_err(|problems| Failure::problems(&problems))
}

/// The number of a user or group, from the name service.
pub(super) fn account(account: Account<'_>) -> Result<Option<u32>, String> {
    let found = match account {
        Account::User(name) => User::from_name(name).map(|user| user.map(|user| user.uid.as_raw())),
        Account::Group(name) => Group::from_name(name).map(|group| group.map(|group| group.gid.as_raw())),
    };
    found.map_err(|errno| errno.desc().to_owned())
}
