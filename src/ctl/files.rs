// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The files of a policy. What is installed must have been written by root alone: every directory from `/` on and every
//! file is checked on the descriptor that is then used, so that nobody can put another thing there in between.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstatat};

use super::Failure;
use super::read::{SOURCE, all_of, file_state, open_in, open_named, unusable};
use crate::policy::diagnostics::Source;
use crate::policy::testing::TestFile;

/// Where people write the policy.
pub(super) const INSTALLED: &str = "/etc/netbroker/policy.d";
/// Where shipped policies lie; only here may a link lead.
pub(super) const SHIPPED: &str = "/usr/share/netbroker/policies";

/// The files of one directory: the policy, and the tests beside it.
#[derive(Debug, Clone)]
pub(super) struct Files {
    pub(super) policy: Vec<Source>,
    pub(super) tests: Vec<TestFile>,
}

/// A file tree and who must own what is trusted in it: the whole system and root, but for tests.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) top: PathBuf,
    pub(super) owner: u32,
}

impl Tree {
    pub(super) fn system() -> Self {
        Self { top: PathBuf::from("/"), owner: 0 }
    }

    /// Opens a directory, each component of its path checked.
    pub(super) fn directory(&self, path: &Path) -> Result<OwnedFd, String> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut at = PathBuf::from("/");
        let mut directory = open(&self.top, flags, Mode::empty()).map_err(|errno| unusable(&at, errno))?;
        self.trust(&at, &file_state(&directory, &at)?)?;
        for component in path.components() {
            let name = match component {
                Component::RootDir => continue,
                Component::Normal(name) => name,
                _ => return Err(format!("{}: write the path from `/` on, without `..`", path.display())),
            };
            at.push(name);
            directory = openat(&directory, name, flags, Mode::empty()).map_err(|errno| unusable(&at, errno))?;
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

    /// A warning for each file of a directory that nobody reads.
    pub(super) fn unread(&self, path: &Path) -> Result<Vec<String>, String> {
        unread(&self.directory(path)?, path)
    }

    /// All policy files of a directory and their tests; those of a shipped policy lie where it lies.
    pub(super) fn files(&self, path: &Path) -> Result<Files, Failure> {
        self.files_but(path, OsStr::new(""))
    }

    /// The same without the file of this name, which is not even read.
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

    /// The tests that ship beside what a link leads to.
    fn shipped_tests(&self, directory: &OwnedFd, link: &Path) -> Result<Option<TestFile>, Failure> {
        let Ok(target) = readlinkat(directory, link.file_name().unwrap_or_default()) else { return Ok(None) };
        let shipped = self.directory(Path::new(SHIPPED)).map_err(wrong)?;
        let test = Path::new(SHIPPED).join(Path::new(&target).file_name().unwrap_or_default());
        let test = test.with_extension("test.toml");
        let there = fstatat(&shipped, test.file_name().unwrap_or_default(), AtFlags::AT_SYMLINK_NOFOLLOW);
        if there == Err(Errno::ENOENT) {
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

    /// Follows a link of the owner's to a shipped policy, and no other.
    fn open_shipped(&self, directory: &OwnedFd, name: &OsStr, shown: &Path) -> Result<OwnedFd, String> {
        let link = fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW).map_err(|errno| unusable(shown, errno))?;
        let target = PathBuf::from(readlinkat(directory, name).map_err(|errno| unusable(shown, errno))?);
        let (Some(parent), Some(file)) = (target.parent(), target.file_name()) else {
            return Err(format!("{} is a symbolic link to nothing", shown.display()));
        };
        // Compared as text: `..` and a second slash lead there too, but not only there.
        let plain = target.as_os_str() == Path::new(SHIPPED).join(file).as_os_str() && is_policy(file);
        if !plain || link.st_uid != self.owner {
            return Err(format!(
                "{} is a symbolic link; only links of root's to {SHIPPED}/NAME.toml are followed",
                shown.display()
            ));
        }
        let shipped = self.directory(parent)?;
        open_in(&shipped, file, &target)?.ok_or_else(|| format!("{} is a symbolic link", target.display()))
    }

    fn trust(&self, path: &Path, what: &FileStat) -> Result<(), String> {
        let path = path.display();
        if what.st_uid != self.owner {
            return Err(format!("{path} belongs to uid {}, not to root", what.st_uid));
        }
        if what.st_mode & 0o022 != 0 {
            return Err(format!("{path} has mode {:04o}: others than root may write it", what.st_mode & 0o7777));
        }
        Ok(())
    }
}

/// Files that a person names, as they are: a check of their text. A directory stands for its policy files.
pub(super) fn given(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let list = || {
                let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
                let directory = open(path, flags, Mode::empty()).map_err(|errno| unusable(path, errno))?;
                names(&directory, path, is_policy)
            };
            files.extend(list().map_err(wrong)?.into_iter().map(|name| path.join(name)));
        } else {
            files.push(path.clone());
        }
    }
    given_files(&files)
}

