// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Fdb.*` against its twin `bridge fdb`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{EVERYTHING, open_host};
use common::{Host, Reply};
use serde_json::{Value, json};

const MAC: &str = "02:00:00:00:00:11";
const OTHER: &str = "02:00:00:00:00:22";
const THIRD: &str = "02:00:00:00:00:33";
const ZERO: &str = "00:00:00:00:00:00";
const GROUP: &str = "01:00:5e:01:02:03";

/// Twins, each with a bridge that has the ports v0 and v1, a vxlan for one network, and a vxlan for several.
fn host() -> (Host, &'static str, &'static str) {
    let host = open_host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        for words in [
            "link add br0 type bridge",
            "link set br0 address 02:00:00:00:01:00 addrgenmode none",
            "link add v0 type veth peer name w0",
            "link add v1 type veth peer name w1",
            "link set v0 address 02:00:00:00:01:01 master br0 addrgenmode none",
            "link set v1 address 02:00:00:00:01:02 master br0 addrgenmode none",
            "link set w0 addrgenmode none up",
            "link set v0 up",
            "link set br0 up",
            "link add d0 type ifb",
            "link add x0 type vxlan id 7 dev d0 dstport 4789",
            "link set x0 addrgenmode none address 02:00:00:00:01:03",
            "link add x1 type vxlan external dstport 4790",
            "link set x1 addrgenmode none address 02:00:00:00:01:04",
        ] {
            host.ip_in(netns, words);
        }
        // A bridge that has VLANs would otherwise add each entry twice. tests/other_kernels.rs has such bridges.
        host.sh(&format!("for link in v0 v1; do bridge -n {netns} vlan del dev $link vid 1 2>/dev/null || :; done"));
    }
    (host, a, b)
}

fn act(host: &Host, verb: &str, netns: &str, fields: &Value) -> Reply {
    let mut all = json!({"netns": netns, "link": "v0", "mac": MAC});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    host.caller().call(&format!("Fdb.{verb}"), all)
}

fn bridge(host: &Host, netns: &str, words: &str) -> String {
    host.run(&["bridge", "-n", netns].into_iter().chain(words.split_whitespace()).collect::<Vec<_>>()).ok()
}

/// The entries of a namespace as iproute2 shows them, sorted.
fn entries(host: &Host, netns: &str) -> Vec<String> {
    let told: Value = serde_json::from_str(&bridge(host, netns, "-j -d fdb show")).unwrap();
    let mut all: Vec<String> = told.as_array().unwrap().iter().map(Value::to_string).collect();
    all.sort();
    all
}

