// SPDX-License-Identifier: Apache-2.0 OR MIT
//! All errors that refuse a policy as a whole, each with its place and the beginning of its message.

use super::*;

/// `line:column: message` of all errors in one file.
fn wrong(text: &str) -> Vec<String> {
    let short = |problem: Problem| format!("{}:{}: {}", problem.line, problem.column, problem.message);
    compile(&sources(&[text]), &account)
        .map_or_else(|problems| problems.into_iter().map(short).collect(), |_| Vec::new())
}

/// Each file has exactly one error: its place, and the beginning of its message.
pub(super) fn refused(head: &str, cases: &[(&str, &str)]) {
    for (rest, expected) in cases {
        let got = wrong(&format!("{head}{rest}"));
        assert!(got.len() == 1 && got[0].starts_with(expected), "{rest}\n{expected}\n{got:#?}");
    }
}

#[test]
fn what_is_no_policy_is_refused_by_line_and_column() {
    refused(
        "",
        &[
            ("a = = 1", "1:5: "),
            ("[[allow]]\nmtu = 1280-9000", "2:7: this is not TOML; write a range"),
            ("[[allow]]\nid = \"x\"\nid = \"y\"", "3:1: duplicate key"),
            ("[[alow]]", "1:3: no table named `alow`; a policy has `[[allow]]`"),
            ("set = 1", "1:1: `set` must be a table of lists: `[set]`"),
            ("[set]\n\"a b\" = \"y\"", "2:1: the name of a set must consist of letters, digits"),
            ("[set]\nx = []", "2:5: `x` must not be an empty list"),
            ("[set]\nx = \"$y\"\ny = \"z\"", "2:5: a set cannot contain another set; write the entries of `$y`"),
            ("[allow]\nid = \"x\"", "1:2: a rule begins with `[[allow]]`"),
            ("deny = 1", "1:1: a rule begins with `[[deny]]`"),
            ("deny = [1]", "1:9: a rule must be a table"),
            ("[[audit]]", "1:3: `audit` must be a table of settings: `[audit]`"),
            ("[audit]\nrequire = true", "2:1: no setting named `audit.require`; did you mean `audit.required`?"),
            ("[audit]\nrequired = \"yes\"", "2:12: `audit.required` must be true or false"),
            ("[refusals]\nshow_rule = 1", "2:13: `refusals.show_rule` must be true or false"),
            ("[confinement]\nlandlock = true", "2:12: `confinement.landlock` must be \"required\" or \"available\""),
            ("[confinement]\nlandlock = \"off\"", "2:12: `confinement.landlock` must be"),
        ],
    );
}

#[test]
fn a_rule_has_id_who_and_call_in_their_shapes() {
    let rest = "call = \"Netns.Add\"\nnetns = \"q*\"\n";
    let with = |head: &str| format!("[[allow]]\n{head}\n{rest}");
    refused(
        "",
        &[
            (&with("who = \"*\""), "1:1: this rule has no `id`"),
            (&with("id = \"x\""), "1:1: this rule has no `who`"),
            ("[[deny]]\nid = \"x\"\nwho = \"*\"", "1:1: this rule has no `call`"),
            (&with("id = 1\nwho = \"*\""), "2:6: `id` is a number, expected a string"),
            (&with("id = \"\"\nwho = \"*\""), "2:6: `id` must have 1 to 64 printable ASCII"),
            (&with("id = \"a b\"\nwho = \"*\""), "2:6: `id` must have 1 to 64 printable ASCII"),
            (&with("id = \"ä\"\nwho = \"*\""), "2:6: `id` must have 1 to 64 printable ASCII"),
            (
                &with(&format!("id = \"{}\"\nwho = \"*\"", "x".repeat(65))),
                "2:6: `id` must have 1 to 64 printable ASCII",
            ),
            (&with("id = \"silence\"\nwho = \"*\""), "2:6: `silence` cannot be an id"),
            (&with("id = \"x\"\nwho = 1000"), "3:7: `who` must be a string or a list of strings"),
            (&with("id = \"x\"\nwho = []"), "3:7: `who` must not be an empty list"),
            (&with("id = \"x\"\nwho = [[\"*\"]]"), "3:8: `who` must not contain a list"),
            (&with("id = \"x\"\nwho = \"*\"\ndescription = 1"), "4:15: `description` is a number, expected a string"),
        ],
    );
}

