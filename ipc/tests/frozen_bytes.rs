//! The bytes of every variant, kept in `frozen.txt`: postcard is not self-describing, so a changed byte is a
//! broken frontend. New variants are appended with `SECCHAT_BLESS=1`; what is there never changes.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use secchat_ipc::reply::ServerMessage;
use secchat_ipc::types::{
    ChatId, ChatState, ChatSummary, Consent, Consumer, DoNotDisturb, EndReason, HistoryPlace, HistoryQuery,
    IncomingRequest, Keep, KeptOfPeer, KeptText, KeyTrust, LinkState, LockState, LoggedEvent, Message,
    OutgoingRequest, Passphrase, Peer, Policy, QueuedOutcome, QueuedText, QueuedTexts, QuietChange,
    QuietHours, Reachability, RequestState, Resolution, ResolvedBy, Status, Terms,
};
use secchat_ipc::{Command, CommandError, Event, Reply, Request, Snapshot, UserName, VERSION, codec};
use serde::Serialize;
use serde::de::DeserializeOwned;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/frozen.txt");

const HEAD: &str = "\
# The local socket: postcard bytes of one value of every variant (ipc/src), without the frame's length.
# Append-only: a line that is here never changes. Checked and extended by ipc/tests/frozen_bytes.rs.
";

/// Samples by their names, in the order of the file.
struct Samples(Vec<(String, Vec<u8>)>);

impl Samples {
    fn add<T>(&mut self, value: T)
    where
        T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        let frame = codec::encode(&value, codec::MAX_SERVER_MESSAGE_BYTES).unwrap();
        let bytes = frame[codec::LENGTH_BYTES..].to_vec();
        assert_eq!(codec::decode::<T>(&bytes).unwrap(), value, "read back as it was");
        let kind = std::any::type_name::<T>().rsplit("::").next().unwrap();
        let shown = format!("{value:?}");
        let variant = shown.split([' ', '(', '{']).next().unwrap();
        let again = self.0.iter().filter(|(name, _)| name.starts_with(&format!("{kind}::{variant}"))).count();
        let number = if again == 0 { String::new() } else { format!("#{}", again + 1) };
        self.0.push((format!("{kind}::{variant}{number}"), bytes));
    }

    /// Adds all, and insists that they are all variants there are: tags from 0 on, without a gap.
    fn add_all<T>(&mut self, values: Vec<T>, variants: usize)
    where
        T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        let first = self.0.len();
        let kind = std::any::type_name::<T>();
        values.into_iter().for_each(|value| self.add(value));
        let tags: BTreeSet<u8> = self.0[first..].iter().map(|(_, bytes)| bytes[0]).collect();
        let expected: BTreeSet<u8> = (0..u8::try_from(variants).unwrap()).collect();
        assert_eq!(tags, expected, "samples of {kind}");
        assert!(
            codec::decode::<T>(&[u8::try_from(variants).unwrap(), 0, 0, 0, 0]).is_err(),
            "{kind} has more"
        );
    }
}

#[test]
fn the_bytes_of_every_variant_are_frozen() {
    let samples = samples();
    let written = std::fs::read_to_string(FILE).unwrap_or_default();
    let frozen = parse(&written);
    let mut missing = Vec::new();
    for (name, bytes) in &samples.0 {
        match frozen.get(name) {
            Some(frozen) => assert_eq!(
                &hex(bytes),
                frozen,
                "{name} changed: frontends in use break. Append a variant instead, and raise VERSION"
            ),
            None => missing.push((name, hex(bytes))),
        }
    }
    let known: BTreeSet<&String> = samples.0.iter().map(|(name, _)| name).collect();
    let gone: Vec<_> = frozen.keys().filter(|name| !known.contains(name)).collect();
    assert!(gone.is_empty(), "variants are gone: {gone:?}");
    if missing.is_empty() {
        return;
    }
    assert!(std::env::var_os("SECCHAT_BLESS").is_some(), "new: {missing:?}; SECCHAT_BLESS=1 appends them");
    let mut text = if Path::new(FILE).exists() { written } else { HEAD.to_owned() };
    for (name, bytes) in missing {
        write!(text, "\ncase = \"{name}\"\nbytes = {bytes}\n").unwrap();
    }
    std::fs::write(FILE, text).unwrap();
}

