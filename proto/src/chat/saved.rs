//! What of a chat is kept on disk, and the chat that comes back from it (PROTOCOL.md §8 On disk). Never chains, keys and
//! counters: a chat that comes back can only resume.

use std::time::Instant;

use crate::chat::attempts::Attempts;
use crate::chat::ending::Closing;
use crate::chat::stage::{Offering, Stage};
use crate::chat::texts::{Inbound, Outbound};
use crate::chat::until::Lifetime;
use crate::chat::{Chat, Env, Side};
use crate::crypto::kem::Suites;
use crate::crypto::secret::Secret;
use crate::handshake::ChatContext;
use crate::wire::chat_record::EndReason;
use crate::wire::request::Terms;

/// A chat whose keys were established, as it is kept; its unacknowledged texts are kept beside it.
#[derive(Clone, Debug)]
pub struct SavedChat {
    /// Which side this is.
    pub side: Side,
    /// What the chat was made of.
    pub context: ChatContext,
    /// The grant.
    pub granted: Terms,
    /// The root: whoever lacks it cannot resume.
    pub root: Secret<32>,
    /// Whether it has been open.
    pub has_opened: bool,
    /// The last number given to a text of this side.
    pub last_sent: u64,
    /// The last one that the peer acknowledged.
    pub acknowledged: u64,
    /// The last text of the peer that this side holds.
    pub held: u64,
    /// How far its end is.
    pub end: SavedEnd,
}

/// How far the end of a chat is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SavedEnd {
    /// This side's End, not answered yet.
    pub own: Option<EndReason>,
    /// The peer's End was taken; whether it was answered.
    pub peer: Option<bool>,
    /// The person was told.
    pub is_told: bool,
    /// When it counts as over all the same: Unix seconds.
    pub give_up_at: Option<u64>,
}

/// What has to be on disk before records that follow from it leave: two that are equal ask for the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Promises {
    roots: u32,
    last_sent: u64,
    is_ending: bool,
    is_ended_by_peer: bool,
}

impl Chat {
    /// What is to be kept of it; `None` as long as nothing could resume, and when it is over.
    #[must_use]
    pub fn saved(&self, now: Instant, unix_now: u64) -> Option<SavedChat> {
        if !self.is_established || matches!(self.stage, Stage::Over) {
            return None;
        }
        Some(SavedChat {
            side: self.side,
            context: self.context.clone(),
            granted: self.terms(),
            root: self.root.clone()?,
            has_opened: self.has_opened,
            last_sent: self.outbound.last_taken(),
            acknowledged: self.outbound.acknowledged(),
            held: self.inbound.held(),
            end: self.closing.saved(now, unix_now),
        })
    }

    /// What has to be on disk before the records that were put out by now may leave.
    #[must_use]
    pub fn promises(&self) -> Promises {
        Promises {
            roots: self.roots,
            last_sent: self.outbound.last_taken(),
            is_ending: self.closing.is_wanted(),
            is_ended_by_peer: self.closing.is_by_peer(),
        }
    }

    /// The last number given to a text of this side.
    #[must_use]
    pub fn last_text(&self) -> u64 {
        self.outbound.last_taken()
    }

    /// An own text that is not acknowledged.
    #[must_use]
    pub fn kept_text(&self, id: u64) -> Option<&str> {
        self.outbound.kept_text(id)
    }

    /// The chat that was kept, with its unacknowledged texts in order. There is no link yet: [`Self::handle_login`]
    /// follows.
    #[must_use]
    pub fn restore(
        saved: SavedChat,
        texts: impl IntoIterator<Item = (u64, String)>,
        suites: Suites,
        env: &Env<'_>,
    ) -> Self {
        Self {
            side: saved.side,
            context: saved.context,
            suites,
            granted: Some(saved.granted),
            root: Some(saved.root),
            roots: 0,
            is_established: true,
            has_opened: saved.has_opened,
            stage: Stage::Unpaired(Offering::NoLink),
            attempts: Attempts::default(),
            outbound: Outbound::restore(saved.last_sent, saved.acknowledged, texts),
            inbound: Inbound::restore(saved.held),
            closing: Closing::restore(saved.end, env.now, env.unix_now),
            lifetime: Lifetime::new(saved.granted.until, env.now, env.unix_now),
            strays: 0,
            outputs: std::collections::VecDeque::new(),
        }
    }

    /// What was put out since `promises` was last on disk could not be kept, and did not leave. The pair is left; texts
    /// above `last_kept` are taken back, as if they had never been given.
    pub fn handle_unkept(&mut self, last_kept: u64, env: &mut Env<'_>) {
        if self.is_paired() {
            self.interrupt(crate::chat::stage::Cause::Unkept, env);
        }
        self.outbound.take_back_after(last_kept);
    }
}
