// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every way to start the broker gives the same answers. Callers who use none of them learn what is missing, in the
//! interface of the requested method, and nothing changes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::{ALICE, BROKER, CALLERS, Caller, Host, NETBROKER, Reply, Way};
use serde_json::{Value, json};

const POLICY: &str = r#"
[[allow]]
id = "links"
who = "*"
call = ["Link.Set", "Link.List"]
netns = "@host"
link = "v0"
mtu = "1280..1500"

[[allow]]
id = "namespaces"
who = "*"
call = ["Netns.Add", "Netns.Delete"]
netns = "w-*"

[[deny]]
id = "small"
who = "*"
call = "Link.Set"
mtu = 1300
"#;

/// A host with a link to change, and the policy.
fn host(way: Way) -> Host {
    let host = Host::builder().way(way).build();
    host.policy(POLICY);
    host.ip("link add v0 type veth peer name v1");
    host
}

fn set_mtu(caller: &Caller<'_>, mtu: u32) -> Reply {
    caller.call("Link.Set", json!({"netns": "@host", "link": "v0", "mtu": mtu}))
}

/// Asserts that the call is refused as not privileged, and names what is missing and one thing that helps.
fn lacks(reply: &Reply, missing: &str) {
    assert_eq!(reply.error(), "io.netbroker.Link.NotPrivileged", "{missing}: {reply}");
    assert!(reply.get("missing").as_str().unwrap().contains(missing), "{missing}: {reply}");
    let hint = reply.get("hint").as_str().unwrap().to_owned();
    let helps =
        ["setuid bit", "sudo netbroker", "--peer", "nosuid", "bounding set", "/run", "call as ", "systemd-tmpfiles"];
    assert!(helps.iter().any(|help| hint.contains(help)), "{hint}");
    assert_eq!(reply.get("request").as_str().unwrap().len(), 32, "{reply}");
    assert_eq!(reply.stderr(), "", "what is answered is not told on descriptor 2 as well: {reply}");
}

/// Asserts that nothing that `what` does changes anything, and that nothing permitted is recorded.
fn unchanged(host: &Host, what: impl FnOnce()) {
    let before = host.snapshot(&[]);
    what();
    assert_eq!(host.snapshot(&[]), before);
    assert!(host.trail_where("NETBROKER_EVENT", "permitted").is_empty());
}

/// An answer without the parts that differ between processes.
fn answer(reply: &Reply) -> Value {
    let message = reply.messages().pop().unwrap();
    let mut parameters = message["parameters"].clone();
    parameters.as_object_mut().unwrap().remove("request");
    if let Some(links) = parameters.get_mut("links").and_then(Value::as_array_mut) {
        links
            .iter_mut()
            .for_each(|link| *link = json!({"link": link["link"], "mtu": link["mtu"], "kind": link["kind"]}));
    }
    json!([reply.status(), message.get("error"), parameters])
}

fn all_calls(host: &Host) -> Vec<Value> {
    let caller = host.caller();
    let mut answers: Vec<Value> = [1400, 9000, 1300].into_iter().map(|mtu| answer(&set_mtu(&caller, mtu))).collect();
    for (method, parameters) in [
        ("Link.List", json!({"netns": "@host", "link": "v0"})),
        ("Link.Set", json!({"netns": "@host", "link": "v0", "mtu": "1400"})),
        ("Netns.Add", json!({"netns": "w-1"})),
        ("Netns.Add", json!({"netns": "w-1"})),
        ("Netns.Delete", json!({"netns": "w-1"})),
    ] {
        answers.push(answer(&caller.call(method, parameters)));
        if method == "Netns.Add" {
            assert_eq!(host.ip("netns list"), "w-1\n");
        }
    }
    assert_eq!(host.ip("netns list"), "");
    assert_eq!(host.sh("cat /sys/class/net/v0/mtu"), "1400\n");
    answers
}

#[test]
fn every_way_in_gives_the_same_answers_and_the_trail_names_the_caller_and_the_way() {
    let mut all = Vec::new();
    for (way, word) in Way::ALL.into_iter().zip(["exec", "exec", "sudo", "root"]) {
        let host = host(way.clone());
        all.push(all_calls(&host));
        let id = if way == Way::Root { "0".to_owned() } else { ALICE.to_string() };
        let trail = host.trail();
        assert_eq!(trail.len(), 13, "{trail:#?}"); // 3 refused, 5 permitted with their outcomes
        for record in trail {
            let told = ["UID", "GID", "WAY"].map(|name| record.field(&format!("NETBROKER_{name}")).to_owned());
            assert_eq!((record.uid, told), (NETBROKER, [id.clone(), id.clone(), word.to_owned()]), "{way:?}");
        }
    }
    let brief: Vec<String> = all[0].iter().map(|a| format!("{} {}", a[0], a[1].as_str().unwrap_or("done"))).collect();
    let expected = [
        "0 done",
        "77 io.netbroker.Link.Denied",
        "77 io.netbroker.Link.Denied",
        "0 done",
        "65 io.netbroker.Link.InvalidRequest",
        "0 done",
        "1 io.netbroker.Netns.AlreadyExists",
        "0 done",
    ];
    assert_eq!(brief, expected);
    assert_eq!(all[0][3][2]["links"], json!([{"link": "v0", "mtu": 1400, "kind": "veth"}]));
    assert!(all.iter().all(|answers| *answers == all[0]), "{all:#?}");
}

