// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The policy through the real programs: what it decides, and that `explain` reports what the broker does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::{BOB, Host, Reply};
use serde_json::{Value, json};

/// What the policy decided; what the system then did is ignored.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Allowed,
    /// Denied by this rule, because of this field.
    Denied(String, Option<String>),
    /// The nearest allow, if any, and the field that kept it from permitting the request.
    Silent(Option<(String, String)>),
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn said(reply: &Reply) -> Said {
    let parameters = reply.parameters();
    let message = reply.messages().pop().unwrap();
    match message["error"].as_str().unwrap_or_default().rsplit('.').next().unwrap() {
        "Denied" => {}
        "InvalidRequest" | "PolicyInvalid" | "NotPrivileged" => panic!("not judged: {reply}"),
        _ => return Said::Allowed,
    }
    reply.error();
    let (rule, field) = (text(&parameters["rule"]), text(&parameters["field"]));
    match parameters["reason"].as_str().unwrap() {
        "a deny forbids it" => Said::Denied(rule.unwrap(), field),
        "no allow permits it" => Said::Silent(rule.zip(field)),
        other => panic!("{other}"),
    }
}

/// What `policy explain` reports for the same request.
fn explained(host: &Host, who: &str, call: &str, parameters: &Value) -> Said {
    let mut words = vec!["policy".to_owned(), "explain".to_owned(), format!("--who={who}"), call.to_owned()];
    flat(parameters, "", &mut words);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ran = host.tool(&words);
    let line = ran.stdout();
    let quoted: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
    let told = if line.starts_with("allowed by ") {
        Said::Allowed
    } else if line.starts_with("denied by ") {
        Said::Denied(quoted[0].to_owned(), quoted.get(1).map(|field| (*field).to_owned()))
    } else if line.contains("; nearest is ") {
        Said::Silent(Some((quoted[0].to_owned(), quoted[1].to_owned())))
    } else {
        assert!(line.starts_with("refused: no rule permits it\n"), "{ran}");
        Said::Silent(None)
    };
    assert_eq!(ran.status(), if told == Said::Allowed { 0 } else { 77 }, "{ran}");
    assert!(!ran.stderr().contains("not the policy in force"), "{ran}");
    told
}

fn flat(value: &Value, under: &str, words: &mut Vec<String>) {
    for (name, value) in value.as_object().unwrap() {
        match value {
            Value::Object(_) => flat(value, &format!("{under}{name}."), words),
            Value::String(word) => words.push(format!("{under}{name}={word}")),
            other => words.push(format!("{under}{name}={other}")),
        }
    }
}

/// Each meaning of absence, and each kind of constraint.
const RULES: &str = r#"
[[allow]]
id = "set"
who = "user:alice"
call = ["Link.Set", "Link.List", "Netns.Get"]
netns = ["q-*", "@host"]
link = ["v?", "lo"]
mtu = "1280..1500"

[[allow]]
id = "free"
who = "user:alice"
call = "Link.Set"
netns = "free"
link = "*"
free = ["mtu", "up", "alias", "new_name", "target_netns"]

[[allow]]
id = "all-links"
who = "user:alice"
call = "Link.List"
netns = "every"
link = "*"

[[allow]]
id = "addresses"
who = "user:alice"
call = "Address.Add"
netns = "a"
link = "v0"
address = ["10.0.0.0/8", "2001:db8::/32"]
scope = ["global", "link"]

[[allow]]
id = "addresses-any-scope"
who = "user:alice"
call = ["Address.Add"]
netns = "b"
link = "v0"
address = "10.0.0.0/8"
scope = "*"
exists_ok = true

[[allow]]
id = "pairs"
who = "user:alice"
call = "Link.Add"
kind = "veth"
netns = "q-*"
link = "v*"
"peer.name" = "p*"
"peer.netns" = ["q-*", "@host"]
up = true

[[deny]]
id = "d-host"
who = "*"
call = "@change"
touches = { netns = "@host", link = ["eth*", "p9"] }

[[deny]]
id = "d-jumbo"
who = ["*", "!user:bob"]
call = "Link.Set"
mtu = "1499..9000"
"#;

