// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Route.Add`, `Route.Replace` and `Route.Delete` against their twins `ip route …`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::open_host;
use common::{Host, Reply};
use serde_json::{Value, json};

/// Twins, each with a pair that is up, has addresses and has settled.
fn host() -> (Host, &'static str, &'static str) {
    let host = open_host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        for words in [
            "link set lo up",
            "link add v0 address 02:00:00:00:00:01 type veth peer name v1 address 02:00:00:00:00:02",
            "link set v0 addrgenmode none", // before it goes up: the kernel may make a link-local address then
            "link set v1 addrgenmode none",
            "link set v0 up",
            "link set v1 up",
            "addr add 10.0.0.1/24 dev v0",
            "addr add 10.0.0.7/24 dev v0",
            "addr add 10.0.1.1/24 dev v1",
            "addr add 2001:db8::1/64 dev v0 nodad",
            "addr add 2001:db8::7/64 dev v0 nodad",
            "addr add fe80::1/64 dev v1 nodad",
        ] {
            host.ip_in(netns, words);
        }
        let ready = |link: &str| format!("ip -n {netns} -6 route show table all | grep -q 'ff00::/8 dev {link} '");
        host.sh(&format!("until {} && {}; do sleep 0.02; done", ready("v0"), ready("v1")));
    }
    (host, a, b)
}

fn act(host: &Host, verb: &str, netns: &str, fields: &Value) -> Reply {
    let mut all = json!({"netns": netns});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    host.caller().call(&format!("Route.{verb}"), all)
}

fn both(host: &Host) {
    host.comparison("route show table all").macs().check();
    host.comparison("-6 route show table all").macs().check();
}

/// What each request gives, and the words of `ip route add` with the same meaning.
fn routes() -> Vec<(Value, &'static str)> {
    vec![
        (json!({"destination": "default", "gateway": "10.0.0.9"}), "default via 10.0.0.9"),
        (json!({"destination": "default", "gateway": "2001:db8::9"}), "-6 default via 2001:db8::9"),
        (json!({"destination": "0.0.0.0/0", "link": "v0", "metric": 9}), "default dev v0 metric 9"),
        (json!({"destination": "::/0", "link": "v0", "metric": 9}), "-6 default dev v0 metric 9"),
        (
            json!({"destination": "default", "family": "inet6", "link": "v1", "metric": 10}),
            "-6 default dev v1 metric 10",
        ),
        (json!({"destination": "10.1.0.0/16", "link": "v0"}), "10.1.0.0/16 dev v0"), // scope link
        (json!({"destination": "10.2.0.0/16", "gateway": "10.0.0.9", "link": "v0"}), "10.2.0.0/16 via 10.0.0.9 dev v0"),
        (
            json!({"destination": "10.3.0.0/16", "gateway": "10.0.0.9", "metric": 7}),
            "10.3.0.0/16 via 10.0.0.9 metric 7",
        ),
        (json!({"destination": "10.4.0.0/16", "link": "v0", "scope": "host"}), "10.4.0.0/16 dev v0 scope host"),
        (json!({"destination": "10.5.0.0/16", "link": "v0", "scope": "global"}), "10.5.0.0/16 dev v0 scope global"),
        (json!({"destination": "10.6.0.0/16", "link": "v0", "protocol": 4}), "10.6.0.0/16 dev v0 proto static"),
        (json!({"destination": "10.7.0.0/16", "link": "v0", "table": 77}), "10.7.0.0/16 dev v0 table 77"),
        (json!({"destination": "10.8.0.0/16", "link": "v0", "table": 70000}), "10.8.0.0/16 dev v0 table 70000"),
        (json!({"destination": "10.9.0.0/16", "link": "v0", "table": 255}), "10.9.0.0/16 dev v0 table local"),
        (
            json!({"destination": "10.10.0.0/16", "link": "v0", "preferred_source": "10.0.0.7"}),
            "10.10.0.0/16 dev v0 src 10.0.0.7",
        ),
        (
            json!({"destination": "10.11.0.0/16", "gateway": "10.99.0.9", "link": "v0", "onlink": true}),
            "10.11.0.0/16 via 10.99.0.9 dev v0 onlink",
        ),
        (json!({"destination": "10.12.0.0/16", "link": "v0", "mtu": 1300}), "10.12.0.0/16 dev v0 mtu 1300"),
        (
            json!({"destination": "10.13.0.0/16", "gateway": "fe80::9", "link": "v1"}),
            "10.13.0.0/16 via inet6 fe80::9 dev v1",
        ),
        (json!({"destination": "10.14.0.0/16", "route_type": "blackhole"}), "blackhole 10.14.0.0/16"),
        (json!({"destination": "10.15.0.0/16", "route_type": "unreachable"}), "unreachable 10.15.0.0/16"),
        (
            json!({"destination": "10.16.0.0/16", "route_type": "prohibit", "metric": 5}),
            "prohibit 10.16.0.0/16 metric 5",
        ),
        (json!({"destination": "10.17.0.0/16", "route_type": "throw", "table": 77}), "throw 10.17.0.0/16 table 77"),
        (json!({"destination": "10.18.0.1/32", "link": "v0"}), "10.18.0.1/32 dev v0"),
        (json!({"destination": "2001:db8:1::/48", "link": "v0"}), "-6 2001:db8:1::/48 dev v0"),
        (
            json!({"destination": "2001:db8:2::/48", "gateway": "2001:db8::9", "metric": 7, "protocol": 186}),
            "-6 2001:db8:2::/48 via 2001:db8::9 metric 7 proto bgp",
        ),
        (
            json!({"destination": "2001:db8:3::/48", "gateway": "fe80::9", "link": "v1", "table": 77}),
            "-6 2001:db8:3::/48 via fe80::9 dev v1 table 77",
        ),
        (
            json!({"destination": "2001:db8:4::/48", "gateway": "2001:db8:9::9", "link": "v0", "onlink": true}),
            "-6 2001:db8:4::/48 via 2001:db8:9::9 dev v0 onlink",
        ),
        (
            json!({"destination": "2001:db8:5::/48", "link": "v0", "preferred_source": "2001:db8::7", "mtu": 1300}),
            "-6 2001:db8:5::/48 dev v0 src 2001:db8::7 mtu 1300",
        ),
        (json!({"destination": "2001:db8:6::/48", "route_type": "blackhole"}), "-6 blackhole 2001:db8:6::/48"),
        (json!({"destination": "2001:db8:7::/48", "route_type": "prohibit"}), "-6 prohibit 2001:db8:7::/48"),
        (json!({"destination": "2001:db8:8::/48", "route_type": "throw"}), "-6 throw 2001:db8:8::/48"),
        (json!({"destination": "2001:db8:9::/48", "route_type": "unreachable"}), "-6 unreachable 2001:db8:9::/48"),
        (
            json!({"destination": "default", "family": "inet", "route_type": "local", "link": "lo", "table": 100}),
            "local default dev lo table 100",
        ),
        (
            json!({"destination": "default", "family": "inet6", "route_type": "local", "link": "lo", "table": 100}),
            "-6 local default dev lo table 100",
        ),
        (
            json!({"destination": "10.23.0.0/16", "route_type": "local", "link": "v0"}),
            "local 10.23.0.0/16 dev v0 table main",
        ),
        (
            json!({"destination": "10.24.0.255/32", "route_type": "broadcast", "link": "v0", "table": 255}),
            "broadcast 10.24.0.255 dev v0",
        ),
        (json!({"destination": "10.2.0.0/16", "link": "v1", "tos": 16}), "10.2.0.0/16 dev v1 tos 0x10"),
        (json!({"destination": "10.25.0.0/16", "link": "v1", "tos": 252}), "10.25.0.0/16 dev v1 tos 0xfc"),
        (
            json!({"destination": "10.26.0.0/16", "link": "v1", "mtu": 1300, "mtu_lock": true, "advmss": 1220,
                   "hoplimit": 33, "initcwnd": 11, "initrwnd": 4294967295_u32}),
            "10.26.0.0/16 dev v1 mtu lock 1300 advmss 1220 hoplimit 33 initcwnd 11 initrwnd 4294967295",
        ),
        (json!({"destination": "10.27.0.0/16", "link": "v1", "advmss": 65495}), "10.27.0.0/16 dev v1 advmss 65495"),
        (
            json!({"destination": "2001:db8:10::/48", "link": "v0", "mtu": 1300, "mtu_lock": true, "advmss": 1220,
                   "hoplimit": 255, "initcwnd": 11, "initrwnd": 12, "pref": "high"}),
            "-6 2001:db8:10::/48 dev v0 mtu lock 1300 advmss 1220 hoplimit 255 initcwnd 11 initrwnd 12 pref high",
        ),
        (
            json!({"destination": "2001:db8:11::/48", "link": "v0", "pref": "low"}),
            "-6 2001:db8:11::/48 dev v0 pref low",
        ),
        (
            json!({"destination": "2001:db8:12::/48", "link": "v0", "pref": "medium"}),
            "-6 2001:db8:12::/48 dev v0 pref medium",
        ),
        (
            json!({"destination": "10.20.0.0/16", "nexthops": [{"gateway": "10.0.0.9", "link": "v0"},
                   {"gateway": "10.0.1.9", "weight": 3}, {"link": "v1"}]}),
            "10.20.0.0/16 nexthop via 10.0.0.9 dev v0 nexthop via 10.0.1.9 weight 3 nexthop dev v1",
        ),
        (
            json!({"destination": "10.21.0.0/16", "metric": 4, "nexthops": [
                   {"gateway": "10.99.0.9", "link": "v0", "onlink": true, "weight": 256},
                   {"gateway": "fe80::9", "link": "v1"}]}),
            "10.21.0.0/16 metric 4 nexthop via 10.99.0.9 dev v0 onlink weight 256 nexthop via inet6 fe80::9 dev v1",
        ),
        (
            json!({"destination": "10.22.0.0/16", "nexthops": [{"gateway": "10.0.0.9"}, {"gateway": "10.0.1.8", "link": "v1", "onlink": true}]}),
            "10.22.0.0/16 nexthop via 10.0.0.9 nexthop via 10.0.1.8 dev v1 onlink",
        ),
        (
            json!({"destination": "2001:db8:20::/48", "nexthops": [{"gateway": "2001:db8::9", "weight": 2},
                   {"gateway": "fe80::9", "link": "v1"}]}),
            "-6 2001:db8:20::/48 nexthop via 2001:db8::9 weight 2 nexthop via fe80::9 dev v1",
        ),
    ]
}

/// `ip -n NETNS [-6] route VERB …`
fn ip_route(host: &Host, netns: &str, verb: &str, words: &str) {
    let (family, words) = words.strip_prefix("-6 ").map_or(("", words), |words| ("-6 ", words));
    host.ip_in(netns, &format!("{family}route {verb} {words}"));
}

#[test]
fn each_field_does_what_iproute2_does_and_what_was_added_can_be_deleted() {
    let (host, a, b) = host();
    for (fields, words) in routes() {
        assert_eq!(act(&host, "Add", a, &fields).ok(), json!({}), "{fields}");
        ip_route(&host, b, "add", words);
    }
    both(&host);
    for (fields, words) in routes() {
        assert_eq!(act(&host, "Delete", a, &fields).ok(), json!({}), "{fields}");
        ip_route(&host, b, "del", words);
    }
    both(&host);
    assert!(!host.ip_in(a, "route show table all").contains("10.2"), "all are gone");
}

