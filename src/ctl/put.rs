// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Puts a valid policy in force in one atomic step, keeps it, and sets or ends the pin. A failure before that step leaves
//! the policy in force unchanged.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::unistd::getuid;

use super::files::Tree;
use super::in_force::InForce;
use super::kept::{self, History, Kept};
use super::read::COMPILED;
use super::record::{self, Change};
use super::state::prepare;
use super::{Failure, in_force_but, print, tell_line, warn};
use crate::policy::compile::Policy;
use crate::policy::compiled::Compiled;
use crate::policy::diagnostics::Source;
use crate::refusal::Exit;

/// How a pin ends.
pub(super) const UNPIN: &str = "`netbrokerctl policy install --unpin`, or `netbrokerctl policy install` at a terminal";

/// What an installation does only if it is explicitly allowed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Leave {
    /// Replace a policy that has rules by one that has none.
    pub(super) empty: bool,
    /// Replace a policy that is pinned.
    pub(super) unpin: bool,
}

/// The outcome of an installation.
#[derive(Debug)]
pub(super) struct Installed {
    /// The message for the user.
    pub(super) said: String,
    pub(super) warnings: Vec<String>,
    /// The record for the trail; `None` if nothing has changed.
    pub(super) change: Option<Change>,
    /// The result of the steps after the policy was put in force. The record is sent even if they fail.
    pub(super) after: Result<(), Failure>,
}

impl Installed {
    /// The outcome where a pinned policy stays in force.
    pub(super) fn pinned(digest: &str) -> Self {
        let said = format!("unchanged: the policy in force is pinned until {UNPIN}, digest {digest}");
        Self { said, warnings: Vec::new(), change: None, after: Ok(()) }
    }

    /// Prints the outcome and sends the record. Sending gives up root, so it is the last action of the process.
    pub(super) fn finish(self, tree: &Tree) -> Result<ExitCode, Failure> {
        for warning in &self.warnings {
            tell_line(warning);
        }
        let printed = print(&self.said);
        if let Some(Err(why)) = self.change.map(|change| change.send(tree)) {
            warn(format!("the trail has no record of this installation: {why}"));
        }
        self.after.and(printed).map(|()| Exit::Done.into())
    }
}

/// The command that puts a policy in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// `policy install`, which ends a pin.
    Install,
    /// `policy rollback`, which pins.
    Rollback,
    /// `policy install --unless-pinned` after the version of netbroker has changed. The pin stays as it is.
    Recompile,
}

impl By {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Rollback => "rollback",
            Self::Recompile => "recompile",
        }
    }
}

/// A valid policy that is about to be put in force.
pub(super) struct New {
    pub(super) policy: Policy,
    pub(super) sources: Vec<Source>,
    pub(super) accounts: BTreeMap<String, Option<u32>>,
    pub(super) by: By,
}

/// The outcome of putting it in force.
pub(super) struct Put {
    pub(super) digest: String,
    /// Whether it replaced another policy.
    pub(super) replaced: bool,
    /// Whether this ended a pin.
    pub(super) unpinned: bool,
    /// `None` if neither the policy in force nor the pin has changed.
    pub(super) change: Option<Change>,
    /// Warnings about files among the kept policies.
    pub(super) warnings: Vec<String>,
    /// The result of the steps after the policy was put in force.
    pub(super) after: Result<(), Failure>,
}

