// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Routing rules, which select the table in which a route is looked up: ip-rule(8), `linux/fib_rules.h`.
#![forbid(unsafe_code)]

use super::field::{
    ACTION, DESTINATION, DESTINATION_PORTS, EXISTS_OK, FAMILY, FWMARK, FWMASK, Field, GOTO, IIF, INVERT, IP_PROTOCOL,
    L3MDEV, MISSING_OK, NETNS, OIF, PRIORITIES, PRIORITY, PROTOCOL, SOURCE, SOURCE_PORTS, SUPPRESS_IFGROUP,
    SUPPRESS_PREFIXLENGTH, TABLE, TOS, UIDS,
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
        row(&PROTOCOL.field, Place::attribute(&[21]), Form::OrZero(Width::One)).always(),
        row(&INVERT.field, Place::Head(8), Form::Bit(Width::Four, 2)).always(),
        result(
            "flags",
            Place::Head(8),
            Form::Flags(Width::Four, &FLAGS),
            "The flags (`FIB_RULE_…`) in lower case. An unknown bit is given as a number. `iif_detached`, `oif_detached`: \
             no link has this name.",
        )
        .always(),
        row(&SUPPRESS_PREFIXLENGTH.field, Place::attribute(&[14]), Form::Number(Width::Four)).identity(),
        row(&SUPPRESS_IFGROUP.field, Place::attribute(&[13]), Form::Number(Width::Four)).identity(),
        row(&TOS.field, Place::Head(3), Form::Positive(Width::One)).identity(),
        row(&GOTO.field, Place::attribute(&[4]), Form::Number(Width::Four)).identity(),
        row(&L3MDEV.field, Place::attribute(&[19]), Form::Bit(Width::One, 1)).always(),
        attribute(
            "realms",
            &[11],
            Form::Number(Width::Four),
            "The realms of the routes (IPv4), with the source realm in the upper 16 bits.",
        ),
        attribute("tunnel_id", &[12], Form::Number(Width::Net8), "The id of the tunnel through which packets arrived."),
        row(&IP_PROTOCOL.field, Place::attribute(&[22]), Form::Number(Width::One)).identity(),
        row(&UIDS.field, Place::attribute(&[20]), Form::Range(Width::Four)).identity(),
        row(&SOURCE_PORTS.field, Place::attribute(&[23]), Form::Range(Width::Two)).identity(),
        row(&DESTINATION_PORTS.field, Place::attribute(&[24]), Form::Range(Width::Two)).identity(),
        attribute(
            "source_port_mask",
            &[28],
            Form::Number(Width::Two),
            "The bits of the source port that are compared with `source_ports`. Absent if all are.",
        ),
        attribute(
            "destination_port_mask",
            &[29],
            Form::Number(Width::Two),
            "The bits of the destination port that are compared with `destination_ports`. Absent if all are.",
        ),
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
              existing link is refused. With the action `to_table`, `table` is 254 (`main`) if absent. With `l3mdev` or \
              any other action, `table` must be absent or 0. `unspec` drops packets, as `blackhole` does. `exists_ok` needs \
              `priority`. For the kernel, a new rule without `source` or `destination` is the same as an existing rule \
              that has them, if everything else is equal. It is refused with `AlreadyExists`. In a policy, an allow considers the \
              given conditions, also of a rule with `invert`. Such a rule applies to other packets, so every deny on a \
              condition is met. With `l3mdev`, an allow considers the table 0, and every deny on `table` is met.",
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
            any(&TOS.field),
            any(&IP_PROTOCOL.field),
            any(&SOURCE_PORTS.field),
            any(&DESTINATION_PORTS.field),
            any(&UIDS.field),
            // These two do not narrow what the rule does, so an allow permits them only where it names them.
            off(&L3MDEV.field),
            off(&INVERT.field),
            chosen(&TABLE.field),
            word(&ACTION.field, "to_table"),
            untouched(&GOTO.field),
            untouched(&SUPPRESS_PREFIXLENGTH.field),
            untouched(&SUPPRESS_IFGROUP.field),
            number(&PROTOCOL.field, 0),
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
              rule with inverted conditions (`not` in ip-rule(8)) is deleted only if `invert` is true. If the kernel would delete another \
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
            any(&TOS.field),
            any(&IP_PROTOCOL.field),
            any(&SOURCE_PORTS.field),
            any(&DESTINATION_PORTS.field),
            any(&UIDS.field),
            any(&L3MDEV.field),
            off(&INVERT.field), // no filter: without it, no inverted rule is meant
            any(&TABLE.field),
            any(&ACTION.field),
            any(&GOTO.field),
            any(&SUPPRESS_PREFIXLENGTH.field),
            any(&SUPPRESS_IFGROUP.field),
            any(&PROTOCOL.field),
            off(&MISSING_OK.field),
        ],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: found,
        result: NOTHING,
    },
    Call {
        name: "Rule.Flush",
        number: 26,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Deletes all routing rules with this `family` that match all given fields. `priorities` or `protocol` is \
              required. The broker lists the rules, and then deletes each of them by everything that identifies it. A rule \
              that another process deletes in the meantime is skipped. If the kernel would delete another rule of the same \
              priority instead, the error is `NotSupported`, and no rule is deleted. After any other error, some of the \
              rules may be deleted (`may_have_changed`).",
        elsewhere: "",
        uses: &[
            required(&NETNS.field),
            required(&FAMILY.field),
            any(&PRIORITIES.field),
            any(&PROTOCOL.field),
            any(&SOURCE.field),
            any(&DESTINATION.field),
            any(&IIF.field),
            any(&OIF.field),
            any(&FWMARK.field),
            any(&FWMASK.field),
            any(&TOS.field),
            any(&IP_PROTOCOL.field),
            any(&SOURCE_PORTS.field),
            any(&DESTINATION_PORTS.field),
            any(&UIDS.field),
            any(&L3MDEV.field),
            any(&INVERT.field),
            any(&TABLE.field),
            any(&ACTION.field),
            any(&GOTO.field),
            any(&SUPPRESS_PREFIXLENGTH.field),
            any(&SUPPRESS_IFGROUP.field),
        ],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: flushed,
        result: Output {
            parts: &[part("deleted", Shape::Int, "How many routing rules were deleted.")],
            streams: false,
        },
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

/// Requires that the request selects some of the rules.
fn flushed(request: &mut Request) -> Result<(), Invalid> {
    if request.get(&PRIORITIES).is_none() && request.get(&PROTOCOL).is_none() {
        let why = "is required without `protocol`; for all routing rules of the family, write \"0..4294967295\"";
        return refused(&PRIORITIES.field, why);
    }
    found(request)
}

/// Refuses filters that no rule can match. The kernel accepts rules that no request can add, so fewer filters are refused
/// than in [`added`]: `ip rule add blackhole table 100` makes a rule with this table, `fwmark 5/1` is a mark with bits
/// outside its mask, and a rule with another action, or with `l3mdev`, has the table 0.
fn found(request: &mut Request) -> Result<(), Invalid> {
    addresses(request)?;
    if let Some(action) = request.get(&ACTION).filter(|_| request.get(&GOTO).is_some()) {
        only_goto_has_a_target(action)?;
    }
    let (table, l3mdev) = (request.get(&TABLE).copied(), request.get(&L3MDEV).copied());
    match (table, l3mdev, request.get(&ACTION)) {
        (Some(1..), Some(true), _) => refused(&TABLE.field, OF_A_VRF),
        (Some(0), Some(false), Some(&"to_table")) => refused(&TABLE.field, EMPTY_TABLE),
        _ => Ok(()),
    }
}

const OF_A_VRF: &str = "does not apply with `l3mdev`; the table is that of the VRF";
const EMPTY_TABLE: &str = "must not be 0; the kernel would choose an empty table";

fn only_goto_has_a_target(action: &str) -> Result<(), Invalid> {
    if action == "goto" {
        return Ok(());
    }
    refused(&GOTO.field, format!("does not apply to action {action}; it needs action goto"))
}

/// The conditions of a rule. An inverted rule applies to the packets that they do not match.
static CONDITIONS: &[&Field] = &[
    &SOURCE.field,
    &DESTINATION.field,
    &IIF.field,
    &OIF.field,
    &FWMARK.field,
    &FWMASK.field,
    &TOS.field,
    &IP_PROTOCOL.field,
    &SOURCE_PORTS.field,
    &DESTINATION_PORTS.field,
    &UIDS.field,
    &L3MDEV.field,
];

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
            "is required with `exists_ok`; without a priority the kernel adds another routing rule",
        );
    }
    if request.is_set(&INVERT) {
        CONDITIONS.iter().for_each(|condition| request.open(condition));
    }
    does(request)
}

