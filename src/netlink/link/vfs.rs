// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The virtual functions of a link (SR-IOV; `IFLA_VFINFO_LIST`, `linux/if_link.h`).
#![forbid(unsafe_code)]

use super::super::answer::{attributes, u32_at};
use super::super::rows::{LinkNames, Members, Seen, unparsed};
use super::STEP;
use crate::call::VF_STATE;
use crate::refusal::Refusal;

/// `IFLA_ADDRESS`
const ADDRESS: u16 = 1;
/// `IFLA_VFINFO_LIST`, and `IFLA_VF_INFO` in it.
const LIST: u16 = 22;
const INFO: u16 = 1;
/// `IFLA_VF_MAC`, `IFLA_VF_SPOOFCHK`, `IFLA_VF_TRUST`: the number of the virtual function, and the value.
const MAC: u16 = 1;
const SPOOFCHK: u16 = 4;
const TRUST: u16 = 9;
const NUMBER_BYTES: usize = 4;

/// Writes what a result reports of the virtual functions of a link, if it has any.
///
/// # Errors
/// [`Refusal::SystemError`] where the message is not as the kernel writes it.
pub(super) fn report(link: &Seen<'_>, names: &mut dyn LinkNames, members: &mut Members<'_>) -> Result<(), Refusal> {
    let vfs = read(link).ok_or_else(|| unparsed(STEP))?;
    if vfs.is_empty() {
        return Ok(());
    }
    members.list("vfs", &vfs, |vf, members| vf.report(VF_STATE.rows, "vf.", STEP, names, members))
}

/// The virtual functions in the kernel's order; `None` where they do not parse.
fn read<'l>(link: &'l Seen<'_>) -> Option<Vec<Seen<'l>>> {
    let mac_bytes = link.get(ADDRESS).map_or(0, <[u8]>::len);
    let mut vfs = Vec::new();
    for attribute in attributes(link.get(LIST).unwrap_or_default()) {
        let (kind, payload) = attribute?;
        if kind == INFO {
            vfs.push(read_one(payload, mac_bytes)?);
        }
    }
    Some(vfs)
}

/// One virtual function. The room for its address is as long as the longest address. The address is as long as that of
/// the link, as in iproute2. The kernel reports -1 for what the driver does not (`rtnl_fill_vfinfo`).
fn read_one(payload: &[u8], mac_bytes: usize) -> Option<Seen<'_>> {
    let mut vf = Seen::new(&VF_STATE, payload)?;
    if let Some(mac) = vf.get(MAC) {
        let mac = mac.get(NUMBER_BYTES..NUMBER_BYTES + mac_bytes)?.to_vec();
        vf.instead(MAC, Some(mac).filter(|mac| !mac.is_empty()));
    }
    for unknown in [SPOOFCHK, TRUST] {
        if vf.get(unknown).and_then(|bytes| u32_at(bytes, NUMBER_BYTES)) == Some(u32::MAX) {
            vf.instead(unknown, None);
        }
    }
    Some(vf)
}

/// No driver with virtual functions is at hand, so the bytes are made as `rtnl_fill_vfinfo` makes them.
#[cfg(test)]
mod tests {
    use super::super::seen::Link;
    use super::super::seen::tests::{attribute, link};
    use super::*;

    struct Nameless;

    impl LinkNames for Nameless {
        fn name(&mut self, _index: i32) -> Result<Option<&str>, Refusal> {
            Ok(None)
        }
    }

    /// An attribute with numbers of 32 bits.
    fn numbers(kind: u16, numbers: &[u32]) -> Vec<u8> {
        attribute(kind, &numbers.iter().flat_map(|number| number.to_ne_bytes()).collect::<Vec<_>>())
    }

