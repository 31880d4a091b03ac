// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Changes a link. Most fields go into one message. The settings of a bridge port and the alternative names have messages
//! of their own.
#![forbid(unsafe_code)]

use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use nix::errno::Errno;
use serde_json::Map;

use super::super::Prepared;
use super::super::lookup::{by_index, by_name, head};
use super::super::message::{Attributes, Encoded, Message};
use super::super::rows::{Given, encode, with_nul};
use super::super::sides::Before;
use super::super::transaction::{Netlink, TransactionError};
use super::super::watched::Refers;
use super::seen::{self, Link};
use super::{STEP, Target, changed, require_length};
use crate::call::field::{self, Field, Key};
use crate::call::name::LinkName;
use crate::call::object::{Place, Row};
use crate::call::request::Request;
use crate::call::{Kind, LINK_STATE, identifies_link};
use crate::refusal::{Refusal, already, unsuitable};

/// `AF_BRIDGE` (`linux/socket.h`)
const BRIDGE: u8 = 7;
/// `RTM_NEWLINKPROP`, `RTM_DELLINKPROP` (`linux/rtnetlink.h`)
const ADD_PROPERTY: u16 = 108;
const REMOVE_PROPERTY: u16 = 109;
/// `IFLA_PROP_LIST`, `IFLA_ALT_IFNAME`
const PROPERTIES: u16 = 52;
const ALTERNATIVE_NAME: u16 = 53;

/// The rows of what `Link.Set` can change: all but those that identify the link.
pub(super) fn changeable() -> impl Iterator<Item = &'static Row> + Clone {
    let identifies =
        |row: &&Row| [&field::LINK.field, &field::KIND.field].iter().any(|field| row.field() == Some(field));
    LINK_STATE.rows.iter().filter(move |row| !identifies(row))
}

