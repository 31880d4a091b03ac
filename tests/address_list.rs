// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Address.List`: what `ip addr` reports, its filters, and what `Address.*` refuses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::open_host;
use common::{BOB, Host, Reply};
use netbroker::call::{self, Shape};
use serde_json::{Value, json};

/// A namespace `a` with addresses of every sort.
fn host() -> Host {
    let host = open_host();
    host.ip("netns add a");
    for words in [
        "link add v0 type veth peer name v1",
        "link set v0 addrgenmode none", // before it goes up: the kernel may make a link-local address then
        "link set v1 addrgenmode none",
        "link set v0 up",
        "link set v1 up",
        "link set lo up",
        "addr add 10.0.0.1/24 broadcast 10.0.0.255 dev v0",
        "addr add 10.0.0.2/24 dev v0 label v0:two",
        "addr add 10.0.1.1 peer 10.0.1.2/32 dev v0 scope link",
        "addr add 10.0.2.1/24 dev v0 noprefixroute metric 7 valid_lft 1000 preferred_lft 500",
        "addr add 10.0.3.1/24 dev v1 scope site preferred_lft 0",
        "addr add 2001:db8::1/64 dev v0 nodad",
        "addr add 2001:db8:1::1 peer 2001:db8:1::2/128 dev v0 nodad",
        "addr add 2001:db8:2::1/64 dev v1 nodad home noprefixroute metric 9 valid_lft 900 preferred_lft 0",
        "addr add fe80::7/64 dev v1 nodad",
    ] {
        host.ip_in("a", words);
    }
    host
}

fn ask(host: &Host, mut filters: Value) -> Reply {
    let mut fields = json!({"netns": "a"});
    fields.as_object_mut().unwrap().append(filters.as_object_mut().unwrap());
    host.as_uid(BOB).call("Address.List", fields)
}

fn list(host: &Host, filters: Value) -> Vec<Value> {
    ask(host, filters).ok()["addresses"].as_array().unwrap().clone()
}

/// What `ip` reports: each address with the name and index of its link.
fn ip_addresses(host: &Host) -> Vec<Value> {
    let links: Value = serde_json::from_str(&host.ip_in("a", "-j -d addr show")).unwrap();
    let mut addresses = Vec::new();
    for link in links.as_array().unwrap() {
        for address in link["addr_info"].as_array().unwrap() {
            let mut address = address.clone();
            address["ifname"] = link["ifname"].clone();
            address["ifindex"] = link["ifindex"].clone();
            addresses.push(address);
        }
    }
    addresses
}

fn assert_like_ip(told: &Value, ip: &Value) {
    assert_eq!(told["address"], json!(format!("{}/{}", ip["local"].as_str().unwrap(), ip["prefixlen"])));
    for (name, theirs) in [
        ("link", "ifname"),
        ("link_index", "ifindex"),
        ("broadcast", "broadcast"),
        ("label", "label"),
        ("metric", "metric"),
    ] {
        assert_eq!(told.get(name), ip.get(theirs), "{name}\n{told:#}\n{ip:#}");
    }
    let peer = ip.get("address").map(|peer| json!(format!("{}/{}", peer.as_str().unwrap(), ip["prefixlen"])));
    assert_eq!(told.get("peer_address"), peer.as_ref());
    let scopes = [("global", 0), ("site", 200), ("link", 253), ("host", 254)];
    let scope = scopes.iter().find(|(word, _)| ip["scope"] == json!(word)).unwrap();
    assert_eq!(told["scope"], json!(scope.1));
    for (name, theirs) in [("valid_lifetime", "valid_life_time"), ("preferred_lifetime", "preferred_life_time")] {
        let (ours, theirs) = (told[name].as_u64().unwrap(), ip[theirs].as_u64().unwrap());
        assert!(ours.abs_diff(theirs) <= 3, "{name}: {ours} {theirs}");
    }
    let flags = told["flags"].as_array().unwrap();
    let words = [
        ("secondary", "secondary"),
        ("nodad", "nodad"),
        ("homeaddress", "home"),
        ("deprecated", "deprecated"),
        ("tentative", "tentative"),
        ("dadfailed", "dadfailed"),
        ("noprefixroute", "noprefixroute"),
    ];
    for (word, theirs) in words {
        assert_eq!(flags.contains(&json!(word)), ip.get(theirs).is_some(), "{word}\n{told:#}\n{ip:#}");
    }
    assert_eq!(flags.contains(&json!("permanent")), ip.get("dynamic").is_none(), "{told:#}\n{ip:#}");
    let known = |flag: &Value| words.iter().any(|(word, _)| flag == word) || flag == "permanent";
    assert!(flags.iter().all(known), "{told}");
}

