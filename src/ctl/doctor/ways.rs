// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The ways in: the socket of netbrokerd, and the program with the setuid bit or file capabilities. One of them is
//! enough. A way that is open to more users than the callers is wrong even where the other one is right.
#![forbid(unsafe_code)]

use std::ffi::CString;
use std::path::Path;

use caps::Capability;
use nix::errno::Errno;
use nix::sys::stat::{FileStat, SFlag};
use nix::sys::statvfs::{FsFlags, statvfs};

pub(super) use super::super::call::via::{PROGRAM, SOCKET};
use super::super::read::has_type;
use super::accounts::Ids;
use super::listening;
use super::places::{on_the_way, status};
use super::point::Point;
use super::unit;
use crate::refusal::describe;
use crate::stage::capabilities::NEEDED;
use crate::sys;

/// Gives the program the setuid bit.
const SET_BIT: &str =
    "chown root:netbroker-callers /usr/libexec/netbroker/netbroker && chmod 4754 /usr/libexec/netbroker/netbroker";
/// Gives the program file capabilities.
const SET_CAPABILITIES: &str = "setcap cap_net_admin,cap_sys_admin,cap_setuid,cap_setgid,cap_dac_override=p \
    /usr/libexec/netbroker/netbroker";

/// What a way is.
#[derive(Debug)]
enum Way {
    /// There is none: why, and the command that makes it.
    Absent(&'static str, Option<String>),
    /// It works: this is what it is.
    Works(String),
    /// These points are wrong.
    Wrong(Vec<Point>),
    /// It cannot be seen.
    Unseen(&'static str),
}

impl Way {
    fn exists(&self) -> bool {
        !matches!(self, Self::Absent(..))
    }

    /// The points about it. An absent way is only missing if there is no other one.
    fn points(self, about: &str, program: &str, other: (bool, &str)) -> Vec<Point> {
        let (other_exists, other) = other;
        match self {
            Self::Works(what) => vec![Point::ok(about, what)],
            Self::Wrong(points) => points,
            Self::Unseen(why) => vec![Point::unseen(about, why)],
            Self::Absent(why, _) if other_exists => vec![Point::ok(about, format!("{why}; callers use {other}"))],
            Self::Absent(why, None) => vec![Point::missing(about, format!("{why}; install {program}"))],
            Self::Absent(why, Some(command)) => {
                vec![Point::missing(about, format!("{why}, and {other} is no way in either")).run(command)]
            }
        }
    }
}

/// Examines both ways.
pub(super) fn examine(ids: &Ids) -> Vec<Point> {
    let (socket, program) = (socket(ids), program(ids));
    let (by_socket, by_program) = (socket.exists(), program.exists());
    let mut points = on_the_way(Path::new(PROGRAM).parent().unwrap_or(Path::new("/")));
    points.extend(socket.points(SOCKET, "netbrokerd", (by_program, "the program")));
    points.extend(program.points(PROGRAM, "netbroker", (by_socket, "the socket")));
    points
}

// ---- the socket ----

/// The units that are started together: systemd starts those that another one enables only at the next boot.
const UNITS: &str = "netbroker-policy.service netbroker-policy.path netbroker.socket";

/// The commands that start the listener, and that start it again: systemd's, that of `OpenRC`, or the listener itself.
/// `None` if it is not installed.
fn start_socket() -> Option<[String; 2]> {
    if unit::is_running_systemd() && unit::exists("netbroker.socket") {
        return Some([format!("systemctl enable --now {UNITS}"), "systemctl restart netbroker.socket".to_owned()]);
    }
    let same = |command: &str| Some([command.to_owned(), command.to_owned()]);
    if status("/run/openrc").is_ok() && status("/etc/init.d/netbrokerd").is_ok() {
        return same("rc-service netbrokerd restart");
    }
    status("/usr/sbin/netbrokerd").ok()?;
    same("netbrokerd --group \"$(getent group netbroker-callers | cut -d: -f3)\"")
}

fn socket(ids: &Ids) -> Way {
    let what = match status(SOCKET) {
        Err(Errno::ENOENT) => return Way::Absent("does not exist", start_socket().map(|[start, _]| start)),
        Err(errno) => return Way::Unseen(describe(errno)),
        Ok(what) => what,
    };
    let wrong = |found: String, command: String| Point::wrong(SOCKET, found).run(command);
    if !has_type(&what, SFlag::S_IFSOCK) {
        return Way::Wrong(vec![made_again("is not a socket", &format!("rm -r {SOCKET} && "))]);
    }
    let mut points = Vec::new();
    if what.st_uid != 0 || ids.callers.is_none_or(|callers| what.st_gid != callers) {
        let found = format!("belongs to {}:{}, expected root:netbroker-callers", what.st_uid, what.st_gid);
        // The directory belongs to netbroker, so the path could be a symbolic link meanwhile.
        points.push(wrong(found, format!("chown --no-dereference root:netbroker-callers {SOCKET}")));
    }
    let mode = what.st_mode & 0o7777;
    if mode != 0o660 {
        // chmod(1) follows symbolic links.
        points.push(made_again(&format!("has mode {mode:04o}, expected 0660"), ""));
    }
    match listening::on(&what) {
        Ok(true) => {}
        Ok(false) => points.push(made_again("nobody listens on it", "")),
        Err(_) if points.is_empty() => return Way::Unseen("the kernel does not say who listens (CONFIG_UNIX_DIAG)"),
        Err(_) => {}
    }
    if points.is_empty() {
        Way::Works("root:netbroker-callers 0660, a process listens".to_owned())
    } else {
        Way::Wrong(points)
    }
}

/// The point with the command that makes the socket anew, after the command of the point itself.
fn made_again(found: &str, before: &str) -> Point {
    let point = Point::wrong(SOCKET, found);
    match start_socket() {
        Some([_, again]) => point.run(format!("{before}{again}")),
        None => point,
    }
}

// ---- the program ----

fn program(ids: &Ids) -> Way {
    let what = match status(PROGRAM) {
        Err(Errno::ENOENT) => return Way::Absent("does not exist", None),
        Err(errno) => return Way::Unseen(describe(errno)),
        Ok(what) => what,
    };
    if !has_type(&what, SFlag::S_IFREG) {
        return Way::Wrong(vec![Point::wrong(PROGRAM, "is not a file; install netbroker again")]);
    }
    let capabilities = match CString::new(PROGRAM).map(|path| sys::file_capabilities(&path)) {
        Ok(Ok(bytes)) => Some(FileCapabilities::parse(&bytes)),
        _ => None,
    };
    let mut points = anybody(&what);
    let has_bit = what.st_mode & 0o4000 != 0;
    let way = match (has_bit, capabilities) {
        (false, None) if points.is_empty() => {
            let why = "has neither the setuid bit nor file capabilities (sudo may still start it)";
            return Way::Absent(why, Some(SET_BIT.to_owned()));
        }
        (false, None) => return Way::Wrong(points),
        (true, Some(_)) => {
            let found = "has the setuid bit and file capabilities; one of them is enough";
            points.push(Point::wrong(PROGRAM, found).run(format!("setcap -r {PROGRAM}")));
            "setuid root".to_owned()
        }
        (true, None) => "setuid root".to_owned(),
        (false, Some(capabilities)) => {
            points.extend(capabilities.examine());
            "file capabilities".to_owned()
        }
    };
    points.extend(only_callers(&what, ids, has_bit));
    if statvfs(PROGRAM).is_ok_and(|at| at.flags().contains(FsFlags::ST_NOSUID)) {
        let found = "is on a file system that is mounted nosuid, so callers get no privilege from it";
        let command = format!("mount -o remount,suid \"$(findmnt -n -o TARGET -T {PROGRAM})\"");
        points.push(Point::wrong(PROGRAM, found).run(command));
    }
    let mode = what.st_mode & 0o7777;
    if points.is_empty() { Way::Works(format!("{way}, {mode:04o} root:netbroker-callers")) } else { Way::Wrong(points) }
}

/// Nobody but root may be able to change the program.
fn anybody(what: &FileStat) -> Vec<Point> {
    let mode = what.st_mode & 0o7777;
    let mut points = Vec::new();
    if what.st_uid != 0 {
        let found = format!("belongs to uid {}, who can replace it", what.st_uid);
        points.push(Point::wrong(PROGRAM, found).run(SET_BIT));
    }
    if mode & 0o022 != 0 {
        let found = format!("has mode {mode:04o}, so users other than root can replace it");
        points.push(Point::wrong(PROGRAM, found).run(format!("chmod go-w {PROGRAM}")));
    }
    if mode & 0o2000 != 0 {
        let found = format!("has mode {mode:04o}, with a setgid bit that it does not need");
        points.push(Point::wrong(PROGRAM, found).run(format!("chmod g-s {PROGRAM}")));
    }
    points
}

/// A privileged program may be started by the group of the callers, and by nobody else.
fn only_callers(what: &FileStat, ids: &Ids, has_bit: bool) -> Vec<Point> {
    let mode = what.st_mode & 0o7777;
    let mut points = Vec::new();
    if mode & 0o001 != 0 {
        let found = format!("has mode {mode:04o}, so every user can start it with privilege");
        points.push(Point::wrong(PROGRAM, found).run(format!("chmod o-x {PROGRAM}")));
    }
    if ids.callers.is_none_or(|callers| what.st_gid != callers) {
        // A change of group takes the bit and the capabilities away.
        let again = if has_bit {
            SET_BIT.to_owned()
        } else {
            format!("chown root:netbroker-callers {PROGRAM} && {SET_CAPABILITIES}")
        };
        let found = format!("belongs to the group {}, expected netbroker-callers", what.st_gid);
        points.push(Point::wrong(PROGRAM, found).run(again));
    } else if mode & 0o010 == 0 {
        let found = format!("has mode {mode:04o}, so the callers cannot start it");
        points.push(Point::wrong(PROGRAM, found).run(format!("chmod g+rx {PROGRAM}")));
    }
    points
}

/// `security.capability` (`linux/capability.h`, `struct vfs_ns_cap_data`).
#[derive(Debug, PartialEq, Eq)]
struct FileCapabilities {
    /// Whether they are effective at once. Then exec fails where one of them is missing.
    effective: bool,
    permitted: u64,
    inheritable: u64,
    /// The root of the user namespace in which they apply.
    root: u32,
}

impl FileCapabilities {
    /// Every version has little-endian words: version and flags, then permitted and inheritable for each 32
    /// capabilities, then the root of a user namespace.
    fn parse(bytes: &[u8]) -> Self {
        let words: Vec<u32> = bytes.chunks_exact(4).map(|word| word.try_into().map_or(0, u32::from_le_bytes)).collect();
        let word = |at: usize| words.get(at).copied().unwrap_or(0);
        let both = |low: usize, high: usize| u64::from(word(low)) | u64::from(word(high)) << 32;
        Self { effective: word(0) & 1 != 0, permitted: both(1, 3), inheritable: both(2, 4), root: word(5) }
    }

    fn examine(&self) -> Vec<Point> {
        let named = |capabilities: u64| {
            let names = caps::all().into_iter().filter(|cap| capabilities & cap.bitmask() != 0);
            let mut names: Vec<String> = names.map(|cap| cap.to_string().to_lowercase()).collect();
            names.sort();
            names.join(", ")
        };
        let bits = |of: &[Capability]| of.iter().fold(0, |bits, cap| bits | cap.bitmask());
        let (needed, useful) = (bits(&NEEDED), bits(&NEEDED) | Capability::CAP_DAC_OVERRIDE.bitmask());
        let (lacking, beyond) = (needed & !self.permitted, (self.permitted | self.inheritable) & !useful);
        let mut found = Vec::new();
        if lacking != 0 {
            found.push(format!("lacks the file capabilities {}", named(lacking)));
        }
        if beyond != 0 {
            found.push(format!("has file capabilities that it does not need: {}", named(beyond)));
        }
        if self.effective || self.inheritable != 0 {
            found.push("has file capabilities that are not permitted only (`=p`)".to_owned());
        }
        if self.root != 0 {
            found.push(format!("has file capabilities for the user namespace of uid {}", self.root));
        }
        found.into_iter().map(|found| Point::wrong(PROGRAM, found).run(SET_CAPABILITIES)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_capabilities_are_read_as_the_kernel_keeps_them() {
        // setcap cap_net_admin,cap_sys_admin,cap_setuid,cap_setgid,cap_dac_override=p
        let as_kept = [0, 0, 0, 2, 0xc2, 0x10, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let own = FileCapabilities::parse(&as_kept);
        assert_eq!(own, FileCapabilities { effective: false, permitted: 0x20_10c2, inheritable: 0, root: 0 });
        assert!(own.examine().is_empty());
        let with_root = [&[1, 0, 0, 3][..], &as_kept[4..], &[0xe8, 3, 0, 0]].concat();
        let other = FileCapabilities::parse(&with_root);
        assert_eq!(other, FileCapabilities { effective: true, permitted: 0x20_10c2, inheritable: 0, root: 1000 });
        assert_eq!(other.examine().len(), 2);
        let nothing = FileCapabilities::parse(&[]);
        assert_eq!(nothing, FileCapabilities { effective: false, permitted: 0, inheritable: 0, root: 0 });
    }
}
