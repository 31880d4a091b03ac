// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a rule says of one field. An allow must *contain* what the field stands for, a deny need only *meet* it.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::call::inet::{InterfaceAddress, bits};
use crate::call::name::NetnsName;
use crate::call::value::Value;

/// What a rule says of one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraint {
    /// `"*"` is among the entries: any value and any absence.
    pub any: bool,
    /// The other entries.
    pub entries: Entries,
}

/// The entries of a constraint, by the type of the field; a value is inside when one of them has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entries {
    /// Names, hardware addresses, labels, text: patterns. An `@` word stands as it is and matches itself only.
    Patterns(Vec<String>),
    /// Keywords.
    Words(Vec<String>),
    /// Addresses and prefixes.
    Prefixes(Vec<Prefix>),
    /// Ranges of numbers, both ends included.
    Numbers(Vec<(u64, u64)>),
    /// Booleans.
    Bools(Vec<bool>),
}

/// All addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prefix {
    /// Any address inside; the host bits are zero.
    pub network: IpAddr,
    /// How many bits are the same.
    pub length: u8,
}

impl Constraint {
    /// `"*"`.
    pub const ANY: Self = Self { any: true, entries: Entries::Patterns(Vec::new()) };

    /// Whether everything that `value` stands for is inside: what an allow asks. Neither `"*"` nor a pattern covers an
    /// `@` word: a namespace that is no name under `/run/netns` is granted by writing it.
    #[must_use]
    pub fn contains(&self, value: &Value) -> bool {
        (self.any && !is_word(value)) || self.entries.hold(value, Prefix::contains)
    }

    /// Whether anything that `value` stands for is inside: what a deny asks. `"*"` covers everything.
    #[must_use]
    pub fn meets(&self, value: &Value) -> bool {
        self.any || self.entries.hold(value, Prefix::overlaps)
    }
}

impl Entries {
    fn hold(&self, value: &Value, prefix: fn(&Prefix, &Prefix) -> bool) -> bool {
        match (self, value) {
            (Self::Patterns(patterns), Value::Netns(NetnsName::Host)) => patterns.iter().any(|p| p == "@host"),
            (Self::Patterns(patterns), Value::Netns(NetnsName::Named(name))) => matches_one(patterns, name),
            (Self::Patterns(patterns), Value::Link(name)) => matches_one(patterns, name.as_str()),
            (Self::Patterns(patterns), Value::Label(label)) => matches_one(patterns, label.as_str()),
            (Self::Patterns(patterns), Value::Text(text)) => matches_one(patterns, text.as_str()),
            (Self::Patterns(patterns), Value::Mac(mac)) => matches_one(patterns, &mac.to_string()),
            (Self::Words(words), Value::Word(word)) => words.iter().any(|w| w == word),
            (Self::Numbers(ranges), Value::Number(n)) => ranges.iter().any(|(least, most)| least <= n && n <= most),
            (Self::Bools(truths), Value::Bool(truth)) => truths.contains(truth),
            (Self::Prefixes(prefixes), Value::Address(address)) => {
                let value = Prefix::new(*address, bits(*address));
                prefixes.iter().any(|p| prefix(p, &value))
            }
            (Self::Prefixes(prefixes), Value::InterfaceAddress(InterfaceAddress { address, length })) => {
                let value = Prefix::new(*address, *length);
                prefixes.iter().any(|p| prefix(p, &value))
            }
            _ => false, // a type that the field never had: the compiler makes none, and nothing is inside
        }
    }
}

fn is_word(value: &Value) -> bool {
    matches!(value, Value::Netns(NetnsName::Host))
}

impl Prefix {
    /// The prefix of this length around an address.
    #[must_use]
    pub fn new(address: IpAddr, length: u8) -> Self {
        Self { network: masked(address, length), length }
    }

    /// Whether `other` lies inside, by bits *and* length.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.length <= other.length && self.same_family(other) && masked(other.network, self.length) == self.network
    }

    /// Whether some address lies in both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    fn same_family(&self, other: &Self) -> bool {
        self.network.is_ipv4() == other.network.is_ipv4()
    }
}

/// The address with all but its first `length` bits zero.
fn masked(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(u32::from(32_u8.saturating_sub(length))).unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(u32::from(128_u8.saturating_sub(length))).unwrap_or(0);
            IpAddr::V6((u128::from(v6) & mask).into())
        }
    }
}

fn matches_one(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, text))
}

/// Whether `text` fits `pattern`: `*` is any run of characters, `?` any one. Time is the product of the lengths at most:
/// one place to come back to is enough, since a later `*` can take over whatever an earlier one could have taken.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut pattern = pattern.chars();
    let mut text = text.chars();
    let mut back = None;
    loop {
        let here = text.clone();
        match (pattern.next(), text.next()) {
            (Some('*'), _) => {
                back = Some((pattern.clone(), here.clone()));
                text = here;
            }
            (None, None) => return true,
            (Some(p), Some(t)) if p == '?' || p == t => {}
            _ => {
                let Some((after_star, mut later)) = back.take() else { return false };
                if later.next().is_none() {
                    return false;
                }
                (pattern, text) = (after_star.clone(), later.clone());
                back = Some((after_star, later));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::value::Type;

    #[test]
    fn patterns_match_the_whole_text() {
        for (pattern, text) in [("qr-*", "qr-1"), ("*", ""), ("a*b*c", "aXbXbc"), ("?", "ä"), ("*a", "aba"), ("", "")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("qr-*", "xqr-1"), ("qr", "qr-1"), ("?", ""), ("a*b", "abc"), ("*a", "ab"), ("", "a")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
        let (hard, long) = ("*a".repeat(100) + "b", "a".repeat(10_000));
        assert!(!matches(&hard, &long)); // no exponential search
    }

    #[test]
    fn an_allow_contains_and_a_deny_meets() {
        let prefixes = |raw: &[&str]| {
            let parse = |raw: &&str| InterfaceAddress::parse(raw).map(|a| Prefix::new(a.address, a.length)).unwrap();
            Constraint { any: false, entries: Entries::Prefixes(raw.iter().map(parse).collect()) }
        };
        let address = |raw: &str| Type::InterfaceAddress.parse(raw).unwrap();
        let ten = prefixes(&["10.0.0.0/8"]);
        assert!(ten.contains(&address("10.1.2.3/24")));
        assert!(!ten.contains(&address("10.1.2.3/7")));
        assert!(ten.meets(&address("10.1.2.3/7")));
        assert!(!ten.meets(&address("11.0.0.1/8")));
        assert!(!prefixes(&["::/0"]).meets(&address("10.0.0.1/8")));
        assert!(prefixes(&["169.254.169.254/32"]).meets(&address("169.254.1.1/16")));
        assert!(prefixes(&["0.0.0.0/0"]).contains(&address("10.0.0.1/0")));
        assert!(prefixes(&["2001:db8::/32"]).contains(&address("2001:db8:1::1/64")));
    }

    #[test]
    fn no_pattern_covers_the_host_in_an_allow() {
        let host = Value::Netns(NetnsName::Host);
        let patterns = |any, list: &[&str]| Constraint {
            any,
            entries: Entries::Patterns(list.iter().map(|s| (*s).to_owned()).collect()),
        };
        assert!(!Constraint::ANY.contains(&host));
        assert!(!patterns(false, &["*", "?host", "@*"]).contains(&host));
        assert!(patterns(true, &["@host"]).contains(&host));
        assert!(Constraint::ANY.meets(&host));
    }
}
