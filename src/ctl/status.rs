// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl policy status`: what is in force, since when, and whether the files and the accounts, as they are now,
//! would make the same of it.
#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::fstatat;

use super::accounts::Accounts;
use super::enable::root;
use super::files::{INSTALLED, Tree};
use super::install::written;
use super::read::{COMPILED, all_of, file_state, open_in};
use super::state::{FILE, STATE, system_group};
use super::{Failure, kept, policy, print, reason, tell, tell_line};
use crate::policy::compiled::Compiled;
use crate::refusal::Exit;

pub(super) fn run() -> Result<ExitCode, Failure> {
    root("read the policy in force")?;
    let (told, agrees) = status(&Tree::system())?;
    print(told)?;
    Ok(if agrees { Exit::Done.into() } else { ExitCode::FAILURE })
}

/// The policy that the broker reads.
pub(super) struct InForce {
    pub(super) bytes: Vec<u8>,
    pub(super) digest: String,
    /// Seconds and nanoseconds since 1970.
    since: (i64, i64),
}

/// What is the case, and whether it is what the files say.
fn status(tree: &Tree) -> Result<(String, bool), Failure> {
    let in_force = InForce::read(tree).map_err(|why| Failure::Message(Exit::Policy, why))?;
    let pinned = kept::pinned(tree).map_err(|why| Failure::Message(Exit::Policy, why))?;
    let pinned = match pinned {
        Some(digest) if digest == in_force.digest => {
            "\npinned by `policy rollback`: only a person's `netbrokerctl policy install` ends that".to_owned()
        }
        Some(digest) => format!("\npinned by `policy rollback`, but to digest {digest}, which is not in force"),
        None => String::new(),
    };
    for warning in tree.unread(Path::new(INSTALLED)).unwrap_or_default() {
        tell_line(warning); // where the directory cannot be read, the next line says why
    }
    let head = format!("in force: digest {}, since {}{pinned}", in_force.digest, utc(in_force.since.0));
    let now = tree
        .policy(Path::new(INSTALLED))
        .and_then(|sources| Ok((policy::compiled(&sources, &Accounts::Machine)?, sources)));
    let (now, sources) = match now {
        Ok(now) => now,
        Err(failure) => {
            tell(&failure);
            return Ok((format!("{head}\ndiffers: the files in {INSTALLED} are no sound policy any more"), false));
        }
    };
    let bytes = written(&now)?;
    if bytes == in_force.bytes {
        let counted = policy::counted(&now, &sources);
        return Ok((format!("{head}\nagrees: {counted} and the numbers of their accounts"), true));
    }
    let digest = Compiled::open(bytes).map_or_else(|damage| damage.0.to_owned(), |now| now.digest().to_owned());
    if digest == in_force.digest {
        return Err(Failure::Message(
            Exit::Policy,
            format!("{STATE}/{FILE} is damaged: it is not what its digest says"),
        ));
    }
    let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    let why = why(tree, &names, in_force.since);
    Ok((format!("{head}\ndiffers: the files and accounts as they are now make digest {digest}\n{why}"), false))
}

impl InForce {
    /// Reads it if the broker would.
    pub(super) fn read(tree: &Tree) -> Result<Self, String> {
        let path = Path::new(STATE).join(FILE);
        let none = || format!("no policy is in force: {} is absent; the broker refuses every call", path.display());
        if matches!(fs::symlink_metadata(real(tree, STATE)), Err(error) if error.kind() == std::io::ErrorKind::NotFound)
        {
            return Err(none());
        }
        let directory = tree.directory(Path::new(STATE))?;
        if fstatat(&directory, FILE, AtFlags::AT_SYMLINK_NOFOLLOW) == Err(Errno::ENOENT) {
            return Err(none());
        }
        let refused = |why: String| format!("{why}; the broker refuses every call");
        let opened = open_in(&directory, FILE.as_ref(), &path).map_err(refused)?;
        let file = opened.ok_or_else(|| refused(format!("{} is a symbolic link", path.display())))?;
        let (what, group) = (file_state(&file, &path)?, system_group(tree)?);
        let owned = what.st_uid == tree.owner && what.st_gid == group.as_raw();
        if !owned || what.st_mode & 0o7777 != 0o640 {
            return Err(format!(
                "{} is no file of root:netbroker with mode 0640; the broker refuses every call",
                path.display()
            ));
        }
        let failed = |error: std::io::Error| format!("{}: {}", path.display(), reason(&error));
        let file = File::from(file);
        let metadata = file.metadata().map_err(failed)?;
        let bytes = all_of(file.into(), &path, COMPILED)?;
        let opened = Compiled::open(bytes.clone());
        let digest =
            opened.map_err(|damage| format!("{}: {}; the broker refuses every call", path.display(), damage.0))?;
        let digest = digest.digest().to_owned();
        Ok(Self { bytes, digest, since: (metadata.mtime(), metadata.mtime_nsec()) })
    }
}

/// What has changed since. The time of the inode's last change counts, which nobody can set back; a change within the
/// kernel's tick (some milliseconds) of the installation is not seen.
fn why(tree: &Tree, sources: &[&str], since: (i64, i64)) -> String {
    let later = |path: &Path| fs::symlink_metadata(path).is_ok_and(|of| (of.ctime(), of.ctime_nsec()) > since);
    let changed = |source: &str| {
        let path = real(tree, source);
        let target = fs::read_link(&path).map(|target| real(tree, &target.to_string_lossy()));
        later(&path) || target.is_ok_and(|target| later(&target))
    };
    let files: Vec<&str> = sources.iter().copied().filter(|source| changed(source)).collect();
    if !files.is_empty() {
        return format!("changed since: {}", files.join(", "));
    }
    if later(&real(tree, INSTALLED)) {
        return format!("changed since: files have left {INSTALLED}");
    }
    "no file has changed since: the numbers of users or groups have, or netbrokerctl is another version".to_owned()
}

fn real(tree: &Tree, path: &str) -> PathBuf {
    tree.top.join(path.trim_start_matches('/'))
}

/// `2026-11-20 23:45:10 UTC`
pub(super) fn utc(seconds: i64) -> String {
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 1 March of year 0 in eras of 400 years, as in Howard Hinnant's `civil_from_days`.
    let (era, of_era) = ((day + 719_468).div_euclid(146_097), (day + 719_468).rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_utc() {
        for (seconds, said) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (951_868_800, "2000-03-01 00:00:00 UTC"),
            (1_735_689_599, "2024-12-31 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
        ] {
            assert_eq!(utc(seconds), said);
        }
    }
}
