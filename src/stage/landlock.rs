// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Landlock: no files, no TCP, no signals to and no abstract sockets of other processes. A domain handles every right
//! that the running kernel knows. Anything less than full enforcement is refused.
#![forbid(unsafe_code)]

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
};
use nix::errno::Errno;

use crate::refusal::Refusal;
use crate::sys;

/// What a domain forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Domain {
    /// Everything that Landlock knows.
    Everything,
    /// Everything but the file system. A domain that handles any right on files forbids mount(2) and umount2(2), which
    /// the namespace stage needs.
    AllButFiles,
}

/// Enters a domain. Where the kernel has no Landlock, `required` decides whether that is an error. Where it has
/// Landlock, the whole domain must be enforced.
///
/// # Errors
/// [`Refusal::NotConfined`]
pub(super) fn enter(domain: Domain, required: bool) -> Result<(), Refusal> {
    let abi = match sys::landlock_abi() {
        Ok(abi) => ABI::from(abi),
        Err(_) if !required => return Ok(()),
        Err(errno) => return Err(unenforced(Some(errno))),
    };
    match restrict(domain, abi) {
        Ok(true) => Ok(()),
        Ok(false) => Err(unenforced(None)),
        Err(_) => Err(unenforced(Some(Errno::last()))),
    }
}

fn unenforced(errno: Option<Errno>) -> Refusal {
    Refusal::NotConfined { step: "landlock", errno }
}

/// Restricts the process, and returns whether everything requested is enforced. Rights that an older kernel does not
/// know are not requested.
fn restrict(domain: Domain, abi: ABI) -> Result<bool, RulesetError> {
    let mut rules = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    if domain == Domain::Everything {
        rules = rules.handle_access(AccessFs::from_all(abi))?;
    }
    if !AccessNet::from_all(abi).is_empty() {
        rules = rules.handle_access(AccessNet::from_all(abi))?;
    }
    if !Scope::from_all(abi).is_empty() {
        rules = rules.scope(Scope::from_all(abi))?;
    }
    if domain == Domain::AllButFiles && AccessNet::from_all(abi).is_empty() {
        return Ok(true); // before ABI 4, Landlock restricts files only
    }
    // The first filter has set no_new_privs; without it the kernel would refuse the domain.
    let status = rules.create()?.no_new_privs(false).restrict_self()?;
    Ok(status.ruleset == RulesetStatus::FullyEnforced)
}
