//! Named consumers: each event at least once, in order, over restarts; and a bound that says what it cost.

use secchat_ipc::types::LoggedEvent;

use super::*;
use crate::limits::{MAX_CONSUMERS, MAX_LOGGED_EVENTS};

/// The connection that reads.
const READER: u64 = 5;

fn consume(acknowledged: u64, most: u16) -> Command {
    Command::Consume { consumer: "bot".into(), acknowledged, most }
}

impl World {
    fn read_log(&mut self, user: &str, acknowledged: u64) -> (u64, Vec<LoggedEvent>) {
        let key = self.command(user, consume(acknowledged, 1_000), READER);
        let answer = self.answer(user, key).expect("an answer at once").unwrap();
        let Reply::Events { missed, events } = answer else { panic!("{answer:?}") };
        (missed, events)
    }

    /// All that is waiting, acknowledged.
    fn drain_log(&mut self, user: &str) -> Vec<LoggedEvent> {
        let (mut acknowledged, mut all) = (0, Vec::new());
        while self.has_waiting(user) {
            let (_, events) = self.read_log(user, acknowledged);
            acknowledged = events.last().expect("an event").number;
            all.extend(events);
            self.command(user, consume(acknowledged, 0), READER);
        }
        all
    }

    fn has_waiting(&mut self, user: &str) -> bool {
        let Reply::Consumers(consumers) = self.ok(user, Command::Consumers) else { panic!("no list") };
        consumers[0].waiting > 0
    }

    fn register(&mut self, user: &str) {
        let key = self.command(user, consume(0, 1), READER);
        assert_eq!(self.answer(user, key), Some(Ok(Reply::Events { missed: 0, events: Vec::new() })));
    }
}

fn texts(events: &[LoggedEvent]) -> Vec<String> {
    let text = |logged: &LoggedEvent| {
        if let Event::MessageReceived(message) = &logged.event { Some(message.text.clone()) } else { None }
    };
    events.iter().filter_map(text).collect()
}

#[test]
fn what_is_not_acknowledged_comes_again_after_a_crash_and_what_is_does_not() {
    let mut world = World::new(&["alice", "bob"]);
    world.register("bob");
    world.chat("alice", "bob");
    for text in ["one", "two", "three"] {
        world.send("alice", "bob", text);
    }
    let (missed, events) = world.read_log("bob", 0);
    assert_eq!((missed, texts(&events)), (0, vec!["one".into(), "two".into(), "three".into()]));
    assert!(matches!(events[0].event, Event::RequestReceived(_)), "{:?}", events[0]);
    assert!(events.windows(2).all(|pair| pair[0].number < pair[1].number));
    let one = events.iter().position(|logged| texts(std::slice::from_ref(logged)) == ["one"]).unwrap();
    world.command("bob", consume(events[one].number, 0), READER);
    world.crash("bob");
    // Unread still, and shown to frontends anew: to the consumer only what it did not acknowledge.
    let (missed, again) = world.read_log("bob", 0);
    assert_eq!((missed, &again[..]), (0, &events[one + 1..][..again.len().min(events.len() - one - 1)]));
    assert_eq!(texts(&again), ["two", "three"]);
    world.command("bob", consume(again.last().unwrap().number, 0), READER);
    world.crash("bob");
    world.advance(5);
    let later = world.drain_log("bob");
    assert_eq!(texts(&later), [""; 0]);
    assert!(!later.iter().any(|logged| matches!(logged.event, Event::RequestReceived(_))), "{later:?}");
}

#[test]
fn a_consumer_that_waits_is_answered_by_what_happens_or_by_its_time_limit() {
    let mut world = World::new(&["alice", "bob"]);
    world.register("bob");
    let idle = world.command_within("bob", consume(0, 1), READER, Duration::from_secs(9));
    world.advance(10);
    assert_eq!(world.answer("bob", idle), Some(Ok(Reply::Events { missed: 0, events: Vec::new() })));
    let waits = world.command("bob", consume(0, 1), READER);
    assert_eq!(world.answer("bob", waits), None);
    world.start("alice", world.rtt("bob", false));
    let Some(Ok(Reply::Events { events, .. })) = world.answer("bob", waits) else { panic!("no events") };
    assert!(matches!(events[..], [LoggedEvent { event: Event::RequestReceived(_), .. }]), "{events:?}");
}

