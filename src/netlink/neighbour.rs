// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Neighbours of links (`RTM_NEWNEIGH` …, rtnetlink(7), `linux/neighbour.h`).
#![forbid(unsafe_code)]

mod state;

use std::net::IpAddr;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Iff, Ntf, Nud, RtAddrFamily, Rtm, Rtn};
use neli::rtnl::NdmsgBuilder;
use nix::errno::Errno;
use serde_json::Map;

use super::inet::{family, octets};
use super::link::require_length;
use super::lookup::Found;
use super::message::{Attributes, Message, bytes};
use super::transaction::{Failure, Route};
use super::{Prepared, not_encoded};
use crate::call::field::{self, Held as _};
use crate::call::request::Request;
use crate::refusal::{Refusal, invalid};

/// Attributes of a neighbour (`NDA_…`).
mod nda {
    pub(super) const DST: u16 = 1;
    pub(super) const LLADDR: u16 = 2;
    pub(super) const CACHEINFO: u16 = 3;
    pub(super) const PROBES: u16 = 4;
    pub(super) const IFINDEX: u16 = 8;
    pub(super) const PROTOCOL: u16 = 12;
    pub(super) const FLAGS_EXT: u16 = 15;
}

/// States (`NUD_…`); `none` is none of them.
static STATES: [(u32, &str); 8] = [
    (1, "incomplete"),
    (1 << 1, "reachable"),
    (1 << 2, "stale"),
    (1 << 3, "delay"),
    (1 << 4, "probe"),
    (1 << 5, "failed"),
    (1 << 6, "noarp"),
    (1 << 7, "permanent"),
];

/// Resolves and encodes a call of this family.
pub(super) fn prepare(route: &mut Route, request: &Request) -> Result<Prepared, Refusal> {
    match request.call().name {
        "Neighbour.Add" | "Neighbour.Replace" => write(route, request),
        "Neighbour.Delete" => delete(route, request),
        "Neighbour.List" => state::list(route, request),
        _ => Err(not_encoded(request)),
    }
}

/// `struct ndmsg`
fn head(family: RtAddrFamily, index: i32, state: u16, proxy: bool) -> Result<Vec<u8>, Refusal> {
    let message = NdmsgBuilder::default()
        .ndm_family(family)
        .ndm_index(index)
        .ndm_state(Nud::from(state))
        .ndm_flags(if proxy { Ntf::PROXY } else { Ntf::empty() })
        .ndm_type(Rtn::Unspec)
        .build()
        .map_err(|_| Refusal::SystemError { step: "encode a neighbour".to_owned(), errno: None })?;
    bytes(&message)
}

/// The address, which `settle` has made sure to have no length.
fn address(request: &Request) -> Result<IpAddr, Refusal> {
    let held = request.value(&field::ADDRESS.field).and_then(IpAddr::held).copied();
    held.ok_or_else(|| invalid(field::ADDRESS.field.name, "is missing"))
}

/// The number of a state.
fn number(word: &str) -> u16 {
    STATES.iter().find(|(_, name)| *name == word).and_then(|(bit, _)| u16::try_from(*bit).ok()).unwrap_or(0)
}

/// A message about the neighbour of this address, or about its proxy entry.
fn about(kind: Rtm, flags: NlmF, link: Found, state: u16, request: &Request) -> Result<Message, Refusal> {
    let address = address(request)?;
    let mut attributes = Attributes::default();
    attributes.put(nda::DST, &octets(address), &field::ADDRESS.field)?;
    if let Some(mac) = request.get(&field::MAC).filter(|_| kind == Rtm::Newneigh) {
        attributes.put(nda::LLADDR, mac.bytes(), &field::MAC.field)?;
    }
    let head = head(family(address), link.index, state, request.is_set(&field::PROXY))?;
    Ok(Message::new(kind, flags | NlmF::ACK, &head, attributes))
}

/// Refuses what the kernel would do something else with than was asked.
fn require_possible(link: Found, request: &Request) -> Result<(), Refusal> {
    require_length(link, request)?;
    if request.is_set(&field::PROXY) {
        return Ok(());
    }
    let (address, state) = (address(request)?, *request.needed(&field::STATE)?);
    let has_one = link.flags.intersects(Iff::LOOPBACK | Iff::POINTOPOINT);
    if has_one && address.is_ipv4() && !address.is_unspecified() {
        // `arp_constructor`: whatever the address, the entry is 0.0.0.0's.
        return Err(invalid("address", "on a loopback or point-to-point link IPv4 has one neighbour only, `0.0.0.0`"));
    }
    let has_none = matches!(state, "none" | "incomplete" | "failed");
    if request.get(&field::MAC).is_none() && !has_none && link.mac_bytes > 0 {
        // The kernel would refuse, but leave an entry without a state.
        return Err(invalid("mac", format!("is missing: on this link, a neighbour in state {state} has one")));
    }
    Ok(())
}

/// `Neighbour.Add` and `Neighbour.Replace`
fn write(route: &mut Route, request: &Request) -> Result<Prepared, Refusal> {
    let link = route.find(&field::LINK.field, request.needed(&field::LINK)?)?;
    require_possible(link, request)?;
    let replaces = request.call().verb() == "Replace";
    let flags = NlmF::CREATE | if replaces { NlmF::REPLACE } else { NlmF::EXCL };
    let message = about(Rtm::Newneigh, flags, link, number(request.needed(&field::STATE)?), request)?;
    let request = request.clone();
    Ok(Prepared::new(move |route, _| {
        if request.is_set(&field::PROXY) && state::is_proxied(route, link, &request)? && !replaces {
            return Ok(Map::new());
        }
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

fn delete(route: &mut Route, request: &Request) -> Result<Prepared, Refusal> {
    let tolerant = request.is_set(&field::MISSING_OK);
    let link = match route.find(&field::LINK.field, request.needed(&field::LINK)?) {
        Err(Refusal::NoSuchLink { .. }) if tolerant => return Ok(Prepared::new(|_, _| Ok(Map::new()))),
        other => other?,
    };
    let message = about(Rtm::Delneigh, NlmF::empty(), link, 0, request)?;
    let request = request.clone();
    Ok(Prepared::new(move |route, _| match route.act(&message, &mut |_, _| {}) {
        Err(Failure::Refused { errno: Errno::ENOENT, .. }) if tolerant => Ok(Map::new()),
        Err(failure) if tolerant && failure.is_without_link() => Ok(Map::new()),
        other => other.map(|()| Map::new()).map_err(|failure| failure.about_link(&request)),
    }))
}
