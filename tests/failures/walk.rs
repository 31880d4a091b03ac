// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls of a request, one by one. Each fails, and each is the last one; then what is claimed is compared with what
//! is true.

use super::errors;
use common::tracer::{self, Fate, Step};
use common::{Caller, Host, Record, Reply, request};
use nix::errno::Errno;
use nix::libc;
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

/// The longest waits are for the trail and for a lock, a second each. The machine may be slow.
const SHORT: Duration = Duration::from_secs(8);
/// The namespaces of [`super::host`].
pub(crate) const PLACES: &[&str] = &["w", "p"];

/// Where a walk begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Start,
    FirstFilter,
    LastFilter,
}

/// A request, and the requests that undo it.
pub(crate) struct Asked {
    pub(crate) method: &'static str,
    pub(crate) parameters: Value,
    pub(crate) more: bool,
    pub(crate) undo: Vec<(&'static str, Value)>,
    /// A script that undoes what no request can.
    pub(crate) reset: &'static str,
}

pub(crate) fn asked(method: &'static str, parameters: Value) -> Asked {
    Asked { method, parameters, more: false, undo: Vec::new(), reset: "" }
}

impl Asked {
    pub(crate) fn undo(mut self, method: &'static str, parameters: Value) -> Self {
        self.undo.push((method, parameters));
        self
    }

    fn only_looks(&self) -> bool {
        self.method.ends_with(".List") || self.method.ends_with(".Get")
    }
}

/// A host, a caller with a request, and the state before and after it.
pub(crate) struct Walk<'h> {
    host: &'h Host,
    caller: Caller<'h>,
    on_socket: bool,
    asked: Asked,
    before: String,
    after: String,
    answer: Value,
}

impl<'h> Walk<'h> {
    pub(crate) fn new(host: &'h Host, caller: Caller<'h>, asked: Asked) -> Self {
        let nothing = String::new;
        Self { host, caller, on_socket: false, asked, before: nothing(), after: nothing(), answer: Value::Null }
    }

    pub(crate) fn on_socket(self) -> Self {
        Self { on_socket: true, ..self }
    }

    /// Makes the request once undisturbed. Then fails each of its calls in each way, and kills the process at each.
    pub(crate) fn walk(mut self, from: From) {
        let mut steps = Vec::new();
        self.before = self.state();
        let undisturbed = self.run(|step| {
            steps.push(step);
            Fate::Done
        });
        self.answer = told(&undisturbed.last.expect("an answer"));
        self.after = undisturbed.state;
        self.take_back();
        let first = match from {
            From::Start => steps.iter().position(|step| step.number == libc::SYS_alarm),
            From::FirstFilter => steps.iter().position(|step| step.number == libc::SYS_seccomp),
            From::LastFilter => steps.iter().rposition(|step| step.number == libc::SYS_seccomp),
        };
        let mut lies = Vec::new();
        for (at, step) in steps.iter().enumerate().skip(first.expect("a beginning")) {
            for fate in fates(*step) {
                lies.extend(self.strike(at, *step, fate));
            }
        }
        assert!(lies.is_empty(), "{} lies of {}:\n{}", lies.len(), self.asked.method, lies.join("\n"));
    }

    /// Makes this happen to the call at this place. Returns what is then not as it should be.
    fn strike(&self, at: usize, step: Step, fate: Fate) -> Option<String> {
        let lasts = errors::is_memory(step.number) && fate != Fate::Killed;
        let mut way = Vec::new();
        let end = self.run(|now| {
            way.push(now.number);
            match way.len() - 1 {
                n if n < at => Fate::Done,
                n if n == at || lasts && errors::is_memory(now.number) => fate,
                _ if lasts => Fate::Done,
                _ => Fate::LeftAlone,
            }
        });
        assert_eq!(way.get(at), Some(&step.number), "another way: {}", end.reply);
        let lies = [self.lies_heard(&end, step, fate), self.lies_on_record(&end)].concat();
        if end.state != self.before || fate == Fate::Killed {
            self.take_back();
        }
        let what = || {
            let records: Vec<String> = end.records.iter().map(Record::text).collect();
            let (name, _) = errors::of(step.number);
            format!("{at}: {name}{:x?} {fate:?}: {lies:?}\n{}\n{}", step.arguments, end.reply, records.join("\n"))
        };
        (!lies.is_empty()).then(what)
    }

