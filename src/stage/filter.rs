// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The seccomp filters: the system calls that a stage may still make, each line with the code that needs it. Any other
//! call ends the process, including calls by the numbers of other architectures and of x32. A filter can check numbers
//! but not memory. So no process that reads a caller's bytes may use `openat2`, whose flags are in memory.
//!
//! An argument is unchecked only where it is an address or a length, where it is a descriptor that is opened after the
//! filter, or where none of its values can do harm: each `Check::Free` is one of these. The number of descriptors of
//! poll(2) and the flags of stat(2) and of Landlock are of the last kind.
#![forbid(unsafe_code)]

mod bpf;

use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::MsFlags;
use seccompiler::apply_filter;

use self::bpf::Program;
use crate::call::needs::Profile;
use crate::refusal::Refusal;
use crate::sys;

/// What the arguments must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Anything.
    Free,
    /// This argument, an `int`, is this number.
    Is(u8, u32),
    /// These bits of this argument, an `int`, are zero.
    Without(u8, u32),
    /// This argument, an `unsigned int` or a descriptor, is at least this number. `-1` passes as a large unsigned
    /// number.
    AtLeast(u8, u32),
    /// This argument is zero in all its 64 bits: a null pointer, or an offset.
    Null(u8),
    /// The first argument is a descriptor of this socket.
    On(Socket),
    /// The first argument is not a descriptor of this socket.
    Off(Socket),
    /// All of these hold.
    All(&'static [Check]),
    /// The first argument is a descriptor of this socket, and the second argument, an `int`, is this number (ioctl(2)).
    Asks(Socket, u32),
    /// The first argument is a descriptor of this socket, and the address is null (sendto(2)): only its own peer
    /// receives.
    To(Socket),
}

/// A socket, file or device whose descriptor is known when the filter is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Socket {
    /// A socket to rtnetlink. A transaction may have a second one: in another namespace, or for look-ups during a
    /// listing.
    Netlink,
    /// The socket of the audit trail, where the machine has one.
    Trail,
    /// `/dev/net/tun`, for a link that is made through it.
    Tun,
    /// The compiled policy, under the first filter.
    Policy,
    /// `/run/netns`, for a listing of its names.
    Names,
    /// `/proc`, for a search of its processes.
    Proc,
    /// The channel on which a child that was forked ahead receives its connection.
    Channel,
}

/// An allowed system call: its number, what its arguments must be, and the code that needs it. Where several lines have
/// the same number, a call must agree with one of them.
pub type Line = (i64, Check, &'static str);

/// A filter: the tables that it is made of.
pub type Filter = &'static [&'static [Line]];

/// Opens a file for reading only, and neither makes nor changes one.
const READ_ONLY: Check = Check::Without(2, WRITING);
/// The flags of open(2) that write, make or truncate; `O_TMPFILE` without the bit that it shares with `O_DIRECTORY`.
#[allow(clippy::as_conversions, reason = "const; the flags are non-negative")]
const WRITING: u32 = (OFlag::O_WRONLY.bits()
    | OFlag::O_RDWR.bits()
    | OFlag::O_CREAT.bits()
    | OFlag::O_TRUNC.bits()
    | (OFlag::O_TMPFILE.bits() & !OFlag::O_DIRECTORY.bits())) as u32;
/// Makes a file and never opens an existing one: with `CAP_DAC_OVERRIDE` the process could open any.
const MAKING: u32 = flags(&[OFlag::O_CREAT, OFlag::O_EXCL, OFlag::O_NOFOLLOW, OFlag::O_CLOEXEC]);
/// Looks at a file without reading it.
const LOOKING: u32 = flags(&[OFlag::O_PATH, OFlag::O_NOFOLLOW, OFlag::O_CLOEXEC]);
/// Looks at a directory without reading it.
const STANDING: u32 = flags(&[OFlag::O_PATH, OFlag::O_DIRECTORY, OFlag::O_NOFOLLOW, OFlag::O_CLOEXEC]);
/// Opens a directory, to lock it.
const LOCKING: u32 = flags(&[OFlag::O_DIRECTORY, OFlag::O_CLOEXEC]);

#[allow(clippy::as_conversions, clippy::indexing_slicing, reason = "const; the flags are non-negative")]
const fn flags(of: &[OFlag]) -> u32 {
    let (mut bits, mut at) = (LARGE_FILES, 0);
    while at < of.len() {
        bits |= of[at].bits() as u32;
        at += 1;
    }
    bits
}

