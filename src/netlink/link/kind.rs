// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The data of a kind of links (`IFLA_INFO_DATA`): a table per kind, with a row for each field. By it fields are written,
//! told and compared.
#![forbid(unsafe_code)]

mod form;

use serde_json::{Map, Value};

use super::super::answer::Parsed;
use super::super::ifla;
use super::super::message::Attributes;
use crate::call::field::{self, Field};
use crate::call::request::Request;
use crate::call::value;
use crate::refusal::{Refusal, invalid};
use form::{Cast, Form, Width};

/// What the links of a kind have besides what every link has.
#[derive(Debug)]
pub(super) struct Data {
    /// The kind, in requests and to the kernel.
    pub(super) name: &'static str,
    /// The attribute of the data that holds the parent's index; elsewhere it is `IFLA_LINK`.
    pub(super) parent: Option<u16>,
    /// Kinds of parents in whose place the kernel takes the link below, or might some day.
    pub(super) sinks_through: &'static [&'static str],
    /// The object of requests and results that the fields are in.
    object: &'static str,
    rows: &'static [Row],
}

/// A field, and where it stands.
#[derive(Debug)]
struct Row {
    of: Of,
    attribute: u16,
    /// From which byte on: fields that share an attribute stand one behind the other.
    offset: usize,
    form: Form,
    /// What is sent where the field is absent.
    absent: fn(&Request) -> Option<value::Value>,
}

/// What a row tells of.
#[derive(Debug)]
enum Of {
    /// A field of requests.
    Field(&'static Field),
    /// Something of this name that is only told.
    Result(&'static str),
}

const fn row(field: &'static Field, attribute: u16, form: Form) -> Row {
    told(Of::Field(field), attribute, form)
}

const fn told(of: Of, attribute: u16, form: Form) -> Row {
    Row { of, attribute, offset: 0, form, absent: |_| None }
}

/// Kinds that share a link below: the kernel puts a macvlan of a macvlan beside it, on the same link.
static STACKED: [&str; 4] = ["macvlan", "macvtap", "ipvlan", "ipvtap"];

static KINDS: [Data; 7] = [
    Data { name: "veth", parent: None, sinks_through: &[], object: "", rows: &[] },
    Data { name: "bridge", parent: None, sinks_through: &[], object: "bridge", rows: &BRIDGE },
    Data { name: "vxlan", parent: Some(ifla::VXLAN_LINK), sinks_through: &[], object: "vxlan", rows: &VXLAN },
    Data { name: "macvlan", parent: None, sinks_through: &STACKED, object: "macvlan", rows: &MACVLAN },
    Data { name: "macvtap", parent: None, sinks_through: &STACKED, object: "macvlan", rows: &MACVLAN },
    Data { name: "ifb", parent: None, sinks_through: &[], object: "", rows: &[] },
    Data { name: "tun", parent: None, sinks_through: &[], object: "tun", rows: &TUN },
];

/// `IFLA_BR_…` (`linux/if_link.h`).
static BRIDGE: [Row; 5] = [
    row(&field::BRIDGE_FORWARD_DELAY.field, 1, Form::Ticks),
    row(&field::BRIDGE_AGEING_TIME.field, 4, Form::Ticks),
    row(&field::BRIDGE_STP.field, 5, Form::Flag(Width::Four)),
    row(&field::BRIDGE_VLAN_FILTERING.field, 7, Form::Flag(Width::One)),
    row(&field::BRIDGE_VLAN_DEFAULT_PVID.field, 39, Form::Number(Width::Two)),
];

/// `IFLA_VXLAN_…`. An IPv6 address has an attribute of its own.
static VXLAN: [Row; 15] = [
    row(&field::VXLAN_ID.field, 1, Form::Number(Width::Four)),
    row(&field::VXLAN_GROUP.field, 2, Form::Ipv4(Cast::Group)),
    row(&field::VXLAN_REMOTE.field, 2, Form::Ipv4(Cast::One)),
    row(&field::VXLAN_GROUP.field, 16, Form::Ipv6(Cast::Group)),
    row(&field::VXLAN_REMOTE.field, 16, Form::Ipv6(Cast::One)),
    row(&field::VXLAN_LOCAL.field, 4, Form::Ipv4(Cast::One)),
    row(&field::VXLAN_LOCAL.field, 17, Form::Ipv6(Cast::One)),
    row(&field::VXLAN_TTL.field, 5, Form::Number(Width::One)),
    row(&field::VXLAN_TOS.field, 6, Form::Number(Width::One)),
    Row { absent: not_learning, ..row(&field::VXLAN_LEARNING.field, 7, Form::Flag(Width::One)) },
    row(&field::VXLAN_SOURCE_PORT_MIN.field, 10, Form::Number(Width::Port)),
    Row { offset: 2, ..row(&field::VXLAN_SOURCE_PORT_MAX.field, 10, Form::Number(Width::Port)) },
    row(&field::VXLAN_PROXY.field, 11, Form::Flag(Width::One)),
    row(&field::VXLAN_PORT.field, 15, Form::Number(Width::Port)),
    row(&field::VXLAN_COLLECT_METADATA.field, 25, Form::Flag(Width::One)),
];

/// `IFLA_MACVLAN_…`
static MACVLAN: [Row; 1] = [row(
    &field::MACVLAN_MODE.field,
    1,
    Form::Word(Width::Four, &[(1, "private"), (2, "vepa"), (4, "bridge"), (8, "passthru"), (16, "source")]),
)];

/// `IFLA_TUN_…`, which are only told: they are written by requests to a device.
static TUN: [Row; 4] = [
    row(&field::TUN_OWNER.field, 1, Form::Number(Width::Four)),
    row(&field::TUN_GROUP.field, 2, Form::Number(Width::Four)),
    row(&field::TUN_MODE.field, 3, Form::Word(Width::One, &[(1, "tun"), (2, "tap")])),
    told(Of::Result("persist"), 6, Form::Flag(Width::One)),
];

/// The kernel's default is to learn; iproute2's is not to where the packets say their destination.
fn not_learning(request: &Request) -> Option<value::Value> {
    request.is_set(&field::VXLAN_COLLECT_METADATA).then_some(value::Value::Bool(false))
}

impl Row {
    /// The name inside the object.
    fn key(&self) -> &'static str {
        match self.of {
            Of::Field(field) => field.name.split('.').next_back().unwrap_or(field.name),
            Of::Result(name) => name,
        }
    }

    fn field(&self) -> Option<&'static Field> {
        if let Of::Field(field) = self.of { Some(field) } else { None }
    }
}

