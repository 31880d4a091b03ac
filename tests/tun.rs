// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Link.Add` of TUN and TAP links against `ip tuntap add`: who owns them, and that an incomplete link does not stay.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{EVERYTHING, open_host};
use common::{ALICE, BOB, Host, Reply, Way};
use serde_json::{Value, json};

fn with(base: Value, others: &Value) -> Value {
    let mut fields = base;
    fields.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
    fields
}

/// `Link.Add` of a tap with these members in addition, or in place of the usual ones.
fn add(host: &Host, netns: &str, link: &str, others: &Value) -> Reply {
    let tap = json!({"netns": netns, "link": link, "kind": "tun", "tun": {"mode": "tap"}});
    host.caller().call("Link.Add", with(tap, others))
}

/// Attaches to a tap of the host as a program of this user does. Returns `attached`, or the error number.
fn attach(host: &Host, uid: u32, group: Option<u32>, link: &str) -> String {
    const ATTACH: &str = r#"
        sysopen(my $tun, "/dev/net/tun", 2) or die "open: $!";
        my $request = pack("a16 S x22", shift, 0x1002);
        print ioctl($tun, 0x400454ca, $request) ? "attached" : $! + 0;
    "#;
    let caller = host.as_uid(uid);
    let caller = if let Some(group) = group { caller.groups(&[group]) } else { caller };
    caller.run(&["perl", "-e", ATTACH, link]).ok()
}

#[test]
fn a_tun_and_a_tap_with_each_of_their_fields_are_like_iproute2s() {
    let host = open_host();
    let (a, b) = host.twins();
    for netns in [a, b] {
        host.ip_in(netns, "link add br0 address 02:00:00:00:00:99 type bridge");
    }
    let tun = |mode: &str, owner: u32| json!({"tun": {"mode": mode, "owner": owner}});
    let every = json!({
        "mtu": 1400, "mac": "02:00:00:00:00:01", "master": "br0", "up": true, "alias": "of tenant 7",
        "tun": {"mode": "tap", "owner": 1000, "group": 1001},
    });
    let cases = [
        (json!({}), "mode tap user 64123", vec![]),
        (tun("tap", 1000), "mode tap user 1000", vec![]),
        (tun("tun", 0), "mode tun user 0", vec![]),
        (json!({"tun": {"mode": "tun", "owner": 1, "group": 0}}), "mode tun user 1 group 0", vec![]),
        (
            every,
            "mode tap user 1000 group 1001",
            vec!["mtu", "1400", "address", "02:00:00:00:00:01", "master", "br0", "alias", "of tenant 7", "up"],
        ),
        (with(tun("tun", 7), &json!({"up": true, "mtu": 1280})), "mode tun user 7", vec!["mtu", "1280", "up"]),
        (
            json!({"tun": {"mode": "tap", "no_owner": true, "group": 7, "multi_queue": true, "vnet_hdr": true}}),
            "mode tap group 7 multi_queue vnet_hdr",
            vec![],
        ),
        (
            with(tun("tap", 7), &json!({"group": 5, "txqueuelen": 77, "addrgenmode": "none", "up": true})),
            "mode tap user 7",
            vec!["group", "5", "txqueuelen", "77", "addrgenmode", "none"],
        ),
        (with(tun("tap", 7), &json!({"addrgenmode": "random"})), "mode tap user 7", vec!["addrgenmode", "random"]),
    ];
    for (at, (fields, words, after)) in cases.into_iter().enumerate() {
        let link = format!("t{at}");
        let reply = add(&host, a, &link, &fields);
        let index = host.ip_in(a, &format!("-o link show {link}")).split(':').next().unwrap().parse::<u32>().unwrap();
        assert_eq!(reply.ok(), json!({"link_index": index}));
        host.ip_in(b, &format!("tuntap add {link} {words}"));
        if !after.is_empty() {
            host.run(&[&["ip", "-n", b, "link", "set", &link], &after[..]].concat()).ok();
        }
    }
    host.ip_in(b, "link set t7 up"); // in the same message, ip would set it up before the mode
    host.compare("link show");
    host.compare("address show"); // nothing was attached, so IPv6 has added no address
    let list = |link: &str| host.caller().call("Link.List", json!({"netns": a, "link": link})).ok()["links"][0].clone();
    let told = list("t4");
    let tun = json!({
        "mode": "tap", "owner": 1000, "group": 1001, "multi_queue": false, "vnet_hdr": false, "persist": true,
    });
    assert_eq!(told["tun"], tun);
    assert_eq!(
        (&told["kind"], &told["mac"], &told["master"]),
        (&json!("tun"), &json!("02:00:00:00:00:01"), &json!("br0"))
    );
    let tun = json!({"mode": "tun", "owner": 0, "multi_queue": false, "vnet_hdr": false, "persist": true});
    assert_eq!(list("t2")["tun"], tun);
    let tun = json!({"mode": "tap", "group": 7, "multi_queue": true, "vnet_hdr": true, "persist": true});
    assert_eq!(list("t6")["tun"], tun);
    let told = list("t7");
    assert_eq!(
        (&told["group"], &told["txqueuelen"], &told["addrgenmode"]),
        (&json!(5), &json!(77), &json!("none")),
        "{told}"
    );
    let delete = host.caller().call("Link.Delete", json!({"netns": a, "link": "t4"}));
    assert_eq!(delete.ok(), json!({}));
}

