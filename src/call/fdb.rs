// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Forwarding databases of bridges, vxlans and other links: bridge(8), rtnetlink(7).
#![forbid(unsafe_code)]

use super::field::{
    EXISTS_OK, EXTERN_LEARN, FDB_STATE, Field, INDEX, LINK, MAC, MASTER, MISSING_OK, NETNS, NEXTHOP_ID, PORT, REMOTE,
    SOURCE_VNI, STICKY, TARGET_WORDS, TARGETS, VIA, VLAN, VNI,
};
use super::neighbour::{FLAGS, MORE_FLAGS, TIMES};
use super::object::{Form, Object, Parts, Place, Row, Width, result, row};
use super::request::{Invalid, Request};
use super::types::{Only, Words};
use super::value::Value;
use super::{
    AS_READ, Call, Effect, FLUSHED, NO_KINDS, NOTHING, Needs, Output, Shape, Use, any, chosen, follows, off, part,
    required, untouched, word,
};

/// The states that the kernel reports. A bridge has its own numbers for them (`fdb_to_nud`).
static REPORTED_STATES: Words = Words {
    name: "AnyFdbState",
    words: &[
        ("permanent", 0xc0),
        ("permanent", 0x80),
        ("static", 0x42),
        ("static", 0x40),
        ("dynamic", 0x02),
        ("dynamic", 0x04), // it has not been used for a while
    ],
};

/// No attributes of the kernel: here the code puts what it makes of `NDA_IFINDEX` and `NTF_SELF`.
pub(crate) const REPORTED_VIA: u16 = 78;
/// See [`REPORTED_VIA`].
pub(crate) const REPORTED_TARGETS: u16 = 79;

const fn time(name: &'static str, at: usize, doc: &'static str) -> Row {
    result(name, Place::inside(TIMES, at, 16), Form::Number(Width::Four), doc)
}

/// `struct ndmsg` and `NDA_…` (`linux/neighbour.h`).
pub(crate) static FDB_ENTRY: Object = Object {
    name: "FdbEntry",
    head: 12,
    kinds: &[],
    rows: &[
        row(&LINK.field, Place::Head(4), Form::Link),
        result("link_index", Place::Head(4), Form::Positive(Width::Four), "The interface index of `link`."),
        row(&MAC.field, Place::attribute(&[2]), Form::Mac).always(),
        row(&TARGETS.field, Place::attribute(&[79]), Form::Flags(Width::One, &TARGET_WORDS))
            .only_reported()
            .uncompared(),
        row(&MASTER.field, Place::attribute(&[9]), Form::Link).only_reported().uncompared(),
        result("master_index", Place::attribute(&[9]), Form::Positive(Width::Four), "The interface index of `master`."),
        row(&VLAN.field, Place::attribute(&[5]), Form::Number(Width::Two)).identity(),
        row(&REMOTE.field, Place::attribute(&[1]), Form::Ip).identity(),
        row(&PORT.field, Place::attribute(&[6]), Form::Number(Width::Net2)),
        row(&VNI.field, Place::attribute(&[7]), Form::Number(Width::Four)),
        row(&SOURCE_VNI.field, Place::attribute(&[11]), Form::Positive(Width::Four)),
        row(&VIA.field, Place::attribute(&[8]), Form::Link).unreported(),
        row(&VIA.field, Place::attribute(&[78]), Form::Link).only_reported().uncompared(),
        result("via_index", Place::attribute(&[8]), Form::Positive(Width::Four), "The interface index of `via`."),
        result(
            "via_nsid",
            Place::attribute(&[10]),
            Form::Number(Width::Four),
            "The number by which the namespace knows the one that the link of `via_index` is in, if that is another one.",
        ),
        row(&NEXTHOP_ID.field, Place::attribute(&[13]), Form::Number(Width::Four)).only_reported().uncompared(),
        row(&FDB_STATE.field, Place::Head(8), Form::Named(Width::Two, &REPORTED_STATES)).always(),
        row(&EXTERN_LEARN.field, Place::Head(10), Form::Bit(Width::One, 1 << 4)).unreported().adjusted(),
        row(&STICKY.field, Place::Head(10), Form::Bit(Width::One, 1 << 6)).unreported(),
        result(
            "flags",
            Place::Head(10),
            Form::Flags(Width::One, &FLAGS),
            "The flags (`NTF_…`, rtnetlink(7)) in lower case. An unknown bit is given as a number.",
        )
        .always(),
        result("flags", Place::attribute(&[15]), Form::Flags(Width::Four, &MORE_FLAGS), ""),
        time("used", 4, "Time since the entry was last used, in hundredths of a second."),
        time("updated", 8, "Time since the entry last changed, in hundredths of a second."),
    ],
};

/// The kernel takes the VNI 0 for that of the frame.
const VNIS: Only = Only::Numbers(1, 0xff_ffff);
/// Bytes of the hardware addresses of a forwarding database.
const ETHERNET: Only = Only::Bytes(6);

