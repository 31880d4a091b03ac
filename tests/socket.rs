// SPDX-License-Identifier: Apache-2.0 OR MIT
//! netbrokerd: one fresh process for each request, in order, on connections that stay.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::daemon::client;
use common::socket::{Client, Daemon, SOCKET, request, status, until};
use common::{ALICE, BOB, DAEMON, Host, NETBROKER, Ran, Way};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::Signal;
use nix::sys::socket::{MsgFlags, recv};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::{Duration, Instant};

const POLICY: &str = r#"
[[allow]]
id = "root"
who = ["uid:0", "user:alice"]
call = ["Link.Set", "Link.List"]
netns = "@host"
link = "v*"
free = ["mtu"]

[[allow]]
id = "all-links"
who = "uid:0"
call = "Link.List"
netns = "@host"
free = "link"
"#;

fn host() -> Host {
    let host = Host::builder().way(Way::Root).build();
    host.policy(POLICY);
    host.ip("link add v0 type veth peer name v1");
    host
}

/// Options for tests in which so many requests of one principal are served at the same time.
const EIGHT_AT_ONCE: [&str; 2] = ["--requests-each", "8"];

fn mtu(of: u32) -> Value {
    json!({"netns": "@host", "link": "v0", "mtu": of})
}

/// Processes that wait for their connection: for room, or for the rest of a request.
fn waiting_for_readers(daemon: &Daemon) -> Vec<u32> {
    let serves = |pid: &u32| {
        fs::read_link(format!("/proc/{pid}/fd/1")).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))
    };
    // poll(2), or ppoll(2) where there is only that.
    let polls = if cfg!(target_arch = "x86_64") { "7 " } else { "73 " };
    let waits = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/syscall")).is_ok_and(|at| at.starts_with(polls));
    daemon.children().into_iter().filter(|pid| serves(pid) && waits(pid)).collect()
}

/// Sends a call whose reply is larger than what a socket holds. Returns the process, which waits for its reader.
fn held(daemon: &Daemon, client: &mut Client) -> u32 {
    client.send(&request("Link.List", &json!({"netns": "@host"})));
    until("a process waits for its reader", || waiting_for_readers(daemon).len() == 1);
    waiting_for_readers(daemon)[0]
}

/// Whether a process runs. One that has ended stays until its parent, or process 1 in its place, has looked at it.
fn is_there(pid: u32) -> bool {
    !matches!(status(pid, "State").chars().next(), None | Some('Z' | 'X'))
}

/// A trail that has no room for a record, in place of the host's.
struct FullTrail(UnixDatagram);

impl FullTrail {
    fn new(host: &Host) -> Self {
        host.sh("mv /run/systemd/journal/socket /run/systemd/moved");
        let full = UnixDatagram::bind("/run/systemd/journal/socket").unwrap();
        host.sh("chmod 666 /run/systemd/journal/socket");
        let sender = UnixDatagram::unbound().unwrap();
        sender.connect("/run/systemd/journal/socket").unwrap();
        sender.set_nonblocking(true).unwrap();
        while sender.send(b"x").is_ok() {}
        Self(full)
    }

    fn end(self, host: &Host) {
        host.sh("mv /run/systemd/moved /run/systemd/journal/socket");
        drop(self.0);
    }
}

/// So many links that a listing of them does not fit into a socket.
fn many_links(host: &Host) {
    let lines: String = (0..700).map(|n| format!("link add w{n} type bridge\n")).collect();
    fs::write("/run/scratch/batch", lines).unwrap();
    host.sh("ip -batch /run/scratch/batch");
}

#[test]
fn each_request_on_a_connection_has_a_process_of_its_own_and_they_are_answered_in_order() {
    let host = host();
    let daemon = Daemon::start(&host, &[]);
    let mut client = Client::connect();
    assert_eq!(client.call("Link.Set", &mtu(1400)), json!({"parameters": {}}));
    assert_eq!(host.sh("cat /sys/class/net/v0/mtu"), "1400\n");
    assert_eq!(
        client.call("Link.Set", &json!({"netns": "@host", "link": "lo", "mtu": 1400}))["error"],
        "io.netbroker.Link.Denied"
    );
    assert_eq!(
        client.call("Link.Set", &json!({"netns": "@host", "link": "v0", "mtu": "x"}))["error"],
        "io.netbroker.Link.InvalidRequest"
    );
    assert_eq!(client.call("Frob.Set", &json!({}))["error"], "org.varlink.service.InterfaceNotFound");
    assert_eq!(client.call("org.varlink.service.GetInfo", &json!({}))["parameters"]["product"], "netbroker");
    assert_eq!(client.call("Link.Set", &mtu(1401)), json!({"parameters": {}}));

    // All at once, and the last one in two parts.
    let last = request("Link.Set", &mtu(1404));
    let (head, tail) = last.split_at(20);
    let all = [
        request("Link.Set", &mtu(1402)),
        request("Link.Set", &json!({"netns": "@host"})),
        request("Link.Set", &mtu(1403)),
    ];
    client.send(&[&all.concat(), head].concat());
    assert_eq!(client.hear(), Some(json!({"parameters": {}})));
    assert_eq!(client.hear().unwrap()["error"], "io.netbroker.Link.InvalidRequest");
    assert_eq!(client.hear(), Some(json!({"parameters": {}})));
    client.send(tail);
    assert_eq!(client.hear(), Some(json!({"parameters": {}})));
    assert_eq!(host.sh("cat /sys/class/net/v0/mtu"), "1404\n");

    let trail = host.trail();
    assert!(trail.iter().all(|record| record.field("NETBROKER_WAY") == "socket" && record.uid == NETBROKER));
    let requests: BTreeSet<&str> = trail.iter().map(|record| record.field("NETBROKER_REQUEST")).collect();
    let processes: BTreeSet<i32> = trail.iter().map(|record| record.pid).collect();
    // Five that are done, two refused by the policy or the parser, one refused, and one of an unknown method.
    assert_eq!((requests.len(), processes.len()), (9, 9), "{trail:#?}");
    drop(daemon);
}

