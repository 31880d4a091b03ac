// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `netbrokerctl call`: sends one call to the broker, and prints the reply.
#![forbid(unsafe_code)]

mod refused;
pub(super) mod via;

use std::env;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write as _};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitCode, ExitStatus};

use nix::unistd::getuid;
use serde_json::{Map, Value, json};

use self::via::{Broker, Via};
use super::{Failure, parameters, print, reason, warn};
use crate::refusal::{Exit, exit, line};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The call, such as `Address.Add`
    #[arg(value_name = "CALL")]
    name: String,
    /// The fields, such as `link=eth0` or `peer.name=eth0`; default for `netns`: `@host`
    #[arg(value_name = "FIELD=VALUE")]
    fields: Vec<String>,
    /// Request several replies, each with some elements of the list
    #[arg(long)]
    more: bool,
    /// Your own id of the request, which is recorded in the trail
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,
    /// Print each result on one line
    #[arg(long)]
    json: bool,
    /// How to reach the broker: connect to a socket, start a program, or start it with `sudo -n`; default:
    /// `socket:/run/netbroker/socket` if a listener is there, otherwise `program:/usr/libexec/netbroker/netbroker`
    #[arg(long, value_name = via::FORMS)]
    via: Option<Via>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let call = parameters::call(&arguments.name)?;
    let uid = caller_uid(arguments.via.as_ref());
    let given = parameters::read(call, &arguments.fields, arguments.reference.as_deref(), uid)?;
    if given.netns_assumed {
        warn("netns is not given: using @host");
    }
    let mut message = json!({ "method": format!("io.netbroker.{}", call.name), "parameters": given.object });
    if let (true, Some(members)) = (arguments.more, message.as_object_mut()) {
        members.insert("more".to_owned(), true.into());
    }
    let message = format!("{message}\0");
    let sent = Sent { fields: &given.object, uid, json: arguments.json };
    match Broker::reach(arguments.via.as_ref())? {
        Broker::Connected(mut connection) => {
            let is_sent = via::written(connection.write_all(message.as_bytes()))?;
            finished(replies(connection, &sent)?, is_sent)
        }
        Broker::Started(program) => {
            let mut asked = program.send(message.as_bytes())?;
            let answered = replies(asked.replies, &sent);
            let status = ended(&mut asked.process)?;
            match (answered?, program.refused_by_sudo(status)) {
                (LastReply::Unfinished, Some(failure)) => Err(failure),
                (answer, _) => outcome(answer, status),
            }
        }
    }
}

/// Waits for the end of a broker.
pub(super) fn ended(process: &mut Child) -> Result<ExitStatus, Failure> {
    process.wait().map_err(|error| unanswered(&format!("cannot wait for the broker: {}", reason(&error))))
}

/// The uid of the caller for the broker: under sudo, that of the user who ran sudo, except on a socket.
fn caller_uid(via: Option<&Via>) -> u32 {
    let uid = getuid();
    let by_sudo = || env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok());
    if uid.is_root() && !matches!(via, Some(Via::Socket(_))) { by_sudo().unwrap_or(0) } else { uid.as_raw() }
}

/// The call that is being answered.
#[derive(Debug)]
struct Sent<'a> {
    fields: &'a Map<String, Value>,
    uid: u32,
    /// Whether each result is printed on one line.
    json: bool,
}

/// The last reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LastReply {
    /// There was none, or it announced that another one follows.
    Unfinished,
    Done,
    /// The last part of the name of the error.
    Refused(String),
}

/// Prints the replies as they arrive, up to the last one. A listener may keep the connection open for the next call.
fn replies(from: impl Read, sent: &Sent<'_>) -> Result<LastReply, Failure> {
    let mut answer = LastReply::Unfinished;
    let mut reader = BufReader::new(from);
    let mut bytes = Vec::new();
    let mut is_answered = false;
    while answer == LastReply::Unfinished {
        match reader.read_until(0, &mut bytes) {
            Ok(0) => break,
            Ok(_) => is_answered = true,
            Err(error) if error.kind() == ErrorKind::ConnectionReset && !is_answered && bytes.is_empty() => {
                return Err(untaken());
            }
            Err(error) => return Err(unanswered(&format!("the reply cannot be read: {}", reason(&error)))),
        }
        for reply in bytes.split(|b| matches!(b, 0 | b'\n')).filter(|reply| !reply.is_empty()) {
            answer = show(reply, sent)?;
        }
        bytes.clear();
    }
    Ok(answer)
}

