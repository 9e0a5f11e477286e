//! What is written when. Whatever changes is *touched*; one write at a time takes all that was touched since the one
//! before, so that many changes share one sync. What promises something to others waits for its write ([`super::held`]).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use secchat_ipc::{CommandError, Reply};
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::wire::link::{ChatId, LinkMessage};

use super::Core;
use super::commands::{Caller, Outcome};
use super::io::Output;
use super::pending::Wait;
use super::record::{Record, RecordKey, SavedRequest};
use super::requests::Incoming;
use crate::limits::{LAZY_SAVE, SAVE_RETRY};

/// What is to be written, and the write under way.
#[derive(Debug, Default)]
pub(super) struct Saving {
    /// What may differ from the disk.
    touched: BTreeSet<RecordKey>,
    /// Changes made so far.
    changes: u64,
    /// How many of them are on disk.
    saved: u64,
    /// Something touched is to be written now.
    is_urgent: bool,
    /// When the rest is.
    lazy_at: Option<Instant>,
    writing: Option<Writing>,
    failed: Option<Failure>,
    /// Messages that leave once a change is on disk.
    after: std::collections::VecDeque<(u64, LinkMessage)>,
}

/// A write under way.
#[derive(Debug)]
struct Writing {
    keys: BTreeSet<RecordKey>,
    /// It holds the changes up to and with this one.
    change: u64,
}

/// A write that did not succeed: what is in force is not on disk.
#[derive(Debug)]
struct Failure {
    why: String,
    retry_at: Instant,
}

impl Saving {
    /// The number of the last change.
    pub(super) fn change(&self) -> u64 {
        self.changes
    }

    pub(super) fn is_saved(&self, change: u64) -> bool {
        change <= self.saved
    }

    /// Why the last write failed.
    pub(super) fn problem(&self) -> Option<&str> {
        self.failed.as_ref().map(|failure| failure.why.as_str())
    }

    /// Writes everything that is touched now, also what failed.
    pub(super) fn hurry(&mut self) {
        self.is_urgent = true;
    }

    /// When something is to be written that is not yet.
    pub(super) fn wakes_at(&self) -> Option<Instant> {
        let retry = self.failed.as_ref().map(|failure| failure.retry_at);
        [retry, self.lazy_at].into_iter().flatten().min().filter(|_| self.writing.is_none())
    }
}

impl<E: Entropy> Core<E> {
    /// Something changed that is kept: it is written soon.
    pub(super) fn touch(&mut self, key: RecordKey) {
        self.saving.touched.insert(key);
        self.saving.changes = self.saving.changes.saturating_add(1);
        self.saving.is_urgent = true;
    }

    /// Something changed of which nobody was promised anything: it is written with whatever comes next.
    pub(super) fn touch_lazily(&mut self, key: RecordKey) {
        self.saving.touched.insert(key);
        self.saving.lazy_at.get_or_insert(self.time.now + LAZY_SAVE);
    }

    /// A request of somebody else changed.
    pub(super) fn note_answer(&mut self, chat_id: ChatId) {
        self.touch(RecordKey::Request(chat_id));
        self.view.touch_request(chat_id);
    }

    /// The command is answered when the changes so far are on disk: what it was told, survives.
    pub(super) fn wait_for_save(&mut self, caller: &Caller) -> Outcome {
        self.wait_for_save_with(caller, Reply::Done)
    }

    /// The same, with an answer of its own.
    pub(super) fn wait_for_save_with(&mut self, caller: &Caller, reply: Reply) -> Outcome {
        let change = self.saving.changes;
        if self.saving.is_saved(change) {
            return Outcome::Now(reply);
        }
        self.wait(caller, Wait::Saved { change, reply: Box::new(reply) })
    }

    /// Sends on the link once the change that was just made is on disk, or cannot be written: it is in force then.
    pub(super) fn send_when_saved(&mut self, message: LinkMessage) {
        if self.session.is_online() {
            self.saving.after.push_back((self.saving.changes, message));
        }
    }

    /// The link is gone: what waited is offered again after the next login.
    pub(super) fn drop_what_waits_for_disk(&mut self) {
        self.saving.after.clear();
    }

    /// What was due by time is written now.
    pub(super) fn expire_saving(&mut self) {
        if self.saving.wakes_at().is_some_and(|at| at <= self.time.now) {
            self.saving.is_urgent = true;
        }
    }

