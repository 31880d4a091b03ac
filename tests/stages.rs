// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the process can still do in each stage, seen from outside: its ids and capabilities, and what happens to a
//! system call that a tracer puts in place of one of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::LINKS;
use common::tracer::{self, Fate};
use common::{ALICE, BROKER, Host, NETBROKER, Running, Way, landlock};
use serde_json::{Value, json};
use std::fs;
use std::ops::Range;
use std::time::{Duration, Instant};

const NAMESPACES: &str = r#"
[[allow]]
id = "namespaces"
who = "uid:64123"
call = ["Netns.Add", "Netns.Delete"]
netns = "*"
"#;

const TAPS: &str = r#"
[[allow]]
id = "taps"
who = "uid:64123"
call = "Link.Add"
kind = "tun"
netns = "w"
link = "t*"
tun.mode = "tap"
free = ["mtu", "tun.group"]
"#;

const NET_ADMIN: u64 = 1 << 12;
const SYS_ADMIN: u64 = 1 << 21;
const DAC_OVERRIDE: u64 = 1 << 1;

/// A host with a namespace `w` that holds a link.
fn host(way: Way, policy: &[&str]) -> Host {
    let host = Host::builder().way(way).build();
    host.policy(&policy.concat());
    host.ip("netns add w");
    host.ip_in("w", "link add v0 type veth peer name v1");
    fs::write("/run/scratch/tracer.pl", include_str!("stages/tracer.pl")).unwrap();
    host
}

fn request(method: &str, parameters: &Value) -> Vec<u8> {
    format!("{}\0", json!({"method": format!("io.netbroker.{method}"), "parameters": parameters})).into_bytes()
}

fn set_mtu() -> Vec<u8> {
    request("Link.Set", &json!({"netns": "w", "link": "v0", "mtu": 1400}))
}

/// The values of one line of /proc/PID/status.
fn line<'a>(status: &'a str, name: &str) -> Vec<&'a str> {
    let found = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    found.unwrap_or_else(|| panic!("no {name} in {status}")).split_whitespace().collect()
}

fn mask(status: &str, name: &str) -> u64 {
    u64::from_str_radix(line(status, name)[0], 16).unwrap()
}

/// The broker among a process and those that it started (sudo stays in between).
fn broker(pid: u32) -> Option<u32> {
    let exe = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    if exe.ends_with("netbroker/netbroker") {
        return Some(pid);
    }
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().find_map(|child| broker(child.parse().unwrap()))
}

/// Sends half a request and waits until the process is under its first filter and waits for the rest.
fn half_asked(host: &Host) -> (Running, u32) {
    let mut running = host.caller().start();
    running.send(&set_mtu()[..20]);
    let since = Instant::now();
    loop {
        let pid = broker(running.pid());
        let guarded = pid.filter(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let call = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
            status.contains("\nSeccomp:\t2") && call.starts_with(&format!("{} ", libc::SYS_poll))
        });
        if let Some(pid) = guarded {
            return (running, pid);
        }
        assert!(since.elapsed() < Duration::from_secs(30), "never behind a filter");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Asserts that the ids are the system user's, and that nothing else of the caller or of root is left.
fn is_system_user(status: &str) {
    let own = NETBROKER.to_string();
    for name in ["Uid", "Gid"] {
        assert_eq!(line(status, name), [own.as_str(); 4], "{status}");
    }
    assert!(line(status, "Groups").is_empty(), "{status}");
    assert_eq!((mask(status, "CapInh"), mask(status, "CapAmb")), (0, 0), "{status}");
}

/// What happens to a system call in place of the one that follows the `nth` `after`; also returns the state at that
/// point.
fn instead(host: &Host, bytes: &[u8], (after, nth): (i64, u32), number: i64, arguments: &[&str]) -> (String, String) {
    let log = format!("/run/scratch/log.{after}.{nth}.{number}.{}", arguments.concat().replace('/', "_"));
    let (after, nth, number) = (after.to_string(), nth.to_string(), number.to_string());
    let head = ["perl", "/run/scratch/tracer.pl", &log, &after, &nth, &number];
    let words = [&head[..], arguments, &["--"]].concat();
    let reply = host.caller().under(&words).raw(bytes);
    let read = |path: &str| fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}: {reply}"));
    (read(&log), read(&format!("{log}.status")))
}

