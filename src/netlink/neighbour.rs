// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Neighbours of links (`RTM_NEWNEIGH` …, rtnetlink(7), `linux/neighbour.h`).
#![forbid(unsafe_code)]

use std::net::IpAddr;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Iff, Rtm};
use nix::errno::Errno;
use serde_json::{Map, Value};

use super::answer::{i32_at, u16_at};
use super::found::Found;
use super::inet::{family, octets};
use super::link::require_length;
use super::listing::{self, Names, Selection};
use super::message::{Attributes, Encoded, Message};
use super::rows::{Given, Resolved, Seen, encode, unparsed};
use super::sides::{After, Before};
use super::transaction::TransactionError;
use super::{Encoder, Prepared};
use crate::call::NEIGHBOUR_STATE;
use crate::call::field::{self, Field};
use crate::call::object::Row;
use crate::call::request::Request;
use crate::call::value::{self, Held as _};
use crate::refusal::{Class, Refusal, already, differs, invalid, unsuitable};

const STEP: &str = "parse a neighbour";
/// `NDA_IFINDEX`
const IFINDEX: u16 = 8;
/// `NDA_DST`
const DESTINATION: u16 = 1;
/// `NTF_PROXY`
const PROXY: u8 = 1 << 3;
/// `NUD_NOARP`, `NUD_PERMANENT`
const NOARP: u16 = 0x40;
const PERMANENT: u16 = 0x80;

pub(super) static ENCODERS: &[Encoder] = &[
    Encoder {
        call: "Neighbour.Add",
        prepare: write,
        object: Some(&NEIGHBOUR_STATE),
        settled: &[&field::EXISTS_OK.field],
    },
    Encoder { call: "Neighbour.Replace", prepare: write, object: Some(&NEIGHBOUR_STATE), settled: &[] },
    Encoder {
        call: "Neighbour.Delete",
        prepare: delete,
        object: None,
        settled: &[&field::LINK.field, &field::ADDRESS.field, &field::PROXY.field, &field::MISSING_OK.field],
    },
    Encoder {
        call: "Neighbour.Flush",
        prepare: flush,
        object: None,
        settled: &[
            &field::LINK.field,
            &field::ADDRESS.field,
            &field::FAMILY.field,
            &field::STATES.field,
            &field::PROXY.field,
        ],
    },
    Encoder { call: "Neighbour.Get", prepare: get, object: None, settled: &[] },
    Encoder { call: "Neighbour.List", prepare: list, object: None, settled: &[] },
];

/// The address of the request, without a length: `settle` has checked that.
fn address(request: &Request) -> Result<IpAddr, Refusal> {
    let held = request.value(&field::ADDRESS.field).and_then(IpAddr::held).copied();
    held.ok_or_else(|| invalid(field::ADDRESS.field.name, "is missing"))
}

/// A message about the neighbour or the proxy entry of a request, with what these rows encode.
fn about(kind: Rtm, flags: NlmF, given: &Given, rows: impl Iterator<Item = &'static Row>) -> Result<Message, Refusal> {
    let encoded = encode(NEIGHBOUR_STATE.head, rows, given.view())?;
    Ok(Message::route(kind, flags | NlmF::ACK, encoded))
}

/// The rows that identify a neighbour.
fn identity() -> impl Iterator<Item = &'static Row> {
    const FIELDS: [&Field; 3] = [&field::LINK.field, &field::ADDRESS.field, &field::PROXY.field];
    NEIGHBOUR_STATE.rows.iter().filter(|row| row.field().is_some_and(|field| FIELDS.contains(&field)))
}

/// Refuses requests for which the kernel would do something other than what was requested.
fn require_possible(link: Found, request: &Request) -> Result<(), Refusal> {
    require_length(link, request)?;
    if request.is_set(&field::PROXY) {
        return Ok(());
    }
    let (address, state) = (address(request)?, *request.needed(&field::STATE)?);
    let has_one = link.flags.intersects(Iff::LOOPBACK | Iff::POINTOPOINT);
    if has_one && address.is_ipv4() && !address.is_unspecified() {
        // `arp_constructor`: whatever the address is, the kernel makes the entry of 0.0.0.0.
        return Err(unsuitable(
            &field::ADDRESS.field,
            "on a loopback or point-to-point link IPv4 has one neighbour only, `0.0.0.0`",
        ));
    }
    let has_none = matches!(state, "none" | "incomplete" | "failed");
    if request.get(&field::MAC).is_none() && !has_none && link.mac_bytes > 0 {
        // The kernel would refuse, but would leave an entry without a state.
        return Err(unsuitable(
            &field::MAC.field,
            format!("is missing: on this link, a neighbour in state {state} has one"),
        ));
    }
    Ok(())
}

