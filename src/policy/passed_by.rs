// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finds denies that protect objects from some calls, while an allow permits another call that removes or changes them, too: a
//! flush, a replacement, or a call for what they refer to. A deny applies to the calls that it lists, so this is valid, but
//! rarely what was meant.
#![forbid(unsafe_code)]

use super::compile::{Origin, Policy};
use super::compiled::Placed;
use super::diagnostics::Source;
use super::rule::{Principal, Ruling};
use super::warnings::Warning;
use crate::call::field::{Field, LINK, NETNS};
use crate::call::{self, Call, Effect};

impl Policy {
    /// The warnings. `sources` are those that the policy was compiled from.
    pub(super) fn passed_by(&self, sources: &[Source]) -> Vec<Warning> {
        let warning = |deny: &Origin| {
            let parts: Vec<&Placed> = self.placed().iter().filter(|placed| placed.rule.id == deny.id).collect();
            let is_listed = |call: &Call| parts.iter().any(|part| part.call == call.number);
            let is_allowed =
                |call: &Call, part: &Placed| self.placed().iter().any(|placed| permits(placed, call, part));
            let is_missed = |call: &&'static Call| {
                !is_listed(call) && parts.iter().any(|part| passes_by(part, call) && is_allowed(call, part))
            };
            let missing: Vec<String> = call::all().filter(is_missed).map(|call| format!("\"{}\"", call.name)).collect();
            let source = sources.iter().find(|source| source.name == deny.file)?;
            (!missing.is_empty()).then(|| {
                let message = format!(
                    "`{}` does not list {}, which an allow permits and which can also remove or change what it protects; \
                     write {} in `call`",
                    deny.id,
                    missing.join(", "),
                    if missing.len() == 1 { "it" } else { "them" }
                );
                Warning::new(source.line(deny.line), message)
            })
        };
        self.origins().iter().filter_map(warning).collect()
    }
}

/// Whether a part of a deny is about existing objects, and the other call removes or changes the same objects.
fn passes_by(part: &Placed, other: &Call) -> bool {
    let Some(call) = call::all().find(|call| call.number == part.call) else { return false };
    let is_about_existing = call.effect == Effect::Changes && call.verb() != "Add";
    let is_alike = call.family() == other.family()
        && call.verb() == "Delete"
        && (other.verb() == "Flush" || !other.leaves_open.is_empty());
    let is_deny = part.rule.ruling == Ruling::Deny;
    is_deny && is_about_existing && (is_alike || reaches(part, other)) && would_meet(part, other)
}

/// What a deny says of objects: the numbers of its fields, and that of `link` for links that it `touches`.
fn said(deny: &Placed) -> impl Iterator<Item = u16> {
    let touches_links = deny.rule.touches.as_ref().is_some_and(|touches| touches.link.is_some());
    let links = touches_links.then_some(LINK.field.number);
    deny.rule.fields.iter().map(|(number, _)| *number).chain(links).filter(|number| *number != NETNS.field.number)
}

/// Whether a call changes other objects, with a field that the deny names.
fn reaches(deny: &Placed, call: &Call) -> bool {
    said(deny).any(|number| call.elsewhere_open().any(|field| field.is_met_as(number)))
}

/// Whether the deny would meet requests of a call, if it listed it.
fn would_meet(deny: &Placed, call: &Call) -> bool {
    let is_open = |number: u16| call.leaves_open.iter().any(|field: &&Field| field.is_met_as(number));
    let mut named = said(deny).peekable();
    named.peek().is_some() && named.all(|number| is_open(number) || call.can_be_met(None, number))
}

/// Whether a rule is an allow of this call for a caller to whom the deny applies.
fn permits(placed: &Placed, call: &Call, deny: &Placed) -> bool {
    let everyone = deny.principals.contains(&Principal::Everyone);
    let denied = |principal: &Principal| {
        let named = everyone || *principal == Principal::Everyone || deny.principals.contains(principal);
        named && !deny.rule.except.contains(principal)
    };
    placed.rule.ruling == Ruling::Allow && placed.call == call.number && placed.principals.iter().any(denied)
}
