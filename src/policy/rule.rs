// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One rule against one request. The broker and `explain` both call this, so an explanation cannot disagree with a
//! decision.
#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};

use super::constraint::Constraint;
use crate::call::field::{self, Field};
use crate::call::request::{FieldValue, Request};
use crate::call::types::Type;
use crate::call::value::Value;
use crate::call::{Absence, Use};
use crate::caller::Caller;

/// A caller or callers that a rule applies to, by id.
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

/// A rule as the broker reads it: for one call, and found by its principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its id, for errors and for the trail.
    pub id: String,
    /// Allow or deny.
    pub ruling: Ruling,
    /// The callers that it excludes: the entries of `who` after `!`.
    pub except: Vec<Principal>,
    /// Its constraints, by the number of the field.
    pub fields: Vec<(u16, Constraint)>,
    /// `require` of an allow: fields that must be given, by number.
    pub require: Vec<u16>,
    /// `touches` of a deny.
    pub touches: Option<Touches>,
}

/// A link, a namespace, or a link in a namespace, whatever field of a request refers to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touches {
    /// The namespaces.
    pub netns: Option<Constraint>,
    /// The links.
    pub link: Option<Constraint>,
}

impl Principal {
    /// Whether the caller is this principal, or a member of it.
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
    /// The fields that prevent an allow from permitting this request; empty if it permits it. `None` if the allow
    /// excludes the caller.
    #[must_use]
    pub fn mismatches(&self, caller: &Caller, request: &Request) -> Option<Vec<&'static Field>> {
        if self.spares(caller) {
            return None;
        }
        let uses = request.call().uses(request.kind());
        Some(uses.filter(|used| !self.permits(used, caller.uid, request)).map(|used| used.field()).collect())
    }

    /// Whether a deny forbids this request, with the field that it met, if it names one.
    #[must_use]
    pub fn forbids(&self, caller: &Caller, request: &Request) -> Option<Option<&'static Field>> {
        if self.spares(caller) {
            return None;
        }
        let about = About { request, uid: caller.uid };
        let inside: Vec<&(u16, Constraint)> =
            self.fields.iter().filter(|(number, constraint)| !about.is_met_outside(*number, constraint)).collect();
        if !about.are_met_inside(&inside, &about.lists()) {
            return None;
        }
        let named = || self.fields.iter().filter_map(|(number, constraint)| about.first_met(*number, constraint));
        let met = named().find(|field| *field != &field::NETNS.field).or_else(|| named().next());
        match &self.touches {
            Some(touches) => touches
                .touched(caller, request)
                .map(|touched| met.filter(|met| *met != &field::NETNS.field).or(Some(touched))),
            None => Some(met),
        }
    }

    fn spares(&self, caller: &Caller) -> bool {
        self.except.iter().any(|principal| principal.is(caller))
    }

    /// Its constraint on a field.
    fn names(&self, field: &Field) -> Option<&Constraint> {
        self.fields.iter().find(|(number, _)| *number == field.number).map(|(_, constraint)| constraint)
    }

    /// Whether it has a constraint on a field, or on a field inside it if it is a list.
    fn speaks_of(&self, field: &Field, request: &Request) -> bool {
        let mut uses = request.call().uses(request.kind());
        self.names(field).is_some()
            || uses.any(|used| used.inside() == Some(field) && self.names(used.field()).is_some())
    }

    /// Whether an allow contains every value, or the absence, that a request has for one field, and the field is given
    /// if the allow requires it.
    fn permits(&self, used: &Use, uid: u32, request: &Request) -> bool {
        let named = self.names(used.field());
        let required = self.require.contains(&used.field().number);
        if matches!(used.field().ty, Type::List(_)) {
            return match request.value(used.field()) {
                Some(_) => matches!(used.absence, Absence::Any) || self.speaks_of(used.field(), request),
                None => !required,
            };
        }
        if self.reopens(used.field(), request) || used.inside().is_some_and(|list| self.reopens(list, request)) {
            return !required && named.is_none_or(Constraint::contains_all);
        }
        let times = request.times(used);
        (times > 0 || !required)
            && (0..times).all(|time| match (request.field_value(used, time), named) {
                (FieldValue::Value(value), Some(constraint)) => constraint.contains(value, uid),
                // A filter narrows what its absence stands for.
                (FieldValue::Value(value), None) => {
                    matches!(used.absence, Absence::Any) || request.default(used, uid).as_ref() == Some(value)
                }
                (FieldValue::Open, Some(constraint)) => constraint.contains_all() && !required,
                (FieldValue::Open | FieldValue::Nothing, _) => !required,
            })
    }

    /// Whether the absence of a field is closed, but only by filters that the allow does not name. A filter permits
    /// nothing that would not be permitted without it. (Other fields are named, or refused themselves.)
    fn reopens(&self, field: &Field, request: &Request) -> bool {
        let mut closers = request.closed_by(field).peekable();
        let is_filter =
            |by| request.call().uses(request.kind()).any(|u| u.field() == by && matches!(u.absence, Absence::Any));
        closers.peek().is_some() && closers.all(|by| is_filter(by) && !self.speaks_of(by, request))
    }
}

/// A request from the view of a deny. A deny applies to calls that have all its fields. A field that this kind lacks,
/// also under another name inside a list, is not met.
#[derive(Clone, Copy)]
struct About<'a> {
    request: &'a Request,
    uid: u32,
}

