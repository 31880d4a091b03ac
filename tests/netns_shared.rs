// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `/run/netns` as a shared mount. The first call makes it once, under a lock that any user may hold, and never in a
//! mount namespace from which no process outside would see what is made.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{be_the_machine, open_host as host};
use common::tracer::{self, Fate};
use common::{Background, Host, Ran, Reply, TOOL, request};
use nix::libc;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn add(host: &Host, netns: &str) -> Reply {
    host.caller().call("Netns.Add", json!({ "netns": netns }))
}

/// The lines of mountinfo whose mount point is /run/netns itself.
fn mounts(host: &Host) -> Vec<String> {
    let lines = host.sh("awk '$5 == \"/run/netns\"' /proc/self/mountinfo");
    lines.lines().map(str::to_owned).collect()
}

/// A process that holds the lock until the guard is dropped.
fn locked(host: &Host) -> Background {
    let guard = host.background("exec flock --no-fork /run/netns sleep 1000");
    host.sh("while flock -n /run/netns true; do sleep 0.01; done");
    guard
}

#[test]
fn parallel_first_calls_make_one_shared_mount() {
    let host = host();
    std::thread::scope(|scope| {
        for at in 0..20 {
            let host = &host;
            scope.spawn(move || match at % 4 {
                3 => drop(host.ip(&format!("netns add theirs{at}"))),
                _ => drop(add(host, &format!("mine{at}")).ok()),
            });
        }
    });
    let mounts = mounts(&host);
    assert!(mounts.len() == 1 && mounts[0].contains(" shared:"), "{mounts:#?}");
    let reply = host.caller().call("Netns.List", json!({"netns": "@host"}));
    let entries = reply.ok()["namespaces"].as_array().unwrap().clone();
    assert!(entries.len() == 20 && entries.iter().all(|entry| entry["ready"] == json!(true)), "{reply}");
    assert_eq!(host.sh("for n in /run/netns/*; do nsenter --net=$n true && echo; done | wc -l"), "20\n");
    assert_eq!(host.ip("netns list").lines().count(), 20);
    assert_eq!(host.sh("grep -c ' /run/netns/' /proc/self/mountinfo"), "20\n", "a mount for each name, and no more");
}

#[test]
fn parallel_calls_for_one_name_make_it_once() {
    let host = host();
    let replies: Vec<Reply> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..8).map(|_| scope.spawn(|| add(&host, "same"))).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    let (made, refused): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status() == 0);
    assert_eq!(made.len(), 1, "{replies:#?}");
    assert!(refused.iter().all(|reply| reply.error() == "io.netbroker.Netns.AlreadyExists"));
    assert_eq!(host.sh("grep -c ' /run/netns/same ' /proc/self/mountinfo"), "1\n");
    host.ip("netns exec same true");
}

#[test]
fn a_lock_that_is_not_let_go_is_busy_within_a_second_and_nothing_changes() {
    let host = host();
    let before = host.snapshot(&[]);
    let holder = locked(&host);
    let since = Instant::now();
    let reply = add(&host, "x");
    let waited = since.elapsed();
    assert_eq!(reply.error(), "io.netbroker.Netns.Busy");
    assert!(reply.get("reason").as_str().unwrap().contains("/run/netns"), "{reply}");
    assert!(waited > Duration::from_millis(800) && waited < Duration::from_secs(3), "{waited:?}");
    assert!(mounts(&host).is_empty());
    assert_eq!(host.snapshot(&[]), before);
    drop(holder);
    add(&host, "x").ok();
}

#[test]
fn the_lock_has_no_effect_once_the_directory_is_a_mount() {
    let host = host();
    host.ip("netns add first");
    let holder = locked(&host);
    let since = Instant::now();
    add(&host, "second").ok();
    host.caller().call("Netns.Delete", json!({"netns": "first"})).ok();
    assert!(since.elapsed() < Duration::from_millis(900), "{:?}", since.elapsed());
    host.ip("netns exec second true");
    assert_eq!(mounts(&host).len(), 1);
    drop(holder);
}

#[test]
fn a_lock_that_is_let_go_in_time_is_waited_for() {
    let host = host();
    let holder = locked(&host);
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| add(&host, "x"));
        std::thread::sleep(Duration::from_millis(300));
        drop(holder);
        caller.join().unwrap().ok();
    });
    assert_eq!(mounts(&host).len(), 1);
    host.ip("netns exec x true");
}

