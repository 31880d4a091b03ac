// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The processes in a network namespace. `/proc/PID/net/dev` has the same inode for all processes of a namespace, and
//! no right is needed to look at it, where `/proc/PID/ns/net` needs `CAP_SYS_PTRACE`. With that capability the process
//! could read the memory of every other one.
#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};

use caps::Capability;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use serde_json::{Map, Value};

use super::capabilities;
use super::netns::{ITSELF, Identity, Netns};
use crate::call::field;
use crate::call::name::NetnsName;
use crate::policy::Permit;
use crate::refusal::{Refusal, system};

/// A file of which every network namespace has another.
const OF_NETNS: &str = "net/dev";
/// The errors for a process that has ended, or has left its namespaces because it is about to end.
const ENDED: [Errno; 2] = [Errno::ENOENT, Errno::ESRCH];

/// A search that is ready to run.
#[derive(Debug)]
pub(super) struct Search {
    proc: Dir,
    /// The file [`OF_NETNS`] of the namespace.
    wanted: (u64, u64),
    /// This process, which is in the namespace too. The open descriptor keeps the number of its inode.
    _own: OwnedFd,
    own: u64,
    /// Whether the processes of other users are shown (`hidepid`, proc(5)).
    shows_all: bool,
}

impl Search {
    /// Enters the namespace that the permit names, and looks at the file that identifies it.
    pub(super) fn prepare(permit: &Permit, identity: Identity) -> Result<Self, Refusal> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let proc = Dir::openat(AT_FDCWD, "/proc", flags, Mode::empty()).map_err(system("open /proc"))?;
        let mounted = fstatfs(&proc).map_err(system("statfs of /proc"))?.filesystem_type();
        if mounted != PROC_SUPER_MAGIC {
            return Err(Refusal::SystemError {
                step: "open /proc: it is not a proc(5) file system".to_owned(),
                errno: None,
            });
        }
        let name = permit.request().needed(&field::NETNS)?;
        if *name != NetnsName::Host {
            let netns = Netns::open(&field::NETNS.field, name, identity)?;
            capabilities::permitted()?.make_effective(&[Capability::CAP_SYS_ADMIN])?;
            netns.enter(field::NETNS.field.name, name)?;
        }
        let wanted = look(&proc, "self").map_err(system("stat of /proc/self/net/dev"))?;
        let own = openat(&proc, "self", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
            .map_err(system("open /proc/self"))?;
        let inode = fstat(&own).map_err(system("stat of /proc/self"))?.st_ino;
        let shows_all = look(&proc, "1").is_ok();
        Ok(Self { proc, wanted: file(wanted), _own: own, own: inode, shows_all })
    }

    pub(super) fn descriptor(&self) -> RawFd {
        self.proc.as_raw_fd()
    }

    /// Finds the processes, in ascending order.
    pub(super) fn run(&mut self) -> Result<Map<String, Value>, Refusal> {
        let mut pids = Vec::new();
        for entry in self.proc.iter() {
            let entry = entry.map_err(system("read /proc"))?;
            pids.extend(entry.file_name().to_str().ok().and_then(|name| name.parse::<u32>().ok()));
        }
        pids.sort_unstable();
        let mut found = Vec::new();
        for pid in pids {
            match look(&self.proc, &pid.to_string()) {
                Ok(seen) if file(seen) == self.wanted && !self.is_this(pid)? => found.push(Value::from(pid)),
                Ok(_) => {}
                Err(errno) if ENDED.contains(&errno) => {}
                Err(Errno::EPERM | Errno::EACCES) => self.shows_all = false,
                Err(other) => return Err(system("stat of a process in /proc")(other)),
            }
        }
        Ok(Map::from_iter([("pids".to_owned(), found.into()), ("complete".to_owned(), self.shows_all.into())]))
    }

    fn is_this(&self, pid: u32) -> Result<bool, Refusal> {
        match fstatat(&self.proc, pid.to_string().as_str(), ITSELF) {
            Ok(process) => Ok(process.st_ino == self.own),
            Err(errno) if ENDED.contains(&errno) => Ok(true), // what has ended is not in the namespace
            Err(other) => Err(system("stat of a process in /proc")(other)),
        }
    }
}

fn look(proc: &Dir, process: &str) -> Result<FileStat, Errno> {
    fstatat(proc, format!("{process}/{OF_NETNS}").as_str(), AtFlags::empty())
}

fn file(of: FileStat) -> (u64, u64) {
    (of.st_dev, of.st_ino)
}