/// The fields of a call that makes an entry, with these.
macro_rules! made {
    ($($more:expr),*) => {
        &[
            required(&NETNS.field),
            required(&LINK.field),
            required(&MAC.field).only(ETHERNET),
            follows(&TARGETS.field),
            chosen(&VLAN.field),
            untouched(&REMOTE.field),
            chosen(&PORT.field),
            chosen(&VNI.field).only(VNIS),
            chosen(&SOURCE_VNI.field),
            untouched(&VIA.field),
            word(&FDB_STATE.field, "permanent"),
            off(&EXTERN_LEARN.field),
            off(&STICKY.field),
            $($more),*
        ]
    };
}

static REPLACED: &[Use] = made![];
/// Without what applies to bridges: their entries have one port.
static APPENDED: &[Use] = &[
    required(&NETNS.field),
    required(&LINK.field),
    required(&MAC.field).only(Only::Several),
    follows(&TARGETS.field),
    untouched(&REMOTE.field),
    chosen(&PORT.field),
    chosen(&VNI.field).only(VNIS),
    chosen(&SOURCE_VNI.field),
    untouched(&VIA.field),
    word(&FDB_STATE.field, "permanent"),
    off(&EXTERN_LEARN.field),
];

const EXCLUDED: &[(&Field, &Field, &str)] =
    &[(&EXTERN_LEARN.field, &STICKY.field, "the kernel ignores one of the two")];

/// The calls of this family.
pub(super) static CALLS: &[Call] = &[
    Call {
        name: "Fdb.Add",
        number: 34,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Adds an entry to a forwarding database: frames for `mac` leave through `link`. Without `targets`, the \
              entry is with the link itself, as in bridge(8). On a bridge, `mac` and `vlan` identify an entry, \
              whatever its port is. On a vxlan, `mac` and `source_vni` do. If it exists, the error is \
              `AlreadyExists`. Without `vlan`, a bridge adds an entry without a VLAN and one for each VLAN of the \
              port. `vlan` and `sticky` apply to the database of a bridge only. An entry of a vxlan needs `remote`, \
              and only such an entry has `remote`, `port`, `vni` and `via`. Without `port`, `vni` or `source_vni`, \
              the entry has that of the vxlan. On other links, the entries are the addresses that the link receives, \
              and they are `permanent`. With both targets, the entry is first added to the bridge. If the second \
              addition fails, `may_have_changed` is true. `exists_ok` compares one entry, that without a VLAN if no \
              `vlan` is given.",
        elsewhere: "",
        uses: made![off(&EXISTS_OK.field)],
        kinds: NO_KINDS,
        excludes: EXCLUDED,
        leaves_open: &[],
        settle: written,
        result: NOTHING,
    },
    Call {
        name: "Fdb.Append",
        number: 35,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Adds a destination to the entry of a vxlan for a group of hosts, or adds the entry. Frames for it then \
              go to each of its destinations. `mac` must be the address of a group, or `00:00:00:00:00:00` for all \
              unknown addresses, because the kernel keeps one destination only for any other. The entry is with the \
              link itself, which must not be a bridge. On a vxlan, it needs `remote`. A destination that exists \
              already is no error.",
        elsewhere: "The existing entry takes the given `fdb_state` and `extern_learn`.",
        uses: APPENDED,
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[&FDB_STATE.field, &EXTERN_LEARN.field],
        settle: appended,
        result: NOTHING,
    },
    Call {
        name: "Fdb.Replace",
        number: 36,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Adds an entry, or replaces the existing one. The fields are those of `Fdb.Add`, without `exists_ok`. \
              On a bridge, an entry of another port moves to this one. On a vxlan, the existing entry takes the \
              given destination. That is refused for the address of a group and for `00:00:00:00:00:00`. An entry \
              with a nexthop object keeps it (`NotApplied`). A link of another kind has no such replacement: the \
              kernel adds the address, or leaves it as it is.",
        elsewhere: "The existing entry is lost, whatever its port or destination is. A deny that prevents `Fdb.Delete` from \
                    deleting an entry therefore also prevents this call from replacing it.",
        uses: REPLACED,
        kinds: NO_KINDS,
        excludes: EXCLUDED,
        leaves_open: &[
            &LINK.field,
            &REMOTE.field,
            &PORT.field,
            &VNI.field,
            &VIA.field,
            &FDB_STATE.field,
            &EXTERN_LEARN.field,
            &STICKY.field,
        ],
        settle: written,
        result: NOTHING,
    },
    Call {
        name: "Fdb.Delete",
        number: 37,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Deletes the entry of `mac` on a link. Without `targets`, it is the one with the link itself, as in \
              bridge(8). Without `vlan`, a bridge deletes the entries of this port for `mac` without a VLAN and in \
              all VLANs of the port. Without `remote`, a vxlan deletes the entry with all its destinations, \
              otherwise only this destination. Without `port`, `vni` or `source_vni`, the value of the vxlan is \
              used; without `via`, only a destination without `via` matches. With both targets, the entry of the bridge is deleted \
              first. If the second deletion fails, `may_have_changed` is true.",
        elsewhere: "",
        uses: &[
            required(&NETNS.field),
            required(&LINK.field),
            required(&MAC.field).only(ETHERNET),
            follows(&TARGETS.field),
            any(&VLAN.field),
            any(&REMOTE.field),
            chosen(&PORT.field),
            chosen(&VNI.field).only(VNIS),
            chosen(&SOURCE_VNI.field),
            any(&VIA.field),
            off(&MISSING_OK.field),
        ],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: deleted,
        result: NOTHING,
    },
    Call {
        name: "Fdb.Flush",
        number: 38,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Deletes the entries of a link that match all given fields. Without `mac`, the entries for the link's \
              own hardware address remain, and on a vxlan those for `00:00:00:00:00:00`. The entries with the link \
              itself (`self`) are deleted only on a bridge and on a vxlan, because other links keep addresses there \
              that the kernel uses. The broker lists the entries, and then deletes them one at a time. An entry that \
              vanishes meanwhile is not counted. If an error ends the call, `may_have_changed` says whether some \
              were deleted before. If the kernel would also delete another entry, the error is `NotSupported`.",
        elsewhere: "",
        uses: &[
            required(&NETNS.field),
            required(&LINK.field),
            any(&MAC.field).only(ETHERNET),
            any(&TARGETS.field),
            any(&VLAN.field),
            any(&REMOTE.field),
            any(&PORT.field),
            any(&VNI.field).only(VNIS),
            any(&SOURCE_VNI.field),
            any(&VIA.field),
            any(&FDB_STATE.field),
        ],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: flushed,
        result: FLUSHED,
    },
    Call {
        name: "Fdb.List",
        number: 39,
        effect: Effect::Reads,
        needs: Needs::NOTHING,
        doc: "Lists the entries of the forwarding databases of a namespace. With `link` or `index`, it lists those \
              of one link: its own entries, and the entries of its bridge that lead to it. Where `port` or `vni` is \
              absent, it is that of the vxlan.",
        elsewhere: "",
        uses: &[required(&NETNS.field), any(&LINK.field), any(&INDEX.field)],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: Output {
            parts: &[part(
                "entries",
                Shape::List("FdbEntry", Parts::Of(&FDB_ENTRY, "")),
                "The entries, in the kernel's order.",
            )],
            streams: true,
        },
    },
];

