// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the kernel must have, and the capabilities that it lets processes have here.
#![forbid(unsafe_code)]

use std::fs;

use caps::{CapSet, Capability};
use nix::sys::utsname::uname;

use super::Needs;
use super::point::Point;
use crate::refusal::describe;
use crate::stage::capabilities::NEEDED;
use crate::sys;

/// The oldest kernels on which the broker works: with Landlock, and where the policy does not require it.
const WITH_LANDLOCK: (u32, u32) = (5, 13);
const WITHOUT: (u32, u32) = (5, 9);
/// What the filters answer (seccomp(2)).
const ACTIONS: [&str; 2] = ["kill_process", "allow"];

/// The version, seccomp and Landlock.
pub(super) fn examine(needs: &Needs) -> Vec<Point> {
    vec![version(needs), seccomp(), landlock(needs)]
}

fn version(needs: &Needs) -> Point {
    let about = "kernel";
    let release = uname().map(|name| name.release().to_string_lossy().into_owned()).unwrap_or_default();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    let running = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let (major, minor) = if needs.settings.landlock_required { WITH_LANDLOCK } else { WITHOUT };
    if running < (major, minor) {
        return Point::wrong(about, format!("Linux {release} is too old; {major}.{minor} or later is needed"));
    }
    Point::ok(about, format!("Linux {release}"))
}

fn seccomp() -> Point {
    let about = "seccomp";
    let actions = fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").unwrap_or_default();
    let known: Vec<&str> = actions.split_ascii_whitespace().collect();
    if ACTIONS.iter().all(|action| known.contains(action)) {
        return Point::ok(about, "filters can be installed");
    }
    Point::missing(about, "this kernel has no seccomp filters; it needs CONFIG_SECCOMP_FILTER")
}

fn landlock(needs: &Needs) -> Point {
    let about = "Landlock";
    match sys::landlock_abi() {
        Ok(abi) => Point::ok(about, format!("ABI {abi}")),
        Err(_) if !needs.settings.landlock_required => {
            Point::ok(about, "this kernel has none, which the policy permits")
        }
        Err(errno) => Point::missing(
            about,
            format!(
                "{}; add `landlock` to the option `lsm=` of the kernel's command line, or write `landlock = \
                    \"available\"` \
                 under `[confinement]` in the policy",
                describe(errno)
            ),
        ),
    }
}

/// Which capabilities a process can have at most. A program cannot get one that is missing from the set of the process
/// that starts it.
pub(super) fn capabilities(needs: &Needs) -> Vec<Point> {
    let extras = needs.profile.into_iter().flat_map(|profile| profile.extras().flat_map(|extra| extra.capabilities));
    let needed: Vec<Capability> = NEEDED.into_iter().chain(extras.copied()).collect();
    let own = |cap: &Capability| caps::has_cap(None, CapSet::Bounding, *cap).unwrap_or(false);
    let first = bounding_set_of_first_process();
    let of_first = |cap: &Capability| first.is_none_or(|set| set & cap.bitmask() != 0);
    let mut points = vec![bounding("process 1", &needed, &of_first), bounding("this session", &needed, &own)];
    if first.is_none() {
        points.remove(0);
        points.insert(0, Point::unseen("bounding set of process 1", "/proc/1/status cannot be read"));
    }
    points
}

fn bounding(of: &str, needed: &[Capability], has: &dyn Fn(&Capability) -> bool) -> Point {
    let about = format!("bounding set of {of}");
    let lacking: Vec<String> =
        needed.iter().filter(|cap| !has(cap)).map(|cap| cap.to_string().to_lowercase()).collect();
    if lacking.is_empty() {
        return Point::ok(about, "has all capabilities that netbroker needs");
    }
    let found = format!(
        "lacks {}, so programs that it starts cannot have it; add it to CapabilityBoundingSet= of the unit, or to \
            `--cap-add` \
         of the container",
        lacking.join(", ")
    );
    Point::wrong(about, found)
}

fn bounding_set_of_first_process() -> Option<u64> {
    let status = fs::read_to_string("/proc/1/status").ok()?;
    let set = status.lines().find_map(|line| line.strip_prefix("CapBnd:"))?;
    u64::from_str_radix(set.trim(), 16).ok()
}
