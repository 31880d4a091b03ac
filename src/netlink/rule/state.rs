// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Rules as the kernel tells of them.
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{RtAddrFamily, Rtm};
use serde_json::{Map, Value, json};

use super::super::answer::{Parsed, at, escape, parse, u32_at};
use super::super::inet::ip;
use super::super::message::{Attributes, Message};
use super::super::transaction::{Failure, Route};
use super::super::{Prepared, in_chunks, link, listing};
use super::{Head, action_number, fra};
use crate::call::field::{self, Field, Key};
use crate::call::inet::{InterfaceAddress, bits};
use crate::call::name::LinkName;
use crate::call::request::Request;
use crate::refusal::{Refusal, already, another_goes, differs};

/// Bytes of `struct fib_rule_hdr`.
const HEAD: usize = 12;
/// `AF_INET`, `AF_INET6`
const INET: u8 = 2;
const INET6: u8 = 10;
/// `FIB_RULE_INVERT`
const INVERT: u32 = 1 << 1;

/// `FIB_RULE_…`
static FLAGS: [(u32, &str); 6] = [
    (1, "permanent"),
    (INVERT, "invert"),
    (1 << 2, "unresolved"),
    (1 << 3, "iif_detached"),
    (1 << 4, "oif_detached"),
    (1 << 16, "find_saddr"),
];

/// What fields of a request can say, and what every rule has: one with more is no rule that a request could make.
static KNOWN: [u16; 11] = [
    fra::DST,
    fra::SRC,
    fra::IIFNAME,
    fra::PRIORITY,
    fra::FWMARK,
    fra::SUPPRESS_PREFIXLEN,
    fra::TABLE,
    fra::FWMASK,
    fra::OIFNAME,
    fra::PAD,
    fra::PROTOCOL,
];

/// A rule.
#[derive(Debug)]
struct State {
    family: u8,
    head: Head,
    /// All addresses where it has no such condition.
    source: InterfaceAddress,
    destination: InterfaceAddress,
    flags: u32,
    priority: u32,
    table: u32,
    fwmark: Option<u32>,
    fwmask: Option<u32>,
    suppress_prefixlength: Option<u32>,
    attributes: Parsed,
}

/// Reads a rule; the kernel also tells those of multicast routing (`RTNL_FAMILY_IPMR`), which are no subject here.
fn read(payload: &[u8]) -> Option<Option<State>> {
    let [family, destination_length, source_length, tos] = at(payload, 0)?;
    let [_, _, _, action] = at(payload, 4)?;
    let flags = u32_at(payload, 8)?;
    if ![INET, INET6].contains(&family) {
        return Some(None);
    }
    let attributes = parse(payload.get(HEAD..)?)?;
    let number = |kind| match attributes.get(kind) {
        Some(bytes) => u32_at(bytes, 0).map(Some),
        None => Some(None),
    };
    let fwmask = number(fra::FWMASK)?.filter(|mask| *mask != 0);
    Some(Some(State {
        family,
        head: Head { destination_length, source_length, tos, action },
        source: prefix(attributes.get(fra::SRC), source_length, family)?,
        destination: prefix(attributes.get(fra::DST), destination_length, family)?,
        flags,
        priority: number(fra::PRIORITY)?.unwrap_or(0),
        table: number(fra::TABLE)??,
        fwmark: fwmask.map(|_| number(fra::FWMARK)).map_or(Some(None), |mark| Some(Some(mark?.unwrap_or(0))))?,
        fwmask,
        suppress_prefixlength: number(fra::SUPPRESS_PREFIXLEN)?.filter(|length| *length != u32::MAX),
        attributes,
    }))
}

fn prefix(bytes: Option<&[u8]>, length: u8, family: u8) -> Option<InterfaceAddress> {
    let address = match bytes {
        _ if length == 0 && family == INET => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        _ if length == 0 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        bytes => ip(bytes?)?,
    };
    let fits = address.is_ipv4() == (family == INET) && length <= bits(address);
    fits.then_some(InterfaceAddress { address, length })
}