#[test]
fn the_version_counts_the_variants() {
    // Whoever appends a variant raises VERSION: both numbers change together, here.
    assert_eq!((VERSION, samples().0.len()), (9, FROZEN_SAMPLES));
}

const FROZEN_SAMPLES: usize = 177;

#[test]
fn every_command_has_an_example_in_the_documentation() {
    let page = include_str!("../src/command.md");
    let frozen = parse(&std::fs::read_to_string(FILE).unwrap());
    let commands = frozen.keys().filter_map(|case| case.strip_prefix("Command::"));
    for command in commands.map(|case| case.split('#').next().unwrap()) {
        let given = [" ", ",", "("].iter().any(|end| page.contains(&format!("Command::{command}{end}")));
        assert!(given, "no example gives Command::{command}");
    }
}

fn parse(text: &str) -> BTreeMap<String, String> {
    let mut frozen = BTreeMap::new();
    let mut name = None;
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (key, value) = line.split_once(" = ").expect("name = value");
        match key {
            "case" => name = Some(value.trim_matches('"').to_owned()),
            "bytes" => {
                assert!(frozen.insert(name.take().expect("a case first"), value.to_owned()).is_none())
            }
            other => panic!("{other}?"),
        }
    }
    frozen
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const TERMS: Terms = Terms { until: Some(1_800_000_000), history_days: Some(300) };
const NIGHT: QuietHours = QuietHours { from: 1_320, to: 420 };
const CHAT: ChatId = ChatId([0xa5; 16]);

fn bob() -> UserName {
    UserName::parse("bob").unwrap()
}

fn samples() -> Samples {
    let mut samples = Samples(Vec::new());
    samples.add(Request { id: 300, timeout_ms: 70_000, command: Command::Status });
    samples.add(TERMS);
    samples.add(Terms { until: None, history_days: None });
    small_enums(&mut samples);
    samples.add_all(quiet_changes(), 4);
    outbox_enums(&mut samples);
    samples.add_all(vec![Keep::Days(300), Keep::All], 2);
    samples.add_all(commands(), 42);
    samples.add_all(replies(), 24);
    samples.add_all(events(), 15);
    samples.add_all(errors(), 28);
    let result = Ok(Reply::Done);
    let failed = Err(CommandError::Locked);
    samples.add_all(
        vec![
            ServerMessage::Reply { id: 300, result },
            ServerMessage::Reply { id: 1, result: failed },
            ServerMessage::Event { sequence: 300, event: Event::UsersChanged { came: vec![], went: vec![] } },
        ],
        2,
    );
    samples
}

fn small_enums(samples: &mut Samples) {
    use KeyTrust::{Changed, Followed, Pinned, Unverified, Verified, Vouched};
    let until = 1_800_000_000;
    samples.add_all(vec![LockState::Locked, LockState::Unlocked, LockState::Reachable { until }], 3);
    samples.add_all(vec![Reachability::Available, Reachability::Hidden], 2);
    samples.add_all(
        vec![
            LinkState::LoggedOut,
            LinkState::Connecting,
            LinkState::Online,
            LinkState::Waiting { why: "why".to_owned(), retry_at: 1_800_000_000 },
            LinkState::Replaced { why: "why".to_owned() },
        ],
        5,
    );
    samples.add_all(vec![Unverified, Pinned, Verified, Changed, Followed, Vouched], 6);
    samples.add_all(vec![Policy::Ask, Policy::Accept, Policy::Refuse, Policy::RefuseQuietly], 4);
    samples.add_all(
        vec![RequestState::Pending, RequestState::Later, RequestState::Accepted, RequestState::Refused],
        4,
    );
    samples.add_all(vec![ChatState::Opening, ChatState::Open, ChatState::Interrupted, ChatState::Closing], 4);
    samples.add_all(
        vec![
            ResolvedBy::Frontend { name: "secchatctl".to_owned(), pid: 4_711 },
            ResolvedBy::Policy,
            ResolvedBy::Expiry,
            ResolvedBy::Peer,
            ResolvedBy::Crossing,
            ResolvedBy::Consent,
        ],
        6,
    );
    samples.add_all(
        vec![
            Resolution::Accepted,
            Resolution::Refused,
            Resolution::Expired,
            Resolution::Withdrawn,
            Resolution::Later,
        ],
        5,
    );
    samples.add_all(
        vec![
            EndReason::ClosedHere,
            EndReason::ClosedByPeer,
            EndReason::TermsOver,
            EndReason::RestoredCopy,
            EndReason::Superseded,
            EndReason::KeyGone,
            EndReason::Unconfirmed,
        ],
        7,
    );
}

