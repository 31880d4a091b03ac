// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Converts what a person writes for one field to a constraint. The type of the field decides, never the form of the
//! text. An entry that no value can match is refused, because its author meant something else.
#![forbid(unsafe_code)]

use super::constraint::{Constraint, Entries, Numbers, Prefix, Range, UID, matches};
use super::diagnostics::{Problem, did_you_mean, foreign};
use super::rule::Ruling;
use super::source::{At, FieldSyntax, Scalar};
use crate::call::inet::{self, InterfaceAddress};
use crate::call::types::{DEFAULT, Type, Words};

/// `"*"`: any value and any absence.
const ANY: &str = "*";

/// Reads all entries of one field: those that include, and those after `!`, which exclude.
///
/// # Errors
/// Every entry that is not of this type.
pub(super) fn constraint(said: &FieldSyntax<'_>, ty: Type, ruling: Ruling) -> Result<Constraint, Vec<Problem>> {
    let name = &said.name.it;
    let mut problems = Vec::new();
    let (mut any, mut given, mut taken) = (false, Vec::new(), Vec::new());
    for entry in &said.entries {
        match &entry.it {
            Scalar::Text(text) if text == ANY => any = true,
            Scalar::Text(text) if text == "!*" => {
                problems.push(entry.place.problem(format!("`{name}`: `!*` excludes everything")));
            }
            Scalar::Text(text) => match text.strip_prefix('!') {
                Some(rest) => taken.push(At { place: entry.place, it: typed(ty, rest) }),
                None => given.push(entry.clone()),
            },
            _ => given.push(entry.clone()),
        }
    }
    if let (true, Some(first)) = (!any && given.is_empty() && !taken.is_empty(), taken.first()) {
        problems
            .push(first.place.problem(format!("`{name}` only excludes; also write what it includes, such as `\"*\"`")));
    }
    let mut read = |list: &[At<'_, Scalar>]| {
        entries(list, ty, ruling).map_err(|refused| {
            let blame = |(entry, why): (&At<'_, Scalar>, String)| entry.place.problem(format!("`{name}`: {why}"));
            problems.extend(refused.into_iter().map(blame));
        })
    };
    let (entries, except) = (read(&given), read(&taken));
    match (entries, except) {
        (Ok(entries), Ok(except)) if problems.is_empty() => {
            Ok(Constraint { any, entries, except: (!taken.is_empty()).then_some(except) })
        }
        _ => Err(problems),
    }
}

/// An entry after `!` is text. For a number or a boolean it is converted.
fn typed(ty: Type, text: &str) -> Scalar {
    match (ty, digits(text), text) {
        (Type::Several(ty), ..) => typed(*ty, text),
        (Type::Number(..) | Type::Range(..), Some(number), _) => Scalar::Integer(number),
        (Type::Bool, _, "true") => Scalar::Bool(true),
        (Type::Bool, _, "false") => Scalar::Bool(false),
        _ => Scalar::Text(text.to_owned()),
    }
}

fn entries<'e, 's>(list: &'e [At<'s, Scalar>], ty: Type, ruling: Ruling) -> Result<Entries, Refused<'e, 's>> {
    match ty {
        Type::Several(ty) => entries(list, *ty, ruling),
        Type::List(_) => collect(list, |_| Err("is a list of objects; constrain the fields inside it".to_owned()))
            .map(Entries::Bools),
        Type::Netns | Type::Link | Type::AlternativeName | Type::Mac | Type::Label | Type::Text => {
            collect(list, |entry| pattern(ty, text(ty, entry)?)).map(Entries::Patterns)
        }
        Type::Word(words) => collect(list, |entry| word(words, text(ty, entry)?, ruling)).map(Entries::Patterns),
        Type::Bool => collect(list, truth).map(Entries::Bools),
        Type::Number(least, most) | Type::Range(least, most) => {
            collect(list, |entry| numbers(least, most, entry)).map(Entries::Numbers)
        }
        Type::Address | Type::Gateway | Type::InterfaceAddress | Type::Prefix => {
            collect(list, |entry| range(ty, text(ty, entry)?)).map(Entries::Addresses)
        }
    }
}

