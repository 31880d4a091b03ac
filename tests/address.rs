// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Address.Add` and `Address.Delete` against their twins `ip addr add` and `ip addr delete`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::open_host;
use common::{Host, Reply};
use serde_json::{Value, json};

/// Twins, each with a pair that is up and has settled: what IPv6 does automatically is done.
fn host() -> (Host, &'static str, &'static str) {
    let host = open_host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        host.ip_in(netns, "link add v0 address 02:00:00:00:00:01 type veth peer name v1 address 02:00:00:00:00:02");
        // First: the kernel may make a link-local address while the link goes up.
        for words in
            ["link set v0 addrgenmode none", "link set v1 addrgenmode none", "link set v0 up", "link set v1 up"]
        {
            host.ip_in(netns, words);
        }
        let ready = |link: &str| format!("ip -n {netns} -6 route show table all | grep -q 'ff00::/8 dev {link} '");
        host.sh(&format!("until {} && {}; do sleep 0.02; done", ready("v0"), ready("v1")));
    }
    (host, a, b)
}

fn act(host: &Host, verb: &str, netns: &str, fields: &Value) -> Reply {
    let mut all = json!({"netns": netns, "link": "v0"});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    host.caller().call(&format!("Address.{verb}"), all)
}

fn both(host: &Host) {
    host.comparison("addr show").macs().check();
    host.comparison("route show table all").macs().check();
    host.comparison("-6 route show table all").macs().check();
}

#[test]
fn each_field_does_what_iproute2_does() {
    let (host, a, b) = host();
    let steps = [
        (json!({"address": "10.0.0.1/24"}), "10.0.0.1/24"),
        (json!({"address": "10.0.0.2/24"}), "10.0.0.2/24"), // a secondary one
        (json!({"address": "10.0.1.1/24", "broadcast": "10.0.1.255"}), "10.0.1.1/24 broadcast 10.0.1.255"),
        (json!({"address": "10.0.2.1/24", "scope": "link"}), "10.0.2.1/24 scope link"),
        (json!({"address": "10.0.3.1/24", "scope": "host"}), "10.0.3.1/24 scope host"),
        (json!({"address": "10.0.4.1/24", "scope": "site"}), "10.0.4.1/24 scope site"),
        (json!({"address": "10.0.5.1/24", "scope": "global"}), "10.0.5.1/24 scope global"),
        (json!({"address": "10.0.6.1/24", "label": "v0:one"}), "10.0.6.1/24 label v0:one"),
        (json!({"address": "10.0.7.1/32", "peer_address": "10.0.7.2/32"}), "10.0.7.1 peer 10.0.7.2/32"),
        (json!({"address": "10.0.8.1/24", "peer_address": "10.0.9.2/24"}), "10.0.8.1 peer 10.0.9.2/24"),
        (json!({"address": "10.0.10.1/24", "noprefixroute": true}), "10.0.10.1/24 noprefixroute"),
        (json!({"address": "10.0.11.1/24", "metric": 77}), "10.0.11.1/24 metric 77"),
        (
            json!({"address": "10.0.12.1/24", "valid_lifetime": 1000, "preferred_lifetime": 500}),
            "10.0.12.1/24 valid_lft 1000 preferred_lft 500",
        ),
        (json!({"address": "10.0.13.1/24", "preferred_lifetime": 500}), "10.0.13.1/24 preferred_lft 500"),
        (
            json!({"address": "10.0.14.1/24", "valid_lifetime": 4_294_967_295_u32, "preferred_lifetime": 0}),
            "10.0.14.1/24 valid_lft forever preferred_lft 0",
        ),
        (json!({"address": "127.9.0.1/24"}), "127.9.0.1/24"), // scope host
        (json!({"address": "127.9.1.1/24", "scope": "global"}), "127.9.1.1/24 scope global"),
        (json!({"address": "10.0.15.1/32"}), "10.0.15.1/32"),
        (json!({"address": "10.0.16.0/31"}), "10.0.16.0/31"),
        (json!({"address": "2001:db8::1/64"}), "2001:db8::1/64"),
        (json!({"address": "2001:db8:1::1/64", "nodad": true}), "2001:db8:1::1/64 nodad"),
        (json!({"address": "2001:db8:2::1/64", "noprefixroute": true}), "2001:db8:2::1/64 noprefixroute"),
        (json!({"address": "2001:db8:3::1/64", "home_address": true}), "2001:db8:3::1/64 home"),
        (
            json!({"address": "2001:db8:4::1/128", "peer_address": "2001:db8:4::2/128"}),
            "2001:db8:4::1 peer 2001:db8:4::2/128",
        ),
        (json!({"address": "2001:db8:5::1/64", "metric": 77}), "2001:db8:5::1/64 metric 77"),
        (
            json!({"address": "2001:db8:6::1/64", "valid_lifetime": 1000, "preferred_lifetime": 500}),
            "2001:db8:6::1/64 valid_lft 1000 preferred_lft 500",
        ),
        (json!({"address": "2001:db8:7::1/64", "preferred_lifetime": 0}), "2001:db8:7::1/64 preferred_lft 0"),
        (json!({"address": "fe80::7/64"}), "fe80::7/64"), // scope link
        (json!({"address": "2001:db8:8::1/128"}), "2001:db8:8::1/128"),
        (
            json!({"address": "2001:db8:9::1/64", "nodad": true, "noprefixroute": true, "home_address": true, "metric": 9,
                   "valid_lifetime": 900, "preferred_lifetime": 900}),
            "2001:db8:9::1/64 nodad noprefixroute home metric 9 valid_lft 900 preferred_lft 900",
        ),
    ];
    for (fields, words) in &steps {
        assert_eq!(act(&host, "Add", a, fields).ok(), json!({}), "{fields}");
        host.ip_in(b, &format!("addr add {words} dev v0"));
    }
    both(&host);
    assert!(host.ip_in(a, "addr show v0").contains("127.9.0.1/24 scope host"));
    // Deletes them again, each by its address and its other end.
    for (fields, words) in &steps {
        let mut identity = json!({"address": fields["address"]});
        if let Some(peer) = fields.get("peer_address") {
            identity["peer_address"] = peer.clone();
        }
        act(&host, "Delete", a, &identity).ok();
        let prefix: Vec<&str> = words.split(' ').take(if words.contains(" peer ") { 3 } else { 1 }).collect();
        // The kernel removes secondary addresses together with their primary one: in both twins, or in neither.
        host.run(&["sh", "-c", &format!("ip -n {b} addr del {} dev v0", prefix.join(" "))]).ok();
        host.comparison("addr show").macs().check();
        if fields["address"] == json!("10.0.0.1/24") {
            assert_eq!(
                act(&host, "Delete", a, &json!({"address": "10.0.0.2/24"})).error(),
                "io.netbroker.Address.NotFound"
            );
            act(&host, "Add", a, &json!({"address": "10.0.0.2/24"})).ok();
            host.ip_in(b, "addr add 10.0.0.2/24 dev v0");
        }
    }
    both(&host);
}

