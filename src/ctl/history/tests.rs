// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is kept of installed policies, and how one of them is put in force again.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::super::files::INSTALLED;
use super::super::install::{install, unless_pinned};
use super::super::machine::Machine;
use super::super::put::written;
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
    let (kept, warnings) = all(&machine.tree).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let expected: Vec<&String> = digests.iter().rev().take(10).collect();
    assert_eq!(kept.iter().map(|kept| &kept.digest).collect::<Vec<_>>(), expected);
    assert_eq!(kept[0].sources(), [Source { name: POLICY.to_owned(), text: rule("r11") }]);
    // A policy that is installed again is the latest, and is listed once.
    assert_eq!(installed(&machine, &rule("r5")), digests[5]);
    let again: Vec<String> = all(&machine.tree).unwrap().0.into_iter().map(|kept| kept.digest).collect();
    assert_eq!((again.len(), &again[0], &again[1]), (10, &digests[5], &digests[11]));
    let lines = listed(&machine.tree).unwrap().0;
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
    assert!(
        back.said.contains(&format!("digest {first}; pinned until `netbrokerctl policy install --unpin`, or ")),
        "{}",
        back.said
    );
    assert_eq!(fs::read(machine.path(IN_FORCE)).unwrap(), bytes);
    let change = back.change.unwrap();
    assert_eq!((change.by, change.before.as_ref(), &change.after), ("rollback", Some(&second), &first));
    let ids = |rules: &BTreeMap<String, String>| rules.keys().cloned().collect::<Vec<_>>();
    let before = change.rules_before.unwrap();
    assert_eq!((ids(&before), ids(&change.rules_after)), (vec!["a".to_owned(), "b".to_owned()], vec!["a".to_owned()]));
    assert_ne!(before["a"], change.rules_after["a"]);
    assert!(listed(&machine.tree).unwrap().0.lines().next().unwrap().ends_with(", in force, pinned"));

    // A script keeps the pin. A person ends it, even if the policy is the same.
    let refused = why(put(&machine, &rule("c"), Leave::default()));
    assert!(
        refused.starts_with("nothing is installed: ")
            && refused.contains(&format!("digest {first}, which is in force and stays so")),
        "{refused}"
    );
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
    assert_eq!(kept::pinned(&machine.tree), Ok(None));
}

#[test]
fn a_file_that_is_not_a_kept_policy_is_reported_and_ignored() {
    let machine = Machine::new();
    let first = installed(&machine, &rule("a"));
    let copied = format!("{HISTORY}/{}.json", "0".repeat(64));
    machine.write(&copied, fs::read(machine.path(&format!("{HISTORY}/{first}.json"))).unwrap());
    machine.write(&format!("{HISTORY}/x.json"), "{}");
    let others = format!("{HISTORY}/{}.json", "2".repeat(64));
    let text = fs::read_to_string(machine.path(&format!("{HISTORY}/{first}.json"))).unwrap();
    machine.write(&others, text.replace(&first, &"2".repeat(64)));
    machine.mode(&others, 0o666);
    machine.write(&format!("{HISTORY}/{}.json", "1".repeat(64)), "{}");
    let put = put(&machine, &rule("b"), Leave::default()).unwrap();
    let digest = digest(&machine);
    for (warning, expected) in put.warnings.iter().zip([
        format!("{copied}: warning: this is not a kept policy: it holds the policy with digest `{first}`"),
        format!("{HISTORY}/{}.json: warning: this is not a kept policy: missing field", "1".repeat(64)),
        format!("{others}: warning: this is not a kept policy: users other than root could write it"),
        format!("{HISTORY}/x.json: warning: this is not a kept policy: its name must be a digest and `.json`"),
    ]) {
        assert!(warning.starts_with(&expected), "{warning}");
        assert!(warning.ends_with("; it is ignored, and can be removed"), "{warning}");
    }
    assert_eq!(put.warnings.len(), 4);
    let (lines, warnings) = listed(&machine.tree).unwrap();
    assert_eq!((lines.lines().count(), &warnings), (2, &put.warnings));
    assert!(why(back(&machine.tree, "00000000", UNPIN)).starts_with("no policy with digest"));
    assert!(back(&machine.tree, &first, UNPIN).unwrap().said.starts_with("rolled back: "));
    assert_ne!(digest, first);
}

