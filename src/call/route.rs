// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Routes: ip-route(8), rtnetlink(7).
#![forbid(unsafe_code)]

mod settle;

pub(crate) use self::settle::{NO_NEXT_HOPS, leads_nowhere_by_type};
use self::settle::{can_be_deleted, can_be_found, can_be_listed, can_be_looked_up, can_be_made};
use super::field::Constant;
use super::field::{
    ADVMSS, DESTINATION, ENCAP_DESTINATION, ENCAP_ID, ENCAP_KIND, ENCAP_LABELS, ENCAP_SOURCE, ENCAP_TOS, ENCAP_TTL,
    EXISTS_OK, EXPIRES, FAMILY, FWMARK, Field, GATEWAY, HOPLIMIT, IIF, INITCWND, INITRWND, LINK, METRIC, MISSING_OK,
    MTU, MTU_LOCK, NETNS, NEXTHOP_ID, NEXTHOPS, NEXTHOPS_GATEWAY, NEXTHOPS_LINK, NEXTHOPS_ONLINK, NEXTHOPS_WEIGHT, OIF,
    ONE_NEXTHOP, ONLINK, PREF, PREFERRED_SOURCE, PROTOCOL, ROUTE_TYPE, SCOPE, SOURCE, TABLE, TOS, UID,
};
use super::object::{Cast, Form, Object, Parts, Place, Width, result, row};
use super::request::Request;
use super::types::{Only, Words};
use super::value::Value;
use super::{
    Absence, Call, Effect, FLUSHED, NO_KINDS, NOTHING, Needs, Output, Shape, Use, any, chosen, declared, follows,
    number, off, part, required, untouched, word,
};

/// The kernel takes the table 0 for [`MAIN`].
const TABLES: Only = Only::Numbers(1, 0xffff_ffff);
const MTUS: Only = Only::Numbers(1, MOST_MTU);
/// The two lowest bits of a type of service are for congestion notification (`INET_ECN_MASK`).
const TOS_VALUES: Only = Only::MultiplesOf(4);
/// `main`
const MAIN: u64 = 254;
/// `RTPROT_BOOT`, which iproute2 sends by default.
const BOOT: u64 = 3;
/// `IP6_RT_PRIO_USER`: the metric of an IPv6 route for which none is given.
pub const IPV6_METRIC: u64 = 1024;
/// The largest MTU of a route: the kernel clamps larger values to it (`ip_metrics_convert`).
pub const MOST_MTU: u64 = 65_520;

/// `RTNH_F_…` and `RTM_F_…` (`linux/rtnetlink.h`).
pub(super) static FLAGS: Words = Words {
    name: "RouteFlag",
    words: &[
        ("dead", 1),
        ("pervasive", 1 << 1),
        ("onlink", 1 << 2),
        ("offload", 1 << 3),
        ("linkdown", 1 << 4),
        ("unresolved", 1 << 5),
        ("trap", 1 << 6),
        ("notify", 1 << 8),
        ("cloned", 1 << 9),
        ("equalize", 1 << 10),
        ("prefix", 1 << 11),
        ("lookup_table", 1 << 12),
        ("fib_match", 1 << 13),
        ("rt_offload", 1 << 14),
        ("rt_trap", 1 << 15),
        ("rt_offload_failed", 1 << 29),
    ],
};
/// `RTN_…`: also the types that no request can give.
static TYPES: Words = Words {
    name: "AnyRouteType",
    words: &[
        ("unspec", 0),
        ("unicast", 1),
        ("local", 2),
        ("broadcast", 3),
        ("anycast", 4),
        ("multicast", 5),
        ("blackhole", 6),
        ("unreachable", 7),
        ("prohibit", 8),
        ("throw", 9),
        ("nat", 10),
        ("xresolve", 11),
    ],
};
/// `LWTUNNEL_ENCAP_…` (`linux/lwtunnel.h`): also the kinds that no request can give.
static ENCAP_KINDS: Words = Words {
    name: "AnyEncapKind",
    words: &[
        ("mpls", 1),
        ("ip", 2),
        ("ila", 3),
        ("ip6", 4),
        ("seg6", 5),
        ("bpf", 6),
        ("seg6_local", 7),
        ("rpl", 8),
        ("ioam6", 9),
        ("xfrm", 10),
    ],
};
/// `LWTUNNEL_ENCAP_MPLS`, `LWTUNNEL_ENCAP_IP`, `LWTUNNEL_ENCAP_IP6`
const MPLS: u16 = 1;
const IP: u16 = 2;
const IP6: u16 = 4;
/// `LWTUNNEL_IP_FLAGS`: the bits `TUNNEL_…` (`linux/if_tunnel.h`).
static ENCAP_FLAGS: Words = Words {
    name: "EncapFlag",
    words: &[
        ("csum", 1),
        ("routing", 1 << 1),
        ("key", 1 << 2),
        ("seq", 1 << 3),
        ("strict", 1 << 4),
        ("rec", 1 << 5),
        ("version", 1 << 6),
        ("no_key", 1 << 7),
        ("dont_fragment", 1 << 8),
        ("oam", 1 << 9),
        ("crit_opt", 1 << 10),
        ("geneve_opt", 1 << 11),
        ("vxlan_opt", 1 << 12),
        ("nocache", 1 << 13),
        ("erspan_opt", 1 << 14),
    ],
};
/// `RTNH_F_ONLINK`
const ONLINK_FLAG: u32 = 4;

