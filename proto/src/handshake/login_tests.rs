//! Logins, and every way in which a stranger can try to bend one.

use std::sync::OnceLock;

use openssl::pkey::PKey;
use openssl::rsa::Rsa;

use super::client::{ExpectS3, RelayVerified, read_s1};
use super::relay::{ExpectS2, send_s1};
use super::throw_away::ThrowAwayKeys;
use crate::crypto::certificate::TrustAnchors;
use crate::crypto::certificate::test_pki::{NOW, TestCa};
use crate::crypto::entropy::{Entropy, OsEntropy};
use crate::crypto::kem::{ReadyRsaKey, Suite, Suites};
use crate::crypto::signature::tests::{VERIFICATIONS, public_rsa};
use crate::crypto::signature::{KeyKind, PublicKey, SigningKey};
use crate::error::{Malformed, Rule};
use crate::record::Session;
use crate::wire::login::{OrReject, RejectReason, Role, S2, S3};
use crate::{Error, UserName};

const SIGNATURE: Error = Error::PeerMisbehaved(Rule::Signature);

pub(super) struct World {
    pub(super) anchors: TrustAnchors,
    pub(super) certificate: Vec<u8>,
    pub(super) crl: Vec<u8>,
    pub(super) relay_key: SigningKey,
    pub(super) alice: SigningKey,
    pub(super) throw_away: ThrowAwayKeys,
}

/// The same bytes at every turn, so that a message can be made again.
struct Fixed(u8);

impl Entropy for Fixed {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        out.fill(self.0);
        self.0 = self.0.wrapping_add(1);
        Ok(())
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with_keys(ed25519(), ed25519())
    }

    pub(super) fn with_keys(relay_key: SigningKey, alice: SigningKey) -> Self {
        let ca = TestCa::new("CA");
        let certificate = ca.issue(&|builder| builder.set_pubkey(relay_key.as_pkey()).unwrap());
        let throw_away = ThrowAwayKeys::make(&mut OsEntropy).unwrap();
        Self { anchors: ca.anchors(), certificate, crl: ca.good_crl(), relay_key, alice, throw_away }
    }

    fn s1(&self) -> (ExpectS2, Vec<u8>) {
        send_s1(&Suites::for_link(), &self.certificate, &self.crl, &mut Fixed(1)).unwrap()
    }

    fn read_s1(&self, s1: &[u8]) -> Result<RelayVerified, Error> {
        match read_s1(s1, &self.anchors, &Suites::for_link(), NOW)? {
            OrReject::Message(verified) => Ok(verified),
            OrReject::Reject(_) => Err(Error::Malformed(Malformed::Direction)),
        }
    }

    fn s2(&self, verified: RelayVerified) -> (ExpectS3, Vec<u8>) {
        // One for all: making one takes longer than everything else here.
        static READY: OnceLock<ReadyRsaKey> = OnceLock::new();
        let make = || READY.get_or_init(|| ReadyRsaKey::generate().unwrap()).clone();
        let ready = (verified.suite() == Suite::Rsa3072).then(make);
        verified.send_s2((&name("alice"), &self.alice), Role::Receiver, ready, &mut Fixed(50)).unwrap()
    }

    /// What the relay makes of an S2, for a registered alice.
    pub(super) fn answer(&self, expect_s2: ExpectS2, s2: &[u8]) -> Result<(Session, Vec<u8>), Error> {
        let claim = expect_s2.read_s2(s2, NOW)?;
        let registered = (claim.user_name().as_str() == "alice").then(|| self.alice.public_key());
        claim.authenticate(registered, &self.relay_key, &self.throw_away, &mut OsEntropy)
    }

    /// An honest login up to S2.
    fn until_s2(&self) -> (ExpectS2, ExpectS3, Vec<u8>) {
        let (expect_s2, s1) = self.s1();
        let (expect_s3, s2) = self.s2(self.read_s1(&s1).unwrap());
        (expect_s2, expect_s3, s2)
    }
}

pub(super) fn ed25519() -> SigningKey {
    SigningKey::generate_ed25519(&mut OsEntropy).unwrap()
}

pub(super) fn rsa() -> SigningKey {
    SigningKey::from_pkey(PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()).unwrap()
}

pub(super) fn name(text: &str) -> UserName {
    text.parse().unwrap()
}

pub(super) fn session(read: Result<OrReject<Session>, Error>) -> Result<Session, Error> {
    match read? {
        OrReject::Message(session) => Ok(session),
        OrReject::Reject(reason) => panic!("{reason:?}"),
    }
}

/// Each message that differs from `good` in one bit.
pub(super) fn flips(good: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..good.len() * 8).map(|bit| {
        let mut flipped = good.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        (bit, flipped)
    })
}

