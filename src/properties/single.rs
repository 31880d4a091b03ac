// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One rule: every rule of a small world with everything that can be requested there, and many more rules at random.

use std::sync::LazyLock;

use super::asked::{Question, everything_asked, left_open, values_in};
use super::oracle::{Act, grants, speaks_of, there, within};
use super::random::{Random, in_parallel, seeds};
use super::universe::{CALLS, caller, each, values};
use super::written::{Entry, Says, Written};
use super::{Case, WORLD, allowed, says, written};
use crate::call::field::{Field, KIND, LINK, NETNS, NEXTHOPS_LINK, SOURCE_PORTS};
use crate::call::request::Request;
use crate::call::types::Type;
use crate::call::value::Value;
use crate::call::{Absence, Call, Constant, Use};
use crate::policy::rule::{Rule, Ruling};

/// What a rule of the small world can give for a field; `None` where it does not name the field.
fn choices(field: &Field, ruling: Ruling) -> Vec<Option<Says>> {
    use Entry::{Between, Inside, Lengths, Pattern, Star, Truth};
    let one = |entry| Some(Says::one(entry));
    let mut choices = match each(field.ty) {
        Type::List(_) => return vec![None], // it is named by the fields inside
        Type::Netns => vec![one(Pattern("@host")), one(Pattern("q1"))],
        Type::Link => vec![one(Pattern("a0")), Some(Says { gives: vec![Star], takes: vec![Pattern("a0")] })],
        Type::Word(_) if field == &KIND.field => {
            let both = vec![Pattern("veth"), Pattern("bridge")];
            vec![one(Pattern("veth")), Some(Says { gives: both, takes: Vec::new() })]
        }
        Type::Word(words) => vec![one(Pattern(words.words[0].0))],
        Type::Bool => vec![one(Truth(true))],
        Type::Mac => vec![one(Pattern("fa:*"))],
        Type::Label => vec![one(Pattern("a0:*"))],
        Type::Text => vec![one(Pattern("")), one(Pattern("x*"))],
        Type::Address | Type::Gateway => vec![one(Inside("10.0.0.0", 30))],
        Type::InterfaceAddress | Type::Prefix => {
            let most = Says { gives: vec![Inside("10.0.0.0", 8)], takes: vec![Inside("10.0.0.6", 32)] };
            let halves = vec![Inside("2001:db8::", 127), Inside("2001:db8::2", 127)];
            let none = Says { gives: vec![Inside("::", 0)], takes: halves };
            vec![one(Inside("10.0.0.4", 30)), Some(most), Some(none), one(Lengths("10.0.0.0", 29, 31, 32))]
        }
        Type::Range(..) => {
            let ends = Says { gives: vec![Between(1, 3), Between(4, 9)], takes: vec![Between(3, 4), Between(5, 6)] };
            let none = Says { gives: vec![Between(3, 7)], takes: vec![Between(5, 7), Between(1, 4)] };
            let mut choices = vec![one(Between(2, 5)), one(Entry::Uid), Some(ends)];
            // The broker does not check whether a deny names anything where the request leaves the field open.
            choices.extend((*field == SOURCE_PORTS.field).then_some(Some(none)));
            choices
        }
        _ => vec![one(Between(1, 5))],
    };
    if field.name.contains('.') {
        choices.truncate(1); // otherwise there would be too many
    }
    let nested_and_plain = field.name.contains('.') && matches!(field.ty, Type::Bool | Type::Number(..));
    if !nested_and_plain && (ruling == Ruling::Deny || field != &KIND.field) {
        choices.push(one(Star));
    }
    choices.push(None);
    choices
}

