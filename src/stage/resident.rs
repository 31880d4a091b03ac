// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The stages of `netbrokerd`. [`Resident`] is the parent: it became the system user at its start, and keeps only what its
//! children need. It has no parser and never touches a byte of a connection. Each child is a stage of its own, which ends
//! as [`Guarded`] before the first byte is read: [`Waiting`] was forked ahead and has done everything that does not depend
//! on the caller; [`Resident::guard`] makes one for a connection that is there already.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io::IoSliceMut;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::time::Instant;

use caps::Capability;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, FcntlArg, fcntl};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use nix::sys::stat::fstatat;
use nix::unistd::{close, dup2_stdin, dup2_stdout};

use super::guarded::Guarded;
use super::inherited::{Begun, LONGEST, Proc, hygiene};
use super::netns::{ITSELF, Identity};
use super::system_user::SystemUser;
use super::trusted::{self, PolicyFile};
use super::{capabilities, filter};
use crate::audit::Trail;
use crate::call::needs::{EXTRAS, Profile};
use crate::caller::{Caller, Way};
use crate::policy::compiled::Compiled;
use crate::policy::rule::Principal;
use crate::refusal::{Exit, Refusal, describe, system, unconfined};
use crate::sys;

/// The parent.
#[derive(Debug)]
pub struct Resident {
    identity: Identity,
    user: SystemUser,
}

/// A file as it was when it was looked at: device, inode, time of change. Another file, or the same with other bytes,
/// differs.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Seen(Option<[i64; 4]>);

impl Seen {
    /// Looks at a file by its path.
    #[must_use]
    pub fn look(path: &str) -> Self {
        let what = fstatat(AT_FDCWD, path, ITSELF).ok();
        let number = |number: u64| i64::try_from(number).unwrap_or(-1);
        Self(what.map(|what| [number(what.st_dev), number(what.st_ino), what.st_ctime, what.st_ctime_nsec]))
    }
}

/// The compiled policy as the parent knows it: who is granted anything, and which profile that needs.
#[derive(Debug)]
pub struct Grants(BTreeMap<Principal, Profile>);

impl Grants {
    /// Whose share the requests of a caller count for, and the profile that its rules need. The principal is the most
    /// particular one that an allow is for: the user, else the group with the lowest number, else everyone. `None` where
    /// no allow is for this caller.
    ///
    /// This costs what the policy's principals cost, and not what a caller's groups do: a caller can have 65536.
    #[must_use]
    pub fn of(&self, caller: &Caller) -> (Option<Principal>, Profile) {
        let mut groups: Vec<u32> = caller.all_gids().collect();
        groups.sort_unstable();
        let is_for = |principal: &Principal| match principal {
            Principal::Uid(uid) => *uid == caller.uid,
            Principal::Gid(gid) => groups.binary_search(gid).is_ok(),
            Principal::Everyone => true,
        };
        let rank = |principal: &Principal| match principal {
            Principal::Uid(_) => (0, 0),
            Principal::Gid(gid) => (1, *gid),
            Principal::Everyone => (2, 0),
        };
        let of_caller = || self.0.iter().filter(|(principal, _)| is_for(principal));
        let profile = of_caller().fold(Profile::LINK, |all, (_, profile)| all.and(*profile));
        (of_caller().map(|(principal, _)| *principal).min_by_key(rank), profile)
    }
}

