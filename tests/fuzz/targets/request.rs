// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The parser of requests, on the bytes of a message. What it accepts has everything that was given, each thing once
//! and unchanged. It means the same when it is written out again. Each of its values is what the tool's command line
//! would read from the same text.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use netbroker::call::json::Json;
use netbroker::call::varlink::Method;
use netbroker::wire::CallMessage;
use netbroker_fuzz::requests::{caller, json, parameters, parse};
use serde_json::Value;

/// Whether a request holds what was given. Numbers and names are kept to the byte; of the forms of an address, one is
/// kept. A list of one is kept as the fields that mean the same, and a list of several replaces their defaults.
fn holds(held: Option<&Value>, said: &Json) -> bool {
    match (held, said) {
        (_, Json::Null) => true, // absence, or a default
        (Some(Value::Bool(held)), Json::Bool(said)) => held == said,
        (Some(Value::Number(held)), Json::Integer(said)) => held.to_string() == said.to_string(),
        (Some(Value::String(held)), Json::Integer(said)) => *held == said.to_string(), // a range of one number
        (Some(Value::String(held)), Json::String(said)) => held == said || same_address(held, said),
        (Some(Value::Array(held)), Json::List(said)) => {
            held.len() == said.len() && held.iter().zip(said).all(|(held, said)| holds(Some(held), said))
        }
        (Some(held), Json::Object(said)) => said.iter().enumerate().all(|(at, (name, value))| {
            said.iter().skip(at + 1).all(|(other, _)| name != other)
                && (holds(held.get(name), value) || holds_alone(held, name, value))
        }),
        (None, Json::Bool(false)) => true,
        (None, Json::Object(said)) => said.iter().all(|(_, value)| *value == Json::Null),
        _ => false,
    }
}

fn holds_alone(held: &Value, list: &str, said: &Json) -> bool {
    match said {
        Json::List(elements) if held.get(list).is_none() => match elements.as_slice() {
            [Json::Object(one)] => {
                one.iter().all(|(name, value)| *value == Json::Integer(1) || holds(held.get(name), value))
            }
            _ => false,
        },
        _ => false,
    }
}

fn same_address(held: &str, said: &str) -> bool {
    let ip = |text: &str| text.parse::<std::net::IpAddr>().ok();
    match (held.split_once('/'), said.split_once('/')) {
        (Some((held, bits)), Some((said, same))) => bits == same && ip(held).is_some_and(|held| ip(said) == Some(held)),
        (None, None) if ip(held).is_some() => ip(held) == ip(said),
        _ => held.contains(':') && held.eq_ignore_ascii_case(said),
    }
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(message) = CallMessage::parse(bytes) else { return Corpus::Keep };
    let Method::Call(call) = message.method_kind() else { return Corpus::Keep };
    let request = match parse(call, &message.parameters, &caller()) {
        Ok(request) => request,
        Err(invalid) => {
            assert!(!invalid.reason.is_empty() && !invalid.reason.contains(char::is_control), "{invalid:?}");
            return Corpus::Keep;
        }
    };
    let written = parameters(&request);
    assert!(holds(Some(&written), &message.parameters), "{written} for {:?}", message.parameters);
    let again = parse(call, &json(&written), &caller()).unwrap_or_else(|invalid| panic!("{written}: {invalid:?}"));
    assert!(request.values().eq(again.values()), "{request:?} and {again:?}");
    assert_eq!(request.reference(), again.reference());
    assert_eq!(request.kind().map(|kind| kind.name), again.kind().map(|kind| kind.name));
    for (field, value) in request.values().filter(|(_, value)| !value.json().is_array()) {
        assert_eq!(field.ty.parse(&value.to_string()).as_ref(), Ok(value), "{}", field.name);
    }
    Corpus::Keep
});
