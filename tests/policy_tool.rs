// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What `netbrokerctl policy` does in addition to checking and explaining. A policy with a failed test is not
//! installed. Shipped policies are enabled and disabled by a link. The tool shows and compares what is in force and
//! what the files contain. An edit takes effect when the whole policy is sound.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::{ALICE, Host, Ran, TOOL};
use serde_json::{Value, json};
use std::fs;

const POLICY_D: &str = "/etc/netbroker/policy.d";
const SHIPPED: &str = "/usr/share/netbroker/policies";
const COMPILED: &str = "/var/lib/netbroker/policy";

const RULES: &str = r#"[set]
links = ["v0", "v{uid}-*"]

[[allow]]
id = "links"
who = "user:alice"
call = ["Link.Set", "Link.List"]
netns = "@host"
link = "$links"
mtu = "1280..1500"
"#;
const DENY: &str = r#"[[deny]]
id = "uplinks"
who = ["*", "!uid:0"]
call = "@change"
touches = { link = "eth*" }
"#;
const TESTS: &str = r#"[accounts]
alice = { uid = 1000, gid = 1000 }

[[test]]
name = "own links"
who = "alice"
each = [
  { call = "Link.Set", with = { netns = "@host", link = "v0", mtu = 1400 } },
  { call = "Link.Set", with = { netns = "@host", link = "v1000-a", mtu = 1400 } },
]
expect = "links"

[[test]]
name = "jumbo frames"
who = "alice"
call = "Link.Set"
with = { netns = "@host", link = "v0", mtu = 9000 }
expect = "silence"
"#;

fn host() -> Host {
    let host = Host::new();
    host.policy_file("10-links.toml", RULES);
    host.policy_file("20-site.toml", DENY);
    host.policy_file("10-links.test.toml", TESTS);
    host
}

/// Asserts that the tool ends with this status, and prints this on standard output or error.
fn ends(ran: &Ran, status: i32, words: &[&str]) {
    assert_eq!(ran.status(), status, "{ran}");
    let said = ran.stdout() + &ran.stderr();
    words.iter().for_each(|word| assert!(said.contains(word), "{word}: {ran}"));
}

fn mtu_is_set(host: &Host, mtu: u32) -> bool {
    let reply = host.as_uid(ALICE).call("Link.Set", json!({"netns": "@host", "link": "v0", "mtu": mtu}));
    reply.status() == 0
}

#[test]
fn tests_tell_what_decided_instead_and_which_rules_none_reaches() {
    let host = host();
    let ran = host.tool(&["policy", "test"]);
    assert_eq!(ran.status(), 0, "{ran}");
    let unreached = format!("{POLICY_D}/20-site.toml:1: no test reaches `uplinks`\n");
    assert_eq!(ran.stdout(), format!("{unreached}2 tests passed; the tests do not reach 1 rule\n"));

    host.policy_file("10-links.test.toml", &TESTS.replace("9000", "1500").replace("v1000-a", "eth0"));
    let ran = host.tool(&["policy", "test"]);
    let file = format!("{POLICY_D}/10-links.test.toml");
    let place = format!("`links` ({POLICY_D}/10-links.toml:4)");
    let expected = [
        format!(
            "{file}:9: own links: Link.Set: expected `links`, but refused: no rule permits it; nearest is {place}: "
        ),
        format!(
            "its `link` = \"$links\" does not permit `eth0`\n{file}:13: jumbo frames: Link.Set: expected `silence`, "
        ),
        format!("but allowed by {place}\n{unreached}2 of 2 tests failed; the tests do not reach 1 rule\n"),
    ];
    assert_eq!((ran.status(), ran.stdout()), (1, expected.concat()));

    let all = format!("scope = \"all\"\n{}", TESTS.replace("v1000-a", "eth0"));
    host.policy_file("10-links.test.toml", &all);
    let denied = "denied by `uplinks` (/etc/netbroker/policy.d/20-site.toml:1), which meets field `link`";
    ends(&host.tool(&["policy", "test"]), 1, &[denied, "1 of 2 tests failed; the tests reach every rule"]);

    host.policy_file("10-links.test.toml", &TESTS.replace("\"silence\"", "\"silent\""));
    let wrong = ":18:10: no rule with the id `silent`; expected the id of a rule, `silence` or `InvalidRequest`; did you mean `silence`?\n\
        \x20 18 | expect = \"silent\"\n     |          ^^^^^^^^";
    ends(&host.tool(&["policy", "test"]), 78, &[&format!("{file}{wrong}")]);
    host.sh("rm /etc/netbroker/policy.d/10-links.toml");
    ends(&host.tool(&["policy", "test"]), 78, &["10-links.test.toml:1:1: no ", "10-links.toml is next to this file"]);
}

