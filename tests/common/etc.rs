// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The `/etc` of a host. The machine's programs keep working; its users, sudo rules and policies have no effect.

use super::{ALICE, BOB, CALLERS, NETBROKER, mounts};
use std::fs;

/// What is copied where the kernel has no overlayfs: the loader, names, sudo and iproute2.
const NEEDED: &[&str] = &[
    "alternatives",
    "environment",
    "group",
    "gshadow",
    "hostname",
    "iproute2",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "login.defs",
    "machine-id",
    "nsswitch.conf",
    "pam.conf",
    "pam.d",
    "passwd",
    "protocols",
    "security",
    "services",
    "shadow",
    "shells",
    "sudo.conf",
];

/// Debian's own defaults without the log: sudo would write into a test's syslog.
const SUDOERS: &str = "\
Defaults env_reset
Defaults mail_badpass
Defaults secure_path=\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"
Defaults use_pty
Defaults !syslog
root ALL=(ALL:ALL) ALL
@includedir /etc/sudoers.d
";

/// No account is checked by PAM: a machine's LDAP or fingerprint reader is not part of a test.
const PAM: &str = "\
auth required pam_permit.so
account required pam_permit.so
session required pam_permit.so
";

/// Mounts it and writes the files of the host.
pub(super) fn make(by_copy: bool) {
    if by_copy || !mounts::overlay_etc() {
        mounts::copy_etc(NEEDED);
    }
    // The policies of an installed netbroker, and the machine's own sudo rules, would apply in addition to the test's.
    for own in ["/etc/netbroker", "/etc/sudoers.d"] {
        let _ = fs::remove_dir_all(own);
    }
    mounts::directory("/etc/netbroker", 0o755, 0, 0);
    mounts::directory("/etc/netbroker/policy.d", 0o755, 0, 0);
    mounts::directory("/etc/sudoers.d", 0o750, 0, 0);
    let _ = fs::create_dir("/etc/pam.d");
    write("/etc/sudoers", 0o440, SUDOERS);
    write("/etc/pam.d/sudo", 0o644, PAM);
    write("/etc/nsswitch.conf", 0o644, "passwd: files\ngroup: files\nshadow: files\nhosts: files\n");
    let name =
        nix::sys::utsname::uname().map_or_else(|_| String::new(), |u| u.nodename().to_string_lossy().into_owned());
    write("/etc/hosts", 0o644, &format!("127.0.0.1 localhost {name}\n"));

    let user = |name: &str, id: u32| (name.to_owned(), format!("{name}:x:{id}:{id}::/nonexistent:/usr/sbin/nologin"));
    add("/etc/passwd", &[user("netbroker", NETBROKER), user("alice", ALICE), user("bob", BOB)]);
    let group = |name: &str, id: u32, members: &str| (name.to_owned(), format!("{name}:x:{id}:{members}"));
    add(
        "/etc/group",
        &[
            group("netbroker", NETBROKER, ""),
            group("netbroker-callers", CALLERS, "alice,bob"),
            group("alice", ALICE, ""),
            group("bob", BOB, ""),
        ],
    );
}

/// Writes a root-owned file with exactly this mode.
pub(super) fn write(path: &str, mode: u32, text: &str) {
    fs::write(path, text).unwrap_or_else(|e| panic!("{path}: {e}"));
    mounts::set(path, mode, 0, 0);
}

/// Adds entries to a passwd or group file, in place of those that the machine may have under the same names.
fn add(path: &str, entries: &[(String, String)]) {
    let old = fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let named = |line: &&str| entries.iter().any(|(name, _)| line.split(':').next() == Some(name));
    let kept = old.lines().filter(|line| !named(line));
    let all: Vec<&str> = kept.chain(entries.iter().map(|(_, line)| line.as_str())).collect();
    write(path, 0o644, &format!("{}\n", all.join("\n")));
}
