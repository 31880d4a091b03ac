// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl policy enable` and `disable`: the link by which a shipped policy becomes part of the machine's.
//! Neither puts anything in force.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, readlinkat};
use nix::sys::stat::fstatat;
use nix::unistd::{UnlinkatFlags, fsync, geteuid, symlinkat, unlinkat};

use super::accounts::Accounts;
use super::files::{INSTALLED, SHIPPED, Tree, is_policy, names};
use super::read::unusable;
use super::state::system_group;
use super::{Failure, policy, print, tell_line};
use crate::policy::warnings::Warning;
use crate::refusal::Exit;

/// What remains to be done.
const INSTALL: &str = "`netbrokerctl policy install` puts it in force";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The name of a shipped policy, like `neutron-l3`
    #[arg(value_name = "NAME")]
    name: String,
}

pub(super) fn enable(arguments: &Arguments) -> Result<ExitCode, Failure> {
    root("enable a policy")?;
    let tree = Tree::system();
    print(link(&tree, &arguments.name)?)?;
    missing(&tree).iter().for_each(tell_line);
    Ok(Exit::Done.into())
}

pub(super) fn disable(arguments: &Arguments) -> Result<ExitCode, Failure> {
    root("disable a policy")?;
    print(unlink(&Tree::system(), &arguments.name)?)?;
    Ok(Exit::Done.into())
}

/// What the policy still needs before it can be installed, and its callers before they can call. Nothing of that keeps a
/// policy from being enabled.
fn missing(tree: &Tree) -> Vec<String> {
    let compiled = tree.policy(Path::new(INSTALLED)).and_then(|sources| policy::compiled(&sources, &Accounts::Machine));
    let mut missing = match compiled {
        Ok(policy) => policy::strangers(&policy, &Accounts::Machine).iter().map(Warning::to_string).collect(),
        Err(Failure::Policy(problems)) => problems,
        Err(Failure::Message(_, why)) => vec![why],
        Err(Failure::Closed) => Vec::new(),
    };
    missing.extend(system_group(tree).err());
    if !missing.is_empty() {
        missing.insert(0, "netbrokerctl: still missing:".to_owned());
    }
    missing
}

/// Refuses whoever is not root.
pub(super) fn root(what: &str) -> Result<(), Failure> {
    if geteuid().is_root() {
        return Ok(());
    }
    Err(Failure::Message(Exit::NotPrivileged, format!("only root can {what}")))
}

/// The name of the file; `10-x` and `10-x.toml` mean the same.
fn file_of(name: &str) -> Result<String, Failure> {
    let file = format!("{}.toml", name.strip_suffix(".toml").unwrap_or(name));
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if is_policy(OsStr::new(&file)) && file.bytes().all(plain) {
        return Ok(file);
    }
    Err(refused(format!("`{}` is no name of a policy: letters, digits, `-`, `_` and `.`", name.escape_debug())))
}

fn refused(why: String) -> Failure {
    Failure::Message(Exit::Policy, why)
}

fn link(tree: &Tree, name: &str) -> Result<String, Failure> {
    let file = file_of(name)?;
    let (link, target) = (Path::new(INSTALLED).join(&file), Path::new(SHIPPED).join(&file));
    let shipped = tree.directory(Path::new(SHIPPED)).map_err(refused)?;
    if fstatat(&shipped, file.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW) == Err(Errno::ENOENT) {
        return Err(refused(none_such(name, &shipped)));
    }
    tree.open_file(&shipped, OsStr::new(&file), &target).map_err(refused)?;
    if readlinkat(&shipped, file.as_str()).is_ok() {
        return Err(refused(format!("{} is a symbolic link", target.display())));
    }
    let directory = tree.directory(Path::new(INSTALLED)).map_err(refused)?;
    match symlinkat(&target, &directory, file.as_str()) {
        Err(Errno::EEXIST) if leads(&directory, &file).as_ref() == Some(&target) => {
            Err(refused(format!("{} is enabled already; {INSTALL}", link.display())))
        }
        Err(Errno::EEXIST) => Err(refused(format!("{} is there already, and something else", link.display()))),
        Err(errno) => Err(Failure::Message(Exit::System, unusable(&link, errno))),
        Ok(()) => {
            settle(&directory)?;
            Ok(format!("enabled: {} -> {}; {INSTALL}", link.display(), target.display()))
        }
    }
}

/// That no such policy ships, and which do.
fn none_such(name: &str, shipped: &OwnedFd) -> String {
    let files = names(shipped, Path::new(SHIPPED), is_policy).unwrap_or_default();
    let named = |file: &OsString| format!("`{}`", file.to_string_lossy().trim_end_matches(".toml").escape_debug());
    let these = files.iter().map(named).collect::<Vec<_>>().join(", ");
    format!("{SHIPPED} holds no policy `{name}`; it holds {}", if files.is_empty() { "none" } else { &these })
}

