// SPDX-License-Identifier: Apache-2.0 OR MIT
//! IP addresses and hardware addresses in requests.
#![forbid(unsafe_code)]

use std::fmt;
use std::net::IpAddr;

/// `MAX_ADDR_LEN` (`linux/netdevice.h`).
const MAC_BYTES: usize = 32;
/// The bit that hardware addresses of groups have in their first byte (IEEE 802).
const GROUP: u8 = 1;

/// Parses one IPv4 or IPv6 address without a prefix length.
///
/// # Errors
/// What is wrong: a zone id, an IPv4-mapped address (which would bypass rules on the IPv4 address), or no address.
pub fn address(raw: &str) -> Result<IpAddr, String> {
    if raw.contains('%') {
        return Err("must not have a zone id; give the link in its own field".to_owned());
    }
    match raw.parse::<IpAddr>() {
        Ok(mapped) if is_mapped(mapped) => Err("must not be an IPv4-mapped IPv6 address".to_owned()),
        Ok(address) => Ok(address),
        Err(_) => Err("is not an IPv4 or IPv6 address".to_owned()),
    }
}

/// Parses the address of a gateway, which can also be an IPv4-mapped one.
///
/// # Errors
/// As [`address`].
pub fn gateway(raw: &str) -> Result<IpAddr, String> {
    match raw.parse::<IpAddr>() {
        Ok(mapped) if is_mapped(mapped) => Ok(mapped),
        _ => address(raw),
    }
}

/// Whether it is an IPv4-mapped IPv6 address (`::ffff:192.0.2.1`, RFC 4291).
#[must_use]
pub fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some())
}

/// The number of bits of an address of this family.
#[must_use]
pub fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// An address with a prefix length. Host bits are kept (`10.1.2.3/24`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The address itself.
    pub address: IpAddr,
    /// The prefix length, in bits.
    pub length: u8,
}

impl InterfaceAddress {
    /// Parses `ADDRESS/LENGTH`.
    ///
    /// # Errors
    /// What is wrong. A missing prefix length is refused, because some would expect /32 and others the address class.
    pub fn parse(raw: &str) -> Result<Self, String> {
        let Some((address_part, length_part)) = raw.split_once('/') else {
            let address = address(raw)?;
            return Err(format!("needs a prefix length; one address is `{address}/{}`", bits(address)));
        };
        let address = address(address_part)?;
        let plain =
            length_part.bytes().all(|b| b.is_ascii_digit()) && (length_part == "0" || !length_part.starts_with('0'));
        match length_part.parse::<u8>() {
            Ok(length) if plain && length <= bits(address) => Ok(Self { address, length }),
            _ => Err(format!("must have a prefix length from 0 to {} after the `/`, and nothing else", bits(address))),
        }
    }
}

impl InterfaceAddress {
    /// The same without host bits.
    #[must_use]
    pub fn network(self) -> Self {
        let behind = u32::from(bits(self.address).saturating_sub(self.length));
        let address = match self.address {
            IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) & u32::MAX.checked_shl(behind).unwrap_or(0)).into()),
            IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & u128::MAX.checked_shl(behind).unwrap_or(0)).into()),
        };
        Self { address, length: self.length }
    }
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// A hardware address of 1 to 32 bytes (6 for Ethernet, 20 for InfiniBand), shown in lower case as in iproute2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mac(Vec<u8>);

impl Mac {
    /// Parses pairs of hexadecimal digits, separated by `:`.
    ///
    /// # Errors
    /// What is wrong.
    pub fn parse(raw: &str) -> Result<Self, String> {
        let pair = |part: &str| {
            let plain = part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
            plain.then(|| u8::from_str_radix(part, 16).ok()).flatten()
        };
        let bytes: Option<Vec<u8>> = raw.split(':').map(pair).collect();
        match bytes {
            Some(bytes) if bytes.len() <= MAC_BYTES => Ok(Self(bytes)),
            Some(bytes) => Err(format!("has {} bytes; at most {MAC_BYTES} are allowed", bytes.len())),
            None => Err("is not a hardware address such as `fa:16:3e:00:00:01`".to_owned()),
        }
    }

    /// The address, byte by byte.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it stands for several hosts: it is the address of a group, or all zeros, which forwarding databases have for
    /// all unknown addresses.
    #[must_use]
    pub fn is_of_several(&self) -> bool {
        self.0.first().is_some_and(|first| first & GROUP != 0) || self.0.iter().all(|byte| *byte == 0)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// Bytes as pairs of hexadecimal digits, separated by `:`.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
    pairs.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_address_keeps_its_host_bits() {
        assert_eq!(InterfaceAddress::parse("10.1.2.3/24").unwrap().to_string(), "10.1.2.3/24");
        assert_eq!(InterfaceAddress::parse("2001:DB8::1/64").unwrap().to_string(), "2001:db8::1/64");
        for bad in ["10.0.0.1", "10.0.0.1/33", "10.0.0.1/024", "10.0.0.1/+8", "10.0.0.1/", "010.0.0.1/8", "10.0.0/8"] {
            assert!(InterfaceAddress::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_address_has_one_name() {
        assert!(address("::ffff:10.0.0.1").unwrap_err().contains("IPv4-mapped"));
        assert!(address("fe80::1%eth0").unwrap_err().contains("zone"));
        assert_eq!(address("::1").unwrap().to_string(), "::1");
    }

    #[test]
    fn a_mac_is_shown_in_lower_case() {
        assert_eq!(Mac::parse("FA:16:3e:00:00:01").unwrap().to_string(), "fa:16:3e:00:00:01");
        for bad in ["", "fa-16", "fa:1", "+1:00", "fa:16:", "0:0"] {
            assert!(Mac::parse(bad).is_err(), "{bad}");
        }
        assert!(Mac::parse(&["00"; 33].join(":")).is_err());
    }
}