/// `struct rtnexthop` and its attributes.
pub(crate) static NEXTHOP_STATE: Object = Object {
    name: "NexthopState",
    head: 8,
    kinds: &[],
    rows: &[
        row(&NEXTHOPS_GATEWAY.field, Place::attribute(&[5]), Form::OwnFamily).identity(),
        row(&NEXTHOPS_GATEWAY.field, Place::attribute(&[18]), Form::OtherFamily),
        row(&NEXTHOPS_LINK.field, Place::Head(4), Form::Link),
        result("nexthops.link_index", Place::Head(4), Form::Positive(Width::Four), "The interface index of `link`."),
        row(&NEXTHOPS_WEIGHT.field, Place::Head(3), Form::LessOne(Width::One)).always(),
        row(&NEXTHOPS_ONLINK.field, Place::Head(2), Form::Bit(Width::One, ONLINK_FLAG)).unreported(),
        result(
            "nexthops.flags",
            Place::Head(2),
            Form::Flags(Width::One, &FLAGS),
            "The flags (`RTNH_F_…`, rtnetlink(7)) in lower case. An unknown bit is given as a number.",
        )
        .always(),
        result(
            "nexthops.encap_kind",
            Place::attribute(&[21]),
            Form::Named(Width::Two, &ENCAP_KINDS),
            "How this one of several next hops encapsulates packets. No request gives it.",
        ),
    ],
};

