// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What else a process hands down to the process that it becomes: attributes, an environment and arguments of any form
//! and size. The broker undoes each of them, or it makes no difference.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{MTU_REQUEST, half_asked, mtu, mtu_host, perl, text};
use common::{ALICE, Way};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

/// What the caller does before it becomes the broker (x86-64's numbers); the file under /proc/PID that shows it; and
/// what that file must then contain. `?` means that nothing shows it, but that the call is served.
const ATTRIBUTES: &[(&str, &str, &str, &str)] = &[
    ("a slack of eleven days", "syscall(157, 29, 10 ** 15) == 0 or die;", "timerslack_ns", "50000\n"),
    ("no slack", "syscall(157, 29, 1) == 0 or die;", "timerslack_ns", "50000\n"),
    ("its end with its parent's", "syscall(157, 1, 9) == 0 or die;", "?", ""),
    ("other people's orphans", "syscall(157, 36, 1) == 0 or die;", "?", ""),
    ("no huge pages", "syscall(157, 41, 1, 0, 0, 0) == 0 or die;", "?", ""),
    ("a name", r#"my $name = "x\n) R 1"; syscall(157, 15, $name) == 0 or die;"#, "comm", "netbroker\n"),
    ("an alarm", "my $t = pack 'q4', 0, 100000, 0, 200000; syscall(38, 0, $t, 0) == 0 or die;", "?", ""),
    ("the lowest priority", "syscall(141, 0, 0, 19) == 0 or die;", "?", ""),
    ("idle time only", "my $p = pack 'i', 0; syscall(144, 0, 5, $p) == 0 or die;", "?", ""),
    ("idle disks only", "syscall(251, 1, 0, 3 << 13) == 0 or die;", "?", ""),
    ("one processor", "my $one = pack 'Q', 1; syscall(203, 0, 8, $one) >= 0 or die;", "?", ""),
    (
        "the first to go without memory",
        "open my $h, '>', '/proc/self/oom_score_adj'; print $h 1000; close $h;",
        "?",
        "",
    ),
    ("a directory that is gone", "chdir '/run/scratch/d'; rmdir '/run/scratch/d' or die;", "?", ""),
    ("a directory that it may not enter", "chdir '/run/scratch/d'; chmod 0, '.';", "?", ""),
    ("no dumps", "syscall(157, 4, 0) == 0 or die;", "?", ""),
];

#[test]
fn attributes_of_the_process_are_undone_or_make_no_difference() {
    let host = mtu_host(Way::Setuid);
    for way in [Way::Setuid, Way::FileCapabilities, Way::Root] {
        host.install(way.clone());
        for (what, script, file, expected) in ATTRIBUTES {
            host.sh("ip link set v0 mtu 1500; rm -rf /run/scratch/d; install -d -m 777 /run/scratch/d");
            host.sh("chown alice /run/scratch/d");
            let (mut running, _) = half_asked(&host.caller(), script);
            if *file != "?" {
                let shown = fs::read_to_string(format!("/proc/{}/{file}", running.pid())).unwrap();
                assert_eq!(shown, *expected, "{what} {way:?}");
            }
            if what.contains("alarm") {
                std::thread::sleep(Duration::from_millis(400));
            }
            running.send(&MTU_REQUEST.as_bytes()[30..]);
            let reply = running.finish();
            assert_eq!((reply.status(), mtu(&host).as_str()), (0, "1400"), "{what} {way:?}: {reply}");
        }
    }
}

#[test]
fn a_layout_of_memory_that_the_caller_knows_is_not_inherited_with_privilege() {
    let host = mtu_host(Way::Setuid);
    // ADDR_NO_RANDOMIZE, MMAP_PAGE_ZERO, ADDR_COMPAT_LAYOUT, READ_IMPLIES_EXEC of personality(2).
    const UNSAFE: u64 = 0x004_0000 | 0x010_0000 | 0x020_0000 | 0x040_0000;
    for way in [Way::Setuid, Way::FileCapabilities] {
        host.install(way);
        let (running, _) = half_asked(&host.caller(), &format!("syscall(135, {UNSAFE}) >= 0 or die;"));
        let shown = fs::read_to_string(format!("/proc/{}/personality", running.pid())).unwrap();
        assert_eq!(u64::from_str_radix(shown.trim(), 16).unwrap() & UNSAFE, 0, "{shown}");
    }
}

#[test]
fn secure_bits_leave_no_capability_behind() {
    let host = mtu_host(Way::Root);
    let mask = |status: &str, name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(line.trim_start_matches(":\t"), 16).unwrap()
    };
    for bits in ["+no_setuid_fixup", "+no_setuid_fixup_locked,+noroot_locked"] {
        let (mut running, status) = half_asked(&host.caller().setpriv(&["--securebits", bits]), "");
        assert_eq!(mask(&status, "CapEff"), 0, "{bits}: {status}");
        assert_eq!(mask(&status, "CapInh") | mask(&status, "CapAmb"), 0, "{bits}: {status}");
        assert_eq!(mask(&status, "CapPrm"), 1 << 12 | 1 << 21, "{bits}: {status}"); // net_admin, sys_admin
        running.send(&MTU_REQUEST.as_bytes()[30..]);
        running.finish().ok();
    }
    host.ip("link set v0 mtu 1500");
    let before = host.snapshot(&[]);
    for (way, bits, status) in [
        (Way::Root, "+noroot", 69),
        (Way::Root, "+keep_caps_locked", 71),
        (Way::Setuid, "+noroot", 69),
        (Way::Setuid, "+noroot,+no_setuid_fixup", 69),
        (Way::FileCapabilities, "+keep_caps_locked", 71),
    ] {
        host.install(way.clone());
        let reply = host.caller().setpriv(&["--securebits", bits]).raw(MTU_REQUEST.as_bytes());
        assert_eq!(reply.status(), status, "{way:?} {bits}: {reply}");
    }
    assert_eq!(host.snapshot(&[]), before);
}

