// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Invented accounts in place of those of the machine: the table `[accounts]` of a test file, or of a file with nothing
//! else.
#![forbid(unsafe_code)]

use super::syntax::{self, Invented, agree};
use crate::caller::Caller;
use crate::policy::compile::Account;
use crate::policy::diagnostics::{Problem, Source};

/// Users and groups with their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    users: Vec<(String, Caller)>,
    groups: Vec<(String, u32)>,
}

impl Accounts {
    /// Reads a file. Tests in it are also read, but not used.
    ///
    /// # Errors
    /// All errors in it, sorted by file, line and column.
    pub fn read(source: &Source) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let document = syntax::read(source, &mut problems);
        agree(&document.accounts, &mut problems);
        if problems.is_empty() { Ok(Self::of(&document.accounts)) } else { Err(problems) }
    }

    pub(super) fn of(invented: &[Invented<'_>]) -> Self {
        let caller = |of: &Invented<'_>| {
            let groups = of.groups.iter().map(|(_, gid)| *gid).collect();
            (of.name.it.clone(), Caller { uid: of.uid, gid: of.gid, groups })
        };
        let groups = invented.iter().flat_map(|of| &of.groups).map(|(name, gid)| (name.it.clone(), *gid));
        Self { users: invented.iter().map(caller).collect(), groups: groups.collect() }
    }

    /// The id of an account; `None` if the file does not have it.
    #[must_use]
    pub fn number(&self, account: Account<'_>) -> Option<u32> {
        match account {
            Account::User(name) => self.caller(name).map(|caller| caller.uid),
            Account::Group(name) => self.groups.iter().find(|(of, _)| of == name).map(|(_, gid)| *gid),
        }
    }

    /// A user with the groups that it has in the file.
    #[must_use]
    pub fn caller(&self, name: &str) -> Option<&Caller> {
        self.users.iter().find(|(of, _)| of == name).map(|(_, caller)| caller)
    }

    /// The name of the user with this uid.
    #[must_use]
    pub fn user_name(&self, uid: u32) -> Option<&str> {
        self.users.iter().find(|(_, caller)| caller.uid == uid).map(|(name, _)| name.as_str())
    }

    /// The name of the group with this gid.
    #[must_use]
    pub fn group_name(&self, gid: u32) -> Option<&str> {
        self.groups.iter().find(|(_, of)| *of == gid).map(|(name, _)| name.as_str())
    }
}
