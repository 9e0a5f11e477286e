//! Texts, their window and their acknowledgement.

use super::*;
use crate::error::Rule;
use crate::limits::{DELIVERED_WITHIN, MAX_UNACKNOWLEDGED_TEXTS};

fn delivered_on_the_way(net: &Net, side: usize) -> usize {
    net.ends[side].up.len()
}

#[test]
fn both_sides_open_and_agree() {
    let mut net = Setup::default().build();
    assert_eq!(net.phases(), [Phase::Unpaired; 2]);
    assert!(matches!(net.ends[A].chat.offer(), LinkMessage::Rtt { .. }));
    assert!(matches!(net.ends[B].chat.offer(), LinkMessage::Response { .. }));
    net.settle();
    net.assert_open();
    for side in [A, B] {
        assert_eq!(net.events(side), [Output::Opened { first: true, granted: GRANTED }]);
        assert!(matches!(net.ends[side].chat.offer(), LinkMessage::Resume { .. }));
        assert_eq!(net.ends[side].chat.strays(), 0);
    }
}

#[test]
fn suite_1_opens_with_a_ready_key_and_not_without() {
    let suites = Suites::new(vec![crate::crypto::kem::Suite::Rsa3072]).unwrap();
    let setup = Setup { suites, ..Setup::default() };
    let mut net = setup.build();
    net.settle();
    let fault = Some(Error::Crypto(crate::error::CryptoOperation::NoReadyKey));
    assert_eq!(net.events(B), [Output::Interrupted { fault }]);
    assert_eq!(net.events(A), [Output::Interrupted { fault: None }]);
    net.ends[B].ready_rsa.push(ReadyRsaKey::generate().unwrap());
    net.advance(Duration::from_secs(10));
    net.assert_open();
    assert!(net.ends[B].ready_rsa.is_empty(), "a ready key serves once");
}

#[test]
fn texts_arrive_in_order_and_are_acknowledged() {
    let mut net = Setup::default().open();
    for (side, text) in [(A, "one"), (A, "two"), (B, "uno"), (A, "")] {
        net.say(side, text).unwrap();
    }
    net.settle();
    net.advance(DELIVERED_WITHIN);
    assert_eq!(net.texts(B), ["one", "two", ""]);
    assert_eq!(net.texts(A), ["uno"]);
    assert_eq!([net.ends[A].delivered, net.ends[B].delivered], [3, 1]);
    assert_eq!([A, B].map(|side| net.ends[side].chat.undelivered()), [0, 0]);
}

#[test]
fn a_lone_text_is_acknowledged_at_once_and_a_burst_in_batches() {
    let mut net = Setup::default().open();
    for round in 0..5 {
        net.say(A, "ping").unwrap();
        net.relay(A);
        net.deliver(B);
        assert_eq!(delivered_on_the_way(&net, B), 1, "round {round}");
        net.settle();
        net.advance(Duration::from_millis(3));
    }
    for _ in 0..17 {
        net.say(A, "burst").unwrap();
    }
    for _ in 0..17 {
        net.relay(A);
        net.deliver(B);
    }
    assert_eq!(delivered_on_the_way(&net, B), 3, "the first one alone, then eight at a time");
    net.settle();
    assert_eq!(net.ends[A].delivered, 5 + 17);
}

#[test]
fn large_texts_are_acknowledged_by_their_bytes() {
    let mut net = Setup::default().open();
    let text = "x".repeat(32_768);
    for _ in 0..3 {
        net.say(A, &text).unwrap();
    }
    for _ in 0..3 {
        net.relay(A);
        net.deliver(B);
    }
    assert_eq!(delivered_on_the_way(&net, B), 2, "two of 49,152 bytes are more than 64 KiB");
}

