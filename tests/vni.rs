// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Vni.Add`, `Vni.Delete` and `Vni.List` against their twins `bridge vni`, which need Linux 5.18.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{EVERYTHING, open_host};
use common::sent::Sent;
use common::{Host, Reply};
use serde_json::{Value, json};

/// Twins, each with a vxlan `x0` that sends through `v0` and has a list of VNIs, a vxlan `x1` without one, and a bridge.
fn host() -> (Host, &'static str, &'static str) {
    let host = open_host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        for words in [
            "link add v0 type veth peer name v1",
            "link add x0 type vxlan external vnifilter dstport 4789 dev v0",
            "link add x1 type vxlan id 7 dstport 4790",
            "link add br0 type bridge",
        ] {
            host.ip_in(netns, words);
        }
    }
    (host, a, b)
}

/// `bridge` with these words in a namespace.
fn bridge(host: &Host, netns: &str, words: &str) -> String {
    let all: Vec<&str> = ["bridge", "-n", netns].into_iter().chain(words.split_whitespace()).collect();
    host.run(&all).ok()
}

/// The VNIs and the forwarding database of the vxlan in a namespace, as `bridge` prints them.
fn vnis(host: &Host, netns: &str) -> [String; 2] {
    let mut entries: Vec<String> = bridge(host, netns, "fdb show dev x0").lines().map(str::to_owned).collect();
    entries.sort_unstable();
    [bridge(host, netns, "-j vni show"), entries.join("\n")]
}

fn act(host: &Host, verb: &str, fields: &Value) -> Reply {
    let mut all = json!({"netns": "a", "link": "x0"});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    host.caller().call(&format!("Vni.{verb}"), all)
}

/// What `Vni.List` reports of a link, without its name and its index.
fn listed(host: &Host, link: &str) -> Vec<Value> {
    let mut all = act(host, "List", &json!({"link": link})).ok()["vnis"].as_array().unwrap().clone();
    for element in &mut all {
        let members = element.as_object_mut().unwrap();
        assert_eq!(members.remove("link"), Some(json!(link)));
        members.remove("link_index").unwrap();
    }
    all
}

#[test]
fn each_field_does_what_iproute2_does() {
    let (host, a, b) = host();
    for (verb, fields, words) in [
        ("Add", json!({"vnis": 5}), "add dev x0 vni 5"),
        ("Add", json!({"vnis": "100..199"}), "add dev x0 vni 100-199"),
        ("Add", json!({"vnis": 16777215}), "add dev x0 vni 16777215"),
        ("Add", json!({"vnis": 7, "remote": "198.51.100.7"}), "add dev x0 vni 7 remote 198.51.100.7"),
        ("Add", json!({"vnis": "8..9", "remote": "2001:db8::7"}), "add dev x0 vni 8-9 remote 2001:db8::7"),
        ("Add", json!({"vnis": 10, "remote": "239.1.2.3"}), "add dev x0 vni 10 group 239.1.2.3"),
        ("Add", json!({"vnis": 11, "remote": "ff05::7"}), "add dev x0 vni 11 group ff05::7"),
        ("Add", json!({"vnis": "95..104", "exists_ok": true}), "add dev x0 vni 95-104"),
        ("Delete", json!({"vnis": 5}), "delete dev x0 vni 5"),
        ("Delete", json!({"vnis": "110..119"}), "delete dev x0 vni 110-119"),
        ("Delete", json!({"vnis": "7..8"}), "delete dev x0 vni 7-8"),
        ("Delete", json!({"vnis": 10}), "delete dev x0 vni 10"),
    ] {
        assert_eq!(act(&host, verb, &fields).ok(), json!({}), "{verb} {fields}");
        bridge(&host, b, &format!("vni {words}"));
        assert_eq!(vnis(&host, a), vnis(&host, b), "{verb} {fields}");
    }
    assert_eq!(
        listed(&host, "x0"),
        [
            json!({"vnis": "9", "remote": "2001:db8::7"}),
            json!({"vnis": "11", "remote": "ff05::7"}),
            json!({"vnis": "95..109"}),
            json!({"vnis": "120..199"}),
            json!({"vnis": "16777215"}),
        ]
    );
    act(&host, "Delete", &json!({"vnis": "1..16777215", "missing_ok": true})).ok();
    assert_eq!(listed(&host, "x0"), Vec::<Value>::new());
}