fn show(reply: &[u8], sent: &Sent<'_>) -> Result<LastReply, Failure> {
    let no_reply = |what: &str| unanswered(&format!("the broker answered with {what}"));
    let reply: Map<String, Value> =
        serde_json::from_slice(reply).map_err(|_| no_reply("something that is not JSON"))?;
    let parameters = reply.get("parameters").cloned().unwrap_or_else(|| json!({}));
    if let Some(error) = reply.get("error") {
        let name = error
            .as_str()
            .and_then(|name| name.rsplit('.').next())
            .ok_or_else(|| no_reply("an error without a name"))?;
        let nothing = Map::new();
        let parameters = parameters.as_object().unwrap_or(&nothing);
        warn(match name {
            "Denied" => refused::line(parameters, sent.fields, sent.uid),
            _ => line(name, parameters),
        });
        return Ok(LastReply::Refused(name.to_owned()));
    }
    print(if sent.json { parameters.to_string() } else { format!("{parameters:#}") })?;
    let continues = reply.get("continues").and_then(Value::as_bool) == Some(true);
    Ok(if continues { LastReply::Unfinished } else { LastReply::Done })
}

/// The exit status for a reply, if the broker's own exit status is unknown.
fn finished(answer: LastReply, is_sent: bool) -> Result<ExitCode, Failure> {
    match answer {
        LastReply::Unfinished if !is_sent => Err(untaken()),
        LastReply::Unfinished => Err(unanswered("the connection was closed without a reply")),
        LastReply::Done => Ok(Exit::Done.into()),
        LastReply::Refused(name) => Ok(exit(&name).into()),
    }
}

/// The exit status is that of the broker. A missing reply is always reported as an unknown outcome.
pub(super) fn outcome(answer: LastReply, status: ExitStatus) -> Result<ExitCode, Failure> {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    match (answer, code) {
        (LastReply::Unfinished, Some(0 | UNANSWERED)) => Err(unanswered("the broker ended without a reply")),
        // The broker never exits with status 1 without a reply, so another program did.
        (LastReply::Unfinished, Some(1)) => Err(unanswered("the program ended with status 1 and without a reply")),
        (LastReply::Unfinished, None) => {
            let signal = status.signal().map_or_else(|| "a signal".to_owned(), |signal| format!("signal {signal}"));
            Err(unanswered(&format!("the broker ended by {signal}")))
        }
        (LastReply::Refused(name), None | Some(0)) => Ok(exit(&name).into()),
        (LastReply::Done, None) => Ok(Exit::Done.into()),
        (_, Some(code)) => Ok(code.into()),
    }
}

/// The exit status of the broker for an outcome that its caller cannot know.
const UNANSWERED: u8 = 74;

pub(super) fn unanswered(why: &str) -> Failure {
    Failure::Message(Exit::Unanswered, format!("outcome unknown: {why}"))
}

/// The other end closed the connection before it had received all of the request: it then gives `ECONNRESET` (unix(7)).
fn untaken() -> Failure {
    let why = "the broker closed the connection before it took the request, and nothing was done: it is stopping or does \
               not start (`netbrokerctl doctor`), or you have as many connections as you may have; try again";
    Failure::Message(Exit::Again, why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(answer: LastReply, raw: i32) -> Result<ExitCode, String> {
        outcome(answer, ExitStatus::from_raw(raw)).map_err(|failure| match failure {
            Failure::Message(Exit::Unanswered, why) => why,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_missing_reply_is_an_unknown_outcome() {
        assert_eq!(of(LastReply::Unfinished, 9).unwrap_err(), "outcome unknown: the broker ended by signal 9");
        assert_eq!(of(LastReply::Unfinished, 0).unwrap_err(), "outcome unknown: the broker ended without a reply");
        assert_eq!(
            of(LastReply::Unfinished, 74 << 8).unwrap_err(),
            "outcome unknown: the broker ended without a reply"
        );
        assert_eq!(of(LastReply::Unfinished, 69 << 8), Ok(ExitCode::from(69))); // it said why on standard error
    }

    #[test]
    fn the_exit_status_is_the_brokers() {
        assert_eq!(of(LastReply::Done, 0), Ok(ExitCode::from(0)));
        let refused = || LastReply::Refused("Denied".to_owned());
        assert_eq!(of(refused(), 77 << 8), Ok(ExitCode::from(77)));
        assert_eq!(of(refused(), 9), Ok(ExitCode::from(77)));
    }

    #[test]
    fn a_reply_says_whether_another_one_follows() {
        let given = parameters::read(parameters::call("Netns.List").unwrap(), &[], None, 7).unwrap();
        let sent = Sent { fields: &given.object, uid: 7, json: true };
        assert_eq!(show(br#"{"parameters":{}}"#, &sent).unwrap(), LastReply::Done);
        assert_eq!(show(br#"{"parameters":{},"continues":true}"#, &sent).unwrap(), LastReply::Unfinished);
        for name in ["Busy", "Denied"] {
            let error = format!(r#"{{"error":"io.netbroker.Link.{name}","parameters":{{"reason":"x"}}}}"#);
            assert_eq!(show(error.as_bytes(), &sent).unwrap(), LastReply::Refused(name.to_owned()));
        }
        assert!(show(b"Segmentation fault", &sent).is_err());
    }
}
