// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Link.Set` of bridge ports, alternative names, protodown and the fields that only some kinds have, against `bridge link
//! set`, `ip link property` and `ip link set type`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::open_host;
use common::{Host, Reply};
use serde_json::{Value, json};

fn set(host: &Host, link: &str, changes: &Value) -> Reply {
    let mut fields = json!({"netns": "a", "link": link});
    fields.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    host.caller().call("Link.Set", fields)
}

fn listed(host: &Host, link: &str) -> Value {
    host.caller().call("Link.List", json!({"netns": "a", "link": link})).ok()["links"][0].clone()
}

/// Twins with two bridges, a port, a link that is none, and a macvlan and a vxlan on the latter.
fn host() -> Host {
    let host = open_host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        for words in [
            "link add br0 address 02:00:00:00:00:09 type bridge",
            "link add br1 address 02:00:00:00:00:08 type bridge",
            "link add p0 address 02:00:00:00:00:01 master br0 type ifb",
            "link add u0 address 02:00:00:00:00:02 type ifb",
            "link add m0 address 02:00:00:00:00:03 link br1 type macvlan mode bridge",
            "link add x0 address 02:00:00:00:00:04 type vxlan id 7 dev br1 remote 192.0.2.9 ttl 5",
            "link add t0 address 02:00:00:00:00:05 link br1 type macvtap mode bridge",
        ] {
            host.ip_in(netns, words);
        }
    }
    host
}

fn assert_refused(reply: &Reply, error: &str, field: &str) {
    assert_eq!(reply.error().rsplit('.').next(), Some(error), "{reply}");
    assert_eq!(reply.get("field"), json!(field), "{reply}");
}

#[test]
fn each_setting_of_a_bridge_port_is_as_by_iproute2() {
    let host = host();
    let flags = [
        ("isolated", "isolated"),
        ("hairpin", "hairpin"),
        ("guard", "guard"),
        ("root_block", "root_block"),
        ("learning", "learning"),
        ("flood", "flood"),
        ("mcast_flood", "mcast_flood"),
        ("neigh_suppress", "neigh_suppress"),
        ("vlan_tunnel", "vlan_tunnel"),
        ("locked", "locked"),
    ];
    let compare = || {
        let [mine, theirs] = ["a", "b"].map(|netns| host.ip_in(netns, "-d -j link show p0"));
        let [mine, theirs] =
            [mine, theirs].map(|text| serde_json::from_str::<Value>(&text).unwrap()[0]["linkinfo"].clone());
        assert_eq!(
            mine["info_slave_data"]["hold_timer"].is_number(),
            theirs["info_slave_data"]["hold_timer"].is_number()
        );
        assert_eq!(mine, theirs);
    };
    let theirs = |words: &str| host.sh(&format!("ip netns exec b bridge link set dev p0 {words}"));
    for (field, word) in flags {
        for (value, shown) in [(true, "on"), (false, "off"), (true, "on")] {
            assert_eq!(set(&host, "p0", &json!({"bridge_port": {field: value}})).ok(), json!({}), "{field}");
            theirs(&format!("{word} {shown}"));
            compare();
            assert_eq!(listed(&host, "p0")["bridge_port"][field], json!(value), "{field}");
        }
    }
    for (field, number) in [("cost", 65535), ("cost", 1), ("priority", 63), ("priority", 0)] {
        set(&host, "p0", &json!({"bridge_port": {field: number}})).ok();
        theirs(&format!("{field} {number}"));
        compare();
        assert_eq!(listed(&host, "p0")["bridge_port"][field], json!(number), "{field}");
    }
    // With others, and together with the bridge itself.
    let all = json!({"master": "br0", "mtu": 1400, "up": true, "bridge_port": {"isolated": true, "learning": false, "cost": 7}});
    set(&host, "u0", &all).ok();
    let told = listed(&host, "u0");
    assert_eq!((&told["master"], &told["mtu"], &told["up"]), (&json!("br0"), &json!(1400), &json!(true)));
    assert_eq!(
        (&told["bridge_port"]["isolated"], &told["bridge_port"]["learning"], &told["bridge_port"]["cost"]),
        (&json!(true), &json!(false), &json!(7))
    );
    set(&host, "u0", &json!({"new_name": "u9", "bridge_port": {"isolated": false}})).ok();
    assert_eq!(listed(&host, "u9")["bridge_port"]["isolated"], json!(false));
}

