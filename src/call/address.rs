// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Addresses of links: ip-address(8), rtnetlink(7).
#![forbid(unsafe_code)]

use std::net::IpAddr;

use super::field::{
    ADDRESS, AUTOJOIN, BROADCAST, EXISTS_OK, FAMILY, Field, HOME_ADDRESS, INDEX, LABEL, LINK, METRIC, MISSING_OK,
    MNGTMPADDR, NETNS, NODAD, NOPREFIXROUTE, OPTIMISTIC, PEER_ADDRESS, PREFERRED_LIFETIME, PROTOCOL, SCOPE,
    VALID_LIFETIME,
};
use super::inet::InterfaceAddress;
use super::object::{Form, Object, Parts, Place, Row, Width, result, row};
use super::request::{Invalid, Request};
use super::settle::one_family;
use super::types::{Only, Words};
use super::value::Value;
use super::{
    Call, Effect, FLUSHED, NO_KINDS, NOTHING, Needs, Output, Shape, any, chosen, follows, number, off, part, required,
    untouched,
};

/// `IFA_F_…` (`linux/if_addr.h`). The meaning of the first bit differs between IPv4 and IPv6.
macro_rules! flags {
    ($first:literal) => {
        Words {
            name: "AddressFlag",
            words: &[
                ($first, 1),
                ("nodad", 1 << 1),
                ("optimistic", 1 << 2),
                ("dadfailed", 1 << 3),
                ("homeaddress", 1 << 4),
                ("deprecated", 1 << 5),
                ("tentative", 1 << 6),
                ("permanent", 1 << 7),
                ("managetempaddr", 1 << 8),
                ("noprefixroute", 1 << 9),
                ("mcautojoin", 1 << 10),
                ("stable_privacy", 1 << 11),
            ],
        }
    };
}
static FLAGS: Words = flags!("secondary");
static FLAGS_INET6: Words = flags!("temporary");

/// `IFA_CACHEINFO`: preferred and valid lifetime in seconds, and two times that the kernel fills in.
const LIFETIMES: &[u32] = &[6];
/// `u32::MAX`, the kernel's `INFINITY_LIFE_TIME`.
const FOREVER: u64 = 0xffff_ffff;

/// `struct ifaddrmsg` and `IFA_…` (`linux/if_addr.h`). `IFA_LOCAL` is the address. `IFA_ADDRESS` is the address of the
/// peer, if there is one, and the prefix belongs to it.
pub(crate) static ADDRESS_STATE: Object = Object {
    name: "AddressState",
    head: 8,
    kinds: &[],
    rows: &[
        row(&ADDRESS.field, Place::attribute(&[2]), Form::Interface(1)).always(),
        row(&LINK.field, Place::Head(4), Form::Link),
        result("link_index", Place::Head(4), Form::Number(Width::Four), "The interface index of `link`.").always(),
        row(&BROADCAST.field, Place::attribute(&[4]), Form::Ip),
        row(&PEER_ADDRESS.field, Place::attribute(&[1]), Form::Interface(1)).identity(),
        row(&LABEL.field, Place::attribute(&[3]), Form::Name),
        row(&SCOPE.field, Place::Head(3), Form::WordNumber(Width::One)).always().or(scope),
        row(&NODAD.field, Place::attribute(&[8]), Form::Bit(Width::Four, 0x02)).unreported(),
        row(&HOME_ADDRESS.field, Place::attribute(&[8]), Form::Bit(Width::Four, 0x10)).unreported(),
        row(&NOPREFIXROUTE.field, Place::attribute(&[8]), Form::Bit(Width::Four, 0x200)).unreported(),
        row(&MNGTMPADDR.field, Place::attribute(&[8]), Form::Bit(Width::Four, 0x100)).unreported(),
        row(&AUTOJOIN.field, Place::attribute(&[8]), Form::Bit(Width::Four, 0x400)).unreported(),
        // The kernel clears it once the detection has ended.
        row(&OPTIMISTIC.field, Place::attribute(&[8]), Form::Bit(Width::Four, 0x04)).only_written(),
        reported_flags(&FLAGS),
        row(&VALID_LIFETIME.field, Place::inside(LIFETIMES, 4, 16), Form::Number(Width::Four)),
        row(&PREFERRED_LIFETIME.field, Place::inside(LIFETIMES, 0, 16), Form::Number(Width::Four)),
        row(&METRIC.field, Place::attribute(&[9]), Form::Positive(Width::Four)),
        row(&PROTOCOL.field, Place::attribute(&[11]), Form::Positive(Width::One)).adjusted(),
    ],
};

