// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The shipped policies, each enabled by a link as on a machine. Their own tests reach every rule, and the real broker
//! does what they permit and refuses what they do not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::shipped::{ANNE, NAMES, NETMONITOR, NETOPS, NETUSERS, NEUTRON, host, member, refused, tree};
use serde_json::json;
use std::fs;

#[test]
fn each_shipped_policy_has_tests_that_pass_and_reach_every_rule() {
    let mut there: Vec<String> =
        fs::read_dir(tree()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    there.sort();
    let mut expected: Vec<String> =
        NAMES.iter().flat_map(|name| [format!("{name}.test.toml"), format!("{name}.toml")]).collect();
    expected.sort();
    assert_eq!(there, expected);
    for name in NAMES {
        let host = host(&[name], "");
        let ran = host.tool(&["policy", "test"]);
        assert_eq!(ran.status(), 0, "{name}: {ran}");
        assert!(ran.stdout().contains(" passed; the tests reach every rule"), "{name}: {ran}");
    }
}

#[test]
fn the_manual_lists_the_shipped_policies() {
    let manual = tree().with_file_name("packaging/man/netbroker-policy.5");
    let manual = fs::read_to_string(manual).unwrap();
    let (_, section) = manual.split_once("\n.Sh SHIPPED POLICIES\n").unwrap();
    let (section, _) = section.split_once("\n.Sh ").unwrap();
    let listed: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix(".It Cm ")).collect();
    assert_eq!(listed, NAMES);
}

#[test]
fn all_shipped_policies_stand_together() {
    let host = host(&NAMES, "");
    assert!(host.tool(&["policy", "test"]).ok().contains("the tests reach every rule"));
    assert_eq!(host.as_uid(NEUTRON).call("Netns.Add", json!({"netns": "qrouter-1"})).ok(), json!({}));
    let uplink = json!({"netns": "@host", "link": "eth0", "target_netns": "qrouter-1"});
    refused(&host, &host.as_uid(NEUTRON), &["qrouter-1"], ("Link.Set", uplink), Some("site-uplinks"));
}

