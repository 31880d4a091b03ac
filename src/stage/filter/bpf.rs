// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Assembles filters as short BPF programs. When a filter is attached, the kernel compiles it and runs it once for
//! every system call number (`seccomp_cache_prepare`). So a program halves the space of all numbers, not the list of
//! the allowed ones: the wide gaps between them then end after few comparisons. All paths end in one of two shared
//! instructions.
//!
//! Programs are assembled at compile time, except for callers whose rules need extra lines. Descriptors are filled in
//! at run time.
#![forbid(unsafe_code)]
#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "const; `assemble` stays within the arrays, and says so where a program does not fit"
)]

use seccompiler::sock_filter;

use super::{Bare, Check, Socket, Sockets};

/// `BPF_LD | BPF_W | BPF_ABS`, `BPF_ALU | BPF_AND | BPF_K`, `BPF_JMP | BPF_JEQ | BPF_K`,
/// `BPF_JMP | BPF_JGE | BPF_K`, `BPF_RET | BPF_K`
/// (`linux/bpf_common.h`).
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;
/// The most instructions of a program: a jump reaches at most 255.
const MOST: usize = 248;
/// The most system call numbers in a program.
const NUMBERS: usize = 96;
/// The most places for descriptors in a program.
const HOLES: usize = 32;
/// All system call numbers are less than this.
const SPACE: u32 = 512;
/// Placeholders for jumps whose distance is not known yet: to the instruction that ends the process, to the one that
/// allows the call, to the next line of the same number, to the next comparison of the line.
const TO_KILL: u8 = u8::MAX;
const TO_ALLOW: u8 = TO_KILL - 1;
const TO_NEXT_LINE: u8 = TO_KILL - 2;
const TO_NEXT_CHECK: u8 = TO_KILL - 3;
/// `SECCOMP_RET_KILL_PROCESS`, `SECCOMP_RET_ALLOW` (`linux/seccomp.h`).
const KILL: u32 = 0x8000_0000;
const ALLOW: u32 = 0x7fff_0000;
/// Offsets in `struct seccomp_data`. An argument has 64 bits, its low half first.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;
/// `AUDIT_ARCH_…` (`linux/audit.h`).
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
const OWN: u32 = 0xc000_003e;
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
const OWN: u32 = 0xc000_00b7;
#[cfg(target_arch = "riscv64")]
const OWN: u32 = 0xc000_00f3;

/// A program. It allows the calls that its lines allow. Any other call ends the process, including calls by the numbers
/// of other architectures and of x32.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    code: [sock_filter; MOST],
    length: usize,
    holes: [Hole; HOLES],
    number_of_holes: usize,
    /// Whether it did not fit. It must not be installed then.
    is_too_long: bool,
}

/// An instruction that compares with a descriptor of a socket. `which` selects one where the socket has two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hole {
    at: usize,
    socket: Socket,
    which: usize,
}

/// The lines of one system call number: `from` to before `to`.
#[derive(Clone, Copy)]
struct Entry {
    number: u32,
    from: usize,
    to: usize,
}

/// Assembles lines that are sorted by their numbers.
pub(super) const fn assemble(lines: &[Bare]) -> Program {
    let mut entries = [Entry { number: 0, from: 0, to: 0 }; NUMBERS];
    let (mut numbers, mut line) = (0, 0);
    while line < lines.len() && numbers < NUMBERS {
        let from = line;
        while line < lines.len() && lines[line].0 == lines[from].0 {
            line += 1;
        }
        entries[numbers] = Entry { number: lines[from].0, from, to: line };
        numbers += 1;
    }
    let mut program = Program {
        code: [const { instruction(RETURN, 0, 0, KILL) }; MOST],
        length: 0,
        holes: [Hole { at: 0, socket: Socket::Netlink, which: 0 }; HOLES],
        number_of_holes: 0,
        is_too_long: line < lines.len(),
    };
    program.push(instruction(LOAD, 0, 0, ARCHITECTURE));
    program.push(instruction(IF_EQUAL, 0, TO_KILL, OWN));
    program.push(instruction(LOAD, 0, 0, NUMBER));
    program.tree(lines, &entries, (0, numbers), (0, SPACE));
    let kill = program.push(instruction(RETURN, 0, 0, KILL));
    let allow = program.push(instruction(RETURN, 0, 0, ALLOW));
    program.resolve(0, TO_KILL, kill);
    program.resolve(0, TO_ALLOW, allow);
    program
}

const fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// Whether a check accepts all arguments.
const fn is_free(check: Check) -> bool {
    match check {
        Check::Free => true,
        Check::All(checks) => last_that_looks(checks).is_none(),
        _ => false,
    }
}

const fn last_that_looks(checks: &[Check]) -> Option<usize> {
    let mut at = checks.len();
    while at > 0 {
        at -= 1;
        if !is_free(checks[at]) {
            return Some(at);
        }
    }
    None
}

impl Program {
    /// Fills in these descriptors and returns the instructions; `None` where the program is too long.
    pub(super) fn filled(&mut self, sockets: &Sockets<'_>) -> Option<&[sock_filter]> {
        for hole in &self.holes[..self.number_of_holes] {
            let one = &mut self.code[hole.at];
            match sockets.descriptors(hole.socket).get(hole.which) {
                Some(descriptor) => one.k = descriptor.unsigned_abs(),
                None => one.jt = one.jf, // an absent descriptor equals nothing
            }
        }
        (!self.is_too_long).then(|| &self.code[..self.length])
    }

    /// Appends an instruction and returns its position.
    const fn push(&mut self, one: sock_filter) -> usize {
        let at = self.length;
        if at < MOST {
            self.code[at] = one;
            self.length += 1;
        } else {
            self.is_too_long = true;
        }
        at
    }

    /// Makes all jumps from position `from` on that have the placeholder `open` lead to position `to`.
    const fn resolve(&mut self, from: usize, open: u8, to: usize) {
        let mut at = from;
        while at < self.length {
            if self.code[at].jt == open {
                self.code[at].jt = self.distance(at, to);
            }
            if self.code[at].jf == open {
                self.code[at].jf = self.distance(at, to);
            }
            at += 1;
        }
    }

    /// The distance of a jump from one position to another, as BPF counts it: 0 is the next instruction.
    const fn distance(&mut self, from: usize, to: usize) -> u8 {
        if to <= from || to - from > TO_NEXT_CHECK as usize {
            self.is_too_long = true;
            return 0;
        }
        (to - from - 1) as u8
    }

    /// Writes the search among `entries` from `range.0` to before `range.1`. These are all allowed numbers from
    /// `space.0` to before `space.1`.
    const fn tree(&mut self, lines: &[Bare], entries: &[Entry], range: (usize, usize), space: (u32, u32)) {
        let (from, to) = range;
        let (count, width) = (to - from, space.1.saturating_sub(space.0));
        if count <= 2 || count <= 4 && width <= 16 {
            return self.leaf(lines, entries, range);
        }
        // Splits where both halves cost about the same, in numbers that the kernel tries and in instructions that it
        // compiles.
        let (mut middle, mut least, mut at) = (from + 1, u32::MAX, from + 1);
        while at < to {
            let left = entries[at].number.saturating_sub(space.0) + 8 * (at - from) as u32;
            let right = space.1.saturating_sub(entries[at].number) + 8 * (to - at) as u32;
            if left.abs_diff(right) < least {
                (middle, least) = (at, left.abs_diff(right));
            }
            at += 1;
        }
        let number = entries[middle].number;
        let split = self.push(instruction(IF_AT_LEAST, TO_NEXT_CHECK, 0, number));
        self.tree(lines, entries, (from, middle), (space.0, number));
        if split < MOST {
            self.code[split].jt = self.distance(split, self.length);
        }
        self.tree(lines, entries, (middle, to), (number, space.1));
    }

