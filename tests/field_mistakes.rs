// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Mistakes that others in this field have made and published, tried here. `packaging/doc/field-mistakes.md` cites
//! these tests, and those elsewhere in the tree that cover the other mistakes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{MTU_POLICY, MTU_REQUEST, mtu, mtu_host, open_host, perl, text};
use common::{ALICE, BOB, BROKER, Builder, Caller, Host, NETBROKER, Reply, Running, Way};
use nix::sys::socket::{setsockopt, sockopt};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Output;
use std::time::{Duration, Instant};

/// Alice, and nobody else, may set the MTU of `v0`.
fn alices(builder: Builder) -> Host {
    let host = builder.build();
    host.policy(&MTU_POLICY.replace("\"*\"\ncall", "\"user:alice\"\ncall"));
    host.ip("link add v0 type veth peer name v1");
    fs::write("/run/scratch/request", format!("{MTU_REQUEST}\0")).unwrap();
    host
}

fn set_mtu(caller: &Caller<'_>, mtu: u32) -> Reply {
    caller.call("Link.Set", json!({"netns": "@host", "link": "v0", "mtu": mtu}))
}

fn is_denied(reply: &Reply) {
    assert_eq!(reply.error(), "io.netbroker.Link.Denied", "{reply}");
}

/// What the last record reports of the caller.
fn recorded(host: &Host) -> (String, String) {
    let record = host.trail().pop().unwrap();
    assert_eq!(record.uid, NETBROKER);
    (record.field("NETBROKER_EVENT").to_owned(), record.field("NETBROKER_UID").to_owned())
}