#[test]
fn each_field_does_what_iproute2_does() {
    let (host, a, b) = host();
    let master = json!(["master"]);
    let steps = [
        // With the bridge.
        ("Add", json!({"targets": master}), "add MAC dev v0 master"),
        ("Replace", json!({"targets": master, "fdb_state": "static"}), "replace MAC dev v0 master static"),
        ("Replace", json!({"targets": master, "link": "v1"}), "replace MAC dev v1 master"),
        ("Delete", json!({"targets": master, "link": "v1"}), "del MAC dev v1 master"),
        (
            "Add",
            json!({"targets": master, "fdb_state": "dynamic", "sticky": true}),
            "add MAC dev v0 master dynamic sticky",
        ),
        (
            "Replace",
            json!({"targets": master, "mac": OTHER, "fdb_state": "dynamic", "extern_learn": true}),
            "replace OTHER dev v0 master dynamic extern_learn",
        ),
        ("Add", json!({"link": "br0", "mac": THIRD}), "add THIRD dev br0 self"),
        ("Delete", json!({"link": "br0", "mac": THIRD}), "del THIRD dev br0 self"),
        ("Delete", json!({"targets": master}), "del MAC dev v0 master"),
        // With the link itself.
        ("Add", json!({}), "add MAC dev v0"),
        ("Append", json!({"mac": GROUP}), "append GROUP dev v0"),
        ("Replace", json!({"mac": OTHER}), "replace OTHER dev v0"),
        ("Delete", json!({}), "del MAC dev v0"),
        ("Add", json!({"link": "v1", "mac": THIRD, "targets": ["master", "self"]}), "add THIRD dev v1 master self"),
        ("Delete", json!({"link": "v1", "mac": THIRD, "targets": ["self", "master"]}), "del THIRD dev v1 self master"),
        // With a vxlan.
        ("Add", json!({"link": "x0", "remote": "10.1.0.1"}), "add MAC dev x0 dst 10.1.0.1"),
        ("Replace", json!({"link": "x0", "remote": "10.1.0.2"}), "replace MAC dev x0 dst 10.1.0.2"),
        (
            "Replace",
            json!({"link": "x0", "remote": "10.1.0.2", "port": 1234, "vni": 9, "via": "v0", "fdb_state": "static"}),
            "replace MAC dev x0 dst 10.1.0.2 port 1234 vni 9 via v0 static",
        ),
        ("Append", json!({"link": "x0", "mac": ZERO, "remote": "10.1.0.1"}), "append ZERO dev x0 dst 10.1.0.1"),
        ("Append", json!({"link": "x0", "mac": ZERO, "remote": "10.1.0.2"}), "append ZERO dev x0 dst 10.1.0.2"),
        (
            "Append",
            json!({"link": "x0", "mac": ZERO, "remote": "10.1.0.2", "port": 1234}),
            "append ZERO dev x0 dst 10.1.0.2 port 1234",
        ),
        ("Delete", json!({"link": "x0", "mac": ZERO, "remote": "10.1.0.2"}), "del ZERO dev x0 dst 10.1.0.2"),
        ("Append", json!({"link": "x0", "mac": GROUP, "remote": "10.1.0.2"}), "append GROUP dev x0 dst 10.1.0.2"),
        (
            "Add",
            json!({"link": "x0", "mac": OTHER, "remote": "10.1.0.3", "fdb_state": "dynamic", "extern_learn": true}),
            "add OTHER dev x0 dst 10.1.0.3 dynamic extern_learn",
        ),
        ("Delete", json!({"link": "x0", "mac": ZERO}), "del ZERO dev x0"),
        ("Delete", json!({"link": "x0", "mac": OTHER}), "del OTHER dev x0"),
        (
            "Add",
            json!({"link": "x1", "remote": "10.1.0.3", "source_vni": 100, "vni": 200}),
            "add MAC dev x1 dst 10.1.0.3 src_vni 100 vni 200",
        ),
        ("Add", json!({"link": "x1", "remote": "10.1.0.3"}), "add MAC dev x1 dst 10.1.0.3"),
        ("Delete", json!({"link": "x1", "source_vni": 100}), "del MAC dev x1 src_vni 100"),
    ];
    for (verb, fields, words) in steps {
        assert_eq!(act(&host, verb, a, &fields).ok(), json!({}), "{verb} {fields}");
        let words = words
            .replace("MAC", MAC)
            .replace("OTHER", OTHER)
            .replace("ZERO", ZERO)
            .replace("GROUP", GROUP)
            .replace("THIRD", THIRD);
        bridge(&host, b, &format!("fdb {words}"));
        assert_eq!(entries(&host, a), entries(&host, b), "{verb} {fields}");
    }
}

