// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Links (`RTM_NEWLINK` …, rtnetlink(7), `linux/if_link.h`).
#![forbid(unsafe_code)]

mod compare;
mod state;

use std::os::fd::{AsRawFd as _, OwnedFd};

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Iff, Rtm};
use nix::errno::Errno;
use serde_json::Map;

use super::lookup::{Found, by_index, by_name, head, with_nul};
use super::message::{Attributes, Message};
use super::socket::{Failure, Route};
use super::{Places, Prepared, ifla, not_encoded};
use crate::call::field::{self, Key};
use crate::call::inet::Mac;
use crate::call::name::LinkName;
use crate::call::request::Request;
use crate::refusal::{Class, KernelRefusal, Refusal, invalid};

pub(super) use state::{names, words};

/// Resolves and encodes a call of this family.
pub(super) fn prepare(route: &mut Route, places: Places, request: &Request) -> Result<Prepared, Refusal> {
    match request.call().name {
        "Link.Add" => add(route, places, request),
        "Link.Delete" => delete(route, request),
        "Link.Set" => set(route, places, request),
        "Link.List" => list(request),
        _ => Err(not_encoded(request)),
    }
}

impl Attributes {
    /// A number of 32 bits, where the request gives it; the field's type has its bounds.
    fn put_u32(&mut self, kind: u16, key: &'static Key<u64>, request: &Request) -> Result<(), Refusal> {
        let Some(value) = request.get(key) else { return Ok(()) };
        let value = u32::try_from(*value).map_err(|_| invalid(key.field.name, "does not fit 32 bits"))?;
        self.put(kind, &value.to_ne_bytes(), &key.field)
    }

    fn put_mac(&mut self, kind: u16, key: &'static Key<Mac>, request: &Request) -> Result<(), Refusal> {
        request.get(key).map_or(Ok(()), |mac| self.put(kind, mac.bytes(), &key.field))
    }

    fn put_name(&mut self, kind: u16, key: &'static Key<LinkName>, request: &Request) -> Result<(), Refusal> {
        request.get(key).map_or(Ok(()), |name| self.put(kind, &with_nul(name.as_str()), &key.field))
    }

    fn put_bool<T: From<bool>>(
        &mut self,
        kind: u16,
        key: &'static Key<bool>,
        request: &Request,
        bytes: impl Fn(T) -> Vec<u8>,
    ) -> Result<(), Refusal> {
        request.get(key).map_or(Ok(()), |truth| self.put(kind, &bytes(T::from(*truth)), &key.field))
    }
}

/// `RTM_NEWLINK` that must make a link. The kernel tells the index by echo (`NLM_F_ECHO`, Linux 6.2).
fn add(route: &mut Route, mut places: Places, request: &Request) -> Result<Prepared, Refusal> {
    let name = request.needed(&field::LINK)?.clone();
    let master = route.find_field(&field::MASTER, request)?;
    let mut attributes = Attributes::default();
    attributes.put_name(ifla::IFNAME, &field::LINK, request)?;
    attributes.put_u32(ifla::MTU, &field::MTU, request)?;
    attributes.put_mac(ifla::ADDRESS, &field::MAC, request)?;
    if let Some(master) = master {
        attributes.put(ifla::MASTER, &master.index.to_ne_bytes(), &field::MASTER.field)?;
    }
    let peer_netns = places.take(field::PEER_NETNS.field.name);
    attributes.nest(ifla::LINKINFO, &[], link_info(request, peer_netns.as_ref())?)?;
    let up = if request.is_set(&field::UP) { Iff::UP } else { Iff::empty() };
    let flags = NlmF::CREATE | NlmF::EXCL | NlmF::ACK | NlmF::ECHO;
    let message = Message::new(Rtm::Newlink, flags, &head(0, up, up)?, attributes);
    let request = request.clone();
    Ok(Prepared::new(move |route, _| {
        let mut made = None;
        let result = route.transact(&message, &mut |_, payload| {
            // The echo of a pair tells of both ends; the one that was asked for has its name.
            made = Made::read(payload, &name).or(made);
        });
        match result {
            Ok(()) => complete(route, &mut places, &request, made).map_err(half_made),
            Err(Failure::Refused { errno: Errno::EEXIST, .. }) if request.is_set(&field::EXISTS_OK) => {
                compare::same(route, &mut places, peer_netns.as_ref(), master, &request)
            }
            Err(failure) => Err(changed(failure, &request, false)),
        }
    }))
}

/// What the kernel told of the new link.
#[derive(Debug, Clone, Copy)]
struct Made {
    index: i32,
    peer_index: Option<i32>,
}

impl Made {
    fn read(payload: &[u8], name: &LinkName) -> Option<Self> {
        let state = state::state(payload).filter(|state| state.name == name.as_str().as_bytes())?;
        Some(Self { index: state.index, peer_index: state.number("peer_index") })
    }
}

