// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The VNIs that a vxlan receives (`RTM_NEWTUNNEL` …, `drivers/net/vxlan/vxlan_vnifilter.c`).
//!
//! The kernel knows no request that only adds: it changes where frames in an existing VNI are sent. It stops at the first
//! VNI that it cannot add or that does not exist, and keeps what it did before. So the VNIs of the link are listed first, and
//! a request is sent only for what is missing or exists.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use nix::errno::Errno;
use serde_json::Map;

use super::answer::{attributes, find, i32_at, u32_at};
use super::inet::{ip, octets};
use super::listing::{Names, Selection};
use super::message::{Attributes, Encoded, Message};
use super::rows::{Seen, unparsed};
use super::sides::{After, Before};
use super::transaction::TransactionError;
use super::{Encoder, Prepared};
use crate::call::VNI_STATE;
use crate::call::field;
use crate::call::range::NumberRange;
use crate::call::request::Request;
use crate::refusal::{Class, KernelRefusal, Refusal, absent, already, invalid, unsuitable};

const STEP: &str = "parse VNIs";
/// `AF_BRIDGE`
const BRIDGE: u8 = 7;
/// `RTM_NEWTUNNEL`, `RTM_DELTUNNEL`, `RTM_GETTUNNEL`
const NEW: u16 = 120;
const DELETE: u16 = 121;
const GET: u16 = 122;
/// `VXLAN_VNIFILTER_ENTRY`
const ENTRY: u16 = 1;
/// `VXLAN_VNIFILTER_ENTRY_START`, `…_END`, `…_GROUP`, `…_GROUP6`
const START: u16 = 1;
const END: u16 = 2;
const GROUP: u16 = 3;
const GROUP6: u16 = 4;

pub(super) static ENCODERS: &[Encoder] = &[
    Encoder {
        call: "Vni.Add",
        prepare: add,
        object: None,
        settled: &[&field::LINK.field, &field::VNIS.field, &field::REMOTE.field, &field::EXISTS_OK.field],
    },
    Encoder {
        call: "Vni.Delete",
        prepare: delete,
        object: None,
        settled: &[&field::LINK.field, &field::VNIS.field, &field::MISSING_OK.field],
    },
    Encoder { call: "Vni.List", prepare: list, object: Some(&VNI_STATE), settled: &[] },
];

/// VNIs that follow each other and are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    vnis: NumberRange,
    remote: Option<IpAddr>,
}

impl Entry {
    fn read(payload: &[u8]) -> Option<Self> {
        let number = |kind| find(payload, kind).map(|bytes| bytes.and_then(|bytes| u32_at(bytes, 0)));
        let first = number(START)??;
        let last = number(END)?.unwrap_or(first);
        let remote = find(payload, GROUP)?.or(find(payload, GROUP6)?);
        let remote = if let Some(bytes) = remote { Some(ip(bytes)?) } else { None };
        Some(Self { vnis: NumberRange::new(first.into(), last.into())?, remote })
    }

    fn all_of(seen: &Seen<'_>) -> Option<Vec<Self>> {
        let entries = attributes(seen.attributes()).filter(|attribute| attribute.is_none_or(|(kind, _)| kind == ENTRY));
        entries.map(|attribute| Self::read(attribute?.1)).collect()
    }
}

/// `struct tunnel_msg`
fn head(index: i32) -> Vec<u8> {
    [&[BRIDGE, 0, 0, 0][..], &index.to_ne_bytes()].concat()
}

/// Requests the VNIs of a link (0 for all links).
fn question(index: i32) -> Message {
    Message::route(Rtm::from(GET), NlmF::DUMP, Encoded { head: head(index), attributes: Attributes::default() })
}

/// The refusal where the kernel does not know these requests.
fn unknown(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Kernel(KernelRefusal { class: Class::NotSupported, errno, .. }) => Refusal::Kernel(KernelRefusal {
            class: Class::NotSupported,
            errno,
            message: "lists of VNIs need Linux 5.18 and its driver of vxlan".to_owned(),
            field: None,
            may_have_changed: false,
        }),
        other => other,
    }
}

/// What a request is about.
struct Wanted {
    index: i32,
    vnis: NumberRange,
    remote: Option<IpAddr>,
}

impl Wanted {
    fn resolve(before: &mut Before<'_>) -> Result<Self, Refusal> {
        let link = before.find(&field::LINK)?.ok_or_else(|| invalid(field::LINK.field.name, "is missing"))?;
        let request = before.request();
        let vnis = *request.needed(&field::VNIS)?;
        Ok(Self { index: link.index, vnis, remote: request.get(&field::REMOTE).copied() })
    }

    /// The entries of the link.
    fn find(&self, after: &mut After<'_>, request: &Request) -> Result<Vec<Entry>, Refusal> {
        let read = |payload: &[u8]| Entry::all_of(&Seen::new(&VNI_STATE, payload)?);
        match after.ask(&question(self.index), STEP, read) {
            Ok(found) => Ok(found.concat()),
            Err(TransactionError::Refused { errno: Errno::EINVAL, .. }) => {
                Err(unsuitable(&field::LINK.field, "must be a vxlan with `vxlan.vnifilter`"))
            }
            Err(failure) => Err(unknown(failure.about_link(request))),
        }
    }

