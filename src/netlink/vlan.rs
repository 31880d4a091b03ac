// SPDX-License-Identifier: Apache-2.0 OR MIT
//! VLANs of bridges and their ports (`RTM_SETLINK`, `RTM_DELLINK` of the family `AF_BRIDGE`: `net/bridge/br_netlink.c`).
//!
//! The kernel knows no request that only adds: it changes a VLAN that exists, and takes the PVID from another one. It reports
//! success for VLANs that it does not delete, and keeps what it did before an error. So the VLANs of the link are listed
//! first, and a request is sent only for what is certain.
#![forbid(unsafe_code)]

mod holder;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use serde_json::Map;

use super::answer::{i32_at, until_nul};
use super::listing::{Names, Selection};
use super::message::{Attributes, Encoded, Message};
use super::rows::{Seen, unparsed};
use super::sides::{After, Before};
use super::transaction::TransactionError;
use super::{Encoder, Prepared};
use crate::call::VLAN_STATE;
use crate::call::field;
use crate::call::range::NumberRange;
use crate::call::request::Request;
use crate::refusal::{Refusal, absent, already, invalid, unsuitable};
use holder::{Holder, Vlan};

const STEP: &str = "parse VLANs";
/// `AF_BRIDGE`
const BRIDGE: u8 = 7;
/// `IFLA_IFNAME`, `IFLA_MASTER`, `IFLA_AF_SPEC`, `IFLA_EXT_MASK`
const IFNAME: u16 = 3;
const MASTER: u16 = 10;
const AF_SPEC: u16 = 26;
const EXT_MASK: u16 = 29;
/// `RTEXT_FILTER_BRVLAN_COMPRESSED`: the VLANs of links, as ranges.
const WITH_VLANS: u32 = 1 << 2;
/// `IFLA_BRIDGE_FLAGS`, `IFLA_BRIDGE_VLAN_INFO`, `IFLA_BRIDGE_VLAN_TUNNEL_INFO`
const FLAGS: u16 = 0;
const VLAN_INFO: u16 = 2;
const TUNNEL_INFO: u16 = 3;
/// `IFLA_BRIDGE_VLAN_TUNNEL_ID`, `IFLA_BRIDGE_VLAN_TUNNEL_VID`, `IFLA_BRIDGE_VLAN_TUNNEL_FLAGS`
const TUNNEL_ID: u16 = 1;
const TUNNEL_VLAN: u16 = 2;
const TUNNEL_FLAGS: u16 = 3;
/// `BRIDGE_FLAGS_MASTER`, `BRIDGE_FLAGS_SELF`
const TO_MASTER: u16 = 1;
const TO_SELF: u16 = 2;
/// `BRIDGE_VLAN_INFO_…`
const PVID: u16 = 1 << 1;
const UNTAGGED: u16 = 1 << 2;
const RANGE_BEGIN: u16 = 1 << 3;
const RANGE_END: u16 = 1 << 4;

pub(super) static ENCODERS: &[Encoder] = &[
    Encoder {
        call: "Vlan.Add",
        prepare: write,
        object: None,
        settled: &[
            &field::LINK.field,
            &field::VLANS.field,
            &field::PVID.field,
            &field::UNTAGGED.field,
            &field::TUNNEL_IDS.field,
            &field::TARGET.field,
            &field::EXISTS_OK.field,
        ],
    },
    Encoder {
        call: "Vlan.Replace",
        prepare: write,
        object: None,
        settled: &[
            &field::LINK.field,
            &field::VLANS.field,
            &field::PVID.field,
            &field::UNTAGGED.field,
            &field::TUNNEL_IDS.field,
            &field::TARGET.field,
        ],
    },
    Encoder {
        call: "Vlan.Delete",
        prepare: delete,
        object: None,
        settled: &[&field::LINK.field, &field::VLANS.field, &field::TARGET.field, &field::MISSING_OK.field],
    },
    Encoder { call: "Vlan.List", prepare: list, object: Some(&VLAN_STATE), settled: &[] },
];