impl Resident {
    /// Undoes what was inherited, other than the standard descriptors and so many passed ones after them, and finds out who
    /// the system user is. `first` are the numbers of process 1's network namespace, where an earlier process could read
    /// them.
    ///
    /// # Errors
    /// [`Refusal::NotPrivileged`], [`Refusal::SystemError`].
    pub fn take(passed: u32, first: Option<(u64, u64)>) -> Result<Self, Refusal> {
        let step = |(step, errno): (&'static str, Errno)| system(step)(errno);
        sys::protect_relocated().map_err(system("protect relocated tables"))?;
        for standard in [sys::stdin(), sys::stdout(), sys::stderr()] {
            fcntl(standard, FcntlArg::F_GETFD).map_err(system("use descriptors 0 to 2, which must be open"))?;
        }
        for signal in Signal::iterator().filter(|signal| !matches!(signal, Signal::SIGKILL | Signal::SIGSTOP)) {
            sys::default_signal(signal).map_err(system("reset signals"))?;
        }
        sys::end_after(0).map_err(system("cancel inherited timers"))?;
        hygiene(3 + passed).map_err(step)?;
        sys::ignore_signal(Signal::SIGHUP).map_err(system("ignore signals"))?;
        let proc = Proc::open()?;
        proc.require_identity_map()?;
        let user = SystemUser::find()?;
        let own = proc.netns("self/ns/net").map_err(system("stat /proc/self/ns/net"))?;
        let first = proc.netns("1/ns/net").ok().or(first);
        Ok(Self { identity: Identity { own, first }, user })
    }

    /// The numbers of process 1's network namespace, where they could be read.
    #[must_use]
    pub fn first_netns(&self) -> Option<(u64, u64)> {
        self.identity.first
    }

    /// Whether this caller is anybody whose requests can be served.
    ///
    /// # Errors
    /// [`Refusal::NotPrivileged`]
    pub fn require_caller(&self, caller: &Caller) -> Result<(), Refusal> {
        caller.require_somebody()?;
        self.user.require_other(caller)
    }

    /// Becomes the system user, unless this process is it already, and keeps only the capabilities that children need.
    ///
    /// # Errors
    /// [`Refusal::NotPrivileged`] naming what is missing; [`Refusal::NotConfined`].
    pub fn settle(&self) -> Result<(), Refusal> {
        self.user.settle()?;
        prctl::set_dumpable(false).map_err(unconfined("dumpable"))?;
        let held = capabilities::permitted()?;
        let extra = EXTRAS.iter().flat_map(|extra| extra.capabilities);
        let kept: Vec<Capability> =
            capabilities::KEPT.iter().chain(extra).copied().filter(|capability| held.has(*capability)).collect();
        capabilities::keep_only(&[], &kept)
    }

    /// Installs the parent's filter, which its children inherit.
    ///
    /// # Errors
    /// [`Refusal::NotConfined`]
    pub fn confine(&self) -> Result<(), Refusal> {
        filter::reside()
    }

    /// Reads in the compiled policy who is granted anything.
    ///
    /// # Errors
    /// [`Refusal::PolicyInvalid`]; [`Refusal::SystemError`] where it could not be read this time.
    pub fn grants(&self) -> Result<Grants, Refusal> {
        let granted = trusted::policy(self.user.gid())?.granted().map_err(|damage| trusted::damaged(damage.0))?;
        Ok(Grants(granted))
    }

    /// In a child: makes the connection its standard input and output, and closes everything else.
    ///
    /// # Errors
    /// [`Refusal::SystemError`]
    pub fn take_connection(&self, connection: BorrowedFd<'_>) -> Result<Begun, Refusal> {
        dup2_stdin(connection).and_then(|()| dup2_stdout(connection)).map_err(system("take the connection"))?;
        sys::close_from(3).map_err(system("close what is not its own"))?;
        awake()?;
        sys::end_after(LONGEST).map_err(system("set an alarm"))?;
        Begun::now().map_err(system("draw random bits"))
    }

    /// In a child with a connection: gives up what this caller's rules cannot need, and installs the first filter. A child
    /// for callers to whom no rule applies gives up all capabilities.
    ///
    /// # Errors
    /// [`Refusal::NotPrivileged`], [`Refusal::PolicyInvalid`], [`Refusal::NotConfined`], [`Refusal::SystemError`]
    pub fn guard(&self, begun: Begun, is_granted: bool) -> Result<Guarded, Guard> {
        let caller = Caller::of_connection(sys::stdin())?;
        self.require_caller(&caller)?;
        if !is_granted {
            // The policy may be another one than the parent has seen.
            if self.grants().is_ok_and(|grants| grants.of(&caller).0.is_some()) {
                return Err(Guard::Wider);
            }
            capabilities::keep_only(&[], &[])?;
        }
        Ok(Guarded::new(caller, Way::Socket, self.user.gid(), self.identity, begun)?)
    }

    /// In a child that only answers: gives up all capabilities, and installs the first filter.
    ///
    /// # Errors
    /// [`Refusal::NotConfined`]
    pub fn give_up(&self) -> Result<(), Refusal> {
        capabilities::keep_only(&[], &[])?;
        filter::guard(Profile::LINK, None)
    }

    /// In a child that was forked ahead: does everything that does not depend on the caller, for callers whose rules need
    /// no more than the link profile.
    ///
    /// # Errors
    /// As for [`Self::guard`].
    pub fn wait(&self, channel: OwnedFd) -> Result<Waiting, Refusal> {
        let channel = ManuallyDrop::new(channel); // the first filter allows receiving from its number
        sys::close_all_but(channel.as_fd()).map_err(system("close what is not its own"))?;
        awake()?;
        let begun = Begun::now().map_err(system("draw random bits"))?;
        let trail = Trail::connect();
        let policy = ManuallyDrop::new(trusted::policy(self.user.gid())?);
        capabilities::keep_only(&[], &capabilities::KEPT)?;
        // The connection will get these numbers.
        close(0).and_then(|()| close(1)).map_err(system("make room for the connection"))?;
        filter::guard_ahead(policy.source().as_raw_fd(), channel.as_raw_fd())?;
        let (channel, identity, user) = (channel.as_raw_fd(), self.identity, self.user);
        Ok(Waiting { channel, begun, trail, policy, identity, user })
    }
}

/// Lets signals have their default actions again, which the parent receives in another way.
fn awake() -> Result<(), Refusal> {
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None).map_err(system("unblock signals"))
}

