// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `packaging/install` installs what its list says, with these modes, and refuses what it cannot do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

const TREE: &str = env!("CARGO_MANIFEST_DIR");

/// A folder of a test, which is removed when this value is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("netbroker-install-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A folder with the programs as `tests/run` builds them.
    fn with_programs() -> Self {
        let folder = Self::new();
        for program in ["netbroker", "netbrokerd", "netbrokerctl"] {
            let program = Path::new(TREE).join("target/broker/release").join(program);
            symlink(&program, folder.0.join(program.file_name().unwrap())).unwrap();
        }
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn install(environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(Path::new(TREE).join("packaging/install"));
    command.env_clear().env("PATH", "/usr/bin:/bin").envs(environment.iter().copied()).args(arguments).current_dir("/");
    command.output().unwrap()
}

/// What the list says: mode and source (empty for a folder) by path.
fn listed(arguments: &[&str]) -> BTreeMap<String, (u32, String)> {
    let out = install(&[], &[arguments, &["--list"]].concat());
    assert!(out.status.success(), "{out:?}");
    let text = String::from_utf8(out.stdout).unwrap();
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let mode = u32::from_str_radix(words[0], 8).unwrap();
        (words[1].to_owned(), (mode, words.get(2).copied().unwrap_or_default().to_owned()))
    };
    text.lines().map(line).collect()
}

/// Every file and empty folder below a folder, with its mode.
fn found(top: &Path) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    let mut open = vec![top.to_owned()];
    while let Some(path) = open.pop() {
        let inside: Vec<PathBuf> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
        for path in inside.iter().chain(inside.is_empty().then_some(&path)) {
            let what = fs::symlink_metadata(path).unwrap();
            if what.is_dir() && fs::read_dir(path).unwrap().next().is_some() {
                open.push(path.clone());
            } else {
                found.insert(
                    format!("/{}", path.strip_prefix(top).unwrap().display()),
                    what.permissions().mode() & 0o7777,
                );
            }
        }
    }
    found
}

#[test]
fn the_list_is_what_is_installed() {
    let (programs, to) = (Folder::with_programs(), Folder::new());
    let arguments = ["--programs", programs.0.to_str().unwrap()];
    let out = install(&[("DESTDIR", to.0.to_str().unwrap())], &arguments);
    assert!(out.status.success() && out.stdout.is_empty() && out.stderr.is_empty(), "{out:?}");
    let list = listed(&arguments);
    // /etc/netbroker has a folder in it.
    let expected: BTreeMap<String, u32> = list
        .iter()
        .filter(|(path, _)| *path != "/etc/netbroker")
        .map(|(path, (mode, _))| (path.clone(), *mode))
        .collect();
    assert_eq!(found(&to.0), expected);
    for (path, (_, source)) in list.iter().filter(|(_, (_, source))| !source.is_empty()) {
        let installed = fs::read(to.0.join(path.trim_start_matches('/'))).unwrap();
        assert!(installed == fs::read(Path::new(TREE).join(source)).unwrap(), "{path}");
    }
}

#[test]
fn nothing_that_is_installed_is_privileged_or_writable_for_others() {
    let programs = ["/usr/libexec/netbroker/netbroker", "/usr/sbin/netbrokerd", "/usr/bin/netbrokerctl"];
    for (path, (mode, source)) in listed(&[]) {
        let executable = source.is_empty() || programs.contains(&path.as_str()) || path.starts_with("/etc/init.d/");
        assert_eq!(mode, if executable { 0o755 } else { 0o644 }, "{path}");
    }
}

#[test]
fn the_list_has_every_policy_unit_manual_page_and_description_of_the_tree() {
    let sources: BTreeSet<String> = listed(&[]).into_values().map(|(_, source)| source).collect();
    for folder in [
        "policy",
        "packaging/completions",
        "packaging/man",
        "packaging/systemd",
        "packaging/systemd/examples",
        "packaging/varlink",
        "packaging/sysusers.d",
        "packaging/tmpfiles.d",
        "packaging/openrc",
        "packaging/apparmor",
        "packaging/apparmor/abstractions",
    ] {
        for entry in fs::read_dir(Path::new(TREE).join(folder)).unwrap() {
            let entry = entry.unwrap();
            let source = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            assert!(entry.path().is_dir() || sources.contains(&source), "{source}");
        }
    }
}

#[test]
fn parts_can_be_left_out_and_units_can_go_elsewhere() {
    let all: BTreeSet<String> = listed(&[]).into_keys().collect();
    let without = |part: &str| -> Vec<String> {
        let rest: BTreeSet<String> = listed(&["--without", part]).into_keys().collect();
        assert!(rest.is_subset(&all));
        all.difference(&rest).cloned().collect()
    };
    assert_eq!(without("openrc"), ["/etc/init.d/netbrokerd"]);
    assert_eq!(
        without("apparmor"),
        ["/etc/apparmor.d/abstractions/netbroker", "/etc/apparmor.d/netbroker", "/etc/apparmor.d/netbrokerd"]
    );
    let systemd = without("systemd");
    assert!(systemd.contains(&"/usr/lib/sysusers.d/netbroker.conf".to_owned()), "{systemd:?}");
    assert!(
        systemd
            .iter()
            .all(|path| path.contains("/systemd/") || path.contains("/sysusers.d/") || path.contains("/examples/"))
    );
    let units = |list: &BTreeMap<String, (u32, String)>, folder: &str| {
        list.keys().filter(|path| path.starts_with(folder)).count()
    };
    let moved = listed(&["--units", "/lib/systemd/system"]);
    let count = units(&listed(&[]), "/usr/lib/systemd/system/");
    assert!(count >= 6);
    assert_eq!((units(&moved, "/lib/systemd/system/"), units(&moved, "/usr/lib/systemd/")), (count, 0));
}

