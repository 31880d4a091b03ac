// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The wire: what is malformed, or is not a request, is refused and changes nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{from_file, mtu, only_refusals, split};
use common::{Host, Record};
use serde_json::json;

const POLICY: &str = r#"
[[allow]]
id = "links"
who = "*"
call = ["Link.Set", "Link.List"]
netns = "@host"
link = "*"
free = ["mtu", "alias", "index", "up"]

[[allow]]
id = "new-links"
who = "*"
call = "Link.Add"
netns = "@host"
link = "*"
kind = ["veth", "bridge"]
"peer.name" = "*"
"peer.netns" = "@host"
free = ["mtu", "alias", "up"]
"#;
const SET: &str = r#"{"method":"io.netbroker.Link.Set","parameters":{"netns":"@host","link":"v0","mtu":1400}}"#;
const MIB: usize = 1 << 20;

fn host() -> Host {
    let host = Host::new();
    host.policy(POLICY);
    host.ip("link add v0 type veth peer name v1");
    host
}

/// Inputs that are not a message.
fn malformed() -> Vec<Vec<u8>> {
    let texts = [
        "{",
        "}",
        "[]",
        "null",
        "1",
        "nonsense",
        "{}",
        r#""text""#,
        r#"{"method":1}"#,
        r#"{"method":null}"#,
        r#"{"method":["a"]}"#,
        r#"{"parameters":{"netns":"@host","link":"v0","mtu":1400}}"#,
        r#"{"method":"io.netbroker.Link.Set","method":"io.netbroker.Link.Set","parameters":{"netns":"@host","link":"v0","mtu":1400}}"#,
        r#"{"method":"io.netbroker.Link.Set","parameters":{"netns":"@host","link":"v0","mtu":1400},"parameters":null}"#,
        r#"{"method":"io.netbroker.Link.Set","extra":1,"parameters":{"netns":"@host","link":"v0","mtu":1400}}"#,
        r#"{"Method":"io.netbroker.Link.Set","parameters":{"netns":"@host","link":"v0","mtu":1400}}"#,
        r#"{"method":"io.netbroker.Link.Set","parameters":{"netns":"@host","link":"v0","mtu":1400}} x"#,
        r#"{"method":"io.netbroker.Link.Set","parameters":{"netns":"@host","link":"v0","mtu":1400}}{}"#,
        r#"{"method":"io.netbroker.Link.Set","parameters":{"netns":"@host","link":"v0","mtu":1400,}}"#,
        r#"{"method":"io.netbroker.Link.Set","parameters":{"netns":"@host","link":"v0","mtu":01400}}"#,
        r#"{"method":"io.netbroker.Link.Set","parameters":{"netns":"@host","link":"v0","mtu":+1400}}"#,
        r#"{"method":"io.netbroker.Link.Set","parameters":{"netns":"@host","link":"v0","mtu":NaN}}"#,
        r#"{"method":"io.netbroker.Link.Set","parameters":{"netns":"@host","link":"v0","alias":"\ud800"}}"#,
        r#"{"method":"io.netbroker.Link.Set","parameters":{"netns":"@host","link":"v0","alias":"\udc00\ud800"}}"#,
        r#"{"method":"io.netbroker.Link.Set","parameters":{"netns":"@host","link":"v0","alias":"\x41"}}"#,
        "{\"method\":\"io.netbroker.Link.Set\",\"parameters\":{\"netns\":\"@host\",\"link\":\"v0\",\"alias\":\"a\tb\"}}",
        "{\"method\":\"io.netbroker.Link.Set\"/* why */,\"parameters\":{\"netns\":\"@host\",\"link\":\"v0\",\"mtu\":1400}}",
        "\u{feff}{\"method\":\"io.netbroker.Link.Set\",\"parameters\":{\"netns\":\"@host\",\"link\":\"v0\",\"mtu\":1400}}",
        r#"{"method":"io.netbroker.Link.Set","more":1,"parameters":{"netns":"@host","link":"v0","mtu":1400}}"#,
        r#"{"method":"io.netbroker.Link.Set","oneway":"true","parameters":{"netns":"@host","link":"v0","mtu":1400}}"#,
        r#"{"method":"io.netbroker.Link.Set","more":true,"oneway":true,"parameters":{"netns":"@host","link":"v0","mtu":1400}}"#,
        r#"{"method":"io.netbroker.Link.Set","upgrade":true,"parameters":{"netns":"@host","link":"v0","mtu":1400}}"#,
        r#"{"method":"io.netbroker.Link.Set","parameters":{"netns":"@host","link":"v0","mtu":1e999}}"#,
    ];
    let utf8: [&[u8]; 3] = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80"]; // not UTF-8, too long a form, a surrogate
    let of_bytes = |bytes: &[u8]| {
        [br#"{"method":"io.netbroker.Link.Set","parameters":{"netns":"@host","link":"v0","alias":""#, bytes, br#""}}"#]
            .concat()
    };
    texts.iter().map(|text| text.as_bytes().to_vec()).chain(utf8.map(of_bytes)).chain([Vec::new()]).collect()
}

#[test]
fn what_is_no_message_is_an_error_on_a_file_or_pipe_and_closes_a_socket() {
    let host = host();
    let before = host.snapshot(&[]);
    for message in malformed() {
        let shown = message.escape_ascii().to_string();
        let with_nul = [&message[..], b"\0"].concat();
        let reply = host.caller().raw(&with_nul);
        assert_eq!((reply.status(), split(reply.stdout(), 0).len()), (65, 1), "{shown}: {reply}");
        assert_eq!(split(reply.stdout(), 0)[0]["error"], "org.varlink.service.InvalidParameter", "{shown}");
        let output = from_file(&host, &with_nul);
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(65), reply.stdout()), "{shown}");
        let on_socket = host.caller().raw_on_socket(&with_nul);
        on_socket.silent();
        assert_eq!(on_socket.status(), 65, "{shown}: {on_socket}");
        assert!(on_socket.stderr().starts_with("netbroker: "), "{on_socket}");
        if !message.is_empty() {
            let ended = host.caller().raw(&message);
            assert_eq!((ended.status(), split(ended.stdout(), b'\n').len()), (65, 1), "{shown}: {ended}");
        }
    }
    assert_eq!(host.snapshot(&[]), before);
    only_refusals(&host);
}

