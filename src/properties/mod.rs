// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Properties that hold of every policy. These tests search for a counter-example: completely where the world is small
//! (`universe`), at random where it is large. `oracle` decides what is right: it reads rules as a person would, and
//! shares no line with the judge. `netbroker-policy(5)` cites these tests by name.
//!
//! `cargo mutants` (27.1.0, without default features) on `judge`, `rule` and `constraint`: of the 187 mutants, all that
//! compile are caught (two because they run forever), except for these, which change nothing:
//!
//! | mutant in `constraint.rs` | why it changes nothing |
//! |---|---|
//! | `is_covered`: guard `!parts.is_empty()` is `true` | with no parts both halves are halved in vain; only slower |
//! | `halves`: `\|` is `^` (IPv4, IPv6) | the bit that is set is a host bit of the network, and so was zero |
//! | `same_family` is `true` | networks of two families are never equal, which `contains` compares next |

mod asked;
mod later;
mod oracle;
mod random;
mod removal;
mod single;
#[cfg(feature = "ctl")]
mod source;
mod spellings;
mod universe;
mod written;

use std::sync::{LazyLock, OnceLock};

use self::asked::{Question, everything_asked};
use self::oracle::{Act, acts, fates, grants, lacking, names_something, speaks_of, within};
use self::random::{Random, each_seed};
use self::universe::{CALLS, caller, varieties};
use self::written::{Says, Written};
use crate::call::field::{Field, LINK, NETNS, by_name};
use crate::call::request::Request;
use crate::call::types::Type;
use crate::call::{Absence, Call, Use, all, is_object};
use crate::policy::Decision;
use crate::policy::judge::{Verdict, judge};
use crate::policy::rule::{Principal, Rule, Ruling};
use crate::refusal::Refusal;

/// A random rule for a call. An allow names more fields than a deny, because otherwise it would permit nothing.
fn written(random: &mut Random, call: &'static Call, ruling: Ruling) -> Written {
    let kind = *random.of(&varieties(call));
    let often = if ruling == Ruling::Allow { 6 } else { 2 };
    let mut rule = Written { ruling, fields: Vec::new(), require: Vec::new(), touches: None, spares: Vec::new() };
    for used in call.uses(kind).filter(|_| !random.once_in(often)).collect::<Vec<_>>() {
        if !matches!(used.field().ty, Type::List(_)) {
            rule.fields.push((used.field(), says(random, used.field(), ruling)));
        }
        // Inside the list a deny may refer to a field by the name of the field outside, whether or not the call has
        // that field. The same holds for a range and the field of one number.
        if let (Ruling::Deny, Some(outside), true) = (ruling, used.field().also_met_as(), random.once_in(2)) {
            rule.fields.push((outside, says(random, outside, ruling)));
        }
        if ruling == Ruling::Allow && random.once_in(8) {
            rule.require.push(used.field());
        }
    }
    for field in call.elsewhere_open().filter(|_| ruling == Ruling::Deny).collect::<Vec<_>>() {
        if !matches!(field.ty, Type::List(_)) && random.once_in(2) {
            rule.fields.push((field, says(random, field, ruling)));
        }
    }
    while let (Ruling::Deny, Some(twice)) = (ruling, rule.names_twice()) {
        rule.fields.remove(twice); // see `a_deny_that_names_a_field_inside_and_outside_still_stops_what_it_forbids`
    }
    if ruling == Ruling::Deny && random.once_in(2) {
        // A deny that names a link twice, once left open, is met by each name alone: see the test of that name.
        rule.fields.retain(|(field, _)| matches!(field.ty, Type::Netns | Type::Bool));
        let netns = says(random, &NETNS.field, ruling);
        let link = says(random, &LINK.field, ruling);
        rule.touches = Some(match random.below(3) {
            0 => (Some(netns), None),
            1 => (None, Some(link)),
            _ => (Some(netns), Some(link)),
        });
    }
    if random.once_in(8) {
        rule.spares.push(*random.of(&[Principal::Uid(7), Principal::Uid(8), Principal::Gid(70), Principal::Gid(72)]));
    }
    rule
}

