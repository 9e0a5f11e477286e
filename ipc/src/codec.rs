//! Frames: a u32 length (big-endian), then one postcard value. Pure; [`transport`](crate::transport) moves them.
//!
//! Refuses what is longer than its direction's bound before anything is allocated for it, and values with bytes left
//! over. Buffers are wiped: a request may hold a passphrase.

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes of a request's body at most: twice the largest text, for the rest of the request and for what later
/// commands need.
pub const MAX_REQUEST_BYTES: usize = 65_536;

/// Bytes of a message of the daemon's body at most. A snapshot or a reply holds the whole inbox, all requests and chats, or
/// the relay's list: the daemon's bounds on those keep the sum below this, so that one frame is enough.
pub const MAX_SERVER_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of one text at most (PROTOCOL.md §8).
pub const MAX_TEXT_BYTES: usize = 32_768;

/// Bytes of a frame's length field.
pub const LENGTH_BYTES: usize = 4;

/// The frame that carries `value`.
///
/// # Errors
/// [`CodecError::TooLong`] when its body is longer than `limit`; [`CodecError::Unfit`] when it cannot be encoded.
pub fn encode<T: Serialize>(value: &T, limit: usize) -> Result<Zeroizing<Vec<u8>>, CodecError> {
    // Sized first: a growing buffer leaves copies of a passphrase behind.
    let length = postcard::experimental::serialized_size(value).map_err(|_| CodecError::Unfit)?;
    if length > limit {
        return Err(CodecError::TooLong { length, limit });
    }
    let prefix = u32::try_from(length).map_err(|_| CodecError::TooLong { length, limit })?.to_be_bytes();
    let mut frame = Zeroizing::new(vec![0; LENGTH_BYTES + length]);
    let (head, body) = frame.split_at_mut(LENGTH_BYTES);
    head.copy_from_slice(&prefix);
    postcard::to_slice(value, body).map_err(|_| CodecError::Unfit)?;
    Ok(frame)
}

/// The value in a frame's body.
///
/// # Errors
/// [`CodecError::Unfit`] when the bytes are not exactly one value that this version knows.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, CodecError> {
    match postcard::take_from_bytes(body) {
        Ok((value, [])) => Ok(value),
        Ok(_) | Err(_) => Err(CodecError::Unfit),
    }
}

/// Cuts a stream of bytes into frames' bodies.
#[derive(Debug)]
pub struct FrameDecoder {
    buffer: Vec<u8>,
    start: usize,
    limit: usize,
}

