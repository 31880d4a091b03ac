// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The few system calls that `nix` lacks, and the entry point: a function each, no decisions. All unsafe code of the
//! project is in this file.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{CStr, c_char, c_int};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering};

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, signal};

#[cfg(not(target_os = "linux"))]
compile_error!("netbroker is for Linux");

/// The words of a command line, the program's name first.
///
/// # Safety
/// `words` is the `argv` of `main`: `count` pointers to strings that stay where they are until the process ends.
#[must_use]
pub unsafe fn command_line(count: c_int, words: *const *const c_char) -> Vec<&'static CStr> {
    let word = |at| {
        // SAFETY: the caller vouches for `count` pointers.
        let place = unsafe { words.add(at) };
        // SAFETY: and this is the place of one of them.
        let word = unsafe { place.read() };
        // SAFETY: and for the strings behind them.
        unsafe { CStr::from_ptr(word) }
    };
    (0..usize::try_from(count).unwrap_or(0)).map(word).collect()
}

/// Standard input, as a descriptor only: `std::io::stdin` would allocate a buffer.
#[must_use]
pub fn stdin() -> BorrowedFd<'static> {
    // SAFETY: descriptors 0 to 2 are never closed by this process, and a closed one only makes calls fail with EBADF.
    unsafe { BorrowedFd::borrow_raw(0) }
}

/// Standard output, as a descriptor only.
#[must_use]
pub fn stdout() -> BorrowedFd<'static> {
    // SAFETY: as for `stdin`.
    unsafe { BorrowedFd::borrow_raw(1) }
}

/// Standard error, as a descriptor only.
#[must_use]
pub fn stderr() -> BorrowedFd<'static> {
    // SAFETY: as for `stdin`.
    unsafe { BorrowedFd::borrow_raw(2) }
}

/// Closes every descriptor from `first` on (`close_range(2)`, Linux 5.9).
///
/// # Errors
/// `ENOSYS` on an older kernel.
pub fn close_from(first: u32) -> Result<(), Errno> {
    // SAFETY: takes numbers only. Called before this process owns a descriptor of its own, so none is pulled away
    // from under an `OwnedFd`.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
    Errno::result(result).map(drop)
}

/// The capability sets of a process (capabilities(7)), a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// What the kernel looks at.
    pub effective: u64,
    /// What can be made effective.
    pub permitted: u64,
    /// What could pass through exec.
    pub inheritable: u64,
}

/// `_LINUX_CAPABILITY_VERSION_3`, and this process (`linux/capability.h`).
const CAPABILITIES: [u32; 2] = [0x2008_0522, 0];

/// Reads all capability sets of this process (capget(2)).
///
/// # Errors
/// None is documented for this version.
pub fn capabilities() -> Result<Capabilities, Errno> {
    let (mut head, mut data) = (CAPABILITIES, [0_u32; 6]);
    // SAFETY: the header is of this version, whose data are two times three numbers of 32 bits; both live across the call.
    let result = unsafe { libc::syscall(libc::SYS_capget, head.as_mut_ptr(), data.as_mut_ptr()) };
    let [effective, permitted, inheritable, more_effective, more_permitted, more_inheritable] = data;
    let both = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    Errno::result(result).map(|_| Capabilities {
        effective: both(effective, more_effective),
        permitted: both(permitted, more_permitted),
        inheritable: both(inheritable, more_inheritable),
    })
}

/// Sets all capability sets of this process (capset(2)).
///
/// # Errors
/// `EPERM` for more than is permitted.
pub fn set_capabilities(to: Capabilities) -> Result<(), Errno> {
    let half = |bits: u64, shift: u32| u32::try_from(bits >> shift & 0xffff_ffff).unwrap_or(0);
    let sets = [to.effective, to.permitted, to.inheritable];
    let (mut head, mut data) = (CAPABILITIES, [0_u32; 6]);
    data.iter_mut()
        .zip([0, 32].iter().flat_map(|shift| sets.map(|set| half(set, *shift))))
        .for_each(|(at, to)| *at = to);
    // SAFETY: as for `capabilities`; the kernel reads the data.
    let result = unsafe { libc::syscall(libc::SYS_capset, head.as_mut_ptr(), data.as_ptr()) };
    Errno::result(result).map(drop)
}

