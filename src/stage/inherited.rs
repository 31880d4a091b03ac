// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The first stage: nothing is trusted yet. The caller chose the descriptors, limits, signals, timers, directory and
//! environment of this process; after hygiene none of its choices is left that could matter later.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, FcntlArg, OFlag, OpenHow, ResolveFlag, fcntl, openat, openat2, readlinkat};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::socket::{AddressFamily, SockType, UnixAddr, getpeername, getsockname, getsockopt, sockopt};
use nix::sys::socket::{SockaddrLike, SockaddrStorage};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, major, minor, umask};
use nix::sys::statfs::{FsType, PROC_SUPER_MAGIC, fstatfs};
use nix::unistd::{chdir, getuid, read};

use super::Guarded;
use super::netns::Identity;
use super::system_user::SystemUser;
use crate::audit::{Record, Refused, Trail};
use crate::caller::{Caller, WAYS};
use crate::heap;
use crate::refusal::{Exit, Refusal, system, unconfined};
use crate::sys;
use crate::wire::{Complaints, Input};

/// Seconds after which the kernel ends the process, whatever it waits for.
const LONGEST: u32 = 30;

/// Timers other than the one that the alarm uses (`ITIMER_VIRTUAL`, `ITIMER_PROF`).
const TIMERS: [u32; 2] = [1, 2];

/// How late the kernel may wake the process, in nanoseconds: its own default (`init_task`). A caller's would make every
/// wait here as long as it likes; 0 would not do, the default to go back to is inherited as well (prctl(2)).
const SLACK: u64 = 50_000;

/// Job control must not stop the process while it holds what others need; a full disk or a reader that went away is
/// told by errno.
const IGNORED: [Signal; 5] = [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU, Signal::SIGPIPE, Signal::SIGXFSZ];

/// File systems on which a request or a reply may lie: local ones, that answer. (`statfs(2)`: ext, XFS, Btrfs, tmpfs,
/// overlayfs, F2FS, ZFS, bcachefs, ramfs.) A FUSE file may never answer, a file of /proc may do something.
const ORDINARY: [u64; 9] =
    [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0xf2f5_2010, 0x2fc1_2fc1, 0xca45_1a4e, 0x8584_58f6];

/// Major numbers of terminals (`admin-guide/devices.txt`): consoles, serial lines, pseudo-terminals.
const TERMINALS: [u64; 14] = [4, 5, 136, 137, 138, 139, 140, 141, 142, 143, 188, 204, 229, 166];

/// The first stage.
#[derive(Debug)]
pub struct Inherited {
    begun: Begun,
    input: Input,
    complaints: Complaints,
}

/// When the process began, and the id that ties its reply to its records: 128 random bits.
#[derive(Debug, Clone)]
pub struct Begun {
    /// On the monotonic clock.
    pub at: Instant,
    /// In hexadecimal digits.
    pub id: String,
}

impl Begun {
    fn now() -> Result<Self, Errno> {
        let id = sys::random::<16>()?.iter().map(|b| format!("{b:02x}")).collect();
        Ok(Self { at: Instant::now(), id })
    }
}

impl Inherited {
    /// Makes sure of the standard descriptors and drops what else was inherited.
    ///
    /// # Errors
    /// An exit status; a line on descriptor 2 says why, if that is fit to be written to.
    pub fn take() -> Result<Self, Exit> {
        if sys::protect_relocated().and_then(|()| arm()).is_err() {
            return Err(Exit::System);
        }
        if fit(sys::stderr(), OFlag::O_WRONLY).is_err() {
            return Err(Exit::System); // nothing may be written there, so nothing can be said
        }
        let complaints = complaints();
        let told = |descriptor: u8, what: String| {
            complaints.say(&format!("descriptor {descriptor} {what}"));
            Err(Exit::System)
        };
        heap::when_memory_ends(Exit::System.status(), complaints == Complaints::Written);
        let input = match fit(sys::stdin(), OFlag::O_RDONLY) {
            Ok(input) => input,
            Err(what) => return told(0, what),
        };
        if let Err(what) = fit(sys::stdout(), OFlag::O_WRONLY) {
            return told(1, what);
        }
        match hygiene().and_then(|()| Begun::now().map_err(|errno| ("draw random bits", errno))) {
            Ok(begun) => Ok(Self { begun, input, complaints }),
            Err((step, errno)) => {
                complaints.say(&format!("cannot {step}: {errno}"));
                Err(Exit::System)
            }
        }
    }

