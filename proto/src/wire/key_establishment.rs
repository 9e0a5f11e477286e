//! M1, M2 and M3 (PROTOCOL.md §7).

use crate::Error;
use crate::crypto::kem::Suite;
use crate::wire::link::ChatId;
use crate::wire::reader::Reader;
use crate::wire::request::Terms;
use crate::wire::writer::Writer;

/// A→B.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct M1 {
    /// A's handshake nonce.
    pub nonce_sender: [u8; 16],
    /// Which chat.
    pub chat_id: ChatId,
    /// The suites A permits; unknown ids were skipped.
    pub suites: Vec<Suite>,
}

/// B→A.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct M2 {
    /// M1's handshake nonce.
    pub nonce_sender: [u8; 16],
    /// The chosen suite.
    pub suite: Suite,
    /// B's ephemeral public key.
    pub ephemeral_key: Vec<u8>,
    /// B's handshake nonce.
    pub nonce_receiver: [u8; 16],
    /// B's grant.
    pub terms: Terms,
    /// Whether B holds no root of this chat.
    pub fresh: bool,
    /// B's signature.
    pub signature: Vec<u8>,
}

/// A→B.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct M3 {
    /// M2's handshake nonce.
    pub nonce_receiver: [u8; 16],
    /// The sealed secret.
    pub sealed: Vec<u8>,
    /// A's signature.
    pub signature: Vec<u8>,
}

impl M1 {
    /// Encodes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        Writer::new(&mut out).bytes(&self.nonce_sender).chat_id(&self.chat_id).suites(&self.suites);
        out
    }

    /// Decodes the message.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let message =
            Self { nonce_sender: reader.array()?, chat_id: reader.chat_id()?, suites: reader.suites()? };
        reader.finish()?;
        Ok(message)
    }
}

impl M2 {
    /// Encodes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.encode_unsigned();
        Writer::new(&mut out).v16(&self.signature);
        out
    }

    /// Encodes the message up to its signature.
    #[must_use]
    pub fn encode_unsigned(&self) -> Vec<u8> {
        let mut out = Vec::new();
        Writer::new(&mut out)
            .bytes(&self.nonce_sender)
            .u8(self.suite.id())
            .v16(&self.ephemeral_key)
            .bytes(&self.nonce_receiver)
            .terms(&self.terms)
            .u8(u8::from(self.fresh));
        out
    }

    /// Decodes the message.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let message = Self {
            nonce_sender: reader.array()?,
            suite: reader.suite()?,
            ephemeral_key: reader.v16()?.to_vec(),
            nonce_receiver: reader.array()?,
            terms: reader.terms()?,
            fresh: reader.flag()?,
            signature: reader.signature()?,
        };
        reader.finish()?;
        Ok(message)
    }
}

impl M3 {
    /// Encodes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.encode_unsigned();
        Writer::new(&mut out).v16(&self.signature);
        out
    }

    /// Encodes the message up to its signature.
    #[must_use]
    pub fn encode_unsigned(&self) -> Vec<u8> {
        let mut out = Vec::new();
        Writer::new(&mut out).bytes(&self.nonce_receiver).v16(&self.sealed);
        out
    }

    /// Decodes the message.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let message = Self {
            nonce_receiver: reader.array()?,
            sealed: reader.v16()?.to_vec(),
            signature: reader.signature()?,
        };
        reader.finish()?;
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use super::{M1, M2, M3};
    use crate::Error;
    use crate::crypto::kem::Suite;
    use crate::error::Malformed;
    use crate::wire::request::Terms;

    #[test]
    fn m1_malformed_by_rule() {
        let m1 = |chat_id: u8, suites: &[u8]| {
            let length = u8::try_from(suites.len()).unwrap();
            M1::decode(&[&[7; 16][..], &[chat_id; 16], &[length], suites].concat())
        };
        assert_eq!(m1(1, &[9, 2, 200]).map(|m1| m1.suites), Ok(vec![Suite::X25519MlKem768]));
        assert_eq!(m1(1, &[]).map(|m1| m1.suites), Ok(vec![]));
        assert_eq!(m1(1, &[2, 2]), Err(Error::Malformed(Malformed::Repeated)));
        assert_eq!(m1(0, &[2]), Err(Error::Malformed(Malformed::ChatId)));
    }

    #[test]
    fn m2_malformed_by_rule() {
        let m2 = M2 {
            nonce_sender: [1; 16],
            suite: Suite::Rsa3072,
            ephemeral_key: vec![2; 5],
            nonce_receiver: [3; 16],
            terms: Terms::UNLIMITED,
            fresh: true,
            signature: vec![4; 64],
        };
        let good = m2.encode();
        let fresh_at = good.len() - 64 - 2 - 1;
        for (at, value) in [(16, 0), (16, 3), (fresh_at, 2), (fresh_at, 0xff)] {
            let mut bytes = good.clone();
            bytes[at] = value;
            assert_eq!(M2::decode(&bytes), Err(Error::Malformed(Malformed::UnknownValue)), "{at}: {value}");
        }
        let long = M2 { signature: vec![4; 513], ..m2 }.encode();
        assert_eq!(M2::decode(&long), Err(Error::Malformed(Malformed::TooLong)));
    }

    #[test]
    fn m3_with_a_signature_above_any_keys_is_malformed() {
        let m3 = M3 { nonce_receiver: [1; 16], sealed: vec![2; 5], signature: vec![4; 513] };
        assert_eq!(M3::decode(&m3.encode()), Err(Error::Malformed(Malformed::TooLong)));
    }
}
