// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Nexthop.Add`, `Nexthop.Replace`, `Nexthop.Delete`, `Nexthop.Flush` and `Nexthop.List` against their twins `ip nexthop`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{EVERYTHING, open_host};
use common::{Host, Reply};
use serde_json::{Value, json};

/// Twins, each with a pair that is up and has addresses.
fn host() -> (Host, &'static str, &'static str) {
    let host = open_host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        for words in [
            "link set lo up",
            "link add v0 type veth peer name v1",
            "link set v0 addrgenmode none",
            "link set v1 addrgenmode none",
            "link set v0 up",
            "link set v1 up",
            "addr add 10.0.0.1/24 dev v0",
            "addr add 10.0.1.1/24 dev v1",
            "addr add 2001:db8::1/64 dev v0 nodad",
        ] {
            host.ip_in(netns, words);
        }
    }
    (host, a, b)
}

fn act(host: &Host, verb: &str, netns: &str, fields: &Value) -> Reply {
    let mut all = json!({"netns": netns});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    host.caller().call(&format!("Nexthop.{verb}"), all)
}

/// The nexthop objects and the routes of a namespace, as iproute2 prints them.
fn state(host: &Host, netns: &str) -> [String; 3] {
    ["-d nexthop", "-d route", "-6 -d route"].map(|words| host.ip_in(netns, words))
}

fn ids(host: &Host, netns: &str) -> Vec<u64> {
    let all: Value = serde_json::from_str(&host.ip_in(netns, "-j nexthop")).unwrap();
    all.as_array().unwrap().iter().map(|one| one["id"].as_u64().unwrap()).collect()
}

/// Asserts that a request is refused in this way, and that nothing changes.
fn refused(host: &Host, verb: &str, netns: &str, fields: &Value, error: &str, field: &str) {
    drop(refusal(host, verb, netns, fields, error, field));
}

/// The same, with the refusal.
fn refusal(host: &Host, verb: &str, netns: &str, fields: &Value, error: &str, field: &str) -> Reply {
    let before = state(host, netns);
    let reply = act(host, verb, netns, fields);
    assert_eq!(reply.error(), format!("io.netbroker.Nexthop.{error}"), "{verb} {fields}: {reply}");
    assert_eq!(reply.get("field"), json!(field), "{verb} {fields}: {reply}");
    assert_eq!(state(host, netns), before, "{verb} {fields}");
    reply
}

/// Adds a resilient group, unless the kernel has none (before Linux 5.13). Returns whether it has.
fn adds_resilient(host: &Host, netns: &str, words: &str) -> bool {
    host.sh(&format!("ip -n {netns} nexthop add {words} || true"));
    words.split(' ').nth(1).is_some_and(|id| ids(host, netns).contains(&id.parse().unwrap()))
}

#[test]
fn each_field_does_what_iproute2_does() {
    let (host, a, b) = host();
    for (verb, fields, words) in [
        ("Add", json!({"nexthop_id": 1, "gateway": "10.0.0.9", "link": "v0"}), "add id 1 via 10.0.0.9 dev v0"),
        ("Add", json!({"nexthop_id": 2, "link": "v1"}), "add id 2 dev v1"),
        ("Add", json!({"nexthop_id": 3, "link": "v0", "family": "inet6"}), "-6 add id 3 dev v0"),
        ("Add", json!({"nexthop_id": 4, "gateway": "2001:db8::9", "link": "v0"}), "add id 4 via 2001:db8::9 dev v0"),
        (
            "Add",
            json!({"nexthop_id": 5, "gateway": "10.9.0.1", "link": "v1", "onlink": true, "protocol": 186}),
            "add id 5 via 10.9.0.1 dev v1 onlink protocol bgp",
        ),
        ("Add", json!({"nexthop_id": 6, "blackhole": true}), "add id 6 blackhole"),
        ("Add", json!({"nexthop_id": 7, "blackhole": true, "family": "inet6"}), "-6 add id 7 blackhole"),
        ("Add", json!({"nexthop_id": 8, "gateway": "10.0.0.8", "fdb": true}), "add id 8 via 10.0.0.8 fdb"),
        ("Add", json!({"nexthop_id": 9, "members": [{"nexthop_id": 1}]}), "add id 9 group 1"),
        (
            "Add",
            json!({"nexthop_id": 10, "members": [{"nexthop_id": 1, "weight": 3}, {"nexthop_id": 2}], "protocol": 186}),
            "add id 10 group 1,3/2 protocol bgp",
        ),
        ("Add", json!({"nexthop_id": 11, "members": [{"nexthop_id": 8}], "fdb": true}), "add id 11 group 8 fdb"),
        ("Add", json!({"nexthop_id": 4_294_967_295_u32, "members": [{"nexthop_id": 4}]}), "add id 4294967295 group 4"),
        ("Replace", json!({"nexthop_id": 1, "gateway": "10.0.0.8", "link": "v0"}), "replace id 1 via 10.0.0.8 dev v0"),
        ("Replace", json!({"nexthop_id": 12, "link": "v0"}), "replace id 12 dev v0"),
        (
            "Replace",
            json!({"nexthop_id": 10, "members": [{"nexthop_id": 5}, {"nexthop_id": 2, "weight": 2}], "protocol": 186}),
            "replace id 10 group 5/2,2 protocol bgp",
        ),
        ("Replace", json!({"nexthop_id": 12, "blackhole": true}), "replace id 12 blackhole"),
        (
            "Replace",
            json!({"nexthop_id": 8, "gateway": "2001:db8::8", "fdb": true}),
            "replace id 8 via 2001:db8::8 fdb",
        ),
        ("Delete", json!({"nexthop_id": 3}), "del id 3"),
        ("Delete", json!({"nexthop_id": 10}), "del id 10"),
        ("Delete", json!({"nexthop_id": 12, "blackhole": true, "fdb": false, "family": "inet"}), "del id 12"),
        (
            "Delete",
            json!({"nexthop_id": 5, "gateway": "10.9.0.1", "link": "v1", "onlink": true, "protocol": 186}),
            "del id 5",
        ),
    ] {
        assert_eq!(act(&host, verb, a, &fields).ok(), json!({}), "{verb} {fields}");
        let (family, words) = words.strip_prefix("-6 ").map_or(("", words), |rest| ("-6 ", rest));
        host.ip_in(b, &format!("{family}nexthop {words}"));
        assert_eq!(state(&host, a), state(&host, b), "{verb} {fields}");
    }
}

