// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl policy install`: puts a policy in force in one atomic step. A failure before that step leaves the
//! policy in force unchanged.
#![forbid(unsafe_code)]

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::unistd::geteuid;

use super::files::{INSTALLED, Tree};
use super::in_force::InForce;
use super::kept;
use super::put::{By, Installed, Leave, New, refused};
use super::{Failure, history, names, policy, reason, tell, test, warn};
use crate::refusal::Exit;
use crate::stage::netns::DIRECTORY;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The directory of the policy files
    #[arg(long, value_name = "DIR", default_value = INSTALLED)]
    directory: PathBuf,
    /// Allow a policy without rules, which refuses every call, to replace one with rules
    #[arg(long)]
    allow_empty: bool,
    /// Replace a pinned policy, and end the pin
    #[arg(long)]
    unpin: bool,
    /// Succeed without a change if a pinned policy is in force
    #[arg(long, conflicts_with = "unpin")]
    unless_pinned: bool,
}

impl Arguments {
    /// What a person at a terminal need not ask for: the end of a pin, but not where the pin is to stay.
    fn leave(&self, is_person: bool) -> Leave {
        Leave { empty: self.allow_empty, unpin: self.unpin || is_person && !self.unless_pinned }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if !geteuid().is_root() {
        let message = "only root can install a policy; `netbrokerctl policy check` checks one".to_owned();
        return Err(Failure::Message(Exit::NotPrivileged, message));
    }
    let directory = std::path::absolute(&arguments.directory);
    let directory =
        directory.map_err(|error| Failure::Message(Exit::Policy, format!("--directory: {}", reason(&error))))?;
    let leave = arguments.leave(is_person());
    let tree = Tree::system();
    let installed = if arguments.unless_pinned {
        unless_pinned(&tree, &directory, leave)
    } else {
        install(&tree, &directory, leave)
    };
    // This is done even if the installation failed: `policy install` is also run for it after each start of the
    // machine.
    if let Err(why) = names::share_directory() {
        warn(format!(
            "{DIRECTORY} is not made a shared mount: {why}; until it is one, any user can keep Netns.Add busy"
        ));
    }
    installed?.finish(&tree)
}

/// Whether a person runs this: at a terminal, and not from the script of a package.
fn is_person() -> bool {
    std::io::stdin().is_terminal() && std::env::var_os("DPKG_MAINTSCRIPT_NAME").is_none()
}

/// Leaves a pinned policy in force, and installs the policy of a directory if none is pinned. A broker of this version
/// may not be able to read the policy in force. That is then compiled again if it is pinned, or if the files of the
/// directory cannot be installed.
pub(super) fn unless_pinned(tree: &Tree, directory: &Path, leave: Leave) -> Result<Installed, Failure> {
    if let Some(digest) = pinned_in_force(tree) {
        return Ok(Installed::pinned(&digest));
    }
    if !InForce::has_other_format(tree) {
        return install(tree, directory, leave);
    }
    if kept::pinned(tree).map_err(refused)?.is_some() {
        return history::recompile(tree);
    }
    install(tree, directory, leave).or_else(|failure| match history::recompile(tree) {
        Ok(recompiled) => Ok(Installed { after: Err(failure), ..recompiled }),
        Err(why) => {
            tell(&why);
            Err(failure)
        }
    })
}

/// The digest of the policy that is pinned, if it is in force.
fn pinned_in_force(tree: &Tree) -> Option<String> {
    let digest = kept::pinned(tree).ok()??;
    let in_force = InForce::read(tree).ok()?;
    (in_force.digest() == digest).then_some(digest)
}

/// Installs the policy of a directory and returns the outcome.
pub(super) fn install(tree: &Tree, directory: &Path, leave: Leave) -> Result<Installed, Failure> {
    let files = tree.files(directory)?;
    let (policy, accounts) = policy::compiled_here(&files.policy)?;
    test::passes(&files).map_err(still)?;
    let unread = tree.unread(directory).map_err(|why| Failure::Policy(vec![why]))?;
    let warnings = policy::grave(&policy).into_iter().chain(unread);
    let counted = policy::counted(&policy, &files.policy);
    let new = New { policy, sources: files.policy, accounts, by: By::Install };
    let is_current = || Ok(tree.files(directory)?.policy == new.sources);
    let put = new.put(tree, leave, &is_current)?;
    let done = if put.replaced { "installed" } else { "unchanged" };
    let end = if put.unpinned { "; no policy is pinned any more" } else { "" };
    let said = format!("{done}: {counted}, digest {}{end}", put.digest);
    Ok(Installed { said, warnings: warnings.chain(put.warnings).collect(), change: put.change, after: put.after })
}

/// The failure for failed tests, with the note that nothing was changed.
fn still(failure: Failure) -> Failure {
    match failure {
        Failure::Policy(mut lines) => {
            lines.push("netbrokerctl: the policy in force is unchanged".to_owned());
            Failure::Policy(lines)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::super::machine::Machine;
    use super::super::state::STATE;
    use super::*;
    use crate::policy::compiled::Compiled;

    const RULE: &str = "[[allow]]\nid = \"x\"\nwho = \"*\"\ncall = \"Netns.Add\"\nnetns = \"q*\"\n";
    const IN_FORCE: &str = "/var/lib/netbroker/policy";

    fn run(machine: &Machine) -> Result<String, Failure> {
        run_with(machine, Leave::default())
    }

    fn run_with(machine: &Machine, leave: Leave) -> Result<String, Failure> {
        install(&machine.tree, Path::new(INSTALLED), leave).map(|installed| installed.said)
    }

    /// A machine with a policy in force, and the bytes of that policy.
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
        assert_eq!(machine.names(STATE), ["history", "policy"]);
        let compiled = Compiled::open(bytes).unwrap();
        assert!(run(&machine).unwrap().ends_with(&format!("digest {}", compiled.digest())));
    }

    #[test]
    fn a_person_ends_a_pin_unless_it_is_to_stay() {
        let ends = |unpin, unless_pinned, is_person| {
            let directory = PathBuf::from(INSTALLED);
            Arguments { directory, allow_empty: false, unpin, unless_pinned }.leave(is_person).unpin
        };
        assert!(ends(false, false, true) && ends(true, false, false));
        assert!(!ends(false, false, false) && !ends(false, true, true) && !ends(false, true, false));
    }

    #[test]
    fn a_broken_edit_leaves_the_policy_in_force() {
        let (machine, before) = installed();
        machine.write("/etc/netbroker/policy.d/20.toml", RULE.replace("netns", "netn"));
        let Err(Failure::Policy(problems)) = run(&machine) else { panic!("installed") };
        assert!(
            problems[0].starts_with("/etc/netbroker/policy.d/20.toml:2:6: the id `x` is already used at"),
            "{problems:?}"
        );
        machine.mode("/etc/netbroker/policy.d", 0o777);
        assert!(matches!(run(&machine), Err(Failure::Policy(_))));
        assert_eq!(fs::read(machine.path(IN_FORCE)).unwrap(), before);
        assert_eq!(machine.names(STATE), ["history", "policy"]);
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
            assert_eq!(lines.last().unwrap(), "netbrokerctl: the policy in force is unchanged");
            assert_eq!(fs::read(machine.path(IN_FORCE)).unwrap(), before);
        };
        refused("/etc/netbroker/policy.d/20.test.toml:3: t: Netns.Add: expected `y`, but refused: no rule permits it");
        machine.write("/etc/netbroker/policy.d/20.test.toml", test("z"));
        refused("/etc/netbroker/policy.d/20.test.toml:8:10: no rule with the id `z`");
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
        *damaged.last_mut().unwrap() ^= 1; // the digest in the header is unchanged
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
        assert_eq!(machine.names(STATE), ["history", "policy"]);
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
