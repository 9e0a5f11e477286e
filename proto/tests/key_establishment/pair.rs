//! Two users and how they run M1–M3, honestly or with what a dishonest one can sign.

use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::crypto::kem::{ReadyRsaKey, Suites};
use secchat_proto::crypto::secret::Secret;
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::error::Rule;
use secchat_proto::handshake::ChatContext;
use secchat_proto::handshake::initiator::{Established, ExpectM2, Held, send_m1};
use secchat_proto::handshake::responder::{ExpectM3, read_m1};
use secchat_proto::record::Session;
use secchat_proto::request::Proposal;
use secchat_proto::transcript::transcript_hash;
use secchat_proto::wire::key_establishment::{M2, M3};
use secchat_proto::wire::request::{RequestToTalk, Terms};
use secchat_proto::{Error, UserName};

/// Bytes from a seed, so that a handshake can be run again exactly.
pub(crate) struct Seeded(pub(crate) u64);

impl Entropy for Seeded {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        for byte in out {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            [*byte, ..] = self.0.to_be_bytes();
        }
        Ok(())
    }
}

/// Two users, what A asked B, and how they run M1–M3.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) alice: (UserName, SigningKey),
    pub(crate) bob: (UserName, SigningKey),
    pub(crate) request: RequestToTalk,
    pub(crate) suites: Suites,
    pub(crate) rsa: Option<ReadyRsaKey>,
}

pub(crate) const ASKED: Terms = Terms { until: 1_000_000, history_days: 30 };
pub(crate) const GRANTED: Terms = Terms { until: 900_000, history_days: 7 };

pub(crate) fn key(seed: u64) -> SigningKey {
    SigningKey::generate_ed25519(&mut Seeded(seed)).unwrap()
}

pub(crate) fn request(asker: &(UserName, SigningKey), addressee: &UserName, seed: u64) -> RequestToTalk {
    let proposal = Proposal { issued: 1_000, expires: 2_000, terms: ASKED };
    RequestToTalk::make(&asker.0, &asker.1, addressee, proposal, &mut Seeded(seed)).unwrap()
}

pub(crate) fn pair() -> Pair {
    let alice = ("alice".parse().unwrap(), key(1));
    let bob = ("bob".parse().unwrap(), key(2));
    let request = request(&alice, &bob.0, 3);
    Pair { alice, bob, request, suites: Suites::for_peers(), rsa: None }
}

pub(crate) fn secret(byte: u8) -> Secret<32> {
    let mut secret = Secret::zeros();
    secret.expose_mut().fill(byte);
    secret
}

impl Pair {
    pub(crate) fn context(&self) -> ChatContext {
        let public = |(name, key): &(UserName, SigningKey)| (name.clone(), key.public_key().clone());
        ChatContext {
            initiator: public(&self.alice),
            responder: public(&self.bob),
            request: self.request.clone(),
        }
    }

    pub(crate) fn m1(&self) -> (ExpectM2, Vec<u8>) {
        send_m1(&self.context(), &self.suites, &mut Seeded(10)).unwrap()
    }

    pub(crate) fn m2_in(
        &self,
        context: &ChatContext,
        m1: &[u8],
        root: Option<&Secret<32>>,
    ) -> Result<(ExpectM3, Vec<u8>), Error> {
        read_m1(context, m1, &self.suites)?.send_m2(
            &self.bob.1,
            (GRANTED, root),
            self.rsa.clone(),
            &mut Seeded(20),
        )
    }

    pub(crate) fn m2(&self, m1: &[u8]) -> (ExpectM3, Vec<u8>) {
        self.m2_in(&self.context(), m1, None).unwrap()
    }

    pub(crate) fn m3_of(
        &self,
        state: ExpectM2,
        m2: &[u8],
        held: Held<'_>,
    ) -> Result<(Established, Vec<u8>), Error> {
        state.read_m2(m2, &self.alice.1, held, &mut Seeded(30))
    }

    pub(crate) fn m3(&self, m2: &[u8]) -> Result<(Established, Vec<u8>), Error> {
        self.m3_of(self.m1().0, m2, Held::default())
    }

    /// Whole and honest: both ends, and the three messages.
    pub(crate) fn run(&self) -> (Established, Established, [Vec<u8>; 3]) {
        let (_, m1) = self.m1();
        let (bob, m2) = self.m2(&m1);
        let (alice, m3) = self.m3(&m2).unwrap();
        let bob = bob.read_m3(&m3).unwrap();
        (alice, bob, [m1, m2, m3])
    }

    /// What a dishonest B can sign: `change` is made before the signature.
    pub(crate) fn forged_m2(&self, change: impl FnOnce(&mut M2)) -> Vec<u8> {
        let (_, m1) = self.m1();
        let mut m2 = M2::decode(&self.m2(&m1).1).unwrap();
        change(&mut m2);
        let hash = transcript_hash(&[&self.context().encode(), &m1, &m2.encode_unsigned()]);
        m2.signature = self.bob.1.sign("secchat 1 M2", &hash).unwrap();
        m2.encode()
    }

    /// What a dishonest A can sign.
    pub(crate) fn forged_m3(&self, change: impl FnOnce(&mut M3)) -> Vec<u8> {
        let (_, _, [m1, m2, m3]) = self.run();
        let mut m3 = M3::decode(&m3).unwrap();
        change(&mut m3);
        let hash = transcript_hash(&[&self.context().encode(), &m1, &m2, &m3.encode_unsigned()]);
        m3.signature = self.alice.1.sign("secchat 1 M3", &hash).unwrap();
        m3.encode()
    }
}

pub(crate) fn broken(rule: Rule) -> Option<Error> {
    Some(Error::PeerMisbehaved(rule))
}

/// Whether what one seals the other opens, both ways.
pub(crate) fn agree(one: &mut Session, other: &mut Session) -> bool {
    let goes = |from: &mut Session, to: &mut Session, text: &[u8]| {
        let (mut record, mut opened) = (Vec::new(), Vec::new());
        from.sealer.seal(text, &mut record).unwrap();
        to.opener.open(&record, &mut opened).is_ok() && opened == text
    };
    let there = goes(one, other, b"there");
    goes(other, one, b"and back") && there
}

pub(crate) fn flip(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}
