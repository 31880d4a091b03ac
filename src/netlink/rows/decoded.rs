// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The decoded value of a row. It is compared with what a request gives, and written into a result.
#![forbid(unsafe_code)]

use std::fmt;
use std::net::IpAddr;

use super::text::{put, put_quoted, put_string, separate};
use crate::call::inet::InterfaceAddress;
use crate::call::range::NumberRange;
use crate::call::types::Words;
use crate::call::value::Value;

/// A value that the kernel reports.
#[derive(Debug, Clone)]
pub(in crate::netlink) enum Decoded<'a> {
    Number(u64),
    Numbers(Vec<u64>),
    Signed(i32),
    Range(NumberRange),
    Truth(bool),
    /// A name or another text, in the bytes of the kernel.
    Text(&'a [u8]),
    Texts(Vec<&'a [u8]>),
    /// A keyword, by its number.
    Word(&'static Words, u64),
    /// A set of bits with names.
    Set(&'static Words, u64),
    Address(IpAddr),
    Addresses(Vec<IpAddr>),
    Prefix(InterfaceAddress),
    Mac(&'a [u8]),
}

impl fmt::Display for Decoded<'_> {
    /// As a result shows it, without quotation marks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text);
        f.write_str(text.trim_matches('"'))
    }
}

impl Decoded<'_> {
    /// The number, if it is one.
    pub(in crate::netlink) fn number(&self) -> Option<u64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    /// Whether it equals the value that a request gives.
    pub(in crate::netlink) fn is(&self, given: &Value) -> bool {
        match (self, given) {
            (Self::Number(own), Value::Number(given)) => own == given,
            (Self::Truth(own), Value::Bool(given)) => own == given,
            (Self::Address(own), Value::Address(given)) => own == given,
            (Self::Prefix(own), Value::InterfaceAddress(given)) => own == given,
            _ => {
                let (mut own, given) = (String::new(), given.json().to_string());
                self.write(&mut own);
                own == given
            }
        }
    }

    /// Writes it as JSON, as results show it.
    pub(super) fn write(&self, text: &mut String) {
        match self {
            Self::Number(number) => put(text, number),
            Self::Numbers(numbers) => put_list(text, numbers, |text, number| put(text, number)),
            Self::Signed(number) => put(text, number),
            Self::Range(range) => put_quoted(text, range),
            Self::Truth(truth) => text.push_str(if *truth { "true" } else { "false" }),
            Self::Text(bytes) => put_string(text, bytes),
            Self::Word(words, number) => match words.word(*number) {
                Some(word) => put_quoted(text, word),
                None => put_quoted(text, number),
            },
            Self::Set(words, bits) => put_set(text, words, *bits),
            Self::Address(address) => put_quoted(text, address),
            Self::Texts(texts) => put_list(text, texts, |text, bytes| put_string(text, bytes)),
            Self::Addresses(addresses) => put_list(text, addresses, |text, address| put_quoted(text, address)),
            Self::Prefix(prefix) => put_quoted(text, prefix),
            Self::Mac(bytes) => put_mac(text, bytes),
        }
    }
}

/// Writes a list of which `write` writes each element.
fn put_list<T>(text: &mut String, elements: &[T], write: impl Fn(&mut String, &T)) {
    text.push('[');
    for element in elements {
        separate(text);
        write(text, element);
    }
    text.push(']');
}

/// Writes the names of the bits that are set; a bit without a name appears as its number.
fn put_set(text: &mut String, words: &Words, bits: u64) {
    text.push('[');
    let mut rest = bits;
    while rest != 0 {
        let bit = rest & rest.wrapping_neg();
        rest ^= bit;
        separate(text);
        match words.word(bit) {
            Some(word) => put_quoted(text, word),
            None => put_quoted(text, format_args!("{bit:#x}")),
        }
    }
    text.push(']');
}

/// Writes pairs of hexadecimal digits with `:` between them.
fn put_mac(text: &mut String, bytes: &[u8]) {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or_default();
    text.push('"');
    for (at, byte) in bytes.iter().enumerate() {
        if at > 0 {
            text.push(':');
        }
        text.push(digit(byte >> 4));
        text.push(digit(byte & 0xf));
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::inet::hex;

    static WORDS: Words = Words { name: "Some", words: &[("one", 1), ("four", 4)] };

    fn written(value: &Decoded<'_>) -> String {
        let mut text = String::new();
        value.write(&mut text);
        text
    }

    #[test]
    fn what_has_no_name_is_written_as_its_number() {
        assert_eq!(written(&Decoded::Word(&WORDS, 4)), r#""four""#);
        assert_eq!(written(&Decoded::Word(&WORDS, 9)), r#""9""#);
        assert_eq!(written(&Decoded::Set(&WORDS, 0)), "[]");
        assert_eq!(
            written(&Decoded::Set(&WORDS, 0x8000_0000_0000_0015)),
            r#"["one","four","0x10","0x8000000000000000"]"#
        );
    }

    #[test]
    fn a_hardware_address_is_written_as_requests_have_it() {
        for bytes in [&[][..], &[0], &[0xfa, 0x16, 0x3e, 0, 0x0f, 0xf0]] {
            assert_eq!(written(&Decoded::Mac(bytes)), format!("\"{}\"", hex(bytes)));
        }
    }
}
