// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A conversation: one process takes one call and leaves the rest, and its replies end as they must.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::Host;
use common::scene::{MTU_POLICY, MTU_REQUEST as SET, from_file, mtu, only_refusals, split};
use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

const INFO: &str = r#"{"method":"org.varlink.service.GetInfo"}"#;

const DONE: &str = r#"{"parameters":{}}"#;

fn host() -> Host {
    let host = Host::new();
    host.policy(MTU_POLICY);
    host.ip("link add v0 type veth peer name v1");
    host
}

#[test]
fn replies_end_as_requests_do() {
    let host = host();
    let pipe = |bytes: &str| host.caller().raw(bytes.as_bytes()).stdout().to_vec();
    assert_eq!(pipe(SET), format!("{DONE}\n").as_bytes());
    assert_eq!(pipe(&format!("{SET}\n")), format!("{DONE}\n").as_bytes());
    assert_eq!(pipe(&format!("{SET}\0")), format!("{DONE}\0").as_bytes());
    assert_eq!(pipe(&format!("{SET}\0\n")), format!("{DONE}\0").as_bytes());
    assert_eq!(from_file(&host, SET.as_bytes()).stdout, format!("{DONE}\n").as_bytes());
    let on_socket = host.caller().raw_on_socket(format!("{SET}\0").as_bytes());
    assert_eq!(on_socket.stdout(), format!("{DONE}\0").as_bytes());
}

#[test]
fn of_a_socket_exactly_one_call_is_taken() {
    let host = host();
    let second = SET.replace("1400", "1300") + "\0";
    let reply = host.caller().raw_on_socket(format!("{SET}\0{second}").as_bytes());
    reply.ok();
    assert_eq!((mtu(&host).as_str(), reply.left_in_socket()), ("1400", second.as_bytes()));
    let reply = host.caller().raw_on_socket(format!("{SET}\0{{").as_bytes());
    reply.ok();
    assert_eq!(reply.left_in_socket(), b"{");
    // A long message, of which one peek sees only the beginning.
    let long = format!("{}{}\0", SET, " ".repeat(100_000));
    let reply = host.caller().raw_on_socket(format!("{long}{second}").as_bytes());
    reply.ok();
    assert_eq!(reply.left_in_socket(), second.as_bytes());
    // The first call does not matter here.
    let reply = host.caller().raw_on_socket(format!("nonsense\0{second}").as_bytes());
    assert_eq!((reply.status(), reply.left_in_socket()), (65, second.as_bytes()));
}

#[test]
fn nothing_may_follow_a_call_on_a_pipe() {
    let host = host();
    let second = SET.replace("1400", "1300");
    for bytes in [format!("{SET}\0{second}\0"), format!("{SET}\0{second}"), format!("{SET}\0x"), format!("{SET}\0\0")] {
        let reply = host.caller().raw(bytes.as_bytes());
        assert_eq!((reply.status(), mtu(&host).as_str()), (65, "1500"), "{reply}");
        let output = from_file(&host, bytes.as_bytes());
        assert_eq!((output.status.code(), mtu(&host).as_str()), (Some(65), "1500"), "{output:?}");
    }
    only_refusals(&host);
}

#[test]
fn questions_about_the_service_do_not_count_as_the_call() {
    let host = host();
    let describe =
        r#"{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"io.netbroker.Link"}}"#;
    let bytes = format!("{INFO}\0{describe}\0{INFO}\0{SET}\0");
    let reply = host.caller().raw(bytes.as_bytes());
    let messages = split(reply.stdout(), 0);
    assert_eq!((reply.status(), messages.len(), &messages[3]), (0, 4, &json!({"parameters": {}})), "{reply}");
    assert_eq!(mtu(&host), "1400");
    let second = SET.replace("1400", "1300") + "\0";
    let reply = host.caller().raw_on_socket(format!("{bytes}{second}").as_bytes());
    assert_eq!((split(reply.stdout(), 0), reply.left_in_socket()), (messages, second.as_bytes()));
    let only = host.caller().raw(format!("{INFO}\0{INFO}").as_bytes());
    assert_eq!(only.status(), 0, "{only}");
    assert_eq!(host.trail().len(), 4); // two for each of two calls
}

