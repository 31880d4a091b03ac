// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Warnings about what is valid in a policy but probably not what was meant. Each is about a single rule. Warnings
//! about two rules are in `covers`.
#![forbid(unsafe_code)]

use std::fmt;
use std::net::IpAddr;

use super::check::{Named, Scope};
use super::constraint::{Entries, Prefix, Range};
use super::diagnostics::{Location, Problem};
use super::entries;
use super::possible;
use super::rule::Ruling;
use super::source::{At, FieldSyntax, RuleSyntax, Scalar};
use crate::call::field::{Field, LINK, NETNS};
use crate::call::inet::bits;
use crate::call::types::Type;
use crate::call::{self, Call, Use};

/// A warning about a valid policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// The place, and what to write instead.
    pub problem: Problem,
    /// Who is shown the warning.
    pub weight: Weight,
}

/// The severity of a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It is shown when the policy is checked.
    Advice,
    /// It is also shown when the policy is installed: an account that limits a rule does not exist.
    Absent,
    /// It is also shown when the policy is installed: the next release refuses the policy. This release accepts it, so
    /// an upgrade never leaves a machine without a policy.
    RefusedLater,
}

impl Warning {
    /// A warning about something that remains valid.
    #[must_use]
    pub fn new(place: Location<'_>, message: impl Into<String>) -> Self {
        Self { problem: place.problem(message), weight: Weight::Advice }
    }

    /// A warning about something that the last release accepted, and that the next one refuses.
    #[must_use]
    pub fn refused_later(place: Location<'_>, message: impl fmt::Display) -> Self {
        let problem = place.problem(format!("{message}; the next release refuses this"));
        Self { problem, weight: Weight::RefusedLater }
    }

    /// A warning about an account that does not exist. If it did, the rule would refuse more.
    #[must_use]
    pub fn absent(place: Location<'_>, message: impl Into<String>) -> Self {
        Self { problem: place.problem(message), weight: Weight::Absent }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = format!("warning: {}", self.problem.message);
        write!(f, "{}", Problem { message, ..self.problem.clone() })
    }
}

