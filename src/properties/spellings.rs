// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One meaning has one spelling: two requests of one call, about the same namespaces, that become the same bytes are
//! judged alike. The real encoder makes the bytes, in a network namespace of the test's own.

use std::process::Command;

use nix::sched::{CloneFlags, unshare};

use super::asked::Question;
use super::random::{Random, each_seed};
use super::universe::{caller, values, varieties};
use super::written::{Entry, Says, Written};
use super::{allowed, says, written};
use crate::call::field::{ENCAP_KIND, EXISTS_OK, Field, KIND, MISSING_OK};
use crate::call::name::NetnsName;
use crate::call::range::NumberRange;
use crate::call::request::Request;
use crate::call::types::Type;
use crate::call::value::{Element, Value};
use crate::call::{Absence, Call, Effect, Needs, Use, all};
use crate::netlink::kept::changes;
use crate::policy::rule::{Rule, Ruling};

/// Calls that send their messages whatever a listing before them shows.
fn calls() -> Vec<&'static Call> {
    let lists_first = [
        "Address.Delete",
        "Route.Delete",
        "Rule.Delete",
        "Rule.Flush",
        "Nexthop.Delete",
        "Vlan.Delete",
        "Vni.Add",
        "Vni.Delete",
    ];
    let sends = |call: &&Call| call.effect == Effect::Changes && call.needs == Needs::NET_ADMIN;
    // The links of this test are bridges, on which it is refused.
    let is_refused = |call: &Call| call.name == "Fdb.Append";
    let shown = |call: &&Call| !lists_first.contains(&call.name) && call.verb() != "Flush" && !is_refused(call);
    all().filter(sends).filter(shown).collect()
}

/// Values that could have the same meaning as others: the ends of a range, zeros, other families, other forms.
fn telling(field: &Field) -> Vec<Value> {
    let raw: &[&str] = match field.ty {
        Type::Mac => &["FA:16:3E:00:00:01", "00:00:00:00:00:00"],
        Type::Address | Type::Gateway => &["0.0.0.0", "::", "2001:db8::1", "2001:DB8:0::1", "239.0.0.1", "10.0.0.255"],
        Type::InterfaceAddress => &["10.0.0.6", "2001:db8::1", "10.0.0.1/32", "2001:db8:0::1/126", "127.0.0.1/8"],
        Type::Prefix => &["default", "0.0.0.0/0", "::/0", "10.0.0.0/30", "2001:db8::/126"],
        _ => &[],
    };
    let mut telling = values(field);
    telling.extend(raw.iter().filter_map(|raw| field.ty.parse(raw).ok()));
    if let Type::Number(least, most) = field.ty {
        let numbers = [least, 0, 2, 254, 255, 1024, 1500, 8472, most - 1, most];
        telling.extend(numbers.into_iter().filter(|n| (least..=most).contains(n)).map(Value::Number));
    }
    if let Type::Range(least, most) = field.ty {
        let range = |(first, last)| NumberRange::new(first, last).map(Value::Range);
        telling.extend([(least, least), (most, most), (least, most), (1, 65535)].into_iter().filter_map(range));
    }
    telling
}

fn uses(call: &'static Call, asked: &Question, inside: Option<&'static Field>) -> Vec<&'static Use> {
    call.uses(asked.kind).filter(|used| used.inside() == inside && used.field() != &KIND.field).collect()
}

fn element(random: &mut Random, asked: &Question, list: &'static Field) -> Element {
    let mut element = Element::default();
    for used in uses(asked.call, asked, Some(list)) {
        if !random.once_in(3) {
            element.0.push((used.field(), random.of(&telling(used.field())).clone()));
        }
    }
    element
}

fn value(random: &mut Random, asked: &Question, field: &'static Field) -> Value {
    match field.ty {
        Type::List(_) => Value::List((0..=random.below(2)).map(|_| element(random, asked, field)).collect()),
        Type::Netns => values(field).remove(0), // namespaces are the same in what is compared
        _ => random.of(&telling(field)).clone(),
    }
}

/// A random request with few fields: the kernel refuses some requests with many.
fn asked(random: &mut Random, call: &'static Call) -> Question {
    let kinds: Vec<_> = varieties(call).into_iter().filter(|kind| kind.is_none_or(|kind| kind.name != "tun")).collect();
    let kind = *random.of(&kinds);
    let mut asked = Question { call, kind, given: Vec::new() };
    asked.given.extend(kind.map(|kind| (&KIND.field, Value::Word(kind.name))));
    for used in uses(call, &asked, None) {
        // Of an encapsulation, most fields that its kind has.
        let is_drawn = match asked.value(&ENCAP_KIND.field) {
            Some(_) if used.field().name.starts_with("encap.") => !random.once_in(4),
            _ => random.once_in(4),
        };
        let is_required = matches!(used.absence, Absence::Required);
        if is_required || is_drawn {
            let with = asked.with(used.field(), value(random, &asked, used.field()));
            // What does not go with the others would make most requests with many fields invalid.
            if is_required || !with.read().is_err_and(|wrong| wrong.field == used.field().name) {
                asked = with;
            }
        }
    }
    asked
}

