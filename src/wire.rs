// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The wire: Varlink (UAPI.20) on descriptors 0 and 1. A message is one JSON object that ends with NUL. From a socket,
//! only the messages of one call are taken: what is queued after them belongs to the next process. On a file, pipe or
//! terminal, the end of input may also end the message, and the reply then ends with a newline.
#![forbid(unsafe_code)]

mod message;

use std::io::IoSliceMut;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recv, recvmsg};
use nix::unistd::{read, write};
use serde_json::json;

use crate::caller::Caller;
use crate::refusal::{Exit, Refusal, system};
use crate::sys;

pub use message::CallMessage;

/// The largest message, in bytes.
pub(crate) const MESSAGE: usize = 1 << 20;
/// How long a request may take to arrive completely, and how long a reader may take nothing of the reply.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the rest of a long request may take on a connection of `netbrokerd`.
const SOON: Duration = Duration::from_secs(2);
/// What is said after [`PATIENCE`].
const LATE: &str = "the request was not complete after 10 s";
/// What is said after [`SOON`].
const REST_LATE: &str = "the rest of the request did not come within 2 s";
/// What is said where `netbrokerd` ends the connection, for a time limit of its own or because it ends.
const TAKEN_LATE: &str = "the request was not complete in time";
/// How many bytes are written at a time. A pipe or socket has room for so many where poll(2) reports room (`PIPE_BUF`).
const PIECE: usize = 4096;
/// How many bytes are read at a time.
const CHUNK: usize = 8192;

/// What kind of file descriptor 0 is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A Unix stream socket.
    Socket,
    /// A pipe.
    Pipe,
    /// A terminal, /dev/null or a file.
    Stream,
}

/// Whether lines may be written on descriptor 2. They report what no reply can report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Complaints {
    /// Lines are written.
    Written,
    /// Lines are not written, because the descriptor leads to another user.
    Withheld,
}

impl Complaints {
    /// Writes a line, after the name of the program.
    pub fn say(self, line: &str) {
        self.write(&format!("netbroker: {line}\n"));
    }

    /// Writes a text as it is.
    pub fn write(self, text: &str) {
        if self == Self::Written {
            let _unheard = write(sys::stderr(), text.as_bytes());
        }
    }
}

/// A conversation with the caller.
#[derive(Debug)]
pub struct Wire {
    input: Input,
    complaints: Complaints,
    sender: Option<Caller>,
    pending: Vec<u8>,
    ended_by_nul: bool,
    deadline: Instant,
    /// What is said after the deadline.
    late: &'static str,
    /// How `netbrokerd` has handed over the connection, if it has.
    handed_over: Option<Handed>,
    /// Whether a part of the message was taken, and the rest is waited for.
    has_begun: bool,
}

/// How `netbrokerd` hands over a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handed {
    /// Where no complete message has arrived, and what has is short, nothing is taken and the connection is handed back.
    Over,
    /// What has arrived is taken, whether it is complete or not. Nothing is waited for, not even room for the reply.
    ForTheLastTime,
}

/// What ends a conversation without a call.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// The caller sent nothing, or nothing more.
    Silence,
    /// No byte of a message came in time.
    Idle,
    /// No complete message has arrived yet, and nothing was taken of what has.
    Unready,
    /// What arrived is not a message, and why.
    Malformed(String),
    /// A part of the request was sent under other ids than the connection was made with.
    OtherSender,
    /// The system failed.
    Failed(Refusal),
}

