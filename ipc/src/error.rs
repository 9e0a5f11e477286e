//! Why a command failed: for programs to branch on and people to read.

use serde::{Deserialize, Serialize};

use crate::UserName;
use crate::types::ChatId;

/// Why a command failed. Append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum CommandError {
    /// No configuration yet.
    #[error("no user is set up in this profile: run `secchatctl init`")]
    NotConfigured,
    /// Needs the identity key.
    #[error("the identity key is locked: run `secchatctl unlock`")]
    Locked,
    /// The passphrase does not open the key.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// The key file cannot be used.
    #[error("{why}")]
    IdentityUnusable {
        /// What is wrong with which file, and what mends it.
        why: String,
    },
    /// No link to the relay.
    #[error("not connected to the relay: {why}")]
    NotConnected {
        /// Why, and what happens next.
        why: String,
    },
    /// The peer is not available: hidden, offline or unknown.
    #[error("{peer} is not available now")]
    PeerUnavailable {
        /// Who.
        peer: UserName,
    },
    /// The peer said no.
    #[error("{peer} refused")]
    Refused {
        /// Who.
        peer: UserName,
    },
    /// Nothing came of it in time.
    #[error("timed out")]
    TimedOut,
    /// The request's time ran out.
    #[error("{peer} did not answer")]
    Expired {
        /// Who.
        peer: UserName,
    },
    /// The relay offers another key for the peer than the pinned one.
    #[error(
        "{peer}'s key is not the one that was pinned: ask {peer} for the safety number and run `secchatctl verify {peer}`, or `secchatctl forget {peer}`"
    )]
    KeyChanged {
        /// Whose.
        peer: UserName,
    },
    /// The number is not the right one.
    #[error("the safety number is not the right one: do not talk to {peer} before you know why")]
    WrongSafetyNumber {
        /// Whose.
        peer: UserName,
    },
    /// No key is known for the peer.
    #[error("no key of {peer} is known yet")]
    NoKey {
        /// Whose.
        peer: UserName,
    },
    /// No chat with the peer.
    #[error("no chat is open with {peer}: ask with `secchatctl rtt {peer}`")]
    NoChat {
        /// With whom.
        peer: UserName,
    },
    /// The chat ended before the peer's daemon acknowledged the text.
    #[error("the chat ended before {peer}'s daemon acknowledged the text")]
    NotDelivered {
        /// To whom.
        peer: UserName,
        /// In which chat.
        chat_id: ChatId,
    },
    /// No request of the peer's.
    #[error("{peer} has not asked to talk")]
    NoRequest {
        /// Of whom.
        peer: UserName,
    },
    /// A request of somebody was already answered, by another frontend or otherwise.
    #[error("{why}")]
    AlreadyResolved {
        /// By whom, when and how.
        why: String,
    },
    /// The peer is blocked by this user.
    #[error("{peer} is blocked: run `secchatctl unblock {peer}`")]
    Blocked {
        /// Who.
        peer: UserName,
    },
    /// A text is too long, a lifetime out of range, a grant above what was asked, …
    #[error("{why}")]
    Invalid {
        /// What is wrong and what is allowed.
        why: String,
    },
    /// A bound of this daemon.
    #[error("{why}")]
    LimitReached {
        /// Which, and what to do.
        why: String,
    },
    /// The change is in force but could not be saved.
    #[error("in force until the daemon stops, but not saved: {why}")]
    NotSaved {
        /// Which file, and why.
        why: String,
    },
    /// The daemon is stopping.
    #[error("the daemon is stopping")]
    Stopping,
    /// The request took itself back.
    #[error("the request was withdrawn")]
    Withdrawn,
    /// What is on disk cannot be read, so the daemon stays locked.
    #[error("still locked: {why}")]
    StateUnusable {
        /// Which file, and why.
        why: String,
    },
    /// A text that cannot be kept until it is acknowledged is not sent.
    #[error("not sent, because it cannot be saved: {why}")]
    NotSent {
        /// Which file, and why.
        why: String,
    },
    /// Nothing allows the peer to talk.
    #[error("{peer} has no consent that could be revoked: see `secchatctl consents`")]
    NoConsent {
        /// Who.
        peer: UserName,
    },
    /// No such text is in the outbox.
    #[error("text {id} is not in the outbox (any more): `secchatctl outbox` shows what is")]
    NotQueued {
        /// Its number.
        id: u64,
    },
    /// Somebody else has it.
    #[error("{why}")]
    InUse {
        /// What, and what to do.
        why: String,
    },
    /// What was kept of conversations cannot be used.
    #[error("the history cannot be used: {why}")]
    HistoryUnusable {
        /// Which file, and why.
        why: String,
    },
}
