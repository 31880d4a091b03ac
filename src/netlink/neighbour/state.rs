// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Neighbours as the kernel tells of them.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use nix::errno::Errno;
use serde_json::{Map, Value};

use super::super::Prepared;
use super::super::answer::{Parsed, at, escape, i32_at, parse, u32_at};
use super::super::inet::ip;
use super::super::link;
use super::super::listing::{self, Selection};
use super::super::lookup::Found;
use super::super::message::{Attributes, Message};
use super::super::transaction::{Failure, Route};
use super::{STATES, about, head, nda, number};
use crate::call::field;
use crate::call::inet::hex;
use crate::call::request::Request;
use crate::refusal::{Refusal, already, differs};

/// Bytes of `struct ndmsg`.
const HEAD: usize = 12;

/// `NTF_…`, `linux/neighbour.h`.
static FLAGS: [(u32, &str); 8] = [
    (1, "use"),
    (1 << 1, "self"),
    (1 << 2, "master"),
    (1 << 3, "proxy"),
    (1 << 4, "ext_learned"),
    (1 << 5, "offloaded"),
    (1 << 6, "sticky"),
    (1 << 7, "router"),
];

/// `NTF_EXT_…`
static MORE_FLAGS: [(u32, &str); 3] = [(1, "managed"), (1 << 1, "locked"), (1 << 2, "ext_validated")];

/// A neighbour, or a proxy entry.
#[derive(Debug)]
struct State {
    address: IpAddr,
    /// 0 for all links.
    index: i32,
    state: u16,
    flags: u8,
    attributes: Parsed,
}

fn read(payload: &[u8]) -> Option<State> {
    let index = i32_at(payload, 4)?;
    let state = u16::from_ne_bytes(at(payload, 8)?);
    let [flags] = at(payload, 10)?;
    let attributes = parse(payload.get(HEAD..)?)?;
    let address = ip(attributes.get(nda::DST)?)?;
    Some(State { address, index, state, flags, attributes })
}

impl State {
    fn told(&self, link: Option<&Vec<u8>>) -> Value {
        let attributes = &self.attributes;
        let times = attributes.get(nda::CACHEINFO);
        let time = |at| times.and_then(|times| u32_at(times, at)).map(Value::from);
        let mut told = Map::new();
        let mut put = |key: &str, value: Option<Value>| value.map(|value| told.insert(key.to_owned(), value));
        put("address", Some(self.address.to_string().into()));
        put("link", link.map(|name| escape(name).into()));
        put("link_index", (self.index != 0).then(|| self.index.into()));
        put("mac", attributes.get(nda::LLADDR).map(|mac| hex(mac).into()));
        put("state", Some(link::words(self.state.into(), &STATES)));
        put("flags", Some(self.flag_words()));
        put("protocol", attributes.u8(nda::PROTOCOL).map(Value::from));
        put("probes", attributes.u32(nda::PROBES).map(Value::from));
        for (name, offset) in [("confirmed", 0), ("used", 4), ("updated", 8), ("users", 12)] {
            put(name, time(offset));
        }
        Value::Object(told)
    }

    /// All of the first eight bits have names: a number is of the others.
    fn flag_words(&self) -> Value {
        let more = self.attributes.u32(nda::FLAGS_EXT).unwrap_or(0);
        let all = [link::words(self.flags.into(), &FLAGS), link::words(more, &MORE_FLAGS)];
        all.iter().filter_map(Value::as_array).flatten().cloned().collect()
    }
}

/// `Neighbour.List`; the kernel filters by family and index (strict checking).
pub(super) fn list(route: &mut Route, request: &Request) -> Result<Prepared, Refusal> {
    let links = Selection::of(route, request)?;
    let mut attributes = Attributes::default();
    if links.index() != 0 {
        attributes.put(nda::IFINDEX, &links.index().to_ne_bytes(), &field::LINK.field)?;
    }
    let head = head(listing::family(request), 0, 0, request.is_set(&field::PROXY))?;
    let message = Message::new(Rtm::Getneigh, NlmF::DUMP, &head, attributes);
    Ok(Prepared::new(move |route, each| {
        let found = links.listed(route.ask(&message, "parse a neighbour", read))?;
        let names = links.names(route)?;
        let kept = found.iter().filter(|_| !links.is_empty());
        super::super::in_chunks(kept.map(|state| state.told(names.get(&state.index))).collect(), each);
        Ok(Map::new())
    }))
}

/// What the kernel has for the address of a request on a link: the neighbour, or the proxy entry.
fn fetch(route: &mut Route, link: Found, request: &Request) -> Result<Option<State>, Refusal> {
    let message = about(Rtm::Getneigh, NlmF::empty(), link, 0, request)?;
    match route.ask(&message, "parse a neighbour", read) {
        Ok(found) => Ok(found.into_iter().next()),
        Err(Failure::Refused { errno: Errno::ENOENT, .. }) => Ok(None),
        Err(failure) => Err(failure.about_link(request)),
    }
}

/// Whether the proxy entry that a request asks for is there. The kernel would say yes to a second one, and on top of an
/// entry for all links it makes none.
pub(super) fn is_proxied(route: &mut Route, link: Found, request: &Request) -> Result<bool, Refusal> {
    match fetch(route, link, request)? {
        Some(state) if state.index == 0 => {
            Err(already(&field::LINK.field, "there is a proxy entry for all links already"))
        }
        Some(_) if request.call().verb() == "Add" && !request.is_set(&field::EXISTS_OK) => {
            Err(already(&field::ADDRESS.field, "there is such a proxy entry already"))
        }
        found => Ok(found.is_some()),
    }
}

/// `exists_ok`: whether the neighbour that is there is the one that was asked for.
pub(super) fn same(route: &mut Route, link: Found, request: &Request) -> Result<(), Refusal> {
    let Some(there) = fetch(route, link, request)? else {
        return Err(already(&field::ADDRESS.field, "there was one, and it went away meanwhile"));
    };
    let mac = there.attributes.get(nda::LLADDR);
    if request.get(&field::MAC).is_some_and(|given| mac != Some(given.bytes())) {
        return Err(differs(&field::MAC.field));
    }
    if number(request.needed(&field::STATE)?) == there.state { Ok(()) } else { Err(differs(&field::STATE.field)) }
}
