//! Length-prefixed frames on TCP: `u16 length | body` (PROTOCOL.md §1).

use crate::Error;
use crate::error::Malformed;

/// Takes bytes as they come and gives whole frames: incremental and bounded.
///
/// Each byte is copied in once and moved once more at most; what is held stays below twice a frame and a read.
#[derive(Debug)]
pub struct FrameDecoder {
    limit_bytes: usize,
    buffer: Vec<u8>,
    /// Where the bytes not given out yet begin.
    start: usize,
}

impl FrameDecoder {
    /// A decoder whose frames' bodies are at most `limit_bytes` long.
    #[must_use]
    pub fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, buffer: Vec::new(), start: 0 }
    }

    /// Changes the limit for the frames to come, and for the one under way.
    pub fn set_limit(&mut self, limit_bytes: usize) {
        self.limit_bytes = limit_bytes;
    }

    /// Appends bytes from the socket. Callers hand over at most one read's worth, and take all frames before the
    /// next, so that the buffer stays below one frame and one read.
    pub fn push(&mut self, bytes: &[u8]) {
        let held = self.buffer.len().saturating_sub(self.start);
        if held == 0 {
            self.buffer.clear();
            self.buffer.shrink_to(IDLE_BYTES);
            self.start = 0;
        } else if self.start >= held {
            // Moves fewer bytes than were given out since the last move.
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame's body; `None` when more bytes are needed.
    ///
    /// # Errors
    /// `Malformed::EmptyFrame`, or `Malformed::TooLong` as soon as the length is known.
    pub fn next_frame(&mut self) -> Result<Option<&mut [u8]>, Error> {
        let Some(held) = self.buffer.get_mut(self.start..) else { return Ok(None) };
        let Some((length, rest)) = held.split_first_chunk_mut() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes(*length));
        if length == 0 {
            return Err(Error::Malformed(Malformed::EmptyFrame));
        }
        if length > self.limit_bytes {
            return Err(Error::Malformed(Malformed::TooLong));
        }
        let Some(body) = rest.get_mut(..length) else { return Ok(None) };
        self.start = self.start.saturating_add(LENGTH_BYTES).saturating_add(length);
        Ok(Some(body))
    }

    /// Whether a frame was begun and not finished: an end of the stream is then a truncation.
    #[must_use]
    pub fn is_mid_frame(&self) -> bool {
        self.start < self.buffer.len()
    }
}

/// Appends `u16 length | body` to `out`.
///
/// # Errors
/// `Malformed::EmptyFrame` or `Malformed::TooLong` when `body` is no frame's body.
pub fn write_frame(body: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    if body.is_empty() {
        return Err(Error::Malformed(Malformed::EmptyFrame));
    }
    let length = u16::try_from(body.len()).map_err(|_| Error::Malformed(Malformed::TooLong))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(body);
    Ok(())
}

/// Bytes of a frame's length.
const LENGTH_BYTES: usize = 2;
/// Bytes that an idle decoder keeps allocated at most: one large frame must not cost memory for a link's whole life.
const IDLE_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::{FrameDecoder, IDLE_BYTES, write_frame};
    use crate::Error;
    use crate::error::Malformed;

    #[test]
    fn a_length_of_zero_or_above_the_limit_is_an_error_before_any_body() {
        for (length, error) in [
            ([0, 0], Some(Malformed::EmptyFrame)),
            ([0, 11], Some(Malformed::TooLong)),
            ([0xff, 0xff], Some(Malformed::TooLong)),
            ([0, 10], None),
            ([0, 1], None),
        ] {
            let mut decoder = FrameDecoder::new(10);
            decoder.push(&length[..1]);
            assert_eq!(decoder.next_frame(), Ok(None));
            assert!(decoder.is_mid_frame());
            decoder.push(&length[1..]);
            let expected = error.map_or(Ok(None), |malformed| Err(Error::Malformed(malformed)));
            assert_eq!(decoder.next_frame(), expected, "{length:?}");
            assert_eq!(decoder.next_frame(), expected, "an error stays");
        }
    }

    #[test]
    fn the_limit_changes_between_frames() {
        let mut stream = Vec::new();
        write_frame(&[1; 4], &mut stream).unwrap();
        write_frame(&[2; 9], &mut stream).unwrap();
        let mut decoder = FrameDecoder::new(4);
        decoder.push(&stream);
        assert_eq!(decoder.next_frame().unwrap().unwrap(), [1; 4]);
        decoder.set_limit(9);
        assert_eq!(decoder.next_frame().unwrap().unwrap(), [2; 9]);
        assert_eq!(decoder.next_frame(), Ok(None));
        assert!(!decoder.is_mid_frame());
    }

    #[test]
    fn a_body_can_be_opened_in_place() {
        let mut decoder = FrameDecoder::new(4);
        decoder.push(&[0, 2, 7, 7, 0]);
        decoder.next_frame().unwrap().unwrap().fill(0);
        assert!(decoder.is_mid_frame());
    }

    #[test]
    fn only_frames_are_written() {
        let mut out = Vec::new();
        assert_eq!(write_frame(&[], &mut out), Err(Error::Malformed(Malformed::EmptyFrame)));
        assert_eq!(write_frame(&[0; 65_536], &mut out), Err(Error::Malformed(Malformed::TooLong)));
        assert!(out.is_empty());
        write_frame(&[3; 65_535], &mut out).unwrap();
        assert_eq!((&out[..3], out.len()), (&[0xff, 0xff, 3][..], 65_537));
    }

    #[test]
    fn the_buffer_is_bounded_by_two_frames_and_reads() {
        const READ: usize = 1_000;
        let mut stream = Vec::new();
        for body in [700, 1, 2_000, 300, 2_000, 2_000, 13].into_iter().cycle().take(3_000) {
            write_frame(&vec![9; body], &mut stream).unwrap();
        }
        let mut decoder = FrameDecoder::new(2_000);
        let mut frames = 0;
        for piece in stream.chunks(READ) {
            decoder.push(piece);
            assert!(decoder.buffer.len() <= 2 * (2_002 + READ), "{}", decoder.buffer.len());
            while decoder.next_frame().unwrap().is_some() {
                frames += 1;
            }
        }
        assert_eq!(frames, 3_000);
    }

    #[test]
    fn a_large_frame_costs_no_memory_for_ever() {
        let mut decoder = FrameDecoder::new(65_535);
        let mut stream = Vec::new();
        write_frame(&[1; 65_535], &mut stream).unwrap();
        decoder.push(&stream);
        assert!(decoder.next_frame().unwrap().is_some());
        decoder.push(&[0]);
        assert!(decoder.buffer.capacity() <= IDLE_BYTES);
    }
}
