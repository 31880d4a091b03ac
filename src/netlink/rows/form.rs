// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a value is encoded in a message, and decoded from it.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use super::super::answer::{at, attributes, until_nul};
use super::super::inet::{INET, family, ip, octets};
use super::View;
use super::decoded::Decoded;
use crate::call::inet::{InterfaceAddress, bits};
use crate::call::object::{Cast, Form, Row, Width};
use crate::call::range::NumberRange;
use crate::call::value::Value;

/// `MPLS_LS_LABEL_SHIFT`, and the bit `MPLS_LS_S_MASK` (`linux/mpls.h`).
const LABEL_SHIFT: u64 = 12;
const LAST_LABEL: u64 = 1 << 8;

/// Encodes a value; `None` where this attribute cannot hold it. A form that has a length or a small number in the
/// header returns that byte first.
pub(super) fn write(row: &Row, value: &Value, given: &View<'_>) -> Result<Option<Vec<u8>>, String> {
    let own_family = |address: &IpAddr| family(*address) == given.given.family;
    Ok(Some(match (row.form, value) {
        (
            Form::Number(width) | Form::Positive(width) | Form::OrZero(width) | Form::Ticks(width),
            Value::Number(number),
        ) => number_bytes(width, *number)?,
        (Form::Range(width), Value::Range(range)) => {
            [number_bytes(width, range.first())?, number_bytes(width, range.last())?].concat()
        }
        (Form::NumberOf(field), _) => match given.value(field.get()) {
            Some(Value::Number(number)) => number_bytes(Width::Four, *number)?,
            _ => return Err(format!("is given without `{}`", field.get().name)),
        },
        (Form::LessOne(width), Value::Number(number)) => number_bytes(width, number.saturating_sub(1))?,
        (Form::Compact(_), Value::Number(number)) => match u8::try_from(*number) {
            Ok(small) => vec![small],
            Err(_) => [&[0][..], &number_bytes(Width::Four, *number)?].concat(),
        },
        (Form::Flag(width), Value::Bool(truth)) => number_bytes(width, u64::from(*truth))?,
        (Form::Bit(width, bit), Value::Bool(true)) | (Form::Given(width, bit), _) => number_bytes(width, bit.into())?,
        (Form::Present, Value::Bool(true)) => Vec::new(),
        (Form::Bit(..) | Form::Present, Value::Bool(false)) | (Form::Absent, Value::Bool(_)) => return Ok(None),
        (Form::Masked(bit, opposite, _), Value::Bool(truth)) => {
            (if *truth == opposite { 0 } else { bit }).to_ne_bytes().to_vec()
        }
        (
            Form::Word(width) | Form::WordNumber(width) | Form::Named(width, _) | Form::Flags(width, _),
            Value::Word(word),
        ) => {
            let number = row.words().and_then(|words| words.number(word)).ok_or("has no number")?;
            number_bytes(width, number.into())?
        }
        (Form::Keyword, Value::Word(word)) => word.as_bytes().to_vec(),
        (Form::Ip, Value::Address(address)) => octets(*address),
        (Form::OwnFamily, Value::Address(address)) if own_family(address) => octets(*address),
        (Form::OtherFamily, Value::Address(address)) if !own_family(address) => {
            [&u16::from(family(*address)).to_ne_bytes()[..], &octets(*address)].concat()
        }
        (Form::Ipv4(_), Value::Address(address)) if address.is_ipv4() => octets(*address),
        (Form::Ipv6(_), Value::Address(address)) if address.is_ipv6() => octets(*address),
        (Form::OwnFamily | Form::OtherFamily | Form::Ipv4(_) | Form::Ipv6(_), Value::Address(_)) => return Ok(None),
        (Form::Ipv4List, Value::Several(addresses)) => {
            let attribute = |(nth, address): (u16, &Value)| match address {
                Value::Address(address @ IpAddr::V4(_)) => {
                    Ok([&8_u16.to_ne_bytes()[..], &nth.to_ne_bytes(), &octets(*address)].concat())
                }
                other => Err(format!("`{other}` is not an IPv4 address")),
            };
            (0..).zip(addresses).map(attribute).collect::<Result<Vec<_>, _>>()?.concat()
        }
        (Form::Labels, Value::Several(labels)) => {
            let label = |(at, label): (usize, &Value)| match label {
                Value::Number(label) => {
                    let end = if at + 1 == labels.len() { LAST_LABEL } else { 0 };
                    number_bytes(Width::Net4, label << LABEL_SHIFT | end)
                }
                other => Err(format!("`{other}` is not a label")),
            };
            labels.iter().enumerate().map(label).collect::<Result<Vec<_>, _>>()?.concat()
        }
        (Form::Ip, Value::InterfaceAddress(address)) => octets(address.address),
        (Form::Interface(_), Value::InterfaceAddress(InterfaceAddress { address, length })) => {
            [&[*length][..], &octets(*address)].concat()
        }
        (Form::Prefix(_), Value::InterfaceAddress(InterfaceAddress { address, length })) => match length {
            0 => vec![0],
            _ => [&[*length][..], &octets(*address)].concat(),
        },
        (Form::Mac, Value::Mac(mac)) => mac.bytes().to_vec(),
        (Form::Name, Value::Link(name)) => with_nul(name.as_str()),
        (Form::Name, Value::Label(label)) => with_nul(label.as_str()),
        (Form::Text, Value::Text(text)) => text.as_str().as_bytes().to_vec(),
        (Form::Link, Value::Link(_)) | (Form::Netns, Value::Netns(_)) => match row.field().map(|f| given.number(f)) {
            Some(Some(number)) => number.to_ne_bytes().to_vec(),
            _ if matches!(row.form, Form::Netns) => return Ok(None), // the namespace of the request itself
            _ => return Err("was not resolved".to_owned()),
        },
        (Form::NoLink, Value::Bool(true)) => vec![0; 4],
        (Form::NoLink, Value::Bool(false)) | (Form::Objects(_), Value::List(_)) => return Ok(None),
        _ => return Err("is of another type than its place in the message".to_owned()),
    }))
}