#[test]
fn an_id_stands_once_in_all_files() {
    let rule = format!("{ALLOW}call = \"Netns.Add\"\nnetns = \"q*\"\n");
    let problems = compile(&sources(&[&rule, &rule]), &account).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(
        problems[0].to_string(),
        "2.toml:2:6: the id `x` is already used at 1.toml:2\n   2 | id = \"x\"\n     |      ^^^"
    );
    let twice = "[audit]\nrequired = true\n";
    let problems = compile(&sources(&[twice, twice]), &account).unwrap_err();
    assert_eq!(problems[0].message, "`audit.required` is already set at 1.toml:2");
}

#[test]
fn what_is_wrong_in_a_set_is_told_once_at_its_entry_and_what_is_out_of_place_where_it_is_used() {
    let set = "[set]\nl3 = [\"user:neutron\",\n\"user:nutron\"]\nports = \"qr-*\"\n";
    let rule = |id: &str, who: &str, mtu: &str| {
        format!("[[allow]]\nid = \"{id}\"\nwho = {who}\ncall = \"Link.Set\"\nnetns = \"q\"\nlink = \"$ports\"\n{mtu}\n")
    };
    let missing = [rule("x", "\"$l3\"", ""), rule("y", "[\"*\", \"!$l3\"]", "")].concat();
    assert_eq!(
        wrong(&format!("{set}{missing}")),
        ["3:1: no user named `nutron`; create it, or write `user?:nutron` if it may not exist"]
    );
    let used = [rule("x", "\"$ports\"", ""), rule("y", "\"*\"", "mtu = \"$ports\"")].concat();
    let used = wrong(&format!("{set}{used}"));
    assert!(used.len() == 2 && used[0].starts_with("7:7: `qr-*`: expected `user:NAME`"), "{used:?}");
    assert!(used[1].starts_with("18:7: `mtu`: `qr-*` is a string"), "{used:?}");
}

