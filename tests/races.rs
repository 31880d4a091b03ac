// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Names move between links while requests run. What changes is the link that had the name when it was looked up, or
//! nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::open_host as host;
use common::tracer;
use common::{Host, Reply};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Everything that is reported of a link, except its other names and what depends on its carrier.
fn picture(host: &Host, link: &str) -> Value {
    let mut told: Value = serde_json::from_str(&host.ip(&format!("-d -j addr show dev {link}"))).unwrap();
    let link = told.as_array_mut().unwrap().iter_mut().find(|link| link["ifname"].is_string()).unwrap();
    for name in ["altnames", "operstate", "flags"] {
        link.as_object_mut().unwrap().remove(name);
    }
    link.take()
}

/// The possible outcomes of a request on `ci7` while the name moves.
fn outcome(reply: &Reply) -> &'static str {
    match reply.status() {
        0 => "done",
        _ if reply.error().ends_with(".Busy") => "busy",
        _ if reply.error().ends_with(".NoSuchLink") => match reply.get("reason").as_str().unwrap() {
            "absent" => "absent",
            "alternative_name" => "alternative_name",
            other => panic!("{other}: {reply}"),
        },
        _ => panic!("{reply}"),
    }
}

/// Runs requests of two callers on `ci7` in parallel with a script of `ip -batch`, until each outcome was seen. Returns how
/// many changes by name were done, and after how many of them `eth0` had been changed. The alias of `eth0` is then
/// `uplink` again.
fn requests_beside(host: &Host, script: &str, expected: &[&str]) -> (usize, usize) {
    let stop = AtomicBool::new(false);
    let (set, astray) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let renames = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // Many changes in a short time, then each state for a while.
                let slowly = script.replace('\n', "; sleep 0.002; ip ");
                host.sh(&format!(
                    "for i in 1 2 3 4 5; do echo '{script}'; done | ip -batch -; ip {slowly}; sleep 0.002"
                ));
            }
        });
        let caller = |number: usize| {
            let mut seen: Vec<&str> = Vec::new();
            for at in 0.. {
                let on = json!({"netns": "@host", "link": "ci7"});
                let (method, changes) = match at % 4 {
                    0 => ("Link.Set", json!({"mtu": 1400 + at % 50, "alias": "mine"})),
                    1 => ("Address.Add", json!({"address": format!("10.{number}.{}.{}/32", at / 250, at % 250 + 1)})),
                    2 => (
                        "Link.Set",
                        json!({"alias": "mine", "mac": "02:00:00:00:00:77", "txqueuelen": 7, "promisc": true}),
                    ),
                    _ => ("Address.Delete", json!({"address": "192.0.2.1/24", "missing_ok": true})),
                };
                let mut fields = on;
                fields.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
                let outcome = outcome(&host.caller().call(method, fields));
                if (method, outcome) == ("Link.Set", "done") {
                    set.fetch_add(1, Ordering::Relaxed);
                    if picture(host, "eth0")["ifalias"] != "uplink" {
                        host.ip("link set eth0 alias uplink");
                        astray.fetch_add(1, Ordering::Relaxed);
                    }
                }
                if method != "Address.Delete" && !seen.contains(&outcome) {
                    seen.push(outcome);
                }
                if at >= 100 && expected.iter().all(|one| seen.contains(one)) || at >= 1000 {
                    break;
                }
            }
            seen.sort_unstable();
            seen
        };
        let callers: Vec<_> = (1..=2).map(|number| scope.spawn(move || caller(number))).collect();
        let seen: Vec<_> = callers.into_iter().map(|caller| caller.join()).collect();
        stop.store(true, Ordering::Relaxed);
        renames.join().unwrap();
        for seen in seen.into_iter().map(Result::unwrap) {
            assert!(expected.iter().all(|one| seen.contains(one)), "{expected:?} were to be seen, and {seen:?} were");
        }
    });
    (set.into_inner(), astray.into_inner())
}

