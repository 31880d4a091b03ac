// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The few system calls that `nix` lacks, and the entry point. Each has one function, which makes no decisions. All
//! unsafe code of the project is in this file and in `heap.rs`.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd};
use std::{ptr, slice};

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
        // SAFETY: this is the place of one of these pointers.
        let word = unsafe { place.read() };
        // SAFETY: the caller vouches that the pointers are to strings.
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
    // SAFETY: takes numbers only. Called before this process owns a descriptor of its own, so no `OwnedFd` loses its
    // descriptor; or after fork(2) in a process that ends without dropping what it held before.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
    Errno::result(result).map(drop)
}

/// Closes every descriptor from 3 on but one.
///
/// # Errors
/// As for [`close_from`].
pub fn close_all_but(kept: BorrowedFd<'_>) -> Result<(), Errno> {
    let kept = kept.as_raw_fd().unsigned_abs();
    if kept > 3 {
        // SAFETY: takes numbers only. Called in a process that ends without dropping what it held before fork(2).
        let result = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, kept - 1, 0) };
        Errno::result(result)?;
    }
    close_from(kept + 1)
}

/// The capability sets of a process (capabilities(7)), with one bit for each capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// The capabilities that the kernel checks.
    pub effective: u64,
    /// The capabilities that can be made effective.
    pub permitted: u64,
    /// The capabilities that can pass through exec.
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
    // SAFETY: the header is of this version, whose data are two times three numbers of 32 bits. Both live across the
    // call.
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

/// Leaves all supplementary groups and becomes this user and group permanently: real, effective and saved. The process
/// has one thread, so this calls the kernel directly; a C library would first stop the other threads.
///
/// # Errors
/// The step that failed, with `EPERM` where the capability is missing, or `EINVAL` where the id is not mapped here.
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

/// Removes every variable from the environment.
///
/// # Errors
/// None is documented (clearenv(3)).
pub fn clear_environment() -> Result<(), Errno> {
    // SAFETY: the process has one thread, so nobody reads the environment at the same time.
    let result = unsafe { libc::clearenv() };
    if result == 0 { Ok(()) } else { Err(Errno::EINVAL) }
}

/// Cancels an interval timer, which would survive exec (setitimer(2)).
///
/// # Errors
/// `EINVAL` for an unknown timer.
pub fn cancel_timer(which: u32) -> Result<(), Errno> {
    let off = libc::itimerval {
        it_interval: libc::timeval { tv_sec: 0, tv_usec: 0 },
        it_value: libc::timeval { tv_sec: 0, tv_usec: 0 },
    };
    // SAFETY: `off` lives across the call; the old value is not requested.
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

/// Random bytes, at most 256 (getrandom(2)).
///
/// # Errors
/// `ENOSYS`. `EINTR` cannot occur, because the request is short.
pub fn random<const BYTES: usize>() -> Result<[u8; BYTES], Errno> {
    let mut bytes = [0; BYTES];
    // SAFETY: the buffer has the given length.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), BYTES, 0) };
    match usize::try_from(Errno::result(got)?) {
        Ok(got) if got == BYTES => Ok(bytes),
        _ => Err(Errno::EIO),
    }
}

/// The Landlock ABI of the running kernel (landlock(7)).
///
/// # Errors
/// `ENOSYS`, `EOPNOTSUPP`: the kernel has no Landlock, or it is disabled.
pub fn landlock_abi() -> Result<i32, Errno> {
    const VERSION: u32 = 1; // LANDLOCK_CREATE_RULESET_VERSION
    // SAFETY: with this flag the kernel takes a null pointer and size 0, and returns a number.
    let abi = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, ptr::null::<u8>(), 0_usize, VERSION) };
    Errno::result(abi).map(|abi| i32::try_from(abi).unwrap_or(i32::MAX))
}

/// The file capabilities of a file, as the kernel keeps them (capabilities(7), `security.capability`). Needs no right on
/// the file. A symbolic link is not followed.
///
/// # Errors
/// `ENODATA` where it has none; `ENOTSUP` on a file system without extended attributes.
#[cfg(feature = "ctl")]
pub fn file_capabilities(path: &CStr) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0_u8; 24]; // the longest version
    let name = c"security.capability";
    // SAFETY: both strings and the buffer live across the call, and the buffer is as long as the last argument says.
    let got = unsafe { libc::lgetxattr(path.as_ptr(), name.as_ptr(), bytes.as_mut_ptr().cast(), bytes.len()) };
    bytes.truncate(usize::try_from(Errno::result(got)?).unwrap_or(0));
    Ok(bytes)
}

