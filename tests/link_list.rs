// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Link.List`: what `ip -d link` reports; one link, all links, and several replies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

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
            Shape::Ints => assert!(value.as_array().unwrap().iter().all(Value::is_u64), "{name}: {value}"),
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
        ("altnames", "altnames"),
    ] {
        assert_eq!(told.get(name), ip.get(theirs), "{name}\n{told:#}\n{ip:#}");
    }
    assert_eq!(told["group"].to_string().replace('"', ""), ip["group"].as_str().unwrap().replace("default", "0"));
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
        "link property add dev v2 altname the-long-name-of-the-second altname en-v2",
        "link set m0 group 305419896",
        "link set v2 group 7",
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
    let v0 = links.iter().find(|link| link["link"] == json!("v0")).unwrap();
    assert_eq!(v0["altnames"], json!(["a%b"]));
    let addresses = host.caller().call("Address.List", json!({"netns": "@host"}));
    addresses.ok();
}

/// What `ip -s -s -d -j link` reports in `stats64`, under the names of the kernel's header.
const COUNTERS: &[(&str, &str)] = &[
    ("rx_packets", "/rx/packets"),
    ("tx_packets", "/tx/packets"),
    ("rx_bytes", "/rx/bytes"),
    ("tx_bytes", "/tx/bytes"),
    ("rx_errors", "/rx/errors"),
    ("tx_errors", "/tx/errors"),
    ("rx_dropped", "/rx/dropped"),
    ("tx_dropped", "/tx/dropped"),
    ("multicast", "/rx/multicast"),
    ("collisions", "/tx/collisions"),
    ("rx_length_errors", "/rx/length_errors"),
    ("rx_crc_errors", "/rx/crc_errors"),
    ("rx_frame_errors", "/rx/frame_errors"),
    ("rx_fifo_errors", "/rx/fifo_errors"),
    ("rx_over_errors", "/rx/over_errors"),
    ("rx_missed_errors", "/rx/missed_errors"),
    ("rx_nohandler", "/rx/nohandler"),
    ("tx_aborted_errors", "/tx/aborted_errors"),
    ("tx_carrier_errors", "/tx/carrier_errors"),
    ("tx_fifo_errors", "/tx/fifo_errors"),
    ("tx_heartbeat_errors", "/tx/heartbeat_errors"),
    ("tx_window_errors", "/tx/window_errors"),
];

#[test]
fn counters_are_those_of_iproute2_and_of_sysfs() {
    let host = host();
    host.ip("netns add a");
    host.ip_in("a", "link add v0 type veth peer name v1");
    for link in ["v0", "v1", "lo"] {
        host.ip_in("a", &format!("link set {link} up addrgenmode none multicast off"));
    }
    host.ip_in("a", "addr add 192.0.2.1/24 dev v0");
    host.ip_in("a", "neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev v0");
    // Packets through the pair, which nobody takes at its other end, and through the loopback link.
    let send = "for to in 192.0.2.9 192.0.2.9 192.0.2.9 127.0.0.1; do echo packet >/dev/udp/$to/9; done";
    host.sh(&format!("ip netns exec a bash -c '{send}' 2>&1; sleep 0.2"));
    let (plain, counted) = (list(&host, json!({"netns": "a"})), list(&host, json!({"netns": "a", "with_stats": true})));
    let ip: Vec<Value> = serde_json::from_str(&host.ip_in("a", "-s -s -j -d link show")).unwrap();
    assert_eq!((counted.len(), ip.len()), (3, 3));
    for (link, ip) in counted.iter().zip(&ip) {
        assert_declared(&link_parts(), link);
        let (name, stats) = (link["link"].as_str().unwrap(), link["stats"].as_object().unwrap());
        assert_eq!(stats.len(), 25, "{link}");
        for (ours, theirs) in COUNTERS {
            let theirs = ip["stats64"].pointer(theirs).cloned().unwrap_or(json!(0)); // ip leaves out some that are 0
            assert_eq!(stats[*ours], theirs, "{name} {ours}\n{ip:#}");
        }
        let sysfs = "cd /sys/class/net/L/statistics; for of in *; do echo $of $(cat $of); done".replace('L', name);
        let sysfs = host.sh(&format!("ip netns exec a sh -c '{sysfs}'"));
        assert!(sysfs.lines().count() >= 24, "{sysfs}");
        for (of, value) in sysfs.lines().filter_map(|line| line.split_once(' ')) {
            assert_eq!(stats[of].to_string(), value, "{name} {of}");
        }
        assert!(stats["tx_packets"].as_u64() > Some(0) || name == "v1", "{link}");
        assert!(stats["rx_bytes"].as_u64() > stats["rx_packets"].as_u64() || name == "v0", "{link}");
    }
    // One link, by its name and by its index.
    for filter in [json!({"link": "v0"}), json!({"index": counted[1]["link_index"]})] {
        let mut fields = json!({"netns": "a", "with_stats": true});
        fields.as_object_mut().unwrap().extend(filter.as_object().unwrap().clone());
        let one = &list(&host, fields)[0];
        assert!(counted.contains(one), "{one}");
    }
    // Without `with_stats`, everything else is reported as with it.
    let bare = counted.into_iter().map(|mut link| {
        link.as_object_mut().unwrap().remove("stats");
        link
    });
    assert_eq!(bare.collect::<Vec<_>>(), plain);
}

