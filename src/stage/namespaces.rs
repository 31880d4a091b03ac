// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The last stage of `Netns.Add` and `Netns.Delete`. It makes the same files and mounts as iproute2 (`ip/ipnetns.c`),
//! so that `ip netns` and existing processes see them. The process may be killed after any step: what it leaves is at
//! most a plain file, which `Netns.Delete` and `ip netns delete` remove.
#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, SFlag, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use serde_json::{Map, Value};

use super::capabilities;
use super::mounts::{self, Mounts, PATIENCE};
use super::netns::{self, DIRECTORY, Identity, Netns};
use crate::call::field;
use crate::call::name::NetnsName;
use crate::policy::Permit;
use crate::refusal::{Class, KernelRefusal, Refusal, system, unsuitable};

/// What to do to which name.
#[derive(Debug)]
pub(super) struct Task {
    action: Action,
    name: String,
    directory: OwnedFd,
    is_shared: bool,
    tolerant: bool,
}

/// What gives the capability that only some ways in have.
const SYS_ADMIN: &str = "give netbroker this capability, too, in its file capabilities or its unit's bounding set";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Add,
    Delete,
}

fn kernel(class: Class, errno: Errno, message: impl Into<String>) -> Refusal {
    let field = Some(field::NETNS.field.name);
    Refusal::Kernel(KernelRefusal { class, errno, message: message.into(), field, may_have_changed: false })
}

impl Task {
    /// Looks at /run/netns and its mount, and keeps the two capabilities that the stage needs.
    pub(super) fn prepare(permit: &Permit, identity: Identity) -> Result<Self, Refusal> {
        let request = permit.request();
        let NetnsName::Named(name) = request.needed(&field::NETNS)? else {
            return Err(unsuitable(&field::NETNS.field, "must not be `@host`, which cannot be added or deleted"));
        };
        let action = if request.call().verb() == "Add" { Action::Add } else { Action::Delete };
        let held = capabilities::permitted()?;
        let needed = request.needs().capabilities;
        if let Some(missing) = needed.iter().find(|cap| !held.has(**cap)) {
            let missing = format!("{}, which {} needs", missing.to_string().to_lowercase(), request.call().name);
            return Err(Refusal::NotPrivileged { missing, hint: SYS_ADMIN.to_owned() });
        }
        if action == Action::Delete {
            // The host's own namespace is refused here. `delete` distinguishes absent names from left-over files.
            let named = NetnsName::Named(name.clone());
            if let Err(refusal @ Refusal::Kernel(_)) = Netns::open(&field::NETNS.field, &named, identity) {
                return Err(refusal);
            }
        }
        // The mount is looked at before the directory is opened: a directory that is opened before the mount appears is
        // hidden under it.
        let mounts = Mounts::read()?;
        let first = if action == Action::Add { Mounts::of_first_process().ok() } else { None };
        let is_shared = mounts.is_shared(first.as_ref())?;
        let directory = open_directory()?;
        let what = fstat(&directory).map_err(system("stat /run/netns"))?;
        if what.st_uid != 0 || what.st_mode & 0o022 != 0 {
            let step = "trust /run/netns: it must be root's, and only root may write it".to_owned();
            return Err(Refusal::SystemError { step, errno: None });
        }
        require_ours(action, &directory, name, &mounts)?;
        let tolerance = if action == Action::Add { &field::EXISTS_OK } else { &field::MISSING_OK };
        capabilities::keep_only(needed, needed)?;
        Ok(Self { action, name: name.clone(), directory, is_shared, tolerant: request.is_set(tolerance) })
    }

    pub(super) fn run(&mut self) -> Result<Map<String, Value>, Refusal> {
        match self.action {
            Action::Add => self.add()?,
            Action::Delete => self.delete()?,
        }
        Ok(Map::new())
    }

    fn path(&self) -> String {
        format!("{DIRECTORY}/{}", self.name)
    }

    /// Makes the namespace first, then its file, then the mount, so that the file is without a mount as briefly as
    /// possible.
    fn add(&mut self) -> Result<(), Refusal> {
        let is_taken = netns::is_ready(self.name.as_bytes()).is_ok();
        if is_taken {
            return self.exists(); // nothing changes, the mount included
        }
        if self.is_shared {
            return self.make();
        }
        mounts::share_under_lock()?;
        // The directory that was opened before is hidden under the mount now.
        let made = open_directory().and_then(|directory| {
            self.directory = directory;
            self.make()
        });
        made.map_err(Refusal::after_a_change) // at least /run/netns has changed
    }

