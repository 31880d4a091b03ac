// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl generate`: the files of the source tree that are made from the declarations of the calls, so that the
//! reference cannot differ from the parser. tests/generated.rs compares them.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::process::ExitCode;

use super::describe::{effect, left_open, shape};
use super::{Failure, print};
use crate::call::error::{Declared, ERRORS};
use crate::call::varlink::{self, absence};
use crate::call::{self, Call, Part, Use};
use crate::policy::diagnostics::did_you_mean;
use crate::refusal::{Exit, exit};

/// Columns of the manual's source.
const WIDTH: usize = 78;
/// What is a word of its own to mdoc(7) before and behind another.
const OPENING: &[char] = &['(', '['];
/// See [`OPENING`].
const CLOSING: &[char] = &['.', ',', ':', ';', ')', ']', '?', '!'];

#[derive(Debug, clap::Subcommand)]
pub(super) enum What {
    /// netbroker-calls(7): packaging/man/netbroker-calls.7
    Manual,
    /// The description of an interface: packaging/varlink/io.netbroker.FAMILY.varlink
    Varlink {
        /// The family, like `Address`
        family: String,
    },
}

pub(super) fn run(what: &What) -> Result<ExitCode, Failure> {
    let text = match what {
        What::Manual => manual(),
        What::Varlink { family } if varlink::families().any(|known| known == family) => varlink::description(family),
        What::Varlink { family } => {
            let hint = did_you_mean(family, varlink::families());
            let message = format!("there is no family `{}`{hint}", family.escape_debug());
            return Err(Failure::Message(Exit::Request, message));
        }
    };
    print(text.trim_end())?;
    Ok(Exit::Done.into())
}

