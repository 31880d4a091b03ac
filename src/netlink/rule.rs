// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Rules of routing (`RTM_NEWRULE` …, `linux/fib_rules.h`). Links stand in them by name, and need not be there.
#![forbid(unsafe_code)]

mod state;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{FrAct, RtAddrFamily, RtTable, Rtm};
use neli::rtnl::FibmsgBuilder;
use nix::errno::Errno;
use serde_json::Map;

use super::inet::octets;
use super::lookup::with_nul;
use super::message::{Attributes, Message, bytes};
use super::transaction::{Failure, Route};
use super::{Prepared, listing, not_encoded};
use crate::call::field::{self, Key};
use crate::call::inet::InterfaceAddress;
use crate::call::request::Request;
use crate::refusal::{Refusal, invalid};

/// Attributes of a rule (`FRA_…`).
mod fra {
    pub(super) const DST: u16 = 1;
    pub(super) const SRC: u16 = 2;
    pub(super) const IIFNAME: u16 = 3;
    pub(super) const GOTO: u16 = 4;
    pub(super) const PRIORITY: u16 = 6;
    pub(super) const FWMARK: u16 = 10;
    pub(super) const FLOW: u16 = 11;
    pub(super) const TUN_ID: u16 = 12;
    pub(super) const SUPPRESS_IFGROUP: u16 = 13;
    pub(super) const SUPPRESS_PREFIXLEN: u16 = 14;
    pub(super) const TABLE: u16 = 15;
    pub(super) const FWMASK: u16 = 16;
    pub(super) const OIFNAME: u16 = 17;
    pub(super) const PAD: u16 = 18;
    pub(super) const L3MDEV: u16 = 19;
    pub(super) const UID_RANGE: u16 = 20;
    pub(super) const PROTOCOL: u16 = 21;
    pub(super) const IP_PROTO: u16 = 22;
    pub(super) const SPORT_RANGE: u16 = 23;
    pub(super) const DPORT_RANGE: u16 = 24;
    pub(super) const DSCP: u16 = 25;
}

/// Resolves and encodes a call of this family.
pub(super) fn prepare(route: &mut Route, request: &Request) -> Result<Prepared, Refusal> {
    match request.call().name {
        "Rule.Add" => add(route, request),
        "Rule.Delete" => Ok(delete(request)),
        "Rule.List" => state::list(request),
        _ => Err(not_encoded(request)),
    }
}

/// What stands in the header of a rule, `struct fib_rule_hdr`, besides its table, which is an attribute.
#[derive(Debug, Clone, Copy, Default)]
struct Head {
    destination_length: u8,
    source_length: u8,
    tos: u8,
    action: u8,
}

impl Head {
    fn encode(self, family: RtAddrFamily) -> Result<Vec<u8>, Refusal> {
        let message = FibmsgBuilder::default()
            .fib_family(family)
            .fib_dst_len(self.destination_length)
            .fib_src_len(self.source_length)
            .fib_tos(self.tos)
            .fib_table(RtTable::Unspec)
            .fib_action(FrAct::from(self.action))
            .build()
            .map_err(|_| Refusal::SystemError { step: "encode a rule".to_owned(), errno: None })?;
        bytes(&message)
    }
}

/// The number of an action (`FR_ACT_…`).
fn action_number(word: &str) -> u8 {
    match word {
        "to_table" => 1,
        "blackhole" => 6,
        "unreachable" => 7,
        "prohibit" => 8,
        _ => 0,
    }
}

/// A prefix, where it says something: of none the kernel keeps no address.
fn put_prefix(
    to: &mut Attributes,
    kind: u16,
    key: &'static Key<InterfaceAddress>,
    request: &Request,
) -> Result<u8, Refusal> {
    match request.get(key).filter(|prefix| prefix.length > 0) {
        Some(prefix) => to.put(kind, &octets(prefix.address), &key.field).map(|()| prefix.length),
        None => Ok(0),
    }
}

fn put_number(to: &mut Attributes, kind: u16, key: &'static Key<u64>, request: &Request) -> Result<(), Refusal> {
    let Some(value) = request.get(key) else { return Ok(()) };
    let value = u32::try_from(*value).map_err(|_| invalid(key.field.name, "does not fit 32 bits"))?;
    to.put(kind, &value.to_ne_bytes(), &key.field)
}

fn add(route: &mut Route, request: &Request) -> Result<Prepared, Refusal> {
    let mut attributes = Attributes::default();
    let head = Head {
        destination_length: put_prefix(&mut attributes, fra::DST, &field::DESTINATION, request)?,
        source_length: put_prefix(&mut attributes, fra::SRC, &field::SOURCE, request)?,
        tos: 0,
        action: action_number(request.needed(&field::ACTION)?),
    };
    for (kind, key) in [(fra::IIFNAME, &field::IIF), (fra::OIFNAME, &field::OIF)] {
        if let Some(name) = request.get(key) {
            // The kernel would take an alternative name for the link that has it, and the rule would be about a link that
            // nobody judged. A name that no link has yet is compared with the own names of links later.
            route.require_own_name(&key.field, name)?;
            attributes.put(kind, &with_nul(name.as_str()), &key.field)?;
        }
    }
    put_number(&mut attributes, fra::PRIORITY, &field::PRIORITY, request)?;
    if request.get(&field::FWMARK).is_some() {
        // The mask, too: without it the kernel takes a mark of 0 for no condition.
        put_number(&mut attributes, fra::FWMARK, &field::FWMARK, request)?;
        put_number(&mut attributes, fra::FWMASK, &field::FWMASK, request)?;
    }
    put_number(&mut attributes, fra::TABLE, &field::TABLE, request)?;
    put_number(&mut attributes, fra::SUPPRESS_PREFIXLEN, &field::SUPPRESS_PREFIXLENGTH, request)?;
    let head = head.encode(listing::family(request))?;
    let message = Message::new(Rtm::Newrule, NlmF::CREATE | NlmF::EXCL | NlmF::ACK, &head, attributes);
    let request = request.clone();
    Ok(Prepared::new(move |route, _| {
        match route.act(&message, &mut |_, _| {}) {
            Ok(()) => {}
            Err(Failure::Refused { errno: Errno::EEXIST, .. }) if request.is_set(&field::EXISTS_OK) => {
                state::same(route, &request)?;
            }
            Err(failure) => return Err(failure.about(&request)),
        }
        Ok(Map::new())
    }))
}

/// The kernel takes what is 0 or absent for anything, and deletes the first rule that fits. So the rules are listed
/// first, and the one that is as was asked is deleted by all that the kernel tells of it.
fn delete(request: &Request) -> Prepared {
    let request = request.clone();
    let tolerant = request.is_set(&field::MISSING_OK);
    Prepared::new(move |route, _| {
        let gone = || Failure::Refused { errno: Errno::ENOENT, text: None, field: None };
        let result = match state::removal(route, &request)? {
            Some(message) => route.transact(&message, &mut |_, _| {}),
            None => Err(gone()),
        };
        match result {
            Err(Failure::Refused { errno: Errno::ENOENT, .. }) if tolerant => Ok(Map::new()),
            other => other.map(|()| Map::new()).map_err(|failure| failure.about(&request)),
        }
    })
}
