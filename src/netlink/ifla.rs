// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attributes of a link (`IFLA_…`, `linux/if_link.h`). What is neither here nor in the table of a kind
//! (`link::kind`) cannot be written.
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
/// Inside a vxlan's data; its other attributes, and other kinds', are in their tables.
pub(super) const VXLAN_LINK: u16 = 3;
