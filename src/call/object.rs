// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Objects of the kernel, each a table. A row says which field or result a value is, where it is in the kernel's
//! message, and in what form. The same rows encode requests, decode and describe results, and compare objects
//! (`netlink::rows`), so a value is declared once for both directions.
#![forbid(unsafe_code)]

use std::fmt;

use super::field::{Field, FieldId};
use super::request::Request;
use super::types::{Type, Words};
use super::value::Value;
use super::{Kind, Part, Shape};

/// An object: a link, an address, a route …
#[derive(Debug)]
pub struct Object {
    /// The Varlink type of such an object in a result.
    pub name: &'static str,
    /// Bytes of the fixed header before its attributes.
    pub head: usize,
    /// The rows of all such objects.
    pub rows: &'static [Row],
    /// Its kinds, which have additional rows.
    pub kinds: &'static [Kind],
}

/// One value of an object.
#[derive(Debug)]
pub struct Row {
    /// Which value it is.
    pub of: Of,
    /// Where it is in the message.
    pub place: Place,
    /// How it is written there.
    pub form: Form,
    /// Whether results report it.
    pub reported: Reported,
    /// How `exists_ok` and Delete compare it.
    pub compared: Compared,
    /// The value that is sent if the field is absent.
    pub absent: Option<fn(&Request) -> Option<Value>>,
    /// Whether the kernel may take another value than the given one and report no error.
    pub adjusted: Adjusted,
    /// In which message a request that makes an object sends it.
    pub sent: Sent,
}

/// Which value a row is about.
#[derive(Debug)]
pub enum Of {
    /// A field of requests, and the part of results with the same name.
    Field(FieldId),
    /// A part of results that no request can give: its name and its documentation.
    Result(&'static str, &'static str),
}

/// Where a value is in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the header, from this byte.
    Head(usize),
    /// A whole attribute. Each step of the path is the type of an attribute. If the attribute begins with a header
    /// before its own attributes, the upper 16 bits of the step are the length of that header ([`headed`]).
    Attribute(Path),
    /// A part of an attribute that is a structure: the path, the first byte of the part, and the bytes of the
    /// structure.
    Inside(Path, usize, usize),
    /// An attribute of a bridge port (`IFLA_BRPORT_…`). The kernel reports these together with the link
    /// (`IFLA_INFO_SLAVE_DATA`), and takes them in a message of their own (`IFLA_PROTINFO`).
    Port(u32),
    /// An attribute of the encapsulation of a route (`RTA_ENCAP`), where this is its kind (`RTA_ENCAP_TYPE`). What an
    /// attribute means depends on the kind.
    Encap(u16, u32),
    /// Nowhere: code composes the value.
    Code,
}

/// The types of attributes, from the outermost one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    steps: [u32; 4],
    len: u8,
}

impl Path {
    #[allow(clippy::as_conversions, clippy::indexing_slicing, reason = "const")]
    const fn of(steps: &[u32]) -> Self {
        let mut path = Self { steps: [0; 4], len: 0 };
        while (path.len as usize) < steps.len() {
            path.steps[path.len as usize] = steps[path.len as usize];
            path.len += 1;
        }
        path
    }
}

impl std::ops::Deref for Path {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        self.steps.get(..self.len.into()).unwrap_or_default()
    }
}

impl Place {
    pub(super) const fn attribute(path: &[u32]) -> Self {
        Self::Attribute(Path::of(path))
    }

    pub(super) const fn inside(path: &[u32], at: usize, whole: usize) -> Self {
        Self::Inside(Path::of(path), at, whole)
    }
}

/// A step of a path whose attribute begins with a header of this many bytes.
#[must_use]
pub const fn headed(attribute: u32, bytes: u32) -> u32 {
    attribute | bytes << 16
}

