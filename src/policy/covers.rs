// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Compares two rules: finds a rule that another one already covers, and an allow that a deny forbids completely.
//!
//! The comparison can miss such a pair, but never reports a wrong one.
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
use crate::call::value::Value;
use crate::call::{self, Absence, Call, Use};

/// The compiled rules with one id, one for each call.
type Parts<'p> = Vec<&'p Placed>;

/// Why one of two rules is superfluous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The other rule is equal.
    Equal,
    /// The other rule covers it, and more.
    Covered,
    /// The other rule is a deny that forbids everything that it permits.
    Denied,
}

impl Policy {
    /// Rules whose removal changes no decision, each with the other rule that is the reason. Of two equal rules, the
    /// second is reported.
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

    /// The same as warnings. `sources` are those that the policy was compiled from.
    #[must_use]
    pub fn comparisons(&self, sources: &[Source]) -> Vec<Warning> {
        let warning = |(of, relation, other): (&Origin, Relation, &Origin)| {
            let (id, place) = (&of.id, format!("`{}` ({}:{})", other.id, other.file, other.line));
            let message = match relation {
                Relation::Equal => format!("`{id}` is equal to {place}; remove one of them"),
                Relation::Covered => format!(
                    "`{id}` has no effect, since {place} covers all of it; remove `{id}`, \
                                              or narrow the other"
                ),
                Relation::Denied => {
                    format!(
                        "`{id}` permits nothing, since the deny {place} forbids all of it; remove `{id}`, or \
                             narrow the deny"
                    )
                }
            };
            let source = sources.iter().find(|source| source.name == of.file)?;
            Some(Warning::new(source.line(of.line), message))
        };
        self.superfluous().into_iter().filter_map(warning).chain(self.passed_by(sources)).collect()
    }
}

/// All rules, by id and by the place where the broker looks for them. Only rules of one place can cover each other.
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

    /// Why the rule with this id is superfluous, and the other rule; of several the first by id.
    fn superfluous(&self, id: &str) -> Option<(Relation, &'p str)> {
        let parts = self.of_id.get(id)?;
        let first = *parts.first()?;
        let principal = *first.principals.first()?;
        let call = call_of(first)?;
        // Nearly all rules already differ in their part for one call. Only the others are compared completely.
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

/// A comparison of two rules for one call.
type PartHolds = fn(&Call, &Placed, &Placed) -> bool;

fn call_of(placed: &Placed) -> Option<&'static Call> {
    call::all().find(|call| call.number == placed.call)
}

/// Whether a comparison with the other rule holds for each call of a rule.
fn for_each_call(parts: &Parts<'_>, other: &Parts<'_>, holds: PartHolds) -> bool {
    parts.iter().all(|part| {
        let of_its_call = |other: &&&Placed| other.call == part.call;
        call_of(part).is_some_and(|call| other.iter().filter(of_its_call).any(|other| holds(call, part, other)))
    })
}

/// Whether the other rule covers this one for every call.
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

/// Whether the other rule applies to every caller that a rule applies to.
fn whoever(of: &Placed, other: &Placed) -> bool {
    let everyone = other.principals.contains(&Principal::Everyone);
    (everyone || of.principals.iter().all(|principal| other.principals.contains(principal)))
        && other.rule.except.iter().all(|spared| of.rule.except.contains(spared))
}

fn said(rule: &Rule, number: u16) -> Option<&Constraint> {
    rule.fields.iter().find(|(of, _)| *of == number).map(|(_, constraint)| constraint)
}

/// Whether the other allow permits every request of a call that an allow permits.
fn permits_all(call: &Call, of: &Rule, other: &Rule) -> bool {
    let required = other.require.iter().all(|field| of.require.contains(field));
    required
        && call.all_uses().all(|used| match (said(of, used.field().number), said(other, used.field().number)) {
            (Some(of), Some(other)) => inside(of, other, Ruling::Allow),
            (Some(_), None) => false,
            (None, Some(other)) => has_absence(used, other),
            (None, None) => true,
        })
}

/// Whether a constraint contains what an allow permits for a field that it does not name.
fn has_absence(used: &Use, constraint: &Constraint) -> bool {
    match used.absence {
        Absence::Untouched => true,
        // The caller's uid can have many values.
        Absence::Default(_) | Absence::Required => {
            constraint.contains_all()
                || matches!(used.absence.constant(0), Some(value @ (Value::Bool(_) | Value::Word(_))) if constraint.contains(&value, 0))
        }
        Absence::Any | Absence::Chosen | Absence::Follows => constraint.contains_all(),
    }
}

/// Whether the other deny forbids every request that a deny forbids: it names no further fields, and its constraint on
/// each is at least as wide.
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

/// Whether a deny applies to every caller of an allow. A deny can also exclude groups, and a user may be in any group.
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
        let used = call.uses.iter().find(|used| used.field().number == number && used.inside().is_none());
        used.is_some_and(|used| is_there(used, allow) || is_met_if_absent(call, used))
            && said(allow, number).is_some_and(|narrow| inside(narrow, wide, Ruling::Deny))
    };
    let named = deny.fields.iter().all(|(number, wide)| met(*number, wide));
    let touched = deny.touches.as_ref().is_none_or(|touches| {
        let netns = touches.netns.as_ref().is_none_or(|wide| met(NETNS.field.number, wide));
        let in_netns = |used: &Use| touches.netns.is_none() || used.counts_in().next() == Some(&NETNS.field);
        let links = call.uses.iter().filter(|used| used.field().ty.is_link() && in_netns(used));
        let link =
            touches.link.as_ref().is_none_or(|wide| links.into_iter().any(|used| met(used.field().number, wide)));
        netns && link
    });
    named && touched
}

/// Whether every request that the allow permits has the field.
fn is_there(used: &Use, allow: &Rule) -> bool {
    matches!(used.absence, Absence::Required) || allow.require.contains(&used.field().number)
}

/// Whether every deny on a field meets its absence in every request: no other field can close it.
fn is_met_if_absent(call: &Call, used: &Use) -> bool {
    let can_be_closed = call.excludes.iter().any(|(one, other, _)| [*one, *other].contains(&used.field()));
    used.open_when_absent() && !used.is_condition && !can_be_closed
}

/// Whether one constraint contains everything that another contains.
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

/// Matches the narrow pattern as if it were a name. A `*` of the wide pattern matches any part of it. A `?` matches one
/// character, which must not stand for several.
fn pattern_inside(narrow: &str, wide: &str) -> bool {
    let several = narrow.contains('*') || narrow.contains(UID);
    if narrow == wide {
        return true;
    }
    // `?` would match one character that stands for several, and no pattern matches an `@` word.
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
        // A deny on a prefix also meets wider prefixes. A deny with lengths does not.
        (Range::Inside(narrow), Range::Lengths(wide, least, most)) => {
            ruling == Ruling::Allow && wide.contains(&narrow) && least <= narrow.length && most == bits(narrow.network)
        }
        (Range::Exactly(..), Range::Exactly(..)) => narrow == wide,
        (_, Range::Exactly(..)) => false,
    }
}
