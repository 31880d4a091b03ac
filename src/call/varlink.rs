// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The Varlink descriptions, made from the declarations, and `org.varlink.service`.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::error::ERRORS;
use super::field::Field;
use super::json::Json;
use super::object::Parts;
use super::types::Type;
use super::value::shown;
use super::{Absence, CALLS, Call, Constant, Kind, Part, Shape, Use};

/// The interface of the service itself.
pub const SERVICE: &str = "org.varlink.service";
/// What the names of the interfaces begin with; a family's name follows.
pub const PREFIX: &str = "io.netbroker.";

/// For every request.
const REFERENCE: &str =
    "The caller's own id of the request: 1 to 64 bytes of printable ASCII. It is recorded, never judged.";
/// For every error.
const REQUEST: &str = "The id of the request in the trail.";
/// For every result and every error.
const RECORDED: &str = "False if the trail has no record of the outcome of the call.";
/// For the result of a call that changes something and has a field that names a link, and for its errors that may come
/// after a change.
const MEANWHILE: &str = "The fields whose link another process renamed, replaced or removed while the change was made. \
                         The change may have reached that link under another name. Absent if there are none.";

/// For a call that may be sent with `more`: the line by which systemd says so, because the language has no word for it.
/// Code generators look for it.
const STREAMS: &str = "[Supports 'more' flag]";

/// Words that cannot be identifiers in Rust, not even with `r#`: the generator of the crate varlink fails on an enumeration
/// with one of them. Such an enumeration is described as a string, which is the same on the wire.
const NO_IDENTIFIERS: [&str; 3] = ["crate", "self", "super"];

/// `org.varlink.service`, as the specification has it.
const SERVICE_DESCRIPTION: &str = "\
# The Varlink Service Interface is provided by every varlink service. It
# describes the service and the interfaces it implements.
interface org.varlink.service

# Get a list of all the interfaces a service provides and information
# about the implementation.
method GetInfo() -> (
  vendor: string,
  product: string,
  version: string,
  url: string,
  interfaces: []string
)

# Get the description of an interface that is implemented by this service.
method GetInterfaceDescription(interface: string) -> (description: string)

# The requested interface was not found.
error InterfaceNotFound (interface: string)

# The requested method was not found
error MethodNotFound (method: string)

# The interface defines the requested method, but the service does not
# implement it.
error MethodNotImplemented (method: string)

# One of the passed parameters is invalid.
error InvalidParameter (parameter: string)

# Client is denied access
error PermissionDenied ()

# Method is expected to be called with 'more' set to true, but wasn't
error ExpectedMore ()
";

/// What a method is.
#[derive(Debug)]
pub enum Method {
    /// A call.
    Call(&'static Call),
    /// A method of the service itself, with its reply.
    Service(Value),
    /// An unknown method, with the error of `org.varlink.service`.
    Unknown(Value),
}

/// Finds the call or the service method of this name.
#[must_use]
pub fn method(name: &str, parameters: &Json) -> Method {
    let (interface, name) = name.rsplit_once('.').unwrap_or(("", name));
    if interface == SERVICE {
        return service(name, parameters);
    }
    let Some(family) = interface.strip_prefix(PREFIX).filter(|family| has_family(family)) else {
        return Method::Unknown(error("InterfaceNotFound", "interface", interface));
    };
    match super::by_name(&format!("{family}.{name}")) {
        Some(call) => Method::Call(call),
        None => Method::Unknown(error("MethodNotFound", "method", name)),
    }
}

/// Whether a family has this name.
fn has_family(name: &str) -> bool {
    families().any(|family| family == name)
}

/// The families, each an interface.
pub fn families() -> impl Iterator<Item = &'static str> {
    CALLS.iter().filter_map(|calls| calls.first()).map(Call::family)
}

/// An error of `org.varlink.service` with its one field.
fn error(name: &str, field: &str, value: &str) -> Value {
    json!({ "error": format!("{SERVICE}.{name}"), "parameters": { field: shown(value) } })
}

/// Answers a method of `org.varlink.service`.
fn service(method: &str, parameters: &Json) -> Method {
    let pairs = match parameters {
        Json::Null => &[][..],
        Json::Object(pairs) => pairs,
        _ => return Method::Unknown(error("InvalidParameter", "parameter", "parameters")),
    };
    match (method, pairs) {
        ("GetInfo", []) => {
            let interfaces: Vec<String> = std::iter::once(SERVICE.to_owned())
                .chain(families().map(|family| format!("{PREFIX}{family}")))
                .collect();
            Method::Service(json!({ "parameters": {
                "vendor": "netbroker", "product": "netbroker", "version": env!("CARGO_PKG_VERSION"),
                "url": env!("CARGO_PKG_HOMEPAGE"),
                "interfaces": interfaces,
            }}))
        }
        ("GetInterfaceDescription", [(key, Json::String(interface))]) if key == "interface" => describe(interface),
        ("GetInfo", [(unknown, _), ..]) => Method::Unknown(error("InvalidParameter", "parameter", unknown)),
        ("GetInterfaceDescription", _) => Method::Unknown(error("InvalidParameter", "parameter", "interface")),
        _ => Method::Unknown(error("MethodNotFound", "method", method)),
    }
}

