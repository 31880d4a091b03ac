// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of a policy (`*.test.toml`): requests from invented accounts, each with the rule that is expected to decide.
//!
//! A test is decided by the same function as in the broker, from the bytes that the broker would read. Accounts of the
//! machine are not used: a name that the test file does not invent has an id that no caller has.
#![forbid(unsafe_code)]

mod accounts;
mod syntax;

use std::collections::BTreeSet;
use std::fmt;

pub use self::accounts::Accounts;
use self::syntax::{Scope, Test, TestRequest, Tests};
use super::check::no_call;
use super::compile::{Account, Origin, Policy, compile};
use super::compiled::{self, Compiled};
use super::diagnostics::{Problem, Source, did_you_mean};
use super::source::At;
use crate::call;
use crate::call::name::Text;
use crate::call::request::{Invalid, Request};
use crate::caller::Caller;

/// The id of accounts that a test file does not invent. No caller of a test can have it.
const NO_CALLER: u32 = u32::MAX - 1;
/// The expectation if no rule decides.
const SILENCE: &str = "silence";
/// The expectation if the request is invalid.
const INVALID: &str = "InvalidRequest";

/// One test file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestFile {
    /// The file.
    pub source: Source,
    /// The name of the policy file that it belongs to, even if that does not exist.
    pub beside: String,
}

/// The outcome of all tests.
#[derive(Debug, Default)]
pub struct Report {
    /// The number of tests.
    pub tests: usize,
    /// The number of failed tests.
    pub failed: usize,
    /// Each request that was not decided as expected.
    pub failures: Vec<FailedTest>,
    /// The rules that decided no request of any test.
    pub unreached: Vec<Origin>,
}

impl Report {
    /// The number of tests that passed or failed, as a sentence.
    #[must_use]
    pub fn summary(&self) -> String {
        let tests = if self.tests == 1 { "test" } else { "tests" };
        match self.failed {
            0 => format!("{} {tests} passed", self.tests),
            failed => format!("{failed} of {} {tests} failed", self.tests),
        }
    }
}

/// One request that was not decided as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedTest {
    /// The test file.
    pub file: String,
    /// The line of the request, counted from 1.
    pub line: usize,
    /// The test's name.
    pub name: String,
    /// The call.
    pub call: String,
    /// The expected rule, or the word for no rule.
    pub expected: String,
    /// The decision, in words.
    pub decided: String,
}

impl fmt::Display for FailedTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, name, call, expected, decided } = self;
        let [file, name] = [file, name].map(|text| text.chars().map(harmless).collect::<String>());
        write!(f, "{file}:{line}: {name}: {call}: expected `{expected}`, but {decided}")
    }
}

/// Control characters are escaped before they are printed.
fn harmless(c: char) -> char {
    if Text::parse(c.encode_utf8(&mut [0; 4])).is_ok() { c } else { char::REPLACEMENT_CHARACTER }
}

/// Runs all tests of a policy.
///
/// # Errors
/// All errors in the policy, or else in the test files, sorted by file, line and column.
pub fn run(policy: &[Source], files: &[TestFile]) -> Result<Report, Vec<Problem>> {
    let whole = compile(policy, &|_| Ok(Some(NO_CALLER)))?;
    let (mut problems, mut report, mut reached) = (Vec::new(), Report::default(), BTreeSet::new());
    for file in files {
        let before = problems.len();
        let document = syntax::read(&file.source, &mut problems);
        check(file, &document, policy, &whole, &mut problems);
        if problems.len() == before {
            Running::begin(file, &document, policy)?.all(&mut report, &mut reached);
        }
    }
    if !problems.is_empty() {
        problems.sort();
        return Err(problems);
    }
    report.unreached.extend(whole.origins().iter().filter(|origin| !reached.contains(&origin.id)).cloned());
    Ok(report)
}

