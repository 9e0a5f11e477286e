//! What survives the daemon: one record for each thing, found by its key.

use secchat_ipc::Event;
use secchat_ipc::types::{Message, Policy, QuietHours};
use secchat_proto::UserName;
use secchat_proto::chat::SavedChat;
use secchat_proto::crypto::signature::{PublicKey, SigningKey};
use secchat_proto::wire::link::ChatId;
use secchat_proto::wire::request::{RequestToTalk, Terms};
use zeroize::Zeroizing;

/// One thing that is kept on disk.
#[derive(Clone, Debug)]
pub enum Record {
    /// What is not about one peer.
    Settings(SavedSettings),
    /// A peer.
    Peer(UserName, SavedPeer),
    /// Requests of this peer issued at or before this (Unix seconds) count as answered: what is left of answers that
    /// were too many to keep.
    Stale(UserName, u64),
    /// A request of somebody else that has not expired.
    Request(Box<SavedRequest>),
    /// A standing request of this user.
    Asked(UserName, RequestToTalk),
    /// A chat that can resume.
    Chat(Box<SavedChat>),
    /// An own text that is not acknowledged.
    Sent(ChatId, u64, String),
    /// A text that nobody has read.
    Unread(ChatId, Message),
    /// What a person granted this peer beyond one chat.
    Consent(UserName, SavedConsent),
    /// Do not disturb.
    Quiet(SavedQuiet),
    /// A text that was left for a peer.
    Queued(Box<SavedQueued>),
    /// The last number given in the outbox.
    LastQueued(u64),
    /// Who reads the log of events.
    Consumer(SavedConsumer),
    /// An event in the log, and its number.
    Event(u64, Event),
    /// For how many days texts are kept: a peer's, or those of all others.
    Keep(Option<UserName>, u16),
    /// A text on its way into the history.
    Kept(Box<KeptText>),
}

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordKey {
    /// [`Record::Settings`].
    Settings,
    /// [`Record::Peer`].
    Peer(UserName),
    /// [`Record::Stale`].
    Stale(UserName),
    /// [`Record::Request`].
    Request(ChatId),
    /// [`Record::Asked`].
    Asked(UserName),
    /// [`Record::Chat`].
    Chat(ChatId),
    /// [`Record::Sent`], by its number.
    Sent(ChatId, u64),
    /// [`Record::Unread`], by its number.
    Unread(ChatId, u64),
    /// [`Record::Consent`].
    Consent(UserName),
    /// [`Record::Quiet`].
    Quiet,
    /// [`Record::Queued`], by its number.
    Queued(u64),
    /// [`Record::LastQueued`].
    LastQueued,
    /// [`Record::Consumer`], by its name.
    Consumer(String),
    /// [`Record::Event`], by its number.
    Event(u64),
    /// [`Record::Keep`].
    Keep(Option<UserName>),
    /// [`Record::Kept`]: whether it is an own text, and its number.
    Kept(ChatId, bool, u64),
}

impl Record {
    /// What it is about.
    #[must_use]
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Settings(_) => RecordKey::Settings,
            Self::Peer(peer, _) => RecordKey::Peer(peer.clone()),
            Self::Stale(peer, _) => RecordKey::Stale(peer.clone()),
            Self::Request(request) => RecordKey::Request(request.request.chat_id),
            Self::Asked(peer, _) => RecordKey::Asked(peer.clone()),
            Self::Chat(chat) => RecordKey::Chat(chat.context.request.chat_id),
            Self::Sent(chat_id, id, _) => RecordKey::Sent(*chat_id, *id),
            Self::Unread(chat_id, message) => RecordKey::Unread(*chat_id, message.id),
            Self::Consent(peer, _) => RecordKey::Consent(peer.clone()),
            Self::Quiet(_) => RecordKey::Quiet,
            Self::Queued(queued) => RecordKey::Queued(queued.id),
            Self::LastQueued(_) => RecordKey::LastQueued,
            Self::Consumer(consumer) => RecordKey::Consumer(consumer.name.clone()),
            Self::Event(number, _) => RecordKey::Event(*number),
            Self::Keep(peer, _) => RecordKey::Keep(peer.clone()),
            Self::Kept(text) => RecordKey::Kept(text.chat_id, text.is_own, text.id),
        }
    }
}

