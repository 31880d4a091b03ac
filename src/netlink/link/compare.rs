// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `exists_ok`: whether the link that is there is the one that was asked for, in every field that was given. What a
//! request leaves out, and `up=false`, is not compared: an agent may have gone on since.
#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use serde_json::{Map, Value};

use super::super::Places;
use super::super::lookup::{Found, by_name};
use super::super::netns::ask_nsid;
use super::super::socket::{Failure, Route};
use super::state::{State, fetch};
use crate::call::field::{self, Field, Key};
use crate::call::inet::Mac;
use crate::call::name::LinkName;
use crate::call::request::Request;
use crate::refusal::{Refusal, already, differs};

/// The result of the call, if the link is the same.
pub(super) fn same(
    route: &mut Route,
    places: &mut Places,
    peer_netns: Option<&OwnedFd>,
    master: Option<Found>,
    request: &Request,
) -> Result<Map<String, Value>, Refusal> {
    let Some(link) = find(route, &field::LINK, request)? else { return Err(taken(route, request)?) };
    require(text(&link, "kind") == request.get(&field::KIND).copied(), &field::KIND.field)?;
    numbers(&link, [(&field::MTU, "mtu")], request)?;
    require(mac_agrees(&link, request.get(&field::MAC)), &field::MAC.field)?;
    require(!request.is_set(&field::UP) || is(&link, "up"), &field::UP.field)?;
    let alias = request.get(&field::ALIAS).map(|alias| alias.as_str());
    require(alias.is_none_or(|alias| text(&link, "alias").unwrap_or_default() == alias), &field::ALIAS.field)?;
    let its_master = link.number("master_index");
    require(master.is_none_or(|master| its_master == Some(master.index)), &field::MASTER.field)?;
    match request.kind().map(|kind| kind.name) {
        Some("veth") => same_peer(route, places, peer_netns, &link, request)?,
        Some("bridge") => same_bridge(&link, request)?,
        _ => {}
    }
    Ok(Map::from_iter([("link_index".to_owned(), link.index.into())]))
}

/// The other end, looked up where it is said to be: of that name, and with this link as its own other end.
fn same_peer(
    route: &mut Route,
    places: &mut Places,
    peer_netns: Option<&OwnedFd>,
    link: &State,
    request: &Request,
) -> Result<(), Refusal> {
    let nsid = peer_netns.map(|netns| ask_nsid(route, netns)).transpose()?.flatten();
    require(link.number("peer_nsid") == nsid && (peer_netns.is_none() || nsid.is_some()), &field::PEER_NETNS.field)?;
    let there = places.visited.as_mut().unwrap_or(route);
    let peer = find(there, &field::PEER_NAME, request)?.ok_or_else(|| differs(&field::PEER_NAME.field))?;
    require(link.number("peer_index") == Some(peer.index), &field::PEER_NAME.field)?;
    numbers(&peer, [(&field::PEER_MTU, "mtu")], request)?;
    require(mac_agrees(&peer, request.get(&field::PEER_MAC)), &field::PEER_MAC.field)?;
    require(!request.is_set(&field::PEER_UP) || is(&peer, "up"), &field::PEER_UP.field)
}

fn same_bridge(link: &State, request: &Request) -> Result<(), Refusal> {
    let none = Map::new();
    let bridge = link.told.get("bridge").and_then(Value::as_object).unwrap_or(&none);
    let told = |name: &str| bridge.get(name);
    for (key, name) in [(&field::BRIDGE_STP, "stp"), (&field::BRIDGE_VLAN_FILTERING, "vlan_filtering")] {
        require(request.get(key).is_none_or(|truth| told(name) == Some(&(*truth).into())), &key.field)?;
    }
    // The kernel counts these in its own ticks, and may tell one hundredth less than was set.
    for (key, name) in [(&field::BRIDGE_FORWARD_DELAY, "forward_delay"), (&field::BRIDGE_AGEING_TIME, "ageing_time")] {
        let is = told(name).and_then(Value::as_u64);
        require(request.get(key).is_none_or(|set| is.is_some_and(|is| is.abs_diff(*set) <= 1)), &key.field)?;
    }
    let pvid = request.get(&field::BRIDGE_VLAN_DEFAULT_PVID);
    let key = &field::BRIDGE_VLAN_DEFAULT_PVID.field;
    require(pvid.is_none_or(|pvid| told("vlan_default_pvid") == Some(&(*pvid).into())), key)?;
    Ok(())
}

fn find(route: &mut Route, key: &'static Key<LinkName>, request: &Request) -> Result<Option<State>, Refusal> {
    let name = request.needed(key)?;
    match fetch(route, &by_name(name, &key.field)?) {
        Ok(found) => Ok(found.into_iter().find(|link| link.name == name.as_str().as_bytes())),
        Err(Failure::Refused { errno: Errno::ENODEV, .. }) => Ok(None),
        Err(failure) => Err(failure.refusal()),
    }
}

fn numbers<const N: usize>(link: &State, of: [(&'static Key<u64>, &str); N], request: &Request) -> Result<(), Refusal> {
    for (key, name) in of {
        let told = link.told.get(name).and_then(Value::as_u64);
        require(request.get(key).is_none_or(|number| told == Some(*number)), &key.field)?;
    }
    Ok(())
}

fn mac_agrees(link: &State, given: Option<&Mac>) -> bool {
    given.is_none_or(|mac| text(link, "mac") == Some(mac.to_string().as_str()))
}

fn text<'a>(link: &'a State, name: &str) -> Option<&'a str> {
    link.told.get(name).and_then(Value::as_str)
}

fn is(link: &State, name: &str) -> bool {
    link.told.get(name) == Some(&Value::Bool(true))
}

fn require(same: bool, field: &'static Field) -> Result<(), Refusal> {
    if same { Ok(()) } else { Err(differs(field)) }
}

/// No link is called so: the name is another's alternative one, or it is the name of the other end that is taken.
fn taken(route: &mut Route, request: &Request) -> Result<Refusal, Refusal> {
    match fetch(route, &by_name(request.needed(&field::LINK)?, &field::LINK.field)?) {
        Ok(answering) if !answering.is_empty() => {
            Ok(already(&field::LINK.field, "it is the alternative name of another link"))
        }
        _ => Ok(already(&field::PEER_NAME.field, "there is a link of this name already")),
    }
}
