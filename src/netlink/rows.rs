// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reads the tables of [`crate::call::object`]: encodes what a request gives, and decodes and compares what the kernel
//! reports. A value that has no place in a message is an error and is never left out.
#![forbid(unsafe_code)]

mod decoded;
mod form;
mod seen;
mod text;

pub(super) use decoded::Decoded;
pub(super) use form::with_nul;
pub(super) use seen::{LinkNames, Seen, unparsed};
pub(super) use text::{Members, put_string};

use super::found::Found;
use super::message::{Attributes, Encoded};
use crate::call::field::{ENCAP_KIND, Field, Key};
use crate::call::object::{Form, Place, Row, Sent};
use crate::call::request::Request;
use crate::call::types::Elements;
use crate::call::value::{Element, Value};
use crate::refusal::{Refusal, invalid};

/// What a request gives for an object, and what its names were resolved to.
#[derive(Debug)]
pub(super) struct Given {
    /// The request.
    pub(super) request: Request,
    /// `AF_…` of the object; 0 where it has none.
    pub(super) family: u8,
    /// The links and namespaces that fields name.
    pub(super) resolved: Vec<Resolved>,
}

/// A link or a namespace that a field names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolved {
    pub(super) field: &'static Field,
    /// The position in its list of the element that names it; 0 outside of lists.
    pub(super) element: usize,
    /// The link's index or the namespace's descriptor.
    pub(super) number: u32,
    /// The link, if it is one.
    pub(super) link: Option<Found>,
}

impl Resolved {
    pub(super) fn link(field: &'static Field, element: usize, link: Found) -> Self {
        Self { field, element, number: link.index.unsigned_abs(), link: Some(link) }
    }
}

/// What a request gives for one object: the request's own object, or an element of one of its lists.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) given: &'a Given,
    element: Option<(usize, &'a Element)>,
}

impl Given {
    /// The object that the request is about.
    pub(super) fn view(&self) -> View<'_> {
        View { given: self, element: None }
    }

    /// The elements of a list field.
    pub(super) fn elements(&self, list: &'static Key<Elements>) -> impl Iterator<Item = View<'_>> {
        let elements = self.request.get(list).map_or(&[][..], Vec::as_slice);
        elements.iter().enumerate().map(|element| View { given: self, element: Some(element) })
    }
}

impl View<'_> {
    /// The value of a field.
    pub(super) fn value(&self, field: &Field) -> Option<&Value> {
        match self.element {
            Some((_, element)) => element.value(field),
            None => self.given.request.value(field),
        }
    }

    /// The link that a field names.
    pub(super) fn link(&self, field: &Field) -> Option<Found> {
        self.resolved(field).and_then(|one| one.link)
    }

    /// Whether the request gives this kind of encapsulation.
    fn is_encapsulated_by(&self, kind: u16) -> bool {
        let given = self.given.request.get(&ENCAP_KIND).and_then(|word| ENCAP_KIND.field.ty.words()?.number(word));
        given == Some(kind.into())
    }

    fn resolved(&self, field: &Field) -> Option<&Resolved> {
        let at = self.element.map_or(0, |(at, _)| at);
        self.given.resolved.iter().find(|one| one.field == field && one.element == at)
    }

    /// The index of the link, or the descriptor of the namespace, that a field names.
    pub(super) fn number(&self, field: &Field) -> Option<u32> {
        self.resolved(field).map(|one| one.number)
    }
}

/// `IFLA_PROTINFO`
const PROTINFO: u32 = 12;
/// `RTA_ENCAP_TYPE`, `RTA_ENCAP`
const ENCAP_TYPE: u16 = 21;
const ENCAP: u32 = 22;