#[test]
fn a_namespace_made_while_the_lock_was_waited_for_is_seen() {
    let host = host();
    let holder = locked(&host);
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| host.caller().call("Netns.Add", json!({"netns": "x", "exists_ok": true})));
        std::thread::sleep(Duration::from_millis(300));
        // As another first call does that has the lock: the directory becomes a mount only now.
        host.sh("mount --bind /run/netns /run/netns; mount --make-shared /run/netns");
        host.sh("touch /run/netns/x; unshare -n mount --bind /proc/self/ns/net /run/netns/x");
        host.ip("netns exec x true");
        drop(holder);
        caller.join().unwrap().ok();
    });
    assert_eq!(mounts(&host).len(), 1);
}

#[test]
fn in_a_private_mount_namespace_the_answer_is_the_socket() {
    let host = host();
    host.sh("mount --make-shared /run"); // as systemd leaves it
    let inside = host.caller().under(&["unshare", "-m", "--propagation", "slave"]);
    for first in [true, false] {
        if !first {
            host.ip("netns add there"); // /run/netns is now a mount itself
        }
        let before = host.snapshot(&[]);
        for (verb, name) in [("Add", "x"), ("Delete", "there")] {
            let reply = inside.call(&format!("Netns.{verb}"), json!({ "netns": name }));
            assert_eq!(reply.error(), "io.netbroker.Netns.NotSupported", "{verb}");
            assert!(reply.get("message").as_str().unwrap().contains("socket"), "{reply}");
            assert_eq!(reply.get("may_have_changed"), json!(false));
        }
        assert_eq!(host.snapshot(&[]), before);
    }
    // Looking at a namespace, or acting in one, need not be visible outside.
    let listed = inside.call("Netns.List", json!({"netns": "@host"})).ok();
    assert_eq!(listed["namespaces"], json!([{"netns": "there", "ready": true}]));
    inside.call("Link.Set", json!({"netns": "there", "link": "lo", "up": true})).ok();
    assert!(host.ip_in("there", "link show lo").contains("UP"));
}

#[test]
fn a_namespace_that_only_its_maker_would_see_is_not_made() {
    let host = host();
    be_the_machine(&host);
    let private = host.caller().under(&["unshare", "-m", "--propagation", "private"]);
    let shared = host.caller().under(&["unshare", "-m", "--propagation", "shared"]);
    for is_mount in [false, true] {
        if is_mount {
            host.ip("netns add there"); // /run/netns is now a shared mount itself
        }
        let before = host.snapshot(&[]);
        let reply = private.call("Netns.Add", json!({"netns": "x"}));
        assert_eq!(reply.error(), "io.netbroker.Netns.NotSupported", "{reply}");
        assert_eq!((reply.get("field"), reply.get("may_have_changed")), (json!("netns"), json!(false)));
        assert!(reply.get("message").as_str().unwrap().contains("private mount namespace"), "{reply}");
        assert_eq!(host.snapshot(&[]), before);
    }
    // A copy that shares its mounts is as good as the machine's own mount namespace.
    shared.call("Netns.Add", json!({"netns": "x"})).ok();
    host.ip("netns exec x true");
    add(&host, "y").ok();
    // A removal need not be visible to others: the name is removed, and the mount with it.
    host.caller().call("Netns.Delete", json!({"netns": "x"})).ok();
}

/// The same while another user holds the lock, who opens the directory as any user may.
fn locked_by_bob(host: &Host) -> Background {
    let guard = host
        .background("exec setpriv --reuid=64124 --regid=64124 --clear-groups flock --no-fork /run/netns sleep 1000");
    host.sh("while flock -n /run/netns true; do sleep 0.01; done");
    guard
}

/// Runs `policy install` where this host's mount namespace is that of process 1: a shell, in its own process namespace.
fn install_as_on_a_machine(host: &Host) -> Ran {
    let script = "mount -t proc proc /proc; status=0; \"$@\" || status=$?; umount /proc; exit $status";
    host.run(&["unshare", "--pid", "--fork", "sh", "-euc", script, "sh", TOOL, "policy", "install"])
}

#[test]
fn after_policy_install_the_lock_of_another_user_keeps_nobody_busy() {
    let host = host();
    let holder = locked_by_bob(&host);
    assert_eq!(add(&host, "x").error(), "io.netbroker.Netns.Busy");
    let ran = install_as_on_a_machine(&host);
    assert_eq!((ran.status(), ran.stderr().as_str()), (0, ""), "{ran}");
    let made = mounts(&host);
    assert!(made.len() == 1 && made[0].contains(" shared:"), "{made:?}");
    let since = Instant::now();
    add(&host, "x").ok();
    assert!(since.elapsed() < Duration::from_millis(900), "{:?}", since.elapsed());
    host.ip("netns exec x true");
    // The second time there is nothing to do, so it does not wait.
    let since = Instant::now();
    assert_eq!(install_as_on_a_machine(&host).stderr(), "");
    assert!(since.elapsed() < Duration::from_millis(900), "{:?}", since.elapsed());
    assert_eq!(mounts(&host), made);
    drop(holder);
    host.ip("netns add theirs");
    assert_eq!(mounts(&host), made);
}

