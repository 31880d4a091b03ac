// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Neighbour.List`: what `ip neigh` reports, its filters, and what the policy decides about `Neighbour.*`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{EVERYTHING, ProxyForAll, open_host};
use common::{BOB, Host, Reply};
use netbroker::call::{self, Shape};
use serde_json::{Value, json};

/// A namespace `a` with neighbours of every sort. Its links are down, so that they add none by themselves.
fn host() -> Host {
    let host = open_host();
    host.ip("netns add a");
    for words in [
        "link add v0 type veth peer name v1",
        "neigh add 10.0.0.1 lladdr 02:00:00:00:00:01 dev v0",
        "neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 nud stale router dev v0",
        "neigh add 10.0.0.3 nud none dev v0",
        "neigh add 10.0.0.4 nud incomplete dev v1",
        "neigh add 10.0.0.5 lladdr 02:00:00:00:00:05 nud noarp extern_learn dev v1",
        "neigh add 10.0.0.6 lladdr 02:00:00:00:00:06 protocol static dev v1",
        "neigh add 2001:db8::1 lladdr 02:00:00:00:00:01 dev v0",
        "neigh add 2001:db8::2 lladdr 02:00:00:00:00:02 nud reachable router dev v1",
        "neigh add proxy 10.0.0.1 dev v0",
        "neigh add proxy 2001:db8::9 dev v1 router",
    ] {
        host.ip_in("a", words);
    }
    host
}

fn ask(host: &Host, mut filters: Value) -> Reply {
    let mut fields = json!({"netns": "a"});
    fields.as_object_mut().unwrap().append(filters.as_object_mut().unwrap());
    host.as_uid(BOB).call("Neighbour.List", fields)
}

fn list(host: &Host, filters: Value) -> Vec<Value> {
    ask(host, filters).ok()["neighbours"].as_array().unwrap().clone()
}

fn words(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_lowercase()).collect()
}

fn assert_like_ip(told: &Value, ip: &Value) {
    for (name, theirs) in [("address", "dst"), ("link", "dev"), ("mac", "lladdr")] {
        assert_eq!(told.get(name), ip.get(theirs), "{name}\n{told:#}\n{ip:#}");
    }
    assert_eq!(told.get("link").is_some(), told.get("link_index").is_some(), "{told}");
    assert_eq!(words(&told["state"]), ip.get("state").map(words).unwrap_or_default(), "{told:#}\n{ip:#}");
    let flags = words(&told["flags"]);
    for (word, theirs) in [("router", "router"), ("ext_learned", "extern_learn"), ("proxy", "proxy")] {
        assert_eq!(flags.contains(&word.to_owned()), ip.get(theirs).is_some(), "{word}\n{told:#}\n{ip:#}");
    }
    assert!(flags.iter().all(|flag| ["router", "ext_learned", "proxy"].contains(&flag.as_str())), "{told}");
    assert_eq!(told.get("protocol").is_some(), ip.get("protocol").is_some(), "{told:#}\n{ip:#}");
    assert_eq!(told.get("probes"), ip.get("probes"), "{told:#}\n{ip:#}");
}

#[test]
fn every_member_is_what_iproute2_tells() {
    let host = host();
    let _proxy = ProxyForAll::add(&host, "a", "10.0.0.200");
    let Shape::List(_, parts) = call::by_name("Neighbour.List").unwrap().result.parts[0].ty else { panic!("no list") };
    let parts = parts.all();
    let name = |entry: &Value, key: &str, dev: &str| format!("{} {:?}", entry[key], entry.get(dev));
    for (filters, asked, count) in [(json!({}), "nud all", 8), (json!({"proxy": true}), "proxy", 3)] {
        let mut told = list(&host, filters);
        let mut ip: Value = serde_json::from_str(&host.ip_in("a", &format!("-j -s neigh show {asked}"))).unwrap();
        let ip = ip.as_array_mut().unwrap();
        told.sort_by_key(|entry| name(entry, "address", "link"));
        ip.sort_by_key(|entry| name(entry, "dst", "dev"));
        assert_eq!((told.len(), ip.len()), (count, count), "{told:#?}\n{ip:#?}");
        for (told, ip) in told.iter().zip(ip) {
            assert_like_ip(told, ip);
            let members = told.as_object().unwrap();
            assert!(members.keys().all(|name| parts.iter().any(|part| part.name == name)), "{told}");
            assert!(parts.iter().filter(|part| part.always).all(|part| members.contains_key(part.name)), "{told}");
        }
        let timed = |entry: &Value| ["confirmed", "used", "updated", "users"].iter().all(|t| entry[*t].is_u64());
        assert_eq!(told.iter().filter(|entry| timed(entry)).count(), if count == 8 { 8 } else { 0 });
    }
}