#[test]
fn the_programs_own_name_reaches_neither_reply_nor_trail() {
    // A format string, a name with a line break, one longer than any buffer for it, one that ends in a backslash.
    let names = [r#""%n%s%*d""#, r#""x\nNETBROKER_UID=0""#, r#""a" x 5000"#, r#""sudoedit\\""#, r#""""#];
    for builder in [Host::builder(), Host::builder().syslog()] {
        let host = alices(builder);
        for name in names {
            host.ip("link set v0 mtu 1500");
            let input = r#"put(0, from("/run/scratch/request", O_RDONLY));"#;
            let ended = perl(&host.caller(), &format!(r#"{input} exec {{"{BROKER}"}} {name} or die"#));
            assert_eq!(ended.status.code(), Some(0), "{name}: {ended:?}");
            assert_eq!(
                (text(&ended.stdout).as_str(), mtu(&host).as_str()),
                ("{\"parameters\":{}}\0", "1400"),
                "{name}"
            );
        }
        let trail = host.trail();
        assert_eq!(trail.len(), 2 * names.len());
        for told in trail.iter().map(common::Record::text) {
            assert!(!told.contains("%n") && !told.contains("UID=0") && !told.contains("aaaa"), "{told}");
            assert!(told.contains("netbroker") && !told.contains("sudoedit"), "{told}");
        }
    }
}

#[test]
fn words_of_other_programs_are_no_words_of_this_one() {
    let host = alices(Host::builder());
    let usage = host.caller().args(&["--help"]).raw(b"");
    let long = format!("ip={}", "1".repeat(100_000));
    for words in [
        &["-s", "x\\"][..],
        &["-u", "#-1", "Link.Set"],
        &["--chroot=/run/scratch"],
        &["--host=other"],
        &["--config=/run/scratch/policy"],
        &["--br=v0"],
        &["--", "--peer"],
        &["--peer=0"],
        &[&long],
    ] {
        let reply = host.caller().args(words).raw(MTU_REQUEST.as_bytes());
        assert_eq!((reply.status(), reply.stdout().len()), (65, 0), "{words:?}: {reply}");
        assert_eq!(reply.stderr().as_bytes(), usage.stdout(), "{words:?}");
    }
    assert_eq!(mtu(&host), "1500");
    assert!(host.trail().is_empty());
}

#[test]
fn a_kind_that_is_not_declared_is_refused() {
    let host = open_host();
    let before = host.snapshot(&[]);
    // A path, a module's alias, another case, a suffix, an empty name.
    for kind in ["../../../bin/sh", "netns-tcp", "rtnl-link-bridge", "Bridge", "bridge ", "bridge\0", ""] {
        let reply = host.caller().call("Link.Add", json!({"netns": "@host", "link": "x0", "kind": kind}));
        assert_eq!(reply.error(), "io.netbroker.Link.InvalidRequest", "{kind:?}");
        assert_eq!(reply.get("field"), "kind", "{reply}");
    }
    assert_eq!(host.snapshot(&[]), before);
}

/// The files that the broker looks at for every request.
const LOOKED_AT: [&str; 11] = [
    "/",
    "/proc",
    "/proc/1/ns/net",
    "/proc/self/ns/net",
    "/proc/self/ns/user",
    "/run",
    "/run/netbroker",
    "/run/systemd/journal/socket",
    "/var",
    "/var/lib",
    "/var/lib/netbroker",
];

/// The files that a request makes the broker look at, from its exec on, without those of the loader and of libc.
fn files_of(caller: &Caller<'_>) -> BTreeSet<String> {
    let strace = ["strace", "-f", "-y", "-s", "4096", "-e", "trace=%file,connect", "-o", "/run/scratch/files"];
    set_mtu(&caller.clone().under(&strace), 1400).ok();
    let log = fs::read_to_string("/run/scratch/files").unwrap();
    let (_, own) = log.rsplit_once("/netbroker/netbroker\"").unwrap();
    let named = own.lines().skip(1).filter_map(|line| {
        let (before, name) = (line.split('"').next()?, line.split('"').nth(1).filter(|name| !name.is_empty())?);
        let directory = before.rsplit_once('<').map_or("", |(_, rest)| rest.split('>').next().unwrap());
        // An absolute path, or a path in an open directory, whose name strace prints.
        Some(if name.starts_with('/') {
            name.to_owned()
        } else {
            format!("{}/{name}", directory.trim_end_matches('/'))
        })
    });
    let of_libc = |path: &String| {
        ["/lib", "/usr/lib", "/etc/ld.so.", "/etc/suid-debug"].iter().any(|head| path.starts_with(head))
    };
    named.filter(|path| !of_libc(path)).collect()
}

#[test]
fn a_request_looks_at_files_of_the_brokers_choice_only() {
    for way in [Way::Setuid, Way::FileCapabilities, Way::Sudo] {
        let host = alices(Host::builder().way(way));
        // What other programs have looked for in the caller's directory, at home, in /tmp, or under their name.
        host.sh("mkdir -p -m 777 /run/scratch/etc; echo 'passwd: evil' >/run/scratch/etc/nsswitch.conf");
        let caller = host.caller().prefix(&["env", "-C", "/run/scratch"]);
        let caller = ["HOME", "TMPDIR", "XDG_RUNTIME_DIR", "LIBMOUNT_MTAB"]
            .into_iter()
            .fold(caller, |caller, name| caller.env(name, "/run/scratch"));
        let seen = files_of(&caller);
        let expected = LOOKED_AT.iter().chain(&["/var/lib/netbroker/policy"]).map(|path| (*path).to_owned()).collect();
        assert_eq!(seen, expected);
    }
}

#[test]
fn a_hard_link_elsewhere_is_the_same_program() {
    // Next to it is what a program would find that looks next to itself. The name would break a parser of /proc's stat.
    let host = alices(Host::builder());
    host.sh("cd /usr/libexec/netbroker; ln netbroker '../x) R 0 0 (y'; test -f ../netbrokerd");
    let elsewhere = host.caller().program(&["/usr/libexec/x) R 0 0 (y"]);
    set_mtu(&elsewhere, 1400).ok();
    assert_eq!(recorded(&host), ("outcome".to_owned(), ALICE.to_string()));
    is_denied(&set_mtu(&host.as_uid(BOB).program(&["/usr/libexec/x) R 0 0 (y"]), 1500));
    assert_eq!((recorded(&host), mtu(&host).as_str()), (("refused".to_owned(), BOB.to_string()), "1400"));
}

#[test]
fn a_uid_beyond_the_signed_range_is_judged_as_itself() {
    const HIGH: u32 = 4_000_000_000;
    for way in [Way::Setuid, Way::FileCapabilities, Way::Root] {
        let host = alices(Host::builder().way(way.clone()));
        let high = || match way {
            Way::Root => host.as_root().env("SUDO_UID", &HIGH.to_string()).env("SUDO_GID", &HIGH.to_string()),
            _ => host.as_uid(HIGH),
        };
        is_denied(&set_mtu(&high(), 1400));
        assert_eq!(recorded(&host), ("refused".to_owned(), HIGH.to_string()));
        host.policy(&MTU_POLICY.replace("\"*\"\ncall", &format!("\"uid:{HIGH}\"\ncall")));
        set_mtu(&high(), 1400).ok();
        is_denied(&set_mtu(&host.as_root(), 1500));
        assert_eq!(mtu(&host), "1400");
    }
}

const SOCKET: &str = "/run/scratch/socket";

/// Serves one connection. A script as this caller makes it, sends its request, and has ended before the connection is
/// accepted.
fn serve(host: &Host, client: &Caller<'_>, name: &str) -> Output {
    const CLIENT: &str = r#"use Socket; socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die;
        if ($ARGV[0] ne "") { bind($s, pack("S a*", PF_UNIX, $ARGV[0] =~ s/^@/\0/r)) or die "bind: $!" }
        connect($s, pack_sockaddr_un("/run/scratch/socket")) or die "connect: $!"; print $s <STDIN>"#;
    let _ = fs::remove_file(SOCKET);
    let listener = UnixListener::bind(SOCKET).unwrap();
    setsockopt(&listener, sockopt::PassCred, &true).unwrap();
    fs::set_permissions(SOCKET, fs::Permissions::from_mode(0o666)).unwrap();
    let asked = client.clone().program(&["perl", "-e", CLIENT, name]).raw(format!("{MTU_REQUEST}\0").as_bytes());
    assert_eq!(asked.status(), 0, "{asked}");
    let socket = OwnedFd::from(listener.accept().unwrap().0);
    let mut command = host.as_root().args(&["--peer"]).command();
    command.stdin(socket.try_clone().unwrap()).stdout(socket).output().unwrap()
}

#[test]
fn a_peer_that_is_gone_is_still_who_it_was() {
    let host = alices(Host::builder().way(Way::Root));
    serve(&host, &host.as_uid(BOB), "");
    assert_eq!((recorded(&host), mtu(&host).as_str()), (("refused".to_owned(), BOB.to_string()), "1500"));
    serve(&host, &host.as_uid(ALICE), "");
    assert_eq!((recorded(&host), mtu(&host).as_str()), (("outcome".to_owned(), ALICE.to_string()), "1400"));
}

#[test]
fn the_name_of_a_peers_socket_says_nothing() {
    let host = alices(Host::builder().way(Way::Root));
    host.sh("mkdir -m 777 /run/scratch/bobs");
    for name in ["@;uid=64123;", "@pid=1;uid=0;socket=;", "/run/scratch/bobs/;uid=64123;"] {
        serve(&host, &host.as_uid(BOB), name);
        assert_eq!((recorded(&host), mtu(&host).as_str()), (("refused".to_owned(), BOB.to_string()), "1500"), "{name}");
    }
}

#[test]
fn root_is_judged_like_anybody() {
    let host = alices(Host::builder().way(Way::Root));
    is_denied(&set_mtu(&host.as_root(), 1400));
    assert_eq!(recorded(&host), ("refused".to_owned(), "0".to_owned()));
    serve(&host, &host.as_uid(0), "");
    assert_eq!((recorded(&host), mtu(&host).as_str()), (("refused".to_owned(), "0".to_owned()), "1500"));
}

/// Half a request, and the process that waits for the rest.
fn half_asked(caller: &Caller<'_>) -> Running {
    let mut running = caller.start();
    running.send(&MTU_REQUEST.as_bytes()[..30]);
    running
}

#[test]
fn inheritable_and_ambient_capabilities_are_gone_before_the_request_is_read() {
    let inheritable = "--inh-caps=+net_raw,+sys_admin,+net_admin";
    for (way, options) in [
        (Way::Setuid, &[inheritable][..]),
        (Way::FileCapabilities, &[inheritable]),
        (Way::Root, &[inheritable, "--ambient-caps=+net_raw,+net_admin"]),
    ] {
        let host = mtu_host(way);
        let caller = host.caller().setpriv(options);
        let started = caller.run(&["cat", "/proc/self/status"]).ok();
        assert!(!started.contains("CapInh:\t0000000000000000"), "{started}");
        let mut running = half_asked(&caller);
        running.wait_until_asleep();
        let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
        for none in
            ["CapInh:\t0000000000000000", "CapAmb:\t0000000000000000", "CapEff:\t0000000000000000", "Seccomp:\t2"]
        {
            assert!(status.contains(none), "{none}: {status}");
        }
        running.send(&MTU_REQUEST.as_bytes()[30..]);
        running.finish().ok();
    }
}

/// Sends an answer with this error number to the first netlink socket of another process that it sees.
const FORGER: &str = r#"
    use strict; socket(my $s, 16, 3, 0) or die; bind($s, pack "S S L L", 16, 0, 0, 0) or die;
    my $own = (unpack "S S L L", getsockname $s)[2];
    for (1 .. 2000) {
        open my $sockets, "<", "/proc/thread-self/net/netlink" or die;
        for (<$sockets>) {
            my (undef, $protocol, $port) = split;
            next unless $protocol eq "0" && $port && $port != $own;
            my $answer = pack "L S S L L l L S S L L", 36, 2, 0, 2, 0, $ARGV[0], 20, 16, 0, 2, 0;
            send($s, $answer, 0, pack "S S L L", 16, 0, $port, 0) or die "send: $!";
            print "sent"; exit;
        }
        select undef, undef, undef, 0.005;
    }
"#;

#[test]
fn an_answer_that_is_not_the_kernels_is_passed_over() {
    let host = mtu_host(Way::Setuid);
    // The third message is the one that changes something; before it, the socket already has its address.
    let delay = "inject=sendto:delay_enter=1000000:when=3";
    let slowly = host.caller().under(&["strace", "-q", "-o", "/dev/null", "-e", "trace=sendto", "-e", delay]);
    // What the kernel does, what the forged answer reports, and what the broker reports.
    for (asked, forged, expected) in [(1400, "-13", None), (1, "0", Some(22))] {
        let reply = std::thread::scope(|scope| {
            let forger = scope.spawn(|| host.run(&["perl", "-e", FORGER, "--", forged]).ok());
            let reply = set_mtu(&slowly, asked);
            assert_eq!(forger.join().unwrap(), "sent");
            reply
        });
        match expected {
            None => drop(reply.ok()),
            Some(errno) => assert_eq!(reply.get("errno"), json!(errno), "{reply}"),
        }
        assert_eq!(mtu(&host), "1400");
    }
}

#[test]
fn nothing_of_a_request_is_remembered_for_the_next() {
    for way in [Way::Setuid, Way::FileCapabilities, Way::Sudo] {
        let host = alices(Host::builder().way(way));
        // sudo remembers its callers itself.
        let list =
            "find /run /var/lib/netbroker /etc/netbroker -path '/run/sudo*' -prune -o -printf '%p %i %T@\\n' | sort";
        set_mtu(&host.caller(), 1400).ok();
        let files = host.sh(list);
        set_mtu(&host.caller(), 1500).ok();
        is_denied(&set_mtu(&host.as_root().env("SUDO_UID", "64124").env("SUDO_GID", "64124"), 1400));
        assert_eq!(host.sh(list), files);
        host.policy_file("test.toml", "");
        host.tool(&["policy", "install", "--allow-empty"]).ok();
        is_denied(&set_mtu(&host.caller(), 1400));
        assert_eq!(mtu(&host), "1500");
    }
}

#[test]
fn fifty_callers_that_say_nothing_keep_nobody_waiting() {
    let host = mtu_host(Way::Setuid);
    let mut silent: Vec<Running> = (0..50).map(|_| half_asked(&host.as_uid(BOB))).collect();
    let since = Instant::now();
    set_mtu(&host.caller(), 1400).ok();
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert!(silent.iter_mut().all(|one| !one.ended()), "they wait still");
    assert_eq!(mtu(&host), "1400");
    assert!(host.trail().iter().all(|record| record.field("NETBROKER_UID") == ALICE.to_string()));
}
