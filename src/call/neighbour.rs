// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Neighbours of links: ip-neighbour(8), arp(7), rtnetlink(7).
#![forbid(unsafe_code)]

use super::field::{
    ADDRESS, EXISTS_OK, EXTERN_LEARN, FAMILY, Field, INDEX, LINK, MAC, MANAGED, MISSING_OK, NEIGHBOUR_STATES, NETNS,
    PROTOCOL, PROXY, ROUTER, STATE, STATES, USE,
};
use super::object::{Form, Object, Parts, Place, Row, Width, result, row};
use super::request::{Invalid, Request};
use super::settle::one_family;
use super::types::{Only, Words};
use super::{
    AS_READ, Call, Effect, FLUSHED, NO_KINDS, NOTHING, Needs, Output, Shape, any, off, part, required, untouched, word,
};

/// `NTF_…` (`linux/neighbour.h`). All eight bits have names, so a flag that is given as a number is an `NTF_EXT_…` one.
pub(super) static FLAGS: Words = Words {
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
pub(super) static MORE_FLAGS: Words =
    Words { name: "NeighbourMoreFlag", words: &[("managed", 1), ("locked", 1 << 1), ("ext_validated", 1 << 2)] };

/// `NDA_CACHEINFO`
pub(super) const TIMES: &[u32] = &[3];

const fn time(name: &'static str, at: usize, doc: &'static str) -> Row {
    result(name, Place::inside(TIMES, at, 16), Form::Number(Width::Four), doc)
}

/// `struct ndmsg` and `NDA_…` (`linux/neighbour.h`).
pub(crate) static NEIGHBOUR_STATE: Object = Object {
    name: "NeighbourState",
    head: 12,
    kinds: &[],
    rows: &[
        row(&ADDRESS.field, Place::attribute(&[1]), Form::Ip).always(),
        row(&LINK.field, Place::Head(4), Form::Link),
        result(
            "link_index",
            Place::Head(4),
            Form::Positive(Width::Four),
            "The interface index of `link`. Absent for a proxy entry of all links.",
        ),
        row(&MAC.field, Place::attribute(&[2]), Form::Mac),
        row(&STATE.field, Place::Head(8), Form::Flags(Width::Two, &NEIGHBOUR_STATES)).always(),
        row(&PROXY.field, Place::Head(10), Form::Bit(Width::One, 1 << 3)).unreported(),
        row(&ROUTER.field, Place::Head(10), Form::Bit(Width::One, 1 << 7)).unreported(),
        row(&EXTERN_LEARN.field, Place::Head(10), Form::Bit(Width::One, 1 << 4)).unreported(),
        row(&USE.field, Place::Head(10), Form::Bit(Width::One, 1)).only_written(),
        row(&MANAGED.field, Place::attribute(&[15]), Form::Bit(Width::Four, 1)).unreported().adjusted(),
        result(
            "flags",
            Place::Head(10),
            Form::Flags(Width::One, &FLAGS),
            "The flags (`NTF_…`, rtnetlink(7)) in lower case. An unknown bit is given as a number.",
        )
        .always(),
        result("flags", Place::attribute(&[15]), Form::Flags(Width::Four, &MORE_FLAGS), ""),
        row(&PROTOCOL.field, Place::attribute(&[12]), Form::Number(Width::One)),
        result("probes", Place::attribute(&[4]), Form::Number(Width::Four), "How many probes were not answered."),
        time("confirmed", 0, "Time since the neighbour was last confirmed to be reachable, in hundredths of a second."),
        time("used", 4, "Time since the entry was last used, in hundredths of a second."),
        time("updated", 8, "Time since the entry last changed, in hundredths of a second."),
        time("users", 12, "How many references the kernel holds to the entry."),
    ],
};

/// The fields of a call that makes a neighbour, with these.
macro_rules! made {
    ($($more:expr),*) => {
        &[
            required(&NETNS.field),
            required(&LINK.field),
            required(&ADDRESS.field).only(Only::WithoutLength),
            untouched(&MAC.field),
            word(&STATE.field, "permanent"),
            off(&PROXY.field),
            off(&ROUTER.field),
            off(&EXTERN_LEARN.field),
            off(&MANAGED.field),
            off(&USE.field),
            untouched(&PROTOCOL.field).only(Only::Numbers(1, 0xff)),
            $($more),*
        ]
    };
}

const EXCLUDED: &[(&Field, &Field, &str)] =
    &[(&MANAGED.field, &USE.field, "a managed neighbour is also resolved at once")];

/// The calls of this family.
pub(super) static CALLS: &[Call] = &[
    Call {
        name: "Neighbour.Add",
        number: 16,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Adds a neighbour of a link. `link` and `address` identify it. If it exists, the error is \
              `AlreadyExists`. This includes an entry that the kernel made automatically to resolve the address. \
              `address` must not have a prefix length. `mac` does not apply to the states `none`, `incomplete` and \
              `failed`. The other states require `mac`, unless the link itself has no hardware address. The kernel \
              changes the state automatically, except for the states `noarp` and `permanent`. A proxy entry has no \
              `mac`, no flags and no `protocol`, and its state must be `permanent`. With `managed` or `use`, the kernel \
              finds the hardware address itself, so the state must be `none`. On a loopback or point-to-point link, \
              `0.0.0.0` is the only IPv4 neighbour.",
        elsewhere: "",
        uses: made![off(&EXISTS_OK.field)],
        kinds: NO_KINDS,
        excludes: EXCLUDED,
        leaves_open: &[],
        settle: written,
        result: NOTHING,
    },
    Call {
        name: "Neighbour.Replace",
        number: 17,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Adds a neighbour of a link, or replaces the existing entry with the same `link` and `address`. The \
              fields are those of `Neighbour.Add`, without `exists_ok`. An existing entry keeps its `protocol`, unless \
              the request gives one.",
        elsewhere: "",
        uses: made![],
        kinds: NO_KINDS,
        excludes: EXCLUDED,
        leaves_open: &[],
        settle: written,
        result: NOTHING,
    },
    Call {
        name: "Neighbour.Delete",
        number: 18,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Deletes a neighbour of a link, or with `proxy` a proxy entry. An entry that the kernel still uses \
              remains in the state `failed` until the kernel releases it.",
        elsewhere: "",
        uses: &[
            required(&NETNS.field),
            required(&LINK.field),
            required(&ADDRESS.field).only(Only::WithoutLength),
            off(&PROXY.field),
            off(&MISSING_OK.field),
        ],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: NOTHING,
    },
    Call {
        name: "Neighbour.Flush",
        number: 27,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Deletes the neighbours of a link that match all given fields, or with `proxy` its proxy entries. As in `ip \
              neigh flush`, entries in the states `permanent` and `noarp` are left, unless `states` has that state. The \
              broker lists the entries, and then deletes them one at a time. An entry that vanishes meanwhile is not \
              counted. If an error ends the call, `may_have_changed` says whether some were deleted before.",
        elsewhere: "",
        uses: &[
            required(&NETNS.field),
            required(&LINK.field),
            any(&ADDRESS.field).only(Only::WithoutLength),
            any(&FAMILY.field),
            any(&STATES.field),
            off(&PROXY.field),
        ],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: filters,
        result: FLUSHED,
    },
    Call {
        name: "Neighbour.Get",
        number: 28,
        effect: Effect::Reads,
        needs: Needs::NOTHING,
        doc: "Reports a neighbour of a link, or with `proxy` a proxy entry. If there is none, the error is `NotFound`.",
        elsewhere: "",
        uses: &[
            required(&NETNS.field),
            required(&LINK.field),
            required(&ADDRESS.field).only(Only::WithoutLength),
            off(&PROXY.field),
        ],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: Output {
            parts: &[part("neighbour", Shape::Object(Parts::Of(&NEIGHBOUR_STATE, "")), "The entry.")],
            streams: false,
        },
    },
    Call {
        name: "Neighbour.List",
        number: 19,
        effect: Effect::Reads,
        needs: Needs::NOTHING,
        doc: "Lists the neighbours of a namespace in all states. With `link` or `index`, it lists the neighbours of \
              one link. With `proxy`, it lists the proxy entries instead.",
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

/// Refuses filters that no entry can match. The two are not declared to exclude each other: `proxy` would then have no
/// default where `states` is given, and an allow of proxy entries only would permit to flush neighbours.
fn filters(request: &mut Request) -> Result<(), Invalid> {
    if request.is_set(&PROXY) && request.get(&STATES).is_some() {
        return Err(Invalid::new(STATES.field.name, "does not apply to proxy entries, which have no state"));
    }
    one_family(request, &[&ADDRESS.field]).map(|_| ())
}

/// Refuses what the kernel would accept and ignore.
fn written(request: &mut Request) -> Result<(), Invalid> {
    if request.is_set(&PROXY) {
        let flags = [&ROUTER, &EXTERN_LEARN, &MANAGED, &USE];
        let flag = flags.into_iter().find(|key| request.is_set(key)).map(|key| &key.field);
        if let Some(field) = flag.or(request.get(&PROTOCOL).map(|_| &PROTOCOL.field)) {
            return Err(Invalid::new(field.name, "does not apply to proxy entries"));
        }
    }
    if let Some(key) = [&MANAGED, &USE].into_iter().find(|key| request.is_set(key)) {
        if *request.needed(&STATE)? != "none" {
            let why = format!("must be `none` with `{}`: the kernel finds the hardware address itself", key.field.name);
            return Err(Invalid::new(STATE.field.name, why));
        }
    }
    let (has_mac, state) = (request.get(&MAC).is_some(), *request.needed(&STATE)?);
    match (request.is_set(&PROXY), state) {
        (true, _) if has_mac => Err(Invalid::new(MAC.field.name, "does not apply to proxy entries")),
        (true, "permanent") => Ok(()),
        (true, _) => Err(Invalid::new(STATE.field.name, "does not apply to proxy entries")),
        (false, "none" | "incomplete" | "failed") if has_mac => {
            Err(Invalid::new(MAC.field.name, format!("does not apply to neighbours in state {state}")))
        }
        (false, _) => Ok(()),
    }
}
