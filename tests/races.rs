// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Names change hands while requests run: what changes is the link that was called so when it was looked up, or nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::scene::open_host as host;
use common::{Host, Reply};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// All that is told of a link, but its other names and what its carrier brings about.
fn picture(host: &Host, link: &str) -> Value {
    let mut told: Value = serde_json::from_str(&host.ip(&format!("-d -j addr show dev {link}"))).unwrap();
    let link = told.as_array_mut().unwrap().iter_mut().find(|link| link["ifname"].is_string()).unwrap();
    for name in ["altnames", "operstate", "flags"] {
        link.as_object_mut().unwrap().remove(name);
    }
    link.take()
}

/// What a request on `ci7` may come to while the name is on its way.
fn outcome(reply: &Reply) -> &'static str {
    match reply.status() {
        0 => "done",
        _ if reply.error().ends_with(".NoSuchLink") => match reply.get("reason").as_str().unwrap() {
            "absent" => "absent",
            "alternative_name" => "alternative_name",
            other => panic!("{other}: {reply}"),
        },
        _ => panic!("{reply}"),
    }
}

/// Runs requests of two callers on `ci7` beside a script of `ip -batch`, until 200 are done and each outcome was seen.
fn requests_beside(host: &Host, script: &str, expected: &[&str]) {
    let stop = AtomicBool::new(false);
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
                    2 => ("Link.Set", json!({"mac": "02:00:00:00:00:77", "txqueuelen": 7, "promisc": true})),
                    _ => ("Address.Delete", json!({"address": "192.0.2.1/24", "missing_ok": true})),
                };
                let mut fields = on;
                fields.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
                let outcome = outcome(&host.caller().call(method, fields));
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
}

#[test]
fn an_uplink_that_only_answers_to_the_name_is_never_changed() {
    let host = host();
    host.ip("link add eth0 mtu 1500 type veth peer name eth1");
    host.ip("link set eth0 alias uplink");
    host.ip("addr add 192.0.2.1/24 dev eth0");
    host.ip("link add ci7 type veth peer name ci8");
    let before = picture(&host, "eth0");
    let script = "link set ci7 name tmp0\nlink property add dev eth0 altname ci7\n\
                  link property del dev eth0 altname ci7\nlink set tmp0 name ci7";
    requests_beside(&host, script, &["done", "alternative_name"]);
    assert_eq!(picture(&host, "eth0"), before);
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
    requests_beside(&host, "link del ci7\nlink add ci7 type bridge", &["done"]);
    assert_eq!((picture(&host, "eth0"), picture(&host, "ci70")), before);
}

/// A call whose second netlink message, the one that acts, is held back, and what happens to the names meanwhile.
struct Held {
    method: &'static str,
    changes: Value,
    /// The field of `NoSuchLink`, or none where the call must succeed.
    refused: bool,
    /// What happens, with `L` for the link, `O` for another and `M` for a third name.
    meanwhile: &'static [&'static str],
}

const DELETED: &[&str] = &["link del L"];
const MADE_AGAIN: &[&str] = &["link del L", "link add L type veth peer name M"];
const REPLACED: &[&str] = &["link del L", "link set O name L"];
const SWAPPED: &[&str] = &["link set L name M", "link set O name L"];

#[test]
fn what_happens_between_looking_up_and_acting_reaches_no_other_link() {
    let host = host();
    let set = || json!({"mtu": 1400, "alias": "mine"});
    let address = || json!({"address": "10.0.0.1/32"});
    let mut cases: Vec<Held> = [(DELETED, true), (MADE_AGAIN, true), (REPLACED, true), (SWAPPED, false)]
        .into_iter()
        .flat_map(|(meanwhile, refused)| {
            [("Link.Set", set()), ("Address.Add", address()), ("Link.Delete", json!({}))]
                .map(|(method, changes)| Held { method, changes, refused, meanwhile })
        })
        .collect();
    // A call of three messages: the second of them finds the link gone. And where absence is no error, neither is that.
    let delete = |missing_ok: bool| json!({"address": "10.0.0.9/32", "missing_ok": missing_ok});
    for (method, changes, refused) in [
        ("Address.Delete", delete(false), true),
        ("Address.Delete", delete(true), false),
        ("Link.Delete", json!({"missing_ok": true}), false),
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

    // The first message is the record of the decision, the second looks the name up, the third acts.
    let delay = "inject=sendto:delay_enter=1500000:when=3";
    let run = |at: usize, case: &Held| {
        let mut fields = json!({"netns": "@host", "link": named(at, "L")});
        fields.as_object_mut().unwrap().extend(case.changes.as_object().unwrap().clone());
        let tracer = ["strace", "-q", "-o", "/dev/null", "-e", "trace=sendto", "-e", delay];
        host.caller().under(&tracer).call(case.method, fields)
    };
    let run = &run;
    std::thread::scope(|scope| {
        let running: Vec<_> = cases.iter().enumerate().map(|(at, case)| scope.spawn(move || run(at, case))).collect();
        while host.trail_where("NETBROKER_EVENT", "permitted").len() < cases.len() {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(200)); // the look-up takes none of it
        for (at, case) in cases.iter().enumerate() {
            case.meanwhile.iter().for_each(|words| drop(host.ip(&named(at, words))));
        }
        for (at, running) in running.into_iter().enumerate() {
            let (case, reply) = (&cases[at], running.join().unwrap());
            let what = format!("{} {:?}: {reply}", case.method, case.meanwhile);
            if case.refused {
                assert!(reply.error().ends_with(".NoSuchLink"), "{what}");
                assert_eq!((reply.get("field"), reply.get("errno")), (json!("link"), json!(19)), "{what}");
            } else {
                assert_eq!(reply.status(), 0, "{what}");
            }
        }
    });

    for (at, case) in cases.iter().enumerate() {
        let what = format!("{} {:?}", case.method, case.meanwhile);
        let by_index = |index: &str| {
            host.sh(&format!("ip -o addr show | grep '^{index}:' || true; ip -o link show | grep '^{index}: ' || true"))
        };
        let (own, other) = (by_index(&indexes[at].0), by_index(&indexes[at].1));
        let swapped = case.meanwhile == SWAPPED;
        let told = match case.method {
            _ if !swapped => own.is_empty(),
            "Link.Set" => own.contains("mtu 1400") && own.contains("mine"),
            "Address.Add" => own.contains("10.0.0.1"),
            _ => own.is_empty(),
        };
        assert!(told, "{what}: {own}");
        assert!(!other.contains("1400") && !other.contains("10.0.0.1") && !other.contains("mine"), "{what}: {other}");
        assert!(!other.is_empty(), "{what}");
        let name = if swapped || case.meanwhile == REPLACED { named(at, "L") } else { named(at, "O") };
        let mut now = picture(&host, &name);
        now["ifname"] = others[at]["ifname"].clone();
        assert_eq!(now, others[at], "{what}");
    }
}
