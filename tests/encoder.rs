// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The bytes that a call sends, read by strace, parsed here, and compared completely with what its permit allows. The
//! objects are those of the permit, by name or index; the attributes are those of the declared fields; and there is
//! nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::Host;
use common::scene::{EVERYTHING, open_host};
use common::sent::Sent;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Attributes of a link that the encoder must never write: `IFLA_NET_NS_PID`, `IFLA_XDP`, `IFLA_TARGET_NETNSID`.
const FORBIDDEN: [u16; 3] = [19, 43, 46];

const CREATE: u16 = 0x400;
const EXCL: u16 = 0x200;
const REPLACE: u16 = 0x100;
const DUMP: u16 = 0x300;

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// Attributes with their paths (`18.2.1.3`); an attribute is followed by those inside it.
fn attributes(mut bytes: &[u8], under: &str, link: bool) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (length, kind) = (usize::from(u16_at(bytes, 0)), u16_at(bytes, 2));
        let (payload, path) = (&bytes[4..length], format!("{under}{}", kind & 0x3fff));
        // The attributes of a link are at the top, and in a veth's other end, after a second struct ifinfomsg.
        let of_link = link && (under.is_empty() || under == "18.2.1.");
        assert!(!of_link || !FORBIDDEN.contains(&(kind & 0x3fff)), "attribute {path}");
        let nested = link && matches!(path.as_str(), "18" | "18.2" | "18.2.1") && payload.len() > 4;
        found.push((path.clone(), if nested { Vec::new() } else { payload.to_vec() }));
        if nested {
            let head = if path == "18.2.1" && u16_at(payload, 0) == 0 { 16 } else { 0 };
            assert!(payload[..head].iter().all(|byte| *byte == 0), "the other end has no index and no flags");
            found.extend(attributes(&payload[head..], &format!("{path}."), link));
        }
        bytes = &bytes[length.next_multiple_of(4).min(bytes.len())..];
    }
    found
}

/// One message as a line: type, relevant flags, object, attributes; names and indexes with what they refer to.
fn line(bytes: &[u8], names: &BTreeMap<u32, String>) -> String {
    assert_eq!(usize::try_from(u32_at(bytes, 0)), Ok(bytes.len()), "one message in a datagram");
    let (kind, flags) = (u16_at(bytes, 4), u16_at(bytes, 6));
    let name = |index: u32| {
        if index == 0 { "-".to_owned() } else { names.get(&index).cloned().unwrap_or_else(|| index.to_string()) }
    };
    let (word, head, link) = match kind {
        16 => ("NEWLINK", 16, true),
        17 => ("DELLINK", 16, true),
        18 => ("GETLINK", 16, true),
        19 => ("SETLINK", 16, true),
        20 => ("NEWADDR", 8, false),
        21 => ("DELADDR", 8, false),
        22 => ("GETADDR", 8, false),
        24 => ("NEWROUTE", 12, false),
        25 => ("DELROUTE", 12, false),
        26 => ("GETROUTE", 12, false),
        28 => ("NEWNEIGH", 12, false),
        29 => ("DELNEIGH", 12, false),
        30 => ("GETNEIGH", 12, false),
        32 => ("NEWRULE", 12, false),
        33 => ("DELRULE", 12, false),
        34 => ("GETRULE", 12, false),
        90 => ("GETNSID", 4, false),
        104 => ("NEWNEXTHOP", 8, false),
        105 => ("DELNEXTHOP", 8, false),
        106 => ("GETNEXTHOP", 8, false),
        120 => ("NEWTUNNEL", 8, false),
        121 => ("DELTUNNEL", 8, false),
        122 => ("GETTUNNEL", 8, false),
        other => panic!("message {other}"),
    };
    let mut text = word.to_owned();
    for (flag, word) in [(CREATE, " create"), (EXCL, " excl"), (REPLACE, " replace")] {
        let asked = matches!(kind, 16 | 20 | 24 | 28 | 32 | 104) && flags & flag != 0;
        text.push_str(if asked { word } else { "" });
    }
    if matches!(kind, 18 | 22 | 26 | 30 | 34 | 106 | 122) && flags & DUMP == DUMP {
        text.push_str(" dump");
    }
    if (32..=34).contains(&kind) {
        // Lengths and action; type of service, table and flags have no field in the header.
        let [to, from, tos, rest @ ..] = &bytes[16 + 1..16 + 12] else { panic!("header") };
        assert_eq!((tos, &rest[..3], &rest[4..]), (&0, &[0; 3][..], &[0; 4][..]));
        text.push_str(&format!(" to/{to} from/{from} action={}", rest[3]));
    } else if (104..=106).contains(&kind) {
        let [family, scope, protocol, reserved] = bytes[16..20] else { panic!("header") };
        assert_eq!((scope, reserved), (0, 0), "the scope is the kernel's to say");
        text.push_str(&format!(" family={family} protocol={protocol} flags={}", u32_at(bytes, 20)));
    } else if head > 4 && !(24..=26).contains(&kind) {
        text.push_str(&format!(" {}", name(u32_at(bytes, 16 + 4))));
    }
    if matches!(kind, 16 | 19) && u32_at(bytes, 16 + 12) != 0 {
        text.push_str(&format!(" flags={:x}/{:x}", u32_at(bytes, 16 + 8), u32_at(bytes, 16 + 12)));
    }
    if (24..=26).contains(&kind) {
        text.push_str(&format!(" table={} flags={}", bytes[20], u32_at(bytes, 24)));
    }
    if (28..=30).contains(&kind) {
        assert_eq!(bytes[16 + 1..16 + 4], [0; 3]);
        assert_eq!(bytes[16 + 11], 0, "the type is the kernel's to say");
        text.push_str(&format!(" state={:x} flags={:x}", u16_at(bytes, 16 + 8), bytes[16 + 10]));
    }
    for (path, payload) in attributes(&bytes[16 + head..], "", link) {
        let string = || String::from_utf8(payload.strip_suffix(&[0]).unwrap_or(&payload).to_vec()).unwrap();
        text.push_str(&match path.as_str() {
            "3" | "18.1" | "18.2.1.3" | "20" if link => format!(" {path}={}", string()),
            "5" | "10" if link => format!(" {path}={}", name(u32_at(&payload, 0))),
            "4" if head == 12 => format!(" {path}={}", name(u32_at(&payload, 0))),
            "9" if head == 12 => ways(&payload, &name),
            "1" if (104..=106).contains(&kind) => format!(" 1={}", u32_at(&payload, 0)),
            "5" | "10" if (104..=106).contains(&kind) => format!(" {path}={}", name(u32_at(&payload, 0))),
            "2" if (104..=106).contains(&kind) => {
                let member = |one: &[u8]| format!("{}*{}", u32_at(one, 0), u16::from_le_bytes([one[4], one[5]]) + 1);
                format!(" 2={}", payload.chunks(8).map(member).collect::<Vec<_>>().join(","))
            }
            _ => format!(" {path}"),
        });
    }
    text
}

