// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The harness itself: a host that leaks, a caller that keeps root, or a comparison that is always true would make
//! every other test worthless. Programs of the machine take the place of the broker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::{ALICE, BOB, BROKER, CALLERS, Host, NETBROKER, Reply, Way};
use serde_json::json;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

fn fails(what: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(what)).expect_err("this should have failed");
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

fn bare() -> Host {
    Host::builder().bare().build()
}

/// A host in which `id` is installed as the broker.
fn installed(way: Way) -> Host {
    Host::builder().broker("/usr/bin/id").way(way).build()
}

/// Runs a shell script in place of the broker and returns its answer.
fn answer(host: &Host, script: &str) -> Reply {
    host.caller().program(&["sh", "-c", script]).raw(b"")
}

#[test]
fn a_host_has_its_own_network_users_and_directories() {
    let host = bare();
    let links: Vec<String> = host.ip("-br link").lines().map(|l| l.split_whitespace().take(2).collect()).collect();
    assert_eq!(links, ["loDOWN"]);
    assert_eq!(host.sh("ls /sys/class/net"), "lo\n");
    assert_eq!(host.sh("ls -A /run"), "netbroker\nnetns\nscratch\nsystemd\n");
    assert_eq!(host.sh("cd /etc/netbroker/policy.d; ls -A . /run/netns /var/lib | grep -v :$ | tr -d '\\n'"), "");
    assert_eq!(
        host.sh("stat -c '%a %u %g' /run /run/netbroker /run/netns /var/lib /usr/libexec"),
        format!(
            "\
755 0 0\n755 {NETBROKER} {NETBROKER}\n755 0 0\n755 0 0\n755 0 0\n"
        )
    );
    assert_eq!(
        host.sh("id alice; id -u bob; id -u netbroker"),
        "\
uid=64123(alice) gid=64123(alice) groups=64123(alice),64001(netbroker-callers)\n64124\n64000\n"
    );
    assert!(host.run(&["mountpoint", "-q", "/run/netns"]).status() != 0);
    assert!(host.sh("findmnt -no OPTIONS /usr/libexec").split(',').all(|o| o.trim() != "nosuid"));
}

#[test]
fn a_copied_etc_serves_as_well() {
    let host = Host::builder().broker("/usr/bin/id").way(Way::Sudo).etc_by_copy().build();
    assert_eq!(
        host.sh("stat -f -c %T /etc; id -u bob; test -s /etc/ld.so.cache; test ! -e /etc/apt"),
        "tmpfs\n64124\n"
    );
    assert!(text(&host.caller().raw(b"")).starts_with("uid=0(root)"));
}

#[test]
fn nothing_is_left_behind() {
    let mounts = || fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    let (mounts_before, passwd) = (mounts(), fs::read("/etc/passwd").unwrap());
    let namespace = || fs::read_link("/proc/thread-self/ns/net").unwrap();
    let before = namespace();
    {
        let host = installed(Way::Setuid);
        host.ip("netns add left");
        assert_ne!(namespace(), before);
        assert!(Path::new(BROKER).exists());
    }
    assert_eq!(namespace(), before);
    assert_eq!(mounts(), mounts_before);
    assert_eq!(fs::read("/etc/passwd").unwrap(), passwd);
    assert!(!Path::new("/run/netns/left").exists() && !Path::new("/run/scratch").exists());
}

#[test]
fn hosts_in_parallel_do_not_meet() {
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let host = bare();
                host.ip("netns add same");
                host.ip("link add same0 type bridge");
                host.sh("echo same > /var/lib/same; echo same > /etc/same");
            });
        }
    });
}

#[test]
fn threads_of_the_host_may_call_and_strangers_may_not() {
    let host = bare();
    host.ip("link add br0 type bridge");
    let shared = &host;
    std::thread::scope(|scope| {
        scope.spawn(move || shared.ip("link show br0"));
    });
    let elsewhere = bare();
    assert!(fails(|| drop(host.ip("link show"))).contains("not in the host"));
    drop(elsewhere);
    host.ip("link show br0");
}

#[test]
fn a_caller_has_its_uid_its_groups_and_an_empty_environment() {
    let host = bare();
    let script = "id -u; id -g; id -G; grep -h CapPrm /proc/self/status; env | grep -v -e PWD -e _= -e SHLVL";
    let seen = host.caller().env("LD_DEBUG", "help_me_not").groups(&[]).run(&["sh", "-c", script]).ok();
    assert!(seen.starts_with("64123\n64123\n64123\nCapPrm:\t0000000000000000\n"), "{seen}");
    assert!(seen.contains("LD_DEBUG=help_me_not") && seen.contains("PATH="), "{seen}");
    assert!(!seen.contains("CARGO") && !seen.contains("HOME"), "{seen}");
    assert_eq!(host.as_uid(BOB).gid(7).run(&["id", "-G"]).ok(), format!("7 {CALLERS}\n"));
    assert_eq!(host.as_root().run(&["id", "-u"]).ok(), "0\n");
}

