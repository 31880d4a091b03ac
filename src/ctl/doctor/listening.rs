// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether a process listens on a Unix socket, by the file of the socket (`sock_diag(7)`). To connect would start
//! netbrokerd. /proc/net/unix does not tell: any user can bind an abstract name with a line break in it, which makes a line
//! of its own there.
#![forbid(unsafe_code)]

use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket};
use nix::sys::stat::{FileStat, major, minor};

/// `SOCK_DIAG_BY_FAMILY` of `linux/sock_diag.h`, as request and answer.
const BY_FAMILY: u16 = 20;
/// `UDIAG_SHOW_VFS` of `linux/unix_diag.h`: the file that each socket is bound to.
const SHOW_FILE: u32 = 2;
/// `UNIX_DIAG_VFS` of `linux/unix_diag.h`: an attribute with inode and device.
const FILE: u16 = 1;
/// `TCP_LISTEN` of the kernel's `net/tcp_states.h`, which names the states of all sockets.
const LISTEN: u32 = 10;
/// The lengths of `nlmsghdr` and `unix_diag_msg`.
const HEAD: usize = 16;
const MESSAGE: usize = 16;
/// Larger than any part of a dump.
const PART: usize = 65536;

/// Whether a stream socket that is bound to this file listens, in the network namespace of this process.
///
/// # Errors
/// That of the kernel, which may lack this interface (`ENOENT`).
pub(super) fn on(file: &FileStat) -> Result<bool, Errno> {
    let own = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, own, SockProtocol::NetlinkSockDiag)?;
    let flags = u16::try_from(libc::NLM_F_REQUEST | libc::NLM_F_DUMP).unwrap_or(0);
    let mut request = Vec::new();
    request.extend(40_u32.to_ne_bytes()); // its length
    request.extend([BY_FAMILY.to_ne_bytes(), flags.to_ne_bytes()].concat());
    request.extend([0; 8]); // sequence number and port
    request.extend([u8::try_from(libc::AF_UNIX).unwrap_or(0), 0, 0, 0]); // no protocol
    request.extend([1_u32 << LISTEN, 0, SHOW_FILE, 0, 0].map(u32::to_ne_bytes).concat()); // no inode, no cookie
    sendto(socket.as_raw_fd(), &request, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    let mut part = vec![0; PART];
    let mut listens = false;
    loop {
        let got = recv(socket.as_raw_fd(), &mut part, MsgFlags::empty())?;
        let mut rest = part.get(..got).unwrap_or_default();
        while let Some((message, others)) = piece(rest, word(rest, 0)) {
            match i32::from(half(message, 4).unwrap_or(0)) {
                libc::NLMSG_DONE => return Ok(listens),
                libc::NLMSG_ERROR => {
                    let errno = word(message, HEAD).map_or(0, |number| number.wrapping_neg());
                    return Err(Errno::from_raw(i32::try_from(errno).unwrap_or(0)));
                }
                _ => listens |= is_stream(message) && is_bound_to(message, file),
            }
            rest = others;
        }
    }
}

fn is_stream(message: &[u8]) -> bool {
    message.get(HEAD + 1).is_some_and(|kind| i32::from(*kind) == libc::SOCK_STREAM)
}

fn is_bound_to(message: &[u8], file: &FileStat) -> bool {
    // The kernel's own form of a device number (`linux/kdev_t.h`), and the low half of the inode's number.
    let device = u32::try_from(major(file.st_dev) << 20 | minor(file.st_dev)).ok();
    let inode = u32::try_from(file.st_ino & u64::from(u32::MAX)).ok();
    let mut rest = message.get(HEAD + MESSAGE..).unwrap_or_default();
    while let Some((attribute, others)) = piece(rest, half(rest, 0).map(u32::from)) {
        if half(attribute, 2) == Some(FILE) && (word(attribute, 4), word(attribute, 8)) == (inode, device) {
            return true;
        }
        rest = others;
    }
    false
}

/// A message or attribute of this length, and what follows it after the alignment.
fn piece(bytes: &[u8], length: Option<u32>) -> Option<(&[u8], &[u8])> {
    let length = usize::try_from(length?).ok().filter(|length| *length >= 4)?;
    let next = length.next_multiple_of(4).min(bytes.len());
    Some((bytes.get(..length)?, bytes.get(next..)?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}
