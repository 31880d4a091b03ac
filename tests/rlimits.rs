// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Limits that a caller sets for the process (setrlimit(2)). Either a call is done, with its two records, or nothing is
//! done. A limit is never taken for something that the machine lacks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{MTU_POLICY, mtu, mtu_host, open_host, perl, text};
use common::{Host, Way};
use serde_json::json;
use std::os::unix::process::ExitStatusExt;
use std::process::Output;

/// The kernel counts this limit in ticks of the clock, so the moment when it notices it is random.
const CPU: u32 = 0;
/// The limits by number: CPU, FSIZE, DATA, STACK, CORE, RSS, NPROC, NOFILE, MEMLOCK, AS, LOCKS, SIGPENDING, MSGQUEUE,
/// NICE, RTPRIO, RTTIME.
const ALL: std::ops::Range<u32> = 0..16;
/// The limits without which even the loader does not get far.
const VITAL: [u32; 4] = [2, 3, 7, 9];

/// Starts the broker with this limit, and with the request as a file.
fn limited(host: &Host, resource: u32, limit: u64) -> Output {
    let script = format!(
        r#"put(0, from("/run/scratch/request", O_RDONLY)); my $l = pack "Q2", {limit}, {limit};
        syscall(160, {resource}, $l) == 0 or die "setrlimit: $!"; broker();"#
    );
    perl(&host.caller(), &script)
}

/// Asserts that all was done or nothing, and returns which.
fn is_whole(host: &Host, ended: &Output, records_before: usize) -> bool {
    let trail = host.trail().split_off(records_before);
    let events: Vec<&str> = trail.iter().map(|record| record.field("NETBROKER_EVENT")).collect();
    let done = ended.status.code() == Some(0);
    assert_eq!(mtu(host), if done { "1400" } else { "1500" }, "{events:?} {ended:?}");
    assert!(
        if done {
            events == ["permitted", "outcome"]
        } else {
            trail.iter().all(|r| r.get("NETBROKER_RESULT") != Some("done"))
        },
        "{trail:#?} {ended:?}"
    );
    assert_eq!(text(&ended.stdout) == "{\"parameters\":{}}\0", done, "{ended:?}");
    assert_ne!(ended.status.signal(), Some(14), "{ended:?}");
    if done {
        host.ip("link set v0 mtu 1500");
    }
    done
}

/// Whether the program reached its own first instruction. Then it ends with a status that its manual lists, and if it
/// sends its caller no reply, with one that means so. Before, exec, the C library or the dynamic loader ends it.
fn starts(ended: &Output) -> bool {
    let (status, said) = (ended.status.code(), text(&ended.stderr));
    match (status, ended.status.signal()) {
        (None, Some(9 | 11)) => assert!(said.is_empty() && ended.stdout.is_empty(), "{ended:?}"),
        (Some(127), _) => {
            assert!(said.contains("error while loading shared libraries") || said.contains("TLS"), "{ended:?}");
        }
        (Some(71), _) if ended.stdout.is_empty() => {
            assert!(said.is_empty() || said.starts_with("netbroker: "), "{ended:?}");
            return true;
        }
        (Some(74), _) => return true,
        (Some(0 | 71 | 75), _) => {
            assert!(said.is_empty() && !ended.stdout.is_empty(), "{ended:?}");
            return true;
        }
        _ => panic!("not an end that netbroker(8) lists: {ended:?}"),
    }
    false
}

#[test]
fn where_memory_ends_a_line_says_so_and_the_status_is_that_of_nothing_done() {
    let host = mtu_host(Way::Setuid);
    // A long request, and memory for only a part of it, so that the program has read a good deal by then.
    let long =
        format!("{{\"method\":\"io.netbroker.Link.Set\",\"parameters\":{{\"alias\":\"{}\"}}}}", "x".repeat(900_000));
    std::fs::write("/run/scratch/long", long).unwrap();
    let limited = |limit: u64| {
        let script = format!(
            r#"put(0, from("/run/scratch/long", O_RDONLY)); my $l = pack "Q2", {limit}, {limit};
            syscall(160, 2, $l) == 0 or die "setrlimit: $!"; broker();"#
        );
        perl(&host.caller(), &script)
    };
    let ends: Vec<Output> = (0..40).map(|n| limited(n * (64 << 10))).collect();
    let out_of_memory = ends.iter().filter(|ended| text(&ended.stderr) == "netbroker: out of memory\n");
    assert!(out_of_memory.clone().all(|ended| ended.status.code() == Some(71) && ended.stdout.is_empty()), "{ends:?}");
    assert!(out_of_memory.count() > 3, "{ends:?}");
    assert_eq!(mtu(&host), "1500");
}

