// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Each call gets the same answer through netbrokerd as from a program that the caller starts, and does the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::thread::sleep;
use std::time::Duration;

use common::Host;
use common::calls::examples;
use common::socket::{Client, Daemon};
use serde_json::Value;

/// What differs from host to host: hardware addresses that the kernel draws, ids of requests, process ids.
fn comparable(reply: &Value, hides_numbers: bool) -> Value {
    let is_mac = |text: &str| {
        text.len() == 17 && text.split(':').all(|two| two.len() == 2 && two.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    match reply {
        Value::String(text) if is_mac(text) || text.starts_with("fe80::") => Value::from("drawn"),
        Value::Number(_) if hides_numbers => Value::from("number"),
        // Processes: netbrokerd's are among them.
        Value::Array(all) if hides_numbers && all.iter().all(Value::is_number) => Value::from("numbers"),
        Value::Array(all) => all.iter().map(|one| comparable(one, hides_numbers)).collect(),
        Value::Object(members) => {
            // What is left of a time differs, too.
            let is_drawn = |name: &str| {
                let times = ["life_time", "lifetime", "expires", "confirmed", "updated", "used"];
                // The kernel sets the state of a link up to a second after a call.
                ["request", "operstate"].contains(&name) || times.iter().any(|end| name.ends_with(end))
            };
            let kept = members.iter().filter(|(name, _)| !is_drawn(name));
            kept.map(|(name, value)| (name.clone(), comparable(value, hides_numbers))).collect()
        }
        other => other.clone(),
    }
}

/// The links, addresses and routes of the namespaces, as far as they do not differ from host to host.
fn state(host: &Host) -> Vec<Value> {
    let of = |netns: &str, what: &str| {
        // There is a route that is too large for `ip` to list.
        let json = host.sh(&format!("ip -n {netns} -j {what} 2>&1 || true"));
        comparable(&serde_json::from_str(&json).unwrap_or(Value::Null), false)
    };
    ["w", "far"]
        .into_iter()
        .flat_map(|netns| ["link", "addr", "route show table all", "rule"].map(|what| of(netns, what)))
        .collect()
}

#[test]
fn each_call_gets_the_same_answer_by_the_socket_and_does_the_same() {
    // What waits for a tracer's log is another matter.
    for example in examples().iter().filter(|example| !example.needs_trace()) {
        let what = format!("{} {}", example.call, example.parameters);
        let hides = example.call == "Netns.Pids" || example.call == "Netns.Get";
        let both = |patience: Duration| {
            let by_program = || {
                let host = example.furnished();
                let reply = host.as_root().call(example.call, example.parameters()).messages().pop().unwrap();
                sleep(patience);
                (comparable(&reply, hides), state(&host))
            };
            let by_socket = || {
                let host = example.furnished();
                let _daemon = Daemon::start(&host, &[]);
                let reply = Client::connect().call(example.call, &example.parameters());
                sleep(patience);
                (comparable(&reply, hides), state(&host))
            };
            // Each in namespaces of its own.
            let by_program = std::thread::scope(|scope| scope.spawn(by_program).join().unwrap());
            (by_program, std::thread::scope(|scope| scope.spawn(by_socket).join().unwrap()))
        };
        // What depends on the state of a link, such as its link-local address, comes up to a second later.
        let (mut by_program, mut by_socket) = both(Duration::ZERO);
        if by_program != by_socket {
            (by_program, by_socket) = both(Duration::from_secs(3));
        }
        assert_eq!(by_program, by_socket, "{what}");
        assert_eq!(by_program.0.get("error").and_then(Value::as_str), example.error_of_root(), "{what}");
    }
}
