//! The list, its changes, logins that replace, links that are too slow.

use std::time::Duration;

use secchat_proto::wire::link::{Answer, LinkMessage};
use secchat_proto::wire::login::Role;

use super::{Bench, lobby, record, response, resume, rtt};
use crate::limits::Limits;

const REFRESH: LinkMessage = LinkMessage::Refresh { watch: false };

fn become_(role: Role) -> LinkMessage {
    LinkMessage::Presence { role }
}

#[test]
fn the_list_holds_who_is_available_but_oneself() {
    let mut bench = Bench::new();
    bench.login("dora", Role::Receiver);
    bench.hears(&["1<list()"]);
    bench.login("bob", Role::Receiver);
    bench.hears(&["2<list(dora)"]);
    let alice = bench.login("alice", Role::Sender);
    bench.hears(&["3<list(bob,dora)"]);
    bench.say(alice, become_(Role::Receiver));
    bench.say(alice, REFRESH);
    bench.hears(&["3<list(bob,dora)"]);
    let bob = bench.login("bob", Role::Sender);
    bench.hears(&["2<closed(Replaced)", "4<list(alice,dora)"]);
    bench.say(bob, REFRESH);
    bench.say(alice, REFRESH);
    bench.hears(&["4<list(alice,dora)", "3<list(dora)"]);
}

#[test]
fn changes_are_gathered_for_watchers_only() {
    let mut bench = Bench::new();
    let watcher = bench.login_watching("alice", Role::Sender, true);
    bench.login("bob", Role::Sender);
    bench.pass(Duration::from_secs(10));
    bench.heard();
    assert_eq!(bench.board.poll_timeout(), None, "nothing to gather");

    let carol = bench.login("carol", Role::Receiver);
    let dora = bench.login("dora", Role::Receiver);
    bench.heard();
    let due = bench.board.poll_timeout().expect("something to gather");
    assert_eq!(due - bench.now.instant, Duration::from_secs(3));
    bench.pass(Duration::from_millis(2_999));
    bench.hears(&[]);
    bench.board.handle_gone(dora, bench.now);
    bench.pass(Duration::from_millis(1));
    bench.hears(&["1<came(carol)", "1<went(dora)"]);

    // Who went and came is told as come: requests must be made again.
    bench.board.handle_gone(carol, bench.now);
    bench.login("carol", Role::Receiver);
    bench.heard();
    bench.pass(Duration::from_secs(3));
    bench.hears(&["1<came(carol)"]);

    // Until the next Refresh.
    bench.say(watcher, REFRESH);
    bench.hears(&["1<list(carol)"]);
    bench.login("dora", Role::Receiver);
    bench.heard();
    bench.pass(Duration::from_secs(3));
    bench.hears(&[]);
}

#[test]
fn a_watcher_is_not_told_of_itself() {
    let mut bench = Bench::new();
    let alice = bench.login_watching("alice", Role::Receiver, true);
    bench.heard();
    bench.pass(Duration::from_secs(3));
    bench.hears(&[]);
    bench.say(alice, become_(Role::Sender));
    bench.pass(Duration::from_secs(3));
    bench.hears(&[]);
}

#[test]
fn lists_asked_for_too_often_wait_for_the_next_gathering() {
    let mut bench = Bench::with(Limits { refreshes_per_minute: 2, ..Limits::default() });
    let alice = bench.login("alice", Role::Sender);
    bench.hears(&["1<list()"]);
    bench.say(alice, REFRESH);
    bench.hears(&["1<list()"]);
    for _ in 0..100 {
        bench.say(alice, REFRESH);
    }
    bench.hears(&[]);
    bench.pass(Duration::from_secs(3));
    bench.hears(&["1<list()"]);
    bench.pass(Duration::from_secs(60));
    bench.say(alice, REFRESH);
    bench.hears(&["1<list()"]);
}

