//! The state that every frontend shares with the daemon, and the one reducer for both.

use serde::{Deserialize, Serialize};

use crate::Event;
use crate::types::{
    ChatId, ChatState, ChatSummary, DoNotDisturb, IncomingRequest, Message, OutgoingRequest, RequestState,
    Resolution, Status,
};

/// The daemon's state as frontends see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The number of the last event in it.
    pub sequence: u64,
    /// The daemon.
    pub status: Status,
    /// Requests of others, oldest first.
    pub incoming: Vec<IncomingRequest>,
    /// Requests of this user, oldest first.
    pub outgoing: Vec<OutgoingRequest>,
    /// Chats, in order of the peer's name.
    pub chats: Vec<ChatSummary>,
    /// Unread texts, oldest first.
    pub unread: Vec<Message>,
    /// Whether frontends keep quiet. Not part of the answer to [`Command::Subscribe`](crate::Command::Subscribe), whose
    /// form is frozen: who needs it asks with [`Command::DoNotDisturb`](crate::Command::DoNotDisturb) right after it, and
    /// has it kept current here.
    #[serde(skip)]
    pub do_not_disturb: DoNotDisturb,
}

impl Snapshot {
    /// A daemon's state in which nobody asks, talks or has written.
    #[must_use]
    pub fn empty(status: Status) -> Self {
        Self {
            sequence: 0,
            status,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            chats: Vec::new(),
            unread: Vec::new(),
            do_not_disturb: DoNotDisturb::default(),
        }
    }

    /// Makes one change, the one that follows this state. The daemon's core and every frontend use this same reducer.
    ///
    /// A request leaves when it expires, is withdrawn, or its chat is open or over; an answered one stays until then
    /// with its new state. Unread texts of a chat that ended stay until they are read.
    pub fn apply(&mut self, event: &Event) {
        self.sequence = self.sequence.wrapping_add(1);
        match event {
            Event::StatusChanged(status) => self.status.clone_from(status),
            Event::RequestReceived(request) => upsert(&mut self.incoming, request, |r| r.chat_id),
            Event::RequestResolved { chat_id, resolution, .. } => self.resolve(*chat_id, *resolution),
            Event::RequestSent(request) => upsert(&mut self.outgoing, request, |r| r.chat_id),
            Event::RequestAnswered { chat_id, resolution, .. } => {
                if *resolution != Resolution::Later {
                    self.outgoing.retain(|request| request.chat_id != *chat_id);
                }
            }
            Event::ChatChanged(chat) => self.chat_changed(chat),
            Event::ChatEnded { chat_id, .. } => {
                self.chats.retain(|chat| chat.chat_id != *chat_id);
                self.drop_requests(*chat_id);
            }
            Event::MessageReceived(message) => {
                self.unread.push(message.clone());
                self.count_unread(message.chat_id);
            }
            Event::MessagesRead { chat_id, up_to } => {
                self.unread.retain(|message| message.chat_id != *chat_id || message.id > *up_to);
                self.count_unread(*chat_id);
            }
            Event::TrustChanged { peer, trust } => {
                self.incoming.iter_mut().filter(|r| r.peer == *peer).for_each(|r| r.trust = *trust);
                self.chats.iter_mut().filter(|c| c.peer == *peer).for_each(|c| c.trust = *trust);
            }
            Event::DoNotDisturbChanged(state) => self.do_not_disturb = *state,
            // How many are undelivered comes with `ChatChanged`; who is available is not part of the state, nor the outbox.
            Event::MessagesDelivered { .. }
            | Event::UsersChanged { .. }
            | Event::TextQueued { .. }
            | Event::QueuedTextsEnded { .. } => {}
        }
    }

    /// The events that make this state, but for its number, from the [empty](Self::empty) one.
    #[must_use]
    pub fn replicate(&self) -> Vec<Event> {
        let requests = self.incoming.iter().cloned().map(Event::RequestReceived);
        let asked = self.outgoing.iter().cloned().map(Event::RequestSent);
        // Texts before chats: a chat's own count of unread texts is the one that holds. Chats before requests: an open
        // one would take its request away.
        let texts = self.unread.iter().cloned().map(Event::MessageReceived);
        let chats = self.chats.iter().cloned().map(Event::ChatChanged);
        let quiet = Some(self.do_not_disturb).filter(|state| *state != DoNotDisturb::default());
        let quiet = quiet.into_iter().map(Event::DoNotDisturbChanged);
        texts.chain(chats).chain(requests).chain(asked).chain(quiet).collect()
    }

    fn resolve(&mut self, chat_id: ChatId, resolution: Resolution) {
        let state = match resolution {
            Resolution::Accepted => RequestState::Accepted,
            Resolution::Refused => RequestState::Refused,
            Resolution::Later => RequestState::Later,
            Resolution::Expired | Resolution::Withdrawn => {
                self.incoming.retain(|request| request.chat_id != chat_id);
                return;
            }
        };
        self.incoming.iter_mut().filter(|r| r.chat_id == chat_id).for_each(|r| r.state = state);
    }

    fn chat_changed(&mut self, chat: &ChatSummary) {
        if chat.state != ChatState::Opening {
            self.drop_requests(chat.chat_id);
        }
        upsert(&mut self.chats, chat, |c| c.chat_id);
        self.chats.sort_by(|a, b| (&a.peer, a.chat_id).cmp(&(&b.peer, b.chat_id)));
    }

    fn drop_requests(&mut self, chat_id: ChatId) {
        self.incoming.retain(|request| request.chat_id != chat_id);
        self.outgoing.retain(|request| request.chat_id != chat_id);
    }

    fn count_unread(&mut self, chat_id: ChatId) {
        let count = self.unread.iter().filter(|message| message.chat_id == chat_id).count();
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.chats.iter_mut().filter(|c| c.chat_id == chat_id).for_each(|c| c.unread = count);
    }
}

fn upsert<T: Clone>(list: &mut Vec<T>, item: &T, id: impl Fn(&T) -> ChatId) {
    match list.iter_mut().find(|old| id(old) == id(item)) {
        Some(old) => old.clone_from(item),
        None => list.push(item.clone()),
    }
}
