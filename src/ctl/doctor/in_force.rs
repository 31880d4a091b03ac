// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The policy in force: whether the broker would read it, and whether it is the one that the files make.
#![forbid(unsafe_code)]

use nix::errno::Errno;
use nix::unistd::geteuid;

use super::super::Failure;
use super::super::files::{INSTALLED, Tree};
use super::super::in_force::InForce;
use super::super::state::{FILE, STATE};
use super::super::status::{Files, Status};
use super::places::status;
use super::point::Point;

/// The command that puts the files in force.
const INSTALL: &str = "netbrokerctl policy install";

pub(super) fn examine(tree: &Tree) -> Point {
    let about = "policy in force";
    if !geteuid().is_root() {
        return Point::unseen(about, "only root can read it; run this as root");
    }
    if status(&format!("{STATE}/{FILE}")) == Err(Errno::ENOENT) {
        return Point::missing(about, "there is none, so every call is refused").run(INSTALL);
    }
    if let Err(why) = InForce::look(tree) {
        return Point::wrong(about, format!("{why}; the broker refuses every call")).run(INSTALL);
    }
    let found = match Status::look(tree) {
        Ok(found) => found,
        Err(failure) => return Point::wrong(about, first(failure)).run(INSTALL),
    };
    let digest = found.in_force.digest().get(..8).unwrap_or_default().to_owned();
    let pinned = found.is_pinned();
    match found.files {
        Files::Agree(counted) => Point::ok(about, format!("digest {digest}…, {counted}")),
        Files::Differ { .. } if pinned => Point::ok(
            about,
            format!("digest {digest}…, pinned by `policy rollback`; the files in {INSTALLED} make another"),
        ),
        Files::Differ { .. } => {
            Point::wrong(about, format!("digest {digest}…; the files in {INSTALLED} and the accounts make another"))
                .run(INSTALL)
        }
        Files::Invalid(failure) => {
            let found =
                format!("digest {digest}…; the files in {INSTALLED} are not a valid policy: {}", first(failure));
            Point::wrong(about, found).run("netbrokerctl policy check")
        }
    }
}

/// The first line of a failure.
fn first(failure: Failure) -> String {
    let whole = match failure {
        Failure::Message(_, message) => message,
        Failure::Policy(problems) => problems.into_iter().next().unwrap_or_default(),
        Failure::Closed => String::new(),
    };
    whole.lines().next().unwrap_or_default().to_owned()
}