/// How a value is written in a message.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// A number.
    Number(Width),
    /// A number with a sign, of 32 bits.
    Signed,
    /// A number; 0 means that there is none.
    Positive(Width),
    /// A number; it is 0 if the kernel reports none.
    OrZero(Width),
    /// A range of numbers: the first, and after it the last.
    Range(Width),
    /// The number that another field gives, of 32 bits. It is only written.
    NumberOf(FieldId),
    /// A number; the message has the number minus one.
    LessOne(Width),
    /// A number of 32 bits. If it fits into one byte, it is in this byte of the header instead.
    Compact(usize),
    /// A number that the kernel converts to its own ticks: it can report one less than was set.
    Ticks(Width),
    /// Hundredths of a second in 32 bits with a sign, reported in whole seconds; 0 means that there is none. It is only
    /// reported.
    Hundredths,
    /// 0 or 1.
    Flag(Width),
    /// One bit of a number.
    Bit(Width, u32),
    /// An attribute without content: present for true.
    Present,
    /// The absence of an attribute: true if the object does not have it. It is never written.
    Absent,
    /// One bit of a number, which says that another row of the field has its value. It is only written.
    Given(Width, u32),
    /// One bit of the flags in the header; whether the bit is inverted; the offset of the mask that selects the bits to
    /// change.
    Masked(u32, bool, usize),
    /// A keyword of the field, as its number; results report the keyword.
    Word(Width),
    /// A keyword of the field, as its number; results report the number.
    WordNumber(Width),
    /// A keyword of the field, as text.
    Keyword,
    /// One of these keywords, as its number: results report more of them than the field has.
    Named(Width, &'static Words),
    /// A set of bits, reported by name; a request gives one of them.
    Flags(Width, &'static Words),
    /// An IPv4 or IPv6 address, by its length.
    Ip,
    /// An address of the object's own family; absent for an address of the other family.
    OwnFamily,
    /// An address of the other family than the object's, preceded by that family (`struct rtvia`).
    OtherFamily,
    /// An IPv4 address of this sort; absent for any other, and for the unspecified address.
    Ipv4(Cast),
    /// An IPv6 address of this sort; absent for any other, and for the unspecified address.
    Ipv6(Cast),
    /// An address whose prefix length is in this byte of the header.
    Interface(usize),
    /// A prefix whose length is in this byte of the header. A prefix of length 0 has no attribute.
    Prefix(usize),
    /// A hardware address.
    Mac,
    /// A name that ends with NUL.
    Name,
    /// Names, each an attribute inside this one that ends with NUL. No request gives them.
    Names,
    /// Text without NUL.
    Text,
    /// A link by its index.
    Link,
    /// A link by its index, 0 where the boolean is true.
    NoLink,
    /// A namespace by a descriptor.
    Netns,
    /// IPv4 addresses, each an attribute whose type is its position in the list.
    Ipv4List,
    /// A stack of MPLS labels (RFC 3032): numbers, each in 32 bits in network byte order with a mark on the last.
    Labels,
    /// Objects one after the other; code encodes and decodes the list.
    Objects(&'static Object),
}

/// How wide a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// 8 bits.
    One,
    /// 16 bits.
    Two,
    /// 32 bits.
    Four,
    /// 64 bits.
    Eight,
    /// 16 bits, the lower byte first on every machine.
    Little2,
    /// 16 bits in network byte order.
    Net2,
    /// 32 bits in network byte order.
    Net4,
    /// 64 bits in network byte order.
    Net8,
}

/// What an address stands for. It distinguishes fields that share an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cast {
    /// One host.
    One,
    /// A multicast group.
    Group,
    /// Either.
    Any,
}

/// Whether results report a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// The kernel always reports it: a message without it is an error.
    Always,
    /// Results report it if there is one.
    Sometimes,
    /// It is only sent.
    Never,
}

/// How `exists_ok` and Delete compare a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// It is compared if the request gives it.
    Given,
    /// It identifies the object: if the request gives none, the object must have none.
    Identity,
    /// These rows do not compare it. Other code may.
    Never,
}

/// When the kernel may take another value than the given one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjusted {
    /// It takes the value or reports an error.
    Never,
    /// Where the object is made.
    WhenMade,
    /// Where the object is made or changed.
    Always,
}

/// In which message a request that makes an object sends a value. A change of an existing object sends all of them in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// In the message that makes the object.
    AtOnce,
    /// In a later message, because the kernel ignores it in the first one.
    Later,
    /// In a later message, as [`Self::Later`], and before the link goes up.
    BeforeUp,
    /// In none: another row of the field has the place where the kernel takes it.
    Never,
}

impl Width {
    /// Bytes of the number.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two | Self::Little2 | Self::Net2 => 2,
            Self::Four | Self::Net4 => 4,
            Self::Eight | Self::Net8 => 8,
        }
    }
}

