// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Routes (`RTM_NEWROUTE` …, rtnetlink(7), `linux/rtnetlink.h`).
#![forbid(unsafe_code)]

mod removal;

use std::net::IpAddr;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use nix::errno::Errno;
use serde_json::{Map, Value};

use super::answer::{at, find, i32_at};
use super::inet::{INET, INET6, family, ip, octets};
use super::listing::{Listing, Names};
use super::message::{Attributes, Encoded, Message};
use super::rows::{Given, Members, Seen, View, encode, unparsed};
use super::sides::{After, Before, number};
use super::transaction::{Netlink, TransactionError};
use super::{Encoder, Prepared};
use crate::call::field::{self, Field, Key};
use crate::call::inet::InterfaceAddress;
use crate::call::name::LinkName;
use crate::call::object::Row;
use crate::call::request::Request;
use crate::call::route::{IPV6_METRIC, NO_NEXT_HOPS, leads_nowhere_by_type};
use crate::call::value::Value as Held;
use crate::call::{NEXTHOP_STATE, ROUTE_STATE};
use crate::refusal::{Class, Refusal, differs, invalid, unsuitable};

const STEP: &str = "parse a route";
/// Attributes of a route (`RTA_…`) that code writes or reads.
mod rta {
    pub(super) const DST: u16 = 1;
    pub(super) const SRC: u16 = 2;
    pub(super) const IIF: u16 = 3;
    pub(super) const OIF: u16 = 4;
    pub(super) const GATEWAY: u16 = 5;
    pub(super) const PRIORITY: u16 = 6;
    pub(super) const PREFSRC: u16 = 7;
    pub(super) const METRICS: u16 = 8;
    /// The same in the path of a row.
    pub(super) const METRICS_STEP: u32 = 8;
    pub(super) const MULTIPATH: u16 = 9;
    pub(super) const TABLE: u16 = 15;
    pub(super) const MARK: u16 = 16;
    pub(super) const VIA: u16 = 18;
    pub(super) const ENCAP_TYPE: u16 = 21;
    pub(super) const ENCAP: u16 = 22;
    pub(super) const UID: u16 = 25;
    pub(super) const NH_ID: u16 = 30;
}

/// `LOOPBACK_IFINDEX`: the loopback device of every namespace, whatever its name is.
const LOOPBACK: i32 = 1;
/// `RTNH_F_ONLINK`
const ONLINK: u8 = 4;
/// `RT_TABLE_MAIN`, `RT_TABLE_LOCAL`
const MAIN: u32 = 254;
const LOCAL: u32 = 255;
/// `RTM_F_LOOKUP_TABLE`: reports the table in which the route was found. For IPv6 the kernel always does that, and
/// refuses the flag.
const LOOKUP_TABLE: u32 = 1 << 12;
/// `LWTUNNEL_ENCAP_IP`, `LWTUNNEL_ENCAP_IP6`: they have attributes of the same types (`linux/lwtunnel.h`).
const TUNNELS: [u16; 2] = [2, 4];
const LWTUNNEL_IP_FLAGS: u16 = 6;
const LWTUNNEL_IP_OPTS: u16 = 8;
/// `RTPROT_KERNEL`
const KERNEL: u8 = 2;

pub(super) static ENCODERS: &[Encoder] = &[
    Encoder {
        call: "Route.Add",
        prepare: make,
        object: Some(&ROUTE_STATE),
        settled: &[&field::FAMILY.field, &field::EXISTS_OK.field],
    },
    Encoder { call: "Route.Replace", prepare: make, object: Some(&ROUTE_STATE), settled: &[&field::FAMILY.field] },
    Encoder { call: "Route.Append", prepare: make, object: Some(&ROUTE_STATE), settled: &[&field::FAMILY.field] },
    Encoder { call: "Route.Flush", prepare: flush, object: Some(&ROUTE_STATE), settled: &[&field::FAMILY.field] },
    Encoder {
        call: "Route.Delete",
        prepare: remove,
        object: Some(&ROUTE_STATE),
        settled: &[&field::FAMILY.field, &field::ONE_NEXTHOP.field, &field::MISSING_OK.field],
    },
    Encoder { call: "Route.Get", prepare: get, object: None, settled: &[] },
    Encoder { call: "Route.List", prepare: list, object: None, settled: &[] },
];

