// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Decisions in words, for `explain` and for the tests of a policy.
#![forbid(unsafe_code)]

use super::Decision;
use super::compile::{Origin, Policy};
use super::diagnostics::plain;
use crate::call::request::{FieldValue, Request};

impl Policy {
    /// A decision in words: the rule and its place.
    #[must_use]
    pub fn describe(&self, decision: &Decision, request: &Request) -> String {
        let place = |id: &str| match self.origin(id) {
            Some(Origin { file, line, .. }) => format!("`{id}` ({}:{line})", plain(file)),
            None => format!("`{id}`"),
        };
        match decision {
            Decision::Allowed { rule } => format!("allowed by {}", place(rule)),
            Decision::Forbidden { rule, field: Some(name) } => {
                let call = request.call();
                let is_of_call = call.leaves_open.iter().any(|field| field.name == *name);
                let is_elsewhere = call.elsewhere_open().any(|field| field.name == *name);
                let why = match request.leaves_open().any(|field| field.name == *name) {
                    true if is_elsewhere => format!("; {} may change objects with any `{name}`", call.name),
                    true if is_of_call => format!("; {} leaves open which `{name}` the existing object has", call.name),
                    true => format!("; what the request gives does not limit `{name}`"),
                    false => String::new(),
                };
                format!("denied by {}, which meets field `{name}`{why}", place(rule))
            }
            Decision::Forbidden { rule, field: None } => format!("denied by {}", place(rule)),
            Decision::Silence { nearest: None } => "refused: no rule permits it".to_owned(),
            Decision::Silence { nearest: Some((rule, fields)) } => {
                let mismatches = fields.iter().map(|name| self.mismatch(rule, name, request));
                let (unnamed, mut why): (Vec<_>, Vec<_>) = mismatches.partition(|why| why.starts_with(UNNAMED));
                let unnamed: Vec<&str> = unnamed.iter().filter_map(|why| why.strip_prefix(UNNAMED)).collect();
                // Fields that are not named share one clause.
                if let Some((last, others)) = unnamed.split_last() {
                    let others = others.join(", ");
                    let and = if others.is_empty() { "" } else { " and " };
                    why.push(format!("{UNNAMED}{others}{and}{last}"));
                }
                format!("refused: no rule permits it; nearest is {}: {}", place(rule), why.join("; "))
            }
        }
    }

    /// Why the allow with this id does not permit what a request gives for one field.
    fn mismatch(&self, rule: &str, name: &str, request: &Request) -> String {
        let value = requested(request, name);
        let Some(origin) = self.origin(rule) else { return format!("it does not permit {value} of `{name}`") };
        match origin.said.iter().find(|(field, _)| *field == name) {
            Some((_, said)) if value == "`@host`" && said.contains(['*', '?']) => {
                format!("its `{name}` = {said} does not permit `@host`, which no pattern matches: list it by name")
            }
            Some((_, said)) => format!("its `{name}` = {said} does not permit {value}"),
            // An absent field needs no name.
            None if value == ABSENT => format!("it requires `{name}`"),
            None => format!("{UNNAMED}`{name}`"),
        }
    }
}

const ABSENT: &str = "its absence";
const UNNAMED: &str = "it does not name ";

/// The value that a request gives for a field. If the elements of a list differ, the value of each.
fn requested(request: &Request, name: &str) -> String {
    let used = request.call().uses(request.kind()).find(|used| used.field().name == name);
    let said = |time| match used.map(|used| request.field_value(used, time)) {
        Some(FieldValue::Value(value)) => format!("`{value}`"),
        _ => ABSENT.to_owned(),
    };
    let mut all: Vec<String> = (0..used.map_or(0, |used| request.times(used))).map(said).collect();
    all.dedup();
    match all.as_slice() {
        [] => ABSENT.to_owned(),
        [one] => one.clone(),
        all => format!("each of {}", all.join(", ")),
    }
}