const fn reported_flags(words: &'static Words) -> Row {
    let doc = "The flags (`IFA_F_…`, rtnetlink(7)) in lower case. An unknown bit is given as a number.";
    result("flags", Place::attribute(&[8]), Form::Flags(Width::Four, words), doc).always()
}

/// For an IPv6 address, this row replaces the row of the same name.
pub(crate) static ADDRESS_FLAGS_INET6: Row = reported_flags(&FLAGS_INET6);

/// The scope that iproute2 would send: `host` for addresses in 127.0.0.0/8.
fn scope(request: &Request) -> Option<Value> {
    let is_own = |given: &InterfaceAddress| matches!(given.address, IpAddr::V4(v4) if v4.is_loopback());
    Some(Value::Word(if request.get(&ADDRESS).is_some_and(is_own) { "host" } else { "global" }))
}

/// The fields of a call that makes an address: whatever these say, and what else the absence of the rest means there.
macro_rules! made {
    ($($more:expr),*) => {
        &[
            required(&NETNS.field),
            required(&LINK.field),
            required(&ADDRESS.field).only(Only::OfLink),
            untouched(&BROADCAST.field),
            chosen(&SCOPE.field),
            untouched(&LABEL.field).giving_a_name(),
            untouched(&PEER_ADDRESS.field).only(Only::OfLink),
            off(&NODAD.field),
            off(&OPTIMISTIC.field),
            off(&NOPREFIXROUTE.field),
            off(&HOME_ADDRESS.field),
            off(&MNGTMPADDR.field),
            off(&AUTOJOIN.field),
            $($more),*
        ]
    };
}

const EXCLUDED: &[(&Field, &Field, &str)] =
    &[(&NODAD.field, &OPTIMISTIC.field, "the kernel either skips the detection or runs it")];