#[test]
fn an_address_that_is_there_is_the_same_or_an_error_that_names_what_differs() {
    let (host, a, b) = host();
    let v4 =
        json!({"address": "10.0.0.1/24", "broadcast": "10.0.0.255", "scope": "link", "label": "v0:x", "metric": 7});
    let peer = json!({"address": "10.0.1.1/32", "peer_address": "10.0.1.2/32", "preferred_lifetime": 4_294_967_295_u32,
                      "valid_lifetime": 4_294_967_295_u32});
    let v6 = json!({"address": "2001:db8::1/64", "metric": 7, "nodad": true});
    for fields in [&v4, &peer, &v6] {
        act(&host, "Add", a, fields).ok();
    }
    let before = host.snapshot(&[a, b]);
    let with = |base: &Value, name: &str, value: Value| {
        let mut changed = base.clone();
        changed["exists_ok"] = json!(true);
        changed[name] = value;
        changed
    };
    for base in [&v4, &peer, &v6] {
        act(&host, "Add", a, &with(base, "metric", base.get("metric").cloned().unwrap_or_default())).ok();
        let plain = act(&host, "Add", a, base);
        assert_eq!(plain.error(), "io.netbroker.Address.AlreadyExists");
        assert_eq!((plain.get("errno"), plain.get("errno_name")), (json!(17), json!("EEXIST")));
        assert_eq!(plain.get("may_have_changed"), json!(false));
    }
    let least = json!({"address": "10.0.0.1/24", "exists_ok": true});
    act(&host, "Add", a, &least).ok();
    for (base, field, value) in [
        (&v4, "broadcast", json!("10.0.0.254")),
        (&v4, "scope", json!("global")),
        (&v4, "label", json!("v0:y")),
        (&v4, "metric", json!(8)),
        (&v4, "noprefixroute", json!(true)),
        (&v4, "valid_lifetime", json!(100)),
        (&v4, "preferred_lifetime", json!(100)),
        (&v6, "metric", json!(8)),
        (&v6, "home_address", json!(true)),
        (&v6, "noprefixroute", json!(true)),
        (&v6, "preferred_lifetime", json!(100)),
        (&v6, "peer_address", json!("2001:db8::2/64")),
    ] {
        let mut fields = with(base, field, value);
        if field == "valid_lifetime" {
            fields["preferred_lifetime"] = json!(100); // otherwise the kernel refuses the two together
        }
        let reply = act(&host, "Add", a, &fields);
        assert_eq!(reply.error(), "io.netbroker.Address.AlreadyExists", "{field}: {reply}");
        assert_eq!((reply.get("field"), reply.get("errno")), (json!(field), json!(17)), "{reply}");
        assert_eq!(host.snapshot(&[a, b]), before, "{field}");
    }
}