#[test]
fn the_caller_is_whoever_connected() {
    let host = host();
    let _daemon = Daemon::start(&host, &[]);
    let set = request("Link.Set", &mtu(1400));
    let heard = |uid: u32, script: &str| client(&host.as_uid(uid), script, &set).messages();
    let once = "my $s = connected(); send_all($s, $request); shutdown($s, 1); hear($s);";
    assert_eq!(heard(ALICE, once), [json!({"parameters": {}})]);
    assert_eq!(heard(BOB, once)[0]["error"], "io.netbroker.Link.Denied");
    let trail = host.trail();
    let of: Vec<&str> = trail.iter().map(|record| record.field("NETBROKER_UID")).collect();
    assert_eq!(of, [ALICE.to_string(), ALICE.to_string(), BOB.to_string()]);

    // Connects as root, which may do it, and sends the request, or its second half, as somebody else.
    for script in [
        "my $s = connected(); become(64124, 64124); send_all($s, $request); hear($s);",
        "my $s = connected(); send_all($s, substr $request, 0, 20); become(64124, 64124); send_all($s, substr $request, 20); hear($s);",
        "my $s = connected(); if (fork) { wait } else { become(64124, 64124); send_all($s, $request); exit } hear($s);",
    ] {
        assert_eq!(heard(0, script), [Value::Null; 0], "{script}");
    }
    assert_eq!(host.sh("cat /sys/class/net/v0/mtu"), "1400\n");
    let other = |record: &&common::Record| record.field("NETBROKER_RESULT").contains("sent under other ids");
    assert_eq!(host.trail_where("NETBROKER_EVENT", "refused").iter().filter(other).count(), 3);
}

#[test]
fn a_policy_that_was_installed_decides_the_next_request_of_a_connection_that_was_there_before() {
    let host = host();
    let _daemon = Daemon::start(&host, &[]);
    let mut client = Client::connect();
    for _ in 0..20 {
        assert_eq!(client.call("Link.Set", &mtu(1400)), json!({"parameters": {}}));
        host.policy(&POLICY.replace("\"uid:0\", \"user:alice\"", "\"user:alice\""));
        assert_eq!(client.call("Link.Set", &mtu(1401))["error"], "io.netbroker.Link.Denied");
        host.policy(POLICY);
    }
    host.sh("rm /var/lib/netbroker/policy");
    assert_eq!(client.call("Link.Set", &mtu(1401))["error"], "io.netbroker.Link.PolicyInvalid");
    host.policy(POLICY);
    assert_eq!(client.call("Link.Set", &mtu(1401)), json!({"parameters": {}}));
}

#[test]
fn a_caller_whose_rules_need_more_gets_a_process_that_has_more() {
    let host = host();
    let more = "[[allow]]\nid = \"netns\"\nwho = \"uid:0\"\ncall = [\"Netns.Add\", \"Netns.Delete\"]\nnetns = \"q*\"\n";
    host.policy(&format!("{POLICY}{more}"));
    let _daemon = Daemon::start(&host, &[]);
    let mut client = Client::connect();
    assert_eq!(client.call("Netns.Add", &json!({"netns": "q1"})), json!({"parameters": {}}));
    assert!(host.ip("netns list").contains("q1"));
    host.policy(POLICY);
    assert_eq!(client.call("Netns.Delete", &json!({"netns": "q1"}))["error"], "io.netbroker.Netns.Denied");
    host.policy(&format!("{POLICY}{more}"));
    assert_eq!(client.call("Netns.Delete", &json!({"netns": "q1"})), json!({"parameters": {}}));
    assert_eq!(client.call("Link.Set", &mtu(1400)), json!({"parameters": {}}));
}

#[test]
fn the_parent_and_a_waiting_child_hold_what_they_need_and_no_more() {
    let host = host();
    let daemon = Daemon::start(&host, &[]);
    let connections: Vec<Client> = (0..5).map(|_| Client::connect()).collect();
    until("two children wait", || daemon.children().len() == 2);
    // cap_net_admin, cap_sys_admin, cap_dac_override: nothing is effective before it is needed.
    assert_eq!(
        (daemon.status("CapPrm").as_str(), daemon.status("CapEff").as_str()),
        ("0000000000201002", "0000000000000000")
    );
    assert_eq!(daemon.status("CapInh"), "0000000000000000");
    assert_eq!(daemon.status("Uid"), format!("{NETBROKER}\t{NETBROKER}\t{NETBROKER}\t{NETBROKER}"));
    assert_eq!((daemon.status("NoNewPrivs").as_str(), daemon.status("Seccomp").as_str()), ("1", "2"));
    for child in daemon.children() {
        until("it waits", || status(child, "Seccomp_filters") == "2");
        let descriptors: Vec<(u32, String)> = fs::read_dir(format!("/proc/{child}/fd"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().to_str().unwrap().parse().unwrap(), fs::read_link(entry.path()).unwrap()))
            .map(|(number, to)| (number, to.to_str().unwrap().to_owned()))
            .collect();
        let of = |what: &str| descriptors.iter().filter(|(number, to)| *number > 2 && to.starts_with(what)).count();
        // Its channel and the trail; the policy. Standard error is the parent's; 0 and 1 will be the connection.
        assert_eq!((of("socket:"), of("/var/lib/netbroker/policy")), (2, 1), "{descriptors:?}");
        assert!(!descriptors.iter().any(|(number, _)| *number < 2), "{descriptors:?}");
        assert_eq!(descriptors.iter().filter(|(number, _)| *number > 2).count(), 3, "{descriptors:?}");
        assert_eq!(status(child, "CapPrm"), "0000000000201000");
    }
    drop(connections);
}

#[test]
fn malformed_input_ends_its_connection_and_nothing_else() {
    let host = host();
    let _daemon = Daemon::start(&host, &[]);
    let mut other = Client::connect();
    for bytes in [&b"x\0"[..], b"\0", b"{\"method\":\"io.netbroker.Link.Set\",\"x\":1}\0", b"[]\0", b"{\0\0\0"] {
        let mut client = Client::connect();
        client.send(bytes);
        assert_eq!(client.hear(), None, "{}", bytes.escape_ascii());
        assert_eq!(other.call("Link.Set", &mtu(1400)), json!({"parameters": {}}));
    }
    // Longer than any request may be.
    let mut client = Client::connect();
    let _broken = client.socket().write_all(&vec![b' '; 2 << 20]);
    assert_eq!(client.hear(), None);
    assert_eq!(other.call("Link.Set", &mtu(1400)), json!({"parameters": {}}));
}

#[test]
fn a_caller_may_leave_at_every_point() {
    let host = host();
    let daemon = Daemon::start(&host, &[]);
    let set = request("Link.Set", &mtu(1400));
    for sent in 0..set.len() {
        let mut client = Client::connect();
        client.send(&set[..sent]);
        drop(client);
    }
    host.forget_trail();
    // A whole request is carried out although its caller does not wait for the reply.
    let mut client = Client::connect();
    client.send(&request("Link.Set", &mtu(1399)));
    drop(client);
    until("it is done", || host.sh("cat /sys/class/net/v0/mtu") == "1399\n");
    assert_eq!(Client::connect().call("Link.Set", &mtu(1400)), json!({"parameters": {}}));
    until("nothing is left", || daemon.children().len() == 2);
    until("all connections are closed", || fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count() <= 10);
}

