// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Network namespaces: names under `/run/netns`, shared with `ip netns`.
#![forbid(unsafe_code)]

use super::field::{EXISTS_OK, MISSING_OK, NETNS};
use super::{AS_READ, Call, Effect, NOTHING, Needs, Output, Part, Shape, off, part, perhaps, required};

static ENTRY: &[Part] = &[
    part("netns", Shape::String, "The name; bytes that are no UTF-8 stand as `\\xNN`."),
    part("ready", Shape::Bool, "Whether a namespace is mounted there; a killed `ip netns add` leaves a plain file."),
];

/// The calls of this family.
pub(super) static CALLS: &[Call] = &[
    Call {
        name: "Netns.Add",
        number: 1,
        effect: Effect::Changes,
        needs: Needs::Namespaces,
        doc: "Makes a network namespace and mounts it under `/run/netns`, as `ip netns add` does.",
        elsewhere: "The first call on a machine makes `/run/netns` a shared mount.",
        uses: &[required(&NETNS.field), off(&EXISTS_OK.field)],
        kinds: &[],
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: NOTHING,
    },
    Call {
        name: "Netns.Delete",
        number: 2,
        effect: Effect::Changes,
        needs: Needs::Namespaces,
        doc: "Takes a namespace's name away, as `ip netns delete` does; a left-over plain file goes too.",
        elsewhere: "With its last user a namespace ends, and with it its virtual links and the other ends of its veth \
                    pairs; physical links return to the initial namespace.",
        uses: &[required(&NETNS.field), off(&MISSING_OK.field)],
        kinds: &[],
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: NOTHING,
    },
    Call {
        name: "Netns.List",
        number: 3,
        effect: Effect::Reads,
        needs: Needs::Names,
        doc: "Lists the names under `/run/netns`. Takes `netns=@host` only.",
        elsewhere: "",
        uses: &[required(&NETNS.field)],
        kinds: &[],
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: Output {
            parts: &[part("namespaces", Shape::List("Namespace", ENTRY), "Every name, in the order of its bytes.")],
            streams: false,
        },
    },
    Call {
        name: "Netns.Get",
        number: 4,
        effect: Effect::Reads,
        needs: Needs::Nothing,
        doc: "Tells whether a namespace is ready, and by which number `@host` knows it.",
        elsewhere: "",
        uses: &[required(&NETNS.field)],
        kinds: &[],
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: Output {
            parts: &[
                part("ready", Shape::Bool, "Whether a namespace is mounted there."),
                perhaps(
                    "nsid",
                    Shape::Int,
                    "The number by which `@host` knows it, if it has one (`ip netns list-id`).",
                ),
            ],
            streams: false,
        },
    },
];
