// SPDX-License-Identifier: Apache-2.0 OR MIT
//! TUN and TAP links, which are made by requests to `/dev/net/tun`. Such a link lives as long as the descriptor, until it
//! is made persistent: that comes last, so that whatever goes wrong before, the end of the process among it, leaves
//! nothing.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd as _, BorrowedFd};

use nix::errno::Errno;
use serde_json::{Map, Value};

use super::super::rows::{Decoded, Given, encode};
use super::super::sides::{After, Before};
use super::super::watched::Refers;
use super::super::{Prepared, not_encoded};
use super::{Target, changed, compare, new_link_rows, seen};
use crate::call::field::{self, Field, Key};
use crate::call::request::Request;
use crate::call::{Kind, LINK_STATE};
use crate::refusal::{Class, KernelRefusal, Refusal, invalid};
use crate::sys;

/// `IFF_TUN`, `IFF_TAP` (`linux/if_tun.h`).
const TUN: u16 = 1;
const TAP: u16 = 2;
/// What every link is made with. `IFF_TUN_EXCL`: the kernel would attach to a link that is there, by an alternative name
/// too. `IFF_NO_PI`: plain packets, as iproute2 has it. `IFF_NO_CARRIER`: nobody is attached yet; else IPv6 would begin
/// to give the link an address (Linux 6.1; earlier ones pass it over).
const ALWAYS: u16 = 0x8000 | 0x1000 | 0x0040;

pub(super) fn prepare(mut before: Before<'_>, kind: &Kind) -> Result<Prepared, Refusal> {
    let mut device = before.places().tun.take();
    let given = before.resolve(new_link_rows(before.request(), kind), 0)?;
    Ok(Prepared::new(move |after, _| {
        let request = &given.request;
        // Closed at the end of this, before the answer: by then the link is gone, or free for who will attach to it.
        let device = device.take().ok_or_else(|| not_encoded(request))?;
        let mode = if request.get(&field::TUN_MODE) == Some(&"tap") { TAP } else { TUN };
        let name = request.needed(&field::LINK)?;
        match sys::tun_make(device.as_fd(), name.as_str(), mode | ALWAYS) {
            Ok(()) => finish(after, device.as_fd(), &given),
            Err(Errno::EBUSY) if request.is_set(&field::EXISTS_OK) => same(after, &given),
            Err(errno) => Err(refused(errno, &field::LINK.field)),
        }
    }))
}

/// The fields that go into a message, beside what the device was asked for.
static BY_MESSAGE: [&Field; 5] =
    [&field::MAC.field, &field::MTU.field, &field::ALIAS.field, &field::MASTER.field, &field::UP.field];

fn finish(after: &mut After<'_>, device: BorrowedFd<'_>, given: &Given) -> Result<Map<String, Value>, Refusal> {
    let request = &given.request;
    set(device, sys::TUN_OWNER, &field::TUN_OWNER, request)?;
    set(device, sys::TUN_GROUP, &field::TUN_GROUP, request)?;
    let index = own_index(after, request)?;
    let is_given =
        |field: &&Field| request.value(field).is_some() && (**field != field::UP.field || request.is_set(&field::UP));
    let fields: Vec<&Field> = BY_MESSAGE.into_iter().filter(is_given).collect();
    if !fields.is_empty() {
        let rows = LINK_STATE.rows.iter().filter(|row| row.field().is_some_and(|field| fields.contains(&field)));
        let message = Target::Index(index).change(encode(LINK_STATE.head, rows, given.view())?)?;
        after.act(&message, &mut |_| Ok(())).map_err(|failure| changed(failure, request, false))?;
    }
    sys::tun_set(device, sys::TUN_PERSIST, 1).map_err(|errno| refused(errno, &field::KIND.field))?;
    Ok(Map::from_iter([("link_index".to_owned(), index.into())]))
}

/// The index of the link that was just made. Somebody may have renamed it since then, and have given its name to another.
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

/// Whether a link made by `/dev/net/tun` is there without a program.
fn persists(link: &seen::Link<'_>) -> Option<bool> {
    let row = link.rows().find(|row| row.name() == "tun.persist")?;
    if let Decoded::Truth(persists) = link.seen.value(row)?? { Some(persists) } else { None }
}

fn set(device: BorrowedFd<'_>, what: u32, key: &'static Key<u64>, request: &Request) -> Result<(), Refusal> {
    let Some(id) = request.get(key) else { return Ok(()) };
    let id = u32::try_from(*id).map_err(|_| invalid(key.field.name, "does not fit 32 bits"))?;
    sys::tun_set(device, what, id).map_err(|errno| refused(errno, &key.field))
}

/// A link that is not persistent is somebody's for the moment, or is being made: its owner may be missing yet.
fn same(after: &mut After<'_>, given: &Given) -> Result<Map<String, Value>, Refusal> {
    let reason = "the link is being made, or exists only as long as a program is attached to it".to_owned();
    match seen::find(after, &field::LINK, &given.request)?.as_ref().and_then(persists) {
        Some(false) => Err(Refusal::Busy { reason }),
        _ => compare::same(after, None, Refusal::Busy { reason }, given),
    }
}

/// `EBUSY`: exclusive, and the name is taken.
fn refused(errno: Errno, field: &'static Field) -> Refusal {
    let (class, message) = match errno {
        Errno::EBUSY => (Class::AlreadyExists, "there is a link of this name already"),
        other => (Class::KernelRefused, other.desc()),
    };
    let (message, field) = (message.to_owned(), Some(field.name));
    Refusal::Kernel(KernelRefusal { class, errno, message, field, may_have_changed: false })
}
