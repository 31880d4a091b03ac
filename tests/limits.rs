// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Large requests and answers, and waits that are interrupted. The filters must allow everything that a legitimate call
//! needs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::fmt::Write as _;
use std::fs;

use common::Host;
use common::scene::open_host as host;
use nix::sys::signal::Signal;
use serde_json::json;

/// Runs many `ip` commands in one process.
fn batch(host: &Host, lines: impl Iterator<Item = String>) {
    let text = lines.fold(String::new(), |mut text, line| {
        writeln!(text, "{line}").unwrap();
        text
    });
    fs::write("/run/scratch/batch", text).unwrap();
    host.ip("-batch /run/scratch/batch");
}

#[test]
fn one_of_2500_addresses_is_found_compared_and_removed() {
    let host = host();
    host.ip("link add v0 type veth peer name v1");
    batch(&host, (0..2500).map(|n| format!("addr add 10.{}.{}.1/32 dev v0", n / 250, n % 250)));
    let caller = host.caller();
    let wanted = json!({"netns": "@host", "link": "v0", "address": "10.9.249.1/32", "exists_ok": true});
    caller.call("Address.Add", wanted).ok();
    caller.call("Address.Delete", json!({"netns": "@host", "link": "v0", "address": "10.9.249.1/32"})).ok();
    let listed = caller.call("Address.List", json!({"netns": "@host", "link": "v0", "family": "inet"})).ok();
    assert_eq!(listed["addresses"].as_array().unwrap().len(), 2499);
}

#[test]
fn a_link_with_all_the_alternative_names_that_it_can_have_is_found_and_listed() {
    let host = host();
    host.ip("link add v0 type veth peer name v1");
    let name = |n: u32| format!("link property add dev v0 altname {}{n:04}", "a".repeat(120));
    batch(&host, (0..250).map(name));
    host.caller().call("Link.Set", json!({"netns": "@host", "link": "v0", "mtu": 1400})).ok();
    let links = host.caller().call("Link.List", json!({"netns": "@host"})).ok();
    assert_eq!(links["links"].as_array().unwrap().len(), 3);
}

#[test]
fn a_broker_that_was_stopped_while_it_waited_continues() {
    let host = host();
    host.ip("link add v0 type veth peer name v1");
    let request = br#"{"method":"io.netbroker.Link.Set","parameters":{"netns":"@host","link":"v0","mtu":1400}}"#;
    let mut running = host.caller().start();
    running.send(&request[..40]);
    running.wait_until_asleep();
    running.signal(Signal::SIGSTOP);
    running.signal(Signal::SIGCONT);
    running.wait_until_asleep();
    running.send(&request[40..]);
    running.send(b"\0");
    running.finish().ok();
    assert!(host.ip("link show v0").contains("mtu 1400"));
}

#[test]
fn a_directory_of_namespaces_that_is_a_private_mount_becomes_a_shared_one() {
    let host = host();
    host.sh("mount --bind /run/netns /run/netns; mount --make-private /run/netns");
    host.caller().call("Netns.Add", json!({"netns": "n1"})).ok();
    let line = host.sh("grep ' /run/netns ' /proc/self/mountinfo");
    assert!(line.contains("shared:") && line.lines().count() == 1, "{line}");
}

#[test]
fn a_name_with_two_mounts_on_it_is_removed_completely() {
    let host = host();
    host.ip("netns add n1");
    host.sh("mount --bind /run/netns/n1 /run/netns/n1");
    host.caller().call("Netns.Delete", json!({"netns": "n1"})).ok();
    assert_eq!(host.sh("ls /run/netns; grep -c /run/netns/n1 /proc/self/mountinfo || true"), "0\n");
}
