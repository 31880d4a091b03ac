// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Joins the outcome of a call to its permission, and selects decisions.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, VecDeque};

use super::record::Record;
use crate::policy::constraint::matches;

/// What was decided, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decision {
    /// The record of the decision, or of the outcome where the decision was shown before.
    pub(super) record: Record,
    pub(super) outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The record has everything.
    Within,
    /// The record of the outcome of a permitted call.
    Known(Box<Record>),
    /// The trail has none, and none will follow.
    Unknown,
    /// The trail has none, but one may follow.
    Awaited,
}

/// Permitted calls whose outcome has not arrived.
#[derive(Debug, Default)]
pub(super) struct Pending {
    by_request: BTreeMap<String, Record>,
    /// The requests in the order in which they arrived, with their times.
    order: VecDeque<(u64, String)>,
}

impl Pending {
    /// Takes a record, and returns the decision that it completes.
    pub(super) fn take(&mut self, record: Record) -> Option<Decision> {
        let Some(request) = record.get("REQUEST").map(str::to_owned) else { return Some(complete(record)) };
        match record.event {
            "permitted" => {
                self.order.push_back((record.time, request.clone()));
                self.by_request.insert(request, record);
                None
            }
            "outcome" => Some(match self.by_request.remove(&request) {
                Some(permission) => Decision { record: permission, outcome: Outcome::Known(Box::new(record)) },
                None => complete(record),
            }),
            _ => Some(complete(record)),
        }
    }

    /// Whether the outcome of this request is waited for.
    pub(super) fn has(&self, request: Option<&str>) -> bool {
        request.is_some_and(|request| self.by_request.contains_key(request))
    }

    /// Gives up the calls that were permitted until this time.
    pub(super) fn expire(&mut self, until: u64) -> Vec<Decision> {
        let mut given_up = Vec::new();
        while self.oldest().is_some_and(|time| time <= until) {
            let record = self.order.pop_front().and_then(|(_, request)| self.by_request.remove(&request));
            given_up.extend(record.map(|record| Decision { record, outcome: Outcome::Unknown }));
        }
        given_up
    }

    /// All others, whose outcome may still follow.
    pub(super) fn rest(&mut self) -> Vec<Decision> {
        let rest = self.expire(u64::MAX).into_iter();
        rest.map(|decision| Decision { outcome: Outcome::Awaited, ..decision }).collect()
    }

    /// When the oldest of them was permitted.
    pub(super) fn oldest(&mut self) -> Option<u64> {
        loop {
            let (time, request) = self.order.front()?;
            if self.by_request.contains_key(request) {
                return Some(*time);
            }
            self.order.pop_front(); // its outcome has arrived
        }
    }
}

fn complete(record: Record) -> Decision {
    Decision { record, outcome: Outcome::Within }
}

/// Which decisions are shown. An empty list selects everything.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) uids: Vec<u32>,
    pub(super) calls: Vec<String>,
    pub(super) netns: Vec<String>,
    pub(super) rules: Vec<String>,
    pub(super) refused: bool,
}

impl Filter {
    /// Whether a record is of a decision that is shown. A permission and its outcome have the same answer.
    pub(super) fn selects(&self, record: &Record) -> bool {
        let one_of = |patterns: &[String], texts: &[&str]| {
            patterns.is_empty() || patterns.iter().any(|pattern| texts.iter().any(|text| matches(pattern, text)))
        };
        let given = |name| record.get(name).into_iter().collect::<Vec<_>>();
        let netns = if self.netns.is_empty() { Vec::new() } else { record.netns() };
        let netns: Vec<&str> = netns.iter().map(String::as_str).collect();
        (!self.refused || is_refusal(record))
            && (self.uids.is_empty() || record.uid().is_some_and(|uid| self.uids.contains(&uid)))
            && one_of(&self.calls, &given("CALL"))
            && one_of(&self.rules, &given("RULE"))
            && one_of(&self.netns, &netns)
    }
}

/// Whether a record is about a call, or calls, that the broker refused.
pub(super) fn is_refusal(record: &Record) -> bool {
    matches!(record.event, "refused" | "counted")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(time: u64, event: &'static str, request: &str) -> Record {
        Record::of(time, event, &[("REQUEST", request)])
    }

    #[test]
    fn an_outcome_completes_its_own_permission() {
        let mut pending = Pending::default();
        assert_eq!(pending.take(of(1, "permitted", "a")), None);
        assert_eq!(pending.take(of(2, "permitted", "b")), None);
        assert_eq!(pending.take(of(3, "refused", "c")).unwrap(), complete(of(3, "refused", "c")));
        assert!(pending.has(Some("a")) && !pending.has(Some("c")) && !pending.has(None));
        let decision = pending.take(of(4, "outcome", "b")).unwrap();
        assert_eq!(
            (decision.record, decision.outcome),
            (of(2, "permitted", "b"), Outcome::Known(Box::new(of(4, "outcome", "b"))))
        );
        assert_eq!(pending.oldest(), Some(1));
        pending.take(of(5, "outcome", "a")).unwrap();
        assert_eq!(pending.oldest(), None);
    }

    #[test]
    fn a_permission_that_stays_alone_is_given_up_and_its_late_outcome_is_a_decision_of_its_own() {
        let mut pending = Pending::default();
        pending.take(of(1, "permitted", "a"));
        pending.take(of(7, "permitted", "b"));
        assert_eq!(pending.expire(0), []);
        assert_eq!(pending.expire(6), [Decision { record: of(1, "permitted", "a"), outcome: Outcome::Unknown }]);
        assert_eq!(pending.expire(6), []);
        assert_eq!(pending.take(of(9, "outcome", "a")), Some(complete(of(9, "outcome", "a"))));
        assert_eq!(pending.oldest(), Some(7));
    }

    #[test]
    fn a_record_without_a_request_is_complete() {
        let installed = Record::of(1, "installed", &[("BY", "install")]);
        assert_eq!(Pending::default().take(installed.clone()), Some(complete(installed)));
    }

    #[test]
    fn every_condition_must_hold_and_one_of_its_values_is_enough() {
        let fields = r#"{"link":"v0","netns":"n1","target_netns":"t1"}"#;
        let about = [("CALL", "Link.Set"), ("UID", "1000"), ("RULE", "ports"), ("FIELDS", fields)];
        let record = Record::of(0, "permitted", &about);
        let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let all = || Filter {
            uids: vec![7, 1000],
            calls: list(&["Route.*", "Link.?et"]),
            netns: list(&["n*"]),
            rules: list(&["ports"]),
            refused: false,
        };
        assert!(all().selects(&record) && Filter::default().selects(&record));
        for other in [
            Filter { uids: vec![7], ..all() },
            Filter { calls: list(&["Link"]), ..all() },
            Filter { netns: list(&["v0", "n"]), ..all() },
            Filter { rules: list(&["port"]), ..all() },
            Filter { refused: true, ..all() },
        ] {
            assert!(!other.selects(&record), "{other:?}");
        }
        assert!(Filter { netns: list(&["t?"]), ..all() }.selects(&record));
        // What a record does not have, no pattern matches.
        let bare = Record::of(0, "refused", &[("UID", "1000")]);
        assert!(Filter { uids: vec![1000], refused: true, ..Filter::default() }.selects(&bare));
        for other in
            [Filter { calls: list(&["*"]), ..Filter::default() }, Filter { rules: list(&["*"]), ..Filter::default() }]
        {
            assert!(!other.selects(&bare), "{other:?}");
        }
    }
}
