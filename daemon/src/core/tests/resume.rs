//! Chats that go on, whatever happened to daemons, keys and roles in between.

use std::cell::RefCell;
use std::rc::Rc;

use secchat_ipc::types::{ChatState, RequestState};

use super::*;

/// A text arrives, once, and is acknowledged.
fn talks(world: &mut World, from: &str, to: &str, text: &str) {
    let key = world.send(from, to, text);
    world.advance(30);
    assert!(matches!(world.answer(from, key), Some(Ok(Reply::Delivered { .. }))), "{text}");
    assert_eq!(world.read(to), [text]);
}

/// The chat is open at both ends.
fn is_open(world: &mut World) -> bool {
    ["alice", "bob"].iter().all(|user| {
        let chats = world.snapshot(user).chats;
        chats.len() == 1 && chats[0].state == ChatState::Open
    })
}

/// Whoever asked starts a rekey after 15 minutes of use. Its M1, M2 and M3 are the records that pass then: after so many
/// of them the relay is silent, and a daemon dies.
#[test]
fn three_restarts_in_the_middle_of_a_rekey_cost_nothing_but_time() {
    for victims in [["alice"; 3], ["bob"; 3], ["alice", "bob", "alice"], ["bob", "alice", "bob"]] {
        let mut world = World::new(&["alice", "bob"]);
        world.chat("alice", "bob");
        for (passed, victim) in victims.into_iter().enumerate() {
            talks(&mut world, "alice", "bob", &format!("before {passed}"));
            let records = Rc::new(RefCell::new(0));
            let counted = Rc::clone(&records);
            world.tamper = Some(Box::new(move |_, message| {
                if !matches!(message, LinkMessage::Chat { .. }) {
                    return Some(message);
                }
                *counted.borrow_mut() += 1;
                (*counted.borrow() <= passed).then_some(message)
            }));
            world.advance(14 * 60);
            for _ in 0..60 {
                world.advance(1);
                if *records.borrow() > passed {
                    break;
                }
            }
            assert!(*records.borrow() > passed, "no rekey began");
            let key = world.send("bob", "alice", &format!("amid {passed}"));
            world.tamper = None;
            world.crash(victim);
            world.advance(60);
            assert!(is_open(&mut world), "{victims:?}, after {passed} records");
            if victim == "alice" {
                assert!(matches!(world.answer("bob", key), Some(Ok(Reply::Delivered { .. }))));
            }
            assert_eq!(world.read("alice"), [format!("amid {passed}")]);
        }
    }
}

#[test]
fn two_who_are_hidden_resume_and_nobody_learns_anything_else() {
    let mut world = World::new(&["alice", "bob", "carol"]);
    world.chat("alice", "bob");
    for user in ["alice", "bob"] {
        world.ok(user, Command::SetReachability { available: false });
    }
    world.node("carol").sent.clear();
    world.cut("alice");
    world.advance(30);
    assert!(is_open(&mut world));
    talks(&mut world, "alice", "bob", "unseen");
    assert_eq!(world.ok("carol", Command::List), Reply::Users(Vec::new()));
}

/// What comes from a daemon without the chat is a request like any other; nothing opens by itself.
#[test]
fn who_lost_everything_is_met_anew_by_a_question_only() {
    for loses in ["alice", "bob"] {
        let keeps = if loses == "alice" { "bob" } else { "alice" };
        let mut world = World::new(&["alice", "bob"]);
        world.chat("alice", "bob");
        world.relay.leave(&name(loses));
        world.add(settings(loses), Disk::new());
        world.ok(loses, Command::Unlock { passphrase: pass("right"), ttl_seconds: 0 });
        world.ok(loses, Command::Login);
        world.advance(300);
        let (lost, kept) = (world.snapshot(loses), world.snapshot(keeps));
        assert_eq!((lost.chats.len(), lost.incoming.len()), (0, 0), "{lost:?}");
        assert_eq!((kept.chats[0].state, kept.incoming.len()), (ChatState::Interrupted, 0));
        let waits = world.send(keeps, loses, "never to a stranger");
        world.start(loses, world.rtt(keeps, true));
        world.advance(5);
        let asked = world.snapshot(keeps).incoming;
        assert!(matches!(asked[..], [ref it] if it.state == RequestState::Pending), "{asked:?}");
        assert!(world.snapshot(loses).chats.iter().all(|chat| chat.state != ChatState::Open));
        world.accept(keeps, loses);
        world.advance(5);
        assert!(is_open(&mut world));
        assert!(matches!(world.answer(keeps, waits), Some(Err(_))), "it belonged to the chat that is gone");
        assert_eq!(world.read(loses), [""; 0]);
        talks(&mut world, keeps, loses, "hello again");
    }
}
