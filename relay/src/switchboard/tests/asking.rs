//! Requests to talk: whom they reach, how they end, what they cost.

use std::time::Duration;

use secchat_proto::wire::link::{Answer, LinkMessage};
use secchat_proto::wire::login::Role;
use secchat_proto::wire::request::RequestToTalk;

use super::{Bench, NOON, lobby, record, request, response, resume, rtt, user};
use crate::limits::Limits;

#[test]
fn hidden_offline_unknown_and_oneself_are_the_same() {
    let mut bench = Bench::new();
    let alice = bench.login("alice", Role::Receiver);
    bench.login("hidden", Role::Sender);
    let gone = bench.login("offline", Role::Receiver);
    bench.board.handle_gone(gone, bench.now);
    bench.heard();
    for name in ["hidden", "offline", "unknown", "alice"] {
        bench.say(alice, rtt(name, 1));
        bench.hears(&[&format!("1<away({name},1)")]);
        // Nothing that follows tells them apart either.
        for message in [
            response(Answer::Accept, name, 1),
            resume(name, 2),
            response(Answer::Refuse, name, 2),
            response(Answer::Withdraw, name, 3),
            record(1, 10),
            lobby(1),
        ] {
            bench.say(alice, message.clone());
            assert_eq!(bench.heard(), Vec::<String>::new(), "{name}: {message:?}");
        }
    }
}

#[test]
fn who_was_not_shown_a_request_hears_nothing_of_its_end() {
    let mut bench = Bench::new();
    let alice = bench.login("alice", Role::Receiver);
    bench.login("hidden", Role::Sender);
    bench.heard();
    bench.say(alice, rtt("hidden", 1));
    bench.hears(&["1<away(hidden,1)"]);
    // Another one in its place, and that one taken back.
    bench.say(alice, rtt("hidden", 2));
    bench.hears(&["1<away(hidden,2)"]);
    bench.say(alice, response(Answer::Withdraw, "hidden", 2));
    bench.hears(&[]);
}

#[test]
fn a_request_stays_and_is_delivered_once_on_each_link() {
    let mut bench = Bench::new();
    let alice = bench.login("alice", Role::Sender);
    bench.say(alice, rtt("bob", 1));
    bench.hears(&["1<list()", "1<away(bob,1)"]);
    let bob = bench.login("bob", Role::Sender);
    bench.hears(&["2<list()"]);
    bench.say(bob, LinkMessage::Presence { role: Role::Receiver });
    bench.hears(&["2<key(alice)", "2<rtt(alice,1)"]);
    bench.say(bob, LinkMessage::Presence { role: Role::Sender });
    bench.say(bob, LinkMessage::Presence { role: Role::Receiver });
    bench.hears(&[]);
    bench.login("bob", Role::Receiver);
    bench.hears(&["2<closed(Replaced)", "3<list()", "3<key(alice)", "3<rtt(alice,1)"]);
    bench.board.handle_gone(alice, bench.now);
    bench.login("bob", Role::Receiver);
    bench.hears(&["3<closed(Replaced)", "4<list()"]);
}

#[test]
fn the_same_request_again_tells_a_hidden_addressee_from_nobody() {
    let mut bench = Bench::new();
    let alice = bench.login("alice", Role::Sender);
    let bob = bench.login("bob", Role::Receiver);
    bench.say(alice, rtt("bob", 1));
    bench.heard();
    bench.say(bob, LinkMessage::Presence { role: Role::Sender });
    bench.say(alice, rtt("bob", 1));
    bench.hears(&["1<away(bob,1)"]);
}

#[test]
fn whoever_asks_can_be_asked_back_though_hidden() {
    let mut bench = Bench::new();
    let alice = bench.login("alice", Role::Sender);
    let bob = bench.login("bob", Role::Sender);
    bench.heard();
    bench.say(alice, rtt("bob", 1));
    bench.hears(&["1<away(bob,1)"]);
    bench.say(bob, rtt("alice", 2));
    bench.hears(&["1<key(bob)", "1<rtt(bob,2)", "2<key(alice)", "2<rtt(alice,1)"]);
    bench.say(bob, response(Answer::Accept, "alice", 1));
    bench.hears(&["1<key(bob)", "1<accept(bob,1)", "2<resume(alice,1)"]);
    bench.say(bob, response(Answer::Withdraw, "alice", 2));
    bench.hears(&["1<withdraw(bob,2)"]);
}

#[test]
fn a_new_request_to_the_same_person_replaces_the_old() {
    let mut bench = Bench::new();
    let alice = bench.login("alice", Role::Sender);
    let bob = bench.login("bob", Role::Receiver);
    bench.say(alice, rtt("bob", 1));
    bench.heard();
    bench.say(alice, rtt("bob", 2));
    bench.hears(&["2<withdraw(alice,1)", "2<key(alice)", "2<rtt(alice,2)"]);
    bench.say(bob, response(Answer::Accept, "alice", 1));
    bench.hears(&[]);
    bench.say(bob, response(Answer::Accept, "alice", 2));
    bench.hears(&["1<key(bob)", "1<accept(bob,2)", "2<resume(alice,2)"]);
}

