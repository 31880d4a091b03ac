// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What takes the records, and the limit that journald applies to those of netbrokerd's unit. All callers share that
//! limit: where it is low, one of them could erase the records of all.
#![forbid(unsafe_code)]

use std::fs;

use super::Needs;
use super::places::status;
use super::point::Point;
use super::unit;
use super::ways::SOCKET;
use crate::audit::{NotTaken, Taker, taker};
use crate::refusal::describe;

/// The unit whose one process serves all connections.
const UNIT: &str = "netbroker.service";
/// The unit of an example, which has an instance for each connection, and so a limit for each.
const FOR_EACH: &str = "netbroker-exec@.service";
/// The records in a second that must be possible.
const RECORDS: u64 = 100_000;

pub(super) fn examine(needs: &Needs) -> Vec<Point> {
    let about = "trail";
    let start =
        if unit::is_running_systemd() { "systemctl start systemd-journald.service" } else { "service rsyslog start" };
    match taker() {
        Ok(Taker::Journald) => vec![Point::ok(about, "journald takes records"), limit()],
        Ok(Taker::Syslog) => {
            vec![Point::ok(about, "syslog takes records; `netbrokerctl monitor` reads those of journald only")]
        }
        Err(NotTaken::Absent) if !needs.settings.audit_required => {
            vec![Point::ok(about, "neither journald nor syslog takes records, which the policy permits")]
        }
        Err(NotTaken::Absent) => {
            let found = "neither journald nor syslog takes records, so every call is refused";
            vec![Point::missing(about, found).run(start)]
        }
        Err(NotTaken::Refused(errno)) => vec![Point::unseen(about, describe(errno))],
    }
}

/// The rate limit of the unit that records what callers of the socket do.
fn limit() -> Point {
    let about = "journald's rate limit";
    if status(SOCKET).is_err() {
        return Point::ok(about, "that of the unit of each caller applies, because there is no socket");
    }
    if !unit::exists(UNIT) && unit::exists(FOR_EACH) {
        return Point::ok(about, "each connection has a unit of its own");
    }
    if !unit::exists(UNIT) {
        return Point::unseen(
            about,
            format!("{UNIT} is not installed, and the unit that serves the socket is not known"),
        );
    }
    let interval = in_effect("interval")
        .or_else(|| unit::setting(UNIT, "LogRateLimitIntervalSec").and_then(|span| unit::microseconds(&span)));
    let burst =
        in_effect("burst").or_else(|| unit::setting(UNIT, "LogRateLimitBurst").and_then(|burst| burst.parse().ok()));
    let found = match (interval, burst) {
        (Some(interval), Some(burst)) if interval > 0 => {
            let records = u128::from(burst) * 1_000_000 / u128::from(interval);
            if records >= RECORDS.into() {
                return Point::ok(about, format!("{UNIT} may send more than {RECORDS} records a second"));
            }
            format!("{UNIT} may send {records} records a second, so one caller can erase the records of all")
        }
        // 0 does not switch the limit off: systemd then sets none, and journald's own applies.
        _ => format!("{UNIT} has journald's own limit, so one caller can erase the records of all"),
    };
    let drop_in = format!("/etc/systemd/system/{UNIT}.d");
    Point::wrong(about, found).run(format!(
        "mkdir -p {drop_in} && printf '[Service]\\nLogRateLimitIntervalSec=1ms\\nLogRateLimitBurst=4294967295\\n' \
         >{drop_in}/rate-limit.conf && systemctl daemon-reload && systemctl restart {UNIT}"
    ))
}

/// What systemd tells journald of a running unit.
fn in_effect(what: &str) -> Option<u64> {
    let link = fs::read_link(format!("/run/systemd/units/log-rate-limit-{what}:{UNIT}")).ok()?;
    link.to_str()?.parse().ok()
}
