// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Rules of routing, which say where to look for a route: ip-rule(8), `linux/fib_rules.h`.
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
    result(name, Place::Attribute(path), form, doc)
}

const fn bound(name: &'static str, path: &'static [u32], width: Width, nth: usize, doc: &'static str) -> Row {
    result(name, Place::Inside(path, nth * width.bytes(), 2 * width.bytes()), Form::Number(width), doc)
}

const UIDS: &[u32] = &[20];
const SOURCE_PORTS: &[u32] = &[23];
const DESTINATION_PORTS: &[u32] = &[24];

/// `struct fib_rule_hdr` and `FRA_…` (`linux/fib_rules.h`). Links are in it by name, and need not exist.
pub(crate) static RULE_STATE: Object = Object {
    name: "RuleState",
    head: 12,
    kinds: &[],
    rows: &[
        row(&FAMILY.field, Place::Head(0), Form::Word(Width::One)).always(),
        row(&PRIORITY.field, Place::Attribute(&[6]), Form::OrZero(Width::Four)).always(),
        row(&SOURCE.field, Place::Attribute(&[2]), Form::Prefix(2)).identity(),
        row(&DESTINATION.field, Place::Attribute(&[1]), Form::Prefix(1)).identity(),
        row(&IIF.field, Place::Attribute(&[3]), Form::Name).identity(),
        row(&OIF.field, Place::Attribute(&[17]), Form::Name).identity(),
        row(&FWMARK.field, Place::Attribute(&[10]), Form::Number(Width::Four)).identity(),
        row(&FWMASK.field, Place::Attribute(&[16]), Form::Number(Width::Four)).uncompared(),
        row(&ACTION.field, Place::Head(7), Form::WordNumber(Width::One)).always(),
        row(&TABLE.field, Place::Attribute(&[15]), Form::Number(Width::Four)).always(),
        attribute("protocol", &[21], Form::OrZero(Width::One), "Who made it (`RTPROT_…`); 0 where it was not said.").always(),
        result(
            "flags",
            Place::Head(8),
            Form::Flags(Width::Four, &FLAGS),
            "Its flags (`FIB_RULE_…`) in lower case; an unknown bit as its number. `invert`: it applies to the packets that \
             its conditions do not fit. `iif_detached`, `oif_detached`: no link has that name.",
        )
        .always(),
        row(&SUPPRESS_PREFIXLENGTH.field, Place::Attribute(&[14]), Form::Number(Width::Four)).identity(),
        attribute("suppress_ifgroup", &[13], Form::Number(Width::Four), "Routes by links of this group are passed over."),
        result("tos", Place::Head(3), Form::Number(Width::One), "Type of service of the packets; 0 for any.").always(),
        attribute("goto", &[4], Form::Number(Width::Four), "The priority of the routing rule that is evaluated next."),
        attribute("l3mdev", &[19], Form::Flag(Width::One), "Whether the table is that of the link's VRF."),
        attribute(
            "realms",
            &[11],
            Form::Number(Width::Four),
            "Realms of the routes (IPv4): the source's in the upper 16 bits.",
        ),
        attribute("tunnel_id", &[12], Form::Number(Width::Net8), "Number of the tunnel that packets came by."),
        attribute("ip_protocol", &[22], Form::Number(Width::One), "The protocol of the packets (`IPPROTO_…`)."),
        bound("uids.least", UIDS, Width::Four, 0, "The first uid whose sockets' packets it applies to."),
        bound("uids.most", UIDS, Width::Four, 1, "The last such uid."),
        bound("source_ports.least", SOURCE_PORTS, Width::Two, 0, "The first port that packets come from."),
        bound("source_ports.most", SOURCE_PORTS, Width::Two, 1, "The last such port."),
        bound("destination_ports.least", DESTINATION_PORTS, Width::Two, 0, "The first port that packets go to."),
        bound("destination_ports.most", DESTINATION_PORTS, Width::Two, 1, "The last such port."),
        attribute("dscp", &[25], Form::Number(Width::One), "Differentiated services code point of the packets."),
    ],
};

/// The calls of this family.
pub(super) static CALLS: &[Call] = &[
    Call {
        name: "Rule.Add",
        number: 20,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "Makes a rule of routing. Without `iif` or `oif` it is for every link, where that matters; they are names only: \
              links that are not there yet count from when they are. `table` is absent or 0 for actions other than \
              `to_table`, for which it is 254 (`main`) if absent. `unspec` lets no packet pass, as `blackhole` does. \
              For the kernel a rule without `source` or `destination` is the same as one with, if all else is: \
              it is refused as there already.",
        elsewhere: "With a namespace's first rule the kernel parts its tables `local` and `main`.",
        uses: &[
            required(&NETNS.field),
            required(&FAMILY.field),
            chosen(&PRIORITY.field),
            any(&SOURCE.field),
            any(&DESTINATION.field),
            // The kernel keeps these names, whether or not there is such a link.
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
        doc: "Removes the first rule that is as all given fields say. Rules whose conditions are inverted are passed over.",
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
        doc: "Lists rules of routing.",
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
                "The rules, in the order in which they are asked, family by family.",
            )],
            streams: true,
        },
    },
];

fn refused<T>(field: &'static super::Field, reason: impl Into<String>) -> Result<T, Invalid> {
    Err(Invalid::new(field.name, reason))
}

/// Of the request's family, and with no more than the kernel keeps: of a prefix of length 0 that is nothing.
fn addresses(request: &mut Request) -> Result<(), Invalid> {
    one_family(request, &[&SOURCE.field, &DESTINATION.field])?;
    for key in [&SOURCE, &DESTINATION] {
        if let Some(given) = request.get(key).filter(|given| given.length == 0 && !given.address.is_unspecified()) {
            let why = format!("`{given}` has an address that does not count; write `default`");
            return refused(&key.field, why);
        }
    }
    Ok(())
}

/// What a rule cannot have, or what the kernel would take for something else.
fn added(request: &mut Request) -> Result<(), Invalid> {
    addresses(request)?;
    let mask = *request.needed(&FWMASK)?;
    match request.get(&FWMARK) {
        None if mask != 0xffff_ffff => return refused(&FWMASK.field, "is nothing without `fwmark`"),
        Some(mark) if mark & !mask != 0 => return refused(&FWMARK.field, format!("{mark} has bits outside `fwmask`")),
        _ => {}
    }
    if request.is_set(&EXISTS_OK) && request.get(&PRIORITY).is_none() {
        return refused(&PRIORITY.field, "is missing: with `exists_ok`, and without it the kernel makes one rule more");
    }
    let (action, table) = (*request.needed(&ACTION)?, request.get(&TABLE).copied());
    match (action, table) {
        ("to_table", Some(0)) => refused(&TABLE.field, "is 0, for which the kernel would choose an empty table"),
        ("to_table", _) => {
            request.settle(&TABLE.field, Value::Number(table.unwrap_or(254)));
            Ok(())
        }
        (_, Some(1..)) => refused(&TABLE.field, format!("is nothing that action {action} has")),
        _ if request.get(&SUPPRESS_PREFIXLENGTH).is_some() => {
            refused(&SUPPRESS_PREFIXLENGTH.field, format!("is nothing that action {action} has"))
        }
        _ => {
            request.settle(&TABLE.field, Value::Number(0));
            Ok(())
        }
    }
}
