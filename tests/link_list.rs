// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Link.List`: what `ip -d link` reports; one link, all links, and several replies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::scene::open_host as host;
use common::{BOB, Host, Reply};
use netbroker::call::{self, Part, Shape};
use serde_json::{Value, json};

/// A call by bob, who may only look.
fn ask(host: &Host, fields: Value) -> Reply {
    host.as_uid(BOB).call("Link.List", fields)
}

fn list(host: &Host, fields: Value) -> Vec<Value> {
    ask(host, fields).ok()["links"].as_array().unwrap().clone()
}

fn ip_links(host: &Host, netns: &str) -> Vec<Value> {
    serde_json::from_str(&host.ip_in(netns, "-j -d link show")).unwrap()
}

/// Asserts that the call declares every member, and that none is missing that is always reported.
fn assert_declared(parts: &[Part], told: &Value) {
    let members = told.as_object().unwrap();
    for (name, value) in members {
        let part = parts.iter().find(|part| part.name == name).unwrap_or_else(|| panic!("{name} is not declared"));
        match part.ty {
            Shape::Bool => assert!(value.is_boolean(), "{name}: {value}"),
            Shape::Int => assert!(value.is_i64() || value.is_u64(), "{name}: {value}"),
            Shape::String => assert!(value.is_string(), "{name}: {value}"),
            Shape::Strings => assert!(value.as_array().unwrap().iter().all(Value::is_string), "{name}: {value}"),
            Shape::Object(inner) => assert_declared(&inner.all(), value),
            Shape::List(_, inner) => {
                value.as_array().unwrap().iter().for_each(|value| assert_declared(&inner.all(), value));
            }
        }
    }
    for part in parts.iter().filter(|part| part.always) {
        assert!(members.contains_key(part.name), "{} is missing: {told}", part.name);
    }
}

/// Each member of `ip -j -d link` that the call also reports.
fn assert_like_ip(told: &Value, ip: &Value) {
    let lower = |value: &Value| value.as_str().unwrap().to_lowercase();
    for (name, theirs) in [
        ("link", "ifname"),
        ("link_index", "ifindex"),
        ("mtu", "mtu"),
        ("qdisc", "qdisc"),
        ("promiscuity", "promiscuity"),
        ("mac", "address"),
        ("broadcast", "broadcast"),
        ("alias", "ifalias"),
        ("master", "master"),
        ("peer_nsid", "link_netnsid"),
    ] {
        assert_eq!(told.get(name), ip.get(theirs), "{name}\n{told:#}\n{ip:#}");
    }
    assert_eq!(told["operstate"], json!(lower(&ip["operstate"])));
    assert_eq!(told["linkmode"], json!(i32::from(ip["linkmode"] == "DORMANT")));
    assert_eq!(told["txqueuelen"].as_u64(), Some(ip.get("txqlen").and_then(Value::as_u64).unwrap_or(0)));
    assert_eq!(told.get("kind"), ip.pointer("/linkinfo/info_kind"));
    let words = |value: &Value| value.as_array().unwrap().iter().map(lower).collect::<Vec<_>>();
    let (mut ours, mut theirs) = (words(&told["flags"]), words(&ip["flags"]));
    ours.retain(|word| word != "running"); // ip reports its absence instead
    theirs.retain(|word| word != "no-carrier" && word != "m-down");
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs);
    assert_eq!(told["up"], json!(theirs.contains(&"up".to_owned())));
    assert_eq!(told["allmulticast"], json!(theirs.contains(&"allmulti".to_owned())));
    if let Some(bridge) = told.get("bridge") {
        let data = ip.pointer("/linkinfo/info_data").unwrap();
        assert_eq!(bridge["stp"], json!(data["stp_state"] != json!(0)));
        for name in ["forward_delay", "ageing_time"] {
            assert_eq!(bridge[name], data[name]);
        }
        assert_eq!(bridge.get("vlan_default_pvid"), data.get("vlan_default_pvid"));
        assert_eq!(bridge.get("vlan_filtering"), data.get("vlan_filtering").map(|on| json!(on != 0)).as_ref());
    }
}

