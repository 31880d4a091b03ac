// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Link.Add` with `exists_ok`: it accepts only a link that is the same in every field that was given.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::Host;
use common::scene::open_host;
use serde_json::{Value, json};

fn host() -> Host {
    let host = open_host();
    for netns in ["a", "b"] {
        host.ip(&format!("netns add {netns}"));
        host.ip_in(netns, "link add br0 type bridge");
        host.ip_in(netns, "link add br1 type bridge");
    }
    host
}

/// `base` with one member, by JSON pointer, replaced or added.
fn with(base: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = base.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    changed.pointer_mut(parent).unwrap()[name] = value;
    changed
}

/// Asserts that the same request succeeds again, with all or fewer fields, and that each of these differences is an
/// error that names its field.
fn assert_compared(host: &Host, base: &Value, fewer: &[Value], different: &[(&str, Value, &str)]) {
    let add = |fields: &Value| host.caller().call("Link.Add", with(fields, "/exists_ok", json!(true)));
    let made = add(base).ok();
    let netns = ["a", "b"];
    let before = host.snapshot(&netns);
    for again in [base].into_iter().chain(fewer) {
        assert_eq!(add(again).ok(), made, "{again}");
    }
    for (pointer, value, field) in different {
        let reply = add(&with(base, pointer, value.clone()));
        assert_eq!(reply.error(), "io.netbroker.Link.AlreadyExists", "{pointer}");
        assert_eq!(reply.get("field"), json!(field), "{pointer}: {reply}");
        assert_eq!((reply.get("errno"), reply.get("may_have_changed")), (json!(17), json!(false)), "{reply}");
        assert!(reply.get("message").as_str().unwrap().contains(field), "{reply}");
    }
    let plain = host.caller().call("Link.Add", base.clone());
    let errno = 17;
    assert_eq!((plain.error().as_str(), plain.get("errno")), ("io.netbroker.Link.AlreadyExists", json!(errno)));
    assert_eq!(host.snapshot(&netns), before);
}

#[test]
fn the_same_veth_pair_is_fine_and_one_that_differs_is_not() {
    for (netns, peer_netns, elsewhere) in
        [("a", "a", "b"), ("a", "b", "@host"), ("@host", "a", "b"), ("b", "@host", "b")]
    {
        let host = host();
        host.ip("link add br0 type bridge");
        host.ip("link add br1 type bridge");
        host.ip_in("a", "link add taken0 type veth peer name taken1");
        let base = json!({
            "netns": netns, "link": "v0", "kind": "veth", "mtu": 1400, "mac": "02:00:00:00:00:01", "master": "br0",
            "alias": "one two", "group": 7, "txqueuelen": 77, "tx_queues": 3, "rx_queues": 2, "addrgenmode": "random",
            "peer": {"name": "v1", "netns": peer_netns, "mac": "02:00:00:00:00:02", "mtu": 1300},
        });
        let least = json!({"netns": netns, "link": "v0", "kind": "veth", "peer": {"name": "v1", "netns": peer_netns}});
        let fewer = [with(&base, "/alias", Value::Null), with(&base, "/peer/mtu", Value::Null), least];
        let different = [
            ("/mtu", json!(1401), "mtu"),
            ("/mac", json!("02:00:00:00:00:03"), "mac"),
            ("/master", json!("br1"), "master"),
            ("/up", json!(true), "up"),
            ("/alias", json!("one two three"), "alias"),
            ("/alias", json!(""), "alias"),
            ("/group", json!(0), "group"),
            ("/txqueuelen", json!(0), "txqueuelen"),
            ("/tx_queues", json!(1), "tx_queues"),
            ("/rx_queues", json!(1), "rx_queues"),
            ("/addrgenmode", json!("eui64"), "addrgenmode"),
            ("/peer/name", json!("v2"), "peer.name"),
            ("/peer/name", json!("br1"), "peer.name"),
            ("/peer/netns", json!(elsewhere), "peer.netns"),
            ("/peer/mac", json!("02:00:00:00:00:04"), "peer.mac"),
            ("/peer/mtu", json!(1301), "peer.mtu"),
            ("/peer/up", json!(true), "peer.up"),
        ];
        assert_compared(&host, &base, &fewer, &different);
    }
}

