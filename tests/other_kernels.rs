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

/// A call by alice in the first twin.
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
    assert_eq!(host.ip_in(a, "-o link show").lines().count(), 1, "the loopback");
}

#[test]
fn a_bond_with_each_of_its_fields_is_made_and_changed_like_by_iproute2() {
    let host = open_host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        host.ip_in(netns, "link add d0 address 02:00:00:00:00:01 type dummy");
        host.ip_in(netns, "link add d1 address 02:00:00:00:00:02 type dummy");
    }
    let made = [
        (
            json!({"mode": "balance_rr", "miimon": 100, "updelay": 200, "downdelay": 300}),
            "mode balance-rr miimon 100 updelay 200 downdelay 300",
        ),
        (
            json!({"mode": "active_backup", "fail_over_mac": "active", "all_ports_active": true}),
            "mode active-backup fail_over_mac active all_slaves_active 1",
        ),
        (
            json!({"mode": "active_backup", "fail_over_mac": "follow", "arp_interval": 700,
                "arp_ip_target": ["192.0.2.1", "192.0.2.9"]}),
            "mode active-backup fail_over_mac follow arp_interval 700 arp_ip_target 192.0.2.1,192.0.2.9",
        ),
        (json!({"mode": "balance_xor", "xmit_hash_policy": "layer2_3"}), "mode balance-xor xmit_hash_policy layer2+3"),
        (json!({"mode": "balance_xor", "xmit_hash_policy": "encap2_3"}), "mode balance-xor xmit_hash_policy encap2+3"),
        (json!({"mode": "broadcast"}), "mode broadcast"),
        (
            json!({"mode": "ieee802_3ad", "lacp_rate": "fast", "ad_select": "bandwidth", "min_links": 2,
                "xmit_hash_policy": "layer3_4"}),
            "mode 802.3ad lacp_rate fast ad_select bandwidth min_links 2 xmit_hash_policy layer3+4",
        ),
        (
            json!({"mode": "ieee802_3ad", "ad_select": "count", "xmit_hash_policy": "vlan_srcmac"}),
            "mode 802.3ad ad_select count xmit_hash_policy vlan+srcmac",
        ),
        (json!({"mode": "balance_tlb", "xmit_hash_policy": "encap3_4"}), "mode balance-tlb xmit_hash_policy encap3+4"),
        (json!({"mode": "balance_alb", "miimon": 50}), "mode balance-alb miimon 50"),
    ];
    for (bond, words) in made {
        let fields = json!({"link": "bond0", "kind": "bond", "mac": "02:00:00:00:00:09", "bond": bond});
        call(&host, "Link.Add", fields.clone()).ok();
        host.ip_in(b, &format!("link add bond0 address 02:00:00:00:00:09 type bond {words}"));
        host.compare("link show");
        let reported = listed(&host, "bond0")["bond"].clone();
        for (field, value) in bond.as_object().unwrap() {
            assert_eq!(reported[field], *value, "{field} of {reported}");
        }
        let mut same = fields.clone();
        same["exists_ok"] = json!(true);
        call(&host, "Link.Add", same.clone()).ok();
        same["bond"]["mode"] = json!(if bond["mode"] == "broadcast" { "balance_rr" } else { "broadcast" });
        let reply = call(&host, "Link.Add", same);
        assert_eq!(
            (reply.error().as_str(), reply.get("field")),
            ("io.netbroker.Link.AlreadyExists", json!("bond.mode")),
            "{reply}"
        );
        call(&host, "Link.Delete", json!({"link": "bond0"})).ok();
        host.ip_in(b, "link delete bond0");
    }
    let bond = json!({"link": "bond0", "kind": "bond", "mac": "02:00:00:00:00:09", "bond": {"mode": "active_backup"}});
    call(&host, "Link.Add", bond).ok();
    host.ip_in(b, "link add bond0 address 02:00:00:00:00:09 type bond mode active-backup");
    for port in ["d0", "d1"] {
        call(&host, "Link.Set", json!({"link": port, "master": "bond0"})).ok();
        host.ip_in(b, &format!("link set {port} master bond0"));
    }
    let changed = [
        (json!({"primary": "d1"}), "primary d1"),
        (json!({"miimon": 100, "updelay": 300, "downdelay": 100}), "miimon 100 updelay 300 downdelay 100"),
        (json!({"all_ports_active": true, "min_links": 1}), "all_slaves_active 1 min_links 1"),
        (json!({"miimon": 0}), "miimon 0"),
        (json!({"arp_interval": 500, "arp_ip_target": ["192.0.2.1"]}), "arp_interval 500 arp_ip_target 192.0.2.1"),
        (json!({"arp_ip_target": ["192.0.2.2", "192.0.2.3"]}), "arp_ip_target 192.0.2.2,192.0.2.3"),
    ];
    for (bond, words) in changed {
        call(&host, "Link.Set", json!({"link": "bond0", "kind": "bond", "bond": bond})).ok();
        host.ip_in(b, &format!("link set bond0 type bond {words}"));
        host.compare("link show");
    }
    assert_eq!(listed(&host, "bond0")["bond"]["primary"], "d1");
    let before = host.snapshot(&[a]);
    for (link, fields, field) in [
        ("d0", json!({"kind": "bond", "bond": {"miimon": 100}}), json!("kind")),
        ("bond0", json!({"kind": "bridge", "bridge": {"stp": true}}), json!("kind")),
        ("bond0", json!({"kind": "bond", "bond": {"mode": "broadcast"}}), json!("bond.mode")), // it has ports
    ] {
        let mut fields = fields;
        fields["link"] = json!(link);
        let reply = call(&host, "Link.Set", fields.clone());
        assert_eq!(
            (reply.error().as_str(), reply.get("field")),
            ("io.netbroker.Link.KernelRefused", field),
            "{fields}: {reply}"
        );
        assert_eq!(host.snapshot(&[a]), before, "{fields}");
    }
    let reply = call(&host, "Link.Set", json!({"link": "bond0", "kind": "bond", "bond": {"primary": "none"}}));
    assert_eq!(
        (reply.error().as_str(), reply.get("field")),
        ("io.netbroker.Link.NoSuchLink", json!("bond.primary")),
        "{reply}"
    );
}
