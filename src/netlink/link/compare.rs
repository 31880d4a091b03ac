// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `exists_ok`: whether the existing link is the requested one, in every field that was given. Fields that the request
//! leaves out, and `up=false`, are not compared: an agent may have changed them since.
#![forbid(unsafe_code)]

use nix::errno::Errno;
use serde_json::{Map, Value};

use super::super::lookup::by_name;
use super::super::rows::Given;
use super::super::sides::After;
use super::super::transaction::{Netlink, TransactionError};
use super::homes::Homes;
use super::seen::{Link, find};
use crate::call::Kind;
use crate::call::field::{self, Field};
use crate::call::request::Request;
use crate::refusal::{KernelRefusal, Refusal, already, differs};

/// The result of the call, if the existing link is the requested one. `taken` is the refusal by which the kernel
/// reported it.
pub(super) fn same(
    after: &mut After<'_>,
    homes: &Homes,
    taken: Refusal,
    given: &Given,
    kind: &Kind,
) -> Result<Map<String, Value>, Refusal> {
    let request = &given.request;
    let netlink = homes.link(after);
    let Some(link) = find(netlink, &field::LINK, request)? else { return Err(clash(netlink, taken, request)) };
    if let Some(field) = link.seen.difference(&link.rows(), given.view(), false) {
        return Err(differs(field));
    }
    require(!request.is_set(&field::UP) || link.is_up(), &field::UP.field)?;
    if kind.anchored {
        let named = request.get(&field::PARENT).map_or(&field::NETNS.field, |_| &field::PARENT.field);
        require(link.other_netns() == homes.nsid_of_own(after)?, named)?;
    }
    if request.get(&field::PEER_NAME).is_some() {
        same_peer(after, homes, &link, request)?;
    }
    Ok(Map::from_iter([("link_index".to_owned(), link.index.into())]))
}

/// Compares the other end, in the namespace that the request gives: it must have the name, and this link as its other
/// end.
fn same_peer(after: &mut After<'_>, homes: &Homes, link: &Link<'_>, request: &Request) -> Result<(), Refusal> {
    require(link.other_netns() == homes.nsid_of_peer(after)?, &field::PEER_NETNS.field)?;
    let peer = find(homes.peer(after), &field::PEER_NAME, request)?.ok_or_else(|| differs(&field::PEER_NAME.field))?;
    require(link.number("peer_index") == Some(peer.index), &field::PEER_NAME.field)?;
    for (field, own) in [(&field::PEER_MTU.field, &field::MTU.field), (&field::PEER_MAC.field, &field::MAC.field)] {
        let given = request.value(field);
        require(given.is_none_or(|given| peer.reported(own).is_some_and(|own| own.is(given))), field)?;
    }
    require(!request.is_set(&field::PEER_UP) || peer.is_up(), &field::PEER_UP.field)
}

fn require(same: bool, field: &'static Field) -> Result<(), Refusal> {
    if same { Ok(()) } else { Err(differs(field)) }
}

/// The refusal where something that the new link needs for itself is taken, with the field that says what: its name, the
/// name of its other end, or what its packets are told apart by. `taken` is the refusal by which the kernel reported it.
pub(super) fn clash(netlink: &mut Netlink, taken: Refusal, request: &Request) -> Refusal {
    let exists = "a link with this name already exists";
    let question = request.needed(&field::LINK).map_err(Refusal::from);
    let Ok((name, question)) = question.and_then(|name| Ok((name, by_name(name, &field::LINK.field)?))) else {
        return taken;
    };
    let found = netlink.ask(&question, "parse a link", |payload| Link::read(payload).map(Link::into_owned));
    let found = match found {
        Err(TransactionError::Refused { errno: Errno::ENODEV, .. }) => Vec::new(),
        Err(_) => return taken, // which of the names is taken is not known
        Ok(found) => found,
    };
    match found.first() {
        Some(link) if link.is_called(name) => already(&field::LINK.field, exists),
        Some(_) => already(&field::LINK.field, "it is the alternative name of another link"),
        None if request.get(&field::PEER_NAME).is_some() => already(&field::PEER_NAME.field, exists),
        None => match taken {
            Refusal::Kernel(refusal) => Refusal::Kernel(KernelRefusal { field: segment(request), ..refusal }),
            other => other,
        },
    }
}

/// The first given field of those by which the packets of a link are told apart from those of others of its kind.
fn segment(request: &Request) -> Option<&'static str> {
    const FIELDS: [&Field; 6] = [
        &field::VXLAN_ID.field,
        &field::VLAN_ID.field,
        &field::XFRM_IF_ID.field,
        &field::GRE_KEY.field,
        &field::TUNNEL_REMOTE.field,
        &field::TUNNEL_LOCAL.field,
    ];
    FIELDS.into_iter().find(|field| request.value(field).is_some()).map(|field| field.name)
}
