// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What happens to a request, from start to end.
#![forbid(unsafe_code)]

use std::ffi::CStr;

use nix::unistd::write;

use crate::audit::{NotTaken, Record, Refused, Trail};
use crate::call::json::Json;
use crate::call::request::Request;
use crate::call::value::shown;
use crate::call::varlink::Method;
use crate::call::{Call, Effect};
use crate::caller::Way;
use crate::policy::{Decision, Permit};
use crate::refusal::{Exit, Refusal, describe};
use crate::reply::{self, Reply};
use crate::stage::{Begun, Guarded, Inherited, give_up};
use crate::sys;
use crate::wire::{CallMessage, Complaints, End, Wire};

const USAGE: &str = "usage: netbroker [--peer | --version | --help]\n\
    Serves exactly one call on descriptors 0 and 1: a JSON object ended by NUL, or by the end of a file or pipe.\n\
    --peer  the caller is the other end of the Unix socket on descriptor 0\n\
    See netbroker(8); `netbrokerctl call` sends a call from a shell.\n";

/// What the command line requests.
enum Arguments {
    Serve { peer: bool },
    Say(&'static str),
    Wrong,
}

fn arguments(command_line: &[&CStr]) -> Arguments {
    let words: Vec<&[u8]> = command_line.iter().skip(1).map(|word| word.to_bytes()).collect();
    match words.as_slice() {
        [] => Arguments::Serve { peer: false },
        [b"--peer"] => Arguments::Serve { peer: true },
        [b"--version"] => Arguments::Say(concat!("netbroker ", env!("CARGO_PKG_VERSION"), "\n")),
        [b"--help"] => Arguments::Say(USAGE),
        _ => Arguments::Wrong,
    }
}

/// The program.
#[must_use]
pub fn main(command_line: &[&CStr]) -> Exit {
    let inherited = match Inherited::take() {
        Ok(inherited) => inherited,
        Err(exit) => return exit,
    };
    match arguments(command_line) {
        Arguments::Serve { peer } => serve(inherited, peer),
        Arguments::Say(text) => say(text),
        Arguments::Wrong => {
            inherited.complaints().write(USAGE);
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
    let (input, complaints, begun) = (inherited.input(), inherited.complaints(), inherited.begun().clone());
    let wire = |sender| Wire::new(input, complaints, sender, begun.at);
    match inherited.guard(peer) {
        Ok((guarded, trail)) => {
            let sender = (guarded.way() == Way::Peer).then(|| guarded.caller().clone());
            converse(guarded, &trail, wire(sender))
        }
        Err(refused) => apologise(refused, &begun, wire(None), complaints),
    }
}

/// Answers questions about the service, then the one call.
pub(crate) fn converse(guarded: Guarded, trail: &Trail, mut wire: Wire) -> Exit {
    match next_call(&mut wire) {
        Ok((call, message)) => carry_out(guarded, trail, &wire, call, &message),
        Err(NoCall { why, exit }) => {
            if let Some(why) = why {
                let _stands = trail.write(&guarded.record("refused").with_result(&why));
            }
            exit
        }
    }
}

/// A conversation that ended without a call.
struct NoCall {
    /// What is recorded; `None` where nothing was requested.
    why: Option<String>,
    exit: Exit,
}

/// Takes messages until one is a call. Questions about the service are answered, and more messages may follow them.
fn next_call(wire: &mut Wire) -> Result<(&'static Call, CallMessage), NoCall> {
    let mut answered = false;
    loop {
        let message = match wire.take() {
            Ok(message) => message,
            Err(End::Silence) if answered && wire.is_from_peer() => {
                return Err(NoCall { why: None, exit: Exit::NoRequest });
            }
            Err(End::Silence) if answered => return Err(NoCall { why: None, exit: Exit::Done }),
            // What a slow caller sends later is left for the next process.
            Err(End::Idle) if answered && wire.is_from_peer() => return Err(NoCall { why: None, exit: Exit::Done }),
            Err(end) => return Err(ended(wire, &end)),
        };
        match message.method_kind() {
            Method::Call(call) => {
                wire.require_end().map_err(|end| ended(wire, &end))?;
                return Ok((call, message));
            }
            Method::Unknown(error) => {
                let why = Some(format!("no such method: {}", shown(&message.method)));
                return Err(NoCall { why, exit: reply::send(wire, &message, &error, Exit::Request) });
            }
            Method::Service(answer) => match reply::send(wire, &message, &answer, Exit::Done) {
                // What follows is judged by the policy of then.
                Exit::Done if wire.is_handed_over() => return Err(NoCall { why: None, exit: Exit::Done }),
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
fn carry_out(guarded: Guarded, trail: &Trail, wire: &Wire, call: &'static Call, message: &CallMessage) -> Exit {
    let Begun { at: started, id } = guarded.begun().clone();
    let mut reply = Reply::new(wire, call, message, &id);
    let permit = match permit(&guarded, trail, call, &message.parameters, wire.is_handed_over()) {
        Ok(permit) => permit,
        Err(Refused { refusal, recorded }) => return reply.end(refusal.into(), recorded),
    };
    let mut outcome = guarded.record("outcome").about(permit.request()).with("RULE", permit.rule());
    let executed = match guarded.confine(permit, trail.descriptor()) {
        Ok(confined) => confined.execute(&mut reply),
        Err(refusal) => refusal.into(),
    };
    if !executed.lost.is_empty() {
        outcome = outcome.with("CHANGED_MEANWHILE", executed.lost.join(","));
    }
    let recorded = trail.has_taken(&outcome.ended(executed.result.as_ref().err(), started));
    reply.end(executed, recorded)
}

/// Parses, judges and records. A call that changes something continues only once its permission is recorded.
/// `may_be_outdated`: the policy was read before the request arrived.
fn permit(
    guarded: &Guarded,
    trail: &Trail,
    call: &'static Call,
    parameters: &Json,
    may_be_outdated: bool,
) -> Result<Permit, Refused> {
    let settings = guarded.settings();
    if !trail.exists() && settings.audit_required {
        let step =
            "reach the trail: neither journald nor syslog takes records; start one of them, or set `required = false` under \
             `[audit]` in the policy"
                .to_owned();
        return Err(Refusal::SystemError { step, errno: None }.into());
    }
    // A refusal is returned whether or not it can be recorded, because nothing is done in either case.
    let refuse = |record: Record, refusal: Refusal| {
        let recorded = trail.has_taken(&record.with_result(&refusal.to_string()));
        Refused { refusal, recorded }
    };
    let refuse_call = |refusal: Refusal| refuse(guarded.record("refused").with("CALL", call.name), refusal);
    if may_be_outdated && !guarded.has_policy_in_force() {
        let reason = "another policy was put in force while the request arrived".to_owned();
        return Err(refuse_call(Refusal::Busy { reason }));
    }
    let request =
        Request::parse(call, parameters, guarded.caller().uid).map_err(|invalid| refuse_call(invalid.into()))?;
    let verdict = guarded.judge(request).map_err(refuse_call)?;
    let record =
        guarded.record(if matches!(verdict.decision(), Decision::Allowed { .. }) { "permitted" } else { "refused" });
    let mut record = record.about(verdict.request());
    if let Some(rule) = verdict.decision().rule() {
        record = record.with("RULE", rule);
    }
    let permit = verdict.permit(settings.show_rule).map_err(|refusal| refuse(record.clone(), refusal))?;
    match trail.write(&record) {
        Err(NotTaken::Refused(errno)) if call.effect == Effect::Changes => {
            Err(Refusal::Busy { reason: format!("the trail did not take the record: {}", describe(errno)) }.into())
        }
        _ => Ok(permit),
    }
}

/// Reports what went wrong before a byte was read. The process first gives up everything, because it must still read
/// the request: the error belongs to the interface of the requested call.
fn apologise(refused: Refused, begun: &Begun, wire: Wire, complaints: Complaints) -> Exit {
    let Refused { refusal, recorded } = refused;
    let (exit, why) = (refusal.exit(), refusal.to_string());
    if !give_up().is_ok_and(|()| answer(refusal, begun, wire, |_| recorded).is_ok()) {
        complaints.say(&why);
    }
    exit
}

/// Answers the call with a refusal that does not depend on it. `record` writes the result of the request to the trail, and
/// reports whether it is there. The error is the exit status of a conversation that ended without a call.
pub(crate) fn answer(
    refusal: Refusal,
    begun: &Begun,
    mut wire: Wire,
    record: impl FnOnce(&str) -> bool,
) -> Result<Exit, Exit> {
    match next_call(&mut wire) {
        Ok((call, message)) => {
            let recorded = record(&refusal.to_string());
            Ok(Reply::new(&wire, call, &message, &begun.id).end(refusal.into(), recorded))
        }
        Err(NoCall { why, exit }) => {
            why.map(|why| record(&why));
            Err(exit)
        }
    }
}