#[test]
fn a_list_reports_what_iproute2_reports_and_its_filters_narrow_it() {
    let (host, a, _) = host();
    for words in [
        "nexthop add id 1 via 10.0.0.9 dev v0 protocol bgp",
        "-6 nexthop add id 2 dev v1",
        "nexthop add id 3 via 10.9.0.1 dev v0 onlink",
        "nexthop add id 4 blackhole",
        "nexthop add id 5 via 10.0.0.8 fdb",
        "nexthop add id 6 group 1,3/3",
        "link add br0 type bridge",
        "link set v1 master br0",
    ] {
        host.ip_in(a, words);
    }
    let resilient =
        adds_resilient(&host, a, "id 7 group 1/3 type resilient buckets 8 idle_timer 20 unbalanced_timer 30");
    let list = |fields: Value| act(&host, "List", a, &fields).ok()["nexthops"].clone();
    let told: Value = serde_json::from_str(&host.ip_in(a, "-j -d nexthop")).unwrap();
    let all = list(json!({}));
    let (all, told) = (all.as_array().unwrap(), told.as_array().unwrap());
    assert_eq!(all.len(), told.len());
    for (own, told) in all.iter().zip(told) {
        assert_eq!(own["nexthop_id"], told["id"]);
        assert_eq!(own.get("link"), told.get("dev"), "{own} {told}");
        assert_eq!(own.get("gateway"), told.get("gateway"), "{own} {told}");
        assert_eq!(own["blackhole"], json!(told.get("blackhole").is_some()), "{own} {told}");
        assert_eq!(own["fdb"], json!(told.get("fdb").is_some()), "{own} {told}");
        let members = |of: &Value, list: &str, id: &str| -> Vec<(u64, u64)> {
            let all = of[list].as_array().cloned().unwrap_or_default();
            all.iter().map(|m| (m[id].as_u64().unwrap(), m["weight"].as_u64().unwrap_or(1))).collect()
        };
        assert_eq!(members(own, "members", "nexthop_id"), members(told, "group", "id"), "{own} {told}");
    }
    let own = |id: u64| all.iter().find(|one| one["nexthop_id"] == json!(id)).unwrap();
    assert_eq!((&own(1)["protocol"], &own(1)["family"], &own(1)["scope"]), (&json!(186), &json!("inet"), &json!(253)));
    assert_eq!((&own(2)["family"], &own(6)["family"]), (&json!("inet6"), &json!("unspec")));
    assert_eq!((&own(3)["flags"], &own(1)["flags"]), (&json!(["onlink"]), &json!([])));
    assert_eq!((&own(6)["group_type"], own(1).get("group_type")), (&json!("mpath"), None));
    if resilient {
        let parts = ["group_type", "buckets", "idle_timer", "unbalanced_timer"].map(|name| own(7)[name].clone());
        assert_eq!(parts, [json!("resilient"), json!(8), json!(2000), json!(3000)]);
    }
    for (fields, expected) in [
        (json!({"nexthop_ids": "2..4"}), vec![2, 3, 4]),
        (json!({"nexthop_ids": 7}), vec![7]),
        (json!({"family": "inet"}), vec![1, 3, 4, 5]),
        (json!({"family": "inet6"}), vec![2]),
        (json!({"link": "v0"}), vec![1, 3]),
        (json!({"link": "v0", "protocol": 186}), vec![1]),
        (json!({"master": "br0"}), vec![2]),
        (json!({"master": "v0"}), vec![]),
        (json!({"gateway": "10.9.0.1"}), vec![3]),
        (json!({"onlink": true}), vec![3]),
        (json!({"blackhole": true}), vec![4]),
        (json!({"fdb": true}), vec![5]),
        (json!({"blackhole": false, "fdb": false, "protocol": 0}), vec![2, 3]),
        (json!({"fdb": false, "protocol": 0}), vec![2, 3, 4, 6, 7]),
    ] {
        let found = list(fields.clone());
        let found: Vec<u64> = found.as_array().unwrap().iter().map(|one| one["nexthop_id"].as_u64().unwrap()).collect();
        let expected: Vec<u64> = expected.into_iter().filter(|id| *id != 7 || resilient).collect();
        assert_eq!(found, expected, "{fields}");
    }
    for field in ["link", "master"] {
        let reply = act(&host, "List", a, &json!({field: "nope"}));
        assert_eq!((reply.error().as_str(), reply.get("field")), ("io.netbroker.Nexthop.NoSuchLink", json!(field)));
    }
}

