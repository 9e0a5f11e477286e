//! What waits for all links together: who gives way.

use secchat_proto::wire::link::LinkMessage;
use secchat_proto::wire::login::Role;

use super::{Bench, record};
use crate::limits::Limits;
use crate::switchboard::presence::LIST_BYTES;

/// Two pairs; nobody reads from now on.
fn two_pairs(queued_bytes: usize) -> (Bench, [super::SessionId; 4]) {
    let mut bench = Bench::with(Limits { queued_bytes, ..Limits::default() });
    let sessions = ["a", "b", "c", "d"].map(|name| bench.login(name, Role::Receiver));
    let [a, b, c, d] = sessions;
    bench.pair((a, "a"), (b, "b"), 1);
    bench.pair((c, "c"), (d, "d"), 2);
    bench.is_holding = true;
    (bench, sessions)
}

#[test]
fn whoever_has_most_waiting_gives_way_not_who_comes_last() {
    let (mut bench, [a, _, c, _]) = two_pairs(100_000);
    for _ in 0..9 {
        bench.say(a, record(1, 10_000));
    }
    bench.say(c, record(2, 5_000));
    assert!(!bench.heard().iter().any(|heard| heard.contains("closed")));
    bench.say(c, record(2, 10_000));
    bench.hears(&["4<chat(2)", "1<away(b,1)", "2<closed(TooSlow)"]);
    // What was thrown away is still there, and does not count twice.
    bench.say(c, record(2, 10_000));
    bench.hears(&["4<chat(2)"]);
}

#[test]
fn a_link_that_reads_is_never_too_slow() {
    let (mut bench, [a, b, ..]) = two_pairs(100_000);
    bench.is_holding = false;
    for _ in 0..100 {
        bench.say(a, record(1, 10_000));
        bench.say(b, LinkMessage::Refresh { watch: false });
        assert!(!bench.heard().iter().any(|heard| heard.contains("closed")));
    }
}

#[test]
fn an_eighth_is_freed_at_once() {
    let mut bench = Bench::with(Limits { queued_bytes: 800 * LIST_BYTES, ..Limits::default() });
    bench.is_holding = true;
    for n in 0..800 {
        bench.login(&format!("u{n}"), Role::Sender);
    }
    assert!(!bench.heard().iter().any(|heard| heard.contains("closed")), "a list without names each");
    bench.login("more", Role::Sender);
    let closed = bench.heard().iter().filter(|heard| heard.contains("closed(TooSlow)")).count();
    assert_eq!(closed, 101);
}
