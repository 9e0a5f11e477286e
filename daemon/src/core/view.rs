//! What frontends see: the one snapshot, and the numbered events that change it.
//!
//! Every change goes through [`Snapshot::apply`], the reducer that frontends use too; so what they hold is what is
//! here. What changed inside the core is *touched*; publishing compares it with the snapshot and tells the
//! difference, once, however often it changed in between.

use std::collections::BTreeSet;

use secchat_ipc::types::{
    ChatSummary, IncomingRequest, LinkState, LockState, OutgoingRequest, Policy, Reachability, Resolution,
    ResolvedBy, Status,
};
use secchat_ipc::{Event, Reply, Snapshot};
use secchat_proto::UserName;
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::safety_number::safety_number;
use secchat_proto::wire::link::ChatId;

use super::Core;
use super::answers::decided_by;
use super::commands::Outcome;
use super::consumers::is_logged;
use super::io::Output;
use crate::convert::{chat_id_to_ipc, terms_to_ipc, user_to_ipc};

/// The snapshot, who follows it, and what may differ from it.
#[derive(Debug)]
pub(super) struct View {
    snapshot: Snapshot,
    subscribers: BTreeSet<u64>,
    requests: BTreeSet<ChatId>,
    asked: BTreeSet<UserName>,
    chats: BTreeSet<ChatId>,
}

impl View {
    /// Nothing but a status that the first publication replaces.
    pub(super) fn new(first_event: u64) -> Self {
        let status = Status {
            version: String::new(),
            pid: 0,
            profile: String::new(),
            user: None,
            relay: String::new(),
            lock: LockState::Locked,
            link: LinkState::LoggedOut,
            reachability: Reachability::Hidden,
            policy: Policy::Ask,
            hints: Vec::new(),
        };
        let mut snapshot = Snapshot::empty(status);
        snapshot.sequence = first_event;
        Self {
            snapshot,
            subscribers: BTreeSet::new(),
            requests: BTreeSet::new(),
            asked: BTreeSet::new(),
            chats: BTreeSet::new(),
        }
    }

    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(super) fn has_subscribers(&self) -> bool {
        !self.subscribers.is_empty()
    }

    /// Adds a subscriber; whether it is the first.
    pub(super) fn subscribe(&mut self, connection: u64) -> bool {
        let first = self.subscribers.is_empty();
        self.subscribers.insert(connection);
        first
    }

    /// Removes a subscriber; whether it was the last.
    pub(super) fn unsubscribe(&mut self, connection: u64) -> bool {
        self.subscribers.remove(&connection) && self.subscribers.is_empty()
    }

    pub(super) fn touch_request(&mut self, chat_id: ChatId) {
        self.requests.insert(chat_id);
    }

    pub(super) fn touch_asked(&mut self, peer: &UserName) {
        self.asked.insert(peer.clone());
    }

    pub(super) fn touch_chat(&mut self, chat_id: ChatId) {
        self.chats.insert(chat_id);
    }

    pub(super) fn touch_all(&mut self, requests: impl Iterator<Item = ChatId>) {
        self.requests.extend(requests);
    }

    fn incoming(&self, chat_id: ChatId) -> Option<&IncomingRequest> {
        let chat_id = chat_id_to_ipc(chat_id);
        self.snapshot.incoming.iter().find(|item| item.chat_id == chat_id)
    }

    fn chat(&self, chat_id: ChatId) -> Option<&ChatSummary> {
        let chat_id = chat_id_to_ipc(chat_id);
        self.snapshot.chats.iter().find(|item| item.chat_id == chat_id)
    }

