// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Names that a request gives to something new reach other people's scripts. So they may not contain characters that
//! have a special meaning to a shell. Existing links and namespaces with such names can be looked at, changed and
//! deleted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::Host;
use common::scene::open_host;
use serde_json::{Value, json};

const QUOTING: [char; 12] = ['"', '\'', '`', ';', '|', '&', '<', '>', '(', ')', '#', '~'];

/// Every field that gives a name, in a request that succeeds with another name.
fn giving(name: &str) -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("Netns.Add", "netns", json!({"netns": name})),
        ("Link.Add", "link", json!({"netns": "w", "link": name, "kind": "bridge"})),
        ("Link.Add", "link", json!({"netns": "w", "link": name, "kind": "bridge", "exists_ok": true})),
        ("Link.Add", "link", json!({"netns": "w", "link": name, "kind": "tun", "tun": {"mode": "tap"}})),
        (
            "Link.Add",
            "peer.name",
            json!({"netns": "w", "link": "a0", "kind": "veth", "peer": {"name": name, "netns": "w"}}),
        ),
        ("Link.Set", "new_name", json!({"netns": "w", "link": "v0", "new_name": name})),
        ("Link.Set", "new_name", json!({"netns": "w", "link": "v0", "new_name": name, "target_netns": "far"})),
        ("Address.Add", "label", json!({"netns": "w", "link": "v0", "address": "10.0.0.1/24", "label": name})),
        ("Rule.Add", "iif", json!({"netns": "w", "family": "inet", "priority": 9, "table": 9, "iif": name})),
        ("Rule.Add", "oif", json!({"netns": "w", "family": "inet6", "priority": 9, "table": 9, "oif": name})),
    ]
}

fn host() -> Host {
    let host = open_host();
    host.sh("for name in w far; do ip netns add $name; done; ip -n w link add v0 type veth peer name v1");
    host
}

#[test]
fn a_new_name_with_a_character_that_a_shell_takes_for_more_than_itself_is_refused() {
    let host = host();
    let before = host.snapshot(&["w", "far"]);
    for quoting in QUOTING {
        for name in [format!("v0{quoting}"), format!("{quoting}x")] {
            for (method, field, parameters) in giving(&name) {
                let reply = host.caller().call(method, parameters);
                assert!(reply.error().ends_with(".InvalidRequest"), "{method} {name}: {reply}");
                assert_eq!(reply.get("field"), field, "{method} {name}");
                let at = name.find(quoting).unwrap();
                let reason = reply.get("reason");
                let expected = format!("has a character at position {} that a new name must not have", at + 1);
                assert!(reason.as_str().unwrap().contains(&expected), "{method} {name}: {reason}");
            }
        }
    }
    assert_eq!(host.snapshot(&["w", "far"]), before);
    assert_eq!(host.sh("ls /run/netns"), "far\nw\n");
}

#[test]
fn a_new_name_that_other_programs_take_for_an_option_a_pattern_or_a_process_is_refused() {
    let host = host();
    let before = host.snapshot(&["w", "far"]);
    for name in ["-rf", "--all", "-", ".x", "..x", "^x", "=x", "+x", ",x"] {
        for (method, field, parameters) in giving(name) {
            let reply = host.caller().call(method, parameters);
            assert!(reply.error().ends_with(".InvalidRequest"), "{method} {name}: {reply}");
            assert_eq!(reply.get("field"), field, "{method} {name}");
            let reason = reply.get("reason");
            assert!(reason.as_str().unwrap().contains("must begin with a letter, a digit or _"), "{method}: {reason}");
        }
    }
    for name in ["1", "3176"] {
        let reply = host.caller().call("Netns.Add", json!({"netns": name}));
        assert_eq!((reply.error(), reply.get("field")), ("io.netbroker.Netns.InvalidRequest".into(), json!("netns")));
        assert!(reply.get("reason").as_str().unwrap().contains("must not be a number"), "{reply}");
    }
    assert_eq!(host.snapshot(&["w", "far"]), before);
    assert_eq!(host.sh("ls /run/netns"), "far\nw\n");
}

#[test]
fn a_link_that_moves_takes_no_such_name_along() {
    let host = host();
    for (at, name) in ["a;id|sh", "-rf"].into_iter().enumerate() {
        host.run(&["ip", "-n", "w", "link", "add", "name", name, "type", "ifb"]).ok();
        let before = host.snapshot(&["w", "far"]);
        for more in [json!({}), json!({"new_name": "fine"})] {
            let mut fields = json!({"netns": "w", "link": name, "target_netns": "far"});
            fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let reply = host.caller().call("Link.Set", fields);
            assert!(reply.error().ends_with(".InvalidRequest"), "{reply}");
            assert_eq!(reply.get("field"), "link", "{reply}");
            assert_eq!(host.snapshot(&["w", "far"]), before);
        }
        // First another name, then the move.
        let fine = format!("fine{at}");
        host.caller().call("Link.Set", json!({"netns": "w", "link": name, "new_name": fine})).ok();
        host.caller().call("Link.Set", json!({"netns": "w", "link": fine, "target_netns": "far"})).ok();
        assert!(host.ip_in("far", "link show").contains(&fine));
    }
}

#[test]
fn existing_links_and_namespaces_with_such_names_are_listed_changed_renamed_and_deleted() {
    let host = host();
    let (netns, link) = ("a;b\"'`|&<>()#~", "x;\"'`|&<>()#~");
    host.run(&["ip", "netns", "add", netns]).ok();
    host.run(&["ip", "-n", netns, "link", "add", link, "type", "bridge"]).ok();
    let ask = |method: &str, parameters: Value| host.caller().call(method, parameters);
    assert_eq!(ask("Netns.Get", json!({"netns": netns})).ok()["ready"], true);
    assert_eq!(ask("Link.List", json!({"netns": netns, "link": link})).get("/links/0/link"), link);
    ask("Link.Set", json!({"netns": netns, "link": link, "mtu": 1400, "up": true})).ok();
    ask("Address.Add", json!({"netns": netns, "link": link, "address": "10.0.0.1/24"})).ok();
    let port = json!({"netns": "w", "link": "p0", "kind": "veth", "peer": {"name": "p1", "netns": netns}});
    ask("Link.Add", port).ok();
    ask("Link.Set", json!({"netns": netns, "link": "p1", "master": link})).ok();
    assert_eq!(ask("Link.List", json!({"netns": netns, "link": "p1"})).get("/links/0/master"), link);
    ask("Link.Set", json!({"netns": netns, "link": link, "up": false})).ok();
    ask("Link.Set", json!({"netns": netns, "link": link, "new_name": "plain"})).ok();
    host.run(&["ip", "-n", netns, "link", "set", "plain", "name", link]).ok();
    ask("Link.Delete", json!({"netns": netns, "link": link})).ok();
    ask("Netns.Delete", json!({"netns": netns})).ok();
    assert_eq!(host.sh("ls /run/netns"), "far\nw\n");
}
