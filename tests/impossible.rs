// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Filters that no object of the kernel can match are refused in each call that has them. Filters that match only objects
//! of other programs, which no request can make, are accepted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::open_host;
use common::{Host, Reply};
use serde_json::{Value, json};

fn host() -> (Host, &'static str) {
    let host = open_host();
    let (a, _) = host.twins();
    for words in [
        "link set lo up",
        "link add v0 type veth peer name v1",
        "link set v0 addrgenmode none", // an address that the kernel still probes would change the state
        "link set v1 addrgenmode none",
        "link set v0 up",
        "link set v1 up",
        "addr add 10.0.0.1/24 dev v0",
        "-6 addr add 2001:db8::1/64 dev v0 nodad",
    ] {
        host.ip_in(a, words);
    }
    (host, a)
}

/// The rules, routes, nexthop objects and addresses of a namespace.
fn state(host: &Host, netns: &str) -> String {
    let of = ["rule", "-6 rule", "-d route show table all", "-d -6 route show table all", "nexthop", "-o addr"];
    of.map(|words| host.ip_in(netns, words)).concat()
}

fn act(host: &Host, call: &str, netns: &str, fields: &Value) -> Reply {
    let mut all = json!({"netns": netns});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    host.caller().call(call, all)
}

/// Requires that each call is refused with this error, and that nothing changed.
fn require_refused(host: &Host, netns: &str, calls: &[(&str, Value)], fields: &Value, error: &str, expected: &Value) {
    for (call, needed) in calls {
        let mut all = needed.clone();
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        if call.ends_with("Delete") {
            all["missing_ok"] = json!(true);
        }
        let before = state(host, netns);
        let reply = act(host, call, netns, &all);
        assert!(reply.error().ends_with(error), "{call} {all}: {reply}");
        assert_eq!(&reply.get("field"), expected, "{call} {all}: {reply}");
        assert_eq!(state(host, netns), before, "{call} {all}");
    }
}

#[test]
fn a_rule_filter_that_no_rule_can_match_is_refused() {
    let (host, a) = host();
    let calls = [
        ("Rule.Delete", json!({"family": "inet", "priority": 100})),
        ("Rule.Flush", json!({"family": "inet", "priorities": "0..4294967295"})),
    ];
    for (fields, field) in [
        (json!({"l3mdev": true, "table": 100}), "table"),
        (json!({"l3mdev": false, "table": 0, "action": "to_table"}), "table"),
        (json!({"goto": 5, "action": "to_table"}), "goto"),
        (json!({"goto": 5, "action": "blackhole"}), "goto"),
    ] {
        require_refused(&host, a, &calls, &fields, ".Rule.InvalidRequest", &json!(field));
    }
}

#[test]
fn a_rule_of_another_program_that_no_request_can_add_is_deleted() {
    let (host, a) = host();
    for (words, fields) in [
        ("blackhole table 100", json!({"action": "blackhole", "table": 100})),
        ("blackhole suppress_prefixlength 3", json!({"action": "blackhole", "suppress_prefixlength": 3})),
        ("unreachable suppress_ifgroup 3", json!({"action": "unreachable", "suppress_ifgroup": 3})),
        ("fwmark 5/1 table 10", json!({"fwmark": 5, "fwmask": 1})),
        ("fwmark 5/1 table 10", json!({"fwmask": 1})),
        ("prohibit", json!({"table": 0})),
        ("l3mdev", json!({"table": 0, "action": "to_table"})),
        ("goto 32766 table 5", json!({"goto": 32766})),
        ("goto 32766 table 5", json!({"goto": 32766, "table": 5})),
        ("goto 32766", json!({"action": "goto", "table": 0})),
        ("goto 32766", json!({"action": "goto"})),
    ] {
        let before = state(&host, a);
        host.ip_in(a, &format!("rule add pref 100 {words}"));
        assert_ne!(state(&host, a), before, "{words}");
        let mut all = json!({"family": "inet", "priority": 100});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        assert_eq!(act(&host, "Rule.Delete", a, &all).ok(), json!({}), "{words}: {fields}");
        assert_eq!(state(&host, a), before, "{words}");
    }
}

