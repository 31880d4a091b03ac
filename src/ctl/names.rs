// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Makes /run/netns a shared mount when a policy is installed. Otherwise the first `Netns.Add` makes it under a lock on
//! the directory, which any local user can take and keep. After it is a shared mount, the lock is no longer needed.
#![forbid(unsafe_code)]

use std::path::Path;

use super::files::Tree;
use crate::refusal::{Refusal, describe};
use crate::stage::mounts::{Mounts, Sharing, share, share_under_lock};
use crate::stage::netns::DIRECTORY;

/// How process 1 sees the mount that holds /run/netns. The error gives the reason why that cannot be seen.
pub(super) fn sharing() -> Result<Sharing, String> {
    Mounts::of_first_process().and_then(|first| first.sharing()).map_err(|refusal| said(&refusal))
}

/// Makes /run/netns a shared mount, unless it already is one. The error gives the reason for a failure.
pub(super) fn share_directory() -> Result<(), String> {
    Tree::system().directory(Path::new(DIRECTORY))?;
    let first = Mounts::of_first_process().map_err(|refusal| said(&refusal))?;
    // A mount in another mount namespace, or in a chroot, has no effect for other processes.
    match first.sharing().map_err(|refusal| said(&refusal))? {
        Sharing::Shared => return Ok(()),
        Sharing::Slave => return Err("the mount that holds it is a slave of another mount namespace".to_owned()),
        Sharing::Unshared => {}
    }
    if !Mounts::read().map_err(|refusal| said(&refusal))?.has_same_holder(&first) {
        return Err("this process is not in the mount namespace of process 1, or is in a chroot".to_owned());
    }
    match share_under_lock() {
        // A process that holds the lock for this long does not use it. `ip netns add` at the same moment could put a
        // second mount over this one, and both would show the same names.
        Err(Refusal::Busy { .. }) => share(),
        other => other,
    }
    .map_err(|refusal| said(&refusal))
}

/// The message for a system error.
fn said(refusal: &Refusal) -> String {
    let why = refusal.errno().map_or_else(String::new, |errno| format!(": {}", describe(errno)));
    match refusal {
        Refusal::SystemError { step, .. } => format!("cannot {step}{why}"),
        Refusal::Kernel(refusal) => format!("{}{why}", refusal.message),
        other => other.to_string(),
    }
}
