// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The rest of the language, by its decisions: sets, `!`, `require`, lengths, interface addresses, `{uid}`, patterns of
//! calls and kinds.

use super::judged::decision;
use super::*;

/// The id of the allow that permits, the id and the field of the deny that forbids, or `silence`.
fn decided(texts: &[&str], caller: &str, call: &str, with: &str) -> String {
    let whole = decision(texts, caller, call, with);
    if whole.starts_with("silence") { "silence".to_owned() } else { whole }
}

#[test]
fn a_set_stands_for_its_entries_in_every_list_and_file() {
    let sets = "[set]\nports = [\"qr-*\", \"qg-*\"]\nl3 = \"user:neutron\"\nset = [\"Link.Set\", \"Link.Delete\"]\nsmall = [1280, \"1300..1500\"]\n";
    let rule = "[[allow]]\nid = \"x\"\nwho = \"$l3\"\ncall = \"$set\"\nnetns = \"q\"\nlink = [\"$ports\", \"lo\"]\nmtu = \"$small\"\n";
    let link = |link: &str, mtu: u32| format!(r#"{{"netns":"q","link":"{link}","mtu":{mtu}}}"#);
    for (name, mtu, expected) in [
        ("qr-1", 1280, "x"),
        ("qg-1", 1400, "x"),
        ("lo", 1500, "x"),
        ("eth0", 1500, "silence"),
        ("lo", 1290, "silence"),
    ] {
        assert_eq!(decided(&[rule, sets], "neutron", "Link.Set", &link(name, mtu)), expected, "{name} {mtu}");
    }
    assert_eq!(decided(&[sets, rule], "neutron", "Link.Delete", r#"{"netns":"q","link":"lo"}"#), "x");
    let but =
        "[[allow]]\nid = \"y\"\nwho = \"*\"\ncall = \"Link.Delete\"\nnetns = \"q\"\nlink = [\"*\", \"!$ports\"]\n";
    assert_eq!(decided(&[sets, but], "alice", "Link.Delete", r#"{"netns":"q","link":"lo"}"#), "y");
    assert_eq!(decided(&[sets, but], "alice", "Link.Delete", r#"{"netns":"q","link":"qr-1"}"#), "silence");
    let twice = compile(&sources(&[sets, "[set]\nports = \"a\"\n"]), &account).unwrap_err();
    assert_eq!(twice[0].message, "the set `ports` is already defined at 1.toml:2");
}

#[test]
fn what_an_allow_requires_must_be_there() {
    let rule = "[[allow]]\nid = \"take\"\nwho = \"*\"\ncall = [\"Link.Set\", \"Link.Delete\"]\nnetns = \"@host\"\nlink = \"tap*\"\n\
        mac = \"fa:16:3e:*\"\ntarget_netns = \"qdhcp-*\"\nrequire = [\"target_netns\"]\n";
    let set = |with: &str| decision(&[rule], "alice", "Link.Set", with);
    assert_eq!(set(r#"{"netns":"@host","link":"tap1","target_netns":"qdhcp-1"}"#), "take");
    assert_eq!(set(r#"{"netns":"@host","link":"tap1","mac":"fa:16:3e:00:00:01"}"#), "silence take target_netns");
    assert_eq!(
        decided(&[rule], "alice", "Link.Delete", r#"{"netns":"@host","link":"tap1"}"#),
        "take",
        "it has no such field"
    );
}

#[test]
fn lengths_and_interface_addresses_are_exact() {
    let rules = "[[allow]]\nid = \"any\"\nwho = \"*\"\ncall = \"Address.Add\"\nnetns = \"q\"\nlink = \"a\"\naddress = \"*\"\n\
        [[deny]]\nid = \"wide\"\nwho = \"*\"\ncall = \"Address.Add\"\naddress = [\"0.0.0.0/0 len 0..7\", \"::/0 len 0..15\"]\n\
        [[deny]]\nid = \"gateway\"\nwho = \"*\"\ncall = \"Address.Add\"\naddress = \"10.1.2.3/24\"\n";
    let add = |address: &str| {
        decision(&[rules], "alice", "Address.Add", &format!(r#"{{"netns":"q","link":"a","address":"{address}"}}"#))
    };
    for (address, expected) in [
        ("172.16.5.5/1", "wide address"),
        ("10.0.0.1/8", "any"),
        ("2001:db8::1/15", "wide address"),
        ("2001:db8::1/16", "any"),
        ("10.1.2.3/24", "gateway address"),
        ("10.1.2.4/24", "any"),
        ("10.1.2.3/25", "any"),
    ] {
        assert_eq!(add(address), expected, "{address}");
    }
}

#[test]
fn the_callers_own_uid_names_the_callers_own_things() {
    let rule = "[[allow]]\nid = \"own\"\nwho = \"*\"\ncall = \"Link.Set\"\nnetns = [\"u{uid}-*\", \"@host\"]\nlink = \"v{uid}-*\"\nmtu = \"{uid}\"\n";
    let set = |caller: &str, with: &str| decided(&[rule], caller, "Link.Set", with);
    assert_eq!(set("alice", r#"{"netns":"u1000-a","link":"v1000-a","mtu":1000}"#), "own");
    assert_eq!(set("alice", r#"{"netns":"@host","link":"v1000-a","mtu":1000}"#), "own");
    assert_eq!(set("alice", r#"{"netns":"@host","link":"v1000-a","mtu":1001}"#), "silence");
    assert_eq!(set("alice", r#"{"netns":"@host","link":"v10001-a","mtu":1000}"#), "silence");
    assert_eq!(set("neutron", r#"{"netns":"@host","link":"v1000-a","mtu":1000}"#), "silence");
    let deny =
        "[[deny]]\nid = \"others\"\nwho = \"*\"\ncall = \"Link.*\"\ntouches = { link = [\"v*\", \"!v{uid}-*\"] }\n";
    assert_eq!(decided(&[rule, deny], "alice", "Link.Set", r#"{"netns":"@host","link":"v1000-a","mtu":1000}"#), "own");
    assert_eq!(
        decided(&[rule, deny], "alice", "Link.Set", r#"{"netns":"@host","link":"v7-a","mtu":1000}"#),
        "others link"
    );
}

#[test]
fn a_deny_may_name_calls_and_kinds_by_patterns() {
    let allow = "[[allow]]\nid = \"add\"\nwho = \"*\"\ncall = \"Link.Add\"\nnetns = \"q\"\nlink = \"a\"\nkind = [\"veth\", \"bridge\"]\npeer.name = \"b\"\npeer.netns = \"q\"\n\
        [[allow]]\nid = \"rest\"\nwho = \"*\"\ncall = [\"Link.Delete\", \"Link.List\"]\nnetns = \"q\"\nlink = \"*\"\n\
        [[allow]]\nid = \"set\"\nwho = \"*\"\ncall = \"Link.Set\"\nnetns = \"q\"\nlink = \"*\"\nfree = [\"up\"]\n";
    let kinds = "[[deny]]\nid = \"pairs\"\nwho = \"*\"\ncall = \"Link.Add\"\nkind = \"v*\"\n";
    let veth = r#"{"netns":"q","link":"a","kind":"veth","peer":{"name":"b","netns":"q"}}"#;
    let bridge = r#"{"netns":"q","link":"a","kind":"bridge"}"#;
    assert_eq!(decided(&[allow, kinds], "alice", "Link.Add", veth), "pairs kind");
    assert_eq!(decided(&[allow, kinds], "alice", "Link.Add", bridge), "add");
    let calls = "[[deny]]\nid = \"links\"\nwho = \"*\"\ncall = [\"Link.*\", \"!Link.Set\", \"!@read\"]\n";
    let link = r#"{"netns":"q","link":"a"}"#;
    assert_eq!(decided(&[allow, calls], "alice", "Link.Delete", link), "links -");
    assert_eq!(decided(&[allow, calls], "alice", "Link.Set", r#"{"netns":"q","link":"a","up":true}"#), "set");
    assert_eq!(decided(&[allow, calls], "alice", "Link.List", r#"{"netns":"q"}"#), "rest");
}

/// In `Link.Set`, the kind restricts the links. Without it, a request is about a link of any kind.
#[test]
fn an_allow_that_names_kinds_demands_the_kind_and_a_deny_on_one_meets_its_absence() {
    let of = |kind: &str| {
        format!(
            "[[allow]]\nid = \"set\"\nwho = \"*\"\ncall = \"Link.Set\"\nnetns = \"q\"\nlink = \"*\"\n{kind}free = [\"up\", \"bridge.stp\"]\n"
        )
    };
    let (any, bridges) = (of(""), of("kind = \"bridge\"\n"));
    let deny = "[[deny]]\nid = \"bonds\"\nwho = \"*\"\ncall = \"@change\"\nkind = \"bond\"\n";
    let set = |texts: &[&str], more: &str| {
        decided(texts, "alice", "Link.Set", &format!(r#"{{"netns":"q","link":"a"{more}}}"#))
    };
    assert_eq!(set(&[&bridges], r#","up":true"#), "silence");
    assert_eq!(set(&[&bridges], r#","kind":"bridge","up":true"#), "set");
    assert_eq!(set(&[&bridges], r#","kind":"bridge","bridge":{"stp":true}"#), "set");
    assert_eq!(set(&[&bridges], r#","kind":"bond","up":true"#), "silence");
    assert_eq!(set(&[&any, deny], r#","up":true"#), "bonds kind");
    assert_eq!(set(&[&any, deny], r#","kind":"bond","up":true"#), "bonds kind");
    let both = of("kind = [\"bridge\", \"bond\"]\n");
    assert_eq!(set(&[&both, deny], r#","kind":"bridge","up":true"#), "set");
    assert_eq!(set(&[&both, deny], r#","kind":"bond","up":true"#), "bonds kind");
}

#[test]
fn absence_that_means_every_object_is_not_covered_where_some_are_taken_away() {
    let rule =
        "[[allow]]\nid = \"most\"\nwho = \"*\"\ncall = \"Link.List\"\nnetns = \"q\"\nlink = [\"*\", \"!eth*\"]\n";
    assert_eq!(decided(&[rule], "alice", "Link.List", r#"{"netns":"q","link":"lo"}"#), "most");
    assert_eq!(decided(&[rule], "alice", "Link.List", r#"{"netns":"q"}"#), "silence");
    assert_eq!(decided(&[rule], "alice", "Link.List", r#"{"netns":"q","link":"eth0"}"#), "silence");
}
