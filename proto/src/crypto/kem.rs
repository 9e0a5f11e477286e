//! The suites: ephemeral keys and sealed secrets (PROTOCOL.md §2).

mod hybrid;
mod rsa_envelope;

use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use zeroize::Zeroizing;

use crate::Error;
use crate::crypto::entropy::Entropy;
use crate::error::{CryptoOperation, Malformed};

pub use hybrid::EPHEMERAL_KEY_BYTES as HYBRID_KEY_BYTES;
pub use rsa_envelope::EPHEMERAL_KEY_BYTES as RSA_KEY_BYTES;

/// A suite. Unknown ids are skipped where lists are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    /// 1: the report's digital envelope, with OAEP.
    Rsa3072,
    /// 2: hybrid, preferred.
    X25519MlKem768,
}

/// Permitted suites in order of preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suites(Vec<Suite>);

/// A ready RSA-3072 key for suite 1; making one takes up to seconds.
#[derive(Clone)]
pub struct ReadyRsaKey(PKey<Private>);

/// An ephemeral private key: used once and wiped.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub struct EphemeralKey(Inner);

#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
enum Inner {
    Rsa(rsa_envelope::RsaKey),
    Hybrid(hybrid::HybridKey),
}

/// A shared secret `K`: 32 or 64 bytes.
pub struct SharedSecret(Zeroizing<Vec<u8>>);

impl Suite {
    /// The id on the wire.
    #[must_use]
    pub fn id(self) -> u8 {
        match self {
            Self::Rsa3072 => 1,
            Self::X25519MlKem768 => 2,
        }
    }

    /// The suite of an id, if known.
    #[must_use]
    pub fn from_id(id: u8) -> Option<Self> {
        match id {
            1 => Some(Self::Rsa3072),
            2 => Some(Self::X25519MlKem768),
            _ => None,
        }
    }
}

impl Suites {
    /// Both, the hybrid one first: the default for the link.
    #[must_use]
    pub fn for_link() -> Self {
        Self(vec![Suite::X25519MlKem768, Suite::Rsa3072])
    }

    /// The hybrid one alone: the default between peers.
    #[must_use]
    pub fn for_peers() -> Self {
        Self(vec![Suite::X25519MlKem768])
    }

    /// A list in order of preference; `None` when empty or with a suite twice.
    #[must_use]
    pub fn new(suites: Vec<Suite>) -> Option<Self> {
        let repeated = suites
            .iter()
            .enumerate()
            .any(|(at, suite)| suites.iter().skip(at.saturating_add(1)).any(|s| s == suite));
        if suites.is_empty() || repeated { None } else { Some(Self(suites)) }
    }

    /// The suites in order of preference.
    #[must_use]
    pub fn as_slice(&self) -> &[Suite] {
        &self.0
    }

    /// This side's favourite among those offered.
    #[must_use]
    pub fn choose(&self, offered: &[Suite]) -> Option<Suite> {
        self.0.iter().copied().find(|suite| offered.contains(suite))
    }
}

impl ReadyRsaKey {
    /// Makes a key: up to seconds of CPU, so off the event loop.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn generate() -> Result<Self, Error> {
        Rsa::generate(RSA_BITS)
            .and_then(PKey::from_rsa)
            .map(Self)
            .map_err(|_| Error::Crypto(CryptoOperation::KeyGeneration))
    }

    /// Takes a key that was made elsewhere, for vectors: an ephemeral key is used once.
    ///
    /// # Errors
    /// `Malformed::Key` unless it is RSA-3072 with e = 65537.
    pub fn from_pkey(key: PKey<Private>) -> Result<Self, Error> {
        rsa_envelope::permits(&key).then_some(Self(key)).ok_or(Error::Malformed(Malformed::Key))
    }
}

impl std::fmt::Debug for ReadyRsaKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("ReadyRsaKey(..)")
    }
}

impl EphemeralKey {
    /// Makes a key: from `entropy` for suite 2, from `ready` for suite 1.
    ///
    /// # Errors
    /// `CryptoOperation::NoReadyKey` when suite 1 is wanted and `ready` is `None`; or a failed primitive.
    pub fn make(suite: Suite, ready: Option<ReadyRsaKey>, entropy: &mut dyn Entropy) -> Result<Self, Error> {
        match suite {
            Suite::Rsa3072 => {
                let ReadyRsaKey(key) = ready.ok_or(Error::Crypto(CryptoOperation::NoReadyKey))?;
                rsa_envelope::RsaKey::new(key).map(Inner::Rsa).map(Self)
            }
            Suite::X25519MlKem768 => hybrid::HybridKey::make(entropy).map(Inner::Hybrid).map(Self),
        }
    }

