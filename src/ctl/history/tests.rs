// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is kept of installed policies, and how one of them comes back.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::super::files::INSTALLED;
use super::super::install::{install, written};
use super::super::machine::Machine;
use super::*;
use crate::policy::compile::compile;
use crate::policy::compiled::Compiled;
use crate::policy::diagnostics::Source;

const HISTORY: &str = "/var/lib/netbroker/history";
const POLICY: &str = "/etc/netbroker/policy.d/10.toml";
const IN_FORCE: &str = "/var/lib/netbroker/policy";

fn rule(id: &str) -> String {
    format!("[[allow]]\nid = \"{id}\"\nwho = \"uid:7\"\ncall = \"Netns.Add\"\nnetns = \"q*\"\n")
}

fn put(machine: &Machine, text: &str, leave: Leave) -> Result<Installed, Failure> {
    machine.write(POLICY, text);
    install(&machine.tree, Path::new(INSTALLED), leave)
}

fn installed(machine: &Machine, text: &str) -> String {
    put(machine, text, Leave::default()).unwrap();
    digest(machine)
}

fn digest(machine: &Machine) -> String {
    Compiled::open(fs::read(machine.path(IN_FORCE)).unwrap()).unwrap().digest().to_owned()
}

fn why<T: std::fmt::Debug>(ended: Result<T, Failure>) -> String {
    match ended {
        Err(Failure::Message(_, why)) => why,
        Err(Failure::Policy(lines)) => lines.join("\n"),
        other => panic!("{other:?}"),
    }
}

const UNPIN: Leave = Leave { empty: false, unpin: true };

#[test]
fn the_last_ten_policies_are_kept_for_root_alone() {
    let machine = Machine::new();
    assert_eq!(listed(&machine.tree).unwrap_err().exit(), Exit::Policy); // nothing was ever installed
    let digests: Vec<String> = (0..12).map(|n| installed(&machine, &rule(&format!("r{n}")))).collect();
    let of = |path: &str| {
        let what = fs::metadata(machine.path(path)).unwrap();
        (what.uid(), what.mode() & 0o7777)
    };
    assert_eq!(of(HISTORY), (machine.tree.owner, 0o700));
    assert_eq!(of(&format!("{HISTORY}/{}.json", digests[11])), (machine.tree.owner, 0o600));
    let kept = all(&machine.tree).unwrap();
    let expected: Vec<&String> = digests.iter().rev().take(10).collect();
    assert_eq!(kept.iter().map(|kept| &kept.digest).collect::<Vec<_>>(), expected);
    assert_eq!(kept[0].sources(), [Source { name: POLICY.to_owned(), text: rule("r11") }]);
    // One that comes again is the latest again, once.
    assert_eq!(installed(&machine, &rule("r5")), digests[5]);
    let again: Vec<String> = all(&machine.tree).unwrap().into_iter().map(|kept| kept.digest).collect();
    assert_eq!((again.len(), &again[0], &again[1]), (10, &digests[5], &digests[11]));
    let lines = listed(&machine.tree).unwrap();
    let first = lines.lines().next().unwrap();
    assert!(first.starts_with(&digests[5]) && first.contains(" UTC 1 rule by install of uid "), "{first}");
    assert!(first.ends_with(", in force") && lines.matches("in force").count() == 1, "{lines}");
}

#[test]
fn a_rollback_puts_the_same_bytes_in_force_and_pins_them() {
    let machine = Machine::new();
    let first = installed(&machine, &rule("a"));
    let bytes = fs::read(machine.path(IN_FORCE)).unwrap();
    let second = installed(&machine, &(rule("a").replace("q*", "r*") + &rule("b")));
    let back = back(&machine.tree, first.get(..8).unwrap(), UNPIN).unwrap();
    assert!(back.said.contains(&format!("digest {first}; pinned until a person runs")), "{}", back.said);
    assert_eq!(fs::read(machine.path(IN_FORCE)).unwrap(), bytes);
    let change = back.change.unwrap();
    assert_eq!((change.by, change.before.as_ref(), &change.after), ("rollback", Some(&second), &first));
    let ids = |rules: &BTreeMap<String, String>| rules.keys().cloned().collect::<Vec<_>>();
    let before = change.rules_before.unwrap();
    assert_eq!((ids(&before), ids(&change.rules_after)), (vec!["a".to_owned(), "b".to_owned()], vec!["a".to_owned()]));
    assert_ne!(before["a"], change.rules_after["a"]);
    assert!(listed(&machine.tree).unwrap().lines().next().unwrap().ends_with(", in force, pinned"));

    // A script leaves it as it is; a person ends it, even where the policy is the same.
    let refused = why(put(&machine, &rule("c"), Leave::default()));
    assert!(refused.starts_with(&format!("`policy rollback` has pinned the policy with digest {first}")), "{refused}");
    assert_eq!(fs::read(machine.path(IN_FORCE)).unwrap(), bytes);
    let said = put(&machine, &rule("a"), UNPIN).unwrap().said;
    assert!(said.starts_with("unchanged: ") && said.ends_with("; no policy is pinned any more"), "{said}");
    assert!(put(&machine, &rule("c"), Leave::default()).unwrap().said.starts_with("installed: "));
}

