// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A call that the policy does not permit, as one line that its caller can send to the people who write the policy. It
//! has what they need to find the record of it, and what they need if that record is on a machine that they cannot
//! reach.
#![forbid(unsafe_code)]

use nix::sys::utsname::uname;
use serde_json::{Map, Value};

use super::super::accounts::Accounts;
use super::super::time::{now, timestamp};
use crate::audit::longest;
use crate::policy::rule::Principal;
use crate::refusal::line_of;

/// The longest text of the fields, in bytes of JSON.
const FIELDS: usize = 512;
/// The reason of a refusal by a deny. Every other refusal is for lack of an allow, and names the nearest one.
const BY_DENY: &str = "a deny forbids it";

/// The line: `Denied: call=… who=… fields=… rule=… request=… host=… time=…`. `reply` has the members of the error, and
/// `given` the parameters of the call.
pub(super) fn line(reply: &Map<String, Value>, given: &Map<String, Value>, uid: u32) -> String {
    let name = Accounts::Machine.name(Principal::Uid(uid));
    let host = uname().map(|name| name.nodename().to_string_lossy().into_owned()).unwrap_or_default();
    of(reply, given, &name.map_or_else(|| uid.to_string(), |name| format!("{uid}({name})")), &host, now())
}

fn of(reply: &Map<String, Value>, given: &Map<String, Value>, who: &str, host: &str, time: u64) -> String {
    let mut fields = given.clone();
    let reference = fields.remove("reference").unwrap_or_default();
    let left_out = shorten(&mut fields);
    let rule = if reply.get("reason").and_then(Value::as_str) == Some(BY_DENY) { "rule" } else { "nearest_rule" };
    let own = [
        ("who", who.into()),
        ("fields", fields.into()),
        ("left_out", left_out.map_or(Value::Null, Value::from)),
        ("reference", reference),
        ("host", host.into()),
        ("time", timestamp(time).into()),
    ];
    let own = |name: &str| own.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
    let order = [
        ("call", reply.get("call")),
        ("who", own("who")),
        ("fields", own("fields")),
        ("left_out", own("left_out")),
        ("reason", reply.get("reason")),
        ("field", reply.get("field")),
        (rule, reply.get("rule")),
        ("reference", own("reference")),
        ("request", reply.get("request")),
        ("host", own("host")),
        ("time", own("time")),
    ];
    // What a later broker adds comes last.
    let known = ["call", "reason", "field", "rule", "request"];
    let rest = reply.iter().filter(|(name, _)| !known.contains(&name.as_str()));
    let order = order.into_iter().filter_map(|(name, value)| Some((name, value?)));
    line_of("Denied", order.chain(rest.map(|(name, value)| (name.as_str(), value))))
}

/// Leaves the longest fields out until the rest is short enough. Returns their names.
fn shorten(fields: &mut Map<String, Value>) -> Option<String> {
    let mut left_out = Vec::new();
    while Value::Object(fields.clone()).to_string().len() > FIELDS {
        let Some(longest) = longest(fields) else { break };
        fields.remove(&longest);
        left_out.push(longest);
    }
    (!left_out.is_empty()).then(|| left_out.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::parameters;
    use super::*;

    const TIME: u64 = 1_735_689_599_042_000;

    fn given(call: &str, fields: &[&str]) -> Map<String, Value> {
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        parameters::read(parameters::call(call).unwrap(), &fields, Some("job-7"), 7).unwrap().object
    }

    fn shown(reply: &Value, given: &Map<String, Value>) -> String {
        of(reply.as_object().unwrap(), given, "7(alice)", "node7", TIME)
    }

    #[test]
    fn a_refusal_is_one_line_with_who_what_why_and_where() {
        let given = given("Link.Set", &["netns=@host", "link=eth0", "mtu=1400"]);
        let reply = json!({
            "call": "Link.Set", "field": "link", "reason": "a deny forbids it", "rule": "uplinks", "request": "00ff",
        });
        assert_eq!(
            shown(&reply, &given),
            "Denied: call=Link.Set who=7(alice) fields={\"link\":\"eth0\",\"mtu\":1400,\"netns\":\"@host\"} \
             reason=\"a deny forbids it\" field=link rule=uplinks reference=job-7 request=00ff host=node7 \
             time=2024-12-31T23:59:59.042Z"
        );
    }

    #[test]
    fn an_allow_that_comes_nearest_is_called_so() {
        let given = given("Link.Set", &["netns=@host", "link=eth0", "mtu=1400"]);
        let reply =
            |rule: Value| json!({"call": "Link.Set", "reason": "no allow permits it", "rule": rule, "recorded": false});
        let line = shown(&reply("links".into()), &given);
        assert!(line.contains(" reason=\"no allow permits it\" nearest_rule=links reference=job-7 host="), "{line}");
        assert!(line.ends_with("Z recorded=false"), "{line}");
        assert!(!shown(&reply(Value::Null), &given).contains("rule="), "the policy may hide it");
    }

    #[test]
    fn long_fields_are_left_out_and_named() {
        let addresses: Vec<String> =
            (0..24).map(|at| format!("{{\"gateway\":\"192.0.2.{at}\",\"weight\":2}}")).collect();
        let nexthops = format!("nexthops=[{}]", addresses.join(","));
        let given = given("Route.Add", &["netns=n", "destination=10.0.0.0/8", &nexthops]);
        let line = shown(&json!({"call": "Route.Add", "reason": "no allow permits it"}), &given);
        assert!(
            line.contains("\"destination\":\"10.0.0.0/8\",\"netns\":\"n\"")
                && line.contains("} left_out=nexthops reason="),
            "{line}"
        );
        assert!(line.len() < 400, "{line}");
    }
}
