// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How fields of a call decide each other, before anything is judged: parts that several families' `settle` share.
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Use;
use super::field::{Alone, FAMILY, Field};
use super::inet::InterfaceAddress;
use super::request::{Invalid, Request};
use super::types::{DEFAULT, Type};
use super::value::{Element, Value};

/// What can be said by a list or by fields of its own is said in one way only: a list of one becomes these fields
/// ([`Alone`]).
pub(super) fn lists_of_one(request: &mut Request, uid: u32) -> Result<(), Invalid> {
    let (call, kind) = (request.call(), request.kind());
    for list in call.uses(kind).filter(|used| matches!(used.field.ty, Type::List(_))).map(|used| used.field) {
        let inside: Vec<&Use> = call.uses(kind).filter(|used| used.inside == Some(list)).collect();
        let fits = |used: &&Use| match used.field.alone {
            Some(Alone::Field(outside)) => call.uses(kind).any(|used| used.field == outside),
            Some(Alone::Always(_)) => true,
            None => false,
        };
        let Some(Value::List(elements)) = request.value(list) else { continue };
        if let (true, [one]) = (inside.iter().all(fits), elements.as_slice()) {
            let one = one.clone();
            request.remove(list);
            settle_one(request, list, &inside, &one, uid)?;
        }
    }
    Ok(())
}

/// Of two fields that are not given together, the one that is given takes the place of the other, whose absence leaves
/// nothing open then; nor does it have a default.
pub(super) fn one_of_two(request: &mut Request, uid: u32) {
    for (one, other, _) in request.call().excludes {
        for (given, absent) in [(one, other), (other, one)] {
            if request.carries(given, uid) {
                request.remove(absent);
                request.close(absent, given);
            }
        }
    }
}

/// Gives the fields outside of a list what its only element says.
fn settle_one(
    request: &mut Request,
    list: &'static Field,
    inside: &[&Use],
    one: &Element,
    uid: u32,
) -> Result<(), Invalid> {
    let mut says = false;
    for used in inside {
        let Some(value) = one.value(used.field) else { continue };
        match used.field.alone {
            Some(Alone::Field(outside)) => {
                says |= used.absence.constant(uid).as_ref() != Some(value);
                request.settle(outside, value.clone());
            }
            Some(Alone::Always(constant)) if constant.value(uid) == *value => {}
            Some(Alone::Always(constant)) => {
                let why = format!("is {value}, but must be {} in a list of one element", constant.value(uid));
                return Err(Invalid::new(used.field.name, why));
            }
            None => {}
        }
    }
    if says { Ok(()) } else { Err(Invalid::new(list.name, "has one element, which says nothing: leave it out")) }
}

/// `family` and the addresses of `fields` must be of one family; `default` among them becomes that family's prefix of
/// all addresses, IPv4's where nothing else says (as iproute2 has it). The family, where something says it.
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

/// Each of these addresses that is given must have the length of its prefix: /32 and the class of old are both expected
/// by someone.
pub(super) fn with_length(request: &Request, fields: &[&'static Field]) -> Result<(), Invalid> {
    for field in fields {
        if let Some(bare @ Value::Address(_)) = request.value(field) {
            let why = format!("`{bare}` lacks the length of its prefix, as in `10.0.0.1/24`");
            return Err(Invalid::new(field.name, why));
        }
    }
    Ok(())
}

/// None of these addresses has a prefix length: the call is about the address alone.
pub(super) fn without_length(request: &Request, fields: &[&'static Field]) -> Result<(), Invalid> {
    for field in fields {
        if let Some(long @ Value::InterfaceAddress(InterfaceAddress { address, .. })) = request.value(field) {
            let why = format!("`{long}` has a prefix length, but one address is meant; write `{address}`");
            return Err(Invalid::new(field.name, why));
        }
    }
    Ok(())
}

/// The family of an address; `None` of anything else.
pub(super) fn family_of(value: &Value) -> Option<&'static str> {
    let address = match value {
        Value::Address(address) => address,
        Value::InterfaceAddress(InterfaceAddress { address, .. }) => address,
        _ => return None,
    };
    Some(if address.is_ipv4() { "inet" } else { "inet6" })
}

/// All addresses of a family.
pub(super) fn all_of(family: &str) -> Value {
    let address = if family == "inet" { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    Value::InterfaceAddress(InterfaceAddress { address, length: 0 })
}
