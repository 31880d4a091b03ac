// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl policy install`: puts a policy in force in one atomic step. Whatever goes wrong before that step leaves
//! the policy that was in force as it was.
#![forbid(unsafe_code)]

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, fchmod, mkdirat};
use nix::unistd::{Gid, Uid, fchown, fsync, geteuid};

use super::files::{INSTALLED, Tree};
use super::read::{COMPILED, all_of, file_state, open_in, unusable};
use super::replace::{Rights, replace};
use super::{Failure, names, policy, print, reason, test, warn};
use crate::policy::compile::Policy;
use crate::policy::compiled::Compiled;
use crate::refusal::Exit;
use crate::stage::netns::DIRECTORY;

/// What the broker reads.
pub(super) const FILE: &str = "policy";
/// Where it lies.
pub(super) const STATE: &str = "/var/lib/netbroker";
/// Its owner and group say who the broker becomes.
const RUN: &str = "/run/netbroker";
/// Nobody (`overflowuid`) and -1.
const NO_SYSTEM_USER: [u32; 3] = [0, 65534, u32::MAX];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The directory with the policy's files
    #[arg(long, value_name = "DIR", default_value = INSTALLED)]
    directory: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if !geteuid().is_root() {
        let message = "only root can install a policy; `netbrokerctl policy check` checks one".to_owned();
        return Err(Failure::Message(Exit::NotPrivileged, message));
    }
    let directory = std::path::absolute(&arguments.directory);
    let directory =
        directory.map_err(|error| Failure::Message(Exit::Policy, format!("--directory: {}", reason(&error))))?;
    print(install(&Tree::system(), &directory)?)?;
    if let Err(why) = names::share_directory() {
        warn(format!(
            "{DIRECTORY} is not made a shared mount: {why}; until it is one, any user can keep Netns.Add busy"
        ));
    }
    Ok(Exit::Done.into())
}

/// Installs the policy of a directory and says what was done.
fn install(tree: &Tree, directory: &Path) -> Result<String, Failure> {
    let files = tree.files(directory)?;
    let policy = policy::compiled(&files.policy)?;
    test::passes(&files).map_err(still)?;
    let bytes = written(&policy)?;
    let digest = Compiled::open(bytes.clone()).map_err(|damage| refused(damage.0))?.digest().to_owned();
    let place = prepare(tree).map_err(refused)?;
    let done = if place.holds(&bytes) {
        "unchanged"
    } else {
        place.replace(&bytes).map_err(refused)?;
        place.settle()?;
        "installed"
    };
    Ok(format!("{done}: {}, digest {digest}", policy::counted(&policy, &files.policy)))
}

pub(super) fn written(policy: &Policy) -> Result<Vec<u8>, Failure> {
    let bytes = policy.write().map_err(|damage| refused(format!("the policy cannot be compiled: {}", damage.0)))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= COMPILED) {
        return Ok(bytes);
    }
    Err(refused(format!("the compiled policy would be longer than {} MiB", COMPILED >> 20)))
}

/// Failed tests, and what they leave as it was.
fn still(failure: Failure) -> Failure {
    match failure {
        Failure::Policy(mut lines) => {
            lines.push("netbrokerctl: the policy in force is as it was".to_owned());
            Failure::Policy(lines)
        }
        other => other,
    }
}

fn refused(why: impl Into<String>) -> Failure {
    Failure::Message(Exit::System, why.into() + "; the policy in force is as it was")
}

/// The directory of the compiled policy.
#[derive(Debug)]
struct StateDirectory {
    directory: OwnedFd,
    owner: Uid,
    group: Gid,
}

/// Makes the directories that are absent and opens the one where the policy goes.
fn prepare(tree: &Tree) -> Result<StateDirectory, String> {
    let (owner, group) = (Uid::from_raw(tree.owner), system_group(tree)?);
    make(tree, "/run", "netns", 0o755)?;
    make(tree, "/var/lib", "netbroker", 0o750)?;
    let path = Path::new(STATE);
    let directory = tree.directory(path)?;
    let failed = |errno| unusable(path, errno);
    fchown(&directory, Some(owner), Some(group)).map_err(failed)?;
    fchmod(&directory, Mode::from_bits_truncate(0o750)).map_err(failed)?;
    Ok(StateDirectory { directory, owner, group })
}

