// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What `netbrokerd` knows of its connections: whose they are, what they wait for, and whose turn is next. Time is handed
//! in, and nothing here is a system call.
#![forbid(unsafe_code)]

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::policy::rule::Principal;

/// How long a request may wait for its turn.
pub(super) const TURN: Duration = Duration::from_secs(5);
/// How long a request may take to arrive completely.
pub(super) const ARRIVAL: Duration = Duration::from_secs(10);
/// What callers to whom no rule applies may have in all: connections, and requests being served.
const UNGRANTED: (u32, u32) = (16, 2);
/// How many refusals of one principal are recorded one by one in a second. The others are counted.
const REFUSALS: u32 = 20;
/// How many of a principal's requests are answered at the same time that there is no room.
const TURNED_AWAY: u32 = 4;
/// How long it waits where something is due that cannot be done yet.
const SHORTLY: Duration = Duration::from_millis(20);
/// What the connections of one uid may cost in a second. One without supplementary groups costs 1.
const ARRIVALS: u32 = 10_000;
/// So many supplementary groups cost as much: the kernel copies them, and they are looked through (measured).
const GROUPS: usize = 1400;
/// Of how many uids it is known what their connections cost in this second.
const ARRIVING: usize = 4096;
/// The unit of rates.
const SECOND: Duration = Duration::from_secs(1);
/// How long a principal first waits after one of its processes has died. Each further death doubles it.
const PENALTY: Duration = Duration::from_secs(1);
/// The longest penalty is this many times doubled.
const DOUBLED: u32 = 12;
/// After so long without a death, the next penalty is the first again.
const FORGIVEN: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a process waits before it looks again at a request that had not arrived completely. Each look doubles it.
const PAUSE: Duration = Duration::from_millis(4);
/// The longest pause is this many times doubled.
const LONGEST_PAUSE: u32 = 8;

/// Limits, with their defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) connections: u32,
    pub(super) connections_each: u32,
    pub(super) requests: u32,
    pub(super) requests_each: u32,
    pub(super) records_each: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 1024, connections_each: 256, requests: 16, requests_each: 4, records_each: 10_000 }
    }
}

impl Limits {
    /// Whether no limit for one is greater than that for all.
    pub(super) fn are_reachable(&self) -> bool {
        self.connections_each <= self.connections && self.requests_each <= self.requests
    }
}

/// Whose share a connection counts for: what grants its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Share(pub(super) Option<Principal>);

impl Share {
    /// How much of `most` one uid gets: where several uids share, at most half.
    fn of_one(self, most: u32) -> u32 {
        if matches!(self.0, Some(Principal::Uid(_))) { most } else { most.div_ceil(2) }
    }
}

impl FromStr for Share {
    type Err = ();

    /// Reads what is displayed.
    fn from_str(text: &str) -> Result<Self, ()> {
        let principal = match text.split_once(':') {
            None if text == "*" => Some(Principal::Everyone),
            None if text == "nobody" => None,
            Some(("uid", number)) => Some(Principal::Uid(number.parse().map_err(|_| ())?)),
            Some(("gid", number)) => Some(Principal::Gid(number.parse().map_err(|_| ())?)),
            _ => return Err(()),
        };
        Ok(Self(principal))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(Principal::Uid(uid)) => write!(f, "uid:{uid}"),
            Some(Principal::Gid(gid)) => write!(f, "gid:{gid}"),
            Some(Principal::Everyone) => f.write_str("*"),
            None => f.write_str("nobody"),
        }
    }
}

/// What a policy says of a caller before a byte is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) share: Share,
    pub(super) is_wide: bool,
    pub(super) policy: u64,
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// A request, or the rest of one.
    Waiting,
    /// Its turn.
    Ready,
    /// The process that serves it.
    Served,
}

