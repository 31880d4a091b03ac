// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Neighbours of links (`RTM_NEWNEIGH` …, rtnetlink(7), `linux/neighbour.h`).
#![forbid(unsafe_code)]

use std::net::IpAddr;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Iff, Rtm};
use nix::errno::Errno;
use serde_json::{Map, Value};

use super::answer::i32_at;
use super::found::Found;
use super::inet::family;
use super::link::require_length;
use super::listing::{self, Selection};
use super::message::{Attributes, Encoded, Message};
use super::rows::{Given, Resolved, Seen, encode, unparsed};
use super::sides::{After, Before};
use super::transaction::TransactionError;
use super::{Encoder, Prepared};
use crate::call::NEIGHBOUR_STATE;
use crate::call::field::{self, Field};
use crate::call::object::Row;
use crate::call::request::Request;
use crate::call::value::Held as _;
use crate::refusal::{Refusal, already, differs, invalid, unsuitable};

const STEP: &str = "parse a neighbour";
/// `NDA_IFINDEX`
const IFINDEX: u16 = 8;
/// `NTF_PROXY`
const PROXY: u8 = 1 << 3;

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
        after.make(&message, &given.request, TransactionError::about_link, |after| same(after, &given))
    }))
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

/// `Neighbour.List`; the kernel filters by family and index (strict checking).
fn list(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let links = Selection::look_up(&mut before)?;
    let request = before.request();
    let mut attributes = Attributes::default();
    if links.index() != 0 {
        attributes.put(IFINDEX, &links.index().to_ne_bytes(), &field::LINK.field)?;
    }
    let flags = if request.is_set(&field::PROXY) { PROXY } else { 0 };
    let head = vec![listing::family(request), 0, 0, 0, 0, 0, 0, 0, 0, 0, flags, 0];
    let message = Message::route(Rtm::Getneigh, NlmF::DUMP, Encoded { head, attributes });
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
        return Err(already(&field::ADDRESS.field, "it existed, and was removed in the meantime"));
    };
    match seen.difference(&NEIGHBOUR_STATE.rows, given.view(), false) {
        None => Ok(Map::new()),
        Some(field) => Err(differs(field)),
    }
}
