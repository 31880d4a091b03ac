// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the broker sends is decoded by code that was not written here, and must be what the request means.
//!
//! The broker's own rows both encode and decode, so a wrong row would be wrong in both directions. The decoder is the
//! crate `netlink-packet-route`. It knows every message and attribute that the broker sends so far, and refuses numbers
//! of another width. The alternative was `netlink-bindings`, which is generated from the kernel's own specifications.
//! Those specifications lack the data of vxlan, macvlan and veth, the next hops of multipath routes and namespace ids,
//! and the code accepts a number that is too wide. Neither crate knows the messages of VNIs, or nexthop objects, which
//! `decoder/shown.rs` decodes by the kernel's headers.
//!
//! `decoder/expected.rs` has what each field must show, and what each look-up requests. It cannot show which namespace
//! a descriptor is of; the twin tests show where a link went.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "decoder/expected.rs"]
mod expected;
#[path = "decoder/requests.rs"]
mod requests;
#[path = "decoder/shown.rs"]
mod shown;

use common::ALICE;
use common::calls::{Example, examples};
use common::scene::open_host;
use common::sent::Sent;
use expected::{Expected, Given, Shows};
use netbroker::call::field::{ADDRGENMODE, PEER_UP, UP};
use netbroker::call::json::Json;
use netbroker::call::request::Request;
use netbroker::call::types::Type;
use netbroker::call::{self, Call, Effect, Kind, Use};
use requests::REQUESTS;
use serde_json::Value;
use shown::Shown;
use std::collections::BTreeMap;

/// Calls that send nothing to netlink; `tests/encoder.rs` checks that.
const WITHOUT_NETLINK: [&str; 4] = ["Netns.Add", "Netns.Delete", "Netns.List", "Netns.Pids"];

/// Families whose messages the decoder does not know. `tests/vni.rs` has their bytes.
const BEYOND_DECODER: [&str; 1] = ["Vni"];

/// Kinds without a hardware address of their own: the parser refuses `mac`.
const WITHOUT_MAC: [&str; 9] = ["vcan", "ipvlan", "ipip", "sit", "ip6tnl", "gre", "ip6gre", "wireguard", "xfrm"];

/// Whether the parser refuses a field of a kind, or a word of its fields, in every request.
fn is_refused(kind: Option<&Kind>, what: &str) -> bool {
    kind.is_some_and(|kind| match what {
        "mac" => WITHOUT_MAC.contains(&kind.name),
        "tx_queues" | "rx_queues" => kind.name == "tun",
        "ipv6" => kind.name == "ipip",
        "target_netns" => kind.name == "tun",
        _ => false,
    })
}

/// Every call that sends something, once for each of its kinds.
fn varieties() -> impl Iterator<Item = (&'static Call, Option<&'static Kind>)> {
    let is_decoded = |call: &&Call| !WITHOUT_NETLINK.contains(&call.name) && !BEYOND_DECODER.contains(&call.family());
    let calls = call::all().filter(is_decoded);
    calls.flat_map(|call| {
        // The fields of a kind are sent only once a link is known to have it. tests/other_kernels.rs has these kinds.
        let is_elsewhere = |kind: &Kind| ["bond", "ipvlan", "geneve", "can"].contains(&kind.name);
        let is_sent = move |kind: &Option<&'static Kind>| call.name != "Link.Set" || !kind.is_some_and(is_elsewhere);
        call.varieties().filter(is_sent).map(move |kind| (call, kind))
    })
}

/// Fields of `Link.Set` for which the decoder has no words. `tests/link_change.rs` compares what they do with iproute2.
fn is_beyond_decoder(field: &str) -> bool {
    field.starts_with("bridge_port.") || field.ends_with("_altname")
}

/// The requests of one family.
fn of_family(family: &str) -> impl Iterator<Item = &'static Example> {
    let fields = |example: &Example| parse(example).values().map(|(field, _)| field.name).collect::<Vec<_>>();
    let is_shown = move |example: &&Example| {
        !WITHOUT_NETLINK.contains(&example.call) && !fields(example).into_iter().any(is_beyond_decoder)
    };
    let sending = examples().iter().chain(REQUESTS).filter(is_shown);
    sending.filter(move |example| example.call().family() == family)
}

fn parse(example: &Example) -> Request {
    let json = Json::parse(example.parameters.as_bytes()).unwrap();
    Request::parse(example.call(), &json, ALICE).unwrap_or_else(|error| panic!("{}: {error:?}", example.parameters))
}