/// In the few microseconds between the last look-up and the change, the name can still move (SECURITY.md, "What is not
/// protected"), and a busy machine can stop the broker just there.
#[test]
fn an_uplink_that_only_answers_to_the_name_is_hardly_ever_changed() {
    let host = host();
    host.ip("link add eth0 mtu 1500 type veth peer name eth1");
    host.ip("link set eth0 alias uplink");
    host.ip("addr add 192.0.2.1/24 dev eth0");
    host.ip("link add ci7 type veth peer name ci8");
    let before = picture(&host, "eth0");
    let script = "link set ci7 name tmp0\nlink property add dev eth0 altname ci7\n\
                  link property del dev eth0 altname ci7\nlink set tmp0 name ci7";
    let (set, astray) = requests_beside(&host, script, &["done", "alternative_name"]);
    eprintln!("{astray} of {set} permitted Link.Set changed the link that had the name as an alternative name");
    assert!(astray <= 1 + set / 20, "{astray} of {set}");
    if astray == 0 {
        assert_eq!(picture(&host, "eth0"), before);
    }
    assert_eq!(picture(&host, "ci7")["ifalias"], json!("mine"));
}

#[test]
fn a_link_that_is_made_again_and_again_is_changed_or_absent_and_its_neighbours_stay() {
    let host = host();
    host.ip("link add eth0 mtu 1500 type veth peer name ci70");
    host.ip("link set eth0 alias uplink");
    host.ip("addr add 192.0.2.1/24 dev eth0");
    host.ip("link add ci7 type bridge");
    let before = (picture(&host, "eth0"), picture(&host, "ci70"));
    let (_, astray) = requests_beside(&host, "link del ci7\nlink add ci7 type bridge", &["done"]);
    assert_eq!(astray, 0);
    assert_eq!((picture(&host, "eth0"), picture(&host, "ci70")), before);
}

/// A call whose second netlink message, which looks the link up again, is held back; and what happens to the names
/// meanwhile.
struct Held {
    method: &'static str,
    changes: Value,
    /// The error; empty where the call must succeed.
    refused: &'static str,
    /// What happens, with `L` for the link, `O` for another and `M` for a third name.
    meanwhile: &'static [&'static str],
}

const DELETED: &[&str] = &["link del L"];
const MADE_AGAIN: &[&str] = &["link del L", "link add L type veth peer name M"];
const REPLACED: &[&str] = &["link del L", "link set O name L"];
const RENAMED: &[&str] = &["link set L name M"];
const SWAPPED: &[&str] = &["link set L name M", "link set O name L"];
const ALTERNATIVE: &[&str] = &["link set L name M", "link property add dev O altname L"];

