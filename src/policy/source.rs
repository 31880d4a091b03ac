// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The TOML of one policy file, as a syntax tree in which every part has its place.
//!
//! Only the structure is checked here (tables, lists, strings). `compile` checks the meaning.
#![forbid(unsafe_code)]

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::WORDS;
use super::diagnostics::{Location, Problem, Source, did_you_mean, nearest};
use super::rule::Ruling;
use super::toml_hints;
use crate::call::field;

/// The tables of a file: rules, sets, and settings.
const TABLES: &[&str] = &["allow", "deny", "set", "audit", "refusals", "confinement"];

/// A value and its place.
#[derive(Debug, Clone)]
pub struct At<'s, T> {
    /// The place.
    pub place: Location<'s>,
    /// The value.
    pub it: T,
}

/// One entry of a constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scalar {
    /// `"qr-*"`
    Text(String),
    /// `1500`
    Integer(i128),
    /// `true`
    Bool(bool),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Bool(truth) => write!(f, "{truth}"),
        }
    }
}

/// The constraint of a rule on one field.
#[derive(Debug, Clone)]
pub struct FieldSyntax<'s> {
    /// The full name of the field (`peer.name`).
    pub name: At<'s, String>,
    /// The whole constraint.
    pub value: Location<'s>,
    /// The entries: a single one, or those of a list.
    pub entries: Vec<At<'s, Scalar>>,
}

/// One `[[allow]]` or `[[deny]]`. What is missing or has a wrong type has already been refused, and is empty here.
#[derive(Debug, Clone)]
pub struct RuleSyntax<'s> {
    /// The place where it begins.
    pub place: Location<'s>,
    /// Whether it is an allow or a deny.
    pub ruling: Ruling,
    /// `id`
    pub id: Option<At<'s, String>>,
    /// `description`
    pub description: Option<At<'s, String>>,
    /// `who`
    pub who: Vec<At<'s, String>>,
    /// `call`
    pub calls: Vec<At<'s, String>>,
    /// `free`
    pub free: Vec<At<'s, String>>,
    /// `require`
    pub require: Vec<At<'s, String>>,
    /// `touches`
    pub touches: Option<At<'s, Vec<FieldSyntax<'s>>>>,
    /// All other keys: the fields.
    pub fields: Vec<FieldSyntax<'s>>,
}

/// One entry of `[set]`.
#[derive(Debug, Clone)]
pub struct SetSyntax<'s> {
    /// Its name.
    pub name: At<'s, String>,
    /// What it stands for.
    pub entries: Vec<At<'s, Scalar>>,
}

/// One setting: its table and key as in `audit.required`.
#[derive(Debug, Clone)]
pub struct SettingSyntax<'s> {
    /// Its name.
    pub name: At<'s, String>,
    /// Its value.
    pub value: At<'s, Option<Scalar>>,
}

/// One file.
#[derive(Debug, Clone, Default)]
pub struct Document<'s> {
    /// Its rules.
    pub rules: Vec<RuleSyntax<'s>>,
    /// Its sets.
    pub sets: Vec<SetSyntax<'s>>,
    /// Its settings.
    pub settings: Vec<SettingSyntax<'s>>,
}

pub(super) type Pair<'t, 'i> = (&'t Spanned<std::borrow::Cow<'i, str>>, &'t Spanned<DeValue<'i>>);

/// Reads one file. Errors in its structure are added to `problems`.
pub fn read<'s>(source: &'s Source, problems: &mut Vec<Problem>) -> Document<'s> {
    Reader { source, problems }.whole(Reader::document)
}

/// Reads the TOML of one file, of rules or of tests.
pub(super) struct Reader<'s, 'p> {
    pub(super) source: &'s Source,
    pub(super) problems: &'p mut Vec<Problem>,
}