#[test]
fn an_existing_object_is_the_same_or_an_error_that_names_what_differs() {
    let (host, a, _) = host();
    let one = json!({"nexthop_id": 1, "gateway": "10.0.0.9", "link": "v0"});
    let group = json!({"nexthop_id": 2, "members": [{"nexthop_id": 1, "weight": 2}, {"nexthop_id": 4}]});
    let none = json!({"nexthop_id": 3, "blackhole": true});
    let plain = json!({"nexthop_id": 4, "link": "v0"});
    let all = [&one, &none, &plain, &group];
    for fields in all {
        act(&host, "Add", a, fields).ok();
    }
    let resilient = adds_resilient(&host, a, "id 5 group 1,2/4 type resilient buckets 8");
    let with = |base: &Value, changes: Value| {
        let mut changed = base.clone();
        changed["exists_ok"] = json!(true);
        changed.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        changed
    };
    let before = state(&host, a);
    for fields in all {
        act(&host, "Add", a, &with(fields, json!({}))).ok();
        assert_eq!(state(&host, a), before, "{fields}");
        let again = refusal(&host, "Add", a, fields, "AlreadyExists", "nexthop_id");
        assert_eq!((again.get("errno"), again.get("may_have_changed")), (json!(17), json!(false)));
    }
    let turned = json!({"members": [{"nexthop_id": 4}, {"nexthop_id": 1, "weight": 2}]});
    act(&host, "Add", a, &with(&group, turned)).ok();
    for (base, changes, field) in [
        (&one, json!({"gateway": "10.0.0.8"}), "gateway"),
        (&one, json!({"gateway": "2001:db8::9"}), "family"),
        (&plain, json!({"link": "v1"}), "link"),
        (&one, json!({"onlink": true}), "onlink"),
        (&one, json!({"protocol": 4}), "protocol"),
        (&plain, json!({"family": "inet6"}), "family"),
        (&none, json!({"family": "inet6"}), "family"),
        (&group, json!({"members": [{"nexthop_id": 1, "weight": 2}]}), "members"),
        (&group, json!({"members": [{"nexthop_id": 1}, {"nexthop_id": 4}]}), "members"),
        (&group, json!({"members": [{"nexthop_id": 1, "weight": 2}, {"nexthop_id": 4, "weight": 200}]}), "members"),
        (&group, json!({"nexthop_id": 1, "members": [{"nexthop_id": 4}]}), "members"),
        (&one, json!({"nexthop_id": 2}), "members"),
        (&plain, json!({"nexthop_id": 1}), "gateway"),
        (&one, json!({"nexthop_id": 3}), "gateway"),
    ] {
        refused(&host, "Add", a, &with(base, changes), "AlreadyExists", field);
    }
    if resilient {
        refused(&host, "Add", a, &with(&group, json!({"nexthop_id": 5})), "AlreadyExists", "members");
    }
}

#[test]
fn an_absent_object_is_not_found_or_missing_ok() {
    let (host, a, _) = host();
    for words in ["id 1 via 10.0.0.9 dev v0", "id 2 blackhole", "id 3 group 1"] {
        host.ip_in(a, &format!("nexthop add {words}"));
    }
    for fields in [
        json!({"nexthop_id": 9}),
        json!({"nexthop_id": 1, "link": "v1"}),
        json!({"nexthop_id": 1, "gateway": "10.0.0.8"}),
        json!({"nexthop_id": 1, "family": "inet6"}),
        json!({"nexthop_id": 1, "onlink": true}),
        json!({"nexthop_id": 1, "blackhole": true}),
        json!({"nexthop_id": 1, "fdb": true}),
        json!({"nexthop_id": 1, "protocol": 4}),
        json!({"nexthop_id": 2, "link": "lo"}),
        json!({"nexthop_id": 3, "link": "v0"}),
    ] {
        let reply = refusal(&host, "Delete", a, &fields, "NotFound", "nexthop_id");
        assert_eq!((reply.get("errno"), reply.get("may_have_changed")), (json!(2), json!(false)));
        let before = state(&host, a);
        let mut tolerant = fields.clone();
        tolerant["missing_ok"] = json!(true);
        act(&host, "Delete", a, &tolerant).ok();
        assert_eq!(state(&host, a), before, "{fields}");
    }
    refused(&host, "Delete", a, &json!({"nexthop_id": 1, "link": "v9", "missing_ok": true}), "NoSuchLink", "link");
}

