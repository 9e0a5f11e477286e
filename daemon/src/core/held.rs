//! What waits for the disk: records of a chat leave, and texts of a peer are shown and acknowledged, once what they
//! promise is written (PROTOCOL.md §8 On disk).

use std::collections::BTreeSet;

use secchat_ipc::types::Message;
use secchat_ipc::{CommandError, Event};
use secchat_proto::chat::{Chat, Promises};
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::wire::link::{ChatId, LinkMessage};

use super::Core;
use super::chats::{Sender, Talk};
use super::record::RecordKey;
use crate::convert::chat_id_to_ipc;

/// What of a chat waits for the disk, and what of it is there.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// What the chat had promised when its record was last touched for it.
    promises: Promises,
    /// The change that holds them.
    change: u64,
    /// Records that leave once their change is on disk.
    records: std::collections::VecDeque<(u64, LinkMessage)>,
    /// Own texts up to and with this number are on disk.
    pub(super) kept_texts: u64,
    /// The lowest number of an own text that may be on disk.
    pub(super) first_text: u64,
    /// How many of the peer's texts, from the front of those held back, have a place in the inbox and are on their way
    /// to the disk.
    pub(super) admitted: usize,
    /// An offer waits until writing works again: a chat whose promises cannot be kept would only fail.
    pub(super) offer_waits: bool,
}

impl Held {
    /// A chat that was on disk, with own texts up to `last`.
    pub(super) fn restore(&mut self, chat: &Chat, last: u64, acknowledged: u64) {
        self.promises = chat.promises();
        self.kept_texts = last;
        self.first_text = acknowledged.saturating_add(1);
    }
}

impl<E: Entropy> Core<E> {
    /// Sends a record of a chat, or holds it until what it promises is on disk.
    pub(super) fn send_of_chat(&mut self, chat_id: ChatId, message: LinkMessage) {
        self.note_promises(chat_id);
        let Some(talk) = self.chats.get_mut(&chat_id) else { return self.send(message) };
        if matches!(message, LinkMessage::ReturnToLobby { .. }) {
            // The pair is gone, and what belonged to it.
            talk.held.records.clear();
        } else if !talk.held.records.is_empty() || !self.saving.is_saved(talk.held.change) {
            return talk.held.records.push_back((talk.held.change, message));
        }
        self.send(message);
    }

    /// The chat left its pair: what was held for it is of no use.
    pub(super) fn drop_held_records(&mut self, chat_id: ChatId) {
        if let Some(talk) = self.chats.get_mut(&chat_id) {
            talk.held.records.clear();
        }
    }

    /// Touches the chat when it promises more than before.
    pub(super) fn note_promises(&mut self, chat_id: ChatId) {
        let Some(talk) = self.chats.get_mut(&chat_id) else { return };
        let promises = talk.chat.promises();
        if promises != talk.held.promises {
            talk.held.promises = promises;
            self.touch(RecordKey::Chat(chat_id));
            let change = self.saving.change();
            if let Some(talk) = self.chats.get_mut(&chat_id) {
                talk.held.change = change;
            }
        }
    }

    /// A write succeeded: what waited for it goes on.
    pub(super) fn release(&mut self, keys: BTreeSet<RecordKey>) {
        for key in &keys {
            match key {
                RecordKey::Unread(chat_id, id) => self.show_admitted(*chat_id, *id),
                RecordKey::Sent(chat_id, id) => {
                    if let Some(talk) = self.chats.get_mut(chat_id) {
                        talk.held.kept_texts = talk.held.kept_texts.max(*id);
                    }
                }
                RecordKey::Queued(id) => self.note_queued_kept(*id),
                // The last keys there are: what they tell of is in force now.
                RecordKey::Event(number) => self.note_events_kept(*number),
                RecordKey::Consumer(name) => self.note_consumer_kept(name),
                RecordKey::Kept(chat_id, is_own, id) => self.note_kept(*chat_id, *is_own, *id),
                RecordKey::Settings
                | RecordKey::LastQueued
                | RecordKey::Peer(_)
                | RecordKey::Stale(_)
                | RecordKey::Request(_)
                | RecordKey::Asked(_)
                | RecordKey::Consent(_)
                | RecordKey::Quiet
                | RecordKey::Keep(_)
                | RecordKey::Chat(_) => {}
            }
        }
        for key in keys {
            if let RecordKey::Chat(chat_id) = key {
                self.release_records(chat_id);
            }
        }
    }

    fn release_records(&mut self, chat_id: ChatId) {
        while let Some(talk) = self.chats.get_mut(&chat_id)
            && let Some((_, message)) =
                talk.held.records.pop_front_if(|(change, _)| self.saving.is_saved(*change))
        {
            self.send(message);
        }
    }

