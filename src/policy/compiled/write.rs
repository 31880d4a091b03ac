// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Writes the file: rules become blocks, which are found by call and principal.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use sha2::Digest as _;

use super::{BLOCK, COVERED, Damage, ENTRY, HEADER, MAGIC, PROFILES, Settings, code, crc, hash};
use crate::call::needs::Profile;
use crate::policy::rule::{Principal, Rule};

/// A rule and the keys under which it is found.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The number of the call.
    pub call: u16,
    /// The principals that it applies to.
    pub principals: Vec<Principal>,
    /// The rule, with the fields of this call only.
    pub rule: Rule,
}

/// Writes a compiled policy.
///
/// # Errors
/// [`Damage`] if it would be larger than the format allows (4 GiB, or 16 MiB for a block).
pub fn write(rules: &[Placed], profiles: &[(Principal, Profile)], settings: Settings) -> Result<Vec<u8>, Damage> {
    let last = rules.iter().map(|placed| placed.call).max().unwrap_or(0);
    let mut blocks: Vec<BTreeMap<Principal, Vec<u8>>> = vec![BTreeMap::new(); usize::from(last) + 1];
    let too_large = Damage("it is too large");
    let encode = |e: postcard::Result<Vec<u8>>| e.map_err(|_| too_large);
    let mut grouped: BTreeMap<(u16, Principal), Vec<&Rule>> = BTreeMap::new();
    for placed in rules {
        for principal in &placed.principals {
            grouped.entry((placed.call, *principal)).or_default().push(&placed.rule);
        }
    }
    for ((call, principal), of) in grouped {
        blocks.get_mut(usize::from(call)).ok_or(too_large)?.insert(principal, encode(postcard::to_allocvec(&of))?);
    }
    for (principal, profile) in profiles {
        blocks
            .get_mut(usize::from(PROFILES))
            .ok_or(too_large)?
            .insert(*principal, encode(postcard::to_allocvec(&profile.bits()))?);
    }
    let mut out = vec![0; HEADER + blocks.len() * ENTRY];
    let mut directory = Vec::new();
    for (table, blocks) in (0_u16..).zip(blocks) {
        let (slots_at, slots) = write_table(&mut out, table, blocks)?;
        directory
            .extend(sealed(&[&table.to_le_bytes()], &[&slots_at.to_le_bytes()[..], &slots.to_le_bytes()].concat()));
    }
    out.splice(HEADER..HEADER + directory.len(), directory);
    seal(&mut out, settings, last + 1)?;
    Ok(out)
}

/// Writes the header. The digest covers the file with an empty digest.
fn seal(out: &mut Vec<u8>, settings: Settings, tables: u16) -> Result<(), Damage> {
    let length = u64::try_from(out.len()).map_err(|_| Damage("it is too large"))?;
    let flags = [settings.audit_required, settings.show_rule, settings.landlock_required].map(u8::from);
    let header = |digest: &[u8]| {
        let mut header = [&MAGIC[..], &length.to_le_bytes(), digest, &flags, &[0], &tables.to_le_bytes()].concat();
        header.resize(HEADER - 4, 0);
        sealed(&[], &header)
    };
    out.splice(..HEADER, header(&[0; 32]));
    let digest = sha2::Sha256::digest(&*out);
    out.splice(..HEADER, header(&digest));
    Ok(())
}

/// Writes the blocks of a table and then its slots. Returns the place and the number of the slots.
fn write_table(out: &mut Vec<u8>, table: u16, blocks: BTreeMap<Principal, Vec<u8>>) -> Result<(u64, u64), Damage> {
    let too_large = Damage("it is too large");
    let slots = if blocks.is_empty() { 0 } else { (blocks.len() * 2).next_power_of_two() };
    let mut filled: Vec<Option<[u8; COVERED]>> = vec![None; slots];
    for (principal, body) in blocks {
        let block = sealed(&[&table.to_le_bytes(), &code(principal)], &body);
        let at = u32::try_from(out.len()).map_err(|_| too_large)?;
        let length = u32::try_from(block.len()).ok().filter(|_| block.len() < BLOCK).ok_or(too_large)?;
        out.extend(block);
        let slot = [&code(principal)[..], &at.to_le_bytes(), &length.to_le_bytes()].concat();
        let slot: [u8; COVERED] = slot.try_into().map_err(|_| too_large)?;
        let start = usize::try_from(hash(principal)).map_err(|_| too_large)?;
        let free = (0..slots).map(|probe| start.wrapping_add(probe) & (slots - 1));
        let at = free.into_iter().find(|at| filled.get(*at) == Some(&None)).ok_or(too_large)?;
        *filled.get_mut(at).ok_or(too_large)? = Some(slot);
    }
    let slots_at = u64::try_from(out.len()).map_err(|_| too_large)?;
    for (slot, covered) in (0_u64..).zip(&filled) {
        out.extend(sealed(&[&table.to_le_bytes(), &slot.to_le_bytes()], &covered.unwrap_or([0; COVERED])));
    }
    Ok((slots_at, u64::try_from(slots).map_err(|_| too_large)?))
}

/// `body`, followed by a CRC over its place and itself.
fn sealed(place: &[&[u8]], body: &[u8]) -> Vec<u8> {
    let parts: Vec<&[u8]> = place.iter().copied().chain([body]).collect();
    [body, &crc(&parts).to_le_bytes()].concat()
}