#[test]
fn an_answer_ends_a_request() {
    let mut bench = Bench::new();
    let alice = bench.login("alice", Role::Sender);
    let bob = bench.login("bob", Role::Receiver);
    for answer in [Answer::Refuse, Answer::Withdraw] {
        bench.say(alice, rtt("bob", 1));
        bench.heard();
        let (from, to, name) = if answer == Answer::Refuse { (bob, 1, "alice") } else { (alice, 2, "bob") };
        let other = if name == "alice" { "bob" } else { "alice" };
        bench.say(from, response(answer, name, 1));
        bench.hears(&[&format!("{to}<{}({other},1)", format!("{answer:?}").to_lowercase())]);
        bench.say(from, response(answer, name, 1));
        bench.say(bob, response(Answer::Accept, "alice", 1));
        bench.hears(&[]);
        // The acceptance came late and waits; a refusal takes it back.
        bench.say(bob, response(Answer::Refuse, "alice", 1));
        bench.say(alice, rtt("bob", 1));
        bench.hears(&["2<key(alice)", "2<rtt(alice,1)"]);
        bench.say(alice, response(Answer::Withdraw, "bob", 1));
        bench.heard();
    }
}

#[test]
fn others_cannot_answer() {
    let mut bench = Bench::new();
    let alice = bench.login("alice", Role::Sender);
    bench.login("bob", Role::Receiver);
    let eve = bench.login("eve", Role::Receiver);
    bench.say(alice, rtt("bob", 1));
    bench.heard();
    for answer in [Answer::Accept, Answer::Refuse, Answer::Withdraw] {
        bench.say(eve, response(answer, "alice", 1));
        bench.say(eve, response(answer, "bob", 1));
    }
    bench.say(eve, resume("alice", 1));
    bench.hears(&[]);
}

#[test]
fn a_request_whose_length_or_times_are_wrong_is_dropped() {
    let mut bench = Bench::new();
    let alice = bench.login("alice", Role::Sender);
    bench.login("bob", Role::Receiver);
    bench.heard();
    let with = |edit: fn(&mut RequestToTalk)| {
        let mut request = request(1);
        edit(&mut request);
        request.encode()
    };
    let bad = [
        ("expired", with(|bad| (bad.issued, bad.expires) = (NOON - 10, NOON))),
        ("from the future", with(|bad| (bad.issued, bad.expires) = (NOON + 301, NOON + 400))),
        ("too long a life", with(|bad| bad.expires = NOON + 7 * 86_400 + 1)),
        ("expires before it is made", with(|bad| bad.issued = bad.expires + 1)),
        ("ends before it is made", with(|bad| bad.terms.until = NOON)),
        ("another key's signature", with(|bad| bad.signature = vec![1; 256])),
        ("a byte too long", [request(1).encode(), vec![0]].concat()),
        ("a byte too short", request(1).encode().split_last().unwrap().1.to_vec()),
        ("nothing", Vec::new()),
    ];
    for (what, request) in bad {
        bench.say(alice, LinkMessage::Rtt { name: user("bob"), request });
        assert_eq!(bench.heard(), Vec::<String>::new(), "{what}");
    }
    let ahead = with(|ahead| (ahead.issued, ahead.expires) = (NOON + 300, NOON + 400));
    bench.say(alice, LinkMessage::Rtt { name: user("bob"), request: ahead });
    bench.hears(&["2<key(alice)", "2<rtt(alice,1)"]);
}

#[test]
fn a_request_lives_until_it_expires() {
    let mut bench = Bench::new();
    let alice = bench.login("alice", Role::Sender);
    bench.say(alice, rtt("bob", 1));
    bench.heard();
    bench.pass(Duration::from_secs(3_599));
    let bob = bench.login("bob", Role::Receiver);
    bench.hears(&["2<list()", "2<key(alice)", "2<rtt(alice,1)"]);
    bench.pass(Duration::from_secs(1));
    bench.login("bob", Role::Receiver);
    bench.say(bob, response(Answer::Accept, "alice", 1));
    bench.hears(&["2<closed(Replaced)", "3<list()"]);
}

#[test]
fn limits_are_the_askers_own() {
    let limits = Limits { pending_rtts: 2, chats: 2, rtt_burst: 5, rtts_per_minute: 1, ..Limits::default() };
    let mut bench = Bench::with(limits);
    let alice = bench.login("alice", Role::Sender);
    bench.heard();
    bench.say(alice, rtt("a", 1));
    bench.say(alice, rtt("b", 2));
    bench.say(alice, rtt("c", 3));
    bench.hears(&["1<away(a,1)", "1<away(b,2)", "1<limit(c,3)"]);
    // Replacing, and making room, are within the limit.
    bench.say(alice, rtt("b", 4));
    bench.say(alice, response(Answer::Withdraw, "b", 4));
    bench.say(alice, rtt("c", 3));
    bench.hears(&["1<away(b,4)", "1<away(c,3)"]);
    // Expired ones make room by themselves; then the rate is the limit, and a new link is no way around it.
    bench.pass(Duration::from_secs(3_600));
    let alice = bench.login("alice", Role::Sender);
    bench.heard();
    let later = |chat| {
        let mut later = request(chat);
        (later.issued, later.expires) = (NOON + 3_600, NOON + 7_200);
        LinkMessage::Rtt { name: user("z"), request: later.encode() }
    };
    for chat in 1..=5 {
        bench.say(alice, later(chat));
        bench.hears(&[&format!("2<away(z,{chat})")]);
    }
    bench.say(alice, later(6));
    bench.hears(&["2<limit(z,6)"]);
    let alice = bench.login("alice", Role::Sender);
    bench.heard();
    bench.say(alice, later(7));
    bench.hears(&["3<limit(z,7)"]);
    bench.pass(Duration::from_secs(60));
    bench.say(alice, later(8));
    bench.hears(&["3<away(z,8)"]);
}

