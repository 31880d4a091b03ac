// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every system call accounted for. The requests of `common::calls` are traced, the filters are read back from the kernel,
//! every number is tried behind them, and every line of their tables must have been of use to some request.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use std::collections::BTreeSet;
use std::fs::{self, File};

use common::Host;
use common::traced::{self, Profile, Traced};
use netbroker::call::Needs;
use netbroker::stage::filter::{
    Check, EVERY_PROFILE, Filter, LINK_PROFILE, LIST_NAMES, Line, MAKE_NAMESPACES, MAKE_TUN, NAMESPACE_PROFILE, Socket,
    TRANSACT, TUN_PROFILE,
};

/// Lines of a filter that no trace shows, and why they stay.
const UNSEEN: [(&str, i64, &str); 5] = [
    ("LINK_PROFILE", libc::SYS_fstat, "glibc 2.33 and some later ones ask newfstatat for fstat(3), others this"),
    ("NAMESPACE_PROFILE", libc::SYS_fstat, "the same"),
    ("TUN_PROFILE", libc::SYS_fstat, "the same"),
    ("EVERY_PROFILE", libc::SYS_fstat, "the same"),
    (
        "MAKE_NAMESPACES",
        libc::SYS_brk,
        "the little that is allocated there fits what was freed before, and what is freed stays in the heap: with requests, \
         groups, rules and mounts in any number. But both are the allocator's to decide, and a process that it made die \
         after the change would leave its caller without an answer",
    ),
];

/// Beyond every number that a kernel has for x86-64, those between 512 and 547 among them that are x32's.
const NUMBERS: std::ops::Range<u64> = 0..700;
const ODD_NUMBERS: [u64; 6] = [0xffff_ffff, 0xffff_fffe, 0x8000_0000, 0x7fff_ffff, 0x3fff_ffff, 0x1000];
/// `uretprobe` and `uprobe`: kernels that have them ask no filter (`seccomp_uprobe_exception`, `kernel/seccomp.c`), and they do
/// nothing but from a probe's trampoline.
const UNASKED: [u64; 2] = [335, 336];
const X32: u64 = 0x4000_0000;
const HIGH_HALF: u64 = 1 << 32;

/// A filter with its name.
type Named = (&'static str, Filter);

const FIRST: [Named; 4] = [
    ("LINK_PROFILE", LINK_PROFILE),
    ("NAMESPACE_PROFILE", NAMESPACE_PROFILE),
    ("TUN_PROFILE", TUN_PROFILE),
    ("EVERY_PROFILE", EVERY_PROFILE),
];
const LAST: [Named; 4] =
    [("TRANSACT", TRANSACT), ("MAKE_TUN", MAKE_TUN), ("LIST_NAMES", LIST_NAMES), ("MAKE_NAMESPACES", MAKE_NAMESPACES)];

/// The filters that a process is behind at its end.
fn filters(traced: &Traced) -> [Named; 2] {
    let [link_profile, namespace_profile, tun_profile, every_profile] = FIRST;
    let [transact, make_tun, list_names, make_namespaces] = LAST;
    let first = match traced.profile {
        Profile::Link => link_profile,
        Profile::Namespace => namespace_profile,
        Profile::Tun => tun_profile,
        Profile::Every => every_profile,
    };
    let last = match traced.needs {
        Needs::Nothing | Needs::NetAdmin => transact,
        Needs::Tun => make_tun,
        Needs::Names => list_names,
        Needs::Namespaces => make_namespaces,
    };
    [first, last]
}

fn lines(filter: Filter) -> impl Iterator<Item = &'static Line> {
    filter.iter().copied().flatten()
}

/// Every line of every filter.
fn all_lines() -> impl Iterator<Item = (&'static str, &'static Line)> {
    FIRST.into_iter().chain(LAST).flat_map(|(name, filter)| lines(filter).map(move |line| (name, line)))
}