#[test]
fn what_happens_between_looking_up_and_acting_reaches_no_other_link() {
    let host = host();
    let set = || json!({"mtu": 1400, "alias": "mine"});
    let address = || json!({"address": "10.0.0.1/32"});
    let every = [
        (DELETED, "NoSuchLink"),
        (MADE_AGAIN, "Busy"),
        (REPLACED, "Busy"),
        (SWAPPED, "Busy"),
        (RENAMED, "NoSuchLink"),
        (ALTERNATIVE, "NoSuchLink"),
    ];
    let mut cases: Vec<Held> = every
        .into_iter()
        .flat_map(|(meanwhile, refused)| {
            [("Link.Set", set()), ("Address.Add", address()), ("Link.Delete", json!({}))]
                .map(|(method, changes)| Held { method, changes, refused, meanwhile })
        })
        .collect();
    // A call of three messages. The second finds that the link no longer exists. Where an absent link is not an error,
    // this is not one.
    let delete = |missing_ok: bool| json!({"address": "10.0.0.9/32", "missing_ok": missing_ok});
    for (method, changes, refused) in [
        ("Address.Delete", delete(false), "NoSuchLink"),
        ("Address.Delete", delete(true), "NoSuchLink"),
        ("Link.Delete", json!({"missing_ok": true}), ""),
    ] {
        cases.push(Held { method, changes, refused, meanwhile: DELETED });
    }
    let named = |at: usize, words: &str| {
        words.replace('L', &format!("l{at}x")).replace('O', &format!("o{at}x")).replace('M', &format!("m{at}x"))
    };
    for at in 0..cases.len() {
        host.ip(&named(at, "link add L type veth peer name pL"));
        host.ip(&named(at, "link add O type veth peer name pO"));
    }
    let index = |link: &str| host.sh(&format!("ip -o link show {link} | cut -d: -f1")).trim().to_owned();
    let indexes: Vec<_> = (0..cases.len()).map(|at| (index(&named(at, "L")), index(&named(at, "O")))).collect();
    let others: Vec<Value> = (0..cases.len()).map(|at| picture(&host, &named(at, "O"))).collect();

    for (at, case) in cases.iter().enumerate() {
        let mut fields = json!({"netns": "@host", "link": named(at, "L")});
        fields.as_object_mut().unwrap().extend(case.changes.as_object().unwrap().clone());
        let meanwhile = || case.meanwhile.iter().for_each(|words| drop(host.ip(&named(at, words))));
        let reply = held_back(&host, 3, case.method, &fields, meanwhile);
        let what = format!("{} {:?}: {reply}", case.method, case.meanwhile);
        match case.refused {
            "" => assert_eq!(reply.status(), 0, "{what}"),
            "NoSuchLink" => {
                assert!(reply.error().ends_with(".NoSuchLink"), "{what}");
                assert_eq!((reply.get("field"), reply.get("errno")), (json!("link"), json!(19)), "{what}");
                let reason = if case.meanwhile == ALTERNATIVE { "alternative_name" } else { "absent" };
                assert_eq!(reply.get("reason"), reason, "{what}");
            }
            _ => {
                assert!(reply.error().ends_with(".Busy"), "{what}");
                let name = named(at, "L");
                assert_eq!(reply.get("reason"), format!("link: another link took the name `{name}` in the meantime"));
            }
        }
    }

    // Nothing was changed: neither the link that was looked up nor any other.
    for (at, case) in cases.iter().enumerate() {
        let what = format!("{} {:?}", case.method, case.meanwhile);
        let by_index = |index: &str| {
            host.sh(&format!("ip -o addr show | grep '^{index}:' || true; ip -o link show | grep '^{index}: ' || true"))
        };
        let (own, other) = (by_index(&indexes[at].0), by_index(&indexes[at].1));
        assert_eq!(own.is_empty(), !matches!(case.meanwhile, SWAPPED | RENAMED | ALTERNATIVE), "{what}: {own}");
        for link in [&own, &other] {
            assert!(!link.contains("1400") && !link.contains("10.0.0.1") && !link.contains("mine"), "{what}: {link}");
        }
        assert!(!other.is_empty(), "{what}");
        let name = if matches!(case.meanwhile, SWAPPED | REPLACED) { named(at, "L") } else { named(at, "O") };
        let mut now = picture(&host, &name);
        now["ifname"] = others[at]["ifname"].clone();
        assert_eq!(now, others[at], "{what}");
    }
}

/// A call that is held back until `meanwhile` is done: it looks the link up, looks it up again, and makes the change.
fn held_back(host: &Host, nth: usize, method: &str, fields: &Value, meanwhile: impl Fn()) -> Reply {
    tracer::held_back(host, nth, method, fields, meanwhile)
        .unwrap_or_else(|(reply, sent)| panic!("{method}: {sent} messages: {reply}"))
}

#[test]
fn a_link_that_is_renamed_right_before_a_change_by_index_is_in_the_reply_and_in_the_record() {
    let host = host();
    host.ip("link add ci7 up type bridge");
    let fields = |more: Value| {
        let mut fields = json!({"netns": "@host", "link": "ci7"});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fields
    };
    let address = |last: u8| fields(json!({"address": format!("10.0.0.{last}/32")}));
    let changes = [
        ("Address.Add", address(1)),
        ("Address.Add", address(2)),
        ("Neighbour.Replace", fields(json!({"address": "10.0.0.9", "mac": "02:00:00:00:00:09"}))),
        ("Route.Add", fields(json!({"destination": "10.9.0.0/16"}))),
        ("Link.Add", json!({"netns": "@host", "link": "n0", "kind": "macvlan", "parent": "ci7"})),
        ("Link.Add", json!({"netns": "@host", "link": "n1", "kind": "ifb", "master": "ci7"})),
    ];
    for (at, (method, fields)) in changes.into_iter().enumerate() {
        host.forget_trail();
        let what = format!("{method} {fields}");
        let meanwhile = if at == 1 {
            "ip link set ci7 name eth0; ip link add ci7 type bridge"
        } else {
            "ip link set ci7 name eth0"
        };
        let reply = held_back(&host, 4, method, &fields, || drop(host.sh(meanwhile)));
        let field = ["parent", "master"].into_iter().find(|name| fields[*name].is_string()).unwrap_or("link");
        assert_eq!((reply.status(), reply.get("changed_meanwhile")), (0, json!([field])), "{what}: {reply}");
        assert_eq!(host.trail_where("NETBROKER_CHANGED_MEANWHILE", field).len(), 1, "{what}");
        host.sh("ip link del ci7 2>/dev/null || true; ip link set eth0 name ci7");
    }
    let quiet = host.caller().call("Address.Add", address(3));
    assert_eq!(quiet.ok(), json!({}));
}

