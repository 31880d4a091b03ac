// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl policy test`, and the tests that each new policy must pass before it is put in force.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::files::{self, Files, INSTALLED, Tree, is_policy, is_test};
use super::{Failure, print};
use crate::policy::compile::Origin;
use crate::policy::testing::{self, Report};
use crate::refusal::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The directory of the policy files; default: that of FILE, or /etc/netbroker/policy.d
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Run only these tests: *.test.toml, or policy files for the tests next to them
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let files = chosen(arguments)?;
    let report = report(&files)?;
    for failure in &report.failures {
        print(failure)?;
    }
    let named: BTreeSet<&str> = files.tests.iter().map(|test| test.beside.as_str()).collect();
    let meant = |origin: &&Origin| arguments.files.is_empty() || named.contains(origin.file.as_str());
    let unreached: Vec<&Origin> = report.unreached.iter().filter(meant).collect();
    for Origin { id, file, line, .. } in &unreached {
        print(format!("{file}:{line}: no test reaches `{id}`"))?;
    }
    let reach = match unreached.len() {
        0 => "the tests reach every rule".to_owned(),
        1 => "the tests do not reach 1 rule".to_owned(),
        count => format!("the tests do not reach {count} rules"),
    };
    print(format!("{}; {reach}", report.summary()))?;
    Ok(if report.failed == 0 { Exit::Done.into() } else { ExitCode::FAILURE })
}

/// Runs the tests of files. Errors in them are errors of the policy.
fn report(files: &Files) -> Result<Report, Failure> {
    testing::run(&files.policy, &files.tests).map_err(|problems| Failure::problems(&problems))
}

/// Refuses a policy that fails one of its own tests.
pub(super) fn passes(files: &Files) -> Result<(), Failure> {
    let report = report(files)?;
    if report.failed == 0 {
        return Ok(());
    }
    let failures = report.failures.iter().map(ToString::to_string);
    Err(Failure::Policy(failures.chain([format!("netbrokerctl: {}", report.summary())]).collect()))
}

fn chosen(arguments: &Arguments) -> Result<Files, Failure> {
    let directory = match (&arguments.directory, parent(&arguments.files)?) {
        (Some(directory), _) => directory.clone(),
        (None, Some(parent)) => parent,
        (None, None) => return Tree::system().files(Path::new(INSTALLED)),
    };
    let mut files = files::given_directory(&directory)?;
    if !arguments.files.is_empty() {
        let tests: Vec<PathBuf> = arguments.files.iter().map(|path| test_file(path)).collect::<Result<_, _>>()?;
        files.tests = files::given_tests(&tests, &directory)?;
    }
    Ok(files)
}

fn test_file(path: &Path) -> Result<PathBuf, Failure> {
    match path.file_name() {
        Some(name) if is_test(name) => Ok(path.to_owned()),
        Some(name) if is_policy(name) => Ok(path.with_extension("test.toml")),
        _ => Err(unusable(format!("{} is neither *.toml nor *.test.toml", path.display()))),
    }
}

/// The one directory of all files.
fn parent(files: &[PathBuf]) -> Result<Option<PathBuf>, Failure> {
    let of = |path: &PathBuf| match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let parents: BTreeSet<PathBuf> = files.iter().map(of).collect();
    match parents.len() {
        0 | 1 => Ok(parents.into_iter().next()),
        _ => Err(unusable("the files are in several directories; choose the policy with `--directory`".to_owned())),
    }
}

fn unusable(why: String) -> Failure {
    Failure::Message(Exit::Policy, why)
}