/// One next hop. Index 0 means that the kernel chooses the link.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hop {
    gateway: Option<IpAddr>,
    index: u32,
    weight: u8,
    is_onlink: bool,
}

/// Adds a `struct rtnexthop` with its attributes for each given next hop.
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

/// Refuses an IPv4 gateway on a VRF. The kernel looks such a gateway up in the table of the VRF, and writes the port
/// that it finds into the route in place of the VRF (`fib_check_nh_v4_gw`). It keeps the link of an on-link gateway,
/// and refuses an IPv6 gateway that is reached through another link.
pub(super) fn require_own_link(given: &Given) -> Result<(), Refusal> {
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

/// `Route.Add`, `Route.Replace` and `Route.Append`
fn make(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let request = before.request();
    let destination = *request.needed(&field::DESTINATION)?;
    let given = before.resolve(ROUTE_STATE.rows.iter(), family(destination.address))?;
    require_own_link(&given)?;
    // A metric that the route would have in any case is not sent.
    let is_own = request.get(&field::METRIC) == Some(&own_metric(given.family));
    let rows = ROUTE_STATE.rows.iter().filter(|row| !is_own || row.field() != Some(&field::METRIC.field));
    let mut encoded = encode(ROUTE_STATE.head, rows, given.view())?;
    put_hops(&mut encoded.attributes, &given)?;
    let how = match given.request.call().verb() {
        "Replace" => NlmF::REPLACE,
        "Append" => NlmF::APPEND,
        _ => NlmF::EXCL,
    };
    let message = Message::route(Rtm::Newroute, NlmF::CREATE | NlmF::ACK | how, encoded);
    Ok(Prepared::new(move |after, _| after.make(&message, &given.request, refused, |after| same(after, &given))))
}

/// The kernel compares fewer fields than can be requested; for IPv6, hardly any. So the table is listed first, and the
/// first route that matches in every given field is removed by all that identifies it.
fn remove(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let tolerant = before.request().is_set(&field::MISSING_OK);
    let wanted = Wanted::look_up(&mut before)?;
    Ok(Prepared::new(move |after, _| {
        let request = &wanted.given.request;
        let absent =
            TransactionError::Refused { errno: Errno::ESRCH, text: None, field: Some(&field::DESTINATION.field) };
        let result = match removal::first(after, &wanted).map_err(|failure| refused(failure, request))? {
            Some(found) => {
                let one = wanted.one_hop(&found).filter(|_| request.is_set(&field::ONE_NEXTHOP));
                let hops = one.map_or_else(|| hops(&found), |hop| vec![hop]);
                after.act(&removal::message(&found, &hops)?, &mut |_| Ok(()))
            }
            None => Err(absent),
        };
        match result {
            Ok(()) => Ok(Map::new()),
            Err(TransactionError::Refused { errno: Errno::ESRCH, .. }) if tolerant => Ok(Map::new()),
            Err(failure) => Err(refused(failure, request)),
        }
    }))
}

/// `Route.Flush`
fn flush(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let wanted = Wanted::look_up(&mut before)?;
    Ok(Prepared::new(move |after, _| {
        let mut removals = Vec::new();
        for family in &wanted.families {
            let found = removal::all(after, &wanted, *family);
            removals.extend(found.map_err(|failure| refused(failure, &wanted.given.request))?);
        }
        after.flush(&removals, &wanted.given.request, refused)
    }))
}

/// The refusal of a change by the kernel.
fn refused(failure: TransactionError, request: &Request) -> Refusal {
    let class = if request.call().verb() == "Delete" { Class::NotFound } else { Class::KernelRefused };
    let is_v6 = request.get(&field::DESTINATION).is_some_and(|prefix| prefix.address.is_ipv6());
    let may_have_changed = match request.call().verb() {
        "Replace" => is_v6 && request.get(&field::NEXTHOPS).is_some(), // one next hop after the other
        "Append" => is_v6 && failure.is_existing(), // `fib6_add_rt2node` sets the time of the existing route
        _ => false,
    };
    // The kernel has no attribute to point at.
    let lacks_encapsulation = match &failure {
        TransactionError::Refused { errno: Errno::EOPNOTSUPP, text: Some(text), .. } => text.contains("encapsulation"),
        _ => false,
    };
    let refusal = failure.into_refusal(class, may_have_changed).about_object(&field::DESTINATION.field);
    refusal.about(lacks_encapsulation.then_some(&field::ENCAP_KIND.field))
}

/// Whether it is for packets of the source and the type of service of the request. Another route is not the one that a
/// request means.
fn is_for_its_packets(seen: &Seen<'_>, given: &Given) -> bool {
    let source = ROUTE_STATE.rows.iter().filter(|row| row.field() == Some(&field::SOURCE.field));
    let tos = seen.head(3).first().copied().map(u64::from);
    tos == Some(given.request.get(&field::TOS).copied().unwrap_or(0))
        && seen.difference(&source, given.view(), true).is_none()
}

/// Whether the kernel made a route of itself: for an address, or because a link is up.
fn is_of_the_kernel(seen: &Seen<'_>, table: u32) -> bool {
    [MAIN, LOCAL].contains(&table) && seen.head(5).first() == Some(&KERNEL)
}

fn read(payload: &[u8]) -> Option<Seen<'_>> {
    let seen = Seen::new(&ROUTE_STATE, payload)?;
    [INET, INET6].contains(&seen.family()).then_some(seen)
}

