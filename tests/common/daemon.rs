// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The test plays the daemon: it listens, and gives a connection to `netbroker --peer`.

use super::{Caller, Host, Reply};
use nix::sys::socket::{setsockopt, sockopt};
use serde_json::Value;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Output, Stdio};

const SOCKET: &str = "/run/scratch/socket";
/// Perl functions for clients: a new connection, the request, and printing what comes back.
pub const HEAD: &str = r#"
use strict; use Socket; use POSIX ();
sub connected {
    socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die; connect($s, pack_sockaddr_un("/run/scratch/socket")) or die "connect: $!"; $s
}
sub become { $) = "$_[1] $_[1]"; $( = $_[1]; POSIX::setuid($_[0]) or die "setuid: $!" }
sub send_all { syswrite($_[0], $_[1]) == length $_[1] or die "write: $!" }
sub hear { while (sysread($_[0], my $bytes, 65536)) { print $bytes } }
my $request = do { local $/; <STDIN> };
"#;
/// Sends the request and prints what comes back.
pub const CLIENT: &str = "my $s = connected(); send_all($s, $request); hear($s);";

/// A listener to which every user may connect.
pub fn listen(passcred: bool) -> UnixListener {
    let _ = std::fs::remove_file(SOCKET);
    let listener = UnixListener::bind(SOCKET).unwrap();
    setsockopt(&listener, sockopt::PassCred, &passcred).unwrap();
    std::fs::set_permissions(SOCKET, std::fs::Permissions::from_mode(0o666)).unwrap();
    listener
}

/// Runs a client's Perl script as this caller, with the request on its standard input. Returns what the script prints.
pub fn client(caller: &Caller<'_>, script: &str, bytes: &[u8]) -> Reply {
    caller.clone().program(&["perl", "-e", &format!("{HEAD}{script}")]).raw(bytes)
}

/// Serves one connection. Returns what the client printed, and how the broker ended.
pub fn serve(host: &Host, caller: &Caller<'_>, script: &str, bytes: &[u8], passcred: bool) -> (Reply, Output) {
    serve_after(host, caller, script, bytes, passcred, |_| {})
}

/// The same, but first does something to the connection.
pub fn serve_after(
    host: &Host,
    caller: &Caller<'_>,
    script: &str,
    bytes: &[u8],
    passcred: bool,
    after_accept: impl Fn(&UnixStream) + Sync,
) -> (Reply, Output) {
    let listener = listen(passcred);
    let daemon = || {
        let (socket, _) = listener.accept().unwrap();
        after_accept(&socket);
        run_on(&mut host.as_root().args(&["--peer"]).command(), OwnedFd::from(socket))
    };
    std::thread::scope(|scope| {
        let broker = scope.spawn(daemon);
        let heard = client(caller, script, bytes);
        (heard, broker.join().unwrap())
    })
}

/// Runs a command with a socket on descriptors 0 and 1, of which no other process keeps a copy.
pub fn run_on(command: &mut Command, socket: OwnedFd) -> Output {
    command.stdin(socket.try_clone().unwrap()).stdout(socket).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null());
    child.wait_with_output().unwrap()
}

/// The last message that a client received.
pub fn message(heard: &Reply) -> Value {
    heard.messages().pop().unwrap_or_else(|| panic!("no reply: {heard}"))
}