#[test]
fn only_the_owner_may_attach_and_as_soon_as_the_answer_is_there() {
    let host = open_host();
    for at in 0..20 {
        add(&host, "@host", &format!("t{at}"), &json!({})).ok();
        assert_eq!(attach(&host, ALICE, None, &format!("t{at}")), "attached");
    }
    assert_eq!(attach(&host, BOB, None, "t0"), "1", "EPERM");
    let group = json!({"tun": {"mode": "tap", "owner": ALICE, "group": 1001}});
    add(&host, "@host", "g0", &group).ok();
    assert_eq!(attach(&host, ALICE, Some(1001), "g0"), "attached");
    assert_eq!(attach(&host, ALICE, None, "g0"), "1", "both must agree");
    assert_eq!(attach(&host, BOB, Some(1001), "g0"), "1", "both must agree");
}

#[test]
fn to_a_tap_of_no_owner_every_user_may_attach_or_every_one_of_its_group() {
    let host = open_host();
    add(&host, "@host", "t0", &json!({"tun": {"mode": "tap", "no_owner": true}})).ok();
    assert_eq!(attach(&host, ALICE, None, "t0"), "attached");
    assert_eq!(attach(&host, BOB, None, "t0"), "attached");
    add(&host, "@host", "t1", &json!({"tun": {"mode": "tap", "no_owner": true, "group": 1001}})).ok();
    assert_eq!(attach(&host, BOB, Some(1001), "t1"), "attached");
    assert_eq!(attach(&host, ALICE, None, "t1"), "1", "EPERM");
}

#[test]
fn without_an_owner_a_tap_is_the_callers_in_every_way_in() {
    for way in Way::ALL {
        let host = Host::builder().way(way.clone()).build();
        host.policy(EVERYTHING);
        add(&host, "@host", "t0", &json!({})).ok();
        let owner = if way == Way::Root { "user root" } else { "user alice" };
        let shown = host.ip("-d link show t0");
        assert!(shown.contains(owner) && shown.contains("persist on"), "{way:?}: {shown}");
    }
}

