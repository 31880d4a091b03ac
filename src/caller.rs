// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Finds out who the caller is, from facts of the kernel or, for sudo, of root. The way in is stated and never guessed.
#![forbid(unsafe_code)]

use std::env;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{getgid, getuid};

use crate::refusal::{Refusal, system};
use crate::sys;

/// Ids that are no user's: the overflow uid (`overflowuid`), and -1.
const NOBODY: [u32; 2] = [65534, u32::MAX];

/// What to do where only a listener of another process can help.
pub const LISTENER: &str = "call through `/run/netbroker/socket` (netbrokerd(8)), or through another Unix socket whose listener \
    starts `netbroker --peer` (netbroker(8))";
/// What a listener must do.
const PEER: &str = "the listener must set SO_PASSCRED, accept the connection, and start `netbroker --peer` with it as \
    descriptors 0 and 1 (netbroker(8))";
/// What to do where sudo and its like do not say who their caller is.
const SUDO: &str = "start it with `sudo netbroker`, which sets SUDO_UID and SUDO_GID";

/// How a caller reaches the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The setuid bit or file capabilities: the caller started this process itself.
    Exec,
    /// `sudo netbroker`.
    Sudo,
    /// `netbroker --peer`: the other end of the socket on descriptor 0.
    Peer,
    /// The socket of `netbrokerd`: the other end of the connection.
    Socket,
    /// Root itself.
    Root,
}

impl Way {
    /// Its name in records.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Exec => "exec",
            Self::Sudo => "sudo",
            Self::Peer => "peer",
            Self::Socket => "socket",
            Self::Root => "root",
        }
    }
}

/// The user who makes the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// The supplementary groups.
    pub groups: Vec<u32>,
}

/// Variables that doas and pkexec leave in the environment.
const NAMELESS: [&str; 2] = ["DOAS_USER", "PKEXEC_UID"];

impl Caller {
    /// All groups; the primary one first.
    pub fn all_gids(&self) -> impl Iterator<Item = u32> + '_ {
        std::iter::once(self.gid).chain(self.groups.iter().copied())
    }

    /// Finds out who the caller is. `peer` is the socket, if `--peer` was given.
    ///
    /// # Errors
    /// [`Refusal::NotPrivileged`] where the caller uses none of the ways, or has no identity.
    pub fn find(peer: Option<BorrowedFd<'static>>, system_uid: u32) -> Result<(Self, Way), Refusal> {
        let uid = getuid().as_raw();
        let found = match (peer, uid) {
            (Some(socket), _) if uid == 0 || uid == system_uid => (Self::peer(socket)?, Way::Peer),
            (Some(_), _) => {
                return Err(stated(
                    "`--peer` is only for root and the user netbroker",
                    "start netbroker without `--peer`",
                ));
            }
            (None, 0) => Self::behind_root()?,
            (None, _) => (Self::real(uid)?, Way::Exec),
        };
        found.0.require_somebody()?;
        Ok(found)
    }

    /// Requires ids that are a user's.
    ///
    /// # Errors
    /// [`Refusal::NotPrivileged`]
    pub fn require_somebody(&self) -> Result<(), Refusal> {
        if NOBODY.contains(&self.uid) || NOBODY.contains(&self.gid) {
            return Err(stated(
                "the caller's uid or gid is 65534 or 4294967295, which stands for nobody",
                "call as an ordinary user, whom the user namespace of the broker maps",
            ));
        }
        Ok(())
    }

    /// Takes the real ids: the caller started this process, and exec can have changed only the effective ids.
    fn real(uid: u32) -> Result<Self, Refusal> {
        Ok(Self { uid, gid: getgid().as_raw(), groups: sys::groups().map_err(system("getgroups"))? })
    }

    /// For real uid 0. sudo reports its caller's ids. doas and pkexec do not, in a way that root could not have
    /// inherited.
    fn behind_root() -> Result<(Self, Way), Refusal> {
        if NAMELESS.into_iter().any(|variable| env::var_os(variable).is_some()) {
            return Err(stated("doas and pkexec do not report both the uid and the gid of their caller", SUDO));
        }
        match (number("SUDO_UID")?, number("SUDO_GID")?) {
            (Some(uid), Some(gid)) => Ok((Self { uid, gid, groups: Vec::new() }, Way::Sudo)),
            (None, None) => Ok((Self::real(0)?, Way::Root)),
            _ => Err(stated("only one of SUDO_UID and SUDO_GID is set", SUDO)),
        }
    }

    /// The ids of the peer when it connected. The listener must have set `SO_PASSCRED`: if it is set later, it proves
    /// nothing about what was sent before.
    fn peer(socket: BorrowedFd<'static>) -> Result<Self, Refusal> {
        if let Some(variable) =
            NAMELESS.into_iter().chain(["SUDO_UID"]).find(|variable| env::var_os(variable).is_some())
        {
            return Err(stated(
                &format!(
                    "`--peer` with {variable}: a socket that sudo, doas or pkexec passed on belongs to another user"
                ),
                PEER,
            ));
        }
        let passes_credentials = match getsockopt(&socket, sockopt::PassCred) {
            Err(Errno::ENOTSOCK) => return Err(stated("`--peer`: descriptor 0 is not a socket", PEER)),
            other => other.map_err(system("SO_PASSCRED"))?,
        };
        if !passes_credentials {
            return Err(stated("the socket on descriptor 0 does not have SO_PASSCRED set", PEER));
        }
        Self::of_connection(socket)
    }

    /// The ids of the other end of a connection when it connected.
    ///
    /// # Errors
    /// [`Refusal::NotPrivileged`] where there is none.
    pub fn of_connection(socket: BorrowedFd<'_>) -> Result<Self, Refusal> {
        let credentials = getsockopt(&socket, sockopt::PeerCredentials).map_err(system("SO_PEERCRED"))?;
        let groups = match sys::peer_groups(socket) {
            Ok(groups) => groups,
            Err(Errno::ENODATA) => return Err(stated("the socket on descriptor 0 has no peer", PEER)),
            Err(errno) => return Err(system("SO_PEERGROUPS")(errno)),
        };
        Ok(Self { uid: credentials.uid(), gid: credentials.gid(), groups })
    }
}

/// The number in a variable that sudo sets. Only digits are accepted.
fn number(variable: &str) -> Result<Option<u32>, Refusal> {
    let Some(value) = env::var_os(variable) else { return Ok(None) };
    let digits = value.to_str().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    match digits.and_then(|text| text.parse().ok()) {
        Some(number) => Ok(Some(number)),
        None => Err(stated("SUDO_UID or SUDO_GID is not a number", SUDO)),
    }
}

/// The refusal of a caller who uses no way, or has no identity.
fn stated(missing: &str, hint: &str) -> Refusal {
    Refusal::NotPrivileged { missing: missing.to_owned(), hint: hint.to_owned() }
}
