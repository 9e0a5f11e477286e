//! What commands, replies and events are made of.

mod history;

use serde::{Deserialize, Serialize};

use crate::UserName;
pub use history::{HistoryPlace, HistoryQuery, Keep, KeptOfPeer, KeptText};

/// What two people agree on for one chat. `None` is "no limit".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// When the chat ends by itself: Unix seconds.
    pub until: Option<u64>,
    /// For how many days either side may keep the chat's texts; 0 is not at all.
    pub history_days: Option<u16>,
}

/// The id of one chat, for its whole life: 16 random bytes, shown as 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChatId(pub [u8; 16]);

impl std::fmt::Display for ChatId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A secret on its way to the daemon: wiped when dropped, never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passphrase(pub zeroize::Zeroizing<String>);

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// Whether the identity key is in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LockState {
    /// The key is on disk only, under its passphrase.
    Locked,
    /// The key is in the daemon's memory.
    Unlocked,
    /// As [`Self::Locked`], but requests arrive: a key that can do no more than be asked keeps the session.
    Reachable {
        /// For how long, without an unlock: Unix seconds.
        until: u64,
    },
}

/// Whether others find this user on the relay's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reachability {
    /// Listed; requests arrive.
    Available,
    /// Not listed; may still ask.
    Hidden,
}

/// The state of the link to the relay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkState {
    /// No link and none wanted: locked, logged out, or not configured.
    LoggedOut,
    /// A login is under way.
    Connecting,
    /// Logged in.
    Online,
    /// The last attempt failed; the next one starts by itself.
    Waiting {
        /// Why, for a person.
        why: String,
        /// When the next attempt starts: Unix seconds.
        retry_at: u64,
    },
    /// Another daemon logged in as the same user, or the relay removed this one; stays away until `login`.
    Replaced {
        /// Why, for a person.
        why: String,
    },
}

/// What is known of a peer's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyTrust {
    /// No key is pinned; what the relay says cannot be checked but by comparing the safety number.
    Unverified,
    /// Kept since the first chat, not compared by a person.
    Pinned,
    /// A person compared the safety number.
    Verified,
    /// The relay offers another key than the pinned one.
    Changed,
    /// It took the place of a key that a person verified, which vouches for it; it has not been compared itself.
    Followed,
    /// The relay offers another key than the pinned one, which vouches for it; the pinned one has not been verified.
    Vouched,
}

impl KeyTrust {
    /// Whether the relay offers another key than the pinned one: nothing is done until a person settles which is right.
    #[must_use]
    pub fn is_changed(self) -> bool {
        match self {
            Self::Changed | Self::Vouched => true,
            Self::Unverified | Self::Pinned | Self::Verified | Self::Followed => false,
        }
    }
}

/// What happens to requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Policy {
    /// A person answers.
    Ask,
    /// Accepted at once.
    Accept,
    /// Refused at once; the asker is told.
    Refuse,
    /// Never answered: to the asker it looks like no answer.
    RefuseQuietly,
}

/// How a request of somebody else stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestState {
    /// Waits for an answer.
    Pending,
    /// A person said "later": waits, without reminders.
    Later,
    /// Accepted; the chat opens when both are there.
    Accepted,
    /// Refused; can be undone with `accept` until it expires.
    Refused,
}

/// Somebody's request to talk to this user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncomingRequest {
    /// Who asks.
    pub peer: UserName,
    /// The chat that it would be.
    pub chat_id: ChatId,
    /// When it was made, by the asker's clock: Unix seconds.
    pub issued: u64,
    /// When it ends by itself: Unix seconds.
    pub expires: u64,
    /// When it arrived here: Unix seconds.
    pub received: u64,
    /// The terms that the asker proposes.
    pub terms: Terms,
    /// What is known of the asker's key.
    pub trust: KeyTrust,
    /// The safety number of the two users, 12 groups of 5 digits, for the key that the request came with.
    pub safety_number: String,
    /// How it stands.
    pub state: RequestState,
}

