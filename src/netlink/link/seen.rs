// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Links as the kernel reports them.
#![forbid(unsafe_code)]

use nix::errno::Errno;

use super::super::answer::{find as find_in, i32_at, until_nul};
use super::super::lookup::by_name;
use super::super::message::Message;
use super::super::rows::{Decoded, Given, Seen};
use super::super::transaction::{Netlink, TransactionError};
use super::IFNAME;
use super::homes::Nsid;
use crate::call::field::{Field, KIND, Key, LINK, UP};
use crate::call::name::LinkName;
use crate::call::object::{Adjusted, Place, Row, Width};
use crate::call::request::Request;
use crate::call::{Kind, LINK_STATE, OTHER};
use crate::refusal::Refusal;

/// A link.
#[derive(Debug)]
pub(super) struct Link<'a> {
    pub(super) index: i32,
    pub(super) name: Vec<u8>,
    pub(super) seen: Seen<'a>,
    /// Its kind, if it is one that has rows.
    kind: Option<&'static Kind>,
    /// Whether it is a port of a bridge.
    is_port: bool,
}

impl<'a> Link<'a> {
    /// Reads a link; `None` where the message is not as the kernel writes it.
    pub(super) fn read(payload: &'a [u8]) -> Option<Self> {
        Self::begin(payload).filter(|link| link.seen.parses(link.rows()))
    }

    /// Reads what identifies a link. It does not check whether the rest is as the kernel writes it.
    pub(super) fn begin(payload: &'a [u8]) -> Option<Self> {
        let seen = Seen::new(&LINK_STATE, payload)?;
        let index = i32_at(seen.head(4), 0)?;
        let name = until_nul(seen.get(IFNAME)?).to_vec();
        let kind = match LINK_STATE.rows.iter().find(|row| row.field() == Some(&KIND.field)) {
            Some(row) => match seen.value(row)? {
                Some(Decoded::Text(own)) => LINK_STATE.kinds.iter().find(|known| known.name.as_bytes() == own),
                _ => None,
            },
            None => None,
        };
        let is_port = match seen.get(LINKINFO).map(|info| find_in(info, SLAVE_KIND)) {
            Some(found) => found?.is_some_and(|own| until_nul(own) == b"bridge"),
            None => false,
        };
        Some(Self { index, name, seen, kind, is_port })
    }

    /// Takes ownership of the bytes.
    pub(super) fn into_owned(self) -> Link<'static> {
        Link { seen: self.seen.into_owned(), ..self }
    }

    /// Whether it is of this kind.
    pub(super) fn is_kind(&self, kind: &Kind) -> bool {
        self.kind.is_some_and(|own| own.name == kind.name)
    }

    /// The rows of a link of its kind.
    pub(super) fn rows(&self) -> impl Iterator<Item = &'static Row> + Clone + use<> {
        let (tables, is_port) = (self.kind.map_or(OTHER, |kind| kind.tables), self.is_port);
        let applies = move |row: &&Row| is_port || !matches!(row.place, Place::Port(_));
        LINK_STATE.rows.iter().filter(applies).chain(tables.iter().flat_map(|table| table.iter()))
    }

    /// The refusal where the kernel took another value than a requested one; none where the link is as requested in every
    /// field that the kernel may adjust.
    pub(super) fn not_applied(&self, given: &Given) -> Option<Refusal> {
        self.seen.not_applied(self.rows(), given)
    }

    /// The value that a result reports for a field.
    pub(super) fn reported(&self, field: &'static Field) -> Option<Decoded<'_>> {
        self.rows().filter(|row| row.field() == Some(field)).find_map(|row| self.seen.value(row)?)
    }

    /// Whether it is administratively up.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.reported(&UP.field), Some(Decoded::Truth(true)))
    }

    /// Whether this is its own name; the kernel also finds it by its alternative names.
    pub(super) fn is_called(&self, name: &LinkName) -> bool {
        self.name == name.as_str().as_bytes()
    }

    /// The number that a result reports in this member; `None` where it is absent or 0.
    pub(super) fn number(&self, name: &str) -> Option<i32> {
        let row = self.rows().find(|row| row.name() == name)?;
        let number = self.seen.number(row, Width::Four).filter(|number| *number != 0)?;
        i32::try_from(number).ok()
    }

    /// The namespace of its parent or peer, as its own one refers to it.
    pub(super) fn other_netns(&self) -> Nsid {
        self.seen.get(LINK_NETNSID).and_then(|bytes| i32_at(bytes, 0)).map_or(Nsid::Own, Nsid::Number)
    }

    /// Whether its parent or peer is in another namespace.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.other_netns() != Nsid::Own
    }
}

/// `IFLA_LINK_NETNSID`
const LINK_NETNSID: u16 = 37;
/// `IFLA_LINKINFO`, and `IFLA_INFO_SLAVE_KIND` in it.
const LINKINFO: u16 = 18;
const SLAVE_KIND: u16 = 4;

/// Fetches the link that a field names; `None` where no link has this as its own name.
pub(super) fn find(
    netlink: &mut Netlink,
    key: &'static Key<LinkName>,
    request: &Request,
) -> Result<Option<Link<'static>>, Refusal> {
    called(netlink, request.needed(key)?, &key.field)
}

/// Fetches the link that has this as its own name, if there is one.
pub(super) fn called(
    netlink: &mut Netlink,
    name: &LinkName,
    field: &'static Field,
) -> Result<Option<Link<'static>>, Refusal> {
    match netlink.ask(&by_name(name, field)?, "parse a link", |payload| Link::read(payload).map(Link::into_owned)) {
        Ok(found) => Ok(found.into_iter().find(|link| link.is_called(name))),
        Err(TransactionError::Refused { errno: Errno::ENODEV, .. }) => Ok(None),
        Err(failure) => Err(failure.refusal()),
    }
}