fn quiet_changes() -> Vec<QuietChange> {
    vec![
        QuietChange::On { seconds: 300 },
        QuietChange::Off,
        QuietChange::Hours(Some(NIGHT)),
        QuietChange::HoursAsConfigured,
    ]
}

fn outbox_enums(samples: &mut Samples) {
    samples.add_all(vec![QueuedTexts::One(300), QueuedTexts::To(bob())], 2);
    samples.add_all(
        vec![
            QueuedOutcome::Delivered,
            QueuedOutcome::NotDelivered,
            QueuedOutcome::Expired,
            QueuedOutcome::Cancelled,
            QueuedOutcome::KeyGone,
        ],
        5,
    );
}

fn commands() -> Vec<Command> {
    let peer = bob;
    vec![
        Command::Status,
        Command::Subscribe,
        Command::Unlock { passphrase: Passphrase("secret".to_owned().into()), ttl_seconds: 3_600 },
        Command::Lock,
        Command::Login,
        Command::Logout,
        Command::List,
        Command::Rtt { peer: peer(), terms: TERMS, lifetime_seconds: 300, wait: true },
        Command::Withdraw { peer: peer() },
        Command::Requests,
        Command::Accept { peer: peer(), terms: Some(TERMS), wait: true },
        Command::Accept { peer: peer(), terms: None, wait: false },
        Command::Refuse { peer: peer(), quietly: true },
        Command::Later { peer: peer() },
        Command::Send { peer: peer(), text: "zażółć".to_owned() },
        Command::Read { peer: Some(peer()), peek: true },
        Command::Close { peer: peer() },
        Command::SetReachability { available: true },
        Command::SetPolicy { peer: Some(peer()), policy: Some(Policy::Accept) },
        Command::SetBlocked { peer: peer(), blocked: true },
        Command::Peers,
        Command::AddPeer { peer: peer(), public_key: "MCow".to_owned() },
        Command::SafetyNumber { peer: peer() },
        Command::ConfirmSafetyNumber { peer: peer(), number: "12345".to_owned() },
        Command::Forget { peer: peer() },
        Command::Chats,
        Command::MarkRead { chat_id: CHAT, up_to: 300 },
        Command::AcceptStanding { peer: peer(), terms: Some(TERMS), wait: true },
        Command::Consents,
        Command::Revoke { peer: peer() },
        Command::DoNotDisturb,
        Command::SetDoNotDisturb(QuietChange::Off),
        Command::Queue { peer: peer(), text: "zażółć".to_owned(), lifetime_seconds: 300 },
        Command::Outbox,
        Command::CancelQueued { texts: QueuedTexts::One(300) },
        Command::Consume { consumer: "bot".to_owned(), acknowledged: 300, most: 16 },
        Command::ForgetConsumer { consumer: "bot".to_owned() },
        Command::Consumers,
        Command::History(HistoryQuery {
            peer: Some(bob()),
            search: Some("noon".to_owned()),
            since: Some(300),
            before: None,
            newest_first: true,
            after: Some(HistoryPlace { peer: bob(), number: 300 }),
            most: 16,
        }),
        Command::HistoryKept,
        Command::SetHistory { peer: Some(bob()), keep: Some(Keep::Days(30)) },
        Command::SetHistory { peer: None, keep: Some(Keep::All) },
        Command::SetHistory { peer: None, keep: None },
        Command::EraseHistory { peer: Some(bob()), before: Some(300) },
        Command::LockKeepSession,
    ]
}

