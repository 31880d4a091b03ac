// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A test's own machine, made of namespaces, with netbroker installed in one of the ways to start it.

use super::caller::Caller;
use super::landlock;
use super::mounts::{self, Origin};
use super::trail::{Playing, Record, Trail};
use super::{ALICE, BROKER, Background, CALLERS, CAPABILITIES, DAEMON, NETBROKER, PATH, Program, Ran, TOOL, etc};
use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

/// How the broker gets its privilege.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// 4754 root:netbroker-callers.
    Setuid,
    /// 0750 root:netbroker-callers with [`CAPABILITIES`].
    FileCapabilities,
    /// 0755 without any bits; callers run `sudo -n`.
    Sudo,
    /// 0755 without any bits; [`Host::caller`] is root itself.
    Root,
    /// For tests of what is missing: any mode, with capabilities as `setcap` writes them; root:netbroker-callers.
    Installed { mode: u32, capabilities: Option<&'static str> },
}

impl Way {
    /// Every way that works; all must give the same answers.
    pub const ALL: [Self; 4] = [Self::Setuid, Self::FileCapabilities, Self::Sudo, Self::Root];
}

/// The options of a host; [`Host::new`] has the defaults.
pub struct Builder {
    way: Way,
    broker: Option<PathBuf>,
    installed: bool,
    netns_directory: bool,
    run_directory: bool,
    etc_by_copy: bool,
    trail: Playing,
}

impl Builder {
    /// The default is [`Way::Setuid`].
    pub fn way(mut self, way: Way) -> Self {
        self.way = way;
        self
    }

    /// Installs another program in place of the broker (tests of the harness; a broker with a deliberate fault).
    pub fn broker(mut self, path: impl Into<PathBuf>) -> Self {
        self.broker = Some(path.into());
        self
    }

    /// Installs nothing: a host for tests that need no program of the project.
    pub fn bare(mut self) -> Self {
        self.installed = false;
        self
    }

    /// Without /run/netns.
    pub fn no_netns_directory(mut self) -> Self {
        self.netns_directory = false;
        self
    }

    /// Without /run/netbroker, which identifies the system user.
    pub fn no_run_directory(mut self) -> Self {
        self.run_directory = false;
        self
    }

    /// With a copied /etc even where the kernel has overlayfs.
    pub fn etc_by_copy(mut self) -> Self {
        self.etc_by_copy = true;
        self
    }

    /// With neither journald nor syslog.
    pub fn no_trail(mut self) -> Self {
        self.trail = Playing::Nothing;
        self
    }

    /// With syslog's socket in place of journald.
    pub fn syslog(mut self) -> Self {
        self.trail = Playing::Syslog;
        self
    }

    /// With a journald that takes no records: its queue is full and no process reads it.
    pub fn deaf_trail(self) -> Self {
        self.deaf_trail_after(0)
    }

    /// With a journald that takes this many records (at most 5) and then no more. [`Host::trail`] has the records that
    /// it took.
    pub fn deaf_trail_after(mut self, records: usize) -> Self {
        self.trail = Playing::Deaf { after: records };
        self
    }

    /// Moves this thread into the new host.
    pub fn build(self) -> Host {
        // Before anything is covered: the tree may be under a directory that will be.
        let broker = self.installed.then(|| self.broker.unwrap_or_else(|| Program::Broker.built()));
        let broker = broker.map(|path| File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())));

        let origin = Origin::leave();
        mounts::tmpfs("/run", 0o755);
        mounts::cover("/usr/libexec");
        // Bound, not copied: nothing depends on its owner. If it is missing, a test that needs it reports that.
        for (program, at) in [(Program::Tool, TOOL), (Program::Daemon, DAEMON)] {
            if program.path().is_file() {
                mounts::bind_file(program.path(), at);
            }
        }
        etc::make(self.etc_by_copy);
        mounts::tmpfs("/var/lib", 0o755);
        mounts::dev();
        mounts::sys();
        mounts::directory("/run/scratch", 0o1777, 0, 0);
        if self.run_directory {
            mounts::directory("/run/netbroker", 0o755, NETBROKER, NETBROKER);
        }
        if self.netns_directory {
            mounts::directory("/run/netns", 0o755, 0, 0);
        }
        let trail = Trail::play(self.trail);
        let host = Host { way: Mutex::new(self.way.clone()), namespace: mounts::namespace(), trail, _origin: origin };
        if let Some(broker) = broker {
            mounts::directory("/usr/libexec/netbroker", 0o755, 0, 0);
            // A separate process copies it. A descriptor that is open for writing here could be inherited by a process
            // that another test's thread starts at this moment, and executing the file would fail with ETXTBSY.
            let copied = host.command("cp").args(["/dev/stdin", BROKER]).stdin(broker).status().unwrap();
            assert!(copied.success(), "cp to {BROKER}: {copied}");
            host.install(self.way);
        }
        host
    }
}

/// The host; see the module. Fields are dropped in order: the reader of the trail ends before the thread returns.
pub struct Host {
    way: Mutex<Way>,
    namespace: String,
    trail: Trail,
    _origin: Origin,
}

