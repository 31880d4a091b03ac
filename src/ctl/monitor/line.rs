// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A decision as one line: aligned for people, or a JSON object for programs. The text of a record is a caller's, so
//! nothing of it reaches a terminal as it is.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::accounts::Accounts;
use super::super::counted;
use super::super::time::timestamp;
use super::decision::{Decision, Outcome};
use super::record::Record;
use crate::policy::diagnostics::plain;
use crate::policy::rule::Principal;

/// The columns, each with its least width in characters. The result comes last, because it has no limit.
const COLUMNS: [(&str, usize); 9] = [
    ("TIME", 24),
    ("CALLER", 12),
    ("CALL", 14),
    ("NETNS", 12),
    ("LINK", 15),
    ("DECISION", 9),
    ("RULE", 14),
    ("TOOK", 7),
    ("RESULT", 0),
];
/// A longer value is shown whole, but does not make its column wider.
const WIDEST: usize = 40;
/// What stands for nothing.
const NONE: &str = "-";

/// How decisions are shown.
#[derive(Debug, Default)]
pub(super) struct Lines {
    json: bool,
    widths: [usize; COLUMNS.len()],
    /// Names that were looked up. A look-up may ask a server.
    names: BTreeMap<u32, Option<String>>,
}

impl Lines {
    pub(super) fn new(json: bool) -> Self {
        Self { json, widths: COLUMNS.map(|(_, width)| width), names: BTreeMap::new() }
    }

    /// The line above the first one.
    pub(super) fn head(&mut self) -> Option<String> {
        (!self.json).then(|| self.aligned(&COLUMNS.map(|(name, _)| name.to_owned())))
    }

    /// The line of a decision.
    pub(super) fn of(&mut self, decision: &Decision) -> String {
        if self.json {
            return self.object(decision);
        }
        let Decision { record, outcome } = decision;
        let given = record.call_fields();
        let field = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or(NONE).to_owned();
        let last = match outcome {
            Outcome::Known(outcome) => outcome,
            _ => record,
        };
        let cells = [
            timestamp(record.time),
            self.caller(record),
            record.get("CALL").unwrap_or(NONE).to_owned(),
            field("netns"),
            field("link"),
            word(record).to_owned(),
            record.get("RULE").unwrap_or(NONE).to_owned(),
            last.get("DURATION_US").and_then(|micros| micros.parse().ok()).map_or_else(|| NONE.to_owned(), duration),
            result(record, outcome),
        ];
        self.aligned(&cells)
    }

    fn aligned(&mut self, cells: &[String; COLUMNS.len()]) -> String {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&mut self.widths) {
            let cell = plain(cell).replace('\t', " ");
            let length = cell.chars().count();
            if length <= WIDEST && *width > 0 {
                *width = length.max(*width);
            }
            line.push_str(&cell);
            line.push_str(&" ".repeat(width.saturating_sub(length) + 2));
        }
        line.trim_end().to_owned()
    }

    /// `1000(alice)`, or what the record has in place of a uid.
    fn caller(&mut self, record: &Record) -> String {
        match record.uid() {
            Some(uid) => match self.name(uid) {
                Some(name) => format!("{uid}({name})"),
                None => uid.to_string(),
            },
            None => record.get("PRINCIPAL").unwrap_or(NONE).to_owned(),
        }
    }

    fn name(&mut self, uid: u32) -> Option<String> {
        self.names.entry(uid).or_insert_with(|| Accounts::Machine.name(Principal::Uid(uid))).clone()
    }

    /// The fields of both records, in lower case, with what they do not have themselves.
    fn object(&mut self, Decision { record, outcome }: &Decision) -> String {
        let mut object = Map::new();
        let both = match outcome {
            Outcome::Known(outcome) => Some(&**outcome),
            _ => None,
        };
        for (name, text) in record.fields().chain(both.into_iter().flat_map(Record::fields)) {
            object.insert(name.to_lowercase(), member(name, text));
        }
        object.insert("time".to_owned(), timestamp(record.time).into());
        object.insert("decision".to_owned(), word(record).into());
        if let Some(name) = record.uid().and_then(|uid| self.name(uid)) {
            object.insert("user".to_owned(), name.into());
        }
        match outcome {
            Outcome::Unknown => object.insert("result".to_owned(), UNKNOWN.into()),
            Outcome::Awaited => object.insert("result".to_owned(), AWAITED.into()),
            _ => None,
        };
        escaped(&Value::Object(object).to_string())
    }
}

/// The result of a permitted call without an outcome, and of one that may still have one.
const UNKNOWN: &str = "outcome unknown";
const AWAITED: &str = "no outcome yet";

/// The decision in one word.
fn word(record: &Record) -> &'static str {
    match record.event {
        "outcome" => "permitted",
        other => other,
    }
}

