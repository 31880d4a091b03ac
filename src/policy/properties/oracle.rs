// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a person reads rules: not at all as the judge does. A request is laid open into every concrete thing that may
//! happen: each value that absence leaves open, each address of a prefix. A rule is then read against one such thing.

use std::net::IpAddr;

use super::universe::{Asked, ip, values};
use super::written::{Entry, Says, Written};
use crate::call::field::Field;
use crate::call::inet::InterfaceAddress;
use crate::call::name::NetnsName;
use crate::call::value::Value;
use crate::call::{Absence, Use};
use crate::policy::rule::Ruling;

/// The uid of the caller that rules are read for.
const UID: u32 = 7;

/// A value, and of an address with its prefix one address in it.
#[derive(Debug, Clone)]
pub(super) struct Thing {
    value: Value,
    point: Option<IpAddr>,
}

/// One concrete thing that may happen.
pub(super) type Act = Vec<(&'static Field, Thing)>;

fn number(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(v4) => (u32::from(v4).into(), 32),
        IpAddr::V6(v6) => (v6.into(), 128),
    }
}

/// Whether the first `length` bits of both are the same.
fn same_beginning(one: IpAddr, other: IpAddr, length: u8) -> bool {
    let ((a, bits), (b, _)) = (number(one), number(other));
    let behind = bits - u32::from(length);
    one.is_ipv4() == other.is_ipv4() && (behind == 128 || a >> behind == b >> behind)
}

fn things(value: &Value) -> Vec<Thing> {
    let thing = |point| Thing { value: value.clone(), point };
    match value {
        Value::Address(address) => vec![thing(Some(*address))],
        Value::InterfaceAddress(InterfaceAddress { address, length }) => {
            let (all, bits) = number(*address);
            let behind = bits - u32::from(*length);
            let first = all >> behind << behind;
            let point = |n: u128| match address {
                IpAddr::V4(_) => IpAddr::V4(u32::try_from(first + n).unwrap().into()),
                IpAddr::V6(_) => IpAddr::V6((first + n).into()),
            };
            (0..1 << behind).map(|n| thing(Some(point(n)))).collect()
        }
        _ => vec![thing(None)],
    }
}

/// Everything that a field stands for; empty where nothing happens to it.
fn stands_for(used: &Use, asked: &Asked) -> Vec<Thing> {
    match (asked.value(used.field), used.absence) {
        (Some(value), _) => things(value),
        (None, Absence::Default(constant)) => things(&constant.value(UID)),
        (None, Absence::Any | Absence::Chosen) => values(used.field).iter().flat_map(things).collect(),
        (None, Absence::Required | Absence::Untouched) => Vec::new(),
    }
}

/// Every concrete thing that may happen.
pub(super) fn acts(asked: &Asked) -> Vec<Act> {
    let mut acts: Vec<Act> = vec![Vec::new()];
    for used in asked.call.uses(asked.kind) {
        let things = stands_for(used, asked);
        if !things.is_empty() {
            let one_more = |act: &Act, thing: &Thing| [&act[..], &[(used.field, thing.clone())]].concat();
            acts = acts
                .iter()
                .flat_map(|act| things.iter().map(|thing| one_more(act, thing)).collect::<Vec<_>>())
                .collect();
        }
    }
    acts
}

/// `*` and `?` by their definition, without a thought for speed.
fn fits(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    let Some(first) = rest.next() else { return text.is_empty() };
    let mut shorter = text.chars();
    let here = shorter.next();
    match first {
        '*' => fits(rest.as_str(), text) || (here.is_some() && fits(pattern, shorter.as_str())),
        c => here.is_some_and(|here| c == '?' || c == here) && fits(rest.as_str(), shorter.as_str()),
    }
}

fn has(entry: &Entry, thing: &Thing, ruling: Ruling) -> bool {
    let host = thing.value == Value::Netns(NetnsName::Host);
    let prefix = match &thing.value {
        Value::InterfaceAddress(InterfaceAddress { address, length }) => Some((*address, *length)),
        Value::Address(address) => Some((*address, if address.is_ipv4() { 32 } else { 128 })),
        _ => None,
    };
    match (*entry, &thing.value) {
        (Entry::Star, _) => ruling == Ruling::Deny || !host,
        (Entry::Pattern(raw), _) if host || raw.starts_with('@') => host && raw == "@host",
        (Entry::Pattern(raw), value) => fits(&raw.replace("{uid}", &UID.to_string()), &value.to_string()),
        (Entry::Between(least, most), Value::Number(number)) => least <= *number && *number <= most,
        (Entry::Uid, Value::Number(number)) => *number == u64::from(UID),
        (Entry::Truth(truth), Value::Bool(value)) => truth == *value,
        (Entry::Inside(at, length), _) => same_beginning(ip(at), thing.point.unwrap(), length),
        (Entry::Lengths(at, shortest, least, most), _) => {
            let (address, length) = prefix.unwrap();
            length >= shortest && same_beginning(ip(at), address, shortest) && least <= length && length <= most
        }
        (Entry::Exactly(at, length), _) => prefix == Some((ip(at), length)),
        (entry, value) => panic!("{entry:?} of {value:?}"),
    }
}

