// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A request: one call with its fields, parsed by their declaration, defaults filled in. Nothing is guessed or cut.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use super::field::{self, Field, Held, Key};
use super::json::Json;
use super::value::{Element, Type, Value, in_element, require_some, shown};
use super::{Absence, Call, Kind, Needs, Use};

/// Bytes of a `reference`: the caller's own id of the request.
const REFERENCE_BYTES: usize = 64;

/// A request that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The field; empty where the request as a whole is meant.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Invalid {
    /// Wrong in this field, for this reason.
    #[must_use]
    pub fn new(field: &str, reason: impl Into<String>) -> Self {
        Self { field: field.to_owned(), reason: reason.into() }
    }
}

fn invalid(field: &str, reason: impl Into<String>) -> Invalid {
    Invalid::new(field, reason)
}

/// What a request says of a field.
#[derive(Debug, Clone, Copy)]
pub enum Said<'a> {
    /// This value, which may be a default.
    Value(&'a Value),
    /// Nothing, and that leaves open which object is meant: every value is possible.
    Open,
    /// Nothing.
    Nothing,
}

/// One call with its fields.
#[derive(Debug, Clone)]
pub struct Request {
    call: &'static Call,
    kind: Option<&'static Kind>,
    values: Vec<(&'static Field, Value)>,
    /// Absent fields that leave nothing open here, whatever their declaration says, each with the one that closes it.
    closed: Vec<(&'static Field, &'static Field)>,
    reference: Option<String>,
}

impl Request {
    /// Reads the parameters of a call; `uid` is the caller's, for the defaults that are his.
    ///
    /// # Errors
    /// [`Invalid`] naming the field: unknown, there twice, of another type, out of range, missing, or
    /// not together with another one.
    pub fn parse(call: &'static Call, parameters: &Json, uid: u32) -> Result<Self, Invalid> {
        let mut given = BTreeMap::new();
        flatten(parameters, "", &mut given)?;
        let reference = given.remove("reference").map(read_reference).transpose()?;
        let kind = match given.get(field::KIND.field.name) {
            Some(json) if !call.kinds.is_empty() => {
                let word = read(&field::KIND.field, json)?;
                call.kind(&word.to_string())
            }
            _ => None,
        };
        let values = values(call, kind, None, &mut given, uid)?;
        if let Some(unknown) = given.keys().next() {
            return Err(invalid(unknown, unknown_field(call, kind, unknown)));
        }
        let mut request = Self { call, kind, values, closed: Vec::new(), reference };
        for (one, other, why) in call.excludes {
            if request.value(one).is_some() && request.value(other).is_some() {
                return Err(invalid(one.name, format!("stands together with `{}`: {why}", other.name)));
            }
        }
        (call.settle)(&mut request)?;
        kind.map_or(Ok(()), |kind| (kind.settle)(&mut request))?;
        Ok(request)
    }

    /// The call.
    #[must_use]
    pub fn call(&self) -> &'static Call {
        self.call
    }