/// The value of a field in a JSON object: a number where it is one.
fn member(name: &str, text: &str) -> Value {
    let number = || text.parse::<u64>().ok().map(Value::from);
    let value = match name {
        "FIELDS" => serde_json::from_str(text).ok(),
        "PINNED" => text.parse::<bool>().ok().map(Value::from),
        "UID" | "GID" | "LOGINUID" | "DURATION_US" | "COUNT" | "RULES" => number(),
        _ if name.ends_with("_COUNT") => number(),
        _ => None,
    };
    value.unwrap_or_else(|| text.into())
}

/// What came of it, in words.
fn result(record: &Record, outcome: &Outcome) -> String {
    let of = |name| record.get(name).unwrap_or(NONE);
    match (outcome, record.event) {
        (Outcome::Unknown, _) => UNKNOWN.to_owned(),
        (Outcome::Awaited, _) => AWAITED.to_owned(),
        (Outcome::Known(outcome), _) => ended(outcome),
        (Outcome::Within, "died") => format!("the process that served a request died by {}; {UNKNOWN}", of("SIGNAL")),
        (Outcome::Within, "counted") => format!("{} refusals without a record of their own", of("COUNT")),
        (Outcome::Within, "installed") => {
            let short = |digest: &str| digest.chars().take(8).collect::<String>();
            let pinned = if record.get("PINNED") == Some("true") { ", pinned" } else { "" };
            let (after, before) = (short(of("POLICY")), short(of("POLICY_BEFORE")));
            let rules =
                of("RULES").parse().map_or_else(|_| format!("{} rules", of("RULES")), |rules| counted(rules, "rule"));
            format!("policy {after} by {} with {rules}{pinned}, before it {before}", of("BY"))
        }
        (Outcome::Within, _) => ended(record),
    }
}

/// The result that a record has, without what other columns show. If no rule decided, it names the nearest one.
fn ended(record: &Record) -> String {
    let mut result = record.get("RESULT").unwrap_or(NONE).to_owned();
    if let Some(call) = record.get("CALL") {
        result = result.replacen(&format!("Denied: call={call} "), "Denied: ", 1);
    }
    let of_rule = result.starts_with("Denied: ").then(|| result.rsplit_once(" rule=")).flatten();
    if let Some((before, rule)) = of_rule {
        result = match record.get("RULE") {
            Some(decided) if decided == rule => before.to_owned(),
            _ => format!("{before} nearest_rule={rule}"),
        };
    }
    match record.get("CHANGED_MEANWHILE") {
        Some(fields) => format!("{result}; the link of {fields} changed meanwhile"),
        None => result,
    }
}

/// `1.38ms`
fn duration(micros: u64) -> String {
    match micros {
        0..10_000 => format!("{}.{:02}ms", micros / 1_000, micros % 1_000 / 10),
        10_000..1_000_000 => format!("{}ms", micros / 1_000),
        _ => format!("{}.{:02}s", micros / 1_000_000, micros % 1_000_000 / 10_000),
    }
}

