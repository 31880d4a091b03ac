// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the parser accepts is encoded by the broker, and decoded here by the kernel's headers. Every name, index,
//! address, descriptor and number that is sent is one that the request names, in the attribute of its field where that
//! is known here. A call that reads sends nothing that changes. No link gets a namespace by number or a program, and no
//! group selects links.
//!
//! The input is the text of a message, as for `request`, or bytes from which a request is made by its declaration.
#![no_main]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::AsRawFd as _;

use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::{Corpus, fuzz_target};
use netbroker::call::Effect;
use netbroker::call::needs::LastStage;
use netbroker::call::request::Request;
use netbroker::call::varlink::Method;
use netbroker::netlink::{self, Netlink, Places, Protocol};
use netbroker::wire;
use netbroker_fuzz::listed::Listed;
use netbroker_fuzz::netlink::{
    DONE, DUMP, ERROR, GETADDR, GETLINK, GETNSID, Message, NEWADDR, NEWLINK, NEWNSID, NEWROUTE, NEWTUNNEL, SETLINK,
    attribute, attributes, build, head_of, messages, new_of, u16_at, u32_at,
};
use netbroker_fuzz::requests::{caller, make, parameters, parse, places};
use serde_json::Value;

/// `IFLA_NET_NS_PID`, `IFLA_XDP`, `IFLA_TARGET_NETNSID`.
const FORBIDDEN: [u16; 3] = [19, 43, 46];
/// `IFLA_GROUP`: in a change that refers to no link by its index, it would select every link of the group.
const GROUP: u16 = 27;
/// `RTM_NEWLINKPROP`, the first of its kind.
const NEWLINKPROP: u16 = 108;
/// `RTM_NEWNEIGH`
const NEWNEIGH: u16 = 28;
/// `RTM_NEWNEXTHOP`
const NEWNEXTHOP: u16 = 104;
/// `NLM_F_CREATE`.
const CREATE: u16 = 0x400;

