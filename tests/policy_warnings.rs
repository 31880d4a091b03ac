// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the tool reports of a policy without errors: what was probably not meant, files that nothing reads, accounts
//! that are missing. Also the checks of a policy on a machine that has none of its accounts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::{ALICE, Host, Ran};
use serde_json::json;
use std::fs;

const POLICY_D: &str = "/etc/netbroker/policy.d";
const RULES: &str = r#"[[allow]]
id = "links"
who = "user:neutron"
call = "Link.Set"
netns = "q*"
link = "qr-*"
mtu = "1280..1500"
"#;
const ACCOUNTS: &str = r#"[accounts]
neutron = { uid = 64100, gid = 64100, groups = { netbroker-callers = 64101 } }
alice = { uid = 1000, gid = 1000 }
"#;

fn ends(ran: &Ran, status: i32, words: &[&str]) {
    assert_eq!(ran.status(), status, "{ran}");
    let said = ran.stdout() + &ran.stderr();
    words.iter().for_each(|word| assert!(said.contains(word), "{word}: {ran}"));
}

#[test]
fn a_warning_has_its_place_and_is_an_error_where_that_is_asked() {
    let host = Host::new();
    let text = "[[deny]]\nid = \"x\"\nwho = \"*\"\ncall = \"Route.Add\"\ndestination = \"169.254.169.254/16\"\n";
    host.policy_file("10.toml", text);
    let expected = format!(
        "{POLICY_D}/10.toml:5:15: warning: `destination`: `169.254.169.254/16` has host bits, which no route has in \
         `destination`; write `169.254.0.0/16` for the prefix, or `169.254.169.254/32` for the address; the next release \
         refuses this\n   5 | destination = \"169.254.169.254/16\"\n     |               ^^^^^^^^^^^^^^^^^^^^\n"
    );
    let ran = host.tool(&["policy", "check"]);
    assert_eq!(
        (ran.status(), ran.stdout(), ran.stderr()),
        (0, "ok: 1 rule in 1 file, 1 warning\n".to_owned(), expected.clone())
    );
    let ran = host.tool(&["policy", "check", "--strict"]);
    let strict = format!("{expected}netbrokerctl: refused: 1 warning (`--strict` treats warnings as errors)\n");
    assert_eq!((ran.status(), ran.stdout(), ran.stderr()), (78, String::new(), strict));
    // The last release accepted it, so that an upgrade does not leave a machine without a policy.
    let ran = host.tool(&["policy", "install"]);
    ends(&ran, 0, &["installed: 1 rule in 1 file", &expected]);
    host.policy_file("10.toml", &text.replace("169.254.169.254/16", "169.254.169.254/32"));
    assert_eq!(host.tool(&["policy", "check", "--strict"]).ok(), "ok: 1 rule in 1 file\n");
}

#[test]
fn files_that_nobody_reads_are_named() {
    let host = Host::new();
    host.policy_file("10.toml", &RULES.replace("neutron", "alice"));
    let unread = ["x.TOML", "x.conf", "x.toml~", ".x.toml", "x.toml.dpkg-new"];
    unread.iter().for_each(|name| host.policy_file(name, RULES));
    let named: Vec<String> =
        unread.iter().map(|name| format!("{POLICY_D}/{name}: warning: nothing reads this file")).collect();
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    ends(&host.tool(&["policy", "check"]), 0, &named);
    ends(&host.tool(&["policy", "check", POLICY_D]), 0, &named);
    ends(&host.tool(&["policy", "check", "--strict"]), 78, &named);
    ends(&host.tool(&["policy", "install"]), 0, &named);
    ends(&host.tool(&["policy", "status"]), 0, &named);
    host.sh("rm /etc/netbroker/policy.d/x.* /etc/netbroker/policy.d/.x.*");
    assert!(!host.tool(&["policy", "status"]).stderr().contains("nothing reads"));
}

#[test]
fn a_user_who_may_not_call_the_broker_is_named() {
    let host = Host::new();
    host.sh("echo 'stranger:x:64200:64200::/:/bin/false' >> /etc/passwd");
    host.policy_file(
        "10.toml",
        &RULES.replace("\"user:neutron\"", "[\"user:alice\", \"user:stranger\", \"user:root\"]"),
    );
    let ran = host.tool(&["policy", "check"]);
    let why = "10.toml:3:22: warning: the user `stranger` is not in the group `netbroker-callers`, so it cannot start the installed program";
    ends(&ran, 0, &[why, ", 1 warning\n"]);
    host.sh("usermod -a -G netbroker-callers stranger || sed -i 's/^netbroker-callers:.*/&,stranger/' /etc/group");
    assert_eq!(host.tool(&["policy", "check"]).ok(), "ok: 1 rule in 1 file\n");
}