impl Host {
    /// A host with everything in its place: setuid broker, journald, /run/netns, an empty policy directory.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self::builder().build()
    }

    pub fn builder() -> Builder {
        Builder {
            way: Way::Setuid,
            broker: None,
            installed: true,
            netns_directory: true,
            run_directory: true,
            etc_by_copy: false,
            trail: Playing::Journald,
        }
    }

    /// Gives the installed broker the mode, owner and capabilities of another way to start it.
    pub fn install(&self, way: Way) {
        let (mode, group, capabilities) = match &way {
            Way::Setuid => (0o4754, CALLERS, None),
            Way::FileCapabilities => (0o750, CALLERS, Some(CAPABILITIES)),
            Way::Sudo | Way::Root => (0o755, 0, None),
            Way::Installed { mode, capabilities } => (*mode, CALLERS, *capabilities),
        };
        // The change of owner clears the capabilities of an earlier way.
        mounts::set(BROKER, mode, 0, group);
        if let Some(capabilities) = capabilities {
            Ran::run(self.command("setcap").args([capabilities, BROKER])).ok();
        }
        if way == Way::Sudo {
            etc::write("/etc/sudoers.d/netbroker", 0o440, &format!("ALL ALL=(root) NOPASSWD: {BROKER}\n"));
        }
        *self.way.lock().unwrap() = way;
    }

    pub fn way(&self) -> Way {
        self.way.lock().unwrap().clone()
    }

    /// The caller for this way: alice, or root itself for [`Way::Root`].
    pub fn caller(&self) -> Caller<'_> {
        if self.way() == Way::Root { self.as_root() } else { self.as_uid(ALICE) }
    }

    /// A caller with this uid and gid, and with no group except netbroker-callers where the way needs that.
    pub fn as_uid(&self, uid: u32) -> Caller<'_> {
        Caller::new(self, uid)
    }

    /// Root, directly: without sudo, whatever the way.
    pub fn as_root(&self) -> Caller<'_> {
        Caller::new(self, 0).directly()
    }

    /// A program to be run in this host as root, with nothing in its environment but PATH.
    pub fn command(&self, program: &str) -> Command {
        assert_eq!(self.namespace, mounts::namespace(), "this thread is not in the host: start it from the host's own");
        let mut command = Command::new(program);
        // A caller may be unable to read the tree.
        command.env_clear().env("PATH", PATH).current_dir("/");
        command
    }

    /// Runs `ip` with these words and returns its output. For words with blanks, see [`Host::run`].
    pub fn ip(&self, words: &str) -> String {
        Ran::run(self.command("ip").args(words.split_whitespace())).ok()
    }

    /// `ip -n NETNS` with these words.
    pub fn ip_in(&self, netns: &str, words: &str) -> String {
        Ran::run(self.command("ip").args(["-n", netns]).args(words.split_whitespace())).ok()
    }

    /// A program with exactly these arguments, as root.
    pub fn run(&self, words: &[&str]) -> Ran {
        Ran::run(self.command(words[0]).args(&words[1..]))
    }

    /// Runs a shell script as root and returns its output.
    pub fn sh(&self, script: &str) -> String {
        self.run(&["sh", "-euc", script]).ok()
    }

    /// Runs a shell script in parallel with the test until the guard is dropped.
    pub fn background(&self, script: &str) -> Background {
        Background::start(self.command("sh").args(["-euc", script]))
    }

    /// `netbrokerctl`, as root.
    pub fn tool(&self, words: &[&str]) -> Ran {
        Program::Tool.built();
        Ran::run(self.command(TOOL).args(words))
    }

    /// Installs this policy and no other.
    pub fn policy(&self, text: &str) {
        let ran = self.try_policy(text);
        assert_eq!(ran.status(), 0, "the policy was not installed: {ran}\n{text}");
    }

    /// Tries to install this policy and returns the tool's errors.
    pub fn policy_fails(&self, text: &str) -> String {
        let ran = self.try_policy(text);
        assert_ne!(ran.status(), 0, "the policy was installed: {ran}\n{text}");
        ran.stderr()
    }

    /// Writes the policy and runs `netbrokerctl policy install`.
    pub fn try_policy(&self, text: &str) -> Ran {
        self.policy_file("test.toml", &landlock::permit_without(text));
        if !self.trail.is_deaf() {
            return self.tool(&["policy", "install"]);
        }
        // A deaf trail takes a number of the broker's records: none of them may be of the installation.
        self.sh("mv /run/systemd/journal /run/systemd/away");
        let ran = self.tool(&["policy", "install"]);
        self.sh("mv /run/systemd/away /run/systemd/journal");
        ran
    }

    /// Writes one file of the policy directory, installing nothing.
    pub fn policy_file(&self, name: &str, text: &str) {
        etc::write(&format!("/etc/netbroker/policy.d/{name}"), 0o644, text);
    }

    /// Makes it possible to add files under a directory of the machine, such as /usr/share. They stay in this host.
    pub fn cover(&self, directory: &str) {
        assert_eq!(self.namespace, mounts::namespace(), "this thread is not in the host");
        mounts::cover(directory);
    }

    /// All records of requests so far, in order. What a process sent is included once it has ended. Reading empties the
    /// queue, so a deaf trail takes records again afterwards.
    pub fn trail(&self) -> Vec<Record> {
        self.trail.records().into_iter().filter(|record| !is_of_policy(record)).collect()
    }

    /// All records of policies that were put in force.
    pub fn installations(&self) -> Vec<Record> {
        self.trail.records().into_iter().filter(is_of_policy).collect()
    }

    /// Clears the trail.
    pub fn forget_trail(&self) {
        self.trail.forget();
    }

    /// The records with this value in a field, such as `NETBROKER_CALL`.
    pub fn trail_where(&self, field: &str, value: &str) -> Vec<Record> {
        self.trail().into_iter().filter(|record| record.get(field) == Some(value)).collect()
    }
}

fn is_of_policy(record: &Record) -> bool {
    record.get("NETBROKER_EVENT") == Some("installed")
}
