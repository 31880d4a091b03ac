// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The order of the steps, as strace shows it: what must come before what, and what is left at the end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::LINKS;
use common::{ALICE, Host, Way};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Every system call of a broker, from its exec on, as strace prints it.
fn trace(host: &Host, method: &str, parameters: Value) -> Vec<String> {
    let reply = host
        .caller()
        .under(&["strace", "-f", "-v", "-s", "4096", "-o", "/run/scratch/strace"])
        .call(method, parameters);
    reply.ok();
    let lines: Vec<String> = host
        .sh("cat /run/scratch/strace")
        .lines()
        .map(|line| line.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start().to_owned())
        .collect();
    let exec = lines.iter().rposition(|line| line.starts_with("execve(") && line.contains("/netbroker/netbroker\""));
    lines[exec.unwrap() + 1..].iter().filter(|line| !line.starts_with(['+', '-'])).cloned().collect()
}

fn host(way: Way) -> Host {
    let host = Host::builder().way(way).build();
    host.policy(LINKS);
    host.ip("netns add w");
    host.ip_in("w", "link add v0 type veth peer name v1");
    host
}

/// The first line from `from` on that contains all of these.
fn find(trace: &[String], from: usize, words: &[&str]) -> usize {
    let found = trace[from..].iter().position(|line| words.iter().all(|word| line.contains(word)));
    from + found.unwrap_or_else(|| panic!("no {words:?} from line {from} on in\n{}", trace.join("\n")))
}

/// Asserts that these steps follow one another. Each is given by words of one line.
fn in_order(trace: &[String], steps: &[&[&str]]) -> usize {
    steps.iter().fold(0, |at, words| find(trace, at, words) + 1)
}

fn name(line: &str) -> &str {
    line.split('(').next().unwrap()
}

/// The names of the calls under the last filter.
fn last_stage(trace: &[String]) -> BTreeSet<&str> {
    let filter = trace.iter().rposition(|line| line.starts_with("seccomp(SECCOMP_SET_MODE_FILTER")).unwrap();
    trace[filter + 1..].iter().map(|line| name(line)).collect()
}

#[test]
fn a_change_gives_up_step_by_step() {
    for way in [Way::Setuid, Way::FileCapabilities, Way::Root] {
        let host = host(way);
        let trace = trace(&host, "Link.Set", json!({"netns": "w", "link": "v0", "mtu": 1400}));
        let end = in_order(
            &trace,
            &[
                &["setgroups(0"],
                &["setresgid(64000, 64000, 64000)"],
                &["setresuid(64000, 64000, 64000)"],
                &["getresuid([64000], [64000], [64000])"],
                &["prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE)"],
                &["connect(", "/run/systemd/journal/socket"],
                &["openat(", "\"policy\""],
                &["capset(", "effective=0, permitted=1<<CAP_NET_ADMIN|1<<CAP_SYS_ADMIN"],
                &["capget("],
                &["prctl(PR_SET_NO_NEW_PRIVS, 1"],
                &["seccomp(SECCOMP_SET_MODE_FILTER"],
                &["preadv2(0, ", "io.netbroker.Link.Set"],
                &["sendto(", "NETBROKER_EVENT=permitted"],
                &["openat(", "\"/run/netns/w\", O_RDONLY"],
                &["setns(", "CLONE_NEWNET"],
                &["socket(AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, NETLINK_ROUTE)"],
                &["sendto(", "nlmsg_type="],
                &["capset(", "effective=1<<CAP_NET_ADMIN, permitted=1<<CAP_NET_ADMIN, inheritable=0}"],
                &["capget(", "effective=1<<CAP_NET_ADMIN, permitted=1<<CAP_NET_ADMIN, inheritable=0}"],
                &["landlock_create_ruleset("],
                &["landlock_restrict_self(", "= 0"],
                &["seccomp(SECCOMP_SET_MODE_FILTER", "= 0"],
                &["sendto(", "nlmsg_type="],
                &["recvfrom("],
                &["sendto(", "NETBROKER_EVENT=outcome"],
                &["write(1, \"{\\\"parameters\\\":{}}"],
                &["exit_group(0)"],
            ],
        );
        assert_eq!(end, trace.len());
        let setns = find(&trace, 0, &["setns("]);
        assert!(!trace[..setns].iter().any(|line| line.contains("AF_NETLINK")), "a socket belongs to a namespace");
        let given_up = find(&trace, setns, &["landlock_restrict_self("]);
        assert!(!trace[given_up..].iter().any(|line| line.starts_with("cap") || line.starts_with("openat(")));
    }
}

