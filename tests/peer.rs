// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `--peer`: the caller is whoever connected to the socket on descriptor 0, if its listener has made that verifiable.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::daemon::{CLIENT, client, listen, message, run_on, serve};
use common::{ALICE, BOB, CALLERS, Host, NETBROKER, Reply, Way};
use serde_json::{Value, json};
use std::os::fd::OwnedFd;

const POLICY: &str = r#"
[[allow]]
id = "alice"
who = "user:alice"
call = "Link.Set"
netns = "@host"
link = "v0"
free = "mtu"

[[allow]]
id = "callers"
who = "group:netbroker-callers"
call = "Link.List"
netns = "@host"
free = "link"
"#;

/// Connects as root, sends the first half, becomes alice, sends the rest.
const TURNCOAT: &str = "my $s = connected(); send_all($s, substr $request, 0, 20); become(64123, 64123); \
                        send_all($s, substr $request, 20); hear($s);";

fn host() -> Host {
    let host = Host::builder().way(Way::Root).build();
    host.policy(POLICY);
    host.ip("link add v0 type veth peer name v1");
    host
}

fn request(method: &str, parameters: &Value) -> Vec<u8> {
    format!("{}\0", json!({"method": format!("io.netbroker.{method}"), "parameters": parameters})).into_bytes()
}

fn set_mtu() -> Vec<u8> {
    request("Link.Set", &json!({"netns": "@host", "link": "v0", "mtu": 1400}))
}

#[test]
fn the_caller_is_the_peer_with_its_groups() {
    let host = host();
    let (heard, broker) = serve(&host, &host.as_uid(ALICE), CLIENT, &set_mtu(), true);
    assert_eq!(message(&heard)["error"], Value::Null, "{heard}");
    assert_eq!(broker.status.code(), Some(0));
    assert_eq!(host.sh("cat /sys/class/net/v0/mtu"), "1400\n");

    let (heard, broker) = serve(&host, &host.as_uid(BOB), CLIENT, &set_mtu(), true);
    assert_eq!(message(&heard)["error"], "io.netbroker.Link.Denied");
    assert_eq!(broker.status.code(), Some(77));

    let list = request("Link.List", &json!({"netns": "@host", "link": "v0"}));
    for (groups, status) in [(&[CALLERS][..], 0), (&[], 77)] {
        let (heard, broker) = serve(&host, &host.as_uid(BOB).groups(groups), CLIENT, &list, true);
        assert_eq!(broker.status.code(), Some(status), "{heard}");
    }
    let told: Vec<_> = host.trail().iter().map(|r| (r.field("NETBROKER_UID").to_owned(), r.uid)).collect();
    assert_eq!(told.len(), 6);
    assert!(told[..2].iter().all(|(uid, sender)| *uid == ALICE.to_string() && *sender == NETBROKER));
    assert!(told[2..].iter().all(|(uid, _)| *uid == BOB.to_string()));
    assert!(host.trail().iter().all(|record| record.field("NETBROKER_WAY") == "peer"));
}

#[test]
fn a_socket_without_passcred_is_refused() {
    let host = host();
    let before = host.snapshot(&[]);
    let (heard, broker) = serve(&host, &host.as_uid(ALICE), CLIENT, &set_mtu(), false);
    let message = message(&heard);
    assert_eq!(message["error"], "io.netbroker.Link.NotPrivileged");
    assert!(message["parameters"]["missing"].as_str().unwrap().contains("SO_PASSCRED"), "{message}");
    assert_eq!(broker.status.code(), Some(69));
    assert_eq!(host.snapshot(&[]), before);
}

#[test]
fn a_request_of_which_a_part_was_sent_under_other_ids_is_denied() {
    let host = host();
    let before = host.snapshot(&[]);
    let (_, broker) = serve(&host, &host.as_uid(0), TURNCOAT, &set_mtu(), true);
    assert_eq!(broker.status.code(), Some(76), "{broker:?}");
    assert_eq!(host.snapshot(&[]), before);
    assert!(host.trail_where("NETBROKER_EVENT", "permitted").is_empty());
}

#[test]
fn the_second_message_waits_for_the_next_process() {
    let host = host();
    let two = [set_mtu(), set_mtu()].concat();
    let listener = listen(true);
    std::thread::scope(|scope| {
        let daemon = scope.spawn(|| {
            let socket = OwnedFd::from(listener.accept().unwrap().0);
            for _ in 0..2 {
                let ended = run_on(&mut host.as_root().args(&["--peer"]).command(), socket.try_clone().unwrap());
                assert_eq!(ended.status.code(), Some(0), "{ended:?}");
            }
        });
        let heard = client(&host.as_uid(ALICE), CLIENT, &two);
        daemon.join().unwrap();
        assert_eq!(heard.stdout(), [br#"{"parameters":{}}"#, &b"\0"[..]].concat().repeat(2), "{heard}");
    });
}

#[test]
fn the_option_peer_is_for_root_and_not_under_sudo_doas_or_pkexec_nor_on_a_pipe() {
    let host = host();
    let before = host.snapshot(&[]);
    let lacks = |reply: Reply, missing: &str| {
        assert_eq!(reply.error(), "io.netbroker.Link.NotPrivileged", "{reply}");
        assert!(reply.get("missing").as_str().unwrap().contains(missing), "{missing}: {reply}");
    };
    let sudo = host.as_root().env("SUDO_UID", "64123").env("SUDO_GID", "64123").args(&["--peer"]);
    lacks(sudo.raw_on_socket(&set_mtu()), "SUDO_UID");
    for (variable, value) in [("DOAS_USER", "alice"), ("PKEXEC_UID", "64123")] {
        lacks(host.as_root().env(variable, value).args(&["--peer"]).raw_on_socket(&set_mtu()), variable);
    }
    // A socket pair on which no process has set SO_PASSCRED.
    lacks(host.as_root().args(&["--peer"]).raw_on_socket(&set_mtu()), "SO_PASSCRED");
    for way in [Way::Setuid, Way::FileCapabilities] {
        host.install(way);
        lacks(host.as_uid(ALICE).args(&["--peer"]).raw_on_socket(&set_mtu()), "--peer");
        lacks(host.as_uid(ALICE).args(&["--peer"]).raw(&set_mtu()), "--peer");
    }
    host.install(Way::Root);
    let on_a_pipe = host.as_root().args(&["--peer"]).raw(&set_mtu());
    lacks(on_a_pipe, "descriptor 0 is not a socket");
    assert_eq!(host.snapshot(&[]), before);
}

#[test]
fn nobody_is_no_peer_and_a_user_namespace_hides_nobody() {
    let host = host();
    let before = host.snapshot(&[]);
    for client in [host.as_uid(65534), host.as_uid(ALICE).gid(65534)] {
        let (heard, broker) = serve(&host, &client, CLIENT, &set_mtu(), true);
        assert_eq!(message(&heard)["error"], "io.netbroker.Link.NotPrivileged");
        assert_eq!(broker.status.code(), Some(69), "{broker:?}");
    }
    assert_eq!(host.snapshot(&[]), before);
    // The kernel reports a caller's ids as they are outside, whatever they are inside.
    for options in [&[][..], &["--map-root-user"]] {
        let (_, broker) = serve(&host, &host.as_uid(ALICE).in_user_namespace(options), CLIENT, &set_mtu(), true);
        assert_eq!(broker.status.code(), Some(0), "{broker:?}");
    }
    assert!(host.trail().iter().all(|record| record.field("NETBROKER_UID") == ALICE.to_string()));
}