    /// Writes one comparison for each number, then the checks of their arguments.
    const fn leaf(&mut self, lines: &[Bare], entries: &[Entry], (from, to): (usize, usize)) {
        let first = self.length;
        let mut at = from;
        while at < to {
            let none = if at + 1 == to { TO_KILL } else { 0 };
            self.push(instruction(IF_EQUAL, TO_ALLOW, none, entries[at].number));
            at += 1;
        }
        at = from;
        while at < to {
            if !is_any_free(lines, entries[at]) {
                let (number, arguments) = (first + at - from, self.length);
                self.arguments(lines, entries[at]);
                if number < MOST {
                    self.code[number].jt = self.distance(number, arguments);
                }
            }
            at += 1;
        }
    }

    /// Writes the checks of the arguments of a number, line by line. One line must hold.
    const fn arguments(&mut self, lines: &[Bare], entry: Entry) {
        let mut line = entry.from;
        while line < entry.to {
            let begins = self.length;
            self.check(lines[line].1, true);
            line += 1;
            if line < entry.to {
                self.resolve(begins, TO_NEXT_LINE, self.length);
            } else {
                self.fail(begins, TO_KILL);
            }
        }
    }

    /// Makes the failing checks of the last line jump to `with`.
    const fn fail(&mut self, from: usize, with: u8) {
        let mut at = from;
        while at < self.length {
            if self.code[at].jt == TO_NEXT_LINE {
                self.code[at].jt = with;
            }
            if self.code[at].jf == TO_NEXT_LINE {
                self.code[at].jf = with;
            }
            at += 1;
        }
    }

    /// Writes one check. Where it holds, the next check of the line follows; after the last one, the call is allowed.
    const fn check(&mut self, check: Check, is_last: bool) {
        let begins = self.length;
        let holds = if is_last { TO_ALLOW } else { TO_NEXT_CHECK };
        match check {
            Check::Free => {}
            Check::Is(argument, value) => self.equal(argument, value, holds),
            Check::Without(argument, bits) => {
                self.low(argument);
                self.push(instruction(AND, 0, 0, bits));
                self.push(instruction(IF_EQUAL, holds, TO_NEXT_LINE, 0));
            }
            Check::AtLeast(argument, least) => {
                self.low(argument);
                self.push(instruction(IF_AT_LEAST, holds, TO_NEXT_LINE, least));
            }
            Check::Null(argument) => self.null(argument, holds),
            Check::On(socket) => self.descriptor(socket, holds, TO_NEXT_LINE),
            Check::Off(socket) => self.descriptor(socket, TO_NEXT_LINE, holds),
            Check::To(socket) => {
                self.descriptor(socket, TO_NEXT_CHECK, TO_NEXT_LINE);
                self.resolve(begins, TO_NEXT_CHECK, self.length);
                self.null(4, holds);
            }
            Check::Asks(socket, request) => {
                self.descriptor(socket, TO_NEXT_CHECK, TO_NEXT_LINE);
                self.resolve(begins, TO_NEXT_CHECK, self.length);
                self.equal(1, request, holds);
            }
            Check::All(checks) => {
                let last = last_that_looks(checks);
                let mut at = 0;
                while at < checks.len() {
                    self.check(checks[at], is_last && matches!(last, Some(last) if last == at));
                    at += 1;
                }
            }
        }
        self.resolve(begins, TO_NEXT_CHECK, self.length);
    }

    /// Checks that the first argument is one of the descriptors of this socket, which has at most two.
    const fn descriptor(&mut self, socket: Socket, one: u8, none: u8) {
        let most = if matches!(socket, Socket::Netlink) { 2 } else { 1 };
        self.low(0);
        let mut which = 0;
        while which < most {
            let at = self.push(instruction(IF_EQUAL, one, if which + 1 == most { none } else { 0 }, u32::MAX));
            if self.number_of_holes < HOLES {
                self.holes[self.number_of_holes] = Hole { at, socket, which };
                self.number_of_holes += 1;
            } else {
                self.is_too_long = true;
            }
            which += 1;
        }
    }

    /// Compares the low half only, because the kernel takes the low half of a register for an `int`.
    const fn equal(&mut self, argument: u8, value: u32, holds: u8) {
        self.low(argument);
        self.push(instruction(IF_EQUAL, holds, TO_NEXT_LINE, value));
    }