#[test]
fn anybody_tests_files_of_their_own_and_no_account_need_exist() {
    let host = host();
    host.sh("mkdir -m 755 /run/own; cp /etc/netbroker/policy.d/*.toml /run/own; sed -i 's/alice/nemo/' /run/own/*");
    let alice = host.as_uid(ALICE);
    ends(&alice.tool(&["policy", "check", "/run/own"]), 78, &["no user named `nemo`"]);
    ends(
        &alice.tool(&["policy", "test", "--directory", "/run/own"]),
        0,
        &["2 tests passed; the tests do not reach 1 rule"],
    );
    for file in ["/run/own/10-links.toml", "/run/own/10-links.test.toml"] {
        ends(&alice.tool(&["policy", "test", file]), 0, &["2 tests passed; the tests reach every rule"]);
    }
    let both = ["policy", "test", "--directory", "/run/own", "/etc/netbroker/policy.d/10-links.test.toml"];
    ends(&alice.tool(&both), 1, &["1 of 2 tests failed"]); // in these files the account is called alice
    ends(&alice.tool(&["policy", "test", "/run/own/20-site.toml"]), 78, &["20-site.test.toml: No such file"]);
    ends(&alice.tool(&["policy", "test", "/run/own/x"]), 78, &["is neither *.toml nor *.test.toml"]);
    ends(&alice.tool(&["policy", "test", "/run/a.toml", "/etc/b.toml"]), 78, &["several directories"]);
}

#[test]
fn a_failed_test_keeps_the_old_policy_in_force() {
    let host = host();
    host.ip("link add v0 type veth peer name v1");
    host.tool(&["policy", "install"]).ok();
    let (before, made) = (fs::read(COMPILED).unwrap(), fs::metadata(COMPILED).unwrap().modified().unwrap());
    host.policy_file("10-links.toml", &RULES.replace("1500", "9000"));
    ends(
        &host.tool(&["policy", "install"]),
        78,
        &["jumbo frames: Link.Set: expected `silence`, but allowed by `links`", "the policy in force is unchanged"],
    );
    assert_eq!(fs::read(COMPILED).unwrap(), before);
    assert_eq!(fs::metadata(COMPILED).unwrap().modified().unwrap(), made);
    assert!(mtu_is_set(&host, 1400) && !mtu_is_set(&host, 9000));
    host.policy_file("10-links.test.toml", "[[test]]\n");
    ends(&host.tool(&["policy", "install"]), 78, &["this test has no `who`", "the policy in force is unchanged"]);
    host.sh("chmod 666 /etc/netbroker/policy.d/10-links.test.toml");
    ends(&host.tool(&["policy", "install"]), 78, &["10-links.test.toml has mode 0666"]);
    assert_eq!(fs::read(COMPILED).unwrap(), before);
    host.sh("rm /etc/netbroker/policy.d/10-links.test.toml");
    ends(&host.tool(&["policy", "install"]), 0, &["installed: 2 rules in 2 files"]);
    assert!(mtu_is_set(&host, 9000));
}

#[test]
fn a_shipped_policy_is_enabled_with_its_tests_and_disabled_again() {
    let host = Host::new();
    host.ip("link add v0 type veth peer name v1");
    host.cover("/usr/share");
    host.sh(&format!("install -d -m 755 /usr/share/netbroker {SHIPPED}"));
    let ship = |name: &str, text: &str| fs::write(format!("{SHIPPED}/{name}"), text).unwrap();
    ship("links.toml", RULES);
    ship("links.test.toml", &TESTS.replace("9000", "1500"));
    for words in [["policy", "enable", "links"], ["policy", "disable", "links"], ["policy", "edit", "links.toml"]] {
        ends(&host.as_uid(ALICE).tool(&words), 69, &["only root can"]);
    }
    ends(&host.tool(&["policy", "enable", "link"]), 78, &["holds no policy `link`; it holds "]);
    ends(&host.tool(&["policy", "enable", "../links"]), 78, &["is not the name of a policy"]);
    assert_eq!(fs::read_dir(POLICY_D).unwrap().count(), 0);
    let enabled = format!("enabled: {POLICY_D}/links.toml -> {SHIPPED}/links.toml; `netbrokerctl policy install`");
    ends(&host.tool(&["policy", "enable", "links"]), 0, &[&enabled]);
    ends(&host.tool(&["policy", "enable", "links"]), 78, &["is already enabled"]);

    ends(
        &host.tool(&["policy", "install"]),
        78,
        &[&format!("{SHIPPED}/links.test.toml:13: jumbo frames"), "is unchanged"],
    );
    ship("links.test.toml", TESTS);
    ends(&host.tool(&["policy", "test"]), 0, &["2 tests passed; the tests reach every rule"]);
    host.sh(&format!("chmod g+w {SHIPPED}/links.test.toml"));
    ends(&host.tool(&["policy", "install"]), 78, &["links.test.toml has mode 0664"]);
    host.sh(&format!("chmod g-w {SHIPPED}/links.test.toml"));
    host.tool(&["policy", "install"]).ok();
    assert!(mtu_is_set(&host, 1400));
    ends(&host.tool(&["policy", "edit", "links.toml"]), 78, &["is a link to a shipped policy, which cannot be edited"]);

    ends(&host.tool(&["policy", "disable", "links"]), 0, &["disabled: /etc/netbroker/policy.d/links.toml; "]);
    ends(&host.tool(&["policy", "disable", "links"]), 78, &["does not exist"]);
    ends(&host.tool(&["policy", "install"]), 78, &["the new policy has no rules", "is unchanged"]);
    assert!(mtu_is_set(&host, 1400));
    host.tool(&["policy", "install", "--allow-empty"]).ok();
    assert!(!mtu_is_set(&host, 1400));
    host.policy_file("links.toml", RULES);
    ends(&host.tool(&["policy", "disable", "links"]), 78, &["file of this machine's own"]);
    ends(&host.tool(&["policy", "enable", "links"]), 78, &["already exists"]);
    assert_eq!(fs::read_to_string(format!("{POLICY_D}/links.toml")).unwrap(), RULES);
}

