// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kernel's answers. The first bytes of the input make a request. The rest is the kernel's answer to each message
//! of it: datagrams, each after its length. Messages of sequence 0 get the sequence number of the request.
//!
//! A call succeeds, and knows that its links are what they were, only if every one of its requests was answered well:
//! completely, with messages of one listing, and without an error except one that the object does not exist or already
//! exists. Its result then agrees with its declaration.
#![no_main]

use std::cell::RefCell;
use std::rc::Rc;

use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::{Corpus, fuzz_target};
use netbroker::call::needs::LastStage;
use netbroker::call::{Part, Shape};
use netbroker::netlink::{self, Netlink, Protocol};
use netbroker_fuzz::listed::Listed;
use netbroker_fuzz::netlink::{DONE, DUMP, ERROR, GETLINK, INTERRUPTED, Message, NOOP};
use netbroker_fuzz::netlink::{answer, attributes, head_of, i32_at, messages, new_of};
use netbroker_fuzz::requests::{make, places};
use serde_json::Value;

/// Bytes from which a request is made.
const REQUEST: usize = 32;
/// `ENOENT`, `ESRCH`, `EEXIST`, `ENODEV`, `EADDRNOTAVAIL`: errors that a call can tolerate on request.
const TOLERABLE: [i32; 5] = [2, 3, 17, 19, 99];

/// `NLM_F_ACK`, `NLM_F_ECHO` (`linux/netlink.h`).
const ACK: u16 = 0x4;
const ECHO: u16 = 0x8;

/// How the answer to one request ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Well,
    Refused(i32),
    /// It is of a listing that changed meanwhile: the broker may request it again.
    Changed,
    /// It does not parse, or is of another kind.
    Badly,
    /// It does not end.
    Open,
}

/// How an answer must be taken, by the headers of the kernel. `parses` returns which part of a message must parse.
fn end(datagrams: &[Vec<u8>], asked: Message<'_>, parses: fn(Message<'_>) -> bool) -> End {
    let (mut whole, mut changed) = (true, false);
    for message in datagrams.iter().flat_map(|datagram| messages(datagram)) {
        let Some(message) = message else { return End::Badly };
        if message.sequence != asked.sequence || message.kind == NOOP {
            continue;
        }
        changed |= message.flags & INTERRUPTED != 0 && asked.flags & DUMP != 0;
        match (message.kind, i32_at(message.payload, 0)) {
            (ERROR | DONE, Some(0)) if whole => return if changed { End::Changed } else { End::Well },
            (ERROR | DONE, Some(code @ i32::MIN..0)) if code != i32::MIN => return End::Refused(-code),
            (ERROR | DONE, _) => return End::Badly,
            // With an echo, what was removed is announced by a message of the same type.
            (kind, _) if kind == asked.kind && asked.flags & ECHO != 0 => {}
            (kind, _) if kind != new_of(asked.kind) => return End::Badly,
            // Without an acknowledgement, one message is the whole answer.
            _ if asked.flags & (ACK | DUMP) == 0 => return if parses(message) { End::Well } else { End::Badly },
            // Messages in addition to an acknowledgement are not needed, nor is the rest of a listing that changed.
            _ if changed => {}
            _ => whole &= asked.kind & 3 != 2 || parses(message),
        }
    }
    End::Open
}

fn parses(message: Message<'_>) -> bool {
    inside(message).is_some()
}

/// Includes what is nested in the attributes of a link (`IFLA_LINKINFO`).
fn parses_deep(message: Message<'_>) -> bool {
    let nested = |(kind, payload): &(u16, &[u8])| *kind != 18 || attributes(payload).is_some();
    inside(message).is_some_and(|inside| inside.iter().all(nested))
}

fn inside(message: Message<'_>) -> Option<Vec<(u16, &[u8])>> {
    attributes(message.payload.get(head_of(message.kind)?..)?)
}

