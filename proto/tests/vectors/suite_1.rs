//! A login and a chat's handshake over suite 1 (PROTOCOL.md §2, §3, §7).
//!
//! RSA envelopes are randomised, so the key and the envelope are those of `suites.txt`, and S3 and M3 are put together
//! here; what reads them is the real code.

use secchat_proto::crypto::kdf::extract;
use secchat_proto::crypto::kem::{ReadyRsaKey, Suite, Suites};
use secchat_proto::handshake::client::read_s1;
use secchat_proto::handshake::initiator::send_m1;
use secchat_proto::handshake::relay::send_s1;
use secchat_proto::handshake::responder::read_m1;
use secchat_proto::record::{DirectionKeys, Speaker};
use secchat_proto::transcript::transcript_hash;
use secchat_proto::wire::chat_record::ChatMessage;
use secchat_proto::wire::key_establishment::{M2, M3};
use secchat_proto::wire::link::LinkMessage;
use secchat_proto::wire::login::{OrReject, Role, S2, S3};

use crate::key_establishment::{GRANTED, context};
use crate::login::write_authority;
use crate::people::Person;
use crate::pki::NOW;
use crate::suites::rsa_key_of;
use crate::vector_file::{ListedEntropy, VectorFile, bytes_of};

const ABOUT: &str = "PROTOCOL.md §2, §3, §7: a login of alice, and M1-M3 between alice (A) and bob (B), over suite 1.
The RSA key of both, the envelope `c` and its secret `k` are those of the case \"suite 1\" in suites.txt: an input,
since envelopes are randomised. All identity keys are Ed25519. `ctx` is the first of key_establishment.txt.";

#[test]
fn suite_1() {
    let mut file = VectorFile::new("suite_1", ABOUT);
    write_login(&mut file);
    write_handshake(&mut file);
    file.check();
}

/// The RSA key, the envelope to it and its secret.
fn envelope() -> (ReadyRsaKey, Vec<u8>, Vec<u8>) {
    let stored = VectorFile::read("suites");
    let block = stored.case("suite 1").unwrap();
    (ReadyRsaKey::from_pkey(rsa_key_of(block)).unwrap(), block.bytes("c"), block.bytes("k"))
}

fn write_login(file: &mut VectorFile) {
    let (relay, alice) = (Person::new("relay"), Person::new("alice"));
    let (anchors, certificate, crl) = write_authority(file, &relay);
    alice.write(file, "user");
    let suites = Suites::new(vec![Suite::Rsa3072]).unwrap();
    let nonce_relay = bytes_of("secchat test suite 1 nonce_relay", 16);
    let (expect_s2, s1) =
        send_s1(&suites, &certificate, &crl, &mut ListedEntropy(nonce_relay.clone())).unwrap();
    file.begin("S1").bytes("nonce_relay", nonce_relay).bytes("suites", [1]).bytes("s1", &s1);

    let (ready, c, k) = envelope();
    let nonce_user = bytes_of("secchat test suite 1 nonce_user", 16);
    let OrReject::Message(verified) = read_s1(&s1, &anchors, &suites, NOW).unwrap() else { panic!() };
    let mut listed = ListedEntropy(nonce_user.clone());
    let (expect_s3, s2) =
        verified.send_s2((&alice.name, &alice.key), Role::Receiver, Some(ready), &mut listed).unwrap();
    let message = S2::decode(&s2).unwrap();
    let th_s2 = transcript_hash(&[&s1, &message.encode_unsigned()]);
    file.begin("S2").number("role", 0).number("suite", 1).bytes("nonce_user", &nonce_user);
    file.bytes("e", &message.ephemeral_key).bytes("s2_without_signature", message.encode_unsigned());
    file.bytes("th_s2", th_s2).bytes("s2_signature", &message.signature).bytes("s2", &s2);
    assert_eq!(expect_s2.read_s2(&s2, NOW).unwrap().user_name(), &alice.name);

    let mut message = S3 { nonce_user: message.nonce_user, sealed: c, signature: Vec::new() };
    let th_s3 = transcript_hash(&[&s1, &s2, &message.encode_unsigned()]);
    message.signature = relay.key.sign("secchat 1 S3", &th_s3).unwrap();
    let s3 = message.encode();
    file.begin("S3").bytes("c", &message.sealed).bytes("s3_without_signature", message.encode_unsigned());
    file.bytes("th_s3", th_s3).bytes("s3_signature", &message.signature).bytes("s3", &s3);

    let OrReject::Message(mut client) = expect_s3.read_s3(&s3).unwrap() else { panic!() };
    let salt = transcript_hash(&[&s1, &s2, &s3]);
    let prk = extract(&salt, &[&k]).unwrap();
    let keys = DirectionKeys::derive(&prk, Speaker::Client).unwrap();
    file.begin("login keys").bytes("k", &k).bytes("salt", salt).bytes("prk", prk.expose());
    file.bytes("client_chain", keys.chain.expose()).bytes("client_start", keys.start);
    let (mut plaintext, mut record) = (Vec::new(), Vec::new());
    LinkMessage::Refresh { watch: true }.encode(&mut plaintext);
    client.sealer.seal(&plaintext, &mut record).unwrap();
    file.bytes("plaintext", &plaintext).bytes("record", &record);
}

