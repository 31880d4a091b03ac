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
const GOTO: u16 = 4;
const DST: u16 = 1;
const SRC: u16 = 2;
const FWMARK: u16 = 10;
const SUPPRESS_IFGROUP: u16 = 13;
const SUPPRESS_PREFIXLEN: u16 = 14;
const FWMASK: u16 = 16;
const PAD: u16 = 18;
const UID_RANGE: u16 = 20;
/// The bits of a port that are compared. Since Linux 6.15 the kernel reports them for a single port, even if it compares
/// all of them.
const PORT_MASKS: [u16; 2] = [28, 29];
/// The attributes that a request can set, and those that every rule has. No request can make a rule with others.
const KNOWN: [u16; 18] = [
    1,
    2,
    3,
    GOTO,
    PRIORITY,
    FWMARK,
    SUPPRESS_IFGROUP,
    SUPPRESS_PREFIXLEN,
    15,
    FWMASK,
    17,
    PAD,
    19,
    UID_RANGE,
    21,
    22,
    23,
    24,
];
/// Bytes of `struct fib_rule_hdr` that identify a rule: lengths of the prefixes, type of service, action.
const IDENTIFYING: [usize; 4] = [1, 2, 3, 7];
/// `FIB_RULE_INVERT`, a bit of the flags in the header.
const INVERT: u32 = 1 << 1;
/// The place of the flags in the header.
const FLAGS: usize = 8;

pub(super) static ENCODERS: &[Encoder] = &[
    Encoder { call: "Rule.Add", prepare: add, object: Some(&RULE_STATE), settled: &[&field::EXISTS_OK.field] },
    Encoder { call: "Rule.Delete", prepare: delete, object: Some(&RULE_STATE), settled: &[&field::MISSING_OK.field] },
    Encoder { call: "Rule.Flush", prepare: flush, object: Some(&RULE_STATE), settled: &[&field::PRIORITIES.field] },
    Encoder { call: "Rule.List", prepare: list, object: None, settled: &[] },
];

/// The rows of what a request gives of a rule. A mask is sent only with a mark: without it the kernel takes a mark of 0
/// for no condition. The origin 0 is the kernel's default, and iproute2 sends none either.
fn given_rows(request: &Request) -> impl Iterator<Item = &'static Row> + Clone {
    let unsent = [
        (&field::FWMASK.field, request.get(&field::FWMARK).is_none()),
        (&field::PROTOCOL.field, request.get(&field::PROTOCOL) == Some(&0)),
    ];
    let is_unsent = move |row: &Row| unsent.iter().any(|(field, unsent)| *unsent && row.field() == Some(field));
    RULE_STATE.rows.iter().filter(move |row| !is_unsent(row))
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