    /// Its variety, where it has some.
    #[must_use]
    pub fn kind(&self) -> Option<&'static Kind> {
        self.kind
    }

    /// What the process needs to carry it out.
    #[must_use]
    pub fn needs(&self) -> Needs {
        self.kind.map_or(self.call.needs, |kind| kind.needs)
    }

    /// The caller's own id of the request: recorded, never judged.
    #[must_use]
    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// The value of a field; `None` where it is absent and has no default.
    #[must_use]
    pub fn value(&self, field: &Field) -> Option<&Value> {
        self.values.iter().find(|(held, _)| held.number == field.number).map(|(_, value)| value)
    }

    /// The value of a field in its own type.
    #[must_use]
    pub fn get<T: Held>(&self, key: &Key<T>) -> Option<&T> {
        self.value(&key.field).and_then(T::held)
    }

    /// The value of a field that its declaration makes always present; the error names it otherwise.
    ///
    /// # Errors
    /// [`Invalid`]
    pub fn needed<T: Held>(&self, key: &Key<T>) -> Result<&T, Invalid> {
        self.get(key).ok_or_else(|| invalid(key.field.name, "is missing"))
    }

    /// Gives a field a value, or another one: for [`Call::settle`], before anything is judged.
    pub(crate) fn settle(&mut self, field: &'static Field, value: Value) {
        match self.values.iter_mut().find(|(held, _)| *held == field) {
            Some((_, held)) => *held = value,
            None => self.values.push((field, value)),
        }
    }

    /// Says that the absence of a field leaves nothing open in this request, because of another one that is given: for
    /// [`Call::settle`].
    pub(crate) fn close(&mut self, field: &'static Field, by: &'static Field) {
        if self.value(field).is_none() {
            self.closed.push((field, by));
        }
    }

    /// The fields on account of which the absence of this one leaves nothing open.
    pub fn closed_by(&self, field: &Field) -> impl Iterator<Item = &'static Field> {
        self.closed.iter().filter(move |(closed, _)| *closed == field).map(|(_, by)| *by)
    }

    /// How many times the request speaks of a field: once, or, of a field inside a list, once for each element. A list
    /// whose absence leaves it open has one, of which nothing is known.
    #[must_use]
    pub fn times(&self, used: &Use) -> usize {
        match used.inside.map(|list| (list, self.value(list))) {
            None => 1,
            Some((_, Some(Value::List(elements)))) => elements.len(),
            Some((list, _)) => {
                usize::from(self.call.uses(self.kind).any(|head| head.field == list && self.is_open(head)))
            }
        }
    }

    /// What it says of the field, this time.
    #[must_use]
    pub fn said(&self, used: &Use, time: usize) -> Said<'_> {
        let value = match used.inside.map(|list| self.value(list)) {
            None => self.value(used.field),
            Some(Some(Value::List(elements))) => elements.get(time).and_then(|element| element.value(used.field)),
            Some(_) => return Said::Open,
        };
        match value {
            Some(value) => Said::Value(value),
            None if self.is_open(used) => Said::Open,
            None => Said::Nothing,
        }
    }

    fn is_open(&self, used: &Use) -> bool {
        used.open_when_absent() && self.value(used.field).is_none() && self.closed_by(used.field).next().is_none()
    }

    /// Whether a boolean is there and true.
    #[must_use]
    pub fn is_set(&self, key: &Key<bool>) -> bool {
        self.get(key) == Some(&true)
    }

    /// Every field with its value, defaults among them, in the order of the declaration.
    pub fn values(&self) -> impl Iterator<Item = (&'static Field, &Value)> {
        self.values.iter().map(|(field, value)| (*field, value))
    }
}

/// The values of the fields inside a list, or of those that are in none, taken out of `given`.
fn values(
    call: &'static Call,
    kind: Option<&'static Kind>,
    inside: Option<&'static Field>,
    given: &mut BTreeMap<String, &Json>,
    uid: u32,
) -> Result<Vec<(&'static Field, Value)>, Invalid> {
    let mut values = Vec::new();
    for used in call.uses(kind).filter(|used| used.inside == inside) {
        let field = used.field;
        match (given.remove(field.name), used.absence) {
            (Some(Json::List(list)), _) if matches!(field.ty, Type::List(_)) => {
                require_some(list).map_err(|why| invalid(field.name, why))?;
                let element = |(at, json)| {
                    element(call, kind, field, json, uid)
                        .map_err(|wrong| invalid(&wrong.field, in_element(at, &wrong.reason)))
                };
                values.push((field, Value::List(list.iter().enumerate().map(element).collect::<Result<_, _>>()?)));
            }
            (Some(json), _) => values.push((field, read(field, json)?)),
            (None, Absence::Default(constant)) => values.push((field, constant.value(uid))),
            (None, Absence::Required) => {
                return Err(invalid(field.name, format!("is missing: {}", field.doc.trim())));
            }
            (None, _) => {}
        }
    }
    Ok(values)
}

/// One element of a list of structures.
fn element(
    call: &'static Call,
    kind: Option<&'static Kind>,
    list: &'static Field,
    json: &Json,
    uid: u32,
) -> Result<Element, Invalid> {
    if !matches!(json, Json::Object(_)) {
        return Err(invalid(list.name, format!("is {}, expected an object", json.what())));
    }
    let mut given = BTreeMap::new();
    flatten(json, list.name, &mut given)?;
    let values = values(call, kind, Some(list), &mut given, uid)?;
    match given.keys().next() {
        Some(unknown) => Err(invalid(unknown, unknown_field(call, kind, unknown))),
        None => Ok(Element(values)),
    }
}

fn read(field: &'static Field, json: &Json) -> Result<Value, Invalid> {
    field.ty.read(json).map_err(|reason| invalid(field.name, reason))
}

