// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A message as `netlink-packet-route` decodes it: one line for each part that is not zero, in the words of that crate.

use std::fmt::Debug;

use netlink_packet_core::{
    NLM_F_APPEND, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    AfSpecBridge, BridgeVlanInfoFlags, BridgeVlanTunnelInfo, InfoData, InfoNetkit, InfoVeth, LinkAttribute, LinkInfo,
    LinkMessage,
};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};
use netlink_packet_route::route::{RouteAttribute, RouteMessage};
use netlink_packet_route::rule::RuleMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

/// What the decoder shows of one message.
#[derive(Debug)]
pub(crate) struct Shown {
    /// The message with the flags that say how it acts, `NewLink create excl`.
    pub(crate) message: String,
    /// Its parts.
    pub(crate) parts: Vec<String>,
}

impl Shown {
    /// Decodes a datagram of one message.
    ///
    /// # Errors
    /// Why the decoder refuses it: for example, a number whose width is not the kernel's, or a part that it does not
    /// know.
    pub(crate) fn of(datagram: &[u8]) -> Result<Self, String> {
        let refused = |why: &dyn Debug| format!("the decoder says {why:?} of {datagram:02x?}");
        if let Some(own) = Self::nexthop(datagram) {
            return own;
        }
        let whole: NetlinkMessage<RouteNetlinkMessage> =
            NetlinkMessage::deserialize(datagram).map_err(|error| refused(&error))?;
        if usize::try_from(whole.header.length) != Ok(datagram.len()) {
            return Err(refused(&"not one message"));
        }
        let NetlinkPayload::InnerMessage(inner) = whole.payload else { return Err(refused(&whole.payload)) };
        let mut message = format!("{inner:?}").split('(').next().unwrap().to_owned();
        let flags: &[(u16, &str)] = match message.get(..3) {
            Some("New") => &[
                (NLM_F_CREATE, " create"),
                (NLM_F_EXCL, " excl"),
                (NLM_F_REPLACE, " replace"),
                (NLM_F_APPEND, " append"),
            ],
            Some("Get") => &[(NLM_F_DUMP, " dump")],
            _ => &[],
        };
        for (flag, word) in flags {
            message.push_str(if whole.header.flags & flag == *flag { word } else { "" });
        }
        use RouteNetlinkMessage as Of;
        let mut parts = Parts(Vec::new());
        match &inner {
            Of::NewLink(it) | Of::SetLink(it) | Of::DelLink(it) | Of::GetLink(it) => parts.link("", it),
            Of::NewAddress(it) | Of::DelAddress(it) | Of::GetAddress(it) => parts.address(it),
            Of::NewRoute(it) | Of::DelRoute(it) | Of::GetRoute(it) => parts.route(it),
            Of::NewRule(it) | Of::DelRule(it) | Of::GetRule(it) => parts.rule(it),
            Of::NewNeighbour(it) | Of::DelNeighbour(it) | Of::GetNeighbour(it) => parts.neighbour(it),
            Of::GetNsId(it) | Of::NewNsId(it) => parts.nsid(it),
            other => return Err(format!("tests/decoder/shown.rs does not show {other:?}")),
        }
        // The decoder keeps as bytes what it has no name for.
        match parts.0.iter().find(|part| part.contains("Other(") || part.contains("DefaultNla")) {
            Some(unknown) => Err(format!("the decoder does not know {unknown} of {message}")),
            None => Ok(Self { message, parts: parts.0 }),
        }
    }
}

/// `RTM_NEWNEXTHOP` and the two after it, and `NHA_…` by their numbers (`linux/rtnetlink.h`, `linux/nexthop.h`).
const NEXTHOPS: [(u16, &str); 3] = [(104, "NewNexthop"), (105, "DelNexthop"), (106, "GetNexthop")];
const NHA: [&str; 12] = ["", "Id", "Group", "", "Blackhole", "Oif", "Gateway", "", "", "Groups", "Master", "Fdb"];

