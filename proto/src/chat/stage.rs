//! Where a chat stands: variants that own what only they need, so that leaving one wipes it.

use std::time::Instant;

use crate::Error;
use crate::chat::rekey::Usage;
use crate::handshake::initiator::ExpectM2;
use crate::handshake::responder::ExpectM3;
use crate::limits::{KEY_ESTABLISHMENT_TIMEOUT, MAX_HANDSHAKES_PER_PAIR};
use crate::record::{Opener, Sealer, Session};

/// Where a chat stands.
#[derive(Debug)]
pub(super) enum Stage {
    /// No pair.
    Unpaired(Offering),
    /// B: a pair stands.
    AwaitingM1(Pairing),
    /// A: M1 was sent.
    AwaitingM2(Pairing, ExpectM2),
    /// B: M2 was sent.
    AwaitingM3(Pairing, ExpectM3),
    /// The keys and this side's State are out; the peer's first record is not in.
    AwaitingState(Pairing, Session),
    /// Both States are in.
    Open(Talk),
    /// Nothing comes any more.
    Over,
}

/// What becomes of the offer while there is no pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offering {
    /// The relay has it.
    Made,
    /// Backing off.
    At(Instant),
    /// The identity is locked.
    Locked,
    /// Too many attempts failed: at the next login, or when a person asks.
    Troubled,
    /// There is no link: at the next login.
    NoLink,
}

/// A pair whose keys are not established.
#[derive(Debug)]
pub(super) struct Pairing {
    /// When it is given up.
    pub(super) deadline: Instant,
    /// How many M1 were answered.
    answered: u32,
    /// The last one answered: the same again is a replay, not a newer one.
    last_m1: Option<Vec<u8>>,
}

impl Pairing {
    pub(super) fn new(now: Instant) -> Self {
        Self { deadline: now + KEY_ESTABLISHMENT_TIMEOUT, answered: 0, last_m1: None }
    }

    /// Whether B answers this M1: newer than the last, and not one too many.
    pub(super) fn may_answer(&self, m1: &[u8]) -> bool {
        self.answered < MAX_HANDSHAKES_PER_PAIR && self.last_m1.as_deref() != Some(m1)
    }

    pub(super) fn note_answered(&mut self, m1: &[u8]) {
        self.answered = self.answered.saturating_add(1);
        self.last_m1 = Some(m1.to_vec());
    }
}

/// An open chat.
#[derive(Debug)]
pub(super) struct Talk {
    /// The keys, and how far their renewal is.
    pub(super) keys: Keys,
    /// How much they were used.
    pub(super) usage: Usage,
}

impl Talk {
    pub(super) fn new(session: Session, now: Instant) -> Self {
        Self { keys: Keys::Settled(session), usage: Usage::new(now) }
    }
}

/// The keys of an open chat, and how far their renewal is (PROTOCOL.md §8 Rekey).
#[derive(Debug)]
pub(super) enum Keys {
    /// No renewal under way.
    Settled(Session),
    /// A sent M1 and goes on under the old keys.
    Asked {
        /// The old keys.
        session: Session,
        /// What M2 must fit; kept when given up, so that a late M2 is still answered.
        expect: ExpectM2,
        /// When A gives it up; `None`: it did.
        give_up_at: Option<Instant>,
    },
    /// B sent M2, its last old record, and sends nothing before M3.
    Answered {
        /// A's old keys: it sends on until M3.
        opener: Opener,
        /// What M3 must fit.
        expect: ExpectM3,
        /// When M3 is late.
        deadline: Instant,
    },
}

impl Keys {
    /// What this side may send with now.
    pub(super) fn sealer(&mut self) -> Option<&mut Sealer> {
        match self {
            Self::Settled(session) | Self::Asked { session, .. } => Some(&mut session.sealer),
            Self::Answered { .. } => None,
        }
    }

    /// What the peer's records open with.
    pub(super) fn opener(&mut self) -> &mut Opener {
        match self {
            Self::Settled(session) | Self::Asked { session, .. } => &mut session.opener,
            Self::Answered { opener, .. } => opener,
        }
    }
}

/// Why a pair is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// This side saw a fault or gave up: the peer is told (12).
    Fault(Error),
    /// The identity is locked: the peer is told (12); no failure.
    Locked,
    /// What this side promised could not be kept on disk: the peer is told (12); no failure.
    Unkept,
    /// The peer proved that it holds an older copy: the chat is over.
    RestoredPeer,
    /// A 12 came.
    Returned,
    /// A 7 came.
    PeerGone,
    /// This side's link went.
    LinkLost,
}

impl From<Error> for Cause {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}