/// This user's request to somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingRequest {
    /// Who is asked.
    pub peer: UserName,
    /// The chat that it would be.
    pub chat_id: ChatId,
    /// When it was made: Unix seconds.
    pub issued: u64,
    /// When it ends by itself: Unix seconds.
    pub expires: u64,
    /// The proposed terms.
    pub terms: Terms,
    /// Whether the relay said that the peer is not available now.
    pub peer_away: bool,
}

/// How a chat stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChatState {
    /// Accepted; keys are being agreed on.
    Opening,
    /// Texts go both ways.
    Open,
    /// The link or the peer went away; goes on by itself.
    Interrupted,
    /// Closed by one side; the other has not confirmed yet.
    Closing,
}

/// A chat in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatSummary {
    /// With whom.
    pub peer: UserName,
    /// Its id.
    pub chat_id: ChatId,
    /// How it stands.
    pub state: ChatState,
    /// The terms granted (proposed, while opening).
    pub terms: Terms,
    /// Texts that no frontend has read.
    pub unread: u32,
    /// Own texts that the peer's daemon has not acknowledged.
    pub undelivered: u32,
    /// What is known of the peer's key.
    pub trust: KeyTrust,
}

/// What allows a peer to talk to this user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Who may talk.
    pub peer: UserName,
    /// When it was given; of a chat, when that was asked for: Unix seconds.
    pub given: u64,
    /// Until when, and for how long texts may be kept.
    pub terms: Terms,
    /// The one chat that it is for; `None`: also for chats that the peer asks for until then.
    pub chat_id: Option<ChatId>,
}

/// Whether a person wants to be left alone. Requests and texts arrive and wait all the same: frontends make no noise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoNotDisturb {
    /// Whether frontends keep quiet now.
    pub on: bool,
    /// When that changes by itself: Unix seconds.
    pub until: Option<u64>,
    /// The hours of every day in which it is on.
    pub hours: Option<QuietHours>,
}

/// Hours of every day, in local time; over midnight when `to` is the earlier one. Written `22:00-07:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// The first minute in it, counted from midnight.
    pub from: u16,
    /// The first minute after it.
    pub to: u16,
}

impl QuietHours {
    /// Whether both are times of a day, and not the same.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.from < MINUTES_OF_A_DAY && self.to < MINUTES_OF_A_DAY && self.from != self.to
    }
}

impl std::fmt::Display for QuietHours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { from, to } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

impl std::str::FromStr for QuietHours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str, most: u16| {
            let is_two_digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u16>().ok().filter(|number| is_two_digits && *number <= most)
        };
        let minute = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            number(hour, 23)?.checked_mul(60)?.checked_add(number(minute, 59)?)
        };
        let hours = text.split_once('-').and_then(|(from, to)| {
            Some(Self { from: minute(from)?, to: minute(to)? }).filter(Self::is_valid)
        });
        hours.ok_or_else(|| format!("{text:?} is not HH:MM-HH:MM, two different times, as in 22:00-07:00"))
    }
}

/// Minutes from midnight to midnight.
const MINUTES_OF_A_DAY: u16 = 24 * 60;

/// How do-not-disturb shall change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QuietChange {
    /// On.
    On {
        /// For this long; 0: until it is turned off.
        seconds: u32,
    },
    /// Off; during the hours, until they end.
    Off,
    /// On in these hours of every day, or in none.
    Hours(Option<QuietHours>),
    /// On in the hours that the configuration names.
    HoursAsConfigured,
}

/// A text that arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// From whom.
    pub peer: UserName,
    /// In which chat.
    pub chat_id: ChatId,
    /// The text's number in its chat and direction, from 1.
    pub id: u64,
    /// When it arrived: Unix seconds.
    pub received: u64,
    /// The text as the peer sent it: not made harmless for a terminal.
    pub text: String,
}

