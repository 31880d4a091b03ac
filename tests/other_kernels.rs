// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Twin tests that need kinds of link that not every kernel has: those of [`common::calls::ON_OTHER_KERNELS`].
//!
//! A plain `cargo test` does not run this target (`test = false` in Cargo.toml). tests/vm/run boots a kernel that has the
//! kinds and runs it there; where the machine's own kernel has them, `cargo test --test other_kernels` does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::open_host;
use common::{Host, Reply};
use serde_json::{Value, json};

/// A call by alice in the first twin.
fn call(host: &Host, method: &str, mut fields: Value) -> Reply {
    fields["netns"] = json!("a");
    host.caller().call(method, fields)
}

/// One link of the first twin, as `Link.List` reports it.
fn listed(host: &Host, link: &str) -> Value {
    call(host, "Link.List", json!({ "link": link })).ok()["links"][0].clone()
}

/// A host on a kernel that has loaded every module that adds a link to each namespace. Otherwise another test could load one
/// while this host is observed.
fn loaded_host() -> Host {
    let host = open_host();
    host.sh("ip netns add modules; \
         for kind in ipip sit ip6tnl gre ip6gre; do ip -n modules link add x0 type $kind 2>/dev/null || :; done; \
         ip netns delete modules");
    host
}

/// What a link has of its own: the members of the request for it, and the words of `ip link add` before and after `type`.
type Made<'a> = (&'a str, Value, &'a str, &'a str);

/// Twins that each have a parent `d0`, which is up, with addresses, and a bridge `br0`.
fn host() -> Host {
    let host = loaded_host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        host.ip_in(netns, "link add d0 address 02:00:00:00:00:99 up type dummy");
        host.ip_in(netns, "address add 192.0.2.1/24 dev d0");
        host.ip_in(netns, "address add 2001:db8::1/64 dev d0 nodad");
        host.ip_in(netns, "link add br0 type bridge");
    }
    host
}

/// `Link.Add` of a link `x0`, with these members.
fn add(host: &Host, kind: &str, members: &Value) -> Reply {
    let mut fields = json!({"link": "x0", "kind": kind});
    fields.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    call(host, "Link.Add", fields)
}

/// Whether a link is reported as requested.
fn assert_reported(reported: &Value, requested: &Value) {
    for (name, value) in requested.as_object().unwrap() {
        match value {
            Value::Object(_) => assert_reported(&reported[name], value),
            _ => assert_eq!(reported[name], *value, "{name} of {reported:#}"),
        }
    }
}

/// Makes each link with the broker in one twin and with iproute2 in the other, compares the twins, lists the link, and
/// requests it again with `exists_ok`: as it is, and with another alias.
fn assert_twins(host: &Host, made: &[Made<'_>]) {
    for (kind, members, words, own) in made {
        add(host, kind, members).ok();
        host.ip_in("b", &format!("link add x0 {words} type {kind} {own}"));
        host.compare("link show");
        assert_reported(&listed(host, "x0"), members);
        assert_eq!(listed(host, "x0")["kind"], *kind);
        let mut again = members.clone();
        again["exists_ok"] = json!(true);
        add(host, kind, &again).ok();
        again["alias"] = json!("another");
        assert_refused(&add(host, kind, &again), "AlreadyExists", "alias");
        host.compare("link show"); // neither changed anything
        call(host, "Link.Delete", json!({"link": "x0"})).ok();
        host.ip_in("b", "link delete x0");
        host.compare("link show");
    }
}

fn assert_refused(reply: &Reply, error: &str, field: &str) {
    assert_eq!((reply.error(), reply.get("field")), (format!("io.netbroker.Link.{error}"), json!(field)), "{reply}");
}

/// Each request is refused with this error and field, and none changes anything.
fn assert_all_refused(host: &Host, cases: &[(&str, Value, &str, &str)]) {
    let before = host.snapshot(&["a"]);
    for (kind, members, error, field) in cases {
        assert_refused(&add(host, kind, members), error, field);
    }
    assert_eq!(host.snapshot(&["a"]), before);
}

/// A request for the existing link that differs in one field from it is refused naming the field.
fn assert_differs(host: &Host, kind: &str, made: &Value, others: &[(Value, &str)]) {
    add(host, kind, made).ok();
    let cases: Vec<_> = others
        .iter()
        .map(|(other, field)| {
            let mut members = other.clone();
            members["exists_ok"] = json!(true);
            (kind, members, "AlreadyExists", *field)
        })
        .collect();
    assert_all_refused(host, &cases);
    call(host, "Link.Delete", json!({"link": "x0"})).ok();
}

const EVERY: &str = "mtu 1400 address 02:00:00:00:00:01 up";

/// What every kind with a hardware address takes.
fn every(mut members: Value) -> Value {
    let common = json!({"mtu": 1400, "mac": "02:00:00:00:00:01", "up": true});
    members.as_object_mut().unwrap().extend(common.as_object().unwrap().clone());
    members
}

#[test]
fn a_dummy_and_a_vrf_with_each_of_their_fields_are_made_like_by_iproute2() {
    let host = host();
    assert_twins(
        &host,
        &[
            ("dummy", json!({}), "", ""),
            ("dummy", every(json!({"master": "br0"})), &format!("{EVERY} master br0"), ""),
            ("vrf", json!({"vrf": {"table": 7}}), "", "table 7"),
            ("vrf", every(json!({"vrf": {"table": 305_419_896}})), EVERY, "table 305419896"),
        ],
    );
    assert_differs(&host, "vrf", &json!({"vrf": {"table": 7}}), &[(json!({"vrf": {"table": 8}}), "vrf.table")]);
    let cases = [
        ("vrf", json!({}), "InvalidRequest", "vrf.table"),
        ("vrf", json!({"vrf": {"table": 0}}), "InvalidRequest", "vrf.table"),
        ("dummy", json!({"parent": "d0"}), "InvalidRequest", "parent"),
    ];
    assert_all_refused(&host, &cases);
}

/// One link of each kind: its own members, and the words of `ip link add` before and after `type`. iproute2 6.1 does not
/// know netkit, so its words are empty.
fn one_of_each() -> Vec<Made<'static>> {
    let tunnel = |remote: &str| json!({"tunnel": {"remote": remote}});
    vec![
        ("veth", json!({"peer": {"name": "p0", "netns": "a"}}), "", "peer name p0"),
        ("bridge", json!({}), "", ""),
        ("bond", json!({}), "", ""),
        ("vxlan", json!({"vxlan": {"id": 7}}), "", "id 7"),
        ("macvlan", json!({"parent": "d0"}), "link d0", ""),
        ("macvtap", json!({"parent": "d0"}), "link d0", ""),
        ("ifb", json!({}), "", ""),
        ("dummy", json!({}), "", ""),
        ("vlan", json!({"parent": "d0", "vlan": {"id": 7}}), "link d0", "id 7"),
        ("vrf", json!({"vrf": {"table": 7}}), "", "table 7"),
        ("ipvlan", json!({"parent": "d0"}), "link d0", ""),
        ("geneve", json!({"geneve": {"id": 7, "remote": "192.0.2.9"}}), "", "id 7 remote 192.0.2.9"),
        ("ipip", tunnel("192.0.2.9"), "", "remote 192.0.2.9"),
        ("sit", tunnel("192.0.2.9"), "", "remote 192.0.2.9"),
        ("gre", tunnel("192.0.2.9"), "", "remote 192.0.2.9"),
        ("gretap", tunnel("192.0.2.9"), "", "remote 192.0.2.9"),
        ("ip6tnl", tunnel("2001:db8::9"), "", "remote 2001:db8::9"),
        ("ip6gre", tunnel("2001:db8::9"), "", "remote 2001:db8::9"),
        ("ip6gretap", tunnel("2001:db8::9"), "", "remote 2001:db8::9"),
        ("wireguard", json!({}), "", ""),
        ("xfrm", json!({"xfrm": {"if_id": 7}}), "", "if_id 7"),
        ("netkit", json!({"peer": {"name": "p0", "netns": "a"}, "netkit": {"mode": "l2"}}), "", ""),
    ]
}

