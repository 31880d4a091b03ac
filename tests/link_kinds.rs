// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Link.Add` of links that are on top of others, or have data of their kind: vxlan, macvlan, macvtap and ifb against
//! their twins `ip link add type …`, and what `Link.List` reports of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::scene::open_host;
use common::{Host, Reply};
use serde_json::{Value, json};

/// A host whose twins each have a bridge for the links, with addresses.
fn host() -> Host {
    let host = open_host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        host.ip_in(netns, "link add br0 address 02:00:00:00:00:99 type bridge");
        host.ip_in(netns, "link add br1 type bridge");
        host.ip_in(netns, "address add 192.0.2.1/24 dev br0");
        host.ip_in(netns, "address add 2001:db8::1/64 dev br0");
    }
    host
}

/// `Link.Add` in `a` with these members in addition to `netns`, `link` and `kind`.
fn add(host: &Host, link: &str, kind: &str, others: &Value) -> Reply {
    let mut fields = json!({"netns": "a", "link": link, "kind": kind});
    fields.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
    host.caller().call("Link.Add", fields)
}

/// Makes each with the broker in `a` and with `ip link add` in `b`, and compares them all.
fn assert_twins(host: &Host, kind: &str, cases: &[(Value, &str, &str)]) {
    for (at, (fields, words, own)) in cases.iter().enumerate() {
        let link = format!("x{at}");
        let told = add(host, &link, kind, fields).ok();
        let index = host.ip_in("a", &format!("-o link show {link}")).split(':').next().unwrap().to_owned();
        assert_eq!(told["link_index"].to_string(), index, "{fields}");
        host.ip_in("b", &format!("link add {link} {words} type {kind} {own}"));
        if let Some(alias) = fields["alias"].as_str() {
            host.ip_in("b", &format!("link set {link} alias {alias}")); // ip does not take it with the new link
        }
    }
    host.compare("link show");
}

#[test]
fn a_vxlan_with_each_of_its_fields_is_like_iproute2s() {
    let host = host();
    let on = |port: u64, mut fields: Value| {
        fields["port"] = json!(port);
        json!({"parent": "br0", "vxlan": fields})
    };
    let every = json!({
        "mtu": 1400, "mac": "02:00:00:00:00:01", "up": true, "parent": "br0", "master": "br1",
        "vxlan": {"id": 16_777_215, "remote": "192.0.2.9", "local": "192.0.2.1", "port": 4789, "source_port_min": 4000,
                  "source_port_max": 5000, "ttl": 64, "tos": 16, "learning": false, "proxy": true},
    });
    let words = "id 16777215 dev br0 remote 192.0.2.9 local 192.0.2.1 dstport 4789 srcport 4000 5000 ttl 64 tos 0x10 \
                 nolearning proxy";
    assert_twins(
        &host,
        "vxlan",
        &[
            // Without a port, both use Linux's own, 8472.
            (json!({"vxlan": {"id": 1}}), "", "id 1"),
            (json!({"vxlan": {"id": 0, "learning": true}}), "", "id 0 learning"),
            (every, "mtu 1400 address 02:00:00:00:00:01 up master br1", words),
            (on(4003, json!({"id": 3, "group": "239.1.1.1"})), "", "id 3 dev br0 group 239.1.1.1 dstport 4003"),
            (on(4004, json!({"id": 4, "group": "ff05::100"})), "", "id 4 dev br0 group ff05::100 dstport 4004"),
            (
                on(4005, json!({"id": 5, "remote": "2001:db8::9", "local": "2001:db8::1"})),
                "",
                "id 5 dev br0 remote 2001:db8::9 local 2001:db8::1 dstport 4005",
            ),
            (on(4006, json!({"id": 6, "tos": 1, "ttl": 0})), "", "id 6 dev br0 dstport 4006 tos inherit ttl 0"),
            (on(4007, json!({"collect_metadata": true})), "", "external dev br0 dstport 4007"),
            (
                on(4008, json!({"collect_metadata": true, "learning": true})),
                "",
                "external learning dev br0 dstport 4008",
            ),
            (json!({"vxlan": {"id": 9, "proxy": false}}), "", "id 9 noproxy"),
            (json!({"alias": "x", "vxlan": {"id": 10}}), "", "id 10"),
        ],
    );
    let shown = host.ip_in("a", "-d link show x0");
    assert!(shown.contains("dstport 8472") && host.ip_in("a", "-d link show x8").contains("external"), "{shown}");
    let told = host.caller().call("Link.List", json!({"netns": "a", "link": "x2"})).ok()["links"][0].clone();
    let vxlan = json!({
        "id": 16_777_215, "remote": "192.0.2.9", "local": "192.0.2.1", "port": 4789, "source_port_min": 4000,
        "source_port_max": 5000, "ttl": 64, "tos": 16, "learning": false, "proxy": true, "collect_metadata": false,
    });
    assert_eq!((&told["vxlan"], &told["parent"], &told["kind"]), (&vxlan, &json!("br0"), &json!("vxlan")));
    let told = host.caller().call("Link.List", json!({"netns": "a", "link": "x4"})).ok()["links"][0].clone();
    assert_eq!((&told["vxlan"]["group"], &told["vxlan"]["remote"]), (&json!("ff05::100"), &Value::Null));
}

