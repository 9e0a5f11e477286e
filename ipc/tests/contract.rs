//! The state and its changes: whatever happened, replaying a state's own events gives that state.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::collection::vec;
use proptest::prelude::*;
use secchat_ipc::types::{
    ChatId, ChatState, ChatSummary, EndReason, IncomingRequest, KeyTrust, LinkState, LockState, Message,
    OutgoingRequest, Policy, Reachability, RequestState, Resolution, ResolvedBy, Status, Terms,
};
use secchat_ipc::{Event, Snapshot, UserName, codec};

const NO_TERMS: Terms = Terms { until: None, history_days: Some(0) };

fn status() -> Status {
    Status {
        version: "0.1.0".to_owned(),
        pid: 1,
        profile: String::new(),
        user: None,
        relay: String::new(),
        lock: LockState::Unlocked,
        link: LinkState::Online,
        reachability: Reachability::Available,
        policy: Policy::Ask,
        hints: Vec::new(),
    }
}

fn user(n: u8) -> UserName {
    UserName::parse(&format!("user{n}")).unwrap()
}

fn incoming(n: u8, state: RequestState) -> IncomingRequest {
    IncomingRequest {
        peer: user(n % 3),
        chat_id: ChatId([n; 16]),
        issued: 1,
        expires: 2,
        received: 1,
        terms: NO_TERMS,
        trust: KeyTrust::Unverified,
        safety_number: String::new(),
        state,
    }
}

fn outgoing(n: u8) -> OutgoingRequest {
    let chat_id = ChatId([n; 16]);
    OutgoingRequest { peer: user(n % 3), chat_id, issued: 1, expires: 2, terms: NO_TERMS, peer_away: false }
}

fn chat(n: u8, state: ChatState, unread: u32) -> ChatSummary {
    let (peer, chat_id) = (user(n % 3), ChatId([n; 16]));
    ChatSummary { peer, chat_id, state, terms: NO_TERMS, unread, undelivered: 0, trust: KeyTrust::Pinned }
}

fn message(n: u8, id: u64) -> Message {
    Message { peer: user(n % 3), chat_id: ChatId([n; 16]), id, received: 1, text: format!("{n} {id}") }
}

fn ended(n: u8) -> Event {
    Event::ChatEnded {
        peer: user(n % 3),
        chat_id: ChatId([n; 16]),
        reason: EndReason::ClosedByPeer,
        undelivered: 0,
        missing: 0,
    }
}

fn resolved(n: u8, resolution: Resolution) -> Event {
    Event::RequestResolved { peer: user(n % 3), chat_id: ChatId([n; 16]), resolution, by: ResolvedBy::Policy }
}

fn event() -> impl Strategy<Value = Event> {
    let n = || 0_u8..6;
    let resolution = || {
        prop::sample::select(vec![
            Resolution::Accepted,
            Resolution::Refused,
            Resolution::Expired,
            Resolution::Withdrawn,
            Resolution::Later,
        ])
    };
    let state = prop::sample::select(vec![
        ChatState::Opening,
        ChatState::Open,
        ChatState::Interrupted,
        ChatState::Closing,
    ]);
    let trust = prop::sample::select(vec![KeyTrust::Verified, KeyTrust::Changed]);
    prop_oneof![
        n().prop_map(|n| Event::RequestReceived(incoming(n, RequestState::Pending))),
        (n(), resolution()).prop_map(|(n, resolution)| resolved(n, resolution)),
        n().prop_map(|n| Event::RequestSent(outgoing(n))),
        (n(), resolution()).prop_map(|(n, resolution)| Event::RequestAnswered {
            peer: user(n % 3),
            chat_id: ChatId([n; 16]),
            resolution
        }),
        (n(), state, 0_u32..3).prop_map(|(n, state, unread)| Event::ChatChanged(chat(n, state, unread))),
        n().prop_map(ended),
        (n(), 0_u64..9).prop_map(|(n, id)| Event::MessageReceived(message(n, id))),
        (n(), 0_u64..9).prop_map(|(n, up_to)| Event::MessagesRead { chat_id: ChatId([n; 16]), up_to }),
        (n(), trust).prop_map(|(n, trust)| Event::TrustChanged { peer: user(n % 3), trust }),
    ]
}