#[test]
fn one_list_waits_for_a_link_at_most_and_the_next_is_the_newest() {
    let mut bench = Bench::new();
    bench.is_holding = true;
    let alice = bench.login_watching("alice", Role::Sender, true);
    bench.login("bob", Role::Receiver);
    bench.hears(&["1<list()", "2<list()"]);
    bench.say(alice, REFRESH);
    bench.pass(Duration::from_secs(3));
    bench.hears(&[]);
    bench.held.clear();
    bench.pass(Duration::from_secs(3));
    bench.hears(&["1<list(bob)"]);
}

#[test]
fn many_are_told_of_changes_a_few_at_a_time_and_never_of_older_ones_after_a_list() {
    let mut bench = Bench::new();
    let watchers: Vec<_> =
        (0..1_000).map(|n| bench.login_watching(&format!("u{n:03}"), Role::Sender, true)).collect();
    bench.login("bob", Role::Receiver);
    bench.heard();
    bench.pass(Duration::from_secs(3));
    let first = bench.heard().len();
    assert!((1..1_000).contains(&first), "{first}");

    let last = watchers[999];
    bench.say(last, LinkMessage::Refresh { watch: true });
    bench.hears(&["1000<list(bob)"]);
    let mut told = first;
    while let Some(due) = bench.board.poll_timeout() {
        assert!(due - bench.now.instant < Duration::from_secs(1), "bob's is the only change");
        bench.pass(due - bench.now.instant);
        let heard = bench.heard();
        told += heard.len();
        assert!(heard.iter().all(|heard| heard.ends_with("<came(bob)") && !heard.starts_with("1000<")));
    }
    assert_eq!(told, 999);
}

#[test]
fn a_second_login_replaces_the_first_with_its_pairs_and_offers() {
    let mut bench = Bench::new();
    let alice = bench.login("alice", Role::Receiver);
    let bob = bench.login("bob", Role::Receiver);
    let carol = bench.login("carol", Role::Receiver);
    bench.pair((alice, "alice"), (bob, "bob"), 1);
    bench.say(alice, rtt("carol", 2));
    bench.say(carol, rtt("alice", 3));
    bench.heard();

    let again = bench.login("alice", Role::Receiver);
    // The pair goes; the request to alice stays, and the new link has it; alice's own must be made again.
    bench.hears(&[
        "2<away(alice,1)",
        "1<closed(Replaced)",
        "4<list(bob,carol)",
        "4<key(carol)",
        "4<rtt(carol,3)",
    ]);
    bench.say(carol, response(Answer::Accept, "alice", 2));
    bench.hears(&[]);
    bench.say(alice, record(1, 10));
    bench.say(alice, lobby(1));
    bench.hears(&[]);
    bench.say(again, rtt("carol", 2));
    bench.hears(&["3<resume(alice,2)", "4<key(carol)", "4<accept(carol,2)"]);
}

#[test]
fn a_link_that_does_not_take_the_relays_own_messages_is_closed() {
    let mut bench = Bench::with(Limits { link_queue_messages: 3, ..Limits::default() });
    bench.is_holding = true;
    let alice = bench.login("alice", Role::Receiver);
    let bob = bench.login("bob", Role::Receiver);
    bench.say(alice, resume("bob", 1));
    bench.say(bob, resume("alice", 1));
    bench.hears(&["1<list()", "2<list(alice)", "1<resume(bob,1)", "2<resume(alice,1)"]);
    bench.say(bob, rtt("alice", 2));
    bench.hears(&["1<key(bob)", "2<away(alice,1)", "1<closed(TooSlow)"]);
    bench.say(alice, REFRESH);
    bench.hears(&[]);
}

#[test]
fn a_shutdown_logs_everybody_out() {
    let mut bench = Bench::new();
    let alice = bench.login("alice", Role::Receiver);
    let bob = bench.login("bob", Role::Receiver);
    bench.pair((alice, "alice"), (bob, "bob"), 1);
    bench.board.handle_shutdown();
    bench.say(alice, record(1, 10));
    bench.hears(&["1<closed(Closing)", "2<closed(Closing)"]);
    assert_eq!(bench.board.poll_timeout(), None);
}
