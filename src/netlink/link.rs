// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Links (`RTM_NEWLINK` …, rtnetlink(7), `linux/if_link.h`).
#![forbid(unsafe_code)]

mod add;
mod compare;
mod homes;
mod made;
mod renamed;
mod seen;
mod set;
mod tun;
mod vfs;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use nix::errno::Errno;
use serde_json::Map;

use super::found::Found;
use super::listing::{self, Listing, Names};
use super::lookup::{Extent, IFNAME, head, identify};
use super::message::{Attributes, Encoded, Message};
use super::rows::{Given, Members, encode, unparsed, with_nul};
use super::sides::Before;
use super::transaction::TransactionError;
use super::watched::Refers;
use super::{Encoder, Prepared};
use crate::call::field::{self, Field};
use crate::call::name::LinkName;
use crate::call::object::{Place, Row, Sent};
use crate::call::request::Request;
use crate::call::{Kind, LINK_STATE};
use crate::refusal::{Class, Refusal, unsuitable};
use seen::Link;

const STEP: &str = "parse a link";
/// `IFLA_STATS64` (`linux/if_link.h`)
const STATS: u32 = 23;
/// `IFF_UP` (`linux/if.h`), set: the flags of `struct ifinfomsg`, and the mask of those that change.
const GOING_UP: [u32; 2] = [1, 1];

pub(super) static ENCODERS: &[Encoder] = &[
    Encoder {
        call: "Link.Add",
        prepare: add::prepare,
        object: Some(&LINK_STATE),
        settled: &[&field::EXISTS_OK.field, &field::PEER_UP.field],
    },
    Encoder {
        call: "Link.Delete",
        prepare: delete,
        object: None,
        settled: &[&field::LINK.field, &field::INDEX.field, &field::MISSING_OK.field],
    },
    Encoder {
        call: "Link.Set",
        prepare: set::prepare,
        object: Some(&LINK_STATE),
        settled: &[&field::ADD_ALTNAME.field, &field::REMOVE_ALTNAME.field, &field::VF_INDEX.field],
    },
    Encoder { call: "Link.List", prepare: list, object: None, settled: &[] },
];

/// How a message refers to an existing link.
#[derive(Debug, Clone, Copy)]
enum Target<'a> {
    /// By its index.
    Index(i32),
    /// By the name that this field gives: the kernel looks it up while it holds the lock that a rename takes.
    Name(&'static Field, &'a LinkName),
}

impl Target<'_> {
    /// A message of this type that refers to the link, with everything else that the message has. An index together
    /// with a name would be a rename.
    fn message(self, kind: Rtm, flags: NlmF, Encoded { head, attributes }: Encoded) -> Result<Message, Refusal> {
        let (index, mut all) = (if let Self::Index(index) = self { index } else { 0 }, Attributes::default());
        if let Self::Name(field, name) = self {
            all.put(IFNAME, &with_nul(name.as_str()), field)?;
        }
        all.append_all(attributes);
        let head =
            [head.get(..4).unwrap_or_default(), &index.to_ne_bytes(), head.get(8..).unwrap_or_default()].concat();
        Ok(Message::route(kind, flags | NlmF::ACK, Encoded { head, attributes: all }))
    }

    /// Changes the link. `RTM_NEWLINK` would make one where no link has the name; `RTM_SETLINK` never does.
    fn change(self, with: Encoded) -> Result<Message, Refusal> {
        self.message(Rtm::Setlink, NlmF::empty(), with)
    }

    /// Removes the link. The kernel reports the removed links by echo (Linux 6.2).
    fn remove(self) -> Result<Message, Refusal> {
        self.message(Rtm::Dellink, NlmF::ECHO, Encoded { head: head(0), attributes: Attributes::default() })
    }

    /// Completes a new link: changes what these rows set, if there are any, and then sets it up if that must come last.
    fn complete(self, rows: Vec<&'static Row>, given: &Given) -> Result<Vec<Message>, Refusal> {
        let mut messages = Vec::new();
        if !rows.is_empty() {
            messages.push(self.change(encode(LINK_STATE.head, rows, given.view())?)?);
        }
        if goes_up_last(&given.request) {
            messages.push(self.take_up()?);
        }
        Ok(messages)
    }

    /// Sets the link up.
    fn take_up(self) -> Result<Message, Refusal> {
        let [flags, change] = GOING_UP.map(u32::to_ne_bytes);
        let head = [&[0; 8][..], &flags, &change].concat();
        self.change(Encoded { head, attributes: Attributes::default() })
    }
}

