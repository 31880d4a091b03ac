// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The files of a policy. Only root may be able to write what is installed. Every directory from `/` and every file is
//! checked on the descriptor that is then used, so nobody can replace it in between.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, open, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstatat};

use super::Failure;
use super::read::{
    DIRECTORY_FLAGS, SOURCE, all_of, exists_in, file_state, open_directory, open_in, open_named, unusable,
};
use crate::policy::diagnostics::Source;
use crate::policy::testing::TestFile;

/// The directory in which people write the policy.
pub(super) const INSTALLED: &str = "/etc/netbroker/policy.d";
/// The directory of shipped policies. Links may lead only to it.
pub(super) const SHIPPED: &str = "/usr/share/netbroker/policies";

/// The files of one directory: the policy and its tests.
#[derive(Debug, Clone)]
pub(super) struct Files {
    pub(super) policy: Vec<Source>,
    pub(super) tests: Vec<TestFile>,
}

/// A file tree and the owner of trusted files in it: except in tests, the whole system and root.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) top: PathBuf,
    pub(super) owner: u32,
}

impl Tree {
    pub(super) fn system() -> Self {
        Self { top: PathBuf::from("/"), owner: 0 }
    }

    /// Opens a directory, and checks each component of its path.
    pub(super) fn directory(&self, path: &Path) -> Result<OwnedFd, String> {
        let mut at = PathBuf::from("/");
        let mut directory = open(&self.top, DIRECTORY_FLAGS, Mode::empty()).map_err(|errno| unusable(&at, errno))?;
        self.trust(&at, &file_state(&directory, &at)?)?;
        for component in path.components() {
            let name = match component {
                Component::RootDir => continue,
                Component::Normal(name) => name,
                _ => return Err(format!("{}: write the path from `/` on, without `..`", path.display())),
            };
            at.push(name);
            directory = open_directory(&directory, name).map_err(|errno| unusable(&at, errno))?;
            self.trust(&at, &file_state(&directory, &at)?)?;
        }
        Ok(directory)
    }

    /// All policy files of a directory, sorted by name.
    pub(super) fn policy(&self, path: &Path) -> Result<Vec<Source>, Failure> {
        let directory = self.directory(path).map_err(wrong)?;
        let names = names(&directory, path, is_policy).map_err(wrong)?;
        sources(names.iter().map(|name| self.read(&directory, path.join(name))))
    }

    /// A warning for each file of a directory that is not read.
    pub(super) fn unread(&self, path: &Path) -> Result<Vec<String>, String> {
        unread(&self.directory(path)?, path)
    }

    /// All policy files of a directory and their tests. The tests of a shipped policy are in its directory.
    pub(super) fn files(&self, path: &Path) -> Result<Files, Failure> {
        self.files_but(path, OsStr::new(""))
    }

    /// The same without the file of this name, which is not read.
    pub(super) fn files_but(&self, path: &Path, left_out: &OsStr) -> Result<Files, Failure> {
        let directory = self.directory(path).map_err(wrong)?;
        let paths = |wanted| {
            let names = names(&directory, path, wanted).map_err(wrong)?;
            Ok(names.iter().filter(|name| *name != left_out).map(|name| path.join(name)).collect::<Vec<_>>())
        };
        let (of_policy, of_tests) = (paths(is_policy)?, paths(is_test)?);
        let policy = sources(of_policy.iter().map(|path| self.read(&directory, path.clone())))?;
        let tests = sources(of_tests.iter().map(|path| self.read(&directory, path.clone())))?;
        let mut tests: Vec<TestFile> = tests.into_iter().zip(&of_tests).map(|(s, path)| test_of(s, path)).collect();
        for link in &of_policy {
            tests.extend(self.shipped_tests(&directory, link)?);
        }
        Ok(Files { policy, tests })
    }

