// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Capabilities: set, then read back and compared.
#![forbid(unsafe_code)]

use caps::{CapSet, Capability, CapsHashSet};

use crate::refusal::Refusal;

/// What every way in must have been given.
pub const NEEDED: [Capability; 4] =
    [Capability::CAP_NET_ADMIN, Capability::CAP_SYS_ADMIN, Capability::CAP_SETUID, Capability::CAP_SETGID];

/// What is kept across the change of ids for every caller: `CAP_SYS_ADMIN` enters a namespace. Profiles add to it.
pub const KEPT: [Capability; 2] = [Capability::CAP_NET_ADMIN, Capability::CAP_SYS_ADMIN];

/// `caps` tells its errors as text only, without errno.
fn failed<E>(step: &'static str) -> impl Fn(E) -> Refusal {
    move |_| Refusal::NotConfined { step, errno: None }
}

/// The capabilities that can be made effective.
///
/// # Errors
/// [`Refusal::NotConfined`]
pub fn permitted() -> Result<CapsHashSet, Refusal> {
    caps::read(None, CapSet::Permitted).map_err(failed("capget"))
}

/// Makes one of the sets exactly this.
///
/// # Errors
/// [`Refusal::NotConfined`]
pub fn set(set: CapSet, to: &[Capability]) -> Result<(), Refusal> {
    caps::set(None, set, &to.iter().copied().collect()).map_err(failed("capset"))
}

/// Keeps exactly these; inheritable and ambient are empty. Reads back and compares.
///
/// # Errors
/// [`Refusal::NotConfined`]; the process must then end.
pub fn keep_only(effective: &[Capability], permitted: &[Capability]) -> Result<(), Refusal> {
    caps::clear(None, CapSet::Ambient).map_err(failed("clear ambient capabilities"))?;
    let wanted = [(CapSet::Effective, effective), (CapSet::Permitted, permitted), (CapSet::Inheritable, &[])];
    for (which, to) in wanted {
        set(which, to)?;
    }
    for (which, to) in wanted {
        let is = caps::read(None, which).map_err(failed("capget"))?;
        if is != to.iter().copied().collect() {
            return Err(failed("read back the capabilities")(()));
        }
    }
    Ok(())
}
