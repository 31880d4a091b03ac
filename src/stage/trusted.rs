// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The compiled policy as a file that only root can have written: every directory on its path belongs to root and can
//! be written by root only, no part of the path is a symbolic link, and the file itself has exactly the owner, group
//! and mode that `netbrokerctl policy install` gives it.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fstat, fstatat};
use nix::unistd::Gid;

use super::netns::ITSELF;
use super::system_user::is_directory;
use crate::policy::compiled::{Compiled, OTHER_FORMAT, ReadAt};
use crate::refusal::{Refusal, describe};

/// The directories of the compiled policy, from `/` on.
const DIRECTORIES: [&str; 3] = ["var", "lib", "netbroker"];
/// Its path, for error messages.
const PATH: &str = "/var/lib/netbroker/policy";

/// The file, and its length in bytes when it was opened.
#[derive(Debug)]
pub(super) struct PolicyFile {
    file: File,
    bytes: u64,
}

impl ReadAt for PolicyFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.bytes)
    }

    fn fill(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        self.file.fill(buffer, at)
    }
}

impl PolicyFile {
    /// Whether the path still leads to this file.
    pub(super) fn is_in_force(&self) -> bool {
        let there = fstatat(AT_FDCWD, PATH, ITSELF);
        match (fstat(&self.file), there) {
            (Ok(own), Ok(there)) => (own.st_dev, own.st_ino) == (there.st_dev, there.st_ino),
            _ => false,
        }
    }
}

impl AsRawFd for PolicyFile {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

fn invalid(hint: String) -> Refusal {
    Refusal::PolicyInvalid { hint }
}

/// Opens the compiled policy, a file of the system user's group, and checks its header.
///
/// # Errors
/// [`Refusal::PolicyInvalid`] with what is wrong and what to do; [`Refusal::SystemError`].
pub(super) fn policy(group: Gid) -> Result<Compiled<PolicyFile>, Refusal> {
    let file = open_file(group)?;
    Compiled::open(file).map_err(|damage| if damage == OTHER_FORMAT { other_format() } else { damaged(damage.0) })
}

/// The refusal between the installation of another version and the compilation of the policy by it.
fn other_format() -> Refusal {
    let what = OTHER_FORMAT.0;
    invalid(format!(
        "{PATH}: {what}, such as that of another version; `netbrokerctl policy install --unless-pinned` compiles it again"
    ))
}

/// The refusal for a policy whose bytes are not what was written.
pub(super) fn damaged(what: &str) -> Refusal {
    invalid(format!("{PATH}: {what}; `netbrokerctl policy install` writes it again"))
}

fn open_file(group: Gid) -> Result<PolicyFile, Refusal> {
    let walk = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut path = String::from("/");
    let mut directory = openat(AT_FDCWD, "/", walk, Mode::empty()).map_err(|errno| unusable("/", errno))?;
    trust_directory("/", &directory)?;
    for name in DIRECTORIES {
        path.push_str(name);
        directory = openat(&directory, name, walk, Mode::empty()).map_err(|errno| unusable(&path, errno))?;
        trust_directory(&path, &directory)?;
        path.push('/');
    }
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = openat(&directory, "policy", flags, Mode::empty()).map_err(|errno| unusable(PATH, errno))?;
    let bytes = trust_file(&file, group)?;
    Ok(PolicyFile { file: File::from(file), bytes })
}

fn unusable(path: &str, errno: Errno) -> Refusal {
    match errno {
        Errno::ENOENT => invalid(format!("{path} does not exist; `netbrokerctl policy install` creates it")),
        Errno::ELOOP | Errno::ENOTDIR => invalid(format!("{path} is a symbolic link or no directory")),
        // Limits of the caller or of the machine: they do not last, and are not a fault of the policy.
        Errno::EINTR | Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM => {
            Refusal::SystemError { step: format!("open {path}"), errno: Some(errno) }
        }
        other => invalid(format!("{path} cannot be opened: {}", describe(other))),
    }
}

fn trust_directory(path: &str, directory: &OwnedFd) -> Result<(), Refusal> {
    let what = fstat(directory).map_err(|errno| unusable(path, errno))?;
    if is_directory(&what) && what.st_uid == 0 && what.st_mode & 0o022 == 0 {
        Ok(())
    } else {
        Err(invalid(format!("{path} must be a directory of root's that only root may write")))
    }
}

/// Its length in bytes.
fn trust_file(file: &OwnedFd, group: Gid) -> Result<u64, Refusal> {
    let what = fstat(file).map_err(|errno| unusable(PATH, errno))?;
    let regular = what.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFREG.bits();
    if regular && what.st_uid == 0 && what.st_gid == group.as_raw() && what.st_mode & 0o7777 == 0o640 {
        Ok(u64::try_from(what.st_size).unwrap_or(0))
    } else {
        Err(invalid(format!(
            "{PATH} must be a file of root:netbroker with mode 0640; `netbrokerctl policy install` writes it again"
        )))
    }
}