#[test]
fn what_every_kind_has_is_set_on_a_link_of_each_kind() {
    let host = host();
    let common = json!({"group": 7, "txqueuelen": 77, "tx_queues": 3, "rx_queues": 2});
    for (kind, mut members, before, own) in one_of_each() {
        members.as_object_mut().unwrap().extend(common.as_object().unwrap().clone());
        // `tests/link_kinds.rs` compares a veth. A result has no fields of the other end, which the comparison would need.
        if members["peer"].is_null() {
            let before = format!("{before} group 7 txqueuelen 77 numtxqueues 3 numrxqueues 2");
            assert_twins(&host, &[(kind, members.clone(), &before, own)]);
        }
        for mode in ["none", "random"] {
            members["addrgenmode"] = json!(mode);
            members["exists_ok"] = json!(false);
            add(&host, kind, &members).ok();
            assert_reported(&listed(&host, "x0"), &members_of(&members));
            members["exists_ok"] = json!(true);
            add(&host, kind, &members).ok();
            members["addrgenmode"] = json!("eui64");
            assert_refused(&add(&host, kind, &members), "AlreadyExists", "addrgenmode");
            call(&host, "Link.Delete", json!({"link": "x0"})).ok();
        }
    }
}

/// The members of a request that every link reports.
fn members_of(request: &Value) -> Value {
    let names = ["group", "txqueuelen", "tx_queues", "rx_queues", "addrgenmode"];
    names.iter().map(|name| ((*name).to_owned(), request[name].clone())).collect::<serde_json::Map<_, _>>().into()
}

#[test]
fn the_vlans_of_a_bridge_are_set_and_changed_like_by_iproute2() {
    let host = host();
    let of = |bridge: Value| json!({ "bridge": bridge });
    let every = json!({
        "vlan_filtering": true, "vlan_protocol": "ieee802_1ad", "vlan_default_pvid": 7, "vlan_stats_enabled": true,
    });
    let words = "vlan_filtering 1 vlan_protocol 802.1ad vlan_default_pvid 7 vlan_stats_enabled 1";
    let off = json!({"vlan_protocol": "ieee802_1q", "vlan_stats_enabled": false});
    assert_twins(
        &host,
        &[
            ("bridge", of(every.clone()), "", words),
            ("bridge", of(off), "", "vlan_protocol 802.1Q vlan_stats_enabled 0"),
        ],
    );
    let others = [
        (of(json!({"vlan_protocol": "ieee802_1ad"})), "bridge.vlan_protocol"),
        (of(json!({"vlan_stats_enabled": true})), "bridge.vlan_stats_enabled"),
    ];
    assert_differs(&host, "bridge", &json!({}), &others);
    call(&host, "Link.Set", json!({"link": "br0", "kind": "bridge", "bridge": every})).ok();
    host.ip_in("b", &format!("link set br0 type bridge {words}"));
    host.compare("link show");
}

#[test]
fn a_change_of_a_group_is_of_one_link_only() {
    let host = host();
    let group = |link: &str| listed(&host, link)["group"].clone();
    call(&host, "Link.Set", json!({"link": "br0", "kind": "bridge", "group": 7, "bridge": {"priority": 8}})).ok();
    assert_eq!((group("br0"), group("d0")), (json!(7), json!(0)));
    let reply = call(&host, "Link.Set", json!({"link": "x9", "kind": "bridge", "group": 7, "bridge": {"priority": 9}}));
    assert_refused(&reply, "NoSuchLink", "link");
    assert_eq!(listed(&host, "br0")["bridge"]["priority"], json!(8));
}

#[test]
fn a_filter_of_vnis_is_made_or_not_applied() {
    let host = host();
    let vxlan = json!({"vxlan": {"collect_metadata": true, "vnifilter": true}});
    let reply = add(&host, "vxlan", &vxlan);
    if reply.messages()[0].get("error").is_none() {
        assert_eq!(listed(&host, "x0")["vxlan"]["vnifilter"], json!(true));
        assert!(host.ip_in("a", "-d link show x0").contains("vnifilter"));
    } else {
        assert_refused(&reply, "NotApplied", "vxlan.vnifilter"); // before Linux 5.18
        assert!(!host.ip_in("a", "-d link show x0").contains("vnifilter"));
    }
}

#[test]
fn a_vlan_with_each_of_its_fields_is_made_like_by_iproute2() {
    let host = host();
    let on = |vlan: Value| json!({"parent": "d0", "vlan": vlan});
    assert_twins(
        &host,
        &[
            ("vlan", on(json!({"id": 7})), "link d0", "id 7"),
            ("vlan", on(json!({"id": 0, "protocol": "ieee802_1q"})), "link d0", "id 0 protocol 802.1Q"),
            (
                "vlan",
                every(on(json!({"id": 4094, "protocol": "ieee802_1ad"}))),
                &format!("link d0 {EVERY}"),
                "id 4094 protocol 802.1ad",
            ),
        ],
    );
    let others = [
        (on(json!({"id": 8})), "vlan.id"),
        (on(json!({"id": 7, "protocol": "ieee802_1ad"})), "vlan.protocol"),
        (json!({"parent": "br0", "vlan": {"id": 7}}), "parent"),
    ];
    assert_differs(&host, "vlan", &on(json!({"id": 7})), &others);
    host.ip_in("a", "link add d0.9 link d0 type vlan id 9");
    let cases = [
        ("vlan", on(json!({"id": 9})), "AlreadyExists", "vlan.id"), // under another name
        ("vlan", on(json!({"id": 4095})), "InvalidRequest", "vlan.id"),
        ("vlan", on(json!({})), "InvalidRequest", "vlan.id"),
        ("vlan", json!({"vlan": {"id": 7}}), "InvalidRequest", "parent"),
        ("vlan", json!({"parent": "none", "vlan": {"id": 7}}), "NoSuchLink", "parent"),
    ];
    assert_all_refused(&host, &cases);
}

