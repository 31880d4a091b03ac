// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a field holds: its type, a value of that type, and how JSON becomes one.
#![forbid(unsafe_code)]

use std::fmt;
use std::net::IpAddr;

use super::inet::{self, InterfaceAddress, Mac};
use super::json::Json;
use super::name::{Label, LinkName, NetnsName, Text};

/// A closed set of keywords; on the wire a Varlink enum of this name.
#[derive(Debug)]
pub struct Words {
    /// The name of the Varlink type.
    pub name: &'static str,
    /// The words, each an identifier.
    pub words: &'static [&'static str],
}

/// The [`Type::Prefix`] that holds all addresses of a family.
pub const DEFAULT: &str = "default";

/// The type of a field.
#[derive(Debug, Clone, Copy)]
pub enum Type {
    /// A network namespace: [`NetnsName`].
    Netns,
    /// A link, by name: [`LinkName`].
    Link,
    /// One of some keywords.
    Word(&'static Words),
    /// `true` or `false`.
    Bool,
    /// A whole number between two bounds, both included.
    Number(u64, u64),
    /// A hardware address: [`Mac`].
    Mac,
    /// One IPv4 or IPv6 address.
    Address,
    /// An address with the length of its prefix, [`InterfaceAddress`], or without one: the call's `settle` refuses what
    /// it has no meaning for.
    InterfaceAddress,
    /// An address with the length of its prefix, or `default`: all addresses of a family. The call's `settle` makes a
    /// prefix of the word before anything is judged.
    Prefix,
    /// An address label: [`Label`].
    Label,
    /// Free text: [`Text`].
    Text,
}

/// A value that a request gives, or that a default stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// See [`Type::Netns`].
    Netns(NetnsName),
    /// See [`Type::Link`].
    Link(LinkName),
    /// See [`Type::Word`].
    Word(&'static str),
    /// See [`Type::Bool`].
    Bool(bool),
    /// See [`Type::Number`].
    Number(u64),
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
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Netns(name) => f.write_str(name.as_str()),
            Self::Link(name) => f.write_str(name.as_str()),
            Self::Word(word) => f.write_str(word),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Mac(mac) => write!(f, "{mac}"),
            Self::Address(address) => write!(f, "{address}"),
            Self::InterfaceAddress(address) => write!(f, "{address}"),
            Self::Label(label) => f.write_str(label.as_str()),
            Self::Text(text) => f.write_str(text.as_str()),
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
                _ => Err(format!("is {number}, which is not between {least} and {most}")),
            },
            (_, Json::String(raw)) if self.is_text() => self.parse(raw),
            _ => Err(format!("is {}, expected {}", json.what(), self.expected())),
        }
    }

    /// Reads what a person typed as this type: the type decides, never the look of the text.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence that begins with the field.
    pub fn parse(self, raw: &str) -> Result<Value, String> {
        let says = |e: super::name::NameError| format!("`{}` {e}", shown(raw));
        let states = |e: String| format!("`{}` {e}", shown(raw));
        match self {
            Self::Netns => NetnsName::parse(raw).map(Value::Netns).map_err(says),
            Self::Link => LinkName::parse(raw).map(Value::Link).map_err(says),
            Self::Label => Label::parse(raw).map(Value::Label).map_err(says),
            Self::Text => Text::parse(raw).map(Value::Text).map_err(says),
            Self::Mac => Mac::parse(raw).map(Value::Mac).map_err(states),
            Self::Address => inet::address(raw).map(Value::Address).map_err(states),
            Self::Prefix if raw == DEFAULT => Ok(Value::Word(DEFAULT)),
            Self::InterfaceAddress if !raw.contains('/') => inet::address(raw).map(Value::Address).map_err(states),
            Self::Prefix | Self::InterfaceAddress => {
                InterfaceAddress::parse(raw).map(Value::InterfaceAddress).map_err(states)
            }
            Self::Word(words) => match words.words.iter().find(|word| **word == raw) {
                Some(word) => Ok(Value::Word(word)),
                None => Err(format!("`{}` is none of {}", shown(raw), words.words.join(", "))),
            },
            Self::Bool => match raw {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                _ => Err(format!("`{}` is neither `true` nor `false`", shown(raw))),
            },
            Self::Number(..) => match raw.parse::<i128>() {
                Ok(number) if raw.bytes().all(|b| b.is_ascii_digit() || b == b'-') => self.read(&Json::Integer(number)),
                _ => Err(format!("`{}` is no whole number", shown(raw))),
            },
        }
    }

    /// Whether a value of this type is a JSON string.
    fn is_text(self) -> bool {
        !matches!(self, Self::Bool | Self::Number(..))
    }

    /// What a value of this type looks like, for errors and the manual.
    #[must_use]
    pub fn expected(self) -> String {
        match self {
            Self::Netns => "the name of a network namespace, or `@host`".to_owned(),
            Self::Link => "the name of a link".to_owned(),
            Self::Word(words) => format!("one of {}", words.words.join(", ")),
            Self::Bool => "true or false".to_owned(),
            Self::Number(least, most) => format!("a whole number from {least} to {most}"),
            Self::Mac => "a hardware address like `fa:16:3e:00:00:01`".to_owned(),
            Self::Address => "an IPv4 or IPv6 address".to_owned(),
            Self::InterfaceAddress => "an address with its prefix length, like `10.0.0.1/24`".to_owned(),
            Self::Prefix => "a prefix like `10.0.0.0/8`, or `default`".to_owned(),
            Self::Label => "an address label like `eth0:1`".to_owned(),
            Self::Text => "text without control characters".to_owned(),
        }
    }
}

/// A caller's text as it may stand in an error and in the trail: escaped, and not at any length.
#[must_use]
pub fn shown(raw: &str) -> String {
    const MOST: usize = 64;
    let mut text: String = raw.chars().take(MOST).flat_map(char::escape_debug).collect();
    if raw.chars().nth(MOST).is_some() {
        text.push('…');
    }
    text
}

impl Value {
    /// The value as JSON, as a request would give it.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Bool(truth) => (*truth).into(),
            Self::Number(number) => (*number).into(),
            text => text.to_string().into(),
        }
    }
}
