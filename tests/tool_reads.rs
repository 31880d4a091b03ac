// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl` reads regular files only, up to a limit for each, and never waits for one. It refuses at once a FIFO
//! that no process writes to, a device without an end, or a directory in place of a file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::{Host, Ran, TOOL};
use std::time::{Duration, Instant};

const POLICY: &str = "[[allow]]\nid = \"x\"\nwho = \"uid:0\"\ncall = \"Netns.List\"\nnetns = \"@host\"\n";
/// The path at which one of [`THINGS`] is put.
const SHIPPED: &str = "/usr/share/netbroker/policies";
/// What is in the place of a file, the script that makes it, and what the tool calls it.
const THINGS: [(&str, &str); 6] = [
    ("mkfifo -m 644 $0", "must be a regular file, not a FIFO"),
    ("mkdir -m 755 $0", "must be a regular file, not a directory"),
    ("mknod -m 644 $0 c 1 5", "must be a regular file, not a character device"), // /dev/zero
    ("mknod -m 644 $0 b 7 99", "must be a regular file, not a block device"),
    (
        "perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un($ARGV[0])); chmod 0644, $ARGV[0]' $0",
        "a socket",
    ),
    ("truncate -s 16777217 $0; chmod 644 $0", "must not be longer than 16 MiB"),
];

fn put(host: &Host, thing: &str, path: &str) {
    host.sh(&format!("rm -rf {path}"));
    let ran = host.run(&["sh", "-euc", thing, path]);
    assert_eq!(ran.status(), 0, "{ran}");
}

/// Asserts that the tool ends soon, with this status and these words.
fn ends(host: &Host, words: &[&str], status: i32, said: &str) {
    let since = Instant::now();
    // A tool that waits or continues to read is ended: by status 124, or for lack of memory.
    let limits = ["timeout", "20", "prlimit", "--as=2000000000", TOOL];
    let ran = Ran::run(host.command(limits[0]).args(&limits[1..]).args(words));
    assert!(since.elapsed() < Duration::from_secs(15), "{:?}: {ran}", since.elapsed());
    assert!(ran.status() == status && (ran.stdout() + &ran.stderr()).contains(said), "{status} {said}: {ran}");
}

#[test]
fn a_file_that_a_person_names_must_be_a_regular_one_of_limited_length() {
    let host = Host::new();
    host.sh("mkdir -m 755 /run/own; ln -s /run/own/x.toml /run/own/link");
    for (thing, why) in THINGS {
        put(&host, thing, "/run/own/x.toml");
        put(&host, thing, "/run/own/x.test.toml");
        ends(&host, &["policy", "test", "/run/own/x.test.toml"], 78, why);
        if !why.ends_with("directory") {
            ends(&host, &["policy", "check", "/run/own/x.toml"], 78, why);
            ends(&host, &["policy", "check", "/run/own/link"], 78, why); // what the link leads to
        }
        ends(&host, &["policy", "check", "/run/own"], 78, why);
        for command in [&["policy", "show"][..], &["policy", "explain", "--who", "uid:0", "Netns.List"]] {
            ends(&host, &[command, &["--directory", "/run/own"]].concat(), 78, why);
            if !why.ends_with("directory") {
                ends(&host, &[command, &["--directory", "/run/own/x.toml"]].concat(), 78, why);
            }
        }
        ends(&host, &["policy", "test", "--directory", "/run/own"], 78, why);
        ends(&host, &["policy", "install", "--directory", "/run/own"], 78, why);
        host.sh(&format!("echo '{POLICY}' >/run/own/y.toml; rm -rf /run/own/x.toml"));
        ends(&host, &["policy", "test", "--directory", "/run/own"], 78, why); // only the tests
        host.sh("rm /run/own/y.toml");
    }
    ends(&host, &["policy", "check", "/dev/zero"], 78, "/dev/zero: must be a regular file, not a character device");
    ends(&host, &["policy", "check", "/dev/stdin"], 78, "must be a regular file, not a character device"); // /dev/null
    ends(&host, &["policy", "check", "/proc/kmsg"], 78, "/proc/kmsg: "); // a regular file that would wait
    ends(&host, &["policy", "check", "/nonexistent"], 78, "/nonexistent: No such file or directory");
    for command in ["test", "install"] {
        ends(&host, &["policy", command, "--directory", "/dev/zero"], 78, "/dev/zero");
    }
}

