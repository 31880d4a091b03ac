// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A link that was just made.
#![forbid(unsafe_code)]

use nix::errno::Errno;

use super::super::rows::Given;
use super::super::transaction::{Netlink, TransactionError};
use super::changed;
use super::homes::Nsid;
use super::seen::{self, Link};
use crate::call::Kind;
use crate::call::field;
use crate::call::name::LinkName;
use crate::refusal::Refusal;

/// What the kernel reported of the new link. Later messages refer to it by its index, even if it is renamed.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) index: i32,
    pub(super) peer_index: Option<i32>,
    /// The index of the link below it.
    pub(super) parent_index: Option<i32>,
    /// The namespace of the link below it, or of its other end.
    pub(super) below: Nsid,
    /// The refusal where the kernel took another value than a requested one.
    pub(super) not_applied: Option<Refusal>,
    /// Whether the kernel itself reported which link is the new one. Otherwise it is the link that has the name now: another
    /// process may have renamed the new one, and given its name to another link.
    pub(super) is_certain: bool,
}

impl Made {
    pub(super) fn of(link: &Link<'_>, given: &Given) -> Self {
        Self {
            index: link.index,
            peer_index: link.number("peer_index"),
            parent_index: link.number("parent_index"),
            below: link.other_netns(),
            not_applied: link.not_applied(given),
            is_certain: false,
        }
    }
}

/// Looks up the new link where there was no echo: before Linux 6.2, for a link in another namespace, and for kinds that
/// announce themselves before they know for whom (vxlan). Another process may have renamed the new link and given its name
/// to another link. That is noticed only where the kinds differ.
pub(super) fn look_up(netlink: &mut Netlink, given: &Given, name: &LinkName, kind: &Kind) -> Result<Made, Refusal> {
    let gone = || TransactionError::Refused { errno: Errno::ENODEV, text: None, field: None };
    let found = seen::called(netlink, name, &field::LINK.field)?.filter(|link| link.is_kind(kind));
    found.map(|link| Made::of(&link, given)).ok_or_else(|| changed(gone(), &given.request, true))
}
