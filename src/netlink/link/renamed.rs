// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Links in another namespace that have a temporary name first. Before Linux 6.15, the kernel makes no link in another
//! namespace if its name is taken in the namespace of the socket. And a tunnel sends through the namespace that it is made
//! in, so it is made in that of the request and moved.
#![forbid(unsafe_code)]

use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use nix::errno::Errno;

use super::super::lookup::IFNAME;
use super::super::message::Message;
use super::super::rows::{Given, encode, with_nul};
use super::super::sides::After;
use super::super::transaction::TransactionError;
use super::add::{Made, look_up};
use super::homes::Homes;
use super::seen::{self, Link};
use super::{Target, changed, compare, new_link_rows};
use crate::call::field;
use crate::call::name::LinkName;
use crate::call::object::Row;
use crate::call::{Kind, LINK_STATE};
use crate::refusal::{KernelRefusal, Refusal, invalid};

/// Makes the link if its name is taken in the namespace of the request only; `None` where it is taken where the link is to
/// be. The link goes up together with the second name, because no link that is up was renamed before Linux 6.2.
pub(super) fn make_if_free(
    after: &mut After<'_>,
    homes: &Homes,
    given: &Given,
    kind: &Kind,
) -> Result<Option<Made>, Refusal> {
    let request = &given.request;
    let name = request.needed(&field::LINK)?;
    if !homes.are_elsewhere() || !seen::is_taken(after, name)? || seen::is_taken(homes.link(after), name)? {
        return Ok(None);
    }
    let is_later = |row: &&Row| [&field::LINK.field, &field::UP.field].iter().any(|field| row.field() == Some(*field));
    let first = new_link_rows(request, kind).filter(move |row| !is_later(row));
    let mut first = encode(LINK_STATE.head, first, given.view())?;
    let temporary = temporary(name)?;
    first.attributes.put(IFNAME, &with_nul(temporary.as_str()), &field::LINK.field)?;
    let message = Message::route(Rtm::Newlink, NlmF::CREATE | NlmF::EXCL | NlmF::ACK, first);
    if let Err(failure) = after.act(&message, &mut |_| Ok(())) {
        let is_clash = matches!(failure, TransactionError::Refused { errno: Errno::EEXIST, .. });
        let failed = changed(failure, request, false);
        return Err(if is_clash { compare::clash(homes.link(after), failed, request) } else { failed });
    }
    let made = look_up(homes.link(after), given, &temporary, kind).map_err(Refusal::after_a_change)?;
    let later = new_link_rows(request, kind).filter(is_later);
    let (netlink, target) = (homes.link(after), Target::Index(made.index));
    let Err(failure) =
        netlink.transact(&target.change(encode(LINK_STATE.head, later, given.view())?)?, &mut |_| Ok(()))
    else {
        return Ok(Some(made));
    };
    // It is not removed: another process may have given the temporary name to another link meanwhile.
    Err(left_under(&temporary, changed(failure, request, true).after_a_change()))
}

/// Makes a tunnel in the namespace of the request, and moves it to its own together with its name.
pub(super) fn make_here_and_move(
    after: &mut After<'_>,
    homes: &Homes,
    given: &Given,
    kind: &Kind,
) -> Result<Made, Refusal> {
    let request = &given.request;
    let is_later = |row: &&Row| {
        let later = [&field::LINK.field, &field::UP.field, &field::TARGET_NETNS.field];
        later.iter().any(|field| row.field() == Some(*field))
    };
    let mut first =
        encode(LINK_STATE.head, new_link_rows(request, kind).filter(move |row| !is_later(row)), given.view())?;
    let temporary = temporary(request.needed(&field::LINK)?)?;
    first.attributes.put(IFNAME, &with_nul(temporary.as_str()), &field::LINK.field)?;
    let message = Message::route(Rtm::Newlink, NlmF::CREATE | NlmF::EXCL | NlmF::ACK | NlmF::ECHO, first);
    let mut echoed = None;
    let result = after.act(&message, &mut |payload| {
        echoed = Link::read(payload).filter(|link| link.is_called(&temporary)).map(|link| link.index).or(echoed);
        Ok(())
    });
    if let Err(failure) = result {
        let is_clash = matches!(failure, TransactionError::Refused { errno: Errno::EEXIST, .. });
        let failed = changed(failure, request, false);
        return Err(if is_clash { compare::clash(homes.link(after), failed, request) } else { failed });
    }
    let index = match echoed {
        Some(index) => index,
        None => look_up(after, given, &temporary, kind).map_err(Refusal::after_a_change)?.index,
    };
    let (target, later) = (Target::Index(index), new_link_rows(request, kind).filter(is_later));
    let moved = after.transact(&target.change(encode(LINK_STATE.head, later, given.view())?)?, &mut |_| Ok(()));
    if let Err(failure) = moved {
        // Only a link that the kernel itself reported is removed, and only where it was made.
        let is_removed = echoed.is_some() && after.transact(&target.remove()?, &mut |_| Ok(())).is_ok();
        let failed = changed(failure, request, !is_removed);
        return Err(if is_removed { failed } else { left_under(&temporary, failed.after_a_change()) });
    }
    look_up(homes.link(after), given, request.needed(&field::LINK)?, kind).map_err(Refusal::after_a_change)
}

/// Says that a link may have the temporary name.
fn left_under(temporary: &LinkName, refusal: Refusal) -> Refusal {
    let left = format!("; a link may be left under the name {}", temporary.as_str());
    match refusal {
        Refusal::Kernel(refusal) => Refusal::Kernel(KernelRefusal { message: refusal.message + &left, ..refusal }),
        other => other,
    }
}

/// The temporary name of a link: different for different names, and the same for the same one, so that two requests for
/// one link clash.
fn temporary(name: &LinkName) -> Result<LinkName, Refusal> {
    // FNV-1a
    let hash =
        name.as_str().bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    LinkName::parse(&format!("nb{hash:08x}")).map_err(|error| invalid(field::LINK.field.name, error.to_string()))
}