/// Checks what the rule does with packets, and fills in its table.
fn does(request: &mut Request) -> Result<(), Invalid> {
    let (action, table) = (*request.needed(&ACTION)?, request.get(&TABLE).copied());
    match (action, request.get(&GOTO)) {
        ("goto", None) => return refused(&GOTO.field, "is required with action goto"),
        (_, None) => {}
        (_, Some(_)) => only_goto_has_a_target(action)?,
    }
    let suppresses = [&SUPPRESS_PREFIXLENGTH.field, &SUPPRESS_IFGROUP.field];
    let suppresses = suppresses.into_iter().find(|field| request.value(field).is_some());
    let settled = match (action, table, suppresses) {
        ("to_table", Some(1..), _) if request.is_set(&L3MDEV) => {
            return refused(&TABLE.field, OF_A_VRF);
        }
        ("to_table", ..) if request.is_set(&L3MDEV) => {
            request.open(&TABLE.field); // that of any VRF
            0
        }
        ("to_table", Some(0), _) => return refused(&TABLE.field, EMPTY_TABLE),
        ("to_table", ..) => table.unwrap_or(254),
        (_, Some(1..), _) => return refused(&TABLE.field, format!("does not apply to action {action}")),
        (.., Some(field)) => return refused(field, format!("does not apply to action {action}")),
        _ => 0,
    };
    request.settle(&TABLE.field, Value::Number(settled));
    Ok(())
}
