// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Addresses of links (`RTM_NEWADDR` …, rtnetlink(7), `linux/if_addr.h`).
#![forbid(unsafe_code)]

mod state;

use std::net::IpAddr;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{IfaF, RtAddrFamily, RtScope, Rtm};
use neli::rtnl::IfaddrmsgBuilder;
use nix::errno::Errno;
use serde_json::Map;

use super::inet::{family, octets, scope_number};
use super::lookup::Found;
use super::message::{Attributes, Message, bytes};
use super::transaction::{Failure, Route};
use super::{Prepared, not_encoded};
use crate::call::field::{self, Key};
use crate::call::inet::InterfaceAddress;
use crate::call::request::Request;
use crate::refusal::{Refusal, invalid};

/// Attributes of an address (`IFA_…`).
mod ifa {
    pub(super) const ADDRESS: u16 = 1;
    pub(super) const LOCAL: u16 = 2;
    pub(super) const LABEL: u16 = 3;
    pub(super) const BROADCAST: u16 = 4;
    pub(super) const CACHEINFO: u16 = 6;
    pub(super) const FLAGS: u16 = 8;
    pub(super) const RT_PRIORITY: u16 = 9;
    pub(super) const PROTO: u16 = 11;
}

/// Flags that a request can set (`IFA_F_…`), and whether IPv6 alone has them.
static FLAGS: [(&Key<bool>, u32, bool); 3] =
    [(&field::NODAD, 0x02, true), (&field::HOME_ADDRESS, 0x10, true), (&field::NOPREFIXROUTE, 0x200, false)];

/// Resolves and encodes a call of this family.
pub(super) fn prepare(route: &mut Route, request: &Request) -> Result<Prepared, Refusal> {
    match request.call().name {
        "Address.Add" => add(route, request),
        "Address.Delete" => delete(route, request),
        "Address.List" => state::list(route, request),
        _ => Err(not_encoded(request)),
    }
}

/// `struct ifaddrmsg`
fn head(family: RtAddrFamily, length: u8, scope: u8, index: i32) -> Result<Vec<u8>, Refusal> {
    let message = IfaddrmsgBuilder::default()
        .ifa_family(family)
        .ifa_prefixlen(length)
        .ifa_flags(IfaF::empty()) // eight bits of old; all flags go into IFA_FLAGS
        .ifa_scope(RtScope::from(scope))
        .ifa_index(index.unsigned_abs())
        .build()
        .map_err(|_| Refusal::SystemError { step: "encode an address".to_owned(), errno: None })?;
    bytes(&message)
}

/// What iproute2 would send: addresses of 127.0.0.0/8 are the host's own.
fn scope_of(request: &Request, address: IpAddr) -> u8 {
    match request.get(&field::SCOPE) {
        Some(word) => scope_number(word),
        None if matches!(address, IpAddr::V4(v4) if v4.is_loopback()) => scope_number("host"),
        None => scope_number("global"),
    }
}

/// IPv4 addresses have the scope that they are given, IPv6 addresses their own (RFC 4291).
fn scope_is_possible(word: &str, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(v6) if v6.is_loopback() => word == "host",
        IpAddr::V6(v6) if v6.is_unicast_link_local() => word == "link",
        IpAddr::V6(v6) if v6.segments().first().is_some_and(|first| first & 0xffc0 == 0xfec0) => word == "site",
        IpAddr::V6(_) => word == "global",
    }
}

/// Fields of one protocol do not go with the other: the kernel would ignore them.
fn require_family(request: &Request, InterfaceAddress { address, length }: InterfaceAddress) -> Result<(), Refusal> {
    if let Some(peer) = request.get(&field::PEER_ADDRESS) {
        if peer.address.is_ipv4() != address.is_ipv4() {
            return Err(invalid("peer_address", format!("`{peer}` is of the other protocol than `address`")));
        }
        if peer.length != length {
            return Err(invalid("peer_address", format!("`{peer}` has another prefix length than `address`")));
        }
    }
    if let Some(word) = request.get(&field::SCOPE).filter(|word| !scope_is_possible(word, address)) {
        return Err(invalid("scope", format!("`{word}`: the kernel takes the scope of an IPv6 address from itself")));
    }
    if let Some(broadcast) = request.get(&field::BROADCAST).filter(|b| !(b.is_ipv4() && address.is_ipv4())) {
        return Err(invalid("broadcast", format!("`{broadcast}`: only IPv4 has broadcast addresses")));
    }
    if request.get(&field::LABEL).is_some() && address.is_ipv6() {
        return Err(invalid("label", "only IPv4 addresses have labels"));
    }
    match FLAGS.iter().find(|(key, _, v6_only)| *v6_only && request.is_set(key) && address.is_ipv4()) {
        Some((key, ..)) => Err(invalid(key.field.name, "is for IPv6 addresses only")),
        None => Ok(()),
    }
}

/// `local` is the address itself; the other end's, if there is one, is what the prefix belongs to.
fn put_addresses(to: &mut Attributes, address: IpAddr, peer: Option<IpAddr>) -> Result<(), Refusal> {
    to.put(ifa::LOCAL, &octets(address), &field::ADDRESS.field)?;
    let field = if peer.is_some() { &field::PEER_ADDRESS.field } else { &field::ADDRESS.field };
    to.put(ifa::ADDRESS, &octets(peer.unwrap_or(address)), field)
}