#[test]
fn each_way_in_gives_the_installed_program_its_privilege() {
    let host = installed(Way::Setuid);
    assert!(text(&host.caller().raw(b"")).starts_with("uid=64123(alice) gid=64123(alice) euid=0(root)"));
    let stranger = host.caller().groups(&[]).raw(b"");
    assert!(stranger.status() == 126 && stranger.stderr().contains("Permission denied"), "{stranger}");

    host.install(Way::Sudo);
    assert!(text(&host.caller().raw(b"")).starts_with("uid=0(root) gid=0(root)"));
    host.install(Way::Root);
    assert!(text(&host.caller().raw(b"")).starts_with("uid=0(root) gid=0(root)"));
    host.install(Way::Installed { mode: 0o755, capabilities: None });
    assert!(!text(&host.caller().raw(b"")).contains("euid"));

    let host = Host::builder().broker("/usr/bin/grep").way(Way::FileCapabilities).build();
    let capabilities = |host: &Host| text(&host.caller().args(&["-h", "Cap[PE]", "/proc/self/status"]).raw(b""));
    assert_eq!(capabilities(&host), "CapPrm:\t00000000002010c2\nCapEff:\t0000000000000000\n");
    host.install(Way::Installed { mode: 0o750, capabilities: Some("cap_net_admin=p") });
    assert_eq!(capabilities(&host), "CapPrm:\t0000000000001000\nCapEff:\t0000000000000000\n");
}

#[test]
fn what_takes_the_setuid_bit_away_does() {
    let host = installed(Way::Setuid);
    assert!(!text(&host.caller().no_new_privs().raw(b"")).contains("euid"));
    // The file's owner is not mapped, so its setuid bit has no effect.
    assert!(!text(&host.caller().in_user_namespace(&["--map-current-user"]).raw(b"")).contains("euid"));
    let bounded = Host::builder().broker("/usr/bin/grep").build();
    let caller = bounded.caller().setpriv(&["--bounding-set=-net_admin"]).args(&["-h", "CapPrm", "/proc/self/status"]);
    let mask = text(&caller.raw(b"")).trim().rsplit('\t').next().map(|m| u64::from_str_radix(m, 16).unwrap()).unwrap();
    assert!(mask != 0 && mask & 1 << 12 == 0, "{mask:x}");
    drop(bounded);
    host.sh("mount -o remount,nosuid /usr/libexec");
    assert!(!text(&host.caller().raw(b"")).contains("euid"));
}

#[test]
fn a_caller_may_stand_in_a_named_namespace_and_under_a_tracer() {
    let host = installed(Way::Setuid);
    host.ip("netns add there");
    let inode = fs::metadata("/run/netns/there").unwrap().ino();
    assert_eq!(
        host.caller().in_netns("there").run(&["readlink", "/proc/self/ns/net"]).ok(),
        format!("net:[{inode}]\n")
    );
    let traced = host.caller().under(&["strace", "-f", "-o", "/run/scratch/log"]).raw(b"");
    assert!(text(&traced).contains("euid=0(root)"), "{traced}");
    assert!(host.sh("cat /run/scratch/log").contains(BROKER));
}