#[test]
fn the_alarm_is_set_before_anything_of_the_callers_is_looked_at() {
    let host = host(Way::Setuid);
    let trace = trace(&host, "Link.Set", json!({"netns": "w", "link": "v0", "mtu": 1400}));
    let alarm = find(&trace, 0, &["alarm(30)"]);
    // For a program to which exec gave more than its caller has, glibc itself checks whether the descriptors are open.
    let standard =
        |line: &&String| ["(0, ", "(1, ", "(2, "].iter().any(|of| line.trim_start_matches(name(line)).starts_with(of));
    let early: Vec<&String> = trace[..alarm].iter().filter(standard).filter(|line| !line.contains("F_GETFD")).collect();
    assert!(early.iter().all(|line| line.starts_with("prlimit64")), "{early:?}");
    // Before it, only the loader and libc make calls.
    const LOADER: &[&str] = &[
        "brk",
        "mmap",
        "mprotect",
        "munmap",
        "access",
        "faccessat2",
        "openat",
        "read",
        "pread64",
        "close",
        "fstat",
        "newfstatat",
        "arch_prctl",
        "set_tid_address",
        "set_robust_list",
        "rseq",
        "prlimit64",
        "getrandom",
        "futex",
        "fcntl",
        "statx",
        "readlinkat",
    ];
    let early: Vec<&str> = trace[..alarm].iter().map(|line| name(line)).filter(|name| !LOADER.contains(name)).collect();
    assert!(early.is_empty(), "{early:?}");
    let filter = find(&trace, alarm, &["seccomp("]);
    let read = find(&trace, alarm, &["preadv2(0"]);
    assert!(filter < read, "no byte of the caller's is read before the first filter");
}

#[test]
fn inherited_timers_are_cancelled_before_the_caller_is_looked_at() {
    let host = host(Way::Setuid);
    // Each timer has a minute: a test in which they expire would depend on the machine.
    let start = "my $t = pack 'q4', 60, 0, 60, 0; syscall(38, 1, $t, 0); syscall(38, 2, $t, 0); \
                 exec '/usr/libexec/netbroker/netbroker' or die";
    let under = host.as_uid(ALICE).under(&["strace", "-f", "-v", "-o", "/run/scratch/strace"]);
    let reply = under.program(&["perl", "-e", start]).call("Link.List", json!({"netns": "w"}));
    reply.ok();
    let lines: Vec<String> = host.sh("cat /run/scratch/strace").lines().map(str::to_owned).collect();
    let minute = "it_value={tv_sec=60, tv_usec=0}";
    let none = "{it_interval={tv_sec=0, tv_usec=0}, it_value={tv_sec=0, tv_usec=0}}";
    in_order(
        &lines,
        &[
            &["setitimer(ITIMER_VIRTUAL", minute],
            &["setitimer(ITIMER_PROF", minute],
            &["execve(", "netbroker/netbroker"],
            &["alarm(30)"],
            &["setitimer(ITIMER_VIRTUAL", none],
            &["setitimer(ITIMER_PROF", none],
            &["openat(", "\"/proc\""],
        ],
    );
}

#[test]
fn the_last_stage_speaks_to_its_sockets_and_replies() {
    let host = host(Way::Setuid);
    let change = last_stage(&trace(&host, "Link.Set", json!({"netns": "w", "link": "v0", "mtu": 1400}))).len();
    assert!(change > 0);
    let cases: [(&str, Value, &[&str]); 5] = [
        ("Link.Set", json!({"netns": "w", "link": "v0", "mtu": 1500}), &[]),
        ("Link.List", json!({"netns": "w"}), &["mmap", "munmap", "mremap"]),
        ("Address.List", json!({"netns": "@host"}), &["mmap", "munmap", "mremap"]),
        ("Netns.Get", json!({"netns": "w"}), &[]),
        (
            "Netns.List",
            json!({"netns": "@host"}),
            &["openat", "fstatfs", "close", "getdents64", "lseek", "mmap", "munmap"],
        ),
    ];
    for (method, parameters, besides) in cases {
        let trace = trace(&host, method, parameters);
        let four = ["sendto", "recvfrom", "write", "exit_group", "brk", "clock_gettime", "poll"];
        let unexpected: Vec<&str> =
            last_stage(&trace).into_iter().filter(|name| !four.contains(name) && !besides.contains(name)).collect();
        assert!(unexpected.is_empty(), "{method}: {unexpected:?}");
    }
}

#[test]
fn a_read_runs_with_no_capability_and_behind_landlock() {
    let host = host(Way::Setuid);
    for (method, parameters) in [
        ("Link.List", json!({"netns": "w"})),
        ("Address.List", json!({"netns": "w"})),
        ("Netns.Get", json!({"netns": "w"})),
        ("Netns.List", json!({"netns": "@host"})),
    ] {
        let trace = trace(&host, method, parameters);
        in_order(
            &trace,
            &[
                &["NETBROKER_EVENT=permitted"],
                &["capset(", "effective=0, permitted=0, inheritable=0}"],
                &["capget(", "effective=0, permitted=0, inheritable=0}"],
                &["landlock_restrict_self(", "= 0"],
                &["seccomp(SECCOMP_SET_MODE_FILTER", "= 0"],
                &["NETBROKER_EVENT=outcome"],
                &["exit_group(0)"],
            ],
        );
    }
}

#[test]
fn a_refusal_by_policy_raises_no_capability_and_looks_at_nothing() {
    let host = host(Way::Setuid);
    let under = host.as_uid(ALICE).under(&["strace", "-f", "-v", "-s", "4096", "-o", "/run/scratch/strace"]);
    let reply = under.call("Link.Set", json!({"netns": "other", "link": "v0", "mtu": 1400}));
    assert_eq!(reply.error(), "io.netbroker.Link.Denied");
    let lines = host.sh("cat /run/scratch/strace");
    let after = lines.split("seccomp(SECCOMP_SET_MODE_FILTER").nth(1).unwrap();
    for call in ["capset(", "setns(", "openat(", "socket(", "newfstatat("] {
        assert!(!after.contains(call), "{call} in {after}");
    }
}
