// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What all listings share: the families and links that a listing is about, the names of links in results, and how
//! elements are passed on while the kernel's answer is still being received.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use nix::errno::Errno;
use serde_json::{Map, Value};

use super::inet::{INET, INET6};
use super::message::Message;
use super::rows::{LinkNames, put_string};
use super::sides::{After, Before, number};
use super::transaction::{Netlink, Repeats, TransactionError};
use super::{Elements, Prepared};
use crate::call::field;
use crate::call::name::LinkName;
use crate::call::request::Request;
use crate::refusal::{Refusal, invalid, system};

/// The address family that `family` gives; 0, which means all, where it is absent.
pub(super) fn family(request: &Request) -> u8 {
    match request.get(&field::FAMILY) {
        Some(&"inet") => INET,
        Some(_) => INET6,
        None => 0,
    }
}

/// The value of `index`.
pub(super) fn index(request: &Request) -> Result<Option<i32>, Refusal> {
    let index = number(request, &field::INDEX)?;
    index.map(|index| i32::try_from(index).map_err(|_| invalid("index", "does not fit 31 bits"))).transpose()
}

/// The links that a listing is about: the one that `link` or `index` gives, or all.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    named: Option<(LinkName, i32)>,
    index: Option<i32>,
}

impl Selection {
    /// Reads the selection of a request, and looks up its link.
    ///
    /// # Errors
    /// [`Refusal::NoSuchLink`] for a name that no link has.
    pub(super) fn look_up(before: &mut Before<'_>) -> Result<Self, Refusal> {
        let index = index(before.request())?;
        let found = before.find(&field::LINK)?;
        Ok(Self { named: before.request().get(&field::LINK).cloned().zip(found.map(|link| link.index)), index })
    }

    /// Adds the name of the one link to the known names.
    fn introduce(&self, names: &mut Names<'_>) {
        if let Some((name, index)) = &self.named {
            names.introduce(*index, name.as_str().as_bytes());
        }
    }

    /// The index of the one link; 0 for all links.
    pub(super) fn index(&self) -> i32 {
        self.named_index().or(self.index).unwrap_or(0)
    }

    fn named_index(&self) -> Option<i32> {
        self.named.as_ref().map(|(_, index)| *index)
    }

    /// Whether `link` and `index` are two different links, so that nothing is listed.
    fn is_empty(&self) -> bool {
        self.index.is_some() && self.named.is_some() && self.index != self.named_index()
    }

    /// Requires that the one link still has its name. Then everything that was received before is about that link.
    ///
    /// # Errors
    /// [`Refusal::NoSuchLink`] where the link was removed; [`Refusal::Interrupted`] where it was renamed.
    fn confirm(&self, names: &mut Names<'_>) -> Result<(), Refusal> {
        if self.index() == 0 {
            return Ok(());
        }
        match (names.look_up(self.index())?, &self.named) {
            (None, _) => Err(self.missing()),
            (Some(own), Some((name, _))) if own != name.as_str().as_bytes() => Err(Refusal::Interrupted),
            _ => Ok(()),
        }
    }

    /// The outcome of a listing of these links: `ENODEV` means that the one link was removed.
    fn listed<T>(&self, found: Result<T, TransactionError>) -> Result<T, Refusal> {
        found.map_err(|failure| match failure {
            TransactionError::Refused { errno: Errno::ENODEV, .. } => self.missing(),
            other => other.refusal(),
        })
    }

    /// Lists what is on these links. `write` writes each object, as [`Write`] does.
    ///
    /// # Errors
    /// The error of opening the second socket.
    pub(super) fn list(
        self,
        before: Before<'_>,
        message: Message,
        mut write: impl FnMut(&[u8], &mut Names<'_>, &mut String) -> Result<bool, Refusal> + 'static,
    ) -> Result<Prepared, Refusal> {
        let second = before.into_second()?;
        let prepared = Prepared::new(move |after, elements| {
            let confirm = |names: &mut Names<'_>, _| self.confirm(names);
            let mut listing = Listing::begin(after, elements, &confirm);
            self.introduce(&mut listing.names);
            let received = listing
                .receive(&message, &mut |payload, names, text| Ok(write(payload, names, text)? && !self.is_empty()));
            self.listed(received)?;
            listing.end()
        });
        Ok(prepared.with_second(second))
    }

    fn missing(&self) -> Refusal {
        Refusal::NoSuchLink {
            field: if self.named.is_some() { field::LINK.field.name } else { field::INDEX.field.name },
            name: self.index().to_string(),
            reason: "absent",
            errno: Errno::ENODEV,
        }
    }
}

/// Names of links, each looked up once. The look-ups need a second socket, because the first is receiving the listing.
#[derive(Debug)]
pub(super) struct Names<'n> {
    netlink: Option<&'n mut Netlink>,
    /// By index, as JSON text; `None` for a link that no longer exists.
    known: BTreeMap<i32, Option<String>>,
    /// Those that were known before the listing began.
    introduced: BTreeMap<i32, Option<String>>,
}

