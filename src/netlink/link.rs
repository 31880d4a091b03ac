// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Links (`RTM_NEWLINK` …, rtnetlink(7), `linux/if_link.h`).
#![forbid(unsafe_code)]

mod add;
mod compare;
mod seen;
mod tun;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use nix::errno::Errno;
use serde_json::Map;

use super::found::Found;
use super::listing::{self, Listing, Names};
use super::lookup::{IFNAME, by_index, by_name, head};
use super::message::{Attributes, Encoded, Message};
use super::rows::{Given, encode, unparsed, with_nul};
use super::sides::Before;
use super::transaction::TransactionError;
use super::{Encoder, Prepared, not_encoded};
use crate::call::field::{self, Field};
use crate::call::name::LinkName;
use crate::call::object::{Row, Sent};
use crate::call::request::Request;
use crate::call::{Kind, LINK_STATE};
use crate::refusal::{Class, Refusal, unsuitable};
use seen::Link;

const STEP: &str = "parse a link";
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
        settled: &[&field::LINK.field, &field::MISSING_OK.field],
    },
    Encoder { call: "Link.Set", prepare: set, object: Some(&LINK_STATE), settled: &[] },
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
    fn message(self, kind: Rtm, Encoded { head, attributes }: Encoded) -> Result<Message, Refusal> {
        let (index, mut all) = (if let Self::Index(index) = self { index } else { 0 }, Attributes::default());
        if let Self::Name(field, name) = self {
            all.put(IFNAME, &with_nul(name.as_str()), field)?;
        }
        all.append_all(attributes);
        let head =
            [head.get(..4).unwrap_or_default(), &index.to_ne_bytes(), head.get(8..).unwrap_or_default()].concat();
        Ok(Message::route(kind, NlmF::ACK, Encoded { head, attributes: all }))
    }

    /// Changes the link. `RTM_NEWLINK` would make one where no link has the name; `RTM_SETLINK` never does.
    fn change(self, with: Encoded) -> Result<Message, Refusal> {
        self.message(Rtm::Setlink, with)
    }

    /// Removes the link.
    fn remove(self) -> Result<Message, Refusal> {
        self.message(Rtm::Dellink, Encoded { head: head(0), attributes: Attributes::default() })
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
    let tolerant = request.is_set(&field::MISSING_OK);
    match before.find_by_name(&field::LINK) {
        Err(Refusal::NoSuchLink { reason: "absent", .. }) if tolerant => {
            return Ok(Prepared::new(|_, _| Ok(Map::new())));
        }
        other => other?,
    };
    let message = Target::Name(&field::LINK.field, request.needed(&field::LINK)?).remove()?;
    let request = request.clone();
    Ok(Prepared::new(move |after, _| match after.act(&message, &mut |_| Ok(())) {
        Err(failure) if tolerant && failure.is_absent_link() => Ok(Map::new()),
        other => other.map(|()| Map::new()).map_err(|failure| changed(failure, &request, false)),
    }))
}

/// The fields of `Link.Set` that say which link is meant.
static NOT_SET: [&Field; 3] = [&field::NETNS.field, &field::LINK.field, &field::KIND.field];

/// The rows of what `Link.Set` can change: all but those that identify the link.
fn changeable() -> impl Iterator<Item = &'static Row> + Clone {
    let identifies =
        |row: &&Row| [&field::LINK.field, &field::KIND.field].iter().any(|field| row.field() == Some(field));
    LINK_STATE.rows.iter().filter(move |row| !identifies(row))
}

/// Whether a request gives a field that only links of its kind have.
fn gives_own(request: &Request) -> bool {
    let mut own = request.kind().into_iter().flat_map(Kind::rows).filter_map(Row::field);
    own.any(|field| request.value(field).is_some())
}

/// The rows of a changed link. Fields that only its kind has are sent together with the kind, so that the kernel
/// compares it.
fn given_rows(request: &Request) -> impl Iterator<Item = &'static Row> + Clone + use<> {
    let own: Vec<&'static Row> = request.kind().into_iter().flat_map(Kind::rows).collect();
    let has_own = gives_own(request);
    let kind = LINK_STATE.rows.iter().filter(move |row| has_own && row.field() == Some(&field::KIND.field));
    changeable().chain(kind).chain(own)
}

