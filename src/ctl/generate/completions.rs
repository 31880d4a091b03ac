// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl generate completions`: what a shell completes on a command line of netbrokerctl. `clap_complete` writes the
//! commands and the options. It knows no fields of a call, and in bash and fish nothing but options and commands. A script
//! for each shell (completions.bash, .zsh and .fish next to this file) adds these, with tables that are filled in here.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, Command, CommandFactory, ValueEnum, ValueHint};

use super::super::call::via::{self, PROGRAM, SOCKET};
use super::super::files::{INSTALLED, SHIPPED};
use super::super::{CommandLine, describe};
use crate::call::types::Type;
use crate::call::varlink;
use crate::call::{self, Call, Kind, Use};

/// A shell that can complete command lines of netbrokerctl.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::ctl) enum Shell {
    /// packaging/completions/netbrokerctl.bash
    Bash,
    /// `packaging/completions/_netbrokerctl`
    Zsh,
    /// packaging/completions/netbrokerctl.fish
    Fish,
}

/// What can be given as an argument, as far as a shell can complete it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Values {
    /// The name of a call.
    Calls,
    /// A field of the call that was given before, with a value.
    Fields,
    /// A way to the broker.
    Ways,
    /// The name of a family of calls.
    Families,
    /// The name of a shell.
    Shells,
    /// The name of a command.
    Commands,
    /// The name of a policy that ships.
    Shipped,
    /// The name of a file in the directory of the policy.
    Installed,
    /// The name of a user.
    Users,
    /// `user:` with a name, or `uid:`.
    Callers,
    /// `group:` with a name, or `gid:`.
    Groups,
    Directory,
    Path,
    /// Anything else.
    Free,
}

impl Values {
    /// What an argument of a command line is. Its `value_name`, which a reader sees in the help, decides it.
    fn of(argument: &Arg) -> Self {
        let shown = argument.get_value_names().and_then(<[_]>::first).map_or_else(
            || argument.get_id().as_str().to_uppercase(), // as clap shows it
            ToString::to_string,
        );
        match (argument.get_id().as_str(), shown.as_str()) {
            (_, "CALL") => Self::Calls,
            (_, "FIELD=VALUE") => Self::Fields,
            (_, via::FORMS) => Self::Ways,
            (_, "FAMILY") => Self::Families,
            (_, "SHELL") => Self::Shells,
            (_, "COMMAND") => Self::Commands,
            ("name", "NAME") => Self::Shipped,
            ("file", "FILE") => Self::Installed,
            ("who", "USER") => Self::Callers,
            (_, "USER") => Self::Users,
            (_, "GROUP") => Self::Groups,
            (_, "DIR") => Self::Directory,
            (_, "FILE" | "PATH") => Self::Path,
            _ => Self::Free,
        }
    }

    /// The word for them in the scripts for bash and fish.
    fn word(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Fields => "fields",
            Self::Ways => "ways",
            Self::Families => "families",
            Self::Shells => "shells",
            Self::Commands => "commands",
            Self::Shipped => "shipped",
            Self::Installed => "installed",
            Self::Users => "users",
            Self::Callers => "callers",
            Self::Groups => "groups",
            Self::Directory => "directories",
            Self::Path => "paths",
            Self::Free => "free",
        }
    }

    /// A function of the script for zsh. `clap_complete` can only be told one of its own hints, so it writes the function
    /// of such a hint, which no argument has otherwise, and this one takes its place.
    fn zsh(self) -> Option<(ValueHint, &'static str, &'static str)> {
        match self {
            Self::Fields => Some((ValueHint::EmailAddress, ":_email_addresses'", ":_netbrokerctl_fields'")),
            Self::Ways => Some((ValueHint::Url, ":_urls'", ":_netbrokerctl_ways'")),
            Self::Shipped => Some((ValueHint::CommandString, ":_cmdstring'", ":_netbrokerctl_shipped'")),
            Self::Installed => Some((ValueHint::CommandName, ":_command_names -e'", ":_netbrokerctl_installed'")),
            Self::Callers => Some((ValueHint::Hostname, ":_hosts'", ":_netbrokerctl_callers'")),
            Self::Groups => Some((ValueHint::Unknown, ":_default'", ":_netbrokerctl_groups'")),
            Self::Commands => {
                Some((ValueHint::ExecutablePath, ":_absolute_command_paths'", ":_netbrokerctl_commands'"))
            }
            _ => None,
        }
    }

    /// The words that can be given, each with a description.
    fn words(self) -> Vec<(&'static str, String)> {
        match self {
            Self::Calls => call::all().map(|call| (call.name, plain(describe::summary(call)))).collect(),
            Self::Families => varlink::families().map(|family| (family, String::new())).collect(),
            Self::Shells => vec![("bash", String::new()), ("zsh", String::new()), ("fish", String::new())],
            _ => Vec::new(),
        }
    }
}

