// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The first stage: nothing is trusted yet. The caller chose the descriptors, limits, signals, timers, directory and
//! environment of this process. This stage undoes every choice that could matter later.
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
use crate::caller::{Caller, LISTENER};
use crate::heap;
use crate::refusal::{Exit, Refusal, system, unconfined};
use crate::sys;
use crate::wire::{Complaints, Input};

/// Seconds after which the kernel ends the process, whatever it waits for.
pub(super) const LONGEST: u32 = 30;

/// Timers other than the one that the alarm uses (`ITIMER_VIRTUAL`, `ITIMER_PROF`).
const TIMERS: [u32; 2] = [1, 2];

/// How late the kernel may wake the process, in nanoseconds: the kernel's own default (`init_task`). With the caller's
/// value, every wait could take as long as the caller likes. The value 0 does not help: it selects a default that is
/// inherited, too (prctl(2)).
const SLACK: u64 = 50_000;

/// The ignored signals. Job control must not stop the process while it holds what others need. A write beyond the limit
/// on file sizes, or to a reader that is gone, is reported by errno.
const IGNORED: [Signal; 5] = [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU, Signal::SIGPIPE, Signal::SIGXFSZ];

/// File systems that may hold a request or a reply: local ones, which always answer. (`statfs(2)`: ext, XFS, Btrfs,
/// tmpfs, overlayfs, F2FS, ZFS, bcachefs, ramfs.) A FUSE file may never answer, and a file of /proc may act on what is
/// written.
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
    pub(super) fn now() -> Result<Self, Errno> {
        let id = sys::random::<16>()?.iter().map(|b| format!("{b:02x}")).collect();
        Ok(Self { at: Instant::now(), id })
    }
}

