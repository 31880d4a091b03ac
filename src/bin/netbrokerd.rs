// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Accepts connections, and gives each request to a process of its own.
#![no_main]
#![forbid(clippy::unwrap_used)]

netbroker::program!(netbroker::daemon::main, with the heap);