    const fn null(&mut self, argument: u8, holds: u8) {
        self.low(argument);
        self.push(instruction(IF_EQUAL, 0, TO_NEXT_LINE, 0));
        self.push(instruction(LOAD, 0, 0, ARGUMENTS + 8 * argument as u32 + 4));
        self.push(instruction(IF_EQUAL, holds, TO_NEXT_LINE, 0));
    }

    const fn low(&mut self, argument: u8) {
        self.push(instruction(LOAD, 0, 0, ARGUMENTS + 8 * argument as u32));
    }
}

/// Whether a number is allowed whatever its arguments are.
const fn is_any_free(lines: &[Bare], entry: Entry) -> bool {
    let mut line = entry.from;
    while line < entry.to {
        if is_free(lines[line].1) {
            return true;
        }
        line += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::needs::Profile;

    /// Runs a program as the kernel does (`net/core/filter.c`), over a call of this architecture.
    fn run(program: &[sock_filter], architecture: u32, number: u32, arguments: [u64; 6]) -> u32 {
        // In words, which are all that a filter can load.
        let mut data = [number, architecture, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for (at, argument) in arguments.into_iter().enumerate() {
            (data[4 + 2 * at], data[5 + 2 * at]) = (argument as u32, (argument >> 32) as u32);
        }
        let (mut at, mut held) = (0_usize, 0_u32);
        loop {
            let one = &program[at];
            at += 1;
            let from = usize::try_from(one.k).unwrap();
            match one.code {
                LOAD if from % 4 == 0 => held = data[from / 4],
                AND => held &= one.k,
                IF_EQUAL => at += usize::from(if held == one.k { one.jt } else { one.jf }),
                IF_AT_LEAST => at += usize::from(if held >= one.k { one.jt } else { one.jf }),
                RETURN => return one.k,
                other => panic!("{other}"),
            }
        }
    }

    #[test]
    fn only_what_is_listed_is_allowed() {
        let lines = [
            (1, Check::Is(0, 1)),
            (2, Check::Free),
            (44, Check::To(Socket::Netlink)),
            (45, Check::On(Socket::Trail)),
            (231, Check::Free),
            (257, Check::Without(2, 0x3)),
            (258, Check::All(&[Check::AtLeast(0, 3), Check::Off(Socket::Netlink)])),
            (259, Check::All(&[Check::On(Socket::Netlink), Check::Null(1), Check::Is(2, 9)])),
            (259, Check::Is(2, 10)),
            (260, Check::All(&[Check::On(Socket::Policy), Check::Free])),
            (261, Check::Off(Socket::Policy)),
        ];
        let mut assembled = assemble(&lines);
        let program = assembled.filled(&Sockets { netlink: &[5, 4], ..Sockets::default() }).unwrap();
        let allowed = |number, arguments| run(program, OWN, number, arguments) == ALLOW;
        assert!(allowed(2, [9; 6]) && allowed(231, [0; 6]));
        assert!(allowed(1, [1, 9, 9, 0, 0, 0]) && !allowed(1, [2, 0, 0, 0, 0, 0]));
        assert!(allowed(1, [0xffff_ffff_0000_0001, 0, 0, 0, 0, 0]), "an int is its low half");
        assert!(allowed(44, [5, 1, 1, 1, 0, 0]) && allowed(44, [4, 1, 1, 1, 0, 0]));
        assert!(
            !allowed(44, [5, 0, 0, 0, 1, 0])
                && !allowed(44, [5, 0, 0, 0, 1 << 32, 0])
                && !allowed(44, [3, 0, 0, 0, 0, 0])
        );
        assert!(allowed(257, [0, 0, 0x8000, 0, 0, 0]) && !allowed(257, [0, 0, 0x8001, 0, 0, 0]));
        for descriptor in 0..8 {
            let only = |first, second, third| [first, second, third, 7, 7, 7];
            assert_eq!(allowed(258, only(descriptor, 0, 0)), [3, 6, 7].contains(&descriptor), "{descriptor}");
            assert_eq!(allowed(259, only(descriptor, 0, 9)), [4, 5].contains(&descriptor), "{descriptor}");
            assert!(!allowed(259, only(descriptor, 1, 9)) && !allowed(259, only(descriptor, 1 << 32, 9)));
            assert!(!allowed(259, only(descriptor, 0, 8)) && allowed(259, only(descriptor, 1, 10)));
            assert!(!allowed(260, only(descriptor, 0, 0)), "no such descriptor");
        }
        assert!(allowed(258, [u64::MAX, 0, 0, 0, 0, 0]), "-1 is no descriptor");
        for number in 0..600 {
            let arguments = [7; 6];
            assert_eq!(allowed(number, arguments), [2, 231, 258, 261].contains(&number), "{number}");
            assert_eq!(run(program, OWN, number | 0x4000_0000, arguments), KILL, "x32 {number}");
            assert_eq!(run(program, 0x4000_0003, number, arguments), KILL, "i386 {number}");
        }
    }

    /// Evaluates a check directly, without a program.
    fn holds(check: Check, arguments: [u64; 6], sockets: &Sockets<'_>) -> bool {
        let low = |at: u8| u32::try_from(arguments[usize::from(at)] & 0xffff_ffff).unwrap();
        let on = |socket| sockets.descriptors(socket).iter().any(|fd| fd.unsigned_abs() == low(0));
        match check {
            Check::Free => true,
            Check::Is(at, value) => low(at) == value,
            Check::Without(at, bits) => low(at) & bits == 0,
            Check::AtLeast(at, least) => low(at) >= least,
            Check::Null(at) => arguments[usize::from(at)] == 0,
            Check::On(socket) => on(socket),
            Check::Off(socket) => !on(socket),
            Check::All(checks) => checks.iter().all(|check| holds(*check, arguments, sockets)),
            Check::Asks(socket, request) => on(socket) && low(1) == request,
            Check::To(socket) => on(socket) && arguments[4] == 0,
        }
    }

    /// The values that the checks of the lines compare with, each plus and minus one, and some other values.
    fn interesting(lines: &[Bare]) -> Vec<u64> {
        fn of(check: Check, into: &mut Vec<u64>) {
            match check {
                Check::Is(_, value) | Check::Without(_, value) | Check::AtLeast(_, value) | Check::Asks(_, value) => {
                    into.push(u64::from(value));
                }
                Check::All(checks) => checks.iter().for_each(|check| of(*check, into)),
                _ => {}
            }
        }
        let mut values = vec![0, 1, 2, 3, 4, 5, 6, 7, 1 << 32, u64::MAX];
        lines.iter().for_each(|(_, check)| of(*check, &mut values));
        let near = values.iter().flat_map(|value| [value.wrapping_sub(1), *value, value.wrapping_add(1)]);
        let mut values: Vec<u64> = near.collect();
        values.sort_unstable();
        values.dedup();
        values
    }

    #[test]
    fn every_filter_allows_what_its_lines_say_and_is_the_same_whenever_it_is_assembled() {
        use super::super::{AHEAD_PROGRAM, GUARDED_AHEAD, RESIDE, RESIDENT_PROGRAM};
        use super::super::{FIND_PROCESSES, FIND_PROCESSES_PROGRAM};
        use super::super::{LIST_NAMES, LIST_NAMES_PROGRAM, MAKE_NAMESPACES, MAKE_NAMESPACES_PROGRAM, MAKE_TUN};
        use super::super::{MAKE_TUN_PROGRAM, PLAIN, TRANSACT, TRANSACT_PROGRAM, first, first_program};
        let mut profiles = vec![Profile::LINK];
        for extra in &crate::call::needs::EXTRAS {
            profiles.extend(profiles.clone().into_iter().map(|profile| profile.and(extra.profile)));
        }
        let sorted = |tables: Vec<&'static [super::super::Line]>| {
            let mut lines: Vec<Bare> = tables
                .into_iter()
                .flatten()
                .map(|(number, check, _)| (u32::try_from(*number).unwrap(), *check))
                .collect();
            lines.sort_by_key(|(number, _)| *number);
            lines
        };
        let firsts = profiles.iter().map(|profile| (first_program(*profile), sorted(first(*profile).collect())));
        let firsts = firsts.chain([(AHEAD_PROGRAM, sorted(GUARDED_AHEAD.to_vec()))]);
        let others = [
            (RESIDENT_PROGRAM, sorted(RESIDE.to_vec())),
            (TRANSACT_PROGRAM, sorted(TRANSACT.to_vec())),
            (MAKE_TUN_PROGRAM, sorted(MAKE_TUN.to_vec())),
            (LIST_NAMES_PROGRAM, sorted(LIST_NAMES.to_vec())),
            (FIND_PROCESSES_PROGRAM, sorted(FIND_PROCESSES.to_vec())),
            (MAKE_NAMESPACES_PROGRAM, sorted(MAKE_NAMESPACES.to_vec())),
        ];
        assert_eq!(first_program(Profile::LINK), PLAIN);
        let mut state = 1_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap()
        };
        let mut reside = RESIDENT_PROGRAM;
        let reside = reside.filled(&Sockets::default()).expect("it fits");
        let of_others = others.into_iter().map(|other| (false, other));
        for (is_first, (program, lines)) in firsts.map(|first| (true, first)).chain(of_others) {
            assert_eq!(program, assemble(&lines), "assembled when this was built, and now");
            let sockets = Sockets {
                netlink: &[6, 5],
                trail: Some(4),
                tun: Some(7),
                policy: Some(3),
                names: Some(5),
                proc: Some(8),
                channel: Some(9),
            };
            let some = Sockets { netlink: &[6], ..Sockets::default() };
            for sockets in [&sockets, &some] {
                let mut program = program.clone();
                let program = program.filled(sockets).expect("it fits");
                let values = interesting(&lines);
                for number in 0..SPACE {
                    let own: Vec<Check> =
                        lines.iter().filter(|line| line.0 == number).map(|(_, check)| *check).collect();
                    for _ in 0..if own.is_empty() { 2 } else { 3000 } {
                        let arguments = [(); 6].map(|()| values[random() % values.len()]);
                        let expected = own.iter().any(|check| holds(*check, arguments, sockets));
                        assert_eq!(
                            run(program, OWN, number, arguments) == ALLOW,
                            expected,
                            "{number} {arguments:?} {own:?}"
                        );
                        let is_inherited = !is_first || !expected || run(reside, OWN, number, arguments) == ALLOW;
                        assert!(is_inherited, "the parent forbids {number} {arguments:?} {own:?}");
                    }
                }
            }
        }
    }

    /// A program as C source. Descriptors appear as the names of their sockets.
    fn as_c(name: &str, program: &Program) -> String {
        let k = |at: usize, k: u32| match program.holes[..program.number_of_holes].iter().find(|hole| hole.at == at) {
            Some(hole) => format!("{:?}", hole.socket).to_uppercase(),
            None => format!("{k:#x}"),
        };
        let line = |(at, one): (usize, &sock_filter)| {
            format!("\t{{ {:#x}, {}, {}, {} }}, \\\n", one.code, one.jt, one.jf, k(at, one.k))
        };
        let lines: String = program.code[..program.length].iter().enumerate().map(line).collect();
        format!("#define {name} \\\n{}\n", lines.trim_end_matches(" \\\n"))
    }

    /// The benchmark compares the broker with a C program that has the same defences, these filters among them.
    #[test]
    #[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
    fn the_filters_of_the_benchmark_are_those_of_the_broker() {
        use super::super::{AHEAD_PROGRAM, PLAIN, RESIDENT_PROGRAM, TRANSACT_PROGRAM};
        const HEADER: &str = include_str!("../../../tests/benchmark/filters.h");
        let broker = as_c("GUARDED", &PLAIN) + &as_c("TRANSACT", &TRANSACT_PROGRAM);
        let now = broker + &as_c("GUARDED_AHEAD", &AHEAD_PROGRAM) + &as_c("RESIDE", &RESIDENT_PROGRAM);
        assert!(HEADER.ends_with(&now), "tests/benchmark/filters.h must end in:\n{now}");
    }
}
