// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How long a process waits: 10 seconds for its request, whoever shares descriptor 0; 10 seconds for a reader that
//! takes nothing; and at most 30 seconds, until its alarm, for anything. What it had done by then is recorded. The
//! kernel makes one exception: a file system that the caller serves (FUSE) and that never answers holds the process as
//! long as it exists. All slow tests are in this file, side by side.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{MTU_REQUEST, half_asked, mtu, mtu_host, only_refusals, open_host, perl, text};
use common::{Cgroup, Host, Way, request};
use serde_json::json;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

/// `blind` opens a file without the stat(2) that Perl's own open makes (x86-64's number); `full` fills what it gets.
const HEAD: &str = r#"
    sub blind { my ($path, $flags) = @_; my $n = syscall(2, $path, $flags, 0); $n >= 0 or die "$path: $!"; $n }
    sub full { fcntl($_[0], F_SETFL, O_NONBLOCK | O_RDWR); 1 while syswrite $_[0], "x" x 4096; fcntl($_[0], F_SETFL, O_RDWR) }
    sub request { put(0, from("/run/scratch/request", O_RDONLY)) }
"#;

/// What the broker waits for, and how that comes about.
type Wait<'w> = (&'w str, &'w str);

/// With these, the call has been done by then.
const REPLIES: &[Wait<'static>] = &[
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
/// With these, nothing has been done.
const FILES: &[Wait<'static>] = &[
    ("a file system about its request", "POSIX::dup2(blind('/run/scratch/silent/f', 0), 0);"),
    ("a file system about its reply", "POSIX::dup2(blind('/run/scratch/silent/f', 1), 1);"),
    ("a file system about its complaints", "POSIX::dup2(blind('/run/scratch/silent/f', 1), 2);"),
    ("a file system about the end of another file", "blind('/run/scratch/silent/f', 0);"),
];

/// How long the broker took until it gave up, with the status that reports that.
fn give_up(host: &Host, (what, script): &Wait<'_>, request: &str) -> Duration {
    let since = Instant::now();
    let ended = perl(&host.caller(), &format!("{HEAD} put(0, from('{request}', O_RDONLY)); {script} broker();"));
    let took = since.elapsed();
    assert_eq!(ended.status.code(), Some(74), "{what} after {took:?}: {ended:?}");
    assert!(took > Duration::from_millis(9900) && took < Duration::from_secs(25), "{what} after {took:?}: {ended:?}");
    took
}

#[test]
fn the_broker_ends_after_ten_seconds_without_a_reader() {
    let host = mtu_host(Way::Setuid);
    let host = &host;
    std::thread::scope(|scope| {
        for wait in REPLIES {
            scope.spawn(move || give_up(host, wait, "/run/scratch/request"));
        }
    });
    let told = |event: &str| host.trail_where("NETBROKER_EVENT", event);
    assert_eq!((told("permitted").len(), told("outcome").len()), (REPLIES.len(), REPLIES.len()));
    assert!(told("outcome").iter().all(|record| record.field("NETBROKER_RESULT") == "done"));
}

#[test]
fn a_listing_whose_reader_takes_nothing_more_is_recorded_as_failed() {
    let host = open_host();
    let lines: String = (0..200).map(|n| format!("link add x{n} type veth peer name y{n}\n")).collect();
    std::fs::write("/run/scratch/lines", lines).unwrap();
    host.ip("-batch /run/scratch/lines");
    std::fs::write("/run/scratch/list", request("Link.List", json!({"netns": "@host"}), true)).unwrap();
    let reads = |bytes: u32| {
        format!("pipe(my $r, my $w); beside {{ sysread $r, my $got, {bytes}; sleep 1000 }}; close $r; put(1, $w);")
    };
    let scripts = [reads(1), reads(40_000)];
    let host = &host;
    std::thread::scope(|scope| {
        for script in &scripts {
            scope.spawn(move || give_up(host, &("a reader that stops", script), "/run/scratch/list"));
        }
    });
    let outcomes = host.trail_where("NETBROKER_EVENT", "outcome");
    assert_eq!(outcomes.len(), scripts.len());
    for outcome in outcomes {
        assert!(outcome.field("NETBROKER_RESULT").contains("send a part of the reply"), "{outcome:?}");
    }
}

/// How long the broker took until the alarm ended it.
fn wait_for(host: &Host, (what, script): &Wait<'_>) -> Duration {
    let since = Instant::now();
    let ended = perl(&host.caller(), &format!("{HEAD} request(); {script} broker();"));
    let took = since.elapsed();
    assert_eq!(ended.status.signal(), Some(14), "{what} after {took:?}: {ended:?}");
    assert!(took > Duration::from_secs(29), "{what} after {took:?}: {ended:?}");
    took
}

/// How long the broker took in a control group that its caller has frozen and does not thaw.
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

/// The start code of musl polls descriptors 0 to 2 before `main`, so before the alarm is set. For descriptors of a FUSE
/// file system this test therefore holds for builds with glibc only.
#[test]
fn the_broker_ends_after_thirty_seconds_whatever_it_waits_for() {
    let host = mtu_host(Way::Setuid);
    host.sh("mknod -m 666 /dev/fuse c 10 229; mkdir /run/scratch/silent");
    std::fs::write("/run/scratch/fuse.pl", include_str!("waits/fuse.pl")).unwrap();
    let server = host.background("exec perl /run/scratch/fuse.pl /run/scratch/silent");
    host.sh("until grep -q /run/scratch/silent /proc/self/mountinfo; do sleep 0.01; done");
    let host = &host;
    std::thread::scope(|scope| {
        let files: Vec<_> = FILES.iter().map(|wait| scope.spawn(move || wait_for(host, wait))).collect();
        let frozen = scope.spawn(move || wait_frozen(host));
        let took = frozen.join().unwrap();
        assert!(took > Duration::from_secs(29) && took < Duration::from_secs(40), "{took:?}");
        std::thread::sleep(Duration::from_secs(1));
        drop(server); // now at the latest, because no process is left that could answer
        for file in files {
            let took = file.join().unwrap();
            assert!(took < Duration::from_secs(45), "{took:?}");
        }
    });
    assert_eq!(host.trail().len(), 0, "of what waited for a file nothing had been read");
}

#[test]
fn a_process_that_is_frozen_for_too_long_has_missed_its_request() {
    let host = mtu_host(Way::Setuid);
    let group = Cgroup::new(&host);
    let (mut running, _) = half_asked(&host.caller(), "");
    group.take(running.pid());
    group.freeze();
    std::thread::sleep(Duration::from_millis(10_100));
    running.send(&MTU_REQUEST.as_bytes()[30..]);
    running.send(b"\0");
    group.thaw();
    let reply = running.finish();
    assert_eq!((reply.status(), mtu(&host).as_str()), (65, "1500"), "{reply}");
}

/// Makes `$s`, the broker's end, and `$ours`.
const SHARED: [(&str, &str); 2] = [
    ("pipe", "pipe(my $s, my $ours) or die;"),
    ("socket", "socketpair(my $ours, my $s, PF_UNIX, SOCK_STREAM, 0) or die;"),
];

/// Linux 6.4 and later can read a pipe without waiting. Before, the alarm is the limit.
fn pipes_need_not_wait() -> bool {
    let name = nix::sys::utsname::uname().unwrap();
    let release = name.release().to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|word| word.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(4))
}