#[test]
fn what_cannot_be_is_refused_with_its_field_and_nothing_changes() {
    let (host, a, _) = host();
    act(&host, "Add", a, &json!({"nexthop_id": 1, "link": "v0"})).ok();
    act(&host, "Add", a, &json!({"nexthop_id": 2, "blackhole": true})).ok();
    let members = |ids: &[u32]| ids.iter().map(|id| json!({"nexthop_id": id})).collect::<Vec<_>>();
    for (fields, field, told) in [
        (json!({"link": "v0"}), "nexthop_id", "is missing"),
        (json!({"nexthop_id": 0, "link": "v0"}), "nexthop_id", ""),
        (json!({"nexthop_id": 4_294_967_296_u64, "link": "v0"}), "nexthop_id", ""),
        (json!({"nexthop_id": 9}), "link", "a nexthop object needs it"),
        (json!({"nexthop_id": 9, "gateway": "10.0.0.9"}), "link", "a nexthop object needs it"),
        (json!({"nexthop_id": 9, "gateway": "0.0.0.0", "link": "v0"}), "gateway", "is the unspecified address"),
        (json!({"nexthop_id": 9, "gateway": "::", "link": "v0"}), "gateway", "is the unspecified address"),
        (json!({"nexthop_id": 9, "gateway": "::ffff:10.0.0.9", "link": "v0"}), "gateway", ""),
        (json!({"nexthop_id": 9, "gateway": "10.0.0.9", "link": "v0", "family": "inet6"}), "gateway", "of family inet"),
        (json!({"nexthop_id": 9, "link": "v0", "onlink": true}), "onlink", "needs a gateway"),
        (json!({"nexthop_id": 9, "fdb": true}), "gateway", "it is the remote address"),
        (json!({"nexthop_id": 9, "fdb": true, "gateway": "10.0.0.9", "link": "v0"}), "fdb", "a remote address only"),
        (json!({"nexthop_id": 9, "fdb": true, "gateway": "10.0.0.9", "onlink": true}), "fdb", "a remote address only"),
        (json!({"nexthop_id": 9, "blackhole": true, "gateway": "10.0.0.9"}), "blackhole", "leads nowhere"),
        (json!({"nexthop_id": 9, "blackhole": true, "link": "v0"}), "blackhole", "leads nowhere"),
        (json!({"nexthop_id": 9, "blackhole": true, "fdb": true}), "blackhole", "leads nowhere"),
        (json!({"nexthop_id": 9, "members": members(&[1]), "link": "v0"}), "members", "that of its members"),
        (json!({"nexthop_id": 9, "members": members(&[1]), "family": "inet"}), "members", "that of its members"),
        (json!({"nexthop_id": 9, "members": members(&[1]), "blackhole": true}), "members", "that of its members"),
        (json!({"nexthop_id": 9, "members": []}), "members", ""),
        (json!({"nexthop_id": 9, "members": [{"weight": 2}]}), "members.nexthop_id", "is missing"),
        (json!({"nexthop_id": 9, "members": [{"nexthop_id": 1, "weight": 0}]}), "members.weight", ""),
    ] {
        for verb in ["Add", "Replace"] {
            let reply = refusal(&host, verb, a, &fields, "InvalidRequest", field);
            assert!(reply.get("reason").as_str().unwrap().contains(told), "{fields}: {reply}");
        }
    }
    host.ip_in(a, "link add down0 type bridge");
    for (fields, told) in [
        (json!({"nexthop_id": 9, "members": members(&[7])}), "Invalid nexthop id"),
        (json!({"nexthop_id": 9, "members": members(&[1, 1])}), "Nexthop id can not be used twice in a group"),
        (json!({"nexthop_id": 9, "members": members(&[1, 2])}), "lackhole nexthop can not be"),
        (json!({"nexthop_id": 9, "link": "down0"}), "Nexthop device is not up"),
        (json!({"nexthop_id": 9, "gateway": "10.7.0.1", "link": "v0"}), "Nexthop has invalid gateway"),
    ] {
        for verb in ["Add", "Replace"] {
            let before = state(&host, a);
            let reply = act(&host, verb, a, &fields);
            assert_eq!(reply.error(), "io.netbroker.Nexthop.KernelRefused", "{verb} {fields}: {reply}");
            assert!(reply.get("message").as_str().unwrap().contains(told), "{verb} {fields}: {reply}");
            assert_eq!(reply.get("may_have_changed"), json!(false));
            assert_eq!(state(&host, a), before, "{verb} {fields}");
        }
    }
    refused(&host, "Replace", a, &json!({"nexthop_id": 1, "link": "v9"}), "NoSuchLink", "link");
    let becomes_group = json!({"nexthop_id": 1, "members": members(&[2])});
    assert_eq!(act(&host, "Replace", a, &becomes_group).error(), "io.netbroker.Nexthop.KernelRefused");
}

#[test]
fn a_value_that_the_kernel_does_not_take_is_reported() {
    let (host, a, _) = host();
    act(&host, "Add", a, &json!({"nexthop_id": 1, "link": "v0"})).ok();
    act(&host, "Add", a, &json!({"nexthop_id": 2, "members": [{"nexthop_id": 1}], "protocol": 99})).ok();
    let replaced = json!({"nexthop_id": 2, "members": [{"nexthop_id": 1}], "protocol": 98});
    let reply = act(&host, "Replace", a, &replaced);
    assert_eq!(reply.error(), "io.netbroker.Nexthop.NotApplied", "{reply}");
    let parts = ["field", "given", "effective", "may_have_changed"].map(|name| reply.get(name));
    assert_eq!(parts, [json!("protocol"), json!("98"), json!("99"), json!(true)]);
    let same = json!({"nexthop_id": 2, "members": [{"nexthop_id": 1, "weight": 2}], "protocol": 99});
    act(&host, "Replace", a, &same).ok();
}