/// `struct rtmsg` and `RTA_…` (`linux/rtnetlink.h`).
pub(crate) static ROUTE_STATE: Object = Object {
    name: "RouteState",
    head: 12,
    kinds: &[],
    rows: &[
        row(&DESTINATION.field, Place::attribute(&[1]), Form::Prefix(1)).always(),
        row(&SOURCE.field, Place::attribute(&[2]), Form::Prefix(2)),
        row(&GATEWAY.field, Place::attribute(&[5]), Form::OwnFamily).identity(),
        row(&GATEWAY.field, Place::attribute(&[18]), Form::OtherFamily),
        row(&LINK.field, Place::attribute(&[4]), Form::Link),
        result("link_index", Place::attribute(&[4]), Form::Positive(Width::Four), "The interface index of `link`."),
        row(&TABLE.field, Place::attribute(&[15]), Form::Compact(4)).always(),
        row(&METRIC.field, Place::attribute(&[6]), Form::OrZero(Width::Four)).always(),
        row(&SCOPE.field, Place::Head(6), Form::WordNumber(Width::One)).always().or(scope),
        row(&PROTOCOL.field, Place::Head(5), Form::Number(Width::One)).always(),
        row(&ROUTE_TYPE.field, Place::Head(7), Form::Named(Width::One, &TYPES)).always(),
        row(&PREFERRED_SOURCE.field, Place::attribute(&[7]), Form::Ip),
        row(&ONLINK.field, Place::Head(8), Form::Bit(Width::Four, ONLINK_FLAG)).unreported(),
        result(
            "flags",
            Place::Head(8),
            Form::Flags(Width::Four, &FLAGS),
            "The flags (`RTNH_F_…`, `RTM_F_…`, rtnetlink(7)) in lower case. An unknown bit is given as a number.",
        )
        .always(),
        row(&MTU.field, Place::attribute(&[8, 2]), Form::Number(Width::Four)),
        row(&MTU_LOCK.field, Place::attribute(&[8, 1]), Form::Bit(Width::Four, 1 << 2)).always(),
        row(&ADVMSS.field, Place::attribute(&[8, 8]), Form::Number(Width::Four)),
        row(&HOPLIMIT.field, Place::attribute(&[8, 10]), Form::Number(Width::Four)),
        row(&INITCWND.field, Place::attribute(&[8, 11]), Form::Number(Width::Four)),
        row(&INITRWND.field, Place::attribute(&[8, 14]), Form::Number(Width::Four)),
        row(&TOS.field, Place::Head(3), Form::Positive(Width::One)),
        row(&PREF.field, Place::attribute(&[20]), Form::Word(Width::One)),
        row(&EXPIRES.field, Place::attribute(&[23]), Form::Number(Width::Four)).only_written(),
        // `struct rta_cacheinfo`
        row(&EXPIRES.field, Place::inside(&[12], 8, 32), Form::Hundredths).uncompared().only_reported(),
        row(&NEXTHOP_ID.field, Place::attribute(&[30]), Form::Number(Width::Four)).identity(),
        row(&NEXTHOPS.field, Place::attribute(&[9]), Form::Objects(&NEXTHOP_STATE)).uncompared(),
        row(&ENCAP_KIND.field, Place::attribute(&[21]), Form::Named(Width::Two, &ENCAP_KINDS)).identity(),
        // `LWTUNNEL_IP_…`, `LWTUNNEL_IP6_…`, `MPLS_IPTUNNEL_…`
        row(&ENCAP_ID.field, Place::Encap(IP, 1), Form::Positive(Width::Net8)).identity(),
        row(&ENCAP_ID.field, Place::Encap(IP6, 1), Form::Positive(Width::Net8)).identity(),
        row(&ENCAP_DESTINATION.field, Place::Encap(IP, 2), Form::Ipv4(Cast::Any)).identity(),
        row(&ENCAP_DESTINATION.field, Place::Encap(IP6, 2), Form::Ipv6(Cast::Any)).identity(),
        row(&ENCAP_SOURCE.field, Place::Encap(IP, 3), Form::Ipv4(Cast::Any)).identity(),
        row(&ENCAP_SOURCE.field, Place::Encap(IP6, 3), Form::Ipv6(Cast::Any)).identity(),
        row(&ENCAP_TTL.field, Place::Encap(IP, 4), Form::Positive(Width::One)).identity(),
        row(&ENCAP_TTL.field, Place::Encap(IP6, 4), Form::Positive(Width::One)).identity(),
        row(&ENCAP_TTL.field, Place::Encap(MPLS, 2), Form::Number(Width::One)).identity(),
        row(&ENCAP_TOS.field, Place::Encap(IP, 5), Form::Positive(Width::One)).identity(),
        row(&ENCAP_TOS.field, Place::Encap(IP6, 5), Form::Positive(Width::One)).identity(),
        row(&ENCAP_LABELS.field, Place::Encap(MPLS, 1), Form::Labels).identity(),
        result("encap.flags", Place::Encap(IP, 6), Form::Flags(Width::Net2, &ENCAP_FLAGS), TUNNEL_FLAGS),
        result("encap.flags", Place::Encap(IP6, 6), Form::Flags(Width::Net2, &ENCAP_FLAGS), TUNNEL_FLAGS),
    ],
};
const TUNNEL_FLAGS: &str =
    "The flags of the tunnel (`TUNNEL_…`, linux/if_tunnel.h) in lower case. An unknown bit is given as a number.";