/// Checks one rule, with its sets expanded. `calls` are those that it applies to.
pub(super) fn of_rule(
    rule: &RuleSyntax<'_>,
    scope: &Scope<'_>,
    named: &[Named<'_>],
    calls: &[&'static Call],
    warnings: &mut Vec<Warning>,
) {
    for said in &rule.fields {
        let Some(field) = named.iter().map(|named| named.field).find(|field| field.name == said.name.it) else {
            continue;
        };
        for entry in &said.entries {
            warnings.extend(entry_of(field, entry, rule.ruling, scope));
        }
    }
    for free in named.iter().filter(|named| named.free) {
        if let Some(why) = never_anything(free.field, &Scalar::Text("*".to_owned()), rule.ruling, scope) {
            let message = format!("`{}` in `free` {why}", free.field.name);
            warnings.push(Warning::refused_later(free.value, message));
        }
    }
    for said in rule.touches.iter().flat_map(|touches| &touches.it) {
        let field = if said.name.it == NETNS.field.name { &NETNS.field } else { &LINK.field };
        warnings.extend(said.entries.iter().filter_map(|entry| as_text(field, &bare(&entry.it), entry.place)));
    }
    if rule.ruling == Ruling::Deny {
        warnings.extend(only_by_its_own_name(rule, scope, named));
        warnings.extend(named.iter().filter_map(|one| only_inside_a_list(one, named)));
        warnings.extend(calls_left_out(rule, scope, named, calls));
    }
}

/// An entry without its `!`.
fn bare(entry: &Scalar) -> Scalar {
    match entry {
        Scalar::Text(text) => Scalar::Text(text.strip_prefix('!').unwrap_or(text).to_owned()),
        other => other.clone(),
    }
}

fn entry_of(field: &'static Field, entry: &At<'_, Scalar>, ruling: Ruling, scope: &Scope<'_>) -> Option<Warning> {
    let it = bare(&entry.it);
    if let Some(why) = never_anything(field, &entry.it, ruling, scope) {
        return Some(Warning::refused_later(entry.place, format!("`{}`: `*` {why}", field.name)));
    }
    let entries = entries::one(&At { place: entry.place, it: it.clone() }, field.ty, ruling)?;
    if let Some(why) = never(field, &entries, scope) {
        let hint = is_text(field).then(|| regular_expression(&it)).flatten();
        let hint = hint.map_or_else(String::new, |hint| format!("; it {hint}"));
        return Some(Warning::refused_later(entry.place, format!("`{}`: `{it}` {why}{hint}", field.name)));
    }
    match &entries {
        Entries::Addresses(ranges) => {
            let of_routes = scope.uses().any(|(call, used)| call.family() == "Route" && used.field() == field);
            let gives = ruling == Ruling::Allow && !entry.it.to_string().starts_with('!');
            let message = match ranges.first()? {
                Range::Exactly(address, length) => one_address(field, &it.to_string(), *address, *length)?,
                range if of_routes => routes(field, &it.to_string(), *range, gives)?,
                _ => return None,
            };
            Some(Warning::new(entry.place, format!("`{}`: {message}", field.name)))
        }
        _ => as_text(field, &it, entry.place),
    }
}

/// Why no request of any call of the rule can have a value that matches an entry.
fn never(field: &'static Field, entries: &Entries, scope: &Scope<'_>) -> Option<String> {
    let mut reasons = scope.uses().filter(|(_, used)| used.field().is_met_as(field.number)).peekable();
    reasons.peek()?;
    let all: Option<Vec<String>> = reasons.map(|(call, used)| possible::refusal(call, used, entries)).collect();
    all?.into_iter().next()
}

/// Why `"*"` in an allow matches no request of any call of the rule.
fn never_anything(field: &'static Field, entry: &Scalar, ruling: Ruling, scope: &Scope<'_>) -> Option<String> {
    if ruling != Ruling::Allow || *entry != Scalar::Text("*".to_owned()) {
        return None;
    }
    let uses = scope.uses().filter(|(_, used)| used.field() == field);
    let all: Option<Vec<String>> = uses.map(|(call, used)| possible::of_anything(call, used)).collect();
    all?.into_iter().next()
}

/// A warning about common misunderstandings of route prefixes.
fn routes(field: &Field, raw: &str, range: Range, gives: bool) -> Option<String> {
    match (range, field.ty) {
        (Range::Inside(prefix), Type::Prefix) if prefix.length == 0 => Some(format!(
            "`{raw}` is every prefix of its family; write `{raw} len 0` for the default route alone, or `{raw} len \
             0..{}` if every prefix is intended",
            bits(prefix.network)
        )),
        (Range::Lengths(prefix, 1, _), Type::Prefix) if prefix.length == 0 && gives => Some(format!(
            "`{raw}` leaves out the default route, but not its two halves, `len 1`, which together match every \
             packet; write the intended lengths, such as `len 8..{}`",
            bits(prefix.network)
        )),
        _ => None,
    }
}

/// A warning about an address with host bits, which is often mistaken for a prefix. With `len` it is clear.
fn one_address(field: &Field, raw: &str, address: IpAddr, length: u8) -> Option<String> {
    let network = Prefix::new(address, length).network;
    let is_meant = raw.contains(" len ") || !matches!(field.ty, Type::InterfaceAddress);
    (!is_meant).then(|| {
        format!(
            "`{raw}` is this address with this prefix length only; write `{network}/{length}` for all addresses in \
             its prefix, `{address}/{}` for the address with its full length, or `{raw} len {length}` if exactly \
             this is intended",
            bits(address)
        )
    })
}

/// A warning about common misunderstandings of names and patterns.
fn as_text(field: &Field, entry: &Scalar, place: Location<'_>) -> Option<Warning> {
    let Scalar::Text(raw) = entry else { return None };
    let message = match field.ty {
        Type::Netns if raw == "host" => {
            "`host` is a namespace with this name under /run/netns; write `@host` for the host's own".to_owned()
        }
        _ if is_text(field) => format!("`{raw}` {}", regular_expression(entry)?),
        _ => return None,
    };
    Some(Warning::new(place, format!("`{}`: {message}", field.name)))
}

/// Whether the entries for a field are patterns that a person could take for regular expressions.
fn is_text(field: &Field) -> bool {
    matches!(field.ty, Type::Netns | Type::Link | Type::AlternativeName | Type::Mac | Type::Label | Type::Text)
}

/// That an entry looks like a regular expression, as the end of a sentence about it.
fn regular_expression(entry: &Scalar) -> Option<&'static str> {
    let Scalar::Text(raw) = entry else { return None };
    is_like_a_regular_expression(raw).then_some(
        "looks like a regular expression; in a pattern only `*` (any characters) and `?` (one character) are \
         special, so `.`, `^`, `$`, `+` and `|` match themselves",
    )
}

/// `eth0.*`, for the VLANs of a link, is an ordinary pattern, so a dot after a digit, `*`, `?` or `}` causes no
/// warning.
fn is_like_a_regular_expression(raw: &str) -> bool {
    let repeats = |times: &str| {
        raw.match_indices(times).any(|(at, _)| {
            let before = raw.get(..at).and_then(|before| before.chars().last());
            before.is_none_or(|c| !c.is_ascii_digit() && !matches!(c, '*' | '?' | '}'))
        })
    };
    raw.starts_with('^')
        || (raw.len() > 1 && raw.ends_with('$'))
        || raw.contains("\\d")
        || raw.contains("[0-9]")
        || (raw.contains('(') && raw.contains('|'))
        || raw.contains(".+")
        || repeats(".*")
}

/// A deny on `link`, if other fields also refer to links.
fn only_by_its_own_name(rule: &RuleSyntax<'_>, scope: &Scope<'_>, named: &[Named<'_>]) -> Option<Warning> {
    let others_are_named = named.iter().any(|named| ![&NETNS.field, &LINK.field].contains(&named.field));
    let link = named.iter().find(|named| named.field == &LINK.field && !named.constraint.any)?;
    if rule.touches.is_some() || others_are_named {
        return None;
    }
    let refers = |field: &Field| field.ty.is_link() && !field.is_met_as(LINK.field.number);
    let mut names: Vec<&str> =
        scope.uses().map(|(_, used)| used.field()).filter(|f| refers(f)).map(|f| f.name).collect();
    names.sort_unstable();
    names.dedup();
    let shown: Vec<String> = names.iter().take(3).map(|name| format!("`{name}`")).collect();
    if shown.is_empty() {
        return None;
    }
    let text = |field: &Field| {
        let said = rule.fields.iter().find(|said| said.name.it == field.name);
        said.map(|said| format!("{} = {}", field.name, one_line(said)))
    };
    let touches = [text(&NETNS.field), text(&LINK.field)].into_iter().flatten().collect::<Vec<_>>().join(", ");
    let message = format!(
        "only the field `link` is compared, and these calls also reach links by {}{}; write `touches = {{ {touches} }}`",
        shown.join(", "),
        if names.len() > shown.len() { " and others" } else { "" },
    );
    Some(Warning::new(link.value, message))
}

fn one_line(said: &FieldSyntax<'_>) -> String {
    said.value.text().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A deny on a field inside a list: a list of one is judged by the fields outside of the list.
fn only_inside_a_list(one: &Named<'_>, named: &[Named<'_>]) -> Option<Warning> {
    let outside = one.field.outside()?;
    if named.iter().any(|named| named.field == outside) {
        return None;
    }
    let message = format!(
        "`{}` does not meet a list of one element, which is judged as `{}`; write `{1}`, which meets both",
        one.field.name, outside.name
    );
    Some(Warning::new(one.value, message))
}

/// Calls that a deny lists by name but never applies to.
fn calls_left_out(
    rule: &RuleSyntax<'_>,
    scope: &Scope<'_>,
    named: &[Named<'_>],
    calls: &[&'static Call],
) -> Vec<Warning> {
    let meant = |call: &Call| scope.calls.iter().any(|(of, _)| of.number == call.number);
    let applies = |call: &Call| calls.iter().any(|of| of.number == call.number);
    let lacks = |call: &Call| {
        let fields = || call.all_uses().map(Use::field).chain(call.elsewhere_open());
        let has = |field: &Field| fields().any(|own| own.is_met_as(field.number));
        match named.iter().find(|named| !has(named.field)) {
            Some(named) => format!("`{}` has no field `{}`", call.name, named.field.name),
            None if rule.touches.is_some() => format!("`{}` has no field that holds a link", call.name),
            None => format!("no kind of `{}` has all fields of this deny", call.name),
        }
    };
    let of = |entry: &At<'_, String>| {
        let call = call::by_name(&entry.it).filter(|call| meant(call) && !applies(call))?;
        Some(Warning::refused_later(
            entry.place,
            format!("{}, so this deny never applies to it; remove it from `call`", lacks(call)),
        ))
    };
    if calls.is_empty() { Vec::new() } else { rule.calls.iter().filter_map(of).collect() }
}
