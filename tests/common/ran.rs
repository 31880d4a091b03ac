// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The outcome of an ordinary program (ip, sh, netbrokerctl): its status and its output.

use std::fmt;
use std::process::{Child, Command, Output, Stdio};

/// A program that has ended.
pub struct Ran {
    what: String,
    output: Output,
}

impl Ran {
    /// Runs `command` to its end, with empty input.
    pub fn run(command: &mut Command) -> Self {
        let what = format!("{command:?}");
        let output = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("cannot start {what}: {e}"));
        Self { what, output }
    }

    /// The exit status; panics when a signal ended it.
    pub fn status(&self) -> i32 {
        self.output.status.code().unwrap_or_else(|| panic!("ended by a signal: {self}"))
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// Panics with everything that is known unless the status is 0; returns standard output.
    pub fn ok(&self) -> String {
        assert!(self.output.status.success(), "failed: {self}");
        self.stdout()
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  {}\n  stdout: {}\n  stderr: {}", self.what, self.output.status, self.stdout(), self.stderr())
    }
}

/// A program that runs in parallel with the test and is killed when this is dropped.
pub struct Background(Child);

impl Background {
    pub fn start(command: &mut Command) -> Self {
        let what = format!("{command:?}");
        Self(command.stdin(Stdio::null()).spawn().unwrap_or_else(|e| panic!("cannot start {what}: {e}")))
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // An error means that it has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