/// What the kernel answers, and how each of its answers ended.
struct Script {
    rest: Vec<u8>,
    /// Each request, without its number, and how its answer ended.
    ends: Vec<(Vec<u8>, End)>,
    /// Whether the call is a listing. It looks links up before it has read the whole listing, which may then end badly.
    lists: bool,
    /// Whether a change was sent. The look-ups after it may end in any way: whatever the change did, the reply then
    /// shows that the names of the links are not known. Another change must not follow.
    sent: bool,
    parses: fn(Message<'_>) -> bool,
}

impl Script {
    fn answer(&mut self, datagram: &[u8]) -> Vec<Vec<u8>> {
        let asked = messages(datagram)[0].expect("the broker's own message");
        let failed = self.ends.iter().any(|(_, end)| matches!(end, End::Badly | End::Open));
        let looks_up = self.lists && asked.kind == GETLINK && asked.flags & DUMP == 0;
        let is_look_up_after_a_change = self.sent && asked.kind & 3 == 2;
        assert!(!failed || looks_up || is_look_up_after_a_change, "it goes on after an answer that does not parse");
        let mut said = Vec::new();
        self.ends.push((asked.payload.to_vec(), End::Open));
        while let Some((length, rest)) = self.rest.split_first_chunk::<2>() {
            let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
            let (mut datagram, rest) = (rest[..length].to_vec(), rest[length..].to_vec());
            self.rest = rest;
            answer(&mut datagram, asked.sequence);
            said.push(datagram);
            let end = end(&said, asked, self.parses);
            self.ends.last_mut().expect("pushed above").1 = end;
            if end != End::Open {
                break;
            }
        }
        self.sent |= asked.kind & 3 != 2;
        said
    }

    /// Whether every request was answered well, at the first or a later attempt.
    fn ended_well(&self) -> bool {
        self.ends.iter().enumerate().all(|(at, (question, end))| match end {
            End::Well => true,
            End::Refused(errno) => TOLERABLE.contains(errno),
            End::Changed => self.ends[at + 1..].iter().any(|(again, _)| again == question),
            End::Badly | End::Open => false,
        })
    }
}

/// Whether a result agrees with the declaration.
fn assert_told(told: &Value, parts: &[Part]) {
    let object = told.as_object().expect("an object");
    for part in parts {
        assert!(!part.always || object.contains_key(part.name), "no {} in {told}", part.name);
    }
    for (name, value) in object {
        let part = parts.iter().find(|part| part.name == name).unwrap_or_else(|| panic!("undeclared {name} in {told}"));
        match part.ty {
            Shape::Bool => assert!(value.is_boolean(), "{name} in {told}"),
            Shape::Int => assert!(value.is_i64() || value.is_u64(), "{name} in {told}"), // counters have 64 bits
            Shape::String => assert!(value.is_string(), "{name} in {told}"),
            Shape::Ints => assert!(value.as_array().expect(name).iter().all(Value::is_u64), "{name} in {told}"),
            Shape::Strings => assert!(value.as_array().expect(name).iter().all(Value::is_string), "{name} in {told}"),
            Shape::Object(inner) => assert_told(value, &inner.all()),
            Shape::List(_, inner) => {
                value.as_array().expect(name).iter().for_each(|one| assert_told(one, &inner.all()))
            }
        }
    }
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((request, script)) = bytes.split_at_checked(REQUEST) else { return Corpus::Reject };
    let Some(request) = make(&mut Unstructured::new(request)) else { return Corpus::Reject };
    let call = request.call();
    if request.needs().stage != LastStage::Transaction {
        return Corpus::Reject;
    }
    let parses: fn(Message<'_>) -> bool =
        if call.family() == "Link" && call.result.streams { parses_deep } else { parses };
    let script = Rc::new(RefCell::new(Script {
        rest: script.to_vec(),
        ends: Vec::new(),
        lists: call.result.streams,
        sent: false,
        parses,
    }));
    let kernel = script.clone();
    netlink::answer_with(move |datagram| kernel.borrow_mut().answer(datagram));
    let mut route = Netlink::open(Protocol::Route).expect("it opens nothing");
    let mut listed = Listed::default();
    let result = netlink::prepare(&mut route, places(&request), &request)
        .and_then(|mut prepared| prepared.run(&mut route, &mut listed));
    if let (Ok(result), true) = (result, route.lost().is_empty()) {
        assert!(script.borrow().ended_well(), "{:?}: {result:?}", script.borrow().ends);
        let mut told = Value::Object(result);
        if let (true, Some(list)) = (call.result.streams, call.result.parts.first()) {
            let text = format!("[{}]", listed.0.join(","));
            told[list.name] = serde_json::from_str(&text).expect("JSON");
        }
        assert_told(&told, call.result.parts);
    }
    Corpus::Keep
});