    fn make(&self) -> Result<(), Refusal> {
        unshare(CloneFlags::CLONE_NEWNET).map_err(system("unshare"))?;
        let flags = OFlag::O_RDONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = match openat(&self.directory, self.name.as_str(), flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::EEXIST) => return self.exists(),
            Err(errno) => return Err(system("make the file of the namespace")(errno)),
        };
        // By descriptor: the name may be of another file by now, and the kernel mounts nothing on a file that was
        // removed.
        bind("/proc/self/ns/net", &format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(|errno| {
            let failed = system("mount the namespace")(errno);
            if self.unlink().is_ok() { failed } else { failed.after_a_change() }
        })
    }

    /// The name is taken: by a namespace that is ready, by one that another process is making, or by a left-over file.
    fn exists(&self) -> Result<(), Refusal> {
        for _ in 0..PATIENCE {
            match (self.is_ready(), self.tolerant) {
                (true, true) => return Ok(()),
                (true, false) => return Err(kernel(Class::AlreadyExists, Errno::EEXIST, "the namespace exists")),
                (false, _) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        let message = "a file has the name, but no namespace was mounted on it within a second; Netns.Delete \
                       removes it";
        Err(kernel(Class::AlreadyExists, Errno::EEXIST, message))
    }

    /// Unmounts the namespace and removes the file. Nothing but a namespace is unmounted, and a file that something
    /// else is mounted on cannot be removed (`EBUSY`).
    fn delete(&self) -> Result<(), Refusal> {
        let mut has_let_go = false;
        let failed = |step, errno, has_let_go| {
            let failed = system(step)(errno);
            Err(if has_let_go { failed.after_a_change() } else { failed })
        };
        loop {
            while self.is_ready() {
                match umount2(self.path().as_str(), MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
                    Ok(()) => has_let_go = true,
                    Err(Errno::EINVAL | Errno::ENOENT) => break,
                    Err(errno) => return failed("unmount the namespace", errno, has_let_go),
                }
            }
            return match self.unlink() {
                Ok(()) => Ok(()),
                Err(Errno::EBUSY) if self.is_ready() => continue, // mounted meanwhile
                Err(Errno::ENOENT) if self.tolerant || has_let_go => Ok(()),
                Err(Errno::ENOENT) => Err(Refusal::NoSuchNetns {
                    field: field::NETNS.field.name,
                    name: self.name.clone(),
                    reason: "absent",
                    errno: Errno::ENOENT,
                }),
                Err(errno) => failed("remove the file of the namespace", errno, has_let_go),
            };
        }
    }

    fn unlink(&self) -> Result<(), Errno> {
        unlinkat(&self.directory, self.name.as_str(), UnlinkatFlags::NoRemoveDir)
    }

    fn is_ready(&self) -> bool {
        netns::is_ready(self.name.as_bytes()) == Ok(true)
    }
}

/// Refuses a name that is neither a network namespace nor a plain file on which one can be mounted. Neither this
/// program nor iproute2 made it, so `Add` does not wait for it and `Delete` does not remove it.
fn require_ours(action: Action, directory: &OwnedFd, name: &str, mounts: &Mounts) -> Result<(), Refusal> {
    let what = match fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Err(Errno::ENOENT) => return Ok(()),
        other => other.map_err(system("look at the name"))?,
    };
    let (kind, errno) = match SFlag::from_bits_truncate(what.st_mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFREG if !mounts.hold_another(name) => return Ok(()),
        SFlag::S_IFREG => ("another file, or a namespace of another type, is mounted on the name", Errno::EINVAL),
        SFlag::S_IFDIR => ("a directory has the name", Errno::EISDIR),
        SFlag::S_IFLNK => ("a symbolic link has the name", Errno::ELOOP),
        _ => ("a FIFO, socket or device has the name", Errno::EINVAL),
    };
    match action {
        Action::Add => Err(kernel(Class::AlreadyExists, Errno::EEXIST, kind)),
        Action::Delete => {
            let (field, name) = (field::NETNS.field.name, name.to_owned());
            let is_link = errno == Errno::ELOOP;
            let reason = if is_link { "symbolic_link" } else { "not_a_namespace" };
            Err(Refusal::NoSuchNetns { field, name, reason, errno })
        }
    }
}

fn bind(from: &str, to: &str) -> Result<(), Errno> {
    mount(Some(from), to, None::<&str>, MsFlags::MS_BIND, None::<&str>)
}

fn open_directory() -> Result<OwnedFd, Refusal> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(AT_FDCWD, DIRECTORY, flags, Mode::empty()).map_err(no_directory)
}

fn no_directory(errno: Errno) -> Refusal {
    let step = match errno {
        Errno::ENOENT => "open /run/netns: systemd-tmpfiles or `netbrokerctl policy install` makes it".to_owned(),
        _ => "open /run/netns".to_owned(),
    };
    Refusal::SystemError { step, errno: Some(errno) }
}
