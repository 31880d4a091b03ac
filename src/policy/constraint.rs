// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The constraint of a rule on one field. An allow must *contain* what the field stands for, and a deny need only
//! *meet* it.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::call::inet::{InterfaceAddress, bits};
use crate::call::name::NetnsName;
use crate::call::range::NumberRange;
use crate::call::value::Value;

/// A constraint on one field: all of its entries, except those after `!`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraint {
    /// `"*"` is among the entries: any value and any absence.
    pub any: bool,
    /// The other entries.
    pub entries: Entries,
    /// The entries after `!`.
    pub except: Option<Entries>,
}

/// The entries of a constraint, by the type of the field. A value is inside if one of them contains it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entries {
    /// Names, hardware addresses, labels, text, and keywords in a deny: patterns. An `@` word matches only itself.
    /// `{uid}` is the caller's uid.
    Patterns(Vec<String>),
    /// Addresses and prefixes.
    Addresses(Vec<Range>),
    /// Numbers, and ranges of numbers.
    Numbers(Vec<Numbers>),
    /// Booleans.
    Bools(Vec<bool>),
}

/// Numbers of a constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Numbers {
    /// A range, inclusive.
    Between(u64, u64),
    /// `"{uid}"`: the caller's uid.
    Uid,
}

/// Addresses of a constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Range {
    /// `P`: everything inside P.
    Inside(Prefix),
    /// `P len a..b`: exactly the prefixes inside P of these lengths.
    Lengths(Prefix, u8, u8),
    /// `10.1.2.3/24`: exactly this interface address.
    Exactly(IpAddr, u8),
}

/// A prefix: all addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prefix {
    /// The network address. Its host bits are zero.
    pub network: IpAddr,
    /// The prefix length.
    pub length: u8,
}

impl Constraint {
    /// `"*"`.
    pub const ANY: Self = Self { any: true, entries: Entries::Patterns(Vec::new()), except: None };

    /// Whether everything that `value` stands for is inside, as an allow requires. Neither `"*"` nor a pattern covers
    /// an `@` word: a namespace that is not a name under `/run/netns` must be named explicitly.
    #[must_use]
    pub fn contains(&self, value: &Value, uid: u32) -> bool {
        if let Value::Several(values) = value {
            return values.iter().all(|value| self.contains(value, uid));
        }
        let inside = (self.any && !is_word(value)) || self.entries.contain(value, uid);
        inside && !self.except.as_ref().is_some_and(|except| except.meet(value, uid))
    }

    /// Whether anything that `value` stands for is inside, as a deny requires. `"*"` covers everything.
    #[must_use]
    pub fn meets(&self, value: &Value, uid: u32) -> bool {
        if let Value::Several(values) = value {
            return values.iter().any(|value| self.meets(value, uid));
        }
        let Some(except) = &self.except else { return self.any || self.entries.meet(value, uid) };
        if let (Value::Range(range), Entries::Numbers(numbers), Entries::Numbers(except)) =
            (value, &self.entries, except)
        {
            let everything = self.any.then_some(*range);
            let common = numbers.iter().filter_map(|numbers| numbers.common(*range, uid)).chain(everything);
            return common.into_iter().any(|common| reaches_beside(common, except, uid));
        }
        match (Address::from_value(value), &self.entries, except) {
            (Some(address), Entries::Addresses(ranges), Entries::Addresses(except)) => {
                let everything = self.any.then_some(Range::Inside(address.prefix()));
                ranges.iter().copied().chain(everything).any(|range| range.meets_beside(&address, except))
            }
            _ => (self.any || self.entries.meet(value, uid)) && !except.contain(value, uid),
        }
    }

    /// Whether it contains an absence that stands for every value or leaves the choice open.
    #[must_use]
    pub fn contains_all(&self) -> bool {
        self.any && self.except.is_none()
    }
}

impl Entries {
    /// Whether one entry contains everything that `value` stands for.
    fn contain(&self, value: &Value, uid: u32) -> bool {
        match (self, value) {
            (Self::Numbers(numbers), Value::Range(range)) => {
                numbers.iter().any(|numbers| numbers.common(*range, uid) == Some(*range))
            }
            _ => self.have(value, uid, |range, address| range.contains(address)),
        }
    }

    /// Whether one entry contains some of what `value` stands for.
    fn meet(&self, value: &Value, uid: u32) -> bool {
        match (self, value) {
            (Self::Numbers(numbers), Value::Range(range)) => {
                numbers.iter().any(|numbers| numbers.common(*range, uid).is_some())
            }
            _ => self.have(value, uid, |range, address| range.meets(address)),
        }
    }

