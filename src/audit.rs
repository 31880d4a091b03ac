// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The trail. A refusal has one record. A permitted call has two with the same id: one before the act, and one of the
//! outcome.
//!
//! Records go to journald in its native protocol, or else to syslog. A record is evidence because journald itself adds
//! the sender's uid, that of the user netbroker (`_UID`). So the socket is connected after the process has become that
//! user.
//!
//! No caller can choose what is not recorded. A record that would be too long leaves out fields of the call, the
//! longest first, and has their names, number and digest.
#![forbid(unsafe_code)]

pub(crate) mod sha256;

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, send, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike as _};
use serde_json::{Map, Value};

use crate::call::field;
use crate::call::request::Request;
use crate::caller::{Caller, Way};
use crate::refusal::Refusal;

/// journald's native protocol, `systemd.io/JOURNAL_NATIVE_PROTOCOL`.
const JOURNAL: &str = "/run/systemd/journal/socket";
/// syslog(3)
const SYSLOG: &str = "/dev/log";
/// The largest record, in bytes.
const RECORD: usize = 8192;
/// Fields of a call that no record leaves out.
const NEVER_LEFT_OUT: [&str; 2] = [field::NETNS.field.name, field::LINK.field.name];
/// The longest result, in bytes of a JSON string. The broker's own results are shorter; a longer one is cut.
const RESULT: usize = 1536;
/// The longest list of rules, in bytes. A record has each value twice: the second one is in the message, as a JSON
/// string.
#[cfg(feature = "ctl")]
const RULES: usize = 700;
/// How long a record waits for room, in seconds.
const PATIENCE: i64 = 1;
/// `MESSAGE_ID` of a refusal, of a permission, of an outcome, of a policy that was put in force; documented in
/// netbroker(8).
const IDS: [(&str, &str); 6] = [
    ("refused", "7c0f3a6ad8e94d0fb1c5d2a2b9a5e0c1"),
    ("permitted", "e6a3b1a0c5f14a5d9f0e7d4c2b8a1f36"),
    ("outcome", "2b9d8c4f6e1a4b7c8d3f5a6e7b0c9d12"),
    ("died", "9f4be2c6a1d84e7fb0a35c8d2e6f7190"),
    ("counted", "3d5a7c19e8b24f06a4c1d9e07b62f835"),
    ("installed", "7b7bdf878d3643e6873cdc0750e819e7"),
];
/// `LOG_AUTHPRIV`
const AUTHPRIV: u8 = 10;

/// Where records go. The descriptor is never dropped, because not every last filter allows close(2): the end of the
/// process closes it.
#[derive(Debug)]
pub struct Trail {
    to: Result<(ManuallyDrop<OwnedFd>, Dialect), NotTaken>,
    /// Whether refusals are not recorded one by one, because `netbrokerd` counts them.
    counts_refusals: bool,
    /// Whether a refusal was left to be counted.
    left_out: Cell<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Journal,
    /// With the process id, which the filters do not let the process ask for.
    Syslog(u32),
}

/// Why a record was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// The machine has no trail.
    Absent,
    /// The trail did not take the record within a second, or at all.
    Refused(Errno),
}

impl Trail {
    /// Connects to journald, else to syslog.
    #[must_use]
    pub fn connect() -> Self {
        let journal = reach(JOURNAL).map(|socket| (socket, Dialect::Journal));
        let syslog = || reach(SYSLOG).map(|socket| (socket, Dialect::Syslog(std::process::id())));
        let to = match journal {
            Err(NotTaken::Absent) => syslog(),
            other => other,
        };
        Self { to, counts_refusals: false, left_out: Cell::new(false) }
    }

    /// From now on, refusals are not recorded one by one.
    pub fn count_refusals(&mut self) {
        self.counts_refusals = true;
    }

    /// Whether a refusal was not recorded, so that it must be counted.
    #[must_use]
    pub fn has_left_out(&self) -> bool {
        self.left_out.get()
    }

    /// The descriptor, for the last filter.
    #[must_use]
    pub fn descriptor(&self) -> Option<RawFd> {
        self.to.as_ref().ok().map(|(socket, _)| socket.as_raw_fd())
    }

    /// Whether the machine has a trail.
    #[must_use]
    pub fn exists(&self) -> bool {
        !matches!(self.to, Err(NotTaken::Absent))
    }

    /// Writes a record, as [`Self::write`] does. Returns whether it was taken; true where the machine has no trail.
    #[must_use]
    pub fn has_taken(&self, record: &Record) -> bool {
        self.write(record).is_ok() || !self.exists()
    }

