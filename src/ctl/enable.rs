// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl policy enable` and `disable`: adds and removes the link to a shipped policy. Neither puts anything in
//! force.
#![forbid(unsafe_code)]

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::errno::Errno;
use nix::fcntl::readlinkat;
use nix::unistd::{UnlinkatFlags, fsync, symlinkat, unlinkat};

use super::accounts::Accounts;
use super::files::{INSTALLED, SHIPPED, Tree, is_policy, names};
use super::read::{exists_in, unusable};
use super::state::system_group;
use super::{Failure, policy, print, require_root, tell_line};
use crate::policy::warnings::Warning;
use crate::refusal::{Exit, describe};

/// What remains to be done.
const INSTALL: &str = "`netbrokerctl policy install` puts it in force";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The name of a shipped policy, such as `neutron-l3`
    #[arg(value_name = "NAME")]
    name: String,
}

pub(super) fn enable(arguments: &Arguments) -> Result<ExitCode, Failure> {
    require_root("enable a policy")?;
    let tree = Tree::system();
    print(link(&tree, &arguments.name)?)?;
    missing(&tree).iter().for_each(tell_line);
    Ok(Exit::Done.into())
}

pub(super) fn disable(arguments: &Arguments) -> Result<ExitCode, Failure> {
    require_root("disable a policy")?;
    print(unlink(&Tree::system(), &arguments.name)?)?;
    Ok(Exit::Done.into())
}

/// What the policy still needs before it can be installed, and its callers before they can make calls. A policy can be
/// enabled without it.
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
        missing.insert(0, "netbrokerctl: before it can be installed:".to_owned());
    }
    missing
}

/// The name of the file; `10-x` and `10-x.toml` mean the same.
fn file_of(name: &str) -> Result<String, Failure> {
    let file = format!("{}.toml", name.strip_suffix(".toml").unwrap_or(name));
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if is_policy(OsStr::new(&file)) && file.bytes().all(plain) {
        return Ok(file);
    }
    Err(refused(format!(
        "`{}` is not the name of a policy, which consists of letters, digits, `-`, `_` and `.`",
        name.escape_debug()
    )))
}

fn refused(why: String) -> Failure {
    Failure::Message(Exit::Policy, why)
}

fn link(tree: &Tree, name: &str) -> Result<String, Failure> {
    let file = file_of(name)?;
    let (link, target) = (Path::new(INSTALLED).join(&file), Path::new(SHIPPED).join(&file));
    let shipped = tree.directory(Path::new(SHIPPED)).map_err(refused)?;
    if !exists_in(&shipped, file.as_ref()) {
        return Err(refused(none_such(name, &shipped)));
    }
    tree.open_file(&shipped, OsStr::new(&file), &target).map_err(refused)?;
    if readlinkat(&shipped, file.as_str()).is_ok() {
        return Err(refused(format!("{} is a symbolic link", target.display())));
    }
    let directory = tree.directory(Path::new(INSTALLED)).map_err(refused)?;
    match symlinkat(&target, &directory, file.as_str()) {
        Err(Errno::EEXIST) if leads(&directory, &file).as_ref() == Some(&target) => {
            Err(refused(format!("{} is already enabled; {INSTALL}", link.display())))
        }
        Err(Errno::EEXIST) => {
            Err(refused(format!("{} already exists and is not a link to this policy", link.display())))
        }
        Err(errno) => Err(Failure::Message(Exit::System, unusable(&link, errno))),
        Ok(()) => {
            settle(&directory)?;
            Ok(format!("enabled: {} -> {}; {INSTALL}", link.display(), target.display()))
        }
    }
}

/// The error for a name that is not a shipped policy, with the names of those that are.
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
        Err(Errno::ENOENT) => return Err(refused(format!("{} does not exist", link.display()))),
        Err(Errno::EINVAL) => {
            return Err(refused(format!(
                "{} is not a link to a shipped policy, but a file of this machine's own",
                link.display()
            )));
        }
        Err(errno) => return Err(refused(unusable(&link, errno))),
        Ok(_) if leads(&directory, &file).is_some_and(|target| target.parent() == Some(Path::new(SHIPPED))) => {}
        Ok(_) => return Err(refused(format!("{} does not lead to a shipped policy", link.display()))),
    }
    unlinkat(&directory, file.as_str(), UnlinkatFlags::NoRemoveDir)
        .map_err(|errno| Failure::Message(Exit::System, unusable(&link, errno)))?;
    settle(&directory)?;
    Ok(format!("disabled: {}; `netbrokerctl policy install` puts the other files in force", link.display()))
}

fn leads(directory: &OwnedFd, file: &str) -> Option<PathBuf> {
    readlinkat(directory, file).ok().map(PathBuf::from)
}

fn settle(directory: &OwnedFd) -> Result<(), Failure> {
    fsync(directory).map_err(|errno| {
        Failure::Message(Exit::System, format!("done, but {INSTALLED} cannot be written to disk: {}", describe(errno)))
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
        assert!(why(link(&machine.tree, "l3.toml")).contains("is already enabled"));
        assert!(unlink(&machine.tree, "l3").unwrap().starts_with(&format!("disabled: {LINK}; ")));
        assert!(machine.names(INSTALLED).is_empty());
        assert!(why(unlink(&machine.tree, "l3")).ends_with("does not exist"));
    }

    #[test]
    fn what_is_there_stays() {
        let machine = shipped();
        machine.write(LINK, "# own\n");
        assert!(why(link(&machine.tree, "l3")).contains("already exists"));
        assert!(why(unlink(&machine.tree, "l3")).contains("file of this machine's own"));
        assert_eq!(fs::read_to_string(machine.path(LINK)).unwrap(), "# own\n");
        fs::remove_file(machine.path(LINK)).unwrap();
        machine.link("/etc/passwd", LINK);
        assert!(why(link(&machine.tree, "l3")).contains("already exists"));
        assert!(why(unlink(&machine.tree, "l3")).contains("does not lead to a shipped policy"));
        assert_eq!(machine.names(INSTALLED), ["l3.toml"]);
    }

    #[test]
    fn what_is_absent_or_not_trusted_is_not_enabled() {
        let machine = shipped();
        for name in ["", "../l3", "a/b", ".l3", "l3.test", "l 3", "ä", "\u{1b}"] {
            assert!(why(link(&machine.tree, name)).contains("is not the name of a policy"), "{name}");
        }
        assert_eq!(why(link(&machine.tree, "dhcp")), format!("{SHIPPED} holds no policy `dhcp`; it holds `l3`"));
        machine.link(L3, "/usr/share/netbroker/policies/other.toml");
        assert!(why(link(&machine.tree, "other")).contains("is a symbolic link"));
        machine.mode(L3, 0o664);
        assert!(why(link(&machine.tree, "l3")).contains("users other than root can write it"));
        machine.mode(L3, 0o644);
        for directory in [SHIPPED, INSTALLED] {
            machine.mode(directory, 0o777);
            assert!(why(link(&machine.tree, "l3")).contains("users other than root can write it"));
            machine.mode(directory, 0o755);
        }
        assert!(machine.names(INSTALLED).is_empty());
    }
}