/// What the kernel does not take in the message that makes a link gets one of its own: an alias (`rtnl_create_link`
/// passes it over), and the other end of a pair going up (`veth_open` needs both ends).
fn complete(
    route: &mut Route,
    places: &mut Places,
    request: &Request,
    made: Option<Made>,
) -> Result<Map<String, serde_json::Value>, Refusal> {
    let mut result = Map::new();
    result.extend(made.map(|made| ("link_index".to_owned(), made.index.into())));
    if request.is_set(&field::PEER_UP) {
        let there = places.visited.as_mut().unwrap_or(&mut *route);
        let index = match made.and_then(|made| made.peer_index) {
            Some(index) => index,
            None => there.find(&field::PEER_NAME.field, request.needed(&field::PEER_NAME)?)?.index,
        };
        let message = Message::new(Rtm::Newlink, NlmF::ACK, &head(index, Iff::UP, Iff::UP)?, Attributes::default());
        there.transact(&message, &mut |_, _| {}).map_err(|failure| changed(failure, request, true))?;
    }
    if let Some(alias) = request.get(&field::ALIAS) {
        let index = match made {
            Some(made) => made.index,
            None => route.find(&field::LINK.field, request.needed(&field::LINK)?)?.index,
        };
        let mut attributes = Attributes::default();
        attributes.put(ifla::IFALIAS, alias.as_str().as_bytes(), &field::ALIAS.field)?;
        let message = Message::new(Rtm::Newlink, NlmF::ACK, &head(index, Iff::empty(), Iff::empty())?, attributes);
        route.transact(&message, &mut |_, _| {}).map_err(|failure| changed(failure, request, true))?;
    }
    Ok(result)
}

/// The link is there by now, whatever went wrong after.
fn half_made(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Kernel(refusal) => Refusal::Kernel(KernelRefusal { may_have_changed: true, ..refusal }),
        Refusal::NoSuchLink { errno, .. } => Refusal::Kernel(KernelRefusal {
            class: Class::KernelRefused,
            errno,
            message: "the link was made, and was gone before it was complete".to_owned(),
            field: None,
            may_have_changed: true,
        }),
        other => other,
    }
}

/// The kind and what only that kind has.
fn link_info(request: &Request, peer_netns: Option<&OwnedFd>) -> Result<Attributes, Refusal> {
    let kind = request.needed(&field::KIND)?;
    let mut info = Attributes::default();
    info.put(ifla::INFO_KIND, kind.as_bytes(), &field::KIND.field)?;
    let mut data = Attributes::default();
    match *kind {
        "veth" => {
            let mut peer = Attributes::default();
            peer.put_name(ifla::IFNAME, &field::PEER_NAME, request)?;
            peer.put_mac(ifla::ADDRESS, &field::PEER_MAC, request)?;
            peer.put_u32(ifla::MTU, &field::PEER_MTU, request)?;
            if let Some(netns) = peer_netns {
                let descriptor = netns.as_raw_fd();
                peer.put(ifla::NET_NS_FD, &descriptor.to_ne_bytes(), &field::PEER_NETNS.field)?;
            }
            data.nest(ifla::VETH_PEER, &head(0, Iff::empty(), Iff::empty())?, peer)?;
        }
        "bridge" => {
            data.put_u32(ifla::BR_FORWARD_DELAY, &field::BRIDGE_FORWARD_DELAY, request)?;
            data.put_u32(ifla::BR_AGEING_TIME, &field::BRIDGE_AGEING_TIME, request)?;
            data.put_bool(ifla::BR_STP_STATE, &field::BRIDGE_STP, request, |v: u32| v.to_ne_bytes().to_vec())?;
            data.put_bool(ifla::BR_VLAN_FILTERING, &field::BRIDGE_VLAN_FILTERING, request, |v: u8| vec![v])?;
            if let Some(pvid) = request.get(&field::BRIDGE_VLAN_DEFAULT_PVID) {
                let key = &field::BRIDGE_VLAN_DEFAULT_PVID.field;
                let pvid = u16::try_from(*pvid).map_err(|_| invalid(key.name, "does not fit 16 bits"))?;
                data.put(ifla::BR_VLAN_DEFAULT_PVID, &pvid.to_ne_bytes(), key)?;
            }
        }
        _ => return Err(not_encoded(request)),
    }
    info.nest(ifla::INFO_DATA, &[], data)?;
    Ok(info)
}

fn delete(route: &mut Route, request: &Request) -> Result<Prepared, Refusal> {
    let tolerant = request.is_set(&field::MISSING_OK);
    let link = match route.find(&field::LINK.field, request.needed(&field::LINK)?) {
        Err(Refusal::NoSuchLink { .. }) if tolerant => return Ok(Prepared::new(|_, _| Ok(Map::new()))),
        other => other?,
    };
    let head = head(link.index, Iff::empty(), Iff::empty())?;
    let message = Message::new(Rtm::Dellink, NlmF::ACK, &head, Attributes::default());
    let request = request.clone();
    Ok(Prepared::new(move |route, _| match route.transact(&message, &mut |_, _| {}) {
        Err(Failure::Refused { errno: Errno::ENODEV, .. }) if tolerant => Ok(Map::new()),
        other => other.map(|()| Map::new()).map_err(|failure| changed(failure, &request, false)),
    }))
}

