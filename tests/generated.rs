// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The files that are generated from the declarations of the calls are current.
#![cfg(feature = "ctl")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn tree() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What the generator prints.
fn generated(words: &[&str]) -> String {
    let ran = Command::new(env!("CARGO_BIN_EXE_netbrokerctl")).arg("generate").args(words).output().unwrap();
    assert!(ran.status.success(), "{words:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

/// Compares a file of the tree with what the generator prints; on failure, it prints how to update the file.
fn is_current(file: &str, words: &[&str]) {
    let (held, made) = (fs::read_to_string(tree().join(file)).unwrap_or_default(), generated(words));
    let differs = held.lines().zip(made.lines()).position(|(held, made)| held != made);
    let line = differs.unwrap_or(held.lines().count().min(made.lines().count())) + 1;
    assert!(
        held == made,
        "{file} is not what the declarations say, from line {line} on; update it:\n\
         cargo run --locked --bin netbrokerctl -- generate {} >{file}",
        words.join(" ")
    );
}

fn families() -> Vec<&'static str> {
    netbroker::call::varlink::families().collect()
}

#[test]
fn the_reference_of_the_calls_is_current() {
    is_current("packaging/man/netbroker-calls.7", &["manual"]);
}

#[test]
fn the_descriptions_of_the_interfaces_are_current() {
    for family in families() {
        is_current(&format!("packaging/varlink/io.netbroker.{family}.varlink"), &["varlink", family]);
    }
}

#[test]
fn no_interface_is_described_that_there_is_not() {
    let mut expected: Vec<PathBuf> = families()
        .iter()
        .map(|family| tree().join(format!("packaging/varlink/io.netbroker.{family}.varlink")))
        .collect();
    let listing = fs::read_dir(tree().join("packaging/varlink")).unwrap();
    let mut found: Vec<PathBuf> = listing.map(|entry| entry.unwrap().path()).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn the_completions_of_the_shells_are_current() {
    for (shell, file) in [("bash", "netbrokerctl.bash"), ("zsh", "_netbrokerctl"), ("fish", "netbrokerctl.fish")] {
        is_current(&format!("packaging/completions/{file}"), &["completions", shell]);
    }
    assert_eq!(fs::read_dir(tree().join("packaging/completions")).unwrap().count(), 3);
}

/// The line of the script for bash that has the fields of a call, or of a kind of it.
fn completed(script: &str, call: &str) -> String {
    let head = format!("    {call}) echo '");
    let line = script.lines().find_map(|line| line.strip_prefix(&head)).unwrap_or_else(|| panic!("{call}"));
    line.strip_suffix("' ;;").unwrap().to_owned()
}

#[test]
fn the_completions_have_every_field_and_every_keyword() {
    let script = generated(&["completions", "bash"]);
    for call in netbroker::call::all() {
        for kind in call.varieties() {
            let name = kind.map_or_else(|| call.name.to_owned(), |kind| format!("{}/{}", call.name, kind.name));
            let line = completed(&script, &name);
            let words: Vec<(&str, &str)> = line.split(' ').map(|word| word.split_once('=').unwrap()).collect();
            let expected: Vec<_> = call.uses(kind).filter(|used| used.inside().is_none()).collect();
            assert_eq!(words.len(), expected.len(), "{name}");
            for ((field, values), used) in words.into_iter().zip(expected) {
                assert_eq!(field, used.field().name, "{name}");
                if call.kinds.by == Some(used.field()) {
                    let kinds: Vec<&str> = call.kinds.iter().map(|kind| kind.name).collect();
                    assert_eq!(values.split(',').collect::<Vec<_>>(), kinds, "{name}");
                } else if let Some(words) = used.ty().words() {
                    assert_eq!(
                        values.split(',').collect::<Vec<_>>(),
                        words.all().collect::<Vec<_>>(),
                        "{name} {field}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_shell_without_completions_is_refused() {
    let ran =
        Command::new(env!("CARGO_BIN_EXE_netbrokerctl")).args(["generate", "completions", "tcsh"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(64));
    assert!(ran.stdout.is_empty());
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(said.contains("invalid value 'tcsh' for '<SHELL>'") && said.contains("bash, zsh, fish"), "{said}");
}

#[test]
fn a_family_that_there_is_not_is_refused() {
    let ran = Command::new(env!("CARGO_BIN_EXE_netbrokerctl")).args(["generate", "varlink", "Bird"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(65));
    assert!(ran.stdout.is_empty());
}

#[test]
fn every_test_that_the_manual_of_the_language_cites_is_there() {
    let mut sources = String::new();
    let mut directories = vec![tree().join("src/policy"), tree().join("src/properties")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            match entry.unwrap().path() {
                path if path.is_dir() => directories.push(path),
                path => sources += &fs::read_to_string(path).unwrap(),
            }
        }
    }
    let page = fs::read_to_string(tree().join("packaging/man/netbroker-policy.5")).unwrap();
    let cited: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix(".D1 Li ")).collect();
    assert!(cited.len() > 30, "{cited:?}");
    for test in cited {
        assert!(
            sources.contains(&format!("#[test]\nfn {test}()"))
                || sources.contains(&format!("#[test]\n    fn {test}()")),
            "{test}"
        );
    }
}
