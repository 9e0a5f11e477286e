//! A's end of M1–M3: who asked.

use crate::Error;
use crate::crypto::entropy::Entropy;
use crate::crypto::kem::{Suite, Suites, encapsulate};
use crate::crypto::secret::Secret;
use crate::crypto::signature::{PublicKey, SigningKey};
use crate::error::Rule;
use crate::handshake::{ChatContext, M2_LABEL, M3_LABEL, derive_chat_keys};
use crate::record::{Session, Speaker};
use crate::transcript::Transcript;
use crate::wire::key_establishment::{M1, M2, M3};
use crate::wire::request::Terms;

/// M1 was sent.
#[derive(Debug)]
pub struct ExpectM2 {
    /// CTX and M1.
    transcript: Transcript,
    responder_key: PublicKey,
    asked: Terms,
    offered: Vec<Suite>,
    nonce_sender: [u8; 16],
}

/// What A holds of a chat before M2: nothing the first time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Held<'a> {
    /// The chat's root, made by the first M3 that left, whether or not it arrived.
    pub root: Option<&'a Secret<32>>,
    /// The grant that the first M3 fixed.
    pub granted: Option<Terms>,
    /// Whether the chat has been open here: B then holds the root, or is a restored copy.
    pub has_opened: bool,
    /// The time, in Unix seconds: a first grant must end after it.
    pub unix_now: u64,
}

/// What M3 yields.
#[derive(Debug)]
pub struct Established {
    /// The keys of both directions.
    pub session: Session,
    /// B's grant.
    pub granted: Terms,
    /// The chat's root, when this handshake made it (`fresh`).
    pub new_root: Option<Secret<32>>,
}

/// Makes M1's body.
///
/// # Errors
/// [`Error::Crypto`] without randomness.
pub fn send_m1(
    context: &ChatContext,
    suites: &Suites,
    entropy: &mut dyn Entropy,
) -> Result<(ExpectM2, Vec<u8>), Error> {
    let mut nonce_sender = [0; 16];
    entropy.fill(&mut nonce_sender)?;
    let offered = suites.as_slice().to_vec();
    let m1 = M1 { nonce_sender, chat_id: context.request.chat_id, suites: offered.clone() }.encode();
    let (_, responder_key) = &context.responder;
    let state = ExpectM2 {
        transcript: Transcript::new().with(&context.encode()).with(&m1),
        responder_key: responder_key.clone(),
        asked: context.request.terms,
        offered,
        nonce_sender,
    };
    Ok((state, m1))
}

impl ExpectM2 {
    /// Whether `body` echoes this handshake's nonce; anything else is a stray to be dropped and counted.
    #[must_use]
    pub fn is_for_us(&self, body: &[u8]) -> bool {
        body.starts_with(&self.nonce_sender)
    }

    /// Reads M2 and makes M3's body.
    ///
    /// # Errors
    /// [`Error::Malformed`], `Rule::{HandshakeNonce, Suite, Signature, Grant, Fresh}`, or `Malformed::Key`. The signature has
    /// verified before `Rule::Fresh`, so with [`Held::has_opened`] it proves a restored copy of B.
    pub fn read_m2(
        self,
        body: &[u8],
        key: &SigningKey,
        held: Held<'_>,
        entropy: &mut dyn Entropy,
    ) -> Result<(Established, Vec<u8>), Error> {
        let m2 = M2::decode(body)?;
        self.check(&m2, held)?;
        let root = if m2.fresh { None } else { held.root };
        let (sealed, shared) = encapsulate(m2.suite, &m2.ephemeral_key, entropy)?;
        let transcript = self.transcript.with(body);
        let mut m3 = M3 { nonce_receiver: m2.nonce_receiver, sealed, signature: Vec::new() };
        let signed = transcript.clone().with(&m3.encode_unsigned()).hash();
        m3.signature = key.sign(M3_LABEL, &signed)?;
        let m3 = m3.encode();
        let salt = transcript.with(&m3).hash();
        let (session, new_root) = derive_chat_keys(&salt, root, &shared, Speaker::Initiator)?;
        Ok((Established { session, granted: m2.terms, new_root }, m3))
    }

    /// What M2 must be, before anything is sealed to its key.
    fn check(&self, m2: &M2, held: Held<'_>) -> Result<(), Error> {
        if m2.nonce_sender != self.nonce_sender {
            return Err(Error::PeerMisbehaved(Rule::HandshakeNonce));
        }
        if !self.offered.contains(&m2.suite) {
            return Err(Error::PeerMisbehaved(Rule::Suite));
        }
        let signed = self.transcript.clone().with(&m2.encode_unsigned()).hash();
        if !self.responder_key.verifies(M2_LABEL, &signed, &m2.signature) {
            return Err(Error::PeerMisbehaved(Rule::Signature));
        }
        let is_grant_good = match held.granted {
            Some(fixed) => fixed == m2.terms,
            None => m2.terms.until > held.unix_now,
        };
        if !m2.terms.is_within(&self.asked) || !is_grant_good {
            return Err(Error::PeerMisbehaved(Rule::Grant));
        }
        let contradicts = if m2.fresh { held.has_opened } else { held.root.is_none() };
        if contradicts { Err(Error::PeerMisbehaved(Rule::Fresh)) } else { Ok(()) }
    }
}