#[test]
fn what_cannot_be_made_whole_is_not_there() {
    let host = open_host();
    host.ip("netns add a");
    for words in [
        "link add v0 type veth peer name v1",
        "link property add dev v0 altname ci7",
        "tuntap add old mode tap",
        "link add br0 type bridge",
    ] {
        host.ip_in("a", words);
    }
    let before = host.snapshot(&["a"]);
    let taken = json!({"errno": 17, "errno_name": "EEXIST", "field": "link", "may_have_changed": false});
    let tun = |fields: Value| json!({"tun": fields});
    let cases = [
        ("old", json!({}), "AlreadyExists", taken.clone()),
        ("v0", json!({}), "AlreadyExists", taken.clone()),
        ("ci7", json!({}), "AlreadyExists", taken),
        // By then the link is made, and not yet complete.
        ("new", json!({"mtu": 10}), "KernelRefused", json!({"errno": 22, "may_have_changed": false})),
        ("new", json!({"mac": "ff:ff:ff:ff:ff:ff"}), "KernelRefused", json!({"errno": 99, "may_have_changed": false})),
        ("new", json!({"mac": "02:00:00:00:00:00:01"}), "InvalidRequest", json!({"field": "mac"})),
        ("new", json!({"mac": "02:00"}), "InvalidRequest", json!({"field": "mac"})),
        ("new", json!({"master": "v0", "up": true}), "NotSupported", json!({"errno": 95, "may_have_changed": false})),
        ("new", json!({"master": "br0", "tun": {"mode": "tun"}}), "KernelRefused", json!({"errno": 22})),
        ("new", json!({"master": "absent"}), "NoSuchLink", json!({"field": "master"})),
        ("new", tun(json!({})), "InvalidRequest", json!({"field": "tun.mode"})),
        ("new", tun(json!({"mode": "veth"})), "InvalidRequest", json!({"field": "tun.mode"})),
        ("new", tun(json!({"mode": "tap", "owner": 0xffff_ffff_u32})), "InvalidRequest", json!({"field": "tun.owner"})),
        ("new", json!({"mac": "02:00:00:00:00:01", "tun": {"mode": "tun"}}), "InvalidRequest", json!({"field": "mac"})),
        ("new", json!({"netns": "absent"}), "NoSuchNetns", json!({"field": "netns"})),
        ("new", json!({"tx_queues": 2}), "InvalidRequest", json!({"field": "tx_queues"})),
        ("new", json!({"rx_queues": 2}), "InvalidRequest", json!({"field": "rx_queues"})),
        ("new", tun(json!({"mode": "tap", "no_owner": false})), "InvalidRequest", json!({"field": "tun.no_owner"})),
        (
            "new",
            tun(json!({"mode": "tap", "no_owner": true, "owner": BOB})),
            "InvalidRequest",
            json!({"field": "tun.owner"}),
        ),
        // No secret is set, and the kernel says so after the link is made.
        (
            "new",
            json!({"addrgenmode": "stable_privacy", "up": true}),
            "KernelRefused",
            json!({"field": "addrgenmode", "errno": 22, "may_have_changed": false}),
        ),
    ];
    for (link, fields, error, told) in cases {
        let reply = add(&host, "a", link, &fields);
        assert_eq!(reply.error(), format!("io.netbroker.Link.{error}"), "{link} {fields}: {reply}");
        for (name, value) in told.as_object().unwrap() {
            assert_eq!(&reply.get(name), value, "{name}: {reply}");
        }
        assert_eq!(host.snapshot(&["a"]), before, "{link} {fields}");
    }
}

#[test]
fn a_device_that_cannot_be_opened_is_named_with_its_mode() {
    let host = open_host();
    let before = host.snapshot(&[]);
    let refused = |why: &str, errno: i32| {
        let reply = add(&host, "@host", "t0", &json!({}));
        assert_eq!(reply.error(), "io.netbroker.Link.NotSupported", "{reply}");
        let told = (reply.get("message"), reply.get("errno"), reply.get("field"), reply.get("may_have_changed"));
        assert_eq!((told.1, told.2, told.3), (json!(errno), json!("kind"), json!(false)), "{reply}");
        assert!(told.0.as_str().unwrap().starts_with(why), "{reply}");
        assert_eq!(host.snapshot(&[]), before);
    };
    // Alice's rules for namespaces need CAP_DAC_OVERRIDE. It must not open this device.
    host.sh("chmod 600 /dev/net/tun");
    refused("/dev/net/tun has mode 0600 and owner 0:0", 13);
    host.sh("rm /dev/net/tun");
    refused("/dev/net/tun does not exist", 2);
    host.sh("mknod -m 666 /dev/net/tun c 1 3");
    refused("/dev/net/tun is not a TUN/TAP device", 19);
    host.sh("rm /dev/net/tun; ln -s /dev/null /dev/net/tun");
    refused("/dev/net/tun is not a TUN/TAP device", 40);
    host.sh("rm /dev/net/tun; mkfifo -m 666 /dev/net/tun");
    refused("/dev/net/tun is not a TUN/TAP device", 19);
}

