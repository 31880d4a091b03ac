// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Records that only look like the broker's. They are counted, and reported now and then: whoever forges records would
//! otherwise choose what is printed, and how much.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use super::super::time::now;
use super::super::{counted, warn};
use super::record::Forged;

/// The time between two messages, in microseconds.
const PAUSE: u64 = 10_000_000;
/// How many senders are named.
const SENDERS: usize = 8;

/// Forged records that were read.
#[derive(Debug, Default)]
pub(super) struct Noticed {
    count: usize,
    senders: BTreeSet<u32>,
    /// How many were reported, and when.
    told: usize,
    told_at: u64,
}

impl Noticed {
    pub(super) fn add(&mut self, forged: Forged) {
        self.count += 1;
        if self.senders.len() <= SENDERS {
            self.senders.extend(forged.uid);
        }
    }

    /// When the next message is due.
    pub(super) fn due(&self) -> Option<u64> {
        (self.count > self.told).then(|| self.told_at.saturating_add(PAUSE))
    }

    pub(super) fn tell_when_due(&mut self) {
        if self.due().is_some_and(|due| due <= now()) {
            self.tell();
        }
    }

    /// Reports them, unless they were reported.
    pub(super) fn tell(&mut self) {
        if self.count == self.told {
            return;
        }
        (self.told, self.told_at) = (self.count, now());
        let named = self.senders.iter().take(SENDERS).map(u32::to_string).collect::<Vec<_>>().join(", ");
        let senders = match self.senders.len() {
            0 => String::new(),
            1 => format!(" by uid {named}"),
            2..=SENDERS => format!(" by the uids {named}"),
            _ => format!(" by the uids {named} and others"),
        };
        warn(format!(
            "not shown: {}{senders}, with the message ids of netbroker, but not sent by the user netbroker",
            counted(self.count, "forged record")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forged_records_are_reported_at_once_and_then_at_intervals() {
        let mut forged = Noticed::default();
        assert_eq!(forged.due(), None);
        forged.add(Forged { uid: Some(7) });
        assert!(forged.due().unwrap() <= now());
        forged.tell_when_due();
        assert_eq!((forged.told, forged.due()), (1, None));
        forged.add(Forged { uid: None });
        assert!(forged.due().unwrap() > now());
        forged.tell_when_due();
        assert_eq!((forged.count, forged.told), (2, 1));
        forged.tell();
        assert_eq!(forged.told, 2);
    }

    #[test]
    fn the_senders_that_are_remembered_are_few() {
        let mut forged = Noticed::default();
        (0..1000).for_each(|uid| forged.add(Forged { uid: Some(uid) }));
        assert_eq!((forged.count, forged.senders.len()), (1000, SENDERS + 1));
    }
}
