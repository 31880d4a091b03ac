// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who asks, by kernel facts only. The way in is stated, never guessed.
#![forbid(unsafe_code)]

use std::env;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{getgid, getuid};

use crate::refusal::{Refusal, system};
use crate::sys;

/// The kernel's uid for "no such user here" (`overflowuid`), and its -1.
const NOBODY: [u32; 2] = [65534, u32::MAX];

/// The ways in, for whoever came by none of them.
pub const WAYS: &str = "ways in: the setuid bit, or file capabilities \
    cap_net_admin,cap_sys_admin,cap_setuid,cap_setgid,cap_dac_override=p, on a netbroker that the caller may run, without \
    no_new_privs, nosuid or a user namespace; `sudo netbroker`; a Unix socket whose listener starts `netbroker --peer`";

/// How a caller reaches the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The setuid bit or file capabilities: the caller started this process itself.
    Exec,
    /// `sudo netbroker`.
    Sudo,
    /// `netbroker --peer`: the other end of the socket on descriptor 0.
    Peer,
    /// Root itself.
    Root,
}

impl Way {
    /// One word for the trail.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Sudo => "sudo",
            Self::Peer => "peer",
            Self::Root => "root",
        }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// The supplementary groups.
    pub groups: Vec<u32>,
}

/// What doas and pkexec leave in the environment.
const NAMELESS: [&str; 2] = ["DOAS_USER", "PKEXEC_UID"];

impl Caller {
    /// All groups; the primary one first.
    pub fn all_gids(&self) -> impl Iterator<Item = u32> + '_ {
        std::iter::once(self.gid).chain(self.groups.iter().copied())
    }

    /// Finds out who asks; `peer` is the socket where `--peer` was said.
    ///
    /// # Errors
    /// [`Refusal::NotPrivileged`] where the way is none of the ways, or the caller has no identity.
    pub fn find(peer: Option<BorrowedFd<'static>>, system_uid: u32) -> Result<(Self, Way), Refusal> {
        let uid = getuid().as_raw();
        let found = match (peer, uid) {
            (Some(socket), _) if uid == 0 || uid == system_uid => (Self::peer(socket)?, Way::Peer),
            (Some(_), _) => {
                return Err(stated("`--peer` is for root and the user netbroker: it names the other end of a socket"));
            }
            (None, 0) => Self::behind_root()?,
            (None, _) => (Self::real(uid)?, Way::Exec),
        };
        if NOBODY.contains(&found.0.uid) || NOBODY.contains(&found.0.gid) {
            return Err(stated("uid and gid 65534 and 4294967295 are nobody's: the caller has no identity here"));
        }
        Ok(found)
    }

    /// The real ids: the caller started this process, and exec changed the effective ones at most.
    fn real(uid: u32) -> Result<Self, Refusal> {
        Ok(Self { uid, gid: getgid().as_raw(), groups: sys::groups().map_err(system("getgroups"))? })
    }

    /// Real uid 0: sudo says for whom; doas and pkexec do not say it in a way that root could not have inherited.
    fn behind_root() -> Result<(Self, Way), Refusal> {
        if NAMELESS.into_iter().any(|variable| env::var_os(variable).is_some()) {
            return Err(stated(
                "doas and pkexec do not name their caller by number; use sudo, the setuid bit or the socket",
            ));
        }
        match (number("SUDO_UID")?, number("SUDO_GID")?) {
            (Some(uid), Some(gid)) => Ok((Self { uid, gid, groups: Vec::new() }, Way::Sudo)),
            (None, None) => Ok((Self::real(0)?, Way::Root)),
            _ => Err(stated("one of SUDO_UID and SUDO_GID is missing")),
        }
    }

    /// The peer as it was when it connected. `SO_PASSCRED` must have been set by the listener: set later, it says
    /// nothing about what was sent before.
    fn peer(socket: BorrowedFd<'static>) -> Result<Self, Refusal> {
        if let Some(variable) =
            NAMELESS.into_iter().chain(["SUDO_UID"]).find(|variable| env::var_os(variable).is_some())
        {
            return Err(stated(&format!(
                "`--peer` together with {variable}: a socket that sudo, doas or pkexec passed on is somebody else's"
            )));
        }
        let passes_credentials = match getsockopt(&socket, sockopt::PassCred) {
            Err(Errno::ENOTSOCK) => return Err(stated("`--peer`: descriptor 0 is no socket")),
            other => other.map_err(system("SO_PASSCRED"))?,
        };
        if !passes_credentials {
            return Err(stated("the socket on descriptor 0 lacks SO_PASSCRED; its listener has to set it"));
        }
        let credentials = getsockopt(&socket, sockopt::PeerCredentials).map_err(system("SO_PEERCRED"))?;
        let groups = match sys::peer_groups(socket) {
            Ok(groups) => groups,
            Err(Errno::ENODATA) => return Err(stated("the socket on descriptor 0 has no peer")),
            Err(errno) => return Err(system("SO_PEERGROUPS")(errno)),
        };
        Ok(Self { uid: credentials.uid(), gid: credentials.gid(), groups })
    }
}

/// A number that sudo left in the environment, in digits only.
fn number(variable: &str) -> Result<Option<u32>, Refusal> {
    let Some(value) = env::var_os(variable) else { return Ok(None) };
    let digits = value.to_str().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    match digits.and_then(|text| text.parse().ok()) {
        Some(number) => Ok(Some(number)),
        None => Err(stated("SUDO_UID or SUDO_GID is no number")),
    }
}

/// A way in that is none, or a caller without an identity.
fn stated(missing: &str) -> Refusal {
    Refusal::NotPrivileged { missing: missing.to_owned(), hint: WAYS.to_owned() }
}
