// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An object as the kernel reports it.
#![forbid(unsafe_code)]

use std::borrow::Cow;

use nix::errno::Errno;

use super::super::answer::{attributes, find, u16_at, until_nul};
use super::super::inet::all;
use super::decoded::Decoded;
use super::text::Members;
use super::{ENCAP, ENCAP_TYPE, Given, View, attribute, form};
use crate::call::field::Field;
use crate::call::object::{Adjusted, Compared, Form, Object, Place, Reported, Row, Width};
use crate::call::value::Value;
use crate::refusal::{Refusal, system};

/// Attributes of types below this number are found by an index. The types of links go to about 70.
const INDEXED: usize = 80;
/// Attributes begin at multiples of this many bytes (`NLA_ALIGNTO`).
const ALIGNMENT: usize = 4;
/// `IFLA_LINKINFO`, `IFLA_INFO_SLAVE_DATA`
const LINKINFO: u32 = 18;
const INFO_SLAVE_DATA: u32 = 5;
/// Bytes of the header of an attribute (`struct nlattr`).
const HEADER: usize = 4;

/// One object of an answer.
#[derive(Debug, Clone)]
pub(in crate::netlink) struct Seen<'a> {
    head: usize,
    payload: Cow<'a, [u8]>,
    /// Where the first attribute of each type is, in units of [`ALIGNMENT`] and counted from 1; 0 where it is absent.
    /// Without this index, each row would walk through all attributes, and a link has about fifty.
    index: [u16; INDEXED],
    /// Attributes that mean something other than their bytes: their type, and the bytes to use in their place, if any.
    instead: Vec<(u16, Option<Vec<u8>>)>,
}

/// A source of the names of links.
pub(in crate::netlink) trait LinkNames {
    /// The name of the link of an index, as JSON text; `None` where no such link exists.
    ///
    /// # Errors
    /// The look-up failed.
    fn name(&mut self, index: i32) -> Result<Option<&str>, Refusal>;
}

impl<'a> Seen<'a> {
    /// Takes a message of this object; `None` where it does not parse.
    pub(in crate::netlink) fn new(object: &Object, payload: &'a [u8]) -> Option<Self> {
        let mut index = [0; INDEXED];
        let whole = payload.get(object.head..)?;
        let mut at = object.head;
        for attribute in attributes(whole) {
            let (kind, bytes) = attribute?; // so every attribute's length fits
            if let Some(place @ 0) = index.get_mut(usize::from(kind)) {
                *place = u16::try_from(at / ALIGNMENT + 1).ok()?;
            }
            at += (HEADER + bytes.len()).next_multiple_of(ALIGNMENT);
        }
        Some(Self { head: object.head, payload: payload.into(), index, instead: Vec::new() })
    }

