// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A record of the trail, as journalctl(1) prints it. A record is evidence only if journald itself vouches for its
//! sender: fields whose names begin with an underscore are journald's own, and no sender can set them.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::audit;
use crate::call::types::Type;
use crate::call::{self, field};

/// What the names of the broker's own fields begin with.
const PREFIX: &str = "NETBROKER_";
/// The fields that are read, without [`PREFIX`].
const FIELDS: [&str; 34] = [
    "BY",
    "CALL",
    "CHANGED_MEANWHILE",
    "COUNT",
    "DURATION_US",
    "FIELDS",
    "GID",
    "HOST_NETNS",
    "LEFT_OUT",
    "LEFT_OUT_COUNT",
    "LEFT_OUT_SHA256",
    "LOGINUID",
    "PINNED",
    "POLICY",
    "POLICY_BEFORE",
    "PRINCIPAL",
    "REFERENCE",
    "REQUEST",
    "RESULT",
    "RULE",
    "RULES",
    "RULES_ADDED",
    "RULES_ADDED_COUNT",
    "RULES_ADDED_SHA256",
    "RULES_BEFORE",
    "RULES_CHANGED",
    "RULES_CHANGED_COUNT",
    "RULES_CHANGED_SHA256",
    "RULES_REMOVED",
    "RULES_REMOVED_COUNT",
    "RULES_REMOVED_SHA256",
    "SIGNAL",
    "UID",
    "WAY",
];

/// One line of `journalctl --output=json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where it is in the journal.
    pub(super) cursor: Option<String>,
    /// The record, or who sent something that only looks like one.
    pub(super) record: Result<Record, Forged>,
}

/// Something with a message id of netbroker that netbroker did not send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Forged {
    /// The uid of the sender; `None` where journald does not report one.
    pub(super) uid: Option<u32>,
}

/// A record that the user netbroker sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// When journald received it, in microseconds since 1970.
    pub(super) time: u64,
    /// What happened.
    pub(super) event: &'static str,
    /// Its fields, by their names without [`PREFIX`].
    fields: BTreeMap<&'static str, String>,
}

/// The arguments of journalctl(1) that select what [`Entry::parse`] needs: every record with one of the message ids,
/// whoever sent it, so that forged ones can be counted.
pub(super) fn selection() -> Vec<String> {
    let own = FIELDS.iter().map(|name| format!("{PREFIX}{name}"));
    let wanted: Vec<String> = ["MESSAGE_ID", "_TRANSPORT", "_UID"].map(str::to_owned).into_iter().chain(own).collect();
    let ids = audit::events().map(|(_, id)| format!("MESSAGE_ID={id}"));
    std::iter::once(format!("--output-fields={}", wanted.join(","))).chain(ids).collect()
}

impl Entry {
    /// Reads a line. `sender` is the uid of the user netbroker.
    pub(super) fn parse(line: &[u8], sender: u32) -> Self {
        let fields: Map<String, Value> = serde_json::from_slice(line).unwrap_or_default();
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        let uid = text("_UID").and_then(|uid| uid.parse().ok());
        let is_own = uid == Some(sender) && text("_TRANSPORT") == Some("journal");
        let event = audit::events().find(|(_, id)| text("MESSAGE_ID") == Some(id)).map(|(event, _)| event);
        let record = match event.filter(|_| is_own) {
            None => Err(Forged { uid }),
            Some(event) => Ok(Record {
                time: text("__REALTIME_TIMESTAMP").and_then(|time| time.parse().ok()).unwrap_or_default(),
                event,
                fields: FIELDS
                    .into_iter()
                    .filter_map(|name| Some((name, text(&format!("{PREFIX}{name}"))?.to_owned())))
                    .collect(),
            }),
        };
        Self { cursor: text("__CURSOR").map(str::to_owned), record }
    }
}

