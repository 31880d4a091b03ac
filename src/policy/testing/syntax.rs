// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The TOML of a test file, as a syntax tree in which every part has its place. Only the structure and the ids of
//! accounts are checked here.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::call::json::Json;
use crate::policy::diagnostics::{Location, Problem, Source};
use crate::policy::source::{At, Pair, Reader};

/// The keys of a test file.
const FILE: &[&str] = &["scope", "accounts", "test"];
/// The keys of an invented account.
const ACCOUNT: &[&str] = &["uid", "gid", "groups"];
/// The keys of a test.
const TEST: &[&str] = &["name", "who", "call", "with", "each", "expect"];
/// The keys of an entry of `each`.
const EACH: &[&str] = &["call", "with"];
/// The overflow id. It stands for nobody, like [`super::NO_CALLER`] and all larger ids.
const OVERFLOW: u32 = 65534;

/// The rules that decide the tests of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Scope {
    /// Those of the policy file that it belongs to.
    #[default]
    File,
    /// Those of all files.
    All,
}

/// An invented account.
#[derive(Debug)]
pub(super) struct Invented<'s> {
    pub(super) name: At<'s, String>,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: Vec<(At<'s, String>, u32)>,
}

/// One request of a test.
#[derive(Debug)]
pub(super) struct TestRequest<'s> {
    pub(super) place: Location<'s>,
    pub(super) call: At<'s, String>,
    pub(super) with: Json,
}

/// One `[[test]]`.
#[derive(Debug)]
pub(super) struct Test<'s> {
    pub(super) name: String,
    pub(super) who: At<'s, String>,
    pub(super) asked: Vec<TestRequest<'s>>,
    pub(super) expect: At<'s, String>,
}

/// One file.
#[derive(Debug, Default)]
pub(super) struct Tests<'s> {
    pub(super) scope: Scope,
    pub(super) accounts: Vec<Invented<'s>>,
    pub(super) tests: Vec<Test<'s>>,
}

type Node<'i> = Spanned<DeValue<'i>>;

/// Reads one file. Errors in its structure are added to `problems`.
pub(super) fn read<'s>(source: &'s Source, problems: &mut Vec<Problem>) -> Tests<'s> {
    Reader { source, problems }.whole(Reader::tests)
}

