//! The encoding of a signed request to talk and of terms (PROTOCOL.md §6).

use crate::Error;
use crate::error::Malformed;
use crate::limits::MAX_REQUEST_LIFETIME_SECONDS;
use crate::wire::link::ChatId;
use crate::wire::reader::Reader;
use crate::wire::writer::Writer;

/// What two people agree on for one chat. All ones is "no limit".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// When the chat ends: Unix seconds; `u64::MAX`: no limit.
    pub until: u64,
    /// Days that either may keep the texts; `u16::MAX`: no limit.
    pub history_days: u16,
}

impl Terms {
    /// No limit.
    pub const UNLIMITED: Self = Self { until: u64::MAX, history_days: u16::MAX };

    /// Whether no field of `self` is above the one of `asked`.
    #[must_use]
    pub fn is_within(&self, asked: &Self) -> bool {
        self.until <= asked.until && self.history_days <= asked.history_days
    }

    /// The smaller of both, field by field.
    #[must_use]
    pub fn min(&self, other: &Self) -> Self {
        Self { until: self.until.min(other.until), history_days: self.history_days.min(other.history_days) }
    }
}

/// `chat_id[16] | issued u64 | expires u64 | terms | v16(signature)`, its signature not checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestToTalk {
    /// The chat's id.
    pub chat_id: ChatId,
    /// When it was made: Unix seconds.
    pub issued: u64,
    /// When it ends by itself: Unix seconds; at most 7 days after `issued`.
    pub expires: u64,
    /// The proposed terms; `until` is after `issued`.
    pub terms: Terms,
    /// The asker's signature.
    pub signature: Vec<u8>,
}

impl RequestToTalk {
    /// Encodes the request.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.encode_unsigned();
        Writer::new(&mut out).v16(&self.signature);
        out
    }

    /// Encodes the request up to its signature.
    #[must_use]
    pub fn encode_unsigned(&self) -> Vec<u8> {
        let mut out = Vec::new();
        Writer::new(&mut out).chat_id(&self.chat_id).u64(self.issued).u64(self.expires).terms(&self.terms);
        out
    }

    /// Decodes a request and checks its times against each other.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let request = Self {
            chat_id: reader.chat_id()?,
            issued: reader.u64()?,
            expires: reader.u64()?,
            terms: reader.terms()?,
            signature: reader.signature()?,
        };
        reader.finish()?;
        request.check_times()?;
        Ok(request)
    }

    /// Checks the times against each other, not against a clock.
    pub(crate) fn check_times(&self) -> Result<(), Error> {
        // `None`: it would expire before it was issued.
        let lifetime = self.expires.checked_sub(self.issued);
        let lives_in_bounds = lifetime.is_some_and(|seconds| seconds <= MAX_REQUEST_LIFETIME_SECONDS);
        if lives_in_bounds && self.terms.until > self.issued {
            Ok(())
        } else {
            Err(Error::Malformed(Malformed::Times))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{RequestToTalk, Terms};
    use crate::Error;
    use crate::error::Malformed;
    use crate::limits::MAX_REQUEST_LIFETIME_SECONDS;
    use crate::wire::link::ChatId;

    fn request(issued: u64, expires: u64, until: u64) -> RequestToTalk {
        RequestToTalk {
            chat_id: ChatId::from_bytes([1; 16]).unwrap(),
            issued,
            expires,
            terms: Terms { until, history_days: 3 },
            signature: vec![9; 64],
        }
    }

    fn decode(issued: u64, expires: u64, until: u64) -> Result<RequestToTalk, Error> {
        RequestToTalk::decode(&request(issued, expires, until).encode())
    }

    #[test]
    fn times_must_agree() {
        let week = MAX_REQUEST_LIFETIME_SECONDS;
        let good = [
            (100, 100, 101),
            (100, 100 + week, 101),
            (100, 100, u64::MAX),
            (u64::MAX - week, u64::MAX - 1, u64::MAX),
        ];
        for (issued, expires, until) in good {
            assert!(decode(issued, expires, until).is_ok(), "{issued} {expires} {until}");
        }
        let bad = [
            (100, 99, 200),
            (100, 101 + week, u64::MAX),
            (100, 200, 100),
            (100, 200, 0),
            (u64::MAX, 5, u64::MAX),
            (u64::MAX, u64::MAX, u64::MAX),
        ];
        for (issued, expires, until) in bad {
            let expected = Err(Error::Malformed(Malformed::Times));
            assert_eq!(decode(issued, expires, until), expected, "{issued} {expires} {until}");
        }
    }

    #[test]
    fn a_chat_id_of_zeros_and_a_signature_above_any_keys_are_malformed() {
        let mut bytes = request(1, 2, 3).encode();
        bytes[..16].fill(0);
        assert_eq!(RequestToTalk::decode(&bytes), Err(Error::Malformed(Malformed::ChatId)));
        let long = RequestToTalk { signature: vec![9; 513], ..request(1, 2, 3) };
        assert_eq!(RequestToTalk::decode(&long.encode()), Err(Error::Malformed(Malformed::TooLong)));
    }

    #[test]
    fn terms_are_compared_and_joined_field_by_field() {
        let terms = |until, history_days| Terms { until, history_days };
        assert!(terms(5, 5).is_within(&terms(5, 5)));
        assert!(terms(5, 5).is_within(&Terms::UNLIMITED));
        assert!(!terms(6, 0).is_within(&terms(5, 5)));
        assert!(!terms(0, 6).is_within(&terms(5, 5)));
        assert_eq!(terms(1, 9).min(&terms(9, 1)), terms(1, 1));
    }
}
