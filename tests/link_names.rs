// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Alternative names: the kernel finds a link by them, a request never does. An allowed `ci7` must not lead to `eth0`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::Host;
use serde_json::{Value, json};

/// The caller may do anything to `ci*`, and nothing to the uplink.
const CI: &str = r#"
[[allow]]
id    = "ci-links"
who   = "uid:64123"
call  = ["Link.Set", "Link.Delete", "Link.List", "Address.Add", "Address.Delete", "Address.List"]
netns = "@host"
link  = "ci*"
free  = ["up", "mtu", "alias", "new_name", "no_master", "mac", "promisc", "missing_ok", "address", "exists_ok"]

[[allow]]
id     = "ci-ports"
who    = "uid:64123"
call   = "Link.Set"
netns  = "@host"
link   = "port*"
master = "ci*"

[[allow]]
id         = "ci-pairs"
who        = "uid:64123"
call       = "Link.Add"
kind       = "veth"
netns      = "@host"
link       = "ci*"
master     = "ci*"
peer.name  = "ci*"
peer.netns = "@host"
free       = ["exists_ok"]
"#;

fn host() -> Host {
    let host = Host::new();
    host.policy(CI);
    host.ip("link add eth0 type bridge");
    host.ip("link set eth0 alias uplink");
    host.ip("addr add 192.0.2.1/24 dev eth0");
    host.ip("link property add dev eth0 altname ci7");
    host.ip("link add port0 type veth peer name port1");
    host
}

/// Every request that could reach the uplink by its alternative name, with the field that gives it.
fn attempts() -> Vec<(&'static str, &'static str, Value)> {
    let on = |changes: Value| {
        let mut fields = json!({"netns": "@host", "link": "ci7"});
        fields.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        fields
    };
    vec![
        ("Link.Set", "link", on(json!({"mtu": 1400}))),
        ("Link.Set", "link", on(json!({"up": true}))),
        ("Link.Set", "link", on(json!({"alias": "mine"}))),
        ("Link.Set", "link", on(json!({"new_name": "ci8"}))),
        ("Link.Set", "link", on(json!({"mac": "02:00:00:00:00:01"}))),
        ("Link.Set", "link", on(json!({"promisc": true, "up": true, "no_master": true}))),
        ("Link.Set", "master", json!({"netns": "@host", "link": "port0", "master": "ci7"})),
        ("Link.Delete", "link", on(json!({}))),
        ("Link.List", "link", on(json!({}))),
        ("Address.Add", "link", on(json!({"address": "10.0.0.1/24"}))),
        ("Address.Add", "link", on(json!({"address": "192.0.2.1/24", "exists_ok": true}))),
        ("Address.Delete", "link", on(json!({"address": "192.0.2.1/24"}))),
        ("Address.List", "link", on(json!({}))),
        (
            "Link.Add",
            "master",
            json!({"netns": "@host", "link": "ci1", "kind": "veth", "master": "ci7",
                   "peer": {"name": "ci2", "netns": "@host"}}),
        ),
    ]
}

#[test]
fn an_alternative_name_reaches_nothing_and_is_told_apart() {
    let host = host();
    let before = host.snapshot(&[]);
    assert!(host.ip("link show ci7").contains("eth0"), "the kernel finds it so");
    for (method, field, fields) in attempts() {
        let reply = host.caller().call(method, fields.clone());
        assert!(reply.error().ends_with(".NoSuchLink"), "{method} {fields}: {reply}");
        assert_eq!((reply.get("field"), reply.get("name")), (json!(field), json!("ci7")), "{reply}");
        assert_eq!((reply.get("reason"), reply.get("errno")), (json!("alternative_name"), json!(19)), "{reply}");
        assert_eq!(host.snapshot(&[]), before, "{method} {fields}");
    }
    // Where the absence of a link is not an error, this still is one: the link exists.
    for (method, others) in [("Link.Delete", json!({})), ("Address.Delete", json!({"address": "192.0.2.1/24"}))] {
        let mut fields = json!({"netns": "@host", "link": "ci7", "missing_ok": true});
        fields.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
        let reply = host.caller().call(method, fields);
        assert_eq!(reply.get("reason"), json!("alternative_name"), "{method}: {reply}");
        assert_eq!(host.snapshot(&[]), before, "{method}");
    }
}

#[test]
fn a_links_own_name_works_although_another_link_has_alternative_names() {
    let host = host();
    host.ip("link add ci1 type veth peer name ci2");
    let uplink = host.ip("-d -j link show eth0");
    for (method, changes) in [("Link.Set", json!({"mtu": 1400})), ("Address.Add", json!({"address": "10.0.0.1/24"}))] {
        let mut fields = json!({"netns": "@host", "link": "ci1"});
        fields.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        host.caller().call(method, fields).ok();
    }
    assert!(host.ip("addr show ci1").contains("10.0.0.1/24") && host.ip("link show ci1").contains("mtu 1400"));
    assert_eq!(host.ip("-d -j link show eth0"), uplink);
}

#[test]
fn a_new_name_that_is_somebodys_other_name_is_taken() {
    let host = host();
    host.ip("link add ci1 type veth peer name ci2");
    let before = host.snapshot(&[]);
    let reply = host.caller().call("Link.Set", json!({"netns": "@host", "link": "ci1", "new_name": "ci7"}));
    assert_eq!((reply.error().as_str(), reply.get("errno")), ("io.netbroker.Link.AlreadyExists", json!(17)));
    let pair = json!({"netns": "@host", "link": "ci7", "kind": "veth", "peer": {"name": "ci9", "netns": "@host"}});
    let reply = host.caller().call("Link.Add", pair);
    assert_eq!((reply.error().as_str(), reply.get("errno")), ("io.netbroker.Link.AlreadyExists", json!(17)));
    let peer = json!({"netns": "@host", "link": "ci9", "kind": "veth", "peer": {"name": "ci7", "netns": "@host"}});
    let reply = host.caller().call("Link.Add", peer);
    assert_eq!((reply.error().as_str(), reply.get("errno")), ("io.netbroker.Link.AlreadyExists", json!(17)));
    assert_eq!(host.snapshot(&[]), before);
}

#[test]
fn an_alternative_name_does_not_hide_a_links_own_name() {
    let host = host();
    host.ip("link add ci1 type veth peer name ci2");
    host.ip("link property add dev ci1 altname ci-the-long-name-of-the-first");
    host.caller().call("Link.Set", json!({"netns": "@host", "link": "ci1", "up": true})).ok();
    let listed = host.caller().call("Link.List", json!({"netns": "@host", "link": "ci1"})).ok();
    assert_eq!(listed["links"][0]["link"], json!("ci1"));
}
