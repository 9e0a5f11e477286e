//! Suite 2: ML-KEM-768 (FIPS 203) beside X25519 (RFC 7748); the secret is `ss_mlkem | ss_x25519`.

use libcrux_ml_kem::mlkem768::{
    self, MlKem768Ciphertext, MlKem768PrivateKey, MlKem768PublicKey, validate_public_key,
};
use openssl::derive::Deriver;
use openssl::error::ErrorStack;
use openssl::pkey::{Id, PKey, PKeyRef, Private};
use zeroize::{Zeroize, Zeroizing, zeroize_stack};

use super::SharedSecret;
use crate::Error;
use crate::crypto::entropy::Entropy;
use crate::crypto::secret::Secret;
use crate::error::{CryptoOperation, Malformed};

/// Length of `E`, in bytes: ML-KEM-768 key and X25519 key.
pub const EPHEMERAL_KEY_BYTES: usize = MLKEM_KEY_BYTES + X25519_BYTES;

/// An ephemeral key pair.
#[cfg_attr(test, derive(Clone))]
pub(super) struct HybridKey {
    mlkem: Secret<MLKEM_PRIVATE_KEY_BYTES>,
    x25519: PKey<Private>,
    public: Vec<u8>,
}

impl HybridKey {
    /// Takes 64 bytes of entropy for ML-KEM (`d | z`), then 32 for X25519.
    pub(super) fn make(entropy: &mut dyn Entropy) -> Result<Self, Error> {
        let made = Self::make_here(entropy);
        zeroize_stack::<STACK_BYTES>();
        made
    }

    #[inline(never)]
    fn make_here(entropy: &mut dyn Entropy) -> Result<Self, Error> {
        let mut seed = Secret::zeros();
        entropy.fill(seed.expose_mut())?;
        let (mut private, public) = mlkem768::generate_key_pair(*seed.expose()).into_parts();
        let mut mlkem = Secret::zeros();
        mlkem.expose_mut().copy_from_slice(private.as_slice());
        private[0..].zeroize();
        let (x25519, x25519_public) = make_x25519(entropy, CryptoOperation::KeyGeneration)?;
        Ok(Self { mlkem, x25519, public: [public.as_slice().as_slice(), &x25519_public].concat() })
    }

    pub(super) fn public_key(&self) -> &[u8] {
        &self.public
    }

    /// `None`: not to be opened.
    pub(super) fn open(self, sealed: &[u8]) -> Option<SharedSecret> {
        let opened = self.open_here(sealed);
        zeroize_stack::<STACK_BYTES>();
        opened
    }

    #[inline(never)]
    fn open_here(self, sealed: &[u8]) -> Option<SharedSecret> {
        let (ciphertext, x25519_public) = sealed.split_first_chunk::<MLKEM_CIPHERTEXT_BYTES>()?;
        let x25519_secret = derive_x25519(&self.x25519, x25519_public).ok()?;
        let mut private = MlKem768PrivateKey::from(self.mlkem.expose());
        let mut mlkem_secret = mlkem768::decapsulate(&private, &MlKem768Ciphertext::from(ciphertext));
        private[0..].zeroize();
        let secret = SharedSecret::join(&mlkem_secret, x25519_secret.expose());
        mlkem_secret.zeroize();
        Some(secret)
    }
}

/// Takes 32 bytes of entropy for ML-KEM (`m`), then 32 for X25519.
pub(super) fn encapsulate(
    ephemeral_key: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<(Vec<u8>, SharedSecret), Error> {
    let sealed = encapsulate_here(ephemeral_key, entropy);
    zeroize_stack::<STACK_BYTES>();
    sealed
}

#[inline(never)]
fn encapsulate_here(
    ephemeral_key: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<(Vec<u8>, SharedSecret), Error> {
    let malformed = Error::Malformed(Malformed::Key);
    let (mlkem_public, x25519_public) =
        ephemeral_key.split_first_chunk::<MLKEM_KEY_BYTES>().ok_or(malformed)?;
    let mlkem_public = MlKem768PublicKey::from(mlkem_public);
    if x25519_public.len() != X25519_BYTES || !validate_public_key(&mlkem_public) {
        return Err(malformed);
    }
    let mut message = Secret::<32>::zeros();
    entropy.fill(message.expose_mut())?;
    let (x25519, own_public) = make_x25519(entropy, CryptoOperation::Encapsulate)?;
    let x25519_secret = derive_x25519(&x25519, x25519_public).map_err(|_| malformed)?;
    let (ciphertext, mut mlkem_secret) = mlkem768::encapsulate(&mlkem_public, *message.expose());
    let secret = SharedSecret::join(&mlkem_secret, x25519_secret.expose());
    mlkem_secret.zeroize();
    Ok(([ciphertext.as_slice().as_slice(), &own_public].concat(), secret))
}

impl SharedSecret {
    /// Both secrets, in a buffer that never grows.
    fn join(first: &[u8], second: &[u8]) -> Self {
        let mut joined = Zeroizing::new(Vec::with_capacity(first.len().saturating_add(second.len())));
        joined.extend_from_slice(first);
        joined.extend_from_slice(second);
        Self(joined)
    }
}

impl std::fmt::Debug for HybridKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HybridKey(..)")
    }
}

