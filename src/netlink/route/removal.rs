// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The removal of a route by all that identifies it.
#![forbid(unsafe_code)]

use std::cell::RefCell;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;

use super::super::answer::{at, find};
use super::super::inet::{INET6, family, octets};
use super::super::message::{Attributes, Encoded, Message, NESTED};
use super::super::rows::Seen;
use super::super::transaction::{Netlink, TransactionError};
use super::{Hop, ONLINK, STEP, Wanted, fetch, hops, is_to, or_empty, parses, read, rta};
use crate::call::ROUTE_STATE;
use crate::call::field::{self, Field};
use crate::call::object::Place;
use crate::refusal::{Refusal, another_goes, invalid};

/// Why a route is not deleted. A route behind it stands in the way, too: another process may delete the requested one first,
/// and the kernel would then take the other one for it.
const ANOTHER: &str =
    "the kernel could delete another route to this prefix, of the same metric, which it does not tell apart";

/// The first route that matches in every given field. Of several routes to one prefix it is the one with the lowest
/// metric.
pub(super) fn first(netlink: &mut Netlink, wanted: &Wanted) -> Result<Option<Seen<'static>>, TransactionError> {
    let mut found = Vec::new();
    for family in &wanted.families {
        let message = wanted.question(*family)?;
        found.extend(fetch(netlink, &message, wanted.table, |seen| is_to(seen, &wanted.given))?);
    }
    let Some(at) = found.iter().position(|seen| wanted.is(seen)) else { return Ok(None) };
    let seen = found.swap_remove(at);
    if found.iter().any(|other| !wanted.is(other) && is_taken_for(&seen, other)) {
        return Err(TransactionError::Broken(another_goes(&field::DESTINATION.field, ANOTHER)));
    }
    Ok(Some(seen))
}

