// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kinds of links that `Link.Add` makes and `Link.Set` changes, and what `Link.List` reports for each.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use super::super::field::{
    BOND_AD_SELECT, BOND_ALL_PORTS_ACTIVE, BOND_ARP_INTERVAL, BOND_ARP_IP_TARGET, BOND_DOWNDELAY, BOND_FAIL_OVER_MAC,
    BOND_LACP_RATE, BOND_MIIMON, BOND_MIN_LINKS, BOND_MODE, BOND_PRIMARY, BOND_UPDELAY, BOND_XMIT_HASH_POLICY,
    BRIDGE_AGEING_TIME, BRIDGE_FORWARD_DELAY, BRIDGE_GROUP_FWD_MASK, BRIDGE_HELLO_TIME, BRIDGE_MAX_AGE,
    BRIDGE_MCAST_HASH_MAX, BRIDGE_MCAST_IGMP_VERSION, BRIDGE_MCAST_LAST_MEMBER_COUNT,
    BRIDGE_MCAST_LAST_MEMBER_INTERVAL, BRIDGE_MCAST_MEMBERSHIP_INTERVAL, BRIDGE_MCAST_MLD_VERSION,
    BRIDGE_MCAST_QUERIER, BRIDGE_MCAST_QUERIER_INTERVAL, BRIDGE_MCAST_QUERY_INTERVAL,
    BRIDGE_MCAST_QUERY_RESPONSE_INTERVAL, BRIDGE_MCAST_QUERY_USE_IFADDR, BRIDGE_MCAST_ROUTER, BRIDGE_MCAST_SNOOPING,
    BRIDGE_MCAST_STARTUP_QUERY_COUNT, BRIDGE_MCAST_STARTUP_QUERY_INTERVAL, BRIDGE_MCAST_STATS_ENABLED, BRIDGE_PRIORITY,
    BRIDGE_STP, BRIDGE_VLAN_DEFAULT_PVID, BRIDGE_VLAN_FILTERING, BRIDGE_VLAN_PROTOCOL, BRIDGE_VLAN_STATS_ENABLED,
    CAN_BITRATE, CAN_LISTEN_ONLY, CAN_RESTART_MS, CAN_SAMPLE_POINT, EXISTS_OK, Field, GENEVE_COLLECT_METADATA,
    GENEVE_DF, GENEVE_ID, GENEVE_PORT, GENEVE_REMOTE, GENEVE_TOS, GENEVE_TTL, GRE_CSUM, GRE_KEY, GRE_SEQ, IPVLAN_MODE,
    IPVLAN_TRAFFIC, Key, MAC, MACVLAN_MODE, MASTER, NETKIT_MODE, NETNS, PARENT, PEER_MAC, PEER_MTU, PEER_NAME,
    PEER_NETNS, PEER_UP, RX_QUEUES, TARGET_NETNS, TUN_GROUP, TUN_MODE, TUN_MULTI_QUEUE, TUN_NO_OWNER, TUN_OWNER,
    TUN_VNET_HDR, TUNNEL_ENCAP_LIMIT, TUNNEL_LOCAL, TUNNEL_PMTUDISC, TUNNEL_PROTOCOL, TUNNEL_REMOTE, TUNNEL_TOS,
    TUNNEL_TTL, TX_QUEUES, VLAN_ID, VLAN_PROTOCOL, VRF_TABLE, VXLAN_AGEING, VXLAN_COLLECT_METADATA, VXLAN_DF,
    VXLAN_GBP, VXLAN_GROUP, VXLAN_ID, VXLAN_LEARNING, VXLAN_LOCAL, VXLAN_PORT, VXLAN_PROXY, VXLAN_REMOTE,
    VXLAN_SOURCE_PORT_MAX, VXLAN_SOURCE_PORT_MIN, VXLAN_TOS, VXLAN_TTL, VXLAN_TTL_INHERIT, VXLAN_UDP_CSUM,
    VXLAN_UDP_ZERO_CSUM6_RX, VXLAN_UDP_ZERO_CSUM6_TX, VXLAN_VNIFILTER, XFRM_IF_ID,
};
use super::super::object::{Cast, Form, Place, Row, Width, headed, result, row};
use super::super::request::{Invalid, Request};
use super::super::settle::one_family;
use super::super::types::Only;
use super::super::value::Value;
use super::super::{
    Absence, Constant, Kind, Needs, Use, chosen, declared, kind, number, off, required, untouched, word,
};

/// An attribute of a kind's data (`IFLA_INFO_DATA` in `IFLA_LINKINFO`).
macro_rules! data {
    ($attribute:expr) => {
        Place::attribute(&[18, 2, $attribute])
    };
}

/// `VETH_INFO_PEER` (`linux/veth.h`), `IFLA_NETKIT_PEER_INFO`: a link, with its header, in a link's data.
const PEER: u32 = headed(1, 16);

static PAIR: &[Row] = &[
    row(&PEER_NAME.field, Place::attribute(&[18, 2, PEER, 3]), Form::Name).only_written(),
    row(&PEER_NETNS.field, Place::attribute(&[18, 2, PEER, 28]), Form::Netns).only_written(),
    row(&PEER_MAC.field, Place::attribute(&[18, 2, PEER, 1]), Form::Mac).only_written(),
    row(&PEER_MTU.field, Place::attribute(&[18, 2, PEER, 4]), Form::Number(Width::Four)).only_written(),
    row(&PEER_UP.field, Place::Code, Form::Flag(Width::One)).only_written(),
    result(
        "peer_index",
        Place::attribute(&[5]),
        Form::Positive(Width::Four),
        "The interface index of the other end of the pair, in the namespace of that end.",
    ),
];

const PARENT_INDEX: &str = "The interface index of the parent, in the namespace of the parent.";

/// `IFLA_LINK`, which most links have that are on top of another.
static ON_PARENT: &[Row] = &[
    row(&PARENT.field, Place::attribute(&[5]), Form::Link),
    result("parent_index", Place::attribute(&[5]), Form::Positive(Width::Four), PARENT_INDEX),
];

/// The tables of the kinds that a request cannot make.
pub(crate) static OTHER: &[&[Row]] = &[ON_PARENT];

