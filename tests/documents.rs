// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Documents that cite source files and tests are correct: each test that they name exists under this name.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const MISTAKES: &str = "packaging/doc/field-mistakes.md";

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The names of the tests in a file.
fn tests_of(file: &str) -> Vec<String> {
    let text = read(file);
    let after = text.split("#[test]\n").skip(1).filter_map(|rest| rest.split_once("fn ")?.1.split_once('('));
    after.map(|(name, _)| name.to_owned()).collect()
}

/// The source files under a directory of the tree, by their paths from the root of the tree.
fn sources(directory: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = vec![root.join(directory)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
    found
}

/// The rows of the table, each as its cells.
fn mistakes() -> Vec<Vec<String>> {
    let text = read(MISTAKES);
    let rows = text.lines().filter(|line| line.starts_with("| CVE-"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn each_of_the_fields_mistakes_stands_once_and_says_whether_it_applies_and_why_not() {
    let rows = mistakes();
    assert!(rows.len() >= 40, "{} mistakes", rows.len());
    let mut seen = BTreeSet::new();
    for row in &rows {
        assert_eq!(row.len(), 6, "{row:?}");
        let numbers: Vec<&str> = row[0].split('-').collect();
        let is_id = matches!(numbers[..], ["CVE", year, number] if year.len() == 4 && number.len() >= 4
            && year.bytes().chain(number.bytes()).all(|b| b.is_ascii_digit()));
        assert!(is_id && seen.insert(&row[0]), "{}: no id, or twice", row[0]);
        assert!(["no", "in part"].contains(&row[3].as_str()), "{row:?}");
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
    // A row of another form would not have been checked.
    assert_eq!(read(MISTAKES).matches("CVE-").count(), rows.len());
    assert!(read("SECURITY.md").contains(MISTAKES) && read("README.md").contains(MISTAKES));
}

#[test]
fn each_of_the_fields_mistakes_is_held_by_tests_that_there_are() {
    for row in mistakes() {
        for cited in row[5].split("<br>") {
            let cited = cited.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
            let (file, name) = cited.and_then(|cited| cited.split_once(": ")).unwrap_or_else(|| panic!("{row:?}"));
            let found = tests_of(file).iter().filter(|test| *test == name).count();
            assert_eq!(found, 1, "{}: {file} has no test {name}", row[0]);
        }
    }
}

#[test]
fn each_sentence_on_what_rules_mean_is_held_by_tests_that_there_are() {
    let manual = read("packaging/man/netbroker-policy.5");
    let section = manual.split_once(".Sh WHAT RULES MEAN\n").unwrap().1.split("\n.Sh ").next().unwrap();
    let files = ["src/policy", "src/properties"].into_iter().flat_map(sources);
    let tests: Vec<String> = files.flat_map(|file| tests_of(&file)).collect();
    let sentences: Vec<&str> = section.split("\n.It\n").skip(1).collect();
    for sentence in &sentences {
        let cited: Vec<&str> = sentence.lines().filter_map(|line| line.strip_prefix(".D1 Li ")).collect();
        assert!(!cited.is_empty() || sentence.contains(".\\\" By construction: "), "no test holds: {sentence}");
        for name in cited {
            assert!(tests.iter().any(|test| test == name), "src/policy and src/properties have no test {name}");
        }
    }
    assert!(sentences.len() > 5, "{section}");
}

/// The programs for which `tests/run` installs packages, less cargo, which runs the tests. A package of files only, such as
/// headers, has no program.
fn installed_programs() -> Vec<String> {
    let text = read("tests/run");
    let checks = text.lines().filter_map(|line| line.strip_prefix("need ")?.split('#').next()?.trim().split_once(' '));
    let program = |check: &str| {
        let words: Vec<&str> = check.split_whitespace().collect();
        let path = match words[..] {
            // The build calls these two, and a file is no program.
            ["command", "-v", "cargo" | "gcc"] | ["test", "-s" | "-e", _] => return None,
            ["command", "-v", name] => name,
            ["test", "-x", path] => path,
            _ => words[0],
        };
        Some(path.rsplit('/').next().unwrap().to_owned())
    };
    let found: Vec<String> = checks.filter_map(|(_, check)| program(check)).collect();
    assert!(found.len() > 8 && found.iter().all(|name| name != "function"), "{found:?}");
    found
}

#[test]
fn the_targets_that_run_in_a_fresh_debian_call_every_program_that_is_installed_for_tests() {
    let ci = read(".ci/run");
    let list = ci.split_once(" --tests ").unwrap().1.split("\n}\n").next().unwrap();
    let targets: Vec<&str> = list.split("--test ").filter_map(|rest| rest.split_whitespace().next()).collect();
    let sources = targets.iter().map(|target| {
        let folder = format!("tests/{target}");
        let is_there = Path::new(env!("CARGO_MANIFEST_DIR")).join(&folder).is_dir();
        let parts = if is_there { sources(&folder) } else { Vec::new() };
        [format!("tests/{target}.rs")].into_iter().chain(parts).map(|file| read(&file)).collect::<String>()
    });
    let words: Vec<String> = sources
        .flat_map(|text| {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            text.split(|c| !is_part(c)).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    for program in installed_programs() {
        assert!(words.contains(&program), "no target of {targets:?} calls {program}");
    }
}

#[test]
fn targets_that_cargo_leaves_out_are_linted_and_compiled_by_the_oldest_rust() {
    let manifest = read("Cargo.toml");
    let left_out = manifest.split("\n[[test]]\n").skip(1).filter_map(|target| {
        let target = target.split("\n[").next()?;
        let name = target.lines().find_map(|line| line.strip_prefix("name = \""))?.split('"').next()?;
        target.contains("\ntest = false").then_some(name)
    });
    let left_out: Vec<&str> = left_out.collect();
    assert!(left_out.len() > 3, "{left_out:?}");
    for (script, command) in [(".ci/run", "apart cargo clippy"), (".ci/msrv", "inside cargo check")] {
        let text = read(script);
        let mut commands = text.lines().filter(|line| line.trim_start().starts_with(command));
        for name in &left_out {
            let option = format!("--test {name} ");
            assert!(commands.clone().any(|line| line.contains(&option)), "{script} leaves out {name}");
        }
        assert!(commands.any(|line| line.contains("--all-targets")), "{script}");
    }
}

#[test]
fn unsafe_code_is_in_two_files() {
    let manifest = read("Cargo.toml");
    assert!(manifest.contains("\nunsafe_code = \"deny\""), "the compiler refuses it elsewhere");
    let is_unsafe = |file: &String| {
        let text = read(file);
        text.contains("unsafe {") || text.contains("unsafe fn") || text.contains("allow(unsafe_code")
    };
    let mut found: Vec<String> = sources("src").into_iter().filter(is_unsafe).collect();
    found.sort();
    assert_eq!(found, ["src/heap.rs", "src/heap/tests.rs", "src/sys.rs"]);
}

/// The tables of the filters, by name: the system calls that they have on x86-64 with glibc.
fn filters() -> BTreeMap<String, BTreeSet<String>> {
    let text = read("src/stage/filter.rs");
    let tables = text.split("\npub const ").skip(1).filter_map(|rest| rest.split_once(": &[Line] = &["));
    tables
        .map(|(name, rest)| {
            let (mut calls, mut elsewhere) = (BTreeSet::new(), false);
            for line in rest.split("];\n").next().unwrap().lines() {
                if line.contains("#[cfg(") {
                    elsewhere = line.contains("musl") || line.contains("not(");
                    continue;
                }
                let number = line.trim_start_matches("&[").trim().trim_start_matches('(').split(',').next().unwrap();
                let call = match number.strip_prefix("libc::SYS_") {
                    Some(call) => call.to_owned(),
                    None if ["POLL", "EPOLL_WAIT"].contains(&number) => number.to_lowercase(),
                    None => continue,
                };
                if !elsewhere {
                    calls.insert(call);
                }
                elsewhere = false;
            }
            (name.to_owned(), calls)
        })
        .collect()
}

#[test]
fn the_page_for_a_distribution_lists_the_system_calls_of_the_filters() {
    let tables = filters();
    let of = |names: &str| -> BTreeSet<String> { names.split(' ').flat_map(|name| tables[name].clone()).collect() };
    let more = |names: &str, than: &str| -> BTreeSet<String> { &of(names) - &of(than) };
    let rows = [
        ("guarded", of("GUARDED")),
        ("guarded, in addition: a child forked ahead", more("AHEAD", "GUARDED")),
        ("guarded, in addition: the namespace profile", more("NAMESPACES MOUNTS", "GUARDED")),
        ("guarded, in addition: the tun profile", more("TUN", "GUARDED")),
        ("confined: a netlink transaction", of("LAST_WORDS LONG_ANSWERS TRANSACTION")),
        ("confined: `Link.Add` of a tun", of("LAST_WORDS TRANSACTION DEVICE")),
        ("confined: `Netns.List`", of("LAST_WORDS LONG_ANSWERS NAMES LOOKS")),
        ("confined: `Netns.Pids`", of("LAST_WORDS LONG_ANSWERS PROCESSES")),
        ("confined: `Netns.Add`, `Netns.Delete`", of("LAST_WORDS NAMESPACES LOOKS DIRECTORY")),
        ("`netbrokerd`, the parent, in addition to all of these", more("RESIDENT ANEW", "GUARDED NAMESPACES TUN")),
    ];
    let text = read("SECURITY.md");
    let page = text.split_once("## One page for a distribution\n").unwrap().1.split("\n## ").next().unwrap();
    let table = page.split_once("| filter | system calls |\n|---|---|\n").unwrap().1.split("\n\n").next().unwrap();
    assert_eq!(table.lines().count(), rows.len(), "a row for each filter");
    for (row, (title, calls)) in table.lines().zip(rows) {
        let calls: Vec<String> = calls.into_iter().collect();
        assert_eq!(row, format!("| {title} | {} |", calls.join(" ")));
    }
}
