// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Rules of routing, which say where to look for a route: ip-rule(8), `linux/fib_rules.h`.
#![forbid(unsafe_code)]

use super::field::{
    ACTION, DESTINATION, EXISTS_OK, FAMILY, FWMARK, FWMASK, IIF, MISSING_OK, NETNS, OIF, PRIORITY, SOURCE,
    SUPPRESS_PREFIXLENGTH, TABLE,
};
use super::request::{Invalid, Request};
use super::settle::one_family;
use super::value::Value;
use super::{
    AS_READ, Call, Effect, NOTHING, Needs, Output, Part, Shape, any, chosen, number, off, part, perhaps, required,
    untouched, word,
};

static RANGE: &[Part] =
    &[part("least", Shape::Int, "The first of them."), part("most", Shape::Int, "The last of them.")];

static RULE_STATE: &[Part] = &[
    part("family", Shape::String, "`inet` or `inet6`."),
    part("priority", Shape::Int, "Its place: the lowest number is asked first, of the same number the older rule."),
    perhaps("source", Shape::String, "Where packets come from, with the length of the prefix; host bits are kept."),
    perhaps("destination", Shape::String, "Where packets go to, likewise."),
    perhaps(
        "iif",
        Shape::String,
        "The link that packets come in by; bytes that are no UTF-8 and `\\` stand as `\\xNN`.",
    ),
    perhaps("oif", Shape::String, "The link that packets are sent by, likewise."),
    perhaps("fwmark", Shape::Int, "The mark that packets carry."),
    perhaps("fwmask", Shape::Int, "The bits of the mark that are compared."),
    part("table", Shape::Int, "The routing table; 0 for none."),
    part("action", Shape::Int, "The action's number (`FR_ACT_…`): 1 to_table, 2 goto, 6 blackhole, 7 unreachable …"),
    part("protocol", Shape::Int, "Who made it (`RTPROT_…`); 0 where it was not said."),
    part(
        "flags",
        Shape::Strings,
        "Its flags (`FIB_RULE_…`) in lower case; an unknown bit as its number. `invert`: it is \
        for the packets that its conditions do not fit. `iif_detached`, `oif_detached`: there is no such link.",
    ),
    perhaps("suppress_prefixlength", Shape::Int, "Routes with a prefix no longer than this are passed over."),
    perhaps("suppress_ifgroup", Shape::Int, "Routes by links of this group are passed over."),
    part("tos", Shape::Int, "Type of service of the packets; 0 for any."),
    perhaps("goto", Shape::Int, "The priority of the rule that is asked next."),
    perhaps("l3mdev", Shape::Bool, "Whether the table is that of the link's VRF."),
    perhaps("realms", Shape::Int, "Realms of the routes (IPv4): the source's in the upper 16 bits."),
    perhaps("tunnel_id", Shape::Int, "Number of the tunnel that packets came by."),
    perhaps("ip_protocol", Shape::Int, "The protocol of the packets (`IPPROTO_…`)."),
    perhaps("uids", Shape::Object("Range", RANGE), "Whose sockets packets are from."),
    perhaps("source_ports", Shape::Object("Range", RANGE), "The ports that packets come from."),
    perhaps("destination_ports", Shape::Object("Range", RANGE), "The ports that packets go to."),
    perhaps("dscp", Shape::Int, "Differentiated services code point of the packets."),
];

/// The calls of this family.
pub(super) static CALLS: &[Call] = &[
    Call {
        name: "Rule.Add",
        number: 20,
        effect: Effect::Changes,
        needs: Needs::NetAdmin,
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
        kinds: &[],
        excludes: &[],
        leaves_open: &[],
        settle: added,
        result: NOTHING,
    },
    Call {
        name: "Rule.Delete",
        number: 21,
        effect: Effect::Changes,
        needs: Needs::NetAdmin,
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
        kinds: &[],
        excludes: &[],
        leaves_open: &[],
        settle: |request| addresses(request),
        result: NOTHING,
    },
    Call {
        name: "Rule.List",
        number: 22,
        effect: Effect::Reads,
        needs: Needs::Nothing,
        doc: "Lists rules of routing.",
        elsewhere: "",
        uses: &[required(&NETNS.field), any(&FAMILY.field)],
        kinds: &[],
        excludes: &[],
        leaves_open: &[],
        settle: AS_READ,
        result: Output {
            parts: &[part(
                "rules",
                Shape::List("RuleState", RULE_STATE),
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
