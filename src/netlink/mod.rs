// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The transaction: a permitted request becomes bytes with indexes, and the kernel's answer becomes a result or a
//! refusal.
//!
//! The encoder can write only the attributes of the tables in `call`: `IFLA_NET_NS_PID`, `IFLA_TARGET_NETNSID` and
//! `IFLA_XDP` are not in them. A message with `IFLA_GROUP` always refers to one link, so that the group selects no others.
//! This module is reached only through [`crate::stage::Confined`]. The function of a call resolves names and encodes before
//! the capabilities are given up; what it returns runs afterwards (`sides`).
#![forbid(unsafe_code)]

mod address;
mod answer;
mod fdb;
mod found;
mod inet;
#[cfg(test)]
pub(crate) mod kept;
mod link;
mod listing;
mod lookup;
mod message;
mod neighbour;
mod netns;
mod nexthop;
mod route;
mod rows;
mod rule;
mod sides;
#[cfg_attr(fuzzing, path = "../../tests/fuzz/socket.rs")]
mod socket;
mod transaction;
mod vlan;
mod vni;
mod watched;

use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use serde_json::{Map, Value};

pub use answer::escape;
pub use socket::Protocol;
#[cfg(fuzzing)]
pub use socket::answer_with;
pub use transaction::Netlink;

use crate::call::Effect;
use crate::call::field::{self, Field};
use crate::call::object::{Form, Object, Place, Row, Sent};
use crate::call::request::Request;
use crate::refusal::Refusal;
use sides::{After, Before};

/// Takes the elements of a listing as they arrive.
pub trait Elements {
    /// Takes some elements: their JSON text, with commas between them. Returns an empty text for the next ones.
    ///
    /// # Errors
    /// The elements could not be sent, so no more will be taken.
    fn push(&mut self, elements: String) -> Result<String, Refusal>;

    /// How many times elements were taken.
    fn count(&self) -> usize;

    /// Forgets all but the first `count` takings. Returns `false`, and forgets nothing, if some of these were already
    /// sent.
    fn forget(&mut self, count: usize) -> bool;
}

type Run = Box<dyn FnMut(&mut After<'_>, &mut dyn Elements) -> Result<Map<String, Value>, Refusal>>;

/// An encoded transaction that only has to be run.
pub struct Prepared {
    run: Run,
    /// A socket in another namespace, or one for look-ups during a listing.
    second: Option<Netlink>,
    tun: Option<RawFd>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prepared")
    }
}

