// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Neighbour.Add`, `Neighbour.Replace` and `Neighbour.Delete` against their twins `ip neigh`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{ProxyForAll, open_host};
use common::{Host, Reply};
use serde_json::{Value, json};

const MAC: &str = "02:00:00:00:00:11";
const OTHER: &str = "02:00:00:00:00:22";

/// Twins, each with a pair that is up, a bridge that sends no ARP, and a tun device, which is point-to-point.
fn host() -> (Host, &'static str, &'static str) {
    let host = open_host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        for words in [
            "link add v0 type veth peer name v1",
            "link set v0 addrgenmode none", // before it goes up: the kernel may make a link-local address then
            "link set v1 addrgenmode none",
            "link set v0 up",
            "link set v1 up",
            "link add br0 type bridge",
            "link set br0 addrgenmode none",
            "link set br0 up arp off",
            "link set lo up",
        ] {
            host.ip_in(netns, words);
        }
    }
    (host, a, b)
}

fn act(host: &Host, verb: &str, netns: &str, fields: &Value) -> Reply {
    let mut all = json!({"netns": netns, "link": "v0"});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    host.caller().call(&format!("Neighbour.{verb}"), all)
}

/// Neighbours and proxy entries of a namespace, sorted: the kernel's order is that of a hash table. Entries that come
/// from the kernel's own reports of multicast groups are left out.
fn neighbours(host: &Host, netns: &str) -> Vec<String> {
    told(host, netns, |_| true)
}

/// The entries of an address.
fn of(host: &Host, netns: &str, address: &Value) -> Vec<String> {
    told(host, netns, |entry| entry["dst"] == *address)
}

fn told(host: &Host, netns: &str, chosen: impl Fn(&Value) -> bool) -> Vec<String> {
    let mut all = Vec::new();
    for words in ["-j neigh show nud all", "-j neigh show proxy"] {
        let told: Value = serde_json::from_str(&host.ip_in(netns, words)).unwrap();
        let own =
            |entry: &&Value| !["ff02::", "224.0.0.22"].iter().any(|of| entry["dst"].as_str().unwrap().starts_with(of));
        all.extend(told.as_array().unwrap().iter().filter(own).filter(|entry| chosen(entry)).map(Value::to_string));
    }
    all.sort();
    all
}

