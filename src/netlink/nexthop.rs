// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Nexthop objects (`RTM_NEWNEXTHOP` …, `linux/nexthop.h`).
#![forbid(unsafe_code)]

use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use nix::errno::Errno;
use serde_json::{Map, Value};

use super::answer::u32_at;
use super::listing::{self, Names, Selection};
use super::message::{Attributes, Encoded, Message};
use super::route::require_own_link;
use super::rows::{Given, Members, Seen, View, encode, unparsed};
use super::sides::{After, Before, number};
use super::transaction::TransactionError;
use super::{Encoder, Prepared};
use crate::call::field::{self, Field};
use crate::call::request::Request;
use crate::call::{MEMBER_STATE, NEXTHOP_OBJECT_STATE, OF_SINGLE};
use crate::refusal::{Refusal, already, another_goes, differs};

const STEP: &str = "parse a nexthop object";
/// `RTM_NEWNEXTHOP`, `RTM_DELNEXTHOP`, `RTM_GETNEXTHOP` (`linux/rtnetlink.h`)
const NEW: u16 = 104;
const DELETE: u16 = 105;
const GET: u16 = 106;
/// Attributes of a nexthop object (`NHA_…`) that code writes or reads.
mod nha {
    pub(super) const ID: u16 = 1;
    pub(super) const GROUP: u16 = 2;
    pub(super) const GROUP_TYPE: u16 = 3;
    pub(super) const OIF: u16 = 5;
    pub(super) const MASTER: u16 = 10;
}

pub(super) static ENCODERS: &[Encoder] = &[
    Encoder {
        call: "Nexthop.Add",
        prepare: make,
        object: Some(&NEXTHOP_OBJECT_STATE),
        settled: &[&field::EXISTS_OK.field],
    },
    Encoder { call: "Nexthop.Replace", prepare: make, object: Some(&NEXTHOP_OBJECT_STATE), settled: &[] },
    Encoder {
        call: "Nexthop.Delete",
        prepare: remove,
        object: Some(&NEXTHOP_OBJECT_STATE),
        settled: &[&field::MISSING_OK.field],
    },
    Encoder {
        call: "Nexthop.Flush",
        prepare: flush,
        object: Some(&NEXTHOP_OBJECT_STATE),
        settled: &[&field::NEXTHOP_IDS.field],
    },
    Encoder { call: "Nexthop.List", prepare: list, object: None, settled: &[] },
];

/// The fields of the request, with the links that it names.
fn given(before: &mut Before<'_>) -> Result<Given, Refusal> {
    let request = before.request();
    // A group has no family.
    let own = if request.get(&field::MEMBERS).is_some() { 0 } else { listing::family(request) };
    before.resolve(NEXTHOP_OBJECT_STATE.rows.iter(), own)
}

/// Adds a `struct nexthop_grp` for each member.
fn put_members(to: &mut Attributes, given: &Given) -> Result<(), Refusal> {
    let mut all = Attributes::default();
    for view in given.elements(&field::MEMBERS) {
        let Encoded { head, attributes } = encode(MEMBER_STATE.head, MEMBER_STATE.rows, view)?;
        all.join(&head, attributes);
    }
    if all.is_empty() { Ok(()) } else { to.hold(nha::GROUP, all) }
}