#[test]
fn a_slow_sender_costs_a_descriptor_and_no_process_and_is_closed_in_the_end() {
    let host = host();
    let daemon = Daemon::start(&host, &[]);
    let set = request("Link.Set", &mtu(1400));
    let begun = Instant::now();
    let mut clients: Vec<Client> = (0..50).map(|_| Client::connect()).collect();
    clients.iter_mut().for_each(|client| client.send(&set[..30]));
    std::thread::sleep(Duration::from_secs(1));
    for _ in 0..10 {
        assert!(daemon.children().len() <= 4, "{:?}", daemon.children());
        assert_eq!(Client::connect().call("Link.Set", &mtu(1400)), json!({"parameters": {}}));
        std::thread::sleep(Duration::from_millis(50));
    }
    let (late, in_time) = clients.split_at_mut(40);
    for client in in_time {
        client.send(&set[30..]);
        assert_eq!(client.hear(), Some(json!({"parameters": {}})));
    }
    for client in late {
        assert_eq!(client.hear(), None);
    }
    assert!(begun.elapsed() > Duration::from_secs(9), "{:?}", begun.elapsed());
    let refused = host.trail_where("NETBROKER_EVENT", "refused");
    let told: BTreeSet<&str> = refused.iter().map(|record| record.field("NETBROKER_RESULT")).collect();
    assert_eq!(told, ["the request was not complete in time"].into(), "{}", refused.len());
}

#[test]
fn a_request_that_does_not_fit_one_packet_is_served() {
    let host = host();
    let _daemon = Daemon::start(&host, &[]);
    let mut client = Client::connect();
    let long = json!({"netns": "@host", "link": "v0", "mtu": 1400, "reference": "x".repeat(64)});
    let text = request("Link.Set", &long);
    // JSON may have any number of blanks.
    let padded = [&vec![b' '; 700_000], &text[..]].concat();
    client.send(&padded);
    assert_eq!(client.hear(), Some(json!({"parameters": {}})));
    client.send(&[&vec![b' '; 9000], &text[..10]].concat());
    std::thread::sleep(Duration::from_millis(300));
    client.send(&text[10..]);
    assert_eq!(client.hear(), Some(json!({"parameters": {}})));
    // It has a process meanwhile, so it must not take long.
    client.send(&[&vec![b' '; 9000], &text[..10]].concat());
    let begun = Instant::now();
    assert_eq!(client.hear(), None);
    assert!(begun.elapsed() > Duration::from_millis(1900), "{:?}", begun.elapsed());
    let refused = host.trail_where("NETBROKER_EVENT", "refused");
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].field("NETBROKER_RESULT"), "the rest of the request did not come within 2 s");
}

#[test]
fn a_request_that_a_policy_overtakes_while_it_arrives_is_refused_on_record() {
    let host = host();
    let daemon = Daemon::start(&host, &[]);
    let mut client = Client::connect();
    let mut set = request("Link.Set", &mtu(1400));
    set.splice(1..1, std::iter::repeat_n(b' ', 9000)); // more than a process leaves in the socket
    client.send(&set[..8500]);
    until("a process waits for the rest", || waiting_for_readers(&daemon).len() == 1);
    host.policy(&POLICY.replace("id = \"root\"", "id = \"other\""));
    client.send(&set[8500..]);
    assert_eq!(client.hear().unwrap()["error"], "io.netbroker.Link.Busy");
    let refused = host.trail_where("NETBROKER_EVENT", "refused");
    assert_eq!(refused.len(), 1);
    assert!(refused[0].field("NETBROKER_RESULT").contains("another policy was put in force"));
    assert_eq!(client.call("Link.Set", &mtu(1400)), json!({"parameters": {}}));
}

#[test]
fn a_request_that_is_completed_after_a_policy_was_put_in_force_is_not_judged_by_the_one_before() {
    let host = host();
    let daemon = Daemon::start(&host, &[]);
    until("children wait", || daemon.children().len() == 2);
    // A busy machine does this to them for a moment.
    let ahead: Vec<_> =
        daemon.children().into_iter().map(|id| nix::unistd::Pid::from_raw(i32::try_from(id).unwrap())).collect();
    let all = |signal: Signal| ahead.iter().for_each(|id| nix::sys::signal::kill(*id, signal).unwrap());
    all(Signal::SIGSTOP);
    let mut client = Client::connect();
    let set = request("Link.Set", &mtu(1333));
    client.send(&set[..10]);
    std::thread::sleep(Duration::from_millis(300)); // it is handed over with this
    host.policy(&POLICY.replace("\"uid:0\", \"user:alice\"", "\"user:alice\""));
    client.send(&set[10..]);
    all(Signal::SIGCONT);
    let error = client.hear().unwrap()["error"].clone();
    assert!(error == "io.netbroker.Link.Busy" || error == "io.netbroker.Link.Denied", "{error}");
    assert_ne!(host.sh("cat /sys/class/net/v0/mtu"), "1333\n");
}

#[test]
fn a_principal_has_its_limits_and_the_others_have_room() {
    let host = host();
    many_links(&host);
    let daemon = Daemon::start(
        &host,
        &["--connections", "20", "--connections-each", "8", "--requests", "2", "--requests-each", "1"],
    );
    let mut clients: Vec<Client> = (0..8).map(|_| Client::connect()).collect();
    let mut ninth = Client::connect();
    assert_eq!(ninth.hear(), None, "closed at once");

    // Root's one process is held by a reader that does not read. Another principal is served meanwhile.
    let _serving = held(&daemon, &mut clients[0]);
    let begun = Instant::now();
    clients[1].send(&request("Link.Set", &mtu(1400)));
    let set = request("Link.Set", &mtu(1402));
    let once = "my $s = connected(); send_all($s, $request); shutdown($s, 1); hear($s);";
    assert_eq!(client(&host.as_uid(ALICE), once, &set).messages(), [json!({"parameters": {}})]);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());

    let answer = clients[1].hear().expect("a reply");
    assert_eq!(answer["error"], "io.netbroker.Link.Overloaded", "{answer}");
    assert!(answer["parameters"]["reason"].as_str().unwrap().contains("5 s"), "{answer}");
    assert!(begun.elapsed() > Duration::from_millis(4500), "{:?}", begun.elapsed());
    assert_eq!(host.sh("cat /sys/class/net/v0/mtu"), "1402\n");

    // The connection is still of use, and so is the process.
    assert!(clients[0].hear().unwrap()["parameters"]["links"].as_array().unwrap().len() > 700);
    assert_eq!(clients[1].call("Link.Set", &mtu(1403)), json!({"parameters": {}}));
}

/// How many bytes of replies a client has not read.
fn unread(client: &Client) -> usize {
    let mut bytes = vec![0; 1 << 20];
    recv(client.socket().as_raw_fd(), &mut bytes, MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT).unwrap_or(0)
}

