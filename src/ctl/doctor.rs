// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl doctor`: examines what netbroker needs of a machine, and says what is missing or wrong, with the
//! command that mends it. It changes nothing. What only root can see, it reports as unseen to other users.
#![forbid(unsafe_code)]

mod accounts;
mod in_force;
mod kernel;
mod listening;
mod places;
mod point;
mod trail;
mod unit;
mod ways;

use std::path::Path;
use std::process::ExitCode;

use self::point::{Point, State};
use super::accounts::Accounts;
use super::files::{INSTALLED, Tree};
use super::{Failure, counted, harmless, policy, print};
use crate::call::needs::Profile;
use crate::policy::compiled::Settings;
use crate::refusal::Exit;

pub(super) fn run() -> Result<ExitCode, Failure> {
    let points = examine(&Tree::system());
    for point in &points {
        print(harmless(&point.to_string()))?;
    }
    let count = |state| points.iter().filter(|point| point.state == state).count();
    let unseen = count(State::Unseen);
    let bad = count(State::Missing) + count(State::Wrong);
    let seen =
        if bad == 0 { "nothing is missing or wrong".to_owned() } else { format!("{} missing or wrong", is_are(bad)) };
    let rest = if unseen == 0 { String::new() } else { format!("; {} not seen", is_are(unseen)) };
    print(format!("{seen}{rest}"))?;
    Ok(if bad + unseen == 0 { Exit::Done.into() } else { ExitCode::FAILURE })
}

/// `1 point is`, `2 points are`
fn is_are(count: usize) -> String {
    format!("{} {}", counted(count, "point"), if count == 1 { "is" } else { "are" })
}

/// Examines everything, in the order in which it is set up.
fn examine(tree: &Tree) -> Vec<Point> {
    let (mut points, ids) = accounts::examine(tree);
    let needs = Needs::of_files(tree);
    points.extend(places::directories(&ids));
    points.extend(ways::examine(&ids));
    points.extend(kernel::capabilities(&needs));
    points.push(in_force::examine(tree));
    points.extend(places::sharing());
    points.extend(places::names());
    points.extend(kernel::examine(&needs));
    points.push(places::tun(&ids, &needs));
    points.extend(trail::examine(&needs));
    points
}

/// What the policy files need of the machine.
#[derive(Debug, Clone, Copy)]
struct Needs {
    /// The profiles of all rules. `None` if the files are not a valid policy, or cannot be read.
    profile: Option<Profile>,
    settings: Settings,
}

impl Needs {
    fn of_files(tree: &Tree) -> Self {
        let sources = tree.policy(Path::new(INSTALLED));
        match sources.and_then(|sources| policy::compiled(&sources, &Accounts::Machine)) {
            Ok(policy) => {
                let profiles = policy.profiles().iter().map(|(_, profile)| *profile);
                Self { profile: Some(profiles.fold(Profile::LINK, Profile::and)), settings: policy.settings() }
            }
            Err(_) => Self { profile: None, settings: Settings::default() },
        }
    }

    /// Whether a rule may need this.
    fn has(&self, profile: Profile) -> bool {
        self.profile.is_none_or(|needed| needed.has(profile))
    }
}