/// What an attribute means, by the kind of its NEW message and by its path. `bridge`, `veth` and others stand for the kind
/// of link whose data it is in. An attribute that is not listed may hold anything that the request names.
const KNOWN: &[(u16, &str, &[&str])] = &[
    (NEWLINK, "1", &["mac"]),
    (NEWLINK, "3", &["link", "new_name", "peer.name"]),
    (NEWLINK, "4", &["mtu"]),
    (NEWLINK, "10", &["master", "no_master"]),
    (NEWLINK, "13", &["txqueuelen"]),
    (NEWLINK, "18.1", &["kind"]),
    (NEWLINK, "20", &["alias"]),
    (NEWLINK, "27", &["group"]),
    (NEWLINK, "28", &["target_netns"]),
    (NEWLINK, "31", &["tx_queues"]),
    (NEWLINK, "32", &["rx_queues"]),
    (NEWLINK, "veth.1.1", &["peer.mac"]),
    (NEWLINK, "veth.1.3", &["peer.name"]),
    (NEWLINK, "veth.1.4", &["peer.mtu"]),
    (NEWLINK, "veth.1.28", &["peer.netns"]),
    (NEWROUTE, "ip.1", &["encap.id"]),
    (NEWROUTE, "ip.2", &["encap.destination"]),
    (NEWROUTE, "ip.3", &["encap.source"]),
    (NEWROUTE, "ip.4", &["encap.ttl"]),
    (NEWROUTE, "ip.5", &["encap.tos"]),
    (NEWROUTE, "ip6.1", &["encap.id"]),
    (NEWROUTE, "ip6.2", &["encap.destination"]),
    (NEWROUTE, "ip6.3", &["encap.source"]),
    (NEWROUTE, "ip6.4", &["encap.ttl"]),
    (NEWROUTE, "ip6.5", &["encap.tos"]),
    (NEWROUTE, "mpls.2", &["encap.ttl"]),
    (NEWLINK, "bridge.1", &["bridge.forward_delay"]),
    (NEWLINK, "bridge.4", &["bridge.ageing_time"]),
    (NEWLINK, "bridge.5", &["bridge.stp"]),
    (NEWLINK, "bridge.7", &["bridge.vlan_filtering"]),
    (NEWLINK, "bridge.39", &["bridge.vlan_default_pvid"]),
    (NEWLINK, "bridge.2", &["bridge.hello_time"]),
    (NEWLINK, "bridge.3", &["bridge.max_age"]),
    (NEWLINK, "bridge.6", &["bridge.priority"]),
    (NEWLINK, "bridge.9", &["bridge.group_fwd_mask"]),
    (NEWLINK, "bridge.23", &["bridge.mcast_snooping"]),
    (NEWLINK, "bridge.24", &["bridge.mcast_query_use_ifaddr"]),
    (NEWLINK, "bridge.25", &["bridge.mcast_querier"]),
    (NEWLINK, "bridge.27", &["bridge.mcast_hash_max"]),
    (NEWLINK, "bridge.28", &["bridge.mcast_last_member_count"]),
    (NEWLINK, "bridge.29", &["bridge.mcast_startup_query_count"]),
    (NEWLINK, "bridge.30", &["bridge.mcast_last_member_interval"]),
    (NEWLINK, "bridge.31", &["bridge.mcast_membership_interval"]),
    (NEWLINK, "bridge.32", &["bridge.mcast_querier_interval"]),
    (NEWLINK, "bridge.33", &["bridge.mcast_query_interval"]),
    (NEWLINK, "bridge.34", &["bridge.mcast_query_response_interval"]),
    (NEWLINK, "bridge.35", &["bridge.mcast_startup_query_interval"]),
    (NEWLINK, "bridge.41", &["bridge.vlan_stats_enabled"]),
    (NEWLINK, "bridge.42", &["bridge.mcast_stats_enabled"]),
    (NEWLINK, "bridge.43", &["bridge.mcast_igmp_version"]),
    (NEWLINK, "bridge.44", &["bridge.mcast_mld_version"]),
    (NEWLINK, "netkit.1.1", &["peer.mac"]),
    (NEWLINK, "netkit.1.3", &["peer.name"]),
    (NEWLINK, "netkit.1.4", &["peer.mtu"]),
    (NEWLINK, "netkit.1.28", &["peer.netns"]),
    (NEWLINK, "vlan.1", &["vlan.id"]),
    (NEWLINK, "vrf.1", &["vrf.table"]),
    (NEWLINK, "xfrm.1", &["parent"]),
    (NEWLINK, "xfrm.2", &["xfrm.if_id"]),
    (NEWLINK, "geneve.1", &["geneve.id"]),
    (NEWLINK, "geneve.2", &["geneve.remote"]),
    (NEWLINK, "geneve.3", &["geneve.ttl"]),
    (NEWLINK, "geneve.4", &["geneve.tos"]),
    (NEWLINK, "geneve.5", &["geneve.port"]),
    (NEWLINK, "geneve.7", &["geneve.remote"]),
    (NEWLINK, "ipip.1", &["parent"]),
    (NEWLINK, "ipip.2", &["tunnel.local"]),
    (NEWLINK, "ipip.3", &["tunnel.remote"]),
    (NEWLINK, "ipip.4", &["tunnel.ttl"]),
    (NEWLINK, "ipip.5", &["tunnel.tos"]),
    (NEWLINK, "ipip.10", &["tunnel.pmtudisc"]),
    (NEWLINK, "sit.1", &["parent"]),
    (NEWLINK, "sit.2", &["tunnel.local"]),
    (NEWLINK, "sit.3", &["tunnel.remote"]),
    (NEWLINK, "sit.4", &["tunnel.ttl"]),
    (NEWLINK, "sit.5", &["tunnel.tos"]),
    (NEWLINK, "sit.10", &["tunnel.pmtudisc"]),
    (NEWLINK, "ip6tnl.1", &["parent"]),
    (NEWLINK, "ip6tnl.2", &["tunnel.local"]),
    (NEWLINK, "ip6tnl.3", &["tunnel.remote"]),
    (NEWLINK, "ip6tnl.4", &["tunnel.ttl"]),
    (NEWLINK, "ip6tnl.6", &["tunnel.encap_limit"]),
    (NEWLINK, "gre.1", &["parent"]),
    (NEWLINK, "gre.4", &["gre.key"]),
    (NEWLINK, "gre.5", &["gre.key"]),
    (NEWLINK, "gre.6", &["tunnel.local"]),
    (NEWLINK, "gre.7", &["tunnel.remote"]),
    (NEWLINK, "gre.8", &["tunnel.ttl"]),
    (NEWLINK, "gre.9", &["tunnel.tos"]),
    (NEWLINK, "gre.10", &["tunnel.pmtudisc"]),
    (NEWLINK, "gretap.1", &["parent"]),
    (NEWLINK, "gretap.4", &["gre.key"]),
    (NEWLINK, "gretap.5", &["gre.key"]),
    (NEWLINK, "gretap.6", &["tunnel.local"]),
    (NEWLINK, "gretap.7", &["tunnel.remote"]),
    (NEWLINK, "gretap.8", &["tunnel.ttl"]),
    (NEWLINK, "gretap.9", &["tunnel.tos"]),
    (NEWLINK, "gretap.10", &["tunnel.pmtudisc"]),
    (NEWLINK, "ip6gre.1", &["parent"]),
    (NEWLINK, "ip6gre.4", &["gre.key"]),
    (NEWLINK, "ip6gre.5", &["gre.key"]),
    (NEWLINK, "ip6gre.6", &["tunnel.local"]),
    (NEWLINK, "ip6gre.7", &["tunnel.remote"]),
    (NEWLINK, "ip6gre.8", &["tunnel.ttl"]),
    (NEWLINK, "ip6gre.11", &["tunnel.encap_limit"]),
    (NEWLINK, "ip6gretap.1", &["parent"]),
    (NEWLINK, "ip6gretap.4", &["gre.key"]),
    (NEWLINK, "ip6gretap.5", &["gre.key"]),
    (NEWLINK, "ip6gretap.6", &["tunnel.local"]),
    (NEWLINK, "ip6gretap.7", &["tunnel.remote"]),
    (NEWLINK, "ip6gretap.8", &["tunnel.ttl"]),
    (NEWLINK, "ip6gretap.11", &["tunnel.encap_limit"]),
    (NEWADDR, "1", &["address", "peer_address"]),
    (NEWADDR, "2", &["address"]),
    (NEWADDR, "3", &["label"]),
    (NEWADDR, "4", &["broadcast"]),
    (NEWNSID, "3", &["netns", "peer.netns"]),
    (NEWTUNNEL, "1.3", &["remote"]),
    (NEWTUNNEL, "1.4", &["remote"]),
];

