// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Another process, such as root of the namespace that a link is made in, renames, swaps or moves links while a call is
//! carried out: right before each message that the broker sends. No link that nobody judged is changed or removed, and no
//! answer says that nothing has changed if something has.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::open_host;
use common::tracer;
use common::{Host, Reply};
use serde_json::{Value, json};

/// Carries out a call once for each message that it sends to the kernel, and runs a command right before that one.
fn each_disturbed(
    method: &str,
    fields: &Value,
    command: &str,
    scene: impl Fn() -> Host,
    check: impl Fn(&Host, &Reply),
) {
    for nth in 2.. {
        let host = scene();
        let held = tracer::held_back(&host, nth, method, fields, || {
            host.sh(&format!("{{ {command}; }} 2>/dev/null || :"));
        });
        match held {
            Ok(reply) => check(&host, &reply),
            Err(_) => return assert!(nth > 4, "{method} sends fewer messages than it looks links up"),
        }
    }
}

/// `a` belongs to somebody else. `h` has a bridge and an uplink.
fn host() -> Host {
    let host = open_host();
    for netns in ["a", "z", "h"] {
        host.ip(&format!("netns add {netns}"));
    }
    host.ip_in("h", "link add br0 type bridge");
    host.ip_in("h", "link add uplink index 777 type ifb");
    host
}

/// Whether a namespace has a link.
fn has(host: &Host, netns: &str, link: &str) -> bool {
    host.sh(&format!("ip -n {netns} link show {link} >/dev/null 2>&1 && echo yes || :")).contains("yes")
}

fn is_done(reply: &Reply) -> bool {
    reply.status() == 0
}

#[test]
fn the_other_end_that_goes_up_is_the_requested_one_and_no_link_of_the_same_index() {
    let pair = json!({"netns": "h", "target_netns": "a", "link": "eth0", "kind": "veth",
                      "peer": {"name": "va", "netns": "h", "up": true}});
    let swap = "ip -n a link set eth0 name x9 && ip -n a link set mine name eth0";
    let temporary = "T=$(ip -n a -o link | grep -o 'nb[0-9a-f]*' | head -n1)";
    let swap_temporary = format!("{temporary}; ip -n a link set $T name x9 && ip -n a link set mine name $T");
    let move_temporary = format!("{temporary}; ip -n a link set $T netns z");
    for (is_taken, command) in [(false, swap), (true, &swap_temporary), (true, &move_temporary)] {
        let scene = || {
            let host = host();
            host.ip_in("a", "link add mine type veth peer name p index 777 netns z");
            if is_taken {
                host.ip_in("h", "link add eth0 type ifb");
            }
            host
        };
        each_disturbed("Link.Add", &pair, command, scene, |host, reply| {
            assert!(host.ip_in("h", "link show up").is_empty() || is_done(reply), "{command}: {reply}");
            assert!(!host.ip_in("h", "link show uplink up").contains("uplink"), "{command}: {reply}");
            if !is_done(reply) && has(host, "h", "va") {
                assert_eq!(reply.get("may_have_changed"), json!(true), "{command}: {reply}");
            }
        });
    }
}

#[test]
fn a_link_that_took_the_name_of_the_new_one_is_not_removed() {
    let target = json!({"netns": "h", "target_netns": "a", "link": "mv0", "kind": "macvlan", "parent": "br0"});
    let here = json!({"netns": "h", "link": "mv0", "kind": "vxlan", "parent": "br0", "vxlan": {"id": 5}});
    for (fields, netns, existing) in [
        (target, "a", "link add mine index 900 link own type macvlan"),
        (here, "h", "link add mine index 900 type vxlan id 77 dev own remote 192.0.2.1 dstport 4789"),
    ] {
        let scene = || {
            let host = host();
            host.ip_in(netns, "link add own type bridge");
            host.ip_in(netns, existing);
            host
        };
        let swap = format!("ip -n {netns} link set mv0 name x9 && ip -n {netns} link set mine name mv0");
        each_disturbed("Link.Add", &fields, &swap, scene, |host, reply| {
            let left = host.ip_in(netns, "-o link show");
            assert!(left.lines().any(|line| line.starts_with("900:")), "{reply}\n{left}");
            if !is_done(reply) && (has(host, netns, "x9") || has(host, netns, "mv0")) {
                assert_eq!(reply.get("may_have_changed"), json!(true), "{reply}\n{left}");
            }
        });
    }
}

#[test]
fn a_change_in_several_messages_that_ends_early_says_what_may_have_changed() {
    let names = json!({"netns": "h", "link": "v0", "mtu": 1400, "add_altname": "other"});
    let port = json!({"netns": "h", "link": "v0", "mtu": 1400, "master": "br0", "bridge_port": {"hairpin": true}});
    let commands = [
        "ip -n h link set v0 name v9",
        "ip -n h link set v0 name v9; ip -n h link add v0 type ifb",
        "ip -n h link set v0 netns z",
    ];
    for fields in [names, port] {
        for command in commands {
            let scene = || {
                let host = host();
                host.ip_in("h", "link add v0 type veth peer name v1");
                host
            };
            each_disturbed("Link.Set", &fields, command, scene, |host, reply| {
                let all = host.sh("for netns in h z; do ip -n $netns -o link show; done");
                if !is_done(reply) && all.contains("mtu 1400") {
                    assert_eq!(reply.get("may_have_changed"), json!(true), "{command}: {reply}");
                }
                // All of it is on one link.
                let other = host.sh("ip -n h link show v0 type ifb 2>/dev/null || :");
                assert!(!other.contains("other") || other.contains("mtu 1400"), "{reply}");
            });
        }
    }
}

#[test]
fn one_namespace_has_one_name_in_a_request() {
    let host = host();
    host.sh("touch /run/netns/h2; mount --bind /run/netns/h /run/netns/h2");
    let before = host.snapshot(&["h"]);
    let pair = json!({"netns": "h", "link": "v0", "kind": "veth", "peer": {"name": "v1", "netns": "h2"}});
    let into = json!({"netns": "h", "target_netns": "h2", "link": "v0", "kind": "ifb"});
    for (fields, field) in [(pair, "peer.netns"), (into, "target_netns")] {
        let reply = host.caller().call("Link.Add", fields);
        assert_eq!((reply.error().as_str(), reply.get("field")), ("io.netbroker.Link.KernelRefused", json!(field)));
        assert!(reply.get("message").as_str().unwrap().contains("`h`"), "{reply}");
    }
    assert_eq!(host.snapshot(&["h"]), before);
}
