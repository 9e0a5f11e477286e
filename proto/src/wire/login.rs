//! S1, S2, S3 and Reject (PROTOCOL.md §3).

use crate::crypto::kem::Suite;
use crate::crypto::signature::{KeyKind, PublicKey};
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
    /// Who signs in the identity key's place, by its word; `None` (empty): nobody.
    pub delegation: Option<Delegation>,
    /// Over everything so far; the delegate's, where there is one.
    pub signature: Vec<u8>,
}

/// The identity key's word that another key may log in for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// The other key: an Ed25519 one.
    pub delegate: PublicKey,
    /// When it ends: Unix seconds.
    pub not_after: u64,
    /// The identity key's.
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
            .v16(&self.delegation.as_ref().map(Delegation::encode).unwrap_or_default());
        out
    }

    /// Decodes the message.
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
            delegation: Some(reader.v16()?)
                .filter(|bytes| !bytes.is_empty())
                .map(Delegation::decode)
                .transpose()?,
            signature: reader.signature()?,
        };
        reader.finish()?;
        Ok(message)
    }
}

impl Delegation {
    /// Encodes the field.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.encode_unsigned();
        Writer::new(&mut out).v16(&self.signature);
        out
    }

    /// Encodes the field up to its signature.
    #[must_use]
    pub fn encode_unsigned(&self) -> Vec<u8> {
        let mut out = Vec::new();
        Writer::new(&mut out).v16(self.delegate.as_der()).u64(self.not_after);
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let delegation = Self {
            delegate: PublicKey::from_der(reader.v16()?)?,
            not_after: reader.u64()?,
            signature: reader.signature()?,
        };
        reader.finish()?;
        match delegation.delegate.kind() {
            KeyKind::Ed25519 => Ok(delegation),
            KeyKind::Rsa { .. } => Err(Error::Malformed(Malformed::Key)),
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
    use super::{Delegation, OrReject, Role, S1, S2, S3};
    use crate::Error;
    use crate::crypto::entropy::OsEntropy;
    use crate::crypto::kem::Suite;
    use crate::crypto::signature::tests::public_rsa;
    use crate::crypto::signature::{PublicKey, SigningKey};
    use crate::error::{Malformed, Rule};
    use crate::wire::writer::Writer;

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
            delegation: None,
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
        let long = S2 { signature: vec![4; 513], ..s2() }.encode();
        assert_eq!(S2::decode(&long), Err(Error::Malformed(Malformed::TooLong)), "signature");
    }

    fn delegation() -> Delegation {
        let delegate = SigningKey::generate_ed25519(&mut OsEntropy).unwrap().public_key().clone();
        Delegation { delegate, not_after: 5, signature: vec![6; 64] }
    }

    #[test]
    fn a_delegation_is_read_whole_or_not_at_all() {
        let with = |field: &[u8]| {
            let mut bytes = s2().encode_unsigned();
            bytes.truncate(bytes.len() - 2);
            Writer::new(&mut bytes).v16(field).v16(&[4; 64]);
            S2::decode(&bytes)
        };
        let good = delegation();
        assert_eq!(with(&good.encode()), Ok(S2 { delegation: Some(good.clone()), ..s2() }));
        assert_eq!(with(&[]), Ok(s2()), "an empty field is none");
        for end in 1..good.encode().len() {
            assert_eq!(with(&good.encode()[..end]), Err(Error::Malformed(Malformed::Truncated)), "{end}");
        }
        let longer = [good.encode(), vec![0]].concat();
        assert_eq!(with(&longer), Err(Error::Malformed(Malformed::TrailingBytes)));
        let long = Delegation { signature: vec![6; 513], ..good.clone() }.encode();
        assert_eq!(with(&long), Err(Error::Malformed(Malformed::TooLong)));
        let rsa = PublicKey::from_der(&public_rsa(2048, 65_537)).unwrap();
        let rsa = Delegation { delegate: rsa, ..good.clone() }.encode();
        assert_eq!(with(&rsa), Err(Error::Malformed(Malformed::Key)), "no other kind than Ed25519");
        let mut x25519 = good.encode();
        x25519[2 + 8] = 0x6e;
        assert_eq!(with(&x25519), Err(Error::Malformed(Malformed::Key)), "nor X25519");
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
            ephemeral_key: vec![2; 1216],
            user_name: "x".repeat(32).parse().unwrap(),
            delegation: Some(Delegation { signature: vec![6; 512], ..delegation() }),
            signature: vec![0; 512],
            ..s2()
        };
        assert!(longest.encode().len() <= crate::limits::MAX_LOGIN_BYTES);
    }
}
