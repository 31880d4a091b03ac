// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every system call of a request fails in every way that is documented for it, and is also the last one of a process
//! that is killed. Nothing that the caller receives, and nothing that is recorded, claims what did not happen. Nothing
//! half-made stays except where that is reported. The next caller does not have to wait.
//!
//! A walk begins at the first call of the broker's own code, `alarm`: what fails before is reported by the loader, and
//! nothing has been requested yet. All requests take the same path to the first filter, and mostly the same to the
//! last. So one walk for each way to start the broker and for each kind of trail begins at the start. The others begin
//! at the filter after which their paths differ.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "failures/errors.rs"]
mod errors;
#[path = "failures/walk.rs"]
mod walk;

use common::scene::EVERYTHING;
use common::tracer::{self, Fate, Step};
use common::{BOB, Builder, Host, Reply, Way, request};
use nix::errno::Errno;
use nix::libc;
use serde_json::{Value, json};
use std::fs;
use walk::{Asked, From, PLACES, Walk, asked};

/// A host with two namespaces, one of which holds a pair with an address.
fn host(way: Way) -> Host {
    host_of(Host::builder().way(way))
}

fn host_of(builder: Builder) -> Host {
    let host = builder.build();
    host.policy(EVERYTHING);
    for netns in PLACES {
        host.ip(&format!("netns add {netns}"));
        // What the kernel does by itself a moment later would disturb the comparison.
        host.sh(&format!(
            "nsenter --net=/run/netns/{netns} sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'"
        ));
    }
    host.ip_in("w", "link add v0 address 02:00:00:00:00:01 type veth peer name v1 address 02:00:00:00:00:02");
    host.ip_in("w", "addr add 10.0.0.1/24 dev v0");
    host
}

/// Gives `v0` more addresses.
fn addresses(host: &Host, count: u32) {
    let lines: String = (0..count).map(|n| format!("addr add 10.2.0.{n}/32 dev v0\n")).collect();
    fs::write("/run/scratch/batch", lines).unwrap();
    host.ip_in("w", "-batch /run/scratch/batch");
}

/// The fields of a request about `v0`.
fn v0(more: &Value) -> Value {
    let mut fields = json!({"netns": "w", "link": "v0"});
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    fields
}

fn set() -> Asked {
    let back = v0(&json!({"mtu": 1500, "alias": ""}));
    asked("Link.Set", v0(&json!({"mtu": 1400, "alias": "mine"}))).undo("Link.Set", back)
}

/// A pair in two namespaces, made in three transactions.
fn pair() -> Value {
    json!({
        "netns": "w", "link": "v2", "kind": "veth", "mac": "02:00:00:00:00:03", "up": true, "alias": "mine",
        "peer": {"name": "v3", "netns": "p", "mac": "02:00:00:00:00:04", "up": true}, "exists_ok": true,
    })
}

#[test]
fn no_failed_system_call_of_a_link_set_is_reported_as_something_else() {
    let host = host(Way::Setuid);
    Walk::new(&host, host.caller(), set()).walk(From::Start);
}

#[test]
fn no_failed_system_call_of_a_request_over_a_socket_is_reported_as_something_else() {
    let host = host(Way::Root);
    Walk::new(&host, host.as_root().args(&["--peer"]), set()).on_socket().walk(From::Start);
}

#[test]
fn no_failed_system_call_of_a_denied_request_is_reported_as_something_else() {
    let host = host(Way::Setuid);
    Walk::new(&host, host.as_uid(BOB), asked("Link.Set", v0(&json!({"mtu": 1400})))).walk(From::FirstFilter);
}

#[test]
fn no_failed_system_call_of_a_move_to_another_namespace_is_reported_as_something_else() {
    let host = host(Way::Setuid);
    let back = json!({"netns": "p", "link": "v1", "target_netns": "w"});
    let moves = asked("Link.Set", json!({"netns": "w", "link": "v1", "target_netns": "p"})).undo("Link.Set", back);
    Walk::new(&host, host.caller(), moves).walk(From::LastFilter);
}

