// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Decides requests. A request that no allow permits is refused, a deny overrides every allow, order has no effect, and
//! one allow must permit the whole request. The decision depends on caller, request and rules, never on the system: it
//! is the same for absent, existing and foreign objects.
#![forbid(unsafe_code)]

use super::rule::{Rule, Ruling};
use crate::call::field::{Field, NETNS};
use crate::call::request::Request;
use crate::caller::Caller;
use crate::refusal::Refusal;

/// The decision of the rules on a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This allow permits it.
    Allowed {
        /// Of several the first by id.
        rule: String,
    },
    /// This deny forbids it.
    Forbidden {
        /// Of several the first by id.
        rule: String,
        /// The field that it met.
        field: Option<&'static str>,
    },
    /// No rule permits it.
    Silence {
        /// The nearest allow, and every field that prevents it from permitting the request, in the order of
        /// declaration.
        nearest: Option<(String, Vec<&'static str>)>,
    },
}

impl Decision {
    /// The rule that decided; `None` if no rule did.
    #[must_use]
    pub fn rule(&self) -> Option<&str> {
        match self {
            Self::Allowed { rule } | Self::Forbidden { rule, .. } => Some(rule),
            Self::Silence { .. } => None,
        }
    }
}

/// Judges a request by the rules for this caller and this call.
#[must_use]
pub fn judge(rules: &[Rule], caller: &Caller, request: &Request) -> Decision {
    let mut by_id: Vec<&Rule> = rules.iter().collect();
    by_id.sort_by(|a, b| a.id.cmp(&b.id));
    for rule in by_id.iter().filter(|rule| rule.ruling == Ruling::Deny) {
        if let Some(field) = rule.forbids(caller, request) {
            return Decision::Forbidden { rule: rule.id.clone(), field: field.map(|f| f.name) };
        }
    }
    let mut nearest: Option<((bool, usize), &Rule, Vec<&'static Field>)> = None;
    for rule in by_id.iter().filter(|rule| rule.ruling == Ruling::Allow) {
        let Some(mismatches) = rule.mismatches(caller, request) else { continue };
        if mismatches.is_empty() {
            return Decision::Allowed { rule: rule.id.clone() };
        }
        // A rule for another namespace is less near than any rule for this one.
        let distance = (mismatches.contains(&&NETNS.field), mismatches.len());
        if nearest.as_ref().is_none_or(|(other, ..)| distance < *other) {
            nearest = Some((distance, rule, mismatches));
        }
    }
    let names = |fields: Vec<&'static Field>| fields.into_iter().map(|field| field.name).collect();
    Decision::Silence { nearest: nearest.map(|(_, rule, fields)| (rule.id.clone(), names(fields))) }
}

/// Proof that the policy allows exactly this request to this caller. Only [`Verdict::permit`] makes one. It is not
/// `Clone`, because one permit is for one transaction.
#[must_use]
#[derive(Debug)]
pub struct Permit {
    request: Request,
    rule: String,
}

impl Permit {
    /// The permitted request.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The allow that permits it.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.rule
    }
}

/// A request with its decision.
#[derive(Debug)]
pub struct Verdict {
    request: Request,
    decision: Decision,
}

impl Verdict {
    /// Judges a request.
    #[must_use]
    pub fn on(rules: &[Rule], caller: &Caller, request: Request) -> Self {
        let decision = judge(rules, caller, &request);
        Self { request, decision }
    }

    /// The decision.
    #[must_use]
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The permit, if the decision allows the request.
    ///
    /// # Errors
    /// [`Refusal::Denied`]; with `show_rule` it names the rule.
    pub fn permit(self, show_rule: bool) -> Result<Permit, Refusal> {
        let call = self.request.call().name;
        let (rule, field, reason) = match self.decision {
            Decision::Allowed { rule } => return Ok(Permit { request: self.request, rule }),
            Decision::Forbidden { rule, field } => (Some(rule), field, "a deny forbids it"),
            Decision::Silence { nearest: Some((rule, fields)) } => {
                (Some(rule), fields.first().copied(), "no allow permits it")
            }
            Decision::Silence { nearest: None } => (None, None, "no allow permits it"),
        };
        Err(Refusal::Denied { call, field: field.map(str::to_owned), rule: rule.filter(|_| show_rule), reason })
    }
}
