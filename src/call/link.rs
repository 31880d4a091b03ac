// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Links: ip-link(8), rtnetlink(7).
#![forbid(unsafe_code)]

mod kinds;

use super::field::{
    ALIAS, ALLMULTICAST, ARP, EXISTS_OK, Field, INDEX, KIND, LINK, MAC, MASTER, MISSING_OK, MTU, MULTICAST, NETNS,
    NEW_NAME, NO_MASTER, PROMISC, TARGET_NETNS, TXQUEUELEN, UP,
};
use super::object::{Form, Object, Parts, Place, Width, result, row};
use super::request::{Invalid, Request};
use super::types::Words;
use super::{
    AS_READ, Call, Effect, Kinds, NO_KINDS, NOTHING, Needs, Output, Shape, any, off, part, required, untouched,
};

pub(super) use kinds::KIND_WORDS;
pub(crate) use kinds::OTHER;

static IN_TARGET_NETNS: &[&Field] = &[&TARGET_NETNS.field, &NETNS.field];

/// `IFF_…` (netdevice(7), `linux/if.h`).
static FLAGS: Words = Words {
    name: "LinkFlag",
    words: &[
        ("up", 1),
        ("broadcast", 1 << 1),
        ("debug", 1 << 2),
        ("loopback", 1 << 3),
        ("pointopoint", 1 << 4),
        ("notrailers", 1 << 5),
        ("running", 1 << 6),
        ("noarp", 1 << 7),
        ("promisc", 1 << 8),
        ("allmulti", 1 << 9),
        ("master", 1 << 10),
        ("slave", 1 << 11),
        ("multicast", 1 << 12),
        ("portsel", 1 << 13),
        ("automedia", 1 << 14),
        ("dynamic", 1 << 15),
        ("lower_up", 1 << 16),
        ("dormant", 1 << 17),
        ("echo", 1 << 18),
    ],
};
/// `IF_OPER_…` (`linux/if.h`).
static OPERSTATES: Words = Words {
    name: "Operstate",
    words: &[
        ("unknown", 0),
        ("notpresent", 1),
        ("down", 2),
        ("lowerlayerdown", 3),
        ("testing", 4),
        ("dormant", 5),
        ("up", 6),
    ],
};

/// A flag of a link (`ifi_flags`, `ifi_change`).
const fn flag(bit: u32) -> Form {
    Form::Masked(bit, false, 12)
}

/// `struct ifinfomsg` and `IFLA_…` (`linux/if_link.h`). What is neither here nor in the table of a kind cannot be written.
pub(crate) static LINK_STATE: Object = Object {
    name: "LinkState",
    head: 16,
    kinds: kinds::KINDS,
    rows: &[
        row(&LINK.field, Place::Attribute(&[3]), Form::Name).always(),
        result("link_index", Place::Head(4), Form::Number(Width::Four), "Its index.").always(),
        row(&KIND.field, Place::Attribute(&[18, 1]), Form::Keyword),
        row(&UP.field, Place::Head(8), flag(1)).always().uncompared(),
        result(
            "operstate",
            Place::Attribute(&[16]),
            Form::Named(Width::One, &OPERSTATES),
            "Operational state (RFC 2863): `up`, `down`, `lowerlayerdown`, `unknown` …",
        )
        .always(),
        result(
            "flags",
            Place::Head(8),
            Form::Flags(Width::Four, &FLAGS),
            "Its flags (`IFF_…`, netdevice(7)) in lower case; an unknown bit as its number.",
        )
        .always(),
        row(&MTU.field, Place::Attribute(&[4]), Form::Number(Width::Four)).always().adjusted(),
        row(&MAC.field, Place::Attribute(&[1]), Form::Mac),
        result("broadcast", Place::Attribute(&[2]), Form::Mac, "The broadcast hardware address."),
        row(&ALIAS.field, Place::Attribute(&[20]), Form::Text),
        row(&TXQUEUELEN.field, Place::Attribute(&[13]), Form::Number(Width::Four)).always(),
        result("qdisc", Place::Attribute(&[6]), Form::Name, "The queueing discipline at its root."),
        result(
            "linkmode",
            Place::Attribute(&[17]),
            Form::Number(Width::One),
            "0 default, 1 dormant (`IF_LINK_MODE_…`).",
        )
        .always(),
        result(
            "promiscuity",
            Place::Attribute(&[30]),
            Form::Number(Width::Four),
            "How many users keep it promiscuous.",
        )
        .always(),
        row(&ALLMULTICAST.field, Place::Head(8), flag(1 << 9)).always(),
        row(&ARP.field, Place::Head(8), Form::Masked(1 << 7, true, 12)).only_written(),
        row(&MULTICAST.field, Place::Head(8), flag(1 << 12)).only_written(),
        row(&PROMISC.field, Place::Head(8), flag(1 << 8)).only_written(),
        row(&MASTER.field, Place::Attribute(&[10]), Form::Link),
        result("master_index", Place::Attribute(&[10]), Form::Positive(Width::Four), "That link's index."),
        row(&NO_MASTER.field, Place::Attribute(&[10]), Form::NoLink).only_written(),
        row(&NEW_NAME.field, Place::Attribute(&[3]), Form::Name).only_written(),
        row(&TARGET_NETNS.field, Place::Attribute(&[28]), Form::Netns).only_written(),
        result(
            "peer_nsid",
            Place::Attribute(&[37]),
            Form::Signed,
            "The number by which this namespace knows the peer's or parent's; absent for its own.",
        ),
    ],
};

