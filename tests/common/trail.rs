// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The host plays journald or syslog: what was sent, and who sent it according to the kernel.

use nix::cmsg_space;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg, setsockopt, sockopt};
use std::io::{ErrorKind, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

const JOURNALD: &str = "/run/systemd/journal/socket";
const SYSLOG: &str = "/dev/log";
/// The bytes that fill the queue of a deaf trail; they are not a record.
const FILLER: &[u8] = b"NOBODY_READS=this";

/// What the host plays.
#[derive(Clone, Copy, Debug)]
pub(super) enum Playing {
    Nothing,
    Journald,
    Syslog,
    Deaf { after: usize },
}

/// One datagram.
#[derive(Clone, Debug)]
pub struct Record {
    /// The sender, as in journald's `_UID`.
    pub uid: u32,
    pub gid: u32,
    pub pid: i32,
    /// Fields in the order in which they were sent. For a line to syslog: the fields in it, under their names in the
    /// journal.
    pub fields: Vec<(String, String)>,
    /// The datagram itself.
    pub raw: Vec<u8>,
}

impl Record {
    /// The first value of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values(name).next()
    }

    /// The value of a field that must exist.
    pub fn field(&self, name: &str) -> &str {
        self.get(name).unwrap_or_else(|| panic!("no {name} in {self:#?}"))
    }

    /// All values of a field: journald lets a field occur several times.
    pub fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let name = name.to_owned();
        self.fields.iter().filter(move |(key, _)| *key == name).map(|(_, value)| value.as_str())
    }

    /// The datagram as text, for syslog.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }
}

struct Datagram {
    sender: UnixCredentials,
    raw: Vec<u8>,
}

struct Socket {
    socket: UnixDatagram,
    /// Whoever empties the queue takes this lock, so that the order is kept.
    received: Mutex<Vec<Datagram>>,
    stop: AtomicBool,
}

/// The socket and the thread that empties it.
pub(super) struct Trail {
    playing: Playing,
    socket: Option<Arc<Socket>>,
    reader: Option<JoinHandle<()>>,
}

impl Trail {
    /// Starts in the namespaces of the calling thread.
    pub(super) fn play(playing: Playing) -> Self {
        let path = match playing {
            Playing::Nothing => return Self { playing, socket: None, reader: None },
            Playing::Journald | Playing::Deaf { .. } => {
                super::mounts::directory("/run/systemd", 0o755, 0, 0);
                super::mounts::directory("/run/systemd/journal", 0o755, 0, 0);
                JOURNALD
            }
            Playing::Syslog => SYSLOG,
        };
        let socket = UnixDatagram::bind(path).unwrap_or_else(|e| panic!("{path}: {e}"));
        super::mounts::set(path, 0o666, 0, 0);
        setsockopt(&socket, sockopt::PassCred, &true).expect("SO_PASSCRED");
        socket.set_nonblocking(true).unwrap();
        let socket = Arc::new(Socket { socket, received: Mutex::default(), stop: AtomicBool::new(false) });
        if let Playing::Deaf { after } = playing {
            fill(&socket, path, after);
            return Self { playing, socket: Some(socket), reader: None };
        }
        let shared = Arc::clone(&socket);
        let reader = Some(std::thread::spawn(move || shared.read_on()));
        Self { playing, socket: Some(socket), reader }
    }

    pub(super) fn is_deaf(&self) -> bool {
        matches!(self.playing, Playing::Deaf { .. })
    }

    pub(super) fn forget(&self) {
        let socket = self.socket.as_ref().expect("this host has no trail");
        socket.drain(usize::MAX);
        socket.received.lock().unwrap().clear();
    }

    pub(super) fn records(&self) -> Vec<Record> {
        let socket = self.socket.as_ref().expect("this host has no trail");
        // The reader may not have woken yet.
        socket.drain(usize::MAX);
        let received = socket.received.lock().unwrap();
        received
            .iter()
            .filter(|d| d.raw != FILLER)
            .map(|d| record(d, matches!(self.playing, Playing::Syslog)))
            .collect()
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        if let (Some(socket), Some(reader)) = (&self.socket, self.reader.take()) {
            socket.stop.store(true, Ordering::Relaxed);
            let _ = socket.socket.shutdown(std::net::Shutdown::Both); // wakes the reader
            let _ = reader.join();
        }
    }
}

