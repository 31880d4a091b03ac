// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Ways to make `--peer` take one caller for another. The policy lets everybody do everything that is requested here.
//! So whatever is refused is refused because of who the caller is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::daemon::{self, CLIENT, message, run_on, serve, serve_after};
use common::scene::{MTU_REQUEST, mtu, mtu_host, only_refusals, split, text};
use common::{ALICE, BOB, CALLERS, Host, Way};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, setsockopt, socket, sockopt,
};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

fn set_mtu() -> Vec<u8> {
    format!("{MTU_REQUEST}\0").into_bytes()
}

/// Sends an open descriptor, and receives one (`SCM_RIGHTS`, unix(7)); x86-64's numbers of sendmsg and recvmsg.
const PASS: &str = r#"
sub header { my $part = pack "P Q", $_[0], 1; (pack("Q L x4 P Q P Q l x4", 0, 0, $part, 1, $_[1], length $_[1], 0), $part) }
sub give { my ($byte, $control) = ("x", pack "Q l l l x4", 20, 1, 1, fileno $_[1]); my ($h, $p) = header($byte, $control);
    syscall(46, fileno $_[0], $h, 0) == 1 or die "sendmsg: $!" }
sub take { my ($byte, $control) = ("x", "\0" x 24); my ($h, $p) = header($byte, $control);
    syscall(47, fileno $_[0], $h, 0) == 1 or die "recvmsg: $!"; open my $s, "+<&=", unpack "x16 l", $control or die; $s }
"#;

/// Who connects, and how another process comes to send; `R` is the request.
const OTHERS: &[(&str, u32, &str)] = &[
    (
        "root connects and becomes alice before it sends",
        0,
        "my $s = connected(); become(64123, 64123); send_all($s, $request); hear($s);",
    ),
    (
        "root connects, and alice, its child, sends",
        0,
        "my $s = connected(); if (!fork) { become(64123, 64123); send_all($s, $request); exit } hear($s);",
    ),
    (
        "alice makes a setuid program connect and send",
        0,
        "$< = 64123; my $s = connected(); send_all($s, $request); hear($s);",
    ),
    (
        "root connects under alice's name and sends under its own",
        0,
        "$> = 64123; my $s = connected(); $> = 0; send_all($s, $request); hear($s);",
    ),
    (
        "alice connects and gives the connection to bob",
        0,
        "socketpair(my $one, my $two, PF_UNIX, SOCK_STREAM, 0) or die;
         if (!fork) { become(64123, 64123); my $s = connected(); give($one, $s); exit }
         become(64124, 64124); my $s = take($two); send_all($s, $request); hear($s);",
    ),
    (
        "bob sends the end of what alice began",
        0,
        "socketpair(my $one, my $two, PF_UNIX, SOCK_STREAM, 0) or die;
         if (!fork) { become(64123, 64123); my $s = connected(); send_all($s, substr $request, 0, 50); give($one, $s); exit }
         become(64124, 64124); my $s = take($two); send_all($s, substr $request, 50); hear($s);",
    ),
    (
        "alice sends with another group than she connected with",
        0,
        "$) = '64123 64123'; $> = 64123; my $s = connected(); $> = 0; become(64123, 64124); send_all($s, $request); hear($s);",
    ),
];

#[test]
fn what_somebody_else_than_the_connector_sent_is_denied() {
    let host = mtu_host(Way::Root);
    let before = host.snapshot(&[]);
    for (what, uid, script) in OTHERS {
        let (heard, broker) = serve(&host, &host.as_uid(*uid), &format!("{PASS}{script}"), &set_mtu(), true);
        assert_eq!(broker.status.code(), Some(76), "{what}: {broker:?} {heard}");
        assert!(heard.stdout().is_empty() && heard.stderr().is_empty(), "{what}: {heard}");
    }
    assert_eq!(host.snapshot(&[]), before);
    only_refusals(&host);
    let trail = host.trail();
    assert_eq!(trail.len(), OTHERS.len());
    assert!(trail.iter().all(|record| record.field("NETBROKER_RESULT").contains("sent under other ids")), "{trail:#?}");
}

#[test]
fn a_connection_that_is_passed_on_and_used_by_its_connector_is_its_connectors() {
    let host = mtu_host(Way::Root);
    let script = "socketpair(my $one, my $two, PF_UNIX, SOCK_STREAM, 0) or die;
        if (!fork) { become(64123, 64123); my $s = connected(); send_all($s, $request); give($one, $s); exit }
        become(64124, 64124); hear(take($two));";
    let (_, broker) = serve(&host, &host.as_uid(0), &format!("{PASS}{script}"), &set_mtu(), true);
    assert_eq!((broker.status.code(), mtu(&host).as_str()), (Some(0), "1400"), "{broker:?}");
    assert!(host.trail().iter().all(|record| record.field("NETBROKER_UID") == ALICE.to_string()));
}