/// Text that has no meaning to a shell.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '`' | '"' | '\'' | '$' | '\\')).collect()
}

/// The completions for a shell.
///
/// # Errors
/// An argument or a field that the scripts cannot express.
pub(super) fn of(shell: Shell) -> Result<String, String> {
    let mut command = with_help(CommandLine::command());
    let mut written = Vec::new();
    let mut built = described(command.clone(), shell);
    let (ours, script, theirs) = match shell {
        Shell::Bash => (include_str!("completions.bash"), "netbrokerctl.bash", clap_complete::Shell::Bash),
        Shell::Zsh => (include_str!("completions.zsh"), "_netbrokerctl", clap_complete::Shell::Zsh),
        Shell::Fish => (include_str!("completions.fish"), "netbrokerctl.fish", clap_complete::Shell::Fish),
    };
    clap_complete::generate(theirs, &mut built, "netbrokerctl", &mut written);
    let written = String::from_utf8(written).map_err(|error| error.to_string())?;
    command.build();
    let places = places(&command)?;
    let head = format!(
        "# SPDX-License-Identifier: Apache-2.0 OR MIT\n# Made from the declarations of netbrokerctl: packaging/completions/{script}\n"
    );
    let ours = filled(ours, shell, &command, &places)?;
    Ok(match shell {
        Shell::Bash | Shell::Fish => format!("{head}\n{written}\n{ours}"),
        Shell::Zsh => zsh(&written, &head, &ours, &places)?,
    })
}

/// The same command line, with one argument in place of the commands of `help`, which would double the scripts.
fn with_help(command: Command) -> Command {
    if !command.has_subcommands() {
        return command;
    }
    let help = Command::new("help").about("Print the help of a command").arg(Arg::new("command"));
    command.disable_help_subcommand(true).mut_subcommands(with_help).subcommand(help)
}

/// The same command line, with what `clap_complete` can be told of its arguments.
fn described(command: Command, shell: Shell) -> Command {
    let described_argument = |argument: Arg| {
        let values = Values::of(&argument);
        match (values, values.zsh(), shell) {
            (Values::Directory, ..) => argument.value_hint(ValueHint::DirPath),
            (Values::Users, ..) => argument.value_hint(ValueHint::Username),
            // The colons of its own name have a meaning to zsh.
            (Values::Ways, Some((hint, ..)), Shell::Zsh) => argument.value_hint(hint).value_name("WAY"),
            (_, Some((hint, ..)), Shell::Zsh) => argument.value_hint(hint),
            (Values::Free, ..) if argument.get_action().takes_values() => argument.value_hint(ValueHint::Other),
            (Values::Calls | Values::Families, _, Shell::Zsh) => {
                let words = values.words();
                let value = |(word, text): (&'static str, String)| {
                    let value = PossibleValue::new(word);
                    if text.is_empty() { value } else { value.help(text) }
                };
                argument.value_parser(PossibleValuesParser::new(words.into_iter().map(value)))
            }
            _ => argument,
        }
    };
    command.mut_args(described_argument).mut_subcommands(|command| described(command, shell))
}

