// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl policy show`: prints the effective rules in the policy language, with sets expanded, users and groups
//! resolved, and the calls that each rule applies to. The output compiles to the same rules.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::accounts::Accounts;

use super::files::{self, INSTALLED, Tree};
use super::in_force::InForce;
use super::put;
use super::{Failure, history, policy, print, require_root};
use crate::call;
use crate::call::field::FIELDS;
use crate::call::name::Text;
use crate::policy::compile::{Origin, Policy};
use crate::policy::compiled::Settings;
use crate::policy::constraint::{Constraint, Entries, Numbers, Range, UID};
use crate::policy::rule::{Principal, Ruling};
use crate::refusal::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// The directory of the policy files
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// A file whose `[accounts]` table replaces the users and groups of this machine
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// Show the policy in force instead of the files (root only)
    #[arg(long, conflicts_with_all = ["directory", "accounts"])]
    installed: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let (policy, accounts) = if arguments.installed { in_force(&Tree::system())? } else { of_files(arguments)? };
    let name = |principal| accounts.name(principal);
    let shown: Vec<Shown<'_>> = policy.origins().iter().filter_map(|origin| Shown::new(&policy, origin)).collect();
    if arguments.json {
        let rules: Vec<Value> = shown.iter().map(|rule| rule.json(&name)).collect();
        print(format!("{:#}", json!({"settings": settings_json(policy.settings()), "rules": rules})))?;
    } else {
        print(text(policy.settings(), &shown, &name))?;
    }
    Ok(Exit::Done.into())
}

fn of_files(arguments: &Arguments) -> Result<(Policy, Accounts), Failure> {
    let accounts = Accounts::choose(arguments.accounts.as_deref())?;
    let sources = match &arguments.directory {
        Some(directory) => files::given(std::slice::from_ref(directory))?,
        None => Tree::system().policy(Path::new(INSTALLED))?,
    };
    Ok((policy::compiled(&sources, &accounts)?, accounts))
}

/// The policy in force, from its kept sources, if these compile to exactly the same bytes.
fn in_force(tree: &Tree) -> Result<(Policy, Accounts), Failure> {
    require_root("read the policy in force")?;
    let wrong = |why: String| Failure::Message(Exit::Policy, why);
    let in_force = InForce::read(tree).map_err(wrong)?;
    let kept = history::in_force(tree, &in_force)?.ok_or_else(|| {
        wrong(
            "the files of the policy in force are not kept; the next `netbrokerctl policy install` keeps them"
                .to_owned(),
        )
    })?;
    let accounts = Accounts::Recorded(kept.accounts.clone());
    let policy = policy::compiled(&kept.sources(), &accounts)?;
    if put::written(&policy)? != in_force.bytes() {
        return Err(wrong("the kept files do not make the policy in force: another version installed it".to_owned()));
    }
    Ok((policy, accounts))
}

/// The whole policy as text.
fn text(settings: Settings, rules: &[Shown<'_>], name: &dyn Fn(Principal) -> Option<String>) -> String {
    let landlock = if settings.landlock_required { "required" } else { "available" };
    let settings = format!(
        "[audit]\nrequired = {}\n\n[refusals]\nshow_rule = {}\n\n[confinement]\nlandlock = \"{landlock}\"",
        settings.audit_required, settings.show_rule
    );
    let rules = rules.iter().map(|rule| rule.text(name));
    std::iter::once(settings).chain(rules).collect::<Vec<_>>().join("\n\n")
}

fn settings_json(settings: Settings) -> Value {
    json!({
        "audit.required": settings.audit_required,
        "refusals.show_rule": settings.show_rule,
        "confinement.landlock": if settings.landlock_required { "required" } else { "available" },
    })
}

/// One rule, combined from its entries for all its calls.
#[derive(Debug)]
struct Shown<'p> {
    origin: &'p Origin,
    ruling: Ruling,
    principals: &'p [Principal],
    except: &'p [Principal],
    calls: Vec<&'static str>,
    /// The entries of all fields that any call of the rule has, by name.
    fields: BTreeMap<&'static str, Vec<Value>>,
    require: BTreeSet<&'static str>,
    touches: BTreeMap<&'static str, Vec<Value>>,
}

impl<'p> Shown<'p> {
    /// `None` if the rule has no call.
    fn new(policy: &'p Policy, origin: &'p Origin) -> Option<Self> {
        let placed = || policy.placed().iter().filter(|placed| placed.rule.id == origin.id);
        let first = placed().next()?;
        let called = |number: u16| call::all().find(|call| call.number == number).map(|call| call.name);
        let field = |number: u16| FIELDS.iter().find(|field| field.number == number).map(|field| field.name);
        let fields = placed().flat_map(|placed| &placed.rule.fields);
        let touches = first.rule.touches.iter().flat_map(|t| [("netns", &t.netns), ("link", &t.link)]);
        Some(Self {
            origin,
            ruling: first.rule.ruling,
            principals: &first.principals,
            except: &first.rule.except,
            calls: placed().filter_map(|placed| called(placed.call)).collect(),
            fields: fields.filter_map(|(number, of)| Some((field(*number)?, entries(of)))).collect(),
            require: placed().flat_map(|placed| &placed.rule.require).filter_map(|number| field(*number)).collect(),
            touches: touches.filter_map(|(name, of)| Some((name, entries(of.as_ref()?)))).collect(),
        })
    }