impl Inherited {
    /// Checks the standard descriptors and removes what else was inherited.
    ///
    /// # Errors
    /// An exit status. A line on descriptor 2 says why, if that may be written to.
    pub fn take() -> Result<Self, Exit> {
        if sys::protect_relocated().and_then(|()| arm()).is_err() {
            return Err(Exit::System);
        }
        if fit(sys::stderr(), OFlag::O_WRONLY).is_err() {
            return Err(Exit::System); // nothing may be written there, not even a message
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
        match hygiene(3).and_then(|()| Begun::now().map_err(|errno| ("draw random bits", errno))) {
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

    /// Finds out who the caller is, becomes the system user, and installs the first filter. Also returns the trail,
    /// which it connects to before that filter.
    ///
    /// # Errors
    /// [`Refusal::NotPrivileged`] naming what is missing, [`Refusal::PolicyInvalid`], [`Refusal::NotConfined`],
    /// [`Refusal::SystemError`]. They are recorded only if the process has already become the system user.
    pub fn guard(self, peer: bool) -> Result<(Guarded, Trail), Refused> {
        let proc = Proc::open()?;
        proc.require_identity_map()?;
        let user = SystemUser::find()?;
        let (caller, way) = Caller::find(peer.then(sys::stdin), user.uid())?;
        sys::clear_environment().map_err(system("clearenv"))?;
        require_own_sockets(&caller)?;
        let own = proc.netns("self/ns/net").map_err(system("stat /proc/self/ns/net"))?;
        // Only a process that may trace process 1 can read this. With file capabilities it cannot, as the manual says.
        let first = proc.netns("1/ns/net").ok();
        user.become_it(&caller)?;
        prctl::set_dumpable(false).map_err(unconfined("dumpable"))?; // the change of ids has reset it
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

/// Sets the alarm before anything else, with its default action and unblocked: even fstat(2) of a descriptor may wait.
fn arm() -> Result<(), Errno> {
    nix::unistd::alarm::set(LONGEST);
    sys::default_signal(Signal::SIGALRM)?;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
}

/// Undoes what is inherited other than the descriptors before `first`. An error names the step that failed.
pub(super) fn hygiene(first: u32) -> Result<(), (&'static str, Errno)> {
    let named = |step: &'static str| move |errno: Errno| (step, errno);
    sys::close_from(first).map_err(named("close inherited descriptors"))?;
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

/// Requires that sockets on descriptors 0 and 1 lead to the caller. Another user's service on descriptor 1 would take
/// the reply for words of the system user, and one on descriptor 0 would make requests in the caller's name.
fn require_own_sockets(caller: &Caller) -> Result<(), Refusal> {
    for (number, descriptor) in [(0, sys::stdin()), (1, sys::stdout())] {
        if let Some(uid) = listener(descriptor).filter(|uid| *uid != caller.uid) {
            return Err(Refusal::NotPrivileged {
                missing: format!("a descriptor {number} of the caller's: its socket leads to uid {uid}"),
                hint: "give netbroker a socket whose other end is the caller's own".to_owned(),
            });
        }
    }
    Ok(())
}

/// Finds out whether lines may be written on descriptor 2. Nothing is written to another user's socket there: the
/// reader would take the caller's words for those of the system user. But such a socket is not a reason to refuse,
/// because the unit of an agent inherits journald's stream socket there.
///
/// The caller is not known yet. It is the real user, unless the real user is root (sudo, a socket unit of root). Then
/// root's choices decided what this descriptor is, and lines would be taken for root's words. So they go to no socket
/// with a name.
fn complaints() -> Complaints {
    match listener(sys::stderr()) {
        Some(uid) if getuid().is_root() || uid != getuid().as_raw() => Complaints::Withheld,
        _ => Complaints::Written,
    }
}

/// The uid of the process that listens at the other end of a socket. `None` for a socket pair and for a connection that
/// was accepted: their other end has no name, and the uid of its maker proves nothing.
fn listener(descriptor: BorrowedFd<'static>) -> Option<u32> {
    let peer = getpeername::<UnixAddr>(descriptor.as_raw_fd()).ok()?; // not a connected Unix socket
    let is_named = peer.path().is_some() || peer.as_abstract().is_some();
    let peer = getsockopt(&descriptor, sockopt::PeerCredentials).ok()?;
    is_named.then(|| peer.uid())
}

/// What kind of input a standard descriptor is, if it may be used; otherwise what is wrong with it.
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

/// Allows only listed types: a netlink or packet socket would turn a reply into a request (CVE-2014-0181).
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
        SFlag::S_IFSOCK => Err("is a socket, but not a Unix stream socket".to_owned()),
        _ => Err("is closed, or is not a pipe, Unix stream socket, terminal, /dev/null or ordinary file".to_owned()),
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

/// Whether it is a listening socket. Its peer would be the listener itself, and it never delivers a request.
fn is_listening(descriptor: BorrowedFd<'static>) -> bool {
    getsockopt(&descriptor, sockopt::AcceptConn).unwrap_or(false)
}

/// The root of the real /proc, and not of something that was mounted over it.
pub(super) struct Proc(OwnedFd);

/// `PROC_ROOT_INO` (`linux/proc_fs.h`).
const PROC_ROOT: u64 = 1;
/// `USER_NS_INIT_INO` (`linux/nsfs.h`), as `/proc/PID/ns/user` has it. No other namespace gets this number.
const INITIAL_USER_NAMESPACE: &str = "user:[4026531837]";

impl Proc {
    pub(super) fn open() -> Result<Self, Refusal> {
        let proc = openat(AT_FDCWD, "/proc", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
            .map_err(system("open /proc"))?;
        let kind = fstatfs(&proc).map_err(system("statfs /proc"))?.filesystem_type();
        let root = fstat(&proc).map_err(system("stat /proc"))?.st_ino;
        if kind != PROC_SUPER_MAGIC || root != PROC_ROOT {
            return Err(Refusal::SystemError { step: "open /proc: it is not a procfs".to_owned(), errno: None });
        }
        Ok(Self(proc))
    }

    /// Requires a user namespace that maps every id to itself, as the initial one does. In any other, its creator
    /// decides what the real uid, the owners of files and the policy are, and file capabilities still take effect.
    pub(super) fn require_identity_map(&self) -> Result<(), Refusal> {
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
                    hint: LISTENER.to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Compares the number that the kernel writes into the link itself. The link is read as text and not followed, so
    /// that nothing that is bound to it or mounted over it can be mistaken for it. With any other number, the maps
    /// decide.
    fn is_in_initial_user_namespace(&self) -> bool {
        let link = self.open_own("self/ns/user", OFlag::O_PATH | OFlag::O_NOFOLLOW);
        link.and_then(|link| readlinkat(link, "")).is_ok_and(|number| number == INITIAL_USER_NAMESPACE)
    }

    /// Opens a file of this process. The path must stay on this mount, so that nothing is mounted over the file.
    fn open_own(&self, path: &str, flags: OFlag) -> Result<OwnedFd, Errno> {
        let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(ResolveFlag::RESOLVE_NO_XDEV);
        openat2(self.0.as_fd(), path, how)
    }

    /// The device and inode numbers of a process's network namespace.
    pub(super) fn netns(&self, path: &str) -> Result<(u64, u64), Errno> {
        let what = fstatat(&self.0, path, nix::fcntl::AtFlags::empty())?;
        Ok((what.st_dev, what.st_ino))
    }
}
