// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A small world: invented calls with every meaning of absence and with lists, and a few values for each field.

use std::net::IpAddr;

use crate::call::field::invented::{NUMBERS, SOURCES, WORDS};
use crate::call::field::{
    ADDRESS, ALIAS, BRIDGE_STP, BROADCAST, Field, FieldId, GATEWAY, KIND, LABEL, LINK, MAC, METRIC, MISSING_OK, NETNS,
    NEW_NAME, NEXTHOPS, NEXTHOPS_GATEWAY, NEXTHOPS_LINK, NEXTHOPS_ONLINK, NEXTHOPS_WEIGHT, PEER_MTU, PEER_NAME,
    PEER_NETNS, PRIORITIES, SCOPE, SOURCE_PORTS, TARGET_NETNS, UIDS, UP,
};
use crate::call::types::{Only, Type};
use crate::call::value::Value;
use crate::call::{Absence, Call, Constant, Effect, Kind, Kinds, Naming, Needs, Output, Use, declared};
use crate::caller::Caller;

const OFF: Absence = Absence::Default(Constant::Bool(false));
const IN_PEER_NETNS: [Option<FieldId>; 2] = [Some(FieldId::of(&PEER_NETNS.field)), None];
const IN_TARGET_NETNS: [Option<FieldId>; 2] = [Some(FieldId::of(&TARGET_NETNS.field)), Some(FieldId::of(&NETNS.field))];

const fn inside(field: &'static Field, absence: Absence) -> Use {
    Use { inside: Some(FieldId::of(&NEXTHOPS.field)), ..declared(field, absence) }
}

const fn call(name: &'static str, number: u16, uses: &'static [Use], kinds: &'static [Kind]) -> Call {
    let result = Output { parts: &[], streams: false };
    let (effect, needs) = (Effect::Changes, Needs::NET_ADMIN);
    let (excludes, leaves_open): (&[_], &[_]) = (&[], &[]);
    Call {
        name,
        number,
        effect,
        needs,
        doc: "",
        elsewhere: "",
        uses,
        kinds: Kinds { by: if kinds.is_empty() { None } else { Some(&KIND.field) }, all: kinds },
        excludes,
        leaves_open,
        settle: |_| Ok(()),
        result,
    }
}

/// Required, default and untouched fields; a link that moves and gets a new name.
pub(super) static SET: Call = call(
    "Test.Set",
    900,
    &[
        declared(&NETNS.field, Absence::Required),
        Use { also_in: Some(FieldId::of(&TARGET_NETNS.field)), ..declared(&LINK.field, Absence::Required) },
        declared(&UP.field, OFF),
        Use {
            field: FieldId::of(&NEW_NAME.field),
            absence: Absence::Untouched,
            counts_in: IN_TARGET_NETNS,
            also_in: None,
            inside: None,
            only: Only::All,
            naming: Naming::Gives,
            is_condition: false,
        },
        declared(&TARGET_NETNS.field, Absence::Untouched),
    ],
    &[],
);

/// Kinds with nested fields.
pub(super) static ADD: Call = call(
    "Test.Add",
    901,
    &[
        declared(&NETNS.field, Absence::Required),
        declared(&LINK.field, Absence::Required),
        declared(&KIND.field, Absence::Required),
    ],
    &[
        Kind {
            name: "veth",
            needs: Needs::NET_ADMIN,
            uses: &[
                Use {
                    field: FieldId::of(&PEER_NAME.field),
                    absence: Absence::Required,
                    counts_in: IN_PEER_NETNS,
                    also_in: None,
                    inside: None,
                    only: Only::All,
                    naming: Naming::Gives,
                    is_condition: false,
                },
                declared(&PEER_NETNS.field, Absence::Required),
                declared(&PEER_MTU.field, Absence::Untouched),
            ],
            settle: |_| Ok(()),
            tables: &[],
            visits: |_| None,
            anchored: false,
            moved: false,
            sinks_through: &[],
        },
        Kind {
            name: "bridge",
            needs: Needs::NET_ADMIN,
            uses: &[declared(&BRIDGE_STP.field, Absence::Untouched)],
            settle: |_| Ok(()),
            tables: &[],
            visits: |_| None,
            anchored: false,
            moved: false,
            sinks_through: &[],
        },
    ],
);

/// Filters.
pub(super) static FLUSH: Call = call(
    "Test.Flush",
    902,
    &[
        declared(&NETNS.field, Absence::Required),
        declared(&LINK.field, Absence::Any),
        declared(&SCOPE.field, Absence::Any),
        declared(&MISSING_OK.field, OFF),
    ],
    &[],
);