/// Every rule of the small world for a call.
pub(super) fn every_rule(call: &'static Call, ruling: Ruling) -> Vec<Written> {
    let nothing = Written { ruling, fields: Vec::new(), require: Vec::new(), touches: None, spares: Vec::new() };
    let mut rules = vec![nothing];
    let elsewhere = call.elsewhere_open().filter(|_| ruling == Ruling::Deny);
    for field in call.all_uses().map(Use::field).chain(elsewhere) {
        let choices = choices(field, ruling);
        let with = |rule: &Written, says: &Option<Says>| {
            let mut rule = rule.clone();
            rule.fields.extend(says.clone().map(|says| (field, says)));
            rule
        };
        rules = rules.iter().flat_map(|rule| choices.iter().map(|says| with(rule, says)).collect::<Vec<_>>()).collect();
    }
    rules
}

/// The fields that a rule can name.
fn named(call: &'static Call) -> impl Iterator<Item = &'static Field> {
    call.all_uses().map(|used| used.field()).filter(|field| !matches!(field.ty, Type::List(_)))
}

fn permits(rule: &Rule, request: &Request) -> bool {
    rule.mismatches(&caller(), request).is_some_and(|mismatches| mismatches.is_empty())
}

fn forbids(rule: &Rule, request: &Request) -> bool {
    rule.forbids(&caller(), request).is_some()
}

/// Requests that mean less than this one: each gives one filter that this one leaves open.
pub(super) fn narrower(asked: &Question) -> Vec<Question> {
    let filters = asked.call.uses(asked.kind).filter(|used| matches!(used.absence, Absence::Any));
    let given = |used: &'static Use| {
        let values = values_in(asked.call, asked.kind, used);
        values.iter().flat_map(|value| asked.saying(used, value)).collect::<Vec<_>>()
    };
    filters.flat_map(given).filter(|asked| asked.read().is_ok()).collect()
}

/// This request without one of its filters, for each filter that may be absent.
pub(super) fn unfiltered(asked: &Question) -> Vec<(&'static Use, Request)> {
    let filters = asked.call.uses(asked.kind).filter(|used| matches!(used.absence, Absence::Any));
    let given = filters.filter(|used| asked.said(used).iter().any(Option::is_some));
    given.filter_map(|used| Some((used, asked.without(used.field()).read().ok()?))).collect()
}

/// Tries every rule of the small world with everything that can be requested there. Returns what `test` finds for each
/// rule.
fn every_rule_and_request<T: Default + Send>(
    ruling: Ruling,
    test: impl Fn(&Written, &Rule, &Case, &mut T) + Sync,
) -> Vec<T> {
    let of = |(call, cases): &'static (&Call, Vec<Case>)| every_rule(call, ruling).into_iter().map(move |r| (r, cases));
    let rules: Vec<(Written, &[Case])> = WORLD.iter().flat_map(of).map(|(rule, cases)| (rule, &cases[..])).collect();
    in_parallel(rules.len(), |n| {
        let (written, cases) = &rules[n];
        let (rule, mut found) = (written.rule("r"), T::default());
        cases.iter().for_each(|case| test(written, &rule, case, &mut found));
        found
    })
}

/// The first counter-example of one kind.
fn first<T>(found: &[T], kind: fn(&T) -> &Option<String>) -> Option<&str> {
    found.iter().find_map(|found| kind(found).as_deref())
}

fn is_spoken_of(deny: &Written, fates: &[Act]) -> bool {
    fates.iter().any(|act| speaks_of(deny, act))
}

/// Counter-examples among all allows and all requests of the small world.
#[derive(Default)]
struct Allows {
    /// A request that an allow permits although something may happen by it that the allow does not name.
    outside: Option<String>,
    /// A request that an allow permits and does not grant, or grants and does not permit.
    otherwise: Option<String>,
    /// A request that an allow permits, and refuses with one more filter.
    narrower: Option<String>,
    /// A request that an allow permits, and refuses without a filter that it does not name.
    helped: Option<String>,
}