#[test]
fn a_macvlan_and_a_macvtap_of_each_mode_are_like_iproute2s() {
    for kind in ["macvlan", "macvtap"] {
        let host = host();
        let with = |mode: &str| json!({"parent": "br0", "macvlan": {"mode": mode}});
        let every = json!({
            "parent": "br0", "mtu": 1400, "mac": "02:00:00:00:00:01", "up": true, "alias": "x",
            "macvlan": {"mode": "bridge"},
        });
        assert_twins(
            &host,
            kind,
            &[
                (json!({"parent": "br0"}), "link br0", ""),
                (every, "link br0 mtu 1400 address 02:00:00:00:00:01 up", "mode bridge"),
                (with("private"), "link br0", "mode private"),
                (with("vepa"), "link br0", "mode vepa"),
                (with("source"), "link br0", "mode source"),
            ],
        );
        let told = host.caller().call("Link.List", json!({"netns": "a", "link": "x1"})).ok()["links"][0].clone();
        assert_eq!((&told["kind"], &told["parent"]), (&json!(kind), &json!("br0")));
        assert_eq!(told["macvlan"], json!({"mode": "bridge"}));
        for netns in ["a", "b"] {
            (0..5).for_each(|at| drop(host.ip_in(netns, &format!("link del x{at}"))));
        }
        assert_twins(&host, kind, &[(with("passthru"), "link br0", "mode passthru")]);
    }
}

#[test]
fn an_ifb_is_like_iproute2s() {
    let every = json!({"mtu": 1400, "mac": "02:00:00:00:00:01", "up": true, "alias": "x"});
    assert_twins(&host(), "ifb", &[(json!({}), "", ""), (every, "mtu 1400 address 02:00:00:00:00:01 up", "")]);
}

#[test]
fn a_parent_that_is_elsewhere_by_now_is_told_by_its_index_only() {
    let host = host();
    add(&host, "x0", "macvlan", &json!({"parent": "br0"})).ok();
    add(&host, "x1", "vxlan", &json!({"parent": "br0", "vxlan": {"id": 1}})).ok();
    let index = host.ip_in("a", "-o link show br0").split(':').next().unwrap().parse::<u32>().unwrap();
    for link in ["x0", "x1"] {
        host.ip_in("a", &format!("link set {link} netns b"));
        let told = host.caller().call("Link.List", json!({"netns": "b", "link": link})).ok()["links"][0].clone();
        assert_eq!((&told["parent_index"], &told["parent"]), (&json!(index), &Value::Null), "{told}");
        assert!(told["peer_nsid"].is_number(), "{told}");
    }
}

#[test]
fn fields_that_contradict_each_other_are_refused_before_anything_is_judged() {
    let host = host();
    let vxlan = |fields: Value| ("vxlan", json!({"parent": "br0", "vxlan": fields}));
    let cases = [
        (vxlan(json!({})), "vxlan.id", "is required unless"),
        (vxlan(json!({"collect_metadata": false})), "vxlan.id", "is required unless"),
        (vxlan(json!({"id": 1, "collect_metadata": true})), "vxlan.id", "cannot be given together with"),
        (vxlan(json!({"id": 16_777_216})), "vxlan.id", "between 0 and 16777215"),
        (
            vxlan(json!({"id": 1, "group": "239.1.1.1", "remote": "192.0.2.9"})),
            "vxlan.group",
            "cannot be given together",
        ),
        (vxlan(json!({"id": 1, "group": "192.0.2.9"})), "vxlan.group", "must be a multicast group"),
        (vxlan(json!({"id": 1, "remote": "239.1.1.1"})), "vxlan.remote", "must be the address of one host"),
        (vxlan(json!({"id": 1, "remote": "::"})), "vxlan.remote", "must be the address of one host"),
        (vxlan(json!({"id": 1, "local": "ff02::1"})), "vxlan.local", "must be the address of one host"),
        (vxlan(json!({"id": 1, "remote": "192.0.2.9", "local": "2001:db8::1"})), "vxlan.local", "family inet6"),
        (vxlan(json!({"id": 1, "source_port_min": 4000})), "vxlan.source_port_max", "is required with"),
        (vxlan(json!({"id": 1, "source_port_max": 4000})), "vxlan.source_port_min", "is required with"),
        (
            vxlan(json!({"id": 1, "source_port_min": 2, "source_port_max": 1})),
            "vxlan.source_port_max",
            "must not be less than",
        ),
        (vxlan(json!({"id": 1, "port": 0})), "vxlan.port", "between 1 and 65535"),
        (("macvlan", json!({})), "parent", "is missing"),
        (("macvtap", json!({"macvlan": {"mode": "bridge"}})), "parent", "is missing"),
        (("macvlan", json!({"parent": "br0", "macvlan": {"mode": "vlan"}})), "macvlan.mode", "not one of private"),
        (
            ("macvtap", json!({"parent": "br0", "mac": "02:00:00:00:00:09", "macvlan": {"mode": "passthru"}})),
            "mac",
            "does not apply to mode `passthru`, which uses the parent's",
        ),
        (("ifb", json!({"parent": "br0"})), "parent", "is not a field of kind ifb"),
        (("bridge", json!({"vxlan": {"id": 1}})), "vxlan.id", "is not a field of kind bridge"),
    ];
    let before = host.snapshot(&["a"]);
    for ((kind, fields), field, why) in cases {
        let reply = add(&host, "x0", kind, &fields);
        assert_eq!(reply.error(), "io.netbroker.Link.InvalidRequest", "{fields}: {reply}");
        assert_eq!(reply.get("field"), field, "{fields}: {reply}");
        assert!(reply.get("reason").as_str().unwrap().contains(why), "{fields}: {reply}");
    }
    assert_eq!(host.snapshot(&["a"]), before);
}

