// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls, each declared once.
//!
//! The declarations determine the parser of requests, the type check of policies, the Varlink descriptions, the
//! reference in the manual and `netbrokerctl call`. A call is added in two places: its declaration in the file of its
//! family here, and its encoding in the file of the same name in `netlink`.
#![forbid(unsafe_code)]

mod address;
pub mod error;
mod fdb;
pub mod field;
pub mod inet;
pub mod json;
mod link;
pub mod name;
pub mod needs;
mod neighbour;
mod netns;
mod nexthop;
pub mod object;
pub mod range;
pub mod request;
pub mod route;
mod rule;
mod settle;
pub mod types;
pub mod value;
pub mod varlink;
mod vlan;
mod vni;

pub(crate) use address::{ADDRESS_FLAGS_INET6, ADDRESS_STATE};
pub(crate) use fdb::{FDB_ENTRY, REPORTED_TARGETS, REPORTED_VIA};
use field::{Field, FieldId};
pub(crate) use link::{LINK_STATE, OTHER, VF_STATE, identifies_link};
pub(crate) use neighbour::NEIGHBOUR_STATE;
pub(crate) use nexthop::{MEMBER_STATE, NEXTHOP_OBJECT_STATE, OF_SINGLE};
pub(crate) use route::{NEXTHOP_STATE, ROUTE_STATE};
pub(crate) use rule::RULE_STATE;
pub(crate) use vlan::VLAN_STATE;
pub(crate) use vni::VNI_STATE;

pub use field::Constant;
pub use needs::Needs;
use object::{Adjusted, Doc, Parts, Row};
use request::{Invalid, Request};
use types::{Only, Type};
use value::Value;

/// One operation, such as `Address.Add`. On the wire it is the Varlink method `io.netbroker.Address.Add`.
#[derive(Debug)]
pub struct Call {
    /// The family and the verb, with a dot between them.
    pub name: &'static str,
    /// Its number in compiled policies. A number is never used again.
    pub number: u16,
    /// Whether it changes something.
    pub effect: Effect,
    /// What the process needs to carry it out.
    pub needs: Needs,
    /// What it does, in one or more sentences.
    pub doc: &'static str,
    /// Side effects on objects that the request does not name; empty if there are none.
    pub elsewhere: &'static str,
    /// The fields that all kinds have.
    pub uses: &'static [Use],
    /// Its kinds, if it has any.
    pub kinds: Kinds,
    /// Pairs of fields of which a request can give only one, and the reason.
    pub excludes: &'static [(&'static Field, &'static Field, &'static str)],
    /// Fields that can have any value, whatever the request gives: those of an existing object that the call replaces
    /// or refers to by a number, if these fields do not identify it. A deny on such a field is always met. An allow
    /// considers the given value. The call need not have the field: it may be that of other objects that the call changes,
    /// such as the routes that use a nexthop object. Then only denies can name it.
    pub leaves_open: &'static [&'static Field],
    /// Checks and fills in fields that depend on each other. It runs after all fields are read and before the request
    /// is judged. `AS_READ` does nothing.
    pub settle: fn(&mut Request) -> Result<(), Invalid>,
    /// Its result.
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

/// The kinds of a call.
#[derive(Debug, Clone, Copy)]
pub struct Kinds {
    /// The field that selects the kind of a request.
    pub by: Option<&'static Field>,
    /// All of them. A request without the field, if it is optional, has no kind.
    pub all: &'static [Kind],
}

/// No kinds.
pub const NO_KINDS: Kinds = Kinds { by: None, all: &[] };

impl std::ops::Deref for Kinds {
    type Target = [Kind];

    fn deref(&self) -> &[Kind] {
        self.all
    }
}

