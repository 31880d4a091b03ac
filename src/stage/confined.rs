// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The last stage. It runs one transaction, which is already encoded, in one namespace. Its filter allows only the
//! system calls that this transaction and its reply need.
#![forbid(unsafe_code)]

use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};

use caps::Capability;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag};
use nix::sys::stat::Mode;
use serde_json::{Map, Value, json};

use super::landlock::{self, Domain};
use super::netns::{self, DIRECTORY, Identity, Netns, is_left_over};
use super::{capabilities, filter, namespaces, pids, tun};
use crate::call::field;
use crate::call::name::NetnsName;
use crate::call::needs::LastStage;
use crate::call::value::Held as _;
use crate::heap;
use crate::netlink::{self, Elements, Netlink, Places, Prepared, Protocol, escape};
use crate::policy::Permit;
use crate::refusal::{Executed, Exit, Refusal, system, unsuitable};

/// The last stage.
#[derive(Debug)]
pub struct Confined {
    /// The permit is moved in here, because it covers only this one transaction.
    _permit: Permit,
    /// Never dropped, because not every last filter allows close(2). The end of the process closes the descriptors.
    work: ManuallyDrop<Work>,
}

/// What the last stage has to do.
#[derive(Debug)]
pub(super) enum Work {
    /// A netlink transaction.
    Transaction(Netlink, Prepared),
    /// Reading the names of namespaces from /run/netns.
    Names(Dir),
    /// Finding the processes in a namespace.
    Pids(pids::Search),
    /// Making or removing a namespace.
    Namespaces(namespaces::Task),
}

impl Confined {
    pub(super) fn new(permit: Permit, work: Work) -> Self {
        Self { _permit: permit, work: ManuallyDrop::new(work) }
    }

    /// Carries out the permitted request, once. Elements of a listing go to `elements` as they arrive.
    pub fn execute(mut self, elements: &mut dyn Elements) -> Executed {
        let mut lost = Vec::new();
        let result = match &mut *self.work {
            Work::Transaction(netlink, prepared) => {
                let result = prepared.run(netlink, elements);
                // Lost links matter only where something may have changed.
                if result.as_ref().map_or_else(Refusal::may_have_changed, |_| true) {
                    lost.extend_from_slice(netlink.lost());
                }
                result
            }
            Work::Names(directory) => names(directory, elements),
            Work::Pids(search) => search.run(),
            Work::Namespaces(task) => task.run(),
        };
        Executed { result, lost }
    }
}

/// Resolves names, encodes the request, and gives up everything that the last stage does not need.
pub(super) fn prepare(
    permit: &Permit,
    identity: Identity,
    landlock: bool,
    trail: Option<RawFd>,
) -> Result<Work, Refusal> {
    let request = permit.request();
    // If memory ends from here on, the change may have been made, and the second filter forbids writing to descriptor
    // 2.
    heap::when_memory_ends(Exit::Unanswered.status(), false);
    let needs = request.needs();
    match needs.stage {
        LastStage::Namespaces => {
            let task = namespaces::Task::prepare(permit, identity)?;
            landlock::enter(Domain::AllButFiles, landlock)?;
            heap::take_from_arena_only();
            filter::make_namespaces(trail)?;
            Ok(Work::Namespaces(task))
        }
        LastStage::Names => {
            let directory = open_names(permit)?;
            capabilities::keep_only(needs.capabilities, needs.capabilities)?;
            landlock::enter(Domain::Everything, landlock)?;
            filter::list_namespaces(directory.as_raw_fd(), trail)?;
            Ok(Work::Names(directory))
        }
        LastStage::Pids => {
            let search = pids::Search::prepare(permit, identity)?;
            capabilities::keep_only(needs.capabilities, needs.capabilities)?;
            landlock::enter(Domain::Everything, landlock)?;
            filter::find_processes(search.descriptor(), trail)?;
            Ok(Work::Pids(search))
        }
        LastStage::Transaction | LastStage::Tun => {
            let (netlink, prepared) = resolve(permit, identity)?;
            let sockets: Vec<RawFd> = prepared.second().into_iter().chain([netlink.descriptor()]).collect();
            capabilities::keep_only(needs.capabilities, needs.capabilities)?;
            landlock::enter(Domain::Everything, landlock)?;
            match prepared.tun() {
                Some(device) => {
                    heap::take_from_arena_only();
                    filter::make_tun(device, &sockets, trail)?;
                }
                None => filter::transact(&sockets, trail)?,
            }
            Ok(Work::Transaction(netlink, prepared))
        }
    }
}

