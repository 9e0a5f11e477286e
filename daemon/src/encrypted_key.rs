//! A private key in PEM: PKCS#8, encrypted under PBES2 with PBKDF2 (RFC 8018) and AES-256-CBC.
//!
//! Written by hand because OpenSSL's own call derives the key in 2,048 rounds, which a graphics card tries a million
//! times a second. OpenSSL reads the result.

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKeyRef, Private};
use openssl::symm::{Cipher, encrypt};
use zeroize::Zeroizing;

/// The key in PEM, encrypted if there is a passphrase.
///
/// # Errors
/// OpenSSL's.
pub(crate) fn to_pem(
    key: &PKeyRef<Private>,
    passphrase: Option<&str>,
) -> Result<Zeroizing<Vec<u8>>, ErrorStack> {
    let Some(passphrase) = passphrase else { return Ok(Zeroizing::new(key.private_key_to_pem_pkcs8()?)) };
    let plain = Zeroizing::new(key.private_key_to_pkcs8()?);
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    openssl::rand::rand_bytes(&mut salt)?;
    openssl::rand::rand_bytes(&mut iv)?;
    let mut secret = Zeroizing::new([0; 32]);
    openssl::pkcs5::pbkdf2_hmac(
        passphrase.as_bytes(),
        &salt,
        ROUNDS,
        MessageDigest::sha256(),
        secret.as_mut_slice(),
    )?;
    let sealed = encrypt(Cipher::aes_256_cbc(), secret.as_slice(), Some(&iv), &plain)?;
    Ok(Zeroizing::new(armor(&encrypted_private_key_info(&salt, &iv, &sealed))))
}

/// `EncryptedPrivateKeyInfo` (RFC 5958 §3) with PBES2's parameters (RFC 8018 §A.4).
fn encrypted_private_key_info(salt: &[u8], iv: &[u8], sealed: &[u8]) -> Vec<u8> {
    let rounds = integer(u32::try_from(ROUNDS).unwrap_or(u32::MAX));
    let prf = der(SEQUENCE, &[HMAC_WITH_SHA256, NULL]);
    let derivation_parameters = der(SEQUENCE, &[&der(OCTET_STRING, &[salt]), &rounds, &prf]);
    let derivation = der(SEQUENCE, &[PBKDF2, &derivation_parameters]);
    let cipher = der(SEQUENCE, &[AES_256_CBC, &der(OCTET_STRING, &[iv])]);
    let algorithm = der(SEQUENCE, &[PBES2, &der(SEQUENCE, &[&derivation, &cipher])]);
    der(SEQUENCE, &[&algorithm, &der(OCTET_STRING, &[sealed])])
}

/// One DER value: tag, length, contents.
fn der(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let length: usize = contents.iter().map(|part| part.len()).sum();
    let bytes = length.to_be_bytes();
    let significant: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut out = vec![tag];
    match significant.as_slice() {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(long);
        }
    }
    contents.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// A positive INTEGER; its first byte's top bit would be a sign.
fn integer(number: u32) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let significant: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    let sign: &[u8] = if significant.first().is_none_or(|byte| byte & 0x80 != 0) { &[0] } else { &[] };
    der(INTEGER, &[sign, &significant])
}

fn armor(info: &[u8]) -> Vec<u8> {
    let mut out = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n".to_vec();
    for line in openssl::base64::encode_block(info).as_bytes().chunks(64) {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.extend_from_slice(b"-----END ENCRYPTED PRIVATE KEY-----\n");
    out
}

/// Rounds of PBKDF2: what OWASP recommends for SHA-256; a fifth of a second.
const ROUNDS: usize = 600_000;

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const NULL: &[u8] = &[0x05, 0x00];
/// 1.2.840.113549.1.5.13
const PBES2: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
/// 1.2.840.113549.1.5.12
const PBKDF2: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
/// 1.2.840.113549.2.9
const HMAC_WITH_SHA256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09];
/// 2.16.840.1.101.3.4.1.42
const AES_256_CBC: &[u8] = &[0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a];

#[cfg(test)]
mod tests {
    use openssl::pkey::PKey;

    use super::*;

    #[test]
    fn openssl_reads_what_is_written() {
        let ed25519 = PKey::generate_ed25519().unwrap();
        let rsa = PKey::from_rsa(openssl::rsa::Rsa::generate(2_048).unwrap()).unwrap();
        for key in [ed25519, rsa] {
            let pem = to_pem(&key, Some("päss wörd")).unwrap();
            let read = PKey::private_key_from_pem_passphrase(&pem, "päss wörd".as_bytes()).unwrap();
            assert!(read.public_eq(&key));
            assert!(PKey::private_key_from_pem_passphrase(&pem, b"other").is_err());
            let plain = to_pem(&key, None).unwrap();
            assert!(PKey::private_key_from_pem(&plain).unwrap().public_eq(&key));
        }
    }

    #[test]
    fn lengths_and_integers_are_der() {
        assert_eq!(der(0x04, &[]), [0x04, 0]);
        assert_eq!(der(0x04, &[&[7; 127]])[..2], [0x04, 0x7f]);
        assert_eq!(der(0x04, &[&[7; 128]])[..3], [0x04, 0x81, 0x80]);
        assert_eq!(der(0x04, &[&[7; 256]])[..4], [0x04, 0x82, 1, 0]);
        assert_eq!(integer(0x7f), [2, 1, 0x7f]);
        assert_eq!(integer(0x80), [2, 2, 0, 0x80]);
        assert_eq!(integer(600_000), [2, 3, 0x09, 0x27, 0xc0]);
    }
}
