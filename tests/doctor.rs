// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl doctor` on a host where everything is right, and on the same host with one thing missing or wrong at a
//! time. The command that it names mends it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::be_the_machine;
use common::socket::{Daemon, until};
use common::{ALICE, BROKER, CALLERS, DAEMON, Host, NETBROKER, Ran, TOOL, Way};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

const SOCKET: &str = "/run/netbroker/socket";
const POLICY: &str = r#"
[[allow]]
id = "all"
who = "user:alice"
call = ["Link.List", "Netns.Add"]
netns = "n*"
link = "*"
"#;
/// A rule that needs /dev/net/tun.
const TAPS: &str = r#"
[[allow]]
id = "taps"
who = "user:alice"
call = "Link.Add"
kind = "tun"
netns = "n*"
link = "*"
free = ["tun.mode"]
"#;

/// A host on which nothing is missing or wrong. In it, the tool is in the path.
fn host() -> Host {
    host_as(Way::Setuid)
}

fn host_as(way: Way) -> Host {
    let host = Host::builder().way(way).build();
    be_the_machine(&host);
    // systemctl is no part of what is examined, and there is no systemd here that could do what it is asked.
    host.sh(&format!(
        "mkdir -m 755 /run/bin; ln -s {TOOL} /run/bin/netbrokerctl; printf '#!/bin/sh\\n' >/run/bin/systemctl; chmod \
            755 /run/bin/systemctl"
    ));
    host.policy(POLICY);
    host
}

fn doctor(host: &Host) -> Ran {
    host.tool(&["doctor"])
}

/// The lines about what is not right.
fn bad(ran: &Ran) -> Vec<String> {
    let text = ran.stdout();
    let lines: Vec<&str> = text.lines().collect();
    let (summary, points) = lines.split_last().unwrap();
    let bad: Vec<String> =
        points.iter().filter(|line| !line.starts_with("ok       ")).map(|line| (*line).to_owned()).collect();
    assert_eq!(ran.status(), i32::from(!bad.is_empty()), "{ran}");
    assert_eq!(
        summary.starts_with("nothing is missing or wrong"),
        bad.iter().all(|line| line.starts_with("unseen ")),
        "{ran}"
    );
    assert_eq!(ran.stderr(), "", "{ran}");
    bad
}

/// The command that a line names.
fn command(line: &str) -> &str {
    line.split_once("; run `").unwrap_or_else(|| panic!("no command: {line}")).1.strip_suffix('`').unwrap()
}

/// Runs the command that a line names, as root.
fn obey(host: &Host, line: &str) {
    let script = format!("PATH=/run/bin:$PATH; {}", command(line));
    host.run(&["sh", "-c", &script]).ok();
}

/// Asserts that after this script there is exactly one line about what is not right, which begins like this, and that
/// its command makes everything right again.
fn finds(host: &Host, script: &str, expected: &str) {
    host.sh(script);
    let found = bad(&doctor(host));
    assert!(found.len() == 1 && found[0].starts_with(expected), "{script}: {found:#?}");
    obey(host, &found[0]);
    assert_eq!(bad(&doctor(host)), [""; 0], "{script}: {}", found[0]);
}

/// The same, where the first command makes other things wrong, whose commands follow.
fn finds_first(host: &Host, script: &str, expected: &str) {
    host.sh(script);
    for round in 0..8 {
        let found = bad(&doctor(host));
        assert!(round > 0 || found[0].starts_with(expected), "{script}: {found:#?}");
        if found.is_empty() {
            return;
        }
        obey(host, &found[0]);
    }
    panic!("{script}: {}", doctor(host));
}

/// Asserts that after this script there is exactly this line, and that after the other script there is none.
fn sees(host: &Host, script: &str, expected: &str, undo: &str) {
    host.sh(script);
    let found = bad(&doctor(host));
    assert!(found.len() == 1 && found[0].starts_with(expected), "{script}: {found:#?}");
    host.sh(undo);
    assert_eq!(bad(&doctor(host)), [""; 0], "{undo}");
}