/// A kind: the variant of a call that decides which fields it has.
#[derive(Debug)]
pub struct Kind {
    /// The keyword that selects it.
    pub name: &'static str,
    /// What the process needs to carry it out. This replaces [`Call::needs`].
    pub needs: Needs,
    /// The fields that only this kind has.
    pub uses: &'static [Use],
    /// As [`Call::settle`], for this kind.
    pub settle: fn(&mut Request) -> Result<(), Invalid>,
    /// The tables of the additional rows of its objects, in requests and results.
    pub tables: &'static [&'static [Row]],
    /// The field that names a second namespace in which this request does something.
    pub visits: fn(&Request) -> Option<&'static Field>,
    /// Whether its links are on top of a link, or send packets, in the namespace of `netns`, wherever they are
    /// themselves (`get_link_net` in `struct rtnl_link_ops`).
    pub anchored: bool,
    /// Whether they send through the namespace that they are made in. So they are made in that of `netns`, and moved.
    pub moved: bool,
    /// Kinds of parents that the kernel replaces by the link below them, or could replace in a later version.
    pub sinks_through: &'static [&'static str],
}

/// A kind with `CAP_NET_ADMIN` whose fields do not depend on each other.
const fn kind(name: &'static str, uses: &'static [Use], tables: &'static [&'static [Row]]) -> Kind {
    let (needs, settle, visits) = (Needs::NET_ADMIN, AS_READ, NOWHERE_ELSE);
    Kind { name, needs, uses, settle, tables, visits, anchored: false, moved: false, sinks_through: &[] }
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

    const fn visiting(mut self, visits: fn(&Request) -> Option<&'static Field>) -> Self {
        self.visits = visits;
        self
    }

    const fn anchored(mut self) -> Self {
        self.anchored = true;
        self
    }

    const fn moved(mut self) -> Self {
        self.moved = true;
        self
    }

    const fn sinking_through(mut self, kinds: &'static [&'static str]) -> Self {
        self.sinks_through = kinds;
        self
    }

    /// The additional rows of its objects.
    pub fn rows(&self) -> impl Iterator<Item = &'static Row> + Clone + use<> {
        self.tables.iter().flat_map(|table| table.iter())
    }
}

/// A field of a call.
#[derive(Debug)]
pub struct Use {
    /// The field.
    pub(crate) field: FieldId,
    /// What its absence means.
    pub absence: Absence,
    /// For a link: the fields that can name its namespace. The first one that the request gives applies.
    pub(crate) counts_in: [Option<FieldId>; 2],
    /// For a link: a field that names a second namespace in which the name applies, if the request gives it.
    pub(crate) also_in: Option<FieldId>,
    /// The list whose elements have the field. It is declared before the field. Absence is then absence from one
    /// element.
    pub(crate) inside: Option<FieldId>,
    /// The values that the call accepts.
    pub only: Only,
    /// What the call does with the name in the field, if it has one.
    pub naming: Naming,
    /// For a link: whether the field is only a condition on the objects that the call lists. Its absence then refers to no
    /// link, so `touches` does not meet it.
    pub is_condition: bool,
}

/// What a call does with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// It refers to an existing object, or the field has no name.
    Refers,
    /// It gives the name to an object, or stores it in one. The name then reaches scripts that other people wrote, so
    /// characters with a meaning to a shell are refused.
    Gives,
}

/// What the absence of a field means.
#[derive(Debug, Clone, Copy)]
pub enum Absence {
    /// The request is refused.
    Required,
    /// It means this constant, which is filled in before the request is judged.
    Default(Constant),
    /// The value follows from the other fields, as the call's `doc` says. [`Call::settle`] fills it in like a default.
    Follows,
    /// The field is not set: the object keeps its value, or a new object gets the kernel's.
    Untouched,
    /// The field is a filter: every object matches.
    Any,
    /// The kernel chooses the value, or the broker sends what iproute2 would send.
    Chosen,
}

impl Absence {
    /// The constant that absence stands for, for a caller with this uid; `None` if it stands for none.
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
    /// Its type.
    pub ty: Shape,
    /// Whether every result has it.
    pub always: bool,
    /// Its documentation, with the unit.
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
    /// `[]int`.
    Ints,
    /// `[]string`.
    Strings,
    /// An object with these parts.
    Object(Parts),
    /// A list of objects: the name of their Varlink type, and their parts.
    List(&'static str, Parts),
}

/// The result of a call.
#[derive(Debug)]
pub struct Output {
    /// Its parts.
    pub parts: &'static [Part],
    /// Whether `more` applies: each reply then has some elements of the list.
    pub streams: bool,
}

/// All calls, family by family.
pub static CALLS: &[&[Call]] = &[
    netns::CALLS,
    link::CALLS,
    address::CALLS,
    route::CALLS,
    neighbour::CALLS,
    rule::CALLS,
    fdb::CALLS,
    nexthop::CALLS,
    vlan::CALLS,
    vni::CALLS,
];

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

