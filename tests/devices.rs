// SPDX-License-Identifier: Apache-2.0 OR MIT
//! CAN devices and the virtual functions (VFs) of SR-IOV devices, against their twins by iproute2. `tests/vm/run` runs this
//! on a virtual machine that has two of each: one for each twin.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::scene::open_host;
use common::{Host, Reply};
use serde_json::{Value, json};

fn call(host: &Host, method: &str, mut fields: Value) -> Reply {
    fields["netns"] = json!("a");
    host.caller().call(method, fields)
}

fn set(host: &Host, link: &str, mut changes: Value) -> Reply {
    changes["link"] = json!(link);
    call(host, "Link.Set", changes)
}

fn listed(host: &Host, link: &str) -> Value {
    call(host, "Link.List", json!({ "link": link })).ok()["links"][0].clone()
}

fn assert_refused(reply: &Reply, error: &str, field: &str) {
    assert_eq!(reply.error().rsplit('.').next(), Some(error), "{reply}");
    assert_eq!(reply.get("field"), json!(field), "{reply}");
}

/// Moves the devices of the machine into the twins, under one name. They return when the twins are gone.
fn take(host: &Host, devices: [&str; 2], name: &str) {
    for (device, netns) in devices.into_iter().zip(["a", "b"]) {
        host.sh(&format!("nsenter --net=/proc/1/ns/net ip link set {device} down"));
        host.sh(&format!("nsenter --net=/proc/1/ns/net ip link set {device} netns {netns} name {name}"));
    }
}

#[test]
fn a_vcan_is_made_like_by_iproute2() {
    let host = open_host();
    host.twins();
    let cases = [
        (json!({}), ""),
        (json!({"mtu": 16, "up": true, "alias": "bus"}), "mtu 16 up"),
        (json!({"mtu": 72}), "mtu 72"),
    ];
    for (at, (mut fields, words)) in cases.into_iter().enumerate() {
        let link = format!("v{at}");
        fields["link"] = json!(link);
        fields["kind"] = json!("vcan");
        call(&host, "Link.Add", fields).ok();
        host.ip_in("b", &format!("link add {link} {words} type vcan"));
    }
    host.ip_in("b", "link set v1 alias bus");
    host.compare("link show");
    let mac = json!({"link": "v9", "kind": "vcan", "mac": "02:00:00:00:00:01"});
    assert_refused(&call(&host, "Link.Add", mac), "InvalidRequest", "mac");
    assert_refused(&set(&host, "v0", json!({"kind": "can", "can": {"bitrate": 500_000}})), "KernelRefused", "kind");
    call(&host, "Link.Delete", json!({"link": "v0"})).ok();
    host.ip_in("b", "link delete v0");
    host.compare("link show");
}

#[test]
fn a_can_device_is_set_up_like_by_iproute2() {
    let host = open_host();
    host.twins();
    take(&host, ["can0", "can1"], "c0");
    let can = |fields: Value| json!({"kind": "can", "can": fields});
    let steps = [
        (can(json!({"bitrate": 500_000})), "type can bitrate 500000"),
        (can(json!({"listen_only": true})), "type can listen-only on"),
        (can(json!({"listen_only": false, "restart_ms": 100})), "type can listen-only off restart-ms 100"),
        (can(json!({"bitrate": 125_000, "sample_point": 750})), "type can bitrate 125000 sample-point 0.750"),
        (can(json!({"restart_ms": 0})), "type can restart-ms 0"),
    ];
    for (changes, words) in steps {
        assert_eq!(set(&host, "c0", changes.clone()).ok(), json!({}), "{changes}");
        host.ip_in("b", &format!("link set c0 {words}"));
        host.comparison("link show").but(&["parentdev"]).check();
    }
    let told = listed(&host, "c0");
    let now = json!({"bitrate": 125_000, "sample_point": 750, "listen_only": false, "restart_ms": 0});
    assert_eq!((&told["kind"], &told["can"]), (&json!("can"), &now));
    // The kernel takes the nearest rate and point that the device has.
    for (fields, field, effective) in [
        (json!({"bitrate": 123_456}), "can.bitrate", "123076"),
        (json!({"bitrate": 125_000, "sample_point": 800}), "can.sample_point", "750"),
    ] {
        let reply = set(&host, "c0", can(fields));
        assert_refused(&reply, "NotApplied", field);
        assert_eq!(reply.get("effective"), json!(effective), "{reply}");
    }
    set(&host, "c0", can(json!({"bitrate": 125_000}))).ok();
    let before = host.snapshot(&["a"]);
    assert_refused(&set(&host, "c0", can(json!({"bitrate": 30_000_000}))), "KernelRefused", "can.bitrate");
    assert_refused(&set(&host, "c0", can(json!({"sample_point": 750}))), "InvalidRequest", "can.bitrate");
    // The kernel would say yes, and the device would stay.
    assert_refused(&call(&host, "Link.Delete", json!({"link": "c0"})), "KernelRefused", "link");
    assert_eq!(host.snapshot(&["a"]), before);
    set(&host, "c0", json!({"up": true})).ok();
    let busy = set(&host, "c0", can(json!({"bitrate": 250_000})));
    assert_refused(&busy, "KernelRefused", "can.bitrate");
    assert_eq!(busy.get("errno_name"), json!("EBUSY"));
}