#[test]
fn where_everything_is_right_each_point_has_a_line_and_nothing_changes() {
    let host = host();
    let all = "find /run /etc/netbroker /var/lib/netbroker /usr/libexec/netbroker /dev -printf '%p %M %u %g %s %T@ \
        %C@\\n' | sort";
    let before = (host.sh(all), host.sh("cat /proc/self/mountinfo"), host.trail().len());
    let ran = doctor(&host);
    let text = ran.ok();
    let about: Vec<&str> = text.lines().map(|line| line.split(": ").next().unwrap()).collect();
    let expected = [
        "ok       user netbroker",
        "ok       group netbroker",
        "ok       group netbroker-callers",
        "ok       /run/netbroker",
        "ok       /run/netns",
        "ok       /var/lib/netbroker",
        "ok       /etc/netbroker/policy.d",
        "ok       /run/netbroker/socket",
        "ok       /usr/libexec/netbroker/netbroker",
        "ok       bounding set of process 1",
        "ok       bounding set of this session",
        "ok       policy in force",
        "ok       mount of /run/netns",
        "ok       names in /run/netns",
        "ok       kernel",
        "ok       seccomp",
        "ok       Landlock",
        "ok       /dev/net/tun",
        "ok       trail",
        "ok       journald's rate limit",
        "nothing is missing or wrong",
    ];
    assert_eq!(about, expected, "{ran}");
    for said in [
        format!("user netbroker: uid {NETBROKER}\n"),
        format!("group netbroker-callers: gid {CALLERS}, members: alice, bob\n"),
        "socket: does not exist; callers use the program\n".to_owned(),
        "netbroker: setuid root, 4754 root:netbroker-callers\n".to_owned(),
        "…, 1 rule in 1 file\n".to_owned(),
    ] {
        assert!(text.contains(&said), "{said}: {ran}");
    }
    assert_eq!((host.sh(all), host.sh("cat /proc/self/mountinfo"), host.trail().len()), before);
}

#[test]
fn accounts_that_are_missing_or_wrong_are_found() {
    let host = host();
    finds_first(
        &host,
        "sed -i /^netbroker:/d /etc/passwd",
        "missing  user netbroker: does not exist; run `useradd --system --gid netbroker ",
    );
    host.sh("userdel netbroker");
    finds_first(
        &host,
        "sed -i /^netbroker:/d /etc/group /etc/gshadow",
        "missing  user netbroker: does not exist; run `useradd --system --user-group ",
    );
    finds_first(
        &host,
        "sed -i '/^netbroker:/d' /etc/group /etc/gshadow",
        "missing  group netbroker: does not exist; run `groupadd --system netbroker`",
    );
}

#[test]
fn members_of_the_own_group_are_found() {
    let host = host();
    finds(
        &host,
        "gpasswd -a alice netbroker",
        "wrong    group netbroker: the user alice is in it; nobody but netbroker may be; run `gpasswd -d alice \
            netbroker`",
    );
    finds(
        &host,
        "usermod -g netbroker bob",
        "wrong    group netbroker: the user bob is in it by its primary group; nobody but netbroker may be; run \
            `usermod -g users bob`",
    );
    finds(
        &host,
        "usermod --shell /bin/sh netbroker",
        "wrong    user netbroker: can log in: its shell is /bin/sh; run `usermod --shell /usr/sbin/nologin netbroker`",
    );
    finds(
        &host,
        "usermod -g bob netbroker",
        "wrong    user netbroker: has the primary group 64124, expected the group netbroker; run `usermod -g \
            netbroker netbroker`",
    );
    finds_first(
        &host,
        "groupdel netbroker-callers",
        "missing  group netbroker-callers: does not exist; run `groupadd --system netbroker-callers`",
    );
    finds_first(
        &host,
        &format!("groupmod -o -g {NETBROKER} netbroker-callers"),
        &format!("wrong    group netbroker-callers: has the gid {NETBROKER}, which is not its own; run `groupmod -g "),
    );
    sees(
        &host,
        "sed -i 's/^netbroker:x:[0-9]*:/netbroker:x:0:/' /etc/passwd",
        "wrong    user netbroker: has the uid 0, which is not its own; run `vipw`",
        &format!("sed -i 's/^netbroker:x:0:/netbroker:x:{NETBROKER}:/' /etc/passwd"),
    );
}

#[test]
fn the_command_of_the_packages_makes_the_accounts_where_they_are_installed() {
    let host = host();
    host.cover("/usr/lib");
    host.sh("mkdir -p /usr/lib/sysusers.d || :; mount -t tmpfs none /usr/lib/sysusers.d; touch \
        /usr/lib/sysusers.d/netbroker.conf");
    host.sh("sed -i /^netbroker:/d /etc/passwd");
    assert!(bad(&doctor(&host))[0].ends_with("run `systemd-sysusers netbroker.conf`"));
}