/// The next hops of a multipath route (`struct rtnexthop`), each with its link and attributes.
fn ways(mut bytes: &[u8], name: &dyn Fn(u32) -> String) -> String {
    let mut text = String::new();
    while !bytes.is_empty() {
        let length = usize::from(u16_at(bytes, 0));
        let inner = attributes(&bytes[8..length], "9.", false);
        let paths: Vec<String> = inner.into_iter().map(|(path, _)| path).collect();
        text.push_str(&format!(" [{} flags={} {}]", name(u32_at(bytes, 4)), bytes[2], paths.join(" ")));
        bytes = &bytes[length.next_multiple_of(4)..];
    }
    text
}

/// Carries out a call and returns what it sent, one line per message. Indexes appear as the names of links before and
/// after it.
fn sent(host: &Host, method: &str, fields: Value) -> (Vec<String>, bool) {
    let (sent, reply) = Sent::by(host, &["a", "b"], method, fields);
    let mut names = BTreeMap::new();
    for (name, index) in sent.links {
        names.entry(index).or_insert(name);
    }
    (sent.datagrams.iter().map(|datagram| line(datagram, &names)).collect(), reply.status() == 0)
}

fn host() -> Host {
    let host = open_host();
    for words in [
        "netns add a",
        "netns add b",
        "-n a link add br0 index 10 type bridge",
        "-n a link add v0 index 11 type veth peer name v1 index 12",
        "-n a addr add 10.0.0.1/24 dev v0",
        "-n a addr add 10.0.1.1 peer 10.0.1.2/24 dev v0",
        "-n b link add far0 index 30 type bridge",
    ] {
        host.ip(words);
    }
    host
}

/// A change that refers to a link by its index. The link is looked up by name before the rights are given up, right
/// before the change and right after it.
fn around<'a>(find: &'a str, change: &'a str) -> [&'a str; 4] {
    [find, find, change, find]
}

fn assert_sends(host: &Host, method: &str, fields: Value, expected: &[&str]) {
    let what = format!("{method} {fields}");
    let (lines, done) = sent(host, method, fields);
    assert!(done, "{what}");
    assert_lines(&lines, expected, &what);
}