    fn who(&self) -> Vec<Value> {
        let given = self.principals.iter().map(|principal| account(*principal));
        let spared = self.except.iter().map(|principal| format!("!{}", account(*principal)));
        given.chain(spared).chain(self.origin.absent.iter().cloned()).map(Value::from).collect()
    }

    /// The ids of accounts, with their names.
    fn names(&self, name: &dyn Fn(Principal) -> Option<String>) -> Vec<(String, String)> {
        let all = self.principals.iter().chain(self.except);
        all.filter_map(|principal| Some((account(*principal), name(*principal)?))).collect()
    }

    fn ruling(&self) -> &'static str {
        match self.ruling {
            Ruling::Allow => "allow",
            Ruling::Deny => "deny",
        }
    }

    fn text(&self, name: &dyn Fn(Principal) -> Option<String>) -> String {
        let Origin { id, file, line, description, .. } = self.origin;
        let list = |values: &[Value]| Value::from(values.to_vec()).to_string(); // lists have the same syntax in JSON and TOML
        let names = self.names(name).into_iter().map(|(number, name)| format!("{number} is {}", name.escape_debug()));
        let names = names.collect::<Vec<_>>().join(", ");
        let mut lines = vec![
            format!("# {}:{line}", file.escape_debug()),
            format!("[[{}]]", self.ruling()),
            format!("id = {}", Value::from(id.as_str())),
        ];
        lines.extend(description.as_ref().map(|text| format!("description = {}", quoted(text))));
        lines.extend([
            format!("who = {}{}{names}", list(&self.who()), if names.is_empty() { "" } else { " # " }),
            format!("call = {}", Value::from(self.calls.clone())),
        ]);
        lines.extend(self.fields.iter().map(|(name, entries)| format!("{name} = {}", list(entries))));
        if !self.require.is_empty() {
            lines.push(format!("require = {}", Value::from(self.require.iter().copied().collect::<Vec<_>>())));
        }
        if !self.touches.is_empty() {
            let touches = self.touches.iter().map(|(name, entries)| format!("{name} = {}", list(entries)));
            lines.push(format!("touches = {{ {} }}", touches.collect::<Vec<_>>().join(", ")));
        }
        lines.join("\n")
    }

    fn json(&self, name: &dyn Fn(Principal) -> Option<String>) -> Value {
        let map = |entries: &BTreeMap<&str, Vec<Value>>| -> Map<String, Value> {
            entries.iter().map(|(name, entries)| ((*name).to_owned(), Value::from(entries.clone()))).collect()
        };
        let names: Map<String, Value> = self.names(name).into_iter().map(|(key, name)| (key, name.into())).collect();
        json!({
            "id": self.origin.id, "description": self.origin.description, "rule": self.ruling(), "file": self.origin.file, "line": self.origin.line,
            "who": self.who(), "names": names, "call": self.calls, "fields": map(&self.fields),
            "require": self.require, "touches": map(&self.touches),
        })
    }
}

/// Free text as a TOML string, with control characters escaped.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        c if Text::parse(c.encode_utf8(&mut [0; 4])).is_ok() => c.to_string(),
        c => format!("\\U{:08X}", u32::from(c)),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

fn account(principal: Principal) -> String {
    match principal {
        Principal::Everyone => "*".to_owned(),
        Principal::Uid(uid) => format!("uid:{uid}"),
        Principal::Gid(gid) => format!("gid:{gid}"),
    }
}

/// The entries of a constraint, as in the policy language.
fn entries(of: &Constraint) -> Vec<Value> {
    let any = of.any.then(|| Value::from("*"));
    let taken = of.except.iter().flat_map(written);
    let taken = taken.map(|entry| match entry {
        Value::String(text) => format!("!{text}").into(),
        other => format!("!{other}").into(),
    });
    any.into_iter().chain(written(&of.entries)).chain(taken).collect()
}

fn written(entries: &Entries) -> Vec<Value> {
    match entries {
        Entries::Patterns(patterns) => patterns.iter().map(|pattern| pattern.as_str().into()).collect(),
        Entries::Bools(truths) => truths.iter().map(|truth| (*truth).into()).collect(),
        Entries::Numbers(numbers) => numbers.iter().map(|numbers| number(*numbers)).collect(),
        Entries::Addresses(ranges) => ranges.iter().map(|range| addresses(*range).into()).collect(),
    }
}

fn number(numbers: Numbers) -> Value {
    match numbers {
        Numbers::Between(least, most) if least == most => least.into(),
        Numbers::Between(least, most) => format!("{least}..{most}").into(),
        Numbers::Uid => UID.into(),
    }
}