#[test]
fn a_process_that_turns_a_request_away_waits_for_no_reader() {
    let host = host();
    many_links(&host);
    let daemon = Daemon::start(&host, &["--requests-each", "1"]);
    // So many replies fill the connection of a client that reads none.
    let set = request("Link.Set", &mtu(1400));
    let mut first = Client::connect();
    first.send(&set.repeat(1000));
    until("no room is left", || {
        let before = unread(&first);
        std::thread::sleep(Duration::from_millis(300));
        unread(&first) == before && waiting_for_readers(&daemon).len() == 1
    });
    let full = unread(&first);
    let replies = full / b"{\"parameters\":{}}\0".len();
    assert!(replies > 1 && replies < 1000, "{replies}");
    drop(first);

    let mut second = Client::connect();
    second.send(&set.repeat(replies));
    until("as many are written", || unread(&second) == full);
    let mut holder = Client::connect();
    let process = held(&daemon, &mut holder);
    let begun = Instant::now();
    second.send(&request("Link.Set", &mtu(1401)));
    // Where the other waited for room, it would have 10 s.
    let mut end = [PollFd::new(second.socket().as_fd(), PollFlags::empty())];
    assert_eq!(poll(&mut end, 9000_u16), Ok(1), "the connection is not closed");
    assert!(begun.elapsed() > Duration::from_millis(4500), "{:?}", begun.elapsed());
    assert_eq!(waiting_for_readers(&daemon), [process]);
    for _ in 0..replies {
        assert_eq!(second.hear().unwrap(), json!({"parameters": {}}));
    }
    assert_eq!(second.hear(), None);
    assert_eq!(host.sh("cat /sys/class/net/v0/mtu"), "1400\n");
}

#[test]
fn callers_without_a_rule_share_little_and_are_refused_on_record() {
    let host = host();
    let _daemon = Daemon::start(&host, &[]);
    let set = request("Link.Set", &mtu(1400));
    let many = "my @s = map { connected() } 1..40; print scalar(grep { my $r = ''; vec($r, fileno $_, 1) = 1; \
                select(undef, undef, undef, 0.02); !select($r, undef, undef, 0) } @s);";
    let open: usize =
        String::from_utf8(client(&host.as_uid(BOB), many, &set).stdout().to_vec()).unwrap().parse().unwrap();
    assert_eq!(open, 8, "half of 16, because others share them");
    let once = "my $s = connected(); send_all($s, $request); shutdown($s, 1); hear($s);";
    assert_eq!(client(&host.as_uid(BOB), once, &set).messages()[0]["error"], "io.netbroker.Link.Denied");
    assert_eq!(host.trail_where("NETBROKER_EVENT", "refused").len(), 1);
}

#[test]
fn refusals_beyond_a_rate_are_counted_and_the_count_is_on_record() {
    const REFUSED: usize = 3000;
    let host = host();
    let daemon = Daemon::start(&host, &[]);
    let mut client = Client::connect();
    let denied = request("Link.Set", &json!({"netns": "@host", "link": "lo", "mtu": 1400}));
    for _ in 0..REFUSED / 100 {
        client.send(&denied.repeat(100));
        for _ in 0..100 {
            assert_eq!(client.hear().unwrap()["error"], "io.netbroker.Link.Denied");
        }
    }
    let begun = Instant::now();
    until("all are on record", || {
        let trail = host.trail();
        let of =
            |event: &str| trail.iter().filter(|record| record.field("NETBROKER_EVENT") == event).collect::<Vec<_>>();
        let counted: usize =
            of("counted").iter().map(|record| record.field("NETBROKER_COUNT").parse::<usize>().unwrap()).sum();
        assert!(of("counted").iter().all(|record| record.field("NETBROKER_PRINCIPAL") == "uid:0"));
        assert!(of("refused").len() < REFUSED / 4, "{}", of("refused").len());
        assert!(begun.elapsed() < Duration::from_secs(10), "{counted} + {}", of("refused").len());
        counted + of("refused").len() == REFUSED
    });
    drop(daemon);
}

#[test]
fn a_child_that_dies_is_on_record_and_its_principal_waits() {
    let host = host();
    many_links(&host);
    let daemon = Daemon::start(&host, &[]);
    let mut others = Client::connect();
    let mut client = Client::connect();
    let child = held(&daemon, &mut client);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(child).unwrap()), Signal::SIGKILL).unwrap();
    let begun = Instant::now();
    let mut rest = Vec::new();
    let _reset = client.socket().try_clone().unwrap().read_to_end(&mut rest);
    assert!(!rest.contains(&0), "no complete reply came");
    assert_eq!(others.call("Link.Set", &mtu(1400)), json!({"parameters": {}}));
    assert!(begun.elapsed() > Duration::from_millis(900), "{:?}", begun.elapsed());
    until("it is on record", || host.trail_where("NETBROKER_EVENT", "died").len() == 1);
    let trail = host.trail_where("NETBROKER_EVENT", "died");
    assert_eq!(trail[0].field("NETBROKER_PRINCIPAL"), "uid:0");
    assert_eq!(trail[0].field("NETBROKER_SIGNAL"), "SIGKILL");
    assert_eq!(trail[0].uid, NETBROKER);
}

#[test]
fn after_eight_deaths_it_starts_anew_with_another_layout() {
    let host = host();
    many_links(&host);
    let layout = |pid: u32| fs::read_to_string(format!("/proc/{pid}/maps")).unwrap().lines().next().unwrap().to_owned();
    let daemon = Daemon::start(&host, &EIGHT_AT_ONCE);
    let before = layout(daemon.pid());
    host.policy(&POLICY.replace("who = \"uid:0\"", "who = [\"uid:0\", \"user:alice\"]"));
    // All at once: each death makes the principal wait twice as long.
    let mut clients: Vec<Client> = (0..8).map(|_| Client::connect()).collect();
    for client in &mut clients {
        client.send(&request("Link.List", &json!({"netns": "@host"})));
    }
    until("eight wait for their readers", || waiting_for_readers(&daemon).len() == 8);
    let eight = waiting_for_readers(&daemon);
    // Another user's process outlives it.
    let long = "my $s = connected(); send_all($s, $request); sleep 60;";
    let list = request("Link.List", &json!({"netns": "@host"}));
    let mut other = host.as_uid(ALICE).program(&["perl", "-e", &format!("{}{long}", common::daemon::HEAD)]).command();
    let mut other = other.stdin(std::process::Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut other.stdin.take().unwrap(), &list).unwrap();
    until("nine wait for their readers", || waiting_for_readers(&daemon).len() == 9);
    let of_other: Vec<u32> = waiting_for_readers(&daemon).into_iter().filter(|pid| !eight.contains(pid)).collect();
    // It waits for a trail that takes nothing for a moment.
    let full = FullTrail::new(&host);
    let kill = |pid: u32| {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
    };
    eight.into_iter().for_each(kill);
    std::thread::sleep(Duration::from_millis(1500));
    full.end(&host);
    until("it has another layout", || layout(daemon.pid()) != before);
    until("it is in its filters again", || daemon.status("Seccomp_filters") == "2");
    assert_eq!(daemon.status("CapPrm"), "0000000000201002");
    // Whose processes died waits for two minutes now, others do not.
    let mut waiting = Client::connect();
    waiting.send(&request("Link.Set", &mtu(1399)));
    let once = "my $s = connected(); send_all($s, $request); shutdown($s, 1); hear($s);";
    let set = request("Link.Set", &mtu(1400));
    assert_eq!(client(&host.as_uid(ALICE), once, &set).messages(), [json!({"parameters": {}})]);
    until("all are on record", || host.trail_where("NETBROKER_EVENT", "died").len() == 8);
    of_other.into_iter().for_each(kill); // before its five seconds end
    until("so is one from before", || host.trail_where("NETBROKER_EVENT", "died").len() == 9);
    assert_eq!(waiting.hear(), None);
    assert_eq!(host.sh("cat /sys/class/net/v0/mtu"), "1400\n");
    let died = host.trail_where("NETBROKER_EVENT", "died");
    assert!(died.iter().any(|record| record.field("NETBROKER_UID") == ALICE.to_string()), "{died:#?}");
    other.kill().unwrap();
    other.wait().unwrap();
    // Those of its children that ended while it started anew are gone, too.
    let has_ended = |pid: &u32| status(*pid, "State").starts_with('Z');
    until("no child has ended unnoticed", || !daemon.children().iter().any(has_ended));
}