#[test]
fn who_names_accounts_that_exist_and_groups_only_give() {
    let allow = |who: &str| format!("[[allow]]\nid = \"x\"\nwho = {who}\ncall = \"Netns.Add\"\nnetns = \"q*\"\n");
    let deny = |who: &str| format!("[[deny]]\nid = \"x\"\nwho = {who}\ncall = \"@change\"\n");
    refused(
        "",
        &[
            (
                &allow("\"neutron\""),
                "3:7: `neutron`: expected `user:NAME`, `group:NAME`, `uid:N`, `gid:N` or `*` (`user?:NAME` or `group?:NAME` where the account may not exist); did you mean `user:neutron`?",
            ),
            (
                &allow("\"netops\""),
                "3:7: `netops`: expected `user:NAME`, `group:NAME`, `uid:N`, `gid:N` or `*` (`user?:NAME` or `group?:NAME` where the account may not exist); did you mean `group:netops`?",
            ),
            (
                &allow("\"nobody-there\""),
                "3:7: `nobody-there`: expected `user:NAME`, `group:NAME`, `uid:N`, `gid:N` or `*`",
            ),
            (
                &allow("\"usr:neutron\""),
                "3:7: `usr:neutron`: expected `user:NAME`, `group:NAME`, `uid:N`, `gid:N` or `*` (`user?:NAME` or `group?:NAME` where the account may not exist); did you mean `user:neutron`?",
            ),
            (
                &allow("\"usr:3999\""),
                "3:7: `usr:3999`: expected `user:NAME`, `group:NAME`, `uid:N`, `gid:N` or `*` (`user?:NAME` or `group?:NAME` where the account may not exist); did you mean `uid:3999`?",
            ),
            (
                &allow("\"1500\""),
                "3:7: `1500`: expected `user:NAME`, `group:NAME`, `uid:N`, `gid:N` or `*` (`user?:NAME` or `group?:NAME` where the account may not exist); did you mean `uid:1500`?",
            ),
            (
                &allow("\"%wheel\""),
                "3:7: `%wheel`: expected `user:NAME`, `group:NAME`, `uid:N`, `gid:N` or `*` (`user?:NAME` or `group?:NAME` where the account may not exist); did you mean `group:wheel`?",
            ),
            (
                &allow("\"@wheel\""),
                "3:7: `@wheel`: expected `user:NAME`, `group:NAME`, `uid:N`, `gid:N` or `*` (`user?:NAME` or `group?:NAME` where the account may not exist); did you mean `group:wheel`?",
            ),
            (&allow("\"user:3999\""), "3:7: no user named `3999`; did you mean `uid:3999`?"),
            (
                &allow("[\"*\", \"user:nutron\"]"),
                "3:13: no user named `nutron`; create it, or write `user?:nutron` if it may not exist",
            ),
            (&allow("\"group:x\""), "3:7: no group named `x`"),
            (&allow("\"user:broken\""), "3:7: the user `broken` cannot be looked up: the directory is away"),
            (&allow("\"user:nobody\""), "3:7: `user:nobody` is 65534, which is nobody"),
            (&allow("\"uid:65534\""), "3:7: `uid:65534` is 65534, which is nobody"),
            (&allow("\"gid:4294967295\""), "3:7: `gid:4294967295` is 4294967295, which is nobody"),
            (&allow("\"uid:4294967296\""), "3:7: `4294967296` is not the number of an account"),
            (&allow("\"uid:-1\""), "3:7: `-1` is not the number of an account"),
            (&allow("\"uid:+1\""), "3:7: `+1` is not the number of an account"),
            (&allow("\"uid:01\""), "3:7: `01` is not the number of an account"),
            (&allow("[\"*\", \"!group:netops\"]"), "3:13: an allow cannot exclude a group, since"),
            (&allow("[\"*\", \"!gid:5\"]"), "3:13: an allow cannot exclude a group, since"),
            (&allow("[\"*\", \"!*\"]"), "3:13: `!*` excludes everybody"),
            (&allow("\"!user:alice\""), "3:7: `who` only excludes"),
            (&deny("\"group:netusers\""), "3:7: a deny cannot name a group, since"),
            (&deny("[\"*\", \"gid:5\"]"), "3:13: a deny cannot name a group, since"),
        ],
    );
    good(&[&allow("[\"uid:0\", \"gid:0\", \"group:netusers\", \"!user:alice\"]")]);
    good(&[&deny("[\"*\", \"!group:netops\", \"!user:alice\"]")]);
}