/// A field of a request: its position in a list if it is inside one, and its value if it has one.
type FieldOf = (&'static Use, Option<usize>, Option<Value>);

/// Every field of the request's variety.
fn fields(request: &Request) -> Vec<FieldOf> {
    let given: BTreeMap<&str, Value> = request.values().map(|(field, value)| (field.name, value.json())).collect();
    let mut fields = Vec::new();
    for used in request.call().uses(request.kind()) {
        let Some(list) = used.inside() else {
            fields.push((used, None, given.get(used.field().name).cloned()));
            continue;
        };
        let last = used.field().name.rsplit('.').next().unwrap();
        for (at, element) in given.get(list.name).and_then(Value::as_array).into_iter().flatten().enumerate() {
            fields.push((used, Some(at), element.get(last).cloned()));
        }
    }
    fields
}

/// The messages and parts that the decoder must show.
fn expect(request: &Request, links: &[(String, u32)]) -> (Vec<&'static str>, Vec<String>) {
    let name = request.call().name;
    let expected = Expected::of(name);
    let given = Given {
        call: name,
        fields: request.values().map(|(field, value)| (field.name, value.json())).collect(),
        links,
    };
    let mut parts: Vec<String> = expected.parts.iter().map(|part| (*part).to_owned()).collect();
    for (used, at, value) in fields(request) {
        let shows = expected.row(used.field().name).unwrap_or_else(|| no_expectation(used, name));
        let of_field = shows.parts(&given, value.as_ref()).into_iter();
        parts.extend(of_field.map(|part| at.map_or(part.clone(), |at| format!("hop {at} {part}"))));
    }
    parts.sort();
    ((expected.messages)(&given), parts)
}

fn no_expectation(used: &Use, call: &str) -> ! {
    panic!("field {} of {call} has no expectation in tests/decoder/expected.rs", used.field().name)
}

/// What a look-up requests that is neither a link of the request nor anything that the request gives for the object.
fn stray<'a>(look_up: &'a Shown, request: &Request, parts: &[String], links: &[(String, u32)]) -> Option<&'a String> {
    let names: Vec<String> = fields(request)
        .into_iter()
        .filter(|(used, ..)| matches!(used.field().ty, Type::Link))
        .filter_map(|(.., value)| value.map(|name| format!("IfName({name})")))
        .collect();
    look_up.parts.iter().find(|part| {
        let is_link = look_up.message == "GetLink"
            && (names.contains(part) || links.iter().any(|(_, index)| **part == format!("index {index}")));
        let is_listed = look_up.message == "GetNeighbour dump"
            && (**part == "family Bridge" || links.iter().any(|(_, index)| **part == format!("IfIndex({index})")));
        // A flush looks through both families, if the request gives none.
        let is_family = look_up.message == "GetRoute dump" && part.starts_with("family ");
        let is_netns = look_up.message == "GetNsId" && *part == "Fd";
        let is_of_bridges = look_up.message == "GetLink dump"
            && ["family Bridge", "ExtMask([BrvlanCompressed])"].contains(&part.as_str());
        !(is_link
            || is_listed
            || is_family
            || is_netns
            || is_of_bridges
            || *part == "ExtMask([SkipStats])"
            || parts.contains(part))
    })
}

/// Carries out a request on its own host, even if this kernel lacks what it needs. Returns how the messages differ from
/// what is expected.
fn difference(example: &Example) -> Option<String> {
    let host = open_host();
    host.sh("for name in w far; do ip netns add $name; done; ip -n w link add v0 type veth peer name v1");
    host.sh(example.before);
    let (sent, reply) = Sent::by(&host, &["w", "far"], example.call, example.parameters());
    let mut shown = Vec::new();
    for datagram in &sent.datagrams {
        match Shown::of(datagram) {
            Ok(one) => shown.push(one),
            Err(why) => return Some(why),
        }
    }
    let request = parse(example);
    let (mut messages, mut parts) = expect(&request, &sent.links);
    // If the kernel does not know the kind, only the first message was sent; the alias and what follows are in others.
    if reply.messages().iter().any(|reply| reply["error"] == "io.netbroker.Link.NotSupported") {
        messages.truncate(1);
        let goes_up_last = request.is_set(&UP) && request.get(&ADDRGENMODE).is_some();
        for _ in [request.is_set(&PEER_UP), goes_up_last].into_iter().filter(|is_later| *is_later) {
            parts.remove(parts.iter().position(|part| part == "LinkFlags(Up) on").unwrap());
        }
        parts.retain(|part| !(part.starts_with("IfAlias(") || part.starts_with("AfSpec") || part == "index 0"));
    }
    // `Netns.Get` and lists are look-ups themselves.
    let is_own = |shown: &Shown| !shown.message.starts_with("Get") || messages.contains(&shown.message.as_str());
    let (own, look_ups): (Vec<Shown>, Vec<Shown>) = shown.into_iter().partition(is_own);
    for look_up in &look_ups {
        if let Some(part) = stray(look_up, &request, &parts, &sent.links) {
            return Some(format!("looks for `{part}`: {look_up:?}"));
        }
    }
    let mut seen: Vec<&str> = own.iter().map(|shown| shown.message.as_str()).collect();
    messages.sort_unstable();
    seen.sort_unstable();
    // What is removed is sent as it was found, including what the request leaves open.
    let may_have_more = matches!(request.call().verb(), "Delete" | "Flush");
    let mut more: Vec<&String> = own.iter().flat_map(|shown| &shown.parts).collect();
    let missing: Vec<&String> = parts
        .iter()
        .filter(|part| more.iter().position(|seen| seen == part).map(|at| more.remove(at)).is_none())
        .collect();
    let differs = seen != messages || !missing.is_empty() || !(more.is_empty() || may_have_more);
    differs.then(|| {
        format!(
            "sends {seen:?}, expected {messages:?}; does not show {missing:?}, and shows {more:?} that is not expected; \
             the reply is {:?}",
            reply.messages()
        )
    })
}

