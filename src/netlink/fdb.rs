// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Forwarding databases (`RTM_NEWNEIGH` … of the family `AF_BRIDGE`, rtnetlink(7), `linux/neighbour.h`).
#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::Rtm;
use nix::errno::Errno;
use serde_json::{Map, Value};

use super::answer::{find, i32_at};
use super::found::Found;
use super::listing::Selection;
use super::lookup::by_index;
use super::message::{Attributes, Encoded, Message};
use super::rows::{Given, Seen, encode, unparsed};
use super::sides::{After, Before};
use super::transaction::TransactionError;
use super::{Encoder, Prepared};
use crate::call::field::{self, Field, TARGETS};
use crate::call::request::Request;
use crate::call::value::Value as Held;
use crate::call::{FDB_ENTRY, LINK_STATE, REPORTED_TARGETS, REPORTED_VIA};
use crate::refusal::{Refusal, already, another_goes, differs, invalid, unsuitable};

const STEP: &str = "parse an entry of a forwarding database";
const LINK_STEP: &str = "parse a link";
/// `AF_BRIDGE`
const BRIDGE: u8 = 7;
/// Attributes of an entry (`NDA_…`) that code writes or reads.
mod nda {
    pub(super) const DST: u16 = 1;
    pub(super) const LLADDR: u16 = 2;
    pub(super) const VLAN: u16 = 5;
    pub(super) const PORT: u16 = 6;
    pub(super) const VNI: u16 = 7;
    pub(super) const IFINDEX: u16 = 8;
    pub(super) const MASTER: u16 = 9;
    pub(super) const LINK_NETNSID: u16 = 10;
    pub(super) const SRC_VNI: u16 = 11;
}
/// Attributes of a link (`IFLA_…`): those that [`require_applicable`] reads.
mod ifla {
    pub(super) const ADDRESS: u16 = 1;
    pub(super) const LINKINFO: u16 = 18;
    pub(super) const LINK_NETNSID: u16 = 37;
    /// Inside `LINKINFO`, and inside that.
    pub(super) const INFO_DATA: u16 = 2;
    pub(super) const VXLAN_ID: u16 = 1;
    pub(super) const VXLAN_PORT: u16 = 15;
    pub(super) const VXLAN_COLLECT_METADATA: u16 = 25;
}
/// `NUD_PERMANENT | NUD_NOARP`: without it, a link that is neither a bridge nor a vxlan deletes nothing.
const PERMANENT: u16 = 0xc0;
/// The fields of a destination or of a vxlan.
const OF_VXLANS: [&Field; 5] =
    [&field::REMOTE.field, &field::PORT.field, &field::VNI.field, &field::SOURCE_VNI.field, &field::VIA.field];
/// Where the state and the flags are in the header.
const STATE_AT: usize = 8;
const FLAGS_AT: usize = 10;

pub(super) static ENCODERS: &[Encoder] = &[
    Encoder {
        call: "Fdb.Add",
        prepare: write,
        object: Some(&FDB_ENTRY),
        settled: &[&TARGETS.field, &field::EXISTS_OK.field],
    },
    Encoder { call: "Fdb.Append", prepare: write, object: Some(&FDB_ENTRY), settled: &[&TARGETS.field] },
    Encoder { call: "Fdb.Replace", prepare: write, object: Some(&FDB_ENTRY), settled: &[&TARGETS.field] },
    Encoder {
        call: "Fdb.Delete",
        prepare: delete,
        object: Some(&FDB_ENTRY),
        settled: &[&TARGETS.field, &field::MISSING_OK.field],
    },
    Encoder { call: "Fdb.Flush", prepare: flush, object: Some(&FDB_ENTRY), settled: &[&TARGETS.field] },
    Encoder { call: "Fdb.List", prepare: list, object: None, settled: &[] },
];

/// Where an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// With the bridge that the link is a port of.
    Master,
    /// With the link itself.
    Own,
}

