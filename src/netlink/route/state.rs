// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Routes as the kernel tells of them.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use nix::errno::Errno;
use serde_json::{Map, Value, json};

use super::super::answer::{Parsed, at, escape, parse, u32_at};
use super::super::inet::{ip, scope_number};
use super::super::message::{Attributes, Message};
use super::super::transaction::{Failure, Route};
use super::super::{Prepared, in_chunks, link};
use super::{
    Core, INET, INET6, TYPES, Way, byte, head, kind_number, number, own_metric, put_core, put_way, put_ways, rta,
};
use crate::call::field::{self, Field, Key};
use crate::call::inet::InterfaceAddress;
use crate::call::request::Request;
use crate::call::value::Element;
use crate::refusal::{Refusal, another_goes, differs};

/// Bytes of `struct rtmsg`.
const HEAD: usize = 12;
/// Bytes of `struct rtnexthop`.
const WAY: usize = 8;

/// `RTNH_F_…` and `RTM_F_…`, `linux/rtnetlink.h`.
static FLAGS: [(u32, &str); 16] = [
    (1, "dead"),
    (1 << 1, "pervasive"),
    (1 << 2, "onlink"),
    (1 << 3, "offload"),
    (1 << 4, "linkdown"),
    (1 << 5, "unresolved"),
    (1 << 6, "trap"),
    (1 << 8, "notify"),
    (1 << 9, "cloned"),
    (1 << 10, "equalize"),
    (1 << 11, "prefix"),
    (1 << 12, "lookup_table"),
    (1 << 13, "fib_match"),
    (1 << 14, "rt_offload"),
    (1 << 15, "rt_trap"),
    (1 << 29, "rt_offload_failed"),
];

/// A route that is there.
#[derive(Debug)]
pub(super) struct State {
    family: u8,
    core: Core,
    tos: u8,
    flags: u32,
    ways: Vec<(Way, u32)>,
    nexthop_id: Option<u32>,
}

