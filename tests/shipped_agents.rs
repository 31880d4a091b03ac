// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the agents of the shipped policies do, with the real broker on this machine's kernel. Where the kernel lacks a
//! kind of link or a device, a pair has its name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::shipped::{ANNE, CAN, CNI, NEUTRON, NOVA, OPENVPN, OVN_BGP_AGENT, WIREGUARD, host, member, refused};
use serde_json::json;

#[test]
fn an_sriov_agent_reaches_virtual_functions_and_not_their_device() {
    let host = host(&["neutron-sriov"], "");
    host.ip("link add ens4f0 type veth peer name other");
    let neutron = host.as_uid(NEUTRON);
    let device = json!({"netns": "@host", "link": "ens4f0"});
    assert_eq!(neutron.call("Link.List", device).ok()["links"][0]["link"], "ens4f0");
    let before = host.snapshot(&[]);
    let state = json!({"netns": "@host", "link": "ens4f0", "vf": {"index": 0, "link_state": "enable"}});
    let reply = neutron.call("Link.Set", state); // it is permitted, but this device has no virtual functions
    assert_eq!(reply.error(), "io.netbroker.Link.NotSupported", "{reply}");
    assert_eq!(host.snapshot(&[]), before);
    let up = json!({"netns": "@host", "link": "ens4f0", "up": true});
    refused(&host, &neutron, &[], ("Link.Set", up), None);
    let address = json!({"netns": "@host", "link": "ens4f0", "vf": {"index": 0, "mac": "fa:16:3e:00:00:01"}});
    refused(&host, &neutron, &[], ("Link.Set", address), None);
}

