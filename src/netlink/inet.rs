// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Addresses and address families as netlink encodes them (rtnetlink(7)).
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::answer::at;
use crate::call::inet::InterfaceAddress;

/// `AF_INET` (`linux/socket.h`).
pub(super) const INET: u8 = 2;
/// `AF_INET6`
pub(super) const INET6: u8 = 10;

pub(super) fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { INET } else { INET6 }
}

pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// Decodes an address of either family: 4 bytes are IPv4, 16 bytes are IPv6.
pub(super) fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::from(at::<4>(bytes, 0)?)),
        16 => Some(IpAddr::from(at::<16>(bytes, 0)?)),
        _ => None,
    }
}

/// The prefix of length 0, which holds all addresses of a family. `None` for other families.
pub(super) fn all(family: u8) -> Option<InterfaceAddress> {
    let address = match family {
        INET => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        INET6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    Some(InterfaceAddress { address, length: 0 })
}