#[test]
fn an_event_is_given_out_only_when_it_is_on_disk() {
    let mut world = World::new(&["alice", "bob"]);
    world.register("bob");
    let waits = world.command_within("bob", consume(0, 1), READER, Duration::from_secs(600));
    world.node("bob").save_error = Some("store.redb: no space left".into());
    world.start("alice", world.rtt("bob", false));
    assert_eq!(world.snapshot("bob").incoming.len(), 1);
    assert_eq!(world.answer("bob", waits), None);
    world.node("bob").save_error = None;
    world.advance(15);
    assert!(matches!(world.answer("bob", waits), Some(Ok(Reply::Events { missed: 0, .. }))));
}

#[test]
fn a_text_that_never_reached_the_inbox_is_no_event() {
    let mut world = World::new(&["alice", "bob"]);
    world.register("bob");
    world.chat("alice", "bob");
    world.drain_log("bob");
    world.node("bob").save_error = Some("store.redb: no space left".into());
    world.send("alice", "bob", "never kept");
    assert!(matches!(
        world.err("bob", Command::Forget { peer: ipc("alice") }),
        CommandError::NotSaved { .. }
    ));
    world.node("bob").save_error = None;
    world.advance(15);
    assert_eq!(texts(&world.drain_log("bob")), [""; 0]);
}

#[test]
fn what_found_no_place_is_counted_and_told_until_it_is_acknowledged() {
    let mut world = World::new(&["alice", "bob"]);
    world.register("bob");
    for n in 0..MAX_LOGGED_EVENTS + 10 {
        let event = Event::TextQueued { peer: ipc("alice"), id: n as u64, expires: 1 };
        world.node("bob").core.event(event);
    }
    // Anything: what happened before is written then.
    world.ok("bob", Command::Status);
    world.advance(2);
    let (missed, events) = world.read_log("bob", 0);
    assert_eq!(missed, 10);
    world.crash("bob");
    let (missed, again) = world.read_log("bob", 0);
    assert_eq!((missed, again[0].number), (10, events[0].number));
    let (missed, _) = world.read_log("bob", again[0].number);
    assert_eq!(missed, 0, "told, and acknowledged with what follows");
}

#[test]
fn a_consumer_that_could_not_be_kept_is_told_so_until_it_is() {
    let mut world = World::new(&["alice", "bob"]);
    world.node("bob").save_error = Some("store.redb: no space left".into());
    for _ in 0..2 {
        let key = world.command("bob", consume(0, 1), READER);
        let answer = world.answer("bob", key);
        assert!(matches!(answer, Some(Err(CommandError::NotSaved { .. }))), "{answer:?}");
    }
    world.node("bob").save_error = None;
    world.register("bob");
    world.crash("bob");
    world.chat("alice", "bob");
    world.send("alice", "bob", "one");
    assert_eq!(texts(&world.drain_log("bob")), ["one"]);
}

#[test]
fn one_reads_at_a_time_and_nobody_acknowledges_what_was_not_given() {
    let mut world = World::new(&["alice", "bob"]);
    world.register("bob");
    let other = world.command("bob", consume(0, 1), READER + 1);
    assert!(matches!(world.answer("bob", other), Some(Err(CommandError::InUse { .. }))));
    world.input("bob", Input::FrontendGone(READER));
    let other = world.command("bob", consume(0, 1), READER + 1);
    assert_eq!(world.answer("bob", other), None, "it waits");
    assert!(matches!(
        world.err("bob", Command::ForgetConsumer { consumer: "x".into() }),
        CommandError::Invalid { .. }
    ));
    world.start("alice", world.rtt("bob", false));
    let too_far = world.command("bob", consume(99, 1), READER + 1);
    assert!(matches!(world.answer("bob", too_far), Some(Err(CommandError::Invalid { .. }))));
    world.ok("bob", Command::ForgetConsumer { consumer: "bot".into() });
    let rows =
        world.node("bob").disk.keys().any(|key| matches!(key, RecordKey::Event(_) | RecordKey::Consumer(_)));
    assert!(!rows, "nobody reads: no log is kept");
    for n in 0..MAX_CONSUMERS {
        let new = Command::Consume { consumer: format!("c{n}"), acknowledged: 0, most: 1 };
        world.ok("bob", new);
    }
    assert!(matches!(world.err("bob", consume(0, 1)), CommandError::LimitReached { .. }));
    for name in ["", "Bot", "a b", "../x"] {
        let bad = Command::Consume { consumer: name.into(), acknowledged: 0, most: 1 };
        assert!(matches!(world.err("bob", bad), CommandError::Invalid { .. }), "{name}");
    }
}