    /// A write failed: texts that wait for it are not sent, and what else a chat promised does not leave. Whatever
    /// arrived stays unacknowledged, so the peer keeps it.
    pub(super) fn give_up_unsaved(&mut self, error: &CommandError) {
        let unsaved = self.chats.iter().filter(|(_, talk)| !self.saving.is_saved(talk.held.change));
        for chat_id in unsaved.map(|(id, _)| *id).collect::<Vec<_>>() {
            let Some(talk) = self.chats.get_mut(&chat_id) else { continue };
            let kept = talk.held.kept_texts;
            talk.held.records.clear();
            let mut given_up: Vec<_> = talk.queue.drain(..).map(|line| line.ticket).collect();
            talk.queued_bytes = 0;
            let mut given_back = Vec::new();
            while let Some((_, sender)) = talk.sent.pop_back_if(|(id, _)| *id > kept) {
                match sender {
                    Sender::Command(ticket) => given_up.push(ticket),
                    Sender::Outbox(id) => given_back.push(id),
                }
            }
            given_back.into_iter().for_each(|id| self.take_queued_back(id));
            self.chat_step(chat_id, |chat, env| chat.handle_unkept(kept, env));
            given_up.into_iter().for_each(|ticket| self.answer(ticket, Err(error.clone())));
        }
        self.give_up_unkept_queued(error);
    }

    /// Writing works again: offers that waited for that are made.
    pub(super) fn make_waiting_offers(&mut self) {
        let waits =
            |(id, talk): (&ChatId, &mut Talk)| std::mem::take(&mut talk.held.offer_waits).then_some(*id);
        for chat_id in self.chats.iter_mut().filter_map(waits).collect::<Vec<_>>() {
            self.chat_step(chat_id, |chat, env| chat.offer_again(env));
        }
    }

    /// Gives places in the inbox to texts that were held back, as far as there are any; whether all have one.
    pub(super) fn admit(&mut self, chat_id: ChatId) -> bool {
        while let Some(message) =
            self.chats.get(&chat_id).and_then(|talk| talk.held_back.get(talk.held.admitted))
        {
            let (message, id, bytes) = (message.clone(), message.id, message.text.len());
            if !self.fits_inbox(bytes) {
                return false;
            }
            self.inbox_bytes = self.inbox_bytes.saturating_add(bytes);
            self.admitted = self.admitted.saturating_add(1);
            if let Some(talk) = self.chats.get_mut(&chat_id) {
                talk.held.admitted = talk.held.admitted.saturating_add(1);
            }
            self.touch(RecordKey::Unread(chat_id, id));
            self.keep_received(&message);
            self.log_event(Event::MessageReceived(message));
        }
        true
    }

    /// A text is on disk: people see it, and its sender hears that it is held.
    fn show_admitted(&mut self, chat_id: ChatId, id: u64) {
        let Some(talk) = self.chats.get_mut(&chat_id) else { return };
        if talk.held.admitted == 0 {
            return;
        }
        let Some(message) = talk.held_back.pop_front_if(|message| message.id == id) else { return };
        talk.held.admitted = talk.held.admitted.saturating_sub(1);
        self.admitted = self.admitted.saturating_sub(1);
        self.event(Event::MessageReceived(message));
        self.chat_step(chat_id, |chat, env| chat.handle_held(id, env));
    }

    /// The chat is over: what it held back is dropped, on disk too.
    pub(super) fn drop_held_back(&mut self, chat_id: ChatId) {
        let Some(talk) = self.chats.get_mut(&chat_id) else { return };
        let admitted = std::mem::take(&mut talk.held.admitted);
        let dropped: Vec<Message> = std::mem::take(&mut talk.held_back).into();
        for message in dropped.into_iter().take(admitted) {
            self.admitted = self.admitted.saturating_sub(1);
            self.inbox_bytes = self.inbox_bytes.saturating_sub(message.text.len());
            self.forget_logged_text(message.chat_id, message.id);
            self.forget_received(chat_id, message.id);
            self.touch(RecordKey::Unread(chat_id, message.id));
        }
    }

    /// An unread text, shown or on its way to the disk.
    pub(super) fn unread_text(&self, chat_id: ChatId, id: u64) -> Option<&Message> {
        let admitted = self
            .chats
            .get(&chat_id)
            .and_then(|talk| talk.held_back.iter().take(talk.held.admitted).find(|message| message.id == id));
        let chat_id = chat_id_to_ipc(chat_id);
        let is_it = |message: &&Message| message.chat_id == chat_id && message.id == id;
        admitted.or_else(|| self.view.snapshot().unread.iter().rev().find(is_it))
    }

    /// Own texts up to and with `last` need no place on the disk any more.
    pub(super) fn drop_kept_texts(&mut self, chat_id: ChatId, last: u64) {
        let Some(talk) = self.chats.get_mut(&chat_id) else { return };
        let first = talk.held.first_text;
        talk.held.first_text = first.max(last.saturating_add(1));
        (first..=last).for_each(|id| self.touch_lazily(RecordKey::Sent(chat_id, id)));
        self.touch_lazily(RecordKey::Chat(chat_id));
    }

    /// A chat goes, and everything of it on the disk but its unread texts.
    pub(super) fn remove_chat(&mut self, chat_id: ChatId) {
        let Some(talk) = self.chats.get(&chat_id) else { return };
        let last = talk.held.kept_texts.max(talk.chat.last_text());
        self.drop_held_back(chat_id);
        self.drop_kept_texts(chat_id, last);
        if self.chats.remove(&chat_id).is_some_and(|talk| talk.chat.is_established()) {
            self.touch(RecordKey::Chat(chat_id));
        }
    }
}
