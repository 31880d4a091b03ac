// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Rule.Add` and `Rule.Delete` against their twins `ip rule`, and `Rule.List` against what `ip rule` reports.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{EVERYTHING, open_host};
use common::{BOB, Host, Reply};
use netbroker::call::{self, Shape};
use serde_json::{Value, json};

fn host() -> (Host, &'static str, &'static str) {
    let host = open_host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        host.ip_in(netns, "link add v0 type veth peer name v1");
    }
    (host, a, b)
}

fn act(host: &Host, verb: &str, netns: &str, fields: &Value) -> Reply {
    let mut all = json!({"netns": netns, "family": "inet"});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    host.caller().call(&format!("Rule.{verb}"), all)
}

/// The routing rules of a namespace, in the order in which the kernel evaluates them.
fn rules(host: &Host, netns: &str) -> Vec<Value> {
    let of = |family: &str| host.ip_in(netns, &format!("-j -d -N {family} rule show"));
    let read = |text: String| serde_json::from_str::<Vec<Value>>(&text).unwrap();
    [read(of("-4")), read(of("-6"))].concat()
}

/// What each request gives, and the words of `ip` with the same meaning.
fn steps() -> Vec<(Value, &'static str)> {
    vec![
        (json!({"priority": 100, "source": "10.0.0.1/24", "table": 5}), "pref 100 from 10.0.0.1/24 table 5"),
        (json!({"priority": 101, "destination": "10.1.0.0/16"}), "pref 101 to 10.1.0.0/16"),
        (json!({"priority": 102, "source": "10.0.0.1/32", "table": 255}), "pref 102 from 10.0.0.1 table local"),
        (json!({"priority": 103, "iif": "v0", "table": 1000}), "pref 103 iif v0 table 1000"),
        (json!({"priority": 104, "iif": "nosuch", "oif": "v1"}), "pref 104 iif nosuch oif v1"),
        (json!({"priority": 105, "fwmark": 7}), "pref 105 fwmark 7"),
        (json!({"priority": 106, "fwmark": 7, "fwmask": 255}), "pref 106 fwmark 7/255"),
        (json!({"priority": 107, "fwmark": 0, "fwmask": 255}), "pref 107 fwmark 0/255"),
        (json!({"priority": 108, "fwmark": 0}), "pref 108 fwmark 0/0xffffffff"),
        (json!({"priority": 109, "action": "blackhole"}), "pref 109 blackhole"),
        (
            json!({"priority": 110, "action": "unreachable", "source": "10.3.0.0/16"}),
            "pref 110 unreachable from 10.3.0.0/16",
        ),
        (json!({"priority": 111, "action": "prohibit", "table": 0}), "pref 111 prohibit"),
        (json!({"priority": 112, "suppress_prefixlength": 0}), "pref 112 suppress_prefixlength 0"),
        (
            json!({"priority": 113, "suppress_prefixlength": 24, "table": 7}),
            "pref 113 suppress_prefixlength 24 table 7",
        ),
        (json!({"priority": 0, "table": 9}), "pref 0 table 9"),
        (json!({"priority": 4_294_967_295_u32, "table": 4_294_967_295_u32}), "pref 4294967295 table 4294967295"),
        (json!({"priority": 114, "source": "default", "destination": "0.0.0.0/0"}), "pref 114 from all to all"),
        (json!({"priority": 120, "invert": true, "source": "10.4.0.0/16"}), "pref 120 not from 10.4.0.0/16"),
        (json!({"priority": 121, "tos": 16}), "pref 121 tos 0x10"),
        (json!({"priority": 122, "ip_protocol": 255}), "pref 122 ipproto 255"),
        (
            json!({"priority": 123, "ip_protocol": 6, "source_ports": "1..1023", "destination_ports": 80}),
            "pref 123 ipproto tcp sport 1-1023 dport 80",
        ),
        (json!({"priority": 124, "source_ports": 53}), "pref 124 sport 53"),
        (json!({"priority": 125, "destination_ports": "1..65534"}), "pref 125 dport 1-65534"),
        (json!({"priority": 126, "uids": "1000..1999", "table": 9}), "pref 126 uidrange 1000-1999 table 9"),
        (json!({"priority": 127, "uids": "0", "table": 9}), "pref 127 uidrange 0-0 table 9"),
        (json!({"priority": 128, "uids": "0..4294967294"}), "pref 128 uidrange 0-4294967294"),
        (json!({"priority": 129, "l3mdev": true}), "pref 129 l3mdev"),
        (json!({"priority": 130, "l3mdev": true, "action": "unreachable"}), "pref 130 l3mdev unreachable"),
        (json!({"priority": 131, "action": "goto", "goto": 132}), "pref 131 goto 132 table 0"),
        (json!({"priority": 132, "suppress_ifgroup": 0}), "pref 132 suppress_ifgroup 0"),
        (
            json!({"priority": 133, "suppress_ifgroup": 2_147_483_647, "suppress_prefixlength": 0}),
            "pref 133 suppress_ifgroup 2147483647 suppress_prefixlength 0",
        ),
        (json!({"priority": 134, "protocol": 4}), "pref 134 protocol static"),
        (json!({"priority": 135, "protocol": 0, "invert": false, "l3mdev": false}), "pref 135"),
        (
            json!({"family": "inet6", "priority": 120, "invert": true, "tos": 16, "ip_protocol": 17, "source_ports": "5..6",
                   "destination_ports": 7, "uids": 1000, "suppress_ifgroup": 3, "protocol": 186}),
            "-6 pref 120 not tos 0x10 ipproto 17 sport 5-6 dport 7 uidrange 1000-1000 suppress_ifgroup 3 protocol bgp",
        ),
        (json!({"family": "inet6", "priority": 121, "l3mdev": true}), "-6 pref 121 l3mdev"),
        (
            json!({"family": "inet6", "priority": 122, "action": "goto", "goto": 4_294_967_295_u32}),
            "-6 pref 122 goto 4294967295 table 0",
        ),
        (
            json!({"family": "inet6", "priority": 100, "source": "2001:db8::1/64", "table": 5}),
            "-6 pref 100 from 2001:db8::1/64 table 5",
        ),
        (json!({"family": "inet6", "priority": 101, "destination": "2001:db8::1/128"}), "-6 pref 101 to 2001:db8::1"),
        (
            json!({"family": "inet6", "priority": 102, "action": "unreachable", "oif": "v0"}),
            "-6 pref 102 unreachable oif v0",
        ),
        (
            json!({"family": "inet6", "priority": 103, "source": "default", "fwmark": 1}),
            "-6 pref 103 from all fwmark 1",
        ),
        (
            json!({"family": "inet6", "priority": 104, "suppress_prefixlength": 128}),
            "-6 pref 104 suppress_prefixlength 128",
        ),
    ]
}

