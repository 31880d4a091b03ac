// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kinds of links that `Link.Add` makes and `Link.Set` changes, and what `Link.List` reports for each.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use super::super::field::{
    BOND_AD_SELECT, BOND_ALL_PORTS_ACTIVE, BOND_ARP_INTERVAL, BOND_ARP_IP_TARGET, BOND_DOWNDELAY, BOND_FAIL_OVER_MAC,
    BOND_LACP_RATE, BOND_MIIMON, BOND_MIN_LINKS, BOND_MODE, BOND_PRIMARY, BOND_UPDELAY, BOND_XMIT_HASH_POLICY,
    BRIDGE_AGEING_TIME, BRIDGE_FORWARD_DELAY, BRIDGE_STP, BRIDGE_VLAN_DEFAULT_PVID, BRIDGE_VLAN_FILTERING, EXISTS_OK,
    Field, Key, MAC, MACVLAN_MODE, PARENT, PEER_MAC, PEER_MTU, PEER_NAME, PEER_NETNS, PEER_UP, TUN_GROUP, TUN_MODE,
    TUN_OWNER, VXLAN_COLLECT_METADATA, VXLAN_GROUP, VXLAN_ID, VXLAN_LEARNING, VXLAN_LOCAL, VXLAN_PORT, VXLAN_PROXY,
    VXLAN_REMOTE, VXLAN_SOURCE_PORT_MAX, VXLAN_SOURCE_PORT_MIN, VXLAN_TOS, VXLAN_TTL,
};
use super::super::object::{Cast, Form, Place, Row, Width, headed, result, row};
use super::super::request::{Invalid, Request};
use super::super::settle::one_family;
use super::super::value::Value;
use super::super::{
    Absence, Constant, Kind, Needs, Use, Visit, chosen, declared, kind, number, off, required, untouched, word,
};

static IN_PEER_NETNS: &[&Field] = &[&PEER_NETNS.field];

/// An attribute of a kind's data (`IFLA_INFO_DATA` in `IFLA_LINKINFO`).
macro_rules! data {
    ($attribute:expr) => {
        Place::Attribute(&[18, 2, $attribute])
    };
}

/// `VETH_INFO_PEER`: a link, with its header, in a link's data.
const PEER: u32 = headed(1, 16);

static VETH: &[Row] = &[
    row(&PEER_NAME.field, Place::Attribute(&[18, 2, PEER, 3]), Form::Name).only_written(),
    row(&PEER_NETNS.field, Place::Attribute(&[18, 2, PEER, 28]), Form::Netns).only_written(),
    row(&PEER_MAC.field, Place::Attribute(&[18, 2, PEER, 1]), Form::Mac).only_written(),
    row(&PEER_MTU.field, Place::Attribute(&[18, 2, PEER, 4]), Form::Number(Width::Four)).only_written(),
    row(&PEER_UP.field, Place::Code, Form::Flag(Width::One)).only_written(),
    result(
        "peer_index",
        Place::Attribute(&[5]),
        Form::Positive(Width::Four),
        "The interface index of the other end of the veth pair, in the namespace of that end.",
    ),
];

const PARENT_INDEX: &str = "The interface index of the parent, in the namespace of the parent.";

/// `IFLA_LINK`, which most links have that are on top of another.
static ON_PARENT: &[Row] = &[
    row(&PARENT.field, Place::Attribute(&[5]), Form::Link),
    result("parent_index", Place::Attribute(&[5]), Form::Positive(Width::Four), PARENT_INDEX),
];

/// The tables of the kinds that a request cannot make.
pub(crate) static OTHER: &[&[Row]] = &[ON_PARENT];

/// `IFLA_BR_…` (`linux/if_link.h`).
static BRIDGE: &[Row] = &[
    row(&BRIDGE_FORWARD_DELAY.field, data!(1), Form::Ticks(Width::Four)).adjusted(),
    row(&BRIDGE_AGEING_TIME.field, data!(4), Form::Ticks(Width::Four)),
    row(&BRIDGE_STP.field, data!(5), Form::Flag(Width::Four)),
    row(&BRIDGE_VLAN_FILTERING.field, data!(7), Form::Flag(Width::One)),
    row(&BRIDGE_VLAN_DEFAULT_PVID.field, data!(39), Form::Number(Width::Two)).adjusted(),
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
    untouched(&BRIDGE_VLAN_FILTERING.field),
    untouched(&BRIDGE_VLAN_DEFAULT_PVID.field),
];