impl<'n> From<&'n mut Netlink> for Names<'n> {
    /// For names of links in an answer that was received as a whole: this socket can look them up.
    fn from(netlink: &'n mut Netlink) -> Self {
        Self { netlink: Some(netlink), known: BTreeMap::new(), introduced: BTreeMap::new() }
    }
}

impl Names<'_> {
    /// Adds a name that is known before the listing begins.
    pub(super) fn introduce(&mut self, index: i32, name: &[u8]) {
        self.insert(index, name);
        self.introduced.clone_from(&self.known);
    }

    /// Forgets what was looked up, since a listing begins again: links may have been renamed meanwhile.
    fn begin_again(&mut self) {
        self.known.clone_from(&self.introduced);
    }

    /// Adds a known name.
    pub(super) fn insert(&mut self, index: i32, name: &[u8]) {
        let mut text = String::new();
        put_string(&mut text, name);
        self.known.insert(index, Some(text));
    }

    /// Looks up the name of the link of an index; `None` where no such link exists.
    pub(super) fn look_up(&mut self, index: i32) -> Result<Option<Vec<u8>>, Refusal> {
        let netlink = self.netlink.as_deref_mut();
        let netlink = netlink.ok_or_else(|| system("look up the name of a link")(Errno::EBADF))?;
        Ok(netlink.of_index(index)?.map(|(_, name)| name))
    }
}

impl LinkNames for Names<'_> {
    fn name(&mut self, index: i32) -> Result<Option<&str>, Refusal> {
        if !self.known.contains_key(&index) {
            match self.look_up(index)? {
                Some(name) => self.insert(index, &name),
                None => drop(self.known.insert(index, None)),
            }
        }
        Ok(self.known.get(&index).and_then(Option::as_deref))
    }
}

/// The number of elements that are passed on at a time.
const MANY: usize = 64;
/// Elements are passed on earlier when their text has this many bytes.
const ENOUGH: usize = 32 * 1024;

/// Checks that what was received may be passed on. The second argument is whether anything was received.
pub(super) type Confirm<'l> = &'l dyn Fn(&mut Names<'_>, bool) -> Result<(), Refusal>;

/// A listing that is passed on while it is received.
pub(super) struct Listing<'l> {
    netlink: &'l mut Netlink,
    pub(super) names: Names<'l>,
    elements: &'l mut dyn Elements,
    confirm: Confirm<'l>,
    /// Elements that are not passed on yet, with commas between them.
    text: String,
    /// How many of these there are.
    count: usize,
}

/// Writes the element that a message is about at the end of the text. Returns whether the request selects it.
pub(super) type Write<'w> = &'w mut dyn FnMut(&[u8], &mut Names<'_>, &mut String) -> Result<bool, Refusal>;

impl<'l> Listing<'l> {
    pub(super) fn begin(after: &'l mut After<'_>, elements: &'l mut dyn Elements, confirm: Confirm<'l>) -> Self {
        let (netlink, second) = after.both();
        let names = Names { netlink: second, known: BTreeMap::new(), introduced: BTreeMap::new() };
        Self { netlink, names, elements, confirm, text: String::new(), count: 0 }
    }

    /// Requests objects, and passes on what `write` makes of each message. Where the kernel reports that the listing
    /// changed meanwhile, it is requested again, unless a part of it was already sent.
    ///
    /// # Errors
    /// As [`Netlink::transact`]; what `write` fails with.
    pub(super) fn receive(&mut self, message: &Message, write: Write<'_>) -> Result<(), TransactionError> {
        let (handed_on, before, count) = (self.elements.count(), self.text.clone(), self.count);
        let mut repeats = Repeats::new();
        loop {
            let Self { netlink, names, elements, confirm, text, count: held } = self;
            let result = netlink.transact_reading(message, repeats.reading, &mut |payload| {
                let end = text.len();
                if end > 0 {
                    text.push(',');
                }
                if !write(payload, names, text)? {
                    text.truncate(end);
                    return Ok(());
                }
                *held += 1;
                if *held >= MANY || text.len() >= ENOUGH {
                    confirm(names, true)?;
                    let room = text.len() + text.len() / 8; // for as many elements again
                    (*text, *held) = (elements.push(std::mem::take(text))?, 0);
                    text.reserve(room);
                }
                Ok(())
            });
            match result {
                Err(TransactionError::Interrupted) if self.elements.forget(handed_on) && repeats.again() => {
                    self.text.clone_from(&before);
                    self.count = count;
                    self.names.begin_again();
                }
                other => return other,
            }
        }
    }

    /// Passes on the rest.
    ///
    /// # Errors
    /// The error of passing it on.
    pub(super) fn end(mut self) -> Result<Map<String, Value>, Refusal> {
        let is_some = !self.text.is_empty() || self.elements.count() > 0;
        (self.confirm)(&mut self.names, is_some)?;
        if !self.text.is_empty() {
            self.elements.push(self.text)?;
        }
        Ok(Map::new())
    }
}
