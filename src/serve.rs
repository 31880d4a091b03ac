// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The story of a request, top to bottom.
#![forbid(unsafe_code)]

use std::env;

use nix::unistd::write;
use serde_json::{Map, Value};

use crate::audit::{NotTaken, Record};
use crate::call::json::Json;
use crate::call::request::Request;
use crate::call::value::shown;
use crate::call::varlink::Asked;
use crate::call::{Call, Effect};
use crate::caller::Way;
use crate::policy::{Decision, Permit};
use crate::refusal::{Exit, Refusal};
use crate::stage::{Begun, Confined, Guarded, Inherited, give_up};
use crate::sys;
use crate::wire::{self, End, Message, Wire};

const USAGE: &str = "usage: netbroker [--peer | --version | --help]\n\
    Serves exactly one call on descriptors 0 and 1: a JSON object ended by NUL, or by the end of a file or pipe.\n\
    --peer  the caller is the other end of the Unix socket on descriptor 0\n\
    See netbroker(8); `netbrokerctl call` asks from a shell.\n";

/// What the broker was asked for on its command line.
enum Arguments {
    Serve { peer: bool },
    Say(&'static str),
    Wrong,
}

fn arguments() -> Arguments {
    let mut rest = env::args_os().skip(1);
    match (rest.next().as_ref().and_then(|word| word.to_str()), rest.next()) {
        (None, _) if env::args_os().len() <= 1 => Arguments::Serve { peer: false },
        (Some("--peer"), None) => Arguments::Serve { peer: true },
        (Some("--version"), None) => Arguments::Say(concat!("netbroker ", env!("CARGO_PKG_VERSION"), "\n")),
        (Some("--help"), None) => Arguments::Say(USAGE),
        _ => Arguments::Wrong,
    }
}

/// The program.
#[must_use]
pub fn main() -> Exit {
    let inherited = match Inherited::take() {
        Ok(inherited) => inherited,
        Err(exit) => return exit,
    };
    match arguments() {
        Arguments::Serve { peer } => serve(inherited, peer),
        Arguments::Say(text) => say(text),
        Arguments::Wrong => {
            let _unheard = write(sys::stderr(), USAGE.as_bytes());
            Exit::Request
        }
    }
}

fn say(text: &str) -> Exit {
    match write(sys::stdout(), text.as_bytes()) {
        Ok(_) => Exit::Done,
        Err(_) => Exit::Unanswered,
    }
}

fn serve(inherited: Inherited, peer: bool) -> Exit {
    let (input, begun) = (inherited.input(), inherited.begun().clone());
    match inherited.guard(peer) {
        Ok(guarded) => {
            let sender = (guarded.way() == Way::Peer).then(|| guarded.caller().clone());
            converse(guarded, Wire::new(input, sender, begun.at))
        }
        Err(refusal) => apologise(&refusal, &begun, Wire::new(input, None, begun.at)),
    }
}

/// Answers questions about the service, then the one call.
fn converse(guarded: Guarded, mut wire: Wire) -> Exit {
    match next_call(&mut wire) {
        Ok((call, message)) => carry_out(guarded, &wire, call, message),
        Err(NoCall { why, exit }) => {
            if let Some(why) = why {
                let _stands = guarded.trail().write(&guarded.record("refused").with("RESULT", why));
            }
            exit
        }
    }
}

/// A conversation that ended without a call.
struct NoCall {
    /// What goes on record; nothing where nobody asked for anything.
    why: Option<String>,
    exit: Exit,
}

/// Takes messages until one is a call. Questions about the service do not count.
fn next_call(wire: &mut Wire) -> Result<(&'static Call, Message), NoCall> {
    let mut answered = false;
    loop {
        let message = match wire.take() {
            Ok(message) => message,
            Err(End::Silence) if answered => return Err(NoCall { why: None, exit: Exit::Done }),
            Err(end) => return Err(ended(wire, &end)),
        };
        match message.asked() {
            Asked::Call(call) => {
                wire.require_end().map_err(|end| ended(wire, &end))?;
                return Ok((call, message));
            }
            Asked::Unknown(error) => {
                let why = Some(format!("no such method: {}", shown(&message.method)));
                return Err(NoCall { why, exit: finish(wire, &message, &error, Exit::Request) });
            }
            Asked::Service(answer) => match finish(wire, &message, &answer, Exit::Done) {
                Exit::Done => answered = true,
                exit => return Err(NoCall { why: None, exit }),
            },
        }
    }
}

fn ended(wire: &Wire, end: &End) -> NoCall {
    NoCall { why: end.why(), exit: wire.answer_end(end) }
}

/// Judge, record, confine, execute, record, reply.
fn carry_out(guarded: Guarded, wire: &Wire, call: &'static Call, mut message: Message) -> Exit {
    let Begun { at: started, id } = guarded.begun().clone();
    let outcome = guarded.record("outcome");
    // Large as it may be, it is freed before the last filter, which lets no memory be given back.
    let parameters = std::mem::replace(&mut message.parameters, Json::Null);
    let permit = match permit(&guarded, call, &parameters) {
        Ok(permit) => permit,
        Err(refusal) => return finish(wire, &message, &wire::refused(call, &refusal, &id), refusal.exit()),
    };
    drop(parameters);
    let outcome = outcome.of(permit.request()).with("RULE", permit.rule());
    let mut stream = Stream::new(wire, call, message.more && call.result.streams);
    let (result, trail) = match guarded.confine(permit) {
        Ok(confined) => execute(confined, &mut stream),
        Err((refusal, trail)) => (Err(refusal), trail),
    };
    let told = match &result {
        Ok(_) => "done".to_owned(),
        Err(refusal) => refusal.to_string(),
    };
    let duration = started.elapsed().as_micros().to_string();
    let recorded = trail.write(&outcome.with("RESULT", told).with("DURATION_US", duration)).is_ok() || !trail.exists();
    stream.end(&message, result, recorded, &id)
}

fn execute(confined: Confined, stream: &mut Stream<'_>) -> (Result<Map<String, Value>, Refusal>, crate::audit::Trail) {
    let (result, _spent, trail) = confined.execute(&mut |elements| stream.push(elements));
    (result, trail)
}

/// Parses, judges and records. A call that changes something goes on only once the trail has its permission.
fn permit(guarded: &Guarded, call: &'static Call, parameters: &Json) -> Result<Permit, Refusal> {
    let settings = guarded.settings();
    if !guarded.trail().exists() && settings.audit_required {
        let step =
            "reach the trail: neither journald nor syslog takes records, and `[audit] required` is on".to_owned();
        return Err(Refusal::SystemError { step, errno: None });
    }
    // A refusal stands whether or not the trail takes its record: nothing is done either way.
    let refuse = |record: Record, refusal: Refusal| {
        let _stands = guarded.trail().write(&record.with("RESULT", refusal.to_string()));
        refusal
    };
    let request = Request::parse(call, parameters)
        .map_err(|invalid| refuse(guarded.record("refused").with("CALL", call.name), invalid.into()))?;
    let verdict =
        guarded.judge(request).map_err(|refusal| refuse(guarded.record("refused").with("CALL", call.name), refusal))?;
    let record =
        guarded.record(if matches!(verdict.decision(), Decision::Allowed { .. }) { "permitted" } else { "refused" });
    let mut record = record.of(verdict.request());
    if let Some(rule) = verdict.decision().rule() {
        record = record.with("RULE", rule);
    }
    let permit = verdict.permit(settings.show_rule).map_err(|refusal| refuse(record.clone(), refusal))?;
    match guarded.trail().write(&record) {
        Err(NotTaken::Refused(errno)) if call.effect == Effect::Changes => {
            Err(Refusal::Busy { reason: format!("the trail did not take the record: {}", errno.desc()) })
        }
        _ => Ok(permit),
    }
}

/// The elements of a listing on their way to the caller: at once where `more` was said, else all in one reply.
struct Stream<'a> {
    wire: &'a Wire,
    call: &'static Call,
    part: &'static str,
    more: bool,
    held: Vec<Value>,
    lost: bool,
}

