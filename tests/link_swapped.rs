// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Another process, such as root of the namespace that a link is made in, renames, swaps or moves links while a call is
//! carried out: right before each message that the broker sends. No link that nobody judged is changed or removed, and no
//! answer says that nothing has changed if something has.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::scene::open_host;
use common::tracer::{self, Fate};
use common::{Host, Reply, request};
use nix::libc;
use serde_json::{Value, json};

/// More messages than any of these calls sends.
const MESSAGES: usize = 10;

/// Carries out a call, and runs a command right before its `nth` message.
fn disturbed(host: &Host, nth: usize, method: &str, fields: &Value, command: &str) -> Reply {
    let mut running = tracer::stopped(&host.caller()).start();
    running.send(&request(method, fields.clone(), false));
    let mut sent = 0;
    tracer::trace(&running, |step| {
        sent += usize::from(step.number == libc::SYS_sendto);
        if step.number == libc::SYS_sendto && sent == nth {
            host.sh(&format!("{{ {command}; }} 2>/dev/null || :"));
            return Fate::LeftAlone;
        }
        Fate::Done
    });
    running.finish()
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
        for nth in 2..=MESSAGES {
            let host = host();
            host.ip_in("a", "link add mine type veth peer name p index 777 netns z");
            if is_taken {
                host.ip_in("h", "link add eth0 type ifb");
            }
            let reply = disturbed(&host, nth, "Link.Add", &pair, command);
            assert!(host.ip_in("h", "link show up").is_empty() || is_done(&reply), "{nth} {command}: {reply}");
            assert!(!host.ip_in("h", "link show uplink up").contains("uplink"), "{nth} {command}: {reply}");
            if !is_done(&reply) && has(&host, "h", "va") {
                assert_eq!(reply.get("may_have_changed"), json!(true), "{nth} {command}: {reply}");
            }
        }
    }
}

#[test]
fn a_link_that_took_the_name_of_the_new_one_is_not_removed() {
    let target = json!({"netns": "h", "target_netns": "a", "link": "mv0", "kind": "macvlan", "parent": "br0"});
    let here = json!({"netns": "h", "link": "mv0", "kind": "vxlan", "parent": "br0", "vxlan": {"id": 5}});
    for (fields, netns, existing) in [
        (target, "a", "link add mine link own type macvlan"),
        (here, "h", "link add mine type vxlan id 77 dev own remote 192.0.2.1 dstport 4789"),
    ] {
        for nth in 2..=MESSAGES {
            let host = host();
            host.ip_in(netns, "link add own type bridge");
            host.ip_in(netns, existing);
            let index = host.ip_in(netns, "-o link show mine").split(':').next().unwrap().to_owned();
            let swap = format!("ip -n {netns} link set mv0 name x9 && ip -n {netns} link set mine name mv0");
            let reply = disturbed(&host, nth, "Link.Add", &fields, &swap);
            let left = host.ip_in(netns, "-o link show");
            assert!(left.lines().any(|line| line.starts_with(&format!("{index}:"))), "{nth}: {reply}\n{left}");
            if !is_done(&reply) && (has(&host, netns, "x9") || has(&host, netns, "mv0")) {
                assert_eq!(reply.get("may_have_changed"), json!(true), "{nth}: {reply}\n{left}");
            }
        }
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
            for nth in 2..=MESSAGES {
                let host = host();
                host.ip_in("h", "link add v0 type veth peer name v1");
                let reply = disturbed(&host, nth, "Link.Set", &fields, command);
                let all = host.sh("for netns in h z; do ip -n $netns -o link show; done");
                let has_changed = all.contains("mtu 1400");
                if !is_done(&reply) && has_changed {
                    assert_eq!(reply.get("may_have_changed"), json!(true), "{nth} {command}: {reply}");
                }
                // All of it is on one link.
                let other = host.sh("ip -n h link show v0 type ifb 2>/dev/null || :");
                assert!(!other.contains("other") || other.contains("mtu 1400"), "{nth}: {reply}");
            }
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
