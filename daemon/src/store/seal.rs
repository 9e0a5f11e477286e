//! The store's keys and seals (AES-256-GCM). Whoever has the identity key has all of them; nobody else has any.
//!
//! ```text
//! identity key ── own secret ──► opens the file key, random, one for a file
//!                                 ├─ names: what rows are found by, so that the disk shows no name
//!                                 └─ rows: their seal
//! ```
//!
//! While the identity key is locked, the file key is not in memory. What is written then is sealed under a *lock key*:
//! made anew each time, kept on disk under the file key, gone after the next unlock.

use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use secchat_proto::Error;
use secchat_proto::crypto::entropy::{Entropy as _, OsEntropy};
use secchat_proto::crypto::kdf::expand;
use secchat_proto::crypto::secret::Secret;
use secchat_proto::error::CryptoOperation;
use zeroize::Zeroizing;

use crate::core::record::RecordKey;

/// What the disk shows of what a row is about: a pseudo-random number.
pub(super) type RowName = u128;

/// What a row is sealed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Under {
    /// The file key.
    FileKey,
    /// The lock key.
    LockKey,
}

/// Keys to write with.
#[derive(Debug)]
pub(super) struct Keys {
    names: Secret<32>,
    rows: Secret<32>,
    under: Under,
}

/// 32 random bytes.
pub(super) fn random_key() -> Result<Secret<32>, Error> {
    let mut key = Secret::zeros();
    OsEntropy.fill(key.expose_mut())?;
    Ok(key)
}

impl Keys {
    /// Those of a file key.
    pub(super) fn of_file(file_key: &Secret<32>) -> Result<Self, Error> {
        let (names, rows) =
            (expand(file_key, "secchat store names")?, expand(file_key, "secchat store rows")?);
        Ok(Self { names, rows, under: Under::FileKey })
    }

    /// The same names, and a lock key for the rows.
    pub(super) fn lock(self, lock_key: Secret<32>) -> Self {
        Self { names: self.names, rows: lock_key, under: Under::LockKey }
    }

    /// What the disk shows of this key.
    pub(super) fn name(&self, key: &RecordKey) -> Result<RowName, Error> {
        let label = match key {
            RecordKey::Settings => "settings".to_owned(),
            RecordKey::Peer(peer) => format!("peer {peer}"),
            RecordKey::Stale(peer) => format!("stale {peer}"),
            RecordKey::Request(chat_id) => format!("request {chat_id:?}"),
            RecordKey::Asked(peer) => format!("asked {peer}"),
            RecordKey::Chat(chat_id) => format!("chat {chat_id:?}"),
            RecordKey::Sent(chat_id, id) => format!("sent {chat_id:?} {id}"),
            RecordKey::Unread(chat_id, id) => format!("unread {chat_id:?} {id}"),
            RecordKey::Quiet => "quiet".to_owned(),
            RecordKey::Consent(peer) => format!("consent {peer}"),
            RecordKey::Queued(id) => format!("queued {id}"),
            RecordKey::LastQueued => "last queued".to_owned(),
            RecordKey::Consumer(name) => format!("consumer {name}"),
            RecordKey::Event(number) => format!("event {number}"),
            RecordKey::Keep(None) => "keep".to_owned(),
            RecordKey::Keep(Some(peer)) => format!("keep {peer}"),
            RecordKey::Kept(chat_id, is_own, id) => format!("kept {chat_id:?} {is_own} {id}"),
        };
        self.pseudonym(&label)
    }

    /// What the disk shows in the place of this word.
    pub(super) fn pseudonym(&self, word: &str) -> Result<u128, Error> {
        Ok(u128::from_be_bytes(*expand::<16>(&self.names, word)?.expose()))
    }

    /// A row as it stands on disk.
    pub(super) fn seal_row(&self, name: RowName, plaintext: &[u8]) -> Result<Vec<u8>, Error> {
        let mut row = vec![self.under.as_byte()];
        row.extend(seal(&self.rows, &row_context(name, self.under), plaintext)?);
        Ok(row)
    }

    /// What is in a row; `None` if it is not one of these keys'.
    pub(super) fn open_row(&self, name: RowName, row: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (under, sealed) = row.split_first()?;
        (*under == self.under.as_byte()).then(|| open(&self.rows, &row_context(name, self.under), sealed))?
    }
}

impl Under {
    pub(super) fn as_byte(self) -> u8 {
        match self {
            Self::FileKey => 0,
            Self::LockKey => 1,
        }
    }
}

/// What a row is bound to: its place, so that none can be put in another's.
fn row_context(name: RowName, under: Under) -> Vec<u8> {
    [b"secchat store row 1".as_slice(), &[under.as_byte()], &name.to_be_bytes()].concat()
}

/// `nonce[12] | ciphertext | tag[16]`. Nonces are random: a key seals far fewer than 2³² times.
pub(super) fn seal(key: &Secret<32>, context: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, Error> {
    let mut nonce = [0; NONCE_BYTES];
    OsEntropy.fill(&mut nonce)?;
    let mut tag = [0; TAG_BYTES];
    let sealed =
        encrypt_aead(Cipher::aes_256_gcm(), key.expose(), Some(&nonce), context, plaintext, &mut tag)
            .map_err(|_| Error::Crypto(CryptoOperation::Seal))?;
    Ok([&nonce[..], &sealed, &tag].concat())
}

/// The plaintext; `None` if key, context or bytes are not those of [`seal`].
pub(super) fn open(key: &Secret<32>, context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, rest) = sealed.split_at_checked(NONCE_BYTES)?;
    let (ciphertext, tag) = rest.split_at_checked(rest.len().checked_sub(TAG_BYTES)?)?;
    decrypt_aead(Cipher::aes_256_gcm(), key.expose(), Some(nonce), context, ciphertext, tag)
        .ok()
        .map(Zeroizing::new)
}

const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
