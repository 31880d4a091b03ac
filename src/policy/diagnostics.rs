// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Errors in a policy, with file, line, column and the line itself, as compilers print them.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::call::name::Text;

/// One policy file, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The name of the file in messages.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// Takes the bytes of a file.
    ///
    /// # Errors
    /// The [`Problem`] at the first byte that is not UTF-8.
    pub fn new(name: &str, bytes: Vec<u8>) -> Result<Self, Problem> {
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { name: name.to_owned(), text }),
            Err(error) => {
                let good = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                Err(Self { name: name.to_owned(), text }.place(good..good + 1).problem("this byte is not valid UTF-8"))
            }
        }
    }

    /// A line, counted from 1, without leading and trailing spaces.
    #[must_use]
    pub fn line(&self, number: usize) -> Location<'_> {
        let mut start = 0;
        for (at, line) in self.text.split_inclusive('\n').enumerate() {
            if at + 1 == number {
                let blanks = line.len() - line.trim_start().len();
                return self.place(start + blanks..start + line.trim_end().len().max(blanks));
            }
            start += line.len();
        }
        self.place(start..start)
    }

    /// A place in this file, by bytes.
    #[must_use]
    pub fn place(&self, span: Range<usize>) -> Location<'_> {
        Location { source: self, start: span.start, end: span.end }
    }
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location<'s> {
    source: &'s Source,
    start: usize,
    end: usize,
}

impl<'s> Location<'s> {
    /// The text at this place.
    #[must_use]
    pub fn text(self) -> &'s str {
        self.source.text.get(self.start..self.end).unwrap_or("")
    }

    /// The file's name.
    #[must_use]
    pub fn file(self) -> &'s str {
        &self.source.name
    }

    /// The line, counted from 1.
    #[must_use]
    pub fn line(self) -> usize {
        self.before().bytes().filter(|b| *b == b'\n').count() + 1
    }

    /// A problem at this place.
    #[must_use]
    pub fn problem(self, message: impl Into<String>) -> Problem {
        let before = self.before();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let rest = self.source.text.get(line_start..).unwrap_or("");
        let line = rest.lines().next().unwrap_or("");
        let column = before.get(line_start..).unwrap_or("").chars().count() + 1;
        let left = (line.chars().count() + 1).saturating_sub(column);
        let first = self.text().lines().next().unwrap_or("").chars().count();
        Problem {
            file: self.file().to_owned(),
            line: self.line(),
            column,
            marks: first.min(left).max(1),
            source_line: window(line, column),
            message: message.into(),
        }
    }

    /// The text of the file before it.
    fn before(self) -> &'s str {
        let text = &self.source.text;
        let start = (0..=self.start.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.get(..start).unwrap_or("")
    }
}

/// Counts the lines of places that mostly follow each other, each from the previous one. Counting from the beginning of
/// the file for each rule would take quadratic time.
#[derive(Debug, Default)]
pub struct Lines<'s>(Option<(Location<'s>, usize)>);

impl<'s> Lines<'s> {
    /// The line of a place, counted from 1.
    pub fn number(&mut self, place: Location<'s>) -> usize {
        let between = match self.0 {
            Some((before, line)) if std::ptr::eq(before.source, place.source) => {
                place.source.text.get(before.start..place.start).map(|text| (text, line))
            }
            _ => None,
        };
        let newlines = |text: &str| text.bytes().filter(|b| *b == b'\n').count();
        let line = between.map_or_else(|| place.line(), |(text, line)| line + newlines(text));
        self.0 = Some((place, line));
        line
    }
}

/// Control characters are escaped before they are printed.
fn harmless(c: char) -> char {
    if c == '\t' || Text::parse(c.encode_utf8(&mut [0; 4])).is_ok() { c } else { char::REPLACEMENT_CHARACTER }
}

/// One error in a policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// The number of characters at this place.
    pub marks: usize,
    /// The line itself, or the part of a long one around the column.
    pub source_line: String,
    /// What is wrong.
    pub message: String,
}

/// The largest number of characters of a line that are shown.
const WIDTH: usize = 160;

/// The first character of a line that is shown, if this column is meant.
fn window_start(column: usize) -> usize {
    if column <= WIDTH { 0 } else { column - 1 - WIDTH / 2 }
}

/// The part of a line around a column, without what a terminal would obey.
fn window(line: &str, column: usize) -> String {
    let start = window_start(column);
    let mut rest = line.chars().skip(start).map(harmless);
    let mut shown = if start > 0 { "…".to_owned() } else { String::new() };
    shown.extend(rest.by_ref().take(WIDTH + WIDTH / 2));
    if rest.next().is_some() {
        shown.push('…');
    }
    shown
}

impl Problem {
    /// The message, of bounded length, without what a terminal would obey.
    #[must_use]
    pub fn shown_message(&self) -> String {
        cut(&self.message).chars().map(harmless).collect()
    }

    /// The name of the file, without what a terminal would obey.
    #[must_use]
    pub fn shown_file(&self) -> String {
        plain(&self.file)
    }
}

/// Text without what a terminal would obey.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().map(harmless).collect()
}

