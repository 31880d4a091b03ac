// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl bridge` relays every message, to the socket of netbrokerd and to a fresh broker for each, from pipes and
//! from the descriptor that clients pass to a service that they activate.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{MTU_POLICY, mtu, mtu_host, split};
use common::socket::{Daemon, SOCKET, until};
use common::{ALICE, BOB, BROKER, CALLERS, Caller, Host, Ran, Reply, TOOL, Way};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fs;
use std::process::{Output, Stdio};
use std::time::Duration;

const INFO: &str = "{\"method\":\"org.varlink.service.GetInfo\"}\0";
const DONE: &str = "{\"parameters\":{}}\0";

fn set(mtu: u32) -> String {
    json!({"method": "io.netbroker.Link.Set", "parameters": {"netns": "@host", "link": "v0", "mtu": mtu}}).to_string()
        + "\0"
}

fn oneway(mtu: u32) -> String {
    set(mtu).replace("\"method\"", "\"oneway\":true,\"method\"")
}

/// A host with a broker that alice can start, and netbrokerd beside it.
fn host() -> (Host, Daemon) {
    let host = mtu_host(Way::Setuid);
    let daemon = Daemon::start(&host, &[]);
    (host, daemon)
}

fn ways() -> [String; 2] {
    [format!("socket:{SOCKET}"), format!("program:{BROKER}")]
}

/// A bridge of alice's.
fn bridge<'host>(host: &'host Host, via: &str) -> Caller<'host> {
    host.as_uid(ALICE).groups(&[CALLERS]).program(&[TOOL, "bridge", "--via", via])
}

/// Each reply without what differs between processes.
fn answers(reply: &Reply) -> Vec<Value> {
    let mut messages = split(reply.stdout(), 0);
    for message in &mut messages {
        if let Some(parameters) = message["parameters"].as_object_mut() {
            parameters.remove("request");
        }
    }
    messages
}

#[test]
fn the_replies_to_all_messages_come_in_order_and_are_the_same_in_both_ways() {
    let (host, _daemon) = host();
    host.sh("for n in $(seq 40); do ip link add d$n type veth peer name e$n; done");
    let of = |interface: &str| json!({"method": "org.varlink.service.GetInterfaceDescription", "parameters": {"interface": interface}});
    let list = json!({"method": "io.netbroker.Link.List", "parameters": {"netns": "@host", "link": "lo"}});
    let more = json!({"method": "io.netbroker.Link.List", "parameters": {"netns": "@host"}, "more": true});
    let denied = json!({"method": "io.netbroker.Netns.Add", "parameters": {"netns": "x"}});
    let unknown = json!({"method": "io.netbroker.Bird.Fly"});
    let text = |value: &Value| value.to_string() + "\0";
    let all = [
        INFO.to_owned(),
        set(1400),
        text(&denied),
        oneway(1401),
        text(&list),
        text(&more),
        text(&unknown),
        oneway(14).replace("\"v0\"", "7"),
        text(&of("io.netbroker.Link")),
        set(1402),
    ]
    .concat();
    let mut heard = Vec::new();
    for via in ways() {
        host.forget_trail();
        let reply = bridge(&host, &via).raw(all.as_bytes());
        assert_eq!((reply.status(), reply.stderr().as_str()), (0, ""), "{via}: {reply}");
        assert_eq!(mtu(&host), "1402", "{via}");
        // Every request is alice's, and has a process of its own.
        let trail = host.trail();
        assert!(trail.iter().all(|record| record.field("NETBROKER_UID") == ALICE.to_string()), "{trail:#?}");
        let mtus: Vec<&str> = trail
            .iter()
            .filter(|record| record.field("NETBROKER_EVENT") == "permitted")
            .filter_map(|record| record.field("NETBROKER_FIELDS").split_once("\"mtu\":"))
            .map(|(_, rest)| rest.get(..4).unwrap())
            .collect();
        assert_eq!(mtus, ["1400", "1401", "1402"], "{via}: {trail:#?}");
        heard.push(answers(&reply));
    }
    let [over_socket, by_program] = &heard[..] else { panic!("{heard:#?}") };
    let streamed = over_socket.iter().filter(|message| message["continues"] == true).count();
    assert!(streamed > 0, "{over_socket:#?}");
    assert_eq!(over_socket.len(), 8 + streamed);
    assert_eq!(over_socket[0]["parameters"]["product"], "netbroker");
    assert_eq!(over_socket[1], json!({"parameters": {}}));
    assert_eq!(over_socket[2]["error"], "io.netbroker.Netns.Denied");
    assert_eq!(over_socket[3]["parameters"]["links"][0]["link"], "lo");
    assert_eq!(over_socket[5 + streamed]["error"], "org.varlink.service.InterfaceNotFound");
    // The list is in other parts where other links are looked up meanwhile, so only what it has is compared.
    let flat = |messages: &[Value]| -> Vec<Value> {
        let links = |message: &Value| message["parameters"]["links"].as_array().cloned();
        messages.iter().flat_map(|message| links(message).unwrap_or_else(|| vec![message.clone()])).collect()
    };
    let names = |messages: &[Value]| -> Vec<Value> {
        flat(messages)
            .into_iter()
            .map(|value| if value["link"].is_string() { value["link"].clone() } else { value })
            .collect()
    };
    assert_eq!(names(over_socket), names(by_program));
}

