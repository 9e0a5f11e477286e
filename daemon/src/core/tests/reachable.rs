//! Locked but reachable: asked as ever, and unable to say anything until unlocked.

use secchat_ipc::types::{ChatState, LinkState, LockState, Policy, RequestState};
use secchat_proto::wire::link::{Answer, LogoutReason};
use secchat_proto::wire::login::RejectReason;

use super::*;
use crate::limits::DELEGATION_SECONDS;

fn unlock() -> Command {
    Command::Unlock { passphrase: pass("right"), ttl_seconds: 0 }
}

fn accept(peer: &str) -> Command {
    Command::Accept { peer: ipc(peer), terms: None, wait: false }
}

/// Alice and bob; bob is locked and reachable.
fn world() -> World {
    let mut world = World::new(&["alice", "bob"]);
    world.ok("bob", Command::LockKeepSession);
    world
}

fn status(world: &mut World) -> (LockState, LinkState) {
    let status = world.snapshot("bob").status;
    (status.lock, status.link)
}

fn incoming(world: &mut World) -> Option<RequestState> {
    world.snapshot("bob").incoming.iter().find(|item| item.peer == ipc("alice")).map(|item| item.state)
}

#[test]
fn the_identity_goes_and_another_key_logs_in_at_once() {
    let mut world = world();
    let core = &world.node("bob").core;
    assert!(core.session.identity.is_none() && core.session.delegate.is_some());
    let until = UNIX + DELEGATION_SECONDS;
    assert_eq!(status(&mut world), (LockState::Reachable { until }, LinkState::Online));
    assert!(world.relay.delegates.contains(&name("bob")));
    assert!(world.snapshot("bob").status.hints[0].contains("secchatctl unlock"));
    // The link of the identity key was ended by its own word.
    assert!(world.node("bob").sent.contains(&LinkMessage::Logout(LogoutReason::User)));
    assert_eq!(world.ok("bob", Command::LockKeepSession), Reply::Done, "a second time changes nothing");
    assert_eq!(status(&mut world).0, LockState::Reachable { until });
}

#[test]
fn a_locked_daemon_cannot_become_reachable() {
    let mut world = World::locked(&["bob"]);
    assert_eq!(world.err("bob", Command::LockKeepSession), CommandError::Locked);
    let mut world = World::new(&["bob"]);
    world.ok("bob", Command::Lock);
    assert_eq!(world.err("bob", Command::LockKeepSession), CommandError::Locked);
}

#[test]
fn requests_arrive_and_accepting_takes_the_passphrase() {
    let mut world = world();
    let asking = world.start("alice", world.rtt("bob", true));
    assert_eq!(world.answer("alice", asking), None, "an available user is asked");
    assert_eq!(incoming(&mut world), Some(RequestState::Pending));
    assert_eq!(world.err("bob", accept("alice")), CommandError::Locked);
    assert_eq!(world.err("bob", world.rtt("alice", true)), CommandError::Locked, "nor by asking back");
    world.ok("bob", unlock());
    assert_eq!(status(&mut world), (LockState::Unlocked, LinkState::Online));
    assert!(matches!(world.accept("bob", "alice"), Reply::ChatOpen { .. }));
    assert!(matches!(world.answer("alice", asking), Some(Ok(Reply::ChatOpen { .. }))));
}

#[test]
fn what_came_is_on_the_disk_and_asked_after_a_restart() {
    let mut world = world();
    let asking = world.start("alice", world.rtt("bob", true));
    world.crash("bob");
    assert_eq!(status(&mut world).0, LockState::Unlocked);
    assert_eq!(incoming(&mut world), Some(RequestState::Pending));
    world.accept("bob", "alice");
    assert!(matches!(world.answer("alice", asking), Some(Ok(Reply::ChatOpen { .. }))));
}

#[test]
fn a_refusal_and_a_later_are_kept_and_told_at_the_unlock() {
    let mut world = world();
    let asking = world.start("alice", world.rtt("bob", true));
    world.ok("bob", Command::Later { peer: ipc("alice") });
    assert_eq!(incoming(&mut world), Some(RequestState::Later));
    world.ok("bob", Command::Refuse { peer: ipc("alice"), quietly: false });
    assert_eq!(world.answer("alice", asking), None, "the delegate says nothing");
    world.ok("bob", unlock());
    assert_eq!(world.answer("alice", asking), Some(Err(CommandError::Refused { peer: ipc("bob") })));
}

#[test]
fn a_policy_that_accepts_does_so_at_the_unlock() {
    let mut world = World::new(&["alice", "bob"]);
    world.ok("bob", Command::SetPolicy { peer: Some(ipc("alice")), policy: Some(Policy::Accept) });
    world.ok("bob", Command::LockKeepSession);
    let asking = world.start("alice", world.rtt("bob", true));
    assert_eq!(incoming(&mut world), Some(RequestState::Pending), "shown meanwhile");
    assert!(!world.logged("bob", "accept_failed"));
    world.ok("bob", unlock());
    assert!(matches!(world.answer("alice", asking), Some(Ok(Reply::ChatOpen { .. }))));
}

