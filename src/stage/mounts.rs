// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The mount that holds /run/netns, as mountinfo reports it, and how it becomes a shared mount. The first `Netns.Add`
//! does that with the same code as `netbrokerctl policy install`.
//!
//! What the broker reads of /proc is `self/ns/user` (as text, readlinkat(2), `stage::inherited`), `self/mountinfo` for
//! `Netns.Add` and `Netns.Delete`, and `1/mountinfo` for `Netns.Add`. Outside the initial user namespace it also reads
//! `self/uid_map` and `self/gid_map`.
#![forbid(unsafe_code)]

use std::os::fd::AsRawFd as _;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, FlockArg, OFlag, openat};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::Mode;
use nix::unistd::read;

use super::netns::DIRECTORY;
use crate::call::field;
use crate::refusal::{Class, KernelRefusal, Refusal, system};

/// How often the broker waits 10 ms: for the lock on /run/netns, which any user may take, and for a file on which a
/// namespace may be about to be mounted.
pub(super) const PATIENCE: u32 = 100;

/// The message where no process outside would see the namespace.
const IN_PRIVATE: &str = "this process is in a private mount namespace, and a namespace made here would not be seen outside; \
    call through `/run/netbroker/socket` (netbrokerd(8))";

/// The mounts that a process sees (`/proc/PID/mountinfo`).
#[derive(Debug)]
pub(crate) struct Mounts(String);

/// How the mount that holds /run/netns is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// A shared mount on /run/netns itself: nothing needs to be done.
    Shared,
    /// /run/netns is not a shared mount of its own yet.
    Unshared,
    /// A slave of a mount in another mount namespace, as in a unit with a private mount namespace. A namespace that is
    /// made here would not be visible outside, and an empty file would have its name there.
    Slave,
}

impl Mounts {
    /// Reads the mounts of this process.
    ///
    /// # Errors
    /// [`Refusal::SystemError`]
    pub(crate) fn read() -> Result<Self, Refusal> {
        read_whole("/proc/self/mountinfo").map(Self)
    }

    /// Reads the mounts of process 1.
    ///
    /// # Errors
    /// [`Refusal::SystemError`], also where this /proc does not show other users' processes.
    pub(crate) fn of_first_process() -> Result<Self, Refusal> {
        read_whole("/proc/1/mountinfo").map(Self)
    }

    /// How the mount that holds /run/netns is shared.
    ///
    /// # Errors
    /// [`Refusal::SystemError`] where no mount holds it, as in a chroot.
    pub(crate) fn sharing(&self) -> Result<Sharing, Refusal> {
        match holder(&self.0) {
            Some(mount) if mount.is("master:") => Ok(Sharing::Slave),
            Some(mount) if mount.point == DIRECTORY && mount.is("shared:") => Ok(Sharing::Shared),
            Some(_) => Ok(Sharing::Unshared),
            None => Err(Refusal::SystemError { step: "find the mount of /run/netns".to_owned(), errno: None }),
        }
    }

    /// Whether the same mount holds /run/netns for both. The id of a mount is unique among all mount namespaces, so a
    /// process in a copy of the mount namespace, or in a chroot, sees another id.
    #[cfg(feature = "ctl")]
    pub(crate) fn has_same_holder(&self, other: &Self) -> bool {
        holder(&self.0).is_some_and(|mount| holder(&other.0).is_some_and(|of_other| of_other.id == mount.id))
    }

    /// Whether what is mounted under /run/netns here never appears in the mount namespace of process 1. That is so
    /// where process 1 sees another mount, and that is not a peer of this one.
    fn is_copy_of(&self, first: &Self) -> bool {
        let (Some(own), Some(of_first)) = (holder(&self.0), holder(&first.0)) else { return true };
        let is_peer = |group| first.0.lines().filter_map(Mount::parse).any(|mount| mount.group() == Some(group));
        own.id != of_first.id && !own.group().is_some_and(is_peer)
    }

    /// Whether a namespace that is made here already appears in every mount namespace. `first` has the mounts of
    /// process 1, where they can be read.
    ///
    /// # Errors
    /// [`Refusal::Kernel`] where it never would; [`Refusal::SystemError`].
    pub(super) fn is_shared(&self, first: Option<&Self>) -> Result<bool, Refusal> {
        let is_copy = first.is_some_and(|first| self.is_copy_of(first));
        match self.sharing()? {
            Sharing::Shared if !is_copy => Ok(true),
            Sharing::Unshared if !is_copy => Ok(false),
            _ => Err(Refusal::Kernel(KernelRefusal {
                class: Class::NotSupported,
                errno: Errno::EINVAL,
                message: IN_PRIVATE.to_owned(),
                field: Some(field::NETNS.field.name),
                may_have_changed: false,
            })),
        }
    }

