// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The examples of netbroker-calls(7): requests, and for each the smallest rule that permits it. The rule is derived from
//! the request, so it cannot differ from what the policy compiler and the broker want.
#![forbid(unsafe_code)]

mod layout;
mod rule;
mod table;

use crate::call::json::Json;
use crate::call::request::Request;
use crate::call::{self, Call};

/// The uid of the caller of the examples, which no example gives. Defaults can depend on the caller.
const CALLER: u32 = 990;

/// A request.
#[derive(Debug)]
pub(super) struct Example {
    /// What it is for, as a sentence that ends with a colon.
    pub(super) purpose: &'static str,
    /// Its parameters, as JSON.
    parameters: &'static str,
}

/// The examples of a call or of one of its kinds.
#[derive(Debug)]
struct Section {
    call: &'static str,
    /// `None` for those that are about the fields of all kinds.
    kind: Option<&'static str>,
    examples: &'static [Example],
}

/// The examples of a call, or of one of its kinds.
pub(super) fn of(call: &Call, kind: Option<&str>) -> impl Iterator<Item = &'static Example> {
    let found = table::SECTIONS.iter().filter(move |section| section.call == call.name && section.kind == kind);
    found.flat_map(|section| section.examples)
}

/// What a kind of link is, in one or more sentences.
pub(super) fn kind(name: &str) -> Option<&'static str> {
    table::KINDS.iter().find(|(kind, _)| *kind == name).map(|(_, is)| *is)
}

/// Each example as a JSON object on a line of its own: the call, the parameters, and the rule.
pub(crate) fn listed() -> Result<String, String> {
    let mut lines = String::new();
    for section in table::SECTIONS {
        let call = call::by_name(section.call).ok_or_else(|| format!("no call named `{}`", section.call))?;
        for example in section.examples {
            let parameters: serde_json::Value =
                serde_json::from_str(example.parameters).map_err(|error| error.to_string())?;
            let rule = example.rule(call)?;
            lines += &format!("{}\n", serde_json::json!({"call": call.name, "parameters": parameters, "rule": rule}));
        }
    }
    Ok(lines)
}

impl Example {
    /// The parameters in lines of at most this many columns.
    pub(super) fn parameters(&self, columns: usize) -> Result<String, String> {
        Ok(layout::lines(&self.json()?, columns))
    }

    /// The smallest rule that permits the request, without `id` and `who`.
    pub(super) fn rule(&self, call: &'static Call) -> Result<String, String> {
        Ok(rule::lines(&self.request(call)?, CALLER).join("\n"))
    }

    fn json(&self) -> Result<Json, String> {
        Json::parse(self.parameters.as_bytes()).map_err(|error| format!("{}: {error}", self.parameters))
    }

    fn request(&self, call: &'static Call) -> Result<Request, String> {
        let wrong = |wrong: call::request::Invalid| format!("{}: {} {}", self.parameters, wrong.field, wrong.reason);
        Request::parse(call, &self.json()?, CALLER).map_err(wrong)
    }
}

#[cfg(test)]
mod tests;