/// A field of requests that results report if there is one.
pub(super) const fn row(field: &'static Field, place: Place, form: Form) -> Row {
    Row {
        of: Of::Field(FieldId::of(field)),
        place,
        form,
        reported: Reported::Sometimes,
        compared: Compared::Given,
        absent: None,
        adjusted: Adjusted::Never,
        sent: Sent::AtOnce,
    }
}

/// A part of results that no request can give.
pub(super) const fn result(name: &'static str, place: Place, form: Form, doc: &'static str) -> Row {
    Row {
        of: Of::Result(name, doc),
        place,
        form,
        reported: Reported::Sometimes,
        compared: Compared::Never,
        absent: None,
        adjusted: Adjusted::Never,
        sent: Sent::AtOnce,
    }
}

impl Row {
    /// The kernel always reports it.
    pub(super) const fn always(mut self) -> Self {
        self.reported = Reported::Always;
        self
    }

    /// Results do not report it.
    pub(super) const fn unreported(mut self) -> Self {
        self.reported = Reported::Never;
        self
    }

    /// It is only sent.
    pub(super) const fn only_written(self) -> Self {
        self.unreported().uncompared()
    }

    /// It is only reported: another row of the field is sent.
    pub(super) const fn only_reported(mut self) -> Self {
        self.sent = Sent::Never;
        self
    }

    /// A request that makes an object sends it in a later message.
    pub(super) const fn later(mut self) -> Self {
        self.sent = Sent::Later;
        self
    }

    /// A request that makes an object sends it in a later message, and before the link goes up.
    pub(super) const fn before_up(mut self) -> Self {
        self.sent = Sent::BeforeUp;
        self
    }

    /// It identifies the object.
    pub(super) const fn identity(mut self) -> Self {
        self.compared = Compared::Identity;
        self
    }

    /// The rows do not compare it. Other code may.
    pub(super) const fn uncompared(mut self) -> Self {
        self.compared = Compared::Never;
        self
    }

    /// The kernel may take another value than the given one, for a new object and for an existing one.
    pub(super) const fn adjusted(mut self) -> Self {
        self.adjusted = Adjusted::Always;
        self
    }

    /// The kernel may take another value than the given one for a new object. It refuses such a value for an existing
    /// one.
    pub(super) const fn adjusted_when_made(mut self) -> Self {
        self.adjusted = Adjusted::WhenMade;
        self
    }

    /// The value that is sent if the field is absent.
    pub(super) const fn or(mut self, absent: fn(&Request) -> Option<Value>) -> Self {
        self.absent = Some(absent);
        self
    }

    /// Its full name, as in requests: `bridge.stp`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.of {
            Of::Field(field) => field.get().name,
            Of::Result(name, _) => name,
        }
    }

    /// The field, if it is one.
    #[must_use]
    pub fn field(&self) -> Option<&'static Field> {
        if let Of::Field(field) = self.of { Some(field.get()) } else { None }
    }

    /// The keywords with their numbers, from the field or from the form.
    #[must_use]
    pub fn words(&self) -> Option<&'static Words> {
        match (self.form, self.field().map(|field| field.ty)) {
            (Form::Named(_, words) | Form::Flags(_, words), _) => Some(words),
            (_, Some(Type::Word(words))) => Some(words),
            _ => None,
        }
    }

    fn shape(&self) -> Shape {
        match self.form {
            Form::Flag(_) | Form::Bit(..) | Form::Present | Form::Absent | Form::Masked(..) | Form::NoLink => {
                Shape::Bool
            }
            Form::Flags(..) | Form::Ipv4List | Form::Names => Shape::Strings,
            Form::Labels => Shape::Ints,
            Form::Objects(object) => Shape::List(object.name, Parts::Of(object, object.under())),
            Form::Number(_)
            | Form::Signed
            | Form::Positive(_)
            | Form::OrZero(_)
            | Form::LessOne(_)
            | Form::Compact(_)
            | Form::Ticks(_)
            | Form::Hundredths
            | Form::WordNumber(_)
            | Form::Given(..)
            | Form::NumberOf(_)
            | Form::Netns => Shape::Int,
            Form::Range(_)
            | Form::Word(_)
            | Form::Keyword
            | Form::Named(..)
            | Form::Ip
            | Form::OwnFamily
            | Form::OtherFamily
            | Form::Ipv4(_)
            | Form::Ipv6(_)
            | Form::Interface(_)
            | Form::Prefix(_)
            | Form::Mac
            | Form::Name
            | Form::Text
            | Form::Link => Shape::String,
        }
    }

    fn doc(&self) -> Doc {
        let doc = match self.of {
            Of::Field(field) => field.get().doc,
            Of::Result(_, doc) => doc,
        };
        match (self.form, self.words()) {
            (Form::WordNumber(_), Some(words)) => Doc::Numbers(doc, words),
            _ => Doc::Text(doc),
        }
    }
}

