// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A netlink socket, and transactions on it (netlink(7), rtnetlink(7)).
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollTimeout, poll};

use super::answer::{Answer, messages};
use super::message::Message;
use super::socket::{Protocol, Socket};
use super::watched::Watch;
use crate::call::field::{self, Field};
use crate::call::request::Request;
use crate::refusal::{Class, KernelRefusal, Refusal, describe, system};

/// The size of the receive buffer, in bytes. The kernel fills at most 32 KiB per datagram of a listing
/// (`af_netlink.c`). One link with as many alternative names as possible is longer (`IFLA_PROP_LIST`, 64 KiB). Pages
/// that no answer reaches are never touched.
const BUFFER: usize = 128 * 1024;

/// For how long a listing that changes while it is read is requested again.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is requested again at once, before there are pauses. Changes mostly come in bursts, or all the time.
const AT_ONCE: u8 = 10;
/// The longest pause, in milliseconds.
const LONGEST_PAUSE: u8 = 50;

/// Takes the messages of an answer as they arrive.
pub(super) type EachMessage<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), Refusal>;

/// How a listing is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Each message is passed on when it arrives.
    AsItArrives,
    /// All messages are received first. The kernel continues a listing with each receive, so the time in which it can
    /// change is then shortest.
    Whole,
}

/// Decides whether a listing that changed while it was read is requested again, and how it is read then.
#[derive(Debug)]
pub(super) struct Repeats {
    pub(super) reading: Reading,
    began: Option<Instant>,
    attempts: u8,
}

impl Repeats {
    pub(super) fn new() -> Self {
        Self { reading: Reading::AsItArrives, began: None, attempts: 0 }
    }

    /// Waits a little, if it was changed often. Returns whether there is time left for another attempt.
    pub(super) fn again(&mut self) -> bool {
        self.reading = Reading::Whole;
        if self.began.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
            return false;
        }
        self.attempts = self.attempts.saturating_add(1);
        let pause = self.attempts.saturating_sub(AT_ONCE).min(LONGEST_PAUSE);
        // A pause that ends early does no harm.
        let _early = (pause > 0).then(|| poll(&mut [], PollTimeout::from(pause)));
        true
    }
}

/// A netlink socket of one protocol, in one namespace.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
    pub(super) watch: Watch,
}

impl Netlink {
    /// Opens a socket in the namespace that the process is in. The kernel also checks the capabilities of the opener.
    ///
    /// # Errors
    /// [`Refusal::SystemError`]
    pub fn open(protocol: Protocol) -> Result<Self, Refusal> {
        Ok(Self { socket: Socket::open(protocol)?, sequence: 0, buffer: vec![0; BUFFER], watch: Watch::default() })
    }

    /// The descriptor, for the filter.
    #[must_use]
    pub fn descriptor(&self) -> RawFd {
        self.socket.descriptor()
    }

    /// The fields whose link was renamed, replaced or removed by another process while the change was made. The change
    /// may then have been made to a link of another name.
    #[must_use]
    pub fn lost(&self) -> &[&'static str] {
        self.watch.lost()
    }

    /// Sends a request and receives the kernel's answer. Every message of it goes to `each`, up to the first one that
    /// reports that the listing changed meanwhile. The answer ends with the acknowledgement or with the end of the
    /// listing. An error of `each` ends it early. The outcome of a change would then be unknown, so `each` may fail
    /// only for listings and look-ups.
    ///
    /// # Errors
    /// The kernel's error ([`Answer`]); `Lost` and `Interrupted` where receiving the answer failed.
    pub(super) fn transact(&mut self, message: &Message, each: EachMessage<'_>) -> Result<(), TransactionError> {
        self.transact_reading(message, Reading::AsItArrives, each)
    }

