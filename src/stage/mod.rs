// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The stages in which the process gives up its privileges. Each stage is a type that only the stage before it can
//! make, so that code that skips a step does not compile: [`Inherited`] -> [`Guarded`] -> [`Confined`].
//!
//! * `inherited`: nothing is trusted yet; undoes what was inherited, and finds out who the caller is
//! * `system_user`: becomes the user `netbroker`
//! * `trusted`: opens the compiled policy as a file that only root can have written
//! * `guarded`: has only what the caller's rules can need, under the first filter; the first stage that reads a byte of
//!   the request
//! * `confined`: one namespace, one transaction, under Landlock and the second filter
//! * `resident`: the parent of `netbrokerd`, and the stage before `Guarded` in its children
//! * `namespaces`: the last stage of `Netns.Add` and `Netns.Delete`
//! * `tun`: the device that the last stage of `Link.Add` also has for a TUN or TAP link
//! * `capabilities`, `landlock`, `filter`, `netns`, `mounts`: what the stages use
#![forbid(unsafe_code)]

pub mod capabilities;
mod confined;
pub mod filter;
mod guarded;
mod inherited;
mod landlock;
pub(crate) mod mounts;
mod namespaces;
pub mod netns;
mod pids;
pub mod resident;
mod system_user;
mod trusted;
mod tun;

pub use confined::Confined;
pub use guarded::Guarded;
pub use inherited::{Begun, Inherited};
#[cfg(feature = "ctl")]
pub(crate) use system_user::become_user;
pub use system_user::give_up;
