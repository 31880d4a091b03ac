// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Checks of routes before the request is judged: what the kernel would ignore or interpret differently is refused, and what
//! follows from other fields is filled in.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use super::super::field::{
    DESTINATION, ENCAP_DESTINATION, ENCAP_ID, ENCAP_KIND, ENCAP_LABELS, ENCAP_SOURCE, ENCAP_TOS, ENCAP_TTL, EXISTS_OK,
    EXPIRES, FAMILY, Field, GATEWAY, LINK, METRIC, MTU, MTU_LOCK, NEXTHOP_ID, NEXTHOPS, NEXTHOPS_GATEWAY,
    NEXTHOPS_LINK, NEXTHOPS_ONLINK, NEXTHOPS_WEIGHT, ONE_NEXTHOP, ONLINK, PREF, PREFERRED_SOURCE, PROTOCOL, ROUTE_TYPE,
    SCOPE, SOURCE, TOS,
};
use super::super::inet::is_mapped;
use super::super::request::{Invalid, Request};
use super::super::settle::{all_of, family_of, one_family};
use super::super::types::DEFAULT;
use super::super::value::{Element, Value, in_element};
use super::{BOOT, IPV6_METRIC};

/// What a route has by its nexthop object. The route type of a blackhole is `blackhole`.
static OF_ITS_OBJECT: &[&Field] = &[
    &GATEWAY.field,
    &LINK.field,
    &ONLINK.field,
    &ROUTE_TYPE.field,
    &NEXTHOPS.field,
    &NEXTHOPS_GATEWAY.field,
    &NEXTHOPS_LINK.field,
    &NEXTHOPS_WEIGHT.field,
    &NEXTHOPS_ONLINK.field,
    &ENCAP_KIND.field,
    &ENCAP_ID.field,
    &ENCAP_DESTINATION.field,
    &ENCAP_SOURCE.field,
    &ENCAP_TTL.field,
    &ENCAP_TOS.field,
    &ENCAP_LABELS.field,
];

/// The fields of an encapsulation, and the kinds that have them.
static OF_ENCAPSULATIONS: &[(&Field, &[&str])] = &[
    (&ENCAP_ID.field, &["ip", "ip6"]),
    (&ENCAP_DESTINATION.field, &["ip", "ip6"]),
    (&ENCAP_SOURCE.field, &["ip", "ip6"]),
    (&ENCAP_TTL.field, &["mpls", "ip", "ip6"]),
    (&ENCAP_TOS.field, &["ip", "ip6"]),
    (&ENCAP_LABELS.field, &["mpls"]),
];

fn invalid<T>(field: &Field, reason: impl Into<String>) -> Result<T, Invalid> {
    Err(Invalid::new(field.name, reason))
}

/// Checks what all calls of the family share: one address family, a prefix without host bits, a valid table.
fn can_be_named(request: &mut Request) -> Result<Option<&'static str>, Invalid> {
    let is_default = request.value(&DESTINATION.field) == Some(&Value::Word(DEFAULT));
    if let (true, None, Some(family)) = (is_default, request.get(&FAMILY), gateway_family(request)) {
        request.settle(&DESTINATION.field, all_of(family));
    }
    let family = one_family(request, &[&DESTINATION.field, &SOURCE.field, &PREFERRED_SOURCE.field])?;
    for key in [&DESTINATION, &SOURCE] {
        if let Some(prefix) = request.get(key).filter(|prefix| prefix.network() != **prefix) {
            return invalid(&key.field, format!("`{prefix}` has host bits; write `{}`", prefix.network()));
        }
    }
    has_no_zeros(request)?;
    is_mapped_in_ipv6_only(request, family)?;
    has_what_its_encapsulation_has(request)?;
    Ok(family)
}

/// An IPv4-mapped gateway stands for a router that is also known by its IPv4 address, so a deny on gateways is met whichever
/// of the two it names.
fn is_mapped_in_ipv6_only(request: &mut Request, family: Option<&'static str>) -> Result<(), Invalid> {
    let of_one = request.get(&GATEWAY).map(|gateway| (&GATEWAY.field, *gateway));
    let of_hops = hops(request).iter().filter_map(|hop| Some((&NEXTHOPS_GATEWAY.field, *hop.get(&NEXTHOPS_GATEWAY)?)));
    let mapped: Vec<_> = of_one.into_iter().chain(of_hops).filter(|(_, gateway)| is_mapped(*gateway)).collect();
    for (field, gateway) in mapped {
        if family == Some("inet") {
            return invalid(
                field,
                format!("`{gateway}` is an IPv4-mapped address, which only IPv6 routes have as a gateway"),
            );
        }
        request.open(field);
    }
    Ok(())
}

