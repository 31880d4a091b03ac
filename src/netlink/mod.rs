// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The transaction: a permitted request becomes bytes by index, the kernel's answer a result or a refusal.
//!
//! The encoder can write only the attributes of the declared call: `IFLA_NET_NS_PID`, `IFLA_TARGET_NETNSID`,
//! `IFLA_XDP` and `IFLA_GROUP` exist nowhere in it. Reached only through [`crate::stage::Confined`]: a family's
//! `prepare` resolves names and encodes before the capabilities go, and what it hands back runs after.
#![forbid(unsafe_code)]

mod address;
mod answer;
mod link;
mod message;
mod netns;
mod route;

use std::fmt;
use std::os::fd::RawFd;

use serde_json::{Map, Value};

pub use answer::escape;
pub use route::Route;

use crate::call::field;
use crate::call::request::Request;
use crate::refusal::Refusal;
use crate::stage::netns::{Identity, Netns};

/// Takes the elements of a listing as they come.
pub type Each<'a> = &'a mut dyn FnMut(Vec<Value>);

type Run = Box<dyn FnMut(&mut Route, Each<'_>) -> Result<Map<String, Value>, Refusal>>;

/// An encoded transaction that only has to be run.
pub struct Prepared {
    run: Run,
    visited: Option<RawFd>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepared")
    }
}

impl Prepared {
    fn new(run: impl FnMut(&mut Route, Each<'_>) -> Result<Map<String, Value>, Refusal> + 'static) -> Self {
        Self { run: Box::new(run), visited: None }
    }

    /// The descriptor of the socket in another namespace, where the transaction has one, for the last filter.
    #[must_use]
    pub fn visited(&self) -> Option<RawFd> {
        self.visited
    }

    /// Runs it.
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
    pub netns: Option<Netns>,
    /// The name of `netns` is there, but no namespace is mounted on it.
    pub left_over: bool,
    others: Vec<(&'static str, Netns)>,
    visited: Option<Route>,
}

impl Places {
    /// Notes the namespace that a field names, where that is another one than `netns`.
    pub fn put(&mut self, field: &'static str, netns: Netns) {
        self.others.push((field, netns));
    }

    /// The namespace that a field names; none where it is that of `netns`.
    fn take(&mut self, field: &'static str) -> Option<Netns> {
        let at = self.others.iter().position(|(name, _)| *name == field)?;
        Some(self.others.swap_remove(at).1)
    }
}

/// Opens a socket in the namespace of a pair's other end, where the transaction has something to do there: to compare
/// it, or to set it up.
///
/// # Errors
/// [`Refusal::NotConfined`], [`Refusal::SystemError`]
pub fn visit(request: &Request, places: &mut Places, identity: Identity) -> Result<(), Refusal> {
    let there = places.others.iter().find(|(name, _)| *name == field::PEER_NETNS.field.name);
    let needed = request.is_set(&field::EXISTS_OK) || request.is_set(&field::PEER_UP);
    let Some((_, netns)) = there.filter(|_| needed) else { return Ok(()) };
    let home = Netns::open(field::NETNS.field.name, &crate::call::name::NetnsName::Host, identity)?;
    netns.enter()?;
    places.visited = Some(Route::open()?);
    home.enter()
}

/// Resolves the names of a request and encodes it.
///
/// # Errors
/// [`Refusal::NoSuchLink`], [`Refusal::InvalidRequest`], [`Refusal::SystemError`]
pub fn prepare(route: &mut Route, places: Places, request: &Request) -> Result<Prepared, Refusal> {
    let visited = places.visited.as_ref().map(Route::descriptor);
    let prepared = match request.call().family() {
        "Link" => link::prepare(route, places, request),
        "Address" => address::prepare(route, request),
        _ => netns::prepare(places),
    };
    Ok(Prepared { visited, ..prepared? })
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
