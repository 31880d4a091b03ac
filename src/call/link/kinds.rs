// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Kinds of links that `Link.Add` makes, and what `Link.List` tells of them besides.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use super::super::field::{
    BRIDGE_AGEING_TIME, BRIDGE_FORWARD_DELAY, BRIDGE_STP, BRIDGE_VLAN_DEFAULT_PVID, BRIDGE_VLAN_FILTERING, Field, Key,
    MAC, MACVLAN_MODE, PARENT, PEER_MAC, PEER_MTU, PEER_NAME, PEER_NETNS, PEER_UP, TUN_GROUP, TUN_MODE, TUN_OWNER,
    VXLAN_COLLECT_METADATA, VXLAN_GROUP, VXLAN_ID, VXLAN_LEARNING, VXLAN_LOCAL, VXLAN_PORT, VXLAN_PROXY, VXLAN_REMOTE,
    VXLAN_SOURCE_PORT_MAX, VXLAN_SOURCE_PORT_MIN, VXLAN_TOS, VXLAN_TTL,
};
use super::super::request::{Invalid, Request};
use super::super::settle::one_family;
use super::super::{
    AS_READ, Absence, Constant, Kind, Needs, Part, Shape, Use, chosen, declared, number, off, perhaps, required,
    untouched, word,
};

static IN_PEER_NETNS: &[&Field] = &[&PEER_NETNS.field];

pub(super) static BRIDGE: &[Part] = &[
    perhaps("stp", Shape::Bool, "Whether the spanning tree protocol runs."),
    perhaps("forward_delay", Shape::Int, "In hundredths of a second."),
    perhaps("ageing_time", Shape::Int, "In hundredths of a second."),
    perhaps("vlan_filtering", Shape::Bool, "Whether the bridge filters by VLAN."),
    perhaps("vlan_default_pvid", Shape::Int, "VLAN of untagged frames at new ports; 0 for none."),
];

pub(super) static VXLAN: &[Part] = &[
    perhaps("id", Shape::Int, "Number of the segment; 0 where it comes with each packet."),
    perhaps("group", Shape::String, "The multicast group of unknown destinations."),
    perhaps("remote", Shape::String, "The one address of unknown destinations."),
    perhaps("local", Shape::String, "The address that packets come from."),
    perhaps("port", Shape::Int, "The UDP port that packets are sent to and received at."),
    perhaps("source_port_min", Shape::Int, "The lowest UDP port that packets are sent from; 0 is the kernel's choice."),
    perhaps("source_port_max", Shape::Int, "The highest."),
    perhaps("ttl", Shape::Int, "Time to live of the packets, in hops; 0 is the kernel's own."),
    perhaps("tos", Shape::Int, "Type of service of the packets; 1 takes it from what is inside."),
    perhaps("learning", Shape::Bool, "Whether it learns where a hardware address is from what it receives."),
    perhaps("proxy", Shape::Bool, "Whether it answers ARP in place of others."),
    perhaps("collect_metadata", Shape::Bool, "Whether segment and destination come with each packet."),
];

pub(super) static MACVLAN: &[Part] =
    &[perhaps("mode", Shape::String, "How the links of one parent hear each other; an unknown mode as its number.")];

pub(super) static TUN: &[Part] = &[
    perhaps("mode", Shape::String, "`tap` for Ethernet frames, `tun` for IP packets."),
    perhaps("owner", Shape::Int, "The uid whose programs may attach to it."),
    perhaps("group", Shape::Int, "The gid whose programs may attach to it."),
    perhaps("persist", Shape::Bool, "Whether it stays without a program that is attached to it."),
];

/// What macvlan and macvtap have.
static ON_A_PARENT: &[Use] = &[required(&PARENT.field), word(&MACVLAN_MODE.field, "vepa")];