/// Each message that lacks bytes at its end, and one with a byte too many.
fn cuts(good: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..good.len()).map(|end| good[..end].to_vec()).chain([[good, &[0]].concat()])
}

pub(super) fn talk(near: &mut Session, far: &mut Session) {
    for text in [&b"one"[..], b"two"] {
        let (mut record, mut plaintext) = (Vec::new(), Vec::new());
        near.sealer.seal(text, &mut record).unwrap();
        far.opener.open(&record, &mut plaintext).unwrap();
        assert_eq!(plaintext, text);
    }
}

#[test]
fn both_ends_agree_with_every_kind_of_key_and_suite() {
    let keys = [ed25519(), rsa()];
    for (relay_key, alice) in
        keys.iter().flat_map(|relay_key| keys.iter().map(move |alice| (relay_key, alice)))
    {
        let world = World::with_keys(relay_key.clone(), alice.clone());
        for suite in [Suite::X25519MlKem768, Suite::Rsa3072] {
            let permitted = Suites::new(vec![suite]).unwrap();
            let (expect_s2, s1) =
                send_s1(&permitted, &world.certificate, &world.crl, &mut OsEntropy).unwrap();
            let (expect_s3, s2) = world.s2(world.read_s1(&s1).unwrap());
            let (mut relay, s3) = world.answer(expect_s2, &s2).unwrap();
            let mut client = session(expect_s3.read_s3(&s3)).unwrap();
            talk(&mut client, &mut relay);
            talk(&mut relay, &mut client);
        }
    }
}

#[test]
fn any_flipped_bit_of_s1_ends_the_login() {
    let mut world = World::new();
    let (expect_s2, s1) = world.s1();
    // What the client takes is refused by the relay, whose S1 it was not.
    let ends = |world: &World, flipped: &[u8]| match world.read_s1(flipped) {
        Ok(verified) => {
            let (_, s2) = world.s2(verified);
            assert!(world.answer(expect_s2.clone(), &s2).is_err());
            1
        }
        Err(_) => 0,
    };
    let last = s1.len() - 1;
    let in_crl = [&s1[..last], &[s1[last] ^ 1]].concat();
    assert_eq!(ends(&world, &in_crl), 1, "a client that has a CRL of its own");
    world.anchors.crl = None;
    let at_relay: usize = flips(&s1).map(|(_, flipped)| ends(&world, &flipped)).sum();
    assert!(
        (128..256).contains(&at_relay),
        "the handshake nonce's bits and some of the suites', not {at_relay}"
    );
}

