//! A checked cursor over received bytes: no indexing, no panic, no allocation before a length is known to fit.

use crate::crypto::kem::Suite;
use crate::error::Malformed;
use crate::limits::MAX_SIGNATURE_BYTES;
use crate::wire::link::ChatId;
use crate::wire::request::Terms;
use crate::{Error, UserName};

/// What is left of a message.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `bytes`.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `length` bytes.
    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A number of one byte.
    pub(crate) fn u8(&mut self) -> Result<u8, Error> {
        self.array().map(u8::from_be_bytes)
    }

    /// A number of two bytes.
    pub(crate) fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_be_bytes)
    }

    /// A number of eight bytes.
    pub(crate) fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_be_bytes)
    }

    /// A byte that is 0 or 1.
    pub(crate) fn flag(&mut self) -> Result<bool, Error> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Error::Malformed(Malformed::UnknownValue)),
        }
    }

    /// `u8 length | bytes`.
    pub(crate) fn v8(&mut self) -> Result<&'a [u8], Error> {
        let length = self.u8()?;
        self.bytes(length.into())
    }

    /// `u16 length | bytes`.
    pub(crate) fn v16(&mut self) -> Result<&'a [u8], Error> {
        let length = self.u16()?;
        self.bytes(length.into())
    }

    /// `until | history`.
    pub(crate) fn terms(&mut self) -> Result<Terms, Error> {
        Ok(Terms { until: self.u64()?, history_days: self.u16()? })
    }

    /// `v16(signature)`, not longer than any key's; whether it is as long as *the* key's shows when it is verified.
    pub(crate) fn signature(&mut self) -> Result<Vec<u8>, Error> {
        let signature = self.v16()?;
        if signature.len() > MAX_SIGNATURE_BYTES {
            return Err(Error::Malformed(Malformed::TooLong));
        }
        Ok(signature.to_vec())
    }

    /// A user's name.
    pub(crate) fn user_name(&mut self) -> Result<UserName, Error> {
        UserName::parse(self.v8()?)
    }

    /// A chat's id.
    pub(crate) fn chat_id(&mut self) -> Result<ChatId, Error> {
        ChatId::from_bytes(self.array()?)
    }

    /// The id of one suite, which must be known.
    pub(crate) fn suite(&mut self) -> Result<Suite, Error> {
        Suite::from_id(self.u8()?).ok_or(Error::Malformed(Malformed::UnknownValue))
    }

    /// `v8(suites)`: no id twice; unknown ids are skipped, so that the list may come out empty.
    pub(crate) fn suites(&mut self) -> Result<Vec<Suite>, Error> {
        let ids = self.v8()?;
        let mut seen = [false; 256];
        for id in ids {
            let seen_before = seen.get_mut(usize::from(*id)).is_none_or(|seen| std::mem::replace(seen, true));
            if seen_before {
                return Err(Error::Malformed(Malformed::Repeated));
            }
        }
        Ok(ids.iter().copied().filter_map(Suite::from_id).collect())
    }

    /// Whatever is left, to the end.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Ends the message: left-over bytes are malformed.
    pub(crate) fn finish(self) -> Result<(), Error> {
        if self.rest.is_empty() { Ok(()) } else { Err(Error::Malformed(Malformed::TrailingBytes)) }
    }
}

const TRUNCATED: Error = Error::Malformed(Malformed::Truncated);
