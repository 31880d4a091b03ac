// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The namespaces of a new link and of the other end of a pair, and how they refer to each other.
#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;

use super::super::netns::ask_nsid;
use super::super::sides::{After, Before};
use super::super::transaction::Netlink;
use crate::call::field;
use crate::refusal::Refusal;

/// Where the new link and the other end of a pair are.
#[derive(Debug)]
pub(super) struct Homes {
    /// The namespace of the request, the target and the namespace of the other end, as far as the request names them and
    /// they differ.
    own: Option<OwnedFd>,
    target: Option<OwnedFd>,
    peer: Option<OwnedFd>,
    /// Whether the other end is made in the target, too.
    together: bool,
}

impl Homes {
    /// All in the namespace of the request.
    pub(super) const HERE: Self = Self { own: None, target: None, peer: None, together: true };

    pub(super) fn of(before: &mut Before<'_>) -> Self {
        let request = before.request();
        Self {
            target: before.take_netns(&field::TARGET_NETNS.field),
            peer: before.take_netns(&field::PEER_NETNS.field),
            own: before.places().netns.take(),
            together: request.value(&field::PEER_NETNS.field) == request.value(&field::TARGET_NETNS.field),
        }
    }

    /// Whether the link is made in another namespace than that of the request.
    pub(super) fn are_elsewhere(&self) -> bool {
        self.target.is_some()
    }

    /// The socket where the new link is.
    pub(super) fn link<'n>(&self, after: &'n mut After<'_>) -> &'n mut Netlink {
        if self.target.is_some() { after.visited() } else { after }
    }

    /// The socket where the other end is.
    pub(super) fn peer<'n>(&self, after: &'n mut After<'_>) -> &'n mut Netlink {
        if self.target.is_some() && !self.together { after } else { after.visited() }
    }

    /// The number by which the new link's namespace knows that of the request; `None` where it is the same one.
    pub(super) fn nsid_of_own(&self, after: &mut After<'_>) -> Result<Nsid, Refusal> {
        self.nsid(after, self.target.as_ref().and(self.own.as_ref()))
    }

    /// The number by which the new link's namespace knows that of the other end; `None` where it is the same one.
    pub(super) fn nsid_of_peer(&self, after: &mut After<'_>) -> Result<Nsid, Refusal> {
        let other = match (&self.target, self.together) {
            (Some(_), true) => None,
            (Some(_), false) => self.own.as_ref(),
            (None, _) => self.peer.as_ref(),
        };
        self.nsid(after, other)
    }

    fn nsid(&self, after: &mut After<'_>, other: Option<&OwnedFd>) -> Result<Nsid, Refusal> {
        match other {
            Some(other) => Ok(ask_nsid(self.link(after), other)?.map_or(Nsid::Unknown, Nsid::Number)),
            None => Ok(Nsid::Own),
        }
    }
}

/// How a namespace refers to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nsid {
    /// It is the same one.
    Own,
    /// By this number.
    Number(i32),
    /// It has no number for it.
    Unknown,
}
