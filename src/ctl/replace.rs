// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Replaces a file in one atomic step. A reader sees either the old or the new file in full, even after a loss of
//! power.
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
use crate::refusal::describe;

/// Owner, group and mode of the new file. Without a group, the file system chooses it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rights {
    pub(super) owner: Uid,
    pub(super) group: Option<Gid>,
    pub(super) mode: u32,
}

/// Writes a temporary file next to the file of this path, which is in `directory`, and renames it. The name is on disk
/// after the directory is synchronised.
pub(super) fn replace(directory: &OwnedFd, path: &Path, bytes: &[u8], rights: Rights) -> Result<(), String> {
    let name = path.file_name().unwrap_or_default();
    let unique = RandomState::new().build_hasher().finish();
    let beside = format!(".{}.{unique:016x}", name.to_string_lossy()); // a hidden file is not policy if it remains
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let created = openat(directory, beside.as_str(), flags, Mode::from_bits_truncate(0o600));
    let file = created.map_err(|errno| unusable(&path.with_file_name(&beside), errno))?;
    let done = fill(file, path, bytes, rights).and_then(|()| {
        let renamed = renameat(directory, beside.as_str(), directory, name);
        renamed.map_err(|errno| format!("{} cannot be replaced: {}", path.display(), describe(errno)))
    });
    if done.is_err() {
        let _ = unlinkat(directory, beside.as_str(), UnlinkatFlags::NoRemoveDir); // the first failure is reported
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