/// The identity key, and what only it opens.
#[derive(Debug)]
pub struct Unlocked {
    /// The key.
    pub identity: SigningKey,
    /// What was on disk: what counts is that of the first unlock.
    pub restored: Restored,
}

/// What was on disk.
#[derive(Debug, Default)]
pub struct Restored {
    /// All of it, in no order.
    pub records: Vec<Record>,
    /// What a person has to know of it: a file that was set aside.
    pub notices: Vec<String>,
    /// Whether there may be a history.
    pub has_history: bool,
    /// The key took the place of another, and opened it by what that one left to it.
    pub follows: bool,
}

/// What is not about one peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SavedSettings {
    /// Policy in general; `None` is `Ask`.
    pub policy: Option<Policy>,
    /// The newest CRL's thisUpdate seen: Unix seconds.
    pub newest_crl_seen: u64,
}

/// What survives of a peer.
#[derive(Clone, Debug, Default)]
pub struct SavedPeer {
    /// The pinned key.
    pub pin: Option<PublicKey>,
    /// Whether a person compared the safety number for it.
    pub verified: bool,
    /// Not for it itself, but for a key before it, which vouches for it.
    pub followed: bool,
    /// The policy for this peer.
    pub policy: Option<Policy>,
    /// Nothing of this peer gets through.
    pub blocked: bool,
}

/// A consent that is wider than one chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedConsent {
    /// The peer's key that it was given to.
    pub key: PublicKey,
    /// The grant that it was given with: no chat under it is wider.
    pub terms: Terms,
    /// When: Unix seconds.
    pub given: u64,
}

/// Do not disturb, as a person said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SavedQuiet {
    /// The last word; none: by the hours.
    pub word: Option<Word>,
    /// The hours; `None`: as configured.
    pub hours: Option<Option<QuietHours>>,
}

/// On or off, whatever the hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// Which.
    pub on: bool,
    /// Until then: Unix seconds; `None`: until there is another word.
    pub until: Option<u64>,
}

/// A request of somebody else; its answer stands until it expires.
#[derive(Clone, Debug)]
pub struct SavedRequest {
    /// Who asked.
    pub peer: UserName,
    /// The request.
    pub request: RequestToTalk,
    /// The key that it was verified under.
    pub key: PublicKey,
    /// When it arrived: Unix seconds.
    pub received: u64,
    /// When it was answered: Unix seconds.
    pub answered: u64,
    /// How it stands.
    pub answer: KeptAnswer,
}

/// How a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptAnswer {
    /// Refused; the asker was told.
    Refused,
    /// Refused without a word.
    RefusedQuietly,
    /// Accepted, with this grant; the chat's handshake was not completed.
    Accepted(Terms),
    /// Accepted, and the chat's handshake completed: spent.
    Spent,
    /// Withdrawn by the asker.
    Withdrawn,
    /// Not answered.
    Pending,
    /// Not answered: a person put it off.
    Later,
}

/// A text that was left for a peer.
#[derive(Clone, Debug)]
pub struct SavedQueued {
    /// Its number in the outbox.
    pub id: u64,
    /// For whom.
    pub peer: UserName,
    /// When it was left: Unix seconds.
    pub queued: u64,
    /// When it is given up unless it was sent: Unix seconds.
    pub expires: u64,
    /// Once a chat has it: which, and its number there. The text is the chat's then.
    pub sent: Option<(ChatId, u64)>,
    /// The text; empty once a chat has it.
    pub text: String,
}

/// Who reads the log of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedConsumer {
    /// Its name.
    pub name: String,
    /// The last event that it acknowledged.
    pub position: u64,
    /// How many after that are gone.
    pub missed: u64,
}

/// A text that is kept after it was delivered.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptText {
    /// With whom.
    pub peer: UserName,
    /// In which chat.
    pub chat_id: ChatId,
    /// Whether this user wrote it.
    pub is_own: bool,
    /// Its number in its chat and direction.
    pub id: u64,
    /// When it arrived, here or there: Unix seconds.
    pub at: u64,
    /// For how many days the two agreed that it may be kept; [`u16::MAX`]: for ever.
    pub days: u16,
    /// Among those written at once, the lower ones come first. Not kept.
    pub order: u64,
    /// The text.
    pub text: Zeroizing<String>,
}

impl std::fmt::Debug for KeptText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { chat_id, is_own, id, .. } = self;
        f.debug_struct("KeptText").field("of", &(chat_id, is_own, id)).finish_non_exhaustive()
    }
}