fn read_reference(json: &Json) -> Result<String, Invalid> {
    match json {
        Json::String(text)
            if (1..=REFERENCE_BYTES).contains(&text.len())
                && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) =>
        {
            Ok(text.clone())
        }
        _ => Err(invalid("reference", format!("is not 1 to {REFERENCE_BYTES} bytes of printable ASCII"))),
    }
}

/// Lays nested objects flat, so that every value stands under the name of its field; null is absence, at any depth.
fn flatten<'a>(json: &'a Json, under: &str, into: &mut BTreeMap<String, &'a Json>) -> Result<(), Invalid> {
    let pairs = match json {
        Json::Null => return Ok(()),
        Json::Object(pairs) => pairs,
        Json::Unfit(why) => return Err(invalid(under, *why)),
        other => return Err(invalid(under, format!("is {}, expected an object", other.what()))),
    };
    let members = Json::members(pairs).map_err(|key| invalid(&join(under, key), "stands there twice"))?;
    for (key, value) in members {
        let name = join(under, key);
        let prefix = format!("{name}.");
        if key.contains('.') {
            return Err(invalid(&name, "has a dot: a nested field stands in an object of its own"));
        }
        let is_list = field::by_name(&name).is_some_and(|field| matches!(field.ty, Type::List(_)));
        if !is_list && field::FIELDS.iter().any(|field| field.name.starts_with(&prefix)) {
            flatten(value, &name, into)?;
        } else if *value != Json::Null {
            into.insert(name, value);
        }
    }
    Ok(())
}

fn join(under: &str, key: &str) -> String {
    let key = shown(key);
    if under.is_empty() { key } else { format!("{under}.{key}") }
}