    /// What descriptor 0 is.
    #[must_use]
    pub fn input(&self) -> Input {
        self.input
    }

    /// Whether a line may be written on descriptor 2.
    #[must_use]
    pub fn complaints(&self) -> Complaints {
        self.complaints
    }

    /// When the process began, and the id of its request.
    #[must_use]
    pub fn begun(&self) -> &Begun {
        &self.begun
    }

    /// Finds out who asks, becomes the system user, and goes behind the first filter. With it comes the trail, which was
    /// connected to before.
    ///
    /// # Errors
    /// [`Refusal::NotPrivileged`] naming what is missing, [`Refusal::PolicyInvalid`], [`Refusal::NotConfined`],
    /// [`Refusal::SystemError`]. None of them is on record before the process has become the system user.
    pub fn guard(self, peer: bool) -> Result<(Guarded, Trail), Refused> {
        let proc = Proc::open()?;
        proc.require_identity_map()?;
        let user = SystemUser::find()?;
        let (caller, way) = Caller::find(peer.then(sys::stdin), user.uid())?;
        sys::clear_environment().map_err(system("clearenv"))?;
        require_own_sockets(&caller)?;
        let own = proc.netns("self/ns/net").map_err(system("stat /proc/self/ns/net"))?;
        // Only a process that may trace pid 1 can look: with file capabilities it cannot, as the manual says.
        let first = proc.netns("1/ns/net").ok();
        user.become_it(&caller)?;
        prctl::set_dumpable(false).map_err(unconfined("dumpable"))?; // the change of ids has set it anew
        let trail = Trail::connect();
        let record = Record::new("refused", &self.begun.id, &caller, way);
        match Guarded::new(caller, way, user.gid(), Identity { own, first }, self.begun) {
            Ok(guarded) => Ok((guarded, trail)),
            Err(refusal) => {
                let recorded = trail.has_taken(&record.with_result(&refusal.to_string()));
                Err(Refused { refusal, recorded })
            }
        }
    }
}

/// Sets the alarm first of all, with its default action and unblocked: even a look at a descriptor may be made to wait.
fn arm() -> Result<(), Errno> {
    nix::unistd::alarm::set(LONGEST);
    sys::default_signal(Signal::SIGALRM)?;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
}

/// Everything inherited that is not a standard descriptor; the step that failed.
fn hygiene() -> Result<(), (&'static str, Errno)> {
    let named = |step: &'static str| move |errno: Errno| (step, errno);
    sys::close_from(3).map_err(named("close inherited descriptors"))?;
    for timer in TIMERS {
        sys::cancel_timer(timer).map_err(named("cancel inherited timers"))?;
    }
    prctl::set_timerslack(SLACK).map_err(named("set the timer slack"))?;
    for signal in IGNORED {
        sys::ignore_signal(signal).map_err(named("ignore signals"))?;
    }
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(named("forbid core dumps"))?;
    prctl::set_dumpable(false).map_err(named("forbid tracing"))?;
    umask(Mode::from_bits_truncate(0o077));
    chdir("/").map_err(named("leave the working directory"))
}

