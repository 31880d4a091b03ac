// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attributes of a link (`IFLA_…`, `linux/if_link.h`). What is not here cannot be written.
#![forbid(unsafe_code)]

pub(super) const ADDRESS: u16 = 1;
pub(super) const BROADCAST: u16 = 2;
pub(super) const IFNAME: u16 = 3;
pub(super) const MTU: u16 = 4;
pub(super) const LINK: u16 = 5;
pub(super) const QDISC: u16 = 6;
pub(super) const MASTER: u16 = 10;
pub(super) const TXQLEN: u16 = 13;
pub(super) const OPERSTATE: u16 = 16;
pub(super) const LINKMODE: u16 = 17;
pub(super) const LINKINFO: u16 = 18;
pub(super) const IFALIAS: u16 = 20;
pub(super) const NET_NS_FD: u16 = 28;
pub(super) const EXT_MASK: u16 = 29;
pub(super) const PROMISCUITY: u16 = 30;
pub(super) const LINK_NETNSID: u16 = 37;
/// Inside `LINKINFO`.
pub(super) const INFO_KIND: u16 = 1;
pub(super) const INFO_DATA: u16 = 2;
/// Inside a veth's data.
pub(super) const VETH_PEER: u16 = 1;
/// Inside a bridge's data (`IFLA_BR_…`).
pub(super) const BR_FORWARD_DELAY: u16 = 1;
pub(super) const BR_AGEING_TIME: u16 = 4;
pub(super) const BR_STP_STATE: u16 = 5;
pub(super) const BR_VLAN_FILTERING: u16 = 7;
pub(super) const BR_VLAN_DEFAULT_PVID: u16 = 39;
