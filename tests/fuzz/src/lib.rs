// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the targets share: requests made of bytes, and netlink as the kernel's headers have it. Nothing here names a
//! call or a field: a new declaration is fuzzed without a change.

pub mod listed;
pub mod netlink;
pub mod requests;