#[test]
fn status_compares_what_is_in_force_with_files_and_accounts() {
    let host = host();
    let status = |code: i32, words: &[&str]| ends(&host.tool(&["policy", "status"]), code, words);
    status(
        78,
        &["no policy is in force: /var/lib/netbroker/policy does not exist; the broker refuses every call; run \
                  `netbrokerctl policy install`"],
    );
    let install = || host.tool(&["policy", "install"]).ok();
    let digest = install().trim().rsplit(' ').next().unwrap().to_owned();
    let head = format!("in force: digest {digest}, since 20");
    status(0, &[&head, " UTC\nagrees: 2 rules in 2 files and the numbers of their accounts"]);
    ends(&host.as_uid(ALICE).tool(&["policy", "status"]), 69, &["only root can read the policy in force"]);

    host.policy_file("10-links.toml", &RULES.replace("1500", "1400"));
    status(
        1,
        &[
            &head,
            "differs: ",
            "to put it in force, run `netbrokerctl policy install`",
            "changed file: /etc/netbroker/policy.d/10-links.toml\n",
        ],
    );
    host.policy_file("10-links.toml", "[[allow]]\n");
    status(
        1,
        &[
            &head,
            "10-links.toml:1:1: this rule has no `id`",
            "are not a valid policy; correct the errors above, then run `netbrokerctl policy install`",
        ],
    );
    host.policy_file("10-links.toml", &format!("# the same in other words\n{RULES}"));
    status(0, &[&head]);
    host.sh("mv /etc/netbroker/policy.d/20-site.toml /run/");
    host.policy_file("10-links.toml", RULES);
    install();
    host.sh("mv /run/20-site.toml /etc/netbroker/policy.d/; touch -d 2000-01-01 /etc/netbroker/policy.d/*");
    status(1, &["new file: /etc/netbroker/policy.d/20-site.toml"]);
    install();
    host.sh("rm /etc/netbroker/policy.d/20-site.toml");
    status(1, &["removed file: /etc/netbroker/policy.d/20-site.toml"]);
    install();
    status(0, &["agrees: 1 rule in 1 file"]);

    host.sh("sed -i 's/^alice:x:64123/alice:x:64125/' /etc/passwd");
    status(1, &["changed account: the user `alice` had the number 64123 and now has 64125"]);
    host.sh("sed -i 's/^alice:x:64125/alice:x:64123/' /etc/passwd");
    status(0, &[]);

    let good = fs::read(COMPILED).unwrap();
    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for (bytes, why) in [(&damaged[..], "is damaged"), (&good[..60], "; the broker refuses every call"), (b"", "; the")]
    {
        fs::write(COMPILED, bytes).unwrap();
        status(78, &[why]);
    }
    fs::write(COMPILED, good).unwrap();
    host.sh("chmod 644 /var/lib/netbroker/policy");
    status(78, &["must belong to root:netbroker and have mode 0640"]);
}