#[test]
fn half_a_change_on_a_renamed_link_is_told_as_such() {
    let host = host();
    host.sh("ip link add brx type bridge; ip tuntap add t0 mode tap; ip link set t0 up");
    host.forget_trail();
    let fields = json!({"netns": "@host", "link": "t0", "master": "brx", "txqueuelen": 4_294_967_295_u32});
    let reply = held_back(&host, 6, "Link.Set", &fields, || drop(host.ip("link set brx name eth0")));
    assert_eq!((reply.status(), reply.get("may_have_changed")), (1, json!(true)), "{reply}");
    assert!(host.ip("link show t0").contains("master eth0"), "the kernel did the first half");
    assert_eq!(reply.get("changed_meanwhile"), json!(["master"]), "{reply}");
    assert_eq!(host.trail_where("NETBROKER_CHANGED_MEANWHILE", "master").len(), 1);
}

#[test]
fn what_is_there_already_on_a_renamed_link_is_told_as_such() {
    let host = host();
    host.sh("ip link add ci7 up type bridge; ip addr add 10.0.0.1/32 dev ci7");
    let fields = json!({"netns": "@host", "link": "ci7", "address": "10.0.0.1/32", "exists_ok": true});
    let reply = held_back(&host, 4, "Address.Add", &fields, || drop(host.ip("link set ci7 name eth0")));
    assert_eq!((reply.status(), reply.get("changed_meanwhile")), (0, json!(["link"])), "{reply}");
}

#[test]
fn a_new_tap_whose_name_changes_hands_gives_nothing_to_the_link_that_has_it_then() {
    let host = host();
    host.ip("link add eth0 type bridge");
    let before = picture(&host, "eth0");
    let fields =
        json!({"netns": "@host", "link": "t0", "kind": "tun", "tun": {"mode": "tap"}, "mtu": 1400, "alias": "mine"});
    let swap = || drop(host.sh("ip link set t0 name t1; ip link set eth0 name t0"));
    // Before it is looked up, and before it is looked up again: the tap does not remain.
    for nth in [2, 3] {
        let reply = held_back(&host, nth, "Link.Add", &fields, swap);
        assert_eq!(reply.error(), "io.netbroker.Link.Busy", "{nth}: {reply}");
        host.sh("ip link set t0 name eth0; ! ip link show t1 2>/dev/null");
        assert_eq!(picture(&host, "eth0"), before, "{nth}");
    }
    // Right before the change: the tap is the link that changes.
    let reply = held_back(&host, 4, "Link.Add", &fields, swap);
    assert_eq!((reply.status(), reply.get("changed_meanwhile")), (0, json!(["link"])), "{reply}");
    let tap = picture(&host, "t1");
    assert_eq!(
        (&tap["mtu"], &tap["ifalias"], &tap["ifindex"]),
        (&json!(1400), &json!("mine"), &reply.get("link_index"))
    );
    host.ip("link set t0 name eth0");
    assert_eq!(picture(&host, "eth0"), before);
}

/// The kernel does not report which link a new vxlan is, so it is looked up by its name.
#[test]
fn a_new_link_whose_name_changes_hands_gives_nothing_to_a_link_of_another_kind_that_has_it_then() {
    let host = host();
    host.sh("ip link add eth0 type bridge; ip link add ok0 type bridge");
    let before = picture(&host, "eth0");
    let swap = || drop(host.sh("ip link set x0 name x1; ip link set eth0 name x0"));
    for more in [json!({"alias": "mine"}), json!({"alias": "mine", "parent": "ok0"})] {
        let mut fields = json!({"netns": "@host", "link": "x0", "kind": "vxlan", "vxlan": {"id": 7}});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        // The record, look-ups of the parent, the message that makes the link; then the look-up, and the alias.
        let look_up = if fields["parent"].is_string() { 5 } else { 3 };
        let reply = held_back(&host, look_up, "Link.Add", &fields, swap);
        assert_eq!((reply.status(), reply.get("may_have_changed")), (1, json!(true)), "{fields}: {reply}");
        host.sh("ip link set x0 name eth0; ip link del x1");
        assert_eq!(picture(&host, "eth0"), before, "{fields}");
    }
    let fields = json!({"netns": "@host", "link": "x0", "kind": "vxlan", "vxlan": {"id": 7}, "alias": "mine"});
    let reply = held_back(&host, 4, "Link.Add", &fields, swap);
    let made = picture(&host, "x1");
    assert_eq!((reply.status(), reply.get("link_index")), (0, made["ifindex"].clone()), "{reply}");
    assert_eq!(made["ifalias"], "mine");
    host.ip("link set x0 name eth0");
    assert_eq!(picture(&host, "eth0"), before);
}

