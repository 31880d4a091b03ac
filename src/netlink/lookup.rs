// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Names meet objects here: a link is looked up by name, and its own name is compared. What refers to it by its index is
//! watched from there on (`watched`).
#![forbid(unsafe_code)]

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Iff, RtAddrFamily, Rtm};
use neli::rtnl::IfinfomsgBuilder;
use nix::errno::Errno;

use super::answer::{i32_at, parse, u32_at};
use super::ifla;
use super::message::{Attributes, Message, bytes};
use super::transaction::{Failure, Route};
use super::watched::Refers;
use crate::call::field::{Field, Key};
use crate::call::name::LinkName;
use crate::call::request::Request;
use crate::refusal::Refusal;

/// Bytes of `struct ifinfomsg`.
pub(super) const HEAD: usize = 16;
/// `RTEXT_FILTER_SKIP_STATS`: nobody reads the counters.
const SKIP_STATS: u32 = 1 << 3;

/// A link as it was found by name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// Its index.
    pub(super) index: i32,
    /// Bytes of its hardware address.
    pub(super) mac_bytes: usize,
    /// Its flags (`IFF_…`).
    pub(super) flags: Iff,
    /// Its kind, where it is one of [`LOOKED_THROUGH`].
    pub(super) kind: Option<&'static str>,
}

/// Kinds of links in whose place the kernel may take another link than the one that is named: the link below
/// (`macvlan_common_newlink`, `ipvlan_link_new`), or for a gateway the port that the gateway is behind
/// (`l3mdev_update_flow`).
static LOOKED_THROUGH: [&str; 5] = ["macvlan", "macvtap", "ipvlan", "ipvtap", VRF];
/// A domain of virtual routing and forwarding.
pub(super) const VRF: &str = "vrf";

/// `struct ifinfomsg`: the index, and which flags become what.
pub(super) fn head(index: i32, flags: Iff, change: Iff) -> Result<Vec<u8>, Refusal> {
    let info = IfinfomsgBuilder::default()
        .ifi_family(RtAddrFamily::Unspecified)
        .ifi_index(index)
        .ifi_flags(flags)
        .ifi_change(change)
        .build()
        .map_err(|_| Refusal::SystemError { step: "encode a link".to_owned(), errno: None })?;
    bytes(&info)
}

/// Asks for the link of this name.
pub(super) fn by_name(name: &LinkName, field: &'static Field) -> Result<Message, Refusal> {
    let mut attributes = Attributes::default();
    attributes.put(ifla::IFNAME, &with_nul(name.as_str()), field)?;
    attributes.add(ifla::EXT_MASK, &SKIP_STATS.to_ne_bytes())?;
    Ok(Message::new(Rtm::Getlink, NlmF::ACK, &head(0, Iff::empty(), Iff::empty())?, attributes))
}

/// Asks for the link of this index; for all links with 0.
pub(super) fn by_index(index: i32) -> Result<Message, Refusal> {
    let mut attributes = Attributes::default();
    attributes.add(ifla::EXT_MASK, &SKIP_STATS.to_ne_bytes())?;
    let flags = if index == 0 { NlmF::DUMP } else { NlmF::ACK };
    Ok(Message::new(Rtm::Getlink, flags, &head(index, Iff::empty(), Iff::empty())?, attributes))
}

pub(super) fn with_nul(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

/// The index, the length of the hardware address and the own name of a link.
pub(super) fn identify(payload: &[u8]) -> Option<(Found, Vec<u8>)> {
    let index = i32_at(payload, 4)?;
    let flags = Iff::from(u32_at(payload, 8)?);
    let attributes = parse(payload.get(HEAD..)?)?;
    let mac_bytes = attributes.get(ifla::ADDRESS).map_or(0, <[u8]>::len);
    let info = attributes.nested(ifla::LINKINFO)?;
    let own_kind = info.string(ifla::INFO_KIND);
    let kind = LOOKED_THROUGH.into_iter().find(|kind| Some(kind.as_bytes()) == own_kind);
    Some((Found { index, mac_bytes, flags, kind }, attributes.string(ifla::IFNAME)?.to_vec()))
}

impl Route {
    /// Looks up a link that a change refers to by its index, and watches it until the change is made.
    ///
    /// # Errors
    /// As [`Self::look_up`].
    pub(super) fn find(&mut self, field: &'static Field, name: &LinkName) -> Result<Found, Refusal> {
        let found = self.look_up(field, name)?;
        self.watch.add(field, name, found.index, Refers::ByIndex);
        Ok(found)
    }

    /// As [`Self::find`], for a change that refers to the link by its name.
    ///
    /// # Errors
    /// As [`Self::look_up`].
    pub(super) fn find_by_name(&mut self, field: &'static Field, name: &LinkName) -> Result<Found, Refusal> {
        let found = self.look_up(field, name)?;
        self.watch.add(field, name, found.index, Refers::ByName);
        Ok(found)
    }

    /// Makes sure that a name is not an alternative one, for an object that keeps the name. No link needs to have it.
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

    /// Looks a link up by name and makes sure that it is called so: the kernel also matches alternative names, and an
    /// allowed `ci7` must not reach `eth0`.
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
            Err(Failure::Refused { errno: Errno::ENODEV, .. }) => Err(missing("absent", Errno::ENODEV)),
            Err(failure) => Err(failure.refusal()),
        }
    }

    /// Looks up the link that a field names, as [`Self::find`] does.
    ///
    /// # Errors
    /// As [`Self::look_up`].
    pub(super) fn find_field(
        &mut self,
        key: &'static Key<LinkName>,
        request: &Request,
    ) -> Result<Option<Found>, Refusal> {
        request.get(key).map(|name| self.find(&key.field, name)).transpose()
    }
}
