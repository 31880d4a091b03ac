// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Link.Add` and `Link.Delete` against their twins `ip link add` and `ip link delete`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::open_host as host;
use common::{Host, Reply};
use serde_json::{Value, json};

/// `Link.Add` with these members in addition to `netns`, `link` and `kind`.
fn add(host: &Host, netns: &str, link: &str, kind: &str, others: &Value) -> Reply {
    let mut fields = json!({"netns": netns, "link": link, "kind": kind});
    fields.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
    host.caller().call("Link.Add", fields)
}

/// The index that `ip` reports for a link.
fn index(host: &Host, netns: &str, link: &str) -> Value {
    let told = host.ip_in(netns, &format!("-j link show {link}"));
    serde_json::from_str::<Value>(&told).unwrap()[0]["ifindex"].clone()
}

#[test]
fn a_veth_pair_with_every_field_is_like_iproute2s() {
    let host = host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        host.ip_in(netns, "link add br0 address 02:00:00:00:00:99 type bridge");
    }
    let reply = add(
        &host,
        a,
        "v0",
        "veth",
        &json!({
            "mtu": 1400, "mac": "02:00:00:00:00:01", "master": "br0", "up": true, "alias": "port of tenant 7",
            "peer": {"name": "v1", "netns": a, "mac": "02:00:00:00:00:02", "mtu": 1300, "up": true},
        }),
    );
    assert_eq!(reply.ok(), json!({"link_index": index(&host, a, "v0")}));
    host.ip_in(
        b,
        "link add v0 mtu 1400 address 02:00:00:00:00:01 master br0 up type veth \
         peer name v1 address 02:00:00:00:00:02 mtu 1300",
    );
    host.ip_in(b, "link set v1 up");
    host.run(&["ip", "-n", b, "link", "set", "v0", "alias", "port of tenant 7"]).ok();
    host.comparison("link show").macs().check();
    assert!(host.ip_in(a, "-d link show v0").contains("port of tenant 7"));
    assert!(host.ip_in(a, "link show v1").contains("LOWER_UP"));
}

#[test]
fn each_field_of_a_veth_pair_works_alone() {
    let host = host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        host.ip_in(netns, "link add br0 type bridge");
    }
    let cases: [(Value, Value, &str, &str, &str); 9] = [
        (json!({}), json!({}), "", "", ""),
        (json!({"mtu": 1400}), json!({}), "mtu 1400", "", ""),
        (json!({"mac": "02:00:00:00:00:05"}), json!({}), "address 02:00:00:00:00:05", "", ""),
        (json!({"master": "br0"}), json!({}), "master br0", "", ""),
        (json!({"up": true}), json!({}), "up", "", ""),
        (json!({"alias": "x"}), json!({}), "", "", "V alias x"),
        (json!({}), json!({"mac": "02:00:00:00:00:06"}), "", "address 02:00:00:00:00:06", ""),
        (json!({}), json!({"mtu": 9000}), "", "mtu 9000", ""),
        (json!({}), json!({"up": true}), "", "", "P up"),
    ];
    for (at, (fields, peer, words, peer_words, after)) in cases.into_iter().enumerate() {
        let (link, other) = (format!("v{at}"), format!("p{at}"));
        let mut fields = fields;
        fields["peer"] = peer;
        fields["peer"]["name"] = json!(other);
        fields["peer"]["netns"] = json!(a);
        let reply = add(&host, a, &link, "veth", &fields);
        assert_eq!(reply.ok(), json!({"link_index": index(&host, a, &link)}));
        host.ip_in(b, &format!("link add {link} {words} type veth peer name {other} {peer_words}"));
        if !after.is_empty() {
            host.ip_in(b, &format!("link set {}", after.replace('V', &link).replace('P', &other)));
        }
    }
    host.compare("link show");
    for netns in [a, b] {
        assert!(host.ip_in(netns, "link show v2").contains("02:00:00:00:00:05"));
        assert!(host.ip_in(netns, "link show p6").contains("02:00:00:00:00:06"));
    }
}

