// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The descriptor of a netlink socket (netlink(7)). The fuzz targets replace this file by `tests/fuzz/socket.rs`.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType};
use nix::sys::socket::{recvfrom, send, socket};

use crate::refusal::{Refusal, system};
use crate::sys;

/// A netlink protocol, which decides the part of the kernel that answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// rtnetlink(7).
    Route,
}

/// A socket on which only the kernel's answers are accepted.
#[derive(Debug)]
pub(super) struct Socket(OwnedFd);

impl Socket {
    /// Opens a socket in the namespace that the process is in, with strict checking and full error reports.
    pub(super) fn open(protocol: Protocol) -> Result<Self, Refusal> {
        let protocol = match protocol {
            Protocol::Route => SockProtocol::NetlinkRoute,
        };
        let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)
            .map_err(system("netlink socket"))?;
        for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK, libc::NETLINK_GET_STRICT_CHK] {
            sys::netlink_option(socket.as_fd(), option).map_err(system("netlink options"))?;
        }
        Ok(Self(socket))
    }

    /// The descriptor, for the filter.
    pub(super) fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Sends a datagram to the kernel.
    pub(super) fn send(&self, datagram: &[u8]) -> Result<(), Errno> {
        send(self.descriptor(), datagram, MsgFlags::empty()).map(drop)
    }

    /// Receives a datagram from the kernel, and ignores those from other processes.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        loop {
            match recvfrom::<NetlinkAddr>(self.descriptor(), buffer) {
                Err(Errno::EINTR) => {}
                Ok((bytes, Some(from))) if from.pid() == 0 => return Ok(bytes),
                Ok(_) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}
