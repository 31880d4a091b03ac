// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Routes (`RTM_NEWROUTE` …, rtnetlink(7), `linux/rtnetlink.h`).
#![forbid(unsafe_code)]

mod removal;

use std::net::IpAddr;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use nix::errno::Errno;
use serde_json::{Map, Value};

use super::answer::{at, i32_at};
use super::inet::{INET, INET6, family, ip};
use super::listing::{Listing, Names};
use super::message::{Attributes, Encoded, Message};
use super::rows::{Given, Members, Seen, View, encode, unparsed};
use super::sides::{After, Before, number};
use super::transaction::{Netlink, TransactionError};
use super::{Encoder, Prepared};
use crate::call::field::{self, Field};
use crate::call::name::LinkName;
use crate::call::object::Row;
use crate::call::request::Request;
use crate::call::route::IPV6_METRIC;
use crate::call::value::Value as Held;
use crate::call::{NEXTHOP_STATE, ROUTE_STATE};
use crate::refusal::{Class, Refusal, differs, invalid, unsuitable};

const STEP: &str = "parse a route";
/// Attributes of a route (`RTA_…`) that code writes or reads.
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

/// `RTNH_F_ONLINK`
const ONLINK: u8 = 4;

pub(super) static ENCODERS: &[Encoder] = &[
    Encoder {
        call: "Route.Add",
        prepare: make,
        object: Some(&ROUTE_STATE),
        settled: &[&field::FAMILY.field, &field::EXISTS_OK.field],
    },
    Encoder { call: "Route.Replace", prepare: make, object: Some(&ROUTE_STATE), settled: &[&field::FAMILY.field] },
    Encoder {
        call: "Route.Delete",
        prepare: remove,
        object: Some(&ROUTE_STATE),
        settled: &[&field::FAMILY.field, &field::MISSING_OK.field],
    },
    Encoder { call: "Route.List", prepare: list, object: None, settled: &[] },
];

/// One next hop; index 0 leaves the link to the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hop {
    gateway: Option<IpAddr>,
    index: u32,
    weight: u8,
    is_onlink: bool,
}

/// `struct rtnexthop` of each next hop that is given, with its attributes.
fn put_hops(to: &mut Attributes, given: &Given) -> Result<(), Refusal> {
    let mut all = Attributes::default();
    for view in given.elements(&field::NEXTHOPS) {
        let Encoded { mut head, attributes } = encode(NEXTHOP_STATE.head, NEXTHOP_STATE.rows, view)?;
        let length = head.len() + attributes.len();
        let length = u16::try_from(length).map_err(|_| invalid("nexthops", "is too long"))?;
        head.splice(..2, length.to_ne_bytes());
        all.join(&head, attributes);
    }
    if all.is_empty() { Ok(()) } else { to.hold(rta::MULTIPATH, all) }
}

/// For an IPv4 gateway the kernel looks in the table of a VRF, and writes the port that it finds into the route in place
/// of the VRF (`fib_check_nh_v4_gw`). It keeps the link of an on-link gateway, and refuses an IPv6 gateway that is behind
/// another link.
fn require_own_link(given: &Given) -> Result<(), Refusal> {
    let one = [(given.view(), &field::LINK.field, &field::GATEWAY.field, &field::ONLINK)];
    let several = given
        .elements(&field::NEXTHOPS)
        .map(|view| (view, &field::NEXTHOPS_LINK.field, &field::NEXTHOPS_GATEWAY.field, &field::NEXTHOPS_ONLINK));
    for (view, link, gateway, onlink) in one.into_iter().chain(several) {
        let is_vrf = view.link(link).is_some_and(|link| link.is_kind("vrf"));
        let is_v4 = matches!(view.value(gateway), Some(Held::Address(IpAddr::V4(_))));
        let is_onlink = view.value(&onlink.field) == Some(&Held::Bool(true));
        if is_vrf && is_v4 && !is_onlink {
            let why = "it is a VRF: the kernel would put the route on the port of it that leads to the gateway";
            return Err(unsuitable(link, why));
        }
    }
    Ok(())
}

/// `Route.Add` and `Route.Replace`
fn make(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let request = before.request();
    let destination = *request.needed(&field::DESTINATION)?;
    let given = before.resolve(ROUTE_STATE.rows.iter(), family(destination.address))?;
    require_own_link(&given)?;
    // The metric that a route has without one is not sent.
    let is_own = request.get(&field::METRIC) == Some(&own_metric(given.family));
    let rows = ROUTE_STATE.rows.iter().filter(|row| !is_own || row.field() != Some(&field::METRIC.field));
    let mut encoded = encode(ROUTE_STATE.head, rows, given.view())?;
    put_hops(&mut encoded.attributes, &given)?;
    let replaces = given.request.call().verb() == "Replace";
    let flags = NlmF::CREATE | NlmF::ACK | if replaces { NlmF::REPLACE } else { NlmF::EXCL };
    let message = Message::route(Rtm::Newroute, flags, encoded);
    Ok(Prepared::new(move |after, _| after.make(&message, &given.request, refused, |after| same(after, &given))))
}