impl Target {
    /// Those of a request, in the order in which the kernel takes them. A call without the field is about the link itself.
    fn of(request: &Request) -> Vec<Self> {
        let Some(given) = request.get(&TARGETS) else { return vec![Self::Own] };
        [Self::Master, Self::Own].into_iter().filter(|target| given.contains(&Held::Word(target.word()))).collect()
    }

    fn word(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Own => "self",
        }
    }

    /// `NTF_…`
    fn flag(self) -> u8 {
        match self {
            Self::Master => 1 << 2,
            Self::Own => 1 << 1,
        }
    }

    /// Whether it is the database of a bridge.
    fn is_bridge(self, link: Found) -> bool {
        self == Self::Master || link.is_kind("bridge")
    }
}

/// Sets bits of a header at an offset.
fn set(head: &mut [u8], at: usize, bytes: &[u8]) {
    head.iter_mut().skip(at).zip(bytes).for_each(|(to, byte)| *to |= byte);
}

/// A message about the entry of a request in one database.
fn about(kind: Rtm, flags: NlmF, given: &Given, target: Target) -> Result<Message, Refusal> {
    let mut encoded = encode(FDB_ENTRY.head, FDB_ENTRY.rows, given.view())?;
    set(&mut encoded.head, FLAGS_AT, &[target.flag()]);
    if kind == Rtm::Delneigh {
        set(&mut encoded.head, STATE_AT, &PERMANENT.to_ne_bytes());
    }
    Ok(Message::route(kind, flags | NlmF::ACK, encoded))
}

/// The fields of a request with their links, and the link that it is about.
fn resolve(before: &mut Before<'_>) -> Result<(Given, Found), Refusal> {
    let given = before.resolve(FDB_ENTRY.rows.iter(), BRIDGE)?;
    let link = given.view().link(&field::LINK.field).ok_or_else(|| invalid(field::LINK.field.name, "is missing"))?;
    Ok((given, link))
}

/// Refuses fields that the kernel would ignore in one of these databases. A flush of both selects by fields of either.
fn require_applicable(before: &mut Before<'_>, link: Found, targets: &[Target]) -> Result<(), Refusal> {
    let request = before.request();
    let is_flush = request.call().verb() == "Flush";
    let fit = |fits: &dyn Fn(Target) -> bool| match is_flush {
        true => targets.iter().any(|target| fits(*target)),
        false => targets.iter().all(|target| fits(*target)),
    };
    let given = |fields: &[&'static Field]| fields.iter().copied().find(|field| is_given(request, field));
    let has_vxlan = link.is_kind("vxlan") && targets.contains(&Target::Own);
    if let Some(field) = given(&OF_VXLANS).filter(|_| !has_vxlan) {
        return Err(unsuitable(field, "applies only to an entry with a vxlan itself"));
    }
    let is_bridge = fit(&|target| target.is_bridge(link));
    if let Some(field) = given(&[&field::VLAN.field, &field::STICKY.field]).filter(|_| !is_bridge) {
        return Err(unsuitable(field, "applies only to an entry with a bridge"));
    }
    let knows_origin = fit(&|target| target.is_bridge(link) || link.is_kind("vxlan"));
    if let Some(field) = given(&[&field::EXTERN_LEARN.field]).filter(|_| !knows_origin) {
        return Err(unsuitable(field, "applies only to an entry with a bridge or a vxlan"));
    }
    if given(&[&field::VIA.field, &field::SOURCE_VNI.field]).is_none() {
        return Ok(());
    }
    let seen = seen_link(before, link)?;
    if is_given(request, &field::VIA.field) && seen.get(ifla::LINK_NETNSID).is_some() {
        let why = "the vxlan sends in another network namespace, where the name could be that of another link";
        return Err(unsuitable(&field::VIA.field, why));
    }
    let is_external =
        vxlan(&seen, ifla::VXLAN_COLLECT_METADATA).is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0));
    if is_given(request, &field::SOURCE_VNI.field) && !is_external {
        return Err(unsuitable(&field::SOURCE_VNI.field, "applies only to a vxlan with `vxlan.collect_metadata`"));
    }
    Ok(())
}

