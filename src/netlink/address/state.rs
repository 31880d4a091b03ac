// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Addresses as the kernel tells of them.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{RtAddrFamily, Rtm};
use serde_json::{Map, Value};

use super::super::Prepared;
use super::super::answer::{Parsed, at, escape, parse, u32_at};
use super::super::inet::{family, ip, scope_number};
use super::super::link;
use super::super::listing::{self, Selection};
use super::super::lookup::Found;
use super::super::message::{Attributes, Message};
use super::super::transaction::{Failure, Route};
use super::{FLAGS, head, ifa};
use crate::call::field::{self, Field};
use crate::call::inet::InterfaceAddress;
use crate::call::request::Request;
use crate::refusal::{Refusal, differs};

/// Bytes of `struct ifaddrmsg`.
const HEAD: usize = 8;
/// `IFA_F_DEPRECATED`
const DEPRECATED: u32 = 1 << 5;
/// `AF_INET`
const INET: u8 = 2;

/// `IFA_F_…`, `linux/if_addr.h`; the first means another thing to each protocol.
static WORDS: [(u32, &str); 11] = [
    (1 << 1, "nodad"),
    (1 << 2, "optimistic"),
    (1 << 3, "dadfailed"),
    (1 << 4, "homeaddress"),
    (1 << 5, "deprecated"),
    (1 << 6, "tentative"),
    (1 << 7, "permanent"),
    (1 << 8, "managetempaddr"),
    (1 << 9, "noprefixroute"),
    (1 << 10, "mcautojoin"),
    (1 << 11, "stable_privacy"),
];

/// An address that a link has.
#[derive(Debug)]
struct State {
    address: InterfaceAddress,
    peer: Option<IpAddr>,
    index: i32,
    family: u8,
    scope: u8,
    flags: u32,
    attributes: Parsed,
}

fn read(payload: &[u8]) -> Option<State> {
    let [family, length, old_flags, scope] = at(payload, 0)?;
    let index = i32::try_from(u32_at(payload, 4)?).ok()?;
    let attributes = parse(payload.get(HEAD..)?)?;
    let ip = |kind| attributes.get(kind).and_then(ip);
    let (local, other) = (ip(ifa::LOCAL), ip(ifa::ADDRESS));
    let address = local.or(other)?;
    let peer = other.filter(|other| *other != address);
    let flags = attributes.u32(ifa::FLAGS).unwrap_or_else(|| old_flags.into());
    let address = InterfaceAddress { address, length };
    Some(State { address, peer, index, family, scope, flags, attributes })
}

impl State {
    fn lifetimes(&self) -> Option<(u32, u32)> {
        let info = self.attributes.get(ifa::CACHEINFO)?;
        Some((u32_at(info, 0)?, u32_at(info, 4)?))
    }

    fn told(&self, link: Option<&Vec<u8>>) -> Value {
        let mut told = Map::new();
        let mut put = |key: &str, value: Option<Value>| value.map(|value| told.insert(key.to_owned(), value));
        put("address", Some(self.address.to_string().into()));
        put("link", link.map(|name| escape(name).into()));
        put("link_index", Some(self.index.into()));
        put("broadcast", self.attributes.get(ifa::BROADCAST).and_then(ip).map(|ip| ip.to_string().into()));
        let peer = self.peer.map(|address| InterfaceAddress { address, ..self.address });
        put("peer_address", peer.map(|peer| peer.to_string().into()));
        put("label", self.attributes.string(ifa::LABEL).map(|label| escape(label).into()));
        put("scope", Some(self.scope.into()));
        put("flags", Some(self.flag_words()));
        put("valid_lifetime", self.lifetimes().map(|(_, valid)| valid.into()));
        put("preferred_lifetime", self.lifetimes().map(|(preferred, _)| preferred.into()));
        put("metric", self.attributes.u32(ifa::RT_PRIORITY).map(Value::from));
        put("protocol", self.attributes.u8(ifa::PROTO).map(Value::from));
        Value::Object(told)
    }

    fn flag_words(&self) -> Value {
        let first = if self.family == INET { "secondary" } else { "temporary" };
        let table: Vec<(u32, &str)> = std::iter::once((1, first)).chain(WORDS).collect();
        link::words(self.flags, &table)
    }
}

