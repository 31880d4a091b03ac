// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Links that are made by `RTM_NEWLINK`.
#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd as _, OwnedFd};

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Iff, Rtm};
use nix::errno::Errno;
use serde_json::{Map, Value};

use super::super::lookup::{Found, head};
use super::super::message::{Attributes, Message};
use super::super::transaction::{Failure, Route};
use super::super::{Places, Prepared, ifla, not_encoded};
use super::kind::Data;
use super::state::{self, State};
use super::{NO_FLAGS, Target, changed, compare};
use crate::call::field;
use crate::call::name::LinkName;
use crate::call::request::Request;
use crate::refusal::{Class, KernelRefusal, Refusal, redirected};

/// Other links that a new one refers to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Others {
    pub(super) master: Option<Found>,
    pub(super) parent: Option<Found>,
}

impl Others {
    pub(super) fn find(route: &mut Route, request: &Request) -> Result<Self, Refusal> {
        let master = route.find_field(&field::MASTER, request)?;
        Ok(Self { master, parent: route.find_field(&field::PARENT, request)? })
    }

    /// Refuses a parent in whose place the kernel would take the link below it, which nobody judged.
    fn require_own_parent(self, data: &Data) -> Result<(), Refusal> {
        match self.parent.and_then(|parent| parent.kind) {
            Some(kind) if data.sinks_through.contains(&kind) => {
                let why = format!("it is a {kind}: the kernel would put the new link on the link below it");
                Err(redirected(&field::PARENT.field, why))
            }
            _ => Ok(()),
        }
    }
}

/// `RTM_NEWLINK` that must make a link. The kernel tells the index by echo (`NLM_F_ECHO`, Linux 6.2).
pub(super) fn prepare(route: &mut Route, mut places: Places, request: &Request) -> Result<Prepared, Refusal> {
    let name = request.needed(&field::LINK)?.clone();
    let others = Others::find(route, request)?;
    let data = Data::of(request.needed(&field::KIND)?).ok_or_else(|| not_encoded(request))?;
    others.require_own_parent(data)?;
    let mut attributes = Attributes::default();
    attributes.put_name(ifla::IFNAME, &field::LINK, request)?;
    attributes.put_u32(ifla::MTU, &field::MTU, request)?;
    attributes.put_mac(ifla::ADDRESS, &field::MAC, request)?;
    attributes.put_found(ifla::MASTER, others.master, &field::MASTER.field)?;
    if data.parent.is_none() {
        attributes.put_found(ifla::LINK, others.parent, &field::PARENT.field)?;
    }
    let peer_netns = places.take(field::PEER_NETNS.field.name);
    attributes.nest(ifla::LINKINFO, &[], link_info(request, data, others.parent, peer_netns.as_ref())?)?;
    let up = if request.is_set(&field::UP) { Iff::UP } else { Iff::empty() };
    let flags = NlmF::CREATE | NlmF::EXCL | NlmF::ACK | NlmF::ECHO;
    let message = Message::new(Rtm::Newlink, flags, &head(0, up, up)?, attributes);
    let request = request.clone();
    Ok(Prepared::new(move |route, _| {
        let mut made = None;
        let result = route.act(&message, &mut |_, payload| {
            // The echo of a pair tells of both ends; the one that was asked for has its name.
            made = Made::read(payload, &name).or(made);
        });
        match result {
            Ok(()) => {
                let made = made.map_or_else(|| look_up(route, &request), Ok).map_err(half_made)?;
                require_parent(route, others.parent, &request, made)?;
                complete(route, &mut places, &request, made).map_err(half_made)
            }
            Err(failure @ Failure::Refused { errno: Errno::EEXIST, .. }) if request.is_set(&field::EXISTS_OK) => {
                let taken = changed(failure, &request, false);
                compare::same(route, &mut places, peer_netns.as_ref(), others, taken, &request)
            }
            Err(failure) => Err(changed(failure, &request, false)),
        }
    }))
}

/// What the kernel told of the new link.
#[derive(Debug, Clone, Copy)]
struct Made {
    index: i32,
    /// Whether the kernel said that this link is the new one. Else it is the one that has its name.
    echoed: bool,
    peer_index: Option<i32>,
    /// The link that it stands on, if that is in the same namespace.
    parent_index: Option<i32>,
    /// Whether the link that it stands on, or its other end, is in another namespace.
    elsewhere: bool,
}

impl Made {
    fn read(payload: &[u8], name: &LinkName) -> Option<Self> {
        let state = state::state(payload).filter(|state| state.name == name.as_str().as_bytes())?;
        Some(Self { echoed: true, ..Self::from(state) })
    }

