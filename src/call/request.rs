// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A request: one call with its fields, parsed by their declaration, with defaults filled in. Nothing is guessed or
//! truncated.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use super::field::{self, Alone, Field, Key};
use super::json::Json;
use super::types::Type;
use super::value::{Element, Held, Value, in_element, require_some, shown};
use super::{Absence, Call, Kind, Naming, Needs, Use};

/// The largest number of bytes of a `reference`: the caller's own id of the request.
const REFERENCE_BYTES: usize = 64;

/// A request that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The field; empty for the request as a whole.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Invalid {
    /// An error in this field, for this reason.
    #[must_use]
    pub fn new(field: &str, reason: impl Into<String>) -> Self {
        Self { field: field.to_owned(), reason: reason.into() }
    }
}

/// The reason why a field is refused together with another one.
pub(super) fn excluded(other: &Field, why: &str) -> String {
    format!("cannot be given together with `{}`: {why}", other.name)
}

fn invalid(field: &str, reason: impl Into<String>) -> Invalid {
    Invalid::new(field, reason)
}

/// What a request gives for a field.
#[derive(Debug, Clone, Copy)]
pub enum FieldValue<'a> {
    /// This value, which may be a default.
    Value(&'a Value),
    /// Nothing, which leaves open which object is meant: every value is possible.
    Open,
    /// Nothing.
    Nothing,
}

