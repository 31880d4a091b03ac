// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Link.Set` against its twin `ip link set`, and what the kernel refuses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::open_host as host;
use common::{Host, Reply};
use serde_json::{Value, json};

fn set(host: &Host, netns: &str, link: &str, mut changes: Value) -> Reply {
    let mut fields = json!({"netns": netns, "link": link});
    fields.as_object_mut().unwrap().append(changes.as_object_mut().unwrap());
    host.caller().call("Link.Set", fields)
}

/// Two pairs and two bridges with the same addresses in each of the twins.
fn furnished(host: &Host) -> (&'static str, &'static str) {
    let (a, b) = host.twins();
    for netns in [a, b] {
        for at in 0..2 {
            let mac = format!("02:00:00:00:0{at}:0");
            host.ip_in(netns, &format!("link add v{at} address {mac}1 type veth peer name p{at} address {mac}2"));
            host.ip_in(netns, &format!("link add br{at} address {mac}3 type bridge"));
            host.ip_in(netns, &format!("link set p{at} up"));
        }
    }
    (a, b)
}

#[test]
fn each_field_does_what_iproute2_does() {
    let host = host();
    let (a, b) = furnished(&host);
    let steps = [
        (json!({"up": true}), "up"),
        (json!({"mtu": 1400}), "mtu 1400"),
        (json!({"mac": "02:00:00:00:00:aa"}), "address 02:00:00:00:00:aa"),
        (json!({"alias": "uplink"}), "alias uplink"),
        (json!({"alias": "down"}), "alias down"),
        (json!({"alias": ""}), ""), // ip cannot set it: see below
        (json!({"master": "br0"}), "master br0"),
        (json!({"master": "br1"}), "master br1"),
        (json!({"no_master": true}), "nomaster"),
        (json!({"no_master": true}), "nomaster"),
        (json!({"arp": false}), "arp off"),
        (json!({"arp": true}), "arp on"),
        (json!({"multicast": false}), "multicast off"),
        (json!({"multicast": true}), "multicast on"),
        (json!({"allmulticast": true}), "allmulticast on"),
        (json!({"allmulticast": false}), "allmulticast off"),
        (json!({"promisc": true}), "promisc on"),
        (json!({"promisc": true}), "promisc on"), // the kernel counts users, not requests
        (json!({"promisc": false}), "promisc off"),
        (json!({"txqueuelen": 77}), "txqueuelen 77"),
        (json!({"txqueuelen": 0}), "txqueuelen 0"),
        (json!({"group": 305_419_896}), "group 305419896"),
        (json!({"group": 0, "mtu": 1300}), "group 0 mtu 1300"),
        (json!({"addrgenmode": "none"}), "addrgenmode none"),
        (json!({"addrgenmode": "random"}), "addrgenmode random"),
        (json!({"addrgenmode": "eui64"}), "addrgenmode eui64"),
        (json!({"up": false}), "down"),
    ];
    for (changes, words) in steps {
        assert_eq!(set(&host, a, "v0", changes.clone()).ok(), json!({}), "{changes}");
        if words.is_empty() && changes.get("alias").is_some() {
            host.run(&["ip", "-n", b, "link", "set", "v0", "alias", ""]).ok();
        } else if !words.is_empty() {
            host.ip_in(b, &format!("link set v0 {words}"));
        }
        let told = host.comparison("link show").macs();
        told.check();
    }
    set(&host, a, "v0", json!({"up": false, "addrgenmode": "none", "group": 9})).ok();
    host.ip_in(b, "link set v0 down addrgenmode none group 9");
    set(&host, a, "br0", json!({"kind": "bridge", "group": 7, "bridge": {"priority": 1}})).ok();
    set(&host, a, "br1", json!({"kind": "bridge", "group": 7})).ok();
    host.ip_in(b, "link set br0 group 7");
    host.ip_in(b, "link set br0 type bridge priority 1");
    host.ip_in(b, "link set br1 group 7");
    host.comparison("link show").macs().check();
    let told = host.caller().call("Link.List", json!({"netns": a, "link": "v0"})).ok()["links"][0].clone();
    assert_eq!((&told["group"], &told["addrgenmode"]), (&json!(9), &json!("none")), "{told}");
    set(&host, a, "v0", json!({"new_name": "renamed", "group": 0})).ok();
    host.ip_in(b, "link set v0 name renamed group 0");
    set(&host, a, "lo", json!({"up": true, "mtu": 1280})).ok();
    host.ip_in(b, "link set lo up mtu 1280");
    host.comparison("link show").macs().check();
}