/// Encodes what a request gives by these rows, after a header of `head` bytes that begins with the family.
///
/// # Errors
/// [`Refusal::InvalidRequest`] for a value that does not fit its place.
pub(super) fn encode(
    head: usize,
    rows: impl IntoIterator<Item = &'static Row>,
    given: View<'_>,
) -> Result<Encoded, Refusal> {
    let mut head = vec![0; head];
    write(&mut head, 0, &[given.given.family]);
    let mut tree = Nested::default();
    for row in rows {
        let Some(field) = row.field().filter(|_| row.sent != Sent::Never) else { continue };
        let filled =
            || if given.element.is_none() { row.absent.and_then(|absent| absent(&given.given.request)) } else { None };
        let Some(value) = given.value(field).cloned().or_else(filled) else { continue };
        let bytes = form::write(row, &value, &given).map_err(|why| invalid(field.name, why))?;
        let Some(bytes) = bytes else { continue };
        match (row.place, row.form) {
            (Place::Code, _) => {}
            (Place::Head(at), Form::Masked(bit, _, mask_at)) => {
                write(&mut head, at, &bytes);
                write(&mut head, mask_at, &bit.to_ne_bytes());
            }
            (Place::Head(at), _) => write(&mut head, at, &bytes),
            (Place::Attribute(path), form) => {
                match form {
                    Form::Interface(length_at) | Form::Prefix(length_at) | Form::Compact(length_at) => {
                        write(&mut head, length_at, bytes.get(..1).unwrap_or_default());
                    }
                    _ => {}
                }
                let payload = match form {
                    Form::Interface(_) | Form::Prefix(_) | Form::Compact(_) => bytes.get(1..).unwrap_or_default(),
                    _ => &bytes,
                };
                if !payload.is_empty() || matches!(form, Form::Text | Form::Present) {
                    tree.put(&path, 0, payload.len(), payload, field);
                }
            }
            (Place::Inside(path, at, whole), _) => tree.put(&path, at, whole, &bytes, field),
            (Place::Encap(kind, _), _) if !given.is_encapsulated_by(kind) => {}
            (Place::Encap(_, attribute), _) => tree.put(&[ENCAP, attribute], 0, bytes.len(), &bytes, field),
            (Place::Port(attribute), _) => tree.put(&[PROTINFO, attribute], 0, bytes.len(), &bytes, field),
        }
    }
    let mut attributes = Attributes::default();
    tree.write(&mut attributes)?;
    Ok(Encoded { head, attributes })
}

/// Sets the bits of `bytes` at an offset. A test checks that the place of every row is inside its header or structure.
fn write(into: &mut [u8], at: usize, bytes: &[u8]) {
    for (into, byte) in into.iter_mut().skip(at).zip(bytes) {
        *into |= byte;
    }
}

/// Attributes that may hold attributes.
#[derive(Debug, Default)]
struct Nested(Vec<Node>);

#[derive(Debug)]
struct Node {
    step: u32,
    /// The first field that wrote here: the kernel's extended acknowledgement can point at this attribute.
    field: &'static Field,
    payload: Vec<u8>,
    inside: Nested,
}

impl Nested {
    fn put(&mut self, path: &[u32], at: usize, whole: usize, bytes: &[u8], field: &'static Field) {
        let Some((step, rest)) = path.split_first() else { return };
        let position = self.0.iter().position(|node| node.step == *step);
        let position = position.unwrap_or_else(|| {
            self.0.push(Node { step: *step, field, payload: Vec::new(), inside: Self::default() });
            self.0.len() - 1
        });
        let Some(node) = self.0.get_mut(position) else { return };
        if rest.is_empty() {
            node.payload.resize(node.payload.len().max(whole), 0);
            write(&mut node.payload, at, bytes);
        } else {
            node.inside.put(rest, at, whole, bytes, field);
        }
    }

    fn write(self, into: &mut Attributes) -> Result<(), Refusal> {
        for Node { step, field, payload, inside } in self.0 {
            let (kind, head) = attribute(step);
            if inside.0.is_empty() {
                into.put(kind, &payload, field)?;
            } else {
                let mut attributes = Attributes::default();
                inside.write(&mut attributes)?;
                into.nest(kind, &vec![0; head], attributes)?;
            }
        }
        Ok(())
    }
}

/// The type of a step's attribute, and the length in bytes of the header in it.
fn attribute(step: u32) -> (u16, usize) {
    let kind = u16::try_from(step & 0xffff).unwrap_or_default();
    (kind, usize::try_from(step >> 16).unwrap_or_default())
}