/// `O_LARGEFILE`, which musl adds to the flags of every file that it opens.
#[cfg(target_env = "musl")]
const LARGE_FILES: u32 = if cfg!(target_arch = "x86_64") { 0o100_000 } else { 0o400_000 };
#[cfg(not(target_env = "musl"))]
const LARGE_FILES: u32 = 0;

/// The system call that poll(3) makes: newer architectures have ppoll(2) only.
#[cfg(target_arch = "x86_64")]
const POLL: i64 = libc::SYS_poll;
#[cfg(not(target_arch = "x86_64"))]
const POLL: i64 = libc::SYS_ppoll;
/// `CLONE_NEWNET`
const NEWNET: u32 = 0x4000_0000;

/// `epoll_wait(2)`: newer architectures have `epoll_pwait(2)` only, and musl calls that one on all of them.
#[cfg(all(target_arch = "x86_64", not(target_env = "musl")))]
const EPOLL_WAIT: i64 = libc::SYS_epoll_wait;
#[cfg(not(all(target_arch = "x86_64", not(target_env = "musl"))))]
const EPOLL_WAIT: i64 = libc::SYS_epoll_pwait;
/// `FIONREAD` (`asm-generic/ioctls.h`).
const FIONREAD: u32 = 0x541b;
/// fork(3): no flag of clone(2) that shares anything or makes a namespace.
const FORKING: Check = Check::Without(0, !(int(libc::CLONE_CHILD_CLEARTID | libc::CLONE_CHILD_SETTID) | 0xff));
/// A datagram socket of a file system path.
const TO_TRAIL: Check =
    Check::All(&[Check::Is(0, int(libc::AF_UNIX)), Check::Is(1, int(libc::SOCK_DGRAM | libc::SOCK_CLOEXEC))]);
const PATIENTLY: Check = Check::All(&[Check::Is(1, int(libc::SOL_SOCKET)), Check::Is(2, int(libc::SO_SNDTIMEO))]);
const HANDED_OVER: Check = Check::All(&[Check::On(Socket::Channel), Check::Is(2, 0)]);
const WHO: Check =
    Check::All(&[Check::Is(0, 0), Check::Is(1, int(libc::SOL_SOCKET)), Check::Is(2, int(libc::SO_PEERCRED))]);
const WHOSE_GROUPS: Check =
    Check::All(&[Check::Is(0, 0), Check::Is(1, int(libc::SOL_SOCKET)), Check::Is(2, int(libc::SO_PEERGROUPS))]);

/// A socket to rtnetlink. Other netlink protocols reach the firewall, `IPsec` and the audit subsystem.
const RTNETLINK: Check = Check::All(&[
    Check::Is(0, int(libc::AF_NETLINK)),
    Check::Is(1, int(libc::SOCK_RAW | libc::SOCK_CLOEXEC)),
    Check::Is(2, int(libc::NETLINK_ROUTE)),
]);
/// An option of `SOL_NETLINK`. Options of `SOL_SOCKET` could attach a BPF program, which the kernel would run.
const EXTENDED: Check = Check::All(&[Check::Is(1, int(libc::SOL_NETLINK)), Check::Is(2, int(libc::NETLINK_EXT_ACK))]);
const CAPPED: Check = Check::All(&[Check::Is(1, int(libc::SOL_NETLINK)), Check::Is(2, int(libc::NETLINK_CAP_ACK))]);
const STRICT: Check =
    Check::All(&[Check::Is(1, int(libc::SOL_NETLINK)), Check::Is(2, int(libc::NETLINK_GET_STRICT_CHK))]);
/// Sends to the socket's own peer, with no flag other than `MSG_NOSIGNAL`.
const SENDING: Check = Check::All(&[Check::Null(4), Check::Without(3, !int(libc::MSG_NOSIGNAL))]);
/// Receives with no flag other than these two: in particular, nothing from the error queue, which also has time stamps.
const RECEIVING: Check = Check::Without(3, !int(libc::MSG_PEEK | libc::MSG_DONTWAIT));
/// The same for recvmsg(2), on descriptor 0 only.
const RECEIVING_IDS: Check =
    Check::All(&[Check::Is(0, 0), Check::Without(2, !int(libc::MSG_PEEK | libc::MSG_DONTWAIT))]);
/// Closes what the process itself has opened. Filters allow reads from the descriptors of the wire and of the policy.
/// These stay open as long as the process runs, so that no other file gets one of their numbers.
const CLOSING: Check = Check::All(&[Check::AtLeast(0, 3), Check::Off(Socket::Policy)]);
/// Private anonymous memory that is not executable.
const MEMORY: Check =
    Check::All(&[Check::Without(2, int(libc::PROT_EXEC)), Check::Is(3, int(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS))]);