/// The bytes of a handover.
pub const HANDOVER: usize = 2;

/// What the parent says when it hands over a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handover {
    /// Whether refusals are counted and not recorded one by one.
    pub counts: bool,
    /// Whether nothing more is waited for.
    pub is_last: bool,
}

impl Handover {
    /// As it is on the channel.
    #[must_use]
    pub fn bytes(self) -> [u8; HANDOVER] {
        [u8::from(self.counts), u8::from(self.is_last)]
    }

    fn read([counts, is_last]: [u8; HANDOVER]) -> Self {
        Self { counts: counts != 0, is_last: is_last != 0 }
    }
}

/// A child that was forked ahead.
#[derive(Debug)]
pub struct Waiting {
    channel: RawFd,
    begun: Begun,
    trail: Trail,
    policy: ManuallyDrop<Compiled<PolicyFile>>,
    identity: Identity,
    user: SystemUser,
}

/// Why a child does not serve a request.
#[derive(Debug)]
pub enum Guard {
    /// It answers with this.
    Refused(Refusal),
    /// It takes nothing: another child must have more than it was to have.
    Wider,
}

impl From<Refusal> for Guard {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Waiting {
    /// Waits for a connection, and becomes the process that serves one request on it.
    ///
    /// # Errors
    /// [`Exit::Done`] where the parent has no use for it; [`Exit::Wider`] where this caller's rules need more than it has.
    pub fn serve(mut self) -> Result<(Guarded, Trail, Handover), Exit> {
        let handover = receive(self.channel)?;
        let arm = sys::end_after(LONGEST);
        self.begun.at = Instant::now();
        let caller = Caller::of_connection(sys::stdin()).map_err(|_| Exit::Unanswered)?;
        let profile = self.policy.profile(&caller).map_err(|_| Exit::Wider)?;
        let is_anybody = caller.require_somebody().is_ok() && self.user.require_other(&caller).is_ok();
        if arm.is_err() || profile != Profile::LINK || !is_anybody {
            return Err(Exit::Wider);
        }
        if handover.counts {
            self.trail.count_refusals();
        }
        let Self { begun, trail, policy, identity, .. } = self;
        Ok((Guarded::ahead(caller, identity, policy, begun), trail, handover))
    }
}

/// Receives a handover. Its descriptors become 0 and 1, the lowest that are free.
fn receive(channel: RawFd) -> Result<Handover, Exit> {
    let mut bytes = [0; HANDOVER];
    let mut space = nix::cmsg_space!([RawFd; 2]);
    let got = {
        let mut into = [IoSliceMut::new(&mut bytes)];
        loop {
            match recvmsg::<()>(channel, &mut into, Some(&mut space), MsgFlags::empty()) {
                Err(Errno::EINTR) => {}
                Err(_) => return Err(Exit::Unanswered),
                Ok(message) => {
                    let passed = message.cmsgs().map_err(|_| Exit::Unanswered)?.next();
                    let is_connection = matches!(&passed, Some(ControlMessageOwned::ScmRights(fds)) if fds == &[0, 1]);
                    break if message.bytes == 0 { 0 } else { usize::from(is_connection) * message.bytes };
                }
            }
        }
    };
    match got {
        HANDOVER => Ok(Handover::read(bytes)),
        0 => Err(Exit::Done),
        _ => Err(Exit::Unanswered),
    }
}

/// Before execve(2): the capabilities stay, although this is an ordinary user (capabilities(7), "ambient").
///
/// # Errors
/// [`Refusal::NotConfined`]
pub fn keep_across_exec() -> Result<(), Refusal> {
    let held = sys::capabilities().map_err(unconfined("capget"))?;
    sys::set_capabilities(sys::Capabilities { inheritable: held.permitted, ..held }).map_err(unconfined("capset"))?;
    for capability in caps::all().into_iter().filter(|capability| held.permitted & capability.bitmask() != 0) {
        let raised = caps::raise(None, caps::CapSet::Ambient, capability);
        raised.map_err(|_| unconfined("raise an ambient capability")(Errno::EPERM))?;
    }
    Ok(())
}

/// In a child that only writes a record: gives up all capabilities.
///
/// # Errors
/// [`Refusal::NotConfined`]
pub fn only_record() -> Result<Trail, Refusal> {
    sys::close_from(3).map_err(system("close what is not its own"))?;
    awake()?;
    sys::end_after(LONGEST).map_err(system("set an alarm"))?;
    let trail = Trail::connect();
    capabilities::keep_only(&[], &[])?;
    filter::guard(Profile::LINK, None)?;
    Ok(trail)
}

/// What is wrong with a socket that was passed to this process as a listener.
///
/// # Errors
/// The reason, for a person.
pub(crate) fn require_listener(socket: BorrowedFd<'_>) -> Result<(), String> {
    use nix::sys::socket::{
        AddressFamily, SockType, SockaddrLike as _, SockaddrStorage, getsockname, getsockopt, sockopt,
    };
    let unix = getsockname::<SockaddrStorage>(socket.as_raw_fd())
        .is_ok_and(|address| address.family() == Some(AddressFamily::Unix));
    if !unix || getsockopt(&socket, sockopt::SockType) != Ok(SockType::Stream) {
        return Err("is not a Unix stream socket".to_owned());
    }
    if getsockopt(&socket, sockopt::AcceptConn) != Ok(true) {
        return Err("is not a listening socket (a socket unit needs Accept=no)".to_owned());
    }
    match getsockopt(&socket, sockopt::PassCred) {
        Ok(true) => Ok(()),
        Ok(false) => Err("does not have SO_PASSCRED set (a socket unit needs PassCredentials=yes)".to_owned()),
        Err(errno) => Err(describe(errno).to_owned()),
    }
}