/// The group that may read the policy: that of the system user, whose numbers are those of [`RUN`].
pub(super) fn system_group(tree: &Tree) -> Result<Gid, String> {
    const HINT: &str = "`systemd-tmpfiles --create` makes it, as does \
                        `install -d -m 0755 -o netbroker -g netbroker /run/netbroker`";
    let run = tree.directory(Path::new("/run"))?;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let path = Path::new(RUN);
    let opened = openat(&run, "netbroker", flags, Mode::empty());
    let what = file_state(opened.map_err(|errno| format!("{}: {HINT}", unusable(path, errno)))?, path)?;
    let wrong = NO_SYSTEM_USER.contains(&what.st_uid) || NO_SYSTEM_USER.contains(&what.st_gid);
    if wrong || what.st_mode & 0o7777 != 0o755 {
        let (uid, gid, mode) = (what.st_uid, what.st_gid, what.st_mode & 0o7777);
        return Err(format!(
            "{RUN} is {uid}:{gid} with mode {mode:04o}, expected netbroker:netbroker with 0755: {HINT}"
        ));
    }
    Ok(Gid::from_raw(what.st_gid))
}

/// Makes a directory if there is none; its mode does not depend on the umask.
fn make(tree: &Tree, parent: &str, name: &str, mode: u32) -> Result<(), String> {
    let path = Path::new(parent).join(name);
    let parent = tree.directory(Path::new(parent))?;
    match mkdirat(&parent, name, Mode::from_bits_truncate(0o700)) {
        Err(Errno::EEXIST) => return Ok(()),
        made => made.map_err(|errno| unusable(&path, errno))?,
    }
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let opened = openat(&parent, name, flags, Mode::empty());
    opened.and_then(|made| fchmod(&made, Mode::from_bits_truncate(mode))).map_err(|errno| unusable(&path, errno))
}

impl StateDirectory {
    /// Whether exactly this is in force, and the broker can read it.
    fn holds(&self, bytes: &[u8]) -> bool {
        let Ok(Some(file)) = open_in(&self.directory, FILE.as_ref(), Path::new(FILE)) else { return false };
        let sound = file_state(&file, Path::new(FILE)).is_ok_and(|what| {
            let owned = what.st_uid == self.owner.as_raw() && what.st_gid == self.group.as_raw();
            owned && what.st_mode & 0o7777 == 0o640
        });
        sound && all_of(file, Path::new(FILE), COMPILED).is_ok_and(|held| held == bytes)
    }

    fn replace(&self, bytes: &[u8]) -> Result<(), String> {
        let rights = Rights { owner: self.owner, group: Some(self.group), mode: 0o640 };
        replace(&self.directory, &Path::new(STATE).join(FILE), bytes, rights)
    }