/// One call with its fields.
#[derive(Debug, Clone)]
pub struct Request {
    call: &'static Call,
    kind: Option<&'static Kind>,
    values: Vec<(&'static Field, Value)>,
    /// Absent fields that, against their declaration, leave nothing open in this request, each with the field that
    /// closes it.
    closed: Vec<(&'static Field, &'static Field)>,
    /// Fields that can have any value in this request, whatever it gives.
    opened: Vec<&'static Field>,
    /// The values that fields with [`Absence::Follows`] have in this request if they are absent.
    followed: Vec<(&'static Field, Value)>,
    reference: Option<String>,
}

impl Request {
    /// Reads the parameters of a call. `uid` is the caller's, for defaults that depend on it.
    ///
    /// # Errors
    /// [`Invalid`] with the field: it is unknown, given twice, of another type, out of range or missing, or cannot be
    /// given together with another field.
    pub fn parse(call: &'static Call, parameters: &Json, uid: u32) -> Result<Self, Invalid> {
        let mut given = BTreeMap::new();
        flatten(call, parameters, "", &mut given)?;
        let reference = given.remove("reference").map(read_reference).transpose()?;
        let kind = match call.kinds.by.and_then(|by| Some((by, given.get(by.name)?))) {
            Some((by, json)) => {
                let word = read(by, json)?;
                call.kind(&word.to_string())
            }
            _ => None,
        };
        let is_required =
            |by: &&Field| call.uses.iter().any(|used| used.field() == *by && matches!(used.absence, Absence::Required));
        if let (Some(by), None) = (call.kinds.by.filter(is_required), kind) {
            if let Some(json) = given.get(by.name) {
                return Err(invalid(by.name, not_a_kind(call, &read(by, json)?)));
            }
        }
        let values = values(call, kind, None, &mut given, uid)?;
        if let Some(unknown) = given.keys().next() {
            return Err(invalid(unknown, unknown_field(call, kind, unknown)));
        }
        let (closed, opened, followed) = (Vec::new(), Vec::new(), Vec::new());
        let mut request = Self { call, kind, values, closed, opened, followed, reference };
        for (one, other, why) in call.excludes {
            if request.carries(one, uid) && request.carries(other, uid) {
                return Err(invalid(one.name, excluded(other, why)));
            }
        }
        lists_of_one(&mut request, uid)?;
        one_of_two(&mut request, uid);
        (call.settle)(&mut request)?;
        kind.map_or(Ok(()), |kind| (kind.settle)(&mut request))?;
        request.values.sort_by_key(|(field, _)| call.uses(kind).position(|used| used.field() == *field));
        Ok(request)
    }

    /// A request with these values, even if they cannot be given together.
    #[cfg(test)]
    pub(crate) fn of_any(
        call: &'static Call,
        kind: Option<&'static Kind>,
        values: Vec<(&'static Field, Value)>,
        reference: Option<String>,
    ) -> Self {
        let (closed, opened, followed) = (Vec::new(), Vec::new(), Vec::new());
        Self { call, kind, values, closed, opened, followed, reference }
    }

    /// The call.
    #[must_use]
    pub fn call(&self) -> &'static Call {
        self.call
    }

    /// Its kind, if it has one.
    #[must_use]
    pub fn kind(&self) -> Option<&'static Kind> {
        self.kind
    }

    /// What the process needs to carry it out.
    #[must_use]
    pub fn needs(&self) -> Needs {
        self.kind.map_or(self.call.needs, |kind| kind.needs)
    }

    /// The caller's own id of the request: recorded, never judged.
    #[must_use]
    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// The value of a field; `None` if it is absent and has no default.
    #[must_use]
    pub fn value(&self, field: &Field) -> Option<&Value> {
        self.values.iter().find(|(held, _)| held.number == field.number).map(|(_, value)| value)
    }

    /// The value of a field in its own type.
    #[must_use]
    pub fn get<T: Held>(&self, key: &Key<T>) -> Option<&T::Of> {
        self.value(&key.field).and_then(T::held)
    }

    /// The value of a field that is required or has a default. Otherwise the error names the field.
    ///
    /// # Errors
    /// [`Invalid`]
    pub fn needed<T: Held>(&self, key: &Key<T>) -> Result<&T::Of, Invalid> {
        self.get(key).ok_or_else(|| invalid(key.field.name, "is missing"))
    }

    /// Whether it gives a field another value than its absence would.
    pub(super) fn carries(&self, field: &Field, uid: u32) -> bool {
        let used = self.call.uses(self.kind).find(|used| used.field() == field);
        self.value(field).is_some_and(|value| used.and_then(|used| self.default(used, uid)).as_ref() != Some(value))
    }

    /// The value that the absence of a field stands for, if any.
    #[must_use]
    pub fn default(&self, used: &Use, uid: u32) -> Option<Value> {
        let followed =
            || self.followed.iter().find(|(field, _)| *field == used.field()).map(|(_, value)| value.clone());
        used.absence.constant(uid).or_else(followed)
    }

    /// Sets the value that the absence of a field stands for, and fills it in. For [`Call::settle`].
    pub(crate) fn follow(&mut self, field: &'static Field, value: Value) {
        if self.value(field).is_none() {
            self.settle(field, value.clone());
        }
        self.followed.push((field, value));
    }

    /// Removes a field. For [`Call::settle`], before the request is judged.
    pub(crate) fn remove(&mut self, field: &Field) -> Option<Value> {
        let at = self.values.iter().position(|(held, _)| *held == field)?;
        Some(self.values.remove(at).1)
    }

    /// Sets the value of a field. For [`Call::settle`], before the request is judged.
    pub(crate) fn settle(&mut self, field: &'static Field, value: Value) {
        match self.values.iter_mut().find(|(held, _)| *held == field) {
            Some((_, held)) => *held = value,
            None => self.values.push((field, value)),
        }
    }

    /// Records that the absence of a field leaves nothing open in this request, because another field is given. For
    /// [`Call::settle`].
    pub(crate) fn close(&mut self, field: &'static Field, by: &'static Field) {
        let is_open = self.call.uses(self.kind).any(|used| used.field() == field && self.is_open(used));
        if is_open || self.closed_by(field).next().is_some() {
            self.closed.push((field, by));
        }
    }

    /// Records that a field can have any value in this request, whatever it gives, as [`Call::leaves_open`] does for all
    /// requests. For [`Call::settle`].
    pub(crate) fn open(&mut self, field: &'static Field) {
        self.opened.push(field);
    }

    /// The fields that can have any value. A deny on one of them is always met. An allow considers the given value.
    pub fn leaves_open(&self) -> impl Iterator<Item = &'static Field> {
        self.call.leaves_open.iter().chain(&self.opened).copied()
    }