/// Reads the available bytes, without waiting (preadv2(2), `RWF_NOWAIT`).
///
/// # Errors
/// `EAGAIN` where no bytes are available; `EOPNOTSUPP` where the file has no such read: terminals, pipes before Linux
/// 6.4.
pub fn read_now(from: BorrowedFd<'_>, into: &mut [u8]) -> Result<usize, Errno> {
    let part = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    // SAFETY: `part` is the whole of `into`, which nothing else uses during the call; -1 means the file's own position.
    let got = unsafe { libc::preadv2(from.as_raw_fd(), &raw const part, 1, -1, libc::RWF_NOWAIT) };
    Errno::result(got).map(|got| usize::try_from(got).unwrap_or(0))
}

/// The supplementary groups of a socket's peer, as they were when it connected (unix(7), `SO_PEERGROUPS`).
///
/// # Errors
/// `ENODATA` without a peer; `ERANGE` where it has more than 65536.
pub fn peer_groups(socket: BorrowedFd<'_>) -> Result<Vec<u32>, Errno> {
    match peer_groups_up_to(socket, 64) {
        Err(Errno::ERANGE) => peer_groups_up_to(socket, 65536),
        other => other,
    }
}

fn peer_groups_up_to(socket: BorrowedFd<'_>, most: usize) -> Result<Vec<u32>, Errno> {
    let mut groups = vec![0_u32; most];
    let mut bytes = libc::socklen_t::try_from(most * size_of::<u32>()).unwrap_or(0);
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
    groups.truncate(usize::try_from(bytes).unwrap_or(0) / size_of::<u32>());
    Ok(groups)
}

