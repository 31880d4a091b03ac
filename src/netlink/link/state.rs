// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Links as the kernel tells of them.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use nix::errno::Errno;
use serde_json::{Map, Value, json};

use super::super::answer::{escape, i32_at, parse, u32_at};
use super::super::ifla;
use super::super::lookup::{HEAD, by_index, by_name};
use super::super::message::Message;
use super::super::transaction::{Failure, Route};
use super::super::{Each, in_chunks};
use super::kind::Data;
use crate::call::field::{self, Key};
use crate::call::inet::hex;
use crate::call::name::LinkName;
use crate::call::request::Request;
use crate::refusal::Refusal;

/// `IFF_…`, netdevice(7), `linux/if.h`.
static FLAGS: [(u32, &str); 19] = [
    (1, "up"),
    (1 << 1, "broadcast"),
    (1 << 2, "debug"),
    (1 << 3, "loopback"),
    (1 << 4, "pointopoint"),
    (1 << 5, "notrailers"),
    (1 << 6, "running"),
    (1 << 7, "noarp"),
    (1 << 8, "promisc"),
    (1 << 9, "allmulti"),
    (1 << 10, "master"),
    (1 << 11, "slave"),
    (1 << 12, "multicast"),
    (1 << 13, "portsel"),
    (1 << 14, "automedia"),
    (1 << 15, "dynamic"),
    (1 << 16, "lower_up"),
    (1 << 17, "dormant"),
    (1 << 18, "echo"),
];

/// `IF_OPER_…`, `linux/if.h`.
static OPERSTATES: [&str; 7] = ["unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"];

/// The names of set bits; a bit without a name as its number.
pub(in crate::netlink) fn words(bits: u32, table: &[(u32, &str)]) -> Value {
    let set = (0..32).map(|shift| 1_u32 << shift).filter(|bit| bits & bit != 0);
    let word = |bit: u32| {
        table.iter().find(|(of, _)| *of == bit).map_or_else(|| format!("{bit:#x}"), |(_, w)| (*w).to_owned())
    };
    set.map(word).collect()
}

/// A link as a result tells of it; the names of other links are filled in later.
#[derive(Debug)]
pub(super) struct State {
    pub(super) index: i32,
    pub(super) name: Vec<u8>,
    pub(super) told: Map<String, Value>,
}

impl State {
    /// A number that is told.
    pub(super) fn number(&self, name: &str) -> Option<i32> {
        self.told.get(name).and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok())
    }
}

/// Reads a link.
pub(super) fn state(payload: &[u8]) -> Option<State> {
    let index = i32_at(payload, 4)?;
    let flags = u32_at(payload, 8)?;
    let attributes = parse(payload.get(HEAD..)?)?;
    let name = attributes.string(ifla::IFNAME)?.to_vec();
    let info = attributes.nested(ifla::LINKINFO)?;
    let data = info.nested(ifla::INFO_DATA)?;
    let kind = info.string(ifla::INFO_KIND).map(escape);
    let of_kind = kind.as_deref().and_then(Data::of);
    let mut told = Map::new();
    let mut put = |key: &str, value: Option<Value>| value.map(|value| told.insert(key.to_owned(), value));
    put("link", Some(escape(&name).into()));
    put("link_index", Some(index.into()));
    put("up", Some((flags & 1 != 0).into()));
    put("operstate", Some(operstate(attributes.u8(ifla::OPERSTATE)?)));
    put("flags", Some(words(flags, &FLAGS)));
    put("mtu", Some(attributes.u32(ifla::MTU)?.into()));
    put("mac", attributes.get(ifla::ADDRESS).map(|mac| hex(mac).into()));
    put("broadcast", attributes.get(ifla::BROADCAST).map(|mac| hex(mac).into()));
    put("alias", attributes.string(ifla::IFALIAS).map(|alias| escape(alias).into()));
    put("txqueuelen", Some(attributes.u32(ifla::TXQLEN)?.into()));
    put("qdisc", Some(attributes.string(ifla::QDISC).map(escape).unwrap_or_default().into()));
    put("linkmode", Some(attributes.u8(ifla::LINKMODE)?.into()));
    put("promiscuity", Some(attributes.u32(ifla::PROMISCUITY)?.into()));
    put("allmulticast", Some((flags & (1 << 9) != 0).into()));
    put("master_index", attributes.u32(ifla::MASTER).filter(|index| *index != 0).map(Value::from));
    let below = if kind.as_deref() == Some("veth") { "peer_index" } else { "parent_index" };
    let index_below = of_kind.and_then(|of| of.parent).map_or(attributes.u32(ifla::LINK), |parent| data.u32(parent));
    put(below, index_below.filter(|index| *index != 0).map(Value::from));
    put("peer_nsid", attributes.i32(ifla::LINK_NETNSID).map(Value::from));
    if let Some((object, told)) = of_kind.and_then(|of| of.told(&data)) {
        put(object, Some(told));
    }
    put("kind", kind.map(Value::from));
    Some(State { index, name, told })
}

fn operstate(state: u8) -> Value {
    OPERSTATES.get(usize::from(state)).map_or_else(|| state.to_string(), |word| (*word).to_owned()).into()
}

