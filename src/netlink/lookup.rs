// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Names meet objects once: a link is looked up by name, its own name compared, and from there on its index is used.
#![forbid(unsafe_code)]

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Iff, RtAddrFamily, Rtm};
use neli::rtnl::IfinfomsgBuilder;
use nix::errno::Errno;

use super::answer::{i32_at, parse, u32_at};
use super::ifla;
use super::message::{Attributes, Message, bytes};
use super::transaction::{Failure, Route};
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
}

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
    Some((Found { index, mac_bytes, flags }, attributes.string(ifla::IFNAME)?.to_vec()))
}

impl Route {
    /// Looks a link up by name and makes sure that it is called so: the kernel also matches alternative names, and an
    /// allowed `ci7` must not reach `eth0`.
    ///
    /// # Errors
    /// [`Refusal::NoSuchLink`] naming the field.
    pub(super) fn find(&mut self, field: &'static Field, name: &LinkName) -> Result<Found, Refusal> {
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

    /// Looks up the link that a field names.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub(super) fn find_field(
        &mut self,
        key: &'static Key<LinkName>,
        request: &Request,
    ) -> Result<Option<Found>, Refusal> {
        request.get(key).map(|name| self.find(&key.field, name)).transpose()
    }
}
