// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Serves exactly one call on descriptors 0 and 1, and exits.
#![no_main]
#![forbid(clippy::unwrap_used)]

netbroker::program!(netbroker::serve::main);
