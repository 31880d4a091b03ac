// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl`: sends calls to the broker; checks, tests, explains and installs policies. It has no privilege of its
//! own.
#![forbid(unsafe_code)]

mod accounts;
mod call;
mod describe;
mod edit;
mod enable;
mod explain;
mod files;
mod generate;
mod history;
mod install;
mod kept;
#[cfg(test)]
mod machine;
mod names;
mod parameters;
mod policy;
mod read;
mod record;
mod replace;
mod show;
mod state;
mod status;
mod test;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use nix::errno::Errno;

use crate::policy::diagnostics::Problem;
use crate::refusal::Exit;
use crate::sys::is_secure_execution;

/// Status for a command line that cannot be understood (`EX_USAGE`, sysexits.h).
const USAGE: u8 = 64;

/// Typed network operations by policy: ask the broker, and look after its policy.
#[derive(Debug, Parser)]
#[command(name = "netbrokerctl", version, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask the broker to carry out one call
    Call(call::Arguments),
    /// Check, test, explain, edit and install policies
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Show what a call takes and answers; without a call, list them
    Describe(describe::Arguments),
    /// Print a file of the source tree that is made from the declarations of the calls
    #[command(subcommand, hide = true)]
    Generate(generate::What),
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Check policy files as one policy; changes nothing
    Check(policy::Arguments),
    /// Check the policy and put it in force, in one step (root only)
    Install(install::Arguments),
    /// Tell which rule decides a call, and why; asks nobody and changes nothing
    Explain(explain::Arguments),
    /// Run the tests of a policy, and name the rules that no test reaches; changes nothing
    Test(test::Arguments),
    /// Link a shipped policy into the policy directory (root only)
    Enable(enable::Arguments),
    /// Remove the link to a shipped policy (root only)
    Disable(enable::Arguments),
    /// Show the effective rules, sets laid open and accounts resolved; changes nothing
    Show(show::Arguments),
    /// Tell what is in force, since when, and whether the files still say the same (root only)
    Status,
    /// Edit a file of the policy; it counts when the whole policy is sound (root only)
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

/// Why a command did not end well.
#[derive(Debug)]
enum Failure {
    /// In one line.
    Message(Exit, String),
    /// The policy is wrong, in each of these ways.
    Policy(Vec<String>),
    /// The reader of standard output is gone.
    Closed,
}

impl Failure {
    fn problems(problems: &[Problem]) -> Self {
        Self::Policy(problems.iter().map(Problem::to_string).collect())
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Message(exit, _) => *exit,
            Self::Policy(_) => Exit::Policy,
            Self::Closed => Exit::Unanswered,
        }
    }
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
        Err(error) => {
            let shown = error.print(); // help goes to standard output, an error to standard error
            return ExitCode::from(if error.use_stderr() || shown.is_err() { USAGE } else { 0 });
        }
    };
    let ended = match &command {
        Command::Call(arguments) => call::run(arguments),
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
            let _ = writeln!(io::stderr(), "{}", problems.join("\n"));
        }
        Failure::Closed => {}
    }
}

/// An error of the system in its own words, without its number.
fn reason(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |number| Errno::from_raw(number).desc().to_owned())
}

/// Text on standard error as it is: what compilers print has its own beginning.
fn tell_line(text: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// One line on standard error; there is nobody to tell when that fails.
fn warn(message: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "netbrokerctl: {message}");
}

/// Writes lines to standard output.
fn print(text: impl fmt::Display) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::Closed,
        _ => Failure::Message(Exit::Unanswered, format!("standard output: {}", reason(&error))),
    })
}