#[test]
fn with_a_limit_of_nothing_the_call_is_done_or_nothing_is() {
    let host = mtu_host(Way::Setuid);
    for way in [Way::Setuid, Way::FileCapabilities, Way::Root] {
        host.install(way);
        for resource in ALL.filter(|resource| *resource != CPU) {
            let records = host.trail().len();
            let ended = limited(&host, resource, 0);
            assert_eq!(is_whole(&host, &ended, records), !VITAL.contains(&resource), "{resource}: {ended:?}");
        }
    }
}

#[test]
fn a_limit_of_no_time_serves_or_kills() {
    let host = mtu_host(Way::Setuid);
    let ended = limited(&host, CPU, 0);
    assert!(ended.status.code() == Some(0) || ended.status.signal() == Some(9), "{ended:?}");
    let permitted = !host.trail_where("NETBROKER_EVENT", "permitted").is_empty();
    assert!(permitted || mtu(&host) == "1500", "{ended:?}");
}

#[test]
fn wherever_descriptors_memory_or_stack_run_out_nothing_is_half_done() {
    let host = mtu_host(Way::Setuid);
    const K: u64 = 1 << 10;
    let sweeps: [(&str, u32, Vec<u64>); 4] = [
        ("descriptors", 7, (0..14).collect()),
        ("addresses", 9, (0..20).map(|n| n * 512 * K).collect()),
        ("data", 2, (0..18).map(|n| n * 64 * K).collect()), // the arena of the heap alone is 512 KiB
        ("stack", 3, (0..12).map(|n| n * 16 * K).collect()),
    ];
    for (what, resource, limits) in sweeps {
        let (mut done, mut has_started) = (Vec::new(), false);
        for limit in limits {
            let records = host.trail().len();
            let ended = limited(&host, resource, limit);
            let starts = starts(&ended);
            assert!(starts || !has_started, "{what} {limit}: {ended:?}");
            has_started = starts;
            assert!(!text(&ended.stdout).contains("PolicyInvalid"), "{what}: {ended:?}");
            done.push(is_whole(&host, &ended, records));
        }
        let first = done.iter().position(|done| *done).unwrap_or_else(|| panic!("{what}: never enough"));
        assert!(first > 0 && done[first..].iter().all(|done| *done), "{what}: {done:?}");
    }
}

#[test]
fn wherever_descriptors_run_out_no_namespace_is_half_made() {
    let host = open_host();
    host.ip("netns add there");
    let mut made = 0;
    for n in 4..14 {
        let caller = host.caller().prefix(&["prlimit", &format!("--nofile={n}")]);
        let before = host.sh("ls -l /run/netns; grep -c ' /run/netns/' /proc/self/mountinfo");
        let reply = caller.call("Netns.Add", json!({"netns": "x"}));
        if reply.status() == 0 {
            made += 1;
            host.ip("netns exec x true");
            caller.call("Netns.Delete", json!({"netns": "x"})).ok();
        }
        assert_eq!(host.sh("ls -l /run/netns; grep -c ' /run/netns/' /proc/self/mountinfo"), before, "{n}: {reply}");
    }
    assert!(made > 0, "never enough");
}

#[test]
fn a_file_that_may_not_grow_is_a_reply_that_could_not_be_written() {
    let host = mtu_host(Way::Setuid);
    let script = r#"put(0, from("/run/scratch/request", O_RDONLY)); put(1, from("/run/scratch/reply", O_WRONLY));
        my $l = pack "Q2", 0, 0; syscall(160, 1, $l) == 0 or die; broker();"#;
    let ended = perl(&host.caller(), script);
    assert_eq!((ended.status.code(), mtu(&host).as_str()), (Some(74), "1400"), "{ended:?}");
    assert_eq!(host.trail_where("NETBROKER_EVENT", "outcome")[0].field("NETBROKER_RESULT"), "done");
    assert_eq!(host.sh("cat /run/scratch/reply"), "");
}

#[test]
fn a_trail_that_is_out_of_reach_for_want_of_something_is_not_absent() {
    let host = mtu_host(Way::Root); // with root, no program opens a socket before the broker
    host.policy(&format!("[audit]\nrequired = false\n{MTU_POLICY}"));
    let change = json!({"netns": "@host", "link": "v0", "mtu": 1400});
    for errno in ["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS"] {
        let inject = format!("inject=socket:error={errno}:when=1");
        let tracer = ["strace", "-q", "-o", "/dev/null", "-e", "trace=socket", "-e", &inject];
        let caller = host.caller().under(&tracer);
        let before = host.snapshot(&[]);
        let reply = caller.call("Link.Set", change.clone());
        assert_eq!(reply.error(), "io.netbroker.Link.Busy", "{errno}: {reply}");
        assert_eq!(host.snapshot(&[]), before);
        let listed = caller.call("Link.List", json!({"netns": "@host", "link": "v0"}));
        assert_eq!(listed.ok()["recorded"], json!(false), "{errno}: {listed}");
    }
    assert!(host.trail().is_empty());
}
