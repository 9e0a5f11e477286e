//! Steps of a rekey that have no place, that are another's, that are broken.

use super::rekey::{with_m1_sent, with_m2_sent};
use super::*;
use crate::crypto::kem::Suite;
use crate::error::Rule;
use crate::wire::key_establishment::M1;
use crate::wire::link::ChatId;

fn rekey_record(step: Step, body: Vec<u8>) -> ChatMessage {
    ChatMessage::KeyEstablishment { step, body }
}

#[test]
fn steps_out_of_role_interrupt() {
    for (side, step) in [(A, Step::M1), (A, Step::M3), (B, Step::M2)] {
        let mut net = Setup::default().open();
        net.receive_forged(side, &rekey_record(step, vec![7; 40]));
        let fault = Some(Error::PeerMisbehaved(Rule::Order));
        assert_eq!(net.events(side).last(), Some(&Output::Interrupted { fault }));
        net.advance(Duration::from_secs(5));
        net.assert_open();
    }
}

#[test]
fn steps_with_a_foreign_nonce_are_strays() {
    let mut net = with_m1_sent();
    net.receive_forged(A, &rekey_record(Step::M2, vec![7; 40]));
    assert_eq!((net.ends[A].chat.strays(), net.ends[A].chat.phase()), (1, Phase::Open));
    let mut net = with_m2_sent();
    net.receive_forged(B, &rekey_record(Step::M3, vec![7; 40]));
    assert_eq!((net.ends[B].chat.strays(), net.ends[B].chat.is_rekeying()), (1, true));
    let mut net = Setup::default().open();
    for (side, step) in [(A, Step::M2), (B, Step::M3)] {
        net.receive_forged(side, &rekey_record(step, vec![7; 40]));
        assert_eq!((net.ends[side].chat.strays(), net.ends[side].chat.phase()), (1, Phase::Open));
    }
}

fn m1(net: &Net, nonce: u8) -> M1 {
    M1 { nonce_sender: [nonce; 16], chat_id: net.ends[A].chat.id(), suites: vec![Suite::X25519MlKem768] }
}

#[test]
fn a_second_m1_amid_a_rekey_is_a_stray() {
    let mut net = with_m2_sent();
    let newer = m1(&net, 7).encode();
    for strays in 1..=5 {
        net.receive_forged(B, &rekey_record(Step::M1, newer.clone()));
        assert_eq!((net.ends[B].chat.strays(), net.ends[B].chat.is_rekeying()), (strays, true));
    }
    assert_eq!(net.ends[B].up.len(), 1, "M2 is the last record under the old keys");
    net.settle();
    net.assert_open();
    assert!(!net.ends[A].chat.is_rekeying() && !net.ends[B].chat.is_rekeying(), "the answered one goes on");
}

#[test]
fn an_m1_for_another_chat_is_a_stray_and_one_without_a_suite_goes_unanswered() {
    let mut net = Setup::default().open();
    let other = ChatId::from_bytes([9; 16]).unwrap();
    let foreign = M1 { chat_id: other, ..m1(&net, 7) }.encode();
    net.receive_forged(B, &rekey_record(Step::M1, foreign));
    assert_eq!(net.ends[B].chat.strays(), 1);
    let weak = M1 { suites: vec![Suite::Rsa3072], ..m1(&net, 7) }.encode();
    net.receive_forged(B, &rekey_record(Step::M1, weak));
    assert_eq!(net.ends[B].chat.strays(), 1);
    assert!(net.ends[B].up.is_empty() && !net.ends[B].chat.is_rekeying());
    net.assert_open();
}

#[test]
fn a_broken_m1_interrupts() {
    for build in [with_m2_sent, || Setup::default().open()] {
        let mut net = build();
        net.receive_forged(B, &rekey_record(Step::M1, vec![7; 3]));
        let fault = net.events(B).pop();
        assert!(matches!(fault, Some(Output::Interrupted { fault: Some(Error::Malformed(_)) })));
    }
}
