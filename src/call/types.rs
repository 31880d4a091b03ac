// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The types of fields.
#![forbid(unsafe_code)]

use super::inet::bits;
use super::name::NetnsName;
use super::value::Value;

/// A closed set of keywords: on the wire, a Varlink enum with this name.
#[derive(Debug)]
pub struct Words {
    /// The name of the Varlink type.
    pub name: &'static str,
    /// The keywords, each an identifier, with the kernel's numbers.
    pub words: &'static [(&'static str, u32)],
}

impl Words {
    /// The keywords, in the order of their declaration.
    pub fn all(&self) -> impl Iterator<Item = &'static str> + Clone + use<> {
        self.words.iter().map(|(word, _)| *word)
    }

    /// The kernel's number of a keyword.
    #[must_use]
    pub fn number(&self, word: &str) -> Option<u32> {
        self.words.iter().find(|(of, _)| *of == word).map(|(_, number)| *number)
    }

    /// The keyword of a number.
    #[must_use]
    pub fn word(&self, number: u64) -> Option<&'static str> {
        self.words.iter().find(|(_, of)| u64::from(*of) == number).map(|(word, _)| *word)
    }

    /// The keywords, separated by commas.
    #[must_use]
    pub fn listed(&self) -> String {
        self.all().collect::<Vec<_>>().join(", ")
    }
}

/// The [`Type::Prefix`] of all addresses of a family.
pub const DEFAULT: &str = "default";

/// The type of a field.
#[derive(Debug, Clone, Copy)]
pub enum Type {
    /// A network namespace: [`super::name::NetnsName`].
    Netns,
    /// A link, by name: [`super::name::LinkName`].
    Link,
    /// An alternative name of a link, which can be longer: [`super::name::LinkName`].
    AlternativeName,
    /// One of some keywords.
    Word(&'static Words),
    /// `true` or `false`.
    Bool,
    /// A whole number between two bounds, inclusive.
    Number(u64, u64),
    /// A range of whole numbers between two bounds, inclusive: [`super::range::NumberRange`].
    Range(u64, u64),
    /// A hardware address: [`super::inet::Mac`].
    Mac,
    /// One IPv4 or IPv6 address. It is not an IPv4-mapped one.
    Address,
    /// As [`Self::Address`], or an IPv4-mapped IPv6 address. The call's `settle` refuses that in IPv4 routes.
    Gateway,
    /// An address with a prefix length ([`super::inet::InterfaceAddress`]) or without one. The call's `settle` refuses
    /// the form that has no meaning there.
    InterfaceAddress,
    /// An address with a prefix length, or `default` for all addresses of a family. The call's `settle` replaces the
    /// word by a prefix before the request is judged.
    Prefix,
    /// An address label: [`super::name::Label`].
    Label,
    /// Free text: [`super::name::Text`].
    Text,
    /// A list of structures; the name of their Varlink type. Their fields are declared after the list.
    List(&'static str),
    /// A list of values of one type.
    Several(&'static Type),
}

impl Type {
    /// The keywords of the type, if it has any.
    #[must_use]
    pub fn words(self) -> Option<&'static Words> {
        if let Self::Word(words) = self { Some(words) } else { None }
    }

    /// Whether a value of this type is a name of a link.
    #[must_use]
    pub fn is_link(self) -> bool {
        matches!(self, Self::Link | Self::AlternativeName)
    }

    /// Whether a value of this type is a JSON string.
    pub(super) fn is_text(self) -> bool {
        !matches!(self, Self::Bool | Self::Number(..) | Self::List(_) | Self::Several(_))
    }

    /// The form of a value of this type, for errors and the manual.
    #[must_use]
    pub fn expected(self) -> String {
        match self {
            Self::Netns => "the name of a network namespace, or `@host`".to_owned(),
            Self::Link => "the name of a link".to_owned(),
            Self::AlternativeName => "an alternative name of a link".to_owned(),
            Self::Word(words) => format!("one of {}", words.listed()),
            Self::Bool => "true or false".to_owned(),
            Self::Number(least, most) => format!("a whole number from {least} to {most}"),
            Self::Range(least, most) => {
                format!("a whole number from {least} to {most}, or a range of them such as `{least}..{most}`")
            }
            Self::Mac => "a hardware address such as `fa:16:3e:00:00:01`".to_owned(),
            Self::Address | Self::Gateway => "an IPv4 or IPv6 address".to_owned(),
            Self::InterfaceAddress => "an address such as `10.0.0.1/24` or `10.0.0.1`".to_owned(),
            Self::Prefix => "a prefix such as `10.0.0.0/8`, or `default`".to_owned(),
            Self::Label => "an address label such as `eth0:1`".to_owned(),
            Self::Text => "text without control characters".to_owned(),
            Self::List(_) => "a list of objects".to_owned(),
            Self::Several(ty) => format!("a list, each {}", ty.expected()),
        }
    }
}

/// Which values of its type a call accepts for a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// All of them.
    All,
    /// The numbers between these two, inclusive.
    Numbers(u64, u64),
    /// The multiples of this number, 4 or 8.
    MultiplesOf(u64),
    /// Hardware addresses of this many bytes.
    Bytes(usize),
    /// Hardware addresses of 6 bytes, each of a group, or all zeros.
    Several,
    /// `true`
    True,
    /// `@host`
    Host,
    /// A namespace with a name.
    Named,
    /// An address with a prefix length.
    WithLength,
    /// As [`Self::WithLength`], and not the unspecified address: the kernel would report success, and add nothing.
    OfLink,
    /// An address without a prefix length.
    WithoutLength,
    /// One address with its full prefix length, and not the unspecified address, which the kernel ignores.
    Single,
}

/// Bytes of an Ethernet address.
const ETHERNET: usize = 6;

impl Only {
    /// The values of a type that remain, as far as a type can say it.
    pub(super) const fn narrow(self, ty: Type) -> Type {
        match (self, ty) {
            (Self::Numbers(least, most), Type::Number(..)) => Type::Number(least, most),
            (Self::Numbers(least, most), Type::Range(..)) => Type::Range(least, most),
            _ => ty,
        }
    }

