// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A request that succeeds for every call and kind. Whoever adds a call adds a line to [`EXAMPLES`].

use netbroker::call::{self, Call, Needs};
use serde_json::Value;

use crate::scene::open_host;
use crate::{Host, Way};

/// A request that [`EVERYTHING`](super::scene::EVERYTHING) permits, on a host with the namespaces `w` and `far`, and in
/// `w` a pair of links `v0` and `v1`.
pub struct Example {
    pub call: &'static str,
    /// A shell script that makes what the request also needs. `trace.pl` writes to `/run/scratch/trace`.
    pub before: &'static str,
    pub parameters: &'static str,
}

/// Each example is for its own host. There is an additional line for whatever takes another path through the broker: a
/// second namespace, a separate message, an answer that needs much memory.
pub const EXAMPLES: &[Example] = &[
    Example {
        // The directory is not a mount yet, and another process holds the lock on it until the broker waits for it.
        call: "Netns.Add",
        before: "umount -l /run/netns; exec 9</run/netns; flock 9; \
                 timeout 30 sh -c 'until grep -qs \"^call 2 230 \" /run/scratch/trace; do sleep 0.01; done' >/dev/null 2>&1 &",
        parameters: r#"{"netns": "new"}"#,
    },
    Example { call: "Netns.Add", before: "", parameters: r#"{"netns": "w", "exists_ok": true}"# },
    Example { call: "Netns.Delete", before: "ip netns add old", parameters: r#"{"netns": "old"}"# },
    Example { call: "Netns.Delete", before: "", parameters: r#"{"netns": "none", "missing_ok": true}"# },
    Example { call: "Netns.List", before: "", parameters: r#"{"netns": "@host"}"# },
    Example {
        call: "Netns.List", // so many names that the list of them grows where it does not fit the arena
        before: "cd /run/netns; seq -f %0250.0f 8300 | xargs touch",
        parameters: r#"{"netns": "@host"}"#,
    },
    Example { call: "Netns.Set", before: "", parameters: r#"{"netns": "w", "nsid": 7}"# },
    Example { call: "Netns.Numbers", before: "ip netns set w 7", parameters: r#"{"netns": "@host"}"# },
    Example { call: "Netns.Pids", before: "", parameters: r#"{"netns": "w"}"# },
    Example { call: "Netns.Pids", before: "", parameters: r#"{"netns": "@host"}"# },
    Example { call: "Netns.Get", before: "", parameters: r#"{"netns": "w"}"# },
    Example { call: "Netns.Get", before: "touch /run/netns/left", parameters: r#"{"netns": "left"}"# },
    Example {
        call: "Link.Add",
        before: "",
        parameters: r#"{"netns": "w", "link": "a0", "kind": "veth", "peer": {"name": "a1", "netns": "w"}}"#,
    },
    Example {
        call: "Link.Add",
        before: "",
        parameters: r#"{"netns": "w", "link": "a0", "kind": "veth", "up": true, "alias": "one end",
                        "peer": {"name": "a1", "netns": "far", "up": true}}"#,
    },
    Example {
        call: "Link.Add",
        before: "ip -n w link add a0 type veth peer a1 netns far",
        parameters: r#"{"netns": "w", "link": "a0", "kind": "veth", "exists_ok": true,
                        "peer": {"name": "a1", "netns": "far"}}"#,
    },
    Example { call: "Link.Add", before: "", parameters: r#"{"netns": "w", "link": "br0", "kind": "bridge"}"# },
    Example {
        call: "Link.Add",
        before: "",
        parameters: r#"{"netns": "w", "link": "x0", "kind": "vxlan", "vxlan": {"id": 7}}"#,
    },
    Example {
        call: "Link.Add",
        before: "",
        parameters: r#"{"netns": "w", "link": "m0", "kind": "macvlan", "parent": "v0"}"#,
    },
    Example {
        call: "Link.Add",
        before: "",
        parameters: r#"{"netns": "w", "link": "m0", "kind": "macvtap", "parent": "v0"}"#,
    },
    Example { call: "Link.Add", before: "", parameters: r#"{"netns": "w", "link": "i0", "kind": "ifb"}"# },
    Example {
        call: "Link.Add",
        before: "",
        parameters: r#"{"netns": "w", "link": "m0", "kind": "macvlan", "parent": "v0", "target_netns": "far",
                        "alias": "x"}"#,
    },
    Example {
        call: "Link.Set",
        before: "ip -n w link add br0 type bridge",
        parameters: r#"{"netns": "w", "link": "br0", "kind": "bridge", "bridge": {"ageing_time": 20000}}"#,
    },
    Example {
        call: "Link.Add",
        before: "",
        parameters: r#"{"netns": "w", "link": "t0", "kind": "tun", "up": true, "tun": {"mode": "tap", "group": 7}}"#,
    },
    Example {
        call: "Link.Add", // an answer as long as one link can make it
        before: "ip -n w tuntap add t0 mode tap user 64123; \
                 for i in $(seq 480); do printf 'link property add dev t0 altname %0120d\n' $i; done | ip -n w -batch -",
        parameters: r#"{"netns": "w", "link": "t0", "kind": "tun", "exists_ok": true, "tun": {"mode": "tap"}}"#,
    },
    Example { call: "Link.Set", before: "", parameters: r#"{"netns": "w", "link": "v0", "mtu": 1400}"# },
    Example {
        call: "Link.Set",
        before: "ip -n w link add x0 type vxlan id 7 dev v0",
        parameters: r#"{"netns": "w", "link": "x0", "kind": "vxlan", "parent": "v0", "vxlan": {"ttl": 7}}"#,
    },
    Example {
        call: "Link.Set",
        before: "ip -n w link add m0 link v0 type macvlan",
        parameters: r#"{"netns": "w", "link": "m0", "kind": "macvlan", "macvlan": {"mode": "bridge"}}"#,
    },
    Example {
        call: "Link.Set",
        before: "ip -n w link add m0 link v0 type macvtap",
        parameters: r#"{"netns": "w", "link": "m0", "kind": "macvtap", "macvlan": {"mode": "bridge"}}"#,
    },
    Example {
        call: "Link.Set", // every message that it can send
        before: "ip -n w link add br0 type bridge; ip -n w link property add dev v0 altname short",
        parameters: r#"{"netns": "w", "link": "v0", "mtu": 1400, "master": "br0", "bridge_port": {"isolated": true},
                        "add_altname": "other", "remove_altname": "short"}"#,
    },
    Example { call: "Link.Set", before: "", parameters: r#"{"netns": "w", "link": "v1", "target_netns": "far"}"# },
    Example {
        call: "Link.Delete",
        before: "ip -n w link add gone type bridge",
        parameters: r#"{"netns": "w", "link": "gone"}"#,
    },
    Example { call: "Link.List", before: "", parameters: r#"{"netns": "w"}"# },
    Example {
        call: "Address.Add",
        before: "",
        parameters: r#"{"netns": "w", "link": "v0", "address": "10.0.0.1/24"}"#,
    },
    Example {
        call: "Address.Delete",
        before: "ip -n w addr add 10.0.1.1/24 dev v0",
        parameters: r#"{"netns": "w", "link": "v0", "address": "10.0.1.1/24"}"#,
    },
    Example {
        call: "Address.Replace",
        before: "ip -n w addr add 10.0.1.1/24 dev v0",
        parameters: r#"{"netns": "w", "link": "v0", "address": "10.0.1.1/24", "valid_lifetime": 100,
                        "preferred_lifetime": 100}"#,
    },
    Example {
        call: "Address.Flush",
        before: "ip -n w addr add 10.0.1.1/24 dev v0",
        parameters: r#"{"netns": "w", "link": "v0"}"#,
    },
    Example { call: "Address.List", before: "", parameters: r#"{"netns": "@host"}"# },
    Example {
        call: "Address.List",
        before: "for i in $(seq 20); do seq -f \"addr add 10.9.$i.%.0f/32 dev v0\" 250; done | ip -n w -batch -",
        parameters: r#"{"netns": "w"}"#,
    },
    Example {
        call: "Route.Add",
        before: "ip -n w link set v0 up",
        parameters: r#"{"netns": "w", "destination": "10.1.0.0/16", "link": "v0"}"#,
    },
    Example {
        call: "Route.Add",
        before: "ip -n w link set v0 up",
        parameters: r#"{"netns": "w", "destination": "10.1.0.0/16", "link": "v0",
            "encap": {"kind": "ip", "destination": "10.0.0.9"}}"#,
    },
    Example {
        call: "Route.Replace",
        before: "ip -n w link set v0 up",
        parameters: r#"{"netns": "w", "destination": "10.1.0.0/16", "link": "v0"}"#,
    },
    Example {
        call: "Route.Delete",
        before: "ip -n w link set v0 up; ip -n w route add 10.1.0.0/16 dev v0",
        parameters: r#"{"netns": "w", "destination": "10.1.0.0/16"}"#,
    },
    Example {
        call: "Route.Append",
        before: "ip -n w link set v0 up; ip -n w route add blackhole 10.1.0.0/16",
        parameters: r#"{"netns": "w", "destination": "10.1.0.0/16", "link": "v0"}"#,
    },
    Example {
        call: "Route.Flush",
        before: "ip -n w link set v0 up; ip -n w route add 10.1.0.0/16 dev v0 table 100",
        parameters: r#"{"netns": "w", "table": 100}"#,
    },
    Example {
        call: "Neighbour.Add",
        before: "ip -n w link set v0 up",
        parameters: r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "mac": "02:00:00:00:00:09"}"#,
    },
    Example {
        call: "Neighbour.Replace",
        before: "ip -n w link set v0 up",
        parameters: r#"{"netns": "w", "link": "v0", "address": "10.0.0.9", "mac": "02:00:00:00:00:09"}"#,
    },
    Example {
        call: "Neighbour.Delete",
        before: "ip -n w link set v0 up; ip -n w neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev v0",
        parameters: r#"{"netns": "w", "link": "v0", "address": "10.0.0.9"}"#,
    },
    Example {
        call: "Neighbour.Flush",
        before: "ip -n w link set v0 up; ip -n w neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 nud stale dev v0",
        parameters: r#"{"netns": "w", "link": "v0"}"#,
    },
    Example {
        call: "Neighbour.Get",
        before: "ip -n w link set v0 up; ip -n w neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev v0",
        parameters: r#"{"netns": "w", "link": "v0", "address": "10.0.0.9"}"#,
    },
    Example { call: "Neighbour.List", before: "", parameters: r#"{"netns": "w"}"# },
    Example {
        call: "Rule.Add",
        before: "",
        parameters: r#"{"netns": "w", "family": "inet", "priority": 99, "table": 9}"#,
    },
    Example {
        call: "Rule.Delete",
        before: "ip -n w rule add priority 99 table 9",
        parameters: r#"{"netns": "w", "family": "inet", "priority": 99}"#,
    },
    Example {
        call: "Rule.Flush",
        before: "for n in 98 99; do ip -n w rule add priority $n table 9; done",
        parameters: r#"{"netns": "w", "family": "inet", "priorities": "98..99"}"#,
    },
    Example { call: "Rule.List", before: "", parameters: r#"{"netns": "w"}"# },
    Example {
        call: "Route.Get",
        before: "ip -n w link set v0 up; ip -n w route add 10.1.0.0/16 dev v0",
        parameters: r#"{"netns": "w", "destination": "10.1.0.9/32"}"#,
    },
    Example { call: "Route.List", before: "ip -n w link set v0 up", parameters: r#"{"netns": "w"}"# },
    Example { call: "Route.List", before: MANY_NEXT_HOPS, parameters: r#"{"netns": "w"}"# },
    Example {
        call: "Fdb.Add",
        before: "ip -n w link add br0 type bridge; ip -n w link set v0 master br0",
        parameters: r#"{"netns": "w", "link": "v0", "mac": "02:00:00:00:00:09", "targets": ["master", "self"]}"#,
    },
    Example {
        call: "Fdb.Add",
        before: "ip -n w link add x0 type vxlan id 7 dstport 4789; \
                 bridge -n w fdb add 02:00:00:00:00:09 dev x0 dst 10.1.0.9 via v0",
        parameters: r#"{"netns": "w", "link": "x0", "mac": "02:00:00:00:00:09", "remote": "10.1.0.9", "port": 4789,
                        "via": "v0", "exists_ok": true}"#,
    },
    Example {
        call: "Fdb.Append",
        before: "ip -n w link add x0 type vxlan id 7 dstport 4789",
        parameters: r#"{"netns": "w", "link": "x0", "mac": "00:00:00:00:00:00", "remote": "10.1.0.9"}"#,
    },
    Example {
        call: "Fdb.Replace",
        before: "ip -n w link add x0 type vxlan id 7 dstport 4789",
        parameters: r#"{"netns": "w", "link": "x0", "mac": "02:00:00:00:00:09", "remote": "10.1.0.9",
                        "extern_learn": true}"#,
    },
    Example {
        call: "Fdb.Delete",
        before: "ip -n w link add x0 type vxlan id 7 dstport 4789; \
                 bridge -n w fdb add 02:00:00:00:00:09 dev x0 dst 10.1.0.9",
        parameters: r#"{"netns": "w", "link": "x0", "mac": "02:00:00:00:00:09", "remote": "10.1.0.9"}"#,
    },
    Example {
        call: "Fdb.Flush",
        before: "ip -n w link add x0 type vxlan id 7 dstport 4789; \
                 bridge -n w fdb add 02:00:00:00:00:09 dev x0 dst 10.1.0.9",
        parameters: r#"{"netns": "w", "link": "x0"}"#,
    },
    Example { call: "Fdb.List", before: "", parameters: r#"{"netns": "w"}"# },
    Example {
        call: "Nexthop.Add",
        before: "ip -n w link set v0 up; ip -n w link set v1 up",
        parameters: r#"{"netns": "w", "nexthop_id": 7, "link": "v0"}"#,
    },
    Example {
        call: "Nexthop.Replace",
        before: "ip -n w link set v0 up; ip -n w link set v1 up",
        parameters: r#"{"netns": "w", "nexthop_id": 7, "link": "v0"}"#,
    },
    Example {
        call: "Nexthop.Delete",
        before: "ip -n w link set lo up; ip -n w nexthop add id 7 blackhole; ip -n w nexthop add id 8 group 7",
        parameters: r#"{"netns": "w", "nexthop_id": 8}"#,
    },
    Example {
        call: "Nexthop.Flush",
        before: "ip -n w link set lo up; ip -n w nexthop add id 7 blackhole; ip -n w nexthop add id 8 group 7",
        parameters: r#"{"netns": "w"}"#,
    },
    Example {
        call: "Nexthop.List",
        before: "ip -n w link set lo up; ip -n w nexthop add id 7 blackhole",
        parameters: r#"{"netns": "w"}"#,
    },
    Example {
        call: "Vlan.Delete", // this machine's kernel has no VLANs of bridges
        before: "ip -n w link add br0 type bridge; ip -n w link set v0 master br0",
        parameters: r#"{"netns": "w", "link": "v0", "vlans": 7, "missing_ok": true}"#,
    },
    Example {
        call: "Vlan.List",
        before: "ip -n w link add br0 type bridge; ip -n w link set v0 master br0",
        parameters: r#"{"netns": "w"}"#,
    },
    Example {
        call: "Vni.Add",
        before: "ip -n w link add x0 type vxlan external vnifilter",
        parameters: r#"{"netns": "w", "link": "x0", "vnis": "7..9"}"#,
    },
    Example {
        call: "Vni.Delete",
        before: "ip -n w link add x0 type vxlan external vnifilter; bridge -n w vni add dev x0 vni 7-9",
        parameters: r#"{"netns": "w", "link": "x0", "vnis": 8}"#,
    },
    Example {
        call: "Vni.List",
        before: "ip -n w link add x0 type vxlan external vnifilter; bridge -n w vni add dev x0 vni 7-9",
        parameters: r#"{"netns": "w"}"#,
    },
];

/// The same for calls that this machine's kernel does not support, because its bridges have no VLANs. `tests/each_kernel.rs`
/// makes these requests.
pub const EXAMPLES_ON_OTHER_KERNELS: &[Example] = &[
    Example {
        call: "Vlan.Add",
        before: "ip -n w link add br0 type bridge; ip -n w link set v0 master br0",
        parameters: r#"{"netns": "w", "link": "v0", "vlans": "7..9"}"#,
    },
    Example {
        call: "Vlan.Replace",
        before: "ip -n w link add br0 type bridge; ip -n w link set v0 master br0",
        parameters: r#"{"netns": "w", "link": "v0", "vlans": 1, "pvid": true}"#,
    },
    Example {
        call: "Vlan.Delete",
        before: "ip -n w link add br0 type bridge; ip -n w link set v0 master br0",
        parameters: r#"{"netns": "w", "link": "v0", "vlans": 1}"#,
    },
];

/// A route that the kernel reports in 32 KB, nearly the longest message of a listing, and the broker in 300 KB, which do not
/// fit the arena. `ip` adds no more than some hundred next hops. Another route must come first: the first datagram of a listing
/// has only a page, and the kernel ends the listing where a route does not fit an empty datagram.
const MANY_NEXT_HOPS: &str = r#"
ip -n w link add bridge-of-many index 2000000000 type bridge; ip -n w link set bridge-of-many up
ip -n w addr add 10.0.0.1/24 dev bridge-of-many
ip netns exec w perl -e '
    my $next_hops = pack("SCCl", 8, 0, 255, 2000000000) x 3900; # struct rtnexthop
    my $route = pack("C8L", 2, 24, 0, 0, 254, 4, 253, 1, 0) . pack("SSC4", 8, 1, 10, 7, 0, 0) # RTA_DST
        . pack("SS", 4 + length $next_hops, 9) . $next_hops; # RTA_MULTIPATH
    socket(my $kernel, 16, 3, 0) or die $!;
    send($kernel, pack("LSSLL", 16 + length $route, 24, 0x605, 0, 0) . $route, 0) or die $!; # RTM_NEWROUTE
    recv($kernel, my $answer, 100000, 0) // die $!;
    ($! = -unpack "x16l", $answer) == 0 or die $!'
"#;

/// Kinds that this machine's kernel may lack. `tests/other_kernels.rs` makes links of each on a kernel that has them.
pub const ON_OTHER_KERNELS: &[&str] = &[
    "bond",
    "can",
    "dummy",
    "vcan",
    "vlan",
    "vrf",
    "ipvlan",
    "geneve",
    "ipip",
    "sit",
    "ip6tnl",
    "gre",
    "gretap",
    "ip6gre",
    "ip6gretap",
    "wireguard",
    "xfrm",
    "netkit",
];

impl Example {
    pub fn call(&self) -> &'static Call {
        call::by_name(self.call).unwrap_or_else(|| panic!("{}: no such call", self.call))
    }

    pub fn needs(&self) -> Needs {
        let kind = self.parameters().get("kind").and_then(Value::as_str).and_then(|kind| self.call().kind(kind));
        kind.map_or(self.call().needs, |kind| kind.needs)
    }

    pub fn parameters(&self) -> Value {
        serde_json::from_str(self.parameters).unwrap_or_else(|e| panic!("{}: {e}: {}", self.call, self.parameters))
    }

    /// Whether what it needs waits for a tracer's log.
    pub fn needs_trace(&self) -> bool {
        self.before.contains("/run/scratch/trace")
    }

    /// The error that root gets, if any: one example asks for a link that alice has made already.
    pub fn error_of_root(&self) -> Option<&'static str> {
        self.before.contains("user 64123").then_some("io.netbroker.Link.AlreadyExists")
    }

    /// A host where it succeeds.
    pub fn furnished(&self) -> Host {
        let host = open_host();
        host.install(Way::Root);
        host.sh("for name in w far; do ip netns add $name; done; ip -n w link add v0 type veth peer name v1");
        host.sh(self.before);
        host
    }

    /// The message, ended by NUL.
    pub fn request(&self) -> Vec<u8> {
        format!("{{\"method\":\"io.netbroker.{}\",\"parameters\":{}}}\0", self.call, self.parameters).into_bytes()
    }
}

/// All that succeed on this machine. Panics with the name of a call or kind that has no example.
pub fn examples() -> &'static [Example] {
    for call in call::all() {
        for kind in call.varieties().map(|kind| kind.map(|kind| kind.name)) {
            let is_shown =
                |of: &Example| of.call == call.name && of.parameters().get("kind").and_then(Value::as_str) == kind;
            let of_kind = kind.map_or_else(String::new, |kind| format!(" of kind {kind}"));
            assert!(
                kind.is_some_and(|kind| ON_OTHER_KERNELS.contains(&kind))
                    || EXAMPLES.iter().chain(EXAMPLES_ON_OTHER_KERNELS).any(is_shown),
                "{}{of_kind}: tests/common/calls.rs has no example of it",
                call.name
            );
        }
    }
    EXAMPLES
}
