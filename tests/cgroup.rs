// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A caller with its own control group can freeze and kill what it starts there, in spite of the privilege. The process
//! may end at any moment without harm, and no other caller waits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{MTU_REQUEST, mtu, open_host};
use common::{Cgroup, Host, Running};
use serde_json::json;
use std::time::{Duration, Instant};

fn host() -> Host {
    let host = open_host();
    host.ip("link add v0 type veth peer name v1");
    host
}

/// Has read half of its request and waits for the rest.
fn half_asked(host: &Host, group: &Cgroup) -> Running {
    let mut running = host.caller().start();
    running.send(&MTU_REQUEST.as_bytes()[..30]);
    running.wait_until_asleep();
    group.take(running.pid());
    running
}

#[test]
fn a_frozen_process_goes_on_when_it_is_thawed_and_no_other_caller_has_waited() {
    let host = host();
    let group = Cgroup::new(&host);
    let mut running = half_asked(&host, &group);
    group.freeze();
    running.send(&MTU_REQUEST.as_bytes()[30..]);
    running.send(b"\0");
    let since = Instant::now();
    host.caller().call("Netns.Add", json!({"netns": "other"})).ok();
    host.caller().call("Netns.Delete", json!({"netns": "other"})).ok();
    host.caller().call("Link.Set", json!({"netns": "@host", "link": "v1", "mtu": 1300})).ok();
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    assert_eq!(mtu(&host), "1500");
    group.thaw();
    running.finish().ok();
    assert_eq!(mtu(&host), "1400");
}

#[test]
fn a_killed_process_has_done_nothing_that_is_not_on_record() {
    let host = host();
    let group = Cgroup::new(&host);
    let before = host.snapshot(&[]);
    let running = half_asked(&host, &group);
    group.kill();
    assert_eq!(running.finish().signal(), Some(9));
    assert_eq!(host.snapshot(&[]), before);
    assert!(host.trail().is_empty());
}
