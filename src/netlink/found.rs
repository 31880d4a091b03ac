// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is known of a link that was found by name.
#![forbid(unsafe_code)]

use neli::consts::rtnl::Iff;

use super::answer::until_nul;

/// A link as it was found by name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// Its index.
    pub(super) index: i32,
    /// Bytes of its hardware address.
    pub(super) mac_bytes: usize,
    /// Its flags (`IFF_…`).
    pub(super) flags: Iff,
    /// Its kind, ended by zeros; nothing but zeros where it has none.
    kind: [u8; KIND],
}

/// Bytes of a kind's name (`MODULE_NAME_LEN` bounds it to 56 in the kernel; none that matters here is longer than this).
const KIND: usize = 16;

impl Found {
    /// `own_kind` is the name of its kind, empty where it has none.
    pub(super) fn new(index: i32, mac_bytes: usize, flags: Iff, own_kind: &[u8]) -> Self {
        let mut kind = [0; KIND];
        kind.iter_mut().zip(own_kind).for_each(|(to, from)| *to = *from);
        Self { index, mac_bytes, flags, kind }
    }

    /// Whether it is of this kind.
    pub(super) fn is_kind(&self, kind: &str) -> bool {
        until_nul(&self.kind) == kind.as_bytes()
    }
}
