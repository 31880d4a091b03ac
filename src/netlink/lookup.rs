// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Looks up links by name, and compares each link's own name. A link that a change refers to by its index is watched
//! from then on (`watched`).
#![forbid(unsafe_code)]

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Iff, Rtm};
use nix::errno::Errno;

use super::answer::{find, i32_at, u32_at, until_nul};
use super::found::Found;
use super::message::{Attributes, Encoded, Message};
use super::rows::with_nul;
use super::transaction::{EachMessage, Netlink, TransactionError};
use super::watched::Refers;
use crate::call::field::{self, Field};
use crate::call::name::LinkName;
use crate::refusal::Refusal;

/// Bytes of `struct ifinfomsg`.
const HEAD: usize = 16;
/// Attributes of a link (`IFLA_…`, `linux/if_link.h`), in addition to those of the tables in `call`.
const ADDRESS: u16 = 1;
pub(super) const IFNAME: u16 = 3;
const MASTER: u16 = 10;
const LINKINFO: u16 = 18;
const EXT_MASK: u16 = 29;
/// Inside `LINKINFO`.
const INFO_KIND: u16 = 1;
/// `RTEXT_FILTER_VF`, `RTEXT_FILTER_SKIP_STATS` (`linux/rtnetlink.h`). With the second flag, the kernel leaves out the
/// counters of IPv6 and of virtual functions, which nobody reads. It still reports `IFLA_STATS64`.
const VF: u32 = 1;
const SKIP_STATS: u32 = 1 << 3;

/// `struct ifinfomsg` with this index and nothing else.
pub(super) fn head(index: i32) -> Vec<u8> {
    [&[0; 4][..], &index.to_ne_bytes(), &[0; 8]].concat()
}

/// What a look-up requests of each link.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// Whether the kernel reports its virtual functions.
    pub(super) vfs: bool,
}

impl Extent {
    /// Requests the link of this name.
    pub(super) fn by_name(self, name: &LinkName, field: &'static Field) -> Result<Message, Refusal> {
        let mut attributes = Attributes::default();
        attributes.put(IFNAME, &with_nul(name.as_str()), field)?;
        self.ask(0, NlmF::empty(), attributes)
    }

    /// Requests the link of this index.
    pub(super) fn by_index(self, index: i32) -> Result<Message, Refusal> {
        self.ask(index, NlmF::empty(), Attributes::default())
    }

    /// Requests all links, or those with a master of this index, or of this kind. A kernel that does not know the kind
    /// lists all.
    pub(super) fn all(self, master: Option<i32>, kind: Option<&str>) -> Result<Message, Refusal> {
        let mut attributes = Attributes::default();
        if let Some(index) = master {
            attributes.put(MASTER, &index.to_ne_bytes(), &field::MASTER.field)?;
        }
        if let Some(kind) = kind {
            let mut info = Attributes::default();
            info.put(INFO_KIND, &with_nul(kind), &field::KIND.field)?;
            attributes.nest(LINKINFO, &[], info)?;
        }
        self.ask(0, NlmF::DUMP, attributes)
    }

    fn ask(self, index: i32, flags: NlmF, mut attributes: Attributes) -> Result<Message, Refusal> {
        let mask = if self.vfs { SKIP_STATS | VF } else { SKIP_STATS };
        attributes.add(EXT_MASK, &mask.to_ne_bytes())?;
        Ok(Message::route(Rtm::Getlink, flags, Encoded { head: head(index), attributes }))
    }
}

/// What nearly every look-up needs.
const LEAST: Extent = Extent { vfs: false };

/// Requests the link of this name.
pub(super) fn by_name(name: &LinkName, field: &'static Field) -> Result<Message, Refusal> {
    LEAST.by_name(name, field)
}

/// Requests the link of this index.
pub(super) fn by_index(index: i32) -> Result<Message, Refusal> {
    LEAST.by_index(index)
}

