// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One rule against one request. The broker and `explain` both call this, so an explanation cannot disagree with a
//! decision.
#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};

use super::constraint::Constraint;
use crate::call::field::{self, Field};
use crate::call::request::{Request, Said};
use crate::call::value::{Type, Value};
use crate::call::{Absence, Use};
use crate::caller::Caller;

/// Whom a rule speaks of, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Principal {
    /// `"*"`.
    Everyone,
    /// A user.
    Uid(u32),
    /// A group, primary or supplementary.
    Gid(u32),
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ruling {
    /// `[[allow]]`
    Allow,
    /// `[[deny]]`
    Deny,
}

/// A rule as the broker reads it: for one call, found by its principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Cited in errors and in the trail.
    pub id: String,
    /// Allow or deny.
    pub ruling: Ruling,
    /// Whom it spares: the entries of `who` behind `!`.
    pub except: Vec<Principal>,
    /// What it says of which field, by the field's number.
    pub fields: Vec<(u16, Constraint)>,
    /// `require`, of an allow: fields that must be there, by number.
    pub require: Vec<u16>,
    /// `touches`, of a deny.
    pub touches: Option<Touches>,
}

/// A link, a namespace, or a link in a namespace, by whatever field a request refers to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touches {
    /// Which namespaces.
    pub netns: Option<Constraint>,
    /// Which links.
    pub link: Option<Constraint>,
}

impl Principal {
    /// Whether the caller is this, or in it.
    #[must_use]
    pub fn is(self, caller: &Caller) -> bool {
        match self {
            Self::Everyone => true,
            Self::Uid(uid) => caller.uid == uid,
            Self::Gid(gid) => caller.all_gids().any(|g| g == gid),
        }
    }
}

impl Rule {
    /// The fields that keep an allow from permitting this request; none when it permits it. `None` when it spares the
    /// caller.
    #[must_use]
    pub fn mismatches(&self, caller: &Caller, request: &Request) -> Option<Vec<&'static Field>> {
        if self.spares(caller) {
            return None;
        }
        let uses = request.call().uses(request.kind());
        Some(uses.filter(|used| !self.permits(used, caller.uid, request)).map(|used| used.field).collect())
    }

    /// Whether a deny forbids this request: then the field that it met, if it named one.
    #[must_use]
    pub fn forbids(&self, caller: &Caller, request: &Request) -> Option<Option<&'static Field>> {
        if self.spares(caller) {
            return None;
        }
        let mut met = None;
        for (number, constraint) in &self.fields {
            // A deny speaks of calls that have all its fields: one that this variety lacks is not met.
            let used = request.call().uses(request.kind()).find(|used| used.field.number == *number)?;
            let meets = match used.inside {
                None => meets(constraint, request.said(used, 0), caller.uid),
                Some(list) => self.meets_an_element(list, caller.uid, request),
            };
            if !meets {
                return None;
            }
            if met.is_none() || met == Some(&field::NETNS.field) {
                met = Some(used.field);
            }
        }
        match &self.touches {
            Some(touches) => {
                touches.touched(caller, request).map(|field| met.filter(|m| m.name != "netns").or(Some(field)))
            }
            None => Some(met),
        }
    }

    fn spares(&self, caller: &Caller) -> bool {
        self.except.iter().any(|principal| principal.is(caller))
    }

    /// Whether one element of a list meets all that a deny says of the list.
    fn meets_an_element(&self, list: &Field, uid: u32, request: &Request) -> bool {
        let inside = || request.call().uses(request.kind()).filter(|used| used.inside == Some(list));
        let times = inside().next().map_or(0, |used| request.times(used));
        (0..times).any(|time| {
            inside().all(|used| self.names(used.field).is_none_or(|c| meets(c, request.said(used, time), uid)))
        })
    }

    /// What it says of a field.
    fn names(&self, field: &Field) -> Option<&Constraint> {
        self.fields.iter().find(|(number, _)| *number == field.number).map(|(_, constraint)| constraint)
    }

    /// Whether it says something of a field, or, of a list, of what is inside.
    fn speaks_of(&self, field: &Field, request: &Request) -> bool {
        let mut uses = request.call().uses(request.kind());
        self.names(field).is_some() || uses.any(|used| used.inside == Some(field) && self.names(used.field).is_some())
    }

    /// Whether what a request says, or leaves out, of one field is inside what an allow says of it, each time, and is
    /// there where the allow requires it.
    fn permits(&self, used: &Use, uid: u32, request: &Request) -> bool {
        let named = self.names(used.field);
        let required = self.require.contains(&used.field.number);
        if matches!(used.field.ty, Type::List(_)) {
            return match request.value(used.field) {
                Some(_) => matches!(used.absence, Absence::Any) || self.speaks_of(used.field, request),
                None => !required,
            };
        }
        if self.reopens(used.field, request) || used.inside.is_some_and(|list| self.reopens(list, request)) {
            return !required && named.is_none_or(Constraint::contains_all);
        }
        let times = request.times(used);
        (times > 0 || !required)
            && (0..times).all(|time| match (request.said(used, time), named) {
                (Said::Value(value), Some(constraint)) => constraint.contains(value, uid),
                (Said::Value(value), None) => match used.absence {
                    Absence::Any => true, // a filter narrows what its absence already stands for
                    Absence::Default(constant) => *value == constant.value(uid),
                    _ => false,
                },
                (Said::Open, Some(constraint)) => constraint.contains_all() && !required,
                (Said::Open | Said::Nothing, _) => !required,
            })
    }

    /// Whether the absence of a field is closed, but only by filters that the allow does not speak of: a filter permits
    /// nothing that would not be permitted without it. (What is no filter is named, or itself refused.)
    fn reopens(&self, field: &Field, request: &Request) -> bool {
        let mut closers = request.closed_by(field).peekable();
        let is_filter =
            |by| request.call().uses(request.kind()).any(|u| u.field == by && matches!(u.absence, Absence::Any));
        closers.peek().is_some() && closers.all(|by| is_filter(by) && !self.speaks_of(by, request))
    }
}