#[test]
fn a_bridge_answers_while_its_input_stays_open() {
    let (host, _daemon) = host();
    for via in ways() {
        let script = format!(
            r#"use strict; use IPC::Open2;
            my $pid = open2(my $from, my $to, "{TOOL}", "bridge", "--via", "{via}"); $/ = "\0";
            for my $message (@ARGV) {{ print $to "$message\0"; $to->flush; print scalar <$from> }}
            close $to; print "more\0" if defined <$from>; waitpid $pid, 0; exit $? >> 8"#
        );
        let messages = [set(1400), INFO.to_owned(), set(1401)].map(|message| message.trim_end_matches('\0').to_owned());
        let words = [&["perl", "-e", &script][..], &messages.each_ref().map(String::as_str)].concat();
        let ran = host.as_uid(ALICE).groups(&[CALLERS]).run(&words);
        assert_eq!(split(ran.ok().as_bytes(), 0).len(), 3, "{via}: {ran}");
        assert_eq!(mtu(&host), "1401", "{via}");
    }
}

#[test]
fn non_blocking_descriptors_of_the_caller_are_waited_for() {
    let (host, _daemon) = host();
    for via in ways() {
        // The input comes late, and the output is read late, when its pipe is full.
        let script = format!(
            r#"use strict; use Fcntl; use POSIX ();
            pipe(my $from, my $in); pipe(my $out, my $to);
            fcntl($_, F_SETFL, O_NONBLOCK) or die for $from, $to;
            my $pid = fork // die;
            if (!$pid) {{ close $in; close $out; POSIX::dup2(fileno $from, 0); POSIX::dup2(fileno $to, 1); exec "{TOOL}", "bridge", "--via", "{via}" }}
            close $from; close $to; my $writer = fork // die;
            if (!$writer) {{ close $out; select undef, undef, undef, 0.2; print $in "$ARGV[0]\0" x 30; POSIX::_exit(0) if close $in }}
            close $in; select undef, undef, undef, 1; print while <$out>;
            waitpid $writer, 0; waitpid $pid, 0; exit $? >> 8"#
        );
        let describe = json!({"method": "org.varlink.service.GetInterfaceDescription",
            "parameters": {"interface": "io.netbroker.Link"}});
        let ran = host.as_uid(ALICE).groups(&[CALLERS]).run(&["perl", "-e", &script, &describe.to_string()]);
        let out = ran.ok();
        assert!(out.len() > 200_000, "{via}: {}", out.len());
        assert_eq!(split(out.as_bytes(), 0).len(), 30, "{via}");
    }
}

