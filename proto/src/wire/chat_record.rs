//! The plaintext of a chat record: `kind | fields | zeros` (PROTOCOL.md §8).

use zeroize::Zeroizing;

use crate::Error;
use crate::error::Malformed;
use crate::limits::{CHAT_PLAINTEXT_SIZES, MAX_TEXT_BYTES};
use crate::wire::link::Step;
use crate::wire::reader::Reader;
use crate::wire::writer::Writer;

/// What a Text has before its text: kind, id, length.
const TEXT_FIELDS_BYTES: usize = 11;

/// Why a chat ends (kind 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// 0: the person closed it.
    Person,
    /// 1: `until` has come.
    Until,
    /// 2: one end came back from an older copy.
    RestoredCopy,
    /// 3: the answer to an End.
    Answer,
}

/// What one chat record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatMessage {
    /// 0: cover.
    Nothing,
    /// 1: a text.
    Text {
        /// Its number, from 1 in each direction.
        id: u64,
        /// At most 32,768 bytes.
        text: String,
    },
    /// 2: all texts up to and with `id` are held.
    Delivered {
        /// The last one held.
        id: u64,
    },
    /// 3: the authenticated end.
    End {
        /// The last text sent.
        id: u64,
        /// Why.
        reason: EndReason,
    },
    /// 4: M1–M3 of a rekey.
    KeyEstablishment {
        /// Which message.
        step: Step,
        /// The message.
        body: Vec<u8>,
    },
    /// 5: the first record each way.
    State {
        /// The last id given.
        sent: u64,
        /// The last id held.
        held: u64,
    },
}

impl ChatMessage {
    /// Encodes and fills to the least listed size that holds it.
    ///
    /// # Errors
    /// `Malformed::TooLong` when none holds it or a text is too long.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let size = filled_size(self.content_bytes()?)?;
        // Never grows, so that no copy stays behind.
        let mut out = Zeroizing::new(Vec::with_capacity(size));
        let mut writer = Writer::new(&mut out);
        match self {
            Self::Nothing => _ = writer.u8(0),
            Self::Text { id, text } => _ = writer.u8(1).u64(*id).v16(text.as_bytes()),
            Self::Delivered { id } => _ = writer.u8(2).u64(*id),
            Self::End { id, reason } => _ = writer.u8(3).u64(*id).u8(reason.code()),
            Self::KeyEstablishment { step, body } => _ = writer.u8(4).u8(step.code()).v16(body),
            Self::State { sent, held } => _ = writer.u8(5).u64(*sent).u64(*held),
        }
        out.resize(size, 0);
        Ok(out)
    }

    /// Decodes a record's plaintext.
    ///
    /// # Errors
    /// [`Error::Malformed`]: any other length or filler too.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let message = match reader.u8()? {
            0 => Self::Nothing,
            1 => Self::Text { id: read_text_id(&mut reader)?, text: read_text(&mut reader)? },
            2 => Self::Delivered { id: reader.u64()? },
            3 => Self::End { id: reader.u64()?, reason: EndReason::from_code(reader.u8()?)? },
            4 => {
                Self::KeyEstablishment { step: Step::from_code(reader.u8()?)?, body: reader.v16()?.to_vec() }
            }
            5 => Self::State { sent: reader.u64()?, held: reader.u64()? },
            _ => return Err(Error::Malformed(Malformed::UnknownValue)),
        };
        let filler = reader.rest();
        let content_bytes = bytes.len().saturating_sub(filler.len());
        if filled_size(content_bytes)? == bytes.len() && filler.iter().all(|byte| *byte == 0) {
            Ok(message)
        } else {
            Err(Error::Malformed(Malformed::Padding))
        }
    }

    /// How long the message is without filler.
    fn content_bytes(&self) -> Result<usize, Error> {
        let (fixed, variable) = match self {
            Self::Nothing => (1, 0),
            Self::Text { text, .. } if text.len() > MAX_TEXT_BYTES => {
                return Err(Error::Malformed(Malformed::TooLong));
            }
            Self::Text { text, .. } => (TEXT_FIELDS_BYTES, text.len()),
            Self::Delivered { .. } => (9, 0),
            Self::End { .. } => (10, 0),
            Self::KeyEstablishment { body, .. } => (4, body.len()),
            Self::State { .. } => (17, 0),
        };
        Ok(variable.saturating_add(fixed))
    }
}

/// How long the plaintext of a text of `text_bytes` is, filled: what counts against the window.
pub(crate) fn filled_text_bytes(text_bytes: usize) -> usize {
    filled_size(text_bytes.saturating_add(TEXT_FIELDS_BYTES)).unwrap_or(usize::MAX)
}

