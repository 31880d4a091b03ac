// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Netns.Pids`: the processes that `ip netns pids` finds, by a process without any capability.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::open_host as host;
use common::{BOB, Caller, Host};
use serde_json::{Value, json};

fn pids(caller: &Caller<'_>, netns: &str) -> (Vec<u64>, bool) {
    let result = caller.call("Netns.Pids", json!({ "netns": netns })).ok();
    let pids = result["pids"].as_array().unwrap().iter().map(|pid| pid.as_u64().unwrap()).collect();
    (pids, result["complete"].as_bool().unwrap())
}

fn of_ip(host: &Host, netns: &str) -> Vec<u64> {
    let mut pids: Vec<u64> = host.ip(&format!("netns pids {netns}")).lines().map(|pid| pid.parse().unwrap()).collect();
    pids.sort_unstable();
    pids
}

/// A process in a namespace, once it is there.
fn inside(host: &Host, netns: &str, words: &str) -> common::Background {
    let running = host.background(&format!("exec nsenter --net=/run/netns/{netns} {words} sleep 1000"));
    host.sh(&format!("until grep -q sleep /proc/{}/comm; do sleep 0.01; done", running.pid()));
    running
}

#[test]
fn they_are_those_that_iproute2_finds() {
    let host = host();
    host.ip("netns add w");
    host.ip("netns add far");
    assert_eq!(pids(&host.caller(), "w"), (vec![], true));
    let running = [
        inside(&host, "w", ""),
        inside(&host, "far", ""),
        inside(&host, "w", "setpriv --reuid=64999 --clear-groups"),
        inside(&host, "w", "unshare -m"),
    ];
    let mut expected = [&running[0], &running[2], &running[3]].map(|running| u64::from(running.pid())).to_vec();
    expected.sort_unstable();
    assert_eq!(pids(&host.caller(), "w"), (expected.clone(), true));
    assert_eq!(of_ip(&host, "w"), expected);
    assert_eq!(pids(&host.as_uid(BOB), "far"), (vec![u64::from(running[1].pid())], true));
    let (here, complete) = pids(&host.caller(), "@host");
    assert!(complete && expected.iter().all(|pid| !here.contains(pid)), "{here:?}");
    assert!(here.contains(&u64::from(std::process::id())) == same_netns(std::process::id()), "{here:?}");

    drop(running);
    assert_eq!(pids(&host.caller(), "w"), (vec![], true));
}

/// Whether a process's first thread is in the namespace of this thread.
fn same_netns(pid: u32) -> bool {
    std::fs::read_link(format!("/proc/{pid}/ns/net")).unwrap()
        == std::fs::read_link("/proc/thread-self/ns/net").unwrap()
}

/// The process that serves a call is in the namespace for as long as it looks.
#[test]
fn no_call_finds_itself() {
    let host = host();
    host.ip("netns add w");
    let there = inside(&host, "w", "");
    for _ in 0..20 {
        let (found, _) = pids(&host.caller(), "w");
        assert_eq!(found, [u64::from(there.pid())]);
    }
}

#[test]
fn what_proc_hides_is_said() {
    let host = host();
    host.ip("netns add w");
    let there = inside(&host, "w", "");
    for hidden in ["1", "2"] {
        host.sh(&format!("mount -t proc -o hidepid={hidden} proc /proc"));
        assert_eq!(pids(&host.caller(), "w"), (vec![], false), "hidepid={hidden}");
        host.sh("umount /proc");
    }
    host.sh("mount -t proc -o hidepid=2,gid=64000 proc /proc"); // the group of the system user
    assert_eq!(pids(&host.caller(), "w"), (vec![u64::from(there.pid())], true));
}

#[test]
fn a_namespace_that_is_none_is_refused() {
    let host = host();
    host.sh("touch /run/netns/left; mount --bind /proc/self/ns/uts /run/netns/left");
    let refused = |netns: &str| {
        let reply = host.caller().call("Netns.Pids", json!({ "netns": netns }));
        assert_eq!(reply.error(), "io.netbroker.Netns.NoSuchNetns");
        reply.parameters()["reason"].clone()
    };
    assert_eq!(refused("absent"), Value::from("absent"));
    assert_eq!(refused("left"), Value::from("not_a_namespace"));
    host.sh("umount /run/netns/left");
    assert_eq!(refused("left"), Value::from("not_a_namespace"));
}
