// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reads the journal through journalctl(1), which is started from a fixed path and with an empty environment.
#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{User, getuid};

use super::super::{Failure, reason};
use crate::audit::{self, Taker};
use crate::refusal::{Exit, describe};
use crate::sys;

/// Where distributions install journalctl(1).
const PROGRAMS: [&str; 3] = ["/usr/bin/journalctl", "/bin/journalctl", "/run/current-system/sw/bin/journalctl"];
/// Where journald keeps the journal: in memory, and on disk.
const JOURNALS: [&str; 2] = ["/run/log/journal", "/var/log/journal"];
/// A longer line cannot be a record of the broker, which has at most 8 KiB before it is written as JSON.
const LONGEST: usize = 128 << 10;
/// The number of bytes that are read at once.
const CHUNK: usize = 64 << 10;

/// The journal of this machine.
#[derive(Debug)]
pub(super) struct Journal {
    program: &'static str,
}

impl Journal {
    /// Finds journalctl(1), and checks that this user may read the journal. To users who may not, journalctl(1) shows a
    /// journal without our records.
    ///
    /// # Errors
    /// What is missing, and what provides it.
    pub(super) fn find() -> Result<Self, Failure> {
        let missing = |why: String| Failure::Message(Exit::NotPrivileged, why);
        let program = PROGRAMS.into_iter().find(|program| Path::new(program).is_file());
        let program = program.ok_or_else(|| {
            missing(format!("journalctl, which reads the trail, is not installed in {}; install systemd", PROGRAMS[0]))
        })?;
        let mut found = false;
        for journal in journals() {
            match File::open(&journal) {
                Ok(_) => found = true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(missing(unreadable(&journal, &error))),
            }
        }
        if found { Ok(Self { program }) } else { Err(missing(absent())) }
    }

    /// Starts journalctl(1) with these arguments in addition.
    pub(super) fn read(&self, arguments: &[String]) -> Result<Reader, Failure> {
        let mut command = Command::new(self.program);
        command.env_clear().env("LC_ALL", "C").current_dir("/");
        // Without `--all`, long fields are left out. Units can have a journal of their own (systemd.exec(5),
        // LogNamespace=), which has the records of what they execute.
        command.args(["--output=json", "--all", "--namespace=*", "--no-pager", "--quiet"]).args(arguments);
        let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = started.map_err(|error| {
            Failure::Message(Exit::NotPrivileged, format!("cannot start {}: {}", self.program, reason(&error)))
        })?;
        let output = child.stdout.take();
        let output = output.ok_or_else(|| Failure::Message(Exit::System, "journalctl has no pipe".to_owned()))?;
        Ok(Reader { child, output, held: Vec::new(), skipping: false })
    }
}

/// The files of the system's journal. Their directories have the id of this machine.
fn journals() -> Vec<PathBuf> {
    let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    JOURNALS.iter().map(|journal| Path::new(journal).join(machine.trim()).join("system.journal")).collect()
}

fn unreadable(journal: &Path, error: &io::Error) -> String {
    let (path, why) = (journal.display(), reason(error));
    if error.kind() != io::ErrorKind::PermissionDenied {
        return format!("{path}: {why}");
    }
    let user = User::from_uid(getuid()).ok().flatten().map_or_else(|| "USER".to_owned(), |user| user.name);
    format!(
        "{path}: {why}; only root and members of the group `systemd-journal` can read the trail; run this as root, \
            or run \
         `gpasswd -a {user} systemd-journal` and log in again"
    )
}

/// Why there is no journal.
fn absent() -> String {
    let places = JOURNALS.join(" and ");
    let why = match audit::taker() {
        Ok(Taker::Syslog) => {
            "records go to syslog here, which does not report who sent them; they are where your syslog daemon writes \
             the facility authpriv"
        }
        Ok(Taker::Journald) => "journald keeps none; set `Storage=auto` in /etc/systemd/journald.conf",
        Err(_) => "journald is not running; run `systemctl start systemd-journald.service`",
    };
    format!("no journal of this machine in {places}: {why}")
}