#[test]
fn directories_that_are_missing_or_wrong_are_found() {
    let host = host();
    let run = "run `install -d -m 0755 -o netbroker -g netbroker /run/netbroker`";
    for (script, found) in [
        ("rmdir /run/netbroker", "missing  /run/netbroker: does not exist; ".to_owned()),
        (
            "rmdir /run/netbroker; touch /run/netbroker",
            "wrong    /run/netbroker: is not a directory; run `mv \
            /run/netbroker /run/netbroker.old && install -d "
                .to_owned(),
        ),
        (
            "chmod 700 /run/netbroker",
            format!(
                "wrong    /run/netbroker: belongs to {NETBROKER}:{NETBROKER} with mode \
            0700, expected netbroker:netbroker with mode 0755; {run}"
            ),
        ),
        ("chown root /run/netbroker", format!("wrong    /run/netbroker: belongs to 0:{NETBROKER} with mode 0755, ")),
        (
            "chgrp alice /run/netbroker",
            format!(
                "wrong    /run/netbroker: belongs to {NETBROKER}:{ALICE} with mode \
            0755, "
            ),
        ),
        (
            "chmod 1777 /run/netns",
            "wrong    /run/netns: belongs to 0:0 with mode 1777, expected root:root with mode \
            0755; run `install -d -m 0755 /run/netns`"
                .to_owned(),
        ),
        (
            "chgrp 0 /var/lib/netbroker",
            "wrong    /var/lib/netbroker: belongs to 0:0 with mode 0750, expected \
            root:netbroker with mode 0750; run `install -d -m 0750 -o root -g netbroker /var/lib/netbroker`"
                .to_owned(),
        ),
        ("chmod 755 /var/lib/netbroker", "wrong    /var/lib/netbroker: ".to_owned()),
        (
            "chmod 775 /etc/netbroker/policy.d",
            "wrong    /etc/netbroker/policy.d: belongs to 0:0 with mode 0775, \
            expected root:root with no write permission for others; run `install -d "
                .to_owned(),
        ),
    ] {
        finds_first(&host, script, &found);
    }
    host.sh("chmod 777 /run");
    let found = bad(&doctor(&host));
    let expected =
        "wrong    /run: has mode 0777, so users other than root can replace what is in it; run `chmod go-w /run`";
    assert!(found.iter().any(|line| line == expected), "{found:#?}");
    obey(&host, expected);
    finds_first(
        &host,
        "chown alice /etc/netbroker",
        &format!(
            "wrong    /etc/netbroker: belongs to uid {ALICE}, who can replace what is in it; run `chown root \
                /etc/netbroker`"
        ),
    );
    host.sh("umount /run/netns; rmdir /run/netns");
    let found = bad(&doctor(&host));
    assert!(
        found.len() == 1
            && found[0].starts_with("missing  /run/netns: does not exist; run `install -d -m 0755 /run/netns`"),
        "{found:#?}"
    );
    obey(&host, &found[0]);
    let found = bad(&doctor(&host));
    assert!(
        found.len() == 1 && found[0].starts_with("missing  mount of /run/netns: is not a shared mount; "),
        "{found:#?}"
    );
    obey(&host, &found[0]);
    assert_eq!(bad(&doctor(&host)), [""; 0]);
    host.sh("rm -r /etc/netbroker");
    let found = bad(&doctor(&host));
    assert!(found[0].starts_with("missing  /etc/netbroker/policy.d: does not exist; "), "{found:#?}");
    obey(&host, &found[0]);
    host.policy_file("test.toml", POLICY);
    assert_eq!(bad(&doctor(&host)), [""; 0]);
}

#[test]
fn a_setuid_program_that_is_open_to_others_is_found() {
    let host = host();
    let program = format!("wrong    {BROKER}: ");
    for (script, found) in [
        ("chmod 4755", "has mode 4755, so every user can start it with privilege; run `chmod o-x "),
        ("chmod 4774", "has mode 4774, so users other than root can replace it; run `chmod go-w "),
        ("chmod 6754", "has mode 6754, with a setgid bit that it does not need; run `chmod g-s "),
        ("chmod 4744", "has mode 4744, so the callers cannot start it; run `chmod g+rx "),
        (
            "chgrp 0 $1; chmod 4754",
            "belongs to the group 0, expected netbroker-callers; run `chown root:netbroker-callers ",
        ),
        ("chown alice $1; chmod 4754", "belongs to uid 64123, who can replace it; run `chown root:netbroker-callers "),
        (
            "setcap cap_net_admin=p $1; chmod 4754",
            "has the setuid bit and file capabilities; one of them is enough; run `setcap -r ",
        ),
    ] {
        finds(&host, &format!("set -- {BROKER}; {script} $1"), &format!("{program}{found}"));
    }
    finds(
        &host,
        "mount -o remount,bind,nosuid /usr/libexec",
        &format!(
            "{program}is on a file system that is mounted nosuid, so callers get no privilege from it; run `mount -o \
                remount,suid "
        ),
    );
    finds(
        &host,
        "chmod 777 /usr/libexec",
        "wrong    /usr/libexec: has mode 0777, so users other than root can replace what is in it; run `chmod go-w \
            /usr/libexec`",
    );
    sees(
        &host,
        &format!("mv {BROKER} /usr/libexec/away; mkdir {BROKER}"),
        &format!("{program}is not a file; install netbroker again"),
        &format!("rmdir {BROKER}; mv /usr/libexec/away {BROKER}"),
    );
}

