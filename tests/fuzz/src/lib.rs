// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the targets share: requests made from bytes, and netlink as in the kernel's headers. Nothing here names a call
//! or a field, so a new declaration is fuzzed without a change.

pub mod listed;
pub mod netlink;
pub mod requests;
