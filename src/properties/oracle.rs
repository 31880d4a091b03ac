// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reads rules as a person does, and not at all as the judge does. A request is expanded into every concrete thing that
//! may happen: each value that absence leaves open, each address of a prefix, each element of a list. A rule is then
//! read for one such thing.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Mutex;

use super::asked::{Question, left_open};
use super::universe::{closes, ip, is_outside_of, values};
use super::written::{Entry, Says, Written};
use crate::call::field::Field;
use crate::call::inet::InterfaceAddress;
use crate::call::name::NetnsName;
use crate::call::types::Type;
use crate::call::value::{Element, Value};
use crate::call::{Absence, Use};
use crate::policy::rule::Ruling;

/// The uid of the caller that rules are read for.
const UID: u32 = 7;

/// A value, and for an address with its prefix, one address in it.
#[derive(Debug, Clone)]
pub(super) struct Thing {
    value: Value,
    point: Option<IpAddr>,
    /// Whether the request gives it, or its absence means it.
    said: bool,
}

/// One concrete thing that may happen, with one element of each list.
#[derive(Debug, Clone, Default)]
pub(super) struct Act {
    things: Vec<(&'static Field, Thing)>,
    /// What the other elements may hold.
    beside: Vec<(&'static Field, Thing)>,
}

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
    let thing = |point| Thing { value: value.clone(), point, said: true };
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
        Value::Range(range) => {
            let number = |number| Thing { value: Value::Number(number), point: None, said: true };
            (range.first()..=range.last()).map(number).collect()
        }
        Value::Several(values) => values.iter().flat_map(things).collect(),
        _ => vec![thing(None)],
    }
}

/// Everything that a field can be. It is needed all the time, so it is kept, by the field's number.
fn anything(field: &Field) -> &'static [Thing] {
    static KEPT: Mutex<BTreeMap<u16, &[Thing]>> = Mutex::new(BTreeMap::new());
    let make = || values(field).iter().flat_map(things).map(|thing| Thing { said: false, ..thing }).collect();
    KEPT.lock().unwrap().entry(field.number).or_insert_with(|| Vec::leak(make()))
}

/// Whether absence leaves a field open. Another field that is given may close it.
fn is_open(used: &Use, asked: &Question, closes_it: impl Fn(&Field) -> bool) -> bool {
    asked.value(used.field()).is_none()
        && matches!(used.absence, Absence::Any | Absence::Chosen)
        && !asked.given.iter().any(|(given, _)| closes(asked.call, given, used.field()) && closes_it(given))
}

/// The same for a reader of one allow: a filter that the allow does not name closes nothing.
fn is_open_to(allow: &Written, used: &Use, asked: &Question) -> bool {
    let is_filter =
        |by: &Field| asked.call.uses(asked.kind).any(|u| u.field() == by && matches!(u.absence, Absence::Any));
    is_open(used, asked, |by| allow.speaks_of(by) || !is_filter(by))
}

/// Everything that a field means, whether it is given or absent; empty where nothing happens to it.
fn stands_for(used: &Use, said: Option<&Value>, asked: &Question) -> Vec<Thing> {
    match (said, used.absence) {
        (Some(value), _) => things(value),
        (None, Absence::Default(constant)) => {
            things(&constant.value(UID)).into_iter().map(|thing| Thing { said: false, ..thing }).collect()
        }
        (None, _) if is_open(used, asked, |_| true) => anything(used.field()).to_vec(),
        (None, _) => Vec::new(),
    }
}

/// Each of these acts, extended by each of these things.
fn with(acts: &[Act], field: &'static Field, things: &[Thing]) -> Vec<Act> {
    if things.is_empty() {
        return acts.to_vec();
    }
    let one_more = |act: &Act, thing: &Thing| {
        let mut act = act.clone();
        act.things.push((field, thing.clone()));
        act
    };
    acts.iter().flat_map(|act| things.iter().map(|thing| one_more(act, thing)).collect::<Vec<_>>()).collect()
}