#[test]
fn an_entry_that_exists_is_the_same_or_an_error_that_names_what_differs() {
    let (host, a, _) = host();
    let master = json!(["master"]);
    let port = json!({"targets": master, "fdb_state": "static", "sticky": true});
    let itself = json!({});
    let remote = json!({"link": "x0", "remote": "10.1.0.1", "fdb_state": "dynamic"});
    let external = json!({"link": "x1", "remote": "10.1.0.1", "source_vni": 100, "vni": 200});
    let own = json!({"link": "br0", "mac": OTHER});
    let all = [&port, &itself, &remote, &external, &own];
    for fields in all {
        act(&host, "Add", a, fields).ok();
    }
    let before = entries(&host, a);
    let with = |base: &Value, changes: Value| {
        let mut changed = base.clone();
        changed["exists_ok"] = json!(true);
        changed.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        changed
    };
    for fields in all {
        act(&host, "Add", a, &with(fields, json!({}))).ok();
        let again = act(&host, "Add", a, fields);
        assert_eq!(again.error(), "io.netbroker.Fdb.AlreadyExists", "{again}");
        assert_eq!((again.get("errno"), again.get("field")), (json!(17), json!("mac")));
        assert_eq!(again.get("may_have_changed"), json!(false));
    }
    // The kernel does not report the port and the identifier of the vxlan itself.
    act(&host, "Add", a, &with(&remote, json!({"port": 4789, "vni": 7}))).ok();
    for (base, changes, field) in [
        (&port, json!({"fdb_state": "permanent", "sticky": false}), "fdb_state"),
        (&port, json!({"sticky": false}), "sticky"),
        (&port, json!({"link": "v1"}), "link"),
        (&remote, json!({"remote": "10.1.0.2"}), "remote"),
        (&remote, json!({"port": 1234}), "port"),
        (&remote, json!({"vni": 8}), "vni"),
        (&remote, json!({"via": "d0"}), "via"),
        (&remote, json!({"fdb_state": "static"}), "fdb_state"),
        (&external, json!({"vni": 201}), "vni"),
    ] {
        let reply = act(&host, "Add", a, &with(base, changes.clone()));
        assert_eq!(reply.error(), "io.netbroker.Fdb.AlreadyExists", "{changes}: {reply}");
        assert_eq!((reply.get("field"), reply.get("may_have_changed")), (json!(field), json!(false)), "{reply}");
    }
    // One of several destinations.
    for remote in ["10.1.0.1", "10.1.0.2"] {
        act(&host, "Append", a, &json!({"link": "x0", "mac": ZERO, "remote": remote})).ok();
    }
    for remote in ["10.1.0.1", "10.1.0.2"] {
        act(&host, "Add", a, &json!({"link": "x0", "mac": ZERO, "remote": remote, "exists_ok": true})).ok();
    }
    let third = act(&host, "Add", a, &json!({"link": "x0", "mac": ZERO, "remote": "10.1.0.3", "exists_ok": true}));
    assert_eq!((third.error(), third.get("field")), ("io.netbroker.Fdb.AlreadyExists".to_owned(), json!("remote")));
    act(&host, "Delete", a, &json!({"link": "x0", "mac": ZERO})).ok();
    assert_eq!(entries(&host, a), before);
}

#[test]
fn what_is_missing_is_not_found_unless_that_is_expected() {
    let (host, a, _) = host();
    act(&host, "Add", a, &json!({"link": "x0", "remote": "10.1.0.1"})).ok();
    act(&host, "Add", a, &json!({"targets": ["master"]})).ok();
    let before = entries(&host, a);
    for fields in [
        json!({}),
        json!({"targets": ["master"], "link": "v1"}), // it is at another port
        json!({"targets": ["self", "master"], "link": "v1"}),
        json!({"link": "x0", "remote": "10.1.0.2"}),
        json!({"link": "x0", "remote": "10.1.0.1", "port": 1}),
        json!({"link": "x0", "mac": OTHER}),
        json!({"link": "br0"}),
    ] {
        let reply = act(&host, "Delete", a, &fields);
        assert_eq!(reply.error(), "io.netbroker.Fdb.NotFound", "{fields}: {reply}");
        assert_eq!((reply.get("field"), reply.get("may_have_changed")), (json!("mac"), json!(false)), "{reply}");
        let mut tolerant = fields.clone();
        tolerant["missing_ok"] = json!(true);
        act(&host, "Delete", a, &tolerant).ok();
        tolerant["link"] = json!("nosuch");
        assert_eq!(act(&host, "Delete", a, &tolerant).error(), "io.netbroker.Fdb.NoSuchLink");
    }
    assert_eq!(entries(&host, a), before);
    // Of two databases, the second one has no entry.
    let both = act(&host, "Delete", a, &json!({"targets": ["self", "master"]}));
    assert_eq!((both.error(), both.get("may_have_changed")), ("io.netbroker.Fdb.NotFound".to_owned(), json!(true)));
    act(&host, "Add", a, &json!({})).ok();
    act(&host, "Delete", a, &json!({"targets": ["self", "master"], "missing_ok": true})).ok();
    let added = act(&host, "Add", a, &json!({"link": "d0", "targets": ["self", "master"]}));
    assert_eq!((added.error(), added.get("field")), ("io.netbroker.Fdb.NotSupported".to_owned(), json!("targets")));
    assert_eq!(added.get("may_have_changed"), json!(false));
}