/// Whether some of what a request says of a field is inside a deny's constraint.
fn meets(constraint: &Constraint, said: Said<'_>, uid: u32) -> bool {
    match said {
        Said::Value(value) => constraint.meets(value, uid),
        Said::Open => true,
        Said::Nothing => false,
    }
}

impl Touches {
    /// The first field by which the request refers to such a thing.
    fn touched(&self, caller: &Caller, request: &Request) -> Option<&'static Field> {
        let uses = || request.call().uses(request.kind());
        match &self.link {
            None => uses()
                .filter(|used| matches!(used.field.ty, Type::Netns))
                .find(|used| request.value(used.field).is_some_and(|value| self.in_netns(Some(value), caller)))
                .map(|used| used.field),
            Some(link) => uses()
                .filter(|used| matches!(used.field.ty, Type::Link))
                .find(|used| {
                    let named = |time| meets(link, request.said(used, time), caller.uid);
                    (0..request.times(used)).any(named) && self.counts(used, caller, request)
                })
                .map(|used| used.field),
        }
    }

    /// Whether the name in this field counts in a namespace that is meant. A link that moves counts where it arrives,
    /// too, even with a new name: the kernel moves it under the old one and renames it there.
    fn counts(&self, used: &Use, caller: &Caller, request: &Request) -> bool {
        let in_its_own = used.counts_in.iter().find_map(|f| request.value(f));
        let arrives = used.field == &field::LINK.field;
        let target = request.value(&field::TARGET_NETNS.field).filter(|_| arrives);
        self.in_netns(in_its_own, caller) || target.is_some_and(|target| self.in_netns(Some(target), caller))
    }

    fn in_netns(&self, value: Option<&Value>, caller: &Caller) -> bool {
        match (&self.netns, value) {
            (None, _) => true,
            (Some(netns), Some(value)) => netns.meets(value, caller.uid),
            (Some(_), None) => true, // no namespace is named: it could be any
        }
    }
}
