// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A hundred callers at once, some of which are iproute2. Each namespace is made once, by one of them, and is complete.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::open_host;
use common::{Host, Ran, Reply};
use serde_json::json;

const CROWD: usize = 100;

/// The outcome of one of the callers: whether it made the namespace of this name.
enum Came {
    Broker(Reply),
    Iproute(Ran),
}

impl Came {
    fn made(&self) -> bool {
        match self {
            Self::Broker(reply) => reply.status() == 0,
            Self::Iproute(ran) => ran.status() == 0,
        }
    }
}

/// Starts all callers at once; every fifth is `ip netns add`.
fn crowd(host: &Host, name: impl Fn(usize) -> String + Sync) -> Vec<(String, Came)> {
    let one = |at: usize| {
        let name = name(at);
        let came = match at % 5 {
            4 => Came::Iproute(host.run(&["ip", "netns", "add", &name])),
            _ => Came::Broker(host.caller().call("Netns.Add", json!({ "netns": name }))),
        };
        (name, came)
    };
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CROWD).map(|at| scope.spawn(move || one(at))).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    })
}

/// Asserts that every name is a separate namespace that can be entered, mounted once under one shared mount.
fn whole(host: &Host, names: usize) {
    let count = |script: &str| host.sh(script).trim().parse::<usize>().unwrap();
    assert_eq!(count("ls /run/netns | wc -l"), names);
    assert_eq!(
        count("for n in /run/netns/*; do nsenter --net=$n readlink /proc/self/ns/net; done | sort -u | wc -l"),
        names
    );
    assert_eq!(count("grep -c ' /run/netns/' /proc/self/mountinfo"), names);
    assert_eq!(count("awk '$5 == \"/run/netns\"' /proc/self/mountinfo | grep -c shared:"), 1);
}

#[test]
fn a_hundred_callers_make_a_hundred_namespaces() {
    let host = open_host();
    let came = crowd(&host, |at| format!("n{at}"));
    for (name, came) in &came {
        match came {
            Came::Broker(reply) => drop(reply.ok()),
            Came::Iproute(ran) => assert_eq!(ran.status(), 0, "{name}: {ran}"),
        }
    }
    whole(&host, CROWD);
    let recorded = |event: &str| host.trail_where("NETBROKER_EVENT", event).len();
    assert_eq!((recorded("permitted"), recorded("outcome")), (80, 80));
}

#[test]
fn a_hundred_callers_for_ten_names_make_ten_namespaces() {
    let host = open_host();
    let came = crowd(&host, |at| format!("n{}", at / 10));
    for at in 0..10 {
        let of_name: Vec<&Came> =
            came.iter().filter(|(name, _)| *name == format!("n{at}")).map(|(_, came)| came).collect();
        assert_eq!((of_name.len(), of_name.iter().filter(|came| came.made()).count()), (10, 1), "n{at}");
    }
    for (name, came) in &came {
        if let Came::Broker(reply) = came {
            assert!(reply.status() == 0 || reply.error() == "io.netbroker.Netns.AlreadyExists", "{name}: {reply}");
        }
    }
    whole(&host, 10);
}
