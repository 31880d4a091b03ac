// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Relaying: each message of the caller goes to the broker as it is, in order, and each reply comes back as it is. A call
//! has replies up to the first without `continues`, and none with `oneway`.
#![forbid(unsafe_code)]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{read, write};
use serde::Deserialize;

use super::super::call::via::{Broker, Program, Via};
use super::super::call::{LastReply, ended, outcome, unanswered};
use super::super::{Failure, reason};
use super::ending::{Ready, start, wait};
use super::system;
use crate::refusal::Exit;
use crate::wire::{CallMessage, MESSAGE};

/// How many bytes of replies are relayed at a time.
const CHUNK: usize = 65536;

/// A descriptor of the caller's. It waits where the caller has made it non-blocking: the flag belongs to the caller, too.
#[derive(Debug)]
pub(super) struct Descriptor(pub(super) OwnedFd);

impl Read for Descriptor {
    /// What has arrived when this process is told to end is still read. Clients end what they started once they have
    /// closed the connection, and their last message may be without a reply.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match wait(self.0.as_fd(), PollTimeout::NONE)? {
                Ready::End => return Ok(0),
                Ready::Late => {}
                Ready::Input => match read(&self.0, into) {
                    Err(Errno::EAGAIN | Errno::EINTR) => {}
                    other => return Ok(other?),
                },
            }
        }
    }
}

impl Write for &Descriptor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match write(&self.0, bytes) {
                Err(Errno::EAGAIN) => {
                    let room = PollFd::new(self.0.as_fd(), PollFlags::POLLOUT);
                    let _interrupted = poll(&mut [room], PollTimeout::NONE);
                }
                Err(Errno::EINTR) => {}
                other => return Ok(other?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Relays all messages from `input`, and the replies to `output`.
pub(super) fn relay(input: Descriptor, output: &Descriptor, via: Option<&Via>) -> Result<ExitCode, Failure> {
    let input = BufReader::new(input);
    match Broker::reach(via)? {
        Broker::Connected(connection) => by_connection(input, output, &connection),
        Broker::Started(program) => by_program(input, output, &program),
    }
}

/// The next message, with the NUL that ends it; `None` at the end of the input.
fn next(input: &mut impl BufRead) -> Result<Option<Vec<u8>>, Failure> {
    let wrong = |why: String| Failure::Message(Exit::Request, why);
    let (mut message, most) = (Vec::new(), u64::try_from(MESSAGE + 1).unwrap_or(u64::MAX));
    match input.take(most).read_until(0, &mut message) {
        Ok(_) if message.last() == Some(&0) => Ok(Some(message)),
        Ok(_) if message.len() > MESSAGE => Err(wrong(format!("a message is longer than {MESSAGE} bytes"))),
        Ok(_) if message.iter().all(u8::is_ascii_whitespace) => Ok(None),
        Ok(_) => Err(wrong("the input ends within a message; each message ends with NUL".to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
        Err(error) => Err(system(&format!("the input cannot be read: {}", reason(&error)))),
    }
}

/// Starts a program for each message.
fn by_program(mut input: impl BufRead, output: &Descriptor, program: &Program) -> Result<ExitCode, Failure> {
    while let Some(message) = next(&mut input)? {
        let mut asked = program.send(&message)?;
        let mut replies = Replies::default();
        let relayed = replies.relay(asked.replies, output, |_| {});
        let status = ended(&mut asked.process)?;
        relayed?;
        if replies.ended > 0 || expects_no_reply(&message) {
            continue;
        }
        return program.refused_by_sudo(status).map_or_else(|| outcome(LastReply::Unfinished, status), Err);
    }
    Ok(ExitCode::SUCCESS)
}

fn expects_no_reply(message: &[u8]) -> bool {
    read_message(message).is_ok_and(|message| message.oneway)
}

/// The broker's own reading of a message.
fn read_message(message: &[u8]) -> Result<CallMessage, String> {
    CallMessage::parse(message.strip_suffix(b"\0").unwrap_or(message))
}

/// What the thread that sends reports.
enum Sent {
    /// A message was sent that has a reply. Where the broker will take it for malformed, and close the connection: why.
    Call(Option<String>),
    /// The input has ended.
    Ended,
    /// No further message can be sent.
    Failed(Failure),
}

/// Sends all messages on one connection, and relays what comes back until the broker closes it.
fn by_connection(
    input: BufReader<Descriptor>,
    output: &Descriptor,
    connection: &UnixStream,
) -> Result<ExitCode, Failure> {
    let to = connection.try_clone().map_err(|error| system(&reason(&error)))?;
    let (report, sent) = channel();
    // It ends with the input, or with this process.
    start(move || send_all(input, &to, &report)).map_err(|error| system(&reason(&error)))?;
    let relayed = Replies::default().relay(connection, output, |ended| {
        for _ in 0..ended {
            let _none = sent.try_recv(); // a reply to nothing is relayed, too
        }
    });
    let _closed = connection.shutdown(Shutdown::Both);
    unanswered_by(&sent, relayed?)
}

/// Sends all messages. At their end the broker answers what it has, and closes the connection.
fn send_all(mut input: BufReader<Descriptor>, mut to: &UnixStream, report: &Sender<Sent>) {
    let last = loop {
        let message = match next(&mut input) {
            Ok(Some(message)) => message,
            Ok(None) => break Sent::Ended,
            Err(failure) => break Sent::Failed(failure),
        };
        let read = read_message(&message);
        let is_call = !read.as_ref().is_ok_and(|message| message.oneway);
        if is_call && report.send(Sent::Call(read.err())).is_err() || to.write_all(&message).is_err() {
            return; // the broker has closed the connection, and the reader will learn it
        }
    };
    let _gone = report.send(last);
    let _closed = to.shutdown(Shutdown::Write);
}

/// How the broker has closed the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closed {
    /// After it had taken everything that was sent.
    AtTheEnd,
    /// Before.
    Early,
}

/// How a conversation ended, by what was sent and not answered.
fn unanswered_by(sent: &Receiver<Sent>, how: Closed) -> Result<ExitCode, Failure> {
    let closed = |why: &str| format!("the broker closed the connection{why}");
    match sent.try_recv() {
        // A message that expects no reply can be the one that was not taken.
        Ok(Sent::Ended) if how == Closed::Early => {
            Err(Failure::Message(Exit::Again, closed(" before it took all messages")))
        }
        Ok(Sent::Ended) => Ok(ExitCode::SUCCESS),
        Err(_) => Err(Failure::Message(Exit::Again, closed(""))),
        Ok(Sent::Failed(failure)) => Err(failure),
        Ok(Sent::Call(Some(why))) => Err(Failure::Message(Exit::Request, closed(&format!(": {why}")))),
        Ok(Sent::Call(None)) => Err(unanswered("the connection was closed without a reply")),
    }
}

/// A reply, as far as it says whether another one follows.
#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    continues: Option<bool>,
}

/// The replies that were relayed.
#[derive(Debug, Default)]
struct Replies {
    /// The bytes of a reply that has not ended.
    partial: Vec<u8>,
    /// How many calls were answered.
    ended: usize,
}

impl Replies {
    /// Relays bytes as they come, to the end, and reports how many calls each piece has answered.
    fn relay(
        &mut self,
        mut from: impl Read,
        mut to: &Descriptor,
        mut ended: impl FnMut(usize),
    ) -> Result<Closed, Failure> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let got = match from.read(&mut chunk) {
                Ok(0) => return Ok(Closed::AtTheEnd),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(Closed::Early),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(unanswered(&format!("the reply cannot be read: {}", reason(&error)))),
                Ok(got) => chunk.get(..got).unwrap_or_default(),
            };
            to.write_all(got).map_err(|_| Failure::Closed)?;
            ended(self.count(got));
        }
    }