/// The calls of this family.
pub(super) static CALLS: &[Call] = &[
    Call {
        name: "Link.Add",
        number: 5,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Makes a virtual link. The kernel takes an alias, and the going up of a pair's other end, in messages of \
              their own right after: an error in one of these leaves the link made (`may_have_changed`). A tun or tap is \
              made by `/dev/net/tun`, and vanishes where something goes wrong before it is complete. With `exists_ok`, an \
              existing one that is not persistent is `Busy`: it is being made, or a program holds it open.",
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
        kinds: Kinds { by: Some(&KIND.field), all: kinds::KINDS },
        excludes: kinds::EXCLUDES,
        leaves_open: &[],
        settle: AS_READ,
        result: Output { parts: &[part("link_index", Shape::Int, "The index of the new link.")], streams: false },
    },
    Call {
        name: "Link.Delete",
        number: 6,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Removes a virtual link.",
        elsewhere: "The other end of a veth pair goes too, and with a parent go the links on top of it.",
        uses: &[required(&NETNS.field), required(&LINK.field), off(&MISSING_OK.field)],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: NOTHING,
    },
    Call {
        name: "Link.Set",
        number: 7,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Changes a link. All fields go to the kernel in one message, but the kernel applies them one after the \
              other: an error may leave the first of them changed (`may_have_changed`). Without `new_name` the kernel looks \
              the link up by its name while it makes the change, so that a link that was renamed meanwhile is not changed.",
        elsewhere: "A link that moves loses its addresses, routes and master, and a taken index or name is refused \
                    by the kernel.",
        uses: &[
            required(&NETNS.field),
            // It arrives under this name, even where it gets another one there.
            required(&LINK.field).also_in(&TARGET_NETNS.field),
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
            any(&KIND.field),
        ],
        kinds: Kinds { by: Some(&KIND.field), all: kinds::CHANGED },
        excludes: &[
            kinds::ONE_MONITOR,
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
        needs: Needs::NOTHING,
        doc: "Lists links. With `link` or `index`, that link or the error `NoSuchLink`.",
        elsewhere: "",
        uses: &[required(&NETNS.field), any(&LINK.field), any(&INDEX.field)],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: Output {
            parts: &[part(
                "links",
                Shape::List("LinkState", Parts::Of(&LINK_STATE, "")),
                "The links, in the kernel's order.",
            )],
            streams: true,
        },
    },
];

/// Refuses `no_master` where it is false, and a name that a link must not bring into another namespace.
fn set(request: &mut Request) -> Result<(), Invalid> {
    // A link that moves brings its name along, and is announced with it before it has another.
    if let (Some(_), Some(link)) = (request.value(&TARGET_NETNS.field), request.value(&LINK.field)) {
        let why = "; the target namespace would have it";
        link.require_new_name().map_err(|error| Invalid::new(LINK.field.name, error + why))?;
    }
    if request.values().all(|(field, _)| [&NETNS.field, &LINK.field, &KIND.field].contains(&field)) {
        return Err(Invalid::new("", "gives nothing to set"));
    }
    match request.get(&NO_MASTER) {
        Some(false) => Err(Invalid::new(NO_MASTER.field.name, "is false, which says nothing: leave it out")),
        _ => Ok(()),
    }
}