/// What the kernel reports of a vxlan.
fn vxlan<'s>(seen: &'s Seen<'_>, attribute: u16) -> Option<&'s [u8]> {
    let data = find(seen.get(ifla::LINKINFO)?, ifla::INFO_DATA).flatten()?;
    find(data, attribute).flatten()
}

/// The port and the identifier of a vxlan. The kernel does not report those of an entry where they are the same.
#[derive(Debug, Default)]
struct Defaults(Vec<(u16, Vec<u8>)>);

impl Defaults {
    fn of(seen: &Seen<'_>) -> Self {
        let own = [(nda::PORT, ifla::VXLAN_PORT), (nda::VNI, ifla::VXLAN_ID)];
        Self(own.into_iter().filter_map(|(to, from)| Some((to, vxlan(seen, from)?.to_vec()))).collect())
    }

    /// The first field in which an entry is not as given.
    fn difference(&self, seen: &Seen<'_>, given: &Given, absence_is_any: bool) -> Option<&'static Field> {
        let mut seen = seen.clone();
        if seen.get(nda::DST).is_some() {
            for (kind, own) in self.0.iter().filter(|(kind, _)| seen.get(*kind).is_none()).collect::<Vec<_>>() {
                seen.instead(*kind, Some(own.clone()));
            }
        }
        seen.difference(&FDB_ENTRY.rows, given.view(), absence_is_any)
    }
}

/// Whether a request gives a field, other than by a boolean that is false.
fn is_given(request: &Request, field: &Field) -> bool {
    request.value(field).is_some_and(|value| *value != Held::Bool(false))
}

/// The link, as the kernel reports it.
fn seen_link(before: &mut Before<'_>, link: Found) -> Result<Seen<'static>, Refusal> {
    let read = |payload: &[u8]| Seen::new(&LINK_STATE, payload).map(Seen::into_owned);
    let seen = before.ask(&by_index(link.index)?, LINK_STEP, read)?;
    seen.into_iter().next().ok_or_else(|| unparsed(LINK_STEP))
}

/// Refuses what the kernel would refuse without a text, or do in a way that was not requested.
fn require_exact(request: &Request, link: Found, targets: &[Target]) -> Result<(), Refusal> {
    if link.is_kind("vxlan") && targets.contains(&Target::Own) && request.get(&field::REMOTE).is_none() {
        return Err(unsuitable(&field::REMOTE.field, "is missing: an entry of a vxlan has a destination"));
    }
    let verb = request.call().verb();
    if verb == "Append" && link.is_kind("bridge") {
        // It ignores `NLM_F_APPEND`, and moves an existing entry.
        return Err(unsuitable(&field::LINK.field, "is a bridge, which has no entry with several destinations"));
    }
    if verb == "Replace" && link.is_kind("vxlan") && request.needed(&field::MAC)?.is_of_several() {
        // The kernel would change the state of the entry, and then refuse.
        let why = "a vxlan has several destinations for it: use `Fdb.Append` and `Fdb.Delete`";
        return Err(unsuitable(&field::MAC.field, why));
    }
    let is_received = |target: &Target| !target.is_bridge(link) && !link.is_kind("vxlan");
    if targets.iter().any(is_received) && *request.needed(&field::FDB_STATE)? != "permanent" {
        return Err(unsuitable(
            &field::FDB_STATE.field,
            "must be `permanent`: the entry is an address that the link receives",
        ));
    }
    let is_learnt = request.is_set(&field::EXTERN_LEARN);
    if !is_learnt || !targets.iter().any(|target| target.is_bridge(link)) {
        return Ok(());
    }
    if verb == "Add" {
        let why = "a bridge would replace an existing entry of any port: use `Fdb.Replace`";
        return Err(unsuitable(&field::EXTERN_LEARN.field, why));
    }
    if targets.contains(&Target::Master) && *request.needed(&field::FDB_STATE)? != "dynamic" {
        let why = "must be `dynamic` with `extern_learn` on a port: the bridge ignores any other state";
        return Err(unsuitable(&field::FDB_STATE.field, why));
    }
    Ok(())
}

/// A step of a call that makes an entry: one database.
struct Step {
    target: Target,
    message: Message,
    /// Whether the kernel adds several entries in it, so that it can fail when it has added some.
    in_parts: bool,
}

/// `Fdb.Add`, `Fdb.Append` and `Fdb.Replace`
fn write(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let request = before.request();
    let ((given, link), targets) = (resolve(&mut before)?, Target::of(request));
    require_applicable(&mut before, link, &targets)?;
    require_exact(request, link, &targets)?;
    let compares = link.is_kind("vxlan") && (request.is_set(&field::EXISTS_OK) || request.call().verb() != "Add");
    let defaults = if compares { Defaults::of(&seen_link(&mut before, link)?) } else { Defaults::default() };
    let how = match request.call().verb() {
        "Replace" => NlmF::REPLACE,
        "Append" => NlmF::APPEND,
        _ => NlmF::EXCL,
    };
    let mut steps = Vec::new();
    for target in targets {
        // Without a VLAN, a bridge adds an entry without one, and then one for each VLAN of the port.
        let has_parts = target.is_bridge(link) && request.get(&field::VLAN).is_none();
        let in_parts = has_parts && (how != NlmF::EXCL || !exists(&mut before, &given, target)?);
        steps.push(Step { target, message: about(Rtm::Newneigh, NlmF::CREATE | how, &given, target)?, in_parts });
    }
    Ok(Prepared::new(move |after, _| {
        let mut has_changed = false;
        for Step { target, message, in_parts } in &steps {
            let refused = |failure: TransactionError, request: &Request| {
                let has_changed = *in_parts && !is_refused_at_once(&failure);
                changed_before(has_changed, refusal(failure, request))
            };
            let same = |after: &mut After<'_>| match in_parts {
                true => Err(already(&field::VLAN.field, "the entry exists in a VLAN of the port").after_a_change()),
                false => same(after, &given, link, *target, &defaults),
            };
            let check = |after: &mut After<'_>| require_taken(after, &given, link, *target, &defaults);
            let made = after.make_checked(message, &given.request, refused, same, check);
            made.map_err(|refusal| changed_before(has_changed, refusal))?;
            has_changed = true;
        }
        Ok(Map::new())
    }))
}

fn changed_before(has_changed: bool, refusal: Refusal) -> Refusal {
    if has_changed { refusal.after_a_change() } else { refusal }
}

/// Whether the kernel has tried nothing: the link has no such database.
fn is_refused_at_once(failure: &TransactionError) -> bool {
    matches!(failure, TransactionError::Refused { errno: Errno::EOPNOTSUPP | Errno::ENODEV, .. })
}

/// The refusal of a change, with the field that the kernel's error is about, where the kernel does not say it.
fn refusal(failure: TransactionError, request: &Request) -> Refusal {
    let has_vlan = request.get(&field::VLAN).is_some();
    let (errno, field, why) = match failure {
        TransactionError::Refused { errno: errno @ Errno::EOPNOTSUPP, text: None, .. } => {
            (errno, &TARGETS.field, "the link has no such forwarding database, or the database has no such change")
        }
        TransactionError::Refused { errno: errno @ Errno::EAFNOSUPPORT, text: None, .. } => {
            (errno, &field::REMOTE.field, "is of another family than the addresses of the vxlan")
        }
        // `br_fdb_add`, `br_fdb_delete`
        TransactionError::Refused { errno: errno @ Errno::EINVAL, text: None, .. } if has_vlan => {
            (errno, &field::VLAN.field, "the bridge, or the port of it, does not have this VLAN")
        }
        // `fdb_add_entry`
        TransactionError::Refused { errno: errno @ Errno::EPERM, text: None, .. } => {
            (errno, &field::FDB_STATE.field, "while a port neither learns nor forwards, it takes no `dynamic` entry")
        }
        other => return other.about_link(request),
    };
    TransactionError::Refused { errno, text: Some(why.to_owned()), field: Some(field) }.about_link(request)
}

/// Whether a bridge has the entry of a request, at any port.
fn exists(before: &mut Before<'_>, given: &Given, target: Target) -> Result<bool, Refusal> {
    let identity = FDB_ENTRY.rows.iter().filter(|row| {
        let of: [&Field; 3] = [&field::LINK.field, &field::MAC.field, &field::VLAN.field];
        row.field().is_some_and(|field| of.contains(&field))
    });
    let mut encoded = encode(FDB_ENTRY.head, identity, given.view())?;
    set(&mut encoded.head, FLAGS_AT, &[target.flag()]);
    let found = before.ask(&Message::route(Rtm::Getneigh, NlmF::ACK, encoded), STEP, |payload| read(payload).map(drop));
    match found {
        Ok(found) => Ok(!found.is_empty()),
        // There is none, or the link is no port: the change itself will say so.
        Err(refusal) if matches!(refusal.errno(), Some(Errno::ENOENT | Errno::EINVAL | Errno::EOPNOTSUPP)) => Ok(false),
        Err(refusal) => Err(refusal),
    }
}

/// `Fdb.Delete`
fn delete(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let request = before.request();
    let ((given, link), targets) = (resolve(&mut before)?, Target::of(request));
    require_applicable(&mut before, link, &targets)?;
    let of_one = request.get(&field::REMOTE).is_some();
    let defaults = if of_one { Defaults::of(&seen_link(&mut before, link)?) } else { Defaults::default() };
    let message = |target: &Target| Ok((*target, about(Rtm::Delneigh, NlmF::empty(), &given, *target)?));
    let messages = targets.iter().map(message).collect::<Result<Vec<_>, Refusal>>()?;
    let tolerant = request.is_set(&field::MISSING_OK);
    Ok(Prepared::new(move |after, _| {
        let mut has_changed = false;
        for (target, message) in &messages {
            // A vxlan reports success for a destination that the entry does not have (`__vxlan_fdb_delete`).
            let is_there = !of_one || *target == Target::Master || has_destination(after, &given, link, &defaults)?;
            let absent = || TransactionError::Refused { errno: Errno::ENOENT, text: None, field: None };
            let failure = match if is_there { after.act(message, &mut |_| Ok(())) } else { Err(absent()) } {
                Ok(()) => {
                    has_changed = true;
                    None
                }
                Err(failure @ TransactionError::Refused { errno: Errno::ENOENT, .. }) => {
                    Some(failure).filter(|_| !tolerant)
                }
                Err(failure) => return Err(changed_before(has_changed, refusal(failure, &given.request))),
            };
            // Before it is said to be gone or not there.
            require_gone(after, &given, link, *target).map_err(|refusal| changed_before(has_changed, refusal))?;
            if let Some(failure) = failure {
                return Err(changed_before(has_changed, refusal(failure, &given.request)));
            }
        }
        Ok(Map::new())
    }))
}

/// Looks for an entry that remains although the kernel reports success: an address that somebody else also receives, and an
/// entry of a bridge in a VLAN that the port does not have any more.
fn require_gone(after: &mut After<'_>, given: &Given, link: Found, target: Target) -> Result<(), Refusal> {
    let is_bridge = target.is_bridge(link);
    let is_exact = if is_bridge { given.request.get(&field::VLAN).is_some() } else { link.is_kind("vxlan") };
    if is_exact || of_address(after, given, link, target)?.is_empty() {
        return Ok(());
    }
    Err(match is_bridge {
        true => unsuitable(&field::VLAN.field, "an entry remains in a VLAN that the port does not have any more"),
        false => unsuitable(&field::MAC.field, "remains, because something else also receives frames for it"),
    })
}

/// Whether the entry of a request has exactly this destination.
fn has_destination(after: &mut After<'_>, given: &Given, link: Found, defaults: &Defaults) -> Result<bool, Refusal> {
    let found = of_address(after, given, link, Target::Own)?;
    Ok(found.iter().any(|seen| is_destination(seen, given, defaults)))
}

/// Whether an entry has exactly the destination of a request.
fn is_destination(seen: &Seen<'_>, given: &Given, defaults: &Defaults) -> bool {
    let own: [(u16, &Field); 4] = [
        (nda::PORT, &field::PORT.field),
        (nda::VNI, &field::VNI.field),
        (nda::SRC_VNI, &field::SOURCE_VNI.field),
        (nda::IFINDEX, &field::VIA.field),
    ];
    let of_destination = [&field::LINK.field, &field::MAC.field, &field::REMOTE.field];
    let is_own = |(kind, field): &(u16, &Field)| given.request.value(field).is_some() || seen.get(*kind).is_none();
    let is_one = |field: &Field| of_destination.contains(&field) || own.iter().any(|(_, one)| *one == field);
    own.iter().all(is_own) && defaults.difference(seen, given, true).is_none_or(|field| !is_one(field))
}

/// Takes an entry. A bridge reports its own entries as those of its port, and a vxlan the link of a destination by its index
/// in the namespace in which it sends.
fn read(payload: &[u8]) -> Option<Seen<'_>> {
    let mut seen = Seen::new(&FDB_ENTRY, payload)?;
    let is_own_of_bridge = seen.get(nda::MASTER) == seen.head(4).get(..4);
    let is_own = is_own_of_bridge || seen.head(FLAGS_AT).first()? & Target::Own.flag() != 0;
    seen.instead(REPORTED_TARGETS, Some(vec![if is_own { Target::Own } else { Target::Master }.flag()]));
    if is_own_of_bridge {
        seen.instead(nda::MASTER, None);
    }
    let via = seen.get(nda::IFINDEX).filter(|_| seen.get(nda::LINK_NETNSID).is_none()).map(<[u8]>::to_vec);
    seen.instead(REPORTED_VIA, via);
    Some(seen)
}