    fn have(&self, value: &Value, uid: u32, range: fn(&Range, &Address) -> bool) -> bool {
        match (self, value) {
            (Self::Patterns(patterns), Value::Netns(NetnsName::Host)) => patterns.iter().any(|p| p == "@host"),
            (Self::Patterns(patterns), Value::Netns(NetnsName::Named(name))) => one_fits(patterns, name, uid),
            (Self::Patterns(patterns), Value::Link(name)) => one_fits(patterns, name.as_str(), uid),
            (Self::Patterns(patterns), Value::Label(label)) => one_fits(patterns, label.as_str(), uid),
            (Self::Patterns(patterns), Value::Text(text)) => one_fits(patterns, text.as_str(), uid),
            (Self::Patterns(patterns), Value::Mac(mac)) => one_fits(patterns, &mac.to_string(), uid),
            (Self::Patterns(patterns), Value::Word(word)) => one_fits(patterns, word, uid),
            (Self::Numbers(numbers), Value::Number(n)) => numbers.iter().any(|numbers| numbers.contain(*n, uid)),
            (Self::Bools(truths), Value::Bool(truth)) => truths.contains(truth),
            (Self::Addresses(ranges), value) => {
                Address::from_value(value).is_some_and(|address| ranges.iter().any(|r| range(r, &address)))
            }
            _ => false, // not the type of the field: the compiler never produces this, and it contains nothing
        }
    }
}

fn is_word(value: &Value) -> bool {
    matches!(value, Value::Netns(NetnsName::Host))
}

impl Numbers {
    fn contain(self, number: u64, uid: u32) -> bool {
        match self {
            Self::Between(least, most) => (least..=most).contains(&number),
            Self::Uid => number == u64::from(uid),
        }
    }

    /// The numbers that are also in a range, if there are any.
    fn common(self, range: NumberRange, uid: u32) -> Option<NumberRange> {
        let (least, most) = match self {
            Self::Between(least, most) => (least, most),
            Self::Uid => (uid.into(), uid.into()),
        };
        NumberRange::new(least.max(range.first()), most.min(range.last()))
    }
}

/// Whether a number of a range is outside all of `except`.
fn reaches_beside(range: NumberRange, except: &[Numbers], uid: u32) -> bool {
    let mut rest = Some(range);
    while let Some(range) = rest {
        let taken = except.iter().find(|numbers| numbers.contain(range.first(), uid));
        let Some(common) = taken.and_then(|numbers| numbers.common(range, uid)) else { return true };
        rest = common.last().checked_add(1).and_then(|next| NumberRange::new(next, range.last()));
    }
    false
}

/// The address of a value with its prefix length. Without a prefix length, it is the number of bits of the address.
struct Address(IpAddr, u8);

impl Address {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Address(address) => Some(Self(*address, bits(*address))),
            Value::InterfaceAddress(InterfaceAddress { address, length }) => Some(Self(*address, *length)),
            _ => None,
        }
    }

    fn prefix(&self) -> Prefix {
        Prefix::new(self.0, self.1)
    }
}

impl Range {
    fn contains(&self, address: &Address) -> bool {
        match self {
            Self::Inside(prefix) => prefix.contains(&address.prefix()),
            other => other.meets(address),
        }
    }

    /// A prefix that is partly inside is met. Entries with lengths, and interface addresses, meet only what they name.
    fn meets(&self, address: &Address) -> bool {
        match self {
            Self::Inside(prefix) => prefix.overlaps(&address.prefix()),
            Self::Lengths(prefix, least, most) => {
                prefix.contains(&address.prefix()) && (least..=most).contains(&&address.1)
            }
            Self::Exactly(own, length) => *own == address.0 && *length == address.1,
        }
    }

    /// Whether it is met by something outside all of `except`.
    fn meets_beside(&self, address: &Address, except: &[Self]) -> bool {
        let whole = except.iter().any(|range| !matches!(range, Self::Inside(_)) && range.meets(address));
        let parts: Vec<Prefix> = except
            .iter()
            .filter_map(|range| if let Self::Inside(prefix) = range { Some(*prefix) } else { None })
            .collect();
        let common = match self {
            Self::Inside(prefix) if address.prefix().contains(prefix) => *prefix,
            _ => address.prefix(),
        };
        self.meets(address) && !whole && !common.is_covered(&parts)
    }
}

impl Prefix {
    /// The prefix with this length that contains an address.
    #[must_use]
    pub fn new(address: IpAddr, length: u8) -> Self {
        Self { network: masked(address, length), length }
    }