#[test]
fn an_ipvlan_with_each_of_its_fields_is_made_like_by_iproute2() {
    let host = host();
    let on = |ipvlan: Value| json!({"parent": "d0", "ipvlan": ipvlan});
    assert_twins(
        &host,
        &[
            ("ipvlan", json!({"parent": "d0"}), "link d0", ""),
            ("ipvlan", on(json!({"mode": "l2", "traffic": "bridge"})), "link d0", "mode l2 bridge"),
            ("ipvlan", on(json!({"mode": "l3", "traffic": "private"})), "link d0", "mode l3 private"),
            ("ipvlan", on(json!({"mode": "l3s", "traffic": "vepa"})), "link d0", "mode l3s vepa"),
            ("ipvlan", json!({"parent": "d0", "mtu": 1400, "up": true}), "link d0 mtu 1400 up", ""),
        ],
    );
    let made = on(json!({"mode": "l2", "traffic": "private"}));
    let others =
        [(on(json!({"mode": "l3"})), "ipvlan.mode"), (on(json!({"mode": "l2", "traffic": "vepa"})), "ipvlan.traffic")];
    assert_differs(&host, "ipvlan", &made, &others);
    for netns in ["a", "b"] {
        host.ip_in(netns, "link add i0 link d0 type ipvlan mode l2 private");
    }
    let stacked = ("ipvlan", json!({"parent": "i0"}), "KernelRefused", "parent");
    let mac = ("ipvlan", json!({"parent": "d0", "mac": "02:00:00:00:00:01"}), "InvalidRequest", "mac");
    assert_all_refused(&host, &[stacked, mac, ("ipvlan", json!({}), "InvalidRequest", "parent")]);
    // A new link changes the mode of the existing one. It leaves `private` as it is, unless the request says otherwise.
    add(&host, "ipvlan", &json!({"parent": "d0"})).ok();
    host.ip_in("b", "link add x0 link d0 type ipvlan");
    host.compare("link show");
    assert_eq!(listed(&host, "i0")["ipvlan"], json!({"mode": "l3", "traffic": "private"}));
}

#[test]
fn a_geneve_with_each_of_its_fields_is_made_like_by_iproute2() {
    let host = host();
    let of = |geneve: Value| json!({ "geneve": geneve });
    assert_twins(
        &host,
        &[
            ("geneve", of(json!({"id": 7, "remote": "192.0.2.9"})), "", "id 7 remote 192.0.2.9"),
            ("geneve", of(json!({"id": 0, "remote": "2001:db8::9"})), "", "id 0 remote 2001:db8::9"),
            (
                "geneve",
                every(of(
                    json!({"id": 16_777_215, "remote": "192.0.2.9", "port": 4660, "ttl": 7, "tos": 8, "df": "set"}),
                )),
                EVERY,
                "id 16777215 remote 192.0.2.9 dstport 4660 ttl 7 tos 8 df set",
            ),
            (
                "geneve",
                of(json!({"id": 7, "remote": "192.0.2.9", "df": "inherit"})),
                "",
                "id 7 remote 192.0.2.9 df inherit",
            ),
            (
                "geneve",
                of(json!({"id": 7, "remote": "192.0.2.9", "df": "unset"})),
                "",
                "id 7 remote 192.0.2.9 df unset",
            ),
            ("geneve", of(json!({"collect_metadata": true})), "", "external"),
        ],
    );
    let others = [
        (of(json!({"id": 8, "remote": "192.0.2.9"})), "geneve.id"),
        (of(json!({"id": 7, "remote": "192.0.2.8"})), "geneve.remote"),
        (of(json!({"id": 7, "remote": "192.0.2.9", "port": 4660})), "geneve.port"),
        (of(json!({"collect_metadata": true})), "geneve.collect_metadata"),
    ];
    assert_differs(&host, "geneve", &of(json!({"id": 7, "remote": "192.0.2.9"})), &others);
    let cases = [
        ("geneve", of(json!({"remote": "192.0.2.9"})), "InvalidRequest", "geneve.id"),
        ("geneve", of(json!({"id": 7})), "InvalidRequest", "geneve.remote"),
        ("geneve", of(json!({"id": 7, "collect_metadata": true})), "InvalidRequest", "geneve.id"),
        ("geneve", of(json!({"remote": "192.0.2.9", "collect_metadata": true})), "InvalidRequest", "geneve.remote"),
        ("geneve", of(json!({"id": 7, "remote": "239.1.1.1"})), "InvalidRequest", "geneve.remote"),
        ("geneve", of(json!({"id": 7, "remote": "::"})), "InvalidRequest", "geneve.remote"),
    ];
    assert_all_refused(&host, &cases);
}

#[test]
fn an_ipip_a_sit_and_an_ip6tnl_with_each_of_their_fields_are_made_like_by_iproute2() {
    let host = host();
    let of = |tunnel: Value| json!({ "tunnel": tunnel });
    let on = |tunnel: Value| json!({"parent": "d0", "mtu": 1400, "up": true, "tunnel": tunnel});
    for kind in ["ipip", "sit"] {
        let fields = json!({"local": "192.0.2.1", "remote": "192.0.2.9", "ttl": 7, "tos": 8, "pmtudisc": true});
        let words = "local 192.0.2.1 remote 192.0.2.9 ttl 7 tos 8 pmtudisc dev d0";
        assert_twins(
            &host,
            &[
                (kind, of(json!({"remote": "192.0.2.9"})), "", "remote 192.0.2.9"),
                (kind, of(json!({"local": "192.0.2.1", "pmtudisc": false})), "", "local 192.0.2.1 nopmtudisc"),
                (kind, on(fields), "mtu 1400 up", words),
                (kind, of(json!({"remote": "192.0.2.9", "protocol": "ipv4"})), "", "mode ipip remote 192.0.2.9"),
            ],
        );
        let others = [
            (of(json!({"remote": "192.0.2.8"})), "tunnel.remote"),
            (of(json!({"remote": "192.0.2.9", "local": "192.0.2.1"})), "tunnel.local"),
            (of(json!({"remote": "192.0.2.9", "ttl": 7})), "tunnel.ttl"),
            (of(json!({"remote": "192.0.2.9", "tos": 8})), "tunnel.tos"),
            (of(json!({"remote": "192.0.2.9", "pmtudisc": false})), "tunnel.pmtudisc"),
            (of(json!({"remote": "192.0.2.9", "protocol": "ipv4"})), "tunnel.protocol"),
        ];
        assert_differs(&host, kind, &of(json!({"remote": "192.0.2.9"})), &others);
        host.ip_in("a", &format!("link add taken type {kind} remote 192.0.2.7"));
        let ttl = json!({"remote": "192.0.2.9", "ttl": 7, "pmtudisc": false});
        let cases = [
            (kind, of(json!({"remote": "192.0.2.7"})), "AlreadyExists", "tunnel.remote"),
            (kind, of(ttl), "InvalidRequest", "tunnel.ttl"),
            (kind, of(json!({"remote": "2001:db8::9"})), "InvalidRequest", "tunnel.remote"),
            (kind, of(json!({"local": "0.0.0.0"})), "InvalidRequest", "tunnel.local"),
            (kind, of(json!({"remote": "239.1.1.1"})), "InvalidRequest", "tunnel.remote"),
            (kind, json!({"mac": "02:00:00:00:00:01"}), "InvalidRequest", "mac"),
        ];
        assert_all_refused(&host, &cases);
        host.ip_in("a", "link delete taken");
    }
    assert_twins(
        &host,
        &[
            ("sit", of(json!({"remote": "192.0.2.9", "protocol": "ipv6"})), "", "mode ip6ip remote 192.0.2.9"),
            ("ip6tnl", of(json!({"remote": "2001:db8::9"})), "", "remote 2001:db8::9"),
            ("ip6tnl", of(json!({"remote": "2001:db8::9", "protocol": "any"})), "", "mode any remote 2001:db8::9"),
            ("ip6tnl", of(json!({"remote": "2001:db8::9", "protocol": "ipv4"})), "", "mode ipip6 remote 2001:db8::9"),
            ("ip6tnl", of(json!({"remote": "2001:db8::9", "protocol": "ipv6"})), "", "mode ip6ip6 remote 2001:db8::9"),
            (
                "ip6tnl",
                on(json!({"local": "2001:db8::1", "remote": "2001:db8::9", "ttl": 7, "encap_limit": 5})),
                "mtu 1400 up",
                "local 2001:db8::1 remote 2001:db8::9 hoplimit 7 encaplimit 5 dev d0",
            ),
        ],
    );
    let others = [
        (of(json!({"remote": "2001:db8::8"})), "tunnel.remote"),
        (of(json!({"remote": "2001:db8::9", "ttl": 7})), "tunnel.ttl"),
        (of(json!({"remote": "2001:db8::9", "encap_limit": 5})), "tunnel.encap_limit"),
        (of(json!({"remote": "2001:db8::9", "protocol": "ipv6"})), "tunnel.protocol"),
    ];
    assert_differs(&host, "ip6tnl", &of(json!({"remote": "2001:db8::9"})), &others);
    let cases = [
        ("ipip", of(json!({"remote": "192.0.2.9", "protocol": "ipv6"})), "InvalidRequest", "tunnel.protocol"),
        ("ip6tnl", of(json!({"remote": "192.0.2.9"})), "InvalidRequest", "tunnel.remote"),
        ("ip6tnl", json!({"mac": "02:00:00:00:00:01"}), "InvalidRequest", "mac"),
        ("ip6tnl", of(json!({"tos": 8})), "InvalidRequest", "tunnel.tos"),
    ];
    assert_all_refused(&host, &cases);
}

