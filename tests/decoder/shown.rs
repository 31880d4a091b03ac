// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A message as `netlink-packet-route` decodes it: one line for each part that is not zero, in the words of that crate.

use std::fmt::Debug;

use netlink_packet_core::{
    NLM_F_APPEND, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    AfSpecBridge, BridgeVlanInfoFlags, BridgeVlanTunnelInfo, InfoData, InfoNetkit, InfoVeth, LinkAttribute, LinkInfo,
    LinkMessage,
};
use netlink_packet_route::neighbour::NeighbourMessage;
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};
use netlink_packet_route::route::{RouteAttribute, RouteMessage};
use netlink_packet_route::rule::RuleMessage;

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
        self.head("state", head.state);
        self.head("type", head.kind);
        self.flags("", head.flags.iter());
        self.attributes(&neighbour.attributes);
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