/// The messages that remove all routes of a family that match. The routes to one prefix are listed one after the other.
pub(super) fn all(netlink: &mut Netlink, wanted: &Wanted, family: u8) -> Result<Vec<Message>, TransactionError> {
    let to_one = RefCell::new((Vec::<Seen<'static>>::new(), Vec::new())); // to the same prefix: those that match, and others
    let found = netlink.pick(&wanted.question(family)?, STEP, |payload| {
        let seen = read(payload).filter(parses)?;
        let (matching, others) = &mut *to_one.borrow_mut();
        for known in [&mut *matching, &mut *others] {
            known.retain(|other| is_to_the_same(&seen, other));
        }
        let matches = wanted.is(&seen);
        let is_alike = if matches {
            others.iter().any(|other| is_taken_for(&seen, other))
        } else {
            matching.iter().any(|own| is_taken_for(own, &seen))
        };
        let removal = matches.then(|| message(&seen, &hops(&seen)));
        let known = if matches { matching } else { others };
        known.push(seen.into_owned());
        Some(if is_alike { Some(Err(another_goes(&field::DESTINATION.field, ANOTHER))) } else { removal })
    });
    let removals: Result<Vec<Message>, Refusal> = or_empty(found, wanted.table)?.into_iter().collect();
    removals.map_err(TransactionError::Broken)
}

fn is_to_the_same(own: &Seen<'_>, other: &Seen<'_>) -> bool {
    byte(own, 1) == byte(other, 1) && own.get(rta::DST) == other.get(rta::DST)
}

/// A byte of the header of `RTM_GETROUTE`: lengths of the two prefixes, type of service, table, protocol, scope and
/// type.
fn byte(seen: &Seen<'_>, at: usize) -> u8 {
    seen.head(at).first().copied().unwrap_or(0)
}

/// Whether the kernel (`fib_table_delete`, `ip6_route_del`) would delete `other`, which is listed earlier, in place of
/// `own`. It compares only these fields, and may be satisfied with one of several next hops. Appended routes can be so
/// alike.
fn is_taken_for(own: &Seen<'_>, other: &Seen<'_>) -> bool {
    let same = |kinds: &[u16]| kinds.iter().all(|kind| own.get(*kind) == other.get(*kind));
    let same_bytes = |offsets: &[usize]| offsets.iter().all(|at| byte(own, *at) == byte(other, *at));
    let is = |own: &Hop, its: &Hop| {
        (own.index == 0 || own.index == its.index) && (own.gateway.is_none() || own.gateway == its.gateway)
    };
    let is_open = |hop: &Hop| hop.index == 0 && hop.gateway.is_none();
    let beside = || match (own.get(rta::NH_ID), other.get(rta::NH_ID)) {
        (Some(id), its) => its == Some(id),
        // `fib_nh_match` compares no next hops with a nexthop object, and `ip6_route_del` takes it for any.
        (None, Some(_)) => own.family() == INET6 || hops(own).iter().all(is_open),
        (None, None) => hops(own).iter().any(|own| hops(other).iter().any(|its| is(own, its))),
    };
    // `fib_nh_match` compares the encapsulation of a route with one next hop, if the message has it. `ip6_route_del` does not.
    let is_single = |seen: &Seen<'_>| seen.get(rta::MULTIPATH).is_none() && seen.get(rta::NH_ID).is_none();
    let is_encapsulated_otherwise = || {
        own.family() != INET6
            && compared_encapsulation(own).is_some()
            && is_single(own)
            && is_single(other)
            && !same(&[rta::ENCAP_TYPE, rta::ENCAP])
    };
    same(&[rta::DST, rta::SRC, rta::TABLE, rta::PRIORITY])
        && same_bytes(&[1, 2, 3])
        && (byte(own, 5) == 0 || byte(own, 5) == byte(other, 5))
        && (own.family() == INET6 || same_bytes(&[6, 7]))
        && beside()
        && !is_encapsulated_otherwise()
}

/// The encapsulation of a route, where its kind is one that requests can give. The kernel does not take what it reports of
/// some other kinds.
fn compared_encapsulation<'s>(seen: &'s Seen<'_>) -> Option<(&'s [u8], &'s [u8])> {
    let words = field::ENCAP_KIND.field.ty.words()?;
    let kind = seen.get(rta::ENCAP_TYPE)?;
    let is_known =
        words.words.iter().any(|(_, number)| at(kind, 0).map(u16::from_ne_bytes).map(u32::from) == Some(*number));
    is_known.then_some((kind, seen.get(rta::ENCAP)?))
}

/// The message that removes exactly this route, or of an IPv6 route only this one of its next hops. A nexthop object stands
/// for all next hops.
pub(super) fn message(seen: &Seen<'_>, hops: &[Hop]) -> Result<Message, Refusal> {
    let mut attributes = Attributes::default();
    let copied: [(u16, &'static Field); 5] = [
        (rta::DST, &field::DESTINATION.field),
        (rta::SRC, &field::SOURCE.field),
        (rta::TABLE, &field::TABLE.field),
        (rta::PRIORITY, &field::METRIC.field),
        (rta::PREFSRC, &field::PREFERRED_SOURCE.field),
    ];
    for (kind, field) in copied {
        let own = seen.get(kind).filter(|bytes| match kind {
            rta::TABLE => bytes.iter().skip(1).any(|byte| *byte != 0), // one byte is in the header
            rta::PRIORITY => bytes.iter().any(|byte| *byte != 0),      // 0 means any metric, and is the lowest
            _ => true,
        });
        own.map_or(Ok(()), |bytes| attributes.put(kind, bytes, field))?;
    }
    put_metrics(&mut attributes, seen)?;
    match (seen.get(rta::NH_ID), hops) {
        (Some(id), _) => attributes.add(rta::NH_ID, id)?,
        (None, [hop]) => {
            put_hop(&mut attributes, hop, seen.family())?;
            if let Some((kind, encapsulation)) = compared_encapsulation(seen) {
                attributes.put(rta::ENCAP_TYPE, kind, &field::ENCAP_KIND.field)?;
                attributes.put(rta::ENCAP | NESTED, encapsulation, &field::ENCAP_KIND.field)?;
            }
        }
        (None, several) => put_hops(&mut attributes, several, seen.family())?,
    }
    // A table number that does not fit into the byte of the header is in its attribute only.
    let has_attribute = seen.get(rta::TABLE).is_some_and(|bytes| bytes.iter().skip(1).any(|byte| *byte != 0));
    let table = if has_attribute { 0 } else { byte(seen, 4) };
    // Of a blackhole that is a nexthop object, the kernel reports the type `blackhole`, and compares the route's own.
    let kind = if seen.get(rta::NH_ID).is_some() { 0 } else { byte(seen, 7) };
    let head = vec![
        seen.family(),
        byte(seen, 1),
        byte(seen, 2),
        byte(seen, 3),
        table,
        byte(seen, 5),
        byte(seen, 6),
        kind,
        0,
        0,
        0,
        0,
    ];
    Ok(Message::route(Rtm::Delroute, NlmF::ACK, Encoded { head, attributes }))
}

/// Adds the metrics (`RTAX_…`) that requests can give: the kernel compares them for IPv4 (`fib_metrics_match`).
fn put_metrics(to: &mut Attributes, seen: &Seen<'_>) -> Result<(), Refusal> {
    let own = seen.get(rta::METRICS).unwrap_or_default();
    let mut metrics = Attributes::default();
    for row in ROUTE_STATE.rows {
        let (Place::Attribute(path), Some(field)) = (row.place, row.field()) else { continue };
        let [rta::METRICS_STEP, step] = *path else { continue };
        let kind = u16::try_from(step).unwrap_or_default();
        find(own, kind).flatten().map_or(Ok(()), |value| metrics.put(kind, value, field))?;
    }
    if metrics.is_empty() { Ok(()) } else { to.nest(rta::METRICS, &[], metrics) }
}

fn put_gateway(to: &mut Attributes, hop: &Hop, of: u8, field: &'static Field) -> Result<(), Refusal> {
    match hop.gateway {
        None => Ok(()),
        Some(gateway) if family(gateway) == of => to.put(rta::GATEWAY, &octets(gateway), field),
        Some(gateway) => {
            let via = [&u16::from(family(gateway)).to_ne_bytes()[..], &octets(gateway)].concat();
            to.put(rta::VIA, &via, field)
        }
    }
}

fn put_hop(to: &mut Attributes, hop: &Hop, family: u8) -> Result<(), Refusal> {
    put_gateway(to, hop, family, &field::GATEWAY.field)?;
    if hop.index == 0 { Ok(()) } else { to.put(rta::OIF, &hop.index.to_ne_bytes(), &field::LINK.field) }
}

fn put_hops(to: &mut Attributes, hops: &[Hop], family: u8) -> Result<(), Refusal> {
    let mut all = Attributes::default();
    for hop in hops {
        let mut inner = Attributes::default();
        put_gateway(&mut inner, hop, family, &field::NEXTHOPS_GATEWAY.field)?;
        let length = u16::try_from(8 + inner.len()).map_err(|_| invalid("nexthops", "is too long"))?.to_ne_bytes();
        let flags = if hop.is_onlink { ONLINK } else { 0 };
        all.join(&[&length[..], &[flags, hop.weight], &hop.index.to_ne_bytes()].concat(), inner);
    }
    to.hold(rta::MULTIPATH, all)
}