#[test]
fn replace_makes_a_route_and_changes_the_one_that_is_there() {
    let (host, a, b) = host();
    for (fields, words) in routes() {
        act(&host, "Replace", a, &fields).ok();
        ip_route(&host, b, "replace", words);
    }
    both(&host);
    let changes = [
        (json!({"destination": "10.2.0.0/16", "gateway": "10.0.0.8"}), "10.2.0.0/16 via 10.0.0.8"),
        (json!({"destination": "10.6.0.0/16", "route_type": "blackhole"}), "blackhole 10.6.0.0/16"),
        (json!({"destination": "10.20.0.0/16", "link": "v1"}), "10.20.0.0/16 dev v1"),
        (json!({"destination": "2001:db8:1::/48", "gateway": "2001:db8::8"}), "-6 2001:db8:1::/48 via 2001:db8::8"),
        (
            json!({"destination": "2001:db8:20::/48", "nexthops": [{"gateway": "2001:db8::8"}, {"gateway": "2001:db8::9"}]}),
            "-6 2001:db8:20::/48 nexthop via 2001:db8::8 nexthop via 2001:db8::9",
        ),
    ];
    for (fields, words) in changes {
        act(&host, "Replace", a, &fields).ok();
        ip_route(&host, b, "replace", words);
        both(&host);
    }
}

#[test]
fn a_route_that_is_there_is_the_same_or_an_error_that_names_what_differs() {
    let (host, a, _) = host();
    for (fields, _) in routes() {
        act(&host, "Add", a, &fields).ok();
    }
    let before = host.snapshot(&[a]);
    for (mut fields, _) in routes() {
        let plain = act(&host, "Add", a, &fields);
        assert_eq!(plain.error(), "io.netbroker.Route.AlreadyExists", "{fields}");
        assert_eq!((plain.get("errno"), plain.get("may_have_changed")), (json!(17), json!(false)));
        fields["exists_ok"] = json!(true);
        act(&host, "Add", a, &fields).ok();
    }
    let differing = [
        (json!({"destination": "10.2.0.0/16", "gateway": "10.0.0.8"}), "gateway"),
        (json!({"destination": "10.2.0.0/16", "gateway": "10.0.0.9", "link": "v1", "onlink": true}), "link"),
        (json!({"destination": "10.2.0.0/16", "gateway": "10.0.0.9", "link": "v0", "onlink": true}), "onlink"),
        (json!({"destination": "10.2.0.0/16", "gateway": "10.0.0.9", "protocol": 4}), "protocol"),
        (json!({"destination": "10.1.0.0/16", "link": "v0", "scope": "global"}), "scope"),
        (json!({"destination": "10.1.0.0/16", "route_type": "blackhole"}), "route_type"),
        (json!({"destination": "10.10.0.0/16", "link": "v0", "preferred_source": "10.0.0.1"}), "preferred_source"),
        (json!({"destination": "10.12.0.0/16", "link": "v0", "mtu": 1301}), "mtu"),
        (json!({"destination": "10.12.0.0/16", "link": "v0", "mtu": 1300, "mtu_lock": true}), "mtu_lock"),
        (json!({"destination": "10.12.0.0/16", "link": "v0", "mtu": 1300, "hoplimit": 9}), "hoplimit"),
        (json!({"destination": "10.26.0.0/16", "link": "v1", "mtu": 1300, "mtu_lock": true, "advmss": 1221}), "advmss"),
        (json!({"destination": "10.2.0.0/16", "link": "v0", "tos": 16}), "link"),
        (json!({"destination": "10.23.0.0/16", "link": "v0", "scope": "host"}), "route_type"),
        (json!({"destination": "2001:db8:11::/48", "link": "v0", "pref": "high"}), "pref"),
        (json!({"destination": "10.20.0.0/16", "link": "v0"}), "gateway"),
        (json!({"destination": "10.20.0.0/16", "nexthops": [{"gateway": "10.0.0.9"}, {"link": "v1"}]}), "nexthops"),
        (
            json!({"destination": "10.22.0.0/16", "nexthops": [{"gateway": "10.0.0.9"}, {"gateway": "10.0.0.8"}]}),
            "nexthops",
        ),
        (json!({"destination": "2001:db8:2::/48", "gateway": "2001:db8::8", "metric": 7, "protocol": 186}), "gateway"),
        (
            json!({"destination": "2001:db8:5::/48", "link": "v0", "preferred_source": "2001:db8::1"}),
            "preferred_source",
        ),
    ];
    for (mut fields, field) in differing {
        fields["exists_ok"] = json!(true);
        let reply = act(&host, "Add", a, &fields);
        assert_eq!(reply.error(), "io.netbroker.Route.AlreadyExists", "{fields}: {reply}");
        assert_eq!(reply.get("field"), json!(field), "{fields}: {reply}");
        assert_eq!(host.snapshot(&[a]), before, "{fields}");
    }
}

#[test]
fn only_a_route_that_matches_in_every_given_field_goes() {
    let (host, a, _) = host();
    for (fields, _) in routes() {
        act(&host, "Add", a, &fields).ok();
    }
    let before = host.snapshot(&[a]);
    for mut fields in [
        json!({"destination": "10.2.0.0/17"}),
        json!({"destination": "10.2.0.0/16", "table": 77}),
        json!({"destination": "10.2.0.0/16", "table": 99}),
        json!({"destination": "10.2.0.0/16", "gateway": "10.0.0.8"}),
        json!({"destination": "10.2.0.0/16", "link": "v1"}),
        json!({"destination": "10.2.0.0/16", "metric": 1}),
        json!({"destination": "10.2.0.0/16", "scope": "link"}),
        json!({"destination": "10.2.0.0/16", "protocol": 4}),
        json!({"destination": "10.2.0.0/16", "route_type": "blackhole"}),
        json!({"destination": "10.2.0.0/16", "preferred_source": "10.0.0.1"}),
        json!({"destination": "10.2.0.0/16", "onlink": true}),
        json!({"destination": "10.2.0.0/16", "mtu": 1300}),
        json!({"destination": "10.2.0.0/16", "mtu_lock": true}),
        json!({"destination": "10.2.0.0/16", "tos": 32}),
        json!({"destination": "10.2.0.0/16", "link": "v0", "tos": 16}),
        json!({"destination": "10.25.0.0/16"}),
        json!({"destination": "10.26.0.0/16", "advmss": 1221}),
        json!({"destination": "10.26.0.0/16", "hoplimit": 34}),
        json!({"destination": "10.26.0.0/16", "initcwnd": 12}),
        json!({"destination": "10.26.0.0/16", "initrwnd": 1}),
        json!({"destination": "10.26.0.0/16", "mtu_lock": false}),
        json!({"destination": "10.23.0.0/16", "route_type": "unicast"}),
        json!({"destination": "2001:db8:11::/48", "pref": "medium"}),
        json!({"destination": "10.2.0.0/16", "nexthops": [{}, {}]}),
        json!({"destination": "10.3.0.0/16", "metric": 0}),
        // The kernel would take the first of several next hops for the whole route, and compares hardly anything of an
        // IPv6 route.
        json!({"destination": "10.20.0.0/16", "gateway": "10.0.0.9"}),
        json!({"destination": "10.20.0.0/16", "link": "v0"}),
        json!({"destination": "10.20.0.0/16", "nexthops": [{"gateway": "10.0.0.9"}, {}]}),
        json!({"destination": "2001:db8:20::/48", "link": "v1"}),
        json!({"destination": "2001:db8:5::/48", "preferred_source": "2001:db8::1"}),
        json!({"destination": "2001:db8:5::/48", "mtu": 1301}),
        json!({"destination": "2001:db8:5::/48", "route_type": "blackhole"}),
        json!({"destination": "2001:db8:5::/48", "onlink": true}),
        json!({"destination": "2001:db8:5::/48", "metric": 7}),
    ] {
        let reply = act(&host, "Delete", a, &fields);
        assert_eq!(reply.error(), "io.netbroker.Route.NotFound", "{fields}: {reply}");
        assert_eq!((reply.get("errno"), reply.get("errno_name")), (json!(3), json!("ESRCH")));
        fields["missing_ok"] = json!(true);
        act(&host, "Delete", a, &fields).ok();
        assert_eq!(host.snapshot(&[a]), before, "{fields}");
    }
    let has = |words: &str| host.ip_in(a, "route show table all").contains(words);
    act(
        &host,
        "Delete",
        a,
        &json!({"destination": "10.20.0.0/16", "nexthops": [
        {"gateway": "10.0.0.9"}, {"weight": 3}, {"link": "v1"}]}),
    )
    .ok();
    assert!(!has("10.20.0.0/16"));
    host.ip_in(a, "route add 10.2.0.0/16 via 10.0.0.9 metric 5");
    act(&host, "Delete", a, &json!({"destination": "10.2.0.0/16", "metric": 5})).ok();
    assert!(has("10.2.0.0/16 via 10.0.0.9 dev v0 \n") && !has("metric 5 \n10.2"), "{}", host.ip_in(a, "route"));
    host.ip_in(a, "route add 10.2.0.0/16 via 10.0.0.9 metric 5");
    act(&host, "Delete", a, &json!({"destination": "10.2.0.0/16"})).ok(); // the one with the lowest metric
    assert!(has("10.2.0.0/16 via 10.0.0.9 dev v0 metric 5") && has("10.2.0.0/16 tos 0x10"));
}

/// Routes for packets from one network.
fn sourced() -> Vec<(Value, &'static str)> {
    vec![
        (
            json!({"destination": "2001:db8:30::/48", "source": "2001:db8:5::/48", "link": "v0"}),
            "-6 2001:db8:30::/48 from 2001:db8:5::/48 dev v0",
        ),
        (
            json!({"destination": "default", "source": "2001:db8:5::/48", "gateway": "2001:db8::9", "metric": 7}),
            "-6 default from 2001:db8:5::/48 via 2001:db8::9 metric 7",
        ),
        (json!({"destination": "2001:db8:30::/48", "source": "default", "link": "v1"}), "-6 2001:db8:30::/48 dev v1"),
    ]
}

