// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A control group (cgroups(7), version 2) that is given to a caller. It is removed with everything in it when dropped.

use super::Host;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

static COUNT: AtomicU32 = AtomicU32::new(0);

pub struct Cgroup(PathBuf);

impl Cgroup {
    /// Control groups belong to the machine, so the name is unique to this process and test.
    pub fn new(host: &Host) -> Self {
        const ROOT: &str = "/run/scratch/cgroup";
        host.sh(&format!("mkdir {ROOT}; mount -t cgroup2 none {ROOT}"));
        let name = format!("netbroker-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = PathBuf::from(ROOT).join(name);
        fs::create_dir(&path).unwrap_or_else(|e| panic!("these tests need cgroup v2; {}: {e}", path.display()));
        Self(path)
    }

    /// Moves a process into it.
    pub fn take(&self, pid: u32) {
        self.set("cgroup.procs", &pid.to_string());
    }

    /// Stops everything in it, and waits until the kernel reports that.
    pub fn freeze(&self) {
        self.set("cgroup.freeze", "1");
        self.wait_for("frozen 1");
    }

    pub fn thaw(&self) {
        self.set("cgroup.freeze", "0");
        self.wait_for("frozen 0");
    }

    /// Kills everything in it (Linux 5.14).
    pub fn kill(&self) {
        self.set("cgroup.kill", "1");
        self.wait_for("populated 0");
    }

    fn set(&self, file: &str, value: &str) {
        fs::write(self.0.join(file), value).unwrap_or_else(|e| panic!("{file} {value}: {e}"));
    }

    fn wait_for(&self, line: &str) {
        let since = Instant::now();
        while !fs::read_to_string(self.0.join("cgroup.events")).unwrap().lines().any(|is| is == line) {
            assert!(since.elapsed() < Duration::from_secs(10), "never {line}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // A drop must not panic. What is left would be found by the last line.
        let _ = fs::write(self.0.join("cgroup.kill"), "1");
        let since = Instant::now();
        while fs::remove_dir(&self.0).is_err() && since.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