/// Refuses fields of another kind of encapsulation than the given one. The kernel would ignore them, or take them for
/// something else.
fn has_what_its_encapsulation_has(request: &Request) -> Result<(), Invalid> {
    let kind = request.get(&ENCAP_KIND).copied();
    for (field, kinds) in OF_ENCAPSULATIONS.iter().filter(|(field, _)| request.value(field).is_some()) {
        match kind {
            None => return invalid(field, "needs `encap.kind`"),
            Some(kind) if !kinds.contains(&kind) => {
                return invalid(field, format!("does not apply to the kind `{kind}`"));
            }
            Some(_) => {}
        }
    }
    for key in [&ENCAP_DESTINATION, &ENCAP_SOURCE] {
        if let Some(address) = request.get(key).filter(|address| address.is_ipv4() != (kind == Some("ip"))) {
            let needed = if address.is_ipv4() { "ip" } else { "ip6" };
            return invalid(&key.field, format!("`{address}` needs the kind `{needed}`"));
        }
    }
    if request.get(&ENCAP_TTL) == Some(&0) && kind != Some("mpls") {
        return invalid(&ENCAP_TTL.field, "must not be 0; leave it out, and the kernel chooses it");
    }
    Ok(())
}

/// Requires what a new route with an encapsulation needs. The kernel ignores an encapsulation of other types of route, and
/// one without any attribute.
fn can_be_encapsulated(request: &Request) -> Result<(), Invalid> {
    let Some(kind) = request.get(&ENCAP_KIND) else { return Ok(()) };
    if request.get(&ROUTE_TYPE).is_some_and(|own| *own != "unicast") {
        return invalid(&ENCAP_KIND.field, NO_NEXT_HOPS);
    }
    let needed = if *kind == "mpls" { &ENCAP_LABELS.field } else { &ENCAP_DESTINATION.field };
    if request.value(needed).is_none() {
        return invalid(needed, format!("is missing; the kind `{kind}` needs it"));
    }
    Ok(())
}

/// Refuses the unspecified address, which the kernel takes for no address.
fn has_no_zeros(request: &Request) -> Result<(), Invalid> {
    let of_one = [&GATEWAY, &PREFERRED_SOURCE, &ENCAP_DESTINATION, &ENCAP_SOURCE]
        .into_iter()
        .map(|key| (&key.field, request.get(key)));
    let of_hops = hops(request).iter().map(|hop| (&NEXTHOPS_GATEWAY.field, hop.get(&NEXTHOPS_GATEWAY)));
    let zeros = |(field, address): (_, Option<&IpAddr>)| address.filter(|a| a.is_unspecified()).map(|a| (field, *a));
    if let Some((field, address)) = of_one.chain(of_hops).find_map(zeros) {
        return invalid(
            field,
            format!(
                "`{address}` is the unspecified address, which the kernel ignores; leave it \
                                       out"
            ),
        );
    }
    Ok(())
}

/// The family of the first gateway: iproute2 also uses it as the family of `default`.
fn gateway_family(request: &Request) -> Option<&'static str> {
    let of_hops = hops(request).iter().find_map(|hop| hop.value(&NEXTHOPS_GATEWAY.field));
    request.value(&GATEWAY.field).or(of_hops).and_then(family_of)
}

fn hops(request: &Request) -> &[Element] {
    request.get(&NEXTHOPS).map_or(&[], Vec::as_slice)
}

/// Refuses what the kernel would ignore or interpret differently, before the request is judged.
pub(super) fn can_be_made(request: &mut Request) -> Result<(), Invalid> {
    let family = can_be_named(request)?;
    let goes_nowhere = leads_as_its_type_does(request)?;
    if request.get(&NEXTHOP_ID).is_some() {
        OF_ITS_OBJECT.iter().for_each(|field| request.open(field));
        request.open(&NEXTHOP_ID.field); // a group also leads where its members do
    }
    if request.is_set(&ONLINK) && request.get(&GATEWAY).is_none() {
        return invalid(&ONLINK.field, "needs a gateway");
    }
    if request.is_set(&MTU_LOCK) && request.get(&MTU).is_none() {
        return invalid(&MTU_LOCK.field, "needs `mtu`");
    }
    if request.is_set(&EXISTS_OK) && request.get(&EXPIRES).is_some() {
        return invalid(&EXPIRES.field, "cannot be given together with `exists_ok`: the time of a route runs down");
    }
    can_be_encapsulated(request)?;
    for (at, hop) in hops(request).iter().enumerate() {
        is_a_way(hop).map_err(|Invalid { field, reason }| Invalid { field, reason: in_element(at, &reason) })?;
    }
    can_be_of_its_family(request, family)?;
    is_for_all_sources_by_default(request, family);
    request.follow(&METRIC.field, Value::Number(if family == Some("inet6") { IPV6_METRIC } else { 0 }));
    if goes_nowhere {
        request.close(&LINK.field, &ROUTE_TYPE.field); // there is no link for the kernel to choose
    }
    Ok(())
}

