// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl policy history` and `rollback`: the last policies that were in force, and one of them again.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::process::ExitCode;

use super::accounts::Accounts;
use super::enable::root;
use super::files::Tree;
use super::install::{Installed, Leave, New, Put, in_force_but};
use super::kept::{self, History, Kept};
use super::status::{InForce, utc};
use super::{Failure, policy, print};
use crate::policy::compile::Account;
use crate::refusal::Exit;

/// Digits of a digest that must be given at least.
const DIGITS: usize = 8;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The digest of a policy that `policy history` lists, or its first 8 digits or more
    #[arg(value_name = "DIGEST")]
    digest: String,
    /// Let a policy without rules, which refuses every call, replace one that has rules
    #[arg(long)]
    allow_empty: bool,
}

pub(super) fn list() -> Result<ExitCode, Failure> {
    root("list the kept policies")?;
    print(listed(&Tree::system())?)?;
    Ok(Exit::Done.into())
}

pub(super) fn rollback(arguments: &Arguments) -> Result<ExitCode, Failure> {
    root("put a policy in force")?;
    let tree = Tree::system();
    let leave = Leave { empty: arguments.allow_empty, unpin: true };
    back(&tree, &arguments.digest, leave)?.finish(&tree)
}

fn wrong(why: String) -> Failure {
    Failure::Message(Exit::Policy, why)
}

/// All kept policies, the latest first.
pub(super) fn all(tree: &Tree) -> Result<Vec<Kept>, Failure> {
    let history = History::open(tree).map_err(wrong)?;
    history.map_or_else(|| Ok(Vec::new()), |history| history.all().map_err(wrong))
}

/// The kept policy that is in force; none where it was installed by a version that kept none.
pub(super) fn in_force(tree: &Tree, in_force: &InForce) -> Result<Option<Kept>, Failure> {
    let history = History::open(tree).map_err(wrong)?;
    history.map_or_else(|| Ok(None), |history| history.of(&in_force.digest).map_err(wrong))
}

fn listed(tree: &Tree) -> Result<String, Failure> {
    let in_force = InForce::read(tree).ok();
    let pinned = kept::pinned(tree).map_err(wrong)?;
    let line = |kept: &Kept| {
        let count = kept.rules.len();
        let login = kept.loginuid.map_or_else(|| "no login".to_owned(), |uid| format!("login {uid}"));
        let is = |digest: Option<&String>| digest == Some(&kept.digest);
        let marks = [
            is(in_force.as_ref().map(|policy| &policy.digest)).then_some(", in force"),
            is(pinned.as_ref()).then_some(", pinned"),
        ];
        format!(
            "{} {} {count} rule{} by {} of uid {} ({login}){}",
            kept.digest,
            utc(kept.installed),
            if count == 1 { "" } else { "s" },
            kept.by,
            kept.uid,
            marks.into_iter().flatten().collect::<String>()
        )
    };
    let all = all(tree)?;
    if all.is_empty() {
        return Ok("no policy is kept; each `policy install` keeps one".to_owned());
    }
    Ok(all.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// Puts a kept policy in force again and pins it.
fn back(tree: &Tree, digest: &str, leave: Leave) -> Result<Installed, Failure> {
    let kept = find(all(tree)?, digest)?;
    same_accounts(&kept.accounts, &|account| Accounts::Machine.number(account))?;
    let sources = kept.sources();
    let policy = policy::compiled(&sources, &Accounts::Recorded(kept.accounts.clone()))?;
    let counted = policy::counted(&policy, &sources);
    let new = New { policy, sources, accounts: kept.accounts, by: "rollback" };
    let Put { digest, change, after } = new.put(tree, leave)?;
    let pinned = kept::pin(tree, &digest).map_err(|why| in_force_but(&format!("it is not pinned: {why}")));
    let said = format!(
        "rolled back: {counted}, digest {digest}; pinned until a person runs `netbrokerctl policy install`\n\
         The files in /etc/netbroker/policy.d are as they were"
    );
    Ok(Installed { said, warnings: Vec::new(), change, after: after.and(pinned) })
}

fn find(all: Vec<Kept>, digest: &str) -> Result<Kept, Failure> {
    if digest.len() < DIGITS || !digest.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()) {
        let shown = digest.escape_debug();
        return Err(wrong(format!("`{shown}` is not a digest: write at least {DIGITS} of its digits, in lower case")));
    }
    let mut found = all.into_iter().filter(|kept| kept.digest.starts_with(digest));
    match (found.next(), found.next()) {
        (Some(kept), None) => Ok(kept),
        (Some(_), Some(_)) => Err(wrong(format!("several kept policies have a digest that begins with `{digest}`"))),
        (None, _) => {
            Err(wrong(format!("no policy with digest `{digest}` is kept; `netbrokerctl policy history` lists them")))
        }
    }
}

/// Refuses where an account is gone or has another number: the rules would speak of somebody else.
fn same_accounts(
    accounts: &BTreeMap<String, u32>,
    number: &dyn Fn(Account<'_>) -> Result<Option<u32>, String>,
) -> Result<(), Failure> {
    let mut changed = Vec::new();
    for (entry, before) in accounts {
        let (what, account) = match entry.split_once(':') {
            Some(("user", name)) => ("user", Account::User(name)),
            Some((_, name)) => ("group", Account::Group(name)),
            None => return Err(wrong(format!("`{}` is not an account", entry.escape_debug()))),
        };
        let name = entry.split_once(':').map_or("", |(_, name)| name).escape_debug();
        match number(account) {
            Ok(Some(now)) if now == *before => {}
            Ok(Some(now)) => changed.push(format!("the {what} `{name}` had number {before} and has {now} now")),
            Ok(None) => changed.push(format!("the {what} `{name}`, number {before}, does not exist any more")),
            Err(why) => changed.push(format!("the {what} `{name}` cannot be looked up: {why}")),
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    changed.push("netbrokerctl: the policy in force is as it was".to_owned());
    Err(Failure::Policy(changed))
}

#[cfg(test)]
mod tests;
