//! Texts left for peers who are away: on disk before anybody is told so, in a chat's window once one is open with the
//! peer, in the order in which they were left, and before what was sent later.
//!
//! A text moves to its chat in one write: the row here names the chat and the number from then on, the text is the
//! chat's. So it is sent once, whatever fails, and what becomes of it is known as long as the chat knows.

use std::collections::{BTreeMap, BTreeSet};

use secchat_ipc::types::{QueuedOutcome, QueuedText, QueuedTexts};
use secchat_ipc::{CommandError, Event, Reply};
use secchat_proto::UserName;
use secchat_proto::chat::Phase;
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::wire::link::ChatId;

use super::Core;
use super::chats::{Line, Sender};
use super::commands::{Caller, Outcome};
use super::pending::{Ticket, Wait};
use super::record::{Record, RecordKey, SavedQueued};
use crate::convert::{user_from_ipc, user_to_ipc};
use crate::limits::{
    MAX_OUTBOX_BYTES, MAX_OUTBOX_BYTES_TO_PEER, MAX_OUTBOX_LIFETIME_SECONDS, MAX_OUTBOX_SHOWN_BYTES,
    MAX_OUTBOX_TEXTS, MAX_OUTBOX_TEXTS_TO_PEER,
};

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    texts: BTreeMap<u64, Queued>,
    /// Those that no chat has yet.
    waiting: BTreeMap<UserName, BTreeSet<u64>>,
    /// The last number given.
    last: u64,
}

/// A text that was left.
#[derive(Debug)]
struct Queued {
    saved: SavedQueued,
    /// Who is told once it is on disk; `None` once it is.
    leaving: Option<Ticket>,
}

/// What a chat is to send next.
#[derive(Debug)]
pub(super) enum Next {
    /// What a command waits for.
    Line(Line),
    /// What was left.
    Queued(u64, String),
}

impl Outbox {
    /// The last number given: what is sent from now on comes after that.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// When the next one is given up: Unix seconds.
    pub(super) fn next_expiry(&self) -> Option<u64> {
        self.waiting
            .values()
            .flatten()
            .filter_map(|id| self.texts.get(id))
            .map(|text| text.saved.expires)
            .min()
    }

    pub(super) fn record(&self, id: u64) -> Option<Record> {
        let saved = &self.texts.get(&id)?.saved;
        let text = if saved.sent.is_none() { saved.text.clone() } else { String::new() };
        Some(Record::Queued(Box::new(SavedQueued { text, ..saved.clone() })))
    }

    fn insert(&mut self, saved: SavedQueued, leaving: Option<Ticket>) {
        self.last = self.last.max(saved.id);
        if saved.sent.is_none() {
            self.waiting.entry(saved.peer.clone()).or_default().insert(saved.id);
        }
        self.texts.insert(saved.id, Queued { saved, leaving });
    }

    fn remove(&mut self, id: u64) -> Option<Queued> {
        let queued = self.texts.remove(&id)?;
        self.waits_no_more(&queued.saved.peer, id);
        Some(queued)
    }

    fn waits_no_more(&mut self, peer: &UserName, id: u64) {
        if let Some(waiting) = self.waiting.get_mut(peer) {
            waiting.remove(&id);
            if waiting.is_empty() {
                self.waiting.remove(peer);
            }
        }
    }

    fn first_waiting(&self, peer: &UserName) -> Option<&SavedQueued> {
        let id = self.waiting.get(peer)?.first()?;
        self.texts.get(id).map(|queued| &queued.saved)
    }

    /// Whether a text of this size has a place.
    fn has_room(&self, peer: &UserName, bytes: usize) -> Result<(), CommandError> {
        let (mut all, mut to_peer) = ((1, bytes), (1, bytes));
        for Queued { saved, .. } in self.texts.values() {
            let add = |sum: &mut (usize, usize)| {
                *sum = (sum.0.saturating_add(1), sum.1.saturating_add(saved.text.len()));
            };
            add(&mut all);
            if saved.peer == *peer {
                add(&mut to_peer);
            }
        }
        let is_full = |(texts, bytes), (most_texts, most_bytes)| texts > most_texts || bytes > most_bytes;
        let whose = if is_full(to_peer, (MAX_OUTBOX_TEXTS_TO_PEER, MAX_OUTBOX_BYTES_TO_PEER)) {
            format!("for {peer}")
        } else if is_full(all, (MAX_OUTBOX_TEXTS, MAX_OUTBOX_BYTES)) {
            "in all".to_owned()
        } else {
            return Ok(());
        };
        let why = format!("too many texts wait {whose}: take some back with `secchatctl outbox cancel`");
        Err(CommandError::LimitReached { why })
    }
}