/// Lists addresses; the kernel filters by family and index (strict checking).
fn fetch(route: &mut Route, family: RtAddrFamily, index: i32) -> Result<Vec<State>, Failure> {
    let head = head(family, 0, 0, index).map_err(Failure::Broken)?;
    let message = Message::new(Rtm::Getaddr, NlmF::DUMP, &head, Attributes::default());
    route.ask(&message, "parse an address", read)
}

/// `Address.List`
pub(super) fn list(route: &mut Route, request: &Request) -> Result<Prepared, Refusal> {
    let links = Selection::of(route, request)?;
    let family = listing::family(request);
    let scope = request.get(&field::SCOPE).map(|word| scope_number(word));
    Ok(Prepared::new(move |route, each| {
        let found = links.listed(fetch(route, family, links.index()))?;
        let names = links.names(route)?;
        let kept = found.iter().filter(|state| !links.is_empty() && scope.is_none_or(|scope| state.scope == scope));
        let told: Vec<Value> = kept.map(|state| state.told(names.get(&state.index))).collect();
        super::super::in_chunks(told, each);
        Ok(Map::new())
    }))
}

/// The other ends of the addresses that match in every given field.
pub(super) fn peers(
    route: &mut Route,
    link: Found,
    wanted: InterfaceAddress,
    peer: Option<IpAddr>,
) -> Result<Vec<Option<IpAddr>>, Failure> {
    let found = fetch(route, family(wanted.address), link.index)?;
    let matching = found.into_iter().filter(|state| state.index == link.index && state.address == wanted);
    Ok(matching.filter(|state| peer.is_none() || state.peer == peer).map(|state| state.peer).collect())
}

/// `exists_ok`: whether the address that is there is the one that was asked for, in every field that was given or
/// has a default, and with the same other end. A finite lifetime runs down, so it is the same in its first second only.
pub(super) fn same(route: &mut Route, link: Found, request: &Request) -> Result<(), Refusal> {
    let wanted = *request.needed(&field::ADDRESS)?;
    let found = fetch(route, family(wanted.address), link.index).map_err(|f| f.about_link(request))?;
    let there = found.iter().filter(|state| state.index == link.index && state.address == wanted);
    let mut first = &field::ADDRESS.field;
    for state in there {
        match difference(state, request) {
            None => return Ok(()),
            Some(other) => first = other,
        }
    }
    Err(differs(first))
}

/// The first given field in which an address differs from what was asked for.
fn difference(state: &State, request: &Request) -> Option<&'static Field> {
    let attributes = &state.attributes;
    let lifetimes = state.lifetimes();
    let deprecated = state.flags & DEPRECATED != 0; // of one that stays for ever the kernel tells no lifetime then
    let number = |key: &field::Key<u64>, own: Option<u32>| {
        request.get(key).is_none_or(|given| own.map(u64::from) == Some(*given))
    };
    let broadcast = attributes.get(ifa::BROADCAST).and_then(ip);
    let label = attributes.string(ifa::LABEL);
    let checks = [
        (&field::PEER_ADDRESS.field, request.get(&field::PEER_ADDRESS).map(|peer| peer.address) == state.peer),
        (&field::BROADCAST.field, request.get(&field::BROADCAST).is_none_or(|given| broadcast == Some(*given))),
        (&field::SCOPE.field, request.get(&field::SCOPE).is_none_or(|word| state.scope == scope_number(word))),
        (&field::LABEL.field, request.get(&field::LABEL).is_none_or(|given| label == Some(given.as_str().as_bytes()))),
        (&field::METRIC.field, number(&field::METRIC, Some(attributes.u32(ifa::RT_PRIORITY).unwrap_or(0)))),
        (&field::VALID_LIFETIME.field, number(&field::VALID_LIFETIME, lifetimes.map(|(_, valid)| valid))),
        (
            &field::PREFERRED_LIFETIME.field,
            number(&field::PREFERRED_LIFETIME, lifetimes.map(|(preferred, _)| if deprecated { 0 } else { preferred })),
        ),
    ];
    let flags = FLAGS.iter().map(|(key, bit, _)| (&key.field, request.is_set(key) == (state.flags & bit != 0)));
    checks.into_iter().chain(flags).find(|(_, same)| !same).map(|(field, _)| field)
}