    /// Waits until the new name would survive a loss of power.
    fn settle(&self) -> Result<(), Failure> {
        fsync(&self.directory).map_err(|errno| {
            let why = format!("the policy is in force, but {STATE} cannot be written to disk: {}", errno.desc());
            Failure::Message(Exit::System, why)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::super::machine::Machine;
    use super::*;

    const RULE: &str = "[[allow]]\nid = \"x\"\nwho = \"*\"\ncall = \"Netns.Add\"\nnetns = \"q*\"\n";
    const IN_FORCE: &str = "/var/lib/netbroker/policy";

    fn run(machine: &Machine) -> Result<String, Failure> {
        install(&machine.tree, Path::new(INSTALLED))
    }

    /// A machine where a policy is in force, and its bytes.
    fn installed() -> (Machine, Vec<u8>) {
        let machine = Machine::new();
        machine.write("/etc/netbroker/policy.d/10.toml", RULE);
        let said = run(&machine).unwrap();
        assert!(said.starts_with("installed: 1 rule in 1 file, digest "), "{said}");
        let bytes = fs::read(machine.path(IN_FORCE)).unwrap();
        (machine, bytes)
    }

    #[test]
    fn what_is_installed_is_for_the_broker_to_read_and_for_nobody_to_write() {
        let (machine, bytes) = installed();
        let of = |path: &str| {
            let what = fs::metadata(machine.path(path)).unwrap();
            (what.uid(), what.gid(), what.mode() & 0o7777)
        };
        assert_eq!(of(IN_FORCE), (machine.tree.owner, machine.gid, 0o640));
        assert_eq!(of(STATE), (machine.tree.owner, machine.gid, 0o750));
        assert_eq!(of("/run/netns").2, 0o755);
        assert_eq!(machine.names(STATE), ["policy"]);
        let compiled = Compiled::open(bytes).unwrap();
        assert!(run(&machine).unwrap().ends_with(&format!("digest {}", compiled.digest())));
    }

    #[test]
    fn a_broken_edit_leaves_the_policy_in_force() {
        let (machine, before) = installed();
        machine.write("/etc/netbroker/policy.d/20.toml", RULE.replace("netns", "netn"));
        let Err(Failure::Policy(problems)) = run(&machine) else { panic!("installed") };
        assert!(problems[0].starts_with("/etc/netbroker/policy.d/20.toml:2:6: the id `x` is taken"), "{problems:?}");
        machine.mode("/etc/netbroker/policy.d", 0o777);
        assert!(matches!(run(&machine), Err(Failure::Policy(_))));
        assert_eq!(fs::read(machine.path(IN_FORCE)).unwrap(), before);
        assert_eq!(machine.names(STATE), ["policy"]);
    }

    #[test]
    fn a_failed_test_leaves_the_policy_in_force() {
        let (machine, before) = installed();
        let test = |expect: &str| {
            format!(
                "[accounts]\na = {{ uid = 1, gid = 1 }}\n[[test]]\nname = \"t\"\nwho = \"a\"\ncall = \"Netns.Add\"\n\
                with = {{ netns = \"q1\" }}\nexpect = \"{expect}\"\n"
            )
        };
        machine.write("/etc/netbroker/policy.d/20.toml", RULE.replace("\"x\"", "\"y\"").replace("q*", "r*"));
        machine.write("/etc/netbroker/policy.d/20.test.toml", test("y"));
        let refused = |start: &str| {
            let Err(Failure::Policy(lines)) = run(&machine) else { panic!("installed") };
            assert!(lines[0].starts_with(start), "{lines:?}");
            assert_eq!(lines.last().unwrap(), "netbrokerctl: the policy in force is as it was");
            assert_eq!(fs::read(machine.path(IN_FORCE)).unwrap(), before);
        };
        refused("/etc/netbroker/policy.d/20.test.toml:3: t: Netns.Add: expected `y`, but refused: no rule permits it");
        machine.write("/etc/netbroker/policy.d/20.test.toml", test("z"));
        refused("/etc/netbroker/policy.d/20.test.toml:8:10: there is no rule `z`");
        machine.write("/etc/netbroker/policy.d/20.test.toml", test("silence"));
        assert!(run(&machine).unwrap().starts_with("installed: 2 rules in 2 files, digest "));
    }

    #[test]
    fn the_same_policy_again_is_unchanged_and_a_damaged_one_is_replaced() {
        let (machine, bytes) = installed();
        let before = fs::metadata(machine.path(IN_FORCE)).unwrap().ino();
        assert!(run(&machine).unwrap().starts_with("unchanged: 1 rule in 1 file, digest "));
        assert_eq!(fs::metadata(machine.path(IN_FORCE)).unwrap().ino(), before);
        let mut damaged = bytes.clone();
        *damaged.last_mut().unwrap() ^= 1; // the digest in the header stays what it was
        fs::write(machine.path(IN_FORCE), damaged).unwrap();
        assert!(run(&machine).unwrap().starts_with("installed"));
        machine.mode(IN_FORCE, 0o644);
        assert!(run(&machine).unwrap().starts_with("installed"));
        assert_eq!(fs::read(machine.path(IN_FORCE)).unwrap(), bytes);
    }

    #[test]
    fn a_policy_that_cannot_be_replaced_leaves_nothing_behind() {
        let (machine, _) = installed();
        fs::remove_file(machine.path(IN_FORCE)).unwrap();
        fs::create_dir(machine.path(IN_FORCE)).unwrap();
        let Err(Failure::Message(Exit::System, why)) = run(&machine) else { panic!("installed") };
        assert!(why.starts_with("/var/lib/netbroker/policy cannot be replaced: "), "{why}");
        assert_eq!(machine.names(STATE), ["policy"]);
    }

    #[test]
    fn without_the_system_user_nothing_is_installed() {
        let (machine, before) = installed();
        machine.write("/etc/netbroker/policy.d/20.toml", RULE.replace("\"x\"", "\"y\""));
        machine.mode("/run/netbroker", 0o775);
        let refused = |machine: &Machine, start: &str| {
            let Err(Failure::Message(_, why)) = run(machine) else { panic!("installed") };
            assert!(why.starts_with(start) && why.contains("systemd-tmpfiles"), "{why}");
        };
        refused(&machine, "/run/netbroker is ");
        fs::remove_dir(machine.path("/run/netbroker")).unwrap();
        refused(&machine, "/run/netbroker: No such file or directory");
        machine.link("/etc", "/run/netbroker");
        refused(&machine, "/run/netbroker is a symbolic link or no directory");
        assert_eq!(fs::read(machine.path(IN_FORCE)).unwrap(), before);
    }
}