    /// Unread texts of a chat.
    pub(super) fn unread(&self, chat_id: ChatId) -> u32 {
        if let Some(chat) = self.chat(chat_id) {
            return chat.unread;
        }
        let chat_id = chat_id_to_ipc(chat_id);
        let count = self.snapshot.unread.iter().filter(|message| message.chat_id == chat_id).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

impl<E: Entropy> Core<E> {
    /// Makes a change in the snapshot and tells it to every subscriber.
    pub(super) fn event(&mut self, event: Event) {
        self.view.snapshot.apply(&event);
        if is_logged(&event) {
            self.log_event(event.clone());
        }
        if self.view.has_subscribers() {
            let sequence = self.view.snapshot.sequence;
            self.output(Output::Event { sequence, event });
        }
    }

    /// Tells whatever differs from the snapshot.
    pub(super) fn publish(&mut self) {
        let status = self.status();
        if status != self.view.snapshot.status {
            self.event(Event::StatusChanged(status));
        }
        self.publish_quiet();
        for peer in std::mem::take(&mut self.view.asked) {
            self.publish_asked(&peer);
        }
        for chat_id in std::mem::take(&mut self.view.chats) {
            self.publish_chat(chat_id);
        }
        for chat_id in std::mem::take(&mut self.view.requests) {
            self.publish_request(chat_id);
        }
    }

    fn publish_asked(&mut self, peer: &UserName) {
        let Some(asked) = self.asked.get(peer) else { return };
        let item = OutgoingRequest {
            peer: user_to_ipc(peer),
            chat_id: chat_id_to_ipc(asked.request.chat_id),
            issued: asked.request.issued,
            expires: asked.request.expires,
            terms: terms_to_ipc(asked.request.terms),
            peer_away: asked.peer_away,
        };
        if !self.view.snapshot.outgoing.contains(&item) {
            self.event(Event::RequestSent(item));
        }
    }

    pub(super) fn publish_chat(&mut self, chat_id: ChatId) {
        if let Some(summary) = self.chat_summary(chat_id)
            && self.view.chat(chat_id) != Some(&summary)
        {
            self.event(Event::ChatChanged(summary));
        }
    }

    fn publish_request(&mut self, chat_id: ChatId) {
        if self.view.has_subscribers() || self.consumers.are_there() {
            self.compute_safety_number(chat_id);
        }
        match self.request_item(chat_id) {
            Some(item) if self.view.incoming(chat_id) != Some(&item) => {
                self.event(Event::RequestReceived(item));
            }
            Some(_) => {}
            None => {
                if let Some(gone) = self.view.incoming(chat_id) {
                    let (peer, chat_id) = (gone.peer.clone(), gone.chat_id);
                    let (resolution, by) = (Resolution::Withdrawn, ResolvedBy::Peer);
                    self.event(Event::RequestResolved { peer, chat_id, resolution, by });
                }
            }
        }
    }

    /// Tells how a request was answered or ended; frontends that never saw it see it first.
    pub(super) fn tell_resolved(
        &mut self,
        peer: &UserName,
        chat_id: ChatId,
        resolution: Resolution,
        by: ResolvedBy,
    ) {
        if self.view.incoming(chat_id).is_none() {
            self.publish_request(chat_id);
        }
        let detail = || format!("{chat_id:?}, by {}", decided_by(&by));
        match resolution {
            // Whoever accepts or refuses says more.
            Resolution::Accepted | Resolution::Refused => {}
            Resolution::Expired => self.log("rtt_expired", Some(peer), detail()),
            Resolution::Withdrawn => self.log("rtt_withdrawn", Some(peer), detail()),
            Resolution::Later => self.log("rtt_later", Some(peer), detail()),
        }
        let (peer, chat_id) = (user_to_ipc(peer), chat_id_to_ipc(chat_id));
        self.event(Event::RequestResolved { peer, chat_id, resolution, by });
    }

    pub(super) fn list_requests(&mut self) -> Outcome {
        self.publish();
        self.fill_safety_numbers();
        let snapshot = self.view.snapshot();
        let (incoming, outgoing) = (snapshot.incoming.clone(), snapshot.outgoing.clone());
        Outcome::Now(Reply::Requests { incoming, outgoing })
    }

    pub(super) fn list_chats(&mut self) -> Outcome {
        self.publish();
        Outcome::Now(Reply::Chats(self.view.snapshot().chats.clone()))
    }

    /// Computes the safety numbers that nobody has seen yet: each takes some milliseconds.
    pub(super) fn fill_safety_numbers(&mut self) {
        let missing: Vec<ChatId> = self
            .requests
            .iter()
            .filter(|(id, request)| request.number.is_none() && self.view.incoming(**id).is_some())
            .map(|(id, _)| *id)
            .collect();
        for chat_id in missing {
            self.compute_safety_number(chat_id);
            if let Some(number) = self.requests.get(&chat_id).and_then(|request| request.number.clone()) {
                let chat_id = chat_id_to_ipc(chat_id);
                let items = self.view.snapshot.incoming.iter_mut();
                items
                    .filter(|item| item.chat_id == chat_id)
                    .for_each(|item| item.safety_number.clone_from(&number));
            }
        }
    }

    fn compute_safety_number(&mut self, chat_id: ChatId) {
        if let Some(request) = self.requests.get_mut(&chat_id)
            && request.number.is_none()
            && let (Some(user), Some(own)) = (&self.settings.user, self.session.public_key())
        {
            request.number = Some(safety_number((user, own), (&request.peer, &request.key)));
        }
    }
}