#[test]
fn a_reply_is_whole_and_its_status_belongs_to_its_error() {
    let host = bare();
    let fine = answer(&host, r#"printf '{"parameters":{"link_index":7}}\0'"#);
    assert_eq!((fine.ok(), fine.get("link_index")), (json!({"link_index": 7}), json!(7)));
    assert!(fails(|| drop(fine.error())).contains("not refused"));

    let stream = answer(&host, r#"printf '{"parameters":{"a":1},"continues":true}\0{"parameters":{"a":2}}\0'"#);
    assert_eq!(stream.all(), [json!({"a": 1}), json!({"a": 2})]);

    let denied = r#"printf '{"error":"io.netbroker.Link.Denied","parameters":{"field":"mtu"}}\0'; echo why >&2; exit "#;
    let reply = answer(&host, &format!("{denied} 77"));
    assert_eq!(
        (reply.error().as_str(), reply.status(), reply.stderr().as_str()),
        ("io.netbroker.Link.Denied", 77, "why\n")
    );
    assert_eq!(reply.parameters(), json!({"field": "mtu"}));
    assert!(fails(|| drop(reply.ok())).contains("refused"));
    assert!(fails(|| drop(answer(&host, &format!("{denied} 65")).error())).contains("exit status"));

    for broken in
        [r#"{"parameters":{}}"#, r#"{"parameters":{},"extra":1}\0"#, r#"{"parameters":{},"continues":true}\0"#, r"[]\0"]
    {
        fails(|| drop(answer(&host, &format!("printf '{broken}'")).ok()));
    }
    assert_eq!(answer(&host, "kill -9 $$").signal(), Some(9));
}

#[test]
fn a_call_sends_one_message_that_ends_in_nul() {
    let host = bare();
    let cat = host.caller().program(&["cat"]);
    let sent = br#"{"method":"io.netbroker.Link.Set","parameters":{"up":true}}"#;
    assert_eq!(cat.call("Link.Set", json!({"up": true})).stdout(), [&sent[..], b"\0"].concat());
    let echo = host.caller().program(&["sh", "-c", "dd bs=1 count=20 status=none"]);
    for reply in [
        echo.call_on_socket("Link.Set", json!({"up": true})),
        echo.call_on_socket_late("Link.Set", json!({"up": true})),
    ] {
        assert_eq!(reply.stdout(), &sent[..20]);
        assert_eq!(reply.left_in_socket(), [&sent[20..], b"\0"].concat());
    }
    assert!(
        cat.call_more("org.varlink.service.GetInfo", json!({}))
            .stdout()
            .starts_with(br#"{"method":"org.varlink.service.GetInfo","more":true"#)
    );
}

#[test]
fn a_large_request_fits_through_pipe_and_socket() {
    let host = bare();
    let large = vec![b'x'; 3 << 20];
    assert_eq!(host.caller().program(&["cat"]).raw(&large).stdout(), large);
    let head = format!("head -c {} | wc -c", large.len());
    assert_eq!(host.caller().program(&["sh", "-c", &head]).raw_on_socket(&large).stdout(), b"3145728\n");
    // It is not an error of the harness if a broker ends early.
    assert_eq!(host.caller().program(&["true"]).raw(&large).status(), 0);
    assert_eq!(host.caller().program(&["true"]).raw_on_socket(&large).status(), 0);
}

#[test]
fn a_started_process_can_be_watched_signalled_and_finished() {
    let host = bare();
    let mut running = host.caller().program(&["cat"]).start();
    running.send(b"first");
    running.wait_until_asleep();
    assert!(host.sh(&format!("grep Uid /proc/{}/status", running.pid())).contains(&ALICE.to_string()));
    assert!(!running.ended());
    running.send(b" second");
    assert_eq!(running.finish().stdout(), b"first second");
    let running = host.caller().program(&["cat"]).start_on_socket();
    running.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(running.finish().signal(), Some(15));
}

#[test]
fn the_trail_knows_its_senders_and_reads_both_forms() {
    let host = bare();
    let logger = |uid, text: &str| {
        let reply = host.as_uid(uid).program(&["logger", "--journald"]).raw(text.as_bytes());
        assert_eq!(reply.status(), 0, "{reply}");
    };
    logger(ALICE, "MESSAGE=one\nNETBROKER_CALL=Link.Set\n");
    logger(BOB, "MESSAGE=two\n");
    UnixDatagram::unbound()
        .unwrap()
        .send_to(b"MESSAGE\n\x03\0\0\0\0\0\0\0a\nb\nPRIORITY=4\n", "/run/systemd/journal/socket")
        .unwrap();
    let trail = host.trail();
    let seen: Vec<_> = trail.iter().map(|r| (r.uid, r.field("MESSAGE"))).collect();
    assert_eq!(seen, [(ALICE, "one"), (BOB, "two"), (0, "a\nb")]);
    assert_eq!(trail[2].get("PRIORITY"), Some("4"));
    assert_eq!(host.trail_where("NETBROKER_CALL", "Link.Set").len(), 1);
    for _ in 0..50 {
        logger(BOB, "MESSAGE=many\n"); // more than the kernel's queue holds
    }
    assert_eq!(host.trail_where("MESSAGE", "many").len(), 50);
}

#[test]
fn what_journald_would_drop_is_a_failure() {
    for broken in [&b"_UID=0\n"[..], b"lower=1\n", b"NO_END=1", b"SHORT\n\x09\0\0\0\0\0\0\0abc\n", b"BYTES=\xff\n"] {
        let host = bare();
        UnixDatagram::unbound().unwrap().send_to(broken, "/run/systemd/journal/socket").unwrap();
        assert!(fails(|| drop(host.trail())).contains("journald would drop"), "{}", broken.escape_ascii());
    }
}

#[test]
fn the_other_trails_are_what_they_say() {
    let journald = Path::new("/run/systemd/journal/socket");
    let host = Host::builder().bare().no_trail().build();
    assert!(!journald.exists() && !Path::new("/dev/log").exists());
    drop(host);

    let host = Host::builder().bare().syslog().build();
    assert!(!journald.exists());
    assert_eq!(host.as_uid(BOB).run(&["logger", "-p", "authpriv.notice", "hello"]).status(), 0);
    assert!(host.trail()[0].text().starts_with("<85>") && host.trail()[0].uid == BOB, "{:?}", host.trail());
    drop(host);

    for after in [0, 1, 2] {
        let host = Host::builder().bare().deaf_trail_after(after).build();
        let sender = UnixDatagram::unbound().unwrap();
        sender.set_nonblocking(true).unwrap();
        for at in 0..5 {
            assert_eq!(sender.send_to(b"MESSAGE=x\n", journald).is_ok(), at < after, "record {at} of {after}");
        }
        assert_eq!(host.trail().len(), after);
    }
}

#[test]
fn a_snapshot_shows_each_change_and_is_otherwise_the_same() {
    let host = bare();
    host.ip("netns add x");
    host.ip("link add v0 type veth peer name v1");
    host.ip("link add br0 type bridge");
    // Link-local addresses would change once more when no duplicate has been found: a second or two after the host has
    // come to rest.
    for link in ["v0", "v1", "br0"] {
        host.ip(&format!("link set {link} addrgenmode none"));
        host.ip(&format!("link set {link} up"));
    }
    let mut last = host.snapshot(&["x"]);
    assert_eq!(host.snapshot(&["x"]), last);
    for change in [
        "ip link set v0 mtu 1400",
        "ip addr add 192.0.2.1/24 dev v0",
        "ip addr change 192.0.2.1/24 dev v0 valid_lft 100 preferred_lft 50",
        "ip route add 198.51.100.0/24 dev v0 table 77",
        "ip -n x link set lo up",
        "ip link set v0 alias 'two words'",
        "touch /run/netns/file",
        "chmod 600 /run/netns/file",
        "rm /run/netns/file",
        "ip link set br0 down",
    ] {
        host.sh(change);
        let next = host.snapshot(&["x"]);
        assert_ne!(next, last, "{change}");
        last = next;
    }
}

#[test]
fn a_comparison_of_twins_finds_what_differs_and_nothing_else() {
    let host = bare();
    let (a, b) = host.twins();
    host.ip_in(a, "link add other type bridge"); // indexes differ from here on
    host.ip_in(a, "link del other");
    for netns in [a, b] {
        host.ip_in(netns, "link add v0 type veth peer name v1");
        host.ip_in(netns, "link add br0 type bridge");
        host.ip_in(netns, "link set v1 up master br0");
        host.ip_in(netns, "link set v0 up");
        host.ip_in(netns, "link set br0 up");
        host.ip_in(netns, "addr add 192.0.2.1/24 dev v0 valid_lft 100 preferred_lft 50");
    }
    host.compare("link show");
    host.compare("addr show");
    host.compare("route show table all");
    assert!(fails(|| host.comparison("link show v0").macs().at_once().check()).contains("differs"));
    host.ip_in(a, "link set v0 mtu 1400");
    assert!(fails(|| host.comparison("link show v0").at_once().check()).contains("differs"));
    host.comparison("link show v0").but(&["mtu"]).check();
    host.ip_in(a, "addr change 192.0.2.1/24 dev v0 valid_lft 100 preferred_lft 60");
    assert!(fails(|| host.comparison("addr show v0").but(&["mtu"]).at_once().check()).contains("differs"));
}

#[test]
fn a_directory_of_the_machine_can_be_added_to() {
    let host = bare();
    let before = fs::read_dir("/usr/share").unwrap().count();
    host.cover("/usr/share");
    assert_eq!(fs::read_dir("/usr/share").unwrap().count(), before);
    host.sh("mkdir -p /usr/share/netbroker/policies");
}

#[test]
fn a_background_script_ends_with_its_guard() {
    let host = bare();
    let pid = {
        let beside = host.background("exec sleep 1000");
        beside.pid()
    };
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(reply.stdout()).into_owned()
}