/// A reply goes to the caller, and a request comes from it: somebody else's socket on descriptor 1 would take the reply for
/// the system user's own words, and one on descriptor 0 would speak for the caller.
fn require_own_sockets(caller: &Caller) -> Result<(), Refusal> {
    for (number, descriptor) in [(0, sys::stdin()), (1, sys::stdout())] {
        if let Some(uid) = listener(descriptor).filter(|uid| *uid != caller.uid) {
            return Err(Refusal::NotPrivileged {
                missing: format!("a descriptor {number} of the caller's: its socket leads to uid {uid}"),
                hint: WAYS.to_owned(),
            });
        }
    }
    Ok(())
}

/// Nothing is written to somebody else's socket on descriptor 2, either. It is no reason to refuse: what an agent's unit
/// inherits there is journald's socket for lines of text. That would take the caller's words for the system user's.
///
/// The caller is not known yet. It is the real user, or else (sudo, a listener of root's) root had a say in this descriptor,
/// and its words would be taken for root's: then they go to no socket with a name.
fn complaints() -> Complaints {
    match listener(sys::stderr()) {
        Some(uid) if getuid().is_root() || uid != getuid().as_raw() => Complaints::Withheld,
        _ => Complaints::Written,
    }
}

/// The uid of who listens at the other end of a socket. The other end of a pair, and a client that was accepted, have no
/// name: who made them says nothing.
fn listener(descriptor: BorrowedFd<'static>) -> Option<u32> {
    let peer = getpeername::<UnixAddr>(descriptor.as_raw_fd()).ok()?; // no socket
    let is_named = peer.path().is_some() || peer.as_abstract().is_some();
    let peer = getsockopt(&descriptor, sockopt::PeerCredentials).ok()?;
    is_named.then(|| peer.uid())
}

/// Whether a standard descriptor may be used; otherwise what is wrong with it.
fn fit(descriptor: BorrowedFd<'static>, access: OFlag) -> Result<Input, String> {
    let kind = kind(descriptor)?;
    let flags = fcntl(descriptor, FcntlArg::F_GETFL).map_err(|errno| format!("cannot be examined: {errno}"))?;
    let flags = OFlag::from_bits_retain(flags);
    let mode = flags & OFlag::O_ACCMODE;
    if flags.contains(OFlag::O_PATH) || (mode != OFlag::O_RDWR && mode != access) {
        return Err(format!("is not open for {}", if access == OFlag::O_RDONLY { "reading" } else { "writing" }));
    }
    Ok(kind)
}

/// Allow-lists by type: a netlink or packet socket would turn a reply into a request (CVE-2014-0181).
fn kind(descriptor: BorrowedFd<'static>) -> Result<Input, String> {
    let what = fstat(descriptor).map_err(|errno| match errno {
        Errno::EBADF => "is closed".to_owned(),
        other => format!("cannot be examined: {other}"),
    })?;
    match SFlag::from_bits_truncate(what.st_mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFIFO => Ok(Input::Pipe),
        SFlag::S_IFCHR if is_null_or_terminal(&what) => Ok(Input::Stream),
        SFlag::S_IFREG if is_ordinary(descriptor) => Ok(Input::Stream),
        SFlag::S_IFREG => Err("is a file of a file system that is not an ordinary local one".to_owned()),
        SFlag::S_IFSOCK if is_listening(descriptor) => Err("is a listening socket, not a connection".to_owned()),
        SFlag::S_IFSOCK if is_unix_stream(descriptor) => Ok(Input::Socket),
        SFlag::S_IFSOCK => Err("is a socket, but no Unix stream socket".to_owned()),
        _ => Err("is no pipe, Unix stream socket, terminal, /dev/null or ordinary file".to_owned()),
    }
}

fn is_null_or_terminal(what: &FileStat) -> bool {
    (major(what.st_rdev), minor(what.st_rdev)) == (1, 3) || TERMINALS.contains(&major(what.st_rdev))
}

fn is_ordinary(descriptor: BorrowedFd<'static>) -> bool {
    let FsType(magic) = match fstatfs(descriptor) {
        Ok(what) => what.filesystem_type(),
        Err(_) => return false,
    };
    u64::try_from(magic).is_ok_and(|magic| ORDINARY.contains(&magic))
}