/// Refuses filters that no route can match, with the same errors as the calls that would add such a route.
pub(super) fn can_be_found(request: &mut Request) -> Result<(), Invalid> {
    let family = can_be_named(request)?;
    leads_nowhere_that_is_reported(request)?;
    can_be_of_its_family(request, family)
}

/// Refuses filters on the next hops of a type that has none. A nexthop object can be a blackhole, so `nexthop_id` is not
/// refused. The kernel reports the loopback device as the link of IPv6 routes of these types and of blackholes by a
/// nexthop object. Which device that is, only the system knows, so `link` is checked when it is looked up.
fn leads_nowhere_that_is_reported(request: &Request) -> Result<(), Invalid> {
    if !leads_nowhere_by_type(request) {
        return Ok(());
    }
    match [&GATEWAY.field, &NEXTHOPS.field].into_iter().find(|field| request.value(field).is_some()) {
        Some(field) => invalid(field, NO_NEXT_HOPS),
        None => Ok(()),
    }
}

/// Whether the request gives a type of route that has no next hops, such as `blackhole`.
pub(crate) fn leads_nowhere_by_type(request: &Request) -> bool {
    let own = request.get(&ROUTE_TYPE);
    own.is_some_and(|own| !matches!(*own, "unicast" | "local" | "broadcast"))
}

/// Why a field of a next hop is refused.
pub(crate) const NO_NEXT_HOPS: &str = "does not apply to this `route_type`";

/// Refuses filters that no route can match, and fills in the source.
pub(super) fn can_be_deleted(request: &mut Request) -> Result<(), Invalid> {
    can_be_found(request)?;
    let family = request.value(&DESTINATION.field).and_then(family_of);
    is_for_all_sources_by_default(request, family);
    if request.is_set(&ONE_NEXTHOP) {
        is_about_one_next_hop(request, family)?;
    }
    Ok(())
}

/// Requires the gateway: by it the kernel takes out one next hop, and without it all. What the other next hops are is open.
fn is_about_one_next_hop(request: &mut Request, family: Option<&'static str>) -> Result<(), Invalid> {
    if family == Some("inet") {
        return invalid(
            &ONE_NEXTHOP.field,
            "applies to IPv6 routes only; replace an IPv4 route by one with fewer next hops",
        );
    }
    if request.get(&GATEWAY).is_none() {
        return invalid(&ONE_NEXTHOP.field, "needs `gateway`");
    }
    for field in [&ONLINK.field, &NEXTHOP_ID.field, &ENCAP_KIND.field] {
        if request.value(field).is_some() {
            return invalid(field, format!("does not apply with `{}`", ONE_NEXTHOP.field.name));
        }
    }
    let of_hops = [
        &NEXTHOPS.field,
        &NEXTHOPS_GATEWAY.field,
        &NEXTHOPS_LINK.field,
        &NEXTHOPS_WEIGHT.field,
        &NEXTHOPS_ONLINK.field,
    ];
    of_hops.into_iter().for_each(|field| request.open(field));
    Ok(())
}

/// Requires addresses of one family.
pub(super) fn can_be_looked_up(request: &mut Request) -> Result<(), Invalid> {
    one_family(request, &[&DESTINATION.field, &SOURCE.field]).map(|_| ())
}

/// An IPv6 route without a source prefix is for packets of all sources.
fn is_for_all_sources_by_default(request: &mut Request, family: Option<&str>) {
    if family == Some("inet6") {
        request.follow(&SOURCE.field, all_of("inet6"));
    }
}