/// Whether an entry is in this database.
fn is_in(seen: &Seen<'_>, target: Target) -> bool {
    seen.get(REPORTED_TARGETS) == Some(&[target.flag()])
}

fn is_on(seen: &Seen<'_>, link: Found) -> bool {
    i32_at(seen.head(4), 0) == Some(link.index)
}

/// Requests the entries of a link (0 for all links); the kernel filters by the index (strict checking).
fn question(index: i32) -> Result<Message, Refusal> {
    let mut attributes = Attributes::default();
    if index != 0 {
        attributes.put(nda::IFINDEX, &index.to_ne_bytes(), &field::LINK.field)?;
    }
    let mut head = vec![0; FDB_ENTRY.head];
    set(&mut head, 0, &[BRIDGE]);
    Ok(Message::route(Rtm::Getneigh, NlmF::DUMP, Encoded { head, attributes }))
}

/// The entries of a link in one database for the address of a request.
fn of_address(
    after: &mut After<'_>,
    given: &Given,
    link: Found,
    target: Target,
) -> Result<Vec<Seen<'static>>, Refusal> {
    let mac = given.request.needed(&field::MAC)?.bytes();
    let found = after.pick(&question(link.index)?, STEP, |payload| {
        let seen = read(payload)?;
        let is_meant = is_on(&seen, link) && is_in(&seen, target) && seen.get(nda::LLADDR) == Some(mac);
        Some(is_meant.then(|| seen.into_owned()))
    });
    found.map_err(|failure| failure.about_link(&given.request))
}