    /// Writes a record. Waits for room for at most a second.
    ///
    /// # Errors
    /// [`NotTaken`]
    pub fn write(&self, record: &Record) -> Result<(), NotTaken> {
        let (socket, dialect) = self.to.as_ref().map_err(|why| *why)?;
        if self.counts_refusals && record.event == "refused" {
            self.left_out.set(true);
            return Ok(());
        }
        let datagram = record.bounded(*dialect);
        loop {
            return match send(socket.as_raw_fd(), &datagram, MsgFlags::MSG_NOSIGNAL) {
                Ok(_) => Ok(()),
                Err(Errno::EINTR) => continue, // stopped while it waited
                Err(errno) => Err(NotTaken::Refused(errno)),
            };
        }
    }
}

/// Connects to a socket. Errors that a caller's limits can cause do not make the trail absent.
fn reach(path: &str) -> Result<ManuallyDrop<OwnedFd>, NotTaken> {
    let missed = |errno| match errno {
        Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENOBUFS => NotTaken::Refused(errno),
        _ => NotTaken::Absent,
    };
    let socket = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).map_err(missed)?;
    UnixAddr::new(path).and_then(|to| connect(socket.as_raw_fd(), &to)).map_err(missed)?;
    setsockopt(&socket, sockopt::SendTimeout, &TimeVal::seconds(PATIENCE)).map_err(missed)?;
    Ok(ManuallyDrop::new(socket))
}

/// What takes the records of a machine.
#[cfg(feature = "ctl")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taker {
    /// journald
    Journald,
    /// A syslog daemon.
    Syslog,
}

/// Finds out what would take records here.
///
/// # Errors
/// [`NotTaken`]
#[cfg(feature = "ctl")]
pub(crate) fn taker() -> Result<Taker, NotTaken> {
    match reach(JOURNAL) {
        Ok(_) => Ok(Taker::Journald),
        Err(NotTaken::Absent) => reach(SYSLOG).map(|_| Taker::Syslog),
        Err(refused) => Err(refused),
    }
}

/// The events of records, each with its `MESSAGE_ID`.
#[cfg(feature = "ctl")]
pub(crate) fn events() -> impl Iterator<Item = (&'static str, &'static str)> {
    IDS.into_iter()
}

/// A refusal, and whether it is in the trail.
#[derive(Debug)]
pub struct Refused {
    /// The refusal.
    pub refusal: Refusal,
    /// Whether it is recorded, where the machine has a trail.
    pub recorded: bool,
}

impl From<Refusal> for Refused {
    /// A refusal without a record.
    fn from(refusal: Refusal) -> Self {
        Self { refusal, recorded: false }
    }
}

/// One record: fields in order, and the event.
#[derive(Debug, Clone)]
pub struct Record {
    event: &'static str,
    fields: Vec<(&'static str, String)>,
    /// What the field `FIELDS` holds.
    call: Map<String, Value>,
}

impl Record {
    /// Begins a record with the caller and the way.
    #[must_use]
    pub fn new(event: &'static str, id: &str, caller: &Caller, way: Way) -> Self {
        let fields = vec![
            ("REQUEST", id.to_owned()),
            ("UID", caller.uid.to_string()),
            ("GID", caller.gid.to_string()),
            ("WAY", way.word().to_owned()),
        ];
        Self { event, fields, call: Map::new() }
    }

    /// A record about the requests of a principal, which `netbrokerd` writes itself.
    #[must_use]
    pub fn of_principal(event: &'static str, principal: &str) -> Self {
        let fields = vec![("PRINCIPAL", principal.to_owned()), ("WAY", Way::Socket.word().to_owned())];
        Self { event, fields, call: Map::new() }
    }

    /// A record of a policy that was put in force.
    #[cfg(feature = "ctl")]
    #[must_use]
    pub fn of_policy(by: &str) -> Self {
        Self { event: "installed", fields: vec![("BY", by.to_owned())], call: Map::new() }
    }