/// Leaves all supplementary groups and becomes this user and group for good: real, effective and saved. One thread is all
/// there is, so these are the kernel's own calls; a C library would stop the others first.
///
/// # Errors
/// `EPERM`: the capability is missing; `EINVAL`: the number is not mapped here. With the step that failed.
pub fn become_user(uid: u32, gid: u32) -> Result<(), (&'static str, Errno)> {
    let named = |step: &'static str| move |errno: Errno| (step, errno);
    // SAFETY: with a count of 0 no address is read.
    let result = unsafe { libc::syscall(libc::SYS_setgroups, 0_usize, ptr::null::<u32>()) };
    Errno::result(result).map_err(named("setgroups"))?;
    // SAFETY: takes numbers.
    let result = unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) };
    Errno::result(result).map_err(named("setresgid"))?;
    // SAFETY: takes numbers.
    let result = unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) };
    Errno::result(result).map_err(named("setresuid")).map(drop)
}

/// Takes every variable out of the environment.
///
/// # Errors
/// None is documented (clearenv(3)).
pub fn clear_environment() -> Result<(), Errno> {
    // SAFETY: the process has one thread, so nobody reads the environment at the same time.
    let result = unsafe { libc::clearenv() };
    if result == 0 { Ok(()) } else { Err(Errno::EINVAL) }
}

/// Cancels an interval timer: it survives exec (setitimer(2)).
///
/// # Errors
/// `EINVAL` for an unknown timer.
pub fn cancel_timer(which: u32) -> Result<(), Errno> {
    let off = libc::itimerval {
        it_interval: libc::timeval { tv_sec: 0, tv_usec: 0 },
        it_value: libc::timeval { tv_sec: 0, tv_usec: 0 },
    };
    // SAFETY: `off` lives across the call; the old value is not asked for.
    let result =
        unsafe { libc::syscall(libc::SYS_setitimer, which, &raw const off, ptr::null_mut::<libc::itimerval>()) };
    Errno::result(result).map(drop)
}

/// Ignores a signal.
///
/// # Errors
/// `EINVAL` for a signal that cannot be ignored.
pub fn ignore_signal(number: Signal) -> Result<(), Errno> {
    // SAFETY: no handler is installed or replaced: a handler does not survive exec.
    unsafe { signal(number, SigHandler::SigIgn) }.map(drop)
}

/// Gives a signal its default action.
///
/// # Errors
/// `EINVAL` for a signal whose action is fixed.
pub fn default_signal(number: Signal) -> Result<(), Errno> {
    // SAFETY: as for `ignore_signal`.
    unsafe { signal(number, SigHandler::SigDfl) }.map(drop)
}

/// 128 random bits (getrandom(2)).
///
/// # Errors
/// `ENOSYS`; `EINTR` cannot be, the request is short.
pub fn random_id() -> Result<[u8; 16], Errno> {
    let mut id = [0_u8; 16];
    // SAFETY: the buffer is as long as is said.
    let got = unsafe { libc::getrandom(id.as_mut_ptr().cast(), id.len(), 0) };
    match Errno::result(got) {
        Ok(16) => Ok(id),
        Ok(_) => Err(Errno::EIO),
        Err(errno) => Err(errno),
    }
}

/// The Landlock ABI of the running kernel (landlock(7)).
///
/// # Errors
/// `ENOSYS`, `EOPNOTSUPP`: it has none.
pub fn landlock_abi() -> Result<i32, Errno> {
    const VERSION: u32 = 1; // LANDLOCK_CREATE_RULESET_VERSION
    // SAFETY: with this flag the kernel takes a null pointer and size 0, and returns a number.
    let abi = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, ptr::null::<u8>(), 0_usize, VERSION) };
    Errno::result(abi).map(|abi| i32::try_from(abi).unwrap_or(i32::MAX))
}