impl About<'_> {
    /// The fields of the request that a deny on the field of this number meets.
    fn uses(self, number: u16) -> impl Iterator<Item = &'static Use> {
        self.request.call().uses(self.request.kind()).filter(move |used| used.field().is_met_as(number))
    }

    /// Whether this kind has a field, or no kind has it, and it is that of other objects.
    fn has(self, field: &Field) -> bool {
        let call = self.request.call();
        call.uses(self.request.kind()).any(|used| used.field() == field) || !call.has(field)
    }

    fn lists(self) -> Vec<&'static Field> {
        let uses = self.request.call().uses(self.request.kind());
        uses.filter(|used| matches!(used.field().ty, Type::List(_))).map(|used| used.field()).collect()
    }

    /// Whether a field meets a constraint, in any element of a list.
    fn is_met_outside(self, number: u16, constraint: &Constraint) -> bool {
        let is_met = |used: &Use| meets(constraint, self.request.field_value(used, 0), self.uid);
        self.request.leaves_open().any(|field| field.is_met_as(number) && self.has(field))
            || self.uses(number).any(|used| used.inside().is_none() && is_met(used))
    }

    /// Whether one element of each list meets all remaining constraints.
    fn are_met_inside(self, fields: &[&(u16, Constraint)], lists: &[&Field]) -> bool {
        let (false, Some((list, others))) = (fields.is_empty(), lists.split_first()) else { return fields.is_empty() };
        let meets = |number, constraint: &Constraint, time| {
            let mut uses = self.uses(number).filter(|used| used.inside() == Some(list));
            uses.any(|used| meets(constraint, self.request.field_value(used, time), self.uid))
        };
        let one = |time| {
            let left: Vec<_> = fields.iter().copied().filter(|(number, c)| !meets(*number, c, time)).collect();
            left.len() < fields.len() && self.are_met_inside(&left, others)
        };
        (0..self.times(list)).any(one) || self.are_met_inside(fields, others)
    }

    fn times(self, list: &Field) -> usize {
        let mut uses = self.request.call().uses(self.request.kind());
        uses.find(|used| used.inside() == Some(list)).map_or(0, |used| self.request.times(used))
    }

    /// The first field that meets a constraint: the named field before the same field inside a list.
    fn first_met(self, number: u16, constraint: &Constraint) -> Option<&'static Field> {
        let is_met = |used: &&Use| {
            let mut times = 0..self.request.times(used);
            times.any(|time| meets(constraint, self.request.field_value(used, time), self.uid))
        };
        let left_open = || self.request.leaves_open().filter(|field| self.has(field));
        let open = || {
            let same = left_open().find(|field| field.number == number);
            same.or_else(|| left_open().find(|field| field.is_met_as(number)))
        };
        self.uses(number).find(is_met).map(|used| used.field()).or_else(open)
    }
}

/// Whether the constraint of a deny contains any value that a request can have for a field.
fn meets(constraint: &Constraint, said: FieldValue<'_>, uid: u32) -> bool {
    match said {
        FieldValue::Value(value) => constraint.meets(value, uid),
        FieldValue::Open => true,
        FieldValue::Nothing => false,
    }
}

impl Touches {
    /// The first field by which the request refers to such an object.
    fn touched(&self, caller: &Caller, request: &Request) -> Option<&'static Field> {
        let uses = || request.call().uses(request.kind());
        match &self.link {
            None => uses()
                .filter(|used| matches!(used.field().ty, Type::Netns))
                .find(|used| request.value(used.field()).is_some_and(|value| self.in_netns(Some(value), caller)))
                .map(|used| used.field()),
            Some(link) => uses()
                .filter(|used| used.field().ty.is_link())
                .find(|used| {
                    let refers = |said| !(used.is_condition && matches!(said, FieldValue::Open));
                    let named = |time| {
                        let said = request.field_value(used, time);
                        refers(said) && meets(link, said, caller.uid)
                    };
                    let is_open = request.leaves_open().any(|field| field == used.field());
                    (is_open || (0..request.times(used)).any(named)) && self.counts(used, caller, request)
                })
                .map(|used| used.field())
                .or_else(|| self.touched_elsewhere(caller, request)),
        }
    }

    /// A link of other objects that the call changes in the namespace of the request.
    fn touched_elsewhere(&self, caller: &Caller, request: &Request) -> Option<&'static Field> {
        let netns = request.value(&field::NETNS.field);
        let mut open = request.leaves_open();
        open.find(|field| field.ty.is_link() && !request.call().has(field) && self.in_netns(netns, caller))
    }

    /// Whether the name in this field applies in one of the namespaces. The name of a link that moves also applies
    /// where it arrives, even with a new name: the kernel moves the link under the old name and renames it there.
    fn counts(&self, used: &Use, caller: &Caller, request: &Request) -> bool {
        let in_its_own = used.counts_in().find_map(|field| request.value(field));
        let target = used.also_in().and_then(|field| request.value(field));
        self.in_netns(in_its_own, caller) || target.is_some_and(|target| self.in_netns(Some(target), caller))
    }

    fn in_netns(&self, value: Option<&Value>, caller: &Caller) -> bool {
        match (&self.netns, value) {
            (None, _) => true,
            (Some(netns), Some(value)) => netns.meets(value, caller.uid),
            (Some(_), None) => true, // no namespace is given: it could be any
        }
    }
}