impl<E: Entropy> Core<E> {
    /// Leaves a text; answered when it is on disk.
    pub(super) fn queue_text(
        &mut self,
        caller: &Caller,
        peer: &UserName,
        text: String,
        lifetime_seconds: u32,
    ) -> Result<Outcome, CommandError> {
        let (user, _) = self.identity()?;
        if user == *peer {
            return Err(CommandError::Invalid { why: format!("{peer} is this user") });
        }
        self.may_send(peer, &text)?;
        if lifetime_seconds == 0 || lifetime_seconds > MAX_OUTBOX_LIFETIME_SECONDS {
            let days = MAX_OUTBOX_LIFETIME_SECONDS / 86_400;
            return Err(CommandError::Invalid { why: format!("a text waits 1 second to {days} days") });
        }
        self.outbox.has_room(peer, text.len())?;
        let id = self.outbox.last.saturating_add(1);
        let queued = self.time.unix;
        let expires = queued.saturating_add(lifetime_seconds.into());
        let leaving = self.pending.add(caller.key, caller.deadline(), Wait::Queued);
        self.outbox
            .insert(SavedQueued { id, peer: peer.clone(), queued, expires, sent: None, text }, Some(leaving));
        self.next_expiry = self.next_expiry.min(expires);
        self.touch(RecordKey::LastQueued);
        self.touch(RecordKey::Queued(id));
        self.pump_to(peer);
        Ok(Outcome::Elsewhere)
    }

    /// What this chat is to send next: whatever came first. What was left goes into an open chat only, so that it can be
    /// taken back until then.
    pub(super) fn next_text(&mut self, chat_id: ChatId) -> Option<Next> {
        let peer = self.chats.get(&chat_id)?.peer.clone();
        if self.outbox.first_waiting(&peer).is_some_and(|saved| saved.expires <= self.time.unix) {
            self.expire_queued();
        }
        let talk = self.chats.get_mut(&chat_id)?;
        let waiting = self.outbox.first_waiting(&peer);
        match waiting.filter(|saved| talk.queue.front().is_none_or(|line| saved.id <= line.after)) {
            Some(saved) if talk.chat.phase() == Phase::Open && talk.takes_texts() => {
                Some(Next::Queued(saved.id, saved.text.clone()))
            }
            Some(_) => None,
            None => talk.queue.pop_front().map(Next::Line),
        }
    }

    /// A chat has taken it, as its text of this number.
    pub(super) fn note_queued_sent(&mut self, queued_id: u64, chat_id: ChatId, id: u64) {
        if let Some(queued) = self.outbox.texts.get_mut(&queued_id) {
            queued.saved.sent = Some((chat_id, id));
            let peer = queued.saved.peer.clone();
            self.outbox.waits_no_more(&peer, queued_id);
            self.touch(RecordKey::Queued(queued_id));
        }
    }

    /// A chat gave it back: that it had it is not on disk, so it never left.
    pub(super) fn take_queued_back(&mut self, queued_id: u64) {
        if let Some(queued) = self.outbox.texts.get_mut(&queued_id) {
            queued.saved.sent = None;
            self.outbox.waiting.entry(queued.saved.peer.clone()).or_default().insert(queued_id);
            self.touch(RecordKey::Queued(queued_id));
        }
    }

    /// It is on disk: whoever left it is told.
    pub(super) fn note_queued_kept(&mut self, id: u64) {
        let Some(queued) = self.outbox.texts.get_mut(&id) else { return };
        let Some(ticket) = queued.leaving.take() else { return };
        let (peer, expires) = (user_to_ipc(&queued.saved.peer), queued.saved.expires);
        self.event(Event::TextQueued { peer, id, expires });
        self.answer(ticket, Ok(Reply::Queued { id, expires }));
    }