#[test]
fn what_only_sets_or_ends_a_pin_is_on_record_and_says_that_the_policy_was_in_force() {
    let machine = Machine::new();
    let digest = installed(&machine, &rule("a"));
    let pinned = back(&machine.tree, &digest, UNPIN).unwrap();
    assert!(pinned.said.starts_with("already in force: 1 rule in 1 file, "), "{}", pinned.said);
    let change = pinned.change.unwrap();
    assert_eq!((change.before.as_ref(), &change.after, change.pinned), (Some(&digest), &digest, true));
    assert_eq!(change.rules_before.as_ref(), Some(&change.rules_after));
    assert_eq!(back(&machine.tree, &digest, UNPIN).unwrap().change, None);
    let ended = put(&machine, &rule("a"), UNPIN).unwrap();
    assert!(!ended.change.unwrap().pinned);
    assert_eq!(put(&machine, &rule("a"), UNPIN).unwrap().change, None);
}

#[test]
fn a_pin_that_cannot_be_read_is_not_taken_for_none() {
    let machine = Machine::new();
    installed(&machine, &rule("a"));
    let before = fs::read(machine.path(IN_FORCE)).unwrap();
    let pin = "/var/lib/netbroker/pinned";
    for text in ["", "x", "../../etc"] {
        machine.write(pin, text);
        let why = why(put(&machine, &rule("b"), Leave::default()));
        assert!(why.starts_with(&format!("{pin} must hold the digest that `policy rollback` pinned")), "{why}");
    }
    machine.write(pin, "0".repeat(64));
    machine.mode(pin, 0o666);
    let why = why(put(&machine, &rule("b"), Leave::default()));
    assert!(why.starts_with(&format!("{pin} has mode 0666")), "{why}");
    assert_eq!(fs::read(machine.path(IN_FORCE)).unwrap(), before);
    // Whoever ends the pin need not know what it was.
    assert!(put(&machine, &rule("b"), UNPIN).unwrap().said.ends_with("; no policy is pinned any more"));
    assert_eq!(kept::pinned(&machine.tree), Ok(None));
}

/// As if a version with another format had installed the policy in force. The number of the format is the eighth byte.
fn of_another_version(machine: &Machine) {
    let mut bytes = fs::read(machine.path(IN_FORCE)).unwrap();
    bytes[7] += 1;
    fs::write(machine.path(IN_FORCE), bytes).unwrap();
    assert!(InForce::read(&machine.tree).unwrap_err().contains("it has another format than this broker reads"));
}

fn after_an_upgrade(machine: &Machine) -> Result<Installed, Failure> {
    unless_pinned(&machine.tree, Path::new(INSTALLED), Leave::default())
}

#[test]
fn after_an_upgrade_the_files_are_installed() {
    let machine = Machine::new();
    installed(&machine, &rule("a"));
    of_another_version(&machine);
    machine.write(POLICY, rule("b"));
    let installed = after_an_upgrade(&machine).unwrap();
    assert!(installed.said.starts_with("installed: 1 rule in 1 file, digest "), "{}", installed.said);
    assert_eq!(installed.change.unwrap().rules_after.into_keys().collect::<Vec<_>>(), ["b"]);
}

#[test]
fn after_an_upgrade_a_pinned_policy_is_compiled_again_and_stays_pinned() {
    let machine = Machine::new();
    let first = installed(&machine, &rule("a"));
    let bytes = fs::read(machine.path(IN_FORCE)).unwrap();
    installed(&machine, &rule("b"));
    back(&machine.tree, &first, UNPIN).unwrap();
    of_another_version(&machine);
    let again = after_an_upgrade(&machine).unwrap();
    let said = &again.said;
    assert!(
        said.starts_with("compiled again: 1 rule in 1 file, digest ") && said.contains("; pinned until "),
        "{said}"
    );
    assert!(
        said.ends_with(&format!("The policy in force, digest {first}, had the format of another version")),
        "{said}"
    );
    assert!(again.after.is_ok());
    assert_eq!(fs::read(machine.path(IN_FORCE)).unwrap(), bytes);
    assert_eq!(kept::pinned(&machine.tree), Ok(Some(first.clone())));
    let change = again.change.unwrap();
    assert_eq!((change.by, change.before, &change.after, change.pinned), ("recompile", None, &first, true));
    // The next start of the machine has nothing to do.
    assert!(after_an_upgrade(&machine).unwrap().said.starts_with("unchanged: the policy in force is pinned until"));
}

