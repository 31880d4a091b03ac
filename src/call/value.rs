// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The value that a request gives for a field, and its conversion from JSON.
#![forbid(unsafe_code)]

use std::fmt;
use std::net::IpAddr;

use super::field::{Constant, Field, FieldId, Key};
use super::inet::{self, InterfaceAddress, Mac};
use super::json::Json;
use super::name::{Label, LinkName, NetnsName, Text, require_plain, require_plain_netns};
use super::range::NumberRange;
use super::types::{DEFAULT, Elements, Type, Values, Words};

/// A value that a request gives, or that a default stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// See [`Type::Netns`].
    Netns(NetnsName),
    /// See [`Type::Link`] and [`Type::AlternativeName`].
    Link(LinkName),
    /// See [`Type::Word`].
    Word(&'static str),
    /// See [`Type::Bool`].
    Bool(bool),
    /// See [`Type::Number`].
    Number(u64),
    /// See [`Type::Range`].
    Range(NumberRange),
    /// See [`Type::Mac`].
    Mac(Mac),
    /// See [`Type::Address`].
    Address(IpAddr),
    /// See [`Type::InterfaceAddress`].
    InterfaceAddress(InterfaceAddress),
    /// See [`Type::Label`].
    Label(Label),
    /// See [`Type::Text`].
    Text(Text),
    /// See [`Type::List`].
    List(Vec<Element>),
    /// See [`Type::Several`].
    Several(Vec<Value>),
}

/// A Rust type that values of fields have.
pub trait Held {
    /// The type of what [`Value`] contains.
    type Of;

    /// The value, if it is of this type.
    fn held(value: &Value) -> Option<&Self::Of>;
}

macro_rules! held {
    ($($ty:ty => $variant:ident),* $(,)?) => { $(
        impl Held for $ty {
            type Of = Self;

            fn held(value: &Value) -> Option<&Self> {
                if let Value::$variant(held) = value { Some(held) } else { None }
            }
        }
    )* };
}
held! {
    NetnsName => Netns, LinkName => Link, &'static str => Word, bool => Bool, u64 => Number, NumberRange => Range, Mac => Mac,
    IpAddr => Address, InterfaceAddress => InterfaceAddress, Label => Label, Text => Text,
}

impl Held for Values {
    type Of = Vec<Value>;

    fn held(value: &Value) -> Option<&Vec<Value>> {
        if let Value::Several(held) = value { Some(held) } else { None }
    }
}

impl Held for Elements {
    type Of = Vec<Element>;

    fn held(value: &Value) -> Option<&Vec<Element>> {
        if let Value::List(held) = value { Some(held) } else { None }
    }
}

/// One structure of a list: fields with their values, including defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Element(pub Vec<(&'static Field, Value)>);

impl Element {
    /// The value of a field; `None` if it is absent and has no default.
    #[must_use]
    pub fn value(&self, field: &Field) -> Option<&Value> {
        self.0.iter().find(|(held, _)| *held == field).map(|(_, value)| value)
    }

    /// The value of a field in its own type.
    #[must_use]
    pub fn get<T: Held>(&self, key: &Key<T>) -> Option<&T::Of> {
        self.value(&key.field).and_then(T::held)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Netns(name) => f.write_str(name.as_str()),
            Self::Link(name) => f.write_str(name.as_str()),
            Self::Word(word) => f.write_str(word),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Range(range) => write!(f, "{range}"),
            Self::Mac(mac) => write!(f, "{mac}"),
            Self::Address(address) => write!(f, "{address}"),
            Self::InterfaceAddress(address) => write!(f, "{address}"),
            Self::Label(label) => f.write_str(label.as_str()),
            Self::Text(text) => f.write_str(text.as_str()),
            list @ (Self::List(_) | Self::Several(_)) => write!(f, "{}", list.json()),
        }
    }
}

impl Type {
    /// Reads a JSON value as this type.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence that begins with the field.
    pub fn read(self, json: &Json) -> Result<Value, String> {
        match (self, json) {
            (_, Json::Unfit(why)) => Err((*why).to_owned()),
            (Self::Bool, Json::Bool(truth)) => Ok(Value::Bool(*truth)),
            (Self::Number(least, most), Json::Integer(number)) => match u64::try_from(*number) {
                Ok(number) if (least..=most).contains(&number) => Ok(Value::Number(number)),
                _ => Err(format!("must be between {least} and {most}, not {number}")),
            },
            // The same as the number in quotation marks.
            (Self::Range(..), Json::Integer(number)) => self.parse(&number.to_string()),
            (Self::Several(ty), Json::List(list)) => {
                require_some(list)?;
                let read = |(at, json)| ty.read(json).map_err(|why| in_element(at, &why));
                list.iter().enumerate().map(read).collect::<Result<_, _>>().map(Value::Several)
            }
            (_, Json::String(raw)) if self.is_text() => self.parse(raw),
            _ => Err(format!("is {}, expected {}", json.what(), self.expected())),
        }
    }