/// One entry without its `!`; `None` if it is `"*"`, or not of this type.
pub(super) fn one(entry: &At<'_, Scalar>, ty: Type, ruling: Ruling) -> Option<Entries> {
    let it = match &entry.it {
        Scalar::Text(text) if text == ANY => return None,
        // An entry after `!` is text, whatever the type.
        Scalar::Text(text) => typed(ty, text),
        other => other.clone(),
    };
    entries(&[At { place: entry.place, it }], ty, ruling).ok()
}

type Refused<'e, 's> = Vec<(&'e At<'s, Scalar>, String)>;

/// All entries, or all errors.
fn collect<'e, 's: 'e, T>(
    entries: &'e [At<'s, Scalar>],
    read: impl Fn(&'e Scalar) -> Result<T, String>,
) -> Result<Vec<T>, Refused<'e, 's>> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for entry in entries {
        match read(&entry.it) {
            Ok(one) => good.push(one),
            Err(why) => bad.push((entry, why)),
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(bad) }
}

fn text(ty: Type, entry: &Scalar) -> Result<&str, String> {
    match entry {
        Scalar::Text(text) => Ok(text),
        Scalar::Integer(number) => Err(format!("{number} is a number, expected {}", ty.expected())),
        Scalar::Bool(truth) => Err(format!("{truth} is a boolean, expected {}", ty.expected())),
    }
}

/// A keyword. In a deny it is a pattern, which also covers keywords that are added later.
fn word(words: &Words, raw: &str, ruling: Ruling) -> Result<String, String> {
    if raw.contains(['*', '?']) {
        return match ruling {
            Ruling::Allow => Err(format!("`{raw}` is a pattern; an allow must list the words by name")),
            Ruling::Deny if words.all().any(|word| matches(raw, word)) => Ok(raw.to_owned()),
            Ruling::Deny => Err(format!("`{raw}` matches none of {}", words.listed())),
        };
    }
    match words.all().find(|word| *word == raw) {
        Some(word) => Ok((*word).to_owned()),
        None => Err(format!("`{raw}` is not one of {}{}", words.listed(), word_meant(words, raw))),
    }
}

/// What was probably meant by a keyword that does not exist.
fn word_meant(words: &Words, raw: &str) -> String {
    let tap = "; a tap is written `kind = \"tun\"` with `tun.mode = \"tap\"`";
    if is_tap(words, raw) { tap.to_owned() } else { did_you_mean(raw, words.all()) }
}

/// Whether it is what iproute2 calls a mode of tun.
fn is_tap(words: &Words, raw: &str) -> bool {
    raw == "tap" && words.all().any(|word| word == "tun")
}

/// What was probably meant by a value of this type that a person typed and that is refused.
pub(crate) fn value_meant(ty: Type, raw: &str) -> String {
    match ty {
        Type::Word(words) if is_tap(words, raw) => "; a tap is written `kind=tun tun.mode=tap`".to_owned(),
        Type::Word(words) => did_you_mean(raw, words.all()),
        // A call has neither patterns nor `{uid}`, nor lists of names.
        Type::Netns if raw.starts_with(DIRECTORY) => NAME_ALONE.to_owned(),
        _ => String::new(),
    }
}

fn truth(entry: &Scalar) -> Result<bool, String> {
    match entry {
        Scalar::Bool(truth) => Ok(*truth),
        Scalar::Text(text) if text == "true" || text == "false" => Err(format!("write {text} without quotes")),
        Scalar::Text(text) => Err(format!("`{text}` is a string, expected true or false")),
        Scalar::Integer(number) => Err(format!("{number} is a number, expected true or false")),
    }
}

/// `1500`, `"1280..1500"` or `"{uid}"`.
fn numbers(least: u64, most: u64, entry: &Scalar) -> Result<Numbers, String> {
    let bound = |number: i128| match u64::try_from(number) {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("{number} must be between {least} and {most}")),
    };
    let expected = || format!("expected a whole number or a range such as `\"{least}..{most}\"`");
    match entry {
        Scalar::Integer(number) => bound(*number).map(|number| Numbers::Between(number, number)),
        Scalar::Text(text) if text == UID => Ok(Numbers::Uid),
        Scalar::Bool(truth) => Err(format!("{truth} is a boolean, {}", expected())),
        Scalar::Text(text) => match text.split_once("..") {
            Some((from, to)) => {
                let ends = (digits(from).ok_or_else(expected)?, digits(to).ok_or_else(expected)?);
                let (from, to) = (bound(ends.0)?, bound(ends.1)?);
                if from <= to {
                    Ok(Numbers::Between(from, to))
                } else {
                    Err(format!("`{text}` is an empty range: its end is less than its beginning"))
                }
            }
            None if digits(text).is_some() => Err(format!("write {text} without quotes")),
            None => {
                let range =
                    text.split_once(['-', ':']).filter(|(from, to)| digits(from).is_some() && digits(to).is_some());
                let hint = range.map_or_else(String::new, |(from, to)| format!("; did you mean `\"{from}..{to}\"`?"));
                Err(format!("`{text}` is a string, {}{hint}", expected()))
            }
        },
    }
}