/// Whether a line lets these arguments through.
fn allows(traced: &Traced, check: Check, arguments: [u64; 6]) -> bool {
    let int = |at: u8| u32::try_from(arguments[usize::from(at)] & 0xffff_ffff).unwrap();
    let on = |socket: Socket| traced.of(socket).contains(&int(0));
    match check {
        Check::Free => true,
        Check::Is(at, value) => int(at) == value,
        Check::Without(at, bits) => int(at) & bits == 0,
        Check::Null(at) => arguments[usize::from(at)] == 0,
        Check::On(socket) => on(socket),
        Check::Asks(socket, request) => on(socket) && int(1) == request,
        Check::To(socket) => on(socket) && arguments[4] == 0,
    }
}

/// Whether a request made a call behind this filter that this line lets through.
fn used(traced: &Traced, name: &str, (number, check, _): &Line) -> bool {
    // The first filters share their lines, so what is done behind one counts for each that has the line.
    let is_first = FIRST.iter().any(|(of, _)| *of == name);
    let nth = if is_first { Some(0) } else { filters(traced).iter().position(|(of, _)| *of == name) };
    let Some(nth) = nth else { return false };
    let mut made = traced.made.iter().filter(|made| made.filters > nth && made.number == *number);
    made.any(|made| allows(traced, *check, made.arguments))
}

#[test]
fn every_line_of_every_filter_is_of_use_to_some_request() {
    let all = traced::all();
    for (name, number, why) in UNSEEN {
        assert!(all_lines().any(|(of, line)| of == name && line.0 == number), "{name} lacks {number} ({why})");
    }
    let is_useless = |(name, line): &(&str, &Line)| {
        let is_excused = UNSEEN.iter().any(|(of, number, _)| of == name && *number == line.0);
        !is_excused && !all.iter().any(|traced| used(traced, name, line))
    };
    let useless: Vec<_> = all_lines().filter(is_useless).collect();
    assert!(useless.is_empty(), "no request of tests/common/calls.rs needs these lines: {useless:#?}");
}

/// The arguments to try with a number: what each line that has it, of any filter, lets through just so, and just not.
fn arguments(number: u64) -> BTreeSet<[u64; 6]> {
    let mut tried = BTreeSet::from([[u64::MAX; 6], [0; 6]]);
    for (_, (_, check, _)) in all_lines().filter(|(_, (of, ..))| u64::try_from(*of).unwrap() == number) {
        for base in [[u64::MAX; 6], [0; 6]] {
            let mut with = |values: &[(u8, u64)]| {
                let mut arguments = base;
                values.iter().for_each(|(at, value)| arguments[usize::from(*at)] = *value);
                tried.insert(arguments);
            };
            let bits = || (0..32).map(|bit| 1_u64 << bit);
            match *check {
                Check::Free => {}
                Check::Is(at, value) => {
                    let value = u64::from(value);
                    [value, value | HIGH_HALF]
                        .into_iter()
                        .chain(bits().map(|bit| value ^ bit))
                        .for_each(|value| with(&[(at, value)]));
                }
                Check::Without(at, without) => {
                    let rest = u64::from(!without);
                    [rest, rest | HIGH_HALF].into_iter().chain(bits()).for_each(|value| with(&[(at, value)]));
                }
                Check::Null(at) => [1, HIGH_HALF].into_iter().for_each(|value| with(&[(at, value)])),
                Check::Asks(_, request) => {
                    let request = u64::from(request);
                    let requests: Vec<u64> =
                        [request, request | HIGH_HALF, 0].into_iter().chain(bits().map(|bit| request ^ bit)).collect();
                    for descriptor in 0..16 {
                        requests.iter().for_each(|request| with(&[(0, descriptor), (1, *request)]));
                    }
                }
                Check::On(_) | Check::To(_) => {
                    for descriptor in 0..16 {
                        [0, 1, HIGH_HALF].into_iter().for_each(|address| with(&[(0, descriptor), (4, address)]));
                    }
                }
            }
        }
    }
    tried
}