/// `targets` of an entry for which the request gives none.
fn own() -> Value {
    Value::Several(vec![Value::Word("self")])
}

/// Refuses filters that no entry can match.
fn filters(request: &mut Request) -> Result<(), Invalid> {
    if request.get(&REMOTE).is_some_and(std::net::IpAddr::is_unspecified) {
        return Err(Invalid::new(REMOTE.field.name, "must not be the unspecified address, which stands for none"));
    }
    let targets = request.get(&TARGETS).map_or(&[][..], Vec::as_slice);
    let is_twice = |(at, target): (usize, &Value)| targets.iter().take(at).any(|earlier| earlier == target);
    if targets.iter().enumerate().any(is_twice) {
        return Err(Invalid::new(TARGETS.field.name, "has a target twice"));
    }
    Ok(())
}

/// What a deletion leaves open: the entry of a bridge has no destination, and a given destination is the one without a link
/// if `via` is absent.
fn deleted(request: &mut Request) -> Result<(), Invalid> {
    named(request)?;
    if request.get(&REMOTE).is_some() {
        request.close(&VIA.field, &REMOTE.field);
    }
    of_bridge(request);
    Ok(())
}

fn flushed(request: &mut Request) -> Result<(), Invalid> {
    filters(request)?;
    of_bridge(request);
    Ok(())
}

/// The entries of a bridge have no destination.
fn of_bridge(request: &mut Request) {
    if request.get(&TARGETS).is_some_and(|targets| !targets.contains(&Value::Word("self"))) {
        request.close(&VIA.field, &TARGETS.field);
    }
}

/// An entry that is named by these fields.
fn named(request: &mut Request) -> Result<(), Invalid> {
    request.follow(&TARGETS.field, own());
    filters(request)?;
    let of_a_destination = [&PORT.field, &VNI.field, &VIA.field];
    match of_a_destination.into_iter().find(|field| request.value(field).is_some()) {
        Some(field) if request.get(&REMOTE).is_none() => {
            Err(Invalid::new(field.name, format!("must be given together with `{}`", REMOTE.field.name)))
        }
        _ => Ok(()),
    }
}

/// Refuses what the kernel would refuse without a text.
fn written(request: &mut Request) -> Result<(), Invalid> {
    named(request)?;
    if request.is_set(&STICKY) && *request.needed(&FDB_STATE)? == "permanent" {
        return Err(Invalid::new(
            FDB_STATE.field.name,
            format!("must not be `permanent` with `{}`", STICKY.field.name),
        ));
    }
    Ok(())
}

fn appended(request: &mut Request) -> Result<(), Invalid> {
    written(request)?;
    if request.value(&TARGETS.field) != Some(&own()) {
        let why = "must be `[\"self\"]`: a bridge has no entry with several destinations";
        return Err(Invalid::new(TARGETS.field.name, why));
    }
    Ok(())
}