impl State {
    fn told(&self) -> Value {
        let attributes = &self.attributes;
        let mut told = Map::new();
        let mut put = |key: &str, value: Option<Value>| value.map(|value| told.insert(key.to_owned(), value));
        put("family", Some(if self.family == INET { "inet" } else { "inet6" }.into()));
        put("priority", Some(self.priority.into()));
        for (key, prefix) in [("source", self.source), ("destination", self.destination)] {
            put(key, (prefix.length > 0).then(|| prefix.to_string().into()));
        }
        for (key, kind) in [("iif", fra::IIFNAME), ("oif", fra::OIFNAME)] {
            put(key, attributes.string(kind).map(|name| escape(name).into()));
        }
        put("fwmark", self.fwmark.map(Value::from));
        put("fwmask", self.fwmask.map(Value::from));
        put("table", Some(self.table.into()));
        put("action", Some(self.head.action.into()));
        put("protocol", Some(attributes.u8(fra::PROTOCOL).unwrap_or(0).into()));
        put("flags", Some(link::words(self.flags, &FLAGS)));
        put("suppress_prefixlength", self.suppress_prefixlength.map(Value::from));
        put("tos", Some(self.head.tos.into()));
        for (key, kind) in [("suppress_ifgroup", fra::SUPPRESS_IFGROUP), ("goto", fra::GOTO), ("realms", fra::FLOW)] {
            put(key, attributes.u32(kind).map(Value::from));
        }
        for (key, kind) in [("ip_protocol", fra::IP_PROTO), ("dscp", fra::DSCP)] {
            put(key, attributes.u8(kind).map(Value::from));
        }
        put("l3mdev", attributes.u8(fra::L3MDEV).map(|yes| (yes != 0).into()));
        put("tunnel_id", attributes.get(fra::TUN_ID).and_then(|id| at(id, 0)).map(|id| u64::from_be_bytes(id).into()));
        let uids = attributes.get(fra::UID_RANGE);
        put("uids", uids.and_then(|uids| Some(range(u32_at(uids, 0)?, u32_at(uids, 4)?))));
        for (key, kind) in [("source_ports", fra::SPORT_RANGE), ("destination_ports", fra::DPORT_RANGE)] {
            let port = |offset| at(attributes.get(kind)?, offset).map(|port| u32::from(u16::from_ne_bytes(port)));
            put(key, port(0).zip(port(2)).map(|(least, most)| range(least, most)));
        }
        Value::Object(told)
    }

    /// The first field in which it is not as a request says. Of a condition that a request leaves out, Rule.Add means
    /// that there is none, and Rule.Delete any.
    fn difference(&self, request: &Request) -> Option<&'static Field> {
        let any = request.call().verb() == "Delete";
        let prefix = |key: &Key<InterfaceAddress>, own: InterfaceAddress| match request.get(key) {
            Some(given) => *given == own,
            None => any || own.length == 0,
        };
        let number = |key: &Key<u64>, own: Option<u32>| match request.get(key) {
            Some(given) => own.map(u64::from) == Some(*given),
            None => any || own.is_none(),
        };
        let name = |key: &Key<LinkName>, kind| {
            let own = self.attributes.string(kind);
            request.get(key).map_or(any || own.is_none(), |given| own == Some(given.as_str().as_bytes()))
        };
        let masked = any || self.fwmark.is_some(); // Rule.Add has a mask even where it has no mark
        let action = request.get(&field::ACTION).is_none_or(|word| action_number(word) == self.head.action);
        let checks = [
            (&field::PRIORITY.field, number(&field::PRIORITY, Some(self.priority))),
            (&field::SOURCE.field, prefix(&field::SOURCE, self.source)),
            (&field::DESTINATION.field, prefix(&field::DESTINATION, self.destination)),
            (&field::IIF.field, name(&field::IIF, fra::IIFNAME)),
            (&field::OIF.field, name(&field::OIF, fra::OIFNAME)),
            (&field::FWMARK.field, number(&field::FWMARK, self.fwmark)),
            (&field::FWMASK.field, !masked || number(&field::FWMASK, self.fwmask)),
            (&field::ACTION.field, action),
            (&field::TABLE.field, number(&field::TABLE, Some(self.table))),
            (&field::SUPPRESS_PREFIXLENGTH.field, number(&field::SUPPRESS_PREFIXLENGTH, self.suppress_prefixlength)),
        ];
        checks.into_iter().find(|(_, same)| !same).map(|(field, _)| field)
    }

    /// Whether it has no more than what fields of a request can say.
    fn is_plain(&self) -> bool {
        self.head.tos == 0 && self.flags & INVERT == 0 && self.attributes.all().all(|(kind, _)| KNOWN.contains(&kind))
    }

    /// What identifies it: its attributes that say something. The kernel takes the others for anything.
    fn marks(&self) -> impl Iterator<Item = (u16, &[u8])> {
        self.attributes.all().filter(|(kind, payload)| match *kind {
            fra::PAD => false,
            fra::SUPPRESS_PREFIXLEN => payload.iter().any(|byte| *byte != 0xff),
            _ => payload.iter().any(|byte| *byte != 0),
        })
    }

    /// Whether the kernel (`rule_find`) would take `other` for it.
    fn is_taken_for(&self, other: &Self) -> bool {
        let (own, its) = (self.head, other.head);
        let says = |own: u8, its: u8| own == 0 || own == its;
        says(own.action, its.action)
            && says(own.tos, its.tos)
            && says(own.source_length, its.source_length)
            && says(own.destination_length, its.destination_length)
            && self.priority == other.priority
            && self.marks().all(|(kind, payload)| other.attributes.get(kind) == Some(payload))
    }

    fn removal(&self, family: RtAddrFamily) -> Result<Message, Refusal> {
        let mut attributes = Attributes::default();
        for (kind, payload) in self.marks().filter(|(kind, _)| *kind != fra::PRIORITY) {
            attributes.add(kind, payload)?;
        }
        attributes.put(fra::PRIORITY, &self.priority.to_ne_bytes(), &field::PRIORITY.field)?;
        Ok(Message::new(Rtm::Delrule, NlmF::ACK, &self.head.encode(family)?, attributes))
    }
}