fn describe(interface: &str) -> Method {
    let family = interface.strip_prefix(PREFIX).and_then(|name| families().find(|family| *family == name));
    let description = match family {
        Some(family) => description(family),
        None if interface == SERVICE => SERVICE_DESCRIPTION.to_owned(),
        None => return Method::Unknown(error("InterfaceNotFound", "interface", interface)),
    };
    Method::Service(json!({ "parameters": { "description": description } }))
}

/// The definitions of types by name.
type Types = BTreeMap<String, String>;

/// The description of a family's interface, complete in itself.
#[must_use]
pub fn description(family: &str) -> String {
    let mut types = Types::new();
    let mut members = String::new();
    for call in super::all().filter(|call| call.family() == family) {
        comment(&mut members, "", &method_doc(call));
        if call.result.streams {
            comment(&mut members, "", STREAMS);
        }
        let (fields, results) = (parameters(call, &mut types), results(call, &mut types));
        _ = write!(members, "method {}{fields} -> {results}\n\n", call.verb());
    }
    for declared in ERRORS {
        comment(&mut members, "", declared.doc);
        let always = [member("request", "string", REQUEST), member("recorded", "?bool", RECORDED)];
        let partial = declared.parts.iter().any(|part| part.name == "may_have_changed");
        let changes = || super::all().any(|call| call.family() == family && call.changes_by_links());
        let meanwhile = (partial && changes()).then(|| member("changed_meanwhile", "?[]string", MEANWHILE));
        let fields = declared.parts.iter().map(|p| part(p, &mut types)).chain(always).chain(meanwhile);
        _ = write!(members, "error {} {}\n\n", declared.name, structure(fields));
    }
    let version = env!("CARGO_PKG_VERSION");
    let mut out = format!("# {family}: a family of calls of netbroker {version}.\ninterface {PREFIX}{family}\n\n");
    for (name, text) in &types {
        _ = write!(out, "type {name} {text}\n\n");
    }
    out.push_str(members.trim_end());
    out.push('\n');
    out
}

/// What the absence of a field means, for the end of a sentence.
#[must_use]
pub fn absence(absence: Absence) -> String {
    match absence {
        Absence::Required => "required".to_owned(),
        Absence::Default(Constant::Uid) => "default: the caller's uid".to_owned(),
        Absence::Default(constant) => format!("default: {}", constant.value(0)),
        Absence::Follows => "if absent, it follows from the other fields".to_owned(),
        Absence::Untouched => "if absent, not set".to_owned(),
        Absence::Any => "if absent, any value".to_owned(),
        Absence::Chosen => "if absent, chosen by the kernel or as in iproute2".to_owned(),
    }
}

fn comment(out: &mut String, indent: &str, text: &str) {
    for line in wrap(text.trim(), 116) {
        _ = writeln!(out, "{indent}# {line}");
    }
}

/// Lines of at most `width` bytes, broken at spaces.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn method_doc(call: &Call) -> String {
    let mut doc = call.doc.trim().to_owned();
    if !call.elsewhere.is_empty() {
        _ = write!(doc, " Side effects: {}", call.elsewhere.trim());
    }
    if call.result.streams {
        doc.push_str(" With `more`, each reply has some elements of the list.");
    }
    doc
}

/// A line for each member, its comment before it.
fn structure(members: impl Iterator<Item = String>) -> String {
    let members: Vec<String> = members.collect();
    if members.is_empty() { "()".to_owned() } else { format!("(\n{}\n)", members.join(",\n")) }
}

fn member(name: &str, ty: &str, doc: &str) -> String {
    let mut out = String::new();
    comment(&mut out, "  ", doc);
    format!("{out}  {name}: {ty}")
}

/// The fields of a method, each once. A field whose name has a dot is a member of an object, at any depth.
fn parameters(call: &'static Call, types: &mut Types) -> String {
    let mut uses: Vec<&'static Use> = Vec::new();
    for used in call.all_uses() {
        if !uses.iter().any(|other| other.field() == used.field()) {
            uses.push(used);
        }
    }
    let mut members = members(&[call], "", None, &uses, types);
    members.push(member("reference", "?string", REFERENCE));
    structure(members.into_iter())
}