const KILLED: &str = "signal 31"; // SIGSYS
const NO_ACCESS: &str = "= -13"; // EACCES

/// The points of a `Link.Set` at which the process is examined, and whether filters are in force there.
const POINTS: [(i64, u32, &str); 5] = [
    (libc::SYS_setresuid, 1, "has become the system user"),
    (libc::SYS_seccomp, 1, "guarded"),
    (libc::SYS_setns, 1, "in the namespace"),
    (libc::SYS_landlock_restrict_self, 1, "behind Landlock"),
    (libc::SYS_seccomp, 2, "confined"),
];

#[test]
fn while_the_request_is_read_the_process_holds_what_its_callers_rules_can_need_and_no_more() {
    for way in Way::ALL {
        for (policy, kept) in [(&[LINKS][..], 0), (&[LINKS, NAMESPACES], DAC_OVERRIDE)] {
            let host = host(way.clone(), policy);
            let kept = if way == Way::Root { 0 } else { kept }; // the rule is for alice
            let (running, pid) = half_asked(&host);
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            is_system_user(&status);
            assert_eq!(mask(&status, "CapEff"), 0, "{way:?} {status}");
            assert_eq!(mask(&status, "CapPrm"), NET_ADMIN | SYS_ADMIN | kept, "{way:?} {status}");
            assert_eq!((line(&status, "NoNewPrivs"), line(&status, "Seccomp")), (vec!["1"], vec!["2"]), "{status}");
            assert_eq!(line(&status, "Threads"), ["1"]);
            // The files there belong to root, because the process is not dumpable.
            assert_eq!(host.sh(&format!("stat -c %u:%g /proc/{pid}/environ /proc/{pid}/fd")), "0:0\n0:0\n");
            drop(running);
        }
    }
}

#[test]
fn from_the_change_of_ids_on_no_id_is_roots_or_the_callers() {
    let host = host(Way::Setuid, &[LINKS, NAMESPACES]);
    let add = request("Netns.Add", &json!({"netns": "x"}));
    let list = request("Link.List", &json!({"netns": "w"}));
    for way in Way::ALL.into_iter().filter(|way| *way != Way::Sudo) {
        host.install(way);
        let _ = host.sh("rm -f /run/scratch/log*");
        for bytes in [&set_mtu(), &list, &add] {
            let (end, states) = instead(&host, bytes, (libc::SYS_setresuid, 1), -1, &[]);
            assert!(matches!(end.as_str(), "exit 0" | "exit 77"), "{end}"); // root has no rule for namespaces
            let states: Vec<&str> = states.split("Name:").skip(1).collect();
            assert!(states.len() > 20, "{} states", states.len());
            states.into_iter().for_each(is_system_user);
            host.sh("rm /run/scratch/log*; ip netns del x 2>/dev/null || true");
        }
    }
}