fn ip_rule(host: &Host, netns: &str, verb: &str, words: &str) {
    let (family, words) = words.strip_prefix("-6 ").map_or(("-4", words), |words| ("-6", words));
    host.ip_in(netns, &format!("{family} rule {verb} {words}"));
}

#[test]
fn each_field_does_what_iproute2_does() {
    let (host, a, b) = host();
    let others = rules(&host, a).len();
    for (fields, words) in steps() {
        assert_eq!(act(&host, "Add", a, &fields).ok(), json!({}), "{fields}");
        ip_rule(&host, b, "add", words);
        assert_eq!(rules(&host, a), rules(&host, b), "{fields}");
    }
    // Without a priority the kernel chooses one. An existing rule stays the first of its priority.
    for (fields, words) in [
        (json!({"source": "10.9.0.0/16"}), "from 10.9.0.0/16"),
        (json!({"priority": 100, "source": "10.8.0.0/16", "table": 5}), "pref 100 from 10.8.0.0/16 table 5"),
    ] {
        act(&host, "Add", a, &fields).ok();
        ip_rule(&host, b, "add", words);
        assert_eq!(rules(&host, a), rules(&host, b), "{fields}");
    }
    assert_eq!(rules(&host, a).len(), others + steps().len() + 2);
    for (fields, words) in steps() {
        act(&host, "Delete", a, &fields).ok();
        ip_rule(&host, b, "del", words);
        assert_eq!(rules(&host, a), rules(&host, b), "{fields}");
    }
    // A rule of pyroute2 without a table, which ip cannot express.
    act(&host, "Add", a, &json!({"priority": 32000, "action": "unspec", "table": 0, "iif": "v0"})).ok();
    let made = list(&host, json!({"netns": a})).into_iter().find(|rule| rule["priority"] == 32000).unwrap();
    assert_eq!((&made["action"], &made["table"], &made["iif"]), (&json!(0), &json!(0), &json!("v0")));
    act(&host, "Delete", a, &json!({"priority": 32000, "action": "unspec", "table": 0, "iif": "v0"})).ok();
    assert_eq!(rules(&host, a), rules(&host, b));
}

#[test]
fn a_rule_that_is_there_is_the_same_or_an_error_that_names_what_differs() {
    let (host, a, _) = host();
    for (fields, _) in steps() {
        act(&host, "Add", a, &fields).ok();
    }
    host.ip_in(a, "rule add pref 200 from 10.0.0.0/8 table 5 tos 0x10");
    host.ip_in(a, "rule add pref 201 not from 10.0.0.0/8 table 5");
    host.ip_in(a, "rule add pref 202 realms 3/4 table 5");
    let before = rules(&host, a);
    for (fields, _) in steps() {
        let plain = act(&host, "Add", a, &fields);
        assert_eq!(plain.error(), "io.netbroker.Rule.AlreadyExists", "{fields}");
        assert_eq!((plain.get("errno"), plain.get("may_have_changed")), (json!(17), json!(false)));
        let mut again = fields.clone();
        again["exists_ok"] = json!(true);
        act(&host, "Add", a, &again).ok();
    }
    // For the kernel these exist already, because it takes an absent condition for any.
    for (fields, field) in [
        (json!({"priority": 100, "table": 5}), "source"),
        (json!({"priority": 101}), "destination"),
        (json!({"priority": 110, "action": "unreachable"}), "source"),
        (json!({"priority": 200, "source": "10.0.0.0/8", "table": 5}), "tos"),
        (json!({"priority": 201, "source": "10.0.0.0/8", "table": 5}), "invert"),
        (json!({"priority": 202, "table": 5}), "priority"), // no field has realms
        (json!({"priority": 131, "action": "goto", "goto": 133}), "goto"),
        (json!({"priority": 120, "source": "10.4.0.0/16"}), "invert"),
    ] {
        let mut asked = fields.clone();
        asked["exists_ok"] = json!(true);
        let reply = act(&host, "Add", a, &asked);
        assert_eq!(reply.error(), "io.netbroker.Rule.AlreadyExists", "{fields}: {reply}");
        assert_eq!((reply.get("field"), reply.get("errno")), (json!(field), json!(17)), "{fields}: {reply}");
    }
    assert_eq!(rules(&host, a), before);
}