impl End {
    /// What is recorded and written on descriptor 2; `None` where nothing was requested.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        match self {
            Self::Silence | Self::Unready => None,
            Self::Idle => Some(LATE.to_owned()),
            Self::Malformed(why) => Some(why.clone()),
            Self::OtherSender => Some("a part of the request was sent under other ids".to_owned()),
            Self::Failed(refusal) => Some(refusal.to_string()),
        }
    }

    /// The exit status. Some listeners pass a connection to one process after another. After 66 and 76 such a listener
    /// closes the connection. After 65 it keeps the connection open, because that request was answered.
    fn exit(&self, from_peer: bool) -> Exit {
        match self {
            Self::Silence if from_peer => Exit::NoRequest,
            Self::Idle | Self::Malformed(_) if from_peer => Exit::Protocol,
            Self::Silence | Self::Idle | Self::Malformed(_) => Exit::Request,
            Self::Unready => Exit::Unready,
            Self::OtherSender => Exit::Protocol,
            Self::Failed(_) if from_peer => Exit::Unanswered,
            Self::Failed(refusal) => refusal.exit(),
        }
    }
}

impl Wire {
    /// A conversation on the standard descriptors. `sender` is the peer, if every byte must have been sent by the peer.
    #[must_use]
    pub fn new(input: Input, complaints: Complaints, sender: Option<Caller>, started: Instant) -> Self {
        let deadline = started + PATIENCE;
        let (pending, handed_over) = (Vec::new(), None);
        Self {
            input,
            complaints,
            sender,
            pending,
            ended_by_nul: false,
            deadline,
            late: LATE,
            handed_over,
            has_begun: false,
        }
    }

    /// The same conversation on a connection of `netbrokerd`.
    #[must_use]
    pub fn handed_over(self, how: Handed) -> Self {
        let late = if how == Handed::ForTheLastTime { TAKEN_LATE } else { LATE };
        Self { handed_over: Some(how), late, ..self }
    }

    /// Whether `netbrokerd` handed over the connection, to serve one message.
    #[must_use]
    pub fn is_handed_over(&self) -> bool {
        self.handed_over.is_some()
    }

    /// Whether a listener passed on the connection of a peer.
    #[must_use]
    pub fn is_from_peer(&self) -> bool {
        self.sender.is_some() || self.is_handed_over()
    }

    /// Takes one message.
    ///
    /// # Errors
    /// [`End`]
    pub fn take(&mut self) -> Result<CallMessage, End> {
        self.time_left().ok_or(End::Idle)?; // taking what has arrived takes time, too
        let bytes = self.take_bytes()?;
        // A caller may have frozen the process meanwhile. The policy that judges the request would then be an old one.
        self.time_left().ok_or_else(|| End::Malformed(self.late.to_owned()))?;
        CallMessage::parse(&bytes).map_err(End::Malformed)
    }

    /// Requires that no bytes follow the call. A pipe cannot be peeked into, so they have been read and would be lost.
    ///
    /// # Errors
    /// [`End::Malformed`]
    pub fn require_end(&mut self) -> Result<(), End> {
        match std::mem::take(&mut self.pending).iter().all(u8::is_ascii_whitespace) {
            true => Ok(()),
            false => Err(End::Malformed("bytes follow the call: one process serves one call".to_owned())),
        }
    }

    /// The bytes of one message, without the NUL that ends it.
    fn take_bytes(&mut self) -> Result<Vec<u8>, End> {
        let mut message = std::mem::take(&mut self.pending);
        loop {
            let end = message.iter().position(|b| *b == 0);
            if end.unwrap_or(message.len()) > MESSAGE {
                return Err(End::Malformed(format!("the request is longer than {MESSAGE} bytes")));
            }
            if let Some(at) = end {
                self.pending = message.split_off(at + 1);
                message.truncate(at);
                self.ended_by_nul = true;
                return Ok(message);
            }
            let chunk = self.more().map_err(|end| match end {
                End::Idle if !message.is_empty() => End::Malformed(self.late.to_owned()),
                other => other,
            })?;
            if chunk.is_empty() {
                let blank = message.iter().all(u8::is_ascii_whitespace);
                return match self.input {
                    _ if blank => Err(End::Silence),
                    Input::Socket => Err(End::Malformed("the request is not terminated by NUL".to_owned())),
                    Input::Pipe | Input::Stream => {
                        self.ended_by_nul = false;
                        Ok(message)
                    }
                };
            }
            message.extend(chunk);
            if !message.contains(&0) {
                self.begin_to_wait();
            }
        }
    }

