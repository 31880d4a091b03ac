// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Requests that give every field of every call, each with a value that would look different in another width, byte
//! order or place, and every word that a change can have. A kernel may refuse a request; only what was sent is
//! examined.

use common::calls::Example;

const UP: &str = "ip -n w link set v0 up; ip -n w link set v1 up; ip -n w addr add 10.0.0.1/24 dev v0; \
                  ip -n w addr add 2001:db8::1/64 dev v0 nodad";
const BRIDGE: &str = "ip -n w link add br0 type bridge";
const PORTS: &str = "ip -n w link add br0 type bridge; ip -n w link set v0 master br0; \
                     ip -n w link set v0 type bridge_slave vlan_tunnel on";

const PORT: &str = "ip -n w link add br0 type bridge; ip -n w link set v0 master br0; ip -n w link set v0 up";
const VXLAN: &str = "ip -n w link add x0 type vxlan external dstport 4789";

macro_rules! requests {
    ($($call:literal $before:expr, $parameters:literal;)*) => {
        pub(crate) const REQUESTS: &[Example] = &[$(Example { call: $call, before: $before, parameters: $parameters }),*];
    };
}

requests! {
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "veth", "mtu": 1401, "mac": "02:00:00:00:01:02", "up": true,
        "master": "br0", "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true,
        "peer": {"name": "a1", "netns": "far", "mac": "02:00:00:00:03:04", "mtu": 1302, "up": true}}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "bridge", "mtu": 1401, "mac": "02:00:00:00:01:02",
        "up": true, "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true, "bridge": {"stp": true, "forward_delay": 1703,
        "ageing_time": 20004}}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "bridge", "master": "br0", "bridge": {"stp": false,
        "vlan_filtering": true, "vlan_default_pvid": 515}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "bridge", "bridge": {"stp": false, "hello_time": 301, "max_age": 1502,
        "priority": 4660, "group_fwd_mask": 22136, "vlan_protocol": "ieee802_1ad", "vlan_stats_enabled": true,
        "mcast_router": "permanent", "mcast_snooping": true, "mcast_query_use_ifaddr": true, "mcast_querier": true,
        "mcast_hash_max": 66053, "mcast_last_member_count": 3, "mcast_startup_query_count": 4,
        "mcast_last_member_interval": 505, "mcast_membership_interval": 66054, "mcast_querier_interval": 66055,
        "mcast_query_interval": 66056, "mcast_query_response_interval": 1507, "mcast_startup_query_interval": 66058,
        "mcast_stats_enabled": true, "mcast_igmp_version": 3, "mcast_mld_version": 2}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "bridge", "up": true, "addrgenmode": "eui64", "bridge": {"vlan_protocol": "ieee802_1q",
        "mcast_router": "automatic", "mcast_snooping": false, "mcast_querier": false}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "bridge", "alias": "one", "addrgenmode": "random", "bridge": {"mcast_router": "disabled"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "ifb", "addrgenmode": "stable_privacy"}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "vxlan", "mtu": 1401, "mac": "02:00:00:00:01:02",
        "up": true, "master": "br0", "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true, "parent": "v0", "vxlan": {"id": 66051,
        "group": "239.1.2.3", "local": "10.0.0.1", "port": 4789, "source_port_min": 4660, "source_port_max": 22136,
        "ttl": 7, "tos": 8, "learning": true, "proxy": true}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "vxlan", "parent": "v0", "vxlan": {"id": 7,
        "group": "ff05::100", "local": "2001:db8::1", "learning": false}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "vxlan", "vxlan": {"id": 7, "remote": "10.0.0.9"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "vxlan", "vxlan": {"id": 7, "remote": "2001:db8::9"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "vxlan", "vxlan": {"collect_metadata": true}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "vxlan", "vxlan": {"id": 7, "ttl_inherit": true,
        "ageing": 66051, "df": "set", "gbp": true, "udp_csum": true, "udp_zero_csum6_tx": true,
        "udp_zero_csum6_rx": true}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "vxlan", "vxlan": {"id": 7, "df": "inherit",
        "udp_csum": false, "udp_zero_csum6_tx": false, "udp_zero_csum6_rx": false}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "vxlan", "vxlan": {"collect_metadata": true, "df": "unset",
        "vnifilter": true}}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "macvlan", "mtu": 1401, "mac": "02:00:00:00:01:02",
        "up": true, "master": "br0", "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true, "parent": "v0", "macvlan": {"mode": "private"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "macvlan", "parent": "v0", "macvlan": {"mode": "bridge"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "macvlan", "parent": "v0", "macvlan": {"mode": "passthru"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "macvlan", "parent": "v0", "macvlan": {"mode": "source"}}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "macvtap", "mtu": 1401, "mac": "02:00:00:00:01:02",
        "up": true, "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true, "parent": "v0", "macvlan": {"mode": "private"}}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "macvtap", "parent": "v0", "master": "br0"}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "macvtap", "parent": "v0", "macvlan": {"mode": "bridge"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "macvtap", "parent": "v0", "macvlan": {"mode": "passthru"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "macvtap", "parent": "v0", "macvlan": {"mode": "source"}}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "ifb", "mtu": 1401, "mac": "02:00:00:00:01:02",
        "up": true, "master": "br0", "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "tun", "mtu": 1401, "mac": "02:00:00:00:01:02",
        "up": true, "master": "br0", "alias": "one", "group": 66052, "txqueuelen": 515,
        "addrgenmode": "none", "exists_ok": true, "tun": {"mode": "tap", "owner": 64123,
        "group": 7}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "tun", "mtu": 1401, "tun": {"mode": "tun"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "tun", "tun": {"mode": "tap", "no_owner": true,
        "multi_queue": true, "vnet_hdr": true}}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "bond", "mtu": 1401, "mac": "02:00:00:00:01:02",
        "up": true, "master": "br0", "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true, "bond": {"mode": "ieee802_3ad",
        "miimon": 100, "updelay": 66100, "downdelay": 4600, "min_links": 3, "lacp_rate": "fast", "ad_select": "count",
        "xmit_hash_policy": "layer3_4", "fail_over_mac": "active", "all_ports_active": true, "primary": "v0"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "bond", "bond": {"mode": "balance_rr", "arp_interval": 66051,
        "arp_ip_target": ["10.0.0.9", "10.1.2.3"], "xmit_hash_policy": "layer2", "lacp_rate": "slow",
        "ad_select": "stable", "fail_over_mac": "none"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "bond", "bond": {"mode": "active_backup",
        "xmit_hash_policy": "layer2_3", "ad_select": "bandwidth", "fail_over_mac": "follow"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "bond", "bond": {"mode": "balance_xor",
        "xmit_hash_policy": "encap2_3"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "bond", "bond": {"mode": "broadcast",
        "xmit_hash_policy": "encap3_4"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "bond", "bond": {"mode": "balance_tlb",
        "xmit_hash_policy": "vlan_srcmac"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "bond", "bond": {"mode": "balance_alb"}}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "dummy", "mtu": 1401, "mac": "02:00:00:00:01:02",
        "up": true, "master": "br0", "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "vlan", "mtu": 1401, "mac": "02:00:00:00:01:02",
        "up": true, "master": "br0", "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true, "parent": "v0",
        "vlan": {"id": 2571}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "vlan", "parent": "v0", "vlan": {"id": 7, "protocol": "ieee802_1ad"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "vlan", "parent": "v0", "vlan": {"id": 7, "protocol": "ieee802_1q"}}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "vrf", "mtu": 1401, "mac": "02:00:00:00:01:02",
        "up": true, "master": "br0", "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true, "vrf": {"table": 305419896}}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "ipvlan", "mtu": 1401, "up": true, "master": "br0",
        "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true, "parent": "v0",
        "ipvlan": {"mode": "l2", "traffic": "private"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "ipvlan", "parent": "v0", "ipvlan": {"mode": "l3", "traffic": "vepa"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "ipvlan", "parent": "v0", "ipvlan": {"mode": "l3s", "traffic": "bridge"}}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "geneve", "mtu": 1401, "mac": "02:00:00:00:01:02",
        "up": true, "master": "br0", "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true, "geneve": {"id": 66051,
        "remote": "10.0.0.9", "port": 4660, "ttl": 7, "tos": 8, "df": "set"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "geneve", "geneve": {"id": 7, "remote": "2001:db8::9", "df": "inherit"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "geneve", "geneve": {"collect_metadata": true, "df": "unset"}}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "ipip", "mtu": 1401, "up": true, "master": "br0",
        "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true, "parent": "v0",
        "tunnel": {"local": "10.0.0.1", "remote": "10.0.0.9", "ttl": 7, "tos": 8, "pmtudisc": true}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "ipip", "tunnel": {"remote": "10.0.0.9", "protocol": "any", "pmtudisc": false}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "ipip", "tunnel": {"remote": "10.0.0.9", "protocol": "ipv4", "pmtudisc": false}}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "sit", "mtu": 1401, "up": true, "master": "br0",
        "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true, "parent": "v0",
        "tunnel": {"local": "10.0.0.1", "remote": "10.0.0.9", "ttl": 7, "tos": 8, "pmtudisc": true}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "sit", "tunnel": {"remote": "10.0.0.9", "protocol": "any", "pmtudisc": false}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "sit", "tunnel": {"remote": "10.0.0.9", "protocol": "ipv4", "pmtudisc": false}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "sit", "tunnel": {"remote": "10.0.0.9", "protocol": "ipv6", "pmtudisc": false}}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "ip6tnl", "mtu": 1401, "up": true, "master": "br0",
        "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true, "parent": "v0",
        "tunnel": {"local": "2001:db8::1", "remote": "2001:db8::9", "ttl": 7, "encap_limit": 5}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "ip6tnl", "tunnel": {"remote": "2001:db8::9", "protocol": "any"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "ip6tnl", "tunnel": {"remote": "2001:db8::9", "protocol": "ipv4"}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "ip6tnl", "tunnel": {"remote": "2001:db8::9", "protocol": "ipv6"}}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "gre", "mtu": 1401, "up": true, "master": "br0",
        "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true, "parent": "v0",
        "tunnel": {"local": "10.0.0.1", "remote": "10.0.0.9", "ttl": 7, "tos": 8, "pmtudisc": true},
        "gre": {"key": 305419896, "csum": true, "seq": true}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "gre", "tunnel": {"pmtudisc": false}, "gre": {"key": 66051}}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "gretap", "mtu": 1401, "mac": "02:00:00:00:01:02",
        "up": true, "master": "br0", "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true, "parent": "v0",
        "tunnel": {"local": "10.0.0.1", "remote": "10.0.0.9", "ttl": 7, "tos": 8, "pmtudisc": true},
        "gre": {"key": 305419896, "csum": true, "seq": true}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "gretap", "tunnel": {"pmtudisc": false}, "gre": {"key": 66051}}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "ip6gre", "mtu": 1401, "up": true, "master": "br0",
        "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true, "parent": "v0",
        "tunnel": {"local": "2001:db8::1", "remote": "2001:db8::9", "ttl": 7, "encap_limit": 5},
        "gre": {"key": 305419896, "csum": true, "seq": true}}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "ip6gretap", "mtu": 1401, "mac": "02:00:00:00:01:02",
        "up": true, "master": "br0", "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true, "parent": "v0",
        "tunnel": {"local": "2001:db8::1", "remote": "2001:db8::9", "ttl": 7, "encap_limit": 5},
        "gre": {"key": 305419896, "csum": true, "seq": true}}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "wireguard", "mtu": 1401, "up": true, "master": "br0",
        "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "xfrm", "mtu": 1401, "up": true, "master": "br0",
        "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true, "parent": "v0", "xfrm": {"if_id": 305419896}}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "netkit", "mtu": 1401, "mac": "02:00:00:00:01:02",
        "up": true, "master": "br0", "alias": "one", "group": 66052, "txqueuelen": 515, "tx_queues": 3, "rx_queues": 5,
        "addrgenmode": "none", "exists_ok": true, "netkit": {"mode": "l2"},
        "peer": {"name": "a1", "netns": "far", "mac": "02:00:00:00:03:04", "mtu": 1302, "up": true}}"#;
    "Link.Add" "", r#"{"netns": "w", "link": "a0", "kind": "netkit", "netkit": {"mode": "l3"}, "peer": {"name": "a1", "netns": "w"}}"#;
    "Link.Add" BRIDGE, r#"{"netns": "w", "link": "a0", "kind": "vcan", "mtu": 1401, "up": true, "master": "br0",
        "group": 305419896, "txqueuelen": 515, "tx_queues": 66, "rx_queues": 77, "addrgenmode": "none",
        "alias": "one", "exists_ok": true}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "vcan"}"#;
    "Link.Set" BRIDGE, r#"{"netns": "w", "link": "br0", "kind": "bridge", "up": true, "mtu": 1401,
        "mac": "02:00:00:00:01:02", "alias": "one", "arp": true, "multicast": true, "allmulticast": true,
        "promisc": true, "txqueuelen": 515, "bridge": {"stp": true, "forward_delay": 1703, "ageing_time": 20004}}"#;
    "Link.Set" BRIDGE, r#"{"netns": "w", "link": "br0", "kind": "bridge", "no_master": true, "new_name": "br1",
        "target_netns": "far", "bridge": {"vlan_filtering": true, "vlan_default_pvid": 515}}"#;
    "Link.Set" BRIDGE, r#"{"netns": "w", "link": "br0", "kind": "bridge", "group": 66052, "bridge": {"stp": false, "hello_time": 301, "max_age": 1502,
        "priority": 4660, "group_fwd_mask": 22136, "vlan_protocol": "ieee802_1ad", "vlan_stats_enabled": true,
        "mcast_router": "permanent", "mcast_snooping": true, "mcast_query_use_ifaddr": true, "mcast_querier": true,
        "mcast_hash_max": 66053, "mcast_last_member_count": 3, "mcast_startup_query_count": 4,
        "mcast_last_member_interval": 505, "mcast_membership_interval": 66054, "mcast_querier_interval": 66055,
        "mcast_query_interval": 66056, "mcast_query_response_interval": 1507, "mcast_startup_query_interval": 66058,
        "mcast_stats_enabled": true, "mcast_igmp_version": 3, "mcast_mld_version": 2}}"#;
    "Link.Set" BRIDGE, r#"{"netns": "w", "link": "br0", "kind": "bridge", "up": false, "addrgenmode": "eui64", "bridge": {"vlan_protocol": "ieee802_1q",
        "mcast_router": "automatic", "mcast_snooping": false, "mcast_querier": false}}"#;
    "Link.Set" BRIDGE, r#"{"netns": "w", "link": "br0", "kind": "bridge", "addrgenmode": "random", "bridge": {"mcast_router": "disabled"}}"#;
    "Link.Set" "ip -n w link add br0 type bridge; ip -n w link add br1 type bridge", r#"{"netns": "w", "link": "br0",
        "kind": "bridge", "master": "br1"}"#;
    "Link.Set" "", r#"{"netns": "w", "link": "v0", "kind": "veth", "mtu": 1402}"#;
    "Link.Set" "", r#"{"netns": "w", "link": "v0", "up": true, "mtu": 1401, "mac": "02:00:00:00:01:02", "alias": "one",
        "arp": true, "multicast": true, "allmulticast": true, "promisc": true, "txqueuelen": 515}"#;
    "Link.Set" "", r#"{"netns": "w", "link": "v0", "up": false, "arp": false, "multicast": false, "allmulticast": false,
        "promisc": false, "no_master": true}"#;
    "Link.Set" "", r#"{"netns": "w", "link": "v0", "group": 66052, "addrgenmode": "none"}"#;
    "Link.Set" "", r#"{"netns": "w", "link": "v0", "kind": "veth", "group": 66052, "addrgenmode": "stable_privacy"}"#;
    "Link.Set" BRIDGE, r#"{"netns": "w", "link": "v0", "master": "br0"}"#;
    "Link.Set" "", r#"{"netns": "w", "link": "v0", "new_name": "w0", "target_netns": "far"}"#;
    "Link.Set" "", r#"{"netns": "w", "link": "v0", "protodown": true}"#;
    "Link.Set" "", r#"{"netns": "w", "link": "v0", "vf": {"index": 66051, "mac": "02:00:00:00:01:02", "vlan": 515, "qos": 5,
        "rate_min": 66052, "rate_max": 66053, "spoofchk": true, "trust": true, "link_state": "disable"}}"#;
    "Link.Set" "", r#"{"netns": "w", "link": "v0", "vf": {"index": 1, "link_state": "enable"}}"#;
    "Link.Set" "", r#"{"netns": "w", "link": "v0", "vf": {"index": 1, "link_state": "auto"}}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "bridge"}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "bond"}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "ifb"}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "dummy"}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "wireguard"}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "vxlan", "vxlan": {"id": 7}}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "vlan", "parent": "v0", "vlan": {"id": 7}}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "vrf", "vrf": {"table": 7}}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "macvlan", "parent": "v0"}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "macvtap", "parent": "v0"}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "ipvlan", "parent": "v0"}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "geneve", "geneve": {"id": 7, "remote": "10.0.0.9"}}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "ipip", "tunnel": {"remote": "10.0.0.9"}}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "sit", "tunnel": {"remote": "10.0.0.9"}}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "gre", "tunnel": {"remote": "10.0.0.9"}}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "gretap", "tunnel": {"remote": "10.0.0.9"}}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "ip6tnl", "tunnel": {"remote": "2001:db8::9"}}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "ip6gre", "tunnel": {"remote": "2001:db8::9"}}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "ip6gretap", "tunnel": {"remote": "2001:db8::9"}}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "xfrm", "xfrm": {"if_id": 7}}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "veth", "peer": {"name": "a1", "netns": "w"}}"#;
    "Link.Add" "", r#"{"netns": "w", "target_netns": "far", "link": "a0", "kind": "netkit", "peer": {"name": "a1", "netns": "far"}}"#;
    "Link.Set" "ip -n w link add x0 type vxlan id 7 dev v0 remote 10.0.0.8",
        r#"{"netns": "w", "link": "x0", "kind": "vxlan", "parent": "v0", "vxlan": {"group": "239.1.2.3", "local": "10.0.0.1", "ttl": 7, "tos": 8, "learning": true}}"#;
    "Link.Set" "ip -n w link add x0 type vxlan id 7 dev v0 remote 10.0.0.8",
        r#"{"netns": "w", "link": "x0", "kind": "vxlan", "vxlan": {"remote": "10.0.0.9", "learning": false}}"#;
    "Link.Set" "ip -n w link add x0 type vxlan id 7 dev v0",
        r#"{"netns": "w", "link": "x0", "kind": "vxlan", "vxlan": {"ageing": 66051, "df": "unset"}}"#;
    "Link.Set" "ip -n w link add x0 type vxlan id 7 dev v0",
        r#"{"netns": "w", "link": "x0", "kind": "vxlan", "vxlan": {"ageing": 66051, "df": "set"}}"#;
    "Link.Set" "ip -n w link add x0 type vxlan id 7 dev v0",
        r#"{"netns": "w", "link": "x0", "kind": "vxlan", "vxlan": {"ageing": 66051, "df": "inherit"}}"#;
    "Link.Set" "ip -n w link add m0 link v0 type macvlan mode bridge",
        r#"{"netns": "w", "link": "m0", "kind": "macvlan", "macvlan": {"mode": "private"}}"#;
    "Link.Set" "ip -n w link add m0 link v0 type macvlan mode bridge",
        r#"{"netns": "w", "link": "m0", "kind": "macvlan", "macvlan": {"mode": "vepa"}}"#;
    "Link.Set" "ip -n w link add m0 link v0 type macvlan mode bridge",
        r#"{"netns": "w", "link": "m0", "kind": "macvlan", "macvlan": {"mode": "bridge"}}"#;
    "Link.Set" "ip -n w link add m0 link v0 type macvlan mode bridge",
        r#"{"netns": "w", "link": "m0", "kind": "macvlan", "macvlan": {"mode": "passthru"}}"#;
    "Link.Set" "ip -n w link add m0 link v0 type macvlan mode bridge",
        r#"{"netns": "w", "link": "m0", "kind": "macvlan", "macvlan": {"mode": "source"}}"#;
    "Link.Set" "ip -n w link add m0 link v0 type macvtap mode bridge",
        r#"{"netns": "w", "link": "m0", "kind": "macvtap", "macvlan": {"mode": "private"}}"#;
    "Link.Set" "ip -n w link add m0 link v0 type macvtap mode bridge",
        r#"{"netns": "w", "link": "m0", "kind": "macvtap", "macvlan": {"mode": "vepa"}}"#;
    "Link.Set" "ip -n w link add m0 link v0 type macvtap mode bridge",
        r#"{"netns": "w", "link": "m0", "kind": "macvtap", "macvlan": {"mode": "bridge"}}"#;
    "Link.Set" "ip -n w link add m0 link v0 type macvtap mode bridge",
        r#"{"netns": "w", "link": "m0", "kind": "macvtap", "macvlan": {"mode": "passthru"}}"#;
    "Link.Set" "ip -n w link add m0 link v0 type macvtap mode bridge",
        r#"{"netns": "w", "link": "m0", "kind": "macvtap", "macvlan": {"mode": "source"}}"#;
    "Link.Delete" BRIDGE, r#"{"netns": "w", "link": "br0", "missing_ok": true}"#;
    "Netns.Set" "", r#"{"netns": "w", "nsid": 66051, "exists_ok": true}"#;
    "Link.Delete" "ip -n w link add 'x{}' index 515 type bridge", r#"{"netns": "w", "index": 515, "missing_ok": true}"#;
    "Link.List" "", r#"{"netns": "w", "link": "v0"}"#;
    "Link.List" "", r#"{"netns": "w", "kind": "veth"}"#;
    "Link.List" "", r#"{"netns": "w", "link": "v0", "kind": "veth", "group": 7, "up": true, "with_vfs": true}"#;
    "Link.List" BRIDGE, r#"{"netns": "w", "master": "br0", "with_stats": true}"#;
    "Link.List" "", r#"{"netns": "w", "link": "v0", "with_vfs": true, "with_stats": true}"#;
    "Link.List" "ip -n w link add i0 index 515 type ifb", r#"{"netns": "w", "index": 515}"#;
    "Address.Add" "", r#"{"netns": "w", "link": "v0", "address": "10.1.2.3/24", "broadcast": "10.1.2.255",
        "scope": "link", "label": "v0:one", "noprefixroute": true, "valid_lifetime": 66051, "preferred_lifetime": 4660,
        "metric": 305419896, "exists_ok": true}"#;
    "Address.Add" "", r#"{"netns": "w", "link": "v0", "address": "10.1.2.3/24", "peer_address": "10.1.2.4/24",
        "scope": "site", "preferred_lifetime": 515}"#;
    "Address.Add" "", r#"{"netns": "w", "link": "v0", "address": "10.1.2.3/24", "scope": "host"}"#;
    "Address.Add" "", r#"{"netns": "w", "link": "v0", "address": "10.1.2.3/24", "scope": "nowhere"}"#;
    "Address.Add" "", r#"{"netns": "w", "link": "v0", "address": "10.1.2.3/24", "scope": "global"}"#;
    "Address.Add" "", r#"{"netns": "w", "link": "v0", "address": "127.1.2.3/24"}"#;
    "Address.Add" "", r#"{"netns": "w", "link": "v0", "address": "2001:db8::2/64", "nodad": true, "home_address": true,
        "preferred_lifetime": 515}"#;
    "Address.Add" "", r#"{"netns": "w", "link": "v0", "address": "2001:db8::2/64", "optimistic": true, "mngtmpaddr": true,
        "protocol": 77}"#;
    "Address.Add" "", r#"{"netns": "w", "link": "v0", "address": "239.1.2.3/32", "autojoin": true}"#;
    "Address.Replace" "", r#"{"netns": "w", "link": "v0", "address": "10.1.2.3/24", "broadcast": "10.1.2.255",
        "scope": "link", "label": "v0:one", "noprefixroute": true, "valid_lifetime": 66051, "preferred_lifetime": 4660,
        "metric": 305419896, "protocol": 77}"#;
    "Address.Replace" "", r#"{"netns": "w", "link": "v0", "address": "10.1.2.3/24", "peer_address": "10.1.2.4/24",
        "scope": "site"}"#;
    "Address.Replace" "", r#"{"netns": "w", "link": "v0", "address": "10.1.2.3/24", "scope": "host"}"#;
    "Address.Replace" "", r#"{"netns": "w", "link": "v0", "address": "10.1.2.3/24", "scope": "nowhere"}"#;
    "Address.Replace" "", r#"{"netns": "w", "link": "v0", "address": "10.1.2.3/24", "scope": "global"}"#;
    "Address.Replace" "", r#"{"netns": "w", "link": "v0", "address": "2001:db8::2/64", "nodad": true, "home_address": true,
        "mngtmpaddr": true}"#;
    "Address.Replace" "", r#"{"netns": "w", "link": "v0", "address": "2001:db8::3/64", "optimistic": true}"#;
    "Address.Replace" "", r#"{"netns": "w", "link": "v0", "address": "239.1.2.3/32", "autojoin": true}"#;
    "Address.Flush" "ip -n w addr add 10.1.2.3 peer 10.1.2.4/24 dev v0", r#"{"netns": "w", "link": "v0", "family": "inet",
        "address": "10.1.2.3/24", "peer_address": "10.1.2.4/24"}"#;
    "Address.Flush" "ip -n w addr add 2001:db8::2/64 dev v0", r#"{"netns": "w", "link": "v0", "family": "inet6",
        "scope": "global"}"#;
    "Address.Flush" "ip -n w addr add 10.1.2.3/24 dev v0 scope link", r#"{"netns": "w", "link": "v0", "scope": "link"}"#;
    "Address.Flush" "ip -n w addr add 10.1.2.3/24 dev v0 scope site", r#"{"netns": "w", "link": "v0", "scope": "site"}"#;
    "Address.Flush" "ip -n w addr add 10.1.2.3/24 dev v0 scope host", r#"{"netns": "w", "link": "v0", "scope": "host"}"#;
    "Address.Flush" "ip -n w addr add 10.1.2.3/24 dev v0 scope 255", r#"{"netns": "w", "link": "v0",
        "scope": "nowhere"}"#;
    "Address.Flush" "ip -n w addr add 10.1.2.3/24 dev v0 label v0:one", r#"{"netns": "w", "link": "v0",
        "label": "v0:one"}"#;
    "Address.Delete" "ip -n w addr add 10.1.2.3 peer 10.1.2.4/24 dev v0", r#"{"netns": "w", "link": "v0",
        "address": "10.1.2.3/24", "peer_address": "10.1.2.4/24", "missing_ok": true}"#;
    "Address.Delete" "ip -n w addr add 2001:db8::2/64 dev v0", r#"{"netns": "w", "link": "v0",
        "address": "2001:db8::2/64"}"#;
    "Address.List" "", r#"{"netns": "w", "link": "v0", "family": "inet", "scope": "link"}"#;
    "Address.List" "ip -n w link add i0 index 515 type ifb", r#"{"netns": "w", "index": 515, "family": "inet6",
        "scope": "global"}"#;
    "Address.List" "", r#"{"netns": "w", "scope": "site"}"#;
    "Address.List" "", r#"{"netns": "w", "scope": "host"}"#;
    "Address.List" "", r#"{"netns": "w", "scope": "nowhere"}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "10.2.0.0/15", "family": "inet", "gateway": "10.0.0.9", "link": "v0",
        "table": 305419896, "metric": 66051, "scope": "global", "protocol": 186, "route_type": "unicast",
        "preferred_source": "10.0.0.1", "onlink": true, "mtu": 1303, "exists_ok": true}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "2001:db8:2::/48", "gateway": "fe80::9", "link": "v0", "table": 100,
        "metric": 66051, "protocol": 4, "preferred_source": "2001:db8::1", "onlink": true, "mtu": 1303}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "default", "gateway": "fe80::9", "link": "v0", "family": "inet"}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "nexthops": [
        {"gateway": "10.0.0.9", "link": "v0", "weight": 3, "onlink": true}, {"gateway": "fe80::9", "link": "v1"}]}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0", "scope": "link"}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0", "scope": "site"}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0", "scope": "host"}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "route_type": "blackhole", "scope": "nowhere"}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "route_type": "blackhole"}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "route_type": "unreachable"}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "route_type": "prohibit"}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "2001:db8:2::/48", "route_type": "throw", "family": "inet6"}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "route_type": "local", "link": "v0", "table": 100}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "route_type": "broadcast", "link": "v0"}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0", "tos": 16, "mtu": 1303,
        "mtu_lock": true, "advmss": 1220, "hoplimit": 33, "initcwnd": 66051, "initrwnd": 66052}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "2001:db8:2::/48", "link": "v0", "pref": "low", "expires": 66053}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "2001:db8:2::/48", "link": "v0", "pref": "high"}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "2001:db8:2::/48", "link": "v0", "pref": "medium"}"#;
    "Route.Replace" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "route_type": "local", "link": "v0"}"#;
    "Route.Replace" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "route_type": "broadcast", "link": "v0"}"#;
    "Route.Replace" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0", "tos": 16, "mtu": 1303,
        "mtu_lock": true, "advmss": 1220, "hoplimit": 33, "initcwnd": 66051, "initrwnd": 66052}"#;
    "Route.Replace" UP, r#"{"netns": "w", "destination": "2001:db8:2::/48", "link": "v0", "pref": "low",
        "expires": 66053}"#;
    "Route.Replace" UP, r#"{"netns": "w", "destination": "2001:db8:2::/48", "link": "v0", "pref": "high"}"#;
    "Route.Replace" UP, r#"{"netns": "w", "destination": "2001:db8:2::/48", "link": "v0", "pref": "medium"}"#;
    "Route.Replace" UP, r#"{"netns": "w", "destination": "10.2.0.0/15", "family": "inet", "gateway": "10.0.0.9",
        "link": "v0", "table": 305419896, "metric": 66051, "scope": "global", "protocol": 186, "route_type": "unicast",
        "preferred_source": "10.0.0.1", "onlink": true, "mtu": 1303}"#;
    "Route.Replace" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "nexthops": [
        {"gateway": "10.0.0.9", "link": "v0", "weight": 3, "onlink": true}, {"gateway": "10.0.0.8", "link": "v0"}]}"#;
    "Route.Replace" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0", "scope": "link"}"#;
    "Route.Replace" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0", "scope": "site"}"#;
    "Route.Replace" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0", "scope": "host"}"#;
    "Route.Replace" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "route_type": "blackhole", "scope": "nowhere"}"#;
    "Route.Replace" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "route_type": "unreachable"}"#;
    "Route.Replace" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "route_type": "prohibit"}"#;
    "Route.Replace" UP, r#"{"netns": "w", "destination": "2001:db8:2::/48", "route_type": "throw", "family": "inet6"}"#;
    "Route.Delete" "ip -n w link set v0 up; ip -n w addr add 10.0.0.1/24 dev v0; ip -n w route add 10.2.0.0/15 \
        via 10.0.0.9 dev v0 table 305419896 metric 66051 proto 186 src 10.0.0.1 mtu 1303 onlink", r#"{"netns": "w", "destination": "10.2.0.0/15", "family": "inet", "gateway": "10.0.0.9",
        "link": "v0", "table": 305419896, "metric": 66051, "scope": "global", "protocol": 186, "route_type": "unicast",
        "preferred_source": "10.0.0.1", "onlink": true, "mtu": 1303, "missing_ok": true}"#;
    "Route.Delete" "ip -n w link set v0 up; ip -n w addr add 10.0.0.1/24 dev v0; ip -n w route add 10.2.0.0/16 \
        nexthop via 10.0.0.9 dev v0 weight 3 onlink nexthop via 10.0.0.8 dev v0", r#"{"netns": "w",
        "destination": "10.2.0.0/16", "nexthops": [{"gateway": "10.0.0.9", "link": "v0", "weight": 3, "onlink": true},
        {"gateway": "10.0.0.8", "link": "v0", "weight": 1, "onlink": false}]}"#;
    "Route.Delete" "ip -n w link set v0 up; ip -n w route add local 10.2.0.0/16 dev v0 tos 0x10 table 100 mtu lock 1303 \
        advmss 1220 hoplimit 33 initcwnd 66051 initrwnd 66052", r#"{"netns": "w", "destination": "10.2.0.0/16",
        "route_type": "local", "scope": "host", "link": "v0", "table": 100, "tos": 16, "mtu": 1303, "mtu_lock": true,
        "protocol": 3, "advmss": 1220, "hoplimit": 33, "initcwnd": 66051, "initrwnd": 66052}"#;
    "Route.Delete" "ip -n w link set v0 up; ip -n w route add broadcast 10.2.0.0/16 dev v0 table 100", r#"{"netns": "w",
        "destination": "10.2.0.0/16", "route_type": "broadcast", "scope": "link", "link": "v0", "table": 100,
        "protocol": 3}"#;
    "Route.Delete" "ip -n w link set v0 up; ip -n w route add 2001:db8:2::/48 dev v0 pref low", r#"{"netns": "w",
        "destination": "2001:db8:2::/48", "pref": "low", "link": "v0", "metric": 1024, "protocol": 3}"#;
    "Route.Delete" "ip -n w link set v0 up; ip -n w route add 2001:db8:2::/48 dev v0 pref high", r#"{"netns": "w",
        "destination": "2001:db8:2::/48", "pref": "high", "link": "v0", "metric": 1024, "protocol": 3}"#;
    "Route.Delete" "ip -n w link set v0 up; ip -n w route add 2001:db8:2::/48 dev v0", r#"{"netns": "w",
        "destination": "2001:db8:2::/48", "pref": "medium", "link": "v0", "metric": 1024, "protocol": 3}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "2001:db8:2::/48", "source": "2001:db8:3::/48", "link": "v0"}"#;
    "Route.Replace" UP, r#"{"netns": "w", "destination": "2001:db8:2::/48", "source": "2001:db8:3::/48", "link": "v0"}"#;
    "Route.Delete" "ip -n w link set v0 up; ip -n w route add 2001:db8:2::/48 from 2001:db8:3::/48 dev v0",
        r#"{"netns": "w", "destination": "2001:db8:2::/48", "source": "2001:db8:3::/48", "link": "v0", "metric": 1024,
        "protocol": 3}"#;
    "Route.Append" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "route_type": "local", "link": "v0"}"#;
    "Route.Append" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "route_type": "broadcast", "link": "v0"}"#;
    "Route.Append" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0", "tos": 16, "mtu": 1303,
        "mtu_lock": true, "advmss": 1220, "hoplimit": 33, "initcwnd": 66051, "initrwnd": 66052}"#;
    "Route.Append" UP, r#"{"netns": "w", "destination": "2001:db8:2::/48", "link": "v0", "pref": "low",
        "expires": 66053}"#;
    "Route.Append" UP, r#"{"netns": "w", "destination": "2001:db8:2::/48", "link": "v0", "pref": "high"}"#;
    "Route.Append" UP, r#"{"netns": "w", "destination": "2001:db8:2::/48", "link": "v0", "pref": "medium"}"#;
    "Route.Append" UP, r#"{"netns": "w", "destination": "10.2.0.0/15", "family": "inet", "gateway": "10.0.0.9",
        "link": "v0", "table": 305419896, "metric": 66051, "scope": "global", "protocol": 186, "route_type": "unicast",
        "preferred_source": "10.0.0.1", "onlink": true, "mtu": 1303}"#;
    "Route.Append" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "nexthops": [
        {"gateway": "10.0.0.9", "link": "v0", "weight": 3, "onlink": true}, {"gateway": "10.0.0.8", "link": "v0"}]}"#;
    "Route.Append" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0", "scope": "link"}"#;
    "Route.Append" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0", "scope": "site"}"#;
    "Route.Append" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0", "scope": "host"}"#;
    "Route.Append" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "route_type": "blackhole", "scope": "nowhere"}"#;
    "Route.Append" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "route_type": "unreachable"}"#;
    "Route.Append" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "route_type": "prohibit"}"#;
    "Route.Append" UP, r#"{"netns": "w", "destination": "2001:db8:2::/48", "route_type": "throw", "family": "inet6"}"#;
    "Route.Append" UP, r#"{"netns": "w", "destination": "2001:db8:2::/48", "source": "2001:db8:3::/48", "link": "v0"}"#;
    "Route.Flush" "ip -n w link set v0 up; ip -n w addr add 10.0.0.1/24 dev v0; ip -n w route add 10.2.0.0/15 \
        via 10.0.0.9 dev v0 table 305419896 metric 66051 proto 186 src 10.0.0.1 mtu 1303 onlink", r#"{"netns": "w", "destination": "10.2.0.0/15", "family": "inet", "gateway": "10.0.0.9",
        "link": "v0", "table": 305419896, "metric": 66051, "scope": "global", "protocol": 186, "route_type": "unicast",
        "preferred_source": "10.0.0.1", "onlink": true, "mtu": 1303}"#;
    "Route.Flush" "ip -n w link set v0 up; ip -n w addr add 10.0.0.1/24 dev v0; ip -n w route add 10.2.0.0/16 \
        nexthop via 10.0.0.9 dev v0 weight 3 onlink nexthop via 10.0.0.8 dev v0", r#"{"netns": "w", "table": 254,
        "destination": "10.2.0.0/16", "nexthops": [{"gateway": "10.0.0.9", "link": "v0", "weight": 3, "onlink": true},
        {"gateway": "10.0.0.8", "link": "v0", "weight": 1, "onlink": false}]}"#;
    "Route.Flush" "ip -n w link set v0 up; ip -n w route add local 10.2.0.0/16 dev v0 tos 0x10 table 100 mtu lock 1303 \
        advmss 1220 hoplimit 33 initcwnd 66051 initrwnd 66052", r#"{"netns": "w", "destination": "10.2.0.0/16",
        "route_type": "local", "scope": "host", "link": "v0", "table": 100, "tos": 16, "mtu": 1303, "mtu_lock": true,
        "protocol": 3, "advmss": 1220, "hoplimit": 33, "initcwnd": 66051, "initrwnd": 66052}"#;
    "Route.Flush" "ip -n w link set v0 up; ip -n w route add broadcast 10.2.0.0/16 dev v0 table 100", r#"{"netns": "w",
        "destination": "10.2.0.0/16", "route_type": "broadcast", "scope": "link", "link": "v0", "table": 100,
        "protocol": 3}"#;
    "Route.Flush" "ip -n w link set v0 up; ip -n w route add 2001:db8:2::/48 dev v0 pref low", r#"{"netns": "w", "table": 254,
        "destination": "2001:db8:2::/48", "pref": "low", "family": "inet6", "link": "v0", "metric": 1024, "protocol": 3}"#;
    "Route.Flush" "ip -n w link set v0 up; ip -n w route add 2001:db8:2::/48 dev v0 pref high", r#"{"netns": "w", "table": 254,
        "destination": "2001:db8:2::/48", "pref": "high", "link": "v0", "metric": 1024, "protocol": 3}"#;
    "Route.Flush" "ip -n w link set v0 up; ip -n w route add 2001:db8:2::/48 dev v0", r#"{"netns": "w", "table": 254,
        "destination": "2001:db8:2::/48", "pref": "medium", "link": "v0", "metric": 1024, "protocol": 3}"#;
    "Route.Flush" "ip -n w link set v0 up; ip -n w route add 2001:db8:2::/48 from 2001:db8:3::/48 dev v0",
        r#"{"netns": "w", "table": 254, "destination": "2001:db8:2::/48", "source": "2001:db8:3::/48", "link": "v0", "metric": 1024,
        "protocol": 3}"#;
    "Route.Flush" "ip -n w route add blackhole 10.2.0.0/16 table 100 scope nowhere", r#"{"netns": "w", "table": 100,
        "destination": "10.2.0.0/16", "route_type": "blackhole", "scope": "nowhere", "protocol": 3}"#;
    "Route.Flush" "ip -n w route add unreachable 10.2.0.0/16 table 100 scope site", r#"{"netns": "w", "table": 100,
        "destination": "10.2.0.0/16", "route_type": "unreachable", "scope": "site", "protocol": 3}"#;
    "Route.Flush" "ip -n w route add prohibit 10.2.0.0/16 table 100 scope host", r#"{"netns": "w", "table": 100,
        "destination": "10.2.0.0/16", "route_type": "prohibit", "scope": "host", "protocol": 3}"#;
    "Route.Flush" "ip -n w route add throw 10.2.0.0/16 table 100 scope link", r#"{"netns": "w", "table": 100,
        "destination": "10.2.0.0/16", "route_type": "throw", "scope": "link", "protocol": 3}"#;
    "Route.Get" UP, r#"{"netns": "w", "destination": "10.0.0.9/32", "source": "10.0.0.1/32", "oif": "v0",
        "fwmark": 66051, "tos": 16, "uid": 66052}"#;
    "Route.Get" UP, r#"{"netns": "w", "destination": "10.0.0.1/32", "source": "10.0.0.9/32", "iif": "v0"}"#;
    "Route.Get" UP, r#"{"netns": "w", "destination": "2001:db8::9/128", "source": "2001:db8::1/128", "oif": "v0",
        "uid": 66052}"#;
    "Route.List" UP, r#"{"netns": "w", "family": "inet", "table": 254, "link": "v0", "protocol": 3, "scope": "link"}"#;
    "Route.List" UP, r#"{"netns": "w", "destination": "2001:db8:2::/48", "family": "inet6", "table": 305419896,
        "scope": "global"}"#;
    "Route.List" UP, r#"{"netns": "w", "family": "inet", "scope": "site"}"#;
    "Route.List" UP, r#"{"netns": "w", "family": "inet", "gateway": "10.0.0.9", "nexthops": {"link": "v0"}}"#;
    "Route.List" UP, r#"{"netns": "w", "family": "inet", "scope": "host"}"#;
    "Route.List" UP, r#"{"netns": "w", "family": "inet", "scope": "nowhere"}"#;
    "Neighbour.Add" UP, r#"{"netns": "w", "link": "v0", "address": "2001:db8::9", "mac": "02:00:00:00:01:02",
        "state": "permanent", "exists_ok": true}"#;
    "Neighbour.Add" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "proxy": true}"#;
    "Neighbour.Add" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "state": "none"}"#;
    "Neighbour.Add" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "state": "incomplete"}"#;
    "Neighbour.Add" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "state": "failed"}"#;
    "Neighbour.Add" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "mac": "02:00:00:00:01:02",
        "state": "reachable"}"#;
    "Neighbour.Add" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "mac": "02:00:00:00:01:02",
        "state": "stale"}"#;
    "Neighbour.Add" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "mac": "02:00:00:00:01:02",
        "state": "delay"}"#;
    "Neighbour.Add" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "mac": "02:00:00:00:01:02",
        "state": "probe"}"#;
    "Neighbour.Add" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "mac": "02:00:00:00:01:02",
        "state": "noarp"}"#;
    "Neighbour.Replace" UP, r#"{"netns": "w", "link": "v0", "address": "2001:db8::9", "mac": "02:00:00:00:01:02",
        "state": "permanent"}"#;
    "Neighbour.Replace" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "proxy": true}"#;
    "Neighbour.Replace" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "state": "none"}"#;
    "Neighbour.Replace" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "state": "incomplete"}"#;
    "Neighbour.Replace" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "state": "failed"}"#;
    "Neighbour.Replace" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "mac": "02:00:00:00:01:02",
        "state": "reachable"}"#;
    "Neighbour.Replace" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "mac": "02:00:00:00:01:02",
        "state": "stale"}"#;
    "Neighbour.Replace" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "mac": "02:00:00:00:01:02",
        "state": "delay"}"#;
    "Neighbour.Replace" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "mac": "02:00:00:00:01:02",
        "state": "probe"}"#;
    "Neighbour.Replace" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "mac": "02:00:00:00:01:02",
        "state": "noarp"}"#;
    "Neighbour.Add" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "state": "none", "managed": true,
        "router": true, "extern_learn": true, "protocol": 186}"#;
    "Neighbour.Add" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "state": "none", "use": true}"#;
    "Neighbour.Replace" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "state": "none", "managed": true,
        "router": true, "extern_learn": true, "protocol": 186}"#;
    "Neighbour.Replace" UP, r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "state": "none", "use": true}"#;
    "Neighbour.Flush" "ip -n w neigh add proxy 10.0.0.9 dev v0", r#"{"netns": "w", "link": "v0", "family": "inet",
        "proxy": true}"#;
    "Neighbour.Flush" "ip -n w link set v0 up; ip -n w neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev v0 nud reachable",
        r#"{"netns": "w", "link": "v0", "family": "inet", "states": ["reachable"]}"#;
    "Neighbour.Flush" "ip -n w link set v0 up; ip -n w neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev v0 nud stale",
        r#"{"netns": "w", "link": "v0", "family": "inet", "states": ["stale"]}"#;
    "Neighbour.Flush" "ip -n w link set v0 up; ip -n w neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev v0 nud delay",
        r#"{"netns": "w", "link": "v0", "family": "inet", "states": ["delay", "probe", "reachable", "stale", "incomplete", "failed"]}"#;
    "Neighbour.Flush" "ip -n w link set v0 up; ip -n w neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev v0 nud probe",
        r#"{"netns": "w", "link": "v0", "family": "inet", "states": ["probe"]}"#;
    "Neighbour.Flush" "ip -n w link set v0 up; ip -n w neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev v0 nud noarp",
        r#"{"netns": "w", "link": "v0", "family": "inet", "states": ["noarp"]}"#;
    "Neighbour.Flush" "ip -n w link set v0 up; ip -n w neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev v0 nud permanent",
        r#"{"netns": "w", "link": "v0", "family": "inet", "states": ["permanent"]}"#;
    "Neighbour.Flush" "ip -n w link set v0 up; ip -n w neigh add 10.0.0.9 dev v0 nud none",
        r#"{"netns": "w", "link": "v0", "family": "inet", "address": "10.0.0.9", "states": ["none"]}"#;
    "Neighbour.Flush" "ip -n w link set v0 up; ip -n w neigh add 10.0.0.9 dev v0 nud incomplete",
        r#"{"netns": "w", "link": "v0", "family": "inet", "address": "10.0.0.9", "states": ["incomplete"]}"#;
    "Neighbour.Flush" "ip -n w link set v0 up; ip -n w neigh add 10.0.0.9 dev v0 nud failed",
        r#"{"netns": "w", "link": "v0", "family": "inet", "address": "10.0.0.9", "states": ["failed"]}"#;
    "Neighbour.Flush" "ip -n w neigh add proxy 2001:db8::9 dev v0", r#"{"netns": "w", "link": "v0", "family": "inet6",
        "proxy": true}"#;
    "Neighbour.Get" "ip -n w neigh add proxy 10.0.0.9 dev v0", r#"{"netns": "w", "link": "v0", "address": "10.0.0.9",
        "proxy": true}"#;
    "Neighbour.Delete" "ip -n w neigh add proxy 10.0.0.9 dev v0", r#"{"netns": "w", "link": "v0", "address": "10.0.0.9",
        "proxy": true, "missing_ok": true}"#;
    "Neighbour.List" "", r#"{"netns": "w", "link": "v0", "family": "inet"}"#;
    "Neighbour.List" "ip -n w link add i0 index 515 type ifb", r#"{"netns": "w", "index": 515, "family": "inet6"}"#;
    "Neighbour.List" "", r#"{"netns": "w", "proxy": true}"#;
    "Rule.Add" "", r#"{"netns": "w", "family": "inet", "priority": 66051, "source": "10.1.2.3/24",
        "destination": "10.2.0.0/15", "iif": "v0", "oif": "nosuch", "fwmark": 4660, "fwmask": 65535, "table": 305419896,
        "action": "to_table", "suppress_prefixlength": 7, "exists_ok": true}"#;
    "Rule.Add" "", r#"{"netns": "w", "family": "inet6", "source": "2001:db8::/32", "destination": "2001:db8:1::/48",
        "fwmark": 305419896}"#;
    "Rule.Add" "", r#"{"netns": "w", "family": "inet", "priority": 99, "action": "unspec"}"#;
    "Rule.Add" "", r#"{"netns": "w", "family": "inet", "priority": 99, "action": "blackhole"}"#;
    "Rule.Add" "", r#"{"netns": "w", "family": "inet", "priority": 99, "action": "unreachable"}"#;
    "Rule.Add" "", r#"{"netns": "w", "family": "inet", "priority": 99, "action": "prohibit"}"#;
    "Rule.Delete" "ip -n w rule add priority 66051 from 10.1.2.3/24 to 10.2.0.0/15 iif v0 oif v1 fwmark 4660/65535 \
        table 305419896 suppress_prefixlength 7", r#"{"netns": "w", "family": "inet", "priority": 66051,
        "source": "10.1.2.3/24", "destination": "10.2.0.0/15", "iif": "v0", "oif": "v1", "fwmark": 4660, "fwmask": 65535,
        "table": 305419896, "action": "to_table", "suppress_prefixlength": 7, "missing_ok": true}"#;
    "Rule.Add" "", r#"{"netns": "w", "family": "inet", "priority": 99, "action": "goto", "goto": 305419896}"#;
    "Rule.Add" "", r#"{"netns": "w", "family": "inet", "priority": 99, "l3mdev": true}"#;
    "Rule.Add" "", r#"{"netns": "w", "family": "inet", "priority": 99, "invert": true, "tos": 28, "ip_protocol": 6,
        "source_ports": "258..772", "destination_ports": 1286, "uids": "16909060..84281096", "suppress_ifgroup": 305419896,
        "protocol": 186}"#;
    "Rule.Delete" "ip -n w rule add priority 99 not tos 0x1c ipproto udp sport 258-772 dport 1286 uidrange 0-7 table 9 \
        suppress_ifgroup 7 protocol static", r#"{"netns": "w", "family": "inet", "priority": 99, "invert": true, "tos": 28,
        "ip_protocol": 17, "source_ports": "258..772", "destination_ports": 1286, "uids": "0..7", "suppress_ifgroup": 7,
        "protocol": 4}"#;
    "Rule.Delete" "ip -n w rule add priority 99 l3mdev", r#"{"netns": "w", "family": "inet", "priority": 99,
        "l3mdev": true}"#;
    "Rule.Delete" "ip -n w rule add priority 99 goto 100", r#"{"netns": "w", "family": "inet", "priority": 99,
        "action": "goto", "goto": 100}"#;
    "Rule.Flush" "ip -n w rule add priority 66051 from 10.1.2.3/24 to 10.2.0.0/15 iif v0 oif v1 fwmark 4660/65535 \
        table 305419896 suppress_prefixlength 7", r#"{"netns": "w", "family": "inet", "priorities": 66051,
        "source": "10.1.2.3/24", "destination": "10.2.0.0/15", "iif": "v0", "oif": "v1", "fwmark": 4660, "fwmask": 65535,
        "table": 305419896, "action": "to_table", "suppress_prefixlength": 7}"#;
    "Rule.Flush" "ip -n w rule add priority 99 not tos 0x1c ipproto udp sport 258-772 dport 1286 uidrange 0-7 table 9 \
        suppress_ifgroup 7 protocol static", r#"{"netns": "w", "family": "inet", "invert": true, "tos": 28,
        "ip_protocol": 17, "source_ports": "258..772", "destination_ports": 1286, "uids": "0..7", "suppress_ifgroup": 7,
        "protocol": 4}"#;
    "Rule.Flush" "ip -n w rule add priority 99 l3mdev", r#"{"netns": "w", "family": "inet", "priorities": "1..100",
        "l3mdev": true}"#;
    "Rule.Flush" "ip -n w rule add priority 99 goto 100", r#"{"netns": "w", "family": "inet", "priorities": "1..100",
        "action": "goto", "goto": 100}"#;
    "Rule.List" "", r#"{"netns": "w", "family": "inet"}"#;
    "Rule.List" "", r#"{"netns": "w", "family": "inet6"}"#;
    "Fdb.Add" PORT, r#"{"netns": "w", "link": "v0", "mac": "02:00:00:00:01:02", "targets": ["self", "master"],
        "exists_ok": true}"#;
    "Fdb.Add" PORT, r#"{"netns": "w", "link": "v0", "mac": "02:00:00:00:01:02", "targets": ["master"], "vlan": 515,
        "fdb_state": "static", "sticky": true}"#;
    "Fdb.Add" VXLAN, r#"{"netns": "w", "link": "x0", "mac": "02:00:00:00:01:02", "remote": "10.1.2.3", "port": 1286,
        "vni": 66051, "source_vni": 66052, "via": "v0", "fdb_state": "dynamic", "extern_learn": true}"#;
    "Fdb.Append" VXLAN, r#"{"netns": "w", "link": "x0", "mac": "01:00:5e:00:01:02", "remote": "10.1.2.3", "port": 1286,
        "vni": 66051, "source_vni": 66052, "via": "v0", "fdb_state": "dynamic", "extern_learn": true}"#;
    "Fdb.Append" VXLAN, r#"{"netns": "w", "link": "x0", "mac": "00:00:00:00:00:00", "remote": "10.1.2.3", "fdb_state": "static"}"#;
    "Fdb.Append" VXLAN, r#"{"netns": "w", "link": "x0", "mac": "00:00:00:00:00:00", "remote": "10.1.2.3",
        "fdb_state": "permanent"}"#;
    "Fdb.Replace" PORT, r#"{"netns": "w", "link": "v0", "mac": "02:00:00:00:01:02", "targets": ["master"], "vlan": 515,
        "fdb_state": "static", "sticky": true}"#;
    "Fdb.Replace" PORT, r#"{"netns": "w", "link": "v0", "mac": "02:00:00:00:01:02", "targets": ["master", "self"]}"#;
    "Fdb.Replace" VXLAN, r#"{"netns": "w", "link": "x0", "mac": "02:00:00:00:01:02", "remote": "10.1.2.3", "port": 1286,
        "vni": 66051, "source_vni": 66052, "via": "v0", "fdb_state": "dynamic", "extern_learn": true}"#;
    "Fdb.Delete" "ip -n w link add br0 type bridge; ip -n w link set v0 master br0; \
        bridge -n w fdb add 02:00:00:00:01:02 dev v0 master; bridge -n w fdb add 02:00:00:00:01:02 dev v0 self",
        r#"{"netns": "w", "link": "v0", "mac": "02:00:00:00:01:02", "targets": ["self", "master"], "missing_ok": true}"#;
    "Fdb.Delete" PORT, r#"{"netns": "w", "link": "v0", "mac": "02:00:00:00:01:02", "targets": ["master"], "vlan": 515}"#;
    "Fdb.Delete" "ip -n w link add x0 type vxlan external dstport 4789; bridge -n w fdb add 02:00:00:00:01:02 dev x0 \
        dst 10.1.2.3 port 1286 vni 66051 src_vni 66052 via v0",
        r#"{"netns": "w", "link": "x0", "mac": "02:00:00:00:01:02", "remote": "10.1.2.3", "port": 1286,
        "vni": 66051, "source_vni": 66052, "via": "v0"}"#;
    "Fdb.Flush" "ip -n w link add br0 type bridge; ip -n w link set v0 master br0; \
        bridge -n w fdb add 02:00:00:00:01:02 dev v0 master static",
        r#"{"netns": "w", "link": "v0", "mac": "02:00:00:00:01:02", "targets": ["master"], "fdb_state": "static"}"#;
    "Fdb.Flush" "ip -n w link add br0 type bridge; ip -n w link set v0 master br0; ip -n w link set v0 up; \
        bridge -n w fdb add 02:00:00:00:01:02 dev v0 master static",
        r#"{"netns": "w", "link": "v0", "targets": ["master"], "vlan": 515, "fdb_state": "static"}"#;
    "Fdb.Flush" "ip -n w link add x0 type vxlan external dstport 4789; bridge -n w fdb add 02:00:00:00:01:02 dev x0 \
        dst 10.1.2.3 port 1286 vni 66051 src_vni 66052 via v0",
        r#"{"netns": "w", "link": "x0", "targets": ["self"], "remote": "10.1.2.3", "port": 1286, "vni": 66051,
        "source_vni": 66052, "via": "v0", "fdb_state": "permanent"}"#;
    "Fdb.List" "", r#"{"netns": "w", "link": "v0"}"#;
    "Fdb.List" "ip -n w link add i0 index 515 type ifb", r#"{"netns": "w", "index": 515}"#;
    "Nexthop.Add" UP, r#"{"netns": "w", "nexthop_id": 66051, "gateway": "10.0.0.9", "link": "v0", "onlink": true,
        "protocol": 186, "exists_ok": true}"#;
    "Nexthop.Add" UP, r#"{"netns": "w", "nexthop_id": 66051, "gateway": "2001:db8::9", "link": "v0"}"#;
    "Nexthop.Add" UP, r#"{"netns": "w", "nexthop_id": 66051, "family": "inet6", "link": "v0"}"#;
    "Nexthop.Add" "", r#"{"netns": "w", "nexthop_id": 66051, "blackhole": true, "family": "inet"}"#;
    "Nexthop.Add" "", r#"{"netns": "w", "nexthop_id": 66051, "gateway": "10.0.0.9", "fdb": true}"#;
    "Nexthop.Add" "ip -n w link set lo up; ip -n w nexthop add id 7 blackhole", r#"{"netns": "w", "nexthop_id": 66051,
        "members": [{"nexthop_id": 66052, "weight": 515}, {"nexthop_id": 7}]}"#;
    "Nexthop.Replace" UP, r#"{"netns": "w", "nexthop_id": 66051, "gateway": "10.0.0.9", "link": "v0", "onlink": true,
        "protocol": 186}"#;
    "Nexthop.Replace" UP, r#"{"netns": "w", "nexthop_id": 66051, "family": "inet6", "link": "v0"}"#;
    "Nexthop.Replace" "", r#"{"netns": "w", "nexthop_id": 66051, "blackhole": true, "family": "inet"}"#;
    "Nexthop.Replace" "", r#"{"netns": "w", "nexthop_id": 66051, "gateway": "10.0.0.9", "fdb": true}"#;
    "Nexthop.Replace" "ip -n w link set lo up; ip -n w nexthop add id 7 blackhole", r#"{"netns": "w", "nexthop_id": 66051,
        "members": [{"nexthop_id": 66052, "weight": 515}, {"nexthop_id": 7}]}"#;
    "Nexthop.Delete" "ip -n w link set v0 up; ip -n w link set v1 up; ip -n w addr add 10.0.0.1/24 dev v0; \
        ip -n w nexthop add id 66051 via 10.0.0.9 dev v0 onlink protocol bgp",
        r#"{"netns": "w", "nexthop_id": 66051, "family": "inet", "gateway": "10.0.0.9", "link": "v0", "onlink": true,
        "protocol": 186, "missing_ok": true}"#;
    "Nexthop.Delete" "ip -n w link set lo up; ip -n w nexthop add id 66051 blackhole", r#"{"netns": "w", "nexthop_id": 66051,
        "blackhole": true}"#;
    "Nexthop.Delete" "ip -n w nexthop add id 66051 via 10.0.0.9 fdb", r#"{"netns": "w", "nexthop_id": 66051,
        "fdb": true}"#;
    "Nexthop.Flush" "ip -n w link set v0 up; ip -n w link set v1 up; ip -n w addr add 10.0.0.1/24 dev v0; \
        ip -n w nexthop add id 66051 via 10.0.0.9 dev v0 onlink protocol bgp",
        r#"{"netns": "w", "nexthop_ids": "66051..66053", "family": "inet", "gateway": "10.0.0.9", "link": "v0",
        "onlink": true, "protocol": 186}"#;
    "Nexthop.Flush" "ip -n w link set lo up; ip -n w nexthop add id 66051 blackhole", r#"{"netns": "w", "nexthop_ids": 66051,
        "blackhole": true}"#;
    "Nexthop.Flush" "ip -n w nexthop add id 66051 via 10.0.0.9 fdb", r#"{"netns": "w", "nexthop_ids": 66051,
        "fdb": true}"#;
    "Nexthop.List" UP, r#"{"netns": "w", "nexthop_ids": "1..66051", "family": "inet", "gateway": "10.0.0.9",
        "link": "v0", "onlink": true, "protocol": 186}"#;
    "Nexthop.List" BRIDGE, r#"{"netns": "w", "family": "inet6", "master": "br0"}"#;
    "Nexthop.List" UP, r#"{"netns": "w", "blackhole": true, "family": "inet6"}"#;
    "Nexthop.List" UP, r#"{"netns": "w", "fdb": true, "family": "inet6"}"#;
    "Route.Add" "ip -n w link set v0 up; ip -n w link set v1 up; ip -n w nexthop add id 66051 dev v0", r#"{"netns": "w", "destination": "10.9.0.0/16", "nexthop_id": 66051}"#;
    "Route.Replace" "ip -n w link set v0 up; ip -n w link set v1 up; ip -n w nexthop add id 66051 dev v0", r#"{"netns": "w", "destination": "10.9.0.0/16", "nexthop_id": 66051}"#;
    "Route.Append" "ip -n w link set v0 up; ip -n w link set v1 up; ip -n w nexthop add id 66051 dev v0", r#"{"netns": "w", "destination": "10.9.0.0/16", "nexthop_id": 66051}"#;
    "Route.Delete" "ip -n w link set v0 up; ip -n w link set v1 up; ip -n w nexthop add id 66051 dev v0; ip -n w route add 10.9.0.0/16 nhid 66051",
        r#"{"netns": "w", "destination": "10.9.0.0/16", "nexthop_id": 66051}"#;
    "Route.Flush" "ip -n w link set v0 up; ip -n w link set v1 up; ip -n w nexthop add id 66051 dev v0; ip -n w route add 10.9.0.0/16 nhid 66051",
        r#"{"netns": "w", "table": 254, "nexthop_id": 66051}"#;
    "Route.Delete" "ip -n w link set v0 up; ip -n w link set v1 up; ip -n w addr add 2001:db8::1/64 dev v0 nodad; \
        ip -n w route add 2001:db8:9::/48 nexthop via 2001:db8::8 dev v0 nexthop via 2001:db8::9 dev v0",
        r#"{"netns": "w", "destination": "2001:db8:9::/48", "gateway": "2001:db8::9", "link": "v0", "one_nexthop": true}"#;
    "Route.List" "", r#"{"netns": "w", "family": "inet", "nexthop_id": 66051}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0",
        "encap": {"kind": "ip", "id": 66051, "destination": "10.0.0.9", "source": "10.0.0.1", "ttl": 7, "tos": 4}}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0",
        "encap": {"kind": "ip6", "id": 66051, "destination": "2001:db8::9", "source": "2001:db8::1", "ttl": 7, "tos": 4}}"#;
    "Route.Add" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0",
        "encap": {"kind": "mpls", "labels": [100, 66051], "ttl": 7}}"#;
    "Route.Replace" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0",
        "encap": {"kind": "ip", "id": 66051, "destination": "10.0.0.9", "source": "10.0.0.1", "ttl": 7, "tos": 4}}"#;
    "Route.Replace" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0",
        "encap": {"kind": "ip6", "id": 66051, "destination": "2001:db8::9", "source": "2001:db8::1", "ttl": 7, "tos": 4}}"#;
    "Route.Replace" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0",
        "encap": {"kind": "mpls", "labels": [100, 66051], "ttl": 7}}"#;
    "Route.Append" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0",
        "encap": {"kind": "ip", "id": 66051, "destination": "10.0.0.9", "source": "10.0.0.1", "ttl": 7, "tos": 4}}"#;
    "Route.Append" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0",
        "encap": {"kind": "ip6", "id": 66051, "destination": "2001:db8::9", "source": "2001:db8::1", "ttl": 7, "tos": 4}}"#;
    "Route.Append" UP, r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0",
        "encap": {"kind": "mpls", "labels": [100, 66051], "ttl": 7}}"#;
    "Route.Delete" "ip -n w link set v0 up; ip -n w route add 10.2.0.0/16 encap ip id 66051 src 10.0.0.1 dst 10.0.0.9 ttl 7 tos 4 dev v0",
        r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0",
        "encap": {"kind": "ip", "id": 66051, "destination": "10.0.0.9", "source": "10.0.0.1", "ttl": 7, "tos": 4}}"#;
    "Route.Delete" "ip -n w link set v0 up; ip -n w route add 10.2.0.0/16 encap ip6 id 66051 src 2001:db8::1 dst 2001:db8::9 hoplimit 7 tc 4 dev v0",
        r#"{"netns": "w", "destination": "10.2.0.0/16", "link": "v0",
        "encap": {"kind": "ip6", "id": 66051, "destination": "2001:db8::9", "source": "2001:db8::1", "ttl": 7, "tos": 4}}"#;
    "Route.Flush" "ip -n w link set v0 up; ip -n w route add 10.2.0.0/16 encap ip id 66051 src 10.0.0.1 dst 10.0.0.9 ttl 7 tos 4 dev v0",
        r#"{"netns": "w", "table": 254, "destination": "10.2.0.0/16", "link": "v0",
        "encap": {"kind": "ip", "id": 66051, "destination": "10.0.0.9", "source": "10.0.0.1", "ttl": 7, "tos": 4}}"#;
    "Route.Flush" "ip -n w link set v0 up; ip -n w route add 10.2.0.0/16 encap ip6 id 66051 src 2001:db8::1 dst 2001:db8::9 hoplimit 7 tc 4 dev v0",
        r#"{"netns": "w", "table": 254, "destination": "10.2.0.0/16", "link": "v0",
        "encap": {"kind": "ip6", "id": 66051, "destination": "2001:db8::9", "source": "2001:db8::1", "ttl": 7, "tos": 4}}"#;
    "Route.List" "", r#"{"netns": "w", "family": "inet", "encap": {"kind": "ip", "id": 66051, "destination": "10.0.0.9", "source": "10.0.0.1", "ttl": 7, "tos": 4}}"#;
    "Route.List" "", r#"{"netns": "w", "family": "inet", "encap": {"kind": "ip6", "id": 66051, "destination": "2001:db8::9", "source": "2001:db8::1", "ttl": 7, "tos": 4}}"#;
    "Route.List" "", r#"{"netns": "w", "family": "inet", "encap": {"kind": "mpls", "labels": [100, 66051], "ttl": 7}}"#;
    "Vlan.Add" PORTS, r#"{"netns": "w", "link": "v0", "vlans": "258..772", "untagged": true, "tunnel_ids": "66051..66565",
        "exists_ok": true}"#;
    "Vlan.Add" PORTS, r#"{"netns": "w", "link": "br0", "vlans": 258, "pvid": true, "untagged": true, "target": "self"}"#;
    "Vlan.Add" PORTS, r#"{"netns": "w", "link": "v0", "vlans": 4094, "tunnel_ids": 16777215, "target": "master"}"#;
    "Vlan.Replace" PORTS, r#"{"netns": "w", "link": "v0", "vlans": "258..772", "untagged": true,
        "tunnel_ids": "66051..66565"}"#;
    "Vlan.Replace" PORTS, r#"{"netns": "w", "link": "br0", "vlans": 258, "pvid": true, "target": "self"}"#;
    "Vlan.Replace" PORTS, r#"{"netns": "w", "link": "v0", "vlans": 258, "pvid": true, "target": "master"}"#;
    "Vlan.Delete" PORTS, r#"{"netns": "w", "link": "v0", "vlans": "258..772", "missing_ok": true}"#;
    "Vlan.List" "", r#"{"netns": "w", "link": "v0"}"#;
    "Vlan.List" "ip -n w link add i0 index 515 type ifb", r#"{"netns": "w", "index": 515}"#;
}