    /// The form of the values of a type that remain, for errors and the manual.
    pub(super) fn expected(self, ty: Type) -> String {
        match self {
            Self::All | Self::Numbers(..) => self.narrow(ty).expected(),
            Self::MultiplesOf(factor) => format!("{} that is a multiple of {factor}", ty.expected()),
            Self::Bytes(bytes) => format!("a hardware address of {bytes} bytes, such as `fa:16:3e:00:00:01`"),
            Self::Several => "the hardware address of a group, or `00:00:00:00:00:00`".to_owned(),
            Self::True => "true".to_owned(),
            Self::Host => "`@host`".to_owned(),
            Self::Named => "the name of a network namespace, not `@host`".to_owned(),
            Self::WithLength | Self::OfLink => "an address with its prefix length, such as `10.0.0.1/24`".to_owned(),
            Self::WithoutLength => "an address without a prefix length, such as `10.0.0.1`".to_owned(),
            Self::Single => "one address with its full prefix length, such as `10.0.0.1/32`".to_owned(),
        }
    }

    /// Checks a value of the type.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence that begins with the field.
    pub(super) fn require(self, value: &Value) -> Result<(), String> {
        match (self, value) {
            (Self::MultiplesOf(factor), Value::Number(number)) if number % factor != 0 => {
                let bits = if factor == 4 { "two" } else { "three" };
                Err(format!("must be a multiple of {factor}, not {number}; the {bits} lowest bits are not part of it"))
            }
            (Self::Bytes(bytes), Value::Mac(mac)) if mac.bytes().len() != bytes => {
                Err(format!("has {} bytes; must have {bytes}", mac.bytes().len()))
            }
            (Self::Several, Value::Mac(mac)) if mac.bytes().len() != ETHERNET => {
                Err(format!("has {} bytes; must have {ETHERNET}", mac.bytes().len()))
            }
            (Self::Several, Value::Mac(mac)) if !mac.is_of_several() => Err(format!(
                "`{mac}` must be the address of a group, or `00:00:00:00:00:00`: an entry for any other has one destination"
            )),
            (Self::True, Value::Bool(false)) => Err("must be true or absent".to_owned()),
            (Self::Host, Value::Netns(NetnsName::Named(_))) => {
                Err("must be `@host`: the names under /run/netns belong to the host".to_owned())
            }
            (Self::Named, Value::Netns(NetnsName::Host)) => {
                Err("must not be `@host`; this call needs a namespace with a name".to_owned())
            }
            (Self::WithLength | Self::OfLink, Value::Address(bare)) => {
                let such = if bare.is_ipv4() { 24 } else { 64 };
                Err(format!("`{bare}` needs a prefix length, such as `{bare}/{such}`"))
            }
            (Self::OfLink, Value::InterfaceAddress(given)) if given.address.is_unspecified() => {
                Err(format!("`{given}` is the unspecified address, which no link can have"))
            }
            (Self::WithoutLength, Value::InterfaceAddress(given)) => {
                Err(format!("`{given}` must not have a prefix length; write `{}`", given.address))
            }
            (Self::Single, Value::Word(word)) => Err(format!("must be one address, not `{word}`")),
            (Self::Single, Value::InterfaceAddress(given)) if given.length != bits(given.address) => {
                let most = bits(given.address);
                Err(format!("must be a single address, such as `{}/{most}`", given.address))
            }
            (Self::Single, Value::InterfaceAddress(given)) if given.address.is_unspecified() => {
                Err(format!("`{given}` is the unspecified address, which the kernel ignores"))
            }
            _ => Ok(()),
        }
    }
}

/// Stands for the value of a [`Type::List`] in the types of keys.
#[derive(Debug)]
pub struct Elements;

/// Stands for the value of a [`Type::Several`] in the types of keys.
#[derive(Debug)]
pub struct Values;
