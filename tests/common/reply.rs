// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What one process returned: messages, exit status, lines on descriptor 2.
//!
//! Properties of every reply are asserted here, so that each test asserts them: messages are complete; they have no
//! members except `parameters`, `error` and `continues`; only the last one is without `continues`; the exit status
//! belongs to the error.

use serde_json::Value;
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// The exit status that belongs to the last word of an error's name.
const STATUS: &[(&str, i32)] = &[
    ("Denied", 77),
    ("InvalidRequest", 65),
    ("NoSuchNetns", 1),
    ("NoSuchLink", 1),
    ("AlreadyExists", 1),
    ("NotFound", 1),
    ("NotSupported", 1),
    ("KernelRefused", 1),
    ("Busy", 75),
    ("Overloaded", 75),
    ("Interrupted", 75),
    ("PolicyInvalid", 78),
    ("NotPrivileged", 69),
    ("NotConfined", 71),
    ("SystemError", 71),
];

/// The outcome of one call.
#[must_use]
pub struct Reply {
    what: String,
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    left: Vec<u8>,
}

impl Reply {
    pub(super) fn new(what: String, status: ExitStatus, stdout: Vec<u8>, stderr: Vec<u8>, left: Vec<u8>) -> Self {
        Self { what, status, stdout, stderr, left }
    }

    /// The exit status; panics when a signal ended it.
    pub fn status(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("ended by a signal: {self}"))
    }

    /// The signal that ended it.
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// Panics with everything shown unless the call succeeded; returns the (last) parameters.
    pub fn ok(&self) -> Value {
        let last = self.last();
        assert!(last.get("error").is_none(), "refused: {self}");
        assert_eq!(self.status(), 0, "no error, but its status: {self}");
        last.get("parameters").cloned().unwrap_or_else(|| panic!("a reply without parameters: {self}"))
    }

    /// The full name of the error, `io.netbroker.Link.Denied`. Panics unless there is an error with its exit status.
    pub fn error(&self) -> String {
        let last = self.last();
        let name =
            last.get("error").and_then(Value::as_str).unwrap_or_else(|| panic!("not refused: {self}")).to_owned();
        match STATUS.iter().find(|(word, _)| name.rsplit('.').next() == Some(*word)) {
            Some((_, status)) => assert_eq!(self.status(), *status, "the exit status of the error: {self}"),
            None => assert_ne!(self.status(), 0, "an error with status 0: {self}"),
        }
        name
    }

    /// Parameters of the (last) message, of a result or of an error.
    pub fn parameters(&self) -> Value {
        self.last().get("parameters").cloned().unwrap_or(Value::Null)
    }

    /// One parameter, by JSON pointer (`/link_index`) or by name.
    pub fn get(&self, name: &str) -> Value {
        let parameters = self.parameters();
        let found = if name.starts_with('/') { parameters.pointer(name) } else { parameters.get(name) };
        found.cloned().unwrap_or_else(|| panic!("no parameter {name}: {self}"))
    }

    /// The parameters of every message of a streamed reply without an error.
    pub fn all(&self) -> Vec<Value> {
        self.ok();
        self.messages().iter().map(|message| message.get("parameters").cloned().unwrap_or(Value::Null)).collect()
    }

    /// Every message, complete.
    pub fn messages(&self) -> Vec<Value> {
        // NUL, or a newline where the request ended with the input; neither occurs in a message.
        let mut parts: Vec<&[u8]> = self.stdout.split(|byte| matches!(byte, 0 | b'\n')).collect();
        assert_eq!(parts.pop(), Some(&b""[..]), "the reply breaks off: {self}");
        let parse = |part: &&[u8]| serde_json::from_slice(part).unwrap_or_else(|e| panic!("not JSON ({e}): {self}"));
        let messages: Vec<Value> = parts.iter().map(parse).collect();
        let count = messages.len();
        for (at, message) in messages.iter().enumerate() {
            let members = message.as_object().unwrap_or_else(|| panic!("not an object: {self}"));
            let known = |name: &String| matches!(name.as_str(), "parameters" | "error" | "continues");
            assert!(members.keys().all(known), "an unknown member: {self}");
            let continues = members.get("continues").is_some_and(|value| value == true);
            assert_eq!(continues, at + 1 < count, "`continues` of message {at}: {self}");
        }
        messages
    }

    fn last(&self) -> Value {
        self.messages().pop().unwrap_or_else(|| panic!("no reply: {self}"))
    }

    /// Asserts that nothing was answered.
    pub fn silent(&self) {
        assert!(self.stdout.is_empty(), "a reply where none was due: {self}");
    }

    pub fn stdout(&self) -> &[u8] {
        &self.stdout
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// What was queued in the socket and was not read: it belongs to the next process.
    pub fn left_in_socket(&self) -> &[u8] {
        &self.left
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stdout, stderr) = (self.stdout.escape_ascii(), self.stderr());
        write!(f, "{}\n  {}\n  stdout: {stdout}\n  stderr: {stderr}", self.what, self.status)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
