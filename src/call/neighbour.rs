// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Neighbours of links: ip-neighbour(8), arp(7), rtnetlink(7).
#![forbid(unsafe_code)]

use super::field::{ADDRESS, EXISTS_OK, FAMILY, INDEX, LINK, MAC, MISSING_OK, NETNS, PROXY, STATE};
use super::request::{Invalid, Request};
use super::settle::without_length;
use super::{
    AS_READ, Call, Effect, NOTHING, Needs, Output, Part, Shape, any, off, part, perhaps, required, untouched, word,
};

static NEIGHBOUR_STATE: &[Part] = &[
    part("address", Shape::String, "The neighbour's address."),
    perhaps("link", Shape::String, "The link that it is behind; absent for a proxy entry of all links."),
    perhaps("link_index", Shape::Int, "That link's index; absent for a proxy entry of all links."),
    perhaps("mac", Shape::String, "Its hardware address, where it is known, as many bytes as the link's."),
    part("state", Shape::Strings, "Its states (`NUD_…`, rtnetlink(7)) in lower case; none of them is `NUD_NONE`."),
    part("flags", Shape::Strings, "Its flags (`NTF_…`, rtnetlink(7)) in lower case; an unknown bit as its number."),
    perhaps("protocol", Shape::Int, "Who made it (`RTPROT_…`), where it was said."),
    perhaps("probes", Shape::Int, "How often it was asked for without an answer."),
    perhaps("confirmed", Shape::Int, "When it was last known to be there, in hundredths of a second ago."),
    perhaps("used", Shape::Int, "When it was last used, in hundredths of a second ago."),
    perhaps("updated", Shape::Int, "When it last changed, in hundredths of a second ago."),
    perhaps("users", Shape::Int, "How many things in the kernel hold it."),
];

/// The calls of this family.
pub(super) static CALLS: &[Call] = &[
    Call {
        name: "Neighbour.Add",
        number: 16,
        effect: Effect::Changes,
        needs: Needs::NetAdmin,
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
        kinds: &[],
        excludes: &[],
        leaves_open: &[],
        settle: written,
        result: NOTHING,
    },
    Call {
        name: "Neighbour.Replace",
        number: 17,
        effect: Effect::Changes,
        needs: Needs::NetAdmin,
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
        kinds: &[],
        excludes: &[],
        leaves_open: &[],
        settle: written,
        result: NOTHING,
    },
    Call {
        name: "Neighbour.Delete",
        number: 18,
        effect: Effect::Changes,
        needs: Needs::NetAdmin,
        doc: "Makes a link forget a neighbour. One that the kernel is still using stays for that long, as `failed`.",
        elsewhere: "",
        uses: &[
            required(&NETNS.field),
            required(&LINK.field),
            required(&ADDRESS.field),
            off(&PROXY.field),
            off(&MISSING_OK.field),
        ],
        kinds: &[],
        excludes: &[],
        leaves_open: &[],
        settle: |request| without_length(request, &[&ADDRESS.field]),
        result: NOTHING,
    },
    Call {
        name: "Neighbour.List",
        number: 19,
        effect: Effect::Reads,
        needs: Needs::Nothing,
        doc: "Lists neighbours in every state; with `proxy`, the proxy entries instead.",
        elsewhere: "",
        uses: &[required(&NETNS.field), any(&LINK.field), any(&INDEX.field), any(&FAMILY.field), off(&PROXY.field)],
        kinds: &[],
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: Output {
            parts: &[part(
                "neighbours",
                Shape::List("NeighbourState", NEIGHBOUR_STATE),
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
