// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Decisions by the compiled bytes, as in the broker.

use super::*;
use crate::call::json::Json;
use crate::call::request::Request;
use crate::caller::Caller;
use crate::policy::Decision;

/// The rules of `policy-model/policies` that speak of calls of the first half.
const SITE: &[&str] = &[
    r#"
[[deny]]
id      = "uplinks"
who     = ["*", "!group:netops"]
call    = "@change"
touches = { netns = "@host", link = ["en*", "eth*", "bond*", "br-ex"] }

[[deny]]
id      = "management-namespace"
who     = ["*", "!group:netops"]
call    = ["@change", "@read"]
touches = { netns = ["mgmt", "mgmt-*"] }

[[deny]]
id      = "metadata-address"
who     = ["*", "!group:netops"]
call    = "Address.Add"
netns   = "@host"
address = "169.254.169.254/32"

[[deny]]
id      = "no-look-at-bonds"
who     = "user:node-exporter"
call    = ["Link.List", "Address.List"]
netns   = "vault"
link    = "bond*"

[[allow]]
id      = "break-glass-4711"
who     = "group:netops"
call    = "Link.Set"
netns   = "@host"
link    = ["bond*", "en*"]
up      = [true, false]
"#,
    r#"
[[allow]]
id          = "l3-namespaces"
who         = "user:neutron"
call        = ["Netns.Add", "Netns.Delete"]
netns       = ["qrouter-*", "snat-*", "fip-*"]

[[allow]]
id          = "l3-take-ports"
who         = "user:neutron"
call        = "Link.Set"
netns       = "@host"
link        = ["qr-*", "qg-*"]
mac         = "fa:16:3e:*"
target_netns = ["qrouter-*", "snat-*", "fip-*"]

[[allow]]
id          = "l3-ports"
who         = "user:neutron"
call        = ["Link.Set", "Link.Delete"]
netns       = ["qrouter-*", "snat-*", "fip-*"]
link        = ["qr-*", "qg-*", "rfp-*", "lo"]
free        = ["mac", "mtu", "up", "alias"]
target_netns = "@host"

[[allow]]
id          = "l3-dvr-veth"
who         = "user:neutron"
call        = "Link.Add"
kind        = "veth"
netns       = "qrouter-*"
link        = "rfp-*"
peer.name   = "fpr-*"
peer.netns  = "fip-*"
free        = ["mtu", "peer.mtu"]

[[allow]]
id          = "l3-addresses"
who         = "user:neutron"
call        = ["Address.Add", "Address.Delete"]
netns       = ["qrouter-*", "snat-*", "fip-*"]
link        = ["qr-*", "qg-*", "lo"]
address     = "*"
free        = ["broadcast", "scope", "exists_ok", "missing_ok"]

[[allow]]
id          = "l3-one-list"
who         = "user:neutron"
call        = "Link.List"
netns       = "qrouter-*"
link        = "qr-*"
"#,
    r#"
[[allow]]
id    = "monitor-looks"
who   = "user:node-exporter"
call  = ["Netns.List", "Link.List", "Address.List"]
netns = ["*", "@host"]

[[allow]]
id    = "in-own-namespaces"
who   = "group:netusers"
call  = ["Link.Set", "Link.Add", "Link.Delete", "Address.Add"]
netns = "u1000-*"
kind  = ["bridge", "veth"]
peer.name  = "*"
peer.netns = "*"
free  = ["link", "new_name", "target_netns", "master", "up", "address", "scope"]
"#,
];

fn who(name: &str) -> Caller {
    let (uid, groups) = match name {
        "neutron" => (64100, vec![]),
        "node-exporter" => (64101, vec![]),
        "alice" => (1000, vec![2000]),
        "carol" => (1002, vec![2001]),
        _ => (4711, vec![]),
    };
    Caller { uid, gid: uid, groups }
}

/// Judges by the compiled bytes, as the broker does: the rule that decides and the field that it names, or `silence`.
pub(super) fn decision(texts: &[&str], caller: &str, call: &str, with: &str) -> String {
    let compiled = Compiled::open(good(texts).write().unwrap()).unwrap();
    let caller = who(caller);
    let with = Json::parse(with.as_bytes()).unwrap();
    let request = Request::parse(by_name(call).unwrap(), &with, caller.uid).unwrap();
    match compiled.judge(&caller, request).unwrap().decision() {
        Decision::Allowed { rule } => rule.clone(),
        Decision::Forbidden { rule, field } => format!("{rule} {}", field.unwrap_or("-")),
        Decision::Silence { nearest: None } => "silence".to_owned(),
        Decision::Silence { nearest: Some((rule, fields)) } => format!("silence {rule} {}", fields[0]),
    }
}