#[test]
fn gre_tunnels_with_each_of_their_fields_are_made_like_by_iproute2() {
    let host = host();
    let of = |tunnel: &Value, gre: Value| json!({"tunnel": tunnel, "gre": gre});
    for (kind, local, remote) in [
        ("gre", "192.0.2.1", "192.0.2.9"),
        ("gretap", "192.0.2.1", "192.0.2.9"),
        ("ip6gre", "2001:db8::1", "2001:db8::9"),
        ("ip6gretap", "2001:db8::1", "2001:db8::9"),
    ] {
        let is_v4 = !kind.starts_with("ip6");
        let (more, words) = if is_v4 {
            (json!({"local": local, "remote": remote, "ttl": 7, "tos": 8, "pmtudisc": true}), "ttl 7 tos 8 pmtudisc")
        } else {
            (json!({"local": local, "remote": remote, "ttl": 7, "encap_limit": 5}), "hoplimit 7 encaplimit 5")
        };
        let mut all = of(&more, json!({"key": 305_419_896, "csum": true, "seq": true}));
        all.as_object_mut().unwrap().extend([("parent".to_owned(), json!("d0")), ("mtu".to_owned(), json!(1300))]);
        let to = json!({ "remote": remote });
        assert_twins(
            &host,
            &[
                (kind, json!({ "tunnel": to }), "", &format!("remote {remote}")),
                (kind, of(&to, json!({"key": 7})), "", &format!("remote {remote} key 7")),
                (kind, of(&to, json!({"csum": true})), "", &format!("remote {remote} csum")),
                (kind, of(&to, json!({"seq": true})), "", &format!("remote {remote} seq")),
                (
                    kind,
                    all,
                    "mtu 1300",
                    &format!("local {local} remote {remote} {words} key 305419896 csum seq dev d0"),
                ),
            ],
        );
        let made = of(&to, json!({"key": 7, "csum": true, "seq": true}));
        let mut others = vec![
            (of(&to, json!({"key": 8, "csum": true, "seq": true})), "gre.key"),
            (of(&to, json!({"key": 7, "seq": true})), "gre.csum"),
            (of(&to, json!({"key": 7, "csum": true})), "gre.seq"),
        ];
        if is_v4 {
            let slow = json!({"remote": remote, "pmtudisc": false});
            others.push((of(&slow, json!({"key": 7, "csum": true, "seq": true})), "tunnel.pmtudisc"));
        }
        assert_differs(&host, kind, &made, &others);
        let other = if is_v4 { "2001:db8::9" } else { "192.0.2.9" };
        let cases = [
            (kind, json!({"tunnel": {"remote": other}}), "InvalidRequest", "tunnel.remote"),
            (kind, of(&to, json!({"key": 0})), "InvalidRequest", "gre.key"),
        ];
        assert_all_refused(&host, &cases);
        if is_v4 {
            let ttl = json!({"tunnel": {"remote": remote, "ttl": 7, "pmtudisc": false}});
            assert_all_refused(&host, &[(kind, ttl, "InvalidRequest", "tunnel.ttl")]);
        }
        if kind.ends_with("tap") {
            let mac = json!({"mac": "02:00:00:00:00:01", "tunnel": to});
            assert_twins(&host, &[(kind, mac, "address 02:00:00:00:00:01", &format!("remote {remote}"))]);
        } else {
            assert_all_refused(&host, &[(kind, json!({"mac": "02:00:00:00:00:01"}), "InvalidRequest", "mac")]);
        }
    }
}

#[test]
fn a_wireguard_and_an_xfrm_link_with_each_of_their_fields_are_made_like_by_iproute2() {
    let host = host();
    assert_twins(
        &host,
        &[
            ("wireguard", json!({}), "", ""),
            ("wireguard", json!({"mtu": 1400, "up": true}), "mtu 1400 up", ""),
            ("xfrm", json!({"xfrm": {"if_id": 7}}), "", "if_id 7"),
            (
                "xfrm",
                json!({"parent": "d0", "mtu": 1400, "up": true, "xfrm": {"if_id": 305_419_896}}),
                "mtu 1400 up",
                "dev d0 if_id 305419896",
            ),
        ],
    );
    let others = [
        (json!({"parent": "d0", "xfrm": {"if_id": 8}}), "xfrm.if_id"),
        (json!({"parent": "br0", "xfrm": {"if_id": 7}}), "parent"),
    ];
    assert_differs(&host, "xfrm", &json!({"parent": "d0", "xfrm": {"if_id": 7}}), &others);
    host.ip_in("a", "link add taken type xfrm dev d0 if_id 9");
    let cases = [
        ("wireguard", json!({"mac": "02:00:00:00:00:01"}), "InvalidRequest", "mac"),
        ("xfrm", json!({"mac": "02:00:00:00:00:01", "xfrm": {"if_id": 7}}), "InvalidRequest", "mac"),
        ("xfrm", json!({"xfrm": {"if_id": 0}}), "InvalidRequest", "xfrm.if_id"),
        ("xfrm", json!({"xfrm": {"if_id": 9}}), "AlreadyExists", "xfrm.if_id"),
    ];
    assert_all_refused(&host, &cases);
}

