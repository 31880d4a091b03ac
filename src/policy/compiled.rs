// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The compiled policy, which `netbrokerctl policy install` writes and the broker reads.
//!
//! ```text header      magic and format, length of the file, SHA-256 of the whole, settings, number of tables, CRC
//! directory   per table (0: whom an allow is for, with the profile that this needs; else a call's number): where its slots are and how many, CRC blocks      rules
//! of one principal for one call (postcard), CRC over table, principal and rules slots       per table a hash table by
//! principal: where its block is, CRC over table, position and slot ``` A decision reads the header, one directory
//! entry, and a slot and a block for each principal of the caller. Its cost does not grow with the rules of others.
//! Every byte that it reads is covered by a CRC-32, together with the *place* where it was found. Damage and exchanged
//! blocks therefore cause a refusal and never another decision. This protects against broken disks and half-written
//! files. The owner and mode of the file protect it against people.
//!
//! A slot names its principal by a class and a number. Class 0 is an empty slot, 1 everyone, 2 a uid, 3 a gid. Every
//! other class is refused as damage. A later principal that is a name (a socket) fits into the same slot, with a new
//! class and the CRC-32 of the name as the number. Its block then begins with the name, which distinguishes two names
//! with the same CRC. `MAGIC` needs a new number with the class, because a broker that does not know the class would
//! ignore its denies.
#![forbid(unsafe_code)]

#[cfg(feature = "ctl")]
mod write;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use serde::Deserialize;

use super::judge::Verdict;
use super::rule::{Principal, Rule};
use crate::call::needs::Profile;
use crate::call::request::Request;
use crate::caller::Caller;

#[cfg(feature = "ctl")]
pub use write::{Placed, write};

/// Eight bytes. The last is the number of the format. A test has the bytes of a policy with one of everything. A change
/// to these bytes needs a new number.
const MAGIC: &[u8; 8] = b"netbrkr\x04";
/// The number of bytes of the header.
const HEADER: usize = 64;
/// The number of bytes of a directory entry and of a slot.
const ENTRY: usize = 20;
/// The number of bytes of an entry before its CRC.
const COVERED: usize = 16;
/// The number of bytes that are read at once.
const HEAD: usize = 4096;
/// The largest block that is read, in bytes.
const BLOCK: usize = 1 << 24;
/// The number of the table of profiles.
const PROFILES: u16 = 0;

/// What is wrong with a compiled policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damage(pub &'static str);

/// Another version of netbrokerctl wrote the file, or it is not a compiled policy.
pub const OTHER_FORMAT: Damage = Damage("it has another format than this broker reads");

/// Settings of the policy as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// `[audit] required`: whether calls are refused on a machine without a trail.
    pub audit_required: bool,
    /// `[refusals] show_rule`: whether a refusal names the rule.
    pub show_rule: bool,
    /// `[confinement] landlock`: whether calls are refused on a kernel without Landlock.
    pub landlock_required: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { audit_required: true, show_rule: true, landlock_required: true }
    }
}

/// A source of bytes at given positions.
pub trait ReadAt {
    /// Fills `buffer` from `offset`.
    ///
    /// # Errors
    /// The error of the file, including the end of the file.
    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// The length in bytes.
    ///
    /// # Errors
    /// The error of the file.
    fn length(&self) -> io::Result<u64>;
}

impl ReadAt for File {
    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }

    fn length(&self) -> io::Result<u64> {
        self.metadata().map(|metadata| metadata.len())
    }
}

impl ReadAt for Vec<u8> {
    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let end = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let from = usize::try_from(offset).map_err(|_| end())?;
        let to = from.checked_add(buffer.len()).ok_or_else(end)?;
        buffer.copy_from_slice(self.get(from..to).ok_or_else(end)?);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        u64::try_from(self.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
    }
}

/// A compiled policy with a valid header.
#[derive(Debug)]
pub struct Compiled<R> {
    bytes: R,
    /// The beginning of the file. Most look-ups need no further read.
    head: Vec<u8>,
    length: u64,
    settings: Settings,
    digest: String,
    tables: u16,
}