/// The link of a request, and the fields of the request with that link.
fn resolve(before: &mut Before<'_>) -> Result<(Found, Given), Refusal> {
    let request = before.request();
    let link = before.find(&field::LINK)?.ok_or_else(|| invalid(field::LINK.field.name, "is missing"))?;
    let resolved = vec![Resolved::link(&field::LINK.field, 0, link)];
    Ok((link, Given { request: request.clone(), family: family(address(request)?), resolved }))
}

/// `Neighbour.Add` and `Neighbour.Replace`
fn write(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let (link, given) = resolve(&mut before)?;
    require_possible(link, &given.request)?;
    let replaces = given.request.call().verb() == "Replace";
    let flags = NlmF::CREATE | if replaces { NlmF::REPLACE } else { NlmF::EXCL };
    let message = about(Rtm::Newneigh, flags, &given, NEIGHBOUR_STATE.rows.iter())?;
    Ok(Prepared::new(move |after, _| {
        if given.request.is_set(&field::PROXY) && is_proxied(after, &given)? && !replaces {
            return Ok(Map::new());
        }
        let (refused, check) = (TransactionError::about_link, |after: &mut After<'_>| require_managed(after, &given));
        after.make_checked(&message, &given.request, refused, |after| same(after, &given), check)
    }))
}

/// A kernel before Linux 5.16 makes an entry that it does not manage.
fn require_managed(after: &mut After<'_>, given: &Given) -> Result<(), Refusal> {
    if !given.request.is_set(&field::MANAGED) {
        return Ok(());
    }
    fetch(after, given)?.and_then(|seen| seen.not_applied(NEIGHBOUR_STATE.rows, given)).map_or(Ok(()), Err)
}

fn delete(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let tolerant = before.request().is_set(&field::MISSING_OK);
    let (_, given) = resolve(&mut before)?;
    let message = about(Rtm::Delneigh, NlmF::empty(), &given, identity())?;
    Ok(Prepared::new(move |after, _| match after.act(&message, &mut |_| Ok(())) {
        Err(TransactionError::Refused { errno: Errno::ENOENT, .. }) if tolerant => Ok(Map::new()),
        other => other.map(|()| Map::new()).map_err(|failure| failure.about_link(&given.request)),
    }))
}

fn read(payload: &[u8]) -> Option<Seen<'_>> {
    Seen::new(&NEIGHBOUR_STATE, payload)
}

/// `Neighbour.Get`
fn get(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let (link, given) = resolve(&mut before)?;
    Ok(Prepared::new(move |after, _| {
        let seen = fetch(after, &given)?.ok_or_else(|| {
            let (errno, text, field) = (Errno::ENOENT, None, Some(&field::ADDRESS.field));
            TransactionError::Refused { errno, text, field }.into_refusal(Class::NotFound, false)
        })?;
        let mut text = String::new();
        let mut names = Names::from(&mut **after);
        names.introduce(link.index, given.request.needed(&field::LINK)?.as_str().as_bytes());
        seen.write(NEIGHBOUR_STATE.rows, STEP, &mut names, &mut text)?;
        let neighbour = serde_json::from_str(&text).map_err(|_| unparsed(STEP))?;
        Ok(Map::from_iter([("neighbour".to_owned(), neighbour)]))
    }))
}

/// Requests the neighbours or proxy entries of a link (0 for all links); the kernel filters by family and index (strict
/// checking).
fn question(family: u8, index: i32, proxies: bool) -> Result<Message, Refusal> {
    let mut attributes = Attributes::default();
    if index != 0 {
        attributes.put(IFINDEX, &index.to_ne_bytes(), &field::LINK.field)?;
    }
    let flags = if proxies { PROXY } else { 0 };
    let head = vec![family, 0, 0, 0, 0, 0, 0, 0, 0, 0, flags, 0];
    Ok(Message::route(Rtm::Getneigh, NlmF::DUMP, Encoded { head, attributes }))
}

/// `Neighbour.Flush`
fn flush(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let link = before.find(&field::LINK)?.ok_or_else(|| invalid(field::LINK.field.name, "is missing"))?;
    let request = before.request();
    let wanted = Wanted::of(request);
    let own = wanted.address.map(family);
    let question = question(own.unwrap_or_else(|| listing::family(request)), link.index, wanted.proxies)?;
    let request = request.clone();
    Ok(Prepared::new(move |after, _| {
        let found = after.pick(&question, STEP, |payload| {
            let seen = read(payload)?;
            let is_meant = i32_at(seen.head(4), 0) == Some(link.index) && wanted.is(&seen);
            Some(is_meant.then(|| seen.into_owned()))
        });
        let found = found.map_err(|failure| failure.about_link(&request))?;
        after.flush(&found.iter().map(removal).collect::<Result<Vec<_>, _>>()?, &request, TransactionError::about_link)
    }))
}