#[test]
fn any_flipped_bit_of_s2_ends_the_login() {
    let world = World::new();
    let (expect_s2, _, s2) = world.until_s2();
    for (bit, flipped) in flips(&s2) {
        assert!(world.answer(expect_s2.clone(), &flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn any_flipped_bit_of_s3_ends_the_login() {
    let world = World::new();
    let (expect_s2, expect_s3, s2) = world.until_s2();
    let (_, s3) = world.answer(expect_s2, &s2).unwrap();
    for (bit, flipped) in flips(&s3) {
        assert!(expect_s3.clone().read_s3(&flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn messages_cut_anywhere_are_refused() {
    let world = World::new();
    let (expect_s2, s1) = world.s1();
    let (expect_s3, s2) = world.s2(world.read_s1(&s1).unwrap());
    let (_, s3) = world.answer(expect_s2.clone(), &s2).unwrap();
    assert!(cuts(&s1).all(|cut| read_s1(&cut, &world.anchors, &Suites::for_link(), NOW).is_err()));
    assert!(cuts(&s2).all(|cut| world.answer(expect_s2.clone(), &cut).is_err()));
    assert!(cuts(&s3).all(|cut| expect_s3.clone().read_s3(&cut).is_err()));
}

#[test]
fn an_s2_answers_one_s1_only() {
    let world = World::new();
    let (_, _, s2) = world.until_s2();
    let next = || send_s1(&Suites::for_link(), &world.certificate, &world.crl, &mut Fixed(9)).unwrap();
    assert_eq!(world.answer(next().0, &s2).err(), Some(Error::PeerMisbehaved(Rule::HandshakeNonce)));
    let renamed = S2 { nonce_relay: [9; 16], ..S2::decode(&s2).unwrap() };
    assert_eq!(
        world.answer(next().0, &renamed.encode()).err(),
        Some(SIGNATURE),
        "with the new handshake nonce"
    );
}

#[test]
fn an_s3_answers_one_s2_only() {
    let world = World::new();
    let (expect_s2, _, s2) = world.until_s2();
    let (_, s3) = world.answer(expect_s2, &s2).unwrap();
    let (_, s1) = world.s1();
    let verified = world.read_s1(&s1).unwrap();
    let (later, _) =
        verified.send_s2((&name("alice"), &world.alice), Role::Receiver, None, &mut Fixed(99)).unwrap();
    let replayed = later.clone().read_s3(&s3).err();
    assert_eq!(replayed, Some(Error::PeerMisbehaved(Rule::HandshakeNonce)));
    let OrReject::Message(old) = S3::decode(&s3).unwrap() else { panic!() };
    let renamed = S3 { nonce_user: [99; 16], ..old };
    assert_eq!(later.read_s3(&renamed.encode()).err(), Some(SIGNATURE), "with the new handshake nonce");
}

#[test]
fn nothing_in_s2_can_be_swapped() {
    let world = World::new();
    let (expect_s2, _, s2) = world.until_s2();
    let good = S2::decode(&s2).unwrap();
    let other_key = crate::crypto::kem::EphemeralKey::make(good.suite, None, &mut OsEntropy).unwrap();
    let suite = S2 { suite: Suite::Rsa3072, ..good.clone() };
    let other_suite = expect_s2.clone().read_s2(&suite.encode(), NOW).err();
    assert_eq!(other_suite, Some(Error::Malformed(Malformed::Key)), "suite");
    for (what, swapped) in [
        ("suite and key", S2 { ephemeral_key: public_rsa(3072, 65_537), ..suite }),
        ("role", S2 { role: Role::Sender, ..good.clone() }),
        ("ephemeral key", S2 { ephemeral_key: other_key.public_key().to_vec(), ..good.clone() }),
        ("nonce", S2 { nonce_user: [0; 16], ..good.clone() }),
        ("name", S2 { user_name: name("bob"), ..good }),
    ] {
        let claim = expect_s2.clone().read_s2(&swapped.encode(), NOW).unwrap();
        // Even where bob is registered with alice's key.
        let alice = Some(world.alice.public_key());
        let read = claim.authenticate(alice, &world.relay_key, &world.throw_away, &mut OsEntropy);
        assert_eq!(read.err(), Some(SIGNATURE), "{what}");
    }
}

#[test]
fn hiding_the_better_suite_ends_the_login() {
    let world = World::new();
    let (expect_s2, s1) = world.s1();
    assert_eq!(s1[24..27], [2, 2, 1], "two suites, the better one first");
    let weaker = [&s1[..24], &[1, 1], &s1[27..]].concat();
    let verified = world.read_s1(&weaker).unwrap();
    assert_eq!(verified.suite(), Suite::Rsa3072);
    let (_, s2) = world.s2(verified);
    assert_eq!(world.answer(expect_s2, &s2).err(), Some(SIGNATURE));
}

#[test]
fn a_suite_must_be_permitted_at_both_ends() {
    let world = World::new();
    let hybrid = Suites::for_peers();
    let (_, s1) = send_s1(&hybrid, &world.certificate, &world.crl, &mut OsEntropy).unwrap();
    let rsa = Suites::new(vec![Suite::Rsa3072]).unwrap();
    let none = read_s1(&s1, &world.anchors, &rsa, NOW);
    assert_eq!(none.err(), Some(Error::PeerMisbehaved(Rule::Suite)));
    let (only_rsa, _) = send_s1(&rsa, &world.certificate, &world.crl, &mut Fixed(1)).unwrap();
    let (_, _, s2) = world.until_s2();
    assert_eq!(only_rsa.read_s2(&s2, NOW).err(), Some(Error::PeerMisbehaved(Rule::Suite)));
}

#[test]
fn messages_are_not_reflected() {
    let world = World::new();
    let (expect_s2, expect_s3, s2) = world.until_s2();
    let (_, s3) = world.answer(expect_s2.clone(), &s2).unwrap();
    assert!(expect_s3.read_s3(&s2).is_err());
    assert!(expect_s2.clone().read_s2(&s3, NOW).is_err());
    // A user whose key is the certificate's: the labels keep the two signatures apart.
    let OrReject::Message(answer) = S3::decode(&s3).unwrap() else { panic!() };
    let borrowed = S2 { signature: answer.signature, ..S2::decode(&s2).unwrap() };
    let claim = expect_s2.read_s2(&borrowed.encode(), NOW).unwrap();
    let key = Some(world.relay_key.public_key());
    let read = claim.authenticate(key, &world.relay_key, &world.throw_away, &mut OsEntropy);
    assert_eq!(read.err(), Some(SIGNATURE));
}

#[test]
fn a_relay_without_the_certificates_key_is_noticed() {
    let world = World::new();
    let (expect_s2, expect_s3, s2) = world.until_s2();
    let impostor = World { relay_key: ed25519(), ..world };
    let (_, s3) = impostor.answer(expect_s2, &s2).unwrap();
    assert_eq!(expect_s3.read_s3(&s3).err(), Some(SIGNATURE));
}

#[test]
fn hostile_ephemeral_keys_are_refused_after_the_signature() {
    let world = World::new();
    let (expect_s2, s1) = world.s1();
    let (_, s2) = world.s2(world.read_s1(&s1).unwrap());
    let good = S2::decode(&s2).unwrap();
    let low_order = [&good.ephemeral_key[..1184], &[0; 32]].concat();
    let above_modulus = [&[0xff; 2], &good.ephemeral_key[2..]].concat();
    for hostile in [low_order, above_modulus] {
        let mut s2 = S2 { ephemeral_key: hostile, ..good.clone() };
        let signed = crate::transcript::transcript_hash(&[&s1, &s2.encode_unsigned()]);
        assert_eq!(world.answer(expect_s2.clone(), &s2.encode()).err(), Some(SIGNATURE));
        s2.signature = world.alice.sign("secchat 1 S2", &signed).unwrap();
        let answered = world.answer(expect_s2.clone(), &s2.encode());
        assert_eq!(answered.err(), Some(Error::Malformed(Malformed::Key)));
    }
    let short = S2 { ephemeral_key: good.ephemeral_key[1..].to_vec(), ..good };
    assert_eq!(world.answer(expect_s2, &short.encode()).err(), Some(Error::Malformed(Malformed::Key)));
}

/// What the relay says, and which kinds of keys it verified with, to say it.
fn cost(world: &World, signature: &[u8], registered: Option<&PublicKey>) -> (Option<Error>, Vec<KeyKind>) {
    let (expect_s2, _, s2) = world.until_s2();
    let s2 = S2 { signature: signature.to_vec(), ..S2::decode(&s2).unwrap() };
    let claim = expect_s2.read_s2(&s2.encode(), NOW).unwrap();
    VERIFICATIONS.take();
    let read = claim.authenticate(registered, &world.relay_key, &world.throw_away, &mut OsEntropy);
    (read.err(), VERIFICATIONS.take())
}

#[test]
fn an_unknown_name_costs_what_a_bad_signature_does() {
    let (rsa, ed25519) = (rsa(), ed25519());
    let world = World::new();
    for (length, kind) in [(64, KeyKind::Ed25519), (256, KeyKind::Rsa { bits: 2048 })] {
        let expected = (Some(SIGNATURE), vec![kind]);
        let signature = vec![1; length];
        assert_eq!(cost(&world, &signature, None), expected, "an unknown name");
        assert_eq!(cost(&world, &signature, Some(ed25519.public_key())), expected, "an Ed25519 user");
        assert_eq!(cost(&world, &signature, Some(rsa.public_key())), expected, "an RSA user");
    }
    // A number above the user's modulus would be refused at once.
    let above = [vec![0xff; 8], vec![0; 248]].concat();
    let expected = (Some(SIGNATURE), vec![KeyKind::Rsa { bits: 2048 }]);
    assert!(!rsa.public_key().admits(&above));
    assert_eq!(cost(&world, &above, Some(rsa.public_key())), expected);
    assert_eq!(cost(&world, &above, None), expected);
}

#[test]
fn a_throw_away_key_logs_nobody_in() {
    let world = World::new();
    let (expect_s2, _, s2) = world.until_s2();
    let good = expect_s2.read_s2(&s2, NOW).unwrap();
    // A valid signature, but the name is not on the list.
    let read = good.authenticate(None, &world.relay_key, &world.throw_away, &mut OsEntropy);
    assert_eq!(read.err(), Some(SIGNATURE));
}

#[test]
fn rejects_are_read_in_place_of_s1_and_s3() {
    let world = World::new();
    let reject = RejectReason::Busy.encode();
    let read = read_s1(&reject, &world.anchors, &Suites::for_link(), NOW).unwrap();
    assert!(matches!(read, OrReject::Reject(RejectReason::Busy)));
    let (_, expect_s3, _) = world.until_s2();
    let read = expect_s3.read_s3(&RejectReason::NotAuthenticated.encode()).unwrap();
    assert!(matches!(read, OrReject::Reject(RejectReason::NotAuthenticated)));
}

#[test]
fn messages_above_their_limit_are_not_read() {
    let world = World::new();
    let too_long = Some(Error::Malformed(Malformed::TooLong));
    let read = read_s1(&[0; 16_385], &world.anchors, &Suites::for_link(), NOW);
    assert_eq!(read.err(), too_long);
    let (expect_s2, expect_s3, _) = world.until_s2();
    assert_eq!(expect_s2.read_s2(&[0; 4_097], NOW).err(), too_long);
    assert_eq!(expect_s3.read_s3(&[0; 4_097]).err(), too_long);
    let sent = send_s1(&Suites::for_link(), &[0; 16_384], &[], &mut OsEntropy);
    assert_eq!(sent.err(), too_long);
}
