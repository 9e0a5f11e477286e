//! Renewal of an open chat's keys: M1–M3 as records under the old ones (PROTOCOL.md §8 Rekey).
//!
//! M2 is B's last record under the old keys, M3 A's. Between them A sends on under the old keys, B sends nothing.

use std::mem;
use std::time::Instant;

use crate::chat::stage::{Cause, Keys, Stage, Talk};
use crate::chat::{Chat, Env, Side};
use crate::error::{CryptoOperation, Error, Rule};
use crate::handshake::{initiator, responder};
use crate::limits::{REKEY_AFTER, REKEY_AFTER_RECORDS, REKEY_TIMEOUT};
use crate::record::Session;
use crate::wire::chat_record::ChatMessage;
use crate::wire::link::Step;

/// How much keys were used.
#[derive(Debug)]
pub(super) struct Usage {
    since: Instant,
    records: u64,
    /// Renewal is due, but the identity is locked.
    waits_for_identity: bool,
}

impl Usage {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, records: 0, waits_for_identity: false }
    }

    pub(super) fn count_record(&mut self) {
        self.records = self.records.saturating_add(1);
    }

    /// Whether it is time to renew them. Keys that nothing was sent under are not in use.
    fn is_due(&self, now: Instant) -> bool {
        self.records >= REKEY_AFTER_RECORDS || self.due_at().is_some_and(|at| at <= now)
    }

    fn due_at(&self) -> Option<Instant> {
        (self.records > 0).then(|| self.since + REKEY_AFTER)
    }
}

impl Chat {
    /// Whether a rekey is under way: wiping the identity key waits until it is not (10 s at most).
    #[must_use]
    pub fn is_rekeying(&self) -> bool {
        match &self.stage {
            Stage::Open(Talk { keys, .. }) => match keys {
                Keys::Asked { give_up_at, .. } => give_up_at.is_some(),
                Keys::Answered { .. } => true,
                Keys::Settled(_) => false,
            },
            Stage::Unpaired(_)
            | Stage::AwaitingM1(_)
            | Stage::AwaitingM2(..)
            | Stage::AwaitingM3(..)
            | Stage::AwaitingState(..)
            | Stage::Over => false,
        }
    }

    /// A asks for new keys when the present ones were used enough.
    pub(super) fn start_rekey_if_due(&mut self, env: &mut Env<'_>) -> Result<(), Cause> {
        let Stage::Open(talk) = &mut self.stage else { return Ok(()) };
        let is_idle = match &talk.keys {
            Keys::Settled(_) => true,
            Keys::Asked { give_up_at, .. } => give_up_at.is_none(),
            Keys::Answered { .. } => false,
        };
        if self.side != Side::Initiator || !is_idle || !talk.usage.is_due(env.now) {
            return Ok(());
        }
        talk.usage.waits_for_identity = env.identity.is_none();
        if env.identity.is_none() {
            return Ok(());
        }
        let (expect, body) = initiator::send_m1(&self.context, &self.suites, env.entropy)?;
        self.send_record(&ChatMessage::KeyEstablishment { step: Step::M1, body })?;
        self.replace_keys(|keys| match keys {
            Keys::Settled(session) | Keys::Asked { session, .. } => {
                Keys::Asked { session, expect, give_up_at: Some(env.now + REKEY_TIMEOUT) }
            }
            Keys::Answered { .. } => keys,
        });
        Ok(())
    }

    /// A step of a rekey came.
    pub(super) fn take_rekey_step(
        &mut self,
        step: Step,
        body: &[u8],
        env: &mut Env<'_>,
    ) -> Result<(), Cause> {
        match (self.side, step) {
            (Side::Responder, Step::M1) => self.take_rekey_m1(body, env),
            (Side::Initiator, Step::M2) => self.take_rekey_m2(body, env),
            (Side::Responder, Step::M3) => self.take_rekey_m3(body, env),
            (Side::Initiator, Step::M1 | Step::M3) | (Side::Responder, Step::M2) => {
                Err(Error::PeerMisbehaved(Rule::Order).into())
            }
        }
    }

