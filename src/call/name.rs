// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Names of links and namespaces, and free text. They are not normalised: policy, record and kernel see the same bytes.
//! A type refuses what the kernel would truncate, expand or interpret differently. It never corrects a value.
#![forbid(unsafe_code)]

use std::fmt;

/// `IFNAMSIZ - 1` (`linux/if.h`).
const LINK_BYTES: usize = 15;
/// Bytes of an alternative name (`ALTIFNAMSIZ`, less the NUL).
const ALTERNATIVE_BYTES: usize = 127;
/// `NAME_MAX` (`linux/limits.h`): a namespace is a file under `/run/netns`.
const NETNS_BYTES: usize = 255;
/// `IFALIASZ - 1` (`linux/if.h`).
const TEXT_BYTES: usize = 255;

/// The kernel accepts `%`, but expands `eth%d`. `*` and similar characters would be patterns in a policy.
const SPECIAL: &[u8] = b"/:%*?!$@{}[]\\";

/// Characters with a meaning to a shell. The names of links and namespaces reach scripts that other people wrote, so a
/// new name must not have them. An existing object with such a name can be listed and deleted.
const QUOTING: &[u8] = b"\"'`;|&<>()#~";
/// The conditions for a new name, for the manual.
pub const NEW_NAMES: &str = "The name must begin with a letter, a digit or _. It must not contain quotation marks, \
                             backticks or any of ; | & < > ( ) # ~.";
/// The condition for the name of a new namespace, in addition to [`NEW_NAMES`].
pub const NEW_NETNS: &str = "It must not be a number, which other programs would take for a process id.";

/// Why a name was refused.
#[derive(Debug, PartialEq, Eq)]
pub enum NameError {
    /// The name is empty.
    Empty,
    /// The name is longer than the kernel accepts. It is never truncated (CVE-2019-13164).
    TooLong {
        /// How many bytes were given.
        bytes: usize,
        /// How many are allowed.
        most: usize,
    },
    /// A byte that is not printable ASCII, or that has a special meaning.
    BadByte {
        /// Its position, from 0.
        at: usize,
        /// The byte.
        byte: u8,
    },
    /// A character that is not ASCII. Some look like ASCII letters.
    Foreign {
        /// Its position in characters, from 0.
        at: usize,
        /// The character.
        c: char,
    },
    /// A byte that a new name must not have.
    Quoting {
        /// Its position, from 0.
        at: usize,
    },
    /// A new name begins with a character that other programs could take for an option or a pattern.
    Begins,
    /// The name of a new namespace is a number: `ip link set … netns` would take it for a process id.
    Number,
    /// `.`, `..`, `all`, `default`: in paths and sysctl directories they have another meaning.
    Reserved,
    /// A control or bidirectional character in free text.
    BadCharacter {
        /// Its position in bytes, from 0.
        at: usize,
    },
    /// An `@` word other than `@host`.
    UnknownWord,
}

/// What names consist of.
const NAMES: &str = r"names are printable ASCII without / : % * ? ! $ @ { } [ ] \";

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::TooLong { bytes, most } => write!(f, "has {bytes} bytes; at most {most} are allowed"),
            Self::BadByte { byte, .. } if byte.is_ascii_graphic() => {
                write!(f, "must not contain `{}`; {NAMES}", char::from(*byte))
            }
            Self::Foreign { at, c } => {
                let number = u32::from(*c);
                write!(
                    f,
                    "contains `{}` (U+{number:04X}) at position {}, which is not ASCII; {NAMES}",
                    c.escape_debug(),
                    at + 1
                )
            }
            Self::BadByte { byte: b' ', .. } => write!(f, "must not contain a space; {NAMES}"),
            Self::BadByte { at, byte } => {
                write!(f, "must not contain the byte {byte:#04x} at position {}; {NAMES}", at + 1)
            }
            Self::Quoting { at } => {
                write!(
                    f,
                    "has a character at position {} that a new name must not have: one of \" ' ` ; | & < > ( ) # ~",
                    at + 1
                )
            }
            Self::Begins => f.write_str("must begin with a letter, a digit or _, since it is a new name"),
            Self::Number => f.write_str("must not be a number: other programs would take it for a process id"),
            Self::Reserved => f.write_str("is a reserved word: `.`, `..`, `all`, `default`"),
            Self::BadCharacter { at } => {
                write!(f, "has a control or bidirectional character at byte {}", at + 1)
            }
            Self::UnknownWord => f.write_str("begins with `@`; only `@host` may"),
        }
    }
}

