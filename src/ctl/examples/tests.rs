// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The examples against the parser, the policy compiler and the judge.

use std::collections::BTreeSet;

use super::*;
use crate::call::value::Value;
use crate::caller::Caller;
use crate::policy::compile::{Policy, compile};
use crate::policy::compiled::Compiled;
use crate::policy::diagnostics::{Problem, Source};

/// Every example with its call.
fn all() -> impl Iterator<Item = (&'static Call, &'static Section, &'static Example)> {
    let each = |section: &'static Section| {
        let call = call::by_name(section.call).unwrap();
        section.examples.iter().map(move |example| (call, section, example))
    };
    table::SECTIONS.iter().flat_map(each)
}

fn policy(rule: &str) -> Result<Policy, Vec<Problem>> {
    let text = format!("{rule}\nid = \"x\"\nwho = \"uid:{CALLER}\"\n");
    compile(&[Source { name: "x.toml".to_owned(), text }], &|_| Ok(None))
}

fn permits(policy: &Policy, request: Request) -> bool {
    let caller = Caller { uid: CALLER, gid: CALLER, groups: Vec::new() };
    let compiled = Compiled::open(policy.write().unwrap()).unwrap();
    compiled.judge(&caller, request).unwrap().decision().rule() == Some("x")
}

#[test]
fn each_rule_permits_its_example_without_a_warning_and_needs_each_of_its_lines() {
    for (call, _, example) in all() {
        let request = || example.request(call).unwrap();
        let rule = example.rule(call).unwrap();
        let policy = policy(&rule).unwrap_or_else(|problems| panic!("{rule}\n{problems:?}"));
        assert!(permits(&policy, request()), "{}\n{rule}", example.parameters);
        assert!(policy.warnings().is_empty(), "{rule}\n{:?}", policy.warnings());
        let lines: Vec<&str> = rule.lines().collect();
        for (at, line) in lines.iter().enumerate().skip(1) {
            let without = [&lines[..at], &lines[at + 1..]].concat().join("\n");
            let is_permitted = super::tests::policy(&without).is_ok_and(|policy| permits(&policy, request()));
            assert!(!is_permitted, "{}\n{rule}\ndoes not need `{line}`", example.parameters);
        }
    }
}

/// The fields that a request gives, also inside lists.
fn given(request: &Json, call: &Call, into: &mut BTreeSet<&'static str>, prefix: &str) {
    match request {
        Json::Object(members) => {
            for (name, value) in members {
                let name = format!("{prefix}{name}");
                into.extend(call.all_uses().map(|used| used.field().name).filter(|known| *known == name));
                given(value, call, into, &format!("{name}."));
            }
        }
        Json::List(values) => values.iter().for_each(|value| given(value, call, into, prefix)),
        _ => {}
    }
}

#[test]
fn the_examples_show_every_field_of_every_call_and_of_every_kind() {
    for call in call::all() {
        let mut shown = BTreeSet::new();
        for example in call.varieties().flat_map(|kind| of(call, kind.map(|kind| kind.name))).chain(of(call, None)) {
            given(&example.json().unwrap(), call, &mut shown, "");
        }
        for used in call.uses {
            assert!(shown.contains(used.field().name), "no example of {} shows {}", call.name, used.field().name);
        }
        for kind in call.kinds.iter() {
            let mut shown = BTreeSet::new();
            of(call, Some(kind.name)).for_each(|example| given(&example.json().unwrap(), call, &mut shown, ""));
            assert!(!shown.is_empty(), "{} of a {} has no example", call.name, kind.name);
            for used in kind.uses {
                let name = used.field().name;
                assert!(shown.contains(name), "no example of {} of a {} shows {name}", call.name, kind.name);
            }
        }
    }
}

#[test]
fn each_section_is_about_a_call_or_kind_and_its_examples_have_that_kind() {
    for section in table::SECTIONS {
        let call = call::by_name(section.call).unwrap();
        let kind = section.kind.map(|kind| call.kind(kind).unwrap().name);
        for example in section.examples {
            let request = example.request(call).unwrap();
            assert!(kind.is_none() || request.kind().map(|kind| kind.name) == kind, "{}", example.parameters);
            assert!(example.purpose.ends_with(':'), "{}", example.purpose);
        }
    }
}

#[test]
fn every_kind_is_explained_once() {
    let kinds: BTreeSet<&str> = call::all().flat_map(|call| call.kinds.iter()).map(|kind| kind.name).collect();
    let explained: Vec<&str> = table::KINDS.iter().map(|(name, _)| *name).collect();
    assert_eq!(explained.iter().copied().collect::<BTreeSet<_>>(), kinds);
    assert_eq!(explained.len(), kinds.len());
}

#[test]
fn the_list_of_examples_is_json_with_a_line_for_each() {
    let text = listed().unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), all().count());
    for (line, (call, _, example)) in lines.iter().zip(all()) {
        assert_eq!(line["call"], call.name);
        let again = Json::parse(line["parameters"].to_string().as_bytes()).unwrap();
        let values =
            |request: &Request| request.values().map(|(f, v)| (f.name, v.clone())).collect::<Vec<(_, Value)>>();
        let request = Request::parse(call, &again, CALLER).unwrap();
        assert_eq!(values(&request), values(&example.request(call).unwrap()));
    }
}