/// `IFLA_BR_…` (`linux/if_link.h`).
static BRIDGE: &[Row] = &[
    row(&BRIDGE_FORWARD_DELAY.field, data!(1), Form::Ticks(Width::Four)).adjusted(),
    row(&BRIDGE_HELLO_TIME.field, data!(2), Form::Ticks(Width::Four)),
    row(&BRIDGE_MAX_AGE.field, data!(3), Form::Ticks(Width::Four)),
    row(&BRIDGE_AGEING_TIME.field, data!(4), Form::Ticks(Width::Four)),
    row(&BRIDGE_STP.field, data!(5), Form::Flag(Width::Four)),
    row(&BRIDGE_PRIORITY.field, data!(6), Form::Number(Width::Two)),
    row(&BRIDGE_GROUP_FWD_MASK.field, data!(9), Form::Number(Width::Two)),
    row(&BRIDGE_VLAN_FILTERING.field, data!(7), Form::Flag(Width::One)),
    // A kernel without VLANs on bridges (`CONFIG_BRIDGE_VLAN_FILTERING`) ignores these.
    row(&BRIDGE_VLAN_PROTOCOL.field, data!(8), Form::Word(Width::Net2)).adjusted(),
    row(&BRIDGE_VLAN_DEFAULT_PVID.field, data!(39), Form::Number(Width::Two)).adjusted(),
    row(&BRIDGE_VLAN_STATS_ENABLED.field, data!(41), Form::Flag(Width::One)).adjusted(),
    // A kernel without multicast snooping (`CONFIG_BRIDGE_IGMP_SNOOPING`) ignores these.
    row(&BRIDGE_MCAST_ROUTER.field, data!(22), Form::Word(Width::One)).adjusted(),
    row(&BRIDGE_MCAST_SNOOPING.field, data!(23), Form::Flag(Width::One)).adjusted(),
    row(&BRIDGE_MCAST_QUERY_USE_IFADDR.field, data!(24), Form::Flag(Width::One)).adjusted(),
    row(&BRIDGE_MCAST_QUERIER.field, data!(25), Form::Flag(Width::One)).adjusted(),
    row(&BRIDGE_MCAST_HASH_MAX.field, data!(27), Form::Number(Width::Four)).adjusted(),
    row(&BRIDGE_MCAST_LAST_MEMBER_COUNT.field, data!(28), Form::Number(Width::Four)).adjusted(),
    row(&BRIDGE_MCAST_STARTUP_QUERY_COUNT.field, data!(29), Form::Number(Width::Four)).adjusted(),
    row(&BRIDGE_MCAST_LAST_MEMBER_INTERVAL.field, data!(30), Form::Ticks(Width::Eight)).adjusted(),
    row(&BRIDGE_MCAST_MEMBERSHIP_INTERVAL.field, data!(31), Form::Ticks(Width::Eight)).adjusted(),
    row(&BRIDGE_MCAST_QUERIER_INTERVAL.field, data!(32), Form::Ticks(Width::Eight)).adjusted(),
    // These two are also clamped, from below since Linux 5.16 and from above since 6.16.
    row(&BRIDGE_MCAST_QUERY_INTERVAL.field, data!(33), Form::Ticks(Width::Eight)).adjusted(),
    row(&BRIDGE_MCAST_STARTUP_QUERY_INTERVAL.field, data!(35), Form::Ticks(Width::Eight)).adjusted(),
    row(&BRIDGE_MCAST_QUERY_RESPONSE_INTERVAL.field, data!(34), Form::Ticks(Width::Eight)).adjusted(),
    row(&BRIDGE_MCAST_STATS_ENABLED.field, data!(42), Form::Flag(Width::One)).adjusted(),
    row(&BRIDGE_MCAST_IGMP_VERSION.field, data!(43), Form::Number(Width::One)).adjusted(),
    row(&BRIDGE_MCAST_MLD_VERSION.field, data!(44), Form::Number(Width::One)).adjusted(),
];

/// `IFLA_BOND_…`
static BOND: &[Row] = &[
    row(&BOND_MODE.field, data!(1), Form::Word(Width::One)),
    row(&BOND_MIIMON.field, data!(3), Form::Number(Width::Four)),
    row(&BOND_UPDELAY.field, data!(4), Form::Number(Width::Four)).adjusted(),
    row(&BOND_DOWNDELAY.field, data!(5), Form::Number(Width::Four)).adjusted(),
    row(&BOND_ARP_INTERVAL.field, data!(7), Form::Number(Width::Four)),
    row(&BOND_ARP_IP_TARGET.field, data!(8), Form::Ipv4List),
    row(&BOND_PRIMARY.field, data!(11), Form::Link),
    result("bond.primary_index", data!(11), Form::Positive(Width::Four), "The interface index of `bond.primary`."),
    row(&BOND_FAIL_OVER_MAC.field, data!(13), Form::Word(Width::One)),
    row(&BOND_XMIT_HASH_POLICY.field, data!(14), Form::Word(Width::One)),
    row(&BOND_ALL_PORTS_ACTIVE.field, data!(17), Form::Flag(Width::One)),
    row(&BOND_MIN_LINKS.field, data!(18), Form::Number(Width::Four)),
    row(&BOND_LACP_RATE.field, data!(21), Form::Word(Width::One)),
    row(&BOND_AD_SELECT.field, data!(22), Form::Word(Width::One)),
];

/// The fields of a bond.
static BOND_FIELDS: &[Use] = &[
    untouched(&BOND_MODE.field),
    untouched(&BOND_MIIMON.field),
    untouched(&BOND_UPDELAY.field),
    untouched(&BOND_DOWNDELAY.field),
    untouched(&BOND_ARP_INTERVAL.field),
    untouched(&BOND_ARP_IP_TARGET.field),
    untouched(&BOND_PRIMARY.field),
    untouched(&BOND_FAIL_OVER_MAC.field),
    untouched(&BOND_XMIT_HASH_POLICY.field),
    untouched(&BOND_ALL_PORTS_ACTIVE.field),
    untouched(&BOND_MIN_LINKS.field),
    untouched(&BOND_LACP_RATE.field),
    untouched(&BOND_AD_SELECT.field),
];