/// The flags of a link (`IFF_…`): the fields that set them, and whether the flag means the opposite.
const LINK_FLAGS: &[(u32, &[&str], bool)] = &[
    (1, &["up", "peer.up"], false),
    (1 << 7, &["arp"], true),
    (1 << 8, &["promisc"], false),
    (1 << 9, &["allmulticast"], false),
    (1 << 12, &["multicast"], false),
];
/// The flags of an address (`IFA_F_…`).
const ADDRESS_FLAGS: &[(u32, &str)] = &[
    (0x02, "nodad"),
    (0x04, "optimistic"),
    (0x10, "home_address"),
    (0x100, "mngtmpaddr"),
    (0x200, "noprefixroute"),
    (0x400, "autojoin"),
];

/// The index of the link of this name. No other thing has the same number.
fn index_of(name: &str) -> u32 {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    0x1000_0000 | hash >> 4
}

/// What a request names, as it is sent to the kernel: for each field, every form that its value can have in a message.
struct Named {
    reads: bool,
    fields: BTreeMap<String, Value>,
    forms: BTreeMap<String, Vec<Vec<u8>>>,
}

impl Named {
    fn by(request: &Request, places: &Places) -> Self {
        let mut fields = BTreeMap::new();
        flatten(&parameters(request), "", &mut fields);
        let mut forms: BTreeMap<String, Vec<Vec<u8>>> =
            fields.iter().map(|(name, value)| (name.clone(), forms(value))).collect();
        let others = places.named.iter().map(|(field, netns)| (field.name, netns));
        for (field, netns) in others.chain(places.netns.iter().map(|netns| ("netns", netns))) {
            forms.entry(field.to_owned()).or_default().push(netns.as_raw_fd().to_ne_bytes().to_vec());
        }
        if fields.get("no_master") == Some(&Value::Bool(true)) {
            forms.insert("no_master".to_owned(), vec![vec![0; 4]]);
        }
        Self { reads: request.call().effect == Effect::Reads, fields, forms }
    }

    fn is_form(&self, fields: &[&str], payload: &[u8]) -> bool {
        fields.iter().filter_map(|field| self.forms.get(*field)).flatten().any(|form| form == payload)
    }

    /// Whether the payload is one of the request's values, a small number (a type or a flag: no object here has such an
    /// index), or is made of these.
    fn names(&self, payload: &[u8]) -> bool {
        let small = |bytes: &[u8]| bytes.len() <= 8 && bytes.iter().skip(1).all(|byte| *byte == 0);
        let word = |bytes: &[u8]| {
            small(bytes) || bytes == [0xff; 4] || self.forms.values().flatten().any(|form| form == bytes)
        };
        let nested = || attributes(payload).is_some_and(|inside| inside.iter().all(|(_, payload)| self.names(payload)));
        word(payload) || payload.len() % 4 == 0 && payload.chunks(4).all(word) || nested()
    }

    fn flag(&self, fields: &[&str]) -> Option<bool> {
        fields.iter().find_map(|field| self.fields.get(*field).and_then(Value::as_bool))
    }

