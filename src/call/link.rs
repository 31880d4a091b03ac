// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Links: ip-link(8), rtnetlink(7).
#![forbid(unsafe_code)]

mod kinds;

use super::field::{
    ADD_ALTNAME, ADDRGENMODE, ALIAS, ALLMULTICAST, ARP, BRIDGE_PORT_COST, BRIDGE_PORT_FLOOD, BRIDGE_PORT_GUARD,
    BRIDGE_PORT_HAIRPIN, BRIDGE_PORT_ISOLATED, BRIDGE_PORT_LEARNING, BRIDGE_PORT_LOCKED, BRIDGE_PORT_MCAST_FLOOD,
    BRIDGE_PORT_NEIGH_SUPPRESS, BRIDGE_PORT_PRIORITY, BRIDGE_PORT_ROOT_BLOCK, BRIDGE_PORT_VLAN_TUNNEL,
    BRIDGE_VLAN_DEFAULT_PVID, EXISTS_OK, Field, FieldId, GROUP, INDEX, KIND, LINK, MAC, MASTER, MISSING_OK, MTU,
    MULTICAST, NETNS, NEW_NAME, NO_MASTER, PROMISC, PROTODOWN, REMOVE_ALTNAME, RX_QUEUES, TARGET_NETNS, TX_QUEUES,
    TXQUEUELEN, UP, VF_INDEX, VF_LINK_STATE, VF_LINK_STATES, VF_MAC, VF_QOS, VF_RATE_MAX, VF_RATE_MIN, VF_SPOOFCHK,
    VF_TRUST, VF_VLAN, VLAN, WITH_STATS, WITH_VFS,
};
use super::object::{Form, Object, Parts, Place, Row, Width, result, row};
use super::request::{Invalid, Request};
use super::types::{Only, Words};
use super::{
    AS_READ, Call, Effect, Kinds, NO_KINDS, NOTHING, Needs, Output, Shape, any, off, part, required, untouched,
};

use kinds::ETHERNET;
pub(super) use kinds::KIND_WORDS;
pub(crate) use kinds::OTHER;

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

/// A counter of `IFLA_STATS64`: a number of 64 bits at this position of `struct rtnl_link_stats64` (`linux/if_link.h`).
const fn counter(name: &'static str, position: usize, doc: &'static str) -> Row {
    result(name, Place::inside(&[23], position * 8, 200), Form::Number(Width::Eight), doc)
}

/// A part of a virtual function, after its number in a structure of so many bytes.
const fn of_vf(
    name: &'static str,
    path: &'static [u32],
    at: usize,
    whole: usize,
    form: Form,
    doc: &'static str,
) -> Row {
    result(name, Place::inside(path, at, whole), form, doc)
}

/// `IFLA_VF_…` in `IFLA_VF_INFO` (`linux/if_link.h`). The kernel reports all of them for every virtual function.
pub(crate) static VF_STATE: Object = Object {
    name: "VfState",
    head: 0,
    kinds: &[],
    rows: &[
        of_vf("vf.index", &[2], 0, 12, Form::Number(Width::Four), "The number of the virtual function, from 0.").always(),
        result("vf.mac", Place::attribute(&[1]), Form::Mac, "The hardware (MAC) address."),
        of_vf(
            "vf.vlan",
            &[2],
            4,
            12,
            Form::Number(Width::Four),
            "The VLAN identifier (VID) that the link adds to packets of the virtual function and removes from packets to \
             it; 0 for none.",
        )
        .always(),
        of_vf("vf.qos", &[2], 8, 12, Form::Number(Width::Four), "The priority of the packets in the VLAN.").always(),
        of_vf(
            "vf.rate_min",
            &[6],
            4,
            12,
            Form::Number(Width::Four),
            "The guaranteed transmit rate, in megabits per second; 0 for none.",
        ),
        of_vf(
            "vf.rate_max",
            &[6],
            8,
            12,
            Form::Number(Width::Four),
            "The limit of the transmit rate, in megabits per second; 0 for none.",
        ),
        of_vf(
            "vf.spoofchk",
            &[4],
            4,
            8,
            Form::Flag(Width::Four),
            "Whether the link drops packets with another source address than that of the virtual function. Absent if the \
             driver does not report it.",
        ),
        of_vf(
            "vf.link_state",
            &[5],
            4,
            8,
            Form::Named(Width::Four, &VF_LINK_STATES),
            "The state of the link that the virtual function sees: that of the physical link (`auto`), or always up \
             (`enable`) or down (`disable`).",
        ),
        of_vf(
            "vf.trust",
            &[9],
            4,
            8,
            Form::Flag(Width::Four),
            "Whether the virtual function is trusted: it may change its hardware address, for example. Absent if the \
             driver does not report it.",
        ),
    ],
};

