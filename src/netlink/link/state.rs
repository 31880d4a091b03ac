// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Links as the kernel tells of them.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use nix::errno::Errno;
use serde_json::{Map, Value, json};

use super::super::answer::{Parsed, escape, i32_at, parse, u32_at};
use super::super::ifla;
use super::super::lookup::{HEAD, by_index};
use super::super::message::Message;
use super::super::socket::{Failure, Route};
use super::super::{Each, in_chunks};
use crate::call::field;
use crate::call::inet::hex;
use crate::call::name::LinkName;
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
    let info = attributes.nested(ifla::LINKINFO);
    let kind = info.string(ifla::INFO_KIND).map(escape);
    let mut told = Map::new();
    let mut put = |key: &str, value: Option<Value>| value.map(|value| told.insert(key.to_owned(), value));
    put("link", Some(escape(&name).into()));
    put("link_index", Some(index.into()));
    put("up", Some((flags & 1 != 0).into()));
    put("operstate", Some(operstate(attributes.u8(ifla::OPERSTATE).unwrap_or(0))));
    put("flags", Some(words(flags, &FLAGS)));
    put("mtu", Some(attributes.u32(ifla::MTU).into()));
    put("mac", attributes.get(ifla::ADDRESS).map(|mac| hex(mac).into()));
    put("broadcast", attributes.get(ifla::BROADCAST).map(|mac| hex(mac).into()));
    put("alias", attributes.string(ifla::IFALIAS).map(|alias| escape(alias).into()));
    put("txqueuelen", Some(attributes.u32(ifla::TXQLEN).unwrap_or(0).into()));
    put("qdisc", Some(attributes.string(ifla::QDISC).map(escape).unwrap_or_default().into()));
    put("linkmode", Some(attributes.u8(ifla::LINKMODE).unwrap_or(0).into()));
    put("promiscuity", Some(attributes.u32(ifla::PROMISCUITY).unwrap_or(0).into()));
    put("allmulticast", Some((flags & (1 << 9) != 0).into()));
    put("master_index", attributes.u32(ifla::MASTER).filter(|index| *index != 0).map(Value::from));
    let below = if kind.as_deref() == Some("veth") { "peer_index" } else { "parent_index" };
    put(below, attributes.u32(ifla::LINK).filter(|index| *index != 0).map(Value::from));
    put("peer_nsid", attributes.i32(ifla::LINK_NETNSID).map(Value::from));
    put("bridge", (kind.as_deref() == Some("bridge")).then(|| bridge(&info.nested(ifla::INFO_DATA))));
    put("kind", kind.map(Value::from));
    Some(State { index, name, told })
}

fn operstate(state: u8) -> Value {
    OPERSTATES.get(usize::from(state)).map_or_else(|| state.to_string(), |word| (*word).to_owned()).into()
}

fn bridge(data: &Parsed) -> Value {
    let mut told = Map::new();
    let mut put = |key: &str, value: Option<Value>| value.map(|value| told.insert(key.to_owned(), value));
    put("stp", data.u32(ifla::BR_STP_STATE).map(|state| (state != 0).into()));
    put("forward_delay", data.u32(ifla::BR_FORWARD_DELAY).map(Value::from));
    put("ageing_time", data.u32(ifla::BR_AGEING_TIME).map(Value::from));
    put("vlan_filtering", data.u8(ifla::BR_VLAN_FILTERING).map(|on| (on != 0).into()));
    put("vlan_default_pvid", data.u16(ifla::BR_VLAN_DEFAULT_PVID).map(Value::from));
    Value::Object(told)
}

/// Fetches links.
pub(super) fn fetch(route: &mut Route, message: &Message) -> Result<Vec<State>, Failure> {
    route.read_all(message, "a link", state)
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
