// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Calls netbroker with the crate varlink and the code of varlink_generator. The arguments are a way to connect (`address` or
//! `bridge`), the address or the command, and a number for the MTU to set. tests/clients/run has made what is asked for
//! here, and compares with the kernel what was set.

use std::error::Error;
use std::sync::{Arc, RwLock};

use serde_json::{from_value, json};
use varlink::{Connection, MethodCall, OrgVarlinkServiceClient, OrgVarlinkServiceInterface};
use varlink_parser::IDL;

#[allow(warnings, reason = "it is what varlink_generator generates")]
mod interfaces {
    include!(concat!(env!("OUT_DIR"), "/interfaces.rs"));
}

use interfaces::{address, fdb, link, netns};

type Connected = Arc<RwLock<Connection>>;

/// A call with parameters that are not those of a generated method: a method takes all fields of the call, and each new
/// one would be a change here. The arguments and replies are generated.
fn set(connection: &Connected, link: &str, mtu: i64) -> MethodCall<link::Set_Args, link::Set_Reply, link::Error> {
    let arguments: link::Set_Args = from_value(json!({"netns": "@host", "link": link, "mtu": mtu})).unwrap();
    MethodCall::new(connection.clone(), "io.netbroker.Link.Set", arguments)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [way, to, mtu] = &arguments[..] else { return Err("usage: address|bridge TO MTU".into()) };
    let connection = match way.as_str() {
        "address" => Connection::with_address(to)?,
        "bridge" => Connection::with_bridge(to)?,
        other => return Err(format!("unknown way `{other}`").into()),
    };
    let mtu: i64 = mtu.parse()?;

    let mut service = OrgVarlinkServiceClient::new(connection.clone());
    let info = service.get_info()?;
    assert_eq!((&*info.vendor, &*info.product), ("netbroker", "netbroker"));
    let mut methods = 0;
    for name in &info.interfaces {
        let text = service.get_interface_description(name.to_string())?.description.expect("a description");
        let interface = IDL::try_from(&*text).map_err(|why| why.to_string())?;
        assert_eq!(interface.name, name);
        methods += interface.methods.len();
    }
    println!("varlink by {way}: {} interfaces with {methods} methods", info.interfaces.len());
    assert!(info.interfaces.len() > 10 && methods > 50);
    let unknown = service.get_interface_description("io.netbroker.Bird".to_owned()).unwrap_err();
    assert!(matches!(unknown.kind(), varlink::ErrorKind::InterfaceNotFound(name) if name == "io.netbroker.Bird"));

    names(&connection)?;

    // Without a reply: the next one is that of the next call.
    set(&connection, "v0", mtu).oneway()?;
    let denied = set(&connection, "eth0", mtu).call().unwrap_err();
    let link::ErrorKind::Denied(Some(why)) = denied.kind() else { panic!("{denied:?}") };
    assert_eq!((&*why.call, why.field.as_deref(), why.request.len()), ("Link.Set", Some("link"), 32));
    set(&connection, "v1", mtu).call()?;

    stream(&connection, way)
}

/// Generated methods, one after another on the same connection.
fn names(connection: &Connected) -> Result<(), Box<dyn Error>> {
    use netns::VarlinkClientInterface as _;
    let mut names = netns::VarlinkClient::new(connection.clone());
    assert!(names.get("c-1".to_owned(), Some("varlink".to_owned())).call()?.ready);
    let listed = names.list("@host".to_owned(), None).call()?.namespaces;
    assert_eq!(listed.iter().map(|namespace| &*namespace.netns).collect::<Vec<_>>(), ["c-1"]);
    let absent = names.get("c-absent".to_owned(), None).call().unwrap_err();
    let netns::ErrorKind::NoSuchNetns(Some(why)) = absent.kind() else { panic!("{absent:?}") };
    assert_eq!((why.field.as_deref(), &*why.name, &*why.reason), (Some("netns"), "c-absent", "absent"));
    let denied = names.get("other".to_owned(), None).call().unwrap_err();
    let netns::ErrorKind::Denied(Some(why)) = denied.kind() else { panic!("{denied:?}") };
    assert_eq!((&*why.call, why.rule.as_deref()), ("Netns.Get", Some("namespaces")));
    Ok(())
}

fn stream(connection: &Connected, way: &str) -> Result<(), Box<dyn Error>> {
    use address::VarlinkClientInterface as _;
    use fdb::VarlinkClientInterface as _;
    let mut addresses = address::VarlinkClient::new(connection.clone());
    let (mut replies, mut count) = (0, 0);
    for part in addresses.list("@host".to_owned(), Some("v0".to_owned()), None, None, None, None).more()? {
        replies += 1;
        count += part?.addresses.len();
    }
    println!("varlink by {way}: {count} addresses in {replies} replies");
    assert!(replies > 1 && count > 500);
    // An interface with words that are no identifiers in Rust.
    let mut entries = fdb::VarlinkClient::new(connection.clone());
    let listed = entries.list("@host".to_owned(), Some("v0".to_owned()), None, None).call()?.entries;
    assert!(listed.iter().all(|entry| entry.targets.iter().flatten().all(|target| target == "self")), "{listed:?}");
    Ok(())
}