    /// B answers at once or never: not when locked, ending, without a suite or a key for it. One for another chat, or
    /// after M2, which was B's last record under these keys, is a stray.
    fn take_rekey_m1(&mut self, body: &[u8], env: &mut Env<'_>) -> Result<(), Cause> {
        let is_answered = matches!(&self.stage, Stage::Open(Talk { keys: Keys::Answered { .. }, .. }));
        let m1 = match responder::read_m1(&self.context, body, &self.suites) {
            Ok(m1) if !is_answered => m1,
            Ok(_) | Err(Error::PeerMisbehaved(Rule::Order)) => {
                self.note_stray();
                return Ok(());
            }
            Err(Error::PeerMisbehaved(Rule::Suite)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if self.closing.is_begun() {
            return Ok(());
        }
        let (expect, body) = match self.answer_m1(m1, env) {
            Ok(answered) => answered,
            Err(Cause::Locked | Cause::Fault(Error::Crypto(CryptoOperation::NoReadyKey))) => return Ok(()),
            Err(cause) => return Err(cause),
        };
        self.send_record(&ChatMessage::KeyEstablishment { step: Step::M2, body })?;
        self.replace_keys(|keys| match keys {
            Keys::Settled(session) | Keys::Asked { session, .. } => {
                Keys::Answered { opener: session.opener, expect, deadline: env.now + REKEY_TIMEOUT }
            }
            Keys::Answered { .. } => keys,
        });
        Ok(())
    }

    /// A answers even while it ends the chat: B waits for it.
    fn take_rekey_m2(&mut self, body: &[u8], env: &mut Env<'_>) -> Result<(), Cause> {
        let Some(Talk { keys, usage }) = self.take_talk() else { return Ok(()) };
        match keys {
            Keys::Asked { session, expect, .. } if expect.is_for_us(body) => {
                let (new, body) = self.answer_m2(expect, body, env)?;
                self.stage = Stage::Open(Talk { keys: Keys::Settled(session), usage });
                self.send_record(&ChatMessage::KeyEstablishment { step: Step::M3, body })?;
                self.settle(new, env.now);
            }
            keys @ (Keys::Settled(_) | Keys::Asked { .. } | Keys::Answered { .. }) => {
                self.stage = Stage::Open(Talk { keys, usage });
                self.note_stray();
            }
        }
        Ok(())
    }

    fn take_rekey_m3(&mut self, body: &[u8], env: &Env<'_>) -> Result<(), Cause> {
        let Some(Talk { keys, usage }) = self.take_talk() else { return Ok(()) };
        match keys {
            Keys::Answered { expect, .. } if expect.is_for_us(body) => {
                let session = self.adopt(expect.read_m3(body)?, env);
                self.settle(session, env.now);
                self.inbound.hurry();
            }
            keys @ (Keys::Settled(_) | Keys::Asked { .. } | Keys::Answered { .. }) => {
                self.stage = Stage::Open(Talk { keys, usage });
                self.note_stray();
            }
        }
        Ok(())
    }

    /// Does what is due of a rekey.
    pub(super) fn handle_rekey_timeout(&mut self, env: &mut Env<'_>) {
        let Stage::Open(talk) = &mut self.stage else { return };
        match &mut talk.keys {
            Keys::Asked { give_up_at, .. } if give_up_at.is_some_and(|at| at <= env.now) => {
                *give_up_at = None;
                talk.usage = Usage::new(env.now);
            }
            Keys::Answered { deadline, .. } if *deadline <= env.now => {
                self.interrupt(Error::PeerMisbehaved(Rule::Late).into(), env);
            }
            Keys::Settled(_) | Keys::Asked { .. } | Keys::Answered { .. } => {}
        }
    }

    /// When something of a rekey is due.
    pub(super) fn rekey_due_at(&self, talk: &Talk) -> Option<Instant> {
        let start_at =
            if self.side == Side::Responder || self.closing.is_begun() || talk.usage.waits_for_identity {
                None
            } else {
                talk.usage.due_at()
            };
        match &talk.keys {
            Keys::Settled(_) => start_at,
            Keys::Asked { give_up_at, .. } => give_up_at.or(start_at),
            Keys::Answered { deadline, .. } => Some(*deadline),
        }
    }

    /// New keys are in force; the old are wiped.
    fn settle(&mut self, session: Session, now: Instant) {
        self.stage = Stage::Open(Talk::new(session, now));
    }

    fn replace_keys(&mut self, replace: impl FnOnce(Keys) -> Keys) {
        if let Some(Talk { keys, usage }) = self.take_talk() {
            self.stage = Stage::Open(Talk { keys: replace(keys), usage });
        }
    }

    /// The open chat, to be put back changed; a failure in between ends in an interruption, which needs none.
    fn take_talk(&mut self) -> Option<Talk> {
        match mem::replace(&mut self.stage, Stage::Over) {
            Stage::Open(talk) => Some(talk),
            stage @ (Stage::Unpaired(_)
            | Stage::AwaitingM1(_)
            | Stage::AwaitingM2(..)
            | Stage::AwaitingM3(..)
            | Stage::AwaitingState(..)
            | Stage::Over) => {
                self.stage = stage;
                None
            }
        }
    }
}