#[test]
fn only_the_rule_that_is_meant_goes() {
    let (host, a, _) = host();
    for words in [
        "rule add pref 100 from 10.0.0.1/24 table 5",
        "rule add pref 100 from 10.0.0.0/8 table 6",
        "rule add pref 101 iif v0 table 5",
        "rule add pref 102 fwmark 7/255 table 5",
        "rule add pref 103 not from 10.0.0.0/8 table 5",
        "rule add pref 104 from 10.0.0.0/8 table 5",
        "rule add pref 104 to 10.0.0.0/8 from 10.7.0.0/16 table 8",
        "rule add pref 105 from 10.0.0.0/8 table 5",
        "rule add pref 105 to 10.9.0.0/16 table 5 tos 0x10 uidrange 1-5",
    ] {
        host.ip_in(a, words);
    }
    let before = rules(&host, a);
    let absent = [
        json!({"priority": 99}),
        json!({"priority": 100, "source": "10.0.0.0/24"}), // the prefix with host bits is another rule's
        json!({"priority": 100, "source": "10.0.0.1/24", "table": 6}),
        json!({"priority": 100, "source": "default"}),
        json!({"priority": 100, "iif": "v0"}),
        json!({"priority": 100, "action": "blackhole"}),
        json!({"priority": 100, "fwmark": 0}),
        json!({"priority": 100, "suppress_prefixlength": 0}),
        json!({"priority": 101, "iif": "v1"}),
        json!({"priority": 101, "iif": "v0", "oif": "v0"}),
        json!({"priority": 102, "fwmark": 7, "fwmask": 7}),
        json!({"priority": 102, "fwmark": 6}),
        json!({"priority": 103}), // inverted
        json!({"priority": 103, "source": "10.0.0.0/8", "invert": false}),
        json!({"priority": 100, "invert": true}),
        json!({"priority": 105, "tos": 4}),
        json!({"priority": 105, "uids": "1..4"}),
        json!({"priority": 105, "uids": 1}),
        json!({"priority": 105, "source_ports": 1}),
        json!({"priority": 105, "destination_ports": "1..65535"}),
        json!({"priority": 105, "ip_protocol": 6}),
        json!({"priority": 105, "l3mdev": true}),
        json!({"priority": 105, "goto": 200}),
        json!({"priority": 105, "action": "goto"}),
        json!({"priority": 105, "suppress_ifgroup": 0}),
        json!({"priority": 105, "protocol": 4}),
        json!({"priority": 0, "table": 255, "protocol": 0}), // it is the kernel's
        json!({"priority": 100, "family": "inet6"}),
    ];
    for fields in absent {
        let reply = act(&host, "Delete", a, &fields);
        assert_eq!(reply.error(), "io.netbroker.Rule.NotFound", "{fields}: {reply}");
        assert_eq!((reply.get("errno"), reply.get("errno_name")), (json!(2), json!("ENOENT")));
        let mut tolerant = fields.clone();
        tolerant["missing_ok"] = json!(true);
        act(&host, "Delete", a, &tolerant).ok();
        assert_eq!(rules(&host, a), before, "{fields}");
    }
    let mut left = before;
    let mut goes = |fields: Value, at: usize| {
        act(&host, "Delete", a, &fields).ok();
        let rule = left.remove(at);
        assert_eq!(rules(&host, a), left, "{fields}: {rule}");
    };
    goes(json!({"priority": 100, "table": 6}), 2);
    goes(json!({"priority": 100}), 1);
    goes(json!({"priority": 101, "iif": "v0"}), 1);
    goes(json!({"priority": 102, "fwmark": 7}), 1);
    goes(json!({"priority": 104, "destination": "10.0.0.0/8"}), 3);
    goes(json!({"priority": 105, "destination": "10.9.0.0/16", "uids": "1..5", "tos": 16, "l3mdev": false}), 4);
    goes(json!({"priority": 103, "invert": true}), 1);
    goes(json!({"priority": 0, "table": 255, "protocol": 2}), 0); // the rule of table `local`, which must be meant
}