/// Whether the whole route is as the kernel writes it.
fn parses(seen: &Seen<'_>) -> bool {
    several(seen).is_some() && seen.parses(ROUTE_STATE.rows)
}

/// The next hops of a multipath route (`struct rtnexthop`, one after the other, each with its attributes). Empty for
/// other routes; `None` where they do not parse.
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

/// The next hops of any route; a route that is not multipath has one.
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

/// Requests routes; the kernel filters by family, table, link and protocol (strict checking).
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

/// `Route.Get`
fn get(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let iif = before.find(&field::IIF)?.map(|link| link.index);
    let oif = before.find(&field::OIF)?.map(|link| link.index);
    let message = choice(before.request(), iif, oif)?;
    Ok(Prepared::new(move |after, _| {
        let found = after.ask(&message, STEP, |payload| read(payload).map(Seen::into_owned));
        let found = found.map_err(TransactionError::refusal)?;
        let seen = found.first().ok_or_else(|| unparsed(STEP))?;
        let mut text = String::new();
        report(seen, &mut Names::from(&mut **after), &mut text)?;
        let route = serde_json::from_str(&text).map_err(|_| unparsed(STEP))?;
        Ok(Map::from_iter([("route".to_owned(), route)]))
    }))
}

/// Requests the route for a packet.
fn choice(request: &Request, iif: Option<i32>, oif: Option<i32>) -> Result<Message, Refusal> {
    let mut attributes = Attributes::default();
    let mut length_of = |key: &'static Key<InterfaceAddress>, kind: u16| match request.get(key) {
        Some(own) => attributes.put(kind, &octets(own.address), &key.field).map(|()| own.length),
        None => Ok(0),
    };
    let lengths = [length_of(&field::DESTINATION, rta::DST)?, length_of(&field::SOURCE, rta::SRC)?];
    // A packet that arrives is of no program, so of no uid.
    let uid = if iif.is_none() { number(request, &field::UID)? } else { None };
    let mark = number(request, &field::FWMARK)?.filter(|mark| *mark != 0);
    let index = |link: Option<i32>| link.map(i32::unsigned_abs);
    for (kind, value, field) in [
        (rta::IIF, index(iif), &field::IIF.field),
        (rta::OIF, index(oif), &field::OIF.field),
        (rta::MARK, mark, &field::FWMARK.field),
        (rta::UID, uid, &field::UID.field),
    ] {
        value.map_or(Ok(()), |value| attributes.put(kind, &value.to_ne_bytes(), field))?;
    }
    let of = family(request.needed(&field::DESTINATION)?.address);
    let tos = request.get(&field::TOS).and_then(|tos| u8::try_from(*tos).ok()).unwrap_or(0);
    let flags = if of == INET { LOOKUP_TABLE } else { 0 };
    let head = [&[of][..], &lengths, &[tos, 0, 0, 0, 0], &flags.to_ne_bytes()].concat();
    Ok(Message::route(Rtm::Getroute, NlmF::empty(), Encoded { head, attributes }))
}