/// The allows are tried once for all tests that use the results.
static ALLOWS: LazyLock<Vec<Allows>> = LazyLock::new(|| {
    every_rule_and_request(Ruling::Allow, |allow, rule, case @ Case { asked, request, .. }, found: &mut Allows| {
        let is_permitted = permits(rule, request);
        if is_permitted != grants(allow, asked) {
            found.otherwise.get_or_insert_with(|| format!("{asked:?} {allow:?}"));
        }
        if !is_permitted {
            return;
        }
        if !case.acts().iter().all(|act| within(allow, asked, act)) {
            found.outside.get_or_insert_with(|| format!("{asked:?} {allow:?}"));
        }
        if let Some((narrower, _)) = case.narrower().iter().find(|(_, request)| !permits(rule, request)) {
            found.narrower.get_or_insert_with(|| format!("{asked:?} {narrower:?} {allow:?}"));
        }
        let helps = |(used, wider): &&(&Use, Request)| !allow.speaks_of(used.field()) && !permits(rule, wider);
        if let Some((used, _)) = case.unfiltered().iter().find(helps) {
            found.helped.get_or_insert_with(|| format!("{asked:?} without {} {allow:?}", used.field().name));
        }
    })
});

/// Counter-examples among all denies and all requests of the small world.
#[derive(Default)]
struct Denies {
    /// A request that a deny speaks of and does not forbid.
    missed: Option<String>,
    /// A request that a deny forbids and does not speak of.
    beyond: Option<String>,
    /// The same of denies that name a field inside a list and outside.
    missed_by_twice: Option<String>,
    /// How many times such a deny forbids what it speaks of.
    stopped_by_twice: usize,
}

/// The denies are tried once for all tests that use the results: reading each of them in two ways takes most of the
/// time.
static DENIES: LazyLock<Vec<Denies>> = LazyLock::new(|| {
    every_rule_and_request(Ruling::Deny, |deny, rule, case, found: &mut Denies| {
        let (is_met, spoken_of) = (forbids(rule, &case.request), is_spoken_of(deny, case.fates()));
        let twice = (is_met || spoken_of) && deny.names_twice().is_some();
        let place = match (is_met, spoken_of) {
            (false, true) if twice => &mut found.missed_by_twice,
            (false, true) => &mut found.missed,
            (true, false) if !twice => &mut found.beyond,
            _ => {
                found.stopped_by_twice += usize::from(twice && spoken_of);
                return;
            }
        };
        place.get_or_insert_with(|| format!("{:?} {deny:?}", case.asked));
    })
});

#[test]
fn a_permitted_request_stays_inside_what_the_allow_names() {
    assert_eq!(first(&ALLOWS, |found| &found.outside), None);
}

#[test]
fn an_allow_permits_all_that_it_names() {
    assert_eq!(first(&ALLOWS, |found| &found.otherwise), None);
}

#[test]
fn what_may_do_what_a_deny_forbids_is_refused() {
    assert_eq!(first(&DENIES, |found| &found.missed), None);
    assert_eq!(first(&DENIES, |found| &found.missed_by_twice), None);
}

/// The broker does not check whether a single value could meet both fields, see
/// `a_deny_that_names_a_field_inside_and_outside_still_stops_what_it_forbids`.
#[test]
fn a_deny_stops_nothing_that_it_does_not_speak_of() {
    assert_eq!(first(&DENIES, |found| &found.beyond), None);
}

#[test]
fn a_deny_that_touches_meets_every_field_that_refers_to_the_thing() {
    for (call, requests) in WORLD.iter() {
        let nothing = &every_rule(call, Ruling::Deny).pop().unwrap();
        for netns in choices(&NETNS.field, Ruling::Deny) {
            for link in choices(&LINK.field, Ruling::Deny) {
                if netns.is_none() && link.is_none() {
                    continue;
                }
                let deny = Written { touches: Some((netns.clone(), link.clone())), ..nothing.clone() };
                let rule = deny.rule("d");
                for case @ Case { asked, request, .. } in requests {
                    assert_eq!(forbids(&rule, request), is_spoken_of(&deny, case.fates()), "{asked:?} {deny:?}");
                }
            }
        }
    }
}

