// SPDX-License-Identifier: Apache-2.0 OR MIT
//! No process outlives its alarm of 30 seconds, whatever it waits for, and what it had done by then is on record. The one
//! exception is the kernel's: a file system that its caller serves (FUSE) and that never answers holds it for as long as
//! it is there. All cases wait side by side.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::scene::{mtu_host, perl};
use common::{Cgroup, Host, Way};
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

/// `blind` opens without a look at the file, which Perl's own open takes (x86-64's number); `full` fills what it gets.
const HEAD: &str = r#"
    sub blind { my ($path, $flags) = @_; my $n = syscall(2, $path, $flags, 0); $n >= 0 or die "$path: $!"; $n }
    sub full { fcntl($_[0], F_SETFL, O_NONBLOCK | O_RDWR); 1 while syswrite $_[0], "x" x 4096; fcntl($_[0], F_SETFL, O_RDWR) }
    sub request { put(0, from("/run/scratch/request", O_RDONLY)) }
"#;

/// What it waits for, and how that comes about.
type Wait = (&'static str, &'static str);

/// For these the call has been done by then.
const REPLIES: &[Wait] = &[
    ("a reader of its pipe", "pipe(my $r, my $w); full($w); beside { sleep 1000 }; put(1, $w);"),
    (
        "a reader of its socket",
        "socketpair(my $r, my $w, PF_UNIX, SOCK_STREAM, 0); full($w); beside { sleep 1000 }; put(1, $w);",
    ),
    (
        "room in a pipe that does not wait",
        "pipe(my $r, my $w); full($w); fcntl($w, F_SETFL, O_NONBLOCK | O_WRONLY); beside { sleep 1000 }; put(1, $w);",
    ),
];
/// For these nothing has.
const FILES: &[Wait] = &[
    ("a file system about its request", "POSIX::dup2(blind('/run/scratch/silent/f', 0), 0);"),
    ("a file system about its reply", "POSIX::dup2(blind('/run/scratch/silent/f', 1), 1);"),
    ("a file system about its complaints", "POSIX::dup2(blind('/run/scratch/silent/f', 1), 2);"),
    ("a file system about the end of another file", "blind('/run/scratch/silent/f', 0);"),
];

/// How long it took until the alarm had ended it.
fn wait_for(host: &Host, (what, script): &Wait) -> Duration {
    let since = Instant::now();
    let ended = perl(&host.caller(), &format!("{HEAD} request(); {script} broker();"));
    let took = since.elapsed();
    assert_eq!(ended.status.signal(), Some(14), "{what} after {took:?}: {ended:?}");
    assert!(took > Duration::from_secs(29), "{what} after {took:?}: {ended:?}");
    took
}

/// In a control group that its caller has frozen; it is not thawed.
fn wait_frozen(host: &Host) -> Duration {
    let group = Cgroup::new(host);
    let since = Instant::now();
    let mut running = host.caller().start();
    running.wait_until_asleep();
    group.take(running.pid());
    group.freeze();
    while !running.ended() && since.elapsed() < Duration::from_secs(40) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = since.elapsed();
    assert_eq!(running.finish().signal(), Some(14), "after {took:?}");
    took
}

#[test]
fn whatever_it_waits_for_it_ends_after_thirty_seconds() {
    let host = mtu_host(Way::Setuid);
    host.sh("mknod -m 666 /dev/fuse c 10 229; mkdir /run/scratch/silent");
    std::fs::write("/run/scratch/fuse.pl", include_str!("longest/fuse.pl")).unwrap();
    let server = host.background("exec perl /run/scratch/fuse.pl /run/scratch/silent");
    host.sh("until grep -q /run/scratch/silent /proc/self/mountinfo; do sleep 0.01; done");
    let host = &host;
    std::thread::scope(|scope| {
        let replies: Vec<_> = REPLIES.iter().map(|wait| scope.spawn(move || wait_for(host, wait))).collect();
        let files: Vec<_> = FILES.iter().map(|wait| scope.spawn(move || wait_for(host, wait))).collect();
        let frozen = scope.spawn(move || wait_frozen(host));
        for wait in replies.into_iter().chain([frozen]) {
            let took = wait.join().unwrap();
            assert!(took > Duration::from_secs(29) && took < Duration::from_secs(40), "{took:?}");
        }
        std::thread::sleep(Duration::from_secs(1));
        drop(server); // at the latest now, as nobody is left who could answer
        for file in files {
            let took = file.join().unwrap();
            assert!(took < Duration::from_secs(45), "{took:?}");
        }
    });
    let told = |event: &str| host.trail_where("NETBROKER_EVENT", event);
    assert_eq!((told("permitted").len(), told("outcome").len()), (REPLIES.len(), REPLIES.len()));
    assert!(told("outcome").iter().all(|record| record.field("NETBROKER_RESULT") == "done"));
    assert_eq!(host.trail().len(), 2 * REPLIES.len(), "of what waited for a file nothing had been read");
}
