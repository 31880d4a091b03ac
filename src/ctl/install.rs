// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl policy install`: puts a policy in force in one atomic step. A failure before that step leaves the
//! policy in force unchanged.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::unistd::{geteuid, getuid};

use super::files::{INSTALLED, Tree};
use super::history::UNPIN;
use super::in_force::InForce;
use super::kept::{self, History, Kept};
use super::read::COMPILED;
use super::record::{self, Change};
use super::state::prepare;
use super::{Failure, history, in_force_but, names, policy, print, reason, tell, tell_line, test, warn};
use crate::policy::compile::Policy;
use crate::policy::compiled::Compiled;
use crate::policy::diagnostics::Source;
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

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if !geteuid().is_root() {
        let message = "only root can install a policy; `netbrokerctl policy check` checks one".to_owned();
        return Err(Failure::Message(Exit::NotPrivileged, message));
    }
    let directory = std::path::absolute(&arguments.directory);
    let directory =
        directory.map_err(|error| Failure::Message(Exit::Policy, format!("--directory: {}", reason(&error))))?;
    let leave = Leave { empty: arguments.allow_empty, unpin: arguments.unpin || is_person() };
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

/// What an installation does only if it is explicitly allowed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Leave {
    /// Replace a policy that has rules by one that has none.
    pub(super) empty: bool,
    /// Replace a policy that is pinned.
    pub(super) unpin: bool,
}

/// The outcome of an installation.
#[derive(Debug)]
pub(super) struct Installed {
    /// The message for the user.
    pub(super) said: String,
    pub(super) warnings: Vec<String>,
    /// The record for the trail; `None` if nothing has changed.
    pub(super) change: Option<Change>,
    /// The result of the steps after the policy was put in force. The record is sent even if they fail.
    pub(super) after: Result<(), Failure>,
}

impl Installed {
    /// The outcome where a pinned policy stays in force.
    fn pinned(digest: &str) -> Self {
        let said = format!("unchanged: the policy in force is pinned until {UNPIN}, digest {digest}");
        Self { said, warnings: Vec::new(), change: None, after: Ok(()) }
    }

    /// Prints the outcome and sends the record. Sending gives up root, so it is the last action of the process.
    pub(super) fn finish(self, tree: &Tree) -> Result<ExitCode, Failure> {
        for warning in &self.warnings {
            tell_line(warning);
        }
        let printed = print(&self.said);
        if let Some(Err(why)) = self.change.map(|change| change.send(tree)) {
            warn(format!("the trail has no record of this installation: {why}"));
        }
        self.after.and(printed).map(|()| Exit::Done.into())
    }
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

/// The command that puts a policy in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// `policy install`, which ends a pin.
    Install,
    /// `policy rollback`, which pins.
    Rollback,
    /// `policy install --unless-pinned` after the version of netbroker has changed. The pin stays as it is.
    Recompile,
}

impl By {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Rollback => "rollback",
            Self::Recompile => "recompile",
        }
    }
}

/// A valid policy that is about to be put in force.
pub(super) struct New {
    pub(super) policy: Policy,
    pub(super) sources: Vec<Source>,
    pub(super) accounts: BTreeMap<String, Option<u32>>,
    pub(super) by: By,
}

/// The outcome of putting it in force.
pub(super) struct Put {
    pub(super) digest: String,
    /// Whether it replaced another policy.
    pub(super) replaced: bool,
    /// Whether this ended a pin.
    pub(super) unpinned: bool,
    /// `None` if neither the policy in force nor the pin has changed.
    pub(super) change: Option<Change>,
    /// Warnings about files among the kept policies.
    pub(super) warnings: Vec<String>,
    /// The result of the steps after the policy was put in force.
    pub(super) after: Result<(), Failure>,
}

