// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Random policies as people write them, over the real calls: what the compiler makes of them decides as the text does.

use std::fmt::Write as _;
use std::sync::LazyLock;

use super::asked::{Question, everything_asked, values_in};
use super::random::{Random, each_seed, seeds};
use super::single::unfiltered;
use super::universe::{SET, caller, values, varieties};
use super::written::{Entry, Says, Written};
use super::{says, written};
use crate::call::field::{Field, KIND, LINK, NETNS};
use crate::call::request::Request;
use crate::call::types::Type;
use crate::call::value::Value;
use crate::call::{Absence, Call, Effect, Use, all};
use crate::caller::Caller;
use crate::policy::Decision;
use crate::policy::compile::{Policy, compile};
use crate::policy::compiled::Compiled;
use crate::policy::covers::Relation;
use crate::policy::diagnostics::Source;
use crate::policy::judge::judge;
use crate::policy::rule::{Principal, Rule, Ruling};

/// A rule as text.
#[derive(Debug, Clone)]
struct SourceText {
    ruling: Ruling,
    who: Vec<&'static str>,
    calls: Vec<&'static str>,
    fields: Vec<(&'static Field, String)>,
    free: Vec<&'static Field>,
    require: Vec<&'static Field>,
    touches: String,
}

fn list(texts: &[&str]) -> String {
    texts.iter().map(|text| format!("{text:?}")).collect::<Vec<_>>().join(", ")
}

fn names(fields: &[&'static Field]) -> String {
    list(&fields.iter().map(|field| field.name).collect::<Vec<_>>())
}

impl SourceText {
    fn toml(&self, id: &str) -> String {
        let head = if self.ruling == Ruling::Allow { "allow" } else { "deny" };
        let (who, calls) = (list(&self.who), list(&self.calls));
        let mut text = format!("[[{head}]]\nid = \"{id}\"\nwho = [{who}]\ncall = [{calls}]\n{}", self.touches);
        for (field, said) in &self.fields {
            writeln!(text, "{} = {said}", field.name).unwrap();
        }
        for (key, fields) in [("free", &self.free), ("require", &self.require)] {
            if !fields.is_empty() {
                writeln!(text, "{key} = [{}]", names(fields)).unwrap();
            }
        }
        text
    }

    /// The same rule for one call. An allow keeps the fields that the call has; a deny applies to calls that have all
    /// its fields.
    fn of(&self, call: &'static Call) -> Self {
        let mut one = Self { calls: vec![call.name], ..self.clone() };
        if self.ruling == Ruling::Allow {
            one.fields.retain(|(field, _)| call.has(field));
            one.free.retain(|field| call.has(field));
            one.require.retain(|field| call.has(field));
        }
        one
    }

    /// One rule for each of its calls.
    fn each(&self) -> Vec<Self> {
        let named = |call: &&Call| self.calls.contains(&call.name);
        let by_word = |call: &&Call| match call.effect {
            Effect::Changes => self.calls.contains(&"@change"),
            Effect::Reads => self.calls.contains(&"@read"),
        };
        all().filter(|call| named(call) || by_word(call)).map(|call| self.of(call)).collect()
    }
}

fn entry(entry: &Entry, taken: bool) -> String {
    let bare = match *entry {
        Entry::Star => "*".to_owned(),
        Entry::Pattern(raw) => raw.to_owned(),
        Entry::Between(least, most) if least == most => least.to_string(),
        Entry::Between(least, most) => format!("{least}..{most}"),
        Entry::Uid => "{uid}".to_owned(),
        Entry::Truth(truth) => truth.to_string(),
        Entry::Inside(at, length) | Entry::Exactly(at, length) => format!("{at}/{length}"),
        Entry::Lengths(at, length, least, most) => format!("{at}/{length} len {least}..{most}"),
    };
    match entry {
        _ if taken => format!("\"!{bare}\""),
        Entry::Truth(_) => bare,
        Entry::Between(least, most) if least == most => bare,
        _ => format!("\"{bare}\""),
    }
}

fn said(says: &Says) -> String {
    let gives = says.gives.iter().map(|given| entry(given, false));
    format!("[{}]", gives.chain(says.takes.iter().map(|taken| entry(taken, true))).collect::<Vec<_>>().join(", "))
}

fn calls() -> Vec<&'static Call> {
    all().collect()
}

fn allow(random: &mut Random) -> SourceText {
    let calls = calls();
    let chosen: Vec<&'static Call> = (0..=random.below(3)).map(|_| *random.of(&calls)).collect();
    let mut text = SourceText {
        ruling: Ruling::Allow,
        who: vec![
            *random.of(&["*", "uid:7", "gid:70", "gid:71", "gid:72"]),
            *random.of(&["uid:7", "!uid:8", "gid:71"]),
        ],
        calls: chosen.iter().map(|call| call.name).collect(),
        fields: Vec::new(),
        free: Vec::new(),
        require: Vec::new(),
        touches: String::new(),
    };
    for call in chosen {
        for used in call.uses(*random.of(&varieties(call))).filter(|used| !values(used.field()).is_empty()) {
            let known =
                text.free.contains(&used.field()) || text.fields.iter().any(|(field, _)| *field == used.field());
            let must = matches!(used.absence, Absence::Required) || used.field() == &LINK.field;
            match random.below(4) {
                _ if known => {}
                0 if !must => {}
                1 if used.field() != &KIND.field => text.free.push(used.field()),
                _ => text.fields.push((used.field(), said(&says(random, used.field(), Ruling::Allow)))),
            }
            let is_named = text.fields.iter().any(|(field, _)| *field == used.field());
            if is_named && random.once_in(10) {
                text.require.push(used.field());
            }
        }
    }
    text
}

fn deny(random: &mut Random) -> SourceText {
    let calls = calls();
    let call = *random.of(&calls);
    let word = if call.effect == Effect::Changes { "@change" } else { "@read" };
    let other = random.of(&calls).name;
    let touches = format!("touches = {{ netns = {} }}\n", said(&says(random, &NETNS.field, Ruling::Deny)));
    let links = format!("touches = {{ link = {} }}\n", said(&says(random, &LINK.field, Ruling::Deny)));
    let mut text = SourceText {
        ruling: Ruling::Deny,
        who: vec![*random.of(&["*", "uid:7"]), *random.of(&["uid:7", "!uid:8", "!gid:71", "!gid:72"])],
        calls: random.of(&[vec![call.name], vec![word], vec![call.name, other]]).clone(),
        fields: Vec::new(),
        free: Vec::new(),
        require: Vec::new(),
        touches: random.of(&[String::new(), touches, links]).clone(),
    };
    let kind = *random.of(&varieties(call));
    for used in call.uses(kind).filter(|used| !values(used.field()).is_empty()).collect::<Vec<_>>() {
        if random.once_in(4) {
            text.fields.push((used.field(), said(&says(random, used.field(), Ruling::Deny))));
        }
    }
    text
}

fn texts(random: &mut Random) -> Vec<SourceText> {
    (0..=random.below(5)).map(|n| if n % 3 == 2 { deny(random) } else { allow(random) }).collect()
}

fn compiled(texts: &[SourceText]) -> Option<Policy> {
    let text = texts.iter().enumerate().map(|(n, text)| text.toml(&format!("r{n}"))).collect::<Vec<_>>().join("\n");
    compile(&[Source { name: "r.toml".to_owned(), text }], &|_| Ok(None)).ok()
}

/// A random request of a call whose fields do not exclude each other.
fn asked(random: &mut Random, call: &'static Call) -> Question {
    loop {
        let asked = at_random(random, call);
        if asked.read().is_ok() {
            return asked.settled();
        }
    }
}

fn at_random(random: &mut Random, call: &'static Call) -> Question {
    let kind = *random.of(&varieties(call));
    let mut asked = Question { call, kind, given: Vec::new() };
    for used in call.uses(kind).filter(|used| used.inside().is_none()) {
        if matches!(used.absence, Absence::Required) || random.once_in(6) {
            let mut values = values_in(call, kind, used);
            if matches!(used.field().ty, Type::InterfaceAddress) {
                values.push(used.field().ty.parse("10.0.0.6").unwrap()); // some calls mean one address, without a length
            }
            let value = random.of(&values).clone();
            let value = kind.filter(|_| used.field() == &KIND.field).map_or(value, |kind| Value::Word(kind.name));
            asked.given.push((used.field(), value));
        }
    }
    asked
}

fn a_caller(random: &mut Random) -> Caller {
    let groups = [71, 72].into_iter().filter(|_| random.once_in(2)).collect();
    Caller { uid: *random.of(&[7, 8]), gid: 70, groups }
}

/// The rules in memory that apply to a caller and a call, found without the file.
fn rules(policy: &Policy, caller: &Caller, call: u16) -> Vec<Rule> {
    let speaks_of = |principal: &Principal| match principal {
        Principal::Everyone => true,
        Principal::Uid(uid) => *uid == caller.uid,
        Principal::Gid(gid) => *gid == caller.gid || caller.groups.contains(gid),
    };
    let counts = policy.placed().iter().filter(|placed| placed.call == call && placed.principals.iter().any(speaks_of));
    counts.map(|placed| placed.rule.clone()).collect()
}

fn decide(policy: &Policy, caller: &Caller, request: &Request) -> Decision {
    judge(&rules(policy, caller, request.call().number), caller, request)
}

fn allowed(decision: &Decision) -> bool {
    matches!(decision, Decision::Allowed { .. })
}

/// A policy that compiles, with some requests.
struct SourceRound {
    random: Random,
    texts: Vec<SourceText>,
    policy: Policy,
    requests: Vec<(Question, Request)>,
}

/// Many policies, the same for each test. `None` where the text does not compile.
static ROUNDS: LazyLock<Vec<Option<SourceRound>>> = LazyLock::new(|| {
    each_seed(1500, |mut random| {
        let texts = texts(&mut random);
        let policy = compiled(&texts)?;
        let calls: Vec<_> = texts
            .iter()
            .flat_map(|text| all().filter(|call| text.calls.contains(&call.name)))
            .chain(all().take(1))
            .collect();
        let asked: Vec<Question> = (0..16)
            .map(|_| {
                let call = *random.of(&calls);
                asked(&mut random, call)
            })
            .collect();
        let requests = asked.into_iter().map(|asked| (asked.clone(), asked.request())).collect();
        Some(SourceRound { random, texts, policy, requests })
    })
});

/// Runs a test with policies that compile, each with some requests of calls that it names or does not name.
fn policies(rounds: usize, mut test: impl FnMut(&mut Random, &[SourceText], &Policy, &[(Question, Request)])) {
    let mut tried = 0;
    for SourceRound { random, texts, policy, requests } in ROUNDS[..rounds].iter().flatten() {
        test(&mut random.clone(), texts, policy, requests);
        tried += 1;
    }
    assert!(tried > rounds / 3, "only {tried} of {rounds} policies compile");
}

#[test]
fn the_compiled_file_decides_as_the_source() {
    let mut permitted = 0;
    policies(1500, |random, texts, policy, requests| {
        let file = Compiled::open(policy.write().unwrap()).unwrap();
        for (asked, request) in requests {
            let caller = a_caller(random);
            let by_file = file.judge(&caller, request.clone()).unwrap().decision().clone();
            assert_eq!(by_file, decide(policy, &caller, request), "{caller:?} {asked:?} {texts:?}");
            permitted += usize::from(allowed(&by_file));
        }
    });
    assert!(permitted > 200, "{permitted}"); // otherwise nothing was tried
}

#[test]
fn a_rule_of_two_calls_is_two_rules() {
    let mut permitted = 0;
    policies(1000, |random, texts, policy, requests| {
        let denies_nothing =
            |text: &SourceText| text.ruling == Ruling::Deny && compiled(std::slice::from_ref(text)).is_none();
        let split: Vec<SourceText> =
            texts.iter().flat_map(SourceText::each).filter(|text| !denies_nothing(text)).collect();
        let split = compiled(&split).unwrap_or_else(|| panic!("{texts:?}"));
        for (asked, request) in requests {
            let caller = a_caller(random);
            let decisions = [policy, &split].map(|policy| decide(policy, &caller, request));
            let [one, other] = decisions.each_ref().map(std::mem::discriminant);
            assert_eq!(one, other, "{caller:?} {asked:?} {texts:?}");
            permitted += usize::from(allowed(&decisions[0]));
        }
    });
    assert!(permitted > 100, "{permitted}");
}

#[test]
fn groups_only_give() {
    let mut gave = 0;
    policies(1500, |random, texts, policy, requests| {
        for (asked, request) in requests {
            let with = a_caller(random);
            let without = Caller { gid: 79, groups: Vec::new(), ..with };
            let one_less = Caller { groups: with.groups.iter().skip(1).copied().collect(), ..with.clone() };
            let [with, one_less, without] =
                [&with, &one_less, &without].map(|caller| allowed(&decide(policy, caller, request)));
            assert!((with || !one_less) && (one_less || !without), "{asked:?} {texts:?}");
            gave += usize::from(with && !without);
        }
    });
    assert!(gave > 20, "{gave}");
}

#[test]
fn no_allow_that_does_not_write_the_host_permits_it() {
    policies(1500, |random, texts, policy, requests| {
        let writes = texts.iter().any(|text| text.toml("r").contains("@host"));
        for (asked, request) in requests.iter().filter(|_| !writes) {
            let meets_host = asked.given.iter().any(|(_, value)| value.to_string() == "@host");
            let caller = a_caller(random);
            assert!(!meets_host || !allowed(&decide(policy, &caller, request)), "{asked:?} {texts:?}");
        }
    });
}

#[test]
fn a_new_call_widens_nothing() {
    let new: Vec<Request> = everything_asked(&SET).iter().map(Question::request).collect();
    policies(300, |random, texts, policy, _| {
        let file = Compiled::open(policy.write().unwrap()).unwrap();
        let decision = file.judge(&a_caller(random), random.of(&new).clone()).unwrap().decision().clone();
        assert_eq!(decision, Decision::Silence { nearest: None }, "{texts:?}");
        // A call with a lower number than the last that the policy knows, but without a rule.
        let unnamed = all().filter(|call| policy.placed().iter().all(|placed| placed.call != call.number));
        for call in unnamed {
            let request = asked(random, call).request();
            let decision = file.judge(&a_caller(random), request).unwrap().decision().clone();
            assert_eq!(decision, Decision::Silence { nearest: None }, "{} {texts:?}", call.name);
        }
    });
}

/// Most of what it names may have any value, because otherwise it would permit nothing.
fn wide(random: &mut Random, call: &'static Call) -> Written {
    let mut allow = written(random, call, Ruling::Allow);
    (allow.require, allow.spares) = (Vec::new(), Vec::new());
    for (field, says) in allow.fields.iter_mut().filter(|_| !random.once_in(4)) {
        *says = Says::one(if *field == &NETNS.field { Entry::Pattern("@host") } else { Entry::Star });
    }
    allow
}

#[test]
fn a_filter_that_an_allow_of_a_real_call_does_not_name_helps_nothing() {
    let has_filters = |call: &&Call| call.all_uses().any(|used| matches!(used.absence, Absence::Any));
    let calls: Vec<_> = all().filter(has_filters).collect();
    let mut tried = 0;
    seeds(9000, |random| {
        let call = *random.of(&calls);
        let (allow, asked) = (wide(random, call), asked(random, call));
        let permits = |request: &Request| judge(&[allow.rule("a")], &caller(), request).rule().is_some();
        // `link` of Route.List also gives `nexthops.link`, which the allow may name.
        let gives_only_itself = |used: &Use, wider: &Request| {
            let request = asked.request();
            let mut others = request.values().filter(|(field, _)| *field != used.field());
            others.all(|(field, value)| wider.value(field) == Some(value))
        };
        let unnamed =
            |(used, wider): &&(&Use, Request)| !allow.speaks_of(used.field()) && gives_only_itself(used, wider);
        for (used, wider) in unfiltered(&asked).iter().filter(unnamed) {
            if permits(&asked.request()) {
                assert!(permits(wider), "{asked:?} without {} {allow:?}", used.field().name);
                tried += 1;
            }
        }
    });
    assert!(tried > 100, "{tried}");
}

/// A rule that permits no more than this one: for fewer people, fewer calls, and with fewer free fields.
fn narrower(random: &mut Random, text: &SourceText) -> SourceText {
    let mut less = text.clone();
    if let (true, Some(first)) = (random.once_in(2), less.who.iter().copied().find(|who| !who.starts_with('!'))) {
        less.who.retain(|who| *who == first || who.starts_with('!'));
    }
    if less.free.len() > 1 && random.once_in(2) {
        less.free.pop();
    }
    if less.ruling == Ruling::Allow && random.once_in(3) {
        let named = less.fields.first().map(|(field, _)| *field);
        less.require.extend(named.filter(|field| !less.require.contains(field)));
    }
    if less.ruling == Ruling::Deny && random.once_in(2) {
        less.fields.push((&NETNS.field, "[\"q1\"]".to_owned()));
        less.fields.dedup_by_key(|(field, _)| field.number);
    }
    less
}

#[test]
fn a_rule_that_is_said_to_be_superfluous_decides_nothing() {
    let mut told = [0; 3];
    policies(1500, |random, texts, _, requests| {
        let mut texts = texts.to_vec();
        let some = random.of(&texts).clone();
        texts.push(narrower(random, &some));
        let Some(policy) = compiled(&texts) else { return };
        for (origin, relation, _) in policy.superfluous() {
            told[[Relation::Equal, Relation::Covered, Relation::Denied]
                .iter()
                .position(|of| *of == relation)
                .unwrap()] += 1;
            for (asked, request) in requests {
                let caller = a_caller(random);
                let mut rules = rules(&policy, &caller, request.call().number);
                let with = allowed(&judge(&rules, &caller, request));
                rules.retain(|rule| rule.id != origin.id);
                let without = allowed(&judge(&rules, &caller, request));
                assert_eq!(with, without, "{} {relation:?}: {caller:?} {asked:?} {texts:?}", origin.id);
            }
        }
    });
    assert!(told[0] > 100 && told[1] > 100, "{told:?}"); // equal, covered
}

#[test]
fn an_optional_account_is_an_account_or_nobody() {
    let of = |texts: &[SourceText], uid: Option<u32>| {
        let text = texts.iter().enumerate().map(|(n, text)| text.toml(&format!("r{n}"))).collect::<Vec<_>>().join("\n");
        let policy = compile(&[Source { name: "r.toml".to_owned(), text }], &|_| Ok(uid)).unwrap();
        policy.placed().iter().map(|of| (of.call, of.principals.clone(), of.rule.clone())).collect::<Vec<_>>()
    };
    let with = |texts: &[SourceText], who: &'static str| -> Vec<SourceText> {
        texts.iter().map(|text| SourceText { who: [&text.who[..], &[who]].concat(), ..text.clone() }).collect()
    };
    policies(300, |random, texts, _, _| {
        let [optional, number] = *random.of(&[["user?:a", "uid:9"], ["!user?:a", "!uid:9"]]);
        let optional = with(texts, optional);
        assert_eq!(of(&optional, Some(9)), of(&with(texts, number), None), "{texts:?}");
        assert_eq!(of(&optional, None), of(texts, None), "{texts:?}");
        let alone: Vec<_> = texts.iter().map(|text| SourceText { who: vec!["user?:a"], ..text.clone() }).collect();
        let nobody = of(&alone, None);
        assert!(nobody.iter().all(|(_, principals, _)| principals.is_empty()), "{texts:?}");
    });
}
