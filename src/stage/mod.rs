// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the process can still do. Each stage is a type that is made only from the one before, so that no path compiles
//! that skips a step: [`Inherited`] -> [`Guarded`] -> [`Confined`].
//!
//! * `inherited`: nothing trusted yet; hygiene, who asks
//! * `system_user`: becoming the user `netbroker`
//! * `trusted`: the compiled policy as a file that nobody else wrote
//! * `guarded`: what the caller's rules can need, behind the first filter; the first stage that reads a caller's byte
//! * `confined`: one namespace, one transaction, behind Landlock and the second filter
//! * `namespaces`: the last stage of `Netns.Add` and `Netns.Delete`
//! * `tun`: the device that `Link.Add` of a tun has besides in its last stage
//! * `capabilities`, `landlock`, `filter`, `netns`, `mounts`: the means
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
mod system_user;
mod trusted;
mod tun;

pub use confined::Confined;
pub use guarded::Guarded;
pub use inherited::{Begun, Inherited};
#[cfg(feature = "ctl")]
pub(crate) use system_user::become_user;
pub use system_user::give_up;