    /// The same for a listing that is read in this way.
    ///
    /// # Errors
    /// As [`Self::transact`].
    pub(super) fn transact_reading(
        &mut self,
        message: &Message,
        reading: Reading,
        each: EachMessage<'_>,
    ) -> Result<(), TransactionError> {
        if reading == Reading::AsItArrives {
            return self.exchange(message, each);
        }
        let mut held = Vec::new();
        self.exchange(message, &mut |payload| {
            held.push(payload.to_vec());
            Ok(())
        })?;
        held.iter().try_for_each(|payload| each(payload)).map_err(TransactionError::Broken)
    }

    fn exchange(&mut self, message: &Message, each: EachMessage<'_>) -> Result<(), TransactionError> {
        self.sequence += 1;
        let datagram = message.encode(self.sequence).map_err(TransactionError::Broken)?;
        #[cfg(test)]
        if message.changes() && super::kept::keep(&datagram) {
            return Ok(());
        }
        self.socket.send(&datagram).map_err(broken("send to netlink"))?;
        let lost = |errno| {
            if message.changes() { TransactionError::Lost(errno) } else { broken("receive from netlink")(errno) }
        };
        let mut interrupted = false;
        loop {
            let bytes = match self.socket.receive(&mut self.buffer) {
                // Part of the answer was lost, perhaps its end, so waiting for more before asking again is of no use.
                Err(Errno::ENOBUFS) if message.lists() => return Err(Refusal::Interrupted.into()),
                other => other.map_err(lost)?,
            };
            for answer in messages(self.buffer.get(..bytes).unwrap_or_default(), self.sequence) {
                match answer.ok_or_else(|| lost(Errno::EBADMSG))? {
                    Answer::Message { kind, payload, interrupted: now } if message.is_answered_by(kind) => {
                        interrupted |= now && message.lists();
                        if !interrupted {
                            each(payload)?;
                        }
                        if message.is_answered_at_once() {
                            return Ok(());
                        }
                    }
                    Answer::Message { .. } => return Err(lost(Errno::EBADMSG)),
                    Answer::Done { interrupted: now } if interrupted || now && message.lists() => {
                        return Err(TransactionError::Interrupted);
                    }
                    Answer::Done { .. } => return Ok(()),
                    Answer::Refused { errno, text, offset } => {
                        let field = offset.and_then(|offset| message.field_at(offset));
                        return Err(TransactionError::Refused { errno, text, field });
                    }
                }
            }
        }
    }

    /// Sends a request and reads every message of the answer. A message that does not parse is an error, named by
    /// `step`. A listing that changed while it was read is requested again ([`Repeats`]).
    ///
    /// # Errors
    /// As [`Self::transact`].
    pub(super) fn ask<T>(
        &mut self,
        message: &Message,
        step: &'static str,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, TransactionError> {
        self.pick(message, step, |payload| read(payload).map(Some))
    }

    /// The same, for an answer of which only a part is wanted. Messages for which `read` returns `Some(None)` are not
    /// kept.
    ///
    /// # Errors
    /// As [`Self::transact`].
    pub(super) fn pick<T>(
        &mut self,
        message: &Message,
        step: &'static str,
        read: impl Fn(&[u8]) -> Option<Option<T>>,
    ) -> Result<Vec<T>, TransactionError> {
        let mut repeats = Repeats::new();
        loop {
            let mut told = Vec::new();
            let result = self.transact_reading(message, repeats.reading, &mut |payload| {
                told.extend(read(payload).ok_or_else(|| system(step)(Errno::EBADMSG))?);
                Ok(())
            });
            match result {
                Err(TransactionError::Interrupted) if repeats.again() => {}
                other => return other.map(|()| told),
            }
        }
    }
}

/// Why a transaction failed.
#[derive(Debug)]
pub(super) enum TransactionError {
    /// The kernel refused.
    Refused {
        /// Its error number.
        errno: Errno,
        /// The text of its extended acknowledgement.
        text: Option<String>,
        /// The field of the attribute that it points at.
        field: Option<&'static Field>,
    },
    /// A listing was inconsistent. It was received to its end, so it can be requested again.
    Interrupted,
    /// The kernel's answer to a change was lost: the change may have been made.
    Lost(Errno),
    /// The transaction itself failed, and nothing was changed.
    Broken(Refusal),
}

