//! Pairs: what makes them, what passes in them, what ends them.

use secchat_proto::wire::link::{Answer, LinkMessage};
use secchat_proto::wire::login::Role;

use super::super::Command;
use super::{Bench, SessionId, chat_id, lobby, m1, record, response, resume, rtt};
use crate::limits::Limits;

fn two() -> (Bench, SessionId, SessionId) {
    let mut bench = Bench::new();
    let alice = bench.login("alice", Role::Receiver);
    let bob = bench.login("bob", Role::Receiver);
    bench.heard();
    (bench, alice, bob)
}

#[test]
fn offers_of_any_kind_and_order_make_a_pair() {
    let offers = |name: &'static str| [rtt(name, 1), response(Answer::Accept, name, 1), resume(name, 1)];
    for mine in offers("bob") {
        for theirs in offers("alice") {
            let (mut bench, alice, bob) = two();
            bench.say(alice, mine.clone());
            bench.heard();
            bench.say(bob, theirs.clone());
            assert_eq!(bench.board.peer_of(alice, &chat_id(1)), Some(bob), "{mine:?} {theirs:?}");
            let told = |to: u64, maker: &str, offer: &LinkMessage| match offer {
                LinkMessage::Response { .. } => {
                    vec![format!("{to}<key({maker})"), format!("{to}<accept({maker},1)")]
                }
                _ => vec![format!("{to}<resume({maker},1)")],
            };
            let expected = [told(1, "bob", &theirs), told(2, "alice", &mine)].concat();
            assert_eq!(bench.heard(), expected);
            // Used up: when the pair ends, nothing of them is left.
            bench.say(alice, lobby(1));
            bench.say(bob, resume("alice", 1));
            bench.hears(&["2<lobby(1)"]);
        }
    }
}

#[test]
fn offers_live_as_long_as_the_link_that_made_them() {
    let (mut bench, alice, bob) = two();
    bench.say(bob, response(Answer::Accept, "alice", 1));
    bench.board.handle_gone(bob, bench.now);
    bench.login("bob", Role::Receiver);
    bench.heard();
    bench.say(alice, resume("bob", 1));
    bench.hears(&[]);
}

#[test]
fn an_offer_to_an_absent_user_waits_for_it() {
    let (mut bench, alice, bob) = two();
    bench.board.handle_gone(bob, bench.now);
    bench.say(alice, resume("bob", 1));
    bench.hears(&[]);
    let bob = bench.login("bob", Role::Sender);
    bench.hears(&["3<list(alice)"]);
    bench.say(bob, resume("alice", 1));
    bench.hears(&["1<resume(bob,1)", "3<resume(alice,1)"]);
}

#[test]
fn a_pair_passes_records_both_ways_and_to_nobody_else() {
    let (mut bench, alice, bob) = two();
    let eve = bench.login("eve", Role::Receiver);
    bench.pair((alice, "alice"), (bob, "bob"), 1);
    bench.say(alice, m1(1));
    bench.say(bob, record(1, 10));
    bench.hears(&["2<M1(1)", "1<chat(1)"]);
    for message in [m1(1), record(1, 10), lobby(1), response(Answer::Withdraw, "bob", 1), resume("bob", 1)] {
        bench.say(eve, message);
        bench.hears(&[]);
    }
    bench.say(alice, record(2, 10));
    bench.hears(&[]);
}

#[test]
fn the_same_chat_id_of_others_is_another_chat() {
    let (mut bench, alice, bob) = two();
    let carol = bench.login("carol", Role::Receiver);
    let dora = bench.login("dora", Role::Receiver);
    bench.pair((alice, "alice"), (bob, "bob"), 1);
    bench.pair((carol, "carol"), (dora, "dora"), 1);
    bench.say(alice, record(1, 10));
    bench.say(carol, record(1, 10));
    bench.hears(&["2<chat(1)", "4<chat(1)"]);
    // But one user has one pair for it.
    bench.say(carol, resume("alice", 1));
    bench.say(dora, resume("alice", 1));
    bench.say(alice, resume("dora", 1));
    bench.hears(&[]);
}

#[test]
fn one_user_has_one_pair_for_a_chat_id_whoever_offers_first() {
    let (mut bench, alice, bob) = two();
    let eve = bench.login("eve", Role::Receiver);
    bench.heard();
    bench.say(alice, resume("eve", 1));
    bench.pair((alice, "alice"), (bob, "bob"), 1);
    bench.say(eve, resume("alice", 1));
    bench.hears(&[]);
    assert_eq!(bench.board.peer_of(alice, &chat_id(1)), Some(bob));
}

