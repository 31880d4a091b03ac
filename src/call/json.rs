// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A strict JSON parser. The tree keeps duplicate keys, fractions and depth, so the reader of a field can report the
//! mistake and does not use the last key or a rounded number.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The largest depth of nested objects and lists.
pub const MOST_LEVELS: usize = 16;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Digits, with an optional minus sign.
    Integer(i128),
    /// Text.
    String(String),
    /// A list.
    List(Vec<Json>),
    /// An object, including duplicate keys.
    Object(Vec<(String, Json)>),
    /// JSON that fits no field; the reason, as the end of a sentence.
    Unfit(&'static str),
}

impl Json {
    /// Parses one JSON value that takes up all of `bytes`.
    ///
    /// # Errors
    /// The parser's message with line and column: malformed JSON, invalid UTF-8, a lone surrogate, or bytes after the
    /// value.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let mut parser = serde_json::Deserializer::from_slice(bytes);
        let json = Level(1).deserialize(&mut parser)?;
        parser.end()?;
        Ok(json)
    }

    /// The members of an object by key.
    ///
    /// # Errors
    /// The key that is given twice.
    pub fn members(pairs: &[(String, Self)]) -> Result<BTreeMap<&str, &Self>, &str> {
        let mut members = BTreeMap::new();
        for (key, value) in pairs {
            if members.insert(key.as_str(), value).is_some() {
                return Err(key);
            }
        }
        Ok(members)
    }

    /// What it is, for errors.
    #[must_use]
    pub fn what(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
            Self::Unfit(_) => "not usable",
        }
    }
}

/// The depth of the value.
struct Level(usize);

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Json, E> {
        Ok(Json::Bool(truth))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Integer(number.into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Integer(number.into()))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Unfit("must be a whole number in plain digits (no fraction, no exponent, at most 64 bits)"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json, E> {
        Ok(Json::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        if self.0 > MOST_LEVELS {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Json::Unfit("is nested deeper than 16 levels"));
        }
        let mut list = Vec::new();
        while let Some(element) = seq.next_element_seed(Self(self.0 + 1))? {
            list.push(element);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        if self.0 > MOST_LEVELS {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Json::Unfit("is nested deeper than 16 levels"));
        }
        let mut pairs = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            pairs.push((key, map.next_value_seed(Self(self.0 + 1))?));
        }
        Ok(Json::Object(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_strict_json_is_no_json() {
        let bad: [&[u8]; 9] =
            [b"", b"{", b"{} {}", b"{}\n1", b"[1,]", b"\"\\ud800\"", b"\"\xff\"", b"{\"a\":01}", b"{\"a\":NaN}"];
        for bytes in bad {
            assert!(Json::parse(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(Json::parse(b" {} \n").unwrap(), Json::Object(vec![]));
    }

    #[test]
    fn a_fraction_an_exponent_and_a_huge_number_fit_no_field() {
        for raw in ["1.0", "1e2", "-0", "18446744073709551616"] {
            assert!(matches!(Json::parse(raw.as_bytes()).unwrap(), Json::Unfit(_)), "{raw}");
        }
        assert_eq!(Json::parse(b"18446744073709551615").unwrap(), Json::Integer(u64::MAX.into()));
    }

    #[test]
    fn duplicate_keys_are_seen() {
        let Json::Object(pairs) = Json::parse(br#"{"a":1,"b":2,"a":1}"#).unwrap() else { panic!("no object") };
        assert_eq!(Json::members(&pairs), Err("a"));
    }

    #[test]
    fn sixteen_levels_are_enough() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert!(!format!("{:?}", Json::parse(nested(16).as_bytes()).unwrap()).contains("Unfit"));
        assert!(format!("{:?}", Json::parse(nested(17).as_bytes()).unwrap()).contains("Unfit"));
    }
}
