// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The second stage: the system user, what this caller's rules can need, the first filter. Here the request is read and
//! judged. Whoever takes over the parser gets no more than these capabilities behind that filter.
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
    /// Its descriptor is closed by the end of the process: no other file may get its number, which the first filter lets be
    /// read. The last filter lets nothing be read.
    policy: ManuallyDrop<Compiled<PolicyFile>>,
    begun: Begun,
}

impl Guarded {
    /// Reads what the policy, a file of this group, grants this caller at most, keeps the capabilities for that, and goes
    /// behind the filter.
    pub(super) fn new(caller: Caller, way: Way, group: Gid, identity: Identity, begun: Begun) -> Result<Self, Refusal> {
        let policy = ManuallyDrop::new(Self::restrict(&caller, group)?);
        Ok(Self { caller, way, identity, policy, begun })
    }

    fn restrict(caller: &Caller, group: Gid) -> Result<Compiled<PolicyFile>, Refusal> {
        let policy = trusted::policy(group)?;
        let profile = policy.profile(caller).map_err(|damage| trusted::damaged(damage.0))?;
        let held = capabilities::permitted()?;
        // Without its capabilities the calls are refused all the same: no reason to let the parser near mount(2).
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

    /// Who asks.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// How.
    #[must_use]
    pub fn way(&self) -> Way {
        self.way
    }

    /// A record of what is asked of this process: by whom, how, where it stands, and by which policy.
    #[must_use]
    pub fn record(&self, event: &'static str) -> Record {
        let record = Record::new(event, &self.begun.id, &self.caller, self.way);
        let (_, inode) = self.identity.own;
        record.with("HOST_NETNS", format!("net:[{inode}]")).with("POLICY", self.policy.digest())
    }

    /// The policy's settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.policy.settings()
    }

    /// Judges a request, without a look at the system.
    ///
    /// # Errors
    /// [`Refusal::PolicyInvalid`] where the policy turns out to be damaged.
    pub fn judge(&self, request: Request) -> Result<Verdict, Refusal> {
        self.policy.judge(&self.caller, request).map_err(|damage| trusted::damaged(damage.0))
    }

    /// Enters the namespace that the permit names and gives up everything the call does not need. `trail` is the descriptor
    /// that the outcome is recorded on.
    ///
    /// # Errors
    /// [`Refusal::NoSuchNetns`], [`Refusal::NoSuchLink`], or [`Refusal::NotConfined`] naming the step.
    pub fn confine(self, permit: Permit, trail: Option<RawFd>) -> Result<Confined, Refusal> {
        let landlock = self.policy.settings().landlock_required;
        let work = confined::prepare(&permit, self.identity, landlock, trail)?;
        Ok(Confined::new(permit, work))
    }
}
