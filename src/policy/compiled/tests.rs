// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Damage: a decision is the right one or none.

use super::*;
use crate::call::by_name;
use crate::call::json::Json;
use crate::policy::Decision;
use crate::policy::compile::compile;
use crate::policy::diagnostics::Source;

const POLICY: &str = r#"
[[allow]]
id = "routers"
who = ["uid:64100", "gid:2000"]
call = ["Netns.Add", "Link.Set"]
netns = "qrouter-*"
link = ["qr-*", "lo"]
mtu = "1280..1500"

[[deny]]
id = "uplinks"
who = ["*", "!gid:2001"]
call = "@change"
touches = { netns = "@host", link = "eth*" }
"#;

fn policy() -> Vec<u8> {
    let source = Source { name: "10.toml".to_owned(), text: POLICY.to_owned() };
    compile(std::slice::from_ref(&source), &|_| Ok(None)).unwrap().write().unwrap()
}

type Answer = Result<(Decision, Profile, Settings), Damage>;

/// A few requests of a few callers: permitted, denied, out of range, of a call without rules.
fn questions() -> Vec<(Caller, Request)> {
    let requests = [
        ("Link.Set", r#"{"netns":"qrouter-1","link":"qr-1","mtu":1400}"#),
        ("Link.Set", r#"{"netns":"qrouter-1","link":"qr-1","mtu":9000}"#),
        ("Link.Set", r#"{"netns":"@host","link":"eth0","up":true}"#),
        ("Netns.Add", r#"{"netns":"qrouter-1"}"#),
        ("Address.List", r#"{"netns":"qrouter-1"}"#),
    ];
    let parsed = requests
        .map(|(call, with)| Request::parse(by_name(call).unwrap(), &Json::parse(with.as_bytes()).unwrap(), 0).unwrap());
    let callers = [(64100, vec![]), (1000, vec![2000, 2001]), (0, vec![])];
    let callers = callers.map(|(uid, groups)| Caller { uid, gid: uid, groups });
    callers.iter().flat_map(|caller| parsed.iter().map(|request| (caller.clone(), request.clone()))).collect()
}

/// What the broker would do.
fn answers(bytes: &[u8], questions: &[(Caller, Request)]) -> Vec<Answer> {
    let compiled = match Compiled::open(bytes.to_vec()) {
        Ok(compiled) => compiled,
        Err(damage) => return vec![Err(damage); questions.len()],
    };
    let answer = |(caller, request): &(Caller, Request)| {
        let verdict = compiled.judge(caller, request.clone())?;
        Ok((verdict.decision().clone(), compiled.profile(caller)?, compiled.settings()))
    };
    questions.iter().map(answer).collect()
}

fn refused_or_the_same(damaged: &[Answer], sound: &[Answer], what: &str) {
    for (damaged, sound) in damaged.iter().zip(sound) {
        assert!(damaged.is_err() || damaged == sound, "{what}: {damaged:?} for {sound:?}");
    }
}

#[test]
fn every_bit_that_flips_refuses_or_changes_nothing() {
    let (bytes, questions) = (policy(), questions());
    let sound = answers(&bytes, &questions);
    assert!(sound.iter().all(Result::is_ok));
    let mut refused = 0;
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let damaged = answers(&damaged, &questions);
        refused_or_the_same(&damaged, &sound, &format!("bit {bit}"));
        refused += usize::from(damaged.iter().any(Result::is_err));
    }
    assert!(refused > bytes.len(), "{refused} of {}", bytes.len() * 8); // what decides is read and checked
}

#[test]
fn every_truncation_and_every_byte_behind_the_end_refuses() {
    let (bytes, questions) = (policy(), questions());
    for length in 0..bytes.len() {
        assert!(answers(&bytes[..length], &questions).iter().all(Result::is_err), "{length}");
    }
    assert!(answers(&[&bytes[..], &[0]].concat(), &questions).iter().all(Result::is_err));
}

#[test]
fn what_is_found_at_another_place_refuses_or_changes_nothing() {
    let (bytes, questions) = (policy(), questions());
    let sound = answers(&bytes, &questions);
    let first_block = bytes.len().min(HEADER + 8 * ENTRY); // Link.Set, number 7, is the last call of the policy
    for one in (HEADER..first_block).step_by(ENTRY) {
        for other in (one..first_block).step_by(ENTRY).chain([bytes.len() - 2 * ENTRY, bytes.len() - ENTRY]) {
            let mut damaged = bytes.clone();
            damaged[one..one + ENTRY].copy_from_slice(&bytes[other..other + ENTRY]);
            damaged[other..other + ENTRY].copy_from_slice(&bytes[one..one + ENTRY]);
            refused_or_the_same(&answers(&damaged, &questions), &sound, &format!("{one} and {other}"));
        }
    }
}
