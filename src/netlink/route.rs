// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Routes (`RTM_NEWROUTE` …, rtnetlink(7), `linux/rtnetlink.h`).
#![forbid(unsafe_code)]

mod state;

use std::net::IpAddr;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use nix::errno::Errno;
use serde_json::Map;

use super::inet::{octets, scope_number};
use super::lookup::{Found, VRF};
use super::message::{Attributes, Message};
use super::transaction::{Failure, Route};
use super::{Prepared, not_encoded};
use crate::call::field::{self, Field};
use crate::call::inet::InterfaceAddress;
use crate::call::request::Request;
use crate::call::route::IPV6_METRIC;
use crate::call::value::Element;
use crate::refusal::{Class, Refusal, invalid, redirected};

/// Attributes of a route (`RTA_…`).
mod rta {
    pub(super) const DST: u16 = 1;
    pub(super) const OIF: u16 = 4;
    pub(super) const GATEWAY: u16 = 5;
    pub(super) const PRIORITY: u16 = 6;
    pub(super) const PREFSRC: u16 = 7;
    pub(super) const METRICS: u16 = 8;
    pub(super) const MULTIPATH: u16 = 9;
    pub(super) const TABLE: u16 = 15;
    pub(super) const VIA: u16 = 18;
    pub(super) const NH_ID: u16 = 30;
    /// Inside `METRICS` (`RTAX_MTU`).
    pub(super) const MTU: u16 = 2;
}

/// `AF_INET`, `AF_INET6`
const INET: u8 = 2;
const INET6: u8 = 10;
/// `RTNH_F_ONLINK`
const ONLINK: u8 = 4;
/// `RT_SCOPE_LINK`
const LINK_SCOPE: u8 = 253;

/// `RTN_…`, by their numbers.
static TYPES: [&str; 12] = [
    "unspec",
    "unicast",
    "local",
    "broadcast",
    "anycast",
    "multicast",
    "blackhole",
    "unreachable",
    "prohibit",
    "throw",
    "nat",
    "xresolve",
];

/// Resolves and encodes a call of this family.
pub(super) fn prepare(route: &mut Route, request: &Request) -> Result<Prepared, Refusal> {
    match request.call().name {
        "Route.Add" => make(route, request, NlmF::CREATE | NlmF::EXCL),
        "Route.Replace" => make(route, request, NlmF::CREATE | NlmF::REPLACE),
        "Route.Delete" => remove(route, request),
        "Route.List" => state::list(route, request),
        _ => Err(not_encoded(request)),
    }
}

/// One way: through a gateway, by a link, or both; index 0 leaves the link to the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Way {
    gateway: Option<IpAddr>,
    index: u32,
    weight: u64,
    onlink: bool,
}

/// What a route is, but for its ways.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Core {
    destination: InterfaceAddress,
    table: u32,
    metric: Option<u32>,
    scope: u8,
    protocol: u8,
    kind: u8,
    preferred_source: Option<IpAddr>,
    mtu: Option<u32>,
}

/// Which field says a way's gateway and link.
type Fields = (&'static Field, &'static Field);
static OF_ONE: Fields = (&field::GATEWAY.field, &field::LINK.field);
static OF_SEVERAL: Fields = (&field::NEXTHOPS_GATEWAY.field, &field::NEXTHOPS_LINK.field);

/// `struct rtmsg`, by hand: neli's types know some of the numbers of tables, protocols and types only.
fn head(family: u8, core: &Core, flags: u8) -> [u8; 12] {
    let table = u8::try_from(core.table).unwrap_or(0);
    let length = core.destination.length;
    [family, length, 0, 0, table, core.protocol, core.scope, core.kind, flags, 0, 0, 0]
}

fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { INET } else { INET6 }
}

fn put_core(to: &mut Attributes, core: &Core) -> Result<(), Refusal> {
    if core.destination.length != 0 {
        to.put(rta::DST, &octets(core.destination.address), &field::DESTINATION.field)?;
    }
    if u8::try_from(core.table).is_err() {
        to.put(rta::TABLE, &core.table.to_ne_bytes(), &field::TABLE.field)?;
    }
    if let Some(metric) = core.metric {
        to.put(rta::PRIORITY, &metric.to_ne_bytes(), &field::METRIC.field)?;
    }
    if let Some(source) = core.preferred_source {
        to.put(rta::PREFSRC, &octets(source), &field::PREFERRED_SOURCE.field)?;
    }
    if let Some(mtu) = core.mtu {
        let mut metrics = Attributes::default();
        metrics.put(rta::MTU, &mtu.to_ne_bytes(), &field::MTU.field)?;
        to.nest(rta::METRICS, &[], metrics)?;
    }
    Ok(())
}