#[test]
fn a_route_for_one_source_is_another_route_than_the_one_for_all_sources() {
    let (host, a, b) = host();
    for (fields, words) in sourced() {
        act(&host, "Add", a, &fields).ok();
        ip_route(&host, b, "add", words);
        let mut tolerant = fields.clone();
        tolerant["exists_ok"] = json!(true);
        act(&host, "Add", a, &tolerant).ok();
        assert_eq!(act(&host, "Add", a, &fields).error(), "io.netbroker.Route.AlreadyExists", "{fields}");
    }
    both(&host);
    for (verb, fields, words) in [
        (
            "Replace",
            json!({"source": "2001:db8:5::/48", "link": "v1"}),
            "-6 2001:db8:30::/48 from 2001:db8:5::/48 dev v1",
        ),
        ("Replace", json!({"link": "v0"}), "-6 2001:db8:30::/48 dev v0"),
    ] {
        let mut fields = fields;
        fields["destination"] = json!("2001:db8:30::/48");
        act(&host, verb, a, &fields).ok();
        ip_route(&host, b, "replace", words);
        both(&host);
    }
    let before = host.snapshot(&[a]);
    let missing = json!({"destination": "2001:db8:30::/48", "source": "2001:db8:6::/48"});
    let reply = act(&host, "Delete", a, &missing);
    assert_eq!(reply.error(), "io.netbroker.Route.NotFound");
    assert_eq!(reply.get("message"), json!("the object does not exist"), "not `No such process`: {reply}");
    for (fields, field, reason) in [
        (json!({"destination": "10.1.0.0/16", "source": "10.2.0.0/16"}), "source", "does not apply to an IPv4 route"),
        (json!({"destination": "::/0", "source": "2001:db8::1/48"}), "source", "has host bits; write `2001:db8::/48`"),
        (json!({"destination": "::/0", "source": "10.2.0.0/16"}), "source", "of family inet"),
        (json!({"destination": "10.1.0.0/16", "source": "default"}), "source", "does not apply to an IPv4 route"),
    ] {
        for verb in ["Add", "Replace", "Append", "Delete", "Flush"] {
            let mut fields = fields.clone();
            match verb {
                "Delete" => {}
                "Flush" => fields["table"] = json!(254),
                _ => fields["link"] = json!("v0"),
            }
            let reply = act(&host, verb, a, &fields);
            assert_eq!(reply.error(), "io.netbroker.Route.InvalidRequest", "{verb} {fields}: {reply}");
            assert_eq!(reply.get("field"), json!(field), "{verb} {fields}: {reply}");
            assert!(reply.get("reason").as_str().unwrap().contains(reason), "{verb} {fields}: {reply}");
        }
    }
    assert_eq!(host.snapshot(&[a]), before);
    act(&host, "Delete", a, &json!({"destination": "2001:db8:30::/48", "source": "2001:db8:5::/48"})).ok();
    ip_route(&host, b, "del", "-6 2001:db8:30::/48 from 2001:db8:5::/48");
    both(&host);
    assert_eq!(act(&host, "Flush", a, &json!({"table": 254, "source": "2001:db8:5::/48"})).ok(), json!({"deleted": 1}));
    ip_route(&host, b, "del", "-6 default from 2001:db8:5::/48");
    both(&host);
}

#[test]
fn a_deny_on_a_source_meets_a_route_for_all_sources() {
    let (host, a, _) = host();
    let deny = "[[deny]]\nid = \"d\"\nwho = \"*\"\ncall = \"@change\"\nsource = \"2001:db8:5::/48\"\n";
    host.policy(&format!("{}\n{deny}", common::scene::EVERYTHING));
    let before = host.snapshot(&[a]);
    for verb in ["Add", "Replace", "Append", "Delete"] {
        let reply = act(&host, verb, a, &json!({"destination": "2001:db8:30::/48"}));
        let with_link = act(&host, verb, a, &json!({"destination": "2001:db8:30::/48", "link": "v0"}));
        assert!(
            [reply.error(), with_link.error()].contains(&"io.netbroker.Route.Denied".to_owned()),
            "{verb} {with_link}"
        );
    }
    assert_eq!(act(&host, "Flush", a, &json!({"table": 254})).error(), "io.netbroker.Route.Denied");
    assert_eq!(host.snapshot(&[a]), before);
    act(&host, "Add", a, &json!({"destination": "2001:db8:30::/48", "link": "v0", "source": "2001:db8:6::/48"})).ok();
    act(&host, "Add", a, &json!({"destination": "10.30.0.0/16", "link": "v0"})).ok();
}

#[test]
fn an_appended_route_comes_after_the_others_or_becomes_one_of_several_next_hops() {
    let (host, a, b) = host();
    for (fields, words) in routes() {
        act(&host, "Append", a, &fields).ok();
        ip_route(&host, b, "append", words);
    }
    both(&host);
    for (fields, words) in [
        (json!({"destination": "default", "gateway": "10.0.0.8"}), "default via 10.0.0.8"),
        (json!({"destination": "10.1.0.0/16", "route_type": "blackhole"}), "blackhole 10.1.0.0/16"),
        (json!({"destination": "10.20.0.0/16", "link": "v1"}), "10.20.0.0/16 dev v1"),
        (json!({"destination": "10.2.0.0/16", "link": "v0", "tos": 16}), "10.2.0.0/16 dev v0 tos 0x10"),
        (json!({"destination": "default", "gateway": "2001:db8::8"}), "-6 default via 2001:db8::8"),
        (json!({"destination": "2001:db8:1::/48", "link": "v1"}), "-6 2001:db8:1::/48 dev v1"),
        (
            json!({"destination": "2001:db8:2::/48", "metric": 7, "nexthops": [{"gateway": "2001:db8::6"}, {"gateway": "2001:db8::8"}]}),
            "-6 2001:db8:2::/48 metric 7 nexthop via 2001:db8::6 nexthop via 2001:db8::8",
        ),
    ] {
        act(&host, "Append", a, &fields).ok();
        ip_route(&host, b, "append", words);
        both(&host);
    }
    let listed = act(&host, "List", a, &json!({"destination": "default", "family": "inet6", "table": 254})).ok();
    let several = listed["routes"].as_array().unwrap().iter().filter(|route| route["nexthops"].is_array()).count();
    assert_eq!(several, 1, "{listed}");
    let before = host.snapshot(&[a]);
    for fields in [
        json!({"destination": "10.1.0.0/16", "route_type": "blackhole"}),
        json!({"destination": "2001:db8:1::/48", "link": "v1"}),
    ] {
        let reply = act(&host, "Append", a, &fields);
        assert_eq!(reply.error(), "io.netbroker.Route.AlreadyExists", "{reply}");
        assert_eq!(host.snapshot(&[a]), before);
    }
    assert_eq!(
        act(&host, "Append", a, &json!({"destination": "10.1.0.0/16", "link": "v0", "exists_ok": true})).get("field"),
        json!("exists_ok")
    );
}

#[test]
fn a_route_that_a_deny_keeps_from_being_deleted_gets_no_second_next_hop() {
    let (host, a, _) = host();
    let deny = "[[deny]]\nid = \"d\"\nwho = \"*\"\ncall = \"@change\"\ngateway = \"2001:db8::9/128\"\n";
    host.policy(&format!("{}\n{deny}", common::scene::EVERYTHING));
    host.ip_in(a, "-6 route add default via 2001:db8::9");
    host.ip_in(a, "-6 route add 2001:db8:9::/48 via 2001:db8::9 table 77");
    let before = host.snapshot(&[a]);
    for (verb, fields) in [
        ("Append", json!({"destination": "::/0", "gateway": "2001:db8::8", "link": "v0"})),
        ("Delete", json!({"destination": "::/0"})),
        ("Flush", json!({"table": 77})),
        ("Flush", json!({"table": 77, "nexthops": [{}, {}]})),
    ] {
        assert_eq!(act(&host, verb, a, &fields).error(), "io.netbroker.Route.Denied", "{verb} {fields}");
        assert_eq!(host.snapshot(&[a]), before);
    }
    act(&host, "Flush", a, &json!({"table": 77, "gateway": "2001:db8::8"})).ok();
    assert_eq!(host.snapshot(&[a]), before);
}

#[test]
fn a_flush_deletes_the_routes_of_a_table_that_iproute2_deletes() {
    let (host, a, b) = host();
    let fill = || {
        for netns in [a, b] {
            for (_, words) in routes().into_iter().chain(sourced()) {
                ip_route(&host, netns, "replace", words);
                let (family, words) = words.strip_prefix("-6 ").map_or(("", words), |words| ("-6 ", words));
                if !words.contains(" table ") {
                    host.ip_in(netns, &format!("{family}route replace table 78 {words}"));
                }
            }
        }
        both(&host);
    };
    fill();
    let of_table = |netns: &str| {
        let lines = |family| host.ip_in(netns, &format!("{family} -N route show table 78")).lines().count();
        lines("-4") + lines("-6")
    };
    assert!(of_table(a) > 30, "{}", of_table(a));
    // iproute2 flushes one family at a time, and finds destinations by what is inside of a prefix.
    for (fields, words) in [
        (json!({"table": 78, "destination": "10.2.0.0/16"}), &["route flush table 78 exact 10.2.0.0/16"][..]),
        (json!({"table": 78, "tos": 252}), &["route flush table 78 tos 0xfc"]),
        (
            json!({"table": 78, "route_type": "blackhole"}),
            &["route flush table 78 type blackhole", "-6 route flush table 78 type blackhole"],
        ),
        (
            json!({"table": 78, "protocol": 4}),
            &["route flush table 78 proto static", "-6 route flush table 78 proto static"],
        ),
        (
            json!({"table": 78, "family": "inet", "gateway": "10.0.0.9", "metric": 7}),
            &["route del 10.3.0.0/16 table 78"],
        ),
        (json!({"table": 78, "source": "2001:db8:5::/48"}), &["-6 route flush table 78 from exact 2001:db8:5::/48"]),
        (json!({"table": 78, "family": "inet6"}), &["-6 route flush table 78"]),
        (json!({"table": 78}), &["route flush table 78"]),
        (json!({"table": 70000}), &["route flush table 70000"]),
        (
            json!({"table": 254, "protocol": 3}),
            &["route flush table main proto boot", "-6 route flush table main proto boot"],
        ),
    ] {
        let reply = act(&host, "Flush", a, &fields).ok();
        assert!(reply["deleted"].as_u64().unwrap() > 0, "{fields}: {reply}");
        for words in words {
            host.ip_in(b, words);
        }
        both(&host);
        assert_eq!(act(&host, "Flush", a, &fields).ok(), json!({"deleted": 0}), "{fields}");
    }
    assert_eq!(of_table(a), 0);
    // Of these tables, a flush leaves what the kernel made; `ip route flush` does not.
    for table in [254, 255] {
        act(&host, "Flush", a, &json!({"table": table})).ok();
    }
    for words in ["table main proto static", "table main proto bgp", "table local proto boot"] {
        host.ip_in(b, &format!("route flush {words}"));
        host.ip_in(b, &format!("-6 route flush {words}"));
    }
    both(&host);
    let own = host.ip_in(a, "route show table all") + &host.ip_in(a, "-6 route show table all");
    assert!(own.contains("10.0.0.0/24 dev v0 proto kernel") && own.contains("local 10.0.0.1"), "{own}");
    let before = host.snapshot(&[a]);
    for table in [79, 254, 255] {
        assert_eq!(act(&host, "Flush", a, &json!({"table": table})).ok(), json!({"deleted": 0}));
    }
    assert_eq!(host.snapshot(&[a]), before, "the kernel's own routes are left");
    let reply = act(&host, "Flush", a, &json!({"table": 254, "protocol": 2, "link": "v1", "family": "inet"})).ok();
    host.ip_in(b, "route flush table main proto kernel dev v1");
    assert_eq!(reply, json!({"deleted": 1}));
    both(&host);
}