fn unknown_field(call: &Call, kind: Option<&Kind>, name: &str) -> String {
    let kinds: Vec<&str> =
        call.kinds.iter().filter(|k| k.uses.iter().any(|u| u.field.name == name)).map(|k| k.name).collect();
    match (kinds.first(), kind) {
        (Some(_), Some(kind)) => format!("is no field of kind {}; kind {} has it", kind.name, kinds.join(", ")),
        _ => format!("is no field of {}", call.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::by_name;

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
            ("Link.Set", r#"{"netns":"@host","link":"a","mtv":1}"#, "mtv", "is no field of Link.Set"),
            ("Link.Set", r#"{"netns":"@host","link":"a","link":"b"}"#, "link", "twice"),
            ("Link.Set", r#"{"netns":"@host","link":"a","mtu":"1500"}"#, "mtu", "a string"),
            ("Link.Set", r#"{"netns":"@host","link":"a","mtu":1500.0}"#, "mtu", "plain digits"),
            ("Link.Set", r#"{"netns":"@host","link":"a","mtu":-1}"#, "mtu", "not between 0 and 4294967295"),
            ("Link.Set", r#"{"netns":"@host","link":"a","mtu":4294967296}"#, "mtu", "not between"),
            ("Link.Set", r#"{"netns":"@host","link":"a","up":1}"#, "up", "a number"),
            ("Link.Set", r#"{"netns":"@host","link":"a","up":"true"}"#, "up", "a string"),
            ("Link.Set", r#"{"netns":"@host","link":["a"]}"#, "link", "a list"),
            ("Link.Set", r#"{"netns":"@host","link":"0123456789abcdef"}"#, "link", "has 16 bytes"),
            ("Link.Set", r#"{"netns":"@host","link":"a","master":"b","no_master":true}"#, "master", "no_master"),
            ("Link.Add", r#"{"netns":"@host","link":"a","kind":"vlan"}"#, "kind", "none of veth, bridge"),
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
                "no field of kind bridge",
            ),
            ("Link.Add", r#"{"netns":"@host","link":"a","kind":"veth","peer.name":"b"}"#, "peer.name", "has a dot"),
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
        Use { field, absence, counts_in: &[], inside: Some(&field::NEXTHOPS.field) }
    }

    static STATES: field::Field =
        field::Field { name: "test_states", number: 999, ty: Type::Several(&field::STATE.field.ty), doc: "" };

    /// Invented, so that what lists are is said apart from what a call makes of them.
    static WAYS: Call = Call {
        name: "Test.Ways",
        number: 999,
        effect: super::super::Effect::Changes,
        needs: super::super::Needs::NetAdmin,
        doc: "",
        elsewhere: "",
        uses: &[
            Use { inside: None, ..inside(&field::NEXTHOPS.field, Absence::Untouched) },
            inside(&field::NEXTHOPS_LINK.field, Absence::Required),
            inside(&field::NEXTHOPS_GATEWAY.field, Absence::Chosen),
            inside(&field::NEXTHOPS_ONLINK.field, Absence::Default(super::super::Constant::Bool(false))),
            Use { inside: None, ..inside(&STATES, Absence::Any) },
        ],
        kinds: &[],
        excludes: &[],
        settle: super::super::AS_READ,
        result: super::super::NOTHING,
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
        assert_eq!(
            (other.value(&field::NEXTHOPS_GATEWAY.field), other.get(&field::NEXTHOPS_ONLINK)),
            (None, Some(&false))
        );
        assert_eq!(request.value(&STATES), Some(&Value::Several(vec![Value::Word("stale")])));
        // As it goes on record, and as it is read from there again.
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
        assert!(matches!(two.said(link, 1), Said::Value(name) if name.to_string() == "b"));
        assert!(matches!((two.said(gateway, 0), two.said(gateway, 1)), (Said::Open, Said::Value(_))));
    }

    #[test]
    fn each_mistake_in_a_list_is_named_with_its_field_and_its_element() {
        let many = format!(r#"{{"nexthops":[{}]}}"#, [r#"{"link":"a"}"#; 25].join(","));
        let cases = [
            (r#"{"nexthops":[]}"#, "nexthops", "is an empty list: leave it out"),
            (&many, "nexthops", "has 25 elements; at most 24 are possible"),
            (r#"{"nexthops":{"link":"a"}}"#, "nexthops", "is an object, expected a list of objects"),
            (r#"{"nexthops":"a"}"#, "nexthops", "is a string, expected a list of objects"),
            (
                r#"{"nexthops":[{"link":"a"},7]}"#,
                "nexthops",
                "in element 2, counted from 1, is a number, expected an object",
            ),
            (r#"{"nexthops":[null]}"#, "nexthops", "in element 1, counted from 1, is null, expected an object"),
            (r#"{"nexthops":[{"link":"a"},{}]}"#, "nexthops.link", "in element 2, counted from 1, is missing: "),
            (r#"{"nexthops":[{"link":null}]}"#, "nexthops.link", "in element 1, counted from 1, is missing: "),
            (r#"{"nexthops":[{"link":"a","lnk":1}]}"#, "nexthops.lnk", "in element 1, counted from 1, is no field of "),
            (
                r#"{"nexthops":[{"link":"a","weight":1}]}"#,
                "nexthops.weight",
                "in element 1, counted from 1, is no field",
            ),
            (
                r#"{"nexthops":[{"link":"a","link":"a"}]}"#,
                "nexthops.link",
                "in element 1, counted from 1, stands there",
            ),
            (r#"{"nexthops":[{"link":"a"},{"link":7}]}"#, "nexthops.link", "in element 2, counted from 1, is a number"),
            (r#"{"nexthops":[{"link":{"x":1}}]}"#, "nexthops.link", "in element 1, counted from 1, is an object"),
            (r#"{"nexthops":[{"link":["a"]}]}"#, "nexthops.link", "in element 1, counted from 1, is a list"),
            (r#"{"nexthops":[{"a.b":1}]}"#, "nexthops.a.b", "in element 1, counted from 1, has a dot"),
            (r#"{"nexthops.link":"a"}"#, "nexthops.link", "has a dot"),
            (r#"{"link":"a"}"#, "link", "is no field of Test.Ways"),
            (r#"{"test_states":[]}"#, "test_states", "is an empty list: leave it out"),
            (r#"{"test_states":"stale"}"#, "test_states", "is a string, expected a list, each one of none, "),
            (r#"{"test_states":["stale","x"]}"#, "test_states", "in element 2, counted from 1, `x` is none of none, "),
            (r#"{"test_states":[["stale"]]}"#, "test_states", "in element 1, counted from 1, is a list"),
        ];
        for (json, field, reason) in cases {
            let wrong = ways(json).unwrap_err();
            assert_eq!(wrong.field, field, "{json}: {wrong:?}");
            assert!(wrong.reason.starts_with(reason), "{json}: {wrong:?}");
        }
    }
}
