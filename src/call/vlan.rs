// SPDX-License-Identifier: Apache-2.0 OR MIT
//! VLANs of bridges and their ports: bridge-vlan(8), `linux/if_bridge.h`.
#![forbid(unsafe_code)]

use super::field::{
    EXISTS_OK, Field, INDEX, LINK, MASTER, MISSING_OK, NETNS, PVID, TARGET, TUNNEL_IDS, UNTAGGED, VLANS,
};
use super::object::{Form, Object, Parts, Place, Width, result, row};
use super::range::NumberRange;
use super::request::{Invalid, Request};
use super::types::Only;
use super::{
    AS_READ, Call, Effect, NO_KINDS, NOTHING, Needs, Output, Shape, any, off, part, required, untouched, word,
};

/// `IFLA_AF_SPEC`
const SPEC: &[u32] = &[26];

const fn of_vlans(at: usize) -> Place {
    Place::inside(SPEC, at, 16)
}

/// `struct ifinfomsg` and `IFLA_…`, in messages of the family `AF_BRIDGE`. The kernel reports the VLANs of a link as two lists
/// of ranges, one of VLANs and one of tunnel ids. For each range that is alike, `netlink::vlan` puts a structure of its own in
/// the place of these lists: the two VLANs, the flags, the target, and the two tunnel ids, if there are any.
pub(crate) static VLAN_STATE: Object = Object {
    name: "VlanState",
    head: 16,
    kinds: &[],
    rows: &[
        row(&LINK.field, Place::Head(4), Form::Link),
        result("link_index", Place::Head(4), Form::Number(Width::Four), "The interface index of `link`.").always(),
        row(&MASTER.field, Place::attribute(&[10]), Form::Link),
        row(&TARGET.field, of_vlans(6), Form::Word(Width::Two)).always(),
        row(&VLANS.field, of_vlans(0), Form::Range(Width::Two)).always(),
        row(&PVID.field, of_vlans(4), Form::Bit(Width::Two, 1 << 1)).always(),
        row(&UNTAGGED.field, of_vlans(4), Form::Bit(Width::Two, 1 << 2)).always(),
        row(&TUNNEL_IDS.field, of_vlans(8), Form::Range(Width::Four)),
    ],
};

/// The fields of a call that makes VLANs, with these.
macro_rules! made {
    ($($more:expr),*) => {
        &[
            required(&NETNS.field),
            required(&LINK.field),
            required(&VLANS.field),
            off(&PVID.field),
            off(&UNTAGGED.field),
            untouched(&TUNNEL_IDS.field).only(Only::Numbers(1, 0xff_ffff)),
            word(&TARGET.field, "master"),
            $($more),*
        ]
    };
}

/// The calls of this family.
pub(super) static CALLS: &[Call] = &[
    Call {
        name: "Vlan.Add",
        number: 50,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Adds VLANs to a port of a bridge, or with `target` `self` to the bridge itself. They take effect while \
              the bridge has `bridge.vlan_filtering`. If one of them exists, the error is `AlreadyExists`, and none \
              is added. With `exists_ok`, those that exist are compared, and the others are added. With `pvid`, \
              `vlans` must be one number. If the link has another VLAN as its PVID, such as the default PVID of the \
              bridge, the error is `AlreadyExists`, because the kernel would change that VLAN. `Vlan.Replace` can do \
              that. Of two requests for a PVID at the same time, both can succeed, and the kernel keeps one PVID. \
              Each VLAN of a port has at most one tunnel id, and each tunnel id of a port has one VLAN.",
        elsewhere: "For each VLAN, the bridge adds the hardware address of the link to its forwarding database.",
        uses: made![off(&EXISTS_OK.field)],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: added,
        result: NOTHING,
    },
    Call {
        name: "Vlan.Replace",
        number: 51,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Adds VLANs as `Vlan.Add` does, or changes `pvid` and `untagged` of existing ones, as `bridge vlan add` \
              does. Without `pvid`, a VLAN that was the PVID stops being the PVID. An existing VLAN keeps its tunnel \
              id. It can get one if it has none. If it has another one, the error is `AlreadyExists`: delete the \
              VLAN first. With `pvid`, another VLAN of the link may lose this property. In a policy, an allow \
              considers the given VLAN, and every deny on `vlans` or `vlan` is met.",
        elsewhere: "For each VLAN that is added, the bridge adds the hardware address of the link to its forwarding database.",
        uses: made![],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[&PVID.field, &UNTAGGED.field],
        settle: replaced,
        result: NOTHING,
    },
    Call {
        name: "Vlan.Delete",
        number: 52,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Deletes VLANs of a port of a bridge, or with `target` `self` those of the bridge itself. Their tunnel \
              ids are deleted with them. If one of the VLANs does not exist, the error is `NotFound`, and none is \
              deleted. With `missing_ok`, those that exist are deleted.",
        elsewhere: "The bridge removes the addresses that it has learned in these VLANs on the link, and the hardware address \
                    of the link, from its forwarding database.",
        uses: &[
            required(&NETNS.field),
            required(&LINK.field),
            required(&VLANS.field),
            word(&TARGET.field, "master"),
            off(&MISSING_OK.field),
        ],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: NOTHING,
    },
    Call {
        name: "Vlan.List",
        number: 53,
        effect: Effect::Reads,
        needs: Needs::NOTHING,
        doc: "Lists the VLANs of all bridges and their ports. With `link` or `index`, it lists those of one link. An \
              element of the result is about VLANs that follow each other and have the same properties.",
        elsewhere: "",
        uses: &[required(&NETNS.field), any(&LINK.field), any(&INDEX.field)],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: Output {
            parts: &[part(
                "vlans",
                Shape::List("VlanState", Parts::Of(&VLAN_STATE, "")),
                "The VLANs, link by link, in ascending order.",
            )],
            streams: true,
        },
    },
];

/// Refuses what the kernel would refuse after a part of the change.
fn added(request: &mut Request) -> Result<(), Invalid> {
    let refused = |field: &Field, reason: String| Err(Invalid::new(field.name, reason));
    let vlans = *request.needed(&VLANS)?;
    if request.is_set(&PVID) && vlans.first() != vlans.last() {
        return refused(&PVID.field, format!("applies to one VLAN, but `vlans` is {vlans}"));
    }
    let Some(ids) = request.get(&TUNNEL_IDS) else { return Ok(()) };
    let count = |range: NumberRange| range.last() - range.first() + 1;
    match *request.needed(&TARGET)? {
        "self" => refused(&TUNNEL_IDS.field, "applies to ports only, so `target` must be `master`".to_owned()),
        _ if count(*ids) != count(vlans) => {
            let why = format!("must have one number for each VLAN: `vlans` has {}, not {}", count(vlans), count(*ids));
            refused(&TUNNEL_IDS.field, why)
        }
        _ => Ok(()),
    }
}

/// The same. A link has one PVID: the VLAN that was it before can be any.
fn replaced(request: &mut Request) -> Result<(), Invalid> {
    added(request)?;
    if request.is_set(&PVID) {
        request.open(&VLANS.field);
    }
    Ok(())
}
