// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl monitor`: shows the decisions of the broker as they are made, one line for each. Only what journald
//! itself reports as sent by the user netbroker is shown.
#![forbid(unsafe_code)]

mod decision;
mod forged;
mod journal;
mod line;
mod record;

use std::process::ExitCode;

use self::decision::{Decision, Filter, Pending};
use self::forged::Noticed;
use self::journal::{Heard, Journal, Reader, Signals};
use self::line::Lines;
use self::record::{Entry, Forged, Record, selection};
use super::accounts::{Accounts, unknown};
use super::files::Tree;
use super::state::system_user;
use super::time::now;
use super::{Failure, print};
use crate::policy::compile::Account;
use crate::refusal::Exit;

/// How many earlier decisions are shown if nothing else is requested.
const LINES: usize = 10;
/// How long the outcome of a permitted call is waited for, in microseconds.
const PATIENCE: u64 = 5_000_000;
/// The broker ends within this time after its permission, in microseconds. No outcome follows later.
const LONGEST: u64 = 35_000_000;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Show only the decisions about this user: a number or a name; can be repeated
    #[arg(long, value_name = "USER")]
    uid: Vec<String>,
    /// Show only calls that match this pattern, such as `Link.*`; can be repeated
    #[arg(long, value_name = "PATTERN")]
    call: Vec<String>,
    /// Show only requests that name a matching network namespace; can be repeated
    #[arg(long, value_name = "PATTERN")]
    netns: Vec<String>,
    /// Show only what a matching rule decided; can be repeated
    #[arg(long, value_name = "PATTERN")]
    rule: Vec<String>,
    /// Show only refusals
    #[arg(long)]
    refused: bool,
    /// Begin with all decisions since this time, such as `-1h`, `today` or `2026-11-20 17:00` (journalctl(1))
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<String>,
    /// Begin with this many earlier decisions; default: 10, or all with `--since`
    #[arg(long, value_name = "N")]
    lines: Option<usize>,
    /// End after the earlier decisions
    #[arg(long)]
    no_follow: bool,
    /// Print each decision as a JSON object on one line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let user = system_user(&Tree::system()).map_err(|why| Failure::Message(Exit::NotPrivileged, why))?;
    let filter = filter(arguments)?;
    let journal = Journal::find()?;
    let signals = Signals::catch()?;
    let mut view = View {
        sender: user.0.as_raw(),
        filter,
        pending: Pending::default(),
        lines: Lines::new(arguments.json),
        forged: Noticed::default(),
        cursor: None,
    };
    let ended = view.watch(&journal, &signals, arguments);
    view.forged.tell();
    ended.map(|_| Exit::Done.into())
}

fn filter(arguments: &Arguments) -> Result<Filter, Failure> {
    let uid = |user: &String| match user.parse() {
        Ok(uid) => Ok(uid),
        Err(_) => Accounts::Machine
            .number(Account::User(user))
            .map_err(unknown)?
            .ok_or_else(|| unknown(format!("no user named `{}`", user.escape_debug()))),
    };
    Ok(Filter {
        uids: arguments.uid.iter().map(uid).collect::<Result<_, _>>()?,
        calls: arguments.call.clone(),
        netns: arguments.netns.clone(),
        rules: arguments.rule.clone(),
        refused: arguments.refused,
    })
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Continue,
    /// A signal asked this process to end.
    End,
}

/// What is shown.
#[derive(Debug)]
struct View {
    /// The uid of the user netbroker.
    sender: u32,
    filter: Filter,
    pending: Pending,
    lines: Lines,
    forged: Noticed,
    /// The place in the journal after which nothing was read.
    cursor: Option<String>,
}

impl View {
    /// Shows what the journal has, and then what is added to it.
    fn watch(&mut self, journal: &Journal, signals: &Signals, arguments: &Arguments) -> Result<Next, Failure> {
        self.lines.head().map_or(Ok(()), print)?;
        let begun = now();
        let since: Vec<String> = arguments.since.iter().map(|since| format!("--since={since}")).collect();
        let earlier = match (arguments.lines, &arguments.since) {
            (None, Some(_)) => self.all(journal, signals, &since)?,
            (lines, _) => self.newest(journal, signals, &since, lines.unwrap_or(LINES))?,
        };
        if earlier == Next::End {
            return Ok(Next::End);
        }
        self.give_up(now().saturating_sub(PATIENCE))?;
        if arguments.no_follow {
            self.pending.rest().iter().try_for_each(|decision| self.show(decision))?;
            return Ok(Next::End);
        }
        let after = match &self.cursor {
            Some(cursor) => format!("--after-cursor={cursor}"),
            None => format!("--since=@{}.{:06}", begun / 1_000_000, begun % 1_000_000),
        };
        let follow = ["--follow", "--no-tail", &after].map(str::to_owned);
        self.follow(journal.read(&[&follow[..], &selection()].concat())?, signals)
    }