#[test]
fn the_other_end_of_a_pair_is_where_it_was_asked_for() {
    let host = host();
    let (a, b) = host.twins();
    host.ip("netns add c");
    host.ip("netns add d");
    host.sh("touch /run/netns/h; mount --bind /proc/self/ns/net /run/netns/h"); // ip's name for the host
    let peer = |netns: &str, name: &str| {
        let peer = json!({"name": name, "netns": netns, "mac": "02:00:00:00:01:01", "mtu": 1440, "up": true});
        json!({"up": true, "alias": "near", "mtu": 1450, "peer": peer})
    };
    // Where the link itself is made, and where its other end; for the broker and for ip.
    let ends = [("c", a, "d", b), (a, "c", b, "d"), ("@host", a, "h", b), (a, "@host", b, "h")];
    for (at, (netns, peer_netns, ip_netns, ip_peer)) in ends.into_iter().enumerate() {
        let (link, other) = (format!("v{at}"), format!("p{at}"));
        let reply = add(&host, netns, &format!("{link}x"), "veth", &peer(peer_netns, &format!("{other}x")));
        let stands = if netns == "@host" { "h" } else { netns };
        assert_eq!(reply.ok(), json!({"link_index": index(&host, stands, &format!("{link}x"))}));
        // In h, both names would be taken. So ip's other end has another name; then both are made the same in a and b.
        let (near, far) = (format!("{link}y"), format!("{other}y"));
        host.ip_in(
            ip_netns,
            &format!(
                "link add {near} mtu 1450 up type veth peer name {far} netns {ip_peer} address 02:00:00:00:01:01 mtu 1440"
            ),
        );
        host.ip_in(ip_peer, &format!("link set {far} up"));
        host.ip_in(ip_netns, &format!("link set {near} alias near"));
        for (netns, name) in [(b, &near), (b, &far)] {
            if host.run(&["ip", "-n", netns, "link", "show", name]).status() == 0 {
                host.ip_in(netns, &format!("link set {name} down"));
                host.ip_in(netns, &format!("link set {name} name {}", name.replace('y', "x")));
                host.ip_in(netns, &format!("link set {}  up", name.replace('y', "x")));
            }
        }
    }
    host.compare("link show");
    let up =
        |netns| host.ip_in(netns, "-br link").lines().filter(|l| l.split_whitespace().nth(1) == Some("UP")).count();
    assert_eq!((up(a), up("c"), up("h")), (4, 2, 4), "every end is up");
}

#[test]
fn both_ends_of_a_pair_may_have_one_name_in_two_namespaces() {
    let host = host();
    let (a, b) = host.twins();
    host.ip_in(b, "link add other type bridge"); // the other end cannot get its index
    let others = json!({"up": true, "alias": "near", "peer": {"name": "v0", "netns": b, "up": true}});
    assert_eq!(add(&host, a, "v0", "veth", &others).ok(), json!({"link_index": index(&host, a, "v0")}));
    assert_ne!(index(&host, a, "v0"), index(&host, b, "v0"));
    let told = |netns| host.ip_in(netns, "link show v0");
    assert!(told(a).contains("alias near") && !told(b).contains("alias near"), "{}{}", told(a), told(b));
    assert!(told(a).contains(",UP") && told(b).contains(",UP"), "{}{}", told(a), told(b));
}

/// Whether the kernel knows VLANs of bridges (`CONFIG_BRIDGE_VLAN_FILTERING`).
fn has_vlans_of_bridges(host: &Host) -> bool {
    host.ip("netns add vlans");
    host.ip_in("vlans", "link add br0 type bridge");
    let reported = host.ip_in("vlans", "-d -j link show br0").contains("vlan_default_pvid");
    host.ip("netns delete vlans");
    reported
}