fn write_handshake(file: &mut VectorFile) {
    let (alice, bob, context) = (Person::new("alice"), Person::new("bob"), context());
    let (ready, c, k) = envelope();
    let suites = Suites::new(vec![Suite::Rsa3072]).unwrap();
    let nonce_sender = bytes_of("secchat test suite 1 nonce_sender", 16);
    let nonce_receiver = bytes_of("secchat test suite 1 nonce_receiver", 16);
    let (_, m1) = send_m1(&context, &suites, &mut ListedEntropy(nonce_sender.clone())).unwrap();
    let mut listed = ListedEntropy(nonce_receiver.clone());
    let m1_read = read_m1(&context, &m1, &suites).unwrap();
    let (expect_m3, m2) = m1_read.send_m2(&bob.key, (GRANTED, None), Some(ready), &mut listed).unwrap();
    let ctx = context.encode();
    let message = M2::decode(&m2).unwrap();
    let th_m2 = transcript_hash(&[&ctx, &m1, &message.encode_unsigned()]);
    file.begin("M1-M3").bytes("seed_A", &alice.seed).bytes("seed_B", &bob.seed).bytes("ctx", &ctx);
    file.bytes("chat_id", context.request.chat_id.as_bytes());
    file.bytes("nonce_sender", nonce_sender).bytes("m1", &m1).bytes("nonce_receiver", &nonce_receiver);
    file.number("until", GRANTED.until).number("history", GRANTED.history_days.into()).number("fresh", 1);
    file.bytes("e", &message.ephemeral_key).bytes("th_m2", th_m2);
    file.bytes("m2_signature", &message.signature).bytes("m2", &m2);

    let mut message = M3 { nonce_receiver: message.nonce_receiver, sealed: c, signature: Vec::new() };
    let th_m3 = transcript_hash(&[&ctx, &m1, &m2, &message.encode_unsigned()]);
    message.signature = alice.key.sign("secchat 1 M3", &th_m3).unwrap();
    let m3 = message.encode();
    file.bytes("c", &message.sealed).bytes("th_m3", th_m3);
    file.bytes("m3_signature", &message.signature).bytes("m3", &m3);

    let mut established = expect_m3.read_m3(&m3).unwrap();
    let salt = transcript_hash(&[&ctx, &m1, &m2, &m3]);
    let prk = extract(&salt, &[&[0; 32], &k]).unwrap();
    let keys = DirectionKeys::derive(&prk, Speaker::Responder).unwrap();
    file.bytes("k", &k).bytes("salt", salt).bytes("prk", prk.expose());
    file.bytes("new_root", established.new_root.unwrap().expose());
    file.bytes("receiver_chain", keys.chain.expose()).bytes("receiver_start", keys.start);
    let plaintext = ChatMessage::State { sent: 0, held: 0 }.encode().unwrap();
    let mut record = Vec::new();
    established.session.sealer.seal(&plaintext, &mut record).unwrap();
    file.bytes("plaintext", &*plaintext).bytes("record", &record);
}