    /// `IFLA_VF_INFO`: everything that Linux 6.18 writes without counters.
    fn vf(index: u32, mac: u8, vlan: [u32; 2], rate: [u32; 2], spoofchk: u32, link_state: u32, trust: u32) -> Vec<u8> {
        let room = |first: u8| [&[first; 6][..], &[0; 26]].concat();
        let parts = [
            attribute(1, &[&index.to_ne_bytes()[..], &room(mac)].concat()),
            attribute(13, &room(0xff)), // IFLA_VF_BROADCAST
            numbers(2, &[index, vlan[0], vlan[1]]),
            numbers(6, &[index, rate[0], rate[1]]),
            numbers(3, &[index, rate[1]]), // IFLA_VF_TX_RATE
            numbers(4, &[index, spoofchk]),
            numbers(5, &[index, link_state]),
            numbers(7, &[index, u32::MAX]), // IFLA_VF_RSS_QUERY_EN
            numbers(9, &[index, trust]),
            // IFLA_VF_VLAN_LIST with one IFLA_VF_VLAN_INFO: number, VLAN, priority, protocol 802.1Q.
            attribute(
                12,
                &attribute(1, &[&index.to_ne_bytes()[..], &[7, 0, 0, 0], &[3, 0, 0, 0], &[0x81, 0, 0, 0]].concat()),
            ),
        ];
        attribute(1, &parts.concat())
    }

    fn reported(also: &[u8]) -> Result<String, Refusal> {
        let bytes = link(None, also);
        let link = Link::begin(&bytes).unwrap();
        let mut text = String::new();
        let mut members = Members::begin(&mut text);
        report(&link.seen, &mut Nameless, &mut members)?;
        members.end();
        Ok(text)
    }

    fn with(vfs: &[Vec<u8>]) -> Vec<u8> {
        [attribute(1, &[2; 6]), numbers(21, &[2]), attribute(22, &vfs.concat())].concat()
    }

    #[test]
    fn each_virtual_function_is_reported_with_all_that_the_kernel_knows() {
        let one = vf(0, 0x02, [7, 3], [10, 1000], 1, 1, 1);
        let other = vf(1, 0x00, [0, 0], [0, 0], 0, 2, 0);
        let expected = concat!(
            r#"{"vfs":[{"index":0,"mac":"02:02:02:02:02:02","vlan":7,"qos":3,"rate_min":10,"rate_max":1000,"#,
            r#""spoofchk":true,"link_state":"enable","trust":true},"#,
            r#"{"index":1,"mac":"00:00:00:00:00:00","vlan":0,"qos":0,"rate_min":0,"rate_max":0,"#,
            r#""spoofchk":false,"link_state":"disable","trust":false}]}"#
        );
        assert_eq!(reported(&with(&[one, other])).unwrap(), expected);
    }

    #[test]
    fn what_the_driver_does_not_report_is_absent() {
        let unknown = vf(3, 0x02, [0, 0], [0, 0], u32::MAX, 0, u32::MAX);
        let expected = concat!(
            r#"{"vfs":[{"index":3,"mac":"02:02:02:02:02:02","vlan":0,"qos":0,"rate_min":0,"rate_max":0,"#,
            r#""link_state":"auto"}]}"#
        );
        assert_eq!(reported(&with(std::slice::from_ref(&unknown))).unwrap(), expected);
        // A link without a hardware address has virtual functions without one.
        let bare = attribute(22, &unknown);
        assert!(!reported(&bare).unwrap().contains("mac"));
    }

    #[test]
    fn a_link_without_virtual_functions_has_no_list() {
        assert_eq!(reported(&[]).unwrap(), "{}");
        assert_eq!(reported(&with(&[])).unwrap(), "{}");
    }

    #[test]
    fn virtual_functions_that_do_not_parse_are_an_error() {
        let whole = vf(0, 0x02, [7, 3], [10, 1000], 1, 1, 1);
        let without_vlan = attribute(1, &numbers(5, &[0, 1]));
        let short_mac = attribute(1, &[attribute(1, &[0; 8]), numbers(2, &[0, 0, 0])].concat());
        let short_rate = attribute(1, &[numbers(2, &[0, 0, 0]), attribute(6, &[0; 10])].concat());
        for bad in [without_vlan, short_mac, short_rate, whole[..whole.len() - 4].to_vec()] {
            assert!(reported(&with(std::slice::from_ref(&bad))).is_err(), "{bad:?}");
        }
    }
}
