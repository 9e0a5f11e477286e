//! Which attempts fail, what comes of that, and a locked end.

use super::*;
use crate::limits::RESUME_SETTLED;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn lost_links_are_nobodys_failure() {
    let mut net = Setup::default().open();
    for _ in 0..10 {
        net.cut(A);
        net.login(A);
        net.advance(Duration::from_secs(5));
        net.assert_open();
    }
    for side in [A, B] {
        assert!(!net.events(side).contains(&Output::Troubled));
    }
}

/// Two that permit no suite in common: each attempt fails.
fn incompatible() -> Net {
    let mut net = Setup::default().build();
    net.ends[B].chat.suites = Suites::new(vec![crate::crypto::kem::Suite::Rsa3072]).unwrap();
    net
}

fn offers_made(net: &mut Net, side: usize, span: Duration) -> usize {
    net.events(side);
    net.advance(span);
    let events = net.events(side);
    assert!(
        !events.contains(&Output::Troubled) || events.len() == 4,
        "told once, after the third: {events:?}"
    );
    events.iter().filter(|event| matches!(event, Output::Interrupted { .. })).count()
}

#[test]
fn three_failures_in_a_row_tell_the_person_and_stop() {
    let mut net = incompatible();
    net.advance(10 * MINUTE);
    for side in [A, B] {
        let events = net.events(side);
        let failures = events.iter().filter(|event| matches!(event, Output::Interrupted { .. })).count();
        assert_eq!(failures, 3);
        assert_eq!(events.iter().filter(|event| **event == Output::Troubled).count(), 1);
        assert_eq!(events.last(), Some(&Output::Troubled));
    }
    assert_eq!(net.ends[B].chat.poll_timeout(), None);
    // One for each login, silently.
    for _ in 0..2 {
        for side in [A, B] {
            net.cut(side);
            net.login(side);
        }
        assert_eq!(offers_made(&mut net, A, 10 * MINUTE), 1);
    }
    // A person asks: the count starts anew.
    for side in [A, B] {
        net.call(side, Chat::resume_now);
    }
    assert_eq!(offers_made(&mut net, A, 10 * MINUTE), 3);
    net.ends[B].chat.suites = Suites::for_peers();
    for side in [A, B] {
        net.call(side, Chat::resume_now);
    }
    net.settle();
    net.assert_open();
}

#[test]
fn an_attempt_that_lasts_a_minute_or_brings_a_text_has_not_failed() {
    for brings_text in [true, false] {
        let mut net = Setup::default().open();
        for _ in 0..5 {
            if brings_text {
                net.say(A, "x").unwrap();
                net.settle();
            } else {
                net.advance(RESUME_SETTLED);
            }
            net.receive_forged(A, &ChatMessage::State { sent: 0, held: 0 });
            net.advance(Duration::from_secs(5));
            net.assert_open();
        }
        assert!(!net.events(A).contains(&Output::Troubled));
        assert!(!net.events(B).contains(&Output::Troubled));
    }
    let mut net = Setup::default().open();
    for _ in 0..4 {
        if net.phases() == [Phase::Open; 2] {
            net.receive_forged(A, &ChatMessage::State { sent: 0, held: 0 });
            net.advance(RESUME_SETTLED - Duration::from_secs(10));
        }
    }
    assert!(net.events(A).contains(&Output::Troubled), "without either it has");
}

#[test]
fn the_wait_grows_with_each_failure() {
    let mut net = incompatible();
    net.settle();
    let mut waits = Vec::new();
    while let Some(at) = net.ends[A].chat.poll_timeout() {
        waits.push(at - net.now);
        net.advance(at - net.now);
        net.settle();
        if net.is_paired || net.ends[A].chat.poll_timeout().is_none() {
            net.advance(Duration::from_secs(1));
        }
    }
    let seconds: Vec<u64> = waits.iter().map(Duration::as_secs).collect();
    assert!(matches!(seconds[..], [4, 16..=19]), "{waits:?}");
}

#[test]
fn a_locked_end_answers_12_and_offers_when_unlocked() {
    for side in [A, B] {
        let mut net = Setup::default().build();
        net.ends[side].is_locked = true;
        for side in [A, B] {
            net.relay(side);
        }
        net.deliver(side);
        let chat_id = net.ends[side].chat.id();
        assert_eq!(net.ends[side].up, [Wire::Message(LinkMessage::ReturnToLobby { chat_id })]);
        assert_eq!(net.events(side), []);
        net.settle();
        assert_eq!(net.phases(), [Phase::Unpaired; 2]);
        net.advance(10 * MINUTE);
        assert_eq!(net.phases(), [Phase::Unpaired; 2]);
        net.ends[side].is_locked = false;
        net.call(side, Chat::handle_unlock);
        net.advance(5 * MINUTE);
        net.assert_open();
    }
}

#[test]
fn locking_amid_a_handshake_gives_it_up() {
    let mut net = Setup::default().build();
    net.relay(A);
    net.relay(B);
    net.deliver(A);
    net.relay(A);
    net.deliver(B);
    net.ends[B].is_locked = true;
    net.deliver(B);
    assert_eq!(net.ends[B].chat.phase(), Phase::Unpaired);
    net.ends[B].is_locked = false;
    net.call(B, Chat::handle_unlock);
    net.advance(MINUTE);
    net.assert_open();
}
