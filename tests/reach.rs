// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How `netbrokerctl call` reaches the broker where nobody states the way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{MTU_POLICY, mtu, mtu_host};
use common::socket::{Daemon, until};
use common::{ALICE, BROKER, CALLERS, Caller, DAEMON, Host, Ran, TOOL, Way};
use std::io::{ErrorKind, Read as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

const SOCKET: &str = "/run/netbroker/socket";
const SET: [&str; 6] = ["call", "--json", "Link.Set", "netns=@host", "link=v0", "mtu=1400"];

/// netbrokerd as packages start it.
fn daemon(host: &Host, options: &[&str]) -> Daemon {
    let mut command = host.command(DAEMON);
    let daemon = Daemon::spawn(command.args(["--group", &CALLERS.to_string()]).args(options));
    until("it listens", || UnixStream::connect(SOCKET).is_ok());
    daemon
}

/// Makes a call, and returns how it reached the broker and the caller's uid, by the trail.
fn way(host: &Host, caller: &Caller<'_>, words: &[&str]) -> (String, String) {
    host.forget_trail();
    let ran = caller.tool(words);
    assert_eq!((ran.ok().as_str(), ran.stderr().as_str()), ("{}\n", ""), "{ran}");
    let trail = host.trail();
    assert_eq!(trail.len(), 2, "{trail:#?}");
    (trail[0].field("NETBROKER_WAY").to_owned(), trail[0].field("NETBROKER_UID").to_owned())
}

fn stated(via: &str) -> Vec<String> {
    SET.iter().map(|word| (*word).to_owned()).chain(["--via".to_owned(), via.to_owned()]).collect()
}

#[test]
fn a_call_takes_the_socket_where_a_process_listens_and_the_program_otherwise() {
    let host = mtu_host(Way::Setuid);
    let alice = host.as_uid(ALICE);
    let id = ALICE.to_string();
    let by = |way: &str| (way.to_owned(), id.clone());
    assert_eq!(way(&host, &alice, &SET), by("exec"));
    let running = daemon(&host, &[]);
    assert_eq!(way(&host, &alice, &SET), by("socket"));
    // A stated way is taken as it is.
    for (via, expected) in [(format!("program:{BROKER}"), "exec"), (format!("socket:{SOCKET}"), "socket")] {
        let words = stated(&via);
        assert_eq!(way(&host, &alice, &words.iter().map(String::as_str).collect::<Vec<_>>()), by(expected));
    }
    drop(running);
    assert_eq!(way(&host, &alice, &SET), by("exec"), "the socket is there, and nobody listens");
    let ran = alice.tool(&stated(&format!("socket:{SOCKET}")).iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(ran.status(), 69, "{ran}");
    assert!(ran.stderr().contains("Connection refused; start its listener"), "{ran}");
}

#[test]
fn root_for_another_user_takes_the_program_which_learns_who_that_is() {
    let host = mtu_host(Way::Setuid);
    let _running = daemon(&host, &[]);
    let root = || host.as_root().program(&[TOOL]);
    assert_eq!(way(&host, &root(), &SET), ("socket".to_owned(), "0".to_owned()));
    let by_sudo = root().env("SUDO_UID", &ALICE.to_string()).env("SUDO_GID", &ALICE.to_string());
    assert_eq!(way(&host, &by_sudo, &SET), ("sudo".to_owned(), ALICE.to_string()));
    let by_doas = root().env("DOAS_USER", "alice").tool(&SET);
    assert_eq!(by_doas.status(), 69, "{by_doas}");
    assert!(by_doas.stderr().contains("NotPrivileged"), "{by_doas}");
    // An ordinary user cannot say so by the environment.
    let alice = host.as_uid(ALICE).env("SUDO_UID", "0").env("SUDO_GID", "0");
    assert_eq!(way(&host, &alice, &SET), ("socket".to_owned(), ALICE.to_string()));
}

#[test]
fn a_broker_that_is_reached_in_neither_way_is_one_error_that_names_both() {
    let host = mtu_host(Way::Setuid);
    let refused = |caller: &Caller<'_>, said: &str| {
        let ran: Ran = caller.tool(&SET);
        assert_eq!((ran.status(), ran.stdout().as_str()), (69, ""), "{ran}");
        assert_eq!(ran.stderr(), format!("netbrokerctl: {said}\n"));
    };
    let stranger = host.as_uid(ALICE).groups(&[]);
    let group = "; only members of the group `netbroker-callers` can use them (`id` shows your groups)";
    let program = "cannot start /usr/libexec/netbroker/netbroker";
    let socket = "cannot connect to /run/netbroker/socket";
    refused(&stranger, &format!("{socket}: No such file or directory; {program}: Permission denied{group}"));
    let running = daemon(&host, &[]);
    refused(&stranger, &format!("{socket}: Permission denied; {program}: Permission denied{group}"));
    host.sh(&format!("rm {BROKER}"));
    refused(&stranger, &format!("{socket}: Permission denied; {program}: No such file or directory{group}"));
    drop(running);
    let start = "; install netbroker and start netbrokerd, or give the way with `--via`";
    let alice = host.as_uid(ALICE);
    refused(&alice, &format!("{socket}: Connection refused; {program}: No such file or directory{start}"));
    host.sh(&format!("rm {SOCKET}"));
    refused(&alice, &format!("{socket}: No such file or directory; {program}: No such file or directory{start}"));
    assert_eq!(mtu(&host), "1500");
}

#[test]
fn a_connection_that_is_closed_before_the_request_is_taken_says_that_nothing_was_done() {
    let host = mtu_host(Way::Setuid);
    // Principals of their own: within one, an idle connection of another user would make room.
    host.policy(&MTU_POLICY.replace("who = \"*\"", "who = [\"uid:0\", \"user:alice\"]"));
    let _running = daemon(&host, &["--connections", "1", "--connections-each", "1"]);
    // The connection of `daemon` may not be noticed as closed yet.
    let mut first = UnixStream::connect(SOCKET).unwrap();
    until("one connection stays open", || {
        first.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let is_open = first.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        if !is_open {
            first = UnixStream::connect(SOCKET).unwrap();
        }
        is_open
    });
    // Both at once: the request may arrive before the connection is closed, or later.
    for _ in 0..20 {
        let ran = host.as_uid(ALICE).tool(&SET);
        assert_eq!((ran.status(), ran.stdout().as_str()), (75, ""), "{ran}");
        assert!(
            ran.stderr().contains("closed the connection before it took the request, and nothing was done"),
            "{ran}"
        );
    }
    assert_eq!(mtu(&host), "1500");
    drop(first);
    until("there is room again", || host.as_uid(ALICE).tool(&SET).status() == 0);
}