    /// Whether something other than a network namespace is mounted on a name, even below a network namespace: a file,
    /// or a namespace of another type. statfs(2) reports the same for all types of namespaces.
    pub(super) fn hold_another(&self, name: &str) -> bool {
        let point = format!("{DIRECTORY}/{name}");
        let Some(mut at) = holder(&self.0) else { return false };
        let on_it: Vec<Mount<'_>> =
            self.0.lines().filter_map(Mount::parse).filter(|mount| mount.point == point).collect();
        while let Some(next) = on_it.iter().find(|mount| mount.parent == at.id) {
            if !next.root.starts_with("net:[") {
                return true;
            }
            at = *next;
        }
        false
    }
}

/// Makes /run/netns a shared mount of itself, so that namespaces that are mounted there appear in every mount
/// namespace. Works under a lock, and mounts only what is not a mount yet: parallel first calls must not stack mounts.
///
/// # Errors
/// [`Refusal::Busy`] where another process keeps the lock for a second; [`Refusal::SystemError`], or the same after a
/// change.
#[allow(deprecated, reason = "`Flock` panics where it cannot let go of the lock")]
pub(crate) fn share_under_lock() -> Result<(), Refusal> {
    let readable = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let lockable = openat(AT_FDCWD, DIRECTORY, readable, Mode::empty()).map_err(system("open /run/netns"))?;
    for _ in 0..PATIENCE {
        match nix::fcntl::flock(lockable.as_raw_fd(), FlockArg::LockExclusiveNonblock) {
            Ok(()) => return share(), // closing releases it
            Err(Errno::EWOULDBLOCK) => {}
            Err(errno) => return Err(system("lock /run/netns")(errno)),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(Refusal::Busy { reason: "another process holds the lock on /run/netns".to_owned() })
}

/// Does what `ip netns add` does: makes /run/netns shared. If it is not a mount yet, mounts it on itself first.
///
/// # Errors
/// [`Refusal::SystemError`], or the same after a change.
pub(crate) fn share() -> Result<(), Refusal> {
    let make_shared =
        || mount(None::<&str>, DIRECTORY, None::<&str>, MsFlags::MS_SHARED | MsFlags::MS_REC, None::<&str>);
    match make_shared() {
        Err(Errno::EINVAL) => {}
        other => return other.map_err(system("make /run/netns a shared mount")),
    }
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(DIRECTORY), DIRECTORY, None::<&str>, flags, None::<&str>).map_err(system("mount /run/netns"))?;
    make_shared().map_err(|errno| system("make /run/netns a shared mount")(errno).after_a_change())
}

/// A line of mountinfo. proc(5): id parent device root mount-point options [optional fields …] - …
#[derive(Debug, Clone, Copy)]
struct Mount<'a> {
    id: &'a str,
    parent: &'a str,
    root: &'a str,
    point: &'a str,
    fields: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split(' ');
        let (id, parent, root, point) = (words.next()?, words.next()?, words.nth(1)?, words.next()?);
        Some(Self { id, parent, root, point, fields: line.split(" - ").next().unwrap_or_default() })
    }

    /// Whether it is on the way to /run/netns.
    fn is_on_the_way(&self) -> bool {
        let within = || DIRECTORY.strip_prefix(self.point).is_some_and(|rest| rest.starts_with('/'));
        self.point == DIRECTORY || self.point == "/" || within()
    }

    /// The peer group in which it shares what is mounted under it (`shared:N`, `mount_namespaces(7)`).
    fn group(&self) -> Option<&'a str> {
        self.fields.split(' ').skip(6).find_map(|word| word.strip_prefix("shared:"))
    }

    fn is(&self, what: &str) -> bool {
        self.fields.split(' ').skip(6).any(|word| word.starts_with(what))
    }
}

/// The mount that holds /run/netns. The walk begins at the root mount. Of the mounts on the current one that are on the
/// way to /run/netns, it takes the one with the shortest path, until there are none. A mount on /run/netns itself may
/// be hidden under a later mount on /run.
fn holder(mountinfo: &str) -> Option<Mount<'_>> {
    let mounts: Vec<Mount<'_>> = mountinfo.lines().filter_map(Mount::parse).filter(Mount::is_on_the_way).collect();
    // rootfs is mounted on itself
    let is_on = |mount: &Mount<'_>, other: &Mount<'_>| mount.parent == other.id && mount.id != other.id;
    let mut at = *mounts.iter().find(|root| !mounts.iter().any(|other| is_on(root, other)))?;
    while let Some(next) = mounts.iter().filter(|mount| is_on(mount, &at)).min_by_key(|mount| mount.point.len()) {
        at = *next;
    }
    Some(at)
}

