// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a call needs from the process that carries it out: the last stage, its capabilities, and what the first filter
//! must allow.
#![forbid(unsafe_code)]

use std::fmt;

use caps::Capability;

/// What a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// The capabilities of the last stage.
    pub capabilities: &'static [Capability],
    /// What the first filter must allow for callers who may make the call.
    pub profile: Profile,
    /// The last stage.
    pub stage: LastStage,
    /// Whether the process enters the namespace that `netns` names. Otherwise it stays where the broker was started.
    pub enters: bool,
}

/// The last stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastStage {
    /// A netlink transaction.
    Transaction,
    /// A netlink transaction that also makes a link through `/dev/net/tun`.
    Tun,
    /// Reads the names under `/run/netns`.
    Names,
    /// Finds the processes in a namespace.
    Pids,
    /// Adds and deletes namespaces.
    Namespaces,
}

impl Needs {
    /// A transaction that needs no capability.
    pub const NOTHING: Self =
        Self { capabilities: &[], profile: Profile::LINK, stage: LastStage::Transaction, enters: true };
    /// The same, but it does not enter the namespace.
    pub const LOOK: Self = Self { enters: false, ..Self::NOTHING };
    /// Reads the names under `/run/netns`; needs no capability.
    pub const NAMES: Self = Self { stage: LastStage::Names, ..Self::LOOK };
    /// Finds the processes in a namespace; needs no capability.
    pub const PIDS: Self = Self { stage: LastStage::Pids, ..Self::NOTHING };
    /// A transaction with `CAP_NET_ADMIN`.
    pub const NET_ADMIN: Self = Self { capabilities: &[Capability::CAP_NET_ADMIN], ..Self::NOTHING };
    /// The same, but it does not enter the namespace.
    pub const NUMBERS: Self = Self { enters: false, ..Self::NET_ADMIN };
    /// A transaction with `CAP_NET_ADMIN` and `/dev/net/tun`.
    pub const TUN: Self = Self { profile: Profile::TUN, stage: LastStage::Tun, ..Self::NET_ADMIN };
    /// Adds and deletes namespaces.
    pub const NAMESPACES: Self = Self {
        capabilities: &[Capability::CAP_SYS_ADMIN, Capability::CAP_DAC_OVERRIDE],
        profile: Profile::NAMESPACES,
        stage: LastStage::Namespaces,
        enters: false,
    };
}

/// What the rules of a caller can need in addition to what every caller needs, as bits. A compiled policy has the union
/// of the bits for each principal. A bit is never used again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Profile(u32);

/// One bit of a profile.
#[derive(Debug)]
pub struct Extra {
    /// The profile with only this bit.
    pub profile: Profile,
    /// Its name.
    pub name: &'static str,
    /// The capabilities that a process keeps for it until the request is judged. A process without them refuses the
    /// calls, and its filter does not allow anything for them.
    pub capabilities: &'static [Capability],
}

/// Every bit.
pub const EXTRAS: [Extra; 2] = [
    Extra { profile: Profile::NAMESPACES, name: "namespaces", capabilities: &[Capability::CAP_DAC_OVERRIDE] },
    Extra { profile: Profile::TUN, name: "tun", capabilities: &[] },
];

impl Profile {
    /// What every caller needs: netlink in one namespace.
    pub const LINK: Self = Self(0);
    /// Adds or deletes namespaces.
    pub const NAMESPACES: Self = Self(1);
    /// Makes links through `/dev/net/tun`.
    pub const TUN: Self = Self(1 << 1);

    /// The union of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This profile without the bits of another.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether it has all bits of another.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits, as in compiled policies.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The profile with these bits; `None` if one is unknown.
    #[must_use]
    pub fn from_bits(bits: u32) -> Option<Self> {
        let known = EXTRAS.iter().fold(0, |known, extra| known | extra.profile.0);
        (bits & !known == 0).then_some(Self(bits))
    }

    /// The bits that are set.
    pub fn extras(self) -> impl Iterator<Item = &'static Extra> {
        const { &EXTRAS }.iter().filter(move |extra| self.has(extra.profile))
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = std::iter::once("link").chain(self.extras().map(|extra| extra.name)).collect();
        f.write_str(&names.join("+"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_is_one_of_its_own_and_an_unknown_one_is_refused() {
        let mut all = 0;
        for extra in &EXTRAS {
            assert_eq!(extra.profile.bits().count_ones(), 1, "{}", extra.name);
            assert_eq!(all & extra.profile.bits(), 0, "{}", extra.name);
            all |= extra.profile.bits();
        }
        assert_eq!(Profile::from_bits(all).map(Profile::bits), Some(all));
        assert!(
            (0..32).map(|shift| 1 << shift).filter(|bit| all & bit == 0).all(|bit| Profile::from_bits(bit).is_none())
        );
    }
}
