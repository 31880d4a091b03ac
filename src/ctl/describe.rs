// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl describe`: the reference of a call, from its declaration.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::process::ExitCode;

use super::{Failure, parameters, print};
use crate::call::error::ERRORS;
use crate::call::types::Type;
use crate::call::varlink::absence;
use crate::call::{self, Call, Effect, Part, Shape, Use};
use crate::refusal::{Exit, exit};

/// Columns of a line.
const WIDTH: usize = 100;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The call, such as `Address.Add`
    call: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let text = match &arguments.call {
        Some(name) => reference(parameters::call(name)?),
        None => list(),
    };
    print(text.trim_end())?;
    Ok(Exit::Done.into())
}

/// All calls, each on a line with the first sentence of its documentation.
fn list() -> String {
    let width = call::all().map(|call| call.name.len()).max().unwrap_or(0);
    let lines = call::all().map(|call| format!("{:width$}  {}: {}\n", call.name, effect(call), summary(call)));
    lines.collect()
}

/// The first sentence of the documentation of a call, without the full stop.
pub(super) fn summary(call: &'static Call) -> &'static str {
    call.doc.split_once(". ").map_or(call.doc, |(first, _)| first).trim_end_matches('.')
}

pub(super) fn effect(call: &Call) -> &'static str {
    match call.effect {
        Effect::Reads => "reads",
        Effect::Changes => "changes",
    }
}

fn reference(call: &'static Call) -> String {
    let mut out = format!("{} ({})\n", call.name, effect(call));
    paragraph(&mut out, 2, call.doc);
    if !call.elsewhere.is_empty() {
        out.push_str("\nSide effects\n");
        paragraph(&mut out, 2, call.elsewhere);
    }
    out.push_str("\nFields\n");
    call.uses.iter().for_each(|used| field(&mut out, call, used));
    for kind in call.kinds.iter().filter(|kind| !kind.uses.is_empty()) {
        let _ = writeln!(out, "\nFields of kind {}", kind.name);
        kind.uses.iter().for_each(|used| field(&mut out, call, used));
    }
    for (one, other, why) in call.excludes {
        out.push('\n');
        paragraph(&mut out, 2, &format!("Mutually exclusive: {} and {} ({why}).", one.name, other.name));
    }
    if !call.leaves_open.is_empty() {
        out.push('\n');
        paragraph(&mut out, 2, &left_open(call));
    }
    out.push_str("\nResult\n");
    if call.result.parts.is_empty() {
        out.push_str("  empty\n");
    }
    parts(&mut out, 2, call.result.parts);
    if call.result.streams {
        out.push_str("  With --more, several replies arrive, each with some elements of the list.\n");
    }
    out.push_str("\nErrors (exit status)\n");
    for error in ERRORS {
        let fields: Vec<&str> = error.parts.iter().map(|part| part.name).collect();
        let fields = if fields.is_empty() { String::new() } else { format!(" [{}]", fields.join(", ")) };
        let _ = writeln!(out, "  {} ({}){fields}", error.name, exit(error.name).status());
        paragraph(&mut out, 6, error.doc);
    }
    out
}

/// The denies that every request of the call meets.
pub(super) fn left_open(call: &Call) -> String {
    let names = |elsewhere: bool| {
        let can_be_named = call.leaves_open.iter().filter(|field| !matches!(field.ty, Type::List(_)));
        let such = can_be_named.filter(|field| call.has(field) != elsewhere);
        such.map(|field| format!("`{}`", field.name)).collect::<Vec<_>>().join(", ")
    };
    let own = match names(false) {
        own if own.is_empty() => own,
        own => format!(
            "The existing object can have any value in these fields, so a deny on one of them meets every request: {own}."
        ),
    };
    let others = match names(true) {
        others if others.is_empty() => others,
        others => format!(
            "Other objects that the call changes can have any value in these fields. No request has the fields, but a deny \
             can name them. It then meets every request, unless the description above says otherwise: {others}."
        ),
    };
    [own, others].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}

fn field(out: &mut String, call: &Call, used: &Use) {
    let mut first = String::new();
    let text = format!("{}: {}; {}", used.field().name, used.expected(), absence(used.absence));
    paragraph(&mut first, 6, &text);
    out.push_str(first.get(4..).unwrap_or_default()); // the further lines are indented
    paragraph(out, 6, &used.doc(&[call], None));
}

fn parts(out: &mut String, indent: usize, of: &[Part]) {
    for part in of {
        let (ty, inner) = shape(part.ty);
        let perhaps = if part.always { "" } else { "; may be absent" };
        let _ = writeln!(out, "{:indent$}{}: {ty}{perhaps}", "", part.name);
        paragraph(out, indent + 4, &part.doc.to_string());
        parts(out, indent + 4, &inner);
    }
}

/// The type of a part of a result, and the parts inside it.
pub(super) fn shape(shape: Shape) -> (&'static str, Vec<Part>) {
    match shape {
        Shape::Bool => ("true or false", Vec::new()),
        Shape::Int => ("number", Vec::new()),
        Shape::String => ("text", Vec::new()),
        Shape::Ints => ("list of whole numbers", Vec::new()),
        Shape::Strings => ("list of strings", Vec::new()),
        Shape::Object(inner) => ("object", inner.all()),
        Shape::List(_, inner) => ("list of objects", inner.all()),
    }
}

/// Text in lines of at most [`WIDTH`] columns.
fn paragraph(out: &mut String, indent: usize, text: &str) {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && indent + line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(out, "{:indent$}{line}", "");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(out, "{:indent$}{line}", "");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_and_every_part_of_every_result_is_described() {
        fn names(of: &[Part]) -> Vec<&'static str> {
            of.iter().flat_map(|part| [vec![part.name], names(&shape(part.ty).1)].concat()).collect()
        }
        for call in call::all() {
            let text = reference(call);
            let fields = call.all_uses().map(|used| used.field().name);
            for name in fields.chain(names(call.result.parts)) {
                assert!(text.contains(&format!("  {name}: ")), "{}: {name}", call.name);
            }
            assert!(text.lines().all(|line| line.chars().count() <= 2 * WIDTH), "{text}");
        }
        assert_eq!(list().lines().count(), call::all().count());
    }
}