/// `exists_ok`: whether an existing entry is the requested one.
fn same(
    after: &mut After<'_>,
    given: &Given,
    link: Found,
    target: Target,
    defaults: &Defaults,
) -> Result<Map<String, Value>, Refusal> {
    let found = of_address(after, given, link, target)?;
    let differences = found.iter().map(|seen| defaults.difference(seen, given, false));
    // Of several destinations or VLANs, one that does not differ is enough.
    match differences.reduce(Option::and) {
        None if target.is_bridge(link) => {
            Err(already(&field::LINK.field, "the entry is at another port of the bridge"))
        }
        None => Err(already(&field::MAC.field, "another process removed it during the call")),
        Some(None) => Ok(Map::new()),
        Some(Some(field)) => Err(differs(field)),
    }
}

/// Looks at the entry where the kernel can report success and ignore something: an entry of somebody else does not become
/// `extern_learn`, an entry of a bridge remains it, and an entry with a nexthop object takes no destination.
fn require_taken(
    after: &mut After<'_>,
    given: &Given,
    link: Found,
    target: Target,
    defaults: &Defaults,
) -> Result<(), Refusal> {
    let request = &given.request;
    let exists_already = request.call().verb() != "Add";
    let has_destinations = link.is_kind("vxlan") && target == Target::Own;
    let has_origin = has_destinations || target.is_bridge(link);
    if !has_origin || !(exists_already || request.is_set(&field::EXTERN_LEARN)) {
        return Ok(());
    }
    let found = of_address(after, given, link, target)?;
    if has_destinations && !found.iter().any(|seen| is_destination(seen, given, defaults)) {
        return Err(Refusal::NotApplied {
            field: field::REMOTE.field.name,
            given: request.value(&field::REMOTE.field).map_or_else(String::new, ToString::to_string),
            effective: None,
        });
    }
    let in_vlan =
        |seen: &&Seen<'_>| request.get(&field::VLAN).is_none() || defaults.difference(seen, given, true).is_none();
    found.iter().filter(in_vlan).find_map(|seen| seen.not_applied(FDB_ENTRY.rows, given)).map_or(Ok(()), Err)
}

