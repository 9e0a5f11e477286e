//! Identity and certificate keys: Ed25519, or RSA-PSS of 2048–4096 bits (PROTOCOL.md §1).

use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private, Public};
use openssl::rsa::{Padding, RsaRef};
use openssl::sign::{RsaPssSaltlen, Signer, Verifier};
use zeroize::Zeroizing;

use crate::Error;
use crate::crypto::entropy::Entropy;
use crate::crypto::kdf::{expand, extract};
use crate::crypto::secret::Secret;
use crate::error::{CryptoOperation, Malformed};

/// Length of an Ed25519 signature, in bytes.
pub const ED25519_SIGNATURE_BYTES: usize = 64;

/// A public identity or certificate key, checked: a permitted kind and size, canonical DER.
#[derive(Clone)]
pub struct PublicKey {
    spki: Arc<[u8]>,
    key: PKey<Public>,
    kind: KeyKind,
}

/// A private identity or certificate key. OpenSSL wipes it when the last handle is dropped.
#[derive(Clone)]
pub struct SigningKey {
    key: PKey<Private>,
    public: PublicKey,
}

/// The kinds of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Ed25519 (RFC 8032).
    Ed25519,
    /// RSA with PSS, SHA-256, MGF1 SHA-256, 32 bytes of salt (RFC 8017).
    Rsa {
        /// 2048 to 4096.
        bits: u32,
    },
}

impl KeyKind {
    /// How long this kind's signatures are, in bytes.
    #[must_use]
    pub fn signature_bytes(self) -> usize {
        match self {
            Self::Ed25519 => ED25519_SIGNATURE_BYTES,
            Self::Rsa { bits } => usize::try_from(bits.div_ceil(8)).unwrap_or(usize::MAX),
        }
    }
}

impl PublicKey {
    /// Takes a DER `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// `Malformed::Key` unless it is its own re-encoding and of a permitted kind and size.
    pub fn from_der(spki: &[u8]) -> Result<Self, Error> {
        let key = canonical_key(spki)?;
        let kind = permitted_kind(&key)?;
        Ok(Self { spki: spki.into(), key, kind })
    }

    /// Takes a PEM public key (`NAME_pubkey.pem`).
    ///
    /// # Errors
    /// `Malformed::Key`.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let der = PKey::public_key_from_pem(pem).and_then(|key| key.public_key_to_der()).map_err(no_key)?;
        Self::from_der(&der)
    }

    /// The DER `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.spki
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Whether the key could have made `signature` as far as its length and size tell: verifying any other one takes
    /// less time.
    #[must_use]
    pub fn admits(&self, signature: &[u8]) -> bool {
        let below_modulus = || self.key.rsa().is_ok_and(|rsa| signature < rsa.n().to_vec().as_slice());
        signature.len() == self.kind.signature_bytes() && (self.kind == KeyKind::Ed25519 || below_modulus())
    }

    /// Whether `signature` is the key's over `label | 0x00 | hash`.
    #[must_use]
    pub fn verifies(&self, label: &str, hash: &[u8; 32], signature: &[u8]) -> bool {
        let message = signed_message(label, hash);
        let verified = || -> Result<bool, ErrorStack> {
            match self.kind {
                KeyKind::Ed25519 => {
                    Verifier::new_without_digest(&self.key)?.verify_oneshot(signature, &message)
                }
                KeyKind::Rsa { .. } => {
                    let mut verifier = Verifier::new(MessageDigest::sha256(), &self.key)?;
                    verifier.set_rsa_padding(Padding::PKCS1_PSS)?;
                    verifier.set_rsa_mgf1_md(MessageDigest::sha256())?;
                    verifier.set_rsa_pss_saltlen(RsaPssSaltlen::custom(PSS_SALT_BYTES))?;
                    verifier.verify_oneshot(signature, &message)
                }
            }
        };
        if signature.len() != self.kind.signature_bytes() {
            return false;
        }
        #[cfg(test)]
        tests::VERIFICATIONS.with_borrow_mut(|done| done.push(self.kind));
        verified().unwrap_or(false)
    }
}

