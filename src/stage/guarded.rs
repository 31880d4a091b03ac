// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The second stage: the system user, what this caller's rules can need, the first filter. Here the request is read and
//! judged. Whoever takes over the parser gets no more than these capabilities behind that filter.
#![forbid(unsafe_code)]

use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::fd::AsRawFd as _;

use caps::Capability;

use super::confined::{self, Confined};
use super::inherited::Begun;
use super::netns::Identity;
use super::{capabilities, filter, trusted};
use crate::audit::{Record, Trail};
use crate::call::request::Request;
use crate::caller::{Caller, Way};
use crate::policy::compiled::{Compiled, Profile, Settings};
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
    policy: ManuallyDrop<Compiled<File>>,
    trail: Trail,
    begun: Begun,
}

impl Guarded {
    /// Reads what the policy grants this caller at most, keeps the capabilities for that, and goes behind the filter.
    pub(super) fn new(
        caller: Caller,
        way: Way,
        identity: Identity,
        trail: Trail,
        begun: Begun,
    ) -> Result<Self, (Refusal, Trail)> {
        match Self::restrict(&caller) {
            Ok(policy) => Ok(Self { caller, way, identity, policy: ManuallyDrop::new(policy), trail, begun }),
            Err(refusal) => Err((refusal, trail)),
        }
    }

    fn restrict(caller: &Caller) -> Result<Compiled<File>, Refusal> {
        let policy = trusted::policy()?;
        let profile = policy.profile(caller).map_err(|damage| trusted::damaged(damage.0))?;
        let held = capabilities::permitted()?;
        let wanted = capabilities::KEPT
            .into_iter()
            .filter(|cap| held.contains(cap) && (profile.namespaces || *cap != Capability::CAP_DAC_OVERRIDE));
        capabilities::keep_only(&[], &wanted.collect::<Vec<_>>())?;
        // Without that capability the calls are refused all the same: no reason to let the parser near mount(2).
        let namespaces = profile.namespaces && held.contains(&Capability::CAP_DAC_OVERRIDE);
        filter::guard(Profile { namespaces, ..profile }, Some(policy.source().as_raw_fd()))?;
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

    /// The trail.
    #[must_use]
    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    /// Judges a request, without a look at the system.
    ///
    /// # Errors
    /// [`Refusal::PolicyInvalid`] where the policy turns out to be damaged.
    pub fn judge(&self, request: Request) -> Result<Verdict, Refusal> {
        self.policy.judge(&self.caller, request).map_err(|damage| trusted::damaged(damage.0))
    }

    /// Enters the namespace that the permit names and gives up everything the call does not need.
    ///
    /// # Errors
    /// [`Refusal::NoSuchNetns`], [`Refusal::NoSuchLink`], or [`Refusal::NotConfined`] naming the step.
    pub fn confine(self, permit: Permit) -> Result<Confined, (Refusal, Trail)> {
        let Self { identity, policy, trail, .. } = self;
        let landlock = policy.settings().landlock_required;
        match confined::prepare(&permit, identity, landlock, trail.descriptor()) {
            Ok(work) => Ok(Confined::new(permit, work, trail)),
            Err(refusal) => Err((refusal, trail)),
        }
    }
}
