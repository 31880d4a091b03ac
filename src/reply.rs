// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The reply to a call: one, or with `more` several, in the call's interface.
#![forbid(unsafe_code)]

use serde_json::{Map, Value, json};

use crate::call::{Call, Shape, varlink};
use crate::netlink::Elements;
use crate::refusal::{Executed, Exit, Refusal, system};
use crate::wire::{CallMessage, Wire};

/// A reply in progress. With `more`, the elements of a listing are sent as they arrive; without it, in one message.
#[derive(Debug)]
pub struct Reply<'a> {
    wire: &'a Wire,
    message: &'a CallMessage,
    call: &'static Call,
    /// The id of the request in the trail.
    id: &'a str,
    /// The name of the part of the result that is a listing.
    listing: Option<&'static str>,
    /// Elements that are not sent yet. They stay in the pieces in which they arrived: a single growing text would be
    /// copied again and again.
    held: Vec<String>,
    sent: usize,
    lost: bool,
}

impl Elements for Reply<'_> {
    /// With `more`, sends the elements that arrived before these, because they are known not to be the last.
    fn push(&mut self, elements: String) -> Result<String, Refusal> {
        if elements.is_empty() {
            return Ok(elements);
        }
        self.held.push(elements);
        let streams = self.message.more && self.call.result.streams && self.held.len() > 1;
        let (true, Some(listing)) = (streams, self.listing) else { return Ok(String::new()) };
        let mut first = self.held.remove(0);
        let head = format!(r#"{{"continues":true,"parameters":{{"{listing}":["#);
        let sent = self.wire.reply(&[&head, &first, "]}}"]);
        self.sent += 1;
        self.lost = sent.is_err(); // nothing may follow a broken message
        sent.map_err(system("send a part of the reply"))?;
        first.clear();
        Ok(first)
    }

    fn count(&self) -> usize {
        self.sent + self.held.len()
    }

    fn forget(&mut self, count: usize) -> bool {
        let held = count.checked_sub(self.sent);
        held.is_some_and(|held| {
            self.held.truncate(held);
            true
        })
    }
}

impl<'a> Reply<'a> {
    /// A reply to this call.
    #[must_use]
    pub fn new(wire: &'a Wire, call: &'static Call, message: &'a CallMessage, id: &'a str) -> Self {
        let listing = call.result.parts.iter().find(|part| matches!(part.ty, Shape::List(..))).map(|part| part.name);
        Self { wire, message, call, id, listing, held: Vec::new(), sent: 0, lost: false }
    }

    /// Sends the last reply. `recorded` is whether the trail has the outcome of the call, where the machine has a
    /// trail.
    #[must_use]
    pub fn end(self, Executed { result, lost }: Executed, recorded: bool) -> Exit {
        if self.lost {
            return Exit::Unanswered;
        }
        let mut also = Map::new();
        if !recorded {
            also.insert("recorded".to_owned(), false.into());
        }
        if !lost.is_empty() {
            also.insert("changed_meanwhile".to_owned(), lost.into());
        }
        match result {
            Ok(mut result) => {
                result.append(&mut also);
                self.send_result(result)
            }
            Err(refusal) => {
                let reply = refused(self.call, &refusal, self.id, also);
                send(self.wire, self.message, &reply, refusal.exit())
            }
        }
    }

    /// Sends a result: the listing, if it has one, and its other members.
    fn send_result(self, result: Map<String, Value>) -> Exit {
        let rest = Value::Object(result).to_string();
        let Some(listing) = self.listing else {
            return send_parts(self.wire, self.message, &[r#"{"parameters":"#, &rest, "}"], Exit::Done);
        };
        let head = format!(r#"{{"parameters":{{"{listing}":["#);
        let mut parts = vec![head.as_str()];
        for (at, elements) in self.held.iter().enumerate() {
            parts.extend((at > 0).then_some(",").into_iter().chain([elements.as_str()]));
        }
        let rest = rest.strip_prefix('{').unwrap_or_default();
        parts.extend([if rest == "}" { "]" } else { "]," }, rest, "}"]);
        send_parts(self.wire, self.message, &parts, Exit::Done)
    }
}

fn refused(call: &Call, refusal: &Refusal, id: &str, mut also: Map<String, Value>) -> Value {
    let mut parameters = refusal.parameters();
    parameters.insert("request".to_owned(), id.into());
    parameters.append(&mut also);
    json!({ "error": format!("{}{}.{}", varlink::PREFIX, call.family(), refusal.name()), "parameters": parameters })
}

/// Sends a reply, unless none is wanted.
#[must_use]
pub fn send(wire: &Wire, message: &CallMessage, reply: &Value, exit: Exit) -> Exit {
    send_parts(wire, message, &[&reply.to_string()], exit)
}

fn send_parts(wire: &Wire, message: &CallMessage, parts: &[&str], exit: Exit) -> Exit {
    if message.oneway {
        return exit;
    }
    match wire.reply(parts) {
        Ok(()) => exit,
        Err(_) => Exit::Unanswered,
    }
}