#[test]
fn what_the_kernel_would_ignore_or_do_to_another_entry_is_refused() {
    let (host, a, _) = host();
    act(&host, "Append", a, &json!({"link": "x0", "mac": ZERO, "remote": "10.1.0.1"})).ok();
    let before = entries(&host, a);
    let master = json!(["master"]);
    for (verb, fields, error, field) in [
        ("Add", json!({"mac": "02:00:00:00:00:00:00:01"}), "InvalidRequest", "mac"),
        ("Add", json!({"targets": ["self", "self"]}), "InvalidRequest", "targets"),
        ("Add", json!({"targets": ["self", "master", "self"]}), "InvalidRequest", "targets"),
        ("Add", json!({"targets": []}), "InvalidRequest", "targets"),
        ("Add", json!({"link": "x0", "remote": "0.0.0.0"}), "InvalidRequest", "remote"),
        ("Add", json!({"link": "x0", "port": 4789}), "InvalidRequest", "port"),
        ("Add", json!({"link": "x0"}), "KernelRefused", "remote"),
        ("Delete", json!({"link": "x0", "vni": 7}), "InvalidRequest", "vni"),
        ("Replace", json!({"link": "x0", "via": "v0"}), "InvalidRequest", "via"),
        ("Add", json!({"targets": master, "sticky": true}), "InvalidRequest", "fdb_state"),
        ("Append", json!({"link": "x0", "remote": "10.1.0.1"}), "InvalidRequest", "mac"),
        ("Replace", json!({"targets": master, "sticky": true, "extern_learn": true}), "InvalidRequest", "extern_learn"),
        ("Add", json!({"targets": master, "remote": "10.1.0.1"}), "KernelRefused", "remote"),
        ("Add", json!({"remote": "10.1.0.1"}), "KernelRefused", "remote"),
        ("Add", json!({"source_vni": 5}), "KernelRefused", "source_vni"),
        ("Add", json!({"link": "x0", "source_vni": 5}), "KernelRefused", "source_vni"),
        ("Add", json!({"vlan": 5}), "KernelRefused", "vlan"),
        ("Add", json!({"link": "x0", "vlan": 5}), "KernelRefused", "vlan"),
        ("Add", json!({"link": "x0", "sticky": true, "fdb_state": "static"}), "KernelRefused", "sticky"),
        ("Add", json!({"extern_learn": true}), "KernelRefused", "extern_learn"),
        ("Add", json!({"targets": master, "extern_learn": true}), "KernelRefused", "extern_learn"),
        ("Replace", json!({"targets": master, "extern_learn": true}), "KernelRefused", "fdb_state"),
        ("Add", json!({"fdb_state": "static"}), "KernelRefused", "fdb_state"),
        ("Add", json!({"link": "x0", "remote": "2001:db8::1"}), "KernelRefused", "remote"),
        ("Add", json!({"targets": master, "link": "v1", "fdb_state": "dynamic"}), "KernelRefused", "fdb_state"),
        ("Add", json!({"link": "d0", "targets": master}), "NotSupported", "targets"),
        ("Replace", json!({"link": "x0", "targets": master}), "NotSupported", "targets"),
        ("Replace", json!({"link": "x0", "mac": ZERO, "remote": "10.1.0.2"}), "KernelRefused", "mac"),
        ("Replace", json!({"link": "x0", "mac": GROUP, "remote": "10.1.0.2"}), "KernelRefused", "mac"),
        ("Append", json!({"link": "br0", "mac": GROUP}), "KernelRefused", "link"),
        ("Append", json!({"mac": GROUP, "targets": ["master"]}), "InvalidRequest", "targets"),
        ("Add", json!({"link": "x1", "remote": "10.1.0.1", "vni": 0}), "InvalidRequest", "vni"),
        ("Flush", json!({"link": "x1", "vni": 0}), "InvalidRequest", "vni"),
        ("Add", json!({"link": "x0", "remote": "10.1.0.1", "via": "nosuch"}), "NoSuchLink", "via"),
        ("Flush", json!({"targets": ["self"], "mac": null}), "KernelRefused", "targets"),
        ("Flush", json!({"remote": "10.1.0.1", "mac": null}), "KernelRefused", "remote"),
        ("Flush", json!({"link": "d0", "vlan": 1, "targets": ["self"]}), "KernelRefused", "targets"),
        ("Flush", json!({"link": "x0", "vlan": 1, "targets": ["self"]}), "KernelRefused", "vlan"),
    ] {
        let reply = act(&host, verb, a, &fields);
        assert_eq!(reply.error(), format!("io.netbroker.Fdb.{error}"), "{verb} {fields}: {reply}");
        assert_eq!(reply.get("field"), json!(field), "{verb} {fields}: {reply}");
        assert_eq!(entries(&host, a), before, "{verb} {fields}: {reply}");
    }
    // The vxlan sends in the other namespace, where the index of `via` would be that of another link.
    host.ip_in(a, "link add x9 type vxlan id 9 dstport 4799");
    host.ip_in(a, "link set x9 netns b");
    let reply = act(&host, "Add", "b", &json!({"link": "x9", "remote": "10.1.0.1", "via": "v0"}));
    assert_eq!((reply.error(), reply.get("field")), ("io.netbroker.Fdb.KernelRefused".to_owned(), json!("via")));
}

