// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Watches links that were looked up by name, because they may be renamed before the kernel acts on them. Between the
//! look-up and the change the process gives up its rights, and that takes time. So each link is looked up again right
//! before the change and right after it.
#![forbid(unsafe_code)]

use super::found::Found;
use crate::call::field::Field;
use crate::call::name::LinkName;
use crate::refusal::Refusal;

/// How a change refers to a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refers {
    /// By its index: the kernel does not know which name was meant.
    ByIndex,
    /// By its name, which the kernel looks up while it holds the lock that a rename takes. Only an alternative name can
    /// mislead it.
    ByName,
    /// For the last time here: the change deletes or renames the link, or moves it to another namespace.
    AtLast,
    /// By a name that the new object keeps, whether a link has that name or not. Only an alternative name can mislead
    /// the kernel.
    Forever,
}

/// A link that was looked up.
#[derive(Debug)]
struct Watched {
    field: &'static Field,
    name: LinkName,
    /// Its index; 0 where no link had the name.
    index: i32,
    refers: Refers,
}

impl Watched {
    /// Compares a later look-up with the first one, for a link that is referred to in this way.
    fn compare(&self, refers: Refers, now: Result<Found, Refusal>) -> Result<(), Refusal> {
        match (refers, now) {
            (Refers::Forever, Ok(_) | Err(Refusal::NoSuchLink { reason: "absent", .. })) => Ok(()),
            (_, Ok(now)) if now.index == self.index => Ok(()),
            (_, Ok(_)) => {
                let (field, name) = (self.field.name, self.name.as_str());
                Err(Refusal::Busy { reason: format!("{field}: another link took the name `{name}` in the meantime") })
            }
            (_, Err(refusal)) => Err(refusal),
        }
    }
}

/// The links of a request.
#[derive(Debug, Default)]
pub(super) struct Watch {
    links: Vec<Watched>,
    /// The fields whose link was not found again after the change.
    lost: Vec<&'static str>,
}

impl Watch {
    /// Remembers a link. A request may name one several times.
    pub(super) fn add(&mut self, field: &'static Field, name: &LinkName, index: i32, refers: Refers) {
        let known = |other: &Watched| (other.field, &other.name, other.index) == (field, name, index);
        if !self.links.iter().any(known) {
            self.links.push(Watched { field, name: name.clone(), index, refers });
        }
    }

    /// Compares every link right before a change.
    ///
    /// # Errors
    /// [`Refusal::Busy`] and [`Refusal::NoSuchLink`] where a link is not what it was.
    pub(super) fn compare_before(
        &self,
        mut look_up: impl FnMut(&'static Field, &LinkName) -> Result<Found, Refusal>,
    ) -> Result<(), Refusal> {
        self.links.iter().try_for_each(|link| link.compare(link.refers, look_up(link.field, &link.name)))
    }

    /// Compares every link right after a change, if it can still have its name. Keeps the fields of those that are not what
    /// they were. One that the kernel looked up by name may have been renamed since then.
    pub(super) fn compare_after(
        &mut self,
        mut look_up: impl FnMut(&'static Field, &LinkName) -> Result<Found, Refusal>,
    ) {
        let since = |refers| if refers == Refers::ByName { Refers::Forever } else { refers };
        let compared = self.links.iter().filter(|link| link.refers != Refers::AtLast);
        let lost = compared.filter(|link| link.compare(since(link.refers), look_up(link.field, &link.name)).is_err());
        let lost: Vec<&'static Field> = lost.map(|link| link.field).collect();
        lost.into_iter().for_each(|field| self.lose(field));
    }

    /// Remembers that the link of a field was not found again after the change.
    pub(super) fn lose(&mut self, field: &'static Field) {
        if !self.lost.contains(&field.name) {
            self.lost.push(field.name);
        }
    }

    /// The fields whose link was renamed, replaced or removed while the change was made.
    pub(super) fn lost(&self) -> &[&'static str] {
        &self.lost
    }
}
