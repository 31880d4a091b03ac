// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a request does under the filters, as a tracer sees it: each system call, and the filters themselves.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use netbroker::call::Needs;
use netbroker::call::needs::{LastStage, Profile};
use netbroker::stage::filter::Socket;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{setsockopt, sockopt};

use super::calls::{Example, examples};
use super::scene::EVERYTHING;
use super::{ALICE, BROKER, CALLERS, Host};

/// How a request arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// In two halves, with the reply into a pipe that is full at first. The broker waits for both, and is stopped
    /// meanwhile.
    SlowPipe,
    /// The same, from a caller in this many additional groups.
    SlowPipeOf(u32),
    /// The same with so many blanks in the request, as JSON allows.
    SlowPipeWith(usize),
    /// From a file.
    File,
    /// From a socket in which it is already queued.
    Socket,
    /// From a socket whose other end is the caller.
    Peer,
}

/// A system call, with the number of filters that it was made under.
pub struct Made {
    pub filters: usize,
    pub number: i64,
    pub arguments: [u64; 6],
}

/// What one request did.
pub struct Traced {
    pub what: String,
    pub profile: Profile,
    pub needs: Needs,
    pub made: Vec<Made>,
    /// The filters as the kernel reports them, in hexadecimal: two, or one where nothing was called.
    pub programs: Vec<String>,
    netlink: Vec<u32>,
    trail: Vec<u32>,
    tun: Vec<u32>,
    policy: Vec<u32>,
    names: Vec<u32>,
}

impl Traced {
    /// Reads what `tests/stages/trace.pl` has written.
    fn read(what: String, profile: Profile, needs: Needs, log: &str) -> Self {
        let (mut made, mut programs, mut netlink, mut trail, mut policy) = (vec![], vec![], vec![], vec![], vec![]);
        for line in log.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let argument = |word: &&str| u64::from_str_radix(word, 16).unwrap();
            match words[..] {
                ["call", filters, number, ..] => made.push(Made {
                    filters: filters.parse().unwrap(),
                    number: number.parse().unwrap(),
                    arguments: words[3..].iter().map(argument).collect::<Vec<u64>>().try_into().unwrap(),
                }),
                ["filter", _, program] => programs.push(program.to_owned()),
                ["socket", descriptor, "16"] => netlink.push(descriptor.parse().unwrap()), // AF_NETLINK
                ["socket", descriptor, "1"] => trail.push(descriptor.parse().unwrap()),    // AF_UNIX
                ["policy", descriptor] => policy.push(descriptor.parse().unwrap()),
                _ => panic!("{what}: {line}"),
            }
        }
        trail.retain(|descriptor| *descriptor > 2); // without those of the wire
        let asked = |number: i64| -> Vec<u32> {
            let asked = made.iter().find(|made: &&Made| made.number == number && made.filters == 2);
            asked.map(|made| u32::try_from(made.arguments[0]).unwrap()).into_iter().collect()
        };
        let (tun, names) = (asked(nix::libc::SYS_ioctl), asked(nix::libc::SYS_getdents64));
        Self { what, profile, needs, made, programs, netlink, trail, tun, policy, names }
    }

    /// The descriptors of a socket; for `/dev/net/tun` and `/run/netns`, those on which a request was made.
    pub fn of(&self, socket: Socket) -> &[u32] {
        match socket {
            Socket::Netlink => &self.netlink,
            Socket::Trail => &self.trail,
            Socket::Tun => &self.tun,
            Socket::Policy => &self.policy,
            Socket::Names | Socket::Proc => &self.names,
            Socket::Channel => &[], // only children of netbrokerd have it
        }
    }
}

