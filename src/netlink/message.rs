// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A netlink request as bytes, with a note of which field each attribute came from. Through it, the offset in the
//! kernel's extended acknowledgement leads to a field.
#![forbid(unsafe_code)]

use std::io::Cursor;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use neli::nl::{NlPayload, NlmsghdrBuilder};
use neli::rtnl::RtattrBuilder;
use neli::types::Buffer;
use neli::{Size, ToBytes};

use crate::call::field::Field;
use crate::refusal::Refusal;

/// Bytes of a netlink header (`struct nlmsghdr`).
const HEADER: usize = 16;
/// `NLA_F_NESTED` (`linux/netlink.h`); strict parsing demands it.
pub(super) const NESTED: u16 = 1 << 15;

/// Attributes one after the other.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    bytes: Vec<u8>,
    marks: Vec<(usize, Option<&'static Field>)>,
}

/// The family's header, and the attributes after it.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    /// The header.
    pub(super) head: Vec<u8>,
    /// The attributes.
    pub(super) attributes: Attributes,
}

/// A request.
#[derive(Debug)]
pub(super) struct Message {
    kind: u16,
    /// The type of the messages that answer it, apart from the acknowledgement.
    answer: u16,
    /// Whether it requests a change.
    changes: bool,
    flags: NlmF,
    payload: Vec<u8>,
    marks: Vec<(usize, Option<&'static Field>)>,
}

/// The error of an encoding, which fails only for lack of memory.
fn failed<E>(_: E) -> Refusal {
    Refusal::SystemError { step: "encode the request".to_owned(), errno: None }
}

/// The bytes of a value that `neli` encodes.
pub(super) fn bytes(value: &(impl ToBytes + Size)) -> Result<Vec<u8>, Refusal> {
    let mut cursor = Cursor::new(Vec::with_capacity(value.padded_size()));
    value.to_bytes(&mut cursor).map_err(failed)?;
    Ok(cursor.into_inner())
}

impl Attributes {
    /// Whether there are no attributes.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Adds an attribute that carries the value of `field`.
    pub(super) fn put(&mut self, kind: u16, payload: &[u8], field: &'static Field) -> Result<(), Refusal> {
        self.mark(Some(field));
        self.append(kind, payload)
    }

    /// Adds an attribute that comes from no single field.
    pub(super) fn add(&mut self, kind: u16, payload: &[u8]) -> Result<(), Refusal> {
        self.mark(None);
        self.append(kind, payload)
    }

    fn mark(&mut self, field: Option<&'static Field>) {
        self.marks.push((self.bytes.len(), field));
    }

    fn append(&mut self, kind: u16, payload: &[u8]) -> Result<(), Refusal> {
        let attribute =
            RtattrBuilder::default().rta_type(kind).rta_payload(Buffer::from(payload)).build().map_err(failed)?;
        self.bytes.extend(bytes(&attribute)?);
        Ok(())
    }

    /// Adds attributes inside an attribute, after `head`.
    pub(super) fn nest(&mut self, kind: u16, head: &[u8], inner: Self) -> Result<(), Refusal> {
        let mut whole = Self::default();
        whole.join(head, inner);
        self.hold(kind | NESTED, whole)
    }

    /// Adds an attribute that holds what [`Self::join`] has put together.
    pub(super) fn hold(&mut self, kind: u16, inner: Self) -> Result<(), Refusal> {
        let base = self.bytes.len() + 4;
        self.mark(None);
        self.marks.extend(inner.marks.into_iter().map(|(at, field)| (base + at, field)));
        self.append(kind, &inner.bytes)
    }

    /// Adds bytes that are not an attribute, and attributes after them.
    pub(super) fn join(&mut self, head: &[u8], inner: Self) {
        let base = self.bytes.len() + head.len();
        self.mark(None);
        self.marks.extend(inner.marks.into_iter().map(|(at, field)| (base + at, field)));
        self.bytes.extend([head, &inner.bytes].concat());
    }

    /// Adds other attributes after the existing ones.
    pub(super) fn append_all(&mut self, others: Self) {
        self.join(&[], others);
    }