    /// The shipped tests of the policy that a link leads to.
    fn shipped_tests(&self, directory: &OwnedFd, link: &Path) -> Result<Option<TestFile>, Failure> {
        let Ok(target) = readlinkat(directory, link.file_name().unwrap_or_default()) else { return Ok(None) };
        let shipped = self.directory(Path::new(SHIPPED)).map_err(wrong)?;
        let test = Path::new(SHIPPED).join(Path::new(&target).file_name().unwrap_or_default());
        let test = test.with_extension("test.toml");
        if !exists_in(&shipped, test.file_name().unwrap_or_default()) {
            return Ok(None);
        }
        let read = sources(std::iter::once(self.read(&shipped, test)))?;
        let beside = link.display().to_string();
        Ok(read.into_iter().next().map(|source| TestFile { source, beside }))
    }

    fn read(&self, directory: &OwnedFd, shown: PathBuf) -> (PathBuf, Result<Vec<u8>, String>) {
        let name = shown.file_name().unwrap_or_default();
        let bytes = self.open_file(directory, name, &shown).and_then(|file| all_of(file, &shown, SOURCE));
        (shown, bytes)
    }

    pub(super) fn open_file(&self, directory: &OwnedFd, name: &OsStr, shown: &Path) -> Result<OwnedFd, String> {
        let file = match open_in(directory, name, shown)? {
            Some(file) => file,
            None => self.open_shipped(directory, name, shown)?,
        };
        self.trust(shown, &file_state(&file, shown)?)?;
        Ok(file)
    }

    /// Follows a link that the owner made to a shipped policy, and refuses any other.
    fn open_shipped(&self, directory: &OwnedFd, name: &OsStr, shown: &Path) -> Result<OwnedFd, String> {
        let link = fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW).map_err(|errno| unusable(shown, errno))?;
        let target = PathBuf::from(readlinkat(directory, name).map_err(|errno| unusable(shown, errno))?);
        let (Some(parent), Some(file)) = (target.parent(), target.file_name()) else {
            return Err(format!("{} is a symbolic link to nothing", shown.display()));
        };
        // The target is compared as text: a path with `..` or a second slash could also lead elsewhere.
        let plain = target.as_os_str() == Path::new(SHIPPED).join(file).as_os_str() && is_policy(file);
        if !plain || link.st_uid != self.owner {
            return Err(format!(
                "{} is a symbolic link; only root's links to {SHIPPED}/NAME.toml are followed",
                shown.display()
            ));
        }
        let shipped = self.directory(parent)?;
        open_in(&shipped, file, &target)?.ok_or_else(|| format!("{} is a symbolic link", target.display()))
    }

    fn trust(&self, path: &Path, what: &FileStat) -> Result<(), String> {
        let path = path.display();
        if what.st_uid != self.owner {
            return Err(format!("{path} must belong to root, not to uid {}", what.st_uid));
        }
        if what.st_mode & 0o022 != 0 {
            return Err(format!(
                "{path} has mode {:04o}, so users other than root can write it; run `chmod go-w {path}`",
                what.st_mode & 0o7777
            ));
        }
        Ok(())
    }
}

/// Reads files that a person names, without checking owner and mode. A directory stands for its policy files.
pub(super) fn given(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let names = given_path(path).and_then(|directory| names(&directory, path, is_policy));
            files.extend(names.map_err(wrong)?.into_iter().map(|name| path.join(name)));
        } else {
            files.push(path.clone());
        }
    }
    given_files(&files)
}

/// Opens a directory that a person names. Symbolic links are followed.
fn given_path(path: &Path) -> Result<OwnedFd, String> {
    open(path, DIRECTORY_FLAGS - OFlag::O_NOFOLLOW, Mode::empty()).map_err(|errno| unusable(path, errno))
}

/// A file that a person names.
pub(super) fn given_file(path: &Path) -> Result<Source, Failure> {
    let bytes = open_named(path).and_then(|file| all_of(file, path, SOURCE)).map_err(wrong)?;
    Source::new(&path.display().to_string(), bytes).map_err(|problem| Failure::problems(&[problem]))
}