fn number(request: &Request, key: &Key<u64>) -> Result<Option<u32>, Refusal> {
    let fits = |value: &u64| u32::try_from(*value).map_err(|_| invalid(key.field.name, "does not fit 32 bits"));
    request.get(key).map(fits).transpose()
}

fn add(route: &mut Route, request: &Request) -> Result<Prepared, Refusal> {
    let wanted = *request.needed(&field::ADDRESS)?;
    require_family(request, wanted)?;
    let InterfaceAddress { address, length } = wanted;
    if address.is_unspecified() {
        return Err(invalid("address", "is no address that a link can have")); // the kernel says yes and makes nothing
    }
    let link = route.find(&field::LINK.field, request.needed(&field::LINK)?)?;
    let mut attributes = Attributes::default();
    put_addresses(&mut attributes, address, request.get(&field::PEER_ADDRESS).map(|peer| peer.address))?;
    if let Some(broadcast) = request.get(&field::BROADCAST) {
        attributes.put(ifa::BROADCAST, &octets(*broadcast), &field::BROADCAST.field)?;
    }
    if let Some(label) = request.get(&field::LABEL) {
        attributes.put(ifa::LABEL, &[label.as_str().as_bytes(), &[0]].concat(), &field::LABEL.field)?;
    }
    let flags = FLAGS.iter().filter(|(key, ..)| request.is_set(key)).fold(0, |bits, (_, bit, _)| bits | bit);
    if flags != 0 {
        attributes.add(ifa::FLAGS, &u32::to_ne_bytes(flags))?;
    }
    if let Some(metric) = number(request, &field::METRIC)? {
        attributes.put(ifa::RT_PRIORITY, &metric.to_ne_bytes(), &field::METRIC.field)?;
    }
    put_lifetimes(&mut attributes, request)?;
    let head = head(family(address), length, scope_of(request, address), link.index)?;
    let message = Message::new(Rtm::Newaddr, NlmF::CREATE | NlmF::EXCL | NlmF::ACK, &head, attributes);
    let request = request.clone();
    Ok(Prepared::new(move |route, _| {
        match route.act(&message, &mut |_, _| {}) {
            Ok(()) => {}
            Err(Failure::Refused { errno: Errno::EEXIST, .. }) if request.is_set(&field::EXISTS_OK) => {
                state::same(route, link, &request)?;
            }
            Err(failure) => return Err(failure.about_link(&request)),
        }
        Ok(Map::new())
    }))
}

/// `struct ifa_cacheinfo`: preferred and valid lifetime, in seconds, and two times that the kernel fills in. One that
/// is not given is for ever.
fn put_lifetimes(to: &mut Attributes, request: &Request) -> Result<(), Refusal> {
    let valid = number(request, &field::VALID_LIFETIME)?;
    let preferred = number(request, &field::PREFERRED_LIFETIME)?;
    if valid.is_none() && preferred.is_none() {
        return Ok(());
    }
    let [preferred, valid] = [preferred, valid].map(|lifetime| lifetime.unwrap_or(u32::MAX).to_ne_bytes());
    to.put(ifa::CACHEINFO, &[preferred, valid, [0; 4], [0; 4]].concat(), &field::VALID_LIFETIME.field)
}

/// The message that removes exactly this address.
fn removal(link: Found, of: InterfaceAddress, peer: Option<IpAddr>) -> Result<Message, Refusal> {
    let mut attributes = Attributes::default();
    put_addresses(&mut attributes, of.address, peer)?;
    let head = head(family(of.address), of.length, 0, link.index)?;
    Ok(Message::new(Rtm::Deladdr, NlmF::ACK, &head, attributes))
}

/// The kernel takes the prefix of the other end for a match, and the length only together with it. So the addresses
/// are listed first, and what matches in every given field is removed, each by all that identifies it.
fn delete(route: &mut Route, request: &Request) -> Result<Prepared, Refusal> {
    let wanted = *request.needed(&field::ADDRESS)?;
    require_family(request, wanted)?;
    let tolerant = request.is_set(&field::MISSING_OK);
    let link = match route.find(&field::LINK.field, request.needed(&field::LINK)?) {
        Err(Refusal::NoSuchLink { .. }) if tolerant => return Ok(Prepared::new(|_, _| Ok(Map::new()))),
        other => other?,
    };
    let request = request.clone();
    Ok(Prepared::new(move |route, _| {
        let peer = request.get(&field::PEER_ADDRESS).map(|peer| peer.address);
        let peers = match state::peers(route, link, wanted, peer) {
            Err(Failure::Refused { errno: Errno::ENODEV, .. }) if tolerant => Vec::new(), // gone, and its addresses
            other => other.map_err(|failure| failure.about_link(&request))?,
        };
        let mut gone = Failure::Refused { errno: Errno::EADDRNOTAVAIL, text: None, field: Some(&field::ADDRESS.field) };
        let mut removed = false;
        for message in peers.into_iter().map(|peer| removal(link, wanted, peer)).collect::<Result<Vec<_>, _>>()? {
            match route.act(&message, &mut |_, _| {}) {
                Ok(()) => removed = true,
                Err(failure @ Failure::Refused { errno: Errno::EADDRNOTAVAIL, .. }) => gone = failure,
                Err(failure) if failure.is_without_link() => gone = failure,
                Err(failure) if removed => return Err(failure.about_link(&request).after_a_change()),
                Err(failure) => return Err(failure.about_link(&request)),
            }
        }
        if removed || tolerant { Ok(Map::new()) } else { Err(gone.about_link(&request)) }
    }))
}
