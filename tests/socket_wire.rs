// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The wire over netbrokerd: parameters that are absent, null or empty, `oneway` and `more` mean what they mean to the
//! broker on a pipe, and the connection stays of use after each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{MTU_POLICY, mtu, split};
use common::socket::{Client, Daemon, until};
use common::{Host, Way};
use serde_json::{Value, json};

fn host() -> Host {
    let host = Host::builder().way(Way::Root).build();
    host.policy(MTU_POLICY);
    host.ip("link add v0 type veth peer name v1");
    host
}

/// A reply without the id of its request.
fn without_id(mut message: Value) -> Value {
    if let Some(parameters) = message["parameters"].as_object_mut() {
        parameters.remove("request");
    }
    message
}

/// The replies of the broker itself.
fn by_program(host: &Host, message: &str) -> Vec<Value> {
    let reply = host.caller().raw(format!("{message}\0").as_bytes());
    split(reply.stdout(), 0).into_iter().map(without_id).collect()
}

/// The replies on a connection, up to the last one.
fn by_socket(client: &mut Client, message: &str) -> Vec<Value> {
    client.send(format!("{message}\0").as_bytes());
    let mut replies = Vec::new();
    loop {
        let reply = client.hear().unwrap_or_else(|| panic!("closed: {message}"));
        let follows = reply["continues"] == true;
        replies.push(without_id(reply));
        if !follows {
            return replies;
        }
    }
}

#[test]
fn absent_null_and_empty_are_the_same_on_a_socket_and_on_a_pipe() {
    let host = host();
    let _daemon = Daemon::start(&host, &[]);
    let mut client = Client::connect();
    let method = |name: &str, rest: &str| format!(r#"{{"method":"{name}"{rest}}}"#);
    let forms = ["", r#","parameters":null"#, r#","parameters":{}"#];
    for name in
        ["io.netbroker.Link.Set", "io.netbroker.Bird.Fly", "io.netbroker.Link.Fly", "org.varlink.service.GetInfo"]
    {
        let all: Vec<Vec<Value>> = forms
            .iter()
            .flat_map(|form| {
                let message = method(name, form);
                [by_program(&host, &message), by_socket(&mut client, &message)]
            })
            .collect();
        assert!(all.iter().all(|replies| *replies == all[0] && replies.len() == 1), "{name}: {all:#?}");
    }
    let missing = by_socket(&mut client, &method("io.netbroker.Link.Set", ""));
    assert_eq!(
        (&missing[0]["error"], &missing[0]["parameters"]["field"]),
        (&json!("io.netbroker.Link.InvalidRequest"), &json!("netns"))
    );

    // A member or a field that is null is absent, at any depth. An empty result is an empty object.
    let nulls = r#","more":null,"oneway":null,"upgrade":null,"parameters":{"netns":"@host","link":"v0","mtu":MTU,"alias":null,"bridge_port":{"cost":null},"reference":null}"#;
    for (at, is_socket) in [("1400", true), ("1401", false), ("1402", true)] {
        let message = method("io.netbroker.Link.Set", &nulls.replace("MTU", at));
        let replies = if is_socket { by_socket(&mut client, &message) } else { by_program(&host, &message) };
        assert_eq!((replies, mtu(&host).as_str()), (vec![json!({"parameters": {}})], at));
    }
}

#[test]
fn oneway_is_done_and_not_answered_and_the_next_reply_is_that_of_the_next_call() {
    let host = host();
    let _daemon = Daemon::start(&host, &[]);
    let mut client = Client::connect();
    let set = |mtu: &str, oneway: bool| {
        json!({"method": "io.netbroker.Link.Set", "oneway": oneway, "parameters": {"netns": "@host", "link": "v0"}})
            .to_string()
            .replace(r#""link":"v0""#, &format!(r#""link":"v0","mtu":{mtu}"#))
    };
    client.send(format!("{}\0", set("1400", true)).as_bytes());
    until("it is done", || mtu(&host) == "1400");
    // Done, refused as a request, refused by the policy, of an unknown method, a question: none is answered.
    let silent = [
        set("1401", true),
        set("14.0", true),
        r#"{"method":"io.netbroker.Netns.Add","oneway":true,"parameters":{"netns":"x"}}"#.to_owned(),
        r#"{"method":"io.netbroker.Bird.Fly","oneway":true}"#.to_owned(),
        r#"{"method":"org.varlink.service.GetInfo","oneway":true}"#.to_owned(),
    ];
    for message in &silent {
        assert_eq!(by_program(&host, message), [Value::Null; 0], "{message}");
        client.send(format!("{message}\0").as_bytes());
        let next = by_socket(&mut client, &set("1402", false));
        assert_eq!((next, mtu(&host).as_str()), (vec![json!({"parameters": {}})], "1402"), "{message}");
    }
    // All at once, in order.
    host.forget_trail();
    let all = [&silent[..], &[set("1403", false)], &silent[..], &[set("1404", false)]].concat();
    client.send(format!("{}\0", all.join("\0")).as_bytes());
    assert_eq!((client.hear(), client.hear()), (Some(json!({"parameters": {}})), Some(json!({"parameters": {}}))));
    assert_eq!(mtu(&host), "1404");
    let trail = host.trail();
    // Each of the ten is on record, but for the questions.
    let count = |event: &str| trail.iter().filter(|record| record.field("NETBROKER_EVENT") == event).count();
    assert_eq!((count("permitted"), count("outcome"), count("refused")), (4, 4, 6), "{trail:#?}");
}

#[test]
fn more_brings_the_same_parts_on_a_socket_and_on_a_pipe() {
    let host = host();
    host.sh("for n in $(seq 40); do ip link add d$n type veth peer name e$n; done");
    let _daemon = Daemon::start(&host, &[]);
    let mut client = Client::connect();
    let list =
        |more: &str| format!(r#"{{"method":"io.netbroker.Link.List","more":{more},"parameters":{{"netns":"@host"}}}}"#);
    let links = |replies: &[Value]| -> Vec<Value> {
        replies.iter().flat_map(|reply| reply["parameters"]["links"].as_array().unwrap().clone()).collect()
    };
    let (streamed, by_pipe) = (by_socket(&mut client, &list("true")), by_program(&host, &list("true")));
    let at_once = by_socket(&mut client, &list("false"));
    assert!(streamed.len() > 1 && at_once.len() == 1, "{} replies", streamed.len());
    assert_eq!((streamed.len(), links(&streamed).len()), (by_pipe.len(), 83));
    assert!(links(&streamed) == links(&by_pipe) && links(&streamed) == links(&at_once));
    // A call that has one result has one reply, and an error is the only reply.
    let set = r#"{"method":"io.netbroker.Link.Set","more":true,"parameters":{"netns":"@host","link":"v0","mtu":1400}}"#;
    assert_eq!(by_socket(&mut client, set), [json!({"parameters": {}})]);
    let refused = by_socket(&mut client, &list("true").replace("@host", "absent"));
    assert_eq!((refused.len(), &refused[0]["error"]), (1, &json!("io.netbroker.Link.Denied")));
    // Several listings at once come one after another.
    client.send(format!("{0}\0{0}\0{1}\0", list("true"), set).as_bytes());
    let mut ended = 0;
    let mut elements = 0;
    while ended < 3 {
        let reply = client.hear().unwrap();
        elements += reply["parameters"]["links"].as_array().map_or(0, Vec::len);
        ended += usize::from(reply["continues"] != true);
    }
    assert_eq!(elements, 2 * 83);
}
