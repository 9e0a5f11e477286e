//! The relay's end of a login (PROTOCOL.md §3): the cheapest checks first, and nothing told about names.

use crate::crypto::entropy::Entropy;
use crate::crypto::kdf::extract;
use crate::crypto::kem::{HYBRID_KEY_BYTES, RSA_KEY_BYTES, Suite, Suites, encapsulate};
use crate::crypto::signature::{PublicKey, SigningKey};
use crate::error::{Malformed, Rule};
use crate::handshake::client::{S2_LABEL, S3_LABEL};
use crate::handshake::delegation::DELEGATE_LABEL;
use crate::handshake::throw_away::ThrowAwayKeys;
use crate::limits::{MAX_LOGIN_BYTES, MAX_S1_BYTES};
use crate::record::{Session, Speaker};
use crate::transcript::{Transcript, without_signature};
use crate::wire::login::{Role, S1, S2, S3};
use crate::{Error, UserName};

/// S1 was sent.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub struct ExpectS2 {
    transcript: Transcript,
    nonce_relay: [u8; 16],
    suites: Suites,
}

/// S2 was read; its signature not yet.
#[derive(Debug)]
pub struct Claim {
    /// Over S1 and S2.
    transcript: Transcript,
    /// What S2's signature must cover.
    signed: [u8; 32],
    s2: S2,
}

/// Makes S1's body. Takes 16 bytes of entropy for the handshake nonce.
///
/// # Errors
/// [`Error::Crypto`] without randomness, `Malformed::TooLong` for a certificate and CRL above S1's limit.
pub fn send_s1(
    suites: &Suites,
    certificate: &[u8],
    crl: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<(ExpectS2, Vec<u8>), Error> {
    if certificate.len().saturating_add(crl.len()) > MAX_S1_BYTES {
        return Err(Error::Malformed(Malformed::TooLong));
    }
    let mut nonce_relay = [0; 16];
    entropy.fill(&mut nonce_relay)?;
    let body = S1 {
        nonce_relay,
        suites: suites.as_slice().to_vec(),
        certificate: certificate.to_vec(),
        crl: crl.to_vec(),
    }
    .encode();
    if body.len() > MAX_S1_BYTES {
        return Err(Error::Malformed(Malformed::TooLong));
    }
    let transcript = Transcript::new().with(&body);
    Ok((ExpectS2 { transcript, nonce_relay, suites: suites.clone() }, body))
}

impl ExpectS2 {
    /// Reads S2, cheapest checks first: length, role, our nonce, suite, name, the time of a delegation.
    ///
    /// # Errors
    /// [`Error::Malformed`], `Rule::HandshakeNonce`, `Rule::Suite`, `Rule::DelegationTime`, or `Rule::Signature` for one
    /// of a length that no permitted key makes.
    pub fn read_s2(self, body: &[u8], unix_now: u64) -> Result<Claim, Error> {
        if body.len() > MAX_LOGIN_BYTES {
            return Err(Error::Malformed(Malformed::TooLong));
        }
        let s2 = S2::decode(body)?;
        if s2.nonce_relay != self.nonce_relay {
            return Err(Error::PeerMisbehaved(Rule::HandshakeNonce));
        }
        if !self.suites.as_slice().contains(&s2.suite) {
            return Err(Error::PeerMisbehaved(Rule::Suite));
        }
        let key_bytes = match s2.suite {
            Suite::Rsa3072 => RSA_KEY_BYTES,
            Suite::X25519MlKem768 => HYBRID_KEY_BYTES,
        };
        if s2.ephemeral_key.len() != key_bytes {
            return Err(Error::Malformed(Malformed::Key));
        }
        if let Some(delegation) = &s2.delegation {
            delegation.check_time(unix_now)?;
        }
        if !ThrowAwayKeys::fits(s2.identity_signature()) {
            return Err(Error::PeerMisbehaved(Rule::Signature));
        }
        let signed = self.transcript.clone().with(without_signature(body, &s2.signature)).hash();
        Ok(Claim { transcript: self.transcript.with(body), signed, s2 })
    }
}

impl Claim {
    /// Who says to be logging in.
    #[must_use]
    pub fn user_name(&self) -> &UserName {
        &self.s2.user_name
    }

    /// Listed or hidden.
    #[must_use]
    pub fn role(&self) -> Role {
        self.s2.role
    }

    /// Until when a delegated key speaks for the user (Unix seconds); `None`: the identity key itself does.
    #[must_use]
    pub fn delegated_until(&self) -> Option<u64> {
        self.s2.delegation.as_ref().map(|delegation| delegation.not_after)
    }

    /// Whether this key made the user's signature: which of a user's two keys it is, while both are taken.
    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let (label, hash) = self.s2.identity_signed(self.signed);
        let signature = self.s2.identity_signature();
        key.admits(signature) && key.verifies(label, &hash, signature)
    }

    /// Checks the signature and makes S3's body. One verification is done whatever `registered` is: for an unknown
    /// name (`None`), or a key that cannot have made such a signature, against a throw-away key that could. A delegate's
    /// comes after it, where the user has delegated.
    ///
    /// # Errors
    /// `Rule::Signature` for an unknown name as for a bad signature; `Malformed::Key` for a bad ephemeral key.
    pub fn authenticate(
        self,
        registered: Option<&PublicKey>,
        certificate_key: &SigningKey,
        throw_away: &ThrowAwayKeys,
        entropy: &mut dyn Entropy,
    ) -> Result<(Session, Vec<u8>), Error> {
        let Self { transcript, signed, s2 } = self;
        let (label, hash) = s2.identity_signed(signed);
        let signature = s2.identity_signature();
        let is_the_users = match registered.filter(|key| key.admits(signature)) {
            Some(key) => key.verifies(label, &hash, signature),
            None => {
                throw_away.verify_in_vain(label, &hash, signature);
                false
            }
        };
        let is_delegates = || match &s2.delegation {
            Some(delegation) => delegation.delegate.verifies(S2_LABEL, &signed, &s2.signature),
            None => true,
        };
        let authentic = is_the_users && is_delegates();
        if !authentic {
            return Err(Error::PeerMisbehaved(Rule::Signature));
        }
        let (sealed, secret) = encapsulate(s2.suite, &s2.ephemeral_key, entropy)?;
        let mut s3 = S3 { nonce_user: s2.nonce_user, sealed, signature: Vec::new() };
        let signed = transcript.clone().with(&s3.encode_unsigned()).hash();
        s3.signature = certificate_key.sign(S3_LABEL, &signed)?;
        let body = s3.encode();
        let prk = extract(&transcript.with(&body).hash(), &[secret.expose()])?;
        Ok((Session::derive(&prk, Speaker::Relay)?, body))
    }
}

impl S2 {
    /// What the user's own key signed: the delegation, where there is one, else what S2's signature covers.
    fn identity_signed(&self, signed: [u8; 32]) -> (&'static str, [u8; 32]) {
        match &self.delegation {
            Some(delegation) => (DELEGATE_LABEL, delegation.signed_hash(&self.user_name)),
            None => (S2_LABEL, signed),
        }
    }

    /// The signature that the user's own key made.
    fn identity_signature(&self) -> &[u8] {
        self.delegation.as_ref().map_or(&self.signature, |delegation| &delegation.signature)
    }
}
