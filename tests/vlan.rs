// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Vlan.Add`, `Vlan.Replace`, `Vlan.Delete` and `Vlan.List` against their twins `bridge vlan`.
//!
//! A plain `cargo test` does not run this target (`test = false` in Cargo.toml), because a kernel can be built without VLANs of
//! bridges (`CONFIG_BRIDGE_VLAN_FILTERING`). tests/vm/run boots a kernel that has them and runs it there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{EVERYTHING, open_host};
use common::sent::Sent;
use common::{Host, Reply};
use serde_json::{Value, json};

/// Twins, each with a bridge `br0`, its ports `v0` and `x0`, which maps VLANs to tunnels, and a link `v1` that is no port.
fn host() -> (Host, &'static str, &'static str) {
    let host = open_host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        for words in [
            "link add br0 type bridge vlan_filtering 1",
            "link add v0 type veth peer name v1",
            "link set v0 master br0",
            "link add x0 type vxlan dstport 4789 external",
            "link set x0 master br0",
            "link set x0 type bridge_slave vlan_tunnel on",
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

/// `bridge vlan` with these words, and after each `;` again. With `tunnel_info`, it only maps a VLAN that exists.
fn vlan(host: &Host, netns: &str, words: &str) {
    words.split(';').for_each(|words| drop(bridge(host, netns, &format!("vlan {words}"))));
}

/// The VLANs and the tunnel ids of a namespace, as `bridge` prints them.
fn vlans(host: &Host, netns: &str) -> [String; 2] {
    ["-j vlan show", "-j vlan tunnelshow"].map(|words| bridge(host, netns, words))
}

fn act(host: &Host, verb: &str, fields: &Value) -> Reply {
    let mut all = json!({"netns": "a", "link": "v0"});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    host.caller().call(&format!("Vlan.{verb}"), all)
}

/// What `Vlan.List` reports of one link, without the names and the index of links.
fn listed(host: &Host, link: &str) -> Vec<Value> {
    let mut all = act(host, "List", &json!({"link": link})).ok()["vlans"].as_array().unwrap().clone();
    for element in &mut all {
        let members = element.as_object_mut().unwrap();
        assert_eq!(members.remove("link"), Some(json!(link)));
        members.remove("link_index").unwrap();
        let target = members.remove("target").unwrap();
        assert_eq!(
            (target, members.remove("master")),
            match link {
                "br0" => (json!("self"), None),
                _ => (json!("master"), Some(json!("br0"))),
            }
        );
    }
    all
}

#[test]
fn each_field_does_what_iproute2_does() {
    let (host, a, b) = host();
    let tunnel = |vlans: &str, ids: &str| json!({"link": "x0", "vlans": vlans, "tunnel_ids": ids});
    let steps = [
        ("Add", json!({"vlans": 10}), "add dev v0 vid 10"),
        ("Add", json!({"vlans": "20..29", "target": "master"}), "add dev v0 vid 20-29 master"),
        ("Add", json!({"vlans": "30..31", "untagged": true}), "add dev v0 vid 30-31 untagged"),
        ("Add", json!({"vlans": 4094}), "add dev v0 vid 4094"),
        ("Add", json!({"link": "br0", "vlans": 10, "target": "self"}), "add dev br0 vid 10 self"),
        ("Add", json!({"link": "br0", "vlans": "40..49", "target": "self"}), "add dev br0 vid 40-49 self"),
        ("Add", tunnel("100", "1000"), "add dev x0 vid 100; add dev x0 vid 100 tunnel_info id 1000"),
        (
            "Add",
            tunnel("101..103", "1001..1003"),
            "add dev x0 vid 101-103; add dev x0 vid 101-103 tunnel_info id 1001-1003",
        ),
        (
            "Add",
            tunnel("104..105", "16777214..16777215"),
            "add dev x0 vid 104-105; add dev x0 vid 104-105 tunnel_info id 16777214-16777215",
        ),
        ("Add", json!({"link": "x0", "vlans": "106..108"}), "add dev x0 vid 106-108"),
        ("Replace", json!({"vlans": 10, "pvid": true, "untagged": true}), "add dev v0 vid 10 pvid untagged"),
        ("Replace", json!({"vlans": 10}), "add dev v0 vid 10"), // now there is no PVID
        ("Add", json!({"vlans": 50, "pvid": true}), "add dev v0 vid 50 pvid"),
        ("Replace", json!({"vlans": "25..34", "untagged": true}), "add dev v0 vid 25-34 untagged"),
        (
            "Replace",
            json!({"link": "br0", "vlans": 40, "pvid": true, "target": "self"}),
            "add dev br0 vid 40 pvid self",
        ),
        (
            "Replace",
            tunnel("106..107", "1006..1007"),
            "add dev x0 vid 106-107; add dev x0 vid 106-107 tunnel_info id 1006-1007",
        ),
        ("Replace", tunnel("109", "1"), "add dev x0 vid 109; add dev x0 vid 109 tunnel_info id 1"),
        ("Delete", json!({"vlans": 10}), "del dev v0 vid 10"),
        ("Delete", json!({"vlans": "22..27"}), "del dev v0 vid 22-27"),
        ("Delete", json!({"vlans": 50}), "del dev v0 vid 50"),
        ("Delete", json!({"link": "br0", "vlans": "41..43", "target": "self"}), "del dev br0 vid 41-43 self"),
        ("Delete", json!({"link": "x0", "vlans": 102}), "del dev x0 vid 102"),
        ("Delete", json!({"link": "x0", "vlans": "1..4094", "missing_ok": true}), "del dev x0 vid 1-4094"),
    ];
    for (verb, fields, words) in steps {
        assert_eq!(act(&host, verb, &fields).ok(), json!({}), "{verb} {fields}");
        vlan(&host, b, words);
        assert_eq!(vlans(&host, a), vlans(&host, b), "{verb} {fields}");
    }
}

#[test]
fn a_listing_has_the_vlans_of_all_bridges_and_ports() {
    let (host, ..) = host();
    let of = |vlans: &str, pvid: bool, untagged: bool| json!({"vlans": vlans, "pvid": pvid, "untagged": untagged});
    let with_id = |vlans: &str, ids: &str| json!({"vlans": vlans, "pvid": false, "untagged": false, "tunnel_ids": ids});
    for words in [
        "add dev v0 vid 2 untagged",
        "add dev v0 vid 3-9",
        "add dev v0 vid 4094",
        "add dev br0 vid 7-8 self",
        "add dev x0 vid 100-101; add dev x0 vid 100-101 tunnel_info id 1000-1001",
        "add dev x0 vid 102",
        "add dev x0 vid 103-104; add dev x0 vid 103-104 tunnel_info id 1-2",
        "add dev x0 vid 105; add dev x0 vid 105 tunnel_info id 1005",
        "add dev x0 vid 106; add dev x0 vid 106 tunnel_info id 1003",
    ] {
        vlan(&host, "a", words);
    }
    let default = of("1", true, true);
    assert_eq!(
        listed(&host, "v0"),
        [default.clone(), of("2", false, true), of("3..9", false, false), of("4094", false, false)]
    );
    assert_eq!(listed(&host, "br0"), [default.clone(), of("7..8", false, false)]);
    let of_tunnels = [
        default,
        with_id("100..101", "1000..1001"),
        of("102", false, false),
        with_id("103..104", "1..2"),
        with_id("105", "1005"),
        with_id("106", "1003"),
    ];
    assert_eq!(listed(&host, "x0"), of_tunnels);
    assert_eq!(listed(&host, "v1"), Vec::<Value>::new());
    let all = host.caller().call("Vlan.List", json!({"netns": "a"})).ok();
    assert_eq!(all["vlans"].as_array().unwrap().len(), 4 + 2 + 6);
    let one = host.caller().call("Vlan.List", json!({"netns": "a", "index": all["vlans"][0]["link_index"]})).ok();
    assert_eq!(
        one["vlans"],
        all["vlans"].as_array().unwrap().iter().filter(|e| e["link"] == "br0").cloned().collect::<Value>()
    );
    assert_eq!(act(&host, "List", &json!({"link": "v9"})).error(), "io.netbroker.Vlan.NoSuchLink");
}

#[test]
fn a_link_with_as_many_ranges_as_possible_is_listed() {
    let (host, a, _) = host();
    let lines: String = (1..=2047).map(|half| format!("vlan add dev v0 vid {} untagged\n", 2 * half)).collect();
    std::fs::write("/run/scratch/batch", format!("vlan add dev v0 vid 1-4094\n{lines}")).unwrap();
    bridge(&host, a, "-batch /run/scratch/batch");
    let all = listed(&host, "v0");
    assert_eq!(all.len(), 4094);
    assert_eq!(all[4092], json!({"vlans": "4093", "pvid": false, "untagged": false}));
    let whole = json!({"vlans": "1..4094", "exists_ok": true});
    let reply = act(&host, "Add", &whole);
    assert_eq!((reply.error().as_str(), reply.get("field")), ("io.netbroker.Vlan.AlreadyExists", json!("untagged")));
    act(&host, "Replace", &json!({"vlans": "1..4094"})).ok();
    act(&host, "Add", &whole).ok();
    assert_eq!(listed(&host, "v0"), [json!({"vlans": "1..4094", "pvid": false, "untagged": false})]);
}

#[test]
fn a_vlan_that_exists_is_the_same_or_an_error_that_names_what_differs() {
    let (host, a, _) = host();
    for fields in [
        json!({"vlans": "10..12"}),
        json!({"vlans": "20..21", "untagged": true}),
        json!({"link": "x0", "vlans": "30..31", "tunnel_ids": "300..301"}),
        json!({"link": "br0", "vlans": 10, "target": "self"}),
    ] {
        act(&host, "Add", &fields).ok();
        let before = vlans(&host, a);
        let again = act(&host, "Add", &fields);
        assert_eq!(again.error(), "io.netbroker.Vlan.AlreadyExists", "{again}");
        let parts = ["field", "errno", "may_have_changed"].map(|part| again.get(part));
        assert_eq!(parts, [json!("vlans"), json!(17), json!(false)], "{again}");
        let mut tolerant = fields.clone();
        tolerant["exists_ok"] = json!(true);
        act(&host, "Add", &tolerant).ok();
        assert_eq!(vlans(&host, a), before);
    }
    let before = vlans(&host, a);
    for (fields, field) in [
        (json!({"vlans": "8..10"}), "vlans"),
        (json!({"vlans": 10, "pvid": true, "exists_ok": true}), "pvid"),
        (json!({"vlans": 1, "untagged": true, "exists_ok": true}), "pvid"),
        (json!({"vlans": "11..13", "untagged": true, "exists_ok": true}), "untagged"),
        (json!({"vlans": "19..21", "exists_ok": true}), "untagged"),
        (json!({"link": "x0", "vlans": "30..31", "tunnel_ids": "301..302", "exists_ok": true}), "tunnel_ids"),
        // The kernel would take the PVID from VLAN 1.
        (json!({"vlans": 13, "pvid": true}), "pvid"),
        (json!({"vlans": 13, "pvid": true, "exists_ok": true}), "pvid"),
        (json!({"link": "br0", "vlans": 13, "pvid": true, "target": "self"}), "pvid"),
        // The kernel would make VLAN 32, and then refuse the tunnel id.
        (json!({"link": "x0", "vlans": 32, "tunnel_ids": 300}), "tunnel_ids"),
        (json!({"link": "x0", "vlans": "32..33", "tunnel_ids": "299..300", "exists_ok": true}), "tunnel_ids"),
    ] {
        let reply = act(&host, "Add", &fields);
        assert_eq!(reply.error(), "io.netbroker.Vlan.AlreadyExists", "{fields}: {reply}");
        assert_eq!(
            (reply.get("field"), reply.get("may_have_changed")),
            (json!(field), json!(false)),
            "{fields}: {reply}"
        );
        assert_eq!(vlans(&host, a), before, "{fields}");
    }
    for fields in [
        json!({"link": "x0", "vlans": "30..31", "tunnel_ids": "301..302"}),
        json!({"link": "x0", "vlans": 30, "tunnel_ids": 301}),
        json!({"link": "x0", "vlans": 32, "tunnel_ids": 300}),
    ] {
        let reply = act(&host, "Replace", &fields);
        assert_eq!(reply.error(), "io.netbroker.Vlan.AlreadyExists", "{fields}: {reply}");
        assert_eq!((reply.get("field"), reply.get("may_have_changed")), (json!("tunnel_ids"), json!(false)), "{reply}");
        assert_eq!(vlans(&host, a), before, "{fields}");
    }
    // Those that are missing are added.
    act(&host, "Add", &json!({"vlans": "8..14", "exists_ok": true})).ok();
    act(&host, "Add", &json!({"link": "x0", "vlans": "29..32", "tunnel_ids": "299..302", "exists_ok": true})).ok();
    let all = listed(&host, "v0");
    assert_eq!(all[1], json!({"vlans": "8..14", "pvid": false, "untagged": false}));
    assert_eq!(listed(&host, "x0")[1]["tunnel_ids"], "299..302");
}

#[test]
fn a_replaced_vlan_keeps_its_tunnel_id_and_takes_the_pvid_from_another() {
    let (host, ..) = host();
    act(&host, "Add", &json!({"link": "x0", "vlans": "30..31", "tunnel_ids": "300..301"})).ok();
    act(&host, "Replace", &json!({"link": "x0", "vlans": 30, "untagged": true, "pvid": true})).ok();
    act(&host, "Replace", &json!({"link": "x0", "vlans": "29..31", "tunnel_ids": "299..301"})).ok();
    assert_eq!(
        listed(&host, "x0"),
        [
            json!({"vlans": "1", "pvid": false, "untagged": true}),
            json!({"vlans": "29..31", "pvid": false, "untagged": false, "tunnel_ids": "299..301"}),
        ]
    );
}

#[test]
fn an_absent_vlan_is_not_found_or_missing_ok() {
    let (host, a, _) = host();
    act(&host, "Add", &json!({"vlans": "10..12"})).ok();
    let before = vlans(&host, a);
    for (fields, absent) in [
        (json!({"vlans": 7}), 7),
        (json!({"vlans": "9..12"}), 9),
        (json!({"vlans": "10..13"}), 13),
        (json!({"link": "br0", "vlans": 10, "target": "self"}), 10), // only its port has it
        (json!({"link": "x0", "vlans": "1..4094"}), 2),
    ] {
        let reply = act(&host, "Delete", &fields);
        assert_eq!(reply.error(), "io.netbroker.Vlan.NotFound", "{fields}: {reply}");
        assert_eq!(reply.get("message"), json!(format!("VLAN {absent} does not exist")), "{fields}");
        let parts = ["field", "errno", "may_have_changed"].map(|part| reply.get(part));
        assert_eq!(parts, [json!("vlans"), json!(2), json!(false)], "{reply}");
        assert_eq!(vlans(&host, a), before, "{fields}");
    }
    act(&host, "Delete", &json!({"vlans": 7, "missing_ok": true})).ok();
    assert_eq!(vlans(&host, a), before);
    act(&host, "Delete", &json!({"vlans": "11..13", "missing_ok": true})).ok();
    assert_eq!(listed(&host, "v0")[1]["vlans"], "10");
    // `missing_ok` is about the VLANs, not about the link.
    let tolerant = |link: &str| json!({"link": link, "vlans": 7, "missing_ok": true});
    assert_eq!(act(&host, "Delete", &tolerant("v9")).error(), "io.netbroker.Vlan.NoSuchLink");
    assert_eq!(act(&host, "Delete", &tolerant("v1")).get("field"), json!("link"));
}

#[test]
fn what_cannot_be_is_refused_and_nothing_changes() {
    let (host, a, _) = host();
    act(&host, "Add", &json!({"vlans": 10})).ok();
    let before = (vlans(&host, a), host.snapshot(&[a]));
    let invalid = |field: &str| ("InvalidRequest", json!({"field": field}));
    let unsuitable = |field: &str| ("KernelRefused", json!({"field": field, "may_have_changed": false}));
    let cases = [
        (json!({"vlans": 0}), invalid("vlans")),
        (json!({"vlans": 4095}), invalid("vlans")),
        (json!({"vlans": "7..4095"}), invalid("vlans")),
        (json!({"vlans": "7..7"}), invalid("vlans")),
        (json!({"vlans": "8..7"}), invalid("vlans")),
        (json!({"vlans": "7-8"}), invalid("vlans")),
        (json!({"vlans": "7..8", "pvid": true}), invalid("pvid")),
        (json!({"vlans": 7, "target": "both"}), invalid("target")),
        (json!({"link": "x0", "vlans": "7..8", "tunnel_ids": 7}), invalid("tunnel_ids")),
        (json!({"link": "x0", "vlans": 7, "tunnel_ids": "7..8"}), invalid("tunnel_ids")),
        (json!({"link": "x0", "vlans": 7, "tunnel_ids": 0}), invalid("tunnel_ids")),
        (json!({"link": "x0", "vlans": "7..8", "tunnel_ids": "0..1"}), invalid("tunnel_ids")),
        (json!({"link": "x0", "vlans": 7, "tunnel_ids": 16777216}), invalid("tunnel_ids")),
        (json!({"link": "br0", "vlans": 7, "tunnel_ids": 7, "target": "self"}), invalid("tunnel_ids")),
        (json!({"vlans": 7, "tunnel_ids": 7}), unsuitable("tunnel_ids")), // `vlan_tunnel` is off
        (json!({"link": "br0", "vlans": 7}), unsuitable("target")),
        (json!({"vlans": 7, "target": "self"}), unsuitable("target")),
        (json!({"link": "v1", "vlans": 7}), unsuitable("link")),
        (json!({"link": "v1", "vlans": 7, "target": "self"}), unsuitable("link")),
        (json!({"link": "lo", "vlans": 7}), unsuitable("link")),
        (json!({"link": "v9", "vlans": 7}), ("NoSuchLink", json!({"name": "v9", "errno": 19}))),
    ];
    for verb in ["Add", "Replace"] {
        for (fields, (error, parts)) in &cases {
            let reply = act(&host, verb, fields);
            assert_eq!(reply.error(), format!("io.netbroker.Vlan.{error}"), "{fields}: {reply}");
            for (name, value) in parts.as_object().unwrap() {
                assert_eq!(reply.get(name), *value, "{fields}: {reply}");
            }
        }
    }
    for (fields, field) in [
        (json!({"link": "br0", "vlans": 1}), "target"),
        (json!({"vlans": 10, "target": "self"}), "target"),
        (json!({"link": "v1", "vlans": 1}), "link"),
    ] {
        let reply = act(&host, "Delete", &fields);
        assert_eq!((reply.error().as_str(), reply.get("field")), ("io.netbroker.Vlan.KernelRefused", json!(field)));
    }
    assert_eq!((vlans(&host, a), host.snapshot(&[a])), before);
}

#[test]
fn a_deny_on_one_vlan_meets_every_range_with_it_and_each_change_of_the_pvid() {
    let (host, a, _) = host();
    act(&host, "Add", &json!({"vlans": "4..6"})).ok();
    act(&host, "Add", &json!({"link": "x0", "vlans": "4..6"})).ok();
    host.policy(&format!(
        "{EVERYTHING}
        [[deny]]
        id = \"vlan-5\"
        who = \"*\"
        call = \"@change\"
        vlan = 5
        [[deny]]
        id = \"vni-77\"
        who = \"*\"
        call = \"@change\"
        vni = 77
        "
    ));
    let before = vlans(&host, a);
    let tunnel = |ids: &str| json!({"link": "x0", "vlans": "10..20", "tunnel_ids": ids});
    for (verb, fields, rule) in [
        ("Add", json!({"vlans": "1..10", "exists_ok": true}), "vlan-5"),
        ("Add", json!({"vlans": 5, "exists_ok": true}), "vlan-5"),
        ("Add", json!({"link": "br0", "vlans": "5..6", "target": "self"}), "vlan-5"),
        ("Replace", json!({"vlans": "4..6", "untagged": true}), "vlan-5"),
        ("Replace", json!({"vlans": 10, "pvid": true}), "vlan-5"), // VLAN 5 could be the PVID
        ("Delete", json!({"vlans": "4..6"}), "vlan-5"),
        ("Delete", json!({"vlans": "1..4094", "missing_ok": true}), "vlan-5"),
        ("Add", tunnel("70..80"), "vni-77"),
        ("Replace", tunnel("67..77"), "vni-77"),
    ] {
        let reply = act(&host, verb, &fields);
        assert_eq!(
            (reply.error().as_str(), reply.get("rule")),
            ("io.netbroker.Vlan.Denied", json!(rule)),
            "{fields}: {reply}"
        );
        assert_eq!(vlans(&host, a), before, "{verb} {fields}");
    }
    act(&host, "Add", &json!({"vlans": "10..12"})).ok();
    act(&host, "Replace", &json!({"vlans": 10, "untagged": true})).ok();
    act(&host, "Replace", &tunnel("78..88")).ok();
    act(&host, "Delete", &json!({"vlans": "6..10", "missing_ok": true})).ok();
}

#[test]
fn an_allow_contains_the_whole_range() {
    let (host, ..) = host();
    host.policy(
        "[[allow]]
        id = \"tenant\"
        who = \"*\"
        call = [\"Vlan.Add\", \"Vlan.Delete\", \"Vlan.Replace\"]
        netns = \"a\"
        link = \"v0\"
        vlans = \"100..199\"
        target = \"master\"
        free = [\"untagged\", \"pvid\"]",
    );
    act(&host, "Add", &json!({"vlans": "100..199"})).ok();
    act(&host, "Replace", &json!({"vlans": 150, "pvid": true, "untagged": true})).ok();
    act(&host, "Delete", &json!({"vlans": 150})).ok();
    for fields in [
        json!({"vlans": "99..100"}),
        json!({"vlans": "199..200"}),
        json!({"vlans": 1}),
        json!({"link": "br0", "vlans": 100, "target": "self"}),
    ] {
        assert_eq!(act(&host, "Delete", &fields).error(), "io.netbroker.Vlan.Denied", "{fields}");
    }
}

/// The attributes in these bytes, with the flag of those that hold others.
fn attributes(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let u16_at = |bytes: &[u8], at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let length = usize::from(u16_at(bytes, 0));
        found.push((u16_at(bytes, 2), &bytes[4..length]));
        bytes = &bytes[length.next_multiple_of(4).min(bytes.len())..];
    }
    found
}

#[test]
fn a_deletion_names_the_vlans_that_exist_and_nothing_else() {
    let (host, a, _) = host();
    act(&host, "Add", &json!({"vlans": "10..19"})).ok();
    act(&host, "Add", &json!({"vlans": 30})).ok();
    let fields = json!({"netns": a, "link": "v0", "vlans": "15..40", "missing_ok": true});
    let (sent, reply) = Sent::by(&host, &[a], "Vlan.Delete", fields);
    reply.ok();
    let deletions: Vec<_> = sent.datagrams.iter().filter(|datagram| datagram[4..6] == 17_u16.to_ne_bytes()).collect();
    let [deletion] = deletions[..] else { panic!("{deletions:?}") };
    let index = sent.links.iter().find(|(name, _)| name == "v0").unwrap().1;
    assert_eq!(deletion[16..32], [&[7, 0, 0, 0][..], &index.to_ne_bytes(), &[0; 8]].concat());
    let [(spec, inside)] = attributes(&deletion[32..])[..] else { panic!("{deletion:?}") };
    assert_eq!(spec, 0x8000 | 26);
    let vlan = |flags: u16, vlan: u16| [flags.to_ne_bytes(), vlan.to_ne_bytes()].concat();
    let expected = [(0, 1_u16.to_ne_bytes().to_vec()), (2, vlan(8, 15)), (2, vlan(16, 19)), (2, vlan(0, 30))];
    assert_eq!(attributes(inside), expected.iter().map(|(kind, bytes)| (*kind, &bytes[..])).collect::<Vec<_>>());
}
