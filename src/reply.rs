// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The reply to a call: one, or with `more` several, in the call's interface.
#![forbid(unsafe_code)]

use serde_json::{Value, json};

use crate::call::{Call, Shape, varlink};
use crate::refusal::{Executed, Exit, Refusal};
use crate::wire::{CallMessage, Wire};

/// A reply on its way: the elements of a listing go out as they come where `more` was said, else all in one.
#[derive(Debug)]
pub struct Reply<'a> {
    wire: &'a Wire,
    message: &'a CallMessage,
    call: &'static Call,
    /// The id of the request in the trail.
    id: &'a str,
    /// The part of the result that is a listing.
    listing: Option<&'static str>,
    held: Vec<Value>,
    lost: bool,
}

impl<'a> Reply<'a> {
    /// A reply to this call.
    #[must_use]
    pub fn new(wire: &'a Wire, call: &'static Call, message: &'a CallMessage, id: &'a str) -> Self {
        let listing = call.result.parts.iter().find(|part| matches!(part.ty, Shape::List(..))).map(|part| part.name);
        Self { wire, message, call, id, listing, held: Vec::new(), lost: false }
    }

    /// Takes some elements. With `more`, those held before are known not to be the last.
    pub fn push(&mut self, elements: Vec<Value>) {
        let streams = self.message.more && self.call.result.streams;
        if let (true, Some(listing)) = (streams && !self.held.is_empty(), self.listing) {
            let held = std::mem::take(&mut self.held);
            let reply = json!({ "parameters": { listing: held }, "continues": true });
            self.lost = self.lost || self.wire.reply(&reply).is_err(); // nothing follows what broke off
        }
        self.held.extend(elements);
    }

    /// The last reply. `recorded` is whether the trail has how the call ended, where there is a trail.
    #[must_use]
    pub fn end(self, Executed { result, lost }: Executed, recorded: bool) -> Exit {
        let (mut reply, exit) = match result {
            Ok(mut result) => {
                result.extend(self.listing.map(|listing| (listing.to_owned(), self.held.into())));
                (json!({ "parameters": result }), Exit::Done)
            }
            Err(refusal) => (refused(self.call, &refusal, self.id), refusal.exit()),
        };
        if let Some(parameters) = reply.get_mut("parameters").and_then(Value::as_object_mut) {
            if !recorded {
                parameters.insert("recorded".to_owned(), false.into());
            }
            if !lost.is_empty() {
                parameters.insert("changed_meanwhile".to_owned(), lost.into());
            }
        }
        if self.lost { Exit::Unanswered } else { send(self.wire, self.message, &reply, exit) }
    }
}

fn refused(call: &Call, refusal: &Refusal, id: &str) -> Value {
    let mut parameters = refusal.parameters();
    parameters.insert("request".to_owned(), id.into());
    json!({ "error": format!("{}{}.{}", varlink::PREFIX, call.family(), refusal.name()), "parameters": parameters })
}

/// Sends a reply, unless none is wanted.
#[must_use]
pub fn send(wire: &Wire, message: &CallMessage, reply: &Value, exit: Exit) -> Exit {
    if message.oneway {
        return exit;
    }
    match wire.reply(reply) {
        Ok(()) => exit,
        Err(_) => Exit::Unanswered,
    }
}