#[test]
fn a_request_in_flight_is_answered_when_it_is_told_to_end() {
    let host = host();
    many_links(&host);
    let daemon = Daemon::start(&host, &[]);
    let mut idle = Client::connect();
    let mut client = Client::connect();
    let _child = held(&daemon, &mut client);
    daemon.signal(Signal::SIGTERM);
    assert_eq!(idle.hear(), None);
    until("it accepts no more", || UnixStream::connect(SOCKET).is_err());
    assert!(client.hear().unwrap()["parameters"]["links"].as_array().unwrap().len() > 700);
    assert_eq!(daemon.end().code(), Some(0));
}

#[test]
fn a_request_in_flight_is_answered_when_the_parent_is_killed() {
    let host = host();
    many_links(&host);
    let daemon = Daemon::start(&host, &[]);
    let mut client = Client::connect();
    let child = held(&daemon, &mut client);
    let children = daemon.children();
    daemon.signal(Signal::SIGKILL);
    until("those that wait have ended", || children.iter().filter(|pid| is_there(**pid)).count() == 1);
    assert!(is_there(child));
    assert!(client.hear().unwrap()["parameters"]["links"].as_array().unwrap().len() > 700);
    assert_eq!(client.hear(), None);
    until("it has ended", || !is_there(child));
    // Its socket is there, and nobody listens: the next one takes its place.
    drop(daemon);
    let mut command = host.command(DAEMON);
    command.args(["--socket", SOCKET]);
    let next = Daemon::spawn(&mut command);
    until("it listens", || UnixStream::connect(SOCKET).is_ok());
    assert_eq!(Client::connect().call("Link.Set", &mtu(1400)), json!({"parameters": {}}));
    let second = Ran::run(host.command(DAEMON).args(["--socket", SOCKET]));
    assert_eq!(second.status(), 69, "{second}");
    assert!(second.stderr().contains("another process listens there"), "{second}");
    drop(next);
}

/// Passes a listening socket to netbrokerd, as a service manager does.
const ACTIVATE: &str = r#"
use strict; use Socket; use POSIX ();
my ($passcred, @command) = @ARGV;
POSIX::close($_) for 3..20;
socket(my $l, PF_UNIX, SOCK_STREAM, 0) or die; die "descriptor " . fileno $l if fileno $l != 3;
unlink "/run/scratch/socket";
bind($l, pack_sockaddr_un("/run/scratch/socket")) or die; listen($l, 16) or die;
setsockopt($l, SOL_SOCKET, 16, 1) or die if $passcred;
$^F = 3; fcntl($l, 2, 0);
$ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = 1;
exec @command or die;
"#;

#[test]
fn a_passed_listener_is_taken_and_it_ends_when_it_is_idle() {
    let host = host();
    let activate = |passcred: &str, options: &[&str]| {
        let mut command = host.command("perl");
        command.args(["-e", ACTIVATE, passcred, DAEMON]).args(options);
        command
    };
    let refused = Ran::run(&mut activate("0", &[]));
    assert_eq!(refused.status(), 69, "{refused}");
    assert!(refused.stderr().contains("SO_PASSCRED") && refused.stderr().contains("PassCredentials=yes"), "{refused}");

    let path = "/run/scratch/notify";
    let notified = UnixDatagram::bind(path).unwrap();
    notified.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let begun = Instant::now();
    let daemon = Daemon::spawn(activate("1", &["--idle", "2"]).env("NOTIFY_SOCKET", path));
    let mut word = [0; 64];
    let got = notified.recv(&mut word).unwrap();
    assert_eq!(&word[..got], b"READY=1");
    let mut client = Client::connect();
    assert_eq!(client.call("Link.Set", &mtu(1400)), json!({"parameters": {}}));
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(client.call("Link.Set", &mtu(1401)), json!({"parameters": {}}), "a connection is open");
    drop(client);
    assert_eq!(daemon.end().code(), Some(0));
    assert!(begun.elapsed() > Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[test]
fn it_does_not_end_while_a_principal_has_to_wait() {
    let host = host();
    many_links(&host);
    let mut command = host.command("perl");
    let daemon = Daemon::spawn(command.args(["-e", ACTIVATE, "1", DAEMON, "--idle", "1"]));
    until("it listens", || UnixStream::connect(SOCKET).is_ok());
    // The second death makes this principal wait for 2 s.
    for _ in 0..2 {
        let mut client = Client::connect();
        let child = held(&daemon, &mut client);
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(child).unwrap()), Signal::SIGKILL).unwrap();
        let _reset = client.socket().read_to_end(&mut Vec::new());
    }
    let begun = Instant::now();
    let busy = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split(' ').collect();
        fields[12].parse::<u64>().unwrap() + fields[13].parse::<u64>().unwrap()
    };
    std::thread::sleep(Duration::from_millis(1100));
    let before = busy();
    std::thread::sleep(Duration::from_millis(600));
    assert!(busy() - before < 20, "it waits without computing: {} ticks", busy() - before);
    assert_eq!(daemon.end().code(), Some(0));
    assert!(begun.elapsed() > Duration::from_millis(1900), "{:?}", begun.elapsed());
}

