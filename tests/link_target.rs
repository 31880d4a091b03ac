// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Link.Add` with `target_netns`: the link is made in another namespace than the one the request acts in, as by
//! `ip link add … netns`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::open_host;
use common::{Host, Reply};
use serde_json::{Value, json};

/// The twins, and a third namespace with a bridge and a link that is called as new links are.
fn host() -> Host {
    let host = open_host();
    host.twins();
    for netns in ["h", "far"] {
        host.ip(&format!("netns add {netns}"));
        host.ip_in(netns, "link add br0 address 02:00:00:00:00:99 type bridge");
        host.ip_in(netns, "link add eth0 address 02:00:00:00:00:98 type ifb");
    }
    host
}

/// `Link.Add` from `h` into `target`, with these members.
fn add(host: &Host, target: &str, link: &str, kind: &str, others: &Value) -> Reply {
    let mut fields = json!({"netns": "h", "target_netns": target, "link": link, "kind": kind});
    fields.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
    host.caller().call("Link.Add", fields)
}

/// The index that iproute2 reports.
fn index(host: &Host, netns: &str, link: &str) -> Value {
    let told: Value = serde_json::from_str(&host.ip_in(netns, &format!("-j link show {link}"))).unwrap();
    told[0]["ifindex"].clone()
}

#[test]
fn each_kind_is_made_in_the_target_as_by_iproute2() {
    let host = host();
    let up = json!({"up": true, "mtu": 1400, "mac": "02:00:00:00:00:01"});
    let with = |mut fields: Value| {
        fields.as_object_mut().unwrap().extend(up.as_object().unwrap().clone());
        fields
    };
    let common = "mtu 1400 address 02:00:00:00:00:01 up";
    let cases = [
        ("x0", "bridge", json!({"bridge": {"stp": true}}), "", "bridge stp_state 1"),
        ("x1", "ifb", with(json!({})), common, "ifb"),
        ("x2", "ifb", json!({"alias": "mine"}), "", "ifb"),
        ("x3", "macvlan", json!({"parent": "br0", "mtu": 1400, "up": true}), "link br0 mtu 1400 up", "macvlan"),
        ("x4", "macvtap", json!({"parent": "br0", "macvlan": {"mode": "bridge"}}), "link br0", "macvtap mode bridge"),
        (
            "x5",
            "vxlan",
            with(json!({"parent": "br0", "vxlan": {"id": 5, "port": 4005}})),
            common,
            "vxlan id 5 dev br0 dstport 4005",
        ),
        ("eth0", "vxlan", json!({"vxlan": {"id": 6}}), "", "vxlan id 6"),
    ];
    for (link, kind, fields, words, own) in cases {
        let count = || host.ip_in("h", "-o link show").lines().count();
        let before = count();
        let told = add(&host, "a", link, kind, &fields).ok();
        assert_eq!(told["link_index"], index(&host, "a", link), "{link}");
        assert_eq!(count(), before, "nothing new where the request acts");
        if kind == "vxlan" {
            let mine = host.ip_in("a", &format!("-j -d link show {link}"));
            host.ip_in("a", &format!("link delete {link}")); // the twin has the same socket in `h`
            if link == "eth0" {
                host.ip_in("h", "link delete eth0"); // iproute2 fails with it before Linux 6.15
            }
            host.ip_in("h", &format!("link add {link} netns b {words} type {own}"));
            let theirs = host.ip_in("b", &format!("-j -d link show {link}"));
            let [mine, theirs] = [mine, theirs].map(|text| vxlan(&text));
            assert_eq!(mine, theirs);
            host.ip_in("b", &format!("link delete {link}"));
            continue;
        }
        host.ip_in("h", &format!("link add {link} netns b {words} type {own}"));
        if let Some(alias) = fields["alias"].as_str() {
            host.ip_in("b", &format!("link set {link} alias {alias}"));
        }
    }
    host.compare("link show");
}

/// What is the same for the vxlans of both twins.
fn vxlan(text: &str) -> Value {
    let told: Value = serde_json::from_str(text).unwrap();
    let link = &told[0];
    json!([link["ifname"], link["mtu"], link["flags"], link["linkinfo"], link["link_index"].is_number()])
}

#[test]
fn a_pair_has_its_ends_here_and_in_the_target_or_both_in_the_target() {
    let host = host();
    let pair = |peer: &str, netns: &str| json!({"up": true, "alias": "mine", "peer": {"name": peer, "netns": netns, "mtu": 1400, "up": true}});
    // CNI's: the name in the container is often taken on the host.
    let told = add(&host, "a", "eth0", "veth", &pair("va", "h")).ok();
    assert_eq!(told["link_index"], index(&host, "a", "eth0"));
    host.ip_in("h", "link delete eth0"); // iproute2 fails with it before Linux 6.15
    host.ip_in("h", "link add eth0 netns b up type veth peer name vb mtu 1400 netns h");
    host.ip_in("h", "link set vb up");
    host.ip_in("b", "link set eth0 alias mine");
    host.compare("link show");
    assert!(host.ip_in("h", "link show va").contains("mtu 1400"));
    assert!(host.ip_in("h", "link show va up").contains("va@"), "the other end is up");
    let told = add(&host, "a", "v0", "veth", &pair("v1", "a")).ok();
    assert_eq!(told["link_index"], index(&host, "a", "v0"));
    host.ip_in("h", "link add v0 netns b up type veth peer name v1 mtu 1400 netns b");
    host.ip_in("b", "link set v1 up");
    host.ip_in("b", "link set v0 alias mine");
    host.compare("link show");
}