    /// Whether `other` is inside, by bits *and* length.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.length <= other.length && self.same_family(other) && masked(other.network, self.length) == self.network
    }

    /// Whether any address is in both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// Whether each of its addresses is in one of `others`.
    fn is_covered(&self, others: &[Self]) -> bool {
        let smaller = || others.iter().filter(|other| self.contains(other)).copied().collect::<Vec<_>>();
        others.iter().any(|other| other.contains(self))
            || match (self.halves(), smaller()) {
                (Some((left, right)), parts) if !parts.is_empty() => {
                    left.is_covered(&parts) && right.is_covered(&parts)
                }
                _ => false,
            }
    }

    /// The two halves: prefixes that are one bit longer.
    fn halves(&self) -> Option<(Self, Self)> {
        let length = self.length.checked_add(1).filter(|length| *length <= bits(self.network))?;
        let bit = bits(self.network) - length;
        let upper = match self.network {
            IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) | (1 << bit)).into()),
            IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) | (1 << bit)).into()),
        };
        Some((Self::new(self.network, length), Self::new(upper, length)))
    }

    fn same_family(&self, other: &Self) -> bool {
        self.network.is_ipv4() == other.network.is_ipv4()
    }
}

/// The address with all but its first `length` bits zero.
fn masked(address: IpAddr, length: u8) -> IpAddr {
    InterfaceAddress { address, length }.network().address
}

/// The caller's uid in a pattern.
pub const UID: &str = "{uid}";

fn one_fits(patterns: &[String], text: &str, uid: u32) -> bool {
    let fits = |pattern: &String| match pattern.contains(UID) {
        true => matches(&pattern.replace(UID, &uid.to_string()), text),
        false => matches(pattern, text),
    };
    patterns.iter().any(fits)
}