/// The same request with one field less, more or changed, or with a list in place of fields.
fn another(random: &mut Random, asked: &Question) -> Question {
    let all = uses(asked.call, asked, None);
    let open: Vec<_> = all.iter().filter(|used| !matches!(used.field().ty, Type::Netns)).collect();
    let used = random.of(&open);
    let mut lists = open.iter().filter(|used| matches!(used.field().ty, Type::List(_))).map(|used| used.field());
    match (random.below(4), lists.next()) {
        (0, _) => asked.without(used.field()),
        (1, Some(list)) => {
            let inside = uses(asked.call, asked, Some(list));
            let said =
                inside.iter().filter_map(|inner| Some((inner.field(), asked.value(inner.field().outside()?)?.clone())));
            let element = Element(said.collect());
            let bare =
                inside.iter().filter_map(|inner| inner.field().outside()).fold(asked.clone(), |a, f| a.without(f));
            bare.with(list, Value::List(vec![element]))
        }
        _ => {
            let value = value(random, asked, used.field());
            asked.with(used.field(), value)
        }
    }
}

/// Whether two requests also differ in a field that the kernel never sees, or that one of them leaves open.
fn may_differ(one: &Request, other: &Request) -> bool {
    let differs = |used: &&Use| used.inside().is_none() && one.value(used.field()) != other.value(used.field());
    let is_exempt = |used: &Use| {
        let unseen = used.field() == &EXISTS_OK.field || used.field() == &MISSING_OK.field;
        let absent = one.value(used.field()).is_none() || other.value(used.field()).is_none();
        unseen || (absent && matches!(used.absence, Absence::Any | Absence::Chosen))
    };
    one.call().uses(one.kind()).filter(differs).any(is_exempt)
}

/// For each field, denies that name nothing else, and allows that name all other fields. They show whether the field is
/// judged.
fn rules(random: &mut Random, asked: &Question) -> Vec<Rule> {
    let fields: Vec<_> = asked.call.uses(asked.kind).map(|used| used.field()).collect();
    let named: Vec<_> = fields.iter().copied().filter(|field| !matches!(field.ty, Type::List(_))).collect();
    let bare = |ruling, fields| Written { ruling, fields, require: Vec::new(), touches: None, spares: Vec::new() };
    let anything = |field: &'static Field| match (field.ty, asked.value(field)) {
        (Type::Netns, Some(Value::Netns(NetnsName::Host))) => Says::one(Entry::Pattern("@host")),
        (Type::Word(_), _) if field == &KIND.field => {
            Says::one(Entry::Pattern(asked.kind.map_or("", |kind| kind.name)))
        }
        _ => Says::one(Entry::Star),
    };
    let mut rules = Vec::new();
    for field in &named {
        for _ in 0..3 {
            rules.push(bare(Ruling::Deny, vec![(*field, says(random, field, Ruling::Deny))]));
        }
        rules.push(bare(Ruling::Deny, vec![(*field, Says::one(Entry::Star))]));
        let others = || named.iter().filter(|other| *other != field).map(|other| (*other, anything(other)));
        rules.push(bare(Ruling::Allow, others().collect()));
        let said = (*field, says(random, field, Ruling::Allow));
        rules.push(bare(Ruling::Allow, others().chain([said]).collect()));
        let require = vec![*field];
        rules.push(Written { require, ..bare(Ruling::Allow, others().chain([(*field, anything(field))]).collect()) });
    }
    rules.extend((0..10).map(|_| written(random, asked.call, Ruling::Deny)));
    rules.iter().map(|rule| rule.rule("r")).collect()
}

fn decides(rules: &[Rule], request: &Request) -> Vec<bool> {
    let forbids = |rule: &Rule| rule.ruling == Ruling::Deny && rule.forbids(&caller(), request).is_some();
    rules
        .iter()
        .map(
            |rule| {
                if rule.ruling == Ruling::Deny { forbids(rule) } else { allowed(std::slice::from_ref(rule), request) }
            },
        )
        .collect()
}

fn in_a_namespace_of_its_own(links: &[&str]) {
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    for link in links {
        let made = Command::new("ip").args(["link", "add", link, "type", "bridge"]).status().unwrap();
        assert!(made.success());
    }
}

#[test]
fn requests_that_become_the_same_bytes_are_judged_alike() {
    thread_local! {
        static NAMESPACE: () = in_a_namespace_of_its_own(&["a0", "v7-x"]);
    }
    let calls = calls();
    // Of a call with many kinds, few random requests can be read.
    let drawn: Vec<_> =
        calls.iter().flat_map(|call| std::iter::repeat_n(*call, call.kinds.len().clamp(1, 5))).collect();
    let alike = each_seed(10_000, |mut random| {
        NAMESPACE.with(|()| ());
        let call = *random.of(&drawn);
        (call.name, pairs_alike(&mut random, call))
    });
    for call in calls {
        let count: usize = alike.iter().filter(|(name, _)| *name == call.name).map(|(_, count)| count).sum();
        assert!(count > 5, "{}: {count}", call.name);
    }
}

/// Tries some changes to a request. Returns how many of them became the same bytes.
fn pairs_alike(random: &mut Random, call: &'static Call) -> usize {
    let one = asked(random, call);
    let Ok(request) = one.read() else { return 0 };
    let Some(bytes) = changes(&request) else { return 0 };
    let mut alike = 0;
    for _ in 0..6 {
        let other = another(random, &one);
        if other.given == one.given {
            continue;
        }
        let Ok(second) = other.read() else { continue };
        if may_differ(&request, &second) || changes(&second).as_ref() != Some(&bytes) {
            continue;
        }
        for rule in &rules(random, &one) {
            let rule = std::slice::from_ref(rule);
            assert_eq!(decides(rule, &request), decides(rule, &second), "{one:?}\n{other:?}\n{rule:?}");
        }
        alike += 1;
    }
    alike
}
