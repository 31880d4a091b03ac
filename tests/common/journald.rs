// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The real journald in a host, for tests of what reads the journal. All other tests examine what the broker sends.

use super::{Background, Host, Ran};
use std::time::{Duration, Instant};

/// Neither a limit on records nor anything of the machine: the kernel's messages, the setting of its audit system.
const SETTINGS: &str = "[Journal]\nStorage=volatile\nAudit=\nReadKMsg=no\nRateLimitIntervalSec=0\n";

/// A running journald, which ends when this is dropped. Its journal is in the host's /run.
pub struct Journald<'host> {
    host: &'host Host,
    _process: Background,
}

impl<'host> Journald<'host> {
    /// Starts it in a host that has no trail.
    pub fn start(host: &'host Host) -> Self {
        host.sh("echo 0123456789abcdef0123456789abcdef >/etc/machine-id
             mount -t cgroup2 none /sys/fs/cgroup # which it needs in order to find its own control group
             mkdir /run/log");
        let journald = Self { host, _process: run(host, "journald", "journal", "") };
        journald.send(0, &[("MESSAGE", "the first record")]);
        journald.wait_for("the first record");
        journald
    }

    /// Starts the journald of a namespace (systemd-journald@.service). Its socket is in the returned directory.
    pub fn of_namespace(&self, name: &str) -> (String, Background) {
        let directory = format!("journal.{name}");
        let process = run(self.host, &format!("journald@{name}"), &directory, name);
        (format!("/run/systemd/{directory}"), process)
    }

    /// Sends a record as this user.
    pub fn send(&self, uid: u32, fields: &[(&str, &str)]) {
        let record: String = fields.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        let script = "use Socket; socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die $!; \
            connect($s, pack_sockaddr_un('/run/systemd/journal/socket')) or die $!; \
            my $record = do { local $/; <STDIN> }; syswrite($s, $record) == length $record or die $!";
        let caller = self.host.as_uid(uid).groups(&[]).program(&["perl", "-e", script]);
        let sent = caller.raw(record.as_bytes());
        assert_eq!(sent.status(), 0, "{sent}");
    }

    /// Waits until the journal has a record with this text.
    pub fn wait_for(&self, text: &str) {
        let since = Instant::now();
        while !self.journalctl(&["--output=cat"]).stdout().contains(text) {
            assert!(since.elapsed() < Duration::from_secs(30), "the journal has no record of `{text}`");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// journalctl(1) as root.
    pub fn journalctl(&self, words: &[&str]) -> Ran {
        self.host.run(&[&["journalctl", "--quiet", "--no-pager"], words].concat())
    }
}

/// Starts a journald, and waits for its last socket.
fn run(host: &Host, settings: &str, directory: &str, name: &str) -> Background {
    host.sh(&format!(
        "mkdir -p /run/systemd/{directory} /run/systemd/{settings}.conf.d
         printf '{SETTINGS}' >/run/systemd/{settings}.conf.d/zz-test.conf"
    ));
    let process = host.background(&format!("exec /usr/lib/systemd/systemd-journald {name}"));
    let since = Instant::now();
    while host.run(&["test", "-S", &format!("/run/systemd/{directory}/io.systemd.journal")]).status() != 0 {
        assert!(since.elapsed() < Duration::from_secs(30), "journald does not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    process
}
