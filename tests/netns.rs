// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Netns.*`: the same names, files and mounts as `ip netns`; what is not a namespace is distinguished from one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{EVERYTHING, open_host as host};
use common::{BOB, Host, Reply, Way};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn call(host: &Host, verb: &str, netns: &str) -> Reply {
    host.caller().call(&format!("Netns.{verb}"), json!({ "netns": netns }))
}

/// What `Netns.List` returns, as pairs of name and readiness.
fn listed(host: &Host) -> Vec<(String, bool)> {
    let reply = call(host, "List", "@host");
    let entries = reply.ok()["namespaces"].as_array().unwrap().clone();
    entries.iter().map(|e| (e["netns"].as_str().unwrap().to_owned(), e["ready"].as_bool().unwrap())).collect()
}

/// The last word of the error, and its parameters without the id in the trail.
fn refused(reply: &Reply) -> (String, Value) {
    let mut parameters = reply.parameters();
    parameters.as_object_mut().unwrap().remove("request").expect("every error carries its id");
    (reply.error().strip_prefix("io.netbroker.").unwrap().to_owned(), parameters)
}

fn no_such(reason: &str, name: &str) -> Value {
    let (errno, errno_name) = match reason {
        "absent" => (2, "ENOENT"),
        "symbolic_link" => (40, "ELOOP"),
        _ => (22, "EINVAL"),
    };
    json!({"field": "netns", "name": name, "reason": reason, "errno": errno, "errno_name": errno_name})
}

/// The mount points under /run/netns, and /run/netns itself.
fn mount_points(host: &Host) -> Vec<String> {
    let points = host.sh("awk '$5 ~ \"^/run/netns\" { print $5, $7 }' /proc/self/mountinfo");
    points.lines().map(str::to_owned).collect()
}

#[test]
fn a_namespace_of_the_brokers_is_one_of_iproute2s() {
    let host = host();
    assert_eq!(call(&host, "Add", "mine").ok(), json!({}));
    host.ip("netns add theirs");
    assert_eq!(listed(&host), [("mine".to_owned(), true), ("theirs".to_owned(), true)]);
    let mut names: Vec<String> =
        host.ip("netns list").lines().map(|l| l.split(' ').next().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["mine", "theirs"]);

    let inside =
        |netns| host.ip(&format!("netns exec {netns} ip -br link")).split_whitespace().take(2).collect::<String>();
    assert_eq!((inside("mine"), inside("theirs")), ("loDOWN".to_owned(), "loDOWN".to_owned()));
    let stat = |netns| host.sh(&format!("stat -f -c %t /run/netns/{netns}; stat -c '%U:%G %a' /run/netns/{netns}"));
    assert_eq!(stat("mine"), stat("theirs"));
    assert_eq!(stat("mine").lines().next(), Some("6e736673"), "no nsfs is mounted there");
    let inode = |path: &str| host.sh(&format!("stat -L -c %i {path}"));
    assert_ne!(inode("/run/netns/mine"), inode("/proc/self/ns/net"));
    let points = mount_points(&host);
    assert_eq!(points.len(), 3, "{points:?}");
    assert!(points.iter().all(|point| point.contains(" shared:")), "{points:?}");

    assert_eq!(call(&host, "Delete", "theirs").ok(), json!({}));
    host.ip("netns delete mine");
    assert!(listed(&host).is_empty() && host.ip("netns list").is_empty());
    assert_eq!(host.sh("ls -A /run/netns"), "");
    assert_eq!(mount_points(&host).len(), 1);
}

#[test]
fn a_process_that_was_there_before_sees_a_new_namespace_and_its_end() {
    let host = host();
    host.sh("mount --make-shared /run"); // as systemd leaves it
    let here = fs::read_link("/proc/thread-self/ns/mnt").unwrap();
    let before = host.background("exec unshare -m --propagation unchanged sleep 1000");
    let ready = format!("/proc/{}/", before.pid());
    host.sh(&format!("until grep -q sleep {ready}comm; do sleep 0.01; done"));
    assert_ne!(fs::read_link(format!("{ready}ns/mnt")).unwrap(), here);

    call(&host, "Add", "new").ok();
    let there = |words: &str| host.sh(&format!("nsenter -t {} -m {words}", before.pid()));
    assert_eq!(there("stat -f -c %t /run/netns/new"), "6e736673\n");
    assert_eq!(there("ip netns exec new ls /sys/class/net"), "lo\n");
    call(&host, "Delete", "new").ok();
    assert_eq!(there("ls -A /run/netns"), "");
}

