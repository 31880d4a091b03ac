// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The examples. They act in the namespaces `blue` and `red`, whose links are `eth0`, `eth1` and the bridge `br0`, or on
//! the host, whose link is `uplink`. `tests/manual_examples.rs` makes these objects.

use super::{Example, Section};

/// The examples of a call, or of one of its kinds.
const fn of(call: &'static str, kind: Option<&'static str>, examples: &'static [Example]) -> Section {
    Section { call, kind, examples }
}

/// A request, and what it is for.
const fn to(purpose: &'static str, parameters: &'static str) -> Example {
    Example { purpose, parameters }
}

pub(super) const SECTIONS: &[Section] = &[
    of("Netns.Add", None, &[to("Make a namespace, unless it exists:", r#"{"netns": "green", "exists_ok": true}"#)]),
    of("Netns.Delete", None, &[to("Delete a namespace, if it exists:", r#"{"netns": "blue", "missing_ok": true}"#)]),
    of("Netns.List", None, &[to("List the namespaces:", r#"{"netns": "@host"}"#)]),
    of("Netns.Set", None, &[to("Give a namespace a number:", r#"{"netns": "blue", "nsid": 7, "exists_ok": true}"#)]),
    of("Netns.Numbers", None, &[to("List the numbers of namespaces:", r#"{"netns": "@host"}"#)]),
    of("Netns.Pids", None, &[to("List the processes in a namespace:", r#"{"netns": "blue"}"#)]),
    of("Netns.Get", None, &[to("Find out whether a namespace is ready:", r#"{"netns": "blue"}"#)]),
    of(
        "Link.Add",
        None,
        &[to(
            "The settings that links of most kinds can have, here for one end of a pair that becomes a port of a bridge:",
            r#"{"netns": "blue", "link": "port1", "kind": "veth", "mtu": 1400, "mac": "02:00:00:00:00:01",
                "master": "br0", "up": true, "alias": "web server", "group": 7, "txqueuelen": 500, "tx_queues": 2,
                "rx_queues": 2, "addrgenmode": "none", "exists_ok": true, "peer": {"name": "eth2", "netns": "red"}}"#,
        )],
    ),
    of(
        "Link.Add",
        Some("veth"),
        &[
            to(
                "Connect a namespace with the host:",
                r#"{"netns": "@host", "link": "to-blue", "kind": "veth", "peer": {"name": "eth2", "netns": "blue"}}"#,
            ),
            to(
                "Connect two namespaces, with both ends up:",
                r#"{"netns": "blue", "link": "to-red", "kind": "veth", "mtu": 1400, "up": true,
                    "peer": {"name": "to-blue", "netns": "red", "mac": "02:00:00:00:00:02", "mtu": 1400, "up": true}}"#,
            ),
        ],
    ),
    of(
        "Link.Add",
        Some("bridge"),
        &[
            to("Make a bridge:", r#"{"netns": "blue", "link": "br1", "kind": "bridge", "up": true}"#),
            to(
                "Make a bridge that takes part in the spanning tree and separates VLANs:",
                r#"{"netns": "blue", "link": "br1", "kind": "bridge",
                    "bridge": {"stp": true, "forward_delay": 1500, "ageing_time": 30000, "hello_time": 200,
                               "max_age": 2000, "priority": 4096, "group_fwd_mask": 16384, "vlan_filtering": true,
                               "vlan_protocol": "ieee802_1q", "vlan_default_pvid": 1, "vlan_stats_enabled": true}}"#,
            ),
            to(
                "Make a bridge that sends multicast packets only where they are wanted, and asks for this itself:",
                r#"{"netns": "blue", "link": "br1", "kind": "bridge",
                    "bridge": {"mcast_snooping": true, "mcast_querier": true, "mcast_router": "automatic",
                               "mcast_query_use_ifaddr": true, "mcast_hash_max": 4096,
                               "mcast_last_member_count": 2, "mcast_startup_query_count": 2,
                               "mcast_last_member_interval": 100, "mcast_membership_interval": 26000,
                               "mcast_querier_interval": 25500, "mcast_query_interval": 12500,
                               "mcast_query_response_interval": 1000, "mcast_startup_query_interval": 3100,
                               "mcast_stats_enabled": true, "mcast_igmp_version": 3, "mcast_mld_version": 2}}"#,
            ),
        ],
    ),
    of(
        "Link.Add",
        Some("bond"),
        &[
            to(
                "Make a bond of which one port is active at a time. `Link.Set` with `master` adds ports to it:",
                r#"{"netns": "blue", "link": "bond1", "kind": "bond",
                    "bond": {"mode": "active_backup", "miimon": 100, "primary": "eth0"}}"#,
            ),
            to(
                "Make a bond for a switch that speaks LACP:",
                r#"{"netns": "blue", "link": "bond1", "kind": "bond",
                    "bond": {"mode": "ieee802_3ad", "miimon": 100, "updelay": 200, "downdelay": 200, "min_links": 1,
                             "lacp_rate": "fast", "ad_select": "bandwidth", "xmit_hash_policy": "layer3_4"}}"#,
            ),
            to(
                "Make a bond that probes two routers:",
                r#"{"netns": "blue", "link": "bond1", "kind": "bond",
                    "bond": {"mode": "active_backup", "arp_interval": 1000,
                             "arp_ip_target": ["192.0.2.253", "192.0.2.254"], "fail_over_mac": "active",
                             "all_ports_active": true}}"#,
            ),
        ],
    ),
    of(
        "Link.Add",
        Some("vxlan"),
        &[
            to(
                "Make a virtual network whose hosts find each other by a multicast group:",
                r#"{"netns": "blue", "link": "vxlan7", "kind": "vxlan", "parent": "eth0",
                    "vxlan": {"id": 7, "group": "233.252.0.7", "port": 4789}}"#,
            ),
            to(
                "Make a virtual network of two hosts:",
                r#"{"netns": "blue", "link": "vxlan7", "kind": "vxlan",
                    "vxlan": {"id": 7, "local": "192.0.2.2", "remote": "198.51.100.9", "port": 4789,
                              "source_port_min": 49152, "source_port_max": 65535, "ttl": 64, "tos": 1,
                              "learning": false, "proxy": true, "ageing": 600, "df": "set", "udp_csum": true,
                              "udp_zero_csum6_tx": true, "udp_zero_csum6_rx": true}}"#,
            ),
            to(
                "Make a link for a controller that chooses the virtual network and the host of each packet:",
                r#"{"netns": "blue", "link": "vxlan7", "kind": "vxlan",
                    "vxlan": {"collect_metadata": true, "vnifilter": true, "gbp": true, "ttl_inherit": true}}"#,
            ),
        ],
    ),
    of(
        "Link.Add",
        Some("macvlan"),
        &[to(
            "Give a namespace a link of its own on the host's network:",
            r#"{"netns": "@host", "link": "eth2", "kind": "macvlan", "target_netns": "blue", "parent": "uplink",
                "macvlan": {"mode": "bridge"}}"#,
        )],
    ),
    of(
        "Link.Add",
        Some("macvtap"),
        &[to(
            "Make a link for a virtual machine:",
            r#"{"netns": "blue", "link": "vm1", "kind": "macvtap", "parent": "eth0", "macvlan": {"mode": "bridge"}}"#,
        )],
    ),
    of(
        "Link.Add",
        Some("ifb"),
        &[to("Make a link:", r#"{"netns": "blue", "link": "shape0", "kind": "ifb", "up": true}"#)],
    ),
    of(
        "Link.Add",
        Some("dummy"),
        &[to("Make a link for addresses:", r#"{"netns": "blue", "link": "vip0", "kind": "dummy", "up": true}"#)],
    ),
    of(
        "Link.Add",
        Some("vcan"),
        &[to("Make a CAN bus:", r#"{"netns": "blue", "link": "vcan0", "kind": "vcan", "up": true}"#)],
    ),
    of(
        "Link.Add",
        Some("vlan"),
        &[
            to(
                "Make a link for one VLAN:",
                r#"{"netns": "blue", "link": "eth0.100", "kind": "vlan", "parent": "eth0", "vlan": {"id": 100}}"#,
            ),
            to(
                "Make a link for a service VLAN (802.1ad):",
                r#"{"netns": "blue", "link": "svlan200", "kind": "vlan", "parent": "eth0",
                    "vlan": {"id": 200, "protocol": "ieee802_1ad"}}"#,
            ),
        ],
    ),
    of(
        "Link.Add",
        Some("vrf"),
        &[to(
            "Make a VRF. `Link.Set` with `master` adds links to it:",
            r#"{"netns": "blue", "link": "vrf1", "kind": "vrf", "up": true, "vrf": {"table": 100}}"#,
        )],
    ),
    of(
        "Link.Add",
        Some("ipvlan"),
        &[to(
            "Give a namespace a link with the hardware address of the host's:",
            r#"{"netns": "@host", "link": "eth2", "kind": "ipvlan", "target_netns": "blue", "parent": "uplink",
                "ipvlan": {"mode": "l2", "traffic": "private"}}"#,
        )],
    ),
    of(
        "Link.Add",
        Some("geneve"),
        &[
            to(
                "Make a virtual network of two hosts:",
                r#"{"netns": "blue", "link": "gnv7", "kind": "geneve",
                    "geneve": {"id": 7, "remote": "198.51.100.9", "port": 6082, "ttl": 64, "tos": 1, "df": "set"}}"#,
            ),
            to(
                "Make a link for a controller that chooses the virtual network and the host of each packet:",
                r#"{"netns": "blue", "link": "gnv7", "kind": "geneve", "geneve": {"collect_metadata": true}}"#,
            ),
        ],
    ),
    of(
        "Link.Add",
        Some("ipip"),
        &[
            to(
                "Make a tunnel:",
                r#"{"netns": "blue", "link": "tun1", "kind": "ipip", "tunnel": {"remote": "198.51.100.9"}}"#,
            ),
            to(
                "Make a tunnel whose packets leave by `eth0`:",
                r#"{"netns": "blue", "link": "tun1", "kind": "ipip", "parent": "eth0",
                    "tunnel": {"local": "192.0.2.2", "remote": "198.51.100.9", "ttl": 64, "tos": 1,
                               "pmtudisc": true, "protocol": "ipv4"}}"#,
            ),
        ],
    ),
    of(
        "Link.Add",
        Some("sit"),
        &[
            to(
                "Make a tunnel:",
                r#"{"netns": "blue", "link": "tun1", "kind": "sit", "tunnel": {"remote": "198.51.100.9"}}"#,
            ),
            to(
                "Make a tunnel whose packets can be fragmented:",
                r#"{"netns": "blue", "link": "tun1", "kind": "sit", "parent": "eth0",
                    "tunnel": {"local": "192.0.2.2", "remote": "198.51.100.9", "ttl": 0, "tos": 1,
                               "pmtudisc": false, "protocol": "ipv6"}}"#,
            ),
        ],
    ),
    of(
        "Link.Add",
        Some("ip6tnl"),
        &[
            to(
                "Make a tunnel:",
                r#"{"netns": "blue", "link": "tun1", "kind": "ip6tnl", "tunnel": {"remote": "2001:db8:9::9"}}"#,
            ),
            to(
                "Make a tunnel for IPv4 packets:",
                r#"{"netns": "blue", "link": "tun1", "kind": "ip6tnl", "parent": "eth0",
                    "tunnel": {"local": "2001:db8::2", "remote": "2001:db8:9::9", "ttl": 32, "encap_limit": 2,
                               "protocol": "ipv4"}}"#,
            ),
        ],
    ),
    of(
        "Link.Add",
        Some("gre"),
        &[
            to(
                "Make a tunnel:",
                r#"{"netns": "blue", "link": "gre1", "kind": "gre", "tunnel": {"remote": "198.51.100.9"}}"#,
            ),
            to(
                "Make one of several tunnels between the same hosts:",
                r#"{"netns": "blue", "link": "gre1", "kind": "gre", "parent": "eth0",
                    "tunnel": {"local": "192.0.2.2", "remote": "198.51.100.9", "ttl": 64, "tos": 1,
                               "pmtudisc": true},
                    "gre": {"key": 7, "csum": true, "seq": true}}"#,
            ),
        ],
    ),
    of(
        "Link.Add",
        Some("gretap"),
        &[
            to(
                "Make a tunnel that becomes a port of a bridge:",
                r#"{"netns": "blue", "link": "gre1", "kind": "gretap", "master": "br0",
                    "tunnel": {"remote": "198.51.100.9"}}"#,
            ),
            to(
                "Make one of several tunnels between the same hosts:",
                r#"{"netns": "blue", "link": "gre1", "kind": "gretap", "parent": "eth0",
                    "tunnel": {"local": "192.0.2.2", "remote": "198.51.100.9", "ttl": 64, "tos": 1,
                               "pmtudisc": true},
                    "gre": {"key": 7, "csum": true, "seq": true}}"#,
            ),
        ],
    ),
    of(
        "Link.Add",
        Some("ip6gre"),
        &[
            to(
                "Make a tunnel:",
                r#"{"netns": "blue", "link": "gre1", "kind": "ip6gre", "tunnel": {"remote": "2001:db8:9::9"}}"#,
            ),
            to(
                "Make one of several tunnels between the same hosts:",
                r#"{"netns": "blue", "link": "gre1", "kind": "ip6gre", "parent": "eth0",
                    "tunnel": {"local": "2001:db8::2", "remote": "2001:db8:9::9", "ttl": 32, "encap_limit": 2},
                    "gre": {"key": 7, "csum": true, "seq": true}}"#,
            ),
        ],
    ),
    of(
        "Link.Add",
        Some("ip6gretap"),
        &[
            to(
                "Make a tunnel that becomes a port of a bridge:",
                r#"{"netns": "blue", "link": "gre1", "kind": "ip6gretap", "master": "br0",
                    "tunnel": {"remote": "2001:db8:9::9"}}"#,
            ),
            to(
                "Make one of several tunnels between the same hosts:",
                r#"{"netns": "blue", "link": "gre1", "kind": "ip6gretap", "parent": "eth0",
                    "tunnel": {"local": "2001:db8::2", "remote": "2001:db8:9::9", "ttl": 32, "encap_limit": 2},
                    "gre": {"key": 7, "csum": true, "seq": true}}"#,
            ),
        ],
    ),
    of(
        "Link.Add",
        Some("wireguard"),
        &[to(
            "Make a tunnel for a namespace that sends its encrypted packets by the host. wg(8) sets its keys:",
            r#"{"netns": "@host", "link": "wg0", "kind": "wireguard", "target_netns": "blue"}"#,
        )],
    ),
    of(
        "Link.Add",
        Some("xfrm"),
        &[to(
            "Make a link for one IPsec connection:",
            r#"{"netns": "blue", "link": "ipsec0", "kind": "xfrm", "parent": "eth0", "xfrm": {"if_id": 7}}"#,
        )],
    ),
    of(
        "Link.Add",
        Some("netkit"),
        &[
            to(
                "Connect a namespace with the host:",
                r#"{"netns": "@host", "link": "to-blue", "kind": "netkit", "peer": {"name": "eth2", "netns": "blue"}}"#,
            ),
            to(
                "Connect two namespaces by a pair that carries Ethernet frames:",
                r#"{"netns": "blue", "link": "to-red", "kind": "netkit", "up": true, "netkit": {"mode": "l2"},
                    "peer": {"name": "to-blue", "netns": "red", "mac": "02:00:00:00:00:02", "mtu": 1400, "up": true}}"#,
            ),
        ],
    ),
    of(
        "Link.Add",
        Some("tun"),
        &[
            to(
                "Make a link for a VPN program of the user 1000:",
                r#"{"netns": "blue", "link": "vpn0", "kind": "tun", "up": true, "tun": {"mode": "tun", "owner": 1000}}"#,
            ),
            to(
                "Make a link for virtual machines that users of the group 1000 run:",
                r#"{"netns": "blue", "link": "tap0", "kind": "tun", "master": "br0",
                    "tun": {"mode": "tap", "no_owner": true, "group": 1000, "multi_queue": true, "vnet_hdr": true}}"#,
            ),
        ],
    ),
    of(
        "Link.Delete",
        None,
        &[
            to("Delete a link, if it exists:", r#"{"netns": "blue", "link": "eth1", "missing_ok": true}"#),
            to("Delete a link whose name no request can give:", r#"{"netns": "blue", "index": 13}"#),
        ],
    ),
    of(
        "Link.Set",
        None,
        &[
            to("Set a link up, with another MTU:", r#"{"netns": "blue", "link": "eth0", "mtu": 1400, "up": true}"#),
            to(
                "Move a link to another namespace and rename it there:",
                r#"{"netns": "@host", "link": "spare", "target_netns": "blue", "new_name": "eth2", "up": true}"#,
            ),
            to(
                "Make a link a port of a bridge, with settings that only ports have:",
                r#"{"netns": "blue", "link": "eth1", "master": "br0",
                    "bridge_port": {"priority": 16, "cost": 10, "hairpin": true, "guard": true, "root_block": true,
                                    "learning": true, "flood": false, "mcast_flood": false, "vlan_tunnel": true,
                                    "neigh_suppress": true, "isolated": true, "locked": true}}"#,
            ),
            to("Remove a port from its bridge:", r#"{"netns": "blue", "link": "eth1", "no_master": true}"#),
            to(
                "Give a link another hardware address, description and queue, and decide what it receives:",
                r#"{"netns": "blue", "link": "eth1", "mac": "02:00:00:00:00:01", "alias": "web server",
                    "txqueuelen": 500, "group": 7, "arp": false, "multicast": true, "allmulticast": true,
                    "promisc": true, "addrgenmode": "none"}"#,
            ),
            to(
                "Give a link another alternative name:",
                r#"{"netns": "blue", "link": "eth0", "remove_altname": "old-name", "add_altname": "to-the-internet"}"#,
            ),
            to(
                "Keep a link without a carrier until a protocol is ready:",
                r#"{"netns": "blue", "link": "macvlan1", "protodown": true}"#,
            ),
            to(
                "Prepare a virtual function for a virtual machine:",
                r#"{"netns": "@host", "link": "uplink",
                    "vf": {"index": 0, "mac": "02:00:00:00:00:03", "vlan": 100, "qos": 3, "rate_min": 0,
                           "rate_max": 1000, "spoofchk": true, "trust": false, "link_state": "auto"}}"#,
            ),
        ],
    ),
    of(
        "Link.Set",
        Some("bridge"),
        &[
            to(
                "Change how a bridge forwards frames:",
                r#"{"netns": "blue", "link": "br0", "kind": "bridge",
                    "bridge": {"stp": true, "forward_delay": 1500, "ageing_time": 30000, "hello_time": 200,
                               "max_age": 2000, "priority": 4096, "group_fwd_mask": 16384, "vlan_filtering": true,
                               "vlan_protocol": "ieee802_1q", "vlan_default_pvid": 1, "vlan_stats_enabled": true}}"#,
            ),
            to(
                "Change how it forwards multicast packets:",
                r#"{"netns": "blue", "link": "br0", "kind": "bridge",
                    "bridge": {"mcast_snooping": true, "mcast_querier": true, "mcast_router": "permanent",
                               "mcast_query_use_ifaddr": true, "mcast_hash_max": 4096,
                               "mcast_last_member_count": 3, "mcast_startup_query_count": 3,
                               "mcast_last_member_interval": 200, "mcast_membership_interval": 13000,
                               "mcast_querier_interval": 12500, "mcast_query_interval": 6000,
                               "mcast_query_response_interval": 500, "mcast_startup_query_interval": 1500,
                               "mcast_stats_enabled": true, "mcast_igmp_version": 3, "mcast_mld_version": 2}}"#,
            ),
        ],
    ),
    of(
        "Link.Set",
        Some("bond"),
        &[
            to(
                "Let another port be the preferred one:",
                r#"{"netns": "blue", "link": "bond0", "kind": "bond",
                    "bond": {"mode": "active_backup", "miimon": 100, "primary": "eth1"}}"#,
            ),
            to(
                "Change a bond without ports to LACP:",
                r#"{"netns": "blue", "link": "bond0", "kind": "bond",
                    "bond": {"mode": "ieee802_3ad", "miimon": 100, "updelay": 200, "downdelay": 200, "min_links": 1,
                             "lacp_rate": "fast", "ad_select": "bandwidth", "xmit_hash_policy": "layer3_4"}}"#,
            ),
            to(
                "Let it probe two routers:",
                r#"{"netns": "blue", "link": "bond0", "kind": "bond",
                    "bond": {"arp_interval": 1000, "arp_ip_target": ["192.0.2.253", "192.0.2.254"],
                             "fail_over_mac": "active", "all_ports_active": true}}"#,
            ),
        ],
    ),
    of(
        "Link.Set",
        Some("vxlan"),
        &[
            to(
                "Let the hosts find each other by a multicast group:",
                r#"{"netns": "blue", "link": "vxlan0", "kind": "vxlan", "parent": "eth0",
                    "vxlan": {"group": "233.252.0.7"}}"#,
            ),
            to(
                "Send unknown destinations to another host:",
                r#"{"netns": "blue", "link": "vxlan0", "kind": "vxlan",
                    "vxlan": {"local": "192.0.2.2", "remote": "198.51.100.9", "ttl": 64, "tos": 1, "learning": false,
                              "ageing": 600, "df": "set"}}"#,
            ),
        ],
    ),
    of(
        "Link.Set",
        Some("macvlan"),
        &[to(
            "Separate a link from the others on its parent:",
            r#"{"netns": "blue", "link": "macvlan1", "kind": "macvlan", "macvlan": {"mode": "private"}}"#,
        )],
    ),
    of(
        "Link.Set",
        Some("macvtap"),
        &[to(
            "Separate a link from the others on its parent:",
            r#"{"netns": "blue", "link": "macvtap1", "kind": "macvtap", "macvlan": {"mode": "private"}}"#,
        )],
    ),
    of(
        "Link.Set",
        Some("ipvlan"),
        &[to(
            "Separate all links on its parent from each other:",
            r#"{"netns": "blue", "link": "ipvlan1", "kind": "ipvlan", "ipvlan": {"mode": "l2", "traffic": "private"}}"#,
        )],
    ),
    of(
        "Link.Set",
        Some("geneve"),
        &[to(
            "Let the other end be another host:",
            r#"{"netns": "blue", "link": "geneve1", "kind": "geneve",
                "geneve": {"remote": "198.51.100.10", "ttl": 64, "tos": 1, "df": "set"}}"#,
        )],
    ),
    of(
        "Link.Set",
        Some("can"),
        &[to(
            "Prepare a CAN controller that only listens:",
            r#"{"netns": "@host", "link": "can0", "kind": "can",
                "can": {"bitrate": 500000, "sample_point": 875, "restart_ms": 100, "listen_only": true}}"#,
        )],
    ),
    of(
        "Link.List",
        None,
        &[
            to("List the links of a namespace:", r#"{"netns": "blue"}"#),
            to(
                "Show one link with its counters and its virtual functions:",
                r#"{"netns": "@host", "link": "uplink", "with_stats": true, "with_vfs": true}"#,
            ),
            to(
                "List the ports of a bridge that are up, are ends of pairs and are in the default group:",
                r#"{"netns": "blue", "master": "br0", "kind": "veth", "group": 0, "up": true}"#,
            ),
            to("Show the link with this index:", r#"{"netns": "blue", "index": 12}"#),
        ],
    ),
    of(
        "Address.Add",
        None,
        &[
            to(
                "Add an address, unless the link has it:",
                r#"{"netns": "blue", "link": "eth0", "address": "192.0.2.1/24", "exists_ok": true}"#,
            ),
            to(
                "Add an IPv4 address that is valid on this network only:",
                r#"{"netns": "blue", "link": "eth0", "address": "192.0.2.65/26", "broadcast": "192.0.2.127",
                    "scope": "link", "label": "eth0:1", "noprefixroute": true}"#,
            ),
            to(
                "Add an IPv6 address for an hour:",
                r#"{"netns": "blue", "link": "eth0", "address": "2001:db8::1/64", "nodad": true, "home_address": true,
                    "valid_lifetime": 3600, "preferred_lifetime": 1800, "metric": 100}"#,
            ),
            to(
                "Add an IPv6 address that can be used at once. The kernel makes temporary addresses in its prefix:",
                r#"{"netns": "blue", "link": "eth0", "address": "2001:db8:1::1/64", "optimistic": true,
                    "mngtmpaddr": true, "protocol": 80}"#,
            ),
            to(
                "Join a multicast group:",
                r#"{"netns": "blue", "link": "eth0", "address": "233.252.0.1/32", "autojoin": true}"#,
            ),
            to(
                "Add the address of a point-to-point link:",
                r#"{"netns": "blue", "link": "eth1", "address": "192.0.2.1/32", "peer_address": "198.51.100.1/32"}"#,
            ),
        ],
    ),
    of(
        "Address.Replace",
        None,
        &[
            to(
                "Give an address another lifetime, and remember who did (a number of your own):",
                r#"{"netns": "blue", "link": "eth0", "address": "192.0.2.2/24", "valid_lifetime": 3600,
                    "preferred_lifetime": 1800, "metric": 50, "protocol": 80}"#,
            ),
            to(
                "Add an IPv4 address with everything that only a new one can have:",
                r#"{"netns": "blue", "link": "eth0", "address": "192.0.2.65/26", "broadcast": "192.0.2.127",
                    "scope": "link", "label": "eth0:1", "noprefixroute": true}"#,
            ),
            to(
                "Let the kernel make temporary addresses beside an IPv6 address:",
                r#"{"netns": "blue", "link": "eth0", "address": "2001:db8:1::1/64", "mngtmpaddr": true, "nodad": true,
                    "home_address": true}"#,
            ),
            to(
                "Add an IPv6 address that can be used at once:",
                r#"{"netns": "blue", "link": "eth0", "address": "2001:db8:1::2/64", "optimistic": true}"#,
            ),
            to(
                "Join a multicast group:",
                r#"{"netns": "blue", "link": "eth0", "address": "233.252.0.1/32", "autojoin": true}"#,
            ),
            to(
                "Replace the address of a point-to-point link:",
                r#"{"netns": "blue", "link": "eth1", "address": "192.0.2.1/32", "peer_address": "198.51.100.1/32"}"#,
            ),
        ],
    ),
    of(
        "Address.Flush",
        None,
        &[
            to("Delete all addresses of a link:", r#"{"netns": "blue", "link": "eth0"}"#),
            to(
                "Delete the IPv4 addresses with this label and scope:",
                r#"{"netns": "blue", "link": "eth0", "family": "inet", "scope": "link", "label": "eth0:1"}"#,
            ),
            to(
                "Delete one address of a point-to-point link, if the link has it:",
                r#"{"netns": "blue", "link": "eth1", "address": "192.0.2.1/32", "peer_address": "198.51.100.1/32"}"#,
            ),
        ],
    ),
    of(
        "Address.Delete",
        None,
        &[
            to(
                "Delete an address, if the link has it:",
                r#"{"netns": "blue", "link": "eth0", "address": "192.0.2.1/24", "missing_ok": true}"#,
            ),
            to(
                "Delete the address of a point-to-point link:",
                r#"{"netns": "blue", "link": "eth1", "address": "192.0.2.1/32", "peer_address": "198.51.100.1/32"}"#,
            ),
        ],
    ),
    of(
        "Address.List",
        None,
        &[
            to(
                "List the global IPv4 addresses of a link:",
                r#"{"netns": "blue", "link": "eth0", "family": "inet", "scope": "global"}"#,
            ),
            to("List the addresses of the link with this index:", r#"{"netns": "blue", "index": 12}"#),
        ],
    ),
    of(
        "Route.Add",
        None,
        &[
            to(
                "Add a default route. The kernel finds the link by the gateway, so the rule must permit every link:",
                r#"{"netns": "blue", "destination": "default", "gateway": "192.0.2.254"}"#,
            ),
            to(
                "Add a route to another table, by a router that no other route leads to:",
                r#"{"netns": "blue", "destination": "198.51.100.0/24", "gateway": "203.0.113.1", "link": "eth0",
                    "onlink": true, "table": 100, "metric": 50, "protocol": 4, "preferred_source": "192.0.2.2",
                    "mtu": 1400, "exists_ok": true}"#,
            ),
            to(
                "Add a route to a host on the same network:",
                r#"{"netns": "blue", "destination": "198.51.100.7/32", "link": "eth0", "scope": "link"}"#,
            ),
            to(
                "Distribute packets among two routers:",
                r#"{"netns": "blue", "destination": "198.51.100.0/24",
                    "nexthops": [{"gateway": "192.0.2.254", "link": "eth0", "weight": 2},
                                 {"gateway": "203.0.113.1", "link": "eth1", "onlink": true}]}"#,
            ),
            to(
                "Refuse all other IPv6 destinations. Such a route has no link, whatever the rule permits:",
                r#"{"netns": "blue", "destination": "default", "family": "inet6", "route_type": "unreachable"}"#,
            ),
            to(
                "Deliver packets to any address to this host, for a transparent proxy (TPROXY):",
                r#"{"netns": "blue", "destination": "default", "family": "inet", "route_type": "local", "link": "lo",
                    "table": 100}"#,
            ),
            to(
                "Set the parameters of connections to one network, for one type of service:",
                r#"{"netns": "blue", "destination": "203.0.113.0/24", "gateway": "192.0.2.254", "link": "eth0", "tos": 16,
                    "mtu": 1400, "mtu_lock": true, "advmss": 1360, "hoplimit": 32, "initcwnd": 20, "initrwnd": 20}"#,
            ),
            to(
                "Add a preferred IPv6 route that the kernel removes after an hour:",
                r#"{"netns": "blue", "destination": "2001:db8:1::/48", "gateway": "2001:db8::fe", "link": "eth0",
                    "pref": "high", "expires": 3600}"#,
            ),
            to(
                "Add a route for packets from one network only:",
                r#"{"netns": "blue", "destination": "2001:db8:1::/48", "source": "2001:db8:2::/48",
                    "gateway": "2001:db8::fe", "link": "eth0"}"#,
            ),
            to(
                "Add a route by a nexthop object. The rule must name a link, which does not limit that of the object:",
                r#"{"netns": "blue", "destination": "203.0.113.0/24", "nexthop_id": 20}"#,
            ),
            to(
                "Add a route into a tunnel, which needs `vxlan.collect_metadata`:",
                r#"{"netns": "blue", "destination": "198.51.100.0/25", "link": "vxlan1",
                    "encap": {"kind": "ip", "id": 7, "destination": "198.51.100.7", "source": "192.0.2.2",
                              "ttl": 64, "tos": 16}}"#,
            ),
            to(
                "Add a route whose packets get two MPLS labels:",
                r#"{"netns": "blue", "destination": "198.51.100.0/25", "gateway": "192.0.2.254", "link": "eth0",
                    "encap": {"kind": "mpls", "labels": [100, 200], "ttl": 64}}"#,
            ),
        ],
    ),
    of(
        "Route.Replace",
        None,
        &[
            to(
                "Set the default route, whatever it was:",
                r#"{"netns": "blue", "destination": "default", "gateway": "192.0.2.254", "link": "eth0"}"#,
            ),
            to(
                "Set a route in another table:",
                r#"{"netns": "blue", "destination": "198.51.100.0/24", "gateway": "203.0.113.1", "link": "eth0",
                    "onlink": true, "table": 100, "metric": 50, "protocol": 4, "preferred_source": "192.0.2.2",
                    "mtu": 1400}"#,
            ),
            to(
                "Set a route to a host on the same network:",
                r#"{"netns": "blue", "destination": "198.51.100.7/32", "link": "eth0", "scope": "link"}"#,
            ),
            to(
                "Distribute packets among two routers:",
                r#"{"netns": "blue", "destination": "198.51.100.0/24",
                    "nexthops": [{"gateway": "192.0.2.254", "link": "eth0", "weight": 2},
                                 {"gateway": "203.0.113.1", "link": "eth1", "onlink": true}]}"#,
            ),
            to(
                "Refuse all other IPv6 destinations:",
                r#"{"netns": "blue", "destination": "default", "family": "inet6", "route_type": "unreachable"}"#,
            ),
            to(
                "Deliver packets to any address to this host, for a transparent proxy (TPROXY):",
                r#"{"netns": "blue", "destination": "default", "family": "inet", "route_type": "local", "link": "lo",
                    "table": 100}"#,
            ),
            to(
                "Set the parameters of connections to one network, for one type of service:",
                r#"{"netns": "blue", "destination": "203.0.113.0/24", "gateway": "192.0.2.254", "link": "eth0", "tos": 16,
                    "mtu": 1400, "mtu_lock": true, "advmss": 1360, "hoplimit": 32, "initcwnd": 20, "initrwnd": 20}"#,
            ),
            to(
                "Set a preferred IPv6 route that the kernel removes after an hour:",
                r#"{"netns": "blue", "destination": "2001:db8:1::/48", "gateway": "2001:db8::fe", "link": "eth0",
                    "pref": "high", "expires": 3600}"#,
            ),
            to(
                "Set a route for packets from one network only:",
                r#"{"netns": "blue", "destination": "2001:db8:1::/48", "source": "2001:db8:2::/48",
                    "gateway": "2001:db8::fe", "link": "eth0"}"#,
            ),
            to(
                "Set the nexthop object of a route:",
                r#"{"netns": "blue", "destination": "203.0.113.0/24", "nexthop_id": 20}"#,
            ),
            to(
                "Set a route into a tunnel, which needs `vxlan.collect_metadata`:",
                r#"{"netns": "blue", "destination": "198.51.100.0/25", "link": "vxlan1",
                    "encap": {"kind": "ip", "id": 7, "destination": "198.51.100.7", "source": "192.0.2.2",
                              "ttl": 64, "tos": 16}}"#,
            ),
            to(
                "Set a route whose packets get two MPLS labels:",
                r#"{"netns": "blue", "destination": "198.51.100.0/25", "gateway": "192.0.2.254", "link": "eth0",
                    "encap": {"kind": "mpls", "labels": [100, 200], "ttl": 64}}"#,
            ),
        ],
    ),
    of(
        "Route.Append",
        None,
        &[
            to(
                "Add a second router to an IPv6 default route:",
                r#"{"netns": "blue", "destination": "default", "gateway": "2001:db8::fe", "link": "eth0"}"#,
            ),
            to(
                "Add a route that the kernel uses when the first one is gone:",
                r#"{"netns": "blue", "destination": "198.51.100.0/24", "gateway": "203.0.113.1", "link": "eth0",
                    "onlink": true, "table": 100, "metric": 50, "protocol": 4, "preferred_source": "192.0.2.2"}"#,
            ),
            to(
                "The same for a host on the same network, and one type of service:",
                r#"{"netns": "blue", "destination": "198.51.100.7/32", "link": "eth0", "scope": "link", "tos": 16,
                    "mtu": 1400, "mtu_lock": true, "advmss": 1360, "hoplimit": 32, "initcwnd": 20, "initrwnd": 20}"#,
            ),
            to(
                "Refuse what the other routes to the prefix do not take:",
                r#"{"netns": "blue", "destination": "default", "family": "inet", "route_type": "unreachable"}"#,
            ),
            to(
                "Distribute packets among two more routers:",
                r#"{"netns": "blue", "destination": "198.51.100.0/24",
                    "nexthops": [{"gateway": "192.0.2.254", "link": "eth0", "weight": 2},
                                 {"gateway": "203.0.113.1", "link": "eth1", "onlink": true}]}"#,
            ),
            to(
                "Add a preferred IPv6 route for packets from one network, for an hour:",
                r#"{"netns": "blue", "destination": "2001:db8:1::/48", "source": "2001:db8:2::/48",
                    "gateway": "2001:db8::fe", "link": "eth0", "pref": "high", "expires": 3600}"#,
            ),
            to(
                "Add a route by a nexthop object after the others:",
                r#"{"netns": "blue", "destination": "203.0.113.0/24", "nexthop_id": 20}"#,
            ),
            to(
                "Add a route after the others, into a tunnel, which needs `vxlan.collect_metadata`:",
                r#"{"netns": "blue", "destination": "198.51.100.0/25", "link": "vxlan1",
                    "encap": {"kind": "ip", "id": 7, "destination": "198.51.100.7", "source": "192.0.2.2",
                              "ttl": 64, "tos": 16}}"#,
            ),
            to(
                "Append a route whose packets get two MPLS labels:",
                r#"{"netns": "blue", "destination": "198.51.100.0/25", "gateway": "192.0.2.254", "link": "eth0",
                    "encap": {"kind": "mpls", "labels": [100, 200], "ttl": 64}}"#,
            ),
        ],
    ),
    of(
        "Route.Flush",
        None,
        &[
            to("Delete all routes of a table:", r#"{"netns": "blue", "table": 100}"#),
            to(
                "Delete the IPv4 routes that a routing daemon has set in the main table:",
                r#"{"netns": "blue", "table": 254, "family": "inet", "protocol": 186}"#,
            ),
            to(
                "Delete the routes by one router:",
                r#"{"netns": "blue", "table": 254, "gateway": "192.0.2.254", "link": "eth0", "onlink": false}"#,
            ),
            to(
                "Delete the routes to one prefix for one type of service, by the rest of their fields:",
                r#"{"netns": "blue", "table": 100, "destination": "198.51.100.0/24", "tos": 16, "metric": 50,
                    "scope": "global", "route_type": "unicast", "preferred_source": "192.0.2.2", "mtu": 1400,
                    "mtu_lock": true, "advmss": 1360, "hoplimit": 32, "initcwnd": 20, "initrwnd": 20}"#,
            ),
            to(
                "Delete the preferred IPv6 routes for packets from one network:",
                r#"{"netns": "blue", "table": 254, "source": "2001:db8:2::/48", "pref": "high"}"#,
            ),
            to(
                "Delete the multipath routes by these two routers:",
                r#"{"netns": "blue", "table": 254,
                    "nexthops": [{"gateway": "192.0.2.254", "link": "eth0", "weight": 2},
                                 {"gateway": "203.0.113.1", "link": "eth1", "onlink": true}]}"#,
            ),
            to(
                "Delete the routes that use a nexthop object, and keep the object:",
                r#"{"netns": "blue", "table": 254, "nexthop_id": 20}"#,
            ),
            to(
                "Delete the routes into one tunnel:",
                r#"{"netns": "blue", "table": 254, "link": "vxlan1",
                    "encap": {"kind": "ip", "id": 7, "destination": "198.51.100.7", "source": "192.0.2.2",
                              "ttl": 64, "tos": 16}}"#,
            ),
            to(
                "Delete the routes whose packets get these MPLS labels:",
                r#"{"netns": "blue", "table": 254, "encap": {"kind": "mpls", "labels": [100, 200], "ttl": 64}}"#,
            ),
        ],
    ),
    of(
        "Route.Delete",
        None,
        &[
            to(
                "Take one router out of an IPv6 multipath route:",
                r#"{"netns": "blue", "destination": "2001:db8:1::/48", "gateway": "2001:db8::fd", "link": "eth0",
                    "one_nexthop": true}"#,
            ),
            to(
                "Delete the default route, if there is one. The route can be over any link:",
                r#"{"netns": "blue", "destination": "default", "family": "inet", "missing_ok": true}"#,
            ),
            to(
                "Delete exactly this route. Most fields only narrow the choice, so the rule need not name them:",
                r#"{"netns": "blue", "destination": "198.51.100.0/24", "gateway": "203.0.113.1", "link": "eth0",
                    "onlink": true, "table": 100, "metric": 50, "protocol": 4, "route_type": "unicast",
                    "scope": "global", "preferred_source": "192.0.2.2", "mtu": 1400}"#,
            ),
            to(
                "Delete a route for one type of service by all of its metrics:",
                r#"{"netns": "blue", "destination": "203.0.113.0/24", "tos": 16, "mtu_lock": true, "advmss": 1360,
                    "hoplimit": 32, "initcwnd": 20, "initrwnd": 20}"#,
            ),
            to(
                "Delete a preferred IPv6 route:",
                r#"{"netns": "blue", "destination": "2001:db8:1::/48", "pref": "high"}"#,
            ),
            to(
                "Delete a multipath route:",
                r#"{"netns": "blue", "destination": "198.51.100.0/24",
                    "nexthops": [{"gateway": "192.0.2.254", "link": "eth0", "weight": 2},
                                 {"gateway": "203.0.113.1", "link": "eth1", "onlink": true}]}"#,
            ),
            to(
                "Delete a route for packets from one network only:",
                r#"{"netns": "blue", "destination": "2001:db8:1::/48", "source": "2001:db8:2::/48"}"#,
            ),
            to(
                "Delete a route, if it uses this nexthop object:",
                r#"{"netns": "blue", "destination": "203.0.113.0/24", "nexthop_id": 20}"#,
            ),
            to(
                "Delete a route into a tunnel:",
                r#"{"netns": "blue", "destination": "198.51.100.0/25", "link": "vxlan1",
                    "encap": {"kind": "ip", "id": 7, "destination": "198.51.100.7", "source": "192.0.2.2",
                              "ttl": 64, "tos": 16}}"#,
            ),
            to(
                "Delete a route whose packets get these MPLS labels, if there is one:",
                r#"{"netns": "blue", "destination": "198.51.100.0/25", "encap": {"kind": "mpls", "labels": [100, 200], "ttl": 64},
                    "missing_ok": true}"#,
            ),
        ],
    ),
    of(
        "Route.Get",
        None,
        &[
            to(
                "Find the route of packets that this host sends to an address:",
                r#"{"netns": "blue", "destination": "192.0.2.254/32"}"#,
            ),
            to(
                "Find the route of the packets of one program, with a firewall mark and a type of service:",
                r#"{"netns": "blue", "destination": "192.0.2.254/32", "source": "192.0.2.2/32", "oif": "eth0",
                    "fwmark": 7, "tos": 16, "uid": 1000}"#,
            ),
            to(
                "Find out what the kernel does with a packet that arrives:",
                r#"{"netns": "blue", "destination": "192.0.2.2/32", "source": "192.0.2.254/32", "iif": "eth0"}"#,
            ),
        ],
    ),
    of(
        "Route.List",
        None,
        &[
            to("List the routes of the main table:", r#"{"netns": "blue", "family": "inet", "table": 254}"#),
            to(
                "List what a routing daemon has set for one prefix:",
                r#"{"netns": "blue", "destination": "198.51.100.0/24", "protocol": 186, "scope": "global"}"#,
            ),
            to("List the routes by one router:", r#"{"netns": "blue", "link": "eth0", "gateway": "192.0.2.254"}"#),
            to(
                "List the routes that use a link, alone or with others:",
                r#"{"netns": "blue", "nexthops": {"link": "eth0"}}"#,
            ),
            to("List the routes that use a nexthop object:", r#"{"netns": "blue", "nexthop_id": 20}"#),
            to(
                "List the routes into one tunnel:",
                r#"{"netns": "blue", "link": "vxlan1",
                    "encap": {"kind": "ip", "id": 7, "destination": "198.51.100.7", "source": "192.0.2.2",
                              "ttl": 64, "tos": 16}}"#,
            ),
            to(
                "List the routes whose packets get these MPLS labels:",
                r#"{"netns": "blue", "encap": {"kind": "mpls", "labels": [100, 200], "ttl": 64}}"#,
            ),
        ],
    ),
    of(
        "Neighbour.Add",
        None,
        &[
            to(
                "Add a permanent neighbour, unless it exists:",
                r#"{"netns": "blue", "link": "eth0", "address": "192.0.2.9", "mac": "02:00:00:00:00:09",
                    "exists_ok": true}"#,
            ),
            to(
                "Add a neighbour that the kernel may forget:",
                r#"{"netns": "blue", "link": "eth0", "address": "2001:db8::9", "mac": "02:00:00:00:00:09",
                    "state": "stale"}"#,
            ),
            to(
                "Answer requests for another host:",
                r#"{"netns": "blue", "link": "eth0", "address": "198.51.100.9", "proxy": true}"#,
            ),
            to(
                "Add a router whose hardware address the kernel finds, and keeps up to date:",
                r#"{"netns": "blue", "link": "eth0", "address": "192.0.2.10", "state": "none", "managed": true,
                    "router": true, "extern_learn": true, "protocol": 186}"#,
            ),
            to(
                "Let the kernel find the hardware address of a neighbour now:",
                r#"{"netns": "blue", "link": "eth0", "address": "192.0.2.11", "state": "none", "use": true}"#,
            ),
        ],
    ),
    of(
        "Neighbour.Replace",
        None,
        &[
            to(
                "Set the hardware address of a neighbour:",
                r#"{"netns": "blue", "link": "eth0", "address": "192.0.2.9", "mac": "02:00:00:00:00:09"}"#,
            ),
            to(
                "Set it until the kernel finds another one:",
                r#"{"netns": "blue", "link": "eth0", "address": "192.0.2.9", "mac": "02:00:00:00:00:09",
                    "state": "reachable"}"#,
            ),
            to(
                "Answer requests for another host:",
                r#"{"netns": "blue", "link": "eth0", "address": "198.51.100.9", "proxy": true}"#,
            ),
            to(
                "Let the kernel find the hardware address of a router, and keep it up to date:",
                r#"{"netns": "blue", "link": "eth0", "address": "192.0.2.9", "state": "none", "managed": true,
                    "router": true, "extern_learn": true, "protocol": 186}"#,
            ),
            to(
                "Let the kernel find the hardware address of a neighbour now:",
                r#"{"netns": "blue", "link": "eth0", "address": "192.0.2.9", "state": "none", "use": true}"#,
            ),
        ],
    ),
    of(
        "Neighbour.Flush",
        None,
        &[
            to("Delete the neighbours of a link, except permanent ones:", r#"{"netns": "blue", "link": "eth0"}"#),
            to(
                "Delete the IPv4 neighbours that did not answer:",
                r#"{"netns": "blue", "link": "eth0", "family": "inet", "states": ["failed", "incomplete"]}"#,
            ),
            to(
                "Delete a neighbour, unless it is permanent or in the state `noarp`:",
                r#"{"netns": "blue", "link": "eth0", "address": "192.0.2.9"}"#,
            ),
            to("Delete the proxy entries of a link:", r#"{"netns": "blue", "link": "eth0", "proxy": true}"#),
        ],
    ),
    of(
        "Neighbour.Get",
        None,
        &[
            to("Show a neighbour:", r#"{"netns": "blue", "link": "eth0", "address": "192.0.2.9"}"#),
            to("Show a proxy entry:", r#"{"netns": "blue", "link": "eth0", "address": "198.51.100.9", "proxy": true}"#),
        ],
    ),
    of(
        "Neighbour.Delete",
        None,
        &[
            to(
                "Delete a neighbour, if it exists:",
                r#"{"netns": "blue", "link": "eth0", "address": "192.0.2.9", "missing_ok": true}"#,
            ),
            to(
                "Stop answering requests for another host:",
                r#"{"netns": "blue", "link": "eth0", "address": "198.51.100.9", "proxy": true}"#,
            ),
        ],
    ),
    of(
        "Neighbour.List",
        None,
        &[
            to("List the IPv4 neighbours of a link:", r#"{"netns": "blue", "link": "eth0", "family": "inet"}"#),
            to(
                "List the proxy entries of the link with this index:",
                r#"{"netns": "blue", "index": 12, "proxy": true}"#,
            ),
        ],
    ),
    of(
        "Rule.Add",
        None,
        &[
            to(
                "Route packets from one network by a table of their own:",
                r#"{"netns": "blue", "family": "inet", "priority": 100, "source": "192.0.2.0/24", "table": 100,
                    "exists_ok": true}"#,
            ),
            to(
                "Refuse marked packets between two links:",
                r#"{"netns": "blue", "family": "inet", "priority": 200, "destination": "198.51.100.0/24",
                    "iif": "eth0", "oif": "eth1", "fwmark": 1, "fwmask": 255, "action": "prohibit"}"#,
            ),
            to(
                "Route what the programs of some users send to some ports by another table:",
                r#"{"netns": "blue", "family": "inet", "priority": 300, "ip_protocol": 6, "tos": 16,
                    "source_ports": "32768..60999", "destination_ports": 443, "uids": "1000..1999", "table": 100,
                    "suppress_ifgroup": 7, "protocol": 80}"#,
            ),
            to(
                "Skip the routing rules before the priority 500 for packets that do not have the mark:",
                r#"{"netns": "blue", "family": "inet", "priority": 400, "fwmark": 1, "invert": true, "action": "goto",
                    "goto": 500}"#,
            ),
            to(
                "Look up packets of every VRF in its table:",
                r#"{"netns": "blue", "family": "inet", "priority": 1000, "l3mdev": true}"#,
            ),
            to(
                "Use the main table, but not its default route:",
                r#"{"netns": "blue", "family": "inet6", "priority": 300, "suppress_prefixlength": 0}"#,
            ),
        ],
    ),
    of(
        "Rule.Delete",
        None,
        &[
            to(
                "Delete a routing rule, if it exists:",
                r#"{"netns": "blue", "family": "inet", "priority": 100, "missing_ok": true}"#,
            ),
            to(
                "Delete the routing rule for some users' programs:",
                r#"{"netns": "blue", "family": "inet", "priority": 300, "ip_protocol": 6, "tos": 16,
                    "source_ports": "32768..60999", "destination_ports": 443, "uids": "1000..1999", "table": 100,
                    "suppress_ifgroup": 7, "protocol": 80}"#,
            ),
            to(
                "Delete the routing rule that skips others:",
                r#"{"netns": "blue", "family": "inet", "priority": 400, "fwmark": 1, "invert": true, "action": "goto",
                    "goto": 500}"#,
            ),
            to(
                "Delete the routing rule for all VRFs:",
                r#"{"netns": "blue", "family": "inet", "priority": 1000, "l3mdev": true}"#,
            ),
            to(
                "Delete exactly this routing rule:",
                r#"{"netns": "blue", "family": "inet", "priority": 200, "source": "192.0.2.0/24",
                    "destination": "198.51.100.0/24", "iif": "eth0", "oif": "eth1", "fwmark": 1, "fwmask": 255,
                    "action": "to_table", "table": 100, "suppress_prefixlength": 0}"#,
            ),
        ],
    ),
    of(
        "Rule.Flush",
        None,
        &[
            to(
                "Delete the IPv4 routing rules of an agent, which has an origin of its own:",
                r#"{"netns": "blue", "family": "inet", "protocol": 80}"#,
            ),
            to(
                "Delete the routing rules from one network with these priorities:",
                r#"{"netns": "blue", "family": "inet", "priorities": "100..199", "source": "192.0.2.0/24", "table": 100}"#,
            ),
            to(
                "Delete the routing rules that have all of this:",
                r#"{"netns": "blue", "family": "inet", "priorities": 200, "source": "192.0.2.0/24",
                    "destination": "198.51.100.0/24", "iif": "eth0", "oif": "eth1", "fwmark": 1, "fwmask": 255,
                    "action": "to_table", "suppress_prefixlength": 0, "suppress_ifgroup": 7, "tos": 16,
                    "ip_protocol": 6, "source_ports": "32768..60999", "destination_ports": 443, "uids": "1000..1999",
                    "l3mdev": false, "invert": false}"#,
            ),
            to(
                "Delete the routing rules that lead to the priority 500:",
                r#"{"netns": "blue", "family": "inet", "priorities": "100..499", "action": "goto", "goto": 500}"#,
            ),
        ],
    ),
    of("Rule.List", None, &[to("List the IPv4 routing rules:", r#"{"netns": "blue", "family": "inet"}"#)]),
    of(
        "Fdb.Add",
        None,
        &[
            to(
                "Let a vxlan send the frames for an address to a tunnel endpoint, unless it does so already:",
                r#"{"netns": "blue", "link": "vxlan0", "mac": "02:00:00:00:00:09", "remote": "198.51.100.9",
                    "exists_ok": true}"#,
            ),
            to(
                "The same for the frames of one network of a vxlan for several, with all of the destination:",
                r#"{"netns": "blue", "link": "vxlan1", "mac": "02:00:00:00:00:09", "remote": "198.51.100.9", "port": 4790,
                    "vni": 200, "source_vni": 100, "via": "eth0", "fdb_state": "dynamic", "extern_learn": true}"#,
            ),
            to(
                "Tie an address to a port of a bridge, in one VLAN:",
                r#"{"netns": "blue", "link": "eth1", "targets": ["master"], "mac": "02:00:00:00:00:09", "vlan": 1,
                    "fdb_state": "static", "sticky": true}"#,
            ),
            to(
                "Let a link also receive the frames for another address:",
                r#"{"netns": "blue", "link": "eth0", "mac": "02:00:00:00:00:09"}"#,
            ),
        ],
    ),
    of(
        "Fdb.Append",
        None,
        &[
            to(
                "Let a vxlan send the frames for unknown addresses to one more tunnel endpoint:",
                r#"{"netns": "blue", "link": "vxlan0", "mac": "00:00:00:00:00:00", "remote": "198.51.100.9"}"#,
            ),
            to(
                "The same for the frames of one network of a vxlan for several, with all of the destination:",
                r#"{"netns": "blue", "link": "vxlan1", "targets": ["self"], "mac": "00:00:00:00:00:00",
                    "remote": "198.51.100.9", "port": 4790,
                    "vni": 200, "source_vni": 100, "via": "eth0", "fdb_state": "static", "extern_learn": true}"#,
            ),
        ],
    ),
    of(
        "Fdb.Replace",
        None,
        &[
            to(
                "Send the frames for an address to another tunnel endpoint:",
                r#"{"netns": "blue", "link": "vxlan1", "mac": "02:00:00:00:00:09", "remote": "198.51.100.10", "port": 4790,
                    "vni": 200, "source_vni": 100, "via": "eth0"}"#,
            ),
            to(
                "Move an address to another port of a bridge, in one VLAN:",
                r#"{"netns": "blue", "link": "eth1", "targets": ["master"], "mac": "02:00:00:00:00:09", "vlan": 1,
                    "fdb_state": "static", "sticky": true}"#,
            ),
            to(
                "The same for an address that a routing daemon has found:",
                r#"{"netns": "blue", "link": "eth1", "targets": ["master"], "mac": "02:00:00:00:00:09",
                    "fdb_state": "dynamic", "extern_learn": true}"#,
            ),
        ],
    ),
    of(
        "Fdb.Delete",
        None,
        &[
            to(
                "Delete the entry of a vxlan for an address, if it exists:",
                r#"{"netns": "blue", "link": "vxlan0", "mac": "02:00:00:00:00:09", "missing_ok": true}"#,
            ),
            to(
                "Delete one destination of it:",
                r#"{"netns": "blue", "link": "vxlan1", "mac": "02:00:00:00:00:09", "remote": "198.51.100.9", "port": 4790,
                    "vni": 200, "source_vni": 100, "via": "eth0"}"#,
            ),
            to(
                "Delete the entry of a bridge for an address at a port, in one VLAN:",
                r#"{"netns": "blue", "link": "eth1", "targets": ["master"], "mac": "02:00:00:00:00:09", "vlan": 1}"#,
            ),
        ],
    ),
    of(
        "Fdb.Flush",
        None,
        &[
            to(
                "Delete the entries that a bridge has learnt on a port:",
                r#"{"netns": "blue", "link": "eth1", "targets": ["master"], "fdb_state": "dynamic"}"#,
            ),
            to(
                "Delete the entries for an address at a port in one VLAN:",
                r#"{"netns": "blue", "link": "eth1", "mac": "02:00:00:00:00:09", "vlan": 1}"#,
            ),
            to(
                "Delete the entries of a vxlan with a destination:",
                r#"{"netns": "blue", "link": "vxlan1", "remote": "198.51.100.9", "port": 4790, "vni": 200,
                    "source_vni": 100, "via": "eth0"}"#,
            ),
        ],
    ),
    of(
        "Fdb.List",
        None,
        &[
            to("List the entries of all links:", r#"{"netns": "blue"}"#),
            to("List the entries of a vxlan:", r#"{"netns": "blue", "link": "vxlan0"}"#),
            to("List the entries of the link with this index:", r#"{"netns": "blue", "index": 12}"#),
        ],
    ),
    of(
        "Nexthop.Add",
        None,
        &[
            to(
                "Add a next hop that routes can share:",
                r#"{"netns": "blue", "nexthop_id": 1, "gateway": "192.0.2.254", "link": "eth0", "exists_ok": true}"#,
            ),
            to(
                "Add a next hop by a router that no route leads to:",
                r#"{"netns": "blue", "nexthop_id": 2, "gateway": "203.0.113.1", "link": "eth1", "onlink": true,
                    "protocol": 186}"#,
            ),
            to(
                "Add an IPv6 next hop without a gateway:",
                r#"{"netns": "blue", "nexthop_id": 3, "family": "inet6", "link": "eth0"}"#,
            ),
            to("Add a next hop that drops packets:", r#"{"netns": "blue", "nexthop_id": 4, "blackhole": true}"#),
            to(
                "Add a remote address for entries of a forwarding database:",
                r#"{"netns": "blue", "nexthop_id": 5, "gateway": "198.51.100.9", "fdb": true}"#,
            ),
            to(
                "Distribute packets among two next hops. The rule permits any members:",
                r#"{"netns": "blue", "nexthop_id": 10,
                    "members": [{"nexthop_id": 11, "weight": 2}, {"nexthop_id": 12}]}"#,
            ),
        ],
    ),
    of(
        "Nexthop.Replace",
        None,
        &[
            to(
                "Lead all routes that use a nexthop object to another router:",
                r#"{"netns": "blue", "nexthop_id": 11, "gateway": "192.0.2.253", "link": "eth0", "protocol": 186}"#,
            ),
            to(
                "Set a next hop by a router that no route leads to:",
                r#"{"netns": "blue", "nexthop_id": 12, "gateway": "203.0.113.1", "link": "eth1", "onlink": true}"#,
            ),
            to(
                "Drop the packets of all routes that use a nexthop object:",
                r#"{"netns": "blue", "nexthop_id": 21, "blackhole": true, "family": "inet"}"#,
            ),
            to(
                "Set a remote address for entries of a forwarding database:",
                r#"{"netns": "blue", "nexthop_id": 5, "gateway": "198.51.100.9", "fdb": true}"#,
            ),
            to(
                "Change the weights of a group:",
                r#"{"netns": "blue", "nexthop_id": 20,
                    "members": [{"nexthop_id": 11, "weight": 3}, {"nexthop_id": 12, "weight": 2}]}"#,
            ),
        ],
    ),
    of(
        "Nexthop.Delete",
        None,
        &[
            to(
                "Delete a nexthop object and the routes that use it, if it exists. The rule must permit every link:",
                r#"{"netns": "blue", "nexthop_id": 1, "missing_ok": true}"#,
            ),
            to(
                "Delete exactly this next hop:",
                r#"{"netns": "blue", "nexthop_id": 21, "family": "inet", "gateway": "203.0.113.1", "link": "eth1",
                    "onlink": true, "blackhole": false, "fdb": false, "protocol": 186}"#,
            ),
        ],
    ),
    of(
        "Nexthop.Flush",
        None,
        &[
            to(
                "Delete the next hops of a link:",
                r#"{"netns": "blue", "family": "inet", "link": "eth1", "nexthop_ids": "20..29"}"#,
            ),
            to(
                "Delete the nexthop objects of a routing daemon that have all of this:",
                r#"{"netns": "blue", "gateway": "203.0.113.1", "onlink": true, "blackhole": false, "fdb": false,
                    "protocol": 186}"#,
            ),
        ],
    ),
    of(
        "Nexthop.List",
        None,
        &[
            to("List all nexthop objects:", r#"{"netns": "blue"}"#),
            to("List the IPv4 next hops of a link:", r#"{"netns": "blue", "family": "inet", "link": "eth0"}"#),
            to("List the next hops through the ports of a bridge:", r#"{"netns": "blue", "master": "br0"}"#),
            to(
                "List the nexthop objects that have all of this:",
                r#"{"netns": "blue", "nexthop_ids": "20..29", "gateway": "203.0.113.1", "onlink": true,
                    "blackhole": false, "fdb": false, "protocol": 186}"#,
            ),
        ],
    ),
    of(
        "Vlan.Add",
        None,
        &[
            to(
                "Let a port of a bridge carry ten VLANs, unless it does:",
                r#"{"netns": "blue", "link": "eth1", "vlans": "10..19", "exists_ok": true}"#,
            ),
            to(
                "Let a port without a PVID exchange untagged frames in a VLAN:",
                r#"{"netns": "blue", "link": "eth1", "vlans": 20, "pvid": true, "untagged": true, "target": "master"}"#,
            ),
            to(
                "Let the bridge itself take part in a VLAN:",
                r#"{"netns": "blue", "link": "br0", "vlans": 10, "target": "self"}"#,
            ),
            to(
                "Send ten VLANs through a vxlan, each under a VNI of its own:",
                r#"{"netns": "blue", "link": "vxlan0", "vlans": "10..19", "tunnel_ids": "5010..5019"}"#,
            ),
        ],
    ),
    of(
        "Vlan.Replace",
        None,
        &[
            to(
                "Make a VLAN the PVID of a port, in place of another:",
                r#"{"netns": "blue", "link": "eth1", "vlans": 10, "pvid": true, "untagged": true}"#,
            ),
            to(
                "Add VLANs of a vxlan, or give the existing ones VNIs:",
                r#"{"netns": "blue", "link": "vxlan0", "vlans": "10..19", "tunnel_ids": "5010..5019", "target": "master"}"#,
            ),
        ],
    ),
    of(
        "Vlan.Delete",
        None,
        &[
            to("Delete the VLAN that each port has by default:", r#"{"netns": "blue", "link": "eth1", "vlans": 1}"#),
            to(
                "Delete all VLANs of a bridge itself:",
                r#"{"netns": "blue", "link": "br0", "vlans": "1..4094", "target": "self", "missing_ok": true}"#,
            ),
        ],
    ),
    of(
        "Vlan.List",
        None,
        &[
            to("List the VLANs of all bridges and ports:", r#"{"netns": "blue"}"#),
            to("List the VLANs of a port:", r#"{"netns": "blue", "link": "eth1"}"#),
            to("List the VLANs of the port with an index:", r#"{"netns": "blue", "index": 12}"#),
        ],
    ),
    of(
        "Vni.Add",
        None,
        &[
            to(
                "Let a vxlan receive ten VNIs, unless it does:",
                r#"{"netns": "blue", "link": "vxlan0", "vnis": "5010..5019", "exists_ok": true}"#,
            ),
            to(
                "Let it receive a VNI, and send frames for unknown hardware addresses to one host:",
                r#"{"netns": "blue", "link": "vxlan0", "vnis": 5020, "remote": "198.51.100.7"}"#,
            ),
        ],
    ),
    of(
        "Vni.Delete",
        None,
        &[to(
            "Delete VNIs, as many of them as exist:",
            r#"{"netns": "blue", "link": "vxlan0", "vnis": "5010..5019", "missing_ok": true}"#,
        )],
    ),
    of(
        "Vni.List",
        None,
        &[
            to("List the VNIs that a vxlan receives:", r#"{"netns": "blue", "link": "vxlan0"}"#),
            to("List the VNIs of the link with an index:", r#"{"netns": "blue", "index": 12}"#),
        ],
    ),
];

/// What the kinds of links are.
pub(super) const KINDS: &[(&str, &str)] = &[
    (
        "veth",
        "Two links that are joined by a virtual cable. Whatever one sends, the other receives. The two ends usually are in \
         different namespaces.",
    ),
    (
        "bridge",
        "A software switch: it forwards Ethernet frames between its ports. A link becomes a port by its `master`.",
    ),
    ("bond", "Several links that act as one, for redundancy or more bandwidth. A link becomes a port by its `master`."),
    (
        "vxlan",
        "A virtual Ethernet network over IP: frames travel between hosts in UDP packets (RFC 7348). A number, the VNI, \
         separates the networks.",
    ),
    ("macvlan", "A link with its own hardware address on the network of another link, its parent, without a bridge."),
    (
        "macvtap",
        "A macvlan whose packets a program reads and writes through a device file, usually for a virtual machine.",
    ),
    (
        "ifb",
        "A link whose only purpose is traffic control. tc(8) redirects packets that arrive on other links to it, where \
         they can be queued and shaped.",
    ),
    ("dummy", "A link that discards all packets. It holds addresses that must not depend on any other link."),
    ("vcan", "A virtual CAN bus: every program on it receives the CAN frames of the others."),
    ("vlan", "One VLAN of another link, its parent: packets through it have the tag of the VLAN there."),
    (
        "vrf",
        "A virtual router. The links whose `master` it is use its routing table, apart from other links of the namespace.",
    ),
    (
        "ipvlan",
        "A link on the network of another link, its parent, with the same hardware address and its own IP addresses.",
    ),
    ("geneve", "A virtual Ethernet network over IP, as a vxlan, with a packet header that can be extended (RFC 8926)."),
    ("ipip", "A tunnel that carries IPv4 packets in IPv4 packets (RFC 2003)."),
    ("sit", "A tunnel that carries IPv6 packets, and also IPv4 packets, in IPv4 packets (RFC 4213)."),
    ("ip6tnl", "A tunnel that carries IPv6 or IPv4 packets in IPv6 packets (RFC 2473)."),
    ("gre", "A tunnel that carries packets of any protocol in IPv4 packets (RFC 2784)."),
    ("gretap", "A gre that carries Ethernet frames, so it can be a port of a bridge."),
    ("ip6gre", "A gre over IPv6."),
    ("ip6gretap", "A gretap over IPv6."),
    ("wireguard", "An encrypted tunnel over UDP. Its keys and peers are not set by this broker, but by wg(8)."),
    (
        "xfrm",
        "A link for IPsec: the IPsec policies with its identifier apply to the packets that are routed through it.",
    ),
    (
        "netkit",
        "Two joined links, as a veth, for containers: BPF programs run where the packets enter and leave the container.",
    ),
    (
        "tun",
        "A link whose other end is a program, such as a VPN or a virtual machine. The program reads and writes IP packets \
         (a tun) or Ethernet frames (a tap) through `/dev/net/tun`.",
    ),
    ("can", "A controller of a CAN bus, a device. The call sets its bit rate."),
];