/// The documentation of a part of a result.
#[derive(Debug, Clone, Copy)]
pub enum Doc {
    /// This text.
    Text(&'static str),
    /// This text, and the numbers of these keywords. The part is a number.
    Numbers(&'static str, &'static Words),
    /// The part is an object with this name, inside this one.
    Inside(&'static Object, &'static str),
}

impl fmt::Display for Doc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text.trim()),
            Self::Numbers(text, words) => {
                let numbers: Vec<String> =
                    words.words.iter().map(|(word, number)| format!("{number} {word}")).collect();
                write!(f, "{} As a number: {}.", text.trim(), numbers.join(", "))
            }
            Self::Inside(object, name) => f.write_str(&object.about(name)),
        }
    }
}

impl Object {
    /// What the names of all its rows begin with: the name of the list and a dot for an element of a list, otherwise
    /// nothing.
    fn under(&self) -> &'static str {
        let first = self.rows.first().map_or("", Row::name);
        let shared = first.find('.').and_then(|dot| first.get(..=dot)).unwrap_or_default();
        if self.all_rows().all(|row| row.name().starts_with(shared)) { shared } else { "" }
    }

    /// What an object with this name inside it has.
    fn about(&self, name: &str) -> String {
        let is_inside = |row: &Row| row.name().strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        let kinds: Vec<&str> =
            self.kinds.iter().filter(|kind| kind.rows().any(is_inside)).map(|kind| kind.name).collect();
        match (name, kinds.as_slice()) {
            ("bridge_port", _) => "The settings of the link as a port of a bridge. Absent if it is not one.".to_owned(),
            ("encap", _) => "How the route encapsulates packets. Absent if it does not.".to_owned(),
            ("stats", _) => "The counters of the link, if the request has `with_stats`.".to_owned(),
            (_, []) => format!("The first and the last of the {} to which it applies.", name.replace('_', " ")),
            (_, [one]) => format!("The settings of a link of the kind {one}."),
            (_, several) => format!("The settings of a link of one of the kinds {}.", several.join(", ")),
        }
    }

    /// Every row, including those of all kinds.
    pub fn all_rows(&self) -> impl Iterator<Item = &'static Row> + use<> {
        self.rows.iter().chain(self.kinds.iter().flat_map(Kind::rows))
    }
}

/// Parts of a result.
#[derive(Debug, Clone, Copy)]
pub enum Parts {
    /// Declared one by one.
    Declared(&'static [Part]),
    /// The rows of an object whose names begin with this text.
    Of(&'static Object, &'static str),
}

impl Parts {
    /// All of them, in the order of their declaration.
    #[must_use]
    pub fn all(self) -> Vec<Part> {
        let (object, inside) = match self {
            Self::Declared(parts) => return parts.to_vec(),
            Self::Of(object, inside) => (object, inside),
        };
        let mut parts: Vec<Part> = Vec::new();
        for row in object.all_rows().filter(|row| row.reported != Reported::Never) {
            let Some(rest) = row.name().strip_prefix(inside) else { continue };
            let (name, is_inside) = match rest.split_once('.') {
                Some((head, _)) => (head, true),
                None => (rest, false),
            };
            if parts.iter().any(|part| part.name == name) {
                continue;
            }
            parts.push(if is_inside {
                let below = row.name().get(..row.name().len() - rest.len() + name.len() + 1).unwrap_or_default();
                Part { name, ty: Shape::Object(Self::Of(object, below)), always: false, doc: Doc::Inside(object, name) }
            } else {
                Part { name, ty: row.shape(), always: row.reported == Reported::Always, doc: row.doc() }
            });
        }
        parts
    }
}