#[test]
fn input_that_is_not_a_message_ends_the_bridge_with_the_reason() {
    let (host, _daemon) = host();
    let [socket, program] = ways();
    let long = format!("{}{}\0", set(1300).trim_end_matches('\0'), " ".repeat(1 << 20));
    for (via, sent, answered, status, said) in [
        (&socket, "{\"method\"".to_owned(), 0, 65, "the input ends within a message; each message ends with NUL"),
        (&program, "{\"method\"".to_owned(), 0, 65, "the input ends within a message; each message ends with NUL"),
        (&socket, long.clone(), 0, 65, "a message is longer than 1048576 bytes"),
        (&program, long, 0, 65, "a message is longer than 1048576 bytes"),
        (&socket, "nonsense\0".to_owned(), 0, 65, "the broker closed the connection: the request is not JSON"),
        (
            &socket,
            "{\"x\":1}\0".to_owned(),
            0,
            65,
            "the broker closed the connection: `x` is not a member of a request",
        ),
    ] {
        // What came before it is answered, and what comes after it is not sent.
        for (before, after) in [("", ""), (INFO, ""), (INFO, &*set(1300))] {
            let after = if sent.ends_with('\0') { after } else { "" };
            let reply = bridge(&host, via).raw(format!("{before}{sent}{after}").as_bytes());
            assert_eq!(reply.status(), status, "{via}: {reply}");
            assert_eq!(reply.stderr().lines().count(), 1, "{via}: {reply}");
            assert!(reply.stderr().starts_with(&format!("netbrokerctl: {said}")), "{via}: {reply}");
            assert_eq!(answers(&reply).len(), answered + usize::from(!before.is_empty()), "{via}: {reply}");
        }
    }
    assert_eq!(mtu(&host), "1500");
    // On a pipe, the broker answers what is malformed. Blanks at the end are not a message.
    let reply = bridge(&host, &program).raw(format!("nonsense\0{}\n", set(1400)).as_bytes());
    let errors: Vec<Value> = answers(&reply).iter().map(|answer| answer["error"].clone()).collect();
    assert_eq!((reply.status(), errors), (0, vec![json!("org.varlink.service.InvalidParameter"), Value::Null]));
    let nothing = bridge(&host, &socket).raw(b" \n");
    assert_eq!((nothing.status(), nothing.stdout(), nothing.stderr()), (0, &b""[..], String::new()));
}

#[test]
fn a_broker_that_is_not_reached_ends_the_bridge_with_the_status_of_a_call() {
    let (host, _daemon) = host();
    for (via, status, said) in [
        ("socket:/run/absent", 69, "cannot connect to /run/absent: No such file or directory; start its listener"),
        ("program:/absent/netbroker", 69, "cannot start /absent/netbroker: No such file or directory"),
        (&format!("sudo:{BROKER}"), 69, &format!("sudo did not start the broker (sudo:{BROKER})")),
        ("program:/bin/true", 74, "outcome unknown: the broker ended without a reply"),
        ("netbroker", 64, "expected `socket:PATH`, `program:PATH` or `sudo:PATH`"),
    ] {
        let reply = bridge(&host, via).raw(set(1400).as_bytes());
        assert_eq!((reply.status(), reply.stdout()), (status, &b""[..]), "{via}: {reply}");
        assert!(reply.stderr().contains(said), "{via}: {reply}");
    }
    // A socket that is not there is reported at once, before a message comes.
    assert_eq!(bridge(&host, "socket:/run/absent").raw(b"").status(), 69);
    assert_eq!(mtu(&host), "1500");
}

