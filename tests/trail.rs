// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The trail: what is recorded before and after the act, who sent it according to the kernel, and what happens where
//! the trail does not take it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::{ALICE, BOB, Builder, Host, NETBROKER, Record, Reply, Way};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const POLICY: &str = r#"
[[allow]]
id = "links"
description = "what the tests do"
who = "user:alice"
call = ["Link.Set", "Link.List", "Netns.Add"]
netns = ["@host", "n*"]
link = ["v0", "a-*"]
free = ["mtu", "alias", "up", "exists_ok"]

[[deny]]
id = "small"
who = "*"
call = "Link.Set"
mtu = "0..1279"
"#;

fn host_as(builder: Builder, settings: &str) -> Host {
    let host = builder.build();
    host.policy(&format!("{POLICY}{settings}"));
    host.ip("link add v0 type veth peer name v1");
    host
}

fn host() -> Host {
    host_as(Host::builder(), "")
}

fn set(host: &Host, mtu: u32) -> Reply {
    host.caller().call("Link.Set", json!({"netns": "@host", "link": "v0", "mtu": mtu, "reference": "req-7 of agent"}))
}

fn list(host: &Host) -> Reply {
    host.caller().call("Link.List", json!({"netns": "@host", "link": "v0"}))
}

fn mtu(host: &Host) -> String {
    host.sh("cat /sys/class/net/v0/mtu").trim().to_owned()
}

fn fields(record: &Record) -> Value {
    serde_json::from_str(record.field("NETBROKER_FIELDS")).unwrap()
}

/// The fields of every record.
fn is_sound(record: &Record, digest: &str) {
    assert_eq!((record.uid, record.gid), (NETBROKER, NETBROKER), "{record:?}");
    assert!(record.raw.len() <= 8192);
    for (name, value) in [
        ("NETBROKER_UID", ALICE.to_string().as_str()),
        ("NETBROKER_GID", ALICE.to_string().as_str()),
        ("NETBROKER_WAY", "exec"),
        ("NETBROKER_POLICY", digest),
        ("SYSLOG_IDENTIFIER", "netbroker"),
        ("SYSLOG_FACILITY", "10"),
    ] {
        assert_eq!(record.field(name), value, "{name}");
    }
    let id = record.field("NETBROKER_REQUEST");
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    assert!(record.field("MESSAGE_ID").len() == 32);
    // No field occurs twice, because a reader takes the first.
    let mut names: Vec<&str> = record.fields.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|two| two[0] != two[1]), "{names:?}");
}

/// The digest of the policy in force. It is that of the file before the header has the digest (bytes 16 to 47, and the
/// CRC after them).
fn sha256_of_policy(host: &Host) -> String {
    let mut bytes = std::fs::read("/var/lib/netbroker/policy").unwrap();
    bytes[16..48].fill(0);
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes[..60]);
    bytes[60..64].copy_from_slice(&crc.finalize().to_le_bytes());
    std::fs::write("/run/scratch/policy", bytes).unwrap();
    host.sh("sha256sum < /run/scratch/policy").split(' ').next().unwrap().to_owned()
}

#[test]
fn the_line_that_the_tool_prints_of_a_refusal_has_what_the_record_has() {
    let host = host();
    let call = |fields: &[&str]| {
        let words = ["call", "--reference", "req-7", "Link.Set", "netns=@host"];
        host.as_uid(ALICE).tool(&[&words[..], fields].concat())
    };
    for (fields, rule, reason) in [
        (&["link=v0", "mtu=1000"][..], "rule=small", "a deny forbids it"),
        (&["link=other", "mtu=1400"], "nearest_rule=links", "no allow permits it"),
    ] {
        host.forget_trail();
        let ran = call(fields);
        let trail = host.trail();
        let record = &trail[0];
        assert_eq!((ran.status(), trail.len(), record.field("NETBROKER_EVENT")), (77, 1, "refused"), "{ran}");
        let line = ran.stderr();
        let start = format!(
            "netbrokerctl: Denied: call=Link.Set who={ALICE}(alice) fields={} reason=\"{reason}\" field=",
            record.field("NETBROKER_FIELDS")
        );
        let name = host.sh("uname -n");
        let end = format!(" {rule} reference=req-7 request={} host={}", record.field("NETBROKER_REQUEST"), name.trim());
        assert!(line.starts_with(&start) && line.contains(&end), "{line}\n{start}\n{end}");
        let time = line.trim_end().rsplit(" time=").next().unwrap();
        assert!(line.lines().count() == 1 && time.len() == 24 && time.ends_with('Z'), "{line}");
    }
}

