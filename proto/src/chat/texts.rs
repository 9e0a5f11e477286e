//! The texts of both directions: their numbers, the window, what is acknowledged (PROTOCOL.md §5, §8). Knows
//! nothing of keys, records and pairs.

use std::collections::VecDeque;
use std::time::Instant;

use zeroize::Zeroizing;

use crate::Error;
use crate::chat::SendError;
use crate::error::Rule;
use crate::limits::{
    DELIVERED_AT_BYTES, DELIVERED_AT_TEXTS, DELIVERED_SPACING, DELIVERED_WITHIN, MAX_TEXT_BYTES,
    MAX_UNACKNOWLEDGED_BYTES, MAX_UNACKNOWLEDGED_TEXTS,
};
use crate::wire::chat_record::{ChatMessage, filled_text_bytes};

/// Texts and their numbers.
type Texts = Vec<(u64, Zeroizing<String>)>;

/// This side's texts until the peer acknowledges them.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    /// Their numbers follow each other without a gap.
    kept: VecDeque<Kept>,
    kept_bytes: usize,
    /// The last number given to a text.
    last_taken: u64,
    /// The last one that ever left in a record: what the peer may acknowledge.
    last_sealed: u64,
    /// The last one that left under the present pair's keys.
    sealed_here: u64,
    acknowledged: u64,
}

struct Kept {
    id: u64,
    text: Zeroizing<String>,
    filled_bytes: usize,
}

impl Outbound {
    /// Takes a text into the window and gives its number.
    pub(super) fn take(&mut self, text: &str) -> Result<u64, SendError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(SendError::TooLong);
        }
        let filled_bytes = filled_text_bytes(text.len());
        let bytes = self.kept_bytes.saturating_add(filled_bytes);
        if self.kept.len() >= MAX_UNACKNOWLEDGED_TEXTS || bytes > MAX_UNACKNOWLEDGED_BYTES {
            return Err(SendError::WindowFull);
        }
        let id = self.last_taken.checked_add(1).ok_or(SendError::Failed)?;
        self.last_taken = id;
        self.kept_bytes = bytes;
        self.kept.push_back(Kept { id, text: Zeroizing::new(text.to_owned()), filled_bytes });
        Ok(id)
    }

    /// What was kept on disk. A number on disk counts as sent: whether its record left, nobody knows any more.
    pub(super) fn restore(
        last_taken: u64,
        acknowledged: u64,
        texts: impl IntoIterator<Item = (u64, String)>,
    ) -> Self {
        let texts = texts.into_iter().filter(|(id, _)| *id > acknowledged && *id <= last_taken);
        let kept: VecDeque<Kept> = texts
            .map(|(id, text)| Kept {
                id,
                filled_bytes: filled_text_bytes(text.len()),
                text: Zeroizing::new(text),
            })
            .collect();
        let kept_bytes = kept.iter().fold(0_usize, |sum, kept| sum.saturating_add(kept.filled_bytes));
        Self { kept, kept_bytes, last_taken, last_sealed: last_taken, sealed_here: 0, acknowledged }
    }

    /// The last number given to a text.
    pub(super) fn last_taken(&self) -> u64 {
        self.last_taken
    }

    /// The last one that the peer acknowledged.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// A text that is not acknowledged.
    pub(super) fn kept_text(&self, id: u64) -> Option<&str> {
        self.kept.iter().find(|kept| kept.id == id).map(|kept| kept.text.as_str())
    }

    /// Takes back the texts above `id`: none of their records has left.
    pub(super) fn take_back_after(&mut self, id: u64) {
        let last = id.max(self.acknowledged).min(self.last_taken);
        while let Some(kept) = self.kept.pop_back_if(|kept| kept.id > last) {
            self.kept_bytes = self.kept_bytes.saturating_sub(kept.filled_bytes);
        }
        self.last_taken = last;
        self.last_sealed = self.last_sealed.min(last);
        self.sealed_here = self.sealed_here.min(last);
    }

    /// Takes the newest text back if it never left; whether it did.
    pub(super) fn withdraw(&mut self, id: u64) -> bool {
        if id <= self.last_sealed || id != self.last_taken {
            return false;
        }
        let Some(kept) = self.kept.pop_back() else { return false };
        self.kept_bytes = self.kept_bytes.saturating_sub(kept.filled_bytes);
        self.last_taken = id.saturating_sub(1);
        true
    }

    /// The next text to leave under the present keys.
    pub(super) fn next_to_seal(&self) -> Option<ChatMessage> {
        let kept = self.kept.iter().find(|kept| kept.id > self.sealed_here)?;
        Some(ChatMessage::Text { id: kept.id, text: kept.text.to_string() })
    }

    /// That text left.
    pub(super) fn mark_sealed(&mut self) {
        if let Some(kept) = self.kept.iter().find(|kept| kept.id > self.sealed_here) {
            self.sealed_here = kept.id;
            self.last_sealed = self.last_sealed.max(kept.id);
        }
    }

    /// The last number that ever left: what State and End say.
    pub(super) fn last_sealed(&self) -> u64 {
        self.last_sealed
    }

    /// Whether a peer that holds `held` contradicts what left and what it acknowledged.
    pub(super) fn is_contradicted_by(&self, held: u64) -> bool {
        held > self.last_sealed || held < self.acknowledged
    }

    /// The peer holds all up to and with `id`: what of it was kept until now; `None` if that is not new.
    pub(super) fn acknowledge(&mut self, id: u64) -> Result<Option<Texts>, Error> {
        if id > self.last_sealed {
            return Err(Error::PeerMisbehaved(Rule::TextId));
        }
        let mut texts = Texts::new();
        while let Some(kept) = self.kept.pop_front_if(|kept| kept.id <= id) {
            self.kept_bytes = self.kept_bytes.saturating_sub(kept.filled_bytes);
            texts.push((kept.id, kept.text));
        }
        let is_new = id > self.acknowledged;
        self.acknowledged = self.acknowledged.max(id);
        Ok(is_new.then_some(texts))
    }

    /// New keys of a new pair: all above what the peer holds goes again.
    pub(super) fn seal_again_after(&mut self, held: u64) {
        self.sealed_here = held;
    }

    /// How many are not acknowledged, those given up included.
    pub(super) fn unacknowledged(&self) -> u32 {
        u32::try_from(self.last_taken.saturating_sub(self.acknowledged)).unwrap_or(u32::MAX)
    }

    /// Gives up on what is not acknowledged: it is not sent again.
    pub(super) fn abandon(&mut self) {
        self.kept.clear();
        self.kept_bytes = 0;
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The peer's texts: given to the owner as they come, acknowledged when the owner holds them.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    /// The last one given to the owner.
    received: u64,
    /// The last one that the owner holds.
    held: u64,
    /// The last one that the peer was told of.
    acknowledged: u64,
    /// Filled sizes of the texts above `acknowledged`.
    sizes: VecDeque<usize>,
    /// One that is held came again: it is acknowledged again.
    is_repeat_owed: bool,
    /// What is owed leaves first under new keys.
    is_urgent: bool,
    last_delivered: Option<Instant>,
}

