// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The bytes that a call sends to netlink, read by strace while it is carried out.

use serde_json::Value;

use super::{Host, Reply};

/// What a call sent.
pub struct Sent {
    /// Every datagram, in order.
    pub datagrams: Vec<Vec<u8>>,
    /// Links with their indexes: those before the call, then those after it, namespace by namespace.
    pub links: Vec<(String, u32)>,
}

impl Sent {
    /// Carries out a call and returns what it sent, with the links of these namespaces.
    pub fn by(host: &Host, namespaces: &[&str], method: &str, fields: Value) -> (Self, Reply) {
        let mut links = links(host, namespaces);
        let traced =
            ["strace", "-qq", "-o", "/run/scratch/log", "-e", "trace=socket,sendto,sendmsg,sendmmsg,write,writev"];
        let dumped = format!("write={}", (3..20).map(|d| d.to_string()).collect::<Vec<_>>().join(","));
        let reply = host.caller().under(&traced).under(&["-e", &dumped]).call(method, fields);
        links.extend(self::links(host, namespaces));
        (Self { datagrams: datagrams(&host.sh("cat /run/scratch/log")), links }, reply)
    }
}

/// The datagrams sent to netlink, and whether any call other than `sendto` was used there.
fn datagrams(log: &str) -> Vec<Vec<u8>> {
    let mut netlink: Vec<&str> = Vec::new();
    let mut sent: Vec<(String, usize, Vec<u8>)> = Vec::new();
    for line in log.lines() {
        if let Some(dump) = line.strip_prefix(" | ") {
            // An offset, then up to 16 bytes in two groups of 8, then the same as text.
            let hex = dump.split_once("  ").unwrap().1.get(..49).unwrap();
            let bytes = hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap());
            sent.last_mut().unwrap().2.extend(bytes);
        } else if let Some((call, rest)) = line.split_once('(') {
            let result = rest.rsplit(" = ").next().unwrap_or_default();
            match call {
                "socket" if rest.starts_with("AF_NETLINK") => netlink.push(result),
                "socket" => {}
                _ => {
                    let descriptor = rest.split(',').next().unwrap();
                    let length = result.parse().unwrap_or(0);
                    let known = netlink.contains(&descriptor);
                    assert!(!known || call == "sendto" && length > 0, "{line}");
                    sent.push((if known { descriptor.to_owned() } else { String::new() }, length, Vec::new()));
                }
            }
        }
    }
    let to_netlink = sent.into_iter().filter(|(descriptor, ..)| !descriptor.is_empty());
    to_netlink.inspect(|(_, length, bytes)| assert_eq!(bytes.len(), *length)).map(|(.., bytes)| bytes).collect()
}

/// The links of these namespaces.
fn links(host: &Host, namespaces: &[&str]) -> Vec<(String, u32)> {
    let mut links = Vec::new();
    for netns in namespaces {
        for line in host.ip_in(netns, "-o link show").lines() {
            let mut words = line.split(": ");
            let index = words.next().unwrap().parse().unwrap();
            links.push((words.next().unwrap().split('@').next().unwrap().to_owned(), index));
        }
    }
    links
}
