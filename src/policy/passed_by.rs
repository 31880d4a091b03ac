// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finds denies that protect routes from calls of routes only, while an allow permits to remove or redirect routes by
//! their nexthop objects. A deny applies to the calls that it lists, so this is valid, but rarely what was meant.
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
        let others: Vec<&Call> = call::all().filter(|call| call.elsewhere_open().next().is_some()).collect();
        let warning = |deny: &Origin| {
            let parts: Vec<&Placed> = self.placed().iter().filter(|placed| placed.rule.id == deny.id).collect();
            let first = parts.iter().find(|part| part.rule.ruling == Ruling::Deny && protects_routes(part))?;
            let is_listed = |call: &Call| parts.iter().any(|part| part.call == call.number);
            let allowed = |call: &&&Call| self.placed().iter().any(|placed| permits(placed, call, first));
            let missing = others.iter().filter(|call| !is_listed(call) && would_meet(first, call)).filter(allowed);
            let missing: Vec<String> = missing.map(|call| format!("\"{}\"", call.name)).collect();
            let source = sources.iter().find(|source| source.name == deny.file)?;
            (!missing.is_empty()).then(|| {
                let message = format!(
                    "`{}` does not list {}, which an allow permits and which also removes or redirects routes; add it to \
                     `call`",
                    deny.id,
                    missing.join(", ")
                );
                Warning::new(source.line(deny.line), message)
            })
        };
        self.origins().iter().filter_map(warning).collect()
    }
}

/// Whether a part of a deny is about existing routes.
fn protects_routes(part: &Placed) -> bool {
    let is_such = |call: &&'static Call| call.number == part.call && call.effect == Effect::Changes;
    call::all().find(is_such).is_some_and(|call| call.family() == "Route" && call.verb() != "Add")
}

/// Whether the deny would meet requests of a call because of the routes that the call changes.
fn would_meet(deny: &Placed, call: &Call) -> bool {
    let fields = deny.rule.fields.iter().map(|(number, _)| *number);
    let is_open = |number: u16| call.leaves_open.iter().any(|field: &&Field| field.is_met_as(number));
    let touches_links = deny.rule.touches.as_ref().is_some_and(|touches| touches.link.is_some());
    let links = touches_links.then_some(LINK.field.number);
    let mut of_routes = fields.chain(links).filter(|number| *number != NETNS.field.number).peekable();
    of_routes.peek().is_some() && of_routes.all(|number| is_open(number) || call.can_be_met(None, number))
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
