// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reads the policy in force as strictly as the broker does.
#![forbid(unsafe_code)]

use std::path::Path;

use super::files::Tree;
use super::read::{COMPILED, all_of, exists_in, file_state, open_in};
use super::state::{FILE, STATE, system_group};
use crate::policy::compiled::{Compiled, OTHER_FORMAT};

/// The policy in force.
#[derive(Debug)]
pub(super) struct InForce {
    pub(super) policy: Compiled<Vec<u8>>,
    /// When it was put in force, in seconds since 1970.
    pub(super) since: i64,
}

impl InForce {
    /// Reads the policy in force.
    ///
    /// # Errors
    /// Why the broker would refuse it, and what to do.
    pub(super) fn read(tree: &Tree) -> Result<Self, String> {
        Self::look(tree)
            .map_err(|why| format!("{why}; the broker refuses every call; run `netbrokerctl policy install`"))
    }

    /// Whether there is a policy that only a broker of another version reads.
    pub(super) fn has_other_format(tree: &Tree) -> bool {
        bytes(tree).is_ok_and(|(bytes, _)| Compiled::open(bytes).is_err_and(|damage| damage == OTHER_FORMAT))
    }

    /// Reads the policy in force.
    ///
    /// # Errors
    /// What is wrong with it, without what that means.
    pub(super) fn look(tree: &Tree) -> Result<Self, String> {
        let (bytes, since) = bytes(tree)?;
        let path = Path::new(STATE).join(FILE);
        let policy = Compiled::open(bytes).map_err(|damage| format!("{}: {}", path.display(), damage.0))?;
        Ok(Self { policy, since })
    }

    /// The digest of the policy.
    pub(super) fn digest(&self) -> &str {
        self.policy.digest()
    }

    /// The bytes of its file.
    pub(super) fn bytes(&self) -> &[u8] {
        self.policy.source()
    }
}

/// The bytes of the file, and when it was written.
fn bytes(tree: &Tree) -> Result<(Vec<u8>, i64), String> {
    let path = Path::new(STATE).join(FILE);
    let absent = || format!("no policy is in force: {} does not exist", path.display());
    let parent = Path::new(STATE).parent().unwrap_or(Path::new("/"));
    if !exists_in(&tree.directory(parent)?, Path::new(STATE).file_name().unwrap_or_default()) {
        return Err(absent());
    }
    let directory = tree.directory(Path::new(STATE))?;
    if !exists_in(&directory, FILE.as_ref()) {
        return Err(absent());
    }
    let file = open_in(&directory, FILE.as_ref(), &path)?;
    let file = file.ok_or_else(|| format!("{} is a symbolic link", path.display()))?;
    let (what, group) = (file_state(&file, &path)?, system_group(tree)?);
    let owned = what.st_uid == tree.owner && what.st_gid == group.as_raw();
    if !owned || what.st_mode & 0o7777 != 0o640 {
        return Err(format!("{} must belong to root:netbroker and have mode 0640", path.display()));
    }
    Ok((all_of(file, &path, COMPILED)?, what.st_mtime))
}
