// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl bridge`: relays Varlink messages between its caller and the broker, for clients that start a program
//! where others connect to a socket.
//!
//! The caller is on standard input and output. Clients that activate a service pass it descriptor 3 instead
//! (`sd_listen_fds(3)`): a connection (`varlinkctl exec:`), or a socket that listens, to which they connect as often as
//! they like (`varlink --activate`).
#![forbid(unsafe_code)]

mod ending;
mod relay;

use std::env;
use std::io::ErrorKind;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::PollTimeout;
use nix::sys::socket::{AddressFamily, SockType, SockaddrLike as _, SockaddrStorage, getsockname, getsockopt, sockopt};
use nix::unistd::{Pid, geteuid, getppid};

use self::ending::{Ready, start, wait};
use self::relay::{Descriptor, relay};
use super::call::via::{self, Via};
use super::{Failure, reason, tell};
use crate::refusal::{Exit, describe};
use crate::sys;

/// The descriptor that is passed (`SD_LISTEN_FDS_START`).
const PASSED: i32 = 3;
/// How often a bridge without a connection looks whether there can be another one, in milliseconds.
const LOOK: u16 = 500;
/// How often a bridge that is told to end looks whether all connections have ended.
const PAUSE: Duration = Duration::from_millis(10);

#[derive(Debug, Default, clap::Args)]
pub(super) struct Arguments {
    /// How to reach the broker: connect to a socket, or start a program for each request, itself or with `sudo -n`;
    /// default: `socket:/run/netbroker/socket` if a listener is there, otherwise
    /// `program:/usr/libexec/netbroker/netbroker`
    #[arg(long, value_name = via::FORMS)]
    via: Option<Via>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let via = arguments.via.as_ref();
    ending::prepare().map_err(|error| system(&reason(&error)))?;
    let Some(socket) = passed()? else {
        return relay(duplicate(sys::stdin())?, &duplicate(sys::stdout())?, via);
    };
    match getsockopt(&socket, sockopt::AcceptConn) {
        Ok(true) => accept(&UnixListener::from(socket), via),
        _ => {
            let connection = UnixStream::from(socket);
            require_own(&connection)?;
            converse(&connection, via)
        }
    }
}

fn duplicate(descriptor: BorrowedFd<'_>) -> Result<Descriptor, Failure> {
    descriptor.try_clone_to_owned().map(Descriptor).map_err(|error| system(&reason(&error)))
}

fn system(why: &str) -> Failure {
    Failure::Message(Exit::System, format!("cannot relay messages: {why}"))
}

/// How many sockets were passed to this process, in the words of the one that started it. They can also be meant for
/// another process, which passed its environment on.
pub(super) fn number_passed() -> Option<String> {
    let own = env::var("LISTEN_PID").is_ok_and(|id| id == std::process::id().to_string());
    env::var("LISTEN_FDS").ok().filter(|number| own && number != "0")
}

/// The socket that was passed to this process, if one was.
fn passed() -> Result<Option<OwnedFd>, Failure> {
    let Some(number) = number_passed() else { return Ok(None) };
    let wrong = |why: &str| Failure::Message(Exit::Usage, why.to_owned());
    if number != "1" {
        return Err(wrong(&format!("LISTEN_FDS is `{}`, but only one socket can be passed", number.escape_debug())));
    }
    let socket = sys::adopt(PASSED).ok_or_else(|| wrong("LISTEN_FDS is set, but descriptor 3 is not open"))?;
    let is_unix = getsockname::<SockaddrStorage>(PASSED).is_ok_and(|own| own.family() == Some(AddressFamily::Unix));
    if !is_unix || getsockopt(&socket, sockopt::SockType) != Ok(SockType::Stream) {
        return Err(wrong("LISTEN_FDS is set, but descriptor 3 is not a Unix stream socket"));
    }
    // It is not for the brokers that this process starts.
    fcntl(&socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map_err(|errno| system(describe(errno)))?;
    Ok(Some(socket))
}

/// Refuses every user but the one who started this process, and root: the broker takes that user for the caller.
fn require_own(connection: &UnixStream) -> Result<(), Failure> {
    let peer = getsockopt(connection, sockopt::PeerCredentials).map_err(|errno| system(describe(errno)))?.uid();
    if peer == geteuid().as_raw() || peer == 0 {
        return Ok(());
    }
    let why = format!("the caller is the user {peer}; a bridge serves only the user who started it");
    Err(Failure::Message(Exit::NotPrivileged, why))
}

/// Relays the messages of one connection.
fn converse(connection: &UnixStream, via: Option<&Via>) -> Result<ExitCode, Failure> {
    let ended = relay(duplicate(connection.as_fd())?, &duplicate(connection.as_fd())?, via);
    let _closed = connection.shutdown(std::net::Shutdown::Both); // wakes the thread that reads from it
    ended
}

/// Accepts connections, each in a thread of its own, until there can be no more.
fn accept(listener: &UnixListener, via: Option<&Via>) -> Result<ExitCode, Failure> {
    let (starter, mut status) = (getppid(), ExitCode::SUCCESS);
    let (report, ended) = channel();
    let mut open = 0_usize;
    loop {
        match wait(listener.as_fd(), PollTimeout::from(LOOK)).map_err(|errno| system(describe(errno)))? {
            Ready::Input => match listener.accept() {
                Ok((connection, _)) => match require_own(&connection) {
                    Ok(()) => {
                        let (via, report) = (via.cloned(), report.clone());
                        let work = move || report.send(converse(&connection, via.as_ref()));
                        start(work).map_err(|error| system(&reason(&error)))?;
                        open += 1;
                    }
                    Err(failure) => tell(&failure),
                },
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(system(&reason(&error))),
            },
            Ready::Late if open > 0 || !is_over(listener, starter) => {}
            Ready::End if open > 0 => thread::sleep(PAUSE),
            Ready::Late | Ready::End => return Ok(status),
        }
        for result in ended.try_iter() {
            open -= 1;
            status = match result {
                Ok(code) => code,
                // No other connection would fare better.
                Err(Failure::Message(Exit::NotPrivileged, why)) => {
                    return Err(Failure::Message(Exit::NotPrivileged, why));
                }
                Err(failure) => {
                    tell(&failure);
                    failure.exit().into()
                }
            };
        }
    }
}

/// Whether nobody can connect any more: the process that started this one has ended, or has removed the socket. Most
/// clients do not end what they activate.
fn is_over(listener: &UnixListener, starter: Pid) -> bool {
    let address = listener.local_addr();
    let path = address.as_ref().ok().and_then(|address| address.as_pathname());
    getppid() != starter || path.is_some_and(|path| matches!(path.try_exists(), Ok(false)))
}
