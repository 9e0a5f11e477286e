//! A login by a delegated key (PROTOCOL.md §3, Delegation): the delegation, S2, and what is refused.

use secchat_proto::UserName;
use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::crypto::kem::Suites;
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::handshake::client::read_s1;
use secchat_proto::handshake::delegation::DelegatedKey;
use secchat_proto::handshake::relay::{ExpectS2, send_s1};
use secchat_proto::handshake::throw_away::ThrowAwayKeys;
use secchat_proto::transcript::transcript_hash;
use secchat_proto::wire::login::{Delegation, OrReject, Role, S2};

use crate::login::write_authority;
use crate::people::Person;
use crate::pki::NOW;
use crate::vector_file::{ListedEntropy, VectorFile, bytes_of};

const ABOUT: &str = "PROTOCOL.md §3, Delegation: alice's S2, signed by a key D that her identity key (seed_user) delegates to.
From S3 on, all is as in login.txt. Then S2 as others might make it, to the same S1.";
const DAY: u64 = 24 * 60 * 60;

/// What every case answers, and the relay that judges it.
struct Case {
    alice: Person,
    delegate: Person,
    relay: Person,
    /// The relay's certificate and CRL.
    credentials: (Vec<u8>, Vec<u8>),
    nonce_relay: Vec<u8>,
    s1: Vec<u8>,
    s2: S2,
}

impl Case {
    fn expect_s2(&self) -> ExpectS2 {
        let mut listed = ListedEntropy(self.nonce_relay.clone());
        let (certificate, crl) = &self.credentials;
        send_s1(&Suites::for_link(), certificate, crl, &mut listed).unwrap().0
    }
}

#[test]
fn delegation() {
    let mut file = VectorFile::new("delegation", ABOUT);
    let (relay, alice, delegate) = (Person::new("relay"), Person::new("alice"), Person::new("delegate"));
    let (anchors, certificate, crl) = write_authority(&mut file, &relay);
    alice.write(&mut file, "user");

    let nonce_relay = bytes_of("secchat test delegation nonce_relay", 16);
    let mut listed = ListedEntropy(nonce_relay.clone());
    let (_, s1) = send_s1(&Suites::for_link(), &certificate, &crl, &mut listed).unwrap();
    file.begin("S1").bytes("nonce_relay", &nonce_relay).bytes("suites", [2, 1]).bytes("s1", &s1);

    let user = (&alice.name, &alice.key);
    let key = DelegatedKey::make(user, NOW + DAY, &mut ListedEntropy(delegate.seed.clone())).unwrap();
    let entropy = bytes_of("secchat test delegation client", 16 + 96);
    let OrReject::Message(verified) = read_s1(&s1, &anchors, &Suites::for_link(), NOW).unwrap() else {
        panic!()
    };
    let mut listed = ListedEntropy(entropy.clone());
    let (_, body) =
        verified.send_delegated_s2((&alice.name, &key), Role::Receiver, None, &mut listed).unwrap();
    let s2 = S2::decode(&body).unwrap();
    let signed = s2.delegation.clone().unwrap();

    file.begin("delegation").bytes("seed_D", &delegate.seed).bytes("spki_D", signed.delegate.as_der());
    file.number("not_after", signed.not_after)
        .bytes("delegation_without_signature", signed.encode_unsigned());
    file.bytes("th_delegation", signed.signed_hash(&alice.name));
    file.bytes("delegation_signature", &signed.signature).bytes("delegation", signed.encode());
    let th = transcript_hash(&[&[&[5], &b"alice"[..], &signed.encode_unsigned()].concat()]);
    assert_eq!(signed.signed_hash(&alice.name), th);
    assert_eq!(signed.signature, alice.key.sign("secchat 1 delegate", &th).unwrap());

    let th_s2 = transcript_hash(&[&s1, &s2.encode_unsigned()]);
    file.begin("S2").number("role", 0).number("suite", 2).bytes("entropy_client", entropy);
    file.bytes("nonce_user", s2.nonce_user).bytes("e", &s2.ephemeral_key);
    file.bytes("s2_without_signature", s2.encode_unsigned()).bytes("th_s2", th_s2);
    file.bytes("s2_signature", &s2.signature).bytes("s2", &body);
    assert_eq!(s2.signature, delegate.key.sign("secchat 1 S2", &th_s2).unwrap());

    write_judged(
        &mut file,
        &Case { alice, delegate, relay, credentials: (certificate, crl), nonce_relay, s1, s2 },
    );
    file.check();
}

fn write_judged(file: &mut VectorFile, case: &Case) {
    file.comment("");
    file.comment("S2 of others, and what the relay says at this time: well-formed all of them.");
    let Case { alice, delegate, s2, .. } = case;
    let other = Person::new("bob");
    let good = || s2.delegation.clone().unwrap();
    let by = |not_after, who: &UserName, signer: &SigningKey| sign(&delegate.key, not_after, who, signer);
    let later = NOW + DAY;
    let week = 7 * DAY;
    for (what, delegation, signer) in [
        ("for seven days", Some(by(NOW + week, &alice.name, &alice.key)), &delegate.key),
        ("for seven days and a second", Some(by(NOW + week + 1, &alice.name, &alice.key)), &delegate.key),
        ("over now", Some(by(NOW, &alice.name, &alice.key)), &delegate.key),
        ("over since yesterday", Some(by(NOW - DAY, &alice.name, &alice.key)), &delegate.key),
        ("of another name", Some(by(later, &other.name, &alice.key)), &delegate.key),
        ("signed by D itself", Some(by(later, &alice.name, &delegate.key)), &delegate.key),
        ("signed by another user", Some(by(later, &alice.name, &other.key)), &delegate.key),
        ("prolonged", Some(Delegation { not_after: later + 1, ..good() }), &delegate.key),
        ("S2 signed by the identity key", Some(good()), &alice.key),
        ("S2 signed by a third key", Some(good()), &other.key),
        ("S2 signed by D, without the delegation", None, &delegate.key),
        ("S2 signed by the identity key, without a delegation", None, &alice.key),
    ] {
        let mut s2 = S2 { delegation, ..s2.clone() };
        let th = transcript_hash(&[&case.s1, &s2.encode_unsigned()]);
        s2.signature = signer.sign("secchat 1 S2", &th).unwrap();
        judge(file, case, what, &s2.encode());
    }
    let moved = S2 { nonce_relay: [7; 16], ..s2.clone() };
    judge(file, case, "to another S1", &moved.encode());
}

/// A delegation of D that another key may have signed.
fn sign(delegate: &SigningKey, not_after: u64, who: &UserName, signer: &SigningKey) -> Delegation {
    let delegate = delegate.public_key().clone();
    let mut delegation = Delegation { delegate, not_after, signature: Vec::new() };
    delegation.signature = signer.sign("secchat 1 delegate", &delegation.signed_hash(who)).unwrap();
    delegation
}

fn judge(file: &mut VectorFile, case: &Case, what: &str, s2: &[u8]) {
    let Case { alice, relay, .. } = case;
    let throw_away = ThrowAwayKeys::make(&mut OsEntropy).unwrap();
    let judged = case.expect_s2().read_s2(s2, NOW).and_then(|claim| {
        claim.authenticate(Some(alice.key.public_key()), &relay.key, &throw_away, &mut OsEntropy)
    });
    let said = judged.map_or_else(|error| error.to_string(), |_| "logged in".to_owned());
    file.begin(what).number("now", NOW).bytes("s2", s2).text("judged", &said);
}
