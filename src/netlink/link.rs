// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Links (`RTM_NEWLINK` …, rtnetlink(7), `linux/if_link.h`).
#![forbid(unsafe_code)]

mod add;
mod compare;
mod kind;
mod state;
mod tun;

use std::os::fd::AsRawFd as _;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Iff, Rtm};
use nix::errno::Errno;
use serde_json::Map;

use super::lookup::{Found, by_index, by_name, head, with_nul};
use super::message::{Attributes, Message};
use super::transaction::{Failure, Route};
use super::{Places, Prepared, ifla, not_encoded};
use crate::call::field::{self, Field, Key};
use crate::call::inet::Mac;
use crate::call::name::LinkName;
use crate::call::request::Request;
use crate::refusal::{Class, Refusal, invalid};

pub(super) use state::{names, words};

/// Resolves and encodes a call of this family.
pub(super) fn prepare(route: &mut Route, places: Places, request: &Request) -> Result<Prepared, Refusal> {
    match request.call().name {
        "Link.Add" if places.tun.is_some() => tun::prepare(route, places, request),
        "Link.Add" => add::prepare(route, places, request),
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

    fn put_alias(&mut self, request: &Request) -> Result<(), Refusal> {
        let key = &field::ALIAS;
        request.get(key).map_or(Ok(()), |alias| self.put(ifla::IFALIAS, alias.as_str().as_bytes(), &key.field))
    }

    /// The index of another link, where the request names one.
    fn put_found(&mut self, kind: u16, link: Option<Found>, field: &'static Field) -> Result<(), Refusal> {
        link.map_or(Ok(()), |link| self.put(kind, &link.index.to_ne_bytes(), field))
    }
}

/// How a message refers to an existing link.
#[derive(Debug, Clone, Copy)]
enum Target<'a> {
    /// By its index.
    Index(i32),
    /// By the name that this field gives: the kernel looks it up while it holds the lock that a rename takes.
    Name(&'static Field, &'a LinkName),
}

impl Target<'_> {
    /// Index and attributes that refer to it. An index together with a name would be a rename.
    fn refer(self) -> Result<(i32, Attributes), Refusal> {
        let mut attributes = Attributes::default();
        match self {
            Self::Index(index) => Ok((index, attributes)),
            Self::Name(field, name) => {
                attributes.put(ifla::IFNAME, &with_nul(name.as_str()), field)?;
                Ok((0, attributes))
            }
        }
    }

    /// Changes it. `RTM_NEWLINK` would make a link where no link has the name; `RTM_SETLINK` never does.
    fn change(self, flags: (Iff, Iff), attributes: Attributes) -> Result<Message, Refusal> {
        let (index, mut all) = self.refer()?;
        all.append_all(attributes);
        let (flags, change) = flags;
        Ok(Message::new(Rtm::Setlink, NlmF::ACK, &head(index, flags, change)?, all))
    }

    /// Removes it.
    fn remove(self) -> Result<Message, Refusal> {
        let (index, attributes) = self.refer()?;
        Ok(Message::new(Rtm::Dellink, NlmF::ACK, &head(index, Iff::empty(), Iff::empty())?, attributes))
    }
}

/// No flag changes.
const NO_FLAGS: (Iff, Iff) = (Iff::empty(), Iff::empty());

fn delete(route: &mut Route, request: &Request) -> Result<Prepared, Refusal> {
    let tolerant = request.is_set(&field::MISSING_OK);
    let name = request.needed(&field::LINK)?;
    match route.find_by_name(&field::LINK.field, name) {
        Err(Refusal::NoSuchLink { .. }) if tolerant => return Ok(Prepared::new(|_, _| Ok(Map::new()))),
        other => other?,
    };
    let message = Target::Name(&field::LINK.field, name).remove()?;
    let request = request.clone();
    Ok(Prepared::new(move |route, _| match route.act(&message, &mut |_, _| {}) {
        Err(failure) if tolerant && failure.is_without_link() => Ok(Map::new()),
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

/// `RTM_SETLINK`: one message, which the kernel applies attribute by attribute. A rename takes the link's index.
fn set(route: &mut Route, mut places: Places, request: &Request) -> Result<Prepared, Refusal> {
    let name = request.needed(&field::LINK)?;
    // After a rename nobody has the old name any more: there is nothing to look up then.
    let link = route.find_by_name(&field::LINK.field, name)?;
    let renames = request.get(&field::NEW_NAME).is_some();
    let target = if renames { Target::Index(link.index) } else { Target::Name(&field::LINK.field, name) };
    require_length(link, request)?;
    let master = route.find_field(&field::MASTER, request)?;
    let mut attributes = Attributes::default();
    attributes.put_mac(ifla::ADDRESS, &field::MAC, request)?;
    attributes.put_u32(ifla::MTU, &field::MTU, request)?;
    attributes.put_u32(ifla::TXQLEN, &field::TXQUEUELEN, request)?;
    attributes.put_name(ifla::IFNAME, &field::NEW_NAME, request)?;
    attributes.put_alias(request)?;
    attributes.put_found(ifla::MASTER, master, &field::MASTER.field)?;
    if request.is_set(&field::NO_MASTER) {
        attributes.put(ifla::MASTER, &0_u32.to_ne_bytes(), &field::NO_MASTER.field)?;
    }
    let goes_to = places.take(field::TARGET_NETNS.field.name);
    if let Some(netns) = &goes_to {
        attributes.put(ifla::NET_NS_FD, &netns.as_raw_fd().to_ne_bytes(), &field::TARGET_NETNS.field)?;
    }
    let says_nothing = request.get(&field::NO_MASTER) == Some(&false);
    let fields = request.values().count().saturating_sub(2 + usize::from(says_nothing)); // besides netns and link
    if fields == 0 {
        return Err(invalid("", "names nothing to set"));
    }
    let message = target.change(flags_of(request), attributes)?;
    // A link leaves its old master, or goes down, before the kernel knows whether the new place takes it.
    let in_steps = fields > 1 || master.is_some() || goes_to.is_some();
    let request = request.clone();
    Ok(Prepared::new(move |route, _| {
        let _open_until_sent = &goes_to;
        route.act(&message, &mut |_, _| {}).map_err(|failure| changed(failure, &request, in_steps))?;
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
