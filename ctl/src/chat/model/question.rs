//! Asking back before a request is answered: a stray key must not let anybody in.

use std::time::{Duration, Instant};

use secchat_ipc::types::{ChatId, Terms};
use secchat_ipc::{Command, UserName};

use super::{Dialog, Model, Moment, Waiting};

/// What to answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Accept,
    Refuse,
    RefuseQuietly,
    Later,
}

/// An answer that the person has yet to confirm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) answer: Answer,
    pub(crate) peer: UserName,
    /// Which request, and what it asks for: another one has to be looked at anew.
    chat_id: ChatId,
    terms: Terms,
    /// When it was shown.
    since: Instant,
}

impl Model {
    /// Asks whether this is the answer to the current conversation's request.
    pub(super) fn ask_back(&mut self, answer: Answer, now: Moment) {
        let Some(peer) = self.current.clone() else { return };
        let Some(request) = self.request(&peer) else {
            self.say(format!("{peer} has not asked to talk"));
            return;
        };
        if answer == Answer::Accept && request.trust.is_changed() {
            self.say(format!(
                "{peer}'s key changed: /verify shows the number to compare; only then can you accept"
            ));
            return;
        }
        let (chat_id, terms) = (request.chat_id, request.terms);
        self.remark = None;
        self.dialog = Some(Dialog::Question(Question { answer, peer, chat_id, terms, since: now.instant }));
    }

    /// The person's `y`: the answer goes, unless the key was on its way before anybody could read the question.
    pub(super) fn confirm(&mut self, mut question: Question, now: Moment) {
        if now.instant.saturating_duration_since(question.since) < TIME_TO_LOOK {
            question.since = now.instant;
            self.dialog = Some(Dialog::Question(question));
            self.say("too quick: look, then press y");
            return;
        }
        let peer = question.peer;
        let command = match question.answer {
            Answer::Accept => Command::Accept { peer, terms: None, wait: false },
            Answer::Refuse => Command::Refuse { peer, quietly: false },
            Answer::RefuseQuietly => Command::Refuse { peer, quietly: true },
            Answer::Later => Command::Later { peer },
        };
        self.dialog = None;
        self.remark = None;
        self.ask(command, Waiting::Deed);
    }

    /// A question about a request that is gone or is another by now has no answer.
    pub(super) fn close_stale_question(&mut self) {
        let Some(Dialog::Question(question)) = &self.dialog else { return };
        let request = self.request(&question.peer);
        if request.is_some_and(|it| {
            it.chat_id == question.chat_id
                && it.terms == question.terms
                && (!it.trust.is_changed() || question.answer != Answer::Accept)
        }) {
            return;
        }
        let remark = format!("{}'s request is not the same any more", question.peer);
        self.dialog = None;
        self.say(remark);
    }
}

/// How long a question must be on the screen before it can be answered: keys that come sooner were meant for
/// something else.
const TIME_TO_LOOK: Duration = Duration::from_millis(500);
