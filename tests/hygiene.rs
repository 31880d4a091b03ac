// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a caller leaves to the process that it starts has no influence: further descriptors, timers, signals, limits,
//! the environment and the working directory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::Way;
use common::scene::{MTU_REQUEST, half_asked, mtu, mtu_host, perl, text};
use serde_json::json;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn higher_descriptors_are_closed() {
    for way in [Way::Setuid, Way::FileCapabilities, Way::Root] {
        let host = mtu_host(way);
        let open = r#"$^F = 1000; open(my $h, "<", "/etc/hostname"); POSIX::dup2(fileno $h, $_) for 3 .. 20, 900;"#;
        let (mut running, _) = half_asked(&host.caller(), open);
        let listed = host.sh(&format!("ls -l /proc/{}/fd", running.pid()));
        // The caller opened files: none of them is among what is listed.
        let kinds: Vec<&str> = listed.lines().filter_map(|line| line.split(" -> ").nth(1)).collect();
        let own = |kind: &&str| {
            kind.starts_with("pipe:") || kind.starts_with("socket:") || *kind == "/var/lib/netbroker/policy"
        };
        assert!(kinds.iter().all(own) && kinds.len() == 5, "{listed}"); // 0-2, the trail, the policy
        running.send(&MTU_REQUEST.as_bytes()[30..]);
        running.finish().ok();
    }
}

#[test]
fn signals_limits_umask_and_directory_are_the_brokers_own() {
    let host = mtu_host(Way::Setuid);
    for way in [Way::Setuid, Way::FileCapabilities, Way::Root] {
        host.install(way);
        // Every signal ignored and blocked, the highest core limit, another directory, no umask.
        let inherited = r#"
            $SIG{$_} = "IGNORE" for qw(ALRM TERM INT HUP QUIT USR1 USR2 CHLD VTALRM PROF);
            POSIX::sigprocmask(POSIX::SIG_SETMASK(), do { my $all = POSIX::SigSet->new; $all->fillset; $all });
            umask 0; chdir "/run/scratch/d"; my $l = pack "q2", -1, -1; syscall(160, 4, $l);
        "#;
        let (running, status) = half_asked(&host.caller(), inherited);
        let mask = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            u64::from_str_radix(line.split('\t').nth(1).unwrap(), 16).unwrap()
        };
        let bit = |signal: u32| 1_u64 << (signal - 1);
        assert_eq!(mask("SigBlk"), 0, "{status}");
        assert_eq!(mask("SigIgn") & bit(14), 0, "SIGALRM ends it: {status}");
        assert_eq!(mask("SigCgt") & bit(14), 0, "by its default action: {status}");
        for ignored in [20, 21, 22, 13, 25] {
            assert_ne!(mask("SigIgn") & bit(ignored), 0, "signal {ignored}: {status}");
        }
        assert!(status.contains("\nUmask:\t0077\n"), "{status}");
        let pid = running.pid();
        assert_eq!(host.sh(&format!("readlink /proc/{pid}/cwd")), "/\n");
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{limits}");
        // It is not dumpable: its files in /proc belong to root, and no other user can open them.
        assert_eq!(host.sh(&format!("stat -c %u /proc/{pid}/mem")), "0\n");
        for stop in [nix::sys::signal::Signal::SIGTSTP, nix::sys::signal::Signal::SIGTTIN] {
            running.signal(stop);
        }
        std::thread::sleep(Duration::from_millis(20));
        assert!(fs::read_to_string(format!("/proc/{pid}/status")).unwrap().contains("State:\tS"));
        running.signal(nix::sys::signal::Signal::SIGALRM);
        assert_eq!(running.finish().signal(), Some(14));
    }
}