/// The gateway of an IPv4 route may be an IPv6 one (`struct rtvia`).
fn put_gateway(to: &mut Attributes, gateway: IpAddr, of: u8, field: &'static Field) -> Result<(), Refusal> {
    if family(gateway) == of {
        return to.put(rta::GATEWAY, &octets(gateway), field);
    }
    to.put(rta::VIA, &[&u16::from(family(gateway)).to_ne_bytes()[..], &octets(gateway)].concat(), field)
}

fn put_way(to: &mut Attributes, way: &Way, family: u8) -> Result<(), Refusal> {
    let (gateway, link) = OF_ONE;
    if let Some(address) = way.gateway {
        put_gateway(to, address, family, gateway)?;
    }
    if way.index != 0 {
        to.put(rta::OIF, &way.index.to_ne_bytes(), link)?;
    }
    Ok(())
}

/// `struct rtnexthop`, each with its attributes.
fn put_ways(to: &mut Attributes, ways: &[Way], family: u8) -> Result<(), Refusal> {
    let mut all = Attributes::default();
    for way in ways {
        let mut inner = Attributes::default();
        if let Some(address) = way.gateway {
            put_gateway(&mut inner, address, family, OF_SEVERAL.0)?;
        }
        let length = u16::try_from(8 + inner.len()).map_err(|_| invalid("nexthops", "is too long"))?.to_ne_bytes();
        let flags = if way.onlink { ONLINK } else { 0 };
        let hops =
            u8::try_from(way.weight.saturating_sub(1)).map_err(|_| invalid("nexthops.weight", "is too large"))?;
        all.join(&[&length[..], &[flags, hops], &way.index.to_ne_bytes()].concat(), inner);
    }
    to.hold(rta::MULTIPATH, all)
}

fn number(value: u64, field: &'static Field) -> Result<u32, Refusal> {
    u32::try_from(value).map_err(|_| invalid(field.name, "does not fit 32 bits"))
}

/// The number of a type that a request can name.
fn kind_number(word: &str) -> Option<u8> {
    TYPES.iter().position(|known| *known == word).and_then(|number| u8::try_from(number).ok())
}

/// A byte that the declaration keeps in range.
fn byte(value: Option<&u64>) -> u8 {
    value.and_then(|number| u8::try_from(*number).ok()).unwrap_or(0)
}

/// What iproute2 would send: a route without a gateway reaches the link, any other the world.
fn scope_of(request: &Request, kind: &str) -> u8 {
    let is_near = request.get(&field::GATEWAY).is_none() && request.get(&field::NEXTHOPS).is_none();
    let is_v4 = request.get(&field::DESTINATION).is_some_and(|prefix| prefix.address.is_ipv4());
    match request.get(&field::SCOPE) {
        Some(word) => scope_number(word),
        None if is_v4 && is_near && kind == "unicast" => LINK_SCOPE,
        None => scope_number("global"),
    }
}

/// What the kernel gives a route without a metric.
fn own_metric(destination: IpAddr) -> u64 {
    if destination.is_ipv6() { IPV6_METRIC } else { 0 }
}

fn core(request: &Request) -> Result<Core, Refusal> {
    let kind = *request.needed(&field::ROUTE_TYPE)?;
    let destination = *request.needed(&field::DESTINATION)?;
    let metric = request.get(&field::METRIC).filter(|metric| **metric != own_metric(destination.address));
    let metric = metric.map(|metric| number(*metric, &field::METRIC.field)).transpose()?;
    Ok(Core {
        destination,
        table: number(*request.needed(&field::TABLE)?, &field::TABLE.field)?,
        metric,
        scope: scope_of(request, kind),
        protocol: byte(request.get(&field::PROTOCOL)),
        kind: kind_number(kind).ok_or_else(|| not_encoded(request))?,
        preferred_source: request.get(&field::PREFERRED_SOURCE).copied(),
        mtu: request.get(&field::MTU).map(|mtu| number(*mtu, &field::MTU.field)).transpose()?,
    })
}

/// The one way of a route without `nexthops`.
fn way(route: &mut Route, request: &Request) -> Result<Way, Refusal> {
    let link = route.find_field(&field::LINK, request)?;
    let way = Way {
        gateway: request.get(&field::GATEWAY).copied(),
        index: link.map_or(0, |link| link.index.unsigned_abs()),
        weight: 1,
        onlink: request.is_set(&field::ONLINK),
    };
    require_own_link(&way, link, &field::LINK.field)?;
    Ok(way)
}

