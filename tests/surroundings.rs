// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the caller, or root with good intentions, can put around the process: another /proc, namespaces, another root
//! directory, a process that shares its directory or traces it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{MTU_REQUEST, mtu, mtu_host, only_refusals, perl, text};
use common::{ALICE, Caller, Reply, Way};
use serde_json::{Value, json};

const WAYS: [Way; 3] = [Way::Setuid, Way::FileCapabilities, Way::Root];

/// Runs in a copy of the mount namespace in which root has run this script.
fn behind<'a>(caller: &Caller<'a>, script: &str) -> Caller<'a> {
    caller.clone().under(&["unshare", "--mount", "sh", "-euc", &format!("{script}; exec \"$@\""), "sh"])
}

fn ask(caller: &Caller<'_>) -> Reply {
    caller.raw(format!("{MTU_REQUEST}\0").as_bytes())
}

#[test]
fn what_is_mounted_over_proc_is_not_believed() {
    let host = mtu_host(Way::Setuid);
    host.sh("echo '0 0 4294967295' >/run/scratch/map; mkdir -p /run/scratch/proc/self; cp /run/scratch/map /run/scratch/proc/self/uid_map");
    let covers = [
        "mount -t tmpfs none /proc",
        "mount --bind /run/scratch/proc /proc",
        "mount --bind /proc/1 /proc",
        "mount --bind /proc/sys /proc",
        "mount -t tmpfs none /proc/$$/ns",
    ];
    let before = host.snapshot(&[]);
    for way in WAYS {
        host.install(way.clone());
        for cover in covers {
            let reply = ask(&behind(&host.caller(), cover));
            assert_eq!(reply.error(), "io.netbroker.Link.SystemError", "{way:?} {cover}: {reply}");
            assert!(reply.get("step").as_str().unwrap().contains("/proc"), "{way:?} {cover}: {reply}");
        }
    }
    assert_eq!(host.snapshot(&[]), before);
    only_refusals(&host);
    for way in WAYS {
        host.install(way);
        // In the initial user namespace the broker does not read the maps.
        let maps = "mount --bind /run/scratch/map /proc/$$/uid_map; mount --bind /run/scratch/map /proc/$$/gid_map";
        for other in ["mount -t proc -o hidepid=2 proc /proc", "mount -t proc -o subset=pid proc /proc", maps] {
            host.ip("link set v0 mtu 1500");
            assert_eq!((ask(&behind(&host.caller(), other)).status(), mtu(&host).as_str()), (0, "1400"), "{other}");
        }
    }
}

#[test]
fn a_root_directory_without_proc_is_refused() {
    let host = mtu_host(Way::Setuid);
    let jail = "mkdir /run/scratch/jail; mount --rbind / /run/scratch/jail; umount -l /run/scratch/jail/proc";
    let before = host.snapshot(&[]);
    for way in WAYS {
        host.install(way);
        let reply = ask(&behind(&host.caller(), jail).under(&["chroot", "/run/scratch/jail"]));
        assert_eq!(reply.error(), "io.netbroker.Link.SystemError", "{reply}");
        host.sh("rmdir /run/scratch/jail");
    }
    assert_eq!(host.snapshot(&[]), before);
}

#[test]
fn no_user_namespace_gives_a_way_in() {
    let host = mtu_host(Way::Setuid);
    let before = host.snapshot(&[]);
    for way in WAYS {
        host.install(way.clone());
        let alice = if way == Way::Root { host.as_uid(ALICE).groups(&[]) } else { host.as_uid(ALICE) };
        for options in [&["--map-root-user"][..], &["--map-root-user", "--net"], &["--map-root-user", "--mount"], &[]] {
            let inside = alice.clone().in_user_namespace(options);
            assert_eq!(ask(&inside).error(), "io.netbroker.Link.NotPrivileged", "{way:?} {options:?}");
            let as_peer = inside.args(&["--peer"]).raw_on_socket(format!("{MTU_REQUEST}\0").as_bytes());
            assert_eq!(as_peer.error(), "io.netbroker.Link.NotPrivileged", "{way:?} {options:?}");
            assert!(as_peer.get("missing").as_str().unwrap().contains("a user namespace"), "{as_peer}");
        }
    }
    assert_eq!(host.snapshot(&[]), before);
    assert!(host.trail().is_empty());
}

/// Becomes the broker in a user namespace with the maps that root writes into it. `ROOT_DOES` runs as root in between:
/// outside that namespace, but with the same mounts.
const MAPPED: &str = r#"
pipe(my $ready, my $made) or die; pipe(my $go, my $mapped) or die; my $pid = $$;
if (!fork) { sysread $ready, my $byte, 1;
    for (["uid_map", "UID_MAP"], ["gid_map", "GID_MAP"]) {
        my ($name, $text) = @$_; open my $map, ">", "/proc/$pid/$name" or die; syswrite $map, $text or die "$name: $!" }
    ROOT_DOES
    syswrite $mapped, "x"; exit }
syscall(272, 0x10000000) == 0 or die "unshare: $!"; syswrite $made, "x"; sysread $go, my $byte, 1 or die; BECOME
put(0, from("/run/scratch/request", O_RDONLY)); broker();"#;
const IDENTITY: &str = "0 0 4294967295";

