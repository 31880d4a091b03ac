// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A host with the policies that ship.

use super::{CALLERS, Caller, Host};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

const SHIPPED: &str = "/usr/share/netbroker/policies";

/// Every policy in the folder `policy`.
pub const NAMES: [&str; 15] = [
    "can",
    "cni-bridge",
    "monitor",
    "neutron-dhcp",
    "neutron-evpn",
    "neutron-l3",
    "neutron-ovn-metadata",
    "neutron-ovs",
    "neutron-sriov",
    "nova",
    "openvpn",
    "ovn-bgp-agent",
    "rootless",
    "site",
    "wireguard",
];

/// The accounts that shipped policies name, and one that they do not name, with numbers that no machine uses.
pub const NEUTRON: u32 = 64_100;
pub const NETMONITOR: u32 = 64_102;
pub const NETUSERS: u32 = 64_103;
pub const NETOPS: u32 = 64_104;
pub const NOVA: u32 = 64_105;
pub const OVN_BGP_AGENT: u32 = 64_106;
pub const CNI: u32 = 64_107;
pub const OPENVPN: u32 = 64_108;
pub const WIREGUARD: u32 = 64_109;
pub const ANNE: u32 = 64_110;
pub const CAN: u32 = 64_111;

const USERS: [(&str, u32); 7] = [
    ("anne", ANNE),
    ("cni", CNI),
    ("neutron", NEUTRON),
    ("nova", NOVA),
    ("openvpn", OPENVPN),
    ("ovn-bgp-agent", OVN_BGP_AGENT),
    ("wireguard", WIREGUARD),
];
const GROUPS: [(&str, u32); 4] = [("can", CAN), ("netmonitor", NETMONITOR), ("netops", NETOPS), ("netusers", NETUSERS)];

/// The folder of the policies in the source tree.
pub fn tree() -> PathBuf {
    super::source_tree().join("policy")
}

/// A host with the policies that a package would install; these of them are enabled and in force.
pub fn host(enabled: &[&str], own_rules: &str) -> Host {
    let files: Vec<_> = fs::read_dir(tree()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let files: Vec<_> = files.iter().map(|path| (path.file_name().unwrap(), fs::read(path).unwrap())).collect();
    let host = Host::new();
    host.cover("/usr/share");
    host.sh(&format!("mkdir -p -m 755 {SHIPPED}"));
    for (name, text) in files {
        fs::write(Path::new(SHIPPED).join(name), text).unwrap();
    }
    host.sh(&format!("chmod 644 {SHIPPED}/*"));
    let users = USERS.map(|(name, id)| {
        format!(
            "sed -i /^{name}:/d /etc/passwd; echo {name}:x:{id}:{id}::/nonexistent:/usr/sbin/nologin >>/etc/passwd\n"
        )
    });
    let groups = GROUPS.map(|(name, id)| format!("sed -i /^{name}:/d /etc/group; echo {name}:x:{id}: >>/etc/group\n"));
    host.sh(&(users.concat() + &groups.concat()));
    for name in enabled {
        host.sh(&format!("ln -s {SHIPPED}/{name}.toml /etc/netbroker/policy.d/"));
    }
    host.policy_file("own.toml", own_rules);
    host.tool(&["policy", "install"]).ok();
    host
}

/// A caller who may run the broker and is in one more group.
pub fn member(host: &Host, uid: u32, group: u32) -> Caller<'_> {
    host.as_uid(uid).groups(&[CALLERS, group])
}

/// Asserts that the call is refused, by this deny where one is named, and changes nothing.
pub fn refused(
    host: &Host,
    caller: &Caller<'_>,
    netns: &[&str],
    (call, parameters): (&str, Value),
    deny: Option<&str>,
) {
    let interface = call.split('.').next().unwrap();
    // IPv6 and carriers may still change something of what was made before.
    let mut attempts = 5;
    loop {
        let before = host.snapshot(netns);
        let reply = caller.call(call, parameters.clone());
        assert_eq!(reply.error(), format!("io.netbroker.{interface}.Denied"), "{reply}");
        match deny {
            Some(rule) => {
                assert_eq!((reply.get("rule"), reply.get("reason")), (json!(rule), json!("a deny forbids it")));
            }
            None => assert_eq!(reply.get("reason"), "no allow permits it", "{reply}"),
        }
        attempts -= 1;
        if attempts == 0 || host.snapshot(netns) == before {
            assert!(attempts > 0, "the refused request changes something: {reply}");
            return;
        }
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
}