/// A file that a person names.
pub(super) fn given_file(path: &Path) -> Result<Source, Failure> {
    let bytes = open_named(path).and_then(|file| all_of(file, path, SOURCE)).map_err(wrong)?;
    Source::new(&path.display().to_string(), bytes).map_err(|problem| Failure::problems(&[problem]))
}

/// A warning for each file in directories that a person names which nobody reads.
pub(super) fn given_unread(paths: &[PathBuf]) -> Result<Vec<String>, Failure> {
    let mut warnings = Vec::new();
    for path in paths.iter().filter(|path| path.is_dir()) {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = open(path, flags, Mode::empty()).map_err(|errno| wrong(unusable(path, errno)))?;
        warnings.extend(unread(&directory, path).map_err(wrong)?);
    }
    Ok(warnings)
}

fn unread(directory: &OwnedFd, path: &Path) -> Result<Vec<String>, String> {
    let names = names(directory, path, |name| !is_policy(name) && !is_test(name) && name != "." && name != "..")?;
    let warning = |name: &OsString| {
        let shown = path.join(name).display().to_string().escape_debug().to_string();
        let why = if name.as_bytes().starts_with(b".") { "begins with a dot" } else { "does not end in `.toml`" };
        format!("warning: {shown}: nothing reads this file, since its name {why}; rename it, or move it elsewhere")
    };
    Ok(names.iter().map(warning).collect())
}

/// Files that a person names, each of them one file.
fn given_files(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    sources(paths.iter().map(|path| {
        let bytes = open_named(path).and_then(|file| all_of(file, path, SOURCE));
        (path.clone(), bytes)
    }))
}

/// The policy files of a directory and the tests beside them, as they are.
pub(super) fn given_directory(path: &Path) -> Result<Files, Failure> {
    let policy = given(&[path.to_owned()])?;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let directory = open(path, flags, Mode::empty()).map_err(|errno| wrong(unusable(path, errno)))?;
    let paths = names(&directory, path, is_test).map_err(wrong)?.into_iter().map(|name| path.join(name));
    Ok(Files { policy, tests: given_tests(&paths.collect::<Vec<_>>(), path)? })
}

/// Test files that a person names, for the policy of a directory.
pub(super) fn given_tests(paths: &[PathBuf], directory: &Path) -> Result<Vec<TestFile>, Failure> {
    let beside = |path: &PathBuf| directory.join(path.file_name().unwrap_or_default());
    Ok(given_files(paths)?.into_iter().zip(paths).map(|(source, path)| test_of(source, &beside(path))).collect())
}

/// `10-x.test.toml` lies beside `10-x.toml`.
pub(super) fn test_of(source: Source, path: &Path) -> TestFile {
    TestFile { source, beside: path.with_extension("").with_extension("toml").display().to_string() }
}

fn wrong(why: String) -> Failure {
    Failure::Policy(vec![why])
}

/// All files as text, or everything that is wrong with them.
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

/// Whether a file of this name is policy: tests, hidden files and what editors and packagers leave behind are not.
pub(super) fn is_policy(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.ends_with(b".toml") && !name.ends_with(b".test.toml") && !name.starts_with(b".")
}

/// Whether a file of this name holds tests.
pub(super) fn is_test(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.ends_with(b".test.toml") && !name.starts_with(b".")
}

/// The names in a directory that are wanted, sorted.
pub(super) fn names(directory: &OwnedFd, path: &Path, wanted: fn(&OsStr) -> bool) -> Result<Vec<OsString>, String> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut listing = Dir::openat(directory, ".", flags, Mode::empty()).map_err(|errno| unusable(path, errno))?;
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