impl New {
    /// Puts it in force, keeps it, and sets or ends the pin, under the lock against other installations. `is_current` says
    /// whether the files are still those that were checked.
    pub(super) fn put(
        &self,
        tree: &Tree,
        leave: Leave,
        is_current: &dyn Fn() -> Result<bool, Failure>,
    ) -> Result<Put, Failure> {
        let bytes = written(&self.policy)?;
        let digest = Compiled::open(bytes.clone()).map_err(|damage| refused(damage.0))?.digest().to_owned();
        let place = prepare(tree).map_err(refused)?;
        let history = History::change(tree).map_err(refused)?;
        if !is_current()? {
            return Err(refused("the files changed while they were checked; run `netbrokerctl policy install` again"));
        }
        let pinned = match kept::pinned(tree) {
            Err(_) if leave.unpin => Some("?".to_owned()), // whoever ends the pin need not know what it was
            other => other.map_err(refused)?,
        };
        let before = InForce::read(tree).ok();
        self.must_not_replace(before.as_ref(), pinned.as_deref(), leave)?;

        let (all, warnings) = history.all().map_err(refused)?;
        let rules = kept::digests(&self.policy);
        let replaced = before.as_ref().is_none_or(|before| before.bytes() != bytes);
        let kept_before = |digest: &str| all.iter().find(|kept| kept.digest == digest);
        let sequence = all.first().map_or(0, |latest| latest.sequence).saturating_add(1);
        let new = self.kept(&digest, sequence, &rules);
        // Files that compile to the same policy can still have other names, comments and descriptions.
        if replaced || all.first().is_none_or(|latest| latest.digest != digest || latest.files != new.files) {
            history.keep(&new).map_err(refused)?;
        }
        let put = if replaced { place.replace(&bytes) } else { Ok(()) };
        if let Err(why) = put {
            if kept_before(&digest).is_none() {
                let _ = history.forget(&digest); // it was never in force; the first failure is reported
            }
            return Err(refused(why));
        }
        let pin = match self.by {
            By::Install => kept::unpin(tree).map_err(|why| in_force_but(&format!("the pin cannot be removed: {why}"))),
            By::Recompile if pinned.is_none() => Ok(()),
            By::Rollback | By::Recompile => {
                kept::pin(tree, &digest).map_err(|why| in_force_but(&format!("it is not pinned: {why}")))
            }
        };
        let settled = place.settle().and_then(|()| history.prune(&all, &digest).map_err(|why| in_force_but(&why)));
        let is_pinned = match self.by {
            By::Install => None,
            By::Rollback => Some(digest.as_str()),
            By::Recompile => pinned.as_ref().map(|_| digest.as_str()),
        };
        let rules_before = before.as_ref().map_or_else(
            || Some(BTreeMap::new()),
            |before| kept_before(before.digest()).map(|kept| kept.rules.clone()),
        );
        let change = Change {
            by: self.by.name(),
            before: before.map(|before| before.digest().to_owned()),
            after: digest.clone(),
            rules_before: if replaced { rules_before } else { Some(rules.clone()) },
            rules_after: rules,
            pinned: is_pinned.is_some(),
        };
        let changed = replaced || is_pinned != pinned.as_deref();
        Ok(Put {
            replaced,
            unpinned: self.by == By::Install && pinned.is_some(),
            change: changed.then_some(change),
            warnings,
            after: pin.and(settled),
            digest,
        })
    }

    /// Refuses what must be explicitly allowed.
    fn must_not_replace(&self, before: Option<&InForce>, pinned: Option<&str>, leave: Leave) -> Result<(), Failure> {
        let refused = |why: String| Err(Failure::Message(Exit::Policy, why));
        if let (Some(digest), false) = (pinned, leave.unpin) {
            let is_in_force = before.is_some_and(|before| before.digest() == digest);
            let and = if is_in_force { "which is in force and stays so" } else { "which is not in force" };
            return refused(format!(
                "nothing is installed: `policy rollback` has pinned the policy with digest {digest}, {and}; it is pinned \
                 until {UNPIN}"
            ));
        }
        let has_rules = before.is_some_and(|before| before.policy.has_rules());
        if self.policy.origins().is_empty() && has_rules && !leave.empty {
            return refused(
                "the new policy has no rules, so the broker would refuse every call; give `--allow-empty` if this is \
                 intended; the policy in force is unchanged"
                    .to_owned(),
            );
        }
        Ok(())
    }

    fn kept(&self, digest: &str, sequence: u64, rules: &BTreeMap<String, String>) -> Kept {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Kept {
            digest: digest.to_owned(),
            sequence,
            installed: i64::try_from(now).unwrap_or(i64::MAX),
            uid: getuid().as_raw(),
            loginuid: record::loginuid(),
            by: self.by.name().to_owned(),
            files: Kept::files_of(&self.sources),
            accounts: self.accounts.clone(),
            rules: rules.clone(),
        }
    }
}

pub(super) fn written(policy: &Policy) -> Result<Vec<u8>, Failure> {
    let bytes = policy.write().map_err(|damage| refused(format!("the policy cannot be compiled: {}", damage.0)))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= COMPILED) {
        return Ok(bytes);
    }
    Err(refused(format!("the compiled policy would be longer than {} MiB", COMPILED >> 20)))
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

fn refused(why: impl Into<String>) -> Failure {
    Failure::Message(Exit::System, why.into() + "; the policy in force is unchanged")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::super::machine::Machine;
    use super::super::state::STATE;
    use super::*;

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