/// Grows memory in place or moves it, but never to a given address.
const GROWING: Check = Check::Is(3, int(libc::MREMAP_MAYMOVE));
/// rewinddir(3)
const REWINDING: Check = Check::All(&[Check::Null(1), Check::Is(2, int(libc::SEEK_SET))]);
/// fdopendir(3) reads the flags and sets close-on-exec. With `F_SETOWN`, `F_SETSIG` and `O_ASYNC` the process could
/// signal other brokers, which run as the same user.
const FLAGS: Check = Check::Is(1, int(libc::F_GETFL));
const CLOSED_ON_EXEC: Check = Check::All(&[Check::Is(1, int(libc::F_SETFD)), Check::Is(2, int(libc::FD_CLOEXEC))]);
const NO_NEW_PRIVS: Check = Check::All(&[Check::Is(0, int(libc::PR_SET_NO_NEW_PRIVS)), Check::Is(1, 1)]);
/// `SECCOMP_SET_MODE_FILTER` without flags, so without a listener.
const FILTERING: Check = Check::All(&[Check::Is(0, 1), Check::Is(1, 0)]);
/// `CLOCK_MONOTONIC`. Other clocks show, for example, the processor time of other processes.
const MONOTONIC: Check = Check::Is(0, int(libc::CLOCK_MONOTONIC));
/// `CLOCK_REALTIME` or `CLOCK_MONOTONIC`, depending on the version of the standard library, and a relative time.
const SLEEPING: Check = Check::All(&[Check::Without(0, !1), Check::Is(1, 0)]);
/// The flags of mount(2): bind an existing mount to another place, or make it shared. With these, the kernel reads
/// neither a file system type nor data.
const BINDING: Check = Check::Is(3, mounting(MsFlags::MS_BIND));
const BINDING_ALL: Check = Check::Is(3, mounting(MsFlags::MS_BIND.union(MsFlags::MS_REC)));
const SHARING: Check = Check::Is(3, mounting(MsFlags::MS_SHARED.union(MsFlags::MS_REC)));
const UNMOUNTING: Check = Check::Is(1, int(libc::MNT_DETACH | libc::UMOUNT_NOFOLLOW));
/// Removes a file, not a directory.
const UNLINKING: Check = Check::Is(2, 0);
const EXCLUSIVE_NOW: Check = Check::Is(1, int(libc::LOCK_EX | libc::LOCK_NB));

#[allow(clippy::as_conversions, reason = "const; a register holds the bits of an int")]
const fn int(number: libc::c_int) -> u32 {
    number as u32
}

#[allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "const; all flags of mount(2) are in 32 bits"
)]
const fn mounting(flags: MsFlags) -> u32 {
    flags.bits() as u32
}

