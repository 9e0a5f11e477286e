//! Suite 1: the report's digital envelope, `AES-256-CBC(ek, iv, k) | iv | RSA-OAEP(ek)`, with OAEP and a key that
//! is used once. Its sender's signature is verified before it is opened, so it is no padding oracle.

use openssl::error::ErrorStack;
use openssl::md::Md;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private, Public};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::symm::{Cipher, decrypt, encrypt};
use zeroize::Zeroizing;

use super::{RSA_BITS, SharedSecret};
use crate::Error;
use crate::crypto::entropy::Entropy;
use crate::crypto::secret::Secret;
use crate::crypto::signature::{canonical_key, usual_rsa_bits};
use crate::error::{CryptoOperation, Malformed};

/// Length of `E`, in bytes: every SPKI of RSA-3072 with e = 65537.
pub const EPHEMERAL_KEY_BYTES: usize = 422;

/// An ephemeral key pair.
#[cfg_attr(test, derive(Clone))]
pub(super) struct RsaKey {
    key: PKey<Private>,
    public: Vec<u8>,
}

impl RsaKey {
    pub(super) fn new(key: PKey<Private>) -> Result<Self, Error> {
        let public = key.public_key_to_der().map_err(|_| Error::Crypto(CryptoOperation::KeyGeneration))?;
        Ok(Self { key, public })
    }

    pub(super) fn public_key(&self) -> &[u8] {
        &self.public
    }

    /// `None`: not to be opened.
    pub(super) fn open(self, sealed: &[u8]) -> Option<SharedSecret> {
        let (body, rest) = sealed.split_first_chunk::<BODY_BYTES>()?;
        let (iv, wrapped) = rest.split_first_chunk::<IV_BYTES>()?;
        let wrapped: &[u8; WRAPPED_BYTES] = wrapped.try_into().ok()?;
        let envelope_key = unwrap_key(&self.key, wrapped).ok()?;
        if envelope_key.len() != KEY_BYTES {
            return None;
        }
        let secret =
            decrypt(Cipher::aes_256_cbc(), &envelope_key, Some(iv), body).ok().map(Zeroizing::new)?;
        (secret.len() == KEY_BYTES).then_some(SharedSecret(secret))
    }
}

/// Takes 32 bytes of entropy for the secret `k`, 32 for the envelope's key `ek` and 16 for the iv. OAEP's own
/// randomness is OpenSSL's.
pub(super) fn encapsulate(
    ephemeral_key: &[u8],
    entropy: &mut dyn Entropy,
) -> Result<(Vec<u8>, SharedSecret), Error> {
    let key = permitted_key(ephemeral_key)?;
    let mut secret = Zeroizing::new(vec![0; KEY_BYTES]);
    let mut envelope_key = Secret::<KEY_BYTES>::zeros();
    let mut iv = [0; IV_BYTES];
    entropy.fill(&mut secret)?;
    entropy.fill(envelope_key.expose_mut())?;
    entropy.fill(&mut iv)?;
    let sealed = || -> Result<Vec<u8>, ErrorStack> {
        let body = encrypt(Cipher::aes_256_cbc(), envelope_key.expose(), Some(&iv), &secret)?;
        Ok([body.as_slice(), &iv, &wrap_key(&key, envelope_key.expose())?].concat())
    }()
    .map_err(|_| Error::Crypto(CryptoOperation::Encapsulate))?;
    Ok((sealed, SharedSecret(secret)))
}

impl std::fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RsaKey(..)")
    }
}

/// RSA of exactly 3072 bits, e = 65537, canonical DER.
fn permitted_key(spki: &[u8]) -> Result<PKey<Public>, Error> {
    let key = canonical_key(spki)?;
    permits(&key).then_some(key).ok_or(Error::Malformed(Malformed::Key))
}