/// The supplementary groups of this process (getgroups(2)); `nix` would first read their largest number from /proc.
///
/// # Errors
/// None is documented for a buffer that is large enough.
pub fn groups() -> Result<Vec<u32>, Errno> {
    // SAFETY: with a size of 0 nothing is written.
    let count = unsafe { libc::getgroups(0, ptr::null_mut()) };
    let mut groups = vec![0_u32; usize::try_from(Errno::result(count)?).unwrap_or(0)];
    if !groups.is_empty() {
        // SAFETY: the buffer has the given length; no other thread changes the groups.
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
    // SAFETY: `on` has the given length and lives across the call.
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

/// Makes a TUN or TAP link, or attaches to one, through a descriptor of `/dev/net/tun`.
///
/// # Errors
/// `EINVAL` for a name of more than 15 bytes, otherwise the kernel's error.
pub fn tun_make(device: BorrowedFd<'_>, name: &str, flags: u16) -> Result<(), Errno> {
    let mut request = [0_u8; size_of::<libc::ifreq>()]; // the name, padded with zeros, then the flags
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

/// Pages without access on each side of [`map_apart`]'s memory, in bytes: a multiple of every page size.
const GUARD: usize = 64 * 1024;

/// Maps `bytes` bytes, a multiple of 64 KiB, between pages without access, at a random address. The kernel's own choice
/// would be next to the program or its libraries, so that one address would reveal the others.
///
/// # Errors
/// `ENOMEM` where a limit or the machine has no room for them.
pub fn map_apart(bytes: usize) -> Result<*mut u8, Errno> {
    let anywhere = usize::from_ne_bytes(random()?) >> 18; // below the end of the address space, on every architecture
    let all = bytes + 2 * GUARD;
    // SAFETY: without `MAP_FIXED` the address is a hint, and no existing mapping is replaced.
    let start = unsafe {
        libc::mmap(
            ptr::without_provenance_mut(anywhere),
            all,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return Err(Errno::last());
    }
    // SAFETY: the mapping is longer than that.
    let inner = unsafe { start.byte_add(GUARD) };
    // SAFETY: these pages are in the mapping, and nobody uses them yet.
    let result = unsafe { libc::mprotect(inner, bytes, libc::PROT_READ | libc::PROT_WRITE) };
    Errno::result(result).map(|_| inner.cast())
}

/// Makes the tables of functions and addresses read-only that need not be written after relocation (`PT_GNU_RELRO`).
/// The start-up code of glibc has done so already. That of musl does not, in a static program.
///
/// # Errors
/// `ENOMEM` where a limit on the number of mappings is reached.
pub fn protect_relocated() -> Result<(), Errno> {
    /// Called for the program itself first; it returns 1, so that it is called for nothing else.
    unsafe extern "C" fn protect(object: *mut libc::dl_phdr_info, _: usize, result: *mut c_void) -> c_int {
        // SAFETY: the C library gives a description that lives across the call.
        let object = unsafe { &*object };
        // SAFETY: this is its table of so many headers, mapped with the program.
        let headers = unsafe { slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum)) };
        for header in headers.iter().filter(|header| header.p_type == libc::PT_GNU_RELRO) {
            // SAFETY: takes a number.
            let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.unsigned_abs();
            let start = (object.dlpi_addr + header.p_vaddr) & !(page - 1);
            let end = (object.dlpi_addr + header.p_vaddr + header.p_memsz) & !(page - 1);
            // SAFETY: the linker put nothing into these pages that is written after relocation.
            let done = unsafe { libc::syscall(libc::SYS_mprotect, start, end - start, libc::PROT_READ) };
            // SAFETY: this is the caller's result.
            unsafe { result.cast::<libc::c_long>().write(done) };
        }
        1
    }
    let mut result: libc::c_long = 0;
    // SAFETY: the function takes what it is given here.
    unsafe { libc::dl_iterate_phdr(Some(protect), (&raw mut result).cast()) };
    Errno::result(result).map(drop)
}

/// Which of the two processes after [`fork`] this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forked {
    /// The process that was there before, with the id of the new one.
    Parent(i32),
    /// The new process.
    Child,
}

/// Makes a copy of this process (fork(2)).
///
/// # Errors
/// `EAGAIN`, `ENOMEM` where a limit or the machine has no room for one more.
pub fn fork() -> Result<Forked, Errno> {
    // SAFETY: the process has one thread, so no lock is held by a thread that the copy lacks.
    let id = unsafe { libc::fork() };
    Errno::result(id).map(|id| if id == 0 { Forked::Child } else { Forked::Parent(id) })
}

/// How many bytes have arrived on a socket and were not read (`FIONREAD`, unix(7)).
///
/// # Errors
/// None is documented for a connected socket.
pub fn queued(socket: BorrowedFd<'_>) -> Result<usize, Errno> {
    let mut bytes: c_int = 0;
    // SAFETY: this request writes one int, which lives across the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
    Errno::result(result).map(|_| usize::try_from(bytes).unwrap_or(0))
}

/// Lets the kernel end this process after so many seconds, by SIGALRM.
///
/// # Errors
/// None is documented for this timer (setitimer(2)).
pub fn end_after(seconds: u32) -> Result<(), Errno> {
    let zero = || libc::timeval { tv_sec: 0, tv_usec: 0 };
    let once = libc::itimerval { it_interval: zero(), it_value: libc::timeval { tv_sec: seconds.into(), tv_usec: 0 } };
    // SAFETY: as for `cancel_timer`.
    let result = unsafe {
        libc::syscall(libc::SYS_setitimer, libc::ITIMER_REAL, &raw const once, ptr::null_mut::<libc::itimerval>())
    };
    Errno::result(result).map(drop)
}

/// Takes over a descriptor that whoever started this process left open for it (`sd_listen_fds(3)`); `None` where it is not
/// open.
#[must_use]
pub fn adopt(descriptor: c_int) -> Option<OwnedFd> {
    // SAFETY: takes numbers only.
    let is_open = unsafe { libc::fcntl(descriptor, libc::F_GETFD) } != -1;
    // SAFETY: it is open, and this process has opened nothing under a number that its starter uses.
    is_open.then(|| unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Ends the process at once, without running exit handlers or flushing buffers.
pub fn exit_now(status: u8) -> ! {
    // SAFETY: takes a number and does not return.
    unsafe { libc::_exit(c_int::from(status)) }
}

/// Makes `$main` the program, without the start-up code of the standard library. `$main` is a `fn(&[&CStr]) -> Exit` of
/// the command line. That start-up code would open `/dev/null` for a closed descriptor (a repair), ignore SIGPIPE, and
/// need four more system calls, two of them under the last filter.
#[macro_export]
macro_rules! program {
    ($main:path) => {
        $crate::program!($main, |words| {
            HEAP.prepare();
            $main(words)
        });
    };
    // The arena is the children's: each maps one of its own.
    ($main:path, with the heap) => {
        $crate::program!($main, |words| $main(words, &HEAP));
    };
    ($main:path, $run:expr) => {
        #[global_allocator]
        static HEAP: $crate::heap::Heap = $crate::heap::Heap::new();

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
            let run: fn(&[&'static std::ffi::CStr]) -> $crate::refusal::Exit = $run;
            std::ffi::c_int::from(run(&words).status())
        }
    };
}
