// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Damage: the decision is the right one, or there is none.

use sha2::Digest as _;

use super::*;
use crate::call::by_name;
use crate::call::json::Json;
use crate::policy::Decision;
use crate::policy::compile::compile;
use crate::policy::constraint::{Constraint, Entries, Numbers, Prefix, Range};
use crate::policy::diagnostics::Source;
use crate::policy::rule::{Ruling, Touches};

/// Its calls are few, since each further call is a block like these and one more that no question reads.
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
call = ["Link.Add", "Link.Delete", "Link.Set"]
touches = { netns = "@host", link = "eth*" }
"#;

fn policy() -> Vec<u8> {
    let source = Source { name: "10.toml".to_owned(), text: POLICY.to_owned() };
    compile(std::slice::from_ref(&source), &|_| Ok(None)).unwrap().write().unwrap()
}

type Answer = Result<(Decision, Profile, Settings), Damage>;

/// A few requests from a few callers: permitted, denied, out of range, and of a call without rules.
fn questions() -> Vec<(Caller, Request)> {
    let requests = [
        ("Link.Set", r#"{"netns":"qrouter-1","link":"qr-1","mtu":1400}"#),
        ("Link.Set", r#"{"netns":"qrouter-1","link":"qr-1","mtu":9000}"#),
        ("Link.Set", r#"{"netns":"@host","link":"eth0","mtu":1400}"#),
        ("Netns.Add", r#"{"netns":"qrouter-1"}"#),
        ("Address.List", r#"{"netns":"qrouter-1"}"#),
    ];
    let parsed = requests
        .map(|(call, with)| Request::parse(by_name(call).unwrap(), &Json::parse(with.as_bytes()).unwrap(), 0).unwrap());
    let callers = [(64100, vec![]), (1000, vec![2000, 2001]), (0, vec![])];
    let callers = callers.map(|(uid, groups)| Caller { uid, gid: uid, groups });
    callers.iter().flat_map(|caller| parsed.iter().map(|request| (caller.clone(), request.clone()))).collect()
}

/// The decision of the broker.
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
    assert!(refused > bytes.len(), "{refused} of {}", bytes.len() * 8); // what a decision reads is checked
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

/// A policy with one of everything that a file can contain, independent of the existing calls and fields.
fn one_of_everything() -> Vec<u8> {
    let prefix = |raw: &str, length| Prefix::new(raw.parse().unwrap(), length);
    let patterns = |raw: &[&str]| Entries::Patterns(raw.iter().map(|raw| (*raw).to_owned()).collect());
    let ranges = vec![
        Range::Inside(prefix("10.0.0.0", 8)),
        Range::Inside(prefix("2001:db8::", 32)),
        Range::Lengths(prefix("10.0.0.0", 8), 24, 32),
        Range::Exactly("10.1.2.3".parse().unwrap(), 24),
    ];
    let all = [
        patterns(&["qr-*", "@host"]),
        Entries::Numbers(vec![Numbers::Between(1280, u64::MAX), Numbers::Uid]),
        Entries::Bools(vec![false, true]),
        Entries::Addresses(ranges),
    ];
    let principals = vec![Principal::Everyone, Principal::Uid(64100), Principal::Gid(2000)];
    let constraint =
        |entries: &Entries| Constraint { any: false, entries: entries.clone(), except: Some(entries.clone()) };
    let allow = Rule {
        id: "allow".to_owned(),
        ruling: Ruling::Allow,
        except: Vec::new(),
        fields: (1..).zip(all.iter().map(constraint)).chain([(300, Constraint::ANY)]).collect(),
        require: vec![1, 300],
        touches: None,
    };
    let touches = Touches { netns: None, link: Some(constraint(&patterns(&["eth*"]))) };
    let deny = Rule {
        id: "deny".to_owned(),
        ruling: Ruling::Deny,
        except: principals.clone(),
        fields: Vec::new(),
        require: Vec::new(),
        touches: Some(touches),
    };
    let placed = |call, rule: &Rule| Placed { call, principals: principals.clone(), rule: rule.clone() };
    [&allow, &deny].into_iter().for_each(says_only_what_is_known);
    let rules = [placed(1, &allow), placed(1, &deny), placed(3, &deny)];
    let profiles = [(Principal::Everyone, Profile::NAMESPACES), (Principal::Gid(2000), Profile::TUN)];
    write(&rules, &profiles, Settings { audit_required: true, show_rule: false, landlock_required: true }).unwrap()
}

/// Does not compile if something new is added, which then belongs into [`one_of_everything`].
fn says_only_what_is_known(rule: &Rule) {
    let Rule { id: _, ruling: Ruling::Allow | Ruling::Deny, except, fields, require: _, touches } = rule;
    let (Some(Touches { netns: _, link: _ }) | None) = touches;
    for Principal::Everyone | Principal::Uid(_) | Principal::Gid(_) in except {}
    for (_, Constraint { any: _, entries, except: _ }) in fields {
        match entries {
            Entries::Patterns(_) | Entries::Bools(_) => {}
            Entries::Numbers(numbers) => for Numbers::Between(..) | Numbers::Uid in numbers {},
            Entries::Addresses(ranges) => for Range::Inside(_) | Range::Lengths(..) | Range::Exactly(..) in ranges {},
        }
    }
}

#[test]
fn the_number_of_the_format_stands_for_these_bytes() {
    let bytes = one_of_everything();
    let digest: String = sha2::Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        (MAGIC[7], bytes.len(), digest.as_str()),
        (4, 1358, "22ffd51ecfab903f2601233622974b62b20369317547479a5a87927cea4bb80f"),
        "the layout of compiled policies changed: give MAGIC a new number, and update this test"
    );
}

#[test]
fn a_class_of_principals_that_is_unknown_is_refused() {
    let caller = Caller { uid: 64100, gid: 2000, groups: Vec::new() };
    let sound = one_of_everything();
    assert_eq!(Compiled::open(sound.clone()).unwrap().profile(&caller), Ok(Profile::NAMESPACES.and(Profile::TUN)));
    // The slots of the table of profiles, by its entry of the directory.
    let number = |at: usize| usize::try_from(u64::from_le_bytes(sound[at..at + 8].try_into().unwrap())).unwrap();
    let (slots_at, slots) = (number(HEADER), number(HEADER + 8));
    for class in [4_u32, 5, 255, 256, 1 << 24, u32::MAX] {
        let mut changed = sound.clone();
        for slot in 0..slots {
            let at = slots_at + slot * ENTRY;
            let covered = at..at + COVERED;
            changed[at..at + 4].copy_from_slice(&class.to_le_bytes());
            let place = [&PROFILES.to_le_bytes()[..], &u64::try_from(slot).unwrap().to_le_bytes()];
            let sum = crc(&[place[0], place[1], &changed[covered]]);
            changed[at + COVERED..at + ENTRY].copy_from_slice(&sum.to_le_bytes());
        }
        let refusal = Damage("it has rules for a class of principals that this broker does not know");
        assert_eq!(Compiled::open(changed).unwrap().profile(&caller), Err(refusal), "{class}");
    }
}