    /// The verb: the part of the name after the dot.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        self.name.split('.').nth(1).unwrap_or(self.name)
    }

    /// The kind with this name.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<&'static Kind> {
        self.kinds.all.iter().find(|kind| kind.name == name)
    }

    /// The kinds that a request can have. `None` is one of them if the field that selects the kind is optional.
    pub fn varieties(&self) -> impl Iterator<Item = Option<&'static Kind>> + use<> {
        let is_required = |by| self.uses.iter().any(|u| u.field() == by && matches!(u.absence, Absence::Required));
        let none = (!self.kinds.by.is_some_and(is_required)).then_some(None);
        none.into_iter().chain(self.kinds.all.iter().map(Some))
    }

    /// The fields of one kind: those of all kinds, then its own.
    pub fn uses(&self, kind: Option<&'static Kind>) -> impl Iterator<Item = &'static Use> + use<> {
        self.uses.iter().chain(kind.map_or(&[][..], |kind| kind.uses).iter())
    }

    /// Every field that any kind of the call has.
    pub fn all_uses(&self) -> impl Iterator<Item = &'static Use> + use<> {
        self.uses.iter().chain(self.kinds.all.iter().flat_map(|kind| kind.uses.iter()))
    }

    /// Whether it changes something, and any kind has a field that names a link.
    #[must_use]
    pub fn changes_by_links(&self) -> bool {
        self.effect == Effect::Changes && self.all_uses().any(|u| u.field().ty.is_link())
    }

    /// Whether any kind has this field.
    #[must_use]
    pub fn has(&self, field: &Field) -> bool {
        self.all_uses().any(|u| u.field().number == field.number)
    }

    /// The fields that it leaves open and does not have: those of other objects that it changes.
    pub fn elsewhere_open(&self) -> impl Iterator<Item = &'static Field> + use<'_> {
        self.leaves_open.iter().copied().filter(|field| !self.has(field))
    }

    /// Whether a deny on the field of this number can meet a request of this kind.
    #[must_use]
    pub fn can_be_met(&self, kind: Option<&'static Kind>, number: u16) -> bool {
        let fields = self.uses(kind).map(Use::field);
        fields.chain(self.elsewhere_open()).any(|field| field.is_met_as(number))
    }

    /// Whether a deny on a link can meet some request.
    #[must_use]
    pub fn can_touch_links(&self) -> bool {
        self.all_uses().map(Use::field).chain(self.elsewhere_open()).any(|field| field.ty.is_link())
    }

    /// Whether the kernel can take another value for the field of a link than a request gives.
    #[must_use]
    pub fn adjusts(&self, field: &Field) -> bool {
        let makes = self.has(&field::EXISTS_OK.field);
        let can = |row: &Row| match row.adjusted {
            Adjusted::Never => false,
            Adjusted::WhenMade => makes,
            Adjusted::Always => true,
        };
        let is_of_links =
            self.effect == Effect::Changes && self.uses.iter().any(|used| used.field() == &field::KIND.field);
        is_of_links && LINK_STATE.all_rows().any(|row| row.field() == Some(field) && can(row))
    }
}

