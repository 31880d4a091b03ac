// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Listings of thousands of objects: whole or in parts, while other processes change what is listed, and in little
//! memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::open_host;
use common::tracer::{self, Fate, Step};
use common::{Host, Reply, request};
use nix::libc;
use serde_json::{Value, json};

/// A namespace `a` with a pair of links, and with what these lines of `ip -batch` make.
fn host(lines: impl Iterator<Item = String>) -> Host {
    let host = open_host();
    host.ip("netns add a");
    host.ip_in("a", "link add v0 type veth peer name v1");
    // First: the kernel may make a link-local address while the link goes up.
    for words in ["link set v0 addrgenmode none", "link set v1 addrgenmode none", "link set v0 up", "link set v1 up"] {
        host.ip_in("a", words);
    }
    for link in ["v0", "v1"] {
        host.sh(&format!(
            "until ip -n a -6 route show table all | grep -q 'ff00::/8 dev {link} '; do sleep 0.02; done"
        ));
    }
    host.ip_in("a", "addr add 10.0.0.1/24 dev v0");
    std::fs::write("/run/scratch/lines", lines.map(|line| line + "\n").collect::<String>()).unwrap();
    host.ip_in("a", "-batch /run/scratch/lines");
    host
}

fn routes(count: usize) -> impl Iterator<Item = String> {
    let destination = |n: usize| format!("20.{}.{}.{}/32", n / 65_536, n / 256 % 256, n % 256);
    (0..count).map(move |n| format!("route add {} via 10.0.0.9 table 9", destination(n)))
}

fn pairs(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("link add x{n} type veth peer name y{n}"))
}

fn rules(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("rule add priority {} from 30.{}.{}.0/24 lookup 100", n + 100, n / 256, n % 256))
}

fn elements(of: &Value, list: &str) -> Vec<Value> {
    of[list].as_array().unwrap_or_else(|| panic!("no {list} in {of}")).clone()
}

#[test]
fn thousands_of_objects_are_the_same_in_one_reply_and_in_parts() {
    let addresses = (0..200).flat_map(|n| {
        [format!("addr add 10.1.{n}.1/32 dev x{n}"), format!("addr add 2001:db8::{n}/128 dev y{n} nodad")]
    });
    let neighbours =
        (0..1500).map(|n| format!("neigh add 10.0.{}.{} lladdr 02:00:00:00:00:01 dev v1", 1 + n / 250, 1 + n % 250));
    let host = host(routes(3000).chain(pairs(200)).chain(addresses).chain(neighbours).chain(rules(2000)));
    for (method, list, least) in [
        ("Route.List", "routes", 3000),
        ("Link.List", "links", 403),
        ("Address.List", "addresses", 400),
        ("Neighbour.List", "neighbours", 1500),
        ("Rule.List", "rules", 2000),
    ] {
        let fields = json!({"netns": "a"});
        let whole = host.caller().call(method, fields.clone());
        assert_eq!(whole.messages().len(), 1, "{method}");
        let whole = elements(&whole.ok(), list);
        assert!(whole.len() >= least, "{method}: {}", whole.len());
        let parts = host.caller().call_more(method, fields).all();
        assert!(parts.len() > 1, "{method}: {} replies", parts.len());
        assert!(parts.iter().all(|part| !elements(part, list).is_empty()), "{method}: an empty part");
        let together: Vec<Value> = parts.iter().flat_map(|part| elements(part, list)).collect();
        assert_eq!(together.len(), whole.len(), "{method}");
        let same = |(one, other): (&Value, &Value)| one == other || list == "neighbours"; // those have running times
        assert!(together.iter().zip(&whole).all(same), "{method}");
    }
}

/// Runs a call, and `meanwhile` once: right after the system call for which `is_due` returns true. Also returns the
/// largest address space that the broker had, in KiB: unlike resident memory, the kernel counts it exactly.
fn traced(host: &Host, bytes: &[u8], mut is_due: impl FnMut(Step) -> bool, meanwhile: impl Fn()) -> (Reply, u64) {
    let mut running = tracer::stopped(&host.caller()).start();
    running.send(bytes);
    let (mut is_next, mut peak) = (false, None);
    let status = format!("/proc/{}/status", running.pid());
    tracer::trace(&running, |step| {
        if std::mem::take(&mut is_next) {
            meanwhile();
        }
        is_next = is_due(step);
        if step.number == libc::SYS_exit_group {
            let status = std::fs::read_to_string(&status).unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:")).unwrap();
            peak = line.trim().strip_suffix(" kB").unwrap().parse().ok();
        }
        Fate::Done
    });
    (running.finish(), peak.expect("it ends"))
}

