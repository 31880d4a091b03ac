// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the kernel reports of the VLANs of a bridge or of a port of one (`br_fill_ifinfo`).
#![forbid(unsafe_code)]

use super::super::answer::{attributes, find, i32_at, u16_at, u32_at};
use super::super::rows::Seen;
use super::{
    AF_SPEC, FLAGS, MASTER, PVID, RANGE_BEGIN, RANGE_END, TUNNEL_FLAGS, TUNNEL_ID, TUNNEL_INFO, TUNNEL_VLAN, UNTAGGED,
    VLAN_INFO,
};
use crate::call::range::NumberRange;

/// `IFLA_PROTINFO`, and in it `IFLA_BRPORT_VLAN_TUNNEL`
const PROTINFO: u16 = 12;
const VLAN_TUNNEL: u16 = 29;

/// One VLAN of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vlan {
    pub(super) id: u16,
    /// [`PVID`], [`UNTAGGED`]
    pub(super) flags: u16,
    pub(super) tunnel: Option<u32>,
}

impl Vlan {
    pub(super) fn range(self) -> Option<NumberRange> {
        NumberRange::new(self.id.into(), self.id.into())
    }
}

/// What the kernel reports of the VLANs of a link.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) index: i32,
    /// Whether it is a bridge itself, and not a port.
    pub(super) is_bridge: bool,
    /// Whether it is a port with `bridge_port.vlan_tunnel`.
    pub(super) has_tunnels: bool,
    /// In ascending order.
    pub(super) vlans: Vec<Vlan>,
}

impl Holder {
    /// The inner `None` stands for a network card, which reports how it forwards between its functions.
    pub(super) fn of(seen: &Seen<'_>) -> Option<Option<Self>> {
        // A kernel without VLANs of bridges (CONFIG_BRIDGE_VLAN_FILTERING) reports the bridges and ports nevertheless.
        let spec = seen.get(AF_SPEC);
        if find(spec.unwrap_or_default(), FLAGS)?.is_some() {
            return Some(None);
        }
        // A list of more than 64 KiB overflows its length. What is left of it then looks like more attributes.
        if spec.is_some() && attributes(seen.attributes()).last()??.0 != AF_SPEC {
            return None;
        }
        let index = i32_at(seen.head(4), 0)?;
        let is_bridge = seen.get(MASTER).and_then(|master| i32_at(master, 0)) == Some(index);
        let tunnels = seen.get(PROTINFO).and_then(|port| find(port, VLAN_TUNNEL).flatten());
        let has_tunnels = tunnels.and_then(<[u8]>::first).is_some_and(|on| *on != 0);
        Some(Some(Self { index, is_bridge, has_tunnels, vlans: vlans(spec.unwrap_or_default())? }))
    }
}

/// The VLANs in the lists of a link. The list of tunnel ids comes after that of VLANs.
fn vlans(spec: &[u8]) -> Option<Vec<Vlan>> {
    let mut all = Vec::new();
    let (mut begun, mut begun_tunnel) = (None, None);
    for attribute in attributes(spec) {
        let (kind, payload) = attribute?;
        if kind == VLAN_INFO {
            let (flags, id) = (u16_at(payload, 0)?, u16_at(payload, 2)?);
            let Some((first, last)) = between(&mut begun, flags, id)? else { continue };
            all.extend((first..=last).map(|id| Vlan { id, flags: flags & (PVID | UNTAGGED), tunnel: None }));
        } else if kind == TUNNEL_INFO {
            let number = |kind| find(payload, kind).flatten();
            let id = u16_at(number(TUNNEL_VLAN)?, 0)?;
            let tunnel = u32_at(number(TUNNEL_ID)?, 0)?;
            let flags = number(TUNNEL_FLAGS).and_then(|flags| u16_at(flags, 0)).unwrap_or(0);
            let Some(((first, tunnel), (last, _))) = between(&mut begun_tunnel, flags, (id, tunnel))? else { continue };
            let from = all.partition_point(|vlan: &Vlan| vlan.id < first);
            for vlan in all.iter_mut().skip(from).take_while(|vlan| vlan.id <= last) {
                vlan.tunnel = Some(tunnel.checked_add(u32::from(vlan.id - first))?);
            }
        }
    }
    Some(all)
}

/// Both ends of a range, once the second is read. The outer `None` stands for an end without a beginning.
fn between<T: Copy>(begun: &mut Option<T>, flags: u16, end: T) -> Option<Option<(T, T)>> {
    if flags & RANGE_BEGIN != 0 {
        *begun = Some(end);
        return Some(None);
    }
    let first = if flags & RANGE_END != 0 { begun.take()? } else { end };
    Some(Some((first, end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + payload.len()).unwrap();
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), payload].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn vlan(flags: u16, id: u16) -> Vec<u8> {
        attribute(VLAN_INFO, &[flags.to_ne_bytes(), id.to_ne_bytes()].concat())
    }

    fn tunnel(flags: u16, vlan: u16, tunnel: u32) -> Vec<u8> {
        let inner = [
            attribute(TUNNEL_ID, &tunnel.to_ne_bytes()),
            attribute(TUNNEL_VLAN, &vlan.to_ne_bytes()),
            attribute(TUNNEL_FLAGS, &flags.to_ne_bytes()),
        ];
        attribute(TUNNEL_INFO, &inner.concat())
    }

    #[test]
    fn the_two_lists_of_a_link_are_joined() {
        let spec = [
            vlan(PVID | UNTAGGED, 1),
            vlan(RANGE_BEGIN, 5),
            vlan(RANGE_END, 7),
            tunnel(RANGE_BEGIN, 5, 50),
            tunnel(RANGE_END, 6, 51),
            tunnel(0, 9, 90), // no such VLAN
        ];
        let of = |id, flags, tunnel| Vlan { id, flags, tunnel };
        let expected = [of(1, PVID | UNTAGGED, None), of(5, 0, Some(50)), of(6, 0, Some(51)), of(7, 0, None)];
        assert_eq!(vlans(&spec.concat()).unwrap(), expected);
    }

    #[test]
    fn lists_that_are_not_as_the_kernel_writes_them_are_not_read() {
        for spec in
            [vlan(RANGE_END, 7), attribute(VLAN_INFO, &[0; 3]), tunnel(RANGE_END, 7, 70), attribute(TUNNEL_INFO, &[])]
        {
            assert_eq!(vlans(&spec), None, "{spec:?}");
        }
    }

    /// A length of 16 bits cannot hold the list.
    #[test]
    fn a_list_that_overflows_is_not_taken_for_a_short_one() {
        let link = |behind: &[u8]| [&[0; 16][..], &attribute(AF_SPEC, &vlan(0, 7)), behind].concat();
        let read = |payload: &[u8]| Holder::of(&Seen::new(&crate::call::VLAN_STATE, payload).unwrap()).is_some();
        assert!(read(&link(&[])));
        assert!(!read(&link(&vlan(0, 8))));
    }
}
