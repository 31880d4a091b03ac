// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A decision in words, for people: `explain` and the tests of a policy say the same.
#![forbid(unsafe_code)]

use super::Decision;
use super::compile::{Origin, Policy};
use crate::call::field;
use crate::call::request::Request;

impl Policy {
    /// A decision in words: the rule, and where it stands.
    #[must_use]
    pub fn told(&self, decision: &Decision, request: &Request) -> String {
        let place = |id: &str| match self.origin(id) {
            Some(Origin { file, line, .. }) => format!("`{id}` ({file}:{line})"),
            None => format!("`{id}`"),
        };
        match decision {
            Decision::Allowed { rule } => format!("allowed by {}", place(rule)),
            Decision::Forbidden { rule, field: Some(field) } => {
                format!("denied by {}, which meets field `{field}`", place(rule))
            }
            Decision::Forbidden { rule, field: None } => format!("denied by {}", place(rule)),
            Decision::Silence { nearest: None } => "refused: no rule permits it".to_owned(),
            Decision::Silence { nearest: Some((rule, name)) } => {
                let said = self.origin(rule).and_then(|origin| origin.said.iter().find(|(field, _)| field == name));
                let value = field::by_name(name).and_then(|field| request.value(field));
                let value = value.map_or_else(|| "its absence".to_owned(), |value| format!("`{value}`"));
                let why = match said {
                    Some((_, said)) if value == "`@host`" && said.contains(['*', '?']) => {
                        format!("whose `{name}` = {said} does not permit `@host`: no pattern does, it must be written")
                    }
                    Some((_, said)) => format!("whose `{name}` = {said} does not permit {value}"),
                    None => format!("which does not name `{name}`"),
                };
                format!("refused: no rule permits it; nearest is {}, {why}", place(rule))
            }
        }
    }
}