#[test]
fn a_policy_that_was_taken_back_meanwhile_does_not() {
    let mut world = World::new(&["alice", "bob"]);
    world.ok("bob", Command::SetPolicy { peer: None, policy: Some(Policy::Accept) });
    world.ok("bob", Command::LockKeepSession);
    let asking = world.start("alice", world.rtt("bob", true));
    world.ok("bob", Command::SetPolicy { peer: None, policy: None });
    world.ok("bob", unlock());
    assert_eq!(world.answer("alice", asking), None);
    assert_eq!(incoming(&mut world), Some(RequestState::Pending));
}

#[test]
fn a_policy_made_meanwhile_is_for_later_requests() {
    let mut world = world();
    let asking = world.start("alice", world.rtt("bob", true));
    world.ok("bob", Command::SetPolicy { peer: None, policy: Some(Policy::Accept) });
    world.ok("bob", unlock());
    assert_eq!(world.answer("alice", asking), None, "this one was a question to the person");
    assert_eq!(incoming(&mut world), Some(RequestState::Pending));
}

#[test]
fn a_policy_that_refuses_shows_nothing_and_is_told_at_the_unlock() {
    for (policy, told) in [(Policy::Refuse, true), (Policy::RefuseQuietly, false)] {
        let mut world = World::new(&["alice", "bob"]);
        world.ok("bob", Command::SetPolicy { peer: None, policy: Some(policy) });
        world.ok("bob", Command::LockKeepSession);
        let asking = world.start("alice", world.rtt("bob", true));
        assert_ne!(incoming(&mut world), Some(RequestState::Pending));
        assert_eq!(world.answer("alice", asking), None);
        world.ok("bob", unlock());
        assert_eq!(world.answer("alice", asking).is_some(), told, "{policy:?}");
    }
}

#[test]
fn crossing_requests_meet_at_the_unlock() {
    for (a, b) in [("alice", "bob"), ("bob", "alice")] {
        let mut world = World::new(&[a, b]);
        world.ok(b, Command::SetReachability { available: false });
        world.start(a, world.rtt(b, false));
        world.ok(a, Command::LockKeepSession);
        let asking = world.start(b, world.rtt(a, true));
        assert!(world.snapshot(a).chats.is_empty());
        world.ok(a, unlock());
        assert!(matches!(world.answer(b, asking), Some(Ok(Reply::ChatOpen { .. }))), "{a} was locked");
        assert_eq!(world.snapshot(a).chats[0].state, ChatState::Open);
    }
}

#[test]
fn a_chat_waits_and_goes_on_at_the_unlock_without_a_question() {
    let mut world = World::new(&["alice", "bob"]);
    world.chat("alice", "bob");
    world.ok("bob", Command::LockKeepSession);
    let chat = |world: &mut World, user| world.snapshot(user).chats[0].state;
    assert_eq!(chat(&mut world, "alice"), ChatState::Interrupted);
    assert_eq!(chat(&mut world, "bob"), ChatState::Interrupted);
    assert_eq!(
        world.err("bob", Command::Send { peer: ipc("alice"), text: "x".into() }),
        CommandError::Locked
    );
    world.advance(600);
    assert_eq!(chat(&mut world, "bob"), ChatState::Interrupted);
    world.ok("bob", unlock());
    world.advance(60);
    assert_eq!((chat(&mut world, "alice"), chat(&mut world, "bob")), (ChatState::Open, ChatState::Open));
    let sent = world.send("alice", "bob", "again");
    assert_eq!(world.read("bob"), ["again"]);
    assert!(matches!(world.answer("alice", sent), Some(Ok(Reply::Delivered { .. }))));
}

#[test]
fn a_lost_link_comes_back_by_the_delegated_key() {
    let mut world = world();
    world.relay_up = false;
    world.cut("bob");
    assert!(matches!(status(&mut world).1, LinkState::Waiting { .. }));
    world.relay_up = true;
    world.advance(61);
    assert_eq!(status(&mut world).1, LinkState::Online);
    assert!(world.relay.delegates.contains(&name("bob")));
    world.start("alice", world.rtt("bob", true));
    assert_eq!(incoming(&mut world), Some(RequestState::Pending));
}

#[test]
fn a_session_that_answers_elsewhere_is_left_alone_and_said() {
    let mut world = world();
    world.relay_up = false;
    world.cut("bob");
    world.nodes[1].core.session.link = crate::core::session::Link::Connecting(Role::Receiver);
    world.input("bob", Input::LinkDown(LinkFailure::Rejected(RejectReason::Busy)));
    let LinkState::Waiting { why, .. } = status(&mut world).1 else { panic!() };
    assert!(why.contains("another session of this user"), "{why}");
}