    /// The fields because of which the absence of this one leaves nothing open.
    pub fn closed_by(&self, field: &Field) -> impl Iterator<Item = &'static Field> {
        self.closed.iter().filter(move |(closed, _)| *closed == field).map(|(_, by)| *by)
    }

    /// How many values the request has for a field: one, or for a field inside a list one for each element. An absent
    /// list that is left open has one unknown element.
    #[must_use]
    pub fn times(&self, used: &Use) -> usize {
        match used.inside().map(|list| (list, self.value(list))) {
            None => 1,
            Some((_, Some(Value::List(elements)))) => elements.len(),
            Some((list, _)) => {
                usize::from(self.call.uses(self.kind).any(|head| head.field() == list && self.is_open(head)))
            }
        }
    }

    /// What it gives for the field, in the element at this position.
    #[must_use]
    pub fn field_value(&self, used: &Use, time: usize) -> FieldValue<'_> {
        let value = match used.inside().map(|list| self.value(list)) {
            None => self.value(used.field()),
            Some(Some(Value::List(elements))) => elements.get(time).and_then(|element| element.value(used.field())),
            Some(_) => return FieldValue::Open,
        };
        match value {
            Some(value) => FieldValue::Value(value),
            None if self.is_open(used) => FieldValue::Open,
            None => FieldValue::Nothing,
        }
    }

    fn is_open(&self, used: &Use) -> bool {
        used.open_when_absent() && self.value(used.field()).is_none() && self.closed_by(used.field()).next().is_none()
    }

    /// Whether a boolean is given and true.
    #[must_use]
    pub fn is_set(&self, key: &Key<bool>) -> bool {
        self.get(key) == Some(&true)
    }

    /// Every field with its value, including defaults, in the order of their declaration.
    pub fn values(&self) -> impl Iterator<Item = (&'static Field, &Value)> {
        self.values.iter().map(|(field, value)| (*field, value))
    }
}

/// Takes the values of the fields inside a list, or of those outside lists, out of `given`.
fn values(
    call: &'static Call,
    kind: Option<&'static Kind>,
    inside: Option<&'static Field>,
    given: &mut BTreeMap<String, &Json>,
    uid: u32,
) -> Result<Vec<(&'static Field, Value)>, Invalid> {
    let mut values = Vec::new();
    for used in call.uses(kind).filter(|used| used.inside() == inside) {
        let field = used.field();
        match (given.remove(field.name), used.absence) {
            (Some(Json::List(list)), _) if matches!(field.ty, Type::List(_)) => {
                require_some(list).map_err(|why| invalid(field.name, why))?;
                let element = |(at, json)| {
                    element(call, kind, field, json, uid)
                        .map_err(|wrong| invalid(&wrong.field, in_element(at, &wrong.reason)))
                };
                values.push((field, Value::List(list.iter().enumerate().map(element).collect::<Result<_, _>>()?)));
            }
            (Some(json), _) => {
                let value = used.ty().read(json).and_then(|value| used.only.require(&value).map(|()| value));
                let value = value.map_err(|reason| invalid(field.name, reason))?;
                if used.naming == Naming::Gives {
                    value.require_new_name().map_err(|reason| invalid(field.name, reason))?;
                }
                values.push((field, value));
            }
            (None, Absence::Default(constant)) => values.push((field, constant.value(uid))),
            (None, Absence::Required) => {
                return Err(invalid(field.name, format!("is missing; expected {}", used.expected())));
            }
            (None, _) => {}
        }
    }
    Ok(values)
}

/// One element of a list of structures.
fn element(
    call: &'static Call,
    kind: Option<&'static Kind>,
    list: &'static Field,
    json: &Json,
    uid: u32,
) -> Result<Element, Invalid> {
    if !matches!(json, Json::Object(_)) {
        return Err(invalid(list.name, format!("is {}, expected an object", json.what())));
    }
    let mut given = BTreeMap::new();
    flatten(call, json, list.name, &mut given)?;
    let values = values(call, kind, Some(list), &mut given, uid)?;
    match given.keys().next() {
        Some(unknown) => Err(invalid(unknown, unknown_field(call, kind, unknown))),
        None => Ok(Element(values)),
    }
}

/// Replaces a list of one element by the fields outside of the list ([`Alone`]), so that one meaning has one spelling.
fn lists_of_one(request: &mut Request, uid: u32) -> Result<(), Invalid> {
    let (call, kind) = (request.call(), request.kind());
    for list in call.uses(kind).filter(|used| matches!(used.field().ty, Type::List(_))).map(|used| used.field()) {
        let inside: Vec<&Use> = call.uses(kind).filter(|used| used.inside() == Some(list)).collect();
        let fits = |used: &&Use| match used.field().alone {
            Some(Alone::Field(outside)) => call.uses(kind).any(|used| used.field() == outside.get()),
            Some(Alone::Always(_)) => true,
            Some(Alone::RangeOf(_) | Alone::MetAs(_)) | None => false,
        };
        let Some(Value::List(elements)) = request.value(list) else { continue };
        if let (true, [one]) = (inside.iter().all(fits), elements.as_slice()) {
            let one = one.clone();
            request.remove(list);
            settle_one(request, list, &inside, &one, uid)?;
        }
    }
    Ok(())
}