impl From<Refusal> for TransactionError {
    fn from(refusal: Refusal) -> Self {
        Self::Broken(refusal)
    }
}

fn broken(step: &'static str) -> impl Fn(Errno) -> TransactionError {
    move |errno| TransactionError::Broken(system(step)(errno))
}

impl TransactionError {
    /// Whether no link answers to the name. A link that has it as an alternative name is another error.
    pub(super) fn is_absent_link(&self) -> bool {
        matches!(
            self,
            Self::Refused { errno: Errno::ENODEV, .. } | Self::Broken(Refusal::NoSuchLink { reason: "absent", .. })
        )
    }

    /// Whether what was to be made exists.
    pub(super) fn is_existing(&self) -> bool {
        matches!(self, Self::Refused { errno: Errno::EEXIST, .. })
    }

    /// As a refusal without context: for look-ups and listings.
    pub(super) fn refusal(self) -> Refusal {
        self.into_refusal(Class::KernelRefused, false)
    }

    /// As a refusal of a change of something on a link: `ENODEV` means that the link was removed after the look-up.
    pub(super) fn about_link(self, request: &Request) -> Refusal {
        match self {
            Self::Refused { errno: Errno::ENODEV, .. } => Refusal::NoSuchLink {
                field: field::LINK.field.name,
                name: request.get(&field::LINK).map_or_else(String::new, |name| name.as_str().to_owned()),
                reason: "absent",
                errno: Errno::ENODEV,
            },
            other => other.about(request),
        }
    }

    /// As a refusal of a change that is made in one step. A call that deletes turns "no such object" into `NotFound`.
    pub(super) fn about(self, request: &Request) -> Refusal {
        let deletes = request.call().verb() == "Delete";
        let object = match request.call().family() {
            "Address" | "Neighbour" => &field::ADDRESS.field,
            "Rule" => &field::PRIORITY.field,
            "Fdb" => &field::MAC.field,
            "Nexthop" => &field::NEXTHOP_ID.field,
            "Vlan" => &field::VLANS.field,
            "Vni" => &field::VNIS.field,
            _ => &field::DESTINATION.field,
        };
        self.into_refusal(if deletes { Class::NotFound } else { Class::KernelRefused }, false).about_object(object)
    }

    /// As a refusal. `not_there` is the class for `ENOENT`, `ESRCH` and `EADDRNOTAVAIL`.
    pub(super) fn into_refusal(self, not_there: Class, may_have_changed: bool) -> Refusal {
        match self {
            Self::Broken(refusal) => refusal,
            Self::Interrupted => Refusal::Interrupted,
            Self::Lost(errno) => Refusal::Kernel(KernelRefusal {
                class: Class::KernelRefused,
                errno,
                message: "the kernel's answer was lost".to_owned(),
                field: None,
                may_have_changed: true,
            }),
            Self::Refused { errno, text, field } => {
                let class = match errno {
                    Errno::EEXIST => Class::AlreadyExists,
                    Errno::ENOENT | Errno::ESRCH | Errno::EADDRNOTAVAIL => not_there,
                    Errno::EOPNOTSUPP => Class::NotSupported,
                    _ => Class::KernelRefused,
                };
                let message = text.unwrap_or_else(|| in_words(class, errno).to_owned());
                Refusal::Kernel(KernelRefusal { class, errno, message, field: field.map(|f| f.name), may_have_changed })
            }
        }
    }
}

/// An error for which the kernel has no text. The words of errno(3) are about files and processes, so they would mislead.
fn in_words(class: Class, errno: Errno) -> &'static str {
    match (class, errno) {
        (Class::NotFound, _) => "the object does not exist",
        (Class::AlreadyExists, _) => "the object already exists",
        (_, Errno::EADDRNOTAVAIL) => "the kernel does not accept this address",
        _ => describe(errno),
    }
}