/// The calls of this family.
pub(super) static CALLS: &[Call] = &[
    Call {
        name: "Address.Add",
        number: 9,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Adds an address to a link. `address` must have a prefix length. If only one of `valid_lifetime` and \
              `preferred_lifetime` is given, the other is 4294967295 (forever). The kernel refuses a preferred \
              lifetime that is longer than the valid lifetime. With `exists_ok`, a given lifetime is compared with the \
              time that remains of the existing one.",
        elsewhere: "The kernel adds a route for the address itself, and a route for its prefix unless `noprefixroute` \
                    is true.",
        uses: made![
            follows(&VALID_LIFETIME.field),
            follows(&PREFERRED_LIFETIME.field),
            untouched(&METRIC.field),
            untouched(&PROTOCOL.field),
            off(&EXISTS_OK.field)
        ],
        kinds: NO_KINDS,
        excludes: EXCLUDED,
        leaves_open: &[],
        settle: added,
        result: NOTHING,
    },
    Call {
        name: "Address.Replace",
        number: 24,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Adds an address to a link, or changes the existing one that has the same `address` and `peer_address`: its \
              lifetimes, `metric` and `protocol`, and of an IPv6 address also `nodad`, `noprefixroute`, `home_address` \
              and `mngtmpaddr`. The kernel cannot change anything else. If the existing address differs in such a \
              field, or if the kernel would change another address of the link instead, the error is `AlreadyExists`, \
              and nothing is done. A lifetime, metric or origin that the request does not give becomes the default.",
        elsewhere: "The kernel adds a route for the address itself, and a route for its prefix unless `noprefixroute` \
                    is true. If it changes the metric of an address, it replaces these routes. If it takes \
                    `mngtmpaddr` away, it deletes the temporary addresses that it made of the address.",
        uses: made![
            number(&VALID_LIFETIME.field, FOREVER),
            number(&PREFERRED_LIFETIME.field, FOREVER),
            number(&METRIC.field, 0),
            number(&PROTOCOL.field, 0)
        ],
        kinds: NO_KINDS,
        excludes: EXCLUDED,
        leaves_open: &[],
        settle: added,
        result: NOTHING,
    },
    Call {
        name: "Address.Flush",
        number: 25,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Deletes the addresses of a link that match all given fields. Addresses of the kernel's own are left: those \
              whose `protocol` is 1 to 3, and temporary IPv6 addresses. A kernel before Linux 5.18 does not report the \
              origin, so there the loopback and link-local addresses are deleted too. The broker lists the addresses, \
              and then deletes them one at a time. An address that another process deletes meanwhile is not counted. If \
              an error ends the call, `may_have_changed` says whether some addresses were deleted before.",
        elsewhere: "The side effects of `Address.Delete`, for each address. With an address that has `mngtmpaddr`, the kernel deletes \
                    the temporary addresses that it made of it.",
        uses: &[
            required(&NETNS.field),
            required(&LINK.field),
            any(&ADDRESS.field).only(Only::WithLength),
            any(&PEER_ADDRESS.field).only(Only::WithLength),
            any(&FAMILY.field),
            any(&SCOPE.field),
            any(&LABEL.field),
        ],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: flushed,
        result: FLUSHED,
    },
    Call {
        name: "Address.Delete",
        number: 10,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Deletes an address from a link. `address` with its prefix length and `peer_address` identify it. Without \
              `peer_address`, only an address without a peer is deleted.",
        elsewhere: "The kernel also deletes the routes that it added for the address, and IPv4 routes whose \
                    `preferred_source` is the address. With a primary IPv4 address, it also deletes the secondary \
                    addresses of the same prefix, unless the sysctl `promote_secondaries` is set for the link. No deny on \
                    such an address prevents that: deny its prefix.",
        uses: &[
            required(&NETNS.field),
            required(&LINK.field),
            required(&ADDRESS.field).only(Only::WithLength),
            untouched(&PEER_ADDRESS.field).only(Only::WithLength),
            off(&MISSING_OK.field),
        ],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: fits_its_protocol,
        result: NOTHING,
    },
    Call {
        name: "Address.List",
        number: 11,
        effect: Effect::Reads,
        needs: Needs::NOTHING,
        doc: "Lists the addresses of a namespace. With `link` or `index`, it lists the addresses of one link.",
        elsewhere: "",
        uses: &[required(&NETNS.field), any(&LINK.field), any(&INDEX.field), any(&FAMILY.field), any(&SCOPE.field)],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: listed,
        result: Output {
            parts: &[part(
                "addresses",
                Shape::List("AddressState", Parts::Of(&ADDRESS_STATE, "")),
                "The addresses, in the kernel's order.",
            )],
            streams: true,
        },
    },
];

/// Fills in the second lifetime: the kernel takes both in one attribute.
fn added(request: &mut Request) -> Result<(), Invalid> {
    fits_its_protocol(request)?;
    if request.is_set(&AUTOJOIN) && !request.needed(&ADDRESS)?.address.is_multicast() {
        return Err(Invalid::new(AUTOJOIN.field.name, "applies to multicast addresses only"));
    }
    if request.is_set(&MNGTMPADDR) && request.needed(&ADDRESS)?.length != 64 {
        return Err(Invalid::new(MNGTMPADDR.field.name, "needs a prefix length of 64"));
    }
    let lifetimes = [&VALID_LIFETIME.field, &PREFERRED_LIFETIME.field];
    if lifetimes.iter().any(|field| request.value(field).is_some()) {
        for field in lifetimes {
            request.follow(field, Value::Number(FOREVER));
        }
    }
    Ok(())
}