proptest! {
    #[test]
    fn a_state_is_replicated_by_its_own_events(events in vec(event(), 0..60)) {
        let mut state = Snapshot::empty(status());
        events.iter().for_each(|event| state.apply(event));
        prop_assert_eq!(state.sequence, u64::try_from(events.len()).unwrap());

        let mut copy = Snapshot::empty(state.status.clone());
        state.replicate().iter().for_each(|event| copy.apply(event));
        copy.sequence = state.sequence;
        prop_assert_eq!(&copy, &state);

        // What goes over the socket is the same state.
        let frame = codec::encode(&state, codec::MAX_SERVER_MESSAGE_BYTES).unwrap();
        prop_assert_eq!(codec::decode::<Snapshot>(&frame[codec::LENGTH_BYTES..]).unwrap(), state);
    }
}

#[test]
fn a_request_goes_through_its_life() {
    let mut state = Snapshot::empty(status());
    state.apply(&Event::RequestReceived(incoming(1, RequestState::Pending)));
    state.apply(&resolved(1, Resolution::Later));
    assert_eq!(state.incoming[0].state, RequestState::Later);
    state.apply(&resolved(1, Resolution::Refused));
    assert_eq!(state.incoming[0].state, RequestState::Refused, "a refusal can be undone until it expires");
    state.apply(&resolved(1, Resolution::Accepted));
    assert_eq!(state.incoming[0].state, RequestState::Accepted);
    state.apply(&Event::ChatChanged(chat(1, ChatState::Opening, 0)));
    assert_eq!(state.incoming.len(), 1, "accepted, but not open yet");
    state.apply(&Event::ChatChanged(chat(1, ChatState::Open, 0)));
    assert_eq!((state.incoming.len(), state.chats.len()), (0, 1));
    state.apply(&Event::RequestReceived(incoming(2, RequestState::Pending)));
    state.apply(&resolved(2, Resolution::Expired));
    assert!(state.incoming.is_empty());
}

#[test]
fn texts_outlive_their_chat_until_they_are_read() {
    let mut state = Snapshot::empty(status());
    state.apply(&Event::ChatChanged(chat(1, ChatState::Open, 0)));
    (1..=3).for_each(|id| state.apply(&Event::MessageReceived(message(1, id))));
    state.apply(&Event::MessageReceived(message(2, 1)));
    assert_eq!(state.chats[0].unread, 3);
    state.apply(&Event::MessagesRead { chat_id: ChatId([1; 16]), up_to: 2 });
    assert_eq!(state.chats[0].unread, 1);
    state.apply(&ended(1));
    assert_eq!((state.chats.len(), state.unread.len()), (0, 2));
    state.apply(&Event::MessagesRead { chat_id: ChatId([1; 16]), up_to: 3 });
    assert_eq!(state.unread, [message(2, 1)]);
}

#[test]
fn the_largest_inbox_fits_a_snapshot() {
    // What the bound of a message of the daemon was chosen for: a full inbox and all that is around it.
    let mut state = Snapshot::empty(status());
    let text = "x".repeat(codec::MAX_TEXT_BYTES);
    state.unread = (0..256).map(|id| Message { text: text.clone(), ..message(1, id) }).collect();
    state.incoming = (0..=255).cycle().take(1_000).map(|n| incoming(n, RequestState::Pending)).collect();
    state.chats = (0..=255).cycle().take(1_000).map(|n| chat(n, ChatState::Open, 1)).collect();
    assert!(codec::encode(&state, codec::MAX_SERVER_MESSAGE_BYTES).is_ok());
}
