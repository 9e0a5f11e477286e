//! B's end of M1–M3: who was asked.

use crate::Error;
use crate::crypto::entropy::Entropy;
use crate::crypto::kem::{EphemeralKey, ReadyRsaKey, Suite, Suites};
use crate::crypto::secret::Secret;
use crate::crypto::signature::{PublicKey, SigningKey};
use crate::error::Rule;
use crate::handshake::initiator::Established;
use crate::handshake::{ChatContext, M2_LABEL, M3_LABEL, derive_chat_keys};
use crate::record::Speaker;
use crate::transcript::Transcript;
use crate::wire::key_establishment::{M1, M2, M3};
use crate::wire::request::Terms;

/// M1 was read: its suite is chosen.
#[derive(Debug)]
pub struct M1Read {
    /// CTX and M1.
    transcript: Transcript,
    initiator_key: PublicKey,
    asked: Terms,
    suite: Suite,
    nonce_sender: [u8; 16],
}

/// M2 was sent.
#[derive(Debug)]
pub struct ExpectM3 {
    /// CTX, M1 and M2.
    transcript: Transcript,
    initiator_key: PublicKey,
    nonce_receiver: [u8; 16],
    granted: Terms,
    root: Option<Secret<32>>,
    ephemeral_key: EphemeralKey,
}

/// Reads M1 for the chat of `context`.
///
/// # Errors
/// [`Error::Malformed`], `Rule::Order` for another chat id, `Rule::Suite` when none is in common.
pub fn read_m1(context: &ChatContext, body: &[u8], permitted: &Suites) -> Result<M1Read, Error> {
    let m1 = M1::decode(body)?;
    if m1.chat_id != context.request.chat_id {
        return Err(Error::PeerMisbehaved(Rule::Order));
    }
    let suite = permitted.choose(&m1.suites).ok_or(Error::PeerMisbehaved(Rule::Suite))?;
    let (_, initiator_key) = &context.initiator;
    Ok(M1Read {
        // M1 as it came: unknown suites are in the transcript too.
        transcript: Transcript::new().with(&context.encode()).with(body),
        initiator_key: initiator_key.clone(),
        asked: context.request.terms,
        suite,
        nonce_sender: m1.nonce_sender,
    })
}

impl M1Read {
    /// The chosen suite: suite 1 needs a ready RSA key.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Makes M2's body. `root` is the chat's, if this side holds one.
    ///
    /// # Errors
    /// [`Error::Crypto`], or `Rule::Grant` for a grant above what was asked.
    pub fn send_m2(
        self,
        key: &SigningKey,
        (granted, root): (Terms, Option<&Secret<32>>),
        ready: Option<ReadyRsaKey>,
        entropy: &mut dyn Entropy,
    ) -> Result<(ExpectM3, Vec<u8>), Error> {
        if !granted.is_within(&self.asked) {
            return Err(Error::PeerMisbehaved(Rule::Grant));
        }
        let mut nonce_receiver = [0; 16];
        entropy.fill(&mut nonce_receiver)?;
        let ephemeral_key = EphemeralKey::make(self.suite, ready, entropy)?;
        let mut m2 = M2 {
            nonce_sender: self.nonce_sender,
            suite: self.suite,
            ephemeral_key: ephemeral_key.public_key().to_vec(),
            nonce_receiver,
            terms: granted,
            fresh: root.is_none(),
            signature: Vec::new(),
        };
        let signed = self.transcript.clone().with(&m2.encode_unsigned()).hash();
        m2.signature = key.sign(M2_LABEL, &signed)?;
        let m2 = m2.encode();
        let state = ExpectM3 {
            transcript: self.transcript.with(&m2),
            initiator_key: self.initiator_key,
            nonce_receiver,
            granted,
            root: root.cloned(),
            ephemeral_key,
        };
        Ok((state, m2))
    }
}

impl ExpectM3 {
    /// Whether `body` echoes this handshake's nonce; anything else is a stray to be dropped and counted.
    #[must_use]
    pub fn is_for_us(&self, body: &[u8]) -> bool {
        body.starts_with(&self.nonce_receiver)
    }

    /// Reads M3.
    ///
    /// # Errors
    /// [`Error::Malformed`], `Rule::{HandshakeNonce, Signature}` or [`Error::Decrypt`].
    pub fn read_m3(self, body: &[u8]) -> Result<Established, Error> {
        let m3 = M3::decode(body)?;
        if m3.nonce_receiver != self.nonce_receiver {
            return Err(Error::PeerMisbehaved(Rule::HandshakeNonce));
        }
        let signed = self.transcript.clone().with(&m3.encode_unsigned()).hash();
        if !self.initiator_key.verifies(M3_LABEL, &signed, &m3.signature) {
            return Err(Error::PeerMisbehaved(Rule::Signature));
        }
        let shared = self.ephemeral_key.open(&m3.sealed)?;
        let salt = self.transcript.with(body).hash();
        let (session, new_root) = derive_chat_keys(&salt, self.root.as_ref(), &shared, Speaker::Responder)?;
        Ok(Established { session, granted: self.granted, new_root })
    }
}