/// Refuses a group that has two numbers.
pub(super) fn agree(accounts: &[Invented<'_>], problems: &mut Vec<Problem>) {
    let mut gids: BTreeMap<&str, u32> = BTreeMap::new();
    for (group, gid) in accounts.iter().flat_map(|account| &account.groups) {
        if *gids.entry(&group.it).or_insert(*gid) != *gid {
            problems.push(group.place.problem(format!("the group `{}` has another number above", group.it)));
        }
    }
}

impl<'s> Reader<'s, '_> {
    fn tests(&mut self, table: &DeTable<'_>) -> Tests<'s> {
        let mut document = Tests::default();
        for (key, value) in table {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("scope", _) => document.scope = self.scope(value),
                ("accounts", DeValue::Table(accounts)) => {
                    document.accounts.extend(accounts.iter().filter_map(|pair| self.account(pair)));
                }
                ("accounts", _) => self.refuse(key.span(), "`accounts` must be a table: `[accounts]`"),
                ("test", DeValue::Array(tests)) => {
                    document.tests.extend(tests.iter().filter_map(|test| self.test(test)));
                }
                ("test", _) => self.refuse(key.span(), "a test begins with `[[test]]`"),
                (word, _) => self.unknown(key.span(), word, "a test file", FILE),
            }
        }
        document
    }

    fn scope(&mut self, value: &Node<'_>) -> Scope {
        match value.get_ref() {
            DeValue::String(word) if word == "file" => Scope::File,
            DeValue::String(word) if word == "all" => Scope::All,
            _ => {
                self.refuse(value.span(), "`scope` must be \"file\" or \"all\"");
                Scope::default()
            }
        }
    }

    fn account(&mut self, (key, value): Pair<'_, '_>) -> Option<Invented<'s>> {
        let name = self.at(key.span(), key.get_ref().to_string());
        let DeValue::Table(table) = value.get_ref() else {
            self.refuse(
                value.span(),
                "an account must be a table: `{ uid = 64100, gid = 64100, groups = { netusers = 2000 } }`",
            );
            return None;
        };
        let (mut uid, mut gid, mut groups) = (None, None, Vec::new());
        for (key, value) in table {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("uid", _) => uid = self.number("uid", value),
                ("gid", _) => gid = self.number("gid", value),
                ("groups", DeValue::Table(of)) => {
                    for (group, value) in of {
                        let named = self.at(group.span(), group.get_ref().to_string());
                        groups.extend(self.number("a group", value).map(|gid| (named, gid)));
                    }
                }
                ("groups", _) => self.refuse(value.span(), "`groups` must be a table: `{ netusers = 2000 }`"),
                (word, _) => self.unknown(key.span(), word, "an account", ACCOUNT),
            }
        }
        for word in ["uid", "gid"] {
            if !table.contains_key(word) {
                self.refuse(key.span(), format!("this account has no `{word}`"));
            }
        }
        Some(Invented { name, uid: uid?, gid: gid?, groups })
    }

    /// An id that an account can have.
    fn number(&mut self, what: &str, value: &Node<'_>) -> Option<u32> {
        let number = match value.get_ref() {
            DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|number| *number != OVERFLOW && *number < super::NO_CALLER);
        if number.is_none() {
            let most = super::NO_CALLER - 1;
            self.refuse(value.span(), format!("{what} must be a number from 0 to {most} other than {OVERFLOW}"));
        }
        number
    }

    fn test(&mut self, test: &Node<'_>) -> Option<Test<'s>> {
        let DeValue::Table(table) = test.get_ref() else {
            self.refuse(test.span(), "a test must be a table, `[[test]]`");
            return None;
        };
        for (key, _) in table.iter().filter(|(key, _)| !TEST.contains(&key.get_ref().as_ref())) {
            self.unknown(key.span(), key.get_ref(), "a test", TEST);
        }
        let name = self.needed(table, test.span(), "name");
        let who = self.needed(table, test.span(), "who");
        let expect = self.needed(table, test.span(), "expect");
        let asked = match table.get("each") {
            None => self.request(table, test.span()).into_iter().collect(),
            Some(each) => {
                for (key, _) in table.iter().filter(|(key, _)| EACH.contains(&key.get_ref().as_ref())) {
                    self.refuse(
                        key.span(),
                        format!("`{}` must not be next to `each`; write it into each entry", key.get_ref()),
                    );
                }
                self.each(each)
            }
        };
        Some(Test { name: name?.it, who: who?, asked, expect: expect? })
    }

    fn each(&mut self, each: &Node<'_>) -> Vec<TestRequest<'s>> {
        const SHAPE: &str = "`each` must be a list of requests: `[{ call = \"…\", with = { … } }, …]`";
        let DeValue::Array(list) = each.get_ref() else {
            self.refuse(each.span(), SHAPE);
            return Vec::new();
        };
        if list.is_empty() {
            self.refuse(each.span(), SHAPE);
        }
        let mut asked = Vec::new();
        for entry in list.iter() {
            let DeValue::Table(table) = entry.get_ref() else {
                self.refuse(entry.span(), SHAPE);
                continue;
            };
            for (key, _) in table.iter().filter(|(key, _)| !EACH.contains(&key.get_ref().as_ref())) {
                self.unknown(key.span(), key.get_ref(), "an entry of `each`", EACH);
            }
            asked.extend(self.request(table, entry.span()));
        }
        asked
    }

    fn request(&mut self, table: &DeTable<'_>, span: Range<usize>) -> Option<TestRequest<'s>> {
        let with = match table.get("with").map(|with| (with, with.get_ref())) {
            None => Json::Object(Vec::new()),
            Some((_, table @ DeValue::Table(_))) => json(table),
            Some((with, _)) => {
                self.refuse(with.span(), "`with` must be a table of fields: `{ netns = \"@host\", … }`");
                return None;
            }
        };
        let call = self.needed(table, span.clone(), "call")?;
        Some(TestRequest { place: self.source.place(span), call, with })
    }

    /// A required text.
    fn needed(&mut self, table: &DeTable<'_>, span: Range<usize>, word: &str) -> Option<At<'s, String>> {
        match table.get(word).map(|value| (value.span(), value.get_ref())) {
            Some((span, DeValue::String(text))) if !text.is_empty() => Some(self.at(span, text.to_string())),
            Some((span, _)) => {
                self.refuse(span, format!("`{word}` must be a string"));
                None
            }
            None => {
                self.refuse(span, format!("this test has no `{word}`"));
                None
            }
        }
    }
}

/// A value of a request as it would arrive on the wire. The same parser then reads it.
fn json(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::String(text) => Json::String(text.to_string()),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .map_or(Json::Unfit("must be a number of at most 64 bits"), Json::Integer),
        DeValue::Float(_) => Json::Unfit(
            "must be a whole number in plain digits (no fraction, no exponent, at most \
                                          64 bits)",
        ),
        DeValue::Boolean(truth) => Json::Bool(*truth),
        DeValue::Datetime(_) => Json::Unfit("is a date, which no field takes"),
        DeValue::Array(list) => Json::List(list.iter().map(|value| json(value.get_ref())).collect()),
        DeValue::Table(table) => {
            Json::Object(table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref()))).collect())
        }
    }
}