/// The message that deletes exactly this entry.
fn removal(seen: &Seen<'_>) -> Result<Message, Refusal> {
    let mut attributes = Attributes::default();
    attributes.put(DESTINATION, seen.get(DESTINATION).unwrap_or_default(), &field::ADDRESS.field)?;
    let mut head = vec![0; NEIGHBOUR_STATE.head];
    let copied = [seen.family(), 0, 0, 0].into_iter().chain(seen.head(4).iter().copied().take(4));
    head.iter_mut().zip(copied).for_each(|(into, byte)| *into = byte);
    let proxy = seen.head(10).first().map_or(0, |flags| flags & PROXY);
    head.iter_mut().skip(10).take(1).for_each(|flags| *flags = proxy);
    Ok(Message::route(Rtm::Delneigh, NlmF::ACK, Encoded { head, attributes }))
}

/// What a flush deletes.
struct Wanted {
    address: Option<IpAddr>,
    /// `NUD_…`; those that a flush deletes if the request gives none are `None`.
    states: Option<Vec<u16>>,
    proxies: bool,
}

impl Wanted {
    fn of(request: &Request) -> Self {
        let number = |state: &value::Value| match state {
            value::Value::Word(word) => {
                field::STATE.field.ty.words()?.number(word).and_then(|state| u16::try_from(state).ok())
            }
            _ => None,
        };
        let states = request.get(&field::STATES).map(|states| states.iter().filter_map(number).collect());
        let address = request.value(&field::ADDRESS.field).and_then(IpAddr::held).copied();
        Self { address, states, proxies: request.is_set(&field::PROXY) }
    }

    fn is(&self, seen: &Seen<'_>) -> bool {
        let is_there = self.address.is_none_or(|address| seen.get(DESTINATION) == Some(octets(address).as_slice()));
        let state = u16_at(seen.head(8), 0).unwrap_or(0);
        let is_in_state = match &self.states {
            None => self.proxies || state & (PERMANENT | NOARP) == 0,
            Some(states) => states.iter().any(|wanted| state & wanted != 0 || state == *wanted),
        };
        is_there && is_in_state
    }
}

/// `Neighbour.List`; the kernel filters by family and index (strict checking).
fn list(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let links = Selection::look_up(&mut before)?;
    let request = before.request();
    let message = question(listing::family(request), links.index(), request.is_set(&field::PROXY))?;
    links.list(before, message, |payload, names, text| {
        let seen = read(payload).ok_or_else(|| unparsed(STEP))?;
        seen.write(NEIGHBOUR_STATE.rows, STEP, names, text).map(|()| true)
    })
}

/// Fetches the existing neighbour or proxy entry for the address of a request.
fn fetch(after: &mut After<'_>, given: &Given) -> Result<Option<Seen<'static>>, Refusal> {
    let message = about(Rtm::Getneigh, NlmF::empty(), given, identity())?;
    match after.ask(&message, STEP, |payload| read(payload).map(Seen::into_owned)) {
        Ok(found) => Ok(found.into_iter().next()),
        Err(TransactionError::Refused { errno: Errno::ENOENT, .. }) => Ok(None),
        Err(failure) => Err(failure.about_link(&given.request)),
    }
}

/// Whether the requested proxy entry exists. The kernel reports success for a second one, and makes none if there is an
/// entry for all links.
fn is_proxied(after: &mut After<'_>, given: &Given) -> Result<bool, Refusal> {
    match fetch(after, given)? {
        Some(seen) if i32_at(seen.head(4), 0) == Some(0) => {
            Err(already(&field::LINK.field, "a proxy entry for all links already exists"))
        }
        Some(_) if given.request.call().verb() == "Add" && !given.request.is_set(&field::EXISTS_OK) => {
            Err(already(&field::ADDRESS.field, "such a proxy entry already exists"))
        }
        found => Ok(found.is_some()),
    }
}

/// `exists_ok`: whether the existing neighbour is the requested one.
fn same(after: &mut After<'_>, given: &Given) -> Result<Map<String, Value>, Refusal> {
    let Some(seen) = fetch(after, given)? else {
        return Err(already(&field::ADDRESS.field, "another process removed it during the call"));
    };
    // The state of a neighbour that the kernel resolves is the kernel's.
    let resolved = given.request.is_set(&field::MANAGED) || given.request.is_set(&field::USE);
    let rows = NEIGHBOUR_STATE.rows.iter().filter(|row| !resolved || row.field() != Some(&field::STATE.field));
    match seen.difference(&rows, given.view(), false) {
        None => Ok(Map::new()),
        Some(field) => Err(differs(field)),
    }
}
