// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A private file tree for a test, in which the user who runs the test takes the role of root.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::unistd::{getgid, getuid};

use super::files::Tree;

/// The ids of the system user, if the test runs as root.
const BROKER: u32 = 64123;

/// The tree, which is removed when this value is dropped.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) tree: Tree,
    /// The group of the system user.
    pub(super) gid: u32,
}

impl Machine {
    /// A tree with all that packages create, and an empty policy.
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("netbrokerctl-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let root = getuid().is_root();
        let gid = if root { BROKER } else { getgid().as_raw() };
        let machine = Self { tree: Tree { top: std::env::temp_dir().join(name), owner: getuid().as_raw() }, gid };
        for directory in ["", "/etc/netbroker/policy.d", "/usr/share/netbroker/policies", "/run/netbroker", "/var/lib"]
        {
            fs::create_dir_all(machine.path(directory)).unwrap();
        }
        for directory in ["", "/etc", "/etc/netbroker", "/etc/netbroker/policy.d", "/usr", "/usr/share", "/run", "/var"]
        {
            machine.mode(directory, 0o755);
        }
        for directory in ["/usr/share/netbroker", "/usr/share/netbroker/policies", "/run/netbroker", "/var/lib"] {
            machine.mode(directory, 0o755);
        }
        if root {
            chown(machine.path("/run/netbroker"), Some(BROKER), Some(BROKER)).unwrap();
        }
        machine
    }

    /// The real path of a path in the tree.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.tree.top.join(path.trim_start_matches('/'))
    }

    pub(super) fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(super) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(path), text).unwrap();
        self.mode(path, 0o644);
    }

    pub(super) fn link(&self, target: &str, path: &str) {
        symlink(target, self.path(path)).unwrap();
    }

    /// The names in a directory, sorted.
    pub(super) fn names(&self, path: &str) -> Vec<String> {
        let listing = fs::read_dir(self.path(path)).unwrap();
        let mut names: Vec<String> = listing.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.tree.top);
    }
}