fn delete(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let request = before.request();
    if let Some(index) = listing::index(request)? {
        return delete_nameless(before, index);
    }
    let tolerant = request.is_set(&field::MISSING_OK);
    match before.find_needed(&field::LINK, Refers::AtLast) {
        Err(Refusal::NoSuchLink { reason: "absent", .. }) if tolerant => {
            return Ok(Prepared::new(|_, _| Ok(Map::new())));
        }
        other => require_deletable(other?, &field::LINK.field)?,
    }
    let name = request.needed(&field::LINK)?.clone();
    let message = Target::Name(&field::LINK.field, &name).remove()?;
    let request = request.clone();
    Ok(Prepared::new(move |after, _| {
        // The kernel also looks up alternative names, and may remove other links together with this one.
        let (mut is_told, mut is_removed) = (false, false);
        let result = after.act(&message, &mut |payload| {
            let own = identify(payload).map(|(_, own)| own);
            is_told = true;
            is_removed |= own.is_some_and(|own| own == name.as_str().as_bytes());
            Ok(())
        });
        if is_told && !is_removed {
            after.watch.lose(&field::LINK.field);
        }
        match result {
            Err(failure) if tolerant && failure.is_absent_link() => Ok(Map::new()),
            other => other.map(|()| Map::new()).map_err(|failure| changed(failure, &request, false)),
        }
    }))
}

/// Refuses a CAN device: the kernel would report success and delete nothing (`can_dellink`).
fn require_deletable(link: Found, field: &'static Field) -> Result<(), Refusal> {
    let why = "is a CAN device, which the kernel does not delete";
    if link.is_kind("can") { Err(unsuitable(field, why)) } else { Ok(()) }
}

/// Deletes a link whose name no request can give. It must still have this name right before the change. Whether it also
/// had it at the change is known from the echo.
fn delete_nameless(mut before: Before<'_>, index: i32) -> Result<Prepared, Refusal> {
    let request = before.request().clone();
    let absent = move |tolerant: bool| {
        let (field, name) = (field::INDEX.field.name, index.to_string());
        let missing = Refusal::NoSuchLink { field, name, reason: "absent", errno: Errno::ENODEV };
        if tolerant { Ok(Map::new()) } else { Err(missing) }
    };
    let tolerant = request.is_set(&field::MISSING_OK);
    let Some((link, name)) = before.of_index(index)? else {
        absent(tolerant)?;
        return Ok(Prepared::new(|_, _| Ok(Map::new())));
    };
    if let Some(own) = std::str::from_utf8(&name).ok().and_then(|name| LinkName::parse(name).ok()) {
        let why = format!("is only for a link whose name no request can give; write `link={}`", own.as_str());
        return Err(unsuitable(&field::INDEX.field, why));
    }
    require_deletable(link, &field::INDEX.field)?;
    let message = Target::Index(index).remove()?;
    Ok(Prepared::new(move |after, _| {
        match after.of_index(index)?.map(|(_, name)| name) {
            Some(now) if now == name => {}
            Some(_) => {
                let reason = format!("{}: another process renamed the link in the meantime", field::INDEX.field.name);
                return Err(Refusal::Busy { reason });
            }
            None => return absent(tolerant),
        }
        let mut was_renamed = false;
        let result = after.transact(&message, &mut |payload| {
            let removed = identify(payload).filter(|(link, _)| link.index == index);
            was_renamed |= removed.is_some_and(|(_, own)| own != name);
            Ok(())
        });
        if was_renamed {
            after.watch.lose(&field::INDEX.field);
        }
        match result {
            Err(failure) if failure.is_absent_link() => absent(tolerant),
            other => other.map(|()| Map::new()).map_err(|failure| changed(failure, &request, false)),
        }
    }))
}

/// Refuses a hardware address of another length: the kernel would cut a longer one.
pub(super) fn require_length(link: Found, request: &Request) -> Result<(), Refusal> {
    match request.get(&field::MAC) {
        Some(mac) if mac.bytes().len() != link.mac_bytes => {
            let (given, own) = (mac.bytes().len(), link.mac_bytes);
            Err(unsuitable(&field::MAC.field, format!("has {given} bytes; the link's address has {own}")))
        }
        _ => Ok(()),
    }
}

