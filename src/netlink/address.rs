// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Addresses of links (`RTM_NEWADDR` …, rtnetlink(7), `linux/if_addr.h`).
#![forbid(unsafe_code)]

use std::net::IpAddr;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use nix::errno::Errno;
use serde_json::{Map, Value};

use super::answer::u32_at;
use super::inet::{INET6, family, octets};
use super::listing::{self, Selection};
use super::message::{Attributes, Encoded, Message};
use super::rows::{Decoded, Given, Seen, encode, unparsed};
use super::sides::{After, Before};
use super::transaction::{Netlink, TransactionError};
use super::{Encoder, Prepared};
use crate::call::field::{self, Field};
use crate::call::inet::InterfaceAddress;
use crate::call::{ADDRESS_FLAGS_INET6, ADDRESS_STATE, object::Row};
use crate::refusal::{Refusal, differs};

const STEP: &str = "parse an address";
/// Attributes of an address (`IFA_…`) that code writes or reads.
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
const CACHEINFO: u16 = 6;
const FLAGS: u16 = 8;
const PROTO: u16 = 11;
/// `IFA_F_TEMPORARY`
const TEMPORARY: u32 = 1;
/// `IFA_F_DEPRECATED`
const DEPRECATED: u32 = 1 << 5;

pub(super) static ENCODERS: &[Encoder] = &[
    Encoder { call: "Address.Add", prepare: add, object: Some(&ADDRESS_STATE), settled: &[&field::EXISTS_OK.field] },
    Encoder {
        call: "Address.Delete",
        prepare: delete,
        object: Some(&ADDRESS_STATE),
        settled: &[&field::MISSING_OK.field],
    },
    Encoder { call: "Address.Replace", prepare: replace, object: Some(&ADDRESS_STATE), settled: &[] },
    Encoder { call: "Address.Flush", prepare: flush, object: Some(&ADDRESS_STATE), settled: &[&field::FAMILY.field] },
    Encoder { call: "Address.List", prepare: list, object: None, settled: &[] },
];

/// The message that makes the address of a request.
fn making(flags: NlmF, given: &Given) -> Result<Message, Refusal> {
    let wanted = *given.request.needed(&field::ADDRESS)?;
    let mut encoded = encode(ADDRESS_STATE.head, ADDRESS_STATE.rows, given.view())?;
    if given.request.get(&field::PEER_ADDRESS).is_none() {
        encoded.attributes.put(ADDRESS, &octets(wanted.address), &field::ADDRESS.field)?;
    }
    Ok(Message::route(Rtm::Newaddr, flags | NlmF::CREATE | NlmF::ACK, encoded))
}