/// `Fdb.Flush`
fn flush(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let request = before.request();
    let (given, link) = resolve(&mut before)?;
    let (is_bridge, is_vxlan) = (link.is_kind("bridge"), link.is_kind("vxlan"));
    let targets = match request.get(&TARGETS) {
        Some(_) => Target::of(request),
        None => vec![Target::Master, Target::Own],
    };
    if request.get(&TARGETS).is_some() && targets.contains(&Target::Own) && !is_bridge && !is_vxlan {
        return Err(unsuitable(&TARGETS.field, "`self` can be flushed only on a bridge and on a vxlan"));
    }
    require_applicable(&mut before, link, &targets)?;
    let seen = seen_link(&mut before, link)?;
    let (own, defaults) = (seen.get(ifla::ADDRESS).unwrap_or_default().to_vec(), Defaults::of(&seen));
    let question = question(link.index)?;
    Ok(Prepared::new(move |after, _| {
        let found = after.pick(&question, STEP, |payload| {
            let seen = read(payload)?;
            // The link itself keeps these, unless it is a vxlan: they are the addresses that it receives.
            let is_received = seen.head(FLAGS_AT).first()? & Target::Own.flag() != 0;
            Some((is_on(&seen, link) && (!is_received || is_vxlan)).then(|| seen.into_owned()))
        });
        let found = found.map_err(|failure| failure.about_link(&given.request))?;
        let is_meant = |seen: &&Seen<'_>| {
            let is_left = given.request.get(&field::MAC).is_none() && is_left(seen, is_vxlan, &own);
            targets.iter().any(|target| is_in(seen, *target))
                && !is_left
                && defaults.difference(seen, &given, true).is_none()
        };
        let (mut meant, others): (Vec<_>, Vec<_>) = found.iter().partition(is_meant);
        require_alone(&meant, &others)?;
        // What takes others along goes last, so that each one is counted.
        meant.sort_by_key(|seen| !is_part(seen));
        let removals = meant.into_iter().map(removal).collect::<Result<Vec<_>, _>>()?;
        after.flush(&removals, &given.request, TransactionError::about_link)
    }))
}