    /// How many calls are answered once these bytes have come.
    fn count(&mut self, bytes: &[u8]) -> usize {
        let before = self.ended;
        for piece in bytes.split_inclusive(|byte| *byte == 0) {
            self.partial.extend_from_slice(piece);
            if let Some(reply) = self.partial.strip_suffix(b"\0") {
                let follows = serde_json::from_slice::<Reply>(reply).is_ok_and(|reply| reply.continues == Some(true));
                self.ended += usize::from(!follows);
                self.partial.clear();
            }
        }
        self.ended - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_answered_by_its_last_reply_however_the_bytes_arrive() {
        let bytes = b"{\"parameters\":{},\"continues\":true}\0{\"parameters\":{}}\0{\"error\":\"a.B\"}\0{\"continues\":false}\0{";
        for size in 1..=bytes.len() {
            let mut replies = Replies::default();
            let ended: usize = bytes.chunks(size).map(|chunk| replies.count(chunk)).sum();
            assert_eq!((ended, replies.ended, &replies.partial[..]), (3, 3, &b"{"[..]), "{size}");
        }
    }

    #[test]
    fn messages_are_taken_apart_and_a_part_of_one_is_named() {
        let all = |mut bytes: &[u8]| {
            let mut messages = Vec::new();
            loop {
                match next(&mut bytes) {
                    Ok(Some(message)) => messages.push(message),
                    Ok(None) => return (messages, None),
                    Err(Failure::Message(_, why)) => return (messages, Some(why)),
                    Err(other) => panic!("{other:?}"),
                }
            }
        };
        assert_eq!(all(b"a\0\0bc\0\n"), (vec![b"a\0".to_vec(), b"\0".to_vec(), b"bc\0".to_vec()], None));
        assert_eq!(all(b""), (Vec::new(), None));
        let (whole, why) = all(b"a\0b");
        assert_eq!(
            (whole.len(), why.unwrap()),
            (1, "the input ends within a message; each message ends with NUL".to_owned())
        );
        let longest = [&vec![b' '; MESSAGE][..], b"\0"].concat();
        assert_eq!(all(&longest).0, std::slice::from_ref(&longest));
        let (none, why) = all(&[b" ", &longest[..]].concat());
        assert_eq!((none.len(), why.unwrap()), (0, "a message is longer than 1048576 bytes".to_owned()));
    }
}
