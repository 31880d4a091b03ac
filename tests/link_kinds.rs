// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Link.Add` of links that are on top of others, or have data of their kind: vxlan, macvlan, macvtap and ifb against
//! their twins `ip link add type …`, and what `Link.List` reports of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

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
            (
                on(4011, json!({"id": 11, "ttl_inherit": true, "ageing": 1})),
                "",
                "id 11 dev br0 dstport 4011 ttl inherit ageing 1",
            ),
            (
                on(4012, json!({"id": 12, "ageing": 4_294_967, "df": "set", "gbp": true, "udp_csum": false})),
                "",
                "id 12 dev br0 dstport 4012 ageing 4294967 df set gbp noudpcsum",
            ),
            (
                on(4013, json!({"id": 13, "df": "inherit", "udp_zero_csum6_tx": true, "udp_zero_csum6_rx": true})),
                "",
                "id 13 dev br0 dstport 4013 df inherit udp6zerocsumtx udp6zerocsumrx",
            ),
            (
                on(
                    4014,
                    json!({
                        "id": 14, "df": "unset", "udp_csum": true, "udp_zero_csum6_tx": false,
                        "udp_zero_csum6_rx": false, "ttl_inherit": false, "gbp": false,
                    }),
                ),
                "",
                "id 14 dev br0 dstport 4014 df unset udpcsum noudp6zerocsumtx noudp6zerocsumrx",
            ),
            (
                on(4015, json!({"collect_metadata": true, "vnifilter": true})),
                "",
                "external vnifilter dev br0 dstport 4015",
            ),
        ],
    );
    let shown = host.ip_in("a", "-d link show x0");
    assert!(shown.contains("dstport 8472") && host.ip_in("a", "-d link show x8").contains("external"), "{shown}");
    let told = host.caller().call("Link.List", json!({"netns": "a", "link": "x2"})).ok()["links"][0].clone();
    let vxlan = json!({
        "id": 16_777_215, "remote": "192.0.2.9", "local": "192.0.2.1", "port": 4789, "source_port_min": 4000,
        "source_port_max": 5000, "ttl": 64, "tos": 16, "learning": false, "proxy": true, "collect_metadata": false,
        "ttl_inherit": false, "ageing": 300, "df": "unset", "gbp": false, "udp_csum": true, "udp_zero_csum6_tx": false,
        "udp_zero_csum6_rx": false, "vnifilter": false,
    });
    assert_eq!((&told["vxlan"], &told["parent"], &told["kind"]), (&vxlan, &json!("br0"), &json!("vxlan")));
    let told = host.caller().call("Link.List", json!({"netns": "a", "link": "x4"})).ok()["links"][0].clone();
    assert_eq!((&told["vxlan"]["group"], &told["vxlan"]["remote"]), (&json!("ff05::100"), &Value::Null));
    for (link, field) in [("x11", "ttl_inherit"), ("x12", "gbp"), ("x13", "udp_zero_csum6_tx"), ("x15", "vnifilter")] {
        let told = host.caller().call("Link.List", json!({"netns": "a", "link": link})).ok()["links"][0].clone();
        assert_eq!(told["vxlan"][field], json!(true), "{link}: {told}");
    }
}

#[test]
fn what_every_kind_has_is_set_like_by_iproute2() {
    let host = host();
    let every = json!({
        "group": 2_147_483_647, "txqueuelen": 77, "tx_queues": 3, "rx_queues": 2, "addrgenmode": "none",
        "alias": "x", "up": true,
    });
    let before = "group 2147483647 txqueuelen 77 numtxqueues 3 numrxqueues 2";
    for (at, (kind, fields, of_parent, own)) in [
        ("veth", json!({"peer": {"name": "p0", "netns": "a", "up": true}}), "", "peer name p0"),
        ("bridge", json!({}), "", ""),
        ("vxlan", json!({"vxlan": {"id": 7}}), "", "id 7"),
        ("macvlan", json!({"parent": "br0"}), "link br0", ""),
        ("macvtap", json!({"parent": "br0"}), "link br0", ""),
        ("ifb", json!({}), "", ""),
    ]
    .into_iter()
    .enumerate()
    {
        for mode in ["none", "eui64", "random"] {
            let mut fields = fields.clone();
            fields.as_object_mut().unwrap().extend(every.as_object().unwrap().clone());
            fields["addrgenmode"] = json!(mode);
            add(&host, "x0", kind, &fields).ok();
            host.ip_in("b", &format!("link add {of_parent} x0 {before} type {kind} {own}"));
            host.ip_in("b", &format!("link set x0 alias x addrgenmode {mode}"));
            if kind == "veth" {
                host.ip_in("b", "link set p0 up");
            }
            host.ip_in("b", "link set x0 up");
            host.compare("link show");
            let told = host.caller().call("Link.List", json!({"netns": "a", "link": "x0"})).ok()["links"][0].clone();
            for name in ["group", "txqueuelen", "tx_queues", "rx_queues", "addrgenmode"] {
                assert_eq!(told[name], fields[name], "{name} of {at}: {told}");
            }
            host.ip_in("a", "link delete x0");
            host.ip_in("b", "link delete x0");
        }
    }
}