fn make_x25519(
    entropy: &mut dyn Entropy,
    operation: CryptoOperation,
) -> Result<(PKey<Private>, Vec<u8>), Error> {
    let mut scalar = Secret::<X25519_BYTES>::zeros();
    entropy.fill(scalar.expose_mut())?;
    PKey::private_key_from_raw_bytes(scalar.expose(), Id::X25519)
        .and_then(|key| key.raw_public_key().map(|public| (key, public)))
        .map_err(|_| Error::Crypto(operation))
}

/// An all-zero result (a peer's key of low order) is an error of OpenSSL's.
fn derive_x25519(key: &PKeyRef<Private>, peer: &[u8]) -> Result<Secret<X25519_BYTES>, ErrorStack> {
    let peer = PKey::public_key_from_raw_bytes(peer, Id::X25519)?;
    let mut deriver = Deriver::new(key)?;
    // Without the key check: every 32 bytes are an X25519 key, and the low orders show in the result.
    deriver.set_peer_ex(&peer, false)?;
    let mut secret = Secret::zeros();
    deriver.derive(secret.expose_mut())?;
    Ok(secret)
}

/// Wiped after each use: more stack than ML-KEM-768 takes for a matrix of nine and a dozen other polynomials of 512 bytes.
const STACK_BYTES: usize = 64 * 1024;
const MLKEM_KEY_BYTES: usize = 1184;
const MLKEM_PRIVATE_KEY_BYTES: usize = 2400;
const MLKEM_CIPHERTEXT_BYTES: usize = 1088;
const X25519_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::{EPHEMERAL_KEY_BYTES, HybridKey, MLKEM_CIPHERTEXT_BYTES, MLKEM_KEY_BYTES, encapsulate};
    use crate::Error;
    use crate::crypto::entropy::OsEntropy;
    use crate::error::Malformed;

    /// X25519 points of low order (RFC 7748 §6.1 and the usual list), with non-canonical encodings.
    const LOW_ORDER: [&str; 7] = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    fn refused(ephemeral_key: &[u8]) -> bool {
        let refused =
            encapsulate(ephemeral_key, &mut OsEntropy).err() == Some(Error::Malformed(Malformed::Key));
        refused && openssl::error::ErrorStack::get().errors().is_empty()
    }

    #[test]
    fn low_order_points_are_refused_at_both_ends() {
        let good = HybridKey::make(&mut OsEntropy).unwrap().public_key().to_vec();
        for point in LOW_ORDER {
            assert!(refused(&[&good[..MLKEM_KEY_BYTES], &bytes(point)].concat()), "{point}");
            let key = HybridKey::make(&mut OsEntropy).unwrap();
            let (sealed, _) = encapsulate(key.public_key(), &mut OsEntropy).unwrap();
            let hostile = [&sealed[..MLKEM_CIPHERTEXT_BYTES], &bytes(point)].concat();
            assert!(key.open(&hostile).is_none(), "{point}");
        }
    }

    #[test]
    fn an_mlkem_key_with_a_coefficient_above_the_modulus_is_refused() {
        let good = HybridKey::make(&mut OsEntropy).unwrap().public_key().to_vec();
        assert!(!refused(&good));
        // Coefficients are 12 bits long; 3329 = 0xd01 is the modulus itself.
        for (at, coefficient) in [(0, [0x01, 0x0d]), (0, [0xff, 0x0f]), (1149, [0xff, 0xff])] {
            let mut hostile = good.clone();
            hostile[at] = coefficient[0];
            hostile[at + 1] = hostile[at + 1] & 0xf0 | coefficient[1];
            assert!(refused(&hostile), "{coefficient:x?} at {at}");
        }
    }

    #[test]
    fn keys_and_ciphertexts_of_another_length_are_refused() {
        let good = HybridKey::make(&mut OsEntropy).unwrap().public_key().to_vec();
        assert_eq!(good.len(), EPHEMERAL_KEY_BYTES);
        for end in [0, 32, MLKEM_KEY_BYTES, EPHEMERAL_KEY_BYTES - 1] {
            assert!(refused(&good[..end]), "{end}");
        }
        assert!(refused(&[good.as_slice(), &[0]].concat()));
        let (sealed, _) = encapsulate(&good, &mut OsEntropy).unwrap();
        for end in [0, 32, MLKEM_CIPHERTEXT_BYTES, sealed.len() - 1] {
            assert!(HybridKey::make(&mut OsEntropy).unwrap().open(&sealed[..end]).is_none(), "{end}");
        }
        assert!(HybridKey::make(&mut OsEntropy).unwrap().open(&[sealed.as_slice(), &[0]].concat()).is_none());
    }

    #[test]
    fn a_changed_ciphertext_gives_another_secret() {
        let (mut seed, key) = (Fixed(1), HybridKey::make(&mut Fixed(1)).unwrap());
        let (sealed, secret) = encapsulate(key.public_key(), &mut OsEntropy).unwrap();
        for at in [0, MLKEM_CIPHERTEXT_BYTES - 1, MLKEM_CIPHERTEXT_BYTES] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            seed.0 = 1;
            let opened = HybridKey::make(&mut seed).unwrap().open(&changed).unwrap();
            assert_ne!(opened.expose(), secret.expose(), "byte {at}");
        }
        assert_eq!(key.open(&sealed).unwrap().expose(), secret.expose());
    }

    struct Fixed(u8);

    impl crate::crypto::entropy::Entropy for Fixed {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
            out.fill(self.0);
            Ok(())
        }
    }
}
