//! A network and a relay that alter, reorder, drop, repeat, reflect and cut records.

use super::*;
use crate::error::{Malformed, Rule};

/// Two texts of A on their way, as records.
fn two_records() -> (Net, [Vec<u8>; 2]) {
    let mut net = Setup::default().open();
    let records = ["one", "two"].map(|text| {
        net.say(A, text).unwrap();
        let Some(Wire::Message(LinkMessage::Chat { record, .. })) = net.ends[A].up.pop_back() else {
            panic!()
        };
        record
    });
    (net, records)
}

fn receive(net: &mut Net, side: usize, record: &[u8]) {
    net.call(side, |chat, env| chat.handle_record(record, env));
}

/// The chat is interrupted with this fault, says so to the peer, has given nothing to anybody, and goes on.
fn assert_interrupted(mut net: Net, side: usize, fault: Error) {
    assert_eq!(net.events(side).last(), Some(&Output::Interrupted { fault: Some(fault) }));
    assert!(matches!(net.ends[side].up.back(), Some(Wire::Message(LinkMessage::ReturnToLobby { .. }))));
    net.advance(Duration::from_secs(5));
    net.assert_open();
    assert_eq!(net.texts(B), ["one", "two"], "they came by the honest way");
    assert!(net.texts(A).is_empty());
}

#[test]
fn every_bit_of_a_record_counts() {
    let (_, [record, _]) = two_records();
    for at in 0..record.len() {
        for bit in 0..8 {
            let (mut net, [mut record, _]) = two_records();
            record[at] ^= 1 << bit;
            receive(&mut net, B, &record);
            let expected = if at < 12 { Error::PeerMisbehaved(Rule::Counter) } else { Error::Decrypt };
            assert_eq!(
                net.events(B).last(),
                Some(&Output::Interrupted { fault: Some(expected) }),
                "byte {at}, bit {bit}"
            );
            assert!(net.texts(B).is_empty());
            if bit == 0 && at % 16 == 0 {
                assert_interrupted_again(net);
            }
        }
    }
}

fn assert_interrupted_again(mut net: Net) {
    net.advance(Duration::from_secs(5));
    net.assert_open();
    assert_eq!(net.texts(B), ["one", "two"]);
}

#[test]
fn a_record_that_is_cut_or_lengthened() {
    let (_, [whole, _]) = two_records();
    for length in 0..whole.len() {
        let (mut net, [record, _]) = two_records();
        receive(&mut net, B, &record[..length]);
        let fault = if length < 28 { Error::Malformed(Malformed::Truncated) } else { Error::Decrypt };
        assert_eq!(net.events(B).last(), Some(&Output::Interrupted { fault: Some(fault) }), "{length}");
        assert!(net.texts(B).is_empty());
    }
    let (mut net, [mut record, _]) = two_records();
    record.push(0);
    receive(&mut net, B, &record);
    assert_interrupted(net, B, Error::Decrypt);
}

#[test]
fn reordered_dropped_and_repeated_records() {
    let (mut net, [_, second]) = two_records();
    receive(&mut net, B, &second);
    assert_interrupted(net, B, Error::PeerMisbehaved(Rule::Counter));
    let (mut net, [first, _]) = two_records();
    receive(&mut net, B, &first);
    receive(&mut net, B, &first);
    assert_interrupted(net, B, Error::PeerMisbehaved(Rule::Counter));
}

#[test]
fn a_reflected_record() {
    let (mut net, [first, _]) = two_records();
    receive(&mut net, A, &first);
    assert_interrupted(net, A, Error::PeerMisbehaved(Rule::Counter));
}

#[test]
fn a_first_record_that_is_altered_or_no_state_opens_nothing() {
    for is_forged in [false, true] {
        let mut net = Setup::default().build();
        while !net.ends[A].chat.is_established() {
            for side in [A, B] {
                net.relay(side);
                net.deliver(side);
            }
        }
        let fault = if is_forged {
            net.receive_first(A, &ChatMessage::Text { id: 1, text: "x".into() });
            Error::PeerMisbehaved(Rule::Order)
        } else {
            net.relay(A);
            net.deliver(B);
            let Some(Wire::Message(LinkMessage::Chat { mut record, .. })) = net.ends[B].up.pop_front() else {
                panic!()
            };
            *record.last_mut().unwrap() ^= 1;
            receive(&mut net, A, &record);
            Error::Decrypt
        };
        assert_eq!(net.events(A), [Output::Interrupted { fault: Some(fault) }]);
        assert!(!net.ends[A].chat.has_opened(), "no pin of this");
        net.advance(Duration::from_secs(10));
        net.assert_open();
    }
}

#[test]
fn a_plaintext_that_is_no_message_interrupts() {
    let cases: [(&[u8], Malformed); 5] = [
        (&[0; 63], Malformed::Padding),
        (&[9; 64], Malformed::UnknownValue),
        (&[0; 65], Malformed::Padding),
        (&[], Malformed::Truncated),
        (&[0; 256], Malformed::Padding),
    ];
    for (plaintext, what) in cases {
        let mut net = Setup::default().open();
        let record = net.forge_plaintext(A, plaintext);
        receive(&mut net, B, &record);
        let fault = Some(Error::Malformed(what));
        assert_eq!(net.events(B).last(), Some(&Output::Interrupted { fault }));
    }
}

#[test]
fn a_chat_opens_after_any_message_of_its_opening_was_changed() {
    let mut net = Setup::default().build();
    let mut messages = 0;
    // Untouched once; then with a bit of every 23rd byte of each message flipped. (That every bit is noticed, the
    // tests of the handshake and of records say.)
    for _ in 0..40 {
        for side in [A, B] {
            net.relay(side);
            net.deliver(side);
        }
    }
    net.assert_open();
    for victim in [A, B] {
        for nth in 0..3 {
            let mut at = 0;
            while tampered_opening(victim, nth, at) {
                at += 23;
                messages += 1;
            }
        }
    }
    assert!(messages > 60, "{messages}");
}

/// Opens a chat with one bit flipped in the nth message to `victim`; whether there is such a byte.
fn tampered_opening(victim: usize, nth: usize, at: usize) -> bool {
    let mut net = Setup::default().build();
    let mut seen = 0;
    let mut is_done = false;
    for _ in 0..40 {
        for side in [A, B] {
            net.relay(side);
            let is_pair = net.ends[side].down.front() == Some(&Wire::Pair);
            if side == victim && !net.ends[side].down.is_empty() && !is_pair {
                if seen == nth {
                    let Some(Wire::Message(message)) = net.ends[side].down.front_mut() else { panic!() };
                    match message {
                        LinkMessage::KeyEstablishment { body: bytes, .. }
                        | LinkMessage::Chat { record: bytes, .. } => match bytes.get_mut(at) {
                            Some(byte) => *byte ^= 1,
                            None => return false,
                        },
                        _ => return false,
                    }
                    is_done = true;
                }
                seen += 1;
            }
            net.deliver(side);
        }
        if is_done && seen > nth + 1 {
            break;
        }
    }
    if !is_done {
        return false;
    }
    net.settle();
    let is_open = net.phases() == [Phase::Open; 2];
    assert!(!is_open || net.events(victim).len() > 1, "opened over message {nth} to {victim}, byte {at}");
    net.advance(Duration::from_secs(120));
    net.assert_open();
    true
}