/// Call, parameters, and the answer to alice.
fn cases() -> Vec<(&'static str, Value, Said)> {
    let silent = |rule: &str, field: &str| Said::Silent(Some((rule.to_owned(), field.to_owned())));
    let denied = |rule: &str, field: &str| Said::Denied(rule.to_owned(), Some(field.to_owned()));
    vec![
        ("Link.Set", json!({"netns": "q-1", "link": "v0", "mtu": 1400}), Said::Allowed),
        ("Link.Set", json!({"netns": "@host", "link": "lo", "mtu": 1280}), Said::Allowed),
        ("Link.Set", json!({"netns": "q-1", "link": "v0", "mtu": 1279}), silent("set", "mtu")),
        ("Link.Set", json!({"netns": "q-1", "link": "v0", "up": true}), silent("set", "up")), // not named
        ("Link.Set", json!({"netns": "q-1", "link": "v10", "mtu": 1400}), silent("set", "link")),
        ("Link.Set", json!({"netns": "q-1", "link": "v0", "mtu": 1499}), denied("d-jumbo", "mtu")),
        ("Link.Set", json!({"netns": "nowhere", "link": "x", "mtu": 9000}), denied("d-jumbo", "mtu")),
        ("Link.Set", json!({"netns": "free", "link": "x", "up": true, "alias": "what ever"}), Said::Allowed),
        ("Link.Set", json!({"netns": "free", "link": "x", "txqueuelen": 1}), silent("free", "txqueuelen")),
        ("Link.Set", json!({"netns": "free", "link": "x", "target_netns": "q-1", "new_name": "eth0"}), Said::Allowed),
        // `free` includes no word with @, and a deny applies to every field that holds a link.
        ("Link.Set", json!({"netns": "free", "link": "x", "target_netns": "@host"}), silent("free", "target_netns")),
        ("Link.Set", json!({"netns": "free", "link": "eth0", "target_netns": "@host"}), denied("d-host", "link")),
        ("Link.Set", json!({"netns": "@host", "link": "eth0", "mtu": 1400}), denied("d-host", "link")),
        // A filter: it is free where the allow does not name it. Where the allow names it, its absence means
        // everything.
        ("Link.List", json!({"netns": "q-1", "link": "v0"}), Said::Allowed),
        ("Link.List", json!({"netns": "q-1", "link": "v0", "index": 7}), Said::Allowed),
        ("Link.List", json!({"netns": "q-1"}), silent("set", "link")),
        ("Link.List", json!({"netns": "q-1", "link": "eth0"}), silent("set", "link")),
        ("Link.List", json!({"netns": "every"}), Said::Allowed),
        ("Link.List", json!({"netns": "every", "link": "eth0"}), Said::Allowed),
        ("Netns.Get", json!({"netns": "q-1"}), Said::Allowed),
        ("Netns.List", json!({"netns": "@host"}), Said::Silent(None)),
        ("Netns.Add", json!({"netns": "q-1"}), Said::Silent(None)),
        // A choice of the kernel: its absence means every value. A field with a default may have its default.
        ("Address.Add", json!({"netns": "a", "link": "v0", "address": "10.1.2.3/24", "scope": "link"}), Said::Allowed),
        ("Address.Add", json!({"netns": "a", "link": "v0", "address": "10.1.2.3/24"}), silent("addresses", "scope")),
        (
            "Address.Add",
            json!({"netns": "a", "link": "v0", "address": "10.1.2.3/24", "scope": "host"}),
            silent("addresses", "scope"),
        ),
        (
            "Address.Add",
            json!({"netns": "a", "link": "v0", "address": "10.1.2.3/7", "scope": "link"}),
            silent("addresses", "address"),
        ),
        (
            "Address.Add",
            json!({"netns": "a", "link": "v0", "address": "11.0.0.1/8", "scope": "link"}),
            silent("addresses", "address"),
        ),
        (
            "Address.Add",
            json!({"netns": "a", "link": "v0", "address": "10.0.0.1/8", "scope": "link", "exists_ok": false}),
            Said::Allowed,
        ),
        (
            "Address.Add",
            json!({"netns": "a", "link": "v0", "address": "10.0.0.1/8", "scope": "link", "exists_ok": true}),
            silent("addresses", "exists_ok"),
        ),
        ("Address.Add", json!({"netns": "b", "link": "v0", "address": "10.0.0.1/8", "exists_ok": true}), Said::Allowed),
        (
            "Address.Add",
            json!({"netns": "b", "link": "v0", "address": "10.0.0.1/8"}),
            silent("addresses-any-scope", "exists_ok"),
        ),
        (
            "Link.Add",
            json!({"netns": "q-1", "link": "v0", "kind": "veth", "peer": {"name": "p0", "netns": "q-2"}, "up": true}),
            Said::Allowed,
        ),
        (
            "Link.Add",
            json!({"netns": "q-1", "link": "v0", "kind": "veth", "peer": {"name": "p0", "netns": "@host"}, "up": true}),
            Said::Allowed,
        ),
        (
            "Link.Add",
            json!({"netns": "q-1", "link": "v0", "kind": "veth", "peer": {"name": "p9", "netns": "@host"}, "up": true}),
            denied("d-host", "peer.name"),
        ),
        (
            "Link.Add",
            json!({"netns": "q-1", "link": "v0", "kind": "veth", "peer": {"name": "p9", "netns": "q-1"}, "up": true}),
            Said::Allowed,
        ),
        (
            "Link.Add",
            json!({"netns": "q-1", "link": "v0", "kind": "veth", "peer": {"name": "x", "netns": "q-2"}, "up": true}),
            silent("pairs", "peer.name"),
        ),
        ("Link.Add", json!({"netns": "q-1", "link": "v0", "kind": "bridge", "up": true}), silent("pairs", "kind")),
    ]
}

