// SPDX-License-Identifier: Apache-2.0 OR MIT
//! For tests of the encoder: keeps the messages by which a request would change something, and does not send them.
//! Look-ups go to the kernel.
#![forbid(unsafe_code)]

use std::cell::RefCell;

use super::{Elements, Netlink, Places, Protocol, prepare};
use crate::call::request::Request;
use crate::refusal::Refusal;

/// Where the sequence number is in a datagram.
const SEQUENCE: std::ops::Range<usize> = 8..12;

thread_local! {
    static KEPT: RefCell<Option<Vec<Vec<u8>>>> = const { RefCell::new(None) };
}

/// Keeps a message that changes something, where a test requests that.
pub(super) fn keep(datagram: &[u8]) -> bool {
    let mut datagram = datagram.to_vec();
    datagram[SEQUENCE].fill(0);
    KEPT.with_borrow_mut(|kept| kept.as_mut().map(|kept| kept.push(datagram)).is_some())
}

/// Discards the elements of listings.
struct Nowhere;

impl Elements for Nowhere {
    fn push(&mut self, _elements: String) -> Result<String, Refusal> {
        Ok(String::new())
    }

    fn count(&self) -> usize {
        0
    }

    fn forget(&mut self, _count: usize) -> bool {
        true
    }
}

/// The messages by which a request would change something in the namespace of this thread. `None` where the request is
/// refused before, or would change nothing.
pub(crate) fn changes(request: &Request) -> Option<Vec<Vec<u8>>> {
    let mut netlink = Netlink::open(Protocol::Route).unwrap();
    KEPT.set(Some(Vec::new()));
    let done = prepare(&mut netlink, Places::default(), request)
        .and_then(|mut prepared| prepared.run(&mut netlink, &mut Nowhere));
    let kept = KEPT.take().unwrap_or_default();
    // What the declaration lets through is never called invalid later: `explain` and the tests of policies rely on it.
    assert!(!matches!(done, Err(Refusal::InvalidRequest { .. })), "{request:?}: {done:?}");
    // Nothing was sent, so the kernel seems to have taken other values.
    let would_change = matches!(done, Ok(_) | Err(Refusal::NotApplied { .. }));
    (would_change && !kept.is_empty()).then_some(kept)
}
