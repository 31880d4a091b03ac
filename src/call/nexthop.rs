// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Nexthop objects, which routes refer to by a number: ip-nexthop(8), `linux/nexthop.h`.
#![forbid(unsafe_code)]

use super::field::{
    ADVMSS, BLACKHOLE, DESTINATION, ENCAP_DESTINATION, ENCAP_ID, ENCAP_KIND, ENCAP_LABELS, ENCAP_SOURCE, ENCAP_TOS,
    ENCAP_TTL, EXISTS_OK, FAMILY, FDB, Field, GATEWAY, HOPLIMIT, INITCWND, INITRWND, LINK, MAC, MASTER, MEMBERS,
    MEMBERS_NEXTHOP_ID, MEMBERS_WEIGHT, METRIC, MISSING_OK, MTU, MTU_LOCK, NETNS, NEXTHOP_ID, NEXTHOP_IDS, NEXTHOPS,
    NEXTHOPS_GATEWAY, NEXTHOPS_LINK, NEXTHOPS_ONLINK, NEXTHOPS_WEIGHT, ONLINK, PORT, PREF, PREFERRED_SOURCE, PROTOCOL,
    REMOTE, ROUTE_TYPE, SCOPE, SOURCE, SOURCE_VNI, TABLE, TOS, VIA, VNI,
};
use super::inet::is_mapped;
use super::object::{Form, Object, Parts, Place, Row, Width, result, row};
use super::request::{Invalid, Request, excluded};
use super::route::FLAGS;
use super::settle::one_family;
use super::types::Words;
use super::value::Value;
use super::{
    Call, Effect, FLUSHED, NO_KINDS, NOTHING, Needs, Output, Shape, any, follows, number, off, part, required,
    untouched,
};

/// The family of a nexthop object. A group has none.
static FAMILIES: Words = Words { name: "NexthopFamily", words: &[("unspec", 0), ("inet", 2), ("inet6", 10)] };
/// Types of groups (`NEXTHOP_GRP_TYPE_…`, `linux/nexthop.h`).
static GROUP_TYPES: Words = Words { name: "GroupType", words: &[("mpath", 0), ("resilient", 1)] };
/// `RTNH_F_ONLINK`
const ONLINK_FLAG: u32 = 4;

const fn attribute(name: &'static str, path: &'static [u32], form: Form, doc: &'static str) -> Row {
    result(name, Place::attribute(path), form, doc)
}

/// `struct nexthop_grp`
pub(crate) static MEMBER_STATE: Object = Object {
    name: "MemberState",
    head: 8,
    kinds: &[],
    rows: &[
        row(&MEMBERS_NEXTHOP_ID.field, Place::Head(0), Form::Number(Width::Four)).always(),
        row(&MEMBERS_WEIGHT.field, Place::Head(4), Form::LessOne(Width::Little2)).always(),
    ],
};

/// `struct nhmsg` and `NHA_…` (`linux/nexthop.h`).
pub(crate) static NEXTHOP_OBJECT_STATE: Object = Object {
    name: "NexthopState",
    head: 8,
    kinds: &[],
    rows: &[
        row(&NEXTHOP_ID.field, Place::attribute(&[1]), Form::Number(Width::Four)).always(),
        row(&FAMILY.field, Place::Head(0), Form::Named(Width::One, &FAMILIES)).always(),
        row(&GATEWAY.field, Place::attribute(&[6]), Form::Ip).identity(),
        row(&LINK.field, Place::attribute(&[5]), Form::Link),
        attribute("link_index", &[5], Form::Positive(Width::Four), "The interface index of `link`."),
        row(&ONLINK.field, Place::Head(4), Form::Bit(Width::Four, ONLINK_FLAG)).unreported(),
        result(
            "flags",
            Place::Head(4),
            Form::Flags(Width::Four, &FLAGS),
            "The flags (`RTNH_F_…`, rtnetlink(7)) in lower case. An unknown bit is given as a number.",
        )
        .always(),
        row(&BLACKHOLE.field, Place::attribute(&[4]), Form::Present).always(),
        row(&FDB.field, Place::attribute(&[11]), Form::Present).always(),
        row(&PROTOCOL.field, Place::Head(2), Form::Number(Width::One)).always().adjusted(),
        result(
            "scope",
            Place::Head(1),
            Form::Number(Width::One),
            "The scope in which the gateway is reached, as a number (`rtm_scope`, rtnetlink(7)).",
        )
        .always(),
        row(&MEMBERS.field, Place::attribute(&[2]), Form::Objects(&MEMBER_STATE)).uncompared(),
        attribute(
            "group_type",
            &[3],
            Form::Named(Width::Two, &GROUP_TYPES),
            "How a group distributes packets: by a hash (`mpath`), or by buckets that keep their next hop while they are \
             in use (`resilient`).",
        ),
        attribute("buckets", &[12, 1], Form::Number(Width::Two), "How many buckets a resilient group has."),
        attribute(
            "idle_timer",
            &[12, 2],
            Form::Number(Width::Four),
            "After how long without a packet a bucket of a resilient group can get another next hop, in hundredths of a \
             second.",
        ),
        attribute(
            "unbalanced_timer",
            &[12, 3],
            Form::Number(Width::Four),
            "After how long a resilient group that does not distribute packets as its weights say changes buckets in \
             use, in hundredths of a second. 0 means never.",
        ),
        attribute(
            "unbalanced_time",
            &[12, 4],
            Form::Number(Width::Eight),
            "For how long a resilient group has not distributed packets as its weights say, in hundredths of a second.",
        ),
    ],
};