#[test]
fn what_switches_the_bits_off_is_named() {
    let host = host(Way::Setuid);
    unchanged(&host, || {
        for way in [Way::Setuid, Way::FileCapabilities] {
            host.install(way);
            let refused = set_mtu(&host.caller().no_new_privs(), 1400);
            lacks(&refused, "no_new_privs");
            let hint = refused.get("hint");
            assert!(hint.as_str().unwrap().contains("/run/netbroker/socket"), "the packages' default: {hint}");
            host.sh("mount -o remount,nosuid /usr/libexec");
            lacks(&set_mtu(&host.caller(), 1400), "nosuid");
            host.sh("mount -o remount,suid /usr/libexec");
        }
        host.install(Way::Installed { mode: 0o755, capabilities: None });
        lacks(&set_mtu(&host.caller(), 1400), "cap_net_admin, cap_sys_admin, cap_setuid, cap_setgid");
    });
}

#[test]
fn each_capability_that_the_file_lacks_is_named() {
    let lacking = [
        ("cap_net_admin", "cap_sys_admin,cap_setuid,cap_setgid,cap_dac_override=p"),
        ("cap_sys_admin", "cap_net_admin,cap_setuid,cap_setgid,cap_dac_override=p"),
        ("cap_setuid", "cap_net_admin,cap_sys_admin,cap_setgid,cap_dac_override=p"),
        ("cap_setgid", "cap_net_admin,cap_sys_admin,cap_setuid,cap_dac_override=p"),
    ];
    let host = host(Way::Setuid);
    unchanged(&host, || {
        for (missing, rest) in lacking {
            host.install(Way::Installed { mode: 0o750, capabilities: Some(rest) });
            let reply = set_mtu(&host.caller(), 1400);
            lacks(&reply, missing);
            assert_eq!(reply.get("missing"), *missing);
        }
    });
}

#[test]
fn without_dac_override_a_namespace_cannot_be_made_and_a_link_can_be_set() {
    let host = host(Way::Setuid);
    let capabilities = Some("cap_net_admin,cap_sys_admin,cap_setuid,cap_setgid=p");
    host.install(Way::Installed { mode: 0o750, capabilities });
    let before = host.snapshot(&[]);
    let reply = host.caller().call("Netns.Add", json!({"netns": "w-1"}));
    assert_eq!(reply.error(), "io.netbroker.Netns.NotPrivileged");
    assert!(reply.get("missing").as_str().unwrap().contains("cap_dac_override"), "{reply}");
    assert_eq!(host.snapshot(&[]), before);
    set_mtu(&host.caller(), 1400).ok();
    assert_eq!(host.sh("cat /sys/class/net/v0/mtu"), "1400\n");
}

#[test]
fn each_capability_that_the_bounding_set_lacks_is_named() {
    let host = host(Way::Setuid);
    unchanged(&host, || {
        for way in [Way::Setuid, Way::FileCapabilities] {
            host.install(way);
            for missing in ["net_admin", "sys_admin", "setuid", "setgid"] {
                let caller = host.caller().setpriv(&[&format!("--bounding-set=-{missing}")]);
                lacks(&set_mtu(&caller, 1400), &format!("cap_{missing}"));
            }
        }
        host.install(Way::Root);
        for missing in ["net_admin", "sys_admin"] {
            let caller = host.caller().setpriv(&[&format!("--bounding-set=-{missing}")]);
            lacks(&set_mtu(&caller, 1400), &format!("cap_{missing}"));
        }
        // Root that cannot change its ids stays root. Then the broker reads no byte, and only descriptor 2 shows why.
        for missing in ["setuid", "setgid"] {
            let reply = set_mtu(&host.caller().setpriv(&[&format!("--bounding-set=-{missing}")]), 1400);
            assert_eq!(reply.status(), 69, "{reply}");
            assert!(reply.stderr().contains(&format!("missing=cap_{missing}")), "{reply}");
        }
    });
}