impl Prepared {
    fn new(
        run: impl FnMut(&mut After<'_>, &mut dyn Elements) -> Result<Map<String, Value>, Refusal> + 'static,
    ) -> Self {
        Self { run: Box::new(run), second: None, tun: None }
    }

    fn with_second(self, netlink: Netlink) -> Self {
        Self { second: Some(netlink), ..self }
    }

    /// The descriptor of its second socket, for the last filter; `None` where the transaction has one socket only.
    #[must_use]
    pub fn second(&self) -> Option<RawFd> {
        self.second.as_ref().map(Netlink::descriptor)
    }

    /// The descriptor of `/dev/net/tun`, for the last filter; `None` where the transaction does not use it.
    #[must_use]
    pub fn tun(&self) -> Option<RawFd> {
        self.tun
    }

    /// Runs it. Afterwards [`Netlink::lost`] has the links that another process changed meanwhile.
    ///
    /// # Errors
    /// The kernel's error.
    pub fn run(&mut self, netlink: &mut Netlink, elements: &mut dyn Elements) -> Result<Map<String, Value>, Refusal> {
        (self.run)(&mut After::new(netlink, self.second.as_mut()), elements)
    }
}

/// What the stage has opened for a request.
#[derive(Debug, Default)]
pub struct Places {
    /// The namespace of `netns`; `None` for `@host`.
    pub netns: Option<OwnedFd>,
    /// A file has the name of `netns`, but no namespace is mounted on it.
    pub left_over: bool,
    /// The namespaces that other fields name, where they differ from that of `netns`.
    pub named: Vec<(&'static Field, OwnedFd)>,
    /// A socket in the second namespace that the call acts in ([`crate::call::Kind::visits`]).
    pub visited: Option<Netlink>,
    /// `/dev/net/tun`, where the request needs it.
    pub tun: Option<OwnedFd>,
}

/// How a call is encoded as a transaction.
struct Encoder {
    /// The name of the call.
    call: &'static str,
    prepare: fn(Before<'_>) -> Result<Prepared, Refusal>,
    /// The object whose rows encode its fields.
    object: Option<&'static Object>,
    /// The fields that code settles, in addition to `netns`.
    settled: &'static [&'static Field],
}

impl Encoder {
    /// Whether a row encodes a field, or code settles it. Any other field would be left out without notice.
    fn covers(&self, field: &Field) -> bool {
        let inner = |row: &'static Row| if let Form::Objects(object) = row.form { Some(object) } else { None };
        let rows = || self.object.into_iter().flat_map(Object::all_rows);
        let is_encoded = |row: &Row| row.field() == Some(field) && row.place != Place::Code && row.sent != Sent::Never;
        field == &field::NETNS.field
            || self.settled.contains(&field)
            || rows().any(is_encoded)
            || rows().filter_map(inner).flat_map(Object::all_rows).any(is_encoded)
    }
}

/// The calls that are netlink transactions.
static ENCODERS: [&[Encoder]; 10] = [
    netns::ENCODERS,
    link::ENCODERS,
    address::ENCODERS,
    route::ENCODERS,
    neighbour::ENCODERS,
    rule::ENCODERS,
    fdb::ENCODERS,
    nexthop::ENCODERS,
    vlan::ENCODERS,
    vni::ENCODERS,
];

/// Resolves the names of a request and encodes it.
///
/// # Errors
/// [`Refusal::NoSuchLink`], [`Refusal::InvalidRequest`], [`Refusal::SystemError`]
pub fn prepare(netlink: &mut Netlink, mut places: Places, request: &Request) -> Result<Prepared, Refusal> {
    let visited = places.visited.take();
    let tun = places.tun.as_ref().map(AsRawFd::as_raw_fd);
    let mut encoders = ENCODERS.iter().flat_map(|family| family.iter());
    let encoder = encoders.find(|encoder| encoder.call == request.call().name).ok_or_else(|| not_encoded(request))?;
    let changes = request.call().effect == Effect::Changes;
    if let Some((field, _)) = request.values().find(|(field, _)| changes && !encoder.covers(field)) {
        return Err(Refusal::SystemError { step: format!("encode {}.{}", encoder.call, field.name), errno: None });
    }
    let prepared = (encoder.prepare)(Before::new(netlink, places, request))?;
    let second = visited.or(prepared.second);
    Ok(Prepared { second, tun, ..prepared })
}

/// A call that no family's file knows: it was declared without an encoder.
fn not_encoded(request: &Request) -> Refusal {
    Refusal::SystemError { step: format!("encode {}", request.call().name), errno: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call;
    use crate::call::needs::LastStage;
    use crate::call::object::Reported;
    use crate::call::types::Type;

    fn encoders() -> impl Iterator<Item = &'static Encoder> {
        ENCODERS.iter().flat_map(|family| family.iter())
    }

    #[test]
    fn every_call_that_is_a_transaction_has_one_encoder() {
        for call in call::all() {
            let is_transaction = matches!(call.needs.stage, LastStage::Transaction | LastStage::Tun);
            let count = encoders().filter(|encoder| encoder.call == call.name).count();
            assert_eq!(count, usize::from(is_transaction), "{}", call.name);
        }
        assert!(encoders().all(|encoder| call::by_name(encoder.call).is_some()));
    }

    #[test]
    fn every_field_of_a_change_has_a_row_or_is_settled_by_code() {
        for encoder in encoders() {
            let call = call::by_name(encoder.call).unwrap();
            for used in call.all_uses().filter(|_| call.effect == Effect::Changes) {
                assert!(encoder.covers(used.field()), "{}.{}", call.name, used.field().name);
            }
            assert!(encoder.settled.iter().all(|field| call.has(field)), "{}", call.name);
        }
    }

    /// `encode` would cut off what does not fit.
    #[test]
    fn the_place_of_a_row_is_inside_the_header_or_the_structure() {
        let objects = || encoders().filter_map(|encoder| encoder.object);
        let inner = objects().flat_map(Object::all_rows).filter_map(|row| match row.form {
            Form::Objects(object) => Some(object),
            _ => None,
        });
        for object in objects().chain(inner) {
            for row in object.all_rows() {
                let bytes = match row.form {
                    Form::Number(width)
                    | Form::Positive(width)
                    | Form::OrZero(width)
                    | Form::LessOne(width)
                    | Form::Ticks(width)
                    | Form::Flag(width)
                    | Form::Bit(width, _)
                    | Form::Given(width, _)
                    | Form::Word(width)
                    | Form::WordNumber(width)
                    | Form::Named(width, _)
                    | Form::Flags(width, _) => width.bytes(),
                    Form::Range(width) => 2 * width.bytes(),
                    Form::Masked(..)
                    | Form::Signed
                    | Form::Hundredths
                    | Form::Link
                    | Form::NoLink
                    | Form::Netns
                    | Form::NumberOf(_) => 4,
                    Form::Mac => 6,
                    _ => 0,
                };
                let named = match row.form {
                    Form::Masked(_, _, at) => at + 4,
                    Form::Interface(at) | Form::Prefix(at) | Form::Compact(at) => at + 1,
                    _ => 0,
                };
                assert!(named <= object.head, "{} of {}", row.name(), object.name);
                match row.place {
                    Place::Head(at) => assert!(bytes > 0 && at + bytes <= object.head, "{}", row.name()),
                    Place::Inside(_, at, whole) => assert!(bytes > 0 && at + bytes <= whole, "{}", row.name()),
                    Place::Attribute(path) => assert!(!path.is_empty(), "{}", row.name()),
                    Place::Port(_) | Place::Encap(..) | Place::Code => {}
                }
            }
        }
    }

    /// A result is written in the order of the rows, and never returns to an earlier member.
    #[test]
    fn rows_of_one_member_are_next_to_each_other() {
        fn once(names: impl Iterator<Item = &'static str>, of: &str) {
            let mut names: Vec<&str> = names.collect();
            names.dedup();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{of}: {names:?}");
        }
        let written = |row: &&'static Row| row.reported != Reported::Never;
        for object in encoders().filter_map(|encoder| encoder.object).chain([&call::NEXTHOP_STATE, &call::MEMBER_STATE])
        {
            let of_kinds = object.kinds.iter().map(|kind| kind.rows().collect::<Vec<_>>());
            for more in of_kinds.chain([Vec::new(), call::OTHER.iter().copied().flatten().collect()]) {
                let rows: Vec<&Row> = object.rows.iter().chain(more).filter(written).collect();
                once(rows.iter().map(|row| row.name()), object.name);
                once(rows.iter().map(|row| row.name().split('.').next().unwrap()), object.name);
                assert!(rows.iter().all(|row| row.name().matches('.').count() < 2), "{}", object.name);
            }
        }
    }

    #[test]
    fn the_form_of_a_row_fits_the_type_of_its_field() {
        for row in encoders().filter_map(|encoder| encoder.object).flat_map(Object::all_rows) {
            let Some(field) = row.field() else { continue };
            let fits = match row.form {
                Form::Number(_)
                | Form::Positive(_)
                | Form::OrZero(_)
                | Form::LessOne(_)
                | Form::Compact(_)
                | Form::Ticks(_)
                | Form::Hundredths => {
                    matches!(field.ty, Type::Number(..))
                }
                Form::Range(_) => matches!(field.ty, Type::Range(..)),
                Form::Flag(_) | Form::Bit(..) | Form::Present | Form::Absent | Form::Masked(..) | Form::NoLink => {
                    matches!(field.ty, Type::Bool)
                }
                Form::Given(..) | Form::NumberOf(_) => true, // it is the value of another row or field
                Form::Word(_) | Form::WordNumber(_) | Form::Keyword | Form::Named(..) | Form::Flags(..) => {
                    let one = if let Type::Several(ty) = field.ty { *ty } else { field.ty };
                    let own = one.words().unwrap();
                    matches!(row.form, Form::Keyword)
                        || own.all().all(|word| row.words().unwrap().number(word) == own.number(word))
                }
                Form::Ipv4List => matches!(field.ty, Type::Several(Type::Address)),
                Form::Labels => matches!(field.ty, Type::Several(Type::Number(0, 0xf_ffff))),
                Form::Ip => matches!(field.ty, Type::Address | Type::Gateway | Type::InterfaceAddress),
                Form::OwnFamily | Form::OtherFamily | Form::Ipv4(_) | Form::Ipv6(_) => {
                    matches!(field.ty, Type::Address | Type::Gateway)
                }
                Form::Interface(_) => matches!(field.ty, Type::InterfaceAddress),
                Form::Prefix(_) => matches!(field.ty, Type::Prefix),
                Form::Mac => matches!(field.ty, Type::Mac),
                Form::Name => matches!(field.ty, Type::Link | Type::Label),
                Form::Text => matches!(field.ty, Type::Text),
                Form::Link => matches!(field.ty, Type::Link),
                Form::Netns => matches!(field.ty, Type::Netns),
                Form::Objects(_) => matches!(field.ty, Type::List(_)),
                Form::Signed | Form::Names => false,
            };
            assert!(fits, "{}: {:?}", field.name, row.form);
        }
    }
}