/// A pinned peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// The peer's name.
    pub peer: UserName,
    /// What is known of its key; [`KeyTrust::Unverified`] when only a policy is kept.
    pub trust: KeyTrust,
    /// base64 of the key's DER `SubjectPublicKeyInfo`; empty when none is pinned.
    pub public_key: String,
    /// The policy for this peer's requests, if one is set.
    pub policy: Option<Policy>,
    /// Whether nothing of this peer gets through.
    pub blocked: bool,
}

/// The daemon in one page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The daemon's version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// The profile; empty for the default one.
    pub profile: String,
    /// The user's name; `None` until configured.
    pub user: Option<UserName>,
    /// The relay's address as configured; empty until configured.
    pub relay: String,
    /// Whether the identity key is unlocked.
    pub lock: LockState,
    /// The link.
    pub link: LinkState,
    /// Whether others find this user.
    pub reachability: Reachability,
    /// The policy for requests where none is set for the peer.
    pub policy: Policy,
    /// What is wrong or missing, each with the command that mends it.
    pub hints: Vec<String>,
}

/// Who resolved a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResolvedBy {
    /// A frontend, by the name in its [`Hello`](crate::Hello) and its process id.
    Frontend {
        /// The frontend's name.
        name: String,
        /// Its process id.
        pid: u32,
    },
    /// The policy for this peer or in general.
    Policy,
    /// Nobody: its time ran out.
    Expiry,
    /// The asker took it back.
    Peer,
    /// A request of this user's to the same peer crossed it.
    Crossing,
    /// A consent that was given before and covers it.
    Consent,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resolution {
    /// Accepted.
    Accepted,
    /// Refused.
    Refused,
    /// Its time ran out.
    Expired,
    /// The asker took it back, or a newer one replaced it.
    Withdrawn,
    /// Put off; still pending.
    Later,
}

/// Why a chat ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndReason {
    /// This user closed it.
    ClosedHere,
    /// The peer closed it.
    ClosedByPeer,
    /// The agreed time is over.
    TermsOver,
    /// One side came back from an older copy of its state.
    RestoredCopy,
    /// A newer chat with the same peer took its place.
    Superseded,
    /// The peer's key changed, was forgotten, or the peer was blocked.
    KeyGone,
    /// The peer's daemon never confirmed the end.
    Unconfirmed,
}

/// A text that was left for a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedText {
    /// Its number in the outbox; none is used twice.
    pub id: u64,
    /// For whom.
    pub peer: UserName,
    /// When it was left: Unix seconds.
    pub queued: u64,
    /// When it is given up, unless it was sent before: Unix seconds.
    pub expires: u64,
    /// Whether it has left and waits for its acknowledgement; it cannot be taken back then.
    pub is_sent: bool,
    /// How many bytes it has.
    pub bytes: u32,
    /// Its beginning, of some 200 bytes.
    pub beginning: String,
}

/// Which texts of the outbox are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueuedTexts {
    /// The one of this number.
    One(u64),
    /// All that were left for this peer.
    To(UserName),
}

/// What became of a text that was left for a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueuedOutcome {
    /// The peer's daemon holds it.
    Delivered,
    /// It was sent, and the chat ended before the peer's daemon acknowledged it.
    NotDelivered,
    /// No chat was open in time: it was not sent.
    Expired,
    /// It was taken back.
    Cancelled,
    /// The key that it was meant for is the peer's no more: it was not sent.
    KeyGone,
}

/// An event in the log that consumers read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedEvent {
    /// Its number in the log: it rises over restarts, and is not the number that subscribers see.
    pub number: u64,
    /// What happened.
    pub event: crate::Event,
}

/// Who reads the log of events under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumer {
    /// The name.
    pub name: String,
    /// Events that it has not acknowledged.
    pub waiting: u64,
    /// Events before those that found no place in the log, and are gone.
    pub missed: u64,
    /// Whether somebody reads as it now.
    pub is_read: bool,
}
