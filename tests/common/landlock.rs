// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether the running kernel has Landlock: Linux 5.10 has none, and `lsm=` on the kernel's command line can turn it off.

use std::process::Command;
use std::sync::LazyLock;

/// Asks the kernel for its version of Landlock, by `landlock_create_ruleset(2)`, which has this number on every architecture.
const ASK: &str = "exit(syscall(444, 0, 0, 1) > 0 ? 0 : 1)";

static EXISTS: LazyLock<bool> = LazyLock::new(|| Command::new("perl").args(["-e", ASK]).status().unwrap().success());

/// Whether a process can enter a domain.
pub fn exists() -> bool {
    *EXISTS
}

/// The policy, with the setting that lets the broker run on a kernel without Landlock if this is one. A policy that says
/// something about it stays as it is.
pub(super) fn permit_without(policy: &str) -> String {
    let setting =
        if exists() || policy.contains("[confinement]") { "" } else { "\n[confinement]\nlandlock = \"available\"\n" };
    format!("{policy}{setting}")
}
