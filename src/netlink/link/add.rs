// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Makes links by `RTM_NEWLINK`.
#![forbid(unsafe_code)]

use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use nix::errno::Errno;
use serde_json::{Map, Value};

use super::super::message::Message;
use super::super::rows::{Given, encode};
use super::super::sides::{After, Before};
use super::super::transaction::TransactionError;
use super::super::{Prepared, not_encoded};
use super::homes::Homes;
use super::made::{Made, look_up};
use super::seen::{self, Link};
use super::{Target, changed, compare, later_rows, new_link_rows, renamed, tun};
use crate::call::field;
use crate::call::needs::LastStage;
use crate::call::{Kind, LINK_STATE};
use crate::refusal::{Refusal, already, unsuitable};

/// Refuses a parent for which the kernel would substitute the link below it: nobody judged that link.
fn require_own_parent(given: &Given, kind: &Kind) -> Result<(), Refusal> {
    let parent = given.view().link(&field::PARENT.field);
    match kind.sinks_through.iter().find(|of| parent.is_some_and(|parent| parent.is_kind(of))) {
        Some(of) => {
            let why = format!("it is a {of}: the kernel would put the new link on the link below it");
            Err(unsuitable(&field::PARENT.field, why))
        }
        None => Ok(()),
    }
}

/// Prepares an `RTM_NEWLINK` that must make a link. The kernel reports the new index by echo (`NLM_F_ECHO`, Linux 6.2),
/// unless the link is made in another namespace.
pub(super) fn prepare(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let request = before.request();
    let kind = request.kind().ok_or_else(|| not_encoded(request))?;
    if kind.needs.stage == LastStage::Tun {
        return tun::prepare(before, kind);
    }
    let name = request.needed(&field::LINK)?.clone();
    let given = before.resolve(new_link_rows(request, kind), 0)?;
    require_own_parent(&given, kind)?;
    let encoded = encode(LINK_STATE.head, new_link_rows(request, kind), given.view())?;
    let message = Message::route(Rtm::Newlink, NlmF::CREATE | NlmF::EXCL | NlmF::ACK | NlmF::ECHO, encoded);
    let homes = Homes::of(&mut before);
    Ok(Prepared::new(move |after, _| {
        let request = &given.request;
        if kind.moved && homes.are_elsewhere() {
            if seen::is_taken(homes.link(after), &name)? {
                let taken = already(&field::LINK.field, "a link with this name already exists");
                return match request.is_set(&field::EXISTS_OK) {
                    true => compare::same(after, &homes, taken, &given, kind),
                    false => Err(compare::clash(homes.link(after), taken, request)),
                };
            }
            let made = renamed::make_here_and_move(after, &homes, &given, kind)?;
            require_parent(after, &homes, &given, &made)?;
            let result = complete(after, &homes, &given, &made).map_err(Refusal::after_a_change)?;
            return made.not_applied.map_or(Ok(result), Err);
        }
        let mut made = None;
        let result = after.act(&message, &mut |payload| {
            // The echo of a pair reports both ends; the requested link is the one that has its name.
            let echoed = Link::read(payload).filter(|link| link.is_called(&name));
            made = echoed.map(|link| Made::of(&link, &given)).or(made.take());
            Ok(())
        });
        let made = match result {
            Ok(()) => match made {
                Some(made) => Made { is_certain: true, ..made },
                None => look_up(homes.link(after), &given, &name, kind).map_err(Refusal::after_a_change)?,
            },
            Err(failure @ TransactionError::Refused { errno: Errno::EEXIST, .. }) => {
                let taken = changed(failure, request, false);
                match renamed::make_if_free(after, &homes, &given, kind)? {
                    Some(made) => made,
                    None if request.is_set(&field::EXISTS_OK) => {
                        return compare::same(after, &homes, taken, &given, kind);
                    }
                    None => return Err(compare::clash(homes.link(after), taken, request)),
                }
            }
            Err(failure) => return Err(changed(failure, request, false)),
        };
        require_parent(after, &homes, &given, &made)?;
        require_pair(after, &homes, &given, &made, kind).map_err(Refusal::after_a_change)?;
        let result = complete(after, &homes, &given, &made).map_err(Refusal::after_a_change)?;
        made.not_applied.map_or(Ok(result), Err)
    }))
}

/// Requires that the link is on top of the given parent, and otherwise removes it again.
fn require_parent(after: &mut After<'_>, homes: &Homes, given: &Given, made: &Made) -> Result<(), Refusal> {
    let Some(parent) = given.view().link(&field::PARENT.field) else { return Ok(()) };
    if made.parent_index == Some(parent.index)
        && made.below == homes.nsid_of_own(after).map_err(Refusal::after_a_change)?
    {
        return Ok(());
    }
    let why = "the kernel put the new link on another link than this one";
    if !made.is_certain {
        // Nobody judged the removal of another link.
        return Err(unsuitable(&field::PARENT.field, format!("{why}; it was not removed")).after_a_change());
    }
    match homes.link(after).transact(&Target::Index(made.index).remove()?, &mut |_| Ok(())) {
        Ok(()) => Err(unsuitable(&field::PARENT.field, format!("{why}; it was removed again"))),
        Err(failure) => {
            let error = failure.refusal();
            Err(unsuitable(&field::PARENT.field, format!("{why}, and was not removed: {error}")).after_a_change())
        }
    }
}

/// Requires that the looked-up link and the other end of the pair are each other's. An index that the namespace of one of
/// them reports can be any link's in the namespace of the other.
fn require_pair(after: &mut After<'_>, homes: &Homes, given: &Given, made: &Made, kind: &Kind) -> Result<(), Refusal> {
    let Some(name) = given.request.get(&field::PEER_NAME) else { return Ok(()) };
    let reaches_peer = homes.are_elsewhere() || given.request.is_set(&field::PEER_UP);
    if made.is_certain || !reaches_peer {
        return Ok(());
    }
    let nsid = homes.nsid_of_peer(after)?;
    let peer = seen::called(homes.peer(after), name, &field::PEER_NAME.field)?;
    let is_other_end = |peer: &Link<'_>| {
        let refers = peer.number("peer_index") == Some(made.index) && made.peer_index == Some(peer.index);
        peer.is_kind(kind) && refers && made.below == nsid
    };
    match peer.filter(is_other_end) {
        Some(_) => Ok(()),
        None => Err(Refusal::Busy { reason: "another process changed the pair before it was complete".to_owned() }),
    }
}

/// Sends separate messages for what the kernel does not take in the message that makes a link: fields that
/// `rtnl_newlink_create` ignores, and the other end of a pair going up (`veth_open` needs both ends).
fn complete(after: &mut After<'_>, homes: &Homes, given: &Given, made: &Made) -> Result<Map<String, Value>, Refusal> {
    let request = &given.request;
    if request.is_set(&field::PEER_UP) {
        // An index of another namespace's report would be of any link here.
        let peer = match made.peer_index.filter(|_| made.is_certain) {
            Some(index) => Target::Index(index),
            None => Target::Name(&field::PEER_NAME.field, request.needed(&field::PEER_NAME)?),
        };
        let message = peer.take_up()?;
        homes.peer(after).transact(&message, &mut |_| Ok(())).map_err(|failure| changed(failure, request, true))?;
    }
    for message in Target::Index(made.index).complete(later_rows(request), given)? {
        homes.link(after).transact(&message, &mut |_| Ok(())).map_err(|failure| changed(failure, request, true))?;
    }
    Ok(Map::from_iter([("link_index".to_owned(), made.index.into())]))
}
