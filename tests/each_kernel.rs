// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What must hold on every kernel: each call and each kind of link once, and both settings of Landlock. A kind that the
//! kernel does not know is refused, and the refusal says of what.
//!
//! A plain `cargo test` does not run this target (`test = false` in Cargo.toml), because the machine's own kernel may lack
//! kinds that every kernel of Debian has. tests/vm/run boots a kernel and runs it there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::calls::{EXAMPLES_ON_OTHER_KERNELS, ON_OTHER_KERNELS, examples};
use common::scene::{LINKS, open_host};
use common::{Host, landlock};
use netbroker::call;
use serde_json::{Value, json};
use std::fs;

/// A link of each kind of [`ON_OTHER_KERNELS`] that `Link.Add` makes, in the namespace `w`, which has a pair of links `v0`
/// and `v1`: the first version of the kernel that has the kind, and the other members of the request.
const KINDS: &[(&str, (u32, u32), &str)] = &[
    ("bond", (0, 0), r#"{"bond": {"mode": "active_backup"}}"#),
    ("dummy", (0, 0), "{}"),
    ("vlan", (0, 0), r#"{"parent": "v0", "vlan": {"id": 7}}"#),
    ("vrf", (0, 0), r#"{"vrf": {"table": 7}}"#),
    ("ipvlan", (0, 0), r#"{"parent": "v0"}"#),
    ("geneve", (0, 0), r#"{"geneve": {"id": 7, "remote": "192.0.2.9"}}"#),
    ("ipip", (0, 0), r#"{"tunnel": {"remote": "192.0.2.9"}}"#),
    ("sit", (0, 0), r#"{"tunnel": {"remote": "192.0.2.9"}}"#),
    ("ip6tnl", (0, 0), r#"{"tunnel": {"remote": "2001:db8::9"}}"#),
    ("gre", (0, 0), r#"{"tunnel": {"remote": "192.0.2.9"}}"#),
    ("gretap", (0, 0), r#"{"tunnel": {"remote": "192.0.2.9"}}"#),
    ("ip6gre", (0, 0), r#"{"tunnel": {"remote": "2001:db8::9"}}"#),
    ("ip6gretap", (0, 0), r#"{"tunnel": {"remote": "2001:db8::9"}}"#),
    ("wireguard", (0, 0), "{}"),
    ("xfrm", (0, 0), r#"{"xfrm": {"if_id": 7}}"#),
    ("vcan", (0, 0), "{}"), // Debian's kernels for virtual machines lack it
    ("netkit", (6, 7), r#"{"peer": {"name": "x1", "netns": "w"}}"#),
];

/// Families of calls that an older kernel than this does not support.
const FAMILIES: &[(&str, (u32, u32))] = &[("Vni", (5, 18))];

fn release() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").unwrap()
}

/// Whether the running kernel is of this version, or newer.
fn is_since(since: (u32, u32)) -> bool {
    let release = release();
    let mut numbers = release.split('.').map_while(|number| number.parse().ok());
    (numbers.next().unwrap(), numbers.next().unwrap()) >= since
}

/// Whether the running kernel has a kind that came with this version.
fn has(kind: &str, since: (u32, u32)) -> bool {
    is_since(since) && !(kind == "vcan" && release().contains("-cloud-"))
}

/// What the examples of `common::calls` start from.
fn host() -> Host {
    let host = open_host();
    host.sh("for name in w far; do ip netns add $name; done; ip -n w link add v0 type veth peer name v1");
    host
}

/// The first example of each call of a family and of each of its kinds succeeds, each in a host of its own, or is not
/// supported by an old kernel.
fn assert_each_succeeds(is_of: impl Fn(&str) -> bool) {
    let mut seen = Vec::new();
    let all = EXAMPLES_ON_OTHER_KERNELS.iter().chain(examples());
    for example in all.filter(|example| is_of(example.call)) {
        let kind = example.parameters().get("kind").map(ToString::to_string);
        if seen.contains(&(example.call, kind.clone())) {
            continue;
        }
        let host = host();
        fs::write("/run/scratch/trace", "call 2 230 \n").unwrap(); // what the example of Netns.Add waits for
        let since =
            FAMILIES.iter().find(|(family, _)| *family == example.call().family()).map_or((0, 0), |(_, of)| *of);
        if is_since(since) {
            host.sh(example.before);
            host.caller().call(example.call, example.parameters()).ok();
        } else {
            host.sh("ip -n w link add x0 type vxlan external");
            let reply = host.caller().call(example.call, example.parameters());
            let error = format!("io.netbroker.{}.NotSupported", example.call().family());
            assert_eq!((reply.error(), reply.get("may_have_changed")), (error, json!(false)), "{reply}");
        }
        seen.push((example.call, kind));
    }
    for call in call::all().filter(|call| is_of(call.name)) {
        assert!(seen.iter().any(|(name, _)| *name == call.name), "{} has no example", call.name);
    }
}

#[test]
fn each_call_for_namespaces_and_links_succeeds() {
    assert_each_succeeds(|call| call.starts_with("Netns.") || call.starts_with("Link."));
}

#[test]
fn each_other_call_succeeds() {
    assert_each_succeeds(|call| !call.starts_with("Netns.") && !call.starts_with("Link."));
}

#[test]
fn each_kind_of_link_is_made_where_the_kernel_has_it_and_is_not_supported_elsewhere() {
    let add = call::by_name("Link.Add").unwrap();
    let made = ON_OTHER_KERNELS.iter().filter(|kind| add.kind(kind).is_some());
    let missing: Vec<_> = made.filter(|kind| !KINDS.iter().any(|(name, ..)| name == *kind)).collect();
    assert!(missing.is_empty(), "KINDS lacks {missing:?}");
    let host = host();
    // Loads the module of each kind: those of tunnels add links to every namespace.
    for (kind, ..) in KINDS {
        host.run(&["sh", "-c", &format!("ip -n far link add x0 type {kind}; ip -n far link delete x0")]);
    }
    let before = host.snapshot(&["w"]);
    for (kind, since, members) in KINDS {
        let mut request: Value = serde_json::from_str(members).unwrap();
        request["netns"] = json!("w");
        request["link"] = json!("x0");
        request["kind"] = json!(kind);
        let reply = host.caller().call("Link.Add", request);
        if !has(kind, *since) {
            assert_eq!(
                (reply.error().as_str(), reply.get("field")),
                ("io.netbroker.Link.NotSupported", json!("kind")),
                "{reply}"
            );
        } else {
            reply.ok();
            let listed = host.caller().call("Link.List", json!({"netns": "w", "link": "x0"})).ok()["links"][0].clone();
            assert_eq!((&listed["link"], &listed["kind"]), (&json!("x0"), &json!(kind)), "{listed}");
            host.caller().call("Link.Delete", json!({"netns": "w", "link": "x0"})).ok();
        }
        assert_eq!(host.snapshot(&["w"]), before, "{kind}");
    }
}

#[test]
fn a_policy_that_requires_landlock_refuses_every_call_of_a_kernel_without_it() {
    for setting in ["required", "available"] {
        let host = Host::new();
        host.policy(&format!("{LINKS}\n[confinement]\nlandlock = \"{setting}\"\n"));
        host.ip("link add v0 type veth peer name v1");
        let before = host.snapshot(&[]);
        let set = json!({"netns": "@host", "link": "v0", "mtu": 1400});
        let reply = host.caller().call("Link.Set", set);
        if setting == "available" || landlock::exists() {
            reply.ok();
            assert!(host.ip("link show v0").contains("mtu 1400"));
        } else {
            assert_eq!(
                (reply.error().as_str(), reply.get("step")),
                ("io.netbroker.Link.NotConfined", json!("landlock")),
                "{reply}"
            );
            assert_eq!(host.snapshot(&[]), before);
        }
    }
}