#[test]
fn ten_thousand_texts_back_to_back() {
    let mut net = Setup::default().open();
    let mut said = 0_u64;
    while said < 10_000 {
        match net.say(A, &said.to_string()) {
            Ok(id) => {
                said += 1;
                assert_eq!(id, said);
            }
            Err(SendError::WindowFull) => {
                let before = net.ends[A].delivered;
                net.settle();
                if net.ends[A].delivered == before {
                    net.advance(Duration::from_millis(2));
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
    net.settle();
    net.advance(DELIVERED_WITHIN);
    assert_eq!(net.ends[B].inbox.len(), 10_000);
    assert!(net.ends[B].inbox.iter().enumerate().all(|(at, (_, text))| *text == at.to_string()));
    assert_eq!(net.ends[A].delivered, 10_000);
    assert!(net.now - net.origin < Duration::from_secs(5), "the protocol's own waits are short");
    assert!(net.events(A).iter().all(|event| matches!(event, Output::Opened { .. })));
}

#[test]
fn the_window_is_32_texts_or_256_kib() {
    let mut net = Setup::default().open();
    for _ in 0..MAX_UNACKNOWLEDGED_TEXTS {
        net.say(A, "x").unwrap();
    }
    assert_eq!(net.say(A, "x"), Err(SendError::WindowFull));
    net.settle();
    net.say(A, "x").unwrap();
    net.settle();
    net.advance(DELIVERED_WITHIN);
    let large = "x".repeat(32_768);
    for _ in 0..5 {
        net.say(A, &large).unwrap();
    }
    assert_eq!(net.say(A, &large), Err(SendError::WindowFull));
    assert_eq!(net.say(A, &"x".repeat(32_769)), Err(SendError::TooLong));
    net.say(A, "a small one still fits").unwrap();
    net.settle();
    net.advance(DELIVERED_WITHIN);
    assert_eq!(net.ends[A].delivered, 39);
    assert_eq!([A, B].map(|side| net.ends[side].chat.strays()), [0, 0]);
    net.assert_open();
}

#[test]
fn what_the_owner_does_not_hold_is_not_acknowledged() {
    let mut net = Setup::default().open();
    net.ends[B].holds = false;
    for _ in 0..MAX_UNACKNOWLEDGED_TEXTS {
        net.say(A, "x").unwrap();
    }
    net.advance(Duration::from_secs(30));
    assert_eq!((net.ends[B].inbox.len(), net.ends[A].delivered), (32, 0));
    assert_eq!(net.say(A, "x"), Err(SendError::WindowFull));
    net.call(B, |chat, env| chat.handle_held(3, env));
    net.settle();
    assert_eq!(net.ends[A].delivered, 3);
    net.receive_forged(B, &ChatMessage::Text { id: 4, text: "x".into() });
    net.set_clock(net.now + DELIVERED_WITHIN);
    net.tick();
    assert!(net.ends[B].up.is_empty(), "no word of one that is given and not held");
    // A link lost meanwhile: what was given and not held comes again and is not given twice.
    net.cut(A);
    net.login(A);
    net.advance(Duration::from_secs(10));
    net.assert_open();
    net.call(B, |chat, env| chat.handle_held(32, env));
    net.settle();
    assert_eq!((net.ends[B].inbox.len(), net.ends[A].delivered), (32, 32));
    // Nobody holds what never came.
    net.call(B, |chat, env| chat.handle_held(99, env));
    net.settle();
    assert_eq!(net.ends[A].delivered, 32);
    net.assert_open();
}

fn assert_fault(net: &mut Net, side: usize, rule: Rule) {
    let events = net.events(side);
    let fault = Some(Error::PeerMisbehaved(rule));
    assert_eq!(events.last(), Some(&Output::Interrupted { fault }));
    assert!(matches!(net.ends[side].up.back(), Some(Wire::Message(LinkMessage::ReturnToLobby { .. }))));
    assert_eq!(net.ends[side].chat.phase(), Phase::Unpaired);
}

#[test]
fn a_window_overrun_interrupts() {
    let mut net = Setup::default().open();
    net.ends[B].holds = false;
    for id in 1..=32 {
        net.receive_forged(B, &ChatMessage::Text { id, text: "x".into() });
    }
    assert_eq!(net.ends[B].chat.phase(), Phase::Open);
    net.receive_forged(B, &ChatMessage::Text { id: 33, text: "x".into() });
    assert_fault(&mut net, B, Rule::Flood);

    let mut net = Setup::default().open();
    net.ends[B].holds = false;
    let large = "x".repeat(32_768);
    for id in 1..=5 {
        net.receive_forged(B, &ChatMessage::Text { id, text: large.clone() });
    }
    net.receive_forged(B, &ChatMessage::Text { id: 6, text: large });
    assert_fault(&mut net, B, Rule::Flood);
}

#[test]
fn a_gap_and_a_false_acknowledgement_interrupt() {
    let mut net = Setup::default().open();
    net.receive_forged(B, &ChatMessage::Text { id: 2, text: "x".into() });
    assert_fault(&mut net, B, Rule::TextId);

    let mut net = Setup::default().open();
    net.say(A, "x").unwrap();
    net.receive_forged(A, &ChatMessage::Delivered { id: 2 });
    assert_fault(&mut net, A, Rule::TextId);
}

#[test]
fn a_text_that_is_held_is_acknowledged_again_and_dropped_but_not_often() {
    let mut net = Setup::default().open();
    net.receive_forged(B, &ChatMessage::Text { id: 1, text: "x".into() });
    net.ends[B].up.clear();
    for _ in 0..100 {
        net.receive_forged(B, &ChatMessage::Text { id: 1, text: "y".into() });
    }
    assert_eq!(net.texts(B), ["x"]);
    assert!(net.ends[B].up.is_empty());
    net.set_clock(net.now + DELIVERED_WITHIN);
    net.tick();
    assert_eq!(net.ends[B].up.len(), 1, "one a second at most");
}
