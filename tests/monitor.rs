// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl monitor` reads the trail from a real journald: decisions are joined with their outcomes, filters
//! apply, and what another user sent is counted but not shown.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::socket::{Client, Daemon};
use common::{ALICE, BOB, Host, Journald, NETBROKER, Ran, TOOL};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const POLICY: &str = r#"
[[allow]]
id = "links"
who = ["user:alice", "user:bob"]
call = ["Link.Set", "Link.List"]
netns = ["@host", "n*"]
link = ["v0", "a-*"]
free = ["mtu", "alias"]

[[deny]]
id = "small"
who = "*"
call = "Link.Set"
mtu = "0..1279"
"#;

/// `MESSAGE_ID` of three events, as netbroker(8) documents them.
const REFUSED: &str = "7c0f3a6ad8e94d0fb1c5d2a2b9a5e0c1";
const PERMITTED: &str = "e6a3b1a0c5f14a5d9f0e7d4c2b8a1f36";
const OUTCOME: &str = "2b9d8c4f6e1a4b7c8d3f5a6e7b0c9d12";

fn host() -> Host {
    let host = Host::builder().no_trail().build();
    host.ip("link add v0 type veth peer name v1");
    host
}

/// Makes a request; the name of its error, if it has one.
fn set(host: &Host, uid: u32, link: &str, mtu: u32) -> String {
    let reply = host.as_uid(uid).call("Link.Set", json!({"netns": "@host", "link": link, "mtu": mtu}));
    if reply.status() == 0 { String::new() } else { reply.error() }
}

/// Five decisions: done, denied, refused by silence, failed, invalid.
fn five(host: &Host, journald: &Journald<'_>) {
    host.policy(POLICY);
    assert_eq!(set(host, ALICE, "v0", 1400), "");
    assert_eq!(set(host, ALICE, "v0", 1000), "io.netbroker.Link.Denied");
    assert_eq!(set(host, BOB, "v1", 1400), "io.netbroker.Link.Denied");
    assert_eq!(set(host, BOB, "a-1", 1400), "io.netbroker.Link.NoSuchLink");
    let invalid = host.as_uid(BOB).call("Link.Set", json!({"netns": "@host", "link": "v0", "mtu": "x"}));
    assert_eq!(invalid.error(), "io.netbroker.Link.InvalidRequest");
    journald.wait_for("InvalidRequest");
}

fn monitor(host: &Host, words: &[&str]) -> Ran {
    host.tool(&[&["monitor", "--no-follow"], words].concat())
}

/// The lines of a table, each as its words, without the heading and the times.
fn rows(ran: &Ran) -> Vec<Vec<String>> {
    let text = ran.ok();
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("TIME  "), "{text}");
    lines.map(|line| line.split_whitespace().skip(1).map(str::to_owned).collect()).collect()
}

/// Caller, call, decision and rule of each line.
fn decisions(ran: &Ran) -> Vec<String> {
    rows(ran).iter().map(|row| [&row[0], &row[1], &row[4], &row[5]].map(String::as_str).join(" ")).collect()
}

