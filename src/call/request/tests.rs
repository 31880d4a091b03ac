// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How requests are parsed, and what is refused: fields, then lists.

use super::*;
use crate::call::field::FieldId;
use crate::call::field::invented::STATES;
use crate::call::{AS_READ, Constant, Effect, NOTHING, Needs, by_name, declared};

fn parse(call: &str, json: &str) -> Result<Request, Invalid> {
    Request::parse(by_name(call).unwrap(), &Json::parse(json.as_bytes()).unwrap(), 0)
}

fn refused(call: &str, json: &str) -> (String, String) {
    match parse(call, json) {
        Err(Invalid { field, reason }) => (field, reason),
        other => panic!("{json}: {other:?}"),
    }
}

#[test]
fn fields_are_read_by_their_declaration_and_defaults_filled_in() {
    let request = parse(
        "Link.Add",
        r#"{"netns":"@host","link":"v0","kind":"veth","peer":{"name":"eth0","netns":"n","mac":null},"reference":"req-1"}"#,
    )
    .unwrap();
    assert_eq!(request.get(&field::PEER_NAME).unwrap().as_str(), "eth0");
    assert_eq!(request.get(&field::UP), Some(&false));
    assert_eq!(request.get(&field::PEER_MAC), None);
    assert_eq!(request.reference(), Some("req-1"));
}

