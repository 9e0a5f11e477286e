//! S1, S2, S3 and Reject (PROTOCOL.md §3).

use crate::crypto::kem::Suite;
use crate::error::{Malformed, Rule};
use crate::wire::reader::Reader;
use crate::wire::writer::Writer;
use crate::{Error, UserName};

/// Whether a user is listed and can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// 0: listed as available (the report's Receiver).
    Receiver,
    /// 1: hidden; may still ask (the report's Sender).
    Sender,
}

/// Why the relay ends a login, in clear and unproven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectReason {
    /// 1: another version.
    Version,
    /// 2: bytes that cannot be read.
    Malformed,
    /// 3: name and key do not fit; says no more.
    NotAuthenticated,
    /// 4: a limit, or a session that must not be replaced.
    Busy,
    /// 5: the relay is stopping.
    Closing,
}

/// relay→client: opens a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S1 {
    /// The relay's handshake nonce.
    pub nonce_relay: [u8; 16],
    /// The suites the relay permits; unknown ids were skipped.
    pub suites: Vec<Suite>,
    /// The relay's certificate, DER.
    pub certificate: Vec<u8>,
    /// The CA's CRL, DER; empty: none.
    pub crl: Vec<u8>,
}

/// client→relay: who wants to log in, how, with which ephemeral key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S2 {
    /// Listed or hidden.
    pub role: Role,
    /// S1's handshake nonce.
    pub nonce_relay: [u8; 16],
    /// The chosen suite.
    pub suite: Suite,
    /// The ephemeral public key, encoded as the suite says.
    pub ephemeral_key: Vec<u8>,
    /// The client's handshake nonce.
    pub nonce_user: [u8; 16],
    /// Who.
    pub user_name: UserName,
    /// Delegation; empty in this version of the code.
    pub delegation: Vec<u8>,
    /// Over everything so far.
    pub signature: Vec<u8>,
}

/// relay→client: the sealed secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3 {
    /// S2's handshake nonce.
    pub nonce_user: [u8; 16],
    /// The sealed secret, encoded as the suite says.
    pub sealed: Vec<u8>,
    /// Over everything so far.
    pub signature: Vec<u8>,
}

/// S1 or S3's place: what else the relay may send there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrReject<T> {
    /// The expected message.
    Message(T),
    /// A Reject.
    Reject(RejectReason),
}

impl S1 {
    /// Encodes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        Writer::new(&mut out)
            .bytes(MAGIC)
            .u8(VERSION)
            .bytes(&self.nonce_relay)
            .suites(&self.suites)
            .v16(&self.certificate)
            .v16(&self.crl);
        out
    }

    /// Decodes S1 or a Reject.
    ///
    /// # Errors
    /// [`Error::Malformed`], or [`Error::PeerMisbehaved`] with `Rule::Version`.
    pub fn decode(bytes: &[u8]) -> Result<OrReject<Self>, Error> {
        if bytes.first() == Some(&REJECT) {
            return RejectReason::decode(bytes).map(OrReject::Reject);
        }
        let mut reader = Reader::new(bytes);
        if reader.bytes(MAGIC.len())? != MAGIC {
            return Err(Error::Malformed(Malformed::UnknownValue));
        }
        if reader.u8()? != VERSION {
            return Err(Error::PeerMisbehaved(Rule::Version));
        }
        let message = Self {
            nonce_relay: reader.array()?,
            suites: reader.suites()?,
            certificate: reader.v16()?.to_vec(),
            crl: reader.v16()?.to_vec(),
        };
        reader.finish()?;
        Ok(OrReject::Message(message))
    }
}

impl S2 {
    /// Encodes the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.encode_unsigned();
        Writer::new(&mut out).v16(&self.signature);
        out
    }

    /// Encodes the message up to its signature: what the signature covers.
    #[must_use]
    pub fn encode_unsigned(&self) -> Vec<u8> {
        let mut out = Vec::new();
        Writer::new(&mut out)
            .u8(self.role.code())
            .bytes(&self.nonce_relay)
            .u8(self.suite.id())
            .v16(&self.ephemeral_key)
            .bytes(&self.nonce_user)
            .user_name(&self.user_name)
            .v16(&self.delegation);
        out
    }

    /// Decodes the message. A delegation that is not empty is malformed: this version of the software knows none.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let message = Self {
            role: Role::from_code(reader.u8()?)?,
            nonce_relay: reader.array()?,
            suite: reader.suite()?,
            ephemeral_key: reader.v16()?.to_vec(),
            nonce_user: reader.array()?,
            user_name: reader.user_name()?,
            delegation: reader.v16()?.to_vec(),
            signature: reader.signature()?,
        };
        reader.finish()?;
        if message.delegation.is_empty() {
            Ok(message)
        } else {
            Err(Error::Malformed(Malformed::UnknownValue))
        }
    }
}

impl S3 {
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
        Writer::new(&mut out).u8(VERSION).bytes(&self.nonce_user).v16(&self.sealed);
        out
    }

    /// Decodes S3 or a Reject.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<OrReject<Self>, Error> {
        if bytes.first() == Some(&REJECT) {
            return RejectReason::decode(bytes).map(OrReject::Reject);
        }
        let mut reader = Reader::new(bytes);
        if reader.u8()? != VERSION {
            return Err(Error::Malformed(Malformed::UnknownValue));
        }
        let message = Self {
            nonce_user: reader.array()?,
            sealed: reader.v16()?.to_vec(),
            signature: reader.signature()?,
        };
        reader.finish()?;
        Ok(OrReject::Message(message))
    }
}