/// The fields of a call that makes a nexthop object, with these.
macro_rules! made {
    ($($more:expr),*) => {
        &[
            required(&NETNS.field),
            required(&NEXTHOP_ID.field),
            follows(&FAMILY.field),
            untouched(&GATEWAY.field),
            untouched(&LINK.field),
            off(&ONLINK.field),
            off(&BLACKHOLE.field),
            off(&FDB.field),
            number(&PROTOCOL.field, 0),
            untouched(&MEMBERS.field),
            required(&MEMBERS_NEXTHOP_ID.field).within(&MEMBERS.field),
            number(&MEMBERS_WEIGHT.field, 1).within(&MEMBERS.field),
            $($more),*
        ]
    };
}

/// The fields by which a call finds nexthop objects, after these.
macro_rules! found {
    ($($first:expr),*; $($last:expr),*) => {
        &[
            $($first,)*
            any(&FAMILY.field),
            any(&GATEWAY.field),
            any(&LINK.field),
            any(&ONLINK.field),
            any(&BLACKHOLE.field),
            any(&FDB.field),
            any(&PROTOCOL.field),
            $($last),*
        ]
    };
}

const OF_THE_MEMBERS: &str = "a group has that of its members";
const NOWHERE: &str = "a blackhole leads nowhere";
const REMOTE_ONLY: &str = "the next hop of a forwarding database is a remote address only";

static EXCLUDED: &[(&Field, &Field, &str)] = &[
    (&MEMBERS.field, &FAMILY.field, OF_THE_MEMBERS),
    (&MEMBERS.field, &GATEWAY.field, OF_THE_MEMBERS),
    (&MEMBERS.field, &LINK.field, OF_THE_MEMBERS),
    (&MEMBERS.field, &ONLINK.field, OF_THE_MEMBERS),
    (&MEMBERS.field, &BLACKHOLE.field, OF_THE_MEMBERS),
    (&BLACKHOLE.field, &GATEWAY.field, NOWHERE),
    (&BLACKHOLE.field, &LINK.field, NOWHERE),
    (&BLACKHOLE.field, &ONLINK.field, NOWHERE),
    (&BLACKHOLE.field, &FDB.field, NOWHERE),
    (&FDB.field, &LINK.field, REMOTE_ONLY),
    (&FDB.field, &ONLINK.field, REMOTE_ONLY),
];

/// What a group refers to by number can have any value in these fields.
static OF_MEMBERS: &[&Field] = &[&FAMILY.field, &GATEWAY.field, &LINK.field, &ONLINK.field, &BLACKHOLE.field];

/// A call that replaces or deletes a nexthop object changes the routes that use it. These are the fields by which
/// `Route.Delete` can distinguish routes, except the number, with these. A route that a deny protects from that call is
/// then also protected from this one.
macro_rules! of_its_routes {
    ($($more:expr),*) => {
        &[
            &DESTINATION.field,
            &SOURCE.field,
            &FAMILY.field,
            &TABLE.field,
            &METRIC.field,
            &SCOPE.field,
            &PROTOCOL.field,
            &ROUTE_TYPE.field,
            &PREFERRED_SOURCE.field,
            &MTU.field,
            &MTU_LOCK.field,
            &ADVMSS.field,
            &HOPLIMIT.field,
            &INITCWND.field,
            &INITRWND.field,
            &TOS.field,
            &PREF.field,
            &NEXTHOPS.field,
            &NEXTHOPS_GATEWAY.field,
            &NEXTHOPS_LINK.field,
            &NEXTHOPS_WEIGHT.field,
            &NEXTHOPS_ONLINK.field,
            &ENCAP_KIND.field,
            &ENCAP_ID.field,
            &ENCAP_DESTINATION.field,
            &ENCAP_SOURCE.field,
            &ENCAP_TTL.field,
            &ENCAP_TOS.field,
            &ENCAP_LABELS.field,
            // Two deletions at once can remove the last members of a group, and a group is changed with its members.
            &NEXTHOP_ID.field,
            // Entries of forwarding databases also use nexthop objects.
            &MAC.field,
            &REMOTE.field,
            &PORT.field,
            &VNI.field,
            &SOURCE_VNI.field,
            &VIA.field,
            $($more),*
        ]
    };
}

