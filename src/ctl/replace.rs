// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A file replaced in one atomic step: a reader sees the old or the new one whole, and so does the machine after a loss
//! of power.
#![forbid(unsafe_code)]

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, unlinkat};

use super::read::unusable;
use super::reason;

/// Owner, group (none: as the file system gives it) and mode of the new file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rights {
    pub(super) owner: Uid,
    pub(super) group: Option<Gid>,
    pub(super) mode: u32,
}

/// Writes beside the file of this path, which lies in `directory`, then renames over it. The name is on disk when the
/// directory is.
pub(super) fn replace(directory: &OwnedFd, path: &Path, bytes: &[u8], rights: Rights) -> Result<(), String> {
    let name = path.file_name().unwrap_or_default();
    let unique = RandomState::new().build_hasher().finish();
    let beside = format!(".{}.{unique:016x}", name.to_string_lossy()); // hidden: no policy, should it stay behind
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let created = openat(directory, beside.as_str(), flags, Mode::from_bits_truncate(0o600));
    let file = created.map_err(|errno| unusable(&path.with_file_name(&beside), errno))?;
    let done = fill(file, path, bytes, rights).and_then(|()| {
        let renamed = renameat(directory, beside.as_str(), directory, name);
        renamed.map_err(|errno| format!("{} cannot be replaced: {}", path.display(), errno.desc()))
    });
    if done.is_err() {
        let _ = unlinkat(directory, beside.as_str(), UnlinkatFlags::NoRemoveDir); // the failure is told
    }
    done
}

fn fill(file: OwnedFd, path: &Path, bytes: &[u8], rights: Rights) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{} cannot be written: {}", path.display(), reason(&error));
    let mut file = File::from(file);
    file.write_all(bytes).map_err(failed)?;
    let given = fchown(&file, Some(rights.owner), rights.group);
    let given = given.and_then(|()| fchmod(&file, Mode::from_bits_truncate(rights.mode)));
    given.map_err(|errno| failed(errno.into()))?;
    file.sync_all().map_err(failed)
}