impl Data {
    pub(super) fn of(kind: &str) -> Option<&'static Self> {
        KINDS.iter().find(|data| data.name == kind)
    }

    /// Adds what the request says.
    pub(super) fn write(&self, request: &Request, data: &mut Attributes) -> Result<(), Refusal> {
        for sharing in self.rows.chunk_by(|one, next| one.attribute == next.attribute) {
            let mut payload = Vec::new();
            let mut of = None;
            for row in sharing {
                let Some(field) = row.field() else { continue };
                let Some(value) = request.value(field).cloned().or_else(|| (row.absent)(request)) else { continue };
                let bytes = row.form.write(&value).map_err(|why| invalid(field.name, why))?;
                of = of.or((!bytes.is_empty()).then_some((row.attribute, field)));
                payload.extend(bytes);
            }
            if let Some((attribute, field)) = of {
                data.put(attribute, &payload, field)?;
            }
        }
        Ok(())
    }

    /// The object of a result, under its name; none where the kind has none.
    pub(super) fn told(&self, data: &Parsed) -> Option<(&'static str, Value)> {
        let told = self.rows.iter().filter_map(|row| {
            let bytes = data.get(row.attribute)?.get(row.offset..)?;
            Some((row.key().to_owned(), row.form.told(bytes)?))
        });
        (!self.object.is_empty()).then(|| (self.object, Value::Object(told.collect())))
    }

    /// The first field that the request gives and that is otherwise with a link that is told of so.
    pub(super) fn difference(&self, link: &Map<String, Value>, request: &Request) -> Option<&'static Field> {
        let object = link.get(self.object).and_then(Value::as_object);
        let differs = |row: &&Row| {
            let told = object.and_then(|object| object.get(row.key()));
            let given = row.field().and_then(|field| request.value(field));
            given.is_some_and(|given| !row.form.agrees(told, &given.json()))
        };
        self.rows.iter().find(differs).and_then(Row::field)
    }
}
