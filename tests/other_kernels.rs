// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Twin tests that need kinds of link that not every kernel has: dummy, bond, vlan, vrf and geneve.
//!
//! A plain `cargo test` does not run this target (`test = false` in Cargo.toml). tests/vm/run boots a kernel that has the
//! kinds and runs it there; where the machine's own kernel has them, `cargo test --test other_kernels` does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::scene::open_host;
use common::{Host, Reply};
use serde_json::{Value, json};

/// A call of alice's in the first twin.
fn call(host: &Host, method: &str, mut fields: Value) -> Reply {
    fields["netns"] = json!("a");
    host.caller().call(method, fields)
}

/// One link of the first twin, as `Link.List` reports it.
fn listed(host: &Host, link: &str) -> Value {
    call(host, "Link.List", json!({ "link": link })).ok()["links"][0].clone()
}

#[test]
fn a_dummy_link_is_changed_like_by_iproute2() {
    let host = open_host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        host.ip_in(netns, "link add d0 address 02:00:00:00:00:01 type dummy");
        host.ip_in(netns, "link add br0 address 02:00:00:00:00:02 type bridge");
    }
    let steps = [
        (
            "Link.Set",
            json!({"mtu": 1400, "mac": "02:00:00:00:00:03"}),
            "link set d0 mtu 1400 address 02:00:00:00:00:03",
        ),
        ("Link.Set", json!({"up": true, "txqueuelen": 77}), "link set d0 up txqueuelen 77"),
        ("Link.Set", json!({"master": "br0"}), "link set d0 master br0"),
        ("Link.Set", json!({"no_master": true, "arp": false}), "link set d0 nomaster arp off"),
        ("Address.Add", json!({"address": "192.0.2.1/24"}), "address add 192.0.2.1/24 dev d0"),
        ("Address.Add", json!({"address": "2001:db8::1/64"}), "address add 2001:db8::1/64 dev d0"),
        ("Address.Delete", json!({"address": "192.0.2.1/24"}), "address delete 192.0.2.1/24 dev d0"),
    ];
    for (method, mut fields, words) in steps {
        fields["link"] = json!("d0");
        call(&host, method, fields).ok();
        host.ip_in(b, words);
        host.comparison("link show").macs().check();
        host.comparison("address show").macs().check();
    }
    call(&host, "Link.Delete", json!({"link": "d0"})).ok();
    host.ip_in(b, "link delete d0");
    host.comparison("link show").macs().check();
}

#[test]
fn links_of_each_kind_are_listed_with_their_kind_parent_and_master() {
    let host = open_host();
    let (a, _) = host.twins();
    for words in [
        "link add d0 type dummy",
        "link add d1 type dummy",
        "link add bond0 type bond mode active-backup",
        "link set d1 master bond0",
        "link add d0.7 link d0 type vlan id 7",
        "link add vrf0 type vrf table 7",
        "link set d0.7 master vrf0",
        "link add g0 type geneve id 7 remote 192.0.2.1",
    ] {
        host.ip_in(a, words);
    }
    for (link, kind, parent, master) in [
        ("d0", "dummy", Value::Null, Value::Null),
        ("d1", "dummy", Value::Null, json!("bond0")),
        ("bond0", "bond", Value::Null, Value::Null),
        ("d0.7", "vlan", json!("d0"), json!("vrf0")),
        ("vrf0", "vrf", Value::Null, Value::Null),
        ("g0", "geneve", Value::Null, Value::Null),
    ] {
        let told = listed(&host, link);
        assert_eq!((&told["kind"], &told["parent"], &told["master"]), (&json!(kind), &parent, &master), "{told:#}");
    }
}

#[test]
fn a_vlan_on_a_dummy_link_is_deleted_with_it() {
    let host = open_host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        host.ip_in(netns, "link add d0 type dummy");
        host.ip_in(netns, "link add d0.7 link d0 type vlan id 7");
    }
    call(&host, "Link.Delete", json!({"link": "d0"})).ok();
    host.ip_in(b, "link delete d0");
    host.compare("link show");
    assert!(!host.ip_in(a, "link show").contains("d0"));
}
