// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Looks on as the broker does its system calls, and has one of them fail, fall short, or be the last. x86-64 only.
//!
//! strace's injection gives a call the number -1, which a filter that is a list ends. Here it becomes
//! `restart_syscall`: every filter has it, it takes no arguments, and where nothing waits it does nothing.

use super::{BROKER, Caller, Running};
use nix::errno::Errno;
use nix::libc::{self, user_regs_struct};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

/// A system call that is about to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub number: i64,
    pub arguments: [u64; 3],
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is done.
    Done,
    /// It is not done, and fails.
    Fails(Errno),
    /// It is done with half of the length that is its third argument.
    HalfDone,
    /// It is not done, and the process is at its end.
    Killed,
    /// It is done, and so is all that follows: nobody looks any more.
    LeftAlone,
}

/// A caller whose broker waits to be traced before it starts.
pub fn stopped<'h>(caller: &Caller<'h>) -> Caller<'h> {
    caller.clone().under(&["sh", "-c", "kill -STOP $$; exec \"$@\"", "sh"])
}

/// Asks what becomes of each call of the broker, from behind exec on; the process then has its end to itself. To be called
/// by the thread that has started it.
pub fn trace(running: &Running, mut fate: impl FnMut(Step) -> Fate) {
    let pid = Pid::from_raw(i32::try_from(running.pid()).unwrap());
    exec(pid);
    loop {
        ptrace::syscall(pid, None).unwrap();
        if !reaches_call(pid) {
            return;
        }
        let asked = ptrace::getregs(pid).unwrap();
        let mut registers = asked;
        let number = i64::try_from(registers.orig_rax).unwrap();
        let step = Step { number, arguments: [registers.rdi, registers.rsi, registers.rdx] };
        let fate = match fate(step) {
            Fate::Done if number == libc::SYS_exit_group => Fate::LeftAlone,
            other => other,
        };
        let mut result = None;
        match fate {
            Fate::Done => {}
            // Of brk(2), which has no error number, this is the failure: the end stays where it is.
            Fate::Fails(_) if number == libc::SYS_brk => registers.rdi = 0,
            Fate::Fails(errno) => {
                registers.orig_rax = u64::try_from(libc::SYS_restart_syscall).unwrap();
                result = Some(-i64::from(errno as i32) as u64);
            }
            Fate::HalfDone => registers.rdx = registers.rdx.div_ceil(2),
            Fate::Killed => return kill(pid, Signal::SIGKILL).unwrap(),
            Fate::LeftAlone => return ptrace::detach(pid, None).unwrap(),
        }
        ptrace::setregs(pid, registers).unwrap();
        ptrace::syscall(pid, None).unwrap();
        if !reaches_call(pid) {
            return;
        }
        let done = ptrace::getregs(pid).unwrap();
        // The kernel keeps the arguments, and the caller relies on it.
        let registers = user_regs_struct { rax: result.unwrap_or(done.rax), rdi: asked.rdi, rdx: asked.rdx, ..done };
        ptrace::setregs(pid, registers).unwrap();
    }
}

/// Lets the process go from where [`stopped`] holds it to the return from the exec of the broker.
fn exec(pid: Pid) {
    assert!(matches!(look(pid), WaitStatus::Stopped(_, Signal::SIGSTOP)));
    let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_EXITKILL;
    ptrace::seize(pid, options).unwrap();
    kill(pid, Signal::SIGCONT).unwrap();
    let is_broker = || std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.as_os_str() == BROKER);
    loop {
        match look(pid) {
            WaitStatus::PtraceEvent(_, _, libc::PTRACE_EVENT_EXEC) if is_broker() => break,
            WaitStatus::PtraceEvent(_, signal, 0) => ptrace::cont(pid, signal).unwrap(),
            WaitStatus::Stopped(..) | WaitStatus::PtraceEvent(..) => ptrace::cont(pid, None).unwrap(),
            other => panic!("before the broker has started: {other:?}"),
        }
    }
    ptrace::syscall(pid, None).unwrap();
    assert!(reaches_call(pid));
}

/// Whether the process comes to the next call, or to the end of this one; else it is at its end.
fn reaches_call(pid: Pid) -> bool {
    loop {
        match look(pid) {
            WaitStatus::PtraceSyscall(_) => return true,
            WaitStatus::PtraceEvent(_, signal, 0) => ptrace::syscall(pid, signal).unwrap(),
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => return false,
            _ => ptrace::syscall(pid, None).unwrap(),
        }
    }
}

/// What the process has come to. Its end stays for [`Running`] to wait for.
fn look(pid: Pid) -> WaitStatus {
    waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED | WaitPidFlag::WNOWAIT).unwrap()
}
