// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A small world: five invented calls with every meaning of absence, a few values for each field, and all that can be
//! asked of them.

use std::fmt;
use std::net::IpAddr;

use crate::call::field::{
    ADDRESS, ALIAS, BRIDGE_STP, BROADCAST, Field, KIND, LABEL, LINK, MAC, METRIC, MISSING_OK, NETNS, NEW_NAME,
    PEER_MTU, PEER_NAME, PEER_NETNS, SCOPE, TARGET_NETNS, UP,
};
use crate::call::json::Json;
use crate::call::request::{Invalid, Request};
use crate::call::value::{Type, Value};
use crate::call::{Absence, Call, Constant, Effect, Kind, Needs, Output, Use};
use crate::caller::Caller;

const OFF: Absence = Absence::Default(Constant::Bool(false));
static IN_NETNS: &[&Field] = &[&NETNS.field];
static IN_PEER_NETNS: &[&Field] = &[&PEER_NETNS.field];
static IN_TARGET_NETNS: &[&Field] = &[&TARGET_NETNS.field, &NETNS.field];

const fn used(field: &'static Field, absence: Absence) -> Use {
    Use { field, absence, counts_in: IN_NETNS, inside: None }
}

const fn call(name: &'static str, number: u16, uses: &'static [Use], kinds: &'static [Kind]) -> Call {
    let result = Output { parts: &[], streams: false };
    let (effect, needs) = (Effect::Changes, Needs::NetAdmin);
    Call { name, number, effect, needs, doc: "", elsewhere: "", uses, kinds, excludes: &[], settle: |_| Ok(()), result }
}

/// Required, default, untouched; a link that moves and gets a new name.
pub(super) static SET: Call = call(
    "Test.Set",
    900,
    &[
        used(&NETNS.field, Absence::Required),
        used(&LINK.field, Absence::Required),
        used(&UP.field, OFF),
        Use { field: &NEW_NAME.field, absence: Absence::Untouched, counts_in: IN_TARGET_NETNS, inside: None },
        used(&TARGET_NETNS.field, Absence::Untouched),
    ],
    &[],
);

/// Kinds with nested fields.
pub(super) static ADD: Call = call(
    "Test.Add",
    901,
    &[
        used(&NETNS.field, Absence::Required),
        used(&LINK.field, Absence::Required),
        used(&KIND.field, Absence::Required),
    ],
    &[
        Kind {
            name: "veth",
            needs: Needs::NetAdmin,
            uses: &[
                Use { field: &PEER_NAME.field, absence: Absence::Required, counts_in: IN_PEER_NETNS, inside: None },
                used(&PEER_NETNS.field, Absence::Required),
                used(&PEER_MTU.field, Absence::Untouched),
            ],
            settle: |_| Ok(()),
        },
        Kind {
            name: "bridge",
            needs: Needs::NetAdmin,
            uses: &[used(&BRIDGE_STP.field, Absence::Untouched)],
            settle: |_| Ok(()),
        },
    ],
);

/// Filters.
pub(super) static FLUSH: Call = call(
    "Test.Flush",
    902,
    &[
        used(&NETNS.field, Absence::Required),
        used(&LINK.field, Absence::Any),
        used(&SCOPE.field, Absence::Any),
        used(&MISSING_OK.field, OFF),
    ],
    &[],
);

/// A prefix; a link that the kernel chooses.
pub(super) static ROUTE: Call = call(
    "Test.Route",
    903,
    &[
        used(&NETNS.field, Absence::Required),
        used(&ADDRESS.field, Absence::Required),
        used(&LINK.field, Absence::Chosen),
        used(&BROADCAST.field, Absence::Any),
        used(&METRIC.field, Absence::Untouched),
    ],
    &[],
);

/// The other types.
static NAME: Call = call(
    "Test.Name",
    904,
    &[
        used(&NETNS.field, Absence::Required),
        used(&MAC.field, Absence::Untouched),
        used(&ALIAS.field, Absence::Untouched),
        used(&LABEL.field, Absence::Chosen),
    ],
    &[],
);