#[test]
fn files_of_roots_stay_closed_in_every_stage() {
    let host = host(Way::Setuid, &[LINKS]);
    let before = host.sh("sha256sum /etc/passwd /etc/shadow; cat /proc/sys/kernel/core_pattern");
    let (write, read, here) = ("1", "0", "-100");
    for (after, nth, stage) in POINTS {
        if stage == "behind Landlock" && !landlock::exists() {
            continue;
        }
        let filtered = stage != "has become the system user";
        let expect = |arguments: &[&str], expected: &str| {
            let (end, _) = instead(&host, &set_mtu(), (after, nth), libc::SYS_openat, arguments);
            assert_eq!(end, expected, "{stage}: openat {arguments:?}");
        };
        for path in ["/etc/passwd", "/proc/sys/kernel/core_pattern"] {
            expect(&[here, path, write], if filtered { KILLED } else { NO_ACCESS });
        }
        expect(&[here, "/etc/shadow", read], if stage == "confined" { KILLED } else { NO_ACCESS });
        let readable = match stage {
            "confined" => KILLED,
            "behind Landlock" => NO_ACCESS,
            _ => "=",
        };
        let (end, _) = instead(&host, &set_mtu(), (after, nth), libc::SYS_openat, &[here, "/etc/passwd", read]);
        assert!(end.starts_with(readable), "{stage}: {end}");
    }
    assert_eq!(host.sh("sha256sum /etc/passwd /etc/shadow; cat /proc/sys/kernel/core_pattern"), before);
}

#[test]
fn behind_the_filters_nothing_is_executed_started_or_made() {
    let host = host(Way::Setuid, &[LINKS]);
    let calls: [(i64, &[&str]); 20] = [
        (libc::SYS_execve, &["/bin/sh", "0", "0"]),
        (libc::SYS_execveat, &["-100", "/bin/sh", "0", "0", "0"]),
        (libc::SYS_open, &["/etc/passwd", "1"]),
        (libc::SYS_openat2, &["-100", "/etc/passwd", "0", "24"]),
        (libc::SYS_clone, &["17", "0"]),
        (libc::SYS_fork, &[]),
        (libc::SYS_unshare, &["268435456"]), // CLONE_NEWUSER
        (libc::SYS_mount, &["/tmp", "/etc", "0", "4096", "0"]),
        (libc::SYS_umount2, &["/run/netns/w", "2"]),
        (libc::SYS_ptrace, &["0"]),
        (libc::SYS_bpf, &["0"]),
        (libc::SYS_setresuid, &["0", "0", "0"]),
        (libc::SYS_setns, &["3", "0"]),        // any kind of namespace
        (libc::SYS_socket, &["2", "1", "0"]),  // AF_INET
        (libc::SYS_socket, &["17", "3", "0"]), // AF_PACKET
        (libc::SYS_ioctl, &["1", "0"]),
        (libc::SYS_mprotect, &["4096", "4096", "4"]),
        (libc::SYS_mmap, &["0", "4096", "4", "34", "-1", "0"]), // PROT_EXEC
        (libc::SYS_kill, &["1", "0"]),
        (0x4000_0000 | libc::SYS_getpid, &[]), // x32
    ];
    for (number, arguments) in calls {
        for at in [(libc::SYS_seccomp, 1), (libc::SYS_seccomp, 2)] {
            let (end, _) = instead(&host, &set_mtu(), at, number, arguments);
            assert_eq!(end, KILLED, "{number} {arguments:?} after {at:?}");
        }
    }
    assert!(host.ip_in("w", "link show v0").contains("mtu 1500"));
}