/// The entries that `Fdb.List` reports, without times, sorted.
fn listed(host: &Host, fields: Value) -> Vec<Value> {
    let mut all = host.caller().call("Fdb.List", fields).ok()["entries"].as_array().unwrap().clone();
    for entry in &mut all {
        for time in ["used", "updated"] {
            entry.as_object_mut().unwrap().remove(time);
        }
    }
    all.sort_by_key(Value::to_string);
    all
}

#[test]
fn a_listing_has_all_that_iproute2_shows() {
    let (host, a, _) = host();
    for (verb, fields) in [
        ("Add", json!({"targets": ["master"], "fdb_state": "dynamic", "sticky": true})),
        ("Add", json!({"mac": OTHER})),
        ("Add", json!({"link": "br0", "mac": THIRD})),
        (
            "Add",
            json!({"link": "x0", "remote": "10.1.0.1", "port": 1234, "vni": 9, "via": "v0", "fdb_state": "static"}),
        ),
        ("Add", json!({"link": "x1", "remote": "10.1.0.1", "source_vni": 100, "vni": 200, "extern_learn": true})),
    ] {
        act(&host, verb, a, &fields).ok();
    }
    let index = |link: &str| {
        let told: Value = serde_json::from_str(&host.ip_in(a, &format!("-j link show {link}"))).unwrap();
        told[0]["ifindex"].clone()
    };
    let all = listed(&host, json!({"netns": a}));
    assert_eq!(all.len(), entries(&host, a).len());
    for expected in [
        json!({"link": "v0", "link_index": index("v0"), "mac": MAC, "targets": ["master"], "master": "br0",
            "master_index": index("br0"), "fdb_state": "dynamic", "flags": ["sticky"]}),
        json!({"link": "v0", "link_index": index("v0"), "mac": OTHER, "targets": ["self"], "fdb_state": "permanent",
            "flags": ["self"]}),
        json!({"link": "br0", "link_index": index("br0"), "mac": THIRD, "targets": ["self"], "fdb_state": "permanent",
            "flags": []}),
        json!({"link": "x0", "link_index": index("x0"), "mac": MAC, "targets": ["self"], "remote": "10.1.0.1",
            "port": 1234, "vni": 9, "via": "v0", "via_index": index("v0"), "fdb_state": "static", "flags": ["self"]}),
        json!({"link": "x1", "link_index": index("x1"), "mac": MAC, "targets": ["self"], "remote": "10.1.0.1",
            "vni": 200, "source_vni": 100, "fdb_state": "permanent", "flags": ["self", "ext_learned"]}),
    ] {
        assert!(all.contains(&expected), "{expected:#} in {all:#?}");
    }
    let of = |link: &str| all.iter().filter(|entry| entry["link"] == link).cloned().collect::<Vec<_>>();
    for link in ["v0", "br0", "x0"] {
        assert_eq!(listed(&host, json!({"netns": a, "link": link})), of(link));
        assert_eq!(listed(&host, json!({"netns": a, "index": index(link)})), of(link));
    }
    let missing = host.caller().call("Fdb.List", json!({"netns": a, "link": "nosuch"}));
    assert_eq!(missing.error(), "io.netbroker.Fdb.NoSuchLink");
    // The index of the link of a destination is one of another namespace.
    host.ip_in(a, "link add x9 type vxlan id 9 dstport 4799");
    bridge(&host, a, &format!("fdb add {MAC} dev x9 dst 10.1.0.9 via v0"));
    host.ip_in(a, "link set x9 netns b");
    let foreign = listed(&host, json!({"netns": "b", "link": "x9"}));
    assert_eq!((foreign.len(), &foreign[0]["via_index"]), (1, &index("v0")), "{foreign:?}");
    assert!(foreign[0].get("via").is_none() && foreign[0]["via_nsid"].is_u64(), "{foreign:?}");
    let flushed = host.caller().call("Fdb.Flush", json!({"netns": "b", "link": "x9"}));
    assert_eq!((flushed.error(), flushed.get("field")), ("io.netbroker.Fdb.NotSupported".to_owned(), json!("via")));
}