#[test]
fn after_an_upgrade_the_last_good_policy_is_compiled_again_if_the_files_are_broken() {
    let machine = Machine::new();
    installed(&machine, &rule("a"));
    let second = installed(&machine, &rule("b"));
    let bytes = fs::read(machine.path(IN_FORCE)).unwrap();
    of_another_version(&machine);
    machine.write(POLICY, "nonsense");
    let again = after_an_upgrade(&machine).unwrap();
    assert!(again.said.starts_with(&format!("compiled again: 1 rule in 1 file, digest {second}\n")), "{}", again.said);
    assert!(why(again.after).starts_with(&format!("{POLICY}:1:")), "the reason is lost");
    assert_eq!(fs::read(machine.path(IN_FORCE)).unwrap(), bytes);
    let change = again.change.unwrap();
    assert_eq!((change.by, change.pinned), ("recompile", false));
    assert_eq!(kept::pinned(&machine.tree), Ok(None));
    // Without another format, nothing but the failure happens.
    assert!(why(after_an_upgrade(&machine)).starts_with(&format!("{POLICY}:1:")));
}

#[test]
fn after_an_upgrade_a_policy_that_was_not_kept_or_has_other_accounts_is_not_compiled_again() {
    let machine = Machine::new();
    let digest = installed(&machine, &rule("a").replace("uid:7", "user:root"));
    back(&machine.tree, &digest, UNPIN).unwrap();
    of_another_version(&machine);
    let before = fs::read(machine.path(IN_FORCE)).unwrap();
    let path = format!("{HISTORY}/{digest}.json");
    let kept = fs::read_to_string(machine.path(&path)).unwrap();
    machine.write(&path, kept.replace("\"user:root\":0", "\"user:root\":5"));
    assert!(why(after_an_upgrade(&machine)).starts_with("the user `root` had the number 5 and now has 0"));
    fs::remove_file(machine.path(&path)).unwrap();
    let expected = format!(
        "the policy in force, which is pinned (digest {digest}), has the format of another version, and its files are not kept"
    );
    assert_eq!(why(after_an_upgrade(&machine)), expected);
    assert_eq!(fs::read(machine.path(IN_FORCE)).unwrap(), before);
}

#[test]
fn files_that_change_while_they_are_checked_are_not_installed() {
    let machine = Machine::new();
    let before = installed(&machine, &rule("a"));
    let sources = vec![Source { name: POLICY.to_owned(), text: rule("b") }];
    let policy = compile(&sources, &|_| Ok(None)).unwrap();
    let new = New { policy, sources, accounts: BTreeMap::new(), by: By::Install };
    let why = why(new.put(&machine.tree, Leave::default(), &|| Ok(false)).map(|put| put.digest));
    assert!(why.starts_with("the files changed while they were checked"), "{why}");
    assert_eq!(digest(&machine), before);
}

#[test]
fn installations_and_rollbacks_at_the_same_time_end_as_if_one_followed_the_other() {
    let machine = Machine::new();
    let first = installed(&machine, &rule("a"));
    let second = installed(&machine, &rule("b"));
    for _ in 0..20 {
        std::thread::scope(|scope| {
            scope.spawn(|| install(&machine.tree, Path::new(INSTALLED), UNPIN).unwrap());
            scope.spawn(|| back(&machine.tree, &first, UNPIN).unwrap());
        });
        let pinned = kept::pinned(&machine.tree).unwrap();
        let consistent = match digest(&machine) {
            of if of == first => pinned.as_ref() == Some(&first),
            of => of == second && pinned.is_none(),
        };
        assert!(consistent, "{pinned:?}");
    }
}

