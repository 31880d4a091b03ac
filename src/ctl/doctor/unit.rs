// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What systemd's units say, from their files: the tool starts no program to ask.
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};

/// Where units are, the strongest first (systemd.unit(5)).
const DIRECTORIES: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Whether systemd is process 1 (`sd_booted(3)`).
pub(super) fn is_running_systemd() -> bool {
    Path::new("/run/systemd/system").exists()
}

/// The file of a unit.
fn file(unit: &str) -> Option<PathBuf> {
    DIRECTORIES.iter().map(|directory| Path::new(directory).join(unit)).find(|path| path.exists())
}

/// Whether a unit is installed.
pub(super) fn exists(unit: &str) -> bool {
    file(unit).is_some()
}

/// The value of a setting in the section `[Service]`: the last assignment in the unit and its drop-ins.
pub(super) fn setting(unit: &str, name: &str) -> Option<String> {
    let mut drop_ins: Vec<PathBuf> = Vec::new();
    // A stronger directory hides files of the same name in the others.
    for directory in DIRECTORIES {
        let directory = Path::new(directory).join(format!("{unit}.d"));
        let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
        for path in entries.filter(|path| path.extension().is_some_and(|ending| ending == "conf")) {
            if !drop_ins.iter().any(|known| known.file_name() == path.file_name()) {
                drop_ins.push(path);
            }
        }
    }
    drop_ins.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
    let texts = file(unit).into_iter().chain(drop_ins).map(|path| fs::read_to_string(path).unwrap_or_default());
    texts.filter_map(|text| last(&text, name)).next_back()
}

fn last(text: &str, name: &str) -> Option<String> {
    let (mut is_service, mut value) = (false, None);
    for line in text.lines().map(str::trim) {
        match (line.starts_with('['), line.split_once('=')) {
            (true, _) => is_service = line == "[Service]",
            (false, Some((key, given))) if is_service && key.trim() == name => value = Some(given.trim().to_owned()),
            _ => {}
        }
    }
    value
}

/// A time span in microseconds (systemd.time(7)): `1ms`, `30s`, `1min 30s`, `5`.
pub(super) fn microseconds(span: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 11] = [
        ("", 1_000_000),
        ("us", 1),
        ("usec", 1),
        ("ms", 1_000),
        ("msec", 1_000),
        ("s", 1_000_000),
        ("sec", 1_000_000),
        ("m", 60_000_000),
        ("min", 60_000_000),
        ("h", 3_600_000_000),
        ("hr", 3_600_000_000),
    ];
    let mut total = 0_u64;
    let mut rest = span.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()))?;
        let after = after.trim_start();
        let (unit, after) =
            after.split_at_checked(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()))?;
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*factor)?)?;
        rest = after.trim_start();
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_assignment_in_the_section_applies() {
        let text = "[Unit]\nA=1\n[Service]\n# A=2\nA = 3\nB=4\nA=5\n[Install]\nA=6\n";
        assert_eq!(
            (last(text, "A").as_deref(), last(text, "B").as_deref(), last(text, "C")),
            (Some("5"), Some("4"), None)
        );
    }

    #[test]
    fn a_time_span_is_read_as_systemd_reads_it() {
        for (span, micros) in [
            ("1ms", Some(1_000)),
            ("30s", Some(30_000_000)),
            ("1min 30 s", Some(90_000_000)),
            ("5", Some(5_000_000)),
            ("0", Some(0)),
            ("", None),
            ("s", None),
            ("1 fortnight", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(microseconds(span), micros, "{span}");
        }
    }
}
