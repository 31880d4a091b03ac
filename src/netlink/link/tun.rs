// SPDX-License-Identifier: Apache-2.0 OR MIT
//! TUN and TAP links, which are made by requests to `/dev/net/tun`. Such a link exists as long as the descriptor is
//! open, unless it is made persistent. That is the last step, so that after any failure before it, including the end of
//! the process, the link is removed.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd as _, BorrowedFd};

use nix::errno::Errno;
use serde_json::{Map, Value};

use super::super::rows::{Decoded, Given};
use super::super::sides::{After, Before};
use super::super::watched::Refers;
use super::super::{Prepared, not_encoded};
use super::homes::Homes;
use super::set::changeable;
use super::{Target, changed, compare, goes_up_last, new_link_rows, seen};
use crate::call::Kind;
use crate::call::field::{self, Field, Key};
use crate::call::object::Row;
use crate::call::request::Request;
use crate::refusal::{Class, KernelRefusal, Refusal, describe, invalid};
use crate::sys;

/// `IFF_TUN`, `IFF_TAP` (`linux/if_tun.h`).
const TUN: u16 = 1;
const TAP: u16 = 2;
/// `IFF_MULTI_QUEUE`, `IFF_VNET_HDR`
const MULTI_QUEUE: u16 = 0x0100;
const VNET_HDR: u16 = 0x4000;
/// The flags of every new link. `IFF_TUN_EXCL`: without it the kernel would attach to an existing link, which it also
/// finds by alternative names. `IFF_NO_PI`: plain packets, as iproute2 does. `IFF_NO_CARRIER`: no program is attached
/// yet, and with a carrier IPv6 would begin to give the link an address (Linux 6.1; earlier kernels ignore the flag).
const ALWAYS: u16 = 0x8000 | 0x1000 | 0x0040;

pub(super) fn prepare(mut before: Before<'_>, kind: &'static Kind) -> Result<Prepared, Refusal> {
    let mut device = before.places().tun.take();
    let given = before.resolve(new_link_rows(before.request(), kind), 0)?;
    Ok(Prepared::new(move |after, _| {
        let request = &given.request;
        // The descriptor is closed at the end of this function, before the reply. By then the link is gone, or a
        // program can attach to it.
        let device = device.take().ok_or_else(|| not_encoded(request))?;
        let mode = if request.get(&field::TUN_MODE) == Some(&"tap") { TAP } else { TUN };
        let flags = [(&field::TUN_MULTI_QUEUE, MULTI_QUEUE), (&field::TUN_VNET_HDR, VNET_HDR)];
        let flags =
            flags.into_iter().filter(|(key, _)| request.is_set(key)).fold(mode | ALWAYS, |all, (_, flag)| all | flag);
        let name = request.needed(&field::LINK)?;
        match sys::tun_make(device.as_fd(), name.as_str(), flags) {
            Ok(()) => finish(after, device.as_fd(), &given),
            Err(Errno::EBUSY) if request.is_set(&field::EXISTS_OK) => same(after, &given, kind),
            Err(errno @ Errno::EBUSY) => Err(compare::clash(after, refused(errno, &field::LINK.field), request)),
            Err(errno) => Err(refused(errno, &field::LINK.field)),
        }
    }))
}

fn finish(after: &mut After<'_>, device: BorrowedFd<'_>, given: &Given) -> Result<Map<String, Value>, Refusal> {
    let request = &given.request;
    set(device, sys::TUN_OWNER, &field::TUN_OWNER, request)?;
    set(device, sys::TUN_GROUP, &field::TUN_GROUP, request)?;
    let index = own_index(after, request)?;
    // What all kinds have goes into a message, and not to the device.
    let up_last = goes_up_last(request);
    let is_given = |row: &&Row| match row.field() {
        Some(field) if *field == field::UP.field => request.is_set(&field::UP) && !up_last,
        Some(field) => request.value(field).is_some(),
        None => false,
    };
    for message in Target::Index(index).complete(changeable().filter(is_given).collect(), given)? {
        after.act(&message, &mut |_| Ok(())).map_err(|failure| changed(failure, request, false))?;
    }
    sys::tun_set(device, sys::TUN_PERSIST, 1).map_err(|errno| refused(errno, &field::KIND.field))?;
    Ok(Map::from_iter([("link_index".to_owned(), index.into())]))
}

/// The index of the link that was just made. Another process may have renamed it meanwhile, and given its name to
/// another link.
fn own_index(after: &mut After<'_>, request: &Request) -> Result<i32, Refusal> {
    match seen::find(after, &field::LINK, request)? {
        Some(link) if persists(&link) == Some(false) => {
            let name = request.needed(&field::LINK)?;
            after.watch.add(&field::LINK.field, name, link.index, Refers::ByIndex);
            Ok(link.index)
        }
        _ => Err(Refusal::Busy { reason: "link: the new link was renamed before it was ready".to_owned() }),
    }
}

/// Whether a link that was made through `/dev/net/tun` exists without a program. `None` for other links.
fn persists(link: &seen::Link<'_>) -> Option<bool> {
    let row = link.rows().find(|row| row.name() == "tun.persist")?;
    if let Decoded::Truth(persists) = link.seen.value(row)?? { Some(persists) } else { None }
}

fn set(device: BorrowedFd<'_>, what: u32, key: &'static Key<u64>, request: &Request) -> Result<(), Refusal> {
    let Some(id) = request.get(key) else { return Ok(()) };
    let id = u32::try_from(*id).map_err(|_| invalid(key.field.name, "does not fit 32 bits"))?;
    sys::tun_set(device, what, id).map_err(|errno| refused(errno, &key.field))
}

/// `exists_ok`. A link that is not persistent is in use for the moment, or is being made, and then its owner may not be
/// set yet.
fn same(after: &mut After<'_>, given: &Given, kind: &Kind) -> Result<Map<String, Value>, Refusal> {
    let reason = "the link is not complete yet, or exists only while a program is attached to it".to_owned();
    match seen::find(after, &field::LINK, &given.request)?.as_ref().and_then(persists) {
        Some(false) => Err(Refusal::Busy { reason }),
        _ => compare::same(after, &Homes::HERE, Refusal::Busy { reason }, given, kind),
    }
}

/// The refusal of the device. `EBUSY`: the link must be new, and the name is taken.
fn refused(errno: Errno, field: &'static Field) -> Refusal {
    let (class, errno, message) = match errno {
        Errno::EBUSY => (Class::AlreadyExists, Errno::EEXIST, "a link with this name already exists"),
        other => (Class::KernelRefused, other, describe(other)),
    };
    let (message, field) = (message.to_owned(), Some(field.name));
    Refusal::Kernel(KernelRefusal { class, errno, message, field, may_have_changed: false })
}
