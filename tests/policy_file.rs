// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The policy as files. A policy that another user could have written, or that is damaged, refuses every call. A broken
//! edit never reaches the broker. Errors are reported with their place.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::{Host, NETBROKER, Ran, Way};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const COMPILED: &str = "/var/lib/netbroker/policy";
const POLICY: &str = r#"
[[allow]]
id = "links"
who = "user:alice"
call = ["Link.Set", "Link.List"]
netns = "@host"
link = "v0"
mtu = "1280..1500"
"#;

fn host() -> Host {
    let host = Host::new();
    host.policy(POLICY);
    host.ip("link add v0 type veth peer name v1");
    host
}

fn set(host: &Host) -> common::Reply {
    host.caller().call("Link.Set", json!({"netns": "@host", "link": "v0", "mtu": 1400}))
}

/// Asserts that every call of every caller is refused, for this reason.
fn is_invalid(host: &Host, hint: &str, what: &str) {
    let reply = set(host);
    assert_eq!(reply.error(), "io.netbroker.Link.PolicyInvalid", "{what}");
    assert!(reply.get("hint").as_str().unwrap().contains(hint), "{what}: {reply}");
    assert_eq!(reply.get("request").as_str().unwrap().len(), 32);
    let netns = host.caller().call("Netns.List", json!({"netns": "@host"}));
    assert_eq!(netns.error(), "io.netbroker.Netns.PolicyInvalid", "{what}");
    let record = host.trail().pop().unwrap();
    assert_eq!(
        (record.field("NETBROKER_EVENT"), &netns.get("request")),
        ("refused", &json!(record.field("NETBROKER_REQUEST")))
    );
}

#[test]
fn a_policy_that_others_could_have_written_refuses_every_call() {
    let host = host();
    let cases = [
        ("absent", "rm /var/lib/netbroker/policy", "does not exist; `netbrokerctl policy install`"),
        ("owner", "chown netbroker /var/lib/netbroker/policy", "root:netbroker with mode 0640"),
        ("caller's", "chown alice /var/lib/netbroker/policy", "0640"),
        ("group", "chgrp alice /var/lib/netbroker/policy; chmod 644 /var/lib/netbroker/policy", "0640"),
        ("mode", "chmod 660 /var/lib/netbroker/policy", "0640"),
        ("mode", "chmod 644 /var/lib/netbroker/policy", "0640"),
        ("mode", "chmod 4640 /var/lib/netbroker/policy", "0640"),
        ("unreadable", "chmod 600 /var/lib/netbroker/policy", ""),
        ("link", "cd /var/lib/netbroker; mv policy real; ln -s real policy", "is a symbolic link"),
        (
            "directory",
            "cd /var/lib/netbroker; rm policy; mkdir -m 750 policy; chgrp netbroker policy",
            "/var/lib/netbroker/policy",
        ),
        ("pipe", "cd /var/lib/netbroker; rm policy; mkfifo -m 640 policy; chgrp netbroker policy", "0640"),
        ("linked directory", "cd /var/lib; mv netbroker other; ln -s other netbroker", "is a symbolic link"),
        ("no directory", "mv /var/lib/netbroker /var/lib/other", "/var/lib/netbroker does not exist"),
        ("directory's group", "chmod 770 /var/lib/netbroker", "only root may write"),
        ("directory's others", "chmod 757 /var/lib/netbroker", "only root may write"),
        ("directory's owner", "chown netbroker /var/lib/netbroker", "a directory of root's"),
        ("lib's group", "chmod 775 /var/lib", "only root may write"),
        ("lib's sticky others", "chmod 1777 /var/lib", "only root may write"),
        ("lib's owner", "chown alice /var/lib", "a directory of root's"),
    ];
    let before = host.snapshot(&[]);
    for (what, script, hint) in cases {
        host.sh(script);
        is_invalid(&host, hint, what);
        host.sh("chown root:root /var/lib; chmod 755 /var/lib; rm -rf /var/lib/netbroker /var/lib/other");
        host.tool(&["policy", "install"]).ok();
    }
    for way in [Way::FileCapabilities, Way::Sudo, Way::Root] {
        host.install(way);
        host.sh("chmod 660 /var/lib/netbroker/policy");
        is_invalid(&host, "0640", "another way in");
        host.tool(&["policy", "install"]).ok();
    }
    assert_eq!(host.snapshot(&[]), before);
    assert!(host.trail_where("NETBROKER_EVENT", "permitted").is_empty());
    host.install(Way::Setuid);
    set(&host).ok();
}

