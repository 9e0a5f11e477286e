//! What popups are about.

use secchat_ipc::UserName;
use secchat_ipc::types::ChatId;

use crate::popup::Popup;

/// What a popup is about: there is at most one about each, the first of these before the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// The relay offers another key for this peer.
    KeyChange(UserName),
    /// It does so for others too.
    MoreKeyChanges,
    /// What a person chose here about this peer came to nothing.
    Failure(UserName),
    /// This peer asks to talk.
    Request(UserName),
    /// Others ask too.
    MoreRequests,
    /// The chat with this peer, which was accepted here, is open.
    Opened(UserName),
    /// This peer has written.
    Texts(UserName),
    /// Others have written too.
    MoreTexts,
}

/// What is new about it: a popup that a person sent away comes back with another mark only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The request or chat.
    pub(super) chat_id: ChatId,
    /// The last text; 0 where there is none.
    pub(super) up_to: u64,
}

impl Mark {
    /// Of what belongs to no chat.
    pub(super) const NONE: Self = Self { chat_id: ChatId([0; 16]), up_to: 0 };
}

/// A popup that should be there.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) mark: Mark,
    pub(super) popup: Popup,
}