#[test]
fn descriptors_sent_with_a_request_are_refused_and_not_kept() {
    let host = mtu_host(Way::Root);
    let before = host.snapshot(&[]);
    // The first byte of the request carries one.
    let script = "my $s = connected(); open my $h, '<', '/etc/passwd' or die;
        my ($byte, $control) = (substr($request, 0, 1), pack 'Q l l l x4', 20, 1, 1, fileno $h); my ($m, $p) = header($byte, $control);
        syscall(46, fileno $s, $m, 0) == 1 or die; send_all($s, substr $request, 1); hear($s);";
    let (_, broker) = serve(&host, &host.as_uid(ALICE), &format!("{PASS}{script}"), &set_mtu(), true);
    assert_eq!(broker.status.code(), Some(76), "{broker:?}");
    assert!(text(&broker.stderr).contains("carries descriptors"), "{broker:?}");
    assert_eq!(host.snapshot(&[]), before);
    only_refusals(&host);
}

#[test]
fn an_option_that_is_set_too_late_says_nothing_about_what_was_sent_before() {
    let host = mtu_host(Way::Root);
    let before = host.snapshot(&[]);
    // Sent between accept(2) and the option: the kernel has noted no sender.
    let script = "my $s = connected(); select undef, undef, undef, 0.3; send_all($s, $request); hear($s);";
    let late = |socket: &UnixStream| {
        std::thread::sleep(Duration::from_millis(900));
        setsockopt(socket, sockopt::PassCred, &true).unwrap();
    };
    let (heard, broker) = serve_after(&host, &host.as_uid(ALICE), script, &set_mtu(), false, late);
    assert_eq!(broker.status.code(), Some(76), "{broker:?} {heard}");
    assert_eq!(host.snapshot(&[]), before);
    only_refusals(&host);
}

#[test]
fn a_socket_that_nobody_connected_has_no_caller() {
    let host = mtu_host(Way::Root);
    let before = host.snapshot(&[]);
    let unix = || {
        let made = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        setsockopt(&made, sockopt::PassCred, &true).unwrap();
        made
    };
    let listening = unix();
    bind(listening.as_raw_fd(), &UnixAddr::new("/run/scratch/listening").unwrap()).unwrap();
    listen(&listening, Backlog::new(1).unwrap()).unwrap();
    for (socket, status, why) in [(unix(), 69, "has no peer"), (listening, 71, "is a listening socket")] {
        let mut command = host.as_root().args(&["--peer"]).command();
        let ended = command.stdin(socket).output().unwrap();
        assert_eq!((ended.status.code(), text(&ended.stdout)), (Some(status), String::new()), "{ended:?}");
        assert!(text(&ended.stderr).contains(why), "{ended:?}");
    }
    assert_eq!(host.snapshot(&[]), before);
    only_refusals(&host);
}

#[test]
fn a_clients_end_whose_peer_is_a_listener_of_roots_is_no_way_to_be_root() {
    let host = mtu_host(Way::Setuid);
    let before = host.snapshot(&[]);
    let listener = daemon::listen(true);
    // The client sets the option, and the request comes from the listener's side, so everything that `--peer` requires
    // is met.
    let script = |sudo: &str| {
        format!(
            "my $s = connected(); setsockopt($s, 1, 16, 1) or die; POSIX::dup2(fileno $s, 0); POSIX::dup2(fileno $s, 1);
             exec {sudo}'/usr/libexec/netbroker/netbroker', '--peer' or die;"
        )
    };
    for (way, sudo, missing) in [
        (Way::Setuid, "", "`--peer` is only for root"),
        (Way::FileCapabilities, "", "`--peer` is only for root"),
        (Way::Sudo, "'sudo', '-n', ", "SUDO_UID"),
    ] {
        host.install(way.clone());
        let told = std::thread::scope(|scope| {
            let asked = scope.spawn(|| daemon::client(&host.as_uid(ALICE), &script(sudo), b""));
            let (mut socket, _) = listener.accept().unwrap();
            socket.write_all(&set_mtu()).unwrap();
            let mut told = Vec::new();
            let _ = socket.read_to_end(&mut told); // a reset where the request was left unread
            assert_eq!(asked.join().unwrap().status(), 69, "{way:?}");
            text(&told)
        });
        assert!(told.contains("NotPrivileged") && told.contains(missing), "{way:?}: {told}");
    }
    assert_eq!(host.snapshot(&[]), before);
    assert!(host.trail().is_empty());
}

