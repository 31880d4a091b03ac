// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Becomes the system user `netbroker`. Even without capabilities, uid 0 owns /etc/shadow and `core_pattern`, and the
//! caller could signal and trace a process with the caller's own uid. So the process never has one of these uids again.
#![forbid(unsafe_code)]

use caps::Capability;
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::prctl;
use nix::sys::stat::{FileStat, SFlag, fstatat};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{Gid, Uid, getresgid, getresuid, getuid, setgroups, setresgid, setresuid};

use super::{capabilities, filter};
use crate::call::needs::Profile;
use crate::caller::{Caller, LISTENER};
use crate::refusal::{Refusal, describe, unconfined};
use crate::sys;

/// The kernel's overflow uid and gid, which ids without a mapping appear as.
const NOBODY: u32 = 65534;

/// The system user, by number.
#[derive(Debug, Clone, Copy)]
pub(super) struct SystemUser {
    uid: Uid,
    gid: Gid,
}

/// What makes the directory that says who the system user is.
const MAKE_RUN: &str =
    "run `systemd-tmpfiles --create`, or `install -d -m 0755 -o netbroker -g netbroker /run/netbroker`";

fn not_privileged(missing: impl Into<String>, hint: &str) -> Refusal {
    Refusal::NotPrivileged { missing: missing.into(), hint: hint.to_owned() }
}

impl SystemUser {
    /// Takes the numbers from the owner and the group of `/run/netbroker`: a look-up by name would run NSS modules.
    pub(super) fn find() -> Result<Self, Refusal> {
        let look = |path: &str| fstatat(nix::fcntl::AT_FDCWD, path, AtFlags::AT_SYMLINK_NOFOLLOW);
        let runtime =
            look("/run").map_err(|errno| not_privileged(format!("/run: {}", describe(errno)), "mount a /run"))?;
        if runtime.st_uid != 0 || runtime.st_mode & 0o022 != 0 {
            return Err(not_privileged(
                "a /run that belongs to root and that only root may write",
                "run `chown root /run; chmod 0755 /run`",
            ));
        }
        let own = look("/run/netbroker")
            .map_err(|errno| not_privileged(format!("/run/netbroker: {}", describe(errno)), MAKE_RUN))?;
        if !is_directory(&own) || own.st_mode & 0o7777 != 0o755 {
            return Err(not_privileged("a /run/netbroker that is a directory with mode 0755", MAKE_RUN));
        }
        if [0, NOBODY, u32::MAX].iter().any(|id| own.st_uid == *id || own.st_gid == *id) {
            return Err(not_privileged("a /run/netbroker that belongs to the user and group netbroker", MAKE_RUN));
        }
        Ok(Self { uid: Uid::from_raw(own.st_uid), gid: Gid::from_raw(own.st_gid) })
    }

    pub(super) fn uid(self) -> u32 {
        self.uid.as_raw()
    }

    pub(super) fn gid(self) -> Gid {
        self.gid
    }

    /// Becomes the user. The permitted capabilities stay until the policy shows which of them this caller can need.
    pub(super) fn become_it(self, caller: &Caller) -> Result<(), Refusal> {
        self.require_other(caller)?;
        self.become_resident()
    }

    /// Requires a caller who is not this user, and not in its group.
    pub(super) fn require_other(self, caller: &Caller) -> Result<(), Refusal> {
        if caller.uid == self.uid.as_raw() || caller.all_gids().any(|gid| gid == self.gid.as_raw()) {
            return Err(not_privileged(
                "a caller other than the user and group netbroker",
                "call as another user, who is not in the group netbroker",
            ));
        }
        Ok(())
    }

    /// Becomes the user, unless the process was started as this user.
    pub(super) fn settle(self) -> Result<(), Refusal> {
        if getuid() != self.uid {
            return if getuid().is_root() {
                self.become_resident()
            } else {
                Err(not_privileged("root or the user netbroker, who start netbrokerd", "start netbroker.service"))
            };
        }
        let held = capabilities::permitted()?;
        match capabilities::KEPT.into_iter().all(|capability| held.has(capability)) {
            true => require_ids(self.uid, self.gid),
            false => Err(not_privileged(
                "cap_net_admin, cap_sys_admin",
                "start it as root, or with these as ambient capabilities (AmbientCapabilities=)",
            )),
        }
    }

