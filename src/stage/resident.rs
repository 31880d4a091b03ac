// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The stages of `netbrokerd`. [`Resident`] is the parent: it became the system user at its start, and keeps only what its
//! children need. It has no parser and never touches a byte of a connection. Each child is a stage of its own, which ends
//! as [`Guarded`] before the first byte is read: [`Waiting`] was forked ahead and has done everything that does not depend
//! on the caller; [`Resident::guard`] makes one for a connection that is there already.
#![forbid(unsafe_code)]

use std::io::IoSliceMut;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::time::Instant;

use caps::Capability;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use nix::sys::stat::fstatat;
use nix::unistd::{close, dup2_stdin, dup2_stdout};

use super::guarded::Guarded;
use super::inherited::{Begun, LONGEST, Proc, hygiene};
use super::netns::Identity;
use super::system_user::SystemUser;
use super::trusted::{self, PolicyFile};
use super::{capabilities, filter};
use crate::audit::{Record, Refused, Trail};
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen(Option<[i64; 4]>);

impl Seen {
    /// Looks at a file by its path.
    #[must_use]
    pub fn look(path: &str) -> Self {
        let what = fstatat(AT_FDCWD, path, AtFlags::AT_SYMLINK_NOFOLLOW).ok();
        let number = |number: u64| i64::try_from(number).unwrap_or(-1);
        Self(what.map(|what| [number(what.st_dev), number(what.st_ino), what.st_ctime, what.st_ctime_nsec]))
    }
}

/// The compiled policy as the parent knows it: who is granted anything, and which profile that needs.
#[derive(Debug)]
pub struct Grants(Compiled<PolicyFile>);

impl Grants {
    /// Whose share the requests of a caller count for, and the profile that its rules need. `None` where no allow is for
    /// this caller.
    ///
    /// # Errors
    /// [`Refusal::PolicyInvalid`]
    pub fn of(&self, caller: &Caller) -> Result<(Option<Principal>, Profile), Refusal> {
        self.0.standing(caller).map_err(|damage| trusted::damaged(damage.0))
    }
}

impl Resident {
    /// Undoes what was inherited, other than the standard descriptors and so many passed ones after them, and finds out who
    /// the system user is.
    ///
    /// # Errors
    /// [`Refusal::NotPrivileged`], [`Refusal::SystemError`].
    pub fn take(passed: u32) -> Result<Self, Refusal> {
        let step = |(step, errno): (&'static str, Errno)| system(step)(errno);
        sys::protect_relocated().map_err(system("protect relocated tables"))?;
        hygiene(3 + passed).map_err(step)?;
        sys::ignore_signal(Signal::SIGHUP).map_err(system("ignore signals"))?;
        let proc = Proc::open()?;
        proc.require_identity_map()?;
        let user = SystemUser::find()?;
        let own = proc.netns("self/ns/net").map_err(system("stat /proc/self/ns/net"))?;
        let first = proc.netns("1/ns/net").ok();
        Ok(Self { identity: Identity { own, first }, user })
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

    /// Opens the compiled policy to find out who is granted anything.
    ///
    /// # Errors
    /// [`Refusal::PolicyInvalid`], [`Refusal::SystemError`]
    pub fn grants(&self) -> Result<Grants, Refusal> {
        trusted::policy(self.user.gid()).map(Grants)
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
    pub fn guard(&self, begun: Begun, is_granted: bool, counts: bool) -> Result<(Guarded, Trail), Refused> {
        let caller = Caller::of_connection(sys::stdin())?;
        caller.require_somebody()?;
        self.user.require_other(&caller)?;
        if !is_granted {
            capabilities::keep_only(&[], &[])?;
        }
        let mut trail = Trail::connect();
        if counts {
            trail.count_refusals();
        }
        let record = Record::new("refused", &begun.id, &caller, Way::Socket);
        match Guarded::new(caller, Way::Socket, self.user.gid(), self.identity, begun) {
            Ok(guarded) => Ok((guarded, trail)),
            Err(refusal) => {
                let recorded = trail.has_taken(&record.with_result(&refusal.to_string()));
                Err(Refused { refusal, recorded })
            }
        }
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
        Ok(Waiting { channel: channel.as_raw_fd(), begun, trail, policy, identity: self.identity })
    }
}

/// Lets signals have their default actions again, which the parent receives in another way.
fn awake() -> Result<(), Refusal> {
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None).map_err(system("unblock signals"))
}

/// The bytes of a handover.
pub const HANDOVER: usize = 8;

/// What the parent says when it hands over a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handover {
    /// How many bytes had arrived on the connection.
    pub arrived: u32,
    /// Whether refusals are counted and not recorded one by one.
    pub counts: bool,
}

impl Handover {
    /// As it is on the channel.
    #[must_use]
    pub fn bytes(self) -> [u8; HANDOVER] {
        let [a, b, c, d] = self.arrived.to_le_bytes();
        [a, b, c, d, u8::from(self.counts), 0, 0, 0]
    }

    fn read([a, b, c, d, counts, ..]: [u8; HANDOVER]) -> Self {
        Self { arrived: u32::from_le_bytes([a, b, c, d]), counts: counts != 0 }
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
        if arm.is_err() || profile != Profile::LINK {
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
    awake()?;
    capabilities::keep_only(&[], &[])?;
    sys::end_after(LONGEST).map_err(system("set an alarm"))?;
    Ok(Trail::connect())
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