    /// The text of a field.
    fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str)
    }

    /// The names that links could have, with their indexes.
    fn links(&self) -> impl Iterator<Item = (&str, u32)> {
        self.fields.values().filter_map(Value::as_str).map(|name| (name, index_of(name)))
    }

    fn is_link(&self, index: u32) -> bool {
        let given = self.fields.get("index").and_then(Value::as_u64) == Some(index.into());
        given || self.links().any(|(_, of)| of == index)
    }

    fn check(&self, message: Message<'_>) {
        assert!(!self.reads || message.kind & 3 == 2, "a call that reads sends {message:?}");
        let head = head_of(message.kind).unwrap_or_else(|| panic!("head_of knows no message {}", message.kind));
        let (head, inside) = message.payload.split_at_checked(head).expect("it has a head");
        match new_of(message.kind) {
            NEWLINK => self.check_link(message, head),
            NEWADDR => self.check_address(message.kind, head),
            NEWNEXTHOP => {
                assert_eq!([head[1], head[3]], [0; 2], "{message:?}");
                let flags = u32_at(head, 4).expect("eight bytes");
                assert!(flags == 0 || flags == 4 && self.flag(&["onlink"]) == Some(true), "{message:?}");
            }
            NEWNEIGH | NEWTUNNEL => {
                assert!(matches!(u32_at(head, 4), Some(index) if index == 0 || self.is_link(index)), "{message:?}");
            }
            _ => {}
        }
        self.check_attributes(message.kind, "", inside);
    }

    fn check_link(&self, message: Message<'_>, head: &[u8]) {
        let [index, flags, change] = [4, 8, 12].map(|at| u32_at(head, at).expect("sixteen bytes"));
        // By name: a look-up, a new link, or a change of the link that a field names.
        let inside = attributes(&message.payload[16..]).unwrap_or_default();
        let named = inside.iter().find(|(kind, _)| *kind == 3).is_some_and(|(_, name)| {
            self.is_form(if message.kind == SETLINK { &["link", "peer.name"] } else { &["link"] }, name)
        });
        let nameless = message.kind == GETLINK || message.flags & CREATE != 0 || named;
        assert!(if index == 0 { nameless } else { self.is_link(index) }, "index of {message:?}");
        let has_group = inside.iter().any(|(kind, _)| *kind == GROUP);
        let is_one = index != 0 || message.kind == SETLINK && named || message.flags & CREATE != 0;
        assert!(is_one || !has_group, "a group that may select links: {message:?}");
        // An index together with a name is a rename.
        let renames = ["new_name", "target_netns"].iter().any(|field| self.fields.contains_key(*field));
        assert!(index == 0 || message.kind == GETLINK || !named || renames, "a rename: {message:?}");
        assert_eq!(flags & !change, 0, "{message:?}");
        for bit in (0..32).map(|shift| 1 << shift).filter(|bit| change & bit != 0) {
            let (_, fields, opposite) =
                LINK_FLAGS.iter().find(|(of, ..)| *of == bit).expect("a flag that no field turns");
            let turned = fields.iter().filter_map(|field| self.flag(&[field]));
            assert!(
                turned.into_iter().any(|on| (on != *opposite) == (flags & bit != 0)),
                "flag {bit:#x} of {message:?}"
            );
        }
    }

    fn check_address(&self, kind: u16, head: &[u8]) {
        let (family, length, index) = (head[0], head[1], u32_at(head, 4).expect("eight bytes"));
        assert!(index == 0 && kind == GETADDR || self.is_link(index), "index {index}");
        if let Some((address, bits)) = self.text("address").and_then(|text| text.split_once('/')) {
            assert_eq!(family, if address.contains(':') { 10 } else { 2 });
            assert!(kind == GETADDR || bits == length.to_string(), "{length} bits for {address}/{bits}");
        }
    }

    fn check_attributes(&self, kind: u16, under: &str, bytes: &[u8]) {
        let inside = attributes(bytes).unwrap_or_else(|| panic!("{under}: {bytes:?}"));
        for (of, payload) in inside {
            let path = if under.is_empty() { of.to_string() } else { format!("{under}.{of}") };
            let of_link = new_of(kind) == NEWLINK && matches!(under, "" | "veth.1" | "netkit.1");
            assert!(!of_link || !FORBIDDEN.contains(&of), "attribute {path}");
            match (new_of(kind), path.as_str()) {
                (NEWLINK, "12" | "18" | "22" | "22.1" | "26" | "26.10") | (NEWTUNNEL, "1") => {
                    self.check_attributes(kind, &path, payload);
                }
                // `IFLA_BRIDGE_FLAGS`, with the bits of `self` and `master`.
                (NEWLINK, "26.0") => {
                    let target = if self.text("target") == Some("self") { 2 } else { 1 };
                    assert_eq!(u16_at(payload, 0), Some(target));
                }
                // `struct bridge_vlan_info`: flags, and a VLAN.
                (NEWLINK, "26.2") => {
                    let flag = |field, bit| if self.flag(&[field]) == Some(true) { bit } else { 0 };
                    let flags = u16_at(payload, 0).expect("flags") & !0x18; // the ends of a range
                    assert_eq!(flags, flag("pvid", 2) | flag("untagged", 4));
                    self.check_end("vlans", u16_at(payload, 2).expect("a VLAN").into());
                }
                (NEWLINK, "26.3") => self.check_attributes(kind, &path, payload),
                (NEWLINK, "26.3.1") => self.check_end("tunnel_ids", u32_at(payload, 0).expect("an id")),
                (NEWLINK, "26.3.2") => self.check_end("vlans", u16_at(payload, 0).expect("a VLAN").into()),
                (NEWLINK, "26.3.3") => assert!(matches!(payload, [0 | 8 | 16, 0]), "{payload:?}"),
                (NEWTUNNEL, "1.1" | "1.2") => self.check_end("vnis", u32_at(payload, 0).expect("a VNI")),
                (NEWLINKPROP, "52") => self.check_attributes(kind, &path, payload),
                (NEWLINKPROP, "52.53") => {
                    assert!(self.is_form(&["add_altname", "remove_altname"], payload), "{payload:?}")
                }
                // The name of a link that is moved, or renamed where it is made.
                (NEWLINK, "3") if self.fields.contains_key("target_netns") && payload.starts_with(b"nb") => {
                    assert_eq!(payload.len(), 11, "{payload:?}");
                }
                // Structures that begin with the number of a virtual function.
                (NEWLINK, path) if path.starts_with("22.1.") => {
                    assert!(self.is_form(&["vf.index"], payload.get(..4).expect("a number")), "{payload:?}");
                }
                // Flags, the cost and the priority of a bridge port; `IFLA_PROTO_DOWN`.
                (NEWLINK, path) if path.starts_with("12.") || path == "39" => {
                    assert!(matches!(payload, [0 | 1]) || self.names(payload), "{path}: {payload:?}");
                }
                // `struct can_bittiming`, `struct can_ctrlmode`.
                (NEWLINK, "can.1") => {
                    assert_eq!(payload.len(), 32, "{payload:?}");
                    assert!(payload[..8].chunks(4).all(|part| part == [0; 4] || self.names(part)), "{payload:?}");
                }
                (NEWLINK, "can.5") => assert!(matches!(payload, [2, 0, 0, 0, 0 | 2, 0, 0, 0]), "{payload:?}"),
                // `IN6_ADDR_GEN_MODE_…`
                (NEWLINK, "26.10.8") => {
                    let modes = ["eui64", "none", "stable_privacy", "random"];
                    let mode = modes.iter().position(|mode| self.text("addrgenmode") == Some(mode)).expect("a mode");
                    assert_eq!(payload, [u8::try_from(mode).expect("small")]);
                }
                (NEWLINK, "18.2") => self.check_attributes(kind, self.text("kind").expect("a kind"), payload),
                (NEWLINK, "veth.1" | "netkit.1") => {
                    let (head, inside) = payload.split_at_checked(16).expect("the other end has a head");
                    assert_eq!(head, [0; 16], "the other end has no index and no flags");
                    self.check_attributes(kind, &path, inside);
                }
                // `RTEXT_FILTER_SKIP_STATS`, and for what a listing reports in addition `RTEXT_FILTER_VF`. For VLANs,
                // `RTEXT_FILTER_BRVLAN_COMPRESSED`.
                (NEWLINK, "29") => {
                    let own = 8 | u32::from(self.flag(&["with_vfs"]) == Some(true));
                    assert!([8, own, 4].map(u32::to_ne_bytes).iter().any(|mask| mask == payload), "{payload:?}");
                }
                // `ETH_P_8021AD` or `ETH_P_8021Q`.
                (NEWLINK, "vlan.5" | "bridge.8") => {
                    let field = if path == "vlan.5" { "vlan.protocol" } else { "bridge.vlan_protocol" };
                    let service = self.text(field) == Some("ieee802_1ad");
                    assert_eq!(payload, if service { [0x88, 0xa8] } else { [0x81, 0x00] });
                }
                // The lowest and the highest port.
                (NEWLINK, "vxlan.10") => assert!(payload.chunks(2).all(|port| self.names(port)), "{payload:?}"),
                (NEWROUTE, "9") => self.check_ways(payload),
                // What an attribute of an encapsulation means depends on its kind.
                (NEWROUTE, "22") => {
                    self.check_attributes(kind, self.text("encap.kind").expect("a kind"), payload);
                }
                (NEWROUTE, "mpls.1") => self.check_labels(payload),
                (NEWNEXTHOP, "2") => self.check_members(payload),
                // The family is in front of the address.
                (NEWROUTE, "18" | "9.18") => assert!(self.names(payload.get(2..).expect("a family")), "{payload:?}"),
                (NEWADDR, "6") => self.check_lifetimes(payload),
                // `Address.Replace` sends 0 where the request gives none.
                (NEWADDR, "9" | "11") => {
                    assert!(payload.iter().all(|byte| *byte == 0) || self.names(payload), "{path}: {payload:?}");
                }
                // `NTF_EXT_MANAGED`
                (NEWNEIGH, "15") => {
                    assert_eq!(u32_at(payload, 0), Some(u32::from(self.flag(&["managed"]) == Some(true))))
                }
                (NEWADDR, "8") => {
                    let set = ADDRESS_FLAGS.iter().filter(|(_, field)| self.flag(&[field]) == Some(true));
                    assert_eq!(
                        u32_at(payload, 0),
                        Some(set.fold(0, |bits, (bit, _)| bits | bit)),
                        "flags of an address"
                    );
                }
                (new, path) => match KNOWN.iter().find(|(of, known, _)| *of == new && *known == path) {
                    // A look-up requests any link or address that the request names.
                    Some((.., fields)) if kind & 3 != 2 || kind == GETNSID => {
                        assert!(self.is_form(fields, payload), "{path} is {payload:?}, not {fields:?}")
                    }
                    _ => assert!(self.names(payload), "message {kind}, attribute {path}: {payload:?}"),
                },
            }
        }
    }

    /// One of the ends of a range. The kernel has none of its numbers yet.
    fn check_end(&self, field: &str, number: u32) {
        let (first, last) = match &self.fields[field] {
            Value::String(text) => text.split_once("..").unwrap_or((text, text)),
            other => panic!("{field} is {other}"),
        };
        assert!([first, last].iter().any(|end| *end == number.to_string()), "{number} of {field} {first}..{last}");
    }

    /// A stack of MPLS labels, with a mark on the last one.
    fn check_labels(&self, payload: &[u8]) {
        let labels = self.fields["encap.labels"].as_array().expect("a list");
        let entry = |(at, label): (usize, &Value)| {
            let label = u32::try_from(label.as_u64().expect("a number")).expect("20 bits");
            (label << 12 | u32::from(at + 1 == labels.len()) << 8).to_be_bytes()
        };
        let expected: Vec<u8> = labels.iter().enumerate().flat_map(entry).collect();
        assert_eq!(payload, expected);
    }

    /// `struct rtnexthop`, each with its attributes.
    fn check_ways(&self, mut payload: &[u8]) {
        while !payload.is_empty() {
            let length = usize::from(u16_at(payload, 0).expect("a length"));
            let index = u32_at(payload, 4).expect("eight bytes");
            assert!(index == 0 || self.is_link(index), "index {index}");
            self.check_attributes(NEWROUTE, "9", payload.get(8..length).expect("whole"));
            payload = payload.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }

    /// `struct nexthop_grp`, one after the other: a number, and a weight minus one, the lower byte first.
    fn check_members(&self, payload: &[u8]) {
        assert_eq!(payload.len() % 8, 0, "{payload:?}");
        for member in payload.chunks(8) {
            let (id, weight) = (u32_at(member, 0).expect("a number"), u16::from_le_bytes([member[4], member[5]]));
            let gives = |name: &str, number: u64| {
                let mut of_members = self.fields.iter().filter(|(field, _)| field.starts_with("members."));
                of_members.any(|(field, value)| field.ends_with(name) && value.as_u64() == Some(number))
            };
            assert!(gives(".nexthop_id", id.into()), "member {id}");
            assert!(weight == 0 || gives(".weight", u64::from(weight) + 1), "weight {weight} of {id}");
            assert_eq!(member[6..], [0; 2], "{payload:?}");
        }
    }

    /// `struct ifa_cacheinfo`. A lifetime that is not given is unlimited.
    fn check_lifetimes(&self, payload: &[u8]) {
        let lifetime = |field| self.fields.get(field).and_then(Value::as_u64).unwrap_or(u32::MAX.into());
        let said: Vec<u64> = (0..4).map(|at| u32_at(payload, at * 4).expect("four numbers").into()).collect();
        assert_eq!(said, [lifetime("preferred_lifetime"), lifetime("valid_lifetime"), 0, 0]);
    }
}