    fn become_resident(self) -> Result<(), Refusal> {
        let held = capabilities::permitted()?;
        let missing: Vec<Capability> = capabilities::NEEDED.into_iter().filter(|cap| !held.has(*cap)).collect();
        if !missing.is_empty() {
            let (missing, hint) = lacking(&missing);
            return Err(not_privileged(missing, hint));
        }
        held.make_effective(&[Capability::CAP_SETUID, Capability::CAP_SETGID])?;
        prctl::set_keepcaps(true).map_err(unconfined("keepcaps"))?;
        become_user(self.uid, self.gid)?;
        prctl::set_keepcaps(false).map_err(unconfined("keepcaps"))
    }
}

/// Reads back that the process is this user already, with no other group.
fn require_ids(uid: Uid, gid: Gid) -> Result<(), Refusal> {
    let uids = getresuid().map_err(unconfined("getresuid"))?;
    let gids = getresgid().map_err(unconfined("getresgid"))?;
    let others = sys::groups().map_err(unconfined("getgroups"))?.into_iter().filter(|group| *group != gid.as_raw());
    let uid_is_own = [uids.real, uids.effective, uids.saved].iter().all(|own| *own == uid);
    let gid_is_own = [gids.real, gids.effective, gids.saved].iter().all(|own| *own == gid);
    if uid_is_own && gid_is_own && others.count() == 0 {
        Ok(())
    } else {
        Err(not_privileged("the group netbroker and no other", "start netbrokerd with the group netbroker only"))
    }
}

/// Becomes a user permanently, without supplementary groups. Reads the ids back: after a partial change the process
/// must not continue.
///
/// # Errors
/// [`Refusal::NotConfined`] naming the step; the process must then end.
pub(crate) fn become_user(uid: Uid, gid: Gid) -> Result<(), Refusal> {
    sys::become_user(uid.as_raw(), gid.as_raw()).map_err(|(step, errno)| unconfined(step)(errno))?;
    let uids = getresuid().map_err(unconfined("getresuid"))?;
    let gids = getresgid().map_err(unconfined("getresgid"))?;
    let groups = sys::groups().map_err(unconfined("getgroups"))?;
    let uid_is_own = [uids.real, uids.effective, uids.saved].iter().all(|own| *own == uid);
    let gid_is_own = [gids.real, gids.effective, gids.saved].iter().all(|own| *own == gid);
    if uid_is_own && gid_is_own && groups.is_empty() {
        Ok(())
    } else {
        Err(unconfined("read back the ids")(Errno::EPERM))
    }
}

pub(super) fn is_directory(what: &FileStat) -> bool {
    what.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFDIR.bits()
}

/// Which capabilities are missing, with the reason where it can be seen, and what would give them.
fn lacking(missing: &[Capability]) -> (String, &'static str) {
    let names: Vec<String> = missing.iter().map(|cap| cap.to_string().to_lowercase()).collect();
    let nosuid = || statvfs("/proc/self/exe").is_ok_and(|at| at.flags().contains(FsFlags::ST_NOSUID));
    let (why, hint) = if getuid().is_root() {
        ("", "add these capabilities to the bounding set of the unit or container that starts netbroker")
    } else if prctl::get_no_new_privs().unwrap_or(false) {
        (" (no_new_privs is set, which switches the setuid bit and file capabilities off)", LISTENER)
    } else if nosuid() {
        (" (the program is on a file system mounted nosuid)", "install netbroker on a file system without nosuid")
    } else {
        ("", "give the program the setuid bit: owner root, group netbroker-callers, mode 4754")
    };
    (format!("{}{why}", names.join(", ")), hint)
}

/// Gives up everything permanently, in order to report a failure. The process must still read the request, because the
/// error belongs to the interface of the requested call. It must not do so with a capability or as uid 0. So it
/// continues as the caller, or as nobody where the caller is root.
///
/// # Errors
/// The step that failed; the process must then read nothing.
pub fn give_up() -> Result<(), Refusal> {
    if getuid().is_root() {
        become_nobody()?;
    } else if Uid::effective().is_root() {
        setresuid(getuid(), getuid(), getuid()).map_err(unconfined("setresuid"))?;
    }
    capabilities::keep_only(&[], &[])?;
    prctl::set_dumpable(false).map_err(unconfined("dumpable"))?;
    filter::guard(Profile::LINK, None)
}

/// Becomes nobody. `EINVAL` means that this user namespace does not map nobody: uid 0 here is then the caller's own uid
/// outside, and stays.
fn become_nobody() -> Result<(), Refusal> {
    let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    match setresgid(gid, gid, gid) {
        Err(Errno::EINVAL) => return Ok(()),
        other => other.map_err(unconfined("setresgid"))?,
    }
    setgroups(&[]).map_err(unconfined("setgroups"))?;
    setresuid(uid, uid, uid).map_err(unconfined("setresuid"))
}