fn unlink(tree: &Tree, name: &str) -> Result<String, Failure> {
    let file = file_of(name)?;
    let link = Path::new(INSTALLED).join(&file);
    let directory = tree.directory(Path::new(INSTALLED)).map_err(refused)?;
    match readlinkat(&directory, file.as_str()) {
        Err(Errno::ENOENT) => return Err(refused(format!("{} is not there", link.display()))),
        Err(Errno::EINVAL) => {
            return Err(refused(format!("{} is no link to a shipped policy, but the machine's own", link.display())));
        }
        Err(errno) => return Err(refused(unusable(&link, errno))),
        Ok(_) if leads(&directory, &file).is_some_and(|target| target.parent() == Some(Path::new(SHIPPED))) => {}
        Ok(_) => return Err(refused(format!("{} leads to no shipped policy", link.display()))),
    }
    unlinkat(&directory, file.as_str(), UnlinkatFlags::NoRemoveDir)
        .map_err(|errno| Failure::Message(Exit::System, unusable(&link, errno)))?;
    settle(&directory)?;
    Ok(format!("disabled: {}; `netbrokerctl policy install` puts what is left in force", link.display()))
}

fn leads(directory: &OwnedFd, file: &str) -> Option<PathBuf> {
    readlinkat(directory, file).ok().map(PathBuf::from)
}

fn settle(directory: &OwnedFd) -> Result<(), Failure> {
    fsync(directory).map_err(|errno| {
        Failure::Message(Exit::System, format!("done, but {INSTALLED} cannot be written to disk: {}", errno.desc()))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::machine::Machine;
    use super::*;

    const L3: &str = "/usr/share/netbroker/policies/l3.toml";
    const LINK: &str = "/etc/netbroker/policy.d/l3.toml";

    fn shipped() -> Machine {
        let machine = Machine::new();
        machine.write(L3, "# l3\n");
        machine
    }

    fn why(ended: Result<String, Failure>) -> String {
        match ended {
            Err(Failure::Message(Exit::Policy, why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_shipped_policy_comes_and_goes_by_a_link() {
        let machine = shipped();
        let said = link(&machine.tree, "l3").unwrap();
        assert!(said.starts_with(&format!("enabled: {LINK} -> {L3}; ")) && said.contains("policy install"), "{said}");
        assert_eq!(fs::read_link(machine.path(LINK)).unwrap(), Path::new(L3));
        assert_eq!(machine.tree.policy(Path::new(INSTALLED)).unwrap()[0].text, "# l3\n");
        assert!(why(link(&machine.tree, "l3.toml")).contains("is enabled already"));
        assert!(unlink(&machine.tree, "l3").unwrap().starts_with(&format!("disabled: {LINK}; ")));
        assert!(machine.names(INSTALLED).is_empty());
        assert!(why(unlink(&machine.tree, "l3")).ends_with("is not there"));
    }

    #[test]
    fn what_is_there_stays() {
        let machine = shipped();
        machine.write(LINK, "# own\n");
        assert!(why(link(&machine.tree, "l3")).contains("is there already"));
        assert!(why(unlink(&machine.tree, "l3")).contains("the machine's own"));
        assert_eq!(fs::read_to_string(machine.path(LINK)).unwrap(), "# own\n");
        fs::remove_file(machine.path(LINK)).unwrap();
        machine.link("/etc/passwd", LINK);
        assert!(why(link(&machine.tree, "l3")).contains("is there already"));
        assert!(why(unlink(&machine.tree, "l3")).contains("leads to no shipped policy"));
        assert_eq!(machine.names(INSTALLED), ["l3.toml"]);
    }

    #[test]
    fn what_is_absent_or_not_trusted_is_not_enabled() {
        let machine = shipped();
        for name in ["", "../l3", "a/b", ".l3", "l3.test", "l 3", "ä", "\u{1b}"] {
            assert!(why(link(&machine.tree, name)).contains("is no name of a policy"), "{name}");
        }
        assert_eq!(why(link(&machine.tree, "dhcp")), format!("{SHIPPED} holds no policy `dhcp`; it holds `l3`"));
        machine.link(L3, "/usr/share/netbroker/policies/other.toml");
        assert!(why(link(&machine.tree, "other")).contains("is a symbolic link"));
        machine.mode(L3, 0o664);
        assert!(why(link(&machine.tree, "l3")).contains("others than root may write it"));
        machine.mode(L3, 0o644);
        for directory in [SHIPPED, INSTALLED] {
            machine.mode(directory, 0o777);
            assert!(why(link(&machine.tree, "l3")).contains("others than root may write it"));
            machine.mode(directory, 0o755);
        }
        assert!(machine.names(INSTALLED).is_empty());
    }
}