/// The scope that iproute2 would send. IPv6 routes have none, which is the number of `global`.
fn scope(request: &Request) -> Option<Value> {
    let is_v4 = request.get(&DESTINATION).is_some_and(|prefix| prefix.address.is_ipv4());
    let leads_on = [&GATEWAY.field, &NEXTHOPS.field, &NEXTHOP_ID.field];
    let is_near = leads_on.into_iter().all(|field| request.value(field).is_none());
    Some(Value::Word(match request.get(&ROUTE_TYPE) {
        Some(&"local") if is_v4 => "host",
        Some(&"broadcast") if is_v4 => "link",
        Some(&"unicast") if is_v4 && is_near => "link",
        _ => "global",
    }))
}

/// The fields of `Route.Add`, `Route.Replace` and `Route.Append`.
macro_rules! made {
    ($($more:expr),*) => {
        &[
            required(&NETNS.field),
            required(&DESTINATION.field),
            follows(&SOURCE.field),
            chosen(&FAMILY.field),
            untouched(&GATEWAY.field),
            chosen(&LINK.field),
            number(&TABLE.field, MAIN).only(TABLES),
            follows(&METRIC.field),
            chosen(&SCOPE.field),
            number(&PROTOCOL.field, BOOT),
            word(&ROUTE_TYPE.field, "unicast"),
            untouched(&PREFERRED_SOURCE.field),
            off(&ONLINK.field),
            untouched(&MTU.field).only(MTUS),
            off(&MTU_LOCK.field),
            untouched(&ADVMSS.field),
            untouched(&HOPLIMIT.field),
            untouched(&INITCWND.field),
            untouched(&INITRWND.field),
            untouched(&TOS.field).only(TOS_VALUES),
            untouched(&PREF.field),
            untouched(&EXPIRES.field),
            untouched(&NEXTHOPS.field),
            untouched(&NEXTHOPS_GATEWAY.field).within(&NEXTHOPS.field),
            chosen(&NEXTHOPS_LINK.field).within(&NEXTHOPS.field),
            number(&NEXTHOPS_WEIGHT.field, 1).within(&NEXTHOPS.field),
            off(&NEXTHOPS_ONLINK.field).within(&NEXTHOPS.field),
            untouched(&NEXTHOP_ID.field),
            untouched(&ENCAP_KIND.field),
            untouched(&ENCAP_ID.field),
            untouched(&ENCAP_DESTINATION.field),
            untouched(&ENCAP_SOURCE.field),
            untouched(&ENCAP_TTL.field),
            untouched(&ENCAP_TOS.field),
            untouched(&ENCAP_LABELS.field),
            $($more),*
        ]
    };
}

static ADDED: &[Use] = made![off(&EXISTS_OK.field)];
static REPLACED: &[Use] = made![];

/// The fields by which `Route.Delete` and `Route.Flush` narrow the choice, after these.
macro_rules! found {
    ($($first:expr),*; $($last:expr),*) => {
        &[
            $($first,)*
            any(&FAMILY.field),
            any(&GATEWAY.field),
            any(&LINK.field),
            any(&METRIC.field),
            any(&SCOPE.field),
            any(&PROTOCOL.field),
            any(&ROUTE_TYPE.field),
            any(&PREFERRED_SOURCE.field),
            any(&ONLINK.field),
            any(&MTU.field).only(MTUS),
            any(&MTU_LOCK.field),
            any(&ADVMSS.field),
            any(&HOPLIMIT.field),
            any(&INITCWND.field),
            any(&INITRWND.field),
            any(&PREF.field),
            any(&NEXTHOPS.field),
            any(&NEXTHOPS_GATEWAY.field).within(&NEXTHOPS.field),
            any(&NEXTHOPS_LINK.field).within(&NEXTHOPS.field),
            any(&NEXTHOPS_WEIGHT.field).within(&NEXTHOPS.field),
            any(&NEXTHOPS_ONLINK.field).within(&NEXTHOPS.field),
            any(&NEXTHOP_ID.field),
            any(&ENCAP_KIND.field),
            any(&ENCAP_ID.field),
            any(&ENCAP_DESTINATION.field),
            any(&ENCAP_SOURCE.field),
            any(&ENCAP_TTL.field),
            any(&ENCAP_TOS.field),
            any(&ENCAP_LABELS.field),
            $($last),*
        ]
    };
}