impl<'s> Reader<'s, '_> {
    /// The whole file, as `document` reads it; nothing if it is not TOML.
    pub(super) fn whole<D: Default>(mut self, document: impl FnOnce(&mut Self, &DeTable<'_>) -> D) -> D {
        match DeTable::parse(&self.source.text) {
            Ok(table) => document(&mut self, table.get_ref()),
            Err(error) => {
                let end = self.source.text.len();
                let span = error.span().unwrap_or(end..end);
                let hint = toml_hints::hint(&self.source.text, span.start);
                let (message, value) = match hint {
                    Some(hint) => (format!("this is not TOML; {}", hint.text), hint.value),
                    None => (error.message().to_owned(), None),
                };
                self.refuse(value.unwrap_or(span), message);
                D::default()
            }
        }
    }

    pub(super) fn refuse(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.problems.push(self.source.place(span).problem(message));
    }

    pub(super) fn unknown(&mut self, span: Range<usize>, word: &str, of: &str, known: &[&str]) {
        let hint = did_you_mean(word, known.iter().copied());
        self.refuse(span, format!("`{word}` is not a word of {of}{hint}"));
    }

    pub(super) fn at<T>(&self, span: Range<usize>, it: T) -> At<'s, T> {
        At { place: self.source.place(span), it }
    }

    fn document(&mut self, table: &DeTable<'_>) -> Document<'s> {
        let mut document = Document::default();
        for (key, value) in table {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("allow", DeValue::Array(rules)) => self.rules(Ruling::Allow, rules, &mut document),
                ("deny", DeValue::Array(rules)) => self.rules(Ruling::Deny, rules, &mut document),
                (name @ ("allow" | "deny"), _) => self.refuse(key.span(), format!("a rule begins with `[[{name}]]`")),
                ("set", DeValue::Table(sets)) => document.sets.extend(sets.iter().map(|pair| self.set(pair))),
                (name @ ("audit" | "refusals" | "confinement"), DeValue::Table(settings)) => {
                    document.settings.extend(settings.iter().map(|pair| self.setting(name, pair)));
                }
                ("set", _) => self.refuse(key.span(), "`set` must be a table of lists: `[set]`"),
                (name, _) if TABLES.contains(&name) => {
                    self.refuse(key.span(), format!("`{name}` must be a table of settings: `[{name}]`"));
                }
                (name @ ("id" | "who" | "call" | "description" | "free" | "require" | "touches"), _) => {
                    let why = format!("`{name}` is outside of a rule; begin the rule with `[[allow]]` or `[[deny]]`");
                    self.refuse(key.span(), why);
                }
                (name, _) => {
                    let hint = did_you_mean(name, TABLES.iter().copied());
                    let tables =
                        "a policy has `[[allow]]`, `[[deny]]`, `[set]`, `[audit]`, `[refusals]` and `[confinement]`";
                    self.refuse(key.span(), format!("no table named `{name}`; {tables}{hint}"));
                }
            }
        }
        document
    }

    fn set(&mut self, (key, value): Pair<'_, '_>) -> SetSyntax<'s> {
        let entries = self.entries(key.get_ref(), value);
        SetSyntax { name: self.at(key.span(), key.get_ref().to_string()), entries }
    }

    fn setting(&mut self, table: &str, (key, value): Pair<'_, '_>) -> SettingSyntax<'s> {
        let name = self.at(key.span(), format!("{table}.{}", key.get_ref()));
        SettingSyntax { name, value: self.at(value.span(), scalar(value.get_ref())) }
    }

    fn rules(&mut self, ruling: Ruling, rules: &DeArray<'_>, into: &mut Document<'s>) {
        for rule in rules.iter() {
            match rule.get_ref() {
                DeValue::Table(table) => into.rules.push(self.rule(ruling, rule.span(), table)),
                _ => self.refuse(rule.span(), "a rule must be a table, `[[allow]]` or `[[deny]]`"),
            }
        }
    }

    fn rule(&mut self, ruling: Ruling, span: Range<usize>, table: &DeTable<'_>) -> RuleSyntax<'s> {
        let place = self.source.place(span.clone());
        let (id, who, calls, free, require) = (None, Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (description, touches, fields) = (None, None, Vec::new());
        let mut rule = RuleSyntax { place, ruling, id, description, who, calls, free, require, touches, fields };
        for word in ["id", "who", "call"] {
            if table.contains_key(word) {
                continue;
            }
            let meant = table.iter().find(|(key, _)| means(key.get_ref()) == Some(word) && !table.contains_key(word));
            match meant {
                Some((key, _)) if word == "who" && ACCOUNTS.contains(&key.get_ref().as_ref()) => self.refuse(
                    key.span(),
                    format!(
                        "`{}` is not a word of a rule; write whom it applies to as {}",
                        key.get_ref(),
                        accounts_as(key.get_ref())
                    ),
                ),
                Some((key, _)) => {
                    self.refuse(
                        key.span(),
                        format!("`{}` is not a word of a rule; did you mean `{word}`?", key.get_ref()),
                    );
                }
                None => self.refuse(span.clone(), format!("this rule has no `{word}`")),
            }
        }
        for (key, value) in table {
            match (key.get_ref().as_ref(), ruling) {
                ("id", _) => rule.id = self.text("id", value),
                ("description", _) => rule.description = self.text("description", value),
                ("who", _) => rule.who = self.texts("who", value),
                ("call", _) => rule.calls = self.texts("call", value),
                ("free", Ruling::Allow) => rule.free = self.texts("free", value),
                ("free", Ruling::Deny) => {
                    self.refuse(key.span(), "`free` is for allows only; a deny leaves free what it does not name");
                }
                ("require", Ruling::Allow) => rule.require = self.texts("require", value),
                ("require", Ruling::Deny) => {
                    self.refuse(key.span(), "`require` is for allows only; a deny meets what a request gives");
                }
                ("touches", Ruling::Deny) => rule.touches = self.touches(key.span(), value),
                (key, _) if means(key).is_some_and(|word| !table.contains_key(word)) => {} // refused above
                ("touches", Ruling::Allow) => {
                    self.refuse(key.span(), "`touches` is for denies only; an allow names its fields");
                }
                _ => self.flat((key, value), "", &mut rule.fields),
            }
        }
        rule
    }

    /// Flattens nested tables, so that each field has its full name.
    fn flat(&mut self, (key, value): Pair<'_, '_>, under: &str, into: &mut Vec<FieldSyntax<'s>>) {
        let name = format!("{under}{}", key.get_ref());
        match value.get_ref() {
            DeValue::Table(table) if table.is_empty() => {
                self.refuse(key.span(), format!("`{name}` must not be an empty table"));
            }
            DeValue::Table(table) => table.iter().for_each(|pair| self.flat(pair, &format!("{name}."), into)),
            _ => {
                let entries = self.entries(&name, value);
                let value = self.source.place(value.span());
                into.push(FieldSyntax { name: self.at(key.span(), name), value, entries });
            }
        }
    }

    fn touches(&mut self, span: Range<usize>, value: &Spanned<DeValue<'_>>) -> Option<At<'s, Vec<FieldSyntax<'s>>>> {
        let DeValue::Table(table) = value.get_ref() else {
            self.refuse(value.span(), "`touches` must be a table: `{ netns = …, link = … }`");
            return None;
        };
        if table.is_empty() {
            self.refuse(value.span(), "`touches` must name `netns`, `link` or both");
        }
        let mut said = Vec::new();
        table.iter().for_each(|pair| self.flat(pair, "", &mut said));
        Some(self.at(span, said))
    }

    /// The entries of a list, or a single entry.
    fn entries(&mut self, name: &str, value: &Spanned<DeValue<'_>>) -> Vec<At<'s, Scalar>> {
        let list: Vec<&Spanned<DeValue<'_>>> = match value.get_ref() {
            DeValue::Array(list) => list.iter().collect(),
            _ => vec![value],
        };
        if list.is_empty() {
            self.refuse(value.span(), format!("`{name}` must not be an empty list"));
        }
        let mut entries = Vec::new();
        for entry in list {
            match scalar(entry.get_ref()) {
                Some(scalar) => entries.push(self.at(entry.span(), scalar)),
                None => {
                    let is_date = matches!(entry.get_ref(), DeValue::Datetime(_));
                    let hint = toml_hints::of_value(self.source.place(entry.span()).text()).filter(|_| is_date);
                    let hint = hint.map_or_else(String::new, |hint| format!("; {hint}"));
                    let what = what(entry.get_ref());
                    self.refuse(entry.span(), format!("`{name}` must not contain a {what}{hint}"));
                }
            }
        }
        entries
    }

    fn texts(&mut self, name: &str, value: &Spanned<DeValue<'_>>) -> Vec<At<'s, String>> {
        let entries = self.entries(name, value);
        let mut texts = Vec::new();
        for At { place, it } in entries {
            match it {
                Scalar::Text(text) => texts.push(At { place, it: text }),
                it => {
                    let hint = match (name, it) {
                        ("who", Scalar::Integer(number)) => format!("; did you mean `\"uid:{number}\"`?"),
                        (_, it) => format!("; write text in quotes, `\"{it}\"`"),
                    };
                    self.problems.push(place.problem(format!("`{name}` must be a string or a list of strings{hint}")));
                }
            }
        }
        texts
    }

    fn text(&mut self, name: &str, value: &Spanned<DeValue<'_>>) -> Option<At<'s, String>> {
        if let DeValue::String(text) = value.get_ref() {
            return Some(self.at(value.span(), text.to_string()));
        }
        self.refuse(value.span(), format!("`{name}` is a {}, expected a string", what(value.get_ref())));
        None
    }
}

/// Keys that people write in place of `who`.
pub(super) const ACCOUNTS: &[&str] = &["user", "users", "group", "groups", "uid", "gid", "principal", "principals"];

/// The word of a rule that a key probably stands for. A key that is a field can also stand for one, if the rule lacks the
/// word: the caller checks that.
fn means(key: &str) -> Option<&'static str> {
    if ACCOUNTS.contains(&key) {
        return Some("who");
    }
    let is_known = field::by_name(key).is_some() || WORDS.contains(&key);
    let calls = ["method", "methods", "command", "commands"].contains(&key).then_some("call");
    let folded = key.to_lowercase();
    let near = || nearest(&letters(&folded), ["id", "who", "call"]).filter(|word| key.len() > 2 || *word == "id");
    if is_known { None } else { calls.or_else(near) }
}

/// A key with the ASCII letters that Cyrillic and Greek ones look like.
fn letters(key: &str) -> String {
    let alike = |c| match c {
        'а' | 'α' => 'a',
        'с' => 'c',
        'о' | 'ο' => 'o',
        'і' | 'ι' => 'i',
        'ԁ' => 'd',
        other => other,
    };
    key.chars().map(alike).collect()
}

/// How `who` names the accounts that a key such as `group` stands for.
pub(super) fn accounts_as(key: &str) -> &'static str {
    match key {
        "group" | "groups" => "`who = \"group:NAME\"`",
        "uid" => "`who = \"uid:NUMBER\"`",
        "gid" => "`who = \"gid:NUMBER\"`",
        _ => "`who = \"user:NAME\"`",
    }
}

fn scalar(value: &DeValue<'_>) -> Option<Scalar> {
    match value {
        DeValue::String(text) => Some(Scalar::Text(text.to_string())),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix()).ok().map(Scalar::Integer),
        DeValue::Boolean(truth) => Some(Scalar::Bool(*truth)),
        _ => None,
    }
}

fn what(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "string",
        DeValue::Integer(_) => "number",
        DeValue::Float(_) => "fraction",
        DeValue::Boolean(_) => "boolean",
        DeValue::Datetime(_) => "date",
        DeValue::Array(_) => "list",
        DeValue::Table(_) => "table",
    }
}