#[test]
fn an_ovn_metadata_agent_answers_for_the_metadata_address_in_its_namespace() {
    let host = host(&["neutron-ovn-metadata", "site"], "");
    host.ip("link add tap01234567-89 type veth peer name instance");
    let neutron = host.as_uid(NEUTRON);
    neutron.call("Netns.Add", json!({"netns": "ovnmeta-1"})).ok();
    neutron.call("Link.Set", json!({"netns": "ovnmeta-1", "link": "lo", "up": true})).ok();
    let pair = |peer: &str| json!({"netns": "@host", "link": "tap01234567-80", "kind": "veth", "peer": {"name": "tap01234567-81", "netns": peer}});
    refused(&host, &neutron, &["ovnmeta-1"], ("Link.Add", pair("@host")), None);
    neutron.call("Link.Add", pair("ovnmeta-1")).ok();
    let inner = |change: serde_json::Value| {
        let mut request = json!({"netns": "ovnmeta-1", "link": "tap01234567-81"});
        request.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        request
    };
    neutron.call("Link.Set", inner(json!({"mac": "fa:16:3e:00:00:01"}))).ok();
    neutron.call("Link.Set", json!({"netns": "@host", "link": "tap01234567-80", "mtu": 1442})).ok();
    neutron.call("Link.Set", inner(json!({"mtu": 1442}))).ok();
    neutron.call("Link.Set", json!({"netns": "@host", "link": "tap01234567-80", "up": true})).ok();
    neutron.call("Link.Set", inner(json!({"up": true}))).ok();
    neutron.call("Address.Add", inner(json!({"address": "169.254.169.254/32"}))).ok();
    neutron.call("Address.Add", inner(json!({"address": "10.0.0.2/24"}))).ok();
    let shown = host.ip_in("ovnmeta-1", "address show tap01234567-81");
    for part in ["fa:16:3e:00:00:01", "mtu 1442", "169.254.169.254/32", "10.0.0.2/24", ",UP"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let all = ["ovnmeta-1"];
    let metadata = json!({"netns": "@host", "link": "tap01234567-80", "address": "169.254.169.254/32"});
    refused(&host, &neutron, &all, ("Address.Add", metadata), Some("site-metadata-address"));
    let instance = json!({"netns": "@host", "link": "tap01234567-89"});
    refused(&host, &neutron, &all, ("Link.Delete", instance), None);
    neutron.call("Link.Delete", json!({"netns": "@host", "link": "tap01234567-80"})).ok();
    neutron.call("Netns.Delete", json!({"netns": "ovnmeta-1"})).ok();
    assert!(!host.ip("link show").contains("tap01234567-80"));
}

#[test]
fn an_evpn_agent_makes_its_vxlan_device_a_port_of_its_bridge() {
    let host = host(&["neutron-evpn", "site"], "");
    host.ip("link add vxlan_sys_4789 type veth peer name eth0");
    let neutron = host.as_uid(NEUTRON);
    let vxlan = |parent: &str| {
        json!({"netns": "@host", "link": "vxlanevpn-0", "kind": "vxlan", "parent": parent,
               "vxlan": {"local": "192.0.2.1", "port": 40000, "learning": false, "collect_metadata": true}})
    };
    refused(&host, &neutron, &[], ("Link.Add", vxlan("eth0")), Some("site-uplinks"));
    neutron.call("Link.Add", vxlan("vxlan_sys_4789")).ok();
    // Not every kernel has bridges that filter by VLAN, so the agent does not make this one.
    host.ip("link add brevpn-0 type bridge");
    let up = json!({"netns": "@host", "link": "brevpn-0", "mac": "fa:16:3e:00:00:01", "up": true});
    neutron.call("Link.Set", up).ok();
    let port =
        json!({"netns": "@host", "link": "vxlanevpn-0", "mac": "fa:16:3e:00:00:01", "master": "brevpn-0", "up": true});
    neutron.call("Link.Set", port).ok();
    let learns_nothing = json!({"netns": "@host", "link": "vxlanevpn-0",
                                "bridge_port": {"vlan_tunnel": true, "neigh_suppress": true, "learning": false}});
    neutron.call("Link.Set", learns_nothing).ok();
    let shown = host.ip("-d link show vxlanevpn-0");
    for part in ["master brevpn-0", "external", "vlan_tunnel on", "neigh_suppress on", "learning off"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let other = json!({"netns": "@host", "link": "vxlan_sys_4789", "master": "brevpn-0"});
    refused(&host, &neutron, &[], ("Link.Set", other), None);
    neutron.call("Link.Delete", json!({"netns": "@host", "link": "vxlanevpn-0"})).ok();
    neutron.call("Link.Delete", json!({"netns": "@host", "link": "brevpn-0"})).ok();
    assert!(!host.ip("link show").contains("evpn-0"));
}

#[test]
fn a_bgp_agent_exposes_an_address_and_keeps_out_of_the_hosts_own_tables() {
    let host = host(&["ovn-bgp-agent"], "");
    for name in ["bgp-nic", "br-ex"] {
        host.ip(&format!("link add {name} type veth peer name other-{name}"));
        host.ip(&format!("link set {name} up"));
    }
    let agent = host.as_uid(OVN_BGP_AGENT);
    let address = |address: &str| json!({"netns": "@host", "link": "bgp-nic", "address": address});
    agent.call("Address.Add", address("198.51.100.7/32")).ok();
    refused(&host, &agent, &[], ("Address.Add", address("198.51.100.8/24")), None);
    let route = |table: u32| json!({"netns": "@host", "destination": "198.51.100.7/32", "link": "br-ex", "table": table, "scope": "link"});
    agent.call("Route.Replace", route(7)).ok();
    refused(&host, &agent, &[], ("Route.Replace", route(254)), None);
    let rule =
        json!({"netns": "@host", "family": "inet", "priority": 32000, "destination": "198.51.100.7/32", "table": 7});
    agent.call("Rule.Add", rule).ok();
    let neighbour = json!({"netns": "@host", "link": "br-ex", "address": "198.51.100.7", "mac": "fa:16:3e:00:00:07"});
    agent.call("Neighbour.Replace", neighbour).ok();
    let unreachable = json!({"netns": "@host", "destination": "0.0.0.0/0", "table": 7, "route_type": "unreachable", "metric": 4278198272_u32});
    agent.call("Route.Replace", unreachable).ok();
    assert!(host.ip("rule show").contains("from all to 198.51.100.7 lookup 7"), "{}", host.ip("rule show"));
    let shown = host.ip("route show table 7");
    for part in ["198.51.100.7 dev br-ex", "unreachable default metric 4278198272"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let evpn = json!({"netns": "@host", "link": "br-1000", "kind": "bridge", "up": true, "bridge": {"stp": false}});
    agent.call("Link.Add", evpn).ok();
    let vxlan = json!({"netns": "@host", "link": "vxlan-1000", "kind": "vxlan", "up": true,
                       "vxlan": {"id": 1000, "port": 4789, "local": "192.0.2.1", "learning": false}});
    agent.call("Link.Add", vxlan).ok();
    agent.call("Link.Set", json!({"netns": "@host", "link": "vxlan-1000", "master": "br-1000"})).ok();
    assert!(host.ip("link show vxlan-1000").contains("master br-1000"));
    let provider = json!({"netns": "@host", "link": "br-ex", "master": "br-1000"});
    refused(&host, &agent, &[], ("Link.Set", provider), None);
}

#[test]
fn a_compute_service_plugs_an_instance_and_removes_it_again() {
    let host = host(&["nova", "neutron-dhcp"], "");
    host.ip("link add br-int type bridge");
    let nova = host.as_uid(NOVA);
    let tap = |owner: u32| json!({"netns": "@host", "link": "tap01234567-89", "kind": "tun", "mac": "fe:16:3e:00:00:01", "tun": {"mode": "tap", "owner": owner}});
    refused(&host, &nova, &[], ("Link.Add", tap(ANNE)), None);
    nova.call("Link.Add", tap(NOVA)).ok();
    let bridge = json!({"netns": "@host", "link": "qbr01234567-89", "kind": "bridge", "up": true,
                        "bridge": {"stp": false, "forward_delay": 0, "ageing_time": 0}});
    nova.call("Link.Add", bridge).ok();
    let pair = json!({"netns": "@host", "link": "qvb01234567-89", "kind": "veth", "up": true,
                      "peer": {"name": "qvo01234567-89", "netns": "@host", "up": true}});
    nova.call("Link.Add", pair).ok();
    nova.call("Link.Set", json!({"netns": "@host", "link": "qvb01234567-89", "promisc": true})).ok();
    let port = |master: &str| json!({"netns": "@host", "link": "qvb01234567-89", "master": master});
    refused(&host, &nova, &[], ("Link.Set", port("br-int")), None);
    nova.call("Link.Set", port("qbr01234567-89")).ok();
    let shown = host.ip("-d link show qvb01234567-89");
    assert!(shown.contains("master qbr01234567-89") && shown.contains("PROMISC"), "{shown}");
    refused(&host, &nova, &[], ("Link.Delete", json!({"netns": "@host", "link": "br-int"})), None);
    refused(
        &host,
        &host.as_uid(NEUTRON),
        &[],
        ("Link.Delete", json!({"netns": "@host", "link": "qbr01234567-89"})),
        None,
    );
    for link in ["tap01234567-89", "qbr01234567-89", "qvb01234567-89"] {
        nova.call("Link.Delete", json!({"netns": "@host", "link": link})).ok();
    }
    assert!(!host.ip("link show").contains("01234567-89"));
}

#[test]
fn a_cni_plugin_joins_a_container_to_its_bridge() {
    let host = host(&["cni-bridge", "site"], "");
    host.ip("netns add cni-1");
    host.ip("netns add mgmt");
    let cni = host.as_uid(CNI);
    cni.call("Link.Add", json!({"netns": "@host", "link": "cni0", "kind": "bridge", "up": true})).ok();
    let gateway = json!({"netns": "@host", "link": "cni0", "address": "10.88.0.1/16", "broadcast": "10.88.255.255"});
    cni.call("Address.Add", gateway).ok();
    let all = ["cni-1", "mgmt"];
    let pair = |target: &str, peer: &str| {
        json!({"netns": "@host", "target_netns": target, "link": "eth0", "kind": "veth",
               "peer": {"name": peer, "netns": "@host"}})
    };
    refused(&host, &cni, &all, ("Link.Add", pair("mgmt", "veth0123abcd")), Some("site-management"));
    refused(&host, &cni, &all, ("Link.Add", pair("cni-1", "eth0")), Some("site-uplinks"));
    cni.call("Link.Add", pair("cni-1", "veth0123abcd")).ok();
    let port = json!({"netns": "@host", "link": "veth0123abcd", "master": "cni0", "up": true});
    cni.call("Link.Set", port).ok();
    let hairpin = json!({"netns": "@host", "link": "veth0123abcd", "bridge_port": {"hairpin": true}});
    cni.call("Link.Set", hairpin).ok();
    assert!(host.ip("-d link show veth0123abcd").contains("hairpin on"));
    let address = |address: &str| json!({"netns": "cni-1", "link": "eth0", "address": address});
    refused(&host, &cni, &all, ("Address.Add", address("10.88.0.1/16")), None);
    let out = json!({"netns": "cni-1", "link": "eth0", "target_netns": "@host"});
    refused(&host, &cni, &all, ("Link.Set", out), Some("site-uplinks"));
    // From here on IPv6 makes addresses.
    cni.call("Link.Set", json!({"netns": "cni-1", "link": "eth0", "up": true})).ok();
    cni.call("Address.Add", address("10.88.0.7/16")).ok();
    let default = json!({"netns": "cni-1", "destination": "default", "gateway": "10.88.0.1", "link": "eth0"});
    cni.call("Route.Add", default).ok();
    assert!(host.ip_in("cni-1", "route show").contains("default via 10.88.0.1 dev eth0"));
    cni.call("Link.Delete", json!({"netns": "cni-1", "link": "eth0"})).ok();
    assert!(!host.ip("link show").contains("veth0123abcd"));
}

#[test]
fn a_vpn_server_has_a_tun_of_its_own_and_no_default_route() {
    let host = host(&["openvpn"], "");
    let openvpn = host.as_uid(OPENVPN);
    let tun = |mode: &str| json!({"netns": "@host", "link": "tun0", "kind": "tun", "tun": {"mode": mode}});
    refused(&host, &openvpn, &[], ("Link.Add", tun("tap")), None);
    openvpn.call("Link.Add", tun("tun")).ok();
    openvpn.call("Link.Set", json!({"netns": "@host", "link": "tun0", "up": true, "mtu": 1400})).ok();
    let address = json!({"netns": "@host", "link": "tun0", "address": "10.8.0.1/24", "broadcast": "10.8.0.255"});
    openvpn.call("Address.Add", address).ok();
    let route = |to: &str| json!({"netns": "@host", "destination": to, "link": "tun0"});
    openvpn.call("Route.Add", route("192.168.7.0/24")).ok();
    assert!(host.ip("route show").contains("192.168.7.0/24 dev tun0"));
    refused(&host, &openvpn, &[], ("Route.Add", route("0.0.0.0/1")), None);
    refused(&host, &openvpn, &[], ("Route.Add", route("default")), None);
    let shown = host.ip("-d address show tun0");
    assert!(shown.contains("user openvpn") && shown.contains("10.8.0.1/24"), "{shown}");
    openvpn.call("Link.Delete", json!({"netns": "@host", "link": "tun0"})).ok();
}

#[test]
fn a_wireguard_tunnel_has_private_addresses_and_routes() {
    let host = host(&["wireguard"], "");
    host.ip("link add wg0 type veth peer name eth0");
    let wireguard = host.as_uid(WIREGUARD);
    wireguard.call("Link.Set", json!({"netns": "@host", "link": "wg0", "up": true, "mtu": 1420})).ok();
    let address = |address: &str| json!({"netns": "@host", "link": "wg0", "address": address});
    wireguard.call("Address.Add", address("10.7.0.1/24")).ok();
    refused(&host, &wireguard, &[], ("Address.Add", address("10.7.0.1/8")), None);
    let route = |link: &str, to: &str| json!({"netns": "@host", "destination": to, "link": link});
    wireguard.call("Route.Add", route("wg0", "192.168.7.0/24")).ok();
    assert!(host.ip("route show").contains("192.168.7.0/24 dev wg0"));
    refused(&host, &wireguard, &[], ("Route.Add", route("wg0", "default")), None);
    refused(&host, &wireguard, &[], ("Route.Add", route("eth0", "192.168.8.0/24")), None);
    let bridge = json!({"netns": "@host", "link": "wg1", "kind": "bridge"});
    refused(&host, &wireguard, &[], ("Link.Add", bridge), None);
}

#[test]
fn who_works_with_can_takes_a_bus_up_and_no_other_link() {
    let host = host(&["can"], "");
    host.ip("link add can0 type veth peer name eth0");
    let anne = member(&host, ANNE, CAN);
    let up = |link: &str| json!({"netns": "@host", "link": link, "up": true, "txqueuelen": 500});
    anne.call("Link.Set", up("can0")).ok();
    assert!(host.ip("link show can0").contains("qlen 500"));
    refused(&host, &anne, &[], ("Link.Set", up("eth0")), None);
    let before = host.snapshot(&[]);
    let bit_rate = json!({"netns": "@host", "link": "can0", "kind": "can", "can": {"bitrate": 500000}});
    let reply = anne.call("Link.Set", bit_rate.clone()); // it is permitted, but this link is no CAN device
    assert_ne!(reply.error(), "io.netbroker.Link.Denied", "{reply}");
    assert_eq!((reply.get("field"), host.snapshot(&[])), (json!("kind"), before), "{reply}");
    refused(&host, &host.as_uid(ANNE), &[], ("Link.Set", bit_rate), None);
}