#[test]
fn an_input_without_a_message_is_not_a_call() {
    let host = host();
    for bytes in [&b""[..], b"\n", b"  \n\t"] {
        let reply = host.caller().raw(bytes);
        reply.silent();
        assert_eq!(reply.status(), 65, "{reply}");
        assert_eq!(from_file(&host, bytes).status.code(), Some(65));
    }
    // On a socket that ends without NUL, nothing was sent completely, even if it would be a request.
    let mut running = host.caller().start_on_socket();
    running.send(SET.as_bytes());
    running.end_input();
    let reply = running.finish();
    reply.silent();
    assert_eq!(reply.status(), 65, "{reply}");
    assert_eq!(mtu(&host), "1500");
    only_refusals(&host);
}

/// Parameters that are JSON but not a request, and the field that the error names.
const WRONG: &[(&str, &str, &str)] = &[
    ("Link.Set", r#"[]"#, ""),
    ("Link.Set", r#""x""#, ""),
    ("Link.Set", r#"1"#, ""),
    ("Link.Set", r#"{}"#, "netns"),
    ("Link.Set", r#"null"#, "netns"),
    ("Link.Set", r#"{"netns":null,"link":"v0"}"#, "netns"),
    ("Link.Set", r#"{"netns":"@host"}"#, "link"),
    ("Link.Set", r#"{"netns":"@host","link":"v0","mtv":1400}"#, "mtv"),
    ("Link.Set", r#"{"netns":"@host","link":"v0","mtv":{"a":[1]},"mtu":1400}"#, "mtv"),
    ("Link.Set", r#"{"netns":"@host","link":"v0","mtu":1400,"mtu":1400}"#, "mtu"),
    ("Link.Set", r#"{"netns":"@host","link":"v0","m\u0074u":1400,"mtu":1400}"#, "mtu"),
    ("Link.Set", r#"{"netns":"@host","link":"v0","mtu":1400.0}"#, "mtu"),
    ("Link.Set", r#"{"netns":"@host","link":"v0","mtu":1.4e3}"#, "mtu"),
    ("Link.Set", r#"{"netns":"@host","link":"v0","mtu":14E2}"#, "mtu"),
    ("Link.Set", r#"{"netns":"@host","link":"v0","mtu":-0}"#, "mtu"),
    ("Link.Set", r#"{"netns":"@host","link":"v0","mtu":-1}"#, "mtu"),
    ("Link.Set", r#"{"netns":"@host","link":"v0","mtu":4294967296}"#, "mtu"),
    ("Link.Set", r#"{"netns":"@host","link":"v0","mtu":18446744073709551616}"#, "mtu"),
    ("Link.Set", r#"{"netns":"@host","link":"v0","mtu":1e99}"#, "mtu"),
    ("Link.Set", r#"{"netns":"@host","link":"v0","mtu":"1400"}"#, "mtu"),
    ("Link.Set", r#"{"netns":"@host","link":"v0","mtu":[1400]}"#, "mtu"),
    ("Link.Set", r#"{"netns":"@host","link":"v0","mtu":true}"#, "mtu"),
    ("Link.Set", r#"{"netns":"@host","link":"v0","up":1}"#, "up"),
    ("Link.Set", r#"{"netns":"@host","link":"v0","up":"true"}"#, "up"),
    ("Link.Set", r#"{"netns":"@host","link":1}"#, "link"),
    ("Link.Set", r#"{"netns":"@host","link":"","mtu":1400}"#, "link"),
    ("Link.Set", r#"{"netns":"@host","link":"v0\u0000","mtu":1400}"#, "link"),
    ("Link.Set", r#"{"netns":"@host","link":"v%d","mtu":1400}"#, "link"),
    ("Link.Set", r#"{"netns":"/run/netns/x","link":"v0","mtu":1400}"#, "netns"),
    ("Link.Set", r#"{"netns":"1","link":"v0","mtu":1400,"reference":"a\nb"}"#, "reference"),
    ("Link.Set", r#"{"netns":"@host","link":"v0","alias":"a\u202eb"}"#, "alias"),
    ("Link.Set", r#"{"netns":"@host","link":"v0","mtu":1400,"reference":7}"#, "reference"),
    ("Link.Add", r#"{"netns":"@host","link":"x","kind":"veth","peer":"y"}"#, "peer"),
    (
        "Link.Add",
        r#"{"netns":"@host","link":"x","kind":"veth","peer":{"name":"y","netns":"@host","name":"y"}}"#,
        "peer.name",
    ),
    (
        "Link.Add",
        r#"{"netns":"@host","link":"x","kind":"veth","peer":{"name":"y","netns":"@host","colour":1}}"#,
        "peer.colour",
    ),
    (
        "Link.Add",
        r#"{"netns":"@host","link":"x","kind":"veth","peer":{"name":"y","netns":"@host"},"peer":null}"#,
        "peer",
    ),
    ("Link.Add", r#"{"netns":"@host","link":"x","kind":"veth","peer.name":"y"}"#, "peer.name"),
    ("Link.Add", r#"{"netns":"@host","link":"x","kind":"veth","peer":null}"#, "peer.name"),
    ("Link.Add", r#"{"netns":"@host","link":"x","kind":"bridge","peer":{"name":"y","netns":"@host"}}"#, "peer.name"),
];

#[test]
fn a_wrong_request_is_answered_in_its_interface_with_the_field_and_the_id_of_its_record() {
    let host = host();
    let before = host.snapshot(&[]);
    let nested = format!(r#"{{"netns":"@host","link":"v0","alias":{}1{}}}"#, "[".repeat(20), "]".repeat(20));
    let bottomless = "[".repeat(100_000) + &"]".repeat(100_000);
    let objects = r#"{"peer":"#.repeat(300) + "1" + &"}".repeat(300);
    let deep = [("Link.Set", nested.as_str(), "alias"), ("Link.Set", &bottomless, ""), ("Link.Set", &objects, "netns")];
    let mut ids = Vec::new();
    for (call, parameters, field) in WRONG.iter().chain(&deep) {
        let message = format!(r#"{{"method":"io.netbroker.{call}","parameters":{parameters}}}"#) + "\0";
        for reply in [host.caller().raw(message.as_bytes()), host.caller().raw_on_socket(message.as_bytes())] {
            assert_eq!(reply.error(), "io.netbroker.Link.InvalidRequest", "{parameters}");
            assert_eq!(reply.get("field"), *field, "{parameters}: {reply}");
            ids.push(reply.get("request").as_str().unwrap().to_owned());
        }
    }
    let trail = host.trail();
    let recorded: Vec<&str> = trail.iter().map(|record: &Record| record.field("NETBROKER_REQUEST")).collect();
    assert_eq!(recorded, ids);
    only_refusals(&host);
    assert_eq!(host.snapshot(&[]), before);
}

#[test]
fn a_mebibyte_is_read_and_not_one_byte_more() {
    let host = host();
    let padded = |length: usize| [SET.as_bytes(), &vec![b' '; length - SET.len()]].concat();
    for length in [MIB - 1, MIB] {
        for how in 0..4 {
            host.ip("link set v0 mtu 1500");
            let (plain, with_nul) = (padded(length), [&padded(length)[..], b"\0"].concat());
            let status = match how {
                0 => host.caller().raw(&plain).status(),
                1 => host.caller().raw(&with_nul).status(),
                2 => from_file(&host, &plain).status.code().unwrap(),
                _ => host.caller().raw_on_socket(&with_nul).status(),
            };
            assert_eq!((status, mtu(&host).as_str()), (0, "1400"), "{length} bytes, {how}");
        }
    }
    host.ip("link set v0 mtu 1500");
    for length in [MIB + 1, MIB + 100, MIB + 8191, MIB + 8192, MIB + 8193, 2 * MIB] {
        let (plain, with_nul) = (padded(length), [&padded(length)[..], b"\0"].concat());
        let statuses = [
            host.caller().raw(&plain).status(),
            host.caller().raw(&with_nul).status(),
            from_file(&host, &with_nul).status.code().unwrap(),
            host.caller().raw_on_socket(&with_nul).status(),
        ];
        assert_eq!(
            (statuses, mtu(&host).as_str()),
            ([65; 4], "1500"),
            "{length} bytes: pipe, pipe with NUL, file, socket"
        );
    }
}

#[test]
fn absent_null_and_empty_are_the_same() {
    let host = host();
    let say = |parameters: &str| {
        host.ip("link set v0 mtu 1500");
        let reply = host.caller().raw(format!(r#"{{"method":"io.netbroker.Link.Set"{parameters}}}"#).as_bytes());
        (split(reply.stdout(), b'\n')[0].clone(), mtu(&host))
    };
    let missing = ["", r#","parameters":null"#, r#","parameters":{}"#].map(|parameters| {
        let (mut message, _) = say(parameters);
        message["parameters"].as_object_mut().unwrap().remove("request");
        message
    });
    assert!(
        missing.iter().all(|message| *message == missing[0] && message["parameters"]["field"] == "netns"),
        "{missing:?}"
    );
    let with = r#","parameters":{"netns":"@host","link":"v0","mtu":1400,"alias":null,"mac":null,"reference":null},"more":null"#;
    assert_eq!(say(with), (json!({"parameters": {}}), "1400".to_owned()));
    let add = json!({"netns": "@host", "link": "x0", "kind": "veth", "mtu": null,
        "peer": {"name": "x1", "netns": "@host", "mac": null, "up": null}});
    host.caller().call("Link.Add", add).ok();
    let add = json!({"netns": "@host", "link": "b0", "kind": "bridge", "peer": null, "bridge": {"stp": null}});
    host.caller().call("Link.Add", add).ok();
    assert_eq!(
        host.sh("ls /sys/class/net").split_whitespace().collect::<Vec<_>>(),
        ["b0", "lo", "v0", "v1", "x0", "x1"]
    );
}
