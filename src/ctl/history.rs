// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl policy history` and `rollback`: lists the last policies that were in force, and puts one of them in
//! force again.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::process::ExitCode;

use super::accounts::Accounts;
use super::files::Tree;
use super::in_force::InForce;
use super::kept::{self, History, Kept, is_hex};
use super::put::{By, Installed, Leave, New, UNPIN};
use super::time::utc;
use super::{Failure, policy, print, require_root, tell_line};
use crate::policy::compile::Account;
use crate::refusal::Exit;

/// The smallest number of digits of a digest that must be given.
const DIGITS: usize = 8;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The digest of a policy in `policy history`, or at least its first 8 digits
    #[arg(value_name = "DIGEST")]
    digest: String,
    /// Allow a policy without rules, which refuses every call, to replace one with rules
    #[arg(long)]
    allow_empty: bool,
}

pub(super) fn list() -> Result<ExitCode, Failure> {
    require_root("list the kept policies")?;
    let (listed, warnings) = listed(&Tree::system())?;
    warnings.iter().for_each(tell_line);
    print(listed)?;
    Ok(Exit::Done.into())
}

pub(super) fn rollback(arguments: &Arguments) -> Result<ExitCode, Failure> {
    require_root("put a policy in force")?;
    let tree = Tree::system();
    let leave = Leave { empty: arguments.allow_empty, unpin: true };
    back(&tree, &arguments.digest, leave)?.finish(&tree)
}

fn wrong(why: String) -> Failure {
    Failure::Message(Exit::Policy, why)
}

/// The kept policy that is in force; `None` if the version that installed it kept none.
pub(super) fn in_force(tree: &Tree, in_force: &InForce) -> Result<Option<Kept>, Failure> {
    let history = History::open(tree).map_err(wrong)?;
    history.map_or_else(|| Ok(None), |history| history.of(in_force.digest()).map_err(wrong))
}

/// All kept policies, the latest first, and warnings about files that are not kept policies.
fn all(tree: &Tree) -> Result<(Vec<Kept>, Vec<String>), Failure> {
    let history = History::open(tree).map_err(wrong)?;
    history.map_or_else(|| Ok((Vec::new(), Vec::new())), |history| history.all().map_err(wrong))
}

