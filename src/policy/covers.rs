// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What two rules say together: one that says what the other says already, and an allow that a deny leaves nothing of.
//!
//! The comparison may miss such a pair. It names none that is not one: where it cannot tell, it is silent.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use super::compile::{Origin, Policy};
use super::compiled::Placed;
use super::constraint::{Constraint, Entries, Numbers, Prefix, Range, UID, matches};
use super::diagnostics::Source;
use super::rule::{Principal, Rule, Ruling, Touches};
use super::warnings::Warning;
use crate::call::field::NETNS;
use crate::call::inet::bits;
use crate::call::types::Type;
use crate::call::value::Value;
use crate::call::{self, Absence, Call, Use};

/// The rules of one id, one for each call.
type Parts<'p> = Vec<&'p Placed>;

/// What makes one of two rules superfluous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The other says the same.
    Equal,
    /// The other says all that it says, and more.
    Covered,
    /// The other is a deny that forbids all that it permits.
    Denied,
}

impl Policy {
    /// Rules without which the policy decides as it does, each with the other rule that makes it so. Of two equal ones it
    /// is the second.
    #[must_use]
    pub fn superfluous(&self) -> Vec<(&Origin, Relation, &Origin)> {
        let pairs = Pairs::of(self.placed());
        let origins: BTreeMap<&str, (usize, &Origin)> =
            self.origins().iter().enumerate().map(|(at, origin)| (origin.id.as_str(), (at, origin))).collect();
        let mut found = Vec::new();
        for (at, origin) in self.origins().iter().enumerate() {
            let Some((relation, other)) = pairs.superfluous(&origin.id) else { continue };
            let Some((other_at, other)) = origins.get(other) else { continue };
            if relation != Relation::Equal || *other_at < at {
                found.push((origin, relation, *other));
            }
        }
        found
    }

    /// The same as warnings. The sources are those that it was compiled from.
    #[must_use]
    pub fn comparisons(&self, sources: &[Source]) -> Vec<Warning> {
        let warning = |(of, relation, other): (&Origin, Relation, &Origin)| {
            let (id, place) = (&of.id, format!("`{}` ({}:{})", other.id, other.file, other.line));
            let message = match relation {
                Relation::Equal => format!("`{id}` says the same as {place}; remove one of them"),
                Relation::Covered => format!("{place} covers all that `{id}` says; remove it, or narrow one of them"),
                Relation::Denied => {
                    format!("{place} forbids all that `{id}` permits; remove it, or narrow one of them")
                }
            };
            let source = sources.iter().find(|source| source.name == of.file)?;
            Some(Warning::new(source.line(of.line), message))
        };
        self.superfluous().into_iter().filter_map(warning).collect()
    }
}

/// All rules, by id and by where the broker looks for them: only rules of one place can say something of each other.
struct Pairs<'p> {
    of_id: BTreeMap<&'p str, Parts<'p>>,
    at: BTreeMap<(bool, u16, Principal), Parts<'p>>,
}

impl<'p> Pairs<'p> {
    fn of(rules: &'p [Placed]) -> Self {
        let mut pairs = Self { of_id: BTreeMap::new(), at: BTreeMap::new() };
        for placed in rules {
            pairs.of_id.entry(&placed.rule.id).or_default().push(placed);
            for principal in &placed.principals {
                let place = (placed.rule.ruling == Ruling::Deny, placed.call, *principal);
                pairs.at.entry(place).or_default().push(placed);
            }
        }
        pairs
    }

    /// What makes the rule of this id superfluous, if anything does; of several the first by id.
    fn superfluous(&self, id: &str) -> Option<(Relation, &'p str)> {
        let parts = self.of_id.get(id)?;
        let first = *parts.first()?;
        let principal = *first.principals.first()?;
        let call = call_of(first)?;
        // Nearly all are told apart by their part for one call: the others are not looked up.
        let find = |denies: bool, one: PartHolds, all: fn(&Parts<'_>, &Parts<'_>) -> bool| {
            let near =
                [principal, Principal::Everyone].into_iter().filter_map(|of| self.at.get(&(denies, first.call, of)));
            let likely = near.flatten().filter(|other| other.rule.id != id && one(call, first, other));
            let mut ids: Vec<&'p str> = likely.map(|other| other.rule.id.as_str()).collect();
            ids.sort_unstable();
            ids.into_iter().find(|other| self.of_id.get(other).is_some_and(|other| all(parts, other)))
        };
        let denies = first.rule.ruling == Ruling::Deny;
        if let Some(other) = find(denies, part_covered, covered) {
            let is_equal = self.of_id.get(other).is_some_and(|other| covered(other, parts));
            return Some((if is_equal { Relation::Equal } else { Relation::Covered }, other));
        }
        let deny = if denies { None } else { find(true, part_denied, wholly_denied) };
        deny.map(|deny| (Relation::Denied, deny))
    }
}