#[test]
fn a_left_over_file_is_told_apart_and_taken_away() {
    let host = host();
    host.ip("netns add whole");
    host.sh("touch /run/netns/left; chmod 000 /run/netns/left");
    for caller in [host.caller(), host.as_uid(BOB)] {
        assert_eq!(caller.call("Netns.Get", json!({"netns": "left"})).ok(), json!({"ready": false}));
        assert_eq!(caller.call("Netns.Get", json!({"netns": "whole"})).ok(), json!({"ready": true}));
        let reply = caller.call("Link.List", json!({"netns": "left"}));
        assert_eq!(refused(&reply), ("Link.NoSuchNetns".to_owned(), no_such("not_a_namespace", "left")));
        let reply = caller.call("Address.List", json!({"netns": "left"}));
        assert_eq!(refused(&reply), ("Address.NoSuchNetns".to_owned(), no_such("not_a_namespace", "left")));
    }
    assert_eq!(listed(&host), [("left".to_owned(), false), ("whole".to_owned(), true)]);

    let before = host.snapshot(&["whole"]);
    for exists_ok in [false, true] {
        let reply = host.caller().call("Netns.Add", json!({"netns": "left", "exists_ok": exists_ok}));
        let (error, parameters) = refused(&reply);
        assert_eq!((error.as_str(), &parameters["errno"]), ("Netns.AlreadyExists", &json!(17)), "{reply}");
        assert_eq!(parameters["may_have_changed"], json!(false));
    }
    assert_eq!(host.snapshot(&["whole"]), before);
    call(&host, "Delete", "left").ok();
    assert_eq!(listed(&host), [("whole".to_owned(), true)]);
}

#[test]
fn exists_ok_keeps_the_namespace_and_missing_ok_its_absence() {
    let host = host();
    let ok = |verb: &str, field: &str| host.caller().call(&format!("Netns.{verb}"), json!({"netns": "n", field: true}));
    ok("Add", "exists_ok").ok();
    let inode = || host.sh("stat -c %i /run/netns/n");
    let first = inode();
    ok("Add", "exists_ok").ok();
    assert_eq!(inode(), first);
    let (error, parameters) = refused(&call(&host, "Add", "n"));
    assert_eq!(error, "Netns.AlreadyExists");
    assert_eq!((&parameters["errno"], &parameters["errno_name"]), (&json!(17), &json!("EEXIST")));
    assert_eq!(inode(), first);

    ok("Delete", "missing_ok").ok();
    ok("Delete", "missing_ok").ok();
    assert_eq!(refused(&call(&host, "Delete", "n")), ("Netns.NoSuchNetns".to_owned(), no_such("absent", "n")));
    assert_eq!(refused(&call(&host, "Get", "n")), ("Netns.NoSuchNetns".to_owned(), no_such("absent", "n")));
}

#[test]
fn the_number_of_a_namespace_is_the_hosts_for_it() {
    let host = host();
    let (a, b) = host.twins();
    host.ip(&format!("netns set {a} 7"));
    host.ip_in(b, "netns set a 3"); // b's number for a differs from the host's
    let told: Value = serde_json::from_str(&host.ip("-j netns list")).unwrap();
    for entry in told.as_array().unwrap() {
        let mut expected = json!({"ready": true});
        if let Some(id) = entry.get("id") {
            expected["nsid"] = id.clone();
        }
        assert_eq!(call(&host, "Get", entry["name"].as_str().unwrap()).ok(), expected, "{told}");
    }
    assert_eq!(call(&host, "Get", a).ok(), json!({"ready": true, "nsid": 7}));
    assert_eq!(call(&host, "Get", b).ok(), json!({"ready": true}));
    assert_eq!(call(&host, "Get", "@host").ok(), json!({"ready": true}));
}