/// A way into the kernel, a number, arguments, and whether the process should live.
type Try = (&'static str, u64, [u64; 6], bool);

/// Everything that is tried behind one filter of a process, or behind both.
fn tries(traced: &Traced, filters: &[Named]) -> Vec<Try> {
    let lives = |number: u64, arguments: [u64; 6]| {
        let lets = |(of, check, _): &&Line| u64::try_from(*of).unwrap() == number && allows(traced, *check, arguments);
        filters.iter().all(|(_, filter)| lines(filter).any(|line| lets(&line)))
    };
    let mut tries = Vec::new();
    for number in NUMBERS.chain(ODD_NUMBERS).filter(|number| !UNASKED.contains(number)) {
        for arguments in arguments(number) {
            tries.push(("native", number, arguments, lives(number, arguments)));
        }
        // The kernel takes the low half of the register.
        tries.push(("native", number | HIGH_HALF, [0; 6], lives(number, [0; 6])));
        tries.push(("native", number | X32, [0; 6], false));
        tries.push(("i386", number, [0; 6], false));
    }
    tries.extend([0, 0x400, 0x800].map(|offset| ("vsyscall", offset, [0; 6], false)));
    tries
}

/// What the filters of a process make of these: `lives`, `killed`, or `absent` where the kernel has no such way in.
fn outcomes(host: &Host, how: &str, programs: &[String], tries: &[Try]) -> Vec<String> {
    let hex = |arguments: &[u64; 6]| arguments.map(|argument| format!("{argument:x}")).join(" ");
    let filters = programs.iter().map(|program| format!("filter {program}\n"));
    let lines = tries.iter().map(|(way, number, arguments, _)| format!("try {way} {number:x} {}\n", hex(arguments)));
    fs::write("/run/scratch/tries", filters.chain(lines).collect::<String>()).unwrap();
    let tries = File::open("/run/scratch/tries").unwrap();
    let tried = host.command("/run/scratch/probe").arg(how).stdin(tries).output().unwrap();
    assert!(tried.status.success(), "{}", String::from_utf8_lossy(&tried.stderr));
    String::from_utf8(tried.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Asserts that the filters make of these what they should.
fn check(host: &Host, how: &str, traced: &Traced, programs: &[String], tries: &[Try]) {
    let outcomes = outcomes(host, how, programs, tries);
    assert_eq!(outcomes.len(), tries.len());
    let is_wrong = |((way, .., lives), outcome): &(&Try, String)| match outcome.as_str() {
        "lives" => !lives,
        "absent" => *lives || *way == "native",
        _ => *lives,
    };
    let wrong = tries.iter().zip(outcomes).filter(is_wrong);
    let wrong: Vec<String> = wrong.map(|(tried, outcome)| format!("{tried:x?}: {outcome}")).collect();
    assert!(wrong.is_empty(), "{}, {how} by {} filters: {wrong:#?}", traced.what, programs.len());
}

#[test]
fn behind_each_filter_only_what_is_listed_survives_of_all_numbers_and_ways_into_the_kernel() {
    let host = Host::builder().bare().build();
    fs::write("/run/scratch/probe.c", include_str!("stages/probe.c")).unwrap();
    host.run(&["gcc", "-O2", "-static", "-o", "/run/scratch/probe", "/run/scratch/probe.c"]).ok();
    let mut seen = BTreeSet::new();
    for traced in traced::all() {
        let (programs, filters) = (&traced.programs, filters(traced));
        for nth in 0..=1 {
            if !seen.insert(&programs[..=nth]) {
                continue; // another request had the same
            }
            check(&host, "judged", traced, &programs[nth..=nth], &tries(traced, &filters[nth..=nth]));
            // What is listed goes the whole way, and every fiftieth of the rest.
            let tries = tries(traced, &filters[..=nth]).into_iter().enumerate();
            let sample: Vec<Try> = tries.filter(|(nth, one)| one.3 || nth % 50 == 0).map(|(_, one)| one).collect();
            check(&host, "real", traced, &programs[..=nth], &sample);
        }
    }
}