impl Record {
    /// The value of a field.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// All fields, by their names.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.fields.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// The fields of the call.
    pub(super) fn call_fields(&self) -> Map<String, Value> {
        self.get("FIELDS").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// The uid of the caller. That of a principal, if it is a user.
    pub(super) fn uid(&self) -> Option<u32> {
        let principal = || self.get("PRINCIPAL")?.strip_prefix("uid:");
        self.get("UID").or_else(principal)?.parse().ok()
    }

    /// Every namespace that the fields of the call name.
    pub(super) fn netns(&self) -> Vec<String> {
        let uses = self.get("CALL").and_then(call::by_name).into_iter().flat_map(call::Call::all_uses);
        let names = uses.map(|used| used.field()).filter(|field| matches!(field.ty, Type::Netns));
        let given = self.call_fields();
        let known: BTreeSet<&str> = names.map(|field| field.name).chain([field::NETNS.field.name]).collect();
        known.into_iter().filter_map(|name| Some(given.get(name)?.as_str()?.to_owned())).collect()
    }

    /// A record for tests.
    #[cfg(test)]
    pub(super) fn of(time: u64, event: &'static str, fields: &[(&'static str, &str)]) -> Self {
        let fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { time, event, fields }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const REFUSED: &str = "7c0f3a6ad8e94d0fb1c5d2a2b9a5e0c1";

    fn line() -> Value {
        json!({
            "__CURSOR": "s=1;i=2", "__REALTIME_TIMESTAMP": "1735689599042999", "_UID": "7", "_TRANSPORT": "journal",
            "MESSAGE_ID": REFUSED, "NETBROKER_CALL": "Link.Set", "NETBROKER_UID": "1000",
            "NETBROKER_FIELDS": r#"{"link":"v0","netns":"a","target_netns":"b"}"#,
        })
    }

    fn parsed(change: &[(&str, Value)]) -> Entry {
        let mut line = line();
        change.iter().for_each(|(name, value)| line[*name] = value.clone());
        Entry::parse(line.to_string().as_bytes(), 7)
    }

    #[test]
    fn a_record_that_journald_vouches_for_is_read() {
        let Entry { cursor, record } = parsed(&[]);
        let record = record.unwrap();
        assert_eq!((cursor.as_deref(), record.event, record.time), (Some("s=1;i=2"), "refused", 1_735_689_599_042_999));
        assert_eq!((record.get("CALL"), record.uid(), record.get("RULE")), (Some("Link.Set"), Some(1000), None));
        assert_eq!(record.netns(), ["a", "b"]);
    }

    #[test]
    fn what_another_user_or_another_transport_sent_is_forged() {
        for (field, value, uid) in [
            ("_UID", json!("1000"), Some(1000)),
            ("_UID", json!(["7", "1000"]), None),
            ("_UID", Value::Null, None),
            ("_TRANSPORT", json!("stdout"), Some(7)),
            ("_TRANSPORT", json!("syslog"), Some(7)),
            ("_TRANSPORT", Value::Null, Some(7)),
            ("MESSAGE_ID", json!([REFUSED, REFUSED]), Some(7)),
        ] {
            assert_eq!(parsed(&[(field, value.clone())]).record, Err(Forged { uid }), "{field}: {value}");
        }
        for text in ["", "{}", "[]", "nonsense", "{\"_UID\":\"7\""] {
            assert_eq!(Entry::parse(text.as_bytes(), 7).record, Err(Forged { uid: None }), "{text}");
        }
    }

    #[test]
    fn every_field_that_the_manual_describes_is_read() {
        let pages = ["packaging/man/netbroker.8", "packaging/man/netbrokerd.8"];
        let read = |page| std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
        let manual: String = pages.into_iter().map(read).collect();
        let words = manual.split(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_');
        let described: BTreeSet<&str> = words.filter_map(|word| word.strip_prefix(PREFIX)).collect();
        assert!(described.len() > 20, "{described:?}");
        let known = |name: &&str| FIELDS.contains(name) || ["EVENT", "LEFT_OUT"].contains(name);
        assert!(described.iter().all(known), "{described:?}");
    }

    #[test]
    fn the_event_is_that_of_the_message_id() {
        let record = parsed(&[("NETBROKER_EVENT", json!("permitted"))]).record.unwrap();
        assert_eq!(record.event, "refused");
    }

    #[test]
    fn a_field_that_is_not_one_text_is_absent() {
        let record = parsed(&[("NETBROKER_CALL", json!([76, 105])), ("NETBROKER_UID", Value::Null)]).record.unwrap();
        assert_eq!((record.get("CALL"), record.uid()), (None, None));
    }

    #[test]
    fn a_principal_that_is_a_user_has_a_uid() {
        let of = |principal| Record::of(0, "died", &[("PRINCIPAL", principal)]).uid();
        assert_eq!((of("uid:7"), of("gid:7"), of("*")), (Some(7), None, None));
    }
}