#[test]
fn a_namespace_of_another_type_is_told_by_the_field_that_names_it() {
    let host = host();
    host.ip("netns add a");
    host.ip_in("a", "link add v0 type veth peer name v1");
    for other in ["uts", "ipc"] {
        host.sh(&format!("touch /run/netns/{other} && mount --bind /proc/self/ns/{other} /run/netns/{other}"));
    }
    let before = host.snapshot(&["a"]);
    let from = |netns: &str| json!({"netns": netns, "link": "v0", "target_netns": "uts"});
    let pair =
        |netns: &str| json!({"netns": netns, "link": "w0", "kind": "veth", "peer": {"name": "w1", "netns": "uts"}});
    for (method, parameters, field) in [
        ("Link.List", json!({"netns": "uts"}), "netns"),
        ("Netns.Get", json!({"netns": "uts"}), "netns"),
        ("Link.Set", from("a"), "target_netns"),
        ("Link.Add", pair("a"), "peer.netns"),
        ("Link.Add", pair("@host"), "peer.netns"),
    ] {
        let reply = host.caller().call(method, parameters);
        let expected =
            json!({"field": field, "name": "uts", "reason": "not_a_namespace", "errno": 22, "errno_name": "EINVAL"});
        assert_eq!(refused(&reply).1, expected, "{method}");
    }
    for verb in ["Get", "Delete"] {
        assert_eq!(
            refused(&call(&host, verb, "ipc")),
            ("Netns.NoSuchNetns".to_owned(), no_such("not_a_namespace", "ipc"))
        );
    }
    assert_eq!(host.snapshot(&["a"]), before);
}

#[test]
fn a_symbolic_link_is_no_namespace_and_its_target_stays() {
    let host = host();
    host.ip("netns add real");
    host.sh("ln -s /run/netns/real /run/netns/sym; ln -s /proc/1/ns/net /run/netns/first");
    for name in ["sym", "first"] {
        let reply = host.caller().call("Link.List", json!({ "netns": name }));
        assert_eq!(refused(&reply).1, no_such("symbolic_link", name));
        let reply = host.caller().call("Link.Add", json!({"netns": name, "link": "br0", "kind": "bridge"}));
        assert_eq!(refused(&reply).1, no_such("symbolic_link", name));
        assert_eq!(refused(&call(&host, "Get", name)).1, no_such("symbolic_link", name));
        let reply = host.caller().call("Netns.Set", json!({"netns": name, "nsid": 7}));
        assert_eq!(refused(&reply).1, no_such("symbolic_link", name));
        assert_eq!(refused(&call(&host, "Add", name)).0, "Netns.AlreadyExists");
    }
    let names = [("first", false), ("real", true), ("sym", false)].map(|(n, ready)| (n.to_owned(), ready));
    assert_eq!(listed(&host), names);
    let before = host.snapshot(&["real"]);
    assert_eq!(refused(&call(&host, "Delete", "sym")).1, no_such("symbolic_link", "sym"));
    assert_eq!(host.snapshot(&["real"]), before);
    assert_eq!(call(&host, "Get", "real").ok(), json!({"ready": true}));
}