impl Use {
    /// The field.
    #[must_use]
    pub fn field(&self) -> &'static Field {
        self.field.get()
    }

    /// The type of the values that the call accepts.
    #[must_use]
    pub fn ty(&self) -> Type {
        self.only.narrow(self.field().ty)
    }

    /// The form of the values that the call accepts, for errors and the manual.
    #[must_use]
    pub fn expected(&self) -> String {
        self.only.expected(self.field().ty)
    }

    /// For a link: the fields that can name its namespace. The first one that the request gives applies.
    pub fn counts_in(&self) -> impl Iterator<Item = &'static Field> + use<> {
        self.counts_in.into_iter().flatten().map(FieldId::get)
    }

    /// For a link: a field that names a second namespace in which the name applies, if the request gives it.
    #[must_use]
    pub fn also_in(&self) -> Option<&'static Field> {
        self.also_in.map(FieldId::get)
    }

    /// The list whose elements have the field.
    #[must_use]
    pub fn inside(&self) -> Option<&'static Field> {
        self.inside.map(FieldId::get)
    }

    /// The documentation of the field in requests of these calls. `absence` is added to the documentation of the field
    /// after a semicolon.
    #[must_use]
    pub fn doc(&self, calls: &[&Call], absence: Option<&str>) -> String {
        const ADJUSTED: &str = "If the kernel sets another value, the error is `NotApplied`.";
        let is_adjusted = calls.iter().any(|call| call.adjusts(self.field()));
        let parts = [self.field().doc, self.field().in_requests, if is_adjusted { ADJUSTED } else { "" }];
        let mut doc = parts.map(str::trim).into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        if let Some(absence) = absence {
            doc = format!("{}; {absence}.", doc.trim_end_matches('.'));
        }
        match self.naming {
            Naming::Refers => doc,
            Naming::Gives if matches!(self.field().ty, Type::Netns) => {
                format!("{doc} {} {}", name::NEW_NAMES, name::NEW_NETNS)
            }
            Naming::Gives => format!("{doc} {}", name::NEW_NAMES),
        }
    }

    /// Whether absence leaves open which object is meant. The request then stands for all of them.
    #[must_use]
    pub fn open_when_absent(&self) -> bool {
        matches!(self.absence, Absence::Any | Absence::Chosen)
    }
}

/// A required field.
const fn required(field: &'static Field) -> Use {
    declared(field, Absence::Required)
}

/// A boolean whose default is `false`.
const fn off(field: &'static Field) -> Use {
    declared(field, Absence::Default(Constant::Bool(false)))
}

/// A number with this default.
const fn number(field: &'static Field, number: u64) -> Use {
    declared(field, Absence::Default(Constant::Number(number)))
}

/// A keyword with this default.
const fn word(field: &'static Field, word: &'static str) -> Use {
    declared(field, Absence::Default(Constant::word(field, word)))
}

/// A field whose value follows from the other fields if it is absent.
const fn follows(field: &'static Field) -> Use {
    declared(field, Absence::Follows)
}

/// A field that is not set if it is absent.
const fn untouched(field: &'static Field) -> Use {
    declared(field, Absence::Untouched)
}

/// A filter.
const fn any(field: &'static Field) -> Use {
    declared(field, Absence::Any)
}

/// A field whose absence leaves the choice to the kernel, or to the rules of iproute2.
const fn chosen(field: &'static Field) -> Use {
    declared(field, Absence::Chosen)
}

pub(crate) const fn declared(field: &'static Field, absence: Absence) -> Use {
    Use {
        field: FieldId::of(field),
        absence,
        counts_in: [Some(FieldId::of(&field::NETNS.field)), None],
        also_in: None,
        inside: None,
        only: Only::All,
        naming: Naming::Refers,
        is_condition: false,
    }
}

impl Use {
    /// The name applies in the namespace of this field instead of that of `netns`.
    const fn counting_in(mut self, field: &'static Field) -> Self {
        self.counts_in = [Some(FieldId::of(field)), None];
        self
    }

    /// The name applies in the namespace of this field, if the request gives it.
    const fn counting_in_given(mut self, field: &'static Field) -> Self {
        self.counts_in = [Some(FieldId::of(field)), self.counts_in[0]];
        self
    }

    const fn giving_a_name(mut self) -> Self {
        self.naming = Naming::Gives;
        self
    }

    const fn only(mut self, only: Only) -> Self {
        self.only = only;
        self
    }

    const fn also_counting_in(mut self, field: &'static Field) -> Self {
        self.also_in = Some(FieldId::of(field));
        self
    }

    const fn being_a_condition(mut self) -> Self {
        self.is_condition = true;
        self
    }

    const fn within(mut self, list: &'static Field) -> Self {
        self.inside = Some(FieldId::of(list));
        self
    }
}

const fn part(name: &'static str, ty: Shape, doc: &'static str) -> Part {
    Part { name, ty, always: true, doc: Doc::Text(doc) }
}

const fn perhaps(name: &'static str, ty: Shape, doc: &'static str) -> Part {
    Part { name, ty, always: false, doc: Doc::Text(doc) }
}

/// The `visits` of a kind that acts in the namespace of `netns` only.
const NOWHERE_ELSE: fn(&Request) -> Option<&'static Field> = |_| None;

