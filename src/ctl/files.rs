// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The files of a policy. What is installed must have been written by root alone: every directory from `/` on and every
//! file is checked on the descriptor that is then used, so that nobody can put another thing there in between.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};

use super::Failure;
use crate::policy::diagnostics::Source;

/// Where people write the policy.
pub(super) const INSTALLED: &str = "/etc/netbroker/policy.d";
/// Where shipped policies lie; only here may a link lead.
const SHIPPED: &str = "/usr/share/netbroker/policies";

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
        self.trust(&at, &of(&directory, &at)?)?;
        for component in path.components() {
            let name = match component {
                Component::RootDir => continue,
                Component::Normal(name) => name,
                _ => return Err(format!("{}: write the path from `/` on, without `..`", path.display())),
            };
            at.push(name);
            directory = openat(&directory, name, flags, Mode::empty()).map_err(|errno| unusable(&at, errno))?;
            self.trust(&at, &of(&directory, &at)?)?;
        }
        Ok(directory)
    }

    /// All policy files of a directory, sorted by name.
    pub(super) fn policy(&self, path: &Path) -> Result<Vec<Source>, Failure> {
        let directory = self.directory(path).map_err(|why| Failure::Policy(vec![why]))?;
        let names = names(&directory, path).map_err(|why| Failure::Policy(vec![why]))?;
        sources(names.iter().map(|name| {
            let shown = path.join(name);
            let bytes = self.open_file(&directory, name, &shown).and_then(|file| all_of(file, &shown));
            (shown, bytes)
        }))
    }

    fn open_file(&self, directory: &OwnedFd, name: &OsStr, shown: &Path) -> Result<OwnedFd, String> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = match openat(directory, name, flags, Mode::empty()) {
            Err(Errno::ELOOP) => self.open_shipped(directory, name, shown)?,
            opened => opened.map_err(|errno| unusable(shown, errno))?,
        };
        let what = of(&file, shown)?;
        if !is(&what, SFlag::S_IFREG) {
            return Err(format!("{} is no regular file", shown.display()));
        }
        self.trust(shown, &what)?;
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
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        openat(&shipped, file, flags, Mode::empty()).map_err(|errno| unusable(&target, errno))
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
                names(&directory, path)
            };
            files.extend(list().map_err(|why| Failure::Policy(vec![why]))?.into_iter().map(|name| path.join(name)));
        } else {
            files.push(path.clone());
        }
    }
    sources(files.into_iter().map(|path| {
        let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()));
        let bytes = file.and_then(|file| all_of(file.into(), &path));
        (path, bytes)
    }))
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
fn is_policy(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.ends_with(b".toml") && !name.ends_with(b".test.toml") && !name.starts_with(b".")
}