/// A random constraint that names something: the compiler refuses entries that no value matches.
fn says(random: &mut Random, field: &Field, ruling: Ruling) -> Says {
    loop {
        let says = Says::at_random(random, field, ruling);
        if names_something(&says, field) {
            return says;
        }
    }
}

fn spares(rule: &Written) -> bool {
    rule.spares.iter().any(|spared| matches!(spared, Principal::Uid(7) | Principal::Gid(70)))
}

/// A policy for one call, in random order.
fn policy(random: &mut Random, call: &'static Call) -> Vec<Written> {
    let ruling = |random: &mut Random| if random.once_in(3) { Ruling::Deny } else { Ruling::Allow };
    (0..=random.below(5))
        .map(|_| {
            let ruling = ruling(random);
            written(random, call, ruling)
        })
        .collect()
}

fn lowered(policy: &[Written]) -> Vec<Rule> {
    policy.iter().enumerate().map(|(n, rule)| rule.rule(&format!("r{n}"))).collect()
}

fn allowed(rules: &[Rule], request: &Request) -> bool {
    matches!(judge(rules, &caller(), request), Decision::Allowed { .. })
}

/// One possible request, and what several tests derive from it. Nothing here depends on a rule.
struct Case {
    asked: Question,
    request: Request,
    acts: OnceLock<Vec<Act>>,
    fates: OnceLock<Vec<Act>>,
    narrower: OnceLock<Vec<(Question, Request)>>,
    unfiltered: OnceLock<Vec<(&'static Use, Request)>>,
}

impl Case {
    fn acts(&self) -> &[Act] {
        self.acts.get_or_init(|| acts(&self.asked))
    }

    fn fates(&self) -> &[Act] {
        self.fates.get_or_init(|| fates(&self.asked))
    }

    fn narrower(&self) -> &[(Question, Request)] {
        let read = |asked: Question| (asked.clone(), asked.request());
        self.narrower.get_or_init(|| single::narrower(&self.asked).into_iter().map(read).collect())
    }