fn range(least: u32, most: u32) -> Value {
    json!({ "least": least, "most": most })
}

/// The kernel filters by family.
fn fetch(route: &mut Route, family: RtAddrFamily) -> Result<Vec<State>, Failure> {
    let head = Head::default().encode(family).map_err(Failure::Broken)?;
    let message = Message::new(Rtm::Getrule, NlmF::DUMP, &head, Attributes::default());
    Ok(route.ask(&message, "parse a rule", read)?.into_iter().flatten().collect())
}

/// `Rule.List`
pub(super) fn list(request: &Request) -> Result<Prepared, Refusal> {
    let family = listing::family(request);
    Ok(Prepared::new(move |route, each| {
        let found = fetch(route, family).map_err(Failure::refusal)?;
        in_chunks(found.iter().map(State::told).collect(), each);
        Ok(Map::new())
    }))
}

/// What deletes the first rule that is as a request says; `None` where there is none.
pub(super) fn removal(route: &mut Route, request: &Request) -> Result<Option<Message>, Refusal> {
    let family = listing::family(request);
    let found = fetch(route, family).map_err(Failure::refusal)?;
    let meant = |state: &State| state.flags & INVERT == 0 && state.difference(request).is_none();
    let Some(at) = found.iter().position(meant) else { return Ok(None) };
    let (before, rest) = found.split_at(at);
    let Some(state) = rest.first() else { return Ok(None) };
    if before.iter().any(|other| state.is_taken_for(other)) {
        let why = "the kernel would delete another rule of the same priority, which has more conditions";
        return Err(another_goes(&field::PRIORITY.field, why));
    }
    state.removal(family).map(Some)
}

/// `exists_ok`: whether one of the rules at this priority is the one that was asked for.
pub(super) fn same(route: &mut Route, request: &Request) -> Result<(), Refusal> {
    let found = fetch(route, listing::family(request)).map_err(Failure::refusal)?;
    let mut first = already(&field::PRIORITY.field, "there was one, and it went away meanwhile");
    for state in found.iter().filter(|state| request.get(&field::PRIORITY) == Some(&state.priority.into())) {
        first = match state.difference(request) {
            None if state.is_plain() => return Ok(()),
            None => already(&field::PRIORITY.field, "there is one already, with conditions that no field has"),
            Some(field) => differs(field),
        };
    }
    Err(first)
}