#[test]
fn policy_install_makes_the_shared_mount_with_its_directory_and_keeps_what_was_there() {
    let host = Host::builder().no_netns_directory().build();
    host.policy_file("a.toml", "");
    assert_eq!(install_as_on_a_machine(&host).status(), 0);
    assert!(mounts(&host).len() == 1 && mounts(&host)[0].contains(" shared:"), "{:?}", mounts(&host));
    assert_eq!(host.sh("stat -c '%U:%G %a' /run/netns"), "root:root 755\n");
    // Namespaces that were mounted there earlier, on a mount that is not shared.
    host.sh("umount /run/netns; touch /run/netns/old; unshare -n mount --bind /proc/self/ns/net /run/netns/old");
    let inode = host.sh("stat -c %i /run/netns/old");
    assert_eq!(install_as_on_a_machine(&host).stderr(), "");
    assert_eq!(host.sh("stat -c %i /run/netns/old"), inode);
    host.ip("netns exec old true");
}

#[test]
fn outside_the_mount_namespace_of_process_1_policy_install_makes_no_mount_and_says_so() {
    let host = host();
    // A process in another mount namespace in the place of process 1: on this machine, /run/netns may be a shared mount.
    let first = host.background("exec unshare -m --propagation private sleep 1000");
    let mounts_of_first = format!("/proc/{}/mountinfo", first.pid());
    host.sh(&format!("while cmp -s {mounts_of_first} /proc/self/mountinfo; do sleep 0.01; done"));
    host.sh(&format!("umount /proc/1/mountinfo; mount --bind {mounts_of_first} /proc/1/mountinfo"));
    let before = (mounts(&host), host.snapshot(&[]));
    let told = |ran: &Ran| {
        assert_eq!(ran.status(), 0, "{ran}");
        let line = "netbrokerctl: /run/netns is not made a shared mount: this process is not in the mount namespace of process 1";
        assert!(ran.stderr().starts_with(line) && ran.stderr().contains("any user can keep Netns.Add busy"), "{ran}");
        assert!(ran.stdout().starts_with("unchanged: "), "{ran}");
    };
    told(&host.tool(&["policy", "install"]));
    assert_eq!((mounts(&host), host.snapshot(&[])), before);
    // A copy inside the mount namespace of process 1, and a chroot there.
    let inside = "mount -t proc proc /proc; unshare -m --propagation private \"$@\"; umount /proc";
    told(&host.run(&["unshare", "--pid", "--fork", "sh", "-euc", inside, "sh", TOOL, "policy", "install"]));
    let inside = "mount -t proc proc /proc; mkdir /run/root; mount --rbind / /run/root; chroot /run/root \"$@\"; umount -l /run/root; umount /proc";
    told(&host.run(&["unshare", "--pid", "--fork", "sh", "-euc", inside, "sh", TOOL, "policy", "install"]));
    host.sh("rmdir /run/root");
    assert_eq!((mounts(&host), host.snapshot(&[])), before);
}

#[test]
fn policy_install_makes_no_mount_of_a_directory_that_others_may_write() {
    let host = host();
    for (change, why) in [
        ("chmod 1777 /run/netns", "/run/netns has mode 1777, so users other than root can write it"),
        ("chmod 755 /run/netns; chown 64123 /run/netns", "/run/netns must belong to root, not to uid 64123"),
        ("rmdir /run/netns; ln -s /etc /run/netns", "/run/netns is a symbolic link or no directory"),
    ] {
        host.sh(change);
        let ran = install_as_on_a_machine(&host);
        assert!(ran.status() == 0 && ran.stderr().contains(why), "{ran}");
        assert!(mounts(&host).is_empty() && host.sh("grep -c ' /etc ' /proc/self/mountinfo") == "1\n");
    }
}

#[test]
fn a_directory_that_others_may_write_is_not_trusted() {
    let host = host();
    for change in ["chmod 1777 /run/netns", "chmod 755 /run/netns; chown 64123 /run/netns"] {
        host.sh(change);
        let before = host.snapshot(&[]);
        assert_eq!(add(&host, "x").error(), "io.netbroker.Netns.SystemError", "{change}");
        assert_eq!(host.snapshot(&[]), before, "{change}");
    }
}

#[test]
fn a_name_on_which_a_namespace_is_about_to_be_mounted_exists() {
    let host = host();
    host.ip("netns add first");
    std::thread::scope(|scope| {
        // Its file exists 200 ms before its mount.
        let slowly = ["strace", "-q", "-o", "/dev/null", "-e", "trace=mount", "-e", "inject=mount:delay_enter=200000"];
        let caller = host.caller().under(&slowly);
        let first = scope.spawn(move || caller.call("Netns.Add", json!({"netns": "x"})));
        host.sh("until test -e /run/netns/x; do sleep 0.005; done");
        assert_ne!(host.run(&["grep", "-q", " /run/netns/x ", "/proc/self/mountinfo"]).status(), 0, "too late to tell");
        host.caller().call("Netns.Add", json!({"netns": "x", "exists_ok": true})).ok();
        first.join().unwrap().ok();
    });
    host.ip("netns exec x true");
}

