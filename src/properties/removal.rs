// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A deny that keeps `Delete` from removing an object also keeps every other call of its family from removing it: a flush
//! of more, and a replacement of it.

use super::asked::Question;
use super::random::{Random, each_seed};
use super::universe::{caller, values};
use super::written;
use crate::call::field::{Alone, Field, MISSING_OK, NETNS, ONE_NEXTHOP};
use crate::call::range::NumberRange;
use crate::call::types::Type;
use crate::call::value::Value;
use crate::call::{Absence, Call, Use, all};
use crate::policy::judge::judge;
use crate::policy::rule::Ruling;

/// Fields of `Delete` that are about the absence of an object, or about a part of it.
static NOT_OF_AN_OBJECT: &[&Field] = &[&MISSING_OK.field, &ONE_NEXTHOP.field];

/// The calls that can remove what each `Delete` removes.
fn removers() -> Vec<(&'static Call, Vec<&'static Call>)> {
    let is_one = |call: &&Call| ["Flush", "Replace"].contains(&call.verb());
    let deletes = all().filter(|call| call.verb() == "Delete");
    let others =
        |delete: &Call| all().filter(is_one).filter(|call| call.family() == delete.family()).collect::<Vec<_>>();
    deletes.map(|delete| (delete, others(delete))).filter(|(_, others)| !others.is_empty()).collect()
}

/// The fields of a call that are neither a list nor inside one.
fn plain(call: &'static Call) -> impl Iterator<Item = &'static Use> {
    call.uses(None).filter(|used| used.inside().is_none() && !matches!(used.field().ty, Type::List(_)))
}

/// Values of a field. Those of addresses also come without a length.
fn some(field: &Field) -> Vec<Value> {
    let bare: &[&str] = if matches!(field.ty, Type::InterfaceAddress) { &["10.0.0.1", "10.0.0.6"] } else { &[] };
    values(field).into_iter().chain(bare.iter().map(|raw| field.ty.parse(raw).unwrap())).collect()
}

/// A `Delete` that names everything of one object, but what the family does not have at once.
fn object(random: &mut Random, delete: &'static Call) -> Option<Question> {
    let mut object = Question { call: delete, kind: None, given: Vec::new() };
    for used in plain(delete).filter(|used| !NOT_OF_AN_OBJECT.contains(&used.field())) {
        let value = random.of(&some(used.field())).clone();
        let with = object.with(used.field(), value);
        let is_required = matches!(used.absence, Absence::Required);
        // The reading of one that is not complete yet complains of what is missing, not of the new field.
        let complains = with.read().is_err_and(|wrong| wrong.field == used.field().name);
        if is_required || !complains && !random.once_in(4) {
            object = with;
        }
    }
    object.read().is_ok().then_some(object)
}

/// The value by which a call selects the object, if it selects by this field.
fn selecting(random: &mut Random, object: &Question, field: &'static Field) -> Option<Value> {
    match (field.alone, field.ty) {
        (Some(Alone::RangeOf(one)), Type::Range(least, most)) if !object.call.has(field) => match object
            .value(one.get())
        {
            Some(Value::Number(number)) => {
                let (first, last) = *random.of(&[(*number, *number), (least, *number), (*number, most), (least, most)]);
                NumberRange::new(first, last).map(Value::Range)
            }
            _ => None,
        },
        _ => object.value(field).cloned(),
    }
}

/// A request of another call that can remove the object.
fn removing(random: &mut Random, call: &'static Call, object: &Question) -> Option<Question> {
    let mut asked = Question { call, kind: None, given: Vec::new() };
    for used in plain(call) {
        let field = used.field();
        let is_key = field == &NETNS.field
            || call.verb() == "Flush"
            || object.call.has(field) && !call.leaves_open.contains(&field);
        let value = if is_key { selecting(random, object, field) } else { Some(random.of(&some(field)).clone()) };
        // Where absence is a value, it selects by that value.
        let is_filter = matches!(used.absence, Absence::Any | Absence::Chosen | Absence::Untouched);
        let is_absent = is_filter && (call.verb() == "Flush" || !is_key) && random.once_in(2);
        if let Some(value) = value.filter(|_| !is_absent) {
            let with = asked.with(field, value);
            let complains = with.read().is_err_and(|wrong| wrong.field == field.name);
            if is_key || !complains {
                asked = with;
            }
        }
    }
    asked.read().is_ok().then_some(asked)
}

/// How often each call was tried with one random deny and one random object.
fn round(random: &mut Random, families: &[(&'static Call, Vec<&'static Call>)]) -> Vec<&'static str> {
    let (delete, others) = random.of(families);
    let mut deny = written(random, delete, Ruling::Deny);
    deny.spares.clear();
    deny.fields.retain(|(field, _)| !NOT_OF_AN_OBJECT.contains(field));
    let rules = [deny.rule("d")];
    let denied =
        object(random, delete).filter(|object| judge(&rules, &caller(), &object.request()).rule() == Some("d"));
    let Some(object) = denied else { return Vec::new() };
    let mut tried = Vec::new();
    for call in others {
        let Some(asked) = removing(random, call, &object) else { continue };
        let has_all = deny.fields.iter().all(|(field, _)| call.can_be_met(None, field.number));
        assert!(has_all, "{} lacks a field of {deny:?}", call.name);
        let decision = judge(&rules, &caller(), &asked.request());
        assert_eq!(decision.rule(), Some("d"), "{object:?}\n{asked:?}\n{deny:?}");
        tried.push(call.name);
    }
    tried
}

#[test]
fn a_deny_that_keeps_an_object_from_being_deleted_keeps_it_from_being_flushed_and_replaced() {
    let families = removers();
    let tried = each_seed(6000, |mut random| round(&mut random, &families)).concat();
    for call in families.iter().flat_map(|(_, others)| others) {
        let count = tried.iter().filter(|name| **name == call.name).count();
        assert!(count > 4, "{} was tried {count} times", call.name);
    }
}
