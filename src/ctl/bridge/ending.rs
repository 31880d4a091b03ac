// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The end of a bridge by SIGTERM: it relays what has arrived, waits for the replies, and ends.
#![forbid(unsafe_code)]

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::OnceLock;
use std::thread;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::SignalFd;

use crate::sys;

/// How many seconds the replies may take. A process that serves a call ends after as many.
const PATIENCE: u32 = 30;

/// Has a signal to read from when this process is told to end. It is never read, so that all threads see it.
static END: OnceLock<Result<SignalFd, Errno>> = OnceLock::new();

/// What there is after waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ready {
    /// Something to read.
    Input,
    /// Nothing, and this process is told to end.
    End,
    /// Nothing yet.
    Late,
}

/// Lets SIGTERM be seen by [`wait`]. The programs that this process starts get it as usual.
///
/// # Errors
/// `EMFILE`, `EAGAIN`: there is no room for a descriptor or a thread.
pub(super) fn prepare() -> io::Result<()> {
    let signals = SigSet::from(Signal::SIGTERM);
    signals.thread_block()?;
    let end = END.get_or_init(|| SignalFd::new(&signals)).as_ref().map_err(|errno| io::Error::from(*errno))?;
    // All other threads may wait for a caller that reads nothing.
    start(move || {
        while poll(&mut [PollFd::new(end.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE).is_err() {}
        sys::end_after(PATIENCE)
    })
}

/// Starts a thread that nobody waits for.
///
/// # Errors
/// `EAGAIN`: there is no room for a thread.
pub(super) fn start<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<()> {
    thread::Builder::new().spawn(work).map(drop)
}

/// Waits for something to read, or for the end.
///
/// # Errors
/// `ENOMEM`
pub(super) fn wait(descriptor: BorrowedFd<'_>, timeout: PollTimeout) -> Result<Ready, Errno> {
    let input = |descriptor| PollFd::new(descriptor, PollFlags::POLLIN);
    let mut waited = vec![input(descriptor)];
    waited.extend(END.get().and_then(|end| end.as_ref().ok()).map(|end| input(end.as_fd())));
    match poll(&mut waited, timeout) {
        Err(Errno::EINTR) => return Ok(Ready::Late),
        other => drop(other?),
    }
    let is_ready = |at: usize| waited.get(at).and_then(PollFd::any) == Some(true);
    Ok(match (is_ready(0), is_ready(1)) {
        (true, _) => Ready::Input,
        (false, true) => Ready::End,
        (false, false) => Ready::Late,
    })
}