#[test]
fn a_link_that_is_renamed_right_before_a_change_by_name_is_not_changed() {
    let host = host();
    host.ip("link add ci7 type bridge");
    let of = |more: Value| {
        let mut fields = json!({"netns": "@host", "link": "ci7"});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fields
    };
    let before = picture(&host, "ci7");
    for (method, fields) in [("Link.Set", of(json!({"mtu": 1400, "promisc": true}))), ("Link.Delete", of(json!({})))] {
        let reply = held_back(&host, 4, method, &fields, || drop(host.ip("link set ci7 name eth0")));
        assert_eq!(reply.error(), "io.netbroker.Link.NoSuchLink", "{reply}");
        host.ip("link set eth0 name ci7");
        assert_eq!(picture(&host, "ci7"), before);
    }
    // The link that has the name by then is the permitted one.
    let fields = of(json!({"mtu": 1400}));
    let replace = || drop(host.sh("ip link set ci7 name eth0; ip link add ci7 type bridge"));
    let reply = held_back(&host, 4, "Link.Set", &fields, replace);
    assert_eq!(reply.ok(), json!({}));
    assert_eq!(picture(&host, "ci7")["mtu"], 1400);
    let mut other = picture(&host, "eth0");
    other["ifname"] = json!("ci7");
    assert_eq!(other, before);
}

#[test]
fn a_link_that_gets_the_name_as_an_alternative_one_right_before_a_change_by_name_is_in_the_reply_and_in_the_record() {
    let host = host();
    host.sh("ip link add eth0 type bridge; ip link add ci7 type bridge");
    let swap = || drop(host.sh("ip link set ci7 name tmp0; ip link property add dev eth0 altname ci7"));
    for (method, changes) in [("Link.Set", json!({"mtu": 1400})), ("Link.Delete", json!({}))] {
        host.forget_trail();
        let mut fields = json!({"netns": "@host", "link": "ci7"});
        fields.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let reply = held_back(&host, 4, method, &fields, swap);
        assert_eq!((reply.status(), reply.get("changed_meanwhile")), (0, json!(["link"])), "{method}: {reply}");
        assert_eq!(host.trail_where("NETBROKER_CHANGED_MEANWHILE", "link").len(), 1, "{method}");
        if method == "Link.Set" {
            assert_eq!(picture(&host, "eth0")["mtu"], 1400);
            host.sh("ip link property del dev eth0 altname ci7; ip link set tmp0 name ci7");
        }
    }
    host.sh("! ip link show eth0 2>/dev/null; ip link show tmp0");

    // A link with others that vanish together with it, and one that has an alternative name itself.
    host.sh("ip link add ci8 type veth peer name p8; ip link property add dev ci8 altname long-name");
    let quiet = |method: &str, more: Value| {
        let mut fields = json!({"netns": "@host", "link": "ci8"});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(host.caller().call(method, fields).ok(), json!({}), "{method}");
    };
    quiet("Link.Set", json!({"mtu": 1400}));
    quiet("Link.Set", json!({"add_altname": "other-name"}));
    quiet("Link.Delete", json!({}));
}

#[test]
fn a_listing_of_one_link_that_is_renamed_while_it_is_read_is_interrupted() {
    let host = host();
    host.ip("link add ci7 up type bridge");
    host.ip("addr add 10.0.0.1/24 dev ci7");
    host.ip("neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev ci7");
    for method in ["Address.List", "Neighbour.List", "Route.List"] {
        let fields = json!({"netns": "@host", "link": "ci7"});
        let reply = held_back(&host, 3, method, &fields, || drop(host.ip("link set ci7 name eth0")));
        assert!(reply.error().ends_with(".Interrupted"), "{method}: {reply}");
        host.ip("link set eth0 name ci7");
        assert_eq!(host.caller().call(method, fields).status(), 0, "{method}");
    }
}

