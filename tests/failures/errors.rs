// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The errors that each system call of the broker can return, by its manual page. Errors that only a mistake of the
//! broker itself could cause (EBADF, EFAULT, EINVAL) are left out, unless the broker reads them as an answer. EPERM is
//! everywhere: an outer filter, such as a container's, returns it for any call. Calls that cannot fail have no errors.

use nix::errno::Errno;
use nix::libc;

macro_rules! table {
    ($($call:ident: $($errno:ident)*;)*) => {
        &[$((libc::$call, stringify!($call), &[$(Errno::$errno),*])),*]
    };
}

const TABLE: &[(i64, &str, &[Errno])] = table! {
    // the start, and finding out who the caller is
    SYS_alarm: ;
    SYS_rt_sigaction: EPERM;
    SYS_rt_sigprocmask: EPERM;
    SYS_close_range: EPERM ENOSYS ENOMEM EMFILE;
    SYS_setitimer: EPERM;
    SYS_prlimit64: EPERM;
    SYS_prctl: EPERM;
    SYS_umask: ;
    SYS_chdir: EPERM EACCES EIO ENOMEM;
    SYS_getrandom: EPERM EINTR ENOSYS;
    SYS_getpid: ;
    SYS_getuid: ;
    SYS_getgid: ;
    SYS_geteuid: ;
    SYS_getegid: ;
    SYS_getgroups: EPERM;
    SYS_getresuid: EPERM;
    SYS_getresgid: EPERM;
    SYS_getpeername: EPERM ENOBUFS ENOTSOCK;
    SYS_getsockname: EPERM ENOBUFS;
    SYS_getsockopt: EPERM ENOPROTOOPT ENOTSOCK ENOMEM;
    SYS_setgroups: EPERM ENOMEM;
    SYS_setresgid: EPERM EAGAIN;
    SYS_setresuid: EPERM EAGAIN ENOMEM;
    // files
    SYS_openat: EPERM EACCES EINTR EMFILE ENFILE ENOMEM EIO;
    SYS_openat2: EPERM EACCES EINTR EMFILE ENFILE ENOMEM ENOSYS EAGAIN;
    SYS_read: EPERM EINTR EIO;
    SYS_pread64: EPERM EINTR EIO;
    SYS_preadv2: EPERM EAGAIN EINTR EIO EOPNOTSUPP;
    SYS_fstat: EPERM ENOMEM EIO;
    SYS_newfstatat: EPERM ENOMEM EIO EACCES;
    SYS_statx: EPERM ENOMEM EIO ENOSYS;
    SYS_readlinkat: EPERM EACCES EIO ENOMEM;
    SYS_fstatfs: EPERM EINTR EIO ENOMEM ENOSYS;
    SYS_fcntl: EPERM;
    SYS_getdents64: EPERM EIO;
    SYS_lseek: EPERM;
    SYS_close: EPERM EINTR EIO;
    SYS_ioctl: EPERM EBUSY EINVAL ENOMEM;
    SYS_flock: EPERM EINTR ENOLCK EAGAIN;
    SYS_unlinkat: EPERM EACCES EBUSY EIO ENOMEM EROFS;
    // sockets, and what is sent on them
    SYS_socket: EPERM EACCES EMFILE ENFILE ENOBUFS ENOMEM EAFNOSUPPORT;
    SYS_connect: EPERM EACCES EAGAIN ECONNREFUSED EINTR ENOENT;
    SYS_setsockopt: EPERM ENOPROTOOPT ENOMEM;
    SYS_sendto: EPERM EAGAIN EINTR ECONNREFUSED EMSGSIZE ENOBUFS ENOMEM;
    SYS_recvfrom: EPERM EAGAIN EINTR ENOBUFS ENOMEM;
    SYS_recvmsg: EPERM EAGAIN EINTR ENOBUFS ENOMEM;
    SYS_poll: EPERM EINTR ENOMEM;
    SYS_write: EPERM EAGAIN EINTR EIO EPIPE ENOSPC EDQUOT EFBIG;
    // namespaces, and confinement
    SYS_setns: EPERM EINVAL ENOMEM;
    SYS_unshare: EPERM ENOMEM ENOSPC;
    SYS_mount: EPERM EACCES EBUSY EINVAL ENOENT ENOMEM ENOSPC;
    SYS_umount2: EPERM EAGAIN EBUSY ENOMEM;
    SYS_clock_nanosleep: EINTR;
    SYS_capget: EPERM;
    SYS_capset: EPERM;
    SYS_landlock_create_ruleset: EPERM ENOSYS EOPNOTSUPP ENOMEM EMFILE;
    SYS_landlock_restrict_self: EPERM E2BIG EOPNOTSUPP;
    SYS_seccomp: EPERM EACCES ENOMEM EINVAL ENOSYS;
    // memory
    SYS_brk: ENOMEM;
    SYS_mmap: ENOMEM;
    SYS_mremap: ENOMEM;
    SYS_munmap: ENOMEM;
    SYS_exit_group: ;
};

/// The name of a call, and its errors.
pub(crate) fn of(number: i64) -> (&'static str, &'static [Errno]) {
    let found = TABLE.iter().find(|(known, ..)| *known == number);
    let (_, name, errors) = found.unwrap_or_else(|| panic!("with what can system call {number} fail?"));
    (name, errors)
}

/// Whether it requests memory. Where one of these fails, the later ones fail, too.
pub(crate) fn is_memory(number: i64) -> bool {
    matches!(number, libc::SYS_brk | libc::SYS_mmap | libc::SYS_mremap | libc::SYS_munmap)
}

/// Whether it reads or writes any number of bytes, one after the other.
pub(crate) fn can_fall_short(number: i64) -> bool {
    matches!(number, libc::SYS_read | libc::SYS_pread64 | libc::SYS_write)
}
