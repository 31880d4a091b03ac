// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Hints for a policy that is not valid TOML, or that has a TOML value of a type that no field accepts.
#![forbid(unsafe_code)]

use super::diagnostics::foreign;

/// Quotation marks that editors and word processors substitute for `"`.
const QUOTES: &[char] = &['“', '”', '„', '‟', '‘', '’', '‚', '«', '»', '‹', '›', '″', '`'];

/// A hint for the line of a syntax error at this byte.
pub(super) fn hint(text: &str, at: usize) -> Option<String> {
    let before = text.get(..at)?;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text.get(start..)?.lines().next()?;
    if let Some(quote) = line.chars().find(|c| QUOTES.contains(c)) {
        return Some(format!("write `\"` in place of `{quote}` (U+{:04X})", u32::from(quote)));
    }
    if line.contains("\\") {
        return Some("write `\\\\` for a backslash, or put the text in single quotes".to_owned());
    }
    let is_pair =
        |(key, _): &(&str, &str)| key.trim().bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    if !line.contains('=') && line.split_once(':').as_ref().is_some_and(is_pair) {
        return Some("write `=` in place of `:`".to_owned());
    }
    if !line.contains('=') && line.trim().contains(' ') {
        return Some("write `=` between the name and the value".to_owned());
    }
    let (key, value) = line.split_once('=').unwrap_or((line, ""));
    if let Some(foreign) = foreign(key) {
        return Some(format!("the name contains {foreign}; names consist of ASCII letters, digits, `_` and `-`"));
    }
    // In a list, the value is at the error or before it.
    let rest = at.checked_sub(start + key.len() + 1).and_then(|at| value.get(..at)).unwrap_or_default();
    let one = rest.rfind([',', '[']).map_or(value, |comma| value.get(comma + 1..).unwrap_or_default());
    of_value(one.split([',', ']', '#']).next()?)
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
        _ => Some(match value.split_once('-').or_else(|| value.split_once("..")) {
            Some((from, to)) if digits(from) && digits(to) => format!("write a range as `\"{from}..{to}\"`"),
            _ => format!("write text in quotes, `\"{value}\"`"),
        }),
    }
}