impl<R: ReadAt> Compiled<R> {
    /// Reads and checks the header.
    ///
    /// # Errors
    /// [`Damage`]: the file is too short, has another format, is damaged, or has another length than its
    /// header says.
    pub fn open(bytes: R) -> Result<Self, Damage> {
        let length = bytes.length().map_err(|_| Damage("it has no length"))?;
        let mut head = vec![0; usize::try_from(length).unwrap_or(HEAD).min(HEAD)];
        bytes.fill(&mut head, 0).map_err(|_| Damage("it cannot be read"))?;
        let header = head.get(..HEADER).ok_or(Damage("it is truncated"))?;
        let (covered, sum) = split(header).ok_or(Damage("header"))?;
        let mut fields = Fields(covered);
        let magic: [u8; 8] = fields.take().ok_or(Damage("header"))?;
        if magic != *MAGIC {
            return Err(OTHER_FORMAT);
        }
        let said = u64::from_le_bytes(fields.take().ok_or(Damage("header"))?);
        let digest: [u8; 32] = fields.take().ok_or(Damage("header"))?;
        let settings: [u8; 3] = fields.take().ok_or(Damage("header"))?;
        let _reserved: [u8; 1] = fields.take().ok_or(Damage("header"))?;
        let tables = u16::from_le_bytes(fields.take().ok_or(Damage("header"))?);
        if crc(&[covered]) != sum {
            return Err(Damage("its header is damaged"));
        }
        if said != length {
            return Err(Damage("it is not as long as its header says"));
        }
        let [audit, show, landlock] = settings.map(|setting| setting != 0);
        Ok(Self {
            bytes,
            head,
            length,
            settings: Settings { audit_required: audit, show_rule: show, landlock_required: landlock },
            digest: digest.iter().map(|b| format!("{b:02x}")).collect(),
            tables,
        })
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Whether it has a rule, according to its header.
    #[must_use]
    pub fn has_rules(&self) -> bool {
        self.tables > PROFILES + 1
    }

    /// The file that it is read from.
    #[must_use]
    pub fn source(&self) -> &R {
        &self.bytes
    }

    /// The SHA-256 of the file, in hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The profile that the rules of this caller can need.
    ///
    /// # Errors
    /// [`Damage`]
    pub fn profile(&self, caller: &Caller) -> Result<Profile, Damage> {
        let mut union = Profile::default();
        for principal in principals(caller) {
            let bits: u32 = self.block(PROFILES, principal)?.unwrap_or_default();
            let unknown = Damage("it grants a profile that this broker does not know");
            union = union.and(Profile::from_bits(bits).ok_or(unknown)?);
        }
        Ok(union)
    }

    /// Everybody whom an allow is for, with the profile that this needs.
    ///
    /// # Errors
    /// [`Damage`]
    pub fn granted(&self) -> Result<BTreeMap<Principal, Profile>, Damage> {
        let unknown = Damage("it grants a profile that this broker does not know");
        let (slots_at, slots) = self.slots_of(PROFILES)?;
        let mut granted = BTreeMap::new();
        for slot in 0..slots {
            if let Slot::Block { of, at, length } = self.slot(PROFILES, slots_at, slot)? {
                let bits = self.read_block(PROFILES, of, at, length)?;
                granted.insert(of, Profile::from_bits(bits).ok_or(unknown)?);
            }
        }
        Ok(granted)
    }

    /// Judges a request.
    ///
    /// # Errors
    /// [`Damage`]
    pub fn judge(&self, caller: &Caller, request: Request) -> Result<Verdict, Damage> {
        let mut rules: Vec<Rule> = Vec::new();
        for principal in principals(caller) {
            rules.extend(self.block::<Vec<Rule>>(request.call().number, principal)?.into_iter().flatten());
        }
        Ok(Verdict::on(&rules, caller, request))
    }

    /// The block of a principal in a table; `None` if the table has none.
    fn block<T: for<'de> Deserialize<'de>>(&self, table: u16, principal: Principal) -> Result<Option<T>, Damage> {
        let (slots_at, slots) = self.slots_of(table)?;
        for probe in 0..slots {
            let slot = u64::from(hash(principal)).wrapping_add(probe) & (slots - 1);
            match self.slot(table, slots_at, slot)? {
                Slot::Empty => return Ok(None),
                Slot::Block { of, at, length } if of == principal => {
                    return self.read_block(table, of, at, length).map(Some);
                }
                Slot::Block { .. } => {}
            }
        }
        Ok(None)
    }

    /// Where the slots of a table are, and how many there are.
    fn slots_of(&self, table: u16) -> Result<(u64, u64), Damage> {
        if table >= self.tables {
            return Ok((0, 0)); // compiled before this call existed: no rule applies to it
        }
        let at = position(HEADER, usize::from(table)).ok_or(Damage("directory"))?;
        let entry = self.entry(at, &[&table.to_le_bytes()], "its directory is damaged")?;
        let mut fields = Fields(&entry);
        let slots_at = u64::from_le_bytes(fields.take().ok_or(Damage("directory"))?);
        let slots = u64::from_le_bytes(fields.take().ok_or(Damage("directory"))?);
        let end = slots.checked_mul(20).and_then(|length| slots_at.checked_add(length));
        if slots != 0 && !(slots.is_power_of_two() && end.is_some_and(|end| end <= self.length)) {
            return Err(Damage("its directory is damaged"));
        }
        Ok((slots_at, slots))
    }

    fn slot(&self, table: u16, slots_at: u64, slot: u64) -> Result<Slot, Damage> {
        let at = slot.checked_mul(20).and_then(|offset| slots_at.checked_add(offset)).ok_or(Damage("slots"))?;
        let place = [&table.to_le_bytes()[..], &slot.to_le_bytes()[..]];
        let unknown = Damage("it has rules for a class of principals that this broker does not know");
        Slot::read(&self.entry(at, &place, "its slots are damaged")?).ok_or(unknown)
    }

    /// The covered bytes of an entry, if its CRC matches them and its place.
    fn entry(&self, at: u64, place: &[&[u8]], damage: &'static str) -> Result<[u8; COVERED], Damage> {
        let mut entry = [0; ENTRY];
        self.fill(&mut entry, at).map_err(|_| Damage(damage))?;
        let (covered, sum) = split(&entry).ok_or(Damage(damage))?;
        let parts: Vec<&[u8]> = place.iter().copied().chain([covered]).collect();
        if crc(&parts) != sum {
            return Err(Damage(damage));
        }
        covered.try_into().map_err(|_| Damage(damage))
    }

    fn fill(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        let from = usize::try_from(at).ok();
        match from.and_then(|from| self.head.get(from..from.checked_add(buffer.len())?)) {
            Some(held) => {
                buffer.copy_from_slice(held);
                Ok(())
            }
            None => self.bytes.fill(buffer, at),
        }
    }

    fn read_block<T: for<'de> Deserialize<'de>>(
        &self,
        table: u16,
        principal: Principal,
        at: u32,
        length: u32,
    ) -> Result<T, Damage> {
        let damage = Damage("its rules are damaged");
        let length = usize::try_from(length).ok().filter(|length| (4..BLOCK).contains(length)).ok_or(damage)?;
        let mut block = vec![0; length];
        self.fill(&mut block, u64::from(at)).map_err(|_| damage)?;
        let (body, sum) = split(&block).ok_or(damage)?;
        if crc(&[&table.to_le_bytes(), &code(principal), body]) != sum {
            return Err(damage);
        }
        match postcard::take_from_bytes(body) {
            Ok((read, [])) => Ok(read),
            _ => Err(damage),
        }
    }
}

/// The principals whose rules apply to a caller.
fn principals(caller: &Caller) -> impl Iterator<Item = Principal> + '_ {
    let mut gids: Vec<u32> = caller.all_gids().collect();
    gids.sort_unstable();
    gids.dedup();
    [Principal::Everyone, Principal::Uid(caller.uid)].into_iter().chain(gids.into_iter().map(Principal::Gid))
}

