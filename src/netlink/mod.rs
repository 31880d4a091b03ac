// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The transaction: a permitted request becomes bytes by index, the kernel's answer a result or a refusal.
//!
//! The encoder can write only the attributes of the declared call: `IFLA_NET_NS_PID`, `IFLA_TARGET_NETNSID`,
//! `IFLA_XDP` and `IFLA_GROUP` exist nowhere in it. Reached only through [`crate::stage::Confined`]: a family's
//! `prepare` resolves names and encodes before the capabilities go, and what it hands back runs after.
#![forbid(unsafe_code)]

mod address;
mod answer;
mod ifla;
mod inet;
#[cfg(test)]
pub(crate) mod kept;
mod link;
mod listing;
mod lookup;
mod message;
mod neighbour;
mod netns;
mod route;
mod rule;
#[cfg_attr(fuzzing, path = "../../tests/fuzz/socket.rs")]
mod socket;
mod transaction;
mod watched;

use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use serde_json::{Map, Value};

pub use answer::escape;
#[cfg(fuzzing)]
pub use socket::answer_with;
pub use transaction::Route;

use crate::call::field;
use crate::call::request::Request;
use crate::refusal::Refusal;

/// Takes the elements of a listing as they come.
pub type Each<'a> = &'a mut dyn FnMut(Vec<Value>);

type Run = Box<dyn FnMut(&mut Route, Each<'_>) -> Result<Map<String, Value>, Refusal>>;

/// An encoded transaction that only has to be run.
pub struct Prepared {
    run: Run,
    visited: Option<RawFd>,
    tun: Option<RawFd>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepared")
    }
}

impl Prepared {
    fn new(run: impl FnMut(&mut Route, Each<'_>) -> Result<Map<String, Value>, Refusal> + 'static) -> Self {
        Self { run: Box::new(run), visited: None, tun: None }
    }

    /// The descriptor of the socket in another namespace, where the transaction has one, for the last filter.
    #[must_use]
    pub fn visited(&self) -> Option<RawFd> {
        self.visited
    }

    /// The descriptor of `/dev/net/tun`, where the transaction has one, for the last filter.
    #[must_use]
    pub fn tun(&self) -> Option<RawFd> {
        self.tun
    }

    /// Runs it. [`Route::lost`] then has the links that somebody else changed meanwhile.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn run(&mut self, route: &mut Route, each: Each<'_>) -> Result<Map<String, Value>, Refusal> {
        (self.run)(route, each)
    }
}

/// The namespaces of a request, opened by the stage: the one that it acts in, and those that its fields name besides.
#[derive(Debug, Default)]
pub struct Places {
    /// That of `netns`; none for `@host`.
    pub netns: Option<OwnedFd>,
    /// The name of `netns` is there, but no namespace is mounted on it.
    pub left_over: bool,
    /// Those that other fields name, where they are other ones.
    pub others: Vec<(&'static str, OwnedFd)>,
    /// A socket in the namespace of a pair's other end, where [`acts_at_peer`] asks for one.
    pub visited: Option<Route>,
    /// `/dev/net/tun`, where the request needs it.
    pub tun: Option<OwnedFd>,
}

impl Places {
    /// The namespace that a field names; none where it is that of `netns`.
    fn take(&mut self, field: &'static str) -> Option<OwnedFd> {
        let at = self.others.iter().position(|(name, _)| *name == field)?;
        Some(self.others.swap_remove(at).1)
    }
}

/// Whether the transaction has something to do in the namespace of a pair's other end: to compare it, or to set it up.
#[must_use]
pub fn acts_at_peer(request: &Request) -> bool {
    request.is_set(&field::EXISTS_OK) || request.is_set(&field::PEER_UP)
}

/// Resolves the names of a request and encodes it.
///
/// # Errors
/// [`Refusal::NoSuchLink`], [`Refusal::InvalidRequest`], [`Refusal::SystemError`]
pub fn prepare(route: &mut Route, places: Places, request: &Request) -> Result<Prepared, Refusal> {
    let visited = places.visited.as_ref().map(Route::descriptor);
    let tun = places.tun.as_ref().map(AsRawFd::as_raw_fd);
    let prepared = match request.call().family() {
        "Link" => link::prepare(route, places, request),
        "Address" => address::prepare(route, request),
        "Route" => route::prepare(route, request),
        "Neighbour" => neighbour::prepare(route, request),
        "Rule" => rule::prepare(route, request),
        _ => netns::prepare(places, request),
    };
    Ok(Prepared { visited, tun, ..prepared? })
}

/// How many elements one reply of a stream holds.
const CHUNK: usize = 64;

/// Hands the elements of a listing on, some at a time.
fn in_chunks(mut told: Vec<Value>, each: Each<'_>) {
    while !told.is_empty() {
        let rest = told.split_off(told.len().min(CHUNK));
        each(std::mem::replace(&mut told, rest));
    }
}

/// A call that a family's file does not know: its declaration came without its encoding.
fn not_encoded(request: &Request) -> Refusal {
    Refusal::SystemError { step: format!("encode {}", request.call().name), errno: None }
}