#[test]
fn explain_says_what_the_broker_does() {
    let host = Host::new();
    host.policy(RULES);
    for (call, parameters, expected) in cases() {
        assert_eq!(said(&host.caller().call(call, parameters.clone())), expected, "the broker: {call} {parameters}");
        assert_eq!(explained(&host, "user:alice", call, &parameters), expected, "explain: {call} {parameters}");
        // Bob has no allow, and a deny that spares him does not permit anything.
        let bobs = said(&host.as_uid(BOB).call(call, parameters.clone()));
        assert!(matches!(bobs, Said::Silent(None) | Said::Denied(..)), "{bobs:?}");
        assert!(!matches!(&bobs, Said::Denied(rule, _) if rule == "d-jumbo"), "{bobs:?}");
        assert_eq!(explained(&host, "user:bob", call, &parameters), bobs, "{call} {parameters}");
    }
}

#[test]
fn the_order_of_files_and_rules_does_not_matter() {
    let host = Host::new();
    let rules: Vec<String> = RULES.trim().split("\n\n").map(|rule| format!("{rule}\n")).collect();
    for turn in 0..2 {
        let mut order: Vec<usize> = (0..rules.len()).collect();
        if turn == 1 {
            order.reverse();
        }
        host.sh("rm -f /etc/netbroker/policy.d/*");
        for (at, rule) in order.into_iter().enumerate() {
            host.policy_file(&format!("{at:02}.toml"), &rules[rule]);
        }
        host.tool(&["policy", "install"]).ok();
        for (call, parameters, expected) in cases().into_iter().step_by(3) {
            assert_eq!(said(&host.caller().call(call, parameters.clone())), expected, "{call} {parameters}");
        }
    }
}

#[test]
fn no_rule_permits_nothing_and_a_rule_for_another_permits_nothing() {
    let host = Host::new();
    let ask = |host: &Host| said(&host.caller().call("Link.List", json!({"netns": "@host"})));
    host.policy("");
    assert_eq!(ask(&host), Said::Silent(None));
    let allow = |who: &str| format!("[[allow]]\nid = \"x\"\nwho = {who}\ncall = \"Link.List\"\nnetns = \"@host\"\n");
    for (who, expected) in [
        (r#""user:bob""#, Said::Silent(None)),
        (r#""*""#, Said::Allowed),
        (r#"["*", "!user:alice"]"#, Said::Silent(None)),
        (r#"["*", "!user:bob"]"#, Said::Allowed),
        (r#"["user:bob", "uid:64123"]"#, Said::Allowed),
    ] {
        host.policy(&allow(who));
        assert_eq!(ask(&host), expected, "{who}");
    }
    // One allow must permit the whole request; two that permit a half each do not.
    let halves = "[[allow]]\nid = \"mtu\"\nwho = \"*\"\ncall = \"Link.Set\"\nnetns = \"@host\"\nlink = \"v0\"\nfree = \"mtu\"\n\
                  [[allow]]\nid = \"up\"\nwho = \"*\"\ncall = \"Link.Set\"\nnetns = \"@host\"\nlink = \"v0\"\nfree = \"up\"\n";
    host.policy(halves);
    let set = |parameters: Value| said(&host.caller().call("Link.Set", parameters));
    assert_eq!(set(json!({"netns": "@host", "link": "v0", "mtu": 1400})), Said::Allowed);
    assert_eq!(set(json!({"netns": "@host", "link": "v0", "up": true})), Said::Allowed);
    let both = set(json!({"netns": "@host", "link": "v0", "mtu": 1400, "up": true}));
    assert_eq!(both, Said::Silent(Some(("mtu".to_owned(), "up".to_owned()))));
}

#[test]
fn words_for_calls_mean_all_that_change_or_read() {
    let host = Host::new();
    let allow = r#"
[[allow]]
id = "some"
who = "*"
call = ["Link.Delete", "Link.List", "Netns.Add", "Netns.Delete", "Netns.Get"]
netns = ["n", "m"]
link = "*"
"#;
    let deny = |call: &str| format!("{allow}[[deny]]\nid = \"no\"\nwho = \"*\"\ncall = \"{call}\"\nnetns = \"n\"\n");
    let calls = [
        ("Link.Delete", json!({"netns": "n", "link": "v0"})),
        ("Netns.Delete", json!({"netns": "n"})),
        ("Link.List", json!({"netns": "n"})),
        ("Netns.Get", json!({"netns": "n"})),
    ];
    for (word, denied) in [("@change", [true, true, false, false]), ("@read", [false, false, true, true])] {
        host.policy(&deny(word));
        for ((call, parameters), denied) in calls.iter().zip(denied) {
            let expected = if denied { Said::Denied("no".to_owned(), Some("netns".to_owned())) } else { Said::Allowed };
            assert_eq!(said(&host.caller().call(call, parameters.clone())), expected, "{word} {call}");
            let mut elsewhere = parameters.clone();
            elsewhere["netns"] = "m".into();
            assert_eq!(said(&host.caller().call(call, elsewhere)), Said::Allowed, "{word} {call}");
        }
    }
}