#[test]
fn file_capabilities_that_are_missing_or_too_many_are_found() {
    let host = host_as(Way::FileCapabilities);
    assert!(
        doctor(&host).ok().contains(&format!("ok       {BROKER}: file capabilities, 0750 root:netbroker-callers\n"))
    );
    let four = "cap_net_admin,cap_sys_admin,cap_setuid,cap_setgid";
    host.sh(&format!("setcap {four}=p {BROKER}"));
    assert_eq!(bad(&doctor(&host)), [""; 0], "cap_dac_override may be left out");
    for (capabilities, found) in [
        (format!("{four}=ep"), "has file capabilities that are not permitted only (`=p`); "),
        (format!("{four}=ip"), "has file capabilities that are not permitted only (`=p`); "),
        ("cap_net_admin,cap_setuid=p".to_owned(), "lacks the file capabilities cap_setgid, cap_sys_admin; "),
        (format!("{four},cap_sys_ptrace=p"), "has file capabilities that it does not need: cap_sys_ptrace; "),
    ] {
        finds(&host, &format!("setcap {capabilities} {BROKER}"), &format!("wrong    {BROKER}: {found}"));
    }
    finds(
        &host,
        &format!("setcap -n 1000 {four}=p {BROKER}"),
        &format!("wrong    {BROKER}: has file capabilities for the user namespace of uid 1000; run `setcap "),
    );
    finds(
        &host,
        &format!("chmod 755 {BROKER}"),
        &format!("wrong    {BROKER}: has mode 0755, so every user can start it with privilege; run `chmod o-x "),
    );
    finds(
        &host,
        &format!("chgrp 0 {BROKER}; setcap {four}=p {BROKER}"),
        &format!(
            "wrong    {BROKER}: belongs to the group 0, expected netbroker-callers; run `chown root:netbroker-callers "
        ),
    );
}

#[test]
fn one_way_in_is_enough_and_none_is_missing() {
    let host = host_as(Way::Sudo);
    let found = bad(&doctor(&host));
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("missing  /run/netbroker/socket: does not exist; install netbrokerd"), "{found:#?}");
    let no_bit = "has neither the setuid bit nor file capabilities (sudo may still start it)";
    assert!(
        found[1].starts_with(&format!("missing  {BROKER}: {no_bit}, and the socket is no way in either; run `chown ")),
        "{found:#?}"
    );
    obey(&host, &found[1]);
    assert_eq!(bad(&doctor(&host)), [""; 0]);

    host.install(Way::Sudo);
    host.sh("mkdir -p /etc/systemd/system; touch /etc/systemd/system/netbroker.service");
    let listener = Daemon::spawn(host.command(DAEMON).args(["--group", &CALLERS.to_string()]));
    until("it listens", || UnixStream::connect(SOCKET).is_ok());
    host.sh("mkdir -p /run/systemd/units; ln -s 1000 /run/systemd/units/log-rate-limit-interval:netbroker.service; \
        ln -s 4294967295 /run/systemd/units/log-rate-limit-burst:netbroker.service");
    let ran = doctor(&host);
    assert_eq!(bad(&ran), [""; 0]);
    assert!(
        ran.stdout().contains(&format!(
            "ok       {SOCKET}: root:netbroker-callers 0660, a process \
        listens\nok       {BROKER}: {no_bit}; callers use the socket\n"
        )),
        "{ran}"
    );
    host.sh(&format!("rm {BROKER}"));
    let ran = doctor(&host);
    assert!(ran.ok().contains(&format!("ok       {BROKER}: does not exist; callers use the socket\n")), "{ran}");
    drop(listener);
    host.sh(&format!("rm {SOCKET}"));
    let found = bad(&doctor(&host));
    assert!(found[1] == format!("missing  {BROKER}: does not exist; install netbroker"), "{found:#?}");
}

