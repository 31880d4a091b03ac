// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Route.List`: what `ip route` reports, its filters, and what a policy decides about routes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::open_host;
use common::{BOB, Host, Reply};
use netbroker::call;
use serde_json::{Value, json};

/// A namespace `a` with routes of every sort.
fn host() -> Host {
    let host = open_host();
    host.ip("netns add a");
    for words in [
        "link set lo up",
        "link add v0 type veth peer name v1",
        "link set v0 addrgenmode none", // before it goes up: the kernel may make a link-local address then
        "link set v1 addrgenmode none",
        "link set v0 up",
        "link set v1 up",
        "addr add 10.0.0.1/24 dev v0",
        "addr add 10.0.1.1/24 dev v1",
        "addr add 2001:db8::1/64 dev v0 nodad",
        "route add default via 10.0.0.9 proto static",
        "route add 10.2.0.0/16 via inet6 fe80::9 dev v1 metric 7",
        "route add 10.3.0.0/16 via 10.0.0.9 dev v0 src 10.0.0.1 mtu 1300 onlink table 70000",
        "route add blackhole 10.4.0.0/16",
        "route add 10.5.0.0/16 tos 0x10 dev v0",
        "route add 10.6.0.0/16 metric 3 nexthop via 10.0.0.9 dev v0 weight 2 nexthop via 10.0.1.9 dev v1 onlink",
        "route add 10.8.0.0/16 via 10.0.0.9 mtu lock 1300 advmss 1220 hoplimit 9 initcwnd 7 initrwnd 8 table 70001",
        "-6 route add 2001:db8:3::/48 via 2001:db8::9 pref high expires 1000 table 70001",
        "-6 route add default via 2001:db8::9 proto bgp",
        "-6 route add 2001:db8:1::/48 metric 9 nexthop via 2001:db8::9 nexthop via 2001:db8::8 weight 3",
        "-6 route add unreachable 2001:db8:2::/48 table 77",
    ] {
        host.ip_in("a", words);
    }
    host.sh("until ip -n a -6 route show table all | grep -q 'ff00::/8 dev v1 '; do sleep 0.02; done");
    host
}

fn ask(host: &Host, mut filters: Value) -> Reply {
    let mut fields = json!({"netns": "a"});
    fields.as_object_mut().unwrap().append(filters.as_object_mut().unwrap());
    host.as_uid(BOB).call("Route.List", fields)
}

fn list(host: &Host, filters: Value) -> Vec<Value> {
    ask(host, filters).ok()["routes"].as_array().unwrap().clone()
}

/// What `ip` reports of both families and all tables.
fn ip_routes(host: &Host) -> Vec<Value> {
    let mut routes = Vec::new();
    for family in ["-4", "-6"] {
        let text = host.ip_in("a", &format!("{family} -N -j -d route show table all"));
        let told: Vec<Value> = serde_json::from_str(&text).unwrap();
        let with_family = |mut route: Value| {
            let bits = if family == "-4" { 32 } else { 128 };
            let destination = match route["dst"].as_str().unwrap() {
                "default" if family == "-4" => "0.0.0.0/0".to_owned(),
                "default" => "::/0".to_owned(),
                with if with.contains('/') => with.to_owned(),
                bare => format!("{bare}/{bits}"),
            };
            route["destination"] = destination.into();
            route
        };
        routes.extend(told.into_iter().map(with_family));
    }
    routes
}

/// iproute2 reports some numbers as strings and others as numbers.
fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok())).unwrap_or(0)
}

fn gateway(ip: &Value) -> Option<&Value> {
    ip.get("gateway").or_else(|| ip.get("via").map(|via| &via["host"]))
}