#[test]
fn each_mistake_is_named_with_its_field() {
    let cases = [
        ("Link.Set", r#"{}"#, "netns", "missing"),
        ("Link.Set", r#"{"netns":"@host"}"#, "link", "missing"),
        ("Link.Set", r#"{"netns":null,"link":"a"}"#, "netns", "missing"),
        ("Link.Set", r#"{"netns":"@host","link":"a","mtv":1}"#, "mtv", "is not a field of Link.Set"),
        ("Link.Set", r#"{"netns":"@host","link":"a","link":"b"}"#, "link", "twice"),
        ("Link.Set", r#"{"netns":"@host","link":"a","mtu":"1500"}"#, "mtu", "a string"),
        ("Link.Set", r#"{"netns":"@host","link":"a","mtu":1500.0}"#, "mtu", "plain digits"),
        ("Link.Set", r#"{"netns":"@host","link":"a","mtu":-1}"#, "mtu", "must be between 0 and 4294967295, not -1"),
        ("Link.Set", r#"{"netns":"@host","link":"a","mtu":4294967296}"#, "mtu", "must be between"),
        ("Link.Set", r#"{"netns":"@host","link":"a","up":1}"#, "up", "a number"),
        ("Link.Set", r#"{"netns":"@host","link":"a","up":"true"}"#, "up", "a string"),
        ("Link.Set", r#"{"netns":"@host","link":["a"]}"#, "link", "a list"),
        ("Link.Set", r#"{"netns":"@host","link":"0123456789abcdef"}"#, "link", "has 16 bytes"),
        ("Link.Set", r#"{"netns":"@host","link":"a","master":"b","no_master":true}"#, "master", "no_master"),
        ("Link.Add", r#"{"netns":"@host","link":"a","kind":"vlam"}"#, "kind", "not one of veth, bridge"),
        ("Link.Add", r#"{"netns":"@host","link":"a","kind":"veth"}"#, "peer.name", "missing"),
        (
            "Link.Add",
            r#"{"netns":"@host","link":"a","kind":"veth","peer":{"name":"b","name":"c"}}"#,
            "peer.name",
            "twice",
        ),
        ("Link.Add", r#"{"netns":"@host","link":"a","kind":"veth","peer":"b"}"#, "peer", "expected an object"),
        (
            "Link.Add",
            r#"{"netns":"@host","link":"a","kind":"bridge","peer":{"name":"b"}}"#,
            "peer.name",
            "is not a field of kind bridge; it belongs to kind veth",
        ),
        (
            "Link.Add",
            r#"{"netns":"@host","link":"a","kind":"veth","peer.name":"b"}"#,
            "peer.name",
            "must not contain a dot",
        ),
        ("Netns.Add", r#"{"netns":"a","reference":"a\nb"}"#, "reference", "printable"),
        ("Netns.Add", r#"{"netns":"a","reference":""}"#, "reference", "printable"),
        ("Netns.Add", r#"[]"#, "", "expected an object"),
    ];
    for (call, json, field, reason) in cases {
        let (at, why) = refused(call, json);
        assert_eq!(at, field, "{json}: {why}");
        assert!(why.contains(reason), "{json}: {why}");
    }
}
const fn inside(field: &'static field::Field, absence: Absence) -> Use {
    Use { inside: Some(FieldId::of(&field::NEXTHOPS.field)), ..declared(field, absence) }
}

/// An invented call, to test lists independent of what a real call does with them.
static WAYS: Call = Call {
    name: "Test.Ways",
    number: 999,
    effect: Effect::Changes,
    needs: Needs::NET_ADMIN,
    doc: "",
    elsewhere: "",
    uses: &[
        Use { inside: None, ..inside(&field::NEXTHOPS.field, Absence::Untouched) },
        inside(&field::NEXTHOPS_LINK.field, Absence::Required),
        inside(&field::NEXTHOPS_GATEWAY.field, Absence::Chosen),
        inside(&field::NEXTHOPS_ONLINK.field, Absence::Default(Constant::Bool(false))),
        Use { inside: None, ..inside(&STATES, Absence::Any) },
    ],
    kinds: crate::call::NO_KINDS,
    excludes: &[],
    leaves_open: &[],
    settle: AS_READ,
    result: NOTHING,
};

fn ways(json: &str) -> Result<Request, Invalid> {
    Request::parse(&WAYS, &Json::parse(json.as_bytes()).unwrap(), 0)
}

#[test]
fn each_element_of_a_list_is_read_by_its_fields_and_has_its_own_defaults() {
    let both = r#"{"nexthops":[{"link":"a","onlink":true},{"link":"b","gateway":null}],"test_states":["stale"]}"#;
    let request = ways(both).unwrap();
    let [one, other] = request.get(&field::NEXTHOPS).unwrap().as_slice() else { panic!("{request:?}") };
    assert_eq!(
        (one.get(&field::NEXTHOPS_LINK).unwrap().as_str(), one.get(&field::NEXTHOPS_ONLINK)),
        ("a", Some(&true))
    );
    assert_eq!((other.value(&field::NEXTHOPS_GATEWAY.field), other.get(&field::NEXTHOPS_ONLINK)), (None, Some(&false)));
    assert_eq!(request.value(&STATES), Some(&Value::Several(vec![Value::Word("stale")])));
    // The recorded form, and the same form parsed again.
    let recorded = request.value(&field::NEXTHOPS.field).unwrap().to_string();
    assert_eq!(recorded, r#"[{"link":"a","onlink":true},{"link":"b","onlink":false}]"#);
    let again = ways(&format!(r#"{{"nexthops":{recorded}}}"#)).unwrap();
    assert_eq!(again.value(&field::NEXTHOPS.field), request.value(&field::NEXTHOPS.field));
    assert!(ways(r#"{"nexthops":null}"#).unwrap().value(&field::NEXTHOPS.field).is_none());
}

#[test]
fn a_field_inside_a_list_is_said_once_for_each_element() {
    let [list, link, gateway, ..] = WAYS.uses else { panic!("{WAYS:?}") };
    let (none, two) =
        (ways("{}").unwrap(), ways(r#"{"nexthops":[{"link":"a"},{"link":"b","gateway":"::1"}]}"#).unwrap());
    assert_eq!([list, link, gateway].map(|used| none.times(used)), [1, 0, 0]);
    assert_eq!([list, link, gateway].map(|used| two.times(used)), [1, 2, 2]);
    assert!(matches!(two.field_value(link, 1), FieldValue::Value(name) if name.to_string() == "b"));
    assert!(matches!(
        (two.field_value(gateway, 0), two.field_value(gateway, 1)),
        (FieldValue::Open, FieldValue::Value(_))
    ));
}

#[test]
fn what_is_settled_stands_in_the_order_of_the_declaration_and_is_read_again_as_it_is() {
    let cases = [
        ("Route.Add", r#"{"netns":"a","destination":"default","nexthops":[{"onlink":true,"gateway":"10.0.0.1"}]}"#),
        ("Route.Replace", r#"{"netns":"a","destination":"::/0","nexthops":[{"link":"b"},{"link":"c"}]}"#),
        ("Rule.Add", r#"{"netns":"a","family":"inet","exists_ok":false}"#),
        ("Address.Add", r#"{"netns":"a","link":"b","address":"10.0.0.1/8","preferred_lifetime":7}"#),
    ];
    for (call, json) in cases {
        let call = by_name(call).unwrap();
        let request = Request::parse(call, &Json::parse(json.as_bytes()).unwrap(), 0).unwrap();
        let given: Vec<_> = request.values().map(|(field, _)| field.name).collect();
        let declared = call.all_uses().map(|used| used.field().name).filter(|name| given.contains(name));
        assert_eq!(given, declared.collect::<Vec<_>>(), "{json}");
        let object = request.values().map(|(field, value)| (field.name.to_owned(), value.json())).collect();
        let again = serde_json::Value::Object(object).to_string();
        let again = Request::parse(call, &Json::parse(again.as_bytes()).unwrap(), 0).unwrap();
        assert!(request.values().eq(again.values()), "{again:?}");
    }
}

#[test]
fn each_mistake_in_a_list_is_named_with_its_field_and_its_element() {
    let many = format!(r#"{{"nexthops":[{}]}}"#, [r#"{"link":"a"}"#; 25].join(","));
    let cases = [
        (r#"{"nexthops":[]}"#, "nexthops", "must not be an empty list; leave it out"),
        (&many, "nexthops", "has 25 elements; at most 24 are allowed"),
        (r#"{"nexthops":{"link":"a"}}"#, "nexthops", "is an object, expected a list of objects"),
        (r#"{"nexthops":"a"}"#, "nexthops", "is a string, expected a list of objects"),
        (r#"{"nexthops":[{"link":"a"},7]}"#, "nexthops", "element 2 (counted from 1): is a number, expected an object"),
        (r#"{"nexthops":[null]}"#, "nexthops", "element 1 (counted from 1): is null, expected an object"),
        (r#"{"nexthops":[{"link":"a"},{}]}"#, "nexthops.link", "element 2 (counted from 1): is missing; expected "),
        (r#"{"nexthops":[{"link":null}]}"#, "nexthops.link", "element 1 (counted from 1): is missing; expected "),
        (r#"{"nexthops":[{"link":"a","lnk":1}]}"#, "nexthops.lnk", "element 1 (counted from 1): is not a field of "),
        (r#"{"nexthops":[{"link":"a","weight":1}]}"#, "nexthops.weight", "element 1 (counted from 1): is not a field"),
        (r#"{"nexthops":[{"link":"a","link":"a"}]}"#, "nexthops.link", "element 1 (counted from 1): is given"),
        (r#"{"nexthops":[{"link":"a"},{"link":7}]}"#, "nexthops.link", "element 2 (counted from 1): is a number"),
        (r#"{"nexthops":[{"link":{"x":1}}]}"#, "nexthops.link", "element 1 (counted from 1): is an object"),
        (r#"{"nexthops":[{"link":["a"]}]}"#, "nexthops.link", "element 1 (counted from 1): is a list"),
        (r#"{"nexthops":[{"a.b":1}]}"#, "nexthops.a.b", "element 1 (counted from 1): must not contain a dot"),
        (r#"{"nexthops.link":"a"}"#, "nexthops.link", "must not contain a dot"),
        (r#"{"link":"a"}"#, "link", "is not a field of Test.Ways"),
        (r#"{"test_states":[]}"#, "test_states", "must not be an empty list; leave it out"),
        (r#"{"test_states":"stale"}"#, "test_states", "is a string, expected a list, each one of none, "),
        (r#"{"test_states":["stale","x"]}"#, "test_states", "element 2 (counted from 1): `x` is not one of none, "),
        (r#"{"test_states":[["stale"]]}"#, "test_states", "element 1 (counted from 1): is a list"),
    ];
    for (json, field, reason) in cases {
        let wrong = ways(json).unwrap_err();
        assert_eq!(wrong.field, field, "{json}: {wrong:?}");
        assert!(wrong.reason.starts_with(reason), "{json}: {wrong:?}");
    }
}