#[test]
fn a_value_that_the_kernel_does_not_take_is_not_applied() {
    let host = host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        host.ip_in(netns, "link add e0 type veth peer name e1");
    }
    // A vxlan link has room for its header only.
    let fields = json!({"parent": "e0", "mtu": 1500, "alias": "x", "vxlan": {"id": 7, "port": 4789}});
    let reply = add(&host, a, "vx0", "vxlan", &fields);
    assert_eq!(reply.error(), "io.netbroker.Link.NotApplied", "{reply}");
    let told = ["field", "given", "effective", "may_have_changed"].map(|name| reply.get(name));
    assert_eq!(told, [json!("mtu"), json!("1500"), json!("1450"), json!(true)], "{reply}");
    assert_eq!(reply.status(), 1);
    // Everything else was applied.
    host.ip_in(b, "link add vx0 mtu 1500 type vxlan id 7 dstport 4789 dev e0");
    host.ip_in(b, "link set vx0 alias x");
    let of = |netns: &str, what: &str| {
        let links: Value = serde_json::from_str(&host.ip_in(netns, "-j -d link show vx0")).unwrap();
        links[0][what].clone()
    };
    for what in ["mtu", "ifalias", "link", "operstate"] {
        assert_eq!(of(a, what), of(b, what), "{what}");
    }
    // What the kernel did take is the same for ever.
    let mut again = fields;
    again["exists_ok"] = json!(true);
    let differs = add(&host, a, "vx0", "vxlan", &again);
    assert_eq!((differs.error(), differs.get("field")), ("io.netbroker.Link.AlreadyExists".to_owned(), json!("mtu")));
    again["mtu"] = json!(1450);
    add(&host, a, "vx0", "vxlan", &again).ok();

    if !has_vlans_of_bridges(&host) {
        let reply = add(&host, a, "br0", "bridge", &json!({"bridge": {"vlan_default_pvid": 5}}));
        assert_eq!(reply.error(), "io.netbroker.Link.NotApplied", "{reply}");
        assert_eq!(reply.get("field"), json!("bridge.vlan_default_pvid"));
        assert_eq!(reply.parameters().get("effective"), None);
        let fields = json!({"netns": a, "link": "br0", "kind": "bridge", "bridge": {"vlan_default_pvid": 5}});
        let reply = host.caller().call("Link.Set", fields);
        assert_eq!((reply.error(), reply.get("given")), ("io.netbroker.Link.NotApplied".to_owned(), json!("5")));
    }
}

#[test]
fn what_is_taken_is_named_with_its_field_and_one_errno() {
    let host = host();
    let (a, _) = host.twins();
    host.ip_in(a, "link add there type veth peer name other");
    host.ip_in(a, "link property add dev there altname also");
    host.ip_in(a, "link add vx type vxlan id 7 dstport 4789 dev there");
    let before = host.snapshot(&[a]);
    let vxlan = json!({"parent": "there", "vxlan": {"id": 7, "port": 4789}});
    for (link, kind, fields, field, message) in [
        ("there", "bridge", json!({}), "link", "a link with this name already exists"),
        ("also", "bridge", json!({}), "link", "it is the alternative name of another link"),
        ("there", "veth", json!({"peer": {"name": "p", "netns": a}}), "link", "a link with this name already exists"),
        (
            "new",
            "veth",
            json!({"peer": {"name": "other", "netns": a}}),
            "peer.name",
            "a link with this name already exists",
        ),
        ("there", "tun", json!({"tun": {"mode": "tap"}}), "link", "a link with this name already exists"),
        ("new", "vxlan", vxlan, "vxlan.id", "A VXLAN device with the specified VNI already exists"),
    ] {
        let reply = add(&host, a, link, kind, &fields);
        assert_eq!(reply.error(), "io.netbroker.Link.AlreadyExists", "{link} {kind}: {reply}");
        let told = ["field", "message", "errno", "may_have_changed"].map(|name| reply.get(name));
        assert_eq!(told, [json!(field), json!(message), json!(17), json!(false)], "{link} {kind}");
        assert_eq!(host.snapshot(&[a]), before, "{link} {kind}");
    }
    let set = |fields: Value| {
        let mut all = json!({"netns": a, "link": "other"});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        host.caller().call("Link.Set", all)
    };
    let renamed = set(json!({"new_name": "there"}));
    assert_eq!(
        (renamed.error(), renamed.get("field")),
        ("io.netbroker.Link.AlreadyExists".to_owned(), json!("new_name"))
    );
    // A link that cannot move has not changed.
    host.ip("netns add far");
    host.ip_in("far", "link add other type bridge");
    let before = host.snapshot(&[a]);
    let moved = set(json!({"target_netns": "far"}));
    assert_eq!((moved.error(), moved.get("field")), ("io.netbroker.Link.AlreadyExists".to_owned(), json!("link")));
    assert_eq!(moved.get("may_have_changed"), json!(false));
    assert_eq!(host.snapshot(&[a]), before);
}