    /// Shows all earlier decisions, the oldest first.
    fn all(&mut self, journal: &Journal, signals: &Signals, since: &[String]) -> Result<Next, Failure> {
        let mut reader = journal.read(&[since, &selection()].concat())?;
        loop {
            match self.next(&mut reader, signals, None)? {
                Some(Given::Record(record)) => {
                    self.give_up(record.time.saturating_sub(LONGEST))?;
                    self.take(record)?;
                }
                Some(Given::Nothing) => {}
                Some(Given::Asked) => return Ok(Next::End),
                None => return reader.finish().map(|()| Next::Continue),
            }
        }
    }

    /// Shows the newest of the earlier decisions. They are read from the end, because the journal may be long.
    fn newest(
        &mut self,
        journal: &Journal,
        signals: &Signals,
        since: &[String],
        lines: usize,
    ) -> Result<Next, Failure> {
        if lines == 0 {
            return Ok(Next::Continue);
        }
        let mut reader = journal.read(&[since, &["--reverse".to_owned()], &selection()].concat())?;
        let (mut records, mut decisions, mut newest) = (Vec::new(), 0, None);
        while decisions < lines {
            let given = self.next(&mut reader, signals, None)?;
            newest = newest.or_else(|| self.cursor.take());
            match given {
                Some(Given::Record(record)) => {
                    decisions += usize::from(record.event != "outcome");
                    records.push(record);
                }
                Some(Given::Nothing) => {}
                Some(Given::Asked) => return Ok(Next::End),
                None => {
                    reader.finish()?;
                    break;
                }
            }
        }
        self.cursor = newest;
        for record in records.into_iter().rev() {
            // The outcome of a decision before these.
            if record.event != "outcome" || self.pending.has(record.get("REQUEST")) {
                self.take(record)?;
            }
        }
        Ok(Next::Continue)
    }

    /// Shows decisions as they are made, until a signal arrives.
    fn follow(&mut self, mut reader: Reader, signals: &Signals) -> Result<Next, Failure> {
        loop {
            let due = self.pending.oldest().map(|oldest| oldest.saturating_add(PATIENCE));
            let due = due.into_iter().chain(self.forged.due()).min();
            let wait = due.map(|due| due.saturating_sub(now()).div_ceil(1_000));
            match self.next(&mut reader, signals, wait)? {
                Some(Given::Record(record)) => self.take(record)?,
                Some(Given::Nothing) => {}
                Some(Given::Asked) => return Ok(Next::End),
                None => {
                    reader.finish()?;
                    return Err(Failure::Message(Exit::System, "journalctl ended".to_owned()));
                }
            }
            self.give_up(now().saturating_sub(PATIENCE))?;
            self.forged.tell_when_due();
        }
    }

    /// Reads one record that is selected; `None` at the end.
    fn next(&mut self, reader: &mut Reader, signals: &Signals, wait: Option<u64>) -> Result<Option<Given>, Failure> {
        let entry = match reader.next(signals, wait)? {
            Heard::Line(line) => Entry::parse(&line, self.sender),
            Heard::TooLong => Entry { cursor: None, record: Err(Forged { uid: None }) },
            Heard::Nothing => return Ok(Some(Given::Nothing)),
            Heard::Asked => return Ok(Some(Given::Asked)),
            Heard::End => return Ok(None),
        };
        self.cursor = entry.cursor.or(self.cursor.take());
        Ok(Some(match entry.record {
            Ok(record) if self.filter.selects(&record) => Given::Record(record),
            Ok(_) => Given::Nothing,
            Err(forged) => {
                self.forged.add(forged);
                Given::Nothing
            }
        }))
    }

    fn take(&mut self, record: Record) -> Result<(), Failure> {
        self.pending.take(record).map_or(Ok(()), |decision| self.show(&decision))
    }

    /// Shows the calls that were permitted until this time and have no outcome.
    fn give_up(&mut self, until: u64) -> Result<(), Failure> {
        self.pending.expire(until).iter().try_for_each(|decision| self.show(decision))
    }

    fn show(&mut self, decision: &Decision) -> Result<(), Failure> {
        print(self.lines.of(decision))
    }
}

/// What was read.
#[derive(Debug)]
enum Given {
    Record(Record),
    /// Nothing that is shown.
    Nothing,
    /// A signal asks this process to end.
    Asked,
}