/// Treats a table that was never used as empty.
fn or_empty<T: Default>(result: Result<T, TransactionError>, table: u32) -> Result<T, TransactionError> {
    match result {
        Err(TransactionError::Refused { errno: Errno::ENOENT, .. }) if table != 0 => Ok(T::default()),
        other => other,
    }
}

/// Fetches the routes for which `is_meant` returns true. The others are not kept: a table may hold a million of them.
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

/// Whether a route leads to the given destination; `None` where the message is not as the kernel writes it.
fn is_to(seen: &Seen<'_>, given: &Given) -> Option<bool> {
    let row = ROUTE_STATE.rows.iter().find(|row| row.field() == Some(&field::DESTINATION.field));
    let wanted = given.request.value(&field::DESTINATION.field);
    let own = seen.value(row?)?;
    Some(own.zip(wanted).is_some_and(|(own, wanted)| own.is(wanted)))
}

/// The conditions that a request sets on routes.
#[derive(Debug)]
struct Wanted {
    given: Given,
    families: Vec<u8>,
    table: u32,
    protocol: u8,
    /// The link of the only next hop.
    link: Option<(i32, LinkName)>,
    /// A link of any next hop.
    any_link: Option<(i32, LinkName)>,
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
        let index = given.view().link(&field::LINK.field).map(|link| link.index);
        let link = index.zip(request.get(&field::LINK).cloned());
        // The kernel reports the loopback device as the link of some routes that lead nowhere, and never another link.
        if leads_nowhere_by_type(request) && index.is_some_and(|index| index != LOOPBACK) {
            return Err(unsuitable(&field::LINK.field, NO_NEXT_HOPS));
        }
        // Where `link` is given, both filters are the same.
        let lists = request
            .call()
            .uses(None)
            .any(|used| used.field() == &field::NEXTHOPS_LINK.field && used.inside().is_none());
        let any =
            if lists && link.is_none() { before.find(&field::NEXTHOPS_LINK)?.map(|link| link.index) } else { None };
        let any_link = any.zip(request.get(&field::NEXTHOPS_LINK).cloned());
        Ok(Self { given, families, table, protocol, link, any_link })
    }

    /// Whether a route is as given, in every field of these rows.
    fn agrees(&self, seen: &Seen<'_>, with: impl Fn(&&'static Row) -> bool + Clone) -> bool {
        seen.difference(&ROUTE_STATE.rows.iter().filter(with), self.given.view(), true).is_none()
    }

    /// Whether a listing shows it.
    fn is_listed(&self, seen: &Seen<'_>) -> bool {
        let leads_over = |index: i32| hops(seen).iter().any(|hop| hop.index == index.unsigned_abs());
        self.agrees(seen, |_| true) && self.any_link.as_ref().is_none_or(|(index, _)| leads_over(*index))
    }

    /// Whether it is a route that the request means to remove.
    fn is(&self, seen: &Seen<'_>) -> bool {
        let is_candidate = if self.given.request.call().verb() == "Flush" {
            self.protocol != 0 || !is_of_the_kernel(seen, self.table)
        } else {
            is_for_its_packets(seen, &self.given)
        };
        if self.given.request.is_set(&field::ONE_NEXTHOP) {
            let of_hops = [&field::GATEWAY.field, &field::LINK.field];
            let is_of_route = |row: &&'static Row| row.field().is_none_or(|field| !of_hops.contains(&field));
            return is_candidate && self.agrees(seen, is_of_route) && self.one_hop(seen).is_some();
        }
        is_candidate && self.is_one_way(seen) && self.agrees(seen, |_| true) && self.has_these_hops(seen)
    }

    /// The next hop of a multipath route that the request means to take out.
    fn one_hop(&self, seen: &Seen<'_>) -> Option<Hop> {
        let is_multipath = seen.get(rta::MULTIPATH).is_some() && seen.get(rta::NH_ID).is_none();
        let gateway = self.given.request.get(&field::GATEWAY).copied();
        let is_over = |hop: &Hop| self.link.as_ref().is_none_or(|(index, _)| hop.index == index.unsigned_abs());
        let is_meant = |hop: &Hop| hop.gateway == gateway && is_over(hop);
        hops(seen).into_iter().find(is_meant).filter(|_| is_multipath)
    }

    /// Fields that exclude `nexthops` are fields of a route with one next hop. A request that gives one of them was not
    /// judged by `nexthops`, so it cannot mean a multipath route. The flags of such a route may be those of its first
    /// next hop.
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
        wanted.is_empty() || same_hops(&own, &wanted, true)
    }

    /// The message that requests the routes of a family.
    fn question(&self, family: u8) -> Result<Message, Refusal> {
        let index = self.links().next().map_or(0, |(index, _)| index.unsigned_abs());
        question(family, self.table, index, self.protocol)
    }

    /// The indexes and the names of the given links.
    fn links(&self) -> impl Iterator<Item = &(i32, LinkName)> {
        self.link.iter().chain(&self.any_link)
    }

    /// Requires that the given links still have their names; otherwise what was received may be of another link. Nothing is
    /// required where no route was received.
    fn confirm(&self, names: &mut Names<'_>, is_some: bool) -> Result<(), Refusal> {
        for (index, name) in self.links().filter(|_| is_some) {
            if names.look_up(*index)?.as_deref() != Some(name.as_str().as_bytes()) {
                return Err(Refusal::Interrupted); // it was renamed before or after the listing
            }
        }
        Ok(())
    }
}