/// Refuses a flush that the kernel cannot carry out exactly.
fn require_alone(meant: &[&Seen<'_>], others: &[&Seen<'_>]) -> Result<(), Refusal> {
    let is_elsewhere = |seen: &&&Seen<'_>| seen.get(nda::IFINDEX).is_some() && seen.get(nda::LINK_NETNSID).is_some();
    let key =
        |seen: &Seen<'_>| [nda::LLADDR, nda::SRC_VNI, REPORTED_TARGETS].map(|kind| seen.get(kind).map(<[u8]>::to_vec));
    // The deletion of an entry that is none of several also deletes others for the address.
    let left: BTreeSet<_> = others.iter().map(|other| key(other)).collect();
    if meant.iter().any(|own| !is_part(own) && left.contains(&key(own))) {
        let why =
            "the kernel would also delete other entries for the address, in other VLANs or with other destinations";
        return Err(another_goes(&field::MAC.field, why));
    }
    if meant.iter().find(is_elsewhere).is_some() {
        return Err(another_goes(&field::VIA.field, "an entry sends through a link of another network namespace"));
    }
    Ok(())
}

/// Whether a flush without an address leaves the entry: it is for the link's own address, or for all unknown addresses on a
/// vxlan.
fn is_left(seen: &Seen<'_>, is_vxlan: bool, own: &[u8]) -> bool {
    let mac = seen.get(nda::LLADDR).unwrap_or_default();
    mac == own || is_vxlan && mac.iter().all(|byte| *byte == 0)
}

