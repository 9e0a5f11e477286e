//! Values for fake daemons to say.

use secchat_ipc::types::{
    ChatId, ChatState, ChatSummary, IncomingRequest, KeyTrust, LinkState, LockState, Message,
    OutgoingRequest, Peer, Policy, Reachability, RequestState, Status, Terms,
};
use secchat_ipc::{Event, Reply, Snapshot, UserName};

pub(crate) const CHAT: ChatId = ChatId([0xab; 16]);
pub(crate) const CHAT_HEX: &str = "abababababababababababababababab";
pub(crate) const TERMS: Terms = Terms { until: Some(4_102_444_800), history_days: Some(7) };
pub(crate) const NUMBER: &str = "12345 67890 12345 67890 12345 67890 12345 67890 12345 67890 12345 67890";

pub(crate) fn bob() -> UserName {
    UserName::parse("bob").unwrap()
}

pub(crate) fn status(lock: LockState) -> Status {
    Status {
        version: "0.1.0".to_owned(),
        pid: 4_711,
        profile: String::new(),
        user: Some(UserName::parse("alice").unwrap()),
        relay: "relay:4433".to_owned(),
        lock,
        link: LinkState::Online,
        reachability: Reachability::Available,
        policy: Policy::Ask,
        hints: Vec::new(),
    }
}

pub(crate) fn incoming(trust: KeyTrust) -> IncomingRequest {
    IncomingRequest {
        peer: bob(),
        chat_id: CHAT,
        issued: 1_795_000_000,
        expires: 4_102_444_800,
        received: 1_795_000_001,
        terms: TERMS,
        trust,
        safety_number: NUMBER.to_owned(),
        state: RequestState::Pending,
    }
}

pub(crate) fn outgoing() -> OutgoingRequest {
    let (issued, expires) = (1_795_000_000, 4_102_444_800);
    OutgoingRequest { peer: bob(), chat_id: CHAT, issued, expires, terms: TERMS, peer_away: true }
}

pub(crate) fn chat() -> ChatSummary {
    ChatSummary {
        peer: bob(),
        chat_id: CHAT,
        state: ChatState::Open,
        terms: TERMS,
        unread: 0,
        undelivered: 0,
        trust: KeyTrust::Pinned,
    }
}

pub(crate) fn message(id: u64, text: &str) -> Message {
    Message { peer: bob(), chat_id: CHAT, id, received: 1_795_000_000, text: text.to_owned() }
}

pub(crate) fn received(id: u64, text: &str) -> Event {
    Event::MessageReceived(message(id, text))
}

pub(crate) fn peer() -> Peer {
    Peer {
        peer: bob(),
        trust: KeyTrust::Pinned,
        public_key: "MCow".to_owned(),
        policy: Some(Policy::Accept),
        blocked: false,
    }
}

/// The state with one open chat.
pub(crate) fn snapshot() -> Reply {
    let mut snapshot = Snapshot::empty(status(LockState::Unlocked));
    snapshot.sequence = 10;
    snapshot.chats.push(chat());
    Reply::Snapshot(Box::new(snapshot))
}
