// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The examples of netbroker-calls(7), as `netbrokerctl generate examples` prints them: the kernel carries out each of them,
//! under a policy with only its rule.
//!
//! Kinds of links that the running kernel lacks end in `NotSupported`. tests/vm/run runs this target on a kernel that has
//! them.
#![cfg(feature = "ctl")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::Host;
use common::calls::ON_OTHER_KERNELS;
use serde_json::Value;

/// What each example starts from.
const WORLD: &str = "
ip netns add blue; ip netns add red
ip link add uplink up type veth peer cable; ip link set cable up
ip -n blue link add eth0 index 12 type veth peer eth0 netns red
ip -n blue link add eth1 type veth peer eth1 netns red
ip -n blue link add br0 type bridge
for link in eth0 eth1; do ip -n blue link set $link up; ip -n red link set $link up; done
ip -n blue address add 192.0.2.2/24 dev eth0
ip -n blue address add 2001:db8::2/64 dev eth0 nodad
";

/// What some of the examples also start from: the call, what its parameters have, and the script.
const BEFORE: &[(&str, &str, &str)] = &[
    ("Link.Delete", r#""index":13"#, "ip -n blue link add veth@if3 index 13 type ifb"),
    ("Link.Set", r#""link":"spare""#, "ip link add spare type ifb"),
    ("Link.Set", r#""no_master""#, "ip -n blue link set eth1 master br0"),
    ("Link.Set", r#""remove_altname""#, "ip -n blue link property add dev eth0 altname old-name"),
    ("Link.Set", r#""link":"macvlan1""#, "ip -n blue link add macvlan1 link eth1 type macvlan mode bridge"),
    ("Link.Set", r#""link":"macvtap1""#, "ip -n blue link add macvtap1 link eth1 type macvtap mode bridge"),
    ("Link.Set", r#""link":"ipvlan1""#, "ip -n blue link add ipvlan1 link eth1 type ipvlan"),
    ("Link.Set", r#""link":"bond0""#, "ip -n blue link add bond0 type bond mode active-backup"),
    ("Link.Set", r#""link":"geneve1""#, "ip -n blue link add geneve1 type geneve id 7 remote 198.51.100.9"),
    (
        "Link.Set",
        r#""link":"vxlan0""#,
        "ip -n blue link add vxlan0 type vxlan id 7 dev eth0 remote 198.51.100.7 dstport 4789",
    ),
    ("Address.Delete", r#""peer_address""#, "ip -n blue address add 192.0.2.1 peer 198.51.100.1/32 dev eth1"),
    (
        "Route.Delete",
        r#""one_nexthop""#,
        "ip -n blue route add 2001:db8:1::/48 nexthop via 2001:db8::fd dev eth0 nexthop via 2001:db8::fe dev eth0",
    ),
    (
        "Route.Delete",
        r#""mtu""#,
        "ip -n blue route add 198.51.100.0/24 via 203.0.113.1 dev eth0 onlink table 100 metric 50 proto static \
         src 192.0.2.2 mtu 1400",
    ),
    ("Route.Add", r#""link":"lo""#, "ip -n blue link set lo up"),
    ("Route.Replace", r#""link":"lo""#, "ip -n blue link set lo up"),
    (
        "Route.Delete",
        r#""source""#,
        "ip -n blue route add 2001:db8:1::/48 from 2001:db8:2::/48 via 2001:db8::fe dev eth0 || true",
    ),
    (
        "Route.Delete",
        r#""tos""#,
        "ip -n blue route add 203.0.113.0/24 via 192.0.2.254 dev eth0 tos 0x10 mtu lock 1400 advmss 1360 hoplimit 32 \
         initcwnd 20 initrwnd 20",
    ),
    ("Route.Delete", r#""pref""#, "ip -n blue route add 2001:db8:1::/48 via 2001:db8::fe dev eth0 pref high"),
    (
        "Route.Delete",
        r#""nexthops""#,
        "ip -n blue route add 198.51.100.0/24 nexthop via 192.0.2.254 dev eth0 weight 2 \
         nexthop via 203.0.113.1 dev eth1 onlink",
    ),
    ("Route.Delete", r#""nexthop_id""#, "ip -n blue route add 203.0.113.0/24 nhid 20"),
    ("Route.", r#""link":"vxlan1""#, "ip -n blue link add vxlan1 up type vxlan external dstport 4789"),
    (
        "Route.Delete",
        r#""link":"vxlan1""#,
        "ip -n blue route add 198.51.100.0/25 dev vxlan1 encap ip id 7 dst 198.51.100.7 src 192.0.2.2 ttl 64 tos 0x10",
    ),
    ("Neighbour.Get", r#""192.0.2.9""#, "ip -n blue neigh replace 192.0.2.9 lladdr 02:00:00:00:00:09 dev eth0"),
    ("Neighbour.Get", r#""proxy""#, "ip -n blue neigh add proxy 198.51.100.9 dev eth0"),
    ("Neighbour.Delete", r#""proxy""#, "ip -n blue neigh add proxy 198.51.100.9 dev eth0"),
    (
        "Rule.Delete",
        r#""priority":300"#,
        "ip -n blue rule add priority 300 ipproto tcp tos 0x10 sport 32768-60999 dport 443 uidrange 1000-1999 table 100 \
         suppress_ifgroup 7 protocol 80",
    ),
    ("Rule.Delete", r#""priority":400"#, "ip -n blue rule add priority 400 not fwmark 1 goto 500"),
    ("Rule.Delete", r#""priority":1000"#, "ip -n blue rule add priority 1000 l3mdev"),
    (
        "Rule.Delete",
        r#""priority":200"#,
        "ip -n blue rule add priority 200 from 192.0.2.0/24 to 198.51.100.0/24 iif eth0 oif eth1 fwmark 1/255 \
         table 100 suppress_prefixlength 0",
    ),
    ("Fdb.", r#""link":"vxlan0""#, "ip -n blue link add vxlan0 type vxlan id 7 dstport 4789"),
    ("Fdb.", r#""link":"vxlan1""#, "ip -n blue link add vxlan1 type vxlan external dstport 4789"),
    ("Fdb.", r#""link":"eth1""#, "ip -n blue link set br0 up; ip -n blue link set eth1 master br0"),
    (
        "Fdb.Delete",
        r#""source_vni""#,
        "bridge -n blue fdb add 02:00:00:00:00:09 dev vxlan1 dst 198.51.100.9 port 4790 vni 200 src_vni 100 via eth0",
    ),
    ("Fdb.Delete", r#""vlan""#, "bridge -n blue fdb add 02:00:00:00:00:09 dev eth1 master static vlan 1 || true"),
    ("Vlan.Add", r#""link":"eth1""#, "ip -n blue link set eth1 master br0"),
    ("Vlan.Add", r#""pvid":true"#, "bridge -n blue vlan del dev eth1 vid 1"),
    ("Vlan.Add", r#""link":"vxlan0""#, VXLAN),
    ("Vlan.Replace", r#""link":"eth1""#, "ip -n blue link set eth1 master br0"),
    ("Vlan.Replace", r#""link":"vxlan0""#, VXLAN),
    ("Vlan.Delete", r#""link":"eth1""#, "ip -n blue link set eth1 master br0"),
    ("Vni.Add", r#""link":"vxlan0""#, VXLAN),
    ("Vni.Delete", r#""link":"vxlan0""#, VXLAN),
    ("Vni.List", r#""link":"vxlan0""#, VXLAN),
];

/// Nexthop objects that examples refer to. They are of a link that is up at both ends.
const NEXTHOPS: &str = "
ip -n blue link set lo up
ip -n blue nexthop add id 11 via 192.0.2.254 dev eth0
ip -n blue nexthop add id 12 via 203.0.113.2 dev eth1 onlink
ip -n blue nexthop add id 20 group 11/12
ip -n blue nexthop add id 21 via 203.0.113.1 dev eth1 onlink protocol bgp
";

/// A vxlan of the bridge, with VNIs of its own.
const VXLAN: &str = "ip -n blue link add vxlan0 type vxlan external vnifilter dstport 4789; \
                     ip -n blue link set vxlan0 master br0; \
                     ip -n blue link set vxlan0 type bridge_slave vlan_tunnel on";

/// Examples that need a device, which this test has not: the call, what the parameters have, and the error.
const DEVICES: &[(&str, &str, &str)] =
    &[("Link.Set", r#""vf""#, "NotSupported"), ("Link.Set", r#""link":"can0""#, "NoSuchLink")];

/// Examples that need what an old kernel lacks (Linux 5.18), or a kernel can be built without
/// (`CONFIG_BRIDGE_VLAN_FILTERING`, `CONFIG_IPV6_SUBTREES`): the call, what the parameters have, and the error there.
const OPTIONS: &[(&str, &str, &str)] = &[
    ("Neighbour.Add", r#""managed""#, "NotApplied"),
    ("Route.Add", r#""labels""#, "NotSupported"),
    ("Route.Replace", r#""labels""#, "NotSupported"),
    ("Route.Append", r#""labels""#, "NotSupported"),
    ("Neighbour.Replace", r#""managed""#, "NotApplied"),
    ("Address.Add", r#""protocol""#, "NotApplied"),
    ("Address.Replace", r#""protocol""#, "NotApplied"),
    ("Link.Add", r#""vlan_filtering""#, "NotSupported"),
    ("Link.Set", r#""vlan_filtering""#, "NotSupported"),
    ("Link.Add", r#""vnifilter""#, "NotApplied"),
    ("Fdb.Add", r#""vlan""#, "KernelRefused"),
    ("Fdb.Replace", r#""vlan""#, "KernelRefused"),
    ("Fdb.Delete", r#""vlan""#, "NotFound"),
    ("Link.Set", r#""locked""#, "NotApplied"),
    ("Route.Add", r#""source""#, "KernelRefused"),
    ("Route.Replace", r#""source""#, "KernelRefused"),
    ("Route.Append", r#""source""#, "KernelRefused"),
    ("Route.Delete", r#""source""#, "NotFound"),
    ("Vlan.Add", "", "NotSupported"),
    ("Vlan.Replace", "", "NotSupported"),
    ("Vlan.Delete", r#""link":"eth1""#, "NotFound"),
    ("Vni.Add", "", "NotSupported"),
    ("Vni.Delete", "", "NotSupported"),
    ("Vni.List", "", "NotSupported"),
];

/// One example.
#[derive(Debug)]
struct Example {
    call: String,
    parameters: Value,
    rule: String,
}

impl Example {
    fn read(line: &str) -> Self {
        let object: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| object[name].as_str().unwrap().to_owned();
        Self { call: text("call"), parameters: object["parameters"].clone(), rule: text("rule") }
    }

    /// Whether it is a request of a call whose name begins so, and its parameters have this text.
    fn has(&self, call: &str, text: &str) -> bool {
        self.call.starts_with(call) && self.parameters.to_string().contains(text)
    }

    /// The kind of its link, if the running kernel may lack it.
    fn rare_kind(&self) -> Option<&'static str> {
        let kind = self.parameters.get("kind").and_then(Value::as_str)?;
        ON_OTHER_KERNELS.iter().find(|rare| **rare == kind).copied()
    }

    /// Makes the request in a host of its own, in which these scripts have run, under a policy with only its rule.
    /// Returns the last word of the error, if it is one.
    fn error(&self, scripts: &[&str]) -> Option<String> {
        let host = Host::new();
        scripts.iter().for_each(|script| drop(host.sh(script)));
        host.policy(&format!("{}\nid = \"shown\"\nwho = \"*\"\n", self.rule));
        let reply = host.caller().call(&self.call, self.parameters.clone());
        assert_eq!(host.trail()[0].field("NETBROKER_RULE"), "shown", "{self:?}: {reply}");
        if reply.status() == 0 {
            reply.ok();
            return None;
        }
        println!("{}: {reply}", self.parameters);
        Some(reply.error().rsplit('.').next().unwrap().to_owned())
    }

    /// Asserts that the kernel carries it out, unless it lacks the device or the option.
    fn assert_succeeds(&self) {
        let before = BEFORE.iter().filter(|(call, text, _)| self.has(call, text)).map(|(.., script)| *script);
        let refers = self.call.starts_with("Nexthop.") || self.parameters.get("nexthop_id").is_some();
        let nexthops = refers.then_some(NEXTHOPS);
        let scripts: Vec<&str> = [WORLD].into_iter().chain(nexthops).chain(before).collect();
        let device = DEVICES.iter().find(|(call, text, _)| self.has(call, text)).map(|(.., error)| *error);
        let may_lack = |error: &str| OPTIONS.iter().any(|(call, text, lacks)| self.has(call, text) && error == *lacks);
        match self.error(&scripts) {
            Some(error) if may_lack(&error) => {}
            error => assert_eq!(error.as_deref(), device, "{self:?}"),
        }
    }
}

/// The examples of these families.
fn examples(of: impl Fn(&str) -> bool) -> Vec<Example> {
    let text = Host::new().tool(&["generate", "examples"]).ok();
    let examples: Vec<Example> = text.lines().map(Example::read).collect();
    assert!(examples.len() > 80, "{}", examples.len());
    for (call, text, _) in BEFORE.iter().chain(DEVICES).chain(OPTIONS) {
        assert!(examples.iter().any(|example| example.has(call, text)), "no example of {call} has {text}");
    }
    examples.into_iter().filter(|example| of(example.call.split('.').next().unwrap())).collect()
}

/// A kind that the kernel lacks is refused by `Link.Add`, in all of its examples. No such link can then be changed.
#[test]
fn the_examples_of_links_succeed_except_for_kinds_that_the_kernel_lacks() {
    let mut lacking = Vec::new();
    let (added, others): (Vec<_>, Vec<_>) =
        examples(|family| family == "Link").into_iter().partition(|example| example.call == "Link.Add");
    for example in added {
        match example.rare_kind() {
            Some(kind) if lacking.contains(&kind) => {
                assert_eq!(example.error(&[WORLD]).as_deref(), Some("NotSupported"), "{example:?}");
            }
            Some(kind) if example.error(&[WORLD]).as_deref() == Some("NotSupported") => lacking.push(kind),
            _ => example.assert_succeeds(),
        }
    }
    for example in others {
        match example.rare_kind() {
            Some(kind) if lacking.contains(&kind) => {
                assert_eq!(example.error(&[WORLD]).as_deref(), Some("NoSuchLink"), "{example:?}");
            }
            _ => example.assert_succeeds(),
        }
    }
    println!("the kernel lacks {lacking:?}");
}

#[test]
fn the_examples_of_namespaces_addresses_neighbours_and_rules_succeed() {
    examples(|family| !["Link", "Route", "Nexthop"].contains(&family)).iter().for_each(Example::assert_succeeds);
}

#[test]
fn the_examples_of_routes_succeed() {
    examples(|family| family == "Route").iter().for_each(Example::assert_succeeds);
}

#[test]
fn the_examples_of_nexthop_objects_succeed() {
    examples(|family| family == "Nexthop").iter().for_each(Example::assert_succeeds);
}