/// Whether it is the `nth` time that this system call is made on this descriptor, or on any.
fn nth(number: i64, on: Option<u64>, nth: usize) -> impl FnMut(Step) -> bool {
    let mut count = 0;
    move |step| {
        let is = step.number == number && on.is_none_or(|on| step.arguments[0] == on);
        count += usize::from(is);
        is && count == nth
    }
}

#[test]
fn a_listing_that_changes_while_it_is_read_is_read_again() {
    let host = host(pairs(300));
    let bytes = request("Link.List", json!({"netns": "a"}), false);
    // The request itself is read with another call.
    let (reply, _) = traced(&host, &bytes, nth(libc::SYS_recvfrom, None, 3), || {
        host.ip_in("a", "link add late type veth peer name later");
    });
    let links = elements(&reply.ok(), "links");
    let count = |name: &str| links.iter().filter(|link| link["link"] == json!(name)).count();
    assert_eq!((links.len(), count("late"), count("x0")), (605, 1, 1));
    assert_eq!(host.trail().last().unwrap().field("NETBROKER_RESULT"), "done");
}

#[test]
fn a_listing_that_changes_all_the_time_is_interrupted() {
    let host = host(pairs(300));
    let mut running = tracer::stopped(&host.caller()).start();
    running.send(&request("Link.List", json!({"netns": "a"}), false));
    let (mut changes, mut questions) = (0, 0);
    tracer::trace(&running, |step| {
        if step.number == libc::SYS_recvfrom {
            changes += 1;
            host.ip_in("a", &format!("link add late{changes} type bridge"));
        }
        questions += usize::from(step.number == libc::SYS_sendto);
        Fate::Done
    });
    let reply = running.finish();
    assert_eq!((reply.error().as_str(), reply.messages().len()), ("io.netbroker.Link.Interrupted", 1));
    assert_eq!(host.trail().last().unwrap().field("NETBROKER_RESULT"), "Interrupted");
    assert!(questions > 12, "it was requested again: {questions}");
}

#[test]
fn a_listing_that_changes_when_a_part_was_sent_ends_in_an_error() {
    let host = host(pairs(300));
    let bytes = request("Link.List", json!({"netns": "a"}), true);
    let (reply, _) = traced(&host, &bytes, nth(libc::SYS_write, Some(1), 1), || {
        host.ip_in("a", "link add late type bridge");
    });
    assert_eq!(reply.error(), "io.netbroker.Link.Interrupted");
    assert_eq!(reply.status(), 75);
    let messages = reply.messages();
    assert!(messages.len() > 1 && messages[0]["parameters"]["links"].is_array(), "{reply}");
    assert_eq!(host.trail().last().unwrap().field("NETBROKER_RESULT"), "Interrupted");
}

#[test]
fn a_link_that_is_renamed_between_two_parts_is_not_listed_further() {
    let host = host(
        (0..2000).map(|n| format!("neigh add 10.0.{}.{} lladdr 02:00:00:00:00:01 dev v1", 1 + n / 250, 1 + n % 250)),
    );
    let bytes = request("Neighbour.List", json!({"netns": "a", "link": "v1"}), true);
    let (reply, _) = traced(&host, &bytes, nth(libc::SYS_write, Some(1), 1), || {
        host.ip_in("a", "link set v1 name w1");
    });
    assert_eq!(reply.error(), "io.netbroker.Neighbour.Interrupted");
    let messages = reply.messages();
    let listed: usize =
        messages.iter().filter_map(|message| message["parameters"]["neighbours"].as_array()).map(Vec::len).sum();
    assert!(messages.len() > 1 && listed < 2000, "{} messages with {listed}", messages.len());
}

/// The largest address space of a request among few objects: what the program takes alone, in KiB. It is the program as it
/// ships: without optimisation it is larger.
fn alone(host: &Host) -> u64 {
    host.ip("netns add few");
    let (reply, peak) = traced(host, &request("Link.List", json!({"netns": "few"}), false), |_| false, || {});
    assert_eq!(elements(&reply.ok(), "links").len(), 1);
    assert!(peak <= 5632, "Link.List among few: {peak} KiB");
    peak
}

