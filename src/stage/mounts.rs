// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The mount that holds /run/netns, as `/proc/self/mountinfo` tells of it.
#![forbid(unsafe_code)]

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::read;

use super::netns::DIRECTORY;
use crate::call::field;
use crate::refusal::{Class, KernelRefusal, Refusal, system};

/// What is said where nobody outside would see the namespace.
const IN_PRIVATE: &str = "the mount that holds /run/netns is a slave: this process is in a private mount namespace, and a \
    namespace made here would not be seen outside; ask a broker outside, through its socket (netbroker --peer)";

/// Whether /run/netns is a shared mount already. Where the mount that holds it is a slave, a namespace made here would be
/// invisible outside, and an empty file would take its name: a unit with a private mount namespace is such a place.
pub(super) fn is_shared() -> Result<bool, Refusal> {
    let text = read_whole("/proc/self/mountinfo")?;
    match holder(&text) {
        Some(mount) if mount.is("master:") => Err(Refusal::Kernel(KernelRefusal {
            class: Class::NotSupported,
            errno: Errno::EINVAL,
            message: IN_PRIVATE.to_owned(),
            field: Some(field::NETNS.field.name),
            may_have_changed: false,
        })),
        Some(mount) => Ok(mount.point == DIRECTORY && mount.is("shared:")),
        None => Err(Refusal::SystemError { step: "find the mount of /run/netns".to_owned(), errno: None }),
    }
}

/// A line of mountinfo. proc(5): id parent device root mount-point options [optional fields …] - …
#[derive(Debug, Clone, Copy)]
struct Mount<'a> {
    id: &'a str,
    parent: &'a str,
    point: &'a str,
    fields: &'a str,
}

impl<'a> Mount<'a> {
    /// A mount on the way to /run/netns.
    fn on_the_way(line: &'a str) -> Option<Self> {
        let mut words = line.split(' ');
        let (id, parent, point) = (words.next()?, words.next()?, words.nth(2)?);
        let holds = point == DIRECTORY || point == "/" || DIRECTORY.starts_with(&format!("{point}/"));
        holds.then(|| Self { id, parent, point, fields: line.split(" - ").next().unwrap_or_default() })
    }

    fn is(&self, what: &str) -> bool {
        self.fields.split(' ').skip(6).any(|word| word.starts_with(what))
    }
}

/// The mount that holds /run/netns: from the root on, of what is mounted on each the first on the way. A mount on
/// /run/netns itself may lie hidden under a later one on /run.
fn holder(mountinfo: &str) -> Option<Mount<'_>> {
    let mounts: Vec<Mount<'_>> = mountinfo.lines().filter_map(Mount::on_the_way).collect();
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
        assert_eq!(held_by(&[names, run].concat()), "50"); // covered
        assert_eq!(held_by(&[run, names].concat()), "50"); // in whatever order
        assert_eq!(held_by(&[names, run, within, of_a_name].concat()), "60");
        assert_eq!(held_by(&[within, again, run].concat()), "61");
        assert_eq!(held_by("43 27 0:31 / /run/netnsx rw - tmpfs tmpfs rw\n"), "27");
    }

    #[test]
    fn a_root_that_is_mounted_on_itself_is_one() {
        assert_eq!(holder("1 1 0:2 / / rw - rootfs rootfs rw\n").unwrap().id, "1");
    }
}
