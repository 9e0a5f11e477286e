//! The client's end of a login (PROTOCOL.md §3).

use crate::crypto::certificate::{NewestCrl, TrustAnchors, VerifiedCertificate};
use crate::crypto::entropy::Entropy;
use crate::crypto::kdf::extract;
use crate::crypto::kem::{EphemeralKey, ReadyRsaKey, Suite, Suites};
use crate::crypto::signature::{PublicKey, SigningKey};
use crate::error::{Malformed, Rule};
use crate::handshake::delegation::DelegatedKey;
use crate::limits::{MAX_LOGIN_BYTES, MAX_S1_BYTES};
use crate::record::{Session, Speaker};
use crate::transcript::{Transcript, without_signature};
use crate::wire::login::{Delegation, OrReject, Role, S1, S2, S3};
use crate::{Error, UserName};

/// S1 was read and its certificate stands.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub struct RelayVerified {
    transcript: Transcript,
    nonce_relay: [u8; 16],
    suite: Suite,
    certificate: VerifiedCertificate,
}

/// S2 was sent.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub struct ExpectS3 {
    transcript: Transcript,
    nonce_user: [u8; 16],
    ephemeral: EphemeralKey,
    relay_key: PublicKey,
}

/// The CRL that counts once this S1 has come: to be kept before [`read_s1`] judges, whatever comes of the login
/// ([`TrustAnchors::newest_crl`]).
#[must_use]
pub fn newest_crl(body: &[u8], anchors: &TrustAnchors, unix_now: u64) -> Option<NewestCrl> {
    match S1::decode(body) {
        Ok(OrReject::Message(s1)) => anchors.newest_crl(&s1.crl, unix_now),
        Ok(OrReject::Reject(_)) | Err(_) => None,
    }
}

/// Reads S1, or the Reject in its place. [`newest_crl`] goes before it.
///
/// # Errors
/// [`Error::Malformed`], `Rule::Version`, `Rule::Suite`, or [`Error::Untrusted`].
pub fn read_s1(
    body: &[u8],
    anchors: &TrustAnchors,
    permitted: &Suites,
    unix_now: u64,
) -> Result<OrReject<RelayVerified>, Error> {
    if body.len() > MAX_S1_BYTES {
        return Err(Error::Malformed(Malformed::TooLong));
    }
    let s1 = match S1::decode(body)? {
        OrReject::Message(s1) => s1,
        OrReject::Reject(reason) => return Ok(OrReject::Reject(reason)),
    };
    let suite = permitted.choose(&s1.suites).ok_or(Error::PeerMisbehaved(Rule::Suite))?;
    let certificate = anchors.verify(&s1.certificate, &s1.crl, unix_now)?;
    let transcript = Transcript::new().with(body);
    Ok(OrReject::Message(RelayVerified { transcript, nonce_relay: s1.nonce_relay, suite, certificate }))
}

impl RelayVerified {
    /// The suite that S2 will choose: suite 1 needs a ready RSA key.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// What was verified.
    #[must_use]
    pub fn certificate(&self) -> &VerifiedCertificate {
        &self.certificate
    }

    /// Makes S2's body, signed by the identity key. Takes 16 bytes of entropy for the handshake nonce, then what the
    /// suite's key takes.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn send_s2(
        self,
        (user_name, key): (&UserName, &SigningKey),
        role: Role,
        ready: Option<ReadyRsaKey>,
        entropy: &mut dyn Entropy,
    ) -> Result<(ExpectS3, Vec<u8>), Error> {
        self.make_s2((user_name, key, None), role, ready, entropy)
    }

    /// Makes S2's body, signed by a key that the identity key has delegated to; else as [`Self::send_s2`].
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn send_delegated_s2(
        self,
        (user_name, DelegatedKey { key, delegation }): (&UserName, &DelegatedKey),
        role: Role,
        ready: Option<ReadyRsaKey>,
        entropy: &mut dyn Entropy,
    ) -> Result<(ExpectS3, Vec<u8>), Error> {
        self.make_s2((user_name, key, Some(delegation.clone())), role, ready, entropy)
    }

    fn make_s2(
        self,
        (user_name, key, delegation): (&UserName, &SigningKey, Option<Delegation>),
        role: Role,
        ready: Option<ReadyRsaKey>,
        entropy: &mut dyn Entropy,
    ) -> Result<(ExpectS3, Vec<u8>), Error> {
        let mut nonce_user = [0; 16];
        entropy.fill(&mut nonce_user)?;
        let ephemeral = EphemeralKey::make(self.suite, ready, entropy)?;
        let mut s2 = S2 {
            role,
            nonce_relay: self.nonce_relay,
            suite: self.suite,
            ephemeral_key: ephemeral.public_key().to_vec(),
            nonce_user,
            user_name: user_name.clone(),
            delegation,
            signature: Vec::new(),
        };
        let signed = self.transcript.clone().with(&s2.encode_unsigned()).hash();
        s2.signature = key.sign(S2_LABEL, &signed)?;
        let body = s2.encode();
        let transcript = self.transcript.with(&body);
        let relay_key = self.certificate.public_key;
        Ok((ExpectS3 { transcript, nonce_user, ephemeral, relay_key }, body))
    }
}

impl ExpectS3 {
    /// Reads S3, or the Reject in its place.
    ///
    /// # Errors
    /// [`Error::Malformed`], `Rule::HandshakeNonce`, `Rule::Signature` or [`Error::Decrypt`].
    pub fn read_s3(self, body: &[u8]) -> Result<OrReject<Session>, Error> {
        if body.len() > MAX_LOGIN_BYTES {
            return Err(Error::Malformed(Malformed::TooLong));
        }
        let s3 = match S3::decode(body)? {
            OrReject::Message(s3) => s3,
            OrReject::Reject(reason) => return Ok(OrReject::Reject(reason)),
        };
        if s3.nonce_user != self.nonce_user {
            return Err(Error::PeerMisbehaved(Rule::HandshakeNonce));
        }
        let signed = self.transcript.clone().with(without_signature(body, &s3.signature)).hash();
        if !self.relay_key.verifies(S3_LABEL, &signed, &s3.signature) {
            return Err(Error::PeerMisbehaved(Rule::Signature));
        }
        let secret = self.ephemeral.open(&s3.sealed)?;
        let prk = extract(&self.transcript.with(body).hash(), &[secret.expose()])?;
        Session::derive(&prk, Speaker::Client).map(OrReject::Message)
    }
}

/// What S2's signature is for.
pub(super) const S2_LABEL: &str = "secchat 1 S2";
/// What S3's signature is for.
pub(super) const S3_LABEL: &str = "secchat 1 S3";