/// iproute2 6.1 knows no netkit. It makes one without a mode, and shows none of its data.
#[test]
fn a_netkit_with_each_of_its_fields_is_made_with_its_peer() {
    let host = host();
    let pair = |peer: Value, mode: &str| json!({"peer": peer, "netkit": {"mode": mode}});
    let cases = [
        (pair(json!({"name": "x1", "netns": "a"}), "l3"), "a", Value::Null),
        (
            every(pair(json!({"name": "x1", "netns": "b", "mac": "02:00:00:00:00:02", "mtu": 1300, "up": true}), "l2")),
            "b",
            json!("02:00:00:00:00:02"),
        ),
    ];
    for (members, netns, mac) in cases {
        add(&host, "netkit", &members).ok();
        let (own, other) = (listed(&host, "x0"), json!({"netns": netns, "link": "x1"}));
        let peer = host.caller().call("Link.List", other).ok()["links"][0].clone();
        assert_eq!((&own["kind"], &peer["kind"]), (&json!("netkit"), &json!("netkit")));
        assert_eq!((&own["netkit"], &peer["netkit"]), (&members["netkit"], &members["netkit"]));
        assert_eq!((&own["peer_index"], &peer["peer_index"]), (&peer["link_index"], &own["link_index"]));
        assert!(
            mac.is_null() || (&peer["mac"], &peer["mtu"], &peer["up"]) == (&mac, &json!(1300), &json!(true)),
            "{peer}"
        );
        let mut again = members.clone();
        again["exists_ok"] = json!(true);
        add(&host, "netkit", &again).ok();
        let mode = if members["netkit"]["mode"] == "l2" { "l3" } else { "l2" };
        let other = json!({"exists_ok": true, "peer": {"name": "x1", "netns": netns}, "netkit": {"mode": mode}});
        assert_all_refused(&host, &[("netkit", other, "AlreadyExists", "netkit.mode")]);
        call(&host, "Link.Delete", json!({"link": "x0"})).ok();
        assert!(!host.ip_in(netns, "link show").contains("x1"));
    }
    let with_mac = json!({"peer": {"name": "x1", "netns": "a", "mac": "02:00:00:00:00:02"}});
    let mut own_mac = json!({"peer": {"name": "x1", "netns": "a"}});
    own_mac["mac"] = json!("02:00:00:00:00:01");
    assert_all_refused(
        &host,
        &[("netkit", with_mac, "InvalidRequest", "peer.mac"), ("netkit", own_mac, "InvalidRequest", "mac")],
    );
}

#[test]
fn a_dummy_link_is_changed_like_by_iproute2() {
    let host = loaded_host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        host.ip_in(netns, "link add d0 address 02:00:00:00:00:01 type dummy");
        host.ip_in(netns, "link add br0 address 02:00:00:00:00:02 type bridge");
    }
    let steps = [
        (
            "Link.Set",
            json!({"mtu": 1400, "mac": "02:00:00:00:00:03"}),
            "link set d0 mtu 1400 address 02:00:00:00:00:03",
        ),
        ("Link.Set", json!({"up": true, "txqueuelen": 77}), "link set d0 up txqueuelen 77"),
        ("Link.Set", json!({"master": "br0"}), "link set d0 master br0"),
        ("Link.Set", json!({"no_master": true, "arp": false}), "link set d0 nomaster arp off"),
        ("Address.Add", json!({"address": "192.0.2.1/24"}), "address add 192.0.2.1/24 dev d0"),
        ("Address.Add", json!({"address": "2001:db8::1/64"}), "address add 2001:db8::1/64 dev d0"),
        ("Address.Delete", json!({"address": "192.0.2.1/24"}), "address delete 192.0.2.1/24 dev d0"),
    ];
    for (method, mut fields, words) in steps {
        fields["link"] = json!("d0");
        call(&host, method, fields).ok();
        host.ip_in(b, words);
        host.comparison("link show").macs().check();
        host.comparison("address show").macs().check();
    }
    call(&host, "Link.Delete", json!({"link": "d0"})).ok();
    host.ip_in(b, "link delete d0");
    host.comparison("link show").macs().check();
}

#[test]
fn links_of_each_kind_are_listed_with_their_kind_parent_and_master() {
    let host = loaded_host();
    let (a, _) = host.twins();
    for words in [
        "link add d0 type dummy",
        "link add d1 type dummy",
        "link add bond0 type bond mode active-backup",
        "link set d1 master bond0",
        "link add d0.7 link d0 type vlan id 7",
        "link add vrf0 type vrf table 7",
        "link set d0.7 master vrf0",
        "link add g0 type geneve id 7 remote 192.0.2.1",
    ] {
        host.ip_in(a, words);
    }
    for (link, kind, parent, master) in [
        ("d0", "dummy", Value::Null, Value::Null),
        ("d1", "dummy", Value::Null, json!("bond0")),
        ("bond0", "bond", Value::Null, Value::Null),
        ("d0.7", "vlan", json!("d0"), json!("vrf0")),
        ("vrf0", "vrf", Value::Null, Value::Null),
        ("g0", "geneve", Value::Null, Value::Null),
    ] {
        let told = listed(&host, link);
        assert_eq!((&told["kind"], &told["parent"], &told["master"]), (&json!(kind), &parent, &master), "{told:#}");
    }
}

#[test]
fn a_vlan_on_a_dummy_link_is_deleted_with_it() {
    let host = loaded_host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        host.ip_in(netns, "link add d0 type dummy");
        host.ip_in(netns, "link add d0.7 link d0 type vlan id 7");
    }
    call(&host, "Link.Delete", json!({"link": "d0"})).ok();
    host.ip_in(b, "link delete d0");
    host.compare("link show");
    assert!(!host.ip_in(a, "link show").contains(": d0"));
}

