// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The caller: an unprivileged uid with chosen groups, environment and surroundings, and the calls that it makes.

use super::{BROKER, CALLERS, Host, Program, Ran, Reply, Running, TOOL, Way};
use nix::sys::socket::{setsockopt, sockopt};
use serde_json::{Map, Value};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A caller; each call starts one process. The command line is, from the outside in: `under… nsenter setpriv env
/// unshare prefix… sudo BROKER arguments…`.
#[derive(Clone)]
pub struct Caller<'host> {
    host: &'host Host,
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    setpriv: Vec<String>,
    under: Vec<String>,
    prefix: Vec<String>,
    sudo: bool,
    program: Vec<String>,
    environment: Vec<(String, String)>,
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl<'host> Caller<'host> {
    pub(super) fn new(host: &'host Host, uid: u32) -> Self {
        let way = host.way();
        let needs_group = uid != 0 && !matches!(way, Way::Sudo | Way::Root);
        Self {
            host,
            uid,
            gid: uid,
            groups: if needs_group { vec![CALLERS] } else { Vec::new() },
            setpriv: Vec::new(),
            under: Vec::new(),
            prefix: Vec::new(),
            sudo: way == Way::Sudo,
            program: vec![BROKER.to_owned()],
            environment: Vec::new(),
        }
    }

    pub fn uid(&self) -> u32 {
        self.uid
    }

    pub fn gid(mut self, gid: u32) -> Self {
        self.gid = gid;
        self
    }

    /// With exactly these supplementary groups.
    pub fn groups(mut self, groups: &[u32]) -> Self {
        self.groups = groups.to_vec();
        self
    }

    /// With a variable in addition to PATH.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With `no_new_privs`, as in hardened units and pods.
    pub fn no_new_privs(self) -> Self {
        self.setpriv(&["--no-new-privs"])
    }

    /// Further options of setpriv, such as `--bounding-set=-net_admin`.
    pub fn setpriv(mut self, options: &[&str]) -> Self {
        self.setpriv.extend(owned(options));
        self
    }

    /// In a user namespace that the caller makes, with options of unshare such as `--map-root-user`.
    pub fn in_user_namespace(self, options: &[&str]) -> Self {
        self.prefix(&["unshare", "--user"]).prefix(options)
    }

    /// In a named network namespace, and in the host's mounts, which `ip netns exec` would copy.
    pub fn in_netns(self, netns: &str) -> Self {
        self.under(&["nsenter", &format!("--net=/run/netns/{netns}")])
    }

    /// With words before the command, which run as the caller.
    pub fn prefix(mut self, words: &[&str]) -> Self {
        self.prefix.extend(owned(words));
        self
    }

    /// With words before the command, which run as root: for strace, which would otherwise disable the setuid bit.
    pub fn under(mut self, words: &[&str]) -> Self {
        self.under.extend(owned(words));
        self
    }

    /// Without sudo, even where the way is sudo.
    pub fn directly(mut self) -> Self {
        self.sudo = false;
        self
    }

    /// With arguments of the broker.
    pub fn args(mut self, words: &[&str]) -> Self {
        self.program.extend(owned(words));
        self
    }

    /// Starts another program directly, in place of the broker.
    pub fn program(mut self, words: &[&str]) -> Self {
        self.program = owned(words);
        self.directly()
    }

    /// The command that would be started, for a test that gives it its own descriptors.
    pub fn command(&self) -> Command {
        let mut words = self.under.clone();
        if self.uid != 0 || self.gid != 0 || !self.groups.is_empty() || !self.setpriv.is_empty() {
            words.push("setpriv".to_owned());
            words.extend([format!("--reuid={}", self.uid), format!("--regid={}", self.gid)]);
            let groups: Vec<String> = self.groups.iter().map(u32::to_string).collect();
            words.push(if groups.is_empty() {
                "--clear-groups".to_owned()
            } else {
                format!("--groups={}", groups.join(","))
            });
            words.extend(self.setpriv.iter().cloned());
            // setpriv itself keeps root's capabilities until it executes something. With them, the mode of the broker's
            // file would be ignored. env has no capabilities left.
            words.push("env".to_owned());
        }
        words.extend(self.prefix.iter().cloned());
        if self.sudo {
            words.extend(owned(&["sudo", "-n"]));
        }
        words.extend(self.program.iter().cloned());
        let mut command = self.host.command(&words[0]);
        command.args(&words[1..]).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a program to its end as this caller, without the broker.
    pub fn run(&self, words: &[&str]) -> Ran {
        Ran::run(&mut self.clone().program(words).command())
    }

    /// `netbrokerctl` as this caller.
    pub fn tool(&self, words: &[&str]) -> Ran {
        Program::Tool.built();
        self.run(&[&[TOOL], words].concat())
    }

    /// One call over pipes. `Link.Set` means `io.netbroker.Link.Set`; a name that begins with `io.` or `org.` is used
    /// unchanged.
    pub fn call(&self, method: &str, parameters: Value) -> Reply {
        self.raw(&request(method, parameters, false))
    }

    /// One call with `more`: the reply may have several messages.
    pub fn call_more(&self, method: &str, parameters: Value) -> Reply {
        self.raw(&request(method, parameters, true))
    }

    /// One call over a Unix socket, with the request queued before the broker starts.
    pub fn call_on_socket(&self, method: &str, parameters: Value) -> Reply {
        self.raw_on_socket(&request(method, parameters, false))
    }

    /// One call over a Unix socket, sent some time after the broker has started.
    pub fn call_on_socket_late(&self, method: &str, parameters: Value) -> Reply {
        let mut running = self.start_on_socket();
        std::thread::sleep(Duration::from_millis(100));
        running.send(&request(method, parameters, false));
        running.finish()
    }

    /// These bytes over a pipe, then the end of input.
    pub fn raw(&self, bytes: &[u8]) -> Reply {
        let mut running = self.start();
        running.send(bytes);
        running.finish()
    }

    /// Sends these bytes over a socket that stays open for writing. What is not read is in [`Reply::left_in_socket`].
    pub fn raw_on_socket(&self, bytes: &[u8]) -> Reply {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let sent = nix::unistd::write(&ours, bytes).unwrap_or(0); // what the queue holds; the rest once it runs
        ours.set_nonblocking(false).unwrap();
        let mut running = self.start_with(ours, theirs);
        running.note(&bytes[..sent]);
        running.send(&bytes[sent..]);
        running.finish()
    }

    /// The broker on pipes, with nothing sent yet.
    pub fn start(&self) -> Running {
        let mut command = self.command();
        Running::on_pipes(command.stdin(Stdio::piped()).stdout(Stdio::piped()))
    }

    /// The broker on a Unix socket, as a listener for `--peer` passes it on, with nothing sent yet.
    pub fn start_on_socket(&self) -> Running {
        let (ours, theirs) = UnixStream::pair().unwrap();
        setsockopt(&theirs, sockopt::PassCred, &true).unwrap();
        self.start_with(ours, theirs)
    }

    fn start_with(&self, ours: UnixStream, theirs: UnixStream) -> Running {
        let mut command = self.command();
        let end = |socket: &UnixStream| Stdio::from(OwnedFd::from(socket.try_clone().unwrap()));
        command.stdin(end(&theirs)).stdout(end(&theirs));
        Running::on_socket(&mut command, ours, theirs)
    }
}

/// One message, ended as Varlink requires.
pub fn request(method: &str, parameters: Value, more: bool) -> Vec<u8> {
    let whole = method.starts_with("io.") || method.starts_with("org.");
    let name = if whole { method.to_owned() } else { format!("io.netbroker.{method}") };
    let mut members = Map::from_iter([("method".to_owned(), name.into()), ("parameters".to_owned(), parameters)]);
    if more {
        members.insert("more".to_owned(), true.into());
    }
    let mut bytes = Value::Object(members).to_string().into_bytes();
    bytes.push(0);
    bytes
}
