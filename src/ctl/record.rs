// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The record of an installation: who put which policy in force, and which policy it replaced. It is sent as the user
//! netbroker, because readers of the trail accept only what this user sent, according to journald.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fs;

use nix::unistd::getuid;

use super::files::Tree;
use super::state::system_user;
use crate::audit::{NotTaken, Record, Trail};
use crate::refusal::describe;
use crate::stage::become_user;

/// The login uid of a process without a login.
const NO_LOGIN: u32 = u32::MAX;

/// What an installation changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// `install` or `rollback`.
    pub(super) by: &'static str,
    /// Digest of the previous policy; `None` if there was none that the broker would read.
    pub(super) before: Option<String>,
    /// Digest of the new policy.
    pub(super) after: String,
    /// The digest of each previous rule, by id; `None` if they are unknown.
    pub(super) rules_before: Option<BTreeMap<String, String>>,
    pub(super) rules_after: BTreeMap<String, String>,
    /// Whether the policy is pinned now.
    pub(super) pinned: bool,
}

/// The login uid of this process, according to the kernel.
pub(super) fn loginuid() -> Option<u32> {
    let text = fs::read_to_string("/proc/self/loginuid").ok()?;
    text.trim().parse().ok().filter(|uid| *uid != NO_LOGIN)
}

impl Change {
    /// Adds the ids of the rules that were added, removed or changed.
    fn with_rules(&self, record: Record) -> Record {
        let Some(before) = &self.rules_before else { return record.with("RULES_BEFORE", "unknown") };
        let after = &self.rules_after;
        let only_in = |of: &'_ BTreeMap<String, String>, other: &BTreeMap<String, String>| {
            of.keys().filter(|id| !other.contains_key(*id)).cloned().collect::<Vec<_>>()
        };
        let is_changed = |(id, digest): &(&String, &String)| before.get(*id).is_some_and(|before| before != *digest);
        let changed: Vec<String> = after.iter().filter(is_changed).map(|(id, _)| id.clone()).collect();
        record
            .with_ids(["RULES_ADDED", "RULES_ADDED_COUNT", "RULES_ADDED_SHA256"], &only_in(after, before))
            .with_ids(["RULES_REMOVED", "RULES_REMOVED_COUNT", "RULES_REMOVED_SHA256"], &only_in(before, after))
            .with_ids(["RULES_CHANGED", "RULES_CHANGED_COUNT", "RULES_CHANGED_SHA256"], &changed)
    }

    fn record(&self) -> Record {
        let loginuid = loginuid().map_or_else(|| "unset".to_owned(), |uid| uid.to_string());
        let record = Record::of_policy(self.by)
            .with("UID", getuid().to_string())
            .with("LOGINUID", loginuid)
            .with("POLICY", self.after.as_str())
            .with("POLICY_BEFORE", self.before.as_deref().unwrap_or("none"))
            .with("PINNED", self.pinned.to_string())
            .with("RULES", self.rules_after.len().to_string());
        self.with_rules(record)
    }

    /// Becomes the system user permanently, and sends the record. Everything that needs root must be done before.
    pub(super) fn send(&self, tree: &Tree) -> Result<(), String> {
        let record = self.record(); // the uid is still that of the user who installs
        let (uid, gid) = system_user(tree)?;
        become_user(uid, gid).map_err(|refusal| format!("cannot become the user netbroker: {refusal}"))?;
        Trail::connect().write(&record).map_err(|why| match why {
            NotTaken::Absent => "neither journald nor syslog is running".to_owned(),
            NotTaken::Refused(errno) => format!("the trail did not take the record: {}", describe(errno)),
        })
    }
}
