// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The directories that netbroker uses, what is in /run/netns, and the device of TUN and TAP links.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::stat::{FileStat, SFlag, fstatat, major, minor};

use super::super::files::INSTALLED;
use super::super::names;
use super::super::read::has_type;
use super::super::reason;
use super::super::state::{RUN, STATE};
use super::Needs;
use super::accounts::Ids;
use super::point::{Point, or_ok, quoted};
use crate::call::name::NetnsName;
use crate::call::needs::Profile;
use crate::refusal::describe;
use crate::stage::mounts::Sharing;
use crate::stage::netns::DIRECTORY;

/// The device that makes TUN and TAP links, and its number.
const TUN: &str = "/dev/net/tun";
const TUN_NUMBER: (u64, u64) = (10, 200);
/// How many names are shown.
const MOST_NAMES: usize = 20;

/// The status of a file itself, not of what it links to.
pub(super) fn status(path: &str) -> nix::Result<FileStat> {
    fstatat(AT_FDCWD, path, AtFlags::AT_SYMLINK_NOFOLLOW)
}

/// A directory, with what it must be.
struct Place {
    path: &'static str,
    /// The number and the name of the owner and of the group; no number if the account does not exist.
    owner: (Option<u32>, &'static str),
    group: (Option<u32>, &'static str),
    /// Its mode. Without one, it is enough that only root can write it.
    mode: Option<u32>,
    command: &'static str,
}

/// Every directory.
pub(super) fn directories(ids: &Ids) -> Vec<Point> {
    let root = (Some(0), "root");
    [
        Place {
            path: RUN,
            owner: (ids.user, "netbroker"),
            group: (ids.group, "netbroker"),
            mode: Some(0o755),
            command: "install -d -m 0755 -o netbroker -g netbroker /run/netbroker",
        },
        Place {
            path: DIRECTORY,
            owner: root,
            group: root,
            mode: Some(0o755),
            command: "install -d -m 0755 /run/netns",
        },
        Place {
            path: STATE,
            owner: root,
            group: (ids.group, "netbroker"),
            mode: Some(0o750),
            command: "install -d -m 0750 -o root -g netbroker /var/lib/netbroker",
        },
        Place {
            path: INSTALLED,
            owner: root,
            group: (None, "root"),
            mode: None,
            command: "install -d -m 0755 -o root -g root /etc/netbroker /etc/netbroker/policy.d",
        },
    ]
    .iter()
    .flat_map(Place::examine)
    .collect()
}

impl Place {
    fn examine(&self) -> Vec<Point> {
        let parent = Path::new(self.path).parent().unwrap_or(Path::new("/"));
        let mut points = on_the_way(parent);
        let what = match status(self.path) {
            Err(Errno::ENOENT) => {
                points.push(Point::missing(self.path, "does not exist").run(self.command));
                return points;
            }
            Err(errno) => {
                points.push(Point::unseen(self.path, describe(errno)));
                return points;
            }
            Ok(what) => what,
        };
        if !has_type(&what, SFlag::S_IFDIR) {
            let command = format!("mv {0} {0}.old && {1}", self.path, self.command);
            points.push(Point::wrong(self.path, "is not a directory").run(command));
            return points;
        }
        let mode = what.st_mode & 0o7777;
        let is_mode = self.mode.map_or(mode & 0o022 == 0, |wanted| mode == wanted);
        let is_of = |number: u32, (wanted, _): (Option<u32>, &str)| wanted.is_none_or(|wanted| number == wanted);
        if !is_mode || !is_of(what.st_uid, self.owner) || !is_of(what.st_gid, self.group) {
            let wanted = self
                .mode
                .map_or_else(|| "no write permission for others".to_owned(), |mode| format!("mode {mode:04o}"));
            let found = format!(
                "belongs to {}:{} with mode {mode:04o}, expected {}:{} with {wanted}",
                what.st_uid, what.st_gid, self.owner.1, self.group.1
            );
            points.push(Point::wrong(self.path, found).run(self.command));
        }
        or_ok(points, self.path, format!("{}:{} {mode:04o}", self.owner.1, self.group.1))
    }
}

/// A point for the first directory on the way to a path, and the last of it, that users other than root can replace.
pub(super) fn on_the_way(path: &Path) -> Vec<Point> {
    let mut way: Vec<&Path> = path.ancestors().collect();
    way.reverse();
    for directory in way {
        let shown = directory.display().to_string();
        let Ok(what) = status(&shown) else {
            return Vec::new(); // what is in it is reported
        };
        if !has_type(&what, SFlag::S_IFDIR) {
            return vec![Point::wrong(&shown, "is not a directory").run(format!("mv {shown} {shown}.old"))];
        }
        if what.st_uid != 0 {
            let found = format!("belongs to uid {}, who can replace what is in it", what.st_uid);
            return vec![Point::wrong(&shown, found).run(format!("chown root {shown}"))];
        }
        if what.st_mode & 0o022 != 0 {
            let found =
                format!("has mode {:04o}, so users other than root can replace what is in it", what.st_mode & 0o7777);
            return vec![Point::wrong(&shown, found).run(format!("chmod go-w {shown}"))];
        }
    }
    Vec::new()
}

/// Whether namespaces that are made appear in every mount namespace.
pub(super) fn sharing() -> Option<Point> {
    let about = format!("mount of {DIRECTORY}");
    if status(DIRECTORY).is_err() {
        return None; // reported as a directory
    }
    Some(match names::sharing() {
        Ok(Sharing::Shared) => Point::ok(about, "shared"),
        Ok(Sharing::Unshared) => Point::missing(
            about,
            "is not a shared mount; until it is one, any local user can keep Netns.Add and `ip netns add` busy",
        )
        .run("netbrokerctl policy install"),
        Ok(Sharing::Slave) => Point::wrong(
            about,
            "is a slave of another mount namespace, so namespaces that are made here do not appear there",
        )
        .run(format!(
            "mount --bind {DIRECTORY} {DIRECTORY} && mount --make-private {DIRECTORY} && mount \
            --make-shared {DIRECTORY}"
        )),
        Err(why) => Point::unseen(about, why),
    })
}

/// The names under /run/netns that no request can give.
pub(super) fn names() -> Vec<Point> {
    let about = format!("names in {DIRECTORY}");
    let entries = match fs::read_dir(DIRECTORY) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(), // reported as a directory
        Err(error) => return vec![Point::unseen(about, reason(&error))],
    };
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    let mut points = Vec::new();
    let mut unnameable = 0;
    for name in &names {
        let Some(why) = refusal(name) else { continue };
        unnameable += 1;
        if unnameable <= MOST_NAMES {
            let shown = shown(name);
            points.push(
                Point::wrong(&about, format!("`{shown}` {why}, so no request can give it")).run(rename(name, &names)),
            );
        }
    }
    if unnameable > MOST_NAMES {
        points.push(Point::wrong(&about, format!("{} more that no request can give", unnameable - MOST_NAMES)));
    }
    let all = format!(
        "requests can give {}",
        if names.len() == 1 { "the one name".to_owned() } else { format!("all {} names", names.len()) }
    );
    or_ok(points, &about, if names.is_empty() { "there are none".to_owned() } else { all })
}

/// A name in ASCII, with escapes for what a terminal would not show.
fn shown(name: &OsStr) -> String {
    let shown = |b: &u8| if matches!(b, b' '..=b'~') { char::from(*b).to_string() } else { format!("\\x{b:02x}") };
    name.as_bytes().iter().map(shown).collect()
}

/// Why no request can give a name.
fn refusal(name: &OsStr) -> Option<String> {
    let Some(text) = name.to_str() else { return Some("is not UTF-8".to_owned()) };
    if text.starts_with('@') {
        return Some("begins with `@`".to_owned());
    }
    NetnsName::parse(text).err().map(|why| why.to_string())
}

/// The command that gives a namespace another name. A mount point cannot be renamed.
fn rename(name: &OsStr, taken: &[OsString]) -> String {
    let good = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let mapped: String = name.as_bytes().iter().take(200).map(|b| if good(b) { char::from(*b) } else { '-' }).collect();
    let mapped = format!("netns-{}", mapped.trim_matches('-'));
    let free = (0..).map(|n| if n == 0 { mapped.clone() } else { format!("{mapped}-{n}") });
    let new = free.into_iter().find(|new| !taken.iter().any(|name| name == new.as_str())).unwrap_or_default();
    let (old, new) =
        (quoted(format!("{DIRECTORY}/").as_bytes()) + &quoted(name.as_bytes()), format!("{DIRECTORY}/{new}"));
    format!("touch {new} && mount --bind {old} {new} && umount {old} && rm {old}")
}

/// The device of TUN and TAP links, which rules may need.
pub(super) fn tun(ids: &Ids, needs: &Needs) -> Point {
    let make = format!("mkdir -p /dev/net && mknod -m 0666 {TUN} c {} {}", TUN_NUMBER.0, TUN_NUMBER.1);
    let what = match status(TUN) {
        Ok(what) => what,
        Err(Errno::ENOENT) if !needs.has(Profile::TUN) => {
            return Point::ok(TUN, "does not exist, and no rule needs it");
        }
        Err(Errno::ENOENT) => {
            return Point::missing(TUN, "does not exist, so links of kind tun cannot be made").run(make);
        }
        Err(errno) => return Point::unseen(TUN, describe(errno)),
    };
    if !has_type(&what, SFlag::S_IFCHR) || (major(what.st_rdev), minor(what.st_rdev)) != TUN_NUMBER {
        return Point::wrong(TUN, "is not the device of TUN and TAP links").run(format!("rm {TUN} && {make}"));
    }
    let right = match (Some(what.st_uid) == ids.user, Some(what.st_gid) == ids.group) {
        (true, _) => 0o400,
        (false, true) => 0o040,
        (false, false) => 0o004,
    };
    let mode = what.st_mode & 0o7777;
    if mode & right != 0 {
        return Point::ok(TUN, format!("mode {mode:04o}"));
    }
    if !needs.has(Profile::TUN) {
        return Point::ok(TUN, format!("has mode {mode:04o}, so netbroker cannot open it; no rule needs it"));
    }
    Point::wrong(TUN, format!("has mode {mode:04o}, so the user netbroker cannot open it"))
        .run(format!("chmod 0666 {TUN}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_cannot_be_given_is_mapped_to_a_free_one() {
        let taken: Vec<OsString> = ["netns-a-b", "a:b"].map(Into::into).to_vec();
        let expected = "touch /run/netns/netns-a-b-1 && mount --bind /run/netns/a:b /run/netns/netns-a-b-1 && umount \
            /run/netns/a:b && rm /run/netns/a:b";
        assert_eq!(rename(OsStr::new("a:b"), &taken), expected);
        assert!(rename(OsStr::new("@host"), &taken).starts_with("touch /run/netns/netns-host &&"));
        assert!(rename(OsStr::from_bytes(b"a\xff"), &taken).contains("/run/netns/\"$(printf 'a\\377')\""));
    }

    #[test]
    fn a_name_is_refused_where_a_request_would_be() {
        for (name, why) in [
            ("a", None),
            ("@host", Some("begins with `@`")),
            ("default", Some("is a reserved word")),
            ("a:b", Some("must not contain `:`")),
            ("ü", Some("contains `ü` (U+00FC) at position 1, which is not ASCII")),
        ] {
            let refused = refusal(OsStr::new(name));
            assert_eq!(refused.is_some(), why.is_some(), "{name}: {refused:?}");
            assert!(why.is_none_or(|why| refused.unwrap().contains(why)), "{name}");
        }
        assert_eq!(refusal(OsStr::from_bytes(b"\xff")).as_deref(), Some("is not UTF-8"));
    }
}