/// A prefix; a link that the kernel chooses.
pub(super) static ROUTE: Call = call(
    "Test.Route",
    903,
    &[
        declared(&NETNS.field, Absence::Required),
        declared(&ADDRESS.field, Absence::Required),
        declared(&LINK.field, Absence::Chosen),
        declared(&BROADCAST.field, Absence::Any),
        declared(&METRIC.field, Absence::Untouched),
    ],
    &[],
);

/// The other types.
static NAME: Call = call(
    "Test.Name",
    904,
    &[
        declared(&NETNS.field, Absence::Required),
        declared(&MAC.field, Absence::Untouched),
        declared(&ALIAS.field, Absence::Untouched),
        declared(&LABEL.field, Absence::Chosen),
    ],
    &[],
);

/// A list of structures with every meaning of absence inside.
pub(super) static WAYS: Call = call(
    "Test.Ways",
    905,
    &[
        declared(&NETNS.field, Absence::Required),
        declared(&NEXTHOPS.field, Absence::Untouched),
        inside(&NEXTHOPS_LINK.field, Absence::Chosen),
        inside(&NEXTHOPS_GATEWAY.field, Absence::Untouched),
        inside(&NEXTHOPS_WEIGHT.field, Absence::Untouched),
        inside(&NEXTHOPS_ONLINK.field, OFF),
    ],
    &[],
);

static ONE_OR_SEVERAL: &[(&Field, &Field, &str)] =
    &[(&GATEWAY.field, &NEXTHOPS.field, ""), (&LINK.field, &NEXTHOPS.field, "")];

/// A list that is a filter, of filters. What is given as one link or gateway is not given as a list.
static PRUNE: Call = Call {
    excludes: ONE_OR_SEVERAL,
    ..call(
        "Test.Prune",
        906,
        &[
            declared(&NETNS.field, Absence::Required),
            declared(&LINK.field, Absence::Any),
            declared(&GATEWAY.field, Absence::Any),
            declared(&NEXTHOPS.field, Absence::Any),
            inside(&NEXTHOPS_GATEWAY.field, Absence::Any),
            inside(&NEXTHOPS_LINK.field, Absence::Any),
        ],
        &[],
    )
};

/// Where the list is given, which is not a filter, neither the absent link nor the absent filter leaves anything open.
pub(super) static VIA: Call = Call {
    excludes: ONE_OR_SEVERAL,
    ..call(
        "Test.Via",
        907,
        &[
            declared(&NETNS.field, Absence::Required),
            declared(&LINK.field, Absence::Chosen),
            declared(&GATEWAY.field, Absence::Any),
            declared(&NEXTHOPS.field, Absence::Untouched),
            inside(&NEXTHOPS_GATEWAY.field, Absence::Required),
            inside(&NEXTHOPS_LINK.field, Absence::Chosen),
        ],
        &[],
    )
};

/// A call that replaces an existing object, which may have any link, or several.
static REPLACE: Call = Call {
    excludes: ONE_OR_SEVERAL,
    leaves_open: &[&LINK.field, &NEXTHOPS.field, &NEXTHOPS_LINK.field],
    ..call(
        "Test.Replace",
        909,
        &[
            declared(&NETNS.field, Absence::Required),
            declared(&LINK.field, Absence::Chosen),
            declared(&METRIC.field, Absence::Untouched),
            declared(&NEXTHOPS.field, Absence::Untouched),
            inside(&NEXTHOPS_LINK.field, Absence::Chosen),
        ],
        &[],
    )
};

/// Lists of values of one type.
static SEVERAL: Call = call(
    "Test.Several",
    908,
    &[
        declared(&NETNS.field, Absence::Required),
        declared(&NUMBERS, Absence::Untouched),
        declared(&SOURCES, Absence::Any),
        declared(&WORDS, Absence::Chosen),
    ],
    &[],
);

/// Ranges of numbers, and a number.
static RANGES: Call = call(
    "Test.Ranges",
    910,
    &[
        declared(&NETNS.field, Absence::Required),
        declared(&SOURCE_PORTS.field, Absence::Untouched),
        declared(&UIDS.field, Absence::Any),
        declared(&METRIC.field, Absence::Any),
    ],
    &[],
);

/// A range of what other calls have one of.
static BETWEEN: Call = call(
    "Test.Between",
    912,
    &[
        declared(&NETNS.field, Absence::Required),
        declared(&PRIORITIES.field, Absence::Any),
        declared(&UIDS.field, Absence::Untouched),
    ],
    &[],
);

/// A request that gives `up` has any link and any gateway, whatever else it gives.
pub(super) static OPENED: Call = Call {
    settle: |request| {
        if request.is_set(&UP) {
            [&LINK.field, &GATEWAY.field].into_iter().for_each(|field| request.open(field));
        }
        Ok(())
    },
    ..call(
        "Test.Opened",
        911,
        &[
            declared(&NETNS.field, Absence::Required),
            declared(&LINK.field, Absence::Required),
            declared(&GATEWAY.field, Absence::Untouched),
            declared(&UP.field, OFF),
        ],
        &[],
    )
};

