//! What can be seen in the window's state.

use ratatui::layout::Size;
use secchat_ipc::types::{IncomingRequest, KeyTrust, Message, OutgoingRequest, RequestState};
use secchat_ipc::{Snapshot, UserName};

use super::{Dialog, Model};
use crate::chat::conversation::Conversation;

impl Model {
    /// The daemon's state.
    pub(crate) fn state(&self) -> &Snapshot {
        &self.state
    }

    /// The window's size.
    pub(crate) fn size(&self) -> Size {
        self.size
    }

    /// Whom the window knows, in order of name.
    pub(crate) fn people(&self) -> impl Iterator<Item = &UserName> {
        self.conversations.keys()
    }

    /// The conversation that is shown.
    pub(crate) fn current(&self) -> Option<(&UserName, &Conversation)> {
        let peer = self.current.as_ref()?;
        Some((peer, self.conversations.get(peer)?))
    }

    /// What lies over it.
    pub(crate) fn dialog(&self) -> Option<&Dialog> {
        self.dialog.as_ref()
    }

    /// What the person should see now: what went wrong last, else that the daemon is away.
    pub(crate) fn remark(&self) -> Option<&str> {
        self.remark.as_deref().or(self.lost.as_deref())
    }

    /// Texts of the peer that nobody has read, here or elsewhere.
    pub(crate) fn unread(&self, peer: &UserName) -> usize {
        let is_read = |chat_id| self.told_read.get(&chat_id).copied().unwrap_or(0);
        let unread = |message: &&Message| message.peer == *peer && message.id > is_read(message.chat_id);
        self.state.unread.iter().filter(unread).count()
    }

    /// The peer's request that waits for an answer.
    pub(crate) fn request(&self, peer: &UserName) -> Option<&IncomingRequest> {
        let open = |state| state != RequestState::Accepted;
        self.state.incoming.iter().rev().find(|request| request.peer == *peer && open(request.state))
    }

    /// One's own request to the peer.
    pub(crate) fn asked(&self, peer: &UserName) -> Option<&OutgoingRequest> {
        self.state.outgoing.iter().rev().find(|request| request.peer == *peer)
    }

    /// Whether somebody waits for the person at this window.
    pub(crate) fn wants_attention(&self, peer: &UserName) -> bool {
        self.unread(peer) > 0 || self.request(peer).is_some_and(|r| r.state == RequestState::Pending)
    }

    /// What is known of the peer's key, as far as the daemon's state says.
    pub(crate) fn trust(&self, peer: &UserName) -> KeyTrust {
        let chat = self.state.chats.iter().rev().find(|chat| chat.peer == *peer).map(|chat| chat.trust);
        chat.or_else(|| self.request(peer).map(|request| request.trust)).unwrap_or(KeyTrust::Unverified)
    }
}