#[test]
fn each_field_does_what_iproute2_does() {
    let (host, a, b) = host();
    let steps = [
        ("Add", json!({"address": "10.0.0.1", "mac": MAC}), "add 10.0.0.1 lladdr MAC"),
        ("Add", json!({"address": "2001:db8::1", "mac": MAC}), "add 2001:db8::1 lladdr MAC"),
        ("Add", json!({"address": "fe80::1", "mac": MAC}), "add fe80::1 lladdr MAC"),
        (
            "Add",
            json!({"address": "10.0.0.2", "mac": MAC, "state": "reachable"}),
            "add 10.0.0.2 lladdr MAC nud reachable",
        ),
        ("Add", json!({"address": "10.0.0.3", "mac": MAC, "state": "stale"}), "add 10.0.0.3 lladdr MAC nud stale"),
        ("Add", json!({"address": "10.0.0.4", "mac": MAC, "state": "noarp"}), "add 10.0.0.4 lladdr MAC nud noarp"),
        ("Add", json!({"address": "10.0.0.5", "state": "none"}), "add 10.0.0.5 nud none"),
        ("Add", json!({"address": "10.0.0.6", "state": "incomplete"}), "add 10.0.0.6 nud incomplete"),
        ("Add", json!({"address": "10.0.0.7", "state": "failed"}), "add 10.0.0.7 nud failed"),
        (
            "Add",
            json!({"address": "10.0.0.8", "mac": MAC, "state": "permanent"}),
            "add 10.0.0.8 lladdr MAC nud permanent",
        ),
        ("Add", json!({"address": "10.0.0.9", "proxy": true}), "add proxy 10.0.0.9"),
        ("Add", json!({"address": "2001:db8::9", "proxy": true}), "add proxy 2001:db8::9"),
        ("Add", json!({"address": "10.0.0.9", "mac": MAC}), "add 10.0.0.9 lladdr MAC"), // it has a proxy entry, too
        ("Add", json!({"address": "224.0.0.9", "mac": MAC}), "add 224.0.0.9 lladdr MAC"),
        ("Replace", json!({"address": "10.0.0.1", "mac": OTHER}), "replace 10.0.0.1 lladdr OTHER"),
        (
            "Replace",
            json!({"address": "10.0.0.1", "mac": OTHER, "state": "stale"}),
            "replace 10.0.0.1 lladdr OTHER nud stale",
        ),
        ("Replace", json!({"address": "10.0.0.1", "state": "failed"}), "replace 10.0.0.1 nud failed"),
        ("Replace", json!({"address": "10.0.0.10", "mac": MAC}), "replace 10.0.0.10 lladdr MAC"),
        ("Replace", json!({"address": "2001:db8::1", "mac": OTHER}), "replace 2001:db8::1 lladdr OTHER"),
        ("Replace", json!({"address": "10.0.0.9", "proxy": true}), "replace proxy 10.0.0.9"),
        ("Replace", json!({"address": "10.0.0.19", "proxy": true}), "replace proxy 10.0.0.19"),
        ("Delete", json!({"address": "10.0.0.9"}), "del 10.0.0.9"), // and not its proxy entry
        ("Delete", json!({"address": "10.0.0.19", "proxy": true}), "del proxy 10.0.0.19"),
        ("Delete", json!({"address": "2001:db8::9", "proxy": true}), "del proxy 2001:db8::9"),
        ("Delete", json!({"address": "10.0.0.4"}), "del 10.0.0.4"),
        ("Delete", json!({"address": "10.0.0.5"}), "del 10.0.0.5"),
        ("Delete", json!({"address": "fe80::1"}), "del fe80::1"),
        ("Add", json!({"address": "10.0.0.1", "mac": MAC, "link": "br0"}), "add 10.0.0.1 lladdr MAC dev br0"),
        ("Add", json!({"address": "2001:db8::1", "mac": MAC, "link": "lo"}), "add 2001:db8::1 lladdr MAC dev lo"),
        ("Add", json!({"address": "0.0.0.0", "mac": MAC, "link": "lo"}), "add 0.0.0.0 lladdr MAC dev lo"),
        ("Delete", json!({"address": "0.0.0.0", "link": "lo"}), "del 0.0.0.0 dev lo"),
    ];
    for (verb, fields, words) in steps {
        assert_eq!(act(&host, verb, a, &fields).ok(), json!({}), "{verb} {fields}");
        let dev = if words.contains(" dev ") { "" } else { " dev v0" };
        host.ip_in(b, &format!("neigh {}{dev}", words.replace("MAC", MAC).replace("OTHER", OTHER)));
        // Of this address only: the kernel may remove a failed entry at any time, where the machine has more than 128.
        let address = &fields["address"];
        assert_eq!(of(&host, a, address), of(&host, b, address), "{verb} {fields}");
    }
    assert!(neighbours(&host, a).len() > 8);
}

#[test]
fn a_neighbour_that_is_there_is_the_same_or_an_error_that_names_what_differs() {
    let (host, a, _) = host();
    let v4 = json!({"address": "10.0.0.1", "mac": MAC});
    let v6 = json!({"address": "2001:db8::1", "mac": MAC, "state": "noarp"});
    let none = json!({"address": "10.0.0.2", "state": "none"});
    let proxy = json!({"address": "10.0.0.1", "proxy": true});
    let all = [&v4, &v6, &none, &proxy];
    for fields in all {
        act(&host, "Add", a, fields).ok();
    }
    let before = neighbours(&host, a);
    let with = |base: &Value, changes: Value| {
        let mut changed = base.clone();
        changed["exists_ok"] = json!(true);
        changed.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        changed
    };
    for fields in all {
        act(&host, "Add", a, &with(fields, json!({}))).ok();
        let again = act(&host, "Add", a, fields);
        assert_eq!(again.error(), "io.netbroker.Neighbour.AlreadyExists");
        assert_eq!((again.get("errno"), again.get("may_have_changed")), (json!(17), json!(false)));
    }
    for (base, changes, field) in [
        (&v4, json!({"mac": OTHER}), "mac"),
        (&v4, json!({"state": "stale"}), "state"),
        (&v6, json!({"state": "permanent"}), "state"),
        (&none, json!({"state": "incomplete"}), "state"),
        (&none, json!({"state": "permanent", "mac": MAC}), "mac"),
    ] {
        let reply = act(&host, "Add", a, &with(base, changes.clone()));
        assert_eq!(reply.error(), "io.netbroker.Neighbour.AlreadyExists", "{changes}: {reply}");
        assert_eq!((reply.get("field"), reply.get("errno")), (json!(field), json!(17)), "{reply}");
    }
    assert_eq!(neighbours(&host, a), before);
}