#[test]
fn filters_and_their_combinations_choose_as_they_say() {
    let host = host();
    let _proxy = ProxyForAll::add(&host, "a", "10.0.0.200");
    let key = |entry: &Value| entry["address"].to_string();
    let sorted = |mut list: Vec<Value>| {
        list.sort_by_key(key);
        list.iter().map(key).collect::<Vec<_>>()
    };
    let all = list(&host, json!({}));
    let proxies = list(&host, json!({"proxy": true}));
    let index = all.iter().find(|entry| entry["link"] == "v1").unwrap()["link_index"].clone();
    let v6 = |entry: &Value| entry["address"].as_str().unwrap().contains(':');
    let on = |name: &'static str| move |entry: &Value| entry["link"] == name;
    type Choice<'a> = &'a dyn Fn(&Value) -> bool;
    let cases: [(Value, &Vec<Value>, Choice<'_>, usize); 12] = [
        (json!({"link": "v0"}), &all, &on("v0"), 4),
        (json!({"index": index}), &all, &on("v1"), 4),
        (json!({"family": "inet"}), &all, &|e| !v6(e), 6),
        (json!({"family": "inet6"}), &all, &v6, 2),
        (json!({"link": "v0", "family": "inet6"}), &all, &|e| on("v0")(e) && v6(e), 1),
        (json!({"link": "v1", "index": index}), &all, &on("v1"), 4),
        (json!({"link": "v0", "index": index}), &all, &|_| false, 0),
        (json!({"link": "lo"}), &all, &|_| false, 0),
        (json!({"proxy": true, "link": "v0"}), &proxies, &on("v0"), 1),
        (json!({"proxy": true, "index": index}), &proxies, &on("v1"), 1),
        (json!({"proxy": true, "family": "inet"}), &proxies, &|e| !v6(e), 2),
        (json!({"proxy": false, "family": "inet"}), &all, &|e| !v6(e), 6),
    ];
    for (filters, from, choice, count) in cases {
        let expected: Vec<Value> = from.iter().filter(|entry| choice(entry)).cloned().collect();
        assert_eq!(expected.len(), count, "the test's own count: {filters}");
        assert_eq!(sorted(list(&host, filters.clone())), sorted(expected), "{filters}");
    }
    for (filters, field, name) in [(json!({"link": "v9"}), "link", "v9"), (json!({"index": 999}), "index", "999")] {
        let reply = ask(&host, filters);
        assert_eq!(reply.error(), "io.netbroker.Neighbour.NoSuchLink");
        assert_eq!((reply.get("field"), reply.get("name")), (json!(field), json!(name)), "{reply}");
    }
}

#[test]
fn many_neighbours_come_in_several_replies_where_more_is_said() {
    let host = host();
    let _proxy = ProxyForAll::add(&host, "a", "10.0.0.200");
    host.sh(
        "for i in $(seq 100); do echo neigh add 10.9.0.$i lladdr 02:00:00:00:00:09 dev v0; done | ip -n a -batch -",
    );
    let parts = host.as_uid(BOB).call_more("Neighbour.List", json!({"netns": "a"})).all();
    assert!(parts.len() > 1, "{}", parts.len());
    let count: usize = parts.iter().map(|part| part["neighbours"].as_array().unwrap().len()).sum();
    assert_eq!(count, 108);
}

#[test]
fn the_policy_sees_an_address_with_all_its_bits() {
    let host = host();
    let _proxy = ProxyForAll::add(&host, "a", "10.0.0.200");
    host.policy(&format!(
        "{EVERYTHING}
        [[deny]]
        id = \"metadata\"
        who = \"*\"
        call = \"Neighbour.*\"
        address = \"169.254.169.254/32\"
        [[deny]]
        id = \"uplinks\"
        who = \"*\"
        call = \"@change\"
        touches = {{ netns = \"a\", link = \"v1\" }}
        [[allow]]
        id = \"bob\"
        who = \"uid:{BOB}\"
        call = \"Neighbour.Replace\"
        netns = \"a\"
        link = \"v0\"
        address = [\"10.1.0.0/16\", \"2001:db8:1::/48 len 128\"]
        mac = \"02:*\"\n"
    ));
    let replace = |uid: u32, changes: Value| {
        let mut fields = json!({"netns": "a", "link": "v0", "mac": "02:00:00:00:00:07"});
        fields.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        host.as_uid(uid).call("Neighbour.Replace", fields)
    };
    let all = || list(&host, json!({})).iter().map(|entry| entry["address"].to_string()).collect::<Vec<_>>();
    let before = all();
    let alice = common::ALICE;
    for (uid, changes, rule, field) in [
        (alice, json!({"address": "169.254.169.254"}), "metadata", "address"),
        (alice, json!({"address": "10.0.0.7", "link": "v1"}), "uplinks", "link"),
        (BOB, json!({"address": "10.2.0.1"}), "bob", "address"),
        (BOB, json!({"address": "2001:db8:2::1"}), "bob", "address"),
        (BOB, json!({"address": "10.1.0.1", "mac": "fa:16:3e:00:00:01"}), "bob", "mac"),
        (BOB, json!({"address": "10.1.0.1", "state": "stale"}), "bob", "state"),
        (BOB, json!({"address": "10.1.0.1", "proxy": true, "mac": null}), "bob", "proxy"),
    ] {
        let reply = replace(uid, changes.clone());
        assert_eq!(reply.error(), "io.netbroker.Neighbour.Denied", "{changes}: {reply}");
        assert_eq!((reply.get("rule"), reply.get("field")), (json!(rule), json!(field)), "{changes}");
        assert_eq!(all(), before, "{changes}");
    }
    for address in ["10.1.0.1", "2001:db8:1::1"] {
        replace(BOB, json!({"address": address})).ok();
    }
    assert_eq!(all().len(), before.len() + 2);
}