/// The fields of a bridge.
static BRIDGE_FIELDS: &[Use] = &[
    untouched(&BRIDGE_STP.field),
    untouched(&BRIDGE_FORWARD_DELAY.field),
    untouched(&BRIDGE_AGEING_TIME.field),
    untouched(&BRIDGE_HELLO_TIME.field),
    untouched(&BRIDGE_MAX_AGE.field),
    untouched(&BRIDGE_PRIORITY.field),
    untouched(&BRIDGE_GROUP_FWD_MASK.field).only(FORWARDED),
    untouched(&BRIDGE_VLAN_FILTERING.field),
    untouched(&BRIDGE_VLAN_PROTOCOL.field),
    untouched(&BRIDGE_VLAN_DEFAULT_PVID.field),
    untouched(&BRIDGE_VLAN_STATS_ENABLED.field),
    untouched(&BRIDGE_MCAST_SNOOPING.field),
    untouched(&BRIDGE_MCAST_QUERIER.field),
    untouched(&BRIDGE_MCAST_ROUTER.field),
    untouched(&BRIDGE_MCAST_QUERY_USE_IFADDR.field),
    untouched(&BRIDGE_MCAST_HASH_MAX.field),
    untouched(&BRIDGE_MCAST_LAST_MEMBER_COUNT.field),
    untouched(&BRIDGE_MCAST_STARTUP_QUERY_COUNT.field),
    untouched(&BRIDGE_MCAST_LAST_MEMBER_INTERVAL.field),
    untouched(&BRIDGE_MCAST_MEMBERSHIP_INTERVAL.field),
    untouched(&BRIDGE_MCAST_QUERIER_INTERVAL.field),
    untouched(&BRIDGE_MCAST_QUERY_INTERVAL.field),
    untouched(&BRIDGE_MCAST_QUERY_RESPONSE_INTERVAL.field),
    untouched(&BRIDGE_MCAST_STARTUP_QUERY_INTERVAL.field),
    untouched(&BRIDGE_MCAST_STATS_ENABLED.field),
    untouched(&BRIDGE_MCAST_IGMP_VERSION.field),
    untouched(&BRIDGE_MCAST_MLD_VERSION.field),
];

/// The kinds whose own fields `Link.Set` can change, with those that the kernel changes. It has no more of a vlan, vrf,
/// pair, wireguard or tun. Of a tunnel, and of an xfrm, it would reset everything that a message leaves out.
pub(super) static CHANGED: &[Kind] = &[
    kind("bridge", BRIDGE_FIELDS, &[BRIDGE]),
    kind("bond", BOND_FIELDS, &[BOND]).settled(bond),
    kind(
        "vxlan",
        &[
            untouched(&PARENT.field),
            untouched(&VXLAN_GROUP.field),
            untouched(&VXLAN_REMOTE.field),
            untouched(&VXLAN_LOCAL.field),
            untouched(&VXLAN_TTL.field),
            untouched(&VXLAN_TOS.field),
            untouched(&VXLAN_LEARNING.field),
            untouched(&VXLAN_AGEING.field),
            untouched(&VXLAN_DF.field),
        ],
        &[VXLAN],
    )
    .settled(vxlan_addresses),
    kind("macvlan", &[untouched(&MACVLAN_MODE.field)], &[MACVLAN]),
    kind("macvtap", &[untouched(&MACVLAN_MODE.field)], &[MACVLAN]),
    kind("ipvlan", &[untouched(&IPVLAN_MODE.field), untouched(&IPVLAN_TRAFFIC.field)], &[IPVLAN]),
    kind(
        "geneve",
        &[
            untouched(&GENEVE_REMOTE.field),
            untouched(&GENEVE_TTL.field),
            untouched(&GENEVE_TOS.field),
            untouched(&GENEVE_DF.field),
        ],
        &[GENEVE],
    )
    .settled(geneve_remote),
    kind("can", CAN_FIELDS, &[CAN]).settled(can),
];

/// `IFLA_VXLAN_…`. An IPv6 address has its own attribute.
static VXLAN: &[Row] = &[
    row(&VXLAN_ID.field, data!(1), Form::Number(Width::Four)),
    row(&VXLAN_GROUP.field, data!(2), Form::Ipv4(Cast::Group)),
    row(&VXLAN_GROUP.field, data!(16), Form::Ipv6(Cast::Group)),
    row(&VXLAN_REMOTE.field, data!(2), Form::Ipv4(Cast::One)),
    row(&VXLAN_REMOTE.field, data!(16), Form::Ipv6(Cast::One)),
    row(&VXLAN_LOCAL.field, data!(4), Form::Ipv4(Cast::One)),
    row(&VXLAN_LOCAL.field, data!(17), Form::Ipv6(Cast::One)),
    row(&VXLAN_TTL.field, data!(5), Form::Number(Width::One)),
    // The kernel takes an attribute without content, and reports a number.
    row(&VXLAN_TTL_INHERIT.field, data!(28), Form::Present).only_written(),
    row(&VXLAN_TTL_INHERIT.field, data!(28), Form::Flag(Width::One)).only_reported(),
    row(&VXLAN_TOS.field, data!(6), Form::Number(Width::One)),
    row(&VXLAN_LEARNING.field, data!(7), Form::Flag(Width::One)).or(not_learning),
    row(&VXLAN_SOURCE_PORT_MIN.field, Place::inside(&[18, 2, 10], 0, 4), Form::Number(Width::Net2)),
    row(&VXLAN_SOURCE_PORT_MAX.field, Place::inside(&[18, 2, 10], 2, 4), Form::Number(Width::Net2)),
    row(&VXLAN_PROXY.field, data!(11), Form::Flag(Width::One)),
    row(&VXLAN_PORT.field, data!(15), Form::Number(Width::Net2)),
    row(&VXLAN_COLLECT_METADATA.field, data!(25), Form::Flag(Width::One)),
    row(&VXLAN_AGEING.field, data!(8), Form::Number(Width::Four)),
    row(&VXLAN_DF.field, data!(29), Form::Word(Width::One)),
    row(&VXLAN_GBP.field, data!(23), Form::Present),
    row(&VXLAN_UDP_CSUM.field, data!(18), Form::Flag(Width::One)),
    row(&VXLAN_UDP_ZERO_CSUM6_TX.field, data!(19), Form::Flag(Width::One)),
    row(&VXLAN_UDP_ZERO_CSUM6_RX.field, data!(20), Form::Flag(Width::One)),
    // A kernel before Linux 5.18 ignores it and does not report it.
    row(&VXLAN_VNIFILTER.field, data!(30), Form::Bit(Width::One, 1)).adjusted_when_made(),
    row(&PARENT.field, data!(3), Form::Link),
    result("parent_index", data!(3), Form::Positive(Width::Four), PARENT_INDEX),
];