#[test]
fn an_absent_neighbour_is_not_found_or_missing_ok() {
    let (host, a, _) = host();
    act(&host, "Add", a, &json!({"address": "10.0.0.1", "mac": MAC})).ok();
    act(&host, "Add", a, &json!({"address": "10.0.0.2", "proxy": true})).ok();
    let before = neighbours(&host, a);
    for fields in [
        json!({"address": "10.0.0.2"}),
        json!({"address": "10.0.0.1", "proxy": true}),
        json!({"address": "10.0.0.1", "link": "v1"}),
        json!({"address": "10.0.0.2", "proxy": true, "link": "v1"}),
        json!({"address": "2001:db8::1"}),
        json!({"address": "10.0.0.1", "link": "lo"}),
    ] {
        let reply = act(&host, "Delete", a, &fields);
        assert_eq!(reply.error(), "io.netbroker.Neighbour.NotFound", "{fields}: {reply}");
        assert_eq!((reply.get("errno"), reply.get("errno_name")), (json!(2), json!("ENOENT")));
        let mut tolerant = fields.clone();
        tolerant["missing_ok"] = json!(true);
        act(&host, "Delete", a, &tolerant).ok();
        assert_eq!(neighbours(&host, a), before, "{fields}");
    }
    let absent = json!({"address": "10.0.0.1", "link": "v9"});
    assert_eq!(act(&host, "Delete", a, &absent).error(), "io.netbroker.Neighbour.NoSuchLink");
    // `missing_ok` is about the neighbour, not about its link.
    let mut tolerant = absent;
    tolerant["missing_ok"] = json!(true);
    assert_eq!(act(&host, "Delete", a, &tolerant).error(), "io.netbroker.Neighbour.NoSuchLink");
}

#[test]
fn what_cannot_be_is_refused_and_nothing_changes() {
    let (host, a, _) = host();
    let _proxy = ProxyForAll::add(&host, a, "10.0.0.201");
    let before = neighbours(&host, a);
    let mac = |address: &str| json!({"address": address, "mac": MAC});
    let invalid = |field: &str| ("InvalidRequest", json!({"field": field}));
    let unsuitable = |field: &str| ("KernelRefused", json!({"field": field, "may_have_changed": false}));
    let cases = [
        (mac("10.0.0.1/24"), invalid("address")),
        (mac("10.0.0.1/32"), invalid("address")),
        (mac("::ffff:10.0.0.1"), invalid("address")),
        (mac("fe80::1%v0"), invalid("address")),
        (mac("x"), invalid("address")),
        (json!({"address": "10.0.0.1"}), unsuitable("mac")),
        (json!({"address": "10.0.0.1", "state": "stale"}), unsuitable("mac")),
        (json!({"address": "10.0.0.1", "mac": "02:00:00:00:00"}), unsuitable("mac")),
        (json!({"address": "10.0.0.1", "mac": "02:00:00:00:00:01:02"}), unsuitable("mac")),
        (json!({"address": "10.0.0.1", "mac": MAC, "state": "none"}), invalid("mac")),
        (json!({"address": "10.0.0.1", "mac": MAC, "state": "incomplete"}), invalid("mac")),
        (json!({"address": "10.0.0.1", "mac": MAC, "state": "failed"}), invalid("mac")),
        (json!({"address": "10.0.0.1", "mac": MAC, "state": "gone"}), invalid("state")),
        (json!({"address": "10.0.0.1", "mac": MAC, "proxy": true}), invalid("mac")),
        (json!({"address": "10.0.0.1", "state": "stale", "proxy": true}), invalid("state")),
        (json!({"address": "10.0.0.1", "mac": MAC, "link": "lo"}), unsuitable("address")),
        (json!({"address": "10.0.0.201", "proxy": true}), ("AlreadyExists", json!({"field": "link", "errno": 17}))),
        (json!({"address": "10.0.0.1", "mac": MAC, "link": "v9"}), ("NoSuchLink", json!({"name": "v9", "errno": 19}))),
    ];
    for verb in ["Add", "Replace"] {
        for (fields, (error, told)) in &cases {
            let reply = act(&host, verb, a, fields);
            assert_eq!(reply.error(), format!("io.netbroker.Neighbour.{error}"), "{fields}: {reply}");
            for (name, value) in told.as_object().unwrap() {
                assert_eq!(&reply.get(name), value, "{name}: {reply}");
            }
            assert_eq!(neighbours(&host, a), before, "{verb} {fields}");
        }
    }
    host.sh("ip netns exec a sysctl -qw net.ipv6.conf.v0.disable_ipv6=1");
    let reply = act(&host, "Add", a, &mac("2001:db8::1"));
    assert_eq!((reply.error().as_str(), reply.get("errno")), ("io.netbroker.Neighbour.KernelRefused", json!(22)));
    assert_eq!(reply.get("message"), json!("IPv6 is disabled on this device"));
    assert_eq!(neighbours(&host, a), before);
}

