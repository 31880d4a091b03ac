// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerd`: accepts connections, waits until a request has arrived, and gives the connection to a child that serves
//! this one request and ends. Then the connection waits for the next one.
//!
//! This process never reads or writes a byte of a connection. It asks the kernel who connected and how many bytes have
//! arrived, and learns of its children only how they ended.
//!
//! * `options`, `listeners`: how it is started
//! * `earlier`: what it tells itself when it starts anew
//! * `limits`: whose connections there are, and whose turn is next
//! * `children`: the processes
#![forbid(unsafe_code)]

mod children;
mod earlier;
mod limits;
mod listeners;
mod options;

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{SockFlag, accept4, getsockopt, sockopt};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{execve, write};

use self::children::{Children, LEFT_OUT, NO_TRAIL, Service, Task, Told};
use self::earlier::Earlier;
use self::limits::{Refused, Share, Standing, State, Table, Turn};
use self::options::{Arguments, Options, USAGE};
use crate::call::needs::Profile;
use crate::caller::Caller;
use crate::heap::Heap;
use crate::refusal::{Exit, Refusal, describe};
use crate::stage::resident::{Grants, Handover, Resident, Seen};
use crate::sys;

/// What decides whether children that were forked ahead are still of use.
const LOOKED_AT: [&str; 3] = ["/var/lib/netbroker/policy", "/run/systemd/journal/socket", "/dev/log"];
/// After so many deaths of children it executes itself anew, with a new layout of memory.
const DEATHS: u32 = 8;
/// How long it accepts nothing after the machine had no room for a connection.
const NO_ROOM: Duration = Duration::from_millis(100);
/// How long it waits for the trail before it starts anew. It serves nothing meanwhile.
const TOLD: Duration = Duration::from_secs(5);
/// How long it waits for its children when it is to end. The kernel ends each after 30 s.
const DRAINED: Duration = Duration::from_secs(31);
/// How long it forks nothing after the machine had no room for a process, unless one of its own ends.
const NO_PROCESS: Duration = Duration::from_millis(20);
/// How long it waits before it lets the trail have again what that has not taken, and how much it keeps meanwhile.
const TELLS_AGAIN: Duration = Duration::from_secs(1);
const UNTOLD: usize = 1024;
/// How many events are taken at once, and how many connections are admitted, or closed at once, before others have their turn.
const EVENTS: usize = 64;
const ADMITTED: u32 = 16;
const ACCEPTED: u32 = 256;
/// Descriptors that it needs besides those of connections.
const OTHER_DESCRIPTORS: u64 = 128;
/// What an event is about: signals, a listener, or else a connection: its place, and above it its number.
const SIGNALS: u64 = u64::MAX;
const LISTENERS: u64 = 1 << 63;
const PLACES: u64 = 0xffff_ffff;

/// The program.
#[must_use]
pub fn main(command_line: &[&CStr], heap: &'static Heap) -> Exit {
    let options = match Arguments::read(command_line) {
        Arguments::Serve(options) => options,
        Arguments::Say(text) => {
            return if write(sys::stdout(), text.as_bytes()).is_ok() { Exit::Done } else { Exit::Unanswered };
        }
        Arguments::Wrong(why) => {
            say(&format!("{why}\n{USAGE}"));
            return Exit::Usage;
        }
    };
    match Daemon::start(&options, heap).map(|daemon| daemon.run(command_line)) {
        Ok(exit) => exit,
        Err((exit, why)) => {
            say(&format!("{why}\n"));
            exit
        }
    }
}

fn say(text: &str) {
    let _unheard = write(sys::stderr(), format!("netbrokerd: {text}").as_bytes());
}

type Failed = (Exit, String);

fn refused(refusal: &Refusal) -> Failed {
    (refusal.exit(), refusal.to_string())
}

fn failed(step: &'static str) -> impl Fn(Errno) -> Failed {
    move |errno| (Exit::System, format!("cannot {step}: {}", describe(errno)))
}

