// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Neighbours of links: ip-neighbour(8), arp(7), rtnetlink(7).
#![forbid(unsafe_code)]

use super::field::{ADDRESS, EXISTS_OK, FAMILY, INDEX, LINK, MAC, MISSING_OK, NEIGHBOUR_STATES, NETNS, PROXY, STATE};
use super::object::{Form, Object, Parts, Place, Row, Width, result, row};
use super::request::{Invalid, Request};
use super::settle::without_length;
use super::types::Words;
use super::{
    AS_READ, Call, Effect, NO_KINDS, NOTHING, Needs, Output, Shape, any, off, part, required, untouched, word,
};

/// `NTF_…` (`linux/neighbour.h`); all of the eight bits have names, so that a number is of the others.
static FLAGS: Words = Words {
    name: "NeighbourFlag",
    words: &[
        ("use", 1),
        ("self", 1 << 1),
        ("master", 1 << 2),
        ("proxy", 1 << 3),
        ("ext_learned", 1 << 4),
        ("offloaded", 1 << 5),
        ("sticky", 1 << 6),
        ("router", 1 << 7),
    ],
};
/// `NTF_EXT_…`
static MORE_FLAGS: Words =
    Words { name: "NeighbourMoreFlag", words: &[("managed", 1), ("locked", 1 << 1), ("ext_validated", 1 << 2)] };

/// `NDA_CACHEINFO`
const TIMES: &[u32] = &[3];

const fn time(name: &'static str, at: usize, doc: &'static str) -> Row {
    result(name, Place::Inside(TIMES, at, 16), Form::Number(Width::Four), doc)
}

/// `struct ndmsg` and `NDA_…` (`linux/neighbour.h`).
pub(crate) static NEIGHBOUR_STATE: Object = Object {
    name: "NeighbourState",
    head: 12,
    kinds: &[],
    rows: &[
        row(&ADDRESS.field, Place::Attribute(&[1]), Form::Ip).always(),
        row(&LINK.field, Place::Head(4), Form::Link),
        result(
            "link_index",
            Place::Head(4),
            Form::Positive(Width::Four),
            "That link's index; absent for a proxy entry of all links.",
        ),
        row(&MAC.field, Place::Attribute(&[2]), Form::Mac),
        row(&STATE.field, Place::Head(8), Form::Flags(Width::Two, &NEIGHBOUR_STATES)).always(),
        row(&PROXY.field, Place::Head(10), Form::Bit(Width::One, 1 << 3)).unreported(),
        result(
            "flags",
            Place::Head(10),
            Form::Flags(Width::One, &FLAGS),
            "Its flags (`NTF_…`, rtnetlink(7)) in lower case; an unknown bit as its number.",
        )
        .always(),
        result("flags", Place::Attribute(&[15]), Form::Flags(Width::Four, &MORE_FLAGS), ""),
        result("protocol", Place::Attribute(&[12]), Form::Number(Width::One), "Who made it (`RTPROT_…`), if recorded."),
        result("probes", Place::Attribute(&[4]), Form::Number(Width::Four), "How many probes had no answer."),
        time("confirmed", 0, "When it was last known to be reachable, in hundredths of a second ago."),
        time("used", 4, "When it was last used, in hundredths of a second ago."),
        time("updated", 8, "When it last changed, in hundredths of a second ago."),
        time("users", 12, "How many things in the kernel hold it."),
    ],
};

/// The calls of this family.
pub(super) static CALLS: &[Call] = &[
    Call {
        name: "Neighbour.Add",
        number: 16,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Makes a neighbour known to a link; one that the kernel made by itself, to ask for it, is there, too. \
              `address` has no prefix length. The states `none`, `incomplete` and `failed` have no `mac`, the others \
              need one, but on a link that has no hardware address itself. From any state but `noarp` and `permanent` \
              the kernel goes on by itself.",
        elsewhere: "",
        uses: &[
            required(&NETNS.field),
            required(&LINK.field),
            required(&ADDRESS.field),
            untouched(&MAC.field),
            word(&STATE.field, "permanent"),
            off(&PROXY.field),
            off(&EXISTS_OK.field),
        ],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: written,
        result: NOTHING,
    },
    Call {
        name: "Neighbour.Replace",
        number: 17,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Makes a neighbour known to a link, whatever was known of it before. Fields as in Neighbour.Add.",
        elsewhere: "",
        uses: &[
            required(&NETNS.field),
            required(&LINK.field),
            required(&ADDRESS.field),
            untouched(&MAC.field),
            word(&STATE.field, "permanent"),
            off(&PROXY.field),
        ],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: written,
        result: NOTHING,
    },
    Call {
        name: "Neighbour.Delete",
        number: 18,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Makes a link forget a neighbour. One that the kernel is still using stays for that long, as `failed`.",
        elsewhere: "",
        uses: &[
            required(&NETNS.field),
            required(&LINK.field),
            required(&ADDRESS.field),
            off(&PROXY.field),
            off(&MISSING_OK.field),
        ],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: |request| without_length(request, &[&ADDRESS.field]),
        result: NOTHING,
    },
    Call {
        name: "Neighbour.List",
        number: 19,
        effect: Effect::Reads,
        needs: Needs::NOTHING,
        doc: "Lists neighbours in every state; with `proxy`, the proxy entries instead.",
        elsewhere: "",
        uses: &[required(&NETNS.field), any(&LINK.field), any(&INDEX.field), any(&FAMILY.field), off(&PROXY.field)],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: Output {
            parts: &[part(
                "neighbours",
                Shape::List("NeighbourState", Parts::Of(&NEIGHBOUR_STATE, "")),
                "The neighbours, in the kernel's order.",
            )],
            streams: true,
        },
    },
];

/// What the kernel would take and drop.
fn written(request: &mut Request) -> Result<(), Invalid> {
    without_length(request, &[&ADDRESS.field])?;
    let (has_mac, state) = (request.get(&MAC).is_some(), *request.needed(&STATE)?);
    match (request.is_set(&PROXY), state) {
        (true, _) if has_mac => Err(Invalid::new(MAC.field.name, "is nothing that a proxy entry has")),
        (true, "permanent") => Ok(()),
        (true, _) => Err(Invalid::new(STATE.field.name, "is nothing that a proxy entry has")),
        (false, "none" | "incomplete" | "failed") if has_mac => {
            Err(Invalid::new(MAC.field.name, format!("is nothing that a neighbour has in state {state}")))
        }
        (false, _) => Ok(()),
    }
}