/// The members of an object: the fields whose names begin with `under`, and that are inside the same list. An object has
/// one type in all calls of its family.
fn members(
    calls: &[&'static Call],
    under: &str,
    list: Option<&'static Field>,
    uses: &[&'static Use],
    types: &mut Types,
) -> Vec<String> {
    let mut out = Vec::new();
    let mut objects: Vec<&str> = Vec::new();
    for used in uses.iter().copied().filter(|used| used.inside() == list) {
        let Some(call) = calls.iter().find(|call| call.has(used.field())) else { continue };
        let Some(rest) = used.field().name.strip_prefix(under) else { continue };
        let Some((head, _)) = rest.split_once('.') else {
            if let Type::List(name) = used.field().ty {
                let inside = format!("{}.", used.field().name);
                let text = structure(members(calls, &inside, Some(used.field()), uses, types).into_iter());
                types.insert(name.to_owned(), text);
            }
            // For a field inside an object, the object says which kinds have it, unless some of them lack the field.
            let has = |kind: &&Kind, under: &str| kind.uses.iter().any(|other| other.field().name.starts_with(under));
            let count = |under: &str| call.kinds.iter().filter(|kind| has(kind, under)).count();
            let is_common = call.uses.iter().any(|common| common.field() == used.field());
            let is_in_all = is_common || count(under) == count(used.field().name);
            out.push(match under {
                "" if !is_common => of_some_kinds(call, used, types),
                _ if is_in_all => field(calls, rest, used, "", types),
                _ => field(calls, rest, used, &only_for(call, &[used]), types),
            });
            continue;
        };
        if objects.contains(&head) {
            continue;
        }
        objects.push(head);
        let inside = format!("{under}{head}.");
        let family = || super::all().filter(|other| other.family() == call.family());
        let is_inside = |used: &&Use| used.inside() == list && used.field().name.starts_with(&inside);
        let having: Vec<&'static Call> = family().filter(|call| call.all_uses().any(|used| is_inside(&used))).collect();
        let mut all: Vec<&'static Use> = Vec::new();
        for used in having.iter().flat_map(|call| call.all_uses()) {
            if is_inside(&used) && !all.iter().any(|other| other.field() == used.field()) {
                all.push(used);
            }
        }
        let text = structure(members(&having, &inside, list, &all, types).into_iter());
        let of: Vec<&'static Use> = uses
            .iter()
            .copied()
            .filter(|used| used.inside() == list && used.field().name.starts_with(&inside))
            .collect();
        let ty: String = format!("{under}{head}").split('.').map(type_name).collect();
        out.push(member(head, &format!("?{ty}"), &only_for(call, &of)));
        types.insert(ty, text);
    }
    out
}

fn of_some_kinds(call: &Call, used: &'static Use, types: &mut Types) -> String {
    let doc = format!("{} {}", used.doc(&[call], None), only_for(call, &[used]));
    member(used.field().name, &format!("?{}", type_of(used.field().ty, types)), &doc)
}

/// For fields that not every kind has: the kinds that have them, and those that require them.
fn only_for(call: &Call, of: &[&'static Use]) -> String {
    let its = |kind: &Kind, test: fn(&Use) -> bool| {
        kind.uses.iter().any(|used| of.iter().any(|of| of.field() == used.field()) && test(used))
    };
    let named = |test: fn(&Use) -> bool| {
        let kinds: Vec<&str> = call.kinds.iter().filter(|kind| its(kind, test)).map(|kind| kind.name).collect();
        kinds.join(", ")
    };
    let (have, must) = (named(|_| true), named(|used| matches!(used.absence, Absence::Required)));
    match must.as_str() {
        _ if have.is_empty() => "Part of every kind.".to_owned(),
        "" => format!("Only for kind {have}."),
        _ if must == have => format!("Only for kind {have}, where it is required."),
        _ => format!("Only for kind {have}; required for {must}."),
    }
}

/// The Varlink type of an object: the words of its name, each with a capital letter.
fn type_name(head: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        let first: String = letters.next().map(|c| c.to_ascii_uppercase()).into_iter().collect();
        format!("{first}{}", letters.as_str())
    };
    head.split('_').map(capital).collect()
}

/// A field, with what its absence means where that is the same for all kinds, and the calls that have it if others have
/// its object, too.
fn field(calls: &[&'static Call], name: &str, used: &Use, note: &str, types: &mut Types) -> String {
    let ty = type_of(used.field().ty, types);
    let (having, lacking): (Vec<&'static Call>, Vec<&'static Call>) =
        calls.iter().partition(|call| call.has(used.field()));
    let means = absence(used.absence);
    let mut others = having.iter().flat_map(|call| call.all_uses()).filter(|other| other.field() == used.field());
    let is_same = others.all(|other| absence(other.absence) == means);
    if is_same && lacking.is_empty() && matches!(used.absence, Absence::Required) {
        return member(name, &ty, &used.doc(&having, None));
    }
    let verbs: Vec<&str> = having.iter().map(|call| call.verb()).collect();
    let only = if lacking.is_empty() { String::new() } else { format!(" Only for {}.", verbs.join(", ")) };
    member(name, &format!("?{ty}"), &format!("{}{only} {note}", used.doc(&having, is_same.then_some(&means))))
}

fn type_of(ty: Type, types: &mut Types) -> String {
    match ty {
        Type::Bool => "bool".to_owned(),
        Type::Number(..) => "int".to_owned(),
        Type::Word(words) if words.all().any(|word| NO_IDENTIFIERS.contains(&word)) => "string".to_owned(),
        Type::Word(words) => {
            types.insert(words.name.to_owned(), format!("({})", words.listed()));
            words.name.to_owned()
        }
        Type::List(name) => format!("[]{name}"),
        Type::Several(ty) => format!("[]{}", type_of(*ty, types)),
        _ => "string".to_owned(),
    }
}

/// The result of a method. It can also report that its outcome is not in the trail, and that other processes changed a
/// link in the meantime.
fn results(call: &'static Call, types: &mut Types) -> String {
    let recorded = member("recorded", "?bool", RECORDED);
    let meanwhile = call.changes_by_links().then(|| member("changed_meanwhile", "?[]string", MEANWHILE));
    structure(call.result.parts.iter().map(|p| part(p, types)).chain([recorded]).chain(meanwhile))
}

fn part(part: &Part, types: &mut Types) -> String {
    let mut define = |name: String, inner: Parts| {
        let text = structure(inner.all().iter().map(|p| self::part(p, types)));
        types.insert(name.clone(), text);
        name
    };
    let ty = match part.ty {
        Shape::Bool => "bool".to_owned(),
        Shape::Int => "int".to_owned(),
        Shape::String => "string".to_owned(),
        Shape::Ints => "[]int".to_owned(),
        Shape::Strings => "[]string".to_owned(),
        Shape::Object(inner) => define(state_name(part.name), inner),
        Shape::List(name, inner) => format!("[]{}", define(name.to_owned(), inner)),
    };
    member(part.name, &format!("{}{ty}", if part.always { "" } else { "?" }), &part.doc.to_string())
}

/// The Varlink type of an object in a result.
fn state_name(part: &str) -> String {
    format!("{}State", type_name(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_not_called_what_a_set_of_keywords_is() {
        fn structs(parts: &[Part]) -> Vec<String> {
            let of = |part: &Part| match part.ty {
                Shape::Object(inner) => [vec![state_name(part.name)], structs(&inner.all())].concat(),
                Shape::List(name, inner) => [vec![name.to_owned()], structs(&inner.all())].concat(),
                _ => Vec::new(),
            };
            parts.iter().flat_map(of).collect()
        }
        let results: Vec<String> = super::super::all().flat_map(|call| structs(call.result.parts)).collect();
        for used in super::super::all().flat_map(Call::all_uses) {
            if let Type::Word(words) = used.field().ty {
                assert!(!results.iter().any(|name| name == words.name), "{}", words.name);
            }
        }
    }

    #[test]
    fn a_description_names_every_method_with_its_types_and_errors() {
        let link = description("Link");
        for text in [
            "interface io.netbroker.Link\n",
            "method Add(\n",
            "kind: LinkKind",
            "type LinkKind (veth, bridge, ",
            "peer: ?Peer",
            "type Peer (\n",
            "links: []LinkState",
            "error Denied (",
            "  # Only for kind veth, netkit, where it is required.\n  peer: ?Peer",
            "  # Only for kind bridge.\n  bridge: ?Bridge",
            "which no call sets.\n  mode: ?MacvlanMode\n)",
            "default: false. Only for\n  # Add.\n  proxy: ?bool",
            "; default: false.\n  up: ?bool",
            "error Interrupted (\n",
        ] {
            assert!(link.contains(text), "{text}\n{link}");
        }
        let flat = link.replace("\n  # ", " ");
        assert!(flat.contains("; required for macvlan, macvtap, vlan, ipvlan.\n  parent: ?string"));
        for family in families() {
            let text = description(family);
            assert_eq!(text.matches('(').count(), text.matches(')').count(), "{text}");
        }
    }
}
