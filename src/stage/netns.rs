// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Network namespaces by name: opened under /run/netns, looked at, entered.
#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat};
use nix::sched::{CloneFlags, setns};
use nix::sys::stat::{Mode, SFlag, fstat, fstatat};
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};

use crate::call::field::Field;
use crate::call::name::NetnsName;
use crate::refusal::{Refusal, system, unconfined, unsuitable};

/// The flags of fstatat(2) for a file itself, not for what it links to. `AT_NO_AUTOMOUNT` has no effect here, except
/// that musl does not call lstat(2), which the filter does not allow.
pub(super) const ITSELF: AtFlags = AtFlags::AT_SYMLINK_NOFOLLOW.union(AtFlags::AT_NO_AUTOMOUNT);
/// The directory of the names of namespaces.
pub const DIRECTORY: &str = "/run/netns";

/// The namespaces that are reached as `@host` only.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// Device and inode numbers of the namespace that the broker was started in.
    pub own: (u64, u64),
    /// Those of process 1's namespace, where they could be read.
    pub first: Option<(u64, u64)>,
}

/// An opened namespace.
#[derive(Debug)]
pub struct Netns {
    opened: OwnedFd,
    /// Its device and inode numbers.
    is: (u64, u64),
}

impl From<Netns> for OwnedFd {
    fn from(netns: Netns) -> Self {
        netns.opened
    }
}

impl Netns {
    /// Opens the namespace that `field` names.
    ///
    /// # Errors
    /// [`Refusal::NoSuchNetns`]; [`Refusal::Kernel`] where a name other than `@host` leads to the host's namespace.
    pub fn open(field: &'static Field, name: &NetnsName, identity: Identity) -> Result<Self, Refusal> {
        let path = match name {
            NetnsName::Host => "/proc/self/ns/net".to_owned(),
            NetnsName::Named(name) => format!("{DIRECTORY}/{name}"),
        };
        // Opening must not wait, even if it is a FIFO. No symbolic link is followed except that of /proc.
        let link = if *name == NetnsName::Host { OFlag::empty() } else { OFlag::O_NOFOLLOW };
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | link;
        let opened = openat(AT_FDCWD, path.as_str(), flags, Mode::empty())
            .map_err(|errno| missing(field.name, name, &path, identity, errno))?;
        let kind = fstatfs(&opened).map_err(system("statfs of a namespace"))?.filesystem_type();
        if kind != NSFS_MAGIC {
            return Err(missing(field.name, name, &path, identity, Errno::EINVAL));
        }
        let what = fstat(&opened).map_err(system("stat of a namespace"))?;
        let is = (what.st_dev, what.st_ino);
        match name {
            NetnsName::Named(_) if is == identity.own => {
                Err(unsuitable(field, "names the namespace that the broker was started in: write `@host`"))
            }
            NetnsName::Named(_) if Some(is) == identity.first => {
                Err(unsuitable(field, "names the namespace of pid 1, which is reached as `@host` only"))
            }
            _ => Ok(Self { opened, is }),
        }
    }

    /// Requires that another field does not lead to this namespace by another name: one meaning has one spelling.
    ///
    /// # Errors
    /// [`Refusal::Kernel`] naming the field.
    pub fn require_other(&self, other: &Self, field: &'static Field, name: &NetnsName) -> Result<(), Refusal> {
        if self.is != other.is {
            return Ok(());
        }
        Err(unsuitable(field, format!("is another name of the namespace `{}`; write that name", name.as_str())))
    }

    /// Enters it: sockets that are opened from now on belong to it.
    ///
    /// # Errors
    /// [`Refusal::NoSuchNetns`] where it is not a network namespace; [`Refusal::NotConfined`].
    pub fn enter(&self, field: &'static str, name: &NetnsName) -> Result<(), Refusal> {
        setns(&self.opened, CloneFlags::CLONE_NEWNET).map_err(|errno| match errno {
            Errno::EINVAL => {
                let (name, reason) = (name.as_str().to_owned(), "not_a_namespace");
                Refusal::NoSuchNetns { field, name, reason, errno }
            }
            other => unconfined("setns")(other),
        })
    }
}

/// Whether a namespace is mounted on a name under /run/netns. It follows no symbolic link.
///
/// It looks by path: while a call runs, the first `Netns.Add` may mount /run/netns on itself. Later namespaces are mounted under
/// that, where a directory that was opened before does not lead.
///
/// # Errors
/// `ENOENT` where nothing has the name.
pub(super) fn is_ready(name: &[u8]) -> Result<bool, Errno> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let path = [DIRECTORY.as_bytes(), b"/", name].concat();
    let entry = openat(AT_FDCWD, path.as_slice(), flags, Mode::empty())?;
    Ok(fstatfs(entry)?.filesystem_type() == NSFS_MAGIC)
}

/// Whether a name belongs to a plain file, as a killed `ip netns add` leaves one.
pub fn is_left_over(name: &NetnsName) -> bool {
    let path = format!("{DIRECTORY}/{}", name.as_str());
    let kind =
        fstatat(AT_FDCWD, path.as_str(), ITSELF).map(|what| SFlag::from_bits_truncate(what.st_mode) & SFlag::S_IFMT);
    kind == Ok(SFlag::S_IFREG)
}

/// Distinguishes an absent name from one that is not a namespace: a killed `ip netns add` leaves a plain file without
/// any mode bits. All namespaces are on one file system, so a file on it that cannot be opened is a system error.
fn missing(field: &'static str, name: &NetnsName, path: &str, identity: Identity, errno: Errno) -> Refusal {
    let (namespaces, _) = identity.own;
    let is_other = fstatat(AT_FDCWD, path, ITSELF).is_ok_and(|what| what.st_dev != namespaces);
    let (reason, errno) = match errno {
        Errno::ENOENT | Errno::ENOTDIR => ("absent", Errno::ENOENT),
        Errno::ELOOP if is_other => ("symbolic_link", Errno::ELOOP),
        Errno::EACCES | Errno::EINVAL | Errno::ENXIO if is_other => ("not_a_namespace", Errno::EINVAL),
        other => return system("open a namespace")(other),
    };
    Refusal::NoSuchNetns { field, name: name.as_str().to_owned(), reason, errno }
}