fn read(payload: &[u8]) -> Option<State> {
    let [family, length, _source, tos, old_table, protocol, scope, kind] = at(payload, 0)?;
    let flags = u32_at(payload, 8)?;
    let attributes = parse(payload.get(HEAD..)?)?;
    let nothing = match family {
        INET => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        INET6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let destination = attributes.get(rta::DST).map_or(Some(nothing), ip)?;
    let core = Core {
        destination: InterfaceAddress { address: destination, length },
        table: attributes.u32(rta::TABLE).unwrap_or_else(|| old_table.into()),
        metric: Some(attributes.u32(rta::PRIORITY).unwrap_or(0)),
        scope,
        protocol,
        kind,
        preferred_source: attributes.get(rta::PREFSRC).and_then(ip),
        mtu: attributes.nested(rta::METRICS)?.u32(rta::MTU),
    };
    let ways = match attributes.get(rta::MULTIPATH) {
        Some(several) => ways(several)?,
        None => vec![one_way(&attributes, flags)],
    };
    Some(State { family, core, tos, flags, ways, nexthop_id: attributes.u32(rta::NH_ID) })
}

fn gateway(attributes: &Parsed) -> Option<IpAddr> {
    let via = || attributes.get(rta::VIA).and_then(|via| via.get(2..)).and_then(ip);
    attributes.get(rta::GATEWAY).and_then(ip).or_else(via)
}

fn one_way(attributes: &Parsed, flags: u32) -> (Way, u32) {
    let index = attributes.u32(rta::OIF).unwrap_or(0);
    (Way { gateway: gateway(attributes), index, weight: 1, onlink: is_onlink(flags) }, flags)
}

fn is_onlink(flags: u32) -> bool {
    flags & u32::from(super::ONLINK) != 0
}

/// `struct rtnexthop`, one after the other, each with its attributes.
fn ways(mut rest: &[u8]) -> Option<Vec<(Way, u32)>> {
    let mut ways = Vec::new();
    while !rest.is_empty() {
        let length = usize::from(u16::from_ne_bytes(at(rest, 0)?));
        let [flags, hops] = at(rest, 2)?;
        let attributes = parse(rest.get(WAY..length)?)?;
        let flags = u32::from(flags);
        let way = Way {
            gateway: gateway(&attributes),
            index: u32_at(rest, 4)?,
            weight: u64::from(hops) + 1,
            onlink: is_onlink(flags),
        };
        ways.push((way, flags));
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(ways)
}

impl State {
    fn told(&self, names: &BTreeMap<u32, Vec<u8>>) -> Value {
        let mut told = Map::new();
        let mut put = |key: &str, value: Option<Value>| value.map(|value| told.insert(key.to_owned(), value));
        put("destination", Some(self.core.destination.to_string().into()));
        put("table", Some(self.core.table.into()));
        put("metric", Some(self.core.metric.unwrap_or(0).into()));
        put("scope", Some(self.core.scope.into()));
        put("protocol", Some(self.core.protocol.into()));
        let kind = usize::from(self.core.kind);
        put("route_type", Some(TYPES.get(kind).map_or_else(|| kind.to_string(), |word| (*word).to_owned()).into()));
        put("preferred_source", self.core.preferred_source.map(|source| source.to_string().into()));
        put("flags", Some(link::words(self.flags, &FLAGS)));
        put("mtu", self.core.mtu.map(Value::from));
        put("tos", (self.tos != 0).then(|| self.tos.into()));
        put("nexthop_id", self.nexthop_id.map(Value::from));
        match self.ways.as_slice() {
            [(way, _)] => told.extend(place(way, names)),
            several => {
                let nexthop = |(way, flags): &(Way, u32)| {
                    let mut told = place(way, names);
                    told.insert("weight".to_owned(), way.weight.into());
                    told.insert("flags".to_owned(), link::words(*flags, &FLAGS));
                    Value::Object(told)
                };
                told.insert("nexthops".to_owned(), several.iter().map(nexthop).collect());
            }
        }
        Value::Object(told)
    }

    /// Whether the kernel (`fib_table_delete`, `ip6_route_del`) would take `other`, which stands before it, for it: it
    /// compares no more than this, and may be content with one way of several. Such neighbours are made by appending.
    fn is_taken_for(&self, other: &Self) -> bool {
        let (own, its) = (&self.core, &other.core);
        let is = |own: &Way, its: &Way| {
            (own.index == 0 || own.index == its.index) && (own.gateway.is_none() || own.gateway == its.gateway)
        };
        let beside = || self.ways.iter().any(|(own, _)| other.ways.iter().any(|(its, _)| is(own, its)));
        (own.destination, own.table, own.metric, self.tos) == (its.destination, its.table, its.metric, other.tos)
            && (own.protocol == 0 || own.protocol == its.protocol)
            && (self.family == INET6 || (own.kind, own.scope) == (its.kind, its.scope))
            && beside()
    }

    /// What removes exactly this route: a nexthop object stands for all ways.
    pub(super) fn removal(&self) -> Result<Message, Refusal> {
        let mut attributes = Attributes::default();
        let metric = self.core.metric.filter(|metric| *metric != 0); // 0 is any, and the first there is
        put_core(&mut attributes, &Core { metric, ..self.core.clone() })?;
        let ways: Vec<Way> = self.ways.iter().map(|(way, _)| way.clone()).collect();
        match (self.nexthop_id, ways.as_slice()) {
            (Some(id), _) => attributes.add(rta::NH_ID, &id.to_ne_bytes())?,
            (None, [way]) => put_way(&mut attributes, way, self.family)?,
            (None, several) => put_ways(&mut attributes, several, self.family)?,
        }
        Ok(Message::new(Rtm::Delroute, NlmF::ACK, &head(self.family, &self.core, 0), attributes))
    }
}

/// Gateway and link of a way.
fn place(way: &Way, names: &BTreeMap<u32, Vec<u8>>) -> Map<String, Value> {
    let mut told = Map::new();
    if let Some(gateway) = way.gateway {
        told.insert("gateway".to_owned(), json!(gateway.to_string()));
    }
    if let Some(name) = names.get(&way.index) {
        told.insert("link".to_owned(), json!(escape(name)));
    }
    if way.index != 0 {
        told.insert("link_index".to_owned(), json!(way.index));
    }
    told
}

/// Lists routes; the kernel filters by family, table, link and protocol (strict checking). A table that was never used
/// is empty.
fn fetch(route: &mut Route, family: u8, table: u32, index: u32, protocol: u8) -> Result<Vec<State>, Failure> {
    let nothing = InterfaceAddress { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), length: 0 };
    let core = Core {
        destination: nothing,
        table,
        metric: None,
        scope: 0,
        protocol,
        kind: 0,
        preferred_source: None,
        mtu: None,
    };
    let mut attributes = Attributes::default();
    put_core(&mut attributes, &core).map_err(Failure::Broken)?;
    if index != 0 {
        attributes.put(rta::OIF, &index.to_ne_bytes(), &field::LINK.field).map_err(Failure::Broken)?;
    }
    let message = Message::new(Rtm::Getroute, NlmF::DUMP, &head(family, &core, 0), attributes);
    match route.ask(&message, "parse a route", read) {
        Err(Failure::Refused { errno: Errno::ENOENT, .. }) if table != 0 => Ok(Vec::new()),
        other => other,
    }
}

/// The names of the links that these routes use.
fn names(route: &mut Route, routes: &[State]) -> Result<BTreeMap<u32, Vec<u8>>, Refusal> {
    let mut names = BTreeMap::new();
    for index in routes.iter().flat_map(|state| state.ways.iter().map(|(way, _)| way.index)) {
        if let (false, Ok(signed)) = (index == 0 || names.contains_key(&index), i32::try_from(index)) {
            let found = link::names(route, signed)?.remove(&signed); // one that is gone stays told by its index
            names.extend(found.map(|name| (index, name)));
        }
    }
    Ok(names)
}

/// What a route must be like; `None`: anything.
#[derive(Debug)]
pub(super) struct Wanted {
    families: Vec<u8>,
    destination: Option<InterfaceAddress>,
    table: u32,
    protocol: Option<u8>,
    scope: Option<u8>,
    kind: Option<u8>,
    metric: Option<u32>,
    preferred_source: Option<IpAddr>,
    mtu: Option<u32>,
    gateway: Option<IpAddr>,
    index: Option<u32>,
    onlink: Option<bool>,
    ways: Option<Vec<WantedWay>>,
}

/// What one way must be like.
#[derive(Debug)]
struct WantedWay {
    gateway: Option<IpAddr>,
    index: Option<u32>,
    weight: Option<u64>,
    onlink: Option<bool>,
}

impl WantedWay {
    fn of(route: &mut Route, element: &Element) -> Result<Self, Refusal> {
        let name = element.get(&field::NEXTHOPS_LINK);
        let link = name.map(|name| route.find(&field::NEXTHOPS_LINK.field, name)).transpose()?;
        Ok(Self {
            gateway: element.get(&field::NEXTHOPS_GATEWAY).copied(),
            index: link.map(|link| link.index.unsigned_abs()),
            weight: element.get(&field::NEXTHOPS_WEIGHT).copied(),
            onlink: element.get(&field::NEXTHOPS_ONLINK).copied(),
        })
    }

    fn is(&self, way: &Way) -> bool {
        agrees(self.gateway, way.gateway)
            && self.index.is_none_or(|index| index == way.index)
            && self.weight.is_none_or(|weight| weight == way.weight)
            && self.onlink.is_none_or(|onlink| onlink == way.onlink)
    }
}

fn agrees<T: PartialEq + Copy>(wanted: Option<T>, is: Option<T>) -> bool {
    wanted.is_none() || wanted == is
}

impl Wanted {
    /// Reads the fields of a request that are filters, and looks up its links.
    pub(super) fn of(route: &mut Route, request: &Request) -> Result<Self, Refusal> {
        let destination = request.get(&field::DESTINATION).copied();
        let families = match (destination, request.get(&field::FAMILY)) {
            (Some(prefix), _) => vec![super::family(prefix.address)],
            (None, Some(&"inet")) => vec![INET],
            (None, Some(_)) => vec![INET6],
            (None, None) => vec![INET, INET6],
        };
        let number = |key: &'static Key<u64>| request.get(key).map(|n| number(*n, &key.field)).transpose();
        let (table, metric, mtu) = (number(&field::TABLE)?, number(&field::METRIC)?, number(&field::MTU)?);
        let index = route.find_field(&field::LINK, request)?.map(|link| link.index.unsigned_abs());
        let elements = request.get(&field::NEXTHOPS).map(|elements| elements.iter());
        let ways = elements.map(|all| all.map(|element| WantedWay::of(route, element)).collect()).transpose()?;
        Ok(Self {
            families,
            destination,
            table: table.unwrap_or(0),
            protocol: request.get(&field::PROTOCOL).map(|protocol| byte(Some(protocol))),
            scope: request.get(&field::SCOPE).map(|word| scope_number(word)),
            kind: request.get(&field::ROUTE_TYPE).and_then(|word| kind_number(word)),
            metric,
            preferred_source: request.get(&field::PREFERRED_SOURCE).copied(),
            mtu,
            gateway: request.get(&field::GATEWAY).copied(),
            index,
            onlink: request.get(&field::ONLINK).copied(),
            ways,
        })
    }

    /// What a listing is asked for: a route with several ways has the link that any of them has.
    fn is_listed(&self, state: &State) -> bool {
        let core = &state.core;
        agrees(self.destination, Some(core.destination))
            && (self.table == 0 || self.table == core.table)
            && agrees(self.protocol, Some(core.protocol))
            && agrees(self.scope, Some(core.scope))
            && self.index.is_none_or(|index| state.ways.iter().any(|(way, _)| way.index == index))
    }

    /// What is removed: one way is that of a route with one way.
    fn is(&self, state: &State) -> bool {
        let core = &state.core;
        self.is_listed(state)
            && state.tos == 0
            && agrees(self.kind, Some(core.kind))
            && agrees(self.metric, core.metric)
            && agrees(self.preferred_source, core.preferred_source)
            && agrees(self.mtu, core.mtu)
            && self.has_these_ways(state)
    }

    fn has_these_ways(&self, state: &State) -> bool {
        let one = WantedWay { gateway: self.gateway, index: self.index, weight: None, onlink: self.onlink };
        let asks_for_one = one.gateway.is_some() || one.index.is_some() || one.onlink.is_some();
        match (&self.ways, state.ways.as_slice()) {
            (Some(wanted), ways) => {
                wanted.len() == ways.len() && wanted.iter().zip(ways).all(|(w, (way, _))| w.is(way))
            }
            (None, [(way, _)]) => one.is(way),
            (None, _) => !asks_for_one,
        }
    }

    fn fetch(&self, route: &mut Route) -> Result<Vec<State>, Failure> {
        let mut found = Vec::new();
        for family in &self.families {
            found.extend(fetch(route, *family, self.table, self.index.unwrap_or(0), self.protocol.unwrap_or(0))?);
        }
        Ok(found)
    }
}

/// The first route that matches in every given field: of several to one prefix the one with the lowest metric.
pub(super) fn first(route: &mut Route, wanted: &Wanted) -> Result<Option<State>, Failure> {
    let mut before = Vec::new();
    for state in wanted.fetch(route)? {
        if wanted.is(&state) {
            let another = before.iter().any(|other| state.is_taken_for(other));
            let why = "the kernel would delete another route to this prefix, of the same metric";
            return if another {
                Err(Failure::Broken(another_goes(&field::DESTINATION.field, why)))
            } else {
                Ok(Some(state))
            };
        }
        if wanted.destination == Some(state.core.destination) {
            before.push(state);
        }
    }
    Ok(None)
}

/// `Route.List`
pub(super) fn list(route: &mut Route, request: &Request) -> Result<Prepared, Refusal> {
    let wanted = Wanted::of(route, request)?;
    let name = request.get(&field::LINK).cloned();
    Ok(Prepared::new(move |route, each| {
        let mut found = wanted.fetch(route).map_err(Failure::refusal)?;
        found.retain(|state| wanted.is_listed(state));
        let names = names(route, &found)?;
        if let (Some(name), Some(index)) = (&name, wanted.index) {
            let own = names.get(&index).map(Vec::as_slice);
            if !found.is_empty() && own != Some(name.as_str().as_bytes()) {
                return Err(Refusal::Interrupted); // it was renamed before it was listed, or after
            }
        }
        in_chunks(found.iter().map(|state| state.told(&names)).collect(), each);
        Ok(Map::new())
    }))
}

/// `exists_ok`: whether the route that is there is the one that was asked for, in every field that was given or has a
/// default.
pub(super) fn same(route: &mut Route, core: &Core, ways: &[Way], request: &Request) -> Result<(), Refusal> {
    let found = fetch(route, super::family(core.destination.address), core.table, 0, 0).map_err(Failure::refusal)?;
    let there = found.iter().filter(|state| {
        state.core.destination == core.destination && state.tos == 0 && state.core.metric == implied_metric(core)
    });
    let mut first = &field::DESTINATION.field;
    for state in there {
        match difference(state, core, ways, request) {
            None => return Ok(()),
            Some(other) => first = other,
        }
    }
    Err(differs(first))
}

/// The metric of a route that was asked for.
fn implied_metric(core: &Core) -> Option<u32> {
    core.metric.or_else(|| u32::try_from(own_metric(core.destination.address)).ok())
}

/// The first given field in which a route differs from what was asked for.
fn difference(state: &State, core: &Core, ways: &[Way], request: &Request) -> Option<&'static Field> {
    let own: Vec<&Way> = state.ways.iter().map(|(way, _)| way).collect();
    let has = |key: &Field| request.value(key).is_some();
    let one = |same: fn(&Way, &Way) -> bool| match (own.as_slice(), ways) {
        ([is], [wanted]) => same(is, wanted),
        _ => false,
    };
    let leads_somewhere = has(&field::GATEWAY.field) || has(&field::LINK.field);
    let checks = [
        (&field::ROUTE_TYPE.field, state.core.kind == core.kind),
        (&field::PROTOCOL.field, state.core.protocol == core.protocol),
        (&field::SCOPE.field, !has(&field::SCOPE.field) || state.core.scope == core.scope),
        (&field::PREFERRED_SOURCE.field, agrees(core.preferred_source, state.core.preferred_source)),
        (&field::MTU.field, agrees(core.mtu, state.core.mtu)),
        (&field::GATEWAY.field, !leads_somewhere || one(|is, wanted| is.gateway == wanted.gateway)),
        (&field::LINK.field, !has(&field::LINK.field) || one(|is, wanted| is.index == wanted.index)),
        (&field::ONLINK.field, !leads_somewhere || one(|is, wanted| is.onlink == wanted.onlink)),
        (&field::NEXTHOPS.field, !has(&field::NEXTHOPS.field) || same_ways(&own, ways)),
    ];
    checks.into_iter().find(|(_, same)| !same).map(|(field, _)| field)
}

/// The same ways, in any order; a link that was left to the kernel is the one that it chose.
fn same_ways(own: &[&Way], wanted: &[Way]) -> bool {
    let is = |own: &Way, wanted: &Way| {
        (own.gateway, own.weight, own.onlink) == (wanted.gateway, wanted.weight, wanted.onlink)
            && (wanted.index == 0 || own.index == wanted.index)
    };
    own.len() == wanted.len()
        && wanted.iter().all(|wanted| own.iter().any(|own| is(own, wanted)))
        && own.iter().all(|own| wanted.iter().any(|wanted| is(own, wanted)))
}