#[test]
fn a_socket_that_is_wrong_is_found() {
    let host = host();
    let listener = UnixListener::bind(SOCKET).unwrap();
    host.sh(&format!("chown root:netbroker-callers {SOCKET}; chmod 660 {SOCKET}"));
    host.sh("mkdir -p /etc/systemd/system; printf \
        '[Service]\\nLogRateLimitIntervalSec=1ms\\nLogRateLimitBurst=4294967295\\n' >/etc/systemd/system/netbroker.service");
    assert_eq!(bad(&doctor(&host)), [""; 0]);
    sees(
        &host,
        &format!("chmod 666 {SOCKET}"),
        &format!("wrong    {SOCKET}: has mode 0666, expected 0660"),
        &format!("chmod 660 {SOCKET}"),
    );
    finds(
        &host,
        &format!("chown alice {SOCKET}"),
        &format!("wrong    {SOCKET}: belongs to {ALICE}:{CALLERS}, expected root:netbroker-callers; run `chown "),
    );
    finds(
        &host,
        &format!("chgrp alice {SOCKET}"),
        &format!("wrong    {SOCKET}: belongs to 0:{ALICE}, expected root:netbroker-callers; run `chown "),
    );
    drop(listener);
    // Anybody can bind a name that makes a line of its own in /proc/net/unix.
    let forged = format!("x\n0: 00000002 00000000 00010000 0001 01 1 {SOCKET}\n");
    let name = SocketAddr::from_abstract_name(forged).unwrap();
    let _forger = UnixListener::bind_addr(&name).unwrap();
    // A process that another test starts has the listener, too, until it executes its program.
    until("nobody listens", || {
        let found = bad(&doctor(&host));
        found.len() == 1 && found[0].starts_with(&format!("wrong    {SOCKET}: nobody listens on it"))
    });
    host.cover("/usr/sbin");
    host.sh("touch /usr/sbin/netbrokerd");
    assert_eq!(
        command(&bad(&doctor(&host))[0]),
        "netbrokerd --group \"$(getent group netbroker-callers | cut -d: -f3)\""
    );
    host.sh("mkdir -p /run/openrc /etc/init.d; touch /etc/init.d/netbrokerd");
    assert_eq!(command(&bad(&doctor(&host))[0]), "rc-service netbrokerd restart");
    host.sh("mkdir -p /run/systemd/system; touch /etc/systemd/system/netbroker.socket");
    assert_eq!(command(&bad(&doctor(&host))[0]), "systemctl restart netbroker.socket");
    host.sh(&format!("rm {SOCKET}; touch {SOCKET}"));
    let found = bad(&doctor(&host));
    assert_eq!(
        found,
        [format!("wrong    {SOCKET}: is not a socket; run `rm -r {SOCKET} && systemctl restart netbroker.socket`")]
    );
    obey(&host, &found[0]);
    assert_eq!(bad(&doctor(&host)), [""; 0]);
    host.install(Way::Sudo);
    assert_eq!(
        command(&bad(&doctor(&host))[0]),
        "systemctl enable --now netbroker-policy.service netbroker-policy.path netbroker.socket"
    );
}

#[test]
fn a_low_limit_of_journald_is_found_where_the_socket_is_used() {
    let host = host();
    let _listener = UnixListener::bind(SOCKET).unwrap();
    host.sh(&format!("chown root:netbroker-callers {SOCKET}; chmod 660 {SOCKET}"));
    let about = "journald's rate limit";
    assert!(bad(&doctor(&host))[0].starts_with(&format!(
        "unseen   {about}: netbroker.service is not installed, and the unit that serves the socket is not known"
    )));
    let unit = "/etc/systemd/system/netbroker.service";
    host.sh("mkdir -p /etc/systemd/system");
    let erase = "so one caller can erase the records of all";
    for (settings, found) in [
        (
            "",
            format!(
                "netbroker.service has journald's own limit, {erase}; run `mkdir -p \
                    /etc/systemd/system/netbroker.service.d && "
            ),
        ),
        (
            "LogRateLimitIntervalSec=0\\nLogRateLimitBurst=0\\n",
            format!("netbroker.service has journald's own limit, {erase}; "),
        ),
        (
            "LogRateLimitIntervalSec=30s\\nLogRateLimitBurst=10000\\n",
            format!("netbroker.service may send 333 records a second, {erase}; "),
        ),
    ] {
        finds(
            &host,
            &format!("rm -rf {unit}.d; printf '[Service]\\n{settings}' >{unit}"),
            &format!("wrong    {about}: {found}"),
        );
    }
    // What systemd tells journald of the running unit comes first.
    let units = "/run/systemd/units/log-rate-limit";
    sees(
        &host,
        &format!(
            "mkdir -p /run/systemd/units; ln -s 30000000 {units}-interval:netbroker.service; ln -s 10000 \
                {units}-burst:netbroker.service"
        ),
        &format!("wrong    {about}: netbroker.service may send 333 records a second, "),
        "rm -r /run/systemd/units",
    );
    host.sh(&format!("rm -r {unit}.d; mv {unit} /etc/systemd/system/netbroker-exec@.service"));
    assert!(doctor(&host).ok().contains(&format!("ok       {about}: each connection has a unit of its own\n")));
}