const LIST: &str = "a route has either one next hop or a list of next hops";
const BY_NUMBER: &str = "a nexthop object has its own";

/// A route has either one next hop or a list of them. These pairs exclude each other, and those after them.
macro_rules! one_or_several {
    ($($more:expr),*) => {
        &[
            (&GATEWAY.field, &NEXTHOPS.field, LIST),
            (&LINK.field, &NEXTHOPS.field, LIST),
            (&ONLINK.field, &NEXTHOPS.field, LIST),
            (&ENCAP_KIND.field, &NEXTHOPS.field, LIST),
            $($more),*
        ]
    };
}

static ONE_OR_SEVERAL: &[(&Field, &Field, &str)] = one_or_several![];

/// A new route also has either these or a nexthop object.
static ONE_SEVERAL_OR_AN_OBJECT: &[(&Field, &Field, &str)] = one_or_several![
    (&NEXTHOP_ID.field, &GATEWAY.field, BY_NUMBER),
    (&NEXTHOP_ID.field, &LINK.field, BY_NUMBER),
    (&NEXTHOP_ID.field, &ONLINK.field, BY_NUMBER),
    (&NEXTHOP_ID.field, &NEXTHOPS.field, BY_NUMBER),
    (&NEXTHOP_ID.field, &ENCAP_KIND.field, BY_NUMBER)
];

/// The kernel finds the route to replace by `destination`, `source`, `table`, `metric` and `tos`. All other fields by
/// which `Route.Delete` can distinguish routes are open. A route that a deny protects from that call is then also protected
/// from this one.
static OF_THE_ROUTE_BEFORE: &[&Field] = &[
    &GATEWAY.field,
    &LINK.field,
    &SCOPE.field,
    &PROTOCOL.field,
    &ROUTE_TYPE.field,
    &PREFERRED_SOURCE.field,
    &ONLINK.field,
    &MTU.field,
    &MTU_LOCK.field,
    &ADVMSS.field,
    &HOPLIMIT.field,
    &INITCWND.field,
    &INITRWND.field,
    &PREF.field,
    &NEXTHOPS.field,
    &NEXTHOPS_GATEWAY.field,
    &NEXTHOPS_LINK.field,
    &NEXTHOPS_WEIGHT.field,
    &NEXTHOPS_ONLINK.field,
    &NEXTHOP_ID.field,
    &ENCAP_KIND.field,
    &ENCAP_ID.field,
    &ENCAP_DESTINATION.field,
    &ENCAP_SOURCE.field,
    &ENCAP_TTL.field,
    &ENCAP_TOS.field,
    &ENCAP_LABELS.field,
];

