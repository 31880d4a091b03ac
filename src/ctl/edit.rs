// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl policy edit`: runs an editor on a private copy of a file. The copy replaces the file if the whole
//! policy is valid with it and passes its tests. Nothing is put in force.
#![forbid(unsafe_code)]

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use nix::fcntl::{AtFlags, readlinkat};
use nix::sys::stat::fstatat;
use nix::unistd::{Gid, Uid, fsync, mkdtemp};

use super::accounts::Accounts;

use super::files::{Files, INSTALLED, Tree, is_policy, is_test, test_of};
use super::read::{SOURCE, all_of, exists_in, open_named, unusable};
use super::replace::{Rights, replace};
use super::{Failure, policy, print, reason, require_root, tell, test};
use crate::policy::diagnostics::Source;
use crate::refusal::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The name of a policy or test file in /etc/netbroker/policy.d; it is created if it does not exist
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    require_root("edit the policy")?;
    let tree = Tree::system();
    let edited = Edited::open(&tree, &arguments.file)?;
    print(edited.edit(&|copy| with_editor(copy), &ask)?)?;
    Ok(Exit::Done.into())
}

/// What to do with an invalid copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Again,
    Stop,
}

/// A file of the policy, and its contents when the editing began.
struct Edited<'t> {
    tree: &'t Tree,
    directory: OwnedFd,
    path: PathBuf,
    /// `None` if the file does not exist yet.
    before: Option<Vec<u8>>,
}

/// A private copy, which is removed when this value is dropped.
struct Copy {
    directory: PathBuf,
    path: PathBuf,
}

fn refused(why: String) -> Failure {
    Failure::Message(Exit::Policy, why)
}

fn failed(what: &Path, error: &io::Error) -> Failure {
    Failure::Message(Exit::System, format!("{}: {}", what.display(), reason(error)))
}

/// The full file name for a name without an extension.
fn with_ending(file: &Path) -> String {
    match (file.extension(), file.file_name()) {
        (None, Some(_)) => format!("; did you mean `{}.toml`?", file.display()),
        _ => String::new(),
    }
}

impl<'t> Edited<'t> {
    fn open(tree: &'t Tree, file: &Path) -> Result<Self, Failure> {
        let name = file.file_name().filter(|name| is_policy(name) || is_test(name));
        let name = name.ok_or_else(|| {
            refused(format!("{} is neither *.toml nor *.test.toml{}", file.display(), with_ending(file)))
        })?;
        if file != Path::new(name) && file != Path::new(INSTALLED).join(name) {
            return Err(refused(format!("{} is not in {INSTALLED}", file.display())));
        }
        let directory = tree.directory(Path::new(INSTALLED)).map_err(refused)?;
        let path = Path::new(INSTALLED).join(name);
        if readlinkat(&directory, name).is_ok() {
            let why = "is a link to a shipped policy, which cannot be edited; write rules into a file of your own \
                       next to it";
            return Err(refused(format!("{} {why}", path.display())));
        }
        let mut edited = Self { tree, directory, path, before: None };
        edited.before = edited.now()?;
        Ok(edited)
    }

    fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }

    /// The current contents of the file.
    fn now(&self) -> Result<Option<Vec<u8>>, Failure> {
        if !exists_in(&self.directory, self.name()) {
            return Ok(None);
        }
        let file = self.tree.open_file(&self.directory, self.name(), &self.path).map_err(refused)?;
        all_of(file, &self.path, SOURCE).map(Some).map_err(refused)
    }

    /// Edits until the policy is valid or the user gives up, and returns the outcome.
    fn edit(
        &self,
        editor: &dyn Fn(&Path) -> Result<(), String>,
        ask: &dyn Fn(&Failure) -> Option<Choice>,
    ) -> Result<String, Failure> {
        let copy = Copy::make(self.tree, self.name(), self.before.as_deref().unwrap_or_default())?;
        loop {
            let ended = editor(&copy.path);
            let bytes = open_named(&copy.path).and_then(|file| all_of(file, &copy.path, SOURCE));
            let bytes = bytes.map_err(|why| copy.kept(Failure::Message(Exit::System, why), &self.path))?;
            if bytes == self.before.as_deref().unwrap_or_default() {
                copy.remove();
                let unchanged = format!("unchanged: {}", self.path.display());
                return ended.map(|()| unchanged).map_err(|why| Failure::Message(Exit::System, why));
            }
            let sound = ended.map_err(|why| Failure::Message(Exit::System, why)).and_then(|()| self.check(&bytes));
            let Err(failure) = sound else {
                self.put(&bytes).map_err(|failure| copy.kept(failure, &self.path))?;
                copy.remove();
                let path = self.path.display();
                return Ok(format!("edited: {path}; `netbrokerctl policy install` puts it in force"));
            };
            match ask(&failure) {
                Some(Choice::Again) => {}
                Some(Choice::Stop) => {
                    let why = format!("{} is unchanged; the copy is {}", self.path.display(), copy.path.display());
                    return Err(Failure::Message(failure.exit(), why));
                }
                None => return Err(copy.kept(failure, &self.path)),
            }
        }
    }

    /// Compiles and tests the whole policy with these bytes in place of the file.
    fn check(&self, bytes: &[u8]) -> Result<(), Failure> {
        let Files { mut policy, mut tests } = self.tree.files_but(Path::new(INSTALLED), self.name())?;
        let source = Source::new(&self.path.display().to_string(), bytes.to_vec());
        let source = source.map_err(|problem| Failure::problems(&[problem]))?;
        if is_test(self.name()) {
            tests.push(test_of(source, &self.path));
        } else {
            policy.push(source);
            policy.sort_by(|one, other| one.name.cmp(&other.name));
        }
        let files = Files { policy, tests };
        policy::compiled(&files.policy, &Accounts::Machine)?;
        test::passes(&files)
    }

    /// Replaces the file, if nobody else has changed it in the meantime.
    fn put(&self, bytes: &[u8]) -> Result<(), Failure> {
        if self.now()? != self.before {
            return Err(refused(format!("{} was changed by somebody else in the meantime", self.path.display())));
        }
        let what = fstatat(&self.directory, self.name(), AtFlags::AT_SYMLINK_NOFOLLOW).ok();
        let rights = Rights {
            owner: Uid::from_raw(self.tree.owner),
            group: what.map(|what| Gid::from_raw(what.st_gid)),
            mode: what.map_or(0o644, |what| what.st_mode & 0o755), // it is trusted, so others cannot write it
        };
        let system = |why| Failure::Message(Exit::System, why);
        replace(&self.directory, &self.path, bytes, rights).map_err(system)?;
        fsync(&self.directory).map_err(|errno| system(unusable(Path::new(INSTALLED), errno)))
    }
}

impl Copy {
    fn make(tree: &Tree, name: &OsStr, bytes: &[u8]) -> Result<Self, Failure> {
        let template = tree.top.join("run/netbrokerctl.XXXXXX");
        let directory = mkdtemp(&template).map_err(|errno| failed(&template, &errno.into()))?; // mode 0700
        let copy = Self { path: directory.join(name), directory };
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&copy.path);
        let written = file.and_then(|mut file| file.write_all(bytes));
        written.map_err(|error| failed(&copy.path, &error))?;
        Ok(copy)
    }

    /// Removes the copy, and what an editor left next to it.
    fn remove(&self) {
        let _ = fs::remove_dir_all(&self.directory); // root's own, and gone with the next start of the machine
    }

    /// The failure, and the place of the edited copy.
    fn kept(&self, failure: Failure, path: &Path) -> Failure {
        let kept = format!("{} is unchanged; the copy is {}", path.display(), self.path.display());
        match failure {
            Failure::Policy(mut lines) => {
                lines.push(format!("netbrokerctl: {kept}"));
                Failure::Policy(lines)
            }
            Failure::Message(exit, why) => Failure::Message(exit, format!("{why}; {kept}")),
            Failure::Closed => Failure::Closed,
        }
    }
}

/// Runs `$VISUAL`, `$EDITOR` or `editor`. The command is split at spaces; no shell is used.
fn with_editor(copy: &Path) -> Result<(), String> {
    let said = ["VISUAL", "EDITOR"].into_iter().filter_map(env::var_os).find(|editor| !editor.is_empty());
    let editor = said.unwrap_or_else(|| OsString::from("editor"));
    let Some(line) = editor.to_str() else { return Err("$VISUAL or $EDITOR is not valid UTF-8".to_owned()) };
    let mut words = line.split_whitespace();
    let program = words.next().unwrap_or("editor");
    match Command::new(program).args(words).arg(copy).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the editor `{program}` failed ({status})")),
        Err(error) => Err(format!("`{program}` cannot be started: {}; set EDITOR", reason(&error))),
    }
}

/// Reports the errors and asks at the terminal whether to continue; `None` if there is no terminal.
fn ask(failure: &Failure) -> Option<Choice> {
    if !io::stdin().is_terminal() {
        return None;
    }
    tell(failure);
    loop {
        let _ = write!(io::stderr(), "edit again (e), or stop and keep the copy (q)? ");
        let mut line = String::new();
        match io::stdin().lock().read_line(&mut line) {
            Ok(0) | Err(_) => return Some(Choice::Stop),
            Ok(_) => match line.trim() {
                "e" | "" => return Some(Choice::Again),
                "q" => return Some(Choice::Stop),
                _ => {}
            },
        }
    }
}

#[cfg(test)]
mod tests;
