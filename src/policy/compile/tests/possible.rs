// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every entry that fits no request is named, in every call. Whether some request fits is searched: the examples of the
//! manual, each with other values of the field and without one of its other fields.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::*;
use crate::call::request::Request;
use crate::call::types::Type;
use crate::call::value::Value;
use crate::call::{Call, Use, all};
use crate::policy::{entries, possible};

/// Entries of a type, at the edges of what it can hold. An entry that fits one example is no edge.
fn edges(used: &Use) -> Vec<Scalar> {
    let texts = |list: &[&str]| list.iter().map(|text| Scalar::Text((*text).to_owned())).collect();
    match used.field().ty {
        Type::Bool => vec![Scalar::Bool(false), Scalar::Bool(true)],
        Type::Number(least, most) | Type::Range(least, most) => {
            let near = [least, least + 1, least + 3, 4, 100, 1280, 65536, most - 1, most];
            let inside = near.into_iter().filter(|number| (least..=most).contains(number));
            inside.map(|number| Scalar::Integer(number.into())).collect()
        }
        Type::Netns => texts(&["@host", "a", "q-*", "a;b", "7", "-x"]),
        Type::Link | Type::AlternativeName => texts(&["a", "q-*", "a;b", "-x"]),
        Type::Label => texts(&["a:1", "q-*", "a;b"]),
        Type::Mac => texts(&["02:00:00:00:00:01", "02:00", "02:*", "01:00:5e:00:00:01", "*:01:01:01:01:01:01:01"]),
        Type::Address | Type::Gateway | Type::InterfaceAddress | Type::Prefix => texts(&[
            "0.0.0.0/32",
            "::/128",
            "10.0.0.1/32",
            "2001:db8::1/128",
            "224.0.0.1/32",
            "ff02::1/128",
            "10.0.0.0/8 len 24",
            "2001:db8::/32 len 64",
            "10.0.0.1/24",
            "2001:db8::1/64",
            "0.0.0.0/0 len 0",
            "::/0 len 0",
        ]),
        Type::Word(words) => words.all().map(|word| Scalar::Text(word.to_owned())).collect(),
        Type::Text | Type::List(_) | Type::Several(_) => Vec::new(),
    }
}

/// Values that may fit an entry, as a request gives them.
fn values(entry: &Scalar, ty: Type) -> Vec<Json> {
    let text = match entry {
        Scalar::Bool(truth) => return vec![json!(truth)],
        Scalar::Integer(number) => return vec![json!(u64::try_from(*number).unwrap())],
        Scalar::Text(text) => text,
    };
    let prefix = text.split(" len ").next().unwrap();
    let length = text.split(" len ").nth(1);
    match ty {
        Type::Address | Type::Gateway => vec![json!(prefix.split('/').next().unwrap())],
        Type::InterfaceAddress | Type::Prefix => {
            let address = prefix.split('/').next().unwrap();
            let given = length.map_or_else(|| prefix.to_owned(), |length| format!("{address}/{length}"));
            let (bare, inside) = if address.contains(':') { (128, "1") } else { (32, "9.9.9") };
            let host = length.map(|length| {
                let head = address.trim_end_matches(".0.0.0").trim_end_matches("::");
                let join = if bare == 32 { "." } else { "::" };
                format!("{head}{join}{inside}/{length}")
            });
            [given, address.to_owned()].into_iter().chain(host).map(|value| json!(value)).collect()
        }
        Type::Mac => vec![json!(text.replace('*', "00:00:00:00")), json!(text.replace('*', "00:00:00:00:01"))],
        _ => vec![json!(text.replace('*', "a"))],
    }
}

/// The member of a request that holds a field.
fn put(request: &mut Json, name: &str, value: Option<Json>) {
    let mut at = request;
    let mut steps: Vec<&str> = name.split('.').collect();
    let last = steps.pop().unwrap();
    for step in steps {
        if !at.get(step).is_some_and(Json::is_object) {
            at[step] = json!({});
        }
        at = &mut at[step];
    }
    match value {
        Some(value) => at[last] = value,
        None => drop(at.as_object_mut().unwrap().remove(last)),
    }
}

fn read(call: &'static Call, json: &Json) -> Option<Request> {
    let json = crate::call::json::Json::parse(json.to_string().as_bytes()).unwrap();
    Request::parse(call, &json, 7).ok()
}