/// The same messages with the same attributes, in any order: the kernel parses attributes into a table.
fn assert_lines(lines: &[String], expected: &[&str], what: &str) {
    let sorted = |line: &str| {
        let (attributes, hops) = line.split_once(" [").map_or((line, ""), |(before, hops)| (before, hops));
        let mut words: Vec<&str> = attributes.split(' ').collect();
        let first = words.iter().position(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        let first = first.unwrap_or(words.len());
        words[first..].sort_unstable();
        format!("{} [{hops}", words.join(" "))
    };
    let lines: Vec<String> = lines.iter().map(|line| sorted(line)).collect();
    assert_eq!(lines, expected.iter().map(|line| sorted(line)).collect::<Vec<_>>(), "{what}");
}

#[test]
fn making_a_link_is_one_message_but_for_what_the_kernel_takes_later() {
    let host = host();
    let veth = json!({"netns": "a", "link": "n0", "kind": "veth", "peer": {"name": "n1", "netns": "a"}});
    let plain = "NEWLINK create excl - 3=n0 18 18.1=veth 18.2 18.2.1 18.2.1.3=n1";
    assert_sends(&host, "Link.Add", veth, &[plain]);
    host.ip_in("a", "link del n0"); // what is made in b may need its indexes
    let full = json!({
        "netns": "a", "link": "m0", "kind": "veth", "mtu": 1400, "mac": "02:00:00:00:00:01", "master": "br0", "up": true,
        "alias": "x",
        "peer": {"name": "m1", "netns": "b", "mac": "02:00:00:00:00:02", "mtu": 1300, "up": true},
    });
    let (lines, done) = sent(&host, "Link.Add", full);
    assert!(done && lines.len() == 6, "{lines:#?}");
    let whole = "NEWLINK create excl - flags=1/1 3=m0 4 1 10=br0 18 18.1=veth 18.2 18.2.1 18.2.1.3=m1 18.2.1.1 18.2.1.4 18.2.1.28";
    assert_lines(&lines[..4], &around("GETLINK - 3=br0 29", whole), "");
    // Then an alias, and the other end going up: documented, by index, and with nothing else in the messages.
    assert_lines(&lines[4..], &["SETLINK m1 flags=1/1", "SETLINK m0 20=x"], "");
    let bridge = json!({
        "netns": "a", "link": "br1", "kind": "bridge", "mtu": 1400, "mac": "02:00:00:00:00:03",
        "bridge": {"stp": true, "forward_delay": 1700, "ageing_time": 20000},
    });
    let line = "NEWLINK create excl - 3=br1 4 1 18 18.1=bridge 18.2 18.2.1 18.2.4 18.2.5";
    assert_sends(&host, "Link.Add", bridge, &[line]);
    // With a mode for IPv6 addresses, the link goes up last.
    let mut common = json!({
        "netns": "a", "link": "i0", "kind": "ifb", "up": true, "alias": "x", "group": 7, "txqueuelen": 77, "tx_queues": 3,
        "rx_queues": 2, "addrgenmode": "none",
    });
    let made = "NEWLINK create excl - 3=i0 13 27 31 32 18 18.1=ifb";
    assert_sends(&host, "Link.Add", common.clone(), &[made, "SETLINK i0 20=x 26", "SETLINK i0 flags=1/1"]);
    (common["link"], common["up"]) = (json!("i1"), json!(false));
    let made = "NEWLINK create excl - 3=i1 13 27 31 32 18 18.1=ifb";
    assert_sends(&host, "Link.Add", common, &[made, "SETLINK i1 20=x 26"]);
}

#[test]
fn a_link_that_stands_on_another_is_sent_with_its_index() {
    let host = host();
    let find = "GETLINK - 3=v0 29";
    for (fields, line) in [
        (
            json!({"kind": "vxlan", "vxlan": {"id": 1, "group": "239.1.1.1"}}),
            "18.1=vxlan 18.2 18.2.3 18.2.1 18.2.2 18.2.11 18.2.15 18.2.25",
        ),
        (
            json!({"kind": "vxlan", "vxlan": {"collect_metadata": true}}),
            "18.1=vxlan 18.2 18.2.3 18.2.7 18.2.11 18.2.15 18.2.25",
        ),
        (
            json!({"kind": "vxlan", "vxlan": {"id": 2, "remote": "2001:db8::9", "local": "2001:db8::1", "port": 4789,
                   "source_port_min": 1, "source_port_max": 2, "ttl": 1, "tos": 1, "learning": true, "proxy": true}}),
            "18.1=vxlan 18.2 18.2.3 18.2.1 18.2.16 18.2.17 18.2.5 18.2.6 18.2.7 18.2.10 18.2.11 18.2.15 18.2.25",
        ),
        (json!({"kind": "macvtap", "macvlan": {"mode": "bridge"}}), "18.1=macvtap 18.2 18.2.1"),
    ] {
        let mut whole = json!({"netns": "a", "link": "n0", "parent": "v0"});
        whole.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let parent = if fields["kind"] == "vxlan" { "" } else { " 5=v0" };
        let line = format!("NEWLINK create excl - 3=n0{parent} 18 {line}");
        // The kernel does not report a vxlan that it has made.
        let asked: &[&str] = if fields["kind"] == "vxlan" { &["GETLINK - 3=n0 29"] } else { &[] };
        assert_sends(&host, "Link.Add", whole, &[&around(find, &line), asked].concat());
        host.ip_in("a", "link del n0");
    }
    let ifb = json!({"netns": "a", "link": "n0", "kind": "ifb", "master": "br0"});
    assert_sends(
        &host,
        "Link.Add",
        ifb,
        &around("GETLINK - 3=br0 29", "NEWLINK create excl - 3=n0 10=br0 18 18.1=ifb"),
    );
}

#[test]
fn a_tap_is_looked_up_and_then_changed_by_its_index_if_at_all() {
    let host = host();
    let tap = json!({"netns": "a", "link": "n0", "kind": "tun", "tun": {"mode": "tap", "group": 1}});
    let find = "GETLINK - 3=n0 29";
    assert_sends(&host, "Link.Add", tap.clone(), &[find]);
    let mut again = tap.clone();
    again["exists_ok"] = json!(true);
    assert_sends(&host, "Link.Add", again, &[find, find]);
    host.ip_in("a", "link del n0");
    let mut every = tap;
    let others = json!({"mtu": 1400, "mac": "02:00:00:00:00:01", "master": "br0", "up": true, "alias": "x"});
    every.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
    let master = "GETLINK - 3=br0 29";
    let change = "SETLINK n0 flags=1/1 1 4 20=x 10=br0";
    assert_sends(&host, "Link.Add", every.clone(), &[master, find, master, find, change, master, find]);
    host.ip_in("a", "link del n0");
    let others = json!({"master": null, "group": 7, "txqueuelen": 77, "addrgenmode": "none"});
    every.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
    let (change, up) = ("SETLINK n0 1 4 20=x 13 27 26", "SETLINK n0 flags=1/1");
    assert_sends(&host, "Link.Add", every, &[find, find, change, find, find, up, find]);
}

/// The fields of a request about `v0` in `a`.
fn on(changes: Value) -> Value {
    let mut fields = json!({"netns": "a", "link": "v0"});
    let Value::Object(changes) = changes else { panic!("{changes} is no object") };
    fields.as_object_mut().unwrap().extend(changes);
    fields
}

#[test]
fn changing_a_link_is_one_message_for_its_name() {
    let host = host();
    let find = "GETLINK - 3=v0 29";
    for (changes, line) in [
        (json!({"up": true}), "SETLINK - flags=1/1 3=v0"),
        (json!({"up": false}), "SETLINK - flags=0/1 3=v0"),
        (json!({"mtu": 1400}), "SETLINK - 3=v0 4"),
        (json!({"mac": "02:00:00:00:00:01"}), "SETLINK - 3=v0 1"),
        (json!({"alias": "x"}), "SETLINK - 3=v0 20=x"),
        (json!({"no_master": true}), "SETLINK - 3=v0 10=-"),
        (json!({"arp": false}), "SETLINK - flags=80/80 3=v0"),
        (json!({"multicast": false}), "SETLINK - flags=0/1000 3=v0"),
        (json!({"allmulticast": true}), "SETLINK - flags=200/200 3=v0"),
        (json!({"promisc": true}), "SETLINK - flags=100/100 3=v0"),
        (json!({"txqueuelen": 7}), "SETLINK - 3=v0 13"),
        (json!({"group": 7, "addrgenmode": "none"}), "SETLINK - 3=v0 27 26"),
    ] {
        // The kernel also looks up alternative names, so it is asked whether the name is one now.
        assert_sends(&host, "Link.Set", on(changes), &around(find, line));
    }
    let master = "GETLINK - 3=br0 29";
    assert_sends(
        &host,
        "Link.Set",
        on(json!({"master": "br0"})),
        &[find, master, find, master, "SETLINK - 3=v0 10=br0", find, master],
    );
    let all = on(
        json!({"up": true, "mtu": 1300, "mac": "02:00:00:00:00:02", "alias": "y", "txqueuelen": 8, "no_master": true,
                        "new_name": "w0", "target_netns": "b", "promisc": false}),
    );
    assert_sends(&host, "Link.Set", all, &[find, find, "SETLINK v0 flags=1/101 1 4 13 3=w0 20=y 10=- 28"]);
    let back = json!({"netns": "b", "link": "w0", "target_netns": "a"});
    let find = "GETLINK - 3=w0 29";
    assert_sends(&host, "Link.Set", back, &[find, find, "SETLINK - 3=w0 28"]);
    // The kernel may take another value than a given one: that is looked at.
    let bridge = json!({"netns": "a", "link": "br0", "kind": "bridge", "bridge": {"forward_delay": 1500}});
    assert_sends(
        &host,
        "Link.Set",
        bridge,
        &[master, master, "NEWLINK - 3=br0 18 18.1=bridge 18.2 18.2.1", master, master],
    );
    // By name, this message would change all links of the group if no link had the name (before Linux 5.18).
    let grouped = json!({"netns": "a", "link": "br0", "kind": "bridge", "group": 7, "bridge": {"stp": false}});
    let line = "NEWLINK br0 27 18 18.1=bridge 18.2 18.2.5";
    assert_sends(&host, "Link.Set", grouped, &around(master, line));
    host.ip_in("a", "link add mv0 link v1 type macvlan mode bridge");
    let moved = json!({"netns": "a", "link": "mv0", "kind": "macvlan", "macvlan": {"mode": "private"}, "group": 7,
                       "target_netns": "b"});
    let find = "GETLINK - 3=mv0 29";
    assert_sends(&host, "Link.Set", moved, &[find, find, "NEWLINK mv0 27 28 18 18.1=macvlan 18.2 18.2.1"]);
    let delete = json!({"netns": "a", "link": "br0"});
    assert_sends(&host, "Link.Delete", delete, &[master, master, "DELLINK - 3=br0"]);
    host.ip_in("a", "link add x{} index 515 type bridge");
    let nameless = json!({"netns": "a", "index": 515});
    let find = "GETLINK x{} 29";
    assert_sends(&host, "Link.Delete", nameless, &[find, find, "DELLINK x{}"]);
    assert_sends(&host, "Link.Delete", json!({"netns": "a", "index": 515, "missing_ok": true}), &["GETLINK 515 29"]);
}

#[test]
fn an_address_is_sent_with_its_fields_and_its_links_index() {
    let host = host();
    let find = "GETLINK - 3=v0 29";
    for (changes, line) in [
        (json!({"address": "10.9.0.1/24"}), "NEWADDR create excl v0 2 1"),
        (json!({"address": "10.9.1.1/24", "peer_address": "10.9.1.2/24"}), "NEWADDR create excl v0 2 1"),
        (
            json!({"address": "10.9.2.1/24", "broadcast": "10.9.2.255", "scope": "link", "label": "v0:x", "metric": 7,
                   "noprefixroute": true, "valid_lifetime": 100, "preferred_lifetime": 50}),
            "NEWADDR create excl v0 2 1 4 3 8 9 6",
        ),
        (json!({"address": "2001:db8::1/64", "nodad": true, "home_address": true}), "NEWADDR create excl v0 2 1 8"),
        (json!({"address": "239.1.2.3/32", "autojoin": true}), "NEWADDR create excl v0 2 1 8"),
    ] {
        assert_sends(&host, "Address.Add", on(changes), &around(find, line));
    }
    let one = on(json!({"address": "10.0.0.1/24"}));
    assert_sends(&host, "Address.Delete", one, &[find, "GETADDR dump v0", find, "DELADDR v0 2 1", find]);
    let none = on(json!({"address": "10.0.0.1/24", "missing_ok": true}));
    assert_sends(&host, "Address.Delete", none, &[find, "GETADDR dump v0"]);
}

#[test]
fn a_neighbour_is_sent_with_its_state_and_its_links_index() {
    let host = host();
    let find = "GETLINK - 3=v0 29";
    let mac = "02:00:00:00:00:09";
    for (fields, line) in [
        (json!({"address": "10.9.0.1", "mac": mac}), "NEWNEIGH create excl v0 state=80 flags=0 1 2"),
        (json!({"address": "2001:db8::1", "state": "none"}), "NEWNEIGH create excl v0 state=0 flags=0 1"),
    ] {
        assert_sends(&host, "Neighbour.Add", on(fields), &around(find, line));
    }
    let again = on(json!({"address": "10.9.0.1", "mac": mac, "exists_ok": true}));
    let lines = [find, find, "NEWNEIGH create excl v0 state=80 flags=0 1 2", find, "GETNEIGH v0 state=0 flags=0 1"];
    assert_sends(&host, "Neighbour.Add", again, &lines);
    for (state, number, mac) in [
        ("incomplete", 1, None),
        ("reachable", 2, Some(mac)),
        ("stale", 4, Some(mac)),
        ("delay", 8, Some(mac)),
        ("probe", 0x10, Some(mac)),
        ("failed", 0x20, None),
        ("noarp", 0x40, Some(mac)),
        ("permanent", 0x80, Some(mac)),
    ] {
        let attributes = if mac.is_some() { "1 2" } else { "1" };
        let line = format!("NEWNEIGH create replace v0 state={number:x} flags=0 {attributes}");
        let fields = on(json!({"address": "10.9.0.2", "mac": mac, "state": state}));
        assert_sends(&host, "Neighbour.Replace", fields, &around(find, &line));
    }
    let proxy = on(json!({"address": "10.9.0.1", "proxy": true}));
    let asked = "GETNEIGH v0 state=0 flags=8 1";
    let add = "NEWNEIGH create excl v0 state=80 flags=8 1";
    assert_sends(&host, "Neighbour.Add", proxy.clone(), &[find, asked, find, add, find]);
    assert_sends(&host, "Neighbour.Delete", proxy, &around(find, "DELNEIGH v0 state=0 flags=8 1"));
    let delete = on(json!({"address": "10.9.0.1"}));
    assert_sends(&host, "Neighbour.Delete", delete, &around(find, "DELNEIGH v0 state=0 flags=0 1"));
}

#[test]
fn an_entry_of_a_forwarding_database_is_sent_once_for_each_database() {
    let host = host();
    host.ip_in("a", "link set v0 master br0");
    let (find, mac) = ("GETLINK - 3=v0 29", "02:00:00:00:00:09");
    let itself = around(find, "NEWNEIGH create excl v0 state=c0 flags=2 2");
    assert_sends(&host, "Fdb.Add", on(json!({"mac": mac})), &itself);
    let asked = "GETNEIGH v0 state=0 flags=4 2"; // whether the bridge has one without a VLAN
    let lines = [find, asked, find, "NEWNEIGH create excl v0 state=42 flags=4 2", find];
    let with_master = on(json!({"mac": mac, "targets": ["master"], "fdb_state": "static"}));
    assert_sends(&host, "Fdb.Add", with_master, &lines);
    let both = on(json!({"mac": mac, "targets": ["self", "master"]}));
    let left = "GETNEIGH dump - state=0 flags=0 8"; // whether an entry remains
    let (of_master, own) = ("DELNEIGH v0 state=c0 flags=4 2", "DELNEIGH v0 state=c0 flags=2 2");
    assert_sends(&host, "Fdb.Delete", both, &[find, find, of_master, find, left, find, own, find, left]);
}

#[test]
fn a_rule_is_sent_with_the_names_of_its_links_which_are_looked_up_for_alternative_ones_only() {
    let host = host();
    let rule = |changes: Value| {
        let mut fields = json!({"netns": "a", "family": "inet", "priority": 100});
        fields.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        fields
    };
    for (fields, line) in [
        (json!({}), "NEWRULE create excl to/0 from/0 action=1 6 15"),
        (json!({"priority": null}), "NEWRULE create excl to/0 from/0 action=1 15"),
        (
            json!({"source": "10.0.0.1/24", "destination": "default"}),
            "NEWRULE create excl to/0 from/24 action=1 2 6 15",
        ),
        (json!({"action": "prohibit", "destination": "10.0.0.0/8"}), "NEWRULE create excl to/8 from/0 action=8 1 6 15"),
    ] {
        assert_sends(&host, "Rule.Add", rule(fields), &[line]);
    }
    let by_links = rule(json!({"iif": "v0", "oif": "nosuch", "fwmark": 1, "table": 1000, "suppress_prefixlength": 0}));
    let made = "NEWRULE create excl to/0 from/0 action=1 3 17 6 10 16 15 14";
    let (iif, oif) = ("GETLINK - 3=v0 29", "GETLINK - 3=nosuch 29");
    assert_sends(&host, "Rule.Add", by_links, &[iif, oif, iif, oif, made, iif, oif]);
    let asked = "GETRULE dump to/0 from/0 action=0";
    let again = rule(json!({"exists_ok": true}));
    assert_sends(&host, "Rule.Add", again, &["NEWRULE create excl to/0 from/0 action=1 6 15", asked]);
    let found = rule(json!({"source": "10.0.0.1/24"}));
    assert_sends(&host, "Rule.Delete", found, &[asked, "DELRULE to/0 from/24 action=1 15 2 6"]);
    assert_sends(&host, "Rule.Delete", rule(json!({"priority": 9, "missing_ok": true})), &[asked]);
    for priority in [300, 301] {
        host.caller().call("Rule.Add", rule(json!({"priority": priority, "table": 9, "source": "10.0.0.0/8"}))).ok();
    }
    let flush = json!({"netns": "a", "family": "inet", "priorities": "300..399"});
    let removed = "DELRULE to/0 from/8 action=1 15 2 6";
    assert_sends(&host, "Rule.Flush", flush.clone(), &[asked, removed, removed]);
    assert_sends(&host, "Rule.Flush", flush, &[asked]);
    assert_sends(&host, "Rule.List", json!({"netns": "a"}), &[asked]);
}

#[test]
fn a_nexthop_object_is_sent_with_its_number_and_read_before_and_after() {
    let host = host();
    host.ip_in("a", "link set lo up");
    host.ip_in("a", "link set v0 up");
    host.ip_in("a", "link set v1 up");
    let object = |changes: Value| {
        let mut fields = json!({"netns": "a", "nexthop_id": 66051});
        fields.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        fields
    };
    let (find, read) = ("GETLINK - 3=v0 29", "GETNEXTHOP family=0 protocol=0 flags=0 1=66051");
    let all = "GETNEXTHOP dump family=0 protocol=0 flags=0";
    let one = object(json!({"gateway": "10.0.0.9", "link": "v0", "onlink": true, "protocol": 186}));
    let line = "NEWNEXTHOP create excl family=2 protocol=186 flags=4 1=66051 6 5=v0";
    assert_sends(&host, "Nexthop.Add", one, &[find, find, line, find, read]);
    let blackhole = object(json!({"blackhole": true, "family": "inet6"}));
    let line = "NEWNEXTHOP create replace family=10 protocol=0 flags=0 1=66051 4";
    assert_sends(&host, "Nexthop.Replace", blackhole, &[line, read]);
    let group = json!({"netns": "a", "nexthop_id": 7, "members": [{"nexthop_id": 66051, "weight": 200}]});
    let line = "NEWNEXTHOP create excl family=0 protocol=0 flags=0 1=7 2=66051*200";
    assert_sends(&host, "Nexthop.Add", group, &[line, "GETNEXTHOP family=0 protocol=0 flags=0 1=7"]);
    let fdb = json!({"netns": "a", "nexthop_id": 8, "gateway": "10.0.0.9", "fdb": true});
    let line = "NEWNEXTHOP create excl family=2 protocol=0 flags=0 1=8 6 11";
    assert_sends(&host, "Nexthop.Add", fdb, &[line, "GETNEXTHOP family=0 protocol=0 flags=0 1=8"]);
    let deleted = |id: u32| format!("DELNEXTHOP family=0 protocol=0 flags=0 1={id}");
    assert_sends(&host, "Nexthop.Flush", json!({"netns": "a", "nexthop_ids": "1..7"}), &[all, &deleted(7)]);
    assert_sends(&host, "Nexthop.Delete", object(json!({})), &[read, all, &deleted(66051)]);
    assert_sends(&host, "Nexthop.Delete", object(json!({"missing_ok": true})), &[read]);
    let listed = "GETNEXTHOP dump family=2 protocol=0 flags=0 5=v0 10=br0";
    let filters = json!({"netns": "a", "family": "inet", "link": "v0", "master": "br0"});
    let (lines, done) = sent(&host, "Nexthop.List", filters);
    assert!(done && lines.iter().filter(|line| !line.starts_with("GETLINK ")).eq([listed]), "{lines:?}");
}

#[test]
fn looking_sends_no_request_that_changes() {
    let host = host();
    assert_sends(&host, "Link.List", json!({"netns": "a", "link": "v0"}), &["GETLINK - 3=v0 29"]);
    assert_sends(&host, "Link.List", json!({"netns": "a", "index": 11}), &["GETLINK v0 29"]);
    assert_sends(&host, "Link.List", json!({"netns": "a"}), &["GETLINK dump - 29"]);
    let more = json!({"netns": "a", "kind": "veth", "group": 0, "up": true, "with_vfs": true, "with_stats": true});
    assert_sends(&host, "Link.List", more, &["GETLINK dump - 18 18.1=veth 29"]);
    let ports = ["GETLINK - 3=br0 29", "GETLINK dump - 10=br0 29", "GETLINK br0 29"];
    assert_sends(&host, "Link.List", json!({"netns": "a", "master": "br0"}), &ports);
    let found = ["GETLINK - 3=v0 29", "GETADDR dump v0", "GETLINK v0 29"];
    assert_sends(&host, "Address.List", json!({"netns": "a", "link": "v0"}), &found);
    assert_sends(&host, "Address.List", json!({"netns": "a"}), &["GETADDR dump -", "GETLINK v0 29"]);
    let found = ["GETLINK - 3=v0 29", "GETNEIGH dump - state=0 flags=0 8", "GETLINK v0 29"];
    assert_sends(&host, "Neighbour.List", json!({"netns": "a", "link": "v0"}), &found);
    let proxies = json!({"netns": "a", "proxy": true});
    assert_sends(&host, "Neighbour.List", proxies, &["GETNEIGH dump - state=0 flags=8"]);
    assert_sends(&host, "Netns.Get", json!({"netns": "a"}), &["GETNSID 3"]);
    let again =
        json!({"netns": "a", "link": "v0", "kind": "veth", "peer": {"name": "v1", "netns": "a"}, "exists_ok": true});
    let asked = "NEWLINK create excl - 3=v0 18 18.1=veth 18.2 18.2.1 18.2.1.3=v1";
    assert_sends(&host, "Link.Add", again, &[asked, "GETLINK - 3=v0 29", "GETLINK - 3=v1 29"]);
}

#[test]
fn vlans_and_vnis_are_listed_before_one_message_changes_them() {
    let host = host();
    host.ip_in("a", "link set v0 master br0");
    host.ip_in("a", "link set v0 type bridge_slave vlan_tunnel on");
    host.ip_in("a", "link add x0 type vxlan external vnifilter");
    let (find, asked) = ("GETLINK - 3=v0 29", "GETLINK dump - 29");
    // This kernel may have no VLANs of bridges. What it was sent is the same, but for what is looked at afterwards.
    let add = json!({"netns": "a", "link": "v0", "vlans": "7..9", "tunnel_ids": "17..19"});
    let (lines, _) = sent(&host, "Vlan.Add", add);
    assert_lines(&lines[..5], &[find, asked, find, "SETLINK v0 26", find], "Vlan.Add");
    let (lines, _) = sent(&host, "Vlan.Replace", json!({"netns": "a", "link": "br0", "vlans": 7, "target": "self"}));
    let find = "GETLINK - 3=br0 29";
    assert_lines(&lines[..5], &[find, asked, find, "SETLINK br0 26", find], "Vlan.Replace");
    let absent = json!({"netns": "a", "link": "br0", "vlans": 99, "target": "self", "missing_ok": true});
    assert_sends(&host, "Vlan.Delete", absent, &[find, asked]);
    assert_sends(&host, "Vlan.List", json!({"netns": "a", "link": "br0"}), &[find, asked, "GETLINK br0 29"]);
    let (find, asked) = ("GETLINK - 3=x0 29", "GETTUNNEL dump x0");
    let vnis = json!({"netns": "a", "link": "x0", "vnis": "7..9"});
    assert_sends(&host, "Vni.Add", vnis.clone(), &[find, asked, find, "NEWTUNNEL x0 1", find]);
    assert_sends(&host, "Vni.Delete", vnis.clone(), &[find, asked, find, "DELTUNNEL x0 1", find]);
    let (lines, done) = sent(&host, "Vni.Delete", vnis);
    assert!(!done);
    assert_lines(&lines, &[find, asked], "Vni.Delete");
    assert_sends(&host, "Vni.List", json!({"netns": "a"}), &["GETTUNNEL dump -"]);
}

#[test]
fn what_needs_no_netlink_and_what_is_denied_sends_nothing() {
    let host = host();
    assert_sends(&host, "Netns.List", json!({"netns": "@host"}), &[]);
    assert_sends(&host, "Netns.Add", json!({"netns": "n"}), &[]);
    assert_sends(&host, "Netns.Delete", json!({"netns": "n"}), &[]);
    host.policy(&format!(
        "{EVERYTHING}\n[[deny]]\nid = \"v\"\nwho = \"*\"\ncall = [\"@change\", \"@read\"]\nlink = \"v*\"\n"
    ));
    for (method, changes) in [
        ("Link.Set", json!({"mtu": 1400})),
        ("Link.Delete", json!({})),
        ("Link.List", json!({})),
        ("Address.Add", json!({"address": "10.0.0.1/24"})),
        ("Link.Add", json!({"kind": "bridge"})),
        ("Neighbour.Delete", json!({"address": "10.0.0.1"})),
    ] {
        let mut fields = json!({"netns": "a", "link": "v0"});
        fields.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        assert_eq!(sent(&host, method, fields), (Vec::new(), false), "{method}");
    }
}

#[test]
fn a_route_is_one_message_that_names_its_links_by_index_and_one_listing_before_it_goes() {
    let host = host();
    host.ip_in("a", "link set v0 up");
    host.ip_in("a", "link set v1 up");
    let route = |more: Value| {
        let mut fields = json!({"netns": "a", "destination": "10.2.0.0/16"});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fields
    };
    let full =
        route(json!({"gateway": "10.0.0.9", "link": "v0", "table": 300, "metric": 7, "preferred_source": "10.0.0.1",
        "mtu": 1300, "onlink": true, "protocol": 4, "scope": "global"}));
    let line = "NEWROUTE create excl table=0 flags=4 1 15 6 7 8 5 4=v0";
    let (find, other) = ("GETLINK - 3=v0 29", "GETLINK - 3=v1 29");
    assert_sends(&host, "Route.Add", full, &around(find, line));
    assert_sends(
        &host,
        "Route.Replace",
        route(json!({"link": "v0"})),
        &around(find, "NEWROUTE create replace table=254 flags=0 1 4=v0"),
    );
    let hops = json!([{"gateway": "10.0.0.9", "link": "v0"}, {"gateway": "fe80::9", "link": "v1", "onlink": true}]);
    assert_sends(
        &host,
        "Route.Replace",
        route(json!({"nexthops": hops})),
        &[
            find,
            other,
            find,
            other,
            "NEWROUTE create replace table=254 flags=0 1 [v0 flags=0 9.5] [v1 flags=4 9.18]",
            find,
            other,
        ],
    );
    assert_sends(
        &host,
        "Route.Delete",
        route(json!({})),
        &["GETROUTE dump table=254 flags=0", "DELROUTE table=254 flags=0 1 [v0 flags=0 9.5] [v1 flags=4 9.18]"],
    );
    assert_sends(
        &host,
        "Route.Delete",
        route(json!({"table": 300, "link": "v0"})),
        &[find, "GETROUTE dump table=0 flags=0 15 4=v0", find, "DELROUTE table=0 flags=0 1 15 6 7 8 5 4=v0", find],
    );
    let blackhole = route(json!({"route_type": "blackhole"}));
    assert_sends(&host, "Route.Add", blackhole, &["NEWROUTE create excl table=254 flags=0 1"]);
}
