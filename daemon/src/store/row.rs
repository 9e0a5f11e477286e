//! Records as bytes: what is inside the seal. Append-only, like the ipc: an older daemon's rows are read for ever.

use postcard::ser_flavors::Size;
use secchat_ipc::Event;
use secchat_ipc::types::{ChatId as IpcChatId, Message, Policy, QuietHours, Terms};
use secchat_proto::UserName;
use secchat_proto::chat::{SavedChat, SavedEnd, Side};
use secchat_proto::crypto::secret::Secret;
use secchat_proto::crypto::signature::PublicKey;
use secchat_proto::handshake::ChatContext;
use secchat_proto::wire::chat_record::EndReason;
use secchat_proto::wire::request::RequestToTalk;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::history::Day;
use crate::convert::{chat_id_from_ipc, chat_id_to_ipc, terms_from_ipc, terms_to_ipc};
use crate::core::record::{
    KeptAnswer, KeptText, Record, SavedConsent, SavedConsumer, SavedPeer, SavedQueued, SavedQuiet,
    SavedRequest, SavedSettings, Word,
};

/// What a row holds.
pub(super) enum Opened {
    /// Something that the core keeps.
    Record(Record),
    /// A text on its way into the history, and its number there.
    Text(u64, KeptText),
    /// The key of some texts of the history.
    Day(Day),
}

/// The bytes of a record.
pub(super) fn encode(record: &Record) -> Result<Zeroizing<Vec<u8>>, postcard::Error> {
    fill(&Row::from(record))
}

/// The bytes of a text of the history, which has this number there.
pub(super) fn encode_text(number: u64, text: &KeptText) -> Result<Zeroizing<Vec<u8>>, postcard::Error> {
    fill(&Row::of_text(number, text))
}

/// The bytes of a key of the history.
pub(super) fn encode_day(day: &Day) -> Result<Zeroizing<Vec<u8>>, postcard::Error> {
    fill(&Row::of_day(day))
}

/// A row's bytes, filled with zeros to a power of two, so that its length tells little.
fn fill(row: &Row) -> Result<Zeroizing<Vec<u8>>, postcard::Error> {
    let length = postcard::serialize_with_flavor(row, Size::default())?;
    // The full size at once: growing would leave copies behind.
    let mut bytes = Zeroizing::new(vec![0; length.next_power_of_two().max(LEAST_BYTES)]);
    postcard::to_slice(row, &mut bytes)?;
    Ok(bytes)
}

/// What these bytes hold; `None` if they are not what the functions above make.
pub(super) fn decode(bytes: &[u8]) -> Option<Opened> {
    let (row, rest) = postcard::take_from_bytes::<Row>(bytes).ok()?;
    rest.iter().all(|byte| *byte == 0).then(|| row.open())?
}

/// A record in the types of the disk.
#[derive(Serialize, Deserialize)]
enum Row {
    Settings {
        policy: Option<Policy>,
        newest_crl_seen: u64,
    },
    Peer {
        peer: String,
        pin: Option<Vec<u8>>,
        verified: bool,
        policy: Option<Policy>,
        blocked: bool,
    },
    Stale {
        peer: String,
        issued: u64,
    },
    Request(RequestRow),
    Asked {
        peer: String,
        request: Vec<u8>,
    },
    Chat(Box<ChatRow>),
    Sent {
        chat_id: IpcChatId,
        id: u64,
        text: Zeroizing<String>,
    },
    Unread(Message),
    Consent {
        peer: String,
        key: Vec<u8>,
        terms: Terms,
        given: u64,
    },
    Quiet {
        word: Option<(bool, Option<u64>)>,
        hours: Option<Option<QuietHours>>,
    },
    Queued {
        id: u64,
        peer: String,
        queued: u64,
        expires: u64,
        sent: Option<(IpcChatId, u64)>,
        text: Zeroizing<String>,
    },
    LastQueued(u64),
    Consumer {
        name: String,
        position: u64,
        missed: u64,
    },
    Event {
        number: u64,
        event: Event,
    },
    Keep {
        peer: Option<String>,
        days: u16,
    },
    Kept(Box<KeptRow>),
    HistoryDay(DayRow),
    /// A peer whose pin a verified one vouched for.
    FollowedPeer {
        peer: String,
        pin: Vec<u8>,
        policy: Option<Policy>,
        blocked: bool,
    },
}