/// A warning for each file that is not read, in directories that a person names.
pub(super) fn given_unread(paths: &[PathBuf]) -> Result<Vec<String>, Failure> {
    let mut warnings = Vec::new();
    for path in paths.iter().filter(|path| path.is_dir()) {
        warnings.extend(given_path(path).and_then(|directory| unread(&directory, path)).map_err(wrong)?);
    }
    Ok(warnings)
}

fn unread(directory: &OwnedFd, path: &Path) -> Result<Vec<String>, String> {
    let names = names(directory, path, |name| !is_policy(name) && !is_test(name) && name != "." && name != "..")?;
    let warning = |name: &OsString| {
        let shown = path.join(name).display().to_string().escape_debug().to_string();
        let why = if name.as_bytes().starts_with(b".") { "begins with a dot" } else { "does not end in `.toml`" };
        format!("{shown}: warning: nothing reads this file, since its name {why}; rename it, or move it elsewhere")
    };
    Ok(names.iter().map(warning).collect())
}

/// Reads files that a person names, without checking owner and mode.
fn given_files(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    sources(paths.iter().map(|path| {
        let bytes = open_named(path).and_then(|file| all_of(file, path, SOURCE));
        (path.clone(), bytes)
    }))
}

/// The policy files of a directory and their tests, without checking owner and mode.
pub(super) fn given_directory(path: &Path) -> Result<Files, Failure> {
    let policy = given(&[path.to_owned()])?;
    let directory = given_path(path).map_err(wrong)?;
    let paths = names(&directory, path, is_test).map_err(wrong)?.into_iter().map(|name| path.join(name));
    Ok(Files { policy, tests: given_tests(&paths.collect::<Vec<_>>(), path)? })
}

/// Test files that a person names, for the policy of a directory.
pub(super) fn given_tests(paths: &[PathBuf], directory: &Path) -> Result<Vec<TestFile>, Failure> {
    let beside = |path: &PathBuf| directory.join(path.file_name().unwrap_or_default());
    Ok(given_files(paths)?.into_iter().zip(paths).map(|(source, path)| test_of(source, &beside(path))).collect())
}

/// `10-x.test.toml` has the tests of `10-x.toml`.
pub(super) fn test_of(source: Source, path: &Path) -> TestFile {
    TestFile { source, beside: path.with_extension("").with_extension("toml").display().to_string() }
}

fn wrong(why: String) -> Failure {
    Failure::Policy(vec![why])
}

/// All files as text, or all errors in them.
fn sources(files: impl Iterator<Item = (PathBuf, Result<Vec<u8>, String>)>) -> Result<Vec<Source>, Failure> {
    let (mut sources, mut wrong) = (Vec::new(), Vec::new());
    for (path, bytes) in files {
        match bytes.map(|bytes| Source::new(&path.display().to_string(), bytes)) {
            Ok(Ok(source)) => sources.push(source),
            Ok(Err(problem)) => wrong.push(problem.to_string()),
            Err(why) => wrong.push(why),
        }
    }
    if wrong.is_empty() { Ok(sources) } else { Err(Failure::Policy(wrong)) }
}

/// Whether a file with this name is policy. Tests, hidden files, and files that editors and package managers leave are
/// not.
pub(super) fn is_policy(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.ends_with(b".toml") && !name.ends_with(b".test.toml") && !name.starts_with(b".")
}

/// Whether a file with this name has tests.
pub(super) fn is_test(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.ends_with(b".test.toml") && !name.starts_with(b".")
}

/// The names in a directory that match, sorted.
pub(super) fn names(directory: &OwnedFd, path: &Path, wanted: fn(&OsStr) -> bool) -> Result<Vec<OsString>, String> {
    let mut listing =
        Dir::openat(directory, ".", DIRECTORY_FLAGS, Mode::empty()).map_err(|errno| unusable(path, errno))?;
    let mut names = Vec::new();
    for entry in listing.iter() {
        let entry = entry.map_err(|errno| unusable(path, errno))?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if wanted(name) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests;
