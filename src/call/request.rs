// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A request: one call with its fields, parsed by their declaration, defaults filled in. Nothing is guessed or cut.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use super::field::{self, Alone, Field, Key};
use super::json::Json;
use super::types::Type;
use super::value::{Element, Held, Value, in_element, require_some, shown};
use super::{Absence, Call, Kind, Naming, Needs, Use};

/// Bytes of a `reference`: the caller's own id of the request.
const REFERENCE_BYTES: usize = 64;

/// A request that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The field; empty where the request as a whole is meant.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Invalid {
    /// Wrong in this field, for this reason.
    #[must_use]
    pub fn new(field: &str, reason: impl Into<String>) -> Self {
        Self { field: field.to_owned(), reason: reason.into() }
    }
}

fn invalid(field: &str, reason: impl Into<String>) -> Invalid {
    Invalid::new(field, reason)
}

/// What a request says of a field.
#[derive(Debug, Clone, Copy)]
pub enum FieldValue<'a> {
    /// This value, which may be a default.
    Value(&'a Value),
    /// Nothing, and that leaves open which object is meant: every value is possible.
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
    /// Absent fields that leave nothing open here, whatever their declaration says, each with the one that closes it.
    closed: Vec<(&'static Field, &'static Field)>,
    /// What absence stands for in this request, of fields that the others decide ([`Absence::Follows`]).
    followed: Vec<(&'static Field, Value)>,
    reference: Option<String>,
}

impl Request {
    /// Reads the parameters of a call; `uid` is the caller's, for the defaults that are his.
    ///
    /// # Errors
    /// [`Invalid`] naming the field: unknown, there twice, of another type, out of range, missing, or
    /// not together with another one.
    pub fn parse(call: &'static Call, parameters: &Json, uid: u32) -> Result<Self, Invalid> {
        let mut given = BTreeMap::new();
        flatten(parameters, "", &mut given)?;
        let reference = given.remove("reference").map(read_reference).transpose()?;
        let kind = match call.kinds.by.and_then(|by| Some((by, given.get(by.name)?))) {
            Some((by, json)) => {
                let word = read(by, json)?;
                call.kind(&word.to_string())
            }
            _ => None,
        };
        let values = values(call, kind, None, &mut given, uid)?;
        if let Some(unknown) = given.keys().next() {
            return Err(invalid(unknown, unknown_field(call, kind, unknown)));
        }
        let mut request = Self { call, kind, values, closed: Vec::new(), followed: Vec::new(), reference };
        for (one, other, why) in call.excludes {
            if request.carries(one, uid) && request.carries(other, uid) {
                return Err(invalid(one.name, format!("stands together with `{}`: {why}", other.name)));
            }
        }
        lists_of_one(&mut request, uid)?;
        one_of_two(&mut request, uid);
        (call.settle)(&mut request)?;
        kind.map_or(Ok(()), |kind| (kind.settle)(&mut request))?;
        request.values.sort_by_key(|(field, _)| call.uses(kind).position(|used| used.field == *field));
        Ok(request)
    }

    /// A request with these values, whether or not they go together.
    #[cfg(test)]
    pub(crate) fn of_any(
        call: &'static Call,
        kind: Option<&'static Kind>,
        values: Vec<(&'static Field, Value)>,
        reference: Option<String>,
    ) -> Self {
        Self { call, kind, values, closed: Vec::new(), followed: Vec::new(), reference }
    }

    /// The call.
    #[must_use]
    pub fn call(&self) -> &'static Call {
        self.call
    }

    /// Its variety, where it has some.
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

    /// The value of a field; `None` where it is absent and has no default.
    #[must_use]
    pub fn value(&self, field: &Field) -> Option<&Value> {
        self.values.iter().find(|(held, _)| held.number == field.number).map(|(_, value)| value)
    }

    /// The value of a field in its own type.
    #[must_use]
    pub fn get<T: Held>(&self, key: &Key<T>) -> Option<&T::Of> {
        self.value(&key.field).and_then(T::held)
    }

    /// The value of a field that its declaration makes always present; the error names it otherwise.
    ///
    /// # Errors
    /// [`Invalid`]
    pub fn needed<T: Held>(&self, key: &Key<T>) -> Result<&T::Of, Invalid> {
        self.get(key).ok_or_else(|| invalid(key.field.name, "is missing"))
    }

    /// Whether it says more of a field than absence would.
    pub(super) fn carries(&self, field: &Field, uid: u32) -> bool {
        let used = self.call.uses(self.kind).find(|used| used.field == field);
        self.value(field).is_some_and(|value| used.and_then(|used| self.default(used, uid)).as_ref() != Some(value))
    }

    /// What absence of a field stands for, where it stands for a value.
    #[must_use]
    pub fn default(&self, used: &Use, uid: u32) -> Option<Value> {
        let followed = || self.followed.iter().find(|(field, _)| *field == used.field).map(|(_, value)| value.clone());
        used.absence.constant(uid).or_else(followed)
    }

    /// Says what the absence of a field stands for by the other ones, and fills it in: for [`Call::settle`].
    pub(crate) fn follow(&mut self, field: &'static Field, value: Value) {
        if self.value(field).is_none() {
            self.settle(field, value.clone());
        }
        self.followed.push((field, value));
    }

    /// Takes a field away: for [`Call::settle`], before anything is judged.
    pub(crate) fn remove(&mut self, field: &Field) -> Option<Value> {
        let at = self.values.iter().position(|(held, _)| *held == field)?;
        Some(self.values.remove(at).1)
    }

    /// Gives a field a value, or another one: for [`Call::settle`], before anything is judged.
    pub(crate) fn settle(&mut self, field: &'static Field, value: Value) {
        match self.values.iter_mut().find(|(held, _)| *held == field) {
            Some((_, held)) => *held = value,
            None => self.values.push((field, value)),
        }
    }

    /// Says that the absence of a field leaves nothing open in this request, because of another one that is given: for
    /// [`Call::settle`].
    pub(crate) fn close(&mut self, field: &'static Field, by: &'static Field) {
        let is_open = self.call.uses(self.kind).any(|used| used.field == field && self.is_open(used));
        if is_open || self.closed_by(field).next().is_some() {
            self.closed.push((field, by));
        }
    }

    /// The fields on account of which the absence of this one leaves nothing open.
    pub fn closed_by(&self, field: &Field) -> impl Iterator<Item = &'static Field> {
        self.closed.iter().filter(move |(closed, _)| *closed == field).map(|(_, by)| *by)
    }

    /// How many times the request speaks of a field: once, or, of a field inside a list, once for each element. A list
    /// whose absence leaves it open has one, of which nothing is known.
    #[must_use]
    pub fn times(&self, used: &Use) -> usize {
        match used.inside.map(|list| (list, self.value(list))) {
            None => 1,
            Some((_, Some(Value::List(elements)))) => elements.len(),
            Some((list, _)) => {
                usize::from(self.call.uses(self.kind).any(|head| head.field == list && self.is_open(head)))
            }
        }
    }

    /// What it says of the field, this time.
    #[must_use]
    pub fn field_value(&self, used: &Use, time: usize) -> FieldValue<'_> {
        let value = match used.inside.map(|list| self.value(list)) {
            None => self.value(used.field),
            Some(Some(Value::List(elements))) => elements.get(time).and_then(|element| element.value(used.field)),
            Some(_) => return FieldValue::Open,
        };
        match value {
            Some(value) => FieldValue::Value(value),
            None if self.is_open(used) => FieldValue::Open,
            None => FieldValue::Nothing,
        }
    }

    fn is_open(&self, used: &Use) -> bool {
        used.open_when_absent() && self.value(used.field).is_none() && self.closed_by(used.field).next().is_none()
    }

    /// Whether a boolean is there and true.
    #[must_use]
    pub fn is_set(&self, key: &Key<bool>) -> bool {
        self.get(key) == Some(&true)
    }

    /// Every field with its value, defaults among them, in the order of the declaration.
    pub fn values(&self) -> impl Iterator<Item = (&'static Field, &Value)> {
        self.values.iter().map(|(field, value)| (*field, value))
    }
}

