// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The console sessions in the README are real: its first policy is installed, its commands are run, and their output
//! is compared, including the digest.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::socket::{Daemon, until};
use common::{BROKER, CALLERS, DAEMON, Host, TOOL};
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// The uid of alice in the README. Debian's group `adm` has number 4 everywhere.
const ALICE: u32 = 1000;

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The blocks of this language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split_once("```").unwrap().0.to_owned()).collect()
}

/// The id of a request, the machine and the time differ each time.
fn without_ids(text: &str) -> String {
    let text: Vec<String> = text.split_inclusive(char::is_whitespace).map(without_value).collect();
    let text = text.concat();
    let is_id = |word: &str| word.len() == 32 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let parts = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    let parts = parts.map(|part| {
        let word = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if is_id(word) { part.replace(word, "ID") } else { part.to_owned() }
    });
    parts.collect()
}

/// A word, without its value if it is the name of a machine or a time.
fn without_value(word: &str) -> String {
    let (_, end) = word.split_at(word.trim_end().len());
    match word.split_once('=') {
        Some((name @ ("host" | "time"), _)) => format!("{name}=…{end}"),
        _ => word.to_owned(),
    }
}

/// A host on which alice has the number of the README, with its policy, which is not installed yet.
fn host_of(text: &str) -> Host {
    let host = Host::new();
    host.sh(&format!(
        "sed -i '/^[^:]*:x:{ALICE}:/d' /etc/passwd /etc/group; sed -i 's/^alice:x:[0-9]*:[0-9]*:/alice:x:{ALICE}:{ALICE}:/; s/^alice:x:[0-9]*:$/alice:x:{ALICE}:/' \
         /etc/passwd /etc/group; test \"$(getent group adm | cut -d: -f3)\" = 4"
    ));
    let policy = blocks(text, "toml").into_iter().next().unwrap();
    fs::write("/etc/netbroker/policy.d/10-alice.toml", policy).unwrap();
    host.sh("chmod 644 /etc/netbroker/policy.d/10-alice.toml");
    host
}

#[test]
fn what_the_readme_shows_of_a_console_is_what_comes() {
    let text = readme();
    let host = host_of(&text);
    let (mut shown, mut came, mut commands) = (String::new(), String::new(), 0);
    let mut status = 0;
    for line in blocks(&text, "console").concat().lines() {
        let (command, prompt) = match (line.strip_prefix("# "), line.strip_prefix("alice$ ")) {
            (Some(command), _) => (command, "# "),
            (_, Some(command)) => (command, "alice$ "),
            _ => {
                shown.push_str(&format!("{line}\n"));
                continue;
            }
        };
        commands += 1;
        shown.push_str(&format!("{line}\n"));
        came.push_str(&format!("{prompt}{command}\n"));
        // In the README they are on the PATH.
        let command = command.replace("netbrokerctl ", &format!("{TOOL} "));
        let script = format!("exec 2>&1; (exit {status}); {command}");
        let caller = match prompt {
            "# " => host.as_root(),
            _ => host.as_uid(ALICE).groups(&[CALLERS]),
        };
        let ran = caller.run(&["sh", "-c", &script]);
        status = ran.status();
        // The harness hides the mounts of process 1. So the installation here warns about what it does on a real
        // machine.
        let out = ran.stdout();
        let lines = out.lines().filter(|line| !line.starts_with("netbrokerctl: /run/netns is not made a shared mount"));
        came.extend(lines.map(|line| format!("{}\n", line.trim_end())));
    }
    assert_eq!(without_ids(&came), without_ids(&shown), "left: what came; right: what README.md shows");
    assert!(commands >= 8, "{commands}");

    // The same refusal on the wire.
    let json = blocks(&text, "json").into_iter().next().unwrap();
    let request = r#"{"method":"io.netbroker.Address.Add","parameters":{"netns":"alice-1","link":"eth0","address":"10.0.0.1/24"}}"#;
    let reply = host.as_uid(ALICE).groups(&[CALLERS]).program(&[BROKER]).raw(request.as_bytes());
    assert_eq!(without_ids(&String::from_utf8_lossy(reply.stdout())), without_ids(&json));
}

#[test]
fn the_python_of_the_readme_makes_its_calls_and_prints_what_the_readme_shows() {
    let text = readme();
    let host = host_of(&text);
    host.sh("ip netns add alice-1; ip -n alice-1 link add eth0 type veth peer name uplink");
    host.tool(&["policy", "install"]).ok();
    let mut command = host.command(DAEMON);
    let _daemon = Daemon::spawn(command.args(["--group", &CALLERS.to_string()]));
    until("it listens", || UnixStream::connect("/run/netbroker/socket").is_ok());
    let of = |language: &str| {
        let found = blocks(&text, language);
        assert_eq!(found.len(), 1, "{language}");
        found[0].clone()
    };
    // As a hardened agent runs it.
    let alice = host.as_uid(ALICE).groups(&[CALLERS]).no_new_privs();
    let ran = alice.run(&["/usr/bin/python3", "-c", &of("python")]);
    assert_eq!((ran.ok(), ran.stderr()), (of("text"), String::new()), "{ran}");
    assert!(host.ip_in("alice-1", "-brief address show dev eth0").contains("192.0.2.2/24"));
    assert!(host.trail().iter().all(|record| record.field("NETBROKER_WAY") == "socket"));
}