/// For two fields that exclude each other: if one is given, the absence of the other leaves nothing open, and it has no default
/// value then. A boolean remains false, unless a list takes its place: who gives `managed` does not give `use`, which is false.
fn one_of_two(request: &mut Request, uid: u32) {
    for (one, other, _) in request.call().excludes {
        for (given, absent) in [(one, other), (other, one)] {
            if request.carries(given, uid) {
                let remains = request.value(absent) == Some(&Value::Bool(false)) && !matches!(given.ty, Type::List(_));
                if !remains {
                    request.remove(absent);
                }
                request.close(absent, given);
            }
        }
    }
}

/// Sets the fields outside of a list to the values of its only element.
fn settle_one(
    request: &mut Request,
    list: &'static Field,
    inside: &[&Use],
    one: &Element,
    uid: u32,
) -> Result<(), Invalid> {
    let mut says = false;
    for used in inside {
        let Some(value) = one.value(used.field()) else { continue };
        match used.field().alone {
            Some(Alone::Field(outside)) => {
                says |= used.absence.constant(uid).as_ref() != Some(value);
                request.settle(outside.get(), value.clone());
            }
            Some(Alone::Always(constant)) if constant.value(uid) == *value => {}
            Some(Alone::Always(constant)) => {
                let why = format!("is {value}; it must be {} in a list of one element", constant.value(uid));
                return Err(Invalid::new(used.field().name, why));
            }
            Some(Alone::RangeOf(_) | Alone::MetAs(_)) | None => {}
        }
    }
    if says { Ok(()) } else { Err(Invalid::new(list.name, "has one element, which specifies nothing; leave it out")) }
}

fn read(field: &'static Field, json: &Json) -> Result<Value, Invalid> {
    field.ty.read(json).map_err(|reason| invalid(field.name, reason))
}

fn read_reference(json: &Json) -> Result<String, Invalid> {
    match json {
        Json::String(text)
            if (1..=REFERENCE_BYTES).contains(&text.len())
                && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) =>
        {
            Ok(text.clone())
        }
        _ => Err(invalid("reference", format!("must be 1 to {REFERENCE_BYTES} bytes of printable ASCII"))),
    }
}

/// Flattens nested objects, so that each value has the full name of its field. Null is absence, at any depth.
fn flatten<'a>(call: &Call, json: &'a Json, under: &str, into: &mut BTreeMap<String, &'a Json>) -> Result<(), Invalid> {
    let pairs = match json {
        Json::Null => return Ok(()),
        Json::Object(pairs) => pairs,
        Json::Unfit(why) => return Err(invalid(under, *why)),
        other => return Err(invalid(under, format!("is {}, expected an object", other.what()))),
    };
    let members = Json::members(pairs).map_err(|key| invalid(&join(under, key), "is given twice"))?;
    for (key, value) in members {
        let name = join(under, key);
        let prefix = format!("{name}.");
        if key.contains('.') {
            return Err(invalid(&name, "must not contain a dot; give a nested field as a member of an object"));
        }
        // A call without the list may have a field that is inside the list elsewhere.
        let has_inside = call.all_uses().any(|used| used.inside().is_none() && used.field().name.starts_with(&prefix));
        let is_list = !has_inside && field::by_name(&name).is_some_and(|field| matches!(field.ty, Type::List(_)));
        // Likewise, `vlan` is a number in some calls, and an object in others.
        let is_value = !has_inside && call.all_uses().any(|used| used.field().name == name);
        if !is_list && !is_value && field::FIELDS.iter().any(|field| field.name.starts_with(&prefix)) {
            flatten(call, value, &name, into)?;
        } else if *value != Json::Null {
            into.insert(name, value);
        }
    }
    Ok(())
}

fn join(under: &str, key: &str) -> String {
    let key = shown(key);
    if under.is_empty() { key } else { format!("{under}.{key}") }
}

fn not_a_kind(call: &Call, word: &Value) -> String {
    let kinds: Vec<&str> = call.kinds.iter().map(|kind| kind.name).collect();
    format!("`{word}` is not a kind that {} takes; it takes {}", call.name, kinds.join(", "))
}

fn unknown_field(call: &Call, kind: Option<&Kind>, name: &str) -> String {
    let kinds: Vec<&str> =
        call.kinds.iter().filter(|k| k.uses.iter().any(|u| u.field().name == name)).map(|k| k.name).collect();
    match (kinds.first(), kind) {
        (Some(_), Some(kind)) => {
            format!("is not a field of kind {}; it belongs to kind {}", kind.name, kinds.join(", "))
        }
        (Some(_), None) => format!("needs `kind`; it belongs to kind {}", kinds.join(", ")),
        _ => format!("is not a field of {}", call.name),
    }
}

#[cfg(test)]
mod tests;