/// From a namespace in which the name is taken, which kernels before 6.15 refuse.
#[test]
fn each_kind_is_made_in_another_namespace_like_by_iproute2() {
    let host = host();
    for netns in ["fa", "fb"] {
        host.ip(&format!("netns add {netns}"));
        host.ip_in(netns, "link add d0 up type dummy");
        host.ip_in(netns, "link add d1 type dummy");
    }
    let tunnel = json!({"tunnel": {"remote": "192.0.2.9"}});
    let tunnel6 = json!({"tunnel": {"remote": "2001:db8::9"}});
    let made = [
        ("dummy", json!({"alias": "mine"}), "", ""),
        ("bond", json!({"bond": {"mode": "active_backup"}}), "", "mode active-backup"),
        ("vrf", json!({"up": true, "vrf": {"table": 7}}), "up", "table 7"),
        ("vlan", every(json!({"parent": "d0", "vlan": {"id": 7}})), &format!("link d0 {EVERY}"), "id 7"),
        ("ipvlan", json!({"parent": "d0", "up": true}), "link d0 up", ""),
        ("macvlan", json!({"parent": "d1"}), "link d1", ""),
        ("vxlan", json!({"parent": "d0", "vxlan": {"id": 7}}), "", "id 7 dev d0"),
        ("geneve", json!({"geneve": {"id": 7, "remote": "192.0.2.9"}}), "", "id 7 remote 192.0.2.9"),
        ("ipip", tunnel.clone(), "", "remote 192.0.2.9"),
        ("sit", tunnel.clone(), "", "remote 192.0.2.9"),
        ("ip6tnl", tunnel6.clone(), "", "remote 2001:db8::9"),
        ("gre", tunnel.clone(), "", "remote 192.0.2.9"),
        ("gretap", tunnel, "", "remote 192.0.2.9"),
        ("ip6gre", tunnel6.clone(), "", "remote 2001:db8::9"),
        ("ip6gretap", tunnel6, "", "remote 2001:db8::9"),
        ("wireguard", json!({}), "", ""),
        ("xfrm", json!({"parent": "d0", "xfrm": {"if_id": 7}}), "", "dev d0 if_id 7"),
    ];
    for (at, (kind, members, words, own)) in made.iter().enumerate() {
        let link = format!("k{at}");
        for netns in ["fa", "fb"] {
            host.ip_in(netns, &format!("link add {link} type dummy"));
        }
        let is_compared = !["geneve", "wireguard"].contains(kind); // the kernel does not report where these send
        let mut fields =
            json!({"netns": "fa", "target_netns": "a", "link": link, "kind": kind, "exists_ok": is_compared});
        fields.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let told = host.caller().call("Link.Add", fields.clone()).ok();
        assert_eq!(told["link_index"], listed(&host, &link)["link_index"], "{kind}");
        if is_compared {
            assert_eq!(host.caller().call("Link.Add", fields).ok(), told, "{kind}");
        }
        // iproute2 fails, too, where the name is taken.
        host.ip_in("fb", &format!("link delete {link}"));
        if ["ipip", "sit", "ip6tnl", "gre", "gretap", "ip6gre", "ip6gretap", "xfrm"].contains(kind) {
            // With `netns`, it would send through the namespace that it is made in.
            host.ip_in("fb", &format!("link add {link} {words} type {kind} {own}"));
            host.ip_in("fb", &format!("link set {link} netns b"));
        } else {
            host.ip_in("fb", &format!("link add {link} netns b {words} type {kind} {own}"));
        }
    }
    host.ip_in("b", "link set k0 alias mine");
    host.compare("link show");
    assert_eq!(host.ip_in("fa", "-o link show type dummy").lines().count(), made.len() + 2, "nothing else is there");
}

/// A process that was killed between the two messages of a tunnel leaves a link under the temporary name.
#[test]
fn a_left_over_link_of_a_killed_request_is_named() {
    let host = host();
    host.ip("netns add fa");
    host.ip_in("fa", "link add nb1b24b714 type dummy"); // FNV-1a of `a0`
    let before = host.snapshot(&["a", "fa"]);
    let fields = json!({"netns": "fa", "target_netns": "a", "link": "a0", "kind": "ipip",
                        "tunnel": {"remote": "192.0.2.9"}});
    let reply = host.caller().call("Link.Add", fields.clone());
    assert_refused(&reply, "AlreadyExists", "link");
    assert!(reply.get("message").as_str().unwrap().contains("nb1b24b714"), "{reply}");
    assert_eq!(host.snapshot(&["a", "fa"]), before);
    host.ip_in("fa", "link delete nb1b24b714");
    host.caller().call("Link.Add", fields).ok();
}

#[test]
fn what_the_kernel_changes_of_an_ipvlan_and_a_geneve_is_as_by_iproute2() {
    let host = host();
    for netns in ["a", "b"] {
        host.ip_in(netns, "link add i0 link d0 type ipvlan mode l2");
        host.ip_in(netns, "link add g0 address 02:00:00:00:00:01 type geneve id 7 remote 192.0.2.9");
    }
    let geneve = |fields: Value| json!({"link": "g0", "kind": "geneve", "geneve": fields});
    let steps = [
        (json!({"link": "i0", "kind": "ipvlan", "ipvlan": {"mode": "l3"}}), "i0 type ipvlan mode l3"),
        (geneve(json!({"ttl": 9, "tos": 8, "df": "set"})), "g0 type geneve id 7 remote 192.0.2.9 ttl 9 tos 8 df set"),
        (geneve(json!({"remote": "192.0.2.10"})), "g0 type geneve id 7 remote 192.0.2.10"),
    ];
    for (fields, words) in steps {
        assert_eq!(call(&host, "Link.Set", fields.clone()).ok(), json!({}), "{fields}");
        host.ip_in("b", &format!("link set {words}"));
        host.compare("link show");
    }
    call(&host, "Link.Set", json!({"link": "i0", "kind": "ipvlan", "ipvlan": {"traffic": "private"}})).ok();
    assert_eq!(listed(&host, "i0")["ipvlan"], json!({"mode": "l3", "traffic": "private"}));
    let before = host.snapshot(&["a"]);
    assert_refused(&call(&host, "Link.Set", geneve(json!({"remote": "2001:db8::9"}))), "NotSupported", "geneve.remote");
    assert_refused(&call(&host, "Link.Set", geneve(json!({"id": 8}))), "InvalidRequest", "geneve.id");
    assert_eq!(host.snapshot(&["a"]), before);
}