/// Of a replaced object, the fields of the request do not say what it was.
static REPLACED: &[&Field] = of_its_routes![&GATEWAY.field, &LINK.field, &ONLINK.field, &BLACKHOLE.field, &FDB.field];

/// Of a deleted object they do: they are filters.
static DELETED: &[&Field] = of_its_routes![];

/// Fields that no group has.
pub(crate) const OF_SINGLE: [&Field; 5] = [&FAMILY.field, &GATEWAY.field, &LINK.field, &ONLINK.field, &BLACKHOLE.field];

/// The calls of this family.
pub(super) static CALLS: &[Call] = &[
    Call {
        name: "Nexthop.Add",
        number: 40,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Adds a nexthop object. Routes refer to it by `nexthop_id`: if an object with this number exists, the \
              error is `AlreadyExists`. It is one of four things. A next hop has `link`, and usually `gateway`. A \
              `blackhole` drops packets silently. With `fdb`, it is the remote address of entries of a forwarding \
              database, and has only `gateway`. A group has `members`, and distributes packets among them. Without \
              `family`, the family is that of `gateway`, otherwise IPv4. Routes of one family can use it, except \
              that IPv4 routes can also use an IPv6 gateway. The link must be up and have a carrier, and for a \
              `blackhole` the link `lo` must be up. If the link goes down or loses its carrier, the kernel deletes \
              the nexthop object, and with it the routes that use it. An IPv4 gateway on a VRF needs `onlink`, \
              because the kernel would replace the VRF by one of its ports. In a policy, a deny on `link`, `gateway` \
              or another field of the members meets every group, because a request gives only their numbers.",
        elsewhere: "",
        uses: made![off(&EXISTS_OK.field)],
        kinds: NO_KINDS,
        excludes: EXCLUDED,
        leaves_open: &[],
        settle: written,
        result: NOTHING,
    },
    Call {
        name: "Nexthop.Replace",
        number: 41,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Adds a nexthop object, or replaces the one with the same `nexthop_id`. The fields are those of \
              `Nexthop.Add`, without `exists_ok`. The kernel replaces a group only by a group, and anything else \
              only by something that is not a group. An existing group keeps its `protocol`. If the request gives \
              another one, the error is `NotApplied`.",
        elsewhere: "All routes and groups that use the object lead to the new next hop at once. A deny that prevents \
                    `Route.Delete` from deleting one of these routes also prevents this call, if it names both calls.",
        uses: made![],
        kinds: NO_KINDS,
        excludes: EXCLUDED,
        leaves_open: REPLACED,
        settle: written,
        result: NOTHING,
    },
    Call {
        name: "Nexthop.Delete",
        number: 42,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Deletes the nexthop object with this number, if it matches all given fields. `family`, `gateway`, \
              `link`, `onlink` and `blackhole` match no group. If the object is the only member of a group, the \
              error is `NotSupported`, because the kernel would also delete the group: delete the group first.",
        elsewhere: "The kernel deletes the routes that use the object, and removes it from groups with other members. A deny \
                    that prevents `Route.Delete` from deleting one of these routes also prevents this call, if it names \
                    both calls.",
        uses: found![required(&NETNS.field), required(&NEXTHOP_ID.field); off(&MISSING_OK.field)],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: DELETED,
        settle: found,
        result: NOTHING,
    },
    Call {
        name: "Nexthop.Flush",
        number: 43,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Deletes the nexthop objects that match all given fields, or all of them if none is given. The fields \
              mean the same as in `Nexthop.Delete`. The broker lists the objects, and then deletes each one by its \
              number, groups first. If the kernel would also delete a group that does not match, because all of its \
              members do, the error is `NotSupported`, and nothing is deleted. An object that vanishes meanwhile is \
              not counted. If an error ends the call, `may_have_changed` says whether some were deleted before.",
        elsewhere: "The side effects of `Nexthop.Delete`, for each object.",
        uses: found![required(&NETNS.field), any(&NEXTHOP_IDS.field);],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: DELETED,
        settle: found,
        result: FLUSHED,
    },
    Call {
        name: "Nexthop.List",
        number: 44,
        effect: Effect::Reads,
        needs: Needs::NOTHING,
        doc: "Lists the nexthop objects that match all given fields. `family`, `gateway`, `link`, `onlink`, \
              `blackhole` and `master` match no group. `master` matches those whose link is a port of this link. If \
              no link has the name, the error is `NoSuchLink`. A deny with `touches` meets `master` only if the \
              request gives it.",
        elsewhere: "",
        uses: found![
            required(&NETNS.field),
            any(&NEXTHOP_IDS.field);
            any(&MASTER.field).being_a_condition()
        ],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: found,
        result: Output {
            parts: &[part(
                "nexthops",
                Shape::List("NexthopState", Parts::Of(&NEXTHOP_OBJECT_STATE, "")),
                "The nexthop objects, in the order of their numbers.",
            )],
            streams: true,
        },
    },
];