    /// A part of the message was taken, and the rest is waited for. A connection of `netbrokerd` has a process meanwhile, so
    /// the rest must come soon.
    fn begin_to_wait(&mut self) {
        if self.handed_over == Some(Handed::Over) && !self.has_begun {
            let soon = Instant::now() + SOON;
            if soon < self.deadline {
                (self.deadline, self.late) = (soon, REST_LATE);
            }
        }
        self.has_begun = true;
    }

    /// The next bytes; none at the end of input. From a socket, nothing after the first NUL.
    ///
    /// Other processes may hold the same descriptor and take what `wait` saw. So no read may wait for more: the
    /// deadline would have no effect. A terminal has no read that does not wait, nor has a pipe before Linux 6.4.
    /// There, the alarm ends the process.
    fn more(&mut self) -> Result<Vec<u8>, End> {
        let mut chunk = vec![0; CHUNK];
        let got = loop {
            match self.handed_over {
                Some(Handed::ForTheLastTime) => {}
                Some(Handed::Over) if !self.has_begun => {}
                _ => self.wait()?,
            }
            let got = match self.input {
                Input::Socket => self.up_to_nul(&mut chunk)?,
                Input::Stream => tried(read(sys::stdin(), &mut chunk))?,
                Input::Pipe => tried(match sys::read_now(sys::stdin(), &mut chunk) {
                    Err(Errno::EOPNOTSUPP) => read(sys::stdin(), &mut chunk),
                    other => other,
                })?,
            };
            match got {
                Some(got) => break got,
                None if self.handed_over == Some(Handed::ForTheLastTime) => return Err(End::Idle),
                None if self.handed_over.is_some() && !self.has_begun => return Err(End::Unready),
                // Another process took it, or it is out-of-band data, which poll(2) reports forever. The pause avoids
                // spinning.
                None => drop(poll(&mut [], PollTimeout::from(10_u8))),
            }
        };
        chunk.truncate(got);
        Ok(chunk)
    }

    /// Peeks at the bytes that have arrived, and takes them up to the first NUL. What was taken must be what was seen:
    /// another process may have taken that, and `SO_PEEK_OFF` (socket(7)) makes a peek begin elsewhere.
    fn up_to_nul(&self, chunk: &mut [u8]) -> Result<Option<usize>, End> {
        let Some(seen) = self.receive(chunk, MsgFlags::MSG_PEEK)? else { return Ok(None) };
        let is_short = seen < chunk.len();
        let seen = chunk.get(..seen).unwrap_or_default();
        let may_hand_back = self.handed_over == Some(Handed::Over) && !self.has_begun;
        if may_hand_back && is_short && !seen.is_empty() && !seen.contains(&0) {
            return Err(End::Unready);
        }
        let wanted = seen.iter().position(|b| *b == 0).map_or(seen.len(), |at| at + 1);
        let mut taken = vec![0; wanted];
        let got = if wanted == 0 { Some(0) } else { self.receive(&mut taken, MsgFlags::empty())? };
        match got {
            Some(got) if taken.get(..got) != seen.get(..got) => {
                Err(End::Malformed("another process reads from the same socket".to_owned()))
            }
            other => Ok(other),
        }
    }

    /// Receives without waiting; `None` where no bytes are available. It ends where the sender's ids change, so one
    /// pair of ids covers all bytes.
    fn receive(&self, into: &mut [u8], flags: MsgFlags) -> Result<Option<usize>, End> {
        let flags = flags | MsgFlags::MSG_DONTWAIT;
        let fd = sys::stdin().as_raw_fd();
        let Some(sender) = &self.sender else { return tried(recv(fd, into, flags)) };
        let mut space = nix::cmsg_space!(nix::sys::socket::UnixCredentials);
        let mut into = [IoSliceMut::new(into)];
        let message = match recvmsg::<()>(fd, &mut into, Some(&mut space), flags) {
            Ok(message) => message,
            Err(errno) => return tried(Err(errno)),
        };
        let other = |_| End::Malformed("the request carries descriptors or other ancillary data".to_owned());
        let credentials = message.cmsgs().map_err(other)?.find_map(|part| match part {
            ControlMessageOwned::ScmCredentials(credentials) => Some(credentials),
            _ => None,
        });
        let same = credentials.is_some_and(|c| c.uid() == sender.uid && c.gid() == sender.gid);
        if message.bytes == 0 || same { Ok(Some(message.bytes)) } else { Err(End::OtherSender) }
    }