#[test]
fn no_failed_system_call_of_a_veth_pair_made_in_several_transactions_is_reported_as_something_else() {
    let host = host(Way::Setuid);
    let gone = json!({"netns": "w", "link": "v2", "missing_ok": true});
    Walk::new(&host, host.caller(), asked("Link.Add", pair()).undo("Link.Delete", gone)).walk(From::FirstFilter);
}

#[test]
fn no_failed_system_call_while_an_existing_link_is_compared_or_removed_is_reported_as_something_else() {
    let host = host(Way::Setuid);
    host.caller().call("Link.Add", pair()).ok();
    Walk::new(&host, host.caller(), asked("Link.Add", pair())).walk(From::LastFilter);
    let removal = asked("Link.Delete", json!({"netns": "w", "link": "v2"})).undo("Link.Add", pair());
    Walk::new(&host, host.caller(), removal).walk(From::LastFilter);
}

#[test]
fn no_failed_system_call_of_an_address_call_is_reported_as_something_else() {
    let host = host(Way::Setuid);
    let added = v0(&json!({"address": "10.0.0.9/24"}));
    let add = asked("Address.Add", added.clone()).undo("Address.Delete", added);
    Walk::new(&host, host.caller(), add).walk(From::LastFilter);
    let mut both = asked("Address.Delete", v0(&json!({"address": "10.1.0.1/32"})));
    for peer in ["10.1.0.2/32", "10.1.0.3/32"] {
        both =
            both.undo("Address.Add", v0(&json!({"address": "10.1.0.1/32", "peer_address": peer, "exists_ok": true})));
    }
    for (method, parameters) in &both.undo {
        host.caller().call(method, parameters.clone()).ok();
    }
    Walk::new(&host, host.caller(), both).walk(From::LastFilter);
}

#[test]
fn no_failed_system_call_while_a_route_is_added_removed_or_listed_is_reported_as_something_else() {
    let host = host(Way::Setuid);
    host.ip_in("w", "link set v1 up");
    host.ip_in("w", "link set v0 up");
    let way = json!({"netns": "w", "destination": "10.9.0.0/16", "gateway": "10.0.0.2"});
    let add = asked("Route.Add", way.clone()).undo("Route.Delete", way.clone());
    Walk::new(&host, host.caller(), add).walk(From::LastFilter);
    host.caller().call("Route.Add", way.clone()).ok();
    let delete = asked("Route.Delete", way.clone()).undo("Route.Add", way);
    Walk::new(&host, host.caller(), delete).walk(From::LastFilter);
    Walk::new(&host, host.caller(), asked("Route.List", json!({"netns": "w"}))).walk(From::LastFilter);
}

#[test]
fn no_failed_system_call_while_a_route_is_replaced_or_found_to_exist_is_reported_as_something_else() {
    let host = host(Way::Setuid);
    host.ip_in("w", "link set v1 up");
    host.ip_in("w", "link set v0 up");
    let way = |gateway: &str| json!({"netns": "w", "destination": "10.9.0.0/16", "gateway": gateway});
    host.caller().call("Route.Add", way("10.0.0.2")).ok();
    let replace = asked("Route.Replace", way("10.0.0.3")).undo("Route.Replace", way("10.0.0.2"));
    Walk::new(&host, host.caller(), replace).walk(From::LastFilter);
    let mut same = way("10.0.0.2");
    same["exists_ok"] = json!(true);
    Walk::new(&host, host.caller(), asked("Route.Add", same)).walk(From::LastFilter);
}

#[test]
fn no_failed_system_call_of_a_routing_rule_call_is_reported_as_something_else() {
    let host = host(Way::Setuid);
    let rule = json!({"netns": "w", "family": "inet", "priority": 9, "source": "10.9.0.0/16", "iif": "v0", "table": 9});
    let add = asked("Rule.Add", rule.clone()).undo("Rule.Delete", rule.clone());
    Walk::new(&host, host.caller(), add).walk(From::LastFilter);
    host.caller().call("Rule.Add", rule.clone()).ok();
    let delete = asked("Rule.Delete", rule.clone()).undo("Rule.Add", rule);
    Walk::new(&host, host.caller(), delete).walk(From::LastFilter);
    Walk::new(&host, host.caller(), asked("Rule.List", json!({"netns": "w"}))).walk(From::LastFilter);
}