fn add(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let of = family(before.request().needed(&field::ADDRESS)?.address);
    let given = before.resolve(ADDRESS_STATE.rows.iter(), of)?;
    let message = making(NlmF::EXCL, &given)?;
    Ok(Prepared::new(move |after, _| {
        let (refused, check) = (TransactionError::about_link, |after: &mut After<'_>| require_applied(after, &given));
        after.make_checked(&message, &given.request, refused, |after| same(after, &given), check)
    }))
}

/// The kernel changes only some fields of an existing address, and ignores the others. It may also take another address
/// for the requested one. So the addresses are listed first.
fn replace(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let of = family(before.request().needed(&field::ADDRESS)?.address);
    let given = before.resolve(ADDRESS_STATE.rows.iter(), of)?;
    let message = making(NlmF::REPLACE, &given)?;
    Ok(Prepared::new(move |after, _| {
        let request = &given.request;
        let wanted = *request.needed(&field::ADDRESS)?;
        for seen in fetch(after, given.family, index(&given)).map_err(|failure| failure.about_link(request))? {
            if let Some(field) = obstacle(&seen, wanted, &given) {
                return Err(differs(field));
            }
        }
        after.act(&message, &mut |_| Ok(())).map_err(|failure| failure.about_link(request))?;
        require_applied(after, &given).map_err(Refusal::after_a_change)?;
        Ok(Map::new())
    }))
}

/// The field because of which an existing address stands in the way of the requested one: the kernel would take it for
/// the requested one (`find_matching_ifa`, `ipv6_get_ifaddr`), or cannot change it there.
fn obstacle(seen: &Seen<'_>, wanted: InterfaceAddress, given: &Given) -> Option<&'static Field> {
    let (own, peer) = ends(seen)?;
    if own.address != wanted.address {
        return None;
    }
    let Some(other) = seen.difference(&rows_of(&IDENTITY), given.view(), false) else {
        let fixed = if wanted.address.is_ipv4() { &FIXED[..] } else { &FIXED_INET6 };
        let starts_anew = given.request.is_set(&field::OPTIMISTIC).then_some(&field::OPTIMISTIC.field);
        return seen.difference(&rows_of(fixed), given.view(), false).or(starts_anew);
    };
    let length = own.length;
    let network = |end: Option<IpAddr>| InterfaceAddress { address: end.unwrap_or(own.address), length }.network();
    let wanted_peer = given.request.get(&field::PEER_ADDRESS).map(|peer| peer.address);
    let is_taken_for = length == wanted.length && network(peer) == network(wanted_peer);
    (wanted.address.is_ipv6() || is_taken_for).then_some(other)
}

/// The fields that identify an address of a link.
const IDENTITY: [&Field; 2] = [&field::ADDRESS.field, &field::PEER_ADDRESS.field];
/// The fields of an existing IPv4 address that the kernel does not change (`inet_rtm_newaddr`).
const FIXED: [&Field; 5] = [
    &field::BROADCAST.field,
    &field::SCOPE.field,
    &field::LABEL.field,
    &field::NOPREFIXROUTE.field,
    &field::AUTOJOIN.field,
];
/// The same for an IPv6 address (`inet6_addr_modify`).
const FIXED_INET6: [&Field; 1] = [&field::AUTOJOIN.field];

/// The rows of these fields.
fn rows_of<'f>(fields: &'f [&'static Field]) -> impl Iterator<Item = &'static Row> + Clone + use<'f> {
    ADDRESS_STATE.rows.iter().filter(|row| row.field().is_some_and(|field| fields.contains(&field)))
}

/// An address and its other end.
fn ends(seen: &Seen<'_>) -> Option<(InterfaceAddress, Option<IpAddr>)> {
    let mut ends = IDENTITY.into_iter().map(|field| {
        let row = ADDRESS_STATE.rows.iter().find(|row| row.field() == Some(field))?;
        if let Some(Some(Decoded::Prefix(end))) = seen.value(row) { Some(end) } else { None }
    });
    let own = ends.next().flatten()?;
    Some((own, ends.next().flatten().map(|peer| peer.address)))
}

/// The index of the link of a request.
fn index(given: &Given) -> u32 {
    given.view().number(&field::LINK.field).unwrap_or(0)
}

/// A kernel before Linux 5.18 ignores the origin of an address.
fn require_applied(after: &mut After<'_>, given: &Given) -> Result<(), Refusal> {
    let request = &given.request;
    if request.get(&field::PROTOCOL).is_none_or(|protocol| *protocol == 0) {
        return Ok(());
    }
    let found = fetch(after, given.family, index(given)).map_err(|failure| failure.about_link(request))?;
    let is_it = |seen: &&Seen<'_>| seen.difference(&rows_of(&IDENTITY), given.view(), false).is_none();
    found.iter().find(is_it).and_then(|seen| seen.not_applied(ADDRESS_STATE.rows, given)).map_or(Ok(()), Err)
}

/// `Address.Flush`. Of one prefix the kernel lists the primary address first. It is deleted last, because the kernel
/// deletes the others with it.
fn flush(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let request = before.request();
    let own = request.get(&field::ADDRESS).or_else(|| request.get(&field::PEER_ADDRESS));
    let of = own.map_or_else(|| listing::family(request), |own| family(own.address));
    let given = before.resolve(ADDRESS_STATE.rows.iter(), of)?;
    Ok(Prepared::new(move |after, _| {
        let index = index(&given);
        let found = fetch(after, given.family, index).map_err(|failure| failure.about_link(&given.request))?;
        let rows = ADDRESS_STATE.rows.iter().filter(identifies);
        let is_meant =
            |seen: &&Seen<'_>| !is_of_the_kernel(seen) && seen.difference(&rows, given.view(), true).is_none();
        let removals =
            found.iter().rev().filter(is_meant).filter_map(ends).map(|(own, peer)| removal(index, own, peer));
        after.flush(&removals.collect::<Result<Vec<_>, _>>()?, &given.request, TransactionError::about_link)
    }))
}

/// Whether the kernel made an address of itself: on the loopback link, from a router advertisement, as the link-local one
/// (`IFAPROT_…`), or as a temporary one.
fn is_of_the_kernel(seen: &Seen<'_>) -> bool {
    let origin = seen.get(PROTO).and_then(|bytes| bytes.first()).copied().unwrap_or(0);
    let flags = seen.get(FLAGS).and_then(|bytes| u32_at(bytes, 0)).unwrap_or(0);
    (1..=3).contains(&origin) || seen.family() == INET6 && flags & TEMPORARY != 0
}

/// The message that removes exactly this address.
fn removal(index: u32, of: InterfaceAddress, peer: Option<IpAddr>) -> Result<Message, Refusal> {
    let mut attributes = Attributes::default();
    attributes.put(LOCAL, &octets(of.address), &field::ADDRESS.field)?;
    let field = if peer.is_some() { &field::PEER_ADDRESS.field } else { &field::ADDRESS.field };
    attributes.put(ADDRESS, &octets(peer.unwrap_or(of.address)), field)?;
    let head = [&[family(of.address), of.length, 0, 0][..], &index.to_ne_bytes()].concat();
    Ok(Message::route(Rtm::Deladdr, NlmF::ACK, Encoded { head, attributes }))
}

/// The kernel matches the address of the other end as a prefix, and compares the length only together with it. So the
/// addresses are listed first, and the one that is as given is removed by all that identifies it.
fn delete(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let tolerant = before.request().is_set(&field::MISSING_OK);
    let wanted = *before.request().needed(&field::ADDRESS)?;
    let peer = before.request().get(&field::PEER_ADDRESS).map(|peer| peer.address);
    let given = before.resolve(ADDRESS_STATE.rows.iter(), family(wanted.address))?;
    let index = index(&given);
    let message = removal(index, wanted, peer)?;
    Ok(Prepared::new(move |after, _| {
        let request = &given.request;
        let found = fetch(after, given.family, index).map_err(|failure| failure.about_link(request))?;
        let rows = ADDRESS_STATE.rows.iter().filter(identifies);
        let result = if found.iter().any(|seen| seen.difference(&rows, given.view(), false).is_none()) {
            after.act(&message, &mut |_| Ok(()))
        } else {
            let (errno, field) = (Errno::EADDRNOTAVAIL, Some(&field::ADDRESS.field));
            Err(TransactionError::Refused { errno, text: None, field })
        };
        match result {
            Err(TransactionError::Refused { errno: Errno::EADDRNOTAVAIL, .. }) if tolerant => Ok(Map::new()),
            other => other.map(|()| Map::new()).map_err(|failure| failure.about_link(request)),
        }
    }))
}

/// Whether `Address.Delete` compares a field: all but the link, which the listing is filtered by.
fn identifies(row: &&'static Row) -> bool {
    row.field() != Some(&field::LINK.field)
}

/// Requests addresses; the kernel filters by family and index (strict checking).
fn question(family: u8, index: u32) -> Message {
    let head = [&[family, 0, 0, 0][..], &index.to_ne_bytes()].concat();
    Message::route(Rtm::Getaddr, NlmF::DUMP, Encoded { head, attributes: Attributes::default() })
}

/// Whether an address belongs to the link of this index. Index 0 stands for all links.
fn is_of(seen: &Seen<'_>, index: u32) -> bool {
    index == 0 || u32_at(seen.head(4), 0) == Some(index)
}

/// Fetches the addresses of a link.
fn fetch(netlink: &mut Netlink, family: u8, index: u32) -> Result<Vec<Seen<'static>>, TransactionError> {
    netlink.pick(&question(family, index), STEP, |payload| {
        Some(Some(read(payload)?).filter(|seen| is_of(seen, index)).map(Seen::into_owned))
    })
}

/// Reads an address. Where it has no other end, the kernel puts it into both attributes (IPv4), or into `IFA_ADDRESS`
/// only (IPv6).
fn read(payload: &[u8]) -> Option<Seen<'_>> {
    let mut seen = Seen::new(&ADDRESS_STATE, payload)?;
    // The kernel leaves out the other end if it is 0.0.0.0 (`inet_fill_ifaddr`).
    if seen.family() != INET6 && seen.get(LOCAL).is_some() && seen.get(ADDRESS).is_none() {
        seen.instead(ADDRESS, Some(vec![0; 4]));
    }
    let (local, other) = (seen.get(LOCAL), seen.get(ADDRESS));
    if local.is_none() || local == other {
        let address = local.or(other)?.to_vec();
        seen.instead(LOCAL, Some(address));
        seen.instead(ADDRESS, None);
    }
    Some(seen)
}