#[test]
fn a_call_that_the_first_filter_has_is_killed_with_arguments_that_the_broker_does_not_use() {
    let calls: [(i64, &[&str]); 35] = [
        // Signals to any process of the same user by way of a descriptor; other options; a watch.
        (libc::SYS_fcntl, &["0", "8", "1"]),                    // F_SETOWN
        (libc::SYS_fcntl, &["0", "15", "0"]),                   // F_SETOWN_EX
        (libc::SYS_fcntl, &["0", "10", "9"]),                   // F_SETSIG
        (libc::SYS_fcntl, &["0", "4", "8192"]),                 // F_SETFL, O_ASYNC
        (libc::SYS_fcntl, &["0", "0", "0"]),                    // F_DUPFD
        (libc::SYS_fcntl, &["0", "1030", "0"]),                 // F_DUPFD_CLOEXEC
        (libc::SYS_fcntl, &["0", "1024", "0"]),                 // F_SETLEASE
        (libc::SYS_fcntl, &["0", "1026", "1"]),                 // F_NOTIFY
        (libc::SYS_fcntl, &["0", "2", "0"]),                    // F_SETFD, not on exec
        (libc::SYS_setsockopt, &["0", "1", "26", "0", "16"]),   // SO_ATTACH_FILTER
        (libc::SYS_setsockopt, &["0", "1", "50", "0", "4"]),    // SO_ATTACH_BPF
        (libc::SYS_setsockopt, &["0", "270", "1", "0", "4"]),   // NETLINK_ADD_MEMBERSHIP
        (libc::SYS_socket, &["16", "524291", "12"]),            // the firewall
        (libc::SYS_socket, &["16", "524291", "6"]),             // IPsec
        (libc::SYS_socket, &["16", "524291", "9"]),             // audit
        (libc::SYS_prctl, &["1", "9", "0", "0", "0"]),          // PR_SET_PDEATHSIG
        (libc::SYS_prctl, &["4", "1", "0", "0", "0"]),          // PR_SET_DUMPABLE
        (libc::SYS_prctl, &["8", "1", "0", "0", "0"]),          // PR_SET_KEEPCAPS
        (libc::SYS_prctl, &["35", "1", "0", "0", "0"]),         // PR_SET_MM
        (libc::SYS_prctl, &["47", "2", "12", "0", "0"]),        // PR_CAP_AMBIENT_RAISE
        (libc::SYS_prctl, &["1499557217", "1", "0", "0", "0"]), // PR_SET_PTRACER
        (libc::SYS_seccomp, &["1", "8", "0"]),                  // a listener
        (libc::SYS_read, &["4", "0", "0"]),
        (libc::SYS_pread64, &["30", "0", "0", "0"]),
        (libc::SYS_recvmsg, &["4", "0", "0"]),
        (libc::SYS_write, &["4", "0", "0"]),
        (libc::SYS_close, &["0"]),
        (libc::SYS_close, &["1"]),
        (libc::SYS_close, &["2"]),
        (libc::SYS_mmap, &["0", "4096", "1", "2", "3", "0"]), // a file
        (libc::SYS_mremap, &["0", "4096", "4096", "3", "4096"]), // MREMAP_FIXED
        (libc::SYS_sendto, &["0", "0", "0", "1", "0", "0"]),  // MSG_OOB
        (libc::SYS_recvfrom, &["0", "0", "0", "8192", "0", "0"]), // MSG_ERRQUEUE
        (libc::SYS_lseek, &["3", "1", "0"]),
        (libc::SYS_clock_gettime, &["-14", "0"]), // the processor time of process 1
    ];
    let mounts: [(i64, &[&str]); 5] = [
        (libc::SYS_mount, &["/tmp", "/etc", "0", "0", "0"]), // another file system
        (libc::SYS_mount, &["/tmp", "/etc", "0", "8192", "0"]), // MS_MOVE
        (libc::SYS_mount, &["/tmp", "/etc", "0", "4128", "0"]), // MS_BIND, MS_REMOUNT
        (libc::SYS_umount2, &["/etc", "0"]),
        (libc::SYS_unlinkat, &["-100", "/run/scratch", "512"]), // AT_REMOVEDIR
    ];
    for (policy, calls) in [(&[LINKS][..], &calls[..]), (&[LINKS, NAMESPACES], &mounts)] {
        let host = host(Way::Setuid, policy);
        for (number, arguments) in calls {
            let (end, _) = instead(&host, &set_mtu(), (libc::SYS_seccomp, 1), *number, arguments);
            assert_eq!(end, KILLED, "{number} {arguments:?}");
        }
        assert!(host.ip_in("w", "link show v0").contains("mtu 1500"));
    }
}

