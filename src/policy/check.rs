// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Checks which calls, kinds and fields a rule may name, and which it must name: rules 2, 3 and 6 of the language.
#![forbid(unsafe_code)]

use super::constraint::{Constraint, matches};
use super::diagnostics::{Location, Problem, did_you_mean, foreign};
use super::rule::Ruling;
use super::source::{self, ACCOUNTS, At, RuleSyntax};
use super::{WORDS, entries};
use crate::call::field::{Alone, Field};
use crate::call::types::Type;
use crate::call::value::Value;
use crate::call::varlink::PREFIX;
use crate::call::{self, Absence, Call, Effect, Kind, Use};

/// The constraint of a rule on one field.
#[derive(Debug)]
pub(super) struct Named<'s> {
    pub(super) field: &'static Field,
    pub(super) constraint: Constraint,
    /// The place of the constraint.
    pub(super) value: Location<'s>,
    /// Whether the field is in `free`.
    pub(super) free: bool,
}

/// The calls of a rule, each with the place that names it, and the kinds that it names.
#[derive(Debug)]
pub(super) struct Scope<'s> {
    pub(super) calls: Vec<(&'static Call, Location<'s>)>,
    /// Whether it is that of an allow or of a deny.
    ruling: Ruling,
    /// Its constraints on fields that select kinds.
    kinds: Vec<(&'static Field, Constraint)>,
}

