// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Network namespaces: names under `/run/netns`, shared with `ip netns`.
#![forbid(unsafe_code)]

use super::field::{EXISTS_OK, MISSING_OK, NETNS, NSID};
use super::object::Parts;
use super::types::Only;
use super::{AS_READ, Call, Effect, NO_KINDS, NOTHING, Needs, Output, Part, Shape, off, part, perhaps, required};

static ENTRY: &[Part] = &[
    part("netns", Shape::String, "The name. A byte that is not part of valid UTF-8 is written as `\\xNN`."),
    part(
        "ready",
        Shape::Bool,
        "Whether a namespace is mounted on the file of this name. A killed `ip netns add` leaves a plain file. The \
         type of the namespace is not checked; `Netns.Get` checks it.",
    ),
];

/// The calls of this family.
pub(super) static CALLS: &[Call] = &[
    Call {
        name: "Netns.Add",
        number: 1,
        effect: Effect::Changes,
        needs: Needs::NAMESPACES,
        doc: "Creates a network namespace and mounts it under `/run/netns`, as `ip netns add` does. `netns` must not \
              be `@host`. A name that exists is refused with `AlreadyExists`. If another process is creating the \
              namespace, the call waits up to a second for it.",
        elsewhere: "The call makes `/run/netns` a shared mount, unless `netbrokerctl policy install` or an earlier \
                    call has already done so. An error after that reports `may_have_changed`.",
        uses: &[required(&NETNS.field).only(Only::Named).giving_a_name(), off(&EXISTS_OK.field)],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: NOTHING,
    },
    Call {
        name: "Netns.Delete",
        number: 2,
        effect: Effect::Changes,
        needs: Needs::NAMESPACES,
        doc: "Deletes the name of a network namespace, as `ip netns delete` does. `netns` must not be `@host`. The \
              call also deletes the plain file that a killed `Netns.Add` or `ip netns add` left. Anything else that \
              has the name is not deleted, and the error is `NoSuchNetns`. Its reason is `symbolic_link` for a \
              symbolic link. It is `not_a_namespace` for a directory, FIFO, socket, device or mounted file, and for a \
              namespace that is not a network namespace.",
        elsewhere: "The kernel destroys the namespace when nothing uses it any more. This deletes its virtual links \
                    and the other ends of its veth pairs. Physical links return to the initial namespace.",
        uses: &[required(&NETNS.field).only(Only::Named), off(&MISSING_OK.field)],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: NOTHING,
    },
    Call {
        name: "Netns.List",
        number: 3,
        effect: Effect::Reads,
        needs: Needs::NAMES,
        doc: "Lists the names under `/run/netns`. `netns` must be `@host`, because the names belong to the host.",
        elsewhere: "",
        uses: &[required(&NETNS.field).only(Only::Host)],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: Output {
            parts: &[part(
                "namespaces",
                Shape::List("Namespace", Parts::Declared(ENTRY)),
                "All names, sorted by their bytes.",
            )],
            streams: false,
        },
    },
    Call {
        name: "Netns.Get",
        number: 4,
        effect: Effect::Reads,
        needs: Needs::LOOK,
        doc: "Reports whether a network namespace is ready, and the number (nsid) by which `@host` knows it. A plain file, \
              which a killed `Netns.Add` or `ip netns add` leaves, is not ready. For anything else that is not a network \
              namespace, the error is `NoSuchNetns`, with the reason `symbolic_link` or `not_a_namespace`.",
        elsewhere: "",
        uses: &[required(&NETNS.field)],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: Output {
            parts: &[
                part("ready", Shape::Bool, "Whether a namespace is mounted on the file of this name."),
                perhaps(
                    "nsid",
                    Shape::Int,
                    "The number (nsid) by which `@host` knows the namespace, as in `ip netns list-id`.",
                ),
            ],
            streams: false,
        },
    },
    Call {
        name: "Netns.Set",
        number: 32,
        effect: Effect::Changes,
        needs: Needs::NUMBERS,
        doc: "Sets the number (nsid) by which `@host` knows a network namespace, as `ip netns set` does. `netns` must not be \
              `@host`. A namespace has one number at most, and keeps it: if it has another one, or if another namespace has \
              this number, the error is `AlreadyExists`.",
        elsewhere: "Results of later calls and events of the kernel refer to the namespace by this number.",
        uses: &[required(&NETNS.field).only(Only::Named), required(&NSID.field), off(&EXISTS_OK.field)],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: NOTHING,
    },
    Call {
        name: "Netns.Numbers",
        number: 33,
        effect: Effect::Reads,
        needs: Needs::NOTHING,
        doc: "Lists the numbers (nsid) by which a network namespace knows others, as `ip netns list-id` does. `Netns.Get` \
              reports which of the numbers of `@host` belongs to a name.",
        elsewhere: "",
        uses: &[required(&NETNS.field)],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: Output { parts: &[part("nsids", Shape::Ints, "The numbers, in ascending order.")], streams: false },
    },
    Call {
        name: "Netns.Pids",
        number: 23,
        effect: Effect::Reads,
        needs: Needs::PIDS,
        doc: "Lists the processes that are in a network namespace, as `ip netns pids` does. A process is in the \
              namespace of its first thread; one whose first thread has ended is not listed. The process that serves the call is not \
              listed; one that serves another call in the namespace at the same time is. If `/proc` hides the \
              processes of other users (`hidepid`, proc(5)), `complete` is false.",
        elsewhere: "",
        uses: &[required(&NETNS.field)],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: Output {
            parts: &[
                part(
                    "pids",
                    Shape::Ints,
                    "The process ids, as the `/proc` of the host shows them, in ascending order.",
                ),
                part(
                    "complete",
                    Shape::Bool,
                    "Whether `/proc` shows the processes of all users. If not, `pids` may lack some.",
                ),
            ],
            streams: false,
        },
    },
];