/// The parent and all that it holds.
struct Daemon {
    resident: Resident,
    listeners: Vec<OwnedFd>,
    notifier: Option<OwnedFd>,
    epoll: Epoll,
    signals: SignalFd,
    /// The connections, at the places that the table has, and their numbers: an event can be about one that is closed.
    sockets: Vec<Option<(OwnedFd, u64)>>,
    accepted: u64,
    table: Table,
    children: Children,
    looked: [Seen; 3],
    /// Whether the machine has had a trail since this process began.
    has_had_trail: bool,
    /// How many policies were seen, and the last of them, where it is valid.
    policies: u64,
    grants: Option<Grants>,
    deaths: u32,
    /// Since when it is to start anew.
    anew_since: Option<Instant>,
    /// What the trail has not taken, and when that is tried again.
    untold: Vec<Told>,
    tells_from: Instant,
    /// When it ends by itself, if there is no connection until then.
    idle: Option<Duration>,
    idle_since: Instant,
    accepts_from: Instant,
    is_accepting: bool,
    forks_from: Instant,
    /// Since when it is to end.
    ends_since: Option<Instant>,
}

impl Daemon {
    /// Undoes what was inherited, takes the listeners, becomes the system user, and goes behind its filter.
    fn start(options: &Options, heap: &'static Heap) -> Result<Self, Failed> {
        let unusable = |why: String| (Exit::NotPrivileged, why);
        let passed = listeners::passed().map_err(unusable)?;
        let earlier = Earlier::read();
        let resident = Resident::take(passed, earlier.first_netns).map_err(|refusal| refused(&refusal))?;
        raise_descriptors(options.limits.connections)?;
        // First of all that it opens: it passes them on under the same numbers when it starts anew.
        let listeners = match passed {
            0 => vec![listeners::make(options).map_err(unusable)?],
            _ => listeners::take(passed).map_err(unusable)?,
        };
        let notifier = listeners::notifier().map_err(unusable)?;
        let blocked: SigSet = [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT].into_iter().collect();
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&blocked), None).map_err(failed("block signals"))?;
        let signals = SignalFd::with_flags(&blocked, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
            .map_err(failed("receive signals"))?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed("wait for events"))?;
        resident.settle().map_err(|refusal| refused(&refusal))?;
        sys::clear_environment().map_err(failed("clear the environment"))?;
        resident.confine().map_err(|refusal| refused(&refusal))?;
        let now = Instant::now();
        let mut table = Table::new(options.limits, now);
        for (share, wait, deaths) in earlier.penalties {
            table.punish(share, wait, deaths, now);
        }
        let daemon = Self {
            resident,
            listeners,
            notifier,
            epoll,
            signals,
            sockets: Vec::new(),
            accepted: 0,
            table,
            children: Children::new(heap, earlier.children),
            looked: LOOKED_AT.map(Seen::look),
            has_had_trail: false,
            policies: 0,
            grants: None,
            deaths: 0,
            anew_since: None,
            untold: Vec::new(),
            tells_from: now,
            idle: options.idle.filter(|_| passed > 0),
            idle_since: now,
            accepts_from: now,
            is_accepting: false,
            forks_from: now,
            ends_since: None,
        };
        Ok(daemon)
    }

    fn run(mut self, command_line: &[&CStr]) -> Exit {
        let readable = EpollFlags::EPOLLIN;
        if self.epoll.add(&self.signals, EpollEvent::new(readable, SIGNALS)).is_err() {
            return Exit::System;
        }
        self.note_trail();
        self.read_policy();
        self.reap(); // children of before it started anew may have ended while it did
        self.accept_again();
        listeners::notify(self.notifier.as_ref(), "READY=1");
        loop {
            let now = Instant::now();
            if self.anew_since.is_some_and(|since| self.is_all_told() || now >= since + TOLD)
                && self.ends_since.is_none()
            {
                return self.start_anew(command_line);
            }
            if self.is_done(now) {
                self.report_untold();
                return Exit::Done;
            }
            self.give_turns();
            self.take_events();
        }
    }

    /// Waits for events, and notes what they say.
    fn take_events(&mut self) {
        let mut events = [EpollEvent::empty(); EVENTS];
        let wait = self.wait(Instant::now());
        let count = self.epoll.wait(&mut events, wait).unwrap_or(0);
        for event in events.iter().take(count) {
            match event.data() {
                SIGNALS => self.take_signals(),
                listener if listener >= LISTENERS => {
                    self.accept(usize::try_from(listener - LISTENERS).unwrap_or(usize::MAX));
                }
                connection => self.arrived(connection, event.events()),
            }
        }
        let now = Instant::now();
        if !self.is_accepting && now >= self.accepts_from && self.ends_since.is_none() {
            self.accept_again();
        }
        self.table.end_waiting(now);
        self.tell_counts(now, self.ends_since.or(self.anew_since).is_some());
    }

    /// Whether the trail has everything that it is to have.
    fn is_all_told(&self) -> bool {
        self.untold.is_empty() && !self.table.has_counted() && !self.children.are_recording()
    }

    /// Says on standard error that the trail lacks something.
    fn report_untold(&self) {
        if !self.is_all_told() {
            say("the trail has not taken all records: counts of refusals or deaths of processes are missing\n");
        }
    }

    /// Records how many refusals were counted in seconds that have ended, or in any.
    fn tell_counts(&mut self, now: Instant, in_any: bool) {
        if now < self.forks_from {
            return;
        }
        let counted = self.table.counted(now, in_any).into_iter().map(|(share, count)| Told::Counted { share, count });
        let untold = if now >= self.tells_from { std::mem::take(&mut self.untold) } else { Vec::new() };
        for told in untold.into_iter().chain(counted) {
            self.tell(told, now);
        }
    }

    /// Lets a child record something.
    fn tell(&mut self, told: Told, now: Instant) {
        if self.children.record(told).is_err() {
            self.forks_from = now + NO_PROCESS;
            self.tell_later(told, now);
        }
    }

    /// The trail has not taken something: that is tried again. Counts of one principal become one.
    fn tell_later(&mut self, told: Told, now: Instant) {
        self.tells_from = now + TELLS_AGAIN;
        if let Told::Counted { share, count } = told {
            let same = self.untold.iter_mut().find_map(|other| match other {
                Told::Counted { share: of, count } if *of == share => Some(count),
                _ => None,
            });
            if let Some(sum) = same {
                *sum = sum.saturating_add(count);
                return;
            }
        }
        if self.untold.len() < UNTOLD {
            self.untold.push(told);
        }
    }

    /// How long nothing is to be done unless something happens.
    fn wait(&self, now: Instant) -> EpollTimeout {
        let idle = self.idle_end();
        let accepts = (!self.is_accepting && self.ends_since.is_none()).then_some(self.accepts_from);
        let ends = self.ends_since.map(|since| since + DRAINED);
        let tells = (!self.untold.is_empty()).then_some(self.tells_from.max(self.forks_from));
        let anew = self.anew_since.map(|since| since + TOLD);
        let next = [self.table.wake(now), idle, accepts, ends, tells, anew].into_iter().flatten().min();
        let Some(next) = next else { return EpollTimeout::NONE };
        let left = next.saturating_duration_since(now) + Duration::from_millis(1); // milliseconds are cut off
        EpollTimeout::try_from(left).unwrap_or(EpollTimeout::MAX)
    }

    fn is_done(&self, now: Instant) -> bool {
        match self.ends_since {
            Some(since) => self.is_idle() || now >= since + DRAINED,
            None => self.idle_end().is_some_and(|end| now >= end),
        }
    }

    /// Whether nothing is being served, and nothing is left to be told.
    fn is_idle(&self) -> bool {
        self.table.open() == 0 && self.is_all_told() && !self.children.serve_earlier()
    }

    /// When it ends because it is idle. A principal that has to wait would begin anew with the next process.
    fn idle_end(&self) -> Option<Instant> {
        let end = self.idle_since + self.idle.filter(|_| self.is_idle())?;
        Some(self.table.penalised_until().map_or(end, |until| end.max(until)))
    }

    fn accept_again(&mut self) {
        self.is_accepting = true;
        for (number, listener) in (LISTENERS..).zip(&self.listeners) {
            let added = self.epoll.add(listener, EpollEvent::new(EpollFlags::EPOLLIN, number));
            self.is_accepting &= matches!(added, Ok(()) | Err(Errno::EEXIST));
        }
    }

    fn stop_accepting(&mut self) {
        self.is_accepting = false;
        for listener in &self.listeners {
            let _absent = self.epoll.delete(listener);
        }
    }

    /// Accepts some of the connections that wait at a listener.
    fn accept(&mut self, listener: usize) {
        self.look(Instant::now());
        let mut admitted = 0;
        for _ in 0..ACCEPTED {
            if admitted == ADMITTED {
                return;
            }
            let Some(listener) = self.listeners.get(listener).filter(|_| self.is_accepting) else { return };
            match accept4(listener.as_raw_fd(), SockFlag::SOCK_CLOEXEC) {
                // A fresh descriptor that nobody else has.
                Ok(accepted) => match sys::adopt(accepted) {
                    Some(connection) => admitted += u32::from(self.admit(connection)),
                    None => return,
                },
                Err(Errno::EAGAIN) => return,
                Err(Errno::EINTR | Errno::ECONNABORTED) => {}
                Err(_) => {
                    self.accepts_from = Instant::now() + NO_ROOM;
                    self.stop_accepting();
                    return;
                }
            }
        }
    }

    /// Takes in a connection, or closes it at once where its principal has as many as it may have, or its uid makes too many.
    /// Returns whether its groups were read, which costs most.
    fn admit(&mut self, connection: OwnedFd) -> bool {
        let now = Instant::now();
        let Ok(peer) = getsockopt(&connection, sockopt::PeerCredentials) else { return false };
        if !self.table.may_arrive(peer.uid(), now) {
            return false;
        }
        if let Ok(caller) = Caller::of_connection(connection.as_fd()) {
            self.table.has_arrived(caller.uid, caller.groups.len());
            self.take_in(connection, &caller, now);
        }
        true
    }

    fn take_in(&mut self, connection: OwnedFd, caller: &Caller, now: Instant) {
        let standing = self.standing(caller);
        let mut admitted = self.table.admit(caller.uid, standing, now);
        if admitted.is_none() {
            let Some(spare) = self.table.to_make_room(standing.share, caller.uid) else { return };
            self.close(spare);
            admitted = self.table.admit(caller.uid, standing, now);
        }
        let Some(at) = admitted else { return };
        self.accepted = (self.accepted + 1) & (PLACES >> 1);
        let number = self.accepted;
        let event = number << 32 | u64::try_from(at).unwrap_or(PLACES);
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
        if self.epoll.add(&connection, EpollEvent::new(flags, event)).is_err() {
            self.table.remove(at);
            return;
        }
        if self.sockets.len() <= at {
            self.sockets.resize_with(at + 1, || None);
        }
        if let Some(place) = self.sockets.get_mut(at) {
            *place = Some((connection, number));
        }
    }

    /// What the policy says of a caller. Where the policy cannot be used, no rule is for anybody.
    fn standing(&self, caller: &Caller) -> Standing {
        let granted = self.grants.as_ref().map(|grants| grants.of(caller));
        let (principal, profile) = granted.unwrap_or((None, Profile::LINK));
        let is_anybody = self.resident.require_caller(caller).is_ok();
        let share = Share(principal.filter(|_| is_anybody));
        Standing { share, is_wide: profile != Profile::LINK, policy: self.policies }
    }

    /// Bytes have arrived on a connection, or its other end has closed it.
    fn arrived(&mut self, event: u64, flags: EpollFlags) {
        let ended = EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
        let at = usize::try_from(event & PLACES).unwrap_or(usize::MAX);
        if !matches!(self.sockets.get(at), Some(Some((_, number))) if *number == event >> 32) {
            return; // it is closed, and another one may have its place
        }
        let Some(connection) = self.table.get_mut(at) else { return };
        connection.has_ended |= flags.intersects(ended);
        if connection.state != State::Served {
            self.look_for_request(at);
        }
    }

    /// Finds out whether a request has arrived on a connection that is not being served.
    fn look_for_request(&mut self, at: usize) {
        let now = Instant::now();
        self.judge_again(at, now);
        let Some(bytes) = self.socket(at).and_then(|socket| sys::queued(socket.as_fd()).ok()) else { return };
        let has_ended = self.table.get(at).is_some_and(|connection| connection.has_ended);
        self.table.arrived(at, bytes, now);
        let is_waiting = self.table.get(at).is_some_and(|connection| connection.state == State::Waiting);
        if has_ended && is_waiting {
            self.close(at); // with nothing, or with a part of a request that no other part will follow
        }
    }

    fn socket(&self, at: usize) -> Option<&OwnedFd> {
        self.sockets.get(at)?.as_ref().map(|(socket, _)| socket)
    }

    fn close(&mut self, at: usize) {
        if let Some((connection, _)) = self.sockets.get_mut(at).and_then(Option::take) {
            let _absent = self.epoll.delete(&connection); // a child may hold it, too
        }
        self.table.remove(at);
        self.idle_since = Instant::now();
    }

    /// Looks whether the policy or the trail is another one than before.
    fn look(&mut self, now: Instant) {
        let looked = LOOKED_AT.map(Seen::look);
        if looked == self.looked {
            return;
        }
        let is_other = looked.first() != self.looked.first();
        self.looked = looked;
        self.note_trail();
        self.children.discard_waiting();
        if is_other {
            self.read_policy();
            // The others when their next request arrives.
            let is_ready = |at: &usize| self.table.get(*at).is_some_and(|connection| connection.state == State::Ready);
            let ready: Vec<usize> = self.table.places().filter(is_ready).collect();
            for at in ready {
                self.judge_again(at, now);
            }
        }
    }

    fn note_trail(&mut self) {
        self.has_had_trail |= self.looked.iter().skip(1).any(|seen| *seen != Seen::default());
    }

    fn read_policy(&mut self) {
        self.policies += 1;
        let grants = self.resident.grants();
        if matches!(grants, Err(Refusal::SystemError { .. })) {
            self.looked = Default::default(); // for want of a descriptor, say: it is read again
        }
        self.grants = grants.ok();
    }

    /// Finds out anew whose a connection is, unless it is being served or this is known.
    fn judge_again(&mut self, at: usize, now: Instant) {
        let is_due =
            |connection: &limits::Connection| connection.state != State::Served && connection.policy != self.policies;
        if !self.table.get(at).is_some_and(is_due) {
            return;
        }
        if let Some(Ok(caller)) = self.socket(at).map(|socket| Caller::of_connection(socket.as_fd())) {
            let standing = self.standing(&caller);
            self.table.move_to(at, standing, now);
        }
    }

    /// Serves the connections whose turn it is, and forks children ahead.
    fn give_turns(&mut self) {
        loop {
            let now = Instant::now();
            if self.ends_since.or(self.anew_since).is_some() || now < self.forks_from {
                return;
            }
            self.look(now);
            let Some(turn) = self.table.next(now) else { break };
            match turn {
                Turn::Close { at } => self.close(at),
                Turn::Serve { at, counts } => self.serve(at, counts, None),
                Turn::TooLate { at, counts } => self.serve(at, counts, Some("the request waited 5 s for its turn")),
            }
        }
        while self.grants.is_some() && self.children.lack_one(Instant::now()) {
            if self.children.fork_ahead(&self.resident).is_err() {
                break;
            }
        }
    }

    fn serve(&mut self, at: usize, counts: bool, late: Option<&'static str>) {
        let socket = self.sockets.get(at).and_then(Option::as_ref).map(|(socket, _)| socket);
        let (Some(socket), Some(connection)) = (socket, self.table.get(at)) else { return };
        let service = Service {
            handover: Handover { counts, is_last: connection.is_last || late.is_some() },
            arrived: sys::queued(socket.as_fd()).unwrap_or(0),
            is_granted: connection.share.0.is_some(),
            is_plain: connection.share.0.is_some() && !connection.is_wide,
            late,
        };
        if self.children.serve(&self.resident, at, socket.as_fd(), service).is_err() {
            let now = Instant::now();
            self.forks_from = now + NO_PROCESS;
            self.table.give_back(at, late.is_some());
            if late.is_some() {
                self.close(at);
            }
        }
    }

    fn take_signals(&mut self) {
        while let Ok(Some(signal)) = self.signals.read_signal() {
            match Signal::try_from(i32::try_from(signal.ssi_signo).unwrap_or(0)) {
                Ok(Signal::SIGCHLD) => {}
                Ok(_) => self.begin_to_end(),
                Err(_) => {}
            }
        }
        self.reap();
    }

    /// Takes note of the children that have ended.
    fn reap(&mut self) {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(id, status)) => {
                    self.child_ended(id.as_raw(), Ok(u8::try_from(status & 0xff).unwrap_or(0)));
                }
                Ok(WaitStatus::Signaled(id, signal, _)) => self.child_ended(id.as_raw(), Err(signal)),
                Err(Errno::EINTR) => {}
                _ => return,
            }
        }
    }

    /// Accepts no more, and closes what is not being served.
    fn begin_to_end(&mut self) {
        if self.ends_since.is_some() {
            return;
        }
        listeners::notify(self.notifier.as_ref(), "STOPPING=1");
        self.ends_since = Some(Instant::now());
        self.stop_accepting();
        self.listeners.clear();
        self.children.discard_waiting();
        let places: Vec<usize> = self.table.places().collect();
        for at in places {
            if self.table.get(at).is_some_and(|connection| connection.state != State::Served) {
                self.close(at);
            }
        }
    }

    fn child_ended(&mut self, id: i32, how: Result<u8, Signal>) {
        let now = Instant::now();
        self.forks_from = now;
        let (at, arrived, was_late) = match self.children.ended(id, now) {
            Some(Task::Serves { at, arrived, was_late }) => (at, arrived, was_late),
            // Where the machine never had a trail, nothing is told.
            Some(Task::Records(_)) if how == Ok(NO_TRAIL) && !self.has_had_trail => return,
            Some(Task::Records(told)) if how != Ok(0) => return self.tell_later(told, now),
            Some(Task::ServesEarlier { share, uid }) => return self.earlier_child_ended(share, uid, how, now),
            _ => return,
        };
        let (status, left_out) = match how {
            Ok(status) => (status & !LEFT_OUT, status & LEFT_OUT != 0),
            Err(signal) => return self.child_died(at, was_late, signal, now),
        };
        let is = |exit: Exit| exit.status() == status;
        let refused = match left_out {
            true => Some(Refused::LeftOut),
            false => (!UNREFUSED.into_iter().any(is)).then_some(Refused::Recorded),
        };
        self.table.served_to_the_end(at, was_late, refused);
        if is(Exit::Unready) {
            self.table.took_nothing(at, arrived, now);
        } else if is(Exit::Wider) {
            // The child has read another policy than this process.
            self.looked = Default::default();
            self.look(now);
            self.table.took_nothing(at, 0, now);
        } else {
            self.table.took_all(at);
        }
        let ends = [Exit::NoRequest, Exit::Protocol, Exit::Unanswered].into_iter().any(is);
        let is_known = is_answer(status) || is(Exit::Unready) || is(Exit::Wider);
        let was_last = was_late && is(Exit::Unready) || self.table.get(at).is_some_and(|connection| connection.is_last);
        if was_last || ends || !is_known || self.ends_since.is_some() {
            return self.close(at);
        }
        self.judge_again(at, now);
        if let (true, Some(connection)) = (is(Exit::Wider), self.table.get_mut(at)) {
            connection.is_wide = true; // not another one that was forked ahead, which may fail, too
        }
        self.look_for_request(at);
    }

    /// A child died by a signal. Nobody knows whether what it was to do is done.
    fn child_died(&mut self, at: usize, was_late: bool, signal: Signal, now: Instant) {
        self.table.served_to_the_end(at, was_late, None);
        if let Some(connection) = self.table.get(at) {
            self.note_death(connection.share, connection.uid, signal, now);
        }
        self.close(at);
    }

    fn note_death(&mut self, share: Share, uid: u32, signal: Signal, now: Instant) {
        self.tell(Told::Died { share, uid, signal }, now);
        // A process that waited too long for the kernel was ended by its own alarm.
        if signal != Signal::SIGALRM {
            self.table.died(share, now);
            self.deaths += 1;
            if self.deaths >= DEATHS {
                self.anew_since.get_or_insert(now);
            }
        }
    }

    /// A child from before this process was executed has ended. This process has no connection of it.
    fn earlier_child_ended(&mut self, share: Share, uid: u32, how: Result<u8, Signal>, now: Instant) {
        match how {
            Ok(status) if status & LEFT_OUT != 0 => self.table.left_out(share, now),
            Ok(_) => {}
            Err(signal) => self.note_death(share, uid, signal, now),
        }
    }

    /// Executes this program anew, with the same listeners. Children that serve go on; connections that are not being
    /// served are closed.
    fn start_anew(self, command_line: &[&CStr]) -> Exit {
        say("eight processes died by a signal: starting anew\n");
        let now = Instant::now();
        let mut this = self;
        this.tell_counts(now, true);
        this.report_untold();
        match this.execute(command_line) {
            Err((exit, why)) => {
                say(&format!("{why}\n"));
                exit
            }
            Ok(never) => match never {},
        }
    }

    fn execute(self, command_line: &[&CStr]) -> Result<std::convert::Infallible, Failed> {
        let variables = [
            format!("LISTEN_PID={}", std::process::id()),
            format!("LISTEN_FDS={}", self.listeners.len()),
            Earlier {
                first_netns: self.resident.first_netns(),
                penalties: self.table.penalties(Instant::now()),
                children: self.children.serving(&self.table),
            }
            .variable(),
        ];
        let variables: Vec<CString> = variables.into_iter().filter_map(|text| CString::new(text).ok()).collect();
        listeners::pass_on(&self.listeners).map_err(failed("pass the listeners on"))?;
        let mut words: Vec<CString> = command_line.iter().map(|word| CString::from(*word)).collect();
        let never = [CString::from(c"--idle"), CString::from(c"0")];
        if self.idle.is_none() && !words.ends_with(&never) {
            words.extend(never);
        }
        crate::stage::resident::keep_across_exec().map_err(|refusal| refused(&refusal))?;
        execve(c"/proc/self/exe", &words, &variables).map_err(failed("execute /proc/self/exe"))
    }
}

/// Makes room for so many connections.
fn raise_descriptors(connections: u32) -> Result<(), Failed> {
    let needed = u64::from(connections) + OTHER_DESCRIPTORS;
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).map_err(failed("read the limit on descriptors"))?;
    if most < needed {
        let why =
            format!("{connections} connections need {needed} descriptors, and the limit (RLIMIT_NOFILE) is {most}");
        return Err((Exit::System, why));
    }
    setrlimit(Resource::RLIMIT_NOFILE, needed, most).map_err(failed("raise the limit on descriptors"))
}

/// With these statuses a process has recorded no refusal. With any other it may have, unless it left that to be counted.
const UNREFUSED: [Exit; 5] = [Exit::Done, Exit::Kernel, Exit::NoRequest, Exit::Unready, Exit::Wider];

/// Whether a process that ends with this status has answered its request, so that another one may follow.
fn is_answer(status: u8) -> bool {
    [
        Exit::Done,
        Exit::Kernel,
        Exit::Request,
        Exit::NotPrivileged,
        Exit::System,
        Exit::Again,
        Exit::Denied,
        Exit::Policy,
    ]
    .into_iter()
    .any(|exit| exit.status() == status)
}
