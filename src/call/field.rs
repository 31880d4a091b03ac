// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every field that a call can have, declared once. A name has the same type and meaning in all calls, and is not a
//! word of the policy language. Compiled policies contain the numbers, so a number is never used again.
#![forbid(unsafe_code)]

use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::num::NonZeroU16;

use super::inet::{InterfaceAddress, Mac};
use super::name::{Label, LinkName, NetnsName, Text};
use super::range::NumberRange;
use super::types::{Elements, Type, Values, Words};

/// A field: its name, its type and its meaning.
#[derive(Debug)]
pub struct Field {
    /// Its name, everywhere; a dot leads into an object (`peer.name`).
    pub name: &'static str,
    /// Its number in compiled policies.
    pub number: u16,
    /// What it holds.
    pub ty: Type,
    /// What it is, with the unit.
    pub doc: &'static str,
    /// What also applies where a request gives it; empty if nothing does.
    pub in_requests: &'static str,
    /// For a field inside a list: what takes its place in a request without the list. For a range: the field of one
    /// number of it.
    pub alone: Option<Alone>,
}

/// What takes the place of a field inside a list if there is only one element. One meaning has one spelling: a list of
/// one is replaced by these fields, and a deny on the field outside the list also meets the field inside. In the same
/// way, a deny on the number of one object meets the range of numbers of several.
#[derive(Debug, Clone, Copy)]
pub enum Alone {
    /// This field.
    Field(FieldId),
    /// No field: a single element can have this value only.
    Always(Constant),
    /// The field is a range of the values of this field, which other calls have.
    RangeOf(FieldId),
    /// No field: a list of one element is something else, or there is no list. But a deny on this field also meets it.
    MetAs(FieldId),
}

/// The constant of a [`super::Absence::Default`].
#[derive(Debug, Clone, Copy)]
pub enum Constant {
    /// For a field of type [`Type::Bool`].
    Bool(bool),
    /// For a field of type [`Type::Number`].
    Number(u64),
    /// For a field of type [`Type::Word`]: the field, and the position of one of its keywords.
    Word(FieldId, u8),
    /// For a field of type [`Type::Number`]: the caller's uid.
    Uid,
}

impl Field {
    /// The field outside of lists that has the same meaning, if there is one.
    #[must_use]
    pub fn outside(&self) -> Option<&'static Self> {
        match self.alone {
            Some(Alone::Field(outside)) => Some(outside.get()),
            _ => None,
        }
    }

    /// The other field as which denies also meet this one, if there is one.
    #[must_use]
    pub fn also_met_as(&self) -> Option<&'static Self> {
        match self.alone {
            Some(Alone::Field(other) | Alone::RangeOf(other) | Alone::MetAs(other)) => Some(other.get()),
            _ => None,
        }
    }

    /// Whether a deny on the field of this number also meets this one.
    #[must_use]
    pub fn is_met_as(&self, number: u16) -> bool {
        self.number == number || self.also_met_as().is_some_and(|other| other.number == number)
    }
}

/// A [`Field`] as tables name it: by its number. A table of addresses is corrected when a program starts, which copies every
/// page of it; a table of numbers is used as it lies in the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FieldId(NonZeroU16);

impl FieldId {
    /// The name of a field in a table.
    ///
    /// # Panics
    /// For the number 0, which no field has: when the table is compiled.
    #[must_use]
    #[allow(clippy::panic, reason = "const")]
    pub const fn of(field: &Field) -> Self {
        match NonZeroU16::new(field.number) {
            Some(number) => Self(number),
            None => panic!("0 is not the number of a field"),
        }
    }

    /// The field.
    ///
    /// # Panics
    /// Never: only [`Self::of`] makes one.
    #[must_use]
    #[allow(clippy::unreachable, reason = "a test looks up every field")]
    pub fn get(self) -> &'static Field {
        let declared = BY_NUMBER.get(usize::from(self.0.get())).copied().flatten();
        #[cfg(test)]
        let declared = declared.or_else(|| invented::by_number(self.0.get()));
        declared.unwrap_or_else(|| unreachable!("it was made of a field"))
    }
}

impl fmt::Debug for FieldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get().name)
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
        $(, alone $alone:expr)? $(, in_requests $in_requests:literal)?;)*) => {
        $(
            $(#[doc = $doc])+
            pub static $key: Key<$holds> = Key {
                field: Field {
                    name: $name,
                    number: $number,
                    ty: $ty,
                    doc: concat!($($doc),+),
                    in_requests: concat!($($in_requests)?),
                    alone: alone!($($alone)?),
                },
                holds: PhantomData,
            };
        )*
        /// All fields, in the order of their declaration.
        pub static FIELDS: &[&Field] = &[$(&$key.field),*];
    };
}

const U8: Type = Type::Number(0, 0xff);
const U16: Type = Type::Number(0, 0xffff);
const U31: Type = Type::Number(0, 0x7fff_ffff);
const U32: Type = Type::Number(0, 0xffff_ffff);

/// The kinds of links that can be added or changed: those of the table of kinds. The kernel takes them by name.
static LINK_KINDS: Words = Words { name: "LinkKind", words: &super::link::KIND_WORDS };
/// Scopes of addresses and routes (`rtm_scope`, rtnetlink(7)).
static SCOPES: Words =
    Words { name: "Scope", words: &[("global", 0), ("site", 200), ("link", 253), ("host", 254), ("nowhere", 255)] };
/// Modes of macvlan and macvtap (`MACVLAN_MODE_…`, `linux/if_link.h`).
static MACVLAN_MODES: Words = Words {
    name: "MacvlanMode",
    words: &[("private", 1), ("vepa", 2), ("bridge", 4), ("passthru", 8), ("source", 16)],
};
/// Modes and options of bonds (`BOND_MODE_…`, `AD_…`, `BOND_XMIT_POLICY_…`: `linux/if_bonding.h`).
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
/// Tag protocols (`ETH_P_8021Q`, `ETH_P_8021AD`: `linux/if_ether.h`).
static VLAN_PROTOCOLS: Words =
    Words { name: "VlanProtocol", words: &[("ieee802_1q", 0x8100), ("ieee802_1ad", 0x88a8)] };
/// Modes and flags of ipvlan (`IPVLAN_MODE_…`, `IPVLAN_F_…`: `linux/if_link.h`).
static IPVLAN_MODES: Words = Words { name: "IpvlanMode", words: &[("l2", 0), ("l3", 1), ("l3s", 2)] };
static IPVLAN_TRAFFIC_MODES: Words =
    Words { name: "IpvlanTraffic", words: &[("bridge", 0), ("private", 1), ("vepa", 2)] };
/// When a geneve or vxlan sets "don't fragment" (`GENEVE_DF_…`, `VXLAN_DF_…`: `linux/if_link.h`).
static DONT_FRAGMENT: Words = Words { name: "DontFragment", words: &[("unset", 0), ("set", 1), ("inherit", 2)] };
/// Protocols inside a tunnel (`IPPROTO_IPIP`, `IPPROTO_IPV6`; 0 for all that the kind can carry: `linux/in.h`).
static INNER_PROTOCOLS: Words = Words { name: "InnerProtocol", words: &[("any", 0), ("ipv4", 4), ("ipv6", 41)] };
/// The link state of a virtual function (`IFLA_VF_LINK_STATE_…`: `linux/if_link.h`).
pub(super) static VF_LINK_STATES: Words =
    Words { name: "VfLinkState", words: &[("auto", 0), ("enable", 1), ("disable", 2)] };
/// Modes of netkit (`NETKIT_L2`, `NETKIT_L3`: `linux/if_link.h`).
static NETKIT_MODES: Words = Words { name: "NetkitMode", words: &[("l2", 0), ("l3", 1)] };
/// How IPv6 makes the addresses of a link (`IN6_ADDR_GEN_MODE_…`, `linux/if_link.h`).
static ADDR_GEN_MODES: Words =
    Words { name: "AddrGenMode", words: &[("eui64", 0), ("none", 1), ("stable_privacy", 2), ("random", 3)] };
