// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is valid but probably not what was meant, with its place and the beginning of its message. Next to each is what
//! to write instead, which causes no warning.

use super::*;
use crate::policy::warnings::Weight;

const ALLOW_ADDRESSES: &str = "[[allow]]\nid = \"x\"\nwho = \"user:alice\"\ncall = \"Address.Add\"\nnetns = \"q*\"\n";
const ALLOW_ROUTES: &str =
    "[[allow]]\nid = \"x\"\nwho = \"user:alice\"\ncall = \"Route.Add\"\nnetns = \"q*\"\nlink = \"*\"\n";
const LATER: &str = "; the next release refuses this";

/// `line:column: message` of all warnings about a valid policy.
fn warned(text: &str) -> Vec<String> {
    let sources = sources(&[text]);
    let policy = compile(&sources, &account).unwrap_or_else(|problems| panic!("{}\n{text}", problems[0]));
    let mut warnings = policy.warnings().to_vec();
    warnings.extend(policy.comparisons(&sources));
    warnings.sort();
    let short = |Warning { problem: of, weight }: Warning| {
        assert_eq!(weight == Weight::RefusedLater, of.message.ends_with(LATER), "{}", of.message);
        format!("{}:{}: {}", of.line, of.column, of.message)
    };
    warnings.into_iter().map(short).collect()
}

/// Each of these has exactly one warning, which begins like this.
fn warn(head: &str, cases: &[(&str, &str)]) {
    for (rest, expected) in cases {
        let got = warned(&format!("{head}{rest}\n"));
        assert!(got.len() == 1 && got[0].starts_with(expected), "{rest}\n{expected}\n{got:#?}");
    }
}

/// None of these has one.
fn silent(head: &str, cases: &[&str]) {
    for rest in cases {
        let got = warned(&format!("{head}{rest}\n"));
        assert!(got.is_empty(), "{rest}\n{got:#?}");
    }
}

