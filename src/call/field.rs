// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every field that a call can have, declared once. One name has one type and one meaning in all calls and is no word
//! of the policy language. Numbers stand in compiled policies: a number is never used again.
#![forbid(unsafe_code)]

use std::marker::PhantomData;
use std::net::IpAddr;

use super::inet::{InterfaceAddress, Mac};
use super::name::{Label, LinkName, NetnsName, Text};
use super::types::{Constant, Elements, Type, Values, Words};

/// A field: what it is called, what it holds, what it means.
#[derive(Debug)]
pub struct Field {
    /// Its name, everywhere; a dot leads into an object (`peer.name`).
    pub name: &'static str,
    /// Its number in compiled policies.
    pub number: u16,
    /// What it holds.
    pub ty: Type,
    /// One line, with the unit.
    pub doc: &'static str,
    /// Of a field inside a list: what an object that needs no list has in its place.
    pub alone: Option<Alone>,
}

/// What stands for a field inside a list where there is one element only, and so no list. One meaning has one spelling:
/// a list of one is settled into these, and a deny on the field outside also meets the field inside.
#[derive(Debug, Clone, Copy)]
pub enum Alone {
    /// This field.
    Field(&'static Field),
    /// No field: it can only be this.
    Always(Constant),
}

impl Field {
    /// The field outside of lists that means the same; none where there is no such field.
    #[must_use]
    pub fn outside(&self) -> Option<&'static Self> {
        match self.alone {
            Some(Alone::Field(outside)) => Some(outside),
            _ => None,
        }
    }

    /// Whether a deny on the field of this number also meets this one.
    #[must_use]
    pub fn is_met_as(&self, number: u16) -> bool {
        self.number == number || self.outside().is_some_and(|outside| outside.number == number)
    }
}

impl Eq for Field {}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

/// A [`Field`] together with the Rust type of its values.
#[derive(Debug)]
pub struct Key<T> {
    /// The field.
    pub field: Field,
    holds: PhantomData<fn() -> T>,
}

macro_rules! alone {
    () => {
        None
    };
    ($alone:expr) => {
        Some($alone)
    };
}