/// Whether `text` matches `pattern`: `*` matches any characters, `?` matches one. The time is at most the product of
/// the lengths. It is enough to backtrack to the last `*`, which can match whatever an earlier one could have matched.
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
    use crate::call::types::Type;

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

    fn addresses(entries: &[Range], except: &[Range]) -> Constraint {
        let except = (!except.is_empty()).then(|| Entries::Addresses(except.to_vec()));
        Constraint { any: false, entries: Entries::Addresses(entries.to_vec()), except }
    }

    fn inside(raw: &str) -> Range {
        let InterfaceAddress { address, length } = InterfaceAddress::parse(raw).unwrap();
        Range::Inside(Prefix::new(address, length))
    }

    fn address(raw: &str) -> Value {
        Type::InterfaceAddress.parse(raw).unwrap()
    }

    #[test]
    fn an_allow_contains_and_a_deny_meets() {
        let ten = addresses(&[inside("10.0.0.0/8")], &[]);
        assert!(ten.contains(&address("10.1.2.3/24"), 0));
        assert!(!ten.contains(&address("10.1.2.3/7"), 0));
        assert!(ten.meets(&address("10.1.2.3/7"), 0));
        assert!(!ten.meets(&address("11.0.0.1/8"), 0));
        assert!(!addresses(&[inside("::/0")], &[]).meets(&address("10.0.0.1/8"), 0));
        assert!(addresses(&[inside("169.254.169.254/32")], &[]).meets(&address("169.254.1.1/16"), 0));
        assert!(addresses(&[inside("0.0.0.0/0")], &[]).contains(&address("10.0.0.1/0"), 0));
        assert!(addresses(&[inside("2001:db8::/32")], &[]).contains(&address("2001:db8:1::1/64"), 0));
    }

    #[test]
    fn lengths_and_interface_addresses_are_exact_in_allow_and_deny() {
        let Range::Inside(all) = inside("0.0.0.0/0") else { panic!("inside") };
        let short = addresses(&[Range::Lengths(all, 0, 7)], &[]);
        for (raw, is) in [("128.0.0.0/1", true), ("10.0.0.0/7", true), ("10.0.0.0/8", false), ("::/0", false)] {
            assert_eq!((short.contains(&address(raw), 0), short.meets(&address(raw), 0)), (is, is), "{raw}");
        }
        let own = addresses(&[Range::Exactly("10.1.2.3".parse().unwrap(), 24)], &[]);
        for (raw, is) in [("10.1.2.3/24", true), ("10.1.2.4/24", false), ("10.1.2.3/25", false), ("10.1.2.3/32", false)]
        {
            assert_eq!((own.contains(&address(raw), 0), own.meets(&address(raw), 0)), (is, is), "{raw}");
        }
    }

    #[test]
    fn what_stands_behind_an_exclamation_mark_is_taken_away() {
        let but = addresses(&[inside("10.0.0.0/8")], &[inside("10.1.0.0/16")]);
        assert!(but.contains(&address("10.2.0.1/24"), 0) && but.meets(&address("10.2.0.1/24"), 0));
        assert!(!but.contains(&address("10.1.0.1/24"), 0) && !but.meets(&address("10.1.0.1/24"), 0));
        // A part is excluded: an allow does not contain it, and a deny still meets the rest.
        assert!(!but.contains(&address("10.0.0.1/8"), 0) && but.meets(&address("10.0.0.1/8"), 0));
        // Both halves are excluded: nothing is left to meet.
        let halves = addresses(&[inside("10.0.0.0/8")], &[inside("10.0.0.0/9"), inside("10.128.0.0/9")]);
        assert!(!halves.meets(&address("10.0.0.1/8"), 0) && !halves.meets(&address("0.0.0.0/0"), 0));
        let words = |raw: &[&str]| Entries::Patterns(raw.iter().map(|s| (*s).to_owned()).collect());
        let link = |raw: &str| Type::Link.parse(raw).unwrap();
        let some = Constraint { any: true, entries: words(&[]), except: Some(words(&["eth*"])) };
        assert!(some.contains(&link("v0"), 0) && some.meets(&link("v0"), 0));
        assert!(!some.contains(&link("eth0"), 0) && !some.meets(&link("eth0"), 0));
        assert!(!some.contains_all() && Constraint::ANY.contains_all());
    }

    #[test]
    fn an_allow_contains_a_whole_range_and_a_deny_meets_a_part_of_it() {
        let numbers = |list: &[(u64, u64)]| {
            Entries::Numbers(list.iter().map(|(least, most)| Numbers::Between(*least, *most)).collect())
        };
        let range = |first, last| Value::Range(NumberRange::new(first, last).unwrap());
        let some = Constraint { any: false, entries: numbers(&[(10, 19), (20, 29)]), except: None };
        for (value, contains, meets) in [
            (range(10, 19), true, true),
            (range(12, 12), true, true),
            (range(15, 24), false, true), // no single entry contains it
            (range(1, 10), false, true),
            (range(1, 9), false, false),
            (range(29, 90), false, true),
            (range(30, 90), false, false),
        ] {
            assert_eq!((some.contains(&value, 0), some.meets(&value, 0)), (contains, meets), "{value}");
        }
        let but = Constraint { except: Some(numbers(&[(15, 18), (10, 14), (19, 40)])), ..some };
        assert!(!but.meets(&range(1, 90), 0) && !but.contains(&range(12, 13), 0)); // nothing is left
        let but = Constraint { except: Some(numbers(&[(15, 17), (10, 14), (19, 40)])), ..but };
        assert!(but.meets(&range(1, 90), 0) && but.meets(&range(18, 18), 0) && !but.meets(&range(10, 17), 0));
        let all = Constraint { any: true, entries: numbers(&[]), except: Some(numbers(&[(5, u64::MAX)])) };
        assert!(all.contains(&range(0, 4), 0) && !all.contains(&range(0, 5), 0));
        assert!(all.meets(&range(0, u64::MAX), 0) && !all.meets(&range(5, u64::MAX), 0));
        let mine = Constraint { any: false, entries: Entries::Numbers(vec![Numbers::Uid]), except: None };
        assert!(mine.contains(&range(7, 7), 7) && !mine.contains(&range(7, 8), 7) && mine.meets(&range(1, 9), 7));
    }

    #[test]
    fn the_callers_uid_stands_for_itself() {
        let mine = Constraint { any: false, entries: Entries::Patterns(vec!["v{uid}-*".to_owned()]), except: None };
        let link = |raw: &str| Type::Link.parse(raw).unwrap();
        assert!(mine.contains(&link("v1000-a"), 1000) && !mine.contains(&link("v1000-a"), 100));
        assert!(!mine.contains(&link("v10001-a"), 1000));
        let number = Constraint { any: false, entries: Entries::Numbers(vec![Numbers::Uid]), except: None };
        assert!(number.contains(&Value::Number(7), 7) && !number.contains(&Value::Number(7), 8));
    }

    #[test]
    fn no_pattern_covers_the_host_in_an_allow() {
        let host = Value::Netns(NetnsName::Host);
        let patterns = |any, list: &[&str]| Constraint {
            any,
            entries: Entries::Patterns(list.iter().map(|s| (*s).to_owned()).collect()),
            except: None,
        };
        assert!(!Constraint::ANY.contains(&host, 0));
        assert!(!patterns(false, &["*", "?host", "@*"]).contains(&host, 0));
        assert!(patterns(true, &["@host"]).contains(&host, 0));
        assert!(Constraint::ANY.meets(&host, 0));
    }
}
