// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The numbers by which namespaces know each other (nsid, `RTM_GETNSID`, `linux/net_namespace.h`).
#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd as _, OwnedFd};

use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use nix::errno::Errno;
use serde_json::Map;

use super::answer::{find, i32_at};
use super::message::{Attributes, Encoded, Message};
use super::sides::{Before, number};
use super::transaction::{Netlink, TransactionError};
use super::{Encoder, Prepared};
use crate::call::field;
use crate::call::request::Request;
use crate::refusal::{KernelRefusal, Refusal, differs, invalid};

/// `NETNSA_NSID`, `NETNSA_FD`
const NSID: u16 = 1;
const FD: u16 = 3;
/// Bytes of `struct rtgenmsg`: one, padded.
const HEAD: usize = 4;

pub(super) static ENCODERS: &[Encoder] = &[
    Encoder { call: "Netns.Get", prepare: get, object: None, settled: &[] },
    Encoder { call: "Netns.Numbers", prepare: numbers, object: None, settled: &[] },
    Encoder { call: "Netns.Set", prepare: set, object: None, settled: &[&field::NSID.field, &field::EXISTS_OK.field] },
];

/// Requests the number by which the socket's namespace knows another one; `None` where it has none.
pub(super) fn ask_nsid(netlink: &mut Netlink, netns: &OwnedFd) -> Result<Option<i32>, Refusal> {
    let mut attributes = Attributes::default();
    attributes.add(FD, &netns.as_raw_fd().to_ne_bytes())?;
    let message = Message::route(Rtm::Getnsid, NlmF::ACK, Encoded { head: vec![0; HEAD], attributes });
    let found = netlink.ask(&message, "parse the number of a namespace", nsid).map_err(TransactionError::refusal)?;
    Ok(found.into_iter().next().filter(|nsid| *nsid >= 0))
}

/// `Netns.Get`. In the file system, namespaces of all types look the same, so only the kernel's answer shows whether
/// this is a network namespace.
fn get(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let not_one = not_one(before.request())?;
    let is_other = move |refusal| match refusal {
        Refusal::Kernel(KernelRefusal { errno: Errno::EINVAL, .. }) => not_one.clone(),
        other => other,
    };
    let places = before.places();
    let (netns, left_over) = (places.netns.take(), places.left_over);
    Ok(Prepared::new(move |after, _| {
        let mut result = Map::from_iter([("ready".to_owned(), (!left_over).into())]);
        if let Some(netns) = &netns {
            result.extend(ask_nsid(after, netns).map_err(&is_other)?.map(|nsid| ("nsid".to_owned(), nsid.into())));
        }
        Ok(result)
    }))
}

/// The refusal where `netns` is not a network namespace.
fn not_one(request: &Request) -> Result<Refusal, Refusal> {
    let name = request.needed(&field::NETNS)?.as_str().to_owned();
    Ok(Refusal::NoSuchNetns { field: field::NETNS.field.name, name, reason: "not_a_namespace", errno: Errno::EINVAL })
}

/// `Netns.Set`
fn set(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let request = before.request().clone();
    let Some(netns) = before.places().netns.take() else { return Err(not_one(&request)?) };
    let wanted = number(&request, &field::NSID)?.and_then(|nsid| i32::try_from(nsid).ok());
    let wanted = wanted.ok_or_else(|| invalid(field::NSID.field.name, "does not fit 31 bits"))?;
    let mut attributes = Attributes::default();
    attributes.put(NSID, &wanted.to_ne_bytes(), &field::NSID.field)?;
    attributes.put(FD, &netns.as_raw_fd().to_ne_bytes(), &field::NETNS.field)?;
    let message = Message::route(Rtm::Newnsid, NlmF::ACK, Encoded { head: vec![0; HEAD], attributes });
    Ok(Prepared::new(move |after, _| {
        let is_other = not_one(&request)?;
        let refused = |failure: TransactionError, _: &Request| match failure {
            TransactionError::Refused { errno: Errno::EINVAL, .. } => is_other.clone(),
            other => other.refusal().about_object(&field::NSID.field),
        };
        after.make(&message, &request, refused, |after| match ask_nsid(after, &netns)? {
            Some(nsid) if nsid == wanted => Ok(Map::new()),
            _ => Err(differs(&field::NSID.field)),
        })
    }))
}

/// `Netns.Numbers`
fn numbers(_: Before<'_>) -> Result<Prepared, Refusal> {
    let encoded = Encoded { head: vec![0; HEAD], attributes: Attributes::default() };
    let message = Message::route(Rtm::Getnsid, NlmF::DUMP, encoded);
    Ok(Prepared::new(move |after, _| {
        let found = after.ask(&message, "parse the number of a namespace", nsid).map_err(TransactionError::refusal)?;
        let mut nsids: Vec<i32> = found.into_iter().filter(|nsid| *nsid >= 0).collect();
        nsids.sort_unstable();
        Ok(Map::from_iter([("nsids".to_owned(), nsids.into())]))
    }))
}

/// The number by which this namespace knows another (`NETNSA_NSID`); -1 where it has none.
fn nsid(payload: &[u8]) -> Option<i32> {
    i32_at(find(payload.get(HEAD..)?, NSID)??, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_without_a_number_is_told_from_an_answer_that_does_not_parse() {
        let told = |attribute: &[u8]| nsid(&[&[0; 4], attribute].concat());
        assert_eq!(told(&[8, 0, 1, 0, 7, 0, 0, 0]), Some(7));
        assert_eq!(told(&[8, 0, 1, 0, 255, 255, 255, 255]), Some(-1));
        for bad in [&[][..], &[6, 0, 1, 0, 7, 0, 0, 0], &[9, 0, 1, 0, 7, 0, 0, 0]] {
            assert_eq!(told(bad), None, "{bad:?}");
        }
    }
}
