//! The key and the link.

use secchat_ipc::types::{LinkState, LockState};
use secchat_proto::wire::link::{ListPart, LogoutReason};
use secchat_proto::wire::login::RejectReason;

use super::*;

fn unlock(passphrase: &str, ttl_seconds: u64) -> Command {
    Command::Unlock { passphrase: pass(passphrase), ttl_seconds }
}

fn link(world: &mut World, user: &str) -> LinkState {
    world.snapshot(user).status.link
}

#[test]
fn starts_locked_and_says_what_mends_it() {
    let mut world = World::locked(&["alice"]);
    let status = world.snapshot("alice").status;
    assert_eq!((status.lock, status.link), (LockState::Locked, LinkState::LoggedOut));
    assert!(status.hints[0].contains("secchatctl unlock"));
    for command in
        [Command::Login, Command::List, world.rtt("bob", true), Command::SafetyNumber { peer: ipc("bob") }]
    {
        let error = world.err("alice", command);
        assert!(matches!(error, CommandError::Locked | CommandError::NoKey { .. }), "{error:?}");
    }
    assert_eq!(world.err("alice", unlock("wrong", 0)), CommandError::WrongPassphrase);
    for command in [
        Command::Status,
        Command::Requests,
        Command::Chats,
        Command::Peers,
        Command::Read { peer: None, peek: true },
    ] {
        let is_answered = matches!(command, Command::Status);
        let answer = world.result("alice", command);
        assert_eq!(answer.is_ok(), is_answered, "nothing is known before the first unlock: {answer:?}");
    }
    world.ok("alice", unlock("right", 0));
    assert_eq!(link(&mut world, "alice"), LinkState::Online);
}

#[test]
fn without_a_user_says_so() {
    let mut world = World::locked(&["alice"]);
    world.node("alice").core.settings.user = None;
    assert_eq!(world.err("alice", unlock("right", 0)), CommandError::NotConfigured);
    assert_eq!(world.err("alice", Command::Login), CommandError::NotConfigured);
    let Reply::Status(status) = world.ok("alice", Command::Status) else { panic!() };
    assert!(status.hints[0].contains("secchatctl init"));
}

#[test]
fn locks_again_after_its_time() {
    let mut world = World::locked(&["alice"]);
    world.ok("alice", unlock("right", 60));
    world.advance(59);
    assert_eq!(world.snapshot("alice").status.lock, LockState::Unlocked);
    world.advance(2);
    assert_eq!(world.snapshot("alice").status.lock, LockState::Locked);
    assert!(world.relay.names().is_empty());
    assert!(world.node("alice").sent.contains(&LinkMessage::Logout(LogoutReason::User)));
}

#[test]
fn retries_with_back_off_and_a_reject_is_no_reason_to_stop() {
    let mut world = World::locked(&["alice"]);
    world.relay_up = false;
    world.ok("alice", unlock("right", 0));
    let LinkState::Waiting { why, retry_at } = link(&mut world, "alice") else { panic!() };
    assert!(why.contains("connection refused") && retry_at >= UNIX);
    let key = world.start("alice", Command::Login);
    assert!(matches!(world.answer("alice", key), Some(Err(CommandError::NotConnected { .. }))));
    world.advance(3_600);
    assert!(matches!(link(&mut world, "alice"), LinkState::Waiting { .. }));
    world.relay_up = true;
    world.advance(301);
    assert_eq!(link(&mut world, "alice"), LinkState::Online);
    world.relay_up = false;
    world.cut("alice");
    world.input("alice", Input::LinkDown(LinkFailure::Rejected(RejectReason::NotAuthenticated)));
    world.relay_up = true;
    world.advance(301);
    assert_eq!(link(&mut world, "alice"), LinkState::Online);
}

#[test]
fn a_reject_is_shown() {
    let mut world = World::locked(&["alice"]);
    let time = world.time();
    let core = &mut world.nodes[0].core;
    core.session.link = crate::core::session::Link::Connecting(Role::Receiver);
    let key = SigningKey::generate_ed25519(&mut TestEntropy(1)).unwrap();
    core.handle(Input::IdentityLoaded(Ok(Unlocked { identity: key, restored: Restored::default() })), time);
    core.handle(Input::LinkDown(LinkFailure::Rejected(RejectReason::NotAuthenticated)), time);
    let LinkState::Waiting { why, .. } = core.status().link else { panic!() };
    assert!(why.contains("user_list"), "{why}");
}

