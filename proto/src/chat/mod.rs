//! One conversation with a peer (PROTOCOL.md §7, §8): from two matching offers to the authenticated end, over a
//! link that can fail and a relay that can lie.
//!
//! The owner makes the offers ([`Output::Offer`] says when) and feeds what the relay forwards; a [`Chat`] runs
//! M1–M3, seals and opens records, keeps what is unacknowledged, renews keys and ends. It outlives its pairs.

mod attempts;
mod ending;
mod establish;
mod io;
mod rekey;
mod saved;
mod stage;
mod talk;
#[cfg(test)]
#[expect(clippy::wildcard_enum_match_arm, reason = "a test names what it looks for")]
mod tests;
mod texts;
mod until;

use std::collections::VecDeque;
use std::time::Instant;

pub use io::{Env, Output, PairLoss, Phase, SendError, Side};
pub use saved::{Promises, SavedChat, SavedEnd};

use attempts::Attempts;
use ending::Closing;
use stage::{Keys, Offering, Stage, Talk};
use texts::{Inbound, Outbound};
use until::Lifetime;

use crate::crypto::kem::Suites;
use crate::crypto::secret::Secret;
use crate::error::Rule;
use crate::handshake::ChatContext;
use crate::wire::chat_record::EndReason;
use crate::wire::link::{ChatId, LinkMessage};
use crate::wire::request::Terms;
use crate::{Error, UserName};

/// One conversation.
#[derive(Debug)]
pub struct Chat {
    side: Side,
    context: ChatContext,
    suites: Suites,
    /// B's from its accept, A's from its first M3 on.
    granted: Option<Terms>,
    /// The chat's root: whoever lacks it cannot resume.
    root: Option<Secret<32>>,
    /// How many roots were made here.
    roots: u32,
    is_established: bool,
    has_opened: bool,
    stage: Stage,
    attempts: Attempts,
    outbound: Outbound,
    inbound: Inbound,
    closing: Closing,
    lifetime: Lifetime,
    strays: u64,
    /// Drained by the owner after every call; a call adds a window of texts at most.
    outputs: VecDeque<Output>,
}

impl Chat {
    /// A chat that was asked for (`Initiator`, its request sent) or accepted (`Responder`, `granted` fixed by the
    /// accept and Response 1 sent). No pair stands yet. While there is no link, [`Self::handle_link_lost`] follows.
    #[must_use]
    pub fn new(
        side: Side,
        context: ChatContext,
        granted: Option<Terms>,
        suites: Suites,
        env: &Env<'_>,
    ) -> Self {
        let until = granted.unwrap_or(context.request.terms).until;
        Self {
            side,
            context,
            suites,
            granted,
            root: None,
            roots: 0,
            is_established: false,
            has_opened: false,
            stage: Stage::Unpaired(Offering::Made),
            attempts: Attempts::default(),
            outbound: Outbound::default(),
            inbound: Inbound::default(),
            closing: Closing::default(),
            lifetime: Lifetime::new(until, env.now, env.unix_now),
            strays: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> ChatId {
        self.context.request.chat_id
    }

    /// Which side this is.
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    /// How it stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        let phase = match &self.stage {
            Stage::Over => return Phase::Over,
            Stage::Unpaired(_) => Phase::Unpaired,
            Stage::AwaitingM1(_)
            | Stage::AwaitingM2(..)
            | Stage::AwaitingM3(..)
            | Stage::AwaitingState(..) => Phase::Establishing,
            Stage::Open(_) => Phase::Open,
        };
        if self.closing.is_by_peer() {
            Phase::Answered
        } else if self.closing.is_wanted() {
            Phase::Ending
        } else {
            phase
        }
    }

    /// Whether it has been open before: it is then held until its end, and offered again after each login.
    #[must_use]
    pub fn has_opened(&self) -> bool {
        self.has_opened
    }

