// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kernel's answers: messages, acknowledgements, attributes. Whatever does not parse is an error, never a guess.
#![forbid(unsafe_code)]

use nix::errno::Errno;

use crate::call::name::misleads;

/// `NLMSG_NOOP`, `NLMSG_ERROR`, `NLMSG_DONE` (`linux/netlink.h`).
const NOOP: u16 = 1;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `NLM_F_DUMP_INTR`, `NLM_F_CAPPED`, `NLM_F_ACK_TLVS`.
const INTERRUPTED: u16 = 0x10;
const CAPPED: u16 = 0x100;
const ACK_TLVS: u16 = 0x200;
/// `NLMSGERR_ATTR_MSG`, `NLMSGERR_ATTR_OFFS`.
const TEXT: u16 = 1;
const OFFSET: u16 = 2;
/// Bytes of `struct nlmsghdr`.
const HEADER: usize = 16;

/// One message of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer<'a> {
    /// A part of what was requested.
    Message {
        /// Its type (`RTM_NEWLINK` …).
        kind: u16,
        /// The bytes after the netlink header.
        payload: &'a [u8],
        /// The listing changed while it was read.
        interrupted: bool,
    },
    /// The end: an acknowledgement, or the end of a listing.
    Done {
        /// The listing changed while it was read.
        interrupted: bool,
    },
    /// The kernel refused the request.
    Refused {
        /// The error number.
        errno: Errno,
        /// The text of the extended acknowledgement.
        text: Option<String>,
        /// The offset in the request that it points at.
        offset: Option<usize>,
    },
}

/// The messages of a datagram that answer the request of this sequence number. `None` stands for one that does not
/// parse.
pub(super) fn messages(datagram: &[u8], sequence: u32) -> impl Iterator<Item = Option<Answer<'_>>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let Some(piece) = Piece::split(rest) else {
                rest = &[];
                return Some(None);
            };
            rest = piece.behind;
            if piece.sequence == sequence && piece.kind != NOOP {
                return Some(read(piece.kind, piece.flags, piece.payload));
            }
        }
        None
    })
}

/// One message of a datagram.
struct Piece<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    payload: &'a [u8],
    behind: &'a [u8],
}

impl<'a> Piece<'a> {
    fn split(bytes: &'a [u8]) -> Option<Self> {
        let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
        Some(Self {
            kind: u16_at(bytes, 4)?,
            flags: u16_at(bytes, 6)?,
            sequence: u32_at(bytes, 8)?,
            payload: bytes.get(HEADER..length)?,
            behind: bytes.get(length.next_multiple_of(4)..).unwrap_or_default(),
        })
    }
}

fn read(kind: u16, flags: u16, payload: &[u8]) -> Option<Answer<'_>> {
    let interrupted = flags & INTERRUPTED != 0;
    match kind {
        // An acknowledgement may carry a warning. It is still an acknowledgement, and ends the transaction.
        ERROR | DONE => match i32_at(payload, 0)? {
            0 => Some(Answer::Done { interrupted }),
            code => {
                let errno = Errno::from_raw(code.checked_neg()?);
                let (text, offset) = extended(kind, flags, payload).unwrap_or_default();
                Some(Answer::Refused { errno, text, offset })
            }
        },
        kind => Some(Answer::Message { kind, payload, interrupted }),
    }
}

/// The extended acknowledgement after an error. The kernel first echoes the request's header, and all of the request
/// unless capped.
fn extended(kind: u16, flags: u16, payload: &[u8]) -> Option<(Option<String>, Option<usize>)> {
    if flags & ACK_TLVS == 0 {
        return None;
    }
    let echoed = match kind {
        DONE => 0,
        _ if flags & CAPPED != 0 => HEADER,
        _ => usize::try_from(u32_at(payload, 4)?).ok()?.next_multiple_of(4),
    };
    let attributes = payload.get(4 + echoed..)?;
    let text = find(attributes, TEXT)?.map(|bytes| escape(until_nul(bytes)));
    let offset = find(attributes, OFFSET)?.and_then(|bytes| u32_at(bytes, 0)).and_then(|at| usize::try_from(at).ok());
    Some((text, offset))
}

/// Bits of an attribute's type that are flags (`NLA_F_NESTED`, `NLA_F_NET_BYTEORDER`).
const FLAGS: u16 = 0xc000;
/// Bytes of the header of an attribute (`struct nlattr`).
const ATTRIBUTE: usize = 4;