#[test]
fn a_parent_of_the_policy_that_is_a_link_refuses_every_call() {
    let host = host();
    // /var belongs to the machine, so a copy of it is mounted there for this host, one level up.
    host.sh(
        "mkdir -p /run/scratch/var/real; cp -a /var/lib /run/scratch/var/real/lib; ln -s real/lib /run/scratch/var/lib",
    );
    host.sh("mount --bind /run/scratch/var /var");
    is_invalid(&host, "/var/lib is a symbolic link", "linked lib");
    host.sh("rm /run/scratch/var/lib; mv /run/scratch/var/real/lib /run/scratch/var/lib");
    set(&host).ok();
    host.sh("chmod 775 /var");
    is_invalid(&host, "/var must be", "/var's group");
}

#[test]
fn a_damaged_policy_refuses_every_call() {
    let host = host();
    let sound = fs::read(COMPILED).unwrap();
    let put = |bytes: &[u8]| {
        fs::write(COMPILED, bytes).unwrap(); // keeps owner and mode
        fs::set_permissions(COMPILED, fs::Permissions::from_mode(0o640)).unwrap();
    };
    let before = host.snapshot(&[]);
    for length in [0, 1, 63, 64, sound.len() / 2, sound.len() - 1] {
        put(&sound[..length]);
        is_invalid(&host, "`netbrokerctl policy install` writes it again", &format!("{length} bytes"));
    }
    put(&[&sound[..], b"\0"].concat());
    is_invalid(&host, "not as long as", "a byte more");
    put(
        b"[[allow]]\nid = \"x\"\nwho = \"*\"\ncall = \"Link.Set\"\nnetns = \"@host\"\nlink = \"*\"\nfree = [\"mtu\"]\n",
    );
    is_invalid(&host, "another format", "the source");
    // One bit is changed. In the header that is always noticed. Elsewhere nobody may read it; then the decision is that
    // of the sound policy.
    let mut refused = 0;
    for at in (0..sound.len()).step_by(11) {
        let mut damaged = sound.clone();
        damaged[at] ^= 1 << (at % 8);
        put(&damaged);
        let reply = host.caller().call("Link.Set", json!({"netns": "@host", "link": "v0", "mtu": 9000}));
        match reply.error().as_str() {
            "io.netbroker.Link.PolicyInvalid" => refused += 1,
            "io.netbroker.Link.Denied" => assert!(at >= 64 && reply.get("rule") == "links", "byte {at}: {reply}"),
            other => panic!("byte {at}: {other}"),
        }
    }
    assert!(refused >= 6, "{refused}");
    assert_eq!(host.snapshot(&[]), before);
    put(&sound);
    set(&host).ok();
}

#[test]
fn a_broken_edit_leaves_the_policy_that_was_in_force() {
    let host = host();
    let before = fs::read(COMPILED).unwrap();
    let broken = [
        ("a.toml", "[[allow]\n"),
        ("a.toml", "[[allow]]\nid = \"links\"\nwho = \"*\"\ncall = \"Link.List\"\nnetns = \"@host\"\n"), // taken
        ("a.toml", "[[deny]]\nid = \"x\"\nwho = \"user:nobody-of-that-name\"\ncall = \"@change\"\n"),
        ("a.toml", "[[deny]]\nid = \"x\"\nwho = \"*\"\ncall = \"Link.Sett\"\n"),
    ];
    for (name, text) in broken {
        host.policy_file(name, text);
        let ran = host.tool(&["policy", "install"]);
        assert_eq!(ran.status(), 78, "{ran}");
        assert!(ran.stderr().contains("/etc/netbroker/policy.d/a.toml:"), "{ran}");
        assert_eq!(fs::read(COMPILED).unwrap(), before);
        set(&host).ok();
    }
    host.policy_file("a.toml", "[[deny]]\nid = \"x\"\nwho = \"*\"\ncall = \"Link.Set\"\nmtu = 1400\n");
    for (script, told) in [
        ("chmod 664 /etc/netbroker/policy.d/a.toml", "so users other than root can write it"),
        ("chown alice /etc/netbroker/policy.d/a.toml", "must belong to root"),
        ("chmod 775 /etc/netbroker/policy.d", "so users other than root can write it"),
        ("chown alice /etc/netbroker", "must belong to root"),
        ("ln -s /etc/hostname /etc/netbroker/policy.d/b.toml", "is a symbolic link"),
    ] {
        host.sh(script);
        let ran = host.tool(&["policy", "install"]);
        assert!(ran.status() == 78 && ran.stderr().contains(told), "{script}: {ran}");
        host.sh("rm -f /etc/netbroker/policy.d/b.toml; chown -R root:root /etc/netbroker; \
                 chmod 755 /etc/netbroker/policy.d; chmod 644 /etc/netbroker/policy.d/*");
    }
    assert_eq!(fs::read(COMPILED).unwrap(), before);
    set(&host).ok();
    // Once it is whole again, it takes effect.
    host.tool(&["policy", "install"]).ok();
    assert_eq!(set(&host).error(), "io.netbroker.Link.Denied");
    assert_eq!(host.sh("ls -A /var/lib/netbroker"), "history\npolicy\n");
}