/// What is asked of two rules for one call.
type PartHolds = fn(&Call, &Placed, &Placed) -> bool;

fn call_of(placed: &Placed) -> Option<&'static Call> {
    call::all().find(|call| call.number == placed.call)
}

/// Whether something holds of a rule and the other one, for each call of the rule.
fn for_each_call(parts: &Parts<'_>, other: &Parts<'_>, holds: PartHolds) -> bool {
    parts.iter().all(|part| {
        let of_its_call = |other: &&&Placed| other.call == part.call;
        call_of(part).is_some_and(|call| other.iter().filter(of_its_call).any(|other| holds(call, part, other)))
    })
}

/// Whether the other rule says of every call all that this one says.
fn covered(parts: &Parts<'_>, other: &Parts<'_>) -> bool {
    for_each_call(parts, other, part_covered)
}

fn part_covered(call: &Call, part: &Placed, other: &Placed) -> bool {
    part.rule.ruling == other.rule.ruling
        && whoever(part, other)
        && match part.rule.ruling {
            Ruling::Allow => permits_all(call, &part.rule, &other.rule),
            Ruling::Deny => forbids_all(&part.rule, &other.rule),
        }
}

/// Whether a rule speaks of everybody that another one speaks of.
fn whoever(of: &Placed, other: &Placed) -> bool {
    let everyone = other.principals.contains(&Principal::Everyone);
    (everyone || of.principals.iter().all(|principal| other.principals.contains(principal)))
        && other.rule.except.iter().all(|spared| of.rule.except.contains(spared))
}

fn said(rule: &Rule, number: u16) -> Option<&Constraint> {
    rule.fields.iter().find(|(of, _)| *of == number).map(|(_, constraint)| constraint)
}

/// Whether an allow permits every request of a call that another one permits.
fn permits_all(call: &Call, of: &Rule, other: &Rule) -> bool {
    let required = other.require.iter().all(|field| of.require.contains(field));
    required
        && call.all_uses().all(|used| match (said(of, used.field.number), said(other, used.field.number)) {
            (Some(of), Some(other)) => inside(of, other, Ruling::Allow),
            (Some(_), None) => false,
            (None, Some(other)) => has_absence(used, other),
            (None, None) => true,
        })
}

/// Whether what an allow that does not name a field permits of it is inside a constraint.
fn has_absence(used: &Use, constraint: &Constraint) -> bool {
    match used.absence {
        Absence::Untouched => true,
        // The caller's uid is one value of many.
        Absence::Default(_) | Absence::Required => {
            constraint.contains_all()
                || matches!(used.absence.constant(0), Some(value @ (Value::Bool(_) | Value::Word(_))) if constraint.contains(&value, 0))
        }
        Absence::Any | Absence::Chosen | Absence::Follows => constraint.contains_all(),
    }
}

/// Whether a deny forbids every request that another one forbids: it names no other fields, and each of them as widely.
fn forbids_all(of: &Rule, other: &Rule) -> bool {
    let named = other
        .fields
        .iter()
        .all(|(number, wide)| said(of, *number).is_some_and(|narrow| inside(narrow, wide, Ruling::Deny)));
    named
        && match (&of.touches, &other.touches) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(of), Some(other)) => touches_all(of, other),
        }
}

fn touches_all(of: &Touches, other: &Touches) -> bool {
    let within = |of: &Option<Constraint>, other: &Option<Constraint>| match (of, other) {
        (_, None) => true,
        (Some(of), Some(other)) => inside(of, other, Ruling::Deny),
        (None, Some(_)) => false,
    };
    of.link.is_some() == other.link.is_some() && within(&of.link, &other.link) && within(&of.netns, &other.netns)
}

/// Whether a deny forbids every request that an allow permits.
fn wholly_denied(parts: &Parts<'_>, deny: &Parts<'_>) -> bool {
    for_each_call(parts, deny, part_denied)
}

fn part_denied(call: &Call, part: &Placed, deny: &Placed) -> bool {
    meets_whoever(part, deny) && meets_all(call, &part.rule, &deny.rule)
}

/// A deny spares by groups, too, and a user may be in any.
fn meets_whoever(part: &Placed, deny: &Placed) -> bool {
    let everyone = deny.principals.contains(&Principal::Everyone);
    let named = part.principals.iter().all(|principal| deny.principals.contains(principal));
    let spared = |principal: &Principal| match principal {
        Principal::Uid(_) => {
            deny.rule.except.iter().any(|except| !matches!(except, Principal::Uid(_)) || except == principal)
        }
        Principal::Everyone | Principal::Gid(_) => !deny.rule.except.is_empty(),
    };
    (everyone || named) && !part.principals.iter().any(spared)
}

