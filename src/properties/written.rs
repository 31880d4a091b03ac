// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Rules as a person writes them, how the compiler lowers them, and rules at random.

use std::fmt;

use super::random::Random;
use super::universe::{each, ip, is_outside_of};
use crate::call::field::{Field, KIND};
use crate::call::types::Type;
use crate::policy::constraint::{Constraint, Entries, Numbers, Prefix, Range};
use crate::policy::rule::{Principal, Rule, Ruling, Touches};

/// One entry of a rule for a field, as a person writes it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry {
    Star,
    Pattern(&'static str),
    Between(u64, u64),
    Uid,
    Truth(bool),
    Inside(&'static str, u8),
    Lengths(&'static str, u8, u8, u8),
    Exactly(&'static str, u8),
}

/// What a rule gives for a field: entries, and entries after `!`.
#[derive(Debug, Clone, Default)]
pub(super) struct Says {
    pub(super) gives: Vec<Entry>,
    pub(super) takes: Vec<Entry>,
}

/// A rule as it is written.
#[derive(Clone)]
pub(super) struct Written {
    pub(super) ruling: Ruling,
    pub(super) fields: Vec<(&'static Field, Says)>,
    pub(super) require: Vec<&'static Field>,
    /// The constraints on namespaces and on links.
    pub(super) touches: Option<(Option<Says>, Option<Says>)>,
    pub(super) spares: Vec<Principal>,
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{:?}", self.ruling)?;
        self.fields.iter().try_for_each(|(field, says)| write!(f, " {}={says:?}", field.name))?;
        self.require.iter().try_for_each(|field| write!(f, " require={}", field.name))?;
        write!(f, " touches={:?} spares={:?}", self.touches, self.spares)
    }
}

impl Written {
    pub(super) fn names(&self, field: &Field) -> Option<&Says> {
        self.fields.iter().find(|(named, _)| *named == field).map(|(_, says)| says)
    }

    /// The position of a field that it also names inside a list, or for a second time.
    pub(super) fn names_twice(&self) -> Option<usize> {
        let others = |at: usize| self.fields.iter().enumerate().filter(move |(other, _)| *other != at);
        (0..self.fields.len()).find(|at| {
            let field = self.fields[*at].0;
            others(*at).any(|(_, (other, _))| *other == field || is_outside_of(field, other))
        })
    }

    /// Whether it names a field, or a field inside this list.
    pub(super) fn speaks_of(&self, field: &Field) -> bool {
        let inside = format!("{}.", field.name);
        self.fields.iter().any(|(named, _)| *named == field || named.name.starts_with(&inside))
    }

    /// The rule as the compiler would lower it.
    pub(super) fn rule(&self, id: &str) -> Rule {
        let touches = self.touches.as_ref().map(|(netns, link)| Touches {
            netns: netns.as_ref().map(|says| says.constraint(Type::Netns)),
            link: link.as_ref().map(|says| says.constraint(Type::Link)),
        });
        Rule {
            id: id.to_owned(),
            ruling: self.ruling,
            except: self.spares.clone(),
            fields: self.fields.iter().map(|(field, says)| (field.number, says.constraint(field.ty))).collect(),
            require: self.require.iter().map(|field| field.number).collect(),
            touches,
        }
    }
}

fn lowered(entries: &[Entry], ty: Type) -> Entries {
    let entries = || entries.iter().filter(|entry| !matches!(entry, Entry::Star));
    match each(ty) {
        Type::Bool => Entries::Bools(entries().map(|e| matches!(e, Entry::Truth(true))).collect()),
        Type::Number(..) | Type::Range(..) => {
            let number =
                |entry: &Entry| if let Entry::Between(a, b) = entry { Numbers::Between(*a, *b) } else { Numbers::Uid };
            Entries::Numbers(entries().map(number).collect())
        }
        Type::Address | Type::Gateway | Type::InterfaceAddress | Type::Prefix => {
            let range = |entry: &Entry| match entry {
                Entry::Inside(at, length) => Range::Inside(Prefix::new(ip(at), *length)),
                Entry::Lengths(at, length, least, most) => Range::Lengths(Prefix::new(ip(at), *length), *least, *most),
                Entry::Exactly(at, length) => Range::Exactly(ip(at), *length),
                other => panic!("{other:?}"),
            };
            Entries::Addresses(entries().map(range).collect())
        }
        _ => {
            let pattern =
                |entry: &Entry| if let Entry::Pattern(raw) = entry { (*raw).to_owned() } else { panic!("{entry:?}") };
            Entries::Patterns(entries().map(pattern).collect())
        }
    }
}

impl Says {
    pub(super) fn one(entry: Entry) -> Self {
        Self { gives: vec![entry], takes: Vec::new() }
    }

    pub(super) fn constraint(&self, ty: Type) -> Constraint {
        let any = self.gives.iter().any(|entry| matches!(entry, Entry::Star));
        let except = (!self.takes.is_empty()).then(|| lowered(&self.takes, ty));
        Constraint { any, entries: lowered(&self.gives, ty), except }
    }

    /// A random constraint. Words have patterns in denies only, and kinds are listed in allows.
    pub(super) fn at_random(random: &mut Random, field: &Field, ruling: Ruling) -> Self {
        let mut pool = entries(field.ty, ruling);
        let lists_kinds = ruling == Ruling::Allow && field == &KIND.field;
        if !lists_kinds && random.below(3) == 0 {
            pool = vec![Entry::Star];
        }
        let gives = (0..=random.below(2)).map(|_| *random.of(&pool)).collect();
        let takes = match random.below(3) {
            0 => (0..=random.below(2)).map(|_| *random.of(&entries(field.ty, ruling))).collect(),
            _ => Vec::new(),
        };
        Self { gives, takes }
    }
}

/// Entries of every kind that a field of this type can have. Each matches one of [`values`].
fn entries(ty: Type, ruling: Ruling) -> Vec<Entry> {
    use Entry::{Between, Exactly, Inside, Lengths, Pattern, Truth, Uid};
    match each(ty) {
        Type::Netns => vec![Pattern("@host"), Pattern("q1"), Pattern("q*"), Pattern("?1")],
        Type::Link | Type::AlternativeName => vec![Pattern("a0"), Pattern("?0"), Pattern("v{uid}-x"), Pattern("v*-x")],
        Type::Word(words) => {
            let mut entries: Vec<Entry> = words.all().map(Pattern).collect();
            if ruling == Ruling::Deny {
                entries.extend([Pattern("*e*"), Pattern("?????*")]);
            }
            entries
        }
        Type::Bool => vec![Truth(false), Truth(true)],
        Type::Number(..) | Type::Range(..) => vec![Between(1, 1), Between(1, 5), Between(2, 7), Between(4, 6), Uid],
        Type::Mac => vec![Pattern("fa:*"), Pattern("02:00:00:00:00:01"), Pattern("*:01")],
        Type::Label => vec![Pattern("a0:*"), Pattern("b0:1")],
        Type::Text => vec![Pattern("x*"), Pattern("")],
        Type::List(_) | Type::Several(_) => Vec::new(),
        Type::Address | Type::Gateway => vec![
            Inside("10.0.0.0", 30),
            Inside("10.0.0.4", 30),
            Inside("10.0.0.6", 32),
            Inside("::", 0),
            Inside("0.0.0.0", 0),
        ],
        Type::InterfaceAddress | Type::Prefix => vec![
            Inside("10.0.0.0", 30),
            Inside("10.0.0.4", 30),
            Inside("10.0.0.0", 28),
            Inside("10.0.0.6", 32),
            Inside("10.0.0.4", 31),
            Inside("::", 0),
            Inside("2001:db8::", 127),
            Inside("2001:db8::2", 127),
            Inside("2001:db8::3", 128),
            Lengths("10.0.0.0", 29, 30, 31),
            Lengths("0.0.0.0", 0, 32, 32),
            Lengths("10.0.0.0", 29, 29, 29),
            Exactly("10.0.0.6", 29),
            Exactly("2001:db8::1", 126),
        ],
    }
}
