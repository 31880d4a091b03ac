// SPDX-License-Identifier: Apache-2.0 OR MIT
//! SHA-256 (FIPS 180-4), for what a record leaves out. A checksum is not enough: a caller could choose other fields
//! with the same checksum. This code is a few thousand bytes, which few processes use; a crate for it would be linked
//! into all of them.
#![forbid(unsafe_code)]

/// Bytes of a block.
const BLOCK: usize = 64;
/// The first 32 bits of the fractional parts of the square roots of the first eight primes.
const START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
/// The same of the cube roots of the first 64 primes.
#[rustfmt::skip]
const ROUNDS: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

/// The digest in hexadecimal digits.
pub(crate) fn hex(message: &[u8]) -> String {
    let bits = u64::try_from(message.len()).unwrap_or(u64::MAX).saturating_mul(8);
    let mut padded = message.to_vec();
    padded.push(0x80);
    let zeros = (BLOCK + BLOCK - size_of::<u64>() - padded.len() % BLOCK) % BLOCK;
    padded.resize(padded.len() + zeros, 0);
    padded.extend(bits.to_be_bytes());
    let state = padded.chunks_exact(BLOCK).fold(START, |state, block| compress(state, &schedule(block)));
    state.iter().map(|word| format!("{word:08x}")).collect()
}

/// The words of a block, and those that are computed from them (section 6.2.2, step 1).
fn schedule(block: &[u8]) -> Vec<u32> {
    let word = |bytes: &[u8]| bytes.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
    let mut words: Vec<u32> = block.chunks_exact(4).map(word).collect();
    while words.len() < ROUNDS.len() {
        let back = |by: usize| words.len().checked_sub(by).and_then(|at| words.get(at)).copied().unwrap_or_default();
        let small = |word: u32, one, other, shifted| {
            word.rotate_right(one) ^ word.rotate_right(other) ^ word.checked_shr(shifted).unwrap_or_default()
        };
        let next = small(back(2), 17, 19, 10)
            .wrapping_add(back(7))
            .wrapping_add(small(back(15), 7, 18, 3))
            .wrapping_add(back(16));
        words.push(next);
    }
    words
}

/// The state after a block (section 6.2.2, steps 2 to 4).
fn compress(state: [u32; 8], words: &[u32]) -> [u32; 8] {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
    for (word, constant) in words.iter().zip(ROUNDS) {
        let turned = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let chosen = (e & f) ^ (!e & g);
        let one = h.wrapping_add(turned).wrapping_add(chosen).wrapping_add(constant).wrapping_add(*word);
        let turned = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let majority = (a & b) ^ (a & c) ^ (b & c);
        (h, g, f, e) = (g, f, e, d.wrapping_add(one));
        (d, c, b, a) = (c, b, a, one.wrapping_add(turned).wrapping_add(majority));
    }
    let mut after = [a, b, c, d, e, f, g, h];
    for (word, before) in after.iter_mut().zip(state) {
        *word = word.wrapping_add(before);
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_own_examples_have_their_digests() {
        for (message, digest) in [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
        ] {
            assert_eq!(hex(message.as_bytes()), digest, "{message}");
        }
    }

    #[cfg(feature = "ctl")]
    #[test]
    fn every_length_has_the_digest_that_the_crate_for_policies_computes() {
        use sha2::{Digest as _, Sha256};
        let bytes: Vec<u8> = (0..700_u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        for length in 0..bytes.len() {
            let expected: String = Sha256::digest(&bytes[..length]).iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(hex(&bytes[..length]), expected, "{length}");
        }
    }
}