#[test]
fn capabilities_that_the_bounding_set_lacks_are_named() {
    let host = host();
    let bounded = |set: &str| host.as_root().setpriv(&[&format!("--bounding-set={set}")]).tool(&["doctor"]);
    let lacks = "so programs that it starts cannot have it; add it to CapabilityBoundingSet= of the unit, or to \
        `--cap-add` of the container";
    assert_eq!(
        bad(&bounded("-sys_admin,-setgid")),
        [format!("wrong    bounding set of this session: lacks cap_sys_admin, cap_setgid, {lacks}")]
    );
    // What only the rules need: here, to make namespaces.
    assert_eq!(
        bad(&bounded("-dac_override")),
        [format!("wrong    bounding set of this session: lacks cap_dac_override, {lacks}")]
    );
    host.policy(&POLICY.replace(", \"Netns.Add\"", ""));
    assert_eq!(bad(&bounded("-dac_override")), [""; 0]);
    sees(
        &host,
        "sed 's/^CapBnd:.*/CapBnd:\\t0000000000000000/' /proc/1/status >/run/status; mount --bind /run/status \
            /proc/1/status",
        "wrong    bounding set of process 1: lacks cap_net_admin, cap_sys_admin, cap_setuid, cap_setgid, ",
        "umount /proc/1/status",
    );
    sees(
        &host,
        "mount --bind /dev/null /proc/1/status",
        "unseen   bounding set of process 1: ",
        "umount /proc/1/status",
    );
}

#[test]
fn a_policy_that_is_not_in_force_is_found() {
    let host = host();
    let about = "policy in force";
    let compiled = "/var/lib/netbroker/policy";
    finds(
        &host,
        &format!("rm {compiled}"),
        &format!("missing  {about}: there is none, so every call is refused; run `netbrokerctl policy install`"),
    );
    finds(
        &host,
        &format!("chmod 644 {compiled}"),
        &format!(
            "wrong    {about}: {compiled} must belong to root:netbroker and have mode 0640; the broker refuses every \
                call; run `netbrokerctl policy install`"
        ),
    );
    finds(&host, &format!("printf x | dd of={compiled} bs=1 conv=notrunc"), &format!("wrong    {about}: {compiled}: "));
    finds(
        &host,
        &format!("printf x | dd of={compiled} bs=1 seek=100 conv=notrunc"),
        &format!("wrong    {about}: {compiled} is damaged: "),
    );
    finds(&host, "sed -i 's/n\\*/m*/' /etc/netbroker/policy.d/test.toml", &format!("wrong    {about}: digest "));
    sees(
        &host,
        "echo nonsense >>/etc/netbroker/policy.d/test.toml",
        &format!("wrong    {about}: digest "),
        "sed -i '/^nonsense/d' /etc/netbroker/policy.d/test.toml",
    );
    host.sh("echo nonsense >>/etc/netbroker/policy.d/test.toml");
    let found = bad(&doctor(&host));
    assert!(
        found[0].contains(
            "…; the files in /etc/netbroker/policy.d are not a valid policy: /etc/netbroker/policy.d/test.toml:"
        ),
        "{found:#?}"
    );
    assert_eq!(command(&found[0]), "netbrokerctl policy check");
    // After a rollback, the difference is meant.
    host.policy(POLICY);
    let first = host.tool(&["policy", "history"]).ok().split(' ').next().unwrap().to_owned();
    host.policy(&POLICY.replace("n*", "o*"));
    host.tool(&["policy", "rollback", &first]).ok();
    let ran = doctor(&host);
    assert_eq!(bad(&ran), [""; 0]);
    assert!(
        ran.stdout().contains("…, pinned by `policy rollback`; the files in /etc/netbroker/policy.d make another\n"),
        "{ran}"
    );
}