#[test]
fn what_does_not_exist_is_told_as_varlink_says() {
    let host = host();
    for (method, error, field, value) in [
        ("io.netbroker.Link.Fly", "MethodNotFound", "method", "Fly"),
        ("io.netbroker.Link.set", "MethodNotFound", "method", "set"),
        ("io.netbroker.Bird.Fly", "InterfaceNotFound", "interface", "io.netbroker.Bird"),
        ("io.netbroker.Set", "InterfaceNotFound", "interface", "io.netbroker"),
        ("Link.Set", "InterfaceNotFound", "interface", "Link"),
        ("Fly", "InterfaceNotFound", "interface", ""),
        ("", "InterfaceNotFound", "interface", ""),
        ("org.varlink.service.Fly", "MethodNotFound", "method", "Fly"),
    ] {
        let message = json!({"method": method}).to_string() + "\0";
        for reply in [host.caller().raw(message.as_bytes()), host.caller().raw_on_socket(message.as_bytes())] {
            assert_eq!(reply.error(), format!("org.varlink.service.{error}"), "{method}");
            assert_eq!((reply.status(), reply.get(field)), (65, json!(value)), "{method}");
        }
    }
    only_refusals(&host);
}

#[test]
fn oneway_is_done_and_not_answered() {
    let host = host();
    let oneway =
        |mtu: &str| SET.replace(r#""parameters""#, r#""oneway":true,"parameters""#).replace("1400", mtu) + "\0";
    let reply = host.caller().raw_on_socket(oneway("1400").as_bytes());
    reply.silent();
    assert_eq!((reply.status(), mtu(&host).as_str()), (0, "1400"));
    let reply = host.caller().raw(oneway("14.0").as_bytes());
    reply.silent();
    assert_eq!((reply.status(), mtu(&host).as_str()), (65, "1400"));
    let record = host.trail().pop().unwrap();
    assert_eq!(record.field("NETBROKER_EVENT"), "refused");
}

#[test]
fn more_is_honoured_where_there_is_more() {
    let host = host();
    host.caller().call_more("Link.Set", json!({"netns": "@host", "link": "v0", "mtu": 1400})).ok();
    host.sh("for n in $(seq 40); do ip link add d$n type veth peer name e$n; done");
    let streamed = host.caller().call_more("Link.List", json!({"netns": "@host"}));
    let at_once = host.caller().call("Link.List", json!({"netns": "@host"})).ok();
    let parts = streamed.all();
    assert!(parts.len() > 1, "{} replies", parts.len());
    let links: Vec<Value> = parts.iter().flat_map(|part| part["links"].as_array().unwrap().clone()).collect();
    assert_eq!((links.len(), json!(links)), (83, at_once["links"].clone()));
}

#[test]
fn a_caller_that_does_not_wait_for_the_reply_is_told_by_the_status() {
    let host = host();
    for on_socket in [false, true] {
        host.ip("link set v0 mtu 1500");
        let mut command = host.caller().command();
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let (ours, theirs) = UnixStream::pair().unwrap();
        if on_socket {
            command.stdout(std::os::fd::OwnedFd::from(theirs.try_clone().unwrap()));
        } else {
            command.stdout(Stdio::piped());
        }
        let mut child = command.spawn().unwrap();
        drop((child.stdout.take(), ours, theirs));
        child.stdin.take().unwrap().write_all(SET.as_bytes()).unwrap();
        let ended = child.wait_with_output().unwrap();
        assert_eq!((ended.status.code(), mtu(&host).as_str()), (Some(74), "1400"), "{ended:?}");
    }
    assert_eq!(host.trail_where("NETBROKER_EVENT", "outcome").len(), 2);
}
