// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the kernel reports: a picture for "nothing changed", and the comparison of two namespaces for twin tests.

use super::Host;
use serde_json::Value;
use std::time::{Duration, Instant};

/// What changes by itself: clocks, and what follows from a carrier a moment later.
const VOLATILE: &[&str] = &[
    "gc_timer",
    "hello_timer",
    "tcn_timer",
    "topology_change_timer",
    "topology_change",
    "topology_change_detected",
    "message_age_timer",
    "forward_delay_timer",
    "hold_timer",
    "operstate",
    "state",
    "tentative",
    "carrier_changes",
    "expires",
    "age",
];
/// The kernel's own identifiers, which differ between namespaces.
const IDENTIFIERS: &[&str] = &[
    "ifindex",
    "iflink",
    "link_index",
    "link_netnsid",
    "bridge_id",
    "root_id",
    "designated_bridge",
    "designated_root",
    "switchid",
    "permaddr", // random for a tunnel over IPv6
];
/// Seconds that count down.
const LIFETIMES: &[&str] = &["valid_life_time", "preferred_life_time"];
const FOR_EVER: u64 = 0xffff_ffff;
/// The flags that follow from the carrier.
const CARRIER: &[&str] = &["LOWER_UP", "NO-CARRIER", "M-DOWN"];

impl Host {
    /// Everything that a refused call must leave unchanged: links, addresses and routes of the host and of the named
    /// namespaces, and /run/netns. Compare two of them with `assert_eq!`.
    ///
    /// Taken repeatedly until two in a row are equal, because some effects of a change (a link-local address, a route)
    /// come a moment later. A carrier, and what follows from it, is left out.
    pub fn snapshot(&self, netns: &[&str]) -> String {
        let since = Instant::now();
        let mut last = self.picture(netns);
        while since.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(20));
            let next = self.picture(netns);
            if next == last {
                return last;
            }
            last = next;
        }
        panic!("the host does not come to rest:\n{last}");
    }

    fn picture(&self, netns: &[&str]) -> String {
        let mut picture = String::new();
        for name in [None].into_iter().chain(netns.iter().copied().map(Some)) {
            for what in ["link show", "addr show", "-4 route show table all", "-6 route show table all"] {
                let mut value = self.ip_json(name, what);
                mask(None, &mut value, &|key, value| match key {
                    _ if VOLATILE.contains(&key) => Some(Value::Null),
                    _ if LIFETIMES.contains(&key) && value.as_u64() != Some(FOR_EVER) => Some("finite".into()),
                    "flags" => Some(without_carrier(value)),
                    _ => None,
                });
                let lines: Vec<String> = elements(value).iter().map(Value::to_string).collect();
                picture.push_str(&format!("## {} {what}\n{}\n", name.unwrap_or("@host"), lines.join("\n")));
            }
        }
        // Owner, mode, size and inode of each, and when the directory last changed. The times of an nsfs file mean
        // nothing.
        let list = "test -e /run/netns || exit 0; stat -c '%n %A %U:%G %y' /run/netns; cd /run/netns; \
                    for f in $(ls -A); do stat -c '%n %A %U:%G %s %d:%i' \"$f\"; done";
        format!("{picture}## /run/netns\n{}", self.sh(list))
    }

    /// The links and addresses of a namespace, one per line, sorted, without what differs when they are made again.
    pub fn told(&self, netns: &str) -> Vec<String> {
        let mut value = self.ip_json(Some(netns), "addr show");
        mask(None, &mut value, &|key, value| match key {
            _ if VOLATILE.contains(&key) || IDENTIFIERS.contains(&key) => Some(Value::Null),
            "flags" => Some(without_carrier(value)),
            _ => None,
        });
        let mut lines = Vec::new();
        for mut link in elements(value) {
            let addresses = link.as_object_mut().and_then(|members| members.remove("addr_info")).unwrap_or_default();
            let name = link["ifname"].clone();
            lines.extend(addresses.as_array().into_iter().flatten().map(|address| format!("{name} {address}")));
            lines.push(link.to_string());
        }
        lines.sort_unstable();
        lines
    }

    fn ip_json(&self, netns: Option<&str>, words: &str) -> Value {
        let output = match netns {
            Some(name) => self.ip_in(name, &format!("-d -j {words}")),
            None => self.ip(&format!("-d -j {words}")),
        };
        // ip prints nothing at all for some empty lists.
        if output.trim().is_empty() {
            return Value::Array(Vec::new());
        }
        serde_json::from_str(&output).unwrap_or_else(|e| panic!("ip -j {words}: {e}: {output}"))
    }

    /// Two namespaces, "a" and "b", for the broker and for iproute2.
    pub fn twins(&self) -> (&'static str, &'static str) {
        self.ip("netns add a");
        self.ip("netns add b");
        ("a", "b")
    }

    /// Asserts that `ip -j -d WORDS` reports the same of both twins, identifiers and random MAC addresses aside.
    pub fn compare(&self, words: &str) {
        self.comparison(words).check();
    }

    /// The same with options: `host.comparison("link show").macs().but(&["mtu"]).check()`.
    pub fn comparison<'a>(&'a self, words: &'a str) -> Comparison<'a> {
        Comparison { host: self, words, macs: false, ignored: &[], patience: Duration::from_secs(3) }
    }
}