#[test]
fn every_member_is_what_iproute2_tells() {
    let host = host();
    let (mut told, mut ip) = (list(&host, json!({})), ip_addresses(&host));
    assert_eq!(told.len(), 11);
    // Both report IPv4 first, but ip groups the addresses by link.
    told.sort_by_key(|address| address["address"].to_string());
    ip.sort_by_key(|address| format!("\"{}/{}\"", address["local"].as_str().unwrap(), address["prefixlen"]));
    assert_eq!(told.len(), ip.len());
    let Shape::List(_, parts) = call::by_name("Address.List").unwrap().result.parts[0].ty else { panic!("no list") };
    let parts = parts.all();
    for (told, ip) in told.iter().zip(&ip) {
        assert_like_ip(told, ip);
        let members = told.as_object().unwrap();
        assert!(members.keys().all(|name| parts.iter().any(|part| part.name == name)), "{told}");
        assert!(parts.iter().filter(|part| part.always).all(|part| members.contains_key(part.name)), "{told}");
    }
}

#[test]
fn filters_and_their_combinations_choose_as_they_say() {
    let host = host();
    let all = list(&host, json!({}));
    let index = all.iter().find(|address| address["link"] == "v1").unwrap()["link_index"].clone();
    let v6 = |address: &Value| address["address"].as_str().unwrap().contains(':');
    let on = |name: &'static str| move |address: &Value| address["link"] == name;
    let scope = |number: i32| move |address: &Value| address["scope"] == number;
    type Choice<'a> = &'a dyn Fn(&Value) -> bool;
    let cases: [(Value, Choice<'_>, usize); 16] = [
        (json!({}), &|_| true, 11),
        (json!({"link": "v0"}), &on("v0"), 6),
        (json!({"index": index}), &on("v1"), 3),
        (json!({"family": "inet"}), &|a| !v6(a), 6),
        (json!({"family": "inet6"}), &v6, 5),
        (json!({"scope": "global"}), &scope(0), 6),
        (json!({"scope": "site"}), &scope(200), 1),
        (json!({"scope": "link"}), &scope(253), 2),
        (json!({"scope": "host"}), &scope(254), 2),
        (json!({"scope": "nowhere"}), &scope(255), 0),
        (json!({"link": "v0", "family": "inet6"}), &|a| on("v0")(a) && v6(a), 2),
        (json!({"link": "v0", "scope": "link"}), &|a| on("v0")(a) && scope(253)(a), 1),
        (json!({"index": index, "family": "inet", "scope": "site"}), &scope(200), 1),
        (json!({"family": "inet", "scope": "link"}), &|a| scope(253)(a) && !v6(a), 1),
        (json!({"link": "v1", "index": index}), &on("v1"), 3),
        (json!({"link": "v0", "index": index}), &|_| false, 0),
    ];
    for (filters, choice, count) in cases {
        let expected: Vec<Value> = all.iter().filter(|address| choice(address)).cloned().collect();
        assert_eq!(expected.len(), count, "the test's own count: {filters}");
        let steady = |mut list: Vec<Value>| {
            for address in &mut list {
                for name in ["valid_lifetime", "preferred_lifetime"] {
                    if address[name].as_u64() != Some(u32::MAX.into()) {
                        address[name] = json!("runs down");
                    }
                }
            }
            list
        };
        assert_eq!(steady(list(&host, filters.clone())), steady(expected), "{filters}");
    }
    for (filters, field, name) in [(json!({"link": "v9"}), "link", "v9"), (json!({"index": 999}), "index", "999")] {
        let reply = ask(&host, filters);
        assert_eq!(reply.error(), "io.netbroker.Address.NoSuchLink");
        assert_eq!((reply.get("field"), reply.get("name")), (json!(field), json!(name)), "{reply}");
        assert_eq!((reply.get("reason"), reply.get("errno")), (json!("absent"), json!(19)));
    }
}

#[test]
fn many_addresses_come_in_several_replies_where_more_is_said() {
    let host = host();
    host.sh("for i in $(seq 250); do echo addr add 10.9.$i.1/32 dev v0; done | ip -n a -batch -");
    let whole = list(&host, json!({"link": "v0", "family": "inet"}));
    assert_eq!(whole.len(), 254);
    let fields = json!({"netns": "a", "link": "v0", "family": "inet"});
    let parts = host.as_uid(BOB).call_more("Address.List", fields).all();
    assert!(parts.len() > 2, "{}", parts.len());
    let together = parts.iter().flat_map(|part| part["addresses"].as_array().unwrap());
    let names = |address: &Value| address["address"].clone();
    assert_eq!(together.map(names).collect::<Vec<_>>(), whole.iter().map(names).collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_is_refused_and_nothing_changes() {
    let host = host();
    let ready = "ip -n a -6 route show table all | grep -q";
    host.sh(&format!("until {ready} 'ff00::/8 dev v0 ' && {ready} 'ff00::/8 dev v1 '; do sleep 0.02; done"));
    let before = host.snapshot(&["a"]);
    let cases = [
        ("Add", json!({"address": "10.0.0.1/24"}), "AlreadyExists", json!({"errno": 17, "may_have_changed": false})),
        ("Add", json!({"address": "2001:db8::1/64"}), "AlreadyExists", json!({"errno": 17})),
        (
            "Add",
            json!({"address": "10.7.0.1/24", "valid_lifetime": 9, "preferred_lifetime": 10}),
            "KernelRefused",
            json!({"errno": 22}),
        ),
        (
            "Add",
            json!({"address": "10.7.0.1/24", "valid_lifetime": 0, "preferred_lifetime": 0}),
            "KernelRefused",
            json!({"errno": 22}),
        ),
        (
            "Add",
            json!({"address": "2001:db8::9/64", "broadcast": "10.0.0.255"}),
            "InvalidRequest",
            json!({"field": "broadcast"}),
        ),
        (
            "Add",
            json!({"address": "2001:db8::9/64", "broadcast": "2001:db8::ff"}),
            "InvalidRequest",
            json!({"field": "broadcast"}),
        ),
        (
            "Add",
            json!({"address": "10.7.0.1/24", "broadcast": "2001:db8::ff"}),
            "InvalidRequest",
            json!({"field": "broadcast"}),
        ),
        ("Add", json!({"address": "2001:db8::9/64", "label": "v0:x"}), "InvalidRequest", json!({"field": "label"})),
        (
            "Add",
            json!({"address": "2001:db8::9/64", "peer_address": "10.0.0.9/24"}),
            "InvalidRequest",
            json!({"field": "peer_address"}),
        ),
        (
            "Add",
            json!({"address": "10.7.0.1/24", "peer_address": "2001:db8::9/24"}),
            "InvalidRequest",
            json!({"field": "peer_address"}),
        ),
        (
            "Add",
            json!({"address": "10.7.0.1/24", "peer_address": "10.7.0.2/32"}),
            "InvalidRequest",
            json!({"field": "peer_address"}),
        ),
        (
            "Add",
            json!({"address": "10.7.0.1/24", "peer_address": "10.7.0.2"}),
            "InvalidRequest",
            json!({"field": "peer_address"}),
        ),
        ("Add", json!({"address": "10.7.0.1/24", "nodad": true}), "InvalidRequest", json!({"field": "nodad"})),
        (
            "Add",
            json!({"address": "10.7.0.1/24", "home_address": true}),
            "InvalidRequest",
            json!({"field": "home_address"}),
        ),
        ("Add", json!({"address": "10.7.0.1"}), "InvalidRequest", json!({"field": "address"})),
        ("Add", json!({"address": "10.7.0.1/33"}), "InvalidRequest", json!({"field": "address"})),
        ("Add", json!({"address": "::ffff:10.7.0.1/120"}), "InvalidRequest", json!({"field": "address"})),
        ("Add", json!({"address": "fe80::1%v0/64"}), "InvalidRequest", json!({"field": "address"})),
        ("Add", json!({"address": "ff02::1/64"}), "KernelRefused", json!({"errno": 99})),
        ("Add", json!({"address": "10.7.0.1/24", "scope": "wide"}), "InvalidRequest", json!({"field": "scope"})),
        (
            "Delete",
            json!({"address": "10.0.0.1/24", "peer_address": "2001:db8::9/24"}),
            "InvalidRequest",
            json!({"field": "peer_address"}),
        ),
        ("Delete", json!({"address": "10.7.0.1/24"}), "NotFound", json!({"errno": 99})),
    ];
    for (verb, fields, error, told) in cases {
        let mut all = json!({"netns": "a", "link": "v0"});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let reply = host.caller().call(&format!("Address.{verb}"), all);
        assert_eq!(reply.error(), format!("io.netbroker.Address.{error}"), "{fields}: {reply}");
        for (name, value) in told.as_object().unwrap() {
            assert_eq!(&reply.get(name), value, "{name}: {reply}");
        }
        assert_eq!(host.snapshot(&["a"]), before, "{fields}");
    }
    let absent = host.caller().call("Address.Add", json!({"netns": "a", "link": "v9", "address": "10.7.0.1/24"}));
    assert_eq!((absent.error().as_str(), absent.get("errno")), ("io.netbroker.Address.NoSuchLink", json!(19)));
}