/// The booleans of a link that are flags: the field, the flag, and whether the flag says the opposite.
static FLAGS: [(&Key<bool>, Iff, bool); 5] = [
    (&field::UP, Iff::UP, false),
    (&field::ARP, Iff::NOARP, true),
    (&field::MULTICAST, Iff::MULTICAST, false),
    (&field::ALLMULTICAST, Iff::ALLMULTI, false),
    (&field::PROMISC, Iff::PROMISC, false),
];

/// Which flags are set, and which of all are meant.
fn flags_of(request: &Request) -> (Iff, Iff) {
    let (mut flags, mut change) = (Iff::empty(), Iff::empty());
    for (key, flag, opposite) in FLAGS {
        if let Some(truth) = request.get(key) {
            change |= flag;
            flags |= if *truth == opposite { Iff::empty() } else { flag };
        }
    }
    (flags, change)
}

/// `RTM_NEWLINK` of an index that exists: one message, which the kernel applies attribute by attribute.
fn set(route: &mut Route, mut places: Places, request: &Request) -> Result<Prepared, Refusal> {
    let link = route.find(&field::LINK.field, request.needed(&field::LINK)?)?;
    require_length(link, request)?;
    let master = route.find_field(&field::MASTER, request)?;
    let mut attributes = Attributes::default();
    attributes.put_mac(ifla::ADDRESS, &field::MAC, request)?;
    attributes.put_u32(ifla::MTU, &field::MTU, request)?;
    attributes.put_u32(ifla::TXQLEN, &field::TXQUEUELEN, request)?;
    attributes.put_name(ifla::IFNAME, &field::NEW_NAME, request)?;
    if let Some(alias) = request.get(&field::ALIAS) {
        attributes.put(ifla::IFALIAS, alias.as_str().as_bytes(), &field::ALIAS.field)?;
    }
    if let Some(master) = master {
        attributes.put(ifla::MASTER, &master.index.to_ne_bytes(), &field::MASTER.field)?;
    }
    if request.is_set(&field::NO_MASTER) {
        attributes.put(ifla::MASTER, &0_u32.to_ne_bytes(), &field::NO_MASTER.field)?;
    }
    let target = places.take(field::TARGET_NETNS.field.name);
    if let Some(netns) = &target {
        attributes.put(ifla::NET_NS_FD, &netns.as_raw_fd().to_ne_bytes(), &field::TARGET_NETNS.field)?;
    }
    let says_nothing = request.get(&field::NO_MASTER) == Some(&false);
    let fields = request.values().count().saturating_sub(2 + usize::from(says_nothing)); // besides netns and link
    if fields == 0 {
        return Err(invalid("", "names nothing to set"));
    }
    let (flags, change) = flags_of(request);
    let message = Message::new(Rtm::Newlink, NlmF::ACK, &head(link.index, flags, change)?, attributes);
    // A link leaves its old master, or goes down, before the kernel knows whether the new place takes it.
    let in_steps = fields > 1 || master.is_some() || target.is_some();
    let request = request.clone();
    Ok(Prepared::new(move |route, _| {
        let _open_until_sent = &target;
        route.transact(&message, &mut |_, _| {}).map_err(|failure| changed(failure, &request, in_steps))?;
        Ok(Map::new())
    }))
}

/// The kernel would cut a hardware address that is longer than the link's own.
pub(super) fn require_length(link: Found, request: &Request) -> Result<(), Refusal> {
    match request.get(&field::MAC) {
        Some(mac) if mac.bytes().len() != link.mac_bytes => {
            let (given, own) = (mac.bytes().len(), link.mac_bytes);
            Err(invalid(field::MAC.field.name, format!("has {given} bytes, the link's address has {own}")))
        }
        _ => Ok(()),
    }
}

/// What the kernel said to a change: `ENODEV` is the link that went away after it was found.
fn changed(failure: Failure, request: &Request, may_have_changed: bool) -> Refusal {
    match failure {
        Failure::Refused { errno: Errno::ENODEV, field: None, .. } => Refusal::NoSuchLink {
            field: field::LINK.field.name,
            name: request.get(&field::LINK).map_or_else(String::new, |name| name.as_str().to_owned()),
            reason: "absent",
            errno: Errno::ENODEV,
        },
        other => other.of(Class::KernelRefused, may_have_changed),
    }
}

fn list(request: &Request) -> Result<Prepared, Refusal> {
    let name = request.get(&field::LINK).cloned();
    let index = request.get(&field::INDEX).copied();
    let index =
        index.map(|index| i32::try_from(index).map_err(|_| invalid("index", "does not fit 31 bits"))).transpose()?;
    let message = match (&name, index) {
        (_, Some(index)) => by_index(index)?,
        (Some(name), None) => by_name(name, &field::LINK.field)?,
        (None, None) => by_index(0)?,
    };
    Ok(Prepared::new(move |route, each| state::list(route, &message, name.as_ref(), index, each)))
}