/// What an element leaves open meets each of the two fields alone, so such a deny stops more than it speaks of.
#[test]
fn a_deny_that_names_a_field_inside_and_outside_still_stops_what_it_forbids() {
    assert_eq!(first(&DENIES, |found| &found.missed_by_twice), None);
    let stopped: usize = DENIES.iter().map(|found| found.stopped_by_twice).sum();
    assert!(stopped > 1000, "{stopped}");
}

/// The broker does not check whether a single link could meet both, so such a deny stops more than it speaks of.
#[test]
fn a_deny_that_names_a_link_twice_still_stops_what_it_forbids() {
    for (call, requests) in WORLD.iter() {
        let nothing = every_rule(call, Ruling::Deny).pop().unwrap();
        for (field, link) in [&LINK.field, &NEXTHOPS_LINK.field]
            .into_iter()
            .flat_map(|field| choices(field, Ruling::Deny).into_iter().map(move |says| (field, says)))
        {
            for touched in choices(&LINK.field, Ruling::Deny).into_iter().filter(Option::is_some) {
                let mut deny = nothing.clone();
                deny.fields.extend(link.clone().map(|says| (field, says)));
                deny.touches = Some((None, touched));
                let rule = deny.rule("d");
                for case @ Case { asked, request, .. } in requests {
                    let spoken_of = is_spoken_of(&deny, case.fates());
                    let is_there = call.uses(asked.kind).any(|used| used.field() == field && there(asked, used));
                    let both_are_met = !is_there || left_open(asked).contains(&field);
                    let is = forbids(&rule, request);
                    assert!(if both_are_met { is || !spoken_of } else { is == spoken_of }, "{asked:?} {deny:?}");
                }
            }
        }
    }
}

#[test]
fn rules_at_random_are_read_as_a_person_would() {
    let mut matched = [0, 0];
    seeds(8000, |random| {
        let (call, requests) = random.of(&WORLD);
        let (allow, deny) = (written(random, call, Ruling::Allow), written(random, call, Ruling::Deny));
        let (allows, denies) = (allow.rule("a"), deny.rule("d"));
        for _ in 0..12 {
            let case @ Case { asked, request, .. } = random.of(requests);
            let granted = !super::spares(&allow) && grants(&allow, asked);
            assert_eq!(permits(&allows, request), granted, "{asked:?} {allow:?}");
            assert!(!granted || case.acts().iter().all(|act| within(&allow, asked, act)), "{asked:?} {allow:?}");
            let spoken_of = !super::spares(&deny) && is_spoken_of(&deny, case.fates());
            assert_eq!(forbids(&denies, request), spoken_of, "{asked:?} {deny:?}");
            matched[0] += usize::from(granted);
            matched[1] += usize::from(spoken_of);
        }
    });
    assert!(matched.iter().all(|count| *count > 2000), "{matched:?}"); // else nothing was tried
}

#[test]
fn who_may_do_it_to_all_may_do_it_to_one() {
    assert_eq!(first(&ALLOWS, |found| &found.narrower), None);
}

#[test]
fn a_filter_that_an_allow_does_not_name_helps_nothing() {
    assert_eq!(first(&ALLOWS, |found| &found.helped), None);
}

#[test]
fn saying_a_default_is_saying_nothing() {
    let mut said = 0;
    for call in CALLS {
        let constant = |used: &Use| match used.absence {
            Absence::Default(constant) => Some(constant.value(caller().uid)),
            _ => None,
        };
        let rules = [Ruling::Allow, Ruling::Deny].map(|ruling| every_rule(call, ruling));
        let rules: Vec<Rule> = rules.iter().flatten().map(|written| written.rule("r")).collect();
        for (used, constant) in call.all_uses().filter_map(|used| Some((used, constant(used)?))) {
            for asked in everything_asked(call) {
                let silent = asked.request();
                for saying in asked.saying(used, &constant).iter().map(Question::request) {
                    for rule in &rules {
                        let same = permits(rule, &silent) == permits(rule, &saying);
                        assert!(same && forbids(rule, &silent) == forbids(rule, &saying), "{asked:?} {rule:?}");
                    }
                    said += 1;
                }
            }
        }
    }
    assert!(said > 100, "{said}");
    assert_eq!(Constant::Bool(false).value(0), Value::Bool(false));
}