fn name(raw: &str, most: usize, also: &[u8]) -> Result<(), NameError> {
    let foreign = raw.chars().enumerate().find(|(_, c)| !c.is_ascii());
    let refused = |b: u8| !b.is_ascii_graphic() || (SPECIAL.contains(&b) && !also.contains(&b));
    match (raw.len(), raw.bytes().position(refused)) {
        (0, _) => Err(NameError::Empty),
        (bytes, _) if bytes > most => Err(NameError::TooLong { bytes, most }),
        (_, Some(at)) if foreign.is_some_and(|(first, _)| first <= at) => {
            foreign.map_or(Ok(()), |(at, c)| Err(NameError::Foreign { at, c }))
        }
        (_, Some(at)) => Err(NameError::BadByte { at, byte: raw.as_bytes().get(at).copied().unwrap_or_default() }),
        _ if matches!(raw, "." | ".." | "all" | "default") => Err(NameError::Reserved),
        _ => Ok(()),
    }
}

/// Checks the conditions for a new name.
///
/// # Errors
/// [`NameError::Quoting`], [`NameError::Begins`]
pub fn require_plain(name: &str) -> Result<(), NameError> {
    if let Some(at) = name.bytes().position(|b| QUOTING.contains(&b)) {
        return Err(NameError::Quoting { at });
    }
    let begins_plainly = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    if begins_plainly { Ok(()) } else { Err(NameError::Begins) }
}

/// Checks the conditions for the name of a new namespace.
///
/// # Errors
/// As [`require_plain`]; [`NameError::Number`]
pub fn require_plain_netns(name: &str) -> Result<(), NameError> {
    require_plain(name)?;
    if name.bytes().all(|b| b.is_ascii_digit()) { Err(NameError::Number) } else { Ok(()) }
}

/// A link name that the kernel and the policy take literally: 1 to 15 bytes of printable ASCII, none of them special.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkName(String);

impl LinkName {
    /// Parses `raw`.
    ///
    /// # Errors
    /// [`NameError`] when the kernel would cut, expand or reinterpret it.
    pub fn parse(raw: &str) -> Result<Self, NameError> {
        name(raw, LINK_BYTES, b"").map(|()| Self(raw.to_owned()))
    }

    /// Parses an alternative name, which can have up to 127 bytes (`ALTIFNAMSIZ`).
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_alternative(raw: &str) -> Result<Self, NameError> {
        name(raw, ALTERNATIVE_BYTES, b"").map(|()| Self(raw.to_owned()))
    }

    /// The name as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An address label (`IFA_LABEL`): like a link name, but with `:` (`eth0:1`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label(String);

impl Label {
    /// Parses `raw`.
    ///
    /// # Errors
    /// [`NameError`], as for [`LinkName::parse`].
    pub fn parse(raw: &str) -> Result<Self, NameError> {
        name(raw, LINK_BYTES, b":").map(|()| Self(raw.to_owned()))
    }

    /// The label as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A network namespace: a name under `/run/netns`, or the one that the broker was started in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NetnsName {
    /// `@host`: the namespace in which the broker was started. If the caller executes the broker, it is the caller's
    /// own.
    Host,
    /// A file name under `/run/netns`, never a path or a pid.
    Named(String),
}

impl NetnsName {
    /// Parses `raw`.
    ///
    /// # Errors
    /// [`NameError`] when it is not a file name, or is an unknown `@` word.
    pub fn parse(raw: &str) -> Result<Self, NameError> {
        match raw {
            "@host" => Ok(Self::Host),
            _ if raw.starts_with('@') => Err(NameError::UnknownWord),
            _ => name(raw, NETNS_BYTES, b"").map(|()| Self::Named(raw.to_owned())),
        }
    }

    /// The name as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Host => "@host",
            Self::Named(name) => name,
        }
    }
}

/// Free text (`IFLA_IFALIAS`): at most 255 bytes. It has no control or bidirectional characters, with which a listing,
/// log or terminal would show something other than the text. An empty text removes an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// Parses `raw`.
    ///
    /// # Errors
    /// [`NameError::TooLong`], [`NameError::BadCharacter`].
    pub fn parse(raw: &str) -> Result<Self, NameError> {
        if raw.len() > TEXT_BYTES {
            return Err(NameError::TooLong { bytes: raw.len(), most: TEXT_BYTES });
        }
        match raw.char_indices().find(|(_, c)| c.is_control() || misleads(*c)) {
            Some((at, _)) => Err(NameError::BadCharacter { at }),
            None => Ok(Self(raw.to_owned())),
        }
    }

    /// The text as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters that change how others are shown, or are not shown themselves: bidirectional controls (Unicode