#[test]
fn an_entry_that_no_request_can_meet_is_named() {
    let route = "[[deny]]\nid = \"x\"\nwho = \"*\"\ncall = [\"Route.Add\", \"Route.Replace\"]\n";
    warn(
        route,
        &[
            (
                "destination = \"169.254.169.254/16\"",
                "5:15: `destination`: `169.254.169.254/16` has host bits, which no route has in `destination`; write \
                 `169.254.0.0/16` for the prefix, or `169.254.169.254/32` for the address; the next release",
            ),
            ("destination = [\"10.0.0.0/8\", \"10.1.2.3/16\"]", "5:30: `destination`: `10.1.2.3/16` has host bits"),
            ("destination = [\"10.0.0.0/8\", \"!10.1.2.3/16\"]", "5:30: `destination`: `10.1.2.3/16` has host bits"),
            ("gateway = \"0.0.0.0/32\"", "5:11: `gateway`: `0.0.0.0/32` is the unspecified address"),
            ("table = 0", "5:9: `table`: `0` matches no request"),
        ],
    );
    silent(
        route,
        &[
            "destination = \"169.254.0.0/16\"",
            "destination = \"169.254.169.254/32\"",
            "table = \"0..7\"",
            "gateway = \"0.0.0.0/8\"",
        ],
    );
    warn(ALLOW_ROUTES, &[("destination = \"10.1.2.3/8\"", "7:15: `destination`: `10.1.2.3/8` has host bits")]);

    let other = "[[deny]]\nid = \"x\"\nwho = \"*\"\n";
    warn(
        other,
        &[
            (
                "call = \"Neighbour.*\"\naddress = \"10.1.2.3/16\"",
                "5:11: `address`: `10.1.2.3/16` has a prefix length, but the address of a neighbour has none; write `10.1.2.3/32`",
            ),
            (
                "call = \"Neighbour.Add\"\naddress = \"10.0.0.0/8 len 24\"",
                "5:11: `address`: `10.0.0.0/8 len 24` has a prefix length",
            ),
            ("call = \"@change\"\nbroadcast = \"2001:db8::/32\"", "5:13: `broadcast`: `2001:db8::/32` is IPv6"),
            ("call = \"Link.Set\"\nno_master = false", "5:13: `no_master`: `false` matches no request; write true"),
            ("call = \"Netns.Add\"\nnetns = \"a;*\"", "5:9: `netns`: `a;*` matches no name that the call accepts"),
            (
                "call = \"Netns.Add\"\nnetns = \"(a|b)\"",
                "5:9: `netns`: `(a|b)` matches no name that the call accepts: `(a|b)` has a character at position 1 that a new \
                 name must not have: one of \" ' ` ; | & < > ( ) # ~; it looks like a regular expression",
            ),
            ("call = \"Netns.Add\"\nnetns = \"@host\"", "5:9: `netns`: `@host` matches no request: Netns.Add does not"),
            ("call = \"Route.Add\"\ntos = 1", "5:7: `tos`: `1` matches no request; write multiples of 4"),
            ("call = \"Address.Add\"\naddress = \"0.0.0.0/32\"", "5:11: `address`: `0.0.0.0/32` is the unspecified"),
            ("call = \"Netns.Add\"\nnetns = \"7\"", "5:9: `netns`: `7` matches no name that the call accepts"),
            (
                "call = \"Link.Add\"\nvxlan.group = \"10.0.0.0/8\"",
                "5:15: `vxlan.group`: `10.0.0.0/8` has no multicast group in it",
            ),
            (
                "call = \"Link.Add\"\nvxlan.remote = \"224.0.0.0/8\"",
                "5:16: `vxlan.remote`: `224.0.0.0/8` has only multicast groups",
            ),
        ],
    );
    let list = "[[allow]]\nid = \"x\"\nwho = \"user:alice\"\ncall = \"Netns.List\"\n";
    warn(
        list,
        &[
            ("netns = \"a\"", "5:9: `netns`: `a` matches no request: Netns.List accepts `@host` only"),
            ("netns = \"q-*\"", "5:9: `netns`: `q-*` matches no request: Netns.List accepts `@host` only"),
            ("netns = \"*\"", "5:9: `netns`: `*` matches no request: Netns.List accepts `@host` only"),
            ("free = [\"netns\"]", "5:9: `netns` in `free` matches no request: Netns.List accepts `@host` only"),
        ],
    );
    silent(list, &["netns = \"@host\""]);
    // A call of the rule, or a longer name, can have the value.
    silent(
        other,
        &[
            "call = [\"Route.Add\", \"Rule.Add\"]\ndestination = \"10.1.2.3/16\"",
            "call = [\"Netns.Add\", \"Netns.Delete\"]\nnetns = \"a;*\"",
            "call = \"Netns.Add\"\nnetns = [\"7*\", \"*-x\", \"?\"]",
            "call = \"Neighbour.Add\"\naddress = [\"10.1.2.3/32\", \"10.0.0.0/8\"]",
            "call = \"Link.Add\"\nvxlan.group = \"0.0.0.0/0\"",
        ],
    );
}

