//! What the daemon answers.

use serde::{Deserialize, Serialize};

use crate::Snapshot;
use crate::types::{
    ChatId, ChatSummary, Consent, Consumer, DoNotDisturb, HistoryPlace, IncomingRequest, Keep, KeptOfPeer,
    KeptText, LoggedEvent, Message, OutgoingRequest, Peer, QueuedText, Status, Terms,
};
use crate::{CommandError, UserName};

/// A command's success. Append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Done.
    Done,
    /// The daemon's state.
    Status(Status),
    /// The state that the events after it change.
    Snapshot(Box<Snapshot>),
    /// Who is available, in order of name.
    Users(Vec<UserName>),
    /// The request stands.
    Asked {
        /// The chat that it would be.
        chat_id: ChatId,
        /// When it ends by itself: Unix seconds.
        expires: u64,
        /// `Some(true)`: the relay said that the peer is not available now.
        peer_away: bool,
    },
    /// The answer is on its way.
    Accepted {
        /// The chat that it becomes.
        chat_id: ChatId,
        /// The terms granted.
        terms: Terms,
    },
    /// The chat is open.
    ChatOpen {
        /// Its id.
        chat_id: ChatId,
        /// The terms granted.
        terms: Terms,
    },
    /// Requests.
    Requests {
        /// Of others.
        incoming: Vec<IncomingRequest>,
        /// Of this user.
        outgoing: Vec<OutgoingRequest>,
    },
    /// The peer's daemon holds the text.
    Delivered {
        /// In which chat.
        chat_id: ChatId,
        /// The text's number.
        id: u64,
    },
    /// Texts, oldest first.
    Messages(Vec<Message>),
    /// The chat has ended.
    Closed {
        /// Which.
        chat_id: ChatId,
        /// Own texts that were never acknowledged.
        undelivered: u32,
    },
    /// Peers with a pin, a policy or a block.
    Peers(Vec<Peer>),
    /// A safety number.
    SafetyNumber {
        /// 12 groups of 5 digits, separated by blanks.
        number: String,
        /// What is known of the key.
        trust: crate::types::KeyTrust,
        /// The number for the key that the relay offers now, when it is not the pinned one.
        offered: Option<String>,
    },
    /// Chats.
    Chats(Vec<ChatSummary>),
    /// Consents, in order of the peer's name.
    Consents(Vec<Consent>),
    /// Whether frontends keep quiet.
    DoNotDisturb(DoNotDisturb),
    /// The text is kept and goes when a chat with the peer is open.
    Queued {
        /// Its number in the outbox; none is used twice.
        id: u64,
        /// When it is given up: Unix seconds.
        expires: u64,
    },
    /// The outbox, in the order of the numbers.
    Outbox(Vec<QueuedText>),
    /// Texts were taken back.
    Cancelled {
        /// How many.
        texts: u32,
        /// How many of those that were meant have left already, and stay.
        sent: u32,
    },
    /// What a consumer has not acknowledged, in order.
    Events {
        /// How many events before these found no place in the log, and are gone.
        missed: u64,
        /// The events; none when the time limit ended.
        events: Vec<LoggedEvent>,
    },
    /// All consumers, by name.
    Consumers(Vec<Consumer>),
    /// Texts that were kept.
    History {
        /// The texts; there may be none although others follow.
        texts: Vec<KeptText>,
        /// Where to go on; `None`: these were the last.
        next: Option<HistoryPlace>,
    },
    /// Whose texts are kept, and for how long at most.
    HistoryKept {
        /// In general.
        keep: Keep,
        /// Peers with texts or a word of their own, by name.
        peers: Vec<KeptOfPeer>,
    },
    /// Texts were erased.
    HistoryErased {
        /// How many.
        texts: u64,
    },
}

/// What the daemon sends. Append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerMessage {
    /// The answer to a request.
    Reply {
        /// The request's id.
        id: u64,
        /// Its outcome.
        result: Result<Reply, CommandError>,
    },
    /// A change, after [`Command::Subscribe`](crate::Command::Subscribe).
    Event {
        /// One more than the event before (the snapshot's for the first).
        sequence: u64,
        /// What changed.
        event: crate::Event,
    },
}