    /// Adds a list of rules by their ids, and their number, unless the list is empty. A list that would be too long is
    /// cut, and the digest of the whole list is added.
    #[cfg(feature = "ctl")]
    #[must_use]
    pub fn with_ids(self, [name, count, digest]: [&'static str; 3], ids: &[String]) -> Self {
        let whole = ids.join(" ");
        let mut shown = String::new();
        for id in ids {
            if shown.len() + id.len() >= RULES {
                break;
            }
            shown.push_str(if shown.is_empty() { "" } else { " " });
            shown.push_str(id);
        }
        match whole.len() - shown.len() {
            _ if ids.is_empty() => self,
            0 => self.with(name, shown).with(count, ids.len().to_string()),
            _ => {
                let record = self.with(name, shown + " …").with(count, ids.len().to_string());
                record.with(digest, sha256::hex(whole.as_bytes()))
            }
        }
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// Adds the call with its fields and the caller's own reference.
    #[must_use]
    pub fn about(mut self, request: &Request) -> Self {
        self.call = request.values().map(|(f, value)| (f.name.to_owned(), value.json())).collect();
        let fields = text(&self.call);
        let record = self.with("CALL", request.call().name).with("FIELDS", fields);
        match request.reference() {
            Some(reference) => record.with("REFERENCE", reference),
            None => record,
        }
    }

    /// Adds the outcome, and how long it took.
    #[must_use]
    pub fn ended(self, refusal: Option<&Refusal>, started: Instant) -> Self {
        let result = refusal.map_or_else(|| "done".to_owned(), ToString::to_string);
        self.with_result(&result).with("DURATION_US", started.elapsed().as_micros().to_string())
    }

    /// Adds the result: a refusal, or the reason why a conversation had no call.
    #[must_use]
    pub fn with_result(self, result: &str) -> Self {
        let mut room = RESULT;
        let fits = |c: &char| {
            let quoted = Value::from(c.to_string()).to_string().len();
            room.checked_sub(quoted - 2).map(|rest| room = rest).is_some()
        };
        let mut shown: String = result.chars().take_while(fits).collect();
        if shown.len() < result.len() {
            shown.push('…');
        }
        self.with("RESULT", shown)
    }

    /// The bytes of the record: at most [`RECORD`]. Where it would be longer, fields of the call are left out, the
    /// longest first. Everything else in the record has a bound.
    fn bounded(&self, dialect: Dialect) -> Vec<u8> {
        let encode = |record: &Self| match dialect {
            Dialect::Journal => record.journal(),
            Dialect::Syslog(pid) => record.syslog(pid),
        };
        let (mut datagram, mut left_out, mut record) = (encode(self), Map::new(), self.clone());
        while datagram.len() > RECORD {
            let Some(longest) = longest(&record.call) else { break };
            left_out.extend(record.call.remove_entry(&longest));
            datagram = encode(&record.without(&left_out));
        }
        datagram
    }

    /// The same record, with the names, number and digest of the fields of the call that were left out.
    fn without(&self, left_out: &Map<String, Value>) -> Self {
        let names: Vec<&str> = left_out.keys().map(String::as_str).collect();
        let mut fields = Vec::new();
        for (name, value) in &self.fields {
            if *name != "FIELDS" {
                fields.push((*name, value.clone()));
                continue;
            }
            fields.push((name, text(&self.call)));
            fields.push(("LEFT_OUT", names.join(" ")));
            fields.push(("LEFT_OUT_COUNT", names.len().to_string()));
            fields.push(("LEFT_OUT_SHA256", sha256::hex(text(left_out).as_bytes())));
        }
        Self { event: self.event, fields, call: Map::new() }
    }

    fn message_id(&self) -> &'static str {
        IDS.iter().find(|(event, _)| *event == self.event).map_or("", |(_, id)| id)
    }

    /// Severity of syslog(3): a process that died is an error, a refusal is notice, the rest informational.
    fn priority(&self) -> u8 {
        match self.event {
            "died" => 3,
            "refused" | "counted" => 5,
            _ => 6,
        }
    }

    /// One line: `event=… request=… uid=…`. Values with spaces are JSON strings.
    fn line(&self) -> String {
        let mut line = format!("event={}", self.event);
        for (name, value) in &self.fields {
            let plain = !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic()) && !value.starts_with('"');
            let shown = if plain { value.clone() } else { Value::from(value.as_str()).to_string() };
            line.push_str(&format!(" {}={shown}", name.to_lowercase()));
        }
        line
    }

    /// `NAME=value` lines. No value holds a newline: they are identifiers, numbers, printable text or JSON, whose
    /// strings escape it.
    fn journal(&self) -> Vec<u8> {
        let mut out = format!(
            "MESSAGE={}\nMESSAGE_ID={}\nPRIORITY={}\nSYSLOG_FACILITY={AUTHPRIV}\nSYSLOG_IDENTIFIER=netbroker\n\
             NETBROKER_EVENT={}\n",
            self.line(),
            self.message_id(),
            self.priority(),
            self.event
        );
        for (name, value) in &self.fields {
            out.push_str(&format!("NETBROKER_{name}={}\n", value.replace('\n', " ")));
        }
        out.into_bytes()
    }

    fn syslog(&self, pid: u32) -> Vec<u8> {
        let level = AUTHPRIV * 8 + self.priority();
        format!("<{level}>netbroker[{pid}]: {}", self.line()).into_bytes()
    }
}

/// JSON without spaces, its members in the order of their names.
fn text(fields: &Map<String, Value>) -> String {
    Value::Object(fields.clone()).to_string()
}

/// The name of the field with the longest value that may be left out; of several the last by name.
pub(crate) fn longest(call: &Map<String, Value>) -> Option<String> {
    let may_go = call.iter().filter(|(name, _)| !NEVER_LEFT_OUT.contains(&name.as_str()));
    may_go.max_by_key(|(_, value)| value.to_string().len()).map(|(name, _)| name.clone())
}

#[cfg(test)]
mod tests;