/// Renames `ci7` to `eth0` and back without a pause, until it is stopped.
const RENAMES: &str = "while [ ! -e /run/scratch/stop ]; do for i in $(seq 50); do echo link set ci7 name eth0; \
                       echo link set eth0 name ci7; done | ip -batch -; done";

/// What a monitor reported, in the order of the kernel's changes.
enum Event {
    /// The link has this name, and this MTU.
    Link(String, u64),
    /// An address was added.
    Address(String),
}

fn events(log: &str) -> Vec<Event> {
    let after = |line: &str, word: &str| {
        let mut words = line.split_whitespace().skip_while(|other| *other != word);
        words.nth(1).map(ToOwned::to_owned)
    };
    let event = |line: &str| match (after(line, "inet"), after(line, "mtu")) {
        (Some(address), _) => Some(Event::Address(address)),
        (_, Some(mtu)) => {
            let name = line.split(": ").nth(1)?.split('@').next()?;
            Some(Event::Link(name.to_owned(), mtu.parse().ok()?))
        }
        _ => None,
    };
    log.lines().filter_map(event).collect()
}

/// The requests that changed `ci7`, those that did while its name was `eth0`, and those among them whose reply did not
/// report it: the name was back before the broker looked again.
#[derive(Debug, Default)]
struct Hits {
    done: usize,
    under_another_name: usize,
    unreported: usize,
    reported_without_a_hit: usize,
}

#[test]
fn a_link_that_is_renamed_all_the_time_is_changed_by_name_under_its_name_only() {
    let host = host();
    host.ip("link add ci7 up type bridge");
    let mut monitor = host.command("sh");
    let mut monitor = monitor
        .args(["-c", "exec ip -rcvbuf 200000000 -o monitor link address >/run/scratch/events 2>/run/scratch/lost"])
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let replies: Vec<Reply> = std::thread::scope(|scope| {
        let renames = scope.spawn(|| host.sh(RENAMES));
        let (mut replies, mut done) = (Vec::new(), [0, 0]);
        while replies.len() < 200 || (done.iter().any(|count| *count <= 20) && replies.len() < 2000) {
            let at = replies.len();
            let (method, changes) = match at % 2 {
                0 => ("Link.Set", json!({"netns": "@host", "link": "ci7", "mtu": 1000 + at})),
                _ => ("Address.Add", json!({"netns": "@host", "link": "ci7", "address": address_of(at)})),
            };
            replies.push(host.caller().call(method, changes));
            done[at % 2] += usize::from(replies[at].status() == 0);
        }
        host.sh("touch /run/scratch/stop");
        renames.join().unwrap();
        replies
    });
    host.sh("sleep 0.3");
    monitor.kill().unwrap();
    monitor.wait().unwrap();
    let mut refused = std::collections::BTreeMap::new();
    let (mut by_name, mut by_index) = (Hits::default(), Hits::default());
    assert_eq!(host.sh("cat /run/scratch/lost"), "", "the monitor reports every event");
    let events = events(&host.sh("cat /run/scratch/events"));
    for (at, reply) in replies.iter().enumerate() {
        if reply.status() != 0 {
            let expected = [".NoSuchLink", ".Busy"].iter().any(|error| reply.error().ends_with(error));
            assert!(expected, "{reply}");
            *refused.entry(reply.error()).or_insert(0) += 1;
            continue;
        }
        let mut name = "";
        for event in &events {
            match event {
                Event::Link(now, mtu) => {
                    name = now;
                    if *mtu == 1000 + u64::try_from(at).unwrap() {
                        break;
                    }
                }
                Event::Address(address) if at % 2 == 1 && *address == address_of(at) => break,
                Event::Address(_) => {}
            }
        }
        let hits = if at % 2 == 0 { &mut by_name } else { &mut by_index };
        hits.done += 1;
        hits.under_another_name += usize::from(name != "ci7");
        hits.unreported += usize::from(name != "ci7" && reply.parameters()["changed_meanwhile"] != json!(["link"]));
        hits.reported_without_a_hit += usize::from(name == "ci7" && !reply.parameters()["changed_meanwhile"].is_null());
    }
    println!("by name: {by_name:?}, by index: {by_index:?}, refused {refused:?}");
    assert!(by_name.done > 20 && by_index.done > 20, "{by_name:?} {by_index:?}");
    assert_eq!(by_name.under_another_name, 0);
    // How many changes by index meet another name depends on how fast the programs are: the link may be renamed between the
    // last look-up and the change. The tests above hold a request back in each of these places.
}

