// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Requests, and everything that can be requested of a call in the small world.

use std::fmt;

use super::universe::{OPENED, caller, is_outside_of, values, varieties};
use crate::call::field::{Field, GATEWAY, KIND, LINK, UP};
use crate::call::json::Json;
use crate::call::request::{Invalid, Request};
use crate::call::types::Type;
use crate::call::value::{Element, Value};
use crate::call::{Absence, Call, Kind, Use};

/// A request before it is read: a call, and the values of some of its fields.
#[derive(Clone)]
pub(super) struct Question {
    pub(super) call: &'static Call,
    pub(super) kind: Option<&'static Kind>,
    pub(super) given: Vec<(&'static Field, Value)>,
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.call.name)?;
        self.given.iter().try_for_each(|(field, value)| write!(f, " {}={value}", field.name))
    }
}

impl Question {
    pub(super) fn value(&self, field: &Field) -> Option<&Value> {
        self.given.iter().find(|(given, _)| *given == field).map(|(_, value)| value)
    }

    /// The elements of a list.
    pub(super) fn elements(&self, list: &Field) -> &[Element] {
        match self.value(list) {
            Some(Value::List(elements)) => elements,
            _ => &[],
        }
    }

    /// The values of a field: one, or one for each element of its list.
    pub(super) fn said(&self, used: &Use) -> Vec<Option<&Value>> {
        match used.inside() {
            None => vec![self.value(used.field())],
            Some(list) => self.elements(list).iter().map(|element| element.value(used.field())).collect(),
        }
    }

    /// The same without a field, also inside of elements.
    pub(super) fn without(&self, field: &Field) -> Self {
        let mut given: Vec<_> = self.given.iter().filter(|(given, _)| *given != field).cloned().collect();
        for (_, value) in &mut given {
            if let Value::List(elements) = value {
                elements.iter_mut().for_each(|element| element.0.retain(|(inner, _)| *inner != field));
            }
        }
        Self { given, ..*self }
    }

    pub(super) fn with(&self, field: &'static Field, value: Value) -> Self {
        let mut with = self.without(field);
        with.given.push((field, value));
        with
    }

    /// The same with this value where the field is absent; one result for each such place.
    pub(super) fn saying(&self, used: &Use, value: &Value) -> Vec<Self> {
        let Some(list) = used.inside() else {
            return self
                .value(used.field())
                .is_none()
                .then(|| self.with(used.field(), value.clone()))
                .into_iter()
                .collect();
        };
        let elements = self.elements(list);
        let silent = (0..elements.len()).filter(|n| elements[*n].value(used.field()).is_none());
        let saying = silent.map(|n| {
            let mut elements = elements.to_vec();
            elements[n].0.push((used.field(), value.clone()));
            self.with(list, Value::List(elements))
        });
        saying.collect()
    }

    /// The same without a list of one element, where fields outside of the list can give the same.
    pub(super) fn settled(&self) -> Self {
        let list = |(field, value): &(&'static Field, Value)| match value {
            Value::List(elements) if elements.len() == 1 => Some((*field, elements[0].clone())),
            _ => None,
        };
        let Some((list, one)) = self.given.iter().find_map(list) else { return self.clone() };
        let outside = |inside: &Field| {
            self.call.uses(self.kind).map(|used| used.field()).find(|outside| is_outside_of(outside, inside))
        };
        let mut inside = self.call.uses(self.kind).filter(|used| used.inside() == Some(list)).map(|used| used.field());
        if !inside.all(|field| field.name.ends_with(".weight") || outside(field).is_some()) {
            return self.clone();
        }
        let said = one.0.iter().filter_map(|(field, value)| Some((outside(field)?, value)));
        said.fold(self.without(list), |settled, (field, value)| settled.with(field, value.clone()))
    }

    /// The request as the broker reads it from the wire.
    pub(super) fn request(&self) -> Request {
        self.read().unwrap()
    }

    /// The same, where the fields of a real call may exclude each other.
    pub(super) fn read(&self) -> Result<Request, Invalid> {
        let mut object = serde_json::Map::new();
        for (field, value) in &self.given {
            match field.name.split_once('.') {
                None => drop(object.insert(field.name.to_owned(), value.json())),
                Some((outer, inner)) => {
                    let nested = object.entry(outer).or_insert_with(|| serde_json::json!({}));
                    nested.as_object_mut().unwrap().insert(inner.to_owned(), value.json());
                }
            }
        }
        let text = serde_json::Value::Object(object).to_string();
        Request::parse(self.call, &Json::parse(text.as_bytes()).unwrap(), caller().uid)
    }
}

/// Everything that can be requested of a call here, each in one way.
pub(super) fn everything_asked(call: &'static Call) -> Vec<Question> {
    let mut all = Vec::new();
    for kind in varieties(call) {
        let mut partial = vec![Question { call, kind, given: Vec::new() }];
        for used in call.uses(kind).filter(|used| used.inside().is_none()) {
            let fits =
                |value: &Value| used.field() != &KIND.field || kind.is_some_and(|k| *value == Value::Word(k.name));
            let values: Vec<Value> = values_in(call, kind, used).into_iter().filter(fits).collect();
            let mut next = Vec::new();
            for asked in partial {
                next.extend(values.iter().map(|value| asked.with(used.field(), value.clone())));
                if !matches!(used.absence, Absence::Required) {
                    next.push(asked);
                }
            }
            partial = next;
        }
        all.extend(partial);
    }
    all.retain(|asked| asked.read().is_ok() && asked.settled().given == asked.given);
    all
}

/// The values that a field of a call can have here.
pub(super) fn values_in(call: &'static Call, kind: Option<&'static Kind>, used: &Use) -> Vec<Value> {
    match used.field().ty {
        Type::List(_) => lists(&elements(call, kind, used.field())),
        _ => values(used.field()),
    }
}

/// Lists of each element alone, and of some pairs, including pairs of one element with itself.
fn lists(elements: &[Element]) -> Vec<Value> {
    let some = || elements.iter().step_by(elements.len() / 5 + 1);
    let pairs = some().flat_map(|one| some().map(|other| vec![one.clone(), other.clone()]));
    elements.iter().map(|element| vec![element.clone()]).chain(pairs).map(Value::List).collect()
}

/// Everything that one element of a list can hold.
fn elements(call: &'static Call, kind: Option<&'static Kind>, list: &Field) -> Vec<Element> {
    let mut partial = vec![Element::default()];
    for used in call.uses(kind).filter(|used| used.inside() == Some(list)) {
        let with = |element: &Element, value| Element([&element.0[..], &[(used.field(), value)]].concat());
        let saying = |element: &Element| values(used.field()).into_iter().map(|value| with(element, value)).collect();
        let silent = if matches!(used.absence, Absence::Required) { Vec::new() } else { partial.clone() };
        partial = partial.iter().flat_map(|element| -> Vec<Element> { saying(element) }).chain(silent).collect();
    }
    partial
}

/// The fields that can have any value in a request, whatever it gives.
pub(super) fn left_open(asked: &Question) -> Vec<&'static Field> {
    let is_open = asked.call.number == OPENED.number && asked.value(&UP.field) == Some(&Value::Bool(true));
    let opened: &[&Field] = if is_open { &[&LINK.field, &GATEWAY.field] } else { &[] };
    asked.call.leaves_open.iter().chain(opened).copied().collect()
}