#[test]
fn a_flush_deletes_the_entries_that_match_and_leaves_those_of_the_link_itself() {
    let (host, a, _) = host();
    let fill = || {
        for words in [
            "MAC dev v0 master static",
            "OTHER dev v0 master",
            "05 dev v1 master",
            "MAC dev v0",
            "THIRD dev br0 self",
            "MAC dev x0 dst 10.1.0.1",
            "OTHER dev x0 dst 10.1.0.2 port 1234",
            "ZERO dev x0 dst 10.1.0.1",
            "MAC dev x1 dst 10.1.0.1 src_vni 100 vni 200",
            "MAC dev x1 dst 10.1.0.1 src_vni 101",
        ] {
            let words = words
                .replace("MAC", MAC)
                .replace("OTHER", OTHER)
                .replace("ZERO", ZERO)
                .replace("THIRD", THIRD)
                .replace("05 ", "02:00:00:00:00:55 ");
            bridge(
                &host,
                a,
                &format!("fdb replace {words}").replace(&format!("replace {ZERO}"), &format!("append {ZERO}")),
            );
        }
    };
    host.ip_in(a, "link set br0 type bridge ageing_time 0");
    fill();
    bridge(&host, a, "fdb del 02:00:00:00:00:55 dev v1 master");
    bridge(&host, a, &format!("fdb append {ZERO} dev x0 dst 10.1.0.3"));
    let flush = |fields: Value| {
        let mut all = json!({"mac": null});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        act(&host, "Flush", a, &all)
    };
    let count = || entries(&host, a).len();
    let whole = count();
    for (fields, deleted) in [
        (json!({"fdb_state": "static"}), 1),
        (json!({}), 1),             // not the port's own address, and not what the port itself keeps
        (json!({"link": "v1"}), 0), // it has its own address only
        (json!({"link": "x0", "remote": "10.1.0.2", "port": 4789}), 0),
        (json!({"link": "x0", "remote": "10.1.0.2"}), 1),
        (json!({"link": "x0", "port": 4789}), 1), // and not those for unknown addresses
        (json!({"link": "x1", "source_vni": 101, "targets": ["self"]}), 1),
        (json!({"link": "x1", "vni": 200}), 1),
        (json!({"link": "br0", "targets": ["self"]}), 1),
        (json!({"link": "br0", "targets": ["master"]}), 0),
    ] {
        let (before, reply) = (count(), flush(fields.clone()));
        assert_eq!(reply.ok(), json!({"deleted": deleted}), "{fields}");
        assert_eq!(count(), before - deleted, "{fields}");
    }
    assert_eq!(count(), whole - 7);
    assert_eq!(flush(json!({"link": "x0"})).ok(), json!({"deleted": 0}));
    assert_eq!(flush(json!({"link": "x0", "mac": ZERO, "remote": "10.1.0.3"})).ok(), json!({"deleted": 1}));
    assert_eq!(flush(json!({"link": "x0", "mac": ZERO})).ok(), json!({"deleted": 1}));
}

