// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Compiles all files of a policy as one: it checks them, resolves users and groups, and produces what the broker
//! reads. One error refuses the whole policy.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use super::check::{self, Named, Scope};
use super::compiled::{self, Damage, Placed, Settings};
use super::diagnostics::{Lines, Location, Problem, Source, did_you_mean};
use super::entries;
use super::rule::{Principal, Rule, Ruling, Touches};
use super::sets::Sets;
use super::source::{self, At, FieldSyntax, RuleSyntax, Scalar, SettingSyntax};
use super::warnings::{self, Warning};
use super::who::{self, Who};
pub use super::who::{Account, Resolve};
use crate::call::field::Field;
use crate::call::needs::Profile;
use crate::call::types::Type;
use crate::call::value::Value;
use crate::call::{Call, Kind};

/// The largest number of bytes of an id.
const ID_BYTES: usize = 64;
/// Words that tests can expect instead of an id.
const NO_IDS: &[&str] = &["silence", "InvalidRequest"];

/// A valid policy.
#[derive(Debug)]
pub struct Policy {
    rules: Vec<Placed>,
    profiles: Vec<(Principal, Profile)>,
    settings: Settings,
    origins: Vec<Origin>,
    warnings: Vec<Warning>,
    users: BTreeMap<String, Problem>,
}

/// Where a rule was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The rule's id.
    pub id: String,
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// Its `description`, if it has one.
    pub description: Option<String>,
    /// The entries of its `who` that name optional accounts which do not exist.
    pub absent: Vec<String>,
    /// Its constraints, as they were written, with their fields.
    pub said: Vec<(&'static str, String)>,
}

impl Policy {
    /// The file that the broker reads.
    ///
    /// # Errors
    /// [`Damage`] if it is larger than the format allows.
    pub fn write(&self) -> Result<Vec<u8>, Damage> {
        compiled::write(&self.rules, &self.profiles, self.settings)
    }

    /// The rules, by the call and the principals under which they are found.
    #[must_use]
    pub fn placed(&self) -> &[Placed] {
        &self.rules
    }

    /// What the allows of each principal need.
    #[must_use]
    pub fn profiles(&self) -> &[(Principal, Profile)] {
        &self.profiles
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Where each rule was written.
    #[must_use]
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// Warnings about single rules and sets that are valid but probably not what was meant.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The users that allows name, each with the first such place, as a problem without a message.
    #[must_use]
    pub fn users(&self) -> &BTreeMap<String, Problem> {
        &self.users
    }

    /// Where the rule with this id was written.
    #[must_use]
    pub fn origin(&self, id: &str) -> Option<&Origin> {
        self.origins.iter().find(|origin| origin.id == id)
    }
}

/// Compiles all files as one policy.
///
/// # Errors
/// All errors, sorted by file, line and column.
pub fn compile(sources: &[Source], resolve: Resolve<'_>) -> Result<Policy, Vec<Problem>> {
    let mut problems = Vec::new();
    let documents: Vec<_> = sources.iter().map(|source| source::read(source, &mut problems)).collect();
    let sets = Sets::collect(&documents, &mut problems);
    let settings = settings(documents.iter().flat_map(|document| &document.settings), &mut problems);
    let mut compiler = Compiler {
        resolve,
        problems,
        rules: Vec::new(),
        profiles: BTreeMap::new(),
        origins: Vec::new(),
        warnings: Vec::new(),
        users: BTreeMap::new(),
    };
    let mut ids = BTreeMap::new();
    let mut lines = Lines::default();
    for rule in documents.iter().flat_map(|document| &document.rules) {
        let rule = open(rule, &sets, resolve, &mut compiler.problems);
        compiler.id(&rule, &mut ids);
        compiler.rule(&rule, lines.number(rule.place));
    }
    let Compiler { mut problems, rules, profiles, origins, mut warnings, users, .. } = compiler;
    if problems.is_empty() {
        warnings.extend(sets.unused());
        warnings.sort();
        warnings.dedup(); // a set has the same warning for each rule that uses it
        return Ok(Policy { rules, profiles: profiles.into_iter().collect(), settings, origins, warnings, users });
    }
    problems.sort();
    problems.dedup(); // a set has the same error for each rule that uses it
    Err(problems)
}

/// A rule with its sets expanded.
fn open<'s>(
    rule: &RuleSyntax<'s>,
    sets: &Sets<'_, 's>,
    resolve: Resolve<'_>,
    problems: &mut Vec<Problem>,
) -> RuleSyntax<'s> {
    let mut rule = rule.clone();
    rule.who = sets.open_texts(&rule.who, &|entry| who::is_missing(entry, resolve), problems);
    for texts in [&mut rule.calls, &mut rule.free, &mut rule.require] {
        *texts = sets.open_texts(texts, &|_| false, problems);
    }
    let touches = rule.touches.iter_mut().flat_map(|touches| &mut touches.it);
    for said in rule.fields.iter_mut().chain(touches) {
        said.entries = sets.open(&said.entries, &|_| false, problems);
    }
    rule
}

