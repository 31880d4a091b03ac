// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Becoming the system user `netbroker`. uid 0 without a single capability still owns /etc/shadow and `core_pattern`, and
//! the caller's own uid could signal and trace the process: so it is never one of these again.
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
use crate::caller::{Caller, WAYS};
use crate::refusal::{Refusal, unconfined};
use crate::sys;

/// The kernel's ids for "nobody here".
const NOBODY: u32 = 65534;

/// The system user, by number.
#[derive(Debug, Clone, Copy)]
pub(super) struct SystemUser {
    uid: Uid,
    gid: Gid,
}

fn not_privileged(missing: impl Into<String>) -> Refusal {
    Refusal::NotPrivileged { missing: missing.into(), hint: WAYS.to_owned() }
}

impl SystemUser {
    /// The numbers are the owner and the group of `/run/netbroker`: no look-up by name, which would run NSS modules.
    pub(super) fn find() -> Result<Self, Refusal> {
        let look = |path: &str| fstatat(nix::fcntl::AT_FDCWD, path, AtFlags::AT_SYMLINK_NOFOLLOW);
        let runtime = look("/run").map_err(|errno| not_privileged(format!("/run: {}", errno.desc())))?;
        if runtime.st_uid != 0 || runtime.st_mode & 0o022 != 0 {
            return Err(not_privileged("a /run that belongs to root and only root may write"));
        }
        let own = look("/run/netbroker").map_err(|errno| {
            not_privileged(format!(
                "/run/netbroker: {}; systemd-tmpfiles makes it, or `install -d -m 0755 -o netbroker -g netbroker /run/netbroker`",
                errno.desc()
            ))
        })?;
        if !is_directory(&own) || own.st_mode & 0o7777 != 0o755 {
            return Err(not_privileged("a /run/netbroker that is a directory of mode 0755"));
        }
        if [0, NOBODY, u32::MAX].iter().any(|id| own.st_uid == *id || own.st_gid == *id) {
            return Err(not_privileged("a /run/netbroker that belongs to the system user and group netbroker"));
        }
        Ok(Self { uid: Uid::from_raw(own.st_uid), gid: Gid::from_raw(own.st_gid) })
    }

    pub(super) fn uid(self) -> u32 {
        self.uid.as_raw()
    }

    pub(super) fn gid(self) -> Gid {
        self.gid
    }

    /// Becomes the user. The permitted capabilities stay until the policy says which of them this caller can need.
    pub(super) fn become_it(self, caller: &Caller) -> Result<(), Refusal> {
        if caller.uid == self.uid.as_raw() || caller.all_gids().any(|gid| gid == self.gid.as_raw()) {
            return Err(not_privileged("a caller other than the user and group netbroker themselves"));
        }
        let held = capabilities::permitted()?;
        let missing: Vec<Capability> = capabilities::NEEDED.into_iter().filter(|cap| !held.has(*cap)).collect();
        if !missing.is_empty() {
            return Err(not_privileged(lacking(&missing)));
        }
        held.make_effective(&[Capability::CAP_SETUID, Capability::CAP_SETGID])?;
        prctl::set_keepcaps(true).map_err(unconfined("keepcaps"))?;
        become_user(self.uid, self.gid)?;
        prctl::set_keepcaps(false).map_err(unconfined("keepcaps"))
    }
}

/// Becomes a user for good, without supplementary groups. The ids are read back: a partial change must not go on.
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

/// Which capabilities are missing, and why, as far as that can be seen.
fn lacking(missing: &[Capability]) -> String {
    let names: Vec<String> = missing.iter().map(|cap| cap.to_string().to_lowercase()).collect();
    let nosuid = || statvfs("/proc/self/exe").is_ok_and(|at| at.flags().contains(FsFlags::ST_NOSUID));
    let why = if prctl::get_no_new_privs().unwrap_or(false) {
        " (no_new_privs is set, which switches the setuid bit and file capabilities off)"
    } else if nosuid() {
        " (the program lies on a file system mounted nosuid)"
    } else {
        ""
    };
    format!("{}{why}", names.join(", "))
}

/// Gives up everything for good, so that a failure can be told: the request still has to be read to know in whose
/// interface. Not with a capability, and not as uid 0: where the caller is another, as the caller; where it is root, as
/// nobody.
///
/// # Errors
/// What could not be given up; then nothing may be read.
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

/// `EINVAL`: nobody is not mapped here. In such a user namespace uid 0 is the caller's own uid by another name.
fn become_nobody() -> Result<(), Refusal> {
    let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    match setresgid(gid, gid, gid) {
        Err(Errno::EINVAL) => return Ok(()),
        other => other.map_err(unconfined("setresgid"))?,
    }
    setgroups(&[]).map_err(unconfined("setgroups"))?;
    setresuid(uid, uid, uid).map_err(unconfined("setresuid"))
}