/// The kernel learns by default. iproute2 turns this off if the destination comes with each packet.
fn not_learning(request: &Request) -> Option<Value> {
    request.is_set(&VXLAN_COLLECT_METADATA).then_some(Value::Bool(false))
}

/// `IFLA_MACVLAN_…`
static MACVLAN: &[Row] = &[row(&MACVLAN_MODE.field, data!(1), Form::Word(Width::Four))];

/// `IFLA_TUN_…`. The kernel only reports them. They are set through `/dev/net/tun`.
static TUN: &[Row] = &[
    row(&TUN_OWNER.field, data!(1), Form::Number(Width::Four)),
    row(&TUN_GROUP.field, data!(2), Form::Number(Width::Four)),
    row(&TUN_MODE.field, data!(3), Form::Word(Width::One)),
    row(&TUN_MULTI_QUEUE.field, data!(7), Form::Flag(Width::One)),
    row(&TUN_VNET_HDR.field, data!(5), Form::Flag(Width::One)),
    row(&TUN_NO_OWNER.field, data!(1), Form::Absent).unreported(),
    result(
        "tun.persist",
        data!(6),
        Form::Flag(Width::One),
        "Whether the link exists without a program that is attached to it.",
    ),
];

/// `IFLA_VLAN_…`
static VLAN: &[Row] = &[
    row(&VLAN_ID.field, data!(1), Form::Number(Width::Two)),
    row(&VLAN_PROTOCOL.field, data!(5), Form::Word(Width::Net2)),
];

/// `IFLA_VRF_…`
static VRF: &[Row] = &[row(&VRF_TABLE.field, data!(1), Form::Number(Width::Four))];

/// `IFLA_IPVLAN_…`
static IPVLAN: &[Row] = &[
    row(&IPVLAN_MODE.field, data!(1), Form::Word(Width::Two)),
    row(&IPVLAN_TRAFFIC.field, data!(2), Form::Word(Width::Two)),
];

/// `IFLA_XFRM_…`
static XFRM: &[Row] = &[
    row(&PARENT.field, data!(1), Form::Link),
    result("parent_index", data!(1), Form::Positive(Width::Four), PARENT_INDEX),
    row(&XFRM_IF_ID.field, data!(2), Form::Number(Width::Four)),
];

/// `IFLA_GENEVE_…`. An IPv6 address has its own attribute.
static GENEVE: &[Row] = &[
    row(&GENEVE_ID.field, data!(1), Form::Number(Width::Four)),
    row(&GENEVE_REMOTE.field, data!(2), Form::Ipv4(Cast::One)),
    row(&GENEVE_REMOTE.field, data!(7), Form::Ipv6(Cast::One)),
    row(&GENEVE_TTL.field, data!(3), Form::Number(Width::One)),
    row(&GENEVE_TOS.field, data!(4), Form::Number(Width::One)),
    row(&GENEVE_PORT.field, data!(5), Form::Number(Width::Net2)),
    row(&GENEVE_COLLECT_METADATA.field, data!(6), Form::Present),
    row(&GENEVE_DF.field, data!(13), Form::Word(Width::One)),
];

/// The rows of a tunnel, whose attributes have these numbers.
macro_rules! tunnel {
    ($link:literal, $local:literal, $remote:literal, $ttl:literal, $form:ident, $($more:expr),+) => {
        &[
            row(&PARENT.field, data!($link), Form::Link),
            result("parent_index", data!($link), Form::Positive(Width::Four), PARENT_INDEX),
            row(&TUNNEL_LOCAL.field, data!($local), Form::$form(Cast::One)),
            row(&TUNNEL_REMOTE.field, data!($remote), Form::$form(Cast::One)),
            row(&TUNNEL_TTL.field, data!($ttl), Form::Number(Width::One)),
            $($more),+
        ]
    };
}

/// `IFLA_IPTUN_…` (`linux/if_tunnel.h`) of ipip and sit.
static IP_OVER_IPV4: &[Row] = tunnel!(
    1,
    2,
    3,
    4,
    Ipv4,
    row(&TUNNEL_TOS.field, data!(5), Form::Number(Width::One)),
    row(&TUNNEL_PROTOCOL.field, data!(9), Form::Word(Width::One)),
    row(&TUNNEL_PMTUDISC.field, data!(10), Form::Flag(Width::One))
);

/// `IFLA_IPTUN_…` of ip6tnl.
static IP_OVER_IPV6: &[Row] = tunnel!(
    1,
    2,
    3,
    4,
    Ipv6,
    row(&TUNNEL_ENCAP_LIMIT.field, data!(6), Form::Number(Width::One)),
    row(&TUNNEL_PROTOCOL.field, data!(9), Form::Word(Width::One))
);

/// `IFLA_GRE_…` of gre and gretap.
static GRE_OVER_IPV4: &[Row] = tunnel!(
    1,
    6,
    7,
    8,
    Ipv4,
    row(&TUNNEL_TOS.field, data!(9), Form::Number(Width::One)),
    row(&TUNNEL_PMTUDISC.field, data!(10), Form::Flag(Width::One))
);

/// `IFLA_GRE_…` of ip6gre and ip6gretap.
static GRE_OVER_IPV6: &[Row] =
    tunnel!(1, 6, 7, 8, Ipv6, row(&TUNNEL_ENCAP_LIMIT.field, data!(11), Form::Number(Width::One)));