#[test]
fn a_list_of_one_is_judged_as_the_fields_that_say_the_same() {
    let mut tried = 0;
    for call in CALLS {
        let rules = [Ruling::Allow, Ruling::Deny].map(|ruling| every_rule(call, ruling));
        let rules: Vec<Rule> = rules.iter().flatten().map(|written| written.rule("r")).collect();
        for list in call.uses.iter().filter(|used| matches!(used.field().ty, Type::List(_))) {
            let others = everything_asked(call);
            let others =
                others.iter().filter(|asked| asked.given.iter().all(|(given, _)| !given.name.contains("hops")));
            for (asked, value) in
                others.flat_map(|asked| values_in(call, asked.kind, list).into_iter().map(move |value| (asked, value)))
            {
                let listed = asked.with(list.field(), value);
                let Ok(request) = listed.read() else { continue };
                let settled = listed.settled();
                if settled.given == listed.given {
                    continue;
                }
                let plain = settled.request();
                for rule in &rules {
                    let same = permits(rule, &request) == permits(rule, &plain);
                    assert!(same && forbids(rule, &request) == forbids(rule, &plain), "{listed:?} {rule:?}");
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 30, "{tried}");
}

#[test]
fn neither_a_star_nor_a_pattern_covers_the_host_in_an_allow() {
    let host = values(&NETNS.field).remove(0);
    seeds(2000, |random| {
        let says = says(random, &NETNS.field, Ruling::Allow);
        let is_written = says.gives.iter().any(|entry| matches!(entry, Entry::Pattern("@host")));
        assert!(is_written || !says.constraint(Type::Netns).contains(&host, 7), "{says:?}");
    });
    let star = Says::one(Entry::Star);
    for (call, requests) in WORLD.iter() {
        let fields = named(call).map(|field| (field, star.clone())).collect();
        let all = Written { ruling: Ruling::Allow, fields, require: Vec::new(), touches: None, spares: Vec::new() };
        let rules = [all.rule("a")];
        for Case { asked, request, .. } in requests {
            let meets_host = asked.given.iter().any(|(_, value)| *value == host);
            assert_eq!(allowed(&rules, request), !meets_host, "{asked:?}");
        }
    }
}

#[test]
fn an_allow_permits_only_where_what_it_requires_is_there() {
    for (call, requests) in WORLD.iter() {
        for used in call.all_uses() {
            let mut fields: Vec<_> = named(call).map(|field| (field, Says::one(Entry::Star))).collect();
            fields.iter_mut().filter(|(field, _)| field.ty.parse("@host").is_ok()).for_each(|(_, says)| {
                says.gives.push(Entry::Pattern("@host"));
            });
            let require = vec![used.field()];
            let allow = Written { ruling: Ruling::Allow, fields, require, touches: None, spares: Vec::new() };
            let rule = allow.rule("a");
            for Case { asked, request, .. } in requests {
                let has = call.uses(asked.kind).any(|other| other.field() == used.field());
                assert_eq!(permits(&rule, request), there(asked, used) || !has, "{asked:?} {}", used.field().name);
            }
        }
    }
}

#[test]
fn whom_a_rule_spares_it_neither_permits_nor_forbids() {
    let mut spared = 0;
    seeds(3000, |random: &mut Random| {
        let (call, requests) = random.of(&WORLD);
        let rules = [Ruling::Allow, Ruling::Deny].map(|ruling| written(random, call, ruling));
        for rule in rules.iter().filter(|rule| super::spares(rule)) {
            let request = &random.of(requests).request;
            assert!(!permits(&rule.rule("r"), request) && !forbids(&rule.rule("r"), request), "{rule:?}");
            spared += 1;
        }
    });
    assert!(spared > 100, "{spared}");
}
