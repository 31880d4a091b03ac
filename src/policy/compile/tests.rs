// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a rule is compiled to. `refused` has the errors, `warned` the warnings, and `judged` the decisions of the
//! broker by the bytes.

mod judged;
mod lists;
mod possible;
mod refused;
mod warned;
mod whole;

use super::*;
use crate::call::{by_name, field};
use crate::policy::compiled::Compiled;
use crate::policy::constraint::{Constraint, Entries, Numbers, Prefix, Range};

/// Accounts that exist in these tests only.
fn account(account: Account<'_>) -> Result<Option<u32>, String> {
    Ok(match account {
        Account::User("neutron") => Some(64100),
        Account::User("node-exporter") => Some(64101),
        Account::User("alice") => Some(1000),
        Account::User("nobody") => Some(65534),
        Account::Group("netusers") => Some(2000),
        Account::Group("netops") => Some(2001),
        Account::User("broken") => return Err("the directory is away".to_owned()),
        _ => None,
    })
}

fn sources(texts: &[&str]) -> Vec<Source> {
    let named = |(n, text): (usize, &&str)| Source { name: format!("{}.toml", n + 1), text: (*text).to_owned() };
    texts.iter().enumerate().map(named).collect()
}

fn good(texts: &[&str]) -> Policy {
    compile(&sources(texts), &account).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"));
    })
}

const ALLOW: &str = "[[allow]]\nid = \"x\"\nwho = \"user:neutron\"\n";
const DENY: &str = "[[deny]]\nid = \"x\"\nwho = \"*\"\n";

#[test]
fn a_rule_is_placed_once_for_each_call_with_the_fields_of_that_call() {
    let policy =
        good(&["[[allow]]\nid = \"l3\"\nwho = [\"user:neutron\", \"uid:64100\", \"group:netusers\", \"!uid:0\"]\n\
        call = [\"Netns.Add\", \"Address.Add\", \"Address.Add\"]\nnetns = [\"qrouter-*\", \"@host\"]\nlink = \"*\"\n\
        address = [\"10.0.0.0/8\"]\nmetric = [5, \"7..9\"]\nnodad = [true]\nfree = [\"scope\"]\n"]);
    let patterns = |list: &[&str]| Entries::Patterns(list.iter().map(|p| (*p).to_owned()).collect());
    let only = |entries| Constraint { any: false, entries, except: None };
    let netns = (field::NETNS.field.number, only(patterns(&["qrouter-*", "@host"])));
    let [add, address] = policy.placed() else { panic!("{policy:?}") };
    assert_eq!(add.call, by_name("Netns.Add").unwrap().number);
    assert_eq!(add.principals, [Principal::Uid(64100), Principal::Gid(2000)]);
    assert_eq!(add.rule.except, [Principal::Uid(0)]);
    assert_eq!(add.rule.fields, std::slice::from_ref(&netns));
    assert_eq!(address.call, by_name("Address.Add").unwrap().number);
    let mut fields = address.rule.fields.clone();
    fields.sort_by_key(|(number, _)| *number);
    let ten = Prefix::new("10.0.0.0".parse().unwrap(), 8);
    let expected = [
        netns,
        (field::LINK.field.number, Constraint { any: true, entries: patterns(&[]), except: None }),
        (field::ADDRESS.field.number, only(Entries::Addresses(vec![Range::Inside(ten)]))),
        (field::SCOPE.field.number, Constraint::ANY),
        (field::NODAD.field.number, only(Entries::Bools(vec![true]))),
        (field::METRIC.field.number, only(Entries::Numbers(vec![Numbers::Between(5, 5), Numbers::Between(7, 9)]))),
    ];
    assert_eq!(fields, expected);
    let namespaces = Profile::NAMESPACES;
    assert_eq!(policy.profiles(), [(Principal::Uid(64100), namespaces), (Principal::Gid(2000), namespaces)]);
    let origin = policy.origin("l3").unwrap();
    assert_eq!((origin.file.as_str(), origin.line), ("1.toml", 1));
    assert!(origin.said.contains(&("metric", "[5, \"7..9\"]".to_owned())));
}

#[test]
fn a_deny_is_placed_for_the_calls_that_have_all_its_fields() {
    let calls = |text: &str| {
        let policy = good(&[text]);
        assert!(policy.profiles().is_empty());
        let name = |placed: &Placed| crate::call::all().find(|call| call.number == placed.call).unwrap().name;
        policy.placed().iter().map(name).collect::<Vec<_>>()
    };
    let deny = |rest: &str| calls(&format!("{DENY}{rest}"));
    assert_eq!(
        deny("call = [\"@change\", \"Link.List\"]\nmtu = 1\n"),
        [
            "Link.Add",
            "Link.Set",
            "Route.Add",
            "Route.Replace",
            "Route.Delete",
            "Route.Append",
            "Route.Flush",
            "Nexthop.Replace",
            "Nexthop.Delete",
            "Nexthop.Flush"
        ]
    );
    assert_eq!(deny("call = \"@change\"\npeer.mtu = 1\n"), ["Link.Add"]);
    assert_eq!(deny("call = \"@change\"\nkind = \"bridge\"\n"), ["Link.Add", "Link.Set"]);
    assert_eq!(
        deny("call = [\"@change\"]\ntouches = { link = \"eth*\" }\n"),
        [
            "Link.Add",
            "Link.Delete",
            "Link.Set",
            "Address.Add",
            "Address.Delete",
            "Route.Add",
            "Route.Replace",
            "Route.Delete",
            "Neighbour.Add",
            "Neighbour.Replace",
            "Neighbour.Delete",
            "Rule.Add",
            "Rule.Delete",
            "Address.Replace",
            "Address.Flush",
            "Rule.Flush",
            "Neighbour.Flush",
            "Route.Append",
            "Route.Flush",
            "Fdb.Add",
            "Fdb.Append",
            "Fdb.Replace",
            "Fdb.Delete",
            "Fdb.Flush",
            "Nexthop.Add",
            "Nexthop.Replace",
            "Nexthop.Delete",
            "Nexthop.Flush",
            "Vlan.Add",
            "Vlan.Replace",
            "Vlan.Delete",
            "Vni.Add",
            "Vni.Delete"
        ]
    );
    assert_eq!(
        deny("call = [\"@change\", \"@read\"]\ntouches = { netns = \"mgmt\" }\n").len(),
        crate::call::all().count()
    );
}

#[test]
fn settings_are_those_of_all_files_and_strict_unless_said() {
    assert_eq!(good(&[]).settings(), Settings::default());
    assert_eq!(good(&["", "[audit]\n"]).settings(), Settings::default());
    let set = good(&[
        "[audit]\nrequired = false\n",
        "[refusals]\nshow_rule = false\n[confinement]\nlandlock = \"available\"\n",
    ]);
    assert_eq!(set.settings(), Settings { audit_required: false, show_rule: false, landlock_required: false });
    let read = Compiled::open(set.write().unwrap()).unwrap();
    assert_eq!(read.settings(), set.settings());
    let strict = good(&["[confinement]\nlandlock = \"required\"\n"]);
    assert!(strict.settings().landlock_required);
}