/// Whether a link has this name, also as an alternative name.
pub(super) fn is_taken(netlink: &mut Netlink, name: &LinkName) -> Result<bool, Refusal> {
    match netlink.look_up(&LINK.field, name) {
        Ok(_) | Err(Refusal::NoSuchLink { reason: "alternative_name", .. }) => Ok(true),
        Err(Refusal::NoSuchLink { .. }) => Ok(false),
        Err(refusal) => Err(refusal),
    }
}

/// Requires that the kernel took each requested value that it may adjust on an existing link. Without such a value nothing
/// is looked up.
pub(super) fn require_applied(
    netlink: &mut Netlink,
    question: &Message,
    index: i32,
    rows: impl Iterator<Item = &'static Row>,
    given: &Given,
) -> Result<(), Refusal> {
    let is_given = |row: &Row| row.field().is_some_and(|field| given.request.value(field).is_some());
    if !rows.filter(|row| row.adjusted == Adjusted::Always).any(is_given) {
        return Ok(());
    }
    let read = |payload: &[u8]| Link::read(payload).map(Link::into_owned);
    let found = match netlink.ask(question, "parse a link", read) {
        Err(TransactionError::Refused { errno: Errno::ENODEV, .. }) => Vec::new(),
        other => other.map_err(TransactionError::refusal).map_err(Refusal::after_a_change)?,
    };
    match found.first().filter(|link| link.index == index) {
        Some(link) => link.not_applied(given).map_or(Ok(()), Err),
        None => {
            // The link was renamed or removed meanwhile, and the change may have reached the one that took its name.
            netlink.watch.lose(&LINK.field);
            Ok(())
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + payload.len()).unwrap();
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), payload].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// What the kernel reports of every link, and what else there is of this one.
    pub(in super::super) fn link(without: Option<u16>, also: &[u8]) -> Vec<u8> {
        let four = &[0; 4];
        let always: [(u16, &[u8]); 8] =
            [(3, b"v0\0"), (4, four), (13, four), (16, &[6]), (17, &[0]), (27, four), (30, four), (31, four)];
        let given = always.into_iter().filter(|(kind, _)| Some(*kind) != without);
        let attributes = given.flat_map(|(kind, payload)| attribute(kind, payload));
        [0; 16].into_iter().chain(attributes).chain(also.iter().copied()).collect()
    }

    #[test]
    fn what_the_kernel_always_reports_is_never_made_up() {
        assert!(Link::read(&link(None, &[])).is_some());
        for kind in [3, 4, 13, 16, 17, 27, 30, 31] {
            assert!(Link::read(&link(Some(kind), &[])).is_none(), "{kind}");
        }
        assert!(Link::read(&link(Some(4), &attribute(4, &[0; 2]))).is_none());
    }

    /// The order is that of `struct rtnl_link_stats64` in Linux 6.18.
    #[test]
    fn each_counter_is_reported_under_its_name_and_the_last_one_only_by_newer_kernels() {
        let names = "rx_packets tx_packets rx_bytes tx_bytes rx_errors tx_errors rx_dropped tx_dropped multicast \
                     collisions rx_length_errors rx_over_errors rx_crc_errors rx_frame_errors rx_fifo_errors \
                     rx_missed_errors tx_aborted_errors tx_carrier_errors tx_fifo_errors tx_heartbeat_errors \
                     tx_window_errors rx_compressed tx_compressed rx_nohandler rx_otherhost_dropped";
        let names: Vec<&str> = names.split(' ').collect();
        let counters: Vec<u8> = (0..25).flat_map(|n| (u64::MAX - n).to_ne_bytes()).collect();
        for count in [24, 25] {
            let bytes = link(None, &attribute(23, &counters[..count * 8]));
            let link = Link::read(&bytes).unwrap();
            let reported = |name: &str| {
                let row = link.rows().find(|row| row.name() == format!("stats.{name}")).unwrap();
                link.seen.value(row).unwrap().and_then(|value| value.number())
            };
            for (n, name) in (0_u64..).zip(&names) {
                let expected = usize::try_from(n).is_ok_and(|n| n < count).then_some(u64::MAX - n);
                assert_eq!(reported(name), expected, "{name}");
            }
        }
        for bytes in [1, 190, 193] {
            assert!(Link::read(&link(None, &attribute(23, &counters[..bytes]))).is_none(), "{bytes}");
        }
    }

    #[test]
    fn alternative_names_are_a_list_in_the_kernels_order() {
        let reported = |inner: &[u8]| {
            let bytes = link(None, &attribute(52 | 0x8000, inner));
            let link = Link::read(&bytes)?;
            let row = link.rows().find(|row| row.name() == "altnames").unwrap();
            let text = link.seen.value(row).unwrap().map(|value| value.to_string());
            Some(text.unwrap())
        };
        let names = [attribute(53, b"b%\0"), attribute(53, b"a\xff\0")].concat();
        assert_eq!(reported(&names).as_deref(), Some(r#"["b%","a\\xff"]"#));
        assert_eq!(reported(&[9, 0, 53, 0]), None);
    }

    #[test]
    fn a_kind_that_does_not_parse_is_not_taken_for_none() {
        let kind = attribute(1, b"bridge\0");
        let kind_of = |info: &[u8]| Link::read(&link(None, &attribute(18, info))).map(|link| link.kind.unwrap().name);
        assert_eq!(kind_of(&kind), Some("bridge"));
        assert_eq!(kind_of(&kind[..kind.len() - 2]), None);
        assert_eq!(kind_of(&[kind, attribute(2, &[9, 0, 0, 0])].concat()), None);
    }
}