#[test]
fn several_fields_go_in_one_call() {
    let host = host();
    let (a, b) = furnished(&host);
    let changes = json!({
        "up": true, "mtu": 1300, "mac": "02:00:00:00:00:bb", "alias": "all of it", "new_name": "eth7", "master": "br0",
        "arp": false, "multicast": false, "allmulticast": true, "promisc": true, "txqueuelen": 5,
    });
    set(&host, a, "v1", changes).ok();
    host.ip_in(
        b,
        "link set v1 up mtu 1300 address 02:00:00:00:00:bb master br0 name eth7 \
         arp off multicast off allmulticast on promisc on txqueuelen 5",
    );
    host.run(&["ip", "-n", b, "link", "set", "eth7", "alias", "all of it"]).ok();
    host.comparison("link show").macs().check();
    assert!(host.ip_in(a, "link show eth7").contains("PROMISC"));
}

#[test]
fn a_link_whose_target_is_its_own_namespace_does_not_move() {
    let host = host();
    let (a, _) = furnished(&host);
    host.ip_in(a, "link set v0 up");
    host.ip_in(a, "address add 192.0.2.1/24 dev v0");
    let before = [host.ip_in(a, "-d link show v0"), host.ip_in(a, "address show v0")];
    assert_eq!(set(&host, a, "v0", json!({"target_netns": a})).ok(), json!({}));
    assert_eq!([host.ip_in(a, "-d link show v0"), host.ip_in(a, "address show v0")], before);
}

#[test]
fn a_link_moves_to_another_namespace_and_to_the_host() {
    let host = host();
    let (a, b) = furnished(&host);
    host.ip("netns add c");
    host.sh("touch /run/netns/h; mount --bind /proc/self/ns/net /run/netns/h"); // ip's name for the host
    for (netns, name) in [("c", "c0"), ("@host", "h0")] {
        let stands = netns.replace("@host", "h");
        for twin in [a, b] {
            let words = format!("link add {twin}{name} address 02:00:00:00:09:01 type veth peer name {twin}{name}p");
            host.ip_in(&stands, &words);
        }
        // Into the twins, with a new name and everything else that can be set.
        let changes = json!({"target_netns": a, "new_name": name, "mtu": 1234, "up": true, "alias": "x"});
        set(&host, netns, &format!("a{name}"), changes).ok();
        host.ip_in(&stands, &format!("link set b{name} netns {b} name {name} mtu 1234 up alias x"));
        host.comparison("link show").macs().check();
        // And out again.
        set(&host, a, name, json!({"target_netns": netns, "new_name": format!("a{name}")})).ok();
        host.ip_in(b, &format!("link set {name} netns {stands} name b{name}"));
        host.comparison("link show").macs().check();
        let there = host.ip_in(&stands, "-br link");
        assert!(there.contains(&format!("a{name}@")) && there.contains(&format!("b{name}@")), "{there}");
        assert!(!host.ip_in(a, "-br link").contains(name));
    }
    // Under its own name.
    set(&host, a, "v1", json!({"target_netns": "@host"})).ok();
    set(&host, "@host", "v1", json!({"target_netns": "c"})).ok();
    assert!(host.ip_in("c", "link show v1").contains("02:00:00:00:01:01"));
}