/// What a bridge takes for the presence of a multicast router (`MDB_RTR_TYPE_…`: `linux/if_bridge.h`).
static MULTICAST_ROUTERS: Words =
    Words { name: "MulticastRouter", words: &[("disabled", 0), ("automatic", 1), ("permanent", 2)] };
static FAIL_OVER_MACS: Words = Words { name: "FailOverMac", words: &[("none", 0), ("active", 1), ("follow", 2)] };
/// Modes of tun (`IFF_TUN`, `IFF_TAP`).
static TUN_MODES: Words = Words { name: "TunMode", words: &[("tun", 1), ("tap", 2)] };
/// Types of routes that a request can give (`rtm_type`, rtnetlink(7)).
static ROUTE_TYPES: Words = Words {
    name: "RouteType",
    words: &[
        ("unicast", 1),
        ("local", 2),
        ("broadcast", 3),
        ("blackhole", 6),
        ("unreachable", 7),
        ("prohibit", 8),
        ("throw", 9),
    ],
};
/// How routes encapsulate packets (`LWTUNNEL_ENCAP_…`, `linux/lwtunnel.h`).
static ENCAP_KINDS: Words = Words { name: "EncapKind", words: &[("mpls", 1), ("ip", 2), ("ip6", 4)] };
/// Router preferences (`ICMPV6_ROUTER_PREF_…`, `linux/icmpv6.h`).
static PREFERENCES: Words = Words { name: "Preference", words: &[("medium", 0), ("high", 1), ("low", 3)] };
/// Actions of routing rules (`FR_ACT_…`, `linux/fib_rules.h`).
static ACTIONS: Words = Words {
    name: "Action",
    words: &[("unspec", 0), ("to_table", 1), ("goto", 2), ("blackhole", 6), ("unreachable", 7), ("prohibit", 8)],
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
/// Which forwarding database or VLANs a message is about (`NTF_SELF`, `NTF_MASTER`: `linux/neighbour.h`).
pub(super) static TARGET_WORDS: Words = Words { name: "Target", words: &[("self", 2), ("master", 4)] };
/// States of the entries of forwarding databases, as iproute2 sends them (`NUD_…`: bridge(8)).
pub(super) static FDB_STATES: Words =
    Words { name: "FdbState", words: &[("permanent", 0xc0), ("static", 0x42), ("dynamic", 0x02)] };
/// Address families (`AF_…`, `linux/socket.h`).
static FAMILIES: Words = Words { name: "Family", words: &[("inet", 2), ("inet6", 10)] };

fields! {
    /// The network namespace in which the call acts: a name under `/run/netns`, or `@host`.
    NETNS: NetnsName = 1 "netns" Type::Netns;
    /// The name of the link.
    LINK: LinkName = 2 "link" Type::Link;
    /// The kind of the link. A tap has the kind `tun`. `can` is a device, which no call makes.
    KIND: &'static str = 3 "kind" Type::Word(&LINK_KINDS),
        in_requests "If the kernel lacks the kind, the error is `NotSupported`.";
    /// The call succeeds without a change if the object already exists as requested. Fields that the request gives, and
    /// defaults, are compared. `up` = false is not compared. An existing object that differs is still an error, which names the field.
    EXISTS_OK: bool = 4 "exists_ok" Type::Bool;
    /// The call succeeds if the object that it deletes does not exist. If the object is on a link, this link must exist;
    /// otherwise the error is `NoSuchLink`.
    MISSING_OK: bool = 5 "missing_ok" Type::Bool;
    /// The maximum transmission unit (MTU), in bytes.
    MTU: u64 = 6 "mtu" U32;
    /// The hardware (MAC) address.
    MAC: Mac = 7 "mac" Type::Mac;
    /// The master of the link: the bridge, bond or VRF that the link is a port of.
    MASTER: LinkName = 8 "master" Type::Link;
    /// Removes the link from its master. It must be true or absent.
    NO_MASTER: bool = 9 "no_master" Type::Bool;
    /// Whether the link is administratively up.
    UP: bool = 10 "up" Type::Bool;
    /// Free text that the kernel stores with the link (`ifalias`), at most 255 bytes.
    ALIAS: Text = 11 "alias" Type::Text,
        in_requests "An empty text removes it.";
    /// The name of the other end of the pair.
    PEER_NAME: LinkName = 12 "peer.name" Type::Link;
    /// The network namespace of the other end of the pair.
    PEER_NETNS: NetnsName = 13 "peer.netns" Type::Netns;
    /// The hardware (MAC) address of the other end.
    PEER_MAC: Mac = 14 "peer.mac" Type::Mac;
    /// The MTU of the other end, in bytes.
    PEER_MTU: u64 = 15 "peer.mtu" U32;
    /// Whether the other end is administratively up.
    PEER_UP: bool = 16 "peer.up" Type::Bool;
    /// Whether the bridge runs the spanning tree protocol (STP).
    BRIDGE_STP: bool = 17 "bridge.stp" Type::Bool;
    /// How long a port of the bridge remains in each of the states listening and learning, in hundredths of a second.
    BRIDGE_FORWARD_DELAY: u64 = 18 "bridge.forward_delay" U32,
        in_requests "While STP runs, the kernel allows 200 to 3000 only.";
    /// How long the bridge remembers a hardware address after the last frame from it, in hundredths of a second.
    BRIDGE_AGEING_TIME: u64 = 19 "bridge.ageing_time" U32;
    /// Whether the bridge filters frames by VLAN.
    BRIDGE_VLAN_FILTERING: bool = 20 "bridge.vlan_filtering" Type::Bool;
    /// The VLAN of untagged frames on new ports of the bridge (default PVID); 0 for none.
    BRIDGE_VLAN_DEFAULT_PVID: u64 = 21 "bridge.vlan_default_pvid" Type::Number(0, 4094), alone Alone::MetAs(FieldId::of(&VLAN.field)),
        in_requests "Ports that have the old default get the new one instead. A deny on `vlan` also meets the new one. It \
            meets every `Link.Set` with this field, because the old one is removed.";
    /// The new name of the link.
    NEW_NAME: LinkName = 22 "new_name" Type::Link;
    /// The network namespace that the link moves to, or is made in.
    TARGET_NETNS: NetnsName = 23 "target_netns" Type::Netns;
    /// Whether the link resolves addresses by ARP or neighbour discovery.
    ARP: bool = 24 "arp" Type::Bool;
    /// Whether the link supports multicast.
    MULTICAST: bool = 25 "multicast" Type::Bool;
    /// Whether the link receives all multicast packets.
    ALLMULTICAST: bool = 26 "allmulticast" Type::Bool;
    /// Whether the link is in promiscuous mode: it receives all packets, whatever their destination.
    PROMISC: bool = 27 "promisc" Type::Bool;
    /// The length of the transmit queue, in packets.
    TXQUEUELEN: u64 = 28 "txqueuelen" U32;
    /// The interface index of the link.
    INDEX: u64 = 29 "index" Type::Number(1, 0x7fff_ffff);
    /// An IP address. The address of a link has a prefix length, and host bits are kept. The address of a neighbour has
    /// none.
    ADDRESS: InterfaceAddress = 30 "address" Type::InterfaceAddress;
    /// The IPv4 broadcast address.
    BROADCAST: IpAddr = 31 "broadcast" Type::Address;
    /// The scope in which the address or route is valid.
    SCOPE: &'static str = 32 "scope" Type::Word(&SCOPES),
        in_requests "A call that adds an object uses, as iproute2 does, `host` for an address in 127.0.0.0/8 and for an \
            IPv4 route of the type `local`, `link` for an IPv4 broadcast route and for an IPv4 unicast route without a \
            gateway, and `global` otherwise. The kernel derives the scope of an IPv6 address from the address.";
    /// The label of an IPv4 address, such as `eth0:1`.
    LABEL: Label = 33 "label" Type::Label;
    /// The address of the other end of a point-to-point link. The prefix is that of the other end.
    PEER_ADDRESS: InterfaceAddress = 34 "peer_address" Type::InterfaceAddress,
        in_requests "It must have the same prefix length as `address`.";
    /// Whether the kernel skips duplicate address detection (IPv6 only).
    NODAD: bool = 35 "nodad" Type::Bool;
    /// Whether the kernel adds no route for the prefix of the address.
    NOPREFIXROUTE: bool = 36 "noprefixroute" Type::Bool;
    /// Whether the address is a home address (Mobile IPv6, RFC 6275).
    HOME_ADDRESS: bool = 37 "home_address" Type::Bool;
    /// How long the address is valid, in seconds. The kernel then removes it. 4294967295 means forever.
    VALID_LIFETIME: u64 = 38 "valid_lifetime" U32;
    /// How long the address is preferred for new connections, in seconds. It is then deprecated. 4294967295 means
    /// forever.
    PREFERRED_LIFETIME: u64 = 39 "preferred_lifetime" U32;
    /// The metric of the route, or of the route for the prefix of an address. Of several routes to the same prefix, the
    /// kernel uses the one with the lowest metric.
    METRIC: u64 = 40 "metric" U32;
    /// The address family: `inet` for IPv4, `inet6` for IPv6.
    FAMILY: &'static str = 41 "family" Type::Word(&FAMILIES);
    /// The parent of the link: the link below it. A tunnel sends its packets through it.
    PARENT: LinkName = 42 "parent" Type::Link,
        in_requests "A macvlan or macvtap cannot be added on a macvlan, macvtap, ipvlan or ipvtap, and an ipvlan \
            cannot be added on an ipvlan or ipvtap, because the kernel would add it on the parent of that \
            link.";
    /// The VXLAN network identifier (VNI, RFC 7348).
    VXLAN_ID: u64 = 43 "vxlan.id" Type::Number(0, 0xff_ffff),
        in_requests "`Link.Add` requires it, unless `vxlan.collect_metadata` is true. With that, it refuses it.";
    /// The multicast group to which packets for unknown hardware addresses are sent.
    VXLAN_GROUP: IpAddr = 44 "vxlan.group" Type::Address,
        in_requests "The kernel requires `parent` with it.";
    /// The source IP address of the packets that the link sends.
    VXLAN_LOCAL: IpAddr = 45 "vxlan.local" Type::Address;
    /// The IP address of the one host to which packets for unknown hardware addresses are sent.
    VXLAN_REMOTE: IpAddr = 46 "vxlan.remote" Type::Address;
    /// The UDP port to which the link sends packets, and on which it receives them. 8472 is the default of Linux and
    /// iproute2. IANA has assigned 4789.
    VXLAN_PORT: u64 = 47 "vxlan.port" Type::Number(1, 0xffff);
    /// The lowest UDP source port of packets.
    VXLAN_SOURCE_PORT_MIN: u64 = 48 "vxlan.source_port_min" U16,
        in_requests "It must be given together with the highest.";
    /// The highest UDP source port of packets.
    VXLAN_SOURCE_PORT_MAX: u64 = 49 "vxlan.source_port_max" U16,
        in_requests "It must be given together with the lowest.";
    /// The time to live (TTL) of packets, in hops. With 0, the kernel chooses it.
    VXLAN_TTL: u64 = 50 "vxlan.ttl" U8;
    /// The type of service (TOS) of packets. With 1, it is copied from the inner packet.
    VXLAN_TOS: u64 = 51 "vxlan.tos" U8;
    /// Whether the link learns the locations of hardware addresses from the packets that it receives. As in iproute2,
    /// it learns by default, unless `vxlan.collect_metadata` is true.
    VXLAN_LEARNING: bool = 52 "vxlan.learning" Type::Bool;
    /// Whether the link answers ARP requests and IPv6 neighbour solicitations for remote hosts.
    VXLAN_PROXY: bool = 53 "vxlan.proxy" Type::Bool;
    /// Whether the VNI and the destination come with each packet, as metadata that its sender attached (`external` in
    /// ip-link(8)).
    VXLAN_COLLECT_METADATA: bool = 54 "vxlan.collect_metadata" Type::Bool;
    /// How the links on one parent exchange traffic: not at all (`private`), through an external switch (`vepa`), or
    /// directly (`bridge`). With `passthru`, the parent has one such link, which gets everything. With `source`, the link
    /// receives only from listed hardware addresses, which no call sets.
    MACVLAN_MODE: &'static str = 55 "macvlan.mode" Type::Word(&MACVLAN_MODES);
    /// Whether the link carries Ethernet frames (`tap`) or IP packets (`tun`).
    TUN_MODE: &'static str = 56 "tun.mode" Type::Word(&TUN_MODES);
    /// The uid of the owner, whose programs can attach to the link. Programs with the capability `CAP_NET_ADMIN` always
    /// can.
    TUN_OWNER: u64 = 57 "tun.owner" Type::Number(0, 0xffff_fffe);
    /// A gid that programs of the owner must also have to attach to the link.
    TUN_GROUP: u64 = 58 "tun.group" Type::Number(0, 0xffff_fffe);
    /// The destination prefix of packets. `default` stands for all addresses of the family.
    DESTINATION: InterfaceAddress = 60 "destination" Type::Prefix,
        in_requests "The prefix of a route must have no host bits. A routing rule keeps them.";
    /// The address of the router that packets are sent to. An IPv4 route can have an IPv6 gateway.
    GATEWAY: IpAddr = 61 "gateway" Type::Gateway,
        in_requests "That of an IPv6 route can be IPv4-mapped, such as `::ffff:192.0.2.1`. A deny on `gateway` is then met, \
            whatever it says, because the address stands for a router that also has an IPv4 address.";
    /// The number of the routing table: 254 is `main`, 255 `local`, 253 `default`.
    TABLE: u64 = 62 "table" U32;
    /// The origin of the object. Of a route, neighbour or routing rule it is an `RTPROT_…`: 0 unspecified, 2 kernel, 3 boot,
    /// 4 static, 186 bgp … Of an address it is an `IFAPROT_…`: 1 loopback, 2 router advertisement, 3 link-local.
    PROTOCOL: u64 = 63 "protocol" U8,
        in_requests "A kernel before Linux 5.18 ignores `protocol` of an address, and the call ends in `NotApplied`.";
    /// The type of the route. `unicast` forwards packets. `local` delivers them to this host. `broadcast` sends them as
    /// broadcasts (IPv4 only). `blackhole` drops them silently. `unreachable` and `prohibit` drop them and report an error
    /// to the sender. `throw` ends the look-up in this table.
    ROUTE_TYPE: &'static str = 64 "route_type" Type::Word(&ROUTE_TYPES);
    /// The source address that the kernel prefers for packets that it sends by this route.
    PREFERRED_SOURCE: IpAddr = 65 "preferred_source" Type::Address;
    /// Whether the kernel treats the gateway as directly reachable through the link, even if no route leads to it.
    ONLINK: bool = 66 "onlink" Type::Bool;
    /// The next hops of a multipath route: the kernel distributes packets among them.
    NEXTHOPS: Elements = 67 "nexthops" Type::List("Nexthop"),
        in_requests "A request can give at most 24. A list of one is the same as `gateway`, `link` and `onlink`.";
    /// The address of the router of this next hop.
    NEXTHOPS_GATEWAY: IpAddr = 68 "nexthops.gateway" Type::Gateway, alone Alone::Field(FieldId::of(&GATEWAY.field));
    /// The link of this next hop.
    NEXTHOPS_LINK: LinkName = 69 "nexthops.link" Type::Link, alone Alone::Field(FieldId::of(&LINK.field));
    /// The share of packets that this next hop gets, relative to the weights of the others.
    NEXTHOPS_WEIGHT: u64 = 70 "nexthops.weight" Type::Number(1, 256), alone Alone::Always(Constant::Number(1));
    /// Whether the kernel treats this gateway as directly reachable through the link, even if no route leads to it.
    NEXTHOPS_ONLINK: bool = 71 "nexthops.onlink" Type::Bool, alone Alone::Field(FieldId::of(&ONLINK.field));
    /// The priority of the routing rule. The kernel evaluates the rule with the lowest number first.
    PRIORITY: u64 = 72 "priority" U32;
    /// The source prefix of packets. `default` stands for all addresses of the family.
    SOURCE: InterfaceAddress = 73 "source" Type::Prefix,
        in_requests "The prefix of a route must have no host bits. A routing rule keeps them.";
    /// The name of the link on which packets arrive. `lo` matches packets that this host sends.
    IIF: LinkName = 74 "iif" Type::Link;
    /// The name of the link through which packets are sent. It matches only packets of local sockets that are bound to
    /// this link.
    OIF: LinkName = 75 "oif" Type::Link;
    /// The firewall mark of packets.
    FWMARK: u64 = 76 "fwmark" U32;
    /// The bits of the firewall mark that are compared.
    FWMASK: u64 = 77 "fwmask" Type::Number(1, 0xffff_ffff);
    /// What the kernel does with matching packets. `to_table` looks up a route in `table`. `goto` continues with the
    /// routing rule of the priority `goto`. `blackhole` drops packets silently. `unreachable` and `prohibit` drop them and
    /// report an error to the sender.
    ACTION: &'static str = 78 "action" Type::Word(&ACTIONS);
    /// The routing rule ignores routes whose prefix length is at most this number.
    SUPPRESS_PREFIXLENGTH: u64 = 79 "suppress_prefixlength" Type::Number(0, 128);
    /// The state of the neighbour (`NUD_…`, ip-neighbour(8)).
    STATE: &'static str = 80 "state" Type::Word(&NEIGHBOUR_STATES);
    /// Whether the object is a proxy entry: the link answers requests for the address in place of the neighbour.
    PROXY: bool = 81 "proxy" Type::Bool;
    /// How the bond distributes packets among its ports: in turn (`balance_rr`), through one port at a time
    /// (`active_backup`), by a hash of their headers (`balance_xor`), through all ports at once (`broadcast`), by such
    /// a hash among the ports that it has negotiated with a switch by LACP (`ieee802_3ad`), or by the load of the ports
    /// (`balance_tlb`), also for the packets that it receives (`balance_alb`).
    BOND_MODE: &'static str = 82 "bond.mode" Type::Word(&BOND_MODES);
    /// How often the bond checks the carrier of its ports, in milliseconds. 0 turns the check off.
    BOND_MIIMON: u64 = 83 "bond.miimon" U31;
    /// How long a port must have a carrier before the bond uses it, in milliseconds.
    BOND_UPDELAY: u64 = 84 "bond.updelay" U31,
        in_requests "The kernel rounds it down to a multiple of `bond.miimon`. A request that gives both must give \
            such a multiple.";
    /// How long a port must have no carrier before the bond stops using it, in milliseconds.
    BOND_DOWNDELAY: u64 = 85 "bond.downdelay" U31,
        in_requests "The kernel rounds it down to a multiple of `bond.miimon`. A request that gives both must give \
            such a multiple.";
    /// How many ports must be active for the bond to have a carrier (mode `ieee802_3ad`).
    BOND_MIN_LINKS: u64 = 86 "bond.min_links" U31;
    /// How often the bond asks its partner for LACP packets: every 30 seconds (`slow`) or every second (`fast`) (mode
    /// `ieee802_3ad`).
    BOND_LACP_RATE: &'static str = 87 "bond.lacp_rate" Type::Word(&LACP_RATES);
    /// How the bond selects the group of ports (aggregator) that it uses, in the mode `ieee802_3ad`. It takes the group
    /// with the largest bandwidth, and selects again only when no port of the group is left (`stable`) or whenever a
    /// port changes (`bandwidth`). Or it takes the group with the largest number of ports (`count`).
    BOND_AD_SELECT: &'static str = 88 "bond.ad_select" Type::Word(&AD_SELECTS);
    /// From what the bond computes the port for a packet, in the modes `balance_xor`, `ieee802_3ad` and `balance_tlb`:
    /// hardware addresses (`layer2`), also IP addresses (`layer2_3`), IP addresses and port numbers (`layer3_4`), the
    /// same of the packet inside a tunnel (`encap2_3`, `encap3_4`), or the VLAN and the source hardware address
    /// (`vlan_srcmac`).
    BOND_XMIT_HASH_POLICY: &'static str = 89 "bond.xmit_hash_policy" Type::Word(&XMIT_HASH_POLICIES);
    /// Which hardware addresses an `active_backup` bond uses. With `none`, all ports have the address of the bond. With
    /// `active`, the bond has the address of the active port. With `follow`, only the active port has the address of
    /// the bond.
    BOND_FAIL_OVER_MAC: &'static str = 90 "bond.fail_over_mac" Type::Word(&FAIL_OVER_MACS);
    /// Whether the bond delivers packets that arrive on inactive ports.
    BOND_ALL_PORTS_ACTIVE: bool = 91 "bond.all_ports_active" Type::Bool;
    /// The port that the bond prefers as the active one. The kernel reports it only while it is a port of the bond.
    BOND_PRIMARY: LinkName = 92 "bond.primary" Type::Link;
    /// How often the bond probes `bond.arp_ip_target` by ARP, in milliseconds. 0 turns the probes off.
    BOND_ARP_INTERVAL: u64 = 93 "bond.arp_interval" U31;
    /// The IPv4 addresses that the bond probes by ARP, at most 16.
    BOND_ARP_IP_TARGET: Values = 94 "bond.arp_ip_target" Type::Several(&Type::Address);
    /// The VLAN identifier (VID).
    VLAN_ID: u64 = 95 "vlan.id" Type::Number(0, 4094);
    /// The tag protocol of the VLAN: `ieee802_1q` (0x8100) or `ieee802_1ad` (0x88a8, service tags).
    VLAN_PROTOCOL: &'static str = 96 "vlan.protocol" Type::Word(&VLAN_PROTOCOLS);
    /// The number of the routing table of the VRF.
    VRF_TABLE: u64 = 97 "vrf.table" Type::Number(1, 0xffff_ffff);
    /// The layer on which the link exchanges packets with its parent: the data link layer (`l2`), or the network layer
    /// without (`l3`) or with (`l3s`) the packet filter hooks of the parent's namespace. It applies to all ipvlan links on
    /// the parent: also to existing ones.
    IPVLAN_MODE: &'static str = 98 "ipvlan.mode" Type::Word(&IPVLAN_MODES);
    /// How the ipvlan links on one parent exchange traffic: directly (`bridge`), not at all (`private`), or through an
    /// external switch (`vepa`). It applies to all ipvlan links on the parent: a new link also changes the existing
    /// ones.
    IPVLAN_TRAFFIC: &'static str = 99 "ipvlan.traffic" Type::Word(&IPVLAN_TRAFFIC_MODES),
        in_requests "Without it, they keep theirs, and the first link has `bridge`.";
    /// The identifier that the policies and states of the link have (`XFRMA_IF_ID`).
    XFRM_IF_ID: u64 = 100 "xfrm.if_id" Type::Number(1, 0xffff_ffff);
    /// The Geneve network identifier (VNI, RFC 8926).
    GENEVE_ID: u64 = 101 "geneve.id" Type::Number(0, 0xff_ffff),
        in_requests "`Link.Add` requires it, unless `geneve.collect_metadata` is true. With that, it refuses it.";
    /// The IP address of the other end.
    GENEVE_REMOTE: IpAddr = 102 "geneve.remote" Type::Address,
        in_requests "`Link.Add` requires it, unless `geneve.collect_metadata` is true. With that, it refuses it.";
    /// The UDP port to which the link sends packets, and on which it receives them.
    GENEVE_PORT: u64 = 103 "geneve.port" Type::Number(1, 0xffff);
    /// The time to live (TTL) of packets, in hops. With 0, the kernel chooses it.
    GENEVE_TTL: u64 = 104 "geneve.ttl" U8;
    /// The type of service (TOS) of packets. With 1, it is copied from the inner packet.
    GENEVE_TOS: u64 = 105 "geneve.tos" U8;
    /// Whether packets have the flag "don't fragment": never (`unset`), always (`set`), or as the inner packet has it
    /// (`inherit`).
    GENEVE_DF: &'static str = 106 "geneve.df" Type::Word(&DONT_FRAGMENT);
    /// Whether the VNI and the destination come with each packet, as metadata that its sender attached (`external` in
    /// ip-link(8)).
    GENEVE_COLLECT_METADATA: bool = 107 "geneve.collect_metadata" Type::Bool;
    /// The source IP address of the packets that the tunnel sends, and the destination of those that it receives.
    TUNNEL_LOCAL: IpAddr = 108 "tunnel.local" Type::Address;
    /// The IP address of the other end of the tunnel.
    TUNNEL_REMOTE: IpAddr = 109 "tunnel.remote" Type::Address;
    /// The time to live (TTL) or hop limit of packets, in hops. With 0, it is copied from the inner packet.
    TUNNEL_TTL: u64 = 110 "tunnel.ttl" U8,
        in_requests "As in iproute2, it is 0 by default over IPv4, and 64 over IPv6. It must be 0 if \
            `tunnel.pmtudisc` is false.";
    /// The type of service (TOS) of packets. With 1, it is copied from the inner packet.
    TUNNEL_TOS: u64 = 111 "tunnel.tos" U8;
    /// Whether packets have the flag "don't fragment", which path MTU discovery needs. The kernel's default is true.
    TUNNEL_PMTUDISC: bool = 112 "tunnel.pmtudisc" Type::Bool;
    /// How many times packets may be encapsulated further on their way (RFC 2473). Packets always carry this limit. A
    /// request cannot switch it off (`encaplimit none` in ip-link(8)).
    TUNNEL_ENCAP_LIMIT: u64 = 113 "tunnel.encap_limit" U8;
    /// The key of the packets of the tunnel (RFC 2890), in both directions.
    GRE_KEY: u64 = 114 "gre.key" Type::Number(1, 0xffff_ffff);
    /// Whether packets have a checksum, in both directions.
    GRE_CSUM: bool = 115 "gre.csum" Type::Bool;
    /// Whether packets have a sequence number, in both directions.
    GRE_SEQ: bool = 116 "gre.seq" Type::Bool;
    /// Whether the pair carries Ethernet frames (`l2`) or IP packets (`l3`).
    NETKIT_MODE: &'static str = 117 "netkit.mode" Type::Word(&NETKIT_MODES);
    /// The protocol of the packets that the tunnel carries: IPv4, IPv6, or all that the kind can carry (`any`).
    TUNNEL_PROTOCOL: &'static str = 118 "tunnel.protocol" Type::Word(&INNER_PROTOCOLS),
        in_requests "An ipip cannot carry `ipv6`.";
    /// The number of the group of the link, by which `ip link` selects several links. 0 is the default group.
    GROUP: u64 = 119 "group" U32;
    /// The number of transmit queues.
    TX_QUEUES: u64 = 120 "tx_queues" Type::Number(1, 4096);
    /// The number of receive queues.
    RX_QUEUES: u64 = 121 "rx_queues" Type::Number(1, 4096);
    /// How IPv6 makes the addresses of the link: from its hardware address (`eui64`), from a secret (`stable_privacy`,
    /// `random`: RFC 7217), or not at all (`none`).
    ADDRGENMODE: &'static str = 122 "addrgenmode" Type::Word(&ADDR_GEN_MODES),
        in_requests "The kernel refuses `stable_privacy` in a namespace without a secret (`stable_secret`, \
            ip-sysctl). The link needs an MTU of at least 1280. Addresses that it has already remain.";
    /// How long the link remembers the location of a hardware address after the last packet from it, in seconds. The
    /// kernel's default is 300, and it has no value for "forever".
    VXLAN_AGEING: u64 = 123 "vxlan.ageing" Type::Number(1, 4_294_967),
        in_requests "A longer time than 4294967 would overflow in some kernels.";
    /// Whether the time to live (TTL) of packets is copied from the inner packet.
    VXLAN_TTL_INHERIT: bool = 124 "vxlan.ttl_inherit" Type::Bool;
    /// Whether packets over IPv4 have the flag "don't fragment": never (`unset`), always (`set`), or as the inner packet
    /// has it (`inherit`).
    VXLAN_DF: &'static str = 125 "vxlan.df" Type::Word(&DONT_FRAGMENT);
    /// Whether packets carry a group policy identifier (GBP), which is the mark of the inner packet.
    VXLAN_GBP: bool = 126 "vxlan.gbp" Type::Bool;
    /// Whether packets that the link sends over IPv4 have a UDP checksum. The kernel's default is true.
    VXLAN_UDP_CSUM: bool = 127 "vxlan.udp_csum" Type::Bool;
    /// Whether packets that the link sends over IPv6 have no UDP checksum. The kernel's default is false.
    VXLAN_UDP_ZERO_CSUM6_TX: bool = 128 "vxlan.udp_zero_csum6_tx" Type::Bool;
    /// Whether the link receives packets over IPv6 that have no UDP checksum. The kernel's default is false.
    VXLAN_UDP_ZERO_CSUM6_RX: bool = 129 "vxlan.udp_zero_csum6_rx" Type::Bool;
    /// Whether the link receives only the VNIs that are in its list (`bridge vni`, bridge(8)).
    VXLAN_VNIFILTER: bool = 130 "vxlan.vnifilter" Type::Bool,
        in_requests "It needs `vxlan.collect_metadata` and Linux 5.18.";
    /// How often the bridge sends an STP packet while it is the root bridge, in hundredths of a second.
    BRIDGE_HELLO_TIME: u64 = 131 "bridge.hello_time" Type::Number(100, 1000);
    /// How long the bridge waits for STP packets of the root bridge before it takes it for lost, in hundredths of a
    /// second.
    BRIDGE_MAX_AGE: u64 = 132 "bridge.max_age" Type::Number(600, 4000);
    /// The STP priority of the bridge. The bridge with the lowest number becomes the root bridge.
    BRIDGE_PRIORITY: u64 = 133 "bridge.priority" U16;
    /// Which link-local multicast frames the bridge forwards. Each bit stands for an address: bit 0 for
    /// 01:80:c2:00:00:00, and bit 15 for 01:80:c2:00:00:0f.
    BRIDGE_GROUP_FWD_MASK: u64 = 134 "bridge.group_fwd_mask" U16,
        in_requests "The kernel refuses the bits 0 to 2.";
    /// The tag protocol by which the bridge filters VLANs: `ieee802_1q` (0x8100) or `ieee802_1ad` (0x88a8).
    BRIDGE_VLAN_PROTOCOL: &'static str = 135 "bridge.vlan_protocol" Type::Word(&VLAN_PROTOCOLS);
    /// Whether the bridge counts packets for each VLAN.
    BRIDGE_VLAN_STATS_ENABLED: bool = 136 "bridge.vlan_stats_enabled" Type::Bool;
    /// Whether the bridge itself receives all multicast packets, as a multicast router does: never (`disabled`), always
    /// (`permanent`), or while it sees queries (`automatic`).
    BRIDGE_MCAST_ROUTER: &'static str = 137 "bridge.mcast_router" Type::Word(&MULTICAST_ROUTERS);
    /// Whether the bridge reads IGMP and MLD packets, and sends multicast packets only to the ports that want them.
    BRIDGE_MCAST_SNOOPING: bool = 138 "bridge.mcast_snooping" Type::Bool;
    /// Whether IGMP queries of the bridge have its own IPv4 address as their source, and not 0.0.0.0.
    BRIDGE_MCAST_QUERY_USE_IFADDR: bool = 139 "bridge.mcast_query_use_ifaddr" Type::Bool;
    /// Whether the bridge sends IGMP and MLD queries if no other querier does.
    BRIDGE_MCAST_QUERIER: bool = 140 "bridge.mcast_querier" Type::Bool;
    /// The largest number of multicast groups that the bridge knows at once.
    BRIDGE_MCAST_HASH_MAX: u64 = 141 "bridge.mcast_hash_max" U32;
    /// How many queries the bridge sends after a host has left a group.
    BRIDGE_MCAST_LAST_MEMBER_COUNT: u64 = 142 "bridge.mcast_last_member_count" U32;
    /// How many queries the bridge sends in its start-up phase.
    BRIDGE_MCAST_STARTUP_QUERY_COUNT: u64 = 143 "bridge.mcast_startup_query_count" U32;
    /// The time between queries after a host has left a group, in hundredths of a second.
    BRIDGE_MCAST_LAST_MEMBER_INTERVAL: u64 = 144 "bridge.mcast_last_member_interval" U32;
    /// How long the bridge remembers that a port wants a group, in hundredths of a second.
    BRIDGE_MCAST_MEMBERSHIP_INTERVAL: u64 = 145 "bridge.mcast_membership_interval" U32;
    /// How long the bridge remembers another querier after its last query, in hundredths of a second.
    BRIDGE_MCAST_QUERIER_INTERVAL: u64 = 146 "bridge.mcast_querier_interval" U32;
    /// The time between queries after the start-up phase, in hundredths of a second.
    BRIDGE_MCAST_QUERY_INTERVAL: u64 = 147 "bridge.mcast_query_interval" U32,
        in_requests "The kernel uses at least 100, and at most 8640000 in newer versions.";
    /// The longest time that a host may take to answer a query, in hundredths of a second.
    BRIDGE_MCAST_QUERY_RESPONSE_INTERVAL: u64 = 148 "bridge.mcast_query_response_interval" U32;
    /// The time between queries in the start-up phase, in hundredths of a second.
    BRIDGE_MCAST_STARTUP_QUERY_INTERVAL: u64 = 149 "bridge.mcast_startup_query_interval" U32,
        in_requests "The kernel uses at least 100, and at most 8640000 in newer versions.";
    /// Whether the bridge counts IGMP and MLD packets.
    BRIDGE_MCAST_STATS_ENABLED: bool = 150 "bridge.mcast_stats_enabled" Type::Bool;
    /// The version of IGMP.
    BRIDGE_MCAST_IGMP_VERSION: u64 = 151 "bridge.mcast_igmp_version" Type::Number(2, 3);
    /// The version of MLD.
    BRIDGE_MCAST_MLD_VERSION: u64 = 152 "bridge.mcast_mld_version" Type::Number(1, 2);
    /// Whether programs can attach to the link several times, once for each queue (`IFF_MULTI_QUEUE`). A program must
    /// request the same when it attaches.
    TUN_MULTI_QUEUE: bool = 153 "tun.multi_queue" Type::Bool;
    /// Whether packets have a header with offloads in front of them (`IFF_VNET_HDR`). A program that attaches to the link
    /// sets this again.
    TUN_VNET_HDR: bool = 154 "tun.vnet_hdr" Type::Bool;
    /// The link has no owner. Programs of every user can attach to it. With `tun.group`, programs of every user who is in
    /// that group can. It must be true or absent.
    TUN_NO_OWNER: bool = 155 "tun.no_owner" Type::Bool;
    /// Whether the result has the virtual functions of each link (`vfs`).
    WITH_VFS: bool = 160 "with_vfs" Type::Bool;
    /// Whether the result has the counters of each link (`stats`).
    WITH_STATS: bool = 161 "with_stats" Type::Bool;
    /// An alternative name that the link also gets, at most 127 bytes. The kernel finds the link by it, but this broker
    /// does not: a request must give the link's own name.
    ADD_ALTNAME: LinkName = 175 "add_altname" Type::AlternativeName;
    /// An alternative name that is removed from the link. If `add_altname` is also given, it is removed first.
    REMOVE_ALTNAME: LinkName = 176 "remove_altname" Type::AlternativeName;
    /// Whether a protocol has taken the link down (`protodown` in ip-link(8)). While this is true, the link has no
    /// carrier. Only some kinds have it, such as macvlan and vxlan.
    PROTODOWN: bool = 177 "protodown" Type::Bool;
    /// Whether the port exchanges no frames with other isolated ports of its bridge.
    BRIDGE_PORT_ISOLATED: bool = 178 "bridge_port.isolated" Type::Bool;
    /// Whether the bridge may send a frame back through the port on which it arrived (hairpin mode).
    BRIDGE_PORT_HAIRPIN: bool = 179 "bridge_port.hairpin" Type::Bool;
    /// Whether the port drops spanning tree messages (BPDUs) that it receives, and is disabled by them (BPDU guard).
    BRIDGE_PORT_GUARD: bool = 180 "bridge_port.guard" Type::Bool;
    /// Whether the port cannot become the root port of the spanning tree.
    BRIDGE_PORT_ROOT_BLOCK: bool = 181 "bridge_port.root_block" Type::Bool;
    /// Whether the bridge learns hardware addresses from frames that arrive on the port.
    BRIDGE_PORT_LEARNING: bool = 182 "bridge_port.learning" Type::Bool;
    /// Whether the bridge sends frames for unknown hardware addresses through the port.
    BRIDGE_PORT_FLOOD: bool = 183 "bridge_port.flood" Type::Bool;
    /// Whether the bridge sends frames for unknown multicast groups through the port.
    BRIDGE_PORT_MCAST_FLOOD: bool = 184 "bridge_port.mcast_flood" Type::Bool;
    /// Whether the bridge answers ARP requests and IPv6 neighbour solicitations for hosts that it knows, and does not send
    /// them through the port.
    BRIDGE_PORT_NEIGH_SUPPRESS: bool = 185 "bridge_port.neigh_suppress" Type::Bool;
    /// Whether the bridge maps VLANs to the identifiers of a tunnel on the port.
    BRIDGE_PORT_VLAN_TUNNEL: bool = 186 "bridge_port.vlan_tunnel" Type::Bool;
    /// Whether the port accepts frames only from hardware addresses that the bridge already knows on this port.
    BRIDGE_PORT_LOCKED: bool = 187 "bridge_port.locked" Type::Bool;
    /// The cost of paths through the port in the spanning tree.
    BRIDGE_PORT_COST: u64 = 188 "bridge_port.cost" Type::Number(1, 65535);
    /// The priority of the port in the spanning tree. The lowest number is preferred.
    BRIDGE_PORT_PRIORITY: u64 = 189 "bridge_port.priority" Type::Number(0, 63);
    /// The number of the virtual function (VF) of the link, an SR-IOV device, that the other `vf` fields are about. It is
    /// required with them, and given only with them. Numbers begin with 0. `Link.List` with `with_vfs` has the VFs.
    VF_INDEX: u64 = 190 "vf.index" U31;
    /// The hardware (MAC) address of the VF.
    VF_MAC: Mac = 191 "vf.mac" Type::Mac;
    /// The VLAN of all packets of the VF; 0 for none.
    VF_VLAN: u64 = 192 "vf.vlan" Type::Number(0, 4094);
    /// The priority in the VLAN tag of packets (802.1p). It must be given together with `vf.vlan`, and is otherwise 0.
    VF_QOS: u64 = 193 "vf.qos" Type::Number(0, 7);
    /// The guaranteed rate of the VF, in Mbit/s; 0 for none. It must be given together with `vf.rate_max`.
    VF_RATE_MIN: u64 = 194 "vf.rate_min" U32;
    /// The highest rate of the VF, in Mbit/s; 0 for no limit. It must be given together with `vf.rate_min`.
    VF_RATE_MAX: u64 = 195 "vf.rate_max" U32;
    /// Whether the device drops packets of the VF that have another source hardware address than its own.
    VF_SPOOFCHK: bool = 196 "vf.spoofchk" Type::Bool;
    /// Whether the VF may change settings such as its hardware address and promiscuous mode.
    VF_TRUST: bool = 197 "vf.trust" Type::Bool;
    /// The carrier that the VF sees: that of the device (`auto`), always one (`enable`), or never one (`disable`).
    VF_LINK_STATE: &'static str = 198 "vf.link_state" Type::Word(&VF_LINK_STATES);
    /// The bit rate of the CAN bus, in bit/s. The device may support only some rates.
    CAN_BITRATE: u64 = 199 "can.bitrate" Type::Number(1, 0xffff_ffff);
    /// The point in each bit at which the device samples it, in thousandths of the bit.
    CAN_SAMPLE_POINT: u64 = 200 "can.sample_point" Type::Number(1, 999),
        in_requests "It must be given together with `can.bitrate`. Without it, the kernel chooses it.";
    /// After how many milliseconds the kernel restarts the device when it has left the bus because of errors (bus off). 0
    /// for never.
    CAN_RESTART_MS: u64 = 201 "can.restart_ms" U32;
    /// Whether the device only receives, and does not acknowledge what it receives.
    CAN_LISTEN_ONLY: bool = 202 "can.listen_only" Type::Bool;
    /// Whether the kernel makes temporary addresses (RFC 8981) in the prefix of the address, which must be of 64 bits (IPv6
    /// only).
    MNGTMPADDR: bool = 156 "mngtmpaddr" Type::Bool;
    /// Whether the link joins the group of a multicast address, as if a program had requested it (IGMP, MLD).
    AUTOJOIN: bool = 157 "autojoin" Type::Bool;
    /// Whether the address can be used while duplicate address detection still runs (RFC 4429, IPv6 only).
    OPTIMISTIC: bool = 158 "optimistic" Type::Bool;
    /// Whether the neighbour is a router.
    ROUTER: bool = 159 "router" Type::Bool;
    /// Whether a program outside of the kernel found the entry. The kernel then does not remove it to save memory.
    EXTERN_LEARN: bool = 162 "extern_learn" Type::Bool;
    /// Whether the kernel itself resolves the address, and keeps doing so (Linux 5.16).
    MANAGED: bool = 163 "managed" Type::Bool,
        in_requests "An older kernel ignores it, and the call ends in `NotApplied`.";
    /// Whether the kernel resolves the address at once, as if a packet had to be sent to it.
    USE: bool = 164 "use" Type::Bool;
    /// The number by which `@host` knows the network namespace, as in `ip netns set`.
    NSID: u64 = 167 "nsid" U31;
    /// The states of the neighbours (`NUD_…`, ip-neighbour(8)).
    STATES: Values = 165 "states" Type::Several(&STATE.field.ty);
    /// Whether the routing rule applies to the packets that its conditions do not match (`not` in ip-rule(8)).
    INVERT: bool = 203 "invert" Type::Bool;
    /// The type of service (TOS) of packets. The kernel refuses some bits.
    TOS: u64 = 204 "tos" Type::Number(1, 0xff);
    /// The protocol of packets (`IPPROTO_…`): 1 ICMP, 6 TCP, 17 UDP …
    IP_PROTOCOL: u64 = 205 "ip_protocol" Type::Number(1, 0xff);
    /// The source ports of packets. The kernel refuses the port 65535.
    SOURCE_PORTS: NumberRange = 206 "source_ports" Type::Range(1, 0xffff);
    /// The destination ports of packets. The kernel refuses the port 65535.
    DESTINATION_PORTS: NumberRange = 207 "destination_ports" Type::Range(1, 0xffff);
    /// The uids of the sockets that send the packets.
    UIDS: NumberRange = 208 "uids" Type::Range(0, 0xffff_fffe);
    /// Whether the routing rule applies to packets of any VRF, and looks up their routes in the table of that VRF.
    L3MDEV: bool = 209 "l3mdev" Type::Bool;
    /// The priority of the routing rule that the kernel evaluates next. It must be higher than that of the rule itself. The
    /// action must be `goto`.
    GOTO: u64 = 210 "goto" U32;
    /// The routing rule ignores routes through links of this group.
    SUPPRESS_IFGROUP: u64 = 211 "suppress_ifgroup" Type::Number(0, 0xffff_fffe);
    /// The priorities of the routing rules. A deny on `priority` also meets this field.
    PRIORITIES: NumberRange = 212 "priorities" Type::Range(0, 0xffff_ffff), alone Alone::RangeOf(FieldId::of(&PRIORITY.field));
    /// The preference of the route among IPv6 routes to the same prefix with the same metric (RFC 4191).
    PREF: &'static str = 216 "pref" Type::Word(&PREFERENCES);
    /// The maximum segment size (MSS) that the kernel advertises for TCP connections by this route, in bytes.
    ADVMSS: u64 = 217 "advmss" Type::Number(1, 65_495);
    /// The hop limit (TTL) of packets that this host sends by the route.
    HOPLIMIT: u64 = 218 "hoplimit" Type::Number(1, 0xff);
    /// The initial congestion window of TCP connections by this route, in segments.
    INITCWND: u64 = 219 "initcwnd" Type::Number(1, 0xffff_ffff);
    /// The initial receive window of TCP connections by this route, in segments.
    INITRWND: u64 = 220 "initrwnd" Type::Number(1, 0xffff_ffff);
    /// Whether path MTU discovery leaves the MTU of the route as it is.
    MTU_LOCK: bool = 221 "mtu_lock" Type::Bool;
    /// After how many seconds the kernel removes the route. It removes routes from time to time, so it can be late.
    EXPIRES: u64 = 222 "expires" Type::Number(1, 0x7fff_ffff);
    /// The uid of the program that sends the packets.
    UID: u64 = 223 "uid" Type::Number(0, 0xffff_fffe);
    /// The number of a VLAN.
    VLAN: u64 = 168 "vlan" Type::Number(1, 4094);
    /// The network identifier (VNI) of a VXLAN.
    VNI: u64 = 169 "vni" Type::Number(0, 0xff_ffff);
    /// Where the entry is: with the link itself (`self`), or with the bridge that it is a port of (`master`).
    TARGET: &'static str = 170 "target" Type::Word(&TARGET_WORDS);
    /// Where the entry is: with the link itself (`self`), as on a vxlan, or with the bridge that the link is a port of
    /// (`master`). The own entries of a bridge are `self`.
    TARGETS: Values = 171 "targets" Type::Several(&TARGET.field.ty);
    /// The address of the tunnel endpoint, or of the multicast group, to which a vxlan sends frames: those for the hardware
    /// address of an entry, or those in a VNI for unknown hardware addresses.
    REMOTE: IpAddr = 172 "remote" Type::Address;
    /// The UDP port of the tunnel endpoint.
    PORT: u64 = 173 "port" Type::Number(1, 0xffff);
    /// The network identifier (VNI) of the frames that the entry is for. It applies only to a vxlan with `vxlan.collect_metadata`.
    SOURCE_VNI: u64 = 174 "source_vni" Type::Number(0, 0xff_ffff);
    /// The link through which a vxlan sends to the tunnel endpoint.
    VIA: LinkName = 213 "via" Type::Link;
    /// Whether the kernel changes or removes the entry: never, and frames for it are for this host (`permanent`); never,
    /// and frames for it leave through the link (`static`); or as it learns where the address is (`dynamic`).
    FDB_STATE: &'static str = 214 "fdb_state" Type::Word(&FDB_STATES);
    /// Whether the address stays on the port, even if the bridge receives frames from it on another port.
    STICKY: bool = 215 "sticky" Type::Bool;
    /// The number of the nexthop object. Routes refer to it by this number.
    NEXTHOP_ID: u64 = 224 "nexthop_id" Type::Number(1, 0xffff_ffff);
    /// The members of a group of nexthop objects.
    MEMBERS: Elements = 225 "members" Type::List("Member");
    /// The number of the nexthop object that is a member of the group.
    MEMBERS_NEXTHOP_ID: u64 = 226 "members.nexthop_id" Type::Number(1, 0xffff_ffff), alone Alone::MetAs(FieldId::of(&NEXTHOP_ID.field));
    /// The share of packets that this member gets, relative to the weights of the others.
    MEMBERS_WEIGHT: u64 = 227 "members.weight" Type::Number(1, 65_535),
        in_requests "Older kernels refuse a weight over 255.";
    /// Whether the nexthop object drops packets silently.
    BLACKHOLE: bool = 228 "blackhole" Type::Bool;
    /// Whether the nexthop object is for entries of a forwarding database, and not for routes.
    FDB: bool = 229 "fdb" Type::Bool;
    /// The numbers of the nexthop objects. A deny on `nexthop_id` also meets this field.
    NEXTHOP_IDS: NumberRange = 230 "nexthop_ids" Type::Range(1, 0xffff_ffff), alone Alone::RangeOf(FieldId::of(&NEXTHOP_ID.field));
    /// Whether only the next hop with this `gateway`, and with this `link` if it is given, is taken out of a multipath route. The
    /// other next hops remain. It applies to IPv6 only.
    ONE_NEXTHOP: bool = 250 "one_nexthop" Type::Bool;
    /// The numbers of the VLANs. A deny on `vlan` also meets this field.
    VLANS: NumberRange = 240 "vlans" Type::Range(1, 4094), alone Alone::RangeOf(FieldId::of(&VLAN.field));
    /// Whether untagged frames that arrive on the link belong to the VLAN. A link has at most one such VLAN (PVID).
    PVID: bool = 241 "pvid" Type::Bool;
    /// Whether frames of the VLAN leave through the link without a tag.
    UNTAGGED: bool = 242 "untagged" Type::Bool;
    /// The identifiers (VNIs) under which the VLANs are sent through the tunnel, one for each VLAN. A deny on `vni` also meets
    /// this field.
    TUNNEL_IDS: NumberRange = 243 "tunnel_ids" Type::Range(0, 0xff_ffff), alone Alone::RangeOf(FieldId::of(&VNI.field)),
        in_requests "The link must be a port with `bridge_port.vlan_tunnel`.";
    /// The network identifiers (VNIs) in the list of a vxlan. A deny on `vni` also meets this field.
    VNIS: NumberRange = 244 "vnis" Type::Range(0, 0xff_ffff), alone Alone::RangeOf(FieldId::of(&VNI.field)),
        in_requests "The kernel does not take 0 by itself.";
    /// How the route encapsulates packets: with MPLS labels (`mpls`), or in IPv4 (`ip`) or IPv6 (`ip6`) packets of the
    /// tunnel that `link` is. `ip` and `ip6` have an effect only if this is a tunnel whose packets bring their own destination,
    /// such as a vxlan with `vxlan.collect_metadata`.
    ENCAP_KIND: &'static str = 231 "encap.kind" Type::Word(&ENCAP_KINDS),
        in_requests "The other fields of `encap` need it.";
    /// The identifier of the tunnel: the VNI of a vxlan or geneve, or the key of a GRE tunnel.
    ENCAP_ID: u64 = 232 "encap.id" Type::Number(1, 0xffff_ffff);
    /// The IP address of the other end of the tunnel.
    ENCAP_DESTINATION: IpAddr = 233 "encap.destination" Type::Address;
    /// The source IP address of the packets that the tunnel sends.
    ENCAP_SOURCE: IpAddr = 234 "encap.source" Type::Address;
    /// The time to live (TTL) or hop limit of the packets that the tunnel sends, or the TTL in the MPLS labels, in hops.
    /// With 0, which applies to `mpls` only, it is copied from the inner packet.
    ENCAP_TTL: u64 = 235 "encap.ttl" U8;
    /// The type of service (TOS) or traffic class of the packets that the tunnel sends.
    ENCAP_TOS: u64 = 236 "encap.tos" Type::Number(1, 0xff);
    /// The MPLS labels, the outermost first.
    ENCAP_LABELS: Values = 237 "encap.labels" Type::Several(&Type::Number(0, 0xf_ffff)),
        in_requests "The kernel refuses the label 3.";
}

/// Numbers of fields are below this.
const NUMBERS: usize = 320;

/// The fields, at their numbers.
#[allow(clippy::as_conversions, clippy::indexing_slicing, reason = "const")]
static BY_NUMBER: [Option<&Field>; NUMBERS] = {
    let mut all = [None; NUMBERS];
    let mut at = 0;
    while at < FIELDS.len() {
        all[FIELDS[at].number as usize] = Some(FIELDS[at]);
        at += 1;
    }
    all
};

/// Fields of invented calls: lists of values of one type.
#[cfg(test)]
pub(crate) mod invented {
    use super::{ADDRESS, Field, METRIC, SCOPE, STATE, Type};

    const fn list(name: &'static str, number: u16, of: &'static Type) -> Field {
        Field { name, number, ty: Type::Several(of), doc: "", in_requests: "", alone: None }
    }

    pub(crate) static NUMBERS: Field = list("test_numbers", 990, &METRIC.field.ty);
    pub(crate) static SOURCES: Field = list("test_sources", 991, &ADDRESS.field.ty);
    pub(crate) static WORDS: Field = list("test_words", 992, &SCOPE.field.ty);
    pub(crate) static STATES: Field = list("test_states", 999, &STATE.field.ty);

    pub(super) fn by_number(number: u16) -> Option<&'static Field> {
        [&NUMBERS, &SOURCES, &WORDS, &STATES].into_iter().find(|field| field.number == number)
    }
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

    #[test]
    fn a_field_is_found_by_its_number() {
        for field in FIELDS {
            assert!(std::ptr::eq(FieldId::of(field).get(), *field), "{}", field.name);
        }
    }

    /// Otherwise a request could use one field to evade a deny on the other.
    #[test]
    fn a_field_inside_a_list_is_declared_as_what_it_is_outside() {
        let inside = |field: &&&Field| match field.name.rsplit_once('.') {
            Some((list, _)) => by_name(list).is_some_and(|list| matches!(list.ty, Type::List(_))),
            None => false,
        };
        let mut declared = 0;
        for field in FIELDS.iter().filter(inside) {
            let namesake = field.name.rsplit('.').next().and_then(by_name);
            assert_eq!(field.also_met_as(), namesake, "{}", field.name);
            assert!(namesake.is_none_or(|outside| format!("{:?}", outside.ty) == format!("{:?}", field.ty)));
            declared += usize::from(field.alone.is_some());
        }
        assert!(declared >= 4, "{declared}");
        for field in FIELDS.iter().filter(|field| field.alone.is_some()) {
            match (field.alone, field.ty) {
                (Some(Alone::RangeOf(one)), Type::Range(least, most)) => {
                    assert!(
                        matches!(one.get().ty, Type::Number(from, to) if (from, to) == (least, most)),
                        "{}",
                        field.name
                    );
                }
                (Some(Alone::MetAs(one)), Type::Number(_, most)) => {
                    assert!(matches!(one.get().ty, Type::Number(_, to) if to == most), "{}", field.name);
                }
                _ => assert!(inside(&field), "{} is in no list", field.name),
            }
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
