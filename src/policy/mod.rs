// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The policy: the set of rules, the function that decides, and the compiled file that the broker reads.
//!
//! * `constraint`: what a rule says of one field, and whether a value is inside it or meets it
//! * `rule`: one `[[allow]]` or `[[deny]]` against one request
//! * `judge`: all rules of a caller against one request; only it makes a [`Permit`]
//! * `compiled`: the file; what a decision reads of it is checked
//! * `source`, `compile` and their like (feature `ctl`): what people write, and how it becomes rules
//! * `warnings`, `possible`, `covers`, `passed_by` (feature `ctl`): what is sound, and probably not what was meant
//! * `testing` (feature `ctl`): requests with the rule that is expected to decide
#![forbid(unsafe_code)]

#[cfg(feature = "ctl")]
mod check;
#[cfg(feature = "ctl")]
pub mod compile;
pub mod compiled;
pub mod constraint;
#[cfg(feature = "ctl")]
pub mod covers;
#[cfg(feature = "ctl")]
mod describe;
#[cfg(feature = "ctl")]
pub mod diagnostics;
#[cfg(feature = "ctl")]
mod entries;
pub mod judge;
#[cfg(feature = "ctl")]
mod passed_by;
#[cfg(feature = "ctl")]
mod possible;
pub mod rule;
#[cfg(feature = "ctl")]
mod sets;
#[cfg(feature = "ctl")]
pub mod source;
#[cfg(feature = "ctl")]
pub mod testing;
#[cfg(feature = "ctl")]
mod toml_hints;
#[cfg(feature = "ctl")]
pub mod warnings;
#[cfg(feature = "ctl")]
mod who;

#[cfg(feature = "ctl")]
pub(crate) use check::no_call;
#[cfg(feature = "ctl")]
pub(crate) use entries::value_meant;
pub use judge::{Decision, Permit, Verdict};
#[cfg(feature = "ctl")]
pub(crate) use who::hint as entry_hint;

/// The words of the language at the level of a rule: no field is called so.
pub const WORDS: &[&str] = &["id", "description", "who", "call", "free", "require", "touches"];