/// A call that changes other objects, with any gateway and any link. No request can give these two.
pub(super) static ELSEWHERE: Call = Call {
    leaves_open: &[&GATEWAY.field, &NEXTHOPS_LINK.field],
    ..call(
        "Test.Elsewhere",
        913,
        &[
            declared(&NETNS.field, Absence::Required),
            declared(&METRIC.field, Absence::Required),
            declared(&SCOPE.field, Absence::Any),
        ],
        &[],
    )
};

pub(super) static CALLS: [&Call; 14] = [
    &SET, &ADD, &FLUSH, &ROUTE, &NAME, &WAYS, &PRUNE, &VIA, &SEVERAL, &REPLACE, &RANGES, &OPENED, &BETWEEN, &ELSEWHERE,
];

/// The varieties of a call. A call without kinds has one.
pub(super) fn varieties(call: &'static Call) -> Vec<Option<&'static Kind>> {
    call.varieties().collect()
}

/// Whether `field`, where it is given, closes what the absence of `other` leaves open.
pub(super) fn closes(call: &Call, field: &Field, other: &Field) -> bool {
    let either = [&GATEWAY.field, &LINK.field];
    match call.number {
        906 | 907 | 909 if other == &NEXTHOPS.field => either.contains(&field),
        906 | 907 | 909 => field == &NEXTHOPS.field && either.contains(&other),
        _ => false,
    }
}

/// Whether a field outside of `nexthops` means the same, or one of what the other field has a range of, in the manual's
/// words.
pub(super) fn is_outside_of(outside: &Field, inside: &Field) -> bool {
    let ranges = [("priorities", "priority"), ("vlans", "vlan"), ("tunnel_ids", "vni"), ("vnis", "vni")];
    inside.name.strip_prefix("nexthops.") == Some(outside.name) || ranges.contains(&(inside.name, outside.name))
}

/// The type of each value of a list; any other type itself.
pub(super) fn each(ty: Type) -> Type {
    if let Type::Several(ty) = ty { each(*ty) } else { ty }
}

/// The values that a field can have here. Those of a list of structures depend on its call.
pub(super) fn values(field: &Field) -> Vec<Value> {
    let raw: &[&str] = match field.ty {
        Type::Netns => &["@host", "q1"],
        Type::Link | Type::AlternativeName => &["a0", "v7-x"],
        Type::Word(words) => &words.all().collect::<Vec<_>>(),
        Type::Bool => &["false", "true"],
        Type::Number(least, most) if least > 1 || most < 7 => &[&least.to_string(), &most.to_string()],
        Type::Number(..) => &["1", "7"],
        Type::Range(..) => &["1", "7", "1..3", "3..7", "5..6"],
        Type::Mac => &["fa:16:3e:00:00:01", "02:00:00:00:00:01", "01:00:5e:00:00:01"],
        Type::Address | Type::Gateway => &["10.0.0.1", "10.0.0.6"],
        Type::InterfaceAddress | Type::Prefix => {
            &["10.0.0.1/30", "10.0.0.6/29", "10.0.0.6/32", "10.0.0.4/31", "2001:db8::1/126"]
        }
        Type::Label => &["a0:1", "b0:1"],
        Type::Text => &["", "x y"],
        Type::Several(Type::Number(..)) => &["[1]", "[7]", "[1,7]", "[7,1]"],
        Type::Several(Type::InterfaceAddress) => {
            &[r#"["10.0.0.6/32"]"#, r#"["10.0.0.1/30","10.0.0.6/32"]"#, r#"["10.0.0.4/31","2001:db8::1/125"]"#]
        }
        Type::Several(Type::Address) => &[r#"["10.0.0.6"]"#, r#"["10.0.0.1","10.0.0.6"]"#],
        Type::Several(Type::Word(words)) => {
            let word = |nth: usize| words.all().take(nth + 1).last().unwrap();
            &[&format!("[\"{}\"]", word(0)), &format!("[\"{}\",\"{}\"]", word(2), word(0))]
        }
        Type::Several(ty) => panic!("write out values of {ty:?}"),
        Type::List(_) => &[],
    };
    raw.iter().map(|raw| field.ty.parse(raw).unwrap()).collect()
}

pub(super) fn ip(raw: &str) -> IpAddr {
    raw.parse().unwrap()
}

/// The caller of all tests that are not about callers.
pub(super) fn caller() -> Caller {
    Caller { uid: 7, gid: 70, groups: vec![71] }
}