fn mapped(way: &Way, uid_map: &str, gid_map: &str, root_does: &str) -> String {
    let become_alice = "$) = '64123 64001'; $( = 64123; POSIX::setuid(64123) or die;";
    MAPPED
        .replace("UID_MAP", uid_map)
        .replace("GID_MAP", gid_map)
        .replace("ROOT_DOES", root_does)
        .replace("BECOME", if *way == Way::Root { "" } else { become_alice })
}

#[test]
fn in_a_user_namespace_that_maps_everything_to_itself_the_kernel_refuses() {
    // Only root can make such a namespace. No capability in it applies outside.
    let host = mtu_host(Way::Setuid);
    let before = host.snapshot(&[]);
    for way in WAYS {
        host.install(way.clone());
        let ended = perl(&host.as_root(), &mapped(&way, IDENTITY, IDENTITY, ""));
        assert!(matches!(ended.status.code(), Some(1 | 69 | 71)), "{way:?} {ended:?}");
        assert!(text(&ended.stdout).contains("error"), "{way:?} {ended:?}");
    }
    assert_eq!(host.snapshot(&[]), before);
    assert!(host.trail().iter().all(|record| record.get("NETBROKER_RESULT") != Some("done")));
}

#[test]
fn an_identity_map_that_is_mounted_over_the_real_map_is_not_read() {
    let host = mtu_host(Way::Setuid);
    host.sh(&format!("echo '{IDENTITY}' >/run/scratch/map; chmod 644 /run/scratch/map"));
    let before = host.snapshot(&[]);
    let some = "64123 64123 1\n64001 64001 1"; // alice and the callers, without root
    let cover = |names: &str| {
        format!(r#"for (qw({names})) {{ system("mount --bind /run/scratch/map /proc/$pid/$_") == 0 or die }}"#)
    };
    for way in WAYS {
        host.install(way.clone());
        let is_refused = |reply: &str, what: &str| {
            let reply: Value = serde_json::from_str(reply.trim_end_matches('\0')).unwrap();
            let found = (&reply["error"], &reply["parameters"]["errno_name"]);
            assert_eq!(found, (&json!("io.netbroker.Link.SystemError"), &json!("EXDEV")), "{way:?} {what}: {reply}");
        };
        // Whoever makes a user namespace may do this alone.
        let alice = if way == Way::Root { host.as_uid(ALICE).groups(&[]) } else { host.as_uid(ALICE) };
        let alone = "for map in uid_map gid_map; do mount --bind /run/scratch/map /proc/$$/$map; done; exec \"$@\"";
        let inside = alice.in_user_namespace(&["--map-root-user", "--mount"]).prefix(&["sh", "-euc", alone, "sh"]);
        is_refused(&text(ask(&inside).stdout()), "alone");
        for (uid_map, covered) in [(some, "uid_map gid_map"), (some, "uid_map"), (IDENTITY, "gid_map")] {
            let ended = perl(&behind(&host.as_root(), ":"), &mapped(&way, uid_map, some, &cover(covered)));
            assert_eq!(ended.status.code(), Some(71), "{way:?} {covered}: {ended:?}");
            is_refused(&text(&ended.stdout), covered);
            // The maps themselves are refused, so it is the cover that makes the difference.
            let ended = perl(&host.as_root(), &mapped(&way, uid_map, some, ""));
            assert!(text(&ended.stdout).contains("a user namespace that maps"), "{way:?} {covered}: {ended:?}");
        }
    }
    assert_eq!(host.snapshot(&[]), before);
    assert!(host.trail().is_empty());
}

#[test]
fn a_process_that_is_traced_or_shares_its_directory_has_no_privilege() {
    let host = mtu_host(Way::Setuid);
    let before = host.snapshot(&[]);
    let input = r#"put(0, from("/run/scratch/request", O_RDONLY));"#;
    let cases = [
        // CLONE_FS: a second process with the same root, directory and umask.
        (
            "shared",
            format!(
                "my $broker = $$; if (!syscall(56, 0x200 | 17, 0, 0, 0, 0)) {{ close STDOUT; close STDERR; select undef, undef, undef, 0.01 while getppid == $broker; exit }} {input} broker();"
            ),
        ),
        // PTRACE_TRACEME; the tracer lets the process continue at each stop.
        (
            "traced",
            format!(
                r#"{input} my $pid = fork; if (!$pid) {{ syscall(101, 0, 0, 0, 0) == 0 or die; broker() }}
                while (waitpid($pid, 0) == $pid) {{
                    my $status = ${{^CHILD_ERROR_NATIVE}}; exit($status >> 8) if ($status & 0x7f) == 0;
                    exit 99 if ($status & 0xff) != 0x7f; syscall(101, 7, $pid, 0, 0) }}"#
            ),
        ),
        // The same, but the tracer detaches before the first instruction.
        (
            "let go",
            format!(
                r#"{input} my $pid = fork; if (!$pid) {{ syscall(101, 0, 0, 0, 0) == 0 or die; broker() }}
                waitpid $pid, 0; syscall(101, 17, $pid, 0, 0); waitpid $pid, 0; exit($? >> 8);"#
            ),
        ),
    ];
    for way in [Way::Setuid, Way::FileCapabilities] {
        host.install(way.clone());
        for (what, script) in &cases {
            let ended = perl(&host.caller(), script);
            assert_eq!(ended.status.code(), Some(69), "{what} {way:?}: {ended:?}");
            assert!(text(&ended.stdout).contains("io.netbroker.Link.NotPrivileged"), "{what} {way:?}: {ended:?}");
        }
    }
    assert_eq!(host.snapshot(&[]), before);
    assert!(host.trail().is_empty());
}