/// `GRE_KEY`, `GRE_CSUM`, `GRE_SEQ` (`linux/if_tunnel.h`), in the flags of both directions (`IFLA_GRE_IFLAGS`,
/// `IFLA_GRE_OFLAGS`).
static GRE: &[Row] = &[
    row(&GRE_KEY.field, data!(2), Form::Given(Width::Net2, 0x2000)).only_written(),
    row(&GRE_KEY.field, data!(3), Form::Given(Width::Net2, 0x2000)).only_written(),
    row(&GRE_KEY.field, data!(4), Form::Positive(Width::Net4)),
    row(&GRE_KEY.field, data!(5), Form::Positive(Width::Net4)).only_written(),
    row(&GRE_CSUM.field, data!(2), Form::Bit(Width::Net2, 0x8000)),
    row(&GRE_CSUM.field, data!(3), Form::Bit(Width::Net2, 0x8000)).only_written(),
    row(&GRE_SEQ.field, data!(2), Form::Bit(Width::Net2, 0x1000)),
    row(&GRE_SEQ.field, data!(3), Form::Bit(Width::Net2, 0x1000)).only_written(),
];

/// `IFLA_NETKIT_…`
static NETKIT: &[Row] = &[row(&NETKIT_MODE.field, data!(5), Form::Word(Width::Four))];

/// The fields of macvlan and macvtap.
static ON_A_PARENT: &[Use] = &[required(&PARENT.field), word(&MACVLAN_MODE.field, "vepa")];

/// The fields of every tunnel over IPv4. The kernel's own default TTL of a sit is 64; iproute2 sends 0 for all of them.
macro_rules! fields_over_ipv4 {
    ($($more:expr),+) => {
        &[
            untouched(&PARENT.field),
            untouched(&TUNNEL_LOCAL.field),
            untouched(&TUNNEL_REMOTE.field),
            number(&TUNNEL_TTL.field, 0),
            untouched(&TUNNEL_TOS.field),
            untouched(&TUNNEL_PMTUDISC.field),
            $($more),+
        ]
    };
}

/// The fields of every tunnel over IPv6, with the defaults of iproute2.
macro_rules! fields_over_ipv6 {
    ($($more:expr),+) => {
        &[
            untouched(&PARENT.field),
            untouched(&TUNNEL_LOCAL.field),
            untouched(&TUNNEL_REMOTE.field),
            number(&TUNNEL_TTL.field, 64),
            number(&TUNNEL_ENCAP_LIMIT.field, 4),
            $($more),+
        ]
    };
}

/// The fields of ipip and sit, of gre and gretap, and of ip6gre and ip6gretap.
static IPTUN_FIELDS: &[Use] = fields_over_ipv4![word(&TUNNEL_PROTOCOL.field, "any")];
static GRE_FIELDS: &[Use] = fields_over_ipv4![untouched(&GRE_KEY.field), off(&GRE_CSUM.field), off(&GRE_SEQ.field)];
static IP6GRE_FIELDS: &[Use] = fields_over_ipv6![untouched(&GRE_KEY.field), off(&GRE_CSUM.field), off(&GRE_SEQ.field)];

/// The fields of every pair.
macro_rules! pair_fields {
    ($($more:expr)?) => {
        &[
            required(&PEER_NAME.field).counting_in(&PEER_NETNS.field).giving_a_name(),
            required(&PEER_NETNS.field),
            untouched(&PEER_MAC.field),
            untouched(&PEER_MTU.field),
            off(&PEER_UP.field),
            $($more)?
        ]
    };
}

/// The new link is looked up where it is made.
fn at_target(request: &Request) -> Option<&'static Field> {
    request.value(&TARGET_NETNS.field).map(|_| &TARGET_NETNS.field)
}

/// Otherwise the call compares the other end of a pair, or sets it up.
fn at_target_or_peer(request: &Request) -> Option<&'static Field> {
    let at_peer = request.is_set(&EXISTS_OK) || request.is_set(&PEER_UP);
    at_target(request).or(at_peer.then_some(&PEER_NETNS.field))
}

/// A kind that `Link.Add` makes by a message, also in another namespace.
const fn made(name: &'static str, uses: &'static [Use], tables: &'static [&'static [Row]]) -> Kind {
    kind(name, uses, tables).visiting(at_target)
}

/// The same, for a link that uses links of the namespace of `netns`, wherever it is itself.
const fn anchored(name: &'static str, uses: &'static [Use], tables: &'static [&'static [Row]]) -> Kind {
    made(name, uses, tables).anchored()
}

/// A tunnel that sends through the namespace that it is made in (`dev_net` in `ip_tunnel_newlink`, `xfrmi_newlink` …).
const fn tunnel(name: &'static str, uses: &'static [Use], tables: &'static [&'static [Row]]) -> Kind {
    anchored(name, uses, tables).moved()
}

/// Kinds on whose links the kernel puts no macvlan: it uses the link below instead.
const STACKED: &[&str] = &["macvlan", "macvtap", "ipvlan", "ipvtap"];

/// Kinds through which the kernel puts an ipvlan on the link below.
const STACKED_IP: &[&str] = &["ipvlan", "ipvtap"];

/// `IFLA_CAN_…` (`linux/can/netlink.h`): `struct can_bittiming`, `struct can_ctrlmode`. The mask and the flag
/// `CAN_CTRLMODE_LISTENONLY`.
static CAN: &[Row] = &[
    row(&CAN_BITRATE.field, Place::inside(&[18, 2, 1], 0, 32), Form::Number(Width::Four)).adjusted(),
    row(&CAN_SAMPLE_POINT.field, Place::inside(&[18, 2, 1], 4, 32), Form::Number(Width::Four)).adjusted(),
    row(&CAN_LISTEN_ONLY.field, Place::inside(&[18, 2, 5], 0, 8), Form::Given(Width::Four, 2)).only_written(),
    row(&CAN_LISTEN_ONLY.field, Place::inside(&[18, 2, 5], 4, 8), Form::Bit(Width::Four, 2)),
    row(&CAN_RESTART_MS.field, data!(6), Form::Number(Width::Four)),
];