/// Requests the VLANs of all links. The kernel cannot select one.
fn question() -> Result<Message, Refusal> {
    let mut attributes = Attributes::default();
    attributes.add(EXT_MASK, &WITH_VLANS.to_ne_bytes())?;
    Ok(Message::route(Rtm::Getlink, NlmF::DUMP, Encoded { head: head(0), attributes }))
}

/// Whether a message is about the link of an index.
fn is_of(seen: &Seen<'_>, index: i32) -> bool {
    i32_at(seen.head(4), 0) == Some(index)
}

/// `struct ifinfomsg`
fn head(index: i32) -> Vec<u8> {
    [&[BRIDGE, 0, 0, 0][..], &index.to_ne_bytes(), &[0; 8]].concat()
}

/// What a request is about.
struct Wanted {
    index: i32,
    is_bridge: bool,
    vlans: NumberRange,
    flags: u16,
    tunnels: Option<NumberRange>,
}

impl Wanted {
    fn resolve(before: &mut Before<'_>) -> Result<Self, Refusal> {
        let request = before.request();
        let link = before.find(&field::LINK)?.ok_or_else(|| invalid(field::LINK.field.name, "is missing"))?;
        let flag = |key, flag| if request.is_set(key) { flag } else { 0 };
        Ok(Self {
            index: link.index,
            is_bridge: *request.needed(&field::TARGET)? == "self",
            vlans: *request.needed(&field::VLANS)?,
            flags: flag(&field::PVID, PVID) | flag(&field::UNTAGGED, UNTAGGED),
            tunnels: request.get(&field::TUNNEL_IDS).copied(),
        })
    }

    /// The requested tunnel id of a VLAN.
    fn tunnel_of(&self, vlan: u64) -> Option<u64> {
        self.tunnels.map(|tunnels| tunnels.first() + vlan.saturating_sub(self.vlans.first()))
    }

    fn contains(&self, vlan: Vlan) -> bool {
        self.vlans.contains(vlan.id.into())
    }

    /// What the kernel reports of the link; `None` where it is neither a bridge nor a port of one.
    fn look(&self, after: &mut After<'_>) -> Result<Option<Holder>, Refusal> {
        let read = |payload: &[u8]| {
            let seen = Seen::new(&VLAN_STATE, payload)?;
            // What does not parse of another link is of no concern.
            if is_of(&seen, self.index) { Holder::of(&seen) } else { Some(None) }
        };
        after.pick(&question()?, STEP, read).map(|found| found.into_iter().next()).map_err(TransactionError::refusal)
    }

    /// The same, where the target must be as requested. The kernel would ask the driver of another link, and some drivers
    /// ignore VLANs.
    fn find(&self, after: &mut After<'_>) -> Result<Holder, Refusal> {
        match self.look(after)? {
            Some(holder) if holder.is_bridge == self.is_bridge => Ok(holder),
            Some(Holder { is_bridge: true, .. }) => {
                Err(unsuitable(&field::TARGET.field, "must be `self` for a bridge"))
            }
            Some(_) => Err(unsuitable(&field::TARGET.field, "must be `master` for a port of a bridge")),
            None => Err(unsuitable(&field::LINK.field, "must be a bridge or a port of a bridge")),
        }
    }

    /// The VLANs that `Vlan.Add` makes. The existing ones must be as requested, and `exists_ok` must permit them.
    fn missing(&self, found: &Holder, exists_ok: bool) -> Result<Vec<NumberRange>, Refusal> {
        for vlan in found.vlans.iter().filter(|vlan| self.contains(**vlan)) {
            if !exists_ok {
                return Err(already(&field::VLANS.field, format!("VLAN {} already exists", vlan.id)));
            }
            let tunnel = self.tunnel_of(vlan.id.into());
            let differs = [
                (&field::PVID.field, (vlan.flags ^ self.flags) & PVID != 0),
                (&field::UNTAGGED.field, (vlan.flags ^ self.flags) & UNTAGGED != 0),
                (&field::TUNNEL_IDS.field, tunnel.is_some() && vlan.tunnel.map(u64::from) != tunnel),
            ];
            if let Some((field, _)) = differs.into_iter().find(|(_, differs)| *differs) {
                return Err(already(field, format!("VLAN {} already exists, and its {} differs", vlan.id, field.name)));
            }
        }
        let missing = self.vlans.without(found.vlans.iter().filter_map(|vlan| vlan.range()));
        let other = found.vlans.iter().find(|vlan| vlan.flags & PVID != 0);
        match other {
            Some(other) if self.flags & PVID != 0 && !missing.is_empty() => {
                Err(already(&field::PVID.field, format!("VLAN {} is already the PVID of the link", other.id)))
            }
            _ => Ok(missing),
        }
    }

