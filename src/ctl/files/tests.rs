// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which files are policy, which are tests, and which are trusted.

use std::fs;

use super::*;
use crate::ctl::machine::Machine;

const EMPTY: &str = "# no rule\n";

fn names(machine: &Machine) -> Result<Vec<String>, Vec<String>> {
    match machine.tree.policy(Path::new(INSTALLED)) {
        Ok(sources) => Ok(sources.into_iter().map(|source| source.name).collect()),
        Err(Failure::Policy(wrong)) => Err(wrong),
        Err(other) => panic!("{other:?}"),
    }
}

fn refused(machine: &Machine, start: &str) {
    let wrong = names(machine).unwrap_err();
    assert!(wrong.len() == 1 && wrong[0].starts_with(start), "{wrong:?}");
}

#[test]
fn policy_is_what_ends_in_toml_sorted_by_name() {
    let machine = Machine::new();
    for name in ["20-b.toml", "10-a.toml", "10-a.test.toml", ".hidden.toml", "30.toml~", "README", "x.toml.dpkg-old"] {
        machine.write(&format!("{INSTALLED}/{name}"), EMPTY);
    }
    let expected = ["10-a.toml", "20-b.toml"].map(|name| format!("{INSTALLED}/{name}"));
    assert_eq!(names(&machine).unwrap(), expected);
    let given = given(&[machine.path(INSTALLED)]).unwrap();
    assert_eq!(given.len(), 2);
    assert_eq!(given[0].text, EMPTY);
}

#[test]
fn a_file_that_nobody_reads_is_named() {
    let machine = Machine::new();
    for name in ["a.toml", "a.test.toml", "x.TOML", "x.conf", "x.toml~", ".x.toml", "x.toml.dpkg-new", "e\u{1b}"] {
        machine.write(&format!("{INSTALLED}/{name}"), EMPTY);
    }
    let unread = machine.tree.unread(Path::new(INSTALLED)).unwrap();
    let why = |name: &str, why: &str| {
        format!(
            "{INSTALLED}/{name}: warning: nothing reads this file, since its name {why}; rename it, or move it elsewhere"
        )
    };
    let ending = "does not end in `.toml`";
    let expected = [
        why(".x.toml", "begins with a dot"),
        why("e\\u{1b}", ending),
        why("x.TOML", ending),
        why("x.conf", ending),
        why("x.toml.dpkg-new", ending),
        why("x.toml~", ending),
    ];
    assert_eq!(unread, expected);
    assert_eq!(given_unread(&[machine.path(INSTALLED)]).unwrap().len(), expected.len());
}

#[test]
fn a_path_that_others_may_write_refuses_all() {
    let machine = Machine::new();
    let file = format!("{INSTALLED}/a.toml");
    machine.write(&file, EMPTY);
    for path in ["/", "/etc", "/etc/netbroker", INSTALLED, &file] {
        for (wrong, right) in [(0o775, 0o755), (0o757, 0o755), (0o1777, 0o755)] {
            machine.mode(path, wrong);
            refused(
                &machine,
                &format!("{path} has mode {wrong:04o}, so users other than root can write it; run `chmod go-w {path}`"),
            );
            machine.mode(path, right);
        }
    }
    assert!(names(&machine).is_ok());
    let stranger = Tree { owner: machine.tree.owner + 1, ..machine.tree.clone() };
    assert!(stranger.directory(Path::new("/etc")).unwrap_err().contains("must belong to root"));
}

#[test]
fn a_link_on_the_way_refuses_all() {
    for path in ["/etc", "/etc/netbroker", INSTALLED] {
        let machine = Machine::new();
        fs::rename(machine.path(path), machine.path("/moved")).unwrap();
        machine.link(machine.path("/moved").to_str().unwrap(), path);
        refused(&machine, &format!("{path} is a symbolic link or no directory"));
    }
}

#[test]
fn only_a_link_to_a_shipped_policy_is_followed() {
    let machine = Machine::new();
    let link = format!("{INSTALLED}/a.toml");
    machine.write("/usr/share/netbroker/policies/l3.toml", "# shipped\n");
    machine.write("/usr/share/netbroker/other.toml", EMPTY);
    machine.link("/usr/share/netbroker/policies/l3.toml", &link);
    assert_eq!(machine.tree.policy(Path::new(INSTALLED)).unwrap()[0].text, "# shipped\n");
    machine.mode("/usr/share/netbroker/policies/l3.toml", 0o664);
    refused(&machine, &format!("{link} has mode 0664"));
    machine.mode("/usr/share/netbroker/policies/l3.toml", 0o644);
    machine.mode("/usr/share", 0o777);
    refused(&machine, "/usr/share has mode 0777");
    machine.mode("/usr/share", 0o755);
    for target in [
        "/usr/share/netbroker/other.toml",
        "/usr/share/netbroker/policies/../other.toml",
        "/usr/share/netbroker//policies/l3.toml",
        "../../../usr/share/netbroker/policies/l3.toml",
        "/usr/share/netbroker/policies/l3.test.toml",
        "/usr/share/netbroker/policies/..",
        "/",
    ] {
        fs::remove_file(machine.path(&link)).unwrap();
        machine.link(target, &link);
        refused(&machine, &format!("{link} is a symbolic link"));
    }
    fs::remove_file(machine.path(&link)).unwrap();
    machine.link("/usr/share/netbroker/policies/absent.toml", &link);
    refused(&machine, "/usr/share/netbroker/policies/absent.toml: ");
    machine.link("/usr/share/netbroker/policies/l3.toml", "/usr/share/netbroker/policies/absent.toml");
    refused(&machine, "/usr/share/netbroker/policies/absent.toml is a symbolic link");
}

#[test]
fn everything_that_is_wrong_with_files_is_told_at_once() {
    let machine = Machine::new();
    fs::create_dir(machine.path(&format!("{INSTALLED}/a.toml"))).unwrap();
    machine.write(&format!("{INSTALLED}/b.toml"), b"x = \"\xff\"\n");
    machine.write(&format!("{INSTALLED}/c.toml"), EMPTY);
    let wrong = names(&machine).unwrap_err();
    assert_eq!(wrong.len(), 2);
    assert!(wrong[0].ends_with("a.toml: must be a regular file, not a directory"));
    assert!(wrong[1].contains("b.toml:1:6: this byte is not valid UTF-8"));
}