fn invalid<T>(field: &Field, reason: impl Into<String>) -> Result<T, Invalid> {
    Err(Invalid::new(field.name, reason))
}

/// Requires one family, and a gateway that is one.
fn can_be_found(request: &mut Request) -> Result<(), Invalid> {
    one_family(request, &[&GATEWAY.field])?;
    match request.get(&GATEWAY) {
        Some(gateway) if gateway.is_unspecified() => {
            let why =
                format!("`{gateway}` is the unspecified address, which the kernel takes for no gateway; leave it out");
            invalid(&GATEWAY.field, why)
        }
        Some(gateway) if is_mapped(*gateway) => invalid(
            &GATEWAY.field,
            format!("`{gateway}` is an IPv4-mapped address, which only IPv6 routes have as a gateway"),
        ),
        _ => Ok(()),
    }
}

/// Refuses filters that no nexthop object can match: those of fields that exclude each other in a new one. A filter can
/// also be false, so the calls do not declare that they exclude each other.
fn found(request: &mut Request) -> Result<(), Invalid> {
    can_be_found(request)?;
    let is_given = |field: &Field| request.value(field).is_some_and(|value| *value != Value::Bool(false));
    let of_a_link = [(&BLACKHOLE.field, &MASTER.field, NOWHERE), (&FDB.field, &MASTER.field, REMOTE_ONLY)];
    match EXCLUDED.iter().chain(&of_a_link).find(|(one, other, _)| is_given(one) && is_given(other)) {
        Some((one, other, why)) => invalid(one, excluded(other, why)),
        None => Ok(()),
    }
}

/// Refuses what the kernel would ignore, and fills in the family.
fn written(request: &mut Request) -> Result<(), Invalid> {
    can_be_found(request)?;
    if request.get(&MEMBERS).is_some() {
        OF_MEMBERS.iter().for_each(|field| request.open(field));
        return Ok(());
    }
    let has_gateway = request.get(&GATEWAY).is_some();
    let family = one_family(request, &[&GATEWAY.field])?.unwrap_or("inet");
    request.follow(&FAMILY.field, Value::Word(family));
    if request.is_set(&FDB) && !has_gateway {
        return invalid(&GATEWAY.field, "is missing; with `fdb`, it is the remote address");
    }
    if !request.is_set(&FDB) && !request.is_set(&BLACKHOLE) && request.get(&LINK).is_none() {
        let why = "is missing; without `members`, `blackhole` or `fdb`, a nexthop object needs it";
        return invalid(&LINK.field, why);
    }
    if request.is_set(&ONLINK) && !has_gateway {
        return invalid(&ONLINK.field, "needs a gateway");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::call::{Absence, Use, by_name};

    /// Otherwise a request could remove a route by the number of its nexthop object that a deny keeps it from removing by
    /// itself. A filter is open where it is absent.
    #[test]
    fn what_removes_or_redirects_routes_leaves_open_all_that_a_delete_tells_routes_apart_by() {
        let delete = by_name("Route.Delete").unwrap();
        let tells_apart =
            |used: &&Use| !matches!(used.field().name, "netns" | "missing_ok" | "one_nexthop" | "nexthop_id");
        for name in ["Nexthop.Replace", "Nexthop.Delete", "Nexthop.Flush"] {
            let call = by_name(name).unwrap();
            for field in delete.uses.iter().filter(tells_apart).map(Use::field) {
                let is_filter = |used: &Use| used.field() == field && matches!(used.absence, Absence::Any);
                let is_of_both = ["gateway", "link", "onlink"].contains(&field.name) && call.uses.iter().any(is_filter);
                assert!(call.leaves_open.contains(&field) || is_of_both, "{name} {}", field.name);
            }
        }
    }

    #[test]
    fn a_replace_leaves_open_all_that_a_delete_tells_nexthop_objects_apart_by() {
        let replace = by_name("Nexthop.Replace").unwrap();
        for used in by_name("Nexthop.Delete").unwrap().uses.iter().filter(|used| matches!(used.absence, Absence::Any)) {
            assert!(replace.leaves_open.contains(&used.field()), "{}", used.field().name);
        }
    }
}
