//! Links of delegated keys: reached like any other, and mute.

use std::time::Duration;

use secchat_proto::UserName;
use secchat_proto::wire::link::{Answer, LinkMessage, LogoutReason, Step};
use secchat_proto::wire::login::Role;

use crate::user_list::rotation::Registered;

use super::{Bench, chat_id, lobby, m1, record, response, resume, rtt, user};

/// How long a delegation of the bench's lasts.
const LIFE: Duration = Duration::from_secs(1_800);

/// All that a client can say (PROTOCOL.md §5), to or about alice, who asks for chat 1.
fn everything() -> Vec<(&'static str, LinkMessage)> {
    let step = |step, chat| LinkMessage::KeyEstablishment { chat_id: chat_id(chat), step, body: vec![1] };
    vec![
        ("RTT", rtt("alice", 2)),
        ("refuse", response(Answer::Refuse, "alice", 1)),
        ("accept", response(Answer::Accept, "alice", 1)),
        ("withdraw", response(Answer::Withdraw, "alice", 1)),
        ("Resume", resume("alice", 1)),
        ("Resume of a chat of alice's", resume("alice", 3)),
        ("M1", m1(1)),
        ("M2", step(Step::M2, 1)),
        ("M3", step(Step::M3, 1)),
        ("Chat", record(1, 10)),
        ("Return to Lobby", lobby(1)),
        ("Presence, hidden", LinkMessage::Presence { role: Role::Sender }),
        ("Presence, available", LinkMessage::Presence { role: Role::Receiver }),
        ("Acknowledgment", LinkMessage::Acknowledgment { name: user("alice"), chat_id: chat_id(1) }),
        ("Ping", LinkMessage::Ping([1; 8])),
        ("Pong", LinkMessage::Pong([1; 8])),
    ]
}

#[test]
fn a_delegate_is_reached_and_can_say_nothing_to_anybody() {
    let mut bench = Bench::new();
    let alice = bench.login("alice", Role::Receiver);
    let bob = bench.delegate("bob", Role::Receiver, None);
    bench.hears(&["1<list()", "2<list(alice)"]);
    bench.say(alice, rtt("bob", 1));
    bench.say(alice, resume("bob", 3));
    bench.hears(&["2<key(alice)", "2<rtt(alice,1)"]);
    for (what, message) in everything() {
        bench.say(bob, message);
        assert_eq!(bench.heard(), Vec::<String>::new(), "{what}");
    }
    // Nothing of it left a trace: the request stands, and the identity's own link can do all that the delegate tried.
    let bob = bench.login("bob", Role::Receiver);
    bench.hears(&["2<closed(Replaced)", "3<list(alice)", "3<key(alice)", "3<rtt(alice,1)"]);
    bench.say(bob, resume("alice", 3));
    bench.hears(&["1<resume(bob,3)", "3<resume(alice,3)"]);
    bench.say(bob, response(Answer::Accept, "alice", 1));
    bench.hears(&["1<key(bob)", "1<accept(bob,1)", "3<resume(alice,1)"]);
}

#[test]
fn a_hidden_delegate_is_not_reached_and_cannot_become_available() {
    let mut bench = Bench::new();
    let alice = bench.login("alice", Role::Receiver);
    let bob = bench.delegate("bob", Role::Sender, None);
    bench.heard();
    bench.say(alice, rtt("bob", 1));
    bench.hears(&["1<away(bob,1)"]);
    bench.say(bob, LinkMessage::Presence { role: Role::Receiver });
    bench.hears(&[]);
    bench.say(alice, rtt("nobody", 2));
    bench.hears(&["1<away(nobody,2)"]);
}