/// In the first filter of every caller: parse a request, judge it, enter a namespace, look up names by netlink, install
/// the second filter.
pub const GUARDED: &[Line] = &[
    (POLL, Check::Free, "wire: wait for the request, for room for the reply"),
    (libc::SYS_read, Check::Is(0, 0), "wire: the request from a file or terminal"),
    (libc::SYS_preadv2, Check::Is(0, 0), "wire: the request from a pipe"),
    (libc::SYS_recvfrom, RECEIVING, "wire: the request from a socket; netlink: the answer"),
    (libc::SYS_recvmsg, RECEIVING_IDS, "wire: the request from a socket with its sender's ids"),
    (libc::SYS_write, Check::Is(0, 1), "wire: the reply"),
    (libc::SYS_write, Check::Is(0, 2), "wire: a line where no reply can be"),
    (libc::SYS_sendto, SENDING, "netlink: the request; audit: the record; to the peer of the socket only"),
    (libc::SYS_pread64, Check::On(Socket::Policy), "policy::compiled: the rules of the call"),
    (libc::SYS_openat, READ_ONLY, "stage::netns: the namespace; stage::confined: /run/netns"),
    (libc::SYS_fstat, Check::Free, "stage::netns: is it the broker's own (a glibc whose fstat(3) is this)"),
    (libc::SYS_newfstatat, Check::Free, "stage::netns: is it the broker's own; is there a left-over file"),
    (libc::SYS_fstatfs, Check::Free, "stage::netns: is it a namespace"),
    (libc::SYS_setns, Check::Is(1, NEWNET), "stage::netns: enter it"),
    (libc::SYS_socket, RTNETLINK, "netlink: the socket"),
    (libc::SYS_setsockopt, EXTENDED, "netlink: extended acknowledgements"),
    (libc::SYS_setsockopt, CAPPED, "netlink: they do not repeat the request"),
    (libc::SYS_setsockopt, STRICT, "netlink: strict checking"),
    (libc::SYS_close, CLOSING, "descriptors dropped on the way"),
    (libc::SYS_capget, Check::Free, "stage::capabilities: read back"),
    (libc::SYS_capset, Check::Free, "stage::capabilities: give up"),
    (libc::SYS_prctl, NO_NEW_PRIVS, "seccompiler: no_new_privs"),
    (libc::SYS_landlock_create_ruleset, Check::Free, "stage::landlock"),
    (libc::SYS_landlock_restrict_self, Check::Free, "stage::landlock"),
    (libc::SYS_seccomp, FILTERING, "stage::filter: the second filter"),
    (libc::SYS_brk, Check::Free, "heap: what does not fit the arena, and its return"),
    (libc::SYS_mmap, MEMORY, "heap: what does not fit the arena"),
    (libc::SYS_munmap, Check::Free, "heap: its return"),
    (libc::SYS_mremap, GROWING, "heap: what does not fit the arena, and grows"),
    (libc::SYS_getdents64, Check::Free, "stage::confined: the names under /run/netns"),
    (libc::SYS_lseek, REWINDING, "stage::confined: rewinddir(3)"),
    (libc::SYS_fcntl, FLAGS, "stage::confined: fdopendir(3)"),
    (libc::SYS_fcntl, CLOSED_ON_EXEC, "stage::confined: fdopendir(3)"),
    (libc::SYS_restart_syscall, Check::Free, "what waited goes on after a stop (SIGSTOP, a frozen cgroup)"),
    (libc::SYS_clock_gettime, MONOTONIC, "wire: the time left; audit: duration (where there is no vDSO)"),
    (libc::SYS_exit_group, Check::Free, "return from main"),
];

/// Also in the first filter of a child that was forked ahead, before its caller was known.
pub const AHEAD: &[Line] = &[
    (libc::SYS_recvmsg, HANDED_OVER, "stage::resident: the connection"),
    (libc::SYS_setitimer, Check::Is(0, 0), "stage::resident: the alarm of the request"),
    (libc::SYS_getsockopt, WHO, "stage::resident: who connected"),
    (libc::SYS_getsockopt, WHOSE_GROUPS, "stage::resident: in which groups"),
];

/// The filter of the parent, `netbrokerd`. Its children inherit it, so what they need must be in it; the arguments of that
/// are checked by their own filters.
pub const RESIDENT: &[Line] = &[
    (EPOLL_WAIT, Check::Free, "daemon: wait for connections and requests"),
    (libc::SYS_epoll_ctl, Check::Free, "daemon: which connections"),
    (libc::SYS_accept4, Check::Free, "daemon: a connection"),
    (libc::SYS_getsockopt, Check::Free, "daemon, caller: who connected"),
    (libc::SYS_ioctl, Check::Is(1, FIONREAD), "daemon: has a request arrived"),
    (libc::SYS_read, Check::Free, "daemon: signals, from a signalfd"),
    (libc::SYS_wait4, Check::Free, "daemon: how a child ended"),
    (libc::SYS_socketpair, Check::Free, "daemon: the channel to a child"),
    (libc::SYS_sendmsg, Check::Free, "daemon: hand over a connection"),
    (libc::SYS_recvmsg, Check::Free, "stage::resident: receive it"),
    (libc::SYS_clone, FORKING, "daemon: a child"),
    #[cfg(all(target_env = "musl", target_arch = "x86_64"))]
    (libc::SYS_fork, Check::Free, "daemon: a child"),
    (libc::SYS_set_robust_list, Check::Free, "daemon: the C library after fork(2)"),
    (libc::SYS_close_range, Check::Free, "stage::resident: a child closes what is not its own"),
    (libc::SYS_close, Check::Free, "stage::resident: a child makes room for its connection"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_dup2, Check::Free, "stage::resident: a child takes its connection"),
    #[cfg(not(target_arch = "x86_64"))]
    (libc::SYS_dup3, Check::Free, "stage::resident: a child takes its connection"),
    (libc::SYS_setitimer, Check::Free, "stage::resident: the alarm of a request"),
    (libc::SYS_rt_sigprocmask, Check::Free, "stage::resident: a child receives signals"),
    (libc::SYS_getrandom, Check::Free, "stage::resident: the id of a request; heap: where the arena is"),
    (libc::SYS_mprotect, Check::Free, "heap: the arena"),
    (libc::SYS_pread64, Check::Free, "policy::compiled: who is granted anything"),
    (libc::SYS_socket, TO_TRAIL, "audit: the trail"),
    (libc::SYS_connect, Check::Free, "audit: the trail"),
    (libc::SYS_setsockopt, PATIENTLY, "audit: how long a record waits"),
    (libc::SYS_getpid, Check::Free, "audit: the process id in a line of syslog"),
    (libc::SYS_prctl, Check::Free, "seccompiler: no_new_privs; daemon: ambient capabilities before it starts anew"),
];

