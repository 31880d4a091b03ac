// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The listener that netbroker(8) prints. It is run as it is printed, and does what the page requires of a listener.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::daemon::{CLIENT, serve};
use common::scene::{MTU_POLICY, MTU_REQUEST, mtu, mtu_host, only_refusals, split};
use common::{ALICE, BOB, BROKER, Background, CALLERS, Caller, Host, NETBROKER, Reply, Way};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const SOCKET: &str = "/run/scratch/listener";
const INFO: &str = "{\"method\":\"org.varlink.service.GetInfo\"}\0";

/// The example, without the markup of the manual page.
fn printed() -> String {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/man/netbroker.8")).unwrap();
    let section = page.split("\n.Sh LISTENERS\n").nth(1).unwrap().split("\n.Sh ").next().unwrap();
    let (_, rest) = section.split_once(".Bd -literal -offset indent\n").unwrap();
    rest.split_once(".Ed\n").unwrap().0.replace("\\e", "\\").replace("\\&", "")
}

/// Runs it as root.
fn listen(host: &Host) -> Background {
    fs::write("/run/scratch/listener.py", printed()).unwrap();
    let running =
        host.background(&format!("exec /usr/bin/python3 /run/scratch/listener.py {SOCKET} netbroker-callers"));
    let since = Instant::now();
    while host.sh(&format!("stat -c '%a %g' {SOCKET} 2>/dev/null || true")) != format!("660 {CALLERS}\n") {
        assert!(since.elapsed() < Duration::from_secs(20), "the listener does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    running
}

/// Sends each of these over one connection. Before the next one, it reads what comes back up to a NUL or the end.
fn converse(caller: &Caller<'_>, messages: &[&str]) -> Reply {
    let script = format!(
        r#"use strict; use Socket;
        socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die; connect($s, pack_sockaddr_un("{SOCKET}")) or die "connect: $!";
        $SIG{{PIPE}} = "IGNORE";
        for my $message (@ARGV) {{
            $message =~ s/\\0/\0/g;
            syswrite($s, $message) or last;
            my $heard = "";
            until ($heard =~ /\0$/) {{ sysread($s, $heard, 65536, length $heard) or print("closed\0"), exit }}
            print $heard;
        }}"#
    );
    let messages: Vec<String> = messages.iter().map(|message| message.replace('\0', "\\0")).collect();
    let words: Vec<&str> = ["perl", "-e", &script].into_iter().chain(messages.iter().map(String::as_str)).collect();
    caller.clone().program(&words).raw(b"")
}

fn call(mtu: u32) -> String {
    MTU_REQUEST.replace("1400", &mtu.to_string()) + "\0"
}

#[test]
fn the_printed_listener_has_twenty_lines_and_serves_one_call_after_another_on_one_connection() {
    let lines = printed().lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= 20, "{lines}");
    let host = mtu_host(Way::Root);
    let _listener = listen(&host);
    let alice = host.as_uid(ALICE).groups(&[CALLERS]);
    let unknown = call(1300).replace("Link.Set", "Link.Sat");
    let wrong = call(1300).replace("\"link\":\"v0\"", "\"link\":\"\"");
    let absent = call(1300).replace("v0", "absent");
    let heard = converse(&alice, &[&call(1400), &absent, &wrong, &unknown, INFO, &call(1410)]);
    let errors: Vec<Value> = split(heard.stdout(), 0).iter().map(|message| message["error"].clone()).collect();
    let expected = json!([
        null,
        "io.netbroker.Link.NoSuchLink",
        "io.netbroker.Link.InvalidRequest",
        "org.varlink.service.MethodNotFound",
        null,
        null
    ]);
    assert_eq!(Value::from(errors), expected, "{heard}");
    assert_eq!(mtu(&host), "1410");
    let trail = host.trail();
    assert!(
        trail.iter().all(|record| (record.uid, record.field("NETBROKER_UID")) == (NETBROKER, "64123")),
        "{trail:?}"
    );
    assert!(trail.iter().all(|record| record.field("NETBROKER_WAY") == "peer"), "{trail:?}");
}

#[test]
fn the_printed_listener_closes_a_connection_on_which_something_else_than_a_request_came() {
    let host = mtu_host(Way::Root);
    let _listener = listen(&host);
    let alice = host.as_uid(ALICE).groups(&[CALLERS]);
    let before = host.snapshot(&[]);
    let heard = converse(&alice, &["nonsense\0", &call(1400)]);
    assert_eq!(heard.stdout(), b"closed\0", "{heard}");
    assert_eq!(host.snapshot(&[]), before);
    only_refusals(&host);
    let heard = converse(&alice, &[&call(1400)]);
    assert_eq!(
        (heard.stdout(), mtu(&host).as_str()),
        (&b"{\"parameters\":{}}\0"[..], "1400"),
        "the listener still runs"
    );
}

#[test]
fn a_listener_can_tell_an_answer_from_the_end_of_a_connection_by_the_exit_status() {
    let host = mtu_host(Way::Root);
    let alice = host.as_uid(ALICE);
    let before = host.snapshot(&[]);
    let unknown = call(1300).replace("Link.Set", "Link.Sat");
    let half = "shutdown($s, 1); hear($s);";
    let client = |after: &str| format!("my $s = connected(); send_all($s, $request); {after}");
    for (what, sent, script, status) in [
        ("nothing", "", "my $s = connected(); close $s;".to_owned(), 66),
        ("blanks", " \n", client("close $s;"), 66),
        ("only a question", INFO, client(half), 66),
        ("nonsense", "nonsense\0", CLIENT.to_owned(), 76),
        ("half a request", "{\"method\"", client(half), 76),
        ("half a request after a question", &format!("{INFO}{{"), client(half), 76),
        ("a method that does not exist", &unknown, CLIENT.to_owned(), 65),
        ("a call of a link that does not exist", &call(1300).replace("v0", "absent"), CLIENT.to_owned(), 1),
    ] {
        let (heard, broker) = serve(&host, &alice, &script, sent.as_bytes(), true);
        assert_eq!(broker.status.code(), Some(status), "{what}: {broker:?} {heard}");
        let answers = split(heard.stdout(), 0).len();
        assert_eq!(answers, usize::from(status < 66) + sent.matches("GetInfo").count(), "{what}: {heard}");
    }
    assert_eq!(host.snapshot(&[]), before);
}

#[test]
fn a_connection_that_is_idle_after_an_answer_stays_open_and_one_that_is_idle_before_is_closed() {
    let host = mtu_host(Way::Root);
    let host = &host;
    std::thread::scope(|scope| {
        for (sent, status) in [(INFO.to_owned(), 0), (String::new(), 76), (format!("{INFO}{{"), 76)] {
            scope.spawn(move || {
                let mut running = host.as_root().args(&["--peer"]).start_on_socket();
                running.send(sent.as_bytes());
                let reply = running.finish(); // the socket stays open
                assert_eq!(reply.status(), status, "{sent:?}: {reply}");
            });
        }
    });
}

#[test]
fn the_tool_reaches_the_broker_by_its_program_by_sudo_and_by_a_socket() {
    let set = |via: &str, mtu: u32| {
        let words = ["call", "--json", "--via", via, "Link.Set", "netns=@host", "link=v0"].map(str::to_owned);
        [&words[..], &[format!("mtu={mtu}")]].concat()
    };
    let run =
        |caller: &Caller<'_>, words: &[String]| caller.tool(&words.iter().map(String::as_str).collect::<Vec<_>>());
    for (way, via) in [
        (Way::Setuid, format!("program:{BROKER}")),
        (Way::Sudo, format!("sudo:{BROKER}")),
        (Way::Root, format!("socket:{SOCKET}")),
    ] {
        let host = mtu_host(way.clone());
        host.policy(&MTU_POLICY.replace("who = \"*\"", "who = \"user:alice\""));
        let _listener = (way == Way::Root).then(|| listen(&host));
        let caller = |uid| host.as_uid(uid).groups(&[CALLERS]);
        let done = run(&caller(ALICE), &set(&via, 1400));
        assert_eq!((done.ok().as_str(), mtu(&host).as_str()), ("{}\n", "1400"), "{via}");
        let denied = run(&caller(BOB), &set(&via, 1300));
        assert_eq!((denied.status(), mtu(&host).as_str()), (77, "1400"), "{via}: {denied}");
        assert!(denied.stderr().starts_with("netbrokerctl: Denied: call=Link.Set "), "{via}: {denied}");
        let listed = caller(ALICE).tool(&["call", "--more", "--via", &via, "Link.List", "netns=@host"]);
        assert!(listed.ok().contains("\"v0\""), "{via}: {listed}");
    }
}

#[test]
fn a_broker_that_cannot_be_reached_is_named_with_the_way() {
    let host = mtu_host(Way::Root);
    let before = host.snapshot(&[]);
    let alice = host.as_uid(ALICE);
    fs::write("/run/scratch/file", "").unwrap();
    for (via, status, said) in [
        (
            "program:/absent/netbroker",
            69,
            "cannot start /absent/netbroker: No such file or directory; install netbroker",
        ),
        ("socket:/run/absent", 69, "cannot connect to /run/absent: No such file or directory; start its listener"),
        ("socket:/run/scratch/file", 69, "cannot connect to /run/scratch/file: Permission denied"),
        (&format!("sudo:{BROKER}"), 69, &format!("sudo did not start the broker (sudo:{BROKER})")),
        (BROKER, 64, "expected `socket:PATH`, `program:PATH` or `sudo:PATH`"),
        ("program:netbroker", 64, "the path must contain a slash"),
    ] {
        let ran = alice.tool(&["call", "--via", via, "Link.List", "netns=@host"]);
        assert_eq!(ran.status(), status, "{via}: {ran}");
        assert!(ran.stderr().contains(said), "{via}: {ran}");
    }
    assert_eq!(host.snapshot(&[]), before);
}
