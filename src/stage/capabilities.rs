// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Capabilities: all sets are given up in one capset(2), read back in one capget(2) and compared. `caps` names them.
#![forbid(unsafe_code)]

use caps::Capability;
use nix::errno::Errno;

use crate::refusal::{Refusal, unconfined};
use crate::sys::{self, Capabilities};

/// What every way in must have been given.
pub const NEEDED: [Capability; 4] =
    [Capability::CAP_NET_ADMIN, Capability::CAP_SYS_ADMIN, Capability::CAP_SETUID, Capability::CAP_SETGID];

/// What is kept across the change of ids for every caller: `CAP_SYS_ADMIN` enters a namespace. Profiles add to it.
pub const KEPT: [Capability; 2] = [Capability::CAP_NET_ADMIN, Capability::CAP_SYS_ADMIN];

/// The capabilities that can be made effective.
#[derive(Debug, Clone, Copy)]
pub struct Permitted(Capabilities);

/// Reads them.
///
/// # Errors
/// [`Refusal::NotConfined`]
pub fn permitted() -> Result<Permitted, Refusal> {
    sys::capabilities().map(Permitted).map_err(unconfined("capget"))
}

impl Permitted {
    /// Whether this one can be made effective.
    #[must_use]
    pub fn has(self, capability: Capability) -> bool {
        self.0.permitted & capability.bitmask() != 0
    }

    /// Makes exactly these effective.
    ///
    /// # Errors
    /// [`Refusal::NotConfined`]
    pub fn make_effective(self, effective: &[Capability]) -> Result<(), Refusal> {
        sys::set_capabilities(Capabilities { effective: bits(effective), ..self.0 }).map_err(unconfined("capset"))
    }
}

/// Keeps exactly these; the inheritable set is empty, and with it the ambient set, which is never larger
/// (capabilities(7)). Reads back and compares.
///
/// # Errors
/// [`Refusal::NotConfined`]; the process must then end.
pub fn keep_only(effective: &[Capability], permitted: &[Capability]) -> Result<(), Refusal> {
    let kept = Capabilities { effective: bits(effective), permitted: bits(permitted), inheritable: 0 };
    sys::set_capabilities(kept).map_err(unconfined("capset"))?;
    match sys::capabilities() {
        Ok(held) if held == kept => Ok(()),
        Ok(_) => Err(unconfined("read back the capabilities")(Errno::EPERM)),
        Err(errno) => Err(unconfined("capget")(errno)),
    }
}

fn bits(of: &[Capability]) -> u64 {
    of.iter().fold(0, |bits, capability| bits | capability.bitmask())
}
