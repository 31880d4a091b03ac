// SPDX-License-Identifier: Apache-2.0 OR MIT
//! When an edit is saved, and what remains of one that is not.

use std::cell::Cell;
use std::os::unix::fs::MetadataExt;

use super::*;
use crate::ctl::machine::Machine;

const FILE: &str = "/etc/netbroker/policy.d/10.toml";
const RULE: &str = "[[allow]]\nid = \"x\"\nwho = \"*\"\ncall = \"Netns.Add\"\nnetns = \"q*\"\n";
const TEST: &str = "[accounts]\na = { uid = 1, gid = 1 }\n[[test]]\nname = \"t\"\nwho = \"a\"\ncall = \"Netns.Add\"\n\
    with = { netns = \"q1\" }\nexpect = \"x\"\n";

fn machine() -> Machine {
    let machine = Machine::new();
    machine.write(FILE, RULE);
    machine.write("/etc/netbroker/policy.d/10.test.toml", TEST);
    machine
}

fn edit(machine: &Machine, file: &str, texts: &[&str], answer: Option<Choice>) -> Result<String, Failure> {
    let turn = Cell::new(0);
    let editor = |copy: &Path| {
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!((mode(copy.parent().unwrap()), mode(copy)), (0o700, 0o600));
        fs::write(copy, texts[turn.replace(turn.get() + 1)]).map_err(|error| error.to_string())
    };
    Edited::open(&machine.tree, Path::new(file))?.edit(&editor, &|_| answer)
}

fn text(machine: &Machine) -> String {
    fs::read_to_string(machine.path(FILE)).unwrap()
}

fn copies(machine: &Machine) -> usize {
    machine.names("/run").iter().filter(|name| name.starts_with("netbrokerctl.")).count()
}

#[test]
fn a_sound_edit_takes_the_place_of_the_file() {
    let machine = machine();
    machine.mode(FILE, 0o640);
    let wider = RULE.replace("q*", "q1*");
    for file in ["10.toml", FILE] {
        let said = edit(&machine, file, &[&wider], None).unwrap();
        assert!(said.starts_with(if file == FILE { "unchanged: " } else { "edited: " }), "{said}");
    }
    assert_eq!(text(&machine), wider);
    assert_eq!(fs::metadata(machine.path(FILE)).unwrap().mode() & 0o7777, 0o640);
    let other = RULE.replace("\"x\"", "\"y\"");
    edit(&machine, "20.toml", &[&other], None).unwrap();
    assert_eq!(machine.names(INSTALLED), ["10.test.toml", "10.toml", "20.toml"]);
    assert_eq!(copies(&machine), 0);
}

#[test]
fn an_edit_that_is_not_sound_is_kept_beside_and_the_file_is_as_it_was() {
    let machine = machine();
    for (text, why) in [
        (RULE.replace("netns", "netn"), "10.toml:5:1: `netn` is not a field"),
        (RULE.replace("q*", "r*"), "10.test.toml:3: t: Netns.Add: expected `x`, but refused"),
        (RULE.replace("\"x\"", "\"y\""), "10.test.toml:8:10: no rule with the id `x`"),
    ] {
        let Err(Failure::Policy(lines)) = edit(&machine, FILE, &[&text], None) else { panic!("edited") };
        assert!(lines.iter().any(|line| line.contains(why)), "{lines:?}");
        let copy = lines.last().unwrap().rsplit(' ').next().unwrap();
        assert_eq!(fs::read_to_string(copy).unwrap(), text);
    }
    assert_eq!((self::text(&machine), copies(&machine)), (RULE.to_owned(), 3));
    let broken = TEST.replace("Netns.Add", "Netns.Ad");
    assert!(matches!(edit(&machine, "10.test.toml", &[&broken], None), Err(Failure::Policy(_))));
    assert_eq!(machine.names(INSTALLED), ["10.test.toml", "10.toml"]);
}

#[test]
fn whoever_is_asked_may_edit_again_or_stop() {
    let machine = machine();
    let (broken, good) = (RULE.replace("netns", "netn"), RULE.replace("q*", "q1*"));
    edit(&machine, FILE, &[&broken, &good], Some(Choice::Again)).unwrap();
    assert_eq!((text(&machine), copies(&machine)), (good.clone(), 0));
    let Err(Failure::Message(Exit::Policy, why)) = edit(&machine, FILE, &[&broken], Some(Choice::Stop)) else {
        panic!("edited")
    };
    assert!(why.contains("is unchanged; the copy is "), "{why}");
    assert_eq!((text(&machine), copies(&machine)), (good, 1));
}

#[test]
fn what_somebody_else_wrote_meanwhile_stays() {
    let machine = machine();
    let other = RULE.replace("q*", "q?");
    let editor = |copy: &Path| {
        machine.write(FILE, &other);
        fs::write(copy, RULE.replace("q*", "q1*")).map_err(|error| error.to_string())
    };
    let edited = Edited::open(&machine.tree, Path::new(FILE)).unwrap();
    let Err(Failure::Message(Exit::Policy, why)) = edited.edit(&editor, &|_| None) else { panic!("edited") };
    assert!(why.contains("was changed by somebody else in the meantime; "), "{why}");
    assert_eq!(text(&machine), other);
}

#[test]
fn an_editor_that_fails_changes_nothing() {
    let machine = machine();
    let edited = Edited::open(&machine.tree, Path::new(FILE)).unwrap();
    let failed = |_: &Path| Err("`vi`: exit status: 1".to_owned());
    assert!(matches!(edited.edit(&failed, &|_| None), Err(Failure::Message(Exit::System, _))));
    let failed = |copy: &Path| fs::write(copy, "").map_err(|e| e.to_string()).and(Err("x".to_owned()));
    assert!(matches!(edited.edit(&failed, &|_| None), Err(Failure::Message(Exit::System, _))));
    assert_eq!((text(&machine), copies(&machine)), (RULE.to_owned(), 1));
}

#[test]
fn only_files_of_the_policy_are_edited() {
    let machine = machine();
    machine.write("/usr/share/netbroker/policies/l3.toml", RULE);
    machine.link("/usr/share/netbroker/policies/l3.toml", "/etc/netbroker/policy.d/l3.toml");
    for (file, why) in [
        ("x", "is neither *.toml nor *.test.toml; did you mean `x.toml`?"),
        (".x.toml", "is neither"),
        ("/etc/x.toml", "is not in"),
        ("./10.toml", "is not in"),
        ("l3.toml", "is a link to a shipped policy"),
    ] {
        let Err(Failure::Message(Exit::Policy, said)) = edit(&machine, file, &[], None) else { panic!("{file}") };
        assert!(said.contains(why), "{said}");
    }
    machine.mode(FILE, 0o666);
    assert!(matches!(edit(&machine, FILE, &[], None), Err(Failure::Message(Exit::Policy, _))));
}