#[test]
fn what_the_kernel_refuses_says_why_and_leaves_everything() {
    let host = host();
    let (a, b) = furnished(&host);
    let before = host.snapshot(&[a, b]);
    let cases = [
        (
            json!({"mtu": 67}),
            "KernelRefused",
            json!({"errno": 22, "errno_name": "EINVAL", "message": "mtu less than device minimum"}),
        ),
        (json!({"mtu": 70000}), "KernelRefused", json!({"errno": 22, "message": "mtu greater than device maximum"})),
        (json!({"new_name": "v1"}), "AlreadyExists", json!({"errno": 17, "errno_name": "EEXIST"})),
        (json!({"mac": "ff:ff:ff:ff:ff:ff"}), "KernelRefused", json!({"errno": 99, "errno_name": "EADDRNOTAVAIL"})),
        (json!({"master": "v1"}), "NotSupported", json!({"errno": 95})),
        (
            json!({"master": "absent"}),
            "NoSuchLink",
            json!({"field": "master", "name": "absent", "reason": "absent", "errno": 19}),
        ),
        (
            json!({"target_netns": "absent"}),
            "NoSuchNetns",
            json!({"field": "target_netns", "reason": "absent", "errno": 2}),
        ),
        (json!({"mac": "02:00:00:00:00:00:01"}), "KernelRefused", json!({"field": "mac"})),
        (json!({"mac": "02:00:00:00:00"}), "KernelRefused", json!({"field": "mac"})),
        (json!({}), "InvalidRequest", json!({})),
        (json!({"link": "absent"}), "InvalidRequest", json!({})), // before any look-up
        (json!({"master": "br0", "target_netns": "b"}), "InvalidRequest", json!({"field": "master"})),
        (json!({"master": "br0", "no_master": true}), "InvalidRequest", json!({"field": "master"})),
        (json!({"no_master": false}), "InvalidRequest", json!({"field": "no_master"})),
        (json!({"new_name": "eth%d"}), "InvalidRequest", json!({"field": "new_name"})),
        (json!({"new_name": "all"}), "InvalidRequest", json!({"field": "new_name"})),
        (json!({"alias": "a\nb"}), "InvalidRequest", json!({"field": "alias"})),
        (json!({"alias": "x".repeat(256)}), "InvalidRequest", json!({"field": "alias"})),
    ];
    for (changes, error, told) in cases {
        let reply = set(&host, a, "v0", changes.clone());
        assert_eq!(reply.error(), format!("io.netbroker.Link.{error}"), "{changes}: {reply}");
        for (name, value) in told.as_object().unwrap() {
            assert_eq!(&reply.get(name), value, "{name}: {reply}");
        }
        if matches!(error, "KernelRefused" | "AlreadyExists" | "NotSupported") {
            // A single field is set or not. But with a new master, the link may already have left the old one.
            assert_eq!(reply.get("may_have_changed"), json!(changes.get("master").is_some()), "{reply}");
        }
        assert_eq!(host.snapshot(&[a, b]), before, "{changes}");
    }
    let absent = set(&host, a, "nothing", json!({"up": true}));
    assert_eq!((absent.error().as_str(), absent.get("name")), ("io.netbroker.Link.NoSuchLink", json!("nothing")));
    let taken = set(&host, a, "v0", json!({"target_netns": b}));
    assert_eq!((taken.error().as_str(), taken.get("errno")), ("io.netbroker.Link.AlreadyExists", json!(17)));
    let lo = set(&host, a, "lo", json!({"target_netns": b}));
    assert_eq!((lo.error().as_str(), lo.get("errno")), ("io.netbroker.Link.KernelRefused", json!(22)));
    assert_eq!(host.snapshot(&[a, b]), before);
}

#[test]
fn an_error_of_several_fields_warns_that_some_may_be_set() {
    let host = host();
    let (a, b) = furnished(&host);
    let reply = set(&host, a, "v0", json!({"mtu": 1400, "up": true, "master": "v1"}));
    assert_eq!((reply.get("errno"), reply.get("may_have_changed")), (json!(95), json!(true)), "{reply}");
    // Whatever the kernel has done by then, it has done the same for ip.
    let twin = host.run(&["ip", "-n", b, "link", "set", "v0", "mtu", "1400", "up", "master", "v1"]);
    assert_ne!(twin.status(), 0, "{twin}");
    host.comparison("link show").macs().check();
    assert!(host.ip_in(a, "link show v0").contains("mtu 1400"), "the warning would be for nothing");

    // Also with only a new master: the link leaves the old one first.
    host.ip_in(a, "link set v1 master br0");
    let reply = set(&host, a, "v1", json!({"master": "p0"}));
    assert_eq!((reply.get("errno"), reply.get("may_have_changed")), (json!(95), json!(true)), "{reply}");
    host.ip_in(b, "link set v1 master br0");
    assert_ne!(host.run(&["ip", "-n", b, "link", "set", "v1", "master", "p0"]).status(), 0);
    host.comparison("link show").macs().check();
}

#[test]
fn an_alias_of_255_bytes_and_any_script_is_kept() {
    let host = host();
    let (a, b) = furnished(&host);
    for alias in ["x".repeat(255), "Anschluß 端口 ünd mehr".to_owned(), " blanks  kept ".to_owned(), "-x".to_owned()]
    {
        set(&host, a, "v0", json!({"alias": alias})).ok();
        host.run(&["ip", "-n", b, "link", "set", "v0", "alias", &alias]).ok();
        host.comparison("link show").macs().check();
        let listed = host.caller().call("Link.List", json!({"netns": a, "link": "v0"})).ok();
        assert_eq!(listed["links"][0]["alias"], json!(alias));
    }
}