#[test]
fn a_listing_has_the_vnis_of_each_vxlan_with_a_list() {
    let (host, a, _) = host();
    host.ip_in(a, "link add x2 index 500 type vxlan external vnifilter dstport 4791");
    bridge(&host, a, "vni add dev x0 vni 5-9");
    bridge(&host, a, "vni add dev x2 vni 5");
    bridge(&host, a, "vni add dev x2 vni 7 remote 198.51.100.7");
    let all = host.caller().call("Vni.List", json!({"netns": a})).ok()["vnis"].clone();
    assert_eq!(all.as_array().unwrap().len(), 3);
    assert_eq!(all[1], json!({"link": "x2", "link_index": 500, "vnis": "5"}));
    let one = host.caller().call("Vni.List", json!({"netns": a, "index": 500})).ok()["vnis"].clone();
    assert_eq!(one, json!([all[1], all[2]]));
    assert_eq!(listed(&host, "x0"), [json!({"vnis": "5..9"})]);
    for link in ["x1", "br0", "lo"] {
        assert_eq!(listed(&host, link), Vec::<Value>::new(), "{link}");
    }
    assert_eq!(act(&host, "List", &json!({"link": "x9"})).error(), "io.netbroker.Vni.NoSuchLink");
}

#[test]
fn a_list_that_does_not_fit_one_message_is_whole() {
    let (host, a, _) = host();
    let lines: String = (1..=3000).map(|half| format!("vni add dev x0 vni {}\n", 2 * half)).collect();
    std::fs::write("/run/scratch/batch", lines).unwrap();
    bridge(&host, a, "-batch /run/scratch/batch");
    let all = listed(&host, "x0");
    assert_eq!(all.len(), 3000);
    assert_eq!((&all[0], &all[2999]), (&json!({"vnis": "2"}), &json!({"vnis": "6000"})));
    act(&host, "Add", &json!({"vnis": "2000..6000", "exists_ok": true})).ok();
    act(&host, "Delete", &json!({"vnis": "1..1999", "missing_ok": true})).ok();
    assert_eq!(listed(&host, "x0"), [json!({"vnis": "2000..6000"})]);
}

#[test]
fn a_vni_that_exists_is_the_same_or_an_error_that_names_what_differs() {
    let (host, a, _) = host();
    act(&host, "Add", &json!({"vnis": "5..6"})).ok();
    act(&host, "Add", &json!({"vnis": "7..8", "remote": "198.51.100.7"})).ok();
    let before = vnis(&host, a);
    for fields in [
        json!({"vnis": "5..6", "exists_ok": true}),
        json!({"vnis": 8, "remote": "198.51.100.7", "exists_ok": true}),
        json!({"vnis": "5..8", "exists_ok": true}),
    ] {
        act(&host, "Add", &fields).ok();
        assert_eq!(vnis(&host, a), before, "{fields}");
    }
    for (fields, field) in [
        (json!({"vnis": 5}), "vnis"),
        (json!({"vnis": "3..5"}), "vnis"),
        (json!({"vnis": 5, "remote": "198.51.100.7"}), "vnis"), // the kernel would send to this host
        (json!({"vnis": 5, "remote": "198.51.100.7", "exists_ok": true}), "remote"),
        (json!({"vnis": "7..9", "remote": "198.51.100.8", "exists_ok": true}), "remote"),
        (json!({"vnis": 7, "remote": "2001:db8::7", "exists_ok": true}), "remote"),
    ] {
        let reply = act(&host, "Add", &fields);
        assert_eq!(reply.error(), "io.netbroker.Vni.AlreadyExists", "{fields}: {reply}");
        let parts = ["field", "errno", "may_have_changed"].map(|part| reply.get(part));
        assert_eq!(parts, [json!(field), json!(17), json!(false)], "{fields}: {reply}");
        assert_eq!(vnis(&host, a), before, "{fields}");
    }
}