#[test]
fn a_wrong_command_line_or_a_wrong_place_is_named() {
    let host = host();
    for (words, status, said) in [
        (&["--frob", "1"][..], 64, "`--frob 1`: is unknown"),
        (&["--idle"], 64, "`--idle` is unknown or lacks a value"),
        (
            &["--socket", "/run/scratch/none/socket"],
            69,
            "/run/scratch/none/socket: cannot bind: No such file or directory",
        ),
        (&["--socket", "/etc/passwd"], 69, "/etc/passwd: is not a socket"),
    ] {
        let ran = Ran::run(host.command(DAEMON).args(words));
        assert_eq!(ran.status(), status, "{ran}");
        assert!(ran.stderr().contains(said), "{ran}");
    }
    let ran = host.as_uid(ALICE).run(&[DAEMON, "--socket", "/run/scratch/socket"]);
    assert_eq!(ran.status(), 69, "{ran}");
    assert!(ran.stderr().contains("NotPrivileged"), "{ran}");
    assert!(Ran::run(host.command(DAEMON).arg("--help")).ok().contains("--requests-each"));
}

#[test]
fn a_hundred_thousand_requests_leave_its_memory_and_descriptors_as_they_were() {
    const REQUESTS: usize = 100_000;
    const AT_ONCE: usize = 50;
    // The standard ones, a listener, signals, epoll, and the channels to two children that wait.
    const DESCRIPTORS: usize = 8;
    let host = host();
    let daemon = Daemon::start(&host, &[]);
    // Refusals cost the least, and most of them are only counted.
    let denied = request("Link.Set", &json!({"netns": "@host", "link": "lo", "mtu": 1400}));
    let some = |requests: usize| {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut client = Client::connect();
                    for _ in 0..requests / 4 / AT_ONCE {
                        client.send(&denied.repeat(AT_ONCE));
                        for _ in 0..AT_ONCE {
                            assert_eq!(client.hear().unwrap()["error"], "io.netbroker.Link.Denied");
                        }
                    }
                });
            }
        });
        until("all connections are closed, and two children wait", || {
            let open = fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count();
            open == DESCRIPTORS && daemon.children().len() == 2
        });
        // Its own pages, counted one by one: VmRSS is an estimate, wrong by up to 32 pages for each processor.
        let pages = fs::read_to_string(format!("/proc/{}/smaps_rollup", daemon.pid())).unwrap();
        let own = pages.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
        own.trim().strip_suffix(" kB").unwrap().parse::<i64>().unwrap()
    };
    let (before, after) = (some(2000), some(REQUESTS));
    assert!((after - before).abs() <= 64, "{before} KiB before, {after} KiB after");
}

#[test]
fn a_thousand_connections_at_once_are_served() {
    let host = host();
    let _daemon = Daemon::start(&host, &["--connections", "1100", "--connections-each", "1100"]);
    let mut clients: Vec<Client> = (0..1000).map(|_| Client::connect()).collect();
    for at in [1400, 1401] {
        for client in &mut clients {
            client.send(&request("Link.Set", &mtu(at)));
        }
        let mut overloaded = 0;
        for client in &mut clients {
            let answer = client.hear().expect("a reply");
            overloaded += usize::from(answer["error"] == "io.netbroker.Link.Overloaded");
            assert!(
                answer == json!({"parameters": {}}) || answer["error"] == "io.netbroker.Link.Overloaded",
                "{answer}"
            );
        }
        assert!(overloaded < 1000);
    }
}

/// The numbers of the system calls in a trace by `strace -n`, of all processes or of one.
fn numbers(trace: &str) -> BTreeSet<i64> {
    let number = |line: &str| line.split_once('[')?.1.split_once(']')?.0.trim().parse().ok();
    trace.lines().filter_map(number).collect()
}

#[test]
fn every_line_of_the_parents_filter_is_of_use() {
    use netbroker::stage::filter::{AHEAD, ANEW, RESIDENT};
    let host = host();
    many_links(&host);
    let mut command = host.command("strace");
    command.args(["-f", "-n", "-qq", "-e", "signal=none", "-o", "/run/scratch/trace", DAEMON, "--socket", SOCKET]);
    command.args(EIGHT_AT_ONCE);
    let traced = Daemon::spawn(&mut command);
    until("it listens", || UnixStream::connect(SOCKET).is_ok());
    let of = |id: u32| fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let ids = |text: String| text.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<u32>>();
    let parent = ids(of(traced.pid()))[0];
    assert_eq!(Client::connect().call("Link.Set", &mtu(1400)), json!({"parameters": {}}));
    let more = "[[allow]]\nid = \"netns\"\nwho = \"uid:0\"\ncall = \"Netns.Add\"\nnetns = \"q*\"\n";
    host.policy(&format!("{POLICY}{more}"));
    assert_eq!(Client::connect().call("Link.Set", &mtu(1400)), json!({"parameters": {}}));
    // Where syslog keeps the trail, a line has the id of its process.
    host.sh("mv /run/systemd/journal/socket /run/systemd/moved; ln -s /run/systemd/moved /dev/log");
    assert_eq!(Client::connect().call("Link.Set", &mtu(1400)), json!({"parameters": {}}));
    let mut clients: Vec<Client> = (0..8).map(|_| Client::connect()).collect();
    for client in &mut clients {
        client.send(&request("Link.List", &json!({"netns": "@host"})));
    }
    let serving = || {
        let serves = |pid: &u32| {
            fs::read_link(format!("/proc/{pid}/fd/1")).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))
        };
        ids(of(parent)).into_iter().filter(serves).collect::<Vec<u32>>()
    };
    until("eight are being served", || serving().len() == 8);
    for child in serving() {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(child).unwrap()), Signal::SIGKILL).unwrap();
    }
    until("it starts anew", || status(parent, "Seccomp_filters") == "2");
    host.sh(&format!("chmod 666 {SOCKET}"));
    let once = "my $s = connected(); send_all($s, $request); shutdown($s, 1); hear($s);";
    let set = request("Link.Set", &mtu(1400));
    assert_eq!(client(&host.as_uid(ALICE), once, &set).messages(), [json!({"parameters": {}})]);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(parent).unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(traced.end().code(), Some(0));

    let trace = fs::read_to_string("/run/scratch/trace").unwrap();
    let killed: Vec<&str> = trace.lines().filter(|line| line.contains("killed by SIGSYS")).collect();
    assert_eq!(killed, [""; 0]);
    // Under the parent's filter: after it was installed, by the parent or any child.
    let (_, after) = trace.split_once("SECCOMP_SET_MODE_FILTER").expect("its filter");
    let used = numbers(after);
    let lines = RESIDENT.iter().chain(ANEW).chain(AHEAD);
    let useless: Vec<_> = lines.filter(|(number, _, _)| !used.contains(number)).collect();
    assert!(useless.is_empty(), "nothing needs these lines: {useless:#?}");
}

