// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The sockets that `netbrokerd` accepts connections on: those that were passed to it (`sd_listen_fds(3)`), or one that it
//! makes itself. And the word that it is ready (`sd_notify(3)`).
#![forbid(unsafe_code)]

use std::env;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::socket::{
    AddressFamily, Backlog, MsgFlags, SockFlag, SockType, UnixAddr, bind, connect, listen, send, setsockopt, socket,
    sockopt,
};
use nix::sys::stat::{Mode, SFlag, fstatat, umask};
use nix::unistd::{Gid, Uid, fchownat, unlink};

use super::options::Options;
use crate::refusal::describe;
use crate::stage::resident::require_listener;
use crate::sys;

/// The first descriptor that is passed (`SD_LISTEN_FDS_START`).
const FIRST: i32 = 3;
/// The most sockets that can be passed.
const MOST: u32 = 64;

/// How many sockets were passed to this process; 0 where none were.
pub(super) fn passed() -> Result<u32, String> {
    let own = env::var("LISTEN_PID").is_ok_and(|id| id == std::process::id().to_string());
    let Ok(number) = env::var("LISTEN_FDS") else { return Ok(0) };
    match number.parse() {
        _ if !own => Ok(0), // meant for another process, which passed its environment on
        Ok(number) if (1..=MOST).contains(&number) => Ok(number),
        _ => Err(format!("LISTEN_FDS is `{number}`, expected a number from 1 to {MOST}")),
    }
}

/// Takes over the passed sockets.
pub(super) fn take(passed: u32) -> Result<Vec<OwnedFd>, String> {
    (FIRST..).zip(0..passed).map(|(descriptor, _)| adopt(descriptor)).collect()
}

/// Keeps listeners across execve(2). They have the numbers that [`take`] expects: nothing was opened before them.
pub(super) fn pass_on(listeners: &[OwnedFd]) -> Result<(), Errno> {
    for (number, listener) in (FIRST..).zip(listeners) {
        if listener.as_raw_fd() != number {
            return Err(Errno::EBADF);
        }
        fcntl(listener, FcntlArg::F_SETFD(FdFlag::empty()))?;
    }
    Ok(())
}

fn adopt(descriptor: i32) -> Result<OwnedFd, String> {
    let named = |why: &str| format!("the passed descriptor {descriptor} {why}");
    let socket = sys::adopt(descriptor).ok_or_else(|| named("is not open"))?;
    require_listener(socket.as_fd()).map_err(|why| named(&why))?;
    let flags = |errno: Errno| named(describe(errno));
    let now = fcntl(&socket, FcntlArg::F_GETFL).map_err(flags)?;
    let wanted = OFlag::from_bits_retain(now) | OFlag::O_NONBLOCK;
    fcntl(&socket, FcntlArg::F_SETFL(wanted)).map_err(flags)?;
    fcntl(&socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map_err(flags)?;
    Ok(socket)
}

/// Makes a socket: root's, with mode 0660. A socket on which nobody listens any more is replaced.
pub(super) fn make(options: &Options) -> Result<OwnedFd, String> {
    let path = options.socket.as_str();
    let step = |what: &'static str| move |errno: Errno| format!("{path}: cannot {what}: {}", describe(errno));
    let address = UnixAddr::new(path).map_err(step("use this path"))?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let open = || socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(step("make a socket"));
    match fstatat(AT_FDCWD, path, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Err(Errno::ENOENT) => {}
        Err(errno) => return Err(step("look at it")(errno)),
        Ok(what) if what.st_mode & SFlag::S_IFMT.bits() != SFlag::S_IFSOCK.bits() => {
            return Err(format!("{path}: is not a socket; remove it, or listen elsewhere"));
        }
        Ok(_) => match connect(open()?.as_raw_fd(), &address) {
            Err(Errno::ECONNREFUSED) => unlink(path).map_err(step("remove the socket of an earlier process"))?,
            _ => return Err(format!("{path}: another process listens there")),
        },
    }
    let listener = open()?;
    setsockopt(&listener, sockopt::PassCred, &true).map_err(step("set SO_PASSCRED"))?;
    // The mode comes from the umask. By its path it could be another file's, where others may write to the directory.
    let before = umask(Mode::from_bits_truncate(0o117));
    let bound = bind(listener.as_raw_fd(), &address);
    umask(before);
    bound.map_err(step("bind"))?;
    let owner = (Some(Uid::from_raw(0)), Some(Gid::from_raw(options.group)));
    if Uid::effective().is_root() {
        fchownat(AT_FDCWD, path, owner.0, owner.1, AtFlags::AT_SYMLINK_NOFOLLOW).map_err(step("give it its owner"))?;
    }
    // As many may wait to be accepted as the kernel allows. `nix` limits a number to the `SOMAXCONN` of musl, 128.
    listen(&listener, Backlog::MAXALLOWABLE).map_err(step("listen"))?;
    Ok(listener)
}

/// A socket to the service manager, where one waits for word.
pub(super) fn notifier() -> Result<Option<OwnedFd>, String> {
    let Ok(path) = env::var("NOTIFY_SOCKET") else { return Ok(None) };
    let step = |errno: Errno| format!("NOTIFY_SOCKET is `{path}`: {}", describe(errno));
    let address = match path.strip_prefix('@') {
        Some(name) => UnixAddr::new_abstract(name.as_bytes()),
        None => UnixAddr::new(path.as_str()),
    };
    let to = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).map_err(step)?;
    connect(to.as_raw_fd(), &address.map_err(step)?).map_err(step)?;
    Ok(Some(to))
}

/// Says something to the service manager.
pub(super) fn notify(to: Option<&OwnedFd>, word: &str) {
    if let Some(to) = to {
        let _unheard = send(to.as_raw_fd(), word.as_bytes(), MsgFlags::MSG_NOSIGNAL);
    }
}
