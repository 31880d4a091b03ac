// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a value stands in an attribute.
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value as Json;

use super::super::super::answer::at;
use crate::call::value::Value;

/// The form of a value.
#[derive(Debug)]
pub(super) enum Form {
    /// A number.
    Number(Width),
    /// A number that the kernel keeps in ticks of its own: it may tell one less than was set.
    Ticks,
    /// 0 or 1.
    Flag(Width),
    /// A number that has a name.
    Word(Width, &'static [(u64, &'static str)]),
    /// An IPv4 address of this sort; nothing for another.
    Ipv4(Cast),
    /// An IPv6 address of this sort; nothing for another.
    Ipv6(Cast),
}

/// How wide a number is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Width {
    One,
    Two,
    Four,
    /// Two bytes in the network's order.
    Port,
}

/// Whom an address means: fields that share an attribute are told apart by that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cast {
    One,
    Group,
}

impl Width {
    fn write(self, number: u64) -> Result<Vec<u8>, &'static str> {
        let bytes = match self {
            Self::One => u8::try_from(number).map(|n| vec![n]),
            Self::Two => u16::try_from(number).map(|n| n.to_ne_bytes().to_vec()),
            Self::Four => u32::try_from(number).map(|n| n.to_ne_bytes().to_vec()),
            Self::Port => u16::try_from(number).map(|n| n.to_be_bytes().to_vec()),
        };
        bytes.map_err(|_| "does not fit its attribute")
    }

    fn read(self, bytes: &[u8]) -> Option<u64> {
        match self {
            Self::One => bytes.first().copied().map(u64::from),
            Self::Two => at(bytes, 0).map(u16::from_ne_bytes).map(u64::from),
            Self::Four => at(bytes, 0).map(u32::from_ne_bytes).map(u64::from),
            Self::Port => at(bytes, 0).map(u16::from_be_bytes).map(u64::from),
        }
    }
}

impl Form {
    /// The bytes of a value; none for an address that stands in another attribute.
    pub(super) fn write(&self, value: &Value) -> Result<Vec<u8>, &'static str> {
        match (self, value) {
            (Self::Number(width), Value::Number(number)) => width.write(*number),
            (Self::Ticks, Value::Number(number)) => Width::Four.write(*number),
            (Self::Flag(width), Value::Bool(truth)) => width.write(u64::from(*truth)),
            (Self::Word(width, words), Value::Word(word)) => match words.iter().find(|(_, of)| of == word) {
                Some((number, _)) => width.write(*number),
                None => Err("has no number"),
            },
            (Self::Ipv4(_), Value::Address(IpAddr::V4(address))) => Ok(address.octets().to_vec()),
            (Self::Ipv6(_), Value::Address(IpAddr::V6(address))) => Ok(address.octets().to_vec()),
            (Self::Ipv4(_) | Self::Ipv6(_), Value::Address(_)) => Ok(Vec::new()),
            _ => Err("is of another type than its attribute"),
        }
    }

    /// What an attribute says; none where it says nothing of this form.
    pub(super) fn told(&self, bytes: &[u8]) -> Option<Json> {
        let address = |address: IpAddr, cast: Cast| {
            let is = if address.is_multicast() { Cast::Group } else { Cast::One };
            (is == cast).then(|| address.to_string().into())
        };
        match self {
            Self::Number(width) => width.read(bytes).map(Json::from),
            Self::Ticks => Width::Four.read(bytes).map(Json::from),
            Self::Flag(width) => width.read(bytes).map(|number| (number != 0).into()),
            Self::Word(width, words) => width.read(bytes).map(|number| {
                let word = words.iter().find(|(of, _)| *of == number);
                word.map_or_else(|| number.to_string(), |(_, word)| (*word).to_owned()).into()
            }),
            Self::Ipv4(cast) => address(IpAddr::V4(Ipv4Addr::from(at::<4>(bytes, 0)?)), *cast),
            Self::Ipv6(cast) => address(IpAddr::V6(Ipv6Addr::from(at::<16>(bytes, 0)?)), *cast),
        }
    }

    /// Whether what is told is what was given.
    pub(super) fn agrees(&self, told: Option<&Json>, given: &Json) -> bool {
        match self {
            Self::Ticks => match (told.and_then(Json::as_u64), given.as_u64()) {
                (Some(told), Some(given)) => told.abs_diff(given) <= 1,
                _ => false,
            },
            _ => told == Some(given),
        }
    }
}