fn flatten(value: &Value, under: &str, into: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                flatten(value, &if under.is_empty() { key.clone() } else { format!("{under}.{key}") }, into);
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                flatten(value, &format!("{under}.{at}"), into);
            }
        }
        value => drop(into.insert(under.to_owned(), value.clone())),
    }
}

/// Every form that a value can have in a message.
fn forms(value: &Value) -> Vec<Vec<u8>> {
    match value {
        Value::Bool(truth) => vec![vec![u8::from(*truth)], u32::from(*truth).to_ne_bytes().to_vec()],
        Value::Number(number) => {
            let number = number.as_u64().expect("numbers of fields are not negative");
            let fits = [1, 2, 4, 8].into_iter().filter(|bytes| number.checked_shr(bytes * 8).unwrap_or(0) == 0);
            fits.flat_map(|bytes| {
                let bytes = bytes as usize;
                [number.to_le_bytes()[..bytes].to_vec(), number.to_be_bytes()[8 - bytes..].to_vec()]
            })
            .collect()
        }
        Value::String(text) => {
            let mut all = vec![
                text.clone().into_bytes(),
                [text.as_bytes(), &[0]].concat(),
                index_of(text).to_ne_bytes().to_vec(),
            ];
            all.extend(range_forms(text));
            all.extend(text.split('/').next().and_then(|ip| ip.parse().ok()).map(octets));
            all.extend(text.split(':').map(|pair| u8::from_str_radix(pair, 16)).collect::<Result<Vec<u8>, _>>());
            all
        }
        Value::Array(list) => list.iter().flat_map(forms).collect(),
        Value::Object(members) => members.values().flat_map(forms).collect(),
        Value::Null => Vec::new(),
    }
}