#[test]
fn an_error_says_whether_the_kernel_has_added_vnis_before() {
    let (host, a, _) = host();
    host.ip_in(a, "link add x2 type vxlan external vnifilter dstport 4789 dev v1");
    bridge(&host, a, "vni add dev x2 vni 8");
    for (range, changed, left) in [("8..9", false, vec![]), ("7..9", true, vec![json!({"vnis": "7"})])] {
        let reply = act(&host, "Add", &json!({"vnis": range, "exists_ok": true}));
        assert_eq!(reply.error(), "io.netbroker.Vni.AlreadyExists", "{reply}");
        let parts = ["field", "message", "may_have_changed"].map(|part| reply.get(part));
        assert_eq!(parts, [json!("vnis"), json!("VNI in use"), json!(changed)], "{reply}");
        assert_eq!(listed(&host, "x0"), left, "{range}");
    }
}

#[test]
fn an_absent_vni_is_not_found_or_missing_ok() {
    let (host, a, _) = host();
    act(&host, "Add", &json!({"vnis": "5..7"})).ok();
    let before = vnis(&host, a);
    for (fields, absent) in [(json!({"vnis": 4}), 4), (json!({"vnis": "5..8"}), 8), (json!({"vnis": "1..7"}), 1)] {
        let reply = act(&host, "Delete", &fields);
        assert_eq!(reply.error(), "io.netbroker.Vni.NotFound", "{fields}: {reply}");
        let parts = ["field", "message", "errno", "may_have_changed"].map(|part| reply.get(part));
        let message = json!(format!("VNI {absent} does not exist"));
        assert_eq!(parts, [json!("vnis"), message, json!(2), json!(false)], "{reply}");
        assert_eq!(vnis(&host, a), before, "{fields}");
    }
    act(&host, "Delete", &json!({"vnis": 4, "missing_ok": true})).ok();
    assert_eq!(vnis(&host, a), before);
    act(&host, "Delete", &json!({"vnis": "6..9", "missing_ok": true})).ok();
    assert_eq!(listed(&host, "x0"), [json!({"vnis": "5"})]);
}

#[test]
fn what_cannot_be_is_refused_and_nothing_changes() {
    let (host, a, _) = host();
    host.ip_in(a, "link add x2 type vxlan external vnifilter dstport 4791"); // without a parent
    let before = (bridge(&host, a, "-j vni show"), host.snapshot(&[a]));
    let invalid = |field: &str| ("InvalidRequest", json!({"field": field}));
    let refused = |field: &str| ("KernelRefused", json!({"field": field, "may_have_changed": false}));
    for (fields, (error, parts)) in [
        (json!({"vnis": 0}), invalid("vnis")),
        (json!({"vnis": "0..1"}), invalid("vnis")),
        (json!({"vnis": 16777216}), invalid("vnis")),
        (json!({"vnis": "5..5"}), invalid("vnis")),
        (json!({"vnis": "1..4097"}), invalid("vnis")),
        (json!({"vnis": 5, "remote": "0.0.0.0"}), invalid("remote")),
        (json!({"vnis": 5, "remote": "::"}), invalid("remote")),
        (json!({"vnis": 5, "remote": "198.51.100.7/32"}), invalid("remote")),
        (json!({"link": "x1", "vnis": 5}), refused("link")),
        (json!({"link": "br0", "vnis": 5}), refused("link")),
        (json!({"link": "x9", "vnis": 5}), ("NoSuchLink", json!({"name": "x9", "errno": 19}))),
        (
            json!({"link": "x2", "vnis": 5, "remote": "239.1.2.3"}),
            ("KernelRefused", json!({"may_have_changed": false})),
        ),
    ] {
        let reply = act(&host, "Add", &fields);
        assert_eq!(reply.error(), format!("io.netbroker.Vni.{error}"), "{fields}: {reply}");
        for (name, value) in parts.as_object().unwrap() {
            assert_eq!(reply.get(name), *value, "{fields}: {reply}");
        }
    }
    for (fields, error) in [
        (json!({"vnis": 0}), "InvalidRequest"),
        (json!({"link": "x1", "vnis": 7, "missing_ok": true}), "KernelRefused"),
        (json!({"link": "lo", "vnis": 7, "missing_ok": true}), "KernelRefused"),
        (json!({"link": "x9", "vnis": 7, "missing_ok": true}), "NoSuchLink"),
    ] {
        assert_eq!(act(&host, "Delete", &fields).error(), format!("io.netbroker.Vni.{error}"), "{fields}");
    }
    assert_eq!((bridge(&host, a, "-j vni show"), host.snapshot(&[a])), before);
}