#[test]
fn a_setting_of_a_port_is_refused_for_a_link_that_is_none() {
    let host = host();
    host.ip("netns add far");
    let before = host.snapshot(&["a"]);
    for link in ["u0", "br0", "m0", "lo"] {
        assert_refused(
            &set(&host, link, &json!({"bridge_port": {"isolated": true}})),
            "KernelRefused",
            "bridge_port.isolated",
        );
    }
    let out_of_range = [
        (json!({"cost": 0}), "bridge_port.cost"),
        (json!({"cost": 65536}), "bridge_port.cost"),
        (json!({"priority": 64}), "bridge_port.priority"),
        (json!({"isolated": 1}), "bridge_port.isolated"),
    ];
    for (fields, field) in out_of_range {
        assert_refused(&set(&host, "p0", &json!({"bridge_port": fields})), "InvalidRequest", field);
    }
    let away = json!({"target_netns": "far", "bridge_port": {"isolated": true}});
    assert_refused(&set(&host, "p0", &away), "InvalidRequest", "bridge_port.isolated");
    assert_eq!(host.snapshot(&["a"]), before);
    // The master of a link that has left it is changed, and the rest is refused.
    let gone = set(&host, "p0", &json!({"no_master": true, "bridge_port": {"isolated": true}}));
    assert_refused(&gone, "KernelRefused", "bridge_port.isolated");
    assert_eq!(gone.get("may_have_changed"), json!(true));
}

#[test]
fn alternative_names_are_added_and_removed_as_by_iproute2() {
    let host = host();
    let long = "a-name-that-is-much-longer-than-a-link-can-have-and-that-systemd-would-make".to_owned();
    let longest = "n".repeat(127);
    for name in ["short", &long, &longest] {
        set(&host, "u0", &json!({"add_altname": name})).ok();
        host.ip_in("b", &format!("link property add dev u0 altname {name}"));
        host.compare("link show");
    }
    set(&host, "u0", &json!({"remove_altname": long})).ok();
    host.ip_in("b", &format!("link property del dev u0 altname {long}"));
    host.compare("link show");
    // One for another, together with what else a request can change.
    set(&host, "u0", &json!({"remove_altname": "short", "add_altname": "other", "mtu": 1400})).ok();
    host.ip_in("b", "link property del dev u0 altname short");
    host.ip_in("b", "link property add dev u0 altname other");
    host.ip_in("b", "link set u0 mtu 1400");
    host.compare("link show");
    set(&host, "u0", &json!({"new_name": "u1", "add_altname": "u0"})).ok();
    host.ip_in("b", "link set u0 name u1");
    host.ip_in("b", "link property add dev u1 altname u0");
    host.compare("link show");
    let before = host.snapshot(&["a"]);
    let cases = [
        (json!({"add_altname": "p0"}), "AlreadyExists", "add_altname"),
        (json!({"add_altname": "other"}), "AlreadyExists", "add_altname"),
        (json!({"add_altname": "n".repeat(128)}), "InvalidRequest", "add_altname"),
        (json!({"add_altname": ""}), "InvalidRequest", "add_altname"),
        (json!({"add_altname": "-x"}), "InvalidRequest", "add_altname"),
        (json!({"add_altname": "$(reboot)"}), "InvalidRequest", "add_altname"),
        (json!({"add_altname": "x", "target_netns": "b"}), "InvalidRequest", "add_altname"),
        (json!({"remove_altname": "none"}), "KernelRefused", "remove_altname"),
        (json!({"remove_altname": "p0"}), "KernelRefused", "remove_altname"),
        (json!({"remove_altname": "u1"}), "KernelRefused", "remove_altname"),
    ];
    for (fields, error, field) in cases {
        assert_refused(&set(&host, "u1", &fields), error, field);
    }
    // The broker finds no link by such a name.
    assert_eq!(set(&host, "other", &json!({"mtu": 1300})).get("reason"), json!("alternative_name"));
    assert_eq!(host.snapshot(&["a"]), before);
}