    /// Takes ownership of the bytes.
    pub(in crate::netlink) fn into_owned(self) -> Seen<'static> {
        Seen { payload: self.payload.into_owned().into(), ..self }
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
            None => self.find(kind),
        }
    }

    fn find(&self, kind: u16) -> Option<&[u8]> {
        let Some(place) = self.index.get(usize::from(kind)) else { return find(self.attributes(), kind).flatten() };
        let at = usize::from(place.checked_sub(1)?) * ALIGNMENT;
        let length = usize::from(u16_at(&self.payload, at)?);
        self.payload.get(at + HEADER..at + length)
    }

    /// Uses other bytes for an attribute, or treats it as absent.
    pub(in crate::netlink) fn instead(&mut self, kind: u16, bytes: Option<Vec<u8>>) {
        self.instead.push((kind, bytes));
    }

    /// The payload at the end of a path; the outer `None` where an attribute on the path does not parse.
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
            Place::Attribute(path) => self.at(&path),
            // A kernel that does not know the last parts of a structure has a shorter one.
            Place::Inside(path, at, _) => match self.at(&path)? {
                Some(bytes) => Some(Some(bytes.get(at..)?).filter(|rest| at == 0 || !rest.is_empty())),
                None => Some(None),
            },
            Place::Port(attribute) => self.at(&[LINKINFO, INFO_SLAVE_DATA, attribute]),
            Place::Encap(_, attribute) => self.at(&[ENCAP, attribute]),
            Place::Code => Some(None),
        }
    }

    /// Whether this is the kind of the encapsulation of a route.
    pub(in crate::netlink) fn is_encapsulated_by(&self, kind: u16) -> bool {
        self.get(ENCAP_TYPE).is_some_and(|own| own == kind.to_ne_bytes())
    }

    /// The decoded value of a row; the outer `None` where the message is not as the kernel writes it.
    pub(in crate::netlink) fn value(&self, row: &Row) -> Option<Option<Decoded<'_>>> {
        if matches!(row.place, Place::Encap(kind, _) if !self.is_encapsulated_by(kind)) {
            return Some(None);
        }
        let byte = |at: usize| self.head(at).first().copied();
        let (length, family) = match row.form {
            Form::Interface(at) | Form::Prefix(at) => (byte(at)?, self.family()),
            _ => (0, 0),
        };
        let always = row.reported == Reported::Always;
        let value = match (self.bytes(row)?, row.form) {
            (Some(bytes), _) => form::read(row, bytes, length, family)?,
            (None, Form::Compact(at)) => Some(Decoded::Number(byte(at)?.into())),
            (None, Form::Bit(..) | Form::Present) => Some(Decoded::Truth(false)),
            (None, Form::Absent) => Some(Decoded::Truth(true)),
            (None, Form::OrZero(_)) => Some(Decoded::Number(0)),
            (None, Form::Flags(_, words)) => Some(Decoded::Set(words, 0)),
            (None, Form::Prefix(_)) if always && length == 0 => Some(Decoded::Prefix(all(family)?)),
            (None, _) => None,
        };
        if always && value.is_none() && !matches!(row.place, Place::Code) { None } else { Some(value) }
    }

    /// The number at a row's place.
    pub(in crate::netlink) fn number(&self, row: &Row, width: Width) -> Option<u64> {
        form::number(width, self.bytes(row)??)
    }

    /// Whether everything that results report by these rows is as the kernel writes it.
    pub(in crate::netlink) fn parses(&self, rows: impl IntoIterator<Item = &'static Row>) -> bool {
        rows.into_iter().filter(|row| row.reported != Reported::Never).all(|row| self.value(row).is_some())
    }

    /// Writes an object with the members that a result reports by these rows, as [`Self::report`].
    ///
    /// # Errors
    /// As [`Self::report`].
    pub(in crate::netlink) fn write(
        &self,
        rows: impl IntoIterator<Item = &'static Row>,
        step: &'static str,
        names: &mut dyn LinkNames,
        text: &mut String,
    ) -> Result<(), Refusal> {
        let mut members = Members::begin(text);
        self.report(rows, "", step, names, &mut members)?;
        members.end();
        Ok(())
    }

    /// Writes the members that a result reports by these rows, where the names of the members begin with `under`.
    /// `names` has the names of the links that rows refer to by index; a link that no longer exists is reported by its
    /// index only. `step` names the step that fails where the message is not as the kernel writes it.
    ///
    /// # Errors
    /// [`Refusal::SystemError`] for such a message; what `names` fails with.
    pub(in crate::netlink) fn report(
        &self,
        rows: impl IntoIterator<Item = &'static Row>,
        under: &str,
        step: &'static str,
        names: &mut dyn LinkNames,
        members: &mut Members<'_>,
    ) -> Result<(), Refusal> {
        for row in rows.into_iter().filter(|row| row.reported != Reported::Never) {
            // Most rows have no value: nothing more is looked up for those.
            match self.value(row).ok_or_else(|| unparsed(step))? {
                Some(value) => {
                    let Some(name) = row.name().strip_prefix(under) else { continue };
                    members.write(name, |text| value.write(text));
                }
                None if matches!(row.form, Form::Link) => {
                    let Some(index) = self.link_index(row) else { continue };
                    let (Some(name), Some(link)) = (row.name().strip_prefix(under), names.name(index)?) else {
                        continue;
                    };
                    members.write(name, |text| text.push_str(link));
                }
                None => {}
            }
        }
        Ok(())
    }

    /// The index of the link that a row refers to, if it refers to one.
    fn link_index(&self, row: &Row) -> Option<i32> {
        let index = self.number(row, Width::Four).filter(|index| *index != 0)?;
        i32::try_from(index).ok()
    }

    /// The first field in which the object is not as given. Where a field that identifies the object is not given, but
    /// the object has it, that is a difference, unless `absence_is_any`.
    pub(in crate::netlink) fn difference(
        &self,
        rows: &(impl IntoIterator<Item = &'static Row> + Clone),
        given: View<'_>,
        absence_is_any: bool,
    ) -> Option<&'static Field> {
        let compared = || rows.clone().into_iter().filter(|row| row.compared != Compared::Never);
        let of = |field: &'static Field| compared().filter(move |row| row.field() == Some(field));
        let differs = |field: &'static Field| match given.value(field) {
            Some(value) => !of(field).any(|row| self.agrees(row, field, value, given)),
            None => {
                !absence_is_any
                    && of(field).any(|row| {
                        row.compared == Compared::Identity
                            && self.value(row).flatten().is_some_and(|value| !matches!(value, Decoded::Truth(false)))
                    })
            }
        };
        compared().filter_map(Row::field).find(|field| differs(field))
    }

    /// The refusal where the kernel took another value than a requested one; none where the object is as requested in every
    /// field that the kernel may adjust.
    pub(in crate::netlink) fn not_applied(
        &self,
        rows: impl IntoIterator<Item = &'static Row, IntoIter: Clone>,
        given: &Given,
    ) -> Option<Refusal> {
        let adjusted = rows.into_iter().filter(|row| row.adjusted != Adjusted::Never);
        let field = self.difference(&adjusted, given.view(), false)?;
        let mut reported = adjusted.filter(|row| row.field() == Some(field));
        Some(Refusal::NotApplied {
            field: field.name,
            given: given.request.value(field).map_or_else(String::new, ToString::to_string),
            effective: reported.find_map(|row| self.value(row)?).map(|value| value.to_string()),
        })
    }

    fn agrees(&self, row: &Row, field: &Field, given: &Value, all: View<'_>) -> bool {
        let own = || self.value(row).flatten();
        match (row.form, given) {
            _ if matches!(row.place, Place::Encap(kind, _) if !self.is_encapsulated_by(kind)) => false,
            (Form::Link, _) => self.number(row, Width::Four) == all.number(field).map(u64::from),
            (Form::Ticks(_), Value::Number(given)) => {
                own().and_then(|own| own.number()).is_some_and(|own| own == *given || own + 1 == *given)
            }
            (Form::WordNumber(width) | Form::Flags(width, _), Value::Word(word)) => {
                self.number(row, width) == row.words().and_then(|words| words.number(word)).map(u64::from)
            }
            (Form::Prefix(_), Value::InterfaceAddress(given)) if given.length == 0 && own().is_none() => true,
            (Form::Positive(_), Value::Number(given)) => own().and_then(|own| own.number()).unwrap_or(0) == *given,
            (Form::Text, Value::Text(text)) => {
                let own = self.bytes(row).flatten().map_or(&b""[..], until_nul);
                own == text.as_str().as_bytes()
            }
            _ => own().is_some_and(|own| own.is(given)),
        }
    }
}

/// The refusal for a message that is not as the kernel writes it.
pub(in crate::netlink) fn unparsed(step: &'static str) -> Refusal {
    system(step)(Errno::EBADMSG)
}
