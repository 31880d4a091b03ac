// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can be asked: every call, declared once.
//!
//! From the declarations come the parser of requests, the type check of policies, the Varlink descriptions, the
//! manual's reference and `netbrokerctl call`. A call is added in two places: its declaration in the file of its family
//! here, and its encoding in the file of the same name in `netlink`.
#![forbid(unsafe_code)]

mod address;
pub mod error;
pub mod field;
pub mod inet;
pub mod json;
mod link;
pub mod name;
pub mod needs;
mod neighbour;
mod netns;
pub mod object;
pub mod request;
pub mod route;
mod rule;
mod settle;
pub mod types;
pub mod value;
pub mod varlink;

pub(crate) use address::{ADDRESS_FLAGS_INET6, ADDRESS_STATE};
use field::Field;
pub(crate) use link::{LINK_STATE, OTHER};
pub(crate) use neighbour::NEIGHBOUR_STATE;
pub(crate) use route::{NEXTHOP_STATE, ROUTE_STATE};
pub(crate) use rule::RULE_STATE;

pub use needs::Needs;
use object::{Doc, Parts, Row};
use request::{Invalid, Request};
pub use types::Constant;
use types::Type;
use value::Value;

/// One operation, `Address.Add`; on the wire the Varlink method `io.netbroker.Address.Add`.
#[derive(Debug)]
pub struct Call {
    /// Family and verb, with a dot between them.
    pub name: &'static str,
    /// Its number in compiled policies, never used again.
    pub number: u16,
    /// Whether it changes something.
    pub effect: Effect,
    /// What the process needs beyond reading to carry it out.
    pub needs: Needs,
    /// What it does, in one or more sentences.
    pub doc: &'static str,
    /// What it does to things that it does not name; empty for nothing.
    pub elsewhere: &'static str,
    /// The fields that every variety of it has.
    pub uses: &'static [Use],
    /// Its varieties, where it has some.
    pub kinds: Kinds,
    /// Fields of which a request may give one only, and why.
    pub excludes: &'static [(&'static Field, &'static Field, &'static str)],
    /// Fields that also stand for every value, whatever the request says of them: those of the thing that it replaces,
    /// or refers to by a number, and that is told apart by more than what the request gives. A deny on one of them is
    /// met. An allow looks at what is said.
    pub leaves_open: &'static [&'static Field],
    /// What no single field's declaration can say: how fields decide each other. It runs when all of them are read, and
    /// before anything is judged; `AS_READ` where there is nothing.
    pub settle: fn(&mut Request) -> Result<(), Invalid>,
    /// What it answers.
    pub result: Output,
}

/// Whether a call changes something: `@change` and `@read` of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It reads.
    Reads,
    /// It changes.
    Changes,
}

/// The varieties of a call.
#[derive(Debug, Clone, Copy)]
pub struct Kinds {
    /// The field that says which variety a request is.
    pub by: Option<&'static Field>,
    /// All of them. A request that leaves the field out, where it may, is of none.
    pub all: &'static [Kind],
}

/// No varieties.
pub const NO_KINDS: Kinds = Kinds { by: None, all: &[] };

impl std::ops::Deref for Kinds {
    type Target = [Kind];

    fn deref(&self) -> &[Kind] {
        self.all
    }
}

/// A variety of a call.
#[derive(Debug)]
pub struct Kind {
    /// The word of the field that selects it.
    pub name: &'static str,
    /// What it needs, in place of what its call does.
    pub needs: Needs,
    /// The fields that only this variety has.
    pub uses: &'static [Use],
    /// As [`Call::settle`], for this variety.
    pub settle: fn(&mut Request) -> Result<(), Invalid>,
    /// The tables of what its objects have in addition, in requests and results.
    pub tables: &'static [&'static [Row]],
    /// What it does in the namespace of another field than `netns`, if anything.
    pub visits: Option<Visit>,
    /// Kinds of parents in whose place the kernel takes the link below, or might some day.
    pub sinks_through: &'static [&'static str],
}

/// Something that a call does in a second namespace.
#[derive(Debug, Clone, Copy)]
pub struct Visit {
    /// The field that names the namespace.
    pub netns: &'static Field,
    /// Whether this request does something there.
    pub when: fn(&Request) -> bool,
}