#[test]
fn each_decision_is_one_aligned_line_and_has_its_outcome() {
    let host = host();
    let journald = Journald::start(&host);
    five(&host, &journald);
    let ran = monitor(&host, &[]);
    assert_eq!(ran.stderr(), "", "{ran}");
    let expected = [
        "0(root) - installed -".to_owned(),
        format!("{ALICE}(alice) Link.Set permitted links"),
        format!("{ALICE}(alice) Link.Set refused small"),
        format!("{BOB}(bob) Link.Set refused -"),
        format!("{BOB}(bob) Link.Set permitted links"),
        format!("{BOB}(bob) Link.Set refused -"),
    ];
    assert_eq!(decisions(&ran), expected, "{ran}");
    let rows = rows(&ran);
    assert_eq!(rows[1][2..4], ["@host", "v0"]);
    assert!(rows[1][6].ends_with("ms") && rows[1][7..] == ["done"], "{ran}");
    assert_eq!(rows[2][6..].join(" "), "- Denied: field=mtu reason=\"a deny forbids it\"");
    assert_eq!(rows[3][2..4], ["@host", "v1"]);
    assert_eq!(rows[3][6..].join(" "), "- Denied: field=link reason=\"no allow permits it\" nearest_rule=links");
    assert!(rows[4][6].ends_with("ms") && rows[4][7..].join(" ").starts_with("NoSuchLink: "), "{ran}");
    assert!(rows[5][6..].join(" ").starts_with("- InvalidRequest: field=mtu "), "{ran}");
    let text = ran.ok();
    let column = |line: &str, word: &str| line.find(word).unwrap_or_else(|| panic!("{word}: {line}"));
    let lines: Vec<&str> = text.lines().collect();
    for (line, word) in [(1, "installed"), (2, "permitted"), (3, "refused"), (6, "refused")] {
        assert_eq!(column(lines[line], word), column(lines[0], "DECISION"), "{text}");
    }
    let time = lines[1].split(' ').next().unwrap();
    assert!(time.len() == 24 && time.ends_with('Z') && time.as_bytes()[10] == b'T', "{text}");
}

#[test]
fn filters_select_decisions_and_the_newest_of_them() {
    let host = host();
    let journald = Journald::start(&host);
    five(&host, &journald);
    let alice = ALICE.to_string();
    for (words, count) in [
        (&["--refused"][..], 3),
        (&["--uid", "alice"], 2),
        (&["--uid", &alice], 2),
        (&["--uid", "bob", "--refused"], 2),
        (&["--uid", "bob", "--uid", "alice"], 5),
        (&["--rule", "link?"], 2),
        (&["--rule", "small", "--rule", "links"], 3),
        (&["--call", "Link.*"], 5),
        (&["--call", "Address.*"], 0),
        (&["--netns", "@host"], 4), // the fields of a request that is not valid are not recorded
        (&["--netns", "n*"], 0),
        (&["--lines", "0"], 0),
        (&["--lines", "2"], 2),
        (&["--since", "-1h"], 6),
        (&["--since", "-1h", "--lines", "3"], 3),
        (&["--since", "-1h", "--refused"], 3),
        (&["--since", "2100-01-01"], 0),
    ] {
        let ran = monitor(&host, words);
        assert_eq!((rows(&ran).len(), ran.stderr().as_str()), (count, ""), "{words:?}: {ran}");
    }
    let newest = monitor(&host, &["--lines", "2", "--uid", "alice"]);
    assert_eq!(
        decisions(&newest),
        [format!("{ALICE}(alice) Link.Set permitted links"), format!("{ALICE}(alice) Link.Set refused small")]
    );
    // The outcome is not a decision of its own, and its permission is found before it.
    let failed = monitor(&host, &["--lines", "1", "--rule", "links"]);
    assert!(rows(&failed)[0][7..].join(" ").starts_with("NoSuchLink: "), "{failed}");
}

#[test]
fn as_json_a_decision_has_all_that_was_recorded() {
    let host = host();
    let journald = Journald::start(&host);
    five(&host, &journald);
    let ran = monitor(&host, &["--json", "--uid", "alice"]);
    let text = ran.ok();
    let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 2, "{ran}");
    let (permitted, refused) = (&objects[0], &objects[1]);
    for (name, value) in [
        ("decision", json!("permitted")),
        ("uid", json!(ALICE)),
        ("gid", json!(ALICE)),
        ("user", json!("alice")),
        ("call", json!("Link.Set")),
        ("fields", json!({"netns": "@host", "link": "v0", "mtu": 1400})),
        ("rule", json!("links")),
        ("result", json!("done")),
        ("way", json!("exec")),
    ] {
        assert_eq!(permitted[name], value, "{name}: {permitted}");
    }
    assert!(permitted["duration_us"].as_u64().unwrap() > 0 && permitted["policy"].as_str().unwrap().len() == 64);
    assert_eq!(permitted["request"].as_str().unwrap().len(), 32);
    assert_eq!((&refused["decision"], &refused["rule"]), (&json!("refused"), &json!("small")));
    assert!(refused["result"].as_str().unwrap().starts_with("Denied: call=Link.Set field=mtu "), "{refused}");
}

