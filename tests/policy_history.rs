// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who put which policy in force: the record of each installation, the policies that are kept, and how one of them is
//! restored and stays in force.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::{ALICE, Host, NETBROKER, Ran};
use serde_json::json;

const LINKS: &str = r#"[[allow]]
id = "links"
description = "alice sees links"
who = "user:alice"
call = "Link.List"
netns = ["every", "@host"]
"#;
const NAMES: &str = r#"
[[allow]]
id = "names"
who = "user?:carol"
call = "Netns.List"
netns = "@host"
"#;

/// What a caller reads while the policy has the format of another version.
const HINT: &str = "/var/lib/netbroker/policy: it has another format than this broker reads, such as that of another version; \
                    `netbrokerctl policy install --unless-pinned` compiles it again";

fn ends(ran: &Ran, status: i32, words: &[&str]) {
    assert_eq!(ran.status(), status, "{ran}");
    let said = ran.stdout() + &ran.stderr();
    words.iter().for_each(|word| assert!(said.contains(word), "{word}: {ran}"));
}

/// Installs this policy and returns its digest.
fn install(host: &Host, text: &str) -> String {
    host.policy_file("10.toml", text);
    let said = host.tool(&["policy", "install", "--unpin"]).ok();
    said.lines().next().unwrap().split("digest ").nth(1).unwrap().split(';').next().unwrap().to_owned()
}

fn lists(host: &Host) -> bool {
    host.as_uid(ALICE).call("Link.List", json!({"netns": "@host"})).status() == 0
}

#[test]
fn an_installation_is_on_record_as_the_system_user_sent_it() {
    let host = Host::new();
    let first = install(&host, LINKS);
    let [record] = &host.installations()[..] else { panic!("{:#?}", host.installations()) };
    assert_eq!((record.uid, record.gid), (NETBROKER, NETBROKER));
    assert_eq!(record.field("SYSLOG_IDENTIFIER"), "netbroker");
    assert_eq!(record.field("MESSAGE_ID"), "7b7bdf878d3643e6873cdc0750e819e7");
    let field = |name: &str| record.field(&format!("NETBROKER_{name}")).to_owned();
    assert_eq!([field("BY"), field("UID"), field("POLICY_BEFORE"), field("POLICY")], ["install", "0", "none", &first]);
    assert_eq!([field("RULES"), field("RULES_ADDED"), field("RULES_ADDED_COUNT")], ["1", "links", "1"]);
    let login = std::fs::read_to_string("/proc/self/loginuid").unwrap();
    let login = if login.trim() == "4294967295" { "unset" } else { login.trim() };
    assert_eq!(field("LOGINUID"), login);
    assert_eq!((record.get("NETBROKER_RULES_REMOVED"), record.get("NETBROKER_RULES_CHANGED")), (None, None));

    host.forget_trail();
    assert_eq!(install(&host, LINKS), first); // unchanged: nothing to record
    assert!(host.installations().is_empty());
    let second = install(&host, &(LINKS.replace("every", "other") + NAMES));
    let third = install(&host, NAMES);
    let records = host.installations();
    let said = |n: usize, names: &[&str]| -> Vec<String> {
        names.iter().map(|name| records[n].get(&format!("NETBROKER_{name}")).unwrap_or("-").to_owned()).collect()
    };
    let names = ["POLICY_BEFORE", "POLICY", "RULES_ADDED", "RULES_REMOVED", "RULES_CHANGED"];
    assert_eq!(said(0, &names), [first.as_str(), &second, "names", "-", "links"]);
    assert_eq!(said(1, &names), [second.as_str(), &third, "-", "links", "-"]);
    // A refused installation leaves no record.
    host.policy_fails("[[allow]]\n");
    assert_eq!(host.installations().len(), 2);
}

#[test]
fn an_installation_without_a_trail_is_made_and_said_to_be_off_the_record() {
    let host = Host::builder().no_trail().build();
    host.policy_file("10.toml", &format!("[audit]\nrequired = false\n{LINKS}"));
    let ran = host.tool(&["policy", "install"]);
    ends(
        &ran,
        0,
        &["installed: 1 rule", "the trail has no record of this installation: neither journald nor syslog is running"],
    );
    assert!(lists(&host));
}

#[test]
fn a_rollback_stays_until_a_person_installs() {
    let host = Host::new();
    let first = install(&host, LINKS);
    let second = install(&host, NAMES);
    assert!(!lists(&host));
    let history = host.tool(&["policy", "history"]).ok();
    let lines: Vec<&str> = history.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with(&second) && lines[0].ends_with(", in force"), "{history}");
    assert!(lines[1].starts_with(&first) && lines[1].contains(" 1 rule by install of uid 0 ("), "{history}");

    host.forget_trail();
    ends(
        &host.tool(&["policy", "rollback", first.get(..12).unwrap()]),
        0,
        &["rolled back: 1 rule in 1 file", &first, "pinned until"],
    );
    assert!(lists(&host));
    let records = host.installations();
    assert_eq!((records.len(), records[0].uid, records[0].field("NETBROKER_BY")), (1, NETBROKER, "rollback"));
    assert_eq!(records[0].field("NETBROKER_PINNED"), "true");
    let pinned = "pinned until `netbrokerctl policy install --unpin`, or `netbrokerctl policy install` at a terminal";
    let unpin = "to end the pin and put the files in force, run `netbrokerctl policy install --unpin`\n";
    ends(&host.tool(&["policy", "status"]), 1, &["differs", pinned, unpin]);
    // An installation by a script does not end it; standard input is not a terminal here.
    ends(&host.tool(&["policy", "install"]), 78, &["has pinned the policy with digest", &first, "--unpin"]);
    assert!(lists(&host));
    // What runs at each start of the machine leaves it alone, and does not fail.
    let unless_pinned = ["policy", "install", "--unless-pinned"];
    ends(&host.tool(&unless_pinned), 0, &["unchanged: the policy in force is pinned until", &first]);
    assert!(lists(&host));
    ends(&host.tool(&[&unless_pinned[..], &["--unpin"]].concat()), 64, &["--unless-pinned"]);
    ends(&host.tool(&["policy", "install", "--unpin"]), 0, &["installed: 1 rule", "no policy is pinned any more"]);
    assert!(!lists(&host));
    let status = host.tool(&["policy", "status"]);
    ends(&status, 0, &["agrees"]);
    assert!(!status.stdout().contains("pinned"), "{status}");
    ends(&host.tool(&unless_pinned), 0, &["unchanged: 1 rule"]); // without a pin it installs
    ends(&host.tool(&["policy", "rollback", "0000000000"]), 78, &["no policy with digest `0000000000` is kept"]);
}

