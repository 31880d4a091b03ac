// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The source of a policy, as bytes of a file. Either it has an error at a place in it, or the file that is compiled
//! from it decides as the rules do, for requests of several callers.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use netbroker::call::request::Request;
use netbroker::caller::Caller;
use netbroker::policy::Verdict;
use netbroker::policy::compile::{Account, Policy, compile};
use netbroker::policy::compiled::Compiled;
use netbroker::policy::diagnostics::Source;
use netbroker::policy::rule::{Principal, Rule};
use netbroker_fuzz::requests;

/// Requests of every call, with few and with all fields.
static QUESTIONS: LazyLock<Vec<Request>> = LazyLock::new(|| {
    let bytes = |number: u16, fill: u8| {
        let [number, _] = number.to_le_bytes();
        let mut bytes: Vec<u8> = (0..200).map(|at: u8| at.wrapping_mul(fill) & 0x85).collect();
        bytes[..6].copy_from_slice(&[number, fill, fill, fill, fill, fill]);
        bytes
    };
    let of =
        |number: u16| [0, 1, 3, 0x55, 0xff].map(|fill| requests::make(&mut Unstructured::new(&bytes(number, fill))));
    netbroker::call::all().flat_map(|call| of(call.number)).flatten().collect()
});

/// Some of the accounts exist.
fn resolve(account: Account<'_>) -> Result<Option<u32>, String> {
    match account {
        Account::User("alice" | "neutron") => Ok(Some(1000)),
        Account::Group("net" | "netusers" | "monitors") => Ok(Some(2000)),
        Account::User("broken") => Err("no answer".to_owned()),
        _ => Ok(None),
    }
}

/// The rules that apply to a caller and a call, found without the file.
fn rules(policy: &Policy, caller: &Caller, request: &Request) -> Vec<Rule> {
    let counts = |principal: &Principal| match *principal {
        Principal::Everyone => true,
        Principal::Uid(uid) => uid == caller.uid,
        Principal::Gid(gid) => caller.all_gids().any(|own| own == gid),
    };
    let placed = policy.placed().iter().filter(|placed| placed.call == request.call().number);
    placed.filter(|placed| placed.principals.iter().any(counts)).map(|placed| placed.rule.clone()).collect()
}

fuzz_target!(|bytes: &[u8]| {
    let compiled = Source::new("10.toml", bytes.to_vec()).map_err(|problem| vec![problem]);
    let policy = match compiled.and_then(|source| compile(&[source], &resolve)) {
        Ok(policy) => policy,
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!((1..=bytes.len() + 1).contains(&problem.line) && problem.column >= 1 && problem.marks >= 1);
                assert!(!problem.message.is_empty() && !problem.to_string().contains('\u{1b}'));
            }
            return;
        }
    };
    let written = policy.write().expect("it is small");
    let compiled = Compiled::open(written).expect("it was just written");
    assert_eq!(compiled.settings(), policy.settings());
    let strangers = [Caller { uid: 7, gid: 7, groups: vec![] }, Caller { uid: 0, gid: 0, groups: vec![0] }];
    for caller in strangers.into_iter().chain([requests::caller()]) {
        compiled.profile(&caller).expect("it was just written");
        for request in QUESTIONS.iter() {
            let said = Verdict::on(&rules(&policy, &caller, request), &caller, request.clone());
            let read = compiled.judge(&caller, request.clone()).expect("it was just written");
            assert_eq!(read.decision(), said.decision(), "{request:?}");
        }
    }
});
