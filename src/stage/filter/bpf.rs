// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Filters as short programs, looked up by halves. `seccompiler`'s own are lists of five instructions a line; the kernel
//! takes their 165 instructions 113 µs to compile and walk in every process, this tree of the same numbers a quarter.
#![forbid(unsafe_code)]

use seccompiler::{BpfProgram, sock_filter};

use super::{Bare, Check, Sockets};

/// `BPF_LD | BPF_W | BPF_ABS`, `BPF_ALU | BPF_AND | BPF_K`, `BPF_JMP | BPF_JEQ | BPF_K`,
/// `BPF_JMP | BPF_JGE | BPF_K`, `BPF_RET | BPF_K`
/// (`linux/bpf_common.h`).
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;
/// Where a comparison that fails goes: [`block`] puts the end of its way here.
const FAILS: u8 = u8::MAX;
/// Numbers that are compared one after the other.
const LEAF: usize = 4;
/// `SECCOMP_RET_KILL_PROCESS`, `SECCOMP_RET_ALLOW` (`linux/seccomp.h`).
const KILL: u32 = 0x8000_0000;
const ALLOW: u32 = 0x7fff_0000;
/// Offsets in `struct seccomp_data`; a word of an argument has its low half first.
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

fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

fn end(with: u32) -> sock_filter {
    instruction(RETURN, 0, 0, with)
}

/// A program that allows what the lines say, which stand in the order of their numbers. Anything else, another
/// architecture's and x32's numbers among it, ends the process. `None` where it would be too long for a jump.
pub(super) fn assemble(lines: &[Bare], sockets: &Sockets<'_>) -> Option<BpfProgram> {
    let mut entries = Vec::new();
    for lines in lines.chunk_by(|(one, _), (next, _)| one == next) {
        let number = lines.first()?.0;
        let ways: Vec<BpfProgram> = lines.iter().flat_map(|(_, check)| ways(*check, sockets)).collect();
        let is_free = ways.iter().any(Vec::is_empty);
        entries.push((number, if is_free { None } else { Some(block(ways)?) }));
    }
    let mut program = vec![
        instruction(LOAD, 0, 0, ARCHITECTURE),
        instruction(IF_EQUAL, 1, 0, OWN),
        end(KILL),
        instruction(LOAD, 0, 0, NUMBER),
    ];
    program.extend(tree(&entries)?);
    Some(program)
}

/// A number, and what looks at its arguments where they are not free.
type Entry = (u32, Option<BpfProgram>);

/// Halves the numbers until few are left: when a filter is attached, the kernel walks it once for every number that
/// there is (`seccomp_cache_prepare`), and in a list most of them would go to the end.
fn tree(entries: &[Entry]) -> Option<BpfProgram> {
    let (left, right) = entries.split_at(entries.len() / 2);
    match right.first() {
        Some((middle, _)) if entries.len() > LEAF => {
            let left = tree(left)?;
            let mut program = vec![instruction(IF_AT_LEAST, u8::try_from(left.len()).ok()?, 0, *middle)];
            program.extend(left);
            program.extend(tree(right)?);
            Some(program)
        }
        _ => leaf(entries),
    }
}

/// One comparison after the other.
fn leaf(entries: &[Entry]) -> Option<BpfProgram> {
    let mut blocks = Vec::new();
    for (number, block) in entries {
        if let Some(block) = block {
            blocks.push(instruction(IF_EQUAL, 0, u8::try_from(block.len()).ok()?, *number));
            blocks.extend(block.iter().cloned());
        }
    }
    let free: Vec<u32> = entries.iter().filter(|(_, block)| block.is_none()).map(|(number, _)| *number).collect();
    let mut program = Vec::new();
    for (at, number) in free.iter().enumerate() {
        let to_the_end = free.len() - at - 1 + blocks.len() + 1;
        program.push(instruction(IF_EQUAL, u8::try_from(to_the_end).ok()?, 0, *number));
    }
    program.extend(blocks);
    program.extend([end(KILL), end(ALLOW)]);
    Some(program)
}