#[test]
fn a_link_that_is_up_is_the_same_whether_or_not_that_was_asked_for() {
    let host = host();
    for netns in ["a", "b"] {
        // Otherwise IPv6 adds addresses and routes some time later.
        let off = "cd /proc/sys/net/ipv6/conf; echo 1 | tee all/disable_ipv6 default/disable_ipv6";
        host.run(&["ip", "netns", "exec", netns, "sh", "-c", off]).ok();
    }
    let peer = json!({"name": "v1", "netns": "b", "up": true});
    let base = json!({"netns": "a", "link": "v0", "kind": "veth", "up": true, "peer": peer});
    let fewer = [with(&base, "/up", json!(false)), with(&base, "/peer/up", json!(false))];
    assert_compared(&host, &base, &fewer, &[("/mtu", json!(1400), "mtu")]);
    host.ip_in("b", "link set v1 down");
    let reply = host.caller().call("Link.Add", with(&base, "/exists_ok", json!(true)));
    assert_eq!(reply.get("field"), json!("peer.up"), "{reply}");
}

#[test]
fn the_same_bridge_is_fine_and_one_that_differs_is_not() {
    let host = host();
    let base = json!({
        "netns": "a", "link": "new", "kind": "bridge", "mtu": 1400, "mac": "02:00:00:00:00:01",
        "bridge": {
            "stp": true, "forward_delay": 1700, "ageing_time": 20000, "hello_time": 300, "max_age": 1500,
            "priority": 4660, "group_fwd_mask": 8, "mcast_router": "permanent", "mcast_snooping": true,
            "mcast_querier": true, "mcast_query_interval": 2000, "mcast_hash_max": 99, "mcast_igmp_version": 3,
        },
    });
    let fewer = [
        json!({"netns": "a", "link": "new", "kind": "bridge"}),
        with(&base, "/bridge", json!({})),
        with(&base, "/bridge/stp", Value::Null),
    ];
    let different = [
        ("/mtu", json!(1401), "mtu"),
        ("/mac", json!("02:00:00:00:00:03"), "mac"),
        ("/master", json!("br0"), "master"),
        ("/up", json!(true), "up"),
        ("/alias", json!("x"), "alias"),
        ("/bridge/stp", json!(false), "bridge.stp"),
        ("/bridge/forward_delay", json!(1800), "bridge.forward_delay"),
        ("/bridge/ageing_time", json!(0), "bridge.ageing_time"),
        ("/bridge/vlan_default_pvid", json!(7), "bridge.vlan_default_pvid"),
        ("/bridge/hello_time", json!(310), "bridge.hello_time"),
        ("/bridge/max_age", json!(1600), "bridge.max_age"),
        ("/bridge/priority", json!(0), "bridge.priority"),
        ("/bridge/group_fwd_mask", json!(0), "bridge.group_fwd_mask"),
        ("/bridge/mcast_router", json!("automatic"), "bridge.mcast_router"),
        ("/bridge/mcast_snooping", json!(false), "bridge.mcast_snooping"),
        ("/bridge/mcast_querier", json!(false), "bridge.mcast_querier"),
        ("/bridge/mcast_query_interval", json!(2010), "bridge.mcast_query_interval"),
        ("/bridge/mcast_hash_max", json!(100), "bridge.mcast_hash_max"),
        ("/bridge/mcast_igmp_version", json!(2), "bridge.mcast_igmp_version"),
        ("/bridge/mcast_mld_version", json!(2), "bridge.mcast_mld_version"),
    ];
    assert_compared(&host, &base, &fewer, &different);
}