    /// Their bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Their length in bytes.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}

impl Message {
    /// A request to rtnetlink: the family's header, then attributes. Each family has four message types. The first of
    /// them makes an object and is also the answer to the third, which requests objects (`rtnl_msgtype_kind`,
    /// `linux/rtnetlink.h`).
    pub(super) fn route(kind: Rtm, flags: NlmF, Encoded { head, attributes }: Encoded) -> Self {
        let kind = u16::from(kind);
        let base = HEADER + head.len();
        let marks = attributes.marks.into_iter().map(|(at, field)| (base + at, field)).collect();
        let payload = [head, attributes.bytes].concat();
        Self { kind, answer: kind & !3, changes: kind & 3 != 2, flags: flags | NlmF::REQUEST, payload, marks }
    }

    /// Whether it requests a listing.
    pub(super) fn lists(&self) -> bool {
        self.flags.contains(NlmF::DUMP)
    }

    /// Whether a message of this type answers it. With `NLM_F_ECHO`, the kernel announces a removed object as it does to
    /// everybody else, by a message of the same type as the request.
    pub(super) fn is_answered_by(&self, kind: u16) -> bool {
        self.answer == kind || (self.flags.contains(NlmF::ECHO) && self.kind == kind)
    }

    /// Whether the answer is a single message, without an acknowledgement or more of a listing after it.
    pub(super) fn is_answered_at_once(&self) -> bool {
        !self.flags.intersects(NlmF::DUMP | NlmF::ACK)
    }

    /// Whether it requests a change.
    pub(super) fn changes(&self) -> bool {
        self.changes
    }

    /// The datagram, with this sequence number.
    pub(super) fn encode(&self, sequence: u32) -> Result<Vec<u8>, Refusal> {
        let message = NlmsghdrBuilder::default()
            .nl_type(self.kind)
            .nl_flags(self.flags)
            .nl_seq(sequence)
            .nl_payload(NlPayload::Payload(Buffer::from(self.payload.as_slice())))
            .build()
            .map_err(failed)?;
        bytes(&message)
    }

    /// The field that the attribute at this offset of the datagram came from.
    pub(super) fn field_at(&self, offset: usize) -> Option<&'static Field> {
        self.marks.iter().filter(|(at, _)| *at <= offset).max_by_key(|(at, _)| *at).and_then(|(_, field)| *field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::field::{LINK, MTU, PEER_MTU, PEER_NAME};

    #[test]
    fn an_offset_names_the_field_of_its_attribute_at_any_depth() {
        let mut peer = Attributes::default();
        peer.put(3, b"p\0", &PEER_NAME.field).unwrap();
        peer.put(4, &[1, 0, 0, 0], &PEER_MTU.field).unwrap();
        let mut data = Attributes::default();
        data.nest(1, &[0; 16], peer).unwrap();
        let mut all = Attributes::default();
        all.put(3, b"l\0", &LINK.field).unwrap();
        all.nest(18, &[], data).unwrap();
        all.put(4, &[2, 0, 0, 0], &MTU.field).unwrap();
        let message = Message::route(Rtm::Newlink, NlmF::empty(), Encoded { head: vec![0; 16], attributes: all });
        let bytes = message.encode(1).unwrap();
        // Where each attribute really is: at the value of one of the two numbers, less the four bytes of its header.
        let at = |value: [u8; 4]| bytes.windows(4).rposition(|window| window == value).unwrap() - 4;
        let named = |offset: usize| message.field_at(offset).map(|field| field.name);
        assert_eq!(named(32), Some("link"));
        assert_eq!(named(at([1, 0, 0, 0])), Some("peer.mtu"));
        assert_eq!(named(at([1, 0, 0, 0]) - 8), Some("peer.name"));
        assert_eq!(named(at([2, 0, 0, 0])), Some("mtu"));
        assert_eq!(named(16), None, "the header is no field's");
        assert_eq!(named(40), None, "what holds others is no field's");
        assert_eq!(bytes.len() % 4, 0);
    }

    #[test]
    fn a_request_is_answered_by_messages_about_its_own_family() {
        let answered = |question: Rtm| {
            let message = Message::route(question, NlmF::empty(), Encoded::default());
            (0..200).filter(|kind| message.is_answered_by(*kind)).collect::<Vec<u16>>()
        };
        assert_eq!([Rtm::Newlink, Rtm::Getlink].map(answered), [[16], [16]]);
        assert_eq!([Rtm::Getaddr, Rtm::Getnsid].map(answered), [[20], [88]]);
    }
}