#[test]
fn the_last_stage_holds_the_capability_of_its_call() {
    let host = host(Way::Setuid, &[LINKS, NAMESPACES, TAPS]);
    let cases = [
        ("Link.Add", json!({"netns": "w", "link": "t0", "kind": "tun", "tun": {"mode": "tap"}}), NET_ADMIN),
        ("Link.Set", json!({"netns": "w", "link": "v0", "mtu": 1400}), NET_ADMIN),
        ("Link.List", json!({"netns": "w"}), 0),
        ("Address.List", json!({"netns": "w"}), 0),
        ("Netns.List", json!({"netns": "@host"}), 0),
        ("Netns.Get", json!({"netns": "w"}), 0),
        ("Netns.Pids", json!({"netns": "w"}), 0),
        ("Netns.Add", json!({"netns": "x"}), SYS_ADMIN | DAC_OVERRIDE),
        ("Netns.Delete", json!({"netns": "w"}), SYS_ADMIN | DAC_OVERRIDE),
    ];
    for (method, parameters, held) in cases {
        let at = (libc::SYS_seccomp, 2);
        // A system call that changes nothing: getpid is killed like any other.
        let (end, status) = instead(&host, &request(method, &parameters), at, libc::SYS_getpid, &[]);
        assert_eq!(end, KILLED, "{method}");
        is_system_user(&status);
        assert_eq!((mask(&status, "CapEff"), mask(&status, "CapPrm")), (held, held), "{method}: {status}");
        assert_eq!(line(&status, "Seccomp_filters"), ["2"], "{method}");
        host.sh("rm /run/scratch/log*");
    }
    assert_eq!(host.ip("netns list").trim(), "w");
}

#[test]
fn a_stage_that_makes_namespaces_writes_no_file_of_roots_either() {
    let host = host(Way::Setuid, &[LINKS, NAMESPACES]);
    let before = host.sh("sha256sum /etc/passwd /etc/shadow");
    for (after, nth) in [(libc::SYS_seccomp, 1), (libc::SYS_seccomp, 2)] {
        let add = request("Netns.Add", &json!({"netns": "x"}));
        for (path, flags) in [("/etc/passwd", "1"), ("/etc/passwd", "513"), ("/etc/shadow", "0")] {
            let (end, _) = instead(&host, &add, (after, nth), libc::SYS_openat, &["-100", path, flags]);
            let failed = end == KILLED || end == NO_ACCESS;
            assert!(failed, "openat {path} {flags} after filter {nth}: {end}");
        }
    }
    assert_eq!(host.sh("sha256sum /etc/passwd /etc/shadow"), before);
}

/// `TUNSETIFF` on a descriptor.
const MAKE_TAP: [&str; 2] = ["1", "1074025674"];

#[test]
fn requests_to_the_device_of_taps_are_four_and_for_callers_with_a_rule() {
    let (without, with) = (host(Way::Setuid, &[LINKS, NAMESPACES]), TAPS);
    let (guarded, confined) = ((libc::SYS_seccomp, 1), (libc::SYS_seccomp, 2));
    let (end, _) = instead(&without, &set_mtu(), guarded, libc::SYS_ioctl, &MAKE_TAP);
    assert_eq!(end, KILLED);
    drop(without);
    let host = host(Way::Setuid, &[LINKS, with]);
    let tap = request("Link.Add", &json!({"netns": "w", "link": "t0", "kind": "tun", "tun": {"mode": "tap"}}));
    for (numbers, expected) in [
        // TUNSETIFF, TUNSETPERSIST, TUNSETOWNER, TUNSETGROUP: a pipe supports none of them.
        (&["1074025674", "1074025675", "1074025676", "1074025678"][..], "= -25"),
        // TUNGETIFF, TUNSETQUEUE, TUNSETDEBUG, TUNATTACHFILTER, TUNSETCARRIER, TIOCSTI, SIOCSIFFLAGS
        (&["2147767506", "1074025689", "1074025673", "1074812117", "1074025698", "21522", "35092"], KILLED),
    ] {
        for number in numbers {
            let (end, _) = instead(&host, &tap, guarded, libc::SYS_ioctl, &["1", number]);
            assert_eq!(end, expected, "{number}");
        }
    }
    // In the last stage: on the one descriptor only, without reading it, and for no other call.
    for (bytes, number, arguments) in [
        (&tap, libc::SYS_ioctl, &MAKE_TAP[..]),
        (&set_mtu(), libc::SYS_ioctl, &MAKE_TAP),
        (&tap, libc::SYS_read, &["3", "0", "0"]),
        (&tap, libc::SYS_openat, &["-100", "/dev/net/tun", "0"]),
        (&tap, libc::SYS_close, &["1"]),
    ] {
        let (end, _) = instead(&host, bytes, confined, number, arguments);
        assert_eq!(end, KILLED, "{number} {arguments:?}");
        host.sh("rm /run/scratch/log*");
    }
    assert!(!host.ip_in("w", "link show").contains(": t0:"));
}