/// Shortens a message: the middle of a long text from the file is left out.
fn cut(message: &str) -> Cow<'_, str> {
    const ENDS: usize = 400;
    let length = message.chars().count();
    if length <= 3 * ENDS {
        return message.into();
    }
    let (start, end): (String, String) =
        (message.chars().take(ENDS).collect(), message.chars().skip(length - ENDS).collect());
    format!("{start} … {end}").into()
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.source_line;
        let start = window_start(self.column);
        let column = self.column - 1 - start + usize::from(start > 0);
        let marks = self.marks.min(shown.chars().count().saturating_sub(column)).max(1);
        let under: String = shown.chars().take(column).map(|c| if c == '\t' { c } else { ' ' }).collect();
        let (message, file) = (self.shown_message(), self.shown_file());
        writeln!(f, "{file}:{}:{}: {message}", self.line, self.column)?;
        writeln!(f, "{:>4} | {shown}", self.line)?;
        write!(f, "     | {under}{}", "^".repeat(marks))
    }
}

/// `; did you mean …?` with the nearest known word, or nothing if no word is near. A character that looks like another
/// one is named.
pub fn did_you_mean<'w, W: IntoIterator<Item = &'w str>>(word: &str, known: W) -> String {
    let near = nearest(word, known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    let foreign = foreign(word).map_or_else(String::new, |foreign| format!("; it contains {foreign}"));
    foreign + &near
}

/// The first character of a word that is not ASCII, with its number.
pub fn foreign(word: &str) -> Option<String> {
    let c = word.chars().find(|c| !c.is_ascii())?;
    Some(format!("`{}` (U+{:04X})", harmless(c), u32::from(c)))
}

/// The known word that `word` is probably a misspelling of: with at most one change for each three characters, and at
/// least one.
pub fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    if word.len() > 64 {
        return None; // no known word is so long, and comparing takes time
    }
    let most = (word.chars().count() / 3).max(1);
    let by_distance = known.into_iter().map(|candidate| (distance(word, candidate), candidate));
    by_distance.filter(|(distance, _)| *distance <= most).min_by_key(|(distance, _)| *distance).map(|(_, near)| near)
}

/// The number of characters to insert, remove or replace to turn one word into the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (above, a) in one.chars().enumerate() {
        let mut left = above + 1;
        let mut next = vec![left];
        for ((diagonal, up), b) in row.iter().zip(row.iter().skip(1)).zip(other.chars()) {
            left = (diagonal + usize::from(a != b)).min(up + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_in_whatever_order_places_come() {
        let source = |name: &str| Source { name: name.to_owned(), text: "a\nb\n\nc\nd".to_owned() };
        let (one, two) = (source("1"), source("2"));
        let mut lines = Lines::default();
        for (of, at) in [(&one, 0), (&one, 5), (&one, 2), (&two, 7), (&one, 7), (&one, 7), (&two, 0)] {
            let place = of.place(at..at + 1);
            assert_eq!(lines.number(place), place.line(), "{at}");
        }
    }

    #[test]
    fn a_problem_shows_the_line_and_marks_what_is_meant() {
        let source = Source { name: "10-l3.toml".to_owned(), text: "a = 1\n\tlnk = \"ä\"\n".to_owned() };
        let problem = source.place(7..10).problem("`lnk` is wrong");
        assert_eq!(problem.to_string(), "10-l3.toml:2:2: `lnk` is wrong\n   2 | \tlnk = \"ä\"\n     | \t^^^");
    }

    #[test]
    fn of_a_long_line_and_a_long_message_a_part_is_shown() {
        let text = format!("{}wrong{}", "a".repeat(50_000), "b".repeat(50_000));
        let source = Source { name: "x".to_owned(), text };
        let shown = source.place(50_000..50_005).problem("m".repeat(70_000)).to_string();
        assert!(shown.len() < 2_000, "{}", shown.len());
        let lines: Vec<&str> = shown.lines().collect();
        let at = lines[2].find('^').unwrap();
        assert!(lines[0].starts_with("x:1:50001: mmm") && lines[2].ends_with("^^^^^"), "{shown}");
        assert_eq!(lines[1].chars().skip(at).take(5).collect::<String>(), "wrong", "{shown}");
        let short = source.place(0..100_005).problem("m").to_string();
        assert!(short.lines().nth(2).unwrap().chars().count() < 260, "{short}");
    }

    #[test]
    fn a_place_outside_the_text_is_shown_at_its_end() {
        let source = Source { name: "x".to_owned(), text: "ä".to_owned() };
        assert_eq!(source.place(1..9).problem("m").to_string(), "x:1:1: m\n   1 | ä\n     | ^");
        assert_eq!(source.place(7..9).problem("m").column, 2);
        let empty = Source { name: "x".to_owned(), text: String::new() };
        assert_eq!(empty.place(0..0).problem("m").to_string(), "x:1:1: m\n   1 | \n     | ^");
    }

    #[test]
    fn what_is_no_text_is_refused_where_it_stands() {
        let problem = Source::new("x", b"a = 1\nb = \"\xff\"\n".to_vec()).unwrap_err();
        assert_eq!((problem.line, problem.column), (2, 6));
        let hostile = Source { name: "x".to_owned(), text: "a\u{1b}[2J\u{202e}".to_owned() };
        assert_eq!(
            hostile.place(0..1).problem("\u{1b}").to_string(),
            "x:1:1: \u{fffd}\n   1 | a\u{fffd}[2J\u{fffd}\n     | ^"
        );
    }

    #[test]
    fn the_nearest_word_is_a_slip_of_the_pen_away() {
        let known = ["link", "address", "netns"];
        for (word, near) in [("lnk", "link"), ("adress", "address"), ("nets", "netns"), ("addres", "address")] {
            assert_eq!(nearest(word, known), Some(near));
        }
        assert_eq!(nearest("mtu", known), None);
        assert_eq!(did_you_mean("lynk", known), "; did you mean `link`?");
    }
}
