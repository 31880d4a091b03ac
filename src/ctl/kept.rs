// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The last policies that were put in force, each with its sources and with the numbers that its users and groups had
//! then. They are readable for root alone. Also the pin: the digest of the policy that `policy rollback` put in force.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, fchmod, fstatat, mkdirat};
use nix::unistd::{Uid, UnlinkatFlags, fchown, unlinkat};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::files::{Tree, names};
use super::read::{COMPILED, all_of, open_in, unusable};
use super::replace::{Rights, replace};
use super::state::STATE;
use crate::audit::sha256;
use crate::policy::compile::Policy;
use crate::policy::diagnostics::Source;

/// The directory of the kept policies, in [`STATE`].
const HISTORY: &str = "history";
/// The file that holds the pinned digest, in [`STATE`].
const PIN: &str = "pinned";
/// How many policies are kept.
const MOST: usize = 10;
/// What a kept policy's file name ends in.
const ENDING: &str = ".json";

/// A policy that was put in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) digest: String,
    /// Greater than that of every policy before it.
    pub(super) sequence: u64,
    /// Seconds since 1970.
    pub(super) installed: i64,
    /// Who installed it: the real uid, and the uid of the login that it came from, where the kernel knows one.
    pub(super) uid: u32,
    pub(super) loginuid: Option<u32>,
    /// `install` or `rollback`.
    pub(super) by: String,
    /// What it was compiled from.
    pub(super) files: Vec<KeptFile>,
    /// `user:NAME` and `group:NAME` with their numbers.
    pub(super) accounts: BTreeMap<String, u32>,
    /// A digest of each rule, by id.
    pub(super) rules: BTreeMap<String, String>,
}

/// A source of a kept policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptFile {
    name: String,
    text: String,
}

impl Kept {
    /// The sources, as they were read.
    pub(super) fn sources(&self) -> Vec<Source> {
        self.files.iter().map(|file| Source { name: file.name.clone(), text: file.text.clone() }).collect()
    }

    pub(super) fn files_of(sources: &[Source]) -> Vec<KeptFile> {
        sources.iter().map(|source| KeptFile { name: source.name.clone(), text: source.text.clone() }).collect()
    }
}

/// A digest of each rule, by id: calls, principals and all that it says. Two policies' rules differ where these do.
pub(super) fn digests(policy: &Policy) -> BTreeMap<String, String> {
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    for placed in policy.placed() {
        let text = json!([placed.call, placed.principals, placed.rule]).to_string();
        texts.entry(&placed.rule.id).or_default().push_str(&text);
    }
    texts.into_iter().map(|(id, text)| (id.to_owned(), sha256::hex(text.as_bytes()))).collect()
}

/// The directory of the kept policies, opened.
#[derive(Debug)]
pub(super) struct History {
    directory: OwnedFd,
    owner: Uid,
}

fn path() -> PathBuf {
    Path::new(STATE).join(HISTORY)
}

impl History {
    /// Opens the directory; `None` where there is none.
    pub(super) fn open(tree: &Tree) -> Result<Option<Self>, String> {
        let state = tree.directory(Path::new(STATE))?;
        if fstatat(&state, HISTORY, AtFlags::AT_SYMLINK_NOFOLLOW) == Err(Errno::ENOENT) {
            return Ok(None);
        }
        Ok(Some(Self { directory: tree.directory(&path())?, owner: Uid::from_raw(tree.owner) }))
    }

    /// The same, made where there is none. Its mode and owner are set anew in any case.
    pub(super) fn make(tree: &Tree) -> Result<Self, String> {
        let state = tree.directory(Path::new(STATE))?;
        match mkdirat(&state, HISTORY, Mode::from_bits_truncate(0o700)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(unusable(&path(), errno)),
        }
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let failed = |errno| unusable(&path(), errno);
        let directory = openat(&state, HISTORY, flags, Mode::empty()).map_err(failed)?;
        let owner = Uid::from_raw(tree.owner);
        fchown(&directory, Some(owner), None).map_err(failed)?;
        fchmod(&directory, Mode::from_bits_truncate(0o700)).map_err(failed)?;
        Ok(Self { directory, owner })
    }