    fn run(&self, fate: impl FnMut(Step) -> Fate) -> End {
        self.host.forget_trail();
        let caller = tracer::stopped(&self.caller);
        let mut running = if self.on_socket { caller.start_on_socket() } else { caller.start() };
        running.send(&request(self.asked.method, self.asked.parameters.clone(), self.asked.more));
        tracer::trace(&running, fate);
        let since = Instant::now();
        let reply = running.finish();
        let took = since.elapsed();
        let last = whole(&reply).pop().filter(|message| message.get("continues").is_none());
        End { reply, last, records: self.host.trail(), state: self.state(), took }
    }

    /// Links, addresses and what else the request is about, the entries of /run/netns, and what is mounted there.
    fn state(&self) -> String {
        let mut names: Vec<_> = fs::read_dir("/run/netns").unwrap().map(|file| file.unwrap().file_name()).collect();
        names.sort_unstable();
        let there = PLACES.iter().filter(|netns| names.iter().any(|name| name == **netns));
        let about = match self.asked.method.split('.').next() {
            Some("Route") => Some("route show"),
            Some("Rule") => Some("rule show"),
            Some("Neighbour") => Some("neigh show nud all"),
            _ => None,
        };
        let more = |netns| about.map(|words| self.host.ip_in(netns, words));
        let mut lines: Vec<String> =
            there.flat_map(|netns| self.host.told(netns).into_iter().chain(more(netns))).collect();
        lines.push(format!("{names:?}"));
        let mounts = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
        lines.extend(points.filter(|point| point.starts_with("/run/netns")).map(str::to_owned));
        lines.join("\n")
    }

    /// Requires that requests of another process work at once, and undo whatever was done.
    fn take_back(&self) {
        for (method, parameters) in &self.asked.undo {
            let since = Instant::now();
            let reply = self.host.caller().call(method, parameters.clone());
            assert!(matches!(reply.status(), 0 | 1) && since.elapsed() < SHORT, "{reply}");
        }
        if !self.asked.reset.is_empty() {
            self.host.sh(self.asked.reset);
        }
        assert_eq!(self.state(), self.before, "after {:?}", self.asked.undo);
    }

    /// What the caller receives that is not true.
    fn lies_heard(&self, end: &End, step: Step, fate: Fate) -> Vec<&'static str> {
        let changed = end.state != self.before;
        let (succeeds, fails, silent) = (end.succeeds(), end.error().is_some(), end.last.is_none());
        // Where the look-up after the change fails, it is unknown whether the link still has its name, and the reply
        // reports that.
        let asked = matches!(step.number, libc::SYS_sendto | libc::SYS_recvfrom) && fate != Fate::Done;
        let same = |last: &Value| {
            let mut answer = told(last);
            let link = answer["parameters"].as_object_mut().and_then(|answer| answer.remove("changed_meanwhile"));
            answer == self.answer
                && link.is_none_or(|link| asked && (link == json!(["link"]) || link == json!(["iif"])))
        };
        let differs = end.last.as_ref().is_none_or(|last| !same(last));
        let waits = matches!(step.number, libc::SYS_poll | libc::SYS_write | libc::SYS_recvfrom | libc::SYS_recvmsg);
        let interrupted = waits && fate == Fate::Fails(Errno::EINTR);
        let status = end.reply.signal().is_none().then(|| end.reply.status());
        if fails && status.is_some() {
            end.reply.error(); // asserts that its status is the one of its name
        }
        let other_signal = match end.reply.signal() {
            Some(libc::SIGKILL) => fate != Fate::Killed,
            other => other.is_some() || fate == Fate::Killed,
        };
        claims([
            ("it takes long", end.took > SHORT),
            ("another end", other_signal),
            ("a success, and it is not done", succeeds && end.state != self.after),
            ("a success, and its answer is another", succeeds && differs),
            ("a success with another status", succeeds && status.is_some_and(|status| status != 0)),
            ("an error with status 0", fails && status == Some(0)),
            ("an error that blames the request", end.named("InvalidRequest") || end.named("InvalidParameter")),
            ("an error that blames the policy", scarce(fate) && end.named("PolicyInvalid")),
            ("silence with status 0", silent && status == Some(0)),
            ("an error that hides a change", fails && changed && !end.admits()),
            ("an error that admits what cannot be", fails && end.admits() && self.asked.only_looks()),
            ("an error that admits, and says by its status that nothing was done", end.admits() && status != Some(1)),
            ("silence, a change, and a status of nothing done", silent && changed && status.is_some_and(|s| s != 74)),
            ("an interruption that matters", interrupted && differs),
        ])
    }

    /// What is recorded that is not true.
    fn lies_on_record(&self, end: &End) -> Vec<&'static str> {
        let changed = end.state != self.before;
        let outcome = end.event("outcome").map(|record| record.field("NETBROKER_RESULT"));
        let done = outcome == Some("done");
        let admitted = outcome.is_some_and(|outcome| outcome.contains("may_have_changed=true"));
        let (permitted, refused) = (end.event("permitted").is_some(), end.event("refused").is_some());
        let heard = end.last.is_some();
        let says_unrecorded = end.parameters().get("recorded") == Some(&Value::Bool(false));
        claims([
            ("a change without a permission", changed && !permitted),
            (
                "an outcome of a change without a permission",
                outcome.is_some() && !permitted && !self.asked.only_looks(),
            ),
            ("an outcome of done, and it is not", done && end.state != self.after),
            ("an outcome that hides a change", changed && outcome.is_some() && !done && !admitted),
            ("an outcome other than the reply", outcome.is_some() && heard && done != end.succeeds()),
            ("a refusal, and a success or a change", refused && (changed || end.succeeds())),
            (
                "no outcome, and a reply that does not say so",
                heard && permitted && outcome.is_none() && !says_unrecorded,
            ),
            ("an outcome, and a reply that says there is none", outcome.is_some() && says_unrecorded),
            ("a refusal on record, and a reply that says there is none", refused && says_unrecorded),
            (
                "nothing on record, and an error that does not say so",
                end.of_the_interface() && !permitted && !refused && outcome.is_none() && !says_unrecorded,
            ),
        ])
    }
}

