// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What several tests share: policies with their hosts, the request that changes the MTU of a link `v0`, and unusual
//! ways to make requests.

use std::fs::{self, File};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Caller, Host, Running, Way};

/// Alice and root may do everything; bob may look at everything.
pub const EVERYTHING: &str = include_str!("../policies/everything.toml");
/// Every user may look, and change links, on the host and in `w`: the calls that need no mount.
pub const LINKS: &str = r#"
[[allow]]
id = "links"
who = "*"
call = ["Link.Set", "Link.List", "Address.List", "Netns.List", "Netns.Get", "Netns.Pids"]
netns = ["@host", "w"]
link = "*"
free = ["mtu", "index", "family", "scope"]
"#;
/// Every user may set the MTU of every link of the host.
pub const MTU_POLICY: &str = r#"
[[allow]]
id = "links"
who = "*"
call = ["Link.Set", "Link.List"]
netns = "@host"
link = "*"
free = ["mtu", "index"]
"#;
/// Sets it.
pub const MTU_REQUEST: &str =
    r#"{"method":"io.netbroker.Link.Set","parameters":{"netns":"@host","link":"v0","mtu":1400}}"#;

/// A host with [`EVERYTHING`].
pub fn open_host() -> Host {
    let host = Host::new();
    host.policy(EVERYTHING);
    host
}

/// A host with [`MTU_POLICY`], the link, and the request in a file.
pub fn mtu_host(way: Way) -> Host {
    let host = Host::builder().way(way).build();
    host.policy(MTU_POLICY);
    host.ip("link add v0 type veth peer name v1");
    fs::write("/run/scratch/request", format!("{MTU_REQUEST}\0")).unwrap();
    host.sh("chmod 644 /run/scratch/request; install -m 666 /dev/null /run/scratch/reply; mkdir /run/scratch/d");
    host
}

/// Hosts cannot read what process 1 mounts. From here on, these are the mounts of this host.
pub fn be_the_machine(host: &Host) {
    let own = fs::read_link("/proc/thread-self").unwrap();
    host.sh(&format!("umount /proc/1/mountinfo; mount --bind /proc/{}/mountinfo /proc/1/mountinfo", own.display()));
}

/// Runs a Perl script as the caller. It ends by executing the broker with the descriptors that it has made. `broker`
/// does that; `put(FD, HANDLE)` makes a handle a standard descriptor; `beside { … };` runs in parallel until the broker
/// has ended.
pub fn perl(caller: &Caller<'_>, script: &str) -> Output {
    const HEAD: &str = r#"
        use strict; use Socket; use POSIX (); use Fcntl;
        sub put { POSIX::dup2(fileno $_[1], $_[0]) // die "dup2: $!" }
        sub broker { exec {"/usr/libexec/netbroker/netbroker"} "netbroker", @_ or die "exec: $!" }
        sub from { sysopen(my $h, $_[0], $_[1]) or die "$_[0]: $!"; $h }
        sub beside(&) {
            my $broker = $$; return if fork;
            close STDOUT; close STDERR; POSIX::close(0);
            if (my $pid = fork) { select undef, undef, undef, 0.01 while getppid == $broker; kill KILL => $pid; exit }
            $_[0]->(); exit
        }
        sub kept { fcntl($_[0], F_SETFD, 0); $_[0] }
        $^F = 1000;
    "#;
    let words = ["perl", "-e", &format!("{HEAD}{script}")];
    caller.clone().program(&words).command().stdin(Stdio::null()).output().unwrap()
}

/// A broker under its first filter that waits for the rest of the request.
fn wait_until_guarded(running: &Running) -> String {
    let since = Instant::now();
    loop {
        let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap_or_default();
        let call = fs::read_to_string(format!("/proc/{}/syscall", running.pid())).unwrap_or_default();
        if status.contains("\nSeccomp:\t2") && call.starts_with(&format!("{} ", nix::libc::SYS_poll)) {
            return status;
        }
        assert!(since.elapsed() < Duration::from_secs(30), "never behind a filter: {status}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Sends half a request to a broker whose caller ran `script` first. Also returns the state of the process.
pub fn half_asked(caller: &Caller<'_>, script: &str) -> (Running, String) {
    let script =
        format!("use strict; use POSIX (); use Fcntl; {script} exec '/usr/libexec/netbroker/netbroker' or die");
    let mut running = caller.clone().program(&["perl", "-e", &script]).start();
    running.send(&MTU_REQUEST.as_bytes()[..30]);
    let status = wait_until_guarded(&running);
    (running, status)
}

/// A proxy entry of a namespace for all links, until this is dropped. The kernel (6.18) keeps such an entry when its
/// namespace ends, and a later namespace at the same place in memory has it. So it is removed before.
pub struct ProxyForAll<'a> {
    host: &'a Host,
    words: String,
}

impl<'a> ProxyForAll<'a> {
    pub fn add(host: &'a Host, netns: &str, address: &str) -> Self {
        host.ip_in(netns, &format!("neigh add proxy {address}"));
        Self { host, words: format!("-n {netns} neigh del proxy {address}") }
    }
}

impl Drop for ProxyForAll<'_> {
    fn drop(&mut self) {
        self.host.run(&["sh", "-c", &format!("ip {}", self.words)]).ok();
    }
}

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The link's MTU.
pub fn mtu(host: &Host) -> String {
    host.sh("cat /sys/class/net/v0/mtu").trim().to_owned()
}

/// Asserts that nothing that is recorded was permitted.
pub fn only_refusals(host: &Host) {
    assert!(host.trail().iter().all(|record| record.field("NETBROKER_EVENT") == "refused"), "{:#?}", host.trail());
}

/// Sends the bytes from a file, with the reply to a pipe.
pub fn from_file(host: &Host, bytes: &[u8]) -> Output {
    fs::write("/run/scratch/request", bytes).unwrap();
    let file = File::open("/run/scratch/request").unwrap();
    host.caller().command().stdin(file).output().unwrap()
}

/// The messages of a reply, without the byte that ends each of them. Asserts that each ends in this byte.
pub fn split(stdout: &[u8], end: u8) -> Vec<Value> {
    let mut parts: Vec<&[u8]> = stdout.split(|byte| *byte == end).collect();
    assert_eq!(parts.pop(), Some(&b""[..]), "{}", stdout.escape_ascii());
    parts
        .iter()
        .map(|part| serde_json::from_slice(part).unwrap_or_else(|e| panic!("{e}: {}", part.escape_ascii())))
        .collect()
}
