// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A separate host for each test: namespaces, users, a caller without privilege, a journald to examine.
//!
//! ```ignore
//! let host = Host::new();                                     // from here on this thread lives in a world of its own
//! host.policy("[[allow]] …");
//! host.ip("link add veth0 type veth peer name veth1");
//! let reply = host.caller().call("Link.Set", json!({"netns": "@host", "link": "veth0", "up": true}));
//! reply.ok();
//! assert_eq!(host.trail()[0].get("NETBROKER_CALL"), Some("Link.Set"));
//! ```
//!
//! The namespaces belong to the thread that made the [`Host`] and to the threads and processes that it starts. So tests
//! run in parallel under a plain `cargo test`, and the kernel removes everything when the last of these ends.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::missing_panics_doc, // each panics where a test fails
    clippy::missing_errors_doc,
    missing_debug_implementations,
    missing_docs
)]

mod caller;
pub mod calls;
mod cgroup;
pub mod daemon;
mod etc;
mod host;
mod journald;
pub mod landlock;
mod mounts;
mod observe;
mod ran;
mod reply;
mod running;
pub mod scene;
pub mod sent;
pub mod shipped;
pub mod socket;
pub mod traced;
pub mod tracer;
mod trail;

pub use caller::{Caller, request};
pub use cgroup::Cgroup;
pub use host::{Builder, Host, Way};
pub use journald::Journald;
pub use observe::Comparison;
pub use ran::{Background, Ran};
pub use reply::Reply;
pub use running::Running;
pub use trail::Record;

use std::path::{Path, PathBuf};

/// Where the source tree is. Not a path with `..`: a virtual machine has only the programs of it.
pub fn source_tree() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package)
}

/// The system user of the broker and its own group: owner and group of `/run/netbroker`.
pub const NETBROKER: u32 = 64000;
/// The group that may execute the broker, for the ways in which its file gives it privilege.
pub const CALLERS: u32 = 64001;
/// The default caller, uid and gid.
pub const ALICE: u32 = 64123;
/// Another caller.
pub const BOB: u32 = 64124;

/// The path of the broker on every machine.
pub const BROKER: &str = "/usr/libexec/netbroker/netbroker";
/// Where a host keeps the tool, so that callers reach it wherever the source tree is (in a home of mode 0700, for
/// example).
pub const TOOL: &str = "/usr/libexec/netbrokerctl";
/// Where a host keeps netbrokerd.
pub const DAEMON: &str = "/usr/libexec/netbrokerd";
/// All that the broker needs as file capabilities, as `setcap` writes them.
pub const CAPABILITIES: &str = "cap_net_admin,cap_sys_admin,cap_setuid,cap_setgid,cap_dac_override=p";

/// The only variable that programs in a host see, unless a test sets more.
pub const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// A program under test. `cargo test` builds the test profile only; the shipped build is a separate one.
#[derive(Clone, Copy)]
pub enum Program {
    Broker,
    Daemon,
    Tool,
}

impl Program {
    /// Where it is, if it has been built.
    pub fn path(self) -> PathBuf {
        let (variable, built) = match self {
            Self::Broker => ("NETBROKER", "target/broker/release/netbroker"),
            Self::Daemon => ("NETBROKERD", "target/broker/release/netbrokerd"),
            Self::Tool => ("NETBROKERCTL", "target/broker/release/netbrokerctl"),
        };
        let path = std::env::var_os(variable).map_or_else(|| PathBuf::from(built), PathBuf::from);
        source_tree().join(path)
    }

    /// Its path; panics with what to do if it is missing.
    pub fn built(self) -> PathBuf {
        let path = self.path();
        assert!(
            path.is_file(),
            "{} is missing (or this is a chroot, which setns(2) leaves); build first: tests/programs",
            path.display()
        );
        path
    }
}
