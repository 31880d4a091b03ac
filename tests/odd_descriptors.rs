// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Files of every unusual kind on descriptors 0 to 2, and files that change or disappear while they are read or
//! written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::Way;
use common::scene::{MTU_REQUEST, mtu, mtu_host, only_refusals, perl, text};

/// Makes a handle from the number that a system call returned (x86-64's numbers).
const MADE: &str = "sub made { my $n = shift; die \"$!\" if $n < 0; open(my $h, '+<&=', $n) or die; $h }";
/// What root opens here is given to alice.
const ALICE: &str = "$) = '64123 64001'; $( = 64123; POSIX::setuid(64123) or die;";

/// Scripts that make `$h`; none of these files may be used in any place.
const UNFIT: &[(&str, &str)] = &[
    ("a route socket", "socket(my $h, 16, SOCK_RAW, 0) or die;"),
    ("a netfilter socket", "socket(my $h, 16, SOCK_RAW, 12) or die;"),
    ("an audit socket", "socket(my $h, 16, SOCK_RAW, 9) or die;"),
    ("a packet socket", "socket(my $h, 17, SOCK_RAW, 0x300) or die;"),
    ("a raw socket", "socket(my $h, PF_INET, SOCK_RAW, 1) or die;"),
    ("a raw socket of IPv6", "socket(my $h, 10, SOCK_RAW, 58) or die;"),
    (
        "a listening socket",
        r#"socket(my $h, PF_UNIX, SOCK_STREAM, 0); bind($h, pack_sockaddr_un("/run/scratch/l$$")); listen($h, 1) or die;"#,
    ),
    ("io_uring", r#"my $parameters = "\0" x 120; my $h = made(syscall(425, 4, $parameters));"#),
    ("a signalfd", r#"my $mask = pack "Q", 1; my $h = made(syscall(289, -1, $mask, 8, 0));"#),
    ("inotify", "my $h = made(syscall(294, 0));"),
    ("a pidfd", "my $h = made(syscall(434, $$ + 0, 0));"),
    ("a namespace", r#"my $h = from("/proc/self/ns/net", O_RDONLY);"#),
    ("its memory", r#"my $h = from("/proc/self/mem", O_RDWR);"#),
    ("its id map", r#"my $h = from("/proc/self/uid_map", O_RDWR);"#),
    ("its attributes", r#"my $h = from("/proc/self/attr/current", O_RDWR);"#),
    ("its command line", r#"my $h = from("/proc/self/cmdline", O_RDONLY);"#),
    ("the kernel's words", r#"my $h = from("/proc/kmsg", O_RDONLY);"#),
    ("a setting of the kernel", r#"my $h = from("/proc/sys/kernel/core_pattern", O_RDWR);"#),
    ("the MTU of a link", r#"my $h = from("/sys/class/net/v0/mtu", O_RDWR);"#),
    ("a directory", r#"my $h = from("/run/scratch", O_RDONLY);"#),
    ("a directory of /proc", r#"my $h = from("/proc/self", O_RDONLY);"#),
    ("no access to a pipe", r#"POSIX::mkfifo("/run/scratch/f$$", 0600); my $h = from("/run/scratch/f$$", 010000000);"#),
    (
        "no access to a symbolic link",
        r#"symlink "x", "/run/scratch/s$$"; my $h = from("/run/scratch/s$$", 010400000);"#,
    ),
    (
        "a queue of messages",
        r#"my $name = "netbroker$$"; my $h = made(syscall(240, $name, 0102, 0600, 0)); syscall(241, $name);"#,
    ),
    ("/dev/random", r#"my $h = from("/dev/random", O_RDWR);"#),
    ("a file system's context", "my $h = made(syscall(430, my $name = 'tmpfs', 0));"),
    ("a program of the kernel", "my $map = pack 'L4 x112', 2, 4, 4, 1; my $h = made(syscall(321, 0, $map, 128));"),
];

#[test]
fn no_odd_file_serves_in_any_place() {
    let host = mtu_host(Way::Setuid);
    let before = host.snapshot(&[]);
    let watched = || host.sh("cat /proc/sys/kernel/core_pattern /sys/class/net/v0/mtu; ls /sys/class/net");
    let files = watched();
    for (what, make) in UNFIT {
        for place in 0..3 {
            let input = if place == 0 { "" } else { r#"put(0, from("/run/scratch/request", O_RDONLY));"# };
            let ended = perl(&host.as_root(), &format!("{MADE} {make} {ALICE} {input} put({place}, $h); broker();"));
            assert_eq!(ended.status.code(), Some(71), "{what} as {place}: {ended:?}");
            assert!(ended.stdout.is_empty(), "{what} as {place}: {ended:?}");
            let told = text(&ended.stderr);
            assert!(place == 2 || told.starts_with(&format!("netbroker: descriptor {place} is ")), "{what}: {told}");
        }
    }
    assert_eq!((host.snapshot(&[]), watched()), (before, files));
    assert!(host.trail().is_empty());
}

#[test]
fn every_set_of_closed_descriptors_is_refused_and_nothing_else_becomes_one_of_them() {
    for way in [Way::Setuid, Way::FileCapabilities, Way::Root] {
        let host = mtu_host(way);
        let before = host.snapshot(&[]);
        for closed in 1..8 {
            let close: String =
                (0..3).filter(|fd| closed >> fd & 1 == 1).map(|fd| format!("POSIX::close({fd});")).collect();
            let script = format!(r#"put(0, from("/run/scratch/request", O_RDONLY)); {close} broker();"#);
            let ended = perl(&host.caller(), &script);
            assert_eq!((ended.status.code(), ended.stdout.len()), (Some(71), 0), "{close} {ended:?}");
        }
        assert_eq!(host.snapshot(&[]), before);
        assert!(host.trail().is_empty());
    }
}

/// One file in several places, and files in memory: they may be used, and nothing is read twice.
const FIT: &[(&str, &str)] = &[
    ("one pipe", "pipe(my $r, my $w); syswrite $w, $request; put(0, $r); put(1, $w);"),
    (
        "one named pipe",
        r#"POSIX::mkfifo("/run/scratch/p", 0600); my $h = from("/run/scratch/p", O_RDWR); syswrite $h, $request; put(0, $h); put(1, $h);"#,
    ),
    (
        "a file in memory",
        r#"my $h = made(syscall(319, my $name = "x", 0)); syswrite $h, $request; sysseek $h, 0, 0; put(0, $h);"#,
    ),
    (
        "a sealed file in memory",
        r#"my $h = made(syscall(319, my $name = "x", 2)); syswrite $h, $request; sysseek $h, 0, 0; fcntl($h, 1033, 15) or die "seal: $!"; put(0, $h);"#,
    ),
    (
        "a file without a name",
        r#"my $h = from("/run/scratch", 020200000 | O_RDWR); syswrite $h, $request; sysseek $h, 0, 0; put(0, $h);"#,
    ),
    ("a removed file", r#"my $h = from("/run/scratch/request", O_RDONLY); unlink "/run/scratch/request"; put(0, $h);"#),
    (
        "a pipe of packets",
        "pipe(my $r, my $w); fcntl($w, F_SETFL, 040001) or die; syswrite $w, $request; close $w; put(0, $r);",
    ),
    (
        "a pipe of a page",
        "pipe(my $r, my $w); fcntl($w, 1031, 4096) or die; syswrite $w, $request; close $w; put(0, $r);",
    ),
];

#[test]
fn one_file_in_two_places_and_files_in_memory_serve() {
    let host = mtu_host(Way::Setuid);
    for (what, put) in FIT {
        host.ip("link set v0 mtu 1500");
        host.sh(&format!("printf '%s\\0' '{MTU_REQUEST}' >/run/scratch/request; chown alice /run/scratch/request"));
        let script = format!(r#"{MADE} my $request = '{MTU_REQUEST}' . "\0"; {put} broker();"#);
        let ended = perl(&host.caller(), &script);
        assert_eq!((ended.status.code(), mtu(&host).as_str()), (Some(0), "1400"), "{what}: {ended:?}");
    }
    assert_eq!(host.trail().len(), 2 * FIT.len());
}

#[test]
fn the_brokers_own_output_is_not_a_request() {
    let host = mtu_host(Way::Setuid);
    // A question about the service: the answer goes into the same pipe from which the next message is read.
    let script = r#"pipe(my $r, my $w); syswrite $w, '{"method":"org.varlink.service.GetInfo"}' . "\0"; put(0, $r); put(1, $w); broker();"#;
    let ended = perl(&host.caller(), script);
    assert_eq!((ended.status.code(), mtu(&host).as_str()), (Some(65), "1500"), "{ended:?}");
    only_refusals(&host);
}

#[test]
fn a_file_that_shrinks_or_grows_while_it_is_read_is_one_request_or_none() {
    let host = mtu_host(Way::Setuid);
    // Between two reads of 8 KiB: the delay is in the first one.
    let hold = "inject=read:delay_exit=600000:when=1";
    let long = format!("{}{}", " ".repeat(20_000), MTU_REQUEST);
    for (what, change, done) in [
        ("cut off", "truncate $h, 100", false),
        ("emptied", "truncate $h, 0", false),
        ("written anew", r#"sysseek $h, 0, 0; syswrite $h, "x" x 30000"#, false),
        ("longer by a call", r#"sysseek $h, 0, 2; syswrite $h, "\0{}\0""#, false),
        ("longer by nothing", r#"sysseek $h, 0, 2; syswrite $h, "\n""#, true),
    ] {
        host.ip("link set v0 mtu 1500");
        host.sh("install -m 666 -o alice /dev/null /run/scratch/long");
        std::fs::write("/run/scratch/long", &long).unwrap();
        let script = format!(
            r#"my $h = from("/run/scratch/long", O_RDWR); put(0, from("/run/scratch/long", O_RDONLY));
            beside {{ select undef, undef, undef, 0.3; {change} }}; broker();"#
        );
        let tracer = ["strace", "-q", "-o", "/dev/null", "-e", "trace=read", "-P", "/run/scratch/long", "-e", hold];
        let ended = perl(&host.caller().under(&tracer), &script);
        assert_eq!(ended.status.code() == Some(0), done, "{what}: {ended:?}");
        assert_eq!(mtu(&host), if done { "1400" } else { "1500" }, "{what}: {ended:?}");
    }
}
