// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every system call is accounted for. The requests of `common::calls` are traced, the filters are read back from the
//! kernel, every number is tried under them, and every line of their tables must have been used by some request.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeSet;
use std::fs::{self, File};

use common::Host;
use common::traced::{self, Traced};
use netbroker::call::needs::{EXTRAS, LastStage, Profile};
use netbroker::stage::filter::{
    self, Check, FIND_PROCESSES, LIST_NAMES, LONG_ANSWERS, Line, MAKE_NAMESPACES, MAKE_TUN, Socket, TRANSACT,
};

/// Lines of a filter that no trace shows, and why they stay.
const UNSEEN: [(&str, i64, &str); 4] = [
    ("link", libc::SYS_fstat, FSTAT),
    ("link+namespaces", libc::SYS_fstat, FSTAT),
    ("link+tun", libc::SYS_fstat, FSTAT),
    ("link+namespaces+tun", libc::SYS_fstat, FSTAT),
];
/// The broker of one build makes one of the two calls. Every first filter has both, so each of the four is listed.
const FSTAT: &str = "glibc 2.33 and some later versions call newfstatat for fstat(3), the others call this";

/// Greater than every number that a kernel has for x86-64, including those of x32 between 512 and 547.
const NUMBERS: std::ops::Range<u64> = 0..700;
const ODD_NUMBERS: [u64; 6] = [0xffff_ffff, 0xffff_fffe, 0x8000_0000, 0x7fff_ffff, 0x3fff_ffff, 0x1000];
/// `uretprobe` and `uprobe`: kernels that have them apply no filter to them (`seccomp_uprobe_exception`,
/// `kernel/seccomp.c`), and they have no effect except from a probe's trampoline.
const UNASKED: [u64; 2] = [335, 336];
const X32: u64 = 0x4000_0000;
const HIGH_HALF: u64 = 1 << 32;

/// A filter with its name.
#[derive(Clone)]
struct Named(String, Vec<&'static [Line]>);

/// The first filters, of every profile.
fn first() -> Vec<Named> {
    let mut profiles = vec![Profile::LINK];
    for extra in &EXTRAS {
        profiles.extend(profiles.clone().into_iter().map(|profile| profile.and(extra.profile)));
    }
    profiles.into_iter().map(|profile| Named(profile.to_string(), filter::first(profile).collect())).collect()
}

fn last() -> Vec<Named> {
    let named = [
        ("TRANSACT", TRANSACT),
        ("MAKE_TUN", MAKE_TUN),
        ("LIST_NAMES", LIST_NAMES),
        ("FIND_PROCESSES", FIND_PROCESSES),
        ("MAKE_NAMESPACES", MAKE_NAMESPACES),
    ];
    named.into_iter().map(|(name, tables)| Named(name.to_owned(), tables.to_vec())).collect()
}

/// The filters that a process is behind at its end.
fn filters(traced: &Traced) -> Vec<Named> {
    let last_name = match traced.needs.stage {
        LastStage::Transaction => "TRANSACT",
        LastStage::Tun => "MAKE_TUN",
        LastStage::Names => "LIST_NAMES",
        LastStage::Pids => "FIND_PROCESSES",
        LastStage::Namespaces => "MAKE_NAMESPACES",
    };
    let of = |filters: Vec<Named>, name: &str| filters.into_iter().find(|Named(of, _)| of == name).unwrap();
    let mut filters = vec![of(first(), &traced.profile.to_string()), of(last(), last_name)];
    filters.truncate(traced.programs.len());
    filters
}

fn lines(filter: &Named) -> impl Iterator<Item = &'static Line> {
    filter.1.iter().copied().flatten()
}

/// Every line of every filter.
fn all_lines() -> impl Iterator<Item = (String, &'static Line)> {
    let named = |filter: Named| lines(&filter).map(|line| (filter.0.clone(), line)).collect::<Vec<_>>();
    first().into_iter().chain(last()).flat_map(named)
}

/// Whether a line allows these arguments.
fn allows(traced: &Traced, check: Check, arguments: [u64; 6]) -> bool {
    let int = |at: u8| u32::try_from(arguments[usize::from(at)] & 0xffff_ffff).unwrap();
    let on = |socket: Socket| traced.of(socket).contains(&int(0));
    match check {
        Check::Free => true,
        Check::Is(at, value) => int(at) == value,
        Check::Without(at, bits) => int(at) & bits == 0,
        Check::AtLeast(at, least) => int(at) >= least,
        Check::Null(at) => arguments[usize::from(at)] == 0,
        Check::On(socket) => on(socket),
        Check::Off(socket) => !on(socket),
        Check::All(checks) => checks.iter().all(|check| allows(traced, *check, arguments)),
        Check::Asks(socket, request) => on(socket) && int(1) == request,
        Check::To(socket) => on(socket) && arguments[4] == 0,
    }
}

/// Whether a request made a call under this filter that this line allows.
fn used(traced: &Traced, name: &str, line: &Line) -> bool {
    let (number, check, _) = line;
    // The first filters share their lines, so a call under one of them is a use of the line in each that has it.
    let is_first = name.starts_with("link");
    // So do the last filters of long answers, as far as memory is concerned: the heap is the same.
    let is_memory = LONG_ANSWERS.contains(line);
    let is_it = |Named(of, tables): &Named| of == name || (is_memory && tables.contains(&LONG_ANSWERS));
    let nth = if is_first { Some(0) } else { filters(traced).iter().position(is_it) };
    let Some(nth) = nth else { return false };
    let mut made = traced.made.iter().filter(|made| made.filters > nth && made.number == *number);
    made.any(|made| allows(traced, *check, made.arguments))
}