/// `ip nexthop del` would also delete the group, and with it its routes.
#[test]
fn the_only_member_of_a_group_is_not_deleted_before_the_group() {
    let (host, a, _) = host();
    for words in [
        "nexthop add id 1 via 10.0.0.9 dev v0",
        "nexthop add id 2 via 10.0.0.8 dev v0",
        "nexthop add id 3 via 10.0.1.9 dev v1",
        "nexthop add id 10 group 1",
        "nexthop add id 11 group 2/3",
        "route add 10.30.0.0/16 nhid 10",
        "route add 10.31.0.0/16 nhid 11",
        "route add 10.32.0.0/16 nhid 2",
    ] {
        host.ip_in(a, words);
    }
    let reply = refusal(&host, "Delete", a, &json!({"nexthop_id": 1}), "NotSupported", "nexthop_id");
    assert!(reply.get("message").as_str().unwrap().contains("the group 10 would have no members"), "{reply}");
    refused(&host, "Flush", a, &json!({"nexthop_ids": 1}), "NotSupported", "nexthop_ids");
    refused(&host, "Flush", a, &json!({"nexthop_ids": "2..3"}), "NotSupported", "nexthop_ids");
    refused(&host, "Flush", a, &json!({"link": "v0"}), "NotSupported", "nexthop_ids");
    // Of a group of two, one can go. The routes that use it go with it.
    act(&host, "Delete", a, &json!({"nexthop_id": 2})).ok();
    assert_eq!(ids(&host, a), [1, 3, 10, 11]);
    let routes = host.ip_in(a, "route");
    assert!(routes.contains("10.31.0.0/16 nhid 11 via 10.0.1.9") && !routes.contains("10.32."), "{routes}");
    refused(&host, "Delete", a, &json!({"nexthop_id": 3}), "NotSupported", "nexthop_id");
    assert_eq!(act(&host, "Flush", a, &json!({"nexthop_ids": "1..10"})).error(), "io.netbroker.Nexthop.NotSupported");
    act(&host, "Delete", a, &json!({"nexthop_id": 10})).ok();
    act(&host, "Delete", a, &json!({"nexthop_id": 1})).ok();
    assert_eq!(act(&host, "Flush", a, &json!({})).ok(), json!({"deleted": 2}));
    assert!(!host.ip_in(a, "route").contains("nhid"));
}

#[test]
fn a_flush_deletes_what_iproute2_deletes() {
    let (host, a, b) = host();
    let fill = |netns: &str| {
        for words in [
            "nexthop replace id 1 via 10.0.0.9 dev v0 protocol bgp",
            "nexthop replace id 2 via 10.0.1.9 dev v1",
            "nexthop replace id 3 via 2001:db8::9 dev v0",
            "nexthop replace id 4 blackhole",
            "nexthop replace id 5 via 10.0.0.8 fdb",
            "nexthop replace id 6 group 2,3/1 protocol bgp",
            "route replace 10.30.0.0/16 nhid 6",
            "route replace 10.31.0.0/16 nhid 1",
        ] {
            host.ip_in(netns, words);
        }
    };
    for (fields, words, deleted) in [
        (json!({"family": "inet6"}), "-6 nexthop flush", 1),
        (json!({"link": "v1"}), "nexthop flush dev v1", 1),
        (json!({"protocol": 186}), "nexthop flush proto 186", 2),
        (json!({"fdb": true}), "nexthop flush fdb", 1),
        (json!({}), "nexthop flush", 6),
        (json!({}), "nexthop flush", 0),
    ] {
        if deleted > 0 {
            fill(a);
            fill(b);
        }
        assert_eq!(act(&host, "Flush", a, &fields).ok(), json!({"deleted": deleted}), "{fields}");
        host.ip_in(b, words);
        if fields == json!({"fdb": true}) {
            continue; // this version of iproute2 ignores the filter
        }
        assert_eq!(state(&host, a), state(&host, b), "{words}");
    }
    fill(a);
    for (fields, deleted) in [
        (json!({"nexthop_ids": "4..5"}), 2),
        (json!({"gateway": "10.0.0.9", "onlink": false}), 1),
        (json!({"blackhole": true}), 0),
        (json!({"protocol": 186, "fdb": false}), 1),
        (json!({"blackhole": false}), 2),
    ] {
        assert_eq!(act(&host, "Flush", a, &fields).ok(), json!({"deleted": deleted}), "{fields}");
    }
    refused(&host, "Flush", a, &json!({"gateway": "0.0.0.0"}), "InvalidRequest", "gateway");
    refused(&host, "Flush", a, &json!({"nexthop_ids": "0..3"}), "InvalidRequest", "nexthop_ids");
}