/// The first and the last number of a range such as `5..6`, each of 16 or 32 bits.
fn range_forms(text: &str) -> Vec<Vec<u8>> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let short = [first, last].map(|number| number.parse::<u16>());
    let long = [first, last].map(|number| number.parse::<u32>());
    let mut all = Vec::new();
    if let [Ok(first), Ok(last)] = short {
        all.push([first.to_ne_bytes(), last.to_ne_bytes()].concat());
    }
    if let [Ok(first), Ok(last)] = long {
        all.push([first.to_ne_bytes(), last.to_ne_bytes()].concat());
    }
    all
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// A kernel in which every link and every address exists that the request names. It may refuse one change.
struct Kernel {
    named: Named,
    refuses: Option<(u8, i32)>,
}

impl Kernel {
    fn answer(&mut self, datagram: &[u8]) -> Vec<Vec<u8>> {
        let [Some(asked)] = messages(datagram)[..] else { panic!("not one message: {datagram:?}") };
        self.named.check(asked);
        let ends = |kind: u16, code: i32| build(kind, 0, asked.sequence, &[&code.to_ne_bytes()[..], &[0; 16]].concat());
        if asked.kind & 3 != 2 {
            match &mut self.refuses {
                Some((0, errno)) => return vec![ends(ERROR, -*errno)],
                Some((after, _)) => *after -= 1,
                None => {}
            }
        }
        let told: Vec<Vec<u8>> = match asked.kind {
            NEWLINK | GETLINK => self.links(asked).iter().map(|(name, index)| self.link(name, *index)).collect(),
            GETADDR => self.address(asked).into_iter().collect(),
            GETNSID => vec![[&[0; 4][..], &attribute(1, &7_u32.to_ne_bytes())].concat()],
            _ => Vec::new(),
        };
        let absent = asked.kind == GETLINK && told.is_empty();
        let end = if asked.flags & DUMP == DUMP { ends(DONE, 0) } else { ends(ERROR, if absent { -19 } else { 0 }) };
        let kind = new_of(asked.kind);
        told.iter().map(|payload| build(kind, 0, asked.sequence, payload)).chain([end]).collect()
    }

