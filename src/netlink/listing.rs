// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What listings share: the families and the links that a listing is about.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use neli::consts::rtnl::RtAddrFamily;
use nix::errno::Errno;

use super::link;
use super::transaction::{Failure, Route};
use crate::call::field;
use crate::call::name::LinkName;
use crate::call::request::Request;
use crate::refusal::{Refusal, invalid};

/// The family that `family` names; unspecified, which is all of them, where it is absent.
pub(super) fn family(request: &Request) -> RtAddrFamily {
    match request.get(&field::FAMILY) {
        Some(&"inet") => RtAddrFamily::Inet,
        Some(_) => RtAddrFamily::Inet6,
        None => RtAddrFamily::Unspecified,
    }
}

/// The links that a listing is about: the one that `link` or `index` names, or all.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    named: Option<(LinkName, i32)>,
    asked: Option<i32>,
}

impl Selection {
    /// That of a request.
    ///
    /// # Errors
    /// [`Refusal::NoSuchLink`] for a name that no link has.
    pub(super) fn of(route: &mut Route, request: &Request) -> Result<Self, Refusal> {
        let asked = request.get(&field::INDEX).map(|index| i32::try_from(*index)).transpose();
        let asked = asked.map_err(|_| invalid("index", "does not fit 31 bits"))?;
        let found = route.find_field(&field::LINK, request)?;
        let named = request.get(&field::LINK).cloned().zip(found.map(|link| link.index));
        Ok(Self { named, asked })
    }

    /// The index of the one link; 0 for all.
    pub(super) fn index(&self) -> i32 {
        self.named_index().or(self.asked).unwrap_or(0)
    }

    fn named_index(&self) -> Option<i32> {
        self.named.as_ref().map(|(_, index)| *index)
    }

    /// Whether `link` and `index` name two links: nothing is on both.
    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_some() && self.named.is_some() && self.asked != self.named_index()
    }

    /// The names of the links, by index. To be called after the listing: what was listed is then the named link's, which
    /// nobody renamed.
    ///
    /// # Errors
    /// [`Refusal::NoSuchLink`] where the one link does not exist; [`Refusal::Interrupted`] where it was renamed.
    pub(super) fn names(&self, route: &mut Route) -> Result<BTreeMap<i32, Vec<u8>>, Refusal> {
        let names = link::names(route, self.index())?;
        match &self.named {
            _ if self.index() != 0 && names.is_empty() => Err(self.missing()),
            Some((name, index)) if names.get(index).is_none_or(|own| own != name.as_str().as_bytes()) => {
                Err(Refusal::Interrupted)
            }
            _ => Ok(names),
        }
    }

    /// What became of a listing of these links: `ENODEV` is the one link, gone meanwhile.
    pub(super) fn listed<T>(&self, found: Result<T, Failure>) -> Result<T, Refusal> {
        found.map_err(|failure| match failure {
            Failure::Refused { errno: Errno::ENODEV, .. } => self.missing(),
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
