// SPDX-License-Identifier: Apache-2.0 OR MIT
//! /run/netns as a shared mount, made when a policy is installed. The first `Netns.Add` would make it under a lock on the
//! directory, which any local user can take and keep; once it is a shared mount nobody needs the lock any more.
#![forbid(unsafe_code)]

use std::path::Path;

use super::files::Tree;
use crate::refusal::Refusal;
use crate::stage::mounts::{Mounts, Sharing, share, share_under_lock};
use crate::stage::netns::DIRECTORY;

/// Makes /run/netns a shared mount unless it is one. The error says why it is none.
pub(super) fn share_directory() -> Result<(), String> {
    Tree::system().directory(Path::new(DIRECTORY))?;
    let first = Mounts::of_first_process().map_err(|refusal| said(&refusal))?;
    // What is mounted in another mount namespace, or in a chroot, does not help the others.
    match first.sharing().map_err(|refusal| said(&refusal))? {
        Sharing::Shared => return Ok(()),
        Sharing::Slave => return Err("the mount that holds it is a slave of another mount namespace".to_owned()),
        Sharing::Unshared => {}
    }
    if !Mounts::read().map_err(|refusal| said(&refusal))?.has_same_holder(&first) {
        return Err("this process is not in the mount namespace of process 1, or is in a chroot".to_owned());
    }
    match share_under_lock() {
        // Whoever keeps the lock for this long does not use it. `ip netns add` in the very same moment could put a second
        // mount over this one; both would show the same names.
        Err(Refusal::Busy { .. }) => share(),
        other => other,
    }
    .map_err(|refusal| said(&refusal))
}

/// A failure of the system's in words.
fn said(refusal: &Refusal) -> String {
    let why = refusal.errno().map_or_else(String::new, |errno| format!(": {}", errno.desc()));
    match refusal {
        Refusal::SystemError { step, .. } => format!("cannot {step}{why}"),
        Refusal::Kernel(refusal) => format!("{}{why}", refusal.message),
        other => other.to_string(),
    }
}