/// What `netbrokerd` needs to start anew in the filter that it is under (execve(2)).
pub const ANEW: &[Line] = &[
    (libc::SYS_execve, Check::Free, "daemon: start anew"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_arch_prctl, Check::Free, "the C library"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_access, Check::Free, "the dynamic linker"),
    (libc::SYS_set_tid_address, Check::Free, "the C library"),
    (libc::SYS_rseq, Check::Free, "the C library"),
    (libc::SYS_prlimit64, Check::Free, "the C library; stage::inherited: no core dumps; daemon: how many descriptors"),
    (libc::SYS_mmap, Check::Free, "the dynamic linker"),
    (libc::SYS_rt_sigaction, Check::Free, "stage::inherited: ignored signals"),
    (libc::SYS_umask, Check::Free, "stage::inherited"),
    (libc::SYS_chdir, Check::Free, "stage::inherited"),
    (libc::SYS_openat2, Check::Free, "stage::inherited: files of /proc that nothing is mounted over"),
    (libc::SYS_readlinkat, Check::Free, "stage::inherited: the user namespace"),
    (libc::SYS_getuid, Check::Free, "stage::system_user"),
    (libc::SYS_getresuid, Check::Free, "stage::system_user: read back"),
    (libc::SYS_getresgid, Check::Free, "stage::system_user: read back"),
    (libc::SYS_getgroups, Check::Free, "stage::system_user: read back"),
    (libc::SYS_getsockname, Check::Free, "daemon: what was passed are listeners"),
    (libc::SYS_fcntl, Check::Free, "daemon: listeners that do not wait"),
    (libc::SYS_epoll_create1, Check::Free, "daemon"),
    (libc::SYS_signalfd4, Check::Free, "daemon"),
];

/// Also in the first filter of callers with a rule that grants making or removing namespaces, and in the last filter of
/// the stage that does it.
pub const NAMESPACES: &[Line] = &[
    (libc::SYS_openat, Check::Is(2, MAKING), "stage::namespaces: the file that the namespace is mounted on"),
    (libc::SYS_unshare, Check::Is(0, NEWNET), "stage::namespaces: the namespace"),
    (libc::SYS_mount, BINDING, "stage::namespaces: keep it"),
    (libc::SYS_mount, BINDING_ALL, "stage::namespaces: /run/netns, mounted on itself"),
    (libc::SYS_mount, SHARING, "stage::namespaces: /run/netns, shared"),
    (libc::SYS_umount2, UNMOUNTING, "stage::namespaces: let it go"),
    (libc::SYS_unlinkat, UNLINKING, "stage::namespaces: its file"),
    (libc::SYS_flock, EXCLUSIVE_NOW, "stage::namespaces: while /run/netns is not yet a mount"),
    (libc::SYS_clock_nanosleep, SLEEPING, "stage::namespaces: wait for that lock"),
    #[cfg(target_env = "musl")]
    (libc::SYS_nanosleep, Check::Free, "stage::namespaces: the same, where the standard library has it so"),
];

/// Also in the first filter of the same callers, but not in that last filter. It reads /proc/self/mountinfo and, for
/// `Netns.Add`, /proc/1/mountinfo. Under the filters no other file of /proc is read. The link /proc/self/ns/user is
/// read as text (readlinkat(2)) before the first filter.
pub const MOUNTS: &[Line] = &[(libc::SYS_read, Check::Free, "stage::mounts: /proc/self/mountinfo")];