/// The names of the fields that a request gives.
fn given(request: &Json, under: &str) -> Vec<String> {
    let members = request.as_object().unwrap().iter();
    members
        .flat_map(|(name, value)| {
            let name = format!("{under}{name}");
            if value.is_object() { given(value, &format!("{name}.")) } else { vec![name] }
        })
        .collect()
}

/// Whether some request of the call, by one of these examples, fits the entry.
fn fits(call: &'static Call, used: &Use, entry: &Scalar, constraint: &Constraint, bases: &[Json]) -> bool {
    let name = used.field().name;
    let head = name.split('.').next().unwrap();
    let of_head = |base: &&Json| base.get(head).is_some();
    let few = bases.iter().filter(|base| !name.contains('.') || of_head(base) || !bases.iter().any(|b| of_head(&b)));
    let is_fit = |request: &Json| {
        read(call, request).is_some_and(|request| {
            let is_met = |value: &Value| constraint.meets(value, 7);
            request.value(used.field()).is_some_and(is_met)
        })
    };
    few.into_iter().any(|base| {
        values(entry, used.field().ty).into_iter().any(|value| {
            let mut with = base.clone();
            put(&mut with, name, Some(value));
            let without = given(&with, "").into_iter().filter(|other| other != name).map(|other| {
                let mut fewer = with.clone();
                put(&mut fewer, &other, None);
                fewer
            });
            is_fit(&with) || without.into_iter().any(|request| is_fit(&request))
        })
    })
}

/// The examples of each call, and requests with what the examples lack.
fn bases() -> BTreeMap<String, Vec<Json>> {
    let mut bases: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for line in crate::ctl::examples::listed().unwrap().lines() {
        let example: Json = serde_json::from_str(line).unwrap();
        bases.entry(example["call"].as_str().unwrap().to_owned()).or_default().push(example["parameters"].clone());
    }
    for (call, request) in [
        (
            "Link.Add",
            json!({"link": "l", "kind": "vxlan", "vxlan": {"id": 7, "source_port_min": 0, "source_port_max": 9}}),
        ),
        ("Route.Get", json!({"destination": "2001:db8::7/128"})),
        ("Rule.Add", json!({"family": "inet", "fwmark": 0})),
        ("Rule.Delete", json!({"family": "inet6", "priority": 7})),
        ("Rule.Flush", json!({"family": "inet6", "protocol": 7})),
    ] {
        bases.get_mut(call).unwrap().push(request);
    }
    for call in ["Address.Add", "Address.Replace", "Address.Delete", "Address.Flush"] {
        for address in ["10.0.0.9/0", "2001:db8::9/0", "2001:db8::9/64", "2001:db8::9/128"] {
            bases.get_mut(call).unwrap().push(json!({"link": "l", "address": address}));
        }
    }
    for call in ["Route.Add", "Route.Replace", "Route.Append", "Route.Delete", "Route.Flush", "Route.List"] {
        let encap = json!({"kind": "ip6", "destination": "2001:db8::9"});
        let destination = "2001:db8:7::/64";
        bases.get_mut(call).unwrap().push(json!({"link": "l", "table": 7, "destination": destination, "encap": encap}));
    }
    for request in bases.values_mut().flatten() {
        if request.get("netns").is_none() {
            request["netns"] = json!("a");
        }
    }
    bases
}

#[test]
fn an_entry_that_fits_no_request_is_named_and_every_other_fits_one() {
    let (bases, mut wrong, mut named) = (bases(), Vec::new(), 0);
    for call in all() {
        let bases = &bases[call.name];
        for used in call.all_uses().filter(|used| used.inside().is_none()) {
            for edge in edges(used) {
                let sources = sources(&[""]);
                let at = At { place: sources[0].place(0..0), it: edge.clone() };
                let Some(entry) = entries::one(&at, used.field().ty, Ruling::Deny) else { continue };
                let constraint = Constraint { any: false, entries: entry.clone(), except: None };
                let refusal = possible::refusal(call, used, &entry);
                named += usize::from(refusal.is_some());
                match (refusal, fits(call, used, &edge, &constraint, bases)) {
                    (Some(_), false) | (None, true) => {}
                    (Some(why), true) => {
                        wrong.push(format!("{} {}: {edge} {why}, but fits", call.name, used.field().name));
                    }
                    (None, false) => wrong.push(format!("{} {}: {edge} is not named", call.name, used.field().name)),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(named > 50, "{named}");
}