#[test]
fn an_mtu_or_hardware_address_that_is_refused_is_named() {
    let host = host();
    let (a, _) = host.twins();
    let before = host.snapshot(&[a]);
    let pair = |fields: Value, peer: Value| {
        let (mut all, mut of_peer) = (fields, json!({"name": "p", "netns": a}));
        of_peer.as_object_mut().unwrap().extend(peer.as_object().unwrap().clone());
        all["peer"] = of_peer;
        all
    };
    for (kind, fields, field) in [
        ("veth", pair(json!({"mtu": 67}), json!({})), json!("mtu")),
        ("veth", pair(json!({"mtu": 1500}), json!({"mtu": 67})), json!("peer.mtu")),
        ("veth", pair(json!({"mtu": 67}), json!({"mtu": 67})), Value::Null),
        ("veth", pair(json!({"mac": "ff:ff:ff:ff:ff:ff"}), json!({})), json!("mac")),
        ("veth", pair(json!({}), json!({"mac": "ff:ff:ff:ff:ff:ff"})), json!("peer.mac")),
        ("veth", pair(json!({"mac": "02:00:00:00:00:00:01"}), json!({})), json!("mac")),
        ("bridge", json!({"mtu": 65_536}), json!("mtu")),
        ("bridge", json!({"mtu": 67}), json!("mtu")),
        ("bridge", json!({"mac": "01:00:00:00:00:01"}), json!("mac")),
    ] {
        let reply = add(&host, a, "new", kind, &fields);
        assert_eq!(reply.error(), "io.netbroker.Link.KernelRefused", "{kind} {fields}: {reply}");
        let named = reply.parameters().get("field").cloned().unwrap_or_default();
        assert_eq!(named, field, "{kind} {fields}: {reply}");
        assert_eq!(host.snapshot(&[a]), before, "{kind} {fields}");
    }
}

