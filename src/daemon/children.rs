// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The processes of `netbrokerd`: those that were forked ahead and wait, those that serve, and what they do.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair};

use super::limits::{Share, Table};
use crate::audit::{NotTaken, Record, Trail};
use crate::caller::{Caller, Way};
use crate::heap::{self, Heap};
use crate::refusal::{Exit, Refusal};
use crate::serve;
use crate::stage::Guarded;
use crate::stage::resident::{Guard, Handover, Resident, only_record};
use crate::sys::{self, Forked};
use crate::wire::{Complaints, Handed, Input, Wire};

/// How many children wait for a connection.
const AHEAD: usize = 2;
/// How long no child is forked ahead after one has ended before it got a connection.
const PAUSE: Duration = Duration::from_secs(1);
/// The bit of a child's exit status that says that it left a refusal to be counted.
pub(super) const LEFT_OUT: u8 = 0x80;

/// The exit status of a child that was to write a record and found no trail.
pub(super) const NO_TRAIL: u8 = Exit::Unready.status();

/// What a child is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// Serves the connection at this place, on which so many bytes had arrived. `was_late`: says only that there is no room.
    Serves { at: usize, arrived: usize, was_late: bool },
    /// Waits for a connection.
    Waits,
    /// Writes a record.
    Records(Told),
    /// Serves a connection that was handed over before this process was executed anew.
    ServesEarlier { share: Share, uid: u32 },
}

/// What a record tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// So many refusals of a principal.
    Counted { share: Share, count: u32 },
    /// A child that died while it served a uid.
    Died { share: Share, uid: u32, signal: Signal },
}

impl Told {
    fn record(self) -> Record {
        match self {
            Self::Counted { share, count } => {
                Record::of_principal("counted", &share.to_string()).with("COUNT", count.to_string())
            }
            Self::Died { share, uid, signal } => Record::of_principal("died", &share.to_string())
                .with("UID", uid.to_string())
                .with("SIGNAL", signal.as_str())
                .with_result("outcome unknown: the process that served a request died"),
        }
    }
}

/// What a new child is to do with a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service {
    pub(super) handover: Handover,
    pub(super) arrived: usize,
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
    /// A child that was forked ahead ended before it got a connection: until when no other is forked ahead under this policy.
    are_of_no_use: Option<Instant>,
}

impl Children {
    pub(super) fn new(heap: &'static Heap, earlier: Vec<(i32, Share, u32)>) -> Self {
        let tasks = earlier.into_iter().map(|(id, share, uid)| (id, Task::ServesEarlier { share, uid })).collect();
        Self { heap, tasks, ahead: Vec::new(), are_of_no_use: None }
    }

    /// The children that serve, and whom: what an earlier process passes on.
    pub(super) fn serving(&self, table: &Table) -> Vec<(i32, Share, u32)> {
        let whom = |task: &Task| match *task {
            Task::Serves { at, .. } => table.get(at).map(|connection| (connection.share, connection.uid)),
            Task::ServesEarlier { share, uid } => Some((share, uid)),
            Task::Waits | Task::Records(_) => None,
        };
        self.tasks.iter().filter_map(|(id, task)| whom(task).map(|(share, uid)| (*id, share, uid))).collect()
    }

    /// Whether a child from before this process was executed anew still serves.
    pub(super) fn serve_earlier(&self) -> bool {
        self.tasks.values().any(|task| matches!(task, Task::ServesEarlier { .. }))
    }

    /// Lets go of those that wait: they have read another policy, or are connected to a trail that is gone.
    pub(super) fn discard_waiting(&mut self) {
        self.ahead.clear(); // they end when the channel does
        self.are_of_no_use = None;
    }

    /// Whether another child is to be forked ahead.
    pub(super) fn lack_one(&self, now: Instant) -> bool {
        self.ahead.len() < AHEAD && self.are_of_no_use.is_none_or(|until| now >= until)
    }