fn furnished(host: &Host) {
    host.ip("netns add a");
    host.ip("netns add b");
    for words in [
        "link add v0 type veth peer name v1 netns b",
        "link add v2 mtu 1400 address 02:00:00:00:00:07 type veth peer name v3",
        "link add br0 up type bridge forward_delay 1700 ageing_time 20000",
        "link set v2 master br0 up promisc on txqueuelen 77 alias uplink",
        "link set v3 up allmulticast on multicast off arp off",
        "link set v3 mode dormant",
        "link add m0 link v3 type macvlan",
        "link add m1 link v3 type macvlan",
        "link set m1 netns b",
        "link add vx0 type vxlan id 7 dstport 4789",
        "link set lo up",
    ] {
        host.ip_in("a", words);
    }
}

/// The members that the declaration has for an element of the list.
fn link_parts() -> Vec<Part> {
    match call::by_name("Link.List").unwrap().result.parts[0].ty {
        Shape::List(_, parts) => parts.all(),
        _ => panic!("no list"),
    }
}

#[test]
fn every_member_is_what_iproute2_tells() {
    let host = host();
    furnished(&host);
    for netns in ["a", "b"] {
        let all = || list(&host, json!({ "netns": netns }));
        // Operational states follow a moment later. So only what was reported between two equal lists is compared.
        let (told, ip, by_name, by_index, by_both) = (0..50)
            .find_map(|_| {
                let (told, ip) = (all(), ip_links(&host, netns));
                let each = |fields: &dyn Fn(&Value) -> Value| -> Vec<Value> {
                    told.iter().flat_map(|link| list(&host, fields(link))).collect()
                };
                let by_name = each(&|link| json!({"netns": netns, "link": link["link"]}));
                let by_index = each(&|link| json!({"netns": netns, "index": link["link_index"]}));
                let by_both = each(&|link| json!({"netns": netns, "link": link["link"], "index": link["link_index"]}));
                (all() == told).then_some((told, ip, by_name, by_index, by_both))
            })
            .expect("the links come to rest");
        assert_eq!(told.len(), ip.len());
        told.iter().for_each(|told| assert_declared(&link_parts(), told));
        told.iter().zip(&ip).for_each(|(told, ip)| assert_like_ip(told, ip));
        assert_eq!((&by_name, &by_index, &by_both), (&told, &told, &told));
    }
}

#[test]
fn other_links_are_named_where_they_are_in_this_namespace() {
    let host = host();
    furnished(&host);
    let one = |netns: &str, link: &str| list(&host, json!({"netns": netns, "link": link}))[0].clone();
    let index = |netns: &str, link: &str| one(netns, link)["link_index"].clone();
    let nsid = |from: &str, of: &str| {
        host.ip_in(from, &format!("-j link show {of}")).parse::<Value>().unwrap()[0]["link_netnsid"].clone()
    };
    let v0 = one("a", "v0");
    assert_eq!((&v0["peer_index"], &v0["peer_nsid"]), (&index("b", "v1"), &nsid("a", "v0")));
    let v1 = one("b", "v1");
    assert_eq!((&v1["peer_index"], &v1["peer_nsid"]), (&index("a", "v0"), &nsid("b", "v1")));
    let v2 = one("a", "v2");
    assert_eq!((&v2["peer_index"], v2.get("peer_nsid")), (&index("a", "v3"), None));
    assert_eq!((&v2["master"], &v2["master_index"]), (&json!("br0"), &index("a", "br0")));
    assert!(v2.get("parent").is_none() && v2.get("parent_index").is_none());
    let m0 = one("a", "m0");
    assert_eq!((&m0["parent"], &m0["parent_index"]), (&json!("v3"), &index("a", "v3")));
    let m1 = one("b", "m1");
    assert_eq!((m1.get("parent"), &m1["parent_index"]), (None, &index("a", "v3")));
    assert_eq!(m1["peer_nsid"], nsid("b", "m1"));
    let lo = one("a", "lo");
    assert!(lo.get("kind").is_none() && lo.get("peer_index").is_none() && lo.get("bridge").is_none(), "{lo}");
}

