// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Requests that are made from the fuzzer's bytes according to the declarations.

use std::fs::File;
use std::os::fd::OwnedFd;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use netbroker::call::field::Field;
use netbroker::call::json::Json;
use netbroker::call::request::{Invalid, Request};
use netbroker::call::types::Type;
use netbroker::call::{self, Absence, Call, Kind, Use};
use netbroker::caller::Caller;
use netbroker::netlink::{Netlink, Places, Protocol};
use serde_json::{Map, Value};

/// Names of links, and of namespaces.
const NAMES: [&str; 6] = ["v0", "lo", "eth0", "br0", "qr-1", "w"];

/// Reads the parameters of a call, as the broker does for this caller.
pub fn parse(call: &'static Call, parameters: &Json, caller: &Caller) -> std::result::Result<Request, Invalid> {
    Request::parse(call, parameters, caller.uid)
}

/// A caller with some groups.
pub fn caller() -> Caller {
    Caller { uid: 1000, gid: 1000, groups: vec![2000, 2001] }
}

/// The parameters of a request, as JSON: every value, including defaults.
pub fn parameters(request: &Request) -> Value {
    let mut all = Map::new();
    for (field, value) in request.values() {
        put(&mut all, field.name, value.json());
    }
    if let Some(reference) = request.reference() {
        put(&mut all, "reference", reference.into());
    }
    Value::Object(all)
}

/// The text of JSON as the broker reads it.
pub fn json(value: &Value) -> Json {
    Json::parse(value.to_string().as_bytes()).expect("what serde_json writes is JSON")
}

/// A request that the parser accepts, if the bytes make one: they choose a call, which of its fields are given, and
/// their values.
pub fn make(bytes: &mut Unstructured<'_>) -> Option<Request> {
    let (call, parameters) = make_parameters(bytes).ok()?;
    parse(call, &json(&parameters), &caller()).ok()
}

fn make_parameters(bytes: &mut Unstructured<'_>) -> Result<(&'static Call, Value)> {
    let number = u16::from(bytes.arbitrary::<u8>()?);
    let count = call::all().count();
    let nth = || call::all().nth(usize::from(number) % count);
    let call = call::all().find(|call| call.number == number).or_else(nth).expect("there are calls");
    let varieties: Vec<Option<&'static Kind>> = call.varieties().collect();
    let kind = *bytes.choose(&varieties)?;
    Ok((call, Value::Object(fields(call, kind, None, bytes)?)))
}

/// The fields inside a list, or those outside of lists, by their names there.
fn fields(
    call: &Call,
    kind: Option<&'static Kind>,
    list: Option<&Field>,
    bytes: &mut Unstructured<'_>,
) -> Result<Map<String, Value>> {
    let which: u32 = bytes.arbitrary()?;
    let mut all = Map::new();
    let mut given: Vec<&Use> = Vec::new();
    for (at, used) in call.uses(kind).filter(|used| used.inside() == list).enumerate() {
        let excluded = given.iter().any(|other| excludes(call, used, other));
        let wanted = matches!(used.absence, Absence::Required) || which >> (at % 32) & 1 == 1;
        if excluded || !wanted {
            continue;
        }
        let value = match used.field().ty {
            Type::List(_) => {
                let mut element = || fields(call, kind, Some(used.field()), bytes).map(Value::Object);
                Some((0..2).map(|_| element()).collect::<Result<Value>>()?)
            }
            ty => value(ty, kind, bytes)?,
        };
        if let Some(value) = value {
            given.push(used);
            let name = used.field().name;
            put(&mut all, list.map_or(name, |_| name.rsplit('.').next().unwrap_or(name)), value);
        }
    }
    Ok(all)
}

fn excludes(call: &Call, one: &Use, other: &Use) -> bool {
    let pair = [one.field().number, other.field().number];
    call.excludes.iter().any(|(a, b, _)| pair.contains(&a.number) && pair.contains(&b.number))
}