#[test]
fn files_that_make_the_same_policy_are_kept_as_they_are_now() {
    let machine = Machine::new();
    let digest = installed(&machine, &rule("a"));
    let text = rule("a") + "description = \"what it is for\"\n";
    assert_eq!(installed(&machine, &text), digest);
    let kept = in_force(&machine.tree, &InForce::read(&machine.tree).unwrap()).unwrap().unwrap();
    assert_eq!(kept.sources(), [Source { name: POLICY.to_owned(), text }]);
}

#[test]
fn an_account_that_is_gone_or_has_another_number_stops_a_rollback() {
    let then = [("user:a", Some(1)), ("user:b", Some(2)), ("group:g", Some(3)), ("user:d", Some(4)), ("user:e", None)];
    let then = then.into_iter().chain([("user:f", None)]).map(|(name, id)| (name.to_owned(), id));
    let accounts: BTreeMap<String, Option<u32>> = then.collect();
    let number = |account: Account<'_>| match account {
        Account::User("a") => Ok(Some(1)),
        Account::User("b") => Ok(Some(7)),
        Account::User("e") => Ok(Some(8)),
        Account::User("d") => Err("the directory is away".to_owned()),
        _ => Ok(None),
    };
    assert_eq!(
        changed_accounts(&accounts, &number),
        [
            "the group `g`, number 3, no longer exists",
            "the user `b` had the number 2 and now has 7",
            "the user `d` cannot be looked up: the directory is away",
            "the user `e`, number 8, did not exist then, and exists now",
        ]
    );
    // `root` did not exist as an account, so the entry excluded nobody.
    let machine = Machine::new();
    let digest = installed(&machine, &rule("a").replace("uid:7", "user?:root"));
    let path = format!("{HISTORY}/{digest}.json");
    let kept = fs::read_to_string(machine.path(&path)).unwrap();
    machine.write(&path, kept.replace("\"user:root\":0", "\"user:root\":null"));
    installed(&machine, &rule("b"));
    let before = fs::read(machine.path(IN_FORCE)).unwrap();
    let why = why(back(&machine.tree, &digest, UNPIN));
    assert_eq!(
        why,
        "the user `root`, number 0, did not exist then, and exists now\nnetbrokerctl: the policy in force is unchanged; restore these accounts, or \
         install another policy"
    );
    assert_eq!(fs::read(machine.path(IN_FORCE)).unwrap(), before);
}

#[test]
fn a_policy_without_rules_replaces_none_that_has_some_unasked() {
    let machine = Machine::new();
    installed(&machine, "# nothing yet\n");
    installed(&machine, &rule("a"));
    let before = fs::read(machine.path(IN_FORCE)).unwrap();
    for empty in ["", "# rules are elsewhere\n", "[audit]\nrequired = false\n"] {
        let why = why(put(&machine, empty, UNPIN));
        assert!(why.starts_with("the new policy has no rules") && why.contains("--allow-empty"), "{why}");
        assert_eq!(fs::read(machine.path(IN_FORCE)).unwrap(), before);
    }
    assert_eq!(all(&machine.tree).unwrap().0.len(), 2);
    let said = put(&machine, "", Leave { empty: true, unpin: false }).unwrap().said;
    assert!(said.contains("(every call is refused)"), "{said}");
}

#[test]
fn what_was_kept_makes_the_policy_in_force_without_its_accounts() {
    let machine = Machine::new();
    let text = rule("a").replace("uid:7", "user:root");
    installed(&machine, &text);
    let kept = in_force(&machine.tree, &InForce::read(&machine.tree).unwrap()).unwrap().unwrap();
    assert_eq!(kept.accounts, [("user:root".to_owned(), Some(0))].into());
    let recorded = Accounts::Recorded(kept.accounts.clone());
    let policy = compile(&kept.sources(), &|account| recorded.number(account)).unwrap();
    assert_eq!(written(&policy).unwrap(), fs::read(machine.path(IN_FORCE)).unwrap());
    assert_eq!(recorded.name(crate::policy::rule::Principal::Uid(0)).as_deref(), Some("root"));
    assert!(recorded.user("nemo").is_err());
}