#[test]
fn the_mount_of_the_names_is_examined() {
    let host = host();
    finds(
        &host,
        "umount /run/netns",
        "missing  mount of /run/netns: is not a shared mount; until it is one, any local user can keep Netns.Add and \
            `ip netns add` busy; run `netbrokerctl policy install`",
    );
    finds(
        &host,
        "umount /run/netns; mkdir -m 755 /run/a; mount --bind /run/a /run/a; mount --make-shared /run/a; mount \
            --bind /run/a /run/netns; mount --make-slave /run/netns",
        "wrong    mount of /run/netns: is a slave of another mount namespace, so namespaces that are made here do \
            not appear there; run `mount --bind /run/netns /run/netns && ",
    );
    sees(
        &host,
        "mount --bind /dev/null /proc/1/mountinfo",
        "unseen   mount of /run/netns: ",
        "umount /proc/1/mountinfo",
    );
}

#[test]
fn names_that_no_request_can_give_are_found_and_can_be_changed() {
    let host = host();
    host.ip("netns add good");
    for (name, shown, why) in [
        ("a:b", "a:b", "must not contain `:`"),
        ("default", "default", "is a reserved word"),
        ("@all", "@all", "begins with `@`"),
        ("@host", "@host", "begins with `@`"),
        ("it's a", "it's a", "must not contain a space"),
        ("a\tb", "a\\x09b", "must not contain the byte 0x09"),
        ("ü", "\\xc3\\xbc", "contains `ü` (U+00FC) at position 1, which is not ASCII"),
    ] {
        let path = format!("/run/netns/{name}");
        host.run(&["sh", "-euc", "touch \"$1\"; unshare -n mount --bind /proc/self/ns/net \"$1\"", "sh", &path]).ok();
        let found = bad(&doctor(&host));
        let expected = format!("wrong    names in /run/netns: `{shown}` {why}");
        assert!(
            found.len() == 1
                && found[0].starts_with(&expected)
                && found[0].contains(", so no request can give it; run `"),
            "{found:#?}"
        );
        obey(&host, &found[0]);
        assert_eq!(bad(&doctor(&host)), [""; 0], "{name}");
    }
    let names = host.sh("ls /run/netns; for n in /run/netns/*; do nsenter --net=$n true; done");
    let expected =
        ["good", "netns-a-b", "netns-a-b-1", "netns-all", "netns-default", "netns-host", "netns-it-s-a", "netns-"];
    assert_eq!(names.lines().count(), 8, "{names}");
    assert!(expected.iter().all(|name| names.lines().any(|line| line == *name)), "{names}");
    host.sh("for n in $(seq 30); do touch /run/netns/$n:; done");
    let found = bad(&doctor(&host));
    assert!(
        found.len() == 21 && found[20] == "wrong    names in /run/netns: 10 more that no request can give",
        "{found:#?}"
    );
}

#[test]
fn a_kernel_that_lacks_something_is_found() {
    let host = host();
    let under = |words: &[&str]| host.run(&[words, &[TOOL, "doctor"]].concat());
    let old = bad(&under(&["setarch", "--uname-2.6"]));
    assert!(
        old.len() == 1
            && old[0].starts_with("wrong    kernel: Linux 2.6.")
            && old[0].ends_with(" is too old; 5.13 or later is needed"),
        "{old:#?}"
    );
    sees(
        &host,
        "mount -t tmpfs none /proc/sys/kernel/seccomp",
        "missing  seccomp: this kernel has no seccomp filters; it needs CONFIG_SECCOMP_FILTER",
        "umount /proc/sys/kernel/seccomp",
    );
    let without = ["strace", "-qqo", "/dev/null", "-e", "inject=landlock_create_ruleset:error=EOPNOTSUPP"];
    let found = bad(&under(&without));
    assert_eq!(
        found,
        ["missing  Landlock: Operation not supported; add `landlock` to the option `lsm=` of the kernel's command \
                line, or write \
          `landlock = \"available\"` under `[confinement]` in the policy"]
    );
    host.policy(&format!("{POLICY}[confinement]\nlandlock = \"available\"\n"));
    let ran = under(&without);
    assert_eq!(bad(&ran), [""; 0]);
    assert!(ran.stdout().contains("ok       Landlock: this kernel has none, which the policy permits\n"), "{ran}");
    assert!(bad(&under(&["setarch", "--uname-2.6"]))[0].ends_with(" is too old; 5.9 or later is needed"));
}