    /// All kept policies, the latest first.
    ///
    /// # Errors
    /// A file that is none of a kept policy, or cannot be read.
    pub(super) fn all(&self) -> Result<Vec<Kept>, String> {
        let files = names(&self.directory, &path(), is_kept)?;
        let mut all: Vec<Kept> = files.iter().map(|name| self.read(name)).collect::<Result<_, _>>()?;
        all.sort_by_key(|kept| std::cmp::Reverse(kept.sequence));
        Ok(all)
    }

    /// The kept policy of this digest.
    pub(super) fn of(&self, digest: &str) -> Result<Option<Kept>, String> {
        let name = format!("{digest}{ENDING}");
        match fstatat(&self.directory, name.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(Errno::ENOENT) => Ok(None),
            _ => self.read(OsStr::new(&name)).map(Some),
        }
    }

    fn read(&self, name: &OsStr) -> Result<Kept, String> {
        let path = path().join(name);
        let file = open_in(&self.directory, name, &path)?;
        let file = file.ok_or_else(|| format!("{} is a symbolic link", path.display()))?;
        let bytes = all_of(file, &path, COMPILED)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| format!("{} is not a kept policy: {error}; remove it", path.display()))
    }

    /// Keeps a policy.
    pub(super) fn keep(&self, kept: &Kept) -> Result<(), String> {
        let path = path().join(format!("{}{ENDING}", kept.digest));
        let bytes = serde_json::to_vec(kept).map_err(|error| format!("{}: {error}", path.display()))?;
        replace(&self.directory, &path, &bytes, Rights { owner: self.owner, group: None, mode: 0o600 })
    }

    /// Removes what is older than the latest ten. `before` are those that there were before this one, the latest first.
    pub(super) fn prune(&self, before: &[Kept], latest: &str) -> Result<(), String> {
        let others = before.iter().filter(|kept| kept.digest != latest);
        others.skip(MOST - 1).try_for_each(|kept| self.forget(&kept.digest))
    }

    /// Removes one.
    pub(super) fn forget(&self, digest: &str) -> Result<(), String> {
        let name = format!("{digest}{ENDING}");
        let removed = unlinkat(&self.directory, name.as_str(), UnlinkatFlags::NoRemoveDir);
        removed.map_err(|errno| unusable(&path().join(&name), errno))
    }
}

fn is_kept(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.ends_with(ENDING) && !name.starts_with('.'))
}

/// The digest that is pinned.
pub(super) fn pinned(tree: &Tree) -> Result<Option<String>, String> {
    let path = Path::new(STATE).join(PIN);
    let state = tree.directory(Path::new(STATE))?;
    if fstatat(&state, PIN, AtFlags::AT_SYMLINK_NOFOLLOW) == Err(Errno::ENOENT) {
        return Ok(None);
    }
    let file = tree.open_file(&state, OsStr::new(PIN), &path)?;
    let bytes = all_of(file, &path, 4096)?;
    let digest = String::from_utf8(bytes).map_err(|_| format!("{} is not a digest", path.display()))?;
    Ok(Some(digest.trim_end().to_owned()))
}

/// Pins a policy: from now on only a person's `policy install` replaces it.
pub(super) fn pin(tree: &Tree, digest: &str) -> Result<(), String> {
    let state = tree.directory(Path::new(STATE))?;
    let rights = Rights { owner: Uid::from_raw(tree.owner), group: None, mode: 0o600 };
    replace(&state, &Path::new(STATE).join(PIN), format!("{digest}\n").as_bytes(), rights)
}

/// Ends the pin.
pub(super) fn unpin(tree: &Tree) -> Result<(), String> {
    let state = tree.directory(Path::new(STATE))?;
    match unlinkat(&state, PIN, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(unusable(&Path::new(STATE).join(PIN), errno)),
    }
}
