// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Descriptors 0 to 2: which kinds of file may be used. Nothing is read from or written to any other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{MTU_REQUEST, mtu, mtu_host, perl, text};
use common::{Host, Way};

#[test]
fn a_file_a_pipe_a_socket_a_terminal_and_dev_null_serve() {
    // A descriptor with the right access. What can be read from it is the request.
    let inputs = [
        ("a file", r#"put(0, from("/run/scratch/request", O_RDONLY));"#),
        ("a file of a disk", r#"put(0, from("/usr/request", O_RDWR));"#),
        ("a pipe", r#"pipe(my $r, my $w); syswrite $w, $request; close $w; put(0, $r);"#),
        ("a socket", r#"socketpair(my $a, my $b, PF_UNIX, SOCK_STREAM, 0); syswrite $b, $request; put(0, $a);"#),
        (
            "a terminal",
            r#"my $m = from("/dev/ptmx", O_RDWR|O_NOCTTY); my $unlock = pack "i", 0; ioctl($m, 0x40045431, $unlock);
               my $n = pack "i", 0; ioctl($m, 0x80045430, $n); my $s = from("/dev/pts/" . unpack("i", $n), O_RDWR|O_NOCTTY);
               system "stty", "-F", "/dev/pts/" . unpack("i", $n), "raw", "-echo"; syswrite $m, $request; put(0, $s);
               # The other side stays until this process has ended.
               my $ppid = $$; if (!fork) { close STDOUT; close STDERR; select undef, undef, undef, 0.01 while getppid == $ppid; exit }"#,
        ),
    ];
    let outputs = [
        ("a file", r#"put(1, from("/run/scratch/reply", O_WRONLY|O_TRUNC));"#),
        ("a pipe", ""),
        ("dev null", r#"put(1, from("/dev/null", O_WRONLY));"#),
    ];
    for way in [Way::Setuid, Way::FileCapabilities] {
        let host = mtu_host(way);
        host.cover("/usr");
        host.sh("cp /run/scratch/request /usr/request; chmod 666 /usr/request");
        for (input, ours) in inputs {
            for (output, theirs) in outputs {
                host.ip("link set v0 mtu 1500");
                let script = format!(r#"my $request = '{MTU_REQUEST}' . "\0"; {ours} {theirs} broker();"#);
                let ended = perl(&host.caller(), &script);
                assert_eq!(ended.status.code(), Some(0), "{input}, {output}: {ended:?}");
                assert_eq!(mtu(&host), "1400", "{input}, {output}: {ended:?}");
                let reply = match output {
                    "a file" => host.sh("cat /run/scratch/reply"),
                    "dev null" => "{\"parameters\":{}}\0".to_owned(),
                    _ => text(&ended.stdout),
                };
                assert_eq!(reply, "{\"parameters\":{}}\0", "{input}, {output}");
            }
        }
        let silent = perl(&host.caller(), r#"put(0, from("/dev/null", O_RDONLY)); broker();"#);
        assert_eq!(
            (silent.status.code(), text(&silent.stdout)),
            (Some(65), String::new()),
            "nothing to read in /dev/null"
        );
    }
}

/// Scripts that make an unusable descriptor, as a handle `$h`.
const UNFIT: &[(&str, &str)] = &[
    ("a netlink socket", "socket(my $h, 16, SOCK_RAW, 0) or die;"),
    ("a UDP socket", "socket(my $h, PF_INET, SOCK_DGRAM, 0) or die;"),
    ("a TCP socket", "socket(my $h, PF_INET, SOCK_STREAM, 0) or die;"),
    ("a Unix datagram socket", "socketpair(my $h, my $other, PF_UNIX, SOCK_DGRAM, 0) or die;"),
    ("a Unix packet socket", "socketpair(my $h, my $other, PF_UNIX, SOCK_SEQPACKET, 0) or die;"),
    ("an eventfd", "my $n = syscall(290, 0, 0); open(my $h, '+<&=', $n) or die;"),
    ("an epoll descriptor", "my $n = syscall(291, 0); open(my $h, '+<&=', $n) or die;"),
    ("a memory file of its own kind", "my $n = syscall(283, 1, 0); open(my $h, '+<&=', $n) or die;"), // timerfd
    ("/dev/zero", r#"my $h = from("/dev/zero", O_RDWR);"#),
    ("/dev/full", r#"my $h = from("/dev/full", O_RDWR);"#),
    ("/dev/net/tun", r#"my $h = from("/dev/net/tun", O_RDWR);"#),
    ("a directory", r#"my $h = from("/", O_RDONLY);"#),
    ("a file of /proc", r#"my $h = from("/proc/self/oom_score_adj", O_RDWR);"#),
    ("a file of /sys", r#"my $h = from("/sys/class/net/lo/mtu", O_RDONLY);"#),
    ("a file without access", r#"my $h = from("/run/scratch/reply", 010000000);"#), // O_PATH
    ("a directory without access", r#"my $h = from("/run/scratch", 010000000);"#),
];

#[test]
fn what_is_no_file_pipe_stream_socket_or_terminal_is_refused() {
    for way in [Way::Setuid, Way::FileCapabilities, Way::Root] {
        let host = mtu_host(way);
        let before = host.snapshot(&[]);
        for (what, make) in UNFIT {
            for (descriptor, others) in [(0, ""), (1, r#"put(0, from("/run/scratch/request", O_RDONLY));"#)] {
                let ended = perl(&host.caller(), &format!("{make} {others} put({descriptor}, $h); broker();"));
                assert_eq!(ended.status.code(), Some(71), "{what} as {descriptor}: {ended:?}");
                let told = text(&ended.stderr);
                assert!(told.starts_with(&format!("netbroker: descriptor {descriptor} ")), "{what}: {told}");
                assert!(ended.stdout.is_empty(), "{what} as {descriptor}");
            }
            let input = r#"put(0, from("/run/scratch/request", O_RDONLY));"#;
            let ended = perl(&host.caller(), &format!("{make} {input} put(2, $h); broker();"));
            assert_eq!((ended.status.code(), text(&ended.stdout)), (Some(71), String::new()), "{what} as 2: {ended:?}");
        }
        assert_eq!(host.snapshot(&[]), before);
        assert!(host.trail().is_empty());
    }
}

#[test]
fn a_closed_descriptor_or_one_open_the_wrong_way_is_refused() {
    for way in [Way::Setuid, Way::FileCapabilities, Way::Root] {
        let host = mtu_host(way);
        let input = r#"put(0, from("/run/scratch/request", O_RDONLY));"#;
        let cases = [
            (0, "POSIX::close(0);".to_owned()),
            (0, r#"put(0, from("/run/scratch/reply", O_WRONLY));"#.to_owned()),
            (0, "pipe(my $r, my $w); put(0, $w);".to_owned()),
            (1, format!("{input} POSIX::close(1);")),
            (1, format!(r#"{input} put(1, from("/run/scratch/request", O_RDONLY));"#)),
            (1, format!("{input} pipe(my $r, my $w); put(1, $r);")),
            (2, format!("{input} POSIX::close(2);")),
            (2, format!(r#"{input} put(2, from("/run/scratch/request", O_RDONLY));"#)),
            (2, "POSIX::close(0); POSIX::close(1); POSIX::close(2);".to_owned()),
        ];
        for (descriptor, script) in cases {
            let ended = perl(&host.caller(), &format!("{script} broker();"));
            assert_eq!((ended.status.code(), text(&ended.stdout)), (Some(71), String::new()), "{script} {ended:?}");
            let told = text(&ended.stderr);
            assert_eq!(told.contains(&format!("descriptor {descriptor}")), descriptor != 2, "{script} {told}");
        }
        assert_eq!(mtu(&host), "1500");
    }
}

#[test]
fn nothing_is_written_to_a_socket_that_is_no_stderr() {
    // The request is refused, so that there is an error to report. Root gives the packet socket to the caller.
    let bad = r#"pipe(my $in, my $w); syswrite $w, "nonsense"; close $w; put(0, $in);"#;
    let host = mtu_host(Way::Setuid);
    let datagram = format!(
        r#"socketpair(my $h, my $o, PF_UNIX, SOCK_DGRAM, 0); {bad} put(2, $h);
           if (my $pid = fork) {{ waitpid $pid, 0; my $status = $? >> 8; recv($o, my $got, 100, 0x40); print "$status [", length($got // ""), "]"; exit }}
           broker();"#
    );
    assert_eq!(text(&perl(&host.caller(), &datagram).stdout), "71 [0]");
    host.sh("ip link set lo up");
    let packets = || host.sh("cat /sys/class/net/lo/statistics/rx_packets /sys/class/net/v0/statistics/tx_packets");
    let before = packets();
    for make in ["socket(my $h, 17, SOCK_RAW, 0x300) or die;", "socket(my $h, 17, SOCK_DGRAM, 0x300) or die;"] {
        // AF_PACKET, bound to the loopback link: whatever is written there would be sent.
        let bound = "bind($h, pack('S n i S C C a8', 17, 3, 1, 0, 0, 0, '')) or die \"bind: $!\";";
        let become_alice = "$) = '64123 64001'; $( = 64123; POSIX::setuid(64123);";
        for descriptor in [1, 2] {
            let script = format!("{make} {bound} {bad} {become_alice} put({descriptor}, $h); broker();");
            let ended = perl(&host.as_root(), &script);
            assert_eq!(ended.status.code(), Some(71), "{ended:?}");
        }
    }
    assert_eq!(packets(), before);
}

/// Listens at `$to` until the broker has ended. Answers each connection with `/run/scratch/said`, and writes what
/// arrives to `/run/scratch/heard`.
const LISTEN: &str = r#"socket(my $l, PF_UNIX, SOCK_STREAM, 0) or die; bind($l, $to) or die "bind: $!"; listen($l, 1);
    if (!fork) {
        close STDOUT; close STDERR; $SIG{PIPE} = 'IGNORE'; accept(my $c, $l) or die; close $l;
        open(my $said, "<", "/run/scratch/said"); syswrite $c, do { local $/; <$said> } // ""; shutdown $c, 1;
        open(my $heard, ">", "/run/scratch/heard"); syswrite $heard, $_ while <$c>; close $heard;
        rename "/run/scratch/heard", "/run/scratch/h"; exit
    }"#;
const CONNECT: &str = r#"socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die; connect($s, $to) or die "connect: $!";"#;
const BY_PATH: &str = r#"my $to = pack_sockaddr_un("/run/scratch/listener");"#;
const ABSTRACT: &str = r#"my $to = pack("S a*", PF_UNIX, "\0listener");"#;
const OPEN: &str = r#"chmod 0666, "/run/scratch/listener";"#;
const BECOME_ALICE: &str = "$) = '64123 64001'; $( = 64123; POSIX::setuid(64123);";

/// What a listener has received, once its peer has ended.
fn heard(host: &Host) -> String {
    host.sh("for i in $(seq 500); do [ -e /run/scratch/h ] && break; sleep 0.01; done; cat /run/scratch/h; rm /run/scratch/h")
}

#[test]
fn a_request_is_taken_from_no_named_socket_of_somebody_elses() {
    for way in [Way::Setuid, Way::FileCapabilities] {
        let host = mtu_host(way);
        host.sh(
            "install -m 777 -d /run/scratch; cp /run/scratch/request /run/scratch/said; chmod 644 /run/scratch/said",
        );
        for to in [BY_PATH, ABSTRACT] {
            host.sh("rm -f /run/scratch/listener; ip link set v0 mtu 1500");
            let ask = format!("{CONNECT} put(0, $s); broker();");
            let roots = perl(&host.as_root(), &format!("{to} {LISTEN} {OPEN} {BECOME_ALICE} {ask}"));
            assert_eq!((roots.status.code(), mtu(&host).as_str()), (Some(69), "1500"), "{to}: {roots:?}");
            assert!(text(&roots.stdout).contains("a descriptor 0 of the caller's"), "{roots:?}");
            assert_eq!(heard(&host), "");
            host.sh("rm -f /run/scratch/listener");
            let own = perl(&host.caller(), &format!("{to} {LISTEN} {ask}"));
            assert_eq!((own.status.code(), mtu(&host).as_str()), (Some(0), "1400"), "{to}: {own:?}");
            assert_eq!(heard(&host), "");
        }
    }
}

#[test]
fn no_line_is_written_to_a_named_socket_of_somebody_elses() {
    // On descriptor 2: the message contains words that the caller chose, as a part of the error.
    let wrong =
        r#"pipe(my $in, my $w); syswrite $w, '{"method":"io.netbroker.Link.Set","sudo":1}'; close $w; put(0, $in);"#;
    let socket =
        r#"socketpair(my $in, my $w, PF_UNIX, SOCK_STREAM, 0); syswrite $w, '{"sudo":1}' . "\0"; put(0, $in);"#;
    let usage = r#"sub wrong { exec {"/usr/libexec/netbroker/netbroker"} "netbroker", "--wrong" } wrong();"#;
    let broken = "POSIX::close(1);";
    for way in [Way::Setuid, Way::FileCapabilities] {
        let host = mtu_host(way);
        host.sh("install -m 777 -d /run/scratch; install -m 644 /dev/null /run/scratch/said");
        for to in [BY_PATH, ABSTRACT] {
            for (what, input, status, line) in [
                ("a pipe", wrong, 65, ""), // here a reply reports it
                ("a socket", socket, 65, "netbroker: `sudo` is not a member of a request\n"),
                ("a wrong word", usage, 65, "usage: netbroker "),
                ("no descriptor 1", broken, 71, "netbroker: descriptor 1 is "),
            ] {
                host.sh("rm -f /run/scratch/listener");
                let ask = format!("{CONNECT} put(2, $s); {input} broker();");
                let roots = perl(&host.as_root(), &format!("{to} {LISTEN} {OPEN} {BECOME_ALICE} {ask}"));
                assert_eq!(roots.status.code(), Some(status), "{what} {to}: {roots:?}");
                assert_eq!(heard(&host), "", "{what} {to}: {roots:?}");
                host.sh("rm -f /run/scratch/listener");
                let own = perl(&host.caller(), &format!("{to} {LISTEN} {ask}"));
                assert_eq!(own.status.code(), Some(status), "{what} {to}: {own:?}");
                let heard = heard(&host);
                assert!(heard.starts_with(line), "{what} {to}: {own:?} {heard}");
                assert_eq!(heard.is_empty(), line.is_empty(), "{what} {to}: {heard}");
            }
        }
        // Such a descriptor is not a reason to refuse: an agent's unit inherits journald's.
        host.sh("rm -f /run/scratch/listener; ip link set v0 mtu 1500");
        let ask = format!(r#"{CONNECT} put(2, $s); put(0, from("/run/scratch/request", O_RDONLY)); broker();"#);
        let served = perl(&host.as_root(), &format!("{BY_PATH} {LISTEN} {OPEN} {BECOME_ALICE} {ask}"));
        assert_eq!((served.status.code(), mtu(&host).as_str()), (Some(0), "1400"), "{served:?}");
        assert_eq!(heard(&host), "");
    }
    // Where the real user is root, the lines would be taken for root's.
    let host = mtu_host(Way::Root);
    host.sh("install -m 644 /dev/null /run/scratch/said");
    let roots = perl(&host.as_root(), &format!("{BY_PATH} {LISTEN} {CONNECT} put(2, $s); {socket} broker();"));
    assert_eq!((roots.status.code(), heard(&host).as_str()), (Some(65), ""), "{roots:?}");
}

#[test]
fn a_reply_goes_to_no_named_socket_of_somebody_elses() {
    // What is written there could be taken for the system user's own words, as by journald's socket for lines of text.
    const CONNECT: &str = r#"socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die; connect($s, $to) or die "connect: $!";
        put(0, from("/run/scratch/request", O_RDONLY)); put(1, $s); broker();"#;
    const LISTEN: &str = r#"socket(my $l, PF_UNIX, SOCK_STREAM, 0) or die; bind($l, $to) or die "bind: $!"; listen($l, 1);
        my $broker = $$; # it closes its copy; this one keeps the other
        if (!fork) { close STDOUT; close STDERR; select undef, undef, undef, 0.01 while getppid == $broker; exit }"#;
    let path = r#"my $to = pack_sockaddr_un("/run/scratch/listener");"#;
    let hidden = r#"my $to = pack("S a*", PF_UNIX, "\0listener");"#; // abstract
    let become_alice = "$) = '64123 64001'; $( = 64123; POSIX::setuid(64123);";
    for way in [Way::Setuid, Way::FileCapabilities] {
        let host = mtu_host(way);
        for to in [path, hidden] {
            host.sh("rm -f /run/scratch/listener; ip link set v0 mtu 1500");
            let open = r#"chmod 0666, "/run/scratch/listener";"#;
            let roots = perl(&host.as_root(), &format!("{to} {LISTEN} {open} {become_alice} {CONNECT}"));
            assert_eq!((roots.status.code(), mtu(&host).as_str()), (Some(69), "1500"), "{to}: {roots:?}");
            host.sh("rm -f /run/scratch/listener");
            let own = perl(&host.caller(), &format!("{to} {LISTEN} {CONNECT}"));
            assert_eq!((own.status.code(), mtu(&host).as_str()), (Some(0), "1400"), "{to}: {own:?}");
        }
        // The other end of a pair has no name, and the uid of its maker proves nothing.
        host.sh("ip link set v0 mtu 1500");
        let pair = "socketpair(my $ours, my $s, PF_UNIX, SOCK_STREAM, 0) or die;";
        let input = r#"put(0, from("/run/scratch/request", O_RDONLY));"#;
        let spared = "if (fork) { wait; my $status = $? >> 8; sysread $ours, my $got, 100; print $got; exit $status }";
        let ended = perl(&host.as_root(), &format!("{pair} {spared} {become_alice} {input} put(1, $s); broker();"));
        assert_eq!(
            (ended.status.code(), text(&ended.stdout).as_str()),
            (Some(0), "{\"parameters\":{}}\0"),
            "{ended:?}"
        );
    }
}