#[test]
fn what_is_installed_has_its_owner_and_mode_and_only_root_installs() {
    let host = host();
    let expected = format!("640 0 {NETBROKER}\n750 0 {NETBROKER}\n");
    assert_eq!(host.sh("stat -c '%a %u %g' /var/lib/netbroker/policy /var/lib/netbroker"), expected);
    let by_alice = host.caller().tool(&["policy", "install"]);
    assert_eq!(by_alice.status(), 69, "{by_alice}");
    let umask = host.run(&["sh", "-c", "umask 0; exec /usr/libexec/netbrokerctl policy install"]);
    umask.ok();
    assert_eq!(host.sh("stat -c '%a %u %g' /var/lib/netbroker/policy /var/lib/netbroker"), expected);
    // A caller may check a policy and see the errors, without any privilege.
    let checked = host.caller().tool(&["policy", "check"]);
    assert_eq!(checked.ok(), "ok: 1 rule in 1 file\n");
}

fn check(host: &Host, text: &str) -> Ran {
    fs::write("/run/scratch/p.toml", text).unwrap();
    host.tool(&["policy", "check", "/run/scratch/p.toml"])
}

#[test]
fn what_is_wrong_is_told_with_file_line_column_and_the_line_itself() {
    let host = host();
    let rule = |line: &str| format!("[[allow]]\nid = \"x\"\nwho = \"*\"\ncall = \"Link.Set\"\nnetns = \"n\"\n{line}\n");
    let cases = [
        (rule("link = \"*\"\nmtuu = 7"), "7:1", "mtuu = 7", "`mtuu` is not a field of Link.Set; did you mean `mtu`?"),
        (rule("link = \"*\"\nmtu = \"x\""), "7:7", "mtu = \"x\"", "expected a whole number"),
        (rule("link = \"*\"\nmtu = 4294967296"), "7:7", "mtu = 4294967296", "must be between 0 and 4294967295"),
        (rule("link = \"a/b*\""), "6:8", "link = \"a/b*\"", "matches nothing"),
        (rule("link = [\"ok\", 7]"), "6:15", "link = [\"ok\", 7]", ""),
        (rule("link = []"), "6:8", "link = []", "must not be an empty list"),
        (rule("up = true"), "4:8", "call = \"Link.Set\"", "does not name `link`"),
        (rule("link = \"v0\"\nlink = \"v1\""), "7:1", "link = \"v1\"", "duplicate key"),
        (
            rule("link = \"v0\"\ntouches = { link = \"x\" }"),
            "7:1",
            "touches = { link = \"x\" }",
            "`touches` is for denies only",
        ),
        ("[[alow]]\n".to_owned(), "1:3", "[[alow]]", "did you mean `allow`?"),
        (
            "[[allow]]\nid = \"x\"\nwho = \"user:nosuchuser\"\ncall = \"Netns.List\"\nnetns = \"@host\"\n".to_owned(),
            "3:7",
            "who = \"user:nosuchuser\"",
            "no user named `nosuchuser`",
        ),
        (
            "[[deny]]\nid = \"x\"\nwho = \"group:netbroker-callers\"\ncall = \"@read\"\n".to_owned(),
            "3:7",
            "who = \"group:netbroker-callers\"",
            "a deny cannot name a group",
        ),
        (
            "[[deny]]\nid = \"x\"\nwho = \"*\"\ncall = \"Netns.List\"\nmtu = 7\n".to_owned(),
            "5:1",
            "mtu = 7",
            "is not a field of Netns.List",
        ),
        (
            "[[allow]]\nid = \"x\"\nwho = \"*\"\ncall = \"@read\"\nnetns = \"n\"\n".to_owned(),
            "4:8",
            "call = \"@read\"",
            "",
        ),
        ("[audit]\nrequire = true\n".to_owned(), "2:1", "require = true", "did you mean"),
        ("[audit]\nrequired = \"yes\"\n".to_owned(), "2:12", "required = \"yes\"", "must be true or false"),
        ("[[allow]]\nid = \"a b\"\n".to_owned(), "2:6", "id = \"a b\"", "no spaces"),
        ("[[allow]]\nwho = \"*\"\n".to_owned(), "1:1", "[[allow]]", "has no `id`"),
        ("allow = 1\n".to_owned(), "1:1", "allow = 1", "a rule begins with `[[allow]]`"),
    ];
    for (text, place, line, message) in cases {
        let ran = check(&host, &text);
        assert_eq!((ran.status(), ran.stdout().as_str()), (78, ""), "{text}\n{ran}");
        let told = ran.stderr();
        let head = format!("/run/scratch/p.toml:{place}: ");
        let at = told.lines().position(|told| told.starts_with(&head) && told.contains(message));
        let at = at.unwrap_or_else(|| panic!("no {head}…{message} in\n{told}"));
        let number = place.split(':').next().unwrap();
        assert_eq!(told.lines().nth(at + 1).unwrap().trim_start(), format!("{number} | {line}"), "{told}");
        assert!(
            told.lines().nth(at + 2).unwrap().trim_start().trim_start_matches(['|', ' ']).starts_with('^'),
            "{told}"
        );
    }
    // All errors are reported at once, in the order of the file.
    let ran = check(&host, &rule("link = \"a/b\"\nmtu = \"x\"\nxx = 1"));
    let heads: Vec<String> = ran
        .stderr()
        .lines()
        .filter(|line| line.starts_with('/'))
        .map(|l| l.split(": ").next().unwrap().to_owned())
        .collect();
    assert_eq!(heads, ["/run/scratch/p.toml:6:8", "/run/scratch/p.toml:7:7", "/run/scratch/p.toml:8:1"]);
    assert_eq!(check(&host, POLICY).ok(), "ok: 1 rule in 1 file\n");
}

