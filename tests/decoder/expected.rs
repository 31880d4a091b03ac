// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the decoder must show for each field of each call. It is written from the kernel's headers and the decoder's
//! documentation, not from the broker's encoder. A field that no table names has no expectation, and that is an error.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

/// What a request gives: its call, its fields including defaults, and the indexes of links.
pub(crate) struct Given<'a> {
    pub(crate) call: &'a str,
    pub(crate) fields: BTreeMap<&'static str, Value>,
    pub(crate) links: &'a [(String, u32)],
}

impl Given<'_> {
    fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }

    fn is_set(&self, field: &str) -> bool {
        self.fields.get(field) == Some(&Value::Bool(true))
    }

    fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// The index of a link; 0, which nothing shows, where the kernel has not made the link.
    fn index(&self, name: &str) -> u32 {
        self.links.iter().find(|(known, _)| known == name).map_or(0, |(_, index)| *index)
    }

    fn is_kind(&self, kind: &str) -> bool {
        self.text("kind") == Some(kind)
    }
}

type Parts = Vec<String>;

/// The parts that show a field.
#[derive(Clone, Copy)]
pub(crate) enum Shows {
    /// These parts, if the field has a value.
    Parts(fn(&Given<'_>, &Value) -> Parts),
    /// These parts with a value, and those without one.
    Always(fn(&Given<'_>, Option<&Value>) -> Parts),
    /// No parts, for this reason.
    Nothing(&'static str),
}

impl Shows {
    pub(crate) fn parts(self, given: &Given<'_>, value: Option<&Value>) -> Parts {
        match (self, value) {
            (Self::Parts(parts), Some(value)) => parts(given, value),
            (Self::Always(parts), value) => parts(given, value),
            (Self::Parts(_), None) | (Self::Nothing(_), _) => Vec::new(),
        }
    }
}

use Shows::{Always, Nothing};

type Row = (&'static str, Shows);

/// One call.
pub(crate) struct Expected {
    pub(crate) call: &'static str,
    /// The messages that carry it out, apart from look-ups: each a word of the decoder, with flags.
    pub(crate) messages: fn(&Given<'_>) -> Vec<&'static str>,
    /// Parts that come with the call, whatever its fields are.
    pub(crate) parts: &'static [&'static str],
    pub(crate) rows: &'static [Row],
}

impl Expected {
    /// Panics where a call has none: whoever declares a call adds here what it must show.
    pub(crate) fn of(call: &str) -> &'static Self {
        let found = EXPECTED.iter().find(|expected| expected.call == call);
        found.unwrap_or_else(|| panic!("call {call} has no expectation in tests/decoder/expected.rs"))
    }

    pub(crate) fn row(&self, field: &str) -> Option<Shows> {
        // What only a kind has is shown alike where a link is made and where it is changed.
        let of_kinds = if self.call == "Link.Set" { LINK_ADD } else { &[] };
        self.rows.iter().chain(of_kinds).find(|(name, _)| *name == field).map(|(_, shows)| *shows)
    }
}

/// Every call and field that has an expectation.
pub(crate) fn named() -> impl Iterator<Item = (&'static str, &'static str, Shows)> {
    EXPECTED.iter().flat_map(|expected| expected.rows.iter().map(|(field, shows)| (expected.call, *field, *shows)))
}

/// A part with the value in place of `{}`.
macro_rules! shows {
    ($text:literal) => {
        Shows::Parts(|_, value| vec![format!($text, plain(value))])
    };
    ($text:literal, $form:ident) => {
        Shows::Parts(|given, value| vec![format!($text, $form(given, value))])
    };
}

/// A part that does not depend on the value.
macro_rules! shown {
    ($text:literal) => {
        Shows::Parts(|_, _| vec![$text.to_owned()])
    };
}

/// Parts for a boolean that is true; no parts for one that is false.
macro_rules! when {
    ($($text:literal),+) => {
        Shows::Parts(|_, value| if *value == Value::Bool(true) { vec![$($text.to_owned()),+] } else { Vec::new() })
    };
}

/// A flag of a link, with the word for true and that for false.
macro_rules! link_flag {
    ($flag:literal) => {
        link_flag!($flag, "on", "off")
    };
    ($flag:literal, $true:literal, $false:literal) => {
        Shows::Parts(|_, value| {
            vec![format!("LinkFlags({}) {}", $flag, if *value == Value::Bool(true) { $true } else { $false })]
        })
    };
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn index(given: &Given<'_>, value: &Value) -> u32 {
    given.index(value.as_str().unwrap())
}

fn mac(_: &Given<'_>, value: &Value) -> String {
    let bytes = value.as_str().unwrap().split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap());
    format!("{:?}", bytes.collect::<Vec<_>>())
}

fn ip(text: &str) -> IpAddr {
    text.split('/').next().unwrap().parse().unwrap()
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "Inet" } else { "Inet6" }
}

/// An address, in the decoder's words for addresses of routes and neighbours.
fn of_family(_: &Given<'_>, value: &Value) -> String {
    let address = ip(value.as_str().unwrap());
    format!("{}({address})", family(address))
}

/// An address with its prefix length: the family, the length under a name, the address as an attribute.
fn prefix(value: &Value, length: &str, attribute: impl Fn(IpAddr) -> String) -> Parts {
    let (address, bits) = value.as_str().unwrap().split_once('/').unwrap();
    let mut parts = vec![format!("family {}", family(ip(address)))];
    if bits != "0" {
        parts.extend([format!("{length} {bits}"), attribute(ip(address))]);
    }
    parts
}

/// The decoder's word for one of the broker's; `None` for a word that is 0 in a header.
fn word<'a>(value: &Value, words: &[(&str, &'a str)]) -> &'a str {
    let given = value.as_str().unwrap();
    words.iter().find(|(ours, _)| *ours == given).unwrap_or_else(|| panic!("word {given} has no expectation")).1
}

fn header_word(name: &str, word: &str) -> Parts {
    if word.is_empty() { Vec::new() } else { vec![format!("{name} {word}")] }
}