/// Also in the first filter of callers with a rule that grants a link made through `/dev/net/tun`.
pub const TUN: &[Line] = &[
    (libc::SYS_ioctl, Check::Is(1, sys::TUN_MAKE), "netlink::link: the link"),
    (libc::SYS_ioctl, Check::Is(1, sys::TUN_OWNER), "netlink::link: whose it is"),
    (libc::SYS_ioctl, Check::Is(1, sys::TUN_GROUP), "netlink::link: whose it is besides"),
    (libc::SYS_ioctl, Check::Is(1, sys::TUN_PERSIST), "netlink::link: it stays"),
];

/// Makes such a link, on the descriptor of the device only.
pub const DEVICE: &[Line] = &[
    (libc::SYS_ioctl, Check::Asks(Socket::Tun, sys::TUN_MAKE), "netlink::link: the link"),
    (libc::SYS_ioctl, Check::Asks(Socket::Tun, sys::TUN_OWNER), "netlink::link: whose it is"),
    (libc::SYS_ioctl, Check::Asks(Socket::Tun, sys::TUN_GROUP), "netlink::link: whose it is besides"),
    (libc::SYS_ioctl, Check::Asks(Socket::Tun, sys::TUN_PERSIST), "netlink::link: it stays"),
    (libc::SYS_close, Check::On(Socket::Tun), "netlink::link: before the reply; then the link stays, or is gone"),
];

/// What every last stage needs: record the outcome, reply, end.
pub const LAST_WORDS: &[Line] = &[
    (libc::SYS_sendto, Check::To(Socket::Trail), "audit: the outcome"),
    (libc::SYS_write, Check::Is(0, 1), "wire: the reply"),
    (POLL, Check::Free, "wire: room for the reply, on a descriptor that does not wait"),
    (libc::SYS_clock_gettime, MONOTONIC, "audit: duration (where there is no vDSO)"),
    (libc::SYS_restart_syscall, Check::Free, "what waited goes on after a stop (SIGSTOP, a frozen cgroup)"),
    (libc::SYS_exit_group, Check::Free, "return from main"),
];

/// Memory for answers of any length. Stages with short answers take all memory from the arena
/// (`heap::take_from_arena_only`).
pub const LONG_ANSWERS: &[Line] = &[
    (libc::SYS_brk, Check::Free, "heap: what does not fit the arena, and its return"),
    (libc::SYS_mmap, MEMORY, "heap: what does not fit the arena"),
    (libc::SYS_munmap, Check::Free, "heap: its return"),
    (libc::SYS_mremap, GROWING, "heap: what does not fit the arena, and grows"),
];

/// One netlink transaction.
pub const TRANSACTION: &[Line] = &[
    (libc::SYS_sendto, Check::To(Socket::Netlink), "netlink: the request"),
    (libc::SYS_recvfrom, Check::On(Socket::Netlink), "netlink: the answer"),
];

/// Lists the names in /run/netns, which is open already. Landlock forbids reading any other file.
pub const NAMES: &[Line] = &[
    (libc::SYS_getdents64, Check::On(Socket::Names), "stage::confined: the names under /run/netns"),
    (libc::SYS_lseek, REWINDING, "stage::confined: rewinddir(3), when the iterator is dropped"),
];

/// Finds the processes in a network namespace through /proc, which is open already. Landlock forbids reading any file.
pub const PROCESSES: &[Line] = &[
    (libc::SYS_getdents64, Check::On(Socket::Proc), "stage::pids: the processes"),
    (libc::SYS_lseek, REWINDING, "stage::pids: rewinddir(3), when the iterator is dropped"),
    (libc::SYS_newfstatat, Check::On(Socket::Proc), "stage::pids: the namespace of each"),
];

/// Finds out whether a namespace is mounted on a name.
pub const LOOKS: &[Line] = &[
    (libc::SYS_openat, Check::Is(2, LOOKING), "stage::netns: the name"),
    (libc::SYS_fstatfs, Check::Free, "stage::netns: what is mounted on it"),
    (libc::SYS_close, Check::AtLeast(0, 3), "stage::netns: what was looked at"),
];

/// Opens /run/netns while it is not yet a mount. No existing file is opened for reading or writing.
pub const DIRECTORY: &[Line] = &[
    (libc::SYS_openat, Check::Is(2, LOCKING), "stage::namespaces: /run/netns, to lock it"),
    (libc::SYS_openat, Check::Is(2, STANDING), "stage::namespaces: /run/netns, once it is a mount"),
];

/// What the first filter has for each bit of a profile, in addition to [`GUARDED`].
pub const EXTRA_FILTERS: [(Profile, Filter); 2] =
    [(Profile::NAMESPACES, &[NAMESPACES, MOUNTS]), (Profile::TUN, &[TUN])];

