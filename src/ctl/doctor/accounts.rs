// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The user netbroker and its group, whose members could read the compiled policy, and the group of the callers.
#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;

use nix::unistd::{Group, User};

use super::super::files::Tree;
use super::super::state::system_user;
use super::point::{Point, or_ok, quoted};
use crate::refusal::describe;

/// The names of the accounts.
const USER: &str = "netbroker";
const CALLERS: &str = "netbroker-callers";
/// What makes all accounts, where it is installed.
const SYSUSERS: &str = "/usr/lib/sysusers.d/netbroker.conf";
/// The ids that stand for nobody: `overflowuid` and -1.
const NOBODY: [u32; 2] = [65534, u32::MAX];

/// The numbers that files are compared with. Those of accounts that do not exist are `None`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ids {
    /// The user netbroker.
    pub(super) user: Option<u32>,
    /// Its group.
    pub(super) group: Option<u32>,
    /// The group of the callers.
    pub(super) callers: Option<u32>,
}

/// Looks the accounts up. Where an account does not exist, the id is the one
/// that the broker would take.
pub(super) fn examine(tree: &Tree) -> (Vec<Point>, Ids) {
    let user = User::from_name(USER);
    let (group, callers) = (Group::from_name(USER), Group::from_name(CALLERS));
    let by_directory = system_user(tree).ok();
    let own = |uid: &u32| *uid != 0 && !NOBODY.contains(uid);
    let ids = Ids {
        user: found(&user).map(|user| user.uid.as_raw()).filter(own).or(by_directory.map(|(uid, _)| uid.as_raw())),
        group: found(&group).map(|group| group.gid.as_raw()).or(by_directory.map(|(_, gid)| gid.as_raw())),
        callers: found(&callers).map(|group| group.gid.as_raw()),
    };
    let mut points = match &user {
        Err(errno) => vec![Point::unseen(format!("user {USER}"), describe(*errno))],
        Ok(None) => {
            let group = if found(&group).is_some() { "--gid netbroker" } else { "--user-group" };
            let command =
                format!("useradd --system {group} --home-dir / --no-create-home --shell /usr/sbin/nologin {USER}");
            vec![Point::missing(format!("user {USER}"), "does not exist").run(make(&command))]
        }
        Ok(Some(user)) => of_user(user, ids),
    };
    points.extend(match &group {
        Err(errno) => vec![Point::unseen(format!("group {USER}"), describe(*errno))],
        Ok(None) if matches!(user, Ok(None)) => Vec::new(), // the command for the user makes both
        Ok(None) => {
            vec![Point::missing(format!("group {USER}"), "does not exist").run(make("groupadd --system netbroker"))]
        }
        Ok(Some(group)) => of_group(group),
    });
    points.push(match &callers {
        Err(errno) => Point::unseen(format!("group {CALLERS}"), describe(*errno)),
        Ok(None) => Point::missing(format!("group {CALLERS}"), "does not exist")
            .run(make("groupadd --system netbroker-callers")),
        Ok(Some(group)) => of_callers(group, ids),
    });
    (points, ids)
}

fn found<T>(look_up: &nix::Result<Option<T>>) -> Option<&T> {
    look_up.as_ref().ok().and_then(Option::as_ref)
}

/// The command that makes the accounts of the packages, or this one.
fn make(command: &str) -> String {
    if Path::new(SYSUSERS).exists() { "systemd-sysusers netbroker.conf".to_owned() } else { command.to_owned() }
}

fn of_user(user: &User, ids: Ids) -> Vec<Point> {
    let about = format!("user {USER}");
    let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
    let mut points = Vec::new();
    if uid == 0 || NOBODY.contains(&uid) {
        points.push(Point::wrong(&about, format!("has the uid {uid}, which is not its own")).run("vipw"));
    }
    if !matches!(user.shell.file_name().and_then(|name| name.to_str()), Some("nologin" | "false")) {
        let found = format!("can log in: its shell is {}", user.shell.display().to_string().escape_debug());
        points.push(Point::wrong(&about, found).run(format!("usermod --shell /usr/sbin/nologin {USER}")));
    }
    if ids.group.is_some_and(|group| group != gid) {
        let found = format!("has the primary group {gid}, expected the group {USER}");
        points.push(Point::wrong(&about, found).run(format!("usermod -g {USER} {USER}")));
    }
    or_ok(points, &about, format!("uid {uid}"))
}

/// Nobody may be in this group: its members can read the compiled policy, and the broker refuses them as callers.
fn of_group(group: &Group) -> Vec<Point> {
    let about = format!("group {USER}");
    let wrong = |name: &str, how: &str, command: String| {
        let name = name.escape_debug();
        Point::wrong(&about, format!("the user {name} is in it{how}; nobody but {USER} may be")).run(command)
    };
    let members = group.mem.iter().filter(|name| *name != USER);
    let mut points: Vec<Point> =
        members.map(|name| wrong(name, "", format!("gpasswd -d {} {USER}", quoted(name.as_bytes())))).collect();
    // Other sources of accounts than this file can be too large to list.
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let number = group.gid.to_string();
    for line in users.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        if let [name, _, _, gid, ..] = fields.as_slice() {
            if *gid == number && *name != USER {
                points.push(wrong(
                    name,
                    " by its primary group",
                    format!("usermod -g users {}", quoted(name.as_bytes())),
                ));
            }
        }
    }
    or_ok(points, &about, format!("gid {number}, nobody is a member"))
}

fn of_callers(group: &Group, ids: Ids) -> Point {
    let (about, gid) = (format!("group {CALLERS}"), group.gid.as_raw());
    if gid == 0 || NOBODY.contains(&gid) || ids.group == Some(gid) {
        let free = (100..1000).rev().find(|gid| matches!(Group::from_gid((*gid).into()), Ok(None))).unwrap_or(999);
        let found = format!("has the gid {gid}, which is not its own");
        return Point::wrong(about, found).run(format!("groupmod -g {free} {CALLERS}"));
    }
    let members: Vec<String> = group.mem.iter().map(|name| name.escape_debug().to_string()).collect();
    let members = if members.is_empty() { "no members".to_owned() } else { format!("members: {}", members.join(", ")) };
    Point::ok(about, format!("gid {gid}, {members}"))
}
