// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Netlink as in `linux/netlink.h` and `linux/rtnetlink.h`, decoded and encoded without the broker's code. The targets
//! compare with this.

/// Bytes of `struct nlmsghdr`.
pub const HEADER: usize = 16;
/// `NLMSG_NOOP`, `NLMSG_ERROR`, `NLMSG_DONE`.
pub const NOOP: u16 = 1;
pub const ERROR: u16 = 2;
pub const DONE: u16 = 3;
/// `NLM_F_ECHO`, `NLM_F_DUMP_INTR` (of an answer); `NLM_F_DUMP` (of a request).
pub const ECHO: u16 = 0x8;
pub const INTERRUPTED: u16 = 0x10;
pub const DUMP: u16 = 0x300;
/// `RTM_NEWLINK`, `RTM_GETLINK`, `RTM_SETLINK`, `RTM_NEWADDR`, `RTM_GETADDR`, `RTM_NEWROUTE`, `RTM_NEWNSID`,
/// `RTM_GETNSID`.
pub const NEWLINK: u16 = 16;
pub const GETLINK: u16 = 18;
pub const SETLINK: u16 = 19;
pub const NEWADDR: u16 = 20;
pub const GETADDR: u16 = 22;
pub const NEWROUTE: u16 = 24;
pub const NEWNSID: u16 = 88;
pub const GETNSID: u16 = 90;
/// `RTM_NEWTUNNEL`
pub const NEWTUNNEL: u16 = 120;

/// One message.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    pub kind: u16,
    pub flags: u16,
    pub sequence: u32,
    pub payload: &'a [u8],
}

pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The messages of a datagram; `None` where the rest cannot be read.
pub fn messages(mut bytes: &[u8]) -> Vec<Option<Message<'_>>> {
    let mut read = Vec::new();
    while !bytes.is_empty() {
        let Some((message, length)) = message(bytes) else {
            read.push(None);
            break;
        };
        read.push(Some(message));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    read
}

fn message(bytes: &[u8]) -> Option<(Message<'_>, usize)> {
    let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
    let payload = bytes.get(HEADER..length)?;
    Some((Message { kind: u16_at(bytes, 4)?, flags: u16_at(bytes, 6)?, sequence: u32_at(bytes, 8)?, payload }, length))
}

/// Gives every message of a datagram that answers no request (sequence 0) the sequence number of this request.
pub fn answer(datagram: &mut [u8], sequence: u32) {
    let mut at = 0;
    while let Some(length) = u32_at(datagram, at).filter(|length| *length >= 16) {
        if let Some(place) = datagram.get_mut(at + 8..at + 12).filter(|place| **place == [0; 4]) {
            place.copy_from_slice(&sequence.to_ne_bytes());
        }
        at = at.saturating_add(length as usize).next_multiple_of(4);
    }
}

/// Attributes: type without its flags, and payload. `None` where the lengths do not fit; up to three bytes may be left
/// over.
pub fn attributes(mut bytes: &[u8]) -> Option<Vec<(u16, &[u8])>> {
    let mut read = Vec::new();
    while bytes.len() >= 4 {
        let length = usize::from(u16_at(bytes, 0)?);
        read.push((u16_at(bytes, 2)? & 0x3fff, bytes.get(4..length)?));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(read)
}

/// The kind of message that answers a request, by the numbering of `linux/rtnetlink.h`: NEW, DEL, GET, SET.
pub fn new_of(kind: u16) -> u16 {
    kind & !3
}

/// Bytes of the family's header: `ifinfomsg` (also of link properties), `ifaddrmsg`, `rtmsg`, `ndmsg`, `fib_rule_hdr`, `rtgenmsg`,
/// `nhmsg`, `tunnel_msg`.
pub fn head_of(kind: u16) -> Option<usize> {
    match new_of(kind) {
        NEWLINK | 108 => Some(16),
        NEWADDR | NEWTUNNEL | 104 => Some(8),
        24 | 28 | 32 => Some(12),
        NEWNSID => Some(4),
        _ => None,
    }
}

/// A message for an answer.
pub fn build(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + payload.len()).expect("short");
    let head = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &sequence.to_ne_bytes(), &[0; 4]];
    padded([&head.concat(), payload].concat())
}

pub fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + payload.len()).expect("short");
    padded([&length.to_ne_bytes()[..], &kind.to_ne_bytes(), payload].concat())
}

fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
