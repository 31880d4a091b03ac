// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Each call is done by a program that the caller starts and through netbrokerd. `tests/vm/run` runs this with the programs
//! confined by `AppArmor`; that both do the same is in `tests/socket_calls.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::Host;
use common::calls::{Example, examples};
use common::socket::{Client, Daemon};
use serde_json::Value;

/// Makes the call of each example, on a host of its own.
fn each_is_done(call: impl Fn(&Host, &Example) -> Value + Sync) {
    // What waits for a tracer's log is another matter.
    for example in examples().iter().filter(|example| !example.needs_trace()) {
        // A host belongs to its thread.
        let once = || call(&example.furnished(), example);
        let reply = std::thread::scope(|scope| scope.spawn(once).join().unwrap());
        let error = reply.get("error").and_then(Value::as_str);
        assert_eq!(error, example.error_of_root(), "{} {}: {reply}", example.call, example.parameters);
    }
}

#[test]
fn a_program_that_the_caller_starts_does_each_call() {
    each_is_done(|host, example| host.as_root().call(example.call, example.parameters()).messages().pop().unwrap());
}

#[test]
fn netbrokerd_does_each_call() {
    each_is_done(|host, example| {
        let _daemon = Daemon::start(host, &[]);
        Client::connect().call(example.call, &example.parameters())
    });
}
