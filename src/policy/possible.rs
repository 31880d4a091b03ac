// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finds entries that the type of a field allows, but that no request of a call can match, because the call refuses
//! such values. Values that a call refuses because of another field are not considered: some request may have them.
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::constraint::{Entries, Numbers, Prefix, Range, UID, matches};
use crate::call::field::{
    BOND_ARP_IP_TARGET, BROADCAST, ENCAP_DESTINATION, ENCAP_SOURCE, Field, GATEWAY, GENEVE_REMOTE, NEXTHOPS_GATEWAY,
    PREFERRED_SOURCE, REMOTE, SOURCE, TUNNEL_LOCAL, TUNNEL_REMOTE, VXLAN_GROUP, VXLAN_LOCAL, VXLAN_REMOTE,
};
use crate::call::inet::bits;
use crate::call::types::{Only, Type};
use crate::call::{Call, Naming, Use};

/// Why no value of this field of the call matches an entry, as the end of a sentence that begins with the entry; `None`
/// if some value may.
pub(super) fn refusal(call: &Call, used: &Use, entry: &Entries) -> Option<String> {
    let field = used.field();
    match entry {
        Entries::Addresses(ranges) => {
            ranges.iter().find_map(|range| addresses(used.only, *range).or_else(|| address(call, field, *range)))
        }
        Entries::Numbers(numbers) => numbers.iter().find_map(|numbers| number(used, *numbers)),
        Entries::Bools(truths) if used.only == Only::True && truths.contains(&false) => {
            Some("matches no request; write true".to_owned())
        }
        Entries::Bools(_) => None,
        Entries::Patterns(patterns) => patterns.iter().find_map(|pattern| {
            let refused = kind(call, field, pattern).or_else(|| name(call, used.only, pattern));
            refused.or_else(|| (used.naming == Naming::Gives).then(|| new_name(field.ty, pattern)).flatten())
        }),
    }
}

/// Why `"*"` in an allow matches no request: neither it nor a pattern covers an `@` word.
pub(super) fn of_anything(call: &Call, used: &Use) -> Option<String> {
    (used.only == Only::Host).then(|| host_only(call))
}

fn host_only(call: &Call) -> String {
    format!("matches no request: {} accepts `@host` only, which no pattern covers; write `@host`", call.name)
}

/// A kind that the call does not have.
fn kind(call: &Call, field: &Field, pattern: &str) -> Option<String> {
    let is_other = call.kinds.by == Some(field)
        && call.varieties().all(|kind| kind.is_some_and(|kind| !matches(pattern, kind.name)));
    is_other.then(|| format!("is not a kind that {} takes", call.name))
}

/// Names, and hardware addresses.
fn name(call: &Call, only: Only, pattern: &str) -> Option<String> {
    match only {
        Only::Host => (pattern != "@host").then(|| host_only(call)),
        Only::Named => (pattern == "@host").then(|| format!("matches no request: {} does not accept it", call.name)),
        Only::Bytes(bytes) => {
            let (length, most) = (pattern.replace('*', "").len(), bytes * 3 - 1);
            let fits = if pattern.contains('*') { length <= most } else { length == most };
            (!fits).then(|| format!("matches no request: {} accepts hardware addresses of {bytes} bytes", call.name))
        }
        Only::Several => name(call, Only::Bytes(6), pattern).or_else(|| {
            let first = pattern.get(..2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
            let is_of_one = first.is_some_and(|first| first & 1 == 0 && first != 0);
            is_of_one.then(|| format!("matches no request: {} accepts addresses of groups, and zeros", call.name))
        }),
        _ => None,
    }
}

/// What a call accepts only with or without a prefix length.
fn addresses(only: Only, range: Range) -> Option<String> {
    let (network, longest) = match range {
        Range::Inside(Prefix { network, .. }) => (network, bits(network)),
        Range::Lengths(Prefix { network, .. }, _, longest) | Range::Exactly(network, longest) => (network, longest),
    };
    let most = bits(network);
    let is_zeros = match range {
        Range::Inside(prefix) | Range::Lengths(prefix, ..) => prefix.length == most && network.is_unspecified(),
        Range::Exactly(..) => false, // it has host bits
    };
    match only {
        Only::OfLink | Only::Single if is_zeros => {
            Some("is the unspecified address, which no request can have".to_owned())
        }
        Only::Single if longest < most => {
            Some(format!("has a prefix length, but this call takes single addresses; write `{network}/{most}`"))
        }
        Only::WithoutLength if longest < most => Some(format!(
            "has a prefix length, but the address of a neighbour has none; write `{network}/{most}` for the address"
        )),
        _ => None,
    }
}

fn address(call: &Call, field: &Field, range: Range) -> Option<String> {
    let network = match range {
        Range::Inside(prefix) | Range::Lengths(prefix, ..) => prefix.network,
        Range::Exactly(address, _) => address,
    };
    let most = bits(network);
    match (call.family(), range) {
        ("Route", _) if *field == SOURCE.field && network.is_ipv4() && call.name != "Route.Get" => {
            Some("is IPv4, but only IPv6 routes have a source".to_owned())
        }
        ("Route", Range::Exactly(address, length)) if matches!(field.ty, Type::Prefix) => Some(format!(
            "has host bits, which no route has in `{}`; write `{}/{length}` for the prefix, or `{address}/{most}` for the \
             address",
            field.name,
            Prefix::new(address, length).network
        )),
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
    let hosts =
        [&VXLAN_REMOTE.field, &VXLAN_LOCAL.field, &GENEVE_REMOTE.field, &TUNNEL_LOCAL.field, &TUNNEL_REMOTE.field];
    let others = [
        &GATEWAY.field,
        &PREFERRED_SOURCE.field,
        &NEXTHOPS_GATEWAY.field,
        &ENCAP_DESTINATION.field,
        &ENCAP_SOURCE.field,
        &REMOTE.field,
    ];
    let (is_host, never_zeros) = (hosts.contains(&field), others.contains(&field));
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

fn number(used: &Use, numbers: Numbers) -> Option<String> {
    let (Numbers::Between(from, to), Type::Number(least, most) | Type::Range(least, most)) = (numbers, used.ty())
    else {
        return None;
    };
    let (first, last) = (from.max(least), to.min(most));
    match used.only {
        Only::MultiplesOf(factor) if first.next_multiple_of(factor) > last => {
            Some(format!("matches no request; write multiples of {factor}"))
        }
        _ if first > last => Some(format!("matches no request; write numbers from {least} to {most}")),
        _ => None,
    }
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