#[test]
fn no_failed_system_call_of_a_flush_is_reported_as_something_else() {
    let host = host(Way::Setuid);
    let mut flush = asked("Rule.Flush", json!({"netns": "w", "family": "inet", "priorities": "8..9"}));
    for priority in [8, 9] {
        let rule = json!({"netns": "w", "family": "inet", "priority": priority, "table": 9, "exists_ok": true});
        host.caller().call("Rule.Add", rule.clone()).ok();
        flush = flush.undo("Rule.Add", rule);
    }
    Walk::new(&host, host.caller(), flush).walk(From::LastFilter);
}

#[test]
fn no_failed_system_call_of_a_neighbour_call_is_reported_as_something_else() {
    let host = host(Way::Setuid);
    let there = v0(&json!({"address": "10.0.0.9"}));
    let with = |mac: &str| v0(&json!({"address": "10.0.0.9", "mac": mac}));
    let add = asked("Neighbour.Add", with("02:00:00:00:00:09")).undo("Neighbour.Delete", there.clone());
    Walk::new(&host, host.caller(), add).walk(From::LastFilter);
    host.caller().call("Neighbour.Add", with("02:00:00:00:00:09")).ok();
    let replace = asked("Neighbour.Replace", with("02:00:00:00:00:0a"));
    let replace = replace.undo("Neighbour.Replace", with("02:00:00:00:00:09"));
    Walk::new(&host, host.caller(), replace).walk(From::LastFilter);
    let delete = asked("Neighbour.Delete", there).undo("Neighbour.Replace", with("02:00:00:00:00:09"));
    Walk::new(&host, host.caller(), delete).walk(From::LastFilter);
    Walk::new(&host, host.caller(), asked("Neighbour.List", json!({"netns": "w"}))).walk(From::LastFilter);
}

#[test]
fn no_failed_system_call_while_a_tap_or_a_vxlan_is_made_is_reported_as_something_else() {
    let host = host(Way::Setuid);
    let gone = json!({"netns": "w", "link": "n0", "missing_ok": true});
    let tap = json!({
        "netns": "w", "link": "n0", "kind": "tun", "mac": "02:00:00:00:00:05", "alias": "mine",
        "tun": {"mode": "tap", "group": 7},
    });
    let tap = asked("Link.Add", tap).undo("Link.Delete", gone.clone());
    Walk::new(&host, host.caller(), tap).walk(From::FirstFilter);
    let vxlan = json!({"netns": "w", "link": "n0", "kind": "vxlan", "mac": "02:00:00:00:00:05", "vxlan": {"id": 7}});
    Walk::new(&host, host.caller(), asked("Link.Add", vxlan).undo("Link.Delete", gone)).walk(From::LastFilter);
}

#[test]
fn no_failed_system_call_under_file_capabilities_is_reported_as_something_else() {
    let host = host(Way::FileCapabilities);
    Walk::new(&host, host.caller(), set()).walk(From::Start);
}

#[test]
fn no_failed_system_call_is_reported_or_recorded_as_something_else_where_syslog_keeps_the_trail() {
    let host = host_of(Host::builder().syslog());
    Walk::new(&host, host.caller(), set()).walk(From::Start);
    let denied = asked("Link.Set", v0(&json!({"mtu": 1400})));
    Walk::new(&host, host.as_uid(BOB), denied).walk(From::FirstFilter);
}

#[test]
fn no_failed_system_call_of_a_listing_is_reported_as_something_else() {
    let host = host(Way::Setuid);
    addresses(&host, 70); // more than fit into one reply of a stream
    for (method, parameters, more, from) in [
        ("Netns.List", json!({"netns": "@host"}), false, From::FirstFilter),
        ("Netns.Get", json!({"netns": "w"}), false, From::FirstFilter),
        ("Link.List", json!({"netns": "w"}), false, From::LastFilter),
        ("Address.List", json!({"netns": "w"}), true, From::LastFilter),
    ] {
        Walk::new(&host, host.caller(), Asked { more, ..asked(method, parameters) }).walk(from);
    }
}