/// `tests/other_kernels.rs` compares the links that a kernel makes. Modules of tunnels would add links to the namespaces of
/// other tests, so the kinds here are others.
#[test]
fn a_kind_that_the_kernel_does_not_know_is_not_supported_and_changes_nothing() {
    let host = host();
    for (kind, fields) in [
        ("dummy", json!({})),
        ("vlan", json!({"parent": "br0", "vlan": {"id": 7}})),
        ("vrf", json!({"vrf": {"table": 7}})),
        ("ipvlan", json!({"parent": "br0"})),
        ("geneve", json!({"geneve": {"id": 7, "remote": "192.0.2.9"}})),
        ("wireguard", json!({})),
        ("xfrm", json!({"xfrm": {"if_id": 7}})),
        ("netkit", json!({"peer": {"name": "x1", "netns": "a"}})),
    ] {
        let before = host.snapshot(&["a"]);
        let reply = add(&host, "x0", kind, &fields);
        if host.ip_in("a", "link show").contains(" x0") {
            reply.ok();
            host.ip_in("a", "link delete x0");
        } else {
            let why = (reply.error(), reply.get("field"), reply.get("errno"));
            assert_eq!(why, ("io.netbroker.Link.NotSupported".to_owned(), json!("kind"), json!(95)), "{reply}");
            assert_eq!(host.snapshot(&["a"]), before, "{kind}");
        }
    }
}

#[test]
fn what_the_kernel_refuses_to_make_changes_nothing() {
    let host = host();
    host.ip_in("a", "link add v0 type veth peer name v1");
    host.ip_in("a", "link property add dev v0 altname ci7");
    host.ip_in("a", "link add full link v0 type macvlan mode passthru");
    let before = host.snapshot(&["a"]);
    let group = json!({"vxlan": {"id": 1, "group": "239.1.1.1"}});
    let on = |parent: &str| json!({"parent": parent, "vxlan": {"id": 1}});
    let cases = [
        ("x0", "vxlan", group, "KernelRefused", json!({"errno": 22})),
        ("x0", "vxlan", on("absent"), "NoSuchLink", json!({"field": "parent", "name": "absent", "reason": "absent"})),
        ("x0", "vxlan", on("ci7"), "NoSuchLink", json!({"field": "parent", "reason": "alternative_name"})),
        ("x0", "macvtap", json!({"parent": "absent"}), "NoSuchLink", json!({"field": "parent", "errno": 19})),
        ("x0", "macvlan", json!({"parent": "ci7"}), "NoSuchLink", json!({"reason": "alternative_name"})),
        ("x0", "macvlan", json!({"parent": "lo"}), "KernelRefused", json!({"errno": 22})),
        ("x0", "macvlan", json!({"parent": "v0"}), "KernelRefused", json!({"errno": 22})),
        ("v1", "vxlan", on("br0"), "AlreadyExists", json!({"errno": 17})),
        ("ci7", "ifb", json!({}), "AlreadyExists", json!({"errno": 17})),
    ];
    for (link, kind, fields, error, told) in cases {
        let reply = add(&host, link, kind, &fields);
        assert_eq!(reply.error(), format!("io.netbroker.Link.{error}"), "{kind} {fields}: {reply}");
        for (name, value) in told.as_object().unwrap() {
            assert_eq!(&reply.get(name), value, "{name}: {reply}");
        }
        assert_eq!(host.snapshot(&["a"]), before, "{kind} {fields}");
    }
}