    /// A write failed: what is not on disk was not left.
    pub(super) fn give_up_unkept_queued(&mut self, error: &CommandError) {
        let unkept = self.outbox.texts.iter().filter(|(_, queued)| queued.leaving.is_some());
        for id in unkept.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.touch(RecordKey::Queued(id));
            if let Some(ticket) = self.outbox.remove(id).and_then(|queued| queued.leaving) {
                self.answer(ticket, Err(error.clone()));
            }
        }
    }

    /// Tells what became of texts that were left for one peer; they are gone.
    pub(super) fn end_queued(&mut self, ids: Vec<u64>, outcome: QueuedOutcome) {
        let mut peer = None;
        let mut ended = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(queued) = self.outbox.remove(id) else { continue };
            match outcome {
                // The chat's own record has it: nobody was promised more.
                QueuedOutcome::Delivered => self.touch_lazily(RecordKey::Queued(id)),
                QueuedOutcome::NotDelivered
                | QueuedOutcome::Expired
                | QueuedOutcome::Cancelled
                | QueuedOutcome::KeyGone => self.touch(RecordKey::Queued(id)),
            }
            if let Some(ticket) = queued.leaving {
                let expires = queued.saved.expires;
                self.answer(ticket, Ok(Reply::Queued { id, expires }));
            }
            peer = Some(queued.saved.peer);
            ended.push(id);
        }
        if let Some(peer) = peer {
            self.log("queued_texts_ended", Some(&peer), format!("{outcome:?} {ended:?}"));
            self.event(Event::QueuedTextsEnded { peer: user_to_ipc(&peer), ids: ended, outcome });
        }
    }

    /// Gives up what has waited for too long.
    pub(super) fn expire_queued(&mut self) {
        let unix = self.time.unix;
        let mut due: BTreeMap<UserName, Vec<u64>> = BTreeMap::new();
        for (peer, ids) in &self.outbox.waiting {
            let is_due =
                |id: &&u64| self.outbox.texts.get(*id).is_some_and(|text| text.saved.expires <= unix);
            let ids: Vec<u64> = ids.iter().filter(is_due).copied().collect();
            if !ids.is_empty() {
                due.insert(peer.clone(), ids);
            }
        }
        due.into_values().for_each(|ids| self.end_queued(ids, QueuedOutcome::Expired));
    }

    /// What waits for this peer was meant for another key than the one that counts now.
    pub(super) fn drop_queued_of_other_key(&mut self, peer: &UserName) {
        let ids = self.outbox.waiting.get(peer).into_iter().flatten().copied().collect();
        self.end_queued(ids, QueuedOutcome::KeyGone);
    }

    /// The outbox, for people.
    pub(super) fn list_outbox(&self) -> Outcome {
        let shown = |queued: &Queued| {
            let SavedQueued { id, peer, queued, expires, sent, text } = &queued.saved;
            let in_chat = sent.and_then(|(chat_id, id)| self.chats.get(&chat_id)?.chat.kept_text(id));
            let text = in_chat.unwrap_or(text);
            QueuedText {
                id: *id,
                peer: user_to_ipc(peer),
                queued: *queued,
                expires: *expires,
                is_sent: sent.is_some(),
                bytes: u32::try_from(text.len()).unwrap_or(u32::MAX),
                beginning: beginning(text).to_owned(),
            }
        };
        Outcome::Now(Reply::Outbox(self.outbox.texts.values().map(shown).collect()))
    }

    /// Takes back what no chat has yet; answered when that is on disk.
    pub(super) fn cancel_queued(
        &mut self,
        caller: &Caller,
        texts: &QueuedTexts,
    ) -> Result<Outcome, CommandError> {
        let is_meant = |id: &u64, queued: &Queued| match texts {
            QueuedTexts::One(meant) => id == meant,
            QueuedTexts::To(peer) => queued.saved.peer == user_from_ipc(peer),
        };
        let meant = self.outbox.texts.iter().filter(|(id, queued)| is_meant(id, queued));
        let meant = meant.map(|(id, queued)| (*id, queued.saved.peer.clone(), queued.saved.sent.is_none()));
        let (waiting, sent): (Vec<_>, Vec<_>) = meant.partition(|(_, _, is_waiting)| *is_waiting);
        let count = |texts: &[_]| u32::try_from(texts.len()).unwrap_or(u32::MAX);
        let reply = Reply::Cancelled { texts: count(&waiting), sent: count(&sent) };
        let Some((_, peer, _)) = waiting.first().cloned() else {
            return match texts {
                QueuedTexts::One(id) if sent.is_empty() => Err(CommandError::NotQueued { id: *id }),
                QueuedTexts::One(_) | QueuedTexts::To(_) => Ok(Outcome::Now(reply)),
            };
        };
        self.end_queued(waiting.into_iter().map(|(id, _, _)| id).collect(), QueuedOutcome::Cancelled);
        let outcome = self.wait_for_save_with(caller, reply);
        // What was sent later may go now.
        self.pump_to(&peer);
        Ok(outcome)
    }

    /// Puts back what an earlier daemon kept. The chats are there already.
    pub(super) fn restore_queued(&mut self, texts: Vec<SavedQueued>, last: u64) {
        self.outbox.last = self.outbox.last.max(last);
        let (mut delivered, mut lost): (BTreeMap<_, Vec<u64>>, BTreeMap<_, Vec<u64>>) = Default::default();
        let mut in_chats: BTreeMap<(ChatId, u64), u64> = BTreeMap::new();
        for saved in texts {
            let (id, peer, sent) = (saved.id, saved.peer.clone(), saved.sent);
            self.next_expiry = self.next_expiry.min(saved.expires);
            self.outbox.insert(saved, None);
            let Some((chat_id, number)) = sent else { continue };
            match self.chats.get(&chat_id).filter(|talk| !talk.is_over) {
                Some(talk) if talk.chat.kept_text(number).is_some() => {
                    in_chats.insert((chat_id, number), id);
                }
                Some(_) => delivered.entry(peer).or_default().push(id),
                None => lost.entry(peer).or_default().push(id),
            }
        }
        for ((chat_id, number), id) in in_chats {
            if let Some(talk) = self.chats.get_mut(&chat_id) {
                talk.sent.push_back((number, Sender::Outbox(id)));
            }
        }
        delivered.into_values().for_each(|ids| self.end_queued(ids, QueuedOutcome::Delivered));
        lost.into_values().for_each(|ids| self.end_queued(ids, QueuedOutcome::NotDelivered));
        self.expire_queued();
    }

    /// Gives what waits for this peer to the chat with it.
    fn pump_to(&mut self, peer: &UserName) {
        if let Some(chat_id) = self.open_chat(peer) {
            self.pump(chat_id);
        }
    }
}

/// As much of a text as a list shows.
fn beginning(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_OUTBOX_SHOWN_BYTES)).unwrap_or_default()
}