/// How one process ended, and the state at that time.
struct End {
    reply: Reply,
    /// The message that ends the reply.
    last: Option<Value>,
    records: Vec<Record>,
    state: String,
    took: Duration,
}

impl End {
    fn error(&self) -> Option<&Value> {
        self.last.as_ref()?.get("error")
    }

    fn named(&self, name: &str) -> bool {
        self.error().and_then(Value::as_str).is_some_and(|error| error.ends_with(name))
    }

    fn of_the_interface(&self) -> bool {
        self.error().and_then(Value::as_str).is_some_and(|error| error.starts_with("io.netbroker."))
    }

    fn succeeds(&self) -> bool {
        self.last.is_some() && self.error().is_none()
    }

    fn parameters(&self) -> &Value {
        self.last.as_ref().map_or(&Value::Null, |last| &last["parameters"])
    }

    fn admits(&self) -> bool {
        self.parameters().get("may_have_changed") == Some(&Value::Bool(true))
    }

    fn event(&self, name: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.field("NETBROKER_EVENT") == name)
    }
}

fn claims<const N: usize>(all: [(&'static str, bool); N]) -> Vec<&'static str> {
    all.into_iter().filter(|(_, is)| *is).map(|(lie, _)| lie).collect()
}

/// Whether the system lacks something for the moment.
fn scarce(fate: Fate) -> bool {
    matches!(fate, Fate::Fails(Errno::EINTR | Errno::EMFILE | Errno::ENFILE))
}

/// What can happen to a call.
fn fates(step: Step) -> impl Iterator<Item = Fate> {
    let (_, errors) = errors::of(step.number);
    let short = errors::can_fall_short(step.number).then_some(Fate::HalfDone);
    errors.iter().map(|errno| Fate::Fails(*errno)).chain(short).chain([Fate::Killed])
}

/// The complete messages of a reply. It breaks off only where the process is killed or reports that.
fn whole(reply: &Reply) -> Vec<Value> {
    let mut parts: Vec<&[u8]> = reply.stdout().split(|byte| matches!(byte, 0 | b'\n')).collect();
    let rest = parts.pop().unwrap();
    assert!(rest.is_empty() || reply.signal().is_some() || reply.status() == 74, "{reply}");
    parts.iter().map(|part| serde_json::from_slice(part).unwrap_or_else(|e| panic!("{e}: {reply}"))).collect()
}

/// An answer without what differs between runs: ids, indexes, and the ages of neighbour entries.
fn told(message: &Value) -> Value {
    let mut told = message.clone();
    let Some(parameters) = told["parameters"].as_object_mut() else { return told };
    parameters.retain(|name, _| !matches!(name.as_str(), "link_index" | "request" | "recorded"));
    let listed = parameters.get_mut("neighbours").and_then(Value::as_array_mut);
    for entry in listed.into_iter().flatten().filter_map(Value::as_object_mut) {
        entry.retain(|name, _| !matches!(name.as_str(), "confirmed" | "updated" | "used"));
    }
    told
}
