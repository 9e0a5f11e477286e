//! One value of everything that the daemon says, and of each of its words.

use secchat_ipc::types::{
    ChatId, ChatState, ChatSummary, Consent, Consumer, DoNotDisturb, EndReason, HistoryPlace,
    IncomingRequest, Keep, KeptOfPeer, KeptText, KeyTrust, LinkState, LockState, LoggedEvent, Message,
    OutgoingRequest, Peer, Policy, QueuedOutcome, QueuedText, QuietHours, Reachability, RequestState,
    Resolution, ResolvedBy, Status, Terms,
};
use secchat_ipc::{Event, Reply, Snapshot, UserName};

fn peer(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

const CHAT: ChatId = ChatId([0xab; 16]);

fn terms() -> [Terms; 2] {
    [Terms { until: None, history_days: None }, Terms { until: Some(4_102_444_800), history_days: Some(7) }]
}

fn statuses() -> Vec<Status> {
    let links = [
        LinkState::LoggedOut,
        LinkState::Connecting,
        LinkState::Online,
        LinkState::Waiting { why: "why".to_owned(), retry_at: 1 },
        LinkState::Replaced { why: "why".to_owned() },
    ];
    let status = |link| Status {
        version: "0.1.0".to_owned(),
        pid: 1,
        profile: String::new(),
        user: None,
        relay: String::new(),
        lock: LockState::Locked,
        link,
        reachability: Reachability::Hidden,
        policy: Policy::RefuseQuietly,
        hints: vec!["hint".to_owned()],
    };
    let mut statuses: Vec<Status> = links.map(status).into();
    statuses
        .push(Status { lock: LockState::Reachable { until: 1_795_000_000 }, ..status(LinkState::Online) });
    statuses.push(Status {
        user: Some(peer("bob")),
        lock: LockState::Unlocked,
        reachability: Reachability::Available,
        ..status(LinkState::Online)
    });
    statuses
}

const TRUSTS: [KeyTrust; 6] = [
    KeyTrust::Unverified,
    KeyTrust::Pinned,
    KeyTrust::Verified,
    KeyTrust::Changed,
    KeyTrust::Followed,
    KeyTrust::Vouched,
];

fn incoming() -> Vec<IncomingRequest> {
    use RequestState::{Accepted, Later, Pending, Refused};
    let states = [Pending, Later, Accepted, Refused].into_iter().zip(TRUSTS).zip(terms().into_iter().cycle());
    let request = |((state, trust), terms)| IncomingRequest {
        peer: peer("bob"),
        chat_id: CHAT,
        issued: 1,
        expires: u64::MAX,
        received: 1_795_000_000,
        terms,
        trust,
        safety_number: "12345".to_owned(),
        state,
    };
    states.map(request).collect()
}

fn outgoing() -> OutgoingRequest {
    let terms = terms()[0];
    OutgoingRequest { peer: peer("x"), chat_id: CHAT, issued: 1, expires: 2, terms, peer_away: true }
}

fn chats() -> Vec<ChatSummary> {
    use ChatState::{Closing, Interrupted, Open, Opening};
    let states =
        [Opening, Open, Interrupted, Closing].into_iter().zip(TRUSTS).zip(terms().into_iter().cycle());
    let chat = |((state, trust), terms)| ChatSummary {
        peer: peer("bob"),
        chat_id: CHAT,
        state,
        terms,
        unread: 1,
        undelivered: 2,
        trust,
    };
    states.map(chat).collect()
}

fn consent(chat_id: Option<ChatId>) -> Consent {
    Consent { peer: peer("bob"), given: 1, terms: terms()[0], chat_id }
}

fn quiet() -> DoNotDisturb {
    DoNotDisturb { on: true, until: Some(1), hours: Some(QuietHours { from: 1_320, to: 425 }) }
}

fn message() -> Message {
    let text = "\u{1b}[2J\u{202e} żółw".to_owned();
    Message { peer: peer("bob"), chat_id: CHAT, id: u64::MAX, received: 1, text }
}

fn logged() -> Vec<LoggedEvent> {
    (1..).zip(events()).map(|(number, event)| LoggedEvent { number, event }).collect()
}

fn consumer() -> Consumer {
    Consumer { name: "bot".to_owned(), waiting: 2, missed: 1, is_read: true }
}

fn history(next: Option<HistoryPlace>) -> Reply {
    let text = "\u{1b}[2J\u{202e} żółw".to_owned();
    let text = KeptText { peer: peer("bob"), chat_id: CHAT, is_own: true, id: u64::MAX, at: 1, text };
    Reply::History { texts: vec![KeptText { is_own: false, ..text.clone() }, text], next }
}

fn kept() -> Vec<KeptOfPeer> {
    let of = |keep, from| KeptOfPeer { peer: peer("bob"), keep, from, to: from };
    vec![of(None, Some(86_400)), of(Some(Keep::Days(7)), None), of(Some(Keep::All), None)]
}

fn queued_text(is_sent: bool) -> QueuedText {
    let (peer, beginning) = (peer("bob"), "\u{1b}[2J".to_owned());
    QueuedText { id: u64::MAX, peer, queued: 1, expires: 2, is_sent, bytes: 4, beginning }
}

pub(super) fn replies() -> Vec<(&'static str, Reply)> {
    let terms = terms()[1];
    let mut snapshot = Snapshot::empty(statuses().remove(0));
    (snapshot.incoming, snapshot.outgoing) = (incoming(), vec![outgoing()]);
    (snapshot.chats, snapshot.unread) = (chats(), vec![message()]);
    let pinned = Peer {
        peer: peer("bob"),
        trust: KeyTrust::Pinned,
        public_key: "MCow".to_owned(),
        policy: Some(Policy::Refuse),
        blocked: true,
    };
    let unknown = Peer { public_key: String::new(), policy: None, ..pinned.clone() };
    let number = |offered| Reply::SafetyNumber { number: "1".to_owned(), trust: KeyTrust::Changed, offered };
    let mut replies = vec![
        ("lock", Reply::Done),
        ("subscribe", Reply::Snapshot(Box::new(snapshot))),
        ("list", Reply::Users(vec![peer("bob"), peer("x")])),
        ("rtt", Reply::Asked { chat_id: CHAT, expires: 1, peer_away: true }),
        ("rtt", Reply::ChatOpen { chat_id: CHAT, terms }),
        ("accept", Reply::Accepted { chat_id: CHAT, terms }),
        ("accept", Reply::ChatOpen { chat_id: CHAT, terms }),
        ("requests", Reply::Requests { incoming: incoming(), outgoing: vec![outgoing()] }),
        ("send", Reply::Delivered { chat_id: CHAT, id: u64::MAX }),
        ("read", Reply::Messages(vec![message()])),
        ("close", Reply::Closed { chat_id: CHAT, undelivered: 1 }),
        ("peers", Reply::Peers(vec![pinned, unknown])),
        ("safety_number", number(None)),
        ("safety_number", number(Some("2".to_owned()))),
        ("chats", Reply::Chats(chats())),
        ("do_not_disturb", Reply::DoNotDisturb(DoNotDisturb::default())),
        ("do_not_disturb", Reply::DoNotDisturb(quiet())),
        ("consents", Reply::Consents([None, Some(CHAT)].map(consent).into())),
        ("queue", Reply::Queued { id: u64::MAX, expires: 1 }),
        ("outbox", Reply::Outbox(vec![queued_text(true), queued_text(false)])),
        ("cancel_queued", Reply::Cancelled { texts: 2, sent: 1 }),
        ("consume", Reply::Events { missed: 2, events: logged() }),
        ("consumers", Reply::Consumers(vec![consumer()])),
        ("history", history(None)),
        ("history", history(Some(HistoryPlace { peer: peer("bob"), number: u64::MAX }))),
        ("history_kept", Reply::HistoryKept { keep: Keep::Days(0), peers: kept() }),
        ("history_kept", Reply::HistoryKept { keep: Keep::All, peers: kept() }),
        ("set_history", Reply::HistoryErased { texts: 0 }),
        ("erase_history", Reply::HistoryErased { texts: u64::MAX }),
    ];
    replies.extend(statuses().into_iter().map(|status| ("status", Reply::Status(status))));
    replies
}

pub(super) fn events() -> Vec<Event> {
    use EndReason::{ClosedByPeer, ClosedHere, KeyGone, RestoredCopy, Superseded, TermsOver, Unconfirmed};
    let bob = || peer("bob");
    let bys = [
        ResolvedBy::Frontend { name: "bot".to_owned(), pid: 7 },
        ResolvedBy::Policy,
        ResolvedBy::Expiry,
        ResolvedBy::Peer,
        ResolvedBy::Crossing,
        ResolvedBy::Consent,
    ];
    let resolutions = [
        Resolution::Accepted,
        Resolution::Refused,
        Resolution::Expired,
        Resolution::Withdrawn,
        Resolution::Later,
    ];
    let mut events = vec![
        Event::RequestSent(outgoing()),
        Event::MessageReceived(message()),
        Event::MessagesDelivered { peer: bob(), chat_id: CHAT, up_to: 3 },
        Event::MessagesRead { chat_id: CHAT, up_to: 3 },
        Event::UsersChanged { came: vec![bob()], went: vec![peer("x")] },
        Event::DoNotDisturbChanged(quiet()),
    ];
    events.push(Event::TextQueued { peer: bob(), id: u64::MAX, expires: 2 });
    use QueuedOutcome::{Cancelled, Delivered, Expired, KeyGone as ForAnotherKey, NotDelivered};
    for outcome in [Delivered, NotDelivered, Expired, Cancelled, ForAnotherKey] {
        events.push(Event::QueuedTextsEnded { peer: bob(), ids: vec![1, u64::MAX], outcome });
    }
    events.extend(statuses().into_iter().map(Event::StatusChanged));
    events.extend(incoming().into_iter().map(Event::RequestReceived));
    events.extend(chats().into_iter().map(Event::ChatChanged));
    events.extend(TRUSTS.map(|trust| Event::TrustChanged { peer: bob(), trust }));
    for (resolution, by) in resolutions.into_iter().cycle().zip(bys) {
        events.push(Event::RequestResolved { peer: bob(), chat_id: CHAT, resolution, by });
        events.push(Event::RequestAnswered { peer: bob(), chat_id: CHAT, resolution });
    }
    for reason in [ClosedHere, ClosedByPeer, TermsOver, RestoredCopy, Superseded, KeyGone, Unconfirmed] {
        events.push(Event::ChatEnded { peer: bob(), chat_id: CHAT, reason, undelivered: 1, missing: 2 });
    }
    events
}
