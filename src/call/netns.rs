// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Network namespaces: names under `/run/netns`, shared with `ip netns`.
#![forbid(unsafe_code)]

use super::field::{EXISTS_OK, MISSING_OK, NETNS};
use super::name::NetnsName;
use super::object::Parts;
use super::request::{Invalid, Request};
use super::{AS_READ, Call, Effect, NO_KINDS, NOTHING, Needs, Output, Part, Shape, off, part, perhaps, required};

static ENTRY: &[Part] = &[
    part("netns", Shape::String, "The name; bytes that are no UTF-8 stand as `\\xNN`."),
    part(
        "ready",
        Shape::Bool,
        "Whether a namespace is mounted there; a killed `ip netns add` leaves a plain file. The type of the namespace is not \
         looked at: `Netns.Get` does that.",
    ),
];

/// The calls of this family.
pub(super) static CALLS: &[Call] = &[
    Call {
        name: "Netns.Add",
        number: 1,
        effect: Effect::Changes,
        needs: Needs::NAMESPACES,
        doc: "Makes a network namespace and mounts it under `/run/netns`, as `ip netns add` does.",
        elsewhere: "Makes `/run/netns` a shared mount, unless `netbrokerctl policy install` or an earlier call has done so.",
        uses: &[required(&NETNS.field).giving_a_name(), off(&EXISTS_OK.field)],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: named,
        result: NOTHING,
    },
    Call {
        name: "Netns.Delete",
        number: 2,
        effect: Effect::Changes,
        needs: Needs::NAMESPACES,
        doc: "Removes the name of a network namespace, as `ip netns delete` does, or the plain file that a killed `Netns.Add` \
              or `ip netns add` left. Anything else that has the name (a directory, symbolic link, FIFO, socket, device, \
              mounted file, or a namespace that is not a network namespace) is `NoSuchNetns` with the reason \
              `not_a_namespace`, and is not removed.",
        elsewhere: "With its last user a namespace ends, and with it its virtual links and the other ends of its veth \
                    pairs; physical links return to the initial namespace.",
        uses: &[required(&NETNS.field), off(&MISSING_OK.field)],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: named,
        result: NOTHING,
    },
    Call {
        name: "Netns.List",
        number: 3,
        effect: Effect::Reads,
        needs: Needs::NAMES,
        doc: "Lists the names under `/run/netns`. Takes `netns=@host` only.",
        elsewhere: "",
        uses: &[required(&NETNS.field)],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: of_the_host,
        result: Output {
            parts: &[part(
                "namespaces",
                Shape::List("Namespace", Parts::Declared(ENTRY)),
                "Every name, in the order of its bytes.",
            )],
            streams: false,
        },
    },
    Call {
        name: "Netns.Get",
        number: 4,
        effect: Effect::Reads,
        needs: Needs::LOOK,
        doc: "Reports whether a namespace is ready, and by which number `@host` knows it. A name of a namespace that is not \
              a network namespace is `NoSuchNetns` with the reason `not_a_namespace`.",
        elsewhere: "",
        uses: &[required(&NETNS.field)],
        kinds: NO_KINDS,
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

/// A namespace that is made or removed has a name.
fn named(request: &mut Request) -> Result<(), Invalid> {
    match request.get(&NETNS) {
        Some(NetnsName::Host) => Err(Invalid::new(NETNS.field.name, "is `@host`, which is neither made nor removed")),
        _ => Ok(()),
    }
}

/// The names are those of the host's directory.
fn of_the_host(request: &mut Request) -> Result<(), Invalid> {
    match request.get(&NETNS) {
        Some(NetnsName::Named(_)) => Err(Invalid::new(NETNS.field.name, "must be `@host`: names are the host's")),
        _ => Ok(()),
    }
}