#[test]
fn only_the_address_that_is_meant_goes() {
    let (host, a, _) = host();
    for words in ["10.0.0.1/24", "10.0.1.1 peer 10.0.1.2/32", "10.0.1.1 peer 10.0.1.3/32", "2001:db8::1/64 nodad"] {
        host.ip_in(a, &format!("addr add {words} dev v0"));
    }
    host.ip_in(a, "addr add 10.0.0.1/24 dev v1");
    let before = host.snapshot(&[a]);
    for (address, others) in [
        ("10.0.0.1/25", json!({})),
        ("10.0.0.1/32", json!({})),
        ("10.0.0.2/24", json!({})),
        ("10.0.0.1/24", json!({"peer_address": "10.0.0.9/24"})),
        ("10.0.1.1/32", json!({"peer_address": "10.0.1.4/32"})),
        ("10.0.1.1/32", json!({})),
        ("10.0.1.2/32", json!({})),
        ("2001:db8::1/128", json!({})),
        ("2001:db8::2/64", json!({})),
    ] {
        let mut fields = others.clone();
        fields["address"] = json!(address);
        let reply = act(&host, "Delete", a, &fields);
        assert_eq!(reply.error(), "io.netbroker.Address.NotFound", "{fields}");
        assert_eq!((reply.get("errno"), reply.get("errno_name")), (json!(99), json!("EADDRNOTAVAIL")));
        fields["missing_ok"] = json!(true);
        act(&host, "Delete", a, &fields).ok();
        assert_eq!(host.snapshot(&[a]), before, "{fields}");
    }
    let left = || host.ip_in(a, "-br -4 addr show v0");
    act(&host, "Delete", a, &json!({"address": "10.0.1.1/32", "peer_address": "10.0.1.3/32"})).ok();
    assert!(left().contains("10.0.1.2") && !left().contains("10.0.1.3"), "{}", left());
    host.ip_in(a, "addr add 10.0.1.1 peer 10.0.1.3/32 dev v0");
    // Without a peer it is the address without one, of which each link has one at most.
    host.ip_in(a, "addr add 10.0.1.1/32 dev v0");
    act(&host, "Delete", a, &json!({"address": "10.0.1.1/32"})).ok();
    let peers = |text: &str| text.matches("10.0.1.1 peer").count();
    assert!(peers(&left()) == 2 && !left().contains("10.0.1.1/32"), "{}", left());
    assert!(left().contains("10.0.0.1/24"), "{}", left());
    assert_eq!(act(&host, "Delete", a, &json!({"address": "10.0.1.1/32"})).error(), "io.netbroker.Address.NotFound");
    // The kernel reports no other end for this one, although it has one.
    host.ip_in(a, "addr add 10.0.9.1 peer 0.0.0.0/24 dev v0");
    let odd = json!({"address": "10.0.9.1/24"});
    assert_eq!(act(&host, "Delete", a, &odd).error(), "io.netbroker.Address.NotFound");
    let named = json!({"address": "10.0.9.1/24", "peer_address": "0.0.0.0/24"});
    assert_eq!(act(&host, "Add", a, &named).error(), "io.netbroker.Address.InvalidRequest");
    act(&host, "Delete", a, &named).ok();
    assert!(!left().contains("10.0.9.1"), "{}", left());
    for peer in ["10.0.1.3/32", "10.0.1.2/32"] {
        act(&host, "Delete", a, &json!({"address": "10.0.1.1/32", "peer_address": peer})).ok();
    }
    assert_eq!(peers(&left()), 0);
    act(&host, "Delete", a, &json!({"address": "10.0.0.1/24"})).ok();
    assert!(host.ip_in(a, "-br addr show v1").contains("10.0.0.1/24"), "the other link keeps its own");
    act(&host, "Delete", a, &json!({"address": "2001:db8::1/64"})).ok();
    assert!(!host.ip_in(a, "addr").contains("2001:db8"));
}