#[test]
fn no_failed_system_call_while_a_namespace_is_made_or_removed_is_reported_as_something_else() {
    let host = host(Way::Setuid);
    let gone = json!({"netns": "x", "missing_ok": true});
    let add = asked("Netns.Add", json!({"netns": "x"})).undo("Netns.Delete", gone.clone());
    Walk::new(&host, host.caller(), add).walk(From::FirstFilter);
    host.caller().call("Netns.Add", json!({"netns": "x"})).ok();
    let delete = asked("Netns.Delete", json!({"netns": "x"})).undo("Netns.Delete", gone);
    Walk::new(&host, host.caller(), delete.undo("Netns.Add", json!({"netns": "x"}))).walk(From::FirstFilter);
}

#[test]
fn no_failed_system_call_while_the_first_namespace_of_a_host_is_made_is_reported_as_something_else() {
    let host = Host::new();
    host.policy(EVERYTHING);
    let add = asked("Netns.Add", json!({"netns": "x"}));
    let mut add = add.undo("Netns.Delete", json!({"netns": "x", "missing_ok": true}));
    add.reset = "umount /run/netns 2>/dev/null || true"; // if it got as far as that; the state shows it
    Walk::new(&host, host.caller(), add).walk(From::LastFilter);
}

#[test]
fn whoever_asks_while_a_request_stands_still_at_any_of_its_calls_is_served() {
    let host = host(Way::Setuid);
    let other = host.as_root();
    for asked in [set(), asked("Link.Add", pair()), asked("Netns.Add", json!({"netns": "x"}))] {
        let mut calls = 0;
        let reply = disturbed(&host, &asked, |step| {
            if calls > 0 || step.number == libc::SYS_alarm {
                other.call("Link.Set", v0(&json!({"mtu": 1300 + calls}))).ok();
                let there = fs::exists("/run/netns/y").unwrap();
                other.call(if there { "Netns.Delete" } else { "Netns.Add" }, json!({"netns": "y"})).ok();
                calls += 1;
            }
            Fate::Done
        });
        reply.ok();
        assert!(calls > 100, "{calls}");
    }
}

/// What results from a request if this happens to one of its calls.
fn disturbed(host: &Host, asked: &Asked, fate: impl FnMut(Step) -> Fate) -> Reply {
    let mut running = tracer::stopped(&host.caller()).start();
    running.send(&request(asked.method, asked.parameters.clone(), asked.more));
    tracer::trace(&running, fate);
    running.finish()
}

#[test]
fn a_reply_that_waits_for_room_and_is_interrupted_comes_whole() {
    let host = host(Way::Setuid);
    let mut disturbances = [(libc::SYS_write, Errno::EAGAIN), (libc::SYS_poll, Errno::EINTR)].into_iter().peekable();
    let reply = disturbed(&host, &set(), |step| {
        disturbances.next_if(|(number, _)| *number == step.number).map_or(Fate::Done, |(_, errno)| Fate::Fails(errno))
    });
    reply.ok();
    assert_eq!(disturbances.next(), None);
}

#[test]
fn nothing_follows_a_reply_that_broke_off() {
    let host = host(Way::Setuid);
    addresses(&host, 150);
    let mut writes = [Fate::HalfDone, Fate::Fails(Errno::EIO)].into_iter();
    let listing = Asked { more: true, ..asked("Address.List", json!({"netns": "w"})) };
    let reply = disturbed(&host, &listing, |step| match step.number {
        libc::SYS_write => writes.next().expect("another write"),
        _ => Fate::Done,
    });
    assert_eq!((reply.status(), writes.next()), (74, None), "{reply}");
    assert!(!reply.stdout().is_empty());
}

#[test]
fn a_file_that_cannot_be_taken_back_is_admitted() {
    let host = host(Way::Setuid);
    let add = asked("Netns.Add", json!({"netns": "x"}));
    let reply = disturbed(&host, &add, |step| match step.number {
        libc::SYS_mount => Fate::Fails(Errno::ENOMEM),
        libc::SYS_unlinkat => Fate::Fails(Errno::EIO),
        _ => Fate::Done,
    });
    assert_eq!(reply.error(), "io.netbroker.Netns.KernelRefused");
    assert_eq!((reply.get("errno_name"), reply.get("may_have_changed")), (json!("ENOMEM"), json!(true)), "{reply}");
    assert!(fs::exists("/run/netns/x").unwrap());
    host.caller().call("Netns.Delete", json!({"netns": "x"})).ok();
}
