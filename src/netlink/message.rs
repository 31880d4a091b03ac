// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A netlink request as bytes, with a note of which field each attribute came from: so that the offset in the kernel's
//! extended acknowledgement names a field.
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
const NESTED: u16 = 1 << 15;

/// Attributes one after the other.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    bytes: Vec<u8>,
    marks: Vec<(usize, &'static Field)>,
}

/// A request.
#[derive(Debug)]
pub(super) struct Message {
    kind: Rtm,
    flags: NlmF,
    payload: Vec<u8>,
    marks: Vec<(usize, &'static Field)>,
}

/// Encoding fails for lack of memory only.
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
    /// Adds an attribute that says what `field` says.
    pub(super) fn put(&mut self, kind: u16, payload: &[u8], field: &'static Field) -> Result<(), Refusal> {
        self.marks.push((self.bytes.len(), field));
        self.add(kind, payload)
    }

    /// Adds an attribute that no single field is behind.
    pub(super) fn add(&mut self, kind: u16, payload: &[u8]) -> Result<(), Refusal> {
        let attribute =
            RtattrBuilder::default().rta_type(kind).rta_payload(Buffer::from(payload)).build().map_err(failed)?;
        self.bytes.extend(bytes(&attribute)?);
        Ok(())
    }

    /// Adds attributes inside an attribute, behind `head`.
    pub(super) fn nest(&mut self, kind: u16, head: &[u8], inner: Self) -> Result<(), Refusal> {
        let base = self.bytes.len() + 4 + head.len();
        self.marks.extend(inner.marks.into_iter().map(|(at, field)| (base + at, field)));
        self.add(kind | NESTED, &[head, &inner.bytes].concat())
    }
}

impl Message {
    /// A request of this kind: the family's header, then attributes.
    pub(super) fn new(kind: Rtm, flags: NlmF, head: &[u8], attributes: Attributes) -> Self {
        let base = HEADER + head.len();
        let marks = attributes.marks.into_iter().map(|(at, field)| (base + at, field)).collect();
        Self { kind, flags: flags | NlmF::REQUEST, payload: [head, &attributes.bytes].concat(), marks }
    }

    /// The datagram.
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

    /// The field behind the attribute at this offset of the datagram.
    pub(super) fn field_at(&self, offset: usize) -> Option<&'static Field> {
        self.marks.iter().filter(|(at, _)| *at <= offset).max_by_key(|(at, _)| *at).map(|(_, field)| *field)
    }
}
