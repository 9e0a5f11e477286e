//! Records as bytes: what is inside the seal. Append-only, like the ipc: an older daemon's rows are read for ever.

mod chat;
mod history;
mod request;

use postcard::ser_flavors::Size;
use secchat_ipc::Event;
use secchat_ipc::types::{ChatId as IpcChatId, Message, Policy, QuietHours, Terms};
use secchat_proto::UserName;
use secchat_proto::crypto::signature::PublicKey;
use secchat_proto::wire::request::RequestToTalk;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use self::chat::ChatRow;
use self::history::{DayRow, KeptRow};
use self::request::RequestRow;
use super::history::Day;
use crate::convert::{chat_id_from_ipc, chat_id_to_ipc, terms_from_ipc, terms_to_ipc};
use crate::core::record::{
    KeptText, Record, SavedConsent, SavedConsumer, SavedPeer, SavedQueued, SavedQuiet, SavedSettings, Word,
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
    fill(&Row::Kept(Box::new(KeptRow::of(number, text))))
}

/// The bytes of a key of the history.
pub(super) fn encode_day(day: &Day) -> Result<Zeroizing<Vec<u8>>, postcard::Error> {
    fill(&Row::HistoryDay(day.into()))
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
            Record::Kept(text) => Self::Kept(Box::new(KeptRow::of(0, text))),
        }
    }
}

impl Row {
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

fn name(text: &str) -> Option<UserName> {
    UserName::parse(text.as_bytes()).ok()
}

/// Bytes of the shortest row: most texts of a conversation look alike.
const LEAST_BYTES: usize = 128;