    /// The links that are requested, by index or by name, or all.
    fn links(&self, asked: Message<'_>) -> Vec<(String, u32)> {
        let index = u32_at(asked.payload, 4).unwrap_or(0);
        let inside = attributes(&asked.payload[16..]).unwrap_or_default();
        let name = inside.iter().find(|(kind, _)| *kind == 3).map(|(_, name)| name.strip_suffix(&[0]).unwrap_or(name));
        let meant = |(text, of): &(&str, u32)| match (index, name) {
            (0, None) => true,
            (0, Some(name)) => name == text.as_bytes(),
            (index, _) => index == *of,
        };
        // A request that gives an index may mean a link whose name it cannot give.
        let given = self.named.fields.get("index").and_then(Value::as_u64).and_then(|index| u32::try_from(index).ok());
        let links = self.named.links().chain(given.map(|index| ("x@y", index)));
        links.filter(meant).map(|(name, index)| (name.to_owned(), index)).collect()
    }

    fn link(&self, name: &str, index: u32) -> Vec<u8> {
        let text = |field| self.named.text(field);
        let mac = self.named.fields.get("mac").map(forms).and_then(|forms| forms.last().cloned()).unwrap_or(vec![2; 6]);
        let mut link = [&[0; 4][..], &index.to_ne_bytes(), &[1, 0, 0, 0], &[0; 4]].concat();
        link.extend(attribute(3, &[name.as_bytes(), &[0]].concat()));
        link.extend(attribute(1, &mac));
        for number in [4, 13, 27, 30, 31] {
            link.extend(attribute(number, &1500_u32.to_ne_bytes()));
        }
        if text("target") == Some("self") {
            link.extend(attribute(10, &index.to_ne_bytes())); // a bridge is its own master
        }
        if self.named.fields.contains_key("tunnel_ids") {
            link.extend(attribute(12, &attribute(29, &[1]))); // `IFLA_BRPORT_VLAN_TUNNEL`
        }
        link.extend([16, 17].into_iter().flat_map(|kind| attribute(kind, &[0])));
        let peers = [text("link"), text("peer.name")];
        if let [Some(one), Some(other)] = peers {
            link.extend(attribute(5, &index_of(if name == one { other } else { one }).to_ne_bytes()));
        }
        if let Some(kind) = text("kind") {
            let below = text("parent").map(|parent| index_of(parent).to_ne_bytes());
            // Tunnels have it in their data.
            let own = match kind {
                "vxlan" => Some(3),
                "xfrm" | "ipip" | "sit" | "ip6tnl" | "gre" | "gretap" | "ip6gre" | "ip6gretap" => Some(1),
                _ => None,
            };
            let data = below.zip(own).map(|(index, own)| attribute(2, &attribute(own, &index)));
            link.extend(attribute(18, &[attribute(1, kind.as_bytes()), data.unwrap_or_default()].concat()));
            link.extend(below.filter(|_| own.is_none()).map(|index| attribute(5, &index)).unwrap_or_default());
        }
        link
    }