#[test]
fn an_unknown_call_kind_or_field_is_refused_with_the_nearest_word() {
    refused(
        ALLOW,
        &[
            ("call = \"Netns.Ad\"\n", "4:8: no call named `Netns.Ad`; the calls of Netns are Netns.Add, "),
            ("call = \"Netns.*\"\n", "4:8: `Netns.*` is a pattern; an allow must list its calls by name"),
            (
                "call = [\"Netns.Add\", \"!Netns.Get\"]\nnetns = \"q\"\n",
                "4:22: `!Netns.Get` excludes calls, but an allow must list its calls by name",
            ),
            ("call = \"@change\"\n", "4:8: `@change` is for denies only; an allow must list its calls by name"),
            ("call = \"@chang\"\n", "4:8: no call named `@chang`; `netbrokerctl describe` lists the calls"),
            ("call = [\"*\"]\n", "4:9: `*` is for denies only; an allow must list its calls by name"),
            ("call = \"Netns.Add\"\nnetns = \"q*\"\nlnk = \"a\"\n", "6:1: `lnk` is not a field of Netns.Add"),
            (
                "call = \"Link.List\"\nnetns = \"q*\"\nlnk = \"a\"\n",
                "6:1: `lnk` is not a field of Link.List; did you mean `link`?",
            ),
            (
                "call = \"Link.List\"\nnetns = \"q*\"\nfre = \"link\"\n",
                "6:1: `fre` is not a field of Link.List; did you mean `free`?",
            ),
            (
                "call = \"Link.List\"\nnetns = \"q*\"\nrequire = \"lnk\"\n",
                "6:11: `lnk` is not a field of Link.List; did you mean `link`?",
            ),
            (
                "call = \"Link.Set\"\nnetns = \"q*\"\nlink = \"a\"\nrequire = \"mtu\"\n",
                "7:11: `mtu` is in `require`, but this allow does not name it",
            ),
            (
                "call = \"Link.List\"\nnetns = \"$nt\"\n[set]\nns = \"q\"\n",
                "5:9: no set named `nt`; did you mean `ns`?",
            ),
            ("call = \"Link.List\"\nnetns = \"v{uid}*\"\n", "5:9: `netns`: `v{uid}*`: `{uid}` must not be next to"),
            ("call = \"Link.List\"\nnetns = [\"*\", \"!*\"]\n", "5:15: `netns`: `!*` excludes everything"),
            ("call = \"Link.List\"\nnetns = \"q*\"\nlink.x = \"a\"\n", "6:6: `link.x` is not a field of Link.List"),
            ("call = \"Link.List\"\nnetns = \"q*\"\npeer = {}\n", "6:1: `peer` must not be an empty table"),
            (
                "call = \"Link.List\"\nnetns = \"q*\"\nfree = [\"lnk\"]\n",
                "6:9: `lnk` is not a field of Link.List; did you mean `link`?",
            ),
            ("call = \"Link.List\"\nnetns = \"q*\"\nfree = [1]\n", "6:9: `free` must be a string or a list of strings"),
            (
                "call = [\"Link.List\", \"Netns.Add\"]\nnetns = \"q*\"\nmtu = 1\n",
                "6:1: `mtu` is not a field of Netns.Add, Link.List",
            ),
            (
                "call = \"Link.List\"\nnetns = \"q*\"\nlink = \"a\"\nfree = \"link\"\n",
                "7:8: `link` is both in `free` and constrained",
            ),
            (
                "call = \"Link.List\"\nnetns = \"q*\"\ntouches = { netns = \"a\" }\n",
                "6:1: `touches` is for denies only",
            ),
        ],
    );
    let veth = "call = \"Link.Add\"\nnetns = \"q*\"\nlink = \"a\"\n";
    refused(
        &format!("{ALLOW}{veth}"),
        &[
            (
                "kind = \"vet\"\n",
                "7:8: `kind`: `vet` is not one of veth, bridge, bond, vxlan, macvlan, macvtap, ifb, dummy, vcan, vlan, vrf, ipvlan, geneve, ipip, sit, ip6tnl, gre, gretap, ip6gre, ip6gretap, wireguard, xfrm, netkit, tun, can; did you mean `veth`?",
            ),
            ("kind = \"bridge\"\npeer.nam = \"b\"\n", "8:6: `peer.nam` is not a field of Link.Add of a bridge"),
            (
                "kind = \"bridge\"\n[allow.peer]\nname = \"b\"\n",
                "9:1: `peer.name` is not a field of Link.Add of a bridge",
            ),
            ("kind = \"bridge\"\nfree = [\"peer.mtu\"]\n", "8:9: `peer.mtu` is not a field of Link.Add of a bridge"),
        ],
    );
}