    /// Waits for bytes until the deadline.
    fn wait(&self) -> Result<(), End> {
        loop {
            let left = self.time_left().ok_or(End::Idle)?;
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
            match poll(&mut [PollFd::new(sys::stdin(), PollFlags::POLLIN)], timeout) {
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => return Ok(()),
                Err(errno) => return Err(End::Failed(system("wait for the request")(errno))),
            }
        }
    }

    fn time_left(&self) -> Option<Duration> {
        self.deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    /// Writes a reply whose text is given in parts.
    ///
    /// # Errors
    /// The error of the descriptor; `ETIMEDOUT` where the reader made no room in time. The caller then has no reply.
    pub fn reply(&self, parts: &[&str]) -> Result<(), Errno> {
        let end = if self.ended_by_nul || self.input == Input::Socket { "\0" } else { "\n" };
        let patience = if self.handed_over == Some(Handed::ForTheLastTime) { Duration::ZERO } else { PATIENCE };
        let mut piece = Vec::with_capacity(PIECE);
        for part in parts.iter().chain([&end]) {
            let mut rest = part.as_bytes();
            while let Some((some, others)) = rest.split_at_checked(PIECE - piece.len()) {
                piece.extend_from_slice(some);
                write_whole(&piece, patience)?;
                piece.clear();
                rest = others;
            }
            piece.extend_from_slice(rest);
        }
        write_whole(&piece, patience)
    }

    /// Answers a conversation that ended without a call. Malformed input on a file, pipe or terminal is answered with
    /// an error; a socket is only closed. A failure of the system is not the fault of the input, and is not answered.
    /// Where no error is sent, a line on descriptor 2 gives the reason, if it may be written there.
    pub fn answer_end(&self, end: &End) -> Exit {
        let why = end.why().unwrap_or_else(|| "no request".to_owned());
        if self.input != Input::Socket && matches!(end, End::Idle | End::Malformed(_)) {
            let reply = json!({ "error": "org.varlink.service.InvalidParameter", "parameters": { "parameter": why } });
            let _unheard = self.reply(&[&reply.to_string()]);
        } else {
            self.complaints.say(&why);
        }
        end.exit(self.is_from_peer())
    }
}

/// The number of bytes that arrived; `None` where the call would have had to wait.
fn tried(got: Result<usize, Errno>) -> Result<Option<usize>, End> {
    match got {
        Ok(got) => Ok(Some(got)),
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
        Err(errno) => Err(End::Failed(system("read the request")(errno))),
    }
}

/// Writes bytes that fit into the room that poll(2) reports, and waits for room again as often as needed. A write for
/// which there is room does not wait. So a reader that takes nothing is noticed.
fn write_whole(bytes: &[u8], patience: Duration) -> Result<(), Errno> {
    let mut rest = bytes;
    while !rest.is_empty() {
        wait_for_room(sys::stdout(), patience)?;
        match write(sys::stdout().as_fd(), rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn wait_for_room(descriptor: BorrowedFd<'_>, patience: Duration) -> Result<(), Errno> {
    let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::ZERO);
    loop {
        match poll(&mut [PollFd::new(descriptor, PollFlags::POLLOUT)], timeout) {
            Ok(0) => return Err(Errno::ETIMEDOUT),
            Err(Errno::EINTR) => {}
            other => return other.map(drop),
        }
    }
}
