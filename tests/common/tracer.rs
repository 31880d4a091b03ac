// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Watches the system calls of the broker, and makes one of them fail, fall short, or be the last. x86-64 only.
//!
//! strace injects an error by giving the call the number -1, and a filter that lists the allowed numbers then ends the
//! process. Here the call becomes `restart_syscall`: every filter allows it, it takes no arguments, and where nothing
//! waits it does nothing.

use super::{BROKER, Caller, Host, Reply, Running, request};
use nix::errno::Errno;
use nix::libc::{self, user_regs_struct};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use serde_json::Value;

/// A system call that is about to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub number: i64,
    pub arguments: [u64; 3],
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is made.
    Done,
    /// It is not made, and fails.
    Fails(Errno),
    /// It is made with half of the length in its third argument.
    HalfDone,
    /// It is not made, and the process is killed.
    Killed,
    /// It is made, and so are all that follow: the tracer detaches.
    LeftAlone,
}

/// A caller whose broker waits to be traced before it starts.
pub fn stopped<'h>(caller: &Caller<'h>) -> Caller<'h> {
    caller.clone().under(&["sh", "-c", "kill -STOP $$; exec \"$@\"", "sh"])
}

/// Runs a call that is held back right before it sends for the `nth` time, until `meanwhile` is done. It first sends the
/// record of the decision, then messages to the kernel. Also returns how many it has sent, if these are fewer.
pub fn held_back(
    host: &Host,
    nth: usize,
    method: &str,
    fields: &Value,
    meanwhile: impl Fn(),
) -> Result<Reply, (Reply, usize)> {
    let mut running = stopped(&host.caller()).start();
    running.send(&request(method, fields.clone(), false));
    let mut sent = 0;
    trace(&running, |step| {
        sent += usize::from(step.number == libc::SYS_sendto);
        if step.number == libc::SYS_sendto && sent == nth {
            meanwhile();
            return Fate::LeftAlone;
        }
        Fate::Done
    });
    let reply = running.finish();
    if sent < nth { Err((reply, sent)) } else { Ok(reply) }
}

/// Calls a function for each system call of the broker, from its exec on, which decides what happens to the call.
/// Afterwards the process runs on its own. Must be called by the thread that started the process.
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
            // brk(2) returns no error number. It fails by leaving the end of the heap unchanged.
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
        // The kernel keeps the arguments, and the program relies on that.
        let registers = user_regs_struct { rax: result.unwrap_or(done.rax), rdi: asked.rdi, rdx: asked.rdx, ..done };
        ptrace::setregs(pid, registers).unwrap();
    }
}

/// Runs the process from where [`stopped`] holds it to the return from the exec of the broker.
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

/// Whether the process reaches the next call, or the end of this one; otherwise it has ended.
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

/// What the process has reached. Its end is left for [`Running`] to wait for.
fn look(pid: Pid) -> WaitStatus {
    waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED | WaitPidFlag::WNOWAIT).unwrap()
}