fn names(directory: &OwnedFd, path: &Path) -> Result<Vec<OsString>, String> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut listing = Dir::openat(directory, ".", flags, Mode::empty()).map_err(|errno| unusable(path, errno))?;
    let mut names = Vec::new();
    for entry in listing.iter() {
        let entry = entry.map_err(|errno| unusable(path, errno))?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if is_policy(name) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn all_of(file: OwnedFd, path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    File::from(file).read_to_end(&mut bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(bytes)
}

/// The state of what is open.
pub(super) fn of(file: impl AsFd, path: &Path) -> Result<FileStat, String> {
    fstat(file).map_err(|errno| unusable(path, errno))
}

pub(super) fn is(what: &FileStat, ty: SFlag) -> bool {
    what.st_mode & SFlag::S_IFMT.bits() == ty.bits()
}

pub(super) fn unusable(path: &Path, errno: Errno) -> String {
    match errno {
        Errno::ELOOP | Errno::ENOTDIR => format!("{} is a symbolic link or no directory", path.display()),
        other => format!("{}: {}", path.display(), other.desc()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::machine::Machine;
    use super::*;

    const EMPTY: &str = "# no rule\n";

    fn names(machine: &Machine) -> Result<Vec<String>, Vec<String>> {
        match machine.tree.policy(Path::new(INSTALLED)) {
            Ok(sources) => Ok(sources.into_iter().map(|source| source.name).collect()),
            Err(Failure::Policy(wrong)) => Err(wrong),
            Err(other) => panic!("{other:?}"),
        }
    }

    fn refused(machine: &Machine, start: &str) {
        let wrong = names(machine).unwrap_err();
        assert!(wrong.len() == 1 && wrong[0].starts_with(start), "{wrong:?}");
    }

    #[test]
    fn policy_is_what_ends_in_toml_sorted_by_name() {
        let machine = Machine::new();
        for name in
            ["20-b.toml", "10-a.toml", "10-a.test.toml", ".hidden.toml", "30.toml~", "README", "x.toml.dpkg-old"]
        {
            machine.write(&format!("{INSTALLED}/{name}"), EMPTY);
        }
        let expected = ["10-a.toml", "20-b.toml"].map(|name| format!("{INSTALLED}/{name}"));
        assert_eq!(names(&machine).unwrap(), expected);
        let given = given(&[machine.path(INSTALLED)]).unwrap();
        assert_eq!(given.len(), 2);
        assert_eq!(given[0].text, EMPTY);
    }

    #[test]
    fn a_path_that_others_may_write_refuses_all() {
        let machine = Machine::new();
        let file = format!("{INSTALLED}/a.toml");
        machine.write(&file, EMPTY);
        for path in ["/", "/etc", "/etc/netbroker", INSTALLED, &file] {
            for (wrong, right) in [(0o775, 0o755), (0o757, 0o755), (0o1777, 0o755)] {
                machine.mode(path, wrong);
                refused(&machine, &format!("{path} has mode {wrong:04o}: others than root may write it"));
                machine.mode(path, right);
            }
        }
        assert!(names(&machine).is_ok());
        let stranger = Tree { owner: machine.tree.owner + 1, ..machine.tree.clone() };
        assert!(stranger.directory(Path::new("/etc")).unwrap_err().contains("not to root"));
    }

    #[test]
    fn a_link_on_the_way_refuses_all() {
        for path in ["/etc", "/etc/netbroker", INSTALLED] {
            let machine = Machine::new();
            fs::rename(machine.path(path), machine.path("/moved")).unwrap();
            machine.link(machine.path("/moved").to_str().unwrap(), path);
            refused(&machine, &format!("{path} is a symbolic link or no directory"));
        }
    }

    #[test]
    fn only_a_link_to_a_shipped_policy_is_followed() {
        let machine = Machine::new();
        let link = format!("{INSTALLED}/a.toml");
        machine.write("/usr/share/netbroker/policies/l3.toml", "# shipped\n");
        machine.write("/usr/share/netbroker/other.toml", EMPTY);
        machine.link("/usr/share/netbroker/policies/l3.toml", &link);
        assert_eq!(machine.tree.policy(Path::new(INSTALLED)).unwrap()[0].text, "# shipped\n");
        machine.mode("/usr/share/netbroker/policies/l3.toml", 0o664);
        refused(&machine, &format!("{link} has mode 0664"));
        machine.mode("/usr/share/netbroker/policies/l3.toml", 0o644);
        machine.mode("/usr/share", 0o777);
        refused(&machine, "/usr/share has mode 0777");
        machine.mode("/usr/share", 0o755);
        for target in [
            "/usr/share/netbroker/other.toml",
            "/usr/share/netbroker/policies/../other.toml",
            "/usr/share/netbroker//policies/l3.toml",
            "../../../usr/share/netbroker/policies/l3.toml",
            "/usr/share/netbroker/policies/l3.test.toml",
            "/usr/share/netbroker/policies/..",
            "/",
        ] {
            fs::remove_file(machine.path(&link)).unwrap();
            machine.link(target, &link);
            refused(&machine, &format!("{link} is a symbolic link"));
        }
        fs::remove_file(machine.path(&link)).unwrap();
        machine.link("/usr/share/netbroker/policies/absent.toml", &link);
        refused(&machine, "/usr/share/netbroker/policies/absent.toml: ");
        machine.link("/usr/share/netbroker/policies/l3.toml", "/usr/share/netbroker/policies/absent.toml");
        refused(&machine, "/usr/share/netbroker/policies/absent.toml is a symbolic link");
    }

    #[test]
    fn everything_that_is_wrong_with_files_is_told_at_once() {
        let machine = Machine::new();
        fs::create_dir(machine.path(&format!("{INSTALLED}/a.toml"))).unwrap();
        machine.write(&format!("{INSTALLED}/b.toml"), b"x = \"\xff\"\n");
        machine.write(&format!("{INSTALLED}/c.toml"), EMPTY);
        let wrong = names(&machine).unwrap_err();
        assert_eq!(wrong.len(), 2);
        assert!(wrong[0].ends_with("a.toml is no regular file"));
        assert!(wrong[1].contains("b.toml:1:6: this byte is no UTF-8"));
    }
}