#[test]
fn flags_do_what_iproute2_does() {
    let (host, a, b) = host();
    for (verb, fields, words) in [
        ("Add", json!({"address": "10.0.0.1", "mac": MAC, "router": true}), "add 10.0.0.1 lladdr MAC router"),
        ("Add", json!({"address": "2001:db8::1", "mac": MAC, "router": true}), "add 2001:db8::1 lladdr MAC router"),
        (
            "Add",
            json!({"address": "10.0.0.2", "mac": MAC, "state": "stale", "extern_learn": true, "protocol": 186}),
            "add 10.0.0.2 lladdr MAC nud stale extern_learn protocol bgp",
        ),
        ("Replace", json!({"address": "10.0.0.1", "mac": OTHER}), "replace 10.0.0.1 lladdr OTHER"),
        (
            "Replace",
            json!({"address": "10.0.0.2", "mac": MAC, "router": true, "protocol": 4}),
            "replace 10.0.0.2 lladdr MAC router protocol static",
        ),
        ("Replace", json!({"address": "10.0.0.2", "mac": MAC}), "replace 10.0.0.2 lladdr MAC"), // keeps its origin
    ] {
        assert_eq!(act(&host, verb, a, &fields).ok(), json!({}), "{fields}");
        host.ip_in(b, &format!("neigh {} dev v0", words.replace("MAC", MAC).replace("OTHER", OTHER)));
        assert_eq!(neighbours(&host, a), neighbours(&host, b), "{words}");
    }
    let flags = |address: &str| {
        let found = act(&host, "Get", a, &json!({ "address": address })).ok();
        found["neighbour"]["flags"].clone()
    };
    act(&host, "Add", a, &json!({"address": "10.0.0.3", "state": "none", "managed": true})).ok();
    host.ip_in(b, "neigh add 10.0.0.3 dev v0 managed");
    assert_eq!(flags("10.0.0.3"), json!(["managed"]));
    assert!(host.ip_in(b, "neigh show 10.0.0.3 dev v0 nud all").contains("managed"));
    act(&host, "Add", a, &json!({"address": "10.0.0.3", "state": "none", "managed": true, "exists_ok": true})).ok();
    act(&host, "Add", a, &json!({"address": "10.0.0.4", "state": "none", "use": true})).ok();
    host.ip_in(b, "neigh add 10.0.0.4 dev v0 use");
    let state = |netns| host.ip_in(netns, "neigh show 10.0.0.4 dev v0 nud all");
    assert!(state(a).contains("INCOMPLETE") || state(a).contains("FAILED"), "{} {}", state(a), state(b));
    let before = neighbours(&host, a);
    for (fields, field) in [
        (json!({"address": "10.0.0.9", "managed": true}), "state"),
        (json!({"address": "10.0.0.9", "use": true, "mac": MAC, "state": "stale"}), "state"),
        (json!({"address": "10.0.0.9", "use": true, "managed": true, "state": "none"}), "managed"),
        (json!({"address": "10.0.0.9", "proxy": true, "router": true}), "router"),
        (json!({"address": "10.0.0.9", "proxy": true, "protocol": 4}), "protocol"),
        (json!({"address": "10.0.0.9", "mac": MAC, "protocol": 0}), "protocol"),
    ] {
        for verb in ["Add", "Replace"] {
            let reply = act(&host, verb, a, &fields);
            assert_eq!(reply.error(), "io.netbroker.Neighbour.InvalidRequest", "{fields}: {reply}");
            assert_eq!(reply.get("field"), json!(field), "{fields}: {reply}");
        }
    }
    assert_eq!(before.len(), neighbours(&host, a).len());
}