#[test]
fn in_a_user_namespace_of_the_callers_nothing_is_done() {
    let host = host(Way::Setuid);
    unchanged(&host, || {
        for way in [Way::Setuid, Way::FileCapabilities, Way::Root] {
            host.install(way.clone());
            let alice = if way == Way::Root { host.as_uid(ALICE).groups(&[]) } else { host.as_uid(ALICE) };
            for options in [&[][..], &["--map-root-user"], &["--map-current-user"]] {
                let reply = set_mtu(&alice.clone().in_user_namespace(options), 1400);
                lacks(&reply, "a user namespace that maps every id to itself");
            }
        }
        // As sudo would start it there, and as the machine's root with a map of its own.
        let as_sudo = host.as_uid(ALICE).env("SUDO_UID", "0").env("SUDO_GID", "0");
        lacks(&set_mtu(&as_sudo.in_user_namespace(&["--map-root-user"]), 1400), "a user namespace");
        lacks(&set_mtu(&host.as_root().in_user_namespace(&["--map-root-user"]), 1400), "a user namespace");
    });
}

/// The number of a process's user namespace is in the text of a link. Neither a descriptor of another namespace nor a
/// mount can stand in for that text.
#[test]
fn a_user_namespace_that_passes_itself_off_as_the_initial_one_is_none() {
    let host = host(Way::Setuid);
    let covers = [
        // The whole directory, with the initial namespace bound to the name.
        "mount -t tmpfs none /proc/$$/ns; touch /proc/$$/ns/user; mount --bind /proc/self/fd/9 /proc/$$/ns/user",
        // The same with a link of that text.
        "mount -t tmpfs none /proc/$$/ns; ln -s 'user:[4026531837]' /proc/$$/ns/user",
        // The directory of a process in the initial namespace.
        "mount --bind /proc/1/ns /proc/$$/ns",
        // The link alone, where the kernel lets something be mounted on one.
        r#"perl -MFcntl -e 'sysopen my $on, "/proc/'$$'/ns/user", 010000000 | O_NOFOLLOW or die; $^F = 99;
            my ($from, $to) = ("/proc/self/fd/9", "/proc/self/fd/" . fileno $on);
            syscall 165, $from, $to, 0, 4096, 0'"#,
    ];
    unchanged(&host, || {
        for way in [Way::Setuid, Way::FileCapabilities, Way::Root] {
            host.install(way.clone());
            let alice = if way == Way::Root { host.as_uid(ALICE).groups(&[]) } else { host.as_uid(ALICE) };
            for cover in covers {
                let outside = format!(
                    "exec 9</proc/self/ns/user; exec unshare --user --map-root-user --mount sh -euc '{}; exec \"$@\"' sh \"$@\"",
                    cover.replace('\'', r"'\''")
                );
                let reply = set_mtu(&alice.clone().prefix(&["sh", "-euc", &outside, "sh"]), 1400);
                lacks(&reply, "a user namespace that maps every id to itself");
            }
        }
    });
}

#[test]
fn the_system_user_is_named_by_a_directory_of_its_own() {
    let host = host(Way::Setuid);
    let link = "rmdir /run/netbroker; install -d -o netbroker -g netbroker /run/other; ln -s other /run/netbroker";
    let cases = [
        ("chmod 0775 /run/netbroker", "mode 0755"),
        ("chmod 0700 /run/netbroker", "mode 0755"),
        ("chmod 1755 /run/netbroker", "mode 0755"),
        ("chown root /run/netbroker", "belongs to the user and group netbroker"),
        ("chgrp root /run/netbroker", "belongs to the user and group netbroker"),
        ("chown 65534 /run/netbroker", "belongs to the user and group netbroker"),
        ("chgrp 65534 /run/netbroker", "belongs to the user and group netbroker"),
        ("chown alice /run/netbroker", "a caller other than"),
        ("chgrp alice /run/netbroker", "a caller other than"),
        ("chgrp netbroker-callers /run/netbroker", "a caller other than"),
        ("chmod 0757 /run", "a /run that belongs to root"),
        ("chmod 0775 /run", "a /run that belongs to root"),
        ("chown netbroker /run", "a /run that belongs to root"),
        ("rmdir /run/netbroker", "/run/netbroker"),
        ("rmdir /run/netbroker; touch /run/netbroker; chown netbroker:netbroker /run/netbroker", "is a directory"),
        (link, "is a directory"),
    ];
    unchanged(&host, || {
        for (script, missing) in cases {
            host.sh(script);
            for way in [Way::Setuid, Way::FileCapabilities] {
                host.install(way);
                lacks(&set_mtu(&host.caller(), 1400), missing);
            }
            host.sh("rm -rf /run/netbroker; install -d -m 755 -o netbroker -g netbroker /run/netbroker; \
                     chmod 755 /run; chown root /run");
        }
    });
    set_mtu(&host.caller(), 1400).ok();
}

