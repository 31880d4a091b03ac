// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A caller that ends, or presses ^Z, at each step of the process, one system call after another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{MTU_REQUEST, mtu_host, text};
use common::{Host, Way};
use std::fs;

/// A host in which the script has run, and the numbers of each line that it wrote.
fn run(way: Way, action: &str, kind: &str) -> (Host, Vec<Vec<i64>>) {
    let host = mtu_host(way);
    fs::write("/run/scratch/steps.pl", include_str!("each_step/steps.pl")).unwrap();
    let reply = host.caller().under(&["perl", "/run/scratch/steps.pl", action, kind, MTU_REQUEST, "--"]).raw(b"");
    assert_eq!(reply.status(), 0, "{reply}");
    let numbers = |line: &str| line.split(' ').map(|word| word.parse().unwrap()).collect();
    let lines = text(reply.stdout()).lines().map(numbers).collect();
    (host, lines)
}

#[test]
fn a_caller_that_goes_away_has_made_its_call_and_is_the_only_one_that_does_not_know() {
    for way in [Way::Setuid, Way::FileCapabilities] {
        for kind in ["pipe", "socket"] {
            let (host, steps) = run(way.clone(), "hang-up", kind);
            let written = steps.iter().position(|step| step[1] == libc::SYS_exit_group).unwrap();
            for (at, step) in steps.iter().enumerate() {
                let status = if at < written { 74 } else { 0 };
                assert_eq!((step[2], step[3]), (status << 8, 1400), "{way:?} {kind}, step and call: {step:?}");
            }
            assert!(steps.len() > 80, "{steps:?}");
            let recorded = |event: &str| host.trail_where("NETBROKER_EVENT", event).len();
            let calls = steps.len() + 1; // and one that ended before its caller did
            assert_eq!((recorded("permitted"), recorded("outcome")), (calls, calls), "{way:?} {kind}");
        }
    }
}

#[test]
fn the_stop_key_has_no_effect_at_any_step_after_hygiene() {
    for way in [Way::Setuid, Way::FileCapabilities, Way::Root] {
        let (host, mut steps) = run(way.clone(), "stop", "pipe");
        let end = steps.pop().unwrap();
        assert_eq!((end[2], end[3]), (0, 1400), "{way:?} {end:?}");
        assert_eq!(host.trail_where("NETBROKER_EVENT", "outcome").len(), 1);
        // It stops a process that is not so far yet, and such a process has read nothing and holds nothing.
        let last = steps.last().map(|step| step[0]);
        assert_eq!(last, Some(libc::SYS_rt_sigaction), "{way:?} {steps:?}");
        let late = [libc::SYS_setresuid, libc::SYS_preadv2, libc::SYS_seccomp, libc::SYS_setns, libc::SYS_sendto];
        assert!(steps.iter().all(|step| !late.contains(&step[0])), "{way:?} {steps:?}");
    }
}