    /// The VLANs among the requested ones to which the kernel has to map a tunnel id. The ids must be free: the kernel would
    /// refuse others after it has made the VLANs.
    fn unmapped(&self, found: &Holder) -> Result<Vec<NumberRange>, Refusal> {
        let Some(tunnels) = self.tunnels else { return Ok(Vec::new()) };
        if !found.has_tunnels {
            return Err(unsuitable(&field::TUNNEL_IDS.field, "needs a port with `bridge_port.vlan_tunnel`"));
        }
        let mut mapped = Vec::new();
        for (vlan, tunnel) in found.vlans.iter().filter_map(|vlan| Some((*vlan, u64::from(vlan.tunnel?)))) {
            let is_same = self.contains(vlan) && self.tunnel_of(vlan.id.into()) == Some(tunnel);
            if !is_same && (self.contains(vlan) || tunnels.contains(tunnel)) {
                let message = format!("VLAN {} already has the tunnel id {tunnel}", vlan.id);
                return Err(already(&field::TUNNEL_IDS.field, message));
            }
            mapped.extend(vlan.range().filter(|_| is_same));
        }
        Ok(self.vlans.without(mapped))
    }

    /// A message about these VLANs, and about the tunnel ids of those in `mapped`.
    fn message(&self, kind: Rtm, vlans: &[NumberRange], mapped: &[NumberRange]) -> Result<Message, Refusal> {
        let mut spec = Attributes::default();
        let target = if self.is_bridge { TO_SELF } else { TO_MASTER };
        spec.put(FLAGS, &target.to_ne_bytes(), &field::TARGET.field)?;
        for (range, id) in vlans.iter().flat_map(|vlans| ends(*vlans)) {
            let vlan = [(self.flags | range).to_ne_bytes(), short(id)?.to_ne_bytes()].concat();
            spec.put(VLAN_INFO, &vlan, &field::VLANS.field)?;
        }
        for (range, id) in mapped.iter().flat_map(|vlans| ends(*vlans)) {
            let tunnel = self.tunnel_of(id).and_then(|tunnel| u32::try_from(tunnel).ok()).ok_or_else(too_large)?;
            let mut inner = Attributes::default();
            inner.put(TUNNEL_ID, &tunnel.to_ne_bytes(), &field::TUNNEL_IDS.field)?;
            inner.put(TUNNEL_VLAN, &short(id)?.to_ne_bytes(), &field::VLANS.field)?;
            inner.add(TUNNEL_FLAGS, &range.to_ne_bytes())?;
            spec.nest(TUNNEL_INFO, &[], inner)?;
        }
        let mut attributes = Attributes::default();
        attributes.nest(AF_SPEC, &[], spec)?;
        Ok(Message::route(kind, NlmF::ACK, Encoded { head: head(self.index), attributes }))
    }

    /// Sends a change of what was found. The kernel keeps what it did before an error.
    fn act(&self, after: &mut After<'_>, request: &Request, message: &Message, found: &Holder) -> Result<(), Refusal> {
        after.act(message, &mut |_| Ok(())).map_err(|failure| match failure.about_link(request) {
            refusal @ Refusal::Kernel(_) => match self.look(after) {
                Ok(Some(now)) if now.vlans == found.vlans => refusal,
                _ => refusal.after_a_change(),
            },
            refusal => refusal,
        })
    }
}

/// The numbers at the ends of a range, with the flags that mark them.
fn ends(range: NumberRange) -> Vec<(u16, u64)> {
    match (range.first(), range.last()) {
        (first, last) if first == last => vec![(0, first)],
        (first, last) => vec![(RANGE_BEGIN, first), (RANGE_END, last)],
    }
}

fn too_large() -> Refusal {
    invalid(field::VLANS.field.name, "is too large")
}