pub(in crate::netlink) fn with_nul(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

fn number_bytes(width: Width, number: u64) -> Result<Vec<u8>, String> {
    let too_large = |_| format!("is too large: {number}");
    Ok(match width {
        Width::One => vec![u8::try_from(number).map_err(too_large)?],
        Width::Two => u16::try_from(number).map_err(too_large)?.to_ne_bytes().to_vec(),
        Width::Little2 => u16::try_from(number).map_err(too_large)?.to_le_bytes().to_vec(),
        Width::Net2 => u16::try_from(number).map_err(too_large)?.to_be_bytes().to_vec(),
        Width::Four => u32::try_from(number).map_err(too_large)?.to_ne_bytes().to_vec(),
        Width::Net4 => u32::try_from(number).map_err(too_large)?.to_be_bytes().to_vec(),
        Width::Eight => number.to_ne_bytes().to_vec(),
        Width::Net8 => number.to_be_bytes().to_vec(),
    })
}

/// Decodes a number of this width; `None` where the bytes are too few.
pub(super) fn number(width: Width, bytes: &[u8]) -> Option<u64> {
    match width {
        Width::One => bytes.first().copied().map(u64::from),
        Width::Two => at(bytes, 0).map(u16::from_ne_bytes).map(u64::from),
        Width::Little2 => at(bytes, 0).map(u16::from_le_bytes).map(u64::from),
        Width::Net2 => at(bytes, 0).map(u16::from_be_bytes).map(u64::from),
        Width::Four => at(bytes, 0).map(u32::from_ne_bytes).map(u64::from),
        Width::Net4 => at(bytes, 0).map(u32::from_be_bytes).map(u64::from),
        Width::Eight => at(bytes, 0).map(u64::from_ne_bytes),
        Width::Net8 => at(bytes, 0).map(u64::from_be_bytes),
    }
}

/// Decodes the bytes of one form. The inner `None` means that the object has no such value, the outer one that the
/// bytes do not have the form.
pub(super) fn read<'a>(row: &Row, bytes: &'a [u8], length: u8, family: u8) -> Option<Option<Decoded<'a>>> {
    let sort = |address: IpAddr, cast: Cast| {
        let is = if address.is_multicast() { Cast::Group } else { Cast::One };
        ((is == cast || cast == Cast::Any) && !address.is_unspecified()).then_some(Decoded::Address(address))
    };
    Some(Some(match row.form {
        Form::Number(width) | Form::OrZero(width) | Form::Ticks(width) | Form::WordNumber(width) => {
            Decoded::Number(number(width, bytes)?)
        }
        Form::Range(width) => {
            let last = number(width, bytes.get(width.bytes()..)?)?;
            Decoded::Range(NumberRange::new(number(width, bytes)?, last)?)
        }
        Form::Signed => Decoded::Signed(i32::from_ne_bytes(at(bytes, 0)?)),
        Form::Positive(width) => return Some(Some(number(width, bytes)?).filter(|n| *n != 0).map(Decoded::Number)),
        Form::LessOne(width) => Decoded::Number(number(width, bytes)? + 1),
        Form::Hundredths => {
            let left = i32::from_ne_bytes(at(bytes, 0)?);
            // The time of what has expired is negative until the kernel removes it.
            return Some((left != 0).then(|| Decoded::Number(u64::from(left.max(0).unsigned_abs() / 100))));
        }
        Form::Compact(_) => Decoded::Number(number(Width::Four, bytes)?),
        Form::Flag(width) => Decoded::Truth(number(width, bytes)? != 0),
        Form::Bit(width, bit) => Decoded::Truth(number(width, bytes)? & u64::from(bit) != 0),
        Form::Present => Decoded::Truth(true),
        Form::Absent => Decoded::Truth(false),
        Form::Masked(bit, opposite, _) => {
            Decoded::Truth((number(Width::Four, bytes)? & u64::from(bit) != 0) != opposite)
        }
        Form::Word(width) | Form::Named(width, _) => Decoded::Word(row.words()?, number(width, bytes)?),
        Form::Flags(width, words) => Decoded::Set(words, number(width, bytes)?),
        Form::Keyword | Form::Name | Form::Text => Decoded::Text(until_nul(bytes)),
        Form::Ip | Form::OwnFamily => Decoded::Address(ip(bytes)?),
        Form::OtherFamily => Decoded::Address(ip(bytes.get(2..)?)?),
        Form::Ipv4(cast) => return Some(sort(IpAddr::from(at::<4>(bytes, 0)?), cast)),
        Form::Ipv6(cast) => return Some(sort(IpAddr::from(at::<16>(bytes, 0)?), cast)),
        Form::Interface(_) | Form::Prefix(_) => {
            let address = ip(bytes)?;
            let fits = length <= bits(address) && (family == INET) == address.is_ipv4();
            return fits.then_some(Some(Decoded::Prefix(InterfaceAddress { address, length })));
        }
        Form::Ipv4List => {
            let address = |attribute: Option<(u16, &[u8])>| ip(attribute?.1);
            Decoded::Addresses(attributes(bytes).map(address).collect::<Option<_>>()?)
        }
        Form::Labels => {
            let label = |bytes: &[u8]| number(Width::Net4, bytes).map(|entry| entry >> LABEL_SHIFT);
            Decoded::Numbers(bytes.chunks(4).map(label).collect::<Option<_>>()?)
        }
        Form::Names => {
            let name = |attribute: Option<(u16, &'a [u8])>| Some(until_nul(attribute?.1));
            Decoded::Texts(attributes(bytes).map(name).collect::<Option<_>>()?)
        }
        Form::Mac => Decoded::Mac(bytes),
        Form::Link | Form::NoLink | Form::Given(..) | Form::NumberOf(_) | Form::Netns | Form::Objects(_) => {
            return Some(None);
        }
    }))
}