/// The kinds whose own fields `Link.Set` can change.
pub(super) static CHANGED: &[Kind] =
    &[kind("bridge", BRIDGE_FIELDS, &[BRIDGE]), kind("bond", BOND_FIELDS, &[BOND]).settled(bond)];

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
    row(&VXLAN_TOS.field, data!(6), Form::Number(Width::One)),
    row(&VXLAN_LEARNING.field, data!(7), Form::Flag(Width::One)).or(not_learning),
    row(&VXLAN_SOURCE_PORT_MIN.field, Place::Inside(&[18, 2, 10], 0, 4), Form::Number(Width::Net2)),
    row(&VXLAN_SOURCE_PORT_MAX.field, Place::Inside(&[18, 2, 10], 2, 4), Form::Number(Width::Net2)),
    row(&VXLAN_PROXY.field, data!(11), Form::Flag(Width::One)),
    row(&VXLAN_PORT.field, data!(15), Form::Number(Width::Net2)),
    row(&VXLAN_COLLECT_METADATA.field, data!(25), Form::Flag(Width::One)),
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
    result(
        "tun.persist",
        data!(6),
        Form::Flag(Width::One),
        "Whether the link exists without a program that is attached to it.",
    ),
];

/// The fields of macvlan and macvtap.
static ON_A_PARENT: &[Use] = &[required(&PARENT.field), word(&MACVLAN_MODE.field, "vepa")];

/// The call compares the other end of a pair, or sets it up.
const AT_PEER: Visit =
    Visit { netns: &PEER_NETNS.field, when: |request| request.is_set(&EXISTS_OK) || request.is_set(&PEER_UP) };

/// Kinds on whose links the kernel puts no macvlan: it uses the link below instead.
const STACKED: &[&str] = &["macvlan", "macvtap", "ipvlan", "ipvtap"];

pub(super) static KINDS: &[Kind] = &[
    kind(
        "veth",
        &[
            required(&PEER_NAME.field).counting_in(IN_PEER_NETNS).giving_a_name(),
            required(&PEER_NETNS.field),
            untouched(&PEER_MAC.field),
            untouched(&PEER_MTU.field),
            off(&PEER_UP.field),
        ],
        &[VETH],
    )
    .visiting(AT_PEER),
    kind("bridge", BRIDGE_FIELDS, &[ON_PARENT, BRIDGE]),
    kind("bond", BOND_FIELDS, &[ON_PARENT, BOND]).settled(bond),
    kind(
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
            untouched(&VXLAN_TOS.field),
            chosen(&VXLAN_LEARNING.field),
            off(&VXLAN_PROXY.field),
            off(&VXLAN_COLLECT_METADATA.field),
        ],
        &[VXLAN],
    )
    .settled(vxlan),
    kind("macvlan", ON_A_PARENT, &[ON_PARENT, MACVLAN]).settled(macvlan).sinking_through(STACKED),
    kind("macvtap", ON_A_PARENT, &[ON_PARENT, MACVLAN]).settled(macvlan).sinking_through(STACKED),
    kind("ifb", &[], &[ON_PARENT]),
    kind(
        "tun",
        &[
            required(&TUN_MODE.field),
            declared(&TUN_OWNER.field, Absence::Default(Constant::Uid)),
            untouched(&TUN_GROUP.field),
        ],
        &[ON_PARENT, TUN],
    )
    .settled(tun)
    .needing(Needs::TUN),
];

/// The kinds as keywords; the kernel knows them by name.
pub(in super::super) static KIND_WORDS: [(&str, u32); KINDS.len()] = kind_words();

#[allow(clippy::indexing_slicing, reason = "const")]
const fn kind_words() -> [(&'static str, u32); KINDS.len()] {
    let mut words = [("", 0); KINDS.len()];
    let mut at = 0;
    while at < words.len() {
        words[at].0 = KINDS[at].name;
        at += 1;
    }
    words
}

/// Bytes of a hardware address (`ETH_ALEN`).
const ETHERNET: usize = 6;

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

pub(super) static EXCLUDES: &[(&Field, &Field, &str)] = &[
    ONE_MONITOR,
    (&VXLAN_GROUP.field, &VXLAN_REMOTE.field, "unknown destinations are sent either to a group or to one address"),
];

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
    one_family(request, &[&VXLAN_GROUP.field, &VXLAN_REMOTE.field, &VXLAN_LOCAL.field])?;
    require(request, &VXLAN_GROUP, IpAddr::is_multicast, "must be a multicast group")?;
    for key in [&VXLAN_REMOTE, &VXLAN_LOCAL] {
        let one = |address: &IpAddr| !address.is_multicast() && !address.is_unspecified();
        require(request, key, one, "must be the address of one host")?;
    }
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
fn tun(request: &mut Request) -> Result<(), Invalid> {
    match (request.get(&TUN_MODE), request.get(&MAC)) {
        (Some(&"tun"), Some(_)) => Err(Invalid::new(MAC.field.name, "applies to mode `tap` only")),
        (_, Some(mac)) if mac.bytes().len() != ETHERNET => {
            let why = format!("has {} bytes; a tap's address must have {ETHERNET}", mac.bytes().len());
            Err(Invalid::new(MAC.field.name, why))
        }
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
