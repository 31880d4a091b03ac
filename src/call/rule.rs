// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Routing rules, which select the table in which a route is looked up: ip-rule(8), `linux/fib_rules.h`.
#![forbid(unsafe_code)]

use super::field::{
    ACTION, DESTINATION, EXISTS_OK, FAMILY, FWMARK, FWMASK, IIF, MISSING_OK, NETNS, OIF, PRIORITY, SOURCE,
    SUPPRESS_PREFIXLENGTH, TABLE,
};
use super::object::{Form, Object, Parts, Place, Row, Width, result, row};
use super::request::{Invalid, Request};
use super::settle::one_family;
use super::types::Words;
use super::value::Value;
use super::{
    AS_READ, Call, Effect, NO_KINDS, NOTHING, Needs, Output, Shape, any, chosen, number, off, part, required,
    untouched, word,
};

/// `FIB_RULE_…` (`linux/fib_rules.h`).
static FLAGS: Words = Words {
    name: "RuleFlag",
    words: &[
        ("permanent", 1),
        ("invert", 1 << 1),
        ("unresolved", 1 << 2),
        ("iif_detached", 1 << 3),
        ("oif_detached", 1 << 4),
        ("find_saddr", 1 << 16),
    ],
};

const fn attribute(name: &'static str, path: &'static [u32], form: Form, doc: &'static str) -> Row {
    result(name, Place::attribute(path), form, doc)
}

const fn bound(name: &'static str, path: &'static [u32], width: Width, nth: usize, doc: &'static str) -> Row {
    result(name, Place::inside(path, nth * width.bytes(), 2 * width.bytes()), Form::Number(width), doc)
}

const UIDS: &[u32] = &[20];
const SOURCE_PORTS: &[u32] = &[23];
const DESTINATION_PORTS: &[u32] = &[24];

/// `struct fib_rule_hdr` and `FRA_…` (`linux/fib_rules.h`). It refers to links by name, and these need not exist.
pub(crate) static RULE_STATE: Object = Object {
    name: "RuleState",
    head: 12,
    kinds: &[],
    rows: &[
        row(&FAMILY.field, Place::Head(0), Form::Word(Width::One)).always(),
        row(&PRIORITY.field, Place::attribute(&[6]), Form::OrZero(Width::Four)).always(),
        row(&SOURCE.field, Place::attribute(&[2]), Form::Prefix(2)).identity(),
        row(&DESTINATION.field, Place::attribute(&[1]), Form::Prefix(1)).identity(),
        row(&IIF.field, Place::attribute(&[3]), Form::Name).identity(),
        row(&OIF.field, Place::attribute(&[17]), Form::Name).identity(),
        row(&FWMARK.field, Place::attribute(&[10]), Form::Number(Width::Four)).identity(),
        row(&FWMASK.field, Place::attribute(&[16]), Form::Number(Width::Four)).uncompared(),
        row(&ACTION.field, Place::Head(7), Form::WordNumber(Width::One)).always(),
        row(&TABLE.field, Place::attribute(&[15]), Form::Number(Width::Four)).always(),
        attribute("protocol", &[21], Form::OrZero(Width::One), "The origin of the rule (`RTPROT_…`), or 0.").always(),
        result(
            "flags",
            Place::Head(8),
            Form::Flags(Width::Four, &FLAGS),
            "The flags (`FIB_RULE_…`) in lower case. An unknown bit is given as a number. `invert`: the rule applies \
             to the packets that its conditions do not match. `iif_detached`, `oif_detached`: no link has this name.",
        )
        .always(),
        row(&SUPPRESS_PREFIXLENGTH.field, Place::attribute(&[14]), Form::Number(Width::Four)).identity(),
        attribute(
            "suppress_ifgroup",
            &[13],
            Form::Number(Width::Four),
            "The rule ignores routes through links of this group.",
        ),
        result(
            "tos",
            Place::Head(3),
            Form::Number(Width::One),
            "The type of service of the packets. 0 matches all packets.",
        )
        .always(),
        attribute(
            "goto",
            &[4],
            Form::Number(Width::Four),
            "The priority of the routing rule that the kernel evaluates next.",
        ),
        attribute("l3mdev", &[19], Form::Flag(Width::One), "Whether the table is that of the VRF of the link."),
        attribute(
            "realms",
            &[11],
            Form::Number(Width::Four),
            "The realms of the routes (IPv4), with the source realm in the upper 16 bits.",
        ),
        attribute("tunnel_id", &[12], Form::Number(Width::Net8), "The id of the tunnel through which packets arrived."),
        attribute("ip_protocol", &[22], Form::Number(Width::One), "The protocol of the packets (`IPPROTO_…`)."),
        bound("uids.least", UIDS, Width::Four, 0, "The first uid of the sockets that send the packets."),
        bound("uids.most", UIDS, Width::Four, 1, "The last uid of the sockets that send the packets."),
        bound("source_ports.least", SOURCE_PORTS, Width::Two, 0, "The first source port of the packets."),
        bound("source_ports.most", SOURCE_PORTS, Width::Two, 1, "The last source port of the packets."),
        bound(
            "destination_ports.least",
            DESTINATION_PORTS,
            Width::Two,
            0,
            "The first destination port of the packets.",
        ),
        bound("destination_ports.most", DESTINATION_PORTS, Width::Two, 1, "The last destination port of the packets."),
        attribute(
            "dscp",
            &[25],
            Form::Number(Width::One),
            "The differentiated services code point (DSCP) of the packets.",
        ),
    ],
};

