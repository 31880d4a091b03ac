// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `touches`: an uplink that a deny names is unchanged, whichever field of whichever call refers to it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::Host;
use common::scene::EVERYTHING;
use serde_json::{Value, json};

const UPLINKS: &str = r#"
[[deny]]
id      = "uplinks"
who     = "*"
call    = "@change"
touches = { netns = "@host", link = "eth*" }
"#;

/// A host with an uplink, a port of it, and a namespace with a link of the same name.
fn host() -> Host {
    let host = Host::new();
    host.policy(&format!("{EVERYTHING}{UPLINKS}"));
    for words in [
        "link add eth0 address 02:00:00:00:00:01 type veth peer name wire",
        "link add eth1 address 02:00:00:00:00:02 type bridge",
        "link add ci0 type veth peer name ci1",
        "link set ci1 master eth1",
        "link add br0 type bridge",
        "addr add 192.0.2.1/24 dev eth0",
        "netns add a",
        "-n a link add eth0 type veth peer name p0",
        "-n a link add eth5 type veth peer name p5",
        "-n a link add eth6 type bridge",
        "-n a link add ci5 type veth peer name ci6",
    ] {
        host.ip(words);
    }
    host
}

fn on_host(link: &str, mut changes: Value) -> Value {
    let mut fields = json!({"netns": "@host", "link": link});
    fields.as_object_mut().unwrap().append(changes.as_object_mut().unwrap());
    fields
}

fn set(changes: Value) -> (&'static str, Value, &'static str) {
    ("Link.Set", on_host("eth0", changes), "link")
}

fn veth(netns: &str, link: &str, peer: &str, peer_netns: &str, mut others: Value) -> Value {
    let mut fields = json!({"netns": netns, "link": link, "kind": "veth", "peer": {"name": peer, "netns": peer_netns}});
    fields.as_object_mut().unwrap().append(others.as_object_mut().unwrap());
    fields
}

#[test]
fn a_denied_uplink_is_out_of_reach_of_every_field() {
    let host = host();
    let from_a = |link: &str, changes: Value| {
        let mut fields = on_host(link, changes);
        fields["netns"] = json!("a");
        fields
    };
    let attempts = [
        set(json!({"up": true})),
        set(json!({"up": false})),
        set(json!({"mtu": 1400})),
        set(json!({"mac": "02:00:00:00:00:09"})),
        set(json!({"alias": "mine"})),
        set(json!({"alias": ""})),
        set(json!({"new_name": "mine"})),
        set(json!({"target_netns": "a"})),
        set(json!({"target_netns": "a", "new_name": "mine"})),
        set(json!({"target_netns": "@host", "new_name": "mine"})),
        set(json!({"master": "br0"})),
        set(json!({"no_master": true})),
        set(json!({"arp": false})),
        set(json!({"multicast": false})),
        set(json!({"allmulticast": true})),
        set(json!({"promisc": true})),
        set(json!({"txqueuelen": 1})),
        ("Link.Delete", on_host("eth0", json!({})), "link"),
        ("Link.Delete", on_host("eth1", json!({"missing_ok": true})), "link"),
        ("Link.Delete", on_host("eth9", json!({"missing_ok": true})), "link"),
        ("Address.Add", on_host("eth0", json!({"address": "10.0.0.1/24"})), "link"),
        ("Address.Add", on_host("eth0", json!({"address": "192.0.2.1/24", "exists_ok": true})), "link"),
        ("Address.Delete", on_host("eth0", json!({"address": "192.0.2.1/24"})), "link"),
        ("Address.Delete", on_host("eth0", json!({"address": "10.0.0.1/24", "missing_ok": true})), "link"),
        ("Neighbour.Replace", on_host("eth0", json!({"address": "192.0.2.9", "mac": "02:00:00:00:00:09"})), "link"),
        ("Neighbour.Add", on_host("eth0", json!({"address": "192.0.2.9", "proxy": true})), "link"),
        ("Neighbour.Delete", on_host("eth9", json!({"address": "192.0.2.9", "missing_ok": true})), "link"),
        // As the link in a routing rule, whether it exists or not.
        ("Rule.Add", json!({"netns": "@host", "family": "inet", "priority": 9, "iif": "eth0"}), "iif"),
        ("Rule.Add", json!({"netns": "@host", "family": "inet6", "priority": 9, "iif": "ci0", "oif": "eth9"}), "oif"),
        ("Rule.Add", json!({"netns": "@host", "family": "inet6", "priority": 9, "oif": "ci0"}), "iif"), // every link
        ("Rule.Delete", json!({"netns": "@host", "family": "inet", "priority": 9, "iif": "eth0"}), "iif"),
        // As the master, old or new.
        ("Link.Set", on_host("ci0", json!({"master": "eth1"})), "master"),
        ("Link.Add", veth("@host", "ci8", "ci9", "@host", json!({"master": "eth1"})), "master"),
        ("Link.Add", json!({"netns": "@host", "link": "ci8", "kind": "bridge", "master": "eth1"}), "master"),
        // As the parent of a new link.
        ("Link.Add", json!({"netns": "@host", "link": "ci8", "kind": "macvtap", "parent": "eth0"}), "parent"),
        (
            "Link.Add",
            json!({"netns": "@host", "link": "ci8", "kind": "vxlan", "parent": "eth1", "vxlan": {"id": 1}}),
            "parent",
        ),
        (
            "Link.Add",
            json!({"netns": "@host", "link": "x", "kind": "macvtap", "parent": "eth0", "target_netns": "a"}),
            "parent",
        ),
        // By making or naming a link of that name.
        ("Link.Add", json!({"netns": "a", "link": "eth7", "kind": "bridge", "target_netns": "@host"}), "link"),
        ("Link.Add", json!({"netns": "@host", "link": "eth7", "kind": "bridge"}), "link"),
        ("Link.Add", veth("@host", "eth0", "wire", "@host", json!({"exists_ok": true})), "link"),
        ("Link.Add", veth("@host", "ci8", "eth7", "@host", json!({})), "peer.name"),
        ("Link.Add", veth("@host", "wire", "eth0", "@host", json!({"exists_ok": true})), "peer.name"),
        ("Link.Add", veth("a", "ci8", "eth7", "@host", json!({})), "peer.name"),
        ("Link.Set", on_host("ci0", json!({"new_name": "eth7"})), "new_name"),
        ("Link.Set", on_host("ci0", json!({"new_name": "eth7", "target_netns": "@host"})), "new_name"),
        // By arriving from another namespace, under any name: for a moment the link has its own name there.
        ("Link.Set", from_a("eth5", json!({"target_netns": "@host"})), "link"),
        ("Link.Set", from_a("eth5", json!({"target_netns": "@host", "mtu": 1400})), "link"),
        ("Link.Set", from_a("eth5", json!({"target_netns": "@host", "new_name": "ci7"})), "link"),
        ("Link.Set", from_a("ci5", json!({"target_netns": "@host", "new_name": "eth7"})), "new_name"),
    ];
    let before = host.snapshot(&["a"]);
    for (method, fields, field) in attempts {
        let reply = host.caller().call(method, fields.clone());
        assert!(reply.error().ends_with(".Denied"), "{method} {fields}: {reply}");
        assert_eq!(reply.status(), 77);
        assert_eq!((reply.get("rule"), reply.get("field")), (json!("uplinks"), json!(field)), "{fields}: {reply}");
        assert_eq!(reply.get("call"), json!(method));
        assert_eq!(host.snapshot(&["a"]), before, "{method} {fields}");
    }
}