/// Refuses names that do not exist: a test that does not mean what it says proves nothing.
fn check(file: &TestFile, document: &Tests<'_>, policy: &[Source], whole: &Policy, problems: &mut Vec<Problem>) {
    if document.scope == Scope::File && !policy.iter().any(|source| source.name == file.beside) {
        let why = format!("no {} is next to this file; `scope = \"all\"` tests the rules of all files", file.beside);
        problems.push(file.source.place(0..0).problem(why));
        return;
    }
    syntax::agree(&document.accounts, problems);
    let in_scope = |origin: &&Origin| document.scope == Scope::All || origin.file == file.beside;
    let ids: Vec<&str> = whole.origins().iter().filter(in_scope).map(|origin| origin.id.as_str()).collect();
    for Test { who, asked, expect, .. } in &document.tests {
        let names = || document.accounts.iter().map(|account| account.name.it.as_str());
        if !names().any(|name| name == who.it) {
            let hint = did_you_mean(&who.it, names());
            let known = who.it.split_once(':').map(|(_, name)| name).filter(|name| names().any(|known| known == *name));
            let hint = known.map_or(hint, |name| format!("; write `{name}` alone"));
            problems.push(who.place.problem(format!("`[accounts]` has no `{}`{hint}", who.it)));
        }
        for At { place, it } in asked.iter().map(|asked| &asked.call).filter(|call| call::by_name(&call.it).is_none()) {
            problems.push(place.problem(no_call(it, std::iter::empty())));
        }
        if !ids.contains(&expect.it.as_str()) && ![SILENCE, INVALID].contains(&expect.it.as_str()) {
            problems.push(expect.place.problem(no_rule(&expect.it, &ids, file, whole)));
        }
    }
}

fn no_rule(id: &str, in_scope: &[&str], file: &TestFile, whole: &Policy) -> String {
    match whole.origin(id) {
        Some(origin) => format!(
            "the rule `{id}` is not in {}, but in {}; `scope = \"all\"` tests the rules of all files",
            file.beside, origin.file
        ),
        None => {
            format!(
                "no rule with the id `{id}`; expected the id of a rule, `silence` or `InvalidRequest`{}",
                did_you_mean(id, in_scope.iter().copied().chain([SILENCE, INVALID]))
            )
        }
    }
}

/// The tests of one file, and the policy compiled with the accounts that they invent.
struct Running<'f> {
    file: &'f TestFile,
    document: &'f Tests<'f>,
    policy: Policy,
    compiled: Compiled<Vec<u8>>,
}

impl<'f> Running<'f> {
    /// The settings and sets of all files apply in every scope. Rules of other files do not apply in the scope of a
    /// file.
    fn begin(file: &'f TestFile, document: &'f Tests<'f>, policy: &[Source]) -> Result<Self, Vec<Problem>> {
        let accounts = Accounts::of(&document.accounts);
        let policy = compile(policy, &|account: Account<'_>| Ok(Some(accounts.number(account).unwrap_or(NO_CALLER))))?;
        let in_scope = |id: &str| {
            document.scope == Scope::All || policy.origin(id).is_some_and(|origin| origin.file == file.beside)
        };
        let rules: Vec<_> = policy.placed().iter().filter(|placed| in_scope(&placed.rule.id)).cloned().collect();
        let written = compiled::write(&rules, policy.profiles(), policy.settings());
        match written.and_then(Compiled::open) {
            Ok(compiled) => Ok(Self { file, document, policy, compiled }),
            Err(damage) => {
                let why = format!("the policy of these tests cannot be compiled: {}", damage.0);
                Err(vec![file.source.place(0..0).problem(why)])
            }
        }
    }

    fn all(&self, report: &mut Report, reached: &mut BTreeSet<String>) {
        for test in &self.document.tests {
            let failures: Vec<_> = test.asked.iter().filter_map(|asked| self.ask(test, asked, reached)).collect();
            report.tests += 1;
            report.failed += usize::from(!failures.is_empty());
            report.failures.extend(failures);
        }
    }

    /// Judges one request. Returns what differs from the expectation.
    fn ask(&self, test: &Test<'_>, asked: &TestRequest<'_>, reached: &mut BTreeSet<String>) -> Option<FailedTest> {
        let accounts = Accounts::of(&self.document.accounts);
        let caller: &Caller = accounts.caller(&test.who.it)?;
        let decided = match Request::parse(call::by_name(&asked.call.it)?, &asked.with, caller.uid) {
            Err(Invalid { field, reason }) if test.expect.it != INVALID => {
                let at = if field.is_empty() { String::new() } else { format!("`{field}`: ") };
                format!("the request is invalid ({INVALID}): {at}{reason}")
            }
            Err(_) => return None,
            Ok(request) => match self.compiled.judge(caller, request) {
                Err(damage) => damage.0.to_owned(),
                Ok(verdict) => {
                    let decision = verdict.decision();
                    reached.extend(decision.rule().map(str::to_owned));
                    if decision.rule().unwrap_or(SILENCE) == test.expect.it {
                        return None;
                    }
                    self.policy.describe(decision, verdict.request())
                }
            },
        };
        let (file, line) = (self.file.source.name.clone(), asked.place.line());
        let (name, call) = (test.name.clone(), asked.call.it.clone());
        Some(FailedTest { file, line, name, call, expected: test.expect.it.clone(), decided })
    }
}

#[cfg(test)]
mod tests;
