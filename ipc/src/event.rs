//! What changes: the deltas of a [`Snapshot`](crate::Snapshot).

use serde::{Deserialize, Serialize};

use crate::UserName;
use crate::types::{
    ChatId, ChatSummary, DoNotDisturb, EndReason, IncomingRequest, KeyTrust, Message, OutgoingRequest,
    QueuedOutcome, Resolution, ResolvedBy, Status,
};

/// A change. Append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Anything in the status changed.
    StatusChanged(Status),
    /// Somebody asks to talk, or their request changed.
    RequestReceived(IncomingRequest),
    /// A request of somebody else was answered or ended.
    RequestResolved {
        /// Who asked.
        peer: UserName,
        /// Which request.
        chat_id: ChatId,
        /// How it ended.
        resolution: Resolution,
        /// Who decided.
        by: ResolvedBy,
    },
    /// This user asked somebody, or that request changed.
    RequestSent(OutgoingRequest),
    /// This user's request ended.
    RequestAnswered {
        /// Who was asked.
        peer: UserName,
        /// Which request.
        chat_id: ChatId,
        /// How it ended.
        resolution: Resolution,
    },
    /// A chat appeared or changed.
    ChatChanged(ChatSummary),
    /// A chat is over.
    ChatEnded {
        /// With whom.
        peer: UserName,
        /// Which.
        chat_id: ChatId,
        /// Why.
        reason: EndReason,
        /// Own texts that were never acknowledged.
        undelivered: u32,
        /// Texts of the peer that never arrived.
        missing: u64,
    },
    /// A text arrived.
    MessageReceived(Message),
    /// The peer's daemon holds this user's texts up to and with this one.
    MessagesDelivered {
        /// To whom.
        peer: UserName,
        /// In which chat.
        chat_id: ChatId,
        /// The last one's number.
        up_to: u64,
    },
    /// Texts were read by some frontend.
    MessagesRead {
        /// In which chat.
        chat_id: ChatId,
        /// Up to and with this id.
        up_to: u64,
    },
    /// What is known of a peer's key changed; `Changed` is the loud one.
    TrustChanged {
        /// Whose.
        peer: UserName,
        /// What is known now.
        trust: KeyTrust,
    },
    /// Who is available changed; sent only while the daemon watches the list.
    UsersChanged {
        /// Came.
        came: Vec<UserName>,
        /// Went.
        went: Vec<UserName>,
    },
    /// Frontends keep quiet from now on, or need not any more, or the hours in which they do changed.
    DoNotDisturbChanged(DoNotDisturb),
    /// A text was left for a peer. The outbox is not part of the state.
    TextQueued {
        /// For whom.
        peer: UserName,
        /// Its number in the outbox.
        id: u64,
        /// When it is given up: Unix seconds.
        expires: u64,
    },
    /// What became of texts that were left for a peer; they are in the outbox no more.
    QueuedTextsEnded {
        /// For whom.
        peer: UserName,
        /// Their numbers in the outbox.
        ids: Vec<u64>,
        /// What.
        outcome: QueuedOutcome,
    },
}
