//! New keys in an open chat, under load, amid ends, with steps lost.

use super::*;
use crate::chat::stage::{Keys, Stage};
use crate::error::Rule;
use crate::limits::{REKEY_AFTER, REKEY_AFTER_RECORDS, REKEY_TIMEOUT};

const MILLISECOND: Duration = Duration::from_millis(1);

/// An open chat whose A asks for new keys at its next record: M1 is on its way behind a text.
pub(super) fn with_m1_sent() -> Net {
    let mut net = Setup::default().open();
    net.say(A, "used").unwrap();
    net.settle();
    net.advance(REKEY_AFTER - MILLISECOND);
    net.set_clock(net.now + MILLISECOND);
    net.tick();
    assert!(net.ends[A].chat.is_rekeying());
    assert_eq!(net.ends[A].up.len(), 1);
    net
}

/// B has answered: M2 is on its way.
pub(super) fn with_m2_sent() -> Net {
    let mut net = with_m1_sent();
    net.relay(A);
    net.deliver(B);
    assert!(net.ends[B].chat.is_rekeying());
    assert_eq!(net.ends[B].up.len(), 1);
    net
}

fn assert_rekeyed(net: &mut Net) {
    net.settle();
    assert!(!net.ends[A].chat.is_rekeying() && !net.ends[B].chat.is_rekeying());
    let before = net.sessions;
    net.say(A, "under new keys").unwrap();
    net.advance(Duration::from_millis(10));
    net.say(B, "under new keys").unwrap();
    net.advance(Duration::from_millis(10));
    net.assert_open();
    assert!(net.sessions[A] >= before[A] && net.sessions >= [2, 2], "{:?}", net.sessions);
    for side in [A, B] {
        assert_eq!(net.texts(side).last(), Some(&"under new keys"));
        assert_eq!(net.ends[side].chat.strays(), 0);
        assert!(net.events(side).iter().all(|event| matches!(event, Output::Opened { .. })));
    }
}

#[test]
fn keys_are_renewed_after_15_minutes_of_use_but_not_unused() {
    let mut net = Setup::default().open();
    net.advance(3 * REKEY_AFTER);
    assert_eq!(net.sessions, [1, 1], "unused");
    net.say(B, "x").unwrap();
    net.settle();
    assert_rekeyed(&mut net);
    // These records are use: due again in 15 minutes, once.
    net.advance(REKEY_AFTER * 2);
    net.say(A, "x").unwrap();
    net.settle();
    assert_eq!(net.sessions, [3, 3]);
}

#[test]
fn keys_are_renewed_after_1000_records_sent_and_taken() {
    let mut net = Setup::default().open();
    let mut texts = 0;
    while net.sessions == [1, 1] {
        net.say(B, "x").unwrap();
        net.settle();
        net.advance(3 * MILLISECOND);
        texts += 1;
    }
    // Each text and its acknowledgement are two; then M1, M2, M3.
    let enough = REKEY_AFTER_RECORDS / 2;
    assert!((enough..enough + 3).contains(&texts), "{texts}");
    assert_rekeyed(&mut net);
}

#[test]
fn texts_cross_a_rekey_in_both_directions() {
    let mut net = with_m1_sent();
    net.say(A, "after M1").unwrap();
    net.say(B, "before M2").unwrap();
    net.relay(A);
    net.deliver(B);
    // B sent M2: it holds back everything, A sends on.
    assert_eq!(net.ends[B].up.len(), 2, "its text and M2");
    net.say(B, "after M2").unwrap();
    net.say(A, "still before M3").unwrap();
    net.relay(A);
    net.deliver(B);
    net.relay(A);
    net.deliver(B);
    assert_eq!(net.texts(B), ["used", "after M1", "still before M3"]);
    net.advance(Duration::from_millis(0));
    net.settle();
    assert_eq!(net.texts(A), ["before M2", "after M2"]);
    assert_rekeyed(&mut net);
}