/// The package of a version with another format does this: the program is new, and the policy not yet compiled again.
#[test]
fn a_policy_of_another_format_refuses_every_call_and_says_so_until_it_is_compiled_again() {
    let host = Host::new();
    let first = install(&host, LINKS);
    install(&host, NAMES);
    host.tool(&["policy", "rollback", &first]).ok();
    assert!(lists(&host));
    host.sh(r"printf '\005' | dd of=/var/lib/netbroker/policy bs=1 seek=7 conv=notrunc status=none");
    host.forget_trail();
    let before = host.snapshot(&[]);
    for (call, with) in [("Link.List", json!({"netns": "@host"})), ("Netns.Add", json!({"netns": "n"}))] {
        let reply = host.as_uid(ALICE).call(call, with);
        assert_eq!(reply.status(), 78, "{reply}");
        let family = call.split('.').next().unwrap();
        assert_eq!(reply.error(), format!("io.netbroker.{family}.PolicyInvalid"));
        assert_eq!(reply.parameters()["hint"], HINT);
    }
    assert_eq!(host.snapshot(&[]), before);
    assert!(host.trail_where("NETBROKER_EVENT", "permitted").is_empty());
    ends(&host.tool(&["policy", "status"]), 78, &["another format", "the broker refuses every call"]);

    let ran = host.tool(&["policy", "install", "--unless-pinned"]);
    ends(&ran, 0, &["compiled again: 1 rule in 1 file", "pinned until", &first, "had the format of another version"]);
    assert!(lists(&host));
    let records = host.installations();
    assert_eq!((records.len(), records[0].field("NETBROKER_BY")), (1, "recompile"));
    assert_eq!(records[0].field("NETBROKER_PINNED"), "true");
    ends(&host.tool(&["policy", "status"]), 1, &["differs", "pinned until"]);
}

#[test]
fn an_account_that_has_gone_stops_a_rollback_and_is_still_read() {
    let host = Host::new();
    let first = install(&host, LINKS);
    install(&host, NAMES);
    host.sh("sed -i.bak '/^alice:/d' /etc/passwd");
    let gone = format!("the user `alice`, number {ALICE}, no longer exists");
    ends(&host.tool(&["policy", "rollback", &first]), 78, &[&gone, "the policy in force is unchanged"]);
    host.sh("sed 's/^alice:x:[0-9]*/alice:x:64999/' /etc/passwd.bak > /etc/passwd");
    let other = format!("the user `alice` had the number {ALICE} and now has 64999");
    ends(&host.tool(&["policy", "rollback", &first]), 78, &[&other]);
    host.sh("cp /etc/passwd.bak /etc/passwd");
    ends(&host.tool(&["policy", "rollback", &first]), 0, &["rolled back"]);

    host.sh("sed -i '/^alice:/d' /etc/passwd; rm /etc/netbroker/policy.d/*.toml");
    let who = format!("\"uid:{ALICE}\"");
    let description = "description = \"alice sees links\"";
    ends(&host.tool(&["policy", "show", "--installed"]), 0, &[&who, "is alice", description, "10.toml:1"]);
    let explain = ["policy", "explain", "--installed", "--who", "user:alice", "Link.List", "netns=@host"];
    ends(&host.tool(&explain), 0, &["allowed by `links` (/etc/netbroker/policy.d/10.toml:1)"]);
    ends(
        &host.tool(&["policy", "explain", "--installed", "--who", "user:nemo", "Link.List"]),
        65,
        &["no user named `nemo`"],
    );
    // Where nothing was kept, the bytes still decide.
    host.sh("rm -r /var/lib/netbroker/history");
    let uid = format!("uid:{ALICE}");
    let explain = ["policy", "explain", "--installed", "--who", &uid, "Link.List", "netns=secret"];
    ends(&host.tool(&explain), 77, &["nearest is `links`: it does not permit `secret` of `netns`", "are not kept"]);
    ends(&host.tool(&["policy", "show", "--installed"]), 78, &["the files of the policy in force are not kept"]);
}

#[test]
fn only_root_reads_what_is_kept() {
    let host = Host::new();
    let digest = install(&host, LINKS);
    let alice = host.as_uid(ALICE);
    for words in [
        &["policy", "history"][..],
        &["policy", "rollback", &digest],
        &["policy", "show", "--installed"],
        &["policy", "explain", "--installed", "--who", "uid:0", "Netns.List"],
    ] {
        ends(&alice.tool(words), 69, &["only root can"]);
    }
    assert_eq!(host.sh("stat -c %a:%u /var/lib/netbroker/history").trim(), "700:0");
    assert_eq!(host.sh("stat -c %a:%u /var/lib/netbroker/history/*").trim(), "600:0");
}
