// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What listings share: the families and the links that a listing is about, and the names of links in results.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use nix::errno::Errno;
use serde_json::{Map, Value};

use super::answer::escape;
use super::inet::{INET, INET6};
use super::lookup::{by_index, identify};
use super::rows::{Seen, insert};
use super::sides::{Before, number};
use super::transaction::{Netlink, TransactionError};
use crate::call::field;
use crate::call::name::LinkName;
use crate::call::object::{Form, Reported, Row, Width};
use crate::call::request::Request;
use crate::refusal::{Refusal, invalid};

/// The family that `family` names; 0, which is all of them, where it is absent.
pub(super) fn family(request: &Request) -> u8 {
    match request.get(&field::FAMILY) {
        Some(&"inet") => INET,
        Some(_) => INET6,
        None => 0,
    }
}

/// The index that `index` gives.
pub(super) fn index(request: &Request) -> Result<Option<i32>, Refusal> {
    let index = number(request, &field::INDEX)?;
    index.map(|index| i32::try_from(index).map_err(|_| invalid("index", "does not fit 31 bits"))).transpose()
}

/// The links that a listing is about: the one that `link` or `index` names, or all.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    named: Option<(LinkName, i32)>,
    index: Option<i32>,
}

impl Selection {
    /// That of a request.
    ///
    /// # Errors
    /// [`Refusal::NoSuchLink`] for a name that no link has.
    pub(super) fn look_up(before: &mut Before<'_>) -> Result<Self, Refusal> {
        let index = index(before.request())?;
        let found = before.find(&field::LINK)?;
        Ok(Self { named: before.request().get(&field::LINK).cloned().zip(found.map(|link| link.index)), index })
    }

    /// The index of the one link; 0 for all.
    pub(super) fn index(&self) -> i32 {
        self.named_index().or(self.index).unwrap_or(0)
    }

    fn named_index(&self) -> Option<i32> {
        self.named.as_ref().map(|(_, index)| *index)
    }

    /// Whether `link` and `index` name two links: nothing is on both.
    pub(super) fn is_empty(&self) -> bool {
        self.index.is_some() && self.named.is_some() && self.index != self.named_index()
    }

    /// The names of the links. To be called after the listing: what was listed is then the named link's, which nobody
    /// renamed.
    ///
    /// # Errors
    /// [`Refusal::NoSuchLink`] where the one link is gone; [`Refusal::Interrupted`] where it was renamed.
    pub(super) fn names(&self, netlink: &mut Netlink) -> Result<Names, Refusal> {
        let mut names = Names::default();
        names.learn(netlink, self.index())?;
        match &self.named {
            _ if self.index() != 0 && names.0.values().all(Option::is_none) => Err(self.missing()),
            Some((name, index)) if names.name_of(netlink, *index)? != Some(name.as_str().as_bytes()) => {
                Err(Refusal::Interrupted)
            }
            _ => Ok(names),
        }
    }

    /// What became of a listing of these links: `ENODEV` means that the one link is gone.
    pub(super) fn listed<T>(&self, found: Result<T, TransactionError>) -> Result<T, Refusal> {
        found.map_err(|failure| match failure {
            TransactionError::Refused { errno: Errno::ENODEV, .. } => self.missing(),
            other => other.refusal(),
        })
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

/// Names of links by index; none for one that is gone.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<i32, Option<Vec<u8>>>);

impl Names {
    /// Takes a name that is known.
    pub(super) fn insert(&mut self, index: i32, name: Vec<u8>) {
        self.0.insert(index, Some(name));
    }

    /// Asks for the name of the link of this index, or of all with 0.
    fn learn(&mut self, netlink: &mut Netlink, index: i32) -> Result<(), Refusal> {
        let found = match netlink.ask(&by_index(index)?, "parse a link", identify) {
            Err(TransactionError::Refused { errno: Errno::ENODEV, .. }) => Vec::new(),
            other => other.map_err(TransactionError::refusal)?,
        };
        if index != 0 {
            self.0.insert(index, None);
        }
        self.0.extend(found.into_iter().map(|(link, name)| (link.index, Some(name))));
        Ok(())
    }

    /// The name of the link of an index; none where it is gone.
    pub(super) fn name_of(&mut self, netlink: &mut Netlink, index: i32) -> Result<Option<&[u8]>, Refusal> {
        if !self.0.contains_key(&index) {
            self.learn(netlink, index)?;
        }
        Ok(self.0.get(&index).and_then(Option::as_deref))
    }

    /// Puts the names of the links that rows refer to by index into a result. A link that is gone stays reported by its
    /// index.
    pub(super) fn put(
        &mut self,
        netlink: &mut Netlink,
        result: &mut Map<String, Value>,
        seen: &Seen,
        rows: impl IntoIterator<Item = &'static Row>,
        under: &str,
    ) -> Result<(), Refusal> {
        for row in rows {
            let (Form::Link, Reported::Always | Reported::Sometimes) = (row.form, row.reported) else { continue };
            let index = seen.number(row, Width::Four).and_then(|index| i32::try_from(index).ok());
            let (Some(index), Some(key)) = (index.filter(|index| *index != 0), row.name().strip_prefix(under)) else {
                continue;
            };
            if let Some(name) = self.name_of(netlink, index)? {
                insert(result, key, escape(name).into());
            }
        }
        Ok(())
    }
}

/// How many elements one reply of a stream holds.
const CHUNK: usize = 64;

/// Hands the elements of a listing on, some at a time.
pub(super) fn in_chunks(elements: Vec<Value>, each: super::Each<'_>) {
    let mut elements = elements.into_iter().peekable();
    while elements.peek().is_some() {
        each(elements.by_ref().take(CHUNK).collect());
    }
}

/// What a message of a listing that was not written as the kernel writes it is.
pub(super) fn unparsed(step: &'static str) -> Refusal {
    Refusal::SystemError { step: step.to_owned(), errno: Some(Errno::EBADMSG) }
}