#[test]
fn another_reader_makes_the_broker_wait_for_ten_seconds_at_most() {
    let host = mtu_host(Way::Setuid);
    // One byte arrives while the broker and the thief wait. The broker is held back for a moment, and finds the byte
    // gone.
    let thieves = [("that waits", ""), ("that does not wait", "fcntl($s, F_SETFL, O_NONBLOCK | O_RDWR);")];
    let hold = "inject=poll:delay_exit=500000:when=1";
    let tracer = ["strace", "-q", "-o", "/dev/null", "-e", "trace=poll", "-e", hold];
    let cases: Vec<_> = SHARED.iter().flat_map(|shared| thieves.iter().map(move |thief| (shared, thief))).collect();
    let (host, cases) = (&host, &cases);
    std::thread::scope(|scope| {
        for ((kind, make), (thief, how)) in cases {
            scope.spawn(move || {
                let script = format!(
                    r#"{make} {how}
                    beside {{ select undef, undef, undef, 0.5; syswrite $ours, "x";
                        for (;;) {{ sysread $s, my $got, 100 or select undef, undef, undef, 0.01 }} }};
                    put(0, $s); broker();"#
                );
                let since = Instant::now();
                let ended = perl(&host.caller().under(&tracer), &script);
                let (what, took) = (format!("a {kind}, a thief {thief}: {ended:?}"), since.elapsed());
                if *kind == "pipe" && how.is_empty() && !pipes_need_not_wait() {
                    return assert_eq!(ended.status.signal(), Some(14), "{what}");
                }
                assert_eq!(ended.status.code(), Some(65), "{what}");
                assert!(took > Duration::from_millis(9900) && took < Duration::from_secs(20), "{took:?} {what}");
                let told = text(if *kind == "pipe" { &ended.stdout } else { &ended.stderr });
                assert!(told.contains("not complete after 10 s"), "{what}");
            });
        }
    });
    let refused = cases.len() - usize::from(!pipes_need_not_wait());
    assert_eq!(host.trail_where("NETBROKER_EVENT", "refused").len(), refused);
    only_refusals(host);
}

#[test]
fn urgent_bytes_are_no_part_of_a_request_and_no_reason_to_spin() {
    let host = mtu_host(Way::Setuid);
    let host = &host;
    std::thread::scope(|scope| {
        for before in ["", r#"syswrite $ours, '{"method":"io.netbrok';"#] {
            scope.spawn(move || {
                let script = format!(
                    r#"socketpair(my $ours, my $s, PF_UNIX, SOCK_STREAM, 0) or die; {before}
                    send($ours, "x", MSG_OOB) or die "MSG_OOB: $!"; beside {{ sleep 1000 }}; close $ours; put(0, $s);
                    if (my $pid = fork) {{ waitpid $pid, 0; my $status = $? >> 8; print +(times)[2] + (times)[3]; exit $status }}
                    broker();"#
                );
                let ended = perl(&host.caller(), &script);
                assert_eq!(ended.status.code(), Some(65), "{ended:?}");
                assert!(text(&ended.stderr).contains("not complete after 10 s"), "{ended:?}");
                let busy: f64 = text(&ended.stdout).parse().unwrap();
                assert!(busy < 2.0, "{busy} s of computing: {ended:?}");
            });
        }
    });
    only_refusals(host);
}