/// The attributes in these bytes, each with its type without flags. Where they do not parse, the last item is `None`.
pub(super) fn attributes(bytes: &[u8]) -> impl Iterator<Item = Option<(u16, &[u8])>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let split = |bytes: &'_ [u8]| {
            let length = usize::from(u16_at(bytes, 0)?);
            Some((u16_at(bytes, 2)? & !FLAGS, length))
        };
        let Some((kind, length)) = split(rest) else {
            rest = &[];
            return Some(None);
        };
        let payload = rest.get(ATTRIBUTE..length);
        rest = if payload.is_some() { rest.get(length.next_multiple_of(4)..).unwrap_or_default() } else { &[] };
        Some(payload.map(|payload| (kind, payload)))
    })
}

/// The payload of the first attribute of this type, if any; the outer `None` where the attributes do not parse.
pub(super) fn find(bytes: &[u8], kind: u16) -> Option<Option<&[u8]>> {
    let mut found = None;
    for attribute in attributes(bytes) {
        let (of, payload) = attribute?;
        if of == kind && found.is_none() {
            found = Some(payload);
        }
    }
    Some(found)
}

/// The bytes before the first NUL.
pub(super) fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|b| *b == 0).next().unwrap_or_default()
}

/// A name from the kernel as text for JSON. It escapes as `\xNN` what is not UTF-8, control characters, characters that
/// are invisible or change how others are shown, and the backslash itself. So a listing never fails because of one
/// name, and no name appears as what it is not.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '\\' || c.is_control() || misleads(c) {
                let mut encoded = [0; 4];
                text.extend(c.encode_utf8(&mut encoded).bytes().map(|b| format!("\\x{b:02x}")));
            } else {
                text.push(c);
            }
        }
        text.extend(chunk.invalid().iter().map(|b| format!("\\x{b:02x}")));
    }
    text
}

/// Reads a fixed number of bytes at an offset.
pub(super) fn at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk::<N>().copied()
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    at(bytes, offset).map(u32::from_ne_bytes)
}

pub(super) fn i32_at(bytes: &[u8], offset: usize) -> Option<i32> {
    at(bytes, offset).map(i32::from_ne_bytes)
}

pub(super) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    at(bytes, offset).map(u16::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + payload.len()).unwrap();
        let head =
            [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &sequence.to_ne_bytes(), &[0; 4]];
        let mut bytes = [&head.concat()[..], payload].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn an_answer_to_another_request_is_passed_over() {
        let datagram = [message(16, 0, 7, b"no"), message(16, 0, 8, b"yes!"), message(ERROR, 0, 8, &[0; 20])].concat();
        let answers: Vec<_> = messages(&datagram, 8).map(Option::unwrap).collect();
        assert_eq!(answers[0], Answer::Message { kind: 16, payload: b"yes!", interrupted: false });
        assert_eq!(answers[1], Answer::Done { interrupted: false });
    }

    #[test]
    fn a_refusal_has_its_text_and_its_offset() {
        let attributes = [&[8, 0, 1, 0][..], b"bad\0", &[8, 0, 2, 0], &36_u32.to_ne_bytes()].concat();
        let payload = [&(-22_i32).to_ne_bytes()[..], &[0; 16], &attributes].concat();
        let datagram = message(ERROR, CAPPED | ACK_TLVS, 1, &payload);
        let refused = Answer::Refused { errno: Errno::EINVAL, text: Some("bad".to_owned()), offset: Some(36) };
        assert_eq!(messages(&datagram, 1).next().unwrap(), Some(refused));
    }

    #[test]
    fn an_answer_that_does_not_parse_is_an_error() {
        assert_eq!(messages(&[200, 0, 0, 0, 1], 1).next(), Some(None));
        assert_eq!(messages(&[0; 16], 0).next(), Some(None)); // a length of 0 must not loop
    }

    #[test]
    fn attributes_that_do_not_parse_are_not_taken_for_none() {
        let bytes = [&[8, 0, 1, 0][..], &[9, 0, 1, 0], &[4, 0, 2, 0]].concat();
        assert_eq!(find(&bytes, 1), Some(Some(&[9, 0, 1, 0][..])));
        assert_eq!(find(&bytes, 2), Some(Some(&[][..])));
        assert_eq!(find(&bytes, 3), Some(None));
        for bad in [&[9, 0, 1, 0][..], &[3, 0, 1, 0], &[4, 0], &[0; 4]] {
            assert_eq!(find(bad, 1), None, "{bad:?}");
        }
    }

    #[test]
    fn names_stay_apart_when_escaped() {
        assert_eq!(escape(b"a\\x00"), "a\\x5cx00");
        assert_eq!(escape(b"a\xff\x1b"), "a\\xff\\x1b");
        assert_eq!(escape("ä".as_bytes()), "ä");
    }
}