#[test]
fn what_another_user_sent_is_counted_and_not_shown() {
    let host = host();
    let journald = Journald::start(&host);
    five(&host, &journald);
    let forged = |id: &str| {
        [("MESSAGE_ID", id), ("MESSAGE", "forged"), ("NETBROKER_REQUEST", "00ff")]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
    };
    for (uid, id) in [(ALICE, REFUSED), (BOB, PERMITTED), (BOB, OUTCOME), (0, REFUSED)] {
        let fields = forged(id);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        // Only journald sets fields whose names begin with an underscore.
        let claims =
            [("_UID", "64000"), ("_TRANSPORT", "journal"), ("NETBROKER_CALL", "Link.Set"), ("NETBROKER_UID", "64123")];
        journald.send(uid, &[&fields[..], &claims].concat());
    }
    // The uid of netbroker over another protocol, through which whoever directs a reply there chooses the text.
    let syslog = "use Socket; socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die $!; \
        connect($s, pack_sockaddr_un('/run/systemd/journal/dev-log')) or die $!; syswrite($s, $ARGV[0]) or die $!";
    let line = format!("<86>netbroker: MESSAGE_ID={REFUSED} event=refused");
    host.as_uid(NETBROKER).groups(&[]).run(&["perl", "-e", syslog, &line]).ok();
    journald.send(BOB, &[("MESSAGE", "the last record")]);
    journald.wait_for("the last record");
    let total = format!(
        "netbrokerctl: not shown: 4 forged records by the uids 0, {ALICE}, {BOB}, with the message ids of netbroker, \
         but not sent by the user netbroker\n"
    );
    for words in [&["--since", "-1h"][..], &["--lines", "100"]] {
        let ran = monitor(&host, words);
        assert_eq!((rows(&ran).len(), ran.stderr()), (6, total.clone()), "{ran}");
    }
    assert_eq!(monitor(&host, &["--since", "-1h", "--json", "--call", "none"]).stdout(), "");
}

#[test]
fn text_that_a_terminal_would_obey_is_made_harmless() {
    let host = host();
    let journald = Journald::start(&host);
    // A parser that was taken over writes what it likes in netbroker's name.
    let fields = [
        ("MESSAGE_ID", REFUSED),
        ("MESSAGE", "odd"),
        ("NETBROKER_CALL", "Link\u{202e}teS."),
        ("NETBROKER_RESULT", "a\u{9b}2Jb"),
    ];
    journald.send(NETBROKER, &fields);
    journald
        .send(NETBROKER, &[("MESSAGE_ID", REFUSED), ("MESSAGE", "large"), ("NETBROKER_RESULT", &"x".repeat(140_000))]);
    journald.wait_for("large");
    let ran = monitor(&host, &[]);
    assert!(ran.stdout().contains("Link\u{fffd}teS.") && ran.stdout().lines().count() == 2, "{ran}");
    assert!(!ran.stdout().contains(['\u{202e}', '\u{9b}']), "{ran}");
    assert!(ran.stderr().contains("1 forged record,"), "{ran}");
}

/// A monitor that follows the trail, with its output in files. It is killed when this is dropped.
struct Following {
    process: Child,
    name: String,
}

impl Following {
    fn start(host: &Host, name: &str, words: &[&str]) -> Self {
        let file = |ending: &str| File::create(format!("/run/scratch/{name}.{ending}")).unwrap();
        let mut command = host.command(TOOL);
        command.arg("monitor").args(words).stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
        Self { process: command.spawn().unwrap(), name: name.to_owned() }
    }

    fn read(&self, ending: &str) -> String {
        fs::read_to_string(format!("/run/scratch/{}.{ending}", self.name)).unwrap()
    }

    /// The lines so far, without the heading.
    fn lines(&self) -> Vec<String> {
        let text = self.read("out");
        text.lines().filter(|line| !line.starts_with("TIME ")).map(str::to_owned).collect()
    }