/// The kernel compares less than can be requested, IPv6 next to nothing: so the table is listed first, and the first
/// route that matches in every given field is removed by all that identifies it.
fn remove(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let tolerant = before.request().is_set(&field::MISSING_OK);
    let wanted = Wanted::look_up(&mut before)?;
    Ok(Prepared::new(move |after, _| {
        let request = &wanted.given.request;
        let absent =
            TransactionError::Refused { errno: Errno::ESRCH, text: None, field: Some(&field::DESTINATION.field) };
        let result = match removal::first(after, &wanted).map_err(|failure| refused(failure, request))? {
            Some(found) => after.act(&removal::message(&found)?, &mut |_| Ok(())),
            None => Err(absent),
        };
        match result {
            Ok(()) => Ok(Map::new()),
            Err(TransactionError::Refused { errno: Errno::ESRCH, .. }) if tolerant => Ok(Map::new()),
            Err(failure) => Err(refused(failure, request)),
        }
    }))
}

/// What the kernel said to a change.
fn refused(failure: TransactionError, request: &Request) -> Refusal {
    let class = if request.call().verb() == "Delete" { Class::NotFound } else { Class::KernelRefused };
    let is_v6 = request.get(&field::DESTINATION).is_some_and(|prefix| prefix.address.is_ipv6());
    let in_steps = request.call().verb() == "Replace" && is_v6 && request.get(&field::NEXTHOPS).is_some();
    failure.into_refusal(class, in_steps)
}

/// A request can mean no route for packets of one type of service only, or from some sources only.
fn is_for_all_packets(seen: &Seen<'_>) -> bool {
    seen.head(2).get(..2) == Some(&[0, 0])
}

fn read(payload: &[u8]) -> Option<Seen<'_>> {
    let seen = Seen::new(&ROUTE_STATE, payload)?;
    [INET, INET6].contains(&seen.family()).then_some(seen)
}

/// Whether all of it is as the kernel writes it.
fn parses(seen: &Seen<'_>) -> bool {
    several(seen).is_some() && seen.parses(ROUTE_STATE.rows)
}

/// The next hops of a route with several (`struct rtnexthop`, one after the other, each with its attributes); `None` where
/// they do not parse.
fn several<'s>(seen: &'s Seen<'_>) -> Option<Vec<Seen<'s>>> {
    let mut rest = seen.get(rta::MULTIPATH).unwrap_or_default();
    let mut hops = Vec::new();
    while !rest.is_empty() {
        let length = usize::from(u16::from_ne_bytes(at(rest, 0)?));
        hops.push(Seen::new(&NEXTHOP_STATE, rest.get(..length)?)?);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(hops)
}

/// The next hops of a route.
fn hops(seen: &Seen<'_>) -> Vec<Hop> {
    let gateway = |seen: &Seen<'_>| {
        let via = || seen.get(rta::VIA).and_then(|via| via.get(2..)).and_then(ip);
        seen.get(rta::GATEWAY).and_then(ip).or_else(via)
    };
    let index = |bytes: Option<&[u8]>| bytes.and_then(|bytes| i32_at(bytes, 0)).map_or(0, i32::unsigned_abs);
    let is_onlink = |flags: &[u8]| flags.first().is_some_and(|flags| flags & ONLINK != 0);
    let several = several(seen).unwrap_or_default();
    if several.is_empty() {
        let (index, is_onlink) = (index(seen.get(rta::OIF)), is_onlink(seen.head(8)));
        return vec![Hop { gateway: gateway(seen), index, weight: 0, is_onlink }];
    }
    let hop = |hop: &Seen<'_>| Hop {
        gateway: gateway(hop),
        index: index(Some(hop.head(4))),
        weight: hop.head(3).first().copied().unwrap_or(0),
        is_onlink: is_onlink(hop.head(2)),
    };
    several.iter().map(hop).collect()
}

/// Asks for routes; the kernel filters by family, table, link and protocol (strict checking).
fn question(family: u8, table: u32, index: u32, protocol: u8) -> Result<Message, Refusal> {
    let small = u8::try_from(table);
    let mut attributes = Attributes::default();
    if small.is_err() {
        attributes.put(rta::TABLE, &table.to_ne_bytes(), &field::TABLE.field)?;
    }
    if index != 0 {
        attributes.put(rta::OIF, &index.to_ne_bytes(), &field::LINK.field)?;
    }
    let head = vec![family, 0, 0, 0, small.unwrap_or(0), protocol, 0, 0, 0, 0, 0, 0];
    Ok(Message::route(Rtm::Getroute, NlmF::DUMP, Encoded { head, attributes }))
}