/// How to compare the twins.
#[must_use]
pub struct Comparison<'a> {
    host: &'a Host,
    words: &'a str,
    macs: bool,
    ignored: &'a [&'a str],
    patience: Duration,
}

impl<'a> Comparison<'a> {
    /// MAC addresses must be equal, too, because the test has set them.
    pub fn macs(mut self) -> Self {
        self.macs = true;
        self
    }

    /// These members are not compared.
    pub fn but(mut self, ignored: &'a [&'a str]) -> Self {
        self.ignored = ignored;
        self
    }

    /// Compares at once, without waiting for the twins to become equal.
    pub fn at_once(mut self) -> Self {
        self.patience = Duration::ZERO;
        self
    }

    /// Waits up to 3 s for both to become equal: carriers and duplicate address detection take time.
    pub fn check(&self) {
        let since = Instant::now();
        loop {
            let (a, b) = (self.report("a"), self.report("b"));
            if alike(None, &a, &b) {
                return;
            }
            assert!(
                since.elapsed() < self.patience,
                "`ip -j -d {}` of the twins differs\na: {a:#}\nb: {b:#}",
                self.words
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn report(&self, netns: &str) -> Value {
        let mut value = self.host.ip_json(Some(netns), self.words);
        mask(None, &mut value, &|key, value| {
            let timer = key.ends_with("_timer") || matches!(key, "age" | "expires");
            if timer || IDENTIFIERS.contains(&key) || self.ignored.contains(&key) {
                return Some("not compared".into());
            }
            let text = value.as_str().filter(|_| !self.macs)?;
            let derived = is_mac(text) && !matches!(text, "00:00:00:00:00:00" | "ff:ff:ff:ff:ff:ff");
            (derived || text.starts_with("fe80::") && text.contains("ff:fe")).then(|| "not compared".into())
        });
        Value::Array(elements(value))
    }
}

/// The elements of a list, with links sorted by name, because the order of indexes depends on which was made first. The
/// kernel's multicast routes are last, sorted by link: it adds each when the link gets its carrier.
fn elements(value: Value) -> Vec<Value> {
    let Value::Array(mut list) = value else { return vec![value] };
    list.retain(|element| element.as_object().is_none_or(|members| !members.is_empty()));
    let text =
        |element: &Value, member: &str| element.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    list.sort_by_key(|element| match text(element, "type").as_str() {
        "multicast" => (true, text(element, "dev")),
        _ => (false, text(element, "ifname")),
    });
    list
}

/// Replaces the members for which `with` has a replacement. They stay present, so that an absence is noticed.
fn mask(key: Option<&str>, value: &mut Value, with: &dyn Fn(&str, &Value) -> Option<Value>) {
    if let Some(other) = key.and_then(|key| with(key, value)) {
        *value = other;
        return;
    }
    match value {
        Value::Object(members) => members.iter_mut().for_each(|(key, value)| mask(Some(key), value, with)),
        Value::Array(list) => list.iter_mut().for_each(|value| mask(None, value, with)),
        _ => {}
    }
}

/// Compares, and tolerates 3 s between lifetimes that count down.
fn alike(key: Option<&str>, a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(key, a)| y.get(key).is_some_and(|b| alike(Some(key), a, b)))
        }
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(a, b)| alike(None, a, b)),
        (Value::Number(x), Value::Number(y)) if key.is_some_and(|key| LIFETIMES.contains(&key)) => {
            match (x.as_u64(), y.as_u64()) {
                (Some(x), Some(y)) if x != FOR_EVER && y != FOR_EVER => x.abs_diff(y) <= 3,
                _ => x == y,
            }
        }
        _ => a == b,
    }
}

fn without_carrier(flags: &Value) -> Value {
    let Value::Array(flags) = flags else { return flags.clone() };
    flags.iter().filter(|flag| !flag.as_str().is_some_and(|flag| CARRIER.contains(&flag))).cloned().collect()
}

fn is_mac(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    parts.len() == 6 && parts.iter().all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()))
}
