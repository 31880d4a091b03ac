// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The seccomp filters: what a stage may still ask the kernel, each line with its reader. Anything else ends the
//! process, other architectures' and x32 numbers among it. Arguments are checked where they are numbers; memory cannot
//! be (never `openat2`: its flags are in memory).
#![forbid(unsafe_code)]

mod bpf;

use std::collections::BTreeMap;
use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use seccompiler::apply_filter;

use crate::refusal::Refusal;

/// What an argument must be.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    /// Anything.
    Free,
    /// This argument, an `int`, is this number.
    Is(u8, u32),
    /// These bits of this argument, an `int`, are zero.
    Without(u8, u32),
    /// This argument is a null pointer.
    Null(u8),
}

/// A system call that stays: its number, what its arguments must be, and the code that needs it.
pub type Line = (i64, Check, &'static str);

/// `open` for reading, and nothing that makes or changes a file.
const READ_ONLY: Check = Check::Without(2, WRITING);
/// The flags of open(2) that write, make or truncate; `O_TMPFILE` without the bit that it shares with `O_DIRECTORY`.
#[allow(clippy::as_conversions, reason = "const; the flags are non-negative")]
const WRITING: u32 = (OFlag::O_ACCMODE.bits()
    | OFlag::O_CREAT.bits()
    | OFlag::O_TRUNC.bits()
    | (OFlag::O_TMPFILE.bits() & !OFlag::O_DIRECTORY.bits())) as u32;
/// Makes a file, and opens none that is there: `CAP_DAC_OVERRIDE` would open any.
const MAKING: u32 = flags(&[OFlag::O_CREAT, OFlag::O_EXCL, OFlag::O_NOFOLLOW, OFlag::O_CLOEXEC]);
/// Looks at a file, or at a directory, without reading it.
const LOOKING: [u32; 2] = [
    flags(&[OFlag::O_PATH, OFlag::O_NOFOLLOW, OFlag::O_CLOEXEC]),
    flags(&[OFlag::O_PATH, OFlag::O_DIRECTORY, OFlag::O_NOFOLLOW, OFlag::O_CLOEXEC]),
];
/// Opens a directory, to lock it.
const LOCKING: u32 = flags(&[OFlag::O_DIRECTORY, OFlag::O_CLOEXEC]);

#[allow(clippy::as_conversions, clippy::indexing_slicing, reason = "const; the flags are non-negative")]
const fn flags(of: &[OFlag]) -> u32 {
    let (mut bits, mut at) = (0, 0);
    while at < of.len() {
        bits |= of[at].bits() as u32;
        at += 1;
    }
    bits
}

/// What poll(3) is to the kernel: newer architectures have ppoll(2) only.
#[cfg(target_arch = "x86_64")]
const POLL: i64 = libc::SYS_poll;
#[cfg(not(target_arch = "x86_64"))]
const POLL: i64 = libc::SYS_ppoll;
/// `CLONE_NEWNET`
const NEWNET: u32 = 0x4000_0000;
/// `AF_NETLINK`
const NETLINK: u32 = 16;
/// `PROT_EXEC`
const EXECUTE: u32 = 4;

/// The first filter, for everybody: parse a request, judge it, enter a namespace, ask netlink, go behind the second.
pub const GUARDED: &[Line] = &[
    (POLL, Check::Free, "wire: wait for the request, for room for the reply"),
    (libc::SYS_read, Check::Free, "wire: the request from a file or terminal"),
    (libc::SYS_preadv2, Check::Is(0, 0), "wire: the request from a pipe"),
    (libc::SYS_recvfrom, Check::Free, "wire: the request from a socket; netlink: the answer"),
    (libc::SYS_recvmsg, Check::Free, "wire: the request from a socket with its sender's ids"),
    (libc::SYS_write, Check::Free, "wire: the reply"),
    (libc::SYS_sendto, Check::Null(4), "netlink: the request; audit: the record; to the peer of the socket only"),
    (libc::SYS_pread64, Check::Free, "policy::compiled: the rules of the call"),
    (libc::SYS_openat, READ_ONLY, "stage::netns: the namespace; stage::confined: /run/netns"),
    (libc::SYS_fstat, Check::Free, "stage::netns: is it the broker's own (static build)"),
    (libc::SYS_newfstatat, Check::Free, "stage::netns: is it the broker's own; is there a left-over file"),
    (libc::SYS_fstatfs, Check::Free, "stage::netns: is it a namespace"),
    (libc::SYS_setns, Check::Is(1, NEWNET), "stage::netns: enter it"),
    (libc::SYS_socket, Check::Is(0, NETLINK), "netlink: the socket"),
    (libc::SYS_setsockopt, Check::Free, "netlink: extended acknowledgements, strict checking"),
    (libc::SYS_close, Check::Free, "descriptors dropped on the way"),
    (libc::SYS_capget, Check::Free, "stage::capabilities: read back"),
    (libc::SYS_capset, Check::Free, "stage::capabilities: give up"),
    (libc::SYS_prctl, Check::Free, "stage::capabilities: ambient; landlock, seccompiler: no_new_privs"),
    (libc::SYS_landlock_create_ruleset, Check::Free, "stage::landlock"),
    (libc::SYS_landlock_restrict_self, Check::Free, "stage::landlock"),
    (libc::SYS_seccomp, Check::Free, "stage::filter: the second filter"),
    (libc::SYS_brk, Check::Free, "memory"),
    (libc::SYS_mmap, Check::Without(2, EXECUTE), "memory"),
    (libc::SYS_munmap, Check::Free, "memory"),
    (libc::SYS_mremap, Check::Free, "memory"),
    (libc::SYS_getdents64, Check::Free, "stage::confined: the names under /run/netns"),
    (libc::SYS_lseek, Check::Free, "stage::confined: rewinddir(3)"),
    (libc::SYS_fcntl, Check::Free, "stage::confined: fdopendir(3)"),
    (libc::SYS_restart_syscall, Check::Free, "what waited goes on after a stop (SIGSTOP, a frozen cgroup)"),
    (libc::SYS_clock_gettime, Check::Free, "wire: the time left; audit: duration (where there is no vDSO)"),
    (libc::SYS_exit_group, Check::Free, "return from main"),
];

/// Besides, for callers who hold a rule that grants making or removing namespaces.
pub const NAMESPACES: &[Line] = &[
    (libc::SYS_openat, Check::Is(2, MAKING), "stage::namespaces: the file that the namespace is mounted on"),
    (libc::SYS_unshare, Check::Is(0, NEWNET), "stage::namespaces: the namespace"),
    (libc::SYS_mount, Check::Free, "stage::namespaces: keep it"),
    (libc::SYS_umount2, Check::Free, "stage::namespaces: let it go"),
    (libc::SYS_unlinkat, Check::Free, "stage::namespaces: its file"),
    (libc::SYS_flock, Check::Free, "stage::namespaces: while /run/netns is not yet a mount"),
    (libc::SYS_clock_nanosleep, Check::Free, "stage::namespaces: wait for that lock"),
];

/// The last filter: one transaction, by index, then the reply.
fn transaction(netlink: &[RawFd], trail: Option<RawFd>) -> Vec<(i64, Vec<Vec<Check>>)> {
    let sends = netlink.iter().copied().chain(trail).map(sends_to).collect();
    let mut lines = last_words();
    lines.push((libc::SYS_sendto, sends)); // netlink: the request; audit: the outcome
    lines.push((libc::SYS_recvfrom, netlink.iter().map(|fd| vec![descriptor(*fd)]).collect())); // netlink: the answer
    lines
}

/// What every last stage needs: the reply, and the end.
fn last_words() -> Vec<(i64, Vec<Vec<Check>>)> {
    vec![
        (libc::SYS_write, vec![vec![Check::Is(0, 1)]]), // wire: the reply
        (POLL, vec![]),                                 // wire: room for it, on a descriptor that does not wait
        (libc::SYS_clock_gettime, vec![]),              // audit: duration, where there is no vDSO
        (libc::SYS_brk, vec![]),                        // memory for an answer of any length, and its return
        (libc::SYS_mmap, vec![vec![Check::Without(2, EXECUTE)]]),
        (libc::SYS_munmap, vec![]),
        (libc::SYS_mremap, vec![]),
        (libc::SYS_restart_syscall, vec![]), // what waited goes on after a stop (SIGSTOP, a frozen cgroup)
        (libc::SYS_exit_group, vec![]),      // return from main
    ]
}

/// Goes behind the first filter.
///
/// # Errors
/// [`Refusal::NotConfined`]
pub(super) fn guard(namespaces: bool) -> Result<(), Refusal> {
    let more = if namespaces { NAMESPACES } else { &[] };
    let mut lines: BTreeMap<i64, Vec<Vec<Check>>> = BTreeMap::new();
    for (number, check, _) in GUARDED.iter().chain(more) {
        // A number that stands in both lists may do what either says.
        lines.entry(*number).or_default().push(vec![*check]);
    }
    install(lines.into_iter().collect(), "first filter")
}

/// Goes behind the last filter of a transaction.
///
/// # Errors
/// [`Refusal::NotConfined`]
pub(super) fn transact(netlink: &[RawFd], trail: Option<RawFd>) -> Result<(), Refusal> {
    install(transaction(netlink, trail), "second filter")
}

/// Goes behind the last filter of a listing of namespaces: names, and what is mounted there.
///
/// # Errors
/// [`Refusal::NotConfined`]
pub(super) fn list_namespaces(trail: Option<RawFd>) -> Result<(), Refusal> {
    let mut lines = last_words();
    lines.extend(to_trail(trail));
    lines.extend([
        (libc::SYS_getdents64, vec![]),
        (libc::SYS_lseek, vec![]), // rewinddir(3), when the iterator is dropped
        (libc::SYS_openat, vec![vec![Check::Without(2, WRITING)]]), // O_PATH; Landlock lets nothing be read
        (libc::SYS_fstatfs, vec![]),
        (libc::SYS_close, vec![]),
    ]);
    install(lines, "second filter")
}

/// Goes behind the last filter of the namespace stage.
///
/// # Errors
/// [`Refusal::NotConfined`]
pub(super) fn make_namespaces(trail: Option<RawFd>) -> Result<(), Refusal> {
    let mut lines = last_words();
    lines.extend(to_trail(trail));
    let others = NAMESPACES.iter().filter(|(number, ..)| *number != libc::SYS_openat);
    lines.extend(others.map(|(number, check, _)| (*number, vec![vec![*check]])));
    let opens = LOOKING.iter().chain([&MAKING, &LOCKING]).map(|flags| vec![Check::Is(2, *flags)]);
    lines.push((libc::SYS_openat, opens.collect())); // exactly these: no file that is there is opened to read or write
    lines.extend([
        (libc::SYS_fstatfs, vec![]), // is a namespace mounted there
        (libc::SYS_close, vec![]),
    ]);
    install(lines, "second filter")
}

fn to_trail(trail: Option<RawFd>) -> Option<(i64, Vec<Vec<Check>>)> {
    trail.map(|fd| (libc::SYS_sendto, vec![sends_to(fd)]))
}

/// On this descriptor, to the peer that it has: no address is given.
fn sends_to(fd: RawFd) -> Vec<Check> {
    vec![descriptor(fd), Check::Null(4)]
}

fn descriptor(fd: RawFd) -> Check {
    Check::Is(0, fd.unsigned_abs())
}

/// Builds a filter and goes behind it; `seccompiler` sets `no_new_privs` first.
fn install(lines: Vec<(i64, Vec<Vec<Check>>)>, step: &'static str) -> Result<(), Refusal> {
    let program = bpf::assemble(lines).ok_or(Refusal::NotConfined { step, errno: None })?;
    apply_filter(&program).map_err(|error| Refusal::NotConfined {
        step,
        errno: match error {
            seccompiler::Error::Prctl(why) | seccompiler::Error::Seccomp(why) => {
                why.raw_os_error().map(Errno::from_raw)
            }
            _ => None,
        },
    })
}