#[test]
fn a_policy_is_checked_shown_and_explained_without_its_accounts() {
    let host = Host::new();
    host.sh("mkdir -m 755 /run/own");
    fs::write("/run/own/10.toml", RULES).unwrap();
    fs::write("/run/accounts.toml", ACCOUNTS).unwrap();
    let alice = host.as_uid(ALICE);
    ends(&alice.tool(&["policy", "check", "/run/own"]), 78, &["no user named `neutron`"]);
    let accounts = "--accounts=/run/accounts.toml";
    assert_eq!(alice.tool(&["policy", "check", accounts, "/run/own"]).ok(), "ok: 1 rule in 1 file\n");
    let show = alice.tool(&["policy", "show", accounts, "--directory=/run/own"]).ok();
    assert!(show.contains("who = [\"uid:64100\"] # uid:64100 is neutron\n"), "{show}");
    let explain = |who: &str, fields: &[&str]| {
        let words = ["policy", "explain", accounts, "--directory=/run/own", "--who", who, "Link.Set", "netns=q1"];
        alice.tool(&[&words[..], fields].concat())
    };
    ends(&explain("user:neutron", &["link=qr-1", "mtu=1400"]), 0, &["allowed by `links`"]);
    let all = "its `link` = \"qr-*\" does not permit `eth0`; it does not name `up` and `alias`";
    ends(&explain("user:neutron", &["link=eth0", "up=true", "alias=a"]), 77, &[all]);
    ends(&explain("user:alice", &["link=qr-1", "mtu=1400"]), 77, &["refused: no rule permits it\n"]);
    ends(&explain("user:root", &["link=qr-1", "mtu=1400"]), 65, &["no user named `root`"]); // the file adds none
    fs::write("/run/accounts.toml", ACCOUNTS.replace("gid = 1000", "gd = 1000")).unwrap();
    let wrong = "/run/accounts.toml:3:23: `gd` is not a word of an account; did you mean `gid`?";
    ends(&alice.tool(&["policy", "check", accounts, "/run/own"]), 78, &[wrong]);
    fs::write("/run/accounts.toml", ACCOUNTS.replace(", groups = { netbroker-callers = 64101 }", "")).unwrap();
    assert_eq!(alice.tool(&["policy", "check", "--strict", accounts, "/run/own"]).ok(), "ok: 1 rule in 1 file\n");
}

#[test]
fn an_explanation_takes_the_defaults_of_the_caller_it_is_about() {
    let host = Host::new();
    let rule = |owner: &str| {
        format!(
            "[[allow]]\nid = \"taps\"\nwho = \"*\"\ncall = \"Link.Add\"\nkind = \"tun\"\nnetns = \"@host\"\nlink = \"tap*\"\n\
             tun.mode = \"tap\"\ntun.owner = {owner}\n"
        )
    };
    let explain = |by: &dyn Fn(&[&str]) -> Ran, who: &str| {
        by(&["policy", "explain", "--who", who, "Link.Add", "netns=@host", "link=tap0", "kind=tun", "tun.mode=tap"])
            .status()
    };
    let (root, alice) = (|words: &[&str]| host.tool(words), |words: &[&str]| host.as_uid(ALICE).tool(words));
    host.policy_file("10.toml", &rule("\"{uid}\""));
    for who in ["user:alice", "user:bob", "uid:0"] {
        assert_eq!((explain(&root, who), explain(&alice, who)), (0, 0), "{who}");
    }
    host.policy_file("10.toml", &rule("0"));
    assert_eq!((explain(&root, "user:alice"), explain(&alice, "uid:0")), (77, 0));
}

#[test]
fn a_policy_without_rules_takes_no_place_of_one_that_has_some() {
    let host = Host::new();
    host.policy(&RULES.replace("neutron", "alice"));
    let empty = host.policy_fails("# moved elsewhere\n");
    assert!(empty.contains("the new policy has no rules") && empty.contains("--allow-empty"), "{empty}");
    ends(&host.tool(&["policy", "status"]), 1, &["in force: digest ", "differs"]);
    ends(
        &host.tool(&["policy", "install", "--allow-empty"]),
        0,
        &["installed: 0 rules in 1 file (every call is refused)"],
    );
    host.policy("# still none\n"); // none takes the place of none
}