impl RejectReason {
    /// Encodes a Reject: `0xFF | reason`.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        vec![REJECT, self.code()]
    }

    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let _marker = reader.u8()?;
        let reason = Self::from_code(reader.u8()?)?;
        reader.finish()?;
        Ok(reason)
    }
}

/// What S1 begins with.
const MAGIC: &[u8] = b"secchat";
/// The protocol's version: after S1's magic, and S3's first byte.
const VERSION: u8 = 1;
/// The first byte of a Reject, which neither S1 nor S3 begins with.
const REJECT: u8 = 0xFF;

#[cfg(test)]
mod tests {
    use super::{OrReject, Role, S1, S2, S3};
    use crate::Error;
    use crate::crypto::kem::Suite;
    use crate::error::{Malformed, Rule};

    fn s1_with(suites: &[u8]) -> Vec<u8> {
        let length = u8::try_from(suites.len()).unwrap();
        [&b"secchat\x01"[..], &[7; 16], &[length], suites, &[0, 1, 0xcc, 0, 0]].concat()
    }

    fn s2() -> S2 {
        S2 {
            role: Role::Sender,
            nonce_relay: [1; 16],
            suite: Suite::X25519MlKem768,
            ephemeral_key: vec![2; 1216],
            nonce_user: [3; 16],
            user_name: "alice".parse().unwrap(),
            delegation: Vec::new(),
            signature: vec![4; 64],
        }
    }

    #[test]
    fn s1_suites_unknown_ones_are_skipped_repeated_ones_malformed() {
        let suites = |ids: &[u8]| match S1::decode(&s1_with(ids)) {
            Ok(OrReject::Message(s1)) => Ok(s1.suites),
            Ok(OrReject::Reject(reason)) => panic!("{reason:?}"),
            Err(error) => Err(error),
        };
        assert_eq!(suites(&[]), Ok(vec![]));
        assert_eq!(suites(&[2, 1]), Ok(vec![Suite::X25519MlKem768, Suite::Rsa3072]));
        assert_eq!(suites(&[0, 200, 1, 255]), Ok(vec![Suite::Rsa3072]));
        for repeated in [&[1, 1][..], &[2, 1, 2], &[77, 77], &[255, 0, 255]] {
            assert_eq!(suites(repeated), Err(Error::Malformed(Malformed::Repeated)));
        }
    }

    #[test]
    fn s1_of_another_program_or_version() {
        let good = s1_with(&[2]);
        let mut other_version = good.clone();
        other_version[7] = 2;
        assert_eq!(S1::decode(&other_version), Err(Error::PeerMisbehaved(Rule::Version)));
        let mut other_program = good;
        other_program[0] = b'S';
        assert_eq!(S1::decode(&other_program), Err(Error::Malformed(Malformed::UnknownValue)));
        assert_eq!(S1::decode(b"SSH-2.0-x"), Err(Error::Malformed(Malformed::UnknownValue)));
        assert_eq!(S1::decode(b""), Err(Error::Malformed(Malformed::Truncated)));
    }

    #[test]
    fn s2_malformed_by_rule() {
        let good = s2().encode();
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            S2::decode(&bytes).err()
        };
        assert_eq!(with(0, 2), Some(Error::Malformed(Malformed::UnknownValue)), "role");
        assert_eq!(with(17, 0), Some(Error::Malformed(Malformed::UnknownValue)), "suite");
        assert_eq!(with(17, 3), Some(Error::Malformed(Malformed::UnknownValue)), "suite");
        assert_eq!(with(18, 0xff), Some(Error::Malformed(Malformed::Truncated)), "length of the key");
        assert_eq!(with(18 + 2 + 1216 + 16 + 1, b'A'), Some(Error::Malformed(Malformed::UserName)));
        let delegated = S2 { delegation: vec![1], ..s2() }.encode();
        assert_eq!(S2::decode(&delegated), Err(Error::Malformed(Malformed::UnknownValue)), "delegation");
        let long = S2 { signature: vec![4; 513], ..s2() }.encode();
        assert_eq!(S2::decode(&long), Err(Error::Malformed(Malformed::TooLong)), "signature");
    }

    #[test]
    fn s3_begins_with_the_version() {
        let mut bytes = S3 { nonce_user: [1; 16], sealed: vec![2; 9], signature: vec![3; 64] }.encode();
        assert_eq!(bytes[0], 1);
        bytes[0] = 2;
        assert_eq!(S3::decode(&bytes), Err(Error::Malformed(Malformed::UnknownValue)));
    }

    #[test]
    fn s2_fits_its_frame_with_the_longest_key_and_signature() {
        let longest = S2 {
            suite: Suite::Rsa3072,
            user_name: "x".repeat(32).parse().unwrap(),
            signature: vec![0; 512],
            ..s2()
        };
        assert!(longest.encode().len() <= crate::limits::MAX_LOGIN_BYTES);
    }
}