/// What it says of this thing: some entry gives it, and none takes it away.
fn names(says: &Says, thing: &Thing, ruling: Ruling) -> bool {
    says.gives.iter().any(|entry| has(entry, thing, ruling))
        && !says.takes.iter().any(|entry| has(entry, thing, ruling))
}

/// Whether it names anything at all.
pub(super) fn names_something(says: &Says, field: &Field) -> bool {
    values(field).iter().flat_map(things).any(|thing| names(says, &thing, Ruling::Deny))
}

fn find<'a>(act: &'a Act, name: &str) -> Option<&'a Thing> {
    act.iter().find(|(field, _)| field.name == name).map(|(_, thing)| thing)
}

/// Which links are referred to in which namespaces, by the manual's words and not by the declarations.
fn links(act: &Act) -> Vec<(&Thing, &Thing)> {
    let netns = find(act, "netns").unwrap();
    let target = find(act, "target_netns");
    let mut links = Vec::new();
    let link = find(act, "link");
    links.extend(link.map(|link| (link, netns)));
    links.extend(link.zip(target));
    links.extend(find(act, "new_name").map(|name| (name, target.unwrap_or(netns))));
    links.extend(find(act, "peer.name").zip(find(act, "peer.netns")));
    links
}

fn touched(netns: Option<&Says>, link: Option<&Says>, act: &Act) -> bool {
    let deny = Ruling::Deny;
    match (netns, link) {
        (Some(netns), None) => ["netns", "target_netns", "peer.netns"]
            .iter()
            .filter_map(|name| find(act, name))
            .any(|thing| names(netns, thing, deny)),
        (netns, Some(link)) => links(act)
            .iter()
            .any(|(name, at)| names(link, name, deny) && netns.is_none_or(|netns| names(netns, at, deny))),
        (None, None) => panic!("touches nothing"),
    }
}

/// A person's reading of a deny: this very thing is forbidden.
pub(super) fn speaks_of(deny: &Written, act: &Act) -> bool {
    let met = |(field, says): &(&'static Field, Says)| {
        find(act, field.name).is_some_and(|thing| names(says, thing, Ruling::Deny))
    };
    deny.fields.iter().all(met)
        && deny.touches.as_ref().is_none_or(|(netns, link)| touched(netns.as_ref(), link.as_ref(), act))
}

/// A person's reading of an allow: this very thing is inside everything that it says.
pub(super) fn within(allow: &Written, asked: &Asked, act: &Act) -> bool {
    act.iter().all(|(field, thing)| match (allow.names(field), asked.value(field)) {
        (Some(says), _) => names(says, thing, Ruling::Allow),
        (None, Some(value)) => needs_no_name(field, value, asked),
        (None, None) => true,
    })
}

/// A filter narrows; a default that is said is as good as not said.
fn needs_no_name(field: &Field, value: &Value, asked: &Asked) -> bool {
    let used = asked.call.uses(asked.kind).find(|used| used.field == field).unwrap();
    match used.absence {
        Absence::Any => true,
        Absence::Default(constant) => *value == constant.value(UID),
        Absence::Required | Absence::Untouched | Absence::Chosen => false,
    }
}

/// Exactly what an allow permits.
pub(super) fn grants(allow: &Written, asked: &Asked) -> bool {
    lacking(allow, asked).is_empty()
}

/// The fields that keep an allow from permitting, in the order of the declaration: they are carried without a name, not
/// inside, left open, or required and not there.
pub(super) fn lacking(allow: &Written, asked: &Asked) -> Vec<&'static Field> {
    let lacks = |used: &&Use| {
        let absent = asked.value(used.field).is_none() && !matches!(used.absence, Absence::Default(_));
        !granted(allow, asked, used) || (absent && allow.require.contains(&used.field))
    };
    asked.call.uses(asked.kind).filter(lacks).map(|used| used.field).collect()
}

/// One entry has all that the field stands for, and none behind `!` has any of it.
fn granted(allow: &Written, asked: &Asked, used: &Use) -> bool {
    let value = asked.value(used.field);
    let open = value.is_none() && matches!(used.absence, Absence::Any | Absence::Chosen);
    match (allow.names(used.field), value) {
        (None, None) => true,
        (None, Some(value)) => needs_no_name(used.field, value, asked),
        (Some(says), _) if open => says.takes.is_empty() && says.gives.iter().any(|e| matches!(e, Entry::Star)),
        (Some(says), _) => {
            let things = stands_for(used, asked);
            let whole = |entry: &Entry| things.iter().all(|thing| has(entry, thing, Ruling::Allow));
            let taken = |entry: &Entry| things.iter().any(|thing| has(entry, thing, Ruling::Allow));
            things.is_empty() || (says.gives.iter().any(whole) && !says.takes.iter().any(taken))
        }
    }
}