/// Whether it is one destination of several, or an entry in one VLAN of several.
fn is_part(seen: &Seen<'_>) -> bool {
    seen.get(nda::VLAN).or(seen.get(nda::DST)).is_some()
}

/// The message that deletes exactly this entry.
fn removal(seen: &Seen<'_>) -> Result<Message, Refusal> {
    let copied: [(u16, &'static Field); 7] = [
        (nda::LLADDR, &field::MAC.field),
        (nda::VLAN, &field::VLAN.field),
        (nda::DST, &field::REMOTE.field),
        (nda::PORT, &field::PORT.field),
        (nda::VNI, &field::VNI.field),
        (nda::SRC_VNI, &field::SOURCE_VNI.field),
        (nda::IFINDEX, &field::VIA.field),
    ];
    let mut attributes = Attributes::default();
    for (kind, field) in copied {
        seen.get(kind).map_or(Ok(()), |bytes| attributes.put(kind, bytes, field))?;
    }
    let mut head = vec![0; FDB_ENTRY.head];
    set(&mut head, 0, &[BRIDGE]);
    set(&mut head, 4, seen.head(4).get(..4).unwrap_or_default());
    set(&mut head, STATE_AT, &PERMANENT.to_ne_bytes());
    set(&mut head, FLAGS_AT, seen.get(REPORTED_TARGETS).unwrap_or_default());
    Ok(Message::route(Rtm::Delneigh, NlmF::ACK, Encoded { head, attributes }))
}

/// `Fdb.List`
fn list(mut before: Before<'_>) -> Result<Prepared, Refusal> {
    let links = Selection::look_up(&mut before)?;
    let message = question(links.index())?;
    links.list(before, message, |payload, names, text| {
        let seen = read(payload).ok_or_else(|| unparsed(STEP))?;
        seen.write(FDB_ENTRY.rows, STEP, names, text).map(|()| true)
    })
}