/// Reads what is there, without waiting (preadv2(2), `RWF_NOWAIT`).
///
/// # Errors
/// `EAGAIN` where nothing is there; `EOPNOTSUPP` where the file knows no such read: terminals, pipes before Linux 6.4.
pub fn read_now(from: BorrowedFd<'_>, into: &mut [u8]) -> Result<usize, Errno> {
    let part = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    // SAFETY: `part` is the whole of `into`, which nobody else uses during the call; with -1 the file's own position counts.
    let got = unsafe { libc::preadv2(from.as_raw_fd(), &raw const part, 1, -1, libc::RWF_NOWAIT) };
    Errno::result(got).map(|got| usize::try_from(got).unwrap_or(0))
}

/// The supplementary groups of a socket's peer, as they were when it connected (unix(7), `SO_PEERGROUPS`).
///
/// # Errors
/// `ENODATA` without a peer; `ERANGE` where it has more than 65536.
pub fn peer_groups(socket: BorrowedFd<'_>) -> Result<Vec<u32>, Errno> {
    let mut groups = vec![0_u32; 65536];
    let mut bytes = libc::socklen_t::try_from(groups.len() * size_of::<u32>()).unwrap_or(0);
    // SAFETY: the buffer is as long as `bytes` says, and both live across the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERGROUPS,
            groups.as_mut_ptr().cast(),
            &raw mut bytes,
        )
    };
    Errno::result(result)?;
    let count = usize::try_from(bytes).unwrap_or(0) / size_of::<u32>();
    Ok(groups.get(..count).unwrap_or_default().to_vec())
}

/// The supplementary groups of this process (getgroups(2)); `nix` would ask /proc for their largest number first.
///
/// # Errors
/// None is documented for a buffer that is large enough.
pub fn groups() -> Result<Vec<u32>, Errno> {
    // SAFETY: with a size of 0 nothing is written.
    let count = unsafe { libc::getgroups(0, ptr::null_mut()) };
    let mut groups = vec![0_u32; usize::try_from(Errno::result(count)?).unwrap_or(0)];
    if !groups.is_empty() {
        // SAFETY: the buffer is as long as is said; nobody but this thread changes the groups.
        let count = unsafe { libc::getgroups(count, groups.as_mut_ptr()) };
        groups.truncate(usize::try_from(Errno::result(count)?).unwrap_or(0));
    }
    Ok(groups)
}

/// Sets a boolean option of a netlink socket (netlink(7)).
///
/// # Errors
/// `ENOPROTOOPT` where the kernel does not know it.
pub fn netlink_option(socket: BorrowedFd<'_>, option: c_int) -> Result<(), Errno> {
    let on: c_int = 1;
    let bytes = libc::socklen_t::try_from(size_of::<c_int>()).unwrap_or(0);
    // SAFETY: `on` is as long as is said and lives across the call.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_NETLINK, option, (&raw const on).cast(), bytes) };
    Errno::result(result).map(drop)
}

/// `TUNSETIFF`, `TUNSETPERSIST`, `TUNSETOWNER`, `TUNSETGROUP` (`linux/if_tun.h`).
pub const TUN_MAKE: u32 = 0x4004_54ca;
/// See [`TUN_MAKE`].
pub const TUN_PERSIST: u32 = 0x4004_54cb;
/// See [`TUN_MAKE`].
pub const TUN_OWNER: u32 = 0x4004_54cc;
/// See [`TUN_MAKE`].
pub const TUN_GROUP: u32 = 0x4004_54ce;

/// Makes a TUN or TAP link, or attaches to one, by a descriptor of `/dev/net/tun`.
///
/// # Errors
/// `EINVAL` for a name of more than 15 bytes, else what the kernel says.
pub fn tun_make(device: BorrowedFd<'_>, name: &str, flags: u16) -> Result<(), Errno> {
    let mut request = [0_u8; size_of::<libc::ifreq>()]; // the name, NUL and zeros behind it, then the flags
    let (head, rest) = request.split_at_mut(libc::IFNAMSIZ);
    let (last, most) = (flags.to_ne_bytes(), libc::IFNAMSIZ - 1);
    head.get_mut(..name.len()).filter(|_| name.len() <= most).ok_or(Errno::EINVAL)?.copy_from_slice(name.as_bytes());
    rest.get_mut(..last.len()).ok_or(Errno::EINVAL)?.copy_from_slice(&last);
    // SAFETY: the kernel reads and writes a `struct ifreq` at the address, in which as many bytes live across the call.
    let result = unsafe {
        libc::syscall(libc::SYS_ioctl, device.as_raw_fd(), libc::c_long::from(TUN_MAKE), request.as_mut_ptr())
    };
    Errno::result(result).map(drop)
}

