// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Filters as short programs, looked up by halves. `seccompiler`'s own are lists of five instructions a line; the kernel
//! takes their 165 instructions 113 µs to compile and walk in every process, this tree of the same numbers a quarter.
#![forbid(unsafe_code)]

use seccompiler::{BpfProgram, sock_filter};

use super::Check;

/// `BPF_LD | BPF_W | BPF_ABS`, `BPF_ALU | BPF_AND | BPF_K`, `BPF_JMP | BPF_JEQ | BPF_K`,
/// `BPF_JMP | BPF_JGE | BPF_K`, `BPF_RET | BPF_K`
/// (`linux/bpf_common.h`).
const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;
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

/// A program that allows the listed numbers: whatever their arguments where no way is given, else where every check of
/// one way holds. Anything else, another architecture's and x32's numbers among it, ends the process. `None` where it
/// would be too long for a jump.
pub(super) fn assemble(lines: Vec<(i64, Vec<Vec<Check>>)>) -> Option<BpfProgram> {
    let mut entries = Vec::new();
    for (number, ways) in lines {
        let is_free = ways.is_empty() || ways.iter().any(|way| way.iter().all(|check| matches!(check, Check::Free)));
        entries.push((u32::try_from(number).ok()?, if is_free { None } else { Some(block(&ways)?) }));
    }
    entries.sort_by_key(|(number, _)| *number);
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
fn block(ways: &[Vec<Check>]) -> Option<BpfProgram> {
    let mut block = Vec::new();
    for way in ways {
        let mut checks: Vec<sock_filter> = way.iter().flat_map(|check| compare(*check)).collect();
        checks.push(end(ALLOW));
        // A check that fails goes on behind this way.
        let length = checks.len();
        for (at, one) in checks.iter_mut().enumerate().filter(|(_, one)| one.code == IF_EQUAL) {
            one.jf = u8::try_from(length - at - 1).ok()?;
        }
        block.extend(checks);
    }
    block.push(end(KILL));
    Some(block)
}

/// The kernel takes the low half of a register for an `int`, so the high half is not looked at.
fn compare(check: Check) -> Vec<sock_filter> {
    let low = |argument: u8| instruction(LOAD, 0, 0, ARGUMENTS + 8 * u32::from(argument));
    let high = |argument: u8| instruction(LOAD, 0, 0, ARGUMENTS + 8 * u32::from(argument) + 4);
    let is = |value: u32| instruction(IF_EQUAL, 0, 0, value);
    match check {
        Check::Free => vec![],
        Check::Is(argument, value) => vec![low(argument), is(value)],
        Check::Without(argument, bits) => vec![low(argument), instruction(AND, 0, 0, bits), is(0)],
        Check::Null(argument) => vec![low(argument), is(0), high(argument), is(0)],
    }
}

#[cfg(test)]
mod tests {
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
        let lines = vec![
            (1, vec![vec![Check::Is(0, 1)]]),
            (2, vec![]),
            (44, vec![vec![Check::Is(0, 5), Check::Null(4)], vec![Check::Is(0, 4), Check::Null(4)]]),
            (231, vec![]),
            (257, vec![vec![Check::Without(2, 0x3)]]),
        ];
        let program = assemble(lines).unwrap();
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
        for number in 0..600 {
            let arguments = [7; 6];
            assert_eq!(allowed(number, arguments), [2, 231].contains(&number), "{number}");
            assert_eq!(run(&program, OWN, number | 0x4000_0000, arguments), KILL, "x32 {number}");
            assert_eq!(run(&program, 0x4000_0003, number, arguments), KILL, "i386 {number}");
        }
    }
}
