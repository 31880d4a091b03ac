// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Lists of structures, with multipath routes as the example: what a rule must name, and what a rule permits that names
//! no field inside the list.

use super::judged::decision;
use super::refused::refused;
use super::*;
use crate::call::json::Json;
use crate::call::request::Request;
use crate::caller::Caller;
use crate::policy::judge::judge;

const WAYS: &str = r#"
[[allow]]
id       = "ways"
who      = "*"
call     = ["Route.Add", "Route.Delete"]
netns    = "q1"
destination = "10.0.0.0/8"
gateway  = "192.0.2.0/24"
link     = "qr-*"
nexthops = { gateway = ["192.0.2.0/24", "!192.0.2.9/32"], link = "qr-*" }
"#;
const ONE_WAY: &str = r#"
[[allow]]
id    = "one"
who   = "*"
call  = ["Route.Add", "Route.Delete"]
netns = "q1"
destination = "10.0.0.0/8"
gateway = "192.0.2.0/24"
link  = "qr-*"
"#;
fn with(rest: &str) -> String {
    format!(r#"{{"netns":"q1","destination":"10.1.0.0/16",{rest}}}"#)
}

fn ways(rest: &str) -> String {
    with(&format!(r#""nexthops":[{rest}]"#))
}

#[test]
fn an_allow_that_names_nothing_inside_a_list_permits_none() {
    assert_eq!(decision(&[ONE_WAY], "alice", "Route.Add", &with(r#""link":"qr-1""#)), "one");
    let hops = r#"{"link":"qr-1","weight":1},{"link":"qr-2"}"#;
    assert_eq!(decision(&[ONE_WAY], "alice", "Route.Add", &ways(hops)), "silence one nexthops");
}

#[test]
fn a_list_that_is_a_filter_does_not_take_a_link_out_of_sight() {
    let delete = |policy: &str, with: &str| decision(&[policy], "alice", "Route.Delete", with);
    let one = with(r#""link":"qr-1","gateway":"192.0.2.1""#);
    assert_eq!([ONE_WAY, WAYS].map(|policy| delete(policy, &one)), ["one", "ways"]);
    // A multipath route has no link of its own. Its next hops have links, which this allow does not name.
    let hop = r#"{"gateway":"198.51.100.1","link":"eth0"}"#;
    let uplink = ways(&format!("{hop},{hop}"));
    assert_eq!(delete(ONE_WAY, &uplink), "silence one gateway");
    assert_eq!(delete(WAYS, &uplink), "silence ways nexthops.gateway");
    let hop = r#"{"gateway":"192.0.2.1","link":"qr-1"}"#;
    assert_eq!(delete(WAYS, &ways(&format!("{hop},{hop}"))), "ways");
    // A list of one is a route with one next hop.
    assert_eq!([ONE_WAY, WAYS].map(|policy| delete(policy, &ways(hop))), ["one", "ways"]);
    assert_eq!(delete(WAYS, &ways(r#"{"link":"qr-1"}"#)), "silence ways gateway");
}

#[test]
fn what_is_required_of_a_list_is_in_every_element() {
    let require = |what: &str| format!("{WAYS}require = [\"{what}\"]\n");
    let add = |policy: &str, with: &str| decision(&[policy], "alice", "Route.Add", with);
    for (what, with, expected) in [
        ("nexthops", with(r#""link":"qr-1""#), "silence ways nexthops"),
        ("nexthops", ways(r#"{"link":"qr-1"}"#), "silence ways nexthops"), // that is a link
        ("nexthops", ways(r#"{"link":"qr-1"},{"link":"qr-2"}"#), "ways"),
        ("nexthops.gateway", with(r#""link":"qr-1""#), "silence ways nexthops.gateway"),
        ("nexthops.gateway", ways(r#"{"link":"qr-1"},{"link":"qr-2"}"#), "silence ways nexthops.gateway"),
        (
            "nexthops.gateway",
            ways(r#"{"link":"qr-1","gateway":"192.0.2.1"},{"link":"qr-1"}"#),
            "silence ways nexthops.gateway",
        ),
        (
            "nexthops.gateway",
            ways(r#"{"link":"qr-1","gateway":"192.0.2.1"},{"link":"qr-1","gateway":"192.0.2.2"}"#),
            "ways",
        ),
    ] {
        assert_eq!(add(&require(what), &with), expected, "{what} {with}");
    }
}

#[test]
fn a_rule_names_what_is_inside_a_list_and_what_it_must() {
    let inside = "`nexthops` is a list; constrain the fields inside it: `nexthops.gateway`, `nexthops.link`, \
        `nexthops.weight`, `nexthops.onlink`";
    let rest = "who = \"*\"\ncall = \"Route.Add\"\nnetns = \"q\"\nlink = \"a\"\ndestination = \"*\"\n";
    refused(
        &format!("[[allow]]\nid = \"x\"\n{rest}"),
        &[
            ("nexthops = \"*\"", &format!("8:1: {inside}")),
            ("free = [\"nexthops\"]", &format!("8:9: {inside}")),
            (
                "nexthops.gatewy = \"*\"",
                "8:10: `nexthops.gatewy` is not a field of Route.Add; did you mean `nexthops.gateway`?",
            ),
            (
                "nexthops.gateway = \"*\"",
                "4:8: the allow `x` does not name `nexthops.link`: Route.Add lets the kernel choose",
            ),
            ("require = [\"nexthops\"]", "8:12: `nexthops` is in `require`, but this allow does not name it"),
        ],
    );
    refused(
        "[[deny]]\nid = \"x\"\nwho = \"*\"\n",
        &[("call = \"Route.*\"\nnexthops = \"*\"", &format!("5:1: {inside}"))],
    );
}

#[test]
fn a_table_says_what_dotted_names_say() {
    let dotted = WAYS.replace(
        "nexthops = { gateway = [\"192.0.2.0/24\", \"!192.0.2.9/32\"], link = \"qr-*\" }",
        "nexthops.gateway = [\"192.0.2.0/24\", \"!192.0.2.9/32\"]\nnexthops.link = \"qr-*\"",
    );
    assert_ne!(dotted, WAYS);
    assert_eq!(good(&[WAYS]).write().unwrap(), good(&[&dotted]).write().unwrap());
}

#[test]
fn a_refusal_in_words_says_what_the_elements_say() {
    let told = |policy: &str, call: &str, with: &str| {
        let (policy, caller) = (good(&[policy]), Caller { uid: 1, gid: 1, groups: Vec::new() });
        let request = Request::parse(by_name(call).unwrap(), &Json::parse(with.as_bytes()).unwrap(), 1).unwrap();
        let rules: Vec<Rule> = policy
            .placed()
            .iter()
            .filter(|placed| placed.call == request.call().number)
            .map(|placed| placed.rule.clone())
            .collect();
        policy.describe(&judge(&rules, &caller, &request), &request)
    };
    let required = format!("{WAYS}require = [\"nexthops\"]\n");
    for (policy, with, end) in [
        (WAYS, ways(r#"{"link":"eth0"}"#), "its `link` = \"qr-*\" does not permit `eth0`"),
        (WAYS, ways(r#"{"link":"eth0"},{"link":"eth0"}"#), "its `nexthops.link` = \"qr-*\" does not permit `eth0`"),
        (
            WAYS,
            ways(r#"{"link":"qr-1"},{"gateway":"192.0.2.1"}"#),
            "its `nexthops.link` = \"qr-*\" does not permit each of `qr-1`, its absence",
        ),
        (ONE_WAY, ways(r#"{"link":"qr-1"},{"link":"qr-2"}"#), "it does not name `nexthops` and `nexthops.link`"),
        (&required, with(r#""link":"qr-1""#), "it requires `nexthops`"),
        (
            WAYS,
            with(r#""link":"eth0","metric":7,"table":9"#),
            "its `link` = \"qr-*\" does not permit `eth0`; it does not name `table` and `metric`",
        ),
    ] {
        let told = told(policy, "Route.Add", &with);
        assert!(told.ends_with(end), "{told}");
    }
    let deny = "[[deny]]\nid = \"eth\"\nwho = \"*\"\ncall = \"Route.*\"\nlink = \"eth*\"\n";
    let end = "which meets field `nexthops.link`";
    let both = ways(r#"{"link":"qr-1"},{"link":"eth0"}"#);
    assert!(told(deny, "Route.Add", &both).ends_with(end), "{}", told(deny, "Route.Add", &both));
    let end = "which meets field `link`; Route.Replace leaves open which `link` the existing object has";
    let one = with(r#""link":"qr-1""#);
    assert!(told(deny, "Route.Replace", &one).ends_with(end), "{}", told(deny, "Route.Replace", &one));
}
