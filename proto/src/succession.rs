//! The succession of keys (PROTOCOL.md §7): an old key and its successor both sign that the one follows the other for
//! this user. A chain of them leads from a key of long ago to the one of today.

use crate::crypto::signature::{PublicKey, SigningKey};
use crate::error::{Malformed, Rule};
use crate::limits::MAX_SUCCESSIONS;
use crate::transcript::transcript_hash;
use crate::wire::reader::Reader;
use crate::wire::writer::Writer;
use crate::{Error, UserName};

/// `v16(SPKI_old) | v16(SPKI_new) | issued u64 | v16(signature by old) | v16(signature by new)`, not checked yet.
///
/// The new key signs too, so that nobody names a key that is somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Succession {
    /// The key that was.
    pub old: PublicKey,
    /// The key that takes its place.
    pub new: PublicKey,
    /// When it was made, for people: Unix seconds. Nothing depends on it, since clocks are wrong.
    pub issued: u64,
    /// By the old key.
    pub old_signature: Vec<u8>,
    /// By the new one.
    pub new_signature: Vec<u8>,
}

/// One succession or several, each from the key that the one before led to; no key in it twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain(Vec<Succession>);

impl Succession {
    /// States, by both keys, that `new` follows `old` for this user.
    ///
    /// # Errors
    /// `Malformed::Repeated` when both are one key, or a failed primitive.
    pub fn make(name: &UserName, old: &SigningKey, new: &SigningKey, issued: u64) -> Result<Self, Error> {
        let mut succession = Self {
            old: old.public_key().clone(),
            new: new.public_key().clone(),
            issued,
            old_signature: Vec::new(),
            new_signature: Vec::new(),
        };
        succession.check_keys()?;
        let hash = succession.signed_hash(name);
        succession.old_signature = old.sign(LABEL, &hash)?;
        succession.new_signature = new.sign(LABEL, &hash)?;
        Ok(succession)
    }

    /// Checks that both keys signed it, for this user.
    ///
    /// # Errors
    /// [`Error::PeerMisbehaved`] with `Rule::Signature`.
    pub fn verify(&self, name: &UserName) -> Result<(), Error> {
        let hash = self.signed_hash(name);
        let is_signed = self.old.verifies(LABEL, &hash, &self.old_signature)
            && self.new.verifies(LABEL, &hash, &self.new_signature);
        if is_signed { Ok(()) } else { Err(Error::PeerMisbehaved(Rule::Signature)) }
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut Writer::new(&mut out));
        out
    }

    /// Decodes one succession and nothing more.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let succession = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(succession)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let succession = Self {
            old: PublicKey::from_der(reader.v16()?)?,
            new: PublicKey::from_der(reader.v16()?)?,
            issued: reader.u64()?,
            old_signature: reader.signature()?,
            new_signature: reader.signature()?,
        };
        succession.check_keys()?;
        Ok(succession)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.v16(self.old.as_der()).v16(self.new.as_der()).u64(self.issued);
        writer.v16(&self.old_signature).v16(&self.new_signature);
    }

    fn check_keys(&self) -> Result<(), Error> {
        if self.old == self.new { Err(Error::Malformed(Malformed::Repeated)) } else { Ok(()) }
    }

    /// `TH(name | v16(SPKI_old) | v16(SPKI_new) | issued)`.
    fn signed_hash(&self, name: &UserName) -> [u8; 32] {
        let mut signed = Vec::new();
        Writer::new(&mut signed)
            .user_name(name)
            .v16(self.old.as_der())
            .v16(self.new.as_der())
            .u64(self.issued);
        transcript_hash(&[&signed])
    }
}

impl Chain {
    /// A chain of these, the oldest first.
    ///
    /// # Errors
    /// `Malformed::Truncated` for none, `TooLong` for too many, `Repeated` for a key that comes twice,
    /// `UnknownValue` for one that does not begin where the one before led.
    pub fn new(successions: Vec<Succession>) -> Result<Self, Error> {
        if successions.is_empty() {
            return Err(Error::Malformed(Malformed::Truncated));
        }
        if successions.len() > MAX_SUCCESSIONS {
            return Err(Error::Malformed(Malformed::TooLong));
        }
        let pairs = || successions.iter().zip(successions.iter().skip(1));
        if pairs().any(|(earlier, later)| earlier.new != later.old) {
            return Err(Error::Malformed(Malformed::UnknownValue));
        }
        let is_known =
            |at: usize, key: &PublicKey| successions.iter().take(at).any(|known| known.old == *key);
        if successions.iter().enumerate().any(|(at, succession)| is_known(at, &succession.new)) {
            return Err(Error::Malformed(Malformed::Repeated));
        }
        Ok(Self(successions))
    }

    /// The chain with one more, which begins at the newest key; of too many the oldest goes.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with(&self, newest: Succession) -> Result<Self, Error> {
        let kept = MAX_SUCCESSIONS.saturating_sub(1);
        let mut successions: Vec<_> =
            self.0.iter().skip(self.0.len().saturating_sub(kept)).cloned().collect();
        successions.push(newest);
        Self::new(successions)
    }

    /// Whether what stands in the place of a key in a Peer Key is a chain: a key's DER begins otherwise.
    #[must_use]
    pub fn is_meant(bytes: &[u8]) -> bool {
        bytes.first().is_some_and(|first| *first != DER_SEQUENCE)
    }

    /// Its bytes: the successions', one after the other.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        self.0.iter().for_each(|succession| succession.write(&mut writer));
        out
    }

    /// Decodes a chain and nothing more.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let mut successions = Vec::new();
        while !reader.is_empty() {
            if successions.len() >= MAX_SUCCESSIONS {
                return Err(Error::Malformed(Malformed::TooLong));
            }
            successions.push(Succession::read(&mut reader)?);
        }
        Self::new(successions)
    }

    /// The successions, the oldest first.
    #[must_use]
    pub fn successions(&self) -> &[Succession] {
        &self.0
    }

    /// The key that it leads to.
    #[must_use]
    pub fn newest(&self) -> Option<&PublicKey> {
        self.0.last().map(|newest| &newest.new)
    }

    /// Whether this user's key `from` vouches, by what its successors signed, for the key `to`.
    #[must_use]
    pub fn leads(&self, name: &UserName, from: &PublicKey, to: &PublicKey) -> bool {
        let begins = self.0.iter().position(|succession| succession.old == *from);
        let part = begins.and_then(|begins| self.0.get(begins..)).unwrap_or_default();
        self.newest() == Some(to)
            && !part.is_empty()
            && part.iter().all(|succession| succession.verify(name).is_ok())
    }
}

const LABEL: &str = "secchat 1 succession";
/// What a key's DER begins with; a succession begins with the length of one, which is less than 0x3000.
const DER_SEQUENCE: u8 = 0x30;

#[cfg(test)]
mod tests;