    /// Forks a child ahead.
    pub(super) fn fork_ahead(&mut self, resident: &Resident) -> Result<(), Errno> {
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        let heap = self.heap;
        let id = self.fork(Task::Waits, || {
            prepare(heap);
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
        let task = Task::Serves { at, arrived: service.arrived, was_late: service.late.is_some() };
        while service.is_plain && service.late.is_none() {
            let Some((id, channel)) = self.ahead.pop() else { break };
            if hand_over(&channel, connection, service.handover).is_ok() {
                self.tasks.insert(id, task);
                return Ok(());
            }
        }
        let heap = self.heap;
        self.fork(task, || {
            prepare(heap);
            serve_one(resident, connection, service)
        })
        .map(drop)
    }

    /// Lets a child write a record.
    pub(super) fn record(&mut self, told: Told) -> Result<(), Errno> {
        let heap = self.heap;
        self.fork(Task::Records(told), || {
            prepare(heap);
            match only_record().map(|trail| trail.write(&told.record())) {
                Ok(Ok(())) => 0,
                Ok(Err(NotTaken::Absent)) => NO_TRAIL,
                Ok(Err(NotTaken::Refused(_))) | Err(_) => Exit::System.status(),
            }
        })
        .map(drop)
    }

    /// Whether a child is writing a record.
    pub(super) fn are_recording(&self) -> bool {
        self.tasks.values().any(|task| matches!(task, Task::Records(_)))
    }

    /// What the child with this id was for; `None` if it is none of these.
    pub(super) fn ended(&mut self, id: i32, now: Instant) -> Option<Task> {
        let task = self.tasks.remove(&id)?;
        if task == Task::Waits {
            let before = self.ahead.len();
            self.ahead.retain(|(other, _)| *other != id);
            if self.ahead.len() < before {
                self.are_of_no_use = Some(now + PAUSE);
            }
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

/// A child has memory of its own, and ends without an answer where that ends.
fn prepare(heap: &Heap) {
    heap::when_memory_ends(Exit::Unanswered.status(), false);
    heap.prepare();
}

/// Gives a connection to a child that waits. It gets it twice, for its standard input and output.
fn hand_over(channel: &OwnedFd, connection: BorrowedFd<'_>, handover: Handover) -> Result<(), Errno> {
    let both = [connection.as_raw_fd(); 2];
    let (bytes, rights) = (handover.bytes(), [ControlMessage::ScmRights(&both)]);
    sendmsg::<()>(channel.as_raw_fd(), &[IoSlice::new(&bytes)], &rights, MsgFlags::MSG_NOSIGNAL, None).map(drop)
}

/// The child that was forked ahead.
fn wait(resident: &Resident, channel: OwnedFd) -> u8 {
    match resident.wait(channel).map(|waiting| waiting.serve()) {
        Ok(Ok((guarded, trail, handover))) => talk(guarded, &trail, handover),
        Ok(Err(exit)) => exit.status(),
        Err(_) => Exit::Wider.status(), // a connection that it was given meanwhile is another child's
    }
}

/// The child that was forked for a connection.
fn serve_one(resident: &Resident, connection: BorrowedFd<'_>, service: Service) -> u8 {
    let Ok(begun) = resident.take_connection(connection) else { return Exit::Unanswered.status() };
    let mut trail = Trail::connect();
    if service.handover.counts {
        trail.count_refusals();
    }
    let refusal = match service.late {
        Some(reason) => Refusal::Overloaded { reason: reason.to_owned() },
        None => match resident.guard(begun.clone(), service.is_granted) {
            Ok(guarded) => return talk(guarded, &trail, service.handover),
            Err(Guard::Wider) => return Exit::Wider.status(),
            Err(Guard::Refused(refusal)) => refusal,
        },
    };
    let caller = Caller::of_connection(sys::stdin()).ok();
    let record = caller.map(|caller| Record::new("refused", &begun.id, &caller, Way::Socket));
    let recorded = |why: &str| record.is_some_and(|record| trail.has_taken(&record.with_result(why)));
    // The sender's ids are not compared: whoever sent this learns only that nothing was done.
    let wire = Wire::new(Input::Socket, Complaints::Withheld, None, begun.at).handed_over(handed(service.handover));
    let has_given_up = resident.give_up().map_err(|_| Exit::Unanswered);
    match has_given_up.and_then(|()| serve::answer(refusal, &begun, wire, recorded)) {
        Ok(exit) | Err(exit) => with_left_out(exit, &trail),
    }
}

fn talk(guarded: Guarded, trail: &Trail, handover: Handover) -> u8 {
    let (caller, at) = (guarded.caller().clone(), guarded.begun().at);
    let wire = Wire::new(Input::Socket, Complaints::Withheld, Some(caller), at).handed_over(handed(handover));
    with_left_out(serve::converse(guarded, trail, wire), trail)
}

fn handed(handover: Handover) -> Handed {
    if handover.is_last { Handed::ForTheLastTime } else { Handed::Over }
}

fn with_left_out(exit: Exit, trail: &Trail) -> u8 {
    exit.status() | if trail.has_left_out() { LEFT_OUT } else { 0 }
}
