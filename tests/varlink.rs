// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `org.varlink.service`: the descriptions that the program itself returns are complete, parse, and have every call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::Host;
use netbroker::call;
use netbroker::call::error::ERRORS;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A description, parsed by the grammar of varlink.org/Interface-Definition.
#[derive(Default)]
struct Interface {
    name: String,
    types: Vec<String>,
    methods: Vec<(String, Vec<String>)>,
    errors: Vec<(String, Vec<String>)>,
    used: BTreeSet<String>,
}

struct Parser<'t> {
    tokens: std::iter::Peekable<std::vec::IntoIter<&'t str>>,
    interface: Interface,
}

/// Words and punctuation; a comment runs to the end of its line.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    for line in text.lines() {
        let mut rest = line.split('#').next().unwrap().trim_start();
        while !rest.is_empty() {
            let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.')).unwrap_or(rest.len());
            let length = match word {
                0 if rest.starts_with("->") || rest.starts_with("[]") => 2,
                0 => 1,
                word => word,
            };
            let (token, after) = rest.split_at(length);
            tokens.push(token);
            rest = after.trim_start();
        }
    }
    tokens
}

fn is_snake(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && word
            .split('_')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
}

fn is_camel(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase()) && word.bytes().all(|b| b.is_ascii_alphanumeric())
}

impl<'t> Parser<'t> {
    fn parse(text: &'t str) -> Interface {
        let mut parser = Parser { tokens: tokens(text).into_iter().peekable(), interface: Interface::default() };
        parser.expect("interface");
        parser.interface.name = parser.next().to_owned();
        while let Some(word) = parser.tokens.next() {
            let name = parser.next().to_owned();
            assert!(is_camel(&name), "{name}");
            match word {
                "type" => {
                    parser.structure(&name);
                    parser.interface.types.push(name);
                }
                "method" => {
                    let fields = parser.structure(&name);
                    parser.expect("->");
                    parser.structure(&name);
                    parser.interface.methods.push((name, fields));
                }
                "error" => {
                    let fields = parser.structure(&name);
                    parser.interface.errors.push((name, fields));
                }
                other => panic!("{other} {name}"),
            }
        }
        parser.interface
    }

    fn next(&mut self) -> &'t str {
        self.tokens.next().expect("the description breaks off")
    }

    fn expect(&mut self, token: &str) {
        assert_eq!(self.next(), token);
    }

    /// Parses `(name: type, …)`, or `(word, …)` of an enumeration, and returns the names.
    fn structure(&mut self, of: &str) -> Vec<String> {
        self.expect("(");
        let mut names: Vec<String> = Vec::new();
        if self.tokens.next_if_eq(&")").is_some() {
            return names;
        }
        let mut enumeration = None;
        loop {
            let name = self.next();
            assert!(is_snake(name), "{name} in {of}");
            assert!(!names.iter().any(|known| known == name), "{name} stands twice in {of}");
            names.push(name.to_owned());
            let typed = self.tokens.next_if_eq(&":").is_some();
            assert_eq!(*enumeration.get_or_insert(!typed), !typed, "{of} is half an enumeration");
            if typed {
                self.ty();
            }
            match self.next() {
                "," => {}
                ")" => return names,
                other => panic!("{other} behind {name} in {of}"),
            }
        }
    }

    fn ty(&mut self) {
        let _ = self.tokens.next_if_eq(&"?");
        while self.tokens.next_if_eq(&"[]").is_some() {}
        let word = self.next();
        if !matches!(word, "bool" | "int" | "float" | "string" | "object") {
            assert!(is_camel(word), "{word} is no type");
            self.interface.used.insert(word.to_owned());
        }
    }
}

fn ask(host: &Host, method: &str, parameters: Value) -> Value {
    host.caller().call(&format!("org.varlink.service.{method}"), parameters).ok()
}

/// A host whose policy permits nothing: questions are not judged.
fn host() -> Host {
    let host = Host::new();
    host.policy("");
    host
}

#[test]
fn every_interface_has_a_description_that_parses_and_all_calls_are_in_them() {
    let host = host();
    let info = ask(&host, "GetInfo", json!({}));
    let mut members: Vec<&String> = info.as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(members, ["interfaces", "product", "url", "vendor", "version"]);
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(info["url"], env!("CARGO_PKG_HOMEPAGE"));
    assert!(info["url"].as_str().unwrap().starts_with("https://"), "{info}");
    let mut methods = BTreeSet::new();
    for name in info["interfaces"].as_array().unwrap() {
        let text = ask(&host, "GetInterfaceDescription", json!({"interface": name}))["description"].clone();
        let interface = Parser::parse(text.as_str().unwrap());
        assert_eq!(interface.name, name.as_str().unwrap());
        let defined: BTreeSet<String> = interface.types.iter().cloned().collect();
        assert_eq!(defined.len(), interface.types.len(), "a type stands twice in {name}");
        assert_eq!(defined, interface.used, "types defined and used in {name}");
        if *name == "org.varlink.service" {
            continue;
        }
        let errors: Vec<&str> = interface.errors.iter().map(|(error, _)| error.as_str()).collect();
        assert_eq!(errors, ERRORS.iter().map(|declared| declared.name).collect::<Vec<_>>());
        assert!(interface.errors.iter().all(|(_, fields)| fields.iter().any(|field| field == "request")));
        for (method, fields) in interface.methods {
            let call = format!("{}.{method}", interface.name.rsplit('.').next().unwrap());
            let declared = call::by_name(&call).unwrap_or_else(|| panic!("{call}"));
            let expected: BTreeSet<&str> = declared
                .all_uses()
                .map(|used| used.field().name.split('.').next().unwrap())
                .chain(["reference"])
                .collect();
            assert_eq!(fields.iter().map(String::as_str).collect::<BTreeSet<_>>(), expected, "{call}");
            methods.insert(call);
        }
    }
    assert_eq!(methods, call::all().map(|call| call.name.to_owned()).collect());
    assert!(host.trail().is_empty());
}

#[test]
fn a_wrong_question_is_told_as_varlink_says() {
    let host = host();
    let refused = |method: &str, parameters: Value| {
        let reply = host.caller().call(&format!("org.varlink.service.{method}"), parameters);
        (reply.error().rsplit('.').next().unwrap().to_owned(), reply.parameters(), reply.status())
    };
    let of = |name: &str| json!({"interface": name});
    assert_eq!(refused("GetInterfaceDescription", of("io.netbroker.Bird")).0, "InterfaceNotFound");
    assert_eq!(refused("GetInterfaceDescription", of("")).0, "InterfaceNotFound");
    let parameter = |name: &str| ("InvalidParameter".to_owned(), json!({"parameter": name}), 65);
    assert_eq!(refused("GetInterfaceDescription", json!({})), parameter("interface"));
    assert_eq!(refused("GetInterfaceDescription", json!({"interface": 1})), parameter("interface"));
    assert_eq!(refused("GetInfo", json!({"x": 1})), parameter("x"));
    assert_eq!(refused("GetInfo", json!([])), parameter("parameters"));
}

#[test]
fn who_has_no_way_in_is_still_told_what_there_is() {
    let host = host();
    let caller = host.caller().no_new_privs();
    assert_eq!(caller.call("org.varlink.service.GetInfo", json!({})).parameters()["vendor"], "netbroker");
}