#[test]
fn every_line_of_every_filter_is_of_use_to_some_request() {
    let all = traced::all();
    let is_meant = |name: &str, line: &Line, (of, number, _): &(&str, i64, &str)| name == *of && line.0 == *number;
    for unseen in UNSEEN {
        assert!(all_lines().any(|(name, line)| is_meant(&name, line, &unseen)), "no such line: {unseen:?}");
    }
    let is_useless = |(name, line): &(String, &Line)| {
        let is_excused = UNSEEN.iter().any(|unseen| is_meant(name, line, unseen));
        !is_excused && !all.iter().any(|traced| used(traced, name, line))
    };
    let useless: Vec<_> = all_lines().filter(is_useless).collect();
    assert!(useless.is_empty(), "no request of tests/common/calls.rs needs these lines: {useless:#?}");
}

/// Some arguments, by position; the others stay as they are.
type Values = Vec<(u8, u64)>;

/// Values that a check allows, as far as that is known without a process; and values that it only just refuses.
fn values(check: Check) -> (Vec<Values>, Vec<Values>) {
    let bits = || (0..32).map(|bit| 1_u64 << bit);
    let all = |at: u8, values: &[u64]| values.iter().map(|value| vec![(at, *value)]).collect::<Vec<Values>>();
    let descriptors = || 0..16_u64;
    match check {
        Check::Free => (vec![vec![]], vec![]),
        Check::Is(at, value) => {
            let value = u64::from(value);
            let others: Vec<u64> = bits().map(|bit| value ^ bit).collect();
            (all(at, &[value, value | HIGH_HALF]), all(at, &others))
        }
        Check::Without(at, without) => {
            let rest = u64::from(!without);
            (all(at, &[rest, rest | HIGH_HALF]), all(at, &bits().collect::<Vec<u64>>()))
        }
        Check::AtLeast(at, least) => {
            let least = u64::from(least);
            (all(at, &[least, HIGH_HALF - 1]), all(at, &[least - 1, 0, HIGH_HALF]))
        }
        Check::Null(at) => (all(at, &[0]), all(at, &[1, HIGH_HALF])),
        Check::On(_) | Check::Off(_) => (all(0, &descriptors().collect::<Vec<u64>>()), vec![]),
        Check::Asks(socket, request) => both(&[Check::On(socket), Check::Is(1, request)]),
        Check::To(socket) => both(&[Check::On(socket), Check::Null(4)]),
        Check::All(checks) => both(checks),
    }
}

/// The same for checks that must all hold.
fn both(checks: &[Check]) -> (Vec<Values>, Vec<Values>) {
    let each: Vec<_> = checks.iter().map(|check| values(*check)).collect();
    let with = |before: &[Values], these: &[Values]| -> Vec<Values> {
        before.iter().flat_map(|one| these.iter().map(|other| [&one[..], other].concat())).collect()
    };
    let fits = each.iter().fold(vec![vec![]], |before, (fits, _)| with(&before, fits));
    // Exactly one of them does not hold.
    let fails = (0..each.len()).flat_map(|nth| {
        let parts = each.iter().enumerate().map(|(at, (fits, fails))| if at == nth { fails } else { fits });
        parts.fold(vec![vec![]], |before, these| with(&before, these))
    });
    (fits, fails.collect())
}

/// The arguments to try with a number: for each line of any filter that has the number, values just inside and just
/// outside.
fn arguments(number: u64) -> BTreeSet<[u64; 6]> {
    let mut tried = BTreeSet::from([[u64::MAX; 6], [0; 6]]);
    for (_, (_, check, _)) in all_lines().filter(|(_, (of, ..))| u64::try_from(*of).unwrap() == number) {
        let (fits, fails) = values(*check);
        for base in [[u64::MAX; 6], [0; 6]] {
            for given in fits.iter().chain(&fails) {
                let mut arguments = base;
                given.iter().for_each(|(at, value)| arguments[usize::from(*at)] = *value);
                tried.insert(arguments);
            }
        }
    }
    tried
}

/// A way into the kernel, a number, arguments, and whether the process should survive.
type Try = (&'static str, u64, [u64; 6], bool);

/// Everything that is tried under one filter of a process, or under both.
fn tries(traced: &Traced, filters: &[Named]) -> Vec<Try> {
    let lives = |number: u64, arguments: [u64; 6]| {
        let lets = |(of, check, _): &&Line| u64::try_from(*of).unwrap() == number && allows(traced, *check, arguments);
        filters.iter().all(|filter| lines(filter).any(|line| lets(&line)))
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

/// What the filters of a process do with these: `lives`, `killed`, or `absent` where the kernel has no such way in.
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

/// Asserts that the filters treat these as they should.
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
        for nth in 0..programs.len() {
            if !seen.insert(&programs[..=nth]) {
                continue; // another request had the same filter
            }
            check(&host, "judged", traced, &programs[nth..=nth], &tries(traced, &filters[nth..=nth]));
            // Allowed calls are really made, and so is every fiftieth of the others.
            let tries = tries(traced, &filters[..=nth]).into_iter().enumerate();
            let sample: Vec<Try> = tries.filter(|(nth, one)| one.3 || nth % 50 == 0).map(|(_, one)| one).collect();
            check(&host, "real", traced, &programs[..=nth], &sample);
        }
    }
}