/// Every concrete thing that may happen by a request.
pub(super) fn acts(asked: &Question) -> Vec<Act> {
    acts_of(asked, &[])
}

/// The same, and what is done to the object that existed before, in which these fields may have had any value. For
/// denies.
pub(super) fn fates(asked: &Question) -> Vec<Act> {
    let mut fates = acts(asked);
    let open = left_open(asked);
    if !open.is_empty() {
        fates.extend(acts_of(asked, &open));
    }
    fates
}

fn acts_of(asked: &Question, open: &[&'static Field]) -> Vec<Act> {
    let uses = || asked.call.uses(asked.kind).filter(|used| used.inside().is_none());
    let mut acts = vec![Act::default()];
    for used in uses().filter(|used| !matches!(used.field().ty, Type::List(_))) {
        let things = match open.contains(&used.field()) {
            true => anything(used.field()).to_vec(),
            false => stands_for(used, asked.value(used.field()), asked),
        };
        acts = with(&acts, used.field(), &things);
    }
    for list in uses().filter(|used| matches!(used.field().ty, Type::List(_))) {
        acts = with_one_element(&acts, list, asked, open.contains(&list.field()));
    }
    // What the call does to objects that no request describes.
    let elsewhere = open.iter().filter(|field| !asked.call.has(field));
    elsewhere.fold(acts, |acts, field| with(&acts, field, anything(field)))
}

/// Each of these acts, extended by one element of a list, if it has any.
fn with_one_element(acts: &[Act], list: &Use, asked: &Question, open: bool) -> Vec<Act> {
    let inside = || asked.call.uses(asked.kind).filter(|used| used.inside() == Some(list.field()));
    let elements: Vec<Vec<(&'static Field, Vec<Thing>)>> = if open || is_open(list, asked, |_| true) {
        vec![inside().map(|used| (used.field(), anything(used.field()).to_vec())).collect()]
    } else {
        let laid_open = |element: &Element| {
            inside().map(|used| (used.field(), stands_for(used, element.value(used.field()), asked))).collect()
        };
        asked.elements(list.field()).iter().map(laid_open).collect()
    };
    let each = (0..elements.len()).flat_map(|n| {
        let mut with_it = elements[n].iter().fold(acts.to_vec(), |acts, (field, things)| with(&acts, field, things));
        let others = elements.iter().enumerate().filter(|(other, _)| *other != n).flat_map(|(_, element)| element);
        let beside = others.flat_map(|(field, things)| things.iter().map(|thing| (*field, thing.clone())));
        let beside: Vec<_> = beside.collect();
        with_it.iter_mut().for_each(|act| act.beside.extend(beside.clone()));
        with_it
    });
    if elements.is_empty() { acts.to_vec() } else { each.collect() }
}

/// `*` and `?` by their definition, without regard to speed.
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

/// Whether the constraint includes this thing: some entry gives it, and none takes it away.
fn names(says: &Says, thing: &Thing, ruling: Ruling) -> bool {
    says.gives.iter().any(|entry| has(entry, thing, ruling))
        && !says.takes.iter().any(|entry| has(entry, thing, ruling))
}

/// Whether the constraint includes anything at all.
pub(super) fn names_something(says: &Says, field: &Field) -> bool {
    anything(field).iter().any(|thing| names(says, thing, Ruling::Deny))
}

fn find<'a>(act: &'a Act, name: &str) -> Option<&'a Thing> {
    act.things.iter().find(|(field, _)| field.name == name).map(|(_, thing)| thing)
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
    let of_elements = act.things.iter().chain(&act.beside).filter(|(field, _)| field.name == "nexthops.link");
    links.extend(of_elements.map(|(_, thing)| (thing, netns)));
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

/// A person's reading of a deny: it forbids this very thing.
pub(super) fn speaks_of(deny: &Written, act: &Act) -> bool {
    let met = |(field, says): &(&'static Field, Says)| {
        let mut things = act.things.iter().filter(|(said, _)| said == field || is_outside_of(field, said));
        things.any(|(_, thing)| names(says, thing, Ruling::Deny))
    };
    deny.fields.iter().all(met)
        && deny.touches.as_ref().is_none_or(|(netns, link)| touched(netns.as_ref(), link.as_ref(), act))
}

