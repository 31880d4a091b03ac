// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `/dev/net/tun`, through which TUN and TAP links are made. It is opened with the rights of the system user, without
//! an effective capability that overrides them, so that the mode that an administrator gives it applies.
#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, makedev};

use super::netns::ITSELF;
use crate::call::field;
use crate::refusal::{Class, KernelRefusal, Refusal, describe, system};

const DEVICE: &str = "/dev/net/tun";
/// `MISC_MAJOR` and `TUN_MINOR` (`linux/major.h`, `linux/miscdevice.h`).
const NUMBER: (u64, u64) = (10, 200);

/// Opens the device for reading, which is enough to make links. It makes them in the namespace that it is opened in.
///
/// # Errors
/// `NotSupported` naming the file and its mode.
pub(super) fn open() -> Result<OwnedFd, Refusal> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let device = openat(AT_FDCWD, DEVICE, flags, Mode::empty()).map_err(unusable)?;
    if is_device(&fstat(&device).map_err(system("stat of /dev/net/tun"))?) {
        Ok(device)
    } else {
        Err(unusable(Errno::ENODEV))
    }
}

fn is_device(what: &FileStat) -> bool {
    what.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFCHR.bits() && what.st_rdev == makedev(NUMBER.0, NUMBER.1)
}

fn unusable(errno: Errno) -> Refusal {
    let what = match fstatat(AT_FDCWD, DEVICE, ITSELF) {
        Ok(what) if is_device(&what) => {
            let mode = what.st_mode & 0o7777;
            format!("{DEVICE} has mode {mode:04o} and owner {}:{}", what.st_uid, what.st_gid)
        }
        Ok(_) => format!("{DEVICE} is not a TUN/TAP device"),
        Err(_) => format!("{DEVICE} does not exist"),
    };
    Refusal::Kernel(KernelRefusal {
        class: Class::NotSupported,
        errno,
        message: format!("{what}: the user netbroker cannot open it ({})", describe(errno)),
        field: Some(field::KIND.field.name),
        may_have_changed: false,
    })
}