fn assert_like_ip(told: &Value, ip: &Value) {
    let at = format!("{told:#}\n{ip:#}");
    assert_eq!(told["destination"], ip["destination"], "{at}");
    let table = if ip.get("table").is_some() { number(&ip["table"]) } else { 254 };
    assert_eq!((number(&told["table"]), number(&told["metric"])), (table, number(&ip["metric"])), "{at}");
    assert_eq!(number(&told["protocol"]), number(&ip["protocol"]), "{at}");
    assert_eq!(number(&told["scope"]), number(&ip["scope"]), "{at}");
    let types = ["unspec", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable"];
    let kind = ip["type"].as_str().map_or("unicast", |word| word.parse::<usize>().map_or(word, |n| types[n]));
    assert_eq!(told["route_type"], json!(kind), "{at}");
    assert_eq!(told.get("gateway"), gateway(ip), "{at}");
    assert_eq!(told.get("link"), ip.get("dev"), "{at}");
    assert_eq!(told.get("preferred_source"), ip.get("prefsrc"), "{at}");
    let mtu = ip["metrics"][0].get("mtu");
    assert_eq!(told.get("mtu"), mtu, "{at}");
    for name in ["advmss", "hoplimit", "initcwnd", "initrwnd"] {
        assert_eq!(told.get(name), ip["metrics"][0].get(name), "{at}");
    }
    // iproute2 does not say in JSON which metrics are locked.
    assert_eq!(told["mtu_lock"], json!(told["destination"] == json!("10.8.0.0/16")), "{at}");
    assert_eq!(told.get("pref"), ip.get("pref"), "{at}");
    let seconds = |route: &Value| route.get("expires").map(|left| number(left).div_ceil(10)); // between two listings
    assert_eq!(seconds(told), seconds(ip), "{at}");
    assert_eq!(told.get("tos").is_some(), ip.get("tos").is_some(), "{at}");
    let is_onlink = ip["flags"].as_array().is_some_and(|flags| flags.contains(&json!("onlink")));
    assert_eq!(told["flags"].as_array().unwrap().contains(&json!("onlink")), is_onlink, "{at}");
    let empty = Vec::new();
    let (own, theirs) = (told.get("nexthops"), ip.get("nexthops"));
    assert_eq!(own.is_some(), theirs.is_some(), "{at}");
    let lists = [own, theirs].map(|list| list.and_then(Value::as_array).unwrap_or(&empty));
    assert_eq!(lists[0].len(), lists[1].len(), "{at}");
    for (own, theirs) in lists[0].iter().zip(lists[1]) {
        assert_eq!((own.get("gateway"), own.get("link")), (gateway(theirs), theirs.get("dev")), "{at}");
        assert_eq!(own["weight"], theirs["weight"], "{at}");
    }
}

#[test]
fn a_listing_says_what_iproute2_says() {
    let host = host();
    let (told, ip) = (list(&host, json!({})), ip_routes(&host));
    assert_eq!(told.len(), ip.len(), "{told:#?}\n{ip:#?}");
    assert!(told.len() > 20, "{told:#?}");
    told.iter().zip(&ip).for_each(|(told, ip)| assert_like_ip(told, ip));
    let links: Vec<Value> = serde_json::from_str(&host.ip_in("a", "-j link show")).unwrap();
    for route in told.iter().filter(|route| route.get("link").is_some()) {
        let link = links.iter().find(|link| link["ifname"] == route["link"]).unwrap();
        assert_eq!(route["link_index"], link["ifindex"]);
    }
    let declared = call::by_name("Route.List").unwrap().result.parts;
    let call::Shape::List(_, parts) = declared[0].ty else { panic!("a list") };
    let parts = parts.all();
    for route in &told {
        for name in route.as_object().unwrap().keys() {
            assert!(parts.iter().any(|part| part.name == name), "{name} is not declared");
        }
        for part in parts.iter().filter(|part| part.always) {
            assert!(route.get(part.name).is_some(), "{} is always there: {route}", part.name);
        }
    }
}

#[test]
fn each_filter_keeps_what_it_says() {
    let host = host();
    let all = list(&host, json!({}));
    let uses = |route: &Value, link: &str| {
        let ways = route["nexthops"].as_array().cloned().unwrap_or_else(|| vec![route.clone()]);
        ways.iter().any(|way| way["link"] == json!(link))
    };
    let is_v6 = |route: &Value| route["destination"].as_str().unwrap().contains(':');
    type Keeps<'a> = &'a dyn Fn(&Value) -> bool;
    let cases: [(Value, Keeps<'_>, usize); 15] = [
        (json!({"family": "inet"}), &|r| !is_v6(r), 10),
        (json!({"family": "inet6"}), &is_v6, 5),
        (json!({"table": 254}), &|r| r["table"] == json!(254), 8),
        (json!({"table": 255}), &|r| r["table"] == json!(255), 5),
        (json!({"table": 70000}), &|r| r["table"] == json!(70000), 1),
        (json!({"table": 78}), &|_| false, 0),
        (json!({"link": "v1"}), &|r| r["link"] == json!("v1"), 3),
        (json!({"nexthops": {"link": "v1"}}), &|r| uses(r, "v1"), 4),
        (json!({"nexthops": {"link": "v0"}, "link": "v0"}), &|r| r["link"] == json!("v0"), 5),
        (json!({"gateway": "10.0.0.9"}), &|r| r["gateway"] == json!("10.0.0.9"), 2),
        (json!({"destination": "10.6.0.0/16"}), &|r| r["destination"] == json!("10.6.0.0/16"), 1),
        (json!({"destination": "default"}), &|r| r["destination"] == json!("0.0.0.0/0"), 1),
        (json!({"destination": "default", "family": "inet6"}), &|r| r["destination"] == json!("::/0"), 1),
        (json!({"protocol": 4}), &|r| r["protocol"] == json!(4), 1),
        (json!({"scope": "link"}), &|r| r["scope"] == json!(253), 3),
    ];
    for (filters, keeps, least) in cases {
        let told = list(&host, filters.clone());
        let expected: Vec<Value> = all.iter().filter(|route| keeps(route)).cloned().collect();
        assert_eq!(told, expected, "{filters}");
        assert!(told.len() >= least, "{filters}: {told:#?}");
    }
    let missing = ask(&host, json!({"link": "v9"}));
    assert_eq!(missing.error(), "io.netbroker.Route.NoSuchLink");
    assert_eq!(missing.get("field"), json!("link"));
    let missing = ask(&host, json!({"nexthops": {"link": "v9"}}));
    assert_eq!(
        (missing.error(), missing.get("field")),
        ("io.netbroker.Route.NoSuchLink".to_owned(), json!("nexthops.link"))
    );
    let contradiction = ask(&host, json!({"nexthops": {"link": "v9"}, "link": "v0"}));
    assert_eq!(contradiction.get("reason"), json!("matches no route together with another `link`"), "{contradiction}");
    let list_of_hops = ask(&host, json!({"nexthops": [{"link": "v1"}]}));
    assert_eq!(list_of_hops.get("reason"), json!("is a list, expected an object"), "{list_of_hops}");
}

#[test]
fn a_long_listing_comes_in_pieces_and_whole() {
    let host = host();
    let lines: String =
        (0..3000).map(|n| format!("route add 10.{}.{}.0/24 dev v0 table 9\n", 100 + n / 250, n % 250)).collect();
    std::fs::write("/run/scratch/routes", lines).unwrap();
    host.ip_in("a", "-b /run/scratch/routes");
    let told = list(&host, json!({"table": 9}));
    assert_eq!(told.len(), 3000);
    let pieces = host.as_uid(BOB).call_more("Route.List", json!({"netns": "a", "table": 9})).all();
    let total: usize = pieces.iter().map(|piece| piece["routes"].as_array().unwrap().len()).sum();
    assert!(pieces.len() > 10 && total == 3000, "{} pieces with {total}", pieces.len());
}