#[test]
fn an_allow_names_what_it_must() {
    refused(
        ALLOW,
        &[
            ("call = \"Netns.Add\"\n", "4:8: the allow `x` does not name `netns`: Netns.Add requires it"),
            (
                "call = [\"Netns.Add\", \"Netns.List\"]\n",
                "4:9: the allow `x` does not name `netns`: Netns.Add requires it",
            ),
            (
                "call = [\"Netns.Add\", \"Link.Delete\"]\nnetns = \"q\"\n",
                "4:22: the allow `x` does not name `link`: Link.Delete applies to every link without it",
            ),
            (
                "call = \"Address.Add\"\nnetns = \"q\"\nlink = \"a\"\n",
                "4:8: the allow `x` does not name `address`: Address.Add requires it",
            ),
            (
                "call = \"Link.Add\"\nnetns = \"q\"\nlink = \"a\"\n",
                "4:8: the allow `x` does not name `kind`: Link.Add requires it",
            ),
            (
                "call = \"Link.Add\"\nnetns = \"q\"\nlink = \"a\"\nkind = \"*\"\npeer = { name = \"a\", netns = \"b\" }\n",
                "7:8: an allow must list the kinds of Link.Add by name: veth, bridge, bond, vxlan, macvlan, macvtap, ifb, dummy, vcan, vlan, vrf, ipvlan, geneve, ipip, sit, ip6tnl, gre, gretap, ip6gre, ip6gretap, wireguard, xfrm, netkit, tun",
            ),
            (
                "call = \"Link.Add\"\nnetns = \"q\"\nlink = \"a\"\nfree = [\"kind\"]\n",
                "7:9: an allow must list the kinds of Link.Add by name: veth, bridge, bond, vxlan, macvlan, macvtap, ifb, dummy, vcan, vlan, vrf, ipvlan, geneve, ipip, sit, ip6tnl, gre, gretap, ip6gre, ip6gretap, wireguard, xfrm, netkit, tun",
            ),
            (
                "call = \"Link.Add\"\nnetns = \"q\"\nlink = \"a\"\nkind = [\"bridge\", \"veth\"]\npeer.netns = \"b\"\n",
                "4:8: the allow `x` does not name `peer.name`: Link.Add of a veth requires it",
            ),
        ],
    );
    good(&[&format!("{ALLOW}call = [\"Link.List\", \"Address.List\"]\nnetns = \"@host\"\n")]); // a filter of a call that reads
    good(&[&format!("{ALLOW}call = \"Link.Add\"\nnetns = \"q\"\nlink = \"a\"\nkind = \"bridge\"\n")]);
    good(&[&format!("{ALLOW}call = \"Address.Add\"\nfree = [\"netns\", \"link\", \"address\"]\n")]);
}

#[test]
fn a_deny_speaks_of_some_call_that_has_all_its_fields() {
    refused(
        DENY,
        &[
            ("call = \"Lnk.*\"\n", "4:8: no call matches `Lnk.*`"),
            ("call = [\"Netns.*\", \"!Netns.*\"]\n", "4:9: `call` excludes every call that it names"),
            ("call = \"Link.Add\"\nkind = \"z*\"\n", "5:8: `kind`: `z*` matches none of veth, bridge"),
            ("call = \"Link.Set\"\nmtu = 1\nrequire = \"mtu\"\n", "6:1: `require` is for allows only"),
            ("call = \"@chnge\"\n", "4:8: no call named `@chnge`; did you mean `@change`?"),
            (
                "call = [\"Link.Set\", \"Address.Add\"]\nmtu = 1\naddress = \"10.0.0.0/8\"\n",
                "1:1: no call of this rule has all its fields",
            ),
            (
                "call = \"@change\"\nkind = \"bridge\"\naddress = \"10.0.0.0/8\"\n",
                "1:1: no call of this rule has all its fields",
            ),
            ("call = \"@read\"\nmtu = 1\n", "5:1: `mtu` is not a field of any call of this rule"),
            ("call = \"@change\"\nfree = \"mtu\"\n", "5:1: `free` is for allows only"),
            (
                "call = \"Netns.Add\"\ntouches = { link = \"a\" }\n",
                "5:1: no call of this rule has a field that holds a link",
            ),
            (
                "call = \"Link.Set\"\nmtu = 1\ntouches = { links = \"a\", link = \"b\" }\n",
                "6:13: `touches` takes `netns` and `link`, not `links`; did you mean `link`?",
            ),
            ("call = \"Link.Set\"\ntouches = {}\n", "5:11: `touches` must name"),
            ("call = \"Link.Set\"\ntouches = \"eth*\"\n", "5:11: `touches` must be a table"),
            ("call = \"Link.Set\"\ntouches = { link = \"a/b\" }\n", "5:20: `link`: `a/b` must not contain `/`"),
        ],
    );
}

