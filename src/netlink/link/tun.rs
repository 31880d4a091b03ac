// SPDX-License-Identifier: Apache-2.0 OR MIT
//! TUN and TAP links, which are made by requests to `/dev/net/tun`. Such a link lives as long as the descriptor, until it
//! is made persistent: that comes last, so that whatever goes wrong before, the end of the process among it, leaves
//! nothing.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd as _, BorrowedFd};

use neli::consts::rtnl::Iff;
use nix::errno::Errno;
use serde_json::{Map, Value};

use super::super::message::Attributes;
use super::super::transaction::Route;
use super::super::{Places, Prepared, ifla, not_encoded};
use super::add::Others;
use super::{Target, changed, compare, state};
use crate::call::field::{self, Field, Key};
use crate::call::request::Request;
use crate::refusal::{Class, KernelRefusal, Refusal, invalid};
use crate::sys;

/// `IFF_TUN`, `IFF_TAP` (`linux/if_tun.h`).
const TUN: u16 = 1;
const TAP: u16 = 2;
/// What every link is made with. `IFF_TUN_EXCL`: the kernel would attach to a link that is there, by an alternative name
/// too. `IFF_NO_PI`: plain packets, as iproute2 has it. `IFF_NO_CARRIER`: nobody is attached yet; else IPv6 would begin
/// to give the link an address (Linux 6.1; earlier ones pass it over).
const ALWAYS: u16 = 0x8000 | 0x1000 | 0x0040;

pub(super) fn prepare(route: &mut Route, mut places: Places, request: &Request) -> Result<Prepared, Refusal> {
    let mut device = places.tun.take();
    let others = Others::find(route, request)?;
    let request = request.clone();
    Ok(Prepared::new(move |route, _| {
        // Closed at the end of this, before the answer: by then the link is gone, or free for who will attach to it.
        let device = device.take().ok_or_else(|| not_encoded(&request))?;
        let mode = if request.get(&field::TUN_MODE) == Some(&"tap") { TAP } else { TUN };
        let name = request.needed(&field::LINK)?;
        match sys::tun_make(device.as_fd(), name.as_str(), mode | ALWAYS) {
            Ok(()) => finish(route, device.as_fd(), others, &request),
            Err(Errno::EBUSY) if request.is_set(&field::EXISTS_OK) => same(route, &mut places, others, &request),
            Err(errno) => Err(refused(errno, &field::LINK.field)),
        }
    }))
}

fn finish(
    route: &mut Route,
    device: BorrowedFd<'_>,
    others: Others,
    request: &Request,
) -> Result<Map<String, Value>, Refusal> {
    set(device, sys::TUN_OWNER, &field::TUN_OWNER, request)?;
    set(device, sys::TUN_GROUP, &field::TUN_GROUP, request)?;
    let name = request.needed(&field::LINK)?;
    let index = route.look_up(&field::LINK.field, name)?.index;
    let mut attributes = Attributes::default();
    attributes.put_mac(ifla::ADDRESS, &field::MAC, request)?;
    attributes.put_u32(ifla::MTU, &field::MTU, request)?;
    attributes.put_alias(request)?;
    attributes.put_found(ifla::MASTER, others.master, &field::MASTER.field)?;
    let up = if request.is_set(&field::UP) { Iff::UP } else { Iff::empty() };
    if !attributes.is_empty() || !up.is_empty() {
        let message = Target::Name(&field::LINK.field, name).change((up, up), attributes)?;
        route.act(&message, &mut |_, _| {}).map_err(|failure| changed(failure, request, false))?;
    }
    sys::tun_set(device, sys::TUN_PERSIST, 1).map_err(|errno| refused(errno, &field::KIND.field))?;
    Ok(Map::from_iter([("link_index".to_owned(), index.into())]))
}

fn set(device: BorrowedFd<'_>, what: u32, key: &'static Key<u64>, request: &Request) -> Result<(), Refusal> {
    let Some(id) = request.get(key) else { return Ok(()) };
    let id = u32::try_from(*id).map_err(|_| invalid(key.field.name, "does not fit 32 bits"))?;
    sys::tun_set(device, what, id).map_err(|errno| refused(errno, &key.field))
}

/// A link that is not persistent is somebody's for the moment, or is being made: its owner may be missing yet.
fn same(
    route: &mut Route,
    places: &mut Places,
    others: Others,
    request: &Request,
) -> Result<Map<String, Value>, Refusal> {
    let reason = "the link is being made, or is there only as long as a program is attached to it".to_owned();
    let link = state::find(route, &field::LINK, request)?;
    match link.and_then(|link| link.told.get("tun")?.get("persist")?.as_bool()) {
        Some(false) => Err(Refusal::Busy { reason }),
        _ => compare::same(route, places, None, others, Refusal::Busy { reason }, request),
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