pub(super) static CALLS: [&Call; 5] = [&SET, &ADD, &FLUSH, &ROUTE, &NAME];

/// The varieties of a call; one without kinds is its own.
pub(super) fn varieties(call: &'static Call) -> Vec<Option<&'static Kind>> {
    if call.kinds.is_empty() { vec![None] } else { call.kinds.iter().map(Some).collect() }
}

/// The values that a field can have here.
pub(super) fn values(field: &Field) -> Vec<Value> {
    let raw: &[&str] = match field.ty {
        Type::Netns => &["@host", "q1"],
        Type::Link => &["a0", "v7-x"],
        Type::Word(words) => words.words,
        Type::Bool => &["false", "true"],
        Type::Number(..) => &["1", "7"],
        Type::Mac => &["fa:16:3e:00:00:01", "02:00:00:00:00:01"],
        Type::Address => &["10.0.0.1", "10.0.0.6"],
        Type::InterfaceAddress | Type::Prefix => {
            &["10.0.0.1/30", "10.0.0.6/29", "10.0.0.6/32", "10.0.0.4/31", "2001:db8::1/126"]
        }
        Type::Label => &["a0:1", "b0:1"],
        Type::Text => &["", "x y"],
        Type::List(_) | Type::Several(_) => &[],
    };
    raw.iter().map(|raw| field.ty.parse(raw).unwrap()).collect()
}

/// What is asked: a call, and what it says of which field.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) call: &'static Call,
    pub(super) kind: Option<&'static Kind>,
    pub(super) given: Vec<(&'static Field, Value)>,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.call.name)?;
        self.given.iter().try_for_each(|(field, value)| write!(f, " {}={value}", field.name))
    }
}

impl Asked {
    pub(super) fn value(&self, field: &Field) -> Option<&Value> {
        self.given.iter().find(|(given, _)| *given == field).map(|(_, value)| value)
    }

    pub(super) fn without(&self, field: &Field) -> Self {
        let given = self.given.iter().filter(|(given, _)| *given != field).cloned().collect();
        Self { given, ..*self }
    }

    pub(super) fn with(&self, field: &'static Field, value: Value) -> Self {
        let mut with = self.without(field);
        with.given.push((field, value));
        with
    }

    /// As the broker reads it from the wire.
    pub(super) fn request(&self) -> Request {
        self.read().unwrap()
    }

    /// The same, where the fields of a real call may refuse each other.
    pub(super) fn read(&self) -> Result<Request, Invalid> {
        let mut object = serde_json::Map::new();
        for (field, value) in &self.given {
            match field.name.split_once('.') {
                None => drop(object.insert(field.name.to_owned(), value.json())),
                Some((outer, inner)) => {
                    let nested = object.entry(outer).or_insert_with(|| serde_json::json!({}));
                    nested.as_object_mut().unwrap().insert(inner.to_owned(), value.json());
                }
            }
        }
        let text = serde_json::Value::Object(object).to_string();
        Request::parse(self.call, &Json::parse(text.as_bytes()).unwrap(), caller().uid)
    }
}

/// Everything that can be asked of a call here.
pub(super) fn everything_asked(call: &'static Call) -> Vec<Asked> {
    let mut all = Vec::new();
    for kind in varieties(call) {
        let mut partial = vec![Asked { call, kind, given: Vec::new() }];
        for used in call.uses(kind) {
            let mut next = Vec::new();
            for asked in partial {
                if !matches!(used.absence, Absence::Required) {
                    next.push(asked.clone());
                }
                let fits =
                    |value: &Value| used.field != &KIND.field || kind.is_some_and(|k| *value == Value::Word(k.name));
                next.extend(values(used.field).into_iter().filter(fits).map(|value| asked.with(used.field, value)));
            }
            partial = next;
        }
        all.extend(partial);
    }
    all
}

pub(super) fn ip(raw: &str) -> IpAddr {
    raw.parse().unwrap()
}

/// The caller of all tests that are not about callers.
pub(super) fn caller() -> Caller {
    Caller { uid: 7, gid: 70, groups: vec![71] }
}
