// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reads files: only regular ones, up to a limit of bytes, and without waiting. A FIFO would block forever, a device
//! such as `/dev/zero` has no end, and opening some devices already has an effect.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, stat};

use super::reason;
use crate::refusal::describe;

/// The largest number of bytes of a policy or test file: a hundred times the size of a policy with a thousand rules.
pub(super) const SOURCE: u64 = 16 << 20;
/// The largest number of bytes of a compiled policy.
pub(super) const COMPILED: u64 = 256 << 20;

/// The flags to open directories.
pub(super) const DIRECTORY_FLAGS: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// Opens a file that a person names. Symbolic links are followed.
pub(super) fn open_named(path: &Path) -> Result<OwnedFd, String> {
    let failed = |errno| unusable(path, errno);
    // The file is checked before it is opened, because opening some devices starts a watchdog or rewinds a tape. It is
    // checked again afterwards, because it may have been replaced.
    require_regular(&stat(path).map_err(failed)?, path)?;
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let file = open(path, flags, Mode::empty()).map_err(failed)?;
    require_regular(&fstat(&file).map_err(failed)?, path)?;
    Ok(file)
}

/// Opens a file in a directory; `None` if it is a symbolic link.
pub(super) fn open_in(directory: &OwnedFd, name: &OsStr, path: &Path) -> Result<Option<OwnedFd>, String> {
    let failed = |errno| unusable(path, errno);
    let what = fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW).map_err(failed)?;
    if has_type(&what, SFlag::S_IFLNK) {
        return Ok(None);
    }
    require_regular(&what, path)?;
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    match openat(directory, name, flags, Mode::empty()) {
        Err(Errno::ELOOP) => Ok(None),
        opened => {
            let file = opened.map_err(failed)?;
            require_regular(&fstat(&file).map_err(failed)?, path)?;
            Ok(Some(file))
        }
    }
}

/// Whether a directory has an entry with this name, of any type. If that cannot be determined, opening it gives the
/// reason.
pub(super) fn exists_in(directory: &OwnedFd, name: &OsStr) -> bool {
    fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) != Err(Errno::ENOENT)
}

/// Opens a directory inside a directory. A symbolic link is refused.
pub(super) fn open_directory(parent: &OwnedFd, name: &OsStr) -> nix::Result<OwnedFd> {
    openat(parent, name, DIRECTORY_FLAGS, Mode::empty())
}

/// Refuses everything except a regular file, and names its type.
fn require_regular(what: &FileStat, path: &Path) -> Result<(), String> {
    let kind = match SFlag::from_bits_truncate(what.st_mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFREG => return Ok(()),
        SFlag::S_IFDIR => "a directory",
        SFlag::S_IFIFO => "a FIFO",
        SFlag::S_IFSOCK => "a socket",
        SFlag::S_IFCHR => "a character device",
        SFlag::S_IFBLK => "a block device",
        SFlag::S_IFLNK => "a symbolic link",
        _ => "something else",
    };
    Err(format!("{}: must be a regular file, not {kind}", path.display()))
}

/// Reads the whole file, unless it is longer than `limit`. The reported size is not used: it is 0 for files in /proc.
pub(super) fn all_of(file: OwnedFd, path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = File::from(file).take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("{}: {}", path.display(), reason(&error)))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
        return Ok(bytes);
    }
    Err(format!("{}: must not be longer than {} MiB", path.display(), limit >> 20))
}

/// The status of an open file.
pub(super) fn file_state(file: impl AsFd, path: &Path) -> Result<FileStat, String> {
    fstat(file).map_err(|errno| unusable(path, errno))
}

pub(super) fn has_type(what: &FileStat, ty: SFlag) -> bool {
    what.st_mode & SFlag::S_IFMT.bits() == ty.bits()
}

pub(super) fn unusable(path: &Path, errno: Errno) -> String {
    match errno {
        Errno::ELOOP | Errno::ENOTDIR => format!("{} is a symbolic link or no directory", path.display()),
        other => format!("{}: {}", path.display(), describe(other)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::machine::Machine;
    use super::*;

    #[test]
    fn a_file_of_exactly_the_limit_is_read_and_one_byte_more_is_refused() {
        let machine = Machine::new();
        let path = machine.path("/run/file");
        for (length, is_read) in [(0, true), (1 << 20, true), ((1 << 20) + 1, false)] {
            fs::write(&path, vec![b'#'; length]).unwrap();
            let read = all_of(open_named(&path).unwrap(), &path, 1 << 20);
            match read {
                Ok(bytes) => assert!(is_read && bytes.len() == length),
                Err(why) => {
                    assert!(!is_read && why.ends_with("/run/file: must not be longer than 1 MiB"), "{why}");
                }
            }
        }
    }
}
