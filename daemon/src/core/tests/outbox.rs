//! Texts left for who is away: kept, in order, sent once, and what becomes of them is told.

use secchat_ipc::types::{ChatState, QueuedOutcome, QueuedText, QueuedTexts};

use super::*;
use crate::limits::{MAX_OUTBOX_BYTES_TO_PEER, MAX_OUTBOX_TEXTS_TO_PEER};

const HOUR: u32 = 3_600;

fn leave(peer: &str, text: &str) -> Command {
    Command::Queue { peer: ipc(peer), text: text.into(), lifetime_seconds: HOUR }
}

impl World {
    fn leave(&mut self, user: &str, peer: &str, text: &str) -> u64 {
        let Reply::Queued { id, .. } = self.ok(user, leave(peer, text)) else { panic!("it is not left") };
        id
    }

    fn outbox(&mut self, user: &str) -> Vec<QueuedText> {
        let Reply::Outbox(texts) = self.ok(user, Command::Outbox) else { panic!("no outbox") };
        texts
    }

    fn waiting(&mut self, user: &str) -> Vec<String> {
        let waiting = self.outbox(user).into_iter().filter(|text| !text.is_sent);
        waiting.map(|text| text.beginning).collect()
    }

    /// What became of the texts that were left, in the order of the events.
    fn outcomes(&mut self, user: &str) -> Vec<(Vec<u64>, QueuedOutcome)> {
        let told = self.node(user).events.iter().filter_map(|event| {
            let Event::QueuedTextsEnded { ids, outcome, .. } = event else { return None };
            Some((ids.clone(), *outcome))
        });
        told.collect()
    }

    /// Bob is away: the chat is interrupted.
    fn interrupted(users: &[&str]) -> Self {
        let mut world = Self::new(users);
        world.chat("alice", "bob");
        world.cut("bob");
        world.relay_up = false;
        world.advance(2);
        assert_eq!(world.snapshot("alice").chats[0].state, ChatState::Interrupted);
        world
    }

    fn is_back(&mut self) {
        self.relay_up = true;
        self.advance(120);
    }
}

#[test]
fn what_is_left_without_a_chat_goes_when_one_opens_whoever_asks() {
    for (asks, answers) in [("alice", "bob"), ("bob", "alice")] {
        let mut world = World::new(&["alice", "bob"]);
        let ids = ["one", "two", "three"].map(|text| world.leave("alice", "bob", text));
        assert_eq!(ids, [1, 2, 3]);
        world.crash("alice");
        world.command("alice", Command::Subscribe, MIRROR);
        assert_eq!(world.waiting("alice"), ["one", "two", "three"]);
        assert!(world.node("alice").sent.iter().all(|message| !matches!(message, LinkMessage::Rtt { .. })));
        world.chat(asks, answers);
        let sent = world.send("alice", "bob", "four");
        world.advance(2);
        assert!(matches!(world.answer("alice", sent), Some(Ok(Reply::Delivered { .. }))));
        assert_eq!(world.read("bob"), ["one", "two", "three", "four"]);
        let told: Vec<u64> = world.outcomes("alice").into_iter().flat_map(|(ids, _)| ids).collect();
        assert_eq!(told, ids);
        assert!(world.outcomes("alice").iter().all(|(_, outcome)| *outcome == QueuedOutcome::Delivered));
        assert!(world.outbox("alice").is_empty());
        // Numbers are not used again, though nothing is left of them.
        world.advance(2);
        world.crash("alice");
        assert_eq!(world.leave("alice", "bob", "later"), 4);
    }
}

#[test]
fn what_is_sent_later_does_not_overtake_and_what_was_sent_before_is_not_overtaken() {
    let mut world = World::interrupted(&["alice", "bob"]);
    // Sent before: into the window at once.
    let first = world.send("alice", "bob", "first");
    world.leave("alice", "bob", "left");
    let second = world.send("alice", "bob", "second");
    let gone = world.leave("alice", "bob", "taken back");
    world.leave("alice", "bob", "left too");
    let cancelled = world.ok("alice", Command::CancelQueued { texts: QueuedTexts::One(gone) });
    assert_eq!(cancelled, Reply::Cancelled { texts: 1, sent: 0 });
    assert_eq!(world.waiting("alice"), ["left", "left too"]);
    world.relay_up = true;
    world.advance(20);
    for key in [first, second] {
        assert!(matches!(world.answer("alice", key), Some(Ok(Reply::Delivered { .. }))));
    }
    assert_eq!(world.read("bob"), ["first", "left", "second", "left too"]);
}