#[test]
fn what_the_relay_says_beside_requests_is_not_heeded() {
    let mut world = World::new(&["alice", "bob"]);
    world.chat("alice", "bob");
    world.start("bob", world.rtt("carol", false));
    world.ok("bob", Command::LockKeepSession);
    let before = world.snapshot("bob");
    let chat_id = *world.node("bob").core.chats.keys().next().unwrap();
    let asked = world.node("bob").core.asked[&name("carol")].request.chat_id;
    for message in [
        LinkMessage::Resume { name: name("alice"), chat_id },
        LinkMessage::ReturnToLobby { chat_id },
        LinkMessage::Response { answer: Answer::Accept, name: name("carol"), chat_id: asked },
        LinkMessage::Response { answer: Answer::Refuse, name: name("carol"), chat_id: asked },
        LinkMessage::KeyEstablishment {
            chat_id,
            step: secchat_proto::wire::link::Step::M1,
            body: vec![1; 34],
        },
        LinkMessage::Chat { chat_id, record: vec![1; 92] },
    ] {
        world.input("bob", Input::LinkMessage(message.clone()));
        assert_eq!(world.snapshot("bob"), before, "{message:?}");
    }
}

#[test]
fn a_request_that_is_taken_back_goes() {
    let mut world = world();
    world.start("alice", world.rtt("bob", false));
    assert_eq!(incoming(&mut world), Some(RequestState::Pending));
    world.ok("alice", Command::Withdraw { peer: ipc("bob") });
    assert_eq!(incoming(&mut world), None);
}

#[test]
fn listed_or_hidden_takes_a_new_login() {
    let mut world = world();
    world.ok("bob", Command::SetReachability { available: false });
    assert_eq!(status(&mut world).1, LinkState::Online);
    assert_eq!(world.relay.online[&name("bob")], Role::Sender);
    assert_eq!(
        world.err("alice", world.rtt("bob", true)),
        CommandError::PeerUnavailable { peer: ipc("bob") }
    );
    world.ok("bob", Command::SetReachability { available: true });
    assert_eq!(world.relay.online[&name("bob")], Role::Receiver);
    assert!(world.relay.delegates.contains(&name("bob")));
}

#[test]
fn the_list_may_be_asked_for_and_logging_out_and_in() {
    let mut world = world();
    assert_eq!(world.ok("bob", Command::List), Reply::Users(vec![ipc("alice")]));
    world.ok("bob", Command::Logout);
    assert!(!world.relay.online.contains_key(&name("bob")));
    world.ok("bob", Command::Login);
    assert_eq!(status(&mut world).1, LinkState::Online);
    assert!(world.relay.delegates.contains(&name("bob")));
}

#[test]
fn lock_ends_it() {
    let mut world = world();
    world.ok("bob", Command::Lock);
    assert_eq!(status(&mut world), (LockState::Locked, LinkState::LoggedOut));
    assert!(world.node("bob").core.session.delegate.is_none());
    assert!(!world.relay.online.contains_key(&name("bob")));
    world.advance(600);
    assert!(!world.relay.online.contains_key(&name("bob")));
    world.ok("bob", unlock());
    assert!(!world.relay.delegates.contains(&name("bob")));
}

#[test]
fn its_end_comes_by_itself_and_is_told() {
    let mut world = world();
    world.advance(DELEGATION_SECONDS - 1);
    assert_eq!(status(&mut world).1, LinkState::Online);
    world.advance(2);
    assert_eq!(status(&mut world), (LockState::Locked, LinkState::LoggedOut));
    assert!(world.logged("bob", "reachable_over"));
    assert!(world.node("bob").core.session.delegate.is_none());
    assert!(!world.relay.online.contains_key(&name("bob")));
}

#[test]
fn another_key_on_the_relays_list_ends_the_link_and_is_told() {
    let mut world = world();
    world.input("bob", Input::LinkMessage(LinkMessage::Logout(LogoutReason::Removed)));
    assert!(matches!(status(&mut world).1, LinkState::Replaced { .. }));
    world.advance(3_600);
    assert!(!world.relay.online.contains_key(&name("bob")));
}

#[test]
fn a_lock_that_nobody_asked_for_keeps_the_session_where_it_is_configured() {
    let mut world = World::locked(&["bob"]);
    world.nodes[0].core.settings.lock_keeps_session = true;
    world.ok("bob", Command::Unlock { passphrase: pass("right"), ttl_seconds: 60 });
    world.advance(61);
    assert!(matches!(status(&mut world), (LockState::Reachable { .. }, LinkState::Online)));
}

#[test]
fn who_locked_by_hand_has_said_how() {
    let mut world = world();
    world.input("bob", Input::LockByItself);
    assert!(matches!(status(&mut world).0, LockState::Reachable { .. }), "the screen's lock wipes no more");
    world.ok("bob", Command::Lock);
    world.nodes[1].core.settings.lock_keeps_session = true;
    world.input("bob", Input::LockByItself);
    assert_eq!(status(&mut world).0, LockState::Locked, "nor does it make anybody reachable");
    world.ok("bob", unlock());
    world.input("bob", Input::LockByItself);
    assert!(matches!(status(&mut world).0, LockState::Reachable { .. }));
}
