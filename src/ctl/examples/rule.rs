// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The smallest rule that permits a request.

use std::collections::BTreeSet;

use crate::call::inet;
use crate::call::request::{FieldValue, Request};
use crate::call::types::Type;
use crate::call::value::Value;
use crate::call::{Absence, Effect, Use};

/// The lines of the rule, without `id` and `who`, for a caller with this uid. Each line but the first is needed.
pub(super) fn lines(request: &Request, uid: u32) -> Vec<String> {
    let call = request.call();
    let line = |used: &Use| permitted(request, used, uid).map(|values| format!("{} = {values}", used.field().name));
    let head = ["[[allow]]".to_owned(), format!("call = {}", quoted(call.name))];
    head.into_iter().chain(call.uses(request.kind()).filter_map(line)).collect()
}

/// The values that the rule must permit for a field; `None` if it need not name the field.
fn permitted(request: &Request, used: &Use, uid: u32) -> Option<String> {
    if matches!(used.field().ty, Type::List(_)) {
        return None; // a rule names the fields inside it
    }
    let given: Vec<FieldValue<'_>> = (0..request.times(used)).map(|time| request.field_value(used, time)).collect();
    let is_filter = matches!(used.absence, Absence::Any);
    let differs = |given: &FieldValue<'_>| match given {
        FieldValue::Value(value) => !is_filter && request.default(used, uid).as_ref() != Some(value),
        FieldValue::Open | FieldValue::Nothing => false,
    };
    if !is_demanded(request, used) && !given.iter().any(differs) {
        return None;
    }
    let mut values: Vec<String> = Vec::new();
    for one in &given {
        match one {
            FieldValue::Value(value) => values.extend(written(value)),
            FieldValue::Open => return Some(quoted("*")),
            FieldValue::Nothing => {}
        }
    }
    let mut seen = BTreeSet::new();
    values.retain(|value| seen.insert(value.clone()));
    Some(match values.as_slice() {
        [] => quoted("*"), // the field cannot be given here, but the compiler wants it named
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    })
}

/// Whether the compiler refuses an allow that does not name the field (`check::needed`).
fn is_demanded(request: &Request, used: &Use) -> bool {
    let call = request.call();
    let is_named = |list| call.uses.iter().any(|u| u.field() == list && !matches!(u.absence, Absence::Any));
    if used.inside().is_some_and(|list| request.value(list).is_none() || !is_named(list)) {
        return false; // the rule names nothing inside the list
    }
    match used.absence {
        Absence::Required => true,
        Absence::Any | Absence::Chosen => call.effect == Effect::Changes && used.field().ty.is_link(),
        Absence::Default(_) | Absence::Follows | Absence::Untouched => false,
    }
}

/// The entries of a policy that permit exactly this value.
fn written(value: &Value) -> Vec<String> {
    match value {
        Value::Bool(_) | Value::Number(_) => vec![value.to_string()],
        Value::Range(range) if range.first() == range.last() => vec![range.to_string()],
        Value::Several(values) => values.iter().flat_map(written).collect(),
        Value::Address(address) => vec![quoted(&format!("{address}/{}", inet::bits(*address)))],
        Value::InterfaceAddress(given) if given.length == inet::bits(given.address) => vec![quoted(&given.to_string())],
        Value::InterfaceAddress(given) => vec![quoted(&format!("{given} len {}", given.length))],
        text => vec![quoted(&text.to_string())],
    }
}

/// A string of TOML. No value of an example has a character that must be escaped.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