/// The calls of this family.
pub(super) static CALLS: &[Call] = &[
    Call {
        name: "Route.Add",
        number: 12,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Adds a route. `destination`, `source`, `table`, `metric` and `tos` identify a route: if a route \
              with the same values exists, the error is `AlreadyExists`. Without `metric`, the metric is 0 for IPv4 and 1024 for IPv6. A \
              unicast route needs `gateway`, `link`, `nexthops` or `nexthop_id`. A route of the type `local` or `broadcast` needs \
              `link`, and takes neither `gateway` nor `nexthops`. Its `table` is 254 (`main`) if absent, not 255 (`local`) \
              as in iproute2. Other types of route take none of them. A list of one next hop is the same as \
              `gateway`, `link` and `onlink`. The destination `default` has the family of `family`, otherwise of the \
              gateway, otherwise of `preferred_source`, otherwise IPv4. `mtu` must be between 1 and 65520. `tos` applies \
              to IPv4 only, `source`, `pref` and `expires` to IPv6 only. With `nexthop_id`, an allow considers the number, \
              and a deny on `gateway`, `link`, `onlink`, `route_type` or a field of `nexthops` or `encap` is met, because the \
              nexthop object can have any value in these. `encap` applies to a unicast route with one next hop. \
              `ip` and `ip6` need `encap.destination`, an address of this family, and `mpls` needs `encap.labels`. An IPv4 gateway on a VRF needs `onlink`, because the \
              kernel would replace the VRF by one of its ports.",
        elsewhere: "",
        uses: ADDED,
        kinds: NO_KINDS,
        excludes: ONE_SEVERAL_OR_AN_OBJECT,
        leaves_open: &[],
        settle: can_be_made,
        result: NOTHING,
    },
    Call {
        name: "Route.Replace",
        number: 13,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Adds a route, or replaces the route with the same `destination`, `source`, `table`, `metric` and `tos`. \
              The fields are those of `Route.Add`, without `exists_ok`. The kernel replaces the next hops of an IPv6 \
              multipath route one after the other. After an error, some of them may remain (`may_have_changed`).",
        elsewhere: "The existing route is lost, whatever its other fields are. A deny that prevents `Route.Delete` \
                    from deleting a route therefore also prevents this call from replacing it.",
        uses: REPLACED,
        kinds: NO_KINDS,
        excludes: ONE_SEVERAL_OR_AN_OBJECT,
        leaves_open: OF_THE_ROUTE_BEFORE,
        settle: can_be_made,
        result: NOTHING,
    },
    Call {
        name: "Route.Delete",
        number: 14,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Deletes a route: the first one to `destination` in `table` that matches all given fields. If several \
              match, it is the one with the lowest metric. A route for one type of service is deleted only by `tos`. A \
              route for one source prefix is deleted only by `source`. `gateway`, `link`, `onlink` and `encap` match only \
              routes with one next hop. `nexthops` must list all next hops, in any order. With `one_nexthop`, the request is about a multipath route instead, \
              and needs `gateway`: only that next hop goes. The route can have any other next hops, so a deny on a field of \
              `nexthops` is met. The broker first lists the table, because the kernel compares fewer fields \
              than a request can give. It then deletes the route by everything that identifies it. If the kernel would \
              delete another route instead, the error is `NotSupported`.",
        elsewhere: "",
        uses: found![
            required(&NETNS.field),
            required(&DESTINATION.field),
            follows(&SOURCE.field),
            number(&TABLE.field, MAIN).only(TABLES),
            untouched(&TOS.field).only(TOS_VALUES);
            off(&ONE_NEXTHOP.field),
            off(&MISSING_OK.field)
        ],
        kinds: NO_KINDS,
        excludes: ONE_OR_SEVERAL,
        leaves_open: &[],
        settle: can_be_deleted,
        result: NOTHING,
    },
    Call {
        name: "Route.Append",
        number: 29,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Adds a route after the existing routes with the same `destination`, `source`, `table`, `metric` and `tos`. \
              The kernel uses an appended IPv4 route when the routes before it are gone. An IPv6 route with a gateway \
              becomes a next hop of the existing route, if that also has a gateway: the two are then one multipath \
              route. The fields are those of `Route.Add`, without `exists_ok`. If the route itself exists, the error is \
              `AlreadyExists`. The kernel may then have given the existing IPv6 route the time of `expires`, or none \
              (`may_have_changed`).",
        elsewhere: "An existing IPv6 route shares its packets with the appended one. A deny that prevents `Route.Delete` \
                    from deleting a route therefore also prevents this call from appending to it.",
        uses: REPLACED,
        kinds: NO_KINDS,
        excludes: ONE_SEVERAL_OR_AN_OBJECT,
        leaves_open: OF_THE_ROUTE_BEFORE,
        settle: can_be_made,
        result: NOTHING,
    },
    Call {
        name: "Route.Flush",
        number: 30,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Deletes the routes of `table` that match all given fields, of both families if none is given. Of the \
              tables 254 (`main`) and 255 (`local`), it leaves the routes that the kernel made itself (`protocol` 2), \
              unless the request gives `protocol`. The fields mean the same as in `Route.Delete`, but `source` and `tos` \
              match any route if they are absent. The broker lists the table, and then deletes each route by everything \
              that identifies it. If the kernel would delete another route instead of one of them, the error is \
              `NotSupported`, and no route is deleted. A route that vanishes meanwhile is not counted. If an error ends \
              the call, `may_have_changed` says whether some were deleted before.",
        elsewhere: "",
        uses: found![
            required(&NETNS.field),
            required(&TABLE.field).only(TABLES),
            any(&DESTINATION.field),
            any(&SOURCE.field),
            any(&TOS.field).only(TOS_VALUES);
        ],
        kinds: NO_KINDS,
        excludes: ONE_OR_SEVERAL,
        leaves_open: &[],
        settle: can_be_found,
        result: FLUSHED,
    },
    Call {
        name: "Route.Get",
        number: 31,
        effect: Effect::Reads,
        needs: Needs::NOTHING,
        doc: "Reports the route that the kernel would choose for a packet, by the routing rules and tables. `destination` \
              and `source` must be single addresses: prefixes of length 32 (IPv4) or 128 (IPv6). With `iif`, the packet \
              arrives through this link; otherwise a program of this host sends it. In the result, `destination` and \
              `source` are those of the packet, and `preferred_source` is the source address that the kernel would choose. \
              `table` is 0 if no route leads through `oif`: the kernel then takes the destination for a neighbour. \
              If there is no route, the error is `KernelRefused`, with the error that the sender would get.",
        elsewhere: "",
        uses: &[
            required(&NETNS.field),
            required(&DESTINATION.field).only(Only::Single),
            chosen(&SOURCE.field).only(Only::Single),
            untouched(&IIF.field),
            chosen(&OIF.field),
            number(&FWMARK.field, 0),
            untouched(&TOS.field).only(TOS_VALUES),
            declared(&UID.field, Absence::Default(Constant::Uid)),
        ],
        kinds: NO_KINDS,
        excludes: &[(&UID.field, &IIF.field, "no program of this host sends a packet that arrives")],
        leaves_open: &[],
        settle: can_be_looked_up,
        result: Output {
            parts: &[part("route", Shape::Object(Parts::Of(&ROUTE_STATE, "")), "The route.")],
            streams: false,
        },
    },
    Call {
        name: "Route.List",
        number: 15,
        effect: Effect::Reads,
        needs: Needs::NOTHING,
        doc: "Lists routes: those of `table`, or of all tables. `link`, `gateway` and `encap` match only routes with one \
              next hop. `nexthops.link` matches routes with the link in any next hop, or in the only one. `destination` \
              matches the same prefix only, not the prefixes inside it. The kernel ends the list without an error before a \
              route that it would report in more than 32 KB, such as one with thousands of next hops, which only other \
              programs can make. That route and those after it are then missing.",
        elsewhere: "With `nexthops.link`, the result also shows the other next hops of each route.",
        uses: &[
            required(&NETNS.field),
            any(&FAMILY.field),
            any(&TABLE.field).only(TABLES),
            any(&LINK.field),
            any(&GATEWAY.field),
            any(&NEXTHOPS_LINK.field),
            any(&DESTINATION.field),
            any(&PROTOCOL.field),
            any(&SCOPE.field),
            any(&NEXTHOP_ID.field),
            any(&ENCAP_KIND.field),
            any(&ENCAP_ID.field),
            any(&ENCAP_DESTINATION.field),
            any(&ENCAP_SOURCE.field),
            any(&ENCAP_TTL.field),
            any(&ENCAP_TOS.field),
            any(&ENCAP_LABELS.field),
        ],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: can_be_listed,
        result: Output {
            parts: &[part(
                "routes",
                Shape::List("RouteState", Parts::Of(&ROUTE_STATE, "")),
                "The routes, IPv4 first, in the kernel's order.",
            )],
            streams: true,
        },
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replace_and_an_append_leave_open_all_that_a_delete_tells_routes_apart_by() {
        let call = |name| CALLS.iter().find(|call| call.name == name).unwrap();
        let delete = call("Route.Delete");
        let key = [&DESTINATION.field, &FAMILY.field, &METRIC.field];
        for used in delete.uses.iter().filter(|used| matches!(used.absence, Absence::Any)) {
            for other in [call("Route.Replace"), call("Route.Append")] {
                let is_open = other.leaves_open.contains(&used.field());
                assert_eq!(is_open, !key.contains(&used.field()), "{} {}", other.name, used.field().name);
            }
        }
    }
}