/// `Nexthop.Add` and `Nexthop.Replace`
fn make(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let given = given(&mut before)?;
    require_own_link(&given)?;
    let mut encoded = encode(NEXTHOP_OBJECT_STATE.head, NEXTHOP_OBJECT_STATE.rows, given.view())?;
    put_members(&mut encoded.attributes, &given)?;
    let how = if given.request.call().verb() == "Replace" { NlmF::REPLACE } else { NlmF::EXCL };
    let message = Message::route(Rtm::from(NEW), NlmF::CREATE | NlmF::ACK | how, encoded);
    let id = id(&given.request)?;
    Ok(Prepared::new(move |after, _| {
        let (refused, check) =
            (TransactionError::about_link, |after: &mut After<'_>| require_applied(after, &given, id));
        after.make_checked(&message, &given.request, refused, |after| same(after, &given, id), check)
    }))
}

/// The kernel keeps the origin of a group that is replaced (`replace_nexthop_grp`).
fn require_applied(after: &mut After<'_>, given: &Given, id: u32) -> Result<(), Refusal> {
    let found = fetch(after, id).map_err(|failure| failure.about_link(&given.request))?;
    found.and_then(|seen| seen.not_applied(NEXTHOP_OBJECT_STATE.rows, given)).map_or(Ok(()), Err)
}

/// The number that the request gives.
fn id(request: &Request) -> Result<u32, Refusal> {
    Ok(number(request, &field::NEXTHOP_ID)?.unwrap_or_default())
}

/// A message that refers to a nexthop object by its number.
fn by_id(kind: u16, flags: NlmF, id: u32) -> Result<Message, Refusal> {
    let mut attributes = Attributes::default();
    attributes.put(nha::ID, &id.to_ne_bytes(), &field::NEXTHOP_ID.field)?;
    let head = vec![0; NEXTHOP_OBJECT_STATE.head];
    Ok(Message::route(Rtm::from(kind), flags, Encoded { head, attributes }))
}

/// Requests the nexthop objects; the kernel filters by family, link and master of the link. Each of these filters leaves
/// groups out.
fn question(family: u8, link: i32, master: i32) -> Result<Message, Refusal> {
    let mut attributes = Attributes::default();
    for (kind, index, field) in [(nha::OIF, link, &field::LINK.field), (nha::MASTER, master, &field::MASTER.field)] {
        if index != 0 {
            attributes.put(kind, &index.to_ne_bytes(), field)?;
        }
    }
    let head = vec![family, 0, 0, 0, 0, 0, 0, 0];
    Ok(Message::route(Rtm::from(GET), NlmF::DUMP, Encoded { head, attributes }))
}

fn read(payload: &[u8]) -> Option<Seen<'_>> {
    Seen::new(&NEXTHOP_OBJECT_STATE, payload)
}

/// The members of a group (`struct nexthop_grp`, one after the other). Empty for anything else; `None` where they do not
/// parse.
fn members<'s>(seen: &'s Seen<'_>) -> Option<Vec<Seen<'s>>> {
    let all = seen.get(nha::GROUP).unwrap_or_default();
    all.chunks(MEMBER_STATE.head).map(|one| Seen::new(&MEMBER_STATE, one)).collect()
}

fn member_id(member: &Seen<'_>) -> u32 {
    u32_at(member.head(0), 0).unwrap_or_default()
}

fn own_id(seen: &Seen<'_>) -> u32 {
    seen.get(nha::ID).and_then(|bytes| u32_at(bytes, 0)).unwrap_or_default()
}

