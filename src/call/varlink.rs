// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The Varlink descriptions, made from the declarations, and `org.varlink.service`.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::error::ERRORS;
use super::json::Json;
use super::value::{Type, Words};
use super::{Absence, CALLS, Call, Part, Shape, Use};

/// The interface of the service itself.
pub const SERVICE: &str = "org.varlink.service";
/// What the names of the interfaces begin with; a family's name follows.
pub const PREFIX: &str = "io.netbroker.";

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
pub enum Asked {
    /// A call.
    Call(&'static Call),
    /// A question about the service itself, with its answer.
    Service(Value),
    /// Nothing that there is: an error of `org.varlink.service`.
    Unknown(Value),
}

/// Finds out what a method is.
#[must_use]
pub fn asked(method: &str, parameters: &Json) -> Asked {
    let (interface, name) = method.rsplit_once('.').unwrap_or(("", method));
    if interface == SERVICE {
        return service(name, parameters);
    }
    let Some(family) = interface.strip_prefix(PREFIX).filter(|family| has_family(family)) else {
        return Asked::Unknown(error("InterfaceNotFound", "interface", interface));
    };
    match super::by_name(&format!("{family}.{name}")) {
        Some(call) => Asked::Call(call),
        None => Asked::Unknown(error("MethodNotFound", "method", name)),
    }
}

/// Whether there is a family of this name.
fn has_family(name: &str) -> bool {
    families().any(|family| family == name)
}

/// The families, each an interface.
pub fn families() -> impl Iterator<Item = &'static str> {
    CALLS.iter().filter_map(|calls| calls.first()).map(Call::family)
}

/// An error of `org.varlink.service` with its one field.
fn error(name: &str, field: &str, value: &str) -> Value {
    json!({ "error": format!("{SERVICE}.{name}"), "parameters": { field: value } })
}

/// Answers a method of `org.varlink.service`.
fn service(method: &str, parameters: &Json) -> Asked {
    let pairs = match parameters {
        Json::Null => &[][..],
        Json::Object(pairs) => pairs,
        _ => return Asked::Unknown(error("InvalidParameter", "parameter", "parameters")),
    };
    match (method, pairs) {
        ("GetInfo", []) => {
            let interfaces: Vec<String> = std::iter::once(SERVICE.to_owned())
                .chain(families().map(|family| format!("{PREFIX}{family}")))
                .collect();
            Asked::Service(json!({ "parameters": {
                "vendor": "netbroker", "product": "netbroker", "version": env!("CARGO_PKG_VERSION"), "url": "",
                "interfaces": interfaces,
            }}))
        }
        ("GetInterfaceDescription", [(key, Json::String(interface))]) if key == "interface" => describe(interface),
        ("GetInfo", [(unknown, _), ..]) => Asked::Unknown(error("InvalidParameter", "parameter", unknown)),
        ("GetInterfaceDescription", _) => Asked::Unknown(error("InvalidParameter", "parameter", "interface")),
        _ => Asked::Unknown(error("MethodNotFound", "method", method)),
    }
}

fn describe(interface: &str) -> Asked {
    let family = interface.strip_prefix(PREFIX).and_then(|name| families().find(|family| *family == name));
    let description = match family {
        Some(family) => description(family),
        None if interface == SERVICE => SERVICE_DESCRIPTION.to_owned(),
        None => return Asked::Unknown(error("InterfaceNotFound", "interface", interface)),
    };
    Asked::Service(json!({ "parameters": { "description": description } }))
}

