//! Logins by a delegated key, and every way in which one can be bent.

use super::client::{ExpectS3, read_s1};
use super::delegation::DelegatedKey;
use super::login_tests::{World, ed25519, flips, name, rsa, session, talk};
use super::relay::{ExpectS2, send_s1};
use crate::Error;
use crate::crypto::certificate::test_pki::NOW;
use crate::crypto::entropy::OsEntropy;
use crate::crypto::kem::{ReadyRsaKey, Suite, Suites};
use crate::crypto::signature::tests::VERIFICATIONS;
use crate::crypto::signature::{KeyKind, SigningKey};
use crate::error::Rule;
use crate::limits::MAX_DELEGATION_SECONDS;
use crate::record::Session;
use crate::transcript::transcript_hash;
use crate::wire::login::{Delegation, OrReject, Role, S2};

const SIGNATURE: Error = Error::PeerMisbehaved(Rule::Signature);
const TIME: Error = Error::PeerMisbehaved(Rule::DelegationTime);
const DAY: u64 = 24 * 60 * 60;

/// A login of alice's delegate up to S2.
struct Login {
    world: World,
    s1: Vec<u8>,
    expect_s2: ExpectS2,
    expect_s3: ExpectS3,
    s2: Vec<u8>,
    delegate: SigningKey,
}

impl Login {
    fn new() -> Self {
        Self::over(Suite::X25519MlKem768, World::new())
    }

    fn over(suite: Suite, world: World) -> Self {
        let permitted = Suites::new(vec![suite]).unwrap();
        let (expect_s2, s1) = send_s1(&permitted, &world.certificate, &world.crl, &mut OsEntropy).unwrap();
        let OrReject::Message(verified) = read_s1(&s1, &world.anchors, &permitted, NOW).unwrap() else {
            panic!()
        };
        let ready = (suite == Suite::Rsa3072).then(|| ReadyRsaKey::generate().unwrap());
        let key = delegated(&world.alice, NOW + DAY);
        let alice = (&name("alice"), &key);
        let (expect_s3, s2) =
            verified.send_delegated_s2(alice, Role::Receiver, ready, &mut OsEntropy).unwrap();
        Self { world, s1, expect_s2, expect_s3, s2, delegate: key.key }
    }

    fn answer(&self, s2: &[u8]) -> Result<(Session, Vec<u8>), Error> {
        self.world.answer(self.expect_s2.clone(), s2)
    }

    /// What the relay says to S2 with this delegation, signed by this key.
    fn with(&self, delegation: Option<Delegation>, signer: &SigningKey) -> Option<Error> {
        let mut s2 = S2 { delegation, ..S2::decode(&self.s2).unwrap() };
        let signed = transcript_hash(&[&self.s1, &s2.encode_unsigned()]);
        s2.signature = signer.sign("secchat 1 S2", &signed).unwrap();
        self.answer(&s2.encode()).err()
    }

    fn delegation(&self) -> Delegation {
        S2::decode(&self.s2).unwrap().delegation.unwrap()
    }
}

/// A key that alice's identity key delegates to.
fn delegated(identity: &SigningKey, not_after: u64) -> DelegatedKey {
    DelegatedKey::make((&name("alice"), identity), not_after, &mut OsEntropy).unwrap()
}

/// A delegation of `delegate` that `signer` signs for a user of this name.
fn signed(delegate: &SigningKey, not_after: u64, who: &str, signer: &SigningKey) -> Delegation {
    let delegate = delegate.public_key().clone();
    let mut delegation = Delegation { delegate, not_after, signature: Vec::new() };
    let hash = delegation.signed_hash(&name(who));
    delegation.signature = signer.sign("secchat 1 delegate", &hash).unwrap();
    delegation
}

#[test]
fn a_delegate_logs_in_over_both_suites_and_for_every_kind_of_identity() {
    for (suite, identity) in
        [(Suite::X25519MlKem768, ed25519()), (Suite::Rsa3072, ed25519()), (Suite::X25519MlKem768, rsa())]
    {
        let login = Login::over(suite, World::with_keys(ed25519(), identity));
        let claim = login.expect_s2.clone().read_s2(&login.s2, NOW).unwrap();
        assert_eq!(claim.delegated_until(), Some(NOW + DAY));
        let (mut relay, s3) = login.answer(&login.s2).unwrap();
        let mut client = session(login.expect_s3.read_s3(&s3)).unwrap();
        talk(&mut client, &mut relay);
        talk(&mut relay, &mut client);
    }
}