/// One client of the test below: sets another MTU each time, on a link that nobody else changes.
fn change_until(stop: &std::sync::atomic::AtomicBool, link: &str) -> Vec<(u32, bool)> {
    let mut answered = Vec::new();
    let mut connection: Option<UnixStream> = None;
    for mtu in 1000..9000 {
        if stop.load(std::sync::atomic::Ordering::Relaxed) {
            break;
        }
        let Some(mut socket) = connection.take().or_else(|| UnixStream::connect(SOCKET).ok()) else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let set = request("Link.Set", &json!({"netns": "@host", "link": link, "mtu": mtu}));
        let mut reply = Vec::new();
        if socket.write_all(&set).is_ok() {
            let mut bytes = [0; 4096];
            while let Ok(got @ 1..) = socket.read(&mut bytes) {
                reply.extend(&bytes[..got]);
                if reply.ends_with(&[0]) {
                    break;
                }
            }
        }
        let is_done = reply == b"{\"parameters\":{}}\0";
        assert!(is_done || !reply.ends_with(&[0]), "{}", reply.escape_ascii());
        if is_done {
            let now = fs::read_to_string(format!("/sys/class/net/{link}/mtu")).unwrap();
            assert_eq!(now.trim(), mtu.to_string(), "a reply that is not true");
            connection = Some(socket);
        }
        answered.push((mtu, is_done));
    }
    answered
}

#[test]
fn whoever_is_killed_every_reply_is_true_and_every_act_is_on_record() {
    const LINKS: [&str; 3] = ["v0", "v2", "v4"];
    let host = host();
    host.ip("link add v2 type veth peer name v3");
    host.ip("link add v4 type veth peer name v5");
    let stop = std::sync::atomic::AtomicBool::new(false);
    let answered: Vec<Vec<(u32, bool)>> = std::thread::scope(|scope| {
        let clients: Vec<_> = LINKS.iter().map(|link| scope.spawn(|| change_until(&stop, link))).collect();
        for round in 0..6_u64 {
            let daemon = Daemon::start(&host, &[]);
            std::thread::sleep(Duration::from_millis(400 + 37 * round));
            // A child, whatever it is doing, and then the parent, with whatever it holds.
            for child in daemon.children().into_iter().take(1 + usize::try_from(round % 2).unwrap()) {
                let _gone =
                    nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(child).unwrap()), Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(1300));
            daemon.signal(Signal::SIGKILL);
            let children = daemon.children();
            drop(daemon);
            until("its children have ended", || !children.iter().any(|pid| is_there(*pid)));
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let done: usize = answered.iter().flatten().filter(|(_, is_done)| *is_done).count();
    assert!(done > 100, "{done}");
    let trail = host.trail();
    let all: BTreeSet<(&str, &str)> = trail
        .iter()
        .filter_map(|record| Some((record.get("NETBROKER_EVENT")?, record.get("NETBROKER_FIELDS")?)))
        .collect();
    let on_record = |event: &str, link: &str, mtu: u32| {
        let fields = json!({"link": link, "mtu": mtu, "netns": "@host"}).to_string();
        all.contains(&(event, fields.as_str()))
    };
    for (link, answered) in LINKS.iter().zip(&answered) {
        for (mtu, is_done) in answered {
            assert!(!is_done || on_record("permitted", link, *mtu) && on_record("outcome", link, *mtu), "{link} {mtu}");
        }
        let now: u32 = host.sh(&format!("cat /sys/class/net/{link}/mtu")).trim().parse().unwrap();
        assert!(on_record("permitted", link, now), "{link} {now}: an act without a record");
    }
}

#[test]
fn who_connects_again_and_again_keeps_nobody_waiting_and_the_end_is_not_put_off() {
    let host = host();
    let daemon = Daemon::start(&host, &[]);
    let mut client = Client::connect();
    let flood = "for (1..4) { if (!fork) { alarm 8; while (1) { socket(my $s, PF_UNIX, SOCK_STREAM, 0); \
                 connect($s, pack_sockaddr_un('/run/scratch/socket')) or exit } } } 1 while wait > 0;";
    std::thread::scope(|scope| {
        scope.spawn(|| common::daemon::client(&host.as_uid(BOB), flood, b""));
        std::thread::sleep(Duration::from_millis(500));
        for _ in 0..20 {
            let begun = Instant::now();
            assert_eq!(client.call("Link.Set", &mtu(1400)), json!({"parameters": {}}));
            assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        }
        let begun = Instant::now();
        daemon.signal(Signal::SIGTERM);
        assert_eq!(daemon.end().code(), Some(0));
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    });
}

#[test]
fn a_policy_decides_although_the_process_of_the_question_before_is_held() {
    let host = host();
    let _daemon = Daemon::start(&host, &[]);
    let mut client = Client::connect();
    let question = request("org.varlink.service.GetInterfaceDescription", &json!({"interface": "io.netbroker.Link"}));
    client.send(&question.repeat(40)); // the answers do not fit into the socket
    std::thread::sleep(Duration::from_millis(300));
    host.policy(&POLICY.replace("\"uid:0\", \"user:alice\"", "\"user:alice\""));
    client.send(&request("Link.Set", &mtu(1333)));
    for _ in 0..40 {
        assert!(client.hear().unwrap()["parameters"]["description"].is_string());
    }
    assert_eq!(client.hear().unwrap()["error"], "io.netbroker.Link.Denied");
    host.policy(POLICY);

    // A long request has a process while it arrives. That one has read the policy before.
    let set = request("Link.Set", &mtu(1333));
    client.send(&[&vec![b' '; 9000], &set[..10]].concat());
    std::thread::sleep(Duration::from_millis(300));
    host.policy(&POLICY.replace("\"uid:0\", \"user:alice\"", "\"user:alice\""));
    client.send(&set[10..]);
    assert_eq!(client.hear().unwrap()["error"], "io.netbroker.Link.Busy");
    assert_ne!(host.sh("cat /sys/class/net/v0/mtu"), "1333\n");
}

#[test]
fn whatever_its_starter_ignores_or_limits_it_serves_or_says_why_not() {
    let host = host();
    let started = |script: &str| {
        let mut command = host.command("perl");
        command.args([
            "-e",
            &format!("{script}; exec @ARGV or die"),
            "sh",
            "-c",
            "exec \"$0\" \"$@\"",
            DAEMON,
            "--socket",
            SOCKET,
        ]);
        command
    };
    let _absent = fs::remove_file(SOCKET);
    let daemon = Daemon::spawn(&mut started("$SIG{$_} = 'IGNORE' for qw(CHLD ALRM TERM USR1); alarm 1"));
    until("it listens", || UnixStream::connect(SOCKET).is_ok());
    std::thread::sleep(Duration::from_millis(1500));
    let mut client = Client::connect();
    for at in 1400..1410 {
        assert_eq!(client.call("Link.Set", &mtu(at)), json!({"parameters": {}}));
    }
    until("only two are left", || daemon.children().len() == 2);
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.end().code(), Some(0));

    let ran = Ran::run(host.command("prlimit").args(["--nofile=64", DAEMON, "--socket", SOCKET]));
    assert_eq!(ran.status(), 71, "{ran}");
    assert!(ran.stderr().contains("1024 connections need 1152 descriptors"), "{ran}");
    let ran = Ran::run(&mut started("open STDIN, '<', '/dev/null'; POSIX::close(1); use POSIX ()"));
    assert_eq!(ran.status(), 71, "{ran}");
    assert!(ran.stderr().contains("descriptors 0 to 2"), "{ran}");
}

#[test]
fn the_system_user_is_no_caller_however_the_process_was_forked() {
    let host = host();
    host.policy(
        "[[allow]]\nid = \"all\"\nwho = \"*\"\ncall = \"Link.Set\"\nnetns = \"@host\"\nlink = \"v*\"\nfree = \"mtu\"\n",
    );
    let _daemon = Daemon::start(&host, &[]);
    let once = "my $s = connected(); send_all($s, $request); shutdown($s, 1); hear($s);";
    let set = request("Link.Set", &mtu(1400));
    for caller in [host.as_uid(NETBROKER), host.as_uid(BOB).groups(&[NETBROKER]), host.as_uid(65534)] {
        let heard = client(&caller, once, &set).messages();
        assert_eq!(heard[0]["error"], "io.netbroker.Link.NotPrivileged", "{heard:?}");
    }
    assert_eq!(client(&host.as_uid(BOB), once, &set).messages(), [json!({"parameters": {}})]);
    assert_eq!(host.trail_where("NETBROKER_EVENT", "refused").len(), 3);
}

#[test]
fn every_refusal_is_recorded_or_counted_whatever_ends_first() {
    const REFUSED: usize = 300;
    let host = host();
    let denied = request("Link.Set", &json!({"netns": "@host", "link": "lo", "mtu": 1400}));
    let told = |host: &Host| {
        let trail = host.trail();
        let of =
            |event: &str| trail.iter().filter(|record| record.field("NETBROKER_EVENT") == event).collect::<Vec<_>>();
        let counted: usize =
            of("counted").iter().map(|record| record.field("NETBROKER_COUNT").parse::<usize>().unwrap()).sum();
        (of("refused").len(), counted)
    };
    let refuse = |error: &str, reconnects: bool| {
        let mut client = Client::connect();
        for _ in 0..REFUSED {
            if reconnects {
                client = Client::connect();
            }
            client.send(&denied);
            assert_eq!(client.hear().unwrap()["error"], error);
        }
    };
    // It is told to end at once.
    let daemon = Daemon::start(&host, &[]);
    refuse("io.netbroker.Link.Denied", false);
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.end().code(), Some(0));
    let (recorded, counted) = told(&host);
    assert_eq!(recorded + counted, REFUSED, "{recorded} + {counted}");
    // The trail takes nothing when it is told to end, and later takes records again.
    host.forget_trail();
    let daemon = Daemon::start(&host, &[]);
    refuse("io.netbroker.Link.Denied", false);
    let full = FullTrail::new(&host);
    daemon.signal(Signal::SIGTERM);
    std::thread::sleep(Duration::from_millis(1500));
    full.end(&host);
    assert_eq!(daemon.end().code(), Some(0));
    let (recorded, counted) = told(&host);
    assert_eq!(recorded + counted, REFUSED, "{recorded} + {counted}");
    // The machine has no trail for a time.
    host.forget_trail();
    let daemon = Daemon::start(&host, &[]);
    refuse("io.netbroker.Link.Denied", false);
    host.sh("mv /run/systemd/journal/socket /run/systemd/moved");
    std::thread::sleep(Duration::from_millis(1500));
    host.sh("mv /run/systemd/moved /run/systemd/journal/socket");
    until("all are told", || {
        let (recorded, counted) = told(&host);
        recorded + counted == REFUSED
    });
    drop(daemon);
    // Each on a connection of its own; then without a policy.
    host.forget_trail();
    let _daemon = Daemon::start(&host, &[]);
    refuse("io.netbroker.Link.Denied", true);
    until("all are told", || {
        let (recorded, counted) = told(&host);
        assert!(recorded <= 160, "{recorded}");
        recorded + counted == REFUSED
    });
    // Nobody reads the replies.
    host.forget_trail();
    for sent in [100, 200, REFUSED] {
        (0..100).for_each(|_| Client::connect().send(&denied));
        until("all are told", || {
            let (recorded, counted) = told(&host);
            assert!(recorded <= 160, "{recorded}");
            recorded + counted == sent
        });
    }
    host.forget_trail();
    host.sh("rm /var/lib/netbroker/policy");
    // However often a process looked before all of it had arrived, a request is one refusal.
    let mut client = Client::connect();
    for part in denied.chunks(denied.len().div_ceil(6)) {
        client.send(part);
        std::thread::sleep(Duration::from_millis(30));
    }
    assert_eq!(client.hear().unwrap()["error"], "io.netbroker.Link.PolicyInvalid");
    assert_eq!(told(&host), (1, 0));
    host.forget_trail();
    refuse("io.netbroker.Link.PolicyInvalid", false);
    until("all are told", || {
        let (recorded, counted) = told(&host);
        recorded + counted == REFUSED
    });
    // What is no request ends its connection there, too.
    let mut client = Client::connect();
    client.send(b"x\0");
    assert_eq!(client.hear(), None);
}