/// What follows the number of a call whose arguments are looked at: way after way, then the end of the process.
fn block(ways: Vec<BpfProgram>) -> Option<BpfProgram> {
    let mut block = Vec::new();
    for mut way in ways {
        way.push(end(ALLOW));
        // A check that fails goes on behind this way.
        let length = way.len();
        for (at, one) in way.iter_mut().enumerate() {
            let behind = u8::try_from(length - at - 1).ok()?;
            for jump in [&mut one.jt, &mut one.jf].into_iter().filter(|jump| **jump == FAILS) {
                *jump = behind;
            }
        }
        block.extend(way);
    }
    block.push(end(KILL));
    Some(block)
}

/// The ways to pass a check, each a sequence of comparisons that must all hold; none for one on a socket that is not there.
fn ways(check: Check, sockets: &Sockets<'_>) -> Vec<BpfProgram> {
    let of = |socket| sockets.descriptors(socket).iter().map(|fd| is(0, fd.unsigned_abs()));
    match check {
        Check::Free => vec![vec![]],
        Check::Is(argument, value) => vec![is(argument, value)],
        Check::Without(argument, bits) => vec![vec![low(argument), instruction(AND, 0, 0, bits), equal(0)]],
        Check::AtLeast(argument, least) => vec![vec![low(argument), instruction(IF_AT_LEAST, 0, FAILS, least)]],
        Check::Null(argument) => vec![null(argument)],
        Check::On(socket) => of(socket).collect(),
        Check::Asks(socket, request) => of(socket).map(|way| [way, is(1, request)].concat()).collect(),
        Check::Off(socket) => {
            let others =
                sockets.descriptors(socket).iter().map(|fd| instruction(IF_EQUAL, FAILS, 0, fd.unsigned_abs()));
            vec![std::iter::once(low(0)).chain(others).collect()]
        }
        Check::All(checks) => checks.iter().fold(vec![vec![]], |before, check| {
            let then = ways(*check, sockets);
            before.iter().flat_map(|one| then.iter().map(|next| [&one[..], next].concat())).collect()
        }),
        Check::To(socket) => of(socket).map(|way| [way, null(4)].concat()).collect(),
    }
}

/// The kernel takes the low half of a register for an `int`, so the high half is not looked at.
fn is(argument: u8, value: u32) -> BpfProgram {
    vec![low(argument), equal(value)]
}

fn null(argument: u8) -> BpfProgram {
    let high = instruction(LOAD, 0, 0, ARGUMENTS + 8 * u32::from(argument) + 4);
    vec![low(argument), equal(0), high, equal(0)]
}

fn low(argument: u8) -> sock_filter {
    instruction(LOAD, 0, 0, ARGUMENTS + 8 * u32::from(argument))
}

fn equal(value: u32) -> sock_filter {
    instruction(IF_EQUAL, 0, FAILS, value)
}

#[cfg(test)]
mod tests {
    use super::super::Socket;
    use super::*;

    /// Runs a program as the kernel does (`net/core/filter.c`), over a call of this architecture.
    fn run(program: &BpfProgram, architecture: u32, number: u32, arguments: [u64; 6]) -> u32 {
        let mut data = [number.to_ne_bytes(), architecture.to_ne_bytes(), [0; 4], [0; 4]].concat();
        data.extend(arguments.iter().flat_map(|argument| argument.to_le_bytes()));
        let (mut at, mut held) = (0_usize, 0_u32);
        loop {
            let one = &program[at];
            at += 1;
            let from = usize::try_from(one.k).unwrap();
            match one.code {
                LOAD => held = u32::from_le_bytes(data[from..from + 4].try_into().unwrap()),
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
        let program = assemble(&lines, &Sockets { netlink: &[5, 4], ..Sockets::default() }).unwrap();
        let allowed = |number, arguments| run(&program, OWN, number, arguments) == ALLOW;
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
            assert!(!allowed(260, only(descriptor, 0, 0)), "there is no such descriptor");
        }
        assert!(allowed(258, [u64::MAX, 0, 0, 0, 0, 0]), "-1 is no descriptor");
        for number in 0..600 {
            let arguments = [7; 6];
            assert_eq!(allowed(number, arguments), [2, 231, 258, 261].contains(&number), "{number}");
            assert_eq!(run(&program, OWN, number | 0x4000_0000, arguments), KILL, "x32 {number}");
            assert_eq!(run(&program, 0x4000_0003, number, arguments), KILL, "i386 {number}");
        }
    }
}