#[test]
fn what_the_kernel_changes_of_a_kind_is_as_by_iproute2() {
    let host = host();
    let steps = [
        ("m0", json!({"protodown": true}), "m0 protodown on"),
        ("m0", json!({"protodown": false}), "m0 protodown off"),
        ("x0", json!({"protodown": true, "mtu": 1300}), "x0 protodown on mtu 1300"),
        ("m0", json!({"kind": "macvlan", "macvlan": {"mode": "private"}}), "m0 type macvlan mode private"),
        ("t0", json!({"kind": "macvtap", "macvlan": {"mode": "vepa"}, "up": true}), "t0 up type macvtap mode vepa"),
        ("x0", json!({"kind": "vxlan", "vxlan": {"ttl": 9, "tos": 16}}), "x0 type vxlan id 7 ttl 9 tos 0x10"),
        ("x0", json!({"kind": "vxlan", "vxlan": {"remote": "192.0.2.10"}}), "x0 type vxlan id 7 remote 192.0.2.10"),
        ("x0", json!({"kind": "vxlan", "vxlan": {"learning": false}}), "x0 type vxlan id 7 nolearning"),
        ("x0", json!({"kind": "vxlan", "vxlan": {"ageing": 100, "df": "set"}}), "x0 type vxlan id 7 ageing 100 df set"),
        ("x0", json!({"kind": "vxlan", "parent": "br0"}), "x0 type vxlan id 7 dev br0"),
        ("x0", json!({"kind": "vxlan", "vxlan": {"group": "239.1.1.1"}}), "x0 type vxlan id 7 group 239.1.1.1 dev br0"),
        ("x0", json!({"kind": "vxlan", "vxlan": {"local": "192.0.2.1"}}), "x0 type vxlan id 7 local 192.0.2.1"),
    ];
    for (link, fields, words) in steps {
        assert_eq!(set(&host, link, &fields).ok(), json!({}), "{fields}");
        host.ip_in("b", &format!("link set {words}"));
        host.comparison("link show").macs().check();
    }
    let before = host.snapshot(&["a"]);
    let cases = [
        ("u0", json!({"protodown": true}), "NotSupported", "protodown"),
        ("m0", json!({"kind": "vxlan", "vxlan": {"ttl": 9}}), "KernelRefused", "kind"),
        ("m0", json!({"kind": "macvlan", "macvlan": {"mode": "passthru"}}), "KernelRefused", "macvlan.mode"),
        ("x0", json!({"kind": "vxlan", "vxlan": {"id": 8}}), "InvalidRequest", "vxlan.id"),
        ("x0", json!({"vxlan": {"ttl": 9}}), "InvalidRequest", "vxlan.ttl"),
        ("x0", json!({"kind": "vxlan", "vxlan": {"remote": "2001:db8::9"}}), "NotSupported", "vxlan.remote"),
        ("x0", json!({"kind": "vxlan", "parent": "none"}), "NoSuchLink", "parent"),
        ("m0", json!({"kind": "macvlan", "parent": "br0"}), "InvalidRequest", "parent"),
        ("u0", json!({"vf": {"index": 0, "vlan": 7}}), "NotSupported", "vf.vlan"),
        ("u0", json!({"vf": {"vlan": 7}}), "InvalidRequest", "vf.index"),
        ("u0", json!({"vf": {"index": 0}}), "InvalidRequest", "vf.index"),
        ("u0", json!({"vf": {"index": 0, "rate_min": 7}}), "InvalidRequest", "vf.rate_max"),
        ("u0", json!({"vf": {"index": 0, "rate_max": 7}}), "InvalidRequest", "vf.rate_min"),
        ("u0", json!({"vf": {"index": 0, "qos": 7}}), "InvalidRequest", "vf.vlan"),
        ("u0", json!({"vf": {"index": 0, "vlan": 4095}}), "InvalidRequest", "vf.vlan"),
        ("u0", json!({"vf": {"index": 0, "mac": "00:00:00:00:00:00:00:01"}}), "InvalidRequest", "vf.mac"),
        ("u0", json!({"kind": "can", "can": {"bitrate": 500_000}}), "KernelRefused", "kind"),
        ("u0", json!({"kind": "can", "can": {"bitrate": 0}}), "InvalidRequest", "can.bitrate"),
        ("u0", json!({"kind": "can", "can": {"sample_point": 875}}), "InvalidRequest", "can.bitrate"),
    ];
    for (link, fields, error, field) in cases {
        assert_refused(&set(&host, link, &fields), error, field);
    }
    assert_eq!(host.snapshot(&["a"]), before);
}

/// The kernel looks the parent up in the namespace in which the vxlan was made, where another link has the index.
#[test]
fn the_parent_of_a_link_that_was_made_elsewhere_is_not_changed() {
    let host = host();
    host.ip_in("a", "link set x0 netns b name x1");
    host.ip_in("b", "link set x0 netns a name x2");
    let before = host.snapshot(&["a", "b"]);
    assert_refused(&set(&host, "x2", &json!({"kind": "vxlan", "parent": "br0"})), "KernelRefused", "parent");
    assert_refused(
        &set(&host, "x2", &json!({"kind": "vxlan", "parent": "br0", "new_name": "x3"})),
        "KernelRefused",
        "parent",
    );
    assert_eq!(host.snapshot(&["a", "b"]), before);
    set(&host, "x2", &json!({"kind": "vxlan", "vxlan": {"ttl": 9}})).ok();
}

#[test]
fn no_call_makes_a_can_device() {
    let host = host();
    let reply = host.caller().call("Link.Add", json!({"netns": "a", "link": "can0", "kind": "can"}));
    assert_refused(&reply, "InvalidRequest", "kind");
    assert!(reply.get("reason").as_str().unwrap().contains("vcan"), "{reply}");
}