fn read_whole(path: &str) -> Result<String, Refusal> {
    let file =
        openat(AT_FDCWD, path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).map_err(system("open mountinfo"))?;
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 16384];
    loop {
        let got = read(&file, &mut chunk).map_err(system("read mountinfo"))?;
        bytes.extend_from_slice(chunk.get(..got).unwrap_or_default());
        if got == 0 {
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "27 1 254:0 / / rw - ext4 /dev/vda rw\n";

    fn held_by(lines: &str) -> String {
        holder(&format!("{ROOT}{lines}")).unwrap().id.to_owned()
    }

    #[test]
    fn the_mount_that_holds_the_names_is_the_one_that_shows() {
        let names = "42 27 254:0 /run/netns /run/netns rw shared:1 - ext4 /dev/vda rw\n";
        let run = "50 27 0:30 / /run rw shared:2 - tmpfs tmpfs rw\n";
        let within = "60 50 0:30 /netns /run/netns rw shared:2 - tmpfs tmpfs rw\n";
        let again = "61 60 0:30 /netns /run/netns rw - tmpfs tmpfs rw\n";
        let of_a_name = "70 60 0:4 net:[4026532178] /run/netns/x rw - nsfs nsfs rw\n";
        assert_eq!(held_by(""), "27");
        assert_eq!(held_by(names), "42");
        assert_eq!(held_by(&[names, run].concat()), "50"); // hidden under /run
        assert_eq!(held_by(&[run, names].concat()), "50"); // in either order
        assert_eq!(held_by(&[names, run, within, of_a_name].concat()), "60");
        assert_eq!(held_by(&[within, again, run].concat()), "61");
        assert_eq!(held_by("43 27 0:31 / /run/netnsx rw - tmpfs tmpfs rw\n"), "27");
    }

    #[test]
    fn a_network_namespace_on_a_name_is_told_from_everything_else() {
        let names = "42 27 254:0 /run/netns /run/netns rw shared:1 - ext4 /dev/vda rw\n";
        let network = "70 42 0:4 net:[4026532178] /run/netns/x rw - nsfs nsfs rw\n";
        let other = "71 42 0:4 uts:[4026532179] /run/netns/x rw - nsfs nsfs rw\n";
        let under = "69 42 0:4 uts:[4026532179] /run/netns/x rw - nsfs nsfs rw\n70 69 0:4 net:[4026532178] /run/netns/x rw - nsfs\n";
        let above = "72 70 0:4 uts:[4026532179] /run/netns/x rw - nsfs nsfs rw\n";
        let longer = "73 42 0:4 uts:[4026532179] /run/netns/xx rw - nsfs nsfs rw\n";
        let holds = |lines: &[&str]| Mounts([&[ROOT, names], lines].concat().concat()).hold_another("x");
        assert_eq!([holds(&[]), holds(&[network]), holds(&[longer])], [false; 3]);
        assert_eq!([holds(&[other]), holds(&[network, above]), holds(&[above, network]), holds(&[under])], [true; 4]);
        let hidden = "50 27 0:30 / /run rw shared:2 - tmpfs tmpfs rw\n"; // /run/netns is another directory now
        assert!(!holds(&[other, hidden]));
    }

    #[test]
    fn a_copy_of_the_mount_is_told_from_the_mount_and_from_a_peer() {
        let of = |lines: &str| Mounts(format!("{ROOT}{lines}"));
        let copy = |lines: &str| Mounts(format!("827 801 254:0 / / rw - ext4 /dev/vda rw\n{lines}"));
        let first = of("42 27 254:0 /run/netns /run/netns rw shared:1 - ext4 /dev/vda rw\n");
        assert!(!first.is_copy_of(&first));
        assert!(copy("842 827 254:0 /run/netns /run/netns rw - ext4 /dev/vda rw\n").is_copy_of(&first));
        assert!(copy("842 827 254:0 /run/netns /run/netns rw shared:9 - ext4 /dev/vda rw\n").is_copy_of(&first));
        assert!(!copy("842 827 254:0 /run/netns /run/netns rw shared:1 - ext4 /dev/vda rw\n").is_copy_of(&first));
        assert!(!of("").is_copy_of(&of("")));
        assert!(copy("").is_copy_of(&of("")));
    }

    #[test]
    fn a_root_that_is_mounted_on_itself_is_found() {
        assert_eq!(holder("1 1 0:2 / / rw - rootfs rootfs rw\n").unwrap().id, "1");
    }
}