/// The fields of a CAN device.
static CAN_FIELDS: &[Use] = &[
    untouched(&CAN_BITRATE.field),
    untouched(&CAN_SAMPLE_POINT.field),
    untouched(&CAN_LISTEN_ONLY.field),
    untouched(&CAN_RESTART_MS.field),
];

/// The kinds that `Link.Add` makes.
pub(super) static ADDED: &[Kind] = match ALL.split_last() {
    Some((_, added)) => added,
    None => &[],
};

/// All kinds that have rows. The last one is a device, which is not made by a call.
pub(super) static ALL: &[Kind] = &[
    made("veth", pair_fields![], &[PAIR]).settled(pair).visiting(at_target_or_peer),
    made("bridge", BRIDGE_FIELDS, &[ON_PARENT, BRIDGE]),
    made("bond", BOND_FIELDS, &[ON_PARENT, BOND]).settled(bond),
    anchored(
        "vxlan",
        &[
            untouched(&PARENT.field),
            untouched(&VXLAN_ID.field),
            untouched(&VXLAN_GROUP.field),
            untouched(&VXLAN_REMOTE.field),
            untouched(&VXLAN_LOCAL.field),
            number(&VXLAN_PORT.field, 8472),
            untouched(&VXLAN_SOURCE_PORT_MIN.field),
            untouched(&VXLAN_SOURCE_PORT_MAX.field),
            untouched(&VXLAN_TTL.field),
            off(&VXLAN_TTL_INHERIT.field),
            untouched(&VXLAN_TOS.field),
            chosen(&VXLAN_LEARNING.field),
            off(&VXLAN_PROXY.field),
            off(&VXLAN_COLLECT_METADATA.field),
            untouched(&VXLAN_AGEING.field),
            untouched(&VXLAN_DF.field),
            off(&VXLAN_GBP.field),
            untouched(&VXLAN_UDP_CSUM.field),
            untouched(&VXLAN_UDP_ZERO_CSUM6_TX.field),
            untouched(&VXLAN_UDP_ZERO_CSUM6_RX.field),
            off(&VXLAN_VNIFILTER.field),
        ],
        &[VXLAN],
    )
    .settled(vxlan),
    anchored("macvlan", ON_A_PARENT, &[ON_PARENT, MACVLAN]).settled(macvlan).sinking_through(STACKED),
    anchored("macvtap", ON_A_PARENT, &[ON_PARENT, MACVLAN]).settled(macvlan).sinking_through(STACKED),
    made("ifb", &[], &[ON_PARENT]),
    made("dummy", &[], &[ON_PARENT]),
    made("vcan", &[], &[ON_PARENT]).settled(without_mac),
    anchored(
        "vlan",
        &[required(&PARENT.field), required(&VLAN_ID.field), word(&VLAN_PROTOCOL.field, "ieee802_1q")],
        &[ON_PARENT, VLAN],
    ),
    made("vrf", &[required(&VRF_TABLE.field)], &[ON_PARENT, VRF]),
    anchored(
        "ipvlan",
        // A mode is always set. Without flags, the kernel keeps those of the links that the parent already has.
        &[required(&PARENT.field), word(&IPVLAN_MODE.field, "l3"), untouched(&IPVLAN_TRAFFIC.field)],
        &[ON_PARENT, IPVLAN],
    )
    .settled(without_mac)
    .sinking_through(STACKED_IP),
    made(
        "geneve",
        &[
            untouched(&GENEVE_ID.field),
            untouched(&GENEVE_REMOTE.field),
            number(&GENEVE_PORT.field, 6081),
            untouched(&GENEVE_TTL.field),
            untouched(&GENEVE_TOS.field),
            untouched(&GENEVE_DF.field),
            off(&GENEVE_COLLECT_METADATA.field),
        ],
        &[ON_PARENT, GENEVE],
    )
    .settled(geneve),
    tunnel("ipip", IPTUN_FIELDS, &[IP_OVER_IPV4]).settled(ipip),
    tunnel("sit", IPTUN_FIELDS, &[IP_OVER_IPV4]).settled(ip_over_ipv4),
    tunnel("ip6tnl", fields_over_ipv6![word(&TUNNEL_PROTOCOL.field, "any")], &[IP_OVER_IPV6]).settled(ip_over_ipv6),
    tunnel("gre", GRE_FIELDS, &[GRE_OVER_IPV4, GRE]).settled(ip_over_ipv4),
    tunnel("gretap", GRE_FIELDS, &[GRE_OVER_IPV4, GRE]).settled(over_ipv4),
    tunnel("ip6gre", IP6GRE_FIELDS, &[GRE_OVER_IPV6, GRE]).settled(ip_over_ipv6),
    tunnel("ip6gretap", IP6GRE_FIELDS, &[GRE_OVER_IPV6, GRE]).settled(over_ipv6),
    made("wireguard", &[], &[ON_PARENT]).settled(wireguard),
    tunnel("xfrm", &[untouched(&PARENT.field), required(&XFRM_IF_ID.field)], &[XFRM]).settled(without_mac),
    made("netkit", pair_fields![word(&NETKIT_MODE.field, "l3")], &[PAIR, NETKIT])
        .settled(netkit)
        .visiting(at_target_or_peer),
    kind(
        "tun",
        &[
            required(&TUN_MODE.field),
            declared(&TUN_OWNER.field, Absence::Default(Constant::Uid)),
            untouched(&TUN_NO_OWNER.field).only(Only::True),
            untouched(&TUN_GROUP.field),
            off(&TUN_MULTI_QUEUE.field),
            // No default: a program that attaches sets it, and `exists_ok` would then refuse the link.
            untouched(&TUN_VNET_HDR.field),
        ],
        &[ON_PARENT, TUN],
    )
    .settled(tun)
    .needing(Needs::TUN),
    kind("can", CAN_FIELDS, &[ON_PARENT, CAN]),
];

/// The kinds as keywords; the kernel knows them by name.
pub(in super::super) static KIND_WORDS: [(&str, u32); ALL.len()] = kind_words();