#[test]
fn nobody_is_no_caller() {
    let host = host(Way::Setuid);
    unchanged(&host, || {
        lacks(&set_mtu(&host.as_uid(65534), 1400), "stands for nobody");
        lacks(&set_mtu(&host.as_uid(ALICE).gid(65534), 1400), "stands for nobody");
        host.install(Way::Root);
        for uid in ["65534", "4294967295"] {
            lacks(&set_mtu(&host.as_root().env("SUDO_UID", uid).env("SUDO_GID", "1000"), 1400), "stands for nobody");
            lacks(&set_mtu(&host.as_root().env("SUDO_UID", "1000").env("SUDO_GID", uid), 1400), "stands for nobody");
        }
        host.install(Way::Installed { mode: 0o4755, capabilities: None });
        lacks(&set_mtu(&host.as_uid(NETBROKER), 1400), "a caller other than the user and group netbroker");
    });
}

#[test]
fn behind_real_uid_0_the_way_must_be_stated() {
    let host = host(Way::Root);
    let alice = ALICE.to_string();
    unchanged(&host, || {
        let cases: [(&[(&str, &str)], &str); 10] = [
            (&[("SUDO_UID", &alice)], "SUDO_GID"),
            (&[("SUDO_GID", &alice)], "SUDO_UID"),
            (&[("SUDO_UID", "alice"), ("SUDO_GID", &alice)], "is not a number"),
            (&[("SUDO_UID", ""), ("SUDO_GID", &alice)], "is not a number"),
            (&[("SUDO_UID", &alice), ("SUDO_GID", "+7")], "is not a number"),
            (&[("SUDO_UID", "-1"), ("SUDO_GID", &alice)], "is not a number"),
            (&[("SUDO_UID", "4294967296"), ("SUDO_GID", &alice)], "is not a number"),
            (&[("DOAS_USER", "alice")], "doas"),
            (&[("PKEXEC_UID", &alice)], "pkexec"),
            (&[("DOAS_USER", ""), ("SUDO_UID", &alice), ("SUDO_GID", &alice)], "doas"),
        ];
        for (variables, missing) in cases {
            let caller = variables.iter().fold(host.as_root(), |caller, (name, value)| caller.env(name, value));
            lacks(&set_mtu(&caller, 1400), missing);
        }
    });
}

#[test]
fn a_caller_cannot_say_by_its_environment_who_it_is() {
    let host = host(Way::Setuid);
    let variables = [("SUDO_UID", "0"), ("SUDO_GID", "x"), ("DOAS_USER", "root"), ("PKEXEC_UID", "0")];
    for way in [Way::Setuid, Way::FileCapabilities, Way::Sudo] {
        host.install(way);
        let caller = variables.iter().fold(host.caller(), |caller, (name, value)| caller.env(name, value));
        set_mtu(&caller, 1400).ok();
    }
    for record in host.trail() {
        assert_eq!((record.field("NETBROKER_UID"), record.field("NETBROKER_GID")), ("64123", "64123"));
    }
    assert_eq!(host.trail().len(), 6);
}

#[test]
fn the_command_line_has_three_words() {
    let host = host(Way::Setuid);
    for caller in [host.caller(), host.as_root()] {
        let said = |words: &[&str]| {
            let reply = caller.clone().args(words).raw(b"");
            (reply.status(), String::from_utf8_lossy(reply.stdout()).into_owned(), reply.stderr())
        };
        assert_eq!(said(&["--version"]), (0, format!("netbroker {}\n", env!("CARGO_PKG_VERSION")), String::new()));
        let (status, usage, silent) = said(&["--help"]);
        assert!(status == 0 && usage.starts_with("usage: netbroker") && silent.is_empty(), "{usage}");
        for words in [&["--unknown"][..], &["--peer", "--peer"], &["--version", "x"], &[""], &["Link.Set"]] {
            assert_eq!(said(words), (65, String::new(), usage.clone()), "{words:?}");
        }
    }
    assert!(host.trail().is_empty());
}

#[test]
fn a_user_outside_the_callers_group_cannot_start_the_broker() {
    let host = host(Way::Setuid);
    for way in [Way::Setuid, Way::FileCapabilities] {
        host.install(way);
        let stranger = set_mtu(&host.as_uid(ALICE).groups(&[]), 1400);
        assert_eq!(stranger.status(), 126, "{stranger}");
        set_mtu(&host.as_uid(ALICE).groups(&[CALLERS]), 1400).ok();
    }
    assert_eq!(host.sh(&format!("stat -c %A {BROKER}")), "-rwxr-x---\n");
}