fn address_of(at: usize) -> String {
    format!("10.7.{}.{}/32", at / 250, at % 250 + 1)
}

#[test]
fn a_link_that_is_renamed_while_it_is_deleted_by_its_index_stays_or_is_in_the_reply_and_in_the_record() {
    let host = host();
    let delete = |more: bool| json!({"netns": "@host", "index": 700, "missing_ok": more});
    let make = || drop(host.ip("link add x{} index 700 type bridge"));
    let rename = || drop(host.ip("link set x{} name eth0"));
    let remove = || drop(host.ip("link del x{}"));
    make();
    let reply = held_back(&host, 3, "Link.Delete", &delete(true), rename);
    assert_eq!(reply.error(), "io.netbroker.Link.Busy", "{reply}");
    assert!(host.ip("-o link show eth0").starts_with("700:"));
    host.ip("link set eth0 name x{}");
    for nth in [3, 4] {
        let reply = held_back(&host, nth, "Link.Delete", &delete(true), remove);
        assert_eq!(reply.ok(), json!({}));
        make();
        let reply = held_back(&host, nth, "Link.Delete", &delete(false), remove);
        assert_eq!((reply.error().as_str(), reply.get("field")), ("io.netbroker.Link.NoSuchLink", json!("index")));
        make();
    }
    // Right before the change, it is too late to notice. The kernel reports the name of what it removed.
    let reply = held_back(&host, 4, "Link.Delete", &delete(false), rename);
    assert_eq!(reply.ok(), json!({"changed_meanwhile": ["index"]}));
    assert!(!host.ip("link").contains("eth0"));
    assert_eq!(host.trail().last().unwrap().field("NETBROKER_CHANGED_MEANWHILE"), "index");
}

#[test]
fn a_listing_of_the_ports_of_a_link_that_is_renamed_while_it_is_read_is_interrupted() {
    let host = host();
    host.ip("link add ci7 type bridge");
    let fields = json!({"netns": "@host", "master": "ci7"});
    for nth in [3, 4] {
        let reply = held_back(&host, nth, "Link.List", &fields, || drop(host.ip("link set ci7 name eth0")));
        assert!(reply.error().ends_with(".Interrupted"), "{reply}");
        host.ip("link set eth0 name ci7");
    }
    let reply = held_back(&host, 4, "Link.List", &fields, || drop(host.ip("link del ci7")));
    assert_eq!((reply.error().as_str(), reply.get("field")), ("io.netbroker.Link.NoSuchLink", json!("master")));
}

/// An error that means that nothing was done would be wrong.
#[test]
fn a_flush_whose_link_is_renamed_in_the_middle_says_that_something_may_have_changed() {
    let host = host();
    host.ip("link add ci7 up type bridge");
    for (method, words) in [
        ("Address.Flush", "addr add 10.0.0.LAST/32 dev ci7"),
        ("Neighbour.Flush", "neigh add 10.0.0.LAST lladdr 02:00:00:00:00:09 nud stale dev ci7"),
    ] {
        for last in ["1", "2", "3"] {
            host.ip(&words.replace("LAST", last));
        }
        let fields = json!({"netns": "@host", "link": "ci7", "family": "inet"});
        // The look-up, the listing, and for each deletion a look-up before and after it.
        let reply = held_back(&host, 6, method, &fields, || drop(host.ip("link set ci7 name eth0")));
        assert!(reply.error().ends_with(".KernelRefused"), "{method}: {reply}");
        assert_eq!(reply.get("may_have_changed"), json!(true), "{method}: {reply}");
        assert!(host.trail().last().unwrap().field("NETBROKER_RESULT").contains("may_have_changed"), "{method}");
        host.ip("link set eth0 name ci7");
        assert_eq!(host.caller().call(method, fields).ok(), json!({"deleted": 2}), "{method}");
    }
    // Before the first deletion, nothing was done.
    host.ip("addr add 10.0.0.1/32 dev ci7");
    let fields = json!({"netns": "@host", "link": "ci7"});
    let reply = held_back(&host, 3, "Address.Flush", &fields, || drop(host.ip("link set ci7 name eth0")));
    assert!(reply.error().ends_with(".NoSuchLink"), "{reply}");
}
