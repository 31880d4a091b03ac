// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl` sends calls to the broker, and checks, tests, explains and installs policies. It has no privileges of
//! its own.
#![forbid(unsafe_code)]

mod accounts;
mod bridge;
mod call;
mod describe;
mod doctor;
mod edit;
mod enable;
pub(crate) mod examples;
mod explain;
mod files;
mod generate;
mod history;
mod in_force;
mod install;
mod kept;
#[cfg(test)]
mod machine;
mod monitor;
mod names;
mod parameters;
mod policy;
mod put;
mod read;
mod record;
mod replace;
mod show;
mod state;
mod status;
mod test;
mod time;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use nix::errno::Errno;

use crate::policy::diagnostics::{self, Problem};
use crate::refusal::{Exit, describe};
use crate::sys::is_secure_execution;

/// How many errors of a policy are shown.
const MOST_SHOWN: usize = 100;
/// Exit status for an invalid command line (`EX_USAGE`, sysexits.h).
const USAGE: u8 = 64;

/// Send calls to netbroker, and manage its policy.
#[derive(Debug, Parser)]
#[command(name = "netbrokerctl", version, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send one call to the broker
    Call(call::Arguments),
    /// Show the decisions of the broker as they are made, one line for each
    Monitor(monitor::Arguments),
    /// Say what of the installation is missing or wrong, and the command that mends it
    Doctor,
    /// Relay Varlink messages between standard input and output, or a passed socket, and the broker
    Bridge(bridge::Arguments),
    /// Check, test, explain, edit and install policies
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Show the reference of a call, or list all calls
    Describe(describe::Arguments),
    /// Print a file of the source tree that is generated from the declarations of the calls
    #[command(subcommand, hide = true)]
    Generate(generate::What),
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Check policy files as one policy, without changing anything
    Check(policy::Arguments),
    /// Check the policy and put it in force (root only)
    Install(install::Arguments),
    /// Explain which rule decides a call, without sending the call
    Explain(explain::Arguments),
    /// Run the tests of a policy, and list the rules that no test reaches
    Test(test::Arguments),
    /// Link a shipped policy into the policy directory (root only)
    Enable(enable::Arguments),
    /// Remove the link to a shipped policy (root only)
    Disable(enable::Arguments),
    /// Show the effective rules, with sets expanded and accounts resolved
    Show(show::Arguments),
    /// Show which policy is in force, since when, and whether the files have changed (root only)
    Status,
    /// Edit a file of the policy, and save it if the whole policy is valid (root only)
    Edit(edit::Arguments),
    /// List the last policies that were put in force (root only)
    History,
    /// Put an earlier policy in force again, and pin it (root only)
    Rollback(history::Arguments),
}

impl PolicyCommand {
    fn run(&self) -> Result<ExitCode, Failure> {
        match self {
            Self::Check(arguments) => policy::check(arguments),
            Self::Install(arguments) => install::run(arguments),
            Self::Explain(arguments) => explain::run(arguments),
            Self::Test(arguments) => test::run(arguments),
            Self::Enable(arguments) => enable::enable(arguments),
            Self::Disable(arguments) => enable::disable(arguments),
            Self::Show(arguments) => show::run(arguments),
            Self::Status => status::run(),
            Self::Edit(arguments) => edit::run(arguments),
            Self::History => history::list(),
            Self::Rollback(arguments) => history::rollback(arguments),
        }
    }
}

/// Why a command failed.
#[derive(Debug)]
enum Failure {
    /// A message of one line.
    Message(Exit, String),
    /// The policy has these errors.
    Policy(Vec<String>),
    /// The reader of standard output has closed it.
    Closed,
}

impl Failure {
    fn problems(problems: &[Problem]) -> Self {
        let total = format!("netbrokerctl: {}", counted(problems.len(), "error"));
        let more = problems.len().saturating_sub(MOST_SHOWN);
        let more = (more > 0).then(|| format!("… and {more} more"));
        let shown = problems.iter().take(MOST_SHOWN).map(Problem::to_string);
        Self::Policy(shown.chain(more).chain([total]).collect())
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Message(exit, _) => *exit,
            Self::Policy(_) => Exit::Policy,
            Self::Closed => Exit::Unanswered,
        }
    }
}

/// `1 rule`, `2 rules`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Refuses every user except root.
fn require_root(what: &str) -> Result<(), Failure> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    Err(Failure::Message(Exit::NotPrivileged, format!("only root can {what}")))
}

/// A failure after the policy was put in force.
fn in_force_but(why: &str) -> Failure {
    Failure::Message(Exit::System, format!("the policy is in force, but {why}"))
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    if is_secure_execution() {
        warn("must not be setuid, setgid or have file capabilities: it needs no privilege");
        return Exit::NotPrivileged.into();
    }
    let command = match CommandLine::try_parse() {
        Ok(line) => line.command,
        // varlinkctl passes a socket to a program, and no argument.
        Err(_) if std::env::args_os().len() == 1 && bridge::number_passed().is_some() => {
            Command::Bridge(bridge::Arguments::default())
        }
        Err(error) => {
            let shown = error.print(); // help goes to standard output, an error to standard error
            return ExitCode::from(if error.use_stderr() || shown.is_err() { USAGE } else { 0 });
        }
    };
    let ended = match &command {
        Command::Call(arguments) => call::run(arguments),
        Command::Monitor(arguments) => monitor::run(arguments),
        Command::Doctor => doctor::run(),
        Command::Bridge(arguments) => bridge::run(arguments),
        Command::Policy(command) => command.run(),
        Command::Describe(arguments) => describe::run(arguments),
        Command::Generate(what) => generate::run(what),
    };
    ended.unwrap_or_else(|failure| {
        tell(&failure);
        failure.exit().into()
    })
}

fn tell(failure: &Failure) {
    match failure {
        Failure::Message(_, message) => warn(message),
        Failure::Policy(problems) => {
            let _ = writeln!(io::stderr(), "{}", harmless(&problems.join("\n")));
        }
        Failure::Closed => {}
    }
}

/// The message of a system error, without its number.
fn reason(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |number| describe(Errno::from_raw(number)).to_owned())
}

/// Text without what a terminal would obey, such as escape sequences in the name of a file. Lines stay lines.
fn harmless(text: &str) -> String {
    text.split('\n').map(diagnostics::plain).collect::<Vec<_>>().join("\n")
}

/// Prints text on standard error without a prefix. Diagnostics have their own.
fn tell_line(text: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{}", harmless(&text.to_string()));
}

/// Prints one line on standard error. A failure is ignored, because it cannot be reported.
fn warn(message: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "netbrokerctl: {}", harmless(&message.to_string()));
}

/// Writes lines to standard output.
fn print(text: impl fmt::Display) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::Closed,
        _ => Failure::Message(Exit::Unanswered, format!("standard output: {}", reason(&error))),
    })
}