/// A slot of a hash table.
enum Slot {
    Empty,
    Block { of: Principal, at: u32, length: u32 },
}

impl Slot {
    /// `None` if its class is unknown.
    fn read(covered: &[u8; COVERED]) -> Option<Self> {
        let mut fields = Fields(covered);
        let class = u32::from_le_bytes(fields.take()?);
        let id = u32::from_le_bytes(fields.take()?);
        let at = u32::from_le_bytes(fields.take()?);
        let length = u32::from_le_bytes(fields.take()?);
        let of = match class {
            0 => return Some(Self::Empty),
            1 => Principal::Everyone,
            2 => Principal::Uid(id),
            3 => Principal::Gid(id),
            _ => return None,
        };
        Some(Self::Block { of, at, length })
    }
}

/// A principal as in slots and checksums.
fn code(principal: Principal) -> [u8; 8] {
    let (class, id): (u8, u32) = match principal {
        Principal::Everyone => (1, 0),
        Principal::Uid(uid) => (2, uid),
        Principal::Gid(gid) => (3, gid),
    };
    let [a, b, c, d] = id.to_le_bytes();
    [class, 0, 0, 0, a, b, c, d]
}

/// Spreads consecutive ids (Fibonacci hashing). It need not resist attacks, because people cannot choose their ids.
fn hash(principal: Principal) -> u32 {
    let [class, _, _, _, a, b, c, d] = code(principal);
    (u32::from_le_bytes([a, b, c, d]) ^ (u32::from(class) << 30)).wrapping_mul(0x9E37_79B1).rotate_left(15)
}

fn position(base: usize, entry: usize) -> Option<u64> {
    entry.checked_mul(ENTRY).and_then(|offset| offset.checked_add(base)).and_then(|at| u64::try_from(at).ok())
}

fn crc(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

/// The bytes that a CRC covers, and the CRC after them.
fn split(bytes: &[u8]) -> Option<(&[u8], u32)> {
    let (covered, sum) = bytes.split_last_chunk::<4>()?;
    Some((covered, u32::from_le_bytes(*sum)))
}

/// Reads fixed-size fields one after the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }
}

#[cfg(test)]
#[cfg(feature = "ctl")]
mod tests;