/// The tables of the first filter of a caller with this profile.
pub fn first(profile: Profile) -> impl Iterator<Item = &'static [Line]> {
    let extra = EXTRA_FILTERS
        .into_iter()
        .filter(move |(bit, _)| profile.has(*bit))
        .flat_map(|(_, tables)| tables.iter().copied());
    std::iter::once(GUARDED).chain(extra)
}

/// The first filter of a child that was forked ahead.
pub const GUARDED_AHEAD: Filter = &[GUARDED, AHEAD];
/// The filter of the parent.
pub const RESIDE: Filter = &[RESIDENT, ANEW, GUARDED, NAMESPACES, TUN];
/// The last filter of a transaction that also makes a link by `/dev/net/tun`.
pub const MAKE_TUN: Filter = &[LAST_WORDS, TRANSACTION, DEVICE];
/// The last filter of a netlink transaction.
pub const TRANSACT: Filter = &[LAST_WORDS, LONG_ANSWERS, TRANSACTION];
/// The last filter of a listing of namespaces.
pub const LIST_NAMES: Filter = &[LAST_WORDS, LONG_ANSWERS, NAMES, LOOKS];
/// The last filter of a search of processes.
pub const FIND_PROCESSES: Filter = &[LAST_WORDS, LONG_ANSWERS, PROCESSES];
/// The last filter of the making and removing of namespaces.
pub const MAKE_NAMESPACES: Filter = &[LAST_WORDS, NAMESPACES, LOOKS, DIRECTORY];

/// A line as the broker contains it: without the name of the code that needs it.
type Bare = (u32, Check);

/// The lines of a filter, sorted by their numbers at compile time.
macro_rules! bare {
    ($filter:expr) => {{
        const LINES: &[Bare] = &in_order::<{ count($filter) }>($filter);
        LINES
    }};
}

#[allow(clippy::indexing_slicing, reason = "const")]
const fn count(filter: Filter) -> usize {
    let (mut lines, mut at) = (0, 0);
    while at < filter.len() {
        lines += filter[at].len();
        at += 1;
    }
    lines
}

#[allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "const; numbers of calls are small"
)]
const fn in_order<const N: usize>(filter: Filter) -> [Bare; N] {
    let mut sorted = [(0, Check::Free); N];
    let (mut lines, mut table, mut line) = (0, 0, 0);
    while table < filter.len() {
        if line == filter[table].len() {
            (table, line) = (table + 1, 0);
            continue;
        }
        let (number, check, _) = filter[table][line];
        let mut at = lines;
        while at > 0 && sorted[at - 1].0 > number as u32 {
            sorted[at] = sorted[at - 1];
            at -= 1;
        }
        sorted[at] = (number as u32, check);
        (lines, line) = (lines + 1, line + 1);
    }
    sorted
}

/// The descriptors that a filter compares with. One that is absent equals no argument.
#[derive(Debug, Default)]
struct Sockets<'a> {
    netlink: &'a [RawFd],
    trail: Option<RawFd>,
    tun: Option<RawFd>,
    policy: Option<RawFd>,
    names: Option<RawFd>,
    proc: Option<RawFd>,
    channel: Option<RawFd>,
}

impl Sockets<'_> {
    fn descriptors(&self, socket: Socket) -> &[RawFd] {
        match socket {
            Socket::Netlink => self.netlink,
            Socket::Trail => self.trail.as_slice(),
            Socket::Tun => self.tun.as_slice(),
            Socket::Policy => self.policy.as_slice(),
            Socket::Names => self.names.as_slice(),
            Socket::Proc => self.proc.as_slice(),
            Socket::Channel => self.channel.as_slice(),
        }
    }
}

/// The program of the first filter of a caller whose rules need none of [`EXTRA_FILTERS`].
const PLAIN: Program = bpf::assemble(bare!(&[GUARDED]));
/// The program of the first filter of a child that was forked ahead.
const AHEAD_PROGRAM: Program = bpf::assemble(bare!(GUARDED_AHEAD));
/// The program of the filter of the parent.
const RESIDENT_PROGRAM: Program = bpf::assemble(bare!(RESIDE));
/// The programs of the last filters.
const TRANSACT_PROGRAM: Program = bpf::assemble(bare!(TRANSACT));
const MAKE_TUN_PROGRAM: Program = bpf::assemble(bare!(MAKE_TUN));
const LIST_NAMES_PROGRAM: Program = bpf::assemble(bare!(LIST_NAMES));
const FIND_PROCESSES_PROGRAM: Program = bpf::assemble(bare!(FIND_PROCESSES));
const MAKE_NAMESPACES_PROGRAM: Program = bpf::assemble(bare!(MAKE_NAMESPACES));

