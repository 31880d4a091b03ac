// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Capabilities. One capset(2) gives up the capabilities of all sets; one capget(2) reads the sets back, and they are
//! compared. The crate `caps` supplies the names.
#![forbid(unsafe_code)]

use caps::Capability;
use nix::errno::Errno;

use crate::refusal::{Refusal, unconfined};
use crate::sys::{self, Capabilities};

/// The capabilities that the process must be started with, whichever way it is started.
pub const NEEDED: [Capability; 4] =
    [Capability::CAP_NET_ADMIN, Capability::CAP_SYS_ADMIN, Capability::CAP_SETUID, Capability::CAP_SETGID];

/// The capabilities that stay permitted across the change of ids for every caller. Entering a namespace needs
/// `CAP_SYS_ADMIN`. Profiles add to these.
pub const KEPT: [Capability; 2] = [Capability::CAP_NET_ADMIN, Capability::CAP_SYS_ADMIN];

/// The capabilities that can be made effective.
#[derive(Debug, Clone, Copy)]
pub struct Permitted(Capabilities);

/// Reads the permitted capabilities of this process.
///
/// # Errors
/// [`Refusal::NotConfined`]
pub fn permitted() -> Result<Permitted, Refusal> {
    sys::capabilities().map(Permitted).map_err(unconfined("capget"))
}

impl Permitted {
    /// Whether this capability can be made effective.
    #[must_use]
    pub fn has(self, capability: Capability) -> bool {
        self.0.permitted & capability.bitmask() != 0
    }

    /// Makes exactly these capabilities effective.
    ///
    /// # Errors
    /// [`Refusal::NotConfined`]
    pub fn make_effective(self, effective: &[Capability]) -> Result<(), Refusal> {
        sys::set_capabilities(Capabilities { effective: bits(effective), ..self.0 }).map_err(unconfined("capset"))
    }
}

/// Keeps exactly these capabilities, reads them back and compares. The inheritable set becomes empty. So does the
/// ambient set, which is never larger than the inheritable set (capabilities(7)).
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