impl New {
    /// Puts it in force, keeps it, and sets or ends the pin, under the lock against other installations. `is_current` says
    /// whether the files are still those that were checked.
    pub(super) fn put(
        &self,
        tree: &Tree,
        leave: Leave,
        is_current: &dyn Fn() -> Result<bool, Failure>,
    ) -> Result<Put, Failure> {
        let bytes = written(&self.policy)?;
        let digest = Compiled::open(bytes.clone()).map_err(|damage| refused(damage.0))?.digest().to_owned();
        let place = prepare(tree).map_err(refused)?;
        let history = History::change(tree).map_err(refused)?;
        if !is_current()? {
            return Err(refused("the files changed while they were checked; run `netbrokerctl policy install` again"));
        }
        let pinned = match kept::pinned(tree) {
            Err(_) if leave.unpin => Some("?".to_owned()), // whoever ends the pin need not know what it was
            other => other.map_err(refused)?,
        };
        let before = InForce::read(tree).ok();
        self.must_not_replace(before.as_ref(), pinned.as_deref(), leave)?;

        let (all, warnings) = history.all().map_err(refused)?;
        let rules = kept::digests(&self.policy);
        let replaced = before.as_ref().is_none_or(|before| before.bytes() != bytes);
        let kept_before = |digest: &str| all.iter().find(|kept| kept.digest == digest);
        let sequence = all.first().map_or(0, |latest| latest.sequence).saturating_add(1);
        let new = self.kept(&digest, sequence, &rules);
        // Files that compile to the same policy can still have other names, comments and descriptions.
        if replaced || all.first().is_none_or(|latest| latest.digest != digest || latest.files != new.files) {
            history.keep(&new).map_err(refused)?;
        }
        let put = if replaced { place.replace(&bytes) } else { Ok(()) };
        if let Err(why) = put {
            if kept_before(&digest).is_none() {
                let _ = history.forget(&digest); // it was never in force; the first failure is reported
            }
            return Err(refused(why));
        }
        let pin = match self.by {
            By::Install => kept::unpin(tree).map_err(|why| in_force_but(&format!("the pin cannot be removed: {why}"))),
            By::Recompile if pinned.is_none() => Ok(()),
            By::Rollback | By::Recompile => {
                kept::pin(tree, &digest).map_err(|why| in_force_but(&format!("it is not pinned: {why}")))
            }
        };
        let settled = place.settle().and_then(|()| history.prune(&all, &digest).map_err(|why| in_force_but(&why)));
        let is_pinned = match self.by {
            By::Install => None,
            By::Rollback => Some(digest.as_str()),
            By::Recompile => pinned.as_ref().map(|_| digest.as_str()),
        };
        let rules_before = before.as_ref().map_or_else(
            || Some(BTreeMap::new()),
            |before| kept_before(before.digest()).map(|kept| kept.rules.clone()),
        );
        let change = Change {
            by: self.by.name(),
            before: before.map(|before| before.digest().to_owned()),
            after: digest.clone(),
            rules_before: if replaced { rules_before } else { Some(rules.clone()) },
            rules_after: rules,
            pinned: is_pinned.is_some(),
        };
        let changed = replaced || is_pinned != pinned.as_deref();
        Ok(Put {
            replaced,
            unpinned: self.by == By::Install && pinned.is_some(),
            change: changed.then_some(change),
            warnings,
            after: pin.and(settled),
            digest,
        })
    }

    /// Refuses what must be explicitly allowed.
    fn must_not_replace(&self, before: Option<&InForce>, pinned: Option<&str>, leave: Leave) -> Result<(), Failure> {
        let refused = |why: String| Err(Failure::Message(Exit::Policy, why));
        if let (Some(digest), false) = (pinned, leave.unpin) {
            let is_in_force = before.is_some_and(|before| before.digest() == digest);
            let and = if is_in_force { "which is in force and stays so" } else { "which is not in force" };
            return refused(format!(
                "nothing is installed: `policy rollback` has pinned the policy with digest {digest}, {and}; it is pinned \
                 until {UNPIN}"
            ));
        }
        let has_rules = before.is_some_and(|before| before.policy.has_rules());
        if self.policy.origins().is_empty() && has_rules && !leave.empty {
            return refused(
                "the new policy has no rules, so the broker would refuse every call; give `--allow-empty` if this is \
                 intended; the policy in force is unchanged"
                    .to_owned(),
            );
        }
        Ok(())
    }

    fn kept(&self, digest: &str, sequence: u64, rules: &BTreeMap<String, String>) -> Kept {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Kept {
            digest: digest.to_owned(),
            sequence,
            installed: i64::try_from(now).unwrap_or(i64::MAX),
            uid: getuid().as_raw(),
            loginuid: record::loginuid(),
            by: self.by.name().to_owned(),
            files: Kept::files_of(&self.sources),
            accounts: self.accounts.clone(),
            rules: rules.clone(),
        }
    }
}

pub(super) fn written(policy: &Policy) -> Result<Vec<u8>, Failure> {
    let bytes = policy.write().map_err(|damage| refused(format!("the policy cannot be compiled: {}", damage.0)))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= COMPILED) {
        return Ok(bytes);
    }
    Err(refused(format!("the compiled policy would be longer than {} MiB", COMPILED >> 20)))
}

pub(super) fn refused(why: impl Into<String>) -> Failure {
    Failure::Message(Exit::System, why.into() + "; the policy in force is unchanged")
}
