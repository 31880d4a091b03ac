// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `[set]`: names for lists. In a list of a rule, `"$name"` stands for the entries of a set, and `"!$name"` excludes
//! each of them.
#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::diagnostics::{Problem, did_you_mean};
use super::source::{At, Document, Scalar, SetSyntax};
use super::warnings::Warning;

/// The sets of all files, and the names of those that a rule uses.
pub(super) struct Sets<'d, 's>(BTreeMap<&'d str, &'d SetSyntax<'s>>, RefCell<BTreeSet<&'d str>>);

impl<'d, 's> Sets<'d, 's> {
    /// Collects the sets. A name can be given only once in all files.
    pub(super) fn collect(documents: &'d [Document<'s>], problems: &mut Vec<Problem>) -> Self {
        let mut sets: BTreeMap<&str, &SetSyntax<'s>> = BTreeMap::new();
        for set in documents.iter().flat_map(|document| &document.sets) {
            let At { place, it: name } = &set.name;
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
                problems.push(place.problem("the name of a set must consist of letters, digits, `-` and `_`"));
            } else if let Some(other) = sets.insert(name, set) {
                let at = format!("{}:{}", other.name.place.file(), other.name.place.line());
                problems.push(place.problem(format!("the set `{name}` is already defined at {at}")));
            }
            for At { place, it } in set.entries.iter().filter(|entry| refers(&entry.it).is_some()) {
                let why = format!("a set cannot contain another set; write the entries of `{it}` in its place");
                problems.push(place.problem(why));
            }
        }
        Self(sets, RefCell::default())
    }

    /// The entries of a list, with its sets expanded. An expanded entry has the place at which the set is named,
    /// because it may be wrong only there. An entry that is wrong everywhere keeps its own place.
    pub(super) fn open(
        &self,
        entries: &[At<'s, Scalar>],
        is_wrong: &dyn Fn(&Scalar) -> bool,
        problems: &mut Vec<Problem>,
    ) -> Vec<At<'s, Scalar>> {
        let mut open = Vec::new();
        for entry in entries {
            let Some((taken_away, name)) = refers(&entry.it) else {
                open.push(entry.clone());
                continue;
            };
            let Some((name, set)) = self.0.get_key_value(name) else {
                let hint = did_you_mean(name, self.0.keys().copied());
                problems.push(entry.place.problem(format!("no set named `{name}`{hint}")));
                continue;
            };
            self.1.borrow_mut().insert(name);
            for At { place, it } in &set.entries {
                let place = if is_wrong(it) { *place } else { entry.place };
                let it = if taken_away { Scalar::Text(format!("!{it}")) } else { it.clone() };
                open.push(At { place, it });
            }
        }
        open
    }

    /// A warning for each set that no rule uses.
    pub(super) fn unused(&self) -> Vec<Warning> {
        let used = self.1.borrow();
        let unused = self.0.iter().filter(|(name, _)| !used.contains(*name));
        let message = |name: &str| format!("no rule uses the set `{name}`; refer to it as `\"${name}\"`, or remove it");
        unused.map(|(name, set)| Warning::new(set.name.place, message(name))).collect()
    }

    /// The same for a list of texts.
    pub(super) fn open_texts(
        &self,
        entries: &[At<'s, String>],
        is_wrong: &dyn Fn(&str) -> bool,
        problems: &mut Vec<Problem>,
    ) -> Vec<At<'s, String>> {
        let is_wrong = |entry: &Scalar| matches!(entry, Scalar::Text(text) if is_wrong(text));
        let scalars: Vec<_> =
            entries.iter().map(|At { place, it }| At { place: *place, it: Scalar::Text(it.clone()) }).collect();
        let mut texts = Vec::new();
        for At { place, it } in self.open(&scalars, &is_wrong, problems) {
            match it {
                Scalar::Text(it) => texts.push(At { place, it }),
                _ => problems.push(place.problem("this set must contain strings only")),
            }
        }
        texts
    }
}

/// The set that an entry names, and whether the entry excludes it.
fn refers(entry: &Scalar) -> Option<(bool, &str)> {
    let Scalar::Text(text) = entry else { return None };
    match text.strip_prefix('!') {
        Some(rest) => rest.strip_prefix('$').map(|name| (true, name)),
        None => text.strip_prefix('$').map(|name| (false, name)),
    }
}
