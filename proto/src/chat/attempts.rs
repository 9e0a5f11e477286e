//! Interruptions and offers: when the chat is offered again, and when it is not (PROTOCOL.md §8 Resume).

use std::time::{Duration, Instant};

use crate::chat::stage::{Cause, Offering, Stage};
use crate::chat::{Chat, Env, Output, PairLoss, Side};
use crate::error::{CryptoOperation, Error};
use crate::limits::{MAX_RESUME_ATTEMPTS, RESUME_BACKOFF, RESUME_SETTLED};
use crate::wire::link::{Answer, LinkMessage};

/// How the present attempt goes, and how many before it failed in a row.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    failures: u32,
    /// A Text or Delivered came.
    has_progressed: bool,
    opened_at: Option<Instant>,
}

impl Attempts {
    /// A pair stands.
    pub(super) fn begin(&mut self) {
        self.has_progressed = false;
        self.opened_at = None;
    }

    pub(super) fn note_opened(&mut self, now: Instant) {
        self.opened_at = Some(now);
    }

    pub(super) fn note_progress(&mut self) {
        self.has_progressed = true;
    }

    /// The attempt ended; whether it failed.
    fn conclude(&mut self, cause: Cause, now: Instant) -> bool {
        let settled = self.opened_at.is_some_and(|at| now.saturating_duration_since(at) >= RESUME_SETTLED);
        if self.has_progressed || settled {
            self.failures = 0;
            return false;
        }
        let has_failed = match cause {
            // A missing RSA key is this side's and passes.
            Cause::Fault(error) => error != Error::Crypto(CryptoOperation::NoReadyKey),
            Cause::Returned | Cause::RestoredPeer => true,
            Cause::Locked | Cause::Unkept | Cause::PeerGone | Cause::LinkLost => false,
        };
        self.failures = self.failures.saturating_add(u32::from(has_failed));
        has_failed
    }

    fn is_troubled(&self) -> bool {
        self.failures >= MAX_RESUME_ATTEMPTS
    }

    /// The wait before the next offer, up to a quarter longer so that two sides do not stay in step.
    fn wait(&self, env: &mut Env<'_>) -> Duration {
        let factor = 4_u32.saturating_pow(self.failures);
        let wait = RESUME_BACKOFF.saturating_mul(factor);
        let mut jitter = [0];
        match env.entropy.fill(&mut jitter) {
            Ok(()) => wait.saturating_add(wait.saturating_mul(jitter[0].into()) / 1_024),
            Err(_) => wait,
        }
    }
}

impl Chat {
    /// The offer to make for it: A's request until the chat has opened, B's Response 1 until M3 has verified, then a
    /// Resume.
    #[must_use]
    pub fn offer(&self) -> LinkMessage {
        let chat_id = self.id();
        match self.side {
            Side::Initiator if !self.has_opened => {
                LinkMessage::Rtt { name: self.peer().clone(), request: self.context.request.encode() }
            }
            Side::Responder if !self.is_established => {
                LinkMessage::Response { answer: Answer::Accept, name: self.peer().clone(), chat_id }
            }
            Side::Initiator | Side::Responder => LinkMessage::Resume { name: self.peer().clone(), chat_id },
        }
    }

    /// Type 12 or 7 came for this chat.
    pub fn handle_pair_lost(&mut self, loss: PairLoss, env: &mut Env<'_>) {
        let cause = match loss {
            PairLoss::Returned if self.closing.has_answered() => return self.close(),
            PairLoss::Returned => Cause::Returned,
            PairLoss::PeerGone => Cause::PeerGone,
        };
        if self.is_paired() {
            self.interrupt(cause, env);
        }
    }

    /// The link went: nothing more can be sent before the next [`Self::handle_pair`].
    pub fn handle_link_lost(&mut self, env: &mut Env<'_>) {
        if self.is_paired() {
            self.interrupt(Cause::LinkLost, env);
        } else if let Stage::Unpaired(offering) = &mut self.stage {
            *offering = Offering::NoLink;
        }
    }

