// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Addresses of links: ip-address(8), rtnetlink(7).
#![forbid(unsafe_code)]

use super::field::{
    ADDRESS, BROADCAST, EXISTS_OK, FAMILY, HOME_ADDRESS, INDEX, LABEL, LINK, METRIC, MISSING_OK, NETNS, NODAD,
    NOPREFIXROUTE, PEER_ADDRESS, PREFERRED_LIFETIME, SCOPE, VALID_LIFETIME,
};
use super::request::{Invalid, Request};
use super::settle::with_length;
use super::value::Value;
use super::{
    AS_READ, Call, Effect, NOTHING, Needs, Output, Part, Shape, any, chosen, follows, off, part, perhaps, required,
    untouched,
};

static ADDRESS_STATE: &[Part] = &[
    part("address", Shape::String, "The address with the length of its prefix."),
    perhaps("link", Shape::String, "The link that has it."),
    part("link_index", Shape::Int, "That link's index."),
    perhaps("broadcast", Shape::String, "The IPv4 broadcast address."),
    perhaps(
        "peer_address",
        Shape::String,
        "The address of the other end of a point-to-point link, with the same prefix length.",
    ),
    perhaps("label", Shape::String, "The label of an IPv4 address."),
    part("scope", Shape::Int, "The scope's number: 0 global, 200 site, 253 link, 254 host."),
    part("flags", Shape::Strings, "Its flags (`IFA_F_…`, rtnetlink(7)) in lower case; an unknown bit as its number."),
    perhaps("valid_lifetime", Shape::Int, "How long it stays, in seconds; 4294967295 is for ever."),
    perhaps("preferred_lifetime", Shape::Int, "How long it is used for new connections, in seconds."),
    perhaps("metric", Shape::Int, "Metric of the route for its prefix."),
    perhaps(
        "protocol",
        Shape::Int,
        "Who made it (`IFAPROT_…`): 0 unspecified, 1 lo, 2 router advertisement, 3 link-local.",
    ),
];

/// The calls of this family.
pub(super) static CALLS: &[Call] = &[
    Call {
        name: "Address.Add",
        number: 9,
        effect: Effect::Changes,
        needs: Needs::NetAdmin,
        doc: "Gives a link an address. Of `valid_lifetime` and `preferred_lifetime`, one that is given alone makes the \
              other 4294967295.",
        elsewhere: "The kernel makes a route for the address's prefix, unless `noprefixroute`.",
        uses: &[
            required(&NETNS.field),
            required(&LINK.field),
            required(&ADDRESS.field),
            untouched(&BROADCAST.field),
            chosen(&SCOPE.field),
            untouched(&LABEL.field).giving_a_name(),
            untouched(&PEER_ADDRESS.field),
            off(&NODAD.field),
            off(&NOPREFIXROUTE.field),
            off(&HOME_ADDRESS.field),
            follows(&VALID_LIFETIME.field),
            follows(&PREFERRED_LIFETIME.field),
            untouched(&METRIC.field),
            off(&EXISTS_OK.field),
        ],
        kinds: &[],
        excludes: &[],
        leaves_open: &[],
        settle: added,
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
        leaves_open: &[],
        settle: |request| addresses(request),
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
        leaves_open: &[],
        settle: AS_READ,
        result: Output {
            parts: &[part(
                "addresses",
                Shape::List("AddressState", ADDRESS_STATE),
                "The addresses, in the kernel's order.",
            )],
            streams: true,
        },
    },
];

/// `u32::MAX`, the kernel's `INFINITY_LIFE_TIME`.
const FOREVER: u64 = 0xffff_ffff;

/// An address that is its own peer has none, to the kernel.
fn addresses(request: &Request) -> Result<(), Invalid> {
    with_length(request, &[&ADDRESS.field, &PEER_ADDRESS.field])?;
    match (request.get(&ADDRESS), request.get(&PEER_ADDRESS)) {
        (Some(own), Some(peer)) if own == peer => {
            Err(Invalid::new(PEER_ADDRESS.field.name, format!("`{peer}` is `address` itself: leave it out")))
        }
        _ => Ok(()),
    }
}

/// The kernel takes both lifetimes in one attribute.
fn added(request: &mut Request) -> Result<(), Invalid> {
    addresses(request)?;
    let lifetimes = [&VALID_LIFETIME.field, &PREFERRED_LIFETIME.field];
    if lifetimes.iter().any(|field| request.value(field).is_some()) {
        for field in lifetimes {
            request.follow(field, Value::Number(FOREVER));
        }
    }
    Ok(())
}