/// A running journalctl(1). It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Reader {
    child: Child,
    output: ChildStdout,
    held: Vec<u8>,
    /// Whether a line that is too long is being left out.
    skipping: bool,
}

/// What a reader returns next.
#[derive(Debug)]
pub(super) enum Heard {
    Line(Vec<u8>),
    /// A line that is longer than any record.
    TooLong,
    /// Nothing, for as long as was waited.
    Nothing,
    /// The end of the output.
    End,
    /// A signal asks this process to end.
    Asked,
}

impl Reader {
    /// The next line. Waits for it for at most this many milliseconds, or without a limit.
    pub(super) fn next(&mut self, signals: &Signals, wait: Option<u64>) -> Result<Heard, Failure> {
        loop {
            if let Some(line) = self.line() {
                return Ok(line);
            }
            let timeout =
                wait.map_or(PollTimeout::NONE, |wait| PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX));
            let mut ready = [
                PollFd::new(self.output.as_fd(), PollFlags::POLLIN),
                PollFd::new(signals.0.as_fd(), PollFlags::POLLIN),
                PollFd::new(sys::stdout(), PollFlags::empty()), // reports when nobody reads it any more
            ];
            match poll(&mut ready, timeout) {
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(failed("poll", describe(errno))),
                Ok(0) => return Ok(Heard::Nothing),
                Ok(_) => {}
            }
            let [output, asked, printed] = ready.map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
            if printed.contains(PollFlags::POLLERR) {
                return Err(Failure::Closed);
            }
            if !asked.is_empty() {
                return Ok(Heard::Asked);
            }
            if !output.is_empty() && !self.fill()? {
                return Ok(Heard::End);
            }
        }
    }

    /// Takes a line out of what was read.
    fn line(&mut self) -> Option<Heard> {
        let Some(at) = self.held.iter().position(|b| *b == b'\n') else {
            if self.held.len() > LONGEST {
                self.held.clear();
                self.skipping = true;
            }
            return None;
        };
        let mut line: Vec<u8> = self.held.drain(..=at).collect();
        line.pop();
        let skipped = std::mem::take(&mut self.skipping);
        Some(if skipped || line.len() > LONGEST { Heard::TooLong } else { Heard::Line(line) })
    }

    /// Reads more; false at the end.
    fn fill(&mut self) -> Result<bool, Failure> {
        let mut chunk = vec![0; CHUNK];
        let got = self.output.read(&mut chunk).map_err(|error| failed("read the output of", &reason(&error)))?;
        self.held.extend_from_slice(chunk.get(..got).unwrap_or_default());
        Ok(got > 0)
    }

    /// Waits for the end of a process whose output has ended.
    ///
    /// # Errors
    /// Where it failed; it has given the reason itself.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        let status = self.child.wait().map_err(|error| failed("wait for", &reason(&error)))?;
        if status.success() {
            Ok(())
        } else {
            Err(Failure::Message(Exit::System, format!("journalctl ended with {status}")))
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.child.kill(); // fails where it has ended already
        let _ = self.child.wait();
    }
}

fn failed(verb: &str, why: &str) -> Failure {
    Failure::Message(Exit::System, format!("cannot {verb} journalctl: {why}"))
}

/// The signals that ask this process to end. They arrive as something to read, so that what remains to be said is said.
#[derive(Debug)]
pub(super) struct Signals(SignalFd);

impl Signals {
    pub(super) fn catch() -> Result<Self, Failure> {
        let failed = |errno| Failure::Message(Exit::System, format!("cannot catch signals: {}", describe(errno)));
        let mut set = SigSet::empty();
        [Signal::SIGINT, Signal::SIGTERM].into_iter().for_each(|signal| set.add(signal));
        set.thread_block().map_err(failed)?; // programs that this process starts do not inherit it
        SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC).map(Self).map_err(failed)
    }
}
