// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The policy in force: who it applies to, its settings, and what happens while it is replaced.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::{ALICE, BOB, CALLERS, Caller, Host};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};

const RULES: &str = r#"
[[allow]]
id = "all-links"
who = "user:alice"
call = "Link.List"
netns = "every"
link = "*"

[[deny]]
id = "d-jumbo"
who = "*"
call = "Link.Set"
mtu = "1499..9000"
"#;

/// Whether the policy lets a caller list the links of a namespace. No namespace has this name.
fn lists(caller: &Caller<'_>, netns: &str) -> bool {
    match caller.call("Link.List", json!({"netns": netns})).error().as_str() {
        "io.netbroker.Link.NoSuchNetns" => true,
        "io.netbroker.Link.Denied" => false,
        other => panic!("{other}"),
    }
}

#[test]
fn groups_give_by_any_of_a_callers_groups_and_spare_behind_a_deny() {
    let host = Host::new();
    host.sh("echo 'netops:x:64500:' >> /etc/group");
    let allow = |id: &str, who: &str, netns: &str| {
        format!("[[allow]]\nid = \"{id}\"\nwho = \"{who}\"\ncall = \"Link.List\"\nnetns = \"{netns}\"\n")
    };
    let deny = "[[deny]]\nid = \"d\"\nwho = [\"*\", \"!group:netops\"]\ncall = \"Link.List\"\nnetns = \"secret\"\n";
    host.policy(
        &[
            allow("g", "group:netops", "g"),
            allow("n", "gid:64600", "n"),
            allow("u", "uid:64124", "u"),
            allow("s", "*", "secret"),
            deny.to_owned(),
        ]
        .concat(),
    );
    let alice = || host.as_uid(ALICE);
    for (caller, g, n, u, secret) in [
        (alice(), false, false, false, false),
        (alice().groups(&[CALLERS, 64500]), true, false, false, true),
        (alice().gid(64500), true, false, false, true), // the primary group applies, too
        (alice().groups(&[64600, CALLERS, 64500]), true, true, false, true),
        (alice().gid(64600), false, true, false, false),
        (host.as_uid(BOB), false, false, true, false),
    ] {
        let seen = ["g", "n", "u", "secret"].map(|netns| lists(&caller, netns));
        assert_eq!(seen, [g, n, u, secret]);
    }
    for (who, extra, netns) in [("user:alice", "group:netops", "g"), ("uid:64123", "gid:64600", "n")] {
        let words = ["policy", "explain", "--who", who, "--group", extra, "Link.List", &format!("netns={netns}")];
        assert!(host.tool(&words).ok().starts_with("allowed by"), "{extra}");
    }
}

#[test]
fn settings_are_obeyed() {
    let host = Host::new();
    let refused = |host: &Host| host.caller().call("Link.Set", json!({"netns": "q-1", "link": "v0", "mtu": 9000}));
    host.policy(&format!("{RULES}[refusals]\nshow_rule = false\n"));
    let reply = refused(&host);
    assert_eq!(reply.error(), "io.netbroker.Link.Denied");
    assert!(reply.parameters().get("rule").is_none(), "{reply}");
    assert_eq!(host.trail().pop().unwrap().field("NETBROKER_RULE"), "d-jumbo"); // the trail has the rule in any case
    assert!(!String::from_utf8_lossy(reply.stdout()).contains("d-jumbo"));
    host.policy(&format!("{RULES}[refusals]\nshow_rule = true\n"));
    assert_eq!(refused(&host).get("rule"), "d-jumbo");
    for landlock in ["required", "available"] {
        host.policy(&format!("{RULES}[confinement]\nlandlock = \"{landlock}\"\n"));
        assert!(lists(&host.caller(), "every"));
    }
    let wrong = host.policy_fails(&format!("{RULES}[confinement]\nlandlock = \"never\"\n"));
    assert!(wrong.contains("`confinement.landlock` must be"), "{wrong}");
    host.policy_file("other.toml", "[refusals]\nshow_rule = false\n");
    let twice = host.policy_fails(&format!("{RULES}[refusals]\nshow_rule = false\n"));
    assert!(twice.contains("`refusals.show_rule` is already set at"), "{twice}");
}

#[test]
fn while_a_policy_is_replaced_every_request_is_answered_by_the_old_or_the_new_one() {
    let host = Host::new();
    let rule = |id: &str| format!("[[allow]]\nid = \"{id}\"\nwho = \"*\"\ncall = \"Netns.List\"\nnetns = \"@host\"\n");
    let digest = |text: &str| {
        host.policy(text);
        let installed = host.tool(&["policy", "install"]).ok();
        installed.trim().rsplit(' ').next().unwrap().to_owned()
    };
    let texts = [rule("one"), rule("two")];
    let known = [digest(&texts[0]), digest(&texts[1])];
    assert_ne!(known[0], known[1]);
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let installer = scope.spawn(|| {
            let mut turns = 0;
            while !ended.load(Ordering::Relaxed) {
                host.policy(&texts[turns % 2]);
                turns += 1;
            }
            turns
        });
        for _ in 0..200 {
            host.caller().call("Netns.List", json!({"netns": "@host"})).ok();
        }
        ended.store(true, Ordering::Relaxed);
        assert!(installer.join().unwrap() > 10);
    });
    let trail = host.trail();
    assert_eq!(trail.len(), 400);
    let mut seen = [0, 0];
    for record in trail {
        let which = known.iter().position(|digest| digest == record.field("NETBROKER_POLICY")).unwrap();
        assert_eq!(record.field("NETBROKER_RULE"), ["one", "two"][which]);
        seen[which] += 1;
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
}