#[test]
fn a_constraint_fits_the_type_of_its_field() {
    let head = "call = [\"Link.Set\", \"Address.Add\"]\nnetns = \"q\"\nlink = \"a\"\nfree = [\"scope\"]\n";
    let address = "address = \"10.0.0.0/8\"\n";
    refused(
        &format!("{ALLOW}{head}{address}"),
        &[
            ("mtu = \"many\"\n", "9:7: `mtu`: `many` is a string, expected a whole number or a range"),
            ("mtu = [1500, \"9000\"]\n", "9:14: `mtu`: write 9000 without quotes"),
            ("mtu = \"..1500\"\n", "9:7: `mtu`: expected a whole number or a range"),
            ("mtu = 1.5\n", "9:7: `mtu` must not contain a fraction"),
            ("mtu = 1280-01-01\n", "9:7: `mtu` must not contain a date; write text in quotes"),
            ("mtu = -1\n", "9:7: `mtu`: -1 must be between 0 and 4294967295"),
            ("mtu = []\n", "9:7: `mtu` must not be an empty list"),
            ("up = \"true\"\n", "9:6: `up`: write true without quotes"),
            ("up = 1\n", "9:6: `up`: 1 is a number, expected true or false"),
            ("mac = \"FA:16:3E:*\"\n", "9:7: `mac`: `FA:16:3E:*` has capital letters"),
            (
                "master = \"0123456789abcdef*\"\n",
                "9:10: `master`: `0123456789abcdef*` matches nothing: at most 15 bytes",
            ),
            ("master = \"br/*\"\n", "9:10: `master`: `br/*` matches nothing: no value has `/`"),
            ("master = \"!br0\"\n", "9:10: `master` only excludes; also write what it includes"),
            ("master = [\"*\", \"!br/0\"]\n", "9:16: `master`: `br/0` must not contain `/`"),
            ("master = true\n", "9:10: `master`: true is a boolean, expected the name of a link"),
            ("target_netns = \"@all\"\n", "9:16: `target_netns`: `@all` begins with `@`; only `@host` may"),
            ("target_netns = \"@h*\"\n", "9:16: `target_netns`: `@h*` begins with `@`"),
            (
                "broadcast = \"10.0.0.255\"\n",
                "9:13: `broadcast`: `10.0.0.255` needs a prefix length; one address is `10.0.0.255/32`",
            ),
            (
                "peer_address = \"::ffff:10.0.0.1/128\"\n",
                "9:16: `peer_address`: `::ffff:10.0.0.1/128` must not be an IPv4-mapped IPv6 address",
            ),
        ],
    );
    refused(
        &format!("{ALLOW}call = \"Address.Add\"\nnetns = \"q\"\nlink = \"a\"\n"),
        &[
            (
                "address = \"10.0.0.0/8 len 33\"\n",
                "7:11: `address`: `10.0.0.0/8 len 33` must have lengths from 0 to 32",
            ),
            ("address = \"10.0.0.0/8 len 4..7\"\n", "7:11: `address`: `10.0.0.0/8 len 4..7` matches nothing"),
            ("address = \"10.0.0.0/8\"\nbroadcast = \"10.1.2.3/8\"\n", "8:13: `broadcast`: `10.1.2.3/8` has host bits"),
            ("address = \"10.0.0.0/8\"\nscope = \"g*\"\n", "8:9: `scope`: `g*` is a pattern; an allow must list"),
            (
                "address = \"10.0.0.0/8\"\nscope = \"gobal\"\n",
                "8:9: `scope`: `gobal` is not one of global, site, link, host, nowhere; did you mean `global`?",
            ),
        ],
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once_and_in_order() {
    let first = "[[allow]]\nid = \"a\"\nwho = \"user:x\"\ncall = \"Link.Delete\"\nnetns = \"@hst\"\nlink = \"a\"\n";
    let problems = compile(&sources(&[first, "x = 1\ny = 2\n"]), &account).unwrap_err();
    let shown: Vec<String> = problems.iter().map(|p| format!("{}:{}:{}", p.file, p.line, p.column)).collect();
    assert_eq!(shown, ["1.toml:3:7", "1.toml:5:9", "2.toml:1:1", "2.toml:2:1"]);
}

/// The message of the first problem.
fn first(text: &str) -> String {
    wrong(text).into_iter().next().unwrap_or_default()
}

#[test]
fn what_is_not_toml_is_answered_with_what_to_write() {
    let head = "[[allow]]\nid = \"x\"\nwho = \"*\"\ncall = \"Link.Set\"\nnetns = \"q\"\nlink = \"l\"\n";
    for (line, hint) in [
        ("mtu = 1280-9000", "write a range as `\"1280..9000\"`"),
        ("mtu = 1280..9000", "write a range as `\"1280..9000\"`"),
        ("address = 10.0.0.0/8", "write text in quotes, `\"10.0.0.0/8\"`"),
        ("address = [\"10.1.0.0/16\", 10.0.0.0/8]", "write text in quotes, `\"10.0.0.0/8\"`"),
        ("up = yes", "write true"),
        ("up = off # for now", "write false"),
        ("alias = “uplink”", "write `\"` in place of `“` (U+201C)"),
        ("n\u{435}tns = \"q\"", "the name contains `\u{435}` (U+0435)"),
        ("up = tr\u{3c5}e", "write text in quotes, `\"tr\u{3c5}e\"`; it contains `\u{3c5}` (U+03C5)"),
        ("mtu = 5\u{a0}", "remove the character U+00A0, which is not an ordinary space"),
        ("mtu = 5, up = true", "write one key on each line"),
        ("up = true mtu = 5", "write one key on each line"),
        ("mtu = [1280, 9000", "`]` is missing at the end of the list"),
        ("mtu = yes # “note”", "write true"),
        ("mtu = ", "the value of `mtu` is missing"),
        ("mtu = # later", "the value of `mtu` is missing"),
        ("mtu == 5", "write one `=`"),
    ] {
        let message = first(&format!("{head}{line}\n"));
        assert!(message.contains(hint), "{line}: {message}");
    }
    for (line, place) in [
        ("address = 10.0.0.0/8", "7:11: "),
        ("address = fd00::/8", "7:11: "),
        ("mtu = 1280..9000", "7:7: "),
        ("address = [\"10.1.0.0/16\", 10.0.0.0/8]", "7:27: "),
    ] {
        let message = first(&format!("{head}{line}\n"));
        assert!(message.starts_with(place), "the mark begins at the value: {line}: {message}");
    }
}

#[test]
fn common_mistakes_are_answered_with_what_to_write() {
    let with = |call: &str, more: &str| {
        format!("[[allow]]\nid = \"x\"\nwho = \"*\"\ncall = {call}\nnetns = \"q\"\nlink = \"l\"\n{more}\n")
    };
    let reads = "`@read` is for denies only; an allow must list its calls by name: [\"Netns.List\", ";
    for (text, expected) in [
        (with("\"Link.Set\"", "mtu = \"5000-5999\""), "did you mean `\"5000..5999\"`?"),
        (with("\"Link.Set\"", "user = \"alice\""), "write whom the rule applies to as `who = \"user:NAME\"`"),
        (with("\"Link.Set\"", "calls = \"x\""), "`calls` is not a field of Link.Set; did you mean `call`?"),
        (with("\"Link.Set\"", "free = \"*\""), "`*` is a pattern; `free` must list the fields by name"),
        (with("\"Link.Set\"", "free = \"no-master\""), "did you mean `no_master`?"),
        (
            with("\"Link.Set\"", "new_name = \"\u{435}th0\""),
            "contains `\u{435}` (U+0435), which is not ASCII; expected the name of a link",
        ),
        (with("\"io.netbroker.Link.Set\"", ""), "no call named `io.netbroker.Link.Set`; write `Link.Set`"),
        (with("\"ip link set\"", ""), "no call named `ip link set`; `netbrokerctl describe` lists the calls"),
        (with("\"@read\"", ""), reads),
        (
            with("\"@write\"", ""),
            "the word in denies is `@change`; an allow must list its calls by name: [\"Netns.Add\", ",
        ),
        (with("\"Netns.*\"", ""), "are added later: [\"Netns.Add\", \"Netns.Delete\", "),
        (
            with("\"Link.S\u{435}t\"", ""),
            "no call named `Link.S\u{435}t`; it contains `\u{435}` (U+0435); the calls of Link",
        ),
        (
            with("\"Link.Create\"", ""),
            "the calls of Link are Link.Add, Link.Delete, Link.Set, Link.List; see `netbrokerctl describe`",
        ),
        (
            with("\"Vlan.List\"", "free = [\"i*\"]").replace("link = \"l\"\n", ""),
            "`free` must list the fields by name: [\"index\"]",
        ),
        (with("\"Link.Set\"", "groups = \"netops\""), "write whom the rule applies to as `who = \"group:NAME\"`"),
        (with("\"Link.Set\"", "").replace("id = \"x\"", "id = \"\u{445}\""), "it contains `\u{445}` (U+0445)"),
        (
            with("\"Link.Set\"", "").replace("\"*\"", "\"us\u{435}r:alice\""),
            "it contains `\u{435}` (U+0435); did you mean `user:alice`?",
        ),
        (with("\"Link.Set\"", "new_name = \"q-\\\\d\""), "`q-\\d` must not contain `\\`"),
        (with("\"Link.Add\"", "kind = \"tap\""), "a tap is written `kind = \"tun\"` with `tun.mode = \"tap\"`"),
        (with("\"Link.Set\"", "").replace("\"*\"", "\"user:\u{430}lice\""), "it contains `\u{430}` (U+0430)"),
        (with("\"Link.Set\"", "").replace("\"q\"", "1.5"), "`netns` must not contain a fraction"),
        ("[[deny]]\nid = \"x\"\nwho = \"*\"\ncall = \"@write\"\n".to_owned(), "did you mean `@change`?"),
    ] {
        let problems = wrong(&text);
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{text}\n{expected}\n{problems:#?}");
    }
}

#[test]
fn a_key_in_place_of_a_word_that_a_rule_lacks_is_named() {
    let text = "[[allow]]\nid = \"x\"\nwho = \"*\"\ncall = \"Link.Delete\"\nnetns = \"q\"\nlink = \"l\"\n";
    for (word, key, expected) in [
        ("call", "calls", "4:1: `calls` is not a word of a rule; did you mean `call`?"),
        ("call", "cal", "4:1: `cal` is not a word of a rule; did you mean `call`?"),
        ("call", "Call", "4:1: `Call` is not a word of a rule; did you mean `call`?"),
        ("call", "method", "4:1: `method` is not a word of a rule; did you mean `call`?"),
        ("call", "\"c\u{430}ll\"", "4:1: `c\u{430}ll` is not a word of a rule; did you mean `call`?"),
        ("who", "whom", "3:1: `whom` is not a word of a rule; did you mean `who`?"),
        ("who", "group", "3:1: `group` is not a word of a rule; write whom it applies to as `who = \"group:NAME\"`"),
        ("who", "users", "3:1: `users` is not a word of a rule; write whom it applies to as `who = \"user:NAME\"`"),
        ("id", "ID", "2:1: `ID` is not a word of a rule; did you mean `id`?"),
    ] {
        let text = text.replace(&format!("\n{word} = "), &format!("\n{key} = "));
        refused("", &[(&text, expected)]);
    }
    refused(
        "",
        &[
            (
                &text.replace("\"*\"", "1500"),
                "3:7: `who` must be a string or a list of strings; did you mean `\"uid:1500\"`?",
            ),
            (&text.replace("call = \"Link.Delete\"", "mtu = 5"), "1:1: this rule has no `call`"),
        ],
    );
}

/// Otherwise an allow that names some priorities would permit a flush of all.
#[test]
fn an_allow_that_names_a_field_names_the_range_that_takes_its_place() {
    let rule = |more: &str| {
        format!(
            "{ALLOW}call = [\"Rule.Delete\", \"Rule.Flush\"]\nnetns = \"a\"\nfamily = \"inet\"\npriority = \"100..199\"\nfree = [\"iif\", \"oif\"]\n{more}"
        )
    };
    let problems = wrong(&rule(""));
    assert!(
        problems.iter().any(|problem| problem.contains(
            "does not name `priorities`: Rule.Flush has `priorities` in place of `priority`, which the allow names"
        )),
        "{problems:?}"
    );
    good(&[&rule("priorities = \"100..199\"\n")]);
}
