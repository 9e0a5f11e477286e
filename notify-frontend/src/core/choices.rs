//! What a person's click or answer means.

use std::time::Instant;

use secchat_ipc::UserName;
use secchat_ipc::types::ChatId;

use super::Core;
use super::board::Shown;
use super::io::{Choice, Signal, Task};
use super::subject::{Mark, Subject};
use crate::config::Show;
use crate::limits::POPUPS_AT_A_TIME;
use crate::popup::Action;

impl Core {
    pub(super) fn handle_signal(&mut self, signal: Signal, now: Instant) {
        let Some((subject, shown)) = self.board.find(signal.id()) else { return };
        match signal {
            Signal::Closed { .. } => self.handle_closed(&subject, now),
            Signal::Chosen { key, .. } => {
                // Whatever is chosen, this popup has had its answer; if it should be there still, it appears anew.
                let is_reflex = self.board.is_reflex(&shown, now);
                self.board.retire(&subject, now);
                let action = Action::from_key(&key).filter(|action| shown.popup.actions.contains(action));
                if let Some(action) = action.filter(|action| !(is_reflex && action.is_answer())) {
                    self.handle_choice(action, subject, &shown);
                }
            }
            Signal::Replied { text, .. } => {
                if let Subject::Texts(peer) = &subject {
                    self.answer_texts(peer, shown.mark, text, now);
                }
            }
        }
    }

    /// Closed is not refused: the request or text waits as before, without a popup.
    fn handle_closed(&mut self, subject: &Subject, now: Instant) {
        self.board.dismiss(subject, now);
        self.is_told(subject);
    }

    /// What was told once need not be told again.
    fn is_told(&mut self, subject: &Subject) {
        match subject {
            Subject::Opened(peer) => drop(self.accepted.remove(peer)),
            Subject::Failure(peer) => drop(self.failures.remove(peer)),
            Subject::KeyChange(_)
            | Subject::MoreKeyChanges
            | Subject::Request(_)
            | Subject::MoreRequests
            | Subject::Texts(_)
            | Subject::MoreTexts => {}
        }
    }

    fn handle_choice(&mut self, action: Action, subject: Subject, shown: &Shown) {
        match (action, subject) {
            (Action::Show, Subject::MoreRequests) => self.more_requests += POPUPS_AT_A_TIME,
            (Action::Show, Subject::MoreTexts) => self.more_senders += POPUPS_AT_A_TIME,
            (Action::Show, Subject::Texts(peer)) => drop(self.revealed.insert(peer, shown.mark)),
            (Action::Show, subject) => self.is_told(&subject),
            (Action::Accept | Action::Refuse | Action::Later, Subject::Request(peer)) => {
                self.answer_request(action, peer, shown.mark.chat_id);
            }
            (Action::Read, Subject::Texts(peer)) => self.mark_read(&peer, shown.mark),
            _ => {}
        }
    }

    /// Only the very request that was shown, and on its terms.
    fn answer_request(&mut self, action: Action, peer: UserName, chat_id: ChatId) {
        let mut incoming = self.state.iter().flat_map(|state| &state.incoming);
        let Some(request) = incoming.find(|request| request.chat_id == chat_id) else { return };
        let choice = match action {
            Action::Accept => Choice::Accept(request.terms),
            Action::Refuse => Choice::Refuse,
            Action::Later => Choice::Later,
            Action::Show | Action::Read | Action::Reply => return,
        };
        self.busy.insert(Subject::Request(peer.clone()));
        self.give(peer, chat_id, choice);
    }

    fn answer_texts(&mut self, peer: &UserName, mark: Mark, text: String, now: Instant) {
        if self.shows_text(peer, mark) {
            self.board.retire(&Subject::Texts(peer.clone()), now);
            self.mark_read(peer, mark);
        } else {
            // Answered without having been seen: unread still, but not in the way.
            self.board.retire_for_good(&Subject::Texts(peer.clone()), now);
        }
        if !text.trim().is_empty() {
            self.give(peer.clone(), mark.chat_id, Choice::Send(text));
        }
    }

    /// Whether the popup of these texts shows what they say.
    pub(super) fn shows_text(&self, peer: &UserName, mark: Mark) -> bool {
        self.settings.show == Show::Full || self.revealed.get(peer) == Some(&mark)
    }

    /// What the popup stood for, and no later text. Unread texts of other chats are of chats that are over.
    fn mark_read(&mut self, peer: &UserName, shown: Mark) {
        let mut marks = vec![shown];
        let unread = self.state.iter().flat_map(|state| &state.unread);
        for message in unread.filter(|message| message.peer == *peer && message.chat_id != shown.chat_id) {
            let mark = Mark { chat_id: message.chat_id, up_to: message.id };
            match marks.iter_mut().find(|known| known.chat_id == mark.chat_id) {
                Some(known) => known.up_to = known.up_to.max(mark.up_to),
                None => marks.push(mark),
            }
        }
        self.busy.insert(Subject::Texts(peer.clone()));
        for Mark { chat_id, up_to } in marks {
            self.give(peer.clone(), chat_id, Choice::MarkRead(up_to));
        }
    }

    fn give(&mut self, peer: UserName, chat_id: ChatId, choice: Choice) {
        self.failures.remove(&peer);
        self.tasks.push_back(Task { peer, chat_id, choice });
    }
}
