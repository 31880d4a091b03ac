// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An object as the kernel reports it.
#![forbid(unsafe_code)]

use serde_json::{Map, Value as Json};

use super::super::answer::{find, until_nul};
use super::super::inet::all;
use super::{View, attribute, form};
use crate::call::field::Field;
use crate::call::object::{Compared, Form, Object, Place, Reported, Row, Width};
use crate::call::value::Value;

/// One object of an answer.
#[derive(Debug, Clone)]
pub(in crate::netlink) struct Seen {
    head: usize,
    payload: Vec<u8>,
    /// Attributes that mean something else than their bytes say: their type, and the bytes that count, if any.
    instead: Vec<(u16, Option<Vec<u8>>)>,
}

impl Seen {
    /// Takes a message of this object; `None` where it does not parse.
    pub(in crate::netlink) fn new(object: &Object, payload: &[u8]) -> Option<Self> {
        find(payload.get(object.head..)?, 0)?; // every length fits
        Some(Self { head: object.head, payload: payload.to_vec(), instead: Vec::new() })
    }

    /// `AF_…`
    pub(in crate::netlink) fn family(&self) -> u8 {
        self.payload.first().copied().unwrap_or_default()
    }

    /// The bytes of the header from an offset on.
    pub(in crate::netlink) fn head(&self, at: usize) -> &[u8] {
        self.payload.get(at..self.head).unwrap_or_default()
    }

    /// The attributes.
    pub(in crate::netlink) fn attributes(&self) -> &[u8] {
        self.payload.get(self.head..).unwrap_or_default()
    }

    /// The payload of an attribute.
    pub(in crate::netlink) fn get(&self, kind: u16) -> Option<&[u8]> {
        match self.instead.iter().find(|(of, _)| *of == kind) {
            Some((_, bytes)) => bytes.as_deref(),
            None => find(self.attributes(), kind).flatten(),
        }
    }

    /// Takes other bytes for an attribute, or none.
    pub(in crate::netlink) fn instead(&mut self, kind: u16, bytes: Option<Vec<u8>>) {
        self.instead.push((kind, bytes));
    }

    /// The payload at the end of a path; the outer `None` where something on the way does not parse.
    fn at(&self, path: &[u32]) -> Option<Option<&[u8]>> {
        let Some((first, rest)) = path.split_first() else { return Some(None) };
        let (kind, mut head) = attribute(*first);
        let Some(mut bytes) = self.get(kind) else { return Some(None) };
        for step in rest {
            let (kind, next) = attribute(*step);
            match find(bytes.get(head..)?, kind)? {
                Some(inner) => (bytes, head) = (inner, next),
                None => return Some(None),
            }
        }
        Some(Some(bytes))
    }

    /// The bytes of a row's value; the outer `None` where they do not parse.
    fn bytes(&self, row: &Row) -> Option<Option<&[u8]>> {
        match row.place {
            Place::Head(at) => Some(Some(self.head(at))),
            Place::Attribute(path) => self.at(path),
            Place::Inside(path, at, _) => self.at(path)?.map_or(Some(None), |bytes| bytes.get(at..).map(Some)),
            Place::Code => Some(None),
        }
    }

    /// What a result reports of a row; the outer `None` where the message is not as the kernel writes it.
    pub(in crate::netlink) fn value(&self, row: &Row) -> Option<Option<Json>> {
        let byte = |at: usize| self.head(at).first().copied();
        let (length, family) = match row.form {
            Form::Interface(at) | Form::Prefix(at) => (byte(at)?, self.family()),
            _ => (0, 0),
        };
        let always = row.reported == Reported::Always;
        let value = match (self.bytes(row)?, row.form) {
            (Some(bytes), _) => form::read(row, bytes, length, family)?,
            (None, Form::Compact(at)) => Some(byte(at)?.into()),
            (None, Form::Bit(..)) => Some(false.into()),
            (None, Form::OrZero(_)) => Some(0.into()),
            (None, Form::Flags(..)) => Some(Json::Array(Vec::new())),
            (None, Form::Prefix(_)) if always && length == 0 => Some(all(family)?.to_string().into()),
            (None, _) => None,
        };
        if always && value.is_none() && !matches!(row.place, Place::Code) { None } else { Some(value) }
    }

    /// The number at a row's place.
    pub(in crate::netlink) fn number(&self, row: &Row, width: Width) -> Option<u64> {
        form::number(width, self.bytes(row)??)
    }

    /// What a result reports, by these rows, whose names begin so; `None` where the message is not as the kernel writes it.
    pub(in crate::netlink) fn report(
        &self,
        rows: impl IntoIterator<Item = &'static Row>,
        under: &str,
    ) -> Option<Map<String, Json>> {
        let mut result = Map::new();
        for row in rows.into_iter().filter(|row| row.reported != Reported::Never) {
            if let (Some(value), Some(name)) = (self.value(row)?, row.name().strip_prefix(under)) {
                insert(&mut result, name, value);
            }
        }
        Some(result)
    }

    /// The first field in which the object is not as given. A field that identifies it and is not given is a difference
    /// where the object has it, unless absence means any.
    pub(in crate::netlink) fn difference(
        &self,
        rows: &(impl IntoIterator<Item = &'static Row> + Clone),
        given: View<'_>,
        absence_is_any: bool,
    ) -> Option<&'static Field> {
        let of = |field: &'static Field| rows.clone().into_iter().filter(move |row| row.field() == Some(field));
        let differs = |field: &'static Field| match given.value(field) {
            Some(value) => !of(field).any(|row| self.agrees(row, field, value, given)),
            None => {
                !absence_is_any
                    && of(field).any(|row| {
                        row.compared == Compared::Identity
                            && self.value(row).flatten().is_some_and(|v| v != Json::Bool(false))
                    })
            }
        };
        let fields = rows.clone().into_iter().filter(|row| row.compared != Compared::Never).filter_map(Row::field);
        fields.into_iter().find(|field| differs(field))
    }

    fn agrees(&self, row: &Row, field: &Field, given: &Value, all: View<'_>) -> bool {
        let own = || self.value(row).flatten();
        match (row.form, given) {
            (Form::Link, _) => self.number(row, Width::Four) == all.number(field).map(u64::from),
            (Form::Ticks(_), Value::Number(given)) => {
                own().and_then(|own| own.as_u64()).is_some_and(|own| own.abs_diff(*given) <= 1)
            }
            (Form::WordNumber(width) | Form::Flags(width, _), Value::Word(word)) => {
                self.number(row, width) == row.words().and_then(|words| words.number(word)).map(u64::from)
            }
            (Form::Prefix(_), Value::InterfaceAddress(given)) if given.length == 0 && own().is_none() => true,
            (Form::Positive(_), Value::Number(given)) => own().and_then(|own| own.as_u64()).unwrap_or(0) == *given,
            (Form::Text, Value::Text(text)) => {
                let own = self.bytes(row).flatten().map_or(&b""[..], until_nul);
                own == text.as_str().as_bytes()
            }
            _ => own() == Some(given.json()),
        }
    }
}

/// Puts a value into a result under its name; a dot leads into an object. Lists of two rows are one.
pub(in crate::netlink) fn insert(result: &mut Map<String, Json>, name: &str, value: Json) {
    match name.split_once('.') {
        None => match (result.get_mut(name), value) {
            (Some(Json::Array(first)), Json::Array(more)) => first.extend(more),
            (Some(_), _) => {}
            (None, value) => drop(result.insert(name.to_owned(), value)),
        },
        Some((head, rest)) => {
            let inner = result.entry(head).or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}
