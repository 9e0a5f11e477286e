//! The end of a chat: End and its answer, both ways, also crossing (PROTOCOL.md §8).

use std::mem;
use std::time::{Duration, Instant};

use crate::chat::stage::{Cause, Stage};
use crate::chat::{Chat, Env, Output, SavedEnd};
use crate::error::{Error, Rule};
use crate::limits::END_UNANSWERED;
use crate::wire::chat_record::{ChatMessage, EndReason};

/// How far the end is.
#[derive(Debug, Default)]
pub(super) struct Closing {
    own: Option<OwnEnd>,
    peer: Option<PeerEnd>,
    /// [`Output::Ended`] was given.
    is_told: bool,
    /// When an End without answer counts as answered, and an answer without 12 as taken.
    give_up_at: Option<Instant>,
}

/// This side's End, which was not answered yet.
#[derive(Clone, Copy, Debug)]
struct OwnEnd {
    reason: EndReason,
    /// Whether it left in the present pair.
    is_sent: bool,
}

/// The peer's End, which was taken.
#[derive(Clone, Copy, Debug, Default)]
struct PeerEnd {
    /// Whether it came in the present pair: it is answered once in each.
    has_come: bool,
    /// An answer is owed in the present pair.
    is_owed: bool,
    /// It was answered at least once.
    is_answered: bool,
}

impl Closing {
    /// Whether this side's End is to be sent or was sent.
    pub(super) fn is_wanted(&self) -> bool {
        self.own.is_some()
    }

    /// Whether the peer's End was taken.
    pub(super) fn is_by_peer(&self) -> bool {
        self.peer.is_some()
    }

    /// Whether either End was.
    pub(super) fn is_begun(&self) -> bool {
        self.is_wanted() || self.is_by_peer()
    }

    /// Whether the peer's End was answered.
    pub(super) fn has_answered(&self) -> bool {
        self.peer.is_some_and(|peer| peer.is_answered)
    }

    /// Whether texts are neither sent nor taken any more in this pair.
    pub(super) fn is_silent(&self) -> bool {
        self.is_by_peer() || self.own.is_some_and(|own| own.is_sent)
    }

    /// Whether no text may be sent again: the two ends contradict each other.
    pub(super) fn is_restored(&self) -> bool {
        self.own.is_some_and(|own| own.reason == EndReason::RestoredCopy)
    }

    pub(super) fn is_told(&self) -> bool {
        self.is_told
    }

    pub(super) fn give_up_at(&self) -> Option<Instant> {
        self.give_up_at
    }

    /// This side's End is to be sent, unless one is already.
    fn want(&mut self, reason: EndReason, now: Instant) {
        if self.own.is_none() {
            self.own = Some(OwnEnd { reason, is_sent: false });
            self.give_up_at.get_or_insert(now + END_UNANSWERED);
        }
    }

    /// An older copy shows: that is what End says, whatever was wanted.
    pub(super) fn want_restored(&mut self, now: Instant) {
        self.want(EndReason::RestoredCopy, now);
        if let Some(own) = &mut self.own {
            own.reason = EndReason::RestoredCopy;
        }
    }

    /// What is kept on disk of it.
    pub(super) fn saved(&self, now: Instant, unix_now: u64) -> SavedEnd {
        let left = |at: Instant| at.saturating_duration_since(now).as_secs();
        SavedEnd {
            own: self.own.map(|own| own.reason),
            peer: self.peer.map(|peer| peer.is_answered),
            is_told: self.is_told,
            give_up_at: self.give_up_at.map(|at| unix_now.saturating_add(left(at))),
        }
    }

    /// What was kept on disk.
    pub(super) fn restore(saved: SavedEnd, now: Instant, unix_now: u64) -> Self {
        let left = |at: u64| Duration::from_secs(at.saturating_sub(unix_now)).min(END_UNANSWERED);
        Self {
            own: saved.own.map(|reason| OwnEnd { reason, is_sent: false }),
            peer: saved.peer.map(|is_answered| PeerEnd { is_answered, ..PeerEnd::default() }),
            is_told: saved.is_told,
            give_up_at: saved.give_up_at.map(|at| now + left(at)),
        }
    }

    /// What was sent or owed in this pair has to go again in the next.
    pub(super) fn leave_pair(&mut self) {
        if let Some(own) = &mut self.own {
            own.is_sent = false;
        }
        if let Some(peer) = &mut self.peer {
            peer.has_come = false;
            peer.is_owed = false;
        }
    }
}

