// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which calls, kinds and fields a rule may name, and which it must: rules 2, 3 and 6 of the language.
#![forbid(unsafe_code)]

use super::constraint::{Constraint, matches};
use super::diagnostics::{Location, Problem, did_you_mean};
use super::rule::Ruling;
use super::source::{At, RuleSyntax};
use super::{WORDS, entries};
use crate::call::field::Field;
use crate::call::types::Type;
use crate::call::value::Value;
use crate::call::{self, Absence, Call, Effect, Kind, Use};

/// What a rule says of one field.
#[derive(Debug)]
pub(super) struct Named<'s> {
    pub(super) field: &'static Field,
    pub(super) constraint: Constraint,
    /// Where it says so.
    pub(super) value: Location<'s>,
    /// Whether it stands in `free`.
    pub(super) free: bool,
}

/// The calls of a rule, each with the place that names it, and the kinds that it names.
#[derive(Debug)]
pub(super) struct Scope<'s> {
    pub(super) calls: Vec<(&'static Call, Location<'s>)>,
    /// What it says of the fields that select varieties.
    kinds: Vec<(&'static Field, Constraint)>,
}

/// One variety of a call.
#[derive(Debug, Clone, Copy)]
struct Variety<'s> {
    call: &'static Call,
    kind: Option<&'static Kind>,
    place: Location<'s>,
}

impl Variety<'_> {
    fn uses(&self) -> impl Iterator<Item = &'static Use> + use<> {
        self.call.uses(self.kind)
    }

    /// Whether it has all that a deny names, or the same inside a list.
    fn has_all(&self, named: &[Named<'_>]) -> bool {
        named.iter().all(|named| self.uses().any(|used| used.field.is_met_as(named.field.number)))
    }

    /// Whether all varieties of its call have this field.
    fn shares(&self, used: &Use) -> bool {
        self.call.uses.iter().any(|of_all| of_all.field == used.field)
    }

    /// Its name in messages.
    fn title(&self) -> String {
        self.kind.map_or_else(|| self.call.name.to_owned(), |kind| format!("{} of a {}", self.call.name, kind.name))
    }
}

impl<'s> Scope<'s> {
    /// Reads `call`.
    pub(super) fn read(rule: &RuleSyntax<'s>, problems: &mut Vec<Problem>) -> Self {
        let mut calls: Vec<(&'static Call, Location<'s>)> = Vec::new();
        let mut spared: Vec<u16> = Vec::new();
        for entry in &rule.calls {
            let (taken_away, raw) = entry.it.strip_prefix('!').map_or((false, entry.it.as_str()), |raw| (true, raw));
            match called(raw, rule.ruling) {
                Ok(_) if taken_away && rule.ruling == Ruling::Allow => {
                    problems.push(entry.place.problem(format!("`{}`: an allow lists its calls one by one", entry.it)));
                }
                Ok(found) if taken_away => spared.extend(found.iter().map(|call| call.number)),
                Ok(found) => calls.extend(found.into_iter().map(|call| (call, entry.place))),
                Err(why) => problems.push(entry.place.problem(why)),
            }
        }
        calls.sort_by_key(|(call, _)| call.number);
        calls.dedup_by_key(|(call, _)| call.number);
        calls.retain(|(call, _)| !spared.contains(&call.number));
        if let (true, Some(first)) = (calls.is_empty() && !spared.is_empty(), rule.calls.first()) {
            problems.push(first.place.problem("`call` takes away every call that it names"));
        }
        Self { calls, kinds: Vec::new() }
    }

    fn varieties(&self) -> impl Iterator<Item = Variety<'s>> + '_ {
        self.calls.iter().flat_map(|(call, place)| {
            let named = call.varieties().filter(|kind| kind.is_none_or(|kind| self.names(call, kind)));
            named.map(|kind| Variety { call, kind, place: *place })
        })
    }