impl Socket {
    /// Empties the queue as long as the host exists: the kernel holds ten datagrams, then senders wait.
    fn read_on(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            let mut ready = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
            let _ = poll(&mut ready, PollTimeout::from(100_u8));
            self.drain(usize::MAX);
        }
    }

    fn drain(&self, at_most: usize) {
        let mut received = self.received.lock().unwrap();
        for _ in 0..at_most {
            let Some(datagram) = receive(&self.socket) else { return };
            received.push(datagram);
        }
    }
}

fn receive(socket: &UnixDatagram) -> Option<Datagram> {
    let mut raw = vec![0; 256 << 10];
    let mut control = cmsg_space!(UnixCredentials);
    let mut parts = [IoSliceMut::new(&mut raw)];
    // EAGAIN: no datagram; the other errors of a socket that is shut down mean the same.
    let got = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::MSG_DONTWAIT).ok()?;
    let sender = got.cmsgs().ok()?.find_map(|message| match message {
        ControlMessageOwned::ScmCredentials(sender) => Some(sender),
        _ => None,
    })?;
    let bytes = got.bytes;
    raw.truncate(bytes);
    Some(Datagram { sender, raw })
}

/// Fills the queue from the sending side, then makes room for `after` records.
fn fill(socket: &Socket, path: &str, after: usize) {
    assert!(after <= 5, "the kernel's queue holds about ten datagrams");
    loop {
        // Each datagram has its own sender, because one sender would first reach the limit of its own buffer.
        let sender = UnixDatagram::unbound().unwrap();
        sender.set_nonblocking(true).unwrap();
        match sender.send_to(FILLER, path) {
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => break,
            Err(e) => panic!("filling {path}: {e}"),
        }
    }
    socket.drain(after);
}

fn record(datagram: &Datagram, syslog: bool) -> Record {
    let fields = if syslog { line_fields(&datagram.raw) } else { fields(&datagram.raw) };
    let sender = &datagram.sender;
    Record { uid: sender.uid(), gid: sender.gid(), pid: sender.pid(), fields, raw: datagram.raw.clone() }
}

/// `<86>netbroker[7]: event=… request=…`: a value with a blank in it is a JSON string. Lines of other programs have no
/// fields.
fn line_fields(raw: &[u8]) -> Vec<(String, String)> {
    let line = String::from_utf8_lossy(raw);
    let Some((_, mut rest)) = line.split_once(": ").filter(|(_, said)| said.starts_with("event=")) else {
        return Vec::new();
    };
    let mut fields = Vec::new();
    while let Some((name, given)) = rest.split_once('=') {
        let mut quoted = serde_json::Deserializer::from_str(given).into_iter::<String>();
        let (value, end) = match quoted.next() {
            Some(Ok(text)) => (text, quoted.byte_offset()), // a bare word is not a JSON string
            _ => {
                given.split_once(' ').map_or((given.to_owned(), given.len()), |(word, _)| (word.to_owned(), word.len()))
            }
        };
        fields.push((format!("NETBROKER_{}", name.to_uppercase()), value));
        rest = given.get(end..).unwrap_or_default().trim_start_matches(' ');
    }
    fields
}

/// Journald's native protocol: `KEY=value` lines, or `KEY`, newline, 64-bit little-endian length, data, newline.
///
/// Journald silently drops what it cannot read; here that is a failure. <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>
fn fields(raw: &[u8]) -> Vec<(String, String)> {
    let broken = |why: &str| -> ! { panic!("journald would drop a field ({why}): {}", raw.escape_ascii()) };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| broken("not UTF-8"));
    let (mut fields, mut rest) = (Vec::new(), raw);
    while !rest.is_empty() {
        let Some(end) = rest.iter().position(|b| *b == b'\n') else { broken("no newline at the end") };
        let line = &rest[..end];
        rest = &rest[end + 1..];
        let (name, value) = if let Some(sign) = line.iter().position(|b| *b == b'=') {
            (&line[..sign], &line[sign + 1..])
        } else {
            let Some((length, data)) = rest.split_first_chunk::<8>() else { broken("no length") };
            let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
            if data.get(length) != Some(&b'\n') {
                broken("a wrong length");
            }
            rest = &data[length + 1..];
            (line, &data[..length])
        };
        let named = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_';
        if !name.first().is_some_and(u8::is_ascii_uppercase) || !name.iter().all(named) || name.len() > 64 {
            broken("its name");
        }
        fields.push((text(name), text(value)));
    }
    fields
}
