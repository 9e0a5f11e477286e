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
fn unread_texts_keep_their_order_though_the_clock_was_set_back_between_them() {
    let mut world = World::new(&["alice", "bob"]);
    world.chat("alice", "bob");
    for text in ["one", "two"] {
        world.send("alice", "bob", text);
    }
    for record in world.node("bob").disk.values_mut() {
        if let Record::Unread(_, message) = record
            && message.text == "one"
        {
            message.received += 100_000;
        }
    }
    world.crash("bob");
    let texts: Vec<_> = world.snapshot("bob").unread.into_iter().map(|message| message.text).collect();
    assert_eq!(texts, ["one", "two"]);
}

type Prepare = fn(&mut World);

/// The answer that was given while no write succeeds, or when one did.
fn answered(is_full: bool, prepare: Prepare, user: &str, command: Command) -> Result<Reply, CommandError> {
    let mut world = World::new(&["alice", "bob"]);
    prepare(&mut world);
    world.node(user).save_error = is_full.then(|| "store.redb: no space left".into());
    world.result(user, command)
}

#[test]
fn a_persons_word_is_answered_when_it_is_on_disk_and_not_otherwise() {
    fn asked(world: &mut World) {
        world.ok("alice", world.rtt("bob", false));
    }
    fn interrupted(world: &mut World) {
        world.chat("alice", "bob");
        world.ok("alice", Command::Logout);
    }
    fn nothing(_: &mut World) {}
    let (alice, bob) = (ipc("alice"), ipc("bob"));
    let accept = Command::Accept { peer: alice.clone(), terms: None, wait: false };
    let standing = Command::AcceptStanding { peer: alice.clone(), terms: None, wait: false };
    let rtt = Command::Rtt { peer: bob.clone(), terms: ANY, lifetime_seconds: 60, wait: false };
    let prepared: [(Prepare, &str, Command); 8] = [
        (asked, "bob", accept),
        (asked, "bob", standing),
        (asked, "bob", Command::Refuse { peer: alice.clone(), quietly: false }),
        (asked, "bob", Command::Refuse { peer: alice.clone(), quietly: true }),
        (asked, "bob", Command::Later { peer: alice.clone() }),
        (nothing, "alice", rtt),
        (asked, "alice", Command::Withdraw { peer: bob }),
        (interrupted, "bob", Command::Close { peer: alice }),
    ];
    for (prepare, user, command) in prepared {
        let full = answered(true, prepare, user, command.clone());
        assert!(matches!(full, Err(CommandError::NotSaved { .. })), "{command:?}: {full:?}");
        let kept = answered(false, prepare, user, command.clone());
        assert!(kept.is_ok(), "{command:?}: {kept:?}");
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
