// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The lists of VNIs that a vxlan with `vxlan.vnifilter` receives: bridge-vni(8), `linux/if_link.h`.
#![forbid(unsafe_code)]

use super::field::{EXISTS_OK, Field, INDEX, LINK, MISSING_OK, NETNS, REMOTE, VNIS};
use super::object::{Form, Object, Parts, Place, Width, result, row};
use super::request::{Invalid, Request};
use super::types::Only;
use super::{AS_READ, Call, Effect, NO_KINDS, NOTHING, Needs, Output, Shape, any, off, part, required, untouched};

/// `struct tunnel_msg` and `VXLAN_VNIFILTER_ENTRY_…`. The kernel reports the entries of a link in one message. For each of
/// them, `netlink::vni` puts attributes of its own in their place: the two VNIs in one, and an address of either family.
pub(crate) static VNI_STATE: Object = Object {
    name: "VniState",
    head: 8,
    kinds: &[],
    rows: &[
        row(&LINK.field, Place::Head(4), Form::Link),
        result("link_index", Place::Head(4), Form::Number(Width::Four), "The interface index of `link`.").always(),
        row(&VNIS.field, Place::attribute(&[1, 1]), Form::Range(Width::Four)).always(),
        row(&REMOTE.field, Place::attribute(&[1, 3]), Form::Ip),
    ],
};

/// How many VNIs a request can add. The kernel does nothing else while it adds them, and each takes memory for every
/// processor.
const MOST: u64 = 4096;

/// The kernel takes 0 in a range, but not by itself: what it added could not be deleted.
const NUMBERS: Only = Only::Numbers(1, 0xff_ffff);

/// The calls of this family.
pub(super) static CALLS: &[Call] = &[
    Call {
        name: "Vni.Add",
        number: 54,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Adds VNIs to those that a vxlan with `vxlan.vnifilter` receives. If one of them exists, the error is \
              `AlreadyExists`, and none is added. With `exists_ok`, those that exist are compared, and the others \
              are added. The error is also `AlreadyExists` if another vxlan with the same port in the namespace has \
              one of the VNIs. VNIs that the kernel added before remain, as `may_have_changed` says. A request can \
              add at most 4096 VNIs. The kernel requires `parent` of the vxlan if `remote` is a multicast group. To \
              change `remote`, delete the VNI and add it again: the kernel would keep sending to the old one. On a \
              kernel before Linux 5.18, the error is `NotSupported`.",
        elsewhere: "With `remote`, the vxlan adds an entry for the hardware address 00:00:00:00:00:00 to its forwarding database.",
        uses: &[
            required(&NETNS.field),
            required(&LINK.field),
            required(&VNIS.field).only(NUMBERS),
            untouched(&REMOTE.field),
            off(&EXISTS_OK.field),
        ],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: added,
        result: NOTHING,
    },
    Call {
        name: "Vni.Delete",
        number: 55,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Deletes VNIs from those that a vxlan with `vxlan.vnifilter` receives. If one of them does not exist, \
              the error is `NotFound`, and none is deleted. With `missing_ok`, those that exist are deleted. On a \
              kernel before Linux 5.18, the error is `NotSupported`.",
        elsewhere: "The vxlan removes the entry of `Vni.Add` from its forwarding database.",
        uses: &[
            required(&NETNS.field),
            required(&LINK.field),
            required(&VNIS.field).only(NUMBERS),
            off(&MISSING_OK.field),
        ],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[&REMOTE.field], // of the entry that goes
        settle: AS_READ,
        result: NOTHING,
    },
    Call {
        name: "Vni.List",
        number: 56,
        effect: Effect::Reads,
        needs: Needs::NOTHING,
        doc: "Lists the VNIs of every vxlan with `vxlan.vnifilter`. With `link` or `index`, it lists those of one \
              link. An element of the result is about VNIs that follow each other and have the same `remote`. On a \
              kernel before Linux 5.18, or one that has not loaded the driver of vxlan, the error is `NotSupported`.",
        elsewhere: "",
        uses: &[required(&NETNS.field), any(&LINK.field), any(&INDEX.field)],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: Output {
            parts: &[part(
                "vnis",
                Shape::List("VniState", Parts::Of(&VNI_STATE, "")),
                "The VNIs, link by link, in ascending order.",
            )],
            streams: true,
        },
    },
];

fn refused(field: &Field, reason: impl Into<String>) -> Result<(), Invalid> {
    Err(Invalid::new(field.name, reason))
}

fn added(request: &mut Request) -> Result<(), Invalid> {
    let vnis = request.needed(&VNIS)?;
    let count = vnis.last() - vnis.first() + 1;
    if count > MOST {
        return refused(&VNIS.field, format!("has {count} VNIs; a request can add at most {MOST}"));
    }
    match request.get(&REMOTE) {
        Some(remote) if remote.is_unspecified() => {
            refused(&REMOTE.field, format!("must not be `{remote}`, which the kernel takes for none; leave it out"))
        }
        _ => Ok(()),
    }
}
