// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The contents of test files, what they prove, and what is refused.

use super::*;

const RULES: &str = r#"
[[allow]]
id = "ports"
who = ["user:neutron", "group:netusers"]
call = ["Link.Set", "Link.List"]
netns = ["qrouter-*", "@host"]
link = "$ports"
mtu = "1280..1500"
"#;
const DENIES: &str = r#"
[set]
ports = ["qr-*", "eth7"]

[[deny]]
id = "uplinks"
who = ["*", "!group:netops", "!user:nobody-here"]
call = "@change"
touches = { netns = "@host", link = "eth*" }
"#;
const ACCOUNTS: &str = "[accounts]\nneutron = { uid = 64100, gid = 64100 }\n\
    alice = { uid = 1000, gid = 1000, groups = { netusers = 2000 } }\n\
    carol = { uid = 1002, gid = 1002, groups = { netusers = 2000, netops = 2001 } }\n";

fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), text: text.to_owned() }
}

fn of(tests: &str) -> Result<Report, Vec<Problem>> {
    let policy = [source("10-ports.toml", RULES), source("20-site.toml", DENIES)];
    let file = TestFile { source: source("10-ports.test.toml", tests), beside: "10-ports.toml".to_owned() };
    run(&policy, &[file])
}

fn report(tests: &str) -> Report {
    of(tests).unwrap_or_else(|problems| panic!("{}", problems[0]))
}

fn set(who: &str, with: &str, expect: &str) -> String {
    format!(
        "[[test]]\nname = \"a\"\nwho = \"{who}\"\ncall = \"Link.Set\"\nwith = {{ {with} }}\nexpect = \"{expect}\"\n"
    )
}

const ROUTER: &str = "netns = \"qrouter-1\", link = \"qr-1\", mtu = 1400";
const UPLINK: &str = "netns = \"@host\", link = \"eth7\", mtu = 1400";

#[test]
fn the_rule_that_decides_is_what_is_expected() {
    let tests = [
        ACCOUNTS,
        &set("neutron", ROUTER, "ports"),
        &set("alice", ROUTER, "ports"),
        &set("neutron", "netns = \"qrouter-1\", link = \"qr-1\", mtu = 1501", "silence"),
        &set("neutron", "netns = \"qrouter-1\", link = \"qr-1\", mtu = \"1400\"", "InvalidRequest"),
        &set("neutron", "netns = \"qrouter-1\"", "InvalidRequest"),
        &set("neutron", UPLINK, "ports"), // the rules of another file do not apply
    ];
    let report = report(&tests.concat());
    assert_eq!((report.tests, report.failed, report.failures.len()), (6, 0, 0));
    assert_eq!(report.summary(), "6 tests passed");
    let unreached: Vec<_> = report.unreached.iter().map(|origin| origin.id.as_str()).collect();
    assert_eq!(unreached, ["uplinks"]);
}

#[test]
fn in_the_scope_of_all_the_rules_of_all_files_decide() {
    let tests = ["scope = \"all\"\n", ACCOUNTS, &set("neutron", UPLINK, "uplinks"), &set("carol", UPLINK, "ports")];
    let report = report(&tests.concat());
    assert_eq!((report.tests, report.failed, report.unreached.len()), (2, 0, 0), "{report:?}");
}

#[test]
fn accounts_that_a_test_does_not_invent_are_nobodys() {
    // The machine that runs this also has a root user and a group of that name.
    let policy = [source(
        "x.toml",
        "[[allow]]\nid = \"x\"\nwho = [\"user:root\", \"group:root\"]\ncall = \"Netns.List\"\nnetns = \"@host\"\n",
    )];
    let tests = "[accounts]\nzero = { uid = 0, gid = 0 }\n[[test]]\nname = \"a\"\nwho = \"zero\"\n\
        call = \"Netns.List\"\nwith = { netns = \"@host\" }\nexpect = \"silence\"\n";
    let file = |text: &str| TestFile { source: source("x.test.toml", text), beside: "x.toml".to_owned() };
    assert_eq!(run(&policy, &[file(tests)]).unwrap().failed, 0);
    let root = tests.replace("zero", "root").replace("silence", "x");
    assert_eq!(run(&policy, &[file(&root)]).unwrap().failed, 0);
}