#[allow(clippy::indexing_slicing, reason = "const")]
const fn kind_words() -> [(&'static str, u32); ALL.len()] {
    let mut words = [("", 0); ALL.len()];
    let mut at = 0;
    while at < words.len() {
        words[at].0 = ALL[at].name;
        at += 1;
    }
    words
}

/// Bytes of a hardware address (`ETH_ALEN`).
pub(super) const ETHERNET: usize = 6;

/// Refuses a delay that the kernel would round down to a multiple of the interval, and IPv6 targets.
fn bond(request: &mut Request) -> Result<(), Invalid> {
    for key in [&BOND_UPDELAY, &BOND_DOWNDELAY] {
        if let (Some(interval @ 1..), Some(delay)) = (request.get(&BOND_MIIMON), request.get(key)) {
            if delay % interval != 0 {
                return Err(Invalid::new(
                    key.field.name,
                    format!("must be a multiple of `bond.miimon` ({interval}), not {delay}"),
                ));
            }
        }
    }
    let is_v6 = |target: &&Value| matches!(target, Value::Address(address) if address.is_ipv6());
    match request.get(&BOND_ARP_IP_TARGET).and_then(|targets| targets.iter().find(is_v6)) {
        Some(target) => Err(Invalid::new(BOND_ARP_IP_TARGET.field.name, format!("`{target}` is not an IPv4 address"))),
        None => Ok(()),
    }
}

/// A bond has only one of these monitors.
pub(super) const ONE_MONITOR: (&Field, &Field, &str) =
    (&BOND_MIIMON.field, &BOND_ARP_INTERVAL.field, "the kernel would turn off one of the two monitors");

/// The kernel would resolve the index of the master in the other namespace.
pub(super) const MASTER_ELSEWHERE: (&Field, &Field, &str) = (
    &MASTER.field,
    &TARGET_NETNS.field,
    "the kernel would look up the master in the target namespace; set the master there with a second call",
);

pub(super) static EXCLUDES: &[(&Field, &Field, &str)] = &[
    ONE_MONITOR,
    (&VXLAN_GROUP.field, &VXLAN_REMOTE.field, "unknown destinations are sent either to a group or to one address"),
    MASTER_ELSEWHERE,
    (
        &BOND_PRIMARY.field,
        &TARGET_NETNS.field,
        "the kernel would look up the port in the target namespace; set it there with a second call",
    ),
    (&VXLAN_TTL.field, &VXLAN_TTL_INHERIT.field, "the TTL is either a number or copied from the inner packet"),
    (&TUN_OWNER.field, &TUN_NO_OWNER.field, "the link has an owner or none"),
];

/// The kernel refuses to forward the frames of STP, of flow control and of link aggregation: the three lowest bits of
/// `bridge.group_fwd_mask` (`BR_GROUPFWD_RESTRICTED`).
const FORWARDED: Only = Only::MultiplesOf(8);

/// Refuses what the kernel would accept and interpret differently: without a VNI it would use 0, and it would ignore
/// the unspecified address. A group and a remote share an attribute, so only the address distinguishes them.
fn vxlan(request: &mut Request) -> Result<(), Invalid> {
    let (id, external) = (&VXLAN_ID.field, &VXLAN_COLLECT_METADATA.field);
    match (request.value(id), request.is_set(&VXLAN_COLLECT_METADATA)) {
        (None, false) => return Err(Invalid::new(id.name, format!("is required unless `{}` is true", external.name))),
        (Some(_), true) => {
            return Err(Invalid::new(id.name, format!("cannot be given together with `{}`", external.name)));
        }
        _ => {}
    }
    if request.is_set(&VXLAN_VNIFILTER) && !request.is_set(&VXLAN_COLLECT_METADATA) {
        return Err(Invalid::new(VXLAN_VNIFILTER.field.name, format!("needs `{}`", external.name)));
    }
    vxlan_addresses(request)?;
    let (min, max) = (&VXLAN_SOURCE_PORT_MIN, &VXLAN_SOURCE_PORT_MAX);
    match (request.get(min), request.get(max)) {
        (None, Some(_)) => Err(Invalid::new(min.field.name, format!("is required with `{}`", max.field.name))),
        (Some(_), None) => Err(Invalid::new(max.field.name, format!("is required with `{}`", min.field.name))),
        (Some(least), Some(most)) if least > most => {
            Err(Invalid::new(max.field.name, format!("is {most}; it must not be less than `{}`", min.field.name)))
        }
        _ => Ok(()),
    }
}

fn vxlan_addresses(request: &mut Request) -> Result<(), Invalid> {
    one_family(request, &[&VXLAN_GROUP.field, &VXLAN_REMOTE.field, &VXLAN_LOCAL.field])?;
    require(request, &VXLAN_GROUP, IpAddr::is_multicast, "must be a multicast group")?;
    for key in [&VXLAN_REMOTE, &VXLAN_LOCAL] {
        let one = |address: &IpAddr| !address.is_multicast() && !address.is_unspecified();
        require(request, key, one, "must be the address of one host")?;
    }
    Ok(())
}

/// Without metadata, a geneve link needs its identifier and its other end.
fn geneve(request: &mut Request) -> Result<(), Invalid> {
    let external = &GENEVE_COLLECT_METADATA;
    for field in [&GENEVE_ID.field, &GENEVE_REMOTE.field] {
        match (request.value(field), request.is_set(external)) {
            (None, false) => {
                return Err(Invalid::new(field.name, format!("is required unless `{}` is true", external.field.name)));
            }
            (Some(_), true) => {
                let why = format!("cannot be given together with `{}`", external.field.name);
                return Err(Invalid::new(field.name, why));
            }
            _ => {}
        }
    }
    known_below(request)?;
    geneve_remote(request)
}

/// Refuses a comparison with a link whose packets may leave by another namespace: the kernel does not report which.
fn known_below(request: &Request) -> Result<(), Invalid> {
    if request.is_set(&EXISTS_OK) && request.value(&TARGET_NETNS.field).is_some() {
        let why = format!(
            "cannot be given together with `{}` for this kind: the kernel does not report through which namespace the \
             link sends",
            TARGET_NETNS.field.name
        );
        return Err(Invalid::new(EXISTS_OK.field.name, why));
    }
    Ok(())
}

fn wireguard(request: &mut Request) -> Result<(), Invalid> {
    known_below(request)?;
    without_mac(request)
}

fn geneve_remote(request: &mut Request) -> Result<(), Invalid> {
    let one = |address: &IpAddr| !address.is_multicast() && !address.is_unspecified();
    require(request, &GENEVE_REMOTE, one, "must be the address of one host")
}

/// Refuses a sample point alone, which the kernel would ignore: it computes both from the bit rate.
fn can(request: &mut Request) -> Result<(), Invalid> {
    match (request.get(&CAN_SAMPLE_POINT), request.get(&CAN_BITRATE)) {
        (Some(_), None) => {
            let why = format!("is required with `{}`", CAN_SAMPLE_POINT.field.name);
            Err(Invalid::new(CAN_BITRATE.field.name, why))
        }
        _ => Ok(()),
    }
}

/// Refuses a hardware address for a link that has none of its own: the kernel would ignore it.
fn without_mac(request: &mut Request) -> Result<(), Invalid> {
    match request.value(&MAC.field) {
        Some(_) => Err(Invalid::new(MAC.field.name, "does not apply to links of this kind")),
        None => Ok(()),
    }
}

/// Refuses a TTL together with packets that may be fragmented, as iproute2 does: for a sit, the kernel would set "don't
/// fragment" in spite of the request.
fn over_ipv4(request: &mut Request) -> Result<(), Invalid> {
    if let (Some(1..), Some(false)) = (request.get(&TUNNEL_TTL), request.get(&TUNNEL_PMTUDISC)) {
        let why = format!("must be 0 if `{}` is false", TUNNEL_PMTUDISC.field.name);
        return Err(Invalid::new(TUNNEL_TTL.field.name, why));
    }
    ends(request, IpAddr::is_ipv4, "must be the IPv4 address of one host")
}

fn over_ipv6(request: &mut Request) -> Result<(), Invalid> {
    ends(request, IpAddr::is_ipv6, "must be the IPv6 address of one host")
}

fn ip_over_ipv4(request: &mut Request) -> Result<(), Invalid> {
    without_mac(request)?;
    over_ipv4(request)
}

fn ip_over_ipv6(request: &mut Request) -> Result<(), Invalid> {
    without_mac(request)?;
    over_ipv6(request)
}

/// An ipip carries IPv4 packets.
fn ipip(request: &mut Request) -> Result<(), Invalid> {
    match request.get(&TUNNEL_PROTOCOL) {
        Some(&"ipv6") => Err(Invalid::new(TUNNEL_PROTOCOL.field.name, "must not be `ipv6`; use the kind `sit`")),
        _ => ip_over_ipv4(request),
    }
}

/// Refuses addresses of the other family, for which the kind has no attribute, and the unspecified address, which means
/// for the kernel that the tunnel has no such end.
fn ends(request: &Request, family: fn(&IpAddr) -> bool, why: &str) -> Result<(), Invalid> {
    let one = |address: &IpAddr| family(address) && !address.is_multicast() && !address.is_unspecified();
    require(request, &TUNNEL_LOCAL, one, why)?;
    require(request, &TUNNEL_REMOTE, one, why)
}

/// Refuses a hardware address in mode `passthru`, in which the kernel uses the address of the parent.
fn macvlan(request: &mut Request) -> Result<(), Invalid> {
    match (request.get(&MACVLAN_MODE), request.get(&MAC)) {
        (Some(&"passthru"), Some(_)) => Err(Invalid::new(
            MAC.field.name,
            "does not apply to mode `passthru`, which \
                                                                          uses the parent's",
        )),
        _ => Ok(()),
    }
}

/// Refuses a hardware address for a tun, which has none, and one of another length, which the kernel would truncate.
/// `/dev/net/tun` makes links only in the namespace in which it was opened, and takes no numbers of queues.
fn tun(request: &mut Request) -> Result<(), Invalid> {
    let inapplicable = [
        (&TARGET_NETNS.field, &NETNS.field),
        (&TX_QUEUES.field, &TUN_MULTI_QUEUE.field),
        (&RX_QUEUES.field, &TUN_MULTI_QUEUE.field),
    ];
    if let Some((field, instead)) = inapplicable.into_iter().find(|(field, _)| request.value(field).is_some()) {
        let why = format!("does not apply to links of this kind; use `{}`", instead.name);
        return Err(Invalid::new(field.name, why));
    }
    match (request.get(&TUN_MODE), request.get(&MAC)) {
        (Some(&"tun"), Some(_)) => Err(Invalid::new(MAC.field.name, "applies to mode `tap` only")),
        (_, Some(mac)) if mac.bytes().len() != ETHERNET => {
            let why = format!("has {} bytes; a tap's address must have {ETHERNET}", mac.bytes().len());
            Err(Invalid::new(MAC.field.name, why))
        }
        _ => Ok(()),
    }
}

/// Refuses a pair over three namespaces: the call has a socket in two.
fn pair(request: &mut Request) -> Result<(), Invalid> {
    let [own, target, peer] = [&NETNS, &TARGET_NETNS, &PEER_NETNS].map(|key| request.get(key));
    match target {
        Some(_) if peer != own && peer != target => {
            let why = format!("must be `{}` or `{}`", NETNS.field.name, TARGET_NETNS.field.name);
            Err(Invalid::new(PEER_NETNS.field.name, why))
        }
        _ => Ok(()),
    }
}

/// Refuses hardware addresses where the pair carries IP packets and has none.
fn netkit(request: &mut Request) -> Result<(), Invalid> {
    pair(request)?;
    let given = [&MAC.field, &PEER_MAC.field].into_iter().find(|field| request.value(field).is_some());
    match (request.get(&NETKIT_MODE), given) {
        (Some(&"l3"), Some(field)) => Err(Invalid::new(field.name, "applies to `netkit.mode` `l2` only")),
        _ => Ok(()),
    }
}

fn require(
    request: &Request,
    key: &'static Key<IpAddr>,
    fits: impl Fn(&IpAddr) -> bool,
    why: &str,
) -> Result<(), Invalid> {
    match request.get(key) {
        Some(address) if !fits(address) => Err(Invalid::new(key.field.name, format!("`{address}` {why}"))),
        _ => Ok(()),
    }
}