#[test]
fn a_rule_that_the_kernel_would_take_another_one_for_stays() {
    let (host, a, b) = host();
    host.ip_in(a, "rule add pref 102 not from 10.0.0.0/8 table 5 tos 0x10");
    // Not by `add`, for which the kernel would take them for the same rule. What is restored is never compared.
    host.ip_in(b, "rule add pref 102 from 10.0.0.0/8 table 5");
    host.sh("ip -n b rule save >/run/scratch/rules; ip -n a rule restore </run/scratch/rules");
    let before = rules(&host, a);
    let reply = act(&host, "Delete", a, &json!({"priority": 102, "source": "10.0.0.0/8"}));
    assert_eq!(reply.error(), "io.netbroker.Rule.NotSupported", "{reply}");
    assert_eq!((reply.get("field"), reply.get("may_have_changed")), (json!("priority"), json!(false)));
    assert_eq!(rules(&host, a), before);
}

#[test]
fn an_alternative_name_of_a_link_is_no_name_in_a_rule() {
    let (host, a, _) = host();
    host.ip_in(a, "link property add dev v0 altname ci7");
    let before = rules(&host, a);
    for field in ["iif", "oif"] {
        let reply = act(&host, "Add", a, &json!({"priority": 5, "table": 77, field: "ci7"}));
        assert_eq!(reply.error(), "io.netbroker.Rule.NoSuchLink", "{reply}");
        assert_eq!((reply.get("field"), reply.get("reason")), (json!(field), json!("alternative_name")));
    }
    assert_eq!(rules(&host, a), before);
}

#[test]
fn what_cannot_be_is_refused_and_nothing_changes() {
    let (host, a, _) = host();
    let before = rules(&host, a);
    let cases = [
        ("Add", json!({"family": null}), "family"),
        ("Add", json!({"family": "inet6", "source": "10.0.0.0/8"}), "source"),
        ("Add", json!({"source": "10.0.0.0/8", "destination": "2001:db8::/32"}), "destination"),
        ("Add", json!({"source": "10.0.0.1/0"}), "source"),
        ("Add", json!({"source": "10.0.0.1"}), "source"),
        ("Add", json!({"destination": "10.0.0.1/33"}), "destination"),
        ("Add", json!({"table": 0}), "table"),
        ("Add", json!({"table": 254, "action": "blackhole"}), "table"),
        ("Add", json!({"action": "blackhole", "suppress_prefixlength": 0}), "suppress_prefixlength"),
        ("Add", json!({"action": "goto"}), "goto"),
        ("Add", json!({"goto": 5}), "goto"),
        ("Add", json!({"action": "blackhole", "goto": 5}), "goto"),
        ("Add", json!({"action": "goto", "goto": 5, "table": 9}), "table"),
        ("Add", json!({"action": "goto", "goto": 5, "suppress_ifgroup": 9}), "suppress_ifgroup"),
        ("Add", json!({"action": "prohibit", "suppress_ifgroup": 0}), "suppress_ifgroup"),
        ("Add", json!({"suppress_ifgroup": 4_294_967_295_u32}), "suppress_ifgroup"),
        ("Add", json!({"l3mdev": true, "table": 254}), "table"),
        ("Add", json!({"l3mdev": 1}), "l3mdev"),
        ("Add", json!({"tos": 0}), "tos"),
        ("Add", json!({"tos": 256}), "tos"),
        ("Add", json!({"ip_protocol": 0}), "ip_protocol"),
        ("Add", json!({"ip_protocol": "tcp"}), "ip_protocol"),
        ("Add", json!({"protocol": 256}), "protocol"),
        ("Add", json!({"uids": "1000..999"}), "uids"),
        ("Add", json!({"uids": "1000..1000"}), "uids"),
        ("Add", json!({"uids": "1000-1999"}), "uids"),
        ("Add", json!({"uids": "0..4294967295"}), "uids"),
        ("Add", json!({"uids": [1000, 1999]}), "uids"),
        ("Add", json!({"uids": -1}), "uids"),
        ("Add", json!({"source_ports": 0}), "source_ports"),
        ("Add", json!({"source_ports": "0..5"}), "source_ports"),
        ("Add", json!({"destination_ports": 65536}), "destination_ports"),
        ("Add", json!({"destination_ports": ""}), "destination_ports"),
        ("Delete", json!({"priority": 32766, "uids": "5..5"}), "uids"),
        ("Add", json!({"fwmask": 255}), "fwmask"),
        ("Add", json!({"fwmark": 0, "fwmask": 0}), "fwmask"),
        ("Add", json!({"fwmark": 257, "fwmask": 255}), "fwmark"),
        ("Add", json!({"exists_ok": true}), "priority"),
        ("Add", json!({"iif": "0123456789abcdef"}), "iif"),
        ("Delete", json!({}), "priority"),
        ("Flush", json!({}), "priorities"),
        ("Flush", json!({"table": 255, "source": "default"}), "priorities"),
        ("Flush", json!({"priorities": "5..5"}), "priorities"),
        ("Flush", json!({"priorities": "5..4294967296"}), "priorities"),
        ("Flush", json!({"priorities": 32766, "priority": 32766}), "priority"),
        ("Flush", json!({"priorities": 32766, "source": "10.0.0.1/0"}), "source"),
        ("Flush", json!({"priorities": 32766, "source": "2001:db8::/32"}), "source"),
        ("Flush", json!({"priorities": 32766, "family": null}), "family"),
        ("Flush", json!({"priorities": 32766, "missing_ok": true}), "missing_ok"),
        ("Delete", json!({"priority": 32766, "source": "10.0.0.1/0"}), "source"),
        ("Delete", json!({"priority": 32766, "source": "2001:db8::/32"}), "source"),
    ];
    for (verb, fields, field) in cases {
        let reply = act(&host, verb, a, &fields);
        assert_eq!(reply.error(), "io.netbroker.Rule.InvalidRequest", "{verb} {fields}: {reply}");
        assert_eq!(reply.get("field"), json!(field), "{verb} {fields}: {reply}");
        assert_eq!(rules(&host, a), before, "{verb} {fields}");
    }
}