fn inet(_: &Given<'_>, value: &Value) -> &'static str {
    word(value, &[("inet", "Inet"), ("inet6", "Inet6")])
}

const IN_NETNS: Row = ("netns", Nothing("it is where the socket is opened"));
const EXISTS_OK: Row = ("exists_ok", Nothing("it decides what EEXIST means"));
const MISSING_OK: Row = ("missing_ok", Nothing("it decides what absence means"));

pub(crate) static EXPECTED: &[Expected] = &[
    Expected {
        call: "Netns.Set",
        messages: |_| vec!["NewNsId"],
        parts: &[],
        rows: &[("netns", shown!("Fd")), ("nsid", shows!("Id({})")), EXISTS_OK],
    },
    Expected { call: "Netns.Numbers", messages: |_| vec!["GetNsId dump"], parts: &[], rows: &[IN_NETNS] },
    Expected {
        call: "Netns.Get",
        messages: |given| if is_left_over(given) { Vec::new() } else { vec!["GetNsId"] },
        parts: &[],
        rows: &[(
            "netns",
            Shows::Parts(|given, _| if is_left_over(given) { Vec::new() } else { vec!["Fd".to_owned()] }),
        )],
    },
    Expected { call: "Link.Add", messages: link_messages, parts: &[], rows: LINK_ADD },
    Expected {
        call: "Link.Set",
        messages: |given| vec![if has_own(given) { "NewLink" } else { "SetLink" }],
        parts: &[],
        rows: LINK_SET,
    },
    Expected {
        call: "Link.Delete",
        messages: |_| vec!["DelLink"],
        parts: &[],
        rows: &[IN_NETNS, ("link", shows!("IfName(\"{}\")")), ("index", shows!("index {}")), MISSING_OK],
    },
    Expected {
        call: "Link.List",
        messages: |given| vec![if given.has("link") || given.has("index") { "GetLink" } else { "GetLink dump" }],
        parts: &[],
        rows: &[
            IN_NETNS,
            (
                "with_vfs",
                Shows::Parts(|given, _| {
                    vec![format!("ExtMask([{}SkipStats])", if given.is_set("with_vfs") { "Vf, " } else { "" })]
                }),
            ),
            ("with_stats", Nothing("the kernel always reports these counters")),
            (
                "kind",
                Shows::Parts(|given, value| {
                    let of_one = given.has("link") || given.has("index"); // then the broker compares it
                    if of_one { Vec::new() } else { kind(given, value) }
                }),
            ),
            ("master", shows!("Controller({})", index)), // in a listing; of one link, the broker compares it
            ("group", Nothing("the broker compares it")),
            ("up", Nothing("the broker compares it")),
            (
                "link",
                Shows::Parts(|given, value| {
                    if given.has("index") {
                        Vec::new() // the name is compared with that of the link of this index
                    } else {
                        vec![format!("IfName({value})")]
                    }
                }),
            ),
            ("index", shows!("index {}")),
        ],
    },
    Expected { call: "Address.Add", messages: |_| vec!["NewAddress create excl"], parts: &[], rows: ADDRESS },
    Expected { call: "Address.Delete", messages: |_| vec!["DelAddress"], parts: &[], rows: ADDRESS },
    Expected { call: "Address.Replace", messages: |_| vec!["NewAddress create replace"], parts: &[], rows: ADDRESS },
    Expected {
        call: "Address.Flush",
        messages: |_| vec!["DelAddress"],
        parts: &[],
        rows: &[
            IN_NETNS,
            ("link", shows!("index {}", index)),
            ("family", shows!("family {}", inet)),
            ("address", Nothing("the broker compares it")),
            ("peer_address", Nothing("the broker compares it")),
            ("scope", Nothing("the broker compares it")),
            ("label", Nothing("the broker compares it")),
        ],
    },
    Expected {
        call: "Address.List",
        messages: |_| vec!["GetAddress dump"],
        parts: &[],
        rows: &[
            IN_NETNS,
            ("link", shows!("index {}", index)),
            ("index", shows!("index {}")),
            ("family", shows!("family {}", inet)),
            ("scope", Nothing("the kernel has no filter for it")),
        ],
    },
    Expected { call: "Route.Add", messages: |_| vec!["NewRoute create excl"], parts: &[], rows: ROUTE },
    Expected { call: "Route.Replace", messages: |_| vec!["NewRoute create replace"], parts: &[], rows: ROUTE },
    Expected { call: "Route.Append", messages: |_| vec!["NewRoute create append"], parts: &[], rows: ROUTE },
    Expected { call: "Route.Delete", messages: |_| vec!["DelRoute"], parts: &[], rows: ROUTE },
    Expected { call: "Route.Flush", messages: |_| vec!["DelRoute"], parts: &[], rows: ROUTE },
    Expected { call: "Route.Get", messages: |_| vec!["GetRoute"], parts: &[], rows: ROUTE_GET },
    Expected {
        call: "Route.List",
        messages: |given| {
            let is_one = given.has("family") || given.has("destination");
            vec!["GetRoute dump"; if is_one { 1 } else { 2 }] // one family after the other
        },
        parts: &[],
        rows: ROUTE_LIST,
    },
    Expected { call: "Neighbour.Add", messages: |_| vec!["NewNeighbour create excl"], parts: &[], rows: NEIGHBOUR },
    Expected {
        call: "Neighbour.Replace",
        messages: |_| vec!["NewNeighbour create replace"],
        parts: &[],
        rows: NEIGHBOUR,
    },
    Expected { call: "Neighbour.Delete", messages: |_| vec!["DelNeighbour"], parts: &[], rows: NEIGHBOUR },
    Expected {
        call: "Neighbour.Flush",
        messages: |_| vec!["DelNeighbour"],
        parts: &[],
        rows: &[
            IN_NETNS,
            ("link", shows!("index {}", index)),
            ("address", Nothing("the broker compares it")),
            ("family", shows!("family {}", inet)),
            ("states", Nothing("the broker compares it")),
            ("proxy", when!("NeighbourFlags(Proxy)")),
        ],
    },
    Expected { call: "Neighbour.Get", messages: |_| vec!["GetNeighbour"], parts: &[], rows: NEIGHBOUR },
    Expected {
        call: "Neighbour.List",
        messages: |_| vec!["GetNeighbour dump"],
        parts: &[],
        rows: &[
            IN_NETNS,
            ("link", shows!("IfIndex({})", index)),
            ("index", shows!("IfIndex({})")),
            ("family", shows!("family {}", inet)),
            ("proxy", when!("NeighbourFlags(Proxy)")),
        ],
    },
    Expected { call: "Fdb.Add", messages: |given| fdb(given, "NewNeighbour create excl"), parts: &[], rows: FDB },
    Expected { call: "Fdb.Append", messages: |_| vec!["NewNeighbour create append"], parts: &[], rows: FDB },
    Expected {
        call: "Fdb.Replace",
        messages: |given| fdb(given, "NewNeighbour create replace"),
        parts: &[],
        rows: FDB,
    },
    Expected { call: "Fdb.Delete", messages: |given| fdb(given, "DelNeighbour"), parts: &[], rows: FDB },
    Expected { call: "Fdb.Flush", messages: |given| fdb(given, "DelNeighbour"), parts: &[], rows: FDB },
    Expected {
        call: "Fdb.List",
        messages: |_| vec!["GetNeighbour dump"],
        parts: &["family Bridge"],
        rows: &[IN_NETNS, ("link", shows!("IfIndex({})", index)), ("index", shows!("IfIndex({})"))],
    },
    Expected { call: "Rule.Add", messages: |_| vec!["NewRule create excl"], parts: &[], rows: RULE },
    Expected { call: "Rule.Delete", messages: |_| vec!["DelRule"], parts: &[], rows: RULE },
    // Of the example in tests/common/calls.rs, which has two rules, and of the others, which have one.
    Expected {
        call: "Rule.Flush",
        messages: |given| vec!["DelRule"; if given.text("priorities") == Some("98..99") { 2 } else { 1 }],
        parts: &[],
        rows: FLUSH,
    },
    Expected {
        call: "Rule.List",
        messages: |_| vec!["GetRule dump"],
        parts: &[],
        rows: &[IN_NETNS, ("family", shows!("family {}", inet))],
    },
    Expected { call: "Nexthop.Add", messages: |_| vec!["NewNexthop create excl"], parts: &[], rows: NEXTHOP },
    Expected { call: "Nexthop.Replace", messages: |_| vec!["NewNexthop create replace"], parts: &[], rows: NEXTHOP },
    Expected { call: "Nexthop.Delete", messages: |_| vec!["DelNexthop"], parts: &[], rows: NEXTHOP_FILTERS },
    // Of the example in tests/common/calls.rs, which has two objects, and of the others, which have one.
    Expected {
        call: "Nexthop.Flush",
        messages: |given| vec!["DelNexthop"; if given.has("nexthop_ids") { 1 } else { 2 }],
        parts: &[],
        rows: NEXTHOP_FILTERS,
    },
    Expected {
        call: "Nexthop.List",
        messages: |_| vec!["GetNexthop dump"],
        parts: &[],
        rows: &[
            IN_NETNS,
            ("nexthop_ids", Nothing("the kernel has no filter for it")),
            ("family", shows!("family {}", inet)),
            ("gateway", Nothing("the kernel has no filter for it")),
            ("link", shows!("Oif({})", index)),
            ("onlink", Nothing("the kernel has no filter for it")),
            ("blackhole", Nothing("the kernel has no filter for it")),
            ("fdb", Nothing("the kernel ignores its filter")),
            ("protocol", Nothing("the kernel has no filter for it")),
            ("master", shows!("Master({})", index)),
        ],
    },
    Expected { call: "Vlan.Add", messages: |_| vec!["SetLink"], parts: &["family Bridge"], rows: VLAN },
    Expected { call: "Vlan.Replace", messages: |_| vec!["SetLink"], parts: &["family Bridge"], rows: VLAN },
    // A kernel whose bridges have no VLANs has none to delete. `tests/vlan.rs` has the bytes.
    Expected {
        call: "Vlan.Delete",
        messages: |_| Vec::new(),
        parts: &[],
        rows: &[
            IN_NETNS,
            MISSING_OK,
            ("link", Nothing("it has no VLANs")),
            ("vlans", Nothing("the link has none")),
            ("target", Nothing("the broker compares it")),
        ],
    },
    Expected {
        call: "Vlan.List",
        messages: |_| vec!["GetLink dump"],
        parts: &["family Bridge", "ExtMask([BrvlanCompressed])"],
        rows: &[
            IN_NETNS,
            ("link", Nothing("the kernel lists all links, and the broker compares it")),
            ("index", Nothing("the kernel lists all links, and the broker compares it")),
        ],
    },
];

const NEXTHOP: &[Row] = &[
    IN_NETNS,
    ("nexthop_id", shows!("Id({})")),
    ("family", shows!("family {}", inet)),
    ("gateway", shows!("Gateway({})")),
    ("link", shows!("Oif({})", index)),
    ("onlink", when!("flags 4")),
    ("blackhole", when!("Blackhole")),
    ("fdb", when!("Fdb")),
    ("protocol", Shows::Parts(|_, value| if *value == 0 { Vec::new() } else { vec![format!("protocol {value}")] })),
    ("members", Nothing("its elements show it")),
    ("members.nexthop_id", Shows::Parts(|_, value| vec![format!("id {value}")])),
    ("members.weight", Shows::Parts(|_, value| vec![format!("weight {value}")])),
    EXISTS_OK,
];

/// The broker reads the object, compares it, and deletes it by its number.
const NEXTHOP_FILTERS: &[Row] = &[
    IN_NETNS,
    ("nexthop_id", shows!("Id({})")),
    ("nexthop_ids", Nothing("the broker compares it")),
    ("family", Nothing("the broker compares it")),
    ("gateway", Nothing("the broker compares it")),
    ("link", Nothing("the broker compares it")),
    ("onlink", Nothing("the broker compares it")),
    ("blackhole", Nothing("the broker compares it")),
    ("fdb", Nothing("the broker compares it")),
    ("protocol", Nothing("the broker compares it")),
    MISSING_OK,
];

/// Whether the namespace of an example is a plain file, which has no id that could be looked up.
fn is_left_over(given: &Given<'_>) -> bool {
    given.text("netns") == Some("left")
}

/// Whether a link goes up by a message of its own: IPv6 then makes addresses in the mode that was set before.
fn goes_up_last(given: &Given<'_>) -> bool {
    given.has("addrgenmode") && given.is_set("up")
}

/// What a link gets by a separate message: an alias and a mode in one, the other end going up, the link itself going up
/// after that, and everything of a tap.
fn link_messages(given: &Given<'_>) -> Vec<&'static str> {
    let up = usize::from(goes_up_last(given));
    if given.is_kind("tun") {
        let common = ["mtu", "mac", "master", "alias", "group", "txqueuelen", "addrgenmode"];
        let changed = common.iter().any(|field| given.has(field)) || given.is_set("up");
        return vec!["SetLink"; usize::from(changed) + up];
    }
    let later = given.has("alias") || given.has("addrgenmode");
    let more = usize::from(later) + usize::from(given.is_set("peer.up")) + up;
    [vec!["NewLink create excl"], vec!["SetLink"; more]].concat()
}

/// Whether a field is given that only some kinds have. Then the kernel compares the kind.
fn has_own(given: &Given<'_>) -> bool {
    let own = ["bridge.", "bond.", "vxlan.", "macvlan.", "parent"];
    given.fields.keys().any(|field| own.iter().any(|own| field.starts_with(own)))
}

/// The part of one virtual function's structure; 4 bytes of its number come first.
fn of_vf(given: &Given<'_>, text: &str) -> Parts {
    vec![format!("vf {}", text.replace('#', &given.fields["vf.index"].to_string()))]
}

fn kind(_: &Given<'_>, value: &Value) -> Parts {
    let words = [
        ("veth", "Veth"),
        ("bridge", "Bridge"),
        ("bond", "Bond"),
        ("vxlan", "Vxlan"),
        ("macvlan", "MacVlan"),
        ("macvtap", "MacVtap"),
        ("ifb", "Ifb"),
        ("tun", ""),
        ("dummy", "Dummy"),
        ("vcan", "Vcan"),
        ("vlan", "Vlan"),
        ("vrf", "Vrf"),
        ("ipvlan", "IpVlan"),
        ("geneve", "Geneve"),
        ("ipip", "IpIp"),
        ("sit", "SitTun"),
        ("ip6tnl", "Ip6Tnl"),
        ("gre", "GreTun"),
        ("gretap", "GreTap"),
        ("ip6gre", "GreTun6"),
        ("ip6gretap", "GreTap6"),
        ("wireguard", "Wireguard"),
        ("xfrm", "Xfrm"),
        ("netkit", "Netkit"),
    ];
    let word = word(value, &words);
    if word.is_empty() { Vec::new() } else { vec![format!("Kind({word})")] } // a tap is made by ioctl(2)
}

const IOCTL: Shows = Nothing("it is set by ioctl(2) on /dev/net/tun");

/// A keyword of a kind's data.
macro_rules! data_word {
    ($name:literal, $($ours:literal => $theirs:literal),+) => {
        Shows::Parts(|_, value| vec![format!("data {}({})", $name, word(value, &[$(($ours, $theirs)),+]))])
    };
}

/// `IFLA_BR_…` (`linux/if_link.h`).
const BRIDGE_STP: Row = (
    "bridge.stp",
    Shows::Parts(|_, value| {
        vec![format!("data StpState({})", if *value == Value::Bool(true) { "KernelStp" } else { "Disabled" })]
    }),
);
const BRIDGE_FORWARD_DELAY: Row = ("bridge.forward_delay", shows!("data ForwardDelay({})"));
const BRIDGE_AGEING_TIME: Row = ("bridge.ageing_time", shows!("data AgeingTime({})"));
const BRIDGE_VLAN_FILTERING: Row = ("bridge.vlan_filtering", shows!("data VlanFiltering({})"));
const BRIDGE_VLAN_DEFAULT_PVID: Row = ("bridge.vlan_default_pvid", shows!("data VlanDefaultPvid({})"));
const BRIDGE_HELLO_TIME: Row = ("bridge.hello_time", shows!("data HelloTime({})"));
const BRIDGE_MAX_AGE: Row = ("bridge.max_age", shows!("data MaxAge({})"));
const BRIDGE_PRIORITY: Row = ("bridge.priority", shows!("data Priority({})"));
const BRIDGE_GROUP_FWD_MASK: Row = ("bridge.group_fwd_mask", shows!("data GroupFwdMask({})"));
const BRIDGE_VLAN_STATS_ENABLED: Row = ("bridge.vlan_stats_enabled", shows!("data VlanStatsEnabled({})"));
const BRIDGE_MCAST_SNOOPING: Row = ("bridge.mcast_snooping", shows!("data MulticastSnooping({})"));
const BRIDGE_MCAST_QUERY_USE_IFADDR: Row =
    ("bridge.mcast_query_use_ifaddr", shows!("data MulticastQueryUseIfaddr({})"));
const BRIDGE_MCAST_QUERIER: Row = ("bridge.mcast_querier", shows!("data MulticastQuerier({})"));
const BRIDGE_MCAST_HASH_MAX: Row = ("bridge.mcast_hash_max", shows!("data MulticastHashMax({})"));
const BRIDGE_MCAST_LAST_MEMBER_COUNT: Row =
    ("bridge.mcast_last_member_count", shows!("data MulticastLastMemberCount({})"));
const BRIDGE_MCAST_STARTUP_QUERY_COUNT: Row =
    ("bridge.mcast_startup_query_count", shows!("data MulticastStartupQueryCount({})"));
const BRIDGE_MCAST_LAST_MEMBER_INTERVAL: Row =
    ("bridge.mcast_last_member_interval", shows!("data MulticastLastMemberInterval({})"));
const BRIDGE_MCAST_MEMBERSHIP_INTERVAL: Row =
    ("bridge.mcast_membership_interval", shows!("data MulticastMembershipInterval({})"));
const BRIDGE_MCAST_QUERIER_INTERVAL: Row =
    ("bridge.mcast_querier_interval", shows!("data MulticastQuerierInterval({})"));
const BRIDGE_MCAST_QUERY_INTERVAL: Row = ("bridge.mcast_query_interval", shows!("data MulticastQueryInterval({})"));
const BRIDGE_MCAST_QUERY_RESPONSE_INTERVAL: Row =
    ("bridge.mcast_query_response_interval", shows!("data MulticastQueryResponseInterval({})"));
const BRIDGE_MCAST_STARTUP_QUERY_INTERVAL: Row =
    ("bridge.mcast_startup_query_interval", shows!("data MulticastStartupQueryInterval({})"));
const BRIDGE_MCAST_STATS_ENABLED: Row = ("bridge.mcast_stats_enabled", shows!("data MulticastStatsEnabled({})"));
const BRIDGE_MCAST_IGMP_VERSION: Row = ("bridge.mcast_igmp_version", shows!("data MulticastIgmpVersion({})"));
const BRIDGE_MCAST_MLD_VERSION: Row = ("bridge.mcast_mld_version", shows!("data MulticastMldVersion({})"));
const BRIDGE_VLAN_PROTOCOL: Row =
    ("bridge.vlan_protocol", data_word!("VlanProtocol", "ieee802_1q" => "Ieee8021Q", "ieee802_1ad" => "Ieee8021Ad"));
const BRIDGE_MCAST_ROUTER: Row = (
    "bridge.mcast_router",
    data_word!(
        "MulticastRouter", "disabled" => "Disabled", "automatic" => "TempQuery", "permanent" => "Permanent"
    ),
);

/// `IFLA_BOND_…` (`linux/if_link.h`), `BOND_…` (`linux/if_bonding.h`).
const BOND_MODE: Row = (
    "bond.mode",
    data_word!(
        "Mode", "balance_rr" => "BalanceRr", "active_backup" => "ActiveBackup", "balance_xor" => "BalanceXor",
        "broadcast" => "Broadcast", "ieee802_3ad" => "Ieee8023Ad", "balance_tlb" => "BalanceTlb",
        "balance_alb" => "BalanceAlb"
    ),
);
const BOND_MIIMON: Row = ("bond.miimon", shows!("data MiiMon({})"));
const BOND_UPDELAY: Row = ("bond.updelay", shows!("data UpDelay({})"));
const BOND_DOWNDELAY: Row = ("bond.downdelay", shows!("data DownDelay({})"));
const BOND_ARP_INTERVAL: Row = ("bond.arp_interval", shows!("data ArpInterval({})"));
const BOND_ARP_IP_TARGET: Row = (
    "bond.arp_ip_target",
    Shows::Parts(|_, value| {
        let targets: Vec<&str> = value.as_array().unwrap().iter().map(|target| target.as_str().unwrap()).collect();
        vec![format!("data ArpIpTarget([{}])", targets.join(", "))]
    }),
);
const BOND_PRIMARY: Row = ("bond.primary", shows!("data Primary({})", index));
const BOND_FAIL_OVER_MAC: Row =
    ("bond.fail_over_mac", data_word!("FailOverMac", "none" => "None", "active" => "Active", "follow" => "Follow"));
const BOND_XMIT_HASH_POLICY: Row = (
    "bond.xmit_hash_policy",
    data_word!(
        "XmitHashPolicy", "layer2" => "Layer2", "layer3_4" => "Layer34", "layer2_3" => "Layer23",
        "encap2_3" => "Encap23", "encap3_4" => "Encap34", "vlan_srcmac" => "VlanSrcMac"
    ),
);
const BOND_ALL_PORTS_ACTIVE: Row = (
    "bond.all_ports_active",
    Shows::Parts(|_, value| {
        vec![format!("data AllPortsActive({})", if *value == Value::Bool(true) { "Delivered" } else { "Dropped" })]
    }),
);
const BOND_MIN_LINKS: Row = ("bond.min_links", shows!("data MinLinks({})"));
const BOND_LACP_RATE: Row = ("bond.lacp_rate", data_word!("AdLacpRate", "slow" => "Slow", "fast" => "Fast"));
const BOND_AD_SELECT: Row =
    ("bond.ad_select", data_word!("AdSelect", "stable" => "Stable", "bandwidth" => "Bandwidth", "count" => "Count"));

const GROUP: Row = ("group", shows!("Group({})"));
const TXQUEUELEN: Row = ("txqueuelen", shows!("TxQueueLen({})"));

/// `IFLA_INET6_ADDR_GEN_MODE`, in `AF_INET6` of `IFLA_AF_SPEC`.
fn addrgenmode(_: &Given<'_>, value: &Value) -> String {
    let words = [("eui64", "Eui64"), ("none", "None"), ("stable_privacy", "StablePrivacy"), ("random", "Random")];
    format!("AfSpecUnspec([Inet6([AddrGenMode({})])])", word(value, &words))
}

/// Whether a link is made under a temporary name and moved by a second message. Where a kernel lacks the kind, that is not
/// sent.
fn moves(given: &Given<'_>) -> bool {
    let kinds = ["ipip", "sit", "ip6tnl", "gre", "gretap", "ip6gre", "ip6gretap", "xfrm"];
    given.has("target_netns") && kinds.iter().any(|kind| given.is_kind(kind))
}

/// `IFLA_…`, `IFLA_INFO_…` (`linux/if_link.h`).
const LINK_ADD: &[Row] = &[
    IN_NETNS,
    EXISTS_OK,
    (
        "link",
        Shows::Parts(|given, value| match (given.is_kind("tun"), link_messages(given).is_empty()) {
            (true, true) => Vec::new(),
            // It is made without a message. Later messages refer to it by its index.
            (true, false) => vec![format!("index {}", given.index(given.text("link").unwrap()))],
            // FNV-1a of `a0`, the name in all these requests.
            (false, _) if moves(given) => vec!["IfName(\"nb1b24b714\")".to_owned()],
            (false, _) => vec![format!("IfName({value})")],
        }),
    ),
    ("kind", Shows::Parts(kind)),
    ("target_netns", Shows::Parts(|given, _| if moves(given) { Vec::new() } else { vec!["NetNsFd".to_owned()] })),
    ("mtu", shows!("Mtu({})")),
    ("mac", shows!("Address({})", mac)),
    ("master", shows!("Controller({})", index)),
    (
        "up",
        Shows::Parts(|given, value| {
            let mut parts = Vec::new();
            if *value == Value::Bool(true) {
                parts.push("LinkFlags(Up) on".to_owned());
            }
            if goes_up_last(given) {
                parts.push(format!("index {}", given.index(given.text("link").unwrap())));
            }
            parts
        }),
    ),
    GROUP,
    TXQUEUELEN,
    ("tx_queues", shows!("NumTxQueues({})")),
    ("rx_queues", shows!("NumRxQueues({})")),
    (
        "addrgenmode",
        Shows::Parts(|given, value| {
            let mut parts = vec![addrgenmode(given, value)];
            if !given.is_kind("tun") && !given.has("alias") {
                parts.push(format!("index {}", given.index(given.text("link").unwrap())));
            }
            parts
        }),
    ),
    (
        "alias",
        Shows::Parts(|given, value| {
            let mut parts = vec![format!("IfAlias({value})")];
            if !given.is_kind("tun") {
                parts.push(format!("index {}", given.index(given.text("link").unwrap())));
            }
            parts
        }),
    ),
    ("peer.name", shows!("peer IfName(\"{}\")")),
    (
        "peer.netns",
        Shows::Parts(|given, value| {
            let is_here = given.fields.get("netns") == Some(value); // the kernel makes it in this namespace
            if is_here { Vec::new() } else { vec!["peer NetNsFd".to_owned()] }
        }),
    ),
    ("peer.mac", shows!("peer Address({})", mac)),
    ("peer.mtu", shows!("peer Mtu({})")),
    (
        "peer.up",
        Shows::Parts(|given, value| {
            if *value == Value::Bool(true) {
                let peer = given.index(given.text("peer.name").unwrap());
                vec!["LinkFlags(Up) on".to_owned(), format!("index {peer}")]
            } else {
                Vec::new()
            }
        }),
    ),
    BRIDGE_STP,
    BRIDGE_FORWARD_DELAY,
    BRIDGE_AGEING_TIME,
    BRIDGE_VLAN_FILTERING,
    BRIDGE_VLAN_DEFAULT_PVID,
    BRIDGE_HELLO_TIME,
    BRIDGE_MAX_AGE,
    BRIDGE_PRIORITY,
    BRIDGE_GROUP_FWD_MASK,
    BRIDGE_VLAN_STATS_ENABLED,
    BRIDGE_MCAST_SNOOPING,
    BRIDGE_MCAST_QUERY_USE_IFADDR,
    BRIDGE_MCAST_QUERIER,
    BRIDGE_MCAST_HASH_MAX,
    BRIDGE_MCAST_LAST_MEMBER_COUNT,
    BRIDGE_MCAST_STARTUP_QUERY_COUNT,
    BRIDGE_MCAST_LAST_MEMBER_INTERVAL,
    BRIDGE_MCAST_MEMBERSHIP_INTERVAL,
    BRIDGE_MCAST_QUERIER_INTERVAL,
    BRIDGE_MCAST_QUERY_INTERVAL,
    BRIDGE_MCAST_QUERY_RESPONSE_INTERVAL,
    BRIDGE_MCAST_STARTUP_QUERY_INTERVAL,
    BRIDGE_MCAST_STATS_ENABLED,
    BRIDGE_MCAST_IGMP_VERSION,
    BRIDGE_MCAST_MLD_VERSION,
    BRIDGE_VLAN_PROTOCOL,
    BRIDGE_MCAST_ROUTER,
    BOND_MODE,
    BOND_MIIMON,
    BOND_UPDELAY,
    BOND_DOWNDELAY,
    BOND_ARP_INTERVAL,
    BOND_ARP_IP_TARGET,
    BOND_PRIMARY,
    BOND_FAIL_OVER_MAC,
    BOND_XMIT_HASH_POLICY,
    BOND_ALL_PORTS_ACTIVE,
    BOND_MIN_LINKS,
    BOND_LACP_RATE,
    BOND_AD_SELECT,
    (
        "parent",
        Shows::Parts(|given, value| {
            // Most kinds have it in `IFLA_LINK`, tunnels in their data.
            let in_data = ["vxlan", "xfrm", "ipip", "sit", "ip6tnl", "gre", "gretap", "ip6gre", "ip6gretap"];
            let under = if in_data.iter().any(|kind| given.is_kind(kind)) { "data " } else { "" };
            vec![format!("{under}Link({})", index(given, value))]
        }),
    ),
    ("vxlan.id", shows!("data Id({})")),
    ("vxlan.group", shows!("data Group{}", version)),
    ("vxlan.remote", shows!("data Group{}", version)),
    ("vxlan.local", shows!("data Local{}", version)),
    ("vxlan.port", shows!("data Port({})")),
    ("vxlan.source_port_min", shows!("data PortRange least {}")),
    ("vxlan.source_port_max", shows!("data PortRange most {}")),
    ("vxlan.ttl", shows!("data Ttl({})")),
    ("vxlan.tos", shows!("data Tos({})")),
    (
        "vxlan.learning",
        Always(|given, value| {
            let chosen = given.is_set("vxlan.collect_metadata").then_some(&Value::Bool(false)); // as iproute2 does
            value.or(chosen).map(|value| format!("data Learning({value})")).into_iter().collect()
        }),
    ),
    ("vxlan.proxy", shows!("data Proxy({})")),
    ("vxlan.collect_metadata", shows!("data CollectMetadata({})")),
    ("vxlan.ageing", shows!("data Ageing({})")),
    ("vxlan.ttl_inherit", when!("data TtlInheritFlag")),
    ("vxlan.df", data_word!("Df", "unset" => "Unset", "set" => "Set", "inherit" => "Inherit")),
    ("vxlan.gbp", when!("data Gbp")),
    ("vxlan.udp_csum", shows!("data UDPCsum({})")),
    ("vxlan.udp_zero_csum6_tx", shows!("data UDPZeroCsumTX({})")),
    ("vxlan.udp_zero_csum6_rx", shows!("data UDPZeroCsumRX({})")),
    ("vxlan.vnifilter", when!("data Vnifilter(true)")),
    (
        "macvlan.mode",
        Shows::Parts(|_, value| {
            let words = [
                ("private", "Private"),
                ("vepa", "Vepa"),
                ("bridge", "Bridge"),
                ("passthru", "Passthrough"),
                ("source", "Source"),
            ];
            vec![format!("data Mode({})", word(value, &words))]
        }),
    ),
    ("vlan.id", shows!("data Id({})")),
    ("vlan.protocol", data_word!("Protocol", "ieee802_1q" => "Ieee8021Q", "ieee802_1ad" => "Ieee8021Ad")),
    ("vrf.table", shows!("data TableId({})")),
    ("ipvlan.mode", data_word!("Mode", "l2" => "L2", "l3" => "L3", "l3s" => "L3S")),
    (
        "ipvlan.traffic",
        data_word!(
            "Flags", "bridge" => "IpVlanFlags(0x0)", "private" => "IpVlanFlags(Private)", "vepa" => "IpVlanFlags(Vepa)"
        ),
    ),
    ("xfrm.if_id", shows!("data IfId({})")),
    ("geneve.id", shows!("data Id({})")),
    ("geneve.remote", shows!("data Remote{}", version)),
    ("geneve.port", shows!("data Port({})")),
    ("geneve.ttl", shows!("data Ttl({})")),
    ("geneve.tos", shows!("data Tos({})")),
    ("geneve.df", data_word!("Df", "unset" => "Unset", "set" => "Set", "inherit" => "Inherit")),
    ("geneve.collect_metadata", when!("data CollectMetadata")),
    ("tunnel.local", shows!("data Local({})")),
    ("tunnel.remote", shows!("data Remote({})")),
    ("tunnel.ttl", shows!("data Ttl({})")),
    ("tunnel.tos", shows!("data Tos({})")),
    ("tunnel.encap_limit", shows!("data EncapLimit({})")),
    // `IPPROTO_IPIP`, `IPPROTO_IPV6` (`linux/in.h`); the decoder calls 0 by its own name.
    ("tunnel.protocol", data_word!("Protocol", "any" => "Hopopts", "ipv4" => "Ipip", "ipv6" => "Ipv6")),
    (
        "tunnel.pmtudisc",
        Shows::Parts(|given, value| {
            let is_gre = given.is_kind("gre") || given.is_kind("gretap");
            vec![format!("data {}({value})", if is_gre { "PathMTUDiscovery" } else { "PMtuDisc" })]
        }),
    ),
    (
        "gre.key",
        Shows::Parts(|_, value| {
            let directions = [("I", "IFlags"), ("O", "OFlags")];
            let both = directions.map(|(of, flags)| [format!("data {of}Key({value})"), format!("data {flags} Key")]);
            both.into_iter().flatten().collect()
        }),
    ),
    ("gre.csum", when!("data IFlags Checksum", "data OFlags Checksum")),
    ("gre.seq", when!("data IFlags Seq", "data OFlags Seq")),
    ("netkit.mode", data_word!("Mode", "l2" => "L2", "l3" => "L3")),
    ("tun.mode", IOCTL),
    ("tun.owner", IOCTL),
    ("tun.group", IOCTL),
    ("tun.no_owner", Nothing("no owner is set")),
    ("tun.multi_queue", IOCTL),
    ("tun.vnet_hdr", IOCTL),
];

/// The end of the name of an attribute that has another name for IPv6, with the address.
fn version(_: &Given<'_>, value: &Value) -> String {
    let address = ip(value.as_str().unwrap());
    format!("{}({address})", if address.is_ipv4() { "" } else { "6" })
}

/// A field for which the decoder has no words.
const fn beyond(field: &'static str) -> Row {
    (field, Nothing("the decoder does not know it; tests/link_change.rs compares it"))
}

/// `IFF_…` (netdevice(7)).
const LINK_SET: &[Row] = &[
    IN_NETNS,
    (
        "link",
        Shows::Parts(|given, value| {
            // A rename is by index, and so are a change of the parent and a message that could select the links of a group.
            vec![if given.has("new_name") || given.has("parent") || has_own(given) && given.has("group") {
                format!("index {}", index(given, value))
            } else {
                format!("IfName({value})")
            }]
        }),
    ),
    ("kind", Shows::Parts(|given, value| if has_own(given) { kind(given, value) } else { Vec::new() })),
    ("up", link_flag!("Up")),
    ("arp", link_flag!("Noarp", "off", "on")),
    ("multicast", link_flag!("Multicast")),
    ("allmulticast", link_flag!("Allmulti")),
    ("promisc", link_flag!("Promisc")),
    ("mtu", shows!("Mtu({})")),
    ("mac", shows!("Address({})", mac)),
    ("alias", shows!("IfAlias(\"{}\")")),
    ("new_name", shows!("IfName(\"{}\")")),
    ("protodown", Shows::Parts(|_, value| vec![format!("ProtoDown({})", u8::from(*value == Value::Bool(true)))])),
    beyond("add_altname"),
    beyond("remove_altname"),
    ("vf.index", Nothing("each structure begins with it")),
    (
        "vf.mac",
        Shows::Parts(|given, value| {
            let bytes = mac(given, value);
            let padded = format!("{}{}]", bytes.trim_end_matches(']'), ", 0".repeat(26));
            of_vf(given, &format!("Mac(VfInfoMac {{ vf_id: #, mac: {padded} }})"))
        }),
    ),
    (
        "vf.vlan",
        Shows::Parts(|given, value| {
            let qos = given.fields.get("vf.qos").cloned().unwrap_or_default().as_u64().unwrap_or(0);
            of_vf(given, &format!("Vlan(VfInfoVlan {{ vf_id: #, vlan_id: {value}, qos: {qos} }})"))
        }),
    ),
    ("vf.qos", Nothing("it is in the structure of vf.vlan")),
    (
        "vf.rate_min",
        Shows::Parts(|given, value| {
            let most = &given.fields["vf.rate_max"];
            of_vf(given, &format!("Rate(VfInfoRate {{ vf_id: #, min_tx_rate: {value}, max_tx_rate: {most} }})"))
        }),
    ),
    ("vf.rate_max", Nothing("it is in the structure of vf.rate_min")),
    (
        "vf.spoofchk",
        Shows::Parts(|given, value| {
            of_vf(given, &format!("SpoofCheck(VfInfoSpoofCheck {{ vf_id: #, enabled: {value} }})"))
        }),
    ),
    (
        "vf.trust",
        Shows::Parts(|given, value| of_vf(given, &format!("Trust(VfInfoTrust {{ vf_id: #, enabled: {value} }})"))),
    ),
    (
        "vf.link_state",
        Shows::Parts(|given, value| {
            let word = word(value, &[("auto", "Auto"), ("enable", "Enable"), ("disable", "Disable")]);
            of_vf(given, &format!("LinkState(VfInfoLinkState {{ vf_id: #, state: {word} }})"))
        }),
    ),
    beyond("bridge_port.priority"),
    beyond("bridge_port.cost"),
    beyond("bridge_port.hairpin"),
    beyond("bridge_port.guard"),
    beyond("bridge_port.root_block"),
    beyond("bridge_port.learning"),
    beyond("bridge_port.flood"),
    beyond("bridge_port.mcast_flood"),
    beyond("bridge_port.vlan_tunnel"),
    beyond("bridge_port.neigh_suppress"),
    beyond("bridge_port.isolated"),
    beyond("bridge_port.locked"),
    ("target_netns", shown!("NetNsFd")),
    ("master", shows!("Controller({})", index)),
    ("no_master", when!("Controller(0)")),
    GROUP,
    TXQUEUELEN,
    ("addrgenmode", shows!("{}", addrgenmode)),
];

/// `IFA_…` (`linux/if_addr.h`). The prefix is that of `IFA_ADDRESS`, which is the peer's if the address has a peer.
const ADDRESS: &[Row] = &[
    IN_NETNS,
    EXISTS_OK,
    MISSING_OK,
    ("link", shows!("index {}", index)),
    (
        "address",
        Shows::Parts(|given, value| {
            let mut parts = prefix(value, "prefix", |address| format!("Local({address})"));
            if !given.has("peer_address") {
                parts.push(format!("Address({})", ip(value.as_str().unwrap())));
            }
            parts
        }),
    ),
    ("peer_address", Shows::Parts(|_, value| vec![format!("Address({})", ip(value.as_str().unwrap()))])),
    ("broadcast", shows!("Broadcast({})")),
    (
        "scope",
        Always(|given, value| {
            let is_loopback = given.text("address").is_some_and(|address| address.starts_with("127."));
            let chosen = if is_loopback { "host" } else { "global" };
            scope(value, chosen, "Nowhere")
        }),
    ),
    ("label", shows!("Label(\"{}\")")),
    ("nodad", when!("AddressFlags(Nodad)")),
    ("noprefixroute", when!("AddressFlags(Noprefixroute)")),
    ("home_address", when!("AddressFlags(Homeaddress)")),
    ("mngtmpaddr", when!("AddressFlags(Managetempaddr)")),
    ("autojoin", when!("AddressFlags(Mcautojoin)")),
    ("protocol", shows!("origin {}")),
    ("optimistic", when!("AddressFlags(Optimistic)")),
    ("valid_lifetime", Always(|given, value| lifetime("valid", value, given.has("preferred_lifetime")))),
    ("preferred_lifetime", Always(|given, value| lifetime("preferred", value, given.has("valid_lifetime")))),
    ("metric", shows!("RoutePriority({})")),
];

fn scope(value: Option<&Value>, chosen: &str, nowhere: &str) -> Parts {
    let words = [("global", ""), ("site", "Site"), ("link", "Link"), ("host", "Host"), ("nowhere", nowhere)];
    header_word("scope", word(value.unwrap_or(&Value::from(chosen)), &words))
}

/// One of the two lifetimes; it is unlimited where only the other one is given.
fn lifetime(name: &str, value: Option<&Value>, has_other: bool) -> Parts {
    let forever = Value::from(u32::MAX);
    value.or(has_other.then_some(&forever)).map(|value| format!("{name} {value}")).into_iter().collect()
}

/// `RTA_…`, `RTN_…`, `RT_SCOPE_…`, `RTPROT_…` (rtnetlink(7)).
const ROUTE: &[Row] = &[
    IN_NETNS,
    EXISTS_OK,
    MISSING_OK,
    (
        "destination",
        Shows::Parts(|given, value| {
            prefix(value, "destination length", |address| {
                format!("Destination({})", of_family(given, &Value::from(address.to_string())))
            })
        }),
    ),
    (
        "source",
        Shows::Parts(|given, value| {
            let parts = prefix(value, "source length", |address| {
                format!("Source({})", of_family(given, &Value::from(address.to_string())))
            });
            parts.into_iter().filter(|part| !part.starts_with("family ")).collect() // it is that of the destination
        }),
    ),
    ("family", Nothing("it is that of the destination")),
    ("gateway", Shows::Parts(gateway)),
    ("link", shows!("Oif({})", index)),
    ("table", Shows::Parts(table)),
    (
        "metric",
        Shows::Parts(|given, value| {
            let is_ipv4 = given.text("destination").is_some_and(|prefix| ip(prefix).is_ipv4());
            let own = if is_ipv4 { 0 } else { 1024 }; // the kernel's metric without one
            if value.as_u64() == Some(own) { Vec::new() } else { vec![format!("Priority({value})")] }
        }),
    ),
    (
        "scope",
        Always(|given, value| {
            // As in iproute2: a route without a gateway has scope link; for IPv6 the kernel ignores the scope.
            let is_ipv4 = given.text("destination").is_some_and(|prefix| ip(prefix).is_ipv4());
            let leads = ["gateway", "nexthops", "nexthop_id"].iter().any(|field| given.has(field));
            let chosen = match given.text("route_type") {
                Some("local") if is_ipv4 => "host",
                Some("broadcast") if is_ipv4 => "link",
                Some("unicast") if is_ipv4 && !leads => "link",
                _ => "global",
            };
            scope(value, chosen, "NoWhere")
        }),
    ),
    ("protocol", Shows::Parts(protocol)),
    (
        "route_type",
        Shows::Parts(|_, value| {
            let words = [
                ("unicast", "Unicast"),
                ("local", "Local"),
                ("broadcast", "Broadcast"),
                ("blackhole", "BlackHole"),
                ("unreachable", "Unreachable"),
                ("prohibit", "Prohibit"),
                ("throw", "Throw"),
            ];
            header_word("type", word(value, &words))
        }),
    ),
    ("preferred_source", shows!("PrefSource({})", of_family)),
    (
        "onlink",
        Shows::Parts(|given, value| {
            let is_removed = removes(given); // the broker compares them, not the kernel
            if *value == Value::Bool(true) && !is_removed { vec!["RouteFlags(Onlink)".to_owned()] } else { Vec::new() }
        }),
    ),
    ("mtu", shows!("metric Mtu({})")),
    ("mtu_lock", when!("metric Lock(4)")),
    ("advmss", shows!("metric Advmss({})")),
    ("hoplimit", shows!("metric Hoplimit({})")),
    ("initcwnd", shows!("metric InitCwnd({})")),
    ("initrwnd", shows!("metric InitRwnd({})")),
    ("tos", shows!("tos {}")),
    (
        "pref",
        Shows::Parts(|given, value| {
            let words = [("low", "Low"), ("medium", "Medium"), ("high", "High")];
            // The kernel compares no preferences when it removes a route; the broker does.
            if removes(given) { Vec::new() } else { vec![format!("Preference({})", word(value, &words))] }
        }),
    ),
    ("expires", shows!("Expires({})")),
    ("nexthops", Nothing("its fields are")),
    ("one_nexthop", Nothing("the message has the one next hop")),
    ("nexthops.gateway", Shows::Parts(gateway)),
    ("nexthops.link", shows!("index {}", index)),
    (
        "nexthops.weight",
        Shows::Parts(|_, value| match value.as_u64().unwrap() {
            1 => Vec::new(),
            weight => vec![format!("hops {}", weight - 1)],
        }),
    ),
    ("nexthops.onlink", when!("RouteNextHopFlags(Onlink)")),
    ("nexthop_id", shows!("NhId({})")),
    (
        "encap.kind",
        Shows::Parts(|_, value| {
            vec![format!("EncapType({})", word(value, &[("mpls", "Mpls"), ("ip", "Ip"), ("ip6", "Ip6")]))]
        }),
    ),
    ("encap.id", Shows::Parts(|given, value| encap(given, "Id", "Id", &value.to_string()))),
    (
        "encap.destination",
        Shows::Parts(|given, value| encap(given, "Destination", "Destination", value.as_str().unwrap())),
    ),
    ("encap.source", Shows::Parts(|given, value| encap(given, "Source", "Source", value.as_str().unwrap()))),
    ("encap.ttl", Shows::Parts(|given, value| encap(given, "Ttl", "Hoplimit", &value.to_string()))),
    ("encap.tos", Shows::Parts(|given, value| encap(given, "Tos", "Tc", &value.to_string()))),
    (
        "encap.labels",
        Shows::Parts(|_, value| {
            let labels = value.as_array().unwrap();
            let last = labels.len() - 1;
            let label = |(at, label): (usize, &Value)| {
                let end = at == last;
                format!("MplsLabel {{ label: {label}, traffic_class: 0, bottom_of_stack: {end}, ttl: 0 }}")
            };
            let stack: Vec<String> = labels.iter().enumerate().map(label).collect();
            vec![format!("encap Mpls(Destination([{}]))", stack.join(", "))]
        }),
    ),
];

/// An attribute of an encapsulation. That of `ip6` can have another name.
fn encap(given: &Given<'_>, name: &str, name_of_ip6: &str, value: &str) -> Parts {
    let (kind, name) = match given.text("encap.kind") {
        Some("mpls") => ("Mpls", name),
        Some("ip6") => ("Ip6", name_of_ip6),
        _ => ("Ip", name),
    };
    vec![format!("encap {kind}({name}({value}))")]
}

fn removes(given: &Given<'_>) -> bool {
    ["Route.Delete", "Route.Flush"].contains(&given.call)
}

/// A gateway of the other family is in `RTA_VIA`.
fn gateway(given: &Given<'_>, value: &Value) -> Parts {
    let address = ip(value.as_str().unwrap());
    let is_via = given.text("destination").is_some_and(|prefix| ip(prefix).is_ipv4() != address.is_ipv4());
    let name = if is_via { "Via" } else { "Gateway" };
    vec![format!("{name}({}({address}))", family(address))]
}

/// The header holds numbers up to 255; the attribute holds all.
fn table(_: &Given<'_>, value: &Value) -> Parts {
    let number = value.as_u64().unwrap();
    vec![if number < 256 { format!("table {number}") } else { format!("Table({number})") }]
}

fn protocol(_: &Given<'_>, value: &Value) -> Parts {
    let words = [(3, "Boot"), (4, "Static"), (186, "Bgp")];
    let number = value.as_u64().unwrap();
    let word = words.iter().find(|(known, _)| *known == number);
    vec![format!("protocol {}", word.unwrap_or_else(|| panic!("protocol {number} has no expectation")).1)]
}

const ROUTE_GET: &[Row] = &[
    IN_NETNS,
    (
        "destination",
        Shows::Parts(|given, value| {
            let mut parts = prefix(value, "destination length", |address| {
                format!("Destination({})", of_family(given, &Value::from(address.to_string())))
            });
            if ip(value.as_str().unwrap()).is_ipv4() {
                parts.push("RouteFlags(LookupTable)".to_owned()); // for IPv6 the kernel refuses the flag
            }
            parts
        }),
    ),
    (
        "source",
        Shows::Parts(|given, value| {
            let parts = prefix(value, "source length", |address| {
                format!("Source({})", of_family(given, &Value::from(address.to_string())))
            });
            parts.into_iter().filter(|part| !part.starts_with("family ")).collect()
        }),
    ),
    ("iif", shows!("Iif({})", index)),
    ("oif", shows!("Oif({})", index)),
    (
        "fwmark",
        Shows::Parts(|_, value| if value.as_u64() == Some(0) { Vec::new() } else { vec![format!("Mark({value})")] }),
    ),
    ("tos", shows!("tos {}")),
    ("uid", Shows::Parts(|given, value| if given.has("iif") { Vec::new() } else { vec![format!("Uid({value})")] })),
];

const ROUTE_LIST: &[Row] = &[
    IN_NETNS,
    (
        "family",
        Always(|given, value| match value {
            Some(value) => vec![format!("family {}", inet(given, value))],
            None if given.has("destination") => Vec::new(),
            None => vec!["family Inet".to_owned(), "family Inet6".to_owned()],
        }),
    ),
    ("table", Shows::Parts(table)),
    ("link", shows!("Oif({})", index)),
    (
        "nexthops.link",
        Shows::Parts(
            |given, value| {
                if given.has("link") { Vec::new() } else { vec![format!("Oif({})", index(given, value))] }
            },
        ),
    ),
    ("gateway", Nothing("the kernel has no filter for it")),
    ("destination", Nothing("the broker compares it; its family is the one that is listed")),
    ("protocol", Shows::Parts(protocol)),
    ("scope", Nothing("the kernel has no filter for it")),
    ("nexthop_id", Nothing("the kernel has no filter for it")),
    ("encap.kind", Nothing("the kernel has no filter for it")),
    ("encap.id", Nothing("the kernel has no filter for it")),
    ("encap.destination", Nothing("the kernel has no filter for it")),
    ("encap.source", Nothing("the kernel has no filter for it")),
    ("encap.ttl", Nothing("the kernel has no filter for it")),
    ("encap.tos", Nothing("the kernel has no filter for it")),
    ("encap.labels", Nothing("the kernel has no filter for it")),
];

/// `NDA_…`, `NUD_…`, `NTF_…` (rtnetlink(7)).
const NEIGHBOUR: &[Row] = &[
    IN_NETNS,
    EXISTS_OK,
    MISSING_OK,
    ("link", shows!("index {}", index)),
    (
        "address",
        Shows::Parts(|given, value| {
            let address = of_family(given, value);
            vec![format!("family {}", family(ip(value.as_str().unwrap()))), format!("Destination({address})")]
        }),
    ),
    ("mac", shows!("LinkLayerAddress({})", mac)),
    (
        "state",
        Shows::Parts(|_, value| {
            let words = [
                ("none", ""),
                ("incomplete", "Incomplete"),
                ("reachable", "Reachable"),
                ("stale", "Stale"),
                ("delay", "Delay"),
                ("probe", "Probe"),
                ("failed", "Failed"),
                ("noarp", "Noarp"),
                ("permanent", "Permanent"),
            ];
            header_word("state", word(value, &words))
        }),
    ),
    ("proxy", when!("NeighbourFlags(Proxy)")),
    ("router", when!("NeighbourFlags(Router)")),
    ("extern_learn", when!("NeighbourFlags(ExtLearned)")),
    ("use", when!("NeighbourFlags(Use)")),
    ("managed", when!("ExtFlags(NeighbourExtFlags(Managed))")),
    (
        "protocol",
        Shows::Parts(|_, value| {
            assert_eq!(value, 186, "the only origin that tests/decoder/requests.rs has");
            vec!["Protocol(Bgp)".to_owned()]
        }),
    ),
];

/// How many messages a change of a forwarding database has: one for each database, and none for a flush of a VLAN, which no
/// kernel here has.
fn databases(given: &Given<'_>) -> usize {
    let is_none = given.call == "Fdb.Flush" && given.has("vlan");
    let targets = given.fields.get("targets").map_or(1, |targets| targets.as_array().unwrap().len());
    if is_none { 0 } else { targets }
}

fn fdb(given: &Given<'_>, message: &'static str) -> Vec<&'static str> {
    vec![message; databases(given)]
}

/// A part with the value in place of `{}`, in the message for each database.
macro_rules! in_each {
    ($text:literal, $form:ident) => {
        Shows::Parts(|given, value| vec![format!($text, $form(given, value)); databases(given)])
    };
}

fn text(_: &Given<'_>, value: &Value) -> String {
    plain(value)
}

fn fdb_state(value: &Value) -> &'static str {
    let words = [("permanent", "Noarp Permanent"), ("static", "Noarp Reachable"), ("dynamic", "Reachable")];
    word(value, &words)
}