#[test]
fn the_worked_policies_decide_as_their_tests_expect() {
    let cases: &[(&str, &str, &str, &str)] = &[
        (
            "neutron",
            "Address.Add",
            r#"{"netns":"qrouter-1","link":"qr-1","address":"10.0.0.1/24","broadcast":"10.0.0.255"}"#,
            "l3-addresses",
        ),
        (
            "neutron",
            "Address.Add",
            r#"{"netns":"@host","link":"qr-1","address":"10.0.0.1/24"}"#,
            "silence l3-addresses netns",
        ),
        (
            "neutron",
            "Address.Add",
            r#"{"netns":"qrouter-1","link":"eth0","address":"10.0.0.1/24"}"#,
            "silence l3-addresses link",
        ),
        (
            "neutron",
            "Address.Add",
            r#"{"netns":"qrouter-1","link":"qr-1","address":"10.0.0.1/24","label":"qr-1:1"}"#,
            "silence l3-addresses label",
        ),
        ("neutron", "Netns.Add", r#"{"netns":"qrouter-1"}"#, "l3-namespaces"),
        ("neutron", "Netns.Add", r#"{"netns":"qrouter-1","exists_ok":true}"#, "silence l3-namespaces exists_ok"),
        ("neutron", "Netns.List", r#"{"netns":"@host"}"#, "silence"),
        ("mallory", "Netns.Add", r#"{"netns":"qrouter-1"}"#, "silence"),
        (
            "neutron",
            "Link.Set",
            r#"{"netns":"@host","link":"qr-1","mac":"FA:16:3E:00:00:01","target_netns":"snat-1"}"#,
            "l3-take-ports",
        ),
        (
            "neutron",
            "Link.Set",
            r#"{"netns":"@host","link":"qr-1","mac":"fa:16:3f:00:00:01"}"#,
            "silence l3-take-ports mac",
        ),
        ("neutron", "Link.Set", r#"{"netns":"qrouter-1","link":"qr-1","target_netns":"@host"}"#, "l3-ports"),
        (
            "neutron",
            "Link.Set",
            r#"{"netns":"qrouter-1","link":"qr-1","new_name":"qr-2"}"#,
            "silence l3-ports new_name",
        ),
        (
            "neutron",
            "Link.Add",
            r#"{"netns":"qrouter-1","link":"rfp-1","kind":"veth","peer":{"name":"fpr-1","netns":"fip-1","mtu":1500}}"#,
            "l3-dvr-veth",
        ),
        ("neutron", "Link.Add", r#"{"netns":"qrouter-1","link":"rfp-1","kind":"bridge"}"#, "silence l3-dvr-veth kind"),
        ("neutron", "Link.List", r#"{"netns":"qrouter-1","link":"qr-1"}"#, "l3-one-list"),
        ("neutron", "Link.List", r#"{"netns":"qrouter-1"}"#, "silence l3-one-list link"),
        ("node-exporter", "Link.List", r#"{"netns":"@host"}"#, "monitor-looks"),
        ("node-exporter", "Link.List", r#"{"netns":"qrouter-1"}"#, "monitor-looks"),
        ("node-exporter", "Link.List", r#"{"netns":"@host","link":"bond0"}"#, "monitor-looks"),
        ("carol", "Link.Set", r#"{"netns":"@host","link":"bond0","up":false}"#, "break-glass-4711"),
        ("carol", "Link.Set", r#"{"netns":"@host","link":"bond0","mtu":9000}"#, "silence break-glass-4711 mtu"),
        ("alice", "Link.Add", r#"{"netns":"u1000-a","link":"b0","kind":"bridge"}"#, "in-own-namespaces"),
    ];
    for (caller, call, with, expected) in cases {
        assert_eq!(decision(SITE, caller, call, with), *expected, "{caller} {call} {with}");
    }
}

#[test]
fn an_uplink_is_out_of_reach_by_every_name() {
    let cases: &[(&str, &str, &str, &str)] = &[
        ("neutron", "Link.Set", r#"{"netns":"@host","link":"bond0","up":false}"#, "link"),
        ("neutron", "Link.Delete", r#"{"netns":"@host","link":"bond0"}"#, "link"),
        ("neutron", "Link.Set", r#"{"netns":"@host","link":"qr-1","master":"br-ex"}"#, "master"),
        ("neutron", "Link.Set", r#"{"netns":"@host","link":"qr-1","new_name":"eth9"}"#, "new_name"),
        (
            "neutron",
            "Link.Set",
            r#"{"netns":"qrouter-1","link":"qr-1","new_name":"bond7","target_netns":"@host"}"#,
            "new_name",
        ),
        (
            "neutron",
            "Link.Add",
            r#"{"netns":"qrouter-1","kind":"veth","link":"rfp-1","peer":{"name":"eth7","netns":"@host"}}"#,
            "peer.name",
        ),
        ("neutron", "Link.Add", r#"{"netns":"@host","kind":"bridge","link":"x","master":"bond0"}"#, "master"),
        ("alice", "Link.Set", r#"{"netns":"u1000-a","link":"eth0","target_netns":"@host"}"#, "link"),
        // The kernel moves it as eth0, and renames it there.
        ("alice", "Link.Set", r#"{"netns":"u1000-a","link":"eth0","new_name":"x0","target_netns":"@host"}"#, "link"),
        ("neutron", "Address.Add", r#"{"netns":"@host","link":"eth0","address":"10.0.0.1/8"}"#, "link"),
    ];
    for (caller, call, with, field) in cases {
        assert_eq!(decision(SITE, caller, call, with), format!("uplinks {field}"), "{with}");
    }
    let spared: &[(&str, &str)] = &[
        ("Link.Set", r#"{"netns":"u1000-a","link":"eth0","up":true}"#),
        ("Link.Set", r#"{"netns":"u1000-a","link":"x0","new_name":"eth0","target_netns":"u1000-b"}"#),
        ("Link.Add", r#"{"netns":"u1000-a","kind":"veth","link":"eth0","peer":{"name":"eth0","netns":"u1000-b"}}"#),
    ];
    for (call, with) in spared {
        let decided = decision(SITE, "alice", call, with);
        assert!(!decided.starts_with("uplinks"), "{with}: {decided}");
    }
}

#[test]
fn a_namespace_is_out_of_reach_by_every_name() {
    let cases: &[(&str, &str, &str, &str)] = &[
        ("neutron", "Link.Set", r#"{"netns":"qrouter-1","link":"qr-1","target_netns":"mgmt"}"#, "target_netns"),
        (
            "neutron",
            "Link.Add",
            r#"{"netns":"qrouter-1","kind":"veth","link":"rfp-1","peer":{"name":"fpr-1","netns":"mgmt-2"}}"#,
            "peer.netns",
        ),
        ("node-exporter", "Link.List", r#"{"netns":"mgmt"}"#, "netns"),
        ("node-exporter", "Netns.Get", r#"{"netns":"mgmt"}"#, "netns"),
    ];
    for (caller, call, with, field) in cases {
        assert_eq!(decision(SITE, caller, call, with), format!("management-namespace {field}"), "{with}");
    }
    assert_eq!(decision(SITE, "carol", "Link.List", r#"{"netns":"mgmt"}"#), "silence");
}

#[test]
fn a_deny_meets_prefixes_around_an_address_and_filters_that_are_absent() {
    for address in ["169.254.169.254/32", "169.254.169.254/16", "169.254.0.1/16", "128.0.0.1/1"] {
        let with = format!(r#"{{"netns":"@host","link":"x0","address":"{address}"}}"#);
        assert_eq!(decision(SITE, "neutron", "Address.Add", &with), "metadata-address address");
    }
    let with = r#"{"netns":"@host","link":"x0","address":"169.254.1.1/24"}"#;
    assert_eq!(decision(SITE, "neutron", "Address.Add", with), "silence l3-addresses netns");
    for call in ["Link.List", "Address.List"] {
        for (with, expected) in [
            (r#"{"netns":"vault"}"#, "no-look-at-bonds link"),
            (r#"{"netns":"vault","index":3}"#, "no-look-at-bonds link"),
            (r#"{"netns":"vault","link":"bond0"}"#, "no-look-at-bonds link"),
            (r#"{"netns":"vault","link":"lo"}"#, "monitor-looks"),
            (r#"{"netns":"other"}"#, "monitor-looks"),
        ] {
            assert_eq!(decision(SITE, "node-exporter", call, with), expected, "{call} {with}");
        }
    }
}

#[test]
fn saying_a_default_is_saying_nothing() {
    let unsaid = r#"{"netns":"qrouter-1","link":"qr-1","address":"10.0.0.1/24"}"#;
    let said = r#"{"netns":"qrouter-1","link":"qr-1","address":"10.0.0.1/24","nodad":false,"noprefixroute":false,"home_address":false,"exists_ok":false}"#;
    for with in [unsaid, said] {
        assert_eq!(decision(SITE, "neutron", "Address.Add", with), "l3-addresses");
    }
    let only_nodad = [
        "[[allow]]\nid = \"x\"\nwho = \"*\"\ncall = \"Address.Add\"\nfree = [\"netns\", \"link\", \"address\", \"scope\"]\nnodad = true\n",
    ];
    for with in [unsaid, said] {
        assert_eq!(decision(&only_nodad, "neutron", "Address.Add", with), "silence x nodad");
    }
    let denied = ["[[deny]]\nid = \"x\"\nwho = \"*\"\ncall = \"Address.Add\"\nnodad = false\n"];
    for with in [unsaid, said] {
        assert_eq!(decision(&denied, "neutron", "Address.Add", with), "x nodad");
    }
}

#[test]
fn no_pattern_and_no_free_permits_the_host_but_a_deny_of_all_meets_it() {
    let list = r#"{"netns":"@host"}"#;
    for said in ["netns = \"*\"", "netns = [\"*\", \"?host\"]", "free = \"netns\""] {
        let allow = format!("{ALLOW}call = \"Link.List\"\n{said}\n");
        assert_eq!(decision(&[&allow], "neutron", "Link.List", list), "silence x netns", "{said}");
        assert_eq!(decision(&[&allow], "neutron", "Link.List", r#"{"netns":"a"}"#), "x", "{said}");
    }
    let deny = format!("{DENY}call = \"@read\"\nnetns = \"*\"\n");
    assert_eq!(decision(&[&deny], "neutron", "Link.List", list), "x netns");
}

#[test]
fn profiles_are_those_of_the_callers_allows() {
    let compiled = Compiled::open(good(SITE).write().unwrap()).unwrap();
    for (caller, namespaces) in [("neutron", true), ("node-exporter", false), ("carol", false), ("mallory", false)] {
        assert_eq!(
            compiled.profile(&who(caller)),
            Ok(if namespaces { Profile::NAMESPACES } else { Profile::LINK }),
            "{caller}"
        );
    }
}

#[test]
fn the_profile_for_tun_is_for_rules_that_name_the_kind() {
    let needs = |ruling: &str, rest: &str| {
        let head = format!("[[{ruling}]]\nid = \"x\"\nwho = \"uid:64100\"\ncall = [\"Link.Add\", \"Link.Set\"]\n");
        let policy = good(&[&format!("{head}netns = \"q\"\nlink = \"a\"\n{rest}\n")]);
        Compiled::open(policy.write().unwrap()).unwrap().profile(&who("neutron")).unwrap()
    };
    let (nothing, tun) = (Profile::LINK, Profile::TUN);
    assert_eq!(needs("allow", "kind = [\"ifb\", \"tun\"]\ntun.mode = \"tap\""), tun);
    assert_eq!(needs("allow", "kind = \"ifb\""), nothing);
    assert_eq!(needs("allow", "kind = [\"macvtap\", \"ifb\"]\nparent = \"b\""), nothing);
    assert_eq!(needs("deny", "kind = \"tun\""), nothing);
}

#[test]
fn of_several_rules_the_first_by_id_is_cited() {
    let rule = |id: &str, ruling: &str| {
        format!("[[{ruling}]]\nid = \"{id}\"\nwho = [\"uid:64100\", \"*\"]\ncall = \"Netns.List\"\nnetns = \"@host\"\n")
    };
    let list = r#"{"netns":"@host"}"#;
    let (b, a) = (rule("b", "allow"), rule("a", "allow"));
    assert_eq!(decision(&[&b, &a], "neutron", "Netns.List", list), "a");
    let (z, y) = (rule("z", "deny"), rule("y", "deny"));
    assert_eq!(decision(&[&z, &b, &y, &a], "neutron", "Netns.List", list), "y netns");
}

/// Routes: lists of next hops, a link that the kernel chooses, and links inside the list for `touches`.
const ROUTES: &str = r#"
[[allow]]
id = "by-ports"
who = "user:neutron"
call = ["Route.Add", "Route.Delete"]
netns = "q*"
destination = ["10.0.0.0/8", "0.0.0.0/0 len 0"]
link = "qr-*"
nexthops = { gateway = "10.0.0.0/8", link = "qr-*", weight = "1..3" }
free = ["gateway", "route_type"]

[[allow]]
id = "on-the-host"
who = "user:alice"
call = ["Route.Add", "Route.Delete"]
netns = "@host"
destination = "*"
link = "*"
nexthops.link = "*"
free = ["gateway", "nexthops.gateway", "nexthops.weight", "route_type"]

[[deny]]
id = "uplinks"
who = "*"
call = "@change"
touches = { netns = "@host", link = "eth*" }

[[deny]]
id = "heavy-way-by-a"
who = "*"
call = "Route.*"
nexthops = { link = "a*", weight = "5..256" }
"#;

#[test]
fn an_allow_contains_every_way_and_a_deny_meets_one_with_all_that_it_says() {
    let of = |who: &str, call: &str, netns: &str, rest: &str| {
        decision(&[ROUTES], who, call, &format!(r#"{{"netns":"{netns}",{rest}}}"#))
    };
    let cases = [
        (r#""destination":"10.1.0.0/16","link":"qr-1""#, "by-ports"),
        (r#""destination":"10.1.0.0/16","link":"qr-1","gateway":"192.0.2.1""#, "by-ports"),
        (r#""destination":"10.1.0.0/16","gateway":"192.0.2.1""#, "silence by-ports link"), // the kernel would choose it
        (r#""destination":"10.1.0.0/16","route_type":"blackhole""#, "by-ports"),           // there is no link to choose
        (r#""destination":"default","link":"qr-1""#, "by-ports"),
        (r#""destination":"default","family":"inet6","link":"qr-1""#, "silence by-ports destination"),
        (r#""destination":"10.1.0.0/16","nexthops":[{"link":"qr-1"},{"link":"qr-2","weight":3}]"#, "by-ports"),
        (
            r#""destination":"10.1.0.0/16","nexthops":[{"link":"qr-1"},{"link":"qr-2","weight":4}]"#,
            "silence by-ports nexthops.weight",
        ),
        (
            r#""destination":"10.1.0.0/16","nexthops":[{"link":"qr-1"},{"link":"eth0"}]"#,
            "silence by-ports nexthops.link",
        ),
        (
            r#""destination":"10.1.0.0/16","nexthops":[{"link":"qr-1"},{"gateway":"10.0.0.1"}]"#,
            "silence by-ports nexthops.link",
        ),
        (
            r#""destination":"10.1.0.0/16","nexthops":[{"link":"qr-1","onlink":true,"gateway":"10.0.0.1"},{"link":"qr-1"}]"#,
            "silence by-ports nexthops.onlink",
        ),
        (r#""destination":"10.1.0.0/16","nexthops":[{"link":"qr-1","gateway":"192.0.2.1"}]"#, "by-ports"),
        (
            r#""destination":"10.1.0.0/16","nexthops":[{"link":"qr-1","onlink":true,"gateway":"10.0.0.1"}]"#,
            "silence by-ports onlink",
        ),
        (r#""destination":"10.1.0.0/16","nexthops":[{"gateway":"10.0.0.1"}]"#, "silence by-ports link"),
    ];
    for (rest, expected) in cases {
        assert_eq!(of("neutron", "Route.Add", "q1", rest), expected, "{rest}");
    }
    let cases = [
        (r#""destination":"10.1.0.0/16","link":"v0""#, "on-the-host"),
        (r#""destination":"10.1.0.0/16","gateway":"10.0.0.1""#, "uplinks link"),
        (r#""destination":"10.1.0.0/16","route_type":"blackhole""#, "on-the-host"),
        (r#""destination":"10.1.0.0/16","nexthops":[{"link":"v0"},{"link":"v1"}]"#, "on-the-host"),
        (r#""destination":"10.1.0.0/16","nexthops":[{"link":"v0"},{"link":"eth1"}]"#, "uplinks nexthops.link"),
        (r#""destination":"10.1.0.0/16","nexthops":[{"link":"v0"},{"gateway":"10.0.0.1"}]"#, "uplinks nexthops.link"),
        (r#""destination":"10.1.0.0/16","nexthops":[{"link":"a0"},{"link":"v1","weight":5}]"#, "on-the-host"),
        (
            r#""destination":"10.1.0.0/16","nexthops":[{"link":"v1"},{"link":"a0","weight":5}]"#,
            "heavy-way-by-a nexthops.link",
        ),
    ];
    for (rest, expected) in cases {
        assert_eq!(of("alice", "Route.Add", "@host", rest), expected, "{rest}");
    }
    // A deleted route that is given by a link has one next hop. Without a link it can have any.
    let cases = [
        (r#""destination":"10.1.0.0/16","link":"v0""#, "on-the-host"),
        (r#""destination":"10.1.0.0/16""#, "heavy-way-by-a nexthops.link"),
        (r#""destination":"10.1.0.0/16","nexthops":[{"link":"v0"},{"link":"v1"}]"#, "on-the-host"),
        (r#""destination":"10.1.0.0/16","nexthops":[{"link":"v0"},{"weight":7}]"#, "heavy-way-by-a nexthops.link"),
    ];
    for (rest, expected) in cases {
        assert_eq!(of("alice", "Route.Delete", "@host", rest), expected, "{rest}");
    }
}

/// Denies on fields outside of the list, and one that names two such fields.
const OUTSIDE: &str = r#"
[[allow]]
id = "all"
who = "*"
call = ["Route.Add", "Route.Replace", "Route.Delete"]
netns = ["*", "@host"]
destination = "*"
link = "*"
nexthops.link = "*"
free = ["gateway", "onlink", "route_type", "table", "metric", "protocol", "nexthops.gateway", "nexthops.onlink", "nexthops.weight"]

[[deny]]
id = "gateway"
who = "*"
call = "Route.*"
netns = "q1"
gateway = "192.0.2.66/32"

[[deny]]
id = "link"
who = "*"
call = "Route.*"
netns = "q2"
link = "eth*"

[[deny]]
id = "both"
who = "*"
call = "@change"
netns = "q3"
gateway = "192.0.2.66/32"
link = "eth*"
onlink = true

[[deny]]
id = "heavy"
who = "*"
call = "Route.*"
netns = "q4"
link = "eth*"
nexthops.weight = "5..256"
"#;

#[test]
fn a_deny_on_a_field_meets_the_same_inside_a_list() {
    let of = |call: &str, netns: &str, rest: &str| {
        let with = format!(r#"{{"netns":"{netns}","destination":"10.1.0.0/16",{rest}}}"#);
        decision(&[OUTSIDE], "alice", call, &with)
    };
    let cases = [
        ("q1", r#""gateway":"192.0.2.66""#, "gateway gateway"),
        ("q1", r#""nexthops":[{"gateway":"192.0.2.66"}]"#, "gateway gateway"),
        ("q1", r#""nexthops":[{"link":"v0"},{"gateway":"192.0.2.66"}]"#, "gateway nexthops.gateway"),
        ("q2", r#""nexthops":[{"link":"eth0"}]"#, "link link"),
        ("q2", r#""nexthops":[{"link":"v0"},{"link":"eth0"}]"#, "link nexthops.link"),
        ("q2", r#""nexthops":[{"link":"v0"},{"gateway":"192.0.2.1"}]"#, "link nexthops.link"), // the kernel chooses
        (
            "q3",
            r#""nexthops":[{"link":"v0"},{"gateway":"192.0.2.66","link":"eth0","onlink":true}]"#,
            "both nexthops.gateway",
        ),
        ("q4", r#""nexthops":[{"link":"v0"},{"link":"eth0","weight":7}]"#, "heavy nexthops.link"),
    ];
    for (netns, rest, expected) in cases {
        assert_eq!(of("Route.Add", netns, rest), expected, "{netns} {rest}");
    }
    let cases = [
        ("q1", r#""nexthops":[{"link":"v0"},{"gateway":"192.0.2.67","link":"v0"}]"#),
        ("q2", r#""nexthops":[{"link":"v0"},{"link":"v1"}]"#),
        ("q2", r#""nexthops":[{"link":"v0"}]"#),
        ("q3", r#""nexthops":[{"link":"eth0"},{"gateway":"192.0.2.66","link":"v0","onlink":true}]"#), // no single next hop meets all
        ("q3", r#""nexthops":[{"gateway":"192.0.2.66","link":"eth0"}]"#),
        ("q4", r#""nexthops":[{"link":"eth0"},{"link":"v0","weight":7}]"#),
        ("q4", r#""link":"eth0""#),
    ];
    for (netns, rest) in cases {
        assert_eq!(of("Route.Add", netns, rest), "all", "{netns} {rest}");
    }
    // The same for a call that deletes: without these fields, any next hop can be meant.
    assert_eq!(of("Route.Delete", "q2", r#""nexthops":[{"link":"v0"},{}]"#), "link nexthops.link");
    assert_eq!(of("Route.Delete", "q2", r#""nexthops":[{"link":"v0"},{"link":"v1"}]"#), "all");
    assert_eq!(of("Route.Delete", "q2", r#""nexthops":[{"gateway":"192.0.2.1"}]"#), "link link");
}

#[test]
fn a_deny_meets_whatever_a_replace_may_take_the_place_of() {
    let of = |call: &str, netns: &str, policy: &str, rest: &str| {
        let with = format!(r#"{{"netns":"{netns}","destination":"10.1.0.0/16",{rest}}}"#);
        decision(&[OUTSIDE, policy], "alice", call, &with)
    };
    let deny = |said: &str| format!("[[deny]]\nid = \"d\"\nwho = \"*\"\ncall = \"@change\"\n{said}\n");
    let new = r#""link":"v0","metric":7"#;
    for (said, field) in [
        ("netns = \"a\"\nlink = \"eth*\"", "link"),
        ("netns = \"a\"\ngateway = \"192.0.2.66/32\"", "gateway"),
        ("netns = \"a\"\nroute_type = \"blackhole\"", "route_type"),
        ("netns = \"a\"\nprotocol = 186", "protocol"),
        ("netns = \"a\"\nonlink = true\nlink = \"eth0\"\ndestination = \"10.1.2.0/24\"", "destination"),
        ("netns = \"a\"\nnexthops.link = \"eth0\"", "nexthops.link"),
        ("netns = \"a\"\nnexthops = { link = \"eth0\", weight = 3 }", "nexthops.link"),
        ("touches = { netns = \"a\", link = \"eth*\" }", "link"),
        ("touches = { link = \"eth*\" }", "link"),
    ] {
        assert_eq!(of("Route.Replace", "a", &deny(said), new), format!("d {field}"), "{said}");
        assert_eq!(of("Route.Append", "a", &deny(said), new), format!("d {field}"), "{said}");
        let blackhole = r#""route_type":"blackhole""#;
        assert!(of("Route.Replace", "a", &deny(said), blackhole).starts_with("d "), "{said}");
        assert_eq!(of("Route.Add", "a", &deny(said), new), "all", "{said}");
    }
    // The fields that identify the replaced route have the values of the request. Another namespace does not match.
    for said in [
        "netns = \"a\"\nlink = \"eth*\"\nmetric = 8",
        "netns = \"a\"\ntable = 7",
        "netns = \"a\"\nlink = \"eth*\"\ndestination = \"10.2.0.0/16\"",
        "netns = \"b\"\nlink = \"eth*\"",
        "touches = { netns = \"b\", link = \"eth*\" }",
    ] {
        assert_eq!(of("Route.Replace", "a", &deny(said), new), "all", "{said}");
    }
    // An appended IPv6 route becomes a next hop of the existing one, and an appended destination changes the state of an
    // entry of a vxlan. A neighbour is identified by its link. A link, an address or a rule is never replaced.
    let open: Vec<&str> = crate::call::all()
        .filter(|call| call.family() != "Nexthop" && !call.leaves_open.is_empty())
        .map(|call| call.name)
        .collect();
    assert_eq!(open, ["Route.Replace", "Route.Append", "Fdb.Append", "Fdb.Replace", "Vlan.Replace", "Vni.Delete"]);
}

#[test]
fn a_metric_that_is_left_out_is_judged_as_the_one_that_the_kernel_takes() {
    let allow = |said: &str| {
        format!(
            "[[allow]]\nid = \"a\"\nwho = \"*\"\ncall = \"Route.Add\"\nnetns = \"n\"\ndestination = \"*\"\nlink = \"l\"\n{said}\n"
        )
    };
    let deny = |metric: &str| format!("[[deny]]\nid = \"d\"\nwho = \"*\"\ncall = \"@change\"\nmetric = {metric}\n");
    let add = |policies: &[&str], destination: &str, rest: &str| {
        let with = format!(r#"{{"netns":"n","destination":"{destination}","link":"l"{rest}}}"#);
        decision(policies, "alice", "Route.Add", &with)
    };
    let (v4, v6) = ("10.0.0.0/8", "2001:db8::/32");
    for (destination, said, own) in [(v4, r#","metric":0"#, "\"0..9\""), (v6, r#","metric":1024"#, "1024")] {
        for rest in ["", said] {
            assert_eq!(add(&[&allow("")], destination, rest), "a", "{destination} {rest}");
            assert_eq!(add(&[&allow("require = [\"metric\"]\nmetric = \"*\"")], destination, rest), "a");
            assert_eq!(add(&[&allow("metric = \"10..20\"")], destination, rest), "silence a metric");
            assert_eq!(add(&[&allow(&format!("metric = {own}"))], destination, rest), "a", "{destination} {rest}");
            assert_eq!(add(&[&allow(""), &deny(own)], destination, rest), "d metric", "{destination} {rest}");
            assert_eq!(add(&[&allow(""), &deny("\"10..20\"")], destination, rest), "a", "{destination} {rest}");
        }
    }
    assert_eq!(add(&[&allow("")], v4, r#","metric":1024"#), "silence a metric");
}

#[test]
fn an_index_stands_for_every_link_of_its_namespace() {
    let allow =
        |said: &str| format!("[[allow]]\nid = \"a\"\nwho = \"*\"\ncall = \"Link.Delete\"\nnetns = \"n\"\n{said}\n");
    let deny = |said: &str| format!("[[deny]]\nid = \"d\"\nwho = \"*\"\ncall = \"@change\"\n{said}\n");
    let (named, numbered) = (r#"{"netns":"n","link":"v0"}"#, r#"{"netns":"n","index":7}"#);
    let delete = |policies: &[&str], with: &str| decision(policies, "alice", "Link.Delete", with);
    for (said, by_name, by_index) in [
        ("link = \"*\"", "a", "silence a index"),
        ("link = \"v*\"", "a", "silence a link"),
        ("link = \"v*\"\nindex = \"*\"", "a", "silence a link"),
        ("link = [\"*\", \"!eth0\"]\nindex = \"*\"", "a", "silence a link"),
        ("link = \"*\"\nindex = \"*\"", "a", "a"),
        ("free = [\"link\", \"index\"]", "a", "a"),
        ("link = \"*\"\nindex = 7", "a", "a"),
        ("link = \"*\"\nindex = 8", "a", "silence a index"),
    ] {
        assert_eq!(delete(&[&allow(said)], named), by_name, "{said}");
        assert_eq!(delete(&[&allow(said)], numbered), by_index, "{said}");
    }
    let all = allow("link = \"*\"\nindex = \"*\"");
    for (said, by_name, by_index) in [
        ("link = \"eth*\"", "a", "d link"),
        ("touches = { link = \"eth*\" }", "a", "d link"),
        ("touches = { netns = \"n\", link = \"eth*\" }", "a", "d link"),
        ("touches = { netns = \"other\", link = \"eth*\" }", "a", "a"),
        ("index = 7", "a", "d index"),
        ("index = 8", "a", "a"),
    ] {
        assert_eq!(delete(&[&all, &deny(said)], named), by_name, "{said}");
        assert_eq!(delete(&[&all, &deny(said)], numbered), by_index, "{said}");
    }
}

#[test]
fn the_filters_of_a_listing_of_links_are_inside_a_permit_and_its_additional_parts_are_not() {
    let allow =
        |said: &str| format!("[[allow]]\nid = \"a\"\nwho = \"*\"\ncall = \"Link.List\"\nnetns = \"n\"\n{said}\n");
    let list =
        |policies: &[&str], rest: &str| decision(policies, "alice", "Link.List", &format!(r#"{{"netns":"n"{rest}}}"#));
    for filter in [r#","kind":"veth""#, r#","master":"br0""#, r#","group":7"#, r#","up":false"#, r#","link":"v0""#] {
        assert_eq!(list(&[&allow("")], filter), "a", "{filter}");
    }
    for (more, field) in [(r#","with_vfs":true"#, "with_vfs"), (r#","with_stats":true"#, "with_stats")] {
        assert_eq!(list(&[&allow("")], more), format!("silence a {field}"));
        assert_eq!(list(&[&allow(&format!("free = \"{field}\""))], more), "a");
        assert_eq!(list(&[&allow("")], &more.replace("true", "false")), "a");
    }
    // An allow that names a filter permits its absence only with `*`.
    for (said, rest, expected) in [
        ("master = \"br*\"", r#","master":"br0""#, "a"),
        ("master = \"br*\"", r#","master":"eth0""#, "silence a master"),
        ("master = \"br*\"", r#","link":"v0""#, "silence a master"),
        ("master = \"*\"", r#","link":"v0""#, "a"),
    ] {
        assert_eq!(list(&[&allow(said)], rest), expected, "{said} {rest}");
    }
}

#[test]
fn the_absence_of_a_condition_on_listed_links_touches_no_link() {
    let allow = "[[allow]]\nid = \"a\"\nwho = \"*\"\ncall = \"Link.List\"\nnetns = \"n\"\n";
    let deny = |said: &str| format!("[[deny]]\nid = \"d\"\nwho = \"*\"\ncall = \"*\"\n{said}\n");
    let list = |said: &str, rest: &str| {
        decision(&[allow, &deny(said)], "alice", "Link.List", &format!(r#"{{"netns":"n"{rest}}}"#))
    };
    let touches = "touches = { netns = \"n\", link = \"eth*\" }";
    for (said, rest, expected) in [
        (touches, "", "d link"),
        (touches, r#","master":"br0""#, "d link"), // eth0 may be a port of it
        (touches, r#","index":7"#, "d link"),
        (touches, r#","link":"eth0""#, "d link"),
        (touches, r#","link":"v0""#, "a"),
        (touches, r#","link":"v0","master":"br0""#, "a"),
        (touches, r#","link":"v0","master":"eth0""#, "d master"),
        // A deny on the field is met, as by every filter that is absent.
        ("master = \"eth*\"", r#","link":"v0""#, "d master"),
        ("master = \"eth*\"", r#","link":"v0","master":"br0""#, "a"),
    ] {
        assert_eq!(list(said, rest), expected, "{said} {rest}");
    }
}

#[test]
fn a_deny_on_one_number_meets_the_ranges_with_it() {
    let allow = "[[allow]]\nid = \"a\"\nwho = \"*\"\ncall = [\"Vlan.Add\", \"Vlan.Replace\", \"Vlan.Delete\", \"Vni.Add\"]\n\
                 netns = \"n\"\nlink = \"*\"\nfree = [\"vlans\", \"target\", \"pvid\", \"untagged\", \"tunnel_ids\", \
                 \"exists_ok\", \"missing_ok\", \"vnis\", \"remote\"]\n";
    let deny = |said: &str| format!("[[deny]]\nid = \"{said}\"\nwho = \"*\"\ncall = \"*\"\n{said} = 5\n");
    let judge = |call: &str, rest: &str| {
        decision(
            &[allow, &deny("vlan"), &deny("vni")],
            "alice",
            call,
            &format!(r#"{{"netns":"n","link":"v0",{rest}}}"#),
        )
    };
    for (call, rest, expected) in [
        ("Vlan.Add", r#""vlans":"1..10""#, "vlan vlans"),
        ("Vlan.Add", r#""vlans":5"#, "vlan vlans"),
        ("Vlan.Add", r#""vlans":"6..10","pvid":false"#, "a"),
        ("Vlan.Add", r#""vlans":10,"pvid":true"#, "a"),
        ("Vlan.Add", r#""vlans":"6..8","tunnel_ids":"4..6""#, "vni tunnel_ids"),
        ("Vlan.Add", r#""vlans":"6..8","tunnel_ids":"6..8""#, "a"),
        ("Vlan.Replace", r#""vlans":10"#, "a"),
        ("Vlan.Replace", r#""vlans":10,"pvid":true"#, "vlan vlans"), // VLAN 5 can be the PVID
        ("Vlan.Delete", r#""vlans":"4..6","missing_ok":true"#, "vlan vlans"),
        ("Vlan.Delete", r#""vlans":"1..4""#, "a"),
        ("Vni.Add", r#""vnis":"4..5""#, "vni vnis"),
        ("Vni.Add", r#""vnis":"6..9""#, "a"),
    ] {
        assert_eq!(judge(call, rest), expected, "{call} {rest}");
    }
    // Another default VLAN takes the place of the one before, which can be VLAN 5.
    let allow = "[[allow]]\nid = \"a\"\nwho = \"*\"\ncall = \"Link.Set\"\nnetns = \"n\"\nlink = \"*\"\nkind = \"bridge\"\n\
                 free = [\"bridge.vlan_default_pvid\", \"bridge.stp\"]\n";
    let set = |said: &str, of: &str| {
        let with = format!(r#"{{"netns":"n","link":"br0","kind":"bridge","bridge":{{{said}}}}}"#);
        decision(&[allow, &deny(of)], "alice", "Link.Set", &with)
    };
    assert_eq!(set(r#""vlan_default_pvid":7"#, "vlan"), "vlan vlan");
    assert_eq!(set(r#""vlan_default_pvid":5"#, "vlan"), "vlan bridge.vlan_default_pvid");
    assert_eq!(set(r#""vlan_default_pvid":5"#, "vni"), "a");
    assert_eq!(set(r#""stp":true"#, "vlan"), "a");
}
