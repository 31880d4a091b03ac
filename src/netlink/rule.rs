// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Routing rules (`RTM_NEWRULE` …, `linux/fib_rules.h`). They hold links by name, and these need not exist.
#![forbid(unsafe_code)]

use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use nix::errno::Errno;
use serde_json::{Map, Value};

use super::answer::{attributes, u32_at};
use super::inet::{INET, INET6};
use super::listing::{self, Listing};
use super::message::{Attributes, Encoded, Message};
use super::rows::{Given, Seen, encode, unparsed};
use super::sides::{After, Before};
use super::transaction::{Netlink, TransactionError};
use super::{Encoder, Prepared};
use crate::call::RULE_STATE;
use crate::call::field;
use crate::call::object::Row;
use crate::call::request::Request;
use crate::refusal::{Refusal, already, another_goes, differs};

const STEP: &str = "parse a rule";
/// Attributes of a routing rule (`FRA_…`).
const PRIORITY: u16 = 6;
const FWMARK: u16 = 10;
const SUPPRESS_PREFIXLEN: u16 = 14;
const FWMASK: u16 = 16;
const PAD: u16 = 18;
/// The attributes that a request can set, and those that every rule has. No request can make a rule with others.
const KNOWN: [u16; 11] = [1, 2, 3, PRIORITY, FWMARK, SUPPRESS_PREFIXLEN, 15, FWMASK, 17, PAD, 21];
/// `FIB_RULE_INVERT`
const INVERT: u32 = 1 << 1;
/// Bytes of `struct fib_rule_hdr` that identify a rule: lengths of the prefixes, type of service, action.
const IDENTIFYING: [usize; 4] = [1, 2, 3, 7];

pub(super) static ENCODERS: &[Encoder] = &[
    Encoder { call: "Rule.Add", prepare: add, object: Some(&RULE_STATE), settled: &[&field::EXISTS_OK.field] },
    Encoder { call: "Rule.Delete", prepare: delete, object: Some(&RULE_STATE), settled: &[&field::MISSING_OK.field] },
    Encoder { call: "Rule.List", prepare: list, object: None, settled: &[] },
];

/// The rows of what a request gives of a rule. A mask is sent only with a mark: without it the kernel takes a mark of 0
/// for no condition.
fn given_rows(request: &Request) -> impl Iterator<Item = &'static Row> + Clone {
    let has_mark = request.get(&field::FWMARK).is_some();
    RULE_STATE.rows.iter().filter(move |row| has_mark || row.field() != Some(&field::FWMASK.field))
}

fn given(request: &Request) -> Given {
    Given { request: request.clone(), family: listing::family(request), resolved: Vec::new() }
}

fn add(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    // The kernel would take an alternative name for the link that has it. The rule would then be about a link that
    // nobody judged. A name that no link has yet will be compared with links' own names later.
    before.require_own_name(&field::IIF)?;
    before.require_own_name(&field::OIF)?;
    let given = given(before.request());
    let encoded = encode(RULE_STATE.head, given_rows(&given.request), given.view())?;
    let message = Message::route(Rtm::Newrule, NlmF::CREATE | NlmF::EXCL | NlmF::ACK, encoded);
    Ok(Prepared::new(move |after, _| {
        after.make(&message, &given.request, TransactionError::about, |after| same(after, &given))
    }))
}

/// The kernel matches anything for what is 0 or absent, and deletes the first rule that matches. So the rules are
/// listed first, and the requested one is deleted by everything that the kernel reports of it.
fn delete(before: Before<'_>) -> Result<Prepared, Refusal> {
    let given = given(before.into_request());
    let tolerant = given.request.is_set(&field::MISSING_OK);
    Ok(Prepared::new(move |after, _| {
        let gone = || TransactionError::Refused { errno: Errno::ENOENT, text: None, field: None };
        let result = match removal(after, &given)? {
            Some(message) => after.act(&message, &mut |_| Ok(())),
            None => Err(gone()),
        };
        match result {
            Err(TransactionError::Refused { errno: Errno::ENOENT, .. }) if tolerant => Ok(Map::new()),
            other => other.map(|()| Map::new()).map_err(|failure| failure.about(&given.request)),
        }
    }))
}

/// Reads a rule. The kernel also lists rules of multicast routing (`RTNL_FAMILY_IPMR`); for these the inner value is
/// `None`.
fn read(payload: &[u8]) -> Option<Option<Seen<'_>>> {
    let mut seen = Seen::new(&RULE_STATE, payload)?;
    if ![INET, INET6].contains(&seen.family()) {
        return Some(None);
    }
    let is = |seen: &Seen<'_>, kind, number| seen.get(kind).and_then(|bytes| u32_at(bytes, 0)) == Some(number);
    if seen.get(FWMASK).is_none() || is(&seen, FWMASK, 0) {
        seen.instead(FWMASK, None);
        seen.instead(FWMARK, None);
    } else if seen.get(FWMARK).is_none() {
        seen.instead(FWMARK, Some(vec![0; 4]));
    }
    if is(&seen, SUPPRESS_PREFIXLEN, u32::MAX) {
        seen.instead(SUPPRESS_PREFIXLEN, None);
    }
    Some(Some(seen))
}

fn flags(seen: &Seen<'_>) -> u32 {
    u32_at(seen.head(8), 0).unwrap_or(0)
}

fn priority(seen: &Seen<'_>) -> u32 {
    seen.get(PRIORITY).and_then(|bytes| u32_at(bytes, 0)).unwrap_or(0)
}