    pub(super) fn save_if_changed(&mut self) {
        if self.saving.writing.is_some() || !self.saving.is_urgent {
            return;
        }
        self.saving.is_urgent = false;
        self.saving.lazy_at = None;
        if let Some(failure) = &mut self.saving.failed {
            failure.retry_at = self.time.now + SAVE_RETRY;
        }
        let keys = std::mem::take(&mut self.saving.touched);
        if keys.is_empty() {
            return;
        }
        let changes: BTreeMap<_, _> = keys.iter().map(|key| (key.clone(), self.record(key))).collect();
        self.saving.writing = Some(Writing { keys, change: self.saving.changes });
        self.output(Output::Write(changes));
    }

    pub(super) fn handle_saved(&mut self, result: Result<(), String>) {
        let Some(Writing { keys, change }) = self.saving.writing.take() else { return };
        match result {
            Ok(()) => {
                let had_failed = self.saving.failed.take().is_some();
                self.saving.saved = change;
                self.release(keys);
                if had_failed && self.session.is_online() {
                    self.make_waiting_offers();
                }
                self.answer_saved(change, &Ok(()));
            }
            Err(why) => {
                self.warn("save_failed", None, why.clone());
                self.saving.touched.extend(keys);
                let retry_at = self.time.now + SAVE_RETRY;
                self.saving.failed = Some(Failure { why: why.clone(), retry_at });
                let error = CommandError::NotSaved { why };
                self.give_up_unsaved(&error);
                self.give_up_history(&error);
                self.answer_saved(change, &Err(error));
            }
        }
        while let Some((_, message)) = self.saving.after.pop_front_if(|(it, _)| *it <= change) {
            self.send(message);
        }
    }

    /// Answers what waits for this change or an earlier one.
    fn answer_saved(&mut self, change: u64, result: &Result<(), CommandError>) {
        let is_it = |wait: &Wait| matches!(wait, Wait::Saved { change: it, .. } if *it <= change);
        for waiting in self.pending.take_all(is_it) {
            if let Wait::Saved { reply, .. } = waiting.wait {
                self.reply(waiting.key, result.clone().map(|()| *reply));
            }
        }
    }

    /// What is to be on disk about this, as things stand.
    fn record(&self, key: &RecordKey) -> Option<Record> {
        match key {
            RecordKey::Settings => Some(Record::Settings(self.known.settings)),
            RecordKey::Peer(peer) => Some(Record::Peer(peer.clone(), self.known.peers.get(peer)?.clone())),
            RecordKey::Stale(peer) => Some(Record::Stale(peer.clone(), *self.known.stale.get(peer)?)),
            RecordKey::Request(chat_id) => {
                self.requests.get(chat_id).map(|r| Record::Request(Box::new(r.to_saved())))
            }
            RecordKey::Asked(peer) => {
                let asked = self.asked.get(peer).filter(|asked| asked.standing)?;
                Some(Record::Asked(peer.clone(), asked.request.clone()))
            }
            RecordKey::Chat(chat_id) => {
                let saved = self.chats.get(chat_id)?.chat.saved(self.time.now, self.time.unix)?;
                Some(Record::Chat(Box::new(saved)))
            }
            RecordKey::Sent(chat_id, id) => {
                let text = self.chats.get(chat_id)?.chat.kept_text(*id)?;
                Some(Record::Sent(*chat_id, *id, text.to_owned()))
            }
            RecordKey::Consent(peer) => Some(Record::Consent(peer.clone(), self.consents.get(peer)?.clone())),
            RecordKey::Quiet => Some(Record::Quiet(self.quiet.saved)),
            RecordKey::Unread(chat_id, id) => {
                self.unread_text(*chat_id, *id).map(|message| Record::Unread(*chat_id, message.clone()))
            }
            RecordKey::Queued(id) => self.outbox.record(*id),
            RecordKey::LastQueued => Some(Record::LastQueued(self.outbox.last())),
            RecordKey::Consumer(name) => self.consumers.record(name),
            RecordKey::Event(number) => self.consumers.record_of_event(*number),
            RecordKey::Keep(peer) => self.history.record_of_keep(peer.as_ref()),
            RecordKey::Kept(chat_id, is_own, id) => self.history.record(*chat_id, *is_own, *id),
        }
    }
}

impl Incoming {
    fn to_saved(&self) -> SavedRequest {
        let (answer, answered) = self.kept_answer();
        SavedRequest {
            peer: self.peer.clone(),
            request: self.request.clone(),
            key: self.key.clone(),
            received: self.received,
            answered,
            answer,
        }
    }
}