struct Compiler<'r> {
    resolve: Resolve<'r>,
    problems: Vec<Problem>,
    rules: Vec<Placed>,
    profiles: BTreeMap<Principal, Profile>,
    origins: Vec<Origin>,
    warnings: Vec<Warning>,
    users: BTreeMap<String, Problem>,
}

impl Compiler<'_> {
    fn id<'s>(&mut self, rule: &RuleSyntax<'s>, ids: &mut BTreeMap<String, Location<'s>>) {
        let Some(At { place, it: id }) = &rule.id else { return };
        let wrong = if id.is_empty() || id.len() > ID_BYTES || !id.bytes().all(|b| b.is_ascii_graphic()) {
            let foreign =
                super::diagnostics::foreign(id).map_or_else(String::new, |foreign| format!("; it contains {foreign}"));
            format!("`id` must have 1 to {ID_BYTES} printable ASCII characters and no spaces{foreign}")
        } else if NO_IDS.contains(&id.as_str()) {
            format!("`{id}` cannot be an id, since tests expect this word where no rule decides")
        } else if let Some(other) = ids.insert(id.clone(), *place) {
            format!("the id `{id}` is already used at {}:{}", other.file(), other.line())
        } else {
            return;
        };
        self.problems.push(place.problem(wrong));
    }

    fn rule(&mut self, rule: &RuleSyntax<'_>, line: usize) {
        let who = who::read(&rule.who, rule.ruling, self.resolve, &mut self.problems, &mut self.warnings);
        let mut scope = Scope::read(rule, &mut self.problems);
        self.name_users(rule);
        let named = scope.fields(rule, &mut self.problems);
        let touches = rule.touches.as_ref().map(|at| self.touches(&at.it));
        let calls: Vec<_> = match rule.ruling {
            Ruling::Allow => {
                check::allow(rule, &scope, &named, &mut self.problems);
                scope.calls.iter().map(|(call, _)| *call).collect()
            }
            Ruling::Deny => self.denied(rule, &scope, &named, touches.as_ref()),
        };
        let require = scope.required(rule, &named, &mut self.problems);
        warnings::of_rule(rule, &scope, &named, &calls, &mut self.warnings);
        self.place(rule, &calls, &Lowered { line, named, require, who, touches });
    }

    /// Records the users that an allow names.
    fn name_users(&mut self, rule: &RuleSyntax<'_>) {
        for entry in rule.who.iter().filter(|_| rule.ruling == Ruling::Allow) {
            if let Some(name) = entry.it.strip_prefix("user:").or_else(|| entry.it.strip_prefix("user?:")) {
                self.users.entry(name.to_owned()).or_insert_with(|| entry.place.problem(""));
            }
        }
    }

    fn touches(&mut self, said: &[FieldSyntax<'_>]) -> Touches {
        let mut touches = Touches { netns: None, link: None };
        for said in said {
            let (ty, slot) = match said.name.it.as_str() {
                "netns" => (Type::Netns, &mut touches.netns),
                "link" => (Type::Link, &mut touches.link),
                other => {
                    let hint = did_you_mean(other, ["netns", "link"]);
                    let wrong = format!("`touches` takes `netns` and `link`, not `{other}`{hint}");
                    self.problems.push(said.name.place.problem(wrong));
                    continue;
                }
            };
            match entries::constraint(said, ty, Ruling::Deny) {
                Ok(constraint) => *slot = Some(constraint),
                Err(refused) => self.problems.extend(refused),
            }
        }
        touches
    }

    /// The calls that a deny applies to: those that have all its fields, and a field that `touches` considers.
    fn denied(
        &mut self,
        rule: &RuleSyntax<'_>,
        scope: &Scope<'_>,
        named: &[Named<'_>],
        touches: Option<&Touches>,
    ) -> Vec<&'static Call> {
        let with_all = scope.with_all(named);
        let looks_at_links = touches.is_some_and(|touches| touches.link.is_some());
        let calls: Vec<_> = with_all.iter().copied().filter(|call| !looks_at_links || call.can_touch_links()).collect();
        let understood = !scope.calls.is_empty() && named.len() == rule.fields.len();
        if understood && with_all.is_empty() {
            self.problems.push(rule.place.problem("no call of this rule has all its fields, so it would deny nothing"));
        } else if let (true, true, Some(At { place, .. })) = (understood, calls.is_empty(), &rule.touches) {
            self.problems
                .push(place.problem("no call of this rule has a field that holds a link, so it would deny nothing"));
        }
        calls
    }

    /// Stores a rule where the broker will look for it: once for each of its calls, with the fields of that call.
    fn place(&mut self, rule: &RuleSyntax<'_>, calls: &[&'static Call], lowered: &Lowered<'_>) {
        let Some(At { it: id, .. }) = &rule.id else { return };
        let Lowered { line, named, require, who, touches } = lowered;
        for call in calls {
            let denies = rule.ruling == Ruling::Deny; // a deny on a field also applies to the same field inside a list
            let fields = named.iter().filter(|named| denies || call.has(named.field));
            let placed = Rule {
                id: id.clone(),
                ruling: rule.ruling,
                except: who.except.clone(),
                fields: fields.map(|named| (named.field.number, named.constraint.clone())).collect(),
                require: require.iter().filter(|field| call.has(field)).map(|field| field.number).collect(),
                touches: touches.clone(),
            };
            self.rules.push(Placed { call: call.number, principals: who.principals.clone(), rule: placed });
            let needed = needed(call, named);
            if rule.ruling == Ruling::Allow {
                for principal in &who.principals {
                    let profile = self.profiles.entry(*principal).or_default();
                    *profile = profile.and(needed);
                }
            }
        }
        let text =
            |named: &Named<'_>| if named.free { "\"*\" (free)".to_owned() } else { one_line(named.value.text()) };
        let said = |named: &Named<'_>| (named.field.name, text(named));
        self.origins.push(Origin {
            id: id.clone(),
            file: rule.place.file().to_owned(),
            line: *line,
            description: rule.description.as_ref().map(|at| at.it.clone()),
            absent: who.absent.clone(),
            said: named.iter().map(said).collect(),
        });
    }
}