/// A kind with `CAP_NET_ADMIN` whose fields do not decide each other.
const fn kind(name: &'static str, uses: &'static [Use], tables: &'static [&'static [Row]]) -> Kind {
    Kind { name, needs: Needs::NET_ADMIN, uses, settle: AS_READ, tables, visits: None, sinks_through: &[] }
}

impl Kind {
    const fn settled(mut self, settle: fn(&mut Request) -> Result<(), Invalid>) -> Self {
        self.settle = settle;
        self
    }

    const fn needing(mut self, needs: Needs) -> Self {
        self.needs = needs;
        self
    }

    const fn visiting(mut self, visit: Visit) -> Self {
        self.visits = Some(visit);
        self
    }

    const fn sinking_through(mut self, kinds: &'static [&'static str]) -> Self {
        self.sinks_through = kinds;
        self
    }

    /// What its objects have in addition.
    pub fn rows(&self) -> impl Iterator<Item = &'static Row> + use<> {
        self.tables.iter().flat_map(|table| table.iter())
    }
}

/// A field of a call.
#[derive(Debug)]
pub struct Use {
    /// Which.
    pub field: &'static Field,
    /// What its absence means.
    pub absence: Absence,
    /// For a link: its name applies in the namespace that the first of these fields names which the request gives.
    pub counts_in: &'static [&'static Field],
    /// For a link: its name also applies in the namespace that this field names, if the request gives it.
    pub also_in: Option<&'static Field>,
    /// The list whose elements have it, which stands in front of it; absence is then absence in one element.
    pub inside: Option<&'static Field>,
    /// What the call does with it, where it holds a name.
    pub naming: Naming,
}

/// What a call does with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// It refers to an existing thing by it, or the field holds no name.
    Refers,
    /// It gives the name to something, or puts it into something, which then shows it to everybody's scripts. Characters that
    /// a shell takes for more than themselves are refused.
    Gives,
}

/// What the absence of a field means.
#[derive(Debug, Clone, Copy)]
pub enum Absence {
    /// It is refused.
    Required,
    /// A constant, filled in before judging.
    Default(Constant),
    /// What the other fields make of it, as the call's text says: as good as a default where [`Call::settle`] fills it in.
    Follows,
    /// The thing is left alone.
    Untouched,
    /// A filter: every object matches.
    Any,
    /// The kernel chooses, or what iproute2 would send.
    Chosen,
}

impl Absence {
    /// The value that it stands for, for a caller of this uid, where that is a constant.
    #[must_use]
    pub fn constant(self, uid: u32) -> Option<Value> {
        if let Self::Default(constant) = self { Some(constant.value(uid)) } else { None }
    }
}

/// A part of a result.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub ty: Shape,
    /// Whether it is always there.
    pub always: bool,
    /// One line, with the unit.
    pub doc: Doc,
}

/// The type of a part of a result.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// `bool`.
    Bool,
    /// `int`.
    Int,
    /// `string`.
    String,
    /// `[]string`.
    Strings,
    /// An object, with these parts.
    Object(Parts),
    /// A list of objects: the name of their Varlink type and their parts.
    List(&'static str, Parts),
}

/// The result of a call.
#[derive(Debug)]
pub struct Output {
    /// Its parts.
    pub parts: &'static [Part],
    /// Whether `more` is honoured: every reply then holds some elements of the list.
    pub streams: bool,
}

/// All calls, family by family.
pub static CALLS: &[&[Call]] =
    &[netns::CALLS, link::CALLS, address::CALLS, route::CALLS, neighbour::CALLS, rule::CALLS];

/// Every call.
pub fn all() -> impl Iterator<Item = &'static Call> {
    CALLS.iter().flat_map(|family| family.iter())
}

/// Finds a call by its name (`Address.Add`).
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Call> {
    all().find(|call| call.name == name)
}