    /// A new login: asks for an [`Output::Offer`], unless locked.
    pub fn handle_login(&mut self, env: &mut Env<'_>) {
        self.handle_link_lost(env);
        self.check_lifetime(env);
        self.make_offer(env);
    }

    /// The owner could not make the last [`Output::Offer`], and can now: asks for it again, unless a pair stands all
    /// the same.
    pub fn offer_again(&mut self, env: &mut Env<'_>) {
        if matches!(self.stage, Stage::Unpaired(Offering::Made)) {
            self.make_offer(env);
        }
    }

    /// The identity was unlocked: makes the offer that locking held back.
    pub fn handle_unlock(&mut self, env: &mut Env<'_>) {
        match &self.stage {
            Stage::Unpaired(Offering::Locked) => self.make_offer(env),
            Stage::Open(_) => self.flush(env),
            Stage::Unpaired(_)
            | Stage::AwaitingM1(_)
            | Stage::AwaitingM2(..)
            | Stage::AwaitingM3(..)
            | Stage::AwaitingState(..)
            | Stage::Over => {}
        }
    }

    /// A person asks for it after [`Output::Troubled`]: the count of failures starts anew and an offer is made.
    pub fn resume_now(&mut self, env: &mut Env<'_>) {
        self.attempts.failures = 0;
        match &self.stage {
            Stage::Unpaired(Offering::At(_) | Offering::Locked | Offering::Troubled) => self.make_offer(env),
            Stage::Unpaired(Offering::Made | Offering::NoLink)
            | Stage::AwaitingM1(_)
            | Stage::AwaitingM2(..)
            | Stage::AwaitingM3(..)
            | Stage::AwaitingState(..)
            | Stage::Open(_)
            | Stage::Over => {}
        }
    }

    /// Makes the offer, there being no pair; a locked end holds it back.
    pub(super) fn make_offer(&mut self, env: &Env<'_>) {
        let Stage::Unpaired(offering) = &mut self.stage else { return };
        if env.identity.is_none() {
            *offering = Offering::Locked;
        } else {
            *offering = Offering::Made;
            self.outputs.push_back(Output::Offer);
        }
    }

    /// Leaves the pair that stands: keys are wiped, all else stays.
    pub(super) fn interrupt(&mut self, cause: Cause, env: &mut Env<'_>) {
        let has_failed = self.attempts.conclude(cause, env.now);
        let fault = match cause {
            Cause::Fault(error) => Some(error),
            Cause::Locked
            | Cause::Unkept
            | Cause::RestoredPeer
            | Cause::Returned
            | Cause::PeerGone
            | Cause::LinkLost => None,
        };
        match cause {
            Cause::Fault(_) | Cause::Locked | Cause::Unkept | Cause::RestoredPeer => {
                self.send_return_to_lobby()
            }
            Cause::Returned | Cause::PeerGone | Cause::LinkLost => {}
        }
        self.closing.leave_pair();
        if cause == Cause::RestoredPeer {
            return self.end_by_restored_peer();
        }
        let is_told = self.closing.is_told();
        if !is_told {
            self.outputs.push_back(Output::Interrupted { fault });
        }
        let is_troubled = self.attempts.is_troubled();
        if has_failed && self.attempts.failures == MAX_RESUME_ATTEMPTS && !is_told {
            self.outputs.push_back(Output::Troubled);
        }
        self.stage = Stage::Unpaired(match cause {
            Cause::LinkLost => Offering::NoLink,
            Cause::Locked => Offering::Locked,
            Cause::Fault(_) | Cause::Unkept | Cause::RestoredPeer | Cause::Returned | Cause::PeerGone
                if is_troubled =>
            {
                Offering::Troubled
            }
            Cause::Fault(_) | Cause::Unkept | Cause::RestoredPeer | Cause::Returned | Cause::PeerGone => {
                Offering::At(env.now + self.attempts.wait(env))
            }
        });
    }
}
