//! What was kept of conversations, and how it is asked for.

use serde::{Deserialize, Serialize};

use super::ChatId;
use crate::UserName;

/// For how long texts are kept after they were delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keep {
    /// For so many days; 0 is not at all.
    Days(u16),
    /// For ever.
    All,
}

/// A text that was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptText {
    /// With whom.
    pub peer: UserName,
    /// In which chat.
    pub chat_id: ChatId,
    /// Whether this user wrote it.
    pub is_own: bool,
    /// The text's number in its chat and direction, from 1.
    pub id: u64,
    /// When it arrived, here or at the peer's daemon: Unix seconds.
    pub at: u64,
    /// The text as it was written: not made harmless for a terminal.
    pub text: String,
}

/// Which kept texts are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryQuery {
    /// With whom; `None`: with all, one after the other in order of their names.
    pub peer: Option<UserName>,
    /// Those with this in them, in small letters or capitals.
    pub search: Option<String>,
    /// Those from this time on: Unix seconds.
    pub since: Option<u64>,
    /// Those before this time: Unix seconds.
    pub before: Option<u64>,
    /// The last one first.
    pub newest_first: bool,
    /// Those that come after this place, where the page before ended.
    pub after: Option<HistoryPlace>,
    /// How many at most.
    pub most: u16,
}

/// Where a page of the history ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryPlace {
    /// In the texts with this peer.
    pub peer: UserName,
    /// The place there.
    pub number: u64,
}

/// What is kept of the conversation with one peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptOfPeer {
    /// With whom.
    pub peer: UserName,
    /// This user's word for this peer; `None`: as for all others.
    pub keep: Option<Keep>,
    /// When the first day (by UTC) begins of which there are texts: Unix seconds. `None`: there are none.
    pub from: Option<u64>,
    /// When the last such day begins.
    pub to: Option<u64>,
}