#[test]
fn a_deny_on_routes_meets_what_removes_or_redirects_them() {
    let (host, a, _) = host();
    host.ip_in(a, "nexthop add id 1 via 10.0.0.9 dev v0");
    host.ip_in(a, "nexthop add id 2 group 1");
    host.ip_in(a, "route add 10.30.0.0/16 nhid 1");
    let deny = |said: &str| {
        let deny = format!("[[deny]]\nid = \"d\"\nwho = \"*\"\ncall = \"@change\"\n{said}\n");
        host.policy(&format!("{EVERYTHING}\n{deny}"));
    };
    let one = json!({"nexthop_id": 7, "link": "v1"});
    let group = json!({"nexthop_id": 7, "members": [{"nexthop_id": 1}]});
    let of_link = json!({"nexthop_id": 1, "link": "v0", "gateway": "10.0.0.9"});
    for said in [
        "destination = \"10.30.0.0/16\"",
        "link = \"v0\"",
        "gateway = \"10.0.0.0/24\"",
        "table = 254",
        "touches = { link = \"v0\" }",
        "touches = { netns = \"a\", link = \"v0\" }",
    ] {
        deny(said);
        let number = json!({"nexthop_id": 1});
        for (verb, fields) in [
            ("Replace", &one),
            ("Delete", &number),
            ("Delete", &of_link),
            ("Flush", &json!({})),
            ("Flush", &json!({"link": "v0", "gateway": "10.0.0.9"})),
        ] {
            refused(
                &host,
                verb,
                a,
                fields,
                "Denied",
                said.split([' ', '=']).next().unwrap().replace("touches", "link").as_str(),
            );
        }
    }
    // A request with the link of the object does not limit the links of a multipath route, which uses the object through a
    // group. A group itself changes with its members, and entries of forwarding databases with their object.
    for said in [
        "link = \"v0\"",
        "gateway = \"10.0.0.0/24\"",
        "nexthops.link = \"v0\"",
        "touches = { link = \"v0\" }",
        "nexthop_id = 5",
        "mac = \"02:*\"",
        "remote = \"10.9.0.0/16\"",
    ] {
        deny(said);
        for fields in [json!({"nexthop_id": 9, "link": "v1"}), json!({"nexthop_id": 9, "family": "inet"})] {
            assert_eq!(act(&host, "Delete", a, &fields).error(), "io.netbroker.Nexthop.Denied", "{said} {fields}");
        }
    }
    // A group has any link and gateway, and a new next hop those of the request.
    for said in ["link = \"v0\"", "gateway = \"10.0.0.0/24\"", "touches = { link = \"v0\" }", "nexthop_id = 1"] {
        deny(said);
        assert_eq!(act(&host, "Add", a, &group).error(), "io.netbroker.Nexthop.Denied", "{said}");
        act(&host, "Add", a, &one).ok();
        host.ip_in(a, "nexthop del id 7");
    }
    deny("destination = \"10.30.0.0/16\"\nnetns = \"b\"");
    act(&host, "Add", a, &group).ok();
    deny("nexthop_id = \"1..2\"");
    for (verb, fields) in [
        ("Delete", json!({"nexthop_id": 1})),
        ("Flush", json!({})),
        ("Flush", json!({"nexthop_ids": "2..9"})),
        ("Replace", of_link),
    ] {
        assert_eq!(act(&host, verb, a, &fields).error(), "io.netbroker.Nexthop.Denied", "{verb} {fields}");
    }
    assert_eq!(act(&host, "Flush", a, &json!({"nexthop_ids": "7..9"})).error(), "io.netbroker.Nexthop.Denied");
    // An allow can limit the link. The broker then compares that of the object.
    let allow = "[[allow]]\nid = \"a\"\nwho = \"*\"\ncall = \"Nexthop.Delete\"\nnetns = \"a\"\nnexthop_id = \"*\"\nlink = \"v1\"\n";
    host.policy(allow);
    refused(&host, "Delete", a, &json!({"nexthop_id": 1}), "Denied", "link");
    refused(&host, "Delete", a, &json!({"nexthop_id": 1, "link": "v1"}), "NotFound", "nexthop_id");
}

fn route(host: &Host, verb: &str, netns: &str, fields: &Value) -> Reply {
    let mut all = json!({"netns": netns});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    host.caller().call(&format!("Route.{verb}"), all)
}

/// Nexthop objects of each sort, in both twins.
fn with_objects(host: &Host, netns: &str) {
    for words in [
        "id 1 via 10.0.0.9 dev v0",
        "id 2 dev v1",
        "id 3 via 2001:db8::9 dev v0",
        "id 4 blackhole",
        "id 5 via 2001:db8::8 dev v0",
        "id 6 group 1/2",
        "id 7 group 3/5",
        "id 8 via 10.0.0.9 fdb",
    ] {
        host.ip_in(netns, &format!("nexthop add {words}"));
    }
    host.ip_in(netns, "-6 nexthop add id 9 blackhole");
}