impl<'a> Stream<'a> {
    fn new(wire: &'a Wire, call: &'static Call, more: bool) -> Self {
        let list = call.result.parts.iter().find(|part| matches!(part.ty, crate::call::Shape::List(..)));
        Self { wire, call, part: list.map_or("", |part| part.name), more, held: Vec::new(), lost: false }
    }

    /// Takes some elements. With `more`, those held before are known not to be the last.
    fn push(&mut self, elements: Vec<Value>) {
        if self.more && !self.held.is_empty() {
            let held = std::mem::take(&mut self.held);
            let reply = wire::done(&Map::from_iter([(self.part.to_owned(), held.into())]), true);
            self.lost |= self.wire.reply(&reply).is_err();
        }
        self.held.extend(elements);
    }

    /// The last reply.
    fn end(self, message: &Message, result: Result<Map<String, Value>, Refusal>, recorded: bool, id: &str) -> Exit {
        let (mut reply, exit) = match result {
            Ok(mut result) => {
                if !self.part.is_empty() {
                    result.insert(self.part.to_owned(), self.held.into());
                }
                (wire::done(&result, false), Exit::Done)
            }
            Err(refusal) => (wire::refused(self.call, &refusal, id), refusal.exit()),
        };
        if let (false, Some(parameters)) = (recorded, reply.get_mut("parameters").and_then(Value::as_object_mut)) {
            parameters.insert("recorded".to_owned(), false.into());
        }
        if self.lost { Exit::Unanswered } else { finish(self.wire, message, &reply, exit) }
    }
}

/// Sends a reply, unless none is wanted.
fn finish(wire: &Wire, message: &Message, reply: &Value, exit: Exit) -> Exit {
    if message.oneway {
        return exit;
    }
    match wire.reply(reply) {
        Ok(()) => exit,
        Err(_) => Exit::Unanswered,
    }
}

/// What goes wrong before a byte was read is told after giving up everything: the request still has to be read to know
/// in whose interface to answer.
fn apologise(refusal: &Refusal, begun: &Begun, mut wire: Wire) -> Exit {
    match give_up().map(|()| next_call(&mut wire)) {
        Ok(Ok((call, message))) => {
            let _unheard = finish(&wire, &message, &wire::refused(call, refusal, &begun.id), refusal.exit());
        }
        _ => {
            let _unheard = write(sys::stderr(), format!("netbroker: {refusal}\n").as_bytes());
        }
    }
    refusal.exit()
}
