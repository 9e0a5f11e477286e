//! AES-256-GCM with a reused cipher context; the IV is the associated data too (PROTOCOL.md §4).

use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::error::ErrorStack;
use zeroize::Zeroize;

use crate::Error;
use crate::crypto::secret::Secret;
use crate::error::CryptoOperation;

/// Length of a tag, in bytes.
pub const TAG_BYTES: usize = 16;

/// Seals under one key after the other.
pub struct SealingContext(CipherCtx);

/// Opens under one key after the other.
pub struct OpeningContext(CipherCtx);

impl SealingContext {
    /// A context without a key.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn new() -> Result<Self, Error> {
        let made = || -> Result<CipherCtx, ErrorStack> {
            let mut ctx = CipherCtx::new()?;
            ctx.encrypt_init(Some(Cipher::aes_256_gcm()), None, None)?;
            Ok(ctx)
        }();
        made.map(Self).map_err(seal_failed)
    }

    /// Takes a new key in the old one's place.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn set_key(&mut self, key: &Secret<32>) -> Result<(), Error> {
        self.0.encrypt_init(None, Some(key.expose()), None).map_err(seal_failed)
    }

    /// Overwrites the key with zeros.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn forget_key(&mut self) -> Result<(), Error> {
        self.0.encrypt_init(None, Some(&[0; 32]), None).map_err(seal_failed)
    }

    /// Appends `ciphertext | tag` to `out`.
    ///
    /// # Errors
    /// [`Error::Crypto`]; `out` is then to be thrown away.
    pub fn seal(&mut self, iv: &[u8; 12], plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let mut tag = [0; TAG_BYTES];
        let mut sealed = || -> Result<(), ErrorStack> {
            self.0.encrypt_init(None, None, Some(iv))?;
            self.0.cipher_update(iv, None)?;
            self.0.cipher_update_vec(plaintext, out)?;
            self.0.cipher_final(&mut [])?;
            self.0.tag(&mut tag)
        };
        sealed().map_err(seal_failed)?;
        out.extend_from_slice(&tag);
        Ok(())
    }
}

impl OpeningContext {
    /// A context without a key.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn new() -> Result<Self, Error> {
        let made = || -> Result<CipherCtx, ErrorStack> {
            let mut ctx = CipherCtx::new()?;
            ctx.decrypt_init(Some(Cipher::aes_256_gcm()), None, None)?;
            Ok(ctx)
        }();
        made.map(Self).map_err(seal_failed)
    }

    /// Takes a new key in the old one's place.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn set_key(&mut self, key: &Secret<32>) -> Result<(), Error> {
        self.0.decrypt_init(None, Some(key.expose()), None).map_err(seal_failed)
    }

    /// Overwrites the key with zeros.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn forget_key(&mut self) -> Result<(), Error> {
        self.0.decrypt_init(None, Some(&[0; 32]), None).map_err(seal_failed)
    }

    /// Appends the plaintext to `out`, which the caller gives enough capacity so that growing leaves no copy.
    ///
    /// # Errors
    /// [`Error::Decrypt`]; `out` is then wiped and empty: nothing unauthenticated gets out.
    pub fn open(
        &mut self,
        iv: &[u8; 12],
        (ciphertext, tag): (&[u8], &[u8; TAG_BYTES]),
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let mut opened = || -> Result<(), ErrorStack> {
            self.0.decrypt_init(None, None, Some(iv))?;
            self.0.set_tag(tag)?;
            self.0.cipher_update(iv, None)?;
            self.0.cipher_update_vec(ciphertext, out)?;
            self.0.cipher_final(&mut [])?;
            Ok(())
        };
        opened().map_err(|_| {
            out.as_mut_slice().zeroize();
            out.clear();
            Error::Decrypt
        })
    }
}

impl std::fmt::Debug for SealingContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealingContext(..)")
    }
}

impl std::fmt::Debug for OpeningContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OpeningContext(..)")
    }
}

fn seal_failed(_: ErrorStack) -> Error {
    Error::Crypto(CryptoOperation::Seal)
}

#[cfg(test)]
mod tests {
    use super::{OpeningContext, SealingContext, TAG_BYTES};
    use crate::Error;
    use crate::crypto::secret::Secret;

    fn key(byte: u8) -> Secret<32> {
        let mut key = Secret::zeros();
        key.expose_mut().fill(byte);
        key
    }

    fn seal(key_byte: u8, iv: &[u8; 12], plaintext: &[u8]) -> Vec<u8> {
        let mut context = SealingContext::new().unwrap();
        context.set_key(&key(key_byte)).unwrap();
        let mut out = Vec::new();
        context.seal(iv, plaintext, &mut out).unwrap();
        out
    }

    fn open(context: &mut OpeningContext, iv: &[u8; 12], sealed: &[u8]) -> Result<Vec<u8>, Error> {
        let (ciphertext, tag) = sealed.split_last_chunk::<TAG_BYTES>().unwrap();
        let mut out = Vec::new();
        context.open(iv, (ciphertext, tag), &mut out).map(|()| out)
    }

    #[test]
    fn is_aes_256_gcm_with_the_iv_as_associated_data() {
        let mut tag = [0; TAG_BYTES];
        let cipher = openssl::symm::Cipher::aes_256_gcm();
        let iv = [9; 12];
        let mut expected =
            openssl::symm::encrypt_aead(cipher, &[3; 32], Some(&iv), &iv, b"hello", &mut tag).unwrap();
        expected.extend_from_slice(&tag);
        assert_eq!(seal(3, &iv, b"hello"), expected);
    }

    #[test]
    fn a_context_lives_through_keys_and_failures() {
        let mut context = OpeningContext::new().unwrap();
        for (key_byte, iv) in [(1, [1; 12]), (2, [1; 12]), (1, [2; 12])] {
            context.set_key(&key(key_byte)).unwrap();
            let mut bad = seal(key_byte, &iv, b"plaintext");
            let good = bad.clone();
            bad[0] ^= 1;
            assert_eq!(open(&mut context, &iv, &bad), Err(Error::Decrypt));
            assert_eq!(open(&mut context, &iv, &good).unwrap(), b"plaintext");
            assert!(openssl::error::ErrorStack::get().errors().is_empty());
        }
    }

    #[test]
    fn seals_nothing_too() {
        let iv = [0; 12];
        let sealed = seal(1, &iv, b"");
        assert_eq!(sealed.len(), TAG_BYTES);
        let mut context = OpeningContext::new().unwrap();
        context.set_key(&key(1)).unwrap();
        assert_eq!(open(&mut context, &iv, &sealed).unwrap(), b"");
    }

    #[test]
    fn a_forgotten_key_opens_nothing() {
        let iv = [5; 12];
        let mut context = OpeningContext::new().unwrap();
        context.set_key(&key(1)).unwrap();
        context.forget_key().unwrap();
        assert_eq!(open(&mut context, &iv, &seal(1, &iv, b"x")), Err(Error::Decrypt));
    }
}
