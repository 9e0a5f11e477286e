//! The popups that should be there, from the daemon's state and what a person has asked to see.

use std::collections::{BTreeMap, BTreeSet};

use secchat_ipc::types::{ChatState, IncomingRequest, Message, RequestState};
use secchat_ipc::{Snapshot, UserName};

use super::board::WantedAll;
use super::subject::{Mark, Subject, Wanted};
use super::{Core, wording};
use crate::config::Show;
use crate::limits::{POPUPS_AT_A_TIME, TEXTS_IN_A_POPUP};
use crate::popup::Popup;

/// A sender's unread texts.
pub(super) struct Texts<'a> {
    pub(super) peer: &'a UserName,
    pub(super) count: usize,
    /// The newest ones, oldest first.
    pub(super) newest: Vec<&'a str>,
    mark: Mark,
    /// The newest one's place among all.
    last: usize,
}

/// Whether a person has not said anything to it yet.
pub(super) fn is_pending(request: &IncomingRequest) -> bool {
    request.state == RequestState::Pending
}

impl Core {
    pub(super) fn wanted(&self) -> WantedAll {
        let mut wanted = BTreeMap::new();
        if let Some(state) = &self.state {
            self.want_requests(state, &mut wanted);
            self.want_key_changes(state, &mut wanted);
            self.want_opened(state, &mut wanted);
            self.want_failures(&mut wanted);
            if self.settings.messages {
                self.want_texts(state, &mut wanted);
            }
        }
        wanted
    }

    fn words(&self) -> wording::Words<'_> {
        wording::Words { server: self.board.capabilities(), settings: &self.settings }
    }

    /// How many popups of their own: none where names are hidden, until a person asks.
    fn places(&self, more: usize) -> usize {
        let usual = if self.settings.show == Show::None { 0 } else { POPUPS_AT_A_TIME };
        usual + more
    }

    fn want_requests(&self, state: &Snapshot, wanted: &mut WantedAll) {
        let pending: Vec<_> = state
            .incoming
            .iter()
            .filter(|request| {
                is_pending(request) && !self.busy.contains(&Subject::Request(request.peer.clone()))
            })
            .collect();
        let (single, rest) = pending.split_at(self.places(self.more_requests).min(pending.len()));
        for request in single {
            let mark = Mark { chat_id: request.chat_id, up_to: 0 };
            want(wanted, Subject::Request(request.peer.clone()), mark, self.words().request(request));
        }
        if let Some(newest) = rest.last() {
            let names: Vec<_> = rest.iter().map(|request| &request.peer).collect();
            let popup = self.words().more_requests(&names, !single.is_empty());
            want(wanted, Subject::MoreRequests, Mark { chat_id: newest.chat_id, up_to: 0 }, popup);
        }
    }

    fn want_key_changes(&self, state: &Snapshot, wanted: &mut WantedAll) {
        let asking = state.incoming.iter().map(|request| (&request.peer, request.trust));
        let talking = state.chats.iter().map(|chat| (&chat.peer, chat.trust));
        let changed: BTreeSet<_> = asking
            .chain(talking)
            .filter(|(_, trust)| trust.is_changed())
            .map(|(peer, _)| peer)
            .chain(&self.loud)
            // A request's own popup says so.
            .filter(|peer| !wanted.contains_key(&Subject::Request((*peer).clone())))
            .collect();
        let changed: Vec<_> = changed.into_iter().collect();
        let (single, rest) = changed.split_at(self.places(0).min(changed.len()));
        for peer in single {
            let popup = self.words().key_change(peer);
            want(wanted, Subject::KeyChange((*peer).clone()), Mark::NONE, popup);
        }
        if !rest.is_empty() {
            // Whoever joins them is something new.
            let mark = Mark { up_to: u64::try_from(rest.len()).unwrap_or(u64::MAX), ..Mark::NONE };
            want(wanted, Subject::MoreKeyChanges, mark, self.words().more_key_changes(rest));
        }
    }

    fn want_opened(&self, state: &Snapshot, wanted: &mut WantedAll) {
        for (peer, chat_id) in &self.accepted {
            let is_open = |chat: &secchat_ipc::types::ChatSummary| {
                chat.chat_id == *chat_id && chat.state == ChatState::Open
            };
            if state.chats.iter().any(is_open) {
                let mark = Mark { chat_id: *chat_id, up_to: 0 };
                want(wanted, Subject::Opened(peer.clone()), mark, self.words().opened(peer));
            }
        }
    }

    fn want_failures(&self, wanted: &mut WantedAll) {
        for (peer, (chat_id, text)) in &self.failures {
            let mark = Mark { chat_id: *chat_id, up_to: 0 };
            want(wanted, Subject::Failure(peer.clone()), mark, self.words().failed(text));
        }
    }

    fn want_texts(&self, state: &Snapshot, wanted: &mut WantedAll) {
        let senders = senders(&state.unread);
        let senders: Vec<_> = senders
            .iter()
            .filter(|texts| {
                let subject = Subject::Texts(texts.peer.clone());
                !self.busy.contains(&subject)
                    && (self.board.has(&subject) || !self.settling.contains_key(texts.peer))
            })
            .collect();
        let (single, rest) = senders.split_at(self.places(self.more_senders).min(senders.len()));
        for texts in single {
            let can_reply = state
                .chats
                .iter()
                .any(|chat| chat.chat_id == texts.mark.chat_id && chat.state != ChatState::Closing);
            let shows = self.shows_text(texts.peer, texts.mark);
            let popup = self.words().texts(texts, shows, can_reply);
            want(wanted, Subject::Texts(texts.peer.clone()), texts.mark, popup);
        }
        if let Some(newest) = rest.iter().max_by_key(|texts| texts.last) {
            let names: Vec<_> = rest.iter().map(|texts| texts.peer).collect();
            let popup = self.words().more_texts(&names, !single.is_empty());
            want(wanted, Subject::MoreTexts, newest.mark, popup);
        }
    }
}

fn want(wanted: &mut WantedAll, subject: Subject, mark: Mark, popup: Popup) {
    wanted.insert(subject, Wanted { mark, popup });
}

/// Who has written, in the order of their oldest unread text.
fn senders(unread: &[Message]) -> Vec<Texts<'_>> {
    let mut places = BTreeMap::new();
    let mut senders: Vec<Texts<'_>> = Vec::new();
    for (at, message) in unread.iter().enumerate() {
        let place = *places.entry(&message.peer).or_insert(senders.len());
        let mark = Mark { chat_id: message.chat_id, up_to: message.id };
        if place == senders.len() {
            senders.push(Texts { peer: &message.peer, count: 0, newest: Vec::new(), mark, last: at });
        }
        if let Some(texts) = senders.get_mut(place) {
            texts.count += 1;
            (texts.mark, texts.last) = (mark, at);
            if texts.newest.len() == TEXTS_IN_A_POPUP {
                texts.newest.remove(0);
            }
            texts.newest.push(&message.text);
        }
    }
    senders
}