#[test]
fn from_and_into_the_namespace_of_the_host() {
    let host = host();
    host.ip("link add up0 type bridge");
    host.ip("link add eth0 type ifb");
    let into = |netns: &str, target: &str, link: &str, parent: &str| {
        let fields = json!({"netns": netns, "target_netns": target, "link": link, "kind": "macvlan", "parent": parent,
                            "exists_ok": true});
        host.caller().call("Link.Add", fields)
    };
    for _ in 0..2 {
        let told = into("@host", "a", "eth0", "up0").ok();
        assert_eq!(told["link_index"], index(&host, "a", "eth0"));
        let told = into("h", "@host", "mv0", "br0").ok();
        let shown: Value = serde_json::from_str(&host.ip("-j link show mv0")).unwrap();
        assert_eq!(told["link_index"], shown[0]["ifindex"]);
    }
    host.ip("link delete mv0");
}

#[test]
fn exists_ok_compares_the_link_in_the_target_and_what_it_is_on() {
    let host = host();
    // The same index in two namespaces is not the same parent.
    assert_eq!(index(&host, "h", "br0"), index(&host, "far", "br0"));
    let macvlan = json!({"parent": "br0", "exists_ok": true, "alias": "x"});
    let made = add(&host, "a", "mv0", "macvlan", &macvlan).ok();
    assert_eq!(add(&host, "a", "mv0", "macvlan", &macvlan).ok(), made);
    let tunnel = json!({"vxlan": {"id": 7, "port": 4007}, "exists_ok": true});
    let pair = json!({"peer": {"name": "va", "netns": "h"}, "exists_ok": true});
    let inner = json!({"peer": {"name": "v1", "netns": "a"}, "exists_ok": true});
    for (link, kind, fields) in [("t0", "vxlan", &tunnel), ("eth0", "veth", &pair), ("v0", "veth", &inner)] {
        let made = add(&host, "a", link, kind, fields).ok();
        assert_eq!(add(&host, "a", link, kind, fields).ok(), made, "{link}");
    }
    let before = host.snapshot(&["a", "h", "far"]);
    let from = |netns: &str, link: &str, kind: &str, fields: &Value| {
        let mut all = json!({"netns": netns, "target_netns": "a", "link": link, "kind": kind});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        host.caller().call("Link.Add", all)
    };
    let differs = |reply: &Reply, field: &str| {
        assert_eq!(reply.error(), "io.netbroker.Link.AlreadyExists", "{reply}");
        assert_eq!(reply.get("field"), json!(field), "{reply}");
    };
    differs(&from("far", "mv0", "macvlan", &macvlan), "parent");
    differs(&from("far", "t0", "vxlan", &tunnel), "netns");
    differs(
        &from("far", "eth0", "veth", &json!({"peer": {"name": "va", "netns": "far"}, "exists_ok": true})),
        "peer.netns",
    );
    differs(
        &from("h", "eth0", "veth", &json!({"peer": {"name": "va", "netns": "a"}, "exists_ok": true})),
        "peer.netns",
    );
    differs(&from("h", "eth0", "veth", &json!({"peer": {"name": "vb", "netns": "h"}, "exists_ok": true})), "peer.name");
    differs(&from("h", "mv0", "ifb", &json!({"exists_ok": true})), "kind");
    differs(&from("h", "mv0", "macvlan", &json!({"parent": "br0"})), "link");
    // Not made with a target: then the tunnel must be of the namespace itself.
    let here =
        json!({"netns": "a", "link": "t0", "kind": "vxlan", "vxlan": {"id": 7, "port": 4007}, "exists_ok": true});
    differs(&host.caller().call("Link.Add", here), "netns");
    assert_eq!(host.snapshot(&["a", "h", "far"]), before);
}

#[test]
fn what_cannot_be_made_in_a_target_is_refused_and_changes_nothing() {
    let host = host();
    host.ip_in("a", "link add taken type ifb");
    host.ip_in("a", "link add va type ifb");
    host.ip_in("a", "link property add dev taken altname other");
    let before = host.snapshot(&["a", "b", "h", "far"]);
    let peer = |name: &str, netns: &str| json!({"peer": {"name": name, "netns": netns}});
    let cases = [
        ("h", "x0", "ifb", json!({}), "InvalidRequest", "target_netns"),
        ("a", "x0", "tun", json!({"tun": {"mode": "tap"}}), "InvalidRequest", "target_netns"),
        ("a", "x0", "ifb", json!({"master": "br0"}), "InvalidRequest", "master"),
        ("a", "x0", "bond", json!({"bond": {"primary": "eth0"}}), "InvalidRequest", "bond.primary"),
        ("a", "x0", "veth", peer("v1", "far"), "InvalidRequest", "peer.netns"),
        ("a", "x0", "macvlan", json!({"parent": "taken"}), "NoSuchLink", "parent"),
        ("absent", "x0", "ifb", json!({}), "NoSuchNetns", "target_netns"),
        ("a", "taken", "ifb", json!({}), "AlreadyExists", "link"),
        ("a", "other", "ifb", json!({}), "AlreadyExists", "link"),
        ("a", "x0", "veth", peer("eth0", "h"), "AlreadyExists", "peer.name"),
        ("a", "x0", "veth", peer("va", "a"), "AlreadyExists", "peer.name"),
        ("a", "x0", "bridge", json!({"mtu": 1}), "KernelRefused", "mtu"),
    ];
    for (target, link, kind, fields, error, field) in cases {
        let reply = add(&host, target, link, kind, &fields);
        assert_eq!(reply.error().rsplit('.').next(), Some(error), "{kind} {fields}: {reply}");
        assert_eq!(reply.get("field"), json!(field), "{kind} {fields}: {reply}");
    }
    assert_eq!(host.snapshot(&["a", "b", "h", "far"]), before);
}