#[test]
fn routes_by_nexthop_objects_are_those_of_iproute2() {
    let (host, a, b) = host();
    with_objects(&host, a);
    with_objects(&host, b);
    for (verb, fields, words) in [
        ("Add", json!({"destination": "10.30.0.0/16", "nexthop_id": 1}), "add 10.30.0.0/16 nhid 1"),
        ("Add", json!({"destination": "10.31.0.0/16", "nexthop_id": 2}), "add 10.31.0.0/16 nhid 2"),
        ("Add", json!({"destination": "10.32.0.0/16", "nexthop_id": 3}), "add 10.32.0.0/16 nhid 3"),
        ("Add", json!({"destination": "10.33.0.0/16", "nexthop_id": 4}), "add 10.33.0.0/16 nhid 4"),
        ("Add", json!({"destination": "10.34.0.0/16", "nexthop_id": 6}), "add 10.34.0.0/16 nhid 6"),
        ("Add", json!({"destination": "10.35.0.0/16", "nexthop_id": 7}), "add 10.35.0.0/16 nhid 7"),
        ("Add", json!({"destination": "2001:db8:1::/48", "nexthop_id": 3}), "-6 add 2001:db8:1::/48 nhid 3"),
        ("Add", json!({"destination": "2001:db8:2::/48", "nexthop_id": 7}), "-6 add 2001:db8:2::/48 nhid 7"),
        ("Add", json!({"destination": "2001:db8:3::/48", "nexthop_id": 9}), "-6 add 2001:db8:3::/48 nhid 9"),
        (
            "Add",
            json!({"destination": "default", "nexthop_id": 1, "metric": 7, "protocol": 186, "mtu": 1300, "table": 100,
                   "preferred_source": "10.0.0.1"}),
            "add default nhid 1 metric 7 proto bgp mtu 1300 table 100 src 10.0.0.1",
        ),
        ("Replace", json!({"destination": "10.30.0.0/16", "nexthop_id": 6}), "replace 10.30.0.0/16 nhid 6"),
        ("Replace", json!({"destination": "10.30.0.0/16", "gateway": "10.0.0.8"}), "replace 10.30.0.0/16 via 10.0.0.8"),
        ("Append", json!({"destination": "10.30.0.0/16", "nexthop_id": 2}), "append 10.30.0.0/16 nhid 2"),
        ("Replace", json!({"destination": "2001:db8:1::/48", "nexthop_id": 5}), "-6 replace 2001:db8:1::/48 nhid 5"),
        ("Delete", json!({"destination": "10.30.0.0/16", "nexthop_id": 2}), "del 10.30.0.0/16 nhid 2"),
        ("Delete", json!({"destination": "10.31.0.0/16"}), "del 10.31.0.0/16"),
        ("Delete", json!({"destination": "10.34.0.0/16", "nexthop_id": 6}), "del 10.34.0.0/16 nhid 6"),
        ("Delete", json!({"destination": "2001:db8:2::/48", "nexthop_id": 7}), "-6 del 2001:db8:2::/48 nhid 7"),
        ("Delete", json!({"destination": "10.33.0.0/16", "route_type": "blackhole"}), "del 10.33.0.0/16 nhid 4"),
    ] {
        assert_eq!(route(&host, verb, a, &fields).ok(), json!({}), "{verb} {fields}");
        let (family, words) = words.strip_prefix("-6 ").map_or(("", words), |rest| ("-6 ", rest));
        host.ip_in(b, &format!("{family}route {words}"));
        assert_eq!(state(&host, a), state(&host, b), "{verb} {fields}");
        let other = "route show table all";
        assert_eq!(host.ip_in(a, other), host.ip_in(b, other), "{verb} {fields}");
    }
}

#[test]
fn a_route_by_a_nexthop_object_is_compared_listed_and_flushed_by_it() {
    let (host, a, _) = host();
    with_objects(&host, a);
    for (destination, id) in [("10.30.0.0/16", 1), ("10.31.0.0/16", 6), ("10.32.0.0/16", 4), ("2001:db8:1::/48", 3)] {
        let fields = json!({"destination": destination, "nexthop_id": id});
        route(&host, "Add", a, &fields).ok();
        let again = json!({"destination": destination, "nexthop_id": id, "exists_ok": true});
        route(&host, "Add", a, &again).ok();
    }
    let before = state(&host, a);
    for (fields, field) in [
        (json!({"destination": "10.30.0.0/16", "nexthop_id": 2}), "nexthop_id"),
        (json!({"destination": "10.30.0.0/16", "gateway": "10.0.0.9", "link": "v0"}), "nexthop_id"),
        (json!({"destination": "10.32.0.0/16", "route_type": "blackhole"}), "nexthop_id"),
        (json!({"destination": "10.30.0.0/16", "nexthop_id": 1, "mtu": 1300}), "mtu"),
        (json!({"destination": "2001:db8:1::/48", "nexthop_id": 5}), "nexthop_id"),
    ] {
        let mut fields = fields;
        fields["exists_ok"] = json!(true);
        let reply = route(&host, "Add", a, &fields);
        assert_eq!(reply.error(), "io.netbroker.Route.AlreadyExists", "{fields}: {reply}");
        assert_eq!(reply.get("field"), json!(field), "{fields}: {reply}");
    }
    for (fields, field, told) in [
        (json!({"nexthop_id": 1, "gateway": "10.0.0.9"}), "nexthop_id", "has its own"),
        (json!({"nexthop_id": 1, "link": "v0"}), "nexthop_id", "has its own"),
        (json!({"nexthop_id": 1, "onlink": true}), "nexthop_id", "has its own"),
        (json!({"nexthop_id": 1, "nexthops": [{"link": "v0"}, {"link": "v1"}]}), "nexthop_id", "has its own"),
        (json!({"nexthop_id": 1, "route_type": "blackhole"}), "nexthop_id", "does not apply to this `route_type`"),
        (json!({"nexthop_id": 1, "route_type": "local", "link": "v0"}), "nexthop_id", ""),
    ] {
        let mut fields = fields;
        fields["destination"] = json!("10.39.0.0/16");
        let reply = route(&host, "Add", a, &fields);
        assert_eq!(reply.error(), "io.netbroker.Route.InvalidRequest", "{fields}: {reply}");
        assert_eq!(reply.get("field"), json!(field), "{fields}: {reply}");
        assert!(reply.get("reason").as_str().unwrap().contains(told), "{fields}: {reply}");
    }
    for (destination, id) in [("10.39.0.0/16", 99), ("10.39.0.0/16", 8), ("2001:db8:9::/48", 1)] {
        let reply = route(&host, "Add", a, &json!({"destination": destination, "nexthop_id": id}));
        assert_eq!(reply.error(), "io.netbroker.Route.KernelRefused", "{reply}");
    }
    for fields in [
        json!({"destination": "10.30.0.0/16", "nexthop_id": 2}),
        json!({"destination": "10.31.0.0/16", "nexthop_id": 1}),
    ] {
        assert_eq!(route(&host, "Delete", a, &fields).error(), "io.netbroker.Route.NotFound", "{fields}");
    }
    assert_eq!(state(&host, a), before);
    let listed = route(&host, "List", a, &json!({"nexthop_id": 6})).ok()["routes"].clone();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["destination"]), (1, &json!("10.31.0.0/16")));
    assert_eq!(route(&host, "Flush", a, &json!({"table": 254, "nexthop_id": 1})).ok(), json!({"deleted": 1}));
    assert_eq!(route(&host, "Flush", a, &json!({"table": 254, "nexthop_id": 4})).ok(), json!({"deleted": 1}));
    assert_eq!(route(&host, "Flush", a, &json!({"table": 254, "nexthop_id": 3})).ok(), json!({"deleted": 1}));
    let left = host.ip_in(a, "route");
    assert!(!left.contains("10.30.") && left.contains("10.31.") && !left.contains("10.32."), "{left}");
}