    /// The address that the request names, on the link that is looked up.
    fn address(&self, asked: Message<'_>) -> Option<Vec<u8>> {
        let (address, length) = self.named.text("address")?.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let peer =
            self.named.text("peer_address").and_then(|peer| peer.split('/').next()?.parse().ok()).unwrap_or(address);
        let family = if address.is_ipv4() { 2 } else { 10 };
        let mut state = vec![family, length.parse().ok()?, 0, 0];
        state.extend(asked.payload.get(4..8)?);
        state.extend([attribute(2, &octets(address)), attribute(1, &octets(peer))].concat());
        Some(state)
    }
}

/// A request, followed by how the kernel answers. The request is the text of a message up to a NUL, or made by its
/// declaration.
fn read(bytes: &[u8]) -> Option<(Request, [u8; 2])> {
    if bytes.first() != Some(&b'{') {
        let (how, bytes) = bytes.split_first_chunk()?;
        return Some((make(&mut Unstructured::new(bytes))?, *how));
    }
    let text = bytes.split(|byte| *byte == 0).next()?;
    let message = wire::CallMessage::parse(text).ok()?;
    let Method::Call(call) = message.method_kind() else { return None };
    let how = bytes.get(text.len() + 1..).and_then(|rest| rest.first_chunk().copied());
    Some((parse(call, &message.parameters, &caller()).ok()?, how.unwrap_or([0xff; 2])))
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((request, [which, after])) = read(bytes) else { return Corpus::Reject };
    if request.needs().stage != LastStage::Transaction {
        return Corpus::Reject;
    }
    let places = places(&request);
    let errno = [17, 19, 99, 1][usize::from(which & 3)]; // EEXIST, ENODEV, EADDRNOTAVAIL, EPERM
    let refuses = (after < 4).then_some((after, errno));
    let mut kernel = Kernel { named: Named::by(&request, &places), refuses };
    netlink::answer_with(move |datagram| kernel.answer(datagram));
    let mut route = Netlink::open(Protocol::Route).expect("it opens nothing");
    let _any = netlink::prepare(&mut route, places, &request)
        .and_then(|mut prepared| prepared.run(&mut route, &mut Listed::default()));
    Corpus::Keep
});
