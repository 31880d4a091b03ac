// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The last stage: one namespace, one transaction that is already encoded, no files, four system calls or little more.
#![forbid(unsafe_code)]

use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};

use caps::Capability;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::Mode;
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};
use serde_json::{Map, Value, json};

use super::landlock::{self, Domain};
use super::netns::{DIRECTORY, Identity, Netns};
use super::{capabilities, filter, namespaces, tun};
use crate::audit::Trail;
use crate::call::name::NetnsName;
use crate::call::{Needs, field};
use crate::netlink::{self, Places, Prepared, Route, escape};
use crate::policy::Permit;
use crate::refusal::{Executed, Exit, Refusal, invalid, system};
use crate::sys;

/// The last stage.
#[derive(Debug)]
pub struct Confined {
    /// Spent: it pays for this one transaction.
    _permit: Permit,
    /// Its descriptors are closed by the end of the process: the last filter has no line for that.
    work: ManuallyDrop<Work>,
    trail: Trail,
}

/// What is left to do.
#[derive(Debug)]
pub(super) enum Work {
    /// A netlink transaction.
    Transaction(Route, Prepared),
    /// Reading the names of namespaces.
    Names(Dir),
    /// Making or removing a namespace.
    Namespaces(namespaces::Task),
}

impl Confined {
    pub(super) fn new(permit: Permit, work: Work, trail: Trail) -> Self {
        Self { _permit: permit, work: ManuallyDrop::new(work), trail }
    }

    /// Carries out what was permitted, once. Elements of a listing go to `each` as they come.
    pub fn execute(mut self, each: &mut dyn FnMut(Vec<Value>)) -> (Executed, Trail) {
        let mut lost = Vec::new();
        let result = match &mut *self.work {
            Work::Transaction(route, prepared) => {
                let result = prepared.run(route, each);
                lost.extend_from_slice(route.lost());
                result
            }
            Work::Names(directory) => names(directory, each),
            Work::Namespaces(task) => task.run(),
        };
        (Executed { result, lost }, self.trail)
    }
}

/// Resolves, encodes, and gives up everything else.
pub(super) fn prepare(
    permit: &Permit,
    identity: Identity,
    landlock: bool,
    trail: Option<RawFd>,
) -> Result<Work, Refusal> {
    let request = permit.request();
    // From the second filter on nothing can be said on descriptor 2, and the change may have been made.
    sys::when_memory_ends(Exit::Unanswered.status(), false);
    match request.needs() {
        Needs::Namespaces => {
            let task = namespaces::Task::prepare(permit, identity)?;
            landlock::enter(Domain::AllButFiles, landlock)?;
            filter::make_namespaces(trail)?;
            Ok(Work::Namespaces(task))
        }
        Needs::Names => {
            let directory = open_names(permit)?;
            capabilities::keep_only(&[], &[])?;
            landlock::enter(Domain::Everything, landlock)?;
            filter::list_namespaces(directory.as_raw_fd(), trail)?;
            Ok(Work::Names(directory))
        }
        needs @ (Needs::Nothing | Needs::NetAdmin | Needs::Tun) => {
            let (route, prepared) = resolve(permit, identity)?;
            let sockets: Vec<RawFd> = prepared.visited().into_iter().chain([route.descriptor()]).collect();
            let keep: &[Capability] = if needs == Needs::Nothing { &[] } else { &[Capability::CAP_NET_ADMIN] };
            capabilities::keep_only(keep, keep)?;
            landlock::enter(Domain::Everything, landlock)?;
            match prepared.tun() {
                Some(device) => filter::make_tun(device, &sockets, trail)?,
                None => filter::transact(&sockets, trail)?,
            }
            Ok(Work::Transaction(route, prepared))
        }
    }
}

/// Opens and enters the namespaces that the permit names, and lets the family's file resolve and encode.
fn resolve(permit: &Permit, identity: Identity) -> Result<(Route, Prepared), Refusal> {
    let request = permit.request();
    let enter = [Capability::CAP_SYS_ADMIN, Capability::CAP_NET_ADMIN];
    let mut places = Places::default();
    let mut others = Vec::new();
    for key in [&field::PEER_NETNS, &field::TARGET_NETNS] {
        if let Some(name) = request.get(key).filter(|name| Some(*name) != request.get(&field::NETNS)) {
            others.push((key.field.name, name, Netns::open(key.field.name, name, identity)?));
        }
    }
    let netns = request.needed(&field::NETNS)?;
    let asks_about_it = request.call().name == "Netns.Get"; // from the host: its number is the host's for it
    let acts_at_peer = netlink::acts_at_peer(request);
    let own = match netns {
        NetnsName::Host if others.is_empty() => None, // the process stands there
        name => match Netns::open(field::NETNS.field.name, name, identity) {
            Err(Refusal::NoSuchNetns { reason: "not_a_namespace", .. }) if asks_about_it => {
                places.left_over = true;
                None
            }
            other => Some(other?),
        },
    };
    capabilities::set(caps::CapSet::Effective, &enter)?;
    for (field, name, other) in &others {
        other.enter(field, name)?; // of one of another type the kernel's answer would not say which it was
        if acts_at_peer && *field == field::PEER_NETNS.field.name {
            places.visited = Some(Route::open()?);
        }
    }
    match &own {
        Some(own) if !asks_about_it => own.enter(field::NETNS.field.name, netns)?,
        _ => {}
    }
    if request.needs() == Needs::Tun {
        places.tun = Some(tun::open()?); // after setns: what it makes is made in its opener's namespace
    }
    places.netns = own.map(OwnedFd::from);
    places.others = others.into_iter().map(|(field, _, netns)| (field, netns.into())).collect();
    let mut route = Route::open()?; // after setns: a socket belongs to a namespace
    let prepared = netlink::prepare(&mut route, places, request)?;
    Ok((route, prepared))
}

fn open_names(permit: &Permit) -> Result<Dir, Refusal> {
    if permit.request().needed(&field::NETNS)? != &NetnsName::Host {
        return Err(invalid("netns", "must be `@host`: names are the host's"));
    }
    Dir::openat(AT_FDCWD, DIRECTORY, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(system("open /run/netns"))
}

/// The names under /run/netns, and whether a namespace is mounted there. `O_PATH` needs no right of Landlock's.
fn names(directory: &mut Dir, each: &mut dyn FnMut(Vec<Value>)) -> Result<Map<String, Value>, Refusal> {
    let mut found = Vec::new();
    for entry in directory.iter() {
        let name = entry.map_err(system("read /run/netns"))?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            found.push(name);
        }
    }
    found.sort_unstable();
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut entries = Vec::new();
    for name in found {
        let entry = match openat(&*directory, name.as_slice(), flags, Mode::empty()) {
            Err(Errno::ENOENT) => continue, // gone by now
            other => other.map_err(system("look at a namespace"))?,
        };
        let what = fstatfs(&entry).map_err(system("look at a namespace"))?;
        entries.push(json!({ "netns": escape(&name), "ready": what.filesystem_type() == NSFS_MAGIC }));
    }
    each(entries);
    Ok(Map::new())
}