/// The kernel refuses what only it can judge, and says which field is meant where it does.
#[test]
fn what_the_kernel_refuses_changes_nothing() {
    let (host, a, _) = host();
    let before = rules(&host, a);
    for fields in [
        json!({"priority": 100, "action": "goto", "goto": 100}),
        json!({"priority": 100, "action": "goto", "goto": 99}),
        json!({"priority": 100, "tos": 3}),
        json!({"priority": 100, "source_ports": "5..65535"}),
        json!({"priority": 100, "destination_ports": 65535}),
    ] {
        let reply = act(&host, "Add", a, &fields);
        assert_eq!(reply.error(), "io.netbroker.Rule.KernelRefused", "{fields}: {reply}");
        assert_eq!((reply.get("errno"), reply.get("may_have_changed")), (json!(22), json!(false)), "{fields}: {reply}");
        assert_eq!(rules(&host, a), before, "{fields}");
    }
}

#[test]
fn a_flush_deletes_the_rules_that_match_everything_given_and_no_other() {
    let (host, a, b) = host();
    let setup = [
        "pref 100 from 10.0.0.0/8 table 5",
        "pref 100 from 10.1.0.0/16 table 6 protocol static",
        "pref 150 iif v0 table 5",
        "pref 151 not from 10.0.0.0/8 table 5",
        "pref 199 uidrange 0-0 table 5 protocol static",
        "pref 200 from 10.0.0.0/8 table 5 protocol static",
        "-6 pref 150 table 5 protocol static",
    ];
    for words in setup {
        ip_rule(&host, a, "add", words);
        ip_rule(&host, b, "add", words);
    }
    for (fields, gone) in [
        (json!({"priorities": "101..149"}), &[][..]),
        (json!({"priorities": 100, "source": "10.2.0.0/16"}), &[]),
        (json!({"priorities": "100..199", "invert": true}), &["pref 151 not from 10.0.0.0/8 table 5"]),
        (json!({"priorities": "100..149", "table": 5}), &["pref 100 from 10.0.0.0/8 table 5"]),
        (json!({"protocol": 4, "uids": 0}), &["pref 199 uidrange 0-0 table 5 protocol static"]),
        (json!({"protocol": 4, "family": "inet6"}), &["-6 pref 150 table 5 protocol static"]),
        (
            json!({"protocol": 4}),
            &["pref 100 from 10.1.0.0/16 table 6 protocol static", "pref 200 from 10.0.0.0/8 table 5 protocol static"],
        ),
        (json!({"priorities": "1..32765"}), &["pref 150 iif v0 table 5"]),
        (
            json!({"priorities": "0..4294967295"}),
            &["pref 0 table local", "pref 32766 table main", "pref 32767 table default"],
        ),
    ] {
        assert_eq!(act(&host, "Flush", a, &fields).ok(), json!({"deleted": gone.len()}), "{fields}");
        for words in gone {
            ip_rule(&host, b, "del", words);
        }
        assert_eq!(rules(&host, a), rules(&host, b), "{fields}");
    }
    // As `ip rule flush protocol static` does.
    for netns in [a, b] {
        host.sh(&format!(
            "for n in $(seq 500); do echo rule add pref $n table 7 protocol static; done | ip -n {netns} -batch -"
        ));
        ip_rule(&host, netns, "add", "pref 250 table 8");
    }
    assert_eq!(act(&host, "Flush", a, &json!({"protocol": 4})).ok(), json!({"deleted": 500}));
    host.ip_in(b, "rule flush protocol static");
    assert_eq!(rules(&host, a), rules(&host, b));
}

#[test]
fn a_flush_that_would_delete_another_rule_deletes_none() {
    let (host, a, b) = host();
    host.ip_in(a, "rule add pref 101 from 10.0.0.0/8 table 5");
    host.ip_in(a, "rule add pref 102 not from 10.0.0.0/8 table 5 tos 0x10");
    host.ip_in(b, "rule add pref 102 from 10.0.0.0/8 table 5");
    host.sh("ip -n b rule save >/run/scratch/rules; ip -n a rule restore </run/scratch/rules");
    let before = rules(&host, a);
    let reply = act(&host, "Flush", a, &json!({"priorities": "101..102", "invert": false}));
    assert_eq!(reply.error(), "io.netbroker.Rule.NotSupported", "{reply}");
    assert_eq!((reply.get("field"), reply.get("may_have_changed")), (json!("priorities"), json!(false)));
    assert_eq!(rules(&host, a), before);
    // Where both are meant, it does not matter which of them is deleted first.
    let both = act(&host, "Flush", a, &json!({"priorities": "101..102"}));
    assert_eq!(both.ok(), json!({"deleted": 3}));
}

