// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl policy check`, and what the commands about policies share.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::accounts::{Accounts, entry};
use super::files::{self, INSTALLED, Tree};
use super::{Failure, print, tell_line};
use crate::policy::compile::{Account, Policy, compile};
use crate::policy::diagnostics::{Problem, Source};
use crate::policy::warnings::Warning;
use crate::refusal::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Files, or directories that stand for their *.toml; what is installed if absent
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Take warnings for errors
    #[arg(long)]
    strict: bool,
    /// A file whose `[accounts]` has the users and groups, in place of this machine's
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
}

pub(super) fn check(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let accounts = Accounts::choose(arguments.accounts.as_deref())?;
    let (sources, unread) = if arguments.paths.is_empty() {
        let (tree, path) = (Tree::system(), Path::new(INSTALLED));
        (tree.policy(path)?, tree.unread(path).map_err(|why| Failure::Policy(vec![why]))?)
    } else {
        (files::given(&arguments.paths)?, files::given_unread(&arguments.paths)?)
    };
    let policy = compiled(&sources, &accounts)?;
    let found = warnings(&policy, &sources, &accounts).into_iter().map(|warning| warning.to_string());
    let found: Vec<String> = found.chain(unread).collect();
    if arguments.strict && !found.is_empty() {
        let told = "netbrokerctl: `--strict` takes warnings for errors".to_owned();
        return Err(Failure::Policy(found.into_iter().chain([told]).collect()));
    }
    found.iter().for_each(tell_line);
    let count = match found.len() {
        0 => String::new(),
        1 => ", 1 warning".to_owned(),
        count => format!(", {count} warnings"),
    };
    print(format!("ok: {}{count}", counted(&policy, &sources)))?;
    Ok(Exit::Done.into())
}

/// All warnings of a policy, by their places.
pub(super) fn warnings(policy: &Policy, sources: &[Source], accounts: &Accounts) -> Vec<Warning> {
    let mut warnings = policy.warnings().to_vec();
    warnings.extend(policy.comparisons(sources));
    warnings.extend(strangers(policy, accounts));
    warnings.sort();
    warnings
}

/// What the next release refuses.
pub(super) fn refused_later(policy: &Policy) -> Vec<String> {
    policy.warnings().iter().filter(|warning| warning.refused_later).map(Warning::to_string).collect()
}

/// A warning for each user that an allow names and that can neither start the broker nor connect to its socket.
pub(super) fn strangers(policy: &Policy, accounts: &Accounts) -> Vec<Warning> {
    let strange = |(name, place): (&String, &Problem)| {
        let message = format!(
            "the user `{}` is not in the group `netbroker-callers`, so only `sudo netbroker` can call for it; add it by \
             `usermod -a -G netbroker-callers {0}`",
            name.escape_debug()
        );
        let problem = Problem { message, ..place.clone() };
        (accounts.may_call(name) == Some(false)).then_some(Warning { problem, refused_later: false })
    };
    policy.users().iter().filter_map(strange).collect()
}

/// `2 rules in 1 file`, and what it means where there are none.
pub(super) fn counted(policy: &Policy, sources: &[Source]) -> String {
    let count = |count: usize, of: &str| format!("{count} {of}{}", if count == 1 { "" } else { "s" });
    let rules = policy.origins().len();
    let none = if rules == 0 { " (every call is refused)" } else { "" };
    format!("{} in {}{none}", count(rules, "rule"), count(sources.len(), "file"))
}

/// Compiles with the numbers of these accounts.
pub(super) fn compiled(sources: &[Source], accounts: &Accounts) -> Result<Policy, Failure> {
    let number = |account: Account<'_>| accounts.number(account);
    compile(sources, &number).map_err(|problems| Failure::problems(&problems))
}

/// Compiles with the accounts of this machine. Gives, in addition, the numbers that were found.
pub(super) fn compiled_here(sources: &[Source]) -> Result<(Policy, BTreeMap<String, u32>), Failure> {
    let found = RefCell::new(BTreeMap::new());
    let number = |account: Account<'_>| {
        let number = Accounts::Machine.number(account)?;
        if let Some(number) = number {
            found.borrow_mut().insert(entry(account), number);
        }
        Ok(number)
    };
    let policy = compile(sources, &number).map_err(|problems| Failure::problems(&problems))?;
    Ok((policy, found.into_inner()))
}
