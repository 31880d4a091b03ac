// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Addresses of links: ip-address(8), rtnetlink(7).
#![forbid(unsafe_code)]

use std::net::IpAddr;

use super::field::{
    ADDRESS, BROADCAST, EXISTS_OK, FAMILY, HOME_ADDRESS, INDEX, LABEL, LINK, METRIC, MISSING_OK, NETNS, NODAD,
    NOPREFIXROUTE, PEER_ADDRESS, PREFERRED_LIFETIME, SCOPE, VALID_LIFETIME,
};
use super::inet::InterfaceAddress;
use super::object::{Form, Object, Parts, Place, Width, result, row};
use super::request::Request;
use super::settle::with_length;
use super::value::{Value, Words};
use super::{AS_READ, Call, Effect, NOTHING, Needs, Output, Shape, any, chosen, off, part, required, untouched};

/// `IFA_F_…` (`linux/if_addr.h`). The first is `temporary` to IPv6.
static FLAGS: Words = Words {
    name: "AddressFlag",
    words: &[
        ("secondary", 1),
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
};

/// `IFA_CACHEINFO`: preferred and valid lifetime in seconds, and two times that the kernel fills in.
const LIFETIMES: &[u32] = &[6];
/// A lifetime that does not end.
const FOREVER: Value = Value::Number(0xffff_ffff);

/// `struct ifaddrmsg` and `IFA_…` (`linux/if_addr.h`). `IFA_LOCAL` is the address, `IFA_ADDRESS` the peer's, if there is
/// one, to which the prefix belongs.
pub(crate) static ADDRESS_STATE: Object = Object {
    name: "AddressState",
    head: 8,
    kinds: &[],
    rows: &[
        row(&ADDRESS.field, Place::Attribute(&[2]), Form::Interface(1)).always(),
        row(&LINK.field, Place::Head(4), Form::Link),
        result("link_index", Place::Head(4), Form::Number(Width::Four), "That link's index.").always(),
        row(&BROADCAST.field, Place::Attribute(&[4]), Form::Ip),
        row(&PEER_ADDRESS.field, Place::Attribute(&[1]), Form::Interface(1)).identity(),
        row(&LABEL.field, Place::Attribute(&[3]), Form::Name),
        row(&SCOPE.field, Place::Head(3), Form::Code(Width::One)).always().or(scope),
        row(&NODAD.field, Place::Attribute(&[8]), Form::Bit(Width::Four, 0x02)).unreported(),
        row(&HOME_ADDRESS.field, Place::Attribute(&[8]), Form::Bit(Width::Four, 0x10)).unreported(),
        row(&NOPREFIXROUTE.field, Place::Attribute(&[8]), Form::Bit(Width::Four, 0x200)).unreported(),
        result(
            "flags",
            Place::Attribute(&[8]),
            Form::Flags(Width::Four, &FLAGS),
            "Its flags (`IFA_F_…`, rtnetlink(7)) in lower case; an unknown bit as its number.",
        )
        .always(),
        row(&PREFERRED_LIFETIME.field, Place::Inside(LIFETIMES, 0, 16), Form::Number(Width::Four))
            .or(|request| request.get(&VALID_LIFETIME).map(|_| FOREVER)),
        row(&VALID_LIFETIME.field, Place::Inside(LIFETIMES, 4, 16), Form::Number(Width::Four))
            .or(|request| request.get(&PREFERRED_LIFETIME).map(|_| FOREVER)),
        row(&METRIC.field, Place::Attribute(&[9]), Form::Number(Width::Four)),
        result(
            "protocol",
            Place::Attribute(&[11]),
            Form::Number(Width::One),
            "Who made it (`IFAPROT_…`): 0 unspecified, 1 lo, 2 router advertisement, 3 link-local.",
        ),
    ],
};

/// What iproute2 would send: addresses of 127.0.0.0/8 are the host's own.
fn scope(request: &Request) -> Option<Value> {
    let is_own = |given: &InterfaceAddress| matches!(given.address, IpAddr::V4(v4) if v4.is_loopback());
    Some(Value::Word(if request.get(&ADDRESS).is_some_and(is_own) { "host" } else { "global" }))
}

/// The calls of this family.
pub(super) static CALLS: &[Call] = &[
    Call {
        name: "Address.Add",
        number: 9,
        effect: Effect::Changes,
        needs: Needs::NetAdmin,
        doc: "Gives a link an address.",
        elsewhere: "The kernel makes a route for the address's prefix, unless `noprefixroute`.",
        uses: &[
            required(&NETNS.field),
            required(&LINK.field),
            required(&ADDRESS.field),
            untouched(&BROADCAST.field),
            chosen(&SCOPE.field),
            untouched(&LABEL.field),
            untouched(&PEER_ADDRESS.field),
            off(&NODAD.field),
            off(&NOPREFIXROUTE.field),
            off(&HOME_ADDRESS.field),
            untouched(&VALID_LIFETIME.field),
            untouched(&PREFERRED_LIFETIME.field),
            untouched(&METRIC.field),
            off(&EXISTS_OK.field),
        ],
        kinds: &[],
        excludes: &[],
        settle: |request| with_length(request, &[&ADDRESS.field, &PEER_ADDRESS.field]),
        result: NOTHING,
    },
    Call {
        name: "Address.Delete",
        number: 10,
        effect: Effect::Changes,
        needs: Needs::NetAdmin,
        doc: "Takes an address from a link.",
        elsewhere: "The routes that the kernel made for it go too, and with a primary IPv4 address go its secondaries, \
                    unless the link's `promote_secondaries` is set.",
        uses: &[
            required(&NETNS.field),
            required(&LINK.field),
            required(&ADDRESS.field),
            any(&PEER_ADDRESS.field),
            off(&MISSING_OK.field),
        ],
        kinds: &[],
        excludes: &[],
        settle: |request| with_length(request, &[&ADDRESS.field, &PEER_ADDRESS.field]),
        result: NOTHING,
    },
    Call {
        name: "Address.List",
        number: 11,
        effect: Effect::Reads,
        needs: Needs::Nothing,
        doc: "Lists addresses.",
        elsewhere: "",
        uses: &[required(&NETNS.field), any(&LINK.field), any(&INDEX.field), any(&FAMILY.field), any(&SCOPE.field)],
        kinds: &[],
        excludes: &[],
        settle: AS_READ,
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