    fn unfiltered(&self) -> &[(&'static Use, Request)] {
        self.unfiltered.get_or_init(|| single::unfiltered(&self.asked))
    }
}

/// Everything that can be requested of each invented call, read once.
static WORLD: LazyLock<Vec<(&Call, Vec<Case>)>> = LazyLock::new(|| {
    let case = |asked: Question| Case {
        request: asked.request(),
        asked,
        acts: OnceLock::new(),
        fates: OnceLock::new(),
        narrower: OnceLock::new(),
        unfiltered: OnceLock::new(),
    };
    CALLS.into_iter().map(|call| (call, everything_asked(call).into_iter().map(case).collect())).collect()
});

/// A policy with some possible requests of its call.
struct Round {
    random: Random,
    policy: Vec<Written>,
    rules: Vec<Rule>,
    some: Vec<&'static Case>,
}

/// Many policies, the same for each test.
static ROUNDS: LazyLock<Vec<Round>> = LazyLock::new(|| {
    each_seed(4000, |mut random| {
        let (call, requests) = random.of(&WORLD);
        let policy = policy(&mut random, call);
        let some = (0..24).map(|_| random.of(requests)).collect();
        Round { random, rules: lowered(&policy), policy, some }
    })
});

/// Runs a test with many policies, each with some possible requests.
fn policies(rounds: usize, mut test: impl FnMut(&mut Random, &Round)) {
    ROUNDS[..rounds].iter().for_each(|round| test(&mut round.random.clone(), round));
}

#[test]
fn order_is_irrelevant() {
    policies(3000, |random, Round { policy, rules, some, .. }| {
        let mut shuffled = rules.clone();
        random.shuffle(&mut shuffled);
        for Case { asked, request, .. } in some {
            let decisions = [rules, &shuffled].map(|rules| judge(rules, &caller(), request));
            assert_eq!(decisions[0], decisions[1], "{asked:?} {policy:?}");
        }
    });
}

/// Adds one more rule, at a random place.
fn adding(ruling: Ruling, holds: fn(was: bool, is: bool) -> bool) {
    let mut permitted = 0;
    policies(2000, |random, Round { policy, rules, some, .. }| {
        let mut after = rules.clone();
        let more = written(random, some[0].asked.call, ruling);
        after.insert(random.below(after.len() + 1), more.rule("more"));
        for Case { asked, request, .. } in some {
            let (was, is) = (allowed(rules, request), allowed(&after, request));
            permitted += usize::from(was);
            assert!(holds(was, is), "{asked:?} {more:?} {policy:?}");
        }
    });
    assert!(permitted > 500, "{permitted}"); // otherwise nothing was tried
}

#[test]
fn adding_a_deny_never_allows_more() {
    adding(Ruling::Deny, |was, is| was || !is);
}

#[test]
fn adding_an_allow_never_refuses_more() {
    adding(Ruling::Allow, |was, is| is || !was);
}

#[test]
fn silence_is_refusal_and_one_allow_permits_the_whole_request() {
    let mut permitted = 0;
    policies(3000, |_, Round { policy, rules, some, .. }| {
        for case @ Case { asked, request, .. } in some {
            let mut deciding = policy.iter().filter(|rule| !spares(rule));
            let forbidden = deciding
                .clone()
                .any(|rule| rule.ruling == Ruling::Deny && case.fates().iter().any(|act| speaks_of(rule, act)));
            let granted = deciding.any(|rule| rule.ruling == Ruling::Allow && grants(rule, asked));
            let is = allowed(rules, request);
            assert_eq!(is, granted && !forbidden, "{asked:?} {policy:?}");
            permitted += usize::from(is);
        }
    });
    assert!(permitted > 1000, "{permitted}");
}

#[test]
fn what_is_permitted_is_inside_one_allow_and_outside_every_deny() {
    policies(3000, |_, Round { policy, rules, some, .. }| {
        for case in some.iter().filter(|case| allowed(rules, &case.request)) {
            let asked = &case.asked;
            let allows = || policy.iter().filter(|rule| rule.ruling == Ruling::Allow && !spares(rule));
            let inside = |rule| case.acts().iter().all(|act| within(rule, asked, act));
            assert!(allows().any(inside), "{asked:?} {policy:?}");
            for deny in policy.iter().filter(|rule| rule.ruling == Ruling::Deny && !spares(rule)) {
                assert!(!case.fates().iter().any(|act| speaks_of(deny, act)), "{asked:?} {deny:?}");
            }
        }
    });
}

#[test]
fn who_may_do_it_to_all_may_do_it_to_one_by_every_policy() {
    let mut narrowed = 0;
    policies(4000, |_, Round { policy, rules, some, .. }| {
        for case in some.iter().filter(|case| allowed(rules, &case.request)) {
            for (narrower, request) in case.narrower() {
                assert!(allowed(rules, request), "{:?} {narrower:?} {policy:?}", case.asked);
                narrowed += 1;
            }
        }
    });
    assert!(narrowed > 500, "{narrowed}");
}

#[test]
fn the_first_rule_by_id_is_cited_or_else_the_nearest() {
    policies(2000, |_, Round { policy, rules, some, .. }| {
        for case @ Case { asked, request, .. } in some {
            let first = |ruling, decides: &dyn Fn(&Written) -> bool| {
                let found = |rule: &Written| rule.ruling == ruling && !spares(rule) && decides(rule);
                policy.iter().position(found).map(|n| format!("r{n}"))
            };
            let deny = first(Ruling::Deny, &|rule| case.fates().iter().any(|act| speaks_of(rule, act)));
            let allow = first(Ruling::Allow, &|rule| grants(rule, asked));
            let decision = judge(rules, &caller(), request);
            assert_eq!(decision.rule(), deny.or(allow).as_deref(), "{asked:?} {policy:?}");
            if let Decision::Forbidden { rule, field } = &decision {
                let deny = &policy[rule.strip_prefix('r').unwrap().parse::<usize>().unwrap()];
                let named = || deny.fields.iter().map(|(field, _)| field.name);
                match (named().find(|name| *name != "netns"), &deny.touches) {
                    (Some(name), _) => {
                        let cited = field.map(|field| {
                            field.strip_prefix("nexthops.").filter(|_| !name.contains('.')).unwrap_or(field)
                        });
                        assert_eq!(cited, Some(name), "{asked:?} {deny:?}");
                    }
                    (None, None) => assert_eq!(*field, named().next(), "{asked:?} {deny:?}"),
                    (None, Some((_, link))) => {
                        let ty = by_name(field.unwrap()).unwrap().ty;
                        assert_eq!(matches!(ty, Type::Link), link.is_some(), "{asked:?} {deny:?}");
                    }
                }
            }
            if let Decision::Silence { nearest } = decision {
                let allows = policy.iter().enumerate().filter(|(_, r)| r.ruling == Ruling::Allow && !spares(r));
                let distance = |(n, rule)| {
                    let lacking = lacking(rule, asked);
                    let names = lacking.iter().map(|field| field.name).collect::<Vec<_>>();
                    (lacking.contains(&&NETNS.field), lacking.len(), n, names)
                };
                let expected = allows.map(distance).min().map(|(.., n, names)| (format!("r{n}"), names));
                assert_eq!(nearest, expected, "{asked:?} {policy:?}");
            }
        }
    });
}

#[test]
fn a_permit_is_for_what_was_judged_and_a_refusal_names_its_rule_if_it_may() {
    policies(1000, |_, Round { policy, rules, some, .. }| {
        for Case { asked, request, .. } in some {
            let verdict = || Verdict::on(rules, &caller(), request.clone());
            let decision = verdict().decision().clone();
            assert_eq!(decision, judge(rules, &caller(), request));
            match (verdict().permit(true), verdict().permit(false)) {
                (Ok(permit), Ok(_)) => {
                    assert_eq!(decision.rule(), Some(permit.rule()), "{asked:?} {policy:?}");
                    assert_eq!(format!("{:?}", permit.request()), format!("{request:?}"));
                }
                (Err(shown), Err(hidden)) => {
                    assert!(!allowed(rules, request), "{asked:?} {policy:?}");
                    let named = |refusal: &Refusal| match refusal {
                        Refusal::Denied { call, rule, .. } if *call == asked.call.name => rule.clone(),
                        other => panic!("{other:?}"),
                    };
                    let nearest =
                        if let Decision::Silence { nearest: Some((id, _)) } = &decision { Some(&**id) } else { None };
                    assert_eq!(named(&shown).as_deref(), decision.rule().or(nearest), "{asked:?} {policy:?}");
                    assert_eq!(named(&hidden), None);
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

/// The judge does not check whether an absent namespace could be `@host`, so absence must leave no namespace open.
#[test]
fn no_call_leaves_its_namespace_open() {
    for used in all().flat_map(Call::all_uses).filter(|used| matches!(used.field().ty, Type::Netns)) {
        assert!(matches!(used.absence, Absence::Required | Absence::Untouched), "{}", used.field().name);
    }
}

/// `touches` looks only at namespaces outside of lists, and at each link alone.
#[test]
fn no_namespace_stands_in_a_list_and_no_link_in_a_list_of_bare_values() {
    for used in all().flat_map(Call::all_uses) {
        let bare = matches!(used.field().ty, Type::Several(ty) if is_object(*ty));
        let hidden = used.inside().is_some() && matches!(used.field().ty, Type::Netns);
        assert!(!bare && !hidden, "{}", used.field().name);
    }
}

/// Otherwise a caller who may do something to all objects might not be allowed to do it to one.
#[test]
fn what_is_inside_a_filter_is_a_filter() {
    for call in all().chain(CALLS) {
        let lists = call.all_uses().filter(|used| matches!(used.absence, Absence::Any)).map(|used| used.field());
        for list in lists.collect::<Vec<_>>() {
            for used in call.all_uses().filter(|used| used.inside() == Some(list)) {
                assert!(matches!(used.absence, Absence::Any), "{} of {}", used.field().name, call.name);
            }
        }
    }
}