#[test]
fn what_waits_for_an_interrupted_chat_can_be_taken_back_and_what_left_cannot() {
    let mut world = World::interrupted(&["alice", "bob"]);
    let ids = ["one", "two"].map(|text| world.leave("alice", "bob", text));
    let reply = world.ok("alice", Command::CancelQueued { texts: QueuedTexts::One(ids[0]) });
    assert_eq!(reply, Reply::Cancelled { texts: 1, sent: 0 });
    let again = world.err("alice", Command::CancelQueued { texts: QueuedTexts::One(ids[0]) });
    assert_eq!(again, CommandError::NotQueued { id: ids[0] });
    world.is_back();
    assert_eq!(world.read("bob"), ["two"]);
    // In the window, and bob's daemon does not get it.
    world.tamper = Some(Box::new(|to, message| {
        (to.as_str() != "bob" || !matches!(message, LinkMessage::Chat { .. })).then_some(message)
    }));
    let id = world.leave("alice", "bob", "on its way");
    let reply = world.ok("alice", Command::CancelQueued { texts: QueuedTexts::To(ipc("bob")) });
    assert_eq!(reply, Reply::Cancelled { texts: 0, sent: 1 });
    let shown = world.outbox("alice");
    assert_eq!((shown[0].id, shown[0].is_sent, shown[0].beginning.as_str()), (id, true, "on its way"));
    let expected = [(vec![ids[0]], QueuedOutcome::Cancelled), (vec![ids[1]], QueuedOutcome::Delivered)];
    assert_eq!(world.outcomes("alice"), expected);
}

#[test]
fn what_waited_for_too_long_is_not_sent() {
    let mut world = World::interrupted(&["alice", "bob"]);
    let short = Command::Queue { peer: ipc("bob"), text: "short".into(), lifetime_seconds: 5 };
    assert!(matches!(world.ok("alice", short), Reply::Queued { id: 1, expires } if expires == UNIX + 7));
    world.leave("alice", "bob", "long");
    world.advance(6);
    assert_eq!(world.outcomes("alice"), [(vec![1], QueuedOutcome::Expired)]);
    world.is_back();
    assert_eq!(world.read("bob"), ["long"]);
    for lifetime_seconds in [0, 30 * 86_400 + 1] {
        let bad = Command::Queue { peer: ipc("bob"), text: "x".into(), lifetime_seconds };
        assert!(matches!(world.err("alice", bad), CommandError::Invalid { .. }));
    }
}

#[test]
fn what_expired_while_the_daemon_was_off_or_the_clock_jumped_is_not_sent_either() {
    let mut world = World::new(&["alice", "bob"]);
    world.leave("alice", "bob", "old");
    world.relay.leave(&name("alice"));
    let disk = world.node("alice").disk.clone();
    world.elapsed += Duration::from_secs(HOUR.into());
    world.add(settings("alice"), disk);
    world.command("alice", Command::Subscribe, MIRROR);
    world.ok("alice", Command::Unlock { passphrase: pass("right"), ttl_seconds: 0 });
    world.ok("alice", Command::Login);
    assert_eq!(world.outcomes("alice"), [(vec![1], QueuedOutcome::Expired)]);
    world.chat("bob", "alice");
    assert!(world.read("bob").is_empty() && world.outbox("alice").is_empty());
}

#[test]
fn it_is_accepted_once_it_is_on_disk_and_not_otherwise() {
    let mut world = World::new(&["alice", "bob"]);
    world.node("alice").save_error = Some("store.redb: no space left".into());
    let refused = world.err("alice", leave("bob", "lost"));
    assert!(matches!(refused, CommandError::NotSaved { .. } | CommandError::NotSent { .. }), "{refused:?}");
    assert!(world.outbox("alice").is_empty());
    world.node("alice").save_error = None;
    world.advance(15);
    assert!(!world.node("alice").disk.keys().any(|key| matches!(key, RecordKey::Queued(_))));
    world.leave("alice", "bob", "kept");
    world.crash("alice");
    assert_eq!(world.waiting("alice"), ["kept"]);
}

#[test]
fn a_write_that_fails_while_it_goes_to_the_chat_gives_it_back() {
    let mut world = World::interrupted(&["alice", "bob"]);
    for text in ["one", "two"] {
        world.leave("alice", "bob", text);
    }
    // Alice's disk fails when bob is back and the texts would leave.
    world.node("alice").save_error = Some("store.redb: no space left".into());
    world.is_back();
    assert_eq!(world.waiting("alice"), ["one", "two"]);
    assert!(world.read("bob").is_empty());
    world.node("alice").save_error = None;
    world.advance(120);
    assert_eq!(world.read("bob"), ["one", "two"]);
    assert!(world.outbox("alice").is_empty());
}