/// `link` says that the only next hop is over this link, so it also says it of any next hop. Otherwise one request would
/// have two spellings.
pub(super) fn can_be_listed(request: &mut Request) -> Result<(), Invalid> {
    can_be_found(request)?;
    match (request.value(&LINK.field).cloned(), request.value(&NEXTHOPS_LINK.field)) {
        (Some(only), Some(any)) if only != *any => {
            invalid(&NEXTHOPS_LINK.field, "matches no route together with another `link`")
        }
        (Some(only), None) => {
            request.settle(&NEXTHOPS_LINK.field, only);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Checks the fields that one of the families lacks.
fn can_be_of_its_family(request: &Request, family: Option<&str>) -> Result<(), Invalid> {
    if family == Some("inet6") {
        return can_be_ipv6(request);
    }
    let of_the_other =
        [&SOURCE.field, &PREF.field, &EXPIRES.field].into_iter().find(|field| request.value(field).is_some());
    match of_the_other.filter(|_| family == Some("inet")) {
        Some(field) => invalid(field, "does not apply to an IPv4 route"),
        None => Ok(()),
    }
}

/// The fields of which a unicast route needs one.
const LEADS: [&Field; 4] = [&GATEWAY.field, &LINK.field, &NEXTHOPS.field, &NEXTHOP_ID.field];

/// Requires the next hops that a type of route has, and returns whether that is none.
fn leads_as_its_type_does(request: &Request) -> Result<bool, Invalid> {
    match request.get(&ROUTE_TYPE).copied() {
        Some(own @ ("local" | "broadcast")) => {
            let others = [&GATEWAY.field, &NEXTHOPS.field, &NEXTHOP_ID.field];
            match others.into_iter().find(|field| request.value(field).is_some()) {
                Some(field) => invalid(field, NO_NEXT_HOPS),
                None if request.get(&LINK).is_none() => {
                    invalid(&LINK.field, format!("is missing; a route of the type `{own}` needs it"))
                }
                None => Ok(false),
            }
        }
        Some("unicast") | None => {
            if LEADS.iter().all(|field| request.value(field).is_none()) {
                let why = "is missing; a unicast route needs `gateway`, `link`, `nexthops` or `nexthop_id`";
                return invalid(&GATEWAY.field, why);
            }
            Ok(false)
        }
        Some(_) => leads_nowhere(request).map(|()| true),
    }
}

/// Refuses next hops for types such as `blackhole`.
fn leads_nowhere(request: &Request) -> Result<(), Invalid> {
    match LEADS.iter().find(|field| request.value(field).is_some()) {
        Some(field) => invalid(field, NO_NEXT_HOPS),
        None => Ok(()),
    }
}

fn is_a_way(hop: &Element) -> Result<(), Invalid> {
    match (hop.get(&NEXTHOPS_GATEWAY), hop.get(&NEXTHOPS_LINK), hop.get(&NEXTHOPS_ONLINK)) {
        (None, None, _) => invalid(
            &NEXTHOPS_GATEWAY.field,
            "is missing; a next hop needs `nexthops.gateway` or \
                                                             `nexthops.link`",
        ),
        (None, _, Some(true)) => invalid(&NEXTHOPS_ONLINK.field, "needs a gateway"),
        _ => Ok(()),
    }
}

/// Checks an IPv6 route. It has no scope, and its gateway is an IPv6 address. The kernel replaces metric 0 by 1024 and
/// protocol 0 by 3. An IPv4 route can have a gateway of either family.
fn can_be_ipv6(request: &Request) -> Result<(), Invalid> {
    if request.get(&METRIC) == Some(&0) {
        return invalid(&METRIC.field, "must not be 0; the kernel would use 1024 for an IPv6 route");
    }
    if request.get(&PROTOCOL) == Some(&0) {
        return invalid(&PROTOCOL.field, format!("must not be 0; the kernel would use {BOOT} for an IPv6 route"));
    }
    if request.get(&SCOPE).is_some_and(|word| *word != "global") {
        return invalid(&SCOPE.field, "must be `global` for an IPv6 route; the kernel ignores the scope");
    }
    if request.get(&TOS).is_some() {
        return invalid(&TOS.field, "does not apply to an IPv6 route");
    }
    if request.get(&ROUTE_TYPE) == Some(&"broadcast") {
        return invalid(&ROUTE_TYPE.field, "must not be `broadcast` for an IPv6 route; IPv6 has no broadcasts");
    }
    if let Some(gateway) = request.get(&GATEWAY).filter(|gateway| gateway.is_ipv4()) {
        return invalid(&GATEWAY.field, format!("`{gateway}` is an IPv4 address, but the route is an IPv6 route"));
    }
    let of_hops = hops(request).iter().filter_map(|hop| hop.get(&NEXTHOPS_GATEWAY));
    match of_hops.into_iter().find(|gateway| gateway.is_ipv4()) {
        Some(gateway) => {
            invalid(&NEXTHOPS_GATEWAY.field, format!("`{gateway}` is an IPv4 address, but the route is an IPv6 route"))
        }
        None => Ok(()),
    }
}