/// A number in plain digits, in its usual form.
fn digits(raw: &str) -> Option<i128> {
    let plain = raw.bytes().all(|b| b.is_ascii_digit()) && (raw == "0" || !raw.starts_with('0'));
    raw.parse().ok().filter(|_| plain)
}

/// `10.0.0.0/8`: everything inside; `10.0.0.0/8 len 24..28`: the prefixes inside with these lengths; `10.1.2.3/24`:
/// this interface address.
fn range(ty: Type, raw: &str) -> Result<Range, String> {
    if let Some((prefix, lengths)) = raw.split_once(" len ") {
        return lengths_inside(ty, raw, prefix, lengths);
    }
    if matches!(ty, Type::Prefix) && raw == DEFAULT {
        return Err("`default` can be of either family; write `0.0.0.0/0 len 0`, `::/0 len 0` or both".to_owned());
    }
    if let (false, Ok(address)) = (raw.contains('/'), inet::address(raw)) {
        return Err(format!("`{raw}` needs a prefix length; one address is `{raw}/{}`", inet::bits(address)));
    }
    let InterfaceAddress { address, length } = InterfaceAddress::parse(raw).map_err(|why| format!("`{raw}` {why}"))?;
    let prefix = Prefix::new(address, length);
    match (prefix.network == address, ty) {
        (true, _) => Ok(Range::Inside(prefix)),
        (false, Type::InterfaceAddress | Type::Prefix) => Ok(Range::Exactly(address, length)),
        (false, _) => Err(format!(
            "`{raw}` has host bits, but the field holds addresses without a prefix length; write `{}/{length}` or \
             `{address}/{}`",
            prefix.network,
            inet::bits(address)
        )),
    }
}

fn lengths_inside(ty: Type, raw: &str, prefix: &str, lengths: &str) -> Result<Range, String> {
    let prefix = match range(Type::Prefix, prefix)? {
        // The same as `10.1.2.3/24` alone, in a form that cannot be mistaken for the prefix.
        exactly @ Range::Exactly(_, length)
            if lengths == length.to_string() && !matches!(ty, Type::Address | Type::Gateway) =>
        {
            return Ok(exactly);
        }
        Range::Inside(prefix) => prefix,
        Range::Exactly(address, length) => {
            let network = Prefix::new(address, length).network;
            return Err(format!("`{raw}` has host bits; write `{network}/{length} len {lengths}`"));
        }
        Range::Lengths(..) => return Err(format!("`{raw}` has `len` twice")),
    };
    let most = inet::bits(prefix.network);
    let bound = |raw: &str| digits(raw).and_then(|length| u8::try_from(length).ok()).filter(|length| *length <= most);
    let (from, to) = lengths.split_once("..").unwrap_or((lengths, lengths));
    match (bound(from), bound(to)) {
        _ if matches!(ty, Type::Address | Type::Gateway) => Err(format!(
            "`{raw}`: the field holds addresses without a prefix \
                                                         length, so `len` does not apply"
        )),
        (Some(from), Some(to)) if prefix.length <= to && from <= to => Ok(Range::Lengths(prefix, from, to)),
        (Some(_), Some(_)) => Err(format!("`{raw}` matches nothing: no prefix inside it has such a length")),
        _ => Err(format!("`{raw}` must have lengths from 0 to {most} after `len`, as in `len 24` or `len 24..28`")),
    }
}