#[test]
fn a_next_hop_of_a_route_that_leads_nowhere_is_refused() {
    let (host, a) = host();
    for words in ["route add blackhole 10.7.0.0/16", "-6 route add blackhole 2001:db8:7::/64"] {
        host.ip_in(a, words);
    }
    for (family, destination, gateway) in
        [("inet", "10.7.0.0/16", "10.0.0.9"), ("inet6", "2001:db8:7::/64", "2001:db8::9")]
    {
        let nowhere = |call: &'static str, given: Value| {
            let mut all = json!({"route_type": "blackhole"});
            all.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
            (call, all)
        };
        let changes = [
            nowhere("Route.Delete", json!({"destination": destination})),
            nowhere("Route.Flush", json!({"table": 254, "family": family})),
        ];
        let of_one = json!({"gateway": gateway});
        require_refused(&host, a, &changes, &of_one, ".Route.InvalidRequest", &json!("gateway"));
        // Only the system knows which link is the loopback device.
        require_refused(&host, a, &changes, &json!({"link": "v0"}), ".Route.KernelRefused", &json!("link"));
        require_refused(&host, a, &changes, &json!({"link": "nosuch"}), ".Route.NoSuchLink", &json!("link"));
        let hops = json!({"nexthops": [{"gateway": gateway}, {"link": "v0"}]});
        require_refused(&host, a, &changes, &hops, ".Route.InvalidRequest", &json!("nexthops"));
    }
}

#[test]
fn a_route_that_leads_nowhere_is_deleted_by_the_link_that_the_kernel_reports() {
    let (host, a) = host();
    for words in ["link set lo down", "link set lo name z0", "link set z0 up", "nexthop add id 6 blackhole"] {
        host.ip_in(a, words);
    }
    let nowhere = |destination: &str, given: Value| {
        let mut all = json!({"destination": destination, "route_type": "blackhole"});
        all.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
        all
    };
    for (words, fields) in [
        ("-6 route add blackhole 2001:db8:7::/64", nowhere("2001:db8:7::/64", json!({"link": "z0"}))),
        ("route add 10.8.0.0/16 nhid 6", nowhere("10.8.0.0/16", json!({"nexthop_id": 6}))),
        (
            "route add blackhole 10.9.0.0/16 encap ip id 5 dst 10.0.0.7",
            nowhere("10.9.0.0/16", json!({"encap": {"kind": "ip", "id": 5}})),
        ),
        ("route add blackhole 10.9.0.0/16 onlink", nowhere("10.9.0.0/16", json!({"onlink": true}))),
    ] {
        let before = state(&host, a);
        host.ip_in(a, words);
        assert_ne!(state(&host, a), before, "{words}");
        assert_eq!(act(&host, "Route.Delete", a, &fields).ok(), json!({}), "{words}: {fields}");
        assert_eq!(state(&host, a), before, "{words}");
    }
}

#[test]
fn a_nexthop_filter_that_no_object_can_match_is_refused() {
    let (host, a) = host();
    for words in ["nexthop add id 1 blackhole", "nexthop add id 2 via 10.0.0.9 fdb"] {
        host.ip_in(a, words);
    }
    let delete = ("Nexthop.Delete", json!({"nexthop_id": 1}));
    let calls = [delete, ("Nexthop.Flush", json!({})), ("Nexthop.List", json!({}))];
    for (fields, field) in [
        (json!({"blackhole": true, "gateway": "10.0.0.9"}), "blackhole"),
        (json!({"blackhole": true, "link": "v0"}), "blackhole"),
        (json!({"blackhole": true, "onlink": true}), "blackhole"),
        (json!({"blackhole": true, "fdb": true}), "blackhole"),
        (json!({"fdb": true, "link": "v0"}), "fdb"),
        (json!({"fdb": true, "onlink": true}), "fdb"),
    ] {
        require_refused(&host, a, &calls, &fields, ".Nexthop.InvalidRequest", &json!(field));
    }
    for (fields, field) in [(json!({"blackhole": true}), "blackhole"), (json!({"fdb": true}), "fdb")] {
        let mut fields = fields;
        fields["master"] = json!("v0");
        require_refused(&host, a, &calls[2..], &fields, ".Nexthop.InvalidRequest", &json!(field));
    }
    // A filter can also be false.
    let given = json!({"nexthop_id": 2, "blackhole": false, "gateway": "10.0.0.9", "fdb": true, "onlink": false});
    assert_eq!(act(&host, "Nexthop.Delete", a, &given).ok(), json!({}));
}

#[test]
fn a_scope_that_no_ipv6_address_has_is_refused() {
    let (host, a) = host();
    let of_link = json!({"link": "v0"});
    let calls = [("Address.Flush", of_link.clone()), ("Address.List", of_link)];
    let none = json!({"family": "inet6", "scope": "nowhere"});
    require_refused(&host, a, &calls, &none, ".Address.InvalidRequest", &json!("scope"));
    host.ip_in(a, "addr add 10.1.1.1/32 dev v0 scope nowhere");
    let all = json!({"link": "v0", "scope": "nowhere"});
    assert_eq!(act(&host, "Address.Flush", a, &all).ok(), json!({"deleted": 1}));
}
