// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The trail: a refusal has one record, a permitted call two, before the act and of the outcome, with the same id.
//!
//! To journald in its native protocol, else to syslog. Evidence is what journald itself says the user netbroker sent
//! (`_UID`); so the socket is connected after the process has become that user.
#![forbid(unsafe_code)]

use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, send, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike as _};
use serde_json::{Map, Value};

use crate::call::request::Request;
use crate::caller::{Caller, Way};
use crate::refusal::Refusal;

/// journald's native protocol, `systemd.io/JOURNAL_NATIVE_PROTOCOL`.
const JOURNAL: &str = "/run/systemd/journal/socket";
/// syslog(3)
const SYSLOG: &str = "/dev/log";
/// The largest record, in bytes.
const RECORD: usize = 8192;
/// How long a record waits for room, in seconds.
const PATIENCE: i64 = 1;
/// `MESSAGE_ID` of a refusal, of a permission, of an outcome; documented in netbroker(8).
const IDS: [(&str, &str); 3] = [
    ("refused", "7c0f3a6ad8e94d0fb1c5d2a2b9a5e0c1"),
    ("permitted", "e6a3b1a0c5f14a5d9f0e7d4c2b8a1f36"),
    ("outcome", "2b9d8c4f6e1a4b7c8d3f5a6e7b0c9d12"),
];
/// `LOG_AUTHPRIV`
const AUTHPRIV: u8 = 10;

/// Where records go. The descriptor is closed by the end of the process: the last filter has no line for that.
#[derive(Debug)]
pub struct Trail(Result<(ManuallyDrop<OwnedFd>, Dialect), NotTaken>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Journal,
    /// With the process's id, which a filter no longer tells.
    Syslog(u32),
}

/// Why a record was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// There is no trail on this machine.
    Absent,
    /// There is one, but it did not take the record within a second, or at all.
    Refused(Errno),
}

impl Trail {
    /// Connects to journald, else to syslog.
    #[must_use]
    pub fn connect() -> Self {
        let journal = reach(JOURNAL).map(|socket| (socket, Dialect::Journal));
        let syslog = || reach(SYSLOG).map(|socket| (socket, Dialect::Syslog(std::process::id())));
        Self(match journal {
            Err(NotTaken::Absent) => syslog(),
            other => other,
        })
    }

    /// The descriptor, for the last filter.
    #[must_use]
    pub fn descriptor(&self) -> Option<RawFd> {
        self.0.as_ref().ok().map(|(socket, _)| socket.as_raw_fd())
    }

    /// Whether there is one.
    #[must_use]
    pub fn exists(&self) -> bool {
        !matches!(self.0, Err(NotTaken::Absent))
    }

    /// Writes a record, waiting for room for a second at most.
    ///
    /// # Errors
    /// [`NotTaken`]
    pub fn write(&self, record: &Record) -> Result<(), NotTaken> {
        let (socket, dialect) = self.0.as_ref().map_err(|why| *why)?;
        let datagram = match dialect {
            Dialect::Journal => record.journal(),
            Dialect::Syslog(pid) => record.syslog(*pid),
        };
        if datagram.len() > RECORD {
            return Err(NotTaken::Refused(Errno::EMSGSIZE)); // never cut
        }
        loop {
            return match send(socket.as_raw_fd(), &datagram, MsgFlags::MSG_NOSIGNAL) {
                Ok(_) => Ok(()),
                Err(Errno::EINTR) => continue, // stopped while it waited
                Err(errno) => Err(NotTaken::Refused(errno)),
            };
        }
    }
}

/// What a caller's limits bring about says nothing about the machine: no caller makes the trail absent.
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

/// One record: fields in order, and what happened.
#[derive(Debug, Clone)]
pub struct Record {
    event: &'static str,
    fields: Vec<(&'static str, String)>,
}

impl Record {
    /// A record of who asked, and how.
    #[must_use]
    pub fn new(event: &'static str, id: &str, caller: &Caller, way: Way) -> Self {
        let fields = vec![
            ("REQUEST", id.to_owned()),
            ("UID", caller.uid.to_string()),
            ("GID", caller.gid.to_string()),
            ("WAY", way.word().to_owned()),
        ];
        Self { event, fields }
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// Adds the call with its fields and the caller's own reference.
    #[must_use]
    pub fn of(self, request: &Request) -> Self {
        let fields: Map<String, Value> = request.values().map(|(f, value)| (f.name.to_owned(), value.json())).collect();
        let record = self.with("CALL", request.call().name).with("FIELDS", Value::Object(fields).to_string());
        match request.reference() {
            Some(reference) => record.with("REFERENCE", reference),
            None => record,
        }
    }

    /// Adds how it ended, and after how long.
    #[must_use]
    pub fn ended(self, refusal: Option<&Refusal>, started: Instant) -> Self {
        let result = refusal.map_or_else(|| "done".to_owned(), ToString::to_string);
        self.with("RESULT", result).with("DURATION_US", started.elapsed().as_micros().to_string())
    }

    fn message_id(&self) -> &'static str {
        IDS.iter().find(|(event, _)| *event == self.event).map_or("", |(_, id)| id)
    }

    /// Severity of syslog(3): a refusal is notice, the rest informational.
    fn priority(&self) -> u8 {
        if self.event == "refused" { 5 } else { 6 }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let caller = Caller { uid: 7, gid: 8, groups: vec![] };
        Record::new("refused", "00ff", &caller, Way::Exec).with("RULE", "a rule").with("RESULT", "x\ny")
    }

    #[test]
    fn a_value_cannot_add_a_field() {
        let text = String::from_utf8(record().journal()).unwrap();
        assert!(text.contains("\nNETBROKER_RESULT=x y\n"), "{text}");
        assert!(text.lines().all(|line| line.contains('=')), "{text}");
    }

    #[test]
    fn a_line_of_syslog_has_facility_authpriv() {
        let text = String::from_utf8(record().syslog(7)).unwrap();
        assert!(text.starts_with("<85>netbroker[7]: "), "{text}");
        assert!(text.ends_with("rule=\"a rule\" result=\"x\\ny\""), "{text}");
    }
}
