// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Descriptor 0 does not belong to the broker alone: its caller may set any option of the socket, and other processes
//! may read from it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use common::Way;
use common::scene::{MTU_REQUEST, mtu, mtu_host, only_refusals, perl, text};
use std::process::Output;
use std::time::{Duration, Instant};

const DONE: &str = "{\"parameters\":{}}\0";
/// A socket `$s` on descriptor 0 with the request in it; `$ours` is the other end.
const QUEUED: &str = "socketpair(my $ours, my $s, PF_UNIX, SOCK_STREAM, 0) or die; syswrite $ours, $request;";
/// Another process keeps the other end open until the broker has ended.
const HELD: &str = "beside { sleep 1000 }; close $ours;";

fn request() -> String {
    format!(r#"my $request = '{MTU_REQUEST}' . "\0";"#)
}

fn served(ended: &Output) -> bool {
    assert!(ended.status.code().is_some(), "ended by a signal: {ended:?}");
    ended.status.code() == Some(0) && text(&ended.stdout) == DONE
}

#[test]
fn an_option_of_the_socket_makes_it_neither_wait_nor_read_anything_else() {
    let host = mtu_host(Way::Setuid);
    // Integer options of SOL_SOCKET, and whether the request is still served: what cannot be read exactly is refused.
    let options = [
        ("SO_PEEK_OFF 0", "setsockopt($s, 1, 42, 0)", true),
        ("SO_PEEK_OFF 1", "setsockopt($s, 1, 42, 1)", false),
        ("SO_PEEK_OFF 40", "setsockopt($s, 1, 42, 40)", false),
        ("SO_RCVLOWAT", "setsockopt($s, 1, 18, 1 << 30)", true),
        ("SO_RCVTIMEO", "setsockopt($s, 1, 20, pack 'q2', 0, 1)", true),
        ("SO_PASSCRED", "setsockopt($s, 1, 16, 1)", true),
        ("SO_PASSSEC", "setsockopt($s, 1, 34, 1)", true),
        ("SO_TIMESTAMP", "setsockopt($s, 1, 29, 1)", true),
        ("SO_OOBINLINE", "setsockopt($s, 1, 10, 1)", true),
        ("a descriptor that does not wait", "fcntl($s, F_SETFL, O_NONBLOCK | O_RDWR)", true),
    ];
    for (what, set, is_served) in options {
        host.ip("link set v0 mtu 1500");
        let since = Instant::now();
        let script = format!(r#"{} {QUEUED} {set} or die "{what}: $!"; {HELD} put(0, $s); broker();"#, request());
        let ended = perl(&host.caller(), &script);
        assert_eq!(served(&ended), is_served, "{what}: {ended:?}");
        assert_eq!(mtu(&host), if is_served { "1400" } else { "1500" }, "{what}");
        assert!(is_served || ended.status.code() == Some(65), "{what}: {ended:?}");
        assert!(since.elapsed() < Duration::from_secs(8), "{what}: {:?}", since.elapsed());
    }
}

#[test]
fn a_look_that_begins_elsewhere_takes_no_other_message() {
    let host = mtu_host(Way::Setuid);
    // What a peek shows is a permitted request, and what would be taken is not; then the other way round.
    let other = MTU_REQUEST.replace("1400", "1300");
    let offset = other.len() + 1;
    let script = format!(
        r#"{} $request = '{other}' . "\0" . $request; {QUEUED} setsockopt($s, 1, 42, {offset}) or die; put(0, $s); broker();"#,
        request()
    );
    let ended = perl(&host.caller(), &script);
    assert_eq!((ended.status.code(), text(&ended.stdout)), (Some(65), String::new()), "{ended:?}");
    assert!(text(&ended.stderr).contains("another process reads"), "{ended:?}");
    assert_eq!(mtu(&host), "1500");
    only_refusals(&host);
    assert_eq!(host.trail().len(), 1);
}

#[test]
fn what_was_taken_counts_and_not_what_was_seen() {
    let host = mtu_host(Way::Setuid);
    // Between the peek and the taking, a thief takes the first bytes, and others follow.
    let hold = "inject=recvfrom:delay_exit=400000:when=1";
    let tracer = ["strace", "-q", "-o", "/dev/null", "-e", "trace=recvfrom", "-e", hold];
    let script = format!(
        r#"{} socketpair(my $ours, my $s, PF_UNIX, SOCK_STREAM, 0) or die; syswrite $ours, substr($request, 0, 40);
        beside {{ select undef, undef, undef, 0.2; sysread $s, my $got, 30; syswrite $ours, substr($request, 40) }};
        close $ours; put(0, $s); broker();"#,
        request()
    );
    let ended = perl(&host.caller().under(&tracer), &script);
    assert_eq!((ended.status.code(), mtu(&host).as_str()), (Some(65), "1500"), "{ended:?}");
    assert!(text(&ended.stderr).contains("another process reads"), "{ended:?}");
    only_refusals(&host);
}