/// A value of this type. `None` for a type that is not known here: such a field occurs only in the requests that are
/// written out.
#[allow(unreachable_patterns)]
fn value(ty: Type, kind: Option<&Kind>, bytes: &mut Unstructured<'_>) -> Result<Option<Value>> {
    Ok(Some(match ty {
        Type::Netns if bytes.ratio(1, 4)? => "@host".into(),
        Type::Netns | Type::Link | Type::Label => name(bytes)?.into(),
        Type::Word(words) => match kind.filter(|kind| words.all().any(|word| word == kind.name)) {
            Some(kind) => kind.name.into(),
            None => (*bytes.choose(&words.all().collect::<Vec<_>>())?).into(),
        },
        Type::Bool => (!bytes.arbitrary::<bool>()?).into(),
        Type::Number(least, most) => match bytes.ratio(1, 2)? {
            true => bytes.int_in_range(least..=most)?.into(),
            false => bytes.int_in_range(least..=most.min(least + 4000))?.into(),
        },
        Type::Range(least, most) => {
            let first = bytes.int_in_range(least..=most)?;
            match bytes.int_in_range(first..=most.min(first + 4000))? {
                last if last == first => first.into(),
                last => format!("{first}..{last}").into(),
            }
        }
        Type::Mac => mac(bytes)?.into(),
        Type::Address => address(bytes)?.0.into(),
        Type::InterfaceAddress if bytes.ratio(1, 4)? => address(bytes)?.0.into(),
        Type::Prefix if bytes.ratio(1, 4)? => "default".into(),
        Type::Prefix => {
            let length: u8 = bytes.int_in_range(0..=32)?;
            let network = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0) & bytes.arbitrary::<u32>()?;
            format!("{}/{length}", std::net::Ipv4Addr::from(network)).into()
        }
        Type::InterfaceAddress => {
            let (address, bits) = address(bytes)?;
            format!("{address}/{}", bytes.int_in_range(0..=bits)?).into()
        }
        Type::Text => bytes.arbitrary::<String>()?.into(),
        _ => return Ok(None),
    }))
}

fn name(bytes: &mut Unstructured<'_>) -> Result<String> {
    match bytes.int_in_range(0..=7)? {
        at @ 0..=5 => Ok(NAMES[at].to_owned()),
        _ => (0..=bytes.int_in_range(0..=14)?).map(|_| Ok(char::from(bytes.int_in_range(b'#'..=b'z')?))).collect(),
    }
}

/// Six bytes, as for Ethernet, or sometimes another number.
fn mac(bytes: &mut Unstructured<'_>) -> Result<String> {
    let count = if bytes.ratio(7, 8)? { 6 } else { bytes.int_in_range(1..=32)? };
    let pairs: Result<Vec<String>> = (0..count).map(|_| Ok(format!("{:02x}", bytes.arbitrary::<u8>()?))).collect();
    Ok(pairs?.join(":"))
}

/// An address, and the number of its bits.
fn address(bytes: &mut Unstructured<'_>) -> Result<(String, u8)> {
    Ok(match bytes.arbitrary::<bool>()? {
        false => (std::net::Ipv4Addr::from(bytes.arbitrary::<[u8; 4]>()?).to_string(), 32),
        true => (std::net::Ipv6Addr::from(bytes.arbitrary::<[u8; 16]>()?).to_string(), 128),
    })
}

/// Puts a value under the name of its field; a dot in the name leads into an object.
fn put(into: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        None => drop(into.insert(name.to_owned(), value)),
        Some((head, rest)) => {
            let inner = into.entry(head).or_insert_with(|| Value::Object(Map::new()));
            put(inner.as_object_mut().expect("a name is a field or an object"), rest, value);
        }
    }
}

/// The namespaces of a request, as the stage would open them. None of these descriptors is of a namespace.
pub fn places(request: &Request) -> Places {
    let open = || OwnedFd::from(File::open("/dev/null").expect("/dev/null"));
    let mut places = Places::default();
    let own = request.values().next().map(|(_, netns)| netns.clone());
    for (field, value) in request.values().filter(|(field, _)| matches!(field.ty, Type::Netns)) {
        if field.name == "netns" {
            places.netns = (value.to_string() != "@host").then(open);
        } else if Some(value) != own.as_ref() {
            places.named.push((field, open()));
        }
    }
    let visited = request.kind().and_then(|kind| (kind.visits)(request));
    if places.named.iter().any(|(field, _)| Some(*field) == visited) {
        places.visited = Netlink::open(Protocol::Route).ok();
    }
    places
}