#[test]
fn the_environment_is_without_influence() {
    let host = mtu_host(Way::Setuid);
    let huge: Vec<String> = (0..10).map(|at| format!("{at}{}", "x".repeat(100_000))).collect();
    for way in [Way::Setuid, Way::FileCapabilities, Way::Sudo] {
        host.install(way);
        let plain = host.caller().call("Link.List", json!({"netns": "@host", "link": "lo"})).ok();
        let mut caller = host.caller();
        for (name, value) in [
            ("GLIBC_TUNABLES", "glibc.malloc.check=3:glibc.malloc.perturb=7"),
            ("LD_PRELOAD", "/nonexistent.so"),
            ("LD_LIBRARY_PATH", "/run/scratch"),
            ("LD_DEBUG", "all"),
            ("RUST_BACKTRACE", "full"),
            ("NEEDS", "\n\u{1b}[2J"),
            ("LC_ALL", "xx_XX.bad"),
            ("TMPDIR", "/nonexistent"),
        ] {
            caller = caller.env(name, value);
        }
        let reply = caller.call("Link.List", json!({"netns": "@host", "link": "lo"}));
        assert_eq!(reply.ok(), plain);
        assert!(!reply.stderr().contains("netbroker:"), "{reply}");
        let caller = huge.iter().enumerate().fold(host.caller(), |c, (at, value)| c.env(&format!("HUGE{at}"), value));
        assert_eq!(caller.call("Link.List", json!({"netns": "@host", "link": "lo"})).ok(), plain);
    }
}

#[test]
fn a_start_without_a_name_is_a_start() {
    let host = mtu_host(Way::Setuid);
    for way in [Way::Setuid, Way::FileCapabilities, Way::Root] {
        host.install(way);
        // execve with an empty list of arguments: newer kernels replace it by one empty argument.
        let script = r#"put(0, from("/run/scratch/request", O_RDONLY));
                        my ($path, $argv, $envp) = ("/usr/libexec/netbroker/netbroker", "\0" x 8, "\0" x 8);
                        syscall(59, $path, $argv, $envp); die "execve: $!""#;
        let ended = perl(&host.caller(), script);
        assert_eq!(
            (ended.status.code(), text(&ended.stdout).as_str()),
            (Some(0), "{\"parameters\":{}}\0"),
            "{ended:?}"
        );
    }
}

#[test]
fn a_request_that_stays_incomplete_is_refused_after_ten_seconds() {
    let host = mtu_host(Way::Setuid);
    let before = host.snapshot(&[]);
    let since = Instant::now();
    let mut running = host.caller().start();
    running.send(&MTU_REQUEST.as_bytes()[..30]);
    let mut on_socket = host.caller().start_on_socket();
    on_socket.send(&MTU_REQUEST.as_bytes()[..30]);
    while !running.ended() || !on_socket.ended() {
        assert!(since.elapsed() < Duration::from_secs(20), "still waiting");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(since.elapsed() > Duration::from_millis(9900), "{:?}", since.elapsed());
    let reply = running.finish();
    assert_eq!(reply.status(), 65, "{reply}");
    assert!(reply.error().contains("Invalid") && text(reply.stdout()).contains("not complete after 10 s"), "{reply}");
    let reply = on_socket.finish();
    assert_eq!((reply.status(), reply.stdout().len()), (65, 0), "{reply}");
    assert_eq!(host.snapshot(&[]), before);
}

#[test]
fn the_stop_key_of_its_terminal_does_not_stop_the_broker() {
    let host = mtu_host(Way::Setuid);
    // A separate session with a terminal: there ^Z sends SIGTSTP to the foreground process.
    let script = r#"
        use strict; use POSIX ();
        sysopen(my $m, "/dev/ptmx", 2|0400) or die; my $unlock = pack "i", 0; ioctl($m, 0x40045431, $unlock);
        my $n = pack "i", 0; ioctl($m, 0x80045430, $n); my $pts = "/dev/pts/" . unpack "i", $n;
        my $pid = fork;
        if (!$pid) {
            POSIX::setsid(); sysopen(my $s, $pts, 2) or die; ioctl($s, 0x540e, 0);
            POSIX::dup2(fileno $s, 0); system "stty -echo";
            exec "/usr/libexec/netbroker/netbroker" or die;
        }
        select undef, undef, undef, 0.3;
        my $request = '__REQUEST__';
        syswrite $m, "\cZ"; select undef, undef, undef, 0.1; # it throws away what waits there, too
        syswrite $m, "$request\n\cD";
        for (1 .. 500) { last if waitpid($pid, 1) == $pid; select undef, undef, undef, 0.01; $_ == 500 and kill KILL => $pid }
        exit($? >> 8);
    "#;
    let script = script.replace("__REQUEST__", MTU_REQUEST);
    let mut command: Command = host.caller().program(&["perl", "-e", &script]).command();
    let ended = command.stdin(Stdio::null()).output().unwrap();
    assert!(text(&ended.stdout).starts_with("{\"parameters\":{}}"), "{ended:?}");
    assert_eq!(mtu(&host), "1400");
}