/// Fetches the nexthop object with a number; `None` where there is none.
fn fetch(after: &mut After<'_>, id: u32) -> Result<Option<Seen<'static>>, TransactionError> {
    let message = by_id(GET, NlmF::empty(), id).map_err(TransactionError::Broken)?;
    match after.ask(&message, STEP, |payload| read(payload).map(Seen::into_owned)) {
        Ok(found) => Ok(found.into_iter().next()),
        Err(TransactionError::Refused { errno: Errno::ENOENT, .. }) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// `exists_ok`: whether the existing nexthop object is the requested one.
fn same(after: &mut After<'_>, given: &Given, id: u32) -> Result<Map<String, Value>, Refusal> {
    let found = fetch(after, id).map_err(|failure| failure.about_link(&given.request))?;
    let Some(seen) = found else {
        return Err(already(&field::NEXTHOP_ID.field, "another process removed it during the call"));
    };
    difference(&seen, given).map_or_else(|| Ok(Map::new()), |field| Err(differs(field)))
}

fn difference(seen: &Seen<'_>, given: &Given) -> Option<&'static Field> {
    let (own, wanted) = (members(seen).unwrap_or_default(), given.elements(&field::MEMBERS).collect::<Vec<_>>());
    let is = |wanted: &View<'_>, own: &Seen<'_>| own.difference(&MEMBER_STATE.rows, *wanted, false).is_none();
    // The kernel refuses a group that has a member twice.
    let same_members = own.len() == wanted.len() && wanted.iter().all(|wanted| own.iter().any(|own| is(wanted, own)));
    let is_plain = seen.get(nha::GROUP_TYPE).is_none_or(|kind| kind.iter().all(|byte| *byte == 0));
    if !same_members || !is_plain {
        return Some(&field::MEMBERS.field);
    }
    seen.difference(&NEXTHOP_OBJECT_STATE.rows, given.view(), false)
}

/// Whether a nexthop object is as given, in every field that is given.
fn agrees(seen: &Seen<'_>, given: &Given) -> bool {
    let ids = given.request.get(&field::NEXTHOP_IDS);
    let is_single = OF_SINGLE.iter().any(|field| given.request.value(field).is_some());
    let is_group = seen.get(nha::GROUP).is_some();
    !(is_single && is_group)
        && ids.is_none_or(|ids| ids.contains(own_id(seen).into()))
        && seen.difference(&NEXTHOP_OBJECT_STATE.rows, given.view(), true).is_none()
}

/// `Nexthop.Delete`
fn remove(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let tolerant = before.request().is_set(&field::MISSING_OK);
    let given = given(&mut before)?;
    let id = id(&given.request)?;
    let (message, question) = (by_id(DELETE, NlmF::ACK, id)?, question(0, 0, 0)?);
    Ok(Prepared::new(move |after, _| {
        let about = |failure: TransactionError| failure.about_link(&given.request);
        let absent = || TransactionError::Refused { errno: Errno::ENOENT, text: None, field: None };
        let result = match fetch(after, id).map_err(about)?.filter(|seen| agrees(seen, &given)) {
            None => Err(absent()),
            Some(_) => {
                let found = after.pick(&question, STEP, |payload| Found::read(payload, |seen| own_id(seen) == id));
                require_others(&found.map_err(about)?, &field::NEXTHOP_ID.field)?;
                after.act(&message, &mut |_| Ok(()))
            }
        };
        match result {
            Err(TransactionError::Refused { errno: Errno::ENOENT, .. }) if tolerant => Ok(Map::new()),
            other => other.map(|()| Map::new()).map_err(about),
        }
    }))
}

/// A nexthop object that is deleted, or a group that remains.
enum Found {
    Goes { id: u32, is_group: bool },
    Remains { group: u32, members: Vec<u32> },
}

impl Found {
    /// Reads a nexthop object, which `goes` selects. Whatever is neither deleted nor a group is left out.
    fn read(payload: &[u8], goes: impl Fn(&Seen<'_>) -> bool) -> Option<Option<Self>> {
        let seen = read(payload).filter(|seen| seen.parses(NEXTHOP_OBJECT_STATE.rows))?;
        let (id, members) = (own_id(&seen), members(&seen)?);
        let is_group = !members.is_empty();
        if goes(&seen) {
            return Some(Some(Self::Goes { id, is_group }));
        }
        let members = members.iter().map(member_id).collect();
        Some(is_group.then_some(Self::Remains { group: id, members }))
    }
}

/// Requires that each group which remains has a member that remains. The kernel deletes a group with its last member
/// (`remove_nh_grp_entry`), and with the group the routes that use it.
fn require_others(found: &[Found], of: &'static Field) -> Result<(), Refusal> {
    let goes = |member: &u32| found.iter().any(|one| matches!(one, Found::Goes { id, .. } if id == member));
    let empty = found.iter().find_map(|one| match one {
        Found::Remains { group, members } if members.iter().all(goes) => Some(group),
        _ => None,
    });
    match empty {
        Some(group) => {
            let why =
                format!("the group {group} would have no members, so the kernel would delete it; delete it first");
            Err(another_goes(of, &why))
        }
        None => Ok(()),
    }
}

/// `Nexthop.Flush`. What the kernel would also delete is known before the first is deleted.
fn flush(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let given = given(&mut before)?;
    let question = question(0, 0, 0)?;
    Ok(Prepared::new(move |after, _| {
        let found = after.pick(&question, STEP, |payload| Found::read(payload, |seen| agrees(seen, &given)));
        let found = found.map_err(|failure| failure.about_link(&given.request))?;
        require_others(&found, &field::NEXTHOP_IDS.field)?;
        let mut removals = Vec::new();
        for groups in [true, false] {
            for one in &found {
                match one {
                    Found::Goes { id, is_group } if *is_group == groups => {
                        removals.push(by_id(DELETE, NlmF::ACK, *id)?);
                    }
                    _ => {}
                }
            }
        }
        after.flush(&removals, &given.request, TransactionError::about_link)
    }))
}

/// `Nexthop.List`
fn list(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let links = Selection::look_up(&mut before)?;
    let master = before.find(&field::MASTER)?.map_or(0, |master| master.index);
    let given = given(&mut before)?;
    let message = question(listing::family(before.request()), links.index(), master)?;
    links.list(before, message, move |payload, names, text| {
        let seen = read(payload).ok_or_else(|| unparsed(STEP))?;
        report(&seen, names, text)?;
        Ok(agrees(&seen, &given))
    })
}

/// Writes what a result reports of a nexthop object.
fn report(seen: &Seen<'_>, names: &mut Names<'_>, text: &mut String) -> Result<(), Refusal> {
    let mut of = Members::begin(text);
    seen.report(NEXTHOP_OBJECT_STATE.rows, "", STEP, names, &mut of)?;
    let members = members(seen).ok_or_else(|| unparsed(STEP))?;
    if !members.is_empty() {
        of.list(field::MEMBERS.field.name, &members, |member, members| {
            member.report(MEMBER_STATE.rows, "members.", STEP, names, members)
        })?;
    }
    of.end();
    Ok(())
}