#[test]
fn a_permitted_call_has_two_records_and_a_refusal_one_with_the_id_of_the_reply() {
    let host = host();
    let installed = host.tool(&["policy", "install"]).ok();
    let digest = installed.trim().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(digest.len(), 64, "{installed}");
    assert_eq!(sha256_of_policy(&host), digest);

    set(&host, 1400).ok();
    let refused = set(&host, 1000);
    assert_eq!(refused.error(), "io.netbroker.Link.Denied");
    let silent = host.caller().call("Link.Set", json!({"netns": "@host", "link": "other"}));
    let wrong = host.caller().call("Link.Set", json!({"netns": "@host", "link": "v0", "mtu": "x"}));
    let absent = host.caller().call("Link.Set", json!({"netns": "@host", "link": "a-1", "mtu": 1400}));

    let trail = host.trail();
    trail.iter().for_each(|record| is_sound(record, &digest));
    let events: Vec<&str> = trail.iter().map(|record| record.field("NETBROKER_EVENT")).collect();
    assert_eq!(events, ["permitted", "outcome", "refused", "refused", "refused", "permitted", "outcome"]);
    let id = |at: usize| trail[at].field("NETBROKER_REQUEST");
    assert_eq!(id(0), id(1));
    assert_eq!(id(5), id(6));
    for (reply, at) in [(&refused, 2), (&silent, 3), (&wrong, 4), (&absent, 5)] {
        assert!(!reply.to_string().contains("recorded"), "{reply}");
        assert_eq!(reply.get("request"), *id(at), "{reply}");
    }
    let mut ids: Vec<&str> = [0, 2, 3, 4, 5].map(id).to_vec();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|two| two[0] != two[1]));
    // MESSAGE_ID distinguishes the events; a refusal has the priority "notice".
    let kinds: Vec<(&str, &str)> = trail.iter().map(|r| (r.field("MESSAGE_ID"), r.field("PRIORITY"))).collect();
    assert!(kinds[0] == kinds[5] && kinds[1] == kinds[6] && kinds[2] == kinds[3] && kinds[3] == kinds[4]);
    assert!(kinds[0].0 != kinds[1].0 && kinds[1].0 != kinds[2].0 && kinds[0].0 != kinds[2].0);
    assert_eq!([kinds[0].1, kinds[1].1, kinds[2].1], ["6", "6", "5"]);

    let rules: Vec<Option<&str>> = trail.iter().map(|record| record.get("NETBROKER_RULE")).collect();
    assert_eq!(rules, [Some("links"), Some("links"), Some("small"), None, None, Some("links"), Some("links")]);
    assert!(trail.iter().all(|record| record.field("NETBROKER_CALL") == "Link.Set"));
    assert_eq!(fields(&trail[0]), json!({"netns": "@host", "link": "v0", "mtu": 1400}));
    assert_eq!(fields(&trail[2]), json!({"netns": "@host", "link": "v0", "mtu": 1000}));
    for at in [0, 1, 2] {
        assert_eq!(trail[at].field("NETBROKER_REFERENCE"), "req-7 of agent");
    }
    assert_eq!(trail[3].get("NETBROKER_REFERENCE"), None);
    assert_eq!(trail[1].field("NETBROKER_RESULT"), "done");
    assert!(trail[2].field("NETBROKER_RESULT").starts_with("Denied"));
    assert!(trail[4].field("NETBROKER_RESULT").starts_with("InvalidRequest"));
    assert!(trail[6].field("NETBROKER_RESULT").starts_with("NoSuchLink"));
    assert!(trail[1].field("NETBROKER_DURATION_US").parse::<u64>().unwrap() > 0);
    assert!(trail[0].get("NETBROKER_RESULT").is_none() && trail[0].get("NETBROKER_DURATION_US").is_none());
}