#[test]
fn get_reports_one_as_list_does() {
    let (host, a, _) = host();
    host.ip_in(a, &format!("neigh add 10.0.0.1 lladdr {MAC} dev v0"));
    host.ip_in(a, "neigh add proxy 10.0.0.2 dev v0");
    let listed = act(&host, "List", a, &json!({})).ok()["neighbours"].clone();
    let own = listed.as_array().unwrap().iter().find(|one| one["address"] == json!("10.0.0.1")).unwrap().clone();
    let got = act(&host, "Get", a, &json!({"address": "10.0.0.1"})).ok()["neighbour"].clone();
    let steady = |value: &Value| {
        let mut value = value.clone();
        for time in ["confirmed", "used", "updated", "users"] {
            value.as_object_mut().unwrap().remove(time);
        }
        value
    };
    assert_eq!(steady(&got), steady(&own));
    assert_eq!(got["link"], json!("v0"));
    let proxy = act(&host, "Get", a, &json!({"address": "10.0.0.2", "proxy": true})).ok()["neighbour"].clone();
    assert_eq!(proxy["address"], json!("10.0.0.2"));
    for fields in [json!({"address": "10.0.0.2"}), json!({"address": "10.0.0.1", "proxy": true})] {
        let reply = act(&host, "Get", a, &fields);
        assert_eq!(reply.error(), "io.netbroker.Neighbour.NotFound", "{reply}");
        assert_eq!(reply.get("field"), json!("address"));
    }
    let reply = act(&host, "Get", a, &json!({"link": "nope", "address": "10.0.0.1"}));
    assert_eq!(reply.error(), "io.netbroker.Neighbour.NoSuchLink");
}

#[test]
fn a_flush_deletes_what_iproute2_deletes() {
    let (host, a, b) = host();
    let fill = |netns: &str| {
        for (address, state) in [
            ("10.0.0.1", "permanent"),
            ("10.0.0.2", "stale"),
            ("10.0.0.3", "noarp"),
            ("10.0.0.4", "reachable"),
            ("2001:db8::1", "stale"),
        ] {
            host.ip_in(netns, &format!("neigh replace {address} lladdr {MAC} nud {state} dev v0"));
            host.ip_in(netns, &format!("neigh replace {address} lladdr {MAC} nud permanent dev v1"));
        }
        host.ip_in(netns, "neigh replace proxy 10.0.0.1 dev v0");
        host.ip_in(netns, "neigh replace proxy 10.0.0.2 dev v0");
        host.ip_in(netns, "neigh replace proxy 10.0.0.1 dev v1");
    };
    // ip neigh flush does not delete proxy entries.
    for (fields, words, deleted) in [
        (json!({"family": "inet"}), "-4 neigh flush dev v0", 2),
        (json!({"address": "10.0.0.2"}), "neigh flush dev v0 to 10.0.0.2", 1),
        (json!({"address": "10.0.0.1"}), "neigh flush dev v0 to 10.0.0.1", 0),
        (json!({"address": "10.0.0.1", "states": ["permanent"]}), "neigh flush dev v0 to 10.0.0.1 nud permanent", 1),
        (json!({"states": ["stale"], "family": "inet6"}), "-6 neigh flush dev v0 nud stale", 1),
        (
            json!({"states": ["noarp", "reachable"], "family": "inet"}),
            "-4 neigh flush dev v0 nud noarp nud reachable",
            2,
        ),
    ] {
        fill(a);
        fill(b);
        assert_eq!(act(&host, "Flush", a, &fields).ok(), json!({"deleted": deleted}), "{fields}");
        host.ip_in(b, words);
        assert_eq!(neighbours(&host, a), neighbours(&host, b), "{words}");
    }
    fill(a);
    assert_eq!(act(&host, "Flush", a, &json!({"proxy": true})).ok(), json!({"deleted": 2}));
    assert!(host.ip_in(a, "neigh show proxy").contains("10.0.0.1 dev v1"));
    assert_eq!(host.ip_in(a, "neigh show proxy dev v0"), "");
    let before = neighbours(&host, a);
    for (fields, field) in [
        (json!({"address": "10.0.0.1/32"}), "address"),
        (json!({"address": "10.0.0.1", "family": "inet6"}), "address"),
        (json!({"states": ["stale"], "proxy": true}), "states"),
        (json!({"states": []}), "states"),
        (json!({"states": ["gone"]}), "states"),
    ] {
        let reply = act(&host, "Flush", a, &fields);
        assert_eq!(reply.error(), "io.netbroker.Neighbour.InvalidRequest", "{fields}: {reply}");
        assert_eq!(reply.get("field"), json!(field), "{fields}: {reply}");
    }
    let deny = "[[deny]]\nid = \"d\"\nwho = \"*\"\ncall = \"@change\"\naddress = \"10.0.0.0/8\"\n";
    host.policy(&format!("{}\n{deny}", common::scene::EVERYTHING));
    assert_eq!(act(&host, "Flush", a, &json!({})).error(), "io.netbroker.Neighbour.Denied");
    assert_eq!(neighbours(&host, a), before);
}