#[test]
fn a_bridge_with_every_field_is_like_iproute2s() {
    let host = host();
    let (a, b) = host.twins();
    let has_vlans = has_vlans_of_bridges(&host);
    let mut fields = json!({
        "mtu": 1400, "mac": "02:00:00:00:00:01", "up": true, "alias": "x",
        "bridge": {"stp": true, "forward_delay": 1700, "ageing_time": 20000},
    });
    if has_vlans {
        fields["bridge"]["vlan_default_pvid"] = json!(42);
    }
    let reply = add(&host, a, "br0", "bridge", &fields);
    assert_eq!(reply.ok(), json!({"link_index": index(&host, a, "br0")}));
    host.ip_in(
        b,
        "link add br0 mtu 1400 address 02:00:00:00:00:01 up type bridge stp_state 1 forward_delay 1700 \
         ageing_time 20000 vlan_default_pvid 42",
    );
    host.ip_in(b, "link set br0 alias x");
    let cases = [
        (json!({}), ""),
        (json!({"bridge": {"stp": true}}), "stp_state 1"),
        (json!({"bridge": {"stp": false}}), "stp_state 0"),
        (json!({"bridge": {"forward_delay": 0}}), "forward_delay 0"),
        (json!({"bridge": {"ageing_time": 100}}), "ageing_time 100"),
        (json!({"bridge": {"vlan_filtering": true}}), "vlan_filtering 1"),
        (json!({"bridge": {"vlan_filtering": false}}), "vlan_filtering 0"),
        (json!({"bridge": {"vlan_default_pvid": 0}}), "vlan_default_pvid 0"),
        (json!({"bridge": {"vlan_default_pvid": 4094}}), "vlan_default_pvid 4094"),
    ];
    for (at, (mut fields, words)) in cases.into_iter().enumerate() {
        fields["mac"] = json!(format!("02:00:00:00:02:0{at}"));
        let reply = add(&host, a, &format!("br{}", at + 1), "bridge", &fields);
        let ip = format!("ip -n {b} link add br{} address 02:00:00:00:02:0{at} type bridge {words}", at + 1);
        let twin = host.run(&ip.split_whitespace().collect::<Vec<_>>());
        if twin.status() == 0 && words.starts_with("vlan_default_pvid") && !has_vlans {
            // Such a kernel says yes, and ignores the value.
            assert_eq!(reply.error(), "io.netbroker.Link.NotApplied", "{reply}");
        } else if twin.status() == 0 {
            reply.ok();
        } else {
            // The kernel may not have this VLAN, or any VLANs of bridges: then both twins fail alike.
            assert!(words.starts_with("vlan_"), "{twin}");
            let (errno, said) = (reply.get("errno"), twin.stderr());
            assert!(
                errno == json!(95) && said.contains("not supported") || errno == json!(22) && said.contains("nvalid")
            );
            assert_eq!(reply.get("may_have_changed"), json!(false));
        }
    }
    host.comparison("link show").macs().check();
}

#[test]
fn what_cannot_be_made_is_refused_and_nothing_changes() {
    let host = host();
    let (a, b) = host.twins();
    host.ip_in(a, "link add there type veth peer name other");
    let before = host.snapshot(&[a, b]);
    let veth = |name: &str, netns: &str| json!({"peer": {"name": name, "netns": netns}});
    let with = |field: &str, value: Value| {
        let mut fields = veth("p", "a");
        fields[field] = value;
        fields
    };
    let cases = [
        ("there", "bridge", json!({}), "AlreadyExists", json!({"errno": 17, "errno_name": "EEXIST"})),
        ("new", "veth", veth("other", "a"), "AlreadyExists", json!({"errno": 17})),
        ("new", "veth", veth("new", "a"), "AlreadyExists", json!({"errno": 17})),
        (
            "new",
            "veth",
            veth("p", "absent"),
            "NoSuchNetns",
            json!({"field": "peer.netns", "name": "absent", "reason": "absent", "errno": 2}),
        ),
        (
            "new",
            "veth",
            with("master", json!("absent")),
            "NoSuchLink",
            json!({"field": "master", "name": "absent", "reason": "absent", "errno": 19}),
        ),
        ("new", "veth", with("mtu", json!(67)), "KernelRefused", json!({"errno": 22})),
        ("new", "veth", with("mac", json!("ff:ff:ff:ff:ff:ff")), "KernelRefused", json!({"errno": 99})),
        ("new", "veth", with("mac", json!("02:00:00:00:00:00:01")), "KernelRefused", json!({"errno": 22})),
        ("0123456789abcdef", "bridge", json!({}), "InvalidRequest", json!({"field": "link"})),
        ("eth%d", "bridge", json!({}), "InvalidRequest", json!({"field": "link"})),
        ("new", "veth", veth("p%d", "a"), "InvalidRequest", json!({"field": "peer.name"})),
    ];
    for (link, kind, fields, error, told) in cases {
        let reply = add(&host, a, link, kind, &fields);
        assert_eq!(reply.error(), format!("io.netbroker.Link.{error}"), "{link} {fields}: {reply}");
        for (name, value) in told.as_object().unwrap() {
            assert_eq!(&reply.get(name), value, "{name}: {reply}");
        }
        assert_eq!(host.snapshot(&[a, b]), before, "{link} {fields}");
    }
}