#[test]
fn the_effective_rules_are_shown_with_their_places_and_numbers() {
    let host = host();
    let alice = host.as_uid(ALICE);
    let text = alice.tool(&["policy", "show"]).ok();
    let rule = "# /etc/netbroker/policy.d/10-links.toml:4\n[[allow]]\nid = \"links\"\n\
        who = [\"uid:64123\"] # uid:64123 is alice\ncall = [\"Link.Set\",\"Link.List\"]\nlink = [\"v0\",\"v{uid}-*\"]\n\
        mtu = [\"1280..1500\"]\nnetns = [\"@host\"]\n";
    assert!(text.contains(rule), "{text}");
    assert!(text.contains("[audit]\nrequired = true\n") && text.contains("touches = { link = [\"eth*\"] }"), "{text}");

    let shown: Value = serde_json::from_str(&alice.tool(&["policy", "show", "--json"]).ok()).unwrap();
    assert_eq!(shown["settings"]["confinement.landlock"], "required");
    let (links, uplinks) = (&shown["rules"][0], &shown["rules"][1]);
    assert_eq!((&links["line"], &links["fields"]["link"]), (&json!(4), &json!(["v0", "v{uid}-*"])));
    assert_eq!((&links["who"], &links["names"]), (&json!(["uid:64123"]), &json!({"uid:64123": "alice"})));
    assert_eq!((&uplinks["rule"], &uplinks["who"]), (&json!("deny"), &json!(["*", "!uid:0"])));

    // What is shown is a policy: in place of all files it decides the same.
    let digest = |ran: Ran| ran.ok().trim().rsplit(' ').next().unwrap().to_owned();
    let before = digest(host.tool(&["policy", "install"]));
    host.sh("rm /etc/netbroker/policy.d/*");
    host.policy_file("shown.toml", &text);
    assert_eq!(digest(host.tool(&["policy", "install"])), before);
    ends(&alice.tool(&["policy", "show", "--directory", "/nonexistent"]), 78, &["/nonexistent"]);
}

/// Runs `policy edit` with this editor and no terminal.
fn edit(host: &Host, file: &str, editor: &str) -> Ran {
    Ran::run(host.command(TOOL).args(["policy", "edit", file]).env("EDITOR", editor))
}

#[test]
fn an_edit_counts_when_the_whole_policy_is_sound() {
    let host = host();
    host.tool(&["policy", "install"]).ok();
    let in_force = fs::read(COMPILED).unwrap();
    let file = format!("{POLICY_D}/10-links.toml");
    let text = || fs::read_to_string(&file).unwrap();
    let copies = || fs::read_dir("/run").unwrap().filter(|e| e.as_ref().unwrap().path().is_dir()).count();
    let before = copies();

    let edited = format!("edited: {file}; `netbrokerctl policy install` puts it in force");
    ends(&edit(&host, "10-links.toml", "sed -i s/1280/1300/"), 0, &[&edited]);
    assert_eq!(text(), RULES.replace("1280", "1300"));
    assert_eq!(host.sh(&format!("stat -c '%a %u %g' {file}")), "644 0 0\n");
    ends(&edit(&host, &file, "true"), 0, &["unchanged: "]);
    let both =
        Ran::run(host.command(TOOL).args(["policy", "edit", &file]).envs([("VISUAL", "true"), ("EDITOR", "false")]));
    ends(&both, 0, &["unchanged: "]);
    ends(&edit(&host, &file, "false"), 71, &["the editor `false` failed (exit status: 1)"]);
    ends(&edit(&host, &file, "/nonexistent"), 71, &["cannot be started", "set EDITOR"]);
    assert_eq!(copies(), before);

    let (sound, kept) = (text(), format!("{file} is unchanged; the copy is /run/netbrokerctl."));
    let failed = "jumbo frames: Link.Set: expected `silence`, but allowed by `links`";
    for (editor, why) in [
        ("sed -i s/mtu/mtv/", "10-links.toml:10:1: `mtv` is not a field"),
        ("sed -i s/1500/9000/", failed),
        ("sed -i s/alice/nemo/", "no user named `nemo`"),
    ] {
        let ran = edit(&host, "10-links.toml", editor);
        ends(&ran, 78, &[why, &kept]);
        let copy = ran.stderr().trim().rsplit(' ').next().unwrap().to_owned();
        assert_eq!(host.sh(&format!("stat -c '%a %u' {copy}; stat -c '%a %u' $(dirname {copy})")), "600 0\n700 0\n");
        assert_ne!(fs::read_to_string(copy).unwrap(), sound);
        assert_eq!(text(), sound);
    }
    // A file that is already broken needs an editor most.
    fs::write(&file, b"\xff").unwrap();
    ends(&edit(&host, &file, "cp /etc/netbroker/policy.d/20-site.toml"), 78, &["the id `uplinks` is already used at"]);
    fs::write("/run/good.toml", RULES).unwrap();
    ends(&edit(&host, &file, "cp /run/good.toml"), 0, &[&edited]);
    assert_eq!((text(), fs::read(COMPILED).unwrap()), (RULES.to_owned(), in_force));
    ends(&edit(&host, "/etc/passwd", "true"), 78, &["is neither"]);
}