#[derive(Serialize, Deserialize)]
struct KeptRow {
    number: u64,
    peer: String,
    chat_id: IpcChatId,
    is_own: bool,
    id: u64,
    at: u64,
    days: u16,
    text: Zeroizing<String>,
}

#[derive(Serialize, Deserialize)]
struct DayRow {
    peer: String,
    first: u64,
    day: u64,
    days: u16,
    key: Option<Zeroizing<[u8; 32]>>,
}

#[derive(Serialize, Deserialize)]
struct RequestRow {
    peer: String,
    request: Vec<u8>,
    key: Vec<u8>,
    received: u64,
    answered: u64,
    answer: AnswerRow,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum AnswerRow {
    Refused,
    RefusedQuietly,
    Accepted(Terms),
    Spent,
    Withdrawn,
    Pending,
    Later,
}

#[derive(Serialize, Deserialize)]
struct ChatRow {
    is_initiator: bool,
    initiator: (String, Vec<u8>),
    responder: (String, Vec<u8>),
    request: Vec<u8>,
    granted: Terms,
    root: Zeroizing<[u8; 32]>,
    has_opened: bool,
    last_sent: u64,
    acknowledged: u64,
    held: u64,
    own_end: Option<EndRow>,
    peer_end: Option<bool>,
    is_told: bool,
    give_up_at: Option<u64>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum EndRow {
    Person,
    Until,
    RestoredCopy,
    Answer,
}

impl From<&Record> for Row {
    fn from(record: &Record) -> Self {
        match record {
            Record::Settings(SavedSettings { policy, newest_crl_seen }) => {
                Self::Settings { policy: *policy, newest_crl_seen: *newest_crl_seen }
            }
            Record::Peer(
                peer,
                SavedPeer { pin: Some(pin), verified: true, followed: true, policy, blocked },
            ) => Self::FollowedPeer {
                peer: peer.to_string(),
                pin: pin.as_der().to_vec(),
                policy: *policy,
                blocked: *blocked,
            },
            // What followed nothing that a person verified has followed nothing.
            Record::Peer(peer, SavedPeer { pin, verified, followed: _, policy, blocked }) => Self::Peer {
                peer: peer.to_string(),
                pin: pin.as_ref().map(|key| key.as_der().to_vec()),
                verified: *verified,
                policy: *policy,
                blocked: *blocked,
            },
            Record::Stale(peer, issued) => Self::Stale { peer: peer.to_string(), issued: *issued },
            Record::Request(request) => Self::Request(RequestRow::from(request.as_ref())),
            Record::Asked(peer, request) => Self::Asked { peer: peer.to_string(), request: request.encode() },
            Record::Chat(chat) => Self::Chat(Box::new(ChatRow::from(chat.as_ref()))),
            Record::Sent(chat_id, id, text) => {
                Self::Sent { chat_id: chat_id_to_ipc(*chat_id), id: *id, text: Zeroizing::new(text.clone()) }
            }
            Record::Unread(_, message) => Self::Unread(message.clone()),
            Record::Quiet(SavedQuiet { word, hours }) => {
                Self::Quiet { word: word.map(|word| (word.on, word.until)), hours: *hours }
            }
            Record::Consent(peer, SavedConsent { key, terms, given }) => Self::Consent {
                peer: peer.to_string(),
                key: key.as_der().to_vec(),
                terms: terms_to_ipc(*terms),
                given: *given,
            },
            Record::Queued(queued) => {
                let SavedQueued { id, peer, queued, expires, sent, text } = queued.as_ref();
                Self::Queued {
                    id: *id,
                    peer: peer.to_string(),
                    queued: *queued,
                    expires: *expires,
                    sent: sent.map(|(chat_id, id)| (chat_id_to_ipc(chat_id), id)),
                    text: Zeroizing::new(text.clone()),
                }
            }
            Record::LastQueued(id) => Self::LastQueued(*id),
            Record::Consumer(SavedConsumer { name, position, missed }) => {
                Self::Consumer { name: name.clone(), position: *position, missed: *missed }
            }
            Record::Event(number, event) => Self::Event { number: *number, event: event.clone() },
            Record::Keep(peer, days) => {
                Self::Keep { peer: peer.as_ref().map(ToString::to_string), days: *days }
            }
            // The owner of the file gives it its number.
            Record::Kept(text) => Self::of_text(0, text),
        }
    }
}

impl Row {
    fn of_text(number: u64, text: &KeptText) -> Self {
        let KeptText { peer, chat_id, is_own, id, at, days, order: _, text } = text;
        Self::Kept(Box::new(KeptRow {
            number,
            peer: peer.to_string(),
            chat_id: chat_id_to_ipc(*chat_id),
            is_own: *is_own,
            id: *id,
            at: *at,
            days: *days,
            text: text.clone(),
        }))
    }