#[test]
fn a_link_is_deleted_like_by_iproute2() {
    let host = host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        host.ip_in(netns, "link add v0 type veth peer name v1");
        host.ip_in(netns, "link add br0 type bridge");
        host.ip_in(netns, "link add br1 type bridge");
    }
    let delete = |fields: Value| host.caller().call("Link.Delete", fields);
    assert_eq!(delete(json!({"netns": a, "link": "v1"})).ok(), json!({}));
    delete(json!({"netns": a, "link": "br0", "missing_ok": true})).ok();
    host.ip_in(b, "link del v1");
    host.ip_in(b, "link del br0");
    host.compare("link show");
    assert!(!host.ip_in(a, "link").contains("v0"), "the other end goes too");

    delete(json!({"netns": a, "link": "br0", "missing_ok": true})).ok();
    let absent = delete(json!({"netns": a, "link": "br0"}));
    assert_eq!(absent.error(), "io.netbroker.Link.NoSuchLink");
    assert_eq!((absent.get("field"), absent.get("errno")), (json!("link"), json!(19)));
    assert_eq!((absent.get("name"), absent.get("reason")), (json!("br0"), json!("absent")));
    let lo = delete(json!({"netns": a, "link": "lo"}));
    assert_eq!(lo.error(), "io.netbroker.Link.NotSupported");
    assert_eq!((lo.get("errno"), lo.get("may_have_changed")), (json!(95), json!(false)));
    host.compare("link show");
}

/// Names that the kernel takes and that no request can give, for `printf`.
const UNSPEAKABLE: [&str; 5] = ["veth@if3", "x\\377y", "a*b?", "q{}", "\\303\\244"];

