// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The second stage: the system user, what this caller's rules can need, the first filter. Here the request is read and
//! judged. Whoever takes over the parser gets no more than these capabilities behind that filter.
#![forbid(unsafe_code)]

use std::fs::File;
use std::time::Instant;

use caps::Capability;

use super::confined::{self, Confined};
use super::netns::Identity;
use super::{capabilities, filter, trusted};
use crate::audit::Trail;
use crate::call::request::Request;
use crate::caller::{Caller, Way};
use crate::policy::compiled::{Compiled, Settings};
use crate::policy::{Permit, Verdict};
use crate::refusal::{Refusal, system};
use crate::sys;

/// The second stage.
#[derive(Debug)]
pub struct Guarded {
    caller: Caller,
    way: Way,
    identity: Identity,
    policy: Compiled<File>,
    trail: Trail,
    started: Instant,
    id: Id,
}

/// The id that ties a reply to its records: 128 random bits.
#[derive(Debug, Clone)]
pub struct Id(String);

impl Id {
    /// Draws one; not possible behind a filter.
    ///
    /// # Errors
    /// [`Refusal::SystemError`]
    pub fn draw() -> Result<Self, Refusal> {
        let bytes = sys::random_id().map_err(system("getrandom"))?;
        Ok(Self(bytes.iter().map(|b| format!("{b:02x}")).collect()))
    }

    /// In hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Guarded {
    /// Reads what the policy grants this caller at most, keeps the capabilities for that, and goes behind the filter.
    pub(super) fn new(
        caller: Caller,
        way: Way,
        identity: Identity,
        trail: Trail,
        started: Instant,
    ) -> Result<Self, Refusal> {
        let policy = trusted::policy()?;
        let profile = policy.profile(&caller).map_err(|damage| trusted::damaged(damage.0))?;
        let held = capabilities::permitted()?;
        let wanted = capabilities::KEPT
            .into_iter()
            .filter(|cap| held.contains(cap) && (profile.namespaces || *cap != Capability::CAP_DAC_OVERRIDE));
        capabilities::keep_only(&[], &wanted.collect::<Vec<_>>())?;
        let id = Id::draw()?;
        filter::guard(profile.namespaces)?;
        Ok(Self { caller, way, identity, policy, trail, started, id })
    }

    /// The id of the one request that this process serves.
    #[must_use]
    pub fn id(&self) -> &Id {
        &self.id
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

    /// The policy's settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.policy.settings()
    }

    /// The policy's digest, for the trail.
    #[must_use]
    pub fn digest(&self) -> &str {
        self.policy.digest()
    }

    /// The trail.
    #[must_use]
    pub fn trail(&self) -> &Trail {
        &self.trail
    }

    /// When the process began.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
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
    pub fn confine(self, permit: Permit, more: bool) -> Result<Confined, (Refusal, Trail)> {
        let Self { identity, policy, trail, .. } = self;
        let landlock = policy.settings().landlock_required;
        drop(policy); // its descriptor, while it can be closed
        match confined::prepare(&permit, identity, landlock, trail.descriptor(), more) {
            Ok(work) => Ok(Confined::new(permit, work, trail)),
            Err(refusal) => Err((refusal, trail)),
        }
    }
}
