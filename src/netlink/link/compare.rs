// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `exists_ok`: whether the link that is there is the one that was asked for, in every field that was given. What a
//! request leaves out, and `up=false`, is not compared: an agent may have gone on since.
#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;

use serde_json::{Map, Value};

use super::super::Places;
use super::super::lookup::{Found, by_name};
use super::super::netns::ask_nsid;
use super::super::transaction::Route;
use super::add::Others;
use super::kind::Data;
use super::state::{State, fetch, find};
use crate::call::field::{self, Field, Key};
use crate::call::inet::Mac;
use crate::call::request::Request;
use crate::refusal::{Refusal, already, differs};

/// The result of the call, if the link is the same; `taken` is what the kernel said.
pub(super) fn same(
    route: &mut Route,
    places: &mut Places,
    peer_netns: Option<&OwnedFd>,
    others: Others,
    taken: Refusal,
    request: &Request,
) -> Result<Map<String, Value>, Refusal> {
    let Some(link) = find(route, &field::LINK, request)? else { return Err(by_others(route, taken, request)) };
    let data = text(&link, "kind").and_then(Data::of).filter(|data| Some(&data.name) == request.get(&field::KIND));
    let data = data.ok_or_else(|| differs(&field::KIND.field))?;
    numbers(&link, [(&field::MTU, "mtu")], request)?;
    require(mac_agrees(&link, request.get(&field::MAC)), &field::MAC.field)?;
    require(!request.is_set(&field::UP) || is(&link, "up"), &field::UP.field)?;
    let alias = request.get(&field::ALIAS).map(|alias| alias.as_str());
    require(alias.is_none_or(|alias| text(&link, "alias").unwrap_or_default() == alias), &field::ALIAS.field)?;
    let is_index = |other: Option<Found>, of: &str| other.is_none_or(|other| link.number(of) == Some(other.index));
    require(is_index(others.master, "master_index"), &field::MASTER.field)?;
    let same_parent = is_index(others.parent, "parent_index") && !link.told.contains_key("peer_nsid");
    require(others.parent.is_none() || same_parent, &field::PARENT.field)?;
    if let Some(field) = data.difference(&link.told, request) {
        return Err(differs(field));
    }
    if request.get(&field::PEER_NAME).is_some() {
        same_peer(route, places, peer_netns, &link, request)?;
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

/// No link is called so: the name is another's alternative one, or it is the name of the other end that is taken, or
/// something else (the segment of a vxlan).
fn by_others(route: &mut Route, taken: Refusal, request: &Request) -> Refusal {
    let answering = request.needed(&field::LINK).map_err(Refusal::from);
    let answering = answering.and_then(|name| by_name(name, &field::LINK.field)).map(|asked| fetch(route, &asked));
    match answering {
        Ok(Ok(answering)) if !answering.is_empty() => {
            already(&field::LINK.field, "it is the alternative name of another link")
        }
        _ if request.get(&field::PEER_NAME).is_some() => {
            already(&field::PEER_NAME.field, "there is a link of this name already")
        }
        _ => taken,
    }
}