/// Refuses a scope that no address of the family has.
fn has_a_scope_of_its_family(request: &Request, family: Option<&str>) -> Result<(), Invalid> {
    match request.get(&SCOPE) {
        Some(word @ &"nowhere") if family == Some("inet6") => {
            Err(Invalid::new(SCOPE.field.name, format!("`{word}` is not the scope of any IPv6 address")))
        }
        _ => Ok(()),
    }
}

/// Refuses filters that no address can match.
fn listed(request: &mut Request) -> Result<(), Invalid> {
    has_a_scope_of_its_family(request, request.get(&FAMILY).copied())
}

/// Refuses filters that no address can match.
fn flushed(request: &mut Request) -> Result<(), Invalid> {
    let family = one_family(request, &[&ADDRESS.field, &PEER_ADDRESS.field])?;
    has_a_scope_of_its_family(request, family)?;
    if request.get(&LABEL).is_some() && family == Some("inet6") {
        return Err(Invalid::new(
            LABEL.field.name,
            "does not apply to IPv6 addresses; only IPv4 addresses have labels",
        ));
    }
    if request.get(&ADDRESS).is_some() { fits_its_protocol(request) } else { Ok(()) }
}

/// An IPv4 address has the scope that is given. The scope of an IPv6 address follows from the address (RFC 4291).
fn scope_is_possible(word: &str, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(v6) if v6.is_loopback() => word == "host",
        IpAddr::V6(v6) if v6.is_unicast_link_local() => word == "link",
        IpAddr::V6(v6) if v6.segments().first().is_some_and(|first| first & 0xffc0 == 0xfec0) => word == "site",
        IpAddr::V6(_) => word == "global",
    }
}

/// Refuses fields of the other protocol, which the kernel would ignore.
fn fits_its_protocol(request: &mut Request) -> Result<(), Invalid> {
    let InterfaceAddress { address, length } = *request.needed(&ADDRESS)?;
    let refuse = |field: &Field, reason: String| Err(Invalid::new(field.name, reason));
    if let Some(peer) = request.get(&PEER_ADDRESS) {
        if peer.address.is_ipv4() != address.is_ipv4() {
            return refuse(&PEER_ADDRESS.field, format!("`{peer}` must be of the same family as `address`"));
        }
        if peer.length != length {
            return refuse(&PEER_ADDRESS.field, format!("`{peer}` must have the same prefix length as `address`"));
        }
        if peer.address == address {
            return refuse(&PEER_ADDRESS.field, format!("`{peer}` equals `address`; leave it out"));
        }
    }
    if let Some(word) = request.get(&SCOPE).filter(|word| !scope_is_possible(word, address)) {
        return refuse(
            &SCOPE.field,
            format!("`{word}` is not the scope of this IPv6 address; the kernel derives the scope from the address"),
        );
    }
    if let Some(broadcast) = request.get(&BROADCAST).filter(|b| !(b.is_ipv4() && address.is_ipv4())) {
        return refuse(
            &BROADCAST.field,
            format!(
                "`{broadcast}` is not an IPv4 address; only IPv4 has broadcast \
                                                 addresses"
            ),
        );
    }
    if request.get(&LABEL).is_some() && address.is_ipv6() {
        return refuse(&LABEL.field, "does not apply to IPv6 addresses; only IPv4 addresses have labels".to_owned());
    }
    match [&NODAD, &OPTIMISTIC, &HOME_ADDRESS, &MNGTMPADDR]
        .into_iter()
        .find(|key| request.is_set(key) && address.is_ipv4())
    {
        Some(key) => refuse(&key.field, "applies to IPv6 addresses only".to_owned()),
        None => Ok(()),
    }
}