    /// Which suite it is for.
    #[must_use]
    pub fn suite(&self) -> Suite {
        match &self.0 {
            Inner::Rsa(_) => Suite::Rsa3072,
            Inner::Hybrid(_) => Suite::X25519MlKem768,
        }
    }

    /// The public key `E`, encoded as the suite says.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        match &self.0 {
            Inner::Rsa(key) => key.public_key(),
            Inner::Hybrid(key) => key.public_key(),
        }
    }

    /// Opens the sealed secret `C`. Only to be called once its sender's signature is verified (§2).
    ///
    /// # Errors
    /// [`Error::Decrypt`], whatever the cause. Suite 2 cannot tell a changed ML-KEM ciphertext: it gives another
    /// secret, and the first record does not open.
    pub fn open(self, sealed: &[u8]) -> Result<SharedSecret, Error> {
        match self.0 {
            Inner::Rsa(key) => key.open(sealed),
            Inner::Hybrid(key) => key.open(sealed),
        }
        .ok_or(Error::Decrypt)
    }
}

/// Seals a new secret to the ephemeral key `E`: gives `C` and the secret.
///
/// # Errors
/// `Malformed::Key` when `E` is not a key of the suite (length, DER, modulus check, low order).
pub fn encapsulate(
    suite: Suite,
    ephemeral_key: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<(Vec<u8>, SharedSecret), Error> {
    match suite {
        Suite::Rsa3072 => rsa_envelope::encapsulate(ephemeral_key, entropy),
        Suite::X25519MlKem768 => hybrid::encapsulate(ephemeral_key, entropy),
    }
}

impl SharedSecret {
    /// The bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedSecret(..)")
    }
}

/// Size of suite 1's ephemeral keys, in bits (§2).
const RSA_BITS: u32 = 3072;

#[cfg(test)]
mod tests {
    use super::{EphemeralKey, ReadyRsaKey, Suite, Suites, encapsulate};
    use crate::Error;
    use crate::crypto::entropy::OsEntropy;
    use crate::error::{CryptoOperation, Malformed};

    #[test]
    fn both_ends_get_the_same_secret() {
        let ready = ReadyRsaKey::generate().unwrap();
        for (suite, length) in [(Suite::Rsa3072, 32), (Suite::X25519MlKem768, 64)] {
            let key = EphemeralKey::make(suite, Some(ready.clone()), &mut OsEntropy).unwrap();
            assert_eq!(key.suite(), suite);
            let (sealed, secret) = encapsulate(suite, key.public_key(), &mut OsEntropy).unwrap();
            assert_eq!(secret.expose().len(), length);
            assert_eq!(key.open(&sealed).unwrap().expose(), secret.expose());
        }
    }

    #[test]
    fn a_key_of_the_other_suite_is_refused() {
        let rsa = EphemeralKey::make(Suite::Rsa3072, Some(ReadyRsaKey::generate().unwrap()), &mut OsEntropy);
        let hybrid = EphemeralKey::make(Suite::X25519MlKem768, None, &mut OsEntropy).unwrap();
        let refused = Some(Error::Malformed(Malformed::Key));
        assert_eq!(encapsulate(Suite::Rsa3072, hybrid.public_key(), &mut OsEntropy).err(), refused);
        assert_eq!(
            encapsulate(Suite::X25519MlKem768, rsa.unwrap().public_key(), &mut OsEntropy).err(),
            refused
        );
    }

    #[test]
    fn suite_1_needs_a_ready_key() {
        let made = EphemeralKey::make(Suite::Rsa3072, None, &mut OsEntropy);
        assert_eq!(made.err(), Some(Error::Crypto(CryptoOperation::NoReadyKey)));
    }

    #[test]
    fn the_chooser_takes_its_own_favourite() {
        let hybrid_first = Suites::for_link();
        assert_eq!(
            hybrid_first.choose(&[Suite::Rsa3072, Suite::X25519MlKem768]),
            Some(Suite::X25519MlKem768)
        );
        assert_eq!(hybrid_first.choose(&[Suite::Rsa3072]), Some(Suite::Rsa3072));
        assert_eq!(Suites::for_peers().choose(&[Suite::Rsa3072]), None);
        assert_eq!(hybrid_first.choose(&[]), None);
        assert!(Suites::new(vec![]).is_none());
        assert!(Suites::new(vec![Suite::Rsa3072, Suite::Rsa3072]).is_none());
    }
}
