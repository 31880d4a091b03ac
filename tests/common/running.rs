// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A broker that was started and has not ended yet.

use super::Reply;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// The broker ends automatically after 30 s. A process that takes longer hangs, even on a machine ten times slower.
const PATIENCE: Duration = Duration::from_secs(90);

enum Input {
    Pipe(ChildStdin),
    /// Our end, and a copy of the broker's: what the broker leaves unread is examined when it has ended.
    Socket {
        ours: UnixStream,
        theirs: UnixStream,
    },
}

/// The process; killed when dropped.
pub struct Running {
    child: Child,
    input: Option<Input>,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    what: String,
}

impl Running {
    pub(super) fn on_pipes(command: &mut Command) -> Self {
        let (what, mut child) = spawn(command);
        let input = Some(Input::Pipe(child.stdin.take().unwrap()));
        let (stdout, stderr) = (collect(child.stdout.take().unwrap()), collect(child.stderr.take().unwrap()));
        Self { child, input, stdout, stderr, what }
    }

    /// `command` has the socket on descriptors 0 and 1.
    pub(super) fn on_socket(command: &mut Command, ours: UnixStream, theirs: UnixStream) -> Self {
        let (what, mut child) = spawn(command);
        command.stdin(Stdio::null()).stdout(Stdio::null()); // closes its copies; otherwise the socket would never end
        let (stdout, stderr) = (collect(ours.try_clone().unwrap()), collect(child.stderr.take().unwrap()));
        Self { child, input: Some(Input::Socket { ours, theirs }), stdout, stderr, what }
    }

    pub(super) fn note(&mut self, sent: &[u8]) {
        let shown = &sent[..sent.len().min(2000)];
        self.what.push_str(&format!("\n  sent {} bytes: {}", sent.len(), shown.escape_ascii()));
    }

    /// The process that was started: the broker itself (setpriv has become it), but sudo where the way is sudo.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends bytes. It is not an error if the broker has answered early and ended: its reply shows what happened.
    pub fn send(&mut self, bytes: &[u8]) {
        self.note(bytes);
        let sent = match self.input.as_mut().expect("sending after the end of input") {
            Input::Pipe(pipe) => pipe.write_all(bytes),
            Input::Socket { ours, .. } => send_while_it_runs(ours, bytes, &mut self.child),
        };
        match sent {
            Err(e) if !matches!(e.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => panic!("sending: {e}"),
            _ => {}
        }
    }

    /// Ends the input: closes the pipe, or our direction of the socket.
    pub fn end_input(&mut self) {
        match self.input.take() {
            Some(Input::Socket { ours, theirs }) => {
                let _ = ours.shutdown(Shutdown::Write);
                self.input = Some(Input::Socket { ours, theirs });
            }
            Some(Input::Pipe(_)) | None => {}
        }
    }

    /// Sends a signal, as root.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = i32::try_from(self.pid()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).expect("kill");
    }

    /// Waits until the process sleeps: a broker that was sent nothing waits for its request.
    pub fn wait_until_asleep(&mut self) {
        let stat = format!("/proc/{}/stat", self.pid());
        let comm = |text: &str| text.rsplit(')').next().and_then(|rest| rest.trim().chars().next());
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            // Twice in a row, because setpriv waits for short times itself.
            let asleep = || std::fs::read_to_string(&stat).ok().as_deref().and_then(comm) == Some('S');
            if asleep() {
                std::thread::sleep(Duration::from_millis(20));
                if asleep() {
                    return;
                }
            }
            assert!(self.child.try_wait().unwrap().is_none(), "ended before it slept: {}", self.what);
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("never slept: {}", self.what);
    }

    /// Whether it has ended.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Ends the input of a pipe (a socket stays open) and returns everything that came back.
    pub fn finish(mut self) -> Reply {
        if matches!(self.input, Some(Input::Pipe(_))) {
            self.input = None;
        }
        let status = self.wait();
        let left = match self.input.take() {
            None | Some(Input::Pipe(_)) => Vec::new(),
            Some(Input::Socket { theirs, .. }) => left_in(theirs),
        };
        let all = |from: &Receiver<Vec<u8>>, name: &str| {
            from.recv_timeout(Duration::from_secs(10))
                .unwrap_or_else(|_| panic!("the process has ended, but somebody still holds its {name}: {}", self.what))
        };
        Reply::new(self.what.clone(), status, all(&self.stdout, "stdout"), all(&self.stderr, "stderr"), left)
    }

    fn wait(&mut self) -> ExitStatus {
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        panic!("still running after {PATIENCE:?}: {}", self.what);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Our copy of the broker's end keeps the socket open when the broker has ended, so only the end of the process shows
/// that.
fn send_while_it_runs(mut socket: &UnixStream, mut bytes: &[u8], child: &mut Child) -> std::io::Result<()> {
    socket.set_write_timeout(Some(Duration::from_millis(20)))?;
    while !bytes.is_empty() {
        match socket.write(bytes) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                if child.try_wait()?.is_some() {
                    return Ok(());
                }
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

fn spawn(command: &mut Command) -> (String, Child) {
    let what = format!("{command:?}");
    let child = command.stderr(Stdio::piped()).spawn().unwrap_or_else(|e| panic!("cannot start {what}: {e}"));
    (what, child)
}

/// Reads to the end in a thread: a process that fills one stream must not wait for the reader of the other.
fn collect(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // A reset means that the broker left bytes unread when it ended. What it sent before is still valid.
        let _ = from.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}

/// Ends the broker's direction of the socket and takes the bytes that it did not read.
fn left_in(mut theirs: UnixStream) -> Vec<u8> {
    let _ = theirs.shutdown(Shutdown::Write);
    theirs.set_nonblocking(true).unwrap();
    let mut left = Vec::new();
    // Ends with WouldBlock, because our own end is still open for writing.
    let _ = theirs.read_to_end(&mut left);
    left
}