impl Inbound {
    /// What was kept on disk.
    pub(super) fn restore(held: u64) -> Self {
        Self { received: held, held, acknowledged: held, ..Self::default() }
    }

    /// A text came; whether it is new and goes to the owner.
    pub(super) fn take(&mut self, id: u64, filled_bytes: usize) -> Result<bool, Error> {
        if id <= self.received {
            self.is_repeat_owed |= id <= self.held;
            return Ok(false);
        }
        if id != self.received.saturating_add(1) {
            return Err(Error::PeerMisbehaved(Rule::TextId));
        }
        let bytes = self.sizes.iter().fold(filled_bytes, |sum, size| sum.saturating_add(*size));
        if self.sizes.len() >= MAX_UNACKNOWLEDGED_TEXTS || bytes > MAX_UNACKNOWLEDGED_BYTES {
            return Err(Error::PeerMisbehaved(Rule::Flood));
        }
        self.received = id;
        self.sizes.push_back(filled_bytes);
        Ok(true)
    }

    /// The owner holds all up to and with `id`.
    pub(super) fn hold(&mut self, id: u64) {
        self.held = self.held.max(id.min(self.received));
    }

    /// The last one held.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// Whether a peer that says it sent up to `sent` contradicts what came.
    pub(super) fn is_contradicted_by(&self, sent: u64) -> bool {
        sent < self.received
    }

    /// How many of the peer's texts up to `last` are not held.
    pub(super) fn missing(&self, last: u64) -> u64 {
        last.saturating_sub(self.held)
    }

    /// Whether the peer is owed an acknowledgement.
    pub(super) fn is_owed(&self) -> bool {
        self.held > self.acknowledged
    }

    /// Whether a Delivered is to leave now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let owed = self.held.saturating_sub(self.acknowledged);
        let count = usize::try_from(owed).unwrap_or(usize::MAX);
        let bytes = self.sizes.iter().take(count).fold(0_usize, |sum, size| sum.saturating_add(*size));
        if owed > 0 && (self.is_urgent || owed >= DELIVERED_AT_TEXTS || bytes >= DELIVERED_AT_BYTES) {
            return true;
        }
        let is_any = owed > 0 || self.is_repeat_owed;
        is_any && self.due_at().is_none_or(|at| at <= now)
    }

    /// When a Delivered is to leave that must not yet; none before the first.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let last = self.last_delivered?;
        if self.is_owed() {
            Some(last + DELIVERED_SPACING)
        } else {
            self.is_repeat_owed.then_some(last + DELIVERED_WITHIN)
        }
    }

    /// What is owed leaves next, whatever the spacing.
    pub(super) fn hurry(&mut self) {
        self.is_urgent = true;
    }

    /// A Delivered left.
    pub(super) fn mark_delivered(&mut self, now: Instant) {
        self.mark_acknowledged();
        self.last_delivered = Some(now);
    }

    /// A State or a Delivered told the peer what is held.
    pub(super) fn mark_acknowledged(&mut self) {
        let owed = self.held.saturating_sub(self.acknowledged);
        let count = usize::try_from(owed).unwrap_or(usize::MAX).min(self.sizes.len());
        drop(self.sizes.drain(..count));
        self.acknowledged = self.held;
        self.is_repeat_owed = false;
        self.is_urgent = false;
    }
}