fn is_of_port(row: &Row) -> bool {
    matches!(row.place, Place::Port(_))
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

/// What a message of a change is about, for the refusal by the kernel.
#[derive(Debug, Clone, Copy)]
enum About {
    Link,
    Port(&'static Field),
    Removed(&'static Field),
    Added(&'static Field),
}

impl About {
    fn refused(self, failure: TransactionError, request: &Request, may_have_changed: bool) -> Refusal {
        let TransactionError::Refused { errno, text, field } = failure else {
            return changed(failure, request, may_have_changed);
        };
        let refusal = match (self, errno) {
            (Self::Port(field), Errno::EOPNOTSUPP | Errno::EINVAL) if text.is_none() => {
                unsuitable(field, "the link is not a port of a bridge".to_owned())
            }
            (Self::Added(field), Errno::EEXIST) => already(field, "a link already has this name or alternative name"),
            (Self::Removed(field), Errno::ENOENT | Errno::EINVAL) => {
                unsuitable(field, "the link has no such alternative name".to_owned())
            }
            _ => {
                let means = match self {
                    Self::Link => only_change(request),
                    Self::Port(own) | Self::Removed(own) | Self::Added(own) => Some(own),
                };
                let failure = TransactionError::Refused { errno, text, field };
                return changed(failure, request, may_have_changed).about(means);
            }
        };
        if may_have_changed { refusal.after_a_change() } else { refusal }
    }
}

/// The change that a request gives, if it gives only one: the kernel can mean no other.
fn only_change(request: &Request) -> Option<&'static Field> {
    let mut changes = request.values().map(|(field, _)| field).filter(|field| !identifies_link(field));
    changes.next().filter(|_| changes.next().is_none())
}

/// Encodes the messages, which the kernel applies one after the other, each attribute by attribute. A rename, the settings
/// of a bridge port and alternative names refer to the link by its index. So does `RTM_NEWLINK` with a group: before Linux
/// 5.18, it would change every link of the group if no link had the name. `RTM_SETLINK` would take one kind's data for
/// another's. `RTM_NEWLINK` compares the kind, and makes no link without `NLM_F_CREATE`.
pub(super) fn prepare(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let request = before.request();
    let name = request.needed(&field::LINK)?;
    let renames = request.get(&field::NEW_NAME).is_some();
    let port = LINK_STATE.rows.iter().filter(|row| is_of_port(row)).filter_map(Row::field);
    let port = port.into_iter().find(|field| request.value(field).is_some());
    let has_group = gives_own(request) && request.get(&field::GROUP).is_some();
    // By its name, the message could reach a link that was made elsewhere.
    let has_parent = request.get(&field::PARENT).is_some();
    let has_names = [&field::ADD_ALTNAME, &field::REMOVE_ALTNAME].iter().any(|key| request.get(key).is_some());
    let refers = if renames || request.get(&field::TARGET_NETNS).is_some() {
        Refers::AtLast
    } else if port.is_some() || has_group || has_parent || has_names {
        Refers::ByIndex
    } else {
        Refers::ByName
    };
    let link = before.find_needed(&field::LINK, refers)?;
    let is_by_index = renames || has_group || has_parent;
    let target = if is_by_index { Target::Index(link.index) } else { Target::Name(&field::LINK.field, name) };
    require_length(link, request)?;
    if let Some(kind) = request.get(&field::KIND).filter(|kind| !link.is_kind(kind)) {
        return Err(unsuitable(&field::KIND.field, format!("the link is not a {kind}")));
    }
    let question = if is_by_index { by_index(link.index)? } else { by_name(name, &field::LINK.field)? };
    if has_parent {
        require_here(&before.ask(&question, STEP, is_elsewhere)?)?;
    }
    let given = before.resolve(given_rows(request), 0)?;
    let mut messages = Vec::new();
    let of_link = given_rows(request).filter(|row| !is_of_port(row));
    let is_change =
        |row: &Row| row.field().is_some_and(|field| !identifies_link(field) && request.value(field).is_some());
    if of_link.clone().any(is_change) {
        let encoded = encode(LINK_STATE.head, of_link, given.view())?;
        messages.push((
            About::Link,
            target.message(if gives_own(request) { Rtm::Newlink } else { Rtm::Setlink }, NlmF::empty(), encoded)?,
        ));
    }
    if let Some(field) = port {
        let mut encoded = encode(LINK_STATE.head, LINK_STATE.rows.iter().filter(|row| is_of_port(row)), given.view())?;
        encoded.head.splice(..1, [BRIDGE]);
        messages.push((About::Port(field), Target::Index(link.index).change(encoded)?));
    }
    for (key, kind) in [(&field::REMOVE_ALTNAME, REMOVE_PROPERTY), (&field::ADD_ALTNAME, ADD_PROPERTY)] {
        let Some(name) = request.get(key) else { continue };
        let about = if kind == ADD_PROPERTY { About::Added(&key.field) } else { About::Removed(&key.field) };
        messages
            .push((about, Target::Index(link.index).message(Rtm::from(kind), NlmF::empty(), property(key, name)?)?));
    }
    let goes_to = before.take_netns(&field::TARGET_NETNS.field);
    // A link leaves its old master before the kernel knows whether the new one accepts it. It moves to another namespace
    // only after all checks (`dev_change_net_namespace`).
    let fields = request.values().filter(|(field, _)| !identifies_link(field)).count();
    let in_steps = fields > 1 || request.get(&field::MASTER).is_some();
    let index = link.index;
    Ok(Prepared::new(move |after, _| {
        if has_parent {
            let told =
                after.ask(&question, STEP, is_elsewhere).map_err(|failure| failure.about_link(&given.request))?;
            require_here(&told)?;
        }
        let mut is_first = true;
        for (about, message) in &messages {
            let sent = if is_first || !renames {
                after.act(message, &mut |_| Ok(()))
            } else {
                after.transact(message, &mut |_| Ok(()))
            };
            sent.map_err(|failure| {
                let refused = about.refused(failure, &given.request, in_steps || !is_first);
                if is_first { refused } else { refused.after_a_change() }
            })?;
            is_first = false;
        }
        // The namespace stays open until the message was sent. A link that moved there cannot be looked up here.
        if goes_to.is_none() {
            require_parent(after, &question, &given)?;
            seen::require_applied(after, &question, index, given_rows(&given.request), &given)?;
        }
        Ok(Map::new())
    }))
}

/// Refuses a parent for a link that was made in another namespace.
fn require_here(is_elsewhere: &[bool]) -> Result<(), Refusal> {
    if is_elsewhere.contains(&true) {
        let why = "is a link of the namespace in which this link was made; the kernel would look it up there";
        return Err(unsuitable(&field::PARENT.field, why.to_owned()));
    }
    Ok(())
}

/// Whether what a link is on top of is in another namespace.
fn is_elsewhere(payload: &[u8]) -> Option<bool> {
    Link::read(payload).map(|link| link.is_elsewhere())
}

/// Requires that the link is on the given parent: another link, which was made elsewhere, may have taken its name.
fn require_parent(netlink: &mut Netlink, question: &Message, given: &Given) -> Result<(), Refusal> {
    let Some(parent) = given.view().link(&field::PARENT.field) else { return Ok(()) };
    let is_on = |payload: &[u8]| {
        Link::read(payload).map(|link| !link.is_elsewhere() && link.number("parent_index") == Some(parent.index))
    };
    let found = netlink.ask(question, STEP, is_on).map_err(|failure| failure.refusal().after_a_change())?;
    if found.contains(&true) {
        return Ok(());
    }
    Err(unsuitable(&field::PARENT.field, "the kernel put the link on another link than this one").after_a_change())
}

/// A link with one alternative name.
fn property(key: &'static Key<LinkName>, name: &LinkName) -> Result<Encoded, Refusal> {
    let (mut names, mut attributes) = (Attributes::default(), Attributes::default());
    names.put(ALTERNATIVE_NAME, &with_nul(name.as_str()), &key.field)?;
    attributes.nest(PROPERTIES, &[], names)?;
    Ok(Encoded { head: head(0), attributes })
}