impl Chat {
    /// Ends the chat with an End of this reason; when it is not open, as soon as it is again. One whose keys were
    /// never established is dropped.
    pub fn end(&mut self, reason: EndReason, env: &mut Env<'_>) {
        if matches!(self.stage, Stage::Over) || self.closing.is_begun() {
            return;
        }
        if !self.is_established {
            return self.drop_pair(env);
        }
        let reason = match reason {
            EndReason::Answer => EndReason::Person,
            EndReason::Person | EndReason::Until | EndReason::RestoredCopy => reason,
        };
        self.closing.want(reason, env.now);
        self.flush(env);
    }

    /// The person was told how the chat that they end stands: texts not acknowledged by now do not go again. They
    /// count as undelivered, unless it shows that the peer had them all the same.
    pub fn give_up_texts(&mut self) {
        if self.closing.is_wanted() {
            self.outbound.abandon();
        }
    }

    /// Drops the chat without an End: a 12 if a pair stands, then `Ended`.
    pub fn drop_pair(&mut self, _env: &mut Env<'_>) {
        if !matches!(self.stage, Stage::Over) {
            self.tell_ended(false, None, 0);
            self.forget();
        }
    }

    /// The peer's End.
    pub(super) fn take_end(&mut self, id: u64, reason: EndReason, now: Instant) -> Result<(), Cause> {
        let missing = self.inbound.missing(id);
        match (reason, self.closing.own) {
            (EndReason::Answer, Some(OwnEnd { reason: own, is_sent: true })) => {
                self.tell_ended(false, Some(own), missing);
                self.forget();
                return Ok(());
            }
            (EndReason::Answer, Some(OwnEnd { is_sent: false, .. }) | None) => {
                return Err(Error::PeerMisbehaved(Rule::Order).into());
            }
            (EndReason::RestoredCopy, _) | (EndReason::Person | EndReason::Until, None) => {
                self.tell_ended(true, Some(reason), missing);
            }
            // Both ended it: to this side's person it is their own End.
            (EndReason::Person | EndReason::Until, Some(own)) => {
                self.tell_ended(false, Some(own.reason), missing);
            }
        }
        let peer = self.closing.peer.get_or_insert_default();
        peer.is_owed |= !mem::replace(&mut peer.has_come, true);
        self.closing.give_up_at.get_or_insert(now + END_UNANSWERED);
        Ok(())
    }

    /// Sends the Ends that are due, after the acknowledgement that is owed.
    pub(super) fn send_ends(&mut self, now: Instant) -> Result<(), Cause> {
        let unsent = self.closing.own.filter(|own| !own.is_sent);
        let is_answer_owed = self.closing.peer.is_some_and(|peer| peer.is_owed);
        if self.inbound.is_owed() && (unsent.is_some() || is_answer_owed) {
            self.send_delivered(now)?;
        }
        let id = self.outbound.last_sealed();
        if let Some(own) = unsent {
            self.send_record(&ChatMessage::End { id, reason: own.reason })?;
            self.closing.own = Some(OwnEnd { is_sent: true, ..own });
        }
        if is_answer_owed {
            self.send_record(&ChatMessage::End { id, reason: EndReason::Answer })?;
            self.closing.peer = Some(PeerEnd { has_come: true, is_owed: false, is_answered: true });
        }
        Ok(())
    }

    /// A verified M2 without the root that was agreed: A says so and drops the chat.
    pub(super) fn end_by_restored_peer(&mut self) {
        self.tell_ended(false, Some(EndReason::RestoredCopy), 0);
        self.close();
    }

    /// Nothing more is waited for: the End counts as answered, or `until` is past.
    pub(super) fn give_up_end(&mut self, reason: EndReason) {
        let reason = self.closing.own.map_or(reason, |own| own.reason);
        self.tell_ended(false, Some(reason), 0);
        self.forget();
    }

    /// Leaves the pair, if one stands, for good.
    pub(super) fn forget(&mut self) {
        if self.is_paired() {
            self.send_return_to_lobby();
        }
        self.close();
    }

    /// Wipes what is left; the peer needs not be told.
    pub(super) fn close(&mut self) {
        self.root = None;
        self.stage = Stage::Over;
    }

    fn tell_ended(&mut self, by_peer: bool, reason: Option<EndReason>, missing: u64) {
        if !self.closing.is_told {
            self.closing.is_told = true;
            let undelivered = self.outbound.unacknowledged();
            self.outputs.push_back(Output::Ended { by_peer, reason, undelivered, missing });
        }
        self.outbound.abandon();
    }
}