#[test]
fn a_flush_deletes_nothing_where_the_kernel_would_delete_another_route() {
    let (host, a, _) = host();
    for words in [
        "route add 10.7.0.0/16 dev v0 table 77",
        "route add table 77 10.9.0.0/16 nexthop via 10.0.0.9 dev v0 nexthop via 10.0.1.9 dev v1",
        "route append 10.9.0.0/16 via 10.0.0.9 dev v0 table 77",
        "route append 10.9.0.0/16 via 10.0.0.9 dev v0 mtu 1400 table 77",
    ] {
        host.ip_in(a, words);
    }
    let before = host.snapshot(&[a]);
    let reply = act(&host, "Flush", a, &json!({"table": 77, "link": "v0"}));
    assert_eq!(reply.error(), "io.netbroker.Route.NotSupported", "{reply}");
    assert_eq!((reply.get("field"), reply.get("may_have_changed")), (json!("destination"), json!(false)));
    assert_eq!(host.snapshot(&[a]), before);
    for (fields, field) in [
        (json!({}), "table"),
        (json!({"table": 0}), "table"),
        (json!({"table": 77, "destination": "10.7.1.0/16"}), "destination"),
        (json!({"table": 77, "family": "inet6", "tos": 16}), "tos"),
        (json!({"table": 77, "family": "inet", "pref": "low"}), "pref"),
        (json!({"table": 77, "link": "v0", "nexthops": [{}, {}]}), "link"),
        (json!({"table": 77, "expires": 9}), "expires"),
    ] {
        let reply = act(&host, "Flush", a, &fields);
        assert_eq!(reply.error(), "io.netbroker.Route.InvalidRequest", "{fields}: {reply}");
        assert_eq!(reply.get("field"), json!(field), "{fields}: {reply}");
    }
    assert_eq!(act(&host, "Flush", a, &json!({"table": 77, "link": "v9"})).error(), "io.netbroker.Route.NoSuchLink");
    assert_eq!(host.snapshot(&[a]), before);
    assert_eq!(act(&host, "Flush", a, &json!({"table": 77})).ok(), json!({"deleted": 4}), "all of them match");
}

/// What `ip -j route get` and the broker both report of a route.
fn shown(route: &Value) -> Value {
    let of = |names: &[&str]| names.iter().find_map(|name| route.get(*name)).cloned().unwrap_or(Value::Null);
    let bare = |value: Value| value.as_str().map_or(value.clone(), |text| json!(text.split('/').next().unwrap()));
    json!({
        "destination": bare(of(&["destination", "dst"])),
        "gateway": of(&["gateway"]),
        "via": of(&["via"]),
        "link": of(&["link", "dev"]),
        "preferred_source": of(&["preferred_source", "prefsrc"]),
        // iproute2 leaves out the table `main`, and the number 0 for a destination that no route leads to.
        "table": of(&["table"]).as_u64().map(|table| if table == 0 { 254 } else { table }).or_else(|| of(&["table"]).as_str().map_or(Some(254), |text| match text {
            "local" => Some(255),
            number => number.parse().ok(),
        })),
        "type": of(&["route_type", "type"]).as_str().unwrap_or("unicast").to_owned(),
    })
}

#[test]
fn get_reports_the_route_that_iproute2_reports() {
    let (host, a, _) = host();
    for words in [
        "route add default via 10.0.0.9",
        "route add 10.2.0.0/16 via 10.0.1.9 table 77",
        "route add 10.3.0.0/16 dev v1 tos 0x10",
        "route add 10.3.0.0/16 dev v0",
        "route add prohibit 10.4.0.0/16",
        "route add 10.5.0.0/16 via 10.0.0.9 mtu lock 1300 advmss 1200",
        "-6 route add default via 2001:db8::9",
        "-6 route add 2001:db8:2::/48 via fe80::9 dev v1 table 77",
        "rule add fwmark 7 table 77 priority 70",
        "rule add uidrange 4000-4000 table 77 priority 71",
        "-6 rule add uidrange 4000-4000 table 77 priority 71",
    ] {
        host.ip_in(a, words);
    }
    for (fields, words) in [
        (json!({"destination": "10.0.0.9/32"}), "10.0.0.9"),
        (json!({"destination": "198.51.100.1/32"}), "198.51.100.1"),
        (json!({"destination": "10.0.0.1/32"}), "10.0.0.1"),
        (json!({"destination": "10.2.0.1/32"}), "10.2.0.1"),
        (json!({"destination": "10.2.0.1/32", "fwmark": 7}), "10.2.0.1 mark 7"),
        (json!({"destination": "10.2.0.1/32", "uid": 4000}), "10.2.0.1 uid 4000"),
        (json!({"destination": "10.3.0.1/32"}), "10.3.0.1"),
        (json!({"destination": "10.3.0.1/32", "tos": 16}), "10.3.0.1 tos 0x10"),
        (json!({"destination": "10.5.0.1/32", "source": "10.0.0.7/32"}), "10.5.0.1 from 10.0.0.7"),
        (json!({"destination": "10.9.0.1/32", "oif": "v1"}), "10.9.0.1 oif v1"),
        (json!({"destination": "10.0.0.1/32", "source": "10.0.0.9/32", "iif": "v0"}), "10.0.0.1 from 10.0.0.9 iif v0"),
        (json!({"destination": "2001:db8::9/128"}), "2001:db8::9"),
        (json!({"destination": "2001:db8:2::1/128"}), "2001:db8:2::1"),
        (json!({"destination": "2001:db8:2::1/128", "uid": 4000}), "2001:db8:2::1 uid 4000"),
        (json!({"destination": "2001:db8::1/128"}), "2001:db8::1"),
        (
            json!({"destination": "2001:db8:9::1/128", "source": "2001:db8::7/128", "oif": "v0"}),
            "2001:db8:9::1 from 2001:db8::7 oif v0",
        ),
    ] {
        let own = act(&host, "Get", a, &fields).ok()["route"].clone();
        let theirs: Value = serde_json::from_str(&host.ip_in(a, &format!("-j route get {words}"))).unwrap();
        assert_eq!(shown(&own), shown(&theirs[0]), "{own:#}\n{theirs:#}");
    }
    let locked = act(&host, "Get", a, &json!({"destination": "10.5.0.1/32"})).ok()["route"].clone();
    assert_eq!((&locked["mtu"], &locked["mtu_lock"], &locked["advmss"]), (&json!(1300), &json!(true), &json!(1200)));
    for (fields, error, about) in [
        (json!({"destination": "10.4.0.1/32"}), "KernelRefused", ("errno_name", "EACCES")),
        (json!({"destination": "10.0.0.9/32", "oif": "v9"}), "NoSuchLink", ("field", "oif")),
        (json!({"destination": "10.0.0.9/32", "iif": "v9"}), "NoSuchLink", ("field", "iif")),
        (json!({"destination": "10.0.0.0/24"}), "InvalidRequest", ("field", "destination")),
        (json!({"destination": "default"}), "InvalidRequest", ("field", "destination")),
        (json!({"destination": "0.0.0.0/32"}), "InvalidRequest", ("field", "destination")),
        (json!({"destination": "10.0.0.9/32", "source": "10.0.0.0/24"}), "InvalidRequest", ("field", "source")),
        (json!({"destination": "10.0.0.9/32", "source": "2001:db8::1/128"}), "InvalidRequest", ("field", "source")),
        (json!({"destination": "10.0.0.9/32", "tos": 1}), "InvalidRequest", ("field", "tos")),
        (json!({"destination": "10.0.0.9/32", "iif": "v0", "uid": 9}), "InvalidRequest", ("field", "uid")),
    ] {
        let reply = act(&host, "Get", a, &fields);
        assert_eq!(reply.error(), format!("io.netbroker.Route.{error}"), "{fields}: {reply}");
        assert_eq!(reply.get(about.0), json!(about.1), "{fields}: {reply}");
    }
}

#[test]
fn a_route_that_expires_reports_the_time_that_is_left() {
    let (host, a, b) = host();
    let fields = json!({"destination": "2001:db8:9::/48", "link": "v0", "expires": 1000});
    let left = || {
        let listed = act(&host, "List", a, &json!({"destination": "2001:db8:9::/48"})).ok();
        listed["routes"][0]["expires"].as_u64()
    };
    act(&host, "Add", a, &fields).ok();
    host.ip_in(b, "-6 route add 2001:db8:9::/48 dev v0 expires 1000");
    let theirs: Value = serde_json::from_str(&host.ip_in(b, "-6 -j route show 2001:db8:9::/48")).unwrap();
    let theirs = theirs[0]["expires"].as_u64().unwrap();
    let own = left().unwrap();
    assert!((900..=1000).contains(&own) && own.abs_diff(theirs) < 60, "{own} {theirs}");
    act(&host, "Replace", a, &json!({"destination": "2001:db8:9::/48", "link": "v0"})).ok();
    assert_eq!(left(), None);
    act(&host, "Replace", a, &fields).ok();
    assert!(left().is_some());
    let before = host.ip_in(a, "-6 route show 2001:db8:9::/48").split(" expires").next().unwrap().to_owned();
    let mut tolerant = fields.clone();
    tolerant["exists_ok"] = json!(true);
    let reply = act(&host, "Add", a, &tolerant);
    assert_eq!((reply.error(), reply.get("field")), ("io.netbroker.Route.InvalidRequest".to_owned(), json!("expires")));
    assert_eq!(act(&host, "Add", a, &fields).error(), "io.netbroker.Route.AlreadyExists");
    // The kernel refuses to append the same route, but may take over its time first.
    let appended = act(&host, "Append", a, &fields);
    assert_eq!(appended.error(), "io.netbroker.Route.AlreadyExists", "{appended}");
    assert_eq!((appended.get("may_have_changed"), appended.get("field")), (json!(true), json!("destination")));
    assert!(host.ip_in(a, "-6 route show 2001:db8:9::/48").starts_with(&before));
    act(&host, "Delete", a, &json!({"destination": "2001:db8:9::/48"})).ok();
    assert_eq!(left(), None);
}

#[test]
fn a_route_that_the_kernel_would_take_another_one_for_stays() {
    let (host, a, _) = host();
    for words in [
        "route add 10.9.0.0/16 nexthop via 10.0.0.9 dev v0 nexthop via 10.0.1.9 dev v1",
        "route append 10.9.0.0/16 via 10.0.0.9 dev v0",
        "-6 route add 2001:db8:9::/48 nexthop via 2001:db8::9 dev v0 nexthop via fe80::9 dev v1",
        "-6 route append 2001:db8:9::/48 dev v0",
        "route add 10.8.0.0/16 via 10.0.0.9 dev v0",
        "route append 10.8.0.0/16 via 10.0.1.9 dev v1",
    ] {
        host.ip_in(a, words);
    }
    let before = host.snapshot(&[a]);
    for destination in ["10.9.0.0/16", "2001:db8:9::/48"] {
        let reply = act(&host, "Delete", a, &json!({"destination": destination, "link": "v0"}));
        assert_eq!(reply.error(), "io.netbroker.Route.NotSupported", "{reply}");
        assert_eq!((reply.get("field"), reply.get("may_have_changed")), (json!("destination"), json!(false)));
        assert_eq!(host.snapshot(&[a]), before);
    }
    act(&host, "Delete", a, &json!({"destination": "10.8.0.0/16", "link": "v1"})).ok(); // the kernel compares links
    let left = host.ip_in(a, "route show 10.8.0.0/16");
    assert!(left.contains("dev v0") && !left.contains("dev v1"), "{left}");
}