/// A request that had not arrived completely when a process looked.
#[derive(Debug, Clone, Copy)]
struct Partial {
    /// How many bytes there were.
    bytes: usize,
    /// How often a process looked.
    looks: u32,
    /// When it began to arrive.
    since: Instant,
    /// When a process may look again.
    again: Instant,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) uid: u32,
    pub(super) share: Share,
    pub(super) state: State,
    /// Since when the last request waits for its turn, or waited.
    since: Instant,
    /// The other end has closed it, or will send no more.
    pub(super) has_ended: bool,
    /// Whether its request did not arrive in time, so that it has its last turn.
    pub(super) is_last: bool,
    /// Whether its requests need a process that is forked for them: one with more than the link profile, or one in place
    /// of one that was forked ahead and could not serve.
    pub(super) is_wide: bool,
    /// Which policy, by the order in which they were seen, its share and profile are from.
    pub(super) policy: u64,
    partial: Option<Partial>,
}

/// What the connections of each uid have cost in the current second, whether they were closed at once or not.
#[derive(Debug)]
struct Arrivals {
    second: Instant,
    cost: BTreeMap<u32, u32>,
}

/// What one uid has of a share.
#[derive(Debug, Default, Clone, Copy)]
struct Part {
    connections: u32,
    served: u32,
    /// The number of the last turn that it got.
    last: u64,
}

/// What one principal has in use.
#[derive(Debug)]
struct Account {
    connections: u32,
    served: u32,
    turned_away: u32,
    last: u64,
    parts: BTreeMap<u32, Part>,
    /// Nothing is served before this time.
    not_before: Instant,
    deaths: u32,
    /// The current second, and what happened in it.
    second: Instant,
    requests: u32,
    refusals: u32,
    counted: u32,
}

impl Account {
    fn new(now: Instant) -> Self {
        Self {
            connections: 0,
            served: 0,
            turned_away: 0,
            last: 0,
            parts: BTreeMap::new(),
            not_before: now,
            deaths: 0,
            second: now,
            requests: 0,
            refusals: 0,
            counted: 0,
        }
    }

    fn of(&self, uid: u32) -> Part {
        self.parts.get(&uid).copied().unwrap_or_default()
    }

    fn begin_second(&mut self, now: Instant) {
        if now.saturating_duration_since(self.second) >= SECOND {
            (self.second, self.requests, self.refusals) = (now, 0, 0);
        }
    }

    /// When the next request may be served, for all that concerns rates and penalties.
    fn when(&self, rate: u32) -> Instant {
        if self.requests >= rate { self.not_before.max(self.second + SECOND) } else { self.not_before }
    }

    fn is_idle(&self, now: Instant) -> bool {
        let has_begun_anew = now.saturating_duration_since(self.second) >= SECOND;
        let is_forgiven = self.deaths == 0 || now >= self.not_before + FORGIVEN;
        self.connections == 0 && self.counted == 0 && has_begun_anew && is_forgiven
    }
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// This connection's.
    Serve { at: usize, counts: bool },
    /// This connection has waited too long.
    TooLate { at: usize, counts: bool },
    /// This connection has waited too long, and no process may read what its principal sends.
    Close { at: usize },
}

/// All connections and accounts.
#[derive(Debug)]
pub(super) struct Table {
    limits: Limits,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    open: u32,
    served: u32,
    turns: u64,
    accounts: BTreeMap<Share, Account>,
    arrivals: Arrivals,
}