#[test]
fn every_way_in_is_recorded_by_the_system_user() {
    for way in Way::ALL {
        let host = host_as(Host::builder().way(way), "");
        assert!(matches!(set(&host, 1000).status(), 77));
        let trail = host.trail();
        assert_eq!((trail.len(), trail[0].uid, trail[0].gid), (1, NETBROKER, NETBROKER));
    }
}

#[test]
fn what_a_caller_says_cannot_be_taken_for_another_field() {
    let host = host();
    for alias in [
        r#"say "what"? \ back\nslash"#,
        "x NETBROKER_UID=0",
        "a b  c=d",
        "ünï©ode 🦀",
        r#"\",\"link\":\"eth0"#,
        "x=\u{a0}y",
    ] {
        let reply = host.caller().call("Link.Set", json!({"netns": "@host", "link": "v0", "alias": alias}));
        reply.ok();
        let trail = host.trail();
        for record in &trail[trail.len() - 2..] {
            assert_eq!(fields(record)["alias"], alias);
            assert_eq!(record.field("NETBROKER_UID"), ALICE.to_string());
            assert_eq!(record.field("MESSAGE").lines().count(), 1);
            assert!(record.raw.split(|b| *b == b'\n').all(|line| line.is_empty() || line.contains(&b'=')));
        }
    }
    // A key that the caller invents, with everything in it that could end a line.
    let key = "a\nNETBROKER_UID=0\n\u{1b}[2J\u{202e}\u{0}".to_owned() + &"k".repeat(3000);
    for parameters in [json!({key.clone(): 1}), json!({"netns": "@host", "link": "v0", key: {"x": 1}})] {
        assert_eq!(host.caller().call("Link.Set", parameters).error(), "io.netbroker.Link.InvalidRequest");
        let record = host.trail().pop().unwrap();
        assert_eq!(record.values("NETBROKER_UID").collect::<Vec<_>>(), [ALICE.to_string()]);
        let harmful = |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
        assert!(!record.text().contains(harmful), "{}", record.raw.escape_ascii());
        assert!(record.raw.len() < 4096);
    }
}

#[test]
fn the_largest_request_fits_into_a_record() {
    let host = host();
    for alias in ["\\".repeat(255), "\"".repeat(255), "ü".repeat(127), " ".repeat(255)] {
        let netns = "n".repeat(255);
        let reference = "\"".repeat(64);
        let long = json!({"netns": netns, "link": "a-0123456789abc", "alias": alias, "target_netns": netns,
            "new_name": "a-0123456789abc", "mac": "00:11:22:33:44:55", "reference": reference});
        assert_eq!(host.caller().call("Link.Set", long).error(), "io.netbroker.Link.Denied");
        let record = host.trail().pop().unwrap();
        assert_eq!((record.field("NETBROKER_EVENT"), &fields(&record)["alias"]), ("refused", &json!(alias)));
        assert!(record.raw.len() <= 8192, "{} bytes", record.raw.len());
        let fits = json!({"netns": "@host", "link": "v0", "alias": alias, "reference": reference});
        host.caller().call("Link.Set", fits).ok();
        assert_eq!(host.trail().pop().unwrap().field("NETBROKER_EVENT"), "outcome");
    }
}

/// Names that become longest as JSON inside JSON, which is what `MESSAGE` contains.
fn quotes(bytes: usize) -> String {
    "\"".repeat(bytes)
}

fn gateway(at: usize) -> String {
    format!("2001:db8:aaaa:bbbb:cccc:dddd:eeee:10{at}")
}

/// A route with as many next hops as possible, on a link whose name is long in a record.
fn long_route(netns: &str) -> Value {
    let hops: Vec<Value> =
        (10..34).map(|at| json!({"gateway": gateway(at), "link": quotes(15), "weight": 256})).collect();
    json!({"netns": netns, "destination": "2001:db8:1::/48", "nexthops": hops, "preferred_source": gateway(99), "reference": quotes(64)})
}