/// A table that was never used is empty.
fn or_empty<T: Default>(result: Result<T, TransactionError>, table: u32) -> Result<T, TransactionError> {
    match result {
        Err(TransactionError::Refused { errno: Errno::ENOENT, .. }) if table != 0 => Ok(T::default()),
        other => other,
    }
}

/// Fetches the routes that `is_meant` is true of: a table may hold a million others.
fn fetch(
    netlink: &mut Netlink,
    message: &Message,
    table: u32,
    is_meant: impl Fn(&Seen<'_>) -> Option<bool>,
) -> Result<Vec<Seen<'static>>, TransactionError> {
    let found = netlink.pick(message, STEP, |payload| {
        let seen = read(payload)?;
        if is_meant(&seen)? { parses(&seen).then(|| Some(seen.into_owned())) } else { Some(None) }
    });
    or_empty(found, table)
}

/// Whether a route is to the destination that is given; `None` where the message is not as the kernel writes it.
fn is_to(seen: &Seen<'_>, given: &Given) -> Option<bool> {
    let row = ROUTE_STATE.rows.iter().find(|row| row.field() == Some(&field::DESTINATION.field));
    let wanted = given.request.value(&field::DESTINATION.field);
    let own = seen.value(row?)?;
    Some(own.zip(wanted).is_some_and(|(own, wanted)| own.is(wanted)))
}

/// What a route must be like.
#[derive(Debug)]
struct Wanted {
    given: Given,
    families: Vec<u8>,
    table: u32,
    protocol: u8,
    index: u32,
}

impl Wanted {
    /// Reads the fields of a request that are filters, and looks up its links.
    fn look_up(before: &mut Before<'_>) -> Result<Self, Refusal> {
        let request = before.request();
        let families = match (request.get(&field::DESTINATION), request.get(&field::FAMILY)) {
            (Some(prefix), _) => vec![family(prefix.address)],
            (None, Some(&"inet")) => vec![INET],
            (None, Some(_)) => vec![INET6],
            (None, None) => vec![INET, INET6],
        };
        let table = number(request, &field::TABLE)?.unwrap_or(0);
        let protocol = number(request, &field::PROTOCOL)?.unwrap_or(0);
        let protocol = u8::try_from(protocol).map_err(|_| invalid("protocol", "does not fit 8 bits"))?;
        let given = before.resolve(ROUTE_STATE.rows.iter(), 0)?;
        let index = given.view().number(&field::LINK.field).unwrap_or(0);
        Ok(Self { given, families, table, protocol, index })
    }

    /// Whether a route is as given, in every field of these rows.
    fn agrees(&self, seen: &Seen<'_>, with: impl Fn(&&'static Row) -> bool + Clone) -> bool {
        seen.difference(&ROUTE_STATE.rows.iter().filter(with), self.given.view(), true).is_none()
    }

    /// What is listed: a route with several next hops has the link that any of them has.
    fn is_listed(&self, seen: &Seen<'_>) -> bool {
        self.agrees(seen, |row| row.field() != Some(&field::LINK.field))
            && (self.index == 0 || hops(seen).iter().any(|hop| hop.index == self.index))
    }

    /// What is removed.
    fn is(&self, seen: &Seen<'_>) -> bool {
        is_for_all_packets(seen) && self.is_one_way(seen) && self.agrees(seen, |_| true) && self.has_these_hops(seen)
    }

    /// The fields that are not given together with `nexthops` are those of a route with one next hop: a request with one of
    /// them was not judged by `nexthops`. The flags of a route with several may be those of the first.
    fn is_one_way(&self, seen: &Seen<'_>) -> bool {
        let request = &self.given.request;
        let mut excluded = request.call().excludes.iter().filter(|(_, other, _)| *other == &field::NEXTHOPS.field);
        let is_given = excluded.any(|(one, _, _)| request.value(one).is_some());
        let is_by_object = seen.get(rta::NH_ID).is_some() && seen.get(rta::OIF).is_none();
        !is_given || (seen.get(rta::MULTIPATH).is_none() && !is_by_object)
    }

    fn has_these_hops(&self, seen: &Seen<'_>) -> bool {
        let wanted: Vec<View<'_>> = self.given.elements(&field::NEXTHOPS).collect();
        let own = several(seen).unwrap_or_default();
        let is = |(view, hop): (&View<'_>, &Seen<'_>)| hop.difference(&NEXTHOP_STATE.rows, *view, true).is_none();
        wanted.is_empty() || (wanted.len() == own.len() && wanted.iter().zip(&own).all(is))
    }

    /// What asks for the routes of a family.
    fn question(&self, family: u8) -> Result<Message, Refusal> {
        question(family, self.table, self.index, self.protocol)
    }

    /// The link that is given: its index and its name.
    fn link(&self) -> Option<(i32, &LinkName)> {
        Some((i32::try_from(self.index).ok()?, self.given.request.get(&field::LINK)?))
    }

    /// What was received is the given link's if that is still called so; nothing was where there is none of it.
    fn confirm(&self, names: &mut Names<'_>, is_some: bool) -> Result<(), Refusal> {
        match self.link() {
            Some((index, name)) if is_some && names.look_up(index)?.as_deref() != Some(name.as_str().as_bytes()) => {
                Err(Refusal::Interrupted) // it was renamed before it was listed, or after
            }
            _ => Ok(()),
        }
    }
}

