// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The mounts of a host. They are made in the thread's own mount namespace, so they need not be unmounted.

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::{chown, geteuid};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

const NOTHING: Option<&str> = None;

/// Returns a thread to the namespaces in which it was before.
pub(super) struct Origin {
    mounts: File,
    network: File,
}

impl Origin {
    /// Moves the calling thread into new mount and network namespaces.
    pub(super) fn leave() -> Self {
        // A skipped test would make a run without rights look like a success.
        assert!(geteuid().is_root(), "these tests need root: run tests/run as root (they never skip)");
        let open = |name: &str| File::open(format!("/proc/thread-self/ns/{name}")).expect("namespaces of this thread");
        let origin = Self { mounts: open("mnt"), network: open("net") };
        if let Err(e) = unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET) {
            panic!("these tests need root with CAP_SYS_ADMIN, as on a real or virtual machine; unshare: {e}");
        }
        mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING).expect("private mounts");
        // On many machines `ip netns add` has made it a mount, and a covered mount stays in mountinfo. An error means
        // that no mount is left.
        while umount2("/run/netns", MntFlags::MNT_DETACH).is_ok() {}
        // For the broker, the machine's process 1 would be outside, and what is made here would not be visible there.
        // The broker must not see that. So this is a file that the system user cannot read, not a list of mounts.
        let cover = std::env::temp_dir().join(format!("netbroker-test-{}", nix::unistd::gettid()));
        File::create(&cover).unwrap_or_else(|e| panic!("{}: {e}", cover.display()));
        set(&cover, 0o600, 0, 0);
        // Removes the cover of another host: nothing can be mounted on a file that was removed.
        let _another_hosts = umount2("/proc/1/mountinfo", MntFlags::MNT_DETACH);
        mount(Some(&cover), "/proc/1/mountinfo", NOTHING, MsFlags::MS_BIND, NOTHING)
            .expect("a cover for the mounts of process 1");
        fs::remove_file(&cover).expect("the cover's name");
        origin
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        // A test runner may use the thread again. The mount namespace of a thread cannot be changed while it shares its
        // root and working directory, here with readers that have not quite ended. So it is unshared. It must not
        // panic, because drop may run in a panic.
        let back = unshare(CloneFlags::CLONE_FS)
            .and_then(|()| setns(&self.network, CloneFlags::CLONE_NEWNET))
            .and_then(|()| setns(&self.mounts, CloneFlags::CLONE_NEWNS));
        if let Err(e) = back {
            eprintln!("cannot go back to the first namespaces: {e}");
        }
        let _ = std::env::set_current_dir(super::source_tree());
    }
}

/// The mount namespace of the calling thread, as the kernel names it.
pub(super) fn namespace() -> String {
    let link = fs::read_link("/proc/thread-self/ns/mnt").expect("/proc");
    link.to_string_lossy().into_owned()
}

/// Gives `path` exactly these permissions and owner, whatever the umask.
pub(super) fn set(path: impl AsRef<Path>, mode: u32, uid: u32, gid: u32) {
    let path = path.as_ref();
    // The owner first: chown clears the setuid bit.
    chown(path, Some(uid.into()), Some(gid.into())).unwrap_or_else(|e| panic!("chown {}: {e}", path.display()));
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap_or_else(|e| panic!("chmod {}: {e}", path.display()));
}

/// Makes a directory with exactly these permissions and owner.
pub(super) fn directory(path: impl AsRef<Path>, mode: u32, uid: u32, gid: u32) {
    let path = path.as_ref();
    fs::create_dir(path).unwrap_or_else(|e| panic!("mkdir {}: {e}", path.display()));
    set(path, mode, uid, gid);
}

/// An empty tmpfs of root, in which set-user-id bits and devices take effect.
pub(super) fn tmpfs(on: &str, mode: u32) {
    let options = format!("mode={mode:o},uid=0,gid=0");
    mount(Some("netbroker-test"), on, Some("tmpfs"), MsFlags::empty(), Some(options.as_str()))
        .unwrap_or_else(|e| panic!("tmpfs on {on}: {e}"));
}

/// Makes it read-only, so that no test reaches the machine through it.
fn bind(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    let (from, to) = (from.as_ref(), to.as_ref());
    let read_only = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(Some(from), to, NOTHING, MsFlags::MS_BIND, NOTHING)
        .and_then(|()| mount(NOTHING, to, NOTHING, read_only, NOTHING))
        .unwrap_or_else(|e| panic!("bind {} to {}: {e}", from.display(), to.display()));
}