#[test]
fn an_optional_account_need_not_exist() {
    let host = Host::new();
    host.policy(&RULES.replace("user:neutron", "user?:neutron"));
    let show = host.tool(&["policy", "show"]).ok();
    assert!(show.contains("who = [\"user?:neutron\"]\n"), "{show}");
    let explain = ["policy", "explain", "--who=user:alice", "Link.Set", "netns=q1", "link=qr-1", "mtu=1400"];
    ends(&host.tool(&explain), 77, &["refused: no rule permits it\n"]); // an empty list is nobody, not everybody
    host.sh("echo 'neutron:x:64100:64100::/:/bin/false' >> /etc/passwd");
    ends(&host.tool(&["policy", "status"]), 1, &["differs"]);
    ends(&host.tool(&["policy", "install"]), 0, &["installed: 1 rule"]);
    ends(
        &host.tool(&["policy", "explain", "--who=user:neutron", "Link.Set", "netns=q1", "link=qr-1", "mtu=1400"]),
        0,
        &["allowed"],
    );
}

#[test]
fn what_is_still_missing_is_said_where_a_policy_is_enabled() {
    let host = Host::new();
    host.cover("/usr/share");
    host.sh("mkdir -p -m 755 /usr/share/netbroker/policies");
    fs::write("/usr/share/netbroker/policies/l3.toml", RULES).unwrap();
    let ran = host.tool(&["policy", "enable", "l3"]);
    ends(
        &ran,
        0,
        &["enabled: ", "netbrokerctl: before it can be installed:\n", "l3.toml:3:7: no user named `neutron`"],
    );
    host.sh("netbrokerctl() { /usr/libexec/netbrokerctl \"$@\"; }; netbrokerctl policy disable l3");
    host.sh("echo 'neutron:x:64100:64100::/:/bin/false' >> /etc/passwd");
    ends(&host.tool(&["policy", "enable", "l3"]), 0, &["the user `neutron` is not in the group `netbroker-callers`"]);
    host.sh("/usr/libexec/netbrokerctl policy disable l3; sed -i 's/^netbroker-callers:.*/&,neutron/' /etc/group");
    assert!(!host.tool(&["policy", "enable", "l3"]).stderr().contains("missing"));
}

#[test]
fn a_check_reports_errors_and_warnings_as_json_with_their_places() {
    let host = Host::new();
    let json = |more: &[&str]| {
        let ran = host.tool(&[&["policy", "check", "--json"], more].concat());
        let said: serde_json::Value = serde_json::from_str(&ran.stdout()).unwrap();
        assert_eq!(ran.stderr(), "", "{ran}");
        (ran.status(), said)
    };
    let deny = "[[deny]]\nid = \"x\"\nwho = \"*\"\ncall = \"Route.Add\"\ndestination = \"169.254.169.254/16\"\n";
    host.policy_file("10.toml", deny);
    let (status, said) = json(&[]);
    assert_eq!((status, &said["rules"], &said["files"], &said["errors"]), (0, &1.into(), &1.into(), &json!([])));
    let warning = &said["warnings"][0];
    let place = (&warning["file"], &warning["line"], &warning["column"]);
    assert_eq!(place, (&json!(format!("{POLICY_D}/10.toml")), &5.into(), &15.into()));
    assert!(warning["message"].as_str().unwrap().starts_with("`destination`: `169.254.169.254/16` has host bits"));
    assert_eq!(json(&["--strict"]).0, 78);
    host.policy_file("10.toml", &deny.replace("Route.Add", "Route.Ad"));
    let (status, said) = json(&[]);
    assert_eq!((status, said["errors"].as_array().unwrap().len()), (78, 1));
    assert_eq!(
        said["errors"][0]["message"],
        "no call named `Route.Ad`; the calls of Route are Route.Add, Route.Replace, Route.Delete, Route.Append, Route.Flush, Route.Get, Route.List; see `netbrokerctl describe`"
    );
    // The total stands at the end of what people read.
    host.policy_file("20.toml", &deny.replace("Route.Add", "Route.Ad").replace("\"x\"", "\"y\""));
    let ran = host.tool(&["policy", "check"]);
    assert!(ran.status() == 78 && ran.stderr().ends_with("netbrokerctl: 2 errors\n"), "{ran}");
}
