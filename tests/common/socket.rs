// SPDX-License-Identifier: Apache-2.0 OR MIT
//! netbrokerd in a host, and connections to it. The client in this process is root, whom policies call `uid:0`; clients
//! with other ids are programs ([`super::daemon::client`]).

use super::{CALLERS, DAEMON, Host, Program};
use nix::sys::signal::Signal::SIGKILL;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Where it listens. Every user may search the directory.
pub const SOCKET: &str = "/run/scratch/socket";
/// Nothing here takes so long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running netbrokerd; killed when dropped.
pub struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts it, and waits until it listens. Every user may connect.
    pub fn start(host: &Host, options: &[&str]) -> Self {
        Program::Daemon.built();
        let _absent = fs::remove_file(SOCKET);
        let mut command = host.command(DAEMON);
        command.args(["--socket", SOCKET, "--group", &CALLERS.to_string()]).args(options);
        let daemon = Self::spawn(&mut command);
        until("it listens", || UnixStream::connect(SOCKET).is_ok());
        host.sh(&format!("chmod 666 {SOCKET}"));
        daemon
    }

    /// Starts a command that is, or becomes, netbrokerd.
    pub fn spawn(command: &mut Command) -> Self {
        Self { child: command.stdin(Stdio::null()).spawn().unwrap() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The processes that it has forked and not reaped yet.
    pub fn children(&self) -> BTreeSet<u32> {
        let pid = self.pid();
        let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        text.split_whitespace().map(|id| id.parse().unwrap()).collect()
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(self.pid()).unwrap()), signal).unwrap();
    }

    /// Waits for its end.
    pub fn end(mut self) -> ExitStatus {
        let mut status = None;
        until("it ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// A line of its status in /proc, such as `CapPrm`.
    pub fn status(&self, name: &str) -> String {
        status(self.pid(), name)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Where a tracer was started, netbrokerd is its child.
        for child in self.children() {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(child).unwrap()), SIGKILL);
        }
        let _ = self.child.kill(); // an error means that it has ended
        let _ = self.child.wait();
    }
}

/// A line of a process's status in /proc; empty where the process has ended.
pub fn status(pid: u32, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    line.unwrap_or_default().trim().to_owned()
}

/// Waits until something holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A message with its NUL.
pub fn request(method: &str, parameters: &Value) -> Vec<u8> {
    let prefix = if method.starts_with("org.") { "" } else { "io.netbroker." };
    format!("{}\0", json!({"method": format!("{prefix}{method}"), "parameters": parameters})).into_bytes()
}

/// A connection as root.
pub struct Client {
    socket: UnixStream,
    held: Vec<u8>,
}

impl Client {
    pub fn connect() -> Self {
        let socket = UnixStream::connect(SOCKET).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, held: Vec::new() }
    }

    pub fn socket(&self) -> &UnixStream {
        &self.socket
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    /// The next reply; `None` where the connection was closed.
    pub fn hear(&mut self) -> Option<Value> {
        let mut bytes = [0; 65536];
        loop {
            if let Some(at) = self.held.iter().position(|byte| *byte == 0) {
                let message: Vec<u8> = self.held.drain(..=at).collect();
                return Some(serde_json::from_slice(&message[..at]).unwrap());
            }
            match self.socket.read(&mut bytes) {
                Ok(0) => {
                    assert!(self.held.is_empty(), "the end of a reply is missing");
                    return None;
                }
                Ok(got) => self.held.extend(&bytes[..got]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                // Also where this process was stopped and continued, as a read with a timeout is then (signal(7)).
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// A call and its reply.
    pub fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.send(&request(method, parameters));
        self.hear().expect("a reply")
    }
}