#[test]
fn links_without_virtual_functions_are_listed_as_without_with_vfs() {
    let host = host();
    furnished(&host);
    let quiet = || list(&host, json!({"netns": "b"}));
    let same = (0..50).any(|_| quiet() == list(&host, json!({"netns": "b", "with_vfs": true})));
    assert!(same, "{:#?}", list(&host, json!({"netns": "b", "with_vfs": true})));
    assert!(quiet().iter().all(|link| link.get("vfs").is_none() && link.get("stats").is_none()));
}

#[test]
fn filters_list_the_links_that_match_all_of_them() {
    let host = host();
    furnished(&host);
    for words in [
        "link add d0 group 7 type ifb",
        "link add d1 up type ifb",
        "link add p0 master br0 up type ifb",
        "link add p1 master br0 group 7 type veth peer name p2",
        "link add br1 type bridge",
    ] {
        host.ip_in("a", words);
    }
    let names = |filter: &Value| -> Vec<String> {
        let mut fields = json!({"netns": "a"});
        fields.as_object_mut().unwrap().extend(filter.as_object().unwrap().clone());
        let whole = list(&host, fields.clone());
        let names = whole.iter().map(|link| link["link"].as_str().unwrap().to_owned()).collect();
        let streamed = host.as_uid(BOB).call_more("Link.List", fields).all();
        let together: Vec<Value> = streamed.iter().flat_map(|part| part["links"].as_array().unwrap().clone()).collect();
        assert_eq!(together.len(), whole.len(), "{filter}");
        names
    };
    // What iproute2 lists with the same filter.
    let ip = |words: &str| -> Vec<String> {
        let links: Vec<Value> = serde_json::from_str(&host.ip_in("a", &format!("-j link show {words}"))).unwrap();
        links.iter().filter_map(|link| link["ifname"].as_str().map(str::to_owned)).collect()
    };
    for (filter, words, count) in [
        (json!({"kind": "ifb"}), "type ifb", 3),
        (json!({"kind": "bridge"}), "type bridge", 2),
        (json!({"kind": "veth"}), "type veth", 5),
        (json!({"kind": "wireguard"}), "", 0),
        (json!({"master": "br0"}), "master br0", 3),
        (json!({"master": "br1"}), "master br1", 0),
        (json!({"master": "v3"}), "master v3", 0),
        (json!({"group": 7}), "group 7", 3),
        (json!({"group": 305_419_896}), "group 305419896", 1),
        (json!({"group": 4_294_967_295_u32}), "", 0),
        (json!({"up": true}), "up", 6),
        (json!({"kind": "ifb", "up": true}), "up type ifb", 2),
        (json!({"kind": "ifb", "master": "br0"}), "master br0 type ifb", 1),
        (json!({"master": "br0", "group": 7}), "master br0 group 7", 2),
    ] {
        let found = names(&filter);
        assert_eq!(found.len(), count, "{filter}: {found:?}");
        assert!(words.is_empty() || found == ip(words), "{filter}: {found:?}, {:?}", ip(words));
    }
    for (filter, expected) in [
        (json!({"up": false, "kind": "ifb"}), &["d0"][..]),
        (json!({"up": false, "master": "br0"}), &["p1"]),
        (json!({"kind": "veth", "master": "br0", "group": 7, "up": true}), &["v2"]),
        (json!({"kind": "veth", "master": "br0", "group": 8, "up": true}), &[]),
        (json!({"link": "v2", "kind": "veth", "master": "br0", "group": 7, "up": true}), &["v2"]),
        (json!({"link": "v2", "kind": "bridge"}), &[]),
        (json!({"link": "v2", "master": "br1"}), &[]),
        (json!({"link": "v2", "group": 0}), &[]),
        (json!({"link": "v2", "up": false}), &[]),
    ] {
        assert_eq!(names(&filter), expected, "{filter}");
    }
    for (filter, error, field) in [
        (json!({"master": "br9"}), "NoSuchLink", "master"),
        (json!({"master": "en-v2"}), "NoSuchLink", "master"), // an alternative name of v2
        (json!({"link": "v9", "master": "br0"}), "NoSuchLink", "link"),
        (json!({"kind": "amt"}), "InvalidRequest", "kind"),
        (json!({"kind": []}), "InvalidRequest", "kind"),
        (json!({"group": -1}), "InvalidRequest", "group"),
        (json!({"group": 4_294_967_296_u64}), "InvalidRequest", "group"),
        (json!({"up": "up"}), "InvalidRequest", "up"),
        (json!({"with_vfs": 1}), "InvalidRequest", "with_vfs"),
    ] {
        let mut fields = json!({"netns": "a"});
        fields.as_object_mut().unwrap().extend(filter.as_object().unwrap().clone());
        let reply = ask(&host, fields);
        let expected = (format!("io.netbroker.Link.{error}"), json!(field));
        assert_eq!((reply.error(), reply.get("field")), expected, "{filter}: {reply}");
    }
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
