// SPDX-License-Identifier: Apache-2.0 OR MIT
//! netbroker: privileged network operations, one at a time, by policy.
//!
//! For each request a new process starts, reads one JSON call, judges it against the policy, enters the one network
//! namespace that it was granted, gives up everything but `CAP_NET_ADMIN`, goes behind Landlock and seccomp, does one
//! netlink transaction, answers and exits. [`serve`] reads like that sentence. Where each part of it lives:
//!
//! * [`call`]: what can be asked, declared once; reads a request
//! * [`caller`]: who asks
//! * [`policy`]: the judge and the compiled file; for the tool, the source language
//! * [`stage`]: what the process can still do
//! * [`netlink`]: the transaction
//! * [`daemon`]: `netbrokerd`, which gives each request on its socket to a process of its own
//! * [`wire`], [`reply`], [`audit`]: what the caller says and hears, and what stays on record
//! * [`refusal`]: every way in which a call can end without being done
//! * [`sys`], [`heap`]: the few system calls that `nix` lacks, and the allocator; all unsafe code
//! * `ctl`: `netbrokerctl` (feature `ctl`)
//! * `properties` (tests only): what holds of every policy

pub mod audit;
pub mod call;
pub mod caller;
#[cfg(feature = "ctl")]
pub mod ctl;
pub mod daemon;
pub mod heap;
pub mod netlink;
pub mod policy;
#[cfg(test)]
mod properties;
pub mod refusal;
pub mod reply;
pub mod serve;
pub mod stage;
pub mod sys;
pub mod wire;