#[test]
fn the_device_of_tun_links_is_examined_where_a_rule_needs_it() {
    let host = host();
    host.sh("rm /dev/net/tun");
    let ran = doctor(&host);
    assert_eq!(bad(&ran), [""; 0]);
    assert!(ran.stdout().contains("ok       /dev/net/tun: does not exist, and no rule needs it\n"), "{ran}");
    host.sh("mknod -m 600 /dev/net/tun c 10 200");
    assert!(
        doctor(&host)
            .ok()
            .contains("ok       /dev/net/tun: has mode 0600, so netbroker cannot open it; no rule needs it\n")
    );
    host.sh("chmod 666 /dev/net/tun");
    host.policy(&format!("{POLICY}{TAPS}"));
    assert_eq!(bad(&doctor(&host)), [""; 0]);
    finds(
        &host,
        "rm -r /dev/net",
        "missing  /dev/net/tun: does not exist, so links of kind tun cannot be made; run `mkdir -p /dev/net && mknod ",
    );
    finds(
        &host,
        "chmod 600 /dev/net/tun",
        "wrong    /dev/net/tun: has mode 0600, so the user netbroker cannot open it; run `chmod 0666 /dev/net/tun`",
    );
    finds(
        &host,
        "rm /dev/net/tun; mknod -m 666 /dev/net/tun c 1 3",
        "wrong    /dev/net/tun: is not the device of TUN and TAP links; run `rm /dev/net/tun && mkdir ",
    );
    host.sh("chown netbroker /dev/net/tun; chmod 400 /dev/net/tun");
    assert_eq!(bad(&doctor(&host)), [""; 0]);
    host.sh("chown root:netbroker /dev/net/tun; chmod 640 /dev/net/tun");
    assert_eq!(bad(&doctor(&host)), [""; 0]);
}

#[test]
fn a_machine_without_a_trail_is_found_where_the_policy_requires_one() {
    let host = Host::builder().no_trail().build();
    be_the_machine(&host);
    host.policy(POLICY);
    let found = bad(&doctor(&host));
    assert_eq!(
        found,
        ["missing  trail: neither journald nor syslog takes records, so every call is refused; run `service \
                rsyslog start`"]
    );
    host.sh("mkdir -p /run/systemd/system");
    assert_eq!(command(&bad(&doctor(&host))[0]), "systemctl start systemd-journald.service");
    host.policy(&format!("{POLICY}[audit]\nrequired = false\n"));
    let ran = doctor(&host);
    assert_eq!(bad(&ran), [""; 0]);
    assert!(
        ran.stdout().contains("ok       trail: neither journald nor syslog takes records, which the policy permits\n"),
        "{ran}"
    );
    drop(host);
    let host = Host::builder().syslog().build();
    be_the_machine(&host);
    host.policy(POLICY);
    let ran = doctor(&host);
    assert_eq!(bad(&ran), [""; 0]);
    assert!(
        ran.stdout()
            .contains("ok       trail: syslog takes records; `netbrokerctl monitor` reads those of journald only\n"),
        "{ran}"
    );
}

#[test]
fn other_users_are_told_what_they_cannot_see() {
    let host = host();
    let alice = host.as_uid(ALICE);
    let ran = alice.tool(&["doctor"]);
    assert_eq!(bad(&ran), ["unseen   policy in force: only root can read it; run this as root"]);
    assert!(ran.stdout().ends_with("nothing is missing or wrong; 1 point is not seen\n"), "{ran}");
    assert_eq!(ran.stdout().lines().count(), doctor(&host).stdout().lines().count());
    host.sh("chmod 4755 /usr/libexec/netbroker/netbroker; chmod 700 /etc/netbroker; rmdir /run/netbroker");
    let ran = alice.tool(&["doctor"]);
    let expected = [
        "missing  /run/netbroker: ",
        "unseen   /etc/netbroker/policy.d: Permission denied",
        &format!("wrong    {BROKER}: has mode 4755, "),
        "unseen   policy in force: ",
    ];
    let found = bad(&ran);
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(|(line, start)| line.starts_with(start)),
        "{found:#?}"
    );
    assert!(ran.stdout().ends_with("2 points are missing or wrong; 2 points are not seen\n"), "{ran}");
}