#[test]
fn a_link_whose_name_no_request_can_give_is_deleted_by_its_index() {
    let host = host();
    let (a, b) = host.twins();
    let delete = |fields: Value| host.caller().call("Link.Delete", fields);
    for netns in [a, b] {
        for (at, name) in (700..).zip(UNSPEAKABLE) {
            host.sh(&format!("ip -n {netns} link add \"$(printf '{name}')\" index {at} type bridge"));
        }
        host.ip_in(netns, "link add v0 index 800 type veth peer name v1 index 801");
        host.sh(&format!("ip -n {netns} link add 'p{{}}' index 802 type veth peer name p1 index 803"));
    }
    let before = host.snapshot(&[a]);
    for (index, name) in [(800, "v0"), (801, "v1"), (803, "p1"), (1, "lo")] {
        let reply = delete(json!({"netns": a, "index": index}));
        assert_eq!((reply.error().as_str(), reply.get("field")), ("io.netbroker.Link.KernelRefused", json!("index")));
        let message = reply.get("message").as_str().unwrap().to_owned();
        assert!(message.ends_with(&format!("write `link={name}`")), "{message}");
        assert_eq!((reply.get("may_have_changed"), host.snapshot(&[a])), (json!(false), before.clone()));
        // It exists, so `missing_ok` does not matter.
        assert_eq!(delete(json!({"netns": a, "index": index, "missing_ok": true})).get("field"), json!("index"));
    }
    for (fields, field, reason) in [
        (json!({"netns": a}), "link", "is required unless"),
        (json!({"netns": a, "missing_ok": true}), "link", "is required unless"),
        (json!({"netns": a, "link": "v0", "index": 800}), "index", "cannot be given together with `link`"),
        (json!({"netns": a, "link": "v0", "index": 700}), "index", "cannot be given together with `link`"),
        (json!({"netns": a, "index": 0}), "index", "must be between 1"),
        (json!({"netns": a, "index": -700}), "index", ""),
        (json!({"netns": a, "index": 2_147_483_648_u32}), "index", "must be between 1"),
        (json!({"netns": a, "index": "700"}), "index", ""),
        (json!({"netns": a, "link": "veth@if3"}), "link", "must not contain `@`"),
    ] {
        let reply = delete(fields.clone());
        assert_eq!((reply.error().as_str(), reply.get("field")), ("io.netbroker.Link.InvalidRequest", json!(field)));
        assert!(reply.get("reason").as_str().unwrap().contains(reason), "{fields}: {reply}");
    }
    let absent = delete(json!({"netns": a, "index": 999}));
    assert_eq!(absent.error(), "io.netbroker.Link.NoSuchLink");
    assert_eq!((absent.get("field"), absent.get("errno")), (json!("index"), json!(19)));
    assert_eq!((absent.get("name"), absent.get("reason")), (json!("999"), json!("absent")));
    assert_eq!(delete(json!({"netns": a, "index": 999, "missing_ok": true})).ok(), json!({}));
    assert_eq!(host.snapshot(&[a]), before);

    for (at, name) in (700..).zip(UNSPEAKABLE) {
        host.compare("link show");
        assert_eq!(delete(json!({"netns": a, "index": at, "missing_ok": at % 2 == 0})).ok(), json!({}), "{name}");
        host.sh(&format!("ip -n {b} link del \"$(printf '{name}')\""));
        host.compare("link show");
    }
    assert_eq!(delete(json!({"netns": a, "index": 802})).ok(), json!({}));
    host.sh(&format!("ip -n {b} link del 'p{{}}'"));
    host.compare("link show");
    assert!(!host.ip_in(a, "link").contains("p1"), "the other end goes too");
    let gone = delete(json!({"netns": a, "index": 802}));
    assert_eq!((gone.error().as_str(), gone.get("field")), ("io.netbroker.Link.NoSuchLink", json!("index")));
}

#[test]
fn a_deletion_by_index_meets_every_deny_on_a_link_of_the_namespace() {
    let host = host();
    host.ip("link add q{} index 700 type bridge");
    host.ip("netns add a");
    host.ip_in("a", "link add q{} index 700 type bridge");
    let before = host.snapshot(&["a"]);
    let allow = |said: &str| {
        format!("[[allow]]\nid = \"x\"\nwho = \"*\"\ncall = \"Link.Delete\"\nnetns = [\"@host\", \"a\"]\n{said}\n")
    };
    let deny = "[[deny]]\nid = \"uplinks\"\nwho = \"*\"\ncall = \"@change\"\n\
                touches = { netns = \"@host\", link = \"eth*\" }\n";
    let delete = |netns: &str| host.caller().call("Link.Delete", json!({"netns": netns, "index": 700}));
    let every = allow("link = \"*\"\nindex = \"*\"");
    for (policy, rule, field) in [
        (allow("link = \"*\""), "x", "index"),
        (allow("link = \"q*\"\nindex = 700"), "x", "link"),
        (format!("{every}{deny}"), "uplinks", "link"),
    ] {
        host.policy(&policy);
        let reply = delete("@host");
        assert_eq!(reply.error(), "io.netbroker.Link.Denied", "{policy}");
        assert_eq!((reply.get("rule"), reply.get("field")), (json!(rule), json!(field)), "{policy}");
        assert_eq!(host.snapshot(&["a"]), before);
    }
    assert_eq!(delete("a").ok(), json!({})); // the deny is about the host
    host.policy(&every);
    assert_eq!(delete("@host").ok(), json!({}));
}