#[test]
fn a_tap_that_a_program_holds_for_itself_is_not_the_one_that_was_asked_for() {
    let host = open_host();
    let hold = r#"sysopen(my $tun, "/dev/net/tun", 2) or die; my $request = pack("a16 S x22", "t0", 0x1002);
                  ioctl($tun, 0x400454ca, $request) or die "$!"; print "held\n"; sleep 60"#;
    let _held = host.background(&format!("exec perl -e '{hold}'"));
    while host.run(&["ip", "link", "show", "t0"]).status() != 0 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let reply = add(&host, "@host", "t0", &json!({"exists_ok": true}));
    assert_eq!((reply.error().as_str(), reply.status()), ("io.netbroker.Link.Busy", 75), "{reply}");
    let list = host.caller().call("Link.List", json!({"netns": "@host", "link": "t0"})).ok();
    let tun = json!({"mode": "tap", "multi_queue": false, "vnet_hdr": false, "persist": false});
    assert_eq!(list["links"][0]["tun"], tun);
}

#[test]
fn of_many_who_make_the_same_tap_at_once_each_gets_it_or_is_told_to_ask_again() {
    let host = open_host();
    let tap =
        json!({"netns": "@host", "link": "t0", "kind": "tun", "exists_ok": true, "tun": {"mode": "tap", "group": 7}});
    let bytes = format!("{}\0", json!({"method": "io.netbroker.Link.Add", "parameters": tap}));
    for _ in 0..10 {
        let mut all: Vec<_> = (0..20).map(|_| host.caller().start()).collect();
        all.iter_mut().for_each(|running| running.send(bytes.as_bytes()));
        let replies: Vec<Reply> = all.into_iter().map(|running| running.finish()).collect();
        let index = host.ip("-o link show t0").split(':').next().unwrap().parse::<u32>().unwrap();
        let (made, others): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status() == 0);
        assert!(!made.is_empty());
        made.into_iter().for_each(|reply| assert_eq!(reply.ok(), json!({"link_index": index})));
        others.iter().for_each(|reply| assert_eq!(reply.error(), "io.netbroker.Link.Busy", "{reply}"));
        assert!(host.ip("-d link show t0").contains("persist on user alice group"));
        host.ip("link del t0");
    }
}

#[test]
fn who_owns_a_tap_is_the_policys_to_say() {
    let host = Host::new();
    let rule = |owner: &str| {
        format!(
            "[[allow]]\nid = \"taps\"\nwho = \"*\"\ncall = \"Link.Add\"\nkind = \"tun\"\nnetns = \"@host\"\n\
             link = \"t*\"\ntun.mode = \"tap\"\n{owner}"
        )
    };
    let own = json!({"tun": {"mode": "tap", "owner": ALICE}});
    let other = json!({"tun": {"mode": "tap", "owner": BOB}});
    for (at, line) in ["", "tun.owner = \"{uid}\"\n"].into_iter().enumerate() {
        host.policy(&rule(line));
        let reply = add(&host, "@host", "t9", &other);
        assert_eq!((reply.error().as_str(), reply.get("field")), ("io.netbroker.Link.Denied", json!("tun.owner")));
        add(&host, "@host", &format!("t{at}a"), &own).ok();
        add(&host, "@host", &format!("t{at}b"), &json!({})).ok();
    }
    host.policy(&rule(&format!("tun.owner = {BOB}\n")));
    add(&host, "@host", "t3", &other).ok();
    assert_eq!(add(&host, "@host", "t9", &json!({})).error(), "io.netbroker.Link.Denied");
    let nobodys = json!({"tun": {"mode": "tap", "no_owner": true}});
    let reply = add(&host, "@host", "t9", &nobodys);
    assert_eq!((reply.error().as_str(), reply.get("field")), ("io.netbroker.Link.Denied", json!("tun.no_owner")));
    assert!(!host.ip("link show").contains("t9"));
    host.policy(&rule("tun.no_owner = true\n"));
    add(&host, "@host", "t4", &nobodys).ok();
}
