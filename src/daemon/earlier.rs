// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What `netbrokerd` tells itself when it starts anew: what it could find out only as root, and who has to wait.
#![forbid(unsafe_code)]

use std::env;
use std::time::Duration;

use super::limits::Share;

/// The variable that it is in. Whoever starts `netbrokerd` could set it, and could start any other program as well.
const NAME: &str = "NETBROKERD_EARLIER";

/// What an earlier process passes on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Earlier {
    /// Device and inode of the network namespace of process 1.
    pub(super) first_netns: Option<(u64, u64)>,
    /// The principals whose processes died, how long they wait, and how many died.
    pub(super) penalties: Vec<(Share, Duration, u32)>,
    /// The children that still serve: their ids, and whom they serve.
    pub(super) children: Vec<(i32, Share, u32)>,
}

impl Earlier {
    /// The variable: `NAME=DEVICE/INODE PRINCIPAL/MILLISECONDS/DEATHS… child/ID/PRINCIPAL/UID…`.
    pub(super) fn variable(&self) -> String {
        let first = self.first_netns.map(|(device, inode)| format!("{device}/{inode}"));
        let penalty = |(share, wait, deaths): &(Share, Duration, u32)| format!("{share}/{}/{deaths}", wait.as_millis());
        let child = |(id, share, uid): &(i32, Share, u32)| format!("child/{id}/{share}/{uid}");
        let penalties = self.penalties.iter().map(penalty);
        let words: Vec<String> = first.into_iter().chain(penalties).chain(self.children.iter().map(child)).collect();
        format!("{NAME}={}", words.join(" "))
    }

    /// Reads the variable.
    pub(super) fn read() -> Self {
        env::var(NAME).map_or_else(|_| Self::default(), |text| Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let mut earlier = Self::default();
        for word in text.split(' ') {
            let parts: Vec<&str> = word.split('/').collect();
            match parts.as_slice() {
                [device, inode] => earlier.first_netns = device.parse().ok().zip(inode.parse().ok()),
                [share, wait, deaths] => {
                    let wait = wait.parse().ok().map(Duration::from_millis);
                    earlier.penalties.extend(
                        share
                            .parse()
                            .ok()
                            .zip(wait)
                            .zip(deaths.parse().ok())
                            .map(|((share, wait), deaths)| (share, wait, deaths)),
                    );
                }
                ["child", id, share, uid] => {
                    let child = id.parse().ok().zip(share.parse().ok()).zip(uid.parse().ok());
                    earlier.children.extend(child.map(|((id, share), uid)| (id, share, uid)));
                }
                _ => {}
            }
        }
        earlier
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::rule::Principal;

    #[test]
    fn what_is_passed_on_is_read_again() {
        let all = [Some(Principal::Uid(7)), Some(Principal::Gid(8)), Some(Principal::Everyone), None];
        let penalties =
            all.into_iter().zip(1..).map(|(of, n)| (Share(of), Duration::from_millis(n.into()), n)).collect();
        let children = vec![(12, Share(Some(Principal::Gid(8))), 7), (13, Share(None), 9)];
        let earlier = Earlier { first_netns: Some((4, 4_026_531_840)), penalties, children };
        let variable = earlier.variable();
        assert_eq!(Earlier::parse(variable.strip_prefix("NETBROKERD_EARLIER=").unwrap()), earlier);
        assert_eq!(Earlier::parse(""), Earlier::default());
        assert_eq!(Earlier::parse("x/y a/b/c uid:1/2 child/1/x/2"), Earlier::default());
    }
}