/// Opens and enters the namespaces that the permit names, and lets the encoder of the call resolve names and encode.
fn resolve(permit: &Permit, identity: Identity) -> Result<(Netlink, Prepared), Refusal> {
    let request = permit.request();
    let enter = [Capability::CAP_SYS_ADMIN, Capability::CAP_NET_ADMIN];
    let netns = request.needed(&field::NETNS)?;
    let mut places = Places::default();
    let mut named = Vec::new();
    for used in request.call().uses(request.kind()).filter(|used| used.field() != &field::NETNS.field) {
        let Some(name) = request.value(used.field()).and_then(NetnsName::held).filter(|name| *name != netns) else {
            continue;
        };
        named.push((used.field(), name, Netns::open(used.field(), name, identity)?));
    }
    let enters = request.needs().enters;
    let own = match netns {
        NetnsName::Host if named.is_empty() => None, // the process is in it already
        name => match Netns::open(&field::NETNS.field, name, identity) {
            Err(Refusal::NoSuchNetns { reason: "not_a_namespace", .. }) if !enters && is_left_over(name) => {
                places.left_over = true;
                None
            }
            other => Some(other?),
        },
    };
    for (at, (field, name, other)) in named.iter().enumerate() {
        let earlier = named.iter().take(at).map(|(_, name, netns)| (*name, netns));
        for (known, netns) in own.iter().map(|own| (netns, own)).chain(earlier) {
            if known != *name {
                other.require_other(netns, field, known)?;
            }
        }
    }
    capabilities::permitted()?.make_effective(&enter)?;
    let visited = request.kind().and_then(|kind| (kind.visits)(request));
    for (field, name, netns) in &named {
        // Entering fails here, with the name of the field, if this is not a network namespace. A later error of the
        // kernel would not show which field it is about.
        netns.enter(field.name, name)?;
        if visited == Some(*field) {
            places.visited = Some(Netlink::open(Protocol::Route)?);
        }
    }
    match &own {
        Some(own) if enters => own.enter(field::NETNS.field.name, netns)?,
        _ => {}
    }
    if request.needs().stage == LastStage::Tun {
        places.tun = Some(tun::open()?); // after setns: it makes links in the namespace that it is opened in
    }
    places.netns = own.map(OwnedFd::from);
    places.named = named.into_iter().map(|(field, _, netns)| (field, netns.into())).collect();
    let mut netlink = Netlink::open(Protocol::Route)?; // after setns: a socket belongs to a namespace
    let prepared = netlink::prepare(&mut netlink, places, request)?;
    Ok((netlink, prepared))
}

fn open_names(permit: &Permit) -> Result<Dir, Refusal> {
    if permit.request().needed(&field::NETNS)? != &NetnsName::Host {
        return Err(unsuitable(&field::NETNS.field, "must be `@host`: the names under /run/netns belong to the host"));
    }
    Dir::openat(AT_FDCWD, DIRECTORY, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(system("open /run/netns"))
}

/// Lists the names under /run/netns, each with whether a namespace is mounted on it. Landlock does not restrict
/// `O_PATH`.
fn names(directory: &mut Dir, elements: &mut dyn Elements) -> Result<Map<String, Value>, Refusal> {
    let mut found = Vec::new();
    for entry in directory.iter() {
        let name = entry.map_err(system("read /run/netns"))?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            found.push(name);
        }
    }
    found.sort_unstable();
    let mut entries = Vec::new();
    for name in found {
        let ready = match netns::is_ready(&name) {
            Err(Errno::ENOENT) => continue, // removed meanwhile
            other => other.map_err(system("look at a namespace"))?,
        };
        let entry = json!({ "netns": escape(&name), "ready": ready });
        entries.push(entry.to_string());
    }
    elements.push(entries.join(",")).map(|_| Map::new())
}