impl Shown {
    /// Decodes a message about a nexthop object, which the decoder does not know. It is written from the kernel's headers.
    fn nexthop(datagram: &[u8]) -> Option<Result<Self, String>> {
        let u16_at = |at: usize| u16::from_ne_bytes(datagram[at..at + 2].try_into().unwrap());
        let (_, word) = NEXTHOPS.iter().find(|(kind, _)| *kind == u16_at(4))?;
        let mut message = (*word).to_owned();
        for (flag, name, of) in [(0x400, " create", "New"), (0x200, " excl", "New"), (0x100, " replace", "New")]
            .into_iter()
            .chain([(NLM_F_DUMP, " dump", "Get")])
        {
            let is_set = word.starts_with(of) && u16_at(6) & flag == flag;
            message.push_str(if is_set { name } else { "" });
        }
        let mut parts = Parts(Vec::new());
        let [family, scope, protocol, reserved, flags @ ..] = &datagram[16..24] else { panic!("{datagram:?}") };
        if let Some(family) = match family {
            0 => None,
            2 => Some("Inet"),
            10 => Some("Inet6"),
            other => return Some(Err(format!("family {other}"))),
        } {
            parts.put(format!("family {family}"));
        }
        parts.head("scope", *scope);
        parts.head("protocol", *protocol);
        parts.head("reserved", *reserved);
        parts.head("flags", u32::from_ne_bytes(flags.try_into().unwrap()));
        let mut rest = &datagram[24..];
        while !rest.is_empty() {
            let length = usize::from(u16::from_ne_bytes(rest[..2].try_into().unwrap()));
            let (kind, payload) = (u16::from_ne_bytes(rest[2..4].try_into().unwrap()), &rest[4..length]);
            let Some(name) = NHA.get(usize::from(kind)).filter(|name| !name.is_empty()) else {
                return Some(Err(format!("attribute {kind}")));
            };
            match (*name, payload.len()) {
                ("Group", _) => {
                    for (at, member) in payload.chunks(8).enumerate() {
                        let id = u32::from_ne_bytes(member[..4].try_into().unwrap());
                        parts.put(format!("hop {at} id {id}"));
                        parts.put(format!("hop {at} weight {}", u16::from_le_bytes([member[4], member[5]]) + 1));
                        parts.head("reserved", u16::from_ne_bytes([member[6], member[7]]));
                    }
                }
                ("Blackhole" | "Fdb" | "Groups", 0) => parts.put(*name),
                ("Gateway", 4) => {
                    parts.put(format!("Gateway({})", std::net::Ipv4Addr::from(<[u8; 4]>::try_from(payload).unwrap())));
                }
                ("Gateway", 16) => {
                    parts.put(format!("Gateway({})", std::net::Ipv6Addr::from(<[u8; 16]>::try_from(payload).unwrap())));
                }
                ("Id" | "Oif" | "Master", 4) => {
                    parts.put(format!("{name}({})", u32::from_ne_bytes(payload.try_into().unwrap())));
                }
                other => return Some(Err(format!("{other:?}"))),
            }
            rest = &rest[length.next_multiple_of(4).min(rest.len())..];
        }
        Some(Ok(Self { message, parts: parts.0 }))
    }
}

struct Parts(Vec<String>);

impl Parts {
    fn put(&mut self, part: impl Into<String>) {
        self.0.push(part.into());
    }

    /// A part of a header, unless it is zero.
    fn head<T: Copy + Debug + Default + PartialEq>(&mut self, name: &str, value: T) {
        if value != T::default() {
            self.put(format!("{name} {value:?}"));
        }
    }

    /// Each bit of a flags word.
    fn flags<T: Debug>(&mut self, under: &str, bits: impl Iterator<Item = T>) {
        for bit in bits {
            self.put(format!("{under}{bit:?}"));
        }
    }

    fn attributes(&mut self, attributes: &[impl Debug]) {
        for attribute in attributes {
            self.put(format!("{attribute:?}"));
        }
    }