/// Where a given field closes another one for a deny, the route that is removed must not have the other one.
#[test]
fn a_route_with_several_ways_does_not_go_by_a_field_of_a_route_with_one() {
    let (host, a, _) = host();
    host.policy(&format!(
        "{ALL_ROUTES}
        [[deny]]
        id = \"uplink\"
        who = \"*\"
        call = \"Route.Delete\"
        nexthops.link = \"v0\"
        "
    ));
    host.ip_in(a, "route add 10.9.0.0/16 nexthop via 10.0.0.9 dev v0 nexthop via 10.0.1.9 dev v1");
    host.ip_in(a, "route add 10.8.0.0/16 onlink nexthop via 10.0.0.9 dev v0 nexthop via 10.0.1.9 dev v1");
    host.ip_in(a, "-6 route add 2001:db8:9::/48 nexthop via 2001:db8::9 dev v0 nexthop via fe80::9 dev v1");
    let before = host.snapshot(&[a]);
    for destination in ["10.9.0.0/16", "10.8.0.0/16", "2001:db8:9::/48"] {
        let gateway = if destination.contains(':') { "2001:db8::9" } else { "10.0.0.9" };
        for fields in
            [json!({"onlink": false}), json!({"onlink": true}), json!({"gateway": gateway}), json!({"link": "v1"})]
        {
            let mut fields = fields;
            fields["destination"] = destination.into();
            let reply = act(&host, "Delete", a, &fields);
            assert!(reply.status() != 0, "{fields}: {reply}");
            assert_eq!(host.snapshot(&[a]), before, "{fields}");
        }
        assert!(act(&host, "Delete", a, &json!({"destination": destination})).error().ends_with(".Denied"));
    }
    host.ip_in(a, "route add 10.7.0.0/16 via 10.0.1.9 dev v1");
    act(&host, "Delete", a, &json!({"destination": "10.7.0.0/16", "onlink": false})).ok();
    assert_eq!(host.snapshot(&[a]), before);
}

/// The kernel keeps a table of its own for each source prefix.
#[test]
fn a_route_for_some_sources_only_is_none_that_a_request_means() {
    let (host, a, _) = host();
    host.ip_in(a, "-6 route add 2001:db8:9::/48 from 2001:db8:5::/48 dev v0 metric 7");
    let listed = |source: &str| {
        let reply = host.caller().call("Route.List", json!({"netns": a, "destination": "2001:db8:9::/48"}));
        reply.get("/routes").as_array().unwrap().iter().any(|route| route["source"] == source)
    };
    assert!(listed("2001:db8:5::/48"));
    let reply = act(&host, "Delete", a, &json!({"destination": "2001:db8:9::/48"}));
    assert!(reply.error().ends_with(".NotFound"), "{reply}");
    let plain = json!({"destination": "2001:db8:9::/48", "link": "v0", "metric": 7, "exists_ok": true});
    act(&host, "Add", a, &plain).ok();
    assert_eq!(host.ip_in(a, "-6 route show 2001:db8:9::/48").lines().count(), 2, "it is another route");
    act(&host, "Delete", a, &json!({"destination": "2001:db8:9::/48", "link": "v0"})).ok();
    assert!(listed("2001:db8:5::/48"));
    assert_eq!(host.ip_in(a, "-6 route show 2001:db8:9::/48").lines().count(), 1);
}

/// Permits everything that the two tests below request.
const ALL_ROUTES: &str = r#"
    [[allow]]
    id = "routes"
    who = "*"
    call = ["Route.Add", "Route.Replace", "Route.Delete"]
    netns = "*"
    free = ["destination", "gateway", "link", "onlink", "table", "metric", "route_type", "nexthops.gateway", "nexthops.link",
            "nexthops.weight", "nexthops.onlink"]
"#;