/// Every example in its usual form, and some in other forms; traced once for all tests.
pub fn all() -> &'static [Traced] {
    static ALL: OnceLock<Vec<Traced>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut all: Vec<Traced> = examples()
            .iter()
            .map(|example| trace(&Host::new(), example, By::SlowPipe, example.needs().profile))
            .collect();
        let making = examples().iter().find(|example| example.needs().stage == LastStage::Namespaces).unwrap();
        let tap = examples().iter().find(|example| example.needs().stage == LastStage::Tun).unwrap();
        let changing = examples().iter().find(|example| example.needs() == Needs::NET_ADMIN).unwrap();
        // The list of groups is so long that its memory goes back to the kernel when the caller is dropped, at the end.
        for example in [making, tap] {
            all.push(trace(&Host::new(), example, By::SlowPipeOf(40_000), Profile::NAMESPACES.and(Profile::TUN)));
        }
        // So long that its memory is mapped by itself, and grows.
        all.push(trace(&Host::new(), changing, By::SlowPipeWith(300 * 1024), Profile::LINK));
        all.extend([By::File, By::Socket, By::Peer].map(|by| trace(&Host::new(), changing, by, Profile::LINK)));
        all.push(trace(&Host::builder().no_trail().build(), changing, By::Socket, Profile::LINK));
        all.push(trace_without_call(&Host::new()));
        all
    })
}

const LOG: &str = "/run/scratch/trace";
const TRACER: [&str; 3] = ["perl", "/run/scratch/trace.pl", LOG];