#[test]
fn a_broker_that_closes_the_connection_ends_the_bridge() {
    let host = mtu_host(Way::Setuid);
    let socket = format!("socket:{SOCKET}");
    let full = Daemon::start(
        &host,
        &["--connections", "1", "--connections-each", "1", "--requests", "1", "--requests-each", "1"],
    );
    let (mut first, second) = (bridge(&host, &socket).start(), bridge(&host, &socket));
    first.send(INFO.as_bytes());
    std::thread::sleep(Duration::from_secs(1));
    let refused = second.start(); // its input stays open
    std::thread::sleep(Duration::from_secs(1));
    full.signal(Signal::SIGTERM);
    for (mut running, answers) in [(refused, 0), (first, 1)] {
        until("it has ended", || running.ended());
        let reply = running.finish();
        assert_eq!((reply.status(), split(reply.stdout(), 0).len()), (75, answers), "{reply}");
        assert_eq!(reply.stderr(), "netbrokerctl: the broker closed the connection\n");
    }
    assert_eq!(full.end().code(), Some(0));

    let daemon = Daemon::start(&host, &[]);
    let mut running = bridge(&host, &socket).start();
    running.send(INFO.as_bytes());
    std::thread::sleep(Duration::from_secs(1));
    daemon.signal(Signal::SIGSTOP);
    running.send(set(1400).as_bytes());
    std::thread::sleep(Duration::from_millis(300));
    daemon.signal(Signal::SIGKILL);
    daemon.end();
    let reply = running.finish();
    assert_eq!((reply.status(), answers(&reply).len()), (74, 1), "{reply}");
    let why = "netbrokerctl: outcome unknown: the connection was closed without a reply\n";
    assert_eq!(reply.stderr(), why, "{reply}");
    assert_eq!(mtu(&host), "1500");

    // A message without a reply that was not taken.
    let daemon = Daemon::start(&host, &[]);
    let mut running = bridge(&host, &socket).start();
    running.send(INFO.as_bytes());
    std::thread::sleep(Duration::from_secs(1));
    daemon.signal(Signal::SIGSTOP);
    running.send(oneway(1400).as_bytes());
    running.end_input();
    std::thread::sleep(Duration::from_millis(300));
    daemon.signal(Signal::SIGKILL);
    daemon.end();
    let reply = running.finish();
    assert_eq!((reply.status(), answers(&reply).len()), (75, 1), "{reply}");
    assert_eq!(reply.stderr(), "netbrokerctl: the broker closed the connection before it took all messages\n");
    assert_eq!(mtu(&host), "1500");
}

/// What a client does that activates a service: perl functions. `started` executes a bridge with a socket as descriptor
/// 3, and returns its process id.
const ACTIVATE: &str = r#"
use strict; use Socket; use POSIX ();
sub started {
    my ($socket, %variables) = @_;
    my $pid = fork // die;
    return $pid if $pid;
    my $number = fileno $socket; POSIX::dup2($number, 3) // die if $number != 3;
    $^F = 3; fcntl($socket, 2, 0) if $number == 3;
    open STDIN, "</dev/null"; POSIX::dup2(2, 1);
    %ENV = (%ENV, LISTEN_FDS => 1, LISTEN_FDNAMES => "varlink", LISTEN_PID => $$, %variables);
    exec @ARGV or die;
}
sub heard { my $s = shift; my $heard = ""; until ($heard =~ /\0$/) { sysread($s, $heard, 65536, length $heard) or return "closed\0" } $heard }
sub asked { my ($s, $message) = @_; $SIG{PIPE} = "IGNORE"; syswrite($s, $message); heard($s) }
sub listener { my $path = shift; socket(my $l, PF_UNIX, SOCK_STREAM, 0); bind($l, pack_sockaddr_un($path)) or die "bind: $!"; listen($l, 8); $l }
sub connected { my $path = shift; socket(my $s, PF_UNIX, SOCK_STREAM, 0); connect($s, pack_sockaddr_un($path)) or die "connect: $!"; $s }
sub ended { my $pid = shift; my $end = time + 20; while (time < $end) { return $? >> 8 if waitpid($pid, POSIX::WNOHANG()) == $pid; select undef, undef, undef, 0.05 } "running" }
"#;

/// Runs a client's script as alice. Its arguments are the command of the bridge.
fn activate(host: &Host, via: &str, script: &str, messages: &[&str]) -> Output {
    start(host, &[TOOL, "bridge", "--via", via], script, messages)
}