    /// Reads what a person typed as this type. The declared type decides, never the form of the text.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence that begins with the field.
    pub fn parse(self, raw: &str) -> Result<Value, String> {
        let says = |e: super::name::NameError| format!("`{}` {e}", shown(raw));
        let states = |e: String| format!("`{}` {e}", shown(raw));
        match self {
            Self::Netns => NetnsName::parse(raw).map(Value::Netns).map_err(says),
            Self::Link => LinkName::parse(raw).map(Value::Link).map_err(says),
            Self::AlternativeName => LinkName::parse_alternative(raw).map(Value::Link).map_err(says),
            Self::Label => Label::parse(raw).map(Value::Label).map_err(says),
            Self::Text => Text::parse(raw).map(Value::Text).map_err(says),
            Self::Mac => Mac::parse(raw).map(Value::Mac).map_err(states),
            Self::Address => inet::address(raw).map(Value::Address).map_err(states),
            Self::Gateway => inet::gateway(raw).map(Value::Address).map_err(states),
            Self::Range(least, most) => NumberRange::parse(raw, least, most).map(Value::Range).map_err(states),
            Self::Prefix if raw == DEFAULT => Ok(Value::Word(DEFAULT)),
            Self::InterfaceAddress if !raw.contains('/') => inet::address(raw).map(Value::Address).map_err(states),
            Self::Prefix | Self::InterfaceAddress => {
                InterfaceAddress::parse(raw).map(Value::InterfaceAddress).map_err(states)
            }
            Self::Word(words) => match words.all().find(|word| *word == raw) {
                Some(word) => Ok(Value::Word(word)),
                None => Err(format!("`{}` is not one of {}", shown(raw), words.listed())),
            },
            // A person types a list as JSON.
            Self::Several(_) | Self::List(_) => {
                self.read(&Json::parse(raw.as_bytes()).map_err(|error| format!("is not JSON: {error}"))?)
            }
            Self::Bool => match raw {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                "" => Err("is empty; must be `true` or `false`".to_owned()),
                _ => Err(format!("`{}` must be `true` or `false`", shown(raw))),
            },
            Self::Number(..) => match raw.parse::<i128>() {
                Ok(number) if raw.bytes().all(|b| b.is_ascii_digit() || b == b'-') => self.read(&Json::Integer(number)),
                _ => Err(format!("`{}` is not a whole number", shown(raw))),
            },
        }
    }
}

/// The largest number of elements of a list. A record in the trail has room for as many.
const MOST_ELEMENTS: usize = 24;

/// Requires a list that is not empty, and that fits into a record.
///
/// # Errors
/// That it is empty, or too long.
pub(super) fn require_some(list: &[Json]) -> Result<(), String> {
    match list.len() {
        0 => Err("must not be an empty list; leave it out".to_owned()),
        1..=MOST_ELEMENTS => Ok(()),
        more => Err(format!("has {more} elements; at most {MOST_ELEMENTS} are allowed")),
    }
}

/// The error of one element. `at` counts from 0, the text from 1.
pub(super) fn in_element(at: usize, why: &str) -> String {
    format!("element {} (counted from 1): {why}", at.saturating_add(1))
}

/// A caller's text for an error and for the trail: escaped, and truncated if it is long.
#[must_use]
pub fn shown(raw: &str) -> String {
    const MOST: usize = 64;
    let mut text = String::new();
    for c in raw.chars().take(MOST) {
        match c {
            '\\' | '"' | '\'' => text.push(c), // as it was typed
            _ => text.extend(c.escape_debug()),
        }
    }
    if raw.chars().nth(MOST).is_some() {
        text.push('…');
    }
    text
}

impl Value {
    /// Checks a name that a request gives to an object.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence that begins with the field.
    pub(crate) fn require_new_name(&self) -> Result<(), String> {
        let (name, result) = match self {
            Self::Netns(NetnsName::Named(name)) => (name.as_str(), require_plain_netns(name)),
            Self::Link(name) => (name.as_str(), require_plain(name.as_str())),
            Self::Label(label) => (label.as_str(), require_plain(label.as_str())),
            _ => return Ok(()),
        };
        result.map_err(|error| format!("`{}` {error}", shown(name)))
    }

    /// The value as JSON, as a request would give it.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Bool(truth) => (*truth).into(),
            Self::Number(number) => (*number).into(),
            Self::Several(values) => values.iter().map(Self::json).collect(),
            Self::List(elements) => elements.iter().map(Element::json).collect(),
            text => text.to_string().into(),
        }
    }
}

impl Element {
    /// The structure as JSON, as a request would give it.
    fn json(&self) -> serde_json::Value {
        let inner = |field: &Field| field.name.rsplit('.').next().unwrap_or_default().to_owned();
        serde_json::Value::Object(self.0.iter().map(|(field, value)| (inner(field), value.json())).collect())
    }
}

impl Constant {
    /// A keyword of a field.
    ///
    /// # Panics
    /// If the field does not have this keyword: when the table with the constant is compiled.
    #[must_use]
    #[allow(clippy::as_conversions, clippy::indexing_slicing, clippy::panic, reason = "const")]
    pub const fn word(field: &'static Field, word: &str) -> Self {
        let Type::Word(Words { words, .. }) = field.ty else { panic!("the field has no keywords") };
        let mut at = 0;
        while !is_same(words[at as usize].0, word) {
            at += 1;
        }
        Self::Word(FieldId::of(field), at)
    }

    /// The constant as a value, for a caller of this uid.
    ///
    /// # Panics
    /// Never: only [`Self::word`] makes a keyword.
    #[must_use]
    #[allow(clippy::unreachable, reason = "a test looks up every default")]
    pub fn value(self, uid: u32) -> Value {
        match self {
            Self::Bool(truth) => Value::Bool(truth),
            Self::Number(number) => Value::Number(number),
            Self::Word(field, at) => {
                let word = field.get().ty.words().and_then(|words| words.all().nth(at.into()));
                Value::Word(word.unwrap_or_else(|| unreachable!("it was made of a keyword")))
            }
            Self::Uid => Value::Number(uid.into()),
        }
    }
}

#[allow(clippy::indexing_slicing, reason = "const; both are compared up to their ends")]
const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}