#[test]
fn flags_do_what_iproute2_does() {
    let (host, a, b) = host();
    for (fields, words) in [
        (json!({"address": "239.1.2.3/32", "autojoin": true}), "239.1.2.3/32 autojoin"),
        (json!({"address": "ff05::17/128", "autojoin": true}), "ff05::17/128 autojoin"),
        (json!({"address": "2001:db8:1::1/64", "mngtmpaddr": true}), "2001:db8:1::1/64 mngtmpaddr"),
        (json!({"address": "2001:db8:2::1/64", "optimistic": true}), "2001:db8:2::1/64 optimistic"),
    ] {
        act(&host, "Add", a, &fields).ok();
        host.ip_in(b, &format!("addr add {words} dev v0"));
        host.sh(&format!(
            "until ! ip -n {a} addr | grep tentative && ! ip -n {b} addr | grep tentative; do sleep 0.02; done"
        ));
        both(&host);
    }
    host.comparison("maddress show").macs().check();
    let found = host.caller().call("Address.List", json!({"netns": a, "link": "v0"})).ok();
    let text = found.to_string();
    assert!(text.contains("mcautojoin") && text.contains("managetempaddr"), "{text}");
    act(&host, "Add", a, &json!({"address": "10.0.0.1/24", "protocol": 77})).ok();
    let reply = act(&host, "Add", a, &json!({"address": "10.0.0.1/24", "protocol": 78, "exists_ok": true}));
    assert_eq!((reply.error().as_str(), reply.get("field")), ("io.netbroker.Address.AlreadyExists", json!("protocol")));
    let found = host.caller().call("Address.List", json!({"netns": a, "link": "v0", "family": "inet"})).ok();
    let of = |address: &str| {
        found["addresses"].as_array().unwrap().iter().find(|one| one["address"] == json!(address)).unwrap().clone()
    };
    assert_eq!(of("10.0.0.1/24")["protocol"], json!(77));
    let before = host.snapshot(&[a]);
    for (fields, field) in [
        (json!({"address": "10.0.1.1/24", "mngtmpaddr": true}), "mngtmpaddr"),
        (json!({"address": "10.0.1.1/24", "optimistic": true}), "optimistic"),
        (json!({"address": "10.0.1.1/24", "autojoin": true}), "autojoin"),
        (json!({"address": "2001:db8:3::1/80", "mngtmpaddr": true}), "mngtmpaddr"),
        (json!({"address": "2001:db8:3::1/64", "nodad": true, "optimistic": true}), "nodad"),
        (json!({"address": "10.0.1.1/24", "protocol": 256}), "protocol"),
    ] {
        for verb in ["Add", "Replace"] {
            let reply = act(&host, verb, a, &fields);
            assert_eq!(reply.error(), "io.netbroker.Address.InvalidRequest", "{fields}: {reply}");
            assert_eq!(reply.get("field"), json!(field), "{fields}: {reply}");
        }
    }
    assert_eq!(host.snapshot(&[a]), before);
}

