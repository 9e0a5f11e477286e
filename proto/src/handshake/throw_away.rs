//! Keys that no login is verified with, so that an unknown name costs the relay what a bad signature does.

use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;

use crate::Error;
use crate::crypto::entropy::Entropy;
use crate::crypto::signature::{ED25519_SIGNATURE_BYTES, PublicKey, SigningKey};
use crate::error::CryptoOperation;

/// A throw-away key for each length that a signature can have: made once, at the relay's start.
#[derive(Debug)]
pub struct ThrowAwayKeys {
    ed25519: PublicKey,
    /// By size: [`SMALLEST_RSA_BYTES`] and on, each one machine word longer.
    rsa: Vec<PublicKey>,
}

impl ThrowAwayKeys {
    /// Makes the keys: about a millisecond.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn make(entropy: &mut dyn Entropy) -> Result<Self, Error> {
        let ed25519 = SigningKey::generate_ed25519(entropy)?.public_key().clone();
        let mut digits = [0; LARGEST_RSA_BYTES];
        entropy.fill(&mut digits)?;
        let rsa = (SMALLEST_RSA_BYTES..=LARGEST_RSA_BYTES)
            .step_by(WORD_BYTES)
            .map(|length| make_rsa(digits.iter().take(length).copied().collect()))
            .collect::<Result<_, _>>()?;
        Ok(Self { ed25519, rsa })
    }

    /// Whether a key of a permitted kind can have made a signature of this length.
    #[must_use]
    pub fn fits(signature: &[u8]) -> bool {
        signature.len() == ED25519_SIGNATURE_BYTES
            || (SMALLEST_RSA_BYTES..=LARGEST_RSA_BYTES).contains(&signature.len())
    }

    /// Does the work of verifying `signature`; the outcome means nothing.
    pub fn verify_in_vain(&self, label: &str, hash: &[u8; 32], signature: &[u8]) {
        let words = signature.len().saturating_sub(SMALLEST_RSA_BYTES).div_ceil(WORD_BYTES);
        let _ = match self.rsa.get(words) {
            Some(key) if signature.len() >= SMALLEST_RSA_BYTES => {
                let mut filled = vec![0; key.kind().signature_bytes().saturating_sub(signature.len())];
                filled.extend_from_slice(signature);
                key.verifies(label, hash, &filled)
            }
            Some(_) | None => self.ed25519.verifies(label, hash, signature),
        };
    }
}

/// A modulus that verifies nothing, but as slowly as a good one. Its first bytes are ones, so that hardly any
/// signature is above it.
fn make_rsa(mut digits: Vec<u8>) -> Result<PublicKey, Error> {
    digits.iter_mut().take(WORD_BYTES).for_each(|byte| *byte = 0xff);
    digits.last_mut().into_iter().for_each(|byte| *byte |= 1);
    let spki = || -> Result<Vec<u8>, ErrorStack> {
        let rsa = Rsa::from_public_components(BigNum::from_slice(&digits)?, BigNum::from_u32(65_537)?)?;
        PKey::from_rsa(rsa)?.public_key_to_der()
    }();
    PublicKey::from_der(&spki.map_err(|_| Error::Crypto(CryptoOperation::KeyGeneration))?)
}

/// RSA-2048 and RSA-4096: the sizes that an identity key may have (PROTOCOL.md §1).
const SMALLEST_RSA_BYTES: usize = 256;
const LARGEST_RSA_BYTES: usize = 512;
/// OpenSSL computes in words of this length: keys of the same number of words take the same time.
const WORD_BYTES: usize = 8;

#[cfg(test)]
mod tests {
    use super::ThrowAwayKeys;
    use crate::crypto::entropy::OsEntropy;
    use crate::crypto::signature::KeyKind;

    #[test]
    fn there_is_a_key_for_each_length() {
        let keys = ThrowAwayKeys::make(&mut OsEntropy).unwrap();
        assert_eq!(keys.rsa.first().unwrap().kind(), KeyKind::Rsa { bits: 2048 });
        assert_eq!(keys.rsa.last().unwrap().kind(), KeyKind::Rsa { bits: 4096 });
        for length in [64, 256, 257, 263, 264, 265, 384, 511, 512] {
            assert!(ThrowAwayKeys::fits(&vec![1; length]));
            keys.verify_in_vain("label", &[1; 32], &vec![1; length]);
        }
        for length in [0, 63, 65, 255, 513] {
            assert!(!ThrowAwayKeys::fits(&vec![1; length]));
        }
        assert!(openssl::error::ErrorStack::get().errors().is_empty());
    }
}