fn addresses(range: Range) -> String {
    match range {
        Range::Inside(prefix) => format!("{}/{}", prefix.network, prefix.length),
        Range::Lengths(prefix, least, most) => format!("{}/{} len {least}..{most}", prefix.network, prefix.length),
        // Without `len` it would mean the same, but cause a warning.
        Range::Exactly(address, length) => format!("{address}/{length} len {length}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::compile::{Account, compile};
    use crate::policy::diagnostics::Source;
    use crate::policy::rule::Rule;

    const POLICY: &str = r#"
[audit]
required = false

[set]
ports = ["qr-*", "lo", "v{uid}-\u002d"]
who = ["user:neutron", "group:netusers"]

[[allow]]
id = "l3"
description = "a \"b\\ \u202e\t of routers"
who = ["$who", "!uid:7", "user?:gone"]
call = ["Address.Add", "Link.Set", "Link.Add"]
kind = "veth"
netns = ["q*", "@host", "!qdhcp-*"]
link = ["$ports", "!qr-7"]
peer.name = "eth0"
address = ["10.0.0.0/8", "10.0.0.0/8 len 24..28", "192.0.2.1/24", "2001:db8::/32", "!10.7.0.0/16"]
metric = [5, "7..9", "!8"]
mtu = ["{uid}", "1280..1500"]
up = true
alias = ["*", "!\"x\\*"]
free = ["scope", "nodad", "peer.netns"]
require = ["up", "address"]

[[deny]]
id = "uplinks"
who = ["*", "!group:netusers"]
call = ["@change", "!Netns.Add"]
touches = { netns = ["@host", "mgmt"], link = ["eth*", "!eth7"] }

[[allow]]
id = "ways"
who = "*"
call = ["Route.Add", "Route.Delete"]
netns = "q*"
link = "$ports"
destination = "*"
nexthops = { gateway = ["10.0.0.0/8"], link = "$ports", weight = "1..8" }
require = ["nexthops", "nexthops.gateway"]
"#;

    fn compiled(name: &str, text: &str) -> Policy {
        let account = |account: Account<'_>| {
            let number = if account == Account::User("neutron") { 64100 } else { 2000 };
            Ok((account != Account::User("gone")).then_some(number))
        };
        compile(&[Source { name: name.to_owned(), text: text.to_owned() }], &account)
            .unwrap_or_else(|problems| panic!("{}\n{text}", problems[0]))
    }

    fn shown(policy: &Policy) -> String {
        let rules: Vec<Shown<'_>> = policy.origins().iter().filter_map(|origin| Shown::new(policy, origin)).collect();
        let name = |principal| (principal == Principal::Uid(64100)).then(|| "neutron\n".to_owned());
        text(policy.settings(), &rules, &name)
    }

    /// The rules with their fields sorted. `free` and `"*"` are written the same.
    fn rules(policy: &Policy) -> Vec<(u16, Vec<Principal>, Rule)> {
        let free = |of: &Constraint| of.any && of.except.is_none() && written(&of.entries).is_empty();
        let sorted = |rule: &Rule| {
            let mut rule = rule.clone();
            rule.fields.iter_mut().filter(|(_, of)| free(of)).for_each(|(_, of)| *of = Constraint::ANY);
            rule.fields.sort_by_key(|(number, _)| *number);
            rule.require.sort_unstable();
            rule
        };
        let placed = policy.placed().iter();
        placed.map(|placed| (placed.call, placed.principals.clone(), sorted(&placed.rule))).collect()
    }

    #[test]
    fn what_is_shown_is_the_same_policy() {
        let policy = compiled("10-l3.toml", POLICY);
        let text = shown(&policy);
        let again = compiled("x", &text);
        assert_eq!(rules(&again), rules(&policy), "{text}");
        assert_eq!((again.settings(), again.profiles()), (policy.settings(), policy.profiles()));
        for line in [
            "# 10-l3.toml:9\n[[allow]]\nid = \"l3\"\ndescription = \"a \\\"b\\\\ \\U0000202E\\U00000009 of routers\"\n",
            "who = [\"uid:64100\",\"gid:2000\",\"!uid:7\",\"user?:gone\"] # uid:64100 is neutron\\n\n",
            "link = [\"qr-*\",\"lo\",\"v{uid}--\",\"!qr-7\"]\n",
            "touches = { link = [\"eth*\",\"!eth7\"], netns = [\"@host\",\"mgmt\"] }",
            "nexthops.gateway = [\"10.0.0.0/8\"]\nnexthops.link = [\"qr-*\",\"lo\",\"v{uid}--\"]\nnexthops.weight = [\"1..8\"]\n",
            "require = [\"nexthops\",\"nexthops.gateway\"]",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_rule_as_json_says_the_same() {
        let policy = compiled("10-l3.toml", POLICY);
        let rule = Shown::new(&policy, policy.origin("l3").unwrap()).unwrap().json(&|_| None);
        assert_eq!((&rule["rule"], &rule["line"]), (&json!("allow"), &json!(9)));
        assert_eq!(rule["who"], json!(["uid:64100", "gid:2000", "!uid:7", "user?:gone"]));
        assert_eq!(rule["description"], json!("a \"b\\ \u{202e}\t of routers"));
        assert_eq!(rule["fields"]["metric"], json!([5, "7..9", "!8"]));
        assert_eq!(rule["require"], json!(["address", "up"]));
    }
}
