// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `who`: names of users and groups become numbers when a policy is compiled, never when a request is judged.
#![forbid(unsafe_code)]

use super::diagnostics::{Problem, did_you_mean};
use super::rule::{Principal, Ruling};
use super::source::At;

/// The overflow id, and the one that system calls take for none: both are nobody.
const NOBODY: [u32; 2] = [65534, u32::MAX];

/// A user or a group, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account<'a> {
    /// A user.
    User(&'a str),
    /// A group.
    Group(&'a str),
}

/// Finds the number of an account: none where there is no such account, or why it could not be looked up.
pub type Resolve<'r> = &'r dyn Fn(Account<'_>) -> Result<Option<u32>, String>;

/// Whom a rule speaks of, and whom of those it spares.
#[derive(Debug, Default)]
pub(super) struct Who {
    pub(super) principals: Vec<Principal>,
    pub(super) except: Vec<Principal>,
    /// Entries of optional accounts that do not exist. They add nobody to either list: a rule that names nobody else
    /// applies to nobody.
    pub(super) absent: Vec<String>,
}

/// Reads `who`; what is wrong goes to `problems`.
pub(super) fn read(who: &[At<'_, String>], ruling: Ruling, resolve: Resolve<'_>, problems: &mut Vec<Problem>) -> Who {
    let mut read = Who::default();
    for entry in who {
        let (spared, raw) = match entry.it.strip_prefix('!') {
            Some(raw) => (true, raw),
            None => (false, entry.it.as_str()),
        };
        // One that does not exist must also be of a class that may be here: it may exist tomorrow.
        let may_stand = |found: Option<Principal>| {
            let of_its_class = if raw.starts_with('g') { Principal::Gid(0) } else { Principal::Uid(0) };
            stands(found.unwrap_or(of_its_class), spared, ruling).map(|()| found)
        };
        match principal(raw, resolve).and_then(may_stand) {
            Ok(Some(principal)) if spared => read.except.push(principal),
            Ok(Some(principal)) => read.principals.push(principal),
            Ok(None) => read.absent.push(entry.it.clone()),
            Err(why) => problems.push(entry.place.problem(why)),
        }
    }
    if let (Some(first), true) = (who.first(), who.iter().all(|entry| entry.it.starts_with('!'))) {
        problems.push(first.place.problem("`who` only takes away: name somebody, or `\"*\"`"));
    }
    for list in [&mut read.principals, &mut read.except] {
        list.sort_unstable();
        list.dedup();
    }
    read
}

/// Groups only give, since a process can leave its groups.
fn stands(principal: Principal, spared: bool, ruling: Ruling) -> Result<(), String> {
    let wrong = match (principal, spared, ruling) {
        (Principal::Everyone, true, _) => "`!*` spares everybody",
        (Principal::Gid(_), true, Ruling::Allow) => {
            "a group behind `!` stands in a deny only: a process can leave its groups"
        }
        (Principal::Gid(_), false, Ruling::Deny) => {
            "a group stands in a deny behind `!` only: a process can leave its groups"
        }
        _ => return Ok(()),
    };
    Err(wrong.to_owned())
}

/// Whether this names an account that must exist and does not, or that cannot be looked up.
pub(super) fn is_missing(entry: &str, resolve: Resolve<'_>) -> bool {
    let account = match entry.strip_prefix('!').unwrap_or(entry).split_once(':') {
        Some(("user", name)) => Account::User(name),
        Some(("group", name)) => Account::Group(name),
        _ => return false,
    };
    !matches!(resolve(account), Ok(Some(_)))
}

/// Whom an entry names; none where it names an optional account that does not exist.
fn principal(raw: &str, resolve: Resolve<'_>) -> Result<Option<Principal>, String> {
    if raw == "*" {
        return Ok(Some(Principal::Everyone));
    }
    let expected = "expected `user:NAME`, `group:NAME`, `uid:N`, `gid:N` or `*`";
    let Some((class, name)) = raw.split_once(':') else {
        let classes = [("user", Account::User(raw)), ("group", Account::Group(raw))];
        let is = classes.into_iter().find(|(_, account)| matches!(resolve(*account), Ok(Some(_))));
        let hint = is.map_or_else(String::new, |(class, _)| format!("; did you mean `{class}:{raw}`?"));
        return Err(format!("`{raw}`: {expected}{hint}"));
    };
    let found =
        |account, what| resolve(account).map_err(|why| format!("the {what} `{name}` cannot be looked up: {why}"));
    let id = match class {
        "user" | "user?" => found(Account::User(name), "user")?,
        "group" | "group?" => found(Account::Group(name), "group")?,
        "uid" | "gid" => Some(number(name).ok_or_else(|| format!("`{name}` is no number of an account"))?),
        _ => {
            let hint = did_you_mean(class, ["user", "group", "uid", "gid"]);
            return Err(format!("`{raw}`: {expected}{hint}"));
        }
    };
    let Some(id) = id else {
        return if class.ends_with('?') { Ok(None) } else { Err(format!("there is no {class} `{name}`")) };
    };
    if NOBODY.contains(&id) {
        return Err(format!("`{raw}` is {id}, which is nobody: no request comes from it"));
    }
    Ok(Some(if class.starts_with('u') { Principal::Uid(id) } else { Principal::Gid(id) }))
}

fn number(raw: &str) -> Option<u32> {
    let plain = raw.bytes().all(|b| b.is_ascii_digit()) && (raw == "0" || !raw.starts_with('0'));
    raw.parse().ok().filter(|_| plain)
}