#[test]
fn what_b_owes_goes_first_under_the_new_keys() {
    let mut net = Setup::default().open();
    net.say(A, "used").unwrap();
    net.settle();
    net.advance(REKEY_AFTER - MILLISECOND);
    net.set_clock(net.now + MILLISECOND);
    net.say(A, "right before M1").unwrap();
    assert_eq!(net.ends[A].up.len(), 2);
    for _ in 0..2 {
        net.relay(A);
        net.deliver(B);
    }
    assert_eq!(net.ends[B].up.len(), 2, "Delivered and M2");
    net.say(B, "held back").unwrap();
    net.say(A, "y").unwrap();
    net.relay(A);
    net.deliver(B);
    assert_eq!(net.ends[B].up.len(), 2, "M2 is B's last old record");
    for _ in 0..2 {
        net.relay(B);
        net.deliver(A);
    }
    net.relay(A);
    net.deliver(B);
    assert!(!net.ends[B].chat.is_rekeying());
    assert_eq!(net.ends[B].up.len(), 2);
    assert_eq!(net.ends[A].delivered, 2);
    net.relay(B);
    net.deliver(A);
    assert_eq!(net.ends[A].delivered, 3);
    assert!(net.texts(A).is_empty());
    assert_rekeyed(&mut net);
}

#[test]
fn a_text_that_is_held_back_cannot_be_acknowledged() {
    let mut net = with_m2_sent();
    net.say(B, "held back").unwrap();
    net.receive_forged(B, &ChatMessage::Delivered { id: 1 });
    let fault = Some(Error::PeerMisbehaved(Rule::TextId));
    assert_eq!(net.events(B).last(), Some(&Output::Interrupted { fault }));
    assert_eq!(net.ends[B].chat.undelivered(), 1);
}

#[test]
fn ends_around_a_rekey() {
    for ends in [&[A][..], &[B], &[A, B]] {
        for build in [with_m1_sent, with_m2_sent] {
            let mut net = build();
            for side in ends {
                net.call(*side, |chat, env| chat.end(EndReason::Person, env));
            }
            net.advance(Duration::from_secs(20));
            assert_eq!(net.phases(), [Phase::Over; 2], "{ends:?}");
            for side in [A, B] {
                let events = net.events(side);
                let told = events.iter().filter(|event| matches!(event, Output::Ended { .. })).count();
                assert_eq!((told, events.len()), (1, 2), "{ends:?}: {events:?}");
            }
        }
    }
}

#[test]
fn b_takes_an_end_between_m2_and_m3_and_answers_after_m3() {
    let mut net = with_m2_sent();
    net.call(A, |chat, env| chat.end(EndReason::Person, env));
    net.relay(A);
    net.deliver(B);
    assert_eq!(net.ends[B].chat.phase(), Phase::Answered);
    assert_eq!(net.ends[B].up.len(), 1, "nothing before M3");
    net.relay(B);
    net.deliver(A);
    assert_eq!(net.ends[A].up.len(), 1, "A answers M2 even now");
    net.settle();
    assert_eq!(net.phases(), [Phase::Over; 2]);
}

#[test]
fn an_answer_that_was_held_back_waits_for_the_end_to_come_again() {
    let mut net = with_m2_sent();
    net.call(A, |chat, env| chat.end(EndReason::Person, env));
    net.relay(A);
    net.deliver(B);
    net.cut(B);
    net.login(B);
    net.deliver(A);
    net.set_clock(net.now + Duration::from_secs(2));
    net.tick();
    while !matches!(net.ends[B].chat.stage, Stage::AwaitingState(..)) {
        for side in [A, B] {
            net.relay(side);
            net.deliver(side);
        }
    }
    net.ends[B].up.clear();
    net.receive_first(B, &ChatMessage::State { sent: 1, held: 0 });
    assert_eq!(net.ends[B].up, []);
    net.receive_forged(B, &ChatMessage::End { id: 1, reason: EndReason::Person });
    assert_eq!(net.ends[B].up.len(), 1);
}

#[test]
fn b_that_is_ending_answers_no_m1() {
    let mut net = with_m1_sent();
    net.call(B, |chat, env| chat.end(EndReason::Person, env));
    net.relay(A);
    net.deliver(B);
    assert!(!net.ends[B].chat.is_rekeying());
    net.settle();
    assert_eq!(net.phases(), [Phase::Over; 2]);
}

#[test]
fn a_locked_end_neither_starts_nor_answers() {
    let mut net = Setup::default().open();
    net.ends[A].is_locked = true;
    net.say(A, "x").unwrap();
    net.advance(4 * REKEY_AFTER);
    assert_eq!(net.sessions, [1, 1]);
    net.say(A, "x").unwrap();
    net.settle();
    assert!(!net.ends[A].chat.is_rekeying());
    net.ends[A].is_locked = false;
    net.call(A, Chat::handle_unlock);
    assert!(net.ends[A].chat.is_rekeying());
    assert_rekeyed(&mut net);

    let mut net = with_m1_sent();
    net.ends[B].is_locked = true;
    net.advance(REKEY_TIMEOUT - MILLISECOND);
    assert!(net.ends[A].chat.is_rekeying());
    net.advance(MILLISECOND);
    assert!(!net.ends[A].chat.is_rekeying(), "given up");
    net.assert_open();
    net.ends[B].is_locked = false;
    net.say(A, "x").unwrap();
    net.settle();
    assert_eq!(net.sessions, [1, 1], "not before as much use again");
    net.advance(REKEY_AFTER);
    assert_rekeyed(&mut net);
}

