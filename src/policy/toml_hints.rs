// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Hints for a policy that is not valid TOML, or that has a TOML value of a type that no field accepts.
#![forbid(unsafe_code)]

use std::ops::Range;

use super::diagnostics::foreign;

/// Quotation marks that editors and word processors substitute for `"`.
const QUOTES: &[char] = &['“', '”', '„', '‟', '‘', '’', '‚', '«', '»', '‹', '›', '″', '`'];

/// What to write instead.
#[derive(Debug)]
pub(super) struct Hint {
    pub(super) text: String,
    /// The value that it is about, in bytes of the file, if it is about one.
    pub(super) value: Option<Range<usize>>,
}

impl From<String> for Hint {
    fn from(text: String) -> Self {
        Self { text, value: None }
    }
}

/// A hint for the line of a syntax error at this byte.
pub(super) fn hint(text: &str, at: usize) -> Option<Hint> {
    let before = text.get(..at)?;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = without_comment(text.get(start..)?.lines().next()?);
    if let Some(quote) = line.chars().find(|c| QUOTES.contains(c)) {
        return Some(format!("write `\"` in place of `{quote}` (U+{:04X})", u32::from(quote)).into());
    }
    let is_blank = |c: &char| !c.is_ascii() && (c.is_whitespace() || crate::call::name::misleads(*c));
    if let Some(blank) = line.chars().find(is_blank) {
        return Some(format!("remove the character U+{:04X}, which is not an ordinary space", u32::from(blank)).into());
    }
    if line.contains("\\") {
        return Some("write `\\\\` for a backslash, or put the text in single quotes".to_owned().into());
    }
    let is_pair =
        |(key, _): &(&str, &str)| key.trim().bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    if !line.contains('=') && line.split_once(':').as_ref().is_some_and(is_pair) {
        return Some("write `=` in place of `:`".to_owned().into());
    }
    if !line.contains('=') && line.trim().contains(' ') {
        return Some("write `=` between the name and the value".to_owned().into());
    }
    let (key, value) = line.split_once('=')?;
    if let Some(foreign) = foreign(key) {
        let why = format!("the name contains {foreign}; names consist of ASCII letters, digits, `_` and `-`");
        return Some(why.into());
    }
    if value.trim().is_empty() {
        return Some(format!("the value of `{}` is missing", key.trim()).into());
    }
    if value.trim_start().starts_with('=') {
        return Some("write one `=`".to_owned().into());
    }
    // In a list, the value is at the error or before it.
    let value_start = start + key.len() + 1;
    let rest = at.checked_sub(value_start).and_then(|at| value.get(..at)).unwrap_or_default();
    let from = rest.rfind([',', '[']).map_or(0, |comma| comma + 1);
    let one = value.get(from..).unwrap_or_default().split([',', ']']).next()?;
    let is_list = value.trim_start().starts_with('[');
    let first = one.split_whitespace().next();
    if first.is_some_and(is_literal) {
        let missing = if is_list { "`]` is missing at the end of the list" } else { "write one key on each line" };
        return Some(missing.to_owned().into());
    }
    let begin = value_start + from + (one.len() - one.trim_start().len());
    of_value(one).map(|text| Hint { text, value: Some(begin..begin + one.trim().len()) })
}

/// The part of a line before a comment.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') => return line.get(..at).unwrap_or(line),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    line
}

/// Whether TOML takes this for a number or a boolean.
fn is_literal(value: &str) -> bool {
    matches!(value, "true" | "false") || value.parse::<i128>().is_ok() || value.parse::<f64>().is_ok()
}

/// A hint for a value without quotes.
pub(super) fn of_value(value: &str) -> Option<String> {
    let value = value.trim();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match value {
        "" => None,
        "yes" | "on" | "True" | "TRUE" => Some("write true".to_owned()),
        "no" | "off" | "False" | "FALSE" => Some("write false".to_owned()),
        _ if value.starts_with(['=', '{']) || value.contains(['"', '\'']) => None,
        _ => {
            let foreign = foreign(value).map_or_else(String::new, |foreign| format!("; it contains {foreign}"));
            Some(match value.split_once('-').or_else(|| value.split_once("..")) {
                Some((from, to)) if digits(from) && digits(to) => format!("write a range as `\"{from}..{to}\"`"),
                _ => format!("write text in quotes, `\"{value}\"`{foreign}"),
            })
        }
    }
}
