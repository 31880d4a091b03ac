// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Checks of fields that depend on each other, before the request is judged: what several families' `settle` share.
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::field::{FAMILY, Field};
use super::inet::InterfaceAddress;
use super::request::{Invalid, Request};
use super::types::{DEFAULT, Type};
use super::value::Value;

/// Requires that `family` and the addresses of `fields` have one family, and returns it. `default` is replaced by the
/// prefix of all addresses of that family, or of IPv4 if nothing else gives a family (as in iproute2).
pub(super) fn one_family(request: &mut Request, fields: &[&'static Field]) -> Result<Option<&'static str>, Invalid> {
    let mut family = request.get(&FAMILY).copied();
    for field in fields {
        let Some(own) = request.value(field).and_then(family_of) else { continue };
        match family {
            Some(family) if family != own => {
                let why = format!("is of family {own}, but the request is of family {family}");
                return Err(Invalid::new(field.name, why));
            }
            _ => family = Some(own),
        }
    }
    for field in fields.iter().filter(|field| matches!(field.ty, Type::Prefix)) {
        if request.value(field) == Some(&Value::Word(DEFAULT)) {
            request.settle(field, all_of(family.get_or_insert("inet")));
        }
    }
    Ok(family)
}

/// The family of an address; `None` for other values.
pub(super) fn family_of(value: &Value) -> Option<&'static str> {
    let address = match value {
        Value::Address(address) => address,
        Value::InterfaceAddress(InterfaceAddress { address, .. }) => address,
        _ => return None,
    };
    Some(if address.is_ipv4() { "inet" } else { "inet6" })
}

/// The prefix of all addresses of a family.
pub(super) fn all_of(family: &str) -> Value {
    let address = if family == "inet" { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    Value::InterfaceAddress(InterfaceAddress { address, length: 0 })
}