/// `Route.List`
fn list(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let wanted = Wanted::look_up(&mut before)?;
    let second = before.into_second()?;
    let prepared = Prepared::new(move |after, elements| {
        let confirm = |names: &mut Names<'_>, is_some| wanted.confirm(names, is_some);
        let mut listing = Listing::begin(after, elements, &confirm);
        if let Some((index, name)) = wanted.link() {
            listing.names.insert(index, name.as_str().as_bytes());
        }
        for family in &wanted.families {
            let received = listing.receive(&wanted.question(*family)?, &mut |payload, names, text| {
                let seen = read(payload).ok_or_else(|| unparsed(STEP))?;
                report(&seen, names, text)?;
                Ok(wanted.is_listed(&seen))
            });
            or_empty(received, wanted.table).map_err(TransactionError::refusal)?;
        }
        listing.end()
    });
    Ok(prepared.with_second(second))
}

/// Writes what a result reports of a route.
fn report(seen: &Seen<'_>, names: &mut Names<'_>, text: &mut String) -> Result<(), Refusal> {
    let mut members = Members::begin(text);
    seen.report(ROUTE_STATE.rows, "", STEP, names, &mut members)?;
    let hops = several(seen).ok_or_else(|| unparsed(STEP))?;
    if !hops.is_empty() {
        members.list(field::NEXTHOPS.field.name, &hops, |hop, members| {
            hop.report(NEXTHOP_STATE.rows, "nexthops.", STEP, names, members)
        })?;
    }
    members.end();
    Ok(())
}

/// `exists_ok`: whether the existing route is the requested one, in every field that was given or has a default.
fn same(after: &mut After<'_>, given: &Given) -> Result<Map<String, Value>, Refusal> {
    let table = number(&given.request, &field::TABLE)?.unwrap_or(0);
    let message = question(given.family, table, 0, 0)?;
    let found = fetch(after, &message, table, |seen| is_to(seen, given)).map_err(TransactionError::refusal)?;
    let of = |name: &'static Field| ROUTE_STATE.rows.iter().filter(move |row| row.field() == Some(name));
    let is_meant = |seen: &&Seen<'_>| {
        let own = of(&field::METRIC.field).find_map(|row| seen.value(row)?);
        is_for_all_packets(seen) && own.and_then(|own| own.number()) == given.request.get(&field::METRIC).copied()
    };
    let mut first: &'static Field = &field::DESTINATION.field;
    for seen in found.iter().filter(is_meant) {
        match difference(seen, given) {
            None => return Ok(Map::new()),
            Some(other) => first = other,
        }
    }
    Err(differs(first))
}

/// What the kernel gives a route without a metric.
fn own_metric(family: u8) -> u64 {
    if family == INET6 { IPV6_METRIC } else { 0 }
}

/// The first given field in which a route differs from what was requested.
fn difference(seen: &Seen<'_>, given: &Given) -> Option<&'static Field> {
    let own = several(seen).unwrap_or_default();
    let wanted: Vec<View<'_>> = given.elements(&field::NEXTHOPS).collect();
    if !wanted.is_empty() && !same_hops(&own, &wanted) {
        return Some(&field::NEXTHOPS.field);
    }
    // A route with several next hops has no gateway of its own.
    let leads_somewhere = given.request.get(&field::GATEWAY).is_some() || given.request.get(&field::LINK).is_some();
    if leads_somewhere && !own.is_empty() {
        return Some(&field::GATEWAY.field);
    }
    seen.difference(&ROUTE_STATE.rows, given.view(), false)
}

/// The same next hops, in any order; a link that was left to the kernel is the one that it chose.
fn same_hops(own: &[Seen<'_>], wanted: &[View<'_>]) -> bool {
    let is = |own: &Seen<'_>, wanted: &View<'_>| own.difference(&NEXTHOP_STATE.rows, *wanted, false).is_none();
    own.len() == wanted.len()
        && wanted.iter().all(|wanted| own.iter().any(|own| is(own, wanted)))
        && own.iter().all(|own| wanted.iter().any(|wanted| is(own, wanted)))
}