impl Call {
    /// The family: the part of the name before the dot.
    #[must_use]
    pub fn family(&self) -> &'static str {
        self.name.split('.').next().unwrap_or(self.name)
    }

    /// The verb: the part of the name behind the dot.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        self.name.split('.').nth(1).unwrap_or(self.name)
    }

    /// The variety of this name.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<&'static Kind> {
        self.kinds.all.iter().find(|kind| kind.name == name)
    }

    /// The varieties that a request can be of, that of none among them where the field that says which may be absent.
    pub fn varieties(&self) -> impl Iterator<Item = Option<&'static Kind>> + use<> {
        let is_required = |by| self.uses.iter().any(|u| u.field == by && matches!(u.absence, Absence::Required));
        let none = (!self.kinds.by.is_some_and(is_required)).then_some(None);
        none.into_iter().chain(self.kinds.all.iter().map(Some))
    }

    /// The fields of one variety: those of all, then its own.
    pub fn uses(&self, kind: Option<&'static Kind>) -> impl Iterator<Item = &'static Use> + use<> {
        self.uses.iter().chain(kind.map_or(&[][..], |kind| kind.uses).iter())
    }

    /// Every field that some variety of the call has.
    pub fn all_uses(&self) -> impl Iterator<Item = &'static Use> + use<> {
        self.uses.iter().chain(self.kinds.all.iter().flat_map(|kind| kind.uses.iter()))
    }

    /// Whether it changes something, and some variety has a field that names a link.
    #[must_use]
    pub fn changes_by_links(&self) -> bool {
        self.effect == Effect::Changes && self.all_uses().any(|u| matches!(u.field.ty, Type::Link))
    }

    /// Whether some variety has this field.
    #[must_use]
    pub fn has(&self, field: &Field) -> bool {
        self.all_uses().any(|u| u.field.number == field.number)
    }

    /// Whether a deny on the field of this number is met whatever a request says.
    #[must_use]
    pub fn always_meets(&self, number: u16) -> bool {
        self.leaves_open.iter().any(|field| field.is_met_as(number))
    }
}

impl Use {
    /// What the field means here, in sentences; `absence` goes to the end of the first part, after a semicolon.
    #[must_use]
    pub fn doc(&self, absence: Option<&str>) -> String {
        let mut doc = self.field.doc.trim().to_owned();
        if let Some(absence) = absence {
            doc = format!("{}; {absence}.", doc.trim_end_matches('.'));
        }
        match self.naming {
            Naming::Refers => doc,
            Naming::Gives if matches!(self.field.ty, Type::Netns) => {
                format!("{doc} {} {}", name::NEW_NAMES, name::NEW_NETNS)
            }
            Naming::Gives => format!("{doc} {}", name::NEW_NAMES),
        }
    }

    /// Whether absence leaves open which object is meant: the request stands for each of them.
    #[must_use]
    pub fn open_when_absent(&self) -> bool {
        matches!(self.absence, Absence::Any | Absence::Chosen)
    }
}

/// A field that must be given.
const fn required(field: &'static Field) -> Use {
    declared(field, Absence::Required)
}

/// A boolean that is `false` where it is absent.
const fn off(field: &'static Field) -> Use {
    declared(field, Absence::Default(Constant::Bool(false)))
}

/// A number that is this one where it is absent.
const fn number(field: &'static Field, number: u64) -> Use {
    declared(field, Absence::Default(Constant::Number(number)))
}

/// A keyword that is this one where it is absent.
const fn word(field: &'static Field, word: &'static str) -> Use {
    declared(field, Absence::Default(Constant::Word(word)))
}

/// A field that is as the other ones have it where it is absent.
const fn follows(field: &'static Field) -> Use {
    declared(field, Absence::Follows)
}

/// A field whose absence leaves the thing alone.
const fn untouched(field: &'static Field) -> Use {
    declared(field, Absence::Untouched)
}

/// A filter.
const fn any(field: &'static Field) -> Use {
    declared(field, Absence::Any)
}

/// A field whose absence leaves the choice to the kernel, or to what iproute2 would send.
const fn chosen(field: &'static Field) -> Use {
    declared(field, Absence::Chosen)
}

const fn declared(field: &'static Field, absence: Absence) -> Use {
    Use { field, absence, counts_in: IN_NETNS, also_in: None, inside: None, naming: Naming::Refers }
}

/// Where a link's name counts unless the declaration says otherwise.
static IN_NETNS: &[&Field] = &[&field::NETNS.field];

