// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The last policies that were put in force, each with its sources and the ids of its users and groups at that time.
//! Only root can read them. This file also has the pin: the digest of the policy that `policy rollback` put in force.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::stat::{Mode, fchmod, mkdirat};
use nix::unistd::{Uid, UnlinkatFlags, fchown, unlinkat};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::files::{Tree, names};
use super::read::{COMPILED, all_of, exists_in, file_state, open_directory, open_in, unusable};
use super::replace::{Rights, replace};
use super::state::STATE;
use super::warn;
use crate::audit::sha256;
use crate::policy::compile::Policy;
use crate::policy::diagnostics::Source;

/// The directory of the kept policies, in [`STATE`].
const HISTORY: &str = "history";
/// The file that holds the pinned digest, in [`STATE`].
const PIN: &str = "pinned";
/// How many policies are kept.
const MOST: usize = 10;
/// The extension of the file of a kept policy.
const ENDING: &str = ".json";

/// A policy that was put in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) digest: String,
    /// Greater than that of every policy before it.
    pub(super) sequence: u64,
    /// Seconds since 1970.
    pub(super) installed: i64,
    /// Who installed it: the real uid, and the login uid if the kernel knows one.
    pub(super) uid: u32,
    pub(super) loginuid: Option<u32>,
    /// `install` or `rollback`.
    pub(super) by: String,
    /// The sources that it was compiled from.
    pub(super) files: Vec<KeptFile>,
    /// `user:NAME` and `group:NAME` with their numbers; `null` for an optional account that did not exist.
    pub(super) accounts: BTreeMap<String, Option<u32>>,
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

/// A digest of each rule, by id, over its calls, principals and constraints. Rules of two policies differ if their
/// digests do.
pub(super) fn digests(policy: &Policy) -> BTreeMap<String, String> {
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    for placed in policy.placed() {
        let text = json!([placed.call, placed.principals, placed.rule]).to_string();
        texts.entry(&placed.rule.id).or_default().push_str(&text);
    }
    texts.into_iter().map(|(id, text)| (id.to_owned(), sha256::hex(text.as_bytes()))).collect()
}

/// The directory of the kept policies, opened and locked. The policy in force, the kept policies and the pin change
/// under this lock.
#[derive(Debug)]
pub(super) struct History {
    directory: Flock<OwnedFd>,
    owner: Uid,
}

fn path() -> PathBuf {
    Path::new(STATE).join(HISTORY)
}

impl History {
    /// Opens the directory to read it; `None` if it does not exist. Installations wait until this is dropped.
    pub(super) fn open(tree: &Tree) -> Result<Option<Self>, String> {
        if !exists_in(&tree.directory(Path::new(STATE))?, HISTORY.as_ref()) {
            return Ok(None);
        }
        Self::locked(tree.directory(&path())?, tree, FlockArg::LockShared).map(Some)
    }

    /// Opens the directory for an installation, and creates it if it does not exist. Its mode and owner are always set.
    /// Other readers and installations wait until this is dropped.
    pub(super) fn change(tree: &Tree) -> Result<Self, String> {
        let state = tree.directory(Path::new(STATE))?;
        match mkdirat(&state, HISTORY, Mode::from_bits_truncate(0o700)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(unusable(&path(), errno)),
        }
        let failed = |errno| unusable(&path(), errno);
        let directory = open_directory(&state, HISTORY.as_ref()).map_err(failed)?;
        fchown(&directory, Some(Uid::from_raw(tree.owner)), None).map_err(failed)?;
        fchmod(&directory, Mode::from_bits_truncate(0o700)).map_err(failed)?;
        Self::locked(directory, tree, FlockArg::LockExclusive)
    }

    fn locked(directory: OwnedFd, tree: &Tree, how: FlockArg) -> Result<Self, String> {
        let at_once = match how {
            FlockArg::LockShared => FlockArg::LockSharedNonblock,
            _ => FlockArg::LockExclusiveNonblock,
        };
        let locked = Flock::lock(directory, at_once).or_else(|(directory, errno)| match errno {
            Errno::EWOULDBLOCK => {
                warn("waiting until another `netbrokerctl policy` command ends");
                Flock::lock(directory, how)
            }
            other => Err((directory, other)),
        });
        let directory = locked.map_err(|(_, errno)| unusable(&path(), errno))?;
        Ok(Self { directory, owner: Uid::from_raw(tree.owner) })
    }