/// Whether a link gets a link-local address within a second.
fn gets_an_address(host: &Host, link: &str) -> bool {
    (0..50).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        host.ip_in("a", &format!("-6 address show dev {link}")).contains("fe80:")
    })
}

#[test]
fn ipv6_makes_no_address_before_the_mode_is_set() {
    let host = host();
    for (at, mode) in [Value::Null, json!("eui64"), json!("random"), json!("none")].into_iter().enumerate() {
        let (link, peer) = (format!("x{at}"), format!("p{at}"));
        // Its other end is up first, so the link has a carrier when it goes up.
        let fields = json!({"addrgenmode": mode, "up": true, "peer": {"name": peer, "netns": "a", "up": true}});
        add(&host, &link, "veth", &fields).ok();
        assert_eq!(gets_an_address(&host, &link), mode != json!("none"), "{mode}");
    }
}

#[test]
fn a_mode_that_the_kernel_refuses_is_named() {
    let host = host();
    let reply = add(&host, "x0", "bridge", &json!({"addrgenmode": "stable_privacy", "up": true}));
    assert_eq!(reply.error(), "io.netbroker.Link.KernelRefused", "{reply}");
    let told = (reply.get("field"), reply.get("errno"), reply.get("may_have_changed"));
    assert_eq!(told, (json!("addrgenmode"), json!(22), json!(true)), "no secret is set: {reply}");
    assert!(host.ip_in("a", "link show x0").contains("state DOWN"), "the link is made, and is not up");
    let secret = "net.ipv6.conf.default.stable_secret=2001:db8::7";
    host.run(&["ip", "netns", "exec", "a", "sysctl", "-qw", secret]).ok();
    add(&host, "x1", "bridge", &json!({"addrgenmode": "stable_privacy"})).ok();
    assert!(host.ip_in("a", "-d link show x1").contains("addrgenmode stable_secret"));
    // A namespace may have IPv6 off for new links. The mode is set all the same, and counts once IPv6 is on.
    host.run(&["ip", "netns", "exec", "a", "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"]).ok();
    add(&host, "x2", "bridge", &json!({"addrgenmode": "random"})).ok();
    assert!(host.ip_in("a", "-d link show x2").contains("addrgenmode random"));
    let small = json!({"addrgenmode": "none", "mtu": 1279});
    let before = host.snapshot(&["a"]);
    let reply = add(&host, "x3", "bridge", &small);
    assert_eq!(
        (reply.error().as_str(), reply.get("field")),
        ("io.netbroker.Link.InvalidRequest", json!("addrgenmode"))
    );
    assert_eq!(host.snapshot(&["a"]), before);
}

/// All that a bridge has besides VLANs, which not every kernel has.
fn every_of_a_bridge() -> (Value, &'static str) {
    let fields = json!({
        "hello_time": 302, "max_age": 1502, "priority": 4660, "group_fwd_mask": 22136, "mcast_router": "permanent",
        "mcast_snooping": false, "mcast_query_use_ifaddr": true, "mcast_querier": true, "mcast_hash_max": 66053,
        "mcast_last_member_count": 3, "mcast_startup_query_count": 4, "mcast_last_member_interval": 506,
        "mcast_membership_interval": 66054, "mcast_querier_interval": 66060, "mcast_query_interval": 66056,
        "mcast_query_response_interval": 1508, "mcast_startup_query_interval": 66058, "mcast_stats_enabled": true,
        "mcast_igmp_version": 3, "mcast_mld_version": 2,
    });
    let words = "hello_time 302 max_age 1502 priority 4660 group_fwd_mask 22136 mcast_router 2 mcast_snooping 0 \
                 mcast_query_use_ifaddr 1 mcast_querier 1 mcast_hash_max 66053 mcast_last_member_count 3 \
                 mcast_startup_query_count 4 mcast_last_member_interval 506 mcast_membership_interval 66054 \
                 mcast_querier_interval 66060 mcast_query_interval 66056 mcast_query_response_interval 1508 \
                 mcast_startup_query_interval 66058 mcast_stats_enabled 1 mcast_igmp_version 3 mcast_mld_version 2";
    (fields, words)
}