const HEAD: &str = "\
.\\\" SPDX-License-Identifier: Apache-2.0 OR MIT
.\\\" Made from the declarations in src/call: netbrokerctl generate manual
.Dd November 20, 2026
.Dt NETBROKER-CALLS 7
.Os
.Sh NAME
.Nm netbroker-calls
.Nd the calls of netbroker: fields, results, errors
.Sh DESCRIPTION
A
.Em call
is one operation that
.Xr netbroker 8
carries out for a caller whom the policy permits it.
It
.Em reads
or it
.Em changes .
Its
.Em fields
are named and typed;
the same name has the same type and the same meaning in all calls, and
.Xr netbroker-policy 5
constrains fields by these names.
.Pp
Each call requires
.Ql netns ,
the network namespace in which it acts:
the name of a file under
.Pa /run/netns ,
as
.Xr ip-netns 8
makes them, or
.Ql @host ,
the namespace that the broker was started in.
.Pp
Where a field is absent, it means one of these:
.Bl -tag -width Ds
.It required
The request is refused.
.It if absent Ar value
That value, filled in before the policy is asked:
to say it is to say nothing.
.It if absent, it follows from the other fields
The value that the call's text names for it, filled in before the policy is
evaluated.
.It if absent left alone
The thing stays as it is, or as the kernel makes it.
.It if absent any
The field is a filter; without it every object is meant.
.It if absent chosen
The kernel chooses, or what
.Xr ip 8
would send is sent.
.El
.Pp
A link's name has 1 to 15 bytes, a namespace's 1 to 255:
printable ASCII without
.Ql / \\&: % * \\&? \\&! $ @ { } \\&[ \\&] \\e ,
and none of
.Ql \\&. ,
.Ql .. ,
.Ql all ,
.Ql default .
A name that a request gives to something, or that a routing rule keeps, also has no
.Ql \\(dq ' \\(ga \\&; \\&| & < > \\&( \\&) # ~ ,
since it reaches scripts that other people wrote.
Existing links and namespaces with such names can be listed and deleted.
A link is found by its own name, never by an alternative one.
Whatever the kernel would cut, expand or take for something else is refused,
not repaired.
.Pp
.Ic netbrokerctl describe
.Ar call
shows the same reference, one call at a time.
.Ss The wire
A request is a Varlink message: one JSON object, ended by NUL.
.Bd -literal -offset indent
{\"method\": \"io.netbroker.Address.Add\",
 \"parameters\": {\"netns\": \"qrouter-1\", \"link\": \"qr-1\",
                \"address\": \"192.0.2.1/24\",
                \"reference\": \"req-4711\"}}
.Ed
.Pp
The method is
.Ql io.netbroker.
with the call's name behind it.
A field whose name has a dot is a member of an object:
.Ql peer.name
is
.Ql \\(dqpeer\\(dq\\&: {\\(dqname\\(dq\\&: ...} .
Fields that are null are absent, and
.Ql parameters
may be absent or null where they are empty.
Refused are unknown fields, fields that stand there twice, fractions and
exponents, bytes behind the object, more than 1 MiB, and more than 16 levels.
.Pp
Each call takes a
.Ql reference
besides: 1 to 64 bytes of printable ASCII, the caller's own id of the request.
It is recorded, never judged.
.Pp
The reply is
.Ql {\\(dqparameters\\(dq\\&: {...}} ,
or with the member
.Ql error
the name of an error, in the interface of the call:
.Ql io.netbroker.Address.Denied .
Where the request says
.Ql \\(dqmore\\(dq\\&: true
and the call's result comes in pieces, each reply but the last has
.Ql \\(dqcontinues\\(dq\\&: true ,
and each holds some elements of the list.
They are sent while the kernel is still being read.
Where the kernel reports that the listing changed meanwhile, it is read again,
up to ten times, unless a part of it was sent.
Else the last reply is the error
.Ql Interrupted ,
and what was sent before it is not the whole listing.
With
.Ql \\(dqoneway\\(dq\\&: true
there is no reply.
A result or an error has
.Ql \\(dqrecorded\\(dq\\&: false
where the trail has no record of how the call ended.
The reply to a call that changes something has
.Ql changed_meanwhile ,
a list of fields, where somebody else renamed, replaced or removed the link
that such a field names while the change was made.
The change may then have reached that link under another name.
The record of the outcome has the same list.
A missing reply means that the outcome is unknown.
.Pp
From a file, a pipe or a terminal the end of input may stand for the NUL;
the reply then ends in a newline.
From a Unix socket exactly one call is taken, up to its NUL.
.Pp
The methods of
.Ql org.varlink.service
are answered, too, and do not count as the one call that a process serves:
.Ql GetInfo
and
.Ql GetInterfaceDescription ,
which gives the description of an interface.
";

const TAIL: &str = "\
.Sh SEE ALSO
.Xr netbrokerctl 1 ,
.Xr netbroker-policy 5 ,
.Xr rtnetlink 7 ,
.Xr ip-address 8 ,
.Xr ip-link 8 ,
.Xr ip-neighbour 8 ,
.Xr ip-netns 8 ,
.Xr ip-route 8 ,
.Xr ip-rule 8 ,
.Xr netbroker 8
.Rs
.%T Varlink
.%U https://varlink.org
.Re
";

fn manual() -> String {
    let mut out = HEAD.to_owned();
    for family in varlink::families() {
        let _ = writeln!(out, ".Sh {} CALLS", family.to_uppercase());
        call::all().filter(|call| call.family() == family).for_each(|call| reference(&mut out, call));
    }
    errors(&mut out);
    out.push_str(TAIL);
    out
}

fn reference(out: &mut String, call: &'static Call) {
    let _ = writeln!(out, ".Ss {} ({})", call.name, effect(call));
    prose(out, call.doc);
    if !call.elsewhere.is_empty() {
        out.push_str(".Pp\n.Em Elsewhere :\n");
        prose(out, call.elsewhere);
    }
    fields(out, "Fields", call.uses);
    for kind in call.kinds.iter().filter(|kind| !kind.uses.is_empty()) {
        fields(out, &format!("Fields of kind {}", kind.name), kind.uses);
    }
    for (one, other, why) in call.excludes {
        out.push_str(".Pp\n");
        prose(out, &format!("Not together: `{}` and `{}`: {why}.", one.name, other.name));
    }
    if !call.leaves_open.is_empty() {
        out.push_str(".Pp\n");
        prose(out, &left_open(call));
    }
    out.push_str(".Pp\n");
    if call.result.parts.is_empty() {
        out.push_str("The result is empty.\n");
        return;
    }
    out.push_str("Result:\n");
    parts(out, call.result.parts);
    if call.result.streams {
        out.push_str(".Pp\n");
        prose(out, "With `more` the result comes in pieces.");
    }
}

fn fields(out: &mut String, title: &str, uses: &[Use]) {
    let _ = writeln!(out, ".Pp\n{title}:\n.Bl -tag -width Ds");
    for used in uses {
        let _ = writeln!(out, ".It Ic {}", used.field.name);
        prose(out, &used.doc(None));
        let ty = used.field.ty.expected();
        prose(out, &format!("{}; {}.", capital(&ty), absence(used.absence)));
    }
    out.push_str(".El\n");
}

fn parts(out: &mut String, of: &[Part]) {
    out.push_str(".Bl -tag -width Ds\n");
    for part in of {
        let (ty, inner) = shape(part.ty);
        let perhaps = if part.always { "" } else { ", where there is one" };
        let _ = writeln!(out, ".It Ic {}", part.name);
        prose(out, &part.doc.to_string());
        prose(out, &format!("{}{perhaps}.", capital(ty)));
        if !inner.is_empty() {
            parts(out, &inner);
        }
    }
    out.push_str(".El\n");
}

fn errors(out: &mut String) {
    out.push_str(".Sh ERRORS OF ALL CALLS\n");
    prose(
        out,
        "Each interface has these errors. Besides the members that are named here, each has `request`, the id of the \
         request in the trail, and may have `recorded` and `changed_meanwhile`. Behind the name stands the exit status of the process that \
         answered with it.",
    );
    out.push_str(".Bl -tag -width Ds\n");
    let mut before: Option<&Declared> = None;
    for declared in ERRORS {
        let Declared { name, parts: of, doc } = declared;
        let _ = writeln!(out, ".It Sy {name} No ({})", exit(name).status());
        prose(out, doc);
        match before.filter(|before| std::ptr::eq(before.parts, *of)) {
            Some(before) => prose(out, &format!("Members as of `{}`.", before.name)),
            None if of.is_empty() => {}
            None => {
                parts(out, of);
                before = Some(declared);
            }
        }
    }
    out.push_str(".El\n");
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().map(|c| c.to_ascii_uppercase()).into_iter().collect();
    format!("{first}{}", letters.as_str())
}

/// Text of a declaration as mdoc(7): a sentence begins a line, `code` and names of manual pages get their macros.
fn prose(out: &mut String, text: &str) {
    let mut line = String::new();
    for word in words(text) {
        let marked = marked(&word);
        if marked.is_some() || (!line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH) {
            end(out, &mut line);
        }
        if let Some(text) = marked {
            let _ = writeln!(out, "{text}");
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&escaped(&word.replace('`', "")));
        if word.ends_with('.') {
            end(out, &mut line);
        }
    }
    end(out, &mut line);
}

/// Writes a line of text. A dot or a quote in front would make a macro of it.
fn end(out: &mut String, line: &mut String) {
    if !line.is_empty() {
        let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
        let _ = writeln!(out, "{guard}{line}");
        line.clear();
    }
}

/// Words between spaces; what stands in backticks is one word.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in text.trim().chars() {
        quoted ^= c == '`';
        match words.last_mut() {
            Some(word) if quoted || !c.is_whitespace() => word.push(c),
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A word that has a macro: code, or the name of a manual page, with the punctuation around it.
fn marked(word: &str) -> Option<String> {
    let rest = word.trim_start_matches(OPENING);
    let opening = word.strip_suffix(rest)?;
    let (is, closing) = match rest.strip_prefix('`').and_then(|rest| rest.split_once('`')) {
        Some((code, closing)) => (format!(".Ql {}{}", spaced(opening, false), literal(code)), closing),
        None => {
            let (name, behind) = rest.split_once('(')?;
            let (section, closing) = behind.split_once(')')?;
            let is_page = !name.is_empty() && section.len() == 1 && section.bytes().all(|b| b.is_ascii_digit());
            is_page.then(|| (format!(".Xr {}{name} {section}", spaced(opening, false)), closing))?
        }
    };
    closing.chars().all(|c| CLOSING.contains(&c)).then(|| format!("{is}{}", spaced(closing, true)))
}

/// Code as arguments of a macro: a capital could begin the name of another one, punctuation would stand outside.
fn literal(code: &str) -> String {
    let guarded = |word: &str| {
        let guard =
            word.starts_with(|c: char| c.is_ascii_uppercase()) || word.chars().all(|c| c.is_ascii_punctuation());
        format!("{}{}", if guard { "\\&" } else { "" }, escaped(word))
    };
    code.split(' ').map(guarded).collect::<Vec<_>>().join(" ")
}

/// Punctuation as arguments of a macro.
fn spaced(punctuation: &str, before: bool) -> String {
    punctuation.chars().map(|c| if before { format!(" {c}") } else { format!("{c} ") }).collect()
}

/// Characters that mean something to roff, or that not every reader of manual pages has, by their names.
fn escaped(text: &str) -> String {
    let named = |c: char| match c {
        '\\' => "\\e".to_owned(),
        '"' => "\\(dq".to_owned(),
        c if c.is_ascii() => c.to_string(),
        '…' => "...".to_owned(), // a terminal of old has no such character
        c => format!("\\[u{:04X}]", u32::from(c)),
    };
    text.chars().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        let mut out = String::new();
        prose(&mut out, text);
        out
    }

    #[test]
    fn prose_becomes_lines_of_mdoc() {
        assert_eq!(of("One `a b`, two. Three"), "One\n.Ql a b ,\ntwo.\nThree\n");
        assert_eq!(of("Flags (`IFF_…`, netdevice(7)) here."), "Flags\n.Ql ( \\&IFF_... ,\n.Xr netdevice 7 )\nhere.\n");
        assert_eq!(of("as `\\xNN`"), "as\n.Ql \\exNN\n");
        assert_eq!(of(".5 of (RFC 2863): x"), "\\&.5 of (RFC 2863): x\n");
    }

    #[test]
    fn every_call_field_and_error_is_in_the_manual() {
        let text = manual();
        for call in call::all() {
            assert!(text.contains(&format!("\n.Ss {} (", call.name)), "{}", call.name);
            for used in call.all_uses() {
                assert!(text.contains(&format!("\n.It Ic {}\n", used.field.name)), "{}", used.field.name);
            }
        }
        for error in ERRORS {
            assert!(text.contains(&format!("\n.It Sy {} No (", error.name)), "{}", error.name);
        }
        assert!(text.is_ascii() && !text.contains('`'), "{text}");
    }
}