/// `NDA_…`, `NUD_…`, `NTF_…` (rtnetlink(7)), of the family `AF_BRIDGE`.
const FDB: &[Row] = &[
    IN_NETNS,
    EXISTS_OK,
    MISSING_OK,
    (
        "link",
        Shows::Parts(|given, value| {
            let mut parts = vec!["family Bridge".to_owned(), format!("index {}", index(given, value))];
            if ["Fdb.Delete", "Fdb.Flush"].contains(&given.call) {
                parts.push("state Noarp Permanent".to_owned());
            }
            if !given.has("targets") {
                parts.push("NeighbourFlags(Own)".to_owned());
            }
            vec![parts; databases(given)].concat()
        }),
    ),
    ("mac", in_each!("LinkLayerAddress({})", mac)),
    (
        "targets",
        Shows::Parts(|given, value| {
            let flag = |target: &Value| match target.as_str() {
                Some("self") => "NeighbourFlags(Own)".to_owned(),
                _ => "NeighbourFlags(Controller)".to_owned(),
            };
            value.as_array().unwrap().iter().map(flag).take(databases(given)).collect()
        }),
    ),
    ("vlan", in_each!("Vlan({})", text)),
    ("remote", in_each!("Destination({})", text)),
    ("port", in_each!("Port({})", text)),
    ("vni", in_each!("Vni({})", text)),
    ("source_vni", in_each!("SourceVni({})", text)),
    ("via", in_each!("IfIndex({})", index)),
    (
        "fdb_state",
        Shows::Parts(|given, value| match given.call {
            "Fdb.Flush" => Vec::new(), // the broker compares it
            _ => vec![format!("state {}", fdb_state(value)); databases(given)],
        }),
    ),
    ("extern_learn", when!("NeighbourFlags(ExtLearned)")),
    ("sticky", when!("NeighbourFlags(Sticky)")),
];

