//! Appends fields to a message.

use crate::UserName;
use crate::crypto::kem::Suite;
use crate::wire::link::ChatId;
use crate::wire::request::Terms;

/// A message being written.
///
/// Writing never fails. A part too long for its length field is cut there; the message is then above every frame's
/// limit, so whoever frames or seals it gets the error.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Appends to `out`.
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    /// A number of one byte.
    pub(crate) fn u8(&mut self, number: u8) -> &mut Self {
        self.bytes(&[number])
    }

    /// A number of two bytes.
    pub(crate) fn u16(&mut self, number: u16) -> &mut Self {
        self.bytes(&number.to_be_bytes())
    }

    /// A number of eight bytes.
    pub(crate) fn u64(&mut self, number: u64) -> &mut Self {
        self.bytes(&number.to_be_bytes())
    }

    /// `u8 length | bytes`.
    pub(crate) fn v8(&mut self, bytes: &[u8]) -> &mut Self {
        let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
        self.u8(length).bytes(bytes.get(..length.into()).unwrap_or(bytes))
    }

    /// `u16 length | bytes`.
    pub(crate) fn v16(&mut self, bytes: &[u8]) -> &mut Self {
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        self.u16(length).bytes(bytes.get(..length.into()).unwrap_or(bytes))
    }

    /// `until | history`.
    pub(crate) fn terms(&mut self, terms: &Terms) -> &mut Self {
        self.u64(terms.until).u16(terms.history_days)
    }

    /// A user's name.
    pub(crate) fn user_name(&mut self, name: &UserName) -> &mut Self {
        self.v8(name.as_bytes())
    }

    /// A chat's id.
    pub(crate) fn chat_id(&mut self, chat_id: &ChatId) -> &mut Self {
        self.bytes(chat_id.as_bytes())
    }

    /// `v8(suites)`.
    pub(crate) fn suites(&mut self, suites: &[Suite]) -> &mut Self {
        let ids: Vec<u8> = suites.iter().map(|suite| suite.id()).collect();
        self.v8(&ids)
    }
}