#[test]
fn requests_that_do_not_touch_the_uplink_are_permitted() {
    let host = host();
    let uplink = || host.ip("-j addr show eth0") + &host.ip("-d -j link show eth1");
    let before = uplink();
    let call = |method: &str, fields: Value| host.caller().call(method, fields).ok();
    call("Link.Set", json!({"netns": "a", "link": "eth0", "mtu": 1400, "alias": "mine"}));
    call("Address.Add", json!({"netns": "a", "link": "eth0", "address": "10.0.0.1/24"}));
    call("Link.Set", json!({"netns": "a", "link": "eth5", "master": "eth6"}));
    call("Link.Set", json!({"netns": "a", "link": "eth5", "no_master": true}));
    call("Link.Set", json!({"netns": "a", "link": "ci5", "target_netns": "@host", "new_name": "ci7"}));
    call("Link.Set", json!({"netns": "@host", "link": "ci7", "target_netns": "a", "new_name": "eth8"}));
    call("Link.Add", veth("@host", "ci8", "eth9", "a", json!({"up": true})));
    call("Link.Add", veth("a", "eth10", "ci9", "@host", json!({"up": true})));
    call("Link.Add", json!({"netns": "@host", "link": "eth11", "kind": "bridge", "target_netns": "a"}));
    call("Link.Delete", json!({"netns": "a", "link": "eth8"}));
    call("Link.Set", json!({"netns": "@host", "link": "ci1", "no_master": true}));
    assert_eq!(call("Link.List", json!({"netns": "@host", "link": "eth0"}))["links"][0]["link"], json!("eth0"));
    assert_eq!(uplink(), before);
}

#[test]
fn the_answer_does_not_depend_on_what_there_is() {
    let host = host();
    let denied = |fields: Value| {
        let mut told = host.caller().call("Link.Set", fields).parameters();
        told.as_object_mut().unwrap().remove("request").unwrap();
        told
    };
    let present = denied(on_host("eth0", json!({"mtu": 1400})));
    assert_eq!(denied(on_host("eth77", json!({"mtu": 1400}))), present);
    host.ip("link property add dev ci0 altname eth99");
    assert_eq!(denied(on_host("eth99", json!({"mtu": 1400}))), present);
}