fn replies() -> Vec<Reply> {
    vec![
        Reply::Done,
        Reply::Status(status()),
        Reply::Snapshot(Box::new(snapshot())),
        Reply::Users(vec![bob()]),
        Reply::Asked { chat_id: CHAT, expires: 1_800_000_000, peer_away: true },
        Reply::Accepted { chat_id: CHAT, terms: TERMS },
        Reply::ChatOpen { chat_id: CHAT, terms: TERMS },
        Reply::Requests { incoming: vec![incoming()], outgoing: vec![outgoing()] },
        Reply::Delivered { chat_id: CHAT, id: 300 },
        Reply::Messages(vec![message()]),
        Reply::Closed { chat_id: CHAT, undelivered: 300 },
        Reply::Peers(vec![peer()]),
        Reply::SafetyNumber {
            number: "1 2".to_owned(),
            trust: KeyTrust::Changed,
            offered: Some("3 4".to_owned()),
        },
        Reply::Chats(vec![chat()]),
        Reply::Consents(vec![consent(Some(CHAT)), consent(None)]),
        Reply::DoNotDisturb(quiet()),
        Reply::Queued { id: 300, expires: 1_800_000_000 },
        Reply::Outbox(vec![queued_text()]),
        Reply::Cancelled { texts: 300, sent: 1 },
        Reply::Events {
            missed: 300,
            events: vec![LoggedEvent {
                number: 301,
                event: Event::TrustChanged { peer: bob(), trust: KeyTrust::Changed },
            }],
        },
        Reply::History {
            texts: vec![KeptText {
                peer: bob(),
                chat_id: CHAT,
                is_own: true,
                id: 300,
                at: 1,
                text: "hi".to_owned(),
            }],
            next: Some(HistoryPlace { peer: bob(), number: 300 }),
        },
        Reply::HistoryKept {
            keep: Keep::Days(0),
            peers: vec![KeptOfPeer { peer: bob(), keep: Some(Keep::All), from: Some(300), to: None }],
        },
        Reply::HistoryErased { texts: 300 },
        Reply::Consumers(vec![Consumer { name: "bot".to_owned(), waiting: 300, missed: 1, is_read: true }]),
    ]
}

fn events() -> Vec<Event> {
    let (peer, chat_id) = (bob, CHAT);
    vec![
        Event::StatusChanged(status()),
        Event::RequestReceived(incoming()),
        Event::RequestResolved {
            peer: peer(),
            chat_id,
            resolution: Resolution::Refused,
            by: ResolvedBy::Policy,
        },
        Event::RequestSent(outgoing()),
        Event::RequestAnswered { peer: peer(), chat_id, resolution: Resolution::Expired },
        Event::ChatChanged(chat()),
        Event::ChatEnded {
            peer: peer(),
            chat_id,
            reason: EndReason::TermsOver,
            undelivered: 300,
            missing: 70_000,
        },
        Event::MessageReceived(message()),
        Event::MessagesDelivered { peer: peer(), chat_id, up_to: 300 },
        Event::MessagesRead { chat_id, up_to: 300 },
        Event::TrustChanged { peer: peer(), trust: KeyTrust::Changed },
        Event::UsersChanged { came: vec![peer()], went: vec![] },
        Event::DoNotDisturbChanged(quiet()),
        Event::TextQueued { peer: peer(), id: 300, expires: 1_800_000_000 },
        Event::QueuedTextsEnded { peer: peer(), ids: vec![1, 300], outcome: QueuedOutcome::Expired },
    ]
}