/// `possible` and the parser of requests agree on each value.
#[test]
fn what_is_called_impossible_is_refused_in_a_request() {
    let reads = |call: &str, with: &str| {
        let json = crate::call::json::Json::parse(with.as_bytes()).unwrap();
        crate::call::request::Request::parse(by_name(call).unwrap(), &json, 7).map(drop)
    };
    for (call, field, with) in [
        ("Route.Add", "destination", r#"{"netns":"q","link":"l","destination":"10.1.2.3/8"}"#),
        ("Route.Add", "gateway", r#"{"netns":"q","link":"l","destination":"10.0.0.0/8","gateway":"0.0.0.0"}"#),
        ("Route.Add", "table", r#"{"netns":"q","link":"l","destination":"10.0.0.0/8","table":0}"#),
        ("Route.Replace", "mtu", r#"{"netns":"q","link":"l","destination":"10.0.0.0/8","mtu":0}"#),
        ("Route.Delete", "destination", r#"{"netns":"q","destination":"10.1.2.3/8"}"#),
        ("Route.List", "destination", r#"{"netns":"q","destination":"10.1.2.3/8"}"#),
        ("Neighbour.Add", "address", r#"{"netns":"q","link":"l","mac":"02:00:00:00:00:01","address":"10.1.2.3/24"}"#),
        ("Neighbour.Delete", "address", r#"{"netns":"q","link":"l","address":"10.1.2.3/24"}"#),
        (
            "Address.Add",
            "broadcast",
            r#"{"netns":"q","link":"l","address":"2001:db8::1/64","broadcast":"2001:db8::2"}"#,
        ),
        ("Link.Set", "no_master", r#"{"netns":"q","link":"l","no_master":false}"#),
        ("Netns.Add", "netns", r#"{"netns":"a;b"}"#),
        ("Netns.Add", "netns", r#"{"netns":"7"}"#),
        ("Link.Add", "vxlan.group", r#"{"netns":"q","link":"l","kind":"vxlan","vxlan":{"id":7,"group":"10.0.0.1"}}"#),
        (
            "Link.Add",
            "vxlan.remote",
            r#"{"netns":"q","link":"l","kind":"vxlan","vxlan":{"id":7,"remote":"224.0.0.1"}}"#,
        ),
        ("Link.Add", "vxlan.local", r#"{"netns":"q","link":"l","kind":"vxlan","vxlan":{"id":7,"local":"0.0.0.0"}}"#),
        (
            "Link.Add",
            "bond.arp_ip_target",
            r#"{"netns":"q","link":"l","kind":"bond","bond":{"arp_ip_target":["2001:db8::1"]}}"#,
        ),
    ] {
        assert_eq!(reads(call, with).unwrap_err().field, field, "{with}");
    }
    // If it finds nothing wrong, some value is accepted.
    assert_eq!(reads("Rule.Add", r#"{"netns":"q","family":"inet","priority":7,"source":"10.1.2.3/8"}"#), Ok(()));
}

#[test]
fn a_call_that_a_deny_lists_and_never_applies_to_is_named() {
    warn(
        DENY,
        &[
            (
                "call = [\"Link.Set\", \"Link.Delete\"]\nmtu = 1",
                "4:21: `Link.Delete` has no field `mtu`, so this deny never applies to it; remove it from `call`; the next release",
            ),
            (
                "call = [\"Link.Set\", \"Netns.Add\"]\ntouches = { link = \"eth0\" }",
                "4:21: `Netns.Add` has no field that holds a link, so this deny never",
            ),
            ("call = [\"@change\", \"Link.List\"]\nmtu = 1", "4:20: `Link.List` has no field `mtu`"),
        ],
    );
    silent(
        DENY,
        &[
            "call = [\"@change\", \"@read\"]\nmtu = 1",
            "call = \"Link.*\"\nmtu = 1",
            "call = [\"Link.*\", \"!Link.Delete\"]\nmtu = 1",
            "call = [\"Route.Add\", \"Route.Replace\"]\ngateway = \"10.0.0.1/32\"",
        ],
    );
}

#[test]
fn prefixes_that_are_often_taken_for_something_else_are_named() {
    warn(
        ALLOW_ROUTES,
        &[
            (
                "destination = \"0.0.0.0/0\"",
                "7:15: `destination`: `0.0.0.0/0` is every prefix of its family; write `0.0.0.0/0 len 0` for the default \
                 route alone, or `0.0.0.0/0 len 0..32` if every prefix is intended",
            ),
            ("destination = [\"10.0.0.0/8\", \"::/0\"]", "7:30: `destination`: `::/0` is every prefix"),
            (
                "destination = \"0.0.0.0/0 len 1..32\"",
                "7:15: `destination`: `0.0.0.0/0 len 1..32` leaves out the default route, but not its two halves",
            ),
        ],
    );
    silent(
        ALLOW_ROUTES,
        &[
            "destination = [\"0.0.0.0/0 len 0\", \"::/0 len 0..128\"]",
            "destination = \"0.0.0.0/0 len 8..32\"",
            "destination = \"128.0.0.0/1 len 1..32\"",
            "destination = \"*\"",
        ],
    );
    // A routing rule has no default route, and the halves meet a deny.
    silent(
        "[[deny]]\nid = \"x\"\nwho = \"*\"\n",
        &[
            "call = \"Rule.Add\"\nsource = \"0.0.0.0/0\"\ndestination = \"::/0\"",
            "call = \"Route.Add\"\ndestination = \"0.0.0.0/0 len 1..32\"",
        ],
    );
    warn(
        ALLOW_ADDRESSES,
        &[(
            "link = \"qr-*\"\naddress = \"10.1.2.3/24\"",
            "7:11: `address`: `10.1.2.3/24` is this address with this prefix length only; write `10.1.2.0/24` for all addresses in \
             its prefix, `10.1.2.3/32` for the address with its full length, or `10.1.2.3/24 len 24` if exactly this is intended",
        )],
    );
    silent(
        &format!("{ALLOW_ADDRESSES}link = \"qr-*\"\n"),
        &["address = \"10.1.2.3/24 len 24\"", "address = [\"10.1.2.0/24\", \"10.1.2.3/32\", \"0.0.0.0/0\"]"],
    );
    let exactly =
        |raw: &str| good(&[&format!("{ALLOW_ADDRESSES}link = \"l\"\naddress = \"{raw}\"\n")]).write().unwrap();
    assert_eq!(exactly("10.1.2.3/24 len 24"), exactly("10.1.2.3/24"));
}

#[test]
fn words_and_regular_expressions_in_the_place_of_names_are_named() {
    let list = "[[allow]]\nid = \"x\"\nwho = \"user:alice\"\ncall = \"Link.List\"\n";
    let as_regex = |raw: &str| {
        let got = warned(&format!("{list}netns = \"@host\"\nlink = \"{raw}\"\n"));
        got.len() == 1 && got[0].starts_with(&format!("6:8: `link`: `{raw}` looks like a regular expression"))
    };
    for raw in ["^eth", "tap.*", "qr-.*", ".*", "(a|b)*", "eth.+", "qr-.*-x"] {
        assert!(as_regex(raw), "{raw}");
    }
    for raw in ["eth0.*", "eth*.*", "eth?.100", "v{uid}.*", "a|b", "qr-*", "tap.1", "."] {
        let policy = format!("{list}netns = \"@host\"\nlink = [\"{raw}\", \"lo\"]\n");
        let is_name = compile(&sources(&[&policy]), &account).is_ok();
        assert!(!is_name || warned(&policy).is_empty(), "{raw}");
    }
    warn(
        list,
        &[("netns = [\"q*\", \"host\"]\nlink = \"*\"", "5:16: `netns`: `host` is a namespace with this name under")],
    );
    warn(
        DENY,
        &[(
            "call = \"@change\"\ntouches = { netns = \"host\", link = \"eth*\" }",
            "5:21: `netns`: `host` is a namespace",
        )],
    );
}

#[test]
fn a_deny_on_a_link_by_its_own_field_alone_is_named() {
    warn(
        DENY,
        &[
            (
                "call = \"@change\"\nnetns = \"@host\"\nlink = [\"eth*\", \"en*\"]",
                "6:8: only the field `link` is compared, and these calls also reach links by `add_altname`, \
                 `bond.primary`, `iif` and others; write `touches = { netns = \"@host\", link = [\"eth*\", \"en*\"] }`",
            ),
            (
                "call = \"Link.Set\"\nlink = \"eth*\"",
                "5:8: only the field `link` is compared, and these calls also reach links by `add_altname`, `bond.primary`, `master` and others; write `touches = { link = \"eth*\" }`",
            ),
        ],
    );
    silent(
        DENY,
        &[
            "call = \"@change\"\ntouches = { netns = \"@host\", link = \"eth*\" }",
            "call = [\"Link.Delete\", \"Address.Add\", \"Route.Add\"]\nlink = \"eth*\"",
            "call = \"Link.Set\"\nlink = \"eth*\"\nup = false",
        ],
    );
}

#[test]
fn a_deny_on_a_field_inside_a_list_alone_is_named() {
    warn(
        DENY,
        &[(
            "call = \"Route.Add\"\nnexthops.gateway = \"10.0.0.1/32\"",
            "5:20: `nexthops.gateway` does not meet a list of one element, which is judged as `gateway`; write `gateway`, \
             which meets both",
        )],
    );
    silent(DENY, &["call = \"Route.Add\"\ngateway = \"10.0.0.1/32\"", "call = \"Route.Add\"\nnexthops.weight = 1"]);
}

#[test]
fn a_set_that_no_rule_uses_is_named() {
    let rule = "[[deny]]\nid = \"x\"\nwho = \"*\"\ncall = \"@change\"\ntouches = { link = \"$used\" }\n";
    warn(
        rule,
        &[(
            "[set]\nused = \"a\"\nother = \"b\"",
            "8:1: no rule uses the set `other`; refer to it as `\"$other\"`, or remove",
        )],
    );
    silent(rule, &["[set]\nused = \"a\""]);
}

fn rule(ruling: &str, id: &str, rest: &str) -> String {
    format!("[[{ruling}]]\nid = \"{id}\"\ncall = [\"Link.Set\", \"Link.Delete\"]\n{rest}\n")
}

fn allows(rest: &str) -> (&str, &str) {
    ("allow", rest)
}

fn denies(rest: &str) -> (&str, &str) {
    ("deny", rest)
}

/// The warnings about two rules.
fn pair(one: (&str, &str), other: (&str, &str)) -> Vec<String> {
    warned(&format!("{}{}", rule(one.0, "a", one.1), rule(other.0, "b", other.1)))
}

#[test]
fn a_rule_that_another_one_covers_is_named() {
    let narrow = "who = \"user:alice\"\nnetns = \"q1\"\nlink = \"qr-*\"\nmtu = 1500";
    let wide = "who = [\"user:alice\", \"group:netusers\"]\nnetns = \"q*\"\nlink = [\"q*\", \"lo\"]\nmtu = \"1280..9000\"\nfree = [\"up\"]";
    let covered = pair(allows(narrow), allows(wide));
    assert_eq!(
        covered,
        ["1:1: `a` has no effect, since `b` (1.toml:8) covers all of it; remove `a`, or narrow the other"]
    );
    assert_eq!(
        pair(allows(wide), allows(narrow)),
        ["9:1: `b` has no effect, since `a` (1.toml:1) covers all of it; remove `b`, or narrow the other"]
    );
    assert_eq!(pair(allows(narrow), allows(narrow)), ["8:1: `b` is equal to `a` (1.toml:1); remove one of them"]);
    // The other rule leaves out a field, requires one, excludes a caller, or applies to other callers.
    for not in [
        wide.replace("mtu = \"1280..9000\"\n", ""),
        wide.replace("1280..9000", "1..9"),
        wide.replace("free = [\"up\"]", "free = [\"up\"]\nrequire = [\"up\"]"),
        wide.replace("\"group:netusers\"]", "\"!uid:7\"]"),
        wide.replace("\"user:alice\"", "\"user:neutron\""),
        wide.replace("[\"q*\", \"lo\"]", "[\"q*\", \"!qr-9\"]"),
        wide.replace("[\"q*\", \"lo\"]", "[\"qr-?\", \"lo\"]"),
    ] {
        assert_eq!(pair(allows(narrow), allows(&not)), [""; 0], "{not}");
    }
    // No pattern covers `@host` in an allow.
    let host = narrow.replace("\"q1\"", "[\"q1\", \"@host\"]");
    assert_eq!(pair(allows(&host), allows(wide)), [""; 0]);
    assert_eq!(pair(allows(&host), allows(&wide.replace("\"q*\"\nlink", "[\"q*\", \"@host\"]\nlink"))).len(), 1);

    let narrow = "who = \"user:alice\"\ntouches = { netns = \"q1\", link = \"eth0\" }";
    let wide = "who = \"*\"\ntouches = { link = \"eth*\" }";
    assert_eq!(pair(denies(narrow), denies(wide)).len(), 1);
    assert_eq!(pair(denies(narrow), denies(&wide.replace("\"*\"", "[\"*\", \"!uid:1000\"]"))), [""; 0]);
    assert_eq!(pair(denies(narrow), denies("who = \"*\"\nnetns = \"q1\"\ntouches = { netns = \"q1\" }")), [""; 0]);
}

#[test]
fn an_allow_of_which_a_deny_leaves_nothing_is_named() {
    let allow = ("allow", "who = \"user:alice\"\nnetns = \"@host\"\nlink = [\"eth0\", \"eth1\"]\nfree = [\"up\"]");
    let deny = "who = [\"*\", \"!uid:7\"]\ntouches = { netns = \"@host\", link = \"eth*\" }";
    let got = pair(allow, ("deny", deny));
    assert_eq!(
        got,
        ["1:1: `a` permits nothing, since the deny `b` (1.toml:8) forbids all of it; remove `a`, or narrow the deny"]
    );
    for not in [
        deny.replace("!uid:7", "!uid:1000"),
        deny.replace("!uid:7", "!group:netops"), // alice may be in it
        deny.replace("eth*", "eth0"),
        deny.replace("@host", "q*"),
        deny.to_owned() + "\nup = true", // not required by the allow
    ] {
        assert_eq!(pair(allow, ("deny", &not)).len(), usize::from(not.contains("up = true")), "{not}");
    }
}

#[test]
fn the_policies_that_ship_have_no_warning() {
    let directory = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/policy")).unwrap();
    let files: Vec<String> =
        directory.map(|entry| entry.unwrap().path().into_os_string().into_string().unwrap()).collect();
    for path in files.into_iter().filter(|path| !path.ends_with(".test.toml")) {
        let source = Source { name: path.clone(), text: std::fs::read_to_string(&path).unwrap() };
        let sources = [source];
        let policy = compile(&sources, &|_| Ok(Some(4711))).unwrap();
        let warnings: Vec<String> =
            policy.warnings().iter().chain(&policy.comparisons(&sources)).map(Warning::to_string).collect();
        assert!(warnings.is_empty(), "{}", warnings.join("\n"));
    }
}

#[test]
fn an_optional_account_that_is_absent_is_nobody() {
    let allow = |who: &str| format!("[[allow]]\nid = \"x\"\nwho = {who}\ncall = \"Netns.Add\"\nnetns = \"q*\"\n");
    let who = |text: &str| {
        let policy = good(&[text]);
        let placed = policy.placed()[0].clone();
        (placed.principals, placed.rule.except, policy.origin("x").unwrap().absent.clone())
    };
    let nobody: (Vec<Principal>, Vec<Principal>, _) = (vec![], vec![], vec!["user?:gone".to_owned()]);
    assert_eq!(who(&allow("\"user?:gone\"")), nobody);
    assert_eq!(
        who(&allow("[\"user?:gone\", \"user?:alice\", \"group?:netusers\"]")).0,
        [Principal::Uid(1000), Principal::Gid(2000)]
    );
    let spared = who(&allow("[\"*\", \"!user?:gone\", \"!user?:alice\"]"));
    assert_eq!((spared.0, spared.1), (vec![Principal::Everyone], vec![Principal::Uid(1000)]));
    let deny = "[[deny]]\nid = \"x\"\nwho = [\"*\", \"!group?:gone\"]\ncall = \"@change\"\n";
    assert_eq!(who(deny), (vec![Principal::Everyone], vec![], vec!["!group?:gone".to_owned()]));
    // A missing account that limits a rule is reported when the policy is installed. One that only gives permission is
    // not.
    let gone = |who: &str, rule: &str| warned(&rule.replace("\"*\"", who));
    let deny_one = "[[deny]]\nid = \"x\"\nwho = \"*\"\ncall = \"@change\"\nnetns = \"q*\"\n";
    assert!(gone("[\"user?:gone\", \"group?:gone\", \"*\"]", &allow("\"*\"")).is_empty());
    assert!(gone("[\"*\", \"!user?:gone\"]", deny_one).is_empty());
    let later = "if it is created later, run `netbrokerctl policy install` again before it is used";
    assert_eq!(
        gone("[\"*\", \"!user?:gone\"]", &allow("\"*\"")),
        [format!("3:13: the account `user?:gone` does not exist, so this allow makes no exception for it; {later}")]
    );
    assert_eq!(
        gone("[\"user?:alice\", \"user?:gone\"]", deny_one),
        [format!("3:23: the account `user?:gone` does not exist, so this deny does not apply to it; {later}")]
    );
    // By the bytes that the broker reads, nobody is permitted, and nobody is excluded.
    let add = r#"{"netns":"q1"}"#;
    assert_eq!(judged::decision(&[&allow("\"user?:gone\"")], "alice", "Netns.Add", add), "silence");
    assert_eq!(judged::decision(&[&allow("\"*\"").replace("\"x\"", "\"y\""), deny], "carol", "Netns.Add", add), "x -");
    super::refused::refused(
        "",
        &[
            (&allow("\"!user?:gone\""), "3:7: `who` only excludes"),
            (&allow("[\"*\", \"!group?:gone\"]"), "3:13: an allow cannot exclude a group, since"),
            (&deny.replace("\"!group?:gone\"", "\"group?:gone\""), "3:13: a deny cannot name a group, since"),
            (&allow("\"user?:broken\""), "3:7: the user `broken` cannot be looked up: the directory is away"),
            (&allow("\"user?:nobody\""), "3:7: `user?:nobody` is 65534, which is nobody"),
            (&allow("\"uid?:7\""), "3:7: `uid?:7`: expected `user:NAME`"),
            (&allow("\"user?:\""), "3:7: `user?:`: expected `user:NAME`"),
            (&allow("\"group:\""), "3:7: `group:`: expected `user:NAME`"),
        ],
    );
}

#[test]
fn a_deny_of_a_delete_names_the_other_calls_that_remove_the_same() {
    let allow = |calls: &str| {
        let more = match calls.split_once('.').unwrap().0 {
            "\"Route" => "table = \"*\"\ndestination = \"*\"\n",
            "\"Address" => "address = \"*\"\n",
            "\"Fdb" => "mac = \"*\"\n",
            "\"Vni" => "vnis = \"*\"\n",
            _ => "",
        };
        format!("[[allow]]\nid = \"x\"\nwho = \"user:alice\"\ncall = [{calls}]\nnetns = \"q*\"\nlink = \"*\"\n{more}")
    };
    let deny = |calls: &str, said: &str| format!("[[deny]]\nid = \"d\"\nwho = \"*\"\ncall = [{calls}]\n{said}\n");
    for (allowed, denied, said, missing) in [
        ("\"Address.Flush\"", "\"Address.Delete\"", "address = \"10.0.0.0/8\"", "\"Address.Flush\""),
        (
            "\"Route.Flush\", \"Route.Replace\"",
            "\"Route.Add\", \"Route.Delete\"",
            "gateway = \"10.0.0.1/32\"",
            "\"Route.Replace\", \"Route.Flush\"",
        ),
        ("\"Route.Flush\", \"Route.Replace\"", "\"Route.Delete\", \"Route.Replace\"", "metric = 7", "\"Route.Flush\""),
        ("\"Fdb.Replace\"", "\"Fdb.Delete\"", "mac = \"02:*\"", "\"Fdb.Replace\""),
        ("\"Nexthop.Flush\"", "\"Fdb.Delete\"", "mac = \"02:*\"", "\"Nexthop.Flush\""),
        ("\"Vni.Delete\"", "\"Fdb.*\"", "remote = \"10.0.0.0/8\"", "\"Vni.Delete\""),
    ] {
        let got = warned(&format!("{}{}", deny(denied, said), allow(allowed)));
        let expected =
            format!("1:1: `d` does not list {missing}, which an allow permits and which can also remove or change");
        assert!(got.len() == 1 && got[0].starts_with(&expected), "{denied} {said}\n{got:#?}");
        assert_eq!(warned(&deny(denied, said)), [""; 0], "{denied} {said}"); // no allow permits it
    }
    for (allowed, denied, said) in [
        ("\"Address.Flush\"", "\"Address.Delete\", \"Address.Flush\"", "address = \"10.0.0.0/8\""),
        ("\"Address.Flush\"", "\"Address.*\"", "address = \"10.0.0.0/8\""),
        ("\"Route.Replace\"", "\"@change\"", "gateway = \"10.0.0.1/32\""),
        ("\"Address.Flush\"", "\"Address.Delete\"", "missing_ok = true"), // no other call has the field
        ("\"Address.Add\"", "\"Address.Delete\"", "address = \"10.0.0.0/8\""),
    ] {
        assert_eq!(warned(&format!("{}{}", deny(denied, said), allow(allowed))), [""; 0], "{denied} {said}");
    }
}

#[test]
fn a_deny_on_routes_that_leaves_out_nexthop_objects_is_named_where_an_allow_permits_those() {
    let allow = "[[allow]]\nid = \"x\"\nwho = \"user:alice\"\ncall = \"Nexthop.Delete\"\nnetns = \"q*\"\nnexthop_id = \"*\"\nlink = \"*\"\n";
    let deny =
        |who: &str, calls: &str, said: &str| format!("[[deny]]\nid = \"d\"\nwho = {who}\ncall = {calls}\n{said}\n");
    let destination = "destination = \"10.0.0.0/8\"";
    for (who, calls, said) in [
        ("\"*\"", "[\"Route.Delete\", \"Route.Replace\"]", destination),
        ("\"user:alice\"", "\"Route.*\"", destination),
        ("\"*\"", "\"Route.*\"", "touches = { link = \"eth*\" }"),
        ("\"*\"", "\"Route.*\"", "gateway = \"10.0.0.0/8\"\ntable = 254"),
    ] {
        let got = warned(&format!("{}{allow}", deny(who, calls, said)));
        let expected =
            "1:1: `d` does not list \"Nexthop.Delete\", which an allow permits and which can also remove or change";
        assert!(got.len() == 1 && got[0].starts_with(expected), "{calls} {said}\n{got:#?}");
        let with = format!("[{}, \"Nexthop.Delete\"]", calls.trim_matches(['[', ']']));
        assert_eq!(warned(&format!("{}{allow}", deny(who, &with, said))), [""; 0], "{with} {said}");
        assert_eq!(warned(&deny(who, calls, said)), [""; 0], "{calls} {said}");
    }
    for (who, calls, said) in [
        ("\"*\"", "\"Route.Add\"", destination),
        ("\"*\"", "\"@change\"", destination),
        ("\"uid:7\"", "\"Route.*\"", destination),
        ("[\"*\", \"!user:alice\"]", "\"Route.*\"", destination),
        ("\"*\"", "\"Route.*\"", "netns = \"q*\""),
    ] {
        assert_eq!(warned(&format!("{}{allow}", deny(who, calls, said))), [""; 0], "{calls} {said}");
    }
}