#[test]
fn the_same_vxlan_is_fine_and_one_that_differs_is_not() {
    let host = host();
    let base = json!({
        "netns": "a", "link": "x0", "kind": "vxlan", "parent": "br0", "mtu": 1400,
        "vxlan": {"id": 7, "remote": "192.0.2.9", "local": "192.0.2.1", "port": 4789, "source_port_min": 4000,
                  "source_port_max": 5000, "ttl": 64, "tos": 16, "learning": false, "proxy": true, "ageing": 77,
                  "df": "set", "gbp": true, "udp_csum": false},
    });
    let fewer = [
        json!({"netns": "a", "link": "x0", "kind": "vxlan", "vxlan": {"id": 7, "port": 4789, "proxy": true, "gbp": true}}),
        with(&base, "/vxlan/learning", Value::Null),
        with(&base, "/parent", Value::Null),
    ];
    let different = [
        ("/mtu", json!(1401), "mtu"),
        ("/parent", json!("br1"), "parent"),
        ("/vxlan/id", json!(8), "vxlan.id"),
        ("/vxlan/remote", json!("192.0.2.8"), "vxlan.remote"),
        ("/vxlan/local", json!("192.0.2.2"), "vxlan.local"),
        ("/vxlan/port", json!(4788), "vxlan.port"),
        ("/vxlan/port", Value::Null, "vxlan.port"),
        ("/vxlan/source_port_min", json!(4001), "vxlan.source_port_min"),
        ("/vxlan/source_port_max", json!(5001), "vxlan.source_port_max"),
        ("/vxlan/ttl", json!(0), "vxlan.ttl"),
        ("/vxlan/tos", json!(1), "vxlan.tos"),
        ("/vxlan/learning", json!(true), "vxlan.learning"),
        ("/vxlan/proxy", json!(false), "vxlan.proxy"),
        ("/vxlan/ageing", json!(300), "vxlan.ageing"),
        ("/vxlan/df", json!("inherit"), "vxlan.df"),
        ("/vxlan/gbp", Value::Null, "vxlan.gbp"),
        ("/vxlan/udp_csum", json!(true), "vxlan.udp_csum"),
        ("/vxlan/udp_zero_csum6_tx", json!(true), "vxlan.udp_zero_csum6_tx"),
        ("/vxlan/udp_zero_csum6_rx", json!(true), "vxlan.udp_zero_csum6_rx"),
        (
            "/vxlan",
            json!({"id": 7, "port": 4789, "proxy": true, "gbp": true, "ttl_inherit": true}),
            "vxlan.ttl_inherit",
        ),
    ];
    assert_compared(&host, &base, &fewer, &different);
    let external = json!({"netns": "a", "link": "x1", "kind": "vxlan", "vxlan": {"collect_metadata": true}});
    let group = json!({"id": 1, "port": 4790, "group": "239.1.1.1"});
    let others =
        [("/vxlan", json!({"id": 0}), "vxlan.collect_metadata"), ("/vxlan/vnifilter", json!(true), "vxlan.vnifilter")];
    assert_compared(&host, &external, &[], &others);
    let group = json!({"netns": "a", "link": "x2", "kind": "vxlan", "parent": "br0", "vxlan": group});
    let others =
        [("/vxlan/group", json!("239.1.1.2"), "vxlan.group"), ("/vxlan/group", json!("ff05::1"), "vxlan.group")];
    assert_compared(&host, &group, &[], &others);
}

#[test]
fn the_same_macvlan_macvtap_or_ifb_is_fine_and_one_that_differs_is_not() {
    for kind in ["macvlan", "macvtap"] {
        let host = host();
        let base = json!({
            "netns": "a", "link": "x0", "kind": kind, "parent": "br0", "mac": "02:00:00:00:00:01",
            "macvlan": {"mode": "bridge"},
        });
        let other = if kind == "macvlan" { "macvtap" } else { "macvlan" };
        let different = [
            ("/kind", json!(other), "kind"),
            ("/parent", json!("br1"), "parent"),
            ("/mac", json!("02:00:00:00:00:02"), "mac"),
            ("/macvlan/mode", json!("private"), "macvlan.mode"),
            ("/macvlan/mode", Value::Null, "macvlan.mode"),
        ];
        assert_compared(&host, &base, &[with(&base, "/mac", Value::Null)], &different);
    }
    let ifb = json!({"netns": "a", "link": "x0", "kind": "ifb", "mtu": 1400});
    assert_compared(&host(), &ifb, &[with(&ifb, "/mtu", Value::Null)], &[("/mtu", json!(1401), "mtu")]);
}