#[test]
fn flushes_at_the_same_time_skip_what_the_other_has_deleted() {
    let (host, a, _) = host();
    let others = rules(&host, a);
    host.sh("for n in $(seq 1000); do echo rule add pref $n table 7; done | ip -n a -batch -");
    let flush = || act(&host, "Flush", a, &json!({"priorities": "1..1000"})).ok()["deleted"].as_u64().unwrap();
    let deleted: u64 = std::thread::scope(|scope| {
        let both = [scope.spawn(flush), scope.spawn(flush)];
        both.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(deleted, 1000);
    assert_eq!(rules(&host, a), others);
}

fn list(host: &Host, fields: Value) -> Vec<Value> {
    host.as_uid(BOB).call("Rule.List", fields).ok()["rules"].as_array().unwrap().clone()
}

#[test]
fn every_member_is_what_iproute2_tells() {
    let (host, a, _) = host();
    for (_, words) in steps() {
        ip_rule(&host, a, "add", words);
    }
    for words in [
        "pref 1000 l3mdev",
        "pref 50 goto 200",
        "pref 60 uidrange 1-5 ipproto tcp sport 5 dport 6-7 tos 0x10 not from 10.2.3.4/8 realms 3/4 table 9",
        "pref 61 suppress_ifgroup 3 table 9 protocol static tun_id 77",
    ] {
        ip_rule(&host, a, "add", words);
    }
    let told = list(&host, json!({"netns": a}));
    let ip = rules(&host, a);
    assert_eq!(told.len(), ip.len());
    let Shape::List(_, parts) = call::by_name("Rule.List").unwrap().result.parts[0].ty else { panic!("no list") };
    let parts = parts.all();
    for (told, ip) in told.iter().zip(&ip) {
        assert_like_ip(told, ip);
        let members = told.as_object().unwrap();
        assert!(members.keys().all(|name| parts.iter().any(|part| part.name == name)), "{told}");
        assert!(parts.iter().filter(|part| part.always).all(|part| members.contains_key(part.name)), "{told}");
    }
    let of = |family: &str| list(&host, json!({"netns": a, "family": family}));
    assert_eq!([of("inet"), of("inet6")].concat(), told);
    assert!(of("inet6").iter().all(|rule| rule["family"] == "inet6"));
    let odd = |priority: u32| told.iter().find(|rule| rule["priority"] == priority).unwrap();
    assert_eq!(odd(60)["uids"], "1..5");
    assert_eq!((&odd(60)["source_ports"], &odd(60)["destination_ports"]), (&json!("5"), &json!("6..7")));
    assert_eq!((&odd(60)["invert"], &odd(61)["invert"]), (&json!(true), &json!(false)));
    assert_eq!((&odd(60)["ip_protocol"], &odd(60)["tos"]), (&json!(6), &json!(16)));
    assert_eq!((&odd(60)["realms"], &odd(60)["flags"]), (&json!((3 << 16) + 4), &json!(["invert"])));
    assert_eq!((&odd(61)["suppress_ifgroup"], &odd(61)["protocol"]), (&json!(3), &json!(4)));
    assert_eq!(odd(61)["tunnel_id"], 77);
    assert_eq!((&odd(50)["action"], &odd(50)["goto"]), (&json!(2), &json!(200)));
    assert_eq!((&odd(1000)["l3mdev"], &odd(50)["l3mdev"]), (&json!(true), &json!(false)));
    assert_eq!((odd(61).get("tos"), odd(61).get("goto"), odd(61).get("uids")), (None, None, None));
    assert_eq!(odd(104)["flags"], json!(["iif_detached"]));
}

fn assert_like_ip(told: &Value, ip: &Value) {
    let address = |name: &str, length: &str| match ip.get(name).and_then(Value::as_str) {
        None | Some("all") => None,
        Some(address) => {
            let whole = if address.contains(':') { 128 } else { 32 };
            Some(json!(format!("{address}/{}", ip.get(length).and_then(Value::as_u64).unwrap_or(whole))))
        }
    };
    let context = format!("{told:#}\n{ip:#}");
    assert_eq!(told["priority"], ip["priority"], "{context}");
    assert_eq!(told.get("source"), address("src", "srclen").as_ref(), "{context}");
    assert_eq!(told.get("destination"), address("dst", "dstlen").as_ref(), "{context}");
    for name in ["iif", "oif"] {
        assert_eq!(told.get(name), ip.get(name), "{name}\n{context}");
    }
    let hex = |name: &str| {
        let text = ip.get(name)?.as_str()?.trim_start_matches("0x");
        Some(json!(u32::from_str_radix(text, 16).unwrap()))
    };
    assert_eq!(told.get("fwmark"), hex("fwmark").as_ref(), "{context}");
    if let Some(mask) = hex("fwmask") {
        assert_eq!(told["fwmask"], mask, "{context}");
    }
    let number = |name: &str| ip.get(name).map(|number| json!(number.as_str().unwrap().parse::<u32>().unwrap()));
    assert_eq!(told["table"], number("table").unwrap_or(json!(0)), "{context}");
    assert_eq!(Some(&told["protocol"]), number("protocol").as_ref(), "{context}");
    let looks_up = if ip.get("goto").is_some() { 2 } else { 1 }; // ip reports no action for these
    assert_eq!(told["action"], number("action").unwrap_or(json!(looks_up)), "{context}");
    assert_eq!(told.get("suppress_prefixlength"), ip.get("suppress_prefixlen"), "{context}");
}

#[test]
fn the_policy_sees_what_the_kernel_will_do() {
    let (host, a, _) = host();
    let alice = common::ALICE;
    host.policy(&format!(
        "{EVERYTHING}
        [[deny]]
        id = \"uplinks\"
        who = \"uid:{alice}\"
        call = \"@change\"
        touches = {{ netns = \"a\", link = \"eth*\" }}
        [[deny]]
        id = \"local\"
        who = \"*\"
        call = \"Rule.*\"
        table = 255
        [[deny]]
        id = \"tenants\"
        who = \"*\"
        call = \"Rule.Add\"
        priority = \"5000..5999\"
        source = \"192.0.2.0/24\"
        [[deny]]
        id = \"users\"
        who = \"uid:{alice}\"
        call = \"Rule.Add\"
        uids = [\"1000..2999\", \"!2000..2999\"]
        [[deny]]
        id = \"reserved\"
        who = \"uid:{alice}\"
        call = \"Rule.*\"
        netns = \"a\"
        priority = \"7000..7999\"
        table = 7
        [[allow]]
        id = \"flushes\"
        who = \"uid:{BOB}\"
        call = \"Rule.Flush\"
        netns = \"a\"
        family = \"inet\"
        priorities = [\"2000..2999\", \"!2500\"]
        free = [\"iif\", \"oif\"]
        [[allow]]
        id = \"bob\"
        who = \"uid:{BOB}\"
        call = [\"Rule.Add\", \"Rule.Delete\"]
        netns = \"a\"
        family = \"inet\"
        priority = \"1..999\"
        source = \"10.0.0.0/8\"
        iif = [\"*\", \"!v0\"]
        oif = \"*\"
        source_ports = [\"1..1023\", 1024]
        table = \"16..100\"\n"
    ));
    let before = rules(&host, a);
    for (uid, verb, fields, rule, field) in [
        (alice, "Add", json!({"priority": 5, "iif": "eth0"}), "uplinks", "iif"),
        (alice, "Add", json!({"priority": 5, "iif": "v1", "oif": "eth7"}), "uplinks", "oif"),
        (alice, "Delete", json!({"priority": 5, "table": 9, "iif": "eth0", "missing_ok": true}), "uplinks", "iif"),
        (alice, "Add", json!({"priority": 5, "table": 255}), "local", "table"),
        (alice, "Flush", json!({"priorities": "1..9"}), "local", "table"), // any table, also that one
        (
            alice,
            "Flush",
            json!({"priorities": "6000..7000", "table": 7, "iif": "v1", "oif": "v1"}),
            "reserved",
            "priorities",
        ),
        (alice, "Flush", json!({"protocol": 4, "table": 7, "iif": "v1", "oif": "v1"}), "reserved", "priorities"),
        (alice, "Flush", json!({"priorities": "6000..6999", "table": 7, "iif": "v1"}), "uplinks", "oif"),
        (BOB, "Flush", json!({"priorities": "2000..3000", "table": 7}), "flushes", "priorities"),
        (BOB, "Flush", json!({"priorities": "2400..2600", "table": 7}), "flushes", "priorities"),
        (BOB, "Flush", json!({"protocol": 4, "table": 7}), "flushes", "priorities"),
        (alice, "Delete", json!({"priority": 0}), "local", "table"), // any table, also that one
        (alice, "Add", json!({"priority": 5000}), "tenants", "priority"), // without a source: from everywhere
        (alice, "Add", json!({"source": "192.0.2.7/32"}), "tenants", "priority"), // the kernel could choose it
        (alice, "Add", json!({"priority": 5000, "source": "10.0.0.0/8", "invert": true}), "tenants", "priority"),
        (alice, "Add", json!({"priority": 5, "iif": "v1", "oif": "v1", "invert": true}), "uplinks", "iif"),
        (alice, "Add", json!({"priority": 5, "iif": "v1", "oif": "v1", "l3mdev": true}), "local", "table"),
        (alice, "Add", json!({"priority": 5, "iif": "v1", "oif": "v1", "uids": "1999..2000"}), "users", "uids"),
        (alice, "Add", json!({"priority": 5, "iif": "v1", "oif": "v1"}), "users", "uids"),
        (BOB, "Add", json!({"priority": 5, "table": 16}), "bob", "source"),
        (
            BOB,
            "Add",
            json!({"priority": 5, "source": "10.0.0.0/16", "table": 16, "iif": "v1", "source_ports": 7, "invert": true}),
            "bob",
            "invert",
        ),
        (
            BOB,
            "Add",
            json!({"priority": 5, "source": "10.0.0.0/16", "table": 16, "iif": "v1", "source_ports": "1..1024"}),
            "bob",
            "source_ports",
        ),
        (BOB, "Add", json!({"priority": 5, "source": "10.0.0.0/16", "table": 16, "iif": "v1"}), "bob", "source_ports"),
        (BOB, "Add", json!({"priority": 5, "table": 16, "source": "default"}), "bob", "source"),
        (BOB, "Add", json!({"priority": 5, "source": "10.0.0.0/16", "iif": "v1", "source_ports": 7}), "bob", "table"),
        (BOB, "Add", json!({"source": "10.0.0.0/16", "table": 16, "iif": "v1", "source_ports": 7}), "bob", "priority"),
        (BOB, "Add", json!({"priority": 5, "source": "10.0.0.0/16", "table": 16, "source_ports": 7}), "bob", "iif"), // for every link
        (alice, "Add", json!({"priority": 5}), "uplinks", "iif"), // for every link, also for those
        (
            BOB,
            "Add",
            json!({"priority": 5, "source": "10.0.0.0/16", "table": 16, "iif": "v0", "source_ports": 7}),
            "bob",
            "iif",
        ),
        (
            BOB,
            "Add",
            json!({"priority": 5, "source": "10.0.0.0/16", "table": 16, "iif": "v1", "source_ports": 7, "fwmark": 1, "fwmask": 1}),
            "bob",
            "fwmask",
        ),
        (BOB, "Delete", json!({"priority": 0, "source": "10.0.0.0/16", "table": 16}), "bob", "priority"),
        (BOB, "Delete", json!({"priority": 5, "table": 16}), "bob", "source"),
    ] {
        let mut all = json!({"netns": a, "family": "inet"});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let reply = host.as_uid(uid).call(&format!("Rule.{verb}"), all);
        assert_eq!(reply.error(), "io.netbroker.Rule.Denied", "{fields}: {reply}");
        assert_eq!((reply.get("rule"), reply.get("field")), (json!(rule), json!(field)), "{fields}: {reply}");
        assert_eq!(rules(&host, a), before, "{fields}");
    }
    let flush = |uid, fields: Value| host.as_uid(uid).call("Rule.Flush", fields).ok();
    let none = json!({"deleted": 0});
    let mine = json!({"netns": a, "family": "inet", "priorities": "2501..2999", "table": 7, "protocol": 4});
    assert_eq!(flush(BOB, mine), none);
    let all = json!({"netns": a, "family": "inet", "priorities": "5000..6999", "table": 7, "iif": "v1", "oif": "v1"});
    assert_eq!(flush(alice, all), none);
    let fields = json!({"netns": a, "family": "inet", "priority": 5, "source": "10.0.0.1/16", "table": 16, "iif": "v1", "fwmark": 1, "source_ports": "1..1023"});
    host.as_uid(BOB).call("Rule.Add", fields.clone()).ok();
    assert_eq!(rules(&host, a).len(), before.len() + 1);
    let mut gone = fields;
    gone.as_object_mut().unwrap().remove("fwmark");
    host.as_uid(BOB).call("Rule.Delete", gone).ok();
    assert_eq!(rules(&host, a), before);
}

/// The kernel compares neither the origin nor some other fields: it could delete a rule behind the requested one, once another
/// process has deleted that.
#[test]
fn a_rule_that_the_kernel_does_not_tell_apart_stands_in_the_way_wherever_it_is() {
    let host = open_host();
    host.ip("netns add a");
    for (first, other) in [("table 7", "table 7 protocol 4"), ("fwmark 7/0 table 7", "fwmark 7 table 7 protocol 4")] {
        for pair in [[first, other], [other, first]] {
            host.ip_in("a", "rule flush");
            for words in pair {
                host.ip_in("a", &format!("rule add pref 100 {words}"));
            }
            let before = host.ip_in("a", "rule");
            for (call, key, named) in [("Delete", "priority", json!(0)), ("Flush", "priorities", json!(0))] {
                let mut request = json!({"netns": "a", "family": "inet", "protocol": named});
                request[key] = json!(100);
                let reply = host.caller().call(&format!("Rule.{call}"), request);
                assert_eq!(reply.error(), "io.netbroker.Rule.NotSupported", "{pair:?}: {reply}");
            }
            assert_eq!(host.ip_in("a", "rule"), before);
        }
    }
    host.ip_in("a", "rule flush");
    host.ip_in("a", "rule add pref 100 fwmark 7/0 table 7");
    let request = json!({"netns": "a", "family": "inet", "priorities": 100});
    assert_eq!(host.caller().call("Rule.Flush", request).ok(), json!({"deleted": 1}));
    assert!(!host.ip_in("a", "rule").contains("100:"));
}

#[test]
fn a_rule_for_the_first_half_of_all_addresses_goes() {
    let host = open_host();
    host.ip("netns add a");
    for (family, words) in [("inet", "rule add pref 100 from 0.0.0.0/1"), ("inet6", "-6 rule add pref 100 to ::/1")] {
        for verb in ["Delete", "Flush"] {
            host.ip_in("a", &format!("{words} table 7"));
            let key = if verb == "Delete" { "priority" } else { "priorities" };
            host.caller().call(&format!("Rule.{verb}"), json!({"netns": "a", "family": family, key: 100})).ok();
            let left = host.ip_in("a", if family == "inet" { "rule" } else { "-6 rule" });
            assert!(!left.contains("100:"), "{left}");
        }
    }
}
