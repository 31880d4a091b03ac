// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The two sides of a transaction. Before the process confines itself, it can look up names and has descriptors, but it
//! cannot send a change. Afterwards it can send messages, but cannot open anything. The sides have two types, so that
//! no code can do on one side what belongs on the other.
#![forbid(unsafe_code)]

use std::ops::{Deref, DerefMut};
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use serde_json::{Map, Value as Json};

use super::found::Found;
use super::message::Message;
use super::rows::{Given, Resolved};
use super::transaction::{Netlink, TransactionError};
use super::watched::Refers;
use super::{Places, Protocol};
use crate::call::field::{self, Field, Key};
use crate::call::name::LinkName;
use crate::call::object::{Form, Row};
use crate::call::request::Request;
use crate::call::value::{Element, Value};
use crate::refusal::{Refusal, invalid};

/// Before the process confines itself.
#[derive(Debug)]
pub(super) struct Before<'a> {
    netlink: &'a mut Netlink,
    places: Places,
    request: &'a Request,
}

impl<'a> Before<'a> {
    pub(super) fn new(netlink: &'a mut Netlink, places: Places, request: &'a Request) -> Self {
        Self { netlink, places, request }
    }

    /// The permitted request.
    pub(super) fn request(&self) -> &'a Request {
        self.request
    }

    /// The request, for calls that look nothing up.
    pub(super) fn into_request(self) -> &'a Request {
        self.request
    }

    /// The namespaces and devices that the stage opened.
    pub(super) fn places(&mut self) -> &mut Places {
        &mut self.places
    }

    /// Opens a second socket in the same namespace, for look-ups while the first receives a listing. It consumes
    /// `self`, because all other look-ups come before.
    ///
    /// # Errors
    /// [`Refusal::SystemError`]
    pub(super) fn into_second(self) -> Result<Netlink, Refusal> {
        Netlink::open(Protocol::Route)
    }

    /// Takes the namespace that a field names; `None` where that is the namespace of `netns`.
    pub(super) fn take_netns(&mut self, field: &'static Field) -> Option<OwnedFd> {
        let at = self.places.named.iter().position(|(of, _)| *of == field)?;
        Some(self.places.named.swap_remove(at).1)
    }

    /// Requests what a message asks for.
    ///
    /// # Errors
    /// The kernel's error.
    pub(super) fn ask<T>(
        &mut self,
        question: &Message,
        step: &'static str,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, Refusal> {
        self.netlink.ask(question, step, read).map_err(|failure| failure.about_link(self.request))
    }

    /// Looks up the link that a field names, for a change that refers to it by its index. The link is watched from then
    /// on.
    ///
    /// # Errors
    /// [`Refusal::NoSuchLink`]
    pub(super) fn find(&mut self, key: &'static Key<LinkName>) -> Result<Option<Found>, Refusal> {
        self.request.get(key).map(|name| self.netlink.find(&key.field, name, Refers::ByIndex)).transpose()
    }

    /// As [`Self::find`], for a change that refers to the link in this way.
    ///
    /// # Errors
    /// [`Refusal::NoSuchLink`]
    pub(super) fn find_needed(&mut self, key: &'static Key<LinkName>, refers: Refers) -> Result<Found, Refusal> {
        self.netlink.find(&key.field, self.request.needed(key)?, refers)
    }

    /// Looks up the link of an index, and its own name; `None` where no such link exists.
    ///
    /// # Errors
    /// The look-up failed.
    pub(super) fn of_index(&mut self, index: i32) -> Result<Option<(Found, Vec<u8>)>, Refusal> {
        self.netlink.of_index(index)
    }

    /// Requires that the name in a field is not an alternative name, for an object that keeps the name.
    ///
    /// # Errors
    /// [`Refusal::NoSuchLink`]
    pub(super) fn require_own_name(&mut self, key: &'static Key<LinkName>) -> Result<(), Refusal> {
        self.request.get(key).map_or(Ok(()), |name| self.netlink.require_own_name(&key.field, name))
    }

    /// Looks up every link that these rows refer to by index, and takes the descriptor of every namespace.
    ///
    /// # Errors
    /// [`Refusal::NoSuchLink`]
    pub(super) fn resolve(&mut self, rows: impl Iterator<Item = &'static Row>, family: u8) -> Result<Given, Refusal> {
        let mut resolved = Vec::new();
        for row in rows {
            let Some(field) = row.field() else { continue };
            match (row.form, self.request.value(field)) {
                (Form::Link, Some(Value::Link(name))) => {
                    resolved.push(Resolved::link(field, 0, self.netlink.find(field, name, Refers::ByIndex)?));
                }
                (Form::Netns, Some(_)) => {
                    let netns = self.places.named.iter().find(|(of, _)| *of == field);
                    resolved.extend(netns.map(|(_, netns)| {
                        let number = netns.as_raw_fd().unsigned_abs();
                        Resolved { field, element: 0, number, link: None }
                    }));
                }
                (Form::Objects(object), Some(Value::List(elements))) => {
                    for inner in object.all_rows().filter(|row| matches!(row.form, Form::Link)) {
                        let Some(field) = inner.field() else { continue };
                        for (at, element) in elements.iter().enumerate() {
                            let Some(name) = link_in(element, field) else { continue };
                            resolved.push(Resolved::link(field, at, self.netlink.find(field, name, Refers::ByIndex)?));
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(Given { request: self.request.clone(), family, resolved })
    }
}

fn link_in<'e>(element: &'e Element, field: &Field) -> Option<&'e LinkName> {
    element.value(field).and_then(|value| if let Value::Link(name) = value { Some(name) } else { None })
}

/// After the process has confined itself. It dereferences to the socket in the request's namespace.
#[derive(Debug)]
pub(super) struct After<'a> {
    netlink: &'a mut Netlink,
    second: Option<&'a mut Netlink>,
}

impl<'a> After<'a> {
    pub(super) fn new(netlink: &'a mut Netlink, second: Option<&'a mut Netlink>) -> Self {
        Self { netlink, second }
    }

    /// The socket in the second namespace, where the call acts in one; otherwise that in the request's namespace.
    pub(super) fn visited(&mut self) -> &mut Netlink {
        match &mut self.second {
            Some(visited) => visited,
            None => self.netlink,
        }
    }

    /// The socket for a listing, and the one for look-ups during the listing, where there is one.
    pub(super) fn both(&mut self) -> (&mut Netlink, Option<&mut Netlink>) {
        (self.netlink, self.second.as_deref_mut())
    }
}

impl After<'_> {
    /// Sends a message that makes something. Where the kernel reports that it exists, and the request permits that,
    /// `same` compares and returns the result.
    ///
    /// # Errors
    /// The kernel's error, by way of `refused`; what `same` found.
    pub(super) fn make(
        &mut self,
        message: &Message,
        request: &Request,
        refused: impl Fn(TransactionError, &Request) -> Refusal,
        same: impl FnOnce(&mut Self) -> Result<Map<String, Json>, Refusal>,
    ) -> Result<Map<String, Json>, Refusal> {
        self.make_checked(message, request, refused, same, |_| Ok(()))
    }

    /// The same. What was made is then looked at by `check`: the kernel may have ignored something.
    ///
    /// # Errors
    /// As [`Self::make`]; what `check` found, after a change.
    pub(super) fn make_checked(
        &mut self,
        message: &Message,
        request: &Request,
        refused: impl Fn(TransactionError, &Request) -> Refusal,
        same: impl FnOnce(&mut Self) -> Result<Map<String, Json>, Refusal>,
        check: impl FnOnce(&mut Self) -> Result<(), Refusal>,
    ) -> Result<Map<String, Json>, Refusal> {
        match self.act(message, &mut |_| Ok(())) {
            Ok(()) => check(self).map(|()| Map::new()).map_err(Refusal::after_a_change),
            Err(TransactionError::Refused { errno: Errno::EEXIST, .. }) if request.is_set(&field::EXISTS_OK) => {
                same(self)
            }
            Err(failure) => Err(refused(failure, request)),
        }
    }

    /// Deletes objects one after the other, and returns how many. What is not there any more is not counted.
    ///
    /// # Errors
    /// The kernel's error, by way of `refused`. It says whether something was deleted before.
    pub(super) fn flush(
        &mut self,
        removals: &[Message],
        request: &Request,
        refused: impl Fn(TransactionError, &Request) -> Refusal,
    ) -> Result<Map<String, Json>, Refusal> {
        let mut deleted = 0_u64;
        for removal in removals {
            match self.act(removal, &mut |_| Ok(())) {
                Ok(()) => deleted += 1,
                Err(TransactionError::Refused {
                    errno: Errno::ENOENT | Errno::ESRCH | Errno::EADDRNOTAVAIL, ..
                }) => {}
                Err(failure) if deleted > 0 => return Err(refused(failure, request).after_a_change()),
                Err(failure) => return Err(refused(failure, request)),
            }
        }
        Ok(Map::from_iter([("deleted".to_owned(), deleted.into())]))
    }
}

impl Deref for After<'_> {
    type Target = Netlink;

    fn deref(&self) -> &Netlink {
        self.netlink
    }
}

impl DerefMut for After<'_> {
    fn deref_mut(&mut self) -> &mut Netlink {
        self.netlink
    }
}

/// The value of a field as a number of 32 bits.
///
/// # Errors
/// [`Refusal::InvalidRequest`] naming the field.
pub(super) fn number(request: &Request, key: &'static Key<u64>) -> Result<Option<u32>, Refusal> {
    let fits = |value: &u64| u32::try_from(*value).map_err(|_| invalid(key.field.name, "does not fit 32 bits"));
    request.get(key).map(fits).transpose()
}
