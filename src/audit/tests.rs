// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The form and the length of records.

use super::*;
use crate::call::types::Type;
use crate::call::value::Element;
use crate::call::{self, Call, Kind, Naming, Use};

fn record() -> Record {
    let caller = Caller { uid: 7, gid: 8, groups: vec![] };
    Record::new("refused", "00ff", &caller, Way::Exec).with("RULE", "a rule").with("RESULT", "x\ny")
}

#[test]
fn a_value_cannot_add_a_field() {
    let text = String::from_utf8(record().journal()).unwrap();
    assert!(text.contains("\nNETBROKER_RESULT=x y\n"), "{text}");
    assert!(text.lines().all(|line| line.contains('=')), "{text}");
}

#[test]
fn a_line_of_syslog_has_facility_authpriv() {
    let text = String::from_utf8(record().syslog(7)).unwrap();
    assert!(text.starts_with("<85>netbroker[7]: "), "{text}");
    assert!(text.ends_with("rule=\"a rule\" result=\"x\\ny\""), "{text}");
}

/// The longest value of a field, made of these characters where it may have them.
fn longest_value(used: &Use, filler: &str, elements: usize, inner: &[&'static Use]) -> call::value::Value {
    // A name may not have a backslash or a letter beyond ASCII. A quotation mark makes a name longest, because it is
    // escaped.
    let names = match filler {
        _ if used.naming == Naming::Gives => "n",
        "\\" | "ü" => "\"",
        other => other,
    };
    let text = |filler: &str, bytes: usize| filler.repeat(bytes / filler.len());
    let parse = |text: &str| used.field().ty.parse(text).unwrap();
    match used.field().ty {
        Type::Netns => parse(&text(names, 255)),
        Type::Link | Type::Label => parse(&text(names, 15)),
        Type::AlternativeName => parse(&text(names, 127)),
        Type::Text => parse(&text(filler, 255)),
        Type::Word(words) => parse(words.all().max_by_key(|word| word.len()).unwrap()),
        Type::Bool => parse("false"),
        Type::Number(_, most) => parse(&most.to_string()),
        Type::Range(least, most) => parse(&format!("{}..{most}", least.max(most - 1))),
        Type::Mac => parse(&vec!["ff"; 32].join(":")),
        Type::Address | Type::Gateway => parse("1111:1111:1111:1111:1111:1111:1111:1111"),
        Type::InterfaceAddress => parse("1111:1111:1111:1111:1111:1111:1111:1111/128"),
        Type::Prefix => parse("1111:1111:1111:1111:1111:1111:1111:1111/128"),
        Type::List(_) => {
            let values = || inner.iter().map(|used| (used.field(), longest_value(used, filler, elements, &[])));
            call::value::Value::List((0..elements).map(|_| Element(values().collect())).collect())
        }
        Type::Several(Type::Address) => {
            let address = || "1111:1111:1111:1111:1111:1111:1111:1111".parse().unwrap();
            call::value::Value::Several((0..24).map(|_| call::value::Value::Address(address())).collect())
        }
        Type::Several(Type::Word(words)) => {
            let longest = words.all().max_by_key(|word| word.len()).unwrap();
            call::value::Value::Several(vec![call::value::Value::Word(longest); 24])
        }
        Type::Several(Type::Number(_, most)) => {
            call::value::Value::Several(vec![call::value::Value::Number(*most); 24])
        }
        Type::Several(ty) => panic!("write out the longest {ty:?}"),
    }
}

/// A request with every field of the call and kind, each as long as possible. Some of them exclude each other.
fn longest_request(call: &'static Call, kind: Option<&'static Kind>, filler: &str, elements: usize) -> Request {
    let uses: Vec<&'static Use> = call.uses(kind).collect();
    let inner =
        |list: &Use| uses.iter().copied().filter(|used| used.inside() == Some(list.field())).collect::<Vec<_>>();
    let values = uses.iter().filter(|used| used.inside().is_none());
    let values = values.map(|used| (used.field(), longest_value(used, filler, elements, &inner(used)))).collect();
    Request::of_any(call, kind, values, Some("\"".repeat(64)))
}

/// The fields of a datagram in journald's protocol, one in each line.
fn fields(datagram: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8(datagram.to_vec()).unwrap();
    text.lines().map(|line| line.split_once('=').unwrap()).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

/// Asserts that a record is not too long, keeps what it must, and accounts for what it leaves out. Returns the number
/// of fields that it leaves out.
fn is_bounded(record: &Record, request: &Request) -> usize {
    let syslog = record.bounded(Dialect::Syslog(u32::MAX));
    assert!(syslog.len() <= RECORD && !syslog.contains(&b'\n'), "{}", syslog.len());
    String::from_utf8(syslog).unwrap();
    let datagram = record.bounded(Dialect::Journal);
    assert!(datagram.len() <= RECORD, "{}", datagram.len());
    let fields = fields(&datagram);
    let field =
        |name: &str| fields.iter().find(|(of, _)| *of == format!("NETBROKER_{name}")).map(|(_, value)| value.as_str());
    for (name, value) in record.fields.iter().filter(|(name, _)| *name != "FIELDS") {
        assert_eq!(field(name), Some(value.as_str()), "{name}");
    }
    let mut kept: Map<String, Value> = serde_json::from_str(field("FIELDS").unwrap()).unwrap();
    let all: Map<String, Value> = request.values().map(|(f, value)| (f.name.to_owned(), value.json())).collect();
    for name in ["netns", "link"] {
        assert_eq!(kept.get(name), all.get(name));
    }
    let left_out: Vec<&str> = field("LEFT_OUT").map_or(vec![], |names| names.split(' ').collect());
    if left_out.is_empty() {
        assert_eq!((field("LEFT_OUT_COUNT"), field("LEFT_OUT_SHA256")), (None, None));
    } else {
        assert_eq!(field("LEFT_OUT_COUNT"), Some(left_out.len().to_string().as_str()));
        let gone: Map<String, Value> = left_out.iter().map(|name| ((*name).to_owned(), all[*name].clone())).collect();
        assert_eq!(
            field("LEFT_OUT_SHA256"),
            Some(sha256::hex(Value::Object(gone.clone()).to_string().as_bytes()).as_str())
        );
        // No field that may be left out and is kept is longer than one that was left out.
        let length = |value: &Value| value.to_string().len();
        let shortest = gone.values().map(length).min().unwrap();
        let may_go = |(name, _): &(&String, &Value)| !["netns", "link"].contains(&name.as_str());
        assert!(kept.iter().filter(may_go).all(|(_, value)| length(value) <= shortest), "{left_out:?}");
        kept.extend(gone);
    }
    assert_eq!(kept, all);
    left_out.len()
}

#[test]
fn the_longest_record_of_every_call_has_a_bound_and_accounts_for_what_it_leaves_out() {
    let caller = Caller { uid: u32::MAX, gid: u32::MAX, groups: vec![] };
    let long_name = Refusal::NoSuchNetns {
        field: "target_netns",
        name: "\"".repeat(255),
        reason: "not_a_namespace",
        errno: Errno::ENOTDIR,
    };
    let endless = Refusal::SystemError { step: "ü\" \u{1}".repeat(2_000), errno: Some(Errno::EOPNOTSUPP) };
    let mut left_out = 0;
    for call in call::all() {
        for kind in call.varieties() {
            for filler in ["\"", "\\", "ü", "n"] {
                for elements in [1, 6, 12, 18, 24] {
                    let request = longest_request(call, kind, filler, elements);
                    for (event, refusal) in [
                        ("permitted", None),
                        ("refused", Some(&long_name)),
                        ("outcome", Some(&endless)),
                        ("outcome", None),
                    ] {
                        let record = Record::new(event, &"f".repeat(32), &caller, Way::Peer)
                            .with("HOST_NETNS", format!("net:[{}]", u64::MAX))
                            .with("POLICY", "f".repeat(64))
                            .about(&request)
                            .with("RULE", "\"".repeat(64))
                            .ended(refusal, Instant::now());
                        left_out += is_bounded(&record, &request);
                    }
                    if !request.values().any(|(field, _)| matches!(field.ty, Type::List(_))) {
                        break;
                    }
                }
            }
        }
    }
    assert!(left_out > 50, "{left_out}");
}

#[test]
fn a_result_of_any_length_keeps_its_beginning() {
    for filler in ["x", "\"", "ü", "\u{1}", "\n"] {
        let record = record().with_result(&format!("SystemError: {}", filler.repeat(100_000)));
        let shown = &record.fields.last().unwrap().1;
        assert!(shown.starts_with(&format!("SystemError: {filler}")) && shown.ends_with(&format!("{filler}…")));
        let length = Value::from(shown.as_str()).to_string().len();
        assert!((RESULT - 8..RESULT + 8).contains(&length), "{length}");
        assert!(record.bounded(Dialect::Journal).len() <= RECORD);
    }
}

#[cfg(feature = "ctl")]
#[test]
fn a_list_of_rules_is_whole_or_has_its_number_and_digest() {
    let names = ["RULES_ADDED", "RULES_ADDED_COUNT", "RULES_ADDED_SHA256"];
    let of = |ids: &[String]| String::from_utf8(Record::of_policy("install").with_ids(names, ids).journal()).unwrap();
    assert!(!of(&[]).contains("RULES_ADDED"));
    let two = of(&["a".to_owned(), "b".to_owned()]);
    assert!(two.contains("\nNETBROKER_RULES_ADDED=a b\nNETBROKER_RULES_ADDED_COUNT=2\n"), "{two}");
    assert!(two.contains("\nMESSAGE_ID=7b7bdf878d3643e6873cdc0750e819e7\n") && !two.contains("SHA256"), "{two}");
    let ids: Vec<String> = (0..1000).map(|n| format!("{n:\\>64}")).collect();
    let many = of(&ids);
    let digest = sha256::hex(ids.join(" ").as_bytes());
    assert!(many.contains(" …\nNETBROKER_RULES_ADDED_COUNT=1000\n") && many.contains(&digest), "{many}");
    let record =
        [names, names, names].iter().fold(Record::of_policy("rollback"), |of, names| of.with_ids(*names, &ids));
    let record = record.with("POLICY", "f".repeat(64)).with("POLICY_BEFORE", "f".repeat(64)).with("UID", "0");
    for dialect in [Dialect::Journal, Dialect::Syslog(7)] {
        assert!(record.bounded(dialect).len() < RECORD);
    }
}
