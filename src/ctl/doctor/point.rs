// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One line of the report.
#![forbid(unsafe_code)]

use std::fmt;

/// What holds of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Ok,
    Missing,
    Wrong,
    /// This user cannot see it.
    Unseen,
}

/// A fact about the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) state: State,
    /// What it is about.
    about: String,
    /// What was found.
    found: String,
    /// The command of a shell that mends it.
    command: Option<String>,
}

impl Point {
    pub(super) fn ok(about: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(State::Ok, about, found)
    }

    pub(super) fn missing(about: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(State::Missing, about, found)
    }

    pub(super) fn wrong(about: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(State::Wrong, about, found)
    }

    pub(super) fn unseen(about: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(State::Unseen, about, why)
    }

    fn new(state: State, about: impl Into<String>, found: impl Into<String>) -> Self {
        Self { state, about: about.into(), found: found.into(), command: None }
    }

    /// With the command that mends it.
    pub(super) fn run(self, command: impl Into<String>) -> Self {
        Self { command: Some(command.into()), ..self }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.state {
            State::Ok => "ok",
            State::Missing => "missing",
            State::Wrong => "wrong",
            State::Unseen => "unseen",
        };
        write!(f, "{word:<8} {}: {}", self.about, self.found)?;
        match &self.command {
            Some(command) => write!(f, "; run `{command}`"),
            None => Ok(()),
        }
    }
}

/// Adds a point that all is well where nothing else was found.
pub(super) fn or_ok(mut points: Vec<Point>, about: &str, found: impl Into<String>) -> Vec<Point> {
    if points.is_empty() {
        points.push(Point::ok(about, found));
    }
    points
}

/// A word of a shell's command line.
pub(super) fn quoted(word: &[u8]) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"/._-+=:,@%".contains(b);
    if !word.is_empty() && word.iter().all(plain) {
        return String::from_utf8_lossy(word).into_owned();
    }
    if word.iter().all(|b| b.is_ascii_graphic() || *b == b' ') {
        return format!("'{}'", String::from_utf8_lossy(word).replace('\'', r"'\''"));
    }
    let octal = |b: &u8| if plain(b) && *b != b'%' { char::from(*b).to_string() } else { format!("\\{b:03o}") };
    format!("\"$(printf '{}')\"", word.iter().map(octal).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_one_line_with_its_command() {
        let point = Point::wrong("/run/netns", "has mode 0700").run("chmod 0755 /run/netns");
        assert_eq!(point.to_string(), "wrong    /run/netns: has mode 0700; run `chmod 0755 /run/netns`");
        assert_eq!(Point::ok("a", "b").to_string(), "ok       a: b");
        assert_eq!(or_ok(vec![point.clone()], "a", "b"), [point]);
        assert_eq!(or_ok(Vec::new(), "a", "b"), [Point::ok("a", "b")]);
    }

    #[test]
    fn a_shell_reads_a_quoted_word_as_it_was() {
        let words: [&[u8]; 9] =
            [b"", b"a", b"a b", b"it's", b"$(reboot)", b"a\tb", b"\xff%\\", b"-n", "ü\u{202e}".as_bytes()];
        for word in words {
            let script = format!("printf %s {}", quoted(word));
            let ran = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(ran.stdout, word, "{script}");
            assert!(script.is_ascii() && !script.contains('\t'), "{script}");
        }
    }
}