fn listed(tree: &Tree) -> Result<(String, Vec<String>), Failure> {
    let (all, warnings) = all(tree)?;
    let in_force = InForce::read(tree).ok();
    let pinned = kept::pinned(tree).map_err(wrong)?;
    let line = |kept: &Kept| {
        let count = kept.rules.len();
        let login = kept.loginuid.map_or_else(|| "no login".to_owned(), |uid| format!("login {uid}"));
        let marks = [
            in_force.as_ref().is_some_and(|policy| policy.digest() == kept.digest).then_some(", in force"),
            pinned.as_ref().is_some_and(|digest| *digest == kept.digest).then_some(", pinned"),
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
    let lines: Vec<String> = all.iter().map(line).collect();
    let none = "no policy is kept; each `policy install` keeps one".to_owned();
    Ok((if lines.is_empty() { none } else { lines.join("\n") }, warnings))
}

/// Puts a kept policy in force again and pins it.
fn back(tree: &Tree, digest: &str, leave: Leave) -> Result<Installed, Failure> {
    let (all, warnings) = all(tree)?;
    let kept = find(all, digest)?;
    let old = kept.digest.clone();
    let put = put_again(tree, kept, By::Rollback, leave, &|| Ok(true))?;
    let done = if put.replaced { "rolled back" } else { "already in force" };
    let compiled = if put.digest == old {
        String::new()
    } else {
        format!(" (this version of netbrokerctl compiles the files of {old} to another digest)")
    };
    let said = format!(
        "{done}: {}, digest {}{compiled}; pinned until {UNPIN}\n\
         The files in /etc/netbroker/policy.d are unchanged",
        put.counted, put.digest
    );
    Ok(put.installed(said, warnings))
}

/// Compiles the policy in force again, if only another version reads it: the pinned policy, or else the last that was
/// kept.
pub(super) fn recompile(tree: &Tree) -> Result<Installed, Failure> {
    let (all, warnings) = all(tree)?;
    let pinned = kept::pinned(tree).map_err(wrong)?;
    let of_pin = |digest: &String| all.iter().find(|kept| kept.digest == *digest);
    let kept = pinned.as_ref().map_or_else(|| all.first(), of_pin).cloned().ok_or_else(|| {
        let which = pinned.as_ref().map_or_else(String::new, |digest| format!(", which is pinned (digest {digest}),"));
        wrong(format!("the policy in force{which} has the format of another version, and its files are not kept"))
    })?;
    let old = kept.digest.clone();
    let is_current = || Ok(InForce::has_other_format(tree) && kept::pinned(tree).map_err(wrong)? == pinned);
    let put = put_again(tree, kept, By::Recompile, Leave { empty: true, unpin: true }, &is_current)?;
    let pin = pinned.as_ref().map_or_else(String::new, |_| format!("; pinned until {UNPIN}"));
    let said = format!(
        "compiled again: {}, digest {}{pin}\n\
         The policy in force, digest {old}, had the format of another version",
        put.counted, put.digest
    );
    Ok(put.installed(said, warnings))
}

/// A kept policy that is in force again.
struct PutAgain {
    digest: String,
    replaced: bool,
    /// The number of rules and files, for people.
    counted: String,
    installed: Installed,
}

impl PutAgain {
    fn installed(self, said: String, warnings: Vec<String>) -> Installed {
        let warnings = warnings.into_iter().chain(self.installed.warnings).collect();
        Installed { said, warnings, ..self.installed }
    }
}

/// Compiles a kept policy with its accounts, and puts it in force.
fn put_again(
    tree: &Tree,
    kept: Kept,
    by: By,
    leave: Leave,
    is_current: &dyn Fn() -> Result<bool, Failure>,
) -> Result<PutAgain, Failure> {
    let changed = changed_accounts(&kept.accounts, &|account| Accounts::Machine.number(account));
    if !changed.is_empty() {
        let end = "netbrokerctl: the policy in force is unchanged; restore these accounts, or install another policy"
            .to_owned();
        return Err(Failure::Policy(changed.into_iter().chain([end]).collect()));
    }
    let sources = kept.sources();
    let policy = policy::compiled(&sources, &Accounts::Recorded(kept.accounts.clone()))?;
    let grave = policy::grave(&policy);
    let counted = policy::counted(&policy, &sources);
    let put = New { policy, sources, accounts: kept.accounts, by }.put(tree, leave, is_current)?;
    let warnings = grave.into_iter().chain(put.warnings).collect();
    let installed = Installed { said: String::new(), warnings, change: put.change, after: put.after };
    Ok(PutAgain { digest: put.digest, replaced: put.replaced, counted, installed })
}

fn find(all: Vec<Kept>, digest: &str) -> Result<Kept, Failure> {
    if digest.len() < DIGITS || !is_hex(digest) {
        let shown = digest.escape_debug();
        return Err(wrong(format!("`{shown}` is not a digest: write at least {DIGITS} of its digits, in lower case")));
    }
    let mut found = all.into_iter().filter(|kept| kept.digest.starts_with(digest));
    match (found.next(), found.next()) {
        (Some(kept), None) => Ok(kept),
        (Some(_), Some(_)) => Err(wrong(format!(
            "several kept policies have a digest that begins with `{digest}`; write more of its digits"
        ))),
        (None, _) => {
            Err(wrong(format!("no policy with digest `{digest}` is kept; `netbrokerctl policy history` lists them")))
        }
    }
}

/// Reports each account that was deleted, has another number, or did not exist then: the rules would apply to other
/// callers.
pub(super) fn changed_accounts(
    accounts: &BTreeMap<String, Option<u32>>,
    number: &dyn Fn(Account<'_>) -> Result<Option<u32>, String>,
) -> Vec<String> {
    let mut changed = Vec::new();
    for (entry, before) in accounts {
        let (what, name) = entry.split_once(':').unwrap_or(("account", entry));
        let account = if what == "group" { Account::Group(name) } else { Account::User(name) };
        let name = name.escape_debug();
        match (before, number(account)) {
            (before, Ok(now)) if now == *before => {}
            (Some(before), Ok(Some(now))) => {
                changed.push(format!("the {what} `{name}` had the number {before} and now has {now}"));
            }
            (Some(before), Ok(None)) => changed.push(format!("the {what} `{name}`, number {before}, no longer exists")),
            (None, Ok(now)) => {
                let now = now.map_or_else(String::new, |now| format!(", number {now},"));
                changed.push(format!("the {what} `{name}`{now} did not exist then, and exists now"));
            }
            (_, Err(why)) => changed.push(format!("the {what} `{name}` cannot be looked up: {why}")),
        }
    }
    changed
}

#[cfg(test)]
mod tests;