    fn link(&mut self, under: &str, link: &LinkMessage) {
        let head = &link.header;
        self.head(&format!("{under}family"), head.interface_family);
        self.head(&format!("{under}index"), head.index);
        self.head(&format!("{under}type"), u16::from(head.link_layer_type));
        for bit in head.change_mask.iter() {
            self.put(format!("{under}{bit:?} {}", if head.flags.contains(bit) { "on" } else { "off" }));
        }
        self.flags(&format!("{under}unchanged "), (head.flags - head.change_mask).iter());
        for attribute in &link.attributes {
            match attribute {
                LinkAttribute::NetNsFd(descriptor) => {
                    assert!(*descriptor > 2, "{descriptor} is a standard descriptor");
                    self.put(format!("{under}NetNsFd"));
                }
                LinkAttribute::VfInfoList(list) => {
                    for of_vf in list.iter().flat_map(|one| one.0.iter()) {
                        self.put(format!("{under}vf {of_vf:?}"));
                    }
                }
                LinkAttribute::AfSpecBridge(list) => list.iter().for_each(|of_bridge| self.bridge(of_bridge)),
                LinkAttribute::LinkInfo(infos) => infos.iter().for_each(|info| self.link_info(under, info)),
                plain => self.put(format!("{under}{plain:?}")),
            }
        }
    }

    fn bridge(&mut self, of_bridge: &AfSpecBridge) {
        let words =
            |flags: &BridgeVlanInfoFlags| flags.iter_names().map(|(name, _)| format!(" {name}")).collect::<String>();
        match of_bridge {
            AfSpecBridge::VlanInfo(vlan) => self.put(format!("vlan {}{}", vlan.vid, words(&vlan.flags))),
            AfSpecBridge::VlanTunnelInfo(parts) => match &parts[..] {
                [BridgeVlanTunnelInfo::Id(id), BridgeVlanTunnelInfo::Vid(vlan), BridgeVlanTunnelInfo::Flags(flags)] => {
                    self.put(format!("tunnel {id} of vlan {vlan}{}", words(flags)));
                }
                other => self.put(format!("Other({other:?})")),
            },
            plain => self.put(format!("{plain:?}")),
        }
    }