impl Table {
    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        Self {
            limits,
            connections: Vec::new(),
            free: Vec::new(),
            open: 0,
            served: 0,
            turns: 0,
            accounts: BTreeMap::new(),
            arrivals: Arrivals { second: now, cost: BTreeMap::new() },
        }
    }

    /// Whether more is to be asked about a new connection of this uid in this second.
    pub(super) fn may_arrive(&mut self, uid: u32, now: Instant) -> bool {
        if now.saturating_duration_since(self.arrivals.second) >= SECOND {
            self.arrivals = Arrivals { second: now, cost: BTreeMap::new() };
        }
        self.arrivals.cost.get(&uid).is_none_or(|cost| *cost < ARRIVALS)
    }

    /// A connection of this uid has arrived, and so many groups were read.
    pub(super) fn has_arrived(&mut self, uid: u32, groups: usize) {
        let cost = 1 + u32::try_from(groups / GROUPS).unwrap_or(ARRIVALS);
        let has_room = self.arrivals.cost.len() < ARRIVING;
        if let Some(sum) = self.arrivals.cost.get_mut(&uid) {
            *sum += cost;
        } else if has_room {
            self.arrivals.cost.insert(uid, cost);
        }
    }

    pub(super) fn open(&self) -> u32 {
        self.open
    }

    /// Whether there are refusals that were counted and not told.
    pub(super) fn has_counted(&self) -> bool {
        self.accounts.values().any(|account| account.counted > 0)
    }

    fn most(&self, share: Share) -> (u32, u32) {
        match share.0 {
            Some(_) => (self.limits.connections_each, self.limits.requests_each),
            None => (UNGRANTED.0.min(self.limits.connections_each), UNGRANTED.1.min(self.limits.requests_each)),
        }
    }

    /// Whether the share has room for one more connection of this uid.
    fn has_room(&self, share: Share, uid: u32) -> bool {
        let (most, _) = self.most(share);
        let Some(account) = self.accounts.get(&share) else { return true };
        account.connections < most && account.of(uid).connections < share.of_one(most)
    }

    /// Takes in a connection; `None` where there is no room for it.
    pub(super) fn admit(&mut self, uid: u32, standing: Standing, now: Instant) -> Option<usize> {
        let Standing { share, is_wide, policy } = standing;
        if self.open >= self.limits.connections || !self.has_room(share, uid) {
            return None;
        }
        self.enter(share, uid, now);
        let connection = Connection {
            uid,
            share,
            state: State::Waiting,
            since: now,
            has_ended: false,
            is_last: false,
            is_wide,
            policy,
            partial: None,
        };
        self.open += 1;
        let at = self.free.pop().unwrap_or(self.connections.len());
        match self.connections.get_mut(at) {
            Some(place) => *place = Some(connection),
            None => self.connections.push(Some(connection)),
        }
        Some(at)
    }

    fn enter(&mut self, share: Share, uid: u32, now: Instant) {
        // Who comes anew is behind all who wait already.
        let last = self.turns;
        let account = self.accounts.entry(share).or_insert_with(|| Account { last, ..Account::new(now) });
        account.connections += 1;
        account.parts.entry(uid).or_insert(Part { last, ..Part::default() }).connections += 1;
    }

    fn leave(&mut self, share: Share, uid: u32) {
        let Some(account) = self.accounts.get_mut(&share) else { return };
        account.connections -= 1;
        if let Some(part) = account.parts.get_mut(&uid) {
            part.connections -= 1;
            if part.connections == 0 {
                account.parts.remove(&uid);
            }
        }
    }

    /// Moves a connection to another share, because the policy has changed. A share may have more than its limit then.
    pub(super) fn move_to(&mut self, at: usize, standing: Standing, now: Instant) {
        let Standing { share, is_wide, policy } = standing;
        let Some((old, uid)) = self.get(at).map(|connection| (connection.share, connection.uid)) else { return };
        if old != share {
            self.leave(old, uid);
            self.enter(share, uid, now);
        }
        if let Some(connection) = self.get_mut(at) {
            (connection.share, connection.is_wide, connection.policy) = (share, is_wide, policy);
        }
    }

    pub(super) fn get(&self, at: usize) -> Option<&Connection> {
        self.connections.get(at)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut Connection> {
        self.connections.get_mut(at)?.as_mut()
    }

    /// The places of all connections.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.connections.iter().enumerate().filter(|(_, connection)| connection.is_some()).map(|(at, _)| at)
    }

    /// Forgets a connection that is not being served.
    pub(super) fn remove(&mut self, at: usize) {
        if let Some(connection) = self.connections.get_mut(at).and_then(Option::take) {
            self.leave(connection.share, connection.uid);
            self.free.push(at);
            self.open -= 1;
        }
    }

    /// Bytes have arrived on a connection: so many are queued now.
    pub(super) fn arrived(&mut self, at: usize, bytes: usize, now: Instant) {
        let Some(connection) = self.get_mut(at) else { return };
        let has_grown = connection.partial.is_none_or(|partial| bytes > partial.bytes);
        if connection.state == State::Waiting && bytes > 0 && has_grown {
            (connection.state, connection.since) = (State::Ready, now);
        }
    }

    /// Whose turn it is now, if anybody's. A principal that got none for the longest time is first; of its uids, the one
    /// with the fewest requests being served, then the one that got none for the longest time.
    pub(super) fn next(&mut self, now: Instant) -> Option<Turn> {
        for account in self.accounts.values_mut() {
            account.begin_second(now);
        }
        let mut first: Option<((u64, u32, u64, Instant), usize)> = None;
        for (at, connection) in self.connections.iter().enumerate() {
            let Some(connection) = connection else { continue };
            let may_be_looked_at = connection.partial.is_none_or(|partial| now >= partial.again);
            if connection.state != State::Ready || !may_be_looked_at {
                continue;
            }
            let Some(account) = self.accounts.get(&connection.share) else { continue };
            let is_late = now.saturating_duration_since(connection.since) >= TURN;
            if is_late && now < account.not_before {
                return Some(Turn::Close { at });
            }
            if is_late && account.turned_away < TURNED_AWAY {
                return self.turn_away(at);
            }
            let part = account.of(connection.uid);
            if self.is_full(account, connection.share, part) || now < account.when(self.limits.records_each) {
                continue;
            }
            let rank = (account.last, part.served, part.last, connection.since);
            if first.as_ref().is_none_or(|(least, _)| rank < *least) {
                first = Some((rank, at));
            }
        }
        let (_, at) = first?;
        let connection = self.connections.get_mut(at)?.as_mut()?;
        connection.state = State::Served;
        let account = self.accounts.get_mut(&connection.share)?;
        let part = account.parts.entry(connection.uid).or_default();
        self.turns += 1;
        (account.last, part.last) = (self.turns, self.turns);
        account.served += 1;
        part.served += 1;
        account.requests += 1;
        self.served += 1;
        Some(Turn::Serve { at, counts: account.refusals >= REFUSALS })
    }

    /// Whether nothing more of a uid in a principal is served now. Where others have all there is, the principal has one.
    fn is_full(&self, account: &Account, share: Share, part: Part) -> bool {
        let (_, most) = self.most(share);
        let is_full = account.served >= most || part.served >= share.of_one(most);
        is_full || (self.served >= self.limits.requests && account.served > 0)
    }

    fn turn_away(&mut self, at: usize) -> Option<Turn> {
        let connection = self.connections.get_mut(at)?.as_mut()?;
        connection.state = State::Served;
        let account = self.accounts.get_mut(&connection.share)?;
        account.turned_away += 1;
        Some(Turn::TooLate { at, counts: account.refusals >= REFUSALS })
    }

    /// A connection that has its turn, and for which there is no room for a process, waits again.
    pub(super) fn give_back(&mut self, at: usize, was_late: bool) {
        self.served_to_the_end(at, was_late, None);
        if let Some(connection) = self.get_mut(at) {
            connection.state = State::Ready;
        }
    }

    /// The process that served a connection has ended. `refused`: whether it recorded a refusal, or left one to be
    /// counted.
    pub(super) fn served_to_the_end(&mut self, at: usize, was_late: bool, refused: Option<Refused>) {
        let Some(connection) = self.connections.get_mut(at).and_then(Option::as_mut) else { return };
        connection.state = State::Waiting;
        let account = self.accounts.get_mut(&connection.share);
        self.served -= u32::from(!was_late);
        let Some(account) = account else { return };
        if was_late {
            account.turned_away = account.turned_away.saturating_sub(1);
        } else {
            account.served = account.served.saturating_sub(1);
            if let Some(part) = account.parts.get_mut(&connection.uid) {
                part.served = part.served.saturating_sub(1);
            }
        }
        match refused {
            Some(Refused::Recorded) => account.refusals += 1,
            Some(Refused::LeftOut) => account.counted += 1,
            None => {}
        }
    }

    /// A process of an earlier netbrokerd left a refusal to be counted.
    pub(super) fn left_out(&mut self, share: Share, now: Instant) {
        self.accounts.entry(share).or_insert_with(|| Account::new(now)).counted += 1;
    }

    /// A complete request was taken from a connection.
    pub(super) fn took_all(&mut self, at: usize) {
        if let Some(connection) = self.get_mut(at) {
            connection.partial = None;
        }
    }

    /// A process found that a request had not arrived completely: it looked at so many bytes.
    pub(super) fn took_nothing(&mut self, at: usize, bytes: usize, now: Instant) {
        let Some(connection) = self.get_mut(at) else { return };
        let (looks, since) = connection.partial.map_or((0, now), |partial| (partial.looks, partial.since));
        let pause = PAUSE * 2_u32.pow(looks.min(LONGEST_PAUSE));
        connection.partial = Some(Partial { bytes, looks: looks + 1, since, again: now + pause });
    }

    /// A process of this principal died by a signal: the principal waits, twice as long as after the last one.
    pub(super) fn died(&mut self, share: Share, now: Instant) {
        let account = self.accounts.entry(share).or_insert_with(|| Account::new(now));
        if now >= account.not_before + FORGIVEN {
            account.deaths = 0;
        }
        account.not_before = now + PENALTY * 2_u32.pow(account.deaths.min(DOUBLED));
        account.deaths += 1;
    }

    /// Lets connections whose request did not arrive in time have a last turn, in which nothing is waited for.
    pub(super) fn end_waiting(&mut self, now: Instant) {
        for connection in self.connections.iter_mut().flatten() {
            let late = |partial: &Partial| now.saturating_duration_since(partial.since) >= ARRIVAL;
            if connection.state != State::Served && connection.partial.as_ref().is_some_and(late) {
                (connection.state, connection.since, connection.partial) = (State::Ready, now, None);
                connection.is_last = true;
            }
        }
    }

    /// Refusals that were counted in seconds that have ended, or in any, by principal. Also forgets accounts without a use.
    pub(super) fn counted(&mut self, now: Instant, in_any: bool) -> Vec<(Share, u32)> {
        let mut counted = Vec::new();
        for (share, account) in &mut self.accounts {
            let has_ended = now.saturating_duration_since(account.second) >= SECOND;
            if account.counted > 0 && (has_ended || in_any) {
                counted.push((*share, std::mem::take(&mut account.counted)));
            }
            account.begin_second(now);
        }
        self.accounts.retain(|_, account| !account.is_idle(now));
        counted
    }

    /// How long each principal whose processes died waits from now on, and how many died: what an earlier process passes on.
    pub(super) fn penalties(&self, now: Instant) -> Vec<(Share, Duration, u32)> {
        let of = |(share, account): (&Share, &Account)| {
            (account.deaths > 0).then(|| (*share, account.not_before.saturating_duration_since(now), account.deaths))
        };
        self.accounts.iter().filter_map(of).collect()
    }

    /// Until when a principal has to wait, the last of them.
    pub(super) fn penalised_until(&self) -> Option<Instant> {
        self.accounts.values().filter(|account| account.deaths > 0).map(|account| account.not_before).max()
    }

    /// Takes over what an earlier process passed on.
    pub(super) fn punish(&mut self, share: Share, wait: Duration, deaths: u32, now: Instant) {
        let account = self.accounts.entry(share).or_insert_with(|| Account::new(now));
        (account.not_before, account.deaths) = (now + wait, deaths);
    }

    /// A connection to close so that this uid gets one: of those in the same share that are idle and of a uid with more
    /// connections, one of the uid with most of them, and of these the one that was idle for the longest time. `None` where
    /// that would not make room.
    pub(super) fn to_make_room(&self, share: Share, uid: u32) -> Option<usize> {
        let (most, _) = self.most(share);
        let account = self.accounts.get(&share)?;
        let own = account.of(uid).connections;
        if account.connections > most || own >= share.of_one(most) || self.open > self.limits.connections {
            return None;
        }
        let spare = self.connections.iter().enumerate().filter_map(|(at, connection)| {
            let connection = connection.as_ref()?;
            let of_uid = account.of(connection.uid).connections;
            let is_spare = connection.share == share && connection.state == State::Waiting && of_uid > own;
            is_spare.then_some(((of_uid, Reverse(connection.since)), at))
        });
        spare.max().map(|(_, at)| at)
    }

    /// When something is to be done next that no event announces.
    pub(super) fn wake(&self, now: Instant) -> Option<Instant> {
        let of_connection = |connection: &Connection| match (connection.state, connection.partial) {
            (State::Served, _) => None,
            (State::Ready, partial) => {
                let account = self.accounts.get(&connection.share)?;
                let turn = account.when(self.limits.records_each);
                let turn = partial.map_or(turn, |partial| turn.max(partial.again));
                let is_full = self.is_full(account, connection.share, account.of(connection.uid));
                let late = connection.since + TURN;
                let due = if is_full { late } else { turn.min(late) };
                Some(if due <= now { now + SHORTLY } else { due })
            }
            (State::Waiting, partial) => partial.map(|partial| partial.since + ARRIVAL),
        };
        let connections = self.connections.iter().flatten().filter_map(of_connection);
        let counts =
            self.accounts.values().filter(|account| account.counted > 0).map(|account| account.second + SECOND);
        connections.chain(counts).min()
    }
}