#[test]
fn a_failure_says_what_decided_instead_and_where() {
    let each = "[[test]]\nname = \"neutron's \\u001b two\"\nwho = \"neutron\"\neach = [\n\
        { call = \"Link.List\", with = { netns = \"qrouter-1\", link = \"qr-1\" } },\n\
        { call = \"Link.Set\", with = { netns = \"qrouter-1\", link = \"qr-1\", mtu = 9000 } },\n]\n\
        expect = \"ports\"\n";
    let tests = [
        "scope = \"all\"\n",
        ACCOUNTS,
        each,
        &set("neutron", ROUTER, "silence"),
        &set("neutron", UPLINK, "ports"),
        &set("neutron", "netns = \"qrouter-1\", link = \"qr-1\", mtv = 7", "silence"),
    ];
    let report = report(&tests.concat());
    assert_eq!((report.tests, report.failed), (4, 4));
    assert_eq!(report.summary(), "4 of 4 tests failed");
    let expected = [
        "11: neutron's \u{fffd} two: Link.Set: expected `ports`, but refused: no rule permits it; \
         nearest is `ports` (10-ports.toml:2): its `mtu` = \"1280..1500\" does not permit `9000`",
        "14: a: Link.Set: expected `silence`, but allowed by `ports` (10-ports.toml:2)",
        "20: a: Link.Set: expected `ports`, but denied by `uplinks` (20-site.toml:5), which meets field `link`",
        "26: a: Link.Set: expected `silence`, but the request is invalid (InvalidRequest): \
         `mtv`: is not a field of Link.Set",
    ];
    let said: Vec<_> = report.failures.iter().map(FailedTest::to_string).collect();
    assert_eq!(said, expected.map(|line| format!("10-ports.test.toml:{line}")));
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let cases = [
        ("scope = \"fil\"\n", (1, 9), "`scope` must be \"file\" or \"all\""),
        ("account = 1\n", (1, 1), "`account` is not a word of a test file; did you mean `accounts`?"),
        ("accounts = 1\n", (1, 1), "`accounts` must be a table: `[accounts]`"),
        ("[accounts]\na = 1\n", (2, 5), "an account must be a table: "),
        ("[accounts]\na = { uid = 1 }\n", (2, 1), "this account has no `gid`"),
        (
            "[accounts]\na = { uid = -1, gid = 1 }\n",
            (2, 13),
            "uid must be a number from 0 to 4294967293 other than 65534",
        ),
        ("[accounts]\na = { uid = 1, gid = 65534 }\n", (2, 22), "gid must be a number from 0 to 4294967293 other than"),
        ("[accounts]\na = { uid = 1, gid = 1, groups = { g = \"2\" } }\n", (2, 40), "a group must be a number"),
        ("[accounts]\na = { uid = 1, gid = 1, groups = [2] }\n", (2, 34), "`groups` must be a table: "),
        ("[accounts]\na = { uid = 1, gid = 1, shell = 2 }\n", (2, 25), "`shell` is not a word of an account"),
        ("[test]\nname = \"a\"\n", (1, 2), "a test begins with `[[test]]`"),
        ("test = [1]\n", (1, 9), "a test must be a table, `[[test]]`"),
        ("x = [\n", (1, 6), "unclosed array"),
    ];
    for (text, place, message) in cases {
        let problems = of(text).unwrap_err();
        assert_eq!((problems[0].line, problems[0].column), place, "{}", problems[0]);
        assert!(problems.len() == 1 && problems[0].message.starts_with(message), "{text}: {}", problems[0]);
        assert_eq!(problems[0].file, "10-ports.test.toml");
    }
}

#[test]
fn what_is_wrong_with_a_test_is_told_with_its_place() {
    let good = set("neutron", ROUTER, "ports");
    let cases = [
        ("who = \"neutron\"", "who = \"netron\"", "`[accounts]` has no `netron`; did you mean `neutron`?"),
        ("who = \"neutron\"\n", "", "this test has no `who`"),
        ("name = \"a\"", "name = 7", "`name` must be a string"),
        ("name = \"a\"", "name = \"\"", "`name` must be a string"),
        ("\"Link.Set\"", "\"Link.Sat\"", "no call named `Link.Sat`; the calls of Link are "),
        ("call = \"Link.Set\"\n", "", "this test has no `call`"),
        (
            "\"ports\"",
            "\"port\"",
            "no rule with the id `port`; expected the id of a rule, `silence` or `InvalidRequest`; did you mean `ports`?",
        ),
        (
            "\"ports\"",
            "\"Silence\"",
            "no rule with the id `Silence`; expected the id of a rule, `silence` or `InvalidRequest`; did you mean `silence`?",
        ),
        ("\"ports\"", "\"uplinks\"", "the rule `uplinks` is not in 10-ports.toml, but in 20-site.toml; "),
        ("expect", "expects", "`expects` is not a word of a test; did you mean `expect`?"),
        ("with = {", "with = [] #", "`with` must be a table of fields: "),
        ("expect", "each = []\nexpect", "`each` must be a list of requests: "),
        ("expect", "each = [1]\nexpect", "`each` must be a list of requests: "),
        ("expect", "each = [{ call = \"Link.List\", wit = {} }]\nexpect", "`wit` is not a word of an entry of `each`"),
        (
            "expect",
            "each = [{ call = \"Link.List\" }]\nexpect",
            "`call` must not be next to `each`; write it into each entry",
        ),
    ];
    for (from, to, message) in cases {
        let problems = of(&[ACCOUNTS, &good.replace(from, to)].concat()).unwrap_err();
        assert!(problems.iter().any(|problem| problem.message.starts_with(message)), "{to}: {problems:?}");
    }
    let twice = format!("{ACCOUNTS}bob = {{ uid = 3, gid = 3, groups = {{ netusers = 9 }} }}\n");
    assert!(of(&twice).unwrap_err()[0].message.starts_with("the group `netusers` has another number above"));
}

#[test]
fn a_test_file_beside_no_policy_tests_all_or_nothing() {
    let alone = |text: &str| {
        let file = TestFile { source: source("30-x.test.toml", text), beside: "30-x.toml".to_owned() };
        run(&[source("10-ports.toml", RULES), source("20-site.toml", DENIES)], &[file])
    };
    assert!(alone("").unwrap_err()[0].message.starts_with("no 30-x.toml is next to this file"));
    assert_eq!(alone("scope = \"all\"\n").unwrap().unreached.len(), 2);
    let broken = run(&[source("x.toml", "[[allow]]\n")], &[]).unwrap_err();
    assert_eq!(broken[0].file, "x.toml");
}