/// A flag of a link (`ifi_flags`, `ifi_change`).
const fn flag(bit: u32) -> Form {
    Form::Masked(bit, false, 12)
}

/// A part of `IFLA_VF_…`: the attribute, the first byte of the part, and the bytes of the structure. All go into one
/// `IFLA_VF_INFO` in `IFLA_VFINFO_LIST`.
macro_rules! vf {
    ($attribute:literal, $at:literal, $whole:literal) => {
        Place::inside(&[22, 1, $attribute], $at, $whole)
    };
}

/// The number of the virtual function, with which each structure begins.
const fn vf_number(field: &'static Field, place: Place) -> Row {
    row(field, place, Form::NumberOf(FieldId::of(&VF_INDEX.field))).only_written()
}

/// `struct ifinfomsg` and `IFLA_…` (`linux/if_link.h`). What is neither here nor in the table of a kind cannot be
/// written.
pub(crate) static LINK_STATE: Object = Object {
    name: "LinkState",
    head: 16,
    kinds: kinds::ALL,
    rows: &[
        row(&LINK.field, Place::attribute(&[3]), Form::Name).always(),
        result("link_index", Place::Head(4), Form::Number(Width::Four), "The interface index of the link.").always(),
        row(&KIND.field, Place::attribute(&[18, 1]), Form::Keyword),
        row(&UP.field, Place::Head(8), flag(1)).always().uncompared(),
        result(
            "operstate",
            Place::attribute(&[16]),
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
        row(&MTU.field, Place::attribute(&[4]), Form::Number(Width::Four)).always().adjusted_when_made(),
        row(&MAC.field, Place::attribute(&[1]), Form::Mac),
        result("broadcast", Place::attribute(&[2]), Form::Mac, "The hardware broadcast address."),
        row(&ALIAS.field, Place::attribute(&[20]), Form::Text).later(),
        result(
            "altnames",
            Place::attribute(&[52]),
            Form::Names,
            "The alternative names. Absent if there are none. A request cannot refer to the link by them.",
        ),
        row(&TXQUEUELEN.field, Place::attribute(&[13]), Form::Number(Width::Four)).always(),
        row(&TX_QUEUES.field, Place::attribute(&[31]), Form::Number(Width::Four)).always(),
        // A kernel without receive packet steering (`CONFIG_RPS`) does not report it.
        row(&RX_QUEUES.field, Place::attribute(&[32]), Form::Number(Width::Four)),
        row(&GROUP.field, Place::attribute(&[27]), Form::Number(Width::Four)).always(),
        // `IFLA_AF_SPEC`, `AF_INET6`, `IFLA_INET6_ADDR_GEN_MODE`. The kernel does not report this attribute if statistics
        // are not requested, but it is also `DEVCONF_ADDR_GEN_MODE` (`linux/ipv6.h`) of `IFLA_INET6_CONF`.
        row(&ADDRGENMODE.field, Place::attribute(&[26, 10, 8]), Form::Word(Width::One)).only_written().before_up(),
        row(&ADDRGENMODE.field, Place::inside(&[26, 10, 2], 4 * 47, 4 * 48), Form::Word(Width::Four)).only_reported(),
        result("qdisc", Place::attribute(&[6]), Form::Name, "The root queueing discipline."),
        result(
            "linkmode",
            Place::attribute(&[17]),
            Form::Number(Width::One),
            "The link mode (`IF_LINK_MODE_…`): 0 default, 1 dormant.",
        )
        .always(),
        result(
            "promiscuity",
            Place::attribute(&[30]),
            Form::Number(Width::Four),
            "How many users have set the link to promiscuous mode.",
        )
        .always(),
        row(&ALLMULTICAST.field, Place::Head(8), flag(1 << 9)).always(),
        row(&ARP.field, Place::Head(8), Form::Masked(1 << 7, true, 12)).only_written(),
        row(&MULTICAST.field, Place::Head(8), flag(1 << 12)).only_written(),
        row(&PROMISC.field, Place::Head(8), flag(1 << 8)).only_written(),
        row(&MASTER.field, Place::attribute(&[10]), Form::Link),
        result(
            "master_index",
            Place::attribute(&[10]),
            Form::Positive(Width::Four),
            "The interface index of `master`.",
        ),
        row(&NO_MASTER.field, Place::attribute(&[10]), Form::NoLink).only_written(),
        row(&NEW_NAME.field, Place::attribute(&[3]), Form::Name).only_written(),
        row(&TARGET_NETNS.field, Place::attribute(&[28]), Form::Netns).only_written(),
        row(&PROTODOWN.field, Place::attribute(&[39]), Form::Flag(Width::One)),
        row(&BRIDGE_PORT_PRIORITY.field, Place::Port(2), Form::Number(Width::Two)),
        row(&BRIDGE_PORT_COST.field, Place::Port(3), Form::Number(Width::Four)),
        row(&BRIDGE_PORT_HAIRPIN.field, Place::Port(4), Form::Flag(Width::One)),
        row(&BRIDGE_PORT_GUARD.field, Place::Port(5), Form::Flag(Width::One)),
        row(&BRIDGE_PORT_ROOT_BLOCK.field, Place::Port(6), Form::Flag(Width::One)),
        row(&BRIDGE_PORT_LEARNING.field, Place::Port(8), Form::Flag(Width::One)),
        row(&BRIDGE_PORT_FLOOD.field, Place::Port(9), Form::Flag(Width::One)),
        row(&BRIDGE_PORT_MCAST_FLOOD.field, Place::Port(27), Form::Flag(Width::One)),
        row(&BRIDGE_PORT_VLAN_TUNNEL.field, Place::Port(29), Form::Flag(Width::One)),
        row(&BRIDGE_PORT_NEIGH_SUPPRESS.field, Place::Port(32), Form::Flag(Width::One)),
        row(&BRIDGE_PORT_ISOLATED.field, Place::Port(33), Form::Flag(Width::One)),
        // The kernel ignores attributes that it does not know. It knows this one since Linux 5.18.
        row(&BRIDGE_PORT_LOCKED.field, Place::Port(39), Form::Flag(Width::One)).adjusted(),
        vf_number(&VF_MAC.field, vf!(1, 0, 36)),
        row(&VF_MAC.field, vf!(1, 4, 36), Form::Mac).only_written(),
        vf_number(&VF_VLAN.field, vf!(2, 0, 12)),
        row(&VF_VLAN.field, vf!(2, 4, 12), Form::Number(Width::Four)).only_written(),
        row(&VF_QOS.field, vf!(2, 8, 12), Form::Number(Width::Four)).only_written(),
        vf_number(&VF_RATE_MIN.field, vf!(6, 0, 12)),
        row(&VF_RATE_MIN.field, vf!(6, 4, 12), Form::Number(Width::Four)).only_written(),
        row(&VF_RATE_MAX.field, vf!(6, 8, 12), Form::Number(Width::Four)).only_written(),
        vf_number(&VF_SPOOFCHK.field, vf!(4, 0, 8)),
        row(&VF_SPOOFCHK.field, vf!(4, 4, 8), Form::Flag(Width::Four)).only_written(),
        vf_number(&VF_LINK_STATE.field, vf!(5, 0, 8)),
        row(&VF_LINK_STATE.field, vf!(5, 4, 8), Form::Word(Width::Four)).only_written(),
        vf_number(&VF_TRUST.field, vf!(9, 0, 8)),
        row(&VF_TRUST.field, vf!(9, 4, 8), Form::Flag(Width::Four)).only_written(),
        result(
            "peer_nsid",
            Place::attribute(&[37]),
            Form::Signed,
            "The number (nsid) by which this namespace knows the namespace of the peer or parent. Absent if the peer \
             or parent is in this namespace.",
        ),
        counter("stats.rx_packets", 0, "Packets received."),
        counter("stats.tx_packets", 1, "Packets sent."),
        counter("stats.rx_bytes", 2, "Bytes received."),
        counter("stats.tx_bytes", 3, "Bytes sent."),
        counter("stats.rx_errors", 4, "Bad packets received."),
        counter("stats.tx_errors", 5, "Packets that could not be sent."),
        counter("stats.rx_dropped", 6, "Received packets that were dropped, for example for lack of memory."),
        counter("stats.tx_dropped", 7, "Packets that were dropped on their way to be sent."),
        counter("stats.multicast", 8, "Multicast packets received."),
        counter("stats.collisions", 9, "Collisions while packets were sent."),
        counter("stats.rx_length_errors", 10, "Packets received with an invalid length."),
        counter("stats.rx_over_errors", 11, "Packets lost because the receiver overflowed."),
        counter("stats.rx_crc_errors", 12, "Packets received with a wrong checksum (CRC)."),
        counter("stats.rx_frame_errors", 13, "Packets received with a wrong alignment."),
        counter("stats.rx_fifo_errors", 14, "Packets lost because the FIFO of the receiver overflowed."),
        counter("stats.rx_missed_errors", 15, "Packets that the host did not take from the device in time."),
        counter("stats.tx_aborted_errors", 16, "Transmissions that were aborted."),
        counter("stats.tx_carrier_errors", 17, "Transmissions that failed because the carrier was lost."),
        counter("stats.tx_fifo_errors", 18, "Transmissions that failed because the FIFO of the sender was empty."),
        counter("stats.tx_heartbeat_errors", 19, "Transmissions without a heartbeat (old Ethernet devices)."),
        counter("stats.tx_window_errors", 20, "Transmissions that failed because of a late collision."),
        counter("stats.rx_compressed", 21, "Compressed packets received."),
        counter("stats.tx_compressed", 22, "Compressed packets sent."),
        counter("stats.rx_nohandler", 23, "Packets that were dropped because the link is an inactive port."),
        counter(
            "stats.rx_otherhost_dropped",
            24,
            "Packets that were dropped because they were for another host. Absent before Linux 5.19.",
        ),
        result(
            "vfs",
            Place::attribute(&[22]),
            Form::Objects(&VF_STATE),
            "The virtual functions (SR-IOV), if the request has `with_vfs`. Absent if there are none.",
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
              error is `NotApplied`. With `target_netns`, the link is made in that namespace. `link` is then its name \
              there, and `link_index` its index there. The links that the request names, such as `parent`, are looked \
              up in `netns`. `target_netns` must not be the same as `netns`, and `peer.netns` must be one of the two. \
              A tun or tap cannot be made in `target_netns`: give its namespace in `netns`. An ipip, sit, ip6tnl, \
              gre, gretap, ip6gre, ip6gretap or xfrm is made in `netns` under a temporary name, `nb` and eight hexadecimal digits, and moved, because it sends \
              its packets through the namespace that it is made in. If another process there \
              renames or removes the link before the broker has looked it up, the error reports `may_have_changed`. \
              Before Linux 6.15, a link whose name is taken in `netns` also has such a name first. A tun or tap link is made through `/dev/net/tun`. If a step before it is \
              persistent fails, the kernel removes it. With `exists_ok`, an existing tun or tap link that is not \
              persistent is refused with `Busy`: another process is making it, or it exists only while a program holds \
              it open.",
        elsewhere: "The other end of a veth or netkit pair is made in `peer.netns`. A new ipvlan link also changes the \
                    mode of the existing ipvlan links on its parent and, if `ipvlan.traffic` is given, how they \
                    exchange traffic. With the first VRF of a namespace, the kernel adds a routing rule of priority \
                    1000 for each address family. With the first tunnel of a kind, the kernel may load a module that \
                    adds a link to every namespace: `tunl0`, `sit0`, `ip6tnl0`, `gre0`, `gretap0`, `erspan0` or \
                    `ip6gre0`. A tunnel sends its packets through any link of `netns` that has a route to the other \
                    end, also if the tunnel is in `target_netns` or moves to another namespace later. A tun or tap link is persistent: it exists \
                    until it is deleted, and programs of its owner can attach to it through `/dev/net/tun`. For a \
                    macvtap, the kernel also makes a device file whose name is `/dev/tap` followed by the index of the \
                    link.",
        uses: &[
            required(&NETNS.field),
            required(&LINK.field).counting_in_given(&TARGET_NETNS.field).giving_a_name(),
            required(&KIND.field),
            untouched(&TARGET_NETNS.field),
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
        kinds: Kinds { by: Some(&KIND.field), all: kinds::ADDED },
        excludes: kinds::EXCLUDES,
        leaves_open: &[],
        settle: add,
        result: Output { parts: &[part("link_index", Shape::Int, "The index of the new link.")], streams: false },
    },
    Call {
        name: "Link.Delete",
        number: 6,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Deletes a virtual link, by its name or by its index. A request must give exactly one of `link` and \
              `index`. The kernel refuses to delete a physical link. The broker refuses to delete a CAN device, because \
              the kernel would report success and do nothing. `index` is only for existing links whose name no \
              request can give, such as `veth@if3`. If a request can give the name of the link, the broker refuses \
              `index` with an error that has the name. If another process renames the link before it is deleted, the \
              error is `Busy`. With `index`, the request leaves open which link is meant. Every deny on a link of the \
              network namespace meets it, and an allow permits it only if it names `index`, and `link` is `\"*\"` or in `free`. A deny on \
              `index` does not meet a request that gives `link`.",
        elsewhere: "The kernel also deletes the other end of a veth or netkit pair, and most links that have the deleted link as \
                    their parent, such as VLANs and macvlans. Tunnels remain.",
        // `excludes` would close `link` where `index` is given. But the index stands for any link.
        uses: &[required(&NETNS.field), any(&LINK.field), untouched(&INDEX.field), off(&MISSING_OK.field)],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: deleted,
        result: NOTHING,
    },
    Call {
        name: "Link.Set",
        number: 7,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Changes a link. With `kind`, the link must have this kind, and those fields of the kind can be given \
              that the kernel can change. An ipip, sit, ip6tnl, gre, gretap, ip6gre, ip6gretap or xfrm has no such \
              fields: the kernel would reset every field that the request leaves out. A veth, netkit, vlan, vrf, \
              wireguard or tun has none either. A macvlan cannot change to or from the mode `passthru`. A CAN device \
              must be down for `can` fields. A vxlan that was made in \
              another namespace keeps its `parent`, because the kernel would look the new one up there. The broker \
              sends the fields to the kernel in one message. After that, it sends the `bridge_port` fields, \
              `remove_altname` and `add_altname`, each in its own message. The kernel applies the fields one after the \
              other. If the order matters, use several calls. A link must be down when it becomes a port of a bond. \
              After an error, some of them may be changed (`may_have_changed`). If the kernel sets a field such as \
              `bridge.mcast_query_interval` to another value than the requested one, the error is `NotApplied`. A link \
              that moves to `target_netns` is not checked for this. If `target_netns` is the namespace of `netns`, the \
              link does not move. Without `new_name`, the kernel looks the link up by its name \
              while it makes the change. A link that was renamed in the meantime is then not changed.",
        elsewhere: "A link that moves to `target_netns` is set down, unless `up` is true. It loses its addresses, its \
                    routes and its master. If its index is taken there, the kernel gives it another index. If its name \
                    is taken there, the kernel refuses the move. If `new_name` is taken there, the link has moved but \
                    keeps its name, and the error reports `may_have_changed`. Some links cannot move, such as bridges: \
                    use `Link.Add` with `target_netns`. The mode of an ipvlan applies to all ipvlan links on its \
                    parent.",
        uses: &[
            required(&NETNS.field),
            // The link arrives in the target namespace under this name, even if it is renamed there.
            required(&LINK.field).also_counting_in(&TARGET_NETNS.field),
            untouched(&UP.field),
            untouched(&MTU.field),
            untouched(&MAC.field),
            untouched(&ALIAS.field),
            untouched(&NEW_NAME.field).counting_in_given(&TARGET_NETNS.field).giving_a_name(),
            untouched(&TARGET_NETNS.field),
            untouched(&MASTER.field),
            untouched(&NO_MASTER.field).only(Only::True),
            untouched(&ARP.field),
            untouched(&MULTICAST.field),
            untouched(&ALLMULTICAST.field),
            untouched(&PROMISC.field),
            untouched(&TXQUEUELEN.field),
            untouched(&GROUP.field),
            untouched(&ADDRGENMODE.field),
            untouched(&PROTODOWN.field),
            untouched(&REMOVE_ALTNAME.field),
            untouched(&ADD_ALTNAME.field).giving_a_name(),
            untouched(&BRIDGE_PORT_PRIORITY.field),
            untouched(&BRIDGE_PORT_COST.field),
            untouched(&BRIDGE_PORT_HAIRPIN.field),
            untouched(&BRIDGE_PORT_GUARD.field),
            untouched(&BRIDGE_PORT_ROOT_BLOCK.field),
            untouched(&BRIDGE_PORT_LEARNING.field),
            untouched(&BRIDGE_PORT_FLOOD.field),
            untouched(&BRIDGE_PORT_MCAST_FLOOD.field),
            untouched(&BRIDGE_PORT_VLAN_TUNNEL.field),
            untouched(&BRIDGE_PORT_NEIGH_SUPPRESS.field),
            untouched(&BRIDGE_PORT_ISOLATED.field),
            untouched(&BRIDGE_PORT_LOCKED.field),
            untouched(&VF_INDEX.field),
            untouched(&VF_MAC.field).only(Only::Bytes(ETHERNET)),
            untouched(&VF_VLAN.field),
            untouched(&VF_QOS.field),
            untouched(&VF_RATE_MIN.field),
            untouched(&VF_RATE_MAX.field),
            untouched(&VF_SPOOFCHK.field),
            untouched(&VF_LINK_STATE.field),
            untouched(&VF_TRUST.field),
            any(&KIND.field),
        ],
        kinds: Kinds { by: Some(&KIND.field), all: kinds::CHANGED },
        excludes: &[
            kinds::ONE_MONITOR,
            (&MASTER.field, &NO_MASTER.field, "`no_master` removes the master"),
            kinds::MASTER_ELSEWHERE,
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
              index, the error is `NoSuchLink`. If the link exists but does not match the other filters, the list is empty. `kind`, `master`, `group` and `up` list only links that have these \
              values. A link must match all given filters. If no link has the name in `master`, the error is \
              `NoSuchLink`. A deny with `touches` meets `master` only if the request gives it. `with_stats` and \
              `with_vfs` add parts to the result, so an allow permits them only if it names them.",
        elsewhere: "",
        uses: &[
            required(&NETNS.field),
            any(&LINK.field),
            any(&INDEX.field),
            any(&KIND.field),
            any(&MASTER.field).being_a_condition(),
            any(&GROUP.field),
            any(&UP.field),
            off(&WITH_VFS.field),
            off(&WITH_STATS.field),
        ],
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

/// Refuses the namespace of the request as the target: one meaning has one spelling.
fn add(request: &mut Request) -> Result<(), Invalid> {
    match (request.get(&TARGET_NETNS), request.get(&NETNS)) {
        (Some(target), Some(own)) if target == own => {
            let why = format!("is the same as `{}`; leave it out", NETNS.field.name);
            Err(Invalid::new(TARGET_NETNS.field.name, why))
        }
        _ => with_ipv6(request),
    }
}

/// Requires a name or an index, and not both: they could be of different links.
fn deleted(request: &mut Request) -> Result<(), Invalid> {
    match (request.value(&LINK.field), request.value(&INDEX.field)) {
        (None, None) => {
            Err(Invalid::new(LINK.field.name, format!("is required unless `{}` is given", INDEX.field.name)))
        }
        (Some(_), Some(_)) => Err(Invalid::new(INDEX.field.name, "cannot be given together with `link`; leave it out")),
        _ => Ok(()),
    }
}

/// Whether a field of `Link.Set` says what is changed, and not how.
pub(crate) fn identifies_link(field: &Field) -> bool {
    [&NETNS.field, &LINK.field, &KIND.field, &VF_INDEX.field].contains(&field)
}

/// Refuses what the kernel takes in one structure if only a part of it is given.
fn settle_vf(request: &Request) -> Result<(), Invalid> {
    let together = [
        (&VF_RATE_MIN.field, &VF_RATE_MAX.field),
        (&VF_RATE_MAX.field, &VF_RATE_MIN.field),
        (&VF_QOS.field, &VF_VLAN.field),
    ];
    let lacks = |(one, other): &&(&Field, &Field)| request.value(one).is_some() && request.value(other).is_none();
    let of_vf = |field: &&Field| field.name.starts_with("vf.") && **field != VF_INDEX.field;
    let given = request.values().map(|(field, _)| field).find(of_vf);
    match (together.iter().find(lacks), given, request.get(&VF_INDEX)) {
        (Some((one, other)), ..) => Err(Invalid::new(other.name, format!("is required with `{}`", one.name))),
        (None, Some(given), None) => {
            Err(Invalid::new(VF_INDEX.field.name, format!("is required with `{}`", given.name)))
        }
        (None, None, Some(_)) => Err(Invalid::new(VF_INDEX.field.name, "is given without a change of that VF")),
        _ => Ok(()),
    }
}

/// Refuses a move under a name that no new link may have.
fn set(request: &mut Request) -> Result<(), Invalid> {
    // A link that moves keeps its name, and the kernel announces it under this name before it renames it.
    if let (Some(_), Some(link)) = (request.value(&TARGET_NETNS.field), request.value(&LINK.field)) {
        let why = "; the target namespace would have it";
        link.require_new_name().map_err(|error| Invalid::new(LINK.field.name, error + why))?;
    }
    settle_vf(request)?;
    if request.value(&BRIDGE_VLAN_DEFAULT_PVID.field).is_some() {
        request.open(&VLAN.field); // the VLAN that was the default one goes from the bridge and its ports
    }
    if request.values().all(|(field, _)| identifies_link(field)) {
        return Err(Invalid::new(LINK.field.name, "nothing to change: also give a field to set, such as `up`"));
    }
    // A message of its own would not find the link any more, and a port leaves its bridge when it moves.
    let separately = |field: &Field| field.name.starts_with("bridge_port.") || field.name.ends_with("_altname");
    let moves = request.value(&TARGET_NETNS.field).is_some();
    if let Some((field, _)) = request.values().find(|(field, _)| moves && separately(field)) {
        let why =
            format!("cannot be given together with `{}`; make this change with a second call", TARGET_NETNS.field.name);
        return Err(Invalid::new(field.name, why));
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
    with_ipv6(request)
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