/// What the process needs for the part of a call that a rule grants: the union over the kinds that it names.
fn needed(call: &Call, named: &[Named<'_>]) -> Profile {
    let kinds = named.iter().find(|named| call.kinds.by == Some(named.field)).map(|named| &named.constraint);
    let names = |kind: &&Kind| kinds.is_none_or(|kinds| kinds.contains(&Value::Word(kind.name), 0));
    let granted = call.kinds.iter().filter(names).map(|kind| kind.needs);
    granted.fold(call.needs.profile, |all, needs| all.and(needs.profile))
}

/// A rule, as numbers and constraints.
struct Lowered<'s> {
    line: usize,
    named: Vec<Named<'s>>,
    require: Vec<&'static Field>,
    who: Who,
    touches: Option<Touches>,
}

/// A list that was written on several lines, on one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The settings of all files. Each can be given only once.
fn settings<'s, 'd, I>(said: I, problems: &mut Vec<Problem>) -> Settings
where
    I: Iterator<Item = &'d SettingSyntax<'s>>,
    's: 'd,
{
    let mut settings = Settings::default();
    let mut places: BTreeMap<&str, Location<'s>> = BTreeMap::new();
    for SettingSyntax { name, value } in said {
        if let Some(other) = places.insert(&name.it, name.place) {
            let place = format!("{}:{}", other.file(), other.line());
            problems.push(name.place.problem(format!("`{}` is already set at {place}", name.it)));
        }
        match set(&mut settings, &name.it, value.it.as_ref()) {
            Ok(()) => {}
            Err(Unset::Unknown(hint)) => {
                problems.push(name.place.problem(format!("no setting named `{}`{hint}", name.it)));
            }
            Err(Unset::Expected(what)) => {
                problems.push(value.place.problem(format!("`{}` must be {what}", name.it)));
            }
        }
    }
    settings
}

/// Why a setting is invalid.
enum Unset {
    Unknown(String),
    Expected(&'static str),
}

fn set(settings: &mut Settings, name: &str, value: Option<&Scalar>) -> Result<(), Unset> {
    let truth = match value {
        Some(Scalar::Bool(truth)) => Ok(*truth),
        _ => Err(Unset::Expected("true or false")),
    };
    let landlock = match value {
        Some(Scalar::Text(word)) if word == "required" => Ok(true),
        Some(Scalar::Text(word)) if word == "available" => Ok(false),
        _ => Err(Unset::Expected("\"required\" or \"available\"")),
    };
    match name {
        "audit.required" => settings.audit_required = truth?,
        "refusals.show_rule" => settings.show_rule = truth?,
        "confinement.landlock" => settings.landlock_required = landlock?,
        _ => {
            let known = ["audit.required", "refusals.show_rule", "confinement.landlock"];
            return Err(Unset::Unknown(did_you_mean(name, known)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