#[test]
fn replace_changes_what_iproute2_changes_and_nothing_else() {
    let (host, a, b) = host();
    for (fields, words) in [
        (json!({"address": "10.0.0.1/24"}), "10.0.0.1/24"), // it makes one, too
        (
            json!({"address": "10.0.0.1/24", "valid_lifetime": 1000, "preferred_lifetime": 500}),
            "10.0.0.1/24 valid_lft 1000 preferred_lft 500",
        ),
        (json!({"address": "10.0.0.1/24", "metric": 77}), "10.0.0.1/24 metric 77"),
        (json!({"address": "10.0.0.1/24"}), "10.0.0.1/24"),
        (json!({"address": "10.0.0.1/32"}), "10.0.0.1/32"), // another one beside it
        (json!({"address": "10.0.2.1/32", "peer_address": "10.0.2.2/32"}), "10.0.2.1 peer 10.0.2.2/32"),
        (json!({"address": "10.0.2.1/32", "peer_address": "10.0.2.3/32"}), "10.0.2.1 peer 10.0.2.3/32"),
        (
            json!({"address": "10.0.2.1/32", "peer_address": "10.0.2.3/32", "metric": 5}),
            "10.0.2.1 peer 10.0.2.3/32 metric 5",
        ),
        (json!({"address": "2001:db8::1/64", "nodad": true}), "2001:db8::1/64 nodad"),
        (
            json!({"address": "2001:db8::1/64", "noprefixroute": true, "home_address": true, "mngtmpaddr": true}),
            "2001:db8::1/64 noprefixroute home mngtmpaddr",
        ),
        (
            json!({"address": "2001:db8::1/64", "valid_lifetime": 900, "preferred_lifetime": 0}),
            "2001:db8::1/64 valid_lft 900 preferred_lft 0",
        ),
        (json!({"address": "2001:db8::1/64", "metric": 9}), "2001:db8::1/64 metric 9"),
    ] {
        assert_eq!(act(&host, "Replace", a, &fields).ok(), json!({}), "{fields}");
        host.ip_in(b, &format!("addr replace {words} dev v0"));
        both(&host);
    }
    act(&host, "Replace", a, &json!({"address": "10.0.0.1/24", "protocol": 77})).ok();
    assert!(act(&host, "List", a, &json!({"family": "inet"})).ok().to_string().contains("\"protocol\":77"));
}

/// The kernel says ok to each of these, and leaves the field or changes another address.
#[test]
fn a_replace_that_the_kernel_would_not_carry_out_is_refused() {
    let (host, a, _) = host();
    for words in [
        "10.0.0.1/24 broadcast 10.0.0.255",
        "10.0.1.1/24 noprefixroute",
        "10.0.2.1 peer 10.0.2.2/24",
        "239.1.2.3/32 autojoin",
        "2001:db8::1/64 nodad",
        "2001:db8:1::1 peer 2001:db8:1::2/128 nodad",
    ] {
        host.ip_in(a, &format!("addr add {words} dev v0"));
    }
    let before = host.snapshot(&[a]);
    for (fields, field) in [
        (json!({"address": "10.0.0.1/24", "broadcast": "10.0.0.254"}), "broadcast"),
        (json!({"address": "10.0.0.1/24", "scope": "link"}), "scope"),
        (json!({"address": "10.0.0.1/24", "label": "v0:x"}), "label"),
        (json!({"address": "10.0.0.1/24", "noprefixroute": true}), "noprefixroute"),
        (json!({"address": "10.0.1.1/24"}), "noprefixroute"),
        (json!({"address": "10.0.0.1/24", "peer_address": "10.0.0.2/24"}), "peer_address"),
        (json!({"address": "10.0.2.1/24", "peer_address": "10.0.2.3/24"}), "peer_address"),
        (json!({"address": "239.1.2.3/32"}), "autojoin"),
        (json!({"address": "2001:db8::1/128"}), "address"),
        (json!({"address": "2001:db8::1/64", "peer_address": "2001:db8::2/64"}), "peer_address"),
        (json!({"address": "2001:db8::1/64", "optimistic": true}), "optimistic"),
        (json!({"address": "2001:db8:1::1/128"}), "peer_address"),
    ] {
        let reply = act(&host, "Replace", a, &fields);
        assert_eq!(reply.error(), "io.netbroker.Address.AlreadyExists", "{fields}: {reply}");
        assert_eq!(
            (reply.get("field"), reply.get("may_have_changed")),
            (json!(field), json!(false)),
            "{fields}: {reply}"
        );
        assert_eq!(host.snapshot(&[a]), before, "{fields}");
    }
}