#[test]
fn a_virtual_function_is_set_up_like_by_iproute2() {
    let host = open_host();
    host.twins();
    host.sh("for it in /sys/bus/pci/drivers/igb/*/sriov_numvfs; do echo 0 >$it; echo 2 >$it; done");
    take(&host, ["eth0", "eth1"], "e0");
    for netns in ["a", "b"] {
        host.ip_in(netns, "link set e0 up"); // a device that is down takes no rates
    }
    host.sh("for netns in a b; do until ip -n $netns link show e0 | grep -q LOWER_UP; do sleep 0.1; done; done");
    let vf = |mut fields: Value| {
        fields["index"] = json!(1);
        json!({ "vf": fields })
    };
    let steps = [
        (vf(json!({"mac": "02:00:00:00:00:01"})), "mac 02:00:00:00:00:01"),
        (vf(json!({"vlan": 7})), "vlan 7"),
        (vf(json!({"vlan": 4094, "qos": 3})), "vlan 4094 qos 3"),
        (vf(json!({"vlan": 0})), "vlan 0"),
        (vf(json!({"spoofchk": false})), "spoofchk off"),
        (vf(json!({"spoofchk": true})), "spoofchk on"),
        (vf(json!({"trust": true})), "trust on"),
        (vf(json!({"trust": false})), "trust off"),
        (vf(json!({"rate_min": 0, "rate_max": 100})), "max_tx_rate 100"),
        (vf(json!({"rate_min": 0, "rate_max": 0})), "max_tx_rate 0"),
        (vf(json!({"mac": "02:00:00:00:00:02", "vlan": 9, "trust": true})), "mac 02:00:00:00:00:02 vlan 9 trust on"),
    ];
    for (changes, words) in steps {
        assert_eq!(set(&host, "e0", changes.clone()).ok(), json!({}), "{changes}");
        host.ip_in("b", &format!("link set e0 vf 1 {words}"));
        host.comparison("link show").but(&["parentdev"]).check();
    }
    let before = host.ip_in("a", "-d -j link show e0");
    let cases = [
        (json!({"vf": {"index": 2, "trust": true}}), "KernelRefused", "vf.trust"),
        (vf(json!({"link_state": "enable"})), "NotSupported", "vf.link_state"), // this driver cannot
        (vf(json!({"mac": "03:00:00:00:00:01"})), "KernelRefused", "vf.mac"),
        (vf(json!({"vlan": 4095})), "InvalidRequest", "vf.vlan"),
        (vf(json!({"qos": 3})), "InvalidRequest", "vf.vlan"),
    ];
    for (changes, error, field) in cases {
        assert_refused(&set(&host, "e0", changes), error, field);
    }
    assert_eq!(host.ip_in("a", "-d -j link show e0"), before);
}