macro_rules! fields {
    ($($(#[doc = $doc:literal])+ $key:ident: $holds:ty = $number:literal $name:literal $ty:expr
        $(, alone $alone:expr)?;)*) => {
        $(
            $(#[doc = $doc])+
            pub static $key: Key<$holds> = Key {
                field: Field {
                    name: $name,
                    number: $number,
                    ty: $ty,
                    doc: concat!($($doc),+),
                    alone: alone!($($alone)?),
                },
                holds: PhantomData,
            };
        )*
        /// All fields, by their numbers' order of declaration.
        pub static FIELDS: &[&Field] = &[$(&$key.field),*];
    };
}

const U8: Type = Type::Number(0, 0xff);
const U16: Type = Type::Number(0, 0xffff);
const U31: Type = Type::Number(0, 0x7fff_ffff);
const U32: Type = Type::Number(0, 0xffff_ffff);

/// Kinds of links that can be made: those of the table of kinds, which the kernel knows by name.
static LINK_KINDS: Words = Words { name: "LinkKind", words: &super::link::KIND_WORDS };
/// Scopes of addresses and routes (`rtm_scope`, rtnetlink(7)).
static SCOPES: Words =
    Words { name: "Scope", words: &[("global", 0), ("site", 200), ("link", 253), ("host", 254), ("nowhere", 255)] };
/// Modes of macvlan and macvtap (`MACVLAN_MODE_…`, `linux/if_link.h`).
static MACVLAN_MODES: Words = Words {
    name: "MacvlanMode",
    words: &[("private", 1), ("vepa", 2), ("bridge", 4), ("passthru", 8), ("source", 16)],
};
/// Modes of bonds and their choices (`BOND_MODE_…`, `AD_…`, `BOND_XMIT_POLICY_…`: `linux/if_bonding.h`).
static BOND_MODES: Words = Words {
    name: "BondMode",
    words: &[
        ("balance_rr", 0),
        ("active_backup", 1),
        ("balance_xor", 2),
        ("broadcast", 3),
        ("ieee802_3ad", 4),
        ("balance_tlb", 5),
        ("balance_alb", 6),
    ],
};
static LACP_RATES: Words = Words { name: "LacpRate", words: &[("slow", 0), ("fast", 1)] };
static AD_SELECTS: Words = Words { name: "AdSelect", words: &[("stable", 0), ("bandwidth", 1), ("count", 2)] };
static XMIT_HASH_POLICIES: Words = Words {
    name: "XmitHashPolicy",
    words: &[("layer2", 0), ("layer3_4", 1), ("layer2_3", 2), ("encap2_3", 3), ("encap3_4", 4), ("vlan_srcmac", 5)],
};
static FAIL_OVER_MACS: Words = Words { name: "FailOverMac", words: &[("none", 0), ("active", 1), ("follow", 2)] };
/// Modes of tun (`IFF_TUN`, `IFF_TAP`).
static TUN_MODES: Words = Words { name: "TunMode", words: &[("tun", 1), ("tap", 2)] };
/// Types of routes that a request can make (`rtm_type`, rtnetlink(7)).
static ROUTE_TYPES: Words = Words {
    name: "RouteType",
    words: &[("unicast", 1), ("blackhole", 6), ("unreachable", 7), ("prohibit", 8), ("throw", 9)],
};
/// Actions of routing rules (`FR_ACT_…`, `linux/fib_rules.h`).
static ACTIONS: Words = Words {
    name: "Action",
    words: &[("unspec", 0), ("to_table", 1), ("blackhole", 6), ("unreachable", 7), ("prohibit", 8)],
};
/// States of neighbours (`NUD_…`, rtnetlink(7)).
pub(super) static NEIGHBOUR_STATES: Words = Words {
    name: "State",
    words: &[
        ("none", 0),
        ("incomplete", 1),
        ("reachable", 1 << 1),
        ("stale", 1 << 2),
        ("delay", 1 << 3),
        ("probe", 1 << 4),
        ("failed", 1 << 5),
        ("noarp", 1 << 6),
        ("permanent", 1 << 7),
    ],
};
/// Address families (`AF_…`, `linux/socket.h`).
static FAMILIES: Words = Words { name: "Family", words: &[("inet", 2), ("inet6", 10)] };

fields! {
    /// The network namespace in which the call acts: a name under `/run/netns`, or `@host`.
    NETNS: NetnsName = 1 "netns" Type::Netns;
    /// The link that the call is about.
    LINK: LinkName = 2 "link" Type::Link;
    /// The kind of link to make.
    KIND: &'static str = 3 "kind" Type::Word(&LINK_KINDS);
    /// No error where the same object is there already; one that differs in a given field still is an error.
    EXISTS_OK: bool = 4 "exists_ok" Type::Bool;
    /// No error where the object that the call removes is not there. A link that it is on must be there.
    MISSING_OK: bool = 5 "missing_ok" Type::Bool;
    /// The largest packet, in bytes.
    MTU: u64 = 6 "mtu" U32;
    /// The hardware address.
    MAC: Mac = 7 "mac" Type::Mac;
    /// The link that this one is made a port of.
    MASTER: LinkName = 8 "master" Type::Link;
    /// Takes the link away from its master.
    NO_MASTER: bool = 9 "no_master" Type::Bool;
    /// Whether the link is administratively up.
    UP: bool = 10 "up" Type::Bool;
    /// Free text kept with the link, at most 255 bytes; the empty text takes it away.
    ALIAS: Text = 11 "alias" Type::Text;
    /// The name of the other end of the pair.
    PEER_NAME: LinkName = 12 "peer.name" Type::Link;
    /// The namespace of the other end of the pair.
    PEER_NETNS: NetnsName = 13 "peer.netns" Type::Netns;
    /// The hardware address of the other end.
    PEER_MAC: Mac = 14 "peer.mac" Type::Mac;
    /// The largest packet of the other end, in bytes.
    PEER_MTU: u64 = 15 "peer.mtu" U32;
    /// Whether the other end is administratively up.
    PEER_UP: bool = 16 "peer.up" Type::Bool;
    /// Whether the bridge runs the spanning tree protocol.
    BRIDGE_STP: bool = 17 "bridge.stp" Type::Bool;
    /// Forward delay of the bridge, in hundredths of a second.
    BRIDGE_FORWARD_DELAY: u64 = 18 "bridge.forward_delay" U32;
    /// How long the bridge remembers an address, in hundredths of a second.
    BRIDGE_AGEING_TIME: u64 = 19 "bridge.ageing_time" U32;
    /// Whether the bridge filters by VLAN.
    BRIDGE_VLAN_FILTERING: bool = 20 "bridge.vlan_filtering" Type::Bool;
    /// VLAN of untagged frames at new ports of the bridge; 0 for none.
    BRIDGE_VLAN_DEFAULT_PVID: u64 = 21 "bridge.vlan_default_pvid" Type::Number(0, 0xffff);
    /// The name that the link gets.
    NEW_NAME: LinkName = 22 "new_name" Type::Link;
    /// The namespace that the link moves to.
    TARGET_NETNS: NetnsName = 23 "target_netns" Type::Netns;
    /// Whether the link resolves addresses by ARP or neighbour discovery.
    ARP: bool = 24 "arp" Type::Bool;
    /// Whether the link carries multicast.
    MULTICAST: bool = 25 "multicast" Type::Bool;
    /// Whether the link receives all multicast packets.
    ALLMULTICAST: bool = 26 "allmulticast" Type::Bool;
    /// Whether the link receives all packets, whomever they are for.
    PROMISC: bool = 27 "promisc" Type::Bool;
    /// Length of the transmit queue, in packets.
    TXQUEUELEN: u64 = 28 "txqueuelen" U32;
    /// The link with this index.
    INDEX: u64 = 29 "index" Type::Number(1, 0x7fff_ffff);
    /// An address: a link's own with the length of its prefix (host bits are kept), a neighbour's without.
    ADDRESS: InterfaceAddress = 30 "address" Type::InterfaceAddress;
    /// The IPv4 broadcast address.
    BROADCAST: IpAddr = 31 "broadcast" Type::Address;
    /// How far the address or route is valid. iproute2 takes `host` for an address of 127.0.0.0/8, `link` for a route
    /// without a gateway, else `global`.
    SCOPE: &'static str = 32 "scope" Type::Word(&SCOPES);
    /// A label of an IPv4 address, like `eth0:1`.
    LABEL: Label = 33 "label" Type::Label;
    /// The address of the other end of a point-to-point link, with the same prefix length as `address`: the prefix is its.
    PEER_ADDRESS: InterfaceAddress = 34 "peer_address" Type::InterfaceAddress;
    /// Do without duplicate address detection (IPv6).
    NODAD: bool = 35 "nodad" Type::Bool;
    /// Do not make a route for the address's prefix.
    NOPREFIXROUTE: bool = 36 "noprefixroute" Type::Bool;
    /// The address is a home address (Mobile IPv6, RFC 6275).
    HOME_ADDRESS: bool = 37 "home_address" Type::Bool;
    /// How long the address stays, in seconds; 4294967295 means forever.
    VALID_LIFETIME: u64 = 38 "valid_lifetime" U32;
    /// How long the address is used for new connections, in seconds; 4294967295 means forever.
    PREFERRED_LIFETIME: u64 = 39 "preferred_lifetime" U32;
    /// Metric of the route; of several to one prefix that with the lowest is used.
    METRIC: u64 = 40 "metric" U32;
    /// Internet protocol: `inet` for IPv4, `inet6` for IPv6.
    FAMILY: &'static str = 41 "family" Type::Word(&FAMILIES);
    /// The link below the new one. A macvlan or macvtap takes no macvlan, macvtap, ipvlan or ipvtap: the kernel
    /// would put it on the link below that one.
    PARENT: LinkName = 42 "parent" Type::Link;
    /// Number of the VXLAN segment (VNI, RFC 7348). Needed, unless it comes with each packet (`vxlan.collect_metadata`).
    VXLAN_ID: u64 = 43 "vxlan.id" Type::Number(0, 0xff_ffff);
    /// The multicast group that unknown destinations are sent to; the kernel wants a `parent` with it.
    VXLAN_GROUP: IpAddr = 44 "vxlan.group" Type::Address;
    /// The address that packets come from.
    VXLAN_LOCAL: IpAddr = 45 "vxlan.local" Type::Address;
    /// The one address that unknown destinations are sent to.
    VXLAN_REMOTE: IpAddr = 46 "vxlan.remote" Type::Address;
    /// The UDP port that packets are sent to and received at. 8472 is Linux's own and iproute2's default; IANA's is 4789.
    VXLAN_PORT: u64 = 47 "vxlan.port" Type::Number(1, 0xffff);
    /// The lowest UDP port that packets are sent from; together with the highest.
    VXLAN_SOURCE_PORT_MIN: u64 = 48 "vxlan.source_port_min" U16;
    /// The highest UDP port that packets are sent from; together with the lowest.
    VXLAN_SOURCE_PORT_MAX: u64 = 49 "vxlan.source_port_max" U16;
    /// Time to live of the packets, in hops; 0 is the kernel's own.
    VXLAN_TTL: u64 = 50 "vxlan.ttl" U8;
    /// Type of service of the packets; 1 takes it from what is inside.
    VXLAN_TOS: u64 = 51 "vxlan.tos" U8;
    /// Whether the link learns where a hardware address is from what it receives. As with iproute2 it does, unless
    /// `vxlan.collect_metadata`.
    VXLAN_LEARNING: bool = 52 "vxlan.learning" Type::Bool;
    /// Whether the link answers ARP in place of others.
    VXLAN_PROXY: bool = 53 "vxlan.proxy" Type::Bool;
    /// Whether the segment and the destination come with each packet, from its sender.
    VXLAN_COLLECT_METADATA: bool = 54 "vxlan.collect_metadata" Type::Bool;
    /// How the links of one parent hear each other.
    MACVLAN_MODE: &'static str = 55 "macvlan.mode" Type::Word(&MACVLAN_MODES);
    /// Whether whole Ethernet frames (`tap`) or IP packets (`tun`) pass.
    TUN_MODE: &'static str = 56 "tun.mode" Type::Word(&TUN_MODES);
    /// The uid whose programs may attach to the link.
    TUN_OWNER: u64 = 57 "tun.owner" Type::Number(0, 0xffff_fffe);
    /// Only programs of this gid may attach to the link, and only if they are also its owner's.
    TUN_GROUP: u64 = 58 "tun.group" Type::Number(0, 0xffff_fffe);
    /// Where packets go to: an address with the length of its prefix; `default` is every address of the family.
    DESTINATION: InterfaceAddress = 60 "destination" Type::Prefix;
    /// The router that packets are handed to.
    GATEWAY: IpAddr = 61 "gateway" Type::Address;
    /// The routing table: 254 is `main`, 255 `local`, 253 `default`.
    TABLE: u64 = 62 "table" U32;
    /// Who made the route (`RTPROT_…`): 2 kernel, 3 boot, 4 static, 186 bgp …
    PROTOCOL: u64 = 63 "protocol" U8;
    /// What becomes of the packets.
    ROUTE_TYPE: &'static str = 64 "route_type" Type::Word(&ROUTE_TYPES);
    /// The own address that packets are sent from.
    PREFERRED_SOURCE: IpAddr = 65 "preferred_source" Type::Address;
    /// Takes the gateway for one that the link reaches, even if no route says so.
    ONLINK: bool = 66 "onlink" Type::Bool;
    /// The next hops of a multipath route: the kernel distributes packets among them. A list of one is the same as `gateway`,
    /// `link` and `onlink`.
    NEXTHOPS: Elements = 67 "nexthops" Type::List("Nexthop");
    /// The router of this way.
    NEXTHOPS_GATEWAY: IpAddr = 68 "nexthops.gateway" Type::Address, alone Alone::Field(&GATEWAY.field);
    /// The link of this way.
    NEXTHOPS_LINK: LinkName = 69 "nexthops.link" Type::Link, alone Alone::Field(&LINK.field);
    /// Its share of the packets, beside those of the other ways.
    NEXTHOPS_WEIGHT: u64 = 70 "nexthops.weight" Type::Number(1, 256), alone Alone::Always(Constant::Number(1));
    /// Takes this gateway for one that the link reaches, even if no route says so.
    NEXTHOPS_ONLINK: bool = 71 "nexthops.onlink" Type::Bool, alone Alone::Field(&ONLINK.field);
    /// The priority of a routing rule: the rule with the lowest number is evaluated first.
    PRIORITY: u64 = 72 "priority" U32;
    /// Where packets come from: an address with the length of its prefix, host bits are kept; `default` is every address.
    SOURCE: InterfaceAddress = 73 "source" Type::Prefix;
    /// The link that packets come in by.
    IIF: LinkName = 74 "iif" Type::Link;
    /// The link that packets are sent by, where their socket is bound to one.
    OIF: LinkName = 75 "oif" Type::Link;
    /// The mark that packets carry.
    FWMARK: u64 = 76 "fwmark" U32;
    /// The bits of the mark that are compared.
    FWMASK: u64 = 77 "fwmask" Type::Number(1, 0xffff_ffff);
    /// What the rule does.
    ACTION: &'static str = 78 "action" Type::Word(&ACTIONS);
    /// The rule ignores routes whose prefix length is at most this.
    SUPPRESS_PREFIXLENGTH: u64 = 79 "suppress_prefixlength" Type::Number(0, 128);
    /// The state of the neighbour.
    STATE: &'static str = 80 "state" Type::Word(&NEIGHBOUR_STATES);
    /// Whether a proxy entry is meant: one by which the link answers in a neighbour's place.
    PROXY: bool = 81 "proxy" Type::Bool;
    /// How the bond distributes packets among its ports.
    BOND_MODE: &'static str = 82 "bond.mode" Type::Word(&BOND_MODES);
    /// How often the bond checks the carrier of its ports, in milliseconds; 0 turns this off.
    BOND_MIIMON: u64 = 83 "bond.miimon" U31;
    /// How long a port has a carrier before the bond uses it, in milliseconds. The kernel rounds it down to a multiple of
    /// `bond.miimon`; a request that gives both must give such a multiple.
    BOND_UPDELAY: u64 = 84 "bond.updelay" U31;
    /// How long a port has no carrier before the bond stops using it, in milliseconds. The kernel rounds it down to a multiple
    /// of `bond.miimon`; a request that gives both must give such a multiple.
    BOND_DOWNDELAY: u64 = 85 "bond.downdelay" U31;
    /// How many ports must work for the bond to have a carrier (mode `ieee802_3ad`).
    BOND_MIN_LINKS: u64 = 86 "bond.min_links" U31;
    /// How often the bond requests LACP packets from its partner: every 30 seconds or every second (mode `ieee802_3ad`).
    BOND_LACP_RATE: &'static str = 87 "bond.lacp_rate" Type::Word(&LACP_RATES);
    /// How the bond selects an aggregator (mode `ieee802_3ad`).
    BOND_AD_SELECT: &'static str = 88 "bond.ad_select" Type::Word(&AD_SELECTS);
    /// How the bond selects the port for a packet (modes `balance_xor`, `ieee802_3ad`, `balance_tlb`).
    BOND_XMIT_HASH_POLICY: &'static str = 89 "bond.xmit_hash_policy" Type::Word(&XMIT_HASH_POLICIES);
    /// Which hardware address the ports of an `active_backup` bond have.
    BOND_FAIL_OVER_MAC: &'static str = 90 "bond.fail_over_mac" Type::Word(&FAIL_OVER_MACS);
    /// Whether the bond delivers packets that arrive on ports that are not active.
    BOND_ALL_PORTS_ACTIVE: bool = 91 "bond.all_ports_active" Type::Bool;
    /// The port that the bond prefers. The kernel reports it only while it is a port of the bond.
    BOND_PRIMARY: LinkName = 92 "bond.primary" Type::Link;
    /// How often the bond probes `bond.arp_ip_target` by ARP, in milliseconds; 0 turns this off.
    BOND_ARP_INTERVAL: u64 = 93 "bond.arp_interval" U31;
    /// The IPv4 addresses that the bond probes by ARP, at most 16.
    BOND_ARP_IP_TARGET: Values = 94 "bond.arp_ip_target" Type::Several(&Type::Address);
}

/// Finds a field by name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_unique() {
        for (at, field) in FIELDS.iter().enumerate() {
            for other in &FIELDS[at + 1..] {
                assert_ne!(field.name, other.name);
                assert_ne!(field.number, other.number, "{} and {}", field.name, other.name);
            }
        }
    }

    /// Else a deny on the one would be passed by the other.
    #[test]
    fn a_field_inside_a_list_is_declared_as_what_it_is_outside() {
        let inside = |field: &&&Field| match field.name.rsplit_once('.') {
            Some((list, _)) => by_name(list).is_some_and(|list| matches!(list.ty, Type::List(_))),
            None => false,
        };
        let mut declared = 0;
        for field in FIELDS.iter().filter(inside) {
            let namesake = field.name.rsplit('.').next().and_then(by_name);
            assert_eq!(field.outside(), namesake, "{}", field.name);
            assert!(namesake.is_none_or(|outside| format!("{:?}", outside.ty) == format!("{:?}", field.ty)));
            declared += usize::from(field.alone.is_some());
        }
        assert!(declared >= 4, "{declared}");
        for field in FIELDS.iter().filter(|field| field.alone.is_some()) {
            assert!(inside(&field), "{} is in no list", field.name);
        }
    }

    #[test]
    fn no_field_is_a_word_of_the_policy_language() {
        for field in FIELDS {
            let first = field.name.split('.').next().unwrap();
            assert!(!crate::policy::WORDS.contains(&first), "{first}");
        }
    }
}