#[test]
fn the_completions_of_zsh_can_go_elsewhere() {
    let places = |arguments: &[&str]| -> Vec<String> {
        listed(arguments).into_keys().filter(|path| path.ends_with("/_netbrokerctl")).collect()
    };
    assert_eq!(places(&[]), ["/usr/share/zsh/site-functions/_netbrokerctl"]);
    let debian = "/usr/share/zsh/vendor-completions";
    assert_eq!(places(&["--zsh", debian]), [format!("{debian}/_netbrokerctl")]);
}

#[test]
fn what_cannot_be_done_is_refused_and_nothing_is_installed() {
    let (programs, to, empty) = (Folder::with_programs(), Folder::new(), Folder::new());
    let (programs, to_name) = (programs.0.to_str().unwrap(), to.0.to_str().unwrap());
    let empty = empty.0.to_str().unwrap();
    for (environment, arguments, said) in [
        (
            vec![],
            vec!["--frob"],
            "`--frob` is unknown; the options are --programs DIR, --units DIR, --zsh DIR, --without PART and \
             --list"
                .to_owned(),
        ),
        (vec![], vec!["--programs"], "--programs: needs a value".to_owned()),
        (vec![], vec!["--without", "man"], "--without: must be systemd, openrc or apparmor, not `man`".to_owned()),
        (vec![], vec!["--programs", "/nonexistent"], "--programs: `/nonexistent` does not exist".to_owned()),
        (
            vec![],
            vec!["--programs", empty],
            format!("{empty}/netbroker does not exist: run packaging/build, or give --programs DIR"),
        ),
        (vec![], vec!["--units", "units"], "--units: must be an absolute path without blanks, not `units`".to_owned()),
        (vec![], vec!["--zsh", "zsh"], "--zsh: must be an absolute path without blanks, not `zsh`".to_owned()),
        (vec![("PREFIX", "usr")], vec![], "PREFIX: must be an absolute path without blanks, not `usr`".to_owned()),
        (vec![("PREFIX", "")], vec![], "PREFIX: must be an absolute path without blanks, not ``".to_owned()),
        (
            vec![("PREFIX", "/usr/local")],
            vec![],
            "PREFIX: netbrokerctl was built for another prefix than `/usr/local`; it looks for the program elsewhere"
                .to_owned(),
        ),
        (vec![("DESTDIR", "here")], vec![], "DESTDIR: must be an absolute path without blanks, not `here`".to_owned()),
    ] {
        let environment: Vec<(&str, &str)> = [("DESTDIR", to_name)].into_iter().chain(environment).collect();
        let out = install(&environment, &[&["--programs", programs], &arguments[..]].concat());
        assert_eq!(
            (out.status.code(), String::from_utf8(out.stderr).unwrap()),
            (Some(1), format!("packaging/install: {said}\n"))
        );
        assert_eq!(fs::read_dir(&to.0).unwrap().count(), 0);
    }
}

/// `/run/netbroker` belongs to the user netbroker, who could put a symbolic link in the place of the socket.
#[test]
fn no_unit_changes_the_owner_of_what_a_link_leads_to() {
    for (path, (_, source)) in listed(&[]).into_iter().filter(|(_, (_, source))| source.contains("packaging/systemd/"))
    {
        let unit = fs::read_to_string(Path::new(TREE).join(source)).unwrap();
        for line in unit.lines().filter(|line| !line.starts_with('#')) {
            assert!(!line.starts_with("SocketUser=") && !line.starts_with("SocketGroup="), "{path}: {line}");
            let follows = ["chown", "chmod", "chgrp"].iter().any(|program| line.contains(program));
            assert!(!line.starts_with("Exec") || !follows || line.contains("chown --no-dereference"), "{path}: {line}");
        }
    }
}

#[test]
fn a_link_to_the_old_program_keeps_no_setuid_bit() {
    let (programs, to) = (Folder::with_programs(), Folder::new());
    let arguments = ["--programs", programs.0.to_str().unwrap()];
    let environment = [("DESTDIR", to.0.to_str().unwrap())];
    assert!(install(&environment, &arguments).status.success());
    let program = to.0.join("usr/libexec/netbroker/netbroker");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4754)).unwrap();
    let link = to.0.join("link");
    fs::hard_link(&program, &link).unwrap();
    assert!(install(&environment, &arguments).status.success());
    assert_eq!(fs::metadata(link).unwrap().permissions().mode() & 0o7777, 0o754);
    assert_eq!(fs::metadata(program).unwrap().permissions().mode() & 0o7777, 0o755);
}