/// Executes the broker with exactly these arguments and this environment, and the request as a file on descriptor 0.
const EXECVE: &str = r#"
sub execute {
    my ($arguments, $variables) = @_;
    my ($argv, $envp) = map { join("", map({ pack "p", $_ } @$_), pack "Q", 0) } $arguments, $variables;
    put(0, from("/run/scratch/request", O_RDONLY));
    my $path = "/usr/libexec/netbroker/netbroker"; syscall(59, $path, $argv, $envp); exit 126;
}
"#;

#[test]
fn an_environment_of_any_form_and_size_says_nothing() {
    let host = mtu_host(Way::Setuid);
    let environments = [
        ("empty", "()"),
        ("no names", r#"("", "=", "=x", "==", "\xff\xfe", "\n=\n")"#),
        ("no values", r#"("SUDO_UID", "SUDO_GID", "DOAS_USER", "PKEXEC_UID", "PATH", "LD_PRELOAD", "GLIBC_TUNABLES")"#),
        ("a name like another's", r#"("SUDO_UID2=7", "XSUDO_UID=7", " SUDO_UID=7", "sudo_uid=7", "DOAS_USER2=x")"#),
        ("tunables that overlap", r#"("GLIBC_TUNABLES=glibc.malloc.mxfast=glibc.malloc.mxfast=" . "A" x 5000) x 3"#),
        (
            "the loader's words",
            r#"map { "LD_$_=/run/scratch/none.so" } qw(PRELOAD AUDIT LIBRARY_PATH DEBUG_OUTPUT PROFILE ORIGIN_PATH)"#,
        ),
        ("100000 variables", r#"map { "V$_=" } 1 .. 100000"#),
        ("the longest variables", r#"map { chr(65 + $_) . "=" . "x" x 131000 } 0 .. 13"#),
    ];
    for way in [Way::Setuid, Way::FileCapabilities, Way::Root] {
        host.install(way.clone());
        for (what, variables) in environments {
            host.ip("link set v0 mtu 1500");
            let ended = perl(&host.caller(), &format!(r#"{EXECVE} execute(["netbroker"], [{variables}]);"#));
            assert_eq!((ended.status.code(), mtu(&host).as_str()), (Some(0), "1400"), "{what} {way:?}: {ended:?}");
            assert!(ended.stderr.is_empty() || way == Way::Root, "{what}: {ended:?}"); // the loader obeys root
        }
    }
    let uid = |way: &str| {
        host.trail_where("NETBROKER_WAY", way).iter().map(|r| r.field("NETBROKER_UID").to_owned()).collect()
    };
    let (exec, root): (Vec<String>, Vec<String>) = (uid("exec"), uid("root"));
    assert_eq!((exec.len(), root.len()), (2 * 2 * environments.len(), 2 * environments.len()));
    assert!(exec.iter().all(|uid| *uid == ALICE.to_string()) && root.iter().all(|uid| uid == "0"));
}

#[test]
fn arguments_of_any_form_and_size_are_three_words_or_wrong() {
    let host = mtu_host(Way::Setuid);
    for way in [Way::Setuid, Way::FileCapabilities, Way::Root] {
        host.install(way);
        for (what, arguments, status) in [
            ("no name", r#""""#, 0),
            ("a name of 100 kB", r#""x" x 100000"#, 0),
            ("a name that is an option", r#""--peer""#, 0),
            ("an empty word", r#""netbroker", """#, 65),
            ("100000 words", r#"("x") x 100000"#, 65),
            ("a word of 100 kB", r#""netbroker", "--peer" . "x" x 100000"#, 65),
            ("no text", r#""netbroker", "\xff\xfe""#, 65),
            ("the same word again", r#""netbroker", "--peer", "--peer""#, 65),
        ] {
            host.ip("link set v0 mtu 1500");
            let ended = perl(&host.caller(), &format!("{EXECVE} execute([{arguments}], []);"));
            assert_eq!(ended.status.code(), Some(status), "{what}: {ended:?}");
            assert_eq!(mtu(&host), if status == 0 { "1400" } else { "1500" }, "{what}");
            assert!(status == 0 || text(&ended.stderr).starts_with("usage: "), "{what}: {ended:?}");
        }
    }
}

#[test]
fn a_clock_that_may_not_be_read_ends_the_broker_before_it_reads_a_request() {
    for way in [Way::Setuid, Way::FileCapabilities] {
        let host = mtu_host(way);
        // PR_SET_TSC: reading the time stamp counter is a fault. Where the C library reads another clock, the broker
        // serves.
        let script = r#"put(0, from("/run/scratch/request", O_RDONLY)); syscall(157, 26, 2) == 0 or die; broker();"#;
        let ended = perl(&host.caller(), script);
        match ended.status.signal() {
            Some(signal) => assert_eq!((signal, mtu(&host).as_str(), host.trail().len()), (11, "1500", 0), "{ended:?}"),
            None => assert_eq!((ended.status.code(), mtu(&host).as_str()), (Some(0), "1400"), "{ended:?}"),
        }
    }
}
