// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl generate`: prints the files of the source tree that are made from the declarations of the calls. The
//! reference therefore cannot differ from the parser. tests/generated.rs compares the files with the output.
#![forbid(unsafe_code)]

mod completions;

use std::fmt::Write as _;
use std::process::ExitCode;

use self::completions::Shell;
use super::describe::{effect, left_open, shape};
use super::examples::{self, Example};
use super::{Failure, print};
use crate::call::error::{Declared, ERRORS};
use crate::call::varlink::{self, absence};
use crate::call::{self, Call, Kind, Part, Use};
use crate::policy::diagnostics::did_you_mean;
use crate::refusal::{Exit, exit};

/// Columns of the manual's source.
const WIDTH: usize = 78;
/// Columns of a literal block, so that the page fits a terminal of 80 columns.
const LITERAL_WIDTH: usize = 66;
/// Punctuation that mdoc(7) takes as a separate word before another word.
const OPENING: &[char] = &['(', '['];
/// Punctuation that mdoc(7) takes as a separate word after another word.
const CLOSING: &[char] = &['.', ',', ':', ';', ')', ']', '?', '!'];

#[derive(Debug, clap::Subcommand)]
pub(super) enum What {
    /// netbroker-calls(7): packaging/man/netbroker-calls.7
    Manual,
    /// The description of an interface: packaging/varlink/io.netbroker.FAMILY.varlink
    Varlink {
        /// The family, such as `Address`
        family: String,
    },
    /// The examples of netbroker-calls(7), each as JSON on a line
    Examples,
    /// The completions of a shell: packaging/completions
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// The failure for an example that is invalid: a fault of this program.
fn wrong(why: String) -> Failure {
    Failure::Message(Exit::Request, why)
}

pub(super) fn run(what: &What) -> Result<ExitCode, Failure> {
    let text = match what {
        What::Manual => manual().map_err(wrong)?,
        What::Examples => examples::listed().map_err(wrong)?,
        What::Completions { shell } => completions::of(*shell).map_err(wrong)?,
        What::Varlink { family } if varlink::families().any(|known| known == family) => varlink::description(family),
        What::Varlink { family } => {
            let hint = did_you_mean(family, varlink::families());
            let message = format!("no family named `{}`{hint}", family.escape_debug());
            return Err(Failure::Message(Exit::Request, message));
        }
    };
    print(text.trim_end())?;
    Ok(Exit::Done.into())
}

const HEAD: &str = "\
.\\\" SPDX-License-Identifier: Apache-2.0 OR MIT
.\\\" Made from the declarations in src/call: netbrokerctl generate manual
.Dd November 26, 2026
.Dt NETBROKER-CALLS 7
.Os
.Sh NAME
.Nm netbroker-calls
.Nd calls of netbroker: fields, results and errors
.Sh DESCRIPTION
A
.Em call
is one operation that
.Xr netbroker 8
carries out for a caller if the policy permits it.
A call either
.Em reads
or
.Em changes
something.
Its
.Em fields
have names and types.
A name has the same type and the same meaning in all calls.
.Xr netbroker-policy 5
constrains fields by these names.
.Pp
Each call requires
.Ql netns ,
the network namespace in which it acts.
This is the name of a file under
.Pa /run/netns ,
such as
.Xr ip-netns 8
creates, or
.Ql @host ,
the namespace in which the broker was started.
.Pp
Each field shows what its absence means:
.Bl -tag -width Ds
.It required
The request is refused.
.It default : Ar value
This value is filled in before the policy is evaluated.
A request that gives the default is therefore the same as a request without the
field.
.It if absent, it follows from the other fields
The description of the call names the value.
It is filled in before the policy is evaluated.
.It if absent, not set
An existing object keeps its value.
A new object gets the value that the kernel chooses, or none.
.It if absent, any value
The field is a filter.
Without it, every object matches.
.It if absent, chosen by the kernel or as in iproute2
The kernel chooses the value, or the broker sends the value that
.Xr ip 8
would send.
.El
.Pp
The name of a link has 1 to 15 bytes, and the name of a namespace 1 to 255 bytes.
Names are printable ASCII without
.Ql / \\&: % * \\&? \\&! $ @ { } \\&[ \\&] \\e .
The names
.Ql \\&. ,
.Ql .. ,
.Ql all
and
.Ql default
are not valid.
A name that a request gives to an object, or that a routing rule keeps, must
begin with a letter, a digit or
.Ql _ .
It must not contain
.Ql \\(dq ' \\(ga \\&; \\&| & < > \\&( \\&) # ~ ,
because it reaches scripts that other people wrote.
Existing links and namespaces with such names can be listed and deleted.
A link whose name no request can give is deleted by its index.
A link is found by its own name, never by an alternative name.
A value that the kernel would truncate, expand or interpret differently is
refused.
It is never corrected.
.Pp
.Ic netbrokerctl describe
.Ar call
shows the same reference, one call at a time, without the examples.
.Ss Examples
Each call, and each kind of link, has examples.
An example shows the
.Ql parameters
of a request, and below them the smallest rule that permits this request.
The rule also needs
.Ql id
and
.Ql who ,
and can have a
.Ql description .
It shows which fields a rule must name.
A field that has its default, and most filters, need not be named.
The value
.Ql \\(dq*\\(dq
stands for any value.
A rule must have it for a link that the request leaves open.
A policy usually permits more than one value of a field, with a pattern, a
prefix, a range, a list or
.Ql free .
.Pp
In the examples, an agent works in the namespaces
.Ql blue
and
.Ql red .
The links of
.Ql blue
are
.Ql eth0
and
.Ql eth1 ,
and the bridge
.Ql br0 .
The link
.Ql uplink
connects the host.
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
followed by the name of the call.
A field whose name has a dot is a member of an object:
.Ql peer.name
is
.Ql \\(dqpeer\\(dq\\&: {\\(dqname\\(dq\\&: ...} .
A field that is null is absent.
.Ql parameters
can be absent or null if it has no members.
A request is refused if it has an unknown field, a field that is given twice, a
number with a fraction or an exponent, or bytes after the object.
It is also refused if it has more than 1 MiB or more than 16 levels.
.Pp
Each call can have a
.Ql reference :
the caller's own id of the request, 1 to 64 bytes of printable ASCII.
It is recorded, never judged.
.Pp
The reply is
.Ql {\\(dqparameters\\(dq\\&: {...}} .
The reply to a call that failed also has the member
.Ql error ,
the name of an error in the interface of the call:
.Ql io.netbroker.Address.Denied .
.Pp
If the request has
.Ql \\(dqmore\\(dq\\&: true
and the result of the call is a list that can be long, several replies are sent.
Each has some elements of the list, and each except the last has
.Ql \\(dqcontinues\\(dq\\&: true .
The broker sends them while it still reads from the kernel.
If the kernel reports that the listing changed in the meantime, the broker reads
it again, up to ten times.
If a part of the listing was already sent, or the listing still changes, the
last reply is the error
.Ql Interrupted .
The elements that were sent before are not the complete listing.
.Pp
With
.Ql \\(dqoneway\\(dq\\&: true ,
no reply is sent.
A missing reply otherwise means that the outcome is unknown.
.Pp
A result or an error has
.Ql \\(dqrecorded\\(dq\\&: false
if the trail has no record of the outcome.
The reply to a call that changes something can have
.Ql changed_meanwhile ,
a list of fields.
Another process renamed, replaced or removed the link that such a field names
while the change was made.
The change may have reached that link under another name.
The record of the outcome has the same list.
.Pp
From a file, a pipe or a terminal, the request can end with the end of input
instead of the NUL.
The reply then ends with a newline.
From a Unix socket, the broker reads exactly one call, up to its NUL.
.Pp
The broker also answers the methods of
.Ql org.varlink.service :
.Ql GetInfo ,
and
.Ql GetInterfaceDescription ,
which returns the description of an interface.
They do not count as the one call that a process serves.
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

fn manual() -> Result<String, String> {
    let mut out = HEAD.to_owned();
    for family in varlink::families() {
        let _ = writeln!(out, ".Sh {} CALLS", family.to_uppercase());
        call::all().filter(|call| call.family() == family).try_for_each(|call| reference(&mut out, call))?;
    }
    errors(&mut out);
    out.push_str(TAIL);
    Ok(out)
}

fn reference(out: &mut String, call: &'static Call) -> Result<(), String> {
    let _ = writeln!(out, ".Ss {} ({})", call.name, effect(call));
    prose(out, call.doc);
    if !call.elsewhere.is_empty() {
        out.push_str(".Pp\n.Em Side effects :\n");
        prose(out, call.elsewhere);
    }
    fields(out, call, "Fields", call.uses);
    for (one, other, why) in call.excludes {
        out.push_str(".Pp\n");
        prose(out, &format!("Mutually exclusive: `{}` and `{}` ({why}).", one.name, other.name));
    }
    if !call.leaves_open.is_empty() {
        out.push_str(".Pp\n");
        prose(out, &left_open(call));
    }
    result(out, call);
    examples::of(call, None).try_for_each(|shown| example(out, call, shown))?;
    call.kinds.iter().try_for_each(|of| kind(out, call, of))
}

fn result(out: &mut String, call: &Call) {
    out.push_str(".Pp\n");
    if call.result.parts.is_empty() {
        out.push_str("The result is empty.\n");
        return;
    }
    out.push_str("Result:\n");
    parts(out, call.result.parts);
    if call.result.streams {
        out.push_str(".Pp\n");
        prose(out, "With `more`, each reply has some elements of the list.");
    }
}

/// A kind of a call: what it is, where it is named first, its own fields, and its examples.
fn kind(out: &mut String, call: &'static Call, kind: &Kind) -> Result<(), String> {
    let _ = writeln!(out, ".Pp\n.Sy Kind {}", kind.name);
    let before = call::all().take_while(|before| before.name != call.name);
    if !before.into_iter().any(|before| before.kind(kind.name).is_some()) {
        out.push_str(".Pp\n");
        prose(out, examples::kind(kind.name).unwrap_or_default());
    }
    if !kind.uses.is_empty() {
        fields(out, call, &format!("Fields of kind {}", kind.name), kind.uses);
    }
    examples::of(call, Some(kind.name)).try_for_each(|shown| example(out, call, shown))
}

/// A request, and the rule that permits it.
fn example(out: &mut String, call: &'static Call, shown: &Example) -> Result<(), String> {
    out.push_str(".Pp\n");
    prose(out, shown.purpose);
    let _ = writeln!(
        out,
        ".Bd -literal -offset indent\n{}\n\n{}\n.Ed",
        escaped(&shown.parameters(LITERAL_WIDTH)?),
        escaped(&shown.rule(call)?)
    );
    Ok(())
}

fn fields(out: &mut String, call: &Call, title: &str, uses: &[Use]) {
    let _ = writeln!(out, ".Pp\n{title}:\n.Bl -tag -width Ds");
    for used in uses {
        let _ = writeln!(out, ".It Ic {}", used.field().name);
        prose(out, &used.doc(&[call], None));
        let ty = used.expected();
        prose(out, &format!("{}; {}.", capital(&ty), absence(used.absence)));
    }
    out.push_str(".El\n");
}

fn parts(out: &mut String, of: &[Part]) {
    out.push_str(".Bl -tag -width Ds\n");
    for part in of {
        let (ty, inner) = shape(part.ty);
        let perhaps = if part.always { "" } else { "; may be absent" };
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
        "Each interface has these errors. In addition to the listed members, each error has `request`, the id of the \
         request in the trail, and can have `recorded` and `changed_meanwhile`. The number after the name is the exit \
         status of the process that sent the reply.",
    );
    out.push_str(".Bl -tag -width Ds\n");
    let mut before: Option<&Declared> = None;
    for declared in ERRORS {
        let Declared { name, parts: of, doc } = declared;
        let _ = writeln!(out, ".It Sy {name} No ({})", exit(name).status());
        prose(out, doc);
        match before.filter(|before| std::ptr::eq(before.parts, *of)) {
            Some(before) => prose(out, &format!("The members are those of `{}`.", before.name)),
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

/// Writes the text of a declaration as mdoc(7): each sentence begins a line, and `code` and names of manual pages get
/// their macros.
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

/// Writes a line of text. A leading dot or quote is escaped, because it would begin a macro.
fn end(out: &mut String, line: &mut String) {
    if !line.is_empty() {
        let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
        let _ = writeln!(out, "{guard}{line}");
        line.clear();
    }
}

/// Splits at spaces. Text in backticks is one word.
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

/// The macro for code or for the name of a manual page, with the punctuation around it; `None` for other words.
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

/// Replaces characters that have a meaning to roff, or that not every terminal can show, by their names.
fn escaped(text: &str) -> String {
    let named = |c: char| match c {
        '\\' => "\\e".to_owned(),
        '"' => "\\(dq".to_owned(),
        c if c.is_ascii() => c.to_string(),
        '…' => "...".to_owned(), // old terminals lack this character
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
        let text = manual().unwrap();
        for call in call::all() {
            assert!(text.contains(&format!("\n.Ss {} (", call.name)), "{}", call.name);
            for kind in call.kinds.iter() {
                assert!(text.contains(&format!("\n.Sy Kind {}\n", kind.name)), "{}", kind.name);
            }
            for used in call.all_uses() {
                assert!(text.contains(&format!("\n.It Ic {}\n", used.field().name)), "{}", used.field().name);
            }
        }
        for error in ERRORS {
            assert!(text.contains(&format!("\n.It Sy {} No (", error.name)), "{}", error.name);
        }
        assert!(text.is_ascii() && !text.contains('`'), "{text}");
    }
}
