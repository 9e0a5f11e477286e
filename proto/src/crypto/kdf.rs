//! HKDF over SHA-256 (RFC 5869), in its two halves.

use openssl::error::ErrorStack;
use openssl::md::Md;
use openssl::pkey::Id;
use openssl::pkey_ctx::{HkdfMode, PkeyCtx};
use zeroize::Zeroizing;

use crate::Error;
use crate::crypto::secret::Secret;
use crate::error::CryptoOperation;

/// `HKDF-Extract(salt, parts…)`: the parts are taken as one, in order.
///
/// # Errors
/// [`Error::Crypto`].
pub fn extract(salt: &[u8; 32], parts: &[&[u8]]) -> Result<Secret<32>, Error> {
    let mut input = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| input.extend_from_slice(part));
    let mut prk = Secret::zeros();
    derive(HkdfMode::EXTRACT_ONLY, &input, Context::Salt(salt), prk.expose_mut())?;
    Ok(prk)
}

/// `Expand(prk, label, N)`: HKDF-Expand with `label` as info.
///
/// # Errors
/// [`Error::Crypto`].
pub fn expand<const N: usize>(prk: &Secret<32>, label: &str) -> Result<Secret<N>, Error> {
    let mut key = Secret::zeros();
    derive(HkdfMode::EXPAND_ONLY, prk.expose(), Context::Info(label.as_bytes()), key.expose_mut())?;
    Ok(key)
}

/// What is not secret in a derivation.
enum Context<'a> {
    Salt(&'a [u8]),
    Info(&'a [u8]),
}

/// One half of HKDF. Through a `PKEY_CTX`, which wipes its copy of the key; the KDF parameter block does not.
fn derive(mode: HkdfMode, key: &[u8], context: Context<'_>, out: &mut [u8]) -> Result<(), Error> {
    let derived = || -> Result<usize, ErrorStack> {
        let mut ctx = PkeyCtx::new_id(Id::HKDF)?;
        ctx.derive_init()?;
        ctx.set_hkdf_mode(mode)?;
        ctx.set_hkdf_md(Md::sha256())?;
        ctx.set_hkdf_key(key)?;
        match context {
            Context::Salt(salt) => ctx.set_hkdf_salt(salt)?,
            Context::Info(info) => ctx.add_hkdf_info(info)?,
        }
        ctx.derive(Some(&mut *out))
    }();
    match derived {
        Ok(length) if length == out.len() => Ok(()),
        Ok(_) | Err(_) => Err(Error::Crypto(CryptoOperation::Derive)),
    }
}

#[cfg(test)]
mod tests {
    use super::{expand, extract};
    use crate::crypto::secret::Secret;

    fn from_hex<const N: usize>(hex: &str) -> [u8; N] {
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        bytes.try_into().unwrap()
    }

    // RFC 5869 has no case with a 32-byte salt; its PRK of case 1 stands for Expand, and HMAC for Extract.
    #[test]
    fn expands_as_rfc_5869_case_3() {
        let mut prk = Secret::<32>::zeros();
        *prk.expose_mut() = from_hex("19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
        let okm: Secret<42> = expand(&prk, "").unwrap();
        assert_eq!(
            *okm.expose(),
            from_hex::<42>(
                "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
            )
        );
    }

    #[test]
    fn extracts_as_hmac_of_the_parts_in_order() {
        let salt = [7; 32];
        let key = openssl::pkey::PKey::hmac(&salt).unwrap();
        let mut mac = openssl::sign::Signer::new(openssl::hash::MessageDigest::sha256(), &key).unwrap();
        mac.update(b"root and K").unwrap();
        let prk = extract(&salt, &[b"root ", b"and K"]).unwrap();
        assert_eq!(prk.expose().as_slice(), mac.sign_to_vec().unwrap());
    }

    #[test]
    fn labels_give_different_keys() {
        let prk = extract(&[1; 32], &[b"secret"]).unwrap();
        let one: Secret<32> = expand(&prk, "one").unwrap();
        let two: Secret<32> = expand(&prk, "two").unwrap();
        assert_ne!(one.expose(), two.expose());
    }
}