/// `IFLA_BRIDGE_…`, `BRIDGE_VLAN_INFO_…` (`linux/if_bridge.h`).
const VLAN: &[Row] = &[
    IN_NETNS,
    EXISTS_OK,
    ("link", shows!("index {}", index)),
    (
        "vlans",
        Shows::Parts(|given, value| {
            let flags = [("pvid", " Pvid"), ("untagged", " Untagged")];
            let flags: String =
                flags.into_iter().filter(|(field, _)| given.is_set(field)).map(|(_, word)| word).collect();
            ends(value).into_iter().map(|(vlan, end)| format!("vlan {vlan}{flags}{end}")).collect()
        }),
    ),
    ("pvid", Nothing("it is a flag of each VLAN")),
    ("untagged", Nothing("it is a flag of each VLAN")),
    (
        "tunnel_ids",
        Shows::Parts(|given, value| {
            let vlans = ends(&given.fields["vlans"]);
            let both = ends(value).into_iter().zip(vlans);
            both.map(|((id, end), (vlan, _))| format!("tunnel {id} of vlan {vlan}{end}")).collect()
        }),
    ),
    (
        "target",
        Shows::Parts(|_, value| vec![format!("Flags({})", if *value == "self" { "LowerDev" } else { "Controller" })]),
    ),
];