#[test]
fn a_late_m2_is_still_answered() {
    let mut net = with_m1_sent();
    net.set_clock(net.now + REKEY_TIMEOUT);
    net.call(A, Chat::handle_timeout);
    assert!(!net.ends[A].chat.is_rekeying());
    assert_rekeyed(&mut net);
}

#[test]
fn without_m3_b_interrupts_after_10_seconds() {
    let mut net = with_m2_sent();
    net.ends[B].up.clear();
    net.set_clock(net.now + REKEY_TIMEOUT - MILLISECOND);
    net.call(B, Chat::handle_timeout);
    assert_eq!(net.ends[B].chat.phase(), Phase::Open);
    net.set_clock(net.now + MILLISECOND);
    net.call(B, Chat::handle_timeout);
    let fault = Some(Error::PeerMisbehaved(Rule::Late));
    assert_eq!(net.events(B).last(), Some(&Output::Interrupted { fault }));
    net.advance(Duration::from_secs(5));
    net.assert_open();
}

#[test]
fn an_m2_or_m3_that_the_relay_swallows_interrupts_and_loses_nothing() {
    // M2: B falls silent; M3: A's next record does not open.
    for is_m3 in [false, true] {
        let mut net = with_m2_sent();
        if is_m3 {
            net.relay(B);
            net.deliver(A);
            assert_eq!(net.ends[A].up.len(), 1);
            net.ends[A].up.clear();
        } else {
            net.ends[B].up.clear();
        }
        for side in [A, B] {
            net.say(side, "meanwhile").unwrap();
        }
        net.advance(Duration::from_secs(30));
        net.assert_open();
        for side in [A, B] {
            assert_eq!(net.texts(side).iter().filter(|text| **text == "meanwhile").count(), 1);
            assert_eq!(net.ends[side].chat.undelivered(), 0);
        }
    }
}

#[test]
fn an_m2_that_is_not_signed_interrupts_and_wipes_the_old_keys_too() {
    let mut net = with_m2_sent();
    // B's M2 as B made it, with a bit of its signature flipped, under B's old keys: only B could do that.
    let Some(Wire::Message(LinkMessage::Chat { .. })) = net.ends[B].up.pop_front() else { panic!() };
    let mut net = with_m1_sent();
    let m1 = net.ends[A].up.pop_front().unwrap();
    let Wire::Message(LinkMessage::Chat { record, .. }) = m1 else { panic!() };
    let mut plaintext = Vec::new();
    let Stage::Open(talk) = &mut net.ends[B].chat.stage else { panic!() };
    talk.keys.opener().open(&record, &mut plaintext).unwrap();
    let ChatMessage::KeyEstablishment { body, .. } = ChatMessage::decode(&plaintext).unwrap() else {
        panic!()
    };
    let m1 = crate::handshake::responder::read_m1(net.ends[B].chat.context(), &body, &Suites::for_peers());
    let (_, mut m2) = net.call(B, |chat, env| chat.answer_m1(m1.unwrap(), env)).unwrap();
    *m2.last_mut().unwrap() ^= 1;
    net.receive_forged(A, &ChatMessage::KeyEstablishment { step: Step::M2, body: m2 });
    let fault = Some(Error::PeerMisbehaved(Rule::Signature));
    assert_eq!(net.events(A).last(), Some(&Output::Interrupted { fault }));
    assert!(matches!(net.ends[A].chat.stage, Stage::Unpaired(_)));
    net.advance(Duration::from_secs(5));
    net.assert_open();
}

#[test]
fn the_root_stays_and_old_keys_go() {
    let mut net = Setup::default().open();
    let root = net.ends[A].chat.root.clone().unwrap();
    net.say(A, "x").unwrap();
    net.settle();
    net.advance(REKEY_AFTER);
    assert_rekeyed(&mut net);
    for side in [A, B] {
        assert_eq!(net.ends[side].chat.root.as_ref().unwrap().expose(), root.expose());
        let Stage::Open(talk) = &net.ends[side].chat.stage else { panic!() };
        assert!(matches!(talk.keys, Keys::Settled(_)));
    }
}
