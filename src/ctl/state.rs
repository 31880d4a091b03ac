// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The directory of the compiled policy, and the numbers of the system user who may read it.
#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, fchmod, mkdirat};
use nix::unistd::{Gid, Uid, fchown, fsync};

use super::Failure;
use super::files::Tree;
use super::install::in_force_but;
use super::read::{COMPILED, all_of, file_state, open_in, unusable};
use super::replace::{Rights, replace};
use crate::policy::compiled::Compiled;

/// What the broker reads.
pub(super) const FILE: &str = "policy";
/// Where it lies.
pub(super) const STATE: &str = "/var/lib/netbroker";
/// Its owner and group say who the broker becomes.
const RUN: &str = "/run/netbroker";
/// Nobody (`overflowuid`) and -1.
const NO_SYSTEM_USER: [u32; 3] = [0, 65534, u32::MAX];

/// The directory of the compiled policy.
#[derive(Debug)]
pub(super) struct StateDirectory {
    directory: OwnedFd,
    owner: Uid,
    group: Gid,
}

/// Makes the directories that are absent and opens the one where the policy goes.
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

/// The group that may read the policy: that of the system user, whose numbers are those of [`RUN`].
pub(super) fn system_group(tree: &Tree) -> Result<Gid, String> {
    system_user(tree).map(|(_, gid)| gid)
}

/// The system user, by number.
pub(super) fn system_user(tree: &Tree) -> Result<(Uid, Gid), String> {
    const HINT: &str = "`systemd-tmpfiles --create` makes it, as does \
                        `install -d -m 0755 -o netbroker -g netbroker /run/netbroker`";
    let run = tree.directory(Path::new("/run"))?;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let path = Path::new(RUN);
    let opened = openat(&run, "netbroker", flags, Mode::empty());
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

/// Makes a directory if there is none; its mode does not depend on the umask.
fn make(tree: &Tree, parent: &str, name: &str, mode: u32) -> Result<(), String> {
    let path = Path::new(parent).join(name);
    let parent = tree.directory(Path::new(parent))?;
    match mkdirat(&parent, name, Mode::from_bits_truncate(0o700)) {
        Err(Errno::EEXIST) => return Ok(()),
        made => made.map_err(|errno| unusable(&path, errno))?,
    }
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let opened = openat(&parent, name, flags, Mode::empty());
    opened.and_then(|made| fchmod(&made, Mode::from_bits_truncate(mode))).map_err(|errno| unusable(&path, errno))
}

impl StateDirectory {
    /// The policy in force, if the broker could read it.
    pub(super) fn before(&self) -> Option<Compiled<Vec<u8>>> {
        let file = open_in(&self.directory, FILE.as_ref(), Path::new(FILE)).ok()??;
        Compiled::open(all_of(file, Path::new(FILE), COMPILED).ok()?).ok()
    }

    /// Whether exactly this is in force, and the broker can read it.
    pub(super) fn holds(&self, bytes: &[u8]) -> bool {
        let Ok(Some(file)) = open_in(&self.directory, FILE.as_ref(), Path::new(FILE)) else { return false };
        let sound = file_state(&file, Path::new(FILE)).is_ok_and(|what| {
            let owned = what.st_uid == self.owner.as_raw() && what.st_gid == self.group.as_raw();
            owned && what.st_mode & 0o7777 == 0o640
        });
        sound && all_of(file, Path::new(FILE), COMPILED).is_ok_and(|held| held == bytes)
    }

    pub(super) fn replace(&self, bytes: &[u8]) -> Result<(), String> {
        let rights = Rights { owner: self.owner, group: Some(self.group), mode: 0o640 };
        replace(&self.directory, &Path::new(STATE).join(FILE), bytes, rights)
    }

    /// Waits until the new name would survive a loss of power.
    pub(super) fn settle(&self) -> Result<(), Failure> {
        fsync(&self.directory)
            .map_err(|errno| in_force_but(&format!("{STATE} cannot be written to disk: {}", errno.desc())))
    }
}
