// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command line of `netbrokerd`.
#![forbid(unsafe_code)]

use std::ffi::CStr;
use std::time::Duration;

use super::limits::Limits;

pub(super) const USAGE: &str = "usage: netbrokerd [OPTION...]\n\
    Accepts connections on a Unix socket, and gives each request to a process of its own.\n\
    --socket PATH          where to listen, without socket activation (default: /run/netbroker/socket)\n\
    --group GID            the group that may connect there, as a number (default: 0)\n\
    --idle SECONDS         with socket activation, end after so long without a connection; 0: never (default: 60)\n\
    --connections N        connections in all (default: 1024)\n\
    --connections-each N   connections of one principal (default: 256)\n\
    --requests N           requests being served in all (default: 16)\n\
    --requests-each N      requests being served of one principal (default: 4)\n\
    --records-each N       requests of one principal in a second (default: 10000)\n\
    --version, --help\n\
    See netbrokerd(8).\n";

/// Where it listens if nothing else is said.
const SOCKET: &str = "/run/netbroker/socket";
/// The largest number of connections: each costs a descriptor.
const MOST: u32 = 65536;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) socket: String,
    pub(super) group: u32,
    /// `None`: it never ends by itself.
    pub(super) idle: Option<Duration>,
    pub(super) limits: Limits,
}

/// What the command line requests.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arguments {
    Serve(Options),
    Say(&'static str),
    Wrong(String),
}

impl Arguments {
    pub(super) fn read(command_line: &[&CStr]) -> Self {
        let mut options = Options {
            socket: SOCKET.to_owned(),
            group: 0,
            idle: Some(Duration::from_secs(60)),
            limits: Limits::default(),
        };
        let mut words = command_line.iter().skip(1).map(|word| word.to_str().unwrap_or("?"));
        while let Some(word) = words.next() {
            match word {
                "--version" => return Self::Say(concat!("netbrokerd ", env!("CARGO_PKG_VERSION"), "\n")),
                "--help" => return Self::Say(USAGE),
                _ => {}
            }
            let Some(value) = words.next() else { return Self::Wrong(format!("`{word}` is unknown or lacks a value")) };
            if let Err(why) = options.set(word, value) {
                return Self::Wrong(format!("`{word} {value}`: {why}"));
            }
        }
        if options.limits.are_reachable() {
            return Self::Serve(options);
        }
        Self::Wrong("the limit for one principal is greater than the limit for all".to_owned())
    }
}

impl Options {
    fn set(&mut self, word: &str, value: &str) -> Result<(), String> {
        let limits = &mut self.limits;
        match word {
            "--socket" if value.starts_with('/') && value.len() < 108 => self.socket = value.to_owned(),
            "--socket" => return Err("expected an absolute path of at most 107 bytes".to_owned()),
            "--group" => self.group = number(value, 0..=u32::MAX - 1)?,
            "--idle" => {
                let seconds = number(value, 0..=u32::MAX)?;
                self.idle = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
            }
            "--connections" => limits.connections = number(value, 1..=MOST)?,
            "--connections-each" => limits.connections_each = number(value, 1..=MOST)?,
            "--requests" => limits.requests = number(value, 1..=MOST)?,
            "--requests-each" => limits.requests_each = number(value, 1..=MOST)?,
            "--records-each" => limits.records_each = number(value, 1..=u32::MAX)?,
            _ => return Err("is unknown".to_owned()),
        }
        Ok(())
    }
}

fn number(text: &str, range: std::ops::RangeInclusive<u32>) -> Result<u32, String> {
    let digits = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let number = text.parse().ok().filter(|number| digits && range.contains(number));
    number.ok_or_else(|| format!("expected a number from {} to {}", range.start(), range.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Arguments {
        let words: Vec<std::ffi::CString> =
            ["netbrokerd"].iter().chain(words).map(|word| std::ffi::CString::new(*word).unwrap()).collect();
        Arguments::read(&words.iter().map(std::ffi::CString::as_c_str).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read_and_anything_else_is_named() {
        let Arguments::Serve(options) = read(&["--idle", "0", "--requests", "8", "--requests-each", "4"]) else {
            panic!("not read")
        };
        assert_eq!((options.idle, options.limits.requests, options.limits.requests_each), (None, 8, 4));
        for (words, why) in [
            (&["--requests", "x"][..], "`--requests x`: expected a number from 1 to 65536"),
            (&["--requests", "08"], "`--requests 08`: expected a number from 1 to 65536"),
            (&["--group", "4294967295"], "`--group 4294967295`: expected a number from 0 to 4294967294"),
            (&["--socket", "socket"], "`--socket socket`: expected an absolute path of at most 107 bytes"),
            (&["--idle"], "`--idle` is unknown or lacks a value"),
            (&["--frob", "1"], "`--frob 1`: is unknown"),
            (&["--requests", "2"], "the limit for one principal is greater than the limit for all"),
        ] {
            assert_eq!(read(words), Arguments::Wrong(why.to_owned()));
        }
    }
}