/// The least listed size that holds `content_bytes`.
fn filled_size(content_bytes: usize) -> Result<usize, Error> {
    let fits = |size: &usize| *size >= content_bytes;
    CHAT_PLAINTEXT_SIZES.into_iter().find(fits).ok_or(Error::Malformed(Malformed::TooLong))
}

fn read_text_id(reader: &mut Reader<'_>) -> Result<u64, Error> {
    match reader.u64()? {
        0 => Err(Error::Malformed(Malformed::UnknownValue)),
        id => Ok(id),
    }
}

fn read_text(reader: &mut Reader<'_>) -> Result<String, Error> {
    let bytes = reader.v16()?;
    if bytes.len() > MAX_TEXT_BYTES {
        return Err(Error::Malformed(Malformed::TooLong));
    }
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Error::Malformed(Malformed::Text))
}

#[cfg(test)]
mod tests {
    use super::ChatMessage;
    use crate::Error;
    use crate::error::Malformed;
    use crate::limits::MAX_TEXT_BYTES;
    use crate::wire::link::Step;

    fn decode(content: &[u8], size: usize) -> Result<ChatMessage, Error> {
        let mut bytes = content.to_vec();
        bytes.resize(size, 0);
        ChatMessage::decode(&bytes)
    }

    fn text(bytes: usize) -> ChatMessage {
        ChatMessage::Text { id: 1, text: "x".repeat(bytes) }
    }

    #[test]
    fn each_size_serves_up_to_its_last_byte() {
        let sizes = [
            (0, 64),
            (53, 64),
            (54, 256),
            (245, 256),
            (246, 1_024),
            (1_013, 1_024),
            (1_014, 4_096),
            (4_085, 4_096),
            (4_086, 16_384),
            (16_373, 16_384),
            (16_374, 49_152),
            (MAX_TEXT_BYTES, 49_152),
        ];
        for (bytes, size) in sizes {
            assert_eq!(text(bytes).encode().unwrap().len(), size, "{bytes}");
        }
        assert_eq!(text(MAX_TEXT_BYTES + 1).encode(), Err(Error::Malformed(Malformed::TooLong)));
        let longest = ChatMessage::KeyEstablishment { step: Step::M1, body: vec![1; 49_148] };
        assert_eq!(longest.encode().unwrap().len(), 49_152);
        let longer = ChatMessage::KeyEstablishment { step: Step::M1, body: vec![1; 49_149] };
        assert_eq!(longer.encode(), Err(Error::Malformed(Malformed::TooLong)));
    }

    #[test]
    fn malformed_plaintexts_by_rule() {
        let id = 1u64.to_be_bytes();
        let long = [&[1][..], &id, &32_769u16.to_be_bytes(), &[b'x'; 32_769]].concat();
        let rules: &[(&[u8], usize, Malformed)] = &[
            (&[], 0, Malformed::Truncated),
            (&[6], 64, Malformed::UnknownValue),
            (&[0], 1, Malformed::Padding),
            (&[0], 63, Malformed::Padding),
            (&[0], 65, Malformed::Padding),
            (&[0], 256, Malformed::Padding),
            (&[0, 0, 1], 64, Malformed::Padding),
            (&[&[1][..], &[0; 8], &[0, 0]].concat(), 64, Malformed::UnknownValue),
            (&[&[1][..], &id, &[0, 60]].concat(), 64, Malformed::Truncated),
            (&[&[1][..], &id, &[0, 1, 0xff]].concat(), 64, Malformed::Text),
            (&[&[1][..], &id, &[0, 3, 0xed, 0xa0, 0x80]].concat(), 64, Malformed::Text),
            (&[&[1][..], &id, &[0, 2, 0xc0, 0x80]].concat(), 64, Malformed::Text),
            (&long, 49_152, Malformed::TooLong),
            (&[&[2][..], &id, &[1]].concat(), 64, Malformed::Padding),
            (&[&[3][..], &id, &[4]].concat(), 64, Malformed::UnknownValue),
            (&[4, 0], 64, Malformed::UnknownValue),
            (&[4, 4], 64, Malformed::UnknownValue),
            (&[4, 1, 0, 61], 64, Malformed::Truncated),
            (&[5], 16, Malformed::Truncated),
        ];
        for (content, size, expected) in rules {
            assert_eq!(decode(content, *size), Err(Error::Malformed(*expected)), "{content:?} in {size}");
        }
    }
}