/// One kind of a call.
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

    /// Whether it has all fields that a deny names, or the same fields inside a list.
    fn has_all(&self, named: &[Named<'_>]) -> bool {
        named.iter().all(|named| self.call.can_be_met(self.kind, named.field.number))
    }

    /// Whether all kinds of its call have this field.
    fn shares(&self, used: &Use) -> bool {
        self.call.uses.iter().any(|of_all| of_all.field() == used.field())
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
                    let why = format!("`{}` excludes calls, but an allow must list its calls by name", entry.it);
                    problems.push(entry.place.problem(why));
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
            problems.push(first.place.problem("`call` excludes every call that it names"));
        }
        Self { calls, ruling: rule.ruling, kinds: Vec::new() }
    }

    fn varieties(&self) -> impl Iterator<Item = Variety<'s>> + '_ {
        self.calls.iter().flat_map(|(call, place)| {
            let named = call.varieties().filter(|kind| kind.is_none_or(|kind| self.names(call, kind)));
            named.map(|kind| Variety { call, kind, place: *place })
        })
    }

    /// Its constraint on the kinds of a call; `None` if it has none.
    fn kinds(&self, call: &Call) -> Option<&Constraint> {
        self.kinds.iter().find(|(by, _)| call.kinds.by == Some(by)).map(|(_, kinds)| kinds)
    }

    fn names(&self, call: &Call, kind: &Kind) -> bool {
        self.kinds(call).is_none_or(|kinds| kinds.meets(&Value::Word(kind.name), 0))
    }

    /// Whether it lists the kinds of a call.
    fn lists_kinds(&self, call: &Call) -> bool {
        self.kinds(call).is_some_and(|kinds| !kinds.any)
    }

    /// The fields of all its calls and kinds.
    pub(super) fn uses(&self) -> impl Iterator<Item = (&'static Call, &'static Use)> + '_ {
        self.varieties().flat_map(|variety| variety.uses().map(move |used| (variety.call, used)))
    }

    /// The calls that have all fields that a deny names.
    pub(super) fn with_all(&self, named: &[Named<'_>]) -> Vec<&'static Call> {
        let mut calls: Vec<&'static Call> = self.varieties().filter(|v| v.has_all(named)).map(|v| v.call).collect();
        calls.dedup_by_key(|call| call.number);
        calls
    }

    /// Reads the fields of a rule. Those that select kinds are read first, because the others depend on them.
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
            if name.it.contains(['*', '?']) {
                let mut all: Vec<&str> = self.uses().map(|(_, used)| used.field().name).collect();
                all.retain(|field| matches(&name.it, field) && !rule.fields.iter().any(|said| said.name.it == *field));
                all.sort_unstable();
                all.dedup();
                let all: Vec<String> = all.iter().map(|field| format!("\"{field}\"")).collect();
                let list = if all.is_empty() { String::new() } else { format!(": [{}]", all.join(", ")) };
                let why = format!("`{}` is a pattern; `free` must list the fields by name{list}", name.it);
                problems.push(name.place.problem(why));
                continue;
            }
            let Some(field) = self.constrained(name, problems) else { continue };
            if rule.fields.iter().any(|said| said.name.it == name.it) {
                problems.push(
                    name.place.problem(format!("`{}` is both in `free` and constrained; remove one of them", name.it)),
                );
            } else if !named.iter().any(|known| known.field == field) {
                named.push(Named { field, constraint: Constraint::ANY, value: name.place, free: true });
            }
        }
        named
    }

    /// Reads `require`: fields without which an allow does not permit a request. A field that the allow does not name
    /// could never be given.
    pub(super) fn required(
        &self,
        rule: &RuleSyntax<'s>,
        named: &[Named<'_>],
        problems: &mut Vec<Problem>,
    ) -> Vec<&'static Field> {
        let mut required = Vec::new();
        for name in &rule.require {
            let Some(field) = self.field(name, problems) else { continue };
            let is_filter = |used: &Use| used.field() == field && matches!(used.absence, Absence::Any);
            let inside =
                |used: &Use| used.inside() == Some(field) && named.iter().any(|named| named.field == used.field());
            let may_stand = named.iter().any(|named| named.field == field)
                || self.varieties().any(|variety| variety.uses().any(inside))
                || self.varieties().any(|variety| variety.uses().any(is_filter));
            if may_stand {
                required.push(field);
            } else {
                let add = match field.ty {
                    Type::List(_) => "name a field inside it".to_owned(),
                    _ => format!("add `{} = …`, or list it in `free`", name.it),
                };
                let why = format!(
                    "`{}` is in `require`, but this allow does not name it, so it would never permit anything; {add}",
                    name.it
                );
                problems.push(name.place.problem(why));
            }
        }
        required
    }

    /// The field with this name that any kind of the rule's calls has. A deny can also name a field in place of which they
    /// have a range, such as one VLAN.
    fn field(&self, name: &At<'s, String>, problems: &mut Vec<Problem>) -> Option<&'static Field> {
        let known = || self.varieties().flat_map(|variety| variety.uses()).map(|used| used.field());
        let elsewhere = || {
            let of_calls = self.calls.iter().filter(|_| self.ruling == Ruling::Deny);
            of_calls.flat_map(|(call, _)| call.elsewhere_open()).filter(|field| !matches!(field.ty, Type::List(_)))
        };
        let others = || known().filter(|_| self.ruling == Ruling::Deny).filter_map(Field::also_met_as);
        let found = known().chain(others()).chain(elsewhere()).find(|field| field.name == name.it);
        if found.is_none() && !self.calls.is_empty() {
            let hint = match name.it.as_str() {
                key if ACCOUNTS.contains(&key) => {
                    format!("; write whom the rule applies to as {}", source::accounts_as(key))
                }
                other => did_you_mean(other, known().map(|field| field.name).chain(WORDS.iter().copied())),
            };
            problems.push(name.place.problem(format!("`{}` is not a field of {}{hint}", name.it, self.title())));
        }
        found
    }

    /// A field that a rule can constrain. A list of structures can be constrained only by the fields inside it.
    fn constrained(&self, name: &At<'s, String>, problems: &mut Vec<Problem>) -> Option<&'static Field> {
        let field = self.field(name, problems)?;
        if !matches!(field.ty, Type::List(_)) {
            return Some(field);
        }
        let inside = self.varieties().flat_map(|variety| variety.uses()).filter(|used| used.inside() == Some(field));
        let mut names: Vec<String> = inside.map(|used| format!("`{}`", used.field().name)).collect();
        names.dedup();
        let why = format!("`{}` is a list; constrain the fields inside it: {}", name.it, names.join(", "));
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

/// The calls that an entry of `call` stands for.
fn called(raw: &str, ruling: Ruling) -> Result<Vec<&'static Call>, String> {
    let of = |effect| call::all().filter(move |call| call.effect == effect).collect();
    match (raw, ruling) {
        ("@change", Ruling::Deny) => Ok(of(Effect::Changes)),
        ("@read", Ruling::Deny) => Ok(of(Effect::Reads)),
        ("@change" | "@write", Ruling::Allow) => Err(listed(raw, &of(Effect::Changes))),
        ("@read", Ruling::Allow) => Err(listed(raw, &of(Effect::Reads))),
        ("*", Ruling::Allow) => Err(listed(raw, &call::all().collect::<Vec<_>>())),
        (_, Ruling::Allow) if raw.contains(['*', '?']) => {
            let meant: Vec<&Call> = call::all().filter(|call| matches(raw, call.name)).collect();
            let list = if meant.is_empty() { String::new() } else { format!(": {}", to_paste(&meant)) };
            Err(format!(
                "`{raw}` is a pattern; an allow must list its calls by name, since a pattern would also permit calls that \
                 are added later{list}"
            ))
        }
        (_, Ruling::Deny) if raw.contains(['*', '?']) => {
            let found: Vec<_> = call::all().filter(|call| matches(raw, call.name)).collect();
            if found.is_empty() { Err(format!("no call matches `{raw}`")) } else { Ok(found) }
        }
        _ => call::by_name(raw).map(|call| vec![call]).ok_or_else(|| {
            let words = (ruling == Ruling::Deny).then_some(["@change", "@read"]).into_iter().flatten();
            no_call(raw, words)
        }),
    }
}

/// The error for an allow with a word for several calls, with the list to write instead.
fn listed(raw: &str, calls: &[&'static Call]) -> String {
    let note = if raw == "@write" { "; the word in denies is `@change`" } else { "" };
    format!("`{raw}` is for denies only{note}; an allow must list its calls by name: {}", to_paste(calls))
}

/// A list of calls, as `call` has it.
fn to_paste(calls: &[&'static Call]) -> String {
    let names: Vec<String> = calls.iter().map(|call| format!("\"{}\"", call.name)).collect();
    format!("[{}]", names.join(", "))
}

/// The error for an unknown call, with what to write instead. `words` are those that are accepted in place of a call.
pub(crate) fn no_call(raw: &str, words: impl Iterator<Item = &'static str>) -> String {
    if let Some(name) = raw.strip_prefix(PREFIX).filter(|name| call::by_name(name).is_some()) {
        return format!("no call named `{raw}`; write `{name}`");
    }
    let change = (raw == "@write" && words.size_hint().1 != Some(0)).then_some("@change");
    let known: Vec<&str> = call::all().map(|call| call.name).chain(words).collect();
    let near = change.map(|near| format!("; did you mean `{near}`?"));
    let family = raw.split('.').next().unwrap_or_default();
    let of_family: Vec<&str> = call::all().filter(|call| call.family() == family).map(|call| call.name).collect();
    if !of_family.is_empty() {
        let foreign = foreign(raw).map_or_else(String::new, |foreign| format!("; it contains {foreign}"));
        let calls = of_family.join(", ");
        return format!(
            "no call named `{raw}`{foreign}; the calls of {family} are {calls}; see `netbrokerctl describe`"
        );
    }
    match near.unwrap_or_else(|| did_you_mean(raw, known)) {
        hint if hint.is_empty() => format!("no call named `{raw}`; `netbrokerctl describe` lists the calls"),
        hint => format!("no call named `{raw}`{hint}"),
    }
}

/// Refuses an allow that does not name what it must: kinds, required fields, and in a call that changes something every
/// link that absence would leave open. It could never permit the call, or it would permit more than it says.
pub(super) fn allow(rule: &RuleSyntax<'_>, scope: &Scope<'_>, named: &[Named<'_>], problems: &mut Vec<Problem>) {
    problems.extend(open_kinds(scope, named));
    let said = |field: &Field| {
        let written = rule.fields.iter().map(|said| said.name.it.as_str());
        written.chain(rule.free.iter().map(|name| name.it.as_str())).any(|name| name == field.name)
    };
    let this = rule.id.as_ref().map_or_else(|| "this allow".to_owned(), |id| format!("the allow `{}`", id.it));
    let mut reported: Vec<&str> = Vec::new();
    for variety in scope.varieties() {
        // If no field inside a list is named, none need be: the allow does not permit such a list.
        let named = |list: &Field| variety.uses().any(|used| used.inside() == Some(list) && said(used.field()));
        for used in variety.uses().filter(|used| used.inside().is_none_or(named)) {
            let name = used.field().name;
            let why = needed(variety, used, scope).map(str::to_owned).or_else(|| in_place_of(used, rule));
            let Some(why) = why.filter(|_| !said(used.field()) && !reported.contains(&name)) else {
                continue;
            };
            reported.push(name);
            let title = if variety.shares(used) { variety.call.name.to_owned() } else { variety.title() };
            problems.push(variety.place.problem(format!(
                "{this} does not name `{name}`: {title} {why}; add `{name} = …`, or list it in `free`"
            )));
        }
    }
}

/// Why an allow that names a field must also name this range of such fields: else it would permit any range.
fn in_place_of(used: &Use, rule: &RuleSyntax<'_>) -> Option<String> {
    let Some(Alone::RangeOf(one)) = used.field().alone else { return None };
    let is_named = rule.fields.iter().any(|said| said.name.it == one.get().name);
    is_named.then(|| format!("has `{}` in place of `{}`, which the allow names", used.field().name, one.get().name))
}

/// The error for kinds that an allow leaves open: it would also permit kinds that are added later.
fn open_kinds(scope: &Scope<'_>, named: &[Named<'_>]) -> Option<Problem> {
    let is_required = |call: &Call| call.varieties().all(|kind| kind.is_some());
    let (call, _) = scope.calls.iter().find(|(call, _)| !call.kinds.is_empty() && is_required(call))?;
    let kind = named.iter().find(|named| call.kinds.by == Some(named.field) && named.constraint.any)?;
    let listed: Vec<&str> = call.kinds.iter().map(|kind| kind.name).collect();
    let message = format!("an allow must list the kinds of {} by name: {}", call.name, listed.join(", "));
    Some(kind.value.problem(message))
}

/// Why an allow must name a field; `None` if it need not.
fn needed(variety: Variety<'_>, used: &Use, scope: &Scope<'_>) -> Option<&'static str> {
    let opens = variety.call.effect == Effect::Changes && used.field().ty.is_link();
    match used.absence {
        // If no kinds are listed, the fields that they require are unknown.
        Absence::Required => (variety.shares(used) || scope.lists_kinds(variety.call)).then_some("requires it"),
        Absence::Any => opens.then_some("applies to every link without it"),
        Absence::Chosen => opens.then_some("lets the kernel choose the link without it"),
        Absence::Default(_) | Absence::Follows | Absence::Untouched => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::field::{
        FieldId, LINK, MASTER, NETNS, NEXTHOPS, NEXTHOPS_GATEWAY, NEXTHOPS_LINK, NEXTHOPS_WEIGHT,
    };
    use crate::call::{NO_KINDS, Needs, Output, declared};
    use crate::policy::diagnostics::Source;
    use crate::policy::source;

    const fn used(field: &'static Field, absence: Absence) -> Use {
        declared(field, absence)
    }

    /// An invented call that changes something and leaves a link open.
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
        Use { inside: Some(FieldId::of(&NEXTHOPS.field)), ..used(field, absence) }
    }

    /// An invented call with a list of everything that an allow may have to name.
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

    /// The fields that an allow of this call names, and the errors in it.
    fn checked(call: &'static Call, said: &str) -> (Vec<(&'static str, Constraint)>, Vec<String>) {
        let head = "[[allow]]\nid = \"x\"\nwho = \"*\"\ncall = \"Test.Flush\"\n";
        let source = Source { name: "a".to_owned(), text: format!("{head}{said}\n") };
        let mut problems = Vec::new();
        let document = source::read(&source, &mut problems);
        let rule = &document.rules[0];
        let calls = vec![(call, rule.calls[0].place)];
        let mut scope = Scope { calls, ruling: rule.ruling, kinds: Vec::new() };
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
                "the allow `x` does not name `link`: Test.Flush applies to every link without it; add `link = …`, or list it in `free`",
                "the allow `x` does not name `master`: Test.Flush lets the kernel choose the link without it; add `master = …`, or list it in `free`",
            ]
        );
        for said in ["link = \"*\"\nmaster = \"br*\"", "free = [\"link\", \"master\"]"] {
            assert!(refused(&CHANGES, &format!("netns = \"q*\"\n{said}")).is_empty(), "{said}");
        }
        assert!(refused(&READS, "netns = \"q*\"").is_empty());
    }
    #[test]
    fn a_list_is_named_by_what_is_inside() {
        let why = "`nexthops` is a list; constrain the fields inside it: `nexthops.gateway`, `nexthops.link`, \
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
        assert!(refused(&WAYS, "netns = \"q*\"").is_empty()); // it does not permit a list
        assert_eq!(
            refused(&WAYS, "netns = \"q*\"\nnexthops.weight = 1"),
            [
                "the allow `x` does not name `nexthops.gateway`: Test.Flush requires it; add `nexthops.gateway = …`, or list it in `free`",
                "the allow `x` does not name `nexthops.link`: Test.Flush lets the kernel choose the link without it; add `nexthops.link = …`, or list it in `free`",
            ]
        );
        assert!(refused(&WAYS, "netns = \"q*\"\nfree = [\"nexthops.gateway\", \"nexthops.link\"]").is_empty());
    }

    #[test]
    fn what_is_required_of_a_list_is_the_list_or_a_field_that_is_named() {
        let free = "netns = \"q*\"\nfree = [\"nexthops.gateway\", \"nexthops.link\"]\n";
        for field in ["nexthops", "nexthops.gateway"] {
            assert!(refused(&WAYS, &format!("{free}require = [\"{field}\"]")).is_empty());
            let add = match field {
                "nexthops" => "name a field inside it",
                _ => "add `nexthops.gateway = …`, or list it in `free`",
            };
            let never = format!(
                "`{field}` is in `require`, but this allow does not name it, so it would never permit anything; {add}"
            );
            assert_eq!(refused(&WAYS, &format!("netns = \"q*\"\nrequire = [\"{field}\"]")), [never]);
        }
        assert_eq!(refused(&WAYS, &format!("{free}require = [\"nexthops.weight\"]")).len(), 1);
    }
}