fn meets_all(call: &Call, allow: &Rule, deny: &Rule) -> bool {
    let met = |number: u16, wide: &Constraint| {
        let used = call.uses.iter().find(|used| used.field.number == number && used.inside.is_none());
        used.is_some_and(|used| is_there(used, allow))
            && said(allow, number).is_some_and(|narrow| inside(narrow, wide, Ruling::Deny))
    };
    let named = deny.fields.iter().all(|(number, wide)| met(*number, wide));
    let touched = deny.touches.as_ref().is_none_or(|touches| {
        let netns = touches.netns.as_ref().is_none_or(|wide| met(NETNS.field.number, wide));
        let in_netns = |used: &Use| touches.netns.is_none() || used.counts_in.first() == Some(&&NETNS.field);
        let links = call.uses.iter().filter(|used| matches!(used.field.ty, Type::Link) && in_netns(used));
        let link = touches.link.as_ref().is_none_or(|wide| links.into_iter().any(|used| met(used.field.number, wide)));
        netns && link
    });
    named && touched
}

/// Whether every request that the allow permits has the field.
fn is_there(used: &Use, allow: &Rule) -> bool {
    matches!(used.absence, Absence::Required) || allow.require.contains(&used.field.number)
}

/// Whether whatever is in one constraint is in another.
fn inside(narrow: &Constraint, wide: &Constraint, ruling: Ruling) -> bool {
    let takes_no_more = match (&wide.except, &narrow.except) {
        (None, _) => true,
        (Some(wide), Some(narrow)) => wide == narrow,
        (Some(_), None) => false,
    };
    let host = ruling == Ruling::Allow && has_host(&narrow.entries) && !has_host(&wide.entries);
    takes_no_more && (wide.any || (!narrow.any && entries_inside(&narrow.entries, &wide.entries, ruling))) && !host
}

fn has_host(entries: &Entries) -> bool {
    matches!(entries, Entries::Patterns(patterns) if patterns.iter().any(|pattern| pattern == "@host"))
}

fn entries_inside(narrow: &Entries, wide: &Entries, ruling: Ruling) -> bool {
    match (narrow, wide) {
        (Entries::Patterns(narrow), Entries::Patterns(wide)) => each_in_one(narrow, wide, |n, w| pattern_inside(n, w)),
        (Entries::Addresses(narrow), Entries::Addresses(wide)) => {
            each_in_one(narrow, wide, |n, w| range_inside(*n, *w, ruling))
        }
        (Entries::Numbers(narrow), Entries::Numbers(wide)) => each_in_one(narrow, wide, |n, w| numbers_inside(*n, *w)),
        (Entries::Bools(narrow), Entries::Bools(wide)) => narrow.iter().all(|truth| wide.contains(truth)),
        _ => false,
    }
}

fn each_in_one<T>(narrow: &[T], wide: &[T], is_inside: impl Fn(&T, &T) -> bool) -> bool {
    narrow.iter().all(|narrow| wide.iter().any(|wide| is_inside(narrow, wide)))
}

/// A pattern is matched as if it were a name: `*` then takes any part of it. `?` takes one character, which must not be
/// one that stands for several.
fn pattern_inside(narrow: &str, wide: &str) -> bool {
    let several = narrow.contains('*') || narrow.contains(UID);
    if narrow == wide {
        return true;
    }
    // `?` would take one character of several, and no pattern takes a word.
    let is_unlike = narrow.starts_with('@') || wide.starts_with('@') || (several && wide.contains('?'));
    !is_unlike && matches(wide, narrow)
}

fn numbers_inside(narrow: Numbers, wide: Numbers) -> bool {
    match (narrow, wide) {
        (Numbers::Between(from, to), Numbers::Between(least, most)) => least <= from && to <= most,
        (narrow, wide) => narrow == wide,
    }
}

fn range_inside(narrow: Range, wide: Range, ruling: Ruling) -> bool {
    match (narrow, wide) {
        (Range::Inside(narrow), Range::Inside(wide)) | (Range::Lengths(narrow, ..), Range::Inside(wide)) => {
            wide.contains(&narrow)
        }
        (Range::Exactly(address, length), Range::Inside(wide)) => wide.contains(&Prefix::new(address, length)),
        (Range::Lengths(narrow, from, to), Range::Lengths(wide, least, most)) => {
            wide.contains(&narrow) && least <= from && to <= most
        }
        (Range::Exactly(address, length), Range::Lengths(wide, least, most)) => {
            wide.contains(&Prefix::new(address, length)) && (least..=most).contains(&length)
        }
        // A deny on a prefix also meets what is wider, and one on lengths does not.
        (Range::Inside(narrow), Range::Lengths(wide, least, most)) => {
            ruling == Ruling::Allow && wide.contains(&narrow) && least <= narrow.length && most == bits(narrow.network)
        }
        (Range::Exactly(..), Range::Exactly(..)) => narrow == wide,
        (_, Range::Exactly(..)) => false,
    }
}