#[test]
fn replaced_or_removed_stays_away_until_asked() {
    for reason in [LogoutReason::Replaced, LogoutReason::Removed] {
        let mut world = World::new(&["alice"]);
        world.input("alice", Input::LinkMessage(LinkMessage::Logout(reason)));
        world.advance(86_400);
        assert!(matches!(link(&mut world, "alice"), LinkState::Replaced { .. }));
        assert!(matches!(world.err("alice", world.rtt("bob", true)), CommandError::NotConnected { .. }));
        world.ok("alice", Command::Login);
        assert_eq!(link(&mut world, "alice"), LinkState::Online);
    }
    for reason in [LogoutReason::Closing, LogoutReason::TooSlow, LogoutReason::User] {
        let mut world = World::new(&["alice"]);
        world.input("alice", Input::LinkMessage(LinkMessage::Logout(reason)));
        world.advance(10);
        assert_eq!(link(&mut world, "alice"), LinkState::Online);
    }
}

#[test]
fn logout_stays_away_until_login() {
    let mut world = World::new(&["alice"]);
    world.ok("alice", Command::Logout);
    world.advance(3_600);
    assert_eq!(link(&mut world, "alice"), LinkState::LoggedOut);
    assert!(world.relay.names().is_empty());
    world.ok("alice", Command::Login);
    assert_eq!(link(&mut world, "alice"), LinkState::Online);
}

#[test]
fn a_silent_link_is_pinged_and_a_dead_one_given_up() {
    let mut world = World::new(&["alice"]);
    world.advance(3_600);
    assert!(world.node("alice").sent.iter().filter(|m| matches!(m, LinkMessage::Ping(_))).count() >= 50);
    assert!(!world.logged("alice", "offline"));
    world.tamper = Some(Box::new(|_, _| None));
    world.advance(79);
    assert!(world.logged("alice", "offline") || matches!(link(&mut world, "alice"), LinkState::Online));
    world.advance(10);
    assert!(world.logged("alice", "offline"));
    world.tamper = None;
    world.advance(400);
    assert_eq!(link(&mut world, "alice"), LinkState::Online);
    world.input("alice", Input::LinkMessage(LinkMessage::Ping([7; 8])));
    assert_eq!(world.node("alice").sent.last(), Some(&LinkMessage::Pong([7; 8])));
}

#[test]
fn the_list_comes_fresh_and_its_changes_while_somebody_watches() {
    let mut world = World::new(&["alice", "bob"]);
    assert_eq!(world.ok("alice", Command::List), Reply::Users(vec![ipc("bob")]));
    world.add(settings("carol"), BTreeMap::new());
    world.ok("carol", unlock("right", 0));
    assert_eq!(world.ok("alice", Command::List), Reply::Users(vec![ipc("bob"), ipc("carol")]));
    assert!(
        world
            .node("alice")
            .events
            .iter()
            .any(|e| matches!(e, Event::UsersChanged { came, .. } if came == &[ipc("carol")]))
    );
    world.ok("bob", Command::SetReachability { available: false });
    assert_eq!(world.ok("alice", Command::List), Reply::Users(vec![ipc("carol")]));
    assert!(world.node("alice").sent.contains(&LinkMessage::Refresh { watch: true }));
    world.input("alice", Input::FrontendGone(MIRROR));
    assert_eq!(world.node("alice").sent.last(), Some(&LinkMessage::Refresh { watch: false }));
}

#[test]
fn one_refresh_is_under_way_at_a_time_since_one_list_may_answer_several() {
    let mut world = World::new(&["alice", "bob"]);
    let refreshes = |world: &mut World| -> Vec<LinkMessage> {
        let sent = world.node("alice").sent.iter();
        sent.filter(|message| matches!(message, LinkMessage::Refresh { .. })).cloned().collect()
    };
    let before = refreshes(&mut world).len();
    world.tamper = Some(Box::new(|_, m| (!matches!(m, LinkMessage::AvailableUsers { .. })).then_some(m)));
    world.input("alice", Input::FrontendGone(MIRROR));
    world.command("alice", Command::Subscribe, MIRROR);
    world.input("alice", Input::FrontendGone(MIRROR));
    world.command("alice", Command::Subscribe, MIRROR);
    assert_eq!(refreshes(&mut world)[before..], [LinkMessage::Refresh { watch: false }]);
    world.tamper = None;
    let list = LinkMessage::AvailableUsers { part: ListPart::Last, names: vec![name("bob")] };
    world.input("alice", Input::LinkMessage(list));
    let [first, second] = [false, true].map(|watch| LinkMessage::Refresh { watch });
    assert_eq!(refreshes(&mut world)[before..], [first, second]);
    assert_eq!(world.ok("alice", Command::List), Reply::Users(vec![ipc("bob")]));
}

