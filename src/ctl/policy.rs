// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl policy check`, and the code that the commands for policies share.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::accounts::{Accounts, entry};
use super::files::{self, INSTALLED, Tree};
use super::{Failure, print, tell_line};
use crate::policy::compile::{Account, Policy, compile};
use crate::policy::diagnostics::{Problem, Source};
use crate::policy::warnings::{Warning, Weight};
use crate::refusal::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Policy files, or directories of them; default: /etc/netbroker/policy.d
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Treat warnings as errors
    #[arg(long)]
    strict: bool,
    /// Print errors and warnings as one JSON object
    #[arg(long)]
    json: bool,
    /// A file whose `[accounts]` table replaces the users and groups of this machine
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
    let compiled = compile(&sources, &|account| accounts.number(account));
    if arguments.json {
        return check_json(arguments.strict, &compiled, &sources, &accounts, &unread);
    }
    let policy = compiled.map_err(|problems| Failure::problems(&problems))?;
    let found = warnings(&policy, &sources, &accounts).into_iter().map(|warning| warning.to_string());
    let found: Vec<String> = found.chain(unread).collect();
    let total = super::counted(found.len(), "warning");
    if arguments.strict && !found.is_empty() {
        let refused = format!("netbrokerctl: refused: {total} (`--strict` treats warnings as errors)");
        return Err(Failure::Policy(found.into_iter().chain([refused]).collect()));
    }
    found.iter().for_each(tell_line);
    let count = if found.is_empty() { String::new() } else { format!(", {total}") };
    print(format!("ok: {}{count}", counted(&policy, &sources)))?;
    Ok(Exit::Done.into())
}

/// Prints one JSON object: `errors`, `warnings`, and the numbers of `rules` and `files`.
fn check_json(
    strict: bool,
    compiled: &Result<Policy, Vec<Problem>>,
    sources: &[Source],
    accounts: &Accounts,
    unread: &[String],
) -> Result<ExitCode, Failure> {
    let place = |problem: &Problem| {
        json!({
            "file": problem.shown_file(), "line": problem.line, "column": problem.column,
            "message": problem.shown_message(),
        })
    };
    let (errors, found, rules) = match compiled {
        Ok(policy) => (Vec::new(), warnings(policy, sources, accounts), policy.origins().len()),
        Err(problems) => (problems.iter().map(place).collect(), Vec::new(), 0),
    };
    let found: Vec<Value> = found.iter().map(|warning| place(&warning.problem)).collect();
    let unread = unread.iter().map(|warning| json!({ "message": warning }));
    let found: Vec<Value> = found.into_iter().chain(unread).collect();
    let refused = !errors.is_empty() || (strict && !found.is_empty());
    print(json!({ "errors": errors, "warnings": found, "rules": rules, "files": sources.len() }))?;
    Ok(if refused { Exit::Policy.into() } else { Exit::Done.into() })
}

/// All warnings about a policy, sorted by their places.
pub(super) fn warnings(policy: &Policy, sources: &[Source], accounts: &Accounts) -> Vec<Warning> {
    let mut warnings = policy.warnings().to_vec();
    warnings.extend(policy.comparisons(sources));
    warnings.extend(strangers(policy, accounts));
    warnings.sort();
    warnings
}

/// The warnings that are shown to the user who puts the policy in force.
pub(super) fn grave(policy: &Policy) -> Vec<String> {
    policy.warnings().iter().filter(|warning| warning.weight > Weight::Advice).map(Warning::to_string).collect()
}

/// A warning for each user in an allow who can neither start the broker nor connect to its socket.
pub(super) fn strangers(policy: &Policy, accounts: &Accounts) -> Vec<Warning> {
    let strange = |(name, place): (&String, &Problem)| {
        let message = format!(
            "the user `{}` is not in the group `netbroker-callers`, so it cannot start the installed program (a socket \
             with another group, or sudo, may still serve it); add it with `gpasswd -a {0} netbroker-callers`",
            name.escape_debug()
        );
        let problem = Problem { message, ..place.clone() };
        (accounts.may_call(name) == Some(false)).then_some(Warning { problem, weight: Weight::Advice })
    };
    policy.users().iter().filter_map(strange).collect()
}

/// `2 rules in 1 file`, with a note if there are none.
pub(super) fn counted(policy: &Policy, sources: &[Source]) -> String {
    let rules = policy.origins().len();
    let none = if rules == 0 { " (every call is refused)" } else { "" };
    format!("{} in {}{none}", super::counted(rules, "rule"), super::counted(sources.len(), "file"))
}

/// Compiles with the ids of these accounts.
pub(super) fn compiled(sources: &[Source], accounts: &Accounts) -> Result<Policy, Failure> {
    let number = |account: Account<'_>| accounts.number(account);
    compile(sources, &number).map_err(|problems| Failure::problems(&problems))
}

/// Compiles with the accounts of this machine. Also returns the ids that it used: `None` for an optional account that
/// does not exist.
pub(super) fn compiled_here(sources: &[Source]) -> Result<(Policy, BTreeMap<String, Option<u32>>), Failure> {
    let found = RefCell::new(BTreeMap::new());
    let number = |account: Account<'_>| {
        let number = Accounts::Machine.number(account)?;
        found.borrow_mut().insert(entry(account), number);
        Ok(number)
    };
    let policy = compile(sources, &number).map_err(|problems| Failure::problems(&problems))?;
    Ok((policy, found.into_inner()))
}