/// `Address.List`
fn list(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let links = Selection::look_up(&mut before)?;
    let request = before.request();
    let scope = request.get(&field::SCOPE).and_then(|word| field::SCOPE.field.ty.words()?.number(word));
    let index = links.index().unsigned_abs();
    let message = question(listing::family(request), index);
    links.list(before, message, move |payload, names, text| {
        let seen = read(payload).ok_or_else(|| unparsed(STEP))?;
        seen.write(rows(&seen), STEP, names, text)?;
        Ok(is_of(&seen, index) && scope.is_none_or(|scope| has_scope(&seen, scope)))
    })
}

/// The rows that a result reports of an address.
fn rows(seen: &Seen<'_>) -> impl Iterator<Item = &'static Row> {
    let is_v6 = seen.family() == INET6;
    let of_family = move |row: &'static Row| {
        if is_v6 && row.name() == ADDRESS_FLAGS_INET6.name() { &ADDRESS_FLAGS_INET6 } else { row }
    };
    ADDRESS_STATE.rows.iter().map(of_family)
}

/// `ifa_scope`
fn has_scope(seen: &Seen<'_>, scope: u32) -> bool {
    seen.head(3).first().copied().map(u32::from) == Some(scope)
}

/// `exists_ok`: whether the existing address is the requested one, in every field that was given or has a default, and
/// with the same other end. A finite lifetime runs down, so it is only equal during the first second.
fn same(after: &mut After<'_>, given: &Given) -> Result<Map<String, Value>, Refusal> {
    let wanted = *given.request.needed(&field::ADDRESS)?;
    let mut found = fetch(after, given.family, index(given)).map_err(|failure| failure.about_link(&given.request))?;
    let address = ADDRESS_STATE.rows.iter().find(|row| row.field() == Some(&field::ADDRESS.field));
    let is_meant = |seen: &&mut Seen<'_>| matches!(address.and_then(|row| seen.value(row)?), Some(Decoded::Prefix(own)) if own == wanted);
    let mut first: &'static Field = &field::ADDRESS.field;
    for seen in found.iter_mut().filter(is_meant) {
        // For a deprecated address with an unlimited lifetime the kernel reports no lifetime.
        if seen.get(FLAGS).and_then(|bytes| u32_at(bytes, 0)).is_some_and(|flags| flags & DEPRECATED != 0) {
            let info = seen.get(CACHEINFO).map(|info| [&[0; 4], info.get(4..).unwrap_or_default()].concat());
            seen.instead(CACHEINFO, info);
        }
        match seen.difference(&ADDRESS_STATE.rows, given.view(), false) {
            None => return Ok(Map::new()),
            Some(other) => first = other,
        }
    }
    Err(differs(first))
}