/// Carries out each request of a family.
fn assert_shows(family: &str) {
    let wrong: Vec<String> = of_family(family)
        .filter_map(|example| Some((example, difference(example)?)))
        .map(|(example, why)| format!("{} {}\n  {why}", example.call, example.parameters))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn netns_calls_send_what_the_request_says() {
    assert_shows("Netns");
}

#[test]
fn link_calls_send_what_the_request_says() {
    assert_shows("Link");
}

#[test]
fn address_calls_send_what_the_request_says() {
    assert_shows("Address");
}

#[test]
fn route_calls_send_what_the_request_says() {
    assert_shows("Route");
}

#[test]
fn neighbour_calls_send_what_the_request_says() {
    assert_shows("Neighbour");
}

#[test]
fn nexthop_calls_send_what_the_request_says() {
    assert_shows("Nexthop");
}

#[test]
fn rule_calls_send_what_the_request_says() {
    assert_shows("Rule");
}

#[test]
fn calls_about_forwarding_databases_send_what_the_request_says() {
    assert_shows("Fdb");
}

#[test]
fn vlan_calls_send_what_the_request_says() {
    assert_shows("Vlan");
}

#[test]
fn every_family_is_decoded() {
    let source = include_str!("decoder.rs");
    for (call, _) in varieties() {
        let line = format!("assert_shows(\"{}\");", call.family());
        assert!(source.contains(&line), "{}: no test here carries out the calls of its family", call.name);
    }
}

#[test]
fn every_field_has_an_expectation() {
    for (call, kind) in varieties() {
        let expected = Expected::of(call.name);
        for used in call.uses(kind) {
            if expected.row(used.field().name).is_none() {
                no_expectation(used, call.name);
            }
        }
    }
}

#[test]
fn every_expectation_is_of_a_declared_field() {
    for (name, field, shows) in expected::named() {
        assert!(!matches!(shows, Shows::Nothing("")), "{name} does not say why {field} shows nothing");
        let call = call::by_name(name).unwrap_or_else(|| panic!("{name}: no such call"));
        let sharing = call::all().filter(|other| other.family() == call.family());
        assert!(sharing.flat_map(Call::all_uses).any(|used| used.field().name == field), "{name} has no field {field}");
    }
}

/// Whether a request of a call gives this word, whatever its kind.
fn is_sent(all: &[Request], call: &Call, field: &str, word: &str) -> bool {
    let mut values = all.iter().filter(|request| request.call().name == call.name).flat_map(Request::values);
    values.any(|(of, value)| of.name == field && value.json() == word)
}

/// Whether a value is visible in a message: 0 and false look like an absent value.
fn is_telling(value: &Value) -> bool {
    !matches!(value, Value::Bool(false)) && value.as_u64() != Some(0)
}

#[test]
fn every_field_and_word_is_sent_by_some_request() {
    let all: Vec<Request> = call::all().map(Call::family).flat_map(of_family).map(parse).collect();
    for (call, kind) in varieties() {
        let of_kind = kind.map_or_else(String::new, |kind| format!(" of kind {}", kind.name));
        for used in call.uses(kind) {
            let field = used.field().name;
            let values: Vec<Value> = all
                .iter()
                .filter(|request| {
                    // What all kinds have is changed in one way.
                    let is_common = call.name == "Link.Set" && call.uses.iter().any(|of| of.field() == used.field());
                    let is_of_kind = request.kind().map(|k| k.name) == kind.map(|k| k.name);
                    request.call().name == call.name && (is_of_kind || is_common)
                })
                .flat_map(fields)
                .filter_map(|(of, _, value)| value.filter(|_| of.field().name == field))
                .collect();
            let what = format!("{}{of_kind}: field {field}", call.name);
            let is_said = kind.is_none() && call.kinds.by == Some(used.field()); // it shows which kind a request is of
            // No such route can exist on a kernel without MPLS. tests/other_kernels.rs deletes some.
            let is_of_mpls = field == "encap.labels" && ["Delete", "Flush"].contains(&call.verb());
            let is_said = is_said || is_refused(kind, field) || is_beyond_decoder(field) || is_of_mpls;
            assert!(is_said || values.iter().any(is_telling), "{what} is in no request of tests/decoder/requests.rs");
            let Type::Word(words) = used.field().ty else { continue };
            // The rows of what all kinds have are the same for all.
            let is_common = call.uses.iter().any(|common| common.field() == used.field());
            let is_chosen_here =
                field != "kind" && call.effect == Effect::Changes && !["Delete", "Flush"].contains(&call.verb());
            for word in words.all().filter(|_| is_chosen_here) {
                assert!(
                    is_refused(kind, word)
                        || values.iter().any(|value| value == word)
                        || is_common && is_sent(&all, call, field, word),
                    "{what}: the word {word} is in no request of tests/decoder/requests.rs"
                );
            }
        }
    }
}