#[test]
fn an_absent_link_is_an_error_and_a_contradiction_an_empty_list() {
    let host = host();
    furnished(&host);
    for (filter, field, name) in [(json!({"link": "eth9"}), "link", "eth9"), (json!({"index": 999}), "index", "999")] {
        let mut fields = filter.clone();
        fields["netns"] = json!("a");
        let reply = ask(&host, fields);
        assert_eq!(reply.error(), "io.netbroker.Link.NoSuchLink");
        assert_eq!((reply.get("field"), reply.get("name")), (json!(field), json!(name)));
        assert_eq!((reply.get("reason"), reply.get("errno")), (json!("absent"), json!(19)));
        assert_eq!(reply.get("errno_name"), json!("ENODEV"));
    }
    let index = list(&host, json!({"netns": "a", "link": "v2"}))[0]["link_index"].clone();
    assert_eq!(ask(&host, json!({"netns": "a", "link": "v3", "index": index})).ok(), json!({"links": []}));
    for index in [json!(0), json!(-1), json!(2_147_483_648_u32)] {
        let reply = ask(&host, json!({"netns": "a", "index": index}));
        assert_eq!((reply.error().as_str(), reply.get("field")), ("io.netbroker.Link.InvalidRequest", json!("index")));
    }
}

#[test]
fn a_name_that_is_no_text_is_escaped_and_breaks_nothing() {
    let host = host();
    let names = [
        ("x\\377y", "x\\xffy"),
        ("b\\\\s", "b\\x5cs"),
        ("e\\033[31m", "e\\x1b[31m"),
        ("\\303\\244", "ä"),
        ("q\"{}", "q\"{}"),
        ("at@home", "at@home"),
    ];
    for (printf, _) in names {
        host.sh(&format!("ip link add \"$(printf '{printf}')\" type bridge"));
        host.sh(&format!("ip link set \"$(printf '{printf}')\" alias \"$(printf 'A{printf}')\""));
    }
    // The kernel refuses `%` in the name of a link, but accepts it in an alternative name.
    host.sh("ip link add v0 type veth peer name v1; ip link property add dev v0 altname 'a%b'");
    host.sh("ip link set v1 master \"$(printf 'x\\377y')\"");
    let links = list(&host, json!({"netns": "@host"}));
    for (_, escaped) in names {
        let link =
            links.iter().find(|link| link["link"] == json!(escaped)).unwrap_or_else(|| panic!("{escaped}: {links:#?}"));
        assert_eq!(link["alias"], json!(format!("A{escaped}")));
        assert_eq!(list(&host, json!({"netns": "@host", "index": link["link_index"]})), std::slice::from_ref(link));
    }
    assert!(links.iter().any(|link| link["link"] == json!("v1") && link["master"] == json!("x\\xffy")), "{links:#?}");
    let streamed = host.caller().call_more("Link.List", json!({"netns": "@host"})).all();
    assert_eq!(streamed.iter().map(|part| part["links"].as_array().unwrap().len()).sum::<usize>(), links.len());
    let addresses = host.caller().call("Address.List", json!({"netns": "@host"}));
    addresses.ok();
}

#[test]
fn five_hundred_links_come_whole_and_with_more_in_several_replies() {
    let host = host();
    host.ip("netns add many");
    host.sh("for i in $(seq 250); do echo link add v$i type veth peer name p$i; done | ip -n many -batch -");
    let whole = ask(&host, json!({"netns": "many"}));
    assert_eq!(whole.messages().len(), 1);
    let links = whole.ok()["links"].as_array().unwrap().clone();
    assert_eq!(links.len(), 501);
    let ip = ip_links(&host, "many");
    links.iter().zip(&ip).for_each(|(told, ip)| assert_like_ip(told, ip));

    let streamed = host.as_uid(BOB).call_more("Link.List", json!({"netns": "many"}));
    let parts = streamed.all(); // asserts that all but the last have `continues`
    assert!(parts.len() > 4, "{} replies", parts.len());
    assert!(parts.iter().all(|part| part.as_object().unwrap().len() == 1), "{streamed}");
    let together: Vec<Value> = parts.iter().flat_map(|part| part["links"].as_array().unwrap().clone()).collect();
    assert_eq!(together, links);
    // One link is one reply, with `more` or without.
    let one = host.caller().call_more("Link.List", json!({"netns": "many", "link": "v250"}));
    assert_eq!(one.all().len(), 1);
    let none = host.caller().call_more("Link.List", json!({"netns": "many", "link": "v251"}));
    assert_eq!((none.error().as_str(), none.messages().len()), ("io.netbroker.Link.NoSuchLink", 1));
}