#[test]
fn a_flush_deletes_what_matches_and_leaves_the_kernels_own() {
    let (host, a, _) = host();
    host.ip_in(a, "link set v0 addrgenmode eui64");
    host.ip_in(a, "link set v0 down");
    host.ip_in(a, "link set v0 up");
    host.sh(&format!("until ip -n {a} -6 addr show dev v0 scope link | grep -q fe80; do sleep 0.02; done"));
    let fill = || {
        for words in [
            "10.0.0.1/24",
            "10.0.0.2/24",
            "10.0.0.3/24 label v0:x",
            "10.0.1.1 peer 10.0.1.2/32",
            "10.0.1.1 peer 10.0.1.3/32",
            "10.0.2.1/24 scope link",
            "2001:db8::1/64 nodad",
            "fe80::7/64 nodad",
        ] {
            host.run(&["sh", "-c", &format!("ip -n {a} addr add {words} dev v0 2>/dev/null")]);
        }
        host.run(&["sh", "-c", &format!("ip -n {a} addr add 10.9.0.1/24 dev v1 2>/dev/null")]);
    };
    let addresses = || {
        let found = act(&host, "List", a, &json!({})).ok();
        let text = |one: &Value| one["address"].as_str().unwrap().to_owned();
        found["addresses"].as_array().unwrap().iter().map(text).collect::<Vec<_>>()
    };
    fill();
    let all = addresses();
    assert_eq!(all.len(), 9, "{all:?}"); // with the one of the kernel
    for (filters, deleted) in [
        (json!({"label": "v0:x"}), 1),
        (json!({"scope": "link"}), 2), // 10.0.2.1 and fe80::7
        (json!({"scope": "link", "family": "inet"}), 1),
        (json!({"address": "10.0.1.1/32"}), 2),
        (json!({"address": "10.0.1.1/32", "peer_address": "10.0.1.2/32"}), 1),
        (json!({"peer_address": "10.0.1.3/32"}), 1),
        (json!({"address": "10.0.0.1/24"}), 1),
        (json!({"address": "10.0.0.1/25"}), 0),
        (json!({"family": "inet6"}), 2),
        (json!({"family": "inet"}), 6),
        (json!({}), 8),
        (json!({"scope": "host"}), 0),
    ] {
        fill();
        host.sh(&format!("ip netns exec {a} sysctl -qw net.ipv4.conf.v0.promote_secondaries=1"));
        assert_eq!(addresses().len(), 9, "before {filters}");
        assert_eq!(act(&host, "Flush", a, &filters).ok(), json!({"deleted": deleted}), "{filters}");
        assert_eq!(addresses().len(), 9 - deleted, "{filters}");
    }
    assert_eq!(host.caller().call("Address.Flush", json!({"netns": a, "link": "lo"})).ok(), json!({"deleted": 0}));
    assert!(host.ip_in(a, "addr show v1").contains("10.9.0.1"));
    assert_eq!(act(&host, "Flush", a, &json!({"link": "nope"})).error(), "io.netbroker.Address.NoSuchLink");
    for (filters, field) in [
        (json!({"label": "v0:x", "family": "inet6"}), "label"),
        (json!({"address": "10.0.0.1"}), "address"),
        (json!({"address": "10.0.0.1/24", "family": "inet6"}), "address"),
        (json!({"address": "2001:db8::1/64", "scope": "host"}), "scope"),
        (json!({"address": "2001:db8::1/64", "peer_address": "10.0.0.1/24"}), "peer_address"),
    ] {
        let reply = act(&host, "Flush", a, &filters);
        assert_eq!(
            (reply.error().as_str(), reply.get("field")),
            ("io.netbroker.Address.InvalidRequest", json!(field)),
            "{reply}"
        );
    }
}

/// Whatever a deny keeps Delete from, it keeps Flush and Replace from.
#[test]
fn a_deny_meets_a_flush_that_could_delete_what_it_protects() {
    let (host, a, _) = host();
    host.ip_in(a, "addr add 10.0.0.1/24 dev v0");
    for (said, met, passed) in [
        ("address = \"10.0.0.0/8\"", json!({}), json!({"address": "192.168.0.1/24"})),
        ("peer_address = \"10.0.0.0/8\"", json!({"address": "10.0.0.1/24"}), json!({"peer_address": "192.168.0.1/24"})),
    ] {
        let deny = format!("[[deny]]\nid = \"d\"\nwho = \"*\"\ncall = \"@change\"\n{said}\n");
        host.policy(&format!("{}\n{deny}", common::scene::EVERYTHING));
        assert_eq!(act(&host, "Flush", a, &met).error(), "io.netbroker.Address.Denied", "{said}");
        act(&host, "Flush", a, &passed).ok();
    }
    assert!(host.ip_in(a, "addr show v0").contains("10.0.0.1/24"));
}