#[test]
fn a_deny_is_met_by_every_call_that_could_do_what_it_forbids() {
    let (host, a, _) = host();
    act(&host, "Add", a, &json!({"targets": ["master"], "link": "v1"})).ok();
    act(&host, "Add", a, &json!({"link": "x0", "remote": "10.1.0.1"})).ok();
    let before = entries(&host, a);
    let denies = |deny: &str, cases: &[(&str, Value)]| {
        host.policy(&format!("{EVERYTHING}\n[[deny]]\nid = \"d\"\nwho = \"*\"\ncall = \"Fdb.*\"\n{deny}\n"));
        for (verb, fields) in cases {
            let reply = act(&host, verb, a, fields);
            assert_eq!(reply.error(), "io.netbroker.Fdb.Denied", "{deny}: {verb} {fields}: {reply}");
        }
        assert_eq!(entries(&host, a), before, "{deny}");
    };
    denies(
        "link = \"v1\"",
        &[
            ("Delete", json!({"targets": ["master"], "link": "v1"})),
            ("Replace", json!({"targets": ["master"], "link": "v0"})), // it would move the entry
            ("Flush", json!({"link": "v1"})),
        ],
    );
    denies(
        "remote = \"10.1.0.0/16\"",
        &[
            ("Delete", json!({"link": "x0"})),
            ("Replace", json!({"link": "x0", "remote": "10.9.0.1"})),
            ("Flush", json!({"link": "x0"})),
            ("Append", json!({"link": "x0", "mac": ZERO, "remote": "10.1.0.2"})),
        ],
    );
    denies(
        "targets = \"master\"",
        &[
            ("Add", json!({"targets": ["self", "master"]})),
            ("Delete", json!({"targets": ["master"], "link": "v1"})),
            ("Flush", json!({"link": "v1"})),
        ],
    );
    denies("vlan = 5", &[("Add", json!({"targets": ["master"]})), ("Flush", json!({}))]);
    denies("mac = \"02:00:00:*\"", &[("Add", json!({})), ("Flush", json!({"mac": null}))]);
}

#[test]
fn what_the_kernel_says_ok_to_and_ignores_is_told() {
    let (host, a, _) = host();
    // An entry with a nexthop object takes no destination.
    host.ip_in(a, "link add x8 type vxlan id 8 dstport 4798 nolearning");
    host.ip_in(a, "nexthop add id 21 via 10.9.0.1 fdb");
    host.ip_in(a, "nexthop add id 22 group 21 fdb");
    bridge(&host, a, &format!("fdb add {MAC} dev x8 nhid 22"));
    bridge(&host, a, &format!("fdb add {ZERO} dev x8 nhid 22"));
    for (verb, mac) in [("Replace", MAC), ("Append", ZERO)] {
        let reply = act(&host, verb, a, &json!({"link": "x8", "mac": mac, "remote": "10.8.0.9"}));
        assert_eq!((reply.error(), reply.get("field")), ("io.netbroker.Fdb.NotApplied".to_owned(), json!("remote")));
        assert_eq!(reply.get("may_have_changed"), json!(true));
    }
    assert_eq!(listed(&host, json!({"netns": a, "link": "x8"})).iter().filter(|e| e["nexthop_id"] == 22).count(), 2);
    // An entry of a bridge remains `extern_learn`.
    let learnt = json!({"targets": ["master"], "fdb_state": "dynamic", "extern_learn": true});
    act(&host, "Replace", a, &learnt).ok();
    let reply = act(&host, "Replace", a, &json!({"targets": ["master"], "fdb_state": "static"}));
    assert_eq!((reply.error(), reply.get("field")), ("io.netbroker.Fdb.NotApplied".to_owned(), json!("extern_learn")));
    // The kernel counts who receives the frames of a group, and the deletion only counts down.
    host.ip_in(a, &format!("maddress add {GROUP} dev v0"));
    host.ip_in(a, "address add 239.1.2.3/32 dev v0 autojoin");
    let reply = act(&host, "Delete", a, &json!({"mac": GROUP}));
    assert_eq!((reply.error(), reply.get("field")), ("io.netbroker.Fdb.KernelRefused".to_owned(), json!("mac")));
    assert_eq!(reply.get("may_have_changed"), json!(true));
    act(&host, "Delete", a, &json!({"mac": GROUP})).ok();
}

#[test]
fn many_entries_are_flushed_in_time() {
    let (host, a, _) = host();
    host.sh(&format!(
        "for n in $(seq 20000); do
            printf 'fdb add 02:11:00:%02x:%02x:%02x dev v0 master static\\n' $((n >> 16)) $((n >> 8 & 255)) $((n & 255))
            printf 'fdb add 02:22:00:%02x:%02x:%02x dev v0 master dynamic\\n' $((n >> 16)) $((n >> 8 & 255)) $((n & 255))
         done | bridge -n {a} -batch -"
    ));
    let flushed = act(&host, "Flush", a, &json!({"mac": null, "fdb_state": "dynamic"}));
    assert_eq!(flushed.ok(), json!({"deleted": 20_000}));
}