/// The values of the fields inside a list, or of those that are in none, taken out of `given`.
fn values(
    call: &'static Call,
    kind: Option<&'static Kind>,
    inside: Option<&'static Field>,
    given: &mut BTreeMap<String, &Json>,
    uid: u32,
) -> Result<Vec<(&'static Field, Value)>, Invalid> {
    let mut values = Vec::new();
    for used in call.uses(kind).filter(|used| used.inside == inside) {
        let field = used.field;
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
                let value = read(field, json)?;
                if used.naming == Naming::Gives {
                    value.require_new_name().map_err(|reason| invalid(field.name, reason))?;
                }
                values.push((field, value));
            }
            (None, Absence::Default(constant)) => values.push((field, constant.value(uid))),
            (None, Absence::Required) => {
                return Err(invalid(field.name, format!("is missing: {}", field.doc.trim())));
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
    flatten(json, list.name, &mut given)?;
    let values = values(call, kind, Some(list), &mut given, uid)?;
    match given.keys().next() {
        Some(unknown) => Err(invalid(unknown, unknown_field(call, kind, unknown))),
        None => Ok(Element(values)),
    }
}

/// What can be said by a list or by fields of its own is said in one way only: a list of one becomes these fields
/// ([`Alone`]).
fn lists_of_one(request: &mut Request, uid: u32) -> Result<(), Invalid> {
    let (call, kind) = (request.call(), request.kind());
    for list in call.uses(kind).filter(|used| matches!(used.field.ty, Type::List(_))).map(|used| used.field) {
        let inside: Vec<&Use> = call.uses(kind).filter(|used| used.inside == Some(list)).collect();
        let fits = |used: &&Use| match used.field.alone {
            Some(Alone::Field(outside)) => call.uses(kind).any(|used| used.field == outside),
            Some(Alone::Always(_)) => true,
            None => false,
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

/// Of two fields that are not given together, the one that is given takes the place of the other, whose absence leaves
/// nothing open then; nor does it have a default.
fn one_of_two(request: &mut Request, uid: u32) {
    for (one, other, _) in request.call().excludes {
        for (given, absent) in [(one, other), (other, one)] {
            if request.carries(given, uid) {
                request.remove(absent);
                request.close(absent, given);
            }
        }
    }
}

/// Gives the fields outside of a list what its only element says.
fn settle_one(
    request: &mut Request,
    list: &'static Field,
    inside: &[&Use],
    one: &Element,
    uid: u32,
) -> Result<(), Invalid> {
    let mut says = false;
    for used in inside {
        let Some(value) = one.value(used.field) else { continue };
        match used.field.alone {
            Some(Alone::Field(outside)) => {
                says |= used.absence.constant(uid).as_ref() != Some(value);
                request.settle(outside, value.clone());
            }
            Some(Alone::Always(constant)) if constant.value(uid) == *value => {}
            Some(Alone::Always(constant)) => {
                let why = format!("is {value}, but must be {} in a list of one element", constant.value(uid));
                return Err(Invalid::new(used.field.name, why));
            }
            None => {}
        }
    }
    if says { Ok(()) } else { Err(Invalid::new(list.name, "has one element, which says nothing: leave it out")) }
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
        _ => Err(invalid("reference", format!("is not 1 to {REFERENCE_BYTES} bytes of printable ASCII"))),
    }
}

/// Lays nested objects flat, so that every value stands under the name of its field; null is absence, at any depth.
fn flatten<'a>(json: &'a Json, under: &str, into: &mut BTreeMap<String, &'a Json>) -> Result<(), Invalid> {
    let pairs = match json {
        Json::Null => return Ok(()),
        Json::Object(pairs) => pairs,
        Json::Unfit(why) => return Err(invalid(under, *why)),
        other => return Err(invalid(under, format!("is {}, expected an object", other.what()))),
    };
    let members = Json::members(pairs).map_err(|key| invalid(&join(under, key), "stands there twice"))?;
    for (key, value) in members {
        let name = join(under, key);
        let prefix = format!("{name}.");
        if key.contains('.') {
            return Err(invalid(&name, "has a dot: a nested field stands in an object of its own"));
        }
        let is_list = field::by_name(&name).is_some_and(|field| matches!(field.ty, Type::List(_)));
        if !is_list && field::FIELDS.iter().any(|field| field.name.starts_with(&prefix)) {
            flatten(value, &name, into)?;
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

fn unknown_field(call: &Call, kind: Option<&Kind>, name: &str) -> String {
    let kinds: Vec<&str> =
        call.kinds.iter().filter(|k| k.uses.iter().any(|u| u.field.name == name)).map(|k| k.name).collect();
    match (kinds.first(), kind) {
        (Some(_), Some(kind)) => format!("is no field of kind {}; kind {} has it", kind.name, kinds.join(", ")),
        (Some(_), None) => format!("needs `kind`: {} has it", kinds.join(", ")),
        _ => format!("is no field of {}", call.name),
    }
}

#[cfg(test)]
mod tests;