pub(super) static KINDS: &[Kind] = &[
    Kind {
        name: "veth",
        needs: Needs::NetAdmin,
        uses: &[
            required(&PEER_NAME.field).counting_in(IN_PEER_NETNS).giving_a_name(),
            required(&PEER_NETNS.field),
            untouched(&PEER_MAC.field),
            untouched(&PEER_MTU.field),
            off(&PEER_UP.field),
        ],
        settle: AS_READ,
    },
    Kind {
        name: "bridge",
        needs: Needs::NetAdmin,
        uses: &[
            untouched(&BRIDGE_STP.field),
            untouched(&BRIDGE_FORWARD_DELAY.field),
            untouched(&BRIDGE_AGEING_TIME.field),
            untouched(&BRIDGE_VLAN_FILTERING.field),
            untouched(&BRIDGE_VLAN_DEFAULT_PVID.field),
        ],
        settle: AS_READ,
    },
    Kind {
        name: "vxlan",
        needs: Needs::NetAdmin,
        uses: &[
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
        settle: vxlan,
    },
    Kind { name: "macvlan", needs: Needs::NetAdmin, uses: ON_A_PARENT, settle: macvlan },
    Kind { name: "macvtap", needs: Needs::NetAdmin, uses: ON_A_PARENT, settle: macvlan },
    Kind { name: "ifb", needs: Needs::NetAdmin, uses: &[], settle: AS_READ },
    Kind {
        name: "tun",
        needs: Needs::Tun,
        uses: &[
            required(&TUN_MODE.field),
            declared(&TUN_OWNER.field, Absence::Default(Constant::Uid)),
            untouched(&TUN_GROUP.field),
        ],
        settle: tun,
    },
];

/// Bytes of a hardware address (`ETH_ALEN`).
const ETHERNET: usize = 6;

pub(super) static EXCLUDES: &[(&Field, &Field, &str)] =
    &[(&VXLAN_GROUP.field, &VXLAN_REMOTE.field, "unknown destinations are sent to a group, or to one address")];

/// The kernel would make segment 0 where none is given, take a group for a remote and a remote for a group, and an
/// address of zeros for none.
fn vxlan(request: &mut Request) -> Result<(), Invalid> {
    let (id, external) = (&VXLAN_ID.field, &VXLAN_COLLECT_METADATA.field);
    match (request.value(id), request.is_set(&VXLAN_COLLECT_METADATA)) {
        (None, false) => return Err(Invalid::new(id.name, format!("is missing, and `{}` is not true", external.name))),
        (Some(_), true) => return Err(Invalid::new(id.name, format!("stands together with `{}`", external.name))),
        _ => {}
    }
    one_family(request, &[&VXLAN_GROUP.field, &VXLAN_REMOTE.field, &VXLAN_LOCAL.field])?;
    require(request, &VXLAN_GROUP, IpAddr::is_multicast, "is no multicast group")?;
    for key in [&VXLAN_REMOTE, &VXLAN_LOCAL] {
        let one = |address: &IpAddr| !address.is_multicast() && !address.is_unspecified();
        require(request, key, one, "is not the address of one host")?;
    }
    let (min, max) = (&VXLAN_SOURCE_PORT_MIN, &VXLAN_SOURCE_PORT_MAX);
    match (request.get(min), request.get(max)) {
        (None, Some(_)) => Err(Invalid::new(min.field.name, format!("is missing beside `{}`", max.field.name))),
        (Some(_), None) => Err(Invalid::new(max.field.name, format!("is missing beside `{}`", min.field.name))),
        (Some(least), Some(most)) if least > most => {
            Err(Invalid::new(max.field.name, format!("is {most}, less than `{}`", min.field.name)))
        }
        _ => Ok(()),
    }
}

/// The kernel would give it its parent's hardware address, whatever was asked for.
fn macvlan(request: &mut Request) -> Result<(), Invalid> {
    match (request.get(&MACVLAN_MODE), request.get(&MAC)) {
        (Some(&"passthru"), Some(_)) => Err(Invalid::new(MAC.field.name, "is the parent's in mode `passthru`")),
        _ => Ok(()),
    }
}

/// The kernel would have no place for a hardware address, and cut a longer one.
fn tun(request: &mut Request) -> Result<(), Invalid> {
    match (request.get(&TUN_MODE), request.get(&MAC)) {
        (Some(&"tun"), Some(_)) => Err(Invalid::new(MAC.field.name, "is for links of Ethernet frames: mode `tap`")),
        (_, Some(mac)) if mac.bytes().len() != ETHERNET => {
            let why = format!("has {} bytes, a tap's address has {ETHERNET}", mac.bytes().len());
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