#[test]
fn a_deny_on_one_vni_meets_every_range_with_it() {
    let (host, a, _) = host();
    act(&host, "Add", &json!({"vnis": "4..6"})).ok();
    host.policy(&format!("{EVERYTHING}\n[[deny]]\nid = \"vni-5\"\nwho = \"*\"\ncall = \"@change\"\nvni = 5\n"));
    let before = vnis(&host, a);
    for (verb, fields) in [
        ("Add", json!({"vnis": "1..10", "exists_ok": true})),
        ("Add", json!({"vnis": 5})),
        ("Delete", json!({"vnis": "4..6"})),
        ("Delete", json!({"vnis": "1..16777215", "missing_ok": true})),
    ] {
        let reply = act(&host, verb, &fields);
        assert_eq!((reply.error().as_str(), reply.get("rule")), ("io.netbroker.Vni.Denied", json!("vni-5")), "{reply}");
        assert_eq!(vnis(&host, a), before, "{verb} {fields}");
    }
    act(&host, "Delete", &json!({"vnis": 4})).ok();
    act(&host, "Add", &json!({"vnis": "7..9"})).ok();
    assert_eq!(listed(&host, "x0"), [json!({"vnis": "5..9"})]);
}

/// The message that a call sends with this type. The decoder of `tests/decoder.rs` does not know it.
fn message(host: &Host, verb: &str, kind: u16, fields: &Value) -> (Vec<u8>, u32) {
    let mut all = json!({"netns": "a", "link": "x0"});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let (sent, reply) = Sent::by(host, &["a"], &format!("Vni.{verb}"), all);
    reply.ok();
    let mut found = sent.datagrams.iter().filter(|datagram| datagram[4..6] == kind.to_ne_bytes());
    let message = found.next().unwrap().clone();
    assert_eq!(found.next(), None, "{fields}");
    (message, sent.links.iter().find(|(name, _)| name == "x0").unwrap().1)
}

/// An attribute of this type.
fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + payload.len()).unwrap();
    [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), payload].concat()
}

/// `struct tunnel_msg`, `VXLAN_VNIFILTER_…` (`linux/if_link.h`).
#[test]
fn the_messages_are_those_of_the_kernels_header() {
    let (host, ..) = host();
    let number = |kind: u16, number: u32| attribute(kind, &number.to_ne_bytes());
    let entry = |inside: &[Vec<u8>]| attribute(0x8000 | 1, &inside.concat());
    let head = |index: u32| [&[7, 0, 0, 0][..], &index.to_ne_bytes()].concat();
    let (v4, v6) =
        (attribute(3, &[198, 51, 100, 7]), attribute(4, &[&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[7]].concat()));
    for (verb, kind, fields, entries) in [
        ("Add", 120, json!({"vnis": 66051}), vec![entry(&[number(1, 66051)])]),
        (
            "Add",
            120,
            json!({"vnis": "66053..66063", "remote": "198.51.100.7"}),
            vec![entry(&[number(1, 66053), number(2, 66063), v4])],
        ),
        ("Add", 120, json!({"vnis": 7, "remote": "2001:db8::7"}), vec![entry(&[number(1, 7), v6])]),
        (
            "Delete",
            121,
            json!({"vnis": "1..66055", "missing_ok": true}),
            vec![entry(&[number(1, 7)]), entry(&[number(1, 66051)]), entry(&[number(1, 66053), number(2, 66055)])],
        ),
    ] {
        let (message, index) = message(&host, verb, kind, &fields);
        assert_eq!(message[16..], [head(index), entries.concat()].concat(), "{verb} {fields}");
    }
    let (asked, _) = message(&host, "List", 122, &json!({}));
    assert_eq!((&asked[6..8], &asked[16..]), (&0x301_u16.to_ne_bytes()[..], &head(0)[..]));
}