/// The same JSON, with escapes for what a terminal would obey or not show. Outside strings, JSON has no such
/// characters.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        let text = c.encode_utf8(&mut [0; 4]).to_owned();
        if plain(&text) == text {
            out.push(c);
        } else {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &str = r#"{"link":"v0","mtu":1400,"netns":"n1"}"#;
    /// 2024-12-31T23:59:59.042Z
    const TIME: u64 = 1_735_689_599_042_000;
    /// A uid that no machine has.
    const UID: &str = "4294967000";

    fn of(event: &'static str, fields: &[(&'static str, &str)]) -> Record {
        let common = [("UID", UID), ("CALL", "Link.Set"), ("FIELDS", FIELDS), ("REQUEST", "00ff")];
        Record::of(TIME, event, &[&common, fields].concat())
    }

    fn shown(record: Record, outcome: Outcome) -> String {
        Lines::new(false).of(&Decision { record, outcome })
    }

    #[test]
    fn a_line_has_a_column_for_each_fact() {
        let permitted = of("permitted", &[("RULE", "ports")]);
        let done = of("outcome", &[("RULE", "ports"), ("RESULT", "done"), ("DURATION_US", "1389")]);
        let mut lines = Lines::new(false);
        let head = lines.head().unwrap();
        let row = lines.of(&Decision { record: permitted, outcome: Outcome::Known(Box::new(done)) });
        let expected = [
            "TIME                      CALLER        CALL            NETNS         LINK             DECISION   \
                RULE            TOOK     RESULT",
            "2024-12-31T23:59:59.042Z  4294967000    Link.Set        n1            v0               permitted  \
                ports           1.38ms   done",
        ];
        assert_eq!([head, row], expected);
    }

    #[test]
    fn a_long_value_widens_its_column_up_to_a_limit() {
        let mut lines = Lines::new(false);
        let mut at = |rule: &str| {
            let record = of("refused", &[("RULE", rule), ("RESULT", "here")]);
            lines.of(&Decision { record, outcome: Outcome::Within }).find("here").unwrap()
        };
        let narrow = at("r");
        assert_eq!(at(&"r".repeat(20)), narrow + 6);
        assert_eq!(at(&"r".repeat(64)), narrow + 50);
        assert_eq!(at("r"), narrow + 6);
    }

    #[test]
    fn a_refusal_does_not_repeat_the_call_and_the_rule() {
        let result = "Denied: call=Link.Set field=link reason=\"a deny forbids it\" rule=uplinks";
        let line = shown(of("refused", &[("RULE", "uplinks"), ("RESULT", result)]), Outcome::Within);
        assert!(
            line.contains(" refused    uplinks         -        Denied: field=link reason=\"a deny forbids it\""),
            "{line}"
        );
        assert!(line.ends_with("it\""), "{line}");
        // Where no rule decided, the result names the nearest one.
        let nearest = "Denied: call=Link.Set field=link reason=\"no allow permits it\" rule=ports";
        let line = shown(of("refused", &[("RESULT", nearest)]), Outcome::Within);
        assert!(
            line.ends_with("-        Denied: field=link reason=\"no allow permits it\" nearest_rule=ports"),
            "{line}"
        );
    }

    #[test]
    fn every_event_has_a_line() {
        let ends = |record: Record, outcome, end: &str| {
            let line = shown(record, outcome);
            assert!(line.ends_with(end), "{line}");
        };
        ends(
            of("permitted", &[("RULE", "ports")]),
            Outcome::Unknown,
            "permitted  ports           -        outcome unknown",
        );
        let late =
            [("RULE", "ports"), ("RESULT", "done"), ("DURATION_US", "6000000"), ("CHANGED_MEANWHILE", "link,master")];
        let end = "permitted  ports           6.00s    done; the link of link,master changed meanwhile";
        ends(of("outcome", &late), Outcome::Within, end);
        let died = Record::of(TIME, "died", &[("PRINCIPAL", "gid:7"), ("SIGNAL", "SIGSYS")]);
        let line = shown(died, Outcome::Within);
        assert!(
            line.contains("Z  gid:7  ")
                && line.ends_with(
                    "died       -               -        the process that served a request died by SIGSYS; outcome \
                        unknown"
                ),
            "{line}"
        );
        let counted = Record::of(TIME, "counted", &[("PRINCIPAL", "uid:4294967000"), ("COUNT", "57")]);
        let line = shown(counted, Outcome::Within);
        assert!(
            line.contains("Z  4294967000  ") && line.ends_with("57 refusals without a record of their own"),
            "{line}"
        );
        let digests = [("POLICY", "0123456789abcdef"), ("POLICY_BEFORE", "none")];
        let installed = Record::of(
            TIME,
            "installed",
            &[&digests[..], &[("UID", UID), ("BY", "rollback"), ("RULES", "3"), ("PINNED", "true")]].concat(),
        );
        ends(installed, Outcome::Within, "policy 01234567 by rollback with 3 rules, pinned, before it none");
    }

    #[test]
    fn nothing_of_a_record_reaches_the_terminal_as_it_is() {
        let hostile = "a\u{1b}[2J\nb\u{202e}\tc";
        let record = of("refused", &[("RULE", hostile), ("RESULT", hostile), ("REFERENCE", hostile)]);
        let decision = Decision { record, outcome: Outcome::Within };
        let line = Lines::new(false).of(&decision);
        assert!(line.ends_with("a\u{fffd}[2J\u{fffd}b\u{fffd} c"), "{line:?}");
        let json = Lines::new(true).of(&decision);
        assert!(json.contains(r#""reference":"a\u001b[2J\nb\u202e\tc""#), "{json}");
        let read: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["rule"], hostile);
    }

    #[test]
    fn an_object_has_the_fields_of_both_records() {
        let permitted = of("permitted", &[("RULE", "ports"), ("GID", "7")]);
        let done = of("outcome", &[("RULE", "ports"), ("RESULT", "done"), ("DURATION_US", "1389")]);
        let json =
            Lines::new(true).of(&Decision { record: permitted.clone(), outcome: Outcome::Known(Box::new(done)) });
        let expected = r#"{"call":"Link.Set","decision":"permitted","duration_us":1389,"fields":{"link":"v0","mtu":1400,"netns":"n1"},"gid":7,"request":"00ff","result":"done","rule":"ports","time":"2024-12-31T23:59:59.042Z","uid":4294967000}"#;
        assert_eq!(json, expected);
        let unknown = Lines::new(true).of(&Decision { record: permitted, outcome: Outcome::Unknown });
        assert!(unknown.contains(r#""result":"outcome unknown""#), "{unknown}");
    }
}