/// A pattern that some value of the type matches.
fn pattern(ty: Type, raw: &str) -> Result<String, String> {
    if matches!(ty, Type::Netns) && raw.starts_with('@') && raw != "@host" {
        return Err(format!("`{raw}` begins with `@`; only `@host` may{}", did_you_mean(raw, ["@host"])));
    }
    if let (false, Some(foreign)) = (matches!(ty, Type::Text), foreign(raw)) {
        return Err(format!("`{raw}` contains {foreign}, which is not ASCII; expected {}", ty.expected()));
    }
    // The uid has at least one digit.
    let shortest = uid_closed_in(raw)?.replace(UID, "0");
    let fits = if raw.contains(['*', '?']) { fits_some(ty, &shortest) } else { ty.parse(&shortest).map(drop) };
    fits.map_err(|why| why + meant(raw))?;
    if matches!(ty, Type::Mac) && raw.contains(|c: char| c.is_ascii_uppercase()) {
        return Err(format!("`{raw}` has capital letters; write hardware addresses in lower case"));
    }
    Ok(raw.to_owned())
}

/// `{uid}` next to a digit, or to a pattern that matches a digit, would match the names of another uid: `v{uid}*` for
/// uid 100 matches `v1000-a`.
fn uid_closed_in(raw: &str) -> Result<&str, String> {
    let open = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit() || matches!(c, '*' | '?' | '{' | '}'));
    let parts: Vec<&str> = raw.split(UID).collect();
    let closed = parts.windows(2).all(|pair| match pair {
        [before, behind] => !open(before.chars().last()) && !open(behind.chars().next()),
        _ => true,
    });
    let adjacent = parts.get(1..parts.len().saturating_sub(1)).unwrap_or_default().iter().any(|part| part.is_empty());
    if closed && !adjacent { Ok(raw) } else { Err(format!("`{raw}`: `{UID}` must not be next to a digit, `*` or `?`")) }
}

const DIRECTORY: &str = "/run/netns/";
const NAME_ALONE: &str = "; write the name alone, without the directory";

/// What was probably meant by a name that no value can have.
fn meant(raw: &str) -> &'static str {
    match raw {
        _ if raw.starts_with(DIRECTORY) => NAME_ALONE,
        _ if raw.contains([' ', ',']) => "; write several names as a list",
        _ if raw.contains(['[', ']', '^', '$', '|']) => "; a pattern has only `*` and `?`",
        _ if raw.contains(['{', '}']) => "; only `{uid}` is replaced, by the uid of the caller",
        _ => "",
    }
}

/// Considers all values of the type at once: for each character of the pattern, the lengths that the part before it can
/// match.
fn fits_some(ty: Type, raw: &str) -> Result<(), String> {
    let most = most_bytes(ty);
    let of = ty.expected();
    let mut lengths = vec![0];
    for c in raw.chars() {
        let next: Vec<usize> = match c {
            '*' => lengths.iter().min().map_or_else(Vec::new, |least| (*least..=most).collect()),
            '?' => lengths.iter().map(|length| length + 1).filter(|length| *length <= most).collect(),
            c => {
                let takes = |at: &usize| takes(ty, *at, c) && at + c.len_utf8() <= most;
                lengths.iter().filter(|at| takes(at)).map(|at| at + c.len_utf8()).collect()
            }
        };
        if next.is_empty() && !matches!(c, '*' | '?') && !(0..3).any(|at| takes(ty, at, c)) {
            return Err(format!("`{raw}` matches nothing: no value has `{c}`; expected {of}"));
        }
        lengths = next;
    }
    let ends = |length: &usize| !matches!(ty, Type::Mac) || length % 3 == 2;
    if lengths.iter().any(ends) { Ok(()) } else { Err(format!("`{raw}` matches nothing: {}", limit(ty, most))) }
}

fn most_bytes(ty: Type) -> usize {
    match ty {
        Type::Netns | Type::Text => 255,
        Type::Mac => 32 * 3 - 1,
        _ => 15,
    }
}

fn limit(ty: Type, most: usize) -> String {
    match ty {
        Type::Mac => "expected 1 to 32 pairs of hexadecimal digits, separated by `:`".to_owned(),
        _ => format!("at most {most} bytes are allowed"),
    }
}