    fn link_info(&mut self, under: &str, info: &LinkInfo) {
        match info {
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))) => self.link(&format!("{under}peer "), peer),
            LinkInfo::Data(InfoData::Netkit(list)) => list.iter().for_each(|attribute| match attribute {
                InfoNetkit::Peer(peer) => self.link(&format!("{under}peer "), peer),
                plain => self.put(format!("{under}data {plain:?}")),
            }),
            LinkInfo::Data(data) => {
                // The data of a kind is a list of attributes, `Bridge([ForwardDelay(1700), StpState(KernelStp)])`.
                let text = format!("{data:?}");
                let list = text.split_once("([").and_then(|(_, rest)| rest.strip_suffix("])"));
                for attribute in elements(list.unwrap_or(&text)) {
                    // A set of flags, `IFlags(GreIOFlags(Checksum | Key))`: each is a part.
                    if let Some((name, flags)) = attribute.strip_suffix("))").and_then(|a| a.split_once("(GreIOFlags("))
                    {
                        flags.split(" | ").for_each(|flag| self.put(format!("{under}data {name} {flag}")));
                        continue;
                    }
                    match attribute.strip_prefix("PortRange((").and_then(|rest| rest.strip_suffix("))")) {
                        Some(range) => {
                            let (least, most) = range.split_once(", ").unwrap();
                            self.put(format!("{under}data PortRange least {least}"));
                            self.put(format!("{under}data PortRange most {most}"));
                        }
                        None => self.put(format!("{under}data {attribute}")),
                    }
                }
            }
            plain => self.put(format!("{under}{plain:?}")),
        }
    }

    fn address(&mut self, address: &AddressMessage) {
        let head = &address.header;
        self.head("family", head.family);
        self.head("prefix", head.prefix_len);
        self.head("scope", head.scope);
        self.head("index", head.index);
        self.flags("header ", head.flags.iter());
        for attribute in &address.attributes {
            match attribute {
                AddressAttribute::Flags(flags) => self.flags("", flags.iter()),
                AddressAttribute::CacheInfo(times) => {
                    self.put(format!("preferred {}", times.ifa_preferred));
                    self.put(format!("valid {}", times.ifa_valid));
                    self.head("created", times.cstamp);
                    self.head("updated", times.tstamp);
                }
                AddressAttribute::Protocol(origin) => self.put(format!("origin {}", u8::from(*origin))),
                plain => self.put(format!("{plain:?}")),
            }
        }
    }

    fn route(&mut self, route: &RouteMessage) {
        let head = &route.header;
        self.head("family", head.address_family);
        self.head("destination length", head.destination_prefix_length);
        self.head("source length", head.source_prefix_length);
        self.head("tos", head.tos);
        self.head("table", head.table);
        self.head("protocol", head.protocol);
        self.head("scope", head.scope);
        self.head("type", head.kind);
        self.flags("", head.flags.iter());
        for attribute in &route.attributes {
            match attribute {
                RouteAttribute::Metrics(metrics) => metrics.iter().for_each(|m| self.put(format!("metric {m:?}"))),
                RouteAttribute::MultiPath(hops) => {
                    for (at, hop) in hops.iter().enumerate() {
                        let mut parts = Self(Vec::new());
                        parts.head("index", hop.interface_index);
                        parts.head("hops", hop.hops);
                        parts.flags("", hop.flags.iter());
                        parts.attributes(&hop.attributes);
                        parts.0.into_iter().for_each(|part| self.put(format!("hop {at} {part}")));
                    }
                }
                RouteAttribute::Encap(parts) => parts.iter().for_each(|part| self.put(format!("encap {part:?}"))),
                plain => self.put(format!("{plain:?}")),
            }
        }
    }

    fn rule(&mut self, rule: &RuleMessage) {
        let head = &rule.header;
        self.head("family", head.family);
        self.head("destination length", head.dst_len);
        self.head("source length", head.src_len);
        self.head("tos", head.tos);
        self.head("table", head.table);
        self.head("action", head.action);
        self.flags("", head.flags.iter());
        self.attributes(&rule.attributes);
    }

    fn neighbour(&mut self, neighbour: &NeighbourMessage) {
        let head = &neighbour.header;
        self.head("family", head.family);
        self.head("index", head.ifindex);
        // The decoder has names for single states. The two of an entry of a forwarding database are together.
        match (head.family, head.state) {
            (AddressFamily::Bridge, NeighbourState::Other(0xc0)) => self.put("state Noarp Permanent"),
            (AddressFamily::Bridge, NeighbourState::Other(0x42)) => self.put("state Noarp Reachable"),
            (_, state) => self.head("state", state),
        }
        self.head("type", head.kind);
        self.flags("", head.flags.iter());
        for attribute in &neighbour.attributes {
            match attribute {
                // The decoder expects an address of the family of the header, which is none of addresses.
                NeighbourAttribute::Destination(NeighbourAddress::Other(bytes)) if bytes.len() == 4 => {
                    self.put(format!("Destination({}.{}.{}.{})", bytes[0], bytes[1], bytes[2], bytes[3]));
                }
                other => self.attributes(std::slice::from_ref(other)),
            }
        }
    }

    fn nsid(&mut self, nsid: &NsidMessage) {
        self.head("family", nsid.header.family);
        for attribute in &nsid.attributes {
            match attribute {
                NsidAttribute::Fd(_) => self.put("Fd"),
                plain => self.put(format!("{plain:?}")),
            }
        }
    }
}

/// The elements of a list in Rust's `Debug` form, without its brackets.
fn elements(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            b',' if depth == 0 => {
                found.push(list.get(start..at).unwrap().trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(list.get(start..).unwrap().trim());
    found.retain(|element| !element.is_empty());
    found
}