#[test]
fn a_command_that_needs_the_link_waits_for_the_login_under_way() {
    let mut world = World::locked(&["alice"]);
    let time = world.time();
    let key = world.nodes[0].key.clone();
    let core = &mut world.nodes[0].core;
    core.handle(Input::IdentityLoaded(Ok(Unlocked { identity: key, restored: Restored::default() })), time);
    let who = Frontend { connection: MAIN, name: "f".into(), pid: 1 };
    let command = Input::Command { frontend: who, id: 77, timeout: Duration::ZERO, command: Command::List };
    core.handle(command, time);
    world.run();
    let key = RequestKey { frontend: MAIN, id: 77 };
    assert_eq!(world.answer("alice", key), Some(Ok(Reply::Users(vec![]))));
}

#[test]
fn a_change_that_cannot_be_saved_is_in_force_and_says_so() {
    let mut world = World::new(&["alice"]);
    world.node("alice").save_error = Some("state: read-only file system".into());
    let block = Command::SetBlocked { peer: ipc("bob"), blocked: true };
    assert!(matches!(world.err("alice", block), CommandError::NotSaved { why } if why.contains("read-only")));
    assert!(matches!(world.err("alice", world.rtt("bob", true)), CommandError::Blocked { .. }));
    assert!(world.snapshot("alice").status.hints.iter().any(|hint| hint.contains("read-only")));
    world.node("alice").save_error = None;
    world.advance(61);
    assert!(world.saved_peer("alice", "bob").blocked);
    assert!(world.snapshot("alice").status.hints.is_empty());
}

#[test]
fn what_could_not_be_saved_is_tried_once_more_at_the_end() {
    let mut world = World::new(&["alice"]);
    world.node("alice").save_error = Some("state: read-only file system".into());
    world.err("alice", Command::SetBlocked { peer: ipc("bob"), blocked: true });
    world.node("alice").save_error = None;
    world.input("alice", Input::Stop);
    assert!(world.saved_peer("alice", "bob").blocked);
}

#[test]
fn one_write_at_a_time_takes_all_that_came_before() {
    let mut world = World::new(&["alice"]);
    let time = world.time();
    let core = &mut world.node("alice").core;
    let who = Frontend { connection: MAIN, name: "f".into(), pid: 1 };
    for id in 0..5 {
        let command = Command::SetBlocked { peer: ipc(&format!("peer{id}")), blocked: true };
        core.handle(Input::Command { frontend: who.clone(), id, timeout: Duration::ZERO, command }, time);
    }
    let mut done = 0;
    let mut drain = |core: &mut Core<TestEntropy>| {
        let mut writes = Vec::new();
        while let Some(output) = core.next_output() {
            done += usize::from(matches!(output, Output::Reply(_, Ok(Reply::Done))));
            if let Output::Write(changes) = output {
                writes.push(changes.len());
            }
        }
        writes
    };
    assert_eq!(drain(core), [1]);
    core.handle(Input::Saved(Ok(())), time);
    assert_eq!(drain(core), [4], "all that came meanwhile, at once");
    core.handle(Input::Saved(Ok(())), time);
    assert_eq!(drain(core), [0; 0]);
    assert_eq!(done, 5);
}

#[test]
fn the_key_file_must_not_change_under_a_running_daemon() {
    let mut world = World::new(&["alice"]);
    world.node("alice").key = SigningKey::generate_ed25519(&mut TestEntropy(77)).unwrap();
    assert!(matches!(world.err("alice", unlock("right", 0)), CommandError::IdentityUnusable { .. }));
    assert_eq!(link(&mut world, "alice"), LinkState::Online);
}