#[test]
fn a_crash_at_any_moment_of_its_way_sends_it_once() {
    // Which messages from alice to bob get through before her daemon dies.
    for through in 0..12 {
        let mut world = World::interrupted(&["alice", "bob"]);
        let ids = ["one", "two", "three"].map(|text| world.leave("alice", "bob", text));
        let mut count = 0;
        world.tamper = Some(Box::new(move |_, message| {
            count += 1;
            (count <= through).then_some(message)
        }));
        world.relay_up = true;
        world.advance(3);
        world.tamper = None;
        world.crash("alice");
        world.command("alice", Command::Subscribe, MIRROR);
        world.advance(120);
        assert_eq!(world.read("bob"), ["one", "two", "three"], "{through}");
        assert!(world.outbox("alice").is_empty(), "{through}");
        world.advance(2);
        let rows = world.node("alice").disk.keys().filter(|key| matches!(key, RecordKey::Queued(_))).count();
        assert_eq!(rows, 0, "{through}: {ids:?}");
    }
}

#[test]
fn the_end_of_a_chat_fails_what_left_and_leaves_what_waits() {
    let mut world = World::new(&["alice", "bob"]);
    world.chat("alice", "bob");
    world.tamper = Some(Box::new(|to, message| {
        (to.as_str() != "bob" || !matches!(message, LinkMessage::Chat { .. })).then_some(message)
    }));
    // A window full, and more.
    let ids: Vec<u64> = (0..40).map(|n| world.leave("alice", "bob", &format!("{n}"))).collect();
    assert_eq!(world.waiting("alice").len(), 8);
    world.start("alice", Command::Close { peer: ipc("bob") });
    world.advance(60);
    assert_eq!(world.outcomes("alice"), [(ids[..32].to_vec(), QueuedOutcome::NotDelivered)]);
    world.tamper = None;
    world.advance(120);
    world.chat("alice", "bob");
    world.advance(2);
    assert_eq!(world.read("bob").len(), 8);
    assert!(world.outbox("alice").is_empty());
}

#[test]
fn what_was_meant_for_one_key_does_not_go_to_another() {
    let mut world = World::interrupted(&["alice", "bob"]);
    let id = world.leave("alice", "bob", "for bob's old key");
    world.ok("alice", Command::Forget { peer: ipc("bob") });
    assert_eq!(world.outcomes("alice"), [(vec![id], QueuedOutcome::KeyGone)]);
    assert!(world.outbox("alice").is_empty());
}

#[test]
fn nothing_is_left_for_oneself_a_blocked_peer_or_by_a_locked_daemon() {
    let mut world = World::new(&["alice", "bob"]);
    assert!(matches!(world.err("alice", leave("alice", "x")), CommandError::Invalid { .. }));
    let long = "x".repeat(32_769);
    assert!(matches!(world.err("alice", leave("bob", &long)), CommandError::Invalid { .. }));
    world.ok("alice", Command::SetBlocked { peer: ipc("bob"), blocked: true });
    assert_eq!(world.err("alice", leave("bob", "x")), CommandError::Blocked { peer: ipc("bob") });
    world.ok("alice", Command::SetBlocked { peer: ipc("bob"), blocked: false });
    world.ok("alice", Command::Lock);
    assert_eq!(world.err("alice", leave("bob", "x")), CommandError::Locked);
}

#[test]
fn the_outbox_has_its_bounds_and_says_so() {
    let mut world = World::new(&["alice", "bob"]);
    for n in 0..MAX_OUTBOX_TEXTS_TO_PEER {
        world.leave("alice", "bob", &n.to_string());
    }
    let full = world.err("alice", leave("bob", "one too many"));
    assert!(matches!(full, CommandError::LimitReached { why } if why.contains("for bob")));
    world.leave("alice", "carol", "there is room for others");
    world.ok("alice", Command::CancelQueued { texts: QueuedTexts::To(ipc("bob")) });
    let long = "x".repeat(32_768);
    for _ in 0..MAX_OUTBOX_BYTES_TO_PEER / long.len() {
        world.leave("alice", "bob", &long);
    }
    assert!(matches!(world.err("alice", leave("bob", "x")), CommandError::LimitReached { .. }));
    assert_eq!(
        world.outbox("alice").last().map(|text| (text.bytes, text.beginning.len())),
        Some((32_768, 200))
    );
}