impl FrameDecoder {
    /// A decoder for bodies of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        // A whole request fits from the start: growing would leave copies of a passphrase behind.
        let capacity = LENGTH_BYTES + limit.min(MAX_REQUEST_BYTES);
        Self { buffer: Vec::with_capacity(capacity), start: 0, limit }
    }

    /// Takes what arrived.
    pub fn extend(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.copy_within(self.start.., 0);
            let left = self.buffer.len().saturating_sub(self.start);
            if let Some(stale) = self.buffer.get_mut(left..) {
                stale.zeroize();
            }
            self.buffer.truncate(left);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole body, if it is there.
    ///
    /// # Errors
    /// [`CodecError::TooLong`] when a length is above the limit, [`CodecError::Empty`] when it is 0: nothing after
    /// it can be understood.
    pub fn next_body(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, CodecError> {
        let Some((prefix, rest)) = self.buffer.get(self.start..).and_then(<[u8]>::split_first_chunk) else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(*prefix)).unwrap_or(usize::MAX);
        if length > self.limit {
            return Err(CodecError::TooLong { length, limit: self.limit });
        }
        if length == 0 {
            return Err(CodecError::Empty);
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let body = Zeroizing::new(body.to_vec());
        self.start = self.start.saturating_add(LENGTH_BYTES).saturating_add(length);
        Ok(Some(body))
    }

    /// Whether the stream may end here: no frame was cut.
    #[must_use]
    pub fn is_at_boundary(&self) -> bool {
        self.start == self.buffer.len()
    }
}

impl Drop for FrameDecoder {
    fn drop(&mut self) {
        self.buffer.zeroize();
    }
}

/// Why bytes are no frame, or a value none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Longer than its direction allows.
    #[error("a message of {length} bytes, where {limit} is the most")]
    TooLong {
        /// Bytes of the body.
        length: usize,
        /// The most.
        limit: usize,
    },
    /// A frame without a body.
    #[error("an empty message")]
    Empty,
    /// Not exactly one value that this version knows.
    #[error("a message that this version does not understand")]
    Unfit,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Passphrase;
    use crate::{Command, Request, UserName};

    fn request(text: String) -> Request {
        let peer = UserName::parse("bob").unwrap();
        Request { id: 7, timeout_ms: 0, command: Command::Send { peer, text } }
    }

    #[test]
    fn a_frame_is_read_back_however_it_is_cut() {
        let requests = [request("one".into()), request("ż".repeat(9)), request(String::new())];
        let mut stream = Vec::new();
        for request in &requests {
            stream.extend_from_slice(&encode(request, MAX_REQUEST_BYTES).unwrap());
        }
        for step in 1..stream.len() {
            let mut decoder = FrameDecoder::new(MAX_REQUEST_BYTES);
            let mut read = Vec::new();
            for piece in stream.chunks(step) {
                decoder.extend(piece);
                while let Some(body) = decoder.next_body().unwrap() {
                    read.push(decode::<Request>(&body).unwrap());
                }
            }
            assert_eq!(read, requests);
            assert!(decoder.is_at_boundary());
        }
    }

    #[test]
    fn the_longest_text_fits_a_request() {
        assert!(encode(&request("x".repeat(MAX_TEXT_BYTES)), MAX_REQUEST_BYTES).is_ok());
        let length = encode(&request("x".repeat(MAX_REQUEST_BYTES)), MAX_REQUEST_BYTES).unwrap_err();
        assert!(matches!(length, CodecError::TooLong { limit: MAX_REQUEST_BYTES, .. }));
    }

    #[test]
    fn hostile_lengths_are_refused_before_their_bytes_come() {
        let mut decoder = FrameDecoder::new(100);
        decoder.extend(&101_u32.to_be_bytes());
        assert_eq!(decoder.next_body(), Err(CodecError::TooLong { length: 101, limit: 100 }));
        let mut decoder = FrameDecoder::new(100);
        decoder.extend(&[0; 4]);
        assert_eq!(decoder.next_body(), Err(CodecError::Empty));
    }

    #[test]
    fn a_cut_frame_is_not_a_boundary() {
        let frame = encode(&request("x".into()), MAX_REQUEST_BYTES).unwrap();
        let mut decoder = FrameDecoder::new(MAX_REQUEST_BYTES);
        decoder.extend(&frame[..frame.len() - 1]);
        assert_eq!(decoder.next_body(), Ok(None));
        assert!(!decoder.is_at_boundary());
    }

    #[test]
    fn bytes_left_over_and_unknown_variants_are_refused() {
        let frame = encode(&request("x".into()), MAX_REQUEST_BYTES).unwrap();
        let mut body = frame[LENGTH_BYTES..].to_vec();
        body.push(0);
        assert_eq!(decode::<Request>(&body), Err(CodecError::Unfit));
        assert_eq!(decode::<Request>(&[0, 0, 99]), Err(CodecError::Unfit));
        assert_eq!(decode::<Request>(&[]), Err(CodecError::Unfit));
    }

    #[test]
    fn a_name_is_checked_where_it_enters() {
        // Send to "../x", as a hostile frontend would encode it.
        let body = [0, 0, 13, 4, b'.', b'.', b'/', b'x', 1, b't'];
        assert_eq!(decode::<Request>(&body), Err(CodecError::Unfit));
        let body = [0, 0, 13, 3, b'b', b'o', b'b', 1, b't'];
        assert!(decode::<Request>(&body).is_ok());
    }

    #[test]
    fn a_passphrase_is_not_shown() {
        let passphrase = Passphrase("hunter2".to_owned().into());
        let shown = format!("{:?}", Command::Unlock { passphrase, ttl_seconds: 0 });
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_break_the_decoder(bytes: Vec<u8>) {
            let mut decoder = FrameDecoder::new(64);
            decoder.extend(&bytes);
            while let Ok(Some(body)) = decoder.next_body() {
                let _ = decode::<Request>(&body);
                let _ = decode::<crate::reply::ServerMessage>(&body);
            }
        }
    }
}
