//! What goes into a chat and what comes out.

use std::time::Instant;

use zeroize::Zeroizing;

use crate::Error;
#[cfg(doc)]
use crate::chat::Chat;
use crate::crypto::entropy::Entropy;
use crate::crypto::kem::ReadyRsaKey;
use crate::crypto::signature::SigningKey;
use crate::wire::chat_record::EndReason;
use crate::wire::link::LinkMessage;
use crate::wire::request::Terms;

/// Which of the two this side is, for the chat's whole life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A: asked.
    Initiator,
    /// B: was asked.
    Responder,
}

/// What comes from outside with every call.
#[expect(missing_debug_implementations, reason = "a borrowed bundle of arguments, never kept")]
pub struct Env<'a> {
    /// The monotonic clock.
    pub now: Instant,
    /// The wall clock: Unix seconds.
    pub unix_now: u64,
    /// The identity key; `None` while locked.
    pub identity: Option<&'a SigningKey>,
    /// Ready RSA keys for suite 1; one is taken when needed.
    pub ready_rsa: &'a mut Vec<ReadyRsaKey>,
    /// Randomness.
    pub entropy: &'a mut dyn Entropy,
}

/// How a chat stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No pair: waits for offers to meet.
    Unpaired,
    /// A pair stands; M1–M3 or the State records are under way.
    Establishing,
    /// Texts go both ways.
    Open,
    /// This side's End is to be sent, or was sent and is not answered yet: no more texts either way.
    Ending,
    /// The peer's End was answered ([`Output::Ended`] was given): kept only to answer it again if that was lost.
    Answered,
    /// Over: to be dropped.
    Over,
}

/// How a pair was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairLoss {
    /// Type 12: the peer, or the relay, gave it up.
    Returned,
    /// Type 7: the peer's link is gone; nobody's failure.
    PeerGone,
}

/// What a chat wants done or known, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// To the relay: 6, 9 or 12 of this chat.
    Send(LinkMessage),
    /// Offer this chat to the peer, now: send [`Chat::offer`], unless the request has expired or the peer is blocked.
    Offer,
    /// The chat opened, for the first time or again: what was granted. At the first time the peer's key becomes
    /// the pin.
    Opened {
        /// Whether it never was open before.
        first: bool,
        /// The grant.
        granted: Terms,
    },
    /// A text arrived. It is acknowledged once the owner says that it holds it ([`Chat::handle_held`]).
    Text {
        /// Its number.
        id: u64,
        /// The text.
        text: String,
    },
    /// The peer holds this side's texts up to and with this one.
    Delivered {
        /// The last one's number.
        up_to: u64,
        /// Those of them that were kept for sending again, with their numbers.
        texts: Vec<(u64, Zeroizing<String>)>,
    },
    /// The link, the pair or a fault interrupted it; keys are wiped.
    Interrupted {
        /// The fault, if it was one.
        fault: Option<Error>,
    },
    /// Three attempts in a row failed: a person should know.
    Troubled,
    /// It ended, for a person; given once. The owner drops the chat when [`Chat::phase`] is [`Phase::Over`], not
    /// before.
    Ended {
        /// Whose End it was.
        by_peer: bool,
        /// Why; `None`: dropped without an End.
        reason: Option<EndReason>,
        /// Own texts never acknowledged.
        undelivered: u32,
        /// The peer's texts that never arrived.
        missing: u64,
    },
}

/// Why a text was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The chat never opened, is ending or over.
    #[error("the chat is not open")]
    NotOpen,
    /// Above [`MAX_TEXT_BYTES`](crate::limits::MAX_TEXT_BYTES).
    #[error("a text is at most 32768 bytes long")]
    TooLong,
    /// The window is full: try again after the next [`Output::Delivered`].
    #[error("too many texts wait for the peer's acknowledgement")]
    WindowFull,
    /// A primitive failed; the chat was interrupted.
    #[error("the text could not be sealed")]
    Failed,
}