#[test]
fn a_large_table_is_listed_and_searched_in_little_memory() {
    let host = host(routes(100_000));
    let alone = alone(&host);
    let (listed, peak) =
        traced(&host, &request("Route.List", json!({"netns": "a", "table": 9}), true), |_| false, || {});
    let parts = listed.all();
    assert_eq!(parts.iter().map(|part| elements(part, "routes").len()).sum::<usize>(), 100_000);
    assert!(peak <= alone + 512, "Route.List: {peak} KiB, and {alone} KiB among few");

    let delete = json!({"netns": "a", "table": 9, "destination": "20.1.2.3/32"});
    let (deleted, peak) = traced(&host, &request("Route.Delete", delete, false), |_| false, || {});
    assert_eq!(deleted.ok(), json!({}));
    assert!(peak <= alone + 512, "Route.Delete: {peak} KiB, and {alone} KiB among few");
    assert_eq!(host.ip_in("a", "route show table 9 20.1.2.3"), "");
    assert_eq!(host.ip_in("a", "route show table 9").lines().count(), 99_999);

    let whole = traced(&host, &request("Route.List", json!({"netns": "a", "table": 9}), false), |_| false, || {});
    let (reply, peak) = whole;
    assert_eq!(elements(&reply.ok(), "routes").len(), 99_999);
    let bytes = u64::try_from(reply.stdout().len()).unwrap();
    assert!((peak - alone) * 1024 <= bytes * 5 / 4, "Route.List in one reply of {bytes} bytes: {peak} KiB");
}

#[test]
fn many_links_are_listed_in_little_memory() {
    let host = host(pairs(2000));
    let alone = alone(&host);
    let listed = |more| traced(&host, &request("Link.List", json!({"netns": "a"}), more), |_| false, || {});
    let (whole, peak) = listed(false);
    assert_eq!(elements(&whole.ok(), "links").len(), 4003);
    assert!(
        peak <= alone + 2 * 1024,
        "Link.List in one reply of {} bytes: {peak} KiB, and {alone} KiB among few",
        whole.stdout().len()
    );
    let (parts, peak) = listed(true);
    assert_eq!(parts.all().iter().map(|part| elements(part, "links").len()).sum::<usize>(), 4003);
    assert!(peak <= alone + 512, "Link.List: {peak} KiB, and {alone} KiB among few");
    // With everything that a listing can show of a link, and with filters that only some links match.
    host.sh("for n in $(seq 0 2 1998); do echo link set x$n group 7; done | ip -n a -batch -");
    for (more, expected) in [(json!({}), 4003), (json!({"group": 7}), 1000), (json!({"kind": "bridge"}), 0)] {
        let mut fields = json!({"netns": "a", "with_stats": true, "with_vfs": true});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (parts, peak) = traced(&host, &request("Link.List", fields, true), |_| false, || {});
        let parts = parts.all();
        assert_eq!(parts.iter().map(|part| elements(part, "links").len()).sum::<usize>(), expected, "{more}");
        assert!(parts.len() > expected / 100, "{more}: {} replies", parts.len());
        assert!(peak <= alone + 512, "Link.List {more}: {peak} KiB, and {alone} KiB among few");
    }
}

#[test]
fn a_rule_is_found_among_many_in_little_memory() {
    let delete = json!({"netns": "a", "family": "inet", "priority": 7000});
    let flush = |host: &Host, priorities: &str| {
        let fields = json!({"netns": "a", "family": "inet", "priorities": priorities});
        traced(host, &request("Rule.Flush", fields, false), |_| false, || {})
    };
    // What the program alone takes.
    let few = host(rules(10));
    let deletes_one = json!({"netns": "a", "family": "inet", "priority": 105});
    let (deleted, alone) = traced(&few, &request("Rule.Delete", deletes_one, false), |_| false, || {});
    assert_eq!(deleted.ok(), json!({}));
    let host = host(rules(10_000));
    let (deleted, peak) = traced(&host, &request("Rule.Delete", delete, false), |_| false, || {});
    assert_eq!(deleted.ok(), json!({}));
    // If the broker kept the rules, they would take another megabyte.
    assert!(peak <= alone + 128, "Rule.Delete: {peak} KiB, and {alone} KiB among few");
    assert_eq!(host.ip_in("a", "rule show").lines().count(), 10_002);
    let (some, peak) = flush(&host, "7001..7010");
    assert_eq!(some.ok(), json!({"deleted": 10}));
    assert!(peak <= alone + 128, "Rule.Flush of ten: {peak} KiB, and {alone} KiB for a deletion among few");
    let (all, peak) = flush(&host, "1..32765");
    assert_eq!(all.ok(), json!({"deleted": 9989}));
    assert!(peak <= 16 * 1024, "Rule.Flush of all: {peak} KiB");
    assert_eq!(host.ip_in("a", "rule show").lines().count(), 3);
}
