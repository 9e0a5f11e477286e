//! Messages on the link between a daemon and the relay (PROTOCOL.md §5).

mod codec;

use crate::error::Malformed;
use crate::wire::login::Role;
use crate::{Error, UserName};

/// The id of one chat, for its whole life; never zeros.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChatId([u8; 16]);

impl ChatId {
    /// Takes 16 bytes.
    ///
    /// # Errors
    /// `Malformed::ChatId` when they are all zero.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, Error> {
        if bytes == [0; 16] { Err(Error::Malformed(Malformed::ChatId)) } else { Ok(Self(bytes)) }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl std::fmt::Debug for ChatId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Who sends a message: some types have one direction only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Sent by a daemon.
    FromClient,
    /// Sent by the relay.
    FromRelay,
}

/// What part of the list of available users a message is (type 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListPart {
    /// 0: the list goes on.
    More,
    /// 1: the list ends here.
    Last,
    /// 2: these came.
    Came,
    /// 3: these went.
    Went,
}

/// An answer to a request (type 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 0, receiver → sender.
    Refuse,
    /// 1, receiver → sender.
    Accept,
    /// 2, sender → receiver.
    Withdraw,
}

/// Which message of a key establishment (type 6 and chat kind 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// 1.
    M1,
    /// 2.
    M2,
    /// 3.
    M3,
}

/// Why somebody could not be reached (type 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadReason {
    /// 0: not available now, or not any more.
    NotAvailable,
    /// 1: a limit of the asker's own.
    Limit,
}

/// Why a session ends (type 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogoutReason {
    /// 0: the person.
    User,
    /// 1: the program stops.
    Closing,
    /// 2: a newer login of the same user.
    Replaced,
    /// 3: no longer on the list, or with another key.
    Removed,
    /// 4: does not read fast enough.
    TooSlow,
}

/// A message on the link. RTTs, M1–M3 and chat records are opaque here: a peer's violation must not end the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkMessage {
    /// 2, relay→client.
    AvailableUsers {
        /// Which part of the list.
        part: ListPart,
        /// The names; no name twice.
        names: Vec<UserName>,
    },
    /// 10, client→relay.
    Refresh {
        /// Whether changes are wanted until the next Refresh.
        watch: bool,
    },
    /// 13, client→relay.
    Presence {
        /// The new role.
        role: Role,
    },
    /// 3: to whom (from a client), from whom (from the relay).
    Rtt {
        /// The other one's name.
        name: UserName,
        /// The encoded request ([`crate::request`]), opaque.
        request: Vec<u8>,
    },
    /// 5, relay→client: whose key it is.
    PeerKey {
        /// The peer's name.
        name: UserName,
        /// DER `SubjectPublicKeyInfo`, unchecked.
        public_key: Vec<u8>,
    },
    /// 4.
    Response {
        /// Accept, refuse or withdraw.
        answer: Answer,
        /// The other one's name.
        name: UserName,
        /// Which request.
        chat_id: ChatId,
    },
    /// 16.
    Resume {
        /// The other one's name.
        name: UserName,
        /// Which chat.
        chat_id: ChatId,
    },
    /// 6, forwarded.
    KeyEstablishment {
        /// Which chat.
        chat_id: ChatId,
        /// Which message.
        step: Step,
        /// The message, opaque.
        body: Vec<u8>,
    },
    /// 9, forwarded.
    Chat {
        /// Which chat.
        chat_id: ChatId,
        /// The chat record, opaque.
        record: Vec<u8>,
    },
    /// 12.
    ReturnToLobby {
        /// Which chat's pair is dissolved.
        chat_id: ChatId,
    },
    /// 7, relay→client.
    BadResponse {
        /// Why.
        reason: BadReason,
        /// Who.
        name: UserName,
        /// Which chat or request.
        chat_id: ChatId,
    },
    /// 11, client→relay.
    Acknowledgment {
        /// Who.
        name: UserName,
        /// Which chat or request.
        chat_id: ChatId,
    },
    /// 14.
    Ping([u8; 8]),
    /// 15.
    Pong([u8; 8]),
    /// 8.
    Logout(LogoutReason),
}

impl LinkMessage {
    /// Whether a client may say it whose key is a delegated one (PROTOCOL.md 3.21): nothing that reaches another user.
    #[must_use]
    pub fn is_permitted_to_delegates(&self) -> bool {
        matches!(
            self,
            Self::Refresh { .. }
                | Self::Acknowledgment { .. }
                | Self::Ping(_)
                | Self::Pong(_)
                | Self::Logout(_)
        )
    }
}
