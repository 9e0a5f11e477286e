//! The history: which texts are kept, and what is asked of the owner of those that are. One job at a time.

use std::collections::{BTreeMap, VecDeque};

use secchat_ipc::types::{HistoryQuery, Keep, Message};
use secchat_ipc::{CommandError, UserName as IpcUserName};
use secchat_proto::UserName;
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::wire::link::ChatId;
use zeroize::Zeroizing;

use super::Core;
use super::commands::{Caller, Outcome};
use super::io::Output;
use super::keeping::{
    FOR_EVER, HistoryAnswer, HistoryJob, HistoryRequest, Keeping, day_of, keep_from_ipc, start_of,
};
use super::pending::{Ticket, Wait};
use super::record::{KeptText, Record, RecordKey};
use crate::convert::{chat_id_from_ipc, user_from_ipc};
use crate::limits::{MAX_PEERS, MAX_SEARCH_BYTES, MOVE_STAGED_TEXTS};

/// What is on its way into the history, and what is asked of it.
#[derive(Debug, Default)]
pub(super) struct History {
    keeping: Keeping,
    /// Texts that are not on disk yet.
    texts: BTreeMap<(ChatId, bool, u64), KeptText>,
    /// How many there were so far.
    order: u64,
    /// How many went to the disk since they were moved to their place.
    staged: usize,
    jobs: VecDeque<Wanted>,
    running: Option<Option<Ticket>>,
    /// When the next texts are due: Unix seconds; `None`: nothing is kept.
    tidy_at: Option<u64>,
}

/// A job in line.
#[derive(Debug)]
struct Wanted {
    /// Who waits for it.
    ticket: Option<Ticket>,
    /// The change that must be on disk before it.
    after: u64,
    job: HistoryJob,
}

impl History {
    pub(super) fn record(&self, chat_id: ChatId, is_own: bool, id: u64) -> Option<Record> {
        self.texts.get(&(chat_id, is_own, id)).map(|text| Record::Kept(Box::new(text.clone())))
    }

    pub(super) fn record_of_keep(&self, peer: Option<&UserName>) -> Option<Record> {
        match peer {
            None => Some(Record::Keep(None, self.keeping.general)),
            Some(peer) => Some(Record::Keep(Some(peer.clone()), *self.keeping.peers.get(peer)?)),
        }
    }

    pub(super) fn restore_keep(&mut self, peer: Option<UserName>, days: u16) {
        match peer {
            None => self.keeping.general = days,
            Some(peer) => drop(self.keeping.peers.insert(peer, days)),
        }
    }

    /// When something is due: Unix seconds.
    pub(super) fn next_expiry(&self) -> u64 {
        self.tidy_at.unwrap_or(u64::MAX)
    }

    fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.staged == 0
    }
}

impl<E: Entropy> Core<E> {
    /// A text of the peer goes to the disk: into the history too, if it is to be kept.
    pub(super) fn keep_received(&mut self, message: &Message) {
        let Some(chat_id) = chat_id_from_ipc(message.chat_id) else { return };
        let text = Zeroizing::new(message.text.clone());
        if self.keep((chat_id, false, message.id), message.received, text) {
            self.touch(RecordKey::Kept(chat_id, false, message.id));
        }
    }

    /// The peer has own texts: nobody was promised that they are kept before their place among the unacknowledged goes.
    pub(super) fn keep_delivered(&mut self, chat_id: ChatId, texts: Vec<(u64, Zeroizing<String>)>) {
        for (id, text) in texts {
            if self.keep((chat_id, true, id), self.time.unix, text) {
                self.touch_lazily(RecordKey::Kept(chat_id, true, id));
            }
        }
    }

    fn keep(&mut self, (chat_id, is_own, id): (ChatId, bool, u64), at: u64, text: Zeroizing<String>) -> bool {
        let Some(talk) = self.chats.get(&chat_id) else { return false };
        let days = talk.chat.granted().map_or(0, |terms| terms.history_days);
        if self.history.keeping.days(&talk.peer, days) == 0 {
            return false;
        }
        let (peer, order) = (talk.peer.clone(), self.history.order);
        self.history.order = order.saturating_add(1);
        let kept = KeptText { peer, chat_id, is_own, id, at, days, order, text };
        self.history.texts.insert((chat_id, is_own, id), kept);
        true
    }

