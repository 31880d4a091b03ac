// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Replaces `src/netlink/socket.rs` where the library is built for the fuzzer. What is sent goes to a function of the
//! target, and what that returns is received. Everything above this is the broker's own code.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::os::fd::RawFd;

use nix::errno::Errno;

use crate::refusal::Refusal;

type Kernel = Box<dyn FnMut(&[u8]) -> Vec<Vec<u8>>>;

thread_local! {
    static KERNEL: RefCell<Kernel> = RefCell::new(Box::new(|_| Vec::new()));
}

/// Makes `kernel` answer every socket of this thread: it returns the datagrams that answer a datagram.
pub fn answer_with(kernel: impl FnMut(&[u8]) -> Vec<Vec<u8>> + 'static) {
    KERNEL.set(Box::new(kernel));
}

/// A protocol of netlink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// rtnetlink(7).
    Route,
}

pub(super) struct Socket(RefCell<VecDeque<Vec<u8>>>);

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Socket")
    }
}

impl Socket {
    pub(super) fn open(_protocol: Protocol) -> Result<Self, Refusal> {
        Ok(Self(RefCell::default()))
    }

    pub(super) fn descriptor(&self) -> RawFd {
        -1
    }

    pub(super) fn send(&self, datagram: &[u8]) -> Result<(), Errno> {
        self.0.replace(KERNEL.with_borrow_mut(|kernel| kernel(datagram)).into());
        Ok(())
    }

    /// Where the real socket would wait forever, this one fails.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        let datagram = self.0.borrow_mut().pop_front().ok_or(Errno::EIO)?;
        let length = datagram.len().min(buffer.len());
        buffer.iter_mut().zip(&datagram).for_each(|(to, from)| *to = *from);
        Ok(length)
    }
}