/// `Route.List`
fn list(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let wanted = Wanted::look_up(&mut before)?;
    let second = before.into_second()?;
    let prepared = Prepared::new(move |after, elements| {
        let confirm = |names: &mut Names<'_>, is_some| wanted.confirm(names, is_some);
        let mut listing = Listing::begin(after, elements, &confirm);
        for (index, name) in wanted.links() {
            listing.names.introduce(*index, name.as_str().as_bytes());
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
        is_for_its_packets(seen, given)
            && own.and_then(|own| own.number()) == given.request.get(&field::METRIC).copied()
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

/// The metric that the kernel gives a route without one.
fn own_metric(family: u8) -> u64 {
    if family == INET6 { IPV6_METRIC } else { 0 }
}

/// The first given field in which a route differs from what was requested.
fn difference(seen: &Seen<'_>, given: &Given) -> Option<&'static Field> {
    let own = several(seen).unwrap_or_default();
    let wanted: Vec<View<'_>> = given.elements(&field::NEXTHOPS).collect();
    if !wanted.is_empty() && !same_hops(&own, &wanted, false) {
        return Some(&field::NEXTHOPS.field);
    }
    // A multipath route has no gateway of its own.
    let leads_somewhere = given.request.get(&field::GATEWAY).is_some() || given.request.get(&field::LINK).is_some();
    if leads_somewhere && !own.is_empty() {
        return Some(&field::GATEWAY.field);
    }
    // The kernel also reports what the nexthop object has, and the route type of a blackhole.
    let of_object = [&field::GATEWAY.field, &field::LINK.field, &field::ONLINK.field, &field::ROUTE_TYPE.field];
    let is_by_object = given.request.get(&field::NEXTHOP_ID).is_some();
    let is_of_object = |field: &'static Field| of_object.contains(&field) || field.name.starts_with("encap.");
    let rows = ROUTE_STATE.rows.iter();
    let rows = rows.filter(|row| !is_by_object || row.field().is_none_or(|field| !is_of_object(field)));
    let is_another_tunnel = || !is_by_object && has_more_of_a_tunnel(seen);
    let differing = seen.difference(&rows, given.view(), false);
    differing.or_else(|| is_another_tunnel().then_some(&field::ENCAP_KIND.field))
}

/// Whether the encapsulation of a route has flags or options of a tunnel. No request gives them.
fn has_more_of_a_tunnel(seen: &Seen<'_>) -> bool {
    let inner = |kind| seen.get(rta::ENCAP).and_then(|own| find(own, kind).flatten());
    let has_flags = || inner(LWTUNNEL_IP_FLAGS).is_some_and(|flags| flags.iter().any(|byte| *byte != 0));
    let is_tunnel = TUNNELS.into_iter().any(|kind| seen.is_encapsulated_by(kind));
    is_tunnel && (has_flags() || inner(LWTUNNEL_IP_OPTS).is_some())
}

/// Whether a route has exactly the requested next hops, in any order. A field that the request leaves out agrees with
/// whatever the kernel chose; with `absence_is_any`, it agrees with everything.
fn same_hops(own: &[Seen<'_>], wanted: &[View<'_>], absence_is_any: bool) -> bool {
    let is = |of: usize, at: usize| match (wanted.get(of), own.get(at)) {
        (Some(wanted), Some(own)) => own.difference(&NEXTHOP_STATE.rows, *wanted, absence_is_any).is_none(),
        _ => false,
    };
    // No request gives the encapsulation of one of several next hops.
    let is_plain = || absence_is_any || own.iter().all(|own| own.get(rta::ENCAP).is_none());
    own.len() == wanted.len() && is_plain() && pairs_up(own.len(), &is)
}

/// Whether each of so many elements of one side can be paired with another element of the other side (Kuhn's algorithm).
/// `is` says which pairs are possible.
fn pairs_up(count: usize, is: &dyn Fn(usize, usize) -> bool) -> bool {
    fn pair(of: usize, is: &dyn Fn(usize, usize) -> bool, tried: &mut [bool], partners: &mut [Option<usize>]) -> bool {
        for at in 0..partners.len() {
            if tried.get(at) != Some(&false) || !is(of, at) {
                continue;
            }
            tried.iter_mut().skip(at).take(1).for_each(|tried| *tried = true);
            let before = partners.get(at).copied().flatten();
            if before.is_none_or(|before| pair(before, is, tried, partners)) {
                partners.iter_mut().skip(at).take(1).for_each(|partner| *partner = Some(of));
                return true;
            }
        }
        false
    }
    let mut partners = vec![None; count];
    (0..count).all(|of| pair(of, is, &mut vec![false; count], &mut partners))
}

#[cfg(test)]
mod tests {
    use super::pairs_up;

    /// Each element of one side has a set of possible partners, given as the digits of a number.
    fn pairs(of: &[&str]) -> bool {
        pairs_up(of.len(), &|one, other| of[one].contains(&other.to_string()))
    }

    #[test]
    fn each_hop_has_a_partner_of_its_own() {
        assert!(pairs(&[]) && pairs(&["0"]) && pairs(&["01", "0"]) && pairs(&["012", "01", "0"]));
        assert!(pairs(&["12", "0", "01"]) && pairs(&["0", "1", "2"]));
        assert!(!pairs(&[""]) && !pairs(&["0", "0"]) && !pairs(&["01", "01", "01"]) && !pairs(&["0", "12", "0"]));
    }
}