#[test]
fn the_same_tap_is_fine_and_one_that_differs_is_not() {
    let host = host();
    let base = json!({
        "netns": "a", "link": "t0", "kind": "tun", "mtu": 1400, "mac": "02:00:00:00:00:01", "master": "br0",
        "alias": "x", "tun": {"mode": "tap", "owner": 1000, "group": 1001}, "txqueuelen": 77, "addrgenmode": "none",
    });
    let different = [
        ("/mtu", json!(1401), "mtu"),
        ("/mac", json!("02:00:00:00:00:02"), "mac"),
        ("/master", json!("br1"), "master"),
        ("/alias", json!("y"), "alias"),
        ("/up", json!(true), "up"),
        ("/tun/owner", json!(1001), "tun.owner"),
        ("/tun/owner", Value::Null, "tun.owner"),
        ("/tun/group", json!(1000), "tun.group"),
        ("/tun/multi_queue", json!(true), "tun.multi_queue"),
        ("/tun/vnet_hdr", json!(true), "tun.vnet_hdr"),
        ("/tun", json!({"mode": "tap", "no_owner": true}), "tun.no_owner"),
        ("/group", json!(1), "group"),
        ("/txqueuelen", json!(78), "txqueuelen"),
        ("/addrgenmode", json!("eui64"), "addrgenmode"),
    ];
    let fewer = [with(&base, "/tun/group", Value::Null), with(&base, "/mac", Value::Null)];
    assert_compared(&host, &base, &fewer, &different);
    let ifb = json!({"netns": "a", "link": "t0", "kind": "ifb", "exists_ok": true});
    assert_eq!(host.caller().call("Link.Add", ifb).get("field"), "kind");
    let tun = json!({"netns": "a", "link": "t1", "kind": "tun", "tun": {"mode": "tun", "owner": 0}});
    assert_compared(
        &host,
        &tun,
        &[],
        &[("/tun/mode", json!("tap"), "tun.mode"), ("/tun/group", json!(0), "tun.group")],
    );
    let queues = json!({"mode": "tap", "no_owner": true, "multi_queue": true, "vnet_hdr": true});
    let tap = json!({"netns": "a", "link": "t2", "kind": "tun", "tun": queues});
    let different = [
        ("/tun/no_owner", Value::Null, "tun.owner"),
        ("/tun/multi_queue", Value::Null, "tun.multi_queue"),
        ("/tun/vnet_hdr", json!(false), "tun.vnet_hdr"),
    ];
    assert_compared(&host, &tap, &[with(&tap, "/tun/vnet_hdr", Value::Null)], &different);
}

#[test]
fn a_segment_that_another_vxlan_has_is_not_the_same_link() {
    let host = host();
    let vxlan =
        |link: &str| json!({"netns": "a", "link": link, "kind": "vxlan", "exists_ok": true, "vxlan": {"id": 1}});
    host.caller().call("Link.Add", vxlan("x0")).ok();
    let reply = host.caller().call("Link.Add", vxlan("x1"));
    assert_eq!(reply.error(), "io.netbroker.Link.AlreadyExists");
    assert!(reply.get("message").as_str().unwrap().contains("VNI"), "{reply}");
}

#[test]
fn another_kind_of_the_same_name_is_not_the_same() {
    let host = host();
    host.ip_in("a", "link add v0 type veth peer name v1");
    host.ip_in("a", "link property add dev v0 altname ci7");
    let before = host.snapshot(&["a", "b"]);
    let refused = |fields: Value, field: Option<&str>| {
        let reply = host.caller().call("Link.Add", with(&fields, "/exists_ok", json!(true)));
        assert_eq!(reply.error(), "io.netbroker.Link.AlreadyExists", "{fields}");
        assert!(field.is_none_or(|field| reply.get("field") == json!(field)), "{reply}");
        assert_eq!(host.snapshot(&["a", "b"]), before);
    };
    refused(json!({"netns": "a", "link": "v0", "kind": "bridge"}), Some("kind"));
    refused(json!({"netns": "a", "link": "lo", "kind": "bridge"}), Some("kind"));
    let veth = |link: &str, peer: &str, netns: &str| json!({"netns": "a", "link": link, "kind": "veth", "peer": {"name": peer, "netns": netns}});
    refused(veth("br0", "v1", "a"), Some("kind"));
    // Only the name of the other end is taken, by whatever link.
    refused(veth("new", "v1", "a"), Some("peer.name"));
    refused(veth("new", "br0", "b"), Some("peer.name"));
    // The names are taken as alternative names; no link has them as its own.
    refused(veth("ci7", "free", "a"), Some("link"));
    refused(veth("new", "ci7", "a"), Some("peer.name"));
    refused(json!({"netns": "a", "link": "ci7", "kind": "bridge"}), Some("link"));
}

#[test]
fn a_pair_whose_ends_belong_to_others_is_not_the_same() {
    let host = host();
    // v0 of a and v1 of b exist, and are both ends of other veth pairs. Their indexes are chosen to be the same.
    host.ip_in("a", "link add v0 index 50 type veth peer name x index 51");
    host.ip_in("b", "link add v1 index 51 type veth peer name y index 50");
    let before = host.snapshot(&["a", "b"]);
    let pair =
        json!({"netns": "a", "link": "v0", "kind": "veth", "exists_ok": true, "peer": {"name": "v1", "netns": "b"}});
    let reply = host.caller().call("Link.Add", pair);
    assert_eq!(reply.error(), "io.netbroker.Link.AlreadyExists");
    assert_eq!(reply.get("field"), json!("peer.netns"), "{reply}");
    assert_eq!(host.snapshot(&["a", "b"]), before);
}
