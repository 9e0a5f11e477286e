//! Whole messages of another run, chat, user or purpose.

use secchat_proto::UserName;
use secchat_proto::error::Rule;
use secchat_proto::handshake::ChatContext;
use secchat_proto::handshake::initiator::{Held, send_m1};
use secchat_proto::handshake::responder::read_m1;
use secchat_proto::transcript::transcript_hash;
use secchat_proto::wire::key_establishment::{M2, M3};
use secchat_proto::wire::link::ChatId;

use crate::pair::{GRANTED, Pair, Seeded, broken, key, pair, request};

#[test]
fn whoever_holds_another_context_gets_nowhere() {
    let pair = pair();
    let (_, m1) = pair.m1();
    let other_name: UserName = "mallory".parse().unwrap();
    let other_key = key(66).public_key().clone();
    let changes: [(&str, &dyn Fn(&mut ChatContext)); 9] = [
        ("name of A", &|context| context.initiator.0 = other_name.clone()),
        ("key of A", &|context| context.initiator.1 = other_key.clone()),
        ("name of B", &|context| context.responder.0 = other_name.clone()),
        ("key of B", &|context| context.responder.1 = other_key.clone()),
        ("A and B", &|context| std::mem::swap(&mut context.initiator, &mut context.responder)),
        ("issued", &|context| context.request.issued += 1),
        ("expires", &|context| context.request.expires += 1),
        ("terms", &|context| context.request.terms.until += 1),
        ("the request's signature", &|context| context.request.signature[0] ^= 1),
    ];
    for (what, change) in changes {
        let mut context = pair.context();
        change(&mut context);
        let (_, m2) = pair.m2_in(&context, &m1, None).unwrap();
        assert_eq!(pair.m3(&m2).err(), broken(Rule::Signature), "{what}");
    }
    // The same the other way: B's context is right, A's is not, and B is asked to believe A's M3.
    let (_, _, [_, m2, _]) = pair.run();
    for (what, change) in changes {
        let mut context = pair.context();
        change(&mut context);
        let (state, _) = send_m1(&context, &pair.suites, &mut Seeded(10)).unwrap();
        assert_eq!(pair.m3_of(state, &m2, Held::default()).err(), broken(Rule::Signature), "{what}");
    }
}

#[test]
fn two_users_messages_swapped_get_nowhere() {
    let with_bob = pair();
    let carol = ("carol".parse().unwrap(), key(4));
    let request = request(&with_bob.alice, &carol.0, 5);
    let with_carol = Pair { bob: carol, request, ..with_bob.clone() };
    let (state, m1) = with_bob.m1();
    let swapped = read_m1(&with_carol.context(), &m1, &with_carol.suites);
    assert_eq!(swapped.err(), broken(Rule::Order), "another chat's id");

    // The relay makes Carol answer under Bob's chat id: her M2 carries the right handshake nonce, and her own signature.
    let mut carols = with_carol.context();
    carols.request.chat_id = with_bob.request.chat_id;
    let (_, m2) = with_carol.m2_in(&carols, &m1, None).unwrap();
    assert!(state.is_for_us(&m2));
    assert_eq!(with_bob.m3_of(state, &m2, Held::default()).err(), broken(Rule::Signature));

    // M3 meant for Carol, with Bob's handshake nonce.
    let (_, _, [_, _, m3]) = with_carol.run();
    let (bob, _) = with_bob.m2(&m1);
    assert_eq!(bob.read_m3(&m3).err(), broken(Rule::Signature));
}

#[test]
fn replays_get_nowhere() {
    let pair = pair();
    let (_, _, [_, old_m2, old_m3]) = pair.run();
    let (state, m1) = send_m1(&pair.context(), &pair.suites, &mut Seeded(77)).unwrap();
    assert!(!state.is_for_us(&old_m2), "a stray");
    assert_eq!(pair.m3_of(state, &old_m2, Held::default()).err(), broken(Rule::HandshakeNonce));

    // With the new handshake nonce written over the old one, the signature tells.
    let (state, _) = send_m1(&pair.context(), &pair.suites, &mut Seeded(77)).unwrap();
    let patched = [&m1[..16], &old_m2[16..]].concat();
    assert!(state.is_for_us(&patched));
    assert_eq!(pair.m3_of(state, &patched, Held::default()).err(), broken(Rule::Signature));

    let read = || read_m1(&pair.context(), &m1, &pair.suites).unwrap();
    let m2 = || read().send_m2(&pair.bob.1, (GRANTED, None), None, &mut Seeded(88)).unwrap();
    let (bob, new_m2) = m2();
    assert!(!bob.is_for_us(&old_m3), "a stray");
    assert_eq!(bob.read_m3(&old_m3).err(), broken(Rule::HandshakeNonce));
    let nonce_receiver = M2::decode(&new_m2).unwrap().nonce_receiver;
    let patched = [&nonce_receiver[..], &old_m3[16..]].concat();
    let (bob, _) = m2();
    assert!(bob.is_for_us(&patched));
    assert_eq!(bob.read_m3(&patched).err(), broken(Rule::Signature));
}

#[test]
fn signatures_of_other_messages_do_not_serve() {
    let pair = pair();
    let (_, _, [m1, m2, m3]) = pair.run();
    let context = pair.context().encode();
    for label in ["secchat 1 M3", "secchat 1 S2", "secchat 1 S3", "secchat 1 RTT", "secchat 1 M2 ", ""] {
        let mut forged = M2::decode(&m2).unwrap();
        let hash = transcript_hash(&[&context, &m1, &forged.encode_unsigned()]);
        forged.signature = pair.bob.1.sign(label, &hash).unwrap();
        assert_eq!(pair.m3(&forged.encode()).err(), broken(Rule::Signature), "{label}");
    }
    for label in ["secchat 1 M2", "secchat 1 S2", "secchat 1 S3", "secchat 1 RTT", ""] {
        let mut forged = M3::decode(&m3).unwrap();
        let hash = transcript_hash(&[&context, &m1, &m2, &forged.encode_unsigned()]);
        forged.signature = pair.alice.1.sign(label, &hash).unwrap();
        assert_eq!(pair.m2(&m1).0.read_m3(&forged.encode()).err(), broken(Rule::Signature), "{label}");
    }
    // Reflection: A's own signature is no M2 of B's, B's own no M3 of A's.
    let mut reflected = M2::decode(&m2).unwrap();
    let hash = transcript_hash(&[&context, &m1, &reflected.encode_unsigned()]);
    reflected.signature = pair.alice.1.sign("secchat 1 M2", &hash).unwrap();
    assert_eq!(pair.m3(&reflected.encode()).err(), broken(Rule::Signature));
    let mut reflected = M3::decode(&m3).unwrap();
    let hash = transcript_hash(&[&context, &m1, &m2, &reflected.encode_unsigned()]);
    reflected.signature = pair.bob.1.sign("secchat 1 M3", &hash).unwrap();
    assert_eq!(pair.m2(&m1).0.read_m3(&reflected.encode()).err(), broken(Rule::Signature));
}

#[test]
fn another_chats_m1_is_out_of_place() {
    let pair = pair();
    let mut other = pair.context();
    other.request.chat_id = ChatId::from_bytes([9; 16]).unwrap();
    let (_, m1) = send_m1(&other, &pair.suites, &mut Seeded(10)).unwrap();
    assert_eq!(read_m1(&pair.context(), &m1, &pair.suites).err(), broken(Rule::Order));
}