impl SigningKey {
    /// Makes an Ed25519 key from 32 bytes of entropy.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn generate_ed25519(entropy: &mut dyn Entropy) -> Result<Self, Error> {
        let mut seed = Secret::<32>::zeros();
        entropy.fill(seed.expose_mut())?;
        let key = PKey::private_key_from_raw_bytes(seed.expose(), Id::ED25519)
            .map_err(|_| Error::Crypto(CryptoOperation::KeyGeneration))?;
        Self::from_pkey(key)
    }

    /// Takes an OpenSSL key of a permitted kind and size.
    ///
    /// # Errors
    /// `Malformed::Key`.
    pub fn from_pkey(key: PKey<Private>) -> Result<Self, Error> {
        let public = PublicKey::from_der(&key.public_key_to_der().map_err(no_key)?)?;
        Ok(Self { key, public })
    }

    /// The OpenSSL key: for writing it to a file under a passphrase.
    #[must_use]
    pub fn as_pkey(&self) -> &PKeyRef<Private> {
        &self.key
    }

    /// Its public half.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// A secret for this key's owner alone, the same whenever it is asked for; each label gives another. For Ed25519
    /// it comes from the private seed, for RSA from the private exponent.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn own_secret(&self, label: &str) -> Result<Secret<32>, Error> {
        let failed = |_| Error::Crypto(CryptoOperation::Derive);
        let private = Zeroizing::new(match self.public.kind {
            KeyKind::Ed25519 => self.key.raw_private_key().map_err(failed)?,
            KeyKind::Rsa { .. } => self.key.rsa().map_err(failed)?.d().to_vec(),
        });
        expand(&extract(&[0; 32], &[&private])?, label)
    }

    /// Signs `label | 0x00 | hash`.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn sign(&self, label: &str, hash: &[u8; 32]) -> Result<Vec<u8>, Error> {
        let message = signed_message(label, hash);
        let signed = || -> Result<Vec<u8>, ErrorStack> {
            match self.public.kind {
                KeyKind::Ed25519 => Signer::new_without_digest(&self.key)?.sign_oneshot_to_vec(&message),
                KeyKind::Rsa { .. } => {
                    let mut signer = Signer::new(MessageDigest::sha256(), &self.key)?;
                    signer.set_rsa_padding(Padding::PKCS1_PSS)?;
                    signer.set_rsa_mgf1_md(MessageDigest::sha256())?;
                    signer.set_rsa_pss_saltlen(RsaPssSaltlen::custom(PSS_SALT_BYTES))?;
                    signer.sign_oneshot_to_vec(&message)
                }
            }
        };
        signed().map_err(|_| Error::Crypto(CryptoOperation::Sign))
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}

impl Eq for PublicKey {}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PublicKey").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// Takes a DER `SubjectPublicKeyInfo` that is its own re-encoding (§1), whatever its algorithm.
///
/// # Errors
/// `Malformed::Key`.
pub(crate) fn canonical_key(spki: &[u8]) -> Result<PKey<Public>, Error> {
    if spki.len() > MAX_SPKI_BYTES {
        return Err(Error::Malformed(Malformed::Key));
    }
    // An Ed25519 key has one encoding: these bytes, and the key. OpenSSL's decoder takes twenty times as long.
    if let Some(raw) = spki.strip_prefix(ED25519_SPKI_PREFIX).filter(|raw| raw.len() == ED25519_KEY_BYTES) {
        return PKey::public_key_from_raw_bytes(raw, Id::ED25519).map_err(no_key);
    }
    let key = PKey::public_key_from_der(spki).map_err(no_key)?;
    let encoded = key.public_key_to_der().map_err(no_key)?;
    if encoded == spki { Ok(key) } else { Err(Error::Malformed(Malformed::Key)) }
}

/// All of an Ed25519 `SubjectPublicKeyInfo` (RFC 8410) but the key.
const ED25519_SPKI_PREFIX: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const ED25519_KEY_BYTES: usize = 32;

/// The size of an RSA key with e = 65537 and an odd modulus; `None` for any other.
pub(crate) fn usual_rsa_bits<T: HasPublic>(rsa: &RsaRef<T>) -> Option<u32> {
    let exponent = rsa.e().to_vec();
    let usual = exponent == [1, 0, 1] && rsa.n().is_bit_set(0);
    usual.then(|| u32::try_from(rsa.n().num_bits()).ok()).flatten()
}