/// The kernel takes a nexthop object for any next hop of an IPv6 route that is deleted (`ip6_route_del`).
#[test]
fn no_other_route_is_deleted_in_place_of_one_by_a_nexthop_object() {
    let (host, a, _) = host();
    with_objects(&host, a);
    for (objects, plain, twice) in [
        ("-4 route append 10.30.0.0/16 nhid 1", "-4 route append 10.30.0.0/16 via 10.0.0.9 dev v0", "10.30.0.0/16"),
        (
            "-6 route append 2001:db8:1::/48 nhid 3",
            "-6 route append 2001:db8:1::/48 via 2001:db8::9 dev v0",
            "2001:db8:1::/48",
        ),
    ] {
        for words in [[objects, plain], [plain, objects]] {
            words.iter().for_each(|words| drop(host.ip_in(a, words)));
            let id = if twice.contains(':') { 3 } else { 1 };
            let by_gateway = json!({"destination": twice, "nexthop_id": id});
            route(&host, "Delete", a, &by_gateway).ok();
            let left = [host.ip_in(a, "-4 route"), host.ip_in(a, "-6 route")].concat();
            assert!(left.contains(twice) && !left.contains("nhid"), "{words:?}: {left}");
            route(&host, "Delete", a, &json!({"destination": twice})).ok();
        }
    }
    for words in ["-6 route append 2001:db8:1::/48 nhid 3", "-6 route append 2001:db8:1::/48 via 2001:db8::8 dev v0"] {
        host.ip_in(a, words);
    }
    let before = state(&host, a);
    let plain = json!({"destination": "2001:db8:1::/48", "gateway": "2001:db8::8"});
    let reply = route(&host, "Delete", a, &plain);
    assert_eq!(reply.error(), "io.netbroker.Route.NotSupported", "{reply}");
    assert_eq!(state(&host, a), before);
}

#[test]
fn a_deny_on_what_a_nexthop_object_can_have_meets_every_route_by_one() {
    let (host, a, _) = host();
    with_objects(&host, a);
    let by_object = json!({"destination": "10.30.0.0/16", "nexthop_id": 1});
    let plain = json!({"destination": "10.31.0.0/16", "gateway": "10.0.1.9", "link": "v1"});
    for said in [
        "link = \"v0\"",
        "gateway = \"10.0.0.0/24\"",
        "onlink = true",
        "route_type = \"blackhole\"",
        "nexthops.weight = 7",
        "touches = { link = \"v0\" }",
        "nexthop_id = \"1..3\"",
    ] {
        host.policy(&format!("{EVERYTHING}\n[[deny]]\nid = \"d\"\nwho = \"*\"\ncall = \"Route.Add\"\n{said}\n"));
        let before = state(&host, a);
        assert_eq!(route(&host, "Add", a, &by_object).error(), "io.netbroker.Route.Denied", "{said}");
        assert_eq!(state(&host, a), before);
        route(&host, "Add", a, &plain).ok();
        host.ip_in(a, "route del 10.31.0.0/16");
    }
    // An allow must name the number. It then considers nothing else of the object.
    let allow =
        "[[allow]]\nid = \"a\"\nwho = \"*\"\ncall = \"Route.Add\"\nnetns = \"a\"\ndestination = \"*\"\nlink = \"v1\"\n";
    host.policy(allow);
    assert_eq!(route(&host, "Add", a, &by_object).error(), "io.netbroker.Route.Denied");
    host.policy(&format!("{allow}nexthop_id = \"1..5\"\n"));
    assert_eq!(
        route(&host, "Add", a, &json!({"destination": "10.30.0.0/16", "nexthop_id": 6})).error(),
        "io.netbroker.Route.Denied"
    );
    route(&host, "Add", a, &by_object).ok();
}