/// `Bidi_Control`), line and paragraph separators, those without width, and the byte order mark.
pub(crate) fn misleads(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_name_is_taken_literally_or_refused() {
        for good in ["a", "eth0", "qr-0123456789ab", "x.y", "20", "a_b+c"] {
            assert_eq!(LinkName::parse(good).unwrap().as_str(), good);
        }
        for special in SPECIAL {
            let raw = format!("a{}", char::from(*special));
            assert!(matches!(LinkName::parse(&raw), Err(NameError::BadByte { at: 1, .. })), "{raw}");
        }
        assert_eq!(LinkName::parse(""), Err(NameError::Empty));
        assert_eq!(LinkName::parse("0123456789abcdef"), Err(NameError::TooLong { bytes: 16, most: 15 }));
        assert_eq!(LinkName::parse("a b"), Err(NameError::BadByte { at: 1, byte: b' ' }));
        assert_eq!(LinkName::parse("ä"), Err(NameError::Foreign { at: 0, c: 'ä' }));
        assert_eq!(LinkName::parse("a\0"), Err(NameError::BadByte { at: 1, byte: 0 }));
        for reserved in [".", "..", "all", "default"] {
            assert_eq!(LinkName::parse(reserved), Err(NameError::Reserved));
        }
    }

    #[test]
    fn a_new_name_has_no_character_that_a_shell_takes_for_more_than_itself() {
        for quoting in QUOTING {
            let raw = format!("a{}", char::from(*quoting));
            assert_eq!(LinkName::parse(&raw).unwrap().as_str(), raw, "an existing link may have it");
            assert_eq!(NetnsName::parse(&raw).unwrap().as_str(), raw, "an existing namespace may have it");
            assert_eq!(require_plain(&raw), Err(NameError::Quoting { at: 1 }), "{raw}");
        }
        let rest: Vec<u8> = rest_of_names().collect();
        assert_eq!(
            String::from_utf8(rest.clone()).unwrap(),
            "+,-.0123456789=ABCDEFGHIJKLMNOPQRSTUVWXYZ^_abcdefghijklmnopqrstuvwxyz"
        );
        assert_eq!(require_plain(&format!("a{}", std::str::from_utf8(&rest).unwrap())), Ok(()));
    }

    #[test]
    fn a_new_name_begins_with_nothing_that_is_an_option_or_a_pattern() {
        for byte in rest_of_names().filter(|b| !b.is_ascii_alphanumeric() && *b != b'_') {
            let raw = format!("{}a", char::from(byte));
            assert_eq!(LinkName::parse(&raw).unwrap().as_str(), raw, "an existing link may have it");
            assert_eq!(require_plain(&raw), Err(NameError::Begins), "{raw}");
        }
        for good in ["a", "Z-", "0.1", "_x", "20"] {
            assert_eq!(require_plain(good), Ok(()));
        }
    }

    #[test]
    fn a_new_namespace_is_not_called_like_a_process() {
        assert_eq!(require_plain_netns("3176"), Err(NameError::Number));
        assert_eq!(require_plain_netns("3176a"), Ok(()));
        assert_eq!(require_plain_netns("-1"), Err(NameError::Begins));
        assert_eq!(NetnsName::parse("3176").unwrap().as_str(), "3176", "an existing namespace may be called so");
    }

    /// What a name may hold, and a new one too.
    fn rest_of_names() -> impl Iterator<Item = u8> {
        (0x21..0x7f).filter(|b| !QUOTING.contains(b) && !SPECIAL.contains(b))
    }

    #[test]
    fn a_label_may_hold_a_colon_and_nothing_else_new() {
        assert_eq!(Label::parse("eth0:1").unwrap().as_str(), "eth0:1");
        assert_eq!(Label::parse("eth0/1"), Err(NameError::BadByte { at: 4, byte: b'/' }));
    }

    #[test]
    fn a_namespace_is_a_file_name_or_the_host() {
        assert_eq!(NetnsName::parse("@host"), Ok(NetnsName::Host));
        assert_eq!(NetnsName::parse("@all"), Err(NameError::UnknownWord));
        assert_eq!(NetnsName::parse("../x"), Err(NameError::BadByte { at: 2, byte: b'/' }));
        assert_eq!(NetnsName::parse(".."), Err(NameError::Reserved));
        let long = "n".repeat(255);
        assert_eq!(NetnsName::parse(&long).unwrap().as_str(), long);
        assert_eq!(NetnsName::parse(&"n".repeat(256)), Err(NameError::TooLong { bytes: 256, most: 255 }));
    }

    #[test]
    fn text_has_no_character_that_changes_how_others_are_shown() {
        assert_eq!(Text::parse("uplink to Zürich").unwrap().as_str(), "uplink to Zürich");
        for bad in ["a\n", "a\u{1b}", "a\0", "a\u{202e}", "a\u{2066}", "a\u{9b}", "a\u{2028}", "a\u{200b}"] {
            assert_eq!(Text::parse(bad), Err(NameError::BadCharacter { at: 1 }), "{bad:?}");
        }
    }
}
