// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How this program reads a file: a regular one only, at most so many bytes of it, and without waiting. A FIFO would
//! block forever, a device such as `/dev/zero` has no end, and opening some devices already does something.
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

/// Most bytes of a policy or test file: a hundred times what a policy with a thousand rules takes.
pub(super) const SOURCE: u64 = 16 << 20;
/// Most bytes of a compiled policy.
pub(super) const COMPILED: u64 = 256 << 20;

/// Opens a file that a person names. Symbolic links are followed.
pub(super) fn open_named(path: &Path) -> Result<OwnedFd, String> {
    let failed = |errno| unusable(path, errno);
    // Before it is opened, because that alone starts a watchdog or rewinds a tape; after it, because it may be another.
    require_regular(&stat(path).map_err(failed)?, path)?;
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let file = open(path, flags, Mode::empty()).map_err(failed)?;
    require_regular(&fstat(&file).map_err(failed)?, path)?;
    Ok(file)
}

/// Opens a file of a directory; `None` where it is a symbolic link.
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

/// Refuses everything but a regular file, and says what it is.
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

/// The whole file, unless it is longer than `limit`. Its stated size is not asked: that of a file in /proc is 0.
pub(super) fn all_of(file: OwnedFd, path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = File::from(file).take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("{}: {}", path.display(), reason(&error)))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
        return Ok(bytes);
    }
    Err(format!("{}: must not be longer than {} MiB", path.display(), limit >> 20))
}

/// The state of what is open.
pub(super) fn file_state(file: impl AsFd, path: &Path) -> Result<FileStat, String> {
    fstat(file).map_err(|errno| unusable(path, errno))
}

pub(super) fn has_type(what: &FileStat, ty: SFlag) -> bool {
    what.st_mode & SFlag::S_IFMT.bits() == ty.bits()
}

pub(super) fn unusable(path: &Path, errno: Errno) -> String {
    match errno {
        Errno::ELOOP | Errno::ENOTDIR => format!("{} is a symbolic link or no directory", path.display()),
        other => format!("{}: {}", path.display(), other.desc()),
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
