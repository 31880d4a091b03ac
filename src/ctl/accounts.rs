// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Resolves the names of users and groups in a policy to ids: from this machine, from a file (`--accounts`), or from
//! the record of an installed policy.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::CString;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

use super::Failure;
use super::files::given_file;
use crate::caller::Caller;
use crate::policy::compile::Account;
use crate::policy::rule::Principal;
use crate::policy::testing;
use crate::refusal::{Exit, describe};

/// A gid that no account has, and that no policy can name.
pub(super) const NO_GROUP: u32 = u32::MAX;
/// The group whose members may start the broker or connect to its socket.
const CALLERS: &str = "netbroker-callers";

/// The source of the ids.
#[derive(Debug)]
pub(super) enum Accounts {
    /// The name service of this machine.
    Machine,
    /// A file with accounts, for machines that do not have them.
    File(testing::Accounts),
    /// `user:NAME` and `group:NAME` with the ids that they had; `None` for those that did not exist.
    Recorded(BTreeMap<String, Option<u32>>),
}

impl Accounts {
    /// The accounts of a file, or of this machine if no file is given.
    pub(super) fn choose(file: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = file else { return Ok(Self::Machine) };
        let read = testing::Accounts::read(&given_file(path)?);
        read.map(Self::File).map_err(|problems| Failure::problems(&problems))
    }

    /// The id of an account; `None` if it does not exist.
    pub(super) fn number(&self, account: Account<'_>) -> Result<Option<u32>, String> {
        let found = match (self, account) {
            (Self::Machine, Account::User(name)) => {
                User::from_name(name).map(|user| user.map(|user| user.uid.as_raw()))
            }
            (Self::Machine, Account::Group(name)) => {
                Group::from_name(name).map(|group| group.map(|group| group.gid.as_raw()))
            }
            (Self::File(file), account) => return Ok(file.number(account)),
            (Self::Recorded(numbers), account) => return Ok(numbers.get(&entry(account)).copied().flatten()),
        };
        found.map_err(|errno| describe(errno).to_owned())
    }

    /// The name of an account.
    pub(super) fn name(&self, principal: Principal) -> Option<String> {
        match (self, principal) {
            (_, Principal::Everyone) => None,
            (Self::Machine, Principal::Uid(uid)) => User::from_uid(Uid::from_raw(uid)).ok()?.map(|user| user.name),
            (Self::Machine, Principal::Gid(gid)) => Group::from_gid(Gid::from_raw(gid)).ok()?.map(|group| group.name),
            (Self::File(file), Principal::Uid(uid)) => file.user_name(uid).map(str::to_owned),
            (Self::File(file), Principal::Gid(gid)) => file.group_name(gid).map(str::to_owned),
            (Self::Recorded(numbers), Principal::Uid(uid)) => recorded(numbers, "user:", uid),
            (Self::Recorded(numbers), Principal::Gid(gid)) => recorded(numbers, "group:", gid),
        }
    }

    /// A user with the groups of a login. For a recorded user, only the uid is known.
    pub(super) fn user(&self, name: &str) -> Result<Caller, Failure> {
        let found = match self {
            Self::Machine => of_machine(name)?,
            Self::File(file) => file.caller(name).cloned(),
            Self::Recorded(numbers) => {
                let uid = numbers.get(&entry(Account::User(name))).copied().flatten();
                uid.map(|uid| Caller { uid, gid: NO_GROUP, groups: Vec::new() })
            }
        };
        found.ok_or_else(|| unknown(format!("no user named `{}`", name.escape_debug())))
    }

    /// Whether a user is in the group whose members may call the broker; `None` if that cannot be determined.
    pub(super) fn may_call(&self, name: &str) -> Option<bool> {
        let gid = self.number(Account::Group(CALLERS)).ok()??;
        let caller = self.user(name).ok()?;
        Some(caller.uid == 0 || caller.all_gids().any(|of| of == gid))
    }
}

/// An account as a rule writes it.
pub(super) fn entry(account: Account<'_>) -> String {
    match account {
        Account::User(name) => format!("user:{name}"),
        Account::Group(name) => format!("group:{name}"),
    }
}

fn recorded(numbers: &BTreeMap<String, Option<u32>>, class: &str, number: u32) -> Option<String> {
    let mut names = numbers.iter().filter(|(_, of)| **of == Some(number));
    names.find_map(|(name, _)| name.strip_prefix(class)).map(str::to_owned)
}

fn of_machine(name: &str) -> Result<Option<Caller>, Failure> {
    let failed = |errno: Errno| unknown(format!("users cannot be looked up: {}", describe(errno)));
    let Some(user) = User::from_name(name).map_err(failed)? else { return Ok(None) };
    let name = CString::new(name).map_err(|_| unknown("a name must not contain NUL".to_owned()))?;
    let groups = getgrouplist(&name, user.gid).map_err(failed)?;
    let groups = groups.into_iter().map(Gid::as_raw).collect();
    Ok(Some(Caller { uid: user.uid.as_raw(), gid: user.gid.as_raw(), groups }))
}

pub(super) fn unknown(why: String) -> Failure {
    Failure::Message(Exit::Request, why)
}