/// The refusal of a change by the kernel. `ENODEV` means that the link was removed after the look-up.
fn changed(failure: TransactionError, request: &Request, may_have_changed: bool) -> Refusal {
    match failure {
        TransactionError::Refused { errno: Errno::ENODEV, field: None, .. } => Refusal::NoSuchLink {
            field: field::LINK.field.name,
            name: request.get(&field::LINK).map_or_else(String::new, |name| name.as_str().to_owned()),
            reason: "absent",
            errno: Errno::ENODEV,
        },
        TransactionError::Refused { errno, text, field: None } => {
            let field = match errno {
                Errno::EEXIST if request.get(&field::NEW_NAME).is_some() => Some(&field::NEW_NAME.field),
                Errno::EEXIST => Some(&field::LINK.field),
                _ => blamed(request, errno, text.as_deref()),
            };
            TransactionError::Refused { errno, text, field }.into_refusal(Class::KernelRefused, may_have_changed)
        }
        other => other.into_refusal(Class::KernelRefused, may_have_changed),
    }
}

/// The field that the kernel must mean, where its answer names none: a kind that it does not know (`rtnl_newlink`), the MTU
/// (`dev_validate_mtu`, `veth_validate`) or the hardware address (`eth_validate_addr`) of the link or of its other end, or
/// the address generation mode (`inet6_validate_link_af`). `None` where it may mean another field.
fn blamed(request: &Request, errno: Errno, text: Option<&str>) -> Option<&'static Field> {
    /// `ETH_MIN_MTU`, and bytes of an Ethernet address.
    const LEAST_MTU: u64 = 68;
    const ETHERNET: usize = 6;
    let mtus = [&field::MTU, &field::PEER_MTU].map(|key| request.get(key).map(|mtu| (&key.field, *mtu)));
    let macs = [&field::MAC, &field::PEER_MAC].map(|key| request.get(key).map(|mac| (&key.field, mac.bytes())));
    let (mtus, macs) = (mtus.into_iter().flatten(), macs.into_iter().flatten());
    let mode = request.get(&field::ADDRGENMODE);
    let suspects: Vec<&'static Field> = match (errno, text) {
        (Errno::EAFNOSUPPORT, _) => mode.map(|_| &field::ADDRGENMODE.field).into_iter().collect(),
        (Errno::EADDRNOTAVAIL, _) => macs.map(|(field, _)| field).collect(),
        (Errno::EOPNOTSUPP, Some("Unknown device type")) => vec![&field::KIND.field],
        (_, Some(text)) if text.contains("mtu") => mtus.map(|(field, _)| field).collect(),
        (Errno::EINVAL, None) => {
            // Of the kinds that check an MTU, only pairs do so without a text.
            let is_pair = request.get(&field::PEER_NAME).is_some();
            let short = mtus.filter(|(_, mtu)| is_pair && *mtu < LEAST_MTU).map(|(field, _)| field);
            let long = macs.filter(|(_, mac)| mac.len() != ETHERNET).map(|(field, _)| field);
            let secret = mode.filter(|mode| **mode == "stable_privacy").map(|_| &field::ADDRGENMODE.field);
            short.chain(long).chain(secret).collect()
        }
        _ => Vec::new(),
    };
    if let [one] = suspects.as_slice() { Some(one) } else { None }
}

/// The filters of `Link.List`, apart from those by which it lists one link.
#[derive(Debug)]
struct Wanted {
    given: Given,
    /// The index of the master.
    master: Option<i32>,
}

impl Wanted {
    fn look_up(before: &mut Before<'_>) -> Result<Self, Refusal> {
        let given = before.resolve(Self::rows(), 0)?;
        let master = given.view().link(&field::MASTER.field).map(|link| link.index);
        Ok(Self { given, master })
    }

    /// The rows of the filters that rows can compare.
    fn rows() -> impl Iterator<Item = &'static Row> + Clone {
        const FIELDS: [&Field; 3] = [&field::KIND.field, &field::MASTER.field, &field::GROUP.field];
        LINK_STATE.rows.iter().filter(|row| row.field().is_some_and(|field| FIELDS.contains(&field)))
    }

    /// Whether a link matches all of them.
    fn has(&self, link: &Link<'_>) -> bool {
        let up = self.given.request.get(&field::UP);
        up.is_none_or(|up| *up == link.is_up())
            && link.seen.difference(&Self::rows(), self.given.view(), true).is_none()
    }

    /// Requires that the master still has its name. Then everything that was received before is of its ports.
    fn confirm(&self, names: &mut Names<'_>) -> Result<(), Refusal> {
        let Some((index, name)) = self.master.zip(self.given.request.get(&field::MASTER)) else { return Ok(()) };
        match names.look_up(index)? {
            Some(own) if own == name.as_str().as_bytes() => Ok(()),
            Some(_) => Err(Refusal::Interrupted),
            None => Err(Refusal::NoSuchLink {
                field: field::MASTER.field.name,
                name: name.as_str().to_owned(),
                reason: "absent",
                errno: Errno::ENODEV,
            }),
        }
    }
}