    /// What it says of the kinds of a call; `None`: nothing.
    fn kinds(&self, call: &Call) -> Option<&Constraint> {
        self.kinds.iter().find(|(by, _)| call.kinds.by == Some(by)).map(|(_, kinds)| kinds)
    }

    fn names(&self, call: &Call, kind: &Kind) -> bool {
        self.kinds(call).is_none_or(|kinds| kinds.meets(&Value::Word(kind.name), 0))
    }

    /// Whether it lists the kinds of a call that it means.
    fn lists_kinds(&self, call: &Call) -> bool {
        self.kinds(call).is_some_and(|kinds| !kinds.any)
    }

    /// The fields of all calls and kinds that it means.
    pub(super) fn uses(&self) -> impl Iterator<Item = (&'static Call, &'static Use)> + '_ {
        self.varieties().flat_map(|variety| variety.uses().map(move |used| (variety.call, used)))
    }

    /// The calls that have all that a deny names.
    pub(super) fn with_all(&self, named: &[Named<'_>]) -> Vec<&'static Call> {
        let mut calls: Vec<&'static Call> = self.varieties().filter(|v| v.has_all(named)).map(|v| v.call).collect();
        calls.dedup_by_key(|call| call.number);
        calls
    }

    /// Reads the fields of a rule, those that select varieties first: they decide which others there are.
    pub(super) fn fields(&mut self, rule: &RuleSyntax<'s>, problems: &mut Vec<Problem>) -> Vec<Named<'s>> {
        let mut named = Vec::new();
        let selects = |name: &str| self.calls.iter().any(|(call, _)| call.kinds.by.is_some_and(|by| by.name == name));
        let (kind, others): (Vec<_>, Vec<_>) = rule.fields.iter().partition(|said| selects(&said.name.it));
        for said in kind.into_iter().chain(others) {
            let Some(field) = self.constrained(&said.name, problems) else { continue };
            match entries::constraint(said, field.ty, rule.ruling) {
                Ok(constraint) => {
                    if self.calls.iter().any(|(call, _)| call.kinds.by == Some(field)) {
                        self.kinds.push((field, constraint.clone()));
                    }
                    named.push(Named { field, constraint, value: said.value, free: false });
                }
                Err(refused) => problems.extend(refused),
            }
        }
        for name in &rule.free {
            let Some(field) = self.constrained(name, problems) else { continue };
            if rule.fields.iter().any(|said| said.name.it == name.it) {
                problems.push(name.place.problem(format!("`{}` is free and constrained in the same rule", name.it)));
            } else if !named.iter().any(|known| known.field == field) {
                named.push(Named { field, constraint: Constraint::ANY, value: name.place, free: true });
            }
        }
        named
    }

    /// Reads `require`: fields without which an allow does not permit. One that it does not name could never be there.
    pub(super) fn required(
        &self,
        rule: &RuleSyntax<'s>,
        named: &[Named<'_>],
        problems: &mut Vec<Problem>,
    ) -> Vec<&'static Field> {
        let mut required = Vec::new();
        for name in &rule.require {
            let Some(field) = self.field(name, problems) else { continue };
            let is_filter = |used: &Use| used.field == field && matches!(used.absence, Absence::Any);
            let inside = |used: &Use| used.inside == Some(field) && named.iter().any(|named| named.field == used.field);
            let may_stand = named.iter().any(|named| named.field == field)
                || self.varieties().any(|variety| variety.uses().any(inside))
                || self.varieties().any(|variety| variety.uses().any(is_filter));
            if may_stand {
                required.push(field);
            } else {
                let why = format!("`{}` is required, but this allow does not name it: it could never permit", name.it);
                problems.push(name.place.problem(why));
            }
        }
        required
    }

    /// The field of this name that some variety of the rule's calls has.
    fn field(&self, name: &At<'s, String>, problems: &mut Vec<Problem>) -> Option<&'static Field> {
        let known = || self.varieties().flat_map(|variety| variety.uses()).map(|used| used.field);
        let found = known().find(|field| field.name == name.it);
        if found.is_none() && !self.calls.is_empty() {
            let hint = did_you_mean(&name.it, known().map(|field| field.name).chain(WORDS.iter().copied()));
            problems.push(name.place.problem(format!("`{}` is no field of {}{hint}", name.it, self.title())));
        }
        found
    }

    /// Such a field, of which a rule can say something: of a list of structures only by its fields.
    fn constrained(&self, name: &At<'s, String>, problems: &mut Vec<Problem>) -> Option<&'static Field> {
        let field = self.field(name, problems)?;
        if !matches!(field.ty, Type::List(_)) {
            return Some(field);
        }
        let inside = self.varieties().flat_map(|variety| variety.uses()).filter(|used| used.inside == Some(field));
        let mut names: Vec<String> = inside.map(|used| format!("`{}`", used.field.name)).collect();
        names.dedup();
        let why = format!("`{}` is a list: a rule names what is inside, {}", name.it, names.join(", "));
        problems.push(name.place.problem(why));
        None
    }

    /// Its calls in messages.
    fn title(&self) -> String {
        match self.varieties().collect::<Vec<_>>().as_slice() {
            [one] => one.title(),
            _ if self.calls.len() <= 3 => self.calls.iter().map(|(call, _)| call.name).collect::<Vec<_>>().join(", "),
            _ => "any call of this rule".to_owned(),
        }
    }
}

/// The calls that an entry of `call` means.
fn called(raw: &str, ruling: Ruling) -> Result<Vec<&'static Call>, String> {
    let of = |effect| call::all().filter(move |call| call.effect == effect).collect();
    match (raw, ruling) {
        ("@change", Ruling::Deny) => Ok(of(Effect::Changes)),
        ("@read", Ruling::Deny) => Ok(of(Effect::Reads)),
        (_, Ruling::Allow) if raw == "*" || raw.starts_with('@') => {
            Err(format!("`{raw}`: an allow lists its calls one by one"))
        }
        (_, Ruling::Allow) if raw.contains(['*', '?']) => {
            Err(format!("`{raw}`: an allow lists its calls one by one; a pattern would permit what is added later"))
        }
        (_, Ruling::Deny) if raw.contains(['*', '?']) => {
            let found: Vec<_> = call::all().filter(|call| matches(raw, call.name)).collect();
            if found.is_empty() { Err(format!("no call fits `{raw}`")) } else { Ok(found) }
        }
        _ => call::by_name(raw).map(|call| vec![call]).ok_or_else(|| {
            let words = (ruling == Ruling::Deny).then_some(["@change", "@read"]).into_iter().flatten();
            format!("there is no call `{raw}`{}", did_you_mean(raw, call::all().map(|call| call.name).chain(words)))
        }),
    }
}

/// Refuses an allow that leaves out what it must name: kinds, required fields, and in a call that changes something
/// every link that absence would leave open. It could never permit the call, or it would permit more than it says.
pub(super) fn allow(rule: &RuleSyntax<'_>, scope: &Scope<'_>, named: &[Named<'_>], problems: &mut Vec<Problem>) {
    problems.extend(open_kinds(scope, named));
    let said = |field: &Field| {
        let written = rule.fields.iter().map(|said| said.name.it.as_str());
        written.chain(rule.free.iter().map(|name| name.it.as_str())).any(|name| name == field.name)
    };
    let this = rule.id.as_ref().map_or_else(|| "this allow".to_owned(), |id| format!("the allow `{}`", id.it));
    let mut reported: Vec<&str> = Vec::new();
    for variety in scope.varieties() {
        // What is inside a list need not be named as long as the list is not: the allow permits no such list.
        let named = |list: &Field| variety.uses().any(|used| used.inside == Some(list) && said(used.field));
        for used in variety.uses().filter(|used| used.inside.is_none_or(named)) {
            let name = used.field.name;
            let Some(why) = needed(variety, used, scope).filter(|_| !said(used.field) && !reported.contains(&name))
            else {
                continue;
            };
            reported.push(name);
            let title = if variety.shares(used) { variety.call.name.to_owned() } else { variety.title() };
            problems.push(variety.place.problem(format!("{this} does not name `{name}`: {title} {why}")));
        }
    }
}

/// Kinds that an allow leaves open: one that is added later would be permitted, too.
fn open_kinds(scope: &Scope<'_>, named: &[Named<'_>]) -> Option<Problem> {
    let is_required = |call: &Call| call.varieties().all(|kind| kind.is_some());
    let (call, _) = scope.calls.iter().find(|(call, _)| !call.kinds.is_empty() && is_required(call))?;
    let kind = named.iter().find(|named| call.kinds.by == Some(named.field) && named.constraint.any)?;
    let listed: Vec<&str> = call.kinds.iter().map(|kind| kind.name).collect();
    let message = format!("an allow lists the kinds of {} one by one: {}", call.name, listed.join(", "));
    Some(kind.value.problem(message))
}

/// Why an allow must name a field; `None` where it need not.
fn needed(variety: Variety<'_>, used: &Use, scope: &Scope<'_>) -> Option<&'static str> {
    let opens = variety.call.effect == Effect::Changes && matches!(used.field.ty, Type::Link);
    match used.absence {
        // As long as no kinds are listed, what they need is not known.
        Absence::Required => (variety.shares(used) || scope.lists_kinds(variety.call)).then_some("always has it"),
        Absence::Any => opens.then_some("without it means every link"),
        Absence::Chosen => opens.then_some("without it leaves the link to the kernel"),
        Absence::Default(_) | Absence::Follows | Absence::Untouched => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::field::{LINK, MASTER, NETNS, NEXTHOPS, NEXTHOPS_GATEWAY, NEXTHOPS_LINK, NEXTHOPS_WEIGHT};
    use crate::call::{NO_KINDS, Naming, Needs, Output};
    use crate::policy::diagnostics::Source;
    use crate::policy::source;

    const fn used(field: &'static Field, absence: Absence) -> Use {
        Use { field, absence, counts_in: &[], also_in: None, inside: None, naming: Naming::Refers }
    }

    /// Invented: no call of the first half leaves a link open and changes something.
    const FLUSH: Call = Call {
        name: "Test.Flush",
        number: 999,
        effect: Effect::Changes,
        needs: Needs::NET_ADMIN,
        doc: "",
        elsewhere: "",
        uses: &[
            used(&NETNS.field, Absence::Required),
            used(&LINK.field, Absence::Any),
            used(&MASTER.field, Absence::Chosen),
        ],
        kinds: NO_KINDS,
        excludes: &[],
        leaves_open: &[],
        settle: |_| Ok(()),
        result: Output { parts: &[], streams: false },
    };
    static CHANGES: Call = FLUSH;
    static READS: Call = Call { effect: Effect::Reads, ..FLUSH };

    const fn inside(field: &'static Field, absence: Absence) -> Use {
        Use { inside: Some(&NEXTHOPS.field), ..used(field, absence) }
    }

    /// Invented, too: a list with all that an allow may have to name.
    static WAYS: Call = Call {
        uses: &[
            used(&NETNS.field, Absence::Required),
            used(&NEXTHOPS.field, Absence::Untouched),
            inside(&NEXTHOPS_GATEWAY.field, Absence::Required),
            inside(&NEXTHOPS_LINK.field, Absence::Chosen),
            inside(&NEXTHOPS_WEIGHT.field, Absence::Untouched),
        ],
        ..FLUSH
    };

    /// What an allow of this call names, and what is wrong with it.
    fn checked(call: &'static Call, said: &str) -> (Vec<(&'static str, Constraint)>, Vec<String>) {
        let head = "[[allow]]\nid = \"x\"\nwho = \"*\"\ncall = \"Test.Flush\"\n";
        let source = Source { name: "a".to_owned(), text: format!("{head}{said}\n") };
        let mut problems = Vec::new();
        let document = source::read(&source, &mut problems);
        let rule = &document.rules[0];
        let mut scope = Scope { calls: vec![(call, rule.calls[0].place)], kinds: Vec::new() };
        let named = scope.fields(rule, &mut problems);
        allow(rule, &scope, &named, &mut problems);
        scope.required(rule, &named, &mut problems);
        let named = named.into_iter().map(|named| (named.field.name, named.constraint)).collect();
        (named, problems.into_iter().map(|problem| problem.message).collect())
    }

    fn refused(call: &'static Call, said: &str) -> Vec<String> {
        checked(call, said).1
    }

    #[test]
    fn an_allow_that_changes_names_every_link_that_absence_leaves_open() {
        assert_eq!(
            refused(&CHANGES, "netns = \"q*\""),
            [
                "the allow `x` does not name `link`: Test.Flush without it means every link",
                "the allow `x` does not name `master`: Test.Flush without it leaves the link to the kernel",
            ]
        );
        for said in ["link = \"*\"\nmaster = \"br*\"", "free = [\"link\", \"master\"]"] {
            assert!(refused(&CHANGES, &format!("netns = \"q*\"\n{said}")).is_empty(), "{said}");
        }
        assert!(refused(&READS, "netns = \"q*\"").is_empty());
    }
    #[test]
    fn a_list_is_named_by_what_is_inside() {
        let why = "`nexthops` is a list: a rule names what is inside, `nexthops.gateway`, `nexthops.link`, \
            `nexthops.weight`";
        for said in ["nexthops = \"*\"", "nexthops = [[\"a\"]]", "free = [\"nexthops\"]"] {
            let problems = refused(&WAYS, &format!("netns = \"q*\"\n{said}"));
            assert_eq!(problems.last().map(String::as_str), Some(why), "{said}: {problems:?}");
        }
        let (dotted, wrong) =
            checked(&WAYS, "netns = \"q*\"\nnexthops.gateway = [\"10.0.0.0/8\"]\nnexthops.link = [\"qr-*\"]");
        let table = checked(&WAYS, "netns = \"q*\"\nnexthops = { gateway = [\"10.0.0.0/8\"], link = [\"qr-*\"] }");
        assert_eq!((&dotted, &wrong), (&table.0, &table.1));
        assert!(dotted.len() == 3 && wrong.is_empty(), "{dotted:?} {wrong:?}");
    }

    #[test]
    fn an_allow_that_names_something_inside_a_list_names_all_that_it_must() {
        assert!(refused(&WAYS, "netns = \"q*\"").is_empty()); // it permits no list
        assert_eq!(
            refused(&WAYS, "netns = \"q*\"\nnexthops.weight = 1"),
            [
                "the allow `x` does not name `nexthops.gateway`: Test.Flush always has it",
                "the allow `x` does not name `nexthops.link`: Test.Flush without it leaves the link to the kernel",
            ]
        );
        assert!(refused(&WAYS, "netns = \"q*\"\nfree = [\"nexthops.gateway\", \"nexthops.link\"]").is_empty());
    }

    #[test]
    fn what_is_required_of_a_list_is_the_list_or_a_field_that_is_named() {
        let free = "netns = \"q*\"\nfree = [\"nexthops.gateway\", \"nexthops.link\"]\n";
        for field in ["nexthops", "nexthops.gateway"] {
            assert!(refused(&WAYS, &format!("{free}require = [\"{field}\"]")).is_empty());
            let never = format!("`{field}` is required, but this allow does not name it: it could never permit");
            assert_eq!(refused(&WAYS, &format!("netns = \"q*\"\nrequire = [\"{field}\"]")), [never]);
        }
        assert_eq!(refused(&WAYS, &format!("{free}require = [\"nexthops.weight\"]")).len(), 1);
    }
}