/// The arguments of one command that are no options.
#[derive(Debug)]
struct Place {
    /// The names of the command, such as `policy check`.
    path: String,
    /// What the arguments are, in their order. The last one can be repeated if `repeated` is set.
    arguments: Vec<Values>,
    repeated: bool,
}

/// Every command without commands of its own.
fn places(command: &Command) -> Result<Vec<Place>, String> {
    let mut found = Vec::new();
    let mut open: Vec<(String, &Command)> = vec![(String::new(), command)];
    while let Some((path, command)) = open.pop() {
        if command.has_subcommands() {
            open.extend(command.get_subcommands().map(|inner| {
                let gap = if path.is_empty() { "" } else { " " };
                (format!("{path}{gap}{}", inner.get_name()), inner)
            }));
            continue;
        }
        let repeats = |argument: &Arg| argument.get_num_args().is_some_and(|range| range.max_values() > 1);
        let arguments: Vec<&Arg> = command.get_positionals().collect();
        let repeated = arguments.last().is_some_and(|last| repeats(last));
        if arguments.iter().rev().skip(1).any(|argument| repeats(argument)) {
            return Err(format!("{path}: only the last argument can be repeated"));
        }
        found.push(Place { arguments: arguments.into_iter().map(Values::of).collect(), repeated, path });
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

impl Place {
    /// Patterns of `case` for the words before the cursor, each with what can follow.
    fn patterns(&self) -> Vec<(String, Values)> {
        let words = |count: usize| format!("'{}'{}", self.path, "' '*".repeat(count));
        let each = self.arguments.iter().enumerate().map(|(at, values)| (words(at), *values));
        let after = match self.arguments.as_slice() {
            [only] if self.repeated => Some((words(1), *only)),
            _ => None, // the asterisk of the line before matches all that follow
        };
        each.chain(after).collect()
    }
}

/// The script of this project for a shell, with its tables.
fn filled(script: &str, shell: Shell, command: &Command, places: &[Place]) -> Result<String, String> {
    let mut out = script.to_owned();
    let spaced =
        |words: Vec<(&'static str, String)>| words.into_iter().map(|(word, _)| word).collect::<Vec<_>>().join(" ");
    let ways = [format!("socket:{SOCKET}"), format!("program:{PROGRAM}"), format!("sudo:{PROGRAM}")];
    let valued = valued(command)?;
    let options: Vec<&str> = valued.keys().map(String::as_str).collect();
    let meanings: String =
        valued.iter().map(|(option, values)| format!("    {option}) what={} ;;\n", values.word())).collect();
    let commands: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
    for (name, text) in [
        ("@FIELDS@", fields(shell)?),
        ("@ARGUMENTS@", arguments(shell, places)),
        ("@DESCRIBED@", described_calls(shell)),
        ("@VALUED@", options.join(if shell == Shell::Fish { " " } else { " | " })),
        ("@OPTIONS@", meanings),
        ("@CALLS@", spaced(Values::Calls.words())),
        ("@FAMILIES@", spaced(Values::Families.words())),
        ("@SHELLS@", spaced(Values::Shells.words())),
        ("@COMMANDS@", commands.join(" ")),
        ("@WAYS@", ways.join(" ")),
        ("@INSTALLED@", INSTALLED.to_owned()),
        ("@SHIPPED@", SHIPPED.to_owned()),
    ] {
        out = out.replace(name, text.trim_end());
    }
    Ok(out)
}

/// The calls with their descriptions, for fish.
fn described_calls(shell: Shell) -> String {
    if shell != Shell::Fish {
        return String::new();
    }
    let mut out = String::new();
    for (word, text) in Values::Calls.words() {
        let _ = writeln!(out, "        '{word}\\t{text}' \\");
    }
    out.trim_end_matches([' ', '\\', '\n']).to_owned()
}

/// What the value of an option is, for each option that has one. The scripts look only at its name, so that it must mean the
/// same in all commands.
fn valued(command: &Command) -> Result<BTreeMap<String, Values>, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![command];
    while let Some(command) = open.pop() {
        open.extend(command.get_subcommands());
        for option in command.get_opts() {
            let long = option.get_long().filter(|_| option.get_short().is_none());
            let name = format!("--{}", long.ok_or_else(|| format!("{}: must have a long name only", option.get_id()))?);
            let values = Values::of(option);
            if found.insert(name.clone(), values).is_some_and(|other| other != values) {
                return Err(format!("{name}: has values of another meaning in another command"));
            }
        }
    }
    Ok(found)
}

/// A line of `case` for each command: what can be the next argument.
fn arguments(shell: Shell, places: &[Place]) -> String {
    let mut out = String::new();
    for (pattern, values) in places.iter().flat_map(Place::patterns) {
        let _ = match shell {
            Shell::Bash => writeln!(out, "    {pattern}) what={} ;;", values.word()),
            Shell::Zsh => Ok(()),
            Shell::Fish => writeln!(out, "        case {}\n            echo {}", quoted(&pattern), values.word()),
        };
    }
    out
}

/// A pattern of `case` for fish, which expands an asterisk outside of quotes.
fn quoted(pattern: &str) -> String {
    format!("'{}'", pattern.replace('\'', ""))
}

/// A line of `case` for each call, and for each kind of a call: its fields. The values that are known follow a field's name;
/// `@` stands for the names of network namespaces.
fn fields(shell: Shell) -> Result<String, String> {
    let mut out = String::new();
    for call in call::all() {
        for kind in call.varieties() {
            let of = kind.map_or_else(|| call.name.to_owned(), |kind| format!("{}/{}", call.name, kind.name));
            let words = words(call, kind)?;
            let _ = match shell {
                Shell::Bash | Shell::Zsh => writeln!(out, "    {of}) echo '{words}' ;;"),
                Shell::Fish => writeln!(out, "        case {of}\n            string split ' ' '{words}'"),
            };
        }
        if call.varieties().all(|kind| kind.is_some()) {
            let words = words(call, None)?;
            let _ = match shell {
                Shell::Bash | Shell::Zsh => writeln!(out, "    {}) echo '{words}' ;;", call.name),
                Shell::Fish => writeln!(out, "        case {}\n            string split ' ' '{words}'", call.name),
            };
        }
    }
    Ok(out)
}

fn words(call: &'static Call, kind: Option<&'static Kind>) -> Result<String, String> {
    let word = |used: &'static Use| {
        let values = if call.kinds.by == Some(used.field()) {
            call.kinds.iter().map(|kind| kind.name).collect::<Vec<_>>().join(",")
        } else {
            match used.ty() {
                Type::Netns => "@".to_owned(),
                Type::Bool => "true,false".to_owned(),
                Type::Word(words) => words.listed().replace(", ", ","),
                _ => String::new(),
            }
        };
        let word = format!("{}={values}", used.field().name);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._=,@".contains(c);
        if word.chars().all(is_plain) { Ok(word) } else { Err(format!("{}: `{word}` is not a plain word", call.name)) }
    };
    // What is inside a list is given with the list.
    let words: Result<Vec<String>, String> = call.uses(kind).filter(|used| used.inside().is_none()).map(word).collect();
    Ok(words?.join(" "))
}

/// The script of zsh is one function that calls others: those of this project stand between the first line and it.
fn zsh(written: &str, head: &str, ours: &str, places: &[Place]) -> Result<String, String> {
    let (first, rest) = written.split_once('\n').ok_or("clap_complete wrote no line")?;
    let mut rest = rest.to_owned();
    let meant = [Values::Ways, Values::Callers, Values::Groups];
    let used = places.iter().flat_map(|place| place.arguments.iter().copied()).chain(meant);
    for (_, theirs, own) in used.filter_map(Values::zsh) {
        if !rest.contains(theirs) && !rest.contains(own) {
            return Err(format!("clap_complete did not write `{theirs}`"));
        }
        rest = rest.replace(theirs, own);
    }
    Ok(format!("{first}\n{head}\n{ours}\n{}", rest.trim_start()))
}