/// Lists one link or several.
fn list(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let request = before.request();
    let name = request.get(&field::LINK).cloned();
    let index = listing::index(request)?;
    let wanted = Wanted::look_up(&mut before)?;
    let extent = Extent { vfs: request.is_set(&field::WITH_VFS) };
    let with_stats = request.is_set(&field::WITH_STATS);
    let message = match (&name, index) {
        (_, Some(index)) => extent.by_index(index)?,
        (Some(name), None) => extent.by_name(name, &field::LINK.field)?,
        (None, None) => extent.all(wanted.master, request.get(&field::KIND).copied())?,
    };
    let second = before.into_second()?;
    let prepared = Prepared::new(move |after, elements| {
        let (field, requested) = match (index, &name) {
            (Some(index), _) => (field::INDEX.field.name, index.to_string()),
            (None, Some(name)) => (field::LINK.field.name, name.as_str().to_owned()),
            (None, None) => ("", String::new()),
        };
        let missing = |reason| Refusal::NoSuchLink { field, name: requested.clone(), reason, errno: Errno::ENODEV };
        let (mut is_called_so, mut is_found) = (false, false);
        let confirm = |names: &mut Names<'_>, _| wanted.confirm(names);
        let mut listing = Listing::begin(after, elements, &confirm);
        let received = listing.receive(&message, &mut |payload, names, text| {
            let link = Link::begin(payload).ok_or_else(|| unparsed(STEP))?;
            report(&link, with_stats, names, text)?;
            let is_meant = name.as_ref().is_none_or(|name| link.is_called(name));
            (is_called_so, is_found) = (is_called_so || is_meant, true);
            Ok(is_meant && wanted.has(&link))
        });
        match received {
            Err(TransactionError::Refused { errno: Errno::ENODEV, .. }) => return Err(missing("absent")),
            other => other.map_err(TransactionError::refusal)?,
        }
        if name.is_some() && index.is_none() && !is_called_so {
            return Err(missing(if is_found { "alternative_name" } else { "absent" }));
        }
        listing.end()
    });
    Ok(prepared.with_second(second))
}

/// Writes what a result reports of a link. The kernel always reports the counters.
fn report(link: &Link<'_>, with_stats: bool, names: &mut Names<'_>, text: &mut String) -> Result<(), Refusal> {
    names.insert(link.index, &link.name);
    // A parent in another namespace has an index that belongs to another link here.
    let is_elsewhere = link.is_elsewhere();
    let is_counter = |row: &Row| matches!(row.place, Place::Inside(path, ..) if *path == [STATS]);
    let rows = link.rows().filter(|row| !is_elsewhere || row.field() != Some(&field::PARENT.field));
    let rows = rows.filter(|row| with_stats || !is_counter(row));
    let mut members = Members::begin(text);
    link.seen.report(rows, "", STEP, names, &mut members)?;
    vfs::report(&link.seen, names, &mut members)?;
    members.end();
    Ok(())
}

/// The rows of the message that makes a link. What must be set before the link goes up is in a later message, so the link
/// goes up after that.
pub(super) fn new_link_rows(request: &Request, kind: &Kind) -> impl Iterator<Item = &'static Row> + Clone + use<> {
    let goes_up = request.is_set(&field::UP) && !goes_up_last(request);
    let is_sent = move |row: &&'static Row| {
        matches!(row.sent, Sent::AtOnce | Sent::Never) && (goes_up || row.field() != Some(&field::UP.field))
    };
    LINK_STATE.rows.iter().chain(kind.rows()).filter(is_sent)
}

/// The rows of the message after that, without those whose field is absent.
fn later_rows(request: &Request) -> Vec<&'static Row> {
    let is_given = |row: &&Row| row.field().is_some_and(|field| request.value(field).is_some());
    let is_later = |row: &&Row| matches!(row.sent, Sent::Later | Sent::BeforeUp);
    LINK_STATE.rows.iter().filter(is_later).filter(is_given).collect()
}

/// Whether the link must go up by a last message of its own.
fn goes_up_last(request: &Request) -> bool {
    request.is_set(&field::UP) && later_rows(request).iter().any(|row| row.sent == Sent::BeforeUp)
}