fn byte(seen: &Seen<'_>, at: usize) -> u8 {
    seen.head(at).first().copied().unwrap_or(0)
}

/// Whether a request can give everything that it has.
fn is_plain(seen: &Seen<'_>) -> bool {
    let known = |attribute: Option<(u16, &[u8])>| attribute.is_some_and(|(kind, _)| KNOWN.contains(&kind));
    byte(seen, 3) == 0 && flags(seen) & INVERT == 0 && attributes(seen.attributes()).all(known)
}

/// The attributes that identify a rule: those that are not 0. The kernel takes the others for "any".
fn marks<'s>(seen: &'s Seen<'_>) -> impl Iterator<Item = (u16, &'s [u8])> {
    attributes(seen.attributes()).flatten().filter(|(kind, payload)| match *kind {
        PAD => false,
        SUPPRESS_PREFIXLEN => payload.iter().any(|byte| *byte != 0xff),
        _ => payload.iter().any(|byte| *byte != 0),
    })
}

/// Whether the kernel (`rule_find`) would delete `other` in place of `own`.
fn is_taken_for(own: &Seen<'_>, other: &Seen<'_>) -> bool {
    IDENTIFYING.iter().all(|at| byte(own, *at) == 0 || byte(own, *at) == byte(other, *at))
        && priority(own) == priority(other)
        && marks(own).all(|mark| marks(other).any(|its| its == mark))
}

/// Requests rules; the kernel filters by family.
fn question(family: u8) -> Message {
    let head = [&[family][..], &[0; 11]].concat();
    Message::route(Rtm::Getrule, NlmF::DUMP, Encoded { head, attributes: Attributes::default() })
}

/// Fetches the rules of the priority that a request gives. Others cannot be meant, or be deleted in place of the
/// requested one.
fn fetch(netlink: &mut Netlink, given: &Given) -> Result<Vec<Seen<'static>>, TransactionError> {
    let wanted = given.request.get(&field::PRIORITY).copied();
    netlink.pick(&question(given.family), STEP, |payload| {
        let seen = read(payload)?.filter(|seen| wanted == Some(priority(seen).into()));
        seen.map_or(Some(None), |seen| seen.parses(RULE_STATE.rows).then(|| Some(seen.into_owned())))
    })
}

/// `Rule.List`
fn list(before: Before<'_>) -> Result<Prepared, Refusal> {
    let message = question(listing::family(before.into_request()));
    Ok(Prepared::new(move |after, elements| {
        let mut listing = Listing::begin(after, elements, &|_, _| Ok(()));
        let received = listing.receive(&message, &mut |payload, names, text| {
            let Some(seen) = read(payload).ok_or_else(|| unparsed(STEP))? else { return Ok(false) };
            seen.write(RULE_STATE.rows, STEP, names, text).map(|()| true)
        });
        received.map_err(TransactionError::refusal)?;
        listing.end()
    }))
}

/// The message that deletes the first rule that is as requested; `None` where no rule is.
fn removal(after: &mut After<'_>, given: &Given) -> Result<Option<Message>, Refusal> {
    let found = fetch(after, given).map_err(TransactionError::refusal)?;
    let is_meant = |seen: &Seen<'_>| flags(seen) & INVERT == 0 && difference(seen, given, true).is_none();
    let Some(at) = found.iter().position(is_meant) else { return Ok(None) };
    let (before, rest) = found.split_at(at);
    let Some(seen) = rest.first() else { return Ok(None) };
    if before.iter().any(|other| is_taken_for(seen, other)) {
        let why = "the kernel would delete another rule of the same priority, which has more conditions";
        return Err(another_goes(&field::PRIORITY.field, why));
    }
    let mut attributes = Attributes::default();
    for (kind, payload) in marks(seen).filter(|(kind, _)| *kind != PRIORITY) {
        attributes.add(kind, payload)?;
    }
    attributes.put(PRIORITY, &priority(seen).to_ne_bytes(), &field::PRIORITY.field)?;
    let mut head = vec![0; RULE_STATE.head];
    for at in IDENTIFYING.into_iter().chain([0]) {
        head.iter_mut().skip(at).take(1).for_each(|own| *own = byte(seen, at));
    }
    Ok(Some(Message::route(Rtm::Delrule, NlmF::ACK, Encoded { head, attributes })))
}

/// The first field in which a rule is not as requested. A request of `Rule.Add` has a mask even where it has no mark.
fn difference(seen: &Seen<'_>, given: &Given, absence_is_any: bool) -> Option<&'static field::Field> {
    let mask = given.request.get(&field::FWMASK).filter(|_| absence_is_any || seen.get(FWMASK).is_some());
    let own = seen.get(FWMASK).and_then(|bytes| u32_at(bytes, 0)).map(u64::from);
    let differs = mask.is_some_and(|mask| own != Some(*mask));
    seen.difference(&RULE_STATE.rows, given.view(), absence_is_any).or(differs.then_some(&field::FWMASK.field))
}

/// `exists_ok`: whether one of the rules at this priority is the requested one.
fn same(after: &mut After<'_>, given: &Given) -> Result<Map<String, Value>, Refusal> {
    let found = fetch(after, given).map_err(TransactionError::refusal)?;
    let mut first = already(&field::PRIORITY.field, "it existed, and was removed in the meantime");
    for seen in &found {
        first = match difference(seen, given, false) {
            None if is_plain(seen) => return Ok(Map::new()),
            None => already(&field::PRIORITY.field, "one already exists, with conditions that no field has"),
            Some(field) => differs(field),
        };
    }
    Err(first)
}
