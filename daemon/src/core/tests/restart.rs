//! What a daemon that starts again takes up.

use secchat_ipc::types::{ChatState, Policy, RequestState};

use super::*;

#[test]
fn an_accept_outlives_a_restart_until_the_chat_opens() {
    for stops_well in [true, false] {
        let mut world = World::new(&["alice", "bob"]);
        let asked = world.ok("alice", world.rtt("bob", false));
        world.ok("alice", Command::Logout);
        let terms = Some(Terms { until: Some(UNIX + 1_000), history_days: Some(3) });
        world.ok("bob", Command::Accept { peer: ipc("alice"), terms, wait: false });
        if stops_well {
            world.restart("bob");
        } else {
            world.crash("bob");
        }
        assert!(matches!(asked, Reply::Asked { .. }));
        let held = world.snapshot("bob");
        assert_eq!((held.chats.len(), held.incoming[0].state), (1, RequestState::Accepted));
        world.advance(10);
        world.ok("alice", Command::Login);
        world.advance(10);
        let chats = [world.snapshot("alice").chats, world.snapshot("bob").chats];
        for chats in chats {
            assert_eq!((chats[0].state, Some(chats[0].terms)), (ChatState::Open, terms), "as it was granted");
        }
        let key = world.send("alice", "bob", "there");
        assert!(matches!(world.answer("alice", key), Some(Ok(Reply::Delivered { .. }))));
        // Spent now: another restart takes up the chat, and no request.
        world.crash("bob");
        assert!(world.snapshot("bob").incoming.is_empty());
        world.advance(30);
        assert_eq!(world.snapshot("bob").chats[0].state, ChatState::Open);
    }
}

#[test]
fn an_accept_is_not_taken_up_for_a_peer_blocked_since() {
    let mut world = World::new(&["alice", "bob"]);
    world.ok("alice", world.rtt("bob", false));
    world.ok("alice", Command::Logout);
    world.ok("bob", Command::Accept { peer: ipc("alice"), terms: None, wait: false });
    world.relay.leave(&name("bob"));
    let mut disk = world.node("bob").disk.clone();
    let blocked = SavedPeer { blocked: true, ..SavedPeer::default() };
    disk.insert(RecordKey::Peer(name("alice")), Record::Peer(name("alice"), blocked));
    world.add(settings("bob"), disk);
    world.ok("bob", Command::Unlock { passphrase: pass("right"), ttl_seconds: 0 });
    world.ok("bob", Command::SetBlocked { peer: ipc("alice"), blocked: false });
    world.ok("alice", Command::Login);
    world.advance(60);
    assert!(world.snapshot("bob").chats.is_empty() && world.snapshot("bob").incoming.is_empty());
    assert!(!world.node("bob").sent.iter().any(|message| matches!(message, LinkMessage::Response { .. })));
}

#[test]
fn what_would_be_over_at_once_is_not_accepted_by_a_policy_either() {
    let mut world = World::new(&["alice", "bob"]);
    world.ok("bob", Command::SetPolicy { peer: None, policy: Some(Policy::Accept) });
    world.ok("bob", Command::Logout);
    let terms = Terms { until: Some(UNIX + 5), history_days: None };
    world.ok("alice", Command::Rtt { peer: ipc("bob"), terms, lifetime_seconds: 3_600, wait: false });
    world.advance(10);
    world.ok("bob", Command::Login);
    assert!(world.logged("bob", "accept_failed"));
    assert!(world.snapshot("bob").chats.is_empty());
}