/// A person's reading of an allow: this very thing is inside everything that the allow names, and it names every list.
pub(super) fn within(allow: &Written, asked: &Question, act: &Act) -> bool {
    let inside = |(field, thing): &(&'static Field, Thing)| match allow.names(field) {
        Some(says) => names(says, thing, Ruling::Allow),
        None => !thing.said || needs_no_name(field, &thing.value, asked),
    };
    act.things.iter().all(inside) && asked.call.uses(asked.kind).all(|used| !is_unnamed_list(allow, asked, used))
}

/// Whether a list is given while the allow names no field inside it. A filter narrows, so it needs no name.
fn is_unnamed_list(allow: &Written, asked: &Question, list: &Use) -> bool {
    matches!(list.field().ty, Type::List(_))
        && asked.value(list.field()).is_some()
        && !matches!(list.absence, Absence::Any)
        && !allow.speaks_of(list.field())
}

/// Whether a value needs no name in an allow. A filter narrows; a given default means the same as absence.
fn needs_no_name(field: &Field, value: &Value, asked: &Question) -> bool {
    let used = asked.call.uses(asked.kind).find(|used| used.field() == field).unwrap();
    match used.absence {
        Absence::Any => true,
        Absence::Default(constant) => *value == constant.value(UID),
        Absence::Required | Absence::Follows | Absence::Untouched | Absence::Chosen => false,
    }
}

/// Whether an allow permits a request: exactly what it should permit.
pub(super) fn grants(allow: &Written, asked: &Question) -> bool {
    lacking(allow, asked).is_empty()
}

/// The fields that keep an allow from permitting, in the order of the declaration. They are given without a name in the
/// allow, not inside, left open, or required and absent.
pub(super) fn lacking(allow: &Written, asked: &Question) -> Vec<&'static Field> {
    let lacks =
        |used: &&Use| !granted(allow, asked, used) || (allow.require.contains(&used.field()) && !there(asked, used));
    asked.call.uses(asked.kind).filter(lacks).map(|used| used.field()).collect()
}

/// Whether a field is given; a field of a list in every element.
pub(super) fn there(asked: &Question, used: &Use) -> bool {
    let said = asked.said(used);
    !said.is_empty() && said.iter().all(|said| said.is_some() || matches!(used.absence, Absence::Default(_)))
}

fn granted(allow: &Written, asked: &Question, used: &Use) -> bool {
    if matches!(used.field().ty, Type::List(_)) {
        return !is_unnamed_list(allow, asked, used);
    }
    let list = used.inside().and_then(|list| asked.call.uses(asked.kind).find(|used| used.field() == list));
    match allow.names(used.field()) {
        Some(says) if list.is_some_and(|list| is_open_to(allow, list, asked)) => gives_all(says),
        named => asked.said(used).into_iter().all(|said| match (named, said) {
            (None, None) => true,
            (None, Some(value)) => needs_no_name(used.field(), value, asked),
            (Some(says), None) if is_open_to(allow, used, asked) => gives_all(says),
            (Some(says), Some(Value::Several(values))) => values.iter().all(|value| gives(says, &things(value))),
            (Some(says), said) => gives(says, &stands_for(used, said, asked)),
        }),
    }
}

fn gives_all(says: &Says) -> bool {
    says.takes.is_empty() && says.gives.iter().any(|entry| matches!(entry, Entry::Star))
}

/// Whether one entry has all of these things, and none after `!` has any of them.
fn gives(says: &Says, things: &[Thing]) -> bool {
    let whole = |entry: &Entry| things.iter().all(|thing| has(entry, thing, Ruling::Allow));
    let taken = |entry: &Entry| things.iter().any(|thing| has(entry, thing, Ruling::Allow));
    things.is_empty() || (says.gives.iter().any(whole) && !says.takes.iter().any(taken))
}