    /// A text of the peer is dropped, unseen.
    pub(super) fn forget_received(&mut self, chat_id: ChatId, id: u64) {
        if self.history.texts.remove(&(chat_id, false, id)).is_some() {
            self.touch(RecordKey::Kept(chat_id, false, id));
        }
    }

    /// A text is on disk.
    pub(super) fn note_kept(&mut self, chat_id: ChatId, is_own: bool, id: u64) {
        if self.history.texts.remove(&(chat_id, is_own, id)).is_none() {
            return;
        }
        self.history.staged = self.history.staged.saturating_add(1);
        self.look_again_tomorrow();
        if self.history.staged >= MOVE_STAGED_TEXTS {
            self.tidy_history();
        }
    }

    /// What is due goes at the unlock, and with every new day.
    pub(super) fn look_again_tomorrow(&mut self) {
        let tomorrow = start_of(day_of(self.time.unix).saturating_add(1));
        self.history.tidy_at.get_or_insert(tomorrow);
        self.next_expiry = self.next_expiry.min(tomorrow);
    }

    /// Another day: what is due goes.
    pub(super) fn expire_history(&mut self) {
        if self.history.tidy_at.is_some_and(|at| at <= self.time.unix) {
            self.history.tidy_at = None;
            self.look_again_tomorrow();
            self.tidy_after_unlock();
        }
    }

    /// Unlocked again: what came due meanwhile goes.
    pub(super) fn tidy_after_unlock(&mut self) {
        if self.history.tidy_at.is_some() && self.session.identity().is_some() {
            self.tidy_history();
        }
    }

    /// Lets due texts go and the others move to their place.
    fn tidy_history(&mut self) {
        if !self.history.jobs.iter().any(|wanted| wanted.job == HistoryJob::Tidy && wanted.ticket.is_none()) {
            self.history.jobs.push_back(Wanted { ticket: None, after: 0, job: HistoryJob::Tidy });
        }
    }

    /// A page of it.
    pub(super) fn query_history(
        &mut self,
        caller: &Caller,
        query: HistoryQuery,
    ) -> Result<Outcome, CommandError> {
        if query.search.as_ref().is_some_and(|search| search.len() > MAX_SEARCH_BYTES) {
            let why = format!("what is searched for is at most {MAX_SEARCH_BYTES} bytes long");
            return Err(CommandError::Invalid { why });
        }
        self.history_job(caller, HistoryJob::Page(query))
    }

    pub(super) fn set_history(
        &mut self,
        caller: &Caller,
        peer: Option<IpcUserName>,
        keep: Option<Keep>,
    ) -> Result<Outcome, CommandError> {
        self.identity()?;
        let peer = peer.as_ref().map(user_from_ipc);
        let (keeping, days) = (&mut self.history.keeping, keep.map(keep_from_ipc));
        match (&peer, days) {
            (None, days) => keeping.general = days.unwrap_or(0),
            (Some(peer), None) => drop(keeping.peers.remove(peer)),
            (Some(peer), Some(_))
                if keeping.peers.len() >= MAX_PEERS && !keeping.peers.contains_key(peer) =>
            {
                let why = "too many users have a word of their own for the history: take some back with \
                           `secchatctl history USER --keep default`";
                return Err(CommandError::LimitReached { why: why.into() });
            }
            (Some(peer), Some(days)) => drop(keeping.peers.insert(peer.clone(), days)),
        }
        let what = match days {
            None => "default".to_owned(),
            Some(FOR_EVER) => "all".to_owned(),
            Some(days) => format!("{days} days"),
        };
        self.log("history_set", peer.as_ref(), format!("{}: {what}", whose(peer.as_ref())));
        self.touch(RecordKey::Keep(peer));
        self.history_job(caller, HistoryJob::Tidy)
    }