fn is_unix_stream(descriptor: BorrowedFd<'static>) -> bool {
    let unix = getsockname::<SockaddrStorage>(descriptor.as_raw_fd())
        .is_ok_and(|address| address.family() == Some(AddressFamily::Unix));
    unix && getsockopt(&descriptor, sockopt::SockType).is_ok_and(|ty| ty == SockType::Stream)
}

/// Its peer would be whoever listens, and no request could ever come.
fn is_listening(descriptor: BorrowedFd<'static>) -> bool {
    getsockopt(&descriptor, sockopt::AcceptConn).unwrap_or(false)
}

/// The real /proc: its root, not something that was mounted over it.
struct Proc(OwnedFd);

/// `PROC_ROOT_INO` (`linux/proc_fs.h`).
const PROC_ROOT: u64 = 1;
/// `USER_NS_INIT_INO` (`linux/nsfs.h`), as `/proc/PID/ns/user` has it. No other namespace gets this number.
const INITIAL_USER_NAMESPACE: &str = "user:[4026531837]";

impl Proc {
    fn open() -> Result<Self, Refusal> {
        let proc = openat(AT_FDCWD, "/proc", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
            .map_err(system("open /proc"))?;
        let kind = fstatfs(&proc).map_err(system("statfs /proc"))?.filesystem_type();
        let root = fstat(&proc).map_err(system("stat /proc"))?.st_ino;
        if kind != PROC_SUPER_MAGIC || root != PROC_ROOT {
            return Err(Refusal::SystemError { step: "open /proc: it is no procfs".to_owned(), errno: None });
        }
        Ok(Self(proc))
    }

    /// In a user namespace with another map, real uid, owners of files and the policy are what its maker wants, and
    /// file capabilities are honoured all the same. The initial namespace maps every id to itself.
    fn require_identity_map(&self) -> Result<(), Refusal> {
        if self.is_in_initial_user_namespace() {
            return Ok(());
        }
        for map in ["self/uid_map", "self/gid_map"] {
            let file = self.open_own(map, OFlag::O_RDONLY).map_err(system("open /proc/self/uid_map"))?;
            let mut text = [0; 128];
            let bytes = read(&file, &mut text).map_err(system("read /proc/self/uid_map"))?;
            let words: Vec<&[u8]> = text
                .get(..bytes)
                .unwrap_or_default()
                .split(u8::is_ascii_whitespace)
                .filter(|w| !w.is_empty())
                .collect();
            if words != [&b"0"[..], b"0", b"4294967295"] {
                return Err(Refusal::NotPrivileged {
                    missing: format!("a user namespace that maps every id to itself (uid {} here)", getuid()),
                    hint: WAYS.to_owned(),
                });
            }
        }
        Ok(())
    }

    /// By its number, which the kernel writes into the link itself: the link is read and not followed, so that nothing
    /// bound to it or mounted over it is taken for it. Anything else than that number leaves the question to the maps.
    fn is_in_initial_user_namespace(&self) -> bool {
        let link = self.open_own("self/ns/user", OFlag::O_PATH | OFlag::O_NOFOLLOW);
        link.and_then(|link| readlinkat(link, "")).is_ok_and(|number| number == INITIAL_USER_NAMESPACE)
    }

    /// Opens a file of this process. Nothing may be mounted over it: resolution stays on this mount.
    fn open_own(&self, path: &str, flags: OFlag) -> Result<OwnedFd, Errno> {
        let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(ResolveFlag::RESOLVE_NO_XDEV);
        openat2(self.0.as_fd(), path, how)
    }

    /// The identity of a process's network namespace.
    fn netns(&self, path: &str) -> Result<(u64, u64), Errno> {
        let what = fstatat(&self.0, path, nix::fcntl::AtFlags::empty())?;
        Ok((what.st_dev, what.st_ino))
    }
}
