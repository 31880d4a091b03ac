// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a later version adds. Every field of the invented calls, and every kind, is taken for the new one in turn. The
//! rules are those that could be written before it existed.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::asked::{Question, everything_asked, left_open};
use super::single::every_rule;
use super::universe::{ADD, caller, closes, is_outside_of, varieties};
use super::written::{Says, Written};
use super::{Case, WORLD, allowed};
use crate::call::field::{Field, KIND, NETNS};
use crate::call::request::Request;
use crate::call::{Absence, Call, Kind, Kinds, Use};
use crate::policy::Decision;
use crate::policy::judge::judge;
use crate::policy::rule::{Rule, Ruling};

fn keep<T>(list: Vec<T>) -> &'static [T] {
    Box::leak(list.into_boxed_slice())
}

/// The uses without this field and without the fields inside it.
fn other_uses(uses: &'static [Use], field: &Field) -> &'static [Use] {
    let copy = |used: &Use| Use { ..*used };
    keep(uses.iter().filter(|used| used.field() != field && used.inside() != Some(field)).map(copy).collect())
}

fn with(call: &'static Call, uses: &'static [Use], kinds: &'static [Kind]) -> &'static Call {
    let Call { name, number, effect, needs, doc, elsewhere, excludes, settle, .. } = *call;
    let is_new = |field: &Field| call.has(field) && !uses.iter().any(|used| used.field() == field);
    let leaves_open = keep(call.leaves_open.iter().copied().filter(|field| !is_new(field)).collect());
    let result = crate::call::Output { parts: &[], streams: false };
    let kinds = Kinds { by: call.kinds.by, all: kinds };
    let call = Call { name, number, effect, needs, doc, elsewhere, uses, kinds, excludes, leaves_open, settle, result };
    Box::leak(Box::new(call))
}

/// The call before it had this field.
fn before_the_field(call: &'static Call, field: &Field) -> &'static Call {
    let kinds = call.kinds.iter().map(|kind| Kind { uses: other_uses(kind.uses, field), ..*kind });
    with(call, other_uses(call.uses, field), keep(kinds.collect()))
}

/// The request as it was possible then.
fn as_before(asked: &Question, old: &'static Call, field: &Field) -> Question {
    Question { call: old, kind: asked.kind.and_then(|kind| old.kind(kind.name)), ..asked.without(field) }
}

/// A request that is possible now.
struct Pair<'a> {
    asked: &'a Question,
    now: &'a Request,
    /// Whether its value for the new field differs from what absence means.
    carries: bool,
}

/// Tries every field in turn, with every rule that could be written before the field existed, and with everything that
/// can be requested. `decide` runs on the request without the field and on the request with it. Requests that differ
/// only in the new field were the same before, and are decided once.
fn every_new_field<T: PartialEq>(
    ruling: Ruling,
    decide: impl Fn(&Rule, &Request) -> T,
    mut test: impl FnMut(&Use, &Written, &Pair<'_>, &T, &T),
) {
    for (call, cases) in WORLD.iter() {
        for used in call.all_uses().filter(|used| used.field() != &NETNS.field && used.field() != &KIND.field) {
            let old = before_the_field(call, used.field());
            let mut before: BTreeMap<String, (Request, Vec<Pair<'_>>)> = BTreeMap::new();
            for Case { asked, request, .. } in cases {
                let was = as_before(asked, old, used.field());
                let pair = Pair { asked, now: request, carries: carries(asked, used) };
                before.entry(format!("{was:?}")).or_insert_with(|| (was.request(), Vec::new())).1.push(pair);
            }
            for written in every_rule(old, ruling) {
                let rule = written.rule("r");
                for (request, pairs) in before.values() {
                    let was = decide(&rule, request);
                    pairs.iter().for_each(|pair| test(used, &written, pair, &was, &decide(&rule, pair.now)));
                }
            }
        }
    }
}

/// Whether the request gives the field a value that differs from what absence means.
fn carries(asked: &Question, used: &Use) -> bool {
    let constant =
        if let Absence::Default(constant) = used.absence { Some(constant.value(caller().uid)) } else { None };
    asked.said(used).into_iter().flatten().any(|value| Some(value) != constant.as_ref())
}

/// Counter-examples among all earlier allows and all requests that are possible now.
#[derive(Default)]
struct EarlierAllows {
    /// A request that is permitted with the field and was not before, or that gives a value which the allow could not
    /// name.
    wider: Option<String>,
    /// A request that was possible before, and is judged differently now.
    otherwise: Option<String>,
}

/// The allows are tried once for both tests that use the results.
static ALLOWS: LazyLock<EarlierAllows> = LazyLock::new(|| {
    let mut found = EarlierAllows::default();
    let decide = |rule: &Rule, request: &Request| judge(std::slice::from_ref(rule), &caller(), request);
    let permits = |decision: &Decision| matches!(decision, Decision::Allowed { .. });
    every_new_field(Ruling::Allow, decide, |used, allow, Pair { asked, carries, .. }, was, now| {
        let narrows = matches!(used.absence, Absence::Any);
        if permits(now) && !(permits(was) && (narrows || !carries)) {
            found.wider.get_or_insert_with(|| format!("{} {asked:?} {allow:?}", used.field().name));
        }
        if !carries && was != now {
            found.otherwise.get_or_insert_with(|| format!("{} {asked:?} {allow:?}", used.field().name));
        }
    });
    found
});

#[test]
fn a_new_field_widens_nothing() {
    assert_eq!(ALLOWS.wider, None);
}

#[test]
fn requests_of_the_old_version_are_judged_as_before() {
    assert_eq!(ALLOWS.otherwise, None);
}

#[test]
fn a_deny_forbids_with_a_new_field_what_it_forbade_without() {
    let forbids = |rule: &Rule, request: &Request| rule.forbids(&caller(), request).is_some();
    every_new_field(Ruling::Deny, forbids, |used, deny, Pair { asked, carries, .. }, was, now| {
        if was == now {
            return;
        }
        // Where the new field closes one that was open, nothing is left that could meet the deny. And inside a list,
        // the new field may give what the deny names outside.
        let closed = |named: &Use| closes(asked.call, used.field(), named.inside().unwrap_or(named.field()));
        let inside = || asked.call.all_uses().filter(|u| u.field() == used.field() || u.inside() == Some(used.field()));
        let says = |named: &Use| inside().any(|inside| is_outside_of(named.field(), inside.field()));
        let named = || asked.call.all_uses().filter(|other| deny.names(other.field()).is_some());
        // A new field may also open what the deny names.
        let opened = |named: &Use| *carries && left_open(asked).contains(&named.field());
        let may_be =
            if *now { named().any(|named| says(named) || opened(named)) } else { *carries && named().any(closed) };
        assert!(may_be, "{} {asked:?} {deny:?}", used.field().name);
    });
}

#[test]
fn a_new_kind_widens_nothing() {
    for new in ADD.kinds.all {
        let kinds = ADD.kinds.iter().filter(|kind| kind.name != new.name);
        let old = with(&ADD, ADD.uses, keep(kinds.map(|k| Kind { ..*k }).collect()));
        let knows = |says: &Says| !says.constraint(KIND.field.ty).meets(&crate::call::value::Value::Word(new.name), 0);
        let could_be_written = |rule: &Written| rule.names(&KIND.field).is_none_or(knows);
        let before = |asked: &Question| {
            let is_new = asked.kind.is_some_and(|kind| kind.name == new.name);
            (!is_new).then(|| Question { call: old, kind: varieties(old)[0], ..asked.clone() }.request())
        };
        let requests: Vec<_> =
            everything_asked(&ADD).into_iter().map(|asked| (asked.request(), before(&asked), asked)).collect();
        for allow in every_rule(old, Ruling::Allow).into_iter().filter(could_be_written) {
            let rules = [allow.rule("a")];
            for (request, was, asked) in &requests {
                if let Some(was) = was {
                    let decisions = [request, was].map(|request| judge(&rules, &caller(), request));
                    assert_eq!(decisions[0], decisions[1], "{asked:?} {allow:?}");
                } else {
                    assert!(!allowed(&rules, request), "{asked:?} {allow:?}");
                }
            }
        }
    }
}