    fn of_day(Day { peer, first, day, days, key }: &Day) -> Self {
        let key = key.as_ref().map(|key| Zeroizing::new(*key.expose()));
        Self::HistoryDay(DayRow { peer: peer.to_string(), first: *first, day: *day, days: *days, key })
    }

    fn open(self) -> Option<Opened> {
        Some(Opened::Record(match self {
            Self::Kept(row) => return row.read(),
            Self::HistoryDay(row) => return row.read(),
            Self::Settings { policy, newest_crl_seen } => {
                Record::Settings(SavedSettings { policy, newest_crl_seen })
            }
            Self::Peer { peer, pin, verified, policy, blocked } => {
                let pin = match pin {
                    Some(der) => Some(PublicKey::from_der(&der).ok()?),
                    None => None,
                };
                Record::Peer(name(&peer)?, SavedPeer { pin, verified, followed: false, policy, blocked })
            }
            Self::FollowedPeer { peer, pin, policy, blocked } => {
                let pin = Some(PublicKey::from_der(&pin).ok()?);
                Record::Peer(name(&peer)?, SavedPeer { pin, verified: true, followed: true, policy, blocked })
            }
            Self::Stale { peer, issued } => Record::Stale(name(&peer)?, issued),
            Self::Request(row) => Record::Request(Box::new(row.read()?)),
            Self::Asked { peer, request } => {
                Record::Asked(name(&peer)?, RequestToTalk::decode(&request).ok()?)
            }
            Self::Chat(row) => Record::Chat(Box::new(row.read()?)),
            Self::Sent { chat_id, id, text } => {
                Record::Sent(chat_id_from_ipc(chat_id)?, id, text.as_str().to_owned())
            }
            Self::Unread(message) => Record::Unread(chat_id_from_ipc(message.chat_id)?, message),
            Self::Quiet { word, hours } => {
                let word = word.map(|(on, until)| Word { on, until });
                Record::Quiet(SavedQuiet { word, hours })
            }
            Self::Consent { peer, key, terms, given } => {
                let key = PublicKey::from_der(&key).ok()?;
                Record::Consent(name(&peer)?, SavedConsent { key, terms: terms_from_ipc(terms), given })
            }
            Self::Queued { id, peer, queued, expires, sent, text } => {
                let sent = match sent {
                    Some((chat_id, id)) => Some((chat_id_from_ipc(chat_id)?, id)),
                    None => None,
                };
                let (peer, text) = (name(&peer)?, text.as_str().to_owned());
                Record::Queued(Box::new(SavedQueued { id, peer, queued, expires, sent, text }))
            }
            Self::LastQueued(id) => Record::LastQueued(id),
            Self::Consumer { name, position, missed } => {
                Record::Consumer(SavedConsumer { name, position, missed })
            }
            Self::Event { number, event } => Record::Event(number, event),
            Self::Keep { peer: None, days } => Record::Keep(None, days),
            Self::Keep { peer: Some(peer), days } => Record::Keep(Some(name(&peer)?), days),
        }))
    }
}

impl KeptRow {
    fn read(self) -> Option<Opened> {
        let Self { number, peer, chat_id, is_own, id, at, days, text } = self;
        let (peer, chat_id) = (name(&peer)?, chat_id_from_ipc(chat_id)?);
        Some(Opened::Text(number, KeptText { peer, chat_id, is_own, id, at, days, order: 0, text }))
    }
}

impl DayRow {
    fn read(self) -> Option<Opened> {
        let Self { peer, first, day, days, key } = self;
        let key = key.map(|bytes| {
            let mut key = Secret::zeros();
            key.expose_mut().copy_from_slice(bytes.as_slice());
            key
        });
        Some(Opened::Day(Day { peer: name(&peer)?, first, day, days, key }))
    }
}

impl From<&SavedRequest> for RequestRow {
    fn from(saved: &SavedRequest) -> Self {
        let SavedRequest { peer, request, key, received, answered, answer } = saved;
        Self {
            peer: peer.to_string(),
            request: request.encode(),
            key: key.as_der().to_vec(),
            received: *received,
            answered: *answered,
            answer: match answer {
                KeptAnswer::Refused => AnswerRow::Refused,
                KeptAnswer::RefusedQuietly => AnswerRow::RefusedQuietly,
                KeptAnswer::Accepted(terms) => AnswerRow::Accepted(terms_to_ipc(*terms)),
                KeptAnswer::Spent => AnswerRow::Spent,
                KeptAnswer::Withdrawn => AnswerRow::Withdrawn,
                KeptAnswer::Pending => AnswerRow::Pending,
                KeptAnswer::Later => AnswerRow::Later,
            },
        }
    }
}

impl RequestRow {
    fn read(self) -> Option<SavedRequest> {
        Some(SavedRequest {
            peer: name(&self.peer)?,
            request: RequestToTalk::decode(&self.request).ok()?,
            key: PublicKey::from_der(&self.key).ok()?,
            received: self.received,
            answered: self.answered,
            answer: match self.answer {
                AnswerRow::Refused => KeptAnswer::Refused,
                AnswerRow::RefusedQuietly => KeptAnswer::RefusedQuietly,
                AnswerRow::Accepted(terms) => KeptAnswer::Accepted(terms_from_ipc(terms)),
                AnswerRow::Spent => KeptAnswer::Spent,
                AnswerRow::Withdrawn => KeptAnswer::Withdrawn,
                AnswerRow::Pending => KeptAnswer::Pending,
                AnswerRow::Later => KeptAnswer::Later,
            },
        })
    }
}

impl From<&SavedChat> for ChatRow {
    fn from(saved: &SavedChat) -> Self {
        let SavedChat { side, context, granted, root, has_opened, last_sent, acknowledged, held, end } =
            saved;
        let ChatContext { initiator, responder, request } = context;
        let user = |(name, key): &(UserName, PublicKey)| (name.to_string(), key.as_der().to_vec());
        Self {
            is_initiator: *side == Side::Initiator,
            initiator: user(initiator),
            responder: user(responder),
            request: request.encode(),
            granted: terms_to_ipc(*granted),
            root: Zeroizing::new(*root.expose()),
            has_opened: *has_opened,
            last_sent: *last_sent,
            acknowledged: *acknowledged,
            held: *held,
            own_end: end.own.map(EndRow::from),
            peer_end: end.peer,
            is_told: end.is_told,
            give_up_at: end.give_up_at,
        }
    }
}

impl ChatRow {
    fn read(self) -> Option<SavedChat> {
        let user = |(text, der): &(String, Vec<u8>)| Some((name(text)?, PublicKey::from_der(der).ok()?));
        let mut root = Secret::zeros();
        root.expose_mut().copy_from_slice(self.root.as_slice());
        Some(SavedChat {
            side: if self.is_initiator { Side::Initiator } else { Side::Responder },
            context: ChatContext {
                initiator: user(&self.initiator)?,
                responder: user(&self.responder)?,
                request: RequestToTalk::decode(&self.request).ok()?,
            },
            granted: terms_from_ipc(self.granted),
            root,
            has_opened: self.has_opened,
            last_sent: self.last_sent,
            acknowledged: self.acknowledged,
            held: self.held,
            end: SavedEnd {
                own: self.own_end.map(EndReason::from),
                peer: self.peer_end,
                is_told: self.is_told,
                give_up_at: self.give_up_at,
            },
        })
    }
}

impl From<EndReason> for EndRow {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::Person => Self::Person,
            EndReason::Until => Self::Until,
            EndReason::RestoredCopy => Self::RestoredCopy,
            EndReason::Answer => Self::Answer,
        }
    }
}

impl From<EndRow> for EndReason {
    fn from(row: EndRow) -> Self {
        match row {
            EndRow::Person => Self::Person,
            EndRow::Until => Self::Until,
            EndRow::RestoredCopy => Self::RestoredCopy,
            EndRow::Answer => Self::Answer,
        }
    }
}

fn name(text: &str) -> Option<UserName> {
    UserName::parse(text.as_bytes()).ok()
}

/// Bytes of the shortest row: most texts of a conversation look alike.
const LEAST_BYTES: usize = 128;