#[test]
fn delete_removes_namespaces_and_left_over_plain_files_and_nothing_else() {
    let host = host();
    host.ip("netns add real");
    host.sh("cd /run/netns; ln -s real link; ln -s /nowhere dangling; mkfifo fifo; mknod zero c 1 5; mkdir directory;
        perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un(\"socket\"))';
        touch uts ipc file stacked; mount --bind /proc/self/ns/uts uts; mount --bind /proc/self/ns/ipc ipc;
        mount --bind /etc/passwd file; mount --bind /proc/self/ns/uts stacked;
        unshare -n mount --bind /proc/self/ns/net stacked");
    let others = ["link", "dangling", "fifo", "zero", "directory", "socket", "uts", "ipc", "file", "stacked"];
    let picture = |host: &Host| (host.snapshot(&["real"]), mount_points(host), host.sh("ls -l /run/netns"));
    let before = picture(&host);
    for name in others {
        let reason = if ["link", "dangling"].contains(&name) { "symbolic_link" } else { "not_a_namespace" };
        if !["file", "stacked"].contains(&name) {
            let (error, parameters) = refused(&call(&host, "Get", name));
            assert_eq!((error.as_str(), &parameters["reason"]), ("Netns.NoSuchNetns", &json!(reason)), "{name}");
        }
        for fields in [json!({"netns": name}), json!({"netns": name, "missing_ok": true})] {
            let (error, parameters) = refused(&host.caller().call("Netns.Delete", fields));
            assert_eq!((error.as_str(), &parameters["reason"]), ("Netns.NoSuchNetns", &json!(reason)), "{name}");
        }
        for fields in [json!({"netns": name}), json!({"netns": name, "exists_ok": true})] {
            let since = std::time::Instant::now();
            let reply = host.caller().call("Netns.Add", fields);
            assert_eq!(refused(&reply).0, "Netns.AlreadyExists", "{name}");
            assert!(reply.get("message").as_str().unwrap().contains("the name"), "{reply}");
            assert!(since.elapsed() < std::time::Duration::from_millis(900), "{name}: it is not waited for");
        }
    }
    assert_eq!(picture(&host), before);
    for name in ["real", "left"] {
        host.sh("touch /run/netns/left");
        call(&host, "Delete", name).ok();
    }
    call(&host, "Get", "stacked").ok(); // for every other call, a network namespace over something else is one
    assert_eq!(host.sh("cd /run/netns; echo *"), "dangling directory fifo file ipc link socket stacked uts zero\n");
}

#[test]
fn names_that_are_none_are_refused() {
    let host = host();
    host.ip("netns add real");
    let before = host.snapshot(&["real"]);
    let long = "n".repeat(256);
    for name in ["..", ".", "a/b", "/run/netns/real", "../netns/real", "", "@self", "real ", "re*l", "r\0", &long] {
        for verb in ["Add", "Delete", "Get"] {
            let (error, parameters) = refused(&call(&host, verb, name));
            assert_eq!(
                (error.as_str(), &parameters["field"]),
                ("Netns.InvalidRequest", &json!("netns")),
                "{verb} {name}"
            );
        }
    }
    for (verb, name) in [("Add", "@host"), ("Delete", "@host"), ("List", "real")] {
        let (error, parameters) = refused(&call(&host, verb, name));
        assert_eq!((error.as_str(), &parameters["field"]), ("Netns.InvalidRequest", &json!("netns")), "{verb} {name}");
    }
    assert_eq!(host.snapshot(&["real"]), before);
}

#[test]
fn a_name_of_255_bytes_works() {
    let host = host();
    let name = "n".repeat(255);
    call(&host, "Add", &name).ok();
    assert_eq!(call(&host, "Get", &name).ok(), json!({"ready": true}));
    assert_eq!(listed(&host), [(name.clone(), true)]);
    host.caller().call("Link.Add", json!({"netns": name, "link": "br0", "kind": "bridge"})).ok();
    assert!(host.sh(&format!("nsenter --net=/run/netns/{name} ip -o link")).contains("br0"));
    call(&host, "Delete", &name).ok();
    assert!(listed(&host).is_empty());
}

#[test]
fn the_hosts_own_namespace_has_no_other_name() {
    for way in Way::ALL {
        let host = Host::builder().way(way.clone()).build();
        host.policy(EVERYTHING);
        host.sh("touch /run/netns/own; mount --bind /proc/self/ns/net /run/netns/own");
        host.ip("link add eth0 type bridge");
        let before = host.snapshot(&[]);
        for (method, field, parameters) in naming("own") {
            let reply = host.caller().call(method, parameters);
            let (error, parameters) = refused(&reply);
            assert!(error.ends_with(".KernelRefused") && parameters["field"] == json!(field), "{way:?} {reply}");
        }
        assert_eq!(host.snapshot(&[]), before, "{way:?}");
    }
}

#[test]
fn the_namespace_of_pid_1_has_no_other_name_where_it_can_be_looked_up() {
    for way in [Way::Setuid, Way::Sudo, Way::Root] {
        let host = Host::builder().way(way.clone()).build();
        host.policy(EVERYTHING);
        host.sh("touch /run/netns/one; mount --bind /proc/self/ns/net /run/netns/one; ip netns add caller");
        host.ip("-n caller link add eth0 type bridge");
        // A shell is pid 1 of a process namespace, in the host's network namespace. The caller is in another one.
        let script = "nsenter --net=/run/netns/caller \"$@\"; exit $?";
        let apart = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", script, "sh"];
        let before = host.snapshot(&["caller"]);
        for (method, field, parameters) in naming("one") {
            let reply = host.caller().under(&apart).call(method, parameters);
            let (error, parameters) = refused(&reply);
            assert!(error.ends_with(".KernelRefused") && parameters["field"] == json!(field), "{way:?} {reply}");
            assert!(parameters["message"].as_str().unwrap().contains("pid 1"), "{way:?} {reply}");
        }
        assert_eq!(host.snapshot(&["caller"]), before, "{way:?}");
    }
}

/// A call for each field that names a namespace, with the field.
fn naming(name: &str) -> Vec<(&'static str, &'static str, Value)> {
    let veth = json!({"netns": "@host", "link": "v0", "kind": "veth", "peer": {"name": "v1", "netns": name}});
    vec![
        ("Netns.Delete", "netns", json!({ "netns": name })),
        ("Netns.Get", "netns", json!({ "netns": name })),
        ("Link.List", "netns", json!({ "netns": name })),
        ("Link.Set", "netns", json!({"netns": name, "link": "lo", "mtu": 1400})),
        ("Address.List", "netns", json!({ "netns": name })),
        ("Link.Set", "target_netns", json!({"netns": "@host", "link": "eth0", "target_netns": name})),
        ("Link.Add", "peer.netns", veth),
    ]
}

#[test]
fn without_its_directory_nothing_is_made() {
    let host = Host::builder().no_netns_directory().build();
    host.policy(EVERYTHING);
    host.sh("rmdir /run/netns 2>/dev/null || true"); // `policy install` makes it
    for verb in ["Add", "Delete", "List"] {
        let (error, parameters) = refused(&call(&host, verb, if verb == "List" { "@host" } else { "x" }));
        assert_eq!((error.as_str(), &parameters["errno"]), ("Netns.SystemError", &json!(2)), "{verb}");
        assert!(parameters["step"].as_str().unwrap().contains("/run/netns"), "{parameters}");
    }
    assert_eq!(refused(&call(&host, "Get", "x")).1, no_such("absent", "x"));
    let reply = host.caller().call("Link.List", json!({"netns": "x"}));
    assert_eq!(refused(&reply).1, no_such("absent", "x"));
    assert_eq!(host.caller().call("Link.List", json!({"netns": "@host"})).ok()["links"][0]["link"], "lo");
    assert!(!Path::new("/run/netns").exists());
}

#[test]
fn a_number_is_set_and_listed_as_iproute2_does() {
    let host = host();
    let (a, b) = host.twins();
    let set = |netns: &str, nsid: u32, exists_ok: bool| {
        host.caller().call("Netns.Set", json!({"netns": netns, "nsid": nsid, "exists_ok": exists_ok}))
    };
    set(a, 7, false).ok();
    host.ip(&format!("netns set {b} 9"));
    assert_eq!(call(&host, "Get", a).ok()["nsid"], json!(7));
    let listed: Value = serde_json::from_str(&host.ip("-j netns list-id")).unwrap();
    let mut theirs: Vec<u64> = listed.as_array().unwrap().iter().map(|one| one["nsid"].as_u64().unwrap()).collect();
    theirs.sort_unstable();
    assert_eq!(call(&host, "Numbers", "@host").ok(), json!({ "nsids": theirs }));
    assert_eq!(theirs, [7, 9]);
    assert_eq!(call(&host, "Numbers", a).ok(), json!({"nsids": []}));

    set(a, 7, true).ok();
    host.ip("netns add c");
    for (netns, nsid, exists_ok, field) in [
        (a, 7, false, "netns"), // it has one
        (a, 8, false, "netns"),
        (a, 8, true, "nsid"),
        ("c", 9, false, "nsid"),
        ("c", 9, true, "nsid"),
    ] {
        let (error, parameters) = refused(&set(netns, nsid, exists_ok));
        assert_eq!((error.as_str(), &parameters["field"]), ("Netns.AlreadyExists", &json!(field)), "{parameters}");
        assert_eq!(call(&host, "Numbers", "@host").ok(), json!({"nsids": [7, 9]}));
    }
    host.sh("touch /run/netns/left /run/netns/uts; mount --bind /proc/self/ns/uts /run/netns/uts");
    for netns in ["left", "uts"] {
        assert_eq!(refused(&set(netns, 5, false)), ("Netns.NoSuchNetns".to_owned(), no_such("not_a_namespace", netns)));
    }
    assert_eq!(refused(&set("none", 5, false)).0, "Netns.NoSuchNetns");
    assert_eq!(refused(&set("@host", 5, false)).0, "Netns.InvalidRequest");
    let negative = host.caller().call("Netns.Set", json!({"netns": "c", "nsid": -1}));
    assert_eq!(refused(&negative).0, "Netns.InvalidRequest");
}