/// The `settle` of a call whose fields do not depend on each other.
const AS_READ: fn(&mut Request) -> Result<(), Invalid> = |_| Ok(());

/// The result of a flush.
const FLUSHED: Output =
    Output { parts: &[part("deleted", Shape::Int, "How many objects were deleted.")], streams: false };

/// No result: `{}`.
const NOTHING: Output = Output { parts: &[], streams: false };

/// Whether fields of this type name an object that `touches` considers.
#[must_use]
pub fn is_object(ty: Type) -> bool {
    matches!(ty, Type::Netns) || ty.is_link()
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
            assert_eq!(first.field().name, "netns", "{}", call.name);
            assert!(matches!(first.absence, Absence::Required), "{}", call.name);
            assert_eq!(call.kinds.is_empty(), call.kinds.by.is_none_or(|field| !call.has(field)), "{}", call.name);
            for kind in call.kinds.iter().map(Some).chain([None]) {
                let mut names: Vec<&str> = call.uses(kind).map(|u| u.field().name).collect();
                let count = names.len();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), count, "{}", call.name);
            }
        }
    }

    #[test]
    fn what_a_call_leaves_open_are_fields_of_its_own_or_of_objects_that_another_call_changes() {
        for call in all() {
            for field in call.leaves_open {
                let is_of_others = all().any(|other| other.effect == Effect::Changes && other.has(field));
                assert!(call.has(field) || is_of_others, "{} of {}", field.name, call.name);
                assert!(!matches!(field.ty, Type::Netns), "{}", call.name); // a policy is about one namespace
            }
        }
    }

    /// Otherwise a request could express the same thing in two ways, or in both at once.
    #[test]
    fn a_list_and_the_fields_that_it_takes_the_place_of_are_not_given_together() {
        for call in all() {
            for used in call.all_uses() {
                let Some((list, outside)) = used.inside().zip(used.field().outside()) else { continue };
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
                assert_eq!(used.field().ty.parse(&value.to_string()), Ok(value), "{}", used.field().name);
            }
        }
    }

    /// Otherwise a request could delete by a flush what a deny keeps it from deleting by itself.
    #[test]
    fn a_flush_has_every_field_by_which_a_delete_finds_its_object() {
        let mut flushes = 0;
        for flush in all().filter(|call| call.verb() == "Flush") {
            let delete = by_name(&format!("{}.Delete", flush.family())).unwrap();
            // These find no object: one is about its absence, and one about a part of it.
            let finds = |field: &Field| ![&field::MISSING_OK.field, &field::ONE_NEXTHOP.field].contains(&field);
            for used in delete.uses.iter().filter(|used| finds(used.field())) {
                let field = used.field();
                let filter = flush.uses.iter().find(|filter| filter.field().is_met_as(field.number));
                // A default is a value, in a delete and in a flush.
                let is_value = |used: &Use| matches!(used.absence, Absence::Required | Absence::Default(_));
                let meets = |filter: &Use| matches!(filter.absence, Absence::Any) || is_value(filter) && is_value(used);
                assert!(
                    filter.is_some_and(meets) || flush.leaves_open.contains(&field),
                    "{} {}",
                    flush.name,
                    field.name
                );
            }
            flushes += 1;
        }
        assert!(flushes > 0);
    }

    #[test]
    fn names_are_given_where_something_is_made_or_renamed_and_nowhere_else() {
        let gives = |used: &&Use| used.naming == Naming::Gives;
        let given: Vec<String> = all()
            .flat_map(|call| call.all_uses().filter(gives).map(|used| format!("{} {}", call.name, used.field().name)))
            .collect();
        let expected = [
            "Netns.Add netns",
            "Link.Add link",
            "Link.Add peer.name", // of a veth
            "Link.Add peer.name", // of a netkit
            "Link.Set new_name",
            "Link.Set add_altname",
            "Address.Add label",
            "Address.Replace label",
            "Rule.Add iif",
            "Rule.Add oif",
        ];
        assert_eq!(given, expected);
        for used in all().flat_map(Call::all_uses).filter(gives) {
            assert!(is_object(used.field().ty) || matches!(used.field().ty, Type::Label), "{}", used.field().name);
        }
    }
}
