// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Links: ip-link(8), rtnetlink(7).
#![forbid(unsafe_code)]

mod kinds;

use super::field::{
    ADDRGENMODE, ALIAS, ALLMULTICAST, ARP, EXISTS_OK, Field, GROUP, INDEX, KIND, LINK, MAC, MASTER, MISSING_OK, MTU,
    MULTICAST, NETNS, NEW_NAME, NO_MASTER, PROMISC, RX_QUEUES, TARGET_NETNS, TX_QUEUES, TXQUEUELEN, UP,
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

/// `struct ifinfomsg` and `IFLA_…` (`linux/if_link.h`). What is neither here nor in the table of a kind cannot be
/// written.
pub(crate) static LINK_STATE: Object = Object {
    name: "LinkState",
    head: 16,
    kinds: kinds::KINDS,
    rows: &[
        row(&LINK.field, Place::Attribute(&[3]), Form::Name).always(),
        result("link_index", Place::Head(4), Form::Number(Width::Four), "The interface index of the link.").always(),
        row(&KIND.field, Place::Attribute(&[18, 1]), Form::Keyword),
        row(&UP.field, Place::Head(8), flag(1)).always().uncompared(),
        result(
            "operstate",
            Place::Attribute(&[16]),
            Form::Named(Width::One, &OPERSTATES),
            "The operational state (RFC 2863): `up`, `down`, `lowerlayerdown`, `unknown` …",
        )
        .always(),
        result(
            "flags",
            Place::Head(8),
            Form::Flags(Width::Four, &FLAGS),
            "The flags (`IFF_…`, netdevice(7)) in lower case. An unknown bit is given as a number.",
        )
        .always(),
        row(&MTU.field, Place::Attribute(&[4]), Form::Number(Width::Four)).always().adjusted_when_made(),
        row(&MAC.field, Place::Attribute(&[1]), Form::Mac),
        result("broadcast", Place::Attribute(&[2]), Form::Mac, "The hardware broadcast address."),
        row(&ALIAS.field, Place::Attribute(&[20]), Form::Text).later(),
        row(&TXQUEUELEN.field, Place::Attribute(&[13]), Form::Number(Width::Four)).always(),
        row(&TX_QUEUES.field, Place::Attribute(&[31]), Form::Number(Width::Four)).always(),
        // A kernel without receive packet steering (`CONFIG_RPS`) does not report it.
        row(&RX_QUEUES.field, Place::Attribute(&[32]), Form::Number(Width::Four)),
        row(&GROUP.field, Place::Attribute(&[27]), Form::Number(Width::Four)).always(),
        // `IFLA_AF_SPEC`, `AF_INET6`, `IFLA_INET6_ADDR_GEN_MODE`. The kernel does not report this attribute if statistics
        // are not requested, but it is also `DEVCONF_ADDR_GEN_MODE` (`linux/ipv6.h`) of `IFLA_INET6_CONF`.
        row(&ADDRGENMODE.field, Place::Attribute(&[26, 10, 8]), Form::Word(Width::One)).only_written().before_up(),
        row(&ADDRGENMODE.field, Place::Inside(&[26, 10, 2], 4 * 47, 4 * 48), Form::Word(Width::Four)).only_reported(),
        result("qdisc", Place::Attribute(&[6]), Form::Name, "The root queueing discipline."),
        result(
            "linkmode",
            Place::Attribute(&[17]),
            Form::Number(Width::One),
            "The link mode (`IF_LINK_MODE_…`): 0 default, 1 dormant.",
        )
        .always(),
        result(
            "promiscuity",
            Place::Attribute(&[30]),
            Form::Number(Width::Four),
            "How many users have set the link to promiscuous mode.",
        )
        .always(),
        row(&ALLMULTICAST.field, Place::Head(8), flag(1 << 9)).always(),
        row(&ARP.field, Place::Head(8), Form::Masked(1 << 7, true, 12)).only_written(),
        row(&MULTICAST.field, Place::Head(8), flag(1 << 12)).only_written(),
        row(&PROMISC.field, Place::Head(8), flag(1 << 8)).only_written(),
        row(&MASTER.field, Place::Attribute(&[10]), Form::Link),
        result(
            "master_index",
            Place::Attribute(&[10]),
            Form::Positive(Width::Four),
            "The interface index of `master`.",
        ),
        row(&NO_MASTER.field, Place::Attribute(&[10]), Form::NoLink).only_written(),
        row(&NEW_NAME.field, Place::Attribute(&[3]), Form::Name).only_written(),
        row(&TARGET_NETNS.field, Place::Attribute(&[28]), Form::Netns).only_written(),
        result(
            "peer_nsid",
            Place::Attribute(&[37]),
            Form::Signed,
            "The number (nsid) by which this namespace knows the namespace of the peer or parent. Absent if the peer \
             or parent is in this namespace.",
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
        doc: "Adds a virtual link. The broker sets `alias`, `addrgenmode` and `peer.up` in separate messages after the \
              kernel has made the link, and with `addrgenmode` also `up`, so that IPv6 makes no address before. If \
              one of these fails, the link remains, and the error reports `may_have_changed`. If the \
              kernel sets a field such as `bridge.forward_delay` to another value than the requested one, the link remains, and the \
              error is `NotApplied`. A tun or tap link is made through `/dev/net/tun`. If a step before it is \
              persistent fails, the kernel removes it. With `exists_ok`, an existing tun or tap link that is not \
              persistent is refused with `Busy`: another process is making it, or it exists only while a program holds \
              it open.",
        elsewhere: "The other end of a veth or netkit pair is made in `peer.netns`. A new ipvlan link also changes the \
                    mode of the existing ipvlan links on its parent and, if `ipvlan.traffic` is given, how they \
                    exchange traffic. With the first VRF of a namespace, the kernel adds a routing rule of priority \
                    1000 for each address family. With the first tunnel of a kind, the kernel may load a module that \
                    adds a link to every namespace: `tunl0`, `sit0`, `ip6tnl0`, `gre0`, `gretap0`, `erspan0` or \
                    `ip6gre0`. A tunnel sends its packets through any link that has a route to the other end. A tun or tap link is persistent: it exists \
                    until it is deleted, and programs of its owner can attach to it through `/dev/net/tun`. For a \
                    macvtap, the kernel also makes a device file whose name is `/dev/tap` followed by the index of the \
                    link.",
        uses: &[
            required(&NETNS.field),
            required(&LINK.field).giving_a_name(),
            required(&KIND.field),
            untouched(&MTU.field),
            untouched(&MAC.field),
            untouched(&MASTER.field),
            off(&UP.field),
            untouched(&ALIAS.field),
            untouched(&GROUP.field),
            untouched(&TXQUEUELEN.field),
            untouched(&TX_QUEUES.field),
            untouched(&RX_QUEUES.field),
            untouched(&ADDRGENMODE.field),
            off(&EXISTS_OK.field),
        ],
        kinds: Kinds { by: Some(&KIND.field), all: kinds::KINDS },
        excludes: kinds::EXCLUDES,
        leaves_open: &[],
        settle: with_ipv6,
        result: Output { parts: &[part("link_index", Shape::Int, "The index of the new link.")], streams: false },
    },
    Call {
        name: "Link.Delete",
        number: 6,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Deletes a virtual link. The kernel refuses to delete a physical link.",
        elsewhere: "The kernel also deletes the other end of a veth or netkit pair, and the links that have the deleted link as \
                    their parent.",
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
        doc: "Changes a link. With `kind`, the link must have this kind, and the fields of the kind can be given. The \
              broker sends all fields to the kernel in one message, but the kernel applies them one after the other. \
              After an error, some of them may be changed (`may_have_changed`). If the kernel sets a field such as \
              `mtu` to another value than the requested one, the error is `NotApplied`. A link that moves to \
              `target_netns` is not checked for this. Without `new_name`, the kernel looks the link up by its name \
              while it makes the change. A link that was renamed in the meantime is then not changed.",
        elsewhere: "A link that moves to `target_netns` loses its addresses, its routes and its master. If its index \
                    is taken there, the kernel gives it another index. If its name is taken there, the kernel refuses \
                    the move.",
        uses: &[
            required(&NETNS.field),
            // The link arrives in the target namespace under this name, even if it is renamed there.
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
            untouched(&GROUP.field),
            untouched(&ADDRGENMODE.field),
            any(&KIND.field),
        ],
        kinds: Kinds { by: Some(&KIND.field), all: kinds::CHANGED },
        excludes: &[
            kinds::ONE_MONITOR,
            (&MASTER.field, &NO_MASTER.field, "`no_master` removes the master"),
            (
                &MASTER.field,
                &TARGET_NETNS.field,
                "the kernel would look up the master in the target namespace; set the master there with a second \
                 call",
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
        doc: "Lists the links of a namespace. With `link` or `index`, it lists one link. If no link has the name or \
              index, the error is `NoSuchLink`.",
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

/// Refuses `no_master` if it is false, and a move under a name that no new link may have.
fn set(request: &mut Request) -> Result<(), Invalid> {
    // A link that moves keeps its name, and the kernel announces it under this name before it renames it.
    if let (Some(_), Some(link)) = (request.value(&TARGET_NETNS.field), request.value(&LINK.field)) {
        let why = "; the target namespace would have it";
        link.require_new_name().map_err(|error| Invalid::new(LINK.field.name, error + why))?;
    }
    if request.values().all(|(field, _)| [&NETNS.field, &LINK.field, &KIND.field].contains(&field)) {
        return Err(Invalid::new(LINK.field.name, "is given without a change; give a field to set, such as `up`"));
    }
    if request.get(&ADDRGENMODE).is_some() && request.is_set(&UP) {
        let why = "cannot be given together with `up` true: the kernel sets the link up first, and IPv6 makes addresses \
                   in the old mode; set the link up with a second call";
        return Err(Invalid::new(ADDRGENMODE.field.name, why));
    }
    if request.get(&ADDRGENMODE) == Some(&"stable_privacy") && request.get(&TARGET_NETNS).is_some() {
        let why = "must not be `stable_privacy` for a link that moves: the kernel would look for the secret in the \
                   namespace that the link leaves; set it in the target namespace with a second call";
        return Err(Invalid::new(ADDRGENMODE.field.name, why));
    }
    match request.get(&NO_MASTER) {
        Some(false) => Err(Invalid::new(NO_MASTER.field.name, "must be true; to keep the master, leave it out")),
        _ => with_ipv6(request),
    }
}

/// Refuses an address generation mode for a link whose MTU turns IPv6 off (`IPV6_MIN_MTU`): the kernel would refuse it
/// after it has set the MTU.
fn with_ipv6(request: &mut Request) -> Result<(), Invalid> {
    const LEAST_MTU: u64 = 1280;
    match (request.get(&ADDRGENMODE), request.get(&MTU)) {
        (Some(_), Some(mtu)) if *mtu < LEAST_MTU => {
            let why = format!("needs IPv6, which is off if `mtu` is less than {LEAST_MTU}");
            Err(Invalid::new(ADDRGENMODE.field.name, why))
        }
        _ => Ok(()),
    }
}