#[test]
fn a_mode_for_ipv6_addresses_that_would_come_too_late_or_nowhere_is_refused() {
    let host = host();
    let (a, _) = furnished(&host);
    host.ip_in(a, "link set v1 mtu 1279");
    let before = host.snapshot(&[a]);
    let cases = [
        ("v0", json!({"addrgenmode": "none", "up": true}), "InvalidRequest", Value::Null),
        ("v0", json!({"addrgenmode": "none", "mtu": 1279}), "InvalidRequest", Value::Null),
        ("v0", json!({"addrgenmode": "stable_privacy", "target_netns": "b"}), "InvalidRequest", Value::Null),
        // No secret is set.
        ("v0", json!({"addrgenmode": "stable_privacy"}), "KernelRefused", json!(22)),
        // IPv6 is off on a link with so small an MTU.
        ("v1", json!({"addrgenmode": "none"}), "KernelRefused", json!(97)),
        ("v1", json!({"addrgenmode": "none", "mtu": 1400}), "KernelRefused", json!(97)),
    ];
    for (link, changes, error, errno) in cases {
        let reply = set(&host, a, link, changes.clone());
        assert_eq!(reply.error(), format!("io.netbroker.Link.{error}"), "{changes}: {reply}");
        assert_eq!(reply.get("field"), "addrgenmode", "{changes}: {reply}");
        assert!(errno.is_null() || reply.get("errno") == errno, "{changes}: {reply}");
        assert_eq!(host.snapshot(&[a]), before, "{changes}");
    }
    let told = host.caller().call("Link.List", json!({"netns": a, "link": "v1"})).ok()["links"][0].clone();
    assert_eq!(told["addrgenmode"], Value::Null, "IPv6 is off: {told}");
    // A link that moves has both in the target namespace.
    set(&host, a, "v0", json!({"target_netns": "@host", "group": 5, "addrgenmode": "random"})).ok();
    let told = host.caller().call("Link.List", json!({"netns": "@host", "link": "v0"})).ok()["links"][0].clone();
    assert_eq!((&told["group"], &told["addrgenmode"]), (&json!(5), &json!("random")), "{told}");
}

#[test]
fn what_only_a_bridge_has_is_changed_like_by_iproute2() {
    let host = host();
    let (a, b) = furnished(&host);
    let steps = [
        (json!({"stp": true}), "stp_state 1"),
        (json!({"forward_delay": 1700}), "forward_delay 1700"),
        (json!({"ageing_time": 20000, "stp": false}), "ageing_time 20000 stp_state 0"),
    ];
    for (bridge, words) in steps {
        set(&host, a, "br0", json!({"kind": "bridge", "bridge": bridge})).ok();
        host.ip_in(b, &format!("link set br0 type bridge {words}"));
        host.comparison("link show").macs().check();
    }
    set(&host, a, "br0", json!({"kind": "bridge", "up": true, "mtu": 1400, "bridge": {"stp": true}})).ok();
    host.ip_in(b, "link set br0 up mtu 1400");
    host.ip_in(b, "link set br0 type bridge stp_state 1");
    host.comparison("link show").macs().check();
    set(&host, a, "br0", json!({"kind": "bridge", "new_name": "br9", "bridge": {"stp": false}})).ok();
    host.ip_in(b, "link set br0 type bridge stp_state 0");
    host.ip_in(b, "link set br0 name br9");
    host.comparison("link show").macs().check();
    set(&host, a, "v0", json!({"kind": "veth", "mtu": 1300})).ok(); // only to select the kind
    host.ip_in(b, "link set v0 mtu 1300");
    host.comparison("link show").macs().check();
}

#[test]
fn a_link_of_another_kind_is_refused_and_unchanged() {
    let host = host();
    let (a, _) = furnished(&host);
    let before = host.snapshot(&[a]);
    for (link, changes) in [
        ("v0", json!({"kind": "bridge", "bridge": {"stp": true}})),
        ("v0", json!({"kind": "bridge", "mtu": 1400})),
        ("br0", json!({"kind": "veth", "up": true})),
        ("lo", json!({"kind": "veth", "mtu": 1400})),
        ("br0", json!({"kind": "bond", "bond": {"miimon": 100}})),
    ] {
        let reply = set(&host, a, link, changes.clone());
        assert_eq!(reply.error(), "io.netbroker.Link.KernelRefused", "{changes}: {reply}");
        assert_eq!((reply.get("field"), reply.get("may_have_changed")), (json!("kind"), json!(false)), "{reply}");
        assert_eq!(host.snapshot(&[a]), before, "{changes}");
    }
    for (changes, field) in [
        (json!({"bridge": {"stp": true}}), "bridge.stp"),
        (json!({"kind": "veth", "bridge": {"stp": true}}), "bridge.stp"),
        (json!({"kind": "bond", "bridge": {"stp": true}}), "bridge.stp"),
        (json!({"kind": "bond", "bond": {"miimon": 100, "updelay": 150}}), "bond.updelay"),
        (json!({"kind": "bond", "bond": {"miimon": 100, "arp_interval": 100}}), "bond.miimon"),
        (json!({"kind": "bond", "bond": {"arp_ip_target": ["2001:db8::1"]}}), "bond.arp_ip_target"),
        (json!({"kind": "bridge"}), "link"),
    ] {
        let reply = set(&host, a, "br0", changes.clone());
        assert_eq!(reply.error(), "io.netbroker.Link.InvalidRequest", "{changes}: {reply}");
        assert_eq!(reply.get("field"), json!(field), "{reply}");
        assert_eq!(host.snapshot(&[a]), before, "{changes}");
    }
}
