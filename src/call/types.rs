// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The types of fields.
#![forbid(unsafe_code)]

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

/// Stands for the value of a [`Type::List`] in the types of keys.
#[derive(Debug)]
pub struct Elements;

/// Stands for the value of a [`Type::Several`] in the types of keys.
#[derive(Debug)]
pub struct Values;
