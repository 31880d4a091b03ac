// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The directory of the compiled policy, and the ids of the system user who may read it.
#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::stat::{Mode, fchmod, mkdirat};
use nix::unistd::{Gid, Uid, fchown, fsync};

use super::files::Tree;
use super::read::{file_state, open_directory, unusable};
use super::replace::{Rights, replace};
use super::{Failure, in_force_but};
use crate::refusal::describe;

/// The name of the file that the broker reads.
pub(super) const FILE: &str = "policy";
/// The directory of the file.
pub(super) const STATE: &str = "/var/lib/netbroker";
/// The broker becomes the owner and group of this directory.
pub(super) const RUN: &str = "/run/netbroker";
/// The ids that stand for nobody: `overflowuid` and -1.
const NO_SYSTEM_USER: [u32; 3] = [0, 65534, u32::MAX];

/// The directory of the compiled policy.
#[derive(Debug)]
pub(super) struct StateDirectory {
    directory: OwnedFd,
    owner: Uid,
    group: Gid,
}

/// Creates missing directories and opens the directory of the policy.
pub(super) fn prepare(tree: &Tree) -> Result<StateDirectory, String> {
    let (owner, group) = (Uid::from_raw(tree.owner), system_group(tree)?);
    make(tree, "/run", "netns", 0o755)?;
    make(tree, "/var/lib", "netbroker", 0o750)?;
    let path = Path::new(STATE);
    let directory = tree.directory(path)?;
    let failed = |errno| unusable(path, errno);
    fchown(&directory, Some(owner), Some(group)).map_err(failed)?;
    fchmod(&directory, Mode::from_bits_truncate(0o750)).map_err(failed)?;
    Ok(StateDirectory { directory, owner, group })
}

/// The group that may read the policy: the group of the system user, whose ids are those of [`RUN`].
pub(super) fn system_group(tree: &Tree) -> Result<Gid, String> {
    system_user(tree).map(|(_, gid)| gid)
}

/// The ids of the system user.
pub(super) fn system_user(tree: &Tree) -> Result<(Uid, Gid), String> {
    const HINT: &str = "`systemd-tmpfiles --create` makes it, as does \
                        `install -d -m 0755 -o netbroker -g netbroker /run/netbroker`";
    let run = tree.directory(Path::new("/run"))?;
    let path = Path::new(RUN);
    let opened = open_directory(&run, "netbroker".as_ref());
    let what = file_state(opened.map_err(|errno| format!("{}: {HINT}", unusable(path, errno)))?, path)?;
    let wrong = NO_SYSTEM_USER.contains(&what.st_uid) || NO_SYSTEM_USER.contains(&what.st_gid);
    if wrong || what.st_mode & 0o7777 != 0o755 {
        let (uid, gid, mode) = (what.st_uid, what.st_gid, what.st_mode & 0o7777);
        return Err(format!(
            "{RUN} is {uid}:{gid} with mode {mode:04o}, expected netbroker:netbroker with 0755: {HINT}"
        ));
    }
    Ok((Uid::from_raw(what.st_uid), Gid::from_raw(what.st_gid)))
}

/// Creates a directory if it does not exist. Its mode does not depend on the umask.
fn make(tree: &Tree, parent: &str, name: &str, mode: u32) -> Result<(), String> {
    let path = Path::new(parent).join(name);
    let parent = tree.directory(Path::new(parent))?;
    match mkdirat(&parent, name, Mode::from_bits_truncate(0o700)) {
        Err(Errno::EEXIST) => return Ok(()),
        made => made.map_err(|errno| unusable(&path, errno))?,
    }
    let opened = open_directory(&parent, name.as_ref());
    opened.and_then(|made| fchmod(&made, Mode::from_bits_truncate(mode))).map_err(|errno| unusable(&path, errno))
}

impl StateDirectory {
    pub(super) fn replace(&self, bytes: &[u8]) -> Result<(), String> {
        let rights = Rights { owner: self.owner, group: Some(self.group), mode: 0o640 };
        replace(&self.directory, &Path::new(STATE).join(FILE), bytes, rights)
    }

    /// Waits until the new name is on disk.
    pub(super) fn settle(&self) -> Result<(), Failure> {
        fsync(&self.directory)
            .map_err(|errno| in_force_but(&format!("{STATE} cannot be written to disk: {}", describe(errno))))
    }
}