    /// Whether M3 has verified (B) or left (A): Response 1 or the RTT is then spent, and offers are Resumes.
    #[must_use]
    pub fn is_established(&self) -> bool {
        self.is_established
    }

    /// The grant, once fixed.
    #[must_use]
    pub fn granted(&self) -> Option<Terms> {
        self.granted
    }

    /// What the chat was made of.
    #[must_use]
    pub fn context(&self) -> &ChatContext {
        &self.context
    }

    /// The other one.
    #[must_use]
    pub fn peer(&self) -> &UserName {
        match self.side {
            Side::Initiator => &self.context.responder.0,
            Side::Responder => &self.context.initiator.0,
        }
    }

    /// Own texts that are not acknowledged.
    #[must_use]
    pub fn undelivered(&self) -> u32 {
        self.outbound.unacknowledged()
    }

    /// Handshake messages and records that had no place and were dropped.
    #[must_use]
    pub fn strays(&self) -> u64 {
        self.strays
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, env: &mut Env<'_>) {
        self.check_lifetime(env);
        let is_due = |at: Instant| at <= env.now;
        if self.closing.give_up_at().is_some_and(is_due) && !matches!(self.stage, Stage::Over) {
            self.give_up_end(EndReason::Person);
        }
        match &self.stage {
            Stage::Unpaired(Offering::At(at)) if is_due(*at) => self.make_offer(env),
            Stage::AwaitingM1(pairing)
            | Stage::AwaitingM2(pairing, _)
            | Stage::AwaitingM3(pairing, _)
            | Stage::AwaitingState(pairing, _)
                if is_due(pairing.deadline) =>
            {
                self.interrupt(Error::PeerMisbehaved(Rule::Late).into(), env);
            }
            Stage::Open(_) => {
                self.handle_rekey_timeout(env);
                self.flush(env);
            }
            Stage::Unpaired(_)
            | Stage::AwaitingM1(_)
            | Stage::AwaitingM2(..)
            | Stage::AwaitingM3(..)
            | Stage::AwaitingState(..)
            | Stage::Over => {}
        }
    }

    /// When [`Self::handle_timeout`] wants to be called; may change with every other call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let stage_at = match &self.stage {
            Stage::Over => return None,
            Stage::Unpaired(Offering::At(at)) => Some(*at),
            Stage::Unpaired(Offering::Made | Offering::Locked | Offering::Troubled | Offering::NoLink) => {
                None
            }
            Stage::AwaitingM1(pairing)
            | Stage::AwaitingM2(pairing, _)
            | Stage::AwaitingM3(pairing, _)
            | Stage::AwaitingState(pairing, _) => Some(pairing.deadline),
            Stage::Open(talk) => earlier(self.rekey_due_at(talk), self.delivered_due_at(talk)),
        };
        earlier(stage_at, earlier(self.lifetime.check_at, self.closing.give_up_at()))
    }

    /// The next output; to be asked until `None` after every call.
    #[must_use]
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn delivered_due_at(&self, talk: &Talk) -> Option<Instant> {
        match &talk.keys {
            Keys::Settled(_) | Keys::Asked { .. } if !self.closing.is_silent() => self.inbound.due_at(),
            Keys::Settled(_) | Keys::Asked { .. } | Keys::Answered { .. } => None,
        }
    }

    fn is_paired(&self) -> bool {
        match &self.stage {
            Stage::Unpaired(_) | Stage::Over => false,
            Stage::AwaitingM1(_)
            | Stage::AwaitingM2(..)
            | Stage::AwaitingM3(..)
            | Stage::AwaitingState(..)
            | Stage::Open(_) => true,
        }
    }

    fn note_stray(&mut self) {
        self.strays = self.strays.saturating_add(1);
    }

    fn send_return_to_lobby(&mut self) {
        self.outputs.push_back(Output::Send(LinkMessage::ReturnToLobby { chat_id: self.id() }));
    }
}

fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