/// Traces one request that succeeds. The caller has every rule except those that the profile excludes. Where the broker
/// lacks `CAP_DAC_OVERRIDE`, which the rules for namespaces need, the profile excludes these.
fn trace(host: &Host, example: &Example, by: By, profile: Profile) -> Traced {
    let what = format!("{} {} ({by:?})", example.call, example.parameters);
    furnish(host, profile);
    host.sh(example.before);
    let mut caller = match by {
        By::Peer => host.as_root().args(&["--peer"]),
        _ => host.caller(),
    };
    if !profile.has(Profile::NAMESPACES) {
        caller = caller.setpriv(&["--bounding-set=-dac_override"]);
    }
    let request = example.request();
    let command = || caller.clone().under(&TRACER).command();
    let (status, reply) = match by {
        By::SlowPipe => slowly(&mut command(), &request),
        By::SlowPipeOf(groups) => slowly(&mut in_groups(host, groups), &request),
        By::SlowPipeWith(blanks) => slowly(&mut command(), &[b"{", &*vec![b' '; blanks], &request[1..]].concat()),
        By::File => from_a_file(&mut command(), &request),
        By::Socket | By::Peer => at_once(&mut command(), &request),
    };
    assert!(status.success() && reply.starts_with(br#"{"parameters":"#), "{what}: {}", reply.escape_ascii());
    let traced = Traced::read(what, profile, example.needs(), &fs::read_to_string(LOG).unwrap());
    assert_eq!(traced.programs.len(), 2, "{}", traced.what);
    traced
}

/// Traces what is no request: a socket is closed without a reply, and a line on descriptor 2 says why.
fn trace_without_call(host: &Host) -> Traced {
    let what = "no request".to_owned();
    furnish(host, Profile::LINK);
    let mut caller = host.caller().setpriv(&["--bounding-set=-dac_override"]).under(&TRACER).command();
    let (status, reply) = at_once(caller.stderr(Stdio::null()), b"hello\0");
    assert!(status.code() == Some(65) && reply.is_empty(), "{status}: {}", reply.escape_ascii());
    let traced = Traced::read(what, Profile::LINK, Needs::NET_ADMIN, &fs::read_to_string(LOG).unwrap());
    assert_eq!(traced.programs.len(), 1);
    traced
}

/// A host with what the examples need, and a policy with rules of others that is too long to be read at once.
fn furnish(host: &Host, profile: Profile) {
    let with_tun = profile.has(Profile::TUN);
    let rules_of_all = EVERYTHING.split("\n\n").filter(|rule| with_tun || !rule.contains("\"tun\""));
    let everything = rules_of_all.collect::<Vec<_>>().join("\n\n");
    let rule = |uid| format!("[[allow]]\nid = '{uid}'\nwho = 'uid:{uid}'\ncall = 'Netns.List'\nnetns = '@host'\n");
    let rules: String = (1..200).map(rule).collect();
    host.policy(&format!("{everything}\n{rules}[audit]\nrequired = false\n"));
    host.sh("for name in w far; do ip netns add $name; done; ip -n w link add v0 type veth peer name v1");
    fs::write("/run/scratch/trace.pl", include_str!("../stages/trace.pl")).unwrap();
}

/// The broker, started by alice, who is in this many groups: more than fit on setpriv's command line.
fn in_groups(host: &Host, groups: u32) -> Command {
    let script = format!(
        "use POSIX; $) = join ' ', {ALICE}, {CALLERS}, 100000 .. 99999 + {groups}; POSIX::setgid({ALICE}); \
         POSIX::setuid({ALICE}) or die $!; exec '{BROKER}'"
    );
    let mut command = host.command(TRACER[0]);
    command.args(&TRACER[1..]).args(["perl", "-e", &script]);
    command
}

/// The second half is sent once the broker has waited for it and continued after a stop. The same holds for reading the
/// reply.
fn slowly(command: &mut Command, request: &[u8]) -> (ExitStatus, Vec<u8>) {
    let (mut ours, theirs, full) = full_pipe();
    let mut child = command.stdin(Stdio::piped()).stdout(theirs).stderr(Stdio::inherit()).spawn().unwrap();
    command.stdout(Stdio::null()); // closes its copy; otherwise the pipe would never end
    let mut input = child.stdin.take().unwrap();
    let (half, rest) = request.split_at(request.len() / 2);
    input.write_all(half).unwrap();
    wait_for_restart(1, &mut child);
    input.write_all(rest).unwrap();
    wait_for_restart(2, &mut child);
    let mut reply = Vec::new();
    ours.read_to_end(&mut reply).unwrap();
    (child.wait().unwrap(), reply.split_off(full))
}

/// A pipe whose writing end does not wait, and how many bytes fill it.
fn full_pipe() -> (File, OwnedFd, usize) {
    let (ours, theirs) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
    fcntl(&theirs, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let mut full = 0;
    while let Ok(written) = nix::unistd::write(&theirs, &[b'-'; 4096]) {
        full += written;
    }
    (File::from(ours), theirs, full)
}

/// Waits until the process has continued after a stop under this many filters, or has ended.
fn wait_for_restart(filters: usize, child: &mut Child) {
    let line = format!("call {filters} {} ", nix::libc::SYS_restart_syscall);
    let since = Instant::now();
    while !fs::read_to_string(LOG).is_ok_and(|text| text.contains(&line)) && child.try_wait().unwrap().is_none() {
        assert!(since.elapsed() < Duration::from_secs(60), "no `{line}` in\n{}", fs::read_to_string(LOG).unwrap());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn from_a_file(command: &mut Command, request: &[u8]) -> (ExitStatus, Vec<u8>) {
    fs::write("/run/scratch/asked", request).unwrap();
    let output = command.stdin(File::open("/run/scratch/asked").unwrap()).stderr(Stdio::inherit()).output().unwrap();
    (output.status, output.stdout)
}

fn at_once(command: &mut Command, request: &[u8]) -> (ExitStatus, Vec<u8>) {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    setsockopt(&theirs, sockopt::PassCred, &true).unwrap();
    ours.write_all(request).unwrap();
    command.stdin(OwnedFd::from(theirs.try_clone().unwrap())).stdout(OwnedFd::from(theirs));
    let mut child = command.spawn().unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()); // closes its copies; otherwise the socket would never end
    let mut reply = Vec::new();
    ours.read_to_end(&mut reply).unwrap();
    (child.wait().unwrap(), reply)
}
