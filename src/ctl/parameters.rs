// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Converts `field=value …` to the parameters of a call. The declaration determines the type, never the form of the
//! text.
#![forbid(unsafe_code)]

use serde_json::{Map, Value};

use super::{Failure, warn};
use crate::call::field::NETNS;
use crate::call::json::Json;
use crate::call::request::Request;
use crate::call::types::Type;
use crate::call::{self, Call};
use crate::policy::diagnostics::did_you_mean;
use crate::policy::no_call;
use crate::policy::value_meant;
use crate::refusal::{Exit, Refusal, invalid};

/// The parameters of one call, with the same checks as in the broker.
#[derive(Debug)]
pub(super) struct Parameters {
    pub(super) request: Request,
    pub(super) object: Map<String, Value>,
    /// Whether `netns` was not given and stands for `@host`.
    pub(super) netns_assumed: bool,
}

/// Finds a call.
pub(super) fn call(name: &str) -> Result<&'static Call, Failure> {
    call::by_name(name).ok_or_else(|| wrong(no_call(&name.escape_debug().to_string(), std::iter::empty())))
}

fn wrong(message: String) -> Failure {
    Failure::Message(Exit::Request, message)
}

/// Reads `field=value …` for a caller with this uid. Defaults such as `tun.owner` depend on the caller, not on the user
/// who runs the tool.
pub(super) fn read(
    call: &'static Call,
    fields: &[String],
    reference: Option<&str>,
    uid: u32,
) -> Result<Parameters, Failure> {
    let mut object = Map::new();
    for field in fields {
        let Some((name, raw)) = field.split_once('=') else {
            return Err(wrong(format!("`{}` must have the form FIELD=VALUE", field.escape_debug())));
        };
        assign(call, &mut object, name, Given::Typed(raw))?;
    }
    let netns_assumed = !object.contains_key(NETNS.field.name);
    if netns_assumed {
        object.insert(NETNS.field.name.to_owned(), "@host".into());
    }
    if let Some(reference) = reference {
        object.insert("reference".to_owned(), reference.into());
    }
    let json = Json::parse(Value::Object(object.clone()).to_string().as_bytes());
    let json = json.map_err(|error| wrong(format!("the parameters are not JSON: {error}")))?;
    let request = Request::parse(call, &json, uid).map_err(|invalid| match invalid.field == NETNS.field.name {
        true if netns_assumed => {
            wrong(self::invalid("netns", "is missing; give the name of a network namespace").to_string())
        }
        _ => wrong(Refusal::from(invalid).to_string()),
    })?;
    Ok(Parameters { request, object, netns_assumed })
}

/// A value as typed.
#[derive(Debug, Clone, Copy)]
enum Given<'a> {
    /// As text.
    Typed(&'a str),
    /// Inside an object.
    Json(&'a Json),
}

fn assign(call: &'static Call, into: &mut Map<String, Value>, name: &str, said: Given<'_>) -> Result<(), Failure> {
    let bad = |why: String| wrong(invalid(name, why).to_string());
    if let Some(used) = call.all_uses().find(|used| used.field().name == name) {
        if let Some(list) = used.inside() {
            return Err(bad(format!("is inside a list, which is given as JSON: {}='[{{…}}]'", list.name)));
        }
        let value = match said {
            Given::Typed(raw) if matches!(used.field().ty, Type::List(_)) => as_given(raw),
            Given::Typed(raw) => {
                if matches!(used.field().ty, Type::Netns) && raw == "host" {
                    warn(format!(
                        "{name}=host is a namespace with this name under /run/netns; write {name}=@host for the host's own"
                    ));
                }
                let value = used.ty().parse(raw).map(|value| value.json());
                value.map_err(|why| why + &value_meant(used.field().ty, raw))
            }
            Given::Json(Json::Null) => return Ok(()),
            Given::Json(json) => used.ty().read(json).map(|value| value.json()),
        };
        return put(into, name, &value.map_err(bad)?).ok_or_else(|| bad("is given twice".to_owned()));
    }
    let inside = format!("{name}.");
    if !call.all_uses().any(|used| used.field().name.starts_with(&inside)) {
        let hint = did_you_mean(name, call.all_uses().map(|used| used.field().name));
        return Err(wrong(format!("`{}` is not a field of {}{hint}", name.escape_debug(), call.name)));
    }
    let parsed;
    let json = match said {
        Given::Json(json) => json,
        Given::Typed(raw) => {
            let inner = call.all_uses().find_map(|used| used.field().name.strip_prefix(&inside)).unwrap_or_default();
            let example = format!("; write `{name}.{inner}=…`, or an object such as `{name}={{\"{inner}\":…}}`");
            parsed = Json::parse(raw.as_bytes()).map_err(|_| bad(format!("is not a JSON object{example}")))?;
            &parsed
        }
    };
    let Json::Object(pairs) = json else { return Err(bad(format!("is {}, expected an object", json.what()))) };
    let members = Json::members(pairs).map_err(|key| bad(format!("has `{}` twice", key.escape_debug())))?;
    members.into_iter().try_for_each(|(key, json)| assign(call, into, &format!("{inside}{key}"), Given::Json(json)))
}

/// A list of structures as typed. The fields inside are read with the whole request.
fn as_given(raw: &str) -> Result<Value, String> {
    let json = Json::parse(raw.as_bytes()).map_err(|error| format!("is not JSON: {error}"))?;
    plain(&json)
}

/// The same as plain JSON, if no key is given twice.
fn plain(json: &Json) -> Result<Value, String> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => (*truth).into(),
        Json::Integer(number) => serde_json::from_str(&number.to_string()).map_err(|error| error.to_string())?,
        Json::String(text) => text.as_str().into(),
        Json::List(list) => list.iter().map(plain).collect::<Result<_, _>>()?,
        Json::Object(pairs) => {
            let members = Json::members(pairs).map_err(|key| format!("has `{}` twice", key.escape_debug()))?;
            let plain = |(key, json): (&str, _)| Ok::<_, String>((key.to_owned(), plain(json)?));
            Value::Object(members.into_iter().map(plain).collect::<Result<_, _>>()?)
        }
        Json::Unfit(why) => return Err((*why).to_owned()),
    })
}

