// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Addresses, families and scopes as netlink has them (rtnetlink(7)).
#![forbid(unsafe_code)]

use std::net::IpAddr;

use neli::consts::rtnl::RtAddrFamily;

use super::answer::at;

pub(super) fn family(address: IpAddr) -> RtAddrFamily {
    if address.is_ipv4() { RtAddrFamily::Inet } else { RtAddrFamily::Inet6 }
}

pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// An address of either family, by its length.
pub(super) fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::from(at::<4>(bytes, 0)?)),
        16 => Some(IpAddr::from(at::<16>(bytes, 0)?)),
        _ => None,
    }
}

/// The kernel's number of a scope (`RT_SCOPE_…`).
pub(super) fn scope_number(word: &str) -> u8 {
    match word {
        "site" => 200,
        "link" => 253,
        "host" => 254,
        "nowhere" => 255,
        _ => 0,
    }
}
