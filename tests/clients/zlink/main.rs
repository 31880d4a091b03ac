// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Calls netbroker with zlink and the code of zlink-codegen. The argument is the path of the socket. tests/clients/run has
//! made what is asked for here, and compares with the kernel what was set.

use std::error::Error;
use std::pin::pin;

use futures_util::StreamExt;
use serde::Serialize;
use serde_json::{Value, json};
use zlink::Call;
use zlink::tokio::unix::Connection;
use zlink::varlink_service::{Error as ServiceError, Proxy};

#[allow(warnings, reason = "it is what zlink-codegen generates")]
mod interfaces {
    include!(concat!(env!("OUT_DIR"), "/interfaces.rs"));
}

use interfaces::address::Address;
use interfaces::link::{LinkError, SetOutput};
use interfaces::netns::{GetOutput, Netns, NetnsChain, NetnsError};

/// A call with parameters that are not those of a generated method: a method takes all fields of the call, and each new
/// one would be a change here.
#[derive(Debug, Serialize)]
struct Request {
    method: &'static str,
    parameters: Value,
}

fn set(link: &str, mtu: i64) -> Call<Request> {
    let parameters = json!({"netns": "@host", "link": link, "mtu": mtu});
    Call::new(Request { method: "io.netbroker.Link.Set", parameters })
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("the path of the socket is missing")?;
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(talk(&path))
}

async fn talk(path: &str) -> Result<(), Box<dyn Error>> {
    let mut connection = zlink::tokio::unix::connect(path).await?;
    introspect(&mut connection).await?;
    one_after_another(&mut connection).await?;
    pipelined(&mut connection).await?;
    without_a_reply(&mut connection).await?;
    stream(&mut connection).await
}

async fn introspect(connection: &mut Connection) -> Result<(), Box<dyn Error>> {
    let info = connection.owned_get_info().await?.expect("GetInfo").into_inner();
    assert_eq!((&*info.vendor, &*info.product), ("netbroker", "netbroker"));
    let mut methods = 0;
    for name in &info.interfaces {
        let name: &str = name.as_ref();
        let description = connection.get_interface_description(name.try_into()?).await?.expect("a description");
        let interface = description.parse()?;
        assert_eq!(interface.name().as_str(), name);
        methods += interface.methods().count();
    }
    println!("zlink: {} interfaces with {methods} methods", info.interfaces.len());
    assert!(info.interfaces.len() > 10 && methods > 50);
    match connection.get_interface_description("io.netbroker.Bird".try_into()?).await {
        Err(zlink::Error::VarlinkService(why)) => {
            let interface = "io.netbroker.Bird".into();
            assert_eq!(why.inner(), &ServiceError::InterfaceNotFound { interface });
        }
        other => panic!("{other:?}"),
    }
    Ok(())
}

/// Generated methods.
async fn one_after_another(connection: &mut Connection) -> Result<(), Box<dyn Error>> {
    let got = Netns::get(connection, "c-1", Some("zlink")).await?.expect("Netns.Get");
    assert!(got.ready, "{got:?}");
    let listed = Netns::list(connection, "@host", None).await?.expect("Netns.List");
    assert_eq!(listed.namespaces.iter().map(|namespace| namespace.netns.as_str()).collect::<Vec<_>>(), ["c-1"]);
    match Netns::get(connection, "c-absent", None).await? {
        Err(NetnsError::NoSuchNetns { field, name, reason, errno_name, request, .. }) => {
            let error = (field.as_deref(), &*name, &*reason, errno_name.as_deref());
            assert_eq!(error, (Some("netns"), "c-absent", "absent", Some("ENOENT")));
            assert_eq!(request.len(), 32);
        }
        other => panic!("{other:?}"),
    }
    match Netns::get(connection, "other", None).await? {
        Err(NetnsError::Denied { call, field, rule, .. }) => {
            assert_eq!((&*call, field.as_deref(), rule.as_deref()), ("Netns.Get", Some("netns"), Some("namespaces")));
        }
        other => panic!("{other:?}"),
    }
    Ok(())
}

/// By generated methods, and by calls.
async fn pipelined(connection: &mut Connection) -> Result<(), Box<dyn Error>> {
    {
        let replies = connection.chain_get("c-1", None)?.get("c-absent", None)?.get("c-1", None)?;
        let mut replies = pin!(replies.send::<GetOutput, NetnsError>().await?);
        let mut ready = Vec::new();
        while let Some(reply) = replies.next().await {
            ready.push(reply?.0.map(|reply| reply.into_parameters().expect("parameters").ready).is_ok());
        }
        assert_eq!(ready, [true, false, true]);
    }
    let calls = connection.chain_from_iter::<Request, _, _>((1300..1320).map(|mtu| set("v0", mtu)))?;
    let mut replies = pin!(calls.send::<Value, LinkError>().await?);
    let mut done = 0;
    while let Some(reply) = replies.next().await {
        assert_eq!(reply?.0.expect("Link.Set").into_parameters(), Some(json!({})));
        done += 1;
    }
    assert_eq!(done, 20);
    Ok(())
}

/// The next reply is that of the next call.
async fn without_a_reply(connection: &mut Connection) -> Result<(), Box<dyn Error>> {
    connection.send_call(&set("v0", 1320).set_oneway(true), Vec::new()).await?;
    match connection.call_method::<_, SetOutput<'_>, LinkError>(&set("eth0", 1320), Vec::new()).await?.0 {
        Err(LinkError::Denied { call, field, .. }) => {
            assert_eq!((&*call, field.as_deref()), ("Link.Set", Some("link")));
        }
        other => panic!("{other:?}"),
    }
    Ok(())
}

async fn stream(connection: &mut Connection) -> Result<(), Box<dyn Error>> {
    let mut parts = pin!(Address::list_more(connection, "@host", Some("v0"), None, None, None, None).await?);
    let (mut replies, mut addresses) = (0, 0);
    while let Some(part) = parts.next().await {
        replies += 1;
        addresses += part?.expect("Address.List").addresses.len();
    }
    println!("zlink: {addresses} addresses in {replies} replies");
    assert!(replies > 1 && addresses > 500);
    Ok(())
}