#[test]
fn several_chats_live_side_by_side() {
    let (mut bench, alice, bob) = two();
    let carol = bench.login("carol", Role::Receiver);
    bench.pair((alice, "alice"), (bob, "bob"), 1);
    bench.pair((alice, "alice"), (carol, "carol"), 2);
    bench.pair((bob, "bob"), (alice, "alice"), 3);
    bench.say(alice, record(2, 10));
    bench.say(bob, record(3, 10));
    bench.say(bob, lobby(1));
    bench.hears(&["3<chat(2)", "1<chat(3)", "1<lobby(1)"]);
    bench.board.handle_gone(alice, bench.now);
    bench.hears(&["3<away(alice,2)", "2<away(alice,3)"]);
    bench.say(bob, record(3, 10));
    bench.hears(&[]);
}

/// Feeds a pair until its queue is full; gives how many records it took.
fn fill(bench: &mut Bench, from: SessionId, bytes: usize) -> usize {
    bench.is_holding = true;
    for taken in 0.. {
        bench.say(from, record(1, bytes));
        let heard = bench.heard();
        if heard != ["2<chat(1)"] {
            assert_eq!(heard, ["2<lobby(1)", "1<lobby(1)"]);
            return taken;
        }
    }
    0
}

#[test]
fn overflow_dissolves_the_pair_and_throws_its_queue_away() {
    let (mut bench, alice, bob) = two();
    let carol = bench.login("carol", Role::Receiver);
    bench.pair((alice, "alice"), (bob, "bob"), 1);
    bench.pair((carol, "carol"), (bob, "bob"), 2);
    bench.is_holding = true;
    bench.say(carol, record(2, 10));
    bench.say(bob, record(1, 10));
    bench.heard();
    assert_eq!(fill(&mut bench, alice, 100), 128);
    assert_eq!(bench.board.peer_of(bob, &chat_id(1)), None);
    assert!(bench.board.is_online(&super::user("bob")), "never the addressee's link");
    let void: Vec<bool> = bench.held.iter().map(super::Ticket::is_void).collect();
    let kept = void.iter().filter(|void| !**void).count();
    // Carol's record, bob's to alice, and the two 12.
    assert_eq!(kept, 4, "only the full queue is thrown away");
    assert!(!void[0] && !void[1] && void[2]);
}

#[test]
fn a_pairs_queue_is_bounded_in_bytes_too() {
    let (mut bench, alice, bob) = two();
    bench.pair((alice, "alice"), (bob, "bob"), 1);
    let taken = fill(&mut bench, alice, 60_000);
    assert_eq!(taken, 512 * 1024 / 60_064);
}

#[test]
fn what_was_taken_makes_room() {
    let (mut bench, alice, bob) = two();
    bench.pair((alice, "alice"), (bob, "bob"), 1);
    for _ in 0..1_000 {
        bench.say(alice, record(1, 60_000));
        bench.hears(&["2<chat(1)"]);
    }
}

#[test]
fn many_chats_cannot_fill_a_link_without_bound() {
    let mut bench = Bench::with(Limits { link_forward_bytes: 1_000_000, ..Limits::default() });
    let bob = bench.login("bob", Role::Receiver);
    let others: Vec<_> = (1..=4_u8)
        .map(|chat| {
            let name = format!("user{chat}");
            let other = bench.login(&name, Role::Receiver);
            bench.pair((other, &name), (bob, "bob"), chat);
            (other, chat)
        })
        .collect();
    let mut waiting = Vec::new();
    for (other, chat) in others {
        for _ in 0..8 {
            bench.say(other, record(chat, 60_000));
        }
        while let Some(command) = bench.board.next_command() {
            if let Command::Send { to, message: LinkMessage::Chat { record, .. }, ticket } = command {
                assert_eq!(to, bob);
                waiting.push((record, ticket));
            }
        }
        // Also what was thrown away takes memory until the link's writer has seen it.
        assert!(waiting.iter().map(|(record, _)| record.len()).sum::<usize>() <= 1_000_000);
    }
    assert_eq!(waiting.len(), 1_000_000 / 60_064);
    assert!(bench.board.is_online(&super::user("bob")));
}