    /// The requested VNIs that are in none of these entries.
    fn missing(&self, found: &[Entry]) -> Vec<NumberRange> {
        self.vnis.without(found.iter().map(|entry| entry.vnis))
    }

    /// Requires that the existing VNIs are as requested, and that `exists_ok` permits them.
    fn require_same(&self, found: &[Entry], exists_ok: bool) -> Result<(), Refusal> {
        for entry in found {
            let both = (entry.vnis.first().max(self.vnis.first()), entry.vnis.last().min(self.vnis.last()));
            let Some(both) = NumberRange::new(both.0, both.1) else { continue };
            if !exists_ok {
                return Err(already(&field::VNIS.field, format!("VNI {} already exists", both.first())));
            }
            if self.remote.is_some() && self.remote != entry.remote {
                let message = format!("VNI {} already exists, and its remote differs", both.first());
                return Err(already(&field::REMOTE.field, message));
            }
        }
        Ok(())
    }

    fn message(&self, kind: u16, vnis: &[NumberRange]) -> Result<Message, Refusal> {
        let mut attributes = Attributes::default();
        for range in vnis {
            let number = |number| u32::try_from(number).map_err(|_| invalid(field::VNIS.field.name, "is too large"));
            let mut entry = Attributes::default();
            entry.put(START, &number(range.first())?.to_ne_bytes(), &field::VNIS.field)?;
            if range.first() != range.last() {
                entry.put(END, &number(range.last())?.to_ne_bytes(), &field::VNIS.field)?;
            }
            if let Some(remote) = self.remote {
                let kind = if remote.is_ipv4() { GROUP } else { GROUP6 };
                entry.put(kind, &octets(remote), &field::REMOTE.field)?;
            }
            attributes.nest(ENTRY, &[], entry)?;
        }
        Ok(Message::route(Rtm::from(kind), NlmF::ACK, Encoded { head: head(self.index), attributes }))
    }

    /// Sends a change of what was found. The kernel keeps what it did before an error.
    fn act(&self, after: &mut After<'_>, request: &Request, message: &Message, found: &[Entry]) -> Result<(), Refusal> {
        after.act(message, &mut |_| Ok(())).map_err(|failure| match failure.about_link(request) {
            refusal @ Refusal::Kernel(_) => match self.find(after, request) {
                Ok(now) if now == found => refusal,
                _ => refusal.after_a_change(),
            },
            refusal => refusal,
        })
    }
}

/// `Vni.Add`
fn add(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let wanted = Wanted::resolve(&mut before)?;
    let request = before.into_request().clone();
    Ok(Prepared::new(move |after, _| {
        let found = wanted.find(after, &request)?;
        wanted.require_same(&found, request.is_set(&field::EXISTS_OK))?;
        let missing = wanted.missing(&found);
        if !missing.is_empty() {
            wanted.act(after, &request, &wanted.message(NEW, &missing)?, &found)?;
        }
        Ok(Map::new())
    }))
}

/// `Vni.Delete`
fn delete(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let wanted = Wanted::resolve(&mut before)?;
    let request = before.into_request().clone();
    Ok(Prepared::new(move |after, _| {
        let found = wanted.find(after, &request)?;
        let missing = wanted.missing(&found);
        if let Some(first) = missing.first().filter(|_| !request.is_set(&field::MISSING_OK)) {
            return Err(absent(&field::VNIS.field, format!("VNI {} does not exist", first.first())));
        }
        let existing = wanted.vnis.without(missing);
        if !existing.is_empty() {
            wanted.act(after, &request, &wanted.message(DELETE, &existing)?, &found)?;
        }
        Ok(Map::new())
    }))
}

/// `Vni.List`. The kernel refuses a link without such a list, so all links are requested.
fn list(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let links = Selection::look_up(&mut before)?;
    let wanted = links.index();
    let Prepared { mut run, second, tun } = links.list(before, question(0), move |payload, names, text| {
        let seen = Seen::new(&VNI_STATE, payload).ok_or_else(|| unparsed(STEP))?;
        let is_wanted = wanted == 0 || i32_at(seen.head(4), 0) == Some(wanted);
        if is_wanted { report(&seen, names, text) } else { Ok(false) }
    })?;
    Ok(Prepared { run: Box::new(move |after, elements| run(after, elements).map_err(unknown)), second, tun })
}

/// Writes an element for each entry of a link.
fn report(seen: &Seen<'_>, names: &mut Names<'_>, text: &mut String) -> Result<bool, Refusal> {
    let entries = Entry::all_of(seen).ok_or_else(|| unparsed(STEP))?;
    for (at, entry) in entries.iter().enumerate() {
        let number = |number| u32::try_from(number).map_err(|_| unparsed(STEP));
        let (first, last) = (number(entry.vnis.first())?, number(entry.vnis.last())?);
        let mut inner = Attributes::default();
        inner.add(START, &[first.to_ne_bytes(), last.to_ne_bytes()].concat())?;
        if let Some(remote) = entry.remote {
            inner.add(GROUP, &octets(remote))?;
        }
        let mut one = seen.clone();
        one.instead(ENTRY, Some(inner.into_bytes()));
        if at > 0 {
            text.push(',');
        }
        one.write(VNI_STATE.rows, STEP, names, text)?;
    }
    Ok(!entries.is_empty())
}