    pub(super) fn erase_history(
        &mut self,
        caller: &Caller,
        peer: Option<IpcUserName>,
        before: Option<u64>,
    ) -> Result<Outcome, CommandError> {
        let whom = peer.as_ref().map(user_from_ipc);
        let days = before.map(|before| format!(" of days before {before}")).unwrap_or_default();
        self.log("history_erased", whom.as_ref(), format!("{}{days}", whose(whom.as_ref())));
        self.history_job(caller, HistoryJob::Erase { peer, before })
    }

    /// Has a job done for a command, once all that happened before is on disk.
    pub(super) fn history_job(&mut self, caller: &Caller, job: HistoryJob) -> Result<Outcome, CommandError> {
        self.identity()?;
        for (chat_id, is_own, id) in self.history.texts.keys().copied().collect::<Vec<_>>() {
            self.touch(RecordKey::Kept(chat_id, is_own, id));
        }
        let ticket = Some(self.pending.add(caller.key, caller.deadline(), Wait::History));
        self.history.jobs.push_back(Wanted { ticket, after: self.saving.change(), job });
        Ok(Outcome::Elsewhere)
    }

    /// Starts the next job, if none is under way and its time has come.
    pub(super) fn drive_history(&mut self) {
        if self.history.running.is_some() {
            return;
        }
        // Who gave up waiting wants nothing more, but that what is erased is.
        let is_unwanted = |wanted: &Wanted, pending: &super::pending::Pending| {
            matches!(wanted.job, HistoryJob::Page(_) | HistoryJob::List)
                && wanted.ticket.is_none_or(|ticket| !pending.is_waiting(ticket))
        };
        let pending = &self.pending;
        self.history.jobs.retain(|wanted| !is_unwanted(wanted, pending));
        let is_next = |wanted: &mut Wanted| self.saving.is_saved(wanted.after);
        let Some(Wanted { ticket, job, .. }) = self.history.jobs.pop_front_if(is_next) else { return };
        self.history.running = Some(ticket);
        self.history.staged = 0;
        let (keeping, now) = (self.history.keeping.clone(), self.time.unix);
        self.output(Output::History(Box::new(HistoryRequest { job, keeping, now })));
    }

    pub(super) fn handle_history_done(&mut self, result: Result<HistoryAnswer, CommandError>) {
        let ticket = self.history.running.take().flatten();
        let reply = result.map(|HistoryAnswer { reply, notices, is_more_to_tidy }| {
            for notice in notices {
                self.warn("state_notice", None, notice.clone());
                self.notices.push(notice);
            }
            if is_more_to_tidy {
                self.tidy_history();
            }
            reply
        });
        match (ticket, reply) {
            (Some(ticket), reply) => self.answer(ticket, reply),
            (None, Err(error)) => self.warn("history_failed", None, error.to_string()),
            (None, Ok(_)) => {}
        }
    }

    /// A write failed: what waits for it is not done.
    pub(super) fn give_up_history(&mut self, error: &CommandError) {
        let saving = &self.saving;
        let (kept, given_up) =
            std::mem::take(&mut self.history.jobs).into_iter().partition(|it| saving.is_saved(it.after));
        self.history.jobs = kept;
        self.answer_given_up(given_up, error);
    }

    /// The store is locked.
    pub(super) fn stop_history(&mut self) {
        let given_up = std::mem::take(&mut self.history.jobs);
        self.answer_given_up(given_up, &CommandError::Locked);
        if !self.history.is_empty() {
            self.saving.hurry();
        }
    }

    fn answer_given_up(&mut self, given_up: VecDeque<Wanted>, error: &CommandError) {
        for ticket in given_up.into_iter().filter_map(|wanted| wanted.ticket) {
            self.answer(ticket, Err(error.clone()));
        }
    }
}

/// For the log.
fn whose(peer: Option<&UserName>) -> String {
    peer.map_or_else(|| "texts with everybody".to_owned(), |peer| format!("texts with {peer}"))
}