/// Sets one number of the TUN or TAP link that a descriptor is attached to.
///
/// # Errors
/// `EINVAL` for an id that is not mapped here.
pub fn tun_set(device: BorrowedFd<'_>, what: u32, number: u32) -> Result<(), Errno> {
    let (what, number) = (libc::c_long::from(what), libc::c_long::from(number));
    // SAFETY: these requests take a number, no address.
    let result = unsafe { libc::syscall(libc::SYS_ioctl, device.as_raw_fd(), what, number) };
    Errno::result(result).map(drop)
}

/// Whether exec gave this process more than its caller has: a setuid or setgid bit, or file capabilities
/// (getauxval(3), `AT_SECURE`).
#[must_use]
pub fn is_secure_execution() -> bool {
    // SAFETY: takes a number, returns a number.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// The heap of the C library, but where it has nothing to give the process ends with an exit status. The standard library
/// would abort, which is a signal, and behind a filter another one.
#[derive(Debug, Clone, Copy)]
pub struct Heap;

/// The exit status where memory ends, and whether a line says so (the highest bit).
static WITHOUT_MEMORY: AtomicU8 = AtomicU8::new(71);
/// The bit of [`WITHOUT_MEMORY`] for the line.
const SAYS_SO: u8 = 0x80;

/// From here on, the end of memory ends the process with this status, and with a line on descriptor 2 if that `says_so`.
pub fn when_memory_ends(status: u8, says_so: bool) {
    WITHOUT_MEMORY.store(status | if says_so { SAYS_SO } else { 0 }, Ordering::Relaxed);
}

/// `memory` itself, unless it is null.
fn or_exit(memory: *mut u8) -> *mut u8 {
    const LINE: &str = "netbroker: out of memory\n";
    if !memory.is_null() {
        return memory;
    }
    let how = WITHOUT_MEMORY.load(Ordering::Relaxed);
    if how & SAYS_SO != 0 {
        let _unheard = nix::unistd::write(stderr(), LINE.as_bytes());
    }
    // SAFETY: takes a number and does not return. Nothing is left to be run at the end: no handler, no buffer.
    unsafe { libc::_exit(c_int::from(how & !SAYS_SO)) }
}

// SAFETY: each request goes to `System` as it is, and what that gives is given on. Instead of null, which `GlobalAlloc` permits
// but does not demand, the process ends; nothing unwinds.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller vouches for the layout.
        or_exit(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as for `alloc`.
        or_exit(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the caller vouches for memory that `System` gave with this layout, and for the size.
        or_exit(unsafe { System.realloc(memory, layout, bytes) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as for `realloc`.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Makes `$main`, a `fn(&[&CStr]) -> Exit` of the command line, the program, without the start-up code of the standard library: that would open
/// `/dev/null` for a closed descriptor (a repair), ignore SIGPIPE, and need four more system calls, two of them behind
/// the last filter.
#[macro_export]
macro_rules! program {
    ($main:path) => {
        #[global_allocator]
        static HEAP: $crate::sys::Heap = $crate::sys::Heap;

        /// The C entry point.
        ///
        /// # Safety
        /// The C library calls it, once, with the words that the program was started with.
        #[allow(unsafe_code)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn main(
            count: std::ffi::c_int,
            words: *const *const std::ffi::c_char,
        ) -> std::ffi::c_int {
            // SAFETY: these are what the C library starts `main` with.
            let words = unsafe { $crate::sys::command_line(count, words) };
            std::ffi::c_int::from($main(&words).status())
        }
    };
}