#[test]
fn who_made_a_pair_is_the_peer_of_both_ends_and_the_sender_must_be_it() {
    let host = mtu_host(Way::Root);
    for (sender, status) in [(0, 0), (ALICE, 76)] {
        host.ip("link set v0 mtu 1500");
        let (ours, theirs) = UnixStream::pair().unwrap();
        setsockopt(&theirs, sockopt::PassCred, &true).unwrap();
        let mut writer = host.as_uid(sender).program(&["printf", &format!("{MTU_REQUEST}\\0")]).command();
        assert!(writer.stdout(OwnedFd::from(ours.try_clone().unwrap())).status().unwrap().success());
        let ended = run_on(&mut host.as_root().args(&["--peer"]).command(), theirs.into());
        assert_eq!(ended.status.code(), Some(status), "{ended:?}");
        assert_eq!(mtu(&host), if status == 0 { "1400" } else { "1500" });
    }
    assert!(host.trail().iter().all(|record| record.field("NETBROKER_UID") == "0"));
}

const GROUPS: &str = r#"
[[allow]]
id = "callers"
who = "group:netbroker-callers"
call = "Link.List"
netns = "@host"
free = "link"

[[allow]]
id = "everybody"
who = "*"
call = "Link.Set"
netns = "@host"
link = "v0"
free = "mtu"

[[deny]]
id = "strangers"
who = ["*", "!group:netbroker-callers"]
call = "Link.Set"
netns = "@host"
"#;

/// Alice with her groups, in a user namespace that maps them as a range of subordinate ids would. There she leaves
/// them.
const LEAVE: &str = r#"
pipe(my $ready, my $made) or die; pipe(my $go, my $mapped) or die;
if (my $pid = fork) {
    sysread $ready, my $byte, 1;
    for (["uid_map", "0 64123 1"], ["gid_map", "0 64123 1\n1 64001 1"]) {
        open my $map, ">", "/proc/$pid/$$_[0]" or die "$$_[0]: $!"; syswrite $map, $$_[1] or die "$$_[0]: $!";
    }
    syswrite $mapped, "x"; waitpid $pid, 0; exit($? >> 8);
}
$) = "64123 64001"; $( = 64123; POSIX::setuid(64123) or die;
syscall(272, 0x10000000) == 0 or die "unshare: $!";
syswrite $made, "x"; sysread $go, my $byte, 1;
if (LEAVES) { syscall(116, 0, 0) == 0 or die "setgroups: $!" }
"#;

#[test]
fn groups_that_a_caller_has_left_give_nothing_and_spare_nobody() {
    let host = Host::builder().way(Way::Root).build();
    host.policy(GROUPS);
    host.ip("link add v0 type veth peer name v1");
    let list = json!({"method": "io.netbroker.Link.List", "parameters": {"netns": "@host", "link": "v0"}});
    for (leaves, error) in [("0", Value::Null), ("1", json!("io.netbroker.Link.Denied"))] {
        for bytes in [format!("{list}\0").into_bytes(), set_mtu()] {
            let script = LEAVE.replace("LEAVES", leaves) + CLIENT;
            let (heard, _) = serve(&host, &host.as_uid(0), &script, &bytes, true);
            assert_eq!(message(&heard).get("error").cloned().unwrap_or_default(), error, "leaves: {leaves}: {heard}");
        }
    }
    assert_eq!(host.trail_where("NETBROKER_EVENT", "refused").len(), 2);
    assert!(host.trail().iter().all(|record| record.field("NETBROKER_UID") == ALICE.to_string()), "and is still alice");
}

#[test]
fn questions_about_the_service_come_before_the_one_call_and_may_be_the_only_ones() {
    let host = mtu_host(Way::Root);
    let info = b"{\"method\":\"org.varlink.service.GetInfo\"}\0";
    let (heard, broker) =
        serve(&host, &host.as_uid(BOB).groups(&[CALLERS]), CLIENT, &[info, info, &set_mtu()[..]].concat(), true);
    assert_eq!((broker.status.code(), mtu(&host).as_str()), (Some(0), "1400"), "{broker:?}");
    let messages = split(heard.stdout(), 0);
    assert_eq!((messages.len(), &messages[0]["parameters"]["product"]), (3, &json!("netbroker")), "{heard}");
    assert_eq!(host.trail().len(), 2);
    // The broker checks who asks them: questions from another sender are not answered.
    let script = "my $s = connected(); become(64123, 64123); send_all($s, $request); hear($s);";
    let (heard, broker) = serve(&host, &host.as_uid(0), script, info, true);
    assert_eq!((broker.status.code(), heard.stdout().len()), (Some(76), 0), "{broker:?} {heard}");
}