/// The program of the first filter of a caller with this profile.
fn first_program(profile: Profile) -> Program {
    const SORTED: [(Profile, &[Bare]); EXTRA_FILTERS.len()] =
        [(EXTRA_FILTERS[0].0, bare!(EXTRA_FILTERS[0].1)), (EXTRA_FILTERS[1].0, bare!(EXTRA_FILTERS[1].1))];
    let mut more = SORTED.iter().filter(|(bit, _)| profile.has(*bit)).peekable();
    if more.peek().is_none() {
        return PLAIN;
    }
    let mut lines = bare!(&[GUARDED]).to_vec();
    lines.extend(more.flat_map(|(_, lines)| *lines));
    lines.sort_by_key(|(number, _)| *number); // a merge, because both runs are sorted
    bpf::assemble(&lines)
}

/// Installs the first filter, which allows reading the policy where there is one.
///
/// # Errors
/// [`Refusal::NotConfined`]
pub(super) fn guard(profile: Profile, policy: Option<RawFd>) -> Result<(), Refusal> {
    install(first_program(profile), &Sockets { policy, ..Sockets::default() }, "first filter")
}

/// Installs the first filter of a child that was forked ahead.
///
/// # Errors
/// [`Refusal::NotConfined`]
pub(super) fn guard_ahead(policy: RawFd, channel: RawFd) -> Result<(), Refusal> {
    let sockets = Sockets { policy: Some(policy), channel: Some(channel), ..Sockets::default() };
    install(AHEAD_PROGRAM, &sockets, "first filter")
}

/// Installs the filter of the parent.
///
/// # Errors
/// [`Refusal::NotConfined`]
pub(super) fn reside() -> Result<(), Refusal> {
    install(RESIDENT_PROGRAM, &Sockets::default(), "filter of netbrokerd")
}

/// Installs the last filter of a transaction.
///
/// # Errors
/// [`Refusal::NotConfined`]
pub(super) fn transact(netlink: &[RawFd], trail: Option<RawFd>) -> Result<(), Refusal> {
    install(TRANSACT_PROGRAM, &Sockets { netlink, trail, ..Sockets::default() }, "second filter")
}

/// Installs the last filter of a transaction that also makes a link through this descriptor of `/dev/net/tun`.
///
/// # Errors
/// [`Refusal::NotConfined`]
pub(super) fn make_tun(device: RawFd, netlink: &[RawFd], trail: Option<RawFd>) -> Result<(), Refusal> {
    install(MAKE_TUN_PROGRAM, &Sockets { netlink, trail, tun: Some(device), ..Sockets::default() }, "second filter")
}

/// Installs the last filter of a listing of the names in this directory.
///
/// # Errors
/// [`Refusal::NotConfined`]
pub(super) fn list_namespaces(names: RawFd, trail: Option<RawFd>) -> Result<(), Refusal> {
    install(LIST_NAMES_PROGRAM, &Sockets { trail, names: Some(names), ..Sockets::default() }, "second filter")
}

/// Installs the last filter of a search of the processes in this directory.
///
/// # Errors
/// [`Refusal::NotConfined`]
pub(super) fn find_processes(proc: RawFd, trail: Option<RawFd>) -> Result<(), Refusal> {
    install(FIND_PROCESSES_PROGRAM, &Sockets { trail, proc: Some(proc), ..Sockets::default() }, "second filter")
}

/// Installs the last filter of the namespace stage.
///
/// # Errors
/// [`Refusal::NotConfined`]
pub(super) fn make_namespaces(trail: Option<RawFd>) -> Result<(), Refusal> {
    install(MAKE_NAMESPACES_PROGRAM, &Sockets { trail, ..Sockets::default() }, "second filter")
}

/// Installs a filter. `seccompiler` sets `no_new_privs` first.
fn install(mut program: Program, sockets: &Sockets<'_>, step: &'static str) -> Result<(), Refusal> {
    let program = program.filled(sockets).ok_or(Refusal::NotConfined { step, errno: None })?;
    apply_filter(program).map_err(|error| Refusal::NotConfined {
        step,
        errno: match error {
            seccompiler::Error::Prctl(why) | seccompiler::Error::Seccomp(why) => {
                why.raw_os_error().map(Errno::from_raw)
            }
            _ => None,
        },
    })
}