/// Whether a value of the type can have this character at this byte.
fn takes(ty: Type, at: usize, c: char) -> bool {
    match ty {
        Type::Mac if at % 3 == 2 => c == ':',
        Type::Mac => c.is_ascii_hexdigit(),
        // The character is tried together with a letter, because `.` alone is refused for another reason.
        _ => ty.parse(&format!("a{c}")).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_no_value_fits_is_refused() {
        let good = [
            (Type::Link, "qr-*"),
            (Type::Link, "???????????????"),
            (Type::Link, "*0123456789abcde*"),
            (Type::Link, ".*"),
            (Type::Link, "v{uid}-*"),
            (Type::Link, "v{uid}"),
            (Type::Netns, "@host"),
            (Type::Netns, "q?"),
            (Type::Mac, "fa:16:3e:*"),
            (Type::Mac, "*:01"),
            (Type::Mac, "f*"),
            (Type::Mac, "??:*"),
            (Type::Mac, "*6:3*"),
            (Type::Label, "eth0:*"),
            (Type::Text, ""),
            (Type::Text, "Zürich *"),
        ];
        for (ty, raw) in good {
            assert_eq!(pattern(ty, raw), Ok(raw.to_owned()));
        }
        let bad = [
            (Type::Link, ""),
            (Type::Link, "a/*"),
            (Type::Link, "eth0:*"),
            (Type::Link, "!eth*"),
            (Type::Link, "$ports"),
            (Type::Link, "v{uid}*"),
            (Type::Link, "v1{uid}-*"),
            (Type::Link, "v{uid}{uid}"),
            (Type::Link, "@host"),
            (Type::Link, "????????????????"),
            (Type::Link, "0123456789abcdef"),
            (Type::Link, "*0123456789abcdef*"),
            (Type::Link, "all"),
            (Type::Link, "ä*"),
            (Type::Netns, "@*"),
            (Type::Netns, "@Host"),
            (Type::Netns, "../*"),
            (Type::Mac, "FA:16:*"),
            (Type::Mac, "FA:16:3e:00:00:01"),
            (Type::Mac, "fa16*"),
            (Type::Mac, "fa:1"),
            (Type::Mac, "?"),
            (Type::Mac, "*:"),
            (Type::Text, "a\u{202e}*"),
        ];
        for (ty, raw) in bad {
            assert!(pattern(ty, raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn a_range_is_inside_its_type_and_runs_upwards() {
        let number = |entry| numbers(0, 65535, &entry);
        let text = |raw: &str| number(Scalar::Text(raw.to_owned()));
        assert_eq!(number(Scalar::Integer(1500)), Ok(Numbers::Between(1500, 1500)));
        assert_eq!(text("1280..1500"), Ok(Numbers::Between(1280, 1500)));
        for bad in ["1500", "1500..1280", "..5", "5..", "5..65536", "-1..5", "+1..5", "01..5", "1..2..3", "a"] {
            assert!(text(bad).is_err(), "{bad}");
        }
        assert!(number(Scalar::Integer(-1)).is_err());
        assert!(number(Scalar::Integer(65536)).is_err());
        assert!(number(Scalar::Bool(true)).is_err());
    }

    #[test]
    fn a_prefix_has_its_length() {
        let read = |raw: &str| range(Type::InterfaceAddress, raw);
        assert!(matches!(read("10.0.0.0/8"), Ok(Range::Inside(Prefix { length: 8, .. }))));
        assert!(matches!(read("2001:db8::/32"), Ok(Range::Inside(Prefix { length: 32, .. }))));
        assert!(matches!(read("10.1.2.3/24"), Ok(Range::Exactly(_, 24))));
        assert!(matches!(read("10.0.0.0/8 len 24..28"), Ok(Range::Lengths(_, 24, 28))));
        assert!(matches!(read("0.0.0.0/0 len 0..7"), Ok(Range::Lengths(_, 0, 7))));
        assert!(matches!(read("10.0.0.0/8 len 24"), Ok(Range::Lengths(_, 24, 24))));
        assert!(read("10.1.2.3").unwrap_err().contains("`10.1.2.3/32`"));
        for bad in [
            "10.0.0.0/33",
            "x",
            "",
            "10.0.0.0/8 len 33",
            "10.0.0.0/8 len 28..24",
            "10.0.0.0/8 len 4..7",
            "10.1.0.0/8 len 24",
            "10.0.0.0/8 len",
            "::ffff:10.0.0.0/104",
            "!10.0.0.0/8",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        assert!(
            range(Type::Address, "10.1.2.3/24")
                .unwrap_err()
                .contains("the field holds addresses without a prefix length")
        );
        assert!(range(Type::Address, "10.0.0.0/8 len 24").is_err());
    }
}