/// The description of a family's interface, complete in itself.
#[must_use]
pub fn description(family: &str) -> String {
    let calls = || CALLS.iter().flat_map(|calls| calls.iter()).filter(|call| call.family() == family);
    let mut types: BTreeMap<&str, String> = BTreeMap::new();
    let mut methods = String::new();
    for call in calls() {
        comment(&mut methods, "", call.doc);
        let fields = object(&call.all_uses().collect::<Vec<_>>(), &mut types);
        let results = parts(call.result.parts, true, &mut types);
        _ = write!(methods, "method {}({fields}) -> ({results})\n\n", call.verb());
    }
    let mut out = format!("# netbroker {}: {family}.\ninterface {PREFIX}{family}\n\n", env!("CARGO_PKG_VERSION"));
    for text in types.values() {
        _ = write!(out, "{text}\n\n");
    }
    out.push_str(&methods);
    for declared in ERRORS {
        comment(&mut out, "", declared.doc);
        let fields = parts(declared.parts, false, &mut types);
        let fields = if fields.is_empty() { fields } else { format!("{}, ", fields.trim_end()) };
        let fields = format!("{}request: string", fields.trim_start());
        _ = write!(out, "error {} ({fields})\n\n", declared.name);
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
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

/// The fields of a method: those with a dot become an object's.
fn object(uses: &[&'static Use], types: &mut BTreeMap<&'static str, String>) -> String {
    let mut out = Vec::new();
    let mut nested: Vec<&str> = Vec::new();
    for used in uses {
        match used.field.name.split_once('.') {
            None => out.push(field(used.field.name, used, types)),
            Some((head, _)) if nested.contains(&head) => {}
            Some((head, _)) => {
                nested.push(head);
                let of: Vec<&'static Use> =
                    uses.iter().filter(|u| u.field.name.split('.').next() == Some(head)).copied().collect();
                let inner: Vec<String> =
                    of.iter().map(|u| field(u.field.name.split('.').nth(1).unwrap_or_default(), u, types)).collect();
                let (name, ty) = type_name(head);
                types.insert(name, format!("type {ty} ({}\n)", inner.join(",")));
                out.push(format!("\n  # Only where the kind has it.\n  {head}: ?{ty}"));
            }
        }
    }
    out.push(
        "\n  # The caller's own id of the request, at most 64 bytes: recorded, never judged.\n  reference: ?string"
            .to_owned(),
    );
    format!("{}\n", out.join(","))
}

/// The Varlink type of an object of fields: its name in capitals.
fn type_name(head: &'static str) -> (&'static str, String) {
    let mut letters = head.chars();
    let first: String = letters.next().map(|c| c.to_ascii_uppercase()).into_iter().collect();
    (head, format!("{first}{}", letters.as_str()))
}

fn field(name: &str, used: &Use, types: &mut BTreeMap<&'static str, String>) -> String {
    let optional = if matches!(used.absence, Absence::Required) { "" } else { "?" };
    let ty = match used.field.ty {
        Type::Bool => "bool".to_owned(),
        Type::Number(..) => "int".to_owned(),
        Type::Word(words) => {
            types.insert(words.name, enumeration(words));
            words.name.to_owned()
        }
        _ => "string".to_owned(),
    };
    let mut out = String::from("\n");
    comment(&mut out, "  ", used.field.doc);
    format!("{out}  {name}: {optional}{ty}")
}

fn enumeration(words: &Words) -> String {
    format!("type {} ({})", words.name, words.words.join(", "))
}

/// The parts of a result or of an error; a result may say besides that its outcome is not in the trail.
fn parts(of: &'static [Part], is_result: bool, types: &mut BTreeMap<&'static str, String>) -> String {
    let mut out: Vec<String> = of.iter().map(|p| part(p, types)).collect();
    if is_result {
        out.push("\n  # False where the trail did not take the outcome.\n  recorded: ?bool".to_owned());
    }
    if out.is_empty() { String::new() } else { format!("{}\n", out.join(",")) }
}

fn part(part: &'static Part, types: &mut BTreeMap<&'static str, String>) -> String {
    let ty = match part.ty {
        Shape::Bool => "bool".to_owned(),
        Shape::Int => "int".to_owned(),
        Shape::String => "string".to_owned(),
        Shape::Strings => "[]string".to_owned(),
        Shape::Object(name, inner) | Shape::List(name, inner) => {
            let fields: Vec<String> = inner.iter().map(|p| self::part(p, types)).collect();
            types.insert(name, format!("type {name} ({}\n)", fields.join(",")));
            if matches!(part.ty, Shape::List(..)) { format!("[]{name}") } else { name.to_owned() }
        }
    };
    let mut out = String::from("\n");
    comment(&mut out, "  ", part.doc);
    format!("{out}  {}: {}{ty}", part.name, if part.always { "" } else { "?" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_names_every_method_with_its_types_and_errors() {
        let link = description("Link");
        for text in [
            "interface io.netbroker.Link\n",
            "method Add(\n",
            "kind: LinkKind",
            "type LinkKind (veth, bridge)",
            "peer: ?Peer",
            "type Peer (\n",
            "links: []LinkState",
            "error Denied (",
            "error Interrupted (request: string)",
        ] {
            assert!(link.contains(text), "{text}\n{link}");
        }
        for family in families() {
            let text = description(family);
            assert_eq!(text.matches('(').count(), text.matches(')').count(), "{text}");
        }
    }
}