/// RSA of exactly 3072 bits, e = 65537.
pub(super) fn permits<T: HasPublic>(key: &PKeyRef<T>) -> bool {
    key.id() == Id::RSA && key.rsa().is_ok_and(|rsa| usual_rsa_bits(&rsa) == Some(RSA_BITS))
}

fn wrap_key(key: &PKeyRef<Public>, envelope_key: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let mut ctx = PkeyCtx::new(key)?;
    ctx.encrypt_init()?;
    set_oaep(&mut ctx)?;
    let mut wrapped = Vec::with_capacity(WRAPPED_BYTES);
    ctx.encrypt_to_vec(envelope_key, &mut wrapped)?;
    Ok(wrapped)
}

fn unwrap_key(key: &PKeyRef<Private>, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
    let mut ctx = PkeyCtx::new(key)?;
    ctx.decrypt_init()?;
    set_oaep(&mut ctx)?;
    // OpenSSL wants room for a whole block of RSA.
    let mut opened = Zeroizing::new(vec![0; WRAPPED_BYTES]);
    let length = ctx.decrypt(wrapped, Some(&mut opened))?;
    opened.truncate(length);
    Ok(opened)
}

fn set_oaep<T>(ctx: &mut PkeyCtx<T>) -> Result<(), ErrorStack> {
    ctx.set_rsa_padding(Padding::PKCS1_OAEP)?;
    ctx.set_rsa_oaep_md(Md::sha256())?;
    ctx.set_rsa_mgf1_md(Md::sha256())
}

const KEY_BYTES: usize = 32;
/// `k` and a whole block of PKCS#7.
const BODY_BYTES: usize = 48;
const IV_BYTES: usize = 16;
const WRAPPED_BYTES: usize = 384;

#[cfg(test)]
mod tests {

    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;

    use super::{EPHEMERAL_KEY_BYTES, RsaKey, encapsulate};
    use crate::Error;
    use crate::crypto::entropy::OsEntropy;
    use crate::crypto::signature::tests::public_rsa;
    use crate::error::Malformed;

    #[test]
    fn only_rsa_3072_is_sealed_to() {
        let refused =
            |spki: &[u8]| encapsulate(spki, &mut OsEntropy).err() == Some(Error::Malformed(Malformed::Key));
        let good = public_rsa(3072, 65_537);
        assert_eq!(good.len(), EPHEMERAL_KEY_BYTES);
        assert!(!refused(&good));
        for (bits, exponent) in [(2048, 65_537), (3071, 65_537), (3073, 65_537), (4096, 65_537), (3072, 3)] {
            assert!(refused(&public_rsa(bits, exponent)), "{bits} bits, e = {exponent}");
        }
        assert!(refused(&[public_rsa(3072, 65_537), vec![0]].concat()));
        let ed25519 = PKey::generate_ed25519().unwrap();
        assert!(refused(&ed25519.public_key_to_der().unwrap()));
    }

    #[test]
    fn no_changed_envelope_gives_the_secret() {
        let pkey = PKey::from_rsa(Rsa::generate(3072).unwrap()).unwrap();
        let rsa_key = || RsaKey::new(pkey.clone()).unwrap();
        let (sealed, secret) = encapsulate(rsa_key().public_key(), &mut OsEntropy).unwrap();
        assert_eq!(sealed.len(), 448);
        assert_eq!(rsa_key().open(&sealed).unwrap().expose(), secret.expose());
        // CBC alone does not notice all of them: the signature over C does. None may give the same secret.
        for at in (0..64).chain([64, 200, 447]) {
            let mut changed = sealed.clone();
            changed[at] ^= 0x80;
            let opened = rsa_key().open(&changed);
            assert!(opened.is_none_or(|opened| opened.expose() != secret.expose()), "byte {at}");
        }
        for end in [0, 48, 64, 447] {
            assert!(rsa_key().open(&sealed[..end]).is_none());
        }
        assert!(rsa_key().open(&[sealed.as_slice(), &[0]].concat()).is_none());
        assert!(openssl::error::ErrorStack::get().errors().is_empty());
    }
}
