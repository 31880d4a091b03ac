// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The ways to the broker: its program, its program started by `sudo -n`, or the socket of a listener.
#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;

use super::super::{Failure, reason};
use super::unanswered;
use crate::refusal::Exit;

/// The path at which packages install the program.
pub(super) const DEFAULT: &str = "program:/usr/libexec/netbroker/netbroker";

/// The environment variables that the broker reads, at real uid 0 only: they say who started it.
const WHO_STARTED_IT: [&str; 4] = ["SUDO_UID", "SUDO_GID", "DOAS_USER", "PKEXEC_UID"];

/// How the broker is reached. This is always given, never guessed: each way has its own privileges and its own `@host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Via {
    /// A program with the setuid bit or file capabilities, or started by root.
    Program(PathBuf),
    /// A program that `sudo -n` starts as root.
    Sudo(PathBuf),
    /// The socket of a listener that starts `netbroker --peer` for each connection.
    Socket(PathBuf),
}

impl FromStr for Via {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (way, path): (fn(PathBuf) -> Self, &str) = match text.split_once(':') {
            Some(("program", path)) => (Self::Program, path),
            Some(("sudo", path)) => (Self::Sudo, path),
            Some(("socket", path)) => (Self::Socket, path),
            _ => return Err("expected `program:PATH`, `sudo:PATH` or `socket:PATH`"),
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

/// A request that was sent.
pub(super) struct Asked {
    /// The stream of replies.
    pub(super) replies: Box<dyn Read>,
    /// The process that was started for it, if one was.
    pub(super) process: Option<Child>,
}

impl Via {
    pub(super) fn is_sudo(&self) -> bool {
        matches!(self, Self::Sudo(_))
    }

    /// Sends one message.
    ///
    /// # Errors
    /// [`Exit::NotPrivileged`] if the broker cannot be reached, [`Exit::Unanswered`] if the message may have
    /// been sent in part.
    pub(super) fn send(&self, message: &[u8]) -> Result<Asked, Failure> {
        match self {
            Self::Program(path) => {
                let mut command = Command::new(path);
                command.env_clear();
                for name in WHO_STARTED_IT {
                    if let Some(value) = std::env::var_os(name) {
                        command.env(name, value);
                    }
                }
                self.start(command, message)
            }
            Self::Sudo(path) => {
                let mut command = Command::new("sudo");
                command.arg("-n").arg("--").arg(path);
                self.start(command, message)
            }
            Self::Socket(path) => {
                let mut connection =
                    UnixStream::connect(path).map_err(|error| self.unreachable("connect to", &error))?;
                written(connection.write_all(message))?;
                Ok(Asked { replies: Box::new(connection), process: None })
            }
        }
    }

    /// Starts a program, writes the message, and closes the pipe.
    fn start(&self, mut command: Command, message: &[u8]) -> Result<Asked, Failure> {
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = started.map_err(|error| self.unreachable("start", &error))?;
        let (Some(mut pipe), Some(replies)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(unanswered("the broker has no pipes"));
        };
        written(pipe.write_all(message))?;
        Ok(Asked { replies: Box::new(replies), process: Some(process) })
    }

    fn unreachable(&self, verb: &str, error: &io::Error) -> Failure {
        let hint = match (self, error.kind()) {
            (Self::Program(_), io::ErrorKind::PermissionDenied) => {
                "; only members of the group `netbroker-callers` can start it (`id` shows your groups)"
            }
            (Self::Program(_), io::ErrorKind::NotFound) => {
                "; install netbroker, or give its path with `--via program:PATH`"
            }
            (Self::Sudo(_), io::ErrorKind::NotFound) => "; install sudo",
            (Self::Socket(_), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => "; start its listener",
            _ => "",
        };
        let what = match self {
            Self::Program(path) | Self::Socket(path) => path.display().to_string(),
            Self::Sudo(_) => "sudo".to_owned(),
        };
        Failure::Message(Exit::NotPrivileged, format!("cannot {verb} {what}: {}{hint}", reason(error)))
    }
}

/// A broker that ends before it has read everything gives the reason in its reply.
fn written(sent: io::Result<()>) -> Result<(), Failure> {
    match sent {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(unanswered(&format!("the request cannot be sent: {}", reason(&error))))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_in_is_stated_with_its_path() {
        assert_eq!(DEFAULT.parse(), Ok(Via::Program("/usr/libexec/netbroker/netbroker".into())));
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