#[test]
fn explain_says_when_another_policy_is_in_force() {
    let host = host();
    let explain = || host.tool(&["policy", "explain", "--who=user:alice", "Link.List", "link=v0"]);
    let ran = explain();
    assert!(ran.ok().starts_with("allowed by `links` (/etc/netbroker/policy.d/test.toml:2)"), "{ran}");
    assert!(ran.stderr().contains("netns is not given: using @host"), "{ran}");
    host.policy_file("test.toml", &POLICY.replace("v0", "v1"));
    let ran = explain();
    assert_eq!(ran.status(), 77, "{ran}");
    assert!(ran.stderr().contains("not the policy in force"), "{ran}");
    assert!(ran.stdout().contains("its `link` = \"v1\" does not permit `v0`"), "{ran}");
    set(&host).ok();
    host.sh("rm /var/lib/netbroker/policy");
    assert!(explain().stderr().contains("no policy is in force"));
    for (who, hint) in [
        ("alice", "did you mean `user:alice`?"),
        ("%users", "it names a group, which is given as `--group group:users`"),
        ("group:users", "it names a group, which is given as `--group group:users`"),
        ("*", "`explain` is about one caller, not about everybody"),
        ("", "it is empty"),
        ("1000", "did you mean `uid:1000`?"),
        ("usr:alice", "did you mean `user:alice`?"),
        ("uid:alice", "did you mean `user:alice`?"),
        ("us\u{435}r:alice", "it contains `\u{435}` (U+0435)"),
    ] {
        let ran = host.tool(&["policy", "explain", "--who", who, "Link.List"]);
        assert!(ran.status() == 65 && ran.stderr().contains(hint), "{who}: {hint}: {ran}");
    }
    let unknown = host.tool(&["policy", "explain", "--who=user:nosuchuser", "Link.List"]);
    assert_eq!(unknown.status(), 65, "{unknown}");
}