fn errors() -> Vec<CommandError> {
    let (peer, why) = (bob, || "why".to_owned());
    vec![
        CommandError::NotConfigured,
        CommandError::Locked,
        CommandError::WrongPassphrase,
        CommandError::IdentityUnusable { why: why() },
        CommandError::NotConnected { why: why() },
        CommandError::PeerUnavailable { peer: peer() },
        CommandError::Refused { peer: peer() },
        CommandError::TimedOut,
        CommandError::Expired { peer: peer() },
        CommandError::KeyChanged { peer: peer() },
        CommandError::WrongSafetyNumber { peer: peer() },
        CommandError::NoKey { peer: peer() },
        CommandError::NoChat { peer: peer() },
        CommandError::NotDelivered { peer: peer(), chat_id: CHAT },
        CommandError::NoRequest { peer: peer() },
        CommandError::AlreadyResolved { why: why() },
        CommandError::Blocked { peer: peer() },
        CommandError::Invalid { why: why() },
        CommandError::LimitReached { why: why() },
        CommandError::NotSaved { why: why() },
        CommandError::Stopping,
        CommandError::Withdrawn,
        CommandError::StateUnusable { why: why() },
        CommandError::NotSent { why: why() },
        CommandError::NoConsent { peer: peer() },
        CommandError::NotQueued { id: 300 },
        CommandError::InUse { why: why() },
        CommandError::HistoryUnusable { why: why() },
    ]
}

fn status() -> Status {
    Status {
        version: "0.1.0".to_owned(),
        pid: 4_711,
        profile: "work".to_owned(),
        user: Some(bob()),
        relay: "relay:4433".to_owned(),
        lock: LockState::Unlocked,
        link: LinkState::Online,
        reachability: Reachability::Hidden,
        policy: Policy::Refuse,
        hints: vec!["hint".to_owned()],
    }
}

fn incoming() -> IncomingRequest {
    IncomingRequest {
        peer: bob(),
        chat_id: CHAT,
        issued: 1_700_000_000,
        expires: 1_700_000_300,
        received: 1_700_000_001,
        terms: TERMS,
        trust: KeyTrust::Verified,
        safety_number: "1 2".to_owned(),
        state: RequestState::Later,
    }
}

fn outgoing() -> OutgoingRequest {
    let (issued, expires) = (1_700_000_000, 1_700_000_300);
    OutgoingRequest { peer: bob(), chat_id: CHAT, issued, expires, terms: TERMS, peer_away: true }
}

fn chat() -> ChatSummary {
    ChatSummary {
        peer: bob(),
        chat_id: CHAT,
        state: ChatState::Interrupted,
        terms: TERMS,
        unread: 300,
        undelivered: 2,
        trust: KeyTrust::Pinned,
    }
}

fn consent(chat_id: Option<ChatId>) -> Consent {
    Consent { peer: bob(), given: 1_700_000_000, terms: TERMS, chat_id }
}

fn quiet() -> DoNotDisturb {
    DoNotDisturb { on: true, until: Some(1_800_000_000), hours: Some(NIGHT) }
}

fn message() -> Message {
    Message { peer: bob(), chat_id: CHAT, id: 300, received: 1_700_000_000, text: "zażółć".to_owned() }
}

fn queued_text() -> QueuedText {
    QueuedText {
        id: 300,
        peer: bob(),
        queued: 1_700_000_000,
        expires: 1_700_000_300,
        is_sent: true,
        bytes: 7,
        beginning: "zażółć".to_owned(),
    }
}

fn peer() -> Peer {
    Peer {
        peer: bob(),
        trust: KeyTrust::Pinned,
        public_key: "MCow".to_owned(),
        policy: Some(Policy::Ask),
        blocked: true,
    }
}

fn snapshot() -> Snapshot {
    Snapshot {
        sequence: 300,
        status: status(),
        incoming: vec![incoming()],
        outgoing: vec![outgoing()],
        chats: vec![chat()],
        unread: vec![message()],
        do_not_disturb: DoNotDisturb::default(),
    }
}
