// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The second stage: the process is the system user, has only the capabilities that this caller's rules can need, and
//! is under the first filter. Here the request is read and judged. An attacker who takes over the parser gets no more
//! than that.
#![forbid(unsafe_code)]

use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd as _, RawFd};

use nix::unistd::Gid;

use super::confined::{self, Confined};
use super::inherited::Begun;
use super::netns::Identity;
use super::trusted::{self, PolicyFile};
use super::{capabilities, filter};
use crate::audit::Record;
use crate::call::request::Request;
use crate::caller::{Caller, Way};
use crate::policy::compiled::{Compiled, Settings};
use crate::policy::{Permit, Verdict};
use crate::refusal::Refusal;

/// The second stage.
#[derive(Debug)]
pub struct Guarded {
    caller: Caller,
    way: Way,
    identity: Identity,
    /// Never dropped: the first filter allows reads from the number of its descriptor, so no other file may get that
    /// number. The last filter allows no reads from it. The end of the process closes it.
    policy: ManuallyDrop<Compiled<PolicyFile>>,
    begun: Begun,
}

impl Guarded {
    /// Reads from the policy, a file of this group, what its rules can grant this caller at most. Keeps the
    /// capabilities for that, and installs the first filter.
    pub(super) fn new(caller: Caller, way: Way, group: Gid, identity: Identity, begun: Begun) -> Result<Self, Refusal> {
        let policy = ManuallyDrop::new(Self::restrict(&caller, group)?);
        Ok(Self { caller, way, identity, policy, begun })
    }

    /// In a process that was forked before its caller was known, and has read this policy, keeps the capabilities of the
    /// link profile only, and is under its first filter.
    pub(super) fn ahead(
        caller: Caller,
        identity: Identity,
        policy: ManuallyDrop<Compiled<PolicyFile>>,
        begun: Begun,
    ) -> Self {
        Self { caller, way: Way::Socket, identity, policy, begun }
    }

    fn restrict(caller: &Caller, group: Gid) -> Result<Compiled<PolicyFile>, Refusal> {
        let policy = trusted::policy(group)?;
        let profile = policy.profile(caller).map_err(|damage| trusted::damaged(damage.0))?;
        let held = capabilities::permitted()?;
        // Without its capabilities the calls of an extra are refused in any case, so the filter need not allow
        // mount(2).
        let lacking = profile.extras().filter(|extra| !extra.capabilities.iter().all(|cap| held.has(*cap)));
        let profile = lacking.fold(profile, |profile, extra| profile.without(extra.profile));
        let extra = profile.extras().flat_map(|extra| extra.capabilities);
        let wanted = capabilities::KEPT.iter().chain(extra).copied().filter(|cap| held.has(*cap));
        capabilities::keep_only(&[], &wanted.collect::<Vec<_>>())?;
        filter::guard(profile, Some(policy.source().as_raw_fd()))?;
        Ok(policy)
    }

    /// When the process began, and the id of its request.
    #[must_use]
    pub fn begun(&self) -> &Begun {
        &self.begun
    }

    /// The user who makes the request.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// How the caller reaches the broker.
    #[must_use]
    pub fn way(&self) -> Way {
        self.way
    }

    /// Begins a record with the caller, the way, the network namespace that `@host` means, and the digest of the
    /// policy.
    #[must_use]
    pub fn record(&self, event: &'static str) -> Record {
        let record = Record::new(event, &self.begun.id, &self.caller, self.way);
        let (_, inode) = self.identity.own;
        record.with("HOST_NETNS", format!("net:[{inode}]")).with("POLICY", self.policy.digest())
    }

    /// Whether the policy that was read is still the one in force.
    #[must_use]
    pub fn has_policy_in_force(&self) -> bool {
        self.policy.source().is_in_force()
    }

    /// The policy's settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.policy.settings()
    }

    /// Judges a request by the policy alone, without looking anything up.
    ///
    /// # Errors
    /// [`Refusal::PolicyInvalid`] where the policy is found to be damaged.
    pub fn judge(&self, request: Request) -> Result<Verdict, Refusal> {
        self.policy.judge(&self.caller, request).map_err(|damage| trusted::damaged(damage.0))
    }

    /// Enters the namespace that the permit names and gives up everything the call does not need. `trail` is the
    /// descriptor that the outcome is recorded on.
    ///
    /// # Errors
    /// [`Refusal::NoSuchNetns`], [`Refusal::NoSuchLink`], or [`Refusal::NotConfined`] naming the step.
    pub fn confine(self, permit: Permit, trail: Option<RawFd>) -> Result<Confined, Refusal> {
        let landlock = self.policy.settings().landlock_required;
        let work = confined::prepare(&permit, self.identity, landlock, trail)?;
        Ok(Confined::new(permit, work))
    }
}