#[test]
fn a_member_of_a_group_gets_a_connection_although_others_have_all() {
    let host = host();
    host.policy(
        "[[allow]]\nid = \"all\"\nwho = \"*\"\ncall = \"Link.Set\"\nnetns = \"@host\"\nlink = \"v*\"\nfree = \"mtu\"\n",
    );
    let _daemon = Daemon::start(&host, &["--connections-each", "16"]);
    let hold = "my @s = map { connected() } 1..8; syswrite STDOUT, \"x\"; sleep 60;";
    let _greedy: Vec<_> = [64201, 64202]
        .map(|uid| {
            let mut command =
                host.as_uid(uid).program(&["perl", "-e", &format!("{}{hold}", common::daemon::HEAD)]).command();
            let mut child =
                command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped()).spawn().unwrap();
            child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
            struct Killed(std::process::Child);
            impl Drop for Killed {
                fn drop(&mut self) {
                    let _ = self.0.kill();
                    let _ = self.0.wait();
                }
            }
            Killed(child)
        })
        .into();
    let once = "my $s = connected(); send_all($s, $request); shutdown($s, 1); hear($s);";
    assert_eq!(
        client(&host.as_uid(BOB), once, &request("Link.Set", &mtu(1400))).messages(),
        [json!({"parameters": {}})]
    );
}
