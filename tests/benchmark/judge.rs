// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What one decision costs: opening a compiled policy, checking its header, reading the caller's profile and judging
//! one request. The broker does this for each request; here one process does it many times.
//!
//!     judge ROUNDS UID REQUEST LABEL=FILE…
//!
//! The policies take turns within each round, because a machine's speed drifts. Each turn is many decisions, because
//! reading a clock costs as much as a tenth of one. The request must be allowed. Prints a row of a Markdown table for
//! each policy. `tests/bench --policy` writes the policies and starts this program; `cargo bench` only builds it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::as_conversions)]

use std::fs::{self, File};
use std::hint::black_box;
use std::time::Instant;

use netbroker::call::{self, json::Json, request::Request};
use netbroker::caller::Caller;
use netbroker::policy::Decision;
use netbroker::policy::compiled::Compiled;
use serde_json::Value;

const DECISIONS: u32 = 50;
const WARMUP: usize = 3;

struct Policy {
    label: String,
    file: String,
    /// Microseconds of one decision, for each round.
    took: Vec<f64>,
}

fn main() {
    // `cargo bench` adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [rounds, uid, request, policies @ ..] = arguments.as_slice() else {
        return eprintln!("judge ROUNDS UID REQUEST LABEL=FILE…; see `tests/bench --policy`");
    };
    let (rounds, uid): (usize, u32) = (rounds.parse().expect("ROUNDS"), uid.parse().expect("UID"));
    let caller = Caller { uid, gid: uid, groups: vec![uid + 1] };
    let request = fs::read_to_string(request).unwrap();
    let request: Value = serde_json::from_str(request.trim_end_matches('\0')).unwrap();
    let mut policies: Vec<Policy> = policies
        .iter()
        .map(|named| named.rsplit_once('=').expect("LABEL=FILE"))
        .map(|(label, file)| Policy { label: label.to_owned(), file: file.to_owned(), took: Vec::new() })
        .collect();
    for round in 0..WARMUP + rounds {
        for policy in &mut policies {
            let took = decide(&policy.file, &caller, &request);
            if round >= WARMUP {
                policy.took.push(took);
            }
        }
    }
    print(&mut policies);
}

/// The time of one decision, in microseconds, without reading the request.
fn decide(file: &str, caller: &Caller, request: &Value) -> f64 {
    let name = request["method"].as_str().unwrap().strip_prefix("io.netbroker.").unwrap();
    let call = call::by_name(name).unwrap();
    let parameters = Json::parse(request["parameters"].to_string().as_bytes()).unwrap();
    let requests: Vec<Request> = (0..DECISIONS).map(|_| Request::parse(call, &parameters, 0).unwrap()).collect();
    let start = Instant::now();
    for request in requests {
        let compiled = Compiled::open(File::open(file).unwrap()).unwrap();
        black_box(compiled.profile(caller).unwrap());
        let verdict = black_box(compiled.judge(caller, request).unwrap());
        assert!(matches!(verdict.decision(), Decision::Allowed { .. }), "{file}: {:?}", verdict.decision());
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(DECISIONS)
}

fn print(policies: &mut [Policy]) {
    println!("| policy | bytes | median µs | p95 µs | minimum µs |\n|---|--:|--:|--:|--:|");
    for Policy { label, file, took } in policies {
        took.sort_by(f64::total_cmp);
        let at = |percent: usize| took[(took.len() * percent).div_ceil(100).max(1) - 1];
        let bytes = fs::metadata(file).unwrap().len();
        println!("| {label} | {bytes} | {:.2} | {:.2} | {:.2} |", at(50), at(95), took[0]);
    }
}