impl Use {
    const fn counting_in(mut self, fields: &'static [&'static Field]) -> Self {
        self.counts_in = fields;
        self
    }

    const fn giving_a_name(mut self) -> Self {
        self.naming = Naming::Gives;
        self
    }

    const fn also_in(mut self, field: &'static Field) -> Self {
        self.also_in = Some(field);
        self
    }

    const fn inside(mut self, list: &'static Field) -> Self {
        self.inside = Some(list);
        self
    }
}

const fn part(name: &'static str, ty: Shape, doc: &'static str) -> Part {
    Part { name, ty, always: true, doc: Doc::Text(doc) }
}

const fn perhaps(name: &'static str, ty: Shape, doc: &'static str) -> Part {
    Part { name, ty, always: false, doc: Doc::Text(doc) }
}

/// The `settle` of a call whose fields do not decide each other.
const AS_READ: fn(&mut Request) -> Result<(), Invalid> = |_| Ok(());

/// No result: `{}`.
const NOTHING: Output = Output { parts: &[], streams: false };

/// Whether the type of a field names an object that `touches` looks at.
#[must_use]
pub fn is_object(ty: Type) -> bool {
    matches!(ty, Type::Netns | Type::Link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_of_calls_are_unique() {
        let calls: Vec<&Call> = all().collect();
        for (at, call) in calls.iter().enumerate() {
            assert_ne!(call.number, 0, "0 is the table of profiles");
            for other in &calls[at + 1..] {
                assert_ne!(call.name, other.name);
                assert_ne!(call.number, other.number, "{} and {}", call.name, other.name);
            }
        }
    }

    #[test]
    fn every_call_requires_its_namespace_and_has_each_field_once() {
        for call in all() {
            let first = &call.uses[0];
            assert_eq!(first.field.name, "netns", "{}", call.name);
            assert!(matches!(first.absence, Absence::Required), "{}", call.name);
            assert_eq!(call.kinds.is_empty(), call.kinds.by.is_none_or(|field| !call.has(field)), "{}", call.name);
            for kind in call.kinds.iter().map(Some).chain([None]) {
                let mut names: Vec<&str> = call.uses(kind).map(|u| u.field.name).collect();
                let count = names.len();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), count, "{}", call.name);
            }
        }
    }

    #[test]
    fn what_a_call_leaves_open_are_fields_of_its_own() {
        for call in all() {
            for field in call.leaves_open {
                assert!(call.has(field), "{} of {}", field.name, call.name);
                assert!(!matches!(field.ty, Type::Netns), "{}", call.name); // a policy is about one namespace
            }
        }
    }

    /// Else one thing could be asked for in two ways, or both at once.
    #[test]
    fn a_list_and_the_fields_that_it_takes_the_place_of_are_not_given_together() {
        for call in all() {
            for used in call.all_uses() {
                let Some((list, outside)) = used.inside.zip(used.field.outside()) else { continue };
                assert!(call.has(outside), "{} of {}", outside.name, call.name);
                let excluded = call.excludes.iter().any(|(one, other, _)| (*one, *other) == (outside, list));
                assert!(excluded, "{} of {}", outside.name, call.name);
            }
        }
    }

    #[test]
    fn a_default_has_the_type_of_its_field() {
        for used in all().flat_map(Call::all_uses) {
            if let Absence::Default(constant) = used.absence {
                let value = constant.value(0);
                assert_eq!(used.field.ty.parse(&value.to_string()), Ok(value), "{}", used.field.name);
            }
        }
    }

    #[test]
    fn names_are_given_where_something_is_made_or_renamed_and_nowhere_else() {
        let gives = |used: &&Use| used.naming == Naming::Gives;
        let given: Vec<String> = all()
            .flat_map(|call| call.all_uses().filter(gives).map(|used| format!("{} {}", call.name, used.field.name)))
            .collect();
        let expected = [
            "Netns.Add netns",
            "Link.Add link",
            "Link.Add peer.name",
            "Link.Set new_name",
            "Address.Add label",
            "Rule.Add iif",
            "Rule.Add oif",
        ];
        assert_eq!(given, expected);
        for used in all().flat_map(Call::all_uses).filter(gives) {
            assert!(matches!(used.field.ty, Type::Netns | Type::Link | Type::Label), "{}", used.field.name);
        }
    }
}