#[test]
fn a_tap_exists_completely_or_not_at_all_wherever_the_process_ends() {
    let host = host(Way::Setuid, &[TAPS]);
    let fields =
        json!({"netns": "w", "link": "t0", "kind": "tun", "mtu": 1400, "tun": {"mode": "tap", "group": 64999}});
    let tap = request("Link.Add", &fields);
    // Made; given its owner; its group; looked up; changed. The first record is also sent by `sendto`.
    let steps = [
        (libc::SYS_ioctl, 1),
        (libc::SYS_ioctl, 2),
        (libc::SYS_ioctl, 3),
        (libc::SYS_sendto, 2),
        (libc::SYS_sendto, 3),
    ];
    for at in steps {
        let (end, _) = instead(&host, &tap, at, libc::SYS_getpid, &[]);
        assert_eq!(end, KILLED, "{at:?}");
        assert!(!host.ip_in("w", "link show").contains(": t0:"), "{at:?}");
    }
    let (end, _) = instead(&host, &tap, (libc::SYS_ioctl, 4), libc::SYS_getpid, &[]);
    assert_eq!(end, KILLED);
    let shown = host.ip_in("w", "-d link show t0");
    for part in ["mtu 1400", "type tap", "persist on", "user alice", "group 64999"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn its_caller_can_neither_signal_nor_trace_nor_read_it() {
    const TRY: &str = r#"
        my $pid = shift() + 0; my @out;
        push @out, kill(0, $pid) ? "sent" : $! + 0;
        push @out, kill(15, $pid) ? "sent" : $! + 0;
        push @out, kill(19, $pid) ? "sent" : $! + 0;
        push @out, syscall(101, 16, $pid, 0, 0) == 0 ? "attached" : $! + 0;
        push @out, syscall(101, 0x4206, $pid, 0, 0) == 0 ? "seized" : $! + 0;
        my $limit = "\0" x 16;
        push @out, syscall(302, $pid, 7, 0, $limit) == 0 ? "read" : $! + 0;
        for my $file (qw(mem environ maps fd/0)) { push @out, open(my $f, "<", "/proc/$pid/$file") ? "open" : $! + 0 }
        print "@out";
    "#;
    for way in [Way::Setuid, Way::FileCapabilities] {
        let host = host(way, &[LINKS, NAMESPACES]);
        let (mut running, pid) = half_asked(&host);
        let tried = host.as_uid(ALICE).run(&["perl", "-e", TRY, &pid.to_string()]).ok();
        assert_eq!(tried, "1 1 1 1 1 1 13 13 13 13");
        running.send(&set_mtu()[20..]);
        running.finish().ok();
    }
}

/// The mappings: where they are, their permissions, and their file.
struct Mapping {
    place: Range<u64>,
    rights: String,
    file: String,
}

fn mappings(pid: u32) -> Vec<Mapping> {
    let address = |digits: &str| u64::from_str_radix(digits, 16).unwrap();
    let mapping = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (from, end) = words[0].split_once('-').unwrap();
        let file = words.get(5).copied().unwrap_or_default().to_owned();
        Mapping { place: address(from)..address(end), rights: words[1].to_owned(), file }
    };
    fs::read_to_string(format!("/proc/{pid}/maps")).unwrap().lines().map(mapping).collect()
}

/// The pages of a program that the linker wants read-only after relocation (`PT_GNU_RELRO`), as offsets from its start.
fn relocated(program: &[u8]) -> Range<u64> {
    const RELRO: u64 = 0x6474_e552;
    let number =
        |at: usize, bytes: usize| program[at..at + bytes].iter().rev().fold(0, |all, b| all << 8 | u64::from(*b));
    let headers = usize::try_from(number(32, 8)).unwrap();
    let mut headers = (0..usize::try_from(number(56, 2)).unwrap()).map(|nth| headers + 56 * nth);
    let relro = headers.find(|at| number(*at, 4) == RELRO).expect("a program with tables to be made read-only");
    let (start, bytes) = (number(relro + 16, 8), number(relro + 40, 8));
    start & !4095..(start + bytes) & !4095
}

/// Where the arena of the heap is: a mapping without a file, between pages that no code may access.
fn arena(mappings: &[Mapping]) -> Range<u64> {
    let bytes = |mapping: &Mapping| mapping.place.end - mapping.place.start;
    let is_arena = |three: &&[Mapping]| {
        let rights = [&three[0], &three[1], &three[2]].map(|mapping| mapping.rights.as_str());
        let adjoin = three[0].place.end == three[1].place.start && three[1].place.end == three[2].place.start;
        adjoin && rights == ["---p", "rw-p", "---p"] && bytes(&three[0]) >= 65_536 && bytes(&three[2]) >= 65_536
    };
    let mut arenas = mappings.windows(3).filter(is_arena).map(|three| three[1].place.clone());
    let arena = arenas.next().expect("an arena");
    assert_eq!((arena.end - arena.start, arenas.next()), (512 * 1024, None));
    arena
}

#[test]
fn in_every_stage_tables_are_read_only_and_the_heap_stands_alone() {
    let host = host(Way::Setuid, &[LINKS]);
    let tables = relocated(&fs::read(BROKER).unwrap());
    assert!(tables.end - tables.start >= 16 * 4096, "{tables:x?}");
    let mut distances = Vec::new();
    for _ in 0..3 {
        let mut running = tracer::stopped(&host.caller()).start();
        running.send(&set_mtu());
        let pid = running.pid();
        let (mut is_own, mut seen, mut filters) = (false, [0; 3], 0);
        tracer::trace(&running, |step| {
            // The first call of the broker's own code: before it, the loader writes to the tables.
            is_own = is_own || step.number == libc::SYS_alarm || step.number == libc::SYS_setitimer;
            if is_own {
                let mappings = mappings(pid);
                let start = mappings.iter().find(|mapping| mapping.file == BROKER).unwrap().place.start;
                for Mapping { place, rights, .. } in &mappings {
                    assert!(!(rights.contains('w') && rights.contains('x')), "{step:?}: {place:x?} {rights}");
                    let is_table = place.start < start + tables.end && place.end > start + tables.start;
                    assert!(
                        !is_table || rights == "r--p",
                        "{step:?}: {place:x?} {rights}, tables {tables:x?} of {start:x}"
                    );
                }
                let distance = arena(&mappings).start.abs_diff(start);
                if !distances.contains(&distance) {
                    distances.push(distance);
                }
                seen[filters] += 1;
                filters += usize::from(step.number == libc::SYS_seccomp);
            }
            Fate::Done
        });
        running.finish().ok();
        assert!(seen[0] > 30 && seen[1] > 10 && seen[2] > 3, "{seen:?}");
        host.ip_in("w", "link set v0 mtu 1500");
    }
    // The kernel would put the arena right below the program or its libraries, so that one address would reveal the
    // other.
    assert!(distances.len() == 3 && distances.iter().all(|distance| *distance > 1 << 28), "{distances:x?}");
}