#[test]
fn a_bridge_with_each_of_its_fields_is_like_iproute2s() {
    let host = host();
    let (every, words) = every_of_a_bridge();
    assert_twins(
        &host,
        "bridge",
        &[
            (json!({}), "", ""),
            (json!({"bridge": every}), "", words),
            (
                json!({"bridge": {"mcast_router": "disabled", "mcast_snooping": true}}),
                "",
                "mcast_router 0 mcast_snooping 1",
            ),
            (
                json!({"bridge": {"mcast_router": "automatic", "mcast_querier": false}}),
                "",
                "mcast_router 1 mcast_querier 0",
            ),
            (json!({"bridge": {"hello_time": 100, "max_age": 600}}), "", "hello_time 100 max_age 600"),
            (json!({"bridge": {"hello_time": 1000, "max_age": 4000}}), "", "hello_time 1000 max_age 4000"),
            (
                json!({"bridge": {"mcast_membership_interval": 0xffff_ffff_u32}}),
                "",
                "mcast_membership_interval 4294967295",
            ),
        ],
    );
    let told = host.caller().call("Link.List", json!({"netns": "a", "link": "x1"})).ok()["links"][0].clone();
    for (name, value) in every.as_object().unwrap() {
        assert_eq!(told["bridge"][name], *value, "{name}: {told}");
    }
    // The same on a bridge that exists.
    let fields = json!({"netns": "a", "link": "x0", "kind": "bridge", "bridge": every});
    host.caller().call("Link.Set", fields).ok();
    host.ip_in("b", &format!("link set x0 type bridge {words}"));
    host.compare("link show");
}

#[test]
fn an_interval_that_the_kernel_clamps_is_not_applied() {
    let host = host();
    let one = json!({"mcast_query_interval": 1});
    let reply = add(&host, "x0", "bridge", &json!({ "bridge": one }));
    assert_eq!(reply.error(), "io.netbroker.Link.NotApplied", "{reply}");
    let told = (reply.get("field"), reply.get("given"), reply.get("effective"));
    assert_eq!(told, (json!("bridge.mcast_query_interval"), json!("1"), json!("100")), "{reply}");
    let startup = json!({"mcast_startup_query_interval": 99});
    let set = json!({"netns": "a", "link": "br1", "kind": "bridge", "bridge": startup});
    let reply = host.caller().call("Link.Set", set);
    assert_eq!(reply.error(), "io.netbroker.Link.NotApplied", "{reply}");
    let told = (reply.get("field"), reply.get("given"), reply.get("effective"));
    assert_eq!(told, (json!("bridge.mcast_startup_query_interval"), json!("99"), json!("100")), "{reply}");
}

/// This machine's kernel may have no VLANs on bridges. `tests/other_kernels.rs` compares those.
#[test]
fn what_the_kernel_ignores_is_not_applied() {
    let host = host();
    let has_vlans = host.ip_in("a", "-d link show br0").contains("vlan_protocol");
    for (at, (name, value)) in
        [("vlan_protocol", json!("ieee802_1ad")), ("vlan_stats_enabled", json!(true))].into_iter().enumerate()
    {
        let mut bridge = json!({});
        bridge[name] = value;
        let set = json!({"netns": "a", "link": "br1", "kind": "bridge", "bridge": bridge});
        let made = add(&host, &format!("x{at}"), "bridge", &json!({ "bridge": bridge }));
        for reply in [made, host.caller().call("Link.Set", set)] {
            if has_vlans {
                reply.ok();
            } else {
                let told = (reply.error(), reply.get("field"));
                let expected = ("io.netbroker.Link.NotApplied".to_owned(), json!(format!("bridge.{name}")));
                assert_eq!(told, expected, "{reply}");
            }
        }
    }
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
        (vxlan(json!({"id": 1, "ageing": 0})), "vxlan.ageing", "between 1 and 4294967"),
        (vxlan(json!({"id": 1, "ttl": 7, "ttl_inherit": true})), "vxlan.ttl", "cannot be given together"),
        (vxlan(json!({"id": 1, "vnifilter": true})), "vxlan.vnifilter", "needs `vxlan.collect_metadata`"),
        (vxlan(json!({"id": 1, "df": "inner"})), "vxlan.df", "not one of unset, set, inherit"),
        (("bridge", json!({"bridge": {"group_fwd_mask": 9}})), "bridge.group_fwd_mask", "must be a multiple of 8"),
        (("bridge", json!({"bridge": {"hello_time": 99}})), "bridge.hello_time", "between 100 and 1000"),
        (("bridge", json!({"bridge": {"max_age": 4001}})), "bridge.max_age", "between 600 and 4000"),
        (("bridge", json!({"bridge": {"mcast_igmp_version": 1}})), "bridge.mcast_igmp_version", "between 2 and 3"),
        (("bridge", json!({"bridge": {"mcast_mld_version": 3}})), "bridge.mcast_mld_version", "between 1 and 2"),
        (("bridge", json!({"bridge": {"mcast_router": "temp"}})), "bridge.mcast_router", "not one of disabled"),
        (("ifb", json!({"tx_queues": 0})), "tx_queues", "between 1 and 4096"),
        (("ifb", json!({"rx_queues": 4097})), "rx_queues", "between 1 and 4096"),
        (("ifb", json!({"addrgenmode": "eui48"})), "addrgenmode", "not one of eui64, none"),
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