/// The numbers at the ends of a range, with the flags of these ends.
fn ends(value: &Value) -> Vec<(String, &'static str)> {
    let text = plain(value);
    match text.split_once("..") {
        Some((first, last)) => vec![(first.to_owned(), " RangeBegin"), (last.to_owned(), " RangeEnd")],
        None => vec![(text, "")],
    }
}

/// `FRA_…`, `FR_ACT_…` (`linux/fib_rules.h`).
/// The fields of a routing rule, after these.
macro_rules! rule {
    ($($more:expr),*) => {
        &[
            IN_NETNS,
            ("family", shows!("family {}", inet)),
            $($more,)*
            ("source", Shows::Parts(|_, value| without_family(prefix(value, "source length", |a| format!("Source({a})"))))),
            (
                "destination",
                Shows::Parts(|_, value| without_family(prefix(value, "destination length", |a| format!("Destination({a})")))),
            ),
            ("iif", shows!("Iifname(\"{}\")")),
            ("oif", shows!("Oifname(\"{}\")")),
            ("fwmark", shows!("FwMark({})")),
            (
                "fwmask",
                Shows::Parts(|given, value| {
                    if given.has("fwmark") { vec![format!("FwMask({value})")] } else { Vec::new() } // nothing to mask
                }),
            ),
            ("table", shows!("Table({})")),
            (
                "action",
                Shows::Parts(|_, value| {
                    let words = [
                        ("unspec", ""),
                        ("to_table", "ToTable"),
                        ("goto", "Goto"),
                        ("blackhole", "Blackhole"),
                        ("unreachable", "Unreachable"),
                        ("prohibit", "Prohibit"),
                    ];
                    header_word("action", word(value, &words))
                }),
            ),
            ("suppress_prefixlength", shows!("SuppressPrefixLen({})")),
            ("suppress_ifgroup", shows!("SuppressIfGroup({})")),
            ("goto", shows!("Goto({})")),
            ("tos", shows!("tos {}")),
            (
                "ip_protocol",
                Shows::Parts(|_, value| {
                    let name = if *value == 6 { "Tcp" } else { "Udp" };
                    vec![format!("IpProtocol({name})")]
                }),
            ),
            ("source_ports", Shows::Parts(|_, value| vec![format!("SourcePortRange(RulePortRange {})", range(value))])),
            (
                "destination_ports",
                Shows::Parts(|_, value| vec![format!("DestinationPortRange(RulePortRange {})", range(value))]),
            ),
            ("uids", Shows::Parts(|_, value| vec![format!("UidRange(RuleUidRange {})", range(value))])),
            ("l3mdev", when!("L3MDev(true)")),
            ("invert", when!("RuleFlags(Invert)")),
            (
                "protocol",
                Shows::Parts(|_, value| {
                    let is_default = *value == 0; // not sent
                    if is_default {
                        Vec::new()
                    } else {
                        vec![format!("Protocol({})", if *value == 4 { "Static" } else { "Bgp" })]
                    }
                }),
            ),
        ]
    };
}

const RULE: &[Row] = rule![EXISTS_OK, MISSING_OK, ("priority", shows!("Priority({})"))];
const FLUSH: &[Row] = rule![("priorities", Nothing("the broker compares it"))];

/// The two numbers of a range, as the decoder shows them.
fn range(value: &Value) -> String {
    let text = value.as_str().unwrap();
    let (start, end) = text.split_once("..").unwrap_or((text, text));
    format!("{{ start: {start}, end: {end} }}")
}

/// The rule's own field shows it.
fn without_family(mut parts: Parts) -> Parts {
    parts.retain(|part| !part.starts_with("family "));
    parts
}
