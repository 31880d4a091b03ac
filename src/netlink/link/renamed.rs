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
use super::homes::Homes;
use super::made::{Made, look_up};
use super::seen::{self, Link};
use super::{Target, changed, compare, new_link_rows};
use crate::call::field::{self, Field};
use crate::call::name::LinkName;
use crate::call::{Kind, LINK_STATE};
use crate::refusal::{KernelRefusal, Refusal, already, invalid};

/// Makes the link if its name is taken in the namespace of the request only; `None` where it is taken where the link is to
/// be. The link goes up together with the second name, because no link that is up was renamed before Linux 6.2.
pub(super) fn make_if_free(
    after: &mut After<'_>,
    homes: &Homes,
    given: &Given,
    kind: &Kind,
) -> Result<Option<Made>, Refusal> {
    let name = given.request.needed(&field::LINK)?;
    if !homes.are_elsewhere() || !seen::is_taken(after, name)? || seen::is_taken(homes.link(after), name)? {
        return Ok(None);
    }
    let later = [&field::LINK.field, &field::UP.field];
    let temporary = temporary(name)?;
    make_without(&later, &temporary, after, homes, given, kind)?;
    let made = look_up(homes.link(after), given, &temporary, kind).map_err(Refusal::after_a_change)?;
    match homes.link(after).transact(&set_later(&later, made.index, given, kind)?, &mut |_| Ok(())) {
        Ok(()) => Ok(Some(made)),
        // It is not removed: another process may have given the temporary name to another link meanwhile.
        Err(failure) => Err(left_under(&temporary, changed(failure, &given.request, true).after_a_change())),
    }
}

/// Makes a tunnel in the namespace of the request, and moves it to its own together with its name.
pub(super) fn make_here_and_move(
    after: &mut After<'_>,
    homes: &Homes,
    given: &Given,
    kind: &Kind,
) -> Result<Made, Refusal> {
    let name = given.request.needed(&field::LINK)?;
    let later = [&field::LINK.field, &field::UP.field, &field::TARGET_NETNS.field];
    let temporary = temporary(name)?;
    let echoed = make_without(&later, &temporary, after, homes, given, kind)?;
    let index = match echoed {
        Some(index) => index,
        None => look_up(after, given, &temporary, kind).map_err(Refusal::after_a_change)?.index,
    };
    if let Err(failure) = after.transact(&set_later(&later, index, given, kind)?, &mut |_| Ok(())) {
        // Only the link that the kernel itself reported is removed, and only if it is still where it was made.
        let is_here = echoed.is_some()
            && after
                .of_index(index)
                .is_ok_and(|link| link.is_some_and(|(_, own)| own == temporary.as_str().as_bytes()));
        let is_removed = is_here && after.transact(&Target::Index(index).remove()?, &mut |_| Ok(())).is_ok();
        let failed = changed(failure, &given.request, !is_removed);
        return Err(if is_removed { failed } else { left_under(&temporary, failed.after_a_change()) });
    }
    look_up(homes.link(after), given, name, kind).map_err(Refusal::after_a_change)
}

/// Makes a link under a temporary name, without what these fields give. Returns its index if the kernel reports it.
fn make_without(
    later: &[&Field],
    temporary: &LinkName,
    after: &mut After<'_>,
    homes: &Homes,
    given: &Given,
    kind: &Kind,
) -> Result<Option<i32>, Refusal> {
    let request = &given.request;
    let rows = new_link_rows(request, kind).filter(|row| !row.field().is_some_and(|field| later.contains(&field)));
    let mut encoded = encode(LINK_STATE.head, rows, given.view())?;
    encoded.attributes.put(IFNAME, &with_nul(temporary.as_str()), &field::LINK.field)?;
    let message = Message::route(Rtm::Newlink, NlmF::CREATE | NlmF::EXCL | NlmF::ACK | NlmF::ECHO, encoded);
    let mut echoed = None;
    let result = after.act(&message, &mut |payload| {
        echoed = Link::read(payload).filter(|link| link.is_called(temporary)).map(|link| link.index).or(echoed);
        Ok(())
    });
    let Err(failure) = result else { return Ok(echoed) };
    let is_clash = matches!(failure, TransactionError::Refused { errno: Errno::EEXIST, .. });
    let failed = changed(failure, request, false);
    if !is_clash {
        return Err(failed);
    }
    if seen::is_taken(after, temporary)? || seen::is_taken(homes.link(after), temporary)? {
        let name = temporary.as_str();
        let why = format!("the link {name} exists, which another such request is making or has left; delete it then");
        return Err(already(&field::LINK.field, why));
    }
    Err(compare::clash(homes.link(after), failed, request))
}

/// Sets what [`make_without`] left out.
fn set_later(later: &[&Field], index: i32, given: &Given, kind: &Kind) -> Result<Message, Refusal> {
    let rows =
        new_link_rows(&given.request, kind).filter(|row| row.field().is_some_and(|field| later.contains(&field)));
    Target::Index(index).change(encode(LINK_STATE.head, rows, given.view())?)
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