    /// How messages about it refer to it. Its index is its own, whatever it is called by now.
    fn target(self, request: &Request) -> Result<Target<'_>, Refusal> {
        if self.echoed {
            return Ok(Target::Index(self.index));
        }
        Ok(Target::Name(&field::LINK.field, request.needed(&field::LINK)?))
    }
}

impl From<State> for Made {
    fn from(state: State) -> Self {
        Self {
            index: state.index,
            echoed: false,
            peer_index: state.number("peer_index"),
            parent_index: state.number("parent_index"),
            elsewhere: state.told.contains_key("peer_nsid"),
        }
    }
}

/// No echo: before Linux 6.2, and of kinds that announce themselves before they know for whom (vxlan).
fn look_up(route: &mut Route, request: &Request) -> Result<Made, Refusal> {
    let gone = || Failure::Refused { errno: Errno::ENODEV, text: None, field: None };
    state::find(route, &field::LINK, request)?.map(Made::from).ok_or_else(|| changed(gone(), request, true))
}

/// The link stands on the parent that was given, or is removed again.
fn require_parent(route: &mut Route, parent: Option<Found>, request: &Request, made: Made) -> Result<(), Refusal> {
    let Some(parent) = parent else { return Ok(()) };
    if made.parent_index == Some(parent.index) && !made.elsewhere {
        return Ok(());
    }
    let why = "the kernel put the new link on another link than this one";
    match route.transact(&made.target(request)?.remove()?, &mut |_, _| {}) {
        Ok(()) => Err(redirected(&field::PARENT.field, format!("{why}; it was removed again"))),
        Err(failure) => {
            let error = failure.refusal();
            Err(redirected(&field::PARENT.field, format!("{why}, and was not removed: {error}")).after_a_change())
        }
    }
}

/// What the kernel does not take in the message that makes a link gets one of its own: an alias (`rtnl_create_link`
/// passes it over), and the other end of a pair going up (`veth_open` needs both ends).
fn complete(
    route: &mut Route,
    places: &mut Places,
    request: &Request,
    made: Made,
) -> Result<Map<String, Value>, Refusal> {
    if request.is_set(&field::PEER_UP) {
        let there = places.visited.as_mut().unwrap_or(&mut *route);
        let peer = match made.peer_index.filter(|_| made.echoed) {
            Some(index) => Target::Index(index),
            None => Target::Name(&field::PEER_NAME.field, request.needed(&field::PEER_NAME)?),
        };
        let message = peer.change((Iff::UP, Iff::UP), Attributes::default())?;
        there.transact(&message, &mut |_, _| {}).map_err(|failure| changed(failure, request, true))?;
    }
    if request.get(&field::ALIAS).is_some() {
        let mut attributes = Attributes::default();
        attributes.put_alias(request)?;
        let message = made.target(request)?.change(NO_FLAGS, attributes)?;
        route.transact(&message, &mut |_, _| {}).map_err(|failure| changed(failure, request, true))?;
    }
    Ok(Map::from_iter([("link_index".to_owned(), made.index.into())]))
}

/// The link is there by now, whatever went wrong after.
fn half_made(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::NoSuchLink { errno, .. } => Refusal::Kernel(KernelRefusal {
            class: Class::KernelRefused,
            errno,
            message: "the link was made, and was gone before it was complete".to_owned(),
            field: None,
            may_have_changed: true,
        }),
        other => other.after_a_change(),
    }
}

/// The kind and what only that kind has.
fn link_info(
    request: &Request,
    kind: &Data,
    parent: Option<Found>,
    peer_netns: Option<&OwnedFd>,
) -> Result<Attributes, Refusal> {
    let mut info = Attributes::default();
    info.put(ifla::INFO_KIND, kind.name.as_bytes(), &field::KIND.field)?;
    let mut data = Attributes::default();
    if let Some(attribute) = kind.parent {
        data.put_found(attribute, parent, &field::PARENT.field)?;
    }
    kind.write(request, &mut data)?;
    if kind.name == "veth" {
        data.nest(ifla::VETH_PEER, &head(0, Iff::empty(), Iff::empty())?, peer(request, peer_netns)?)?;
    }
    if !data.is_empty() {
        info.nest(ifla::INFO_DATA, &[], data)?;
    }
    Ok(info)
}

/// The other end of a pair: a link in a link's data.
fn peer(request: &Request, netns: Option<&OwnedFd>) -> Result<Attributes, Refusal> {
    let mut peer = Attributes::default();
    peer.put_name(ifla::IFNAME, &field::PEER_NAME, request)?;
    peer.put_mac(ifla::ADDRESS, &field::PEER_MAC, request)?;
    peer.put_u32(ifla::MTU, &field::PEER_MTU, request)?;
    if let Some(netns) = netns {
        peer.put(ifla::NET_NS_FD, &netns.as_raw_fd().to_ne_bytes(), &field::PEER_NETNS.field)?;
    }
    Ok(peer)
}
