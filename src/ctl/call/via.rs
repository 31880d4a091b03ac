// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The ways to the broker: the socket of netbrokerd or of another listener, its program, or its program started by
//! `sudo -n`.
#![forbid(unsafe_code)]

use std::env;
use std::fmt;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::str::FromStr;

use nix::unistd::getuid;

use super::super::{Failure, reason};
use super::unanswered;
use crate::refusal::Exit;

/// Where netbrokerd listens.
pub(in crate::ctl) const SOCKET: &str = "/run/netbroker/socket";
/// The path at which packages install the program.
pub(in crate::ctl) const PROGRAM: &str = "/usr/libexec/netbroker/netbroker";
/// The forms of the option `--via`.
pub(in crate::ctl) const FORMS: &str = "socket:PATH|program:PATH|sudo:PATH";

/// The environment variables that the broker reads, at real uid 0 or with `--peer` only: they say who started it.
const WHO_STARTED_IT: [&str; 4] = ["SUDO_UID", "SUDO_GID", "DOAS_USER", "PKEXEC_UID"];
/// The variables that pass sockets to a process ([`super::super::bridge`]). They are not for the programs that it starts.
const PASSED: [&str; 3] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];

/// How the broker is reached. Each way has its own privileges and its own `@host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ctl) enum Via {
    /// A program with the setuid bit or file capabilities, or started by root.
    Program(PathBuf),
    /// A program that `sudo -n` starts as root.
    Sudo(PathBuf),
    /// The socket of netbrokerd, or of a listener that starts `netbroker --peer` for each connection.
    Socket(PathBuf),
}

/// Whether sudo, doas or pkexec made this process root's for another user. Only the program learns who that is: a socket
/// would report root.
pub(in crate::ctl) fn is_root_for_another() -> bool {
    getuid().is_root() && WHO_STARTED_IT.iter().any(|name| env::var_os(name).is_some())
}

impl FromStr for Via {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (way, path): (fn(PathBuf) -> Self, &str) = match text.split_once(':') {
            Some(("program", path)) => (Self::Program, path),
            Some(("sudo", path)) => (Self::Sudo, path),
            Some(("socket", path)) => (Self::Socket, path),
            _ => return Err("expected `socket:PATH`, `program:PATH` or `sudo:PATH`"),
        };
        // A bare word would be looked for along $PATH: another program than the one that was meant, perhaps.
        if path.contains('/') { Ok(way(path.into())) } else { Err("the path must contain a slash") }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(path) => write!(f, "program:{}", path.display()),
            Self::Sudo(path) => write!(f, "sudo:{}", path.display()),
            Self::Socket(path) => write!(f, "socket:{}", path.display()),
        }
    }
}

/// The broker, as far as it is reached before a request is sent.
#[derive(Debug)]
pub(in crate::ctl) enum Broker {
    /// A connection to a listener.
    Connected(UnixStream),
    /// A program that is started for each request.
    Started(Program),
}

impl Broker {
    /// Connects, where the way is a socket. Without a stated way, this is the socket of netbrokerd if it takes the
    /// connection, and the installed program otherwise.
    ///
    /// # Errors
    /// [`Exit::NotPrivileged`] if the stated socket takes no connection.
    pub(in crate::ctl) fn reach(via: Option<&Via>) -> Result<Self, Failure> {
        let program = |path, by_sudo, no_socket| Self::Started(Program { path, by_sudo, no_socket });
        let installed = |no_socket| program(PROGRAM.into(), false, no_socket);
        match via {
            Some(Via::Socket(path)) => {
                UnixStream::connect(path).map(Self::Connected).map_err(|error| not_connected(path, &error))
            }
            Some(Via::Program(path)) => Ok(program(path.clone(), false, None)),
            Some(Via::Sudo(path)) => Ok(program(path.clone(), true, None)),
            None if is_root_for_another() => Ok(installed(None)),
            None => Ok(UnixStream::connect(SOCKET).map_or_else(|error| installed(Some(error)), Self::Connected)),
        }
    }
}

fn not_connected(path: &Path, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => "; start its listener",
        _ => "",
    };
    Failure::Message(Exit::NotPrivileged, format!("cannot connect to {}: {}{hint}", path.display(), reason(error)))
}

/// A program that is started for each request.
#[derive(Debug)]
pub(in crate::ctl) struct Program {
    path: PathBuf,
    by_sudo: bool,
    /// Why the socket of netbrokerd was not used, if it was tried.
    no_socket: Option<io::Error>,
}