/// Inserts a value under its name; a dot leads into an object. `None` if there is already a value.
fn put(into: &mut Map<String, Value>, name: &str, value: &Value) -> Option<()> {
    match name.split_once('.') {
        Some((outer, inner)) => {
            let nested = into.entry(outer).or_insert_with(|| Value::Object(Map::new()));
            put(nested.as_object_mut()?, inner, value)
        }
        None => into.insert(name.to_owned(), value.clone()).is_none().then_some(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, fields: &[&str]) -> Result<Parameters, String> {
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        let said = |failure| match failure {
            Failure::Message(Exit::Request, message) => message,
            other => panic!("{other:?}"),
        };
        call(name).and_then(|call| read(call, &fields, None, 7)).map_err(said)
    }

    #[test]
    fn the_declaration_gives_the_type() {
        let set = of("Link.Set", &["netns=7", "link=7", "mtu=7", "alias=7", "up=true"]).unwrap();
        assert_eq!(Value::Object(set.object).to_string(), r#"{"alias":"7","link":"7","mtu":7,"netns":"7","up":true}"#);
        assert!(!set.netns_assumed);
    }

    #[test]
    fn a_value_that_is_refused_has_the_hint_that_it_has_in_a_policy() {
        for (fields, hint) in [
            (["link=t", "kind=tap", "netns=n"], "a tap is written `kind=tun tun.mode=tap`"),
            (["link=t", "kind=brigde", "netns=n"], "did you mean `bridge`?"),
            (["link=t", "kind=bridge", "netns=/run/netns/n"], "write the name alone, without the directory"),
            (["link=\u{435}th0", "kind=bridge", "netns=n"], "contains `\u{435}` (U+0435) at position 1"),
        ] {
            let why = of("Link.Add", &fields).unwrap_err();
            assert!(why.contains(hint), "{why}");
        }
        for link in ["link=[a]", "link=a b", "link={uid}"] {
            let why = of("Link.Add", &[link, "kind=bridge", "netns=n"]).unwrap_err();
            assert!(!why.contains("pattern") && !why.contains("a list") && !why.contains("replaced"), "{why}");
        }
    }

    #[test]
    fn nested_fields_are_given_one_by_one_or_as_an_object() {
        let expected = r#"{"kind":"veth","link":"v0","netns":"@host","peer":{"mtu":1500,"name":"eth0","netns":"n"}}"#;
        let one_by_one = ["peer.name=eth0", "peer.netns=n", "peer.mtu=1500"];
        let as_object = [r#"peer={"name":"eth0","netns":"n","mtu":1500,"mac":null}"#];
        let mixed = [r#"peer={"name":"eth0","netns":"n"}"#, "peer.mtu=1500"];
        for peer in [&one_by_one[..], &as_object, &mixed] {
            let given = of("Link.Add", &[&["link=v0", "kind=veth"], peer].concat()).unwrap();
            assert!(given.netns_assumed);
            assert_eq!(Value::Object(given.object).to_string(), expected);
        }
    }

    #[test]
    fn a_slip_is_refused_before_the_broker_is_asked() {
        let cases: [(&str, &[&str], &str); 13] = [
            (
                "Link.Sett",
                &[],
                "no call named `Link.Sett`; the calls of Link are Link.Add, Link.Delete, Link.Set, Link.List",
            ),
            ("route", &[], "no call named `route`; `netbrokerctl describe` lists the calls"),
            ("Link.Set", &["lnk=a"], "`lnk` is not a field of Link.Set; did you mean `link`?"),
            ("Link.Set", &["link"], "`link` must have the form FIELD=VALUE"),
            ("Link.Set", &["link=a", "link=b"], "InvalidRequest: field=link reason=\"is given twice\""),
            ("Link.Set", &["link=a", "mtu=many"], "InvalidRequest: field=mtu reason=\"`many` is not a whole number\""),
            ("Link.Set", &["link=a/b"], "InvalidRequest: field=link reason=\"`a/b` must not contain `/`"),
            ("Link.Set", &[], "InvalidRequest: field=link reason=\"is missing"),
            (
                "Link.Add",
                &["peer=eth0"],
                "InvalidRequest: field=peer reason=\"is not a JSON object; write `peer.name=…`",
            ),
            ("Link.Add", &["peer=[]"], "InvalidRequest: field=peer reason=\"is a list, expected an object\""),
            ("Link.Add", &[r#"peer={"nam":"a"}"#], "`peer.nam` is not a field of Link.Add; did you mean `peer.name`?"),
            (
                "Link.Add",
                &[r#"peer={"name":"a","name":"b"}"#],
                "InvalidRequest: field=peer reason=\"has `name` twice\"",
            ),
            (
                "Link.Add",
                &[r#"peer={"name":"a"}"#, "peer.name=b"],
                "InvalidRequest: field=peer.name reason=\"is given twice\"",
            ),
        ];
        for (name, fields, start) in cases {
            let message = of(name, fields).unwrap_err();
            assert!(message.starts_with(start), "{fields:?}: {message}");
        }
    }
    #[test]
    fn a_list_is_given_as_json() {
        let route = ["netns=n", "destination=10.1.0.0/16"];
        let list = r#"nexthops=[{"link":"a","weight":2},{"gateway":"10.0.0.1","onlink":null}]"#;
        let given = of("Route.Add", &[&route[..], &[list]].concat()).unwrap();
        let expected = r#"[{"link":"a","weight":2},{"gateway":"10.0.0.1","onlink":null}]"#;
        assert_eq!(given.object["nexthops"].to_string(), expected);
        for (slip, expected) in [
            (
                "nexthops.gateway=10.0.0.1",
                "InvalidRequest: field=nexthops.gateway reason=\"is inside a list, which is given as JSON: \
                    nexthops='[{…}]'\"",
            ),
            ("nexthops=a", "InvalidRequest: field=nexthops reason=\"is not JSON"),
            (
                r#"nexthops={"link":"a"}"#,
                "InvalidRequest: field=nexthops reason=\"is an object, expected a list of objects\"",
            ),
            (r#"nexthops=[{"link":"a","link":"b"}]"#, "InvalidRequest: field=nexthops reason=\"has `link` twice\""),
            (
                r#"nexthops=[{"link":"a"},{"lnk":"b"}]"#,
                "InvalidRequest: field=nexthops.lnk reason=\"element 2 (counted from 1): is not a field of Route.Add\"",
            ),
            ("nexthops=[1.5]", "InvalidRequest: field=nexthops reason=\"must be a whole number in plain digits"),
        ] {
            let message = of("Route.Add", &[&route[..], &[slip]].concat()).unwrap_err();
            assert!(message.starts_with(expected), "{slip}: {message}");
        }
    }

    #[test]
    fn defaults_are_those_of_the_caller_that_is_asked_about() {
        let fields = ["netns=n", "link=t0", "kind=tun", "tun.mode=tap"].map(str::to_owned);
        let owner = |uid| {
            let given = read(call("Link.Add").unwrap(), &fields, None, uid).unwrap();
            given.request.value(&crate::call::field::TUN_OWNER.field).unwrap().to_string()
        };
        assert_eq!((owner(7), owner(1000)), ("7".to_owned(), "1000".to_owned()));
    }
}
