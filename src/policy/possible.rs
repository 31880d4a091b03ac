// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finds entries that the type of a field allows, but that no request of a call can match, because the call refuses
//! such values. Values that a call refuses because of another field are not considered: some request may have them.
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::constraint::{Entries, Numbers, Prefix, Range, UID};
use crate::call::field::{
    ADDRESS, BOND_ARP_IP_TARGET, BROADCAST, Field, GATEWAY, MTU, NEXTHOPS_GATEWAY, NO_MASTER, PREFERRED_SOURCE, TABLE,
    VXLAN_GROUP, VXLAN_LOCAL, VXLAN_REMOTE,
};
use crate::call::inet::bits;
use crate::call::route::MOST_MTU as MOST_ROUTE_MTU;
use crate::call::types::Type;
use crate::call::{Call, Naming, Use};

/// Why no value of this field of the call matches an entry, as the end of a sentence that begins with the entry; `None`
/// if some value may.
pub(super) fn refusal(call: &Call, used: &Use, entry: &Entries) -> Option<String> {
    let field = used.field();
    match entry {
        Entries::Addresses(ranges) => ranges.iter().find_map(|range| address(call, field, *range)),
        Entries::Numbers(numbers) => numbers.iter().find_map(|numbers| number(call, field, *numbers)),
        Entries::Bools(truths) if *field == NO_MASTER.field && truths.contains(&false) => {
            Some("matches no request; write true".to_owned())
        }
        Entries::Patterns(patterns) if used.naming == Naming::Gives => {
            patterns.iter().find_map(|pattern| new_name(field.ty, pattern))
        }
        Entries::Bools(_) | Entries::Patterns(_) => None,
    }
}

fn address(call: &Call, field: &Field, range: Range) -> Option<String> {
    let network = match range {
        Range::Inside(prefix) | Range::Lengths(prefix, ..) => prefix.network,
        Range::Exactly(address, _) => address,
    };
    let most = bits(network);
    match (call.family(), range) {
        ("Route", Range::Exactly(address, length)) if matches!(field.ty, Type::Prefix) => Some(format!(
            "has host bits, which no route has in `{}`; write `{}/{length}` for the prefix, or `{address}/{most}` for the \
             address",
            field.name,
            Prefix::new(address, length).network
        )),
        ("Neighbour", Range::Exactly(_, length) | Range::Lengths(_, _, length))
            if *field == ADDRESS.field && length < most =>
        {
            Some(format!(
                "has a prefix length, but the address of a neighbour has none; write `{network}/{most}` \
                          for the address"
            ))
        }
        _ if [&BROADCAST.field, &BOND_ARP_IP_TARGET.field].contains(&field) && network.is_ipv6() => {
            Some("is IPv6, but this field holds IPv4 addresses only".to_owned())
        }
        (_, Range::Inside(prefix)) => host(field, prefix),
        _ => None,
    }
}

/// For fields with the address of a host or of a group.
fn host(field: &Field, prefix: Prefix) -> Option<String> {
    let zeros = prefix.network.is_unspecified() && prefix.length == bits(prefix.network);
    let groups = multicast(prefix.network);
    let is_host = [&VXLAN_REMOTE.field, &VXLAN_LOCAL.field].contains(&field);
    let never_zeros = [&GATEWAY.field, &PREFERRED_SOURCE.field, &NEXTHOPS_GATEWAY.field].contains(&field);
    if zeros && (is_host || never_zeros) {
        return Some("is the unspecified address, which no request can have".to_owned());
    }
    if *field == VXLAN_GROUP.field && !groups.overlaps(&prefix) {
        return Some(format!(
            "has no multicast group in it; write a prefix inside `{}/{}`",
            groups.network, groups.length
        ));
    }
    let only_groups = is_host && groups.contains(&prefix);
    only_groups.then(|| "has only multicast groups in it, but this field holds the address of one host".to_owned())
}

/// All multicast groups of a family (RFC 5771, RFC 4291).
fn multicast(of: IpAddr) -> Prefix {
    match of {
        IpAddr::V4(_) => Prefix::new(Ipv4Addr::new(224, 0, 0, 0).into(), 4),
        IpAddr::V6(_) => Prefix::new(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0).into(), 8),
    }
}

fn number(call: &Call, field: &Field, numbers: Numbers) -> Option<String> {
    let most = match call.family() {
        "Route" if *field == TABLE.field => u64::from(u32::MAX),
        "Route" if *field == MTU.field => MOST_ROUTE_MTU,
        _ => return None,
    };
    let Numbers::Between(least_said, most_said) = numbers else { return None };
    (most_said == 0 || least_said > most).then(|| format!("matches no request; write numbers from 1 to {most}"))
}

/// New names have additional conditions. The shortest value that matches a pattern is tried, and a longer one: `1*`
/// matches `1`, which is not a valid new name of a namespace, and `1a`, which is one.
fn new_name(ty: Type, pattern: &str) -> Option<String> {
    let of = |run: &str| {
        let raw = pattern.replace(UID, "0").replace('*', run).replace('?', "a");
        ty.parse(&raw).ok().map(|value| value.require_new_name())
    };
    let tried = [of(""), of("a")];
    let refused = tried.iter().flatten().find_map(|tried| tried.as_ref().err())?;
    let fits = tried.iter().flatten().any(Result::is_ok);
    (!fits).then(|| format!("matches no name that the call accepts: {refused}"))
}