fn permitted_kind(key: &PKeyRef<Public>) -> Result<KeyKind, Error> {
    match key.id() {
        Id::ED25519 => Ok(KeyKind::Ed25519),
        Id::RSA => {
            let rsa = key.rsa().map_err(no_key)?;
            match usual_rsa_bits(&rsa) {
                Some(bits @ 2048..=4096) => Ok(KeyKind::Rsa { bits }),
                Some(_) | None => Err(Error::Malformed(Malformed::Key)),
            }
        }
        _ => Err(Error::Malformed(Malformed::Key)),
    }
}

fn signed_message(label: &str, hash: &[u8; 32]) -> Vec<u8> {
    [label.as_bytes(), &[0], hash].concat()
}

fn no_key(_: ErrorStack) -> Error {
    Error::Malformed(Malformed::Key)
}

/// Salt of an RSA-PSS signature, in bytes: SHA-256's length (RFC 8017 §9.1).
const PSS_SALT_BYTES: i32 = 32;
/// Above the SPKI of the longest permitted key, RSA-4096 (550 bytes): longer ones are not even parsed.
const MAX_SPKI_BYTES: usize = 640;

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::RefCell;

    use openssl::bn::{BigNum, MsbOption};
    use openssl::ec::{EcGroup, EcKey};
    use openssl::nid::Nid;
    use openssl::pkey::{PKey, Private};
    use openssl::rsa::Rsa;

    use super::{KeyKind, PublicKey, SigningKey};
    use crate::Error;
    use crate::crypto::entropy::OsEntropy;
    use crate::error::Malformed;

    thread_local! {
        /// The kind of each key that this thread has verified a signature with.
        pub(crate) static VERIFICATIONS: RefCell<Vec<KeyKind>> = const { RefCell::new(Vec::new()) };
    }

    fn rsa(bits: u32) -> PKey<Private> {
        PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
    }

    /// A key of this size and exponent; its modulus is any odd number.
    pub(crate) fn public_rsa(bits: i32, exponent: u32) -> Vec<u8> {
        let mut modulus = BigNum::new().unwrap();
        modulus.rand(bits, MsbOption::ONE, true).unwrap();
        let rsa = Rsa::from_public_components(modulus, BigNum::from_u32(exponent).unwrap()).unwrap();
        PKey::from_rsa(rsa).unwrap().public_key_to_der().unwrap()
    }

    #[test]
    fn an_own_secret_depends_on_key_and_label_alone() {
        for make in [|| PKey::generate_ed25519().unwrap(), || rsa(2048)] {
            let (key, other) = (make(), SigningKey::from_pkey(make()).unwrap());
            let pem = key.private_key_to_pem_pkcs8().unwrap();
            let again = SigningKey::from_pkey(PKey::private_key_from_pem(&pem).unwrap()).unwrap();
            let secret = SigningKey::from_pkey(key).unwrap().own_secret("a").unwrap();
            assert_eq!(secret.expose(), again.own_secret("a").unwrap().expose());
            assert_ne!(secret.expose(), again.own_secret("b").unwrap().expose());
            assert_ne!(secret.expose(), other.own_secret("a").unwrap().expose());
        }
    }

    fn refused(spki: &[u8]) -> bool {
        PublicKey::from_der(spki).err() == Some(Error::Malformed(Malformed::Key))
    }

    #[test]
    fn an_ed25519_key_is_the_same_by_either_way() {
        for _ in 0..16 {
            let der = PKey::generate_ed25519().unwrap().public_key_to_der().unwrap();
            let by_openssl = PKey::public_key_from_der(&der).unwrap();
            let key = super::canonical_key(&der).unwrap();
            assert!(key.public_eq(&by_openssl) && key.public_key_to_der().unwrap() == der);
            for wrong in [&der[..43], &[&der[..], &[0]].concat()] {
                assert!(super::canonical_key(wrong).is_err());
            }
        }
    }

    #[test]
    fn signs_and_verifies_with_both_kinds() {
        let ed25519 = SigningKey::generate_ed25519(&mut OsEntropy).unwrap();
        let rsa = SigningKey::from_pkey(rsa(2048)).unwrap();
        assert_eq!(rsa.public_key().kind(), KeyKind::Rsa { bits: 2048 });
        for key in [ed25519, rsa] {
            let hash = [7; 32];
            let signature = key.sign("label", &hash).unwrap();
            assert_eq!(signature.len(), key.public_key().kind().signature_bytes());
            let public = PublicKey::from_der(key.public_key().as_der()).unwrap();
            assert!(public.verifies("label", &hash, &signature));
            assert!(!public.verifies("lable", &hash, &signature));
            assert!(!public.verifies("label", &[8; 32], &signature));
            for bit in 0..signature.len() * 8 {
                let mut flipped = signature.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(!public.verifies("label", &hash, &flipped), "bit {bit}");
            }
            assert!(!public.verifies("label", &hash, &signature[1..]));
            assert!(!public.verifies("label", &hash, b""));
            assert!(openssl::error::ErrorStack::get().errors().is_empty());
        }
    }

    #[test]
    fn a_pss_salt_of_another_length_is_refused() {
        let key = rsa(2048);
        let public = SigningKey::from_pkey(key.clone()).unwrap().public_key().clone();
        for (salt, taken) in [(32, true), (31, false), (0, false)] {
            let mut signer =
                openssl::sign::Signer::new(openssl::hash::MessageDigest::sha256(), &key).unwrap();
            signer.set_rsa_padding(openssl::rsa::Padding::PKCS1_PSS).unwrap();
            signer.set_rsa_pss_saltlen(openssl::sign::RsaPssSaltlen::custom(salt)).unwrap();
            let message = super::signed_message("label", &[1; 32]);
            let signature = signer.sign_oneshot_to_vec(&message).unwrap();
            assert_eq!(public.verifies("label", &[1; 32], &signature), taken, "salt {salt}");
        }
    }

    #[test]
    fn pkcs1_signatures_are_refused() {
        let key = rsa(2048);
        let public = SigningKey::from_pkey(key.clone()).unwrap().public_key().clone();
        let mut signer = openssl::sign::Signer::new(openssl::hash::MessageDigest::sha256(), &key).unwrap();
        let signature = signer.sign_oneshot_to_vec(&super::signed_message("label", &[1; 32])).unwrap();
        assert!(!public.verifies("label", &[1; 32], &signature));
    }

    #[test]
    fn refuses_other_kinds_sizes_and_exponents() {
        for (bits, exponent, taken) in [
            (2048, 65_537, true),
            (2049, 65_537, true),
            (4096, 65_537, true),
            (2047, 65_537, false),
            (4097, 65_537, false),
            (2048, 3, false),
            (2048, 65_539, false),
        ] {
            let spki = public_rsa(bits, exponent);
            assert_eq!(!refused(&spki), taken, "{bits} bits, e = {exponent}");
        }
        let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let ec = PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap();
        for key in [ec, PKey::generate_x25519().unwrap(), PKey::generate_ed448().unwrap()] {
            assert!(refused(&key.public_key_to_der().unwrap()));
            assert!(SigningKey::from_pkey(key).is_err());
        }
    }

    #[test]
    fn refuses_der_that_is_not_its_own_re_encoding() {
        for key in
            [SigningKey::generate_ed25519(&mut OsEntropy).unwrap(), SigningKey::from_pkey(rsa(2048)).unwrap()]
        {
            let der = key.public_key().as_der().to_vec();
            assert!(PublicKey::from_der(&der).is_ok());
            assert!(refused(&[der.as_slice(), &[0]].concat()), "trailing byte");
            for end in 0..der.len() {
                assert!(refused(&der[..end]), "truncated at {end}");
            }
        }
        // The outer length in long form: BER, but no DER.
        let der = SigningKey::generate_ed25519(&mut OsEntropy).unwrap().public_key().as_der().to_vec();
        let ber = [&[0x30, 0x81], &der[1..]].concat();
        assert!(PKey::public_key_from_der(&ber).is_ok(), "OpenSSL takes it");
        assert!(refused(&ber));
    }

    #[test]
    fn reads_pem() {
        let key = SigningKey::from_pkey(rsa(2048)).unwrap();
        let pem = key.as_pkey().public_key_to_pem().unwrap();
        assert_eq!(PublicKey::from_pem(&pem).unwrap(), *key.public_key());
        assert!(PublicKey::from_pem(b"no key").is_err());
    }
}