#[test]
fn an_installed_file_must_be_a_regular_one_of_limited_length() {
    let host = Host::new();
    host.policy(POLICY);
    host.cover("/usr/share");
    host.sh(&format!("install -d -m 755 /usr/share/netbroker {SHIPPED}"));
    for (thing, why) in THINGS {
        for file in ["x.toml", "x.test.toml"] {
            let path = format!("/etc/netbroker/policy.d/{file}");
            put(&host, thing, &path);
            ends(&host, &["policy", "install"], 78, why);
            ends(&host, &["policy", "edit", file], 78, why);
            ends(&host, &["policy", "test"], 78, why);
            if file == "x.toml" {
                ends(&host, &["policy", "check"], 78, why);
                ends(&host, &["policy", "show"], 78, why);
                ends(&host, &["policy", "status"], 1, why);
            }
            host.sh(&format!("rm -rf {path}"));
        }
        put(&host, thing, &format!("{SHIPPED}/l.toml"));
        host.sh(&format!("ln -s {SHIPPED}/l.toml /etc/netbroker/policy.d/l.toml"));
        ends(&host, &["policy", "install"], 78, why);
        host.sh("rm /etc/netbroker/policy.d/l.toml");
        if !why.ends_with("MiB") {
            ends(&host, &["policy", "enable", "l"], 78, why);
        }
    }
    ends(&host, &["policy", "install"], 0, "unchanged: ");
}

#[test]
fn the_compiled_policy_must_be_a_regular_file_for_whoever_looks_at_it() {
    let host = Host::new();
    host.policy(POLICY);
    let explain = ["policy", "explain", "--who", "uid:0", "Netns.List", "netns=@host"];
    ends(&host, &explain, 0, "allowed by `x`");
    for (thing, why) in &THINGS[..5] {
        put(&host, thing, "/var/lib/netbroker/policy");
        host.sh("chown root:64000 /var/lib/netbroker/policy; chmod 640 /var/lib/netbroker/policy");
        ends(&host, &explain, 0, why);
        ends(&host, &["policy", "status"], 78, why);
    }
    put(&host, "truncate -s 300M $0; chown root:64000 $0; chmod 640 $0", "/var/lib/netbroker/policy");
    ends(&host, &["policy", "status"], 78, "must not be longer than 256 MiB");
    ends(&host, &["policy", "install"], 0, "installed: ");
    ends(&host, &["policy", "status"], 0, "agrees: ");
}

#[test]
fn what_an_editor_leaves_must_be_a_regular_file() {
    let host = Host::new();
    host.policy(POLICY);
    for (thing, why) in THINGS {
        let script = "rm $1; exec sh -euc \"$(cat /run/thing)\" $1";
        host.sh(&format!("cat >/run/thing <<'END'\n{thing}\nEND\ncat >/run/editor <<'END'\n#!/bin/sh\n{script}\nEND\nchmod 755 /run/editor"));
        let since = Instant::now();
        let ran = Ran::run(
            host.command("timeout").args(["20", TOOL, "policy", "edit", "test.toml"]).env("EDITOR", "/run/editor"),
        );
        assert!(since.elapsed() < Duration::from_secs(15), "{ran}");
        assert!(ran.status() == 71 && ran.stderr().contains(why), "{why}: {ran}");
        assert!(ran.stderr().contains("/etc/netbroker/policy.d/test.toml is unchanged"), "{ran}");
    }
    ends(&host, &["policy", "install"], 0, "unchanged: ");
}