#[test]
fn an_l3_agent_makes_a_router_and_takes_its_port() {
    let host = host(&["neutron-l3"], "");
    host.ip("link add qr-1 type veth peer name ovs-1");
    host.ip("link add tap1 type veth peer name ovs-2");
    let neutron = host.as_uid(NEUTRON);
    neutron.call("Netns.Add", json!({"netns": "qrouter-1"})).ok();
    neutron.call("Link.Set", json!({"netns": "qrouter-1", "link": "lo", "up": true})).ok();
    neutron.call("Link.Set", json!({"netns": "@host", "link": "qr-1", "mac": "fa:16:3e:00:00:01"})).ok();
    neutron.call("Link.Set", json!({"netns": "@host", "link": "qr-1", "target_netns": "qrouter-1"})).ok();
    neutron.call("Link.Set", json!({"netns": "qrouter-1", "link": "qr-1", "mtu": 1450})).ok();
    neutron.call("Link.Set", json!({"netns": "qrouter-1", "link": "qr-1", "up": true})).ok();
    let address = json!({"netns": "qrouter-1", "link": "qr-1", "address": "10.0.0.1/24", "broadcast": "10.0.0.255"});
    neutron.call("Address.Add", address).ok();
    let neighbour = json!({"netns": "qrouter-1", "link": "qr-1", "address": "10.0.0.9", "mac": "fa:16:3e:00:00:09"});
    neutron.call("Neighbour.Replace", neighbour).ok();
    assert!(host.ip_in("qrouter-1", "neigh show dev qr-1").contains("10.0.0.9 lladdr fa:16:3e:00:00:09 PERMANENT"));
    let shown = host.ip_in("qrouter-1", "address show qr-1");
    for part in ["fa:16:3e:00:00:01", "mtu 1450", "10.0.0.1/24 brd 10.0.0.255", ",UP"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let tap = json!({"netns": "@host", "link": "tap1", "target_netns": "qrouter-1"});
    refused(&host, &neutron, &["qrouter-1"], ("Link.Set", tap), None);
    let back = json!({"netns": "qrouter-1", "link": "qr-1", "target_netns": "@host"});
    refused(&host, &neutron, &["qrouter-1"], ("Link.Set", back), None);
    refused(&host, &host.as_uid(ANNE), &[], ("Netns.Delete", json!({"netns": "qrouter-1"})), None);
}

#[test]
fn an_l3_agent_joins_a_router_to_the_floating_addresses() {
    let host = host(&["neutron-l3"], "");
    let neutron = host.as_uid(NEUTRON);
    host.ip("netns add qrouter-1");
    host.ip("netns add fip-1");
    let pair = |peer: &str| json!({"netns": "qrouter-1", "link": "rfp-1", "kind": "veth", "peer": {"name": "fpr-1", "netns": peer}});
    refused(&host, &neutron, &["qrouter-1", "fip-1"], ("Link.Add", pair("@host")), None);
    neutron.call("Link.Add", pair("fip-1")).ok();
    assert!(host.ip_in("fip-1", "link show").contains("fpr-1@"));
    neutron.call("Link.Delete", json!({"netns": "fip-1", "link": "fpr-1"})).ok();
    assert!(!host.ip_in("qrouter-1", "link show").contains("rfp-1"));
}

#[test]
fn a_dhcp_agent_takes_a_port_and_answers_for_the_metadata_address_inside() {
    let host = host(&["neutron-dhcp", "site"], "");
    host.ip("link add tap1 type veth peer name ovs-1");
    let neutron = host.as_uid(NEUTRON);
    neutron.call("Netns.Add", json!({"netns": "qdhcp-1"})).ok();
    let take = json!({"netns": "@host", "link": "tap1", "mac": "fa:16:3e:00:00:01", "target_netns": "qdhcp-1"});
    neutron.call("Link.Set", take).ok();
    let metadata = |netns: &str| json!({"netns": netns, "link": "tap1", "address": "169.254.169.254/32"});
    neutron.call("Address.Add", metadata("qdhcp-1")).ok();
    assert!(host.ip_in("qdhcp-1", "address show tap1").contains("169.254.169.254/32"));
    refused(&host, &neutron, &["qdhcp-1"], ("Address.Add", metadata("@host")), Some("site-metadata-address"));
    let uplink = json!({"netns": "qdhcp-1", "link": "tap1", "new_name": "eth0"});
    refused(&host, &neutron, &["qdhcp-1"], ("Link.Set", uplink), None);
}

#[test]
fn an_ovs_agent_sets_up_its_metadata_port_and_nothing_beside() {
    let host = host(&["neutron-ovs"], "");
    host.ip("link add tap-meta type veth peer name ovs-1");
    let neutron = host.as_uid(NEUTRON);
    neutron.call("Address.List", json!({"netns": "@host"})).ok();
    neutron.call("Link.Set", json!({"netns": "@host", "link": "tap-meta", "mac": "fa:16:ee:00:00:01"})).ok();
    neutron.call("Link.Set", json!({"netns": "@host", "link": "tap-meta", "up": true})).ok();
    let address = |address: &str| json!({"netns": "@host", "link": "tap-meta", "address": address, "scope": "global"});
    neutron.call("Address.Add", address("240.0.0.1/16")).ok();
    assert!(host.ip("address show tap-meta").contains("240.0.0.1/16"));
    refused(&host, &neutron, &[], ("Address.Add", address("240.0.0.2/16")), None);
    let other = json!({"netns": "@host", "link": "ovs-1", "up": true});
    refused(&host, &neutron, &[], ("Link.Set", other), None);
}

#[test]
fn a_monitor_sees_everything_and_changes_nothing() {
    let host = host(&["monitor"], "");
    host.ip("netns add qrouter-1");
    let monitor = member(&host, ANNE, NETMONITOR);
    assert_eq!(
        monitor.call("Netns.List", json!({"netns": "@host"})).ok()["namespaces"],
        json!([{"netns": "qrouter-1", "ready": true}])
    );
    assert_eq!(monitor.call("Link.List", json!({"netns": "qrouter-1"})).ok()["links"][0]["link"], "lo");
    let up = json!({"netns": "qrouter-1", "link": "lo", "up": true});
    refused(&host, &monitor, &["qrouter-1"], ("Link.Set", up), None);
    refused(&host, &host.as_uid(ANNE), &[], ("Link.List", json!({"netns": "@host"})), None);
}

#[test]
fn users_have_links_of_their_own_and_nobody_elses() {
    let host = host(&["rootless"], "");
    host.ip("link add br-users address 02:00:00:00:00:01 type bridge");
    let anne = member(&host, ANNE, NETUSERS);
    let pair = |link: &str, netns: &str| {
        // It is not up yet: the kernel would check its own address for duplicates, and that would show in the
        // snapshots.
        json!({"netns": "@host", "link": link, "kind": "veth", "master": "br-users",
               "peer": {"name": "eth0", "netns": netns}})
    };
    anne.call("Netns.Add", json!({"netns": "u64110-a"})).ok();
    anne.call("Link.Add", pair("v64110-a", "u64110-a")).ok();
    anne.call("Address.Add", json!({"netns": "u64110-a", "link": "eth0", "address": "192.0.2.7/24"})).ok();
    assert!(host.ip("link show v64110-a").contains("master br-users"));
    assert!(host.ip_in("u64110-a", "address show eth0").contains("192.0.2.7/24"));

    let tap = |link: &str, owner: u32| json!({"netns": "@host", "link": link, "kind": "tun", "master": "br-users", "tun": {"mode": "tap", "owner": owner}});
    anne.call("Link.Add", tap("t64110-a", ANNE)).ok();
    let shown = host.ip("-d link show t64110-a");
    assert!(shown.contains("master br-users") && shown.contains("user anne"), "{shown}");

    let other = member(&host, NEUTRON, NETUSERS);
    let all = ["u64110-a"];
    refused(&host, &other, &all, ("Link.Delete", json!({"netns": "u64110-a", "link": "eth0"})), None);
    refused(&host, &other, &all, ("Link.Delete", json!({"netns": "@host", "link": "v64110-a"})), None);
    refused(&host, &other, &all, ("Link.Add", pair("v64100-a", "u64110-a")), None);
    refused(&host, &other, &all, ("Link.Add", tap("t64100-a", ANNE)), None);
    let mut free = pair("v64110-b", "u64110-a");
    free.as_object_mut().unwrap().remove("master");
    refused(&host, &anne, &all, ("Link.Add", free), None);
    let out = json!({"netns": "u64110-a", "link": "eth0", "target_netns": "@host"});
    refused(&host, &anne, &all, ("Link.Set", out), None);
    refused(&host, &host.as_uid(ANNE), &all, ("Netns.Add", json!({"netns": "u64110-b"})), None);
    anne.call("Link.Set", json!({"netns": "@host", "link": "v64110-a", "up": true})).ok();
    assert!(host.ip("link show v64110-a").contains(",UP"));
}

#[test]
fn a_sites_denies_hold_against_every_allow_and_spare_netops() {
    let everything = r#"
        [[allow]]
        id = "everything"
        who = "*"
        call = ["Link.Set", "Address.Add", "Netns.Add"]
        netns = ["*", "@host"]
        link = "*"
        address = "*"
        free = ["up", "new_name", "peer_address", "scope"]
    "#;
    let host = host(&["site"], everything);
    host.ip("link add eth9 type veth peer name tap9");
    let (anne, carol) = (host.as_uid(ANNE), member(&host, ANNE, NETOPS));
    let up = |link: &str| ("Link.Set", json!({"netns": "@host", "link": link, "up": true}));
    anne.call("Link.Set", up("tap9").1).ok();
    refused(&host, &anne, &[], up("eth9"), Some("site-uplinks"));
    refused(&host, &host.as_root(), &[], up("eth9"), Some("site-uplinks"));
    let renamed = json!({"netns": "@host", "link": "tap9", "new_name": "bond9"});
    refused(&host, &anne, &[], ("Link.Set", renamed), Some("site-uplinks"));
    refused(&host, &anne, &[], ("Netns.Add", json!({"netns": "mgmt"})), Some("site-management"));
    let address = |address: &str| ("Address.Add", json!({"netns": "@host", "link": "tap9", "address": address}));
    refused(&host, &anne, &[], address("10.0.0.1/1"), Some("site-wide-prefixes"));
    refused(&host, &anne, &[], address("169.254.0.1/16"), Some("site-metadata-address"));
    let peer =
        json!({"netns": "@host", "link": "tap9", "address": "192.0.2.1/32", "peer_address": "169.254.169.254/32"});
    refused(&host, &anne, &[], ("Address.Add", peer), Some("site-metadata-peer"));
    anne.call("Address.Add", address("192.0.2.1/24").1).ok();
    carol.call("Link.Set", up("eth9").1).ok();
    assert!(host.ip("link show eth9").contains(",UP"));
}