#[test]
fn a_bond_with_each_of_its_fields_is_made_and_changed_like_by_iproute2() {
    let host = loaded_host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        host.ip_in(netns, "link add d0 address 02:00:00:00:00:01 type dummy");
        host.ip_in(netns, "link add d1 address 02:00:00:00:00:02 type dummy");
    }
    let made = [
        (
            json!({"mode": "balance_rr", "miimon": 100, "updelay": 200, "downdelay": 300}),
            "mode balance-rr miimon 100 updelay 200 downdelay 300",
        ),
        (
            json!({"mode": "active_backup", "fail_over_mac": "active", "all_ports_active": true}),
            "mode active-backup fail_over_mac active all_slaves_active 1",
        ),
        (
            json!({"mode": "active_backup", "fail_over_mac": "follow", "arp_interval": 700,
                "arp_ip_target": ["192.0.2.1", "192.0.2.9"]}),
            "mode active-backup fail_over_mac follow arp_interval 700 arp_ip_target 192.0.2.1,192.0.2.9",
        ),
        (json!({"mode": "balance_xor", "xmit_hash_policy": "layer2_3"}), "mode balance-xor xmit_hash_policy layer2+3"),
        (json!({"mode": "balance_xor", "xmit_hash_policy": "encap2_3"}), "mode balance-xor xmit_hash_policy encap2+3"),
        (json!({"mode": "broadcast"}), "mode broadcast"),
        (
            json!({"mode": "ieee802_3ad", "lacp_rate": "fast", "ad_select": "bandwidth", "min_links": 2,
                "xmit_hash_policy": "layer3_4"}),
            "mode 802.3ad lacp_rate fast ad_select bandwidth min_links 2 xmit_hash_policy layer3+4",
        ),
        (
            json!({"mode": "ieee802_3ad", "ad_select": "count", "xmit_hash_policy": "vlan_srcmac"}),
            "mode 802.3ad ad_select count xmit_hash_policy vlan+srcmac",
        ),
        (json!({"mode": "balance_tlb", "xmit_hash_policy": "encap3_4"}), "mode balance-tlb xmit_hash_policy encap3+4"),
        (json!({"mode": "balance_alb", "miimon": 50}), "mode balance-alb miimon 50"),
    ];
    for (bond, words) in made {
        let fields = json!({"link": "bond0", "kind": "bond", "mac": "02:00:00:00:00:09", "bond": bond});
        call(&host, "Link.Add", fields.clone()).ok();
        host.ip_in(b, &format!("link add bond0 address 02:00:00:00:00:09 type bond {words}"));
        host.compare("link show");
        let reported = listed(&host, "bond0")["bond"].clone();
        for (field, value) in bond.as_object().unwrap() {
            assert_eq!(reported[field], *value, "{field} of {reported}");
        }
        let mut same = fields.clone();
        same["exists_ok"] = json!(true);
        call(&host, "Link.Add", same.clone()).ok();
        same["bond"]["mode"] = json!(if bond["mode"] == "broadcast" { "balance_rr" } else { "broadcast" });
        let reply = call(&host, "Link.Add", same);
        assert_eq!(
            (reply.error().as_str(), reply.get("field")),
            ("io.netbroker.Link.AlreadyExists", json!("bond.mode")),
            "{reply}"
        );
        call(&host, "Link.Delete", json!({"link": "bond0"})).ok();
        host.ip_in(b, "link delete bond0");
    }
    let bond = json!({"link": "bond0", "kind": "bond", "mac": "02:00:00:00:00:09", "bond": {"mode": "active_backup"}});
    call(&host, "Link.Add", bond).ok();
    host.ip_in(b, "link add bond0 address 02:00:00:00:00:09 type bond mode active-backup");
    for port in ["d0", "d1"] {
        call(&host, "Link.Set", json!({"link": port, "master": "bond0"})).ok();
        host.ip_in(b, &format!("link set {port} master bond0"));
    }
    let changed = [
        (json!({"primary": "d1"}), "primary d1"),
        (json!({"miimon": 100, "updelay": 300, "downdelay": 100}), "miimon 100 updelay 300 downdelay 100"),
        (json!({"all_ports_active": true, "min_links": 1}), "all_slaves_active 1 min_links 1"),
        (json!({"miimon": 0}), "miimon 0"),
        (json!({"arp_interval": 500, "arp_ip_target": ["192.0.2.1"]}), "arp_interval 500 arp_ip_target 192.0.2.1"),
        (json!({"arp_ip_target": ["192.0.2.2", "192.0.2.3"]}), "arp_ip_target 192.0.2.2,192.0.2.3"),
    ];
    for (bond, words) in changed {
        call(&host, "Link.Set", json!({"link": "bond0", "kind": "bond", "bond": bond})).ok();
        host.ip_in(b, &format!("link set bond0 type bond {words}"));
        host.compare("link show");
    }
    assert_eq!(listed(&host, "bond0")["bond"]["primary"], "d1");
    let before = host.snapshot(&[a]);
    for (link, fields, field) in [
        ("d0", json!({"kind": "bond", "bond": {"miimon": 100}}), json!("kind")),
        ("bond0", json!({"kind": "bridge", "bridge": {"stp": true}}), json!("kind")),
        ("bond0", json!({"kind": "bond", "bond": {"mode": "broadcast"}}), json!("bond.mode")), // it has ports
    ] {
        let mut fields = fields;
        fields["link"] = json!(link);
        let reply = call(&host, "Link.Set", fields.clone());
        assert_eq!(
            (reply.error().as_str(), reply.get("field")),
            ("io.netbroker.Link.KernelRefused", field),
            "{fields}: {reply}"
        );
        assert_eq!(host.snapshot(&[a]), before, "{fields}");
    }
    let reply = call(&host, "Link.Set", json!({"link": "bond0", "kind": "bond", "bond": {"primary": "none"}}));
    assert_eq!(
        (reply.error().as_str(), reply.get("field")),
        ("io.netbroker.Link.NoSuchLink", json!("bond.primary")),
        "{reply}"
    );
}

/// `Fdb.*` on a bridge that filters VLANs. The port v0 has the VLANs 1 and 5, the port v1 has the VLAN 1.
#[test]
fn the_forwarding_database_of_a_bridge_with_vlans_changes_like_by_iproute2() {
    let host = loaded_host();
    let (a, b) = host.twins();
    let bridge = |netns: &str, words: &str| {
        host.run(&["bridge", "-n", netns].into_iter().chain(words.split_whitespace()).collect::<Vec<_>>()).ok()
    };
    for netns in [a, b] {
        for words in [
            "link add br0 address 02:00:00:00:01:00 type bridge vlan_filtering 1",
            "link add v0 address 02:00:00:00:01:01 type veth peer name w0",
            "link add v1 address 02:00:00:00:01:02 type veth peer name w1",
            "link set v0 master br0",
            "link set v1 master br0",
        ] {
            host.ip_in(netns, words);
        }
        bridge(netns, "vlan add dev v0 vid 5");
    }
    let entries = |netns: &str| {
        let told: Value = serde_json::from_str(&bridge(netns, "-j fdb show")).unwrap();
        let mut all: Vec<String> = told.as_array().unwrap().iter().map(Value::to_string).collect();
        all.sort();
        all
    };
    let act = |verb: &str, fields: &Value| {
        let mut all = json!({"link": "v0", "mac": "02:00:00:00:00:11", "targets": ["master"], "fdb_state": "static"});
        if verb == "Delete" || verb == "Flush" {
            all.as_object_mut().unwrap().remove("fdb_state");
        }
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        call(&host, &format!("Fdb.{verb}"), all)
    };
    for (verb, fields, words) in [
        ("Add", json!({}), "add MAC dev v0 master static"), // also in each VLAN
        ("Delete", json!({"vlan": 5}), "del MAC dev v0 master vlan 5"),
        ("Add", json!({"vlan": 5, "sticky": true}), "add MAC dev v0 master static sticky vlan 5"),
        ("Replace", json!({"vlan": 1, "link": "v1"}), "replace MAC dev v1 master static vlan 1"),
        ("Delete", json!({}), "del MAC dev v0 master"),
        ("Delete", json!({"link": "v1"}), "del MAC dev v1 master"),
        ("Add", json!({"vlan": 5}), "add MAC dev v0 master static vlan 5"),
    ] {
        act(verb, &fields).ok();
        bridge(b, &format!("fdb {}", words.replace("MAC", "02:00:00:00:00:11")));
        assert_eq!(entries(a), entries(b), "{verb} {fields}");
    }
    // The entry without a VLAN is added, and then that in VLAN 5 exists.
    let before = entries(a).len();
    for fields in [json!({}), json!({"mac": "02:00:00:00:00:22"})] {
        let in_vlan = json!({"vlan": 5, "mac": fields["mac"].as_str().unwrap_or("02:00:00:00:00:11")});
        if fields != json!({}) {
            act("Add", &in_vlan).ok();
        }
        let mut tolerant = fields.clone();
        tolerant["exists_ok"] = json!(true);
        let reply = act("Add", &tolerant);
        assert_eq!((reply.error(), reply.get("field")), ("io.netbroker.Fdb.AlreadyExists".to_owned(), json!("vlan")));
        assert_eq!(reply.get("may_have_changed"), json!(true), "{reply}");
        act("Delete", &fields).ok();
    }
    assert_eq!(entries(a).len(), before - 1);
    let unknown = act("Add", &json!({"vlan": 9})); // the port does not have it
    assert_eq!((unknown.error(), unknown.get("field")), ("io.netbroker.Fdb.KernelRefused".to_owned(), json!("vlan")));
    // The port leaves a VLAN, and a static entry in it stays.
    let orphan = json!({"mac": "02:00:00:00:00:44"});
    act("Add", &json!({"mac": "02:00:00:00:00:44", "vlan": 5})).ok();
    bridge(a, "vlan del dev v0 vid 5");
    for missing_ok in [false, true] {
        let mut fields = orphan.clone();
        fields["missing_ok"] = json!(missing_ok);
        let left = act("Delete", &fields);
        assert_eq!((left.error(), left.get("field")), ("io.netbroker.Fdb.KernelRefused".to_owned(), json!("vlan")));
    }
    bridge(a, "vlan add dev v0 vid 5");
    act("Delete", &orphan).ok();
    // What is without a VLAN cannot go alone.
    act("Add", &json!({})).ok();
    act("Replace", &json!({"vlan": 5, "fdb_state": "permanent"})).ok();
    let before = entries(a);
    let alone = act("Flush", &json!({"fdb_state": "static"}));
    assert_eq!((alone.error(), alone.get("field")), ("io.netbroker.Fdb.NotSupported".to_owned(), json!("mac")));
    assert_eq!(entries(a), before);
    assert_eq!(act("Flush", &json!({"vlan": 5})).ok(), json!({"deleted": 1}));
    assert_eq!(act("Flush", &json!({})).ok(), json!({"deleted": 2}));
}