#[test]
fn a_rollback_names_what_it_cannot_find() {
    let machine = Machine::new();
    let digest = installed(&machine, &rule("a"));
    for (wrong, start) in [
        (digest.get(..7).unwrap(), "`"),
        ("DEADBEEF", "`DEADBEEF` is not a digest: write at least 8 of its digits"),
        ("\u{1b}0123456789", "`\\u{1b}0123456789` is not a digest"),
        ("00000000", "no policy with digest `00000000` is kept; `netbrokerctl policy history` lists them"),
    ] {
        let why = why(back(&machine.tree, wrong, UNPIN));
        assert!(why.starts_with(start), "{why}");
    }
    machine.write(&format!("{HISTORY}/x.json"), "{}");
    assert!(
        why(back(&machine.tree, &digest, UNPIN))
            .starts_with("/var/lib/netbroker/history/x.json is not a kept policy: ")
    );
    assert_eq!(kept::pinned(&machine.tree), Ok(None));
}

#[test]
fn an_account_that_is_gone_or_has_another_number_stops_a_rollback() {
    let accounts: BTreeMap<String, u32> =
        [("user:a", 1), ("user:b", 2), ("group:g", 3), ("user:d", 4)].map(|(name, id)| (name.to_owned(), id)).into();
    let number = |account: Account<'_>| match account {
        Account::User("a") => Ok(Some(1)),
        Account::User("b") => Ok(Some(7)),
        Account::User("d") => Err("the directory is away".to_owned()),
        _ => Ok(None),
    };
    let Err(Failure::Policy(lines)) = same_accounts(&accounts, &number) else { panic!("rolled back") };
    assert_eq!(
        lines,
        [
            "the group `g`, number 3, does not exist any more",
            "the user `b` had number 2 and has 7 now",
            "the user `d` cannot be looked up: the directory is away",
            "netbrokerctl: the policy in force is as it was",
        ]
    );
    assert!(same_accounts(&[("user:a".to_owned(), 1)].into(), &number).is_ok());
}

#[test]
fn a_policy_without_rules_replaces_none_that_has_some_unasked() {
    let machine = Machine::new();
    installed(&machine, "# nothing yet\n");
    installed(&machine, &rule("a"));
    let before = fs::read(machine.path(IN_FORCE)).unwrap();
    for empty in ["", "# rules are elsewhere\n", "[audit]\nrequired = false\n"] {
        let why = why(put(&machine, empty, UNPIN));
        assert!(why.starts_with("the new policy has no rule") && why.contains("--allow-empty"), "{why}");
        assert_eq!(fs::read(machine.path(IN_FORCE)).unwrap(), before);
    }
    assert_eq!(all(&machine.tree).unwrap().len(), 2);
    let said = put(&machine, "", Leave { empty: true, unpin: false }).unwrap().said;
    assert!(said.contains("(every call is refused)"), "{said}");
}

#[test]
fn what_was_kept_makes_the_policy_in_force_without_its_accounts() {
    let machine = Machine::new();
    let text = rule("a").replace("uid:7", "user:root");
    installed(&machine, &text);
    let kept = in_force(&machine.tree, &InForce::read(&machine.tree).unwrap()).unwrap().unwrap();
    assert_eq!(kept.accounts, [("user:root".to_owned(), 0)].into());
    let recorded = Accounts::Recorded(kept.accounts.clone());
    let policy = compile(&kept.sources(), &|account| recorded.number(account)).unwrap();
    assert_eq!(written(&policy).unwrap(), fs::read(machine.path(IN_FORCE)).unwrap());
    assert_eq!(recorded.name(crate::policy::rule::Principal::Uid(0)).as_deref(), Some("root"));
    assert!(recorded.user("nemo").is_err());
}