/// Makes `to`, and shows the file `from` there.
pub(super) fn bind_file(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    File::create(&to).unwrap();
    bind(from, to);
}

/// Covers a directory of the machine with a tmpfs that shows the same entries, read-only. Additions stay in this host,
/// and the rest still exists (sudo's plug-ins are in /usr/libexec). The machine's own netbroker is left out.
pub(super) fn cover(path: &str) {
    const BUILD: &str = "/run/.cover";
    directory(BUILD, 0o755, 0, 0);
    tmpfs(BUILD, 0o755);
    for entry in fs::read_dir(path).unwrap_or_else(|e| panic!("{path}: {e}")).map(Result::unwrap) {
        if entry.file_name().as_encoded_bytes().starts_with(b"netbroker") {
            continue;
        }
        let copy = Path::new(BUILD).join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            symlink(fs::read_link(entry.path()).unwrap(), copy).unwrap();
        } else if kind.is_dir() {
            fs::create_dir(&copy).unwrap();
            bind(entry.path(), copy);
        } else {
            bind_file(entry.path(), copy);
        }
    }
    move_to(BUILD, path);
}

fn move_to(from: &str, to: &str) {
    mount(Some(from), to, NOTHING, MsFlags::MS_MOVE, NOTHING).unwrap_or_else(|e| panic!("move {from} to {to}: {e}"));
    fs::remove_dir(from).unwrap();
}

/// An `/etc` whose changes stay here. Returns false where the kernel has no overlayfs.
pub(super) fn overlay_etc() -> bool {
    const LAYERS: &str = "/run/.etc";
    directory(LAYERS, 0o700, 0, 0);
    tmpfs(LAYERS, 0o700);
    directory("/run/.etc/upper", 0o755, 0, 0);
    directory("/run/.etc/work", 0o755, 0, 0);
    let options = "lowerdir=/etc,upperdir=/run/.etc/upper,workdir=/run/.etc/work";
    let made = mount(Some("overlay"), "/etc", Some("overlay"), MsFlags::empty(), Some(options)).is_ok();
    // The overlay holds its layers itself; no other process needs to see them.
    umount2(LAYERS, MntFlags::MNT_DETACH).unwrap();
    fs::remove_dir(LAYERS).unwrap();
    made
}

/// An `/etc` with copies of the named entries and nothing else.
pub(super) fn copy_etc(names: &[&str]) {
    const BUILD: &str = "/run/.etc";
    directory(BUILD, 0o755, 0, 0);
    tmpfs(BUILD, 0o755);
    let there = names.iter().map(|name| format!("/etc/{name}")).filter(|path| Path::new(path).exists());
    super::Ran::run(std::process::Command::new("cp").arg("-a").args(there).arg(BUILD)).ok();
    move_to(BUILD, "/etc");
}

/// A small `/dev`. The machine's may have a syslog socket, and udev decides whether everybody may open its `net/tun`.
pub(super) fn dev() {
    const BUILD: &str = "/run/.dev";
    directory(BUILD, 0o755, 0, 0);
    tmpfs(BUILD, 0o755);
    directory("/run/.dev/net", 0o755, 0, 0);
    let devices: [(&str, u64, u64); 7] = [
        ("null", 1, 3),
        ("zero", 1, 5),
        ("full", 1, 7),
        ("random", 1, 8),
        ("urandom", 1, 9),
        ("tty", 5, 0),
        ("net/tun", 10, 200),
    ];
    for (name, major, minor) in devices {
        let path = format!("{BUILD}/{name}");
        mknod(path.as_str(), SFlag::S_IFCHR, Mode::empty(), makedev(major, minor))
            .unwrap_or_else(|e| panic!("these tests need CAP_MKNOD; mknod {name}: {e}"));
        set(&path, 0o666, 0, 0);
    }
    let links =
        [("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")];
    for (name, target) in links {
        symlink(target, format!("{BUILD}/{name}")).unwrap();
    }
    directory("/run/.dev/shm", 0o1777, 0, 0);
    directory("/run/.dev/pts", 0o755, 0, 0);
    let terminals = Some("newinstance,ptmxmode=0666,mode=620,gid=5");
    mount(Some("devpts"), "/run/.dev/pts", Some("devpts"), MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, terminals)
        .expect("devpts");
    move_to(BUILD, "/dev");
}

/// A `/sys` that shows the links of the new network namespace; an existing one keeps showing its own.
pub(super) fn sys() {
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), NOTHING).expect("sysfs");
}
