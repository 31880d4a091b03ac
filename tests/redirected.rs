// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Requests for which the kernel would use another link than the one that a field names. Those that are known are
//! refused before anything is sent; for the others, what the kernel then reports is compared with what was given.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::{EVERYTHING, open_host};
use common::tracer::{self, Fate};
use common::{Host, Reply, request};
use nix::libc;
use serde_json::{Value, json};
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// A deny for the uplinks of the host, next to an allow for everything.
fn host() -> Host {
    let host = open_host();
    host.policy(&format!(
        "{EVERYTHING}\n[[deny]]\nid = \"uplinks\"\nwho = \"*\"\ncall = \"@change\"\n\
         touches = {{ netns = \"@host\", link = \"eth*\" }}\n"
    ));
    host.ip("link add eth0 type veth peer name far0");
    host
}

fn add(host: &Host, netns: &str, kind: &str, parent: &str) -> Reply {
    host.caller().call("Link.Add", json!({"netns": netns, "link": "mv-1", "kind": kind, "parent": parent}))
}

#[test]
fn a_parent_that_the_kernel_looks_through_is_refused_and_nothing_is_made() {
    let host = host();
    host.ip("netns add alice-1");
    host.ip("link add okmv link eth0 type macvlan mode bridge");
    host.ip("link add oktap link eth0 type macvtap mode bridge");
    host.ip("link add m0 link eth0 type macvlan mode bridge");
    host.ip("link set m0 netns alice-1");
    assert_eq!(add(&host, "@host", "macvlan", "eth0").error(), "io.netbroker.Link.Denied");
    let before = host.ip("-d -j link show") + &host.ip_in("alice-1", "-d -j link show");
    for kind in ["macvlan", "macvtap"] {
        for (netns, parent, own) in
            [("@host", "okmv", "macvlan"), ("@host", "oktap", "macvtap"), ("alice-1", "m0", "macvlan")]
        {
            let reply = add(&host, netns, kind, parent);
            let what = format!("{kind} on {parent}: {reply}");
            assert_eq!(reply.error(), "io.netbroker.Link.KernelRefused", "{what}");
            assert_eq!((reply.get("field"), reply.get("may_have_changed")), (json!("parent"), json!(false)), "{what}");
            let why = format!("it is a {own}: the kernel would put the new link on the link below it");
            assert_eq!(reply.get("message"), why, "{what}");
        }
    }
    assert_eq!(host.ip("-d -j link show") + &host.ip_in("alice-1", "-d -j link show"), before);
}

#[test]
fn a_parent_on_which_the_kernel_puts_the_link_itself_is_taken() {
    let host = host();
    host.ip("link add br0 type bridge");
    for parent in ["far0", "br0"] {
        assert_eq!(add(&host, "@host", "macvlan", parent).status(), 0, "{parent}");
        assert!(host.ip("-o link show mv-1").contains(&format!("mv-1@{parent}:")), "{parent}");
        host.ip("link del mv-1");
    }
    // A vxlan on a macvlan: the kernel looks no further.
    host.ip("link add okmv link far0 type macvlan");
    let vxlan = json!({"netns": "@host", "link": "vx", "kind": "vxlan", "parent": "okmv", "vxlan": {"id": 7}});
    assert_eq!(host.caller().call("Link.Add", vxlan).status(), 0);
    assert!(host.ip("-d link show vx").contains("id 7 dev okmv"));
}

/// Makes a link while a tracer rewrites the attribute `kind` of the message from one index to another. So the kernel
/// puts the link on another parent than the given one, as it may do by itself for kinds that the broker does not know.
fn add_elsewhere(host: &Host, fields: Value, kind: u16, from: u32, to: u32) -> Reply {
    let attribute = |index: u32| [&8_u16.to_ne_bytes()[..], &kind.to_ne_bytes(), &index.to_ne_bytes()].concat();
    let mut running = tracer::stopped(&host.caller()).start();
    running.send(&request("Link.Add", fields, false));
    let mut rewritten = false;
    let pid = running.pid();
    tracer::trace(&running, |step| {
        if step.number == libc::SYS_sendto {
            let memory = File::options().read(true).write(true).open(format!("/proc/{pid}/mem")).unwrap();
            let mut sent = vec![0; usize::try_from(step.arguments[2]).unwrap()];
            memory.read_exact_at(&mut sent, step.arguments[1]).unwrap();
            if let Some(at) = sent.windows(8).position(|window| window == attribute(from)) {
                memory.write_all_at(&attribute(to), step.arguments[1] + u64::try_from(at).unwrap()).unwrap();
                rewritten = true;
            }
        }
        Fate::Done
    });
    assert!(rewritten);
    running.finish()
}

#[test]
fn a_link_that_the_kernel_put_on_another_parent_is_removed_again() {
    let host = host();
    host.ip("link add ok0 type bridge");
    let index =
        |link: &str| -> u32 { host.ip(&format!("-o link show {link}")).split(':').next().unwrap().parse().unwrap() };
    let (ok0, eth0) = (index("ok0"), index("eth0"));
    let before = host.ip("-d -j link show");
    for (kind, attribute, more) in
        [("macvlan", 5, json!({})), ("macvtap", 5, json!({"alias": "x"})), ("vxlan", 3, json!({"vxlan": {"id": 7}}))]
    {
        let mut fields = json!({"netns": "@host", "link": "n0", "kind": kind, "parent": "ok0"});
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let reply = add_elsewhere(&host, fields, attribute, ok0, eth0);
        assert_eq!(reply.error(), "io.netbroker.Link.KernelRefused", "{kind}: {reply}");
        // The kernel does not report which link a new vxlan is: the one that has the name may be another, and stays.
        let is_left = kind == "vxlan";
        let said = (reply.get("field"), reply.get("may_have_changed"));
        assert_eq!(said, (json!("parent"), json!(is_left)), "{kind}: {reply}");
        let end = if is_left { "it was not removed" } else { "it was removed again" };
        let why = format!("the kernel put the new link on another link than this one; {end}");
        assert_eq!(reply.get("message"), json!(why), "{kind}: {reply}");
        if is_left {
            host.ip("link delete n0");
        }
        assert_eq!(host.ip("-d -j link show"), before, "{kind}");
    }
}