fn start(host: &Host, command: &[&str], script: &str, messages: &[&str]) -> Output {
    let mut script = format!("{ACTIVATE}{script}");
    for (at, message) in messages.iter().enumerate() {
        script = script.replace(
            &format!("MESSAGE{at}"),
            &format!("qq'{}\\0'", message.trim_end_matches('\0').replace('@', "\\@")),
        );
    }
    let words = [&["perl", "-e", &script], command].concat();
    let caller = host.as_uid(ALICE).groups(&[CALLERS]).program(&words);
    caller.command().stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_passed_connection_carries_several_calls() {
    let (host, _daemon) = host();
    let script = r#"
        socketpair(my $ours, my $theirs, PF_UNIX, SOCK_STREAM, 0) or die;
        my $pid = started($theirs); close $theirs;
        print asked($ours, $_) for MESSAGE0, MESSAGE1, MESSAGE2;
        close $ours; print ended($pid), "\0";"#;
    for via in ways() {
        let output = activate(&host, &via, script, &[INFO, &set(1400), &set(1401)]);
        let heard = split(&output.stdout, 0);
        assert_eq!(heard[0]["parameters"]["product"], "netbroker", "{via}: {output:?}");
        assert_eq!(heard[1..], [json!({"parameters": {}}), json!({"parameters": {}}), json!(0)], "{via}: {output:?}");
        assert_eq!((mtu(&host).as_str(), output.stderr.len()), ("1401", 0), "{via}: {output:?}");
    }
}

/// `varlinkctl exec:PATH` starts a program without an argument.
#[test]
fn a_socket_that_is_passed_without_an_argument_is_bridged() {
    let host = mtu_host(Way::Setuid);
    let script = r#"
        socketpair(my $ours, my $theirs, PF_UNIX, SOCK_STREAM, 0) or die;
        my $pid = started($theirs, OTHER); close $theirs;
        print asked($ours, $_) for MESSAGE0, MESSAGE1;
        close $ours; print ended($pid), "\0";"#;
    let output = start(&host, &[TOOL], &script.replace("OTHER", ""), &[INFO, &set(1400)]);
    let heard = split(&output.stdout, 0);
    assert_eq!(heard[0]["parameters"]["product"], "netbroker", "{output:?}");
    assert_eq!(heard[1..], [json!({"parameters": {}}), json!(0)], "{output:?}");
    assert_eq!((mtu(&host).as_str(), output.stderr.len()), ("1400", 0), "{output:?}");
    // Where it is meant for another process, and with any other argument, this is the command line of the tool.
    for (command, variables) in [(&[TOOL][..], "LISTEN_PID => 1"), (&[TOOL, "policy"], "")] {
        let script = script.replace("OTHER", variables).replace("MESSAGE0, MESSAGE1", "()");
        let output = start(&host, command, &script, &[]);
        assert_eq!(split(&output.stdout, 0), [json!(64)], "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("Usage: netbrokerctl"), "{output:?}");
    }
}

#[test]
fn a_passed_listener_serves_several_connections_until_it_is_removed_or_its_owner_ends() {
    let (host, _daemon) = host();
    host.sh("chmod 1777 /run/scratch/d");
    // Two connections at once, and one after both; the listener does not block, as that of Python's client.
    let script = r#"
        use Fcntl;
        my $path = "/run/scratch/d/listener"; my $l = listener($path); fcntl($l, F_SETFL, O_NONBLOCK);
        my $pid = started($l); close $l;
        my ($first, $second) = (connected($path), connected($path));
        print asked($second, MESSAGE0), asked($first, MESSAGE1), asked($second, MESSAGE1);
        close $first; close $second; select undef, undef, undef, 1.5;
        my $third = connected($path); print asked($third, MESSAGE2);
        unlink $path; select undef, undef, undef, 1.5; print asked($third, MESSAGE0), "\"", waitpid($pid, POSIX::WNOHANG()), "\"\0";
        close $third; print ended($pid), "\0";"#;
    for via in ways() {
        let output = activate(&host, &via, script, &[INFO, &set(1400), &set(1401)]);
        let heard = split(&output.stdout, 0);
        let brief: Vec<&str> =
            heard.iter().map(|m| if m["parameters"]["product"] == "netbroker" { "info" } else { "" }).collect();
        assert_eq!(brief, ["info", "", "", "", "info", "", ""], "{via}: {output:?}");
        assert_eq!((&heard[5], &heard[6]), (&json!("0"), &json!(0)), "{via}: {output:?}");
        assert_eq!((mtu(&host).as_str(), output.stderr.len()), ("1401", 0), "{via}: {output:?}");

        // Its owner ends and leaves the socket behind.
        let left = r#"my $l = listener("/run/scratch/d/left"); print started($l); select undef, undef, undef, 1;"#;
        let output = activate(&host, &via, left, &[]);
        let pid: u32 = String::from_utf8(output.stdout).unwrap().parse().unwrap();
        until("the bridge has ended", || fs::metadata(format!("/proc/{pid}")).is_err());
        host.sh("rm /run/scratch/d/left");
    }
}

#[test]
fn what_has_arrived_is_relayed_before_sigterm_ends_the_bridge() {
    let (host, _daemon) = host();
    host.sh("chmod 1777 /run/scratch/d");
    // varlinkctl and the client of Python end what they started once they have closed the connection.
    let over_connection = r#"
        socketpair(my $ours, my $theirs, PF_UNIX, SOCK_STREAM, 0) or die;
        my $pid = started($theirs); close $theirs; BEGUN
        syswrite($ours, MESSAGE0); syswrite($ours, MESSAGE1); close $ours;
        kill TERM => $pid; print ended($pid), "\0";"#;
    let over_listener = r#"
        my $path = "/run/scratch/d/listener"; my $l = listener($path); my $pid = started($l); close $l;
        my $ours = connected($path); BEGUN
        syswrite($ours, MESSAGE0); syswrite($ours, MESSAGE1); close $ours;
        kill TERM => $pid; print ended($pid), "\0"; unlink $path;"#;
    for via in ways() {
        for (script, base) in [(over_connection, 1300), (over_listener, 1400)] {
            for round in 0..5 {
                let (first, second) = (base + 2 * round, base + 2 * round + 1);
                let script = script.replace("BEGUN", "asked($ours, MESSAGE2);");
                let output = activate(&host, &via, &script, &[&oneway(first), &oneway(second), INFO]);
                assert_eq!(split(&output.stdout, 0), [json!(0)], "{via}: {output:?}");
                assert_eq!((mtu(&host), output.stderr.len()), (second.to_string(), 0), "{via}: {output:?}");
            }
        }
        // Nothing has arrived, and the caller keeps the connection, or does not connect.
        let idle = r#"
            socketpair(my $ours, my $theirs, PF_UNIX, SOCK_STREAM, 0) or die;
            my $pid = started($theirs); close $theirs; asked($ours, MESSAGE0); kill TERM => $pid; print ended($pid), "\0";"#;
        let waiting = r#"
            my $path = "/run/scratch/d/listener"; my $l = listener($path); my $pid = started($l);
            my $ours = connected($path); asked($ours, MESSAGE0); kill TERM => $pid; print ended($pid), "\0"; unlink $path;"#;
        for script in [idle, waiting] {
            let output = activate(&host, &via, script, &[INFO]);
            assert_eq!((split(&output.stdout, 0), output.stderr.len()), (vec![json!(0)], 0), "{via}: {output:?}");
        }
        let mut running = bridge(&host, &via).start();
        running.send(INFO.as_bytes());
        std::thread::sleep(Duration::from_secs(1));
        running.signal(Signal::SIGTERM);
        until("it has ended", || running.ended());
        assert_eq!(running.finish().status(), 0, "{via}");
    }
}

#[test]
fn a_broker_that_a_bridge_starts_gets_signals_as_usual_and_nothing_that_was_passed() {
    let host = mtu_host(Way::Setuid);
    let program =
        "#!/bin/sh\ngrep SigBlk /proc/self/status; readlink /proc/self/fd/* | grep socket: || echo none; env\n";
    fs::write("/run/scratch/program", program).unwrap();
    host.sh("chmod 755 /run/scratch/program");
    let script = r#"
        socketpair(my $ours, my $theirs, PF_UNIX, SOCK_STREAM, 0) or die;
        my $pid = started($theirs); close $theirs;
        syswrite($ours, MESSAGE0); print while <$ours>; ended($pid)"#;
    let output = activate(&host, "program:/run/scratch/program", script, &[INFO]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(text, "SigBlk:\t0000000000000000\nnone\nPWD=/\n", "{output:?}");
}

#[test]
fn one_connection_of_a_listener_ends_and_the_others_do_not() {
    let (host, _daemon) = host();
    host.sh("chmod 1777 /run/scratch/d");
    let script = r#"
        my $path = "/run/scratch/d/listener"; my $l = listener($path);
        my $pid = started($l); close $l;
        my ($first, $second) = (connected($path), connected($path));
        print asked($first, MESSAGE0), asked($second, "nonsense\0") eq "closed\0" ? "1\0" : "0\0", asked($first, MESSAGE0);
        unlink $path; close $first; print ended($pid), "\0";"#;
    let output = activate(&host, &format!("socket:{SOCKET}"), script, &[&set(1400)]);
    let heard = split(&output.stdout, 0);
    assert_eq!(heard[..3], [json!({"parameters": {}}), json!(1), json!({"parameters": {}})], "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said.lines().count(), 1, "{output:?}");
    assert!(said.contains("the broker closed the connection: the request is not JSON"), "{said}");
}

#[test]
fn a_broker_that_is_not_reached_ends_a_bridge_that_listens() {
    let (host, _daemon) = host();
    host.sh("chmod 1777 /run/scratch/d");
    let script = r#"
        my $path = "/run/scratch/d/listener"; my $l = listener($path);
        my $pid = started($l); close $l;
        print asked(connected($path), MESSAGE0) eq "closed\0" ? "1\0" : "0\0"; print ended($pid), "\0"; unlink $path;"#;
    for via in ["socket:/run/absent", "program:/absent/netbroker"] {
        let output = activate(&host, via, script, &[INFO]);
        assert_eq!(split(&output.stdout, 0), [json!(1), json!(69)], "{via}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("netbrokerctl: cannot "), "{via}: {output:?}");
    }
}

#[test]
fn what_is_passed_must_be_one_socket_and_meant_for_this_process() {
    let (host, _daemon) = host();
    let with = |descriptor: &str, variables: &str| {
        let script = format!("my $pid = started({descriptor}{variables}); print ended($pid), qq'\\0';");
        let output = activate(&host, &format!("socket:{SOCKET}"), &script, &[]);
        (split(&output.stdout, 0)[0].clone(), String::from_utf8(output.stderr).unwrap())
    };
    let socket = "do { socket(my $s, PF_UNIX, SOCK_STREAM, 0); $s }";
    let datagrams = "do { socket(my $s, PF_UNIX, SOCK_DGRAM, 0); $s }";
    let other = "do { socket(my $s, PF_INET, SOCK_STREAM, 0); $s }";
    let file = "do { open my $f, '<', '/dev/null'; $f }";
    for (descriptor, variables, status, said) in [
        (socket, ", LISTEN_FDS => 2", 64, "LISTEN_FDS is `2`, but only one socket can be passed"),
        (socket, ", LISTEN_FDS => 'x'", 64, "LISTEN_FDS is `x`, but only one socket can be passed"),
        (datagrams, "", 64, "LISTEN_FDS is set, but descriptor 3 is not a Unix stream socket"),
        (other, "", 64, "LISTEN_FDS is set, but descriptor 3 is not a Unix stream socket"),
        (file, "", 64, "LISTEN_FDS is set, but descriptor 3 is not a Unix stream socket"),
        // Standard input, which is empty.
        (socket, ", LISTEN_PID => 1", 0, ""),
        (socket, ", LISTEN_FDS => 0", 0, ""),
    ] {
        let expected = if said.is_empty() { String::new() } else { format!("netbrokerctl: {said}\n") };
        assert_eq!(with(descriptor, variables), (json!(status), expected), "{descriptor}{variables}");
    }
}

#[test]
fn a_bridge_lends_its_user_to_nobody_else() {
    let (host, _daemon) = host();
    // Bob connects to a socket on which alice lets a bridge listen, and root hands alice's bridge a connection of bob's.
    let path = "/run/scratch/shared";
    let script = format!(
        r#"my $l = listener("{path}"); chmod 0666, "{path}"; my $pid = started($l); close $l;
        print "ready\n"; $| = 1; print ended($pid)"#
    );
    let words = ["perl", "-e", &format!("$| = 1;{ACTIVATE}{script}"), TOOL, "bridge", "--via", &ways()[0]];
    let mut alice = host.as_uid(ALICE).groups(&[CALLERS]).program(&words).command();
    let child = alice.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("it listens", || fs::metadata(path).is_ok());
    std::thread::sleep(Duration::from_secs(1));
    let ask = format!(r#"{ACTIVATE} my $s = connected("{path}"); print asked($s, $ARGV[0] . "\0")"#);
    let ask_as = |uid: u32| {
        let set = set(1400);
        Ran::run(&mut host.as_uid(uid).program(&["perl", "-e", &ask, set.trim_end_matches('\0')]).command())
    };
    assert_eq!(ask_as(ALICE).stdout(), DONE);
    assert_eq!(ask_as(0).stdout(), DONE, "root could become alice");
    let bob = ask_as(BOB);
    assert_eq!(bob.stdout(), "closed\0", "{bob}");
    assert_eq!(ask_as(ALICE).stdout(), DONE, "the bridge continues");
    fs::remove_file(path).unwrap();
    let output = child.wait_with_output().unwrap();
    let why = format!("netbrokerctl: the caller is the user {BOB}; a bridge serves only the user who started it\n");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), why);
    assert!(host.trail().iter().all(|record| record.field("NETBROKER_UID") == ALICE.to_string()));
}

#[test]
fn a_bridge_of_the_default_way_takes_the_socket_where_a_process_listens_and_the_program_otherwise() {
    let host = mtu_host(Way::Setuid);
    host.policy(MTU_POLICY);
    let caller = host.as_uid(ALICE).groups(&[CALLERS]).program(&[TOOL, "bridge"]);
    let way = || {
        let reply = caller.raw([set(1400), set(1401)].concat().as_bytes());
        assert_eq!(reply.stdout(), [DONE, DONE].concat().as_bytes(), "{reply}");
        let ways: Vec<String> = host.trail().iter().map(|record| record.field("NETBROKER_WAY").to_owned()).collect();
        host.forget_trail();
        assert!(ways.len() == 4 && ways.iter().all(|way| *way == ways[0]), "{ways:?}");
        ways[0].clone()
    };
    assert_eq!(way(), "exec");
    let mut command = host.command(common::DAEMON);
    let daemon = Daemon::spawn(command.args(["--group", &CALLERS.to_string()]));
    until("it listens", || std::os::unix::net::UnixStream::connect("/run/netbroker/socket").is_ok());
    assert_eq!(way(), "socket");
    drop(daemon);
    assert_eq!(way(), "exec", "the socket is there, and nobody listens");
    host.sh(&format!("rm {BROKER}"));
    let reply = caller.raw(set(1400).as_bytes());
    assert_eq!(reply.status(), 69, "{reply}");
    let why = "cannot connect to /run/netbroker/socket: Connection refused; cannot start \
               /usr/libexec/netbroker/netbroker: No such file or directory; install netbroker and start netbrokerd";
    assert!(reply.stderr().contains(why), "{reply}");
}