fn several(route: &mut Route, elements: &[Element]) -> Result<Vec<Way>, Refusal> {
    let mut ways = Vec::new();
    for element in elements {
        let name = element.get(&field::NEXTHOPS_LINK);
        let link = name.map(|name| route.find(&field::NEXTHOPS_LINK.field, name)).transpose()?;
        let way = Way {
            gateway: element.get(&field::NEXTHOPS_GATEWAY).copied(),
            index: link.map_or(0, |link| link.index.unsigned_abs()),
            weight: element.get(&field::NEXTHOPS_WEIGHT).copied().unwrap_or(1),
            onlink: element.get(&field::NEXTHOPS_ONLINK) == Some(&true),
        };
        require_own_link(&way, link, &field::NEXTHOPS_LINK.field)?;
        ways.push(way);
    }
    Ok(ways)
}

/// For an IPv4 gateway the kernel looks in the table of a VRF, and writes the port that it finds into the route in place
/// of the VRF (`fib_check_nh_v4_gw`). It keeps the link of an on-link gateway, and refuses an IPv6 gateway that is behind
/// another link.
fn require_own_link(way: &Way, link: Option<Found>, field: &'static Field) -> Result<(), Refusal> {
    match (way.gateway, link.and_then(|link| link.kind)) {
        (Some(IpAddr::V4(_)), Some(VRF)) if !way.onlink => {
            let why = "it is a VRF: the kernel would put the route on the port of it that leads to the gateway";
            Err(redirected(field, why))
        }
        _ => Ok(()),
    }
}

fn make(route: &mut Route, request: &Request, how: NlmF) -> Result<Prepared, Refusal> {
    let core = core(request)?;
    let family = family(core.destination.address);
    let mut attributes = Attributes::default();
    put_core(&mut attributes, &core)?;
    let (ways, flags) = match request.get(&field::NEXTHOPS) {
        Some(elements) => {
            let ways = several(route, elements)?;
            put_ways(&mut attributes, &ways, family)?;
            (ways, 0)
        }
        None => {
            let way = way(route, request)?;
            put_way(&mut attributes, &way, family)?;
            let flags = if way.onlink { ONLINK } else { 0 };
            (vec![way], flags)
        }
    };
    let message = Message::new(Rtm::Newroute, how | NlmF::ACK, &head(family, &core, flags), attributes);
    let request = request.clone();
    Ok(Prepared::new(move |route, _| {
        match route.act(&message, &mut |_, _| {}) {
            Ok(()) => {}
            Err(Failure::Refused { errno: Errno::EEXIST, .. }) if request.is_set(&field::EXISTS_OK) => {
                state::same(route, &core, &ways, &request)?;
            }
            Err(failure) => return Err(refused(failure, &request)),
        }
        Ok(Map::new())
    }))
}

/// The kernel compares less than can be asked for, IPv6 next to nothing: so the table is listed first, and the first
/// route that matches in every given field is removed by all that identifies it.
fn remove(route: &mut Route, request: &Request) -> Result<Prepared, Refusal> {
    let tolerant = request.is_set(&field::MISSING_OK);
    let wanted = match state::Wanted::of(route, request) {
        Err(Refusal::NoSuchLink { .. }) if tolerant => return Ok(Prepared::new(|_, _| Ok(Map::new()))),
        other => other?,
    };
    let request = request.clone();
    Ok(Prepared::new(move |route, _| {
        let absent = Failure::Refused { errno: Errno::ESRCH, text: None, field: Some(&field::DESTINATION.field) };
        let result = match state::first(route, &wanted).map_err(|failure| refused(failure, &request))? {
            Some(found) => route.act(&found.removal()?, &mut |_, _| {}),
            None => Err(absent),
        };
        match result {
            Ok(()) => Ok(Map::new()),
            Err(Failure::Refused { errno: Errno::ESRCH, .. }) if tolerant => Ok(Map::new()),
            Err(Failure::Broken(Refusal::NoSuchLink { .. })) if tolerant => Ok(Map::new()),
            Err(failure) => Err(refused(failure, &request)),
        }
    }))
}

/// What the kernel said to a change.
fn refused(failure: Failure, request: &Request) -> Refusal {
    let class = if request.call().verb() == "Delete" { Class::NotFound } else { Class::KernelRefused };
    let is_v6 = request.get(&field::DESTINATION).is_some_and(|prefix| prefix.address.is_ipv6());
    let in_steps = request.call().verb() == "Replace" && is_v6 && request.get(&field::NEXTHOPS).is_some();
    failure.of(class, in_steps)
}
