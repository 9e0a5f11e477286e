//! What a frontend asks of the daemon.
#![cfg_attr(feature = "transport", doc = "\n")]
#![cfg_attr(feature = "transport", doc = include_str!("command.md"))]

use serde::{Deserialize, Serialize};

use crate::UserName;
use crate::types::{ChatId, HistoryQuery, Keep, Passphrase, Policy, QueuedTexts, QuietChange, Terms};

/// A command with the id that its reply will carry and its time limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the frontend; unique among its unanswered requests.
    pub id: u64,
    /// After this many milliseconds the reply is [`CommandError::TimedOut`](crate::CommandError::TimedOut);
    /// 0 leaves it to the daemon (30 s, for [`Command::Rtt`] until it expires).
    pub timeout_ms: u32,
    /// What to do.
    pub command: Command,
}

/// What the daemon can be asked for. Append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// → [`Reply::Status`](crate::Reply::Status).
    Status,
    /// → [`Reply::Snapshot`](crate::Reply::Snapshot), then events on this connection.
    Subscribe,
    /// Decrypts the identity key and logs in; → `Done` once unlocked.
    Unlock {
        /// The key file's passphrase; empty for a key that has none.
        passphrase: Passphrase,
        /// Lock again after this many seconds; 0: never.
        ttl_seconds: u64,
    },
    /// Wipes the identity key and ends the session; → `Done`.
    Lock,
    /// Connects to the relay, also after "replaced"; → `Done` once online.
    Login,
    /// Ends the session and stays away until `Login`; → `Done`.
    Logout,
    /// → [`Reply::Users`](crate::Reply::Users): who is available now.
    List,
    /// Requests to talk.
    Rtt {
        /// Who is asked.
        peer: UserName,
        /// The proposed terms.
        terms: Terms,
        /// How long the request stands, in seconds (1 to 604,800).
        lifetime_seconds: u32,
        /// `true`: → `ChatOpen` once the chat is open, or the error that says why not. A peer who is not
        /// available ends it (`PeerUnavailable`, withdrawn). `false`: → `Asked` once saved; the request stands.
        wait: bool,
    },
    /// Takes back the request to this peer; → `Done` once saved.
    Withdraw {
        /// Who was asked.
        peer: UserName,
    },
    /// → [`Reply::Requests`](crate::Reply::Requests): everybody's requests, both ways.
    Requests,
    /// Accepts the peer's request (also a refused one that has not expired); → `Accepted` once that is
    /// saved, `ChatOpen` when `wait`.
    Accept {
        /// Who asked.
        peer: UserName,
        /// The grant: no field above the asked one; `None` grants what was asked.
        terms: Option<Terms>,
        /// Answer only when the chat is open.
        wait: bool,
    },
    /// Refuses the peer's request; → `Done` once saved.
    Refuse {
        /// Who asked.
        peer: UserName,
        /// Send nothing: the asker sees no answer.
        quietly: bool,
    },
    /// Keeps the request for later, sending nothing; → `Done` once saved.
    Later {
        /// Who asked.
        peer: UserName,
    },
    /// Sends one text; → `Delivered` when the peer's daemon has acknowledged it.
    Send {
        /// To whom.
        peer: UserName,
        /// At most 32,768 bytes of UTF-8.
        text: String,
    },
    /// → [`Reply::Messages`](crate::Reply::Messages): unread texts, which are read thereby.
    Read {
        /// From whom; `None`: from all.
        peer: Option<UserName>,
        /// Leave them unread.
        peek: bool,
    },
    /// Ends the chat; → `Closed` when the peer's daemon has confirmed or is not reachable.
    Close {
        /// With whom.
        peer: UserName,
    },
    /// → `Done` once the relay has been told, or at the next login.
    SetReachability {
        /// Listed on the relay.
        available: bool,
    },
    /// Sets the policy for one peer or in general; → `Done` once saved.
    SetPolicy {
        /// For whom; `None`: in general.
        peer: Option<UserName>,
        /// `None` removes the peer's own policy; in general it means [`Policy::Ask`].
        policy: Option<Policy>,
    },
    /// Blocks or unblocks a peer; → `Done` once saved.
    SetBlocked {
        /// Whom.
        peer: UserName,
        /// Block or unblock.
        blocked: bool,
    },
    /// → [`Reply::Peers`](crate::Reply::Peers).
    Peers,
    /// Pins a key before first contact; → `Done` once saved.
    AddPeer {
        /// Whose.
        peer: UserName,
        /// base64 of the DER `SubjectPublicKeyInfo`.
        public_key: String,
    },
    /// → [`Reply::SafetyNumber`](crate::Reply::SafetyNumber).
    SafetyNumber {
        /// With whom.
        peer: UserName,
    },
    /// Marks the key as verified if the number is the right one; a changed key becomes the pin; → `Done` once
    /// saved.
    ConfirmSafetyNumber {
        /// With whom.
        peer: UserName,
        /// The number, as the peer showed or said it: 60 digits, blanks ignored.
        number: String,
    },
    /// Drops the pin, and with it the chats under it; → `Done` once saved.
    Forget {
        /// Whose.
        peer: UserName,
    },
    /// → [`Reply::Chats`](crate::Reply::Chats).
    Chats,
    /// Reads these texts and no later ones: for a frontend that showed them from events; → `Done`.
    MarkRead {
        /// In which chat.
        chat_id: ChatId,
        /// Up to and with this id.
        up_to: u64,
    },
    /// As [`Self::Accept`], and lets the peer open further chats within the grant, under the same key, without a
    /// question: until the grant ends or it is revoked. (`Accept` is for the one chat, and takes such a consent back.)
    AcceptStanding {
        /// Who asked.
        peer: UserName,
        /// The grant: no field above the asked one; `None` grants what was asked.
        terms: Option<Terms>,
        /// Answer only when the chat is open.
        wait: bool,
    },
    /// → [`Reply::Consents`](crate::Reply::Consents): who may talk to this user now, and until when.
    Consents,
    /// Ends the peer's chats, takes the consent back, and asks before the next one; → `Done` once saved.
    Revoke {
        /// Whose.
        peer: UserName,
    },
    /// → [`Reply::DoNotDisturb`](crate::Reply::DoNotDisturb): whether frontends keep quiet now. Asked after
    /// [`Self::Subscribe`], it completes the state: a snapshot has no place for it.
    DoNotDisturb,
    /// Changes that; → `Done` once saved.
    SetDoNotDisturb(QuietChange),
    /// Leaves one text for the peer: it goes as soon as a chat with the peer is open, after what was left before it;
    /// → `Queued` when it is on disk.
    Queue {
        /// To whom.
        peer: UserName,
        /// At most 32,768 bytes of UTF-8.
        text: String,
        /// How long it waits at most, in seconds (1 to 2,592,000).
        lifetime_seconds: u32,
    },
    /// → [`Reply::Outbox`](crate::Reply::Outbox): texts that were left for others.
    Outbox,
    /// Takes back texts that were left and not sent yet; → `Cancelled` once saved.
    CancelQueued {
        /// Which.
        texts: QueuedTexts,
    },
    /// Reads the log of events under a name; → `Events` as soon as there is one after those acknowledged, or without any
    /// when the time limit ends. The first call under a name makes the consumer, which is on disk when it is answered
    /// (without events). One connection at a time reads under a name.
    Consume {
        /// The consumer's name, as a user's.
        consumer: String,
        /// Events up to and with this one are done with, and never given again; 0: none more than before.
        acknowledged: u64,
        /// How many events are wanted at most; 0: none, the acknowledgement is answered when it is on disk.
        most: u16,
    },
    /// Drops a consumer; → `Done` once saved.
    ForgetConsumer {
        /// Its name.
        consumer: String,
    },
    /// → [`Reply::Consumers`](crate::Reply::Consumers).
    Consumers,
    /// → [`Reply::History`](crate::Reply::History): a page of the texts that were kept.
    History(HistoryQuery),
    /// → [`Reply::HistoryKept`](crate::Reply::HistoryKept): whose texts are kept, and for how long.
    HistoryKept,
    /// Says for how long texts are kept at most; a chat's terms may say less. What is older is erased;
    /// → `HistoryErased` once it is.
    SetHistory {
        /// With whom; `None`: with all for whom there is no word of their own.
        peer: Option<UserName>,
        /// `None` removes the peer's own word; in general it means not at all.
        keep: Option<Keep>,
    },
    /// Erases texts that were kept; → `HistoryErased` once nobody can read them any more.
    EraseHistory {
        /// With whom; `None`: all.
        peer: Option<UserName>,
        /// Those of days (by UTC) before the one that this is in: Unix seconds. `None`: all.
        before: Option<u64>,
    },
    /// Wipes the identity key, but stays reachable: for some days a key that can do no more than be asked keeps the session.
    /// Answering and talking take [`Self::Unlock`]; → `Done`.
    LockKeepSession,
}