#[test]
fn a_denied_gateway_or_link_is_denied_inside_a_list_of_next_hops() {
    let (host, a, _) = host();
    host.policy(&format!(
        "{ALL_ROUTES}
        [[deny]]
        id = \"uplink\"
        who = \"*\"
        call = [\"Route.Add\", \"Route.Delete\"]
        link = \"v0\"
        [[deny]]
        id = \"router\"
        who = \"*\"
        call = \"Route.Add\"
        gateway = \"10.0.1.66/32\""
    ));
    host.ip_in(a, "route add 10.9.0.0/16 via 10.0.0.9 dev v0");
    let before = host.snapshot(&[a]);
    let cases = [
        ("Delete", json!({"nexthops": [{"link": "v0"}]}), "uplink", "link"),
        ("Delete", json!({"nexthops": [{"gateway": "10.0.0.9"}]}), "uplink", "link"), // any link
        ("Delete", json!({"nexthops": [{}, {"link": "v1"}]}), "uplink", "nexthops.link"), // any link
        ("Add", json!({"nexthops": [{"link": "v0"}]}), "uplink", "link"),
        ("Add", json!({"nexthops": [{"gateway": "10.0.0.9"}]}), "uplink", "link"), // the kernel chooses it
        ("Add", json!({"nexthops": [{"link": "v1"}, {"link": "v0", "weight": 9}]}), "uplink", "nexthops.link"),
        ("Add", json!({"nexthops": [{"gateway": "10.0.1.66", "link": "v1"}]}), "router", "gateway"),
        (
            "Add",
            json!({"nexthops": [{"gateway": "10.0.1.9", "link": "v1"}, {"gateway": "10.0.1.66", "link": "v1"}]}),
            "router",
            "nexthops.gateway",
        ),
    ];
    for (verb, mut fields, rule, field) in cases {
        fields["destination"] = json!("10.9.0.0/16");
        fields["table"] = json!(254);
        let reply = act(&host, verb, a, &fields);
        assert_eq!((reply.get("rule"), reply.get("field")), (json!(rule), json!(field)), "{fields}: {reply}");
        assert_eq!(host.snapshot(&[a]), before);
    }
    act(&host, "Add", a, &json!({"destination": "10.10.0.0/16", "nexthops": [{"gateway": "10.0.1.9", "link": "v1"}]}))
        .ok();
    assert!(host.ip_in(a, "route").contains("10.10.0.0/16 via 10.0.1.9 dev v1"));
}

#[test]
fn a_route_that_a_deny_keeps_from_being_deleted_is_not_replaced() {
    let (host, a, _) = host();
    host.policy(&format!(
        "{ALL_ROUTES}
        [[deny]]
        id = \"uplink\"
        who = \"*\"
        call = \"@change\"
        touches = {{ netns = \"{a}\", link = \"v0\" }}"
    ));
    for words in ["route add default via 10.0.0.9 dev v0", "route add 10.9.0.0/16 dev v0 table 101"] {
        host.ip_in(a, words);
    }
    let before = host.snapshot(&[a]);
    for (verb, fields) in [
        ("Delete", json!({"destination": "default"})),
        ("Delete", json!({"destination": "10.9.0.0/16", "table": 101, "link": "v0"})),
        ("Replace", json!({"destination": "10.9.0.0/16", "table": 101, "link": "v1"})),
        ("Replace", json!({"destination": "default", "route_type": "blackhole"})),
        ("Replace", json!({"destination": "default", "gateway": "10.0.1.9", "link": "v1"})),
        (
            "Replace",
            json!({"destination": "default", "nexthops": [{"link": "v1"}, {"gateway": "10.0.1.9", "link": "v1"}]}),
        ),
    ] {
        let reply = act(&host, verb, a, &fields);
        assert_eq!((reply.get("rule"), reply.get("field")), (json!("uplink"), json!("link")), "{fields}: {reply}");
        assert_eq!(host.snapshot(&[a]), before);
    }
    act(&host, "Add", a, &json!({"destination": "default", "link": "v1", "metric": 9})).ok(); // in addition to it
}

#[test]
fn a_list_of_one_next_hop_makes_and_removes_the_route_of_its_fields() {
    let (host, a, b) = host();
    let pairs = [
        (json!([{"gateway": "10.0.0.9", "link": "v0", "weight": 1}]), json!({"gateway": "10.0.0.9", "link": "v0"})),
        (json!([{"link": "v1"}]), json!({"link": "v1"})),
        (
            json!([{"gateway": "10.99.0.9", "link": "v0", "onlink": true}]),
            json!({"gateway": "10.99.0.9", "link": "v0", "onlink": true}),
        ),
    ];
    for (list, mut plain) in pairs {
        let mut listed = json!({"nexthops": list});
        for fields in [&mut listed, &mut plain] {
            fields["destination"] = json!("10.9.0.0/16");
        }
        for verb in ["Add", "Delete", "Replace", "Delete"] {
            act(&host, verb, a, &listed).ok();
            act(&host, verb, b, &plain).ok();
            both(&host);
        }
    }
    let before = host.snapshot(&[a]);
    let cases = [
        ("Add", json!([{"link": "v0", "weight": 3}]), "nexthops.weight", "must be 1 in a list of one"),
        ("Add", json!([{"weight": 1}]), "nexthops", "which specifies nothing"),
        ("Delete", json!([{}]), "nexthops", "which specifies nothing"),
        ("Delete", json!([{"gateway": "10.0.0.9", "weight": 2}]), "nexthops.weight", "must be 1 in a list of one"),
        ("Add", json!([{"link": "v0", "onlink": true}]), "onlink", "needs a gateway"),
        ("Add", json!([{"gateway": "0.0.0.0", "link": "v0"}]), "gateway", "is the unspecified address"),
    ];
    for (verb, list, field, reason) in cases {
        let reply = act(&host, verb, a, &json!({"destination": "10.9.0.0/16", "nexthops": list}));
        assert_eq!(reply.error(), "io.netbroker.Route.InvalidRequest", "{list}: {reply}");
        assert_eq!(reply.get("field"), json!(field), "{list}: {reply}");
        assert!(reply.get("reason").as_str().unwrap().contains(reason), "{list}: {reply}");
    }
    let both_ways = json!({"destination": "10.9.0.0/16", "onlink": true, "nexthops": [{"link": "v0"}, {"link": "v1"}]});
    for verb in ["Add", "Replace", "Delete"] {
        let reply = act(&host, verb, a, &both_ways);
        assert_eq!(
            (reply.get("field"), reply.error()),
            (json!("onlink"), "io.netbroker.Route.InvalidRequest".to_owned())
        );
    }
    assert_eq!(host.snapshot(&[a]), before);
}

#[test]
fn a_route_by_a_nexthop_object_is_listed_and_removed() {
    let (host, a, _) = host();
    for words in [
        "nexthop add id 7 via 10.0.0.9 dev v0",
        "nexthop add id 8 via 10.0.0.8 dev v0",
        "nexthop add id 9 group 7/8",
        "route add 10.30.0.0/16 nhid 7",
        "route add 10.31.0.0/16 nhid 9",
    ] {
        host.ip_in(a, words);
    }
    let list = |destination: &str| {
        let reply = act(&host, "List", a, &json!({"destination": destination})).ok();
        reply["routes"][0].clone()
    };
    let one = list("10.30.0.0/16");
    assert_eq!((&one["nexthop_id"], &one["gateway"], &one["link"]), (&json!(7), &json!("10.0.0.9"), &json!("v0")));
    assert_eq!(list("10.31.0.0/16")["nexthops"].as_array().unwrap().len(), 2);
    act(&host, "Delete", a, &json!({"destination": "10.30.0.0/16", "gateway": "10.0.0.9"})).ok();
    act(&host, "Delete", a, &json!({"destination": "10.31.0.0/16"})).ok();
    let left = host.ip_in(a, "route");
    assert!(!left.contains("10.30.") && !left.contains("10.31."), "{left}");
    assert!(host.ip_in(a, "nexthop").contains("id 9"), "the objects stay");
}

#[test]
fn what_cannot_be_is_refused_with_its_field_and_nothing_changes() {
    let (host, a, _) = host();
    let before = host.snapshot(&[a]);
    let cases = [
        (json!({"destination": "10.1.2.3/16", "link": "v0"}), "destination", "has host bits; write `10.1.0.0/16`"),
        (json!({"destination": "10.1.0.0", "link": "v0"}), "destination", "needs a prefix length"),
        (
            json!({"destination": "10.1.0.0/16"}),
            "gateway",
            "a unicast route needs `gateway`, `link`, `nexthops` or `nexthop_id`",
        ),
        (
            json!({"destination": "10.1.0.0/16", "link": "v0", "table": 0}),
            "table",
            "must be between 1 and 4294967295, not 0",
        ),
        (json!({"destination": "10.1.0.0/16", "family": "inet6", "link": "v0"}), "destination", "of family inet"),
        (
            json!({"destination": "::/0", "gateway": "10.0.0.9"}),
            "gateway",
            "is an IPv4 address, but the route is an IPv6 route",
        ),
        (
            json!({"destination": "::/0", "nexthops": [{"gateway": "10.0.0.9"}, {"gateway": "::1"}]}),
            "nexthops.gateway",
            "is an IPv4 address, but the route is an IPv6 route",
        ),
        (
            json!({"destination": "10.1.0.0/16", "gateway": "0.0.0.0", "link": "v0"}),
            "gateway",
            "is the unspecified address",
        ),
        (
            json!({"destination": "10.1.0.0/16", "nexthops": [{"link": "v0"}, {"gateway": "0.0.0.0", "link": "v1"}]}),
            "nexthops.gateway",
            "is the unspecified address",
        ),
        (
            json!({"destination": "::/0", "link": "v0", "preferred_source": "::"}),
            "preferred_source",
            "is the unspecified address",
        ),
        (json!({"destination": "10.1.0.0/16", "link": "v0", "mtu": 0}), "mtu", "must be between 1 and 65520, not 0"),
        (json!({"destination": "10.1.0.0/16", "link": "v0", "mtu": 65521}), "mtu", "65520"),
        (
            json!({"destination": "::/0", "link": "v0", "protocol": 0}),
            "protocol",
            "must not be 0; the kernel would use 3",
        ),
        (
            json!({"destination": "10.1.0.0/16", "link": "v0", "preferred_source": "::1"}),
            "preferred_source",
            "of family inet6",
        ),
        (json!({"destination": "::/0", "link": "v0", "metric": 0}), "metric", "1024"),
        (json!({"destination": "::/0", "link": "v0", "scope": "link"}), "scope", "must be `global` for an IPv6 route"),
        (json!({"destination": "10.1.0.0/16", "link": "v0", "onlink": true}), "onlink", "needs a gateway"),
        (
            json!({"destination": "10.1.0.0/16", "link": "v0", "tos": 18}),
            "tos",
            "must be a multiple of 4, not 18; the two lowest bits are not part of it",
        ),
        (json!({"destination": "::/0", "link": "v0", "tos": 16}), "tos", "does not apply to an IPv6 route"),
        (json!({"destination": "10.1.0.0/16", "link": "v0", "pref": "low"}), "pref", "does not apply to an IPv4 route"),
        (
            json!({"destination": "10.1.0.0/16", "link": "v0", "expires": 9}),
            "expires",
            "does not apply to an IPv4 route",
        ),
        (json!({"destination": "10.1.0.0/16", "link": "v0", "mtu_lock": true}), "mtu_lock", "needs `mtu`"),
        (json!({"destination": "10.1.0.0/16", "link": "v0", "hoplimit": 256}), "hoplimit", "255"),
        (json!({"destination": "10.1.0.0/16", "link": "v0", "advmss": 0}), "advmss", "between 1 and 65495"),
        (
            json!({"destination": "::/0", "link": "v0", "route_type": "broadcast"}),
            "route_type",
            "must not be `broadcast` for an IPv6 route",
        ),
        (
            json!({"destination": "10.1.0.0/16", "route_type": "local"}),
            "link",
            "is missing; a route of the type `local` needs it",
        ),
        (
            json!({"destination": "10.1.0.0/16", "route_type": "broadcast", "link": "v0", "gateway": "10.0.0.9"}),
            "gateway",
            "does not apply to this `route_type`",
        ),
        (
            json!({"destination": "10.1.0.0/16", "route_type": "local", "nexthops": [{"link": "v0"}, {"link": "v1"}]}),
            "nexthops",
            "does not apply to this `route_type`",
        ),
        (
            json!({"destination": "10.1.0.0/16", "link": "v0", "route_type": "throw"}),
            "link",
            "does not apply to this `route_type`",
        ),
        (
            json!({"destination": "10.1.0.0/16", "link": "v0", "nexthops": [{"link": "v0"}]}),
            "link",
            "a route has either one next hop or a list of next hops",
        ),
        (json!({"destination": "10.1.0.0/16", "nexthops": []}), "nexthops", "must not be an empty list"),
        (json!({"destination": "10.1.0.0/16", "nexthops": {"link": "v0"}}), "nexthops", "an object"),
        (
            json!({"destination": "10.1.0.0/16", "nexthops": [{"link": "v0"}, {"weight": 3}]}),
            "nexthops.gateway",
            "element 2 (counted from 1): is missing",
        ),
        (json!({"destination": "10.1.0.0/16", "nexthops": [{"link": "v0", "weight": 257}]}), "nexthops.weight", "256"),
        (
            json!({"destination": "10.1.0.0/16", "nexthops": [{"link": "v0", "mtu": 3}]}),
            "nexthops.mtu",
            "is not a field",
        ),
        (
            json!({"destination": "10.1.0.0/16", "nexthops": [{"link": "v1"}, {"link": "v0", "onlink": true}]}),
            "nexthops.onlink",
            "needs a gateway",
        ),
    ];
    for verb in ["Add", "Replace", "Append"] {
        for (fields, field, reason) in &cases {
            let reply = act(&host, verb, a, fields);
            assert_eq!(reply.error(), "io.netbroker.Route.InvalidRequest", "{fields}: {reply}");
            assert_eq!(reply.get("field"), json!(field), "{fields}: {reply}");
            assert!(reply.get("reason").as_str().unwrap().contains(reason), "{fields}: {reply}");
        }
    }
    let from_kernel = [
        (json!({"destination": "10.1.0.0/16", "gateway": "10.77.0.1"}), "KernelRefused", "ENETUNREACH"),
        (json!({"destination": "10.1.0.0/16", "gateway": "10.0.0.9", "link": "v1"}), "KernelRefused", "ENETUNREACH"),
        (json!({"destination": "10.1.0.0/16", "link": "v9"}), "NoSuchLink", "ENODEV"),
        (json!({"destination": "10.1.0.0/16", "nexthops": [{"link": "v0"}, {"link": "v9"}]}), "NoSuchLink", "ENODEV"),
        (
            json!({"destination": "10.1.0.0/16", "link": "v0", "preferred_source": "10.9.9.9"}),
            "KernelRefused",
            "EINVAL",
        ),
        (json!({"destination": "10.1.0.0/16", "link": "v0", "scope": "nowhere"}), "KernelRefused", "EINVAL"),
    ];
    for (fields, error, errno) in from_kernel {
        let reply = act(&host, "Add", a, &fields);
        assert_eq!(reply.error(), format!("io.netbroker.Route.{error}"), "{fields}: {reply}");
        assert_eq!(reply.get("errno_name"), json!(errno), "{fields}: {reply}");
    }
    assert_eq!(host.snapshot(&[a]), before);
}

/// Another process can delete the requested route first. The kernel would then take the one behind it.
#[test]
fn a_route_behind_the_requested_one_stands_in_the_way_too() {
    let (host, a, _) = host();
    host.ip_in(a, "-6 route add 2001:db8:7::/48 dev v0 table 77 mtu 1400");
    host.ip_in(a, "-6 route append 2001:db8:7::/48 via fe80::9 dev v0 table 77");
    let before = host.snapshot(&[a]);
    for (verb, fields) in [
        ("Delete", json!({"destination": "2001:db8:7::/48", "table": 77, "mtu": 1400})),
        ("Flush", json!({"table": 77, "mtu": 1400})),
    ] {
        let reply = act(&host, verb, a, &fields);
        assert_eq!(reply.error(), "io.netbroker.Route.NotSupported", "{reply}");
        assert_eq!(host.snapshot(&[a]), before);
    }
    host.ip_in(a, "-6 route del 2001:db8:7::/48 via fe80::9 dev v0 table 77");
    assert_eq!(act(&host, "Flush", a, &json!({"table": 77, "mtu": 1400})).ok(), json!({"deleted": 1}));
}

#[test]
fn one_next_hop_is_taken_out_of_an_ipv6_multipath_route() {
    let (host, a, b) = host();
    let three = "route add 2001:db8:9::/48 nexthop via 2001:db8::9 dev v0 nexthop via 2001:db8::8 dev v0 weight 3 \
                 nexthop via fe80::9 dev v1";
    for netns in [a, b] {
        host.ip_in(netns, three);
        host.ip_in(netns, "-6 route add 2001:db8:8::/48 via 2001:db8::9 dev v0");
        host.ip_in(netns, "route add 10.8.0.0/16 nexthop via 10.0.0.8 nexthop via 10.0.0.9");
    }
    let of = |changes: Value| {
        let mut fields = json!({"destination": "2001:db8:9::/48", "gateway": "2001:db8::8", "one_nexthop": true});
        fields.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        fields.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        fields
    };
    let before = host.snapshot(&[a]);
    for (changes, error, field) in [
        (json!({"gateway": null}), "InvalidRequest", "one_nexthop"),
        (json!({"gateway": null, "link": "v0"}), "InvalidRequest", "one_nexthop"),
        (json!({"destination": "10.8.0.0/16", "gateway": "10.0.0.8"}), "InvalidRequest", "one_nexthop"),
        (json!({"onlink": true}), "InvalidRequest", "onlink"),
        (json!({"nexthop_id": 7}), "InvalidRequest", "nexthop_id"),
        (
            json!({"gateway": null, "nexthops": [{"gateway": "2001:db8::8"}, {"gateway": "2001:db8::9"}]}),
            "InvalidRequest",
            "one_nexthop",
        ),
        (json!({"gateway": "2001:db8::a"}), "NotFound", "destination"),
        (json!({"link": "v1"}), "NotFound", "destination"),
        (json!({"metric": 7}), "NotFound", "destination"),
        (json!({"destination": "2001:db8:8::/48", "gateway": "2001:db8::9"}), "NotFound", "destination"), // it has only one
        (json!({"one_nexthop": false}), "NotFound", "destination"),
    ] {
        let reply = act(&host, "Delete", a, &of(changes.clone()));
        assert_eq!(reply.error(), format!("io.netbroker.Route.{error}"), "{changes}: {reply}");
        assert_eq!(reply.get("field"), json!(field), "{changes}: {reply}");
    }
    assert_eq!(host.snapshot(&[a]), before);
    for (fields, words) in [
        (of(json!({})), "-6 route del 2001:db8:9::/48 via 2001:db8::8 dev v0"),
        (of(json!({"gateway": "fe80::9", "link": "v1"})), "-6 route del 2001:db8:9::/48 via fe80::9 dev v1"),
    ] {
        assert_eq!(act(&host, "Delete", a, &fields).ok(), json!({}));
        host.ip_in(b, words);
        both(&host);
    }
    assert!(host.ip_in(a, "-6 route show 2001:db8:9::/48").contains("via 2001:db8::9 dev v0"));
    // A deny on next hops is met: the route can have any others.
    for deny in ["nexthops.gateway = \"2001:db8::/32\"", "gateway = \"2001:db8::9/128\"", "nexthops.link = \"v1\""] {
        let deny = format!("[[deny]]\nid = \"d\"\nwho = \"*\"\ncall = \"Route.*\"\n{deny}\n");
        host.policy(&format!("{}\n{deny}", common::scene::EVERYTHING));
        let reply = act(&host, "Delete", a, &of(json!({"gateway": "2001:db8::9", "missing_ok": true})));
        assert_eq!(reply.error(), "io.netbroker.Route.Denied", "{deny}");
    }
}

#[test]
fn an_ipv4_mapped_address_is_the_gateway_of_ipv6_routes_and_of_nothing_else() {
    let (host, a, b) = host();
    let mapped = "::ffff:10.0.0.9";
    for (fields, words) in [
        (
            json!({"destination": "2001:db8:9::/48", "gateway": mapped, "link": "v0", "onlink": true}),
            "-6 route add 2001:db8:9::/48 via ::ffff:10.0.0.9 dev v0 onlink".to_owned(),
        ),
        (
            json!({"destination": "2001:db8:8::/48", "nexthops": [
                {"gateway": mapped, "link": "v0", "onlink": true}, {"gateway": "2001:db8::9", "link": "v0"}]}),
            "-6 route add 2001:db8:8::/48 nexthop via ::ffff:10.0.0.9 dev v0 onlink nexthop via 2001:db8::9 dev v0"
                .to_owned(),
        ),
    ] {
        assert_eq!(act(&host, "Add", a, &fields).ok(), json!({}));
        host.ip_in(b, &words);
        both(&host);
        let listed = act(&host, "List", a, &json!({"destination": fields["destination"], "family": "inet6"})).ok();
        let route = &listed["routes"][0];
        let gateway = route.get("gateway").unwrap_or(&route["nexthops"][0]["gateway"]);
        assert_eq!(gateway, mapped, "{listed}");
        let mut again = fields.clone();
        again["exists_ok"] = json!(true);
        act(&host, "Add", a, &again).ok();
    }
    let one = json!({"destination": "2001:db8:9::/48", "gateway": mapped});
    let before = host.snapshot(&[a]);
    for deny in ["gateway = \"10.0.0.0/8\"", "gateway = \"2001:db8::/32\""] {
        let deny = format!("[[deny]]\nid = \"d\"\nwho = \"*\"\ncall = \"Route.*\"\n{deny}\n");
        host.policy(&format!("{}\n{deny}", common::scene::EVERYTHING));
        for verb in ["Delete", "Add", "Replace"] {
            assert_eq!(act(&host, verb, a, &one).error(), "io.netbroker.Route.Denied", "{verb} {deny}");
        }
    }
    host.policy(common::scene::EVERYTHING);
    for (call, fields, field) in [
        ("Route.Add", json!({"destination": "10.9.0.0/16", "gateway": mapped, "link": "v0"}), "gateway"),
        ("Route.Delete", json!({"destination": "10.9.0.0/16", "gateway": mapped}), "gateway"),
        ("Route.Add", json!({"destination": mapped, "link": "v0"}), "destination"),
        (
            "Route.Add",
            json!({"destination": "2001:db8:7::/48", "link": "v0", "preferred_source": mapped}),
            "preferred_source",
        ),
        ("Nexthop.Add", json!({"nexthop_id": 7, "gateway": mapped, "link": "v0"}), "gateway"),
        ("Nexthop.Flush", json!({"gateway": mapped}), "gateway"),
        ("Fdb.Add", json!({"link": "v0", "mac": "02:00:00:00:00:09", "remote": mapped}), "remote"),
        ("Neighbour.Add", json!({"link": "v0", "mac": "02:00:00:00:00:09", "address": mapped}), "address"),
    ] {
        let mut all = json!({"netns": a});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let reply = host.caller().call(call, all);
        assert_eq!(reply.get("field"), json!(field), "{call} {fields}: {reply}");
        assert!(reply.error().ends_with(".InvalidRequest"), "{call} {fields}: {reply}");
    }
    assert_eq!(host.snapshot(&[a]), before);
    assert_eq!(act(&host, "Delete", a, &one).ok(), json!({}));
    host.ip_in(b, "-6 route del 2001:db8:9::/48");
    both(&host);
}

/// What a listing reports of the only route to a prefix.
fn listed(host: &Host, netns: &str, destination: &str) -> Value {
    let reply = act(host, "List", netns, &json!({"destination": destination})).ok();
    assert_eq!(reply["routes"].as_array().unwrap().len(), 1, "{reply}");
    reply["routes"][0].clone()
}

/// Routes into a tunnel: what each request gives, and the words of `ip route add`.
fn encapsulated() -> Vec<(Value, &'static str)> {
    vec![
        (
            json!({"destination": "10.40.0.0/16", "link": "v0", "encap": {"kind": "ip", "id": 66051,
                   "destination": "192.0.2.9", "source": "192.0.2.1", "ttl": 7, "tos": 4}}),
            "10.40.0.0/16 encap ip id 66051 src 192.0.2.1 dst 192.0.2.9 ttl 7 tos 0x4 dev v0",
        ),
        (
            json!({"destination": "10.41.0.0/16", "gateway": "10.0.0.9", "encap": {"kind": "ip", "destination": "239.0.0.1"}}),
            "10.41.0.0/16 encap ip dst 239.0.0.1 via 10.0.0.9",
        ),
        (
            json!({"destination": "10.42.0.0/16", "link": "v0", "encap": {"kind": "ip6", "id": 4294967295_u32,
                   "destination": "2001:db8:ffff::9", "source": "2001:db8:ffff::1", "ttl": 255, "tos": 255}}),
            "10.42.0.0/16 encap ip6 id 4294967295 src 2001:db8:ffff::1 dst 2001:db8:ffff::9 hoplimit 255 tc 0xff dev v0",
        ),
        (
            json!({"destination": "2001:db8:40::/48", "link": "v0", "encap": {"kind": "ip", "id": 5,
                   "destination": "192.0.2.9", "source": "192.0.2.1", "ttl": 7, "tos": 4}}),
            "-6 2001:db8:40::/48 encap ip id 5 src 192.0.2.1 dst 192.0.2.9 ttl 7 tos 0x4 dev v0",
        ),
        (
            json!({"destination": "2001:db8:41::/48", "gateway": "2001:db8::9", "encap": {"kind": "ip6", "id": 5,
                   "destination": "ff0e::1", "source": "2001:db8:ffff::1", "ttl": 7, "tos": 4}}),
            "-6 2001:db8:41::/48 encap ip6 id 5 src 2001:db8:ffff::1 dst ff0e::1 hoplimit 7 tc 0x4 via 2001:db8::9",
        ),
    ]
}

#[test]
fn routes_into_tunnels_are_made_replaced_listed_and_deleted_like_by_iproute2() {
    for verb in ["Add", "Replace", "Append"] {
        let (host, a, b) = host();
        for (mut fields, words) in encapsulated() {
            act(&host, verb, a, &fields).ok();
            ip_route(&host, b, &verb.to_lowercase(), words);
            let mut reported = listed(&host, a, fields["destination"].as_str().unwrap())["encap"].clone();
            assert_eq!(reported.as_object_mut().unwrap().remove("flags"), Some(json!([])), "{reported}");
            assert_eq!(reported, fields["encap"], "{fields}");
            fields["exists_ok"] = json!(true);
            act(&host, "Add", a, &fields).ok();
        }
        both(&host);
        for (fields, words) in encapsulated() {
            act(&host, "Delete", a, &fields).ok();
            ip_route(&host, b, "del", words);
        }
        both(&host);
        assert!(!host.ip_in(a, "route").contains("encap") && !host.ip_in(a, "-6 route").contains("encap"));
    }
}

#[test]
fn a_route_that_encapsulates_otherwise_is_another_route() {
    let (host, a, _) = host();
    for (fields, _) in encapsulated() {
        act(&host, "Add", a, &fields).ok();
    }
    host.ip_in(a, "route add 10.43.0.0/16 dev v0");
    host.ip_in(a, "route add 10.44.0.0/16 encap ip dst 192.0.2.9 key dev v0");
    let before = host.snapshot(&[a]);
    let [ip, ip6] = [0, 2].map(|at| encapsulated()[at].0.clone());
    for (base, part, value) in [
        (&ip, "id", json!(66052)),
        (&ip, "id", Value::Null),
        (&ip, "destination", json!("192.0.2.8")),
        (&ip, "source", json!("192.0.2.8")),
        (&ip, "source", Value::Null),
        (&ip, "ttl", json!(8)),
        (&ip, "ttl", Value::Null),
        (&ip, "tos", json!(8)),
        (&ip, "tos", Value::Null),
        (&ip6, "id", json!(66052)),
        (&ip6, "id", Value::Null),
        (&ip6, "destination", json!("2001:db8::8")),
        (&ip6, "source", json!("2001:db8::8")),
        (&ip6, "source", Value::Null),
        (&ip6, "ttl", json!(8)),
        (&ip6, "ttl", Value::Null),
        (&ip6, "tos", json!(8)),
        (&ip6, "tos", Value::Null),
    ] {
        let mut fields = base.clone();
        let encap = fields["encap"].as_object_mut().unwrap();
        drop(if value.is_null() { encap.remove(part) } else { encap.insert(part.to_owned(), value.clone()) });
        fields["exists_ok"] = json!(true);
        let reply = act(&host, "Add", a, &fields);
        assert_eq!(reply.error(), "io.netbroker.Route.AlreadyExists", "{fields}: {reply}");
        assert_eq!(reply.get("field"), json!(format!("encap.{part}")), "{fields}: {reply}");
        if !value.is_null() {
            fields.as_object_mut().unwrap().remove("exists_ok");
            assert_eq!(act(&host, "Delete", a, &fields).error(), "io.netbroker.Route.NotFound", "{fields}");
        }
    }
    // Also one that does not encapsulate, that does, that does in another way, and that has a flag no request gives.
    for fields in [
        json!({"destination": "10.40.0.0/16", "link": "v0"}),
        json!({"destination": "10.43.0.0/16", "link": "v0", "encap": {"kind": "ip", "destination": "192.0.2.9"}}),
        json!({"destination": "10.40.0.0/16", "link": "v0", "encap": {"kind": "ip6", "destination": "2001:db8::9"}}),
        json!({"destination": "10.44.0.0/16", "link": "v0", "encap": {"kind": "ip", "destination": "192.0.2.9"}}),
    ] {
        let mut given = fields.clone();
        given["exists_ok"] = json!(true);
        let reply = act(&host, "Add", a, &given);
        assert_eq!(reply.error(), "io.netbroker.Route.AlreadyExists", "{fields}: {reply}");
        assert_eq!(reply.get("field"), json!("encap.kind"), "{fields}: {reply}");
    }
    for encap in [json!({"kind": "ip6"}), json!({"kind": "mpls"}), json!({"kind": "mpls", "labels": [66051]})] {
        let fields = json!({"destination": "10.40.0.0/16", "encap": encap});
        assert_eq!(act(&host, "Delete", a, &fields).error(), "io.netbroker.Route.NotFound", "{fields}");
    }
    assert_eq!(host.snapshot(&[a]), before);
    let listed = |fields: Value| act(&host, "List", a, &fields).ok()["routes"].as_array().unwrap().len();
    assert_eq!(listed(json!({"encap": {"kind": "ip"}})), 4);
    assert_eq!(listed(json!({"encap": {"kind": "ip", "id": 5}})), 1);
    assert_eq!(listed(json!({"family": "inet", "encap": {"kind": "ip6", "ttl": 255}})), 1);
    assert_eq!(listed(json!({"encap": {"kind": "mpls"}})), 0);
}

/// `fib_nh_match` compares an encapsulation that the message has, and none if it has none. `ip6_route_del` compares none.
#[test]
fn of_routes_that_differ_in_their_encapsulation_only_the_requested_one_is_deleted() {
    let (host, a, _) = host();
    for words in [
        "route add 10.45.0.0/16 encap ip id 1 dst 192.0.2.9 dev v0",
        "route append 10.45.0.0/16 encap ip id 2 dst 192.0.2.9 dev v0",
        "route append 10.45.0.0/16 encap ip id 3 dst 192.0.2.9 key csum dev v0",
        "route add 10.46.0.0/16 encap ip id 1 dst 192.0.2.9 dev v0",
        "route append 10.46.0.0/16 dev v0",
        "route add 10.47.0.0/16 dev v0",
        "route append 10.47.0.0/16 encap ip id 1 dst 192.0.2.9 dev v0",
        "-6 route add 2001:db8:45::/48 encap ip id 1 dst 192.0.2.9 dev v0",
        "-6 route append 2001:db8:45::/48 encap ip id 2 dst 192.0.2.9 dev v0",
    ] {
        host.ip_in(a, words);
    }
    for id in [2, 3] {
        act(&host, "Delete", a, &json!({"destination": "10.45.0.0/16", "encap": {"kind": "ip", "id": id}})).ok();
        let left = host.ip_in(a, "route show 10.45.0.0/16");
        assert!(!left.contains(&format!("id {id} ")) && left.contains("id 1 "), "{left}");
    }
    let flushed =
        act(&host, "Flush", a, &json!({"table": 254, "destination": "10.47.0.0/16", "encap": {"kind": "ip"}}));
    assert_eq!(flushed.ok(), json!({"deleted": 1}));
    let left = host.ip_in(a, "route show 10.47.0.0/16");
    assert!(left.contains("dev v0") && !left.contains("encap"), "{left}");
    let before = host.snapshot(&[a]);
    // The message for a route without an encapsulation could delete the other one.
    for (verb, fields) in [
        ("Delete", json!({"destination": "10.46.0.0/16", "scope": "link", "encap": {"kind": "ip", "id": 2}})),
        ("Delete", json!({"destination": "2001:db8:45::/48", "encap": {"kind": "ip", "id": 2}})),
        ("Delete", json!({"destination": "2001:db8:45::/48", "encap": {"kind": "ip", "id": 1}})),
        ("Flush", json!({"table": 254, "encap": {"kind": "ip", "id": 2}})),
    ] {
        let reply = act(&host, verb, a, &fields);
        let error = if fields["destination"] == json!("10.46.0.0/16") { "NotFound" } else { "NotSupported" };
        assert_eq!(reply.error(), format!("io.netbroker.Route.{error}"), "{verb} {fields}: {reply}");
        assert_eq!(host.snapshot(&[a]), before, "{verb} {fields}");
    }
    act(&host, "Delete", a, &json!({"destination": "10.46.0.0/16", "encap": {"kind": "ip"}})).ok();
    let left = host.ip_in(a, "route show 10.46.0.0/16");
    assert!(left.contains("dev v0") && !left.contains("encap"), "{left}");
}

#[test]
fn the_encapsulation_of_one_of_several_next_hops_is_reported_and_is_no_requests() {
    let (host, a, _) = host();
    let words = "nexthop encap ip id 1 dst 192.0.2.9 via 10.0.0.9 dev v0 nexthop via 10.0.1.9 dev v1";
    host.ip_in(a, &format!("route add 10.48.0.0/16 {words}"));
    let route = listed(&host, a, "10.48.0.0/16");
    assert_eq!(route["nexthops"][0]["encap_kind"], json!("ip"), "{route}");
    assert_eq!((&route["nexthops"][1]["encap_kind"], &route["encap"]), (&Value::Null, &Value::Null), "{route}");
    let before = host.snapshot(&[a]);
    let hops = json!([{"gateway": "10.0.0.9", "link": "v0"}, {"gateway": "10.0.1.9", "link": "v1"}]);
    let reply = act(&host, "Add", a, &json!({"destination": "10.48.0.0/16", "nexthops": hops, "exists_ok": true}));
    assert_eq!(
        (reply.error(), reply.get("field")),
        ("io.netbroker.Route.AlreadyExists".to_owned(), json!("nexthops")),
        "{reply}"
    );
    let reply = act(&host, "Delete", a, &json!({"destination": "10.48.0.0/16", "encap": {"kind": "ip"}}));
    assert_eq!(reply.error(), "io.netbroker.Route.NotFound");
    assert_eq!(host.snapshot(&[a]), before);
    act(&host, "Delete", a, &json!({"destination": "10.48.0.0/16", "nexthops": hops})).ok();
    assert!(!host.ip_in(a, "route").contains("10.48."));
}

#[test]
fn an_encapsulation_that_cannot_be_is_refused_with_its_field() {
    let (host, a, _) = host();
    host.ip_in(a, "nexthop add id 7 via 10.0.0.9 dev v0");
    let before = host.snapshot(&[a]);
    for (encap, field, reason) in [
        (json!({"id": 5}), "encap.id", "needs `encap.kind`"),
        (json!({"kind": "ip", "id": 5}), "encap.destination", "is missing; the kind `ip` needs it"),
        (json!({"kind": "mpls", "ttl": 5}), "encap.labels", "is missing; the kind `mpls` needs it"),
        (json!({"kind": "ip", "destination": "::1"}), "encap.destination", "`::1` needs the kind `ip6`"),
        (json!({"kind": "ip6", "destination": "192.0.2.9"}), "encap.destination", "`192.0.2.9` needs the kind `ip`"),
        (json!({"kind": "ip", "destination": "192.0.2.9", "source": "::1"}), "encap.source", "needs the kind `ip6`"),
        (json!({"kind": "ip", "destination": "0.0.0.0"}), "encap.destination", "is the unspecified address"),
        (json!({"kind": "ip6", "destination": "::1", "source": "::"}), "encap.source", "is the unspecified address"),
        (json!({"kind": "ip", "destination": "192.0.2.9", "ttl": 0}), "encap.ttl", "must not be 0; leave it out"),
        (json!({"kind": "ip", "destination": "192.0.2.9", "id": 0}), "encap.id", "must be between 1 and 4294967295"),
        (
            json!({"kind": "ip", "destination": "192.0.2.9", "labels": [100]}),
            "encap.labels",
            "does not apply to the kind `ip`",
        ),
        (json!({"kind": "mpls", "labels": [100], "tos": 4}), "encap.tos", "does not apply to the kind `mpls`"),
        (json!({"kind": "mpls", "labels": [1_048_576]}), "encap.labels", "must be between 0 and 1048575"),
        (json!({"kind": "mpls", "labels": []}), "encap.labels", "must not be an empty list"),
    ] {
        let fields = json!({"destination": "10.49.0.0/16", "link": "v0", "encap": encap});
        let reply = act(&host, "Add", a, &fields);
        assert_eq!(reply.error(), "io.netbroker.Route.InvalidRequest", "{fields}: {reply}");
        assert_eq!(reply.get("field"), json!(field), "{fields}: {reply}");
        assert!(reply.get("reason").as_str().unwrap().contains(reason), "{fields}: {reply}");
    }
    let encap = json!({"kind": "ip", "destination": "192.0.2.9"});
    for (more, field) in [
        (json!({"route_type": "blackhole"}), "encap.kind"),
        (json!({"route_type": "local", "link": "v0"}), "encap.kind"),
        (json!({"nexthops": [{"link": "v0"}, {"link": "v1"}]}), "encap.kind"),
        (json!({"nexthop_id": 7}), "nexthop_id"),
    ] {
        let mut fields = json!({"destination": "10.49.0.0/16", "encap": encap});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let reply = act(&host, "Add", a, &fields);
        assert_eq!(reply.error(), "io.netbroker.Route.InvalidRequest", "{fields}: {reply}");
        assert_eq!(reply.get("field"), json!(field), "{fields}: {reply}");
    }
    // A kernel may lack MPLS. The error then names the kind.
    let fields = json!({"destination": "10.49.0.0/16", "link": "v0", "encap": {"kind": "mpls", "labels": [3]}});
    let reply = act(&host, "Add", a, &fields);
    match reply.error().rsplit('.').next() {
        Some("NotSupported") => assert_eq!(reply.get("field"), json!("encap.kind"), "{reply}"),
        _ => assert_eq!(
            (reply.get("errno_name"), reply.get("field")),
            (json!("EINVAL"), json!("encap.labels")),
            "{reply}"
        ),
    }
    assert_eq!(host.snapshot(&[a]), before);
}

#[test]
fn a_policy_judges_the_encapsulation_of_a_route() {
    let (host, a, _) = host();
    let deny = "[[deny]]\nid = \"d\"\nwho = \"*\"\ncall = \"@change\"\nencap.id = 5\n";
    host.policy(&format!("{}\n{deny}", common::scene::EVERYTHING));
    host.ip_in(a, "route add 10.50.0.0/16 encap ip id 5 dst 192.0.2.9 dev v0");
    host.ip_in(a, "nexthop add id 7 via 10.0.0.9 dev v0");
    let before = host.snapshot(&[a]);
    let tunnel = |id: u32| json!({"kind": "ip", "id": id, "destination": "192.0.2.9"});
    for (verb, fields) in [
        ("Add", json!({"destination": "10.51.0.0/16", "link": "v0", "encap": tunnel(5)})),
        ("Add", json!({"destination": "10.51.0.0/16", "nexthop_id": 7})),
        ("Replace", json!({"destination": "10.50.0.0/16", "link": "v0", "encap": tunnel(6)})),
        ("Append", json!({"destination": "10.50.0.0/16", "link": "v0"})),
        ("Delete", json!({"destination": "10.50.0.0/16"})),
        ("Delete", json!({"destination": "10.50.0.0/16", "encap": tunnel(5)})),
        ("Flush", json!({"table": 254})),
        ("Flush", json!({"table": 254, "encap": {"kind": "ip"}})),
    ] {
        assert_eq!(act(&host, verb, a, &fields).error(), "io.netbroker.Route.Denied", "{verb} {fields}");
        assert_eq!(host.snapshot(&[a]), before);
    }
    act(&host, "Flush", a, &json!({"table": 254, "encap": tunnel(6)})).ok();
    act(&host, "Add", a, &json!({"destination": "10.51.0.0/16", "link": "v0"})).ok();
    act(&host, "Add", a, &json!({"destination": "10.52.0.0/16", "link": "v0", "encap": tunnel(6)})).ok();
    act(&host, "Delete", a, &json!({"destination": "10.52.0.0/16", "encap": tunnel(6)})).ok();
    assert!(host.ip_in(a, "route").contains("id 5 "));
}