#[test]
fn it_may_ask_for_the_list_and_log_out() {
    let mut bench = Bench::new();
    bench.login("alice", Role::Receiver);
    let bob = bench.delegate("bob", Role::Receiver, None);
    bench.heard();
    bench.say(bob, LinkMessage::Refresh { watch: true });
    bench.hears(&["2<list(alice)"]);
    bench.say(bob, LinkMessage::Logout(LogoutReason::User));
    assert!(!bench.board.is_online(&user("bob")));
    assert_eq!(bench.board.delegates.next(), None);
}

#[test]
fn it_takes_the_place_of_the_dead_session_that_was_asked_and_of_no_other() {
    let mut bench = Bench::new();
    let contest = |bench: &mut Bench| {
        let now = bench.now;
        bench.board.handle_contest(&user("bob"), now)
    };
    assert_eq!(contest(&mut bench), None, "nobody is there");
    let first = bench.login("bob", Role::Receiver);
    bench.heard();
    assert_eq!(contest(&mut bench), Some(first));
    bench.hears(&["1<ping"]);
    let second = bench.delegate("bob", Role::Receiver, Some(first));
    bench.hears(&["1<closed(Replaced)", "2<list()"]);
    assert_eq!(contest(&mut bench), Some(second));
    bench.heard();
    // While that one was waited for, the person unlocked.
    bench.login("bob", Role::Receiver);
    bench.hears(&["2<closed(Replaced)", "3<list()"]);
    bench.delegate("bob", Role::Receiver, Some(second));
    bench.hears(&["4<closed(Replaced)"]);
    bench.delegate("bob", Role::Receiver, None);
    bench.hears(&["5<closed(Replaced)"]);
    assert_eq!(contest(&mut bench), Some(super::SessionId(3)));
}

#[test]
fn the_end_of_the_delegation_ends_the_session() {
    let mut bench = Bench::new();
    let alice = bench.login("alice", Role::Receiver);
    bench.delegate("bob", Role::Receiver, None);
    bench.heard();
    assert_eq!(bench.board.delegates.next(), Some(bench.now.instant + LIFE));
    bench.pass(LIFE - Duration::from_secs(1));
    assert!(bench.board.is_online(&user("bob")));
    bench.heard();
    assert_eq!(bench.board.poll_timeout(), Some(bench.now.instant + Duration::from_secs(1)));
    bench.pass(Duration::from_secs(1));
    bench.hears(&["2<closed(Removed)"]);
    bench.say(alice, rtt("bob", 1));
    bench.hears(&["1<away(bob,1)"]);
    // The user's own key has no such end.
    bench.login("bob", Role::Receiver);
    bench.pass(20 * LIFE);
    assert!(bench.board.is_online(&user("bob")));
}

#[test]
fn another_key_on_the_list_or_none_ends_it_too() {
    for key in [None, Some(another_key())] {
        let listed = key.map(|key| Registered { key, old_key: None, chain: None });
        let mut bench = Bench::new();
        let bob = bench.delegate("bob", Role::Receiver, None);
        bench.heard();
        let (name, now) = (user("bob"), bench.now);
        assert!(bench.board.is_online_with_another_key(&name, listed.as_ref()));
        bench.board.handle_new_key(&name, listed.as_ref(), now);
        assert_eq!(bench.heard(), [format!("{}<closed(Removed)", bob.0)]);
    }
}

#[test]
fn inspect_tells_it_apart() {
    let mut bench = Bench::new();
    bench.delegate("bob", Role::Receiver, None);
    let until = |bench: &Bench, name: &UserName| {
        bench.board.holdings(name, bench.now.instant).session.unwrap().delegated_until
    };
    assert_eq!(until(&bench, &user("bob")), Some(bench.now.unix + 1_800));
    bench.login("bob", Role::Receiver);
    assert_eq!(until(&bench, &user("bob")), None);
}

fn another_key() -> secchat_proto::crypto::signature::PublicKey {
    let mut entropy = secchat_proto::crypto::entropy::OsEntropy;
    secchat_proto::crypto::signature::SigningKey::generate_ed25519(&mut entropy).unwrap().public_key().clone()
}