/// Sends one message, which the kernel applies attribute by attribute. A rename refers to the link by its index. So does
/// `RTM_NEWLINK` with a group: before Linux 5.18, it would change every link of the group if no link had the name.
/// `RTM_SETLINK` would take one kind's data for another's. `RTM_NEWLINK` compares the kind, and makes no link without
/// `NLM_F_CREATE`.
fn set(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let request = before.request();
    let name = request.needed(&field::LINK)?;
    let renames = request.get(&field::NEW_NAME).is_some();
    let has_group = gives_own(request) && request.get(&field::GROUP).is_some();
    // After a rename no link has the old name any more, so there would be nothing to look up.
    let link = if has_group && !renames {
        before.find(&field::LINK)?.ok_or_else(|| not_encoded(request))?
    } else {
        before.find_by_name(&field::LINK)?
    };
    let is_by_index = renames || has_group;
    let target = if is_by_index { Target::Index(link.index) } else { Target::Name(&field::LINK.field, name) };
    require_length(link, request)?;
    if let Some(kind) = request.get(&field::KIND).filter(|kind| !link.is_kind(kind)) {
        return Err(unsuitable(&field::KIND.field, format!("the link is not a {kind}")));
    }
    let given = before.resolve(given_rows(request), 0)?;
    let encoded = encode(LINK_STATE.head, given_rows(request), given.view())?;
    let fields = request.values().filter(|(field, _)| !NOT_SET.contains(field)).count();
    let message = target.message(if gives_own(request) { Rtm::Newlink } else { Rtm::Setlink }, encoded)?;
    let goes_to = before.take_netns(&field::TARGET_NETNS.field);
    // A link leaves its old master before the kernel knows whether the new one accepts it. It moves to another namespace
    // only after all checks (`dev_change_net_namespace`).
    let in_steps = fields > 1 || request.get(&field::MASTER).is_some();
    let question = if is_by_index { by_index(link.index)? } else { by_name(name, &field::LINK.field)? };
    let (request, index) = (request.clone(), link.index);
    Ok(Prepared::new(move |after, _| {
        // The namespace stays open until the message was sent. A link that moved there cannot be looked up here.
        after.act(&message, &mut |_| Ok(())).map_err(|failure| changed(failure, &request, in_steps))?;
        if goes_to.is_none() {
            seen::require_applied(after, &question, index, given_rows(&request), &given)?;
        }
        Ok(Map::new())
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

/// Lists one link or all of them.
fn list(before: Before<'_>) -> Result<Prepared, Refusal> {
    let request = before.request();
    let name = request.get(&field::LINK).cloned();
    let index = listing::index(request)?;
    let message = match (&name, index) {
        (_, Some(index)) => by_index(index)?,
        (Some(name), None) => by_name(name, &field::LINK.field)?,
        (None, None) => by_index(0)?,
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
        let mut listing = Listing::begin(after, elements, &|_, _| Ok(()));
        let received = listing.receive(&message, &mut |payload, names, text| {
            let link = Link::begin(payload).ok_or_else(|| unparsed(STEP))?;
            report(&link, names, text)?;
            let is_meant = name.as_ref().is_none_or(|name| link.is_called(name));
            (is_called_so, is_found) = (is_called_so || is_meant, true);
            Ok(is_meant)
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

/// Writes what a result reports of a link.
fn report(link: &Link<'_>, names: &mut Names<'_>, text: &mut String) -> Result<(), Refusal> {
    names.insert(link.index, &link.name);
    // A parent in another namespace has an index that belongs to another link here.
    let is_elsewhere = link.is_elsewhere();
    let rows = link.rows().filter(|row| !is_elsewhere || row.field() != Some(&field::PARENT.field));
    link.seen.write(rows, STEP, names, text)
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