    /// All kept policies, the latest first. Also a warning for each file that is not a kept policy.
    pub(super) fn all(&self) -> Result<(Vec<Kept>, Vec<String>), String> {
        let (mut all, mut warnings) = (Vec::new(), Vec::new());
        for name in names(&self.directory, &path(), |name| !name.as_bytes().starts_with(b"."))? {
            match self.read(&name) {
                Ok(kept) => all.push(kept),
                Err(why) => warnings.push(format!("{why}; it is ignored, and can be removed")),
            }
        }
        all.sort_by_key(|kept: &Kept| std::cmp::Reverse(kept.sequence));
        Ok((all, warnings))
    }

    /// The kept policy with this digest.
    pub(super) fn of(&self, digest: &str) -> Result<Option<Kept>, String> {
        let name = format!("{digest}{ENDING}");
        exists_in(&self.directory, name.as_ref()).then(|| self.read(name.as_ref())).transpose()
    }

    fn read(&self, name: &OsStr) -> Result<Kept, String> {
        let path = path().join(name);
        let wrong = |why: String| format!("{}: warning: this is not a kept policy: {why}", path.display());
        let digest = name.to_str().and_then(|name| name.strip_suffix(ENDING)).filter(|digest| is_digest(digest));
        let digest = digest.ok_or_else(|| wrong(format!("its name must be a digest and `{ENDING}`")))?;
        let file = open_in(&self.directory, name, &path).map_err(&wrong)?;
        let file = file.ok_or_else(|| wrong("it is a symbolic link".to_owned()))?;
        let what = file_state(&file, &path).map_err(&wrong)?;
        // The directory may have been somebody else's before the first installation.
        if what.st_uid != self.owner.as_raw() || what.st_mode & 0o022 != 0 {
            return Err(wrong("users other than root could write it".to_owned()));
        }
        let bytes = all_of(file, &path, COMPILED).map_err(&wrong)?;
        let kept: Kept = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        if kept.digest != digest {
            return Err(wrong(format!("it holds the policy with digest `{}`", kept.digest.escape_debug())));
        }
        Ok(kept)
    }

    /// Keeps a policy.
    pub(super) fn keep(&self, kept: &Kept) -> Result<(), String> {
        let path = path().join(format!("{}{ENDING}", kept.digest));
        let bytes = serde_json::to_vec(kept).map_err(|error| format!("{}: {error}", path.display()))?;
        replace(&self.directory, &path, &bytes, Rights { owner: self.owner, group: None, mode: 0o600 })
    }

    /// Removes all but the latest ten. `before` are the policies before this one, the latest first.
    pub(super) fn prune(&self, before: &[Kept], latest: &str) -> Result<(), String> {
        let others = before.iter().filter(|kept| kept.digest != latest);
        others.skip(MOST - 1).try_for_each(|kept| self.forget(&kept.digest))
    }

    /// Removes one.
    pub(super) fn forget(&self, digest: &str) -> Result<(), String> {
        let name = format!("{digest}{ENDING}");
        let removed = unlinkat(&*self.directory, name.as_str(), UnlinkatFlags::NoRemoveDir);
        removed.map_err(|errno| unusable(&path().join(&name), errno))
    }
}

/// Whether a text can be a digest or the beginning of one.
pub(super) fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && is_hex(text)
}

/// The digest that is pinned.
pub(super) fn pinned(tree: &Tree) -> Result<Option<String>, String> {
    let path = Path::new(STATE).join(PIN);
    let state = tree.directory(Path::new(STATE))?;
    if !exists_in(&state, PIN.as_ref()) {
        return Ok(None);
    }
    let file = tree.open_file(&state, OsStr::new(PIN), &path)?;
    let bytes = all_of(file, &path, 4096)?;
    let digest = std::str::from_utf8(&bytes).ok().map(str::trim_end).filter(|text| is_digest(text));
    let wrong =
        || format!("{} must hold the digest that `policy rollback` pinned; remove it to end the pin", path.display());
    digest.map(|digest| Some(digest.to_owned())).ok_or_else(wrong)
}

/// Pins a policy: it stays pinned until `policy install --unpin`, or `policy install` at a terminal.
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