/// The index, the length of the hardware address, the flags, the kind and the own name of a link.
pub(super) fn identify(payload: &[u8]) -> Option<(Found, Vec<u8>)> {
    let index = i32_at(payload, 4)?;
    let flags = Iff::from(u32_at(payload, 8)?);
    let attributes = payload.get(HEAD..)?;
    let mac_bytes = find(attributes, ADDRESS)?.map_or(0, <[u8]>::len);
    let kind = match find(attributes, LINKINFO)? {
        Some(info) => find(info, INFO_KIND)?.map(until_nul),
        None => None,
    };
    Some((
        Found::new(index, mac_bytes, flags, kind.unwrap_or_default()),
        until_nul(find(attributes, IFNAME)??).to_vec(),
    ))
}

impl Netlink {
    /// Looks up a link that a change refers to in this way, and watches it until the change is made.
    ///
    /// # Errors
    /// As [`Self::look_up`].
    pub(super) fn find(&mut self, field: &'static Field, name: &LinkName, refers: Refers) -> Result<Found, Refusal> {
        let found = self.look_up(field, name)?;
        self.watch.add(field, name, found.index, refers);
        Ok(found)
    }

    /// Requires that a name is not an alternative name, for an object that keeps the name. No link needs to have it.
    ///
    /// # Errors
    /// As [`Self::look_up`].
    pub(super) fn require_own_name(&mut self, field: &'static Field, name: &LinkName) -> Result<(), Refusal> {
        match self.look_up(field, name) {
            Ok(_) | Err(Refusal::NoSuchLink { reason: "absent", .. }) => {
                self.watch.add(field, name, 0, Refers::Forever);
                Ok(())
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// Looks up a link and requires that this is its own name: the kernel also matches alternative names, and an
    /// allowed `ci7` must not lead to `eth0`.
    ///
    /// # Errors
    /// [`Refusal::NoSuchLink`] naming the field.
    pub(super) fn look_up(&mut self, field: &'static Field, name: &LinkName) -> Result<Found, Refusal> {
        let missing =
            |reason, errno| Refusal::NoSuchLink { field: field.name, name: name.as_str().to_owned(), reason, errno };
        match self.ask(&by_name(name, field)?, "parse a link", identify) {
            Ok(found) => match found.into_iter().next() {
                Some((link, own)) if own == name.as_str().as_bytes() => Ok(link),
                Some(_) => Err(missing("alternative_name", Errno::ENODEV)),
                None => Err(missing("absent", Errno::ENODEV)),
            },
            Err(TransactionError::Refused { errno: Errno::ENODEV, .. }) => Err(missing("absent", Errno::ENODEV)),
            Err(failure) => Err(failure.refusal()),
        }
    }

    /// Looks up the link of an index, and its own name; `None` where no such link exists.
    ///
    /// # Errors
    /// The look-up failed.
    pub(super) fn of_index(&mut self, index: i32) -> Result<Option<(Found, Vec<u8>)>, Refusal> {
        match self.ask(&by_index(index)?, "parse a link", identify) {
            Err(TransactionError::Refused { errno: Errno::ENODEV, .. }) => Ok(None),
            other => Ok(other.map_err(TransactionError::refusal)?.into_iter().next()),
        }
    }

    /// Makes a change that refers to links that were looked up.
    ///
    /// # Errors
    /// As [`Self::transact`]. [`Refusal::Busy`] and [`Refusal::NoSuchLink`] where a link is not what it was; then
    /// nothing was sent.
    pub(super) fn act(&mut self, message: &Message, each: EachMessage<'_>) -> Result<(), TransactionError> {
        let mut watch = std::mem::take(&mut self.watch);
        let result = watch.compare_before(|field, name| self.look_up(field, name));
        let result = result.map_err(TransactionError::Broken).and_then(|()| {
            let result = self.transact(message, each);
            // Also after an error: part of the change may have been made, or the object may have existed already.
            watch.compare_after(|field, name| self.look_up(field, name));
            result
        });
        self.watch = watch;
        result
    }
}