#[test]
fn any_flipped_bit_ends_the_login() {
    let login = Login::new();
    for (bit, flipped) in flips(&login.s2) {
        assert!(login.answer(&flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn every_byte_of_a_delegation_is_signed() {
    let login = Login::new();
    let good = login.delegation();
    assert_eq!(login.with(Some(good.clone()), &login.delegate), None);
    // Whoever holds D signs S2 anew each time.
    for (bit, flipped) in flips(&good.encode()) {
        let mut field = S2 { delegation: None, ..S2::decode(&login.s2).unwrap() }.encode_unsigned();
        field.truncate(field.len() - 2);
        field.extend(u16::try_from(flipped.len()).unwrap().to_be_bytes());
        field.extend(flipped);
        let signature = login.delegate.sign("secchat 1 S2", &transcript_hash(&[&login.s1, &field])).unwrap();
        field.extend([0, 64]);
        field.extend(signature);
        assert!(login.answer(&field).is_err(), "bit {bit}");
    }
}

#[test]
fn a_delegation_has_its_time() {
    let login = Login::new();
    let ending = |not_after| {
        login.with(Some(signed(&login.delegate, not_after, "alice", &login.world.alice)), &login.delegate)
    };
    assert_eq!(ending(NOW + 1), None);
    assert_eq!(ending(NOW + MAX_DELEGATION_SECONDS), None);
    assert_eq!(ending(NOW + MAX_DELEGATION_SECONDS + 1), Some(TIME));
    assert_eq!(ending(NOW + 8 * DAY), Some(TIME));
    assert_eq!(ending(u64::MAX), Some(TIME));
    assert_eq!(ending(NOW), Some(TIME), "over as soon as it has come");
    assert_eq!(ending(NOW - DAY), Some(TIME));
    assert_eq!(ending(0), Some(TIME));
}

#[test]
fn only_the_identity_key_delegates_and_only_for_its_user() {
    let login = Login::new();
    let (alice, delegate) = (&login.world.alice, &login.delegate);
    let later = NOW + DAY;
    for (what, delegation) in [
        ("for bob", signed(delegate, later, "bob", alice)),
        ("by the delegate itself", signed(delegate, later, "alice", delegate)),
        ("by another user", signed(delegate, later, "alice", &ed25519())),
        ("without a signature", Delegation { signature: vec![0; 64], ..login.delegation() }),
        ("later than signed", Delegation { not_after: later + 1, ..login.delegation() }),
        ("another key", Delegation { delegate: ed25519().public_key().clone(), ..login.delegation() }),
    ] {
        assert_eq!(login.with(Some(delegation), delegate), Some(SIGNATURE), "{what}");
    }
    // A delegate cannot delegate further.
    let second = ed25519();
    let further = signed(&second, later, "alice", delegate);
    assert_eq!(login.with(Some(further), &second), Some(SIGNATURE));
}

#[test]
fn each_signature_has_its_own_place() {
    let login = Login::new();
    let (alice, delegate) = (&login.world.alice, &login.delegate);
    assert_eq!(login.with(None, alice), None);
    assert_eq!(login.with(None, delegate), Some(SIGNATURE), "the delegate without a delegation");
    assert_eq!(login.with(Some(login.delegation()), alice), Some(SIGNATURE), "the identity in its place");
    // What the delegate signed is no delegation, and what the identity signed for S2 is none either.
    let signature = S2::decode(&login.s2).unwrap().signature;
    let borrowed = Delegation { signature, ..login.delegation() };
    assert_eq!(login.with(Some(borrowed), delegate), Some(SIGNATURE));
}

#[test]
fn a_recorded_delegation_is_of_no_use_without_its_key() {
    let login = Login::new();
    let thief = ed25519();
    assert_eq!(login.with(Some(login.delegation()), &thief), Some(SIGNATURE));
    let (next, _) =
        send_s1(&Suites::for_link(), &login.world.certificate, &login.world.crl, &mut OsEntropy).unwrap();
    let replayed = login.world.answer(next, &login.s2).err();
    assert_eq!(replayed, Some(Error::PeerMisbehaved(Rule::HandshakeNonce)));
}

/// What the relay says to a delegated S2, and which kinds of keys it verified with, to say it.
fn cost(
    login: &Login,
    delegation: Delegation,
    registered: Option<&SigningKey>,
) -> (Option<Error>, Vec<KeyKind>) {
    let s2 = S2 { delegation: Some(delegation), ..S2::decode(&login.s2).unwrap() };
    let claim = login.expect_s2.clone().read_s2(&s2.encode(), NOW).unwrap();
    VERIFICATIONS.take();
    let World { relay_key, throw_away, .. } = &login.world;
    let registered = registered.map(SigningKey::public_key);
    let read = claim.authenticate(registered, relay_key, throw_away, &mut OsEntropy);
    (read.err(), VERIFICATIONS.take())
}

#[test]
fn an_unknown_name_costs_what_a_bad_delegation_does() {
    let login = Login::new();
    let (ed25519, rsa) = (ed25519(), rsa());
    for (length, kind) in [(64, KeyKind::Ed25519), (256, KeyKind::Rsa { bits: 2048 })] {
        let expected = (Some(SIGNATURE), vec![kind]);
        let bad = || Delegation { signature: vec![1; length], ..login.delegation() };
        assert_eq!(cost(&login, bad(), None), expected, "an unknown name");
        assert_eq!(cost(&login, bad(), Some(&ed25519)), expected, "an Ed25519 user");
        assert_eq!(cost(&login, bad(), Some(&rsa)), expected, "an RSA user");
    }
}
