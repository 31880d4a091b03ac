// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Links: ip-link(8), rtnetlink(7).
#![forbid(unsafe_code)]

mod kinds;

use super::field::{
    ALIAS, ALLMULTICAST, ARP, EXISTS_OK, Field, INDEX, KIND, LINK, MAC, MASTER, MISSING_OK, MTU, MULTICAST, NETNS,
    NEW_NAME, NO_MASTER, PROMISC, TARGET_NETNS, TXQUEUELEN, UP,
};
use super::request::{Invalid, Request};
use super::{AS_READ, Call, Effect, NOTHING, Needs, Output, Part, Shape, any, off, part, perhaps, required, untouched};

static IN_TARGET_NETNS: &[&Field] = &[&TARGET_NETNS.field, &NETNS.field];

static LINK_STATE: &[Part] = &[
    part("link", Shape::String, "Its name; bytes that are no UTF-8 and `\\` stand as `\\xNN`."),
    part("link_index", Shape::Int, "Its index."),
    perhaps("kind", Shape::String, "Its kind; absent for physical links and `lo`."),
    part("up", Shape::Bool, "Whether it is administratively up."),
    part("operstate", Shape::String, "Operational state (RFC 2863): `up`, `down`, `lowerlayerdown`, `unknown` …"),
    part("flags", Shape::Strings, "Its flags (`IFF_…`, netdevice(7)) in lower case; an unknown bit as its number."),
    part("mtu", Shape::Int, "The largest packet, in bytes."),
    perhaps("mac", Shape::String, "The hardware address, as many bytes as the link has."),
    perhaps("broadcast", Shape::String, "The broadcast hardware address."),
    perhaps(
        "alias",
        Shape::String,
        "Free text kept with it; bytes that are no UTF-8, controls and `\\` stand as `\\xNN`.",
    ),
    part("txqueuelen", Shape::Int, "Length of the transmit queue, in packets."),
    part("qdisc", Shape::String, "The queueing discipline at its root."),
    part("linkmode", Shape::Int, "0 default, 1 dormant (`IF_LINK_MODE_…`)."),
    part("promiscuity", Shape::Int, "How many users keep it promiscuous."),
    part("allmulticast", Shape::Bool, "Whether it receives all multicast packets."),
    perhaps("master", Shape::String, "The link that it is a port of."),
    perhaps("master_index", Shape::Int, "That link's index."),
    perhaps("parent", Shape::String, "The link that it stands on, where that is in this namespace."),
    perhaps("parent_index", Shape::Int, "That link's index, in the namespace where it is."),
    perhaps("peer_index", Shape::Int, "Index of the other end of a veth pair, in the namespace where that is."),
    perhaps(
        "peer_nsid",
        Shape::Int,
        "The number by which this namespace knows the peer's or parent's; absent for its own.",
    ),
    perhaps("bridge", Shape::Object("BridgeState", kinds::BRIDGE), "What a bridge has besides."),
    perhaps("vxlan", Shape::Object("VxlanState", kinds::VXLAN), "What a vxlan has besides."),
    perhaps("macvlan", Shape::Object("MacvlanState", kinds::MACVLAN), "What a macvlan or macvtap has besides."),
    perhaps("tun", Shape::Object("TunState", kinds::TUN), "What a tun or tap has besides."),
];

/// The calls of this family.
pub(super) static CALLS: &[Call] = &[
    Call {
        name: "Link.Add",
        number: 5,
        effect: Effect::Changes,
        needs: Needs::NetAdmin,
        doc: "Makes a virtual link. The kernel takes an alias, and the going up of a pair's other end, in messages of \
              their own right after: an error in one of these leaves the link made (`may_have_changed`). A tun or tap is \
              made by `/dev/net/tun`, and vanishes where something goes wrong before it is complete; with `exists_ok`, one that is not \
              persistent is `Busy`: it is being made, or somebody's for the moment.",
        elsewhere: "A veth pair has its other end in `peer.netns`. A tun or tap is persistent: it stays until it is \
                    deleted, and its owner's programs may attach to it by `/dev/net/tun`. A macvtap has a device file \
                    of its own, `/dev/tap` with its index.",
        uses: &[
            required(&NETNS.field),
            required(&LINK.field).giving_a_name(),
            required(&KIND.field),
            untouched(&MTU.field),
            untouched(&MAC.field),
            untouched(&MASTER.field),
            off(&UP.field),
            untouched(&ALIAS.field),
            off(&EXISTS_OK.field),
        ],
        kinds: kinds::KINDS,
        excludes: kinds::EXCLUDES,
        leaves_open: &[],
        settle: AS_READ,
        result: Output { parts: &[part("link_index", Shape::Int, "The index of the new link.")], streams: false },
    },
    Call {
        name: "Link.Delete",
        number: 6,
        effect: Effect::Changes,
        needs: Needs::NetAdmin,
        doc: "Removes a virtual link.",
        elsewhere: "The other end of a veth pair goes too, and with a parent go the links on top of it.",
        uses: &[required(&NETNS.field), required(&LINK.field), off(&MISSING_OK.field)],
        kinds: &[],
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: NOTHING,
    },
    Call {
        name: "Link.Set",
        number: 7,
        effect: Effect::Changes,
        needs: Needs::NetAdmin,
        doc: "Changes a link. All fields go to the kernel in one message, but the kernel applies them one after the \
              other: an error may leave the first of them changed (`may_have_changed`). Without `new_name` the kernel looks \
              the link up by its name while it makes the change, so that a link that was renamed meanwhile is not changed.",
        elsewhere: "A link that moves loses its addresses, routes and master, and a taken index or name is refused \
                    by the kernel.",
        uses: &[
            required(&NETNS.field),
            required(&LINK.field),
            untouched(&UP.field),
            untouched(&MTU.field),
            untouched(&MAC.field),
            untouched(&ALIAS.field),
            untouched(&NEW_NAME.field).counting_in(IN_TARGET_NETNS).giving_a_name(),
            untouched(&TARGET_NETNS.field),
            untouched(&MASTER.field),
            untouched(&NO_MASTER.field),
            untouched(&ARP.field),
            untouched(&MULTICAST.field),
            untouched(&ALLMULTICAST.field),
            untouched(&PROMISC.field),
            untouched(&TXQUEUELEN.field),
        ],
        kinds: &[],
        excludes: &[
            (&MASTER.field, &NO_MASTER.field, "a link has a master or none"),
            (
                &MASTER.field,
                &TARGET_NETNS.field,
                "the kernel would look for the master in the target namespace; set it there with a second call",
            ),
        ],
        leaves_open: &[],
        settle: set,
        result: NOTHING,
    },
    Call {
        name: "Link.List",
        number: 8,
        effect: Effect::Reads,
        needs: Needs::Nothing,
        doc: "Lists links. With `link` or `index`, that link or the error `NoSuchLink`.",
        elsewhere: "",
        uses: &[required(&NETNS.field), any(&LINK.field), any(&INDEX.field)],
        kinds: &[],
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: Output {
            parts: &[part("links", Shape::List("LinkState", LINK_STATE), "The links, in the kernel's order.")],
            streams: true,
        },
    },
];

/// `no_master` says something where it is true only.
fn set(request: &mut Request) -> Result<(), Invalid> {
    match request.get(&NO_MASTER) {
        Some(false) => Err(Invalid::new(NO_MASTER.field.name, "is false, which says nothing: leave it out")),
        _ => Ok(()),
    }
}