#[test]
fn parallel_calls_that_tolerate_each_other_all_succeed() {
    let host = host();
    for round in 0..10 {
        let fields = json!({"netns": format!("same{round}"), "exists_ok": true});
        std::thread::scope(|scope| {
            let callers: Vec<_> =
                (0..8).map(|_| scope.spawn(|| host.caller().call("Netns.Add", fields.clone()))).collect();
            callers.into_iter().for_each(|caller| drop(caller.join().unwrap().ok()));
        });
    }
    assert_eq!(host.sh("grep -c ' /run/netns/same' /proc/self/mountinfo"), "10\n");
}

/// Runs a call that is held back right before it opens or reads a directory or file, or takes the lock or a namespace, for
/// the `nth` time, until `meanwhile` is done. None where it does that less often.
fn overtaken(host: &Host, nth: usize, method: &str, fields: &Value, meanwhile: impl Fn()) -> Option<Reply> {
    let mut running = tracer::stopped(&host.caller()).start();
    running.send(&request(method, fields.clone(), false));
    let places = [libc::SYS_openat, libc::SYS_getdents64, libc::SYS_flock, libc::SYS_unshare];
    let mut count = 0;
    tracer::trace(&running, |step| {
        count += usize::from(places.contains(&step.number));
        if count < nth {
            return Fate::Done;
        }
        meanwhile();
        Fate::LeftAlone
    });
    let reply = running.finish();
    (count == nth).then_some(reply)
}

#[test]
fn a_call_that_the_first_addition_overtakes_anywhere_sees_its_mount_and_its_namespace() {
    let host = host();
    let add = |name: &str| drop(host.caller().call("Netns.Add", json!({"netns": name, "exists_ok": true})).ok());
    for (before, method, fields, other) in [
        ("true", "Netns.Add", json!({"netns": "x", "exists_ok": true}), "x"),
        ("true", "Netns.Add", json!({"netns": "x", "exists_ok": true}), "y"),
        ("touch /run/netns/x", "Netns.Delete", json!({"netns": "x"}), "y"),
        ("true", "Netns.List", json!({"netns": "@host"}), "y"),
    ] {
        let mut held = 0;
        host.sh(before);
        while let Some(reply) = overtaken(&host, held + 1, method, &fields, || add(other)) {
            held += 1;
            let what = format!("{method} and {other} at {held}: {reply}");
            assert_eq!(reply.status(), 0, "{what}");
            assert_eq!(mounts(&host).len(), 1, "{what}");
            let made = if method == "Netns.Add" { fields["netns"].as_str() } else { None };
            for name in made.into_iter().chain([other]) {
                host.ip(&format!("netns exec {name} true"));
                let count = host.sh(&format!("grep -c ' /run/netns/{name} ' /proc/self/mountinfo"));
                assert_eq!(count, "1\n", "{what}");
            }
            let listed = reply.parameters()["namespaces"].clone();
            assert!(listed.as_array().is_none_or(|all| all.iter().all(|one| one["ready"] == json!(true))), "{what}");
            assert!(method != "Netns.Delete" || !std::path::Path::new("/run/netns/x").exists(), "{what}");
            host.sh(&format!("umount -l /run/netns; rm /run/netns/*; {before}"));
        }
        assert!(held > 3, "{held}");
        host.sh("! mountpoint -q /run/netns || umount -l /run/netns; rm -f /run/netns/*");
    }
}

#[test]
fn a_refusal_makes_no_mount_and_takes_none_away() {
    let host = host();
    host.sh("touch /run/netns/left; mkdir /run/netns/directory; mount -t tmpfs tmpfs /run/netns/directory");
    let before = (mounts(&host), host.snapshot(&[]), host.sh("grep -c /run/netns /proc/self/mountinfo"));
    for name in ["left", "directory"] {
        assert_eq!(add(&host, name).error(), "io.netbroker.Netns.AlreadyExists", "{name}");
    }
    let reply = host.caller().call("Netns.Delete", json!({"netns": "directory"}));
    assert_eq!(reply.error(), "io.netbroker.Netns.NoSuchNetns", "{reply}");
    assert_eq!(reply.get("reason"), "not_a_namespace", "{reply}");
    assert_eq!((mounts(&host), host.snapshot(&[]), host.sh("grep -c /run/netns /proc/self/mountinfo")), before);
}