#[test]
fn chats_are_counted_with_what_would_become_one() {
    let mut bench = Bench::with(Limits { chats: 2, ..Limits::default() });
    let alice = bench.login("alice", Role::Receiver);
    let bob = bench.login("bob", Role::Receiver);
    bench.pair((alice, "alice"), (bob, "bob"), 1);
    bench.say(bob, resume("x", 2));
    bench.say(bob, resume("x", 2));
    bench.hears(&[]);
    bench.say(bob, response(Answer::Accept, "alice", 3));
    bench.say(bob, rtt("alice", 4));
    bench.hears(&["2<limit(alice,3)", "2<limit(alice,4)"]);
    // Whoever asks bob sees nothing of his limit.
    bench.say(alice, rtt("bob", 5));
    bench.hears(&["2<key(alice)", "2<rtt(alice,5)"]);
    bench.say(bob, lobby(1));
    bench.say(bob, response(Answer::Accept, "alice", 5));
    bench.hears(&["1<lobby(1)", "1<key(bob)", "1<accept(bob,5)", "2<resume(alice,5)"]);
}

#[test]
fn one_user_cannot_ask_the_same_one_for_ever() {
    let mut bench =
        Bench::with(Limits { rtt_pair_burst: 2, rtts_per_pair_per_minute: 1, ..Limits::default() });
    let alice = bench.login("alice", Role::Sender);
    bench.login("bob", Role::Receiver);
    bench.heard();
    for (chat, name) in [(1, "bob"), (2, "unknown"), (3, "bob"), (4, "unknown")] {
        bench.say(alice, rtt(name, chat));
    }
    bench.heard();
    bench.say(alice, rtt("bob", 5));
    bench.say(alice, rtt("unknown", 6));
    bench.hears(&["1<limit(bob,5)", "1<limit(unknown,6)"]);
    bench.say(alice, rtt("carol", 7));
    bench.hears(&["1<away(carol,7)"]);
    // A new link is no way around it, time is.
    let alice = bench.login("alice", Role::Sender);
    bench.heard();
    bench.say(alice, rtt("bob", 8));
    bench.hears(&["3<limit(bob,8)"]);
    bench.pass(Duration::from_secs(60));
    bench.say(alice, rtt("bob", 9));
    bench.hears(&["2<key(alice)", "2<rtt(alice,9)"]);
}

#[test]
fn all_users_together_ask_so_often_and_one_over_its_own_limit_takes_nothing_from_them() {
    let limits = Limits { rtts_per_minute_in_all: 4, rtt_burst: 2, rtts_per_minute: 1, ..Limits::default() };
    let mut bench = Bench::with(limits);
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| bench.login(name, Role::Sender));
    bench.heard();
    for chat in 1..=9 {
        bench.say(alice, rtt("x", chat));
    }
    bench.heard();
    bench.say(bob, rtt("x", 10));
    bench.say(bob, rtt("y", 11));
    bench.say(carol, rtt("x", 12));
    bench.hears(&["2<away(x,10)", "2<away(y,11)", "3<limit(x,12)"]);
    bench.pass(Duration::from_secs(15));
    bench.say(carol, rtt("x", 13));
    bench.hears(&["3<away(x,13)"]);
}

#[test]
fn a_clock_that_jumps_touches_requests_only_and_only_while_it_is_wrong() {
    const HOUR: u64 = 3_600;
    const YEAR: u64 = 365 * 24 * HOUR;
    let mut bench = Bench::new();
    let alice = bench.login("alice", Role::Receiver);
    let bob = bench.login("bob", Role::Receiver);
    bench.pair((alice, "alice"), (bob, "bob"), 1);
    let right = bench.now.unix;
    for wrong in [right - HOUR, right + YEAR, 0, u64::MAX] {
        bench.now.unix = wrong;
        bench.board.handle_timeout(bench.now);
        bench.say(alice, record(1, 10));
        bench.hears(&["2<chat(1)"]);
        // Ahead of the relay's clock, or expired by it: dropped.
        bench.say(alice, rtt("bob", 2));
        bench.hears(&[]);
        bench.now.unix = right;
        bench.say(alice, rtt("bob", 2));
        bench.hears(&["2<key(alice)", "2<rtt(alice,2)"]);
        bench.say(alice, response(Answer::Withdraw, "bob", 2));
        bench.hears(&["2<withdraw(alice,2)"]);
    }
}