fn short(id: u64) -> Result<u16, Refusal> {
    u16::try_from(id).map_err(|_| too_large())
}

/// `Vlan.Add` and `Vlan.Replace`
fn write(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let wanted = Wanted::resolve(&mut before)?;
    let request = before.into_request().clone();
    Ok(Prepared::new(move |after, _| {
        let found = wanted.find(after)?;
        let made = match request.call().verb() {
            "Add" => wanted.missing(&found, request.is_set(&field::EXISTS_OK))?,
            _ => vec![wanted.vlans],
        };
        let mapped = wanted.unmapped(&found)?;
        if !made.is_empty() {
            wanted.act(after, &request, &wanted.message(Rtm::Setlink, &made, &mapped)?, &found)?;
        }
        Ok(Map::new())
    }))
}

/// The kernel reports success for VLANs that do not exist, and whatever happens to the others.
fn delete(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let wanted = Wanted::resolve(&mut before)?;
    let request = before.into_request().clone();
    Ok(Prepared::new(move |after, _| {
        let found = wanted.find(after)?;
        let missing = wanted.vlans.without(found.vlans.iter().filter_map(|vlan| vlan.range()));
        if let Some(first) = missing.first().filter(|_| !request.is_set(&field::MISSING_OK)) {
            return Err(absent(&field::VLANS.field, format!("VLAN {} does not exist", first.first())));
        }
        let existing = wanted.vlans.without(missing);
        if existing.is_empty() {
            return Ok(Map::new());
        }
        wanted.act(after, &request, &wanted.message(Rtm::Dellink, &existing, &[])?, &found)?;
        let left = wanted.look(after).map_err(Refusal::after_a_change)?.map_or_else(Vec::new, |now| now.vlans);
        match left.into_iter().find(|vlan| wanted.contains(*vlan)) {
            Some(vlan) => {
                let message = format!("the kernel reported no error, but VLAN {} still exists", vlan.id);
                Err(unsuitable(&field::VLANS.field, message).after_a_change())
            }
            None => Ok(Map::new()),
        }
    }))
}

/// `Vlan.List`
fn list(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let links = Selection::look_up(&mut before)?;
    let wanted = links.index();
    links.list(before, question()?, move |payload, names, text| {
        let seen = Seen::new(&VLAN_STATE, payload).ok_or_else(|| unparsed(STEP))?;
        if wanted != 0 && !is_of(&seen, wanted) {
            return Ok(false);
        }
        match Holder::of(&seen).ok_or_else(|| unparsed(STEP))? {
            Some(holder) => report(&seen, &holder, names, text),
            None => Ok(false),
        }
    })
}

/// Writes an element for all VLANs that follow each other and are alike.
fn report(seen: &Seen<'_>, holder: &Holder, names: &mut Names<'_>, text: &mut String) -> Result<bool, Refusal> {
    let target = if holder.is_bridge { "self" } else { "master" };
    let target = field::TARGET.field.ty.words().and_then(|words| words.number(target)).unwrap_or_default();
    names.insert(holder.index, seen.get(IFNAME).map(until_nul).unwrap_or_default());
    let is_next = |one: &Vlan, next: &Vlan| {
        next.id == one.id + 1 && next.flags == one.flags && next.tunnel == one.tunnel.map(|tunnel| tunnel + 1)
    };
    let mut is_first = true;
    for alike in holder.vlans.chunk_by(is_next) {
        let [first, last] = [alike.first(), alike.last()].map(|vlan| vlan.copied().ok_or_else(|| unparsed(STEP)));
        let (first, last) = (first?, last?);
        let mut spec = [first.id, last.id, first.flags, short(target.into())?].map(u16::to_ne_bytes).concat();
        spec.extend([first.tunnel, last.tunnel].into_iter().flatten().flat_map(u32::to_ne_bytes));
        let mut one = seen.clone();
        one.instead(AF_SPEC, Some(spec));
        if holder.is_bridge {
            one.instead(MASTER, None);
        }
        if !std::mem::take(&mut is_first) {
            text.push(',');
        }
        one.write(VLAN_STATE.rows, STEP, names, text)?;
    }
    Ok(!is_first)
}