/// Routes of the first twin with MPLS labels: what each request gives, and the words of `ip route add`.
fn labelled() -> Vec<(Value, &'static str)> {
    vec![
        (
            json!({"destination": "10.40.0.0/16", "link": "d0", "encap": {"kind": "mpls", "labels": [100]}}),
            "10.40.0.0/16 encap mpls 100 dev d0",
        ),
        (
            json!({"destination": "10.41.0.0/16", "gateway": "192.0.2.9",
                   "encap": {"kind": "mpls", "labels": [1048575, 0, 66051], "ttl": 7}}),
            "10.41.0.0/16 encap mpls 1048575/0/66051 ttl 7 via 192.0.2.9",
        ),
        (
            json!({"destination": "2001:db8:40::/48", "gateway": "2001:db8::9",
                   "encap": {"kind": "mpls", "labels": [100, 200], "ttl": 255}}),
            "2001:db8:40::/48 encap mpls 100/200 ttl 255 via 2001:db8::9",
        ),
    ]
}

#[test]
fn routes_with_mpls_labels_are_made_listed_and_deleted_like_by_iproute2() {
    let host = host();
    let both = || {
        host.comparison("route show table all").check();
        host.comparison("-6 route show table all").check();
    };
    let other = |verb: &str, words: &str| {
        let family = if words.starts_with("2001") { "-6 " } else { "" };
        host.ip_in("b", &format!("{family}route {verb} {words}"));
    };
    let reported = |fields: &Value| {
        let reply = call(&host, "Route.List", json!({"destination": fields["destination"]})).ok();
        reply["routes"][0]["encap"].clone()
    };
    for verb in ["Add", "Replace", "Append"] {
        for (mut fields, words) in labelled() {
            call(&host, &format!("Route.{verb}"), fields.clone()).ok();
            other(&verb.to_lowercase(), words);
            assert_eq!(reported(&fields), fields["encap"]);
            fields["exists_ok"] = json!(true);
            call(&host, "Route.Add", fields.clone()).ok();
            for (part, value) in [("labels", json!([100, 201])), ("ttl", json!(9)), ("ttl", json!(0))] {
                let mut differing = fields.clone();
                differing["encap"][part] = value;
                let reply = call(&host, "Route.Add", differing.clone());
                assert_eq!(reply.error(), "io.netbroker.Route.AlreadyExists", "{differing}: {reply}");
                assert_eq!(reply.get("field"), json!(format!("encap.{part}")), "{differing}: {reply}");
                differing.as_object_mut().unwrap().remove("exists_ok");
                let reply = call(&host, "Route.Delete", differing.clone());
                assert_eq!(reply.error(), "io.netbroker.Route.NotFound", "{differing}: {reply}");
            }
        }
        both();
        for (fields, words) in labelled() {
            call(&host, "Route.Delete", fields).ok();
            other("del", words);
        }
        both();
        assert!(!host.ip_in("a", "route").contains("mpls"));
    }
    // With 0, the kernel copies the time to live from the packet.
    let fields =
        json!({"destination": "10.42.0.0/16", "link": "d0", "encap": {"kind": "mpls", "labels": [100], "ttl": 0}});
    call(&host, "Route.Add", fields.clone()).ok();
    assert_eq!(reported(&fields), fields["encap"]);
    let deleted =
        call(&host, "Route.Flush", json!({"table": 254, "encap": {"kind": "mpls", "labels": [100], "ttl": 0}}));
    assert_eq!(deleted.ok(), json!({"deleted": 1}));
}

#[test]
fn of_routes_that_differ_in_their_mpls_labels_only_the_requested_one_is_deleted() {
    let host = host();
    for words in [
        "route add 10.45.0.0/16 encap mpls 100 dev d0",
        "route append 10.45.0.0/16 encap mpls 100/200 dev d0",
        "route append 10.45.0.0/16 encap mpls 100 ttl 7 dev d0",
        "-6 route add 2001:db8:45::/48 encap mpls 100 dev d0",
        "-6 route append 2001:db8:45::/48 encap mpls 200 dev d0",
    ] {
        host.ip_in("a", words);
    }
    let delete = |encap: Value| call(&host, "Route.Delete", json!({"destination": "10.45.0.0/16", "encap": encap}));
    delete(json!({"kind": "mpls", "ttl": 7})).ok();
    delete(json!({"kind": "mpls", "labels": [100, 200]})).ok();
    let left = host.ip_in("a", "route show 10.45.0.0/16");
    assert!(left.contains("mpls  100 ") && left.lines().count() == 1, "{left}");
    let before = host.snapshot(&["a"]);
    let reply = call(
        &host,
        "Route.Delete",
        json!({"destination": "2001:db8:45::/48", "encap": {"kind": "mpls", "labels": [200]}}),
    );
    assert_eq!(reply.error(), "io.netbroker.Route.NotSupported", "{reply}");
    let implicit_null = json!({"destination": "10.49.0.0/16", "link": "d0", "encap": {"kind": "mpls", "labels": [3]}});
    let reply = call(&host, "Route.Add", implicit_null);
    assert_eq!((reply.get("errno_name"), reply.get("field")), (json!("EINVAL"), json!("encap.labels")), "{reply}");
    assert_eq!(host.snapshot(&["a"]), before);
}