    fn wait(&self, what: &str, is_there: impl Fn(&Self) -> bool) {
        let since = Instant::now();
        while !is_there(self) {
            assert!(since.elapsed() < Duration::from_secs(60), "{what}: {}{}", self.read("out"), self.read("err"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn wait_for_lines(&self, count: usize) -> Vec<String> {
        self.wait(&format!("{count} lines"), |following| following.lines().len() >= count);
        self.lines()
    }

    /// The journalctl that it reads.
    fn journalctl(&self) -> String {
        let pid = self.process.id();
        fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap().trim().to_owned()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().try_into().unwrap()), signal).unwrap();
    }

    fn end(mut self, signal: Signal) -> Option<i32> {
        self.signal(signal);
        self.process.wait().unwrap().code()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // An error means that it has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn decisions_are_shown_as_they_are_made() {
    let host = host();
    let journald = Journald::start(&host);
    five(&host, &journald);
    let all = Following::start(&host, "all", &["--lines", "2"]);
    let refused = Following::start(&host, "refused", &["--refused", "--lines", "0", "--json"]);
    all.wait_for_lines(2);
    for (at, mtu) in [(3, 1400), (4, 1000), (5, 1300)] {
        set(&host, ALICE, "v0", mtu);
        let lines = all.wait_for_lines(at);
        let decision = if mtu == 1000 { " refused " } else { " permitted " };
        assert!(lines[at - 1].contains(decision) && lines.len() == at, "{lines:#?}");
    }
    let lines = refused.wait_for_lines(1);
    assert!(
        lines.len() == 1 && lines[0].contains("\"decision\":\"refused\"") && lines[0].contains("\"mtu\":1000"),
        "{lines:#?}"
    );
    assert_eq!((all.read("err"), refused.read("err")), (String::new(), String::new()));
    let journalctl = all.journalctl();
    assert!(!journalctl.is_empty());
    assert_eq!((all.end(Signal::SIGINT), refused.end(Signal::SIGTERM)), (Some(0), Some(0)));
    assert!(!Path::new("/proc").join(journalctl).exists(), "journalctl still runs");
}

#[test]
fn a_trail_that_is_empty_at_first_is_followed() {
    let host = host();
    let journald = Journald::start(&host);
    let all = Following::start(&host, "all", &[]);
    let since = Following::start(&host, "since", &["--since", "-1h"]);
    five(&host, &journald);
    for following in [&all, &since] {
        assert_eq!(following.wait_for_lines(6).len(), 6);
    }
}

#[test]
fn a_permission_whose_outcome_does_not_come_is_shown_after_some_seconds() {
    let host = host();
    let journald = Journald::start(&host);
    let following = Following::start(&host, "all", &[]);
    let about = |id: &'static str, request: &'static str| {
        [
            ("MESSAGE_ID", id),
            ("MESSAGE", "made up"),
            ("NETBROKER_REQUEST", request),
            ("NETBROKER_UID", "64124"),
            ("NETBROKER_CALL", "Link.Set"),
            ("NETBROKER_FIELDS", r#"{"link":"v0","netns":"@host"}"#),
            ("NETBROKER_RULE", "links"),
        ]
    };
    let result = [("NETBROKER_RESULT", "done"), ("NETBROKER_DURATION_US", "7000000")];
    let sent = Instant::now();
    journald.send(NETBROKER, &about(PERMITTED, "0a"));
    journald.send(NETBROKER, &about(PERMITTED, "0b"));
    journald.send(NETBROKER, &[&about(OUTCOME, "0b")[..], &result].concat());
    assert!(
        following.wait_for_lines(1)[0].ends_with(" permitted  links           7.00s    done"),
        "{:?}",
        following.lines()
    );
    let lines = following.wait_for_lines(2);
    assert!(sent.elapsed() > Duration::from_secs(4), "{:?}", sent.elapsed());
    assert!(lines[1].ends_with(" permitted  links           -        outcome unknown"), "{lines:#?}");
    journald.send(NETBROKER, &[&about(OUTCOME, "0a")[..], &result].concat());
    let lines = following.wait_for_lines(3);
    assert!(lines[2].ends_with(" permitted  links           7.00s    done"), "{lines:#?}");
    // Looking back, the outcome is joined however late it came, and one that may still come is not called unknown.
    journald.send(NETBROKER, &about(PERMITTED, "0c"));
    following.wait("the outcome", |_| monitor(&host, &[]).stdout().contains("no outcome yet"));
    let back = rows(&monitor(&host, &["--since", "-1h"]));
    let results: Vec<String> = back.iter().map(|row| row[7..].join(" ")).collect();
    assert_eq!(results, ["done", "done", "no outcome yet"]);
}

#[test]
fn forged_records_are_reported_while_the_trail_is_followed_and_at_the_end() {
    let host = host();
    let journald = Journald::start(&host);
    let following = Following::start(&host, "all", &[]);
    let forge = || journald.send(BOB, &[("MESSAGE_ID", REFUSED), ("MESSAGE", "forged")]);
    forge();
    following.wait("the first report", |following| !following.read("err").is_empty());
    let told = format!(
        "netbrokerctl: not shown: 1 forged record by uid {BOB}, with the message ids of netbroker, but not sent by \
            the user netbroker\n"
    );
    assert_eq!(following.read("err"), told);
    forge();
    forge();
    host.policy(POLICY); // its record comes after those
    following.wait_for_lines(1);
    assert_eq!(following.read("err"), told, "the next report is due after some seconds");
    let ended = following.end(Signal::SIGINT);
    let all = fs::read_to_string("/run/scratch/all.err").unwrap();
    assert_eq!((ended, all), (Some(0), told.clone() + &told.replace("1 forged record ", "3 forged records ")));
}

#[test]
fn the_journal_of_a_unit_with_a_namespace_of_its_own_is_read_too() {
    let host = host();
    let journald = Journald::start(&host);
    five(&host, &journald);
    let (directory, _process) = journald.of_namespace("agents");
    let following = Following::start(&host, "all", &["--lines", "0"]);
    // What LogNamespace= does.
    let inside = format!("mount --bind {directory} /run/systemd/journal; exec \"$@\"");
    let agent = host.as_uid(ALICE).under(&["unshare", "--mount", "sh", "-euc", &inside, "sh"]);
    agent.call("Link.Set", json!({"netns": "@host", "link": "v0", "mtu": 1300})).ok();
    assert!(following.wait_for_lines(1)[0].contains("permitted  links"), "{:?}", following.lines());
    assert_eq!(rows(&monitor(&host, &["--uid", "alice"])).len(), 3);
    let own = journald.journalctl(&["--output=cat", "NETBROKER_UID=64123"]);
    assert_eq!(own.stdout().lines().count(), 3, "the machine's own journal does not have it: {own}");
}

#[test]
fn what_netbrokerd_records_itself_is_shown() {
    const REFUSED: usize = 200;
    let host = host();
    let journald = Journald::start(&host);
    host.policy(&POLICY.replace("[\"user:alice\"", "[\"uid:0\", \"user:alice\""));
    let _daemon = Daemon::start(&host, &[]);
    let following = Following::start(&host, "all", &["--refused", "--since", "-1h"]);
    let mut client = Client::connect();
    for _ in 0..REFUSED {
        let reply = client.call("Link.Set", &json!({"netns": "@host", "link": "v0", "mtu": 1000}));
        assert_eq!(reply["error"], "io.netbroker.Link.Denied");
    }
    // About twenty have a record of their own. The others are counted.
    let counted = |line: &String| {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        match words[..] {
            ["0(root)", "-", "-", "-", "counted", "-", "-", count, "refusals", "without", ..] => count.parse().unwrap(),
            ["0(root)", "Link.Set", "@host", "v0", "refused", "small", ..] => 1,
            _ => panic!("{line}"),
        }
    };
    following.wait("every refusal", |following| following.lines().iter().map(counted).sum::<usize>() == REFUSED);
    assert!(following.lines().len() < REFUSED / 2, "{:#?}", following.lines());
    let died = [
        ("MESSAGE_ID", "9f4be2c6a1d84e7fb0a35c8d2e6f7190"),
        ("MESSAGE", "a child died"),
        ("NETBROKER_PRINCIPAL", "gid:7"),
        ("NETBROKER_UID", "64124"),
        ("NETBROKER_SIGNAL", "SIGSYS"),
    ];
    journald.send(NETBROKER, &died);
    journald.wait_for("a child died");
    let shown = monitor(&host, &["--uid", "bob"]).ok();
    let end =
        " died       -               -        the process that served a request died by SIGSYS; outcome unknown\n";
    assert!(shown.contains("  64124(bob)  ") && shown.ends_with(end), "{shown}");
}

#[test]
fn it_ends_when_nobody_reads_its_output() {
    let host = host();
    let _journald = Journald::start(&host);
    let ran = host.run(&["sh", "-c", &format!("{{ timeout 60 {TOOL} monitor; echo $? >&2; }} | head -n1")]);
    assert!(ran.stdout().starts_with("TIME ") && ran.stderr() == "74\n", "{ran}");
}

#[test]
fn who_may_not_read_the_journal_is_told_what_mends_it() {
    let host = host();
    let journald = Journald::start(&host);
    five(&host, &journald);
    let alice = host.as_uid(ALICE);
    let refused = alice.tool(&["monitor", "--no-follow"]);
    let mend = "only root and members of the group `systemd-journal` can read the trail; run this as root, or run \
        `gpasswd -a alice systemd-journal` and log in again";
    assert!(refused.status() == 69 && refused.stdout().is_empty() && refused.stderr().contains(mend), "{refused}");
    // The group that may read it, as systemd-tmpfiles(8) makes it.
    host.sh("chgrp -R 64500 /run/log/journal; chmod -R g+rX /run/log/journal");
    let seen = alice.groups(&[64500]).tool(&["monitor", "--no-follow"]);
    assert_eq!(rows(&seen).len(), 6, "{seen}");
}

#[test]
fn a_machine_without_a_journal_is_told_where_the_records_are() {
    let host = Host::builder().no_trail().build();
    host.sh("rm -f /etc/machine-id; echo 0123456789abcdef0123456789abcdef >/etc/machine-id");
    let ran = monitor(&host, &[]);
    let none = "netbrokerctl: no journal of this machine in /run/log/journal and /var/log/journal: ";
    assert_eq!(
        (ran.status(), ran.stderr()),
        (69, format!("{none}journald is not running; run `systemctl start systemd-journald.service`\n"))
    );
    drop(host);
    let host = Host::builder().syslog().build();
    host.sh("rm -f /etc/machine-id; echo 0123456789abcdef0123456789abcdef >/etc/machine-id");
    let ran = monitor(&host, &[]);
    assert!(ran.status() == 69 && ran.stderr().starts_with(&format!("{none}records go to syslog here")), "{ran}");
    assert!(ran.stderr().contains("authpriv"), "{ran}");
}

#[test]
fn what_keeps_it_from_reading_the_trail_is_named() {
    let host = host();
    let _journald = Journald::start(&host);
    for (words, status, said) in [
        (&["--uid", "nemo"][..], 65, "netbrokerctl: no user named `nemo`\n"),
        (&["--since", "yesterdayish"], 71, "netbrokerctl: journalctl ended with exit status: 1\n"),
    ] {
        let ran = monitor(&host, words);
        assert!(ran.status() == status && ran.stderr().ends_with(said), "{ran}");
    }
    assert_eq!(monitor(&host, &["--lines", "many"]).status(), 64);
    let alone = host.run(&[
        "unshare",
        "--mount",
        "sh",
        "-euc",
        "mount -t tmpfs none /usr/bin; exec \"$@\"",
        "sh",
        TOOL,
        "monitor",
    ]);
    let said =
        "netbrokerctl: journalctl, which reads the trail, is not installed in /usr/bin/journalctl; install systemd\n";
    assert_eq!((alone.status(), alone.stderr().as_str()), (69, said));
    host.sh("rmdir /run/netbroker");
    let ran = monitor(&host, &[]);
    assert!(
        ran.status() == 69
            && ran.stderr().contains("/run/netbroker: No such file or directory: `systemd-tmpfiles --create`"),
        "{ran}"
    );
}
