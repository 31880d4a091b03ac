// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Ranges of numbers in requests, such as the ports of a routing rule.
#![forbid(unsafe_code)]

use std::fmt;

/// The numbers from the first to the last, inclusive. Written `1000..1999`, or `1000` for one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberRange {
    first: u64,
    last: u64,
}

impl NumberRange {
    /// The range between two numbers; `None` if the second is less than the first.
    #[must_use]
    pub fn new(first: u64, last: u64) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// Its first number.
    #[must_use]
    pub fn first(self) -> u64 {
        self.first
    }

    /// Its last number, which is not less than the first.
    #[must_use]
    pub fn last(self) -> u64 {
        self.last
    }

    /// Whether a number is in it.
    #[must_use]
    pub fn contains(self, number: u64) -> bool {
        (self.first..=self.last).contains(&number)
    }

    /// The parts of it that are in none of these ranges, which are in ascending order.
    #[must_use]
    pub fn without(self, others: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let (mut left, mut rest) = (Vec::new(), Some(self));
        for other in others {
            let Some(Self { first, last }) = rest else { break };
            if other.last < first || other.first > last {
                continue;
            }
            left.extend(other.first.checked_sub(1).and_then(|end| Self::new(first, end)));
            rest = other.last.checked_add(1).and_then(|begin| Self::new(begin, last));
        }
        left.extend(rest);
        left
    }

    /// Reads a range whose numbers must be between two bounds. A range of one number has one spelling: the number.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence that begins with the text.
    pub(super) fn parse(raw: &str, least: u64, most: u64) -> Result<Self, String> {
        let form = || format!("must be a number, or a range such as `{least}..{most}`");
        let number = |raw: &str| {
            let is_plain = raw.bytes().all(|b| b.is_ascii_digit()) && (raw == "0" || !raw.starts_with('0'));
            raw.parse::<u64>().ok().filter(|_| is_plain).ok_or_else(form)
        };
        let (first, last) = raw.split_once("..").unwrap_or((raw, raw));
        let range = Self { first: number(first)?, last: number(last)? };
        match range {
            Self { first, last } if first < least || last > most => Err(format!("must be between {least} and {most}")),
            Self { first, last } if first > last => {
                Err("is an empty range: its end is less than its beginning".to_owned())
            }
            Self { first, last } if first == last && raw.contains("..") => Err(format!("is one number; write {first}")),
            _ => Ok(range),
        }
    }
}

impl fmt::Display for NumberRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { first, last } if first == last => write!(f, "{first}"),
            Self { first, last } => write!(f, "{first}..{last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_range_is_what_the_others_lack() {
        let range = |raw: &str| NumberRange::parse(raw, 0, u64::MAX).unwrap();
        for (of, others, left) in [
            ("5..9", vec![], vec!["5..9"]),
            ("5..9", vec!["1..4", "10..12"], vec!["5..9"]),
            ("5..9", vec!["0..20"], vec![]),
            ("5..9", vec!["1..5", "7", "9..10"], vec!["6", "8"]),
            ("5..9", vec!["5", "6", "8..9"], vec!["7"]),
            ("0..9", vec!["0", "9"], vec!["1..8"]),
            ("18446744073709551614..18446744073709551615", vec!["18446744073709551615"], vec!["18446744073709551614"]),
        ] {
            let found = range(of).without(others.iter().map(|raw| range(raw)));
            assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), left, "{of} without {others:?}");
        }
    }

    #[test]
    fn a_range_has_one_spelling() {
        for raw in ["1", "7", "65535", "1..2", "1..65535"] {
            assert_eq!(NumberRange::parse(raw, 1, 65535).unwrap().to_string(), raw);
        }
        for raw in [
            "",
            "..",
            "1..",
            "..5",
            "0..5",
            "5..65536",
            "65536",
            "5..4",
            "5..5",
            "05..6",
            "+5..6",
            "-1..5",
            "1..2..3",
            "1...3",
            "1-2",
            " 1..2",
            "a",
            "99999999999999999999",
        ] {
            assert!(NumberRange::parse(raw, 1, 65535).is_err(), "{raw}");
        }
    }
}
