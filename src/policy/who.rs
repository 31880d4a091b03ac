// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `who`: names of users and groups are resolved to ids when a policy is compiled, never when a request is judged.
#![forbid(unsafe_code)]

use super::diagnostics::{Problem, foreign, nearest};
use super::rule::{Principal, Ruling};
use super::source::At;
use super::warnings::Warning;

/// The overflow id, and the id that system calls take for none. Both stand for nobody.
const NOBODY: [u32; 2] = [65534, u32::MAX];

/// The words before the colon.
const CLASSES: [&str; 6] = ["user", "group", "uid", "gid", "user?", "group?"];

/// A user or a group, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account<'a> {
    /// A user.
    User(&'a str),
    /// A group.
    Group(&'a str),
}

/// Looks up the id of an account: `None` if it does not exist, or the reason why the look-up failed.
pub type Resolve<'r> = &'r dyn Fn(Account<'_>) -> Result<Option<u32>, String>;

/// The callers that a rule applies to, and those that it excludes.
#[derive(Debug, Default)]
pub(super) struct Who {
    pub(super) principals: Vec<Principal>,
    pub(super) except: Vec<Principal>,
    /// Entries for optional accounts that do not exist. They add nobody to either list. A rule that names nobody else
    /// applies to nobody.
    pub(super) absent: Vec<String>,
}

/// Reads `who`. Errors are added to `problems`.
pub(super) fn read(
    who: &[At<'_, String>],
    ruling: Ruling,
    resolve: Resolve<'_>,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Warning>,
) -> Who {
    let mut read = Who::default();
    for entry in who {
        let (spared, raw) = match entry.it.strip_prefix('!') {
            Some(raw) => (true, raw),
            None => (false, entry.it.as_str()),
        };
        // An account that does not exist must also have an allowed class, because it may be created later.
        let may_stand = |found: Option<Principal>| {
            let of_its_class = if raw.starts_with('g') { Principal::Gid(0) } else { Principal::Uid(0) };
            stands(found.unwrap_or(of_its_class), spared, ruling).map(|()| found)
        };
        match principal(raw, resolve).and_then(may_stand) {
            Ok(Some(principal)) if spared => read.except.push(principal),
            Ok(Some(principal)) => read.principals.push(principal),
            Ok(None) => {
                if spared == (ruling == Ruling::Allow) {
                    warnings.push(unlimited(entry, ruling));
                }
                read.absent.push(entry.it.clone());
            }
            Err(why) => problems.push(entry.place.problem(why)),
        }
    }
    if let (Some(first), true) = (who.first(), who.iter().all(|entry| entry.it.starts_with('!'))) {
        problems.push(first.place.problem("`who` only excludes; also write whom it includes, such as `\"*\"`"));
    }
    for list in [&mut read.principals, &mut read.except] {
        list.sort_unstable();
        list.dedup();
    }
    read
}

/// An optional account that would limit the rule, but does not exist.
fn unlimited(entry: &At<'_, String>, ruling: Ruling) -> Warning {
    let account = entry.it.trim_start_matches('!');
    let effect = match ruling {
        Ruling::Allow => "this allow makes no exception for it",
        Ruling::Deny => "this deny does not apply to it",
    };
    let install = "if it is created later, run `netbrokerctl policy install` again before it is used";
    Warning::absent(entry.place, format!("the account `{account}` does not exist, so {effect}; {install}"))
}

/// Groups can only give permission, because a process can leave its groups.
fn stands(principal: Principal, spared: bool, ruling: Ruling) -> Result<(), String> {
    let wrong = match (principal, spared, ruling) {
        (Principal::Everyone, true, _) => "`!*` excludes everybody",
        (Principal::Gid(_), true, Ruling::Allow) => {
            "an allow cannot exclude a group, since a process can leave its groups; exclude users instead"
        }
        (Principal::Gid(_), false, Ruling::Deny) => {
            "a deny cannot name a group, since a process can leave its groups; name users, or write `[\"*\", \"!group:…\"]` to deny \
             everybody else"
        }
        _ => return Ok(()),
    };
    Err(wrong.to_owned())
}

/// Whether this names a required account that does not exist, or an account that cannot be looked up.
pub(super) fn is_missing(entry: &str, resolve: Resolve<'_>) -> bool {
    let account = match entry.strip_prefix('!').unwrap_or(entry).split_once(':') {
        Some(("user", name)) => Account::User(name),
        Some(("group", name)) => Account::Group(name),
        _ => return false,
    };
    !matches!(resolve(account), Ok(Some(_)))
}

/// The principal that an entry names; `None` if it is an optional account that does not exist.
fn principal(raw: &str, resolve: Resolve<'_>) -> Result<Option<Principal>, String> {
    if raw == "*" {
        return Ok(Some(Principal::Everyone));
    }
    let Some((class, name)) = raw.split_once(':').filter(|(class, name)| CLASSES.contains(class) && !name.is_empty())
    else {
        let hint = hint(raw, resolve);
        return Err(format!(
            "`{raw}`: expected `user:NAME`, `group:NAME`, `uid:N`, `gid:N` or `*` (`user?:NAME` or `group?:NAME` where \
             the account may not exist){hint}"
        ));
    };
    let found =
        |account, what| resolve(account).map_err(|why| format!("the {what} `{name}` cannot be looked up: {why}"));
    let id = match class {
        "user" | "user?" => found(Account::User(name), "user")?,
        "group" | "group?" => found(Account::Group(name), "group")?,
        _ => Some(number(name).ok_or_else(|| format!("`{name}` is not the number of an account"))?),
    };
    let Some(id) = id else {
        let uid = number(name).map(|_| format!("; did you mean `{}id:{name}`?", first(class)));
        let foreign = foreign(name).map(|foreign| format!("; it contains {foreign}"));
        let several = name.contains([',', ' ']).then(|| "; write several accounts as a list, and no spaces".to_owned());
        let hint = several.or(uid).or(foreign).unwrap_or_default();
        let create = format!("; create it, or write `{class}?:{name}` if it may not exist");
        let hint = if hint.is_empty() { create } else { hint };
        return if class.ends_with('?') { Ok(None) } else { Err(format!("no {class} named `{name}`{hint}")) };
    };
    if NOBODY.contains(&id) {
        return Err(format!("`{raw}` is {id}, which is nobody: no request comes from it"));
    }
    Ok(Some(if class.starts_with('u') { Principal::Uid(id) } else { Principal::Gid(id) }))
}

/// What is probably wrong with an entry of an unknown class, and what it should be, as further clauses of an error.
pub(crate) fn hint(raw: &str, resolve: Resolve<'_>) -> String {
    let foreign = foreign(raw).map_or_else(String::new, |foreign| format!("; it contains {foreign}"));
    let meant = meant(raw, resolve).map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
    foreign + &meant
}

fn first(class: &str) -> &str {
    class.get(..1).unwrap_or_default()
}

/// The probable meaning of an entry with an unknown class.
fn meant(raw: &str, resolve: Resolve<'_>) -> Option<String> {
    if let Some((class, name)) = raw.split_once(':') {
        let near = nearest(class, CLASSES.iter().copied().filter(|class| !class.ends_with('?')))?;
        let near = if number(name).is_some() && near.ends_with('r') { "uid" } else { near };
        return (!name.is_empty()).then(|| format!("{near}:{name}"));
    }
    if number(raw).is_some() {
        return Some(format!("uid:{raw}"));
    }
    // sudoers and other programs write groups like this.
    if let Some(group) = raw.strip_prefix(['%', '@', '+']).filter(|group| !group.is_empty()) {
        return Some(format!("group:{group}"));
    }
    let classes = [("user", Account::User(raw)), ("group", Account::Group(raw))];
    let is = classes.into_iter().find(|(_, account)| matches!(resolve(*account), Ok(Some(_))));
    is.map(|(class, _)| format!("{class}:{raw}"))
}

fn number(raw: &str) -> Option<u32> {
    let plain = raw.bytes().all(|b| b.is_ascii_digit()) && (raw == "0" || !raw.starts_with('0'));
    raw.parse().ok().filter(|_| plain)
}