/// A request that was sent.
#[derive(Debug)]
pub(in crate::ctl) struct Asked {
    /// The stream of replies.
    pub(in crate::ctl) replies: ChildStdout,
    /// The process that was started for it.
    pub(in crate::ctl) process: Child,
}

impl Program {
    /// Starts it, sends one message, and closes the pipe.
    ///
    /// # Errors
    /// [`Exit::NotPrivileged`] if it cannot be started, [`Exit::Unanswered`] if the message may have been sent in part.
    pub(in crate::ctl) fn send(&self, message: &[u8]) -> Result<Asked, Failure> {
        let mut command = Command::new(if self.by_sudo { Path::new("sudo") } else { &self.path });
        if self.by_sudo {
            command.arg("-n").arg("--").arg(&self.path);
            for name in PASSED {
                command.env_remove(name);
            }
        } else {
            command.env_clear();
            command.envs(WHO_STARTED_IT.iter().filter_map(|name| Some((name, env::var_os(name)?))));
        }
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = started.map_err(|error| self.not_started(&error))?;
        let (Some(mut pipe), Some(replies)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(unanswered("the broker has no pipes"));
        };
        let _all = written(pipe.write_all(message))?;
        Ok(Asked { replies, process })
    }

    fn not_started(&self, error: &io::Error) -> Failure {
        let what = if self.by_sudo { "sudo".to_owned() } else { self.path.display().to_string() };
        let is = |kind| error.kind() == kind || self.no_socket.as_ref().is_some_and(|socket| socket.kind() == kind);
        let (forbidden, absent) = (is(io::ErrorKind::PermissionDenied), is(io::ErrorKind::NotFound));
        let hint = match (self.by_sudo, &self.no_socket) {
            (true, _) if absent => "; install sudo",
            (false, None) if forbidden => {
                "; only members of the group `netbroker-callers` can start it (`id` shows your groups)"
            }
            (false, Some(_)) if forbidden => {
                "; only members of the group `netbroker-callers` can use them (`id` shows your groups)"
            }
            (false, None) if absent => "; install netbroker, or give its path with `--via program:PATH`",
            (false, Some(_)) => "; install netbroker and start netbrokerd, or give the way with `--via`",
            _ => "",
        };
        let before = match &self.no_socket {
            Some(error) => format!("cannot connect to {SOCKET}: {}; ", reason(error)),
            None => String::new(),
        };
        Failure::Message(Exit::NotPrivileged, format!("{before}cannot start {what}: {}{hint}", reason(error)))
    }

    /// The failure of sudo, if this status without a reply can only be its own: the broker never ends with 1 in silence.
    pub(in crate::ctl) fn refused_by_sudo(&self, status: ExitStatus) -> Option<Failure> {
        let message = || format!("sudo did not start the broker (sudo:{})", self.path.display());
        (self.by_sudo && status.code() == Some(1)).then(|| Failure::Message(Exit::NotPrivileged, message()))
    }
}

/// Whether all of a request was sent. A broker that ends before it has read everything gives the reason in its reply.
pub(in crate::ctl) fn written(sent: io::Result<()>) -> Result<bool, Failure> {
    match sent {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => Ok(false),
        Err(error) => Err(unanswered(&format!("the request cannot be sent: {}", reason(&error)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_in_is_stated_with_its_path() {
        assert_eq!("program:/x/netbroker".parse(), Ok(Via::Program("/x/netbroker".into())));
        assert_eq!("sudo:/x/netbroker".parse(), Ok(Via::Sudo("/x/netbroker".into())));
        assert_eq!("socket:./s:1".parse(), Ok(Via::Socket("./s:1".into())));
        for shown in ["program:./netbroker", "sudo:/x/netbroker", "socket:/run/s"] {
            assert_eq!(shown.parse::<Via>().map(|via| via.to_string()).as_deref(), Ok(shown));
        }
        for wrong in ["/usr/libexec/netbroker/netbroker", "sudo", "Sudo:/x", "sudo -n /x", "tcp:/x", ""] {
            assert!(wrong.parse::<Via>().is_err_and(|why| why.starts_with("expected")), "{wrong}");
        }
        for bare in ["program:netbroker", "sudo:", "socket:s"] {
            assert_eq!(bare.parse::<Via>(), Err("the path must contain a slash"), "{bare}");
        }
    }
}
