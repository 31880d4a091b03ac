// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The processes of `netbrokerd`: those that were forked ahead and wait, those that serve, and what they do.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair};

use crate::audit::{Record, Refused, Trail};
use crate::caller::Caller;
use crate::heap::{self, Heap};
use crate::refusal::{Exit, Refusal};
use crate::serve;
use crate::stage::Guarded;
use crate::stage::resident::{Handover, Resident, only_record};
use crate::sys::{self, Forked};
use crate::wire::{Complaints, Input, Wire};

/// How many children wait for a connection.
const AHEAD: usize = 2;
/// The bit of a child's exit status that says that it left a refusal to be counted.
pub(super) const LEFT_OUT: u8 = 0x80;

/// What a child is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// Serves the connection at this place. `was_late`: says only that there is no room.
    Serves { at: usize, arrived: usize, was_late: bool },
    /// Waits for a connection.
    Waits,
    /// Writes a record.
    Records,
}

/// What a new child is to do with a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service {
    pub(super) handover: Handover,
    /// Whether a rule is for the caller.
    pub(super) is_granted: bool,
    /// Whether a child that was forked ahead will do.
    pub(super) is_plain: bool,
    /// Why there is no room.
    pub(super) late: Option<&'static str>,
}

/// All children.
#[derive(Debug)]
pub(super) struct Children {
    heap: &'static Heap,
    tasks: BTreeMap<i32, Task>,
    /// Those that wait: their ids, and the channels to them.
    ahead: Vec<(i32, OwnedFd)>,
    /// A child that was forked ahead ended before it got a connection, so that none are forked ahead under this policy.
    are_of_no_use: bool,
}

impl Children {
    pub(super) fn new(heap: &'static Heap) -> Self {
        Self { heap, tasks: BTreeMap::new(), ahead: Vec::new(), are_of_no_use: false }
    }

    /// Lets go of those that wait: they have read another policy, or are connected to a trail that is gone.
    pub(super) fn discard_waiting(&mut self) {
        self.ahead.clear(); // they end when the channel does
        self.are_of_no_use = false;
    }

    /// Whether another child is to be forked ahead.
    pub(super) fn lack_one(&self) -> bool {
        self.ahead.len() < AHEAD && !self.are_of_no_use
    }

    /// Forks a child ahead.
    pub(super) fn fork_ahead(&mut self, resident: &Resident) -> Result<(), Errno> {
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        let heap = self.heap;
        let id = self.fork(Task::Waits, || {
            heap.prepare();
            wait(resident, theirs)
        })?;
        self.ahead.push((id, ours));
        Ok(())
    }

    /// Lets a child serve a connection.
    pub(super) fn serve(
        &mut self,
        resident: &Resident,
        at: usize,
        connection: BorrowedFd<'_>,
        service: Service,
    ) -> Result<(), Errno> {
        let arrived = usize::try_from(service.handover.arrived).unwrap_or(usize::MAX);
        let task = Task::Serves { at, arrived, was_late: service.late.is_some() };
        while service.is_plain && service.late.is_none() {
            let Some((id, channel)) = self.ahead.pop() else { break };
            if hand_over(&channel, connection, service.handover).is_ok() {
                self.tasks.insert(id, task);
                return Ok(());
            }
        }
        let heap = self.heap;
        self.fork(task, || {
            heap.prepare();
            serve_one(resident, connection, service)
        })
        .map(drop)
    }

    /// Lets a child write a record.
    pub(super) fn record(&mut self, record: &Record) -> Result<(), Errno> {
        let heap = self.heap;
        self.fork(Task::Records, || {
            heap.prepare();
            match only_record() {
                Ok(trail) if trail.has_taken(record) => 0,
                _ => Exit::System.status(),
            }
        })
        .map(drop)
    }

    /// What the child with this id was for; `None` if it is none of these.
    pub(super) fn ended(&mut self, id: i32) -> Option<Task> {
        let task = self.tasks.remove(&id)?;
        if task == Task::Waits {
            let before = self.ahead.len();
            self.ahead.retain(|(other, _)| *other != id);
            self.are_of_no_use |= self.ahead.len() < before;
        }
        Some(task)
    }

    fn fork(&mut self, task: Task, work: impl FnOnce() -> u8) -> Result<i32, Errno> {
        match sys::fork()? {
            Forked::Parent(id) => {
                self.tasks.insert(id, task);
                Ok(id)
            }
            Forked::Child => sys::exit_now(work()),
        }
    }
}

/// Gives a connection to a child that waits. It gets it twice, for its standard input and output.
fn hand_over(channel: &OwnedFd, connection: BorrowedFd<'_>, handover: Handover) -> Result<(), Errno> {
    let both = [connection.as_raw_fd(); 2];
    let (bytes, rights) = (handover.bytes(), [ControlMessage::ScmRights(&both)]);
    sendmsg::<()>(channel.as_raw_fd(), &[IoSlice::new(&bytes)], &rights, MsgFlags::MSG_NOSIGNAL, None).map(drop)
}

/// The child that was forked ahead.
fn wait(resident: &Resident, channel: OwnedFd) -> u8 {
    heap::when_memory_ends(Exit::Unanswered.status(), false);
    match resident.wait(channel).map(|waiting| waiting.serve()) {
        Ok(Ok((guarded, trail, handover))) => talk(guarded, &trail, handover),
        Ok(Err(exit)) => exit.status(),
        Err(refusal) => refusal.exit().status(),
    }
}

/// The child that was forked for a connection.
fn serve_one(resident: &Resident, connection: BorrowedFd<'_>, service: Service) -> u8 {
    heap::when_memory_ends(Exit::Unanswered.status(), false);
    let Ok(begun) = resident.take_connection(connection) else { return Exit::Unanswered.status() };
    let arrived = usize::try_from(service.handover.arrived).unwrap_or(0);
    let began = begun.clone();
    let wire =
        |caller: Option<Caller>| Wire::new(Input::Socket, Complaints::Withheld, caller, began.at).handed_over(arrived);
    let refused: Refused = match service.late {
        Some(reason) => Refusal::Overloaded { reason: reason.to_owned() }.into(),
        None => match resident.guard(begun, service.is_granted, service.handover.counts) {
            Ok((guarded, trail)) => return talk(guarded, &trail, service.handover),
            Err(refused) => refused,
        },
    };
    // The sender's ids are not compared: whoever sent this learns only that nothing was done.
    let answered =
        resident.give_up().map_err(|_| Exit::Unanswered).and_then(|()| serve::answer(refused, &began, wire(None)));
    match answered {
        Ok(exit) | Err(exit) => exit.status(),
    }
}

fn talk(guarded: Guarded, trail: &Trail, handover: Handover) -> u8 {
    let arrived = usize::try_from(handover.arrived).unwrap_or(0);
    let caller = guarded.caller().clone();
    let wire = Wire::new(Input::Socket, Complaints::Withheld, Some(caller), guarded.begun().at).handed_over(arrived);
    let exit = serve::converse(guarded, trail, wire);
    exit.status() | if trail.has_left_out() { LEFT_OUT } else { 0 }
}