/// The calls of this family.
pub(super) static CALLS: &[Call] = &[
    Call {
        name: "Rule.Add",
        number: 20,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Adds a routing rule. A condition that is absent matches all packets. `iif` and `oif` are names: no link \
              with this name need exist, and the rule takes effect when there is one. An alternative name of an \
              existing link is refused. With the action `to_table`, `table` is 254 (`main`) if absent. With any other \
              action, `table` must be absent or 0. `unspec` drops packets, as `blackhole` does. `exists_ok` needs \
              `priority`. For the kernel, a new rule without `source` or `destination` is the same as an existing rule \
              that has them, if everything else is equal. It is refused with `AlreadyExists`.",
        elsewhere: "With the first IPv4 rule that is added to a namespace, the kernel separates the tables `local` and \
                    `main`, which it keeps merged until then.",
        uses: &[
            required(&NETNS.field),
            required(&FAMILY.field),
            chosen(&PRIORITY.field),
            any(&SOURCE.field),
            any(&DESTINATION.field),
            // The kernel keeps these names, even if no link has them.
            any(&IIF.field).giving_a_name(),
            any(&OIF.field).giving_a_name(),
            any(&FWMARK.field),
            number(&FWMASK.field, 0xffff_ffff),
            chosen(&TABLE.field),
            word(&ACTION.field, "to_table"),
            untouched(&SUPPRESS_PREFIXLENGTH.field),
            off(&EXISTS_OK.field),
        ],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: added,
        result: NOTHING,
    },
    Call {
        name: "Rule.Delete",
        number: 21,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Deletes a routing rule: the first one with this `family` and `priority` that matches all given fields. A \
              rule with inverted conditions (`not` in ip-rule(8)) is never deleted. If the kernel would delete another \
              rule of the same priority instead, the error is `NotSupported`.",
        elsewhere: "",
        uses: &[
            required(&NETNS.field),
            required(&FAMILY.field),
            required(&PRIORITY.field),
            any(&SOURCE.field),
            any(&DESTINATION.field),
            any(&IIF.field),
            any(&OIF.field),
            any(&FWMARK.field),
            any(&FWMASK.field),
            any(&TABLE.field),
            any(&ACTION.field),
            any(&SUPPRESS_PREFIXLENGTH.field),
            off(&MISSING_OK.field),
        ],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: |request| addresses(request),
        result: NOTHING,
    },
    Call {
        name: "Rule.List",
        number: 22,
        effect: Effect::Reads,
        needs: Needs::NOTHING,
        doc: "Lists routing rules: those of `family`, or of both families.",
        elsewhere: "",
        uses: &[required(&NETNS.field), any(&FAMILY.field)],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: Output {
            parts: &[part(
                "rules",
                Shape::List("RuleState", Parts::Of(&RULE_STATE, "")),
                "The routing rules, family by family, in the order in which the kernel evaluates them.",
            )],
            streams: true,
        },
    },
];

fn refused<T>(field: &'static super::Field, reason: impl Into<String>) -> Result<T, Invalid> {
    Err(Invalid::new(field.name, reason))
}

/// Requires prefixes of the request's family. A prefix of length 0 must have no address bits: the kernel keeps none.
fn addresses(request: &mut Request) -> Result<(), Invalid> {
    one_family(request, &[&SOURCE.field, &DESTINATION.field])?;
    for key in [&SOURCE, &DESTINATION] {
        if let Some(given) = request.get(key).filter(|given| given.length == 0 && !given.address.is_unspecified()) {
            let why = format!("`{given}` has a prefix length of 0, so its address has no effect; write `default`");
            return refused(&key.field, why);
        }
    }
    Ok(())
}

/// Refuses what a rule cannot have, or what the kernel would interpret differently.
fn added(request: &mut Request) -> Result<(), Invalid> {
    addresses(request)?;
    let mask = *request.needed(&FWMASK)?;
    match request.get(&FWMARK) {
        None if mask != 0xffff_ffff => return refused(&FWMASK.field, "needs `fwmark`"),
        Some(mark) if mark & !mask != 0 => return refused(&FWMARK.field, format!("{mark} has bits outside `fwmask`")),
        _ => {}
    }
    if request.is_set(&EXISTS_OK) && request.get(&PRIORITY).is_none() {
        return refused(
            &PRIORITY.field,
            "is required with `exists_ok`; without a priority the kernel adds another \
                                         routing rule",
        );
    }
    let (action, table) = (*request.needed(&ACTION)?, request.get(&TABLE).copied());
    match (action, table) {
        ("to_table", Some(0)) => refused(&TABLE.field, "must not be 0; the kernel would choose an empty table"),
        ("to_table", _) => {
            request.settle(&TABLE.field, Value::Number(table.unwrap_or(254)));
            Ok(())
        }
        (_, Some(1..)) => refused(&TABLE.field, format!("does not apply to action {action}")),
        _ if request.get(&SUPPRESS_PREFIXLENGTH).is_some() => {
            refused(&SUPPRESS_PREFIXLENGTH.field, format!("does not apply to action {action}"))
        }
        _ => {
            request.settle(&TABLE.field, Value::Number(0));
            Ok(())
        }
    }
}