/// `Rule.Flush`. Which rules are meant, and whether the kernel would delete others, is known before the first is deleted.
fn flush(before: Before<'_>) -> Result<Prepared, Refusal> {
    let given = given(before.into_request());
    Ok(Prepared::new(move |after, _| {
        let found = fetch(after, &given).map_err(TransactionError::refusal)?;
        after.flush(&removals(&found, &given)?, &given.request, TransactionError::about)
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
    for mask in PORT_MASKS {
        if seen.get(mask).is_some_and(is_whole) {
            seen.instead(mask, None);
        }
    }
    Some(Some(seen))
}

/// Whether all bits are set: of a mask, that it masks nothing; of a limit, that there is none.
fn is_whole(payload: &[u8]) -> bool {
    payload.iter().all(|byte| *byte == 0xff)
}

fn priority(seen: &Seen<'_>) -> u32 {
    seen.get(PRIORITY).and_then(|bytes| u32_at(bytes, 0)).unwrap_or(0)
}

fn byte(seen: &Seen<'_>, at: usize) -> u8 {
    seen.head(at).first().copied().unwrap_or(0)
}

/// Whether a request can give everything that it has.
fn is_plain(seen: &Seen<'_>) -> bool {
    let known = |attribute: Option<(u16, &[u8])>| {
        attribute
            .is_some_and(|(kind, payload)| KNOWN.contains(&kind) || (PORT_MASKS.contains(&kind) && is_whole(payload)))
    };
    attributes(seen.attributes()).all(known)
}

/// The attributes that identify a rule: those that are not 0. The kernel takes the others for "any". It reports the uids,
/// which may be those of root alone, and a group of links only where the rule has them. A prefix such as 0.0.0.0/1 is one
/// if its length in the header is not 0.
fn marks<'s>(seen: &'s Seen<'_>) -> impl Iterator<Item = (u16, &'s [u8])> {
    attributes(seen.attributes()).flatten().filter(|(kind, payload)| match *kind {
        PAD => false,
        UID_RANGE => true,
        DST => byte(seen, 1) != 0,
        SRC => byte(seen, 2) != 0,
        SUPPRESS_PREFIXLEN | SUPPRESS_IFGROUP => !is_whole(payload),
        mask if PORT_MASKS.contains(&mask) => !is_whole(payload),
        _ => payload.iter().any(|byte| *byte != 0),
    })
}

/// Whether the kernel (`rule_find`) would delete `other` in place of `own`. It compares neither the target of a `goto` nor
/// whether the conditions are inverted.
fn is_taken_for(own: &Seen<'_>, other: &Seen<'_>) -> bool {
    IDENTIFYING.iter().all(|at| byte(own, *at) == 0 || byte(own, *at) == byte(other, *at))
        && priority(own) == priority(other)
        && marks(own).filter(|(kind, _)| *kind != GOTO).all(|mark| marks(other).any(|its| its == mark))
}

/// Requests rules; the kernel filters by family.
fn question(family: u8) -> Message {
    let head = [&[family][..], &[0; 11]].concat();
    Message::route(Rtm::Getrule, NlmF::DUMP, Encoded { head, attributes: Attributes::default() })
}

/// Fetches the rules of the priorities that a request gives. Others cannot be meant, or be deleted in place of the
/// requested ones.
fn fetch(netlink: &mut Netlink, given: &Given) -> Result<Vec<Seen<'static>>, TransactionError> {
    let one = given.request.get(&field::PRIORITY).copied();
    let several = given.request.get(&field::PRIORITIES).copied();
    let is_wanted = |priority: u64| {
        one.is_none_or(|one| one == priority) && several.is_none_or(|several| several.contains(priority))
    };
    netlink.pick(&question(given.family), STEP, |payload| {
        let seen = read(payload)?.filter(|seen| is_wanted(priority(seen).into()));
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
    let is_meant = |seen: &Seen<'_>| difference(seen, given, true).is_none();
    let Some(at) = found.iter().position(is_meant) else { return Ok(None) };
    let Some(seen) = found.get(at) else { return Ok(None) };
    if found.iter().any(|other| !is_meant(other) && is_taken_for(seen, other)) {
        return Err(another_goes(&field::PRIORITY.field, ANOTHER));
    }
    deletion(seen).map(Some)
}

/// The messages that delete all rules that are as requested.
fn removals(found: &[Seen<'_>], given: &Given) -> Result<Vec<Message>, Refusal> {
    let mut messages = Vec::new();
    for of_one_priority in found.chunk_by(|one, other| priority(one) == priority(other)) {
        let is_meant = |seen: &&Seen<'_>| difference(seen, given, true).is_none();
        let (meant, others): (Vec<&Seen<'_>>, Vec<_>) = of_one_priority.iter().partition(is_meant);
        for seen in meant {
            if others.iter().any(|other| is_taken_for(seen, other)) {
                return Err(another_goes(&field::PRIORITIES.field, ANOTHER));
            }
            messages.push(deletion(seen)?);
        }
    }
    Ok(messages)
}

/// Why a rule is not deleted. A rule behind it stands in the way, too: another process may delete the requested one first,
/// and the kernel would then take the other one for it.
const ANOTHER: &str = "the kernel could delete another rule of the same priority, which it does not tell apart";

/// The message that deletes a rule by everything that identifies it.
fn deletion(seen: &Seen<'_>) -> Result<Message, Refusal> {
    let mut attributes = Attributes::default();
    for (kind, payload) in marks(seen).filter(|(kind, _)| *kind != PRIORITY) {
        attributes.add(kind, payload)?;
    }
    // Without a mask, the kernel would take a mark for one of which all bits are compared.
    let has = |wanted: u16| marks(seen).any(|(kind, _)| kind == wanted);
    if has(FWMARK) && !has(FWMASK) {
        attributes.add(FWMASK, &[0; 4])?;
    }
    attributes.put(PRIORITY, &priority(seen).to_ne_bytes(), &field::PRIORITY.field)?;
    let mut head = vec![0; RULE_STATE.head];
    for at in IDENTIFYING.into_iter().chain([0]) {
        head.iter_mut().skip(at).take(1).for_each(|own| *own = byte(seen, at));
    }
    // The kernel does not compare this flag. iproute2 sends it, too.
    let inverted = u32_at(seen.head(FLAGS), 0).unwrap_or(0) & INVERT;
    head.splice(FLAGS.., inverted.to_ne_bytes());
    Ok(Message::route(Rtm::Delrule, NlmF::ACK, Encoded { head, attributes }))
}

/// The first field in which a rule is not as requested. A request of `Rule.Add` has a mask even where it has no mark. No
/// field is about a port of which the kernel compares some bits only.
fn difference(seen: &Seen<'_>, given: &Given, absence_is_any: bool) -> Option<&'static field::Field> {
    let mask = given.request.get(&field::FWMASK).filter(|_| absence_is_any || seen.get(FWMASK).is_some());
    let own = seen.get(FWMASK).and_then(|bytes| u32_at(bytes, 0)).map(u64::from);
    let differs = mask.is_some_and(|mask| own != Some(*mask));
    let ports = [&field::SOURCE_PORTS.field, &field::DESTINATION_PORTS.field].into_iter().zip(PORT_MASKS);
    let mut masked = ports.filter(|(field, mask)| given.request.value(field).is_some() && seen.get(*mask).is_some());
    seen.difference(&RULE_STATE.rows, given.view(), absence_is_any)
        .or(differs.then_some(&field::FWMASK.field))
        .or_else(|| masked.next().map(|(field, _)| field))
}

/// `exists_ok`: whether one of the rules at this priority is the requested one.
fn same(after: &mut After<'_>, given: &Given) -> Result<Map<String, Value>, Refusal> {
    let found = fetch(after, given).map_err(TransactionError::refusal)?;
    let mut first = already(&field::PRIORITY.field, "another process removed it during the call");
    for seen in &found {
        first = match difference(seen, given, false) {
            None if is_plain(seen) => return Ok(Map::new()),
            None => already(&field::PRIORITY.field, "one already exists, with conditions that no field has"),
            Some(field) => differs(field),
        };
    }
    Err(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call;
    use crate::call::json::Json;

    /// A rule for the source port 16, or for those that have these bits of it.
    fn rule(mask: Option<u16>) -> Vec<u8> {
        let mut payload = vec![INET, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        payload.extend([&8_u16.to_ne_bytes()[..], &23_u16.to_ne_bytes(), &[16, 0, 16, 0]].concat());
        if let Some(mask) = mask {
            let attribute = [&6_u16.to_ne_bytes()[..], &28_u16.to_ne_bytes(), &mask.to_ne_bytes(), &[0; 2]];
            payload.extend(attribute.concat());
        }
        payload
    }

    /// Only newer versions of iproute2 can make such a rule.
    #[test]
    fn a_port_of_which_only_some_bits_are_compared_is_not_the_given_port() {
        let text = br#"{"netns": "a", "family": "inet", "priority": 0, "source_ports": 16}"#;
        let request = Request::parse(call::by_name("Rule.Delete").unwrap(), &Json::parse(text).unwrap(), 0).unwrap();
        let given = given(&request);
        for (mask, is_masked) in [(None, false), (Some(0xffff), false), (Some(0xf0), true)] {
            let payload = rule(mask);
            let seen = read(&payload).unwrap().unwrap();
            let differs = difference(&seen, &given, true);
            assert_eq!(differs, is_masked.then_some(&field::SOURCE_PORTS.field), "{mask:?}");
            assert_eq!(is_plain(&seen), !is_masked, "{mask:?}");
            let sent = marks(&seen).filter(|(kind, _)| PORT_MASKS.contains(kind)).count();
            assert_eq!(sent, usize::from(is_masked), "{mask:?}");
        }
    }
}
