//! What the keys before an identity key leave to it: how each opened the store. It stands in the new key's file, behind
//! the key, in a block of its own that whatever reads the file as a key passes over, and only the new key opens it.
//!
//! So a key takes the other's place by one rename, and no crash leaves a store that the key in force cannot open.

use openssl::base64::{decode_block, encode_block};
use secchat_proto::Error;
use secchat_proto::crypto::secret::Secret;
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::limits::MAX_SUCCESSIONS;
use zeroize::Zeroizing;

use super::{IDENTITY_LABEL, seal};

/// How the keys before opened the store, the latest first.
#[derive(Debug, Default)]
pub struct Heirloom(Vec<Secret<32>>);

impl Heirloom {
    /// What `old` leaves: its own way, and what was left to it.
    pub(crate) fn of(old: &SigningKey, left: Self) -> Result<Self, Error> {
        let mut secrets = vec![old.own_secret(IDENTITY_LABEL)?];
        secrets.extend(left.0);
        secrets.truncate(MAX_SUCCESSIONS);
        Ok(Self(secrets))
    }

    /// What a key's file holds for it; nothing, where there is none or it is another key's.
    pub(crate) fn read(pem: &[u8], key: &SigningKey) -> Self {
        Self::try_read(pem, key).unwrap_or_default()
    }

    fn try_read(pem: &[u8], key: &SigningKey) -> Option<Self> {
        let text = std::str::from_utf8(pem).ok()?;
        let (_, block) = text.split_once(BEGIN)?;
        let (lines, _) = block.split_once(END)?;
        let sealed = decode_block(&lines.split_whitespace().collect::<String>()).ok()?;
        let opened = seal::open(&key.own_secret(LABEL).ok()?, CONTEXT, &sealed)?;
        let secrets = opened.as_chunks::<32>().0.iter().map(|bytes| {
            let mut secret = Secret::zeros();
            secret.expose_mut().copy_from_slice(bytes);
            secret
        });
        Some(Self(secrets.take(MAX_SUCCESSIONS).collect()))
    }

    /// The block for the file of the key that it is left to.
    pub(crate) fn to_block(&self, key: &SigningKey) -> Result<String, Error> {
        let mut plain = Zeroizing::new(Vec::with_capacity(self.0.len().saturating_mul(32)));
        self.0.iter().for_each(|secret| plain.extend_from_slice(secret.expose()));
        let sealed = seal::seal(&key.own_secret(LABEL)?, CONTEXT, &plain)?;
        let base64 = encode_block(&sealed);
        let lines = base64.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok());
        Ok(format!("{BEGIN}\n{}\n{END}\n", lines.collect::<Vec<_>>().join("\n")))
    }

    /// The first that `opens` takes.
    pub(super) fn find_map<T>(&self, opens: impl FnMut(&Secret<32>) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(opens)
    }
}

const BEGIN: &str = "-----BEGIN SECCHAT HEIRLOOM-----";
const END: &str = "-----END SECCHAT HEIRLOOM-----";
const LABEL: &str = "secchat heirloom";
const CONTEXT: &[u8] = b"secchat heirloom 1";

#[cfg(test)]
mod tests {
    use secchat_proto::crypto::entropy::OsEntropy;

    use super::*;

    fn key() -> SigningKey {
        SigningKey::generate_ed25519(&mut OsEntropy).unwrap()
    }

    fn secrets(heirloom: &Heirloom) -> Vec<[u8; 32]> {
        heirloom.0.iter().map(|secret| *secret.expose()).collect()
    }

    #[test]
    fn only_the_key_that_it_is_left_to_opens_it_and_with_it_all_before() {
        let (first, second, third) = (key(), key(), key());
        let left = Heirloom::of(&first, Heirloom::default()).unwrap();
        let file = format!("-----BEGIN PRIVATE KEY-----\nx\n{}", left.to_block(&second).unwrap());
        let read = Heirloom::read(file.as_bytes(), &second);
        assert_eq!(secrets(&read), secrets(&left));
        assert!(Heirloom::read(file.as_bytes(), &first).0.is_empty());
        let both = Heirloom::of(&second, read).unwrap();
        let own = |key: &SigningKey| *key.own_secret(IDENTITY_LABEL).unwrap().expose();
        assert_eq!(secrets(&both), [own(&second), own(&first)]);
        let block = both.to_block(&third).unwrap();
        assert_eq!(secrets(&Heirloom::read(block.as_bytes(), &third)), [own(&second), own(&first)]);
    }

    #[test]
    fn what_is_damaged_is_nothing() {
        let (old, new) = (key(), key());
        let left = Heirloom::of(&old, Heirloom::default()).unwrap();
        let block = left.to_block(&new).unwrap();
        let end = block.trim_end().len();
        for at in 0..end {
            let mut damaged = block.clone().into_bytes();
            damaged[at] ^= 1;
            let read = Heirloom::read(&damaged, &new);
            let was_blank = block.as_bytes()[at] == b'\n' && secrets(&read) == secrets(&left);
            assert!(read.0.is_empty() || was_blank, "byte {at}");
            assert!(Heirloom::read(&block.as_bytes()[..at], &new).0.is_empty(), "cut at {at}");
        }
    }
}