#[test]
fn no_caller_chooses_what_is_not_recorded() {
    const ROUTES: &str = r#"
[[allow]]
id = '""""""""""""""""""""""""""""""""""""""""""""""""""""""""""""""""'
who = "user:alice"
call = "Route.Add"
netns = "\"*"
destination = "2001:db8::/32 len 32..64"
link = "*"
free = ["nexthops.gateway", "nexthops.link", "nexthops.weight", "nexthops.onlink", "preferred_source"]

[[deny]]
id = '\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\'
who = "user:bob"
call = "Route.Add"
"#;
    for builder in [Host::builder(), Host::builder().syslog()] {
        let host = host_as(builder, ROUTES);
        let netns = quotes(255);
        host.run(&["ip", "netns", "add", &netns]).ok();
        host.run(&["ip", "-n", &netns, "link", "add", &quotes(15), "type", "veth", "peer", "name", "v1"]).ok();
        for words in [
            &["addr", "add", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:1099/64", "nodad", "dev"][..],
            &["link", "set", "up", "dev"],
        ] {
            host.run(&[&["ip", "-n", &netns][..], words, &[&quotes(15)]].concat()).ok();
        }
        assert_eq!(host.caller().call("Route.Add", long_route(&netns)).ok(), json!({}));
        let denied = host.as_uid(BOB).call("Route.Add", long_route(&netns));
        assert!(denied.error().ends_with("Denied") && !denied.to_string().contains("recorded"), "{denied}");
        let trail = host.trail();
        assert_eq!(trail.len(), 3);
        for record in &trail {
            assert!(record.raw.len() <= 8192, "{}", record.raw.len());
            if record.raw.starts_with(b"<") {
                assert!(record.text().contains(&gateway(33)), "{}", record.text()); // syslog has each value once
                continue;
            }
            let kept = fields(record);
            assert_eq!((&kept["netns"], &kept["destination"]), (&json!(netns), &json!("2001:db8:1::/48")));
            assert!(kept.get("nexthops").is_none(), "{} bytes: {kept}", record.raw.len());
            assert_eq!(record.field("NETBROKER_REFERENCE"), quotes(64));
            assert_eq!(record.field("NETBROKER_LEFT_OUT"), "nexthops");
            assert_eq!(record.field("NETBROKER_LEFT_OUT_COUNT"), "1");
            // What the caller requested can be compared with the record: defaults are filled in, and names are sorted.
            let hop = |at: usize| json!({"gateway": gateway(at), "link": quotes(15), "onlink": false, "weight": 256});
            let left_out = json!({"nexthops": (10..34).map(hop).collect::<Vec<Value>>()});
            std::fs::write("/run/scratch/left_out", left_out.to_string()).unwrap();
            let digest = host.sh("sha256sum < /run/scratch/left_out");
            assert_eq!(record.field("NETBROKER_LEFT_OUT_SHA256"), digest.split(' ').next().unwrap());
        }
    }
}

#[test]
fn where_there_is_no_journald_syslog_is_told_in_lines() {
    let host = host_as(Host::builder().syslog(), "");
    set(&host, 1400).ok();
    assert_eq!(set(&host, 1000).error(), "io.netbroker.Link.Denied");
    let trail = host.trail();
    assert_eq!(trail.len(), 3);
    for (record, (level, event)) in trail.iter().zip([(86, "permitted"), (86, "outcome"), (85, "refused")]) {
        assert_eq!(record.uid, NETBROKER);
        let text = record.text();
        assert!(text.starts_with(&format!("<{level}>netbroker")), "authpriv: {text}");
        assert!(text.contains(&format!(": event={event} request=")), "{text}");
        for part in [" uid=64123 ", " gid=64123 ", " way=exec ", " call=Link.Set ", r#" reference="req-7 of agent""#] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains(['\n', '\0']), "{text}");
    }
    assert!(trail[1].text().contains(" result=done"), "{}", trail[1].text());
}

#[test]
fn a_machine_without_a_trail_refuses_unless_the_policy_lets_it() {
    let host = host_as(Host::builder().no_trail(), "");
    let before = host.snapshot(&[]);
    for reply in [set(&host, 1400), list(&host), set(&host, 1000)] {
        assert_eq!(reply.error(), "io.netbroker.Link.SystemError");
        assert!(reply.get("step").as_str().unwrap().contains("trail"), "{reply}");
        assert_eq!(reply.get("recorded"), false);
    }
    assert_eq!(host.snapshot(&[]), before);
    host.policy(&format!("{POLICY}[audit]\nrequired = true\n"));
    assert_eq!(set(&host, 1400).error(), "io.netbroker.Link.SystemError");
    host.policy(&format!("{POLICY}[audit]\nrequired = false\n"));
    assert_eq!(set(&host, 1400).ok(), json!({}));
    assert_eq!(set(&host, 1000).error(), "io.netbroker.Link.Denied");
    list(&host).ok();
    assert_eq!(mtu(&host), "1400");
}

#[test]
fn a_trail_that_takes_nothing_stops_a_change_within_a_second_and_no_read() {
    for required in ["true", "false"] {
        let host = host_as(Host::builder().deaf_trail(), &format!("[audit]\nrequired = {required}\n"));
        let before = host.snapshot(&[]);
        let since = Instant::now();
        let reply = set(&host, 1400);
        assert_eq!(reply.error(), "io.netbroker.Link.Busy");
        assert!(reply.get("reason").as_str().unwrap().contains("trail"), "{reply}");
        assert_eq!(reply.get("recorded"), false);
        let waited = since.elapsed();
        assert!(waited > Duration::from_millis(900) && waited < Duration::from_secs(3), "{waited:?}");
        assert_eq!(host.snapshot(&[]), before);
        let read = list(&host);
        assert_eq!(read.get("/links/0/mtu"), 1500);
        assert_eq!(read.get("recorded"), false);
        // A refusal is returned whether or not it is recorded; the reply shows which.
        let wrong = host.caller().call("Link.Set", json!({"netns": "@host", "link": "v0", "mtu": "x"}));
        for (reply, error) in [(set(&host, 1000), "Denied"), (wrong, "InvalidRequest")] {
            assert_eq!(reply.error(), format!("io.netbroker.Link.{error}"));
            assert_eq!(reply.get("recorded"), false, "{reply}");
        }
        assert!(host.trail().is_empty());
    }
}

#[test]
fn an_outcome_that_was_not_taken_is_told_in_the_reply() {
    let host = host_as(Host::builder().deaf_trail_after(1), "");
    assert_eq!(set(&host, 1400).ok(), json!({"recorded": false}));
    assert_eq!(mtu(&host), "1400");
    let trail = host.trail();
    assert_eq!((trail.len(), trail[0].field("NETBROKER_EVENT")), (1, "permitted"));

    // The same for an act that failed.
    let host = {
        drop(host);
        host_as(Host::builder().deaf_trail_after(1), "")
    };
    let reply = host.caller().call("Link.Set", json!({"netns": "@host", "link": "a-1", "mtu": 1400}));
    assert_eq!((reply.error().as_str(), reply.get("recorded")), ("io.netbroker.Link.NoSuchLink", json!(false)));
}

#[test]
fn what_somebody_else_sends_is_known_by_its_sender() {
    let host = host();
    let forged = "MESSAGE=event=permitted\nNETBROKER_EVENT=permitted\nNETBROKER_UID=0\n";
    assert_eq!(host.as_uid(BOB).program(&["logger", "--journald"]).raw(forged.as_bytes()).status(), 0);
    set(&host, 1400).ok();
    let own: Vec<Record> = host.trail().into_iter().filter(|record| record.uid == NETBROKER).collect();
    assert_eq!(own.len(), 2);
    assert!(own.iter().all(|record| record.field("NETBROKER_UID") == ALICE.to_string()));
}

#[test]
fn a_change_that_is_killed_before_its_outcome_has_its_permission_on_record() {
    let host = host_as(Host::builder().deaf_trail_after(1), "");
    let mut running = host.caller().start();
    running.send(br#"{"method":"io.netbroker.Link.Set","parameters":{"netns":"@host","link":"v0","mtu":1400}}"#);
    running.end_input();
    let since = Instant::now();
    while mtu(&host) != "1400" {
        assert!(since.elapsed() < Duration::from_secs(10), "never done");
    }
    running.signal(nix::sys::signal::Signal::SIGKILL); // it waits for room for its outcome
    let reply = running.finish();
    reply.silent();
    assert_eq!(reply.signal(), Some(9));
    assert_eq!(host.trail_where("NETBROKER_EVENT", "permitted").len(), 1);
}
