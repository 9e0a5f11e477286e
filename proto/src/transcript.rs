//! Hashes over every byte of a handshake (PROTOCOL.md §1: TH).

use openssl::sha::Sha256;

/// `TH(a, b, …)` as it grows: SHA-256 over `u32 length | bytes` of each part.
///
/// A handshake keeps this instead of its messages, and clones it where two hashes share their beginning.
#[derive(Clone, Default)]
pub struct Transcript(Sha256);

impl Transcript {
    /// The hash over no part yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a part. Parts are bounded by a frame, so that their length always fits.
    pub fn push(&mut self, part: &[u8]) {
        self.0.update(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.0.update(part);
    }

    /// The transcript with one more part.
    #[must_use]
    pub fn with(mut self, part: &[u8]) -> Self {
        self.push(part);
        self
    }

    /// The hash over the parts so far.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.0.clone().finish()
    }
}

impl std::fmt::Debug for Transcript {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Transcript").finish_non_exhaustive()
    }
}

/// `TH(parts…)`: SHA-256 over `u32 length | bytes` of each part.
#[must_use]
pub fn transcript_hash(parts: &[&[u8]]) -> [u8; 32] {
    parts.iter().fold(Transcript::new(), |transcript, part| transcript.with(part)).hash()
}

/// What a signature covers of its own message: all but the last `v16(signature)` (§1).
#[must_use]
pub fn without_signature<'a>(message: &'a [u8], signature: &[u8]) -> &'a [u8] {
    let end = message.len().saturating_sub(signature.len().saturating_add(2));
    message.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Transcript, transcript_hash, without_signature};

    #[test]
    fn leaves_out_the_signature_and_its_length() {
        assert_eq!(without_signature(b"body\0\x03sig", b"sig"), b"body");
        assert_eq!(without_signature(b"\0\0", b""), b"");
    }

    #[test]
    fn hashes_lengths_and_bytes() {
        let expected = openssl::sha::sha256(b"\0\0\0\x02ab\0\0\0\0\0\0\0\x01c");
        assert_eq!(transcript_hash(&[b"ab", b"", b"c"]), expected);
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(transcript_hash(&[b"ab", b"c"]), transcript_hash(&[b"a", b"bc"]));
        assert_ne!(transcript_hash(&[b"ab"]), transcript_hash(&[b"ab", b""]));
    }

    #[test]
    fn grows_part_by_part() {
        let mut transcript = Transcript::new();
        transcript.push(b"one");
        let before = transcript.hash();
        assert_eq!(before, transcript_hash(&[b"one"]));
        assert_eq!(transcript.with(b"two").hash(), transcript_hash(&[b"one", b"two"]));
    }
}
