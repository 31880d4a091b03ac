// SPDX-License-Identifier: Apache-2.0 OR MIT
//! netbrokerctl(8): see `netbroker::ctl`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    netbroker::ctl::main()
}