/// What a process did about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Recorded,
    LeftOut,
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { connections: 12, connections_each: 8, requests: 4, requests_each: 2, records_each: 100 };

    fn standing(principal: Option<Principal>) -> Standing {
        Standing { share: Share(principal), is_wide: false, policy: 1 }
    }

    /// A table, and so many connections of a principal and uid with a request on each.
    fn ready(table: &mut Table, principal: Option<Principal>, uid: u32, count: usize, now: Instant) -> Vec<usize> {
        let open: Vec<usize> = (0..count).filter_map(|_| table.admit(uid, standing(principal), now)).collect();
        open.iter().for_each(|at| table.arrived(*at, 10, now));
        open
    }

    fn served(table: &mut Table, now: Instant) -> Vec<usize> {
        std::iter::from_fn(|| match table.next(now) {
            Some(Turn::Serve { at, .. }) => Some(at),
            _ => None,
        })
        .collect()
    }

    #[test]
    fn no_principal_has_more_than_its_limit_and_none_keeps_another_from_its_own() {
        let now = Instant::now();
        let mut table = Table::new(LIMITS, now);
        let (one, two) = (Some(Principal::Uid(1)), Some(Principal::Uid(2)));
        assert_eq!(ready(&mut table, one, 1, 20, now).len(), 8);
        let of_two = ready(&mut table, two, 2, 20, now);
        assert_eq!(of_two.len(), 4, "twelve in all");
        let first = served(&mut table, now);
        assert_eq!(first.len(), 4);
        assert_eq!(first.iter().filter(|at| of_two.contains(at)).count(), 2);
        for at in &first {
            table.served_to_the_end(*at, false, None);
            table.arrived(*at, 10, now + PAUSE);
        }
        let now = now + PAUSE;
        // Whoever got none for the longest time is first: not a connection that was just served.
        assert!(served(&mut table, now).iter().all(|at| !first.contains(at)));
    }

    #[test]
    fn in_a_shared_principal_one_uid_neither_fills_it_nor_is_served_before_others_by_coming_anew() {
        let now = Instant::now();
        let everyone = Some(Principal::Everyone);
        let mut table = Table::new(LIMITS, now);
        let greedy = ready(&mut table, everyone, 7, 20, now);
        assert_eq!(greedy.len(), 4, "half");
        let modest = ready(&mut table, everyone, 8, 1, now);
        assert_eq!(served(&mut table, now), [greedy[0], modest[0]]);
        table.served_to_the_end(modest[0], false, None);
        table.served_to_the_end(greedy[0], false, None);
        // Each connection is of another uid, as a user with a range of them has it. The one that was there waits no longer
        // than those who came before it had its turn.
        let mut waited = 0;
        table.arrived(modest[0], 10, now);
        for uid in 100..140 {
            let _fresh = ready(&mut table, everyone, uid, 1, now);
            let got = served(&mut table, now);
            if got.contains(&modest[0]) {
                break;
            }
            waited += got.len();
            got.iter().for_each(|at| {
                table.served_to_the_end(*at, false, None);
                table.remove(*at);
            });
        }
        assert!(waited <= 5, "{waited}");
    }

    #[test]
    fn one_uid_of_a_shared_principal_has_at_most_half_of_its_requests() {
        let now = Instant::now();
        let mut table = Table::new(LIMITS, now);
        let group = Some(Principal::Gid(7));
        assert_eq!(ready(&mut table, group, 7, 4, now).len(), 4);
        assert_eq!(served(&mut table, now).len(), 1);
        let of_other = ready(&mut table, group, 8, 1, now);
        assert_eq!(served(&mut table, now), of_other);
    }

    #[test]
    fn an_idle_connection_makes_room_for_a_uid_with_fewer_and_none_is_closed_in_vain() {
        let now = Instant::now();
        let everyone = Some(Principal::Everyone);
        let share = Share(everyone);
        let admit = |table: &mut Table, uid, after: u32| table.admit(uid, standing(everyone), now + SECOND * after);
        // One of each uid: the one that was idle for the longest time.
        let mut table = Table::new(LIMITS, now);
        for uid in 1..=8 {
            assert!(admit(&mut table, uid, 9 - uid).is_some());
        }
        assert_eq!(admit(&mut table, 9, 9), None);
        assert_eq!(table.to_make_room(share, 9), Some(7));
        assert_eq!(table.to_make_room(share, 8), None, "it has as many as the others");
        // The uid with most of them has no idle one.
        let mut table = Table::new(LIMITS, now);
        let busy: Vec<_> = (0..4).filter_map(|_| admit(&mut table, 1, 0)).collect();
        busy.iter().for_each(|at| table.arrived(*at, 10, now));
        let idle: Vec<_> = (0..3).filter_map(|_| admit(&mut table, 2, 1)).collect();
        assert!(admit(&mut table, 3, 2).is_some());
        assert!(table.to_make_room(share, 4).is_some_and(|at| idle.contains(&at)));
        // After a change of policy the share has more than its limit.
        let mut table = Table::new(LIMITS, now);
        let all: Vec<_> = (0..12).filter_map(|n| table.admit(n, standing(Some(Principal::Uid(n))), now)).collect();
        all.iter().for_each(|at| table.move_to(*at, standing(everyone), now));
        assert_eq!(table.to_make_room(share, 99), None);
    }

    #[test]
    fn a_uid_that_connects_too_often_is_looked_at_no_more_in_this_second() {
        let now = Instant::now();
        let mut table = Table::new(LIMITS, now);
        let count = (0..20_000)
            .take_while(|_| {
                let may = table.may_arrive(1, now);
                table.has_arrived(1, 65_536);
                may
            })
            .count();
        assert_eq!(count, 213);
        assert!(table.may_arrive(2, now));
        assert!(table.may_arrive(1, now + SECOND));
    }

    #[test]
    fn a_request_that_waits_too_long_is_turned_away_and_no_process_reads_for_a_principal_whose_process_died() {
        let now = Instant::now();
        let mut table = Table::new(LIMITS, now);
        let open = ready(&mut table, Some(Principal::Uid(1)), 1, 3, now);
        assert_eq!(served(&mut table, now).len(), 2);
        assert_eq!(table.wake(now), Some(now + TURN));
        assert_eq!(table.next(now + TURN), Some(Turn::TooLate { at: open[2], counts: false }));
        table.served_to_the_end(open[2], true, None);
        table.died(Share(Some(Principal::Uid(1))), now);
        table.served_to_the_end(open[0], false, None);
        assert_eq!(table.penalties(now), [(Share(Some(Principal::Uid(1))), PENALTY, 1)]);
        table.arrived(open[2], 10, now);
        assert_eq!(table.next(now), None);
        assert_eq!(table.wake(now), Some(now + PENALTY));
        assert_eq!(table.next(now + PENALTY), Some(Turn::Serve { at: open[2], counts: false }));
        for _ in 0..5 {
            table.died(Share(Some(Principal::Uid(1))), now);
        }
        table.served_to_the_end(open[2], false, None);
        table.arrived(open[2], 10, now);
        assert_eq!(table.next(now + TURN), Some(Turn::Close { at: open[2] }));
    }

    #[test]
    fn a_request_for_which_there_is_no_process_waits_no_longer_than_others() {
        let now = Instant::now();
        let mut table = Table::new(LIMITS, now);
        let at = ready(&mut table, Some(Principal::Uid(1)), 1, 1, now)[0];
        for tried in 0..3 {
            assert_eq!(served(&mut table, now + SECOND * tried), [at]);
            table.give_back(at, false);
        }
        assert_eq!(table.next(now + TURN), Some(Turn::TooLate { at, counts: false }));
    }

    #[test]
    fn a_request_that_is_incomplete_is_looked_at_less_and_less_often_and_only_if_more_has_arrived() {
        let mut now = Instant::now();
        let begun = now;
        let mut table = Table::new(LIMITS, now);
        let at = ready(&mut table, Some(Principal::Uid(1)), 1, 1, now)[0];
        let mut looks = 0;
        for bytes in 10.. {
            table.arrived(at, bytes, now);
            if table.next(now).is_some() {
                looks += 1;
                let seen = bytes;
                table.served_to_the_end(at, false, None);
                table.took_nothing(at, seen, now);
                table.arrived(at, seen, now);
                assert_eq!(table.next(now), None, "nothing more has arrived");
            }
            now += Duration::from_millis(1); // a byte in each millisecond
            table.end_waiting(now);
            if table.get(at).unwrap().is_last {
                break;
            }
        }
        assert_eq!(now - begun, ARRIVAL);
        assert!(looks < 25, "{looks}");
    }

    #[test]
    fn requests_beyond_the_rate_wait_for_the_next_second_and_refusals_beyond_theirs_are_counted() {
        let now = Instant::now();
        let mut table = Table::new(LIMITS, now);
        let at = ready(&mut table, Some(Principal::Uid(1)), 1, 1, now)[0];
        let mut counting = 0;
        for _ in 0..100 {
            let Some(Turn::Serve { counts, .. }) = table.next(now) else { panic!("it has its turn") };
            counting += u32::from(counts);
            table.served_to_the_end(at, false, Some(if counts { Refused::LeftOut } else { Refused::Recorded }));
            table.arrived(at, 10, now);
        }
        assert_eq!(counting, 100 - REFUSALS);
        assert_eq!(table.next(now), None);
        assert_eq!(table.wake(now), Some(now + SECOND));
        assert_eq!(table.counted(now, false), []);
        assert_eq!(table.counted(now + SECOND, false), [(Share(Some(Principal::Uid(1))), 100 - REFUSALS)]);
        assert_eq!(table.next(now + SECOND), Some(Turn::Serve { at, counts: false }));
    }
}