/// Fetches links.
pub(super) fn fetch(route: &mut Route, message: &Message) -> Result<Vec<State>, Failure> {
    route.ask(message, "parse a link", state)
}

/// Fetches the link that a field names; none where no link is called so.
pub(super) fn find(
    route: &mut Route,
    key: &'static Key<LinkName>,
    request: &Request,
) -> Result<Option<State>, Refusal> {
    let name = request.needed(key)?;
    match fetch(route, &by_name(name, &key.field)?) {
        Ok(found) => Ok(found.into_iter().find(|link| link.name == name.as_str().as_bytes())),
        Err(Failure::Refused { errno: Errno::ENODEV, .. }) => Ok(None),
        Err(failure) => Err(failure.refusal()),
    }
}

/// The name of the link of this index, or of all links with 0, by index; none where it is gone.
pub(in crate::netlink) fn names(route: &mut Route, index: i32) -> Result<BTreeMap<i32, Vec<u8>>, Refusal> {
    match fetch(route, &by_index(index)?) {
        Ok(links) => Ok(links.into_iter().map(|link| (link.index, link.name)).collect()),
        Err(Failure::Refused { errno: Errno::ENODEV, .. }) => Ok(BTreeMap::new()),
        Err(failure) => Err(failure.refusal()),
    }
}

/// Lists one link or all of them.
pub(super) fn list(
    route: &mut Route,
    message: &Message,
    name: Option<&LinkName>,
    index: Option<i32>,
    each: Each<'_>,
) -> Result<Map<String, Value>, Refusal> {
    let (field, asked) = match (index, name) {
        (Some(index), _) => (field::INDEX.field.name, index.to_string()),
        (None, Some(name)) => (field::LINK.field.name, name.as_str().to_owned()),
        (None, None) => ("", String::new()),
    };
    let missing = |reason| Refusal::NoSuchLink { field, name: asked.clone(), reason, errno: Errno::ENODEV };
    let mut links = match fetch(route, message) {
        Err(Failure::Refused { errno: Errno::ENODEV, .. }) => return Err(missing("absent")),
        other => other.map_err(Failure::refusal)?,
    };
    if let Some(name) = name {
        let count = links.len();
        links.retain(|link| link.name == name.as_str().as_bytes());
        if index.is_none() && links.is_empty() {
            return Err(missing(if count > 0 { "alternative_name" } else { "absent" }));
        }
    }
    let mut known: BTreeMap<i32, Vec<u8>> = links.iter().map(|link| (link.index, link.name.clone())).collect();
    for link in &mut links {
        name_others(route, &mut known, link)?;
    }
    in_chunks(links.into_iter().map(|link| Value::Object(link.told)).collect(), each);
    Ok(Map::new())
}

/// Adds the names of master and parent, where those are links of this namespace.
fn name_others(route: &mut Route, known: &mut BTreeMap<i32, Vec<u8>>, link: &mut State) -> Result<(), Refusal> {
    let elsewhere = link.told.contains_key("peer_nsid");
    for (index, name) in [("master_index", "master"), ("parent_index", "parent")] {
        let Some(other) = link.number(index) else { continue };
        if name == "parent" && elsewhere {
            continue;
        }
        if !known.contains_key(&other) {
            known.extend(names(route, other)?); // one that is gone by now stays told by its index
        }
        if let Some(bytes) = known.get(&other) {
            link.told.insert(name.to_owned(), json!(escape(bytes)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + payload.len()).unwrap();
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), payload].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// What the kernel tells of every link, and what else there is of this one.
    fn link(without: Option<u16>, also: &[u8]) -> Vec<u8> {
        let always: [(u16, &[u8]); 6] = [
            (ifla::IFNAME, b"v0\0"),
            (ifla::MTU, &[0; 4]),
            (ifla::TXQLEN, &[0; 4]),
            (ifla::OPERSTATE, &[6]),
            (ifla::LINKMODE, &[0]),
            (ifla::PROMISCUITY, &[0; 4]),
        ];
        let given = always.into_iter().filter(|(kind, _)| Some(*kind) != without);
        let attributes = given.flat_map(|(kind, payload)| attribute(kind, payload));
        [0; HEAD].into_iter().chain(attributes).chain(also.iter().copied()).collect()
    }

    #[test]
    fn what_the_kernel_always_tells_is_never_made_up() {
        assert!(state(&link(None, &[])).is_some());
        for kind in [ifla::IFNAME, ifla::MTU, ifla::TXQLEN, ifla::OPERSTATE, ifla::LINKMODE, ifla::PROMISCUITY] {
            assert!(state(&link(Some(kind), &[])).is_none(), "{kind}");
        }
        assert!(state(&link(Some(ifla::MTU), &attribute(ifla::MTU, &[0; 2]))).is_none());
    }

    #[test]
    fn a_kind_that_does_not_parse_is_not_taken_for_none() {
        let kind = attribute(ifla::INFO_KIND, b"bridge\0");
        let told = |info: &[u8]| state(&link(None, &attribute(ifla::LINKINFO, info))).map(|link| link.told);
        assert_eq!(told(&kind).unwrap()["kind"], "bridge");
        assert!(told(&kind[..kind.len() - 2]).is_none());
        assert!(told(&[kind, attribute(ifla::INFO_DATA, &[9, 0, 0, 0])].concat()).is_none());
    }
}
